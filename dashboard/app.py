"""The page around every page: who is here, the bar on top, and the page asked for."""

from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from dashboard import handlers, providers, resources, state
from dashboard.components import furniture
from dashboard.components.furniture import LIBRARY
from dashboard.components.talk import talk, where
from dashboard.language import _
from dashboard.words import staff_pages
from openshelf.database import pool

HERE = Path(__file__).parent
LOOK_EVERY_S = 15
# Pages without the word that the notice has changed: the one where that is decided, and the one that begins above it.
_UNASKED = ("your_data", "librarian")


def _pages() -> list[StreamlitPage]:
    # File, address, title. Everybody has the addresses; the data layer knows who may see what stands there.
    pages = [
        ("home", "", LIBRARY),
        ("browse", "browse", _("Browse")),
        ("librarian", "librarian", _("Ask the librarian")),
        ("mine", "mine", _("My books")),
        ("my_list", "list", _("A list of mine")),
        ("history", "history", _("Your history")),
        ("import_books", "import", _("Bring your books")),
        ("book", "book", _("Book")),
        ("read", "read", _("Reading")),
        ("directory", "directory", _("Subjects and authors")),
        ("find", "find", _("Search")),
        ("shelf", "shelf", _("A shelf")),
        ("ask", "ask", _("Ask for a book")),
        ("your_data", "your_data", _("Your data")),
        ("privacy", "privacy", _("Privacy")),
        ("accessibility", "accessibility", _("Accessibility")),
        ("sign_in", "sign_in", _("Sign in")),
        ("register", "register", _("Make an account")),
        ("account", "account", _("Your account")),
        ("welcome", "welcome", _("Welcome")),
        *((f"staff/{file}", at, question) for file, at, question in staff_pages()),
    ]
    # Else Streamlit would say so in words and a look of its own.
    if (asked := _asked()) and asked not in {address for _file, address, _title in pages}:
        pages.append(("nowhere", asked, _("Nothing stands here")))
    return [
        st.Page(
            HERE / f"app_pages/{file}.py",
            title=title if title == LIBRARY else f"{title} · {LIBRARY}",
            url_path=address,
            default=not address,
        )
        for file, address, title in pages
    ]


def _asked() -> str:
    """The page that the address asks for; '' for the first one, and where Streamlit's own rules for names end."""
    path = unquote(urlsplit(st.context.url or "").path).strip("/")
    return path if path and "/" not in path else ""


def _restarting() -> None:
    """Shown while Postgres is away; comes back by itself."""
    furniture.notice(
        _("The catalogue is restarting"),
        _("Your books are safe. This page comes back by itself, usually within a minute."),
        alone=True,
    )
    st.fragment(_come_back, run_every=2)()


def _come_back() -> None:
    try:
        with resources.connection() as conn:
            pool.ping(conn)
    except state.OFFLINE:
        return
    st.rerun()


@st.fragment(run_every=LOOK_EVERY_S)
def _watch() -> None:
    """Who walked away from a signed-in page is signed out on the screen, too."""
    with suppress(*state.OFFLINE):
        if state.is_signed_out_meanwhile():
            st.rerun()


def main() -> None:
    st.set_page_config(layout="wide", initial_sidebar_state="collapsed")
    try:
        visitor = handlers.begin()
        account = visitor.account
    except state.OFFLINE:
        account = None
        visitor = None
    is_staff = account is not None and account.is_staff
    pages = _pages()
    page = st.navigation(pages, position="hidden")
    # Said of each page, or it keeps the title of the one before; many name more than that themselves.
    st.set_page_config(page_title=page.title)
    rooms = [
        (_("For you"), "/"),
        (_("Browse"), "/browse"),
        (_("Ask the librarian"), "/librarian"),
        (_("My books"), "/mine"),
    ]
    if is_staff:
        rooms.append((_("For staff"), "/quality"))
    if page.url_path not in ("book", "read", "find"):
        state.leave()
    query = st.query_params.get("q", "") if page.url_path == "find" else ""
    at = f"/{page.url_path}"
    # Each page for staff lies within the room that the first of them opens.
    within = "/quality" if page.url_path in {to for _file, to, _title in staff_pages()} else at
    furniture.topbar(account, rooms, at, within, query)
    if visitor is None:
        _restarting()
        return
    talk(where(page.url_path))
    if account and account.history_enabled and not account.keeps_history and page.url_path not in _UNASKED:
        furniture.ask_again()
    if account:
        _watch()
    elif page.url_path != "sign_in" and providers.person():
        st.switch_page("app_pages/sign_in.py")  # who comes back from the library's provider lands on the first page
    try:
        with suppress(furniture.PageEndError):
            page.run()
    except state.OFFLINE:
        _restarting()
        return
    furniture.footer(page.url_path)


main()
