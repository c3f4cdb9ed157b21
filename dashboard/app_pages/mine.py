"""What have I put aside, read and said, and what does the library keep of it?"""

import streamlit as st

from dashboard import data, handlers, resources, state
from dashboard.acts import Deed
from dashboard.components import furniture
from dashboard.components.shelf import card, shelf
from dashboard.words import count_of
from openshelf import readers
from openshelf.contracts import Action, Surface
from openshelf.database import accounts

_NOTHING_WANTED = "Nothing yet. The bookmark on any book puts it here."
_SHELVES = {"want": "Want to read", "reading": "Reading now", "read": "Read"}


def switch_history() -> None:
    """The switch was moved: keep the decision, and act under the other key from now on."""
    visitor = state.current_visitor()
    if visitor.account_id is None:
        return
    try:
        with resources.connection() as conn:
            is_on = bool(st.session_state["mine.history"])
            accounts.set_history(conn, visitor.account_id, is_on, readers.NOTICE_VERSION)
    except state.OFFLINE:
        st.toast(handlers.NOT_SAVED)
        return
    state.forget_marks()


def forget_taste() -> None:
    if handlers.do(Deed(Action.RESET, Surface.FOR_YOU)):
        st.toast("Done. Your recommendations start afresh.")


def history_switch(account: accounts.Account) -> None:
    with st.container(key="os-privacy"):
        st.subheader("What the library keeps")
        st.toggle("Keep a history of my reading", account.history_enabled, key="mine.history", on_change=switch_history)
        st.caption(
            "On: what you open, like and read is remembered under a code instead of your name, and your "
            "recommendations know you the next time. Staff never see one person's reading."
            if account.history_enabled
            else "Off: recommendations follow what you do now and forget it when you leave. Only the shelves and "
            "ratings below, which you made yourself, are kept with your account."
        )
        st.button("Forget my taste", on_click=forget_taste, key="mine.reset")


@st.fragment
def draw() -> None:
    marks = state.marks(state.shown_visitor())
    works = {work.book_id: work for work in data.cards(tuple({*marks.shelves, *marks.stars, *marks.hidden}))}
    for name, heading in _SHELVES.items():
        mine = [works[book_id] for book_id, on in marks.shelves.items() if on == name and book_id in works]
        cards = [card(work, n, marks, Surface.BROWSE) for n, work in enumerate(mine)]
        if cards or name == "want":
            shelf(f"mine_{name}", cards, Surface.BROWSE, heading=heading, empty=_NOTHING_WANTED)
    rated = [(works[book_id], stars) for book_id, stars in marks.stars.items() if book_id in works]
    if rated:
        notes = [(work, count_of(int(stars), "star", "stars")) for work, stars in rated]
        cards = [card(work, n, marks, Surface.BROWSE, note=note) for n, (work, note) in enumerate(notes)]
        shelf("mine_rated", cards, Surface.BROWSE, heading="Your ratings", actions=False)
    hidden = [works[book_id] for book_id in marks.hidden if book_id in works]
    if hidden:
        cards = [card(work, n, marks, Surface.BROWSE) for n, work in enumerate(hidden)]
        caption = "These stay off your shelves; search still finds them."
        shelf(
            "mine_hidden",
            cards,
            Surface.BROWSE,
            heading="Not interested",
            caption=caption,
            button=("unhide", "Show again"),
        )


visitor = state.shown_visitor()
furniture.heading("My books")
draw()
if visitor.account:
    history_switch(visitor.account)
else:
    furniture.notice(
        "These shelves last as long as this visit",
        'To keep them, <a href="/sign_in" target="_self">sign in</a>. Without an account nothing is remembered of you.',
    )
