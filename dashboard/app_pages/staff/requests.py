"""Which books do readers miss?"""

import streamlit as st

from dashboard import asking, language, resources, state
from dashboard.components import finding, furniture, staff
from dashboard.language import _, plural
from dashboard.words import address
from openshelf.database import requests
from openshelf.database.requests import OPEN, Status, Wish
from openshelf.errors import NotAllowedError

PER_PAGE = 25


def draw(wish: Wish, number: int) -> None:
    names = asking.statuses()
    people = plural("asked for by {count} reader", "asked for by {count} readers", wish.count_asked)
    parts = [wish.author, people, language.day(wish.first_asked_at.date()), *wish.notes[:3]]
    furniture.form(
        f"wish_{number}_{wish.request_key}",
        "/requests/decide",
        [
            furniture.field(
                "status", _("What becomes of it"), "select", value=wish.status, options=list(names.items())
            ),
            furniture.field("answer", _("A word to those who asked"), value=wish.answer),
        ],
        _("Save"),
        heading=wish.title,
        line=" · ".join(part for part in parts if part),
        hidden={"key": wish.request_key, "before": wish.status, "show": shown},
        quiet=True,
    )


st.set_page_config(page_title=_("What readers ask for") + " · Openshelf")
account = state.current_account()
shown = "closed" if st.query_params.get("show") == "closed" else ""
closed: tuple[Status, ...] = ("bought", "declined")
try:
    with resources.connection() as conn:
        wishes = requests.queue(conn, account, closed if shown else OPEN)
except NotAllowedError:
    furniture.notice(_("This page is for library staff"), _("Sign in with a staff account to see it."))
    furniture.end_page()

staff.way("requests")
furniture.heading(
    _("What readers ask for"),
    plural("{count} book, the most wanted first", "{count} books, the most wanted first", len(wishes)),
)
finding.choices(
    "which",
    _("Which requests"),
    [
        (_("Open"), address("requests"), not shown),
        (_("Decided"), address("requests", show="closed"), bool(shown)),
    ],
)
if not wishes:
    furniture.notice(_("Nobody is waiting for a book"), _("When a search finds nothing, readers can ask for it here."))
for number, wish in enumerate(wishes[:PER_PAGE]):
    draw(wish, number)
furniture.aside(
    _("What was searched for, or asked of the librarian, and not found, stands apart."),
    _("What readers look for and do not find"),
    "/wishes",
)
