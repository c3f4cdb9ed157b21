"""Is the catalogue well? What records lack, the most wanted first; what may be there twice; what ingests did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

import psycopg

from dashboard import language
from dashboard.components import finding, graphs, staff
from dashboard.components.graphs import Point
from dashboard.components.staff import Column
from dashboard.language import _, plural
from dashboard.words import address
from openshelf.database import catalogue_desk
from openshelf.database.accounts import Account
from openshelf.database.analytics import Trust
from openshelf.database.catalogue_desk import LACKS, Held, IngestRun, Lack, LackingWork, Twins

SHOWN = 200


def lacks() -> dict[Lack, str]:
    return {
        "summary": _("a summary"),
        "cover": _("a cover"),
        "isbn": _("an ISBN"),
        "language": _("a language"),
        "subjects": _("subjects"),
    }


@dataclass(frozen=True)
class LackLine:
    """One kind of gap: how many works have it."""

    what: str
    count: int
    share: float


@dataclass(frozen=True)
class RunLine:
    """An ingest as the table shows it."""

    started_at: datetime
    status: str
    editions: int | None
    inserted: int | None
    updated: int | None
    deactivated: int | None
    rejected: int | None
    said: str


def answer(held: Held, twins: Sequence[Twins]) -> str:
    if not held.count_works:
        return _("There is no book yet. An ingest of a Calibre library brings them.")
    worst = max(LACKS, key=lambda what: getattr(held, what))
    count = getattr(held, worst)
    if not count and not twins:
        return _("Yes: no record lacks anything that this page looks for.")
    books = plural("{count} book", "{count} books", held.count_works)
    parts = [books]
    if count:
        lacking = plural("{count} of them", "{count} of them", count)
        parts.append(_("{count} without {what}").format(count=lacking, what=lacks()[worst]))
    if twins:
        parts.append(plural("{count} that may be there twice", "{count} that may be there twice", len(twins)))
    return ", ".join(parts) + "."


def calibre_link(work: LackingWork) -> str | None:
    """Opens the record in Calibre where this browser's machine has the library (calibre-ebook.com: url scheme)."""
    if work.calibre_id is None or not work.library:
        return None
    return f"calibre://show-book/{quote(work.library.replace(' ', '_'))}/{work.calibre_id}"


def draw_gaps(held: Held) -> None:
    lines = [
        LackLine(
            lacks()[what], getattr(held, what), getattr(held, what) / held.count_works if held.count_works else 0.0
        )
        for what in LACKS
    ]
    lines.sort(key=lambda line: -line.count)
    words = _("Most often missing: {what}, in {share} of the books.").format(
        what=lines[0].what, share=language.percent(lines[0].share)
    )
    staff.section(_("What records lack"))
    points = [Point(number, line.what, line.count) for number, line in enumerate(lines)]
    staff.figure(
        "records-lack",
        graphs.bars(points, _("Books"), words),
        words,
        lines,
        [
            Column("what", _("Without")),
            Column("count", _("Books")),
            Column("share", _("Of all books"), language.percent),
        ],
    )


def draw_works(works: Sequence[LackingWork], what: Lack | None, trust: Trust | None) -> None:
    staff.section(
        _("Books to mend, the most wanted first")
        if what is None
        else _("Books without {what}").format(what=lacks()[what]),
        _("Mend the record in Calibre; the next ingest takes it off this list. Wanted: opened in the last four weeks."),
    )
    if not works:
        staff.quiet(_("None."))
        return
    if trust:
        staff.banner(trust)
    words = plural("{count} book", "{count} books", len(works))
    if len(works) == SHOWN:
        words = _("The {count} most wanted.").format(count=language.number(SHOWN))
    staff.figure(
        "books-to-mend",
        None,
        words,
        works,
        [
            Column("title", _("Book"), link=lambda work: address("book", id=work.book_id)),
            Column("authors_text", _("Author")),
            Column("lacks", _("Without"), lambda each: ", ".join(lacks()[what] for what in each)),
            Column("demand", _("Opened")),
            Column("calibre_id", _("In Calibre"), str, missing="–", link=calibre_link),
        ],
    )


def draw_twins(twins: Sequence[Twins]) -> None:
    staff.section(
        _("May be there twice"),
        _(
            "The same ISBN, or the same title, language and author's surname. In Calibre, merge the records; or decide "
            "here that they are one work."
        ),
    )
    staff.link("works", _("Which editions are one work, and why?"))
    if not twins:
        staff.quiet(_("None found."))
        return
    why = {"isbn": _("same ISBN"), "title": _("same title and author")}
    staff.figure(
        "may-be-twice",
        None,
        plural("{count} group", "{count} groups", len(twins)),
        twins,
        [
            Column("titles", _("Books"), " · ".join, link=lambda each: address("book", id=each.book_ids[0])),
            Column("book_ids", _("Numbers"), lambda each: ", ".join(map(str, each))),
            Column("why", _("Why"), why.__getitem__),
        ],
    )


def draw_ingests(runs: Sequence[IngestRun]) -> None:
    staff.section(_("What ingests did"))
    if not runs:
        staff.quiet(_("None has run yet: `openshelf ingest calibre` runs one."))
        return
    states = {"done": _("done"), "failed": _("failed"), "running": _("under way")}
    lines = [
        RunLine(
            run.started_at,
            states[run.status],
            run.counts.get("editions"),
            run.counts.get("inserted"),
            run.counts.get("updated"),
            run.counts.get("deactivated"),
            run.counts.get("rejected"),
            "; ".join([*([run.message] if run.message else []), *map(str, run.counts.get("reasons") or [])]) or "–",
        )
        for run in runs
    ]
    staff.figure(
        "ingests",
        None,
        plural("The last {count} run", "The last {count} runs", len(runs)),
        lines,
        [
            Column("started_at", _("Began")),
            Column("status", _("State")),
            Column("editions", _("Records read"), missing="–"),
            Column("inserted", _("New"), missing="–"),
            Column("updated", _("Changed"), missing="–"),
            Column("deactivated", _("Gone"), missing="–"),
            Column("rejected", _("Rejected"), missing="–"),
            Column("said", _("What it said")),
        ],
    )


def draw(conn: psycopg.Connection, account: Account) -> None:
    asked = staff.chosen("without", LACKS)
    what: Lack | None = next((each for each in LACKS if each == asked), None)
    held = catalogue_desk.held(conn, account)
    twins = catalogue_desk.twins(conn, account)
    staff.title(
        "catalogue",
        _("Is the catalogue well?"),
        answer(held, twins),
        [finding.select("without", _("Books without"), _("anything"), list(lacks().items()), what or "")],
    )
    if held.count_works:
        with staff.warehouse(account) as warehouse:
            trust = warehouse and warehouse[1]
        draw_gaps(held)
        draw_works(catalogue_desk.lacking(conn, account, what, SHOWN), what, trust)
        draw_twins(twins)
    draw_ingests(catalogue_desk.ingests(conn, account))


staff.live("catalogue", draw)
