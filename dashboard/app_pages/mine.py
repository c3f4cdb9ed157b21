"""What have I put aside, read and said, and what have I made of it?"""

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import asking, data, handlers, language, resources, state
from dashboard.acts import Deed
from dashboard.components import finding, furniture, own_lists
from dashboard.components.shelf import card, shelf
from dashboard.language import _, plural
from dashboard.state import Marks, Visitor
from openshelf.contracts import Action, Surface
from openshelf.database import requests, shelves
from openshelf.database.catalogue import WorkCard

ON_TILE = 3


def shelf_names() -> dict[str, str]:
    return {"want": _("Want to read"), "reading": _("Reading now"), "read": _("Read")}


def row(
    key: str,
    works: Sequence[WorkCard],
    marks: Marks,
    heading: str,
    said: Mapping[int, str] | None = None,
    empty: str = "",
) -> None:
    """A shelf in a row; `said`: what stands under a work."""
    words = said or {}
    cards = [
        card(
            work,
            n,
            marks,
            Surface.BROWSE,
            reason={"text": words[work.book_id]} if work.book_id in words else None,
        )
        for n, work in enumerate(works)
    ]
    if cards or empty:
        shelf(f"mine_{key}", cards, Surface.BROWSE, heading=heading, empty=empty)


@st.fragment
def draw_shelves() -> None:
    """The three shelves; of what is being read, how far."""
    visitor = state.shown_visitor()
    marks = state.marks(visitor)
    works = {work.book_id: work for work in data.cards(tuple(marks.shelves))}
    read_so_far = {}
    if visitor.account and visitor.account.keeps_history:
        with resources.connection() as conn:
            for place in shelves.places(conn, visitor.account.account_id):
                percent = language.number(round(100 * place.progress))
                read_so_far[place.book_id] = _("{percent}% read").format(percent=percent)
    for name, heading in shelf_names().items():
        mine = [works[book_id] for book_id, on in marks.shelves.items() if on == name and book_id in works]
        nothing = _("Nothing yet. The bookmark on any book puts it here.") if name == "want" else ""
        row(name, mine, marks, heading, read_so_far if name == "reading" else None, nothing)


@st.fragment
def draw_lists() -> None:
    visitor = state.shown_visitor()
    if visitor.account_id is None:
        return
    with resources.connection() as conn:
        found = [
            (own, shelves.books_of(conn, visitor.account_id, own, visitor.audiences))
            for own in shelves.lists(conn, visitor.account_id)
        ]
    firsts = tuple(dict.fromkeys(book_id for _own, book_ids in found for book_id in book_ids[:ON_TILE]))
    works = {work.book_id: work for work in data.cards(firsts)}
    own_lists.tiles(
        "own_lists",
        [
            (own, [works[book_id] for book_id in book_ids[:ON_TILE] if book_id in works], len(book_ids))
            for own, book_ids in found
        ],
    )


@st.fragment
def draw_opinions() -> None:
    """Ratings, and what shall not be shown, to be taken back."""
    marks = state.marks(state.shown_visitor())
    works = {work.book_id: work for work in data.cards(tuple({*marks.stars, *marks.hidden}))}
    rated = sorted(
        (-stars, works[book_id].title, book_id) for book_id, stars in marks.stars.items() if book_id in works
    )
    said = {book_id: plural("{count} star", "{count} stars", -stars) for stars, _title, book_id in rated}
    row("rated", [works[book_id] for book_id in said], marks, _("Your ratings"), said)
    hidden = [works[book_id] for book_id in marks.hidden if book_id in works]
    if hidden:
        shelf(
            "mine_hidden",
            [card(work, n, marks, Surface.BROWSE) for n, work in enumerate(hidden)],
            Surface.BROWSE,
            heading=_("Not interested"),
            caption=_("These stay off your shelves; search still finds them."),
            button=("unhide", _("Show again")),
        )


def draw_requests(account_id: int) -> None:
    """What the reader asked the library for, and what became of it."""
    with resources.connection() as conn:
        asked = requests.of_account(conn, account_id)
    if asked:
        asking.draw_asked(asked, "mine")


def forget_taste() -> None:
    if handlers.do(Deed(Action.RESET, Surface.FOR_YOU)):
        st.toast(_("Done. Your recommendations start afresh."))


def draw_taste() -> None:
    with st.container(key="os-taste"), st.expander(_("Forget my taste")):
        st.markdown(
            _(
                "What you liked, opened and rated no longer counts for what is recommended, from now on. Your shelves, "
                "lists and ratings stay as they are, and hidden books stay hidden. This cannot be undone."
            )
        )
        st.button(_("Yes, forget my taste"), on_click=forget_taste, key="mine.reset")


def draw_ways(visitor: Visitor) -> None:
    """Where else a reader's own things are."""
    ways = [(_("Bring your books from elsewhere"), "/import"), (_("Your data"), "/your_data")]
    if visitor.account and visitor.account.keeps_history:
        ways.insert(0, (_("Your history"), "/history"))
    finding.choices("ways", _("More of yours"), [(label, href, False) for label, href in ways])
    furniture.aside(
        _("Your shelves, ratings and lists as a file that other services read too:"),
        _("my-books.csv"),
        "/my-books.csv",
    )


st.set_page_config(page_title=_("My books · Openshelf"))
visitor = state.shown_visitor()
furniture.heading(_("My books"))
draw_shelves()
if visitor.account_id is not None:
    draw_lists()
draw_opinions()
if visitor.account_id is not None:
    draw_requests(visitor.account_id)
    draw_ways(visitor)
else:
    furniture.notice(
        _("These shelves last as long as this visit"),
        _('To keep them, <a href="/sign_in" target="_self">sign in</a>. Without an account nothing is remembered.'),
    )
if visitor.audiences is None:  # of a child's taste nothing is known
    draw_taste()
