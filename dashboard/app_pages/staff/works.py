"""Which editions are one work, and why? What was joined or may be one, what staff decided, what authors are called."""

from collections.abc import Sequence
from typing import Any

import psycopg
import streamlit as st

from dashboard import language
from dashboard.components import finding, furniture, staff
from dashboard.components.finding import Row
from dashboard.components.staff import Column
from dashboard.language import _, plural
from dashboard.words import address
from openshelf import works_deciding
from openshelf.database import works_desk
from openshelf.database.accounts import Account
from openshelf.database.works import Alias, Decision, Joined, Near, PlacedEdition, Told
from openshelf.database.works_desk import Desk
from openshelf.errors import UsageError
from openshelf.works_deciding import Explanation

SHOWN = 100


def reasons() -> dict[str, str]:
    """Why rules or people say so, as the catalogue keeps it."""
    return {
        "same title, author and language": _("same title, author and language"),
        "same title but for notes": _("same title but for notes"),
        "same title, words run together": _("same title, words run together"),
        "same title, one author by the family name alone": _("same title, one author by the family name alone"),
        "a slip of the pen": _("a slip of the pen"),
        "one leaves the subtitle out": _("one leaves the subtitle out"),
        "one cuts the subtitle short": _("one cuts the subtitle short"),
        "one puts the series before the title": _("one puts the series before the title"),
        "nearly the same title": _("nearly the same title"),
        "one title begins with the other": _("one title begins with the other"),
        "the original title is told": _("the original title is told"),
        "staff put it here": _("staff put it here"),
        "staff split it off": _("staff split it off"),
        "staff decided": _("staff decided"),
        "staff took the merge back": _("staff took the merge back"),
        "staff took the split back": _("staff took the split back"),
    }


def why(reason: str) -> str:
    """A reason in the language of the page; what it names ("…: “Dune” (0.99)") stays."""
    said, colon, named = reason.partition(": ")
    return f"{reasons().get(said, said)}{colon}{named}" if reason else _("it is the first one")


def said() -> dict[str, str]:
    return {
        "merge": _("They are one work from now on. What readers did with either counts for it."),
        "split": _("They are two works from now on."),
        "apart": _("They stay two works; nobody is asked again."),
        "undo": _("That was taken back."),
        "alias": _("The author is called so from now on. Works that may be one now stand below."),
        "no-alias": _("The author is called as the books write it again."),
    }


def answer(desk: Desk) -> str:
    parts = [plural("{count} work of several editions", "{count} works of several editions", desk.count_joined)]
    if desk.near:
        words = plural("{count} pair that may be one", "{count} pairs that may be one", len(desk.near))
        if len(desk.near) == SHOWN:
            words = _("more than {count} pairs that may be one").format(count=language.number(SHOWN - 1))
        parts.append(words)
    return ", ".join(parts) + "."


def draw_near(pairs: Sequence[Near], around: int | None = None) -> None:
    staff.section(
        _("May be one work"),
        _(
            "Alike, and not sure enough for a rule; or two works that were there already, which no rule ever joins. "
            "The most wanted first: opened in the last four weeks. Choose one to decide."
        ),
    )
    if not pairs:
        staff.quiet(_("None."))
        return

    def decide(pair: Near) -> str:
        book, other = (
            (pair.book_id, pair.other_id) if around is None else (around, pair.book_id + pair.other_id - around)
        )
        return address("works", book=book, other=other)

    staff.figure(
        "may-be-one",
        None,
        plural("{count} pair", "{count} pairs", len(pairs)),
        pairs,
        [
            Column("title", _("Book"), link=decide),
            Column("authors_text", _("Author")),
            Column("other_title", _("and"), link=decide),
            Column("other_authors", _("Author")),
            Column("reason", _("Why"), why),
            Column("score", _("Alike"), language.percent),
            Column("demand", _("Opened")),
        ],
    )


def draw_joined(joined: Sequence[Joined], count: int) -> None:
    staff.section(_("Joined"), _("Works of several editions; those that are called by the most titles first."))
    if not joined:
        staff.quiet(_("None: every edition is a work of its own."))
        return
    words = plural("{count} work", "{count} works", len(joined))
    if count > len(joined):
        words = _("The first {shown} of {all}.").format(shown=language.number(len(joined)), all=language.number(count))
    staff.figure(
        "joined",
        None,
        words,
        joined,
        [
            Column("title", _("Work"), link=lambda work: address("works", book=work.book_id)),
            Column("authors_text", _("Author")),
            Column("count_editions", _("Editions")),
            Column("count_titles", _("Titles")),
            Column("reasons", _("Why"), lambda each: "; ".join(map(why, each)) or "–"),
        ],
    )


def decided(made: Told) -> Row:
    names = {"title": made.title, "other": made.other_title}
    what = {
        "merge": _("{other} was taken into {title}"),
        "split": _("{other} was split off {title}"),
        "apart": _("{title} and {other} stay two works"),
    }[made.decision].format(**names)
    row: Row = {
        "title": what,
        "line": plural("{count} edition moved", "{count} editions moved", made.count_editions)
        if made.count_editions
        else "",
        "status": _("taken back {day}").format(day=language.day(made.undone_at)) if made.undone_at else "",
        "note": made.note,
        "date": language.day(made.decided_at),
    }
    if made.undone_at is None:
        row["key"] = str(made.decision_id)
    return row


def draw_decisions(decisions: Sequence[Told]) -> None:
    finding.records(
        "decided",
        _("What staff decided"),
        [decided(made) for made in decisions],
        _("Nothing yet."),
        button=("/staff/works/undo", "decision", _("Take it back"), {}),
    )


def draw_aliases(aliases: Sequence[Alias]) -> None:
    finding.records(
        "aliases",
        _("What authors are called"),
        [
            {
                "title": alias.name,
                "line": _("written as {name}").format(name=alias.written),
                "status": "",
                "note": "",
                "date": "",
                "key": alias.written,
            }
            for alias in aliases
        ],
        _("Every author is called as the books write it."),
        button=("/staff/works/alias-remove", "written", _("Take it off"), {}),
    )
    furniture.form(
        "alias",
        "/staff/works/alias",
        [
            furniture.field("written", _("As the books write it"), required=True),
            furniture.field("name", _("What the author is called here"), required=True),
        ],
        _("Call the author so"),
        folded=_("Another name of an author"),
        line=_(
            "Pages and search call the author so, under either name the books are found, and new editions find their "
            "work. Records in Calibre stay as they are."
        ),
        quiet=True,
    )


def draw_editions(found: Explanation, key: str = "editions") -> None:
    states = {True: _("staff decided"), False: ""}
    staff.figure(
        key,
        None,
        plural("{count} edition", "{count} editions", len(found.editions)),
        found.editions,
        [
            Column("edition_id", _("Number"), str),
            Column("title", _("Title")),
            Column("authors_text", _("Author")),
            Column("languages", _("Language"), lambda codes: ", ".join(map(language.language_name, codes))),
            Column("work_reason", _("Why"), why),
            Column("active", _("Held"), lambda active: _("yes") if active else _("withdrawn")),
            Column("is_pinned", _("Decided"), states.__getitem__),
        ],
    )
    if found.taken_in:
        numbers = ", ".join(map(str, found.taken_in))
        staff.quiet(_("Taken in, whose old addresses lead here: {numbers}.").format(numbers=numbers))
    for other in found.translations:
        name = language.language_name(other.language) if other.language else "?"
        staff.link(
            "works", _("Translation, {language}: {title}").format(language=name, title=other.title), book=other.book_id
        )


def sure(words: str) -> dict[str, Any]:
    return furniture.field("sure", words, "checkbox", required=True)


def draw_forms(found: Explanation, other: str) -> None:
    note = furniture.field("note", _("Why"), hint=_("At most 200 letters; other staff read this."))
    title = found.editions[0].title
    furniture.form(
        "merge",
        "/staff/works/merge",
        [
            furniture.field(
                "other", _("The other book"), value=other, required=True,
                hint=_("Its title, its number, or the address of its page."),
            ),
            note,
            sure(_("Yes, they are one work")),
        ],
        _("Make them one"),
        heading=_("Is it one work with another?"),
        line=_("The other is taken into this one, with all that readers did with it; its address leads here."),
        hidden={"book": str(found.book_id)},
    )  # fmt: skip
    if other:
        furniture.form(
            "apart", "/staff/works/apart", [note], _("They are two"), folded=_("No, they are two works"),
            line=_("Nobody is asked about this pair again."), hidden={"book": str(found.book_id), "other": other},
            quiet=True,
        )  # fmt: skip
    if len(found.editions) > 1:
        furniture.form(
            "split",
            "/staff/works/split",
            [
                *(
                    furniture.field(f"edition-{edition.edition_id}", label(edition), "checkbox")
                    for edition in found.editions[:SHOWN]
                ),
                note,
                sure(_("Yes, these are another work")),
            ],
            _("Split them off"),
            folded=_("Split editions off"),
            line=_("What is chosen becomes a work of its own; all else stays with {title}.").format(title=title),
            hidden={"book": str(found.book_id)},
            quiet=True,
        )


def label(edition: PlacedEdition) -> str:
    author = f" / {edition.authors_text}" if edition.authors_text else ""
    return f"{edition.edition_id}: {edition.title}{author}"


def told(made: Decision, found: Explanation) -> Told:
    def name(book_id: int) -> str:
        return found.editions[0].title if book_id == found.book_id else str(book_id)

    return Told(
        made.decision_id, made.decision, made.book_id, name(made.book_id), made.other_id, name(made.other_id),
        len(made.edition_ids), made.note, made.decided_at, made.undone_at,
    )  # fmt: skip


def draw_work(conn: psycopg.Connection, account: Account, book_id: int) -> None:
    try:
        found = works_deciding.explain(conn, account, book_id)
    except UsageError:
        staff.title("works", question(), _("There is no such work."))
        staff.link("works", _("All works"))
        return
    first = found.editions[0]
    editions = plural("{count} edition", "{count} editions", len(found.editions))
    staff.title("works", question(), _("{title}: {editions}.").format(title=first.title, editions=editions))
    if done := said().get(st.query_params.get("done", "")):
        furniture.said(done)
    staff.link("works", _("All works"))
    staff.link("book", _("Its page for readers"), id=found.book_id)
    staff.section(_("Its editions"), _("Why each stands with the others. What staff decided, no ingest moves."))
    draw_editions(found)
    other = beside(conn, account, found.book_id)
    if other:
        staff.section(_("The other book"), _("What may be the same work, or not."))
        draw_editions(other, "other-editions")
        staff.link("works", _("Decide there"), book=other.book_id, other=found.book_id)
    draw_forms(found, str(other.book_id) if other else "")
    draw_near(works_desk.near(conn, account, found.book_id), found.book_id)
    draw_decisions([told(made, found) for made in found.decisions])


def beside(conn: psycopg.Connection, account: Account, book_id: int) -> Explanation | None:
    """The other work that the address names, if there is one."""
    asked = st.query_params.get("other", "")
    if not (asked.isascii() and asked.isdecimal() and len(asked) < 10):
        return None
    try:
        other = works_deciding.explain(conn, account, int(asked))
    except UsageError:
        return None
    return None if other.book_id == book_id else other


def question() -> str:
    return _("Which editions are one work, and why?")


def draw(conn: psycopg.Connection, account: Account) -> None:
    asked = st.query_params.get("book", "")
    if asked.isascii() and asked.isdecimal() and len(asked) < 10:
        draw_work(conn, account, int(asked))
        return
    desk = works_desk.desk(conn, account, SHOWN)
    staff.title("works", question(), answer(desk))
    if done := said().get(st.query_params.get("done", "")):
        furniture.said(done)
    furniture.form(
        "look",
        "/staff/works/look",
        [
            furniture.field(
                "book", _("Book"), required=True, hint=_("Its title, its number, or the address of its page.")
            )
        ],
        _("Show its editions"),
        quiet=True,
    )
    draw_near(desk.near)
    draw_joined(desk.joined, desk.count_joined)
    draw_decisions(desk.decisions)
    draw_aliases(desk.aliases)


staff.live("works", draw)
