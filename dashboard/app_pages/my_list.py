"""What is on this list of mine?"""

import streamlit as st

from dashboard import data, list_acts, resources, state
from dashboard.components import furniture, own_lists
from dashboard.components.shelf import card, shelf
from dashboard.language import _
from openshelf.contracts import Surface
from openshelf.database import shelves
from openshelf.database.shelves import OwnList


def find(account_id: int, list_id: int) -> OwnList | None:
    with resources.connection() as conn:
        return shelves.find(conn, account_id, list_id)


@st.fragment
def draw(list_id: int) -> None:
    visitor = state.shown_visitor()
    if visitor.account_id is None:
        return
    own = find(visitor.account_id, list_id)
    name_kept = f"mine.list.{list_id}"
    if own is None:
        if list_acts.was_removed(list_id) and (before := st.session_state.get(name_kept)):
            own_lists.desk("desk", before, "", removed=True)
        else:
            furniture.notice(_("There is no such list"), _("It may have been removed."), alone=True)
        return
    st.session_state[name_kept] = own
    with resources.connection() as conn:
        book_ids = shelves.books_of(conn, visitor.account_id, own, visitor.audiences)
    works, marks = data.cards(tuple(book_ids)), state.marks(visitor)
    own_lists.desk("desk", own, own_lists.line_of(own, len(works)), removed=False)
    empty = (
        _("The library holds nothing of this kind now.")
        if own.rule
        else _("Nothing yet. Every book's page has a button that puts it on a list.")
    )
    shelf(
        "on_list",
        [card(work, n, marks, Surface.BROWSE) for n, work in enumerate(works)],
        Surface.BROWSE,
        layout="grid",
        button=None if own.rule else ("take_out", _("Take off the list")),
        on_acts=None if own.rule else list_acts.taking_out("on_list", list_id),
        empty=empty,
    )


asked = st.query_params.get("id", "")
if state.shown_visitor().account_id is None:
    furniture.notice(
        _("Lists belong to an account"),
        _('<a href="/sign_in" target="_self">Sign in</a>, and they are here on every device.'),
        alone=True,
    )
else:
    draw(int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 10 else 0)
