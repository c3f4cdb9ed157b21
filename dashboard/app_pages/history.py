"""What did I read and do here, and what of it shall the library forget?"""

from collections.abc import Callable
from datetime import date

import streamlit as st

from dashboard import data, handlers, language, resources, state
from dashboard.components import finding, furniture, own_lists
from dashboard.language import _, plural
from dashboard.words import address
from openshelf.database import own_history
from openshelf.database.catalogue import WorkCard
from openshelf.database.own_history import Entry

KEY = "history"


def did(entry: Entry) -> str:
    """What was done with a book on a day, in a few words."""
    words = {
        "open": _("looked at it"),
        "read": _("began to read"),
        "finish": _("read it to the end"),
        "like": _("liked it"),
        "dislike": _("did not like it"),
        "want": _("put it on the want-to-read shelf"),
        "skip": _("passed over it"),
        "hide": _("hid it"),
        "unhide": _("brought it back"),
    }
    told = []
    for action in dict.fromkeys(entry.actions):
        if action == "rate":
            told.append(plural("gave it {count} star", "gave it {count} stars", entry.stars or 0))
        elif action in words:
            told.append(words[action])
    return ", ".join(told)


def removing(reader_key: str) -> Callable[[], None]:
    """Callback of the ledger's `taken`: 'day/book_id'."""

    def remove() -> None:
        try:
            taken = [str(answer).partition("/") for answer in handlers.told(KEY, "taken")]
            visitor = state.current_visitor()
            # The key is asked again: it may have been cleared since the page was drawn.
            if visitor.account is None or not visitor.account.keeps_history or visitor.reader_key != reader_key:
                return
            with resources.connection() as conn:
                for day, _sep, book_id in taken:
                    own_history.remove(conn, reader_key, date.fromisoformat(day), int(book_id))
        except ValueError:
            return
        except state.OFFLINE:
            st.toast(handlers.not_saved())
            return
        state.forget_marks()

    return remove


def sections(entries: list[Entry], works: dict[int, WorkCard]) -> list[dict[str, object]]:
    by_day: dict[date, list[Entry]] = {}
    for entry in entries:
        if entry.book_id in works:
            by_day.setdefault(entry.day, []).append(entry)
    return [
        {
            "heading": language.day(day),
            "line": "",
            "rows": [
                own_lists.row(works[entry.book_id], line=did(entry), key=f"{day.isoformat()}/{entry.book_id}")
                for entry in of_day
            ],
        }
        for day, of_day in by_day.items()
    ]


@st.fragment
def draw() -> None:
    visitor = state.shown_visitor()
    reader_key = visitor.reader_key
    with resources.connection() as conn:
        months = own_history.months(conn, reader_key)
        if not months:
            furniture.notice(_("Nothing yet"), _("What you do with books from now on is listed here."))
            return
        asked = st.query_params.get("month", "")
        shown = next((each for each in months if each.first_day.isoformat()[:7] == asked), months[0])
        entries = own_history.entries(conn, reader_key, shown.first_day)
    finding.choices(
        "months",
        _("Months"),
        [
            (language.month(each.first_day), address("history", month=each.first_day.isoformat()[:7]), each == shown)
            for each in months
        ],
    )
    works = {work.book_id: work for work in data.cards(tuple(dict.fromkeys(each.book_id for each in entries)))}
    own_lists.ledger(
        KEY,
        sections(entries, works),
        remove=_("Remove"),
        removed=_("{title} is removed from your history"),
        on_taken=removing(reader_key),
    )


st.set_page_config(page_title=_("Your history · Openshelf"))
visitor = state.shown_visitor()
if visitor.account and visitor.account.history_enabled and not visitor.account.keeps_history:
    furniture.notice(
        _("Your history pauses"),
        _('It is still there. Say under <a href="/your_data" target="_self">Your data</a> whether it may go on.'),
        alone=True,
    )
elif visitor.account is None or not visitor.account.keeps_history:
    furniture.notice(
        _("No history is kept of you"),
        _('You can turn it on under <a href="/your_data" target="_self">Your data</a>. It is off unless you do.'),
        alone=True,
    )
else:
    furniture.heading(_("Your history"), _("Only you see it."))
    furniture.aside(
        _("What you remove is deleted wherever it is stored. Recommendations may follow it until they start afresh:"),
        _("forget my taste"),
        "/mine",
    )
    draw()
