"""What of my books elsewhere does the library hold, and shall it stand on my shelves here?"""

import streamlit as st

from dashboard import bringing, data, handlers, resources, state
from dashboard.acts import Reader
from dashboard.bringing import Found, Outcome, Plan
from dashboard.components import furniture, own_lists, upload
from dashboard.language import _, number, plural
from dashboard.reader_files import MAX_BYTES, MAX_ROWS, Brought, Problem, UnreadableFileError, read
from dashboard.state import Visitor
from openshelf.contracts import utc_now

SHOWN = 300
MEGABYTE = 1_000_000
CHOOSER = "import.chooser"
NAME = "import.name"
CONTENT = "import.content"
OUTCOME = "import.outcome"


def in_words(problem: Problem) -> str:
    return {
        "empty": _("This file is empty. Nothing was changed."),
        "too large": _("This file is larger than {count} megabytes. Nothing was changed.").format(
            count=number(MAX_BYTES // MEGABYTE)
        ),
        "no table": _("This file is no table of books. Nothing was changed."),
        "unknown columns": _(
            "This file has other columns than an export of Goodreads, StoryGraph, LibraryThing or Openshelf. "
            "Nothing was changed."
        ),
        "too many rows": _("This file has more than {count} rows. Nothing was changed.").format(count=number(MAX_ROWS)),
    }[problem]


def told_of(found: Found, *, is_done: bool) -> str:
    """What the file says of a work, and whether any of that is new, or was."""
    book = found.brought
    shelf = {"want": _("want to read"), "reading": _("reading"), "read": _("read")}.get(book.shelf or "", "")
    stars = plural("{count} star", "{count} stars", book.stars) if book.stars else ""
    parts = [shelf, stars, ", ".join(book.lists)]
    how = _("found by a title that is nearly the same") if found.how == "near" else ""
    if not found.adds and not is_done:
        how = _("nothing new")
    return " · ".join(part for part in [*parts, how] if part)


def missing_row(book: Brought) -> dict[str, object]:
    return {"title": book.title, "author": ", ".join(book.authors), "lang": "", "href": None, "line": "", "key": ""}


def report(planned: Plan, *, is_done: bool) -> None:
    """What was found and what was not: before anything is written, and after."""
    works = {work.book_id: work for work in data.cards(tuple(each.book_id for each in planned.found[:SHOWN]))}
    rows = [
        own_lists.row(works[each.book_id], line=told_of(each, is_done=is_done))
        for each in planned.found[:SHOWN]
        if each.book_id in works
    ]
    count, missing = len(planned.found), len(planned.missing)
    first = _("The first {count} of them:").format(count=number(SHOWN))
    sections = []
    if count:
        heading = plural("{count} book is in the library", "{count} books are in the library", count)
        sections.append({"heading": heading, "line": first if count > SHOWN else "", "rows": rows})
    if missing:
        heading = plural("{count} book is not in the library", "{count} books are not in the library", missing)
        line = _("What is not here stays in your file. You can ask the library for it.")
        lines = [missing_row(book) for book in planned.missing[:SHOWN]]
        sections.append({"heading": heading, "line": f"{line} {first}" if missing > SHOWN else line, "rows": lines})
    own_lists.ledger("report", sections)


def put_on_shelves(visitor: Visitor, planned: Plan) -> None:
    """The button was pressed: write it, all or nothing."""
    account = visitor.account
    assert account
    learns = account.keeps_history and visitor.personal
    reader = Reader(visitor.reader_key, visitor.session_id) if learns else None
    try:
        with resources.connection() as conn:
            outcome = bringing.carry_out(conn, account.account_id, planned, reader, utc_now())
    except state.OFFLINE:
        st.toast(handlers.not_saved())
        return
    state.forget_marks()
    st.session_state[OUTCOME] = outcome


def tell(outcome: Outcome, visitor: Visitor) -> None:
    done = [
        plural("{count} book is on your shelves now.", "{count} books are on your shelves now.", outcome.count_shelved),
        plural("{count} rating was taken over.", "{count} ratings were taken over.", outcome.count_rated),
    ]
    if outcome.count_listed:
        done.append(plural("{count} was put on a list.", "{count} were put on lists.", outcome.count_listed))
    if outcome.count_acts:
        done.append(
            plural(
                "Your recommendations follow the latest of them.",
                "Your recommendations follow the latest {count} of them.",
                outcome.count_acts,
            )
        )
    elif visitor.account and not visitor.account.keeps_history:
        done.append(_("Recommendations do not follow them, because no history is kept of you."))
    furniture.said(" ".join(done))
    furniture.aside(_("See them under"), _("My books"), "/mine")


def take() -> None:
    """A file was chosen: it takes the place of the one before."""
    handed_in = upload.handed_in(CHOOSER)
    if handed_in:
        st.session_state[NAME], st.session_state[CONTENT] = handed_in
        st.session_state.pop(OUTCOME, None)


def choose(problem: str = "") -> None:
    upload.chooser(
        CHOOSER,
        _("A table (.csv or .tsv) of at most {count} megabytes.").format(count=number(MAX_BYTES // MEGABYTE)),
        [".csv", ".tsv", ".txt", ".xls"],
        MAX_BYTES,
        in_words("too large"),
        take,
        name=st.session_state.get(NAME, ""),
        problem=problem,
    )


def offer(visitor: Visitor) -> None:
    assert visitor.account
    content = st.session_state.get(CONTENT)
    if content is None:
        choose()
        return
    try:
        file = read(content)
    except UnreadableFileError as error:
        choose(in_words(error.problem))
        return
    choose()
    with resources.connection() as conn:
        planned = bringing.plan(conn, visitor.account.account_id, file, visitor.audiences)
    outcome = st.session_state.get(OUTCOME)
    if isinstance(outcome, Outcome):
        tell(outcome, visitor)
    else:
        line = _("An export of {service}.").format(service=file.service)
        if file.count_skipped:
            skipped = plural("{count} row has no title.", "{count} rows have no title.", file.count_skipped)
            line = f"{line} {skipped}"
        furniture.said(line)
        if planned.new:
            count = len(planned.new)
            st.button(
                plural("Take over {count} book", "Take over {count} books", count),
                type="primary",
                key="import.put",
                on_click=put_on_shelves,
                args=[visitor, planned],
            )
        else:
            furniture.said(_("There is nothing new in it: your shelves have all of that already."))
    report(planned, is_done=isinstance(outcome, Outcome))


st.set_page_config(page_title=_("Bring your books · Openshelf"))
visitor = state.shown_visitor()
if visitor.account is None:
    furniture.notice(
        _("Books are brought to an account"),
        _('<a href="/sign_in" target="_self">Sign in</a>, and they find their places on your shelves.'),
        alone=True,
    )
else:
    furniture.heading(
        _("Bring your books"),
        _(
            "Goodreads, StoryGraph and LibraryThing give you a file of your books. Your shelves, ratings and lists are "
            "taken over from it. Nothing that you said here is changed, and nothing is written before you say so."
        ),
    )
    with st.container(key="os-import"):
        offer(visitor)
