"""The page around every page: who is here, the bar on top, and the page asked for."""

from contextlib import suppress
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from dashboard import handlers, providers, resources, state
from dashboard.components import furniture
from openshelf.database import pool

HERE = Path(__file__).parent
LOOK_EVERY_S = 15


def _pages(is_staff: bool) -> list[StreamlitPage]:
    pages = [
        st.Page(HERE / "app_pages/home.py", title="Openshelf", default=True),
        st.Page(HERE / "app_pages/browse.py", title="Browse · Openshelf", url_path="browse"),
        st.Page(HERE / "app_pages/librarian.py", title="Ask the librarian · Openshelf", url_path="librarian"),
        st.Page(HERE / "app_pages/mine.py", title="My books · Openshelf", url_path="mine"),
        st.Page(HERE / "app_pages/my_list.py", title="A list of mine · Openshelf", url_path="list"),
        st.Page(HERE / "app_pages/history.py", title="Your history · Openshelf", url_path="history"),
        st.Page(HERE / "app_pages/import_books.py", title="Bring your books · Openshelf", url_path="import"),
        st.Page(HERE / "app_pages/book.py", title="Book · Openshelf", url_path="book"),
        st.Page(HERE / "app_pages/read.py", title="Reading · Openshelf", url_path="read"),
        st.Page(HERE / "app_pages/directory.py", title="Subjects and authors · Openshelf", url_path="directory"),
        st.Page(HERE / "app_pages/find.py", title="Search · Openshelf", url_path="find"),
        st.Page(HERE / "app_pages/shelf.py", title="A shelf · Openshelf", url_path="shelf"),
        st.Page(HERE / "app_pages/ask.py", title="Ask for a book · Openshelf", url_path="ask"),
        # Everybody has the address; the data layer knows who may see what stands there.
        st.Page(HERE / "app_pages/staff/requests.py", title="What readers ask for · Openshelf", url_path="requests"),
        st.Page(HERE / "app_pages/your_data.py", title="Your data · Openshelf", url_path="your_data"),
        st.Page(HERE / "app_pages/privacy.py", title="Privacy · Openshelf", url_path="privacy"),
        st.Page(HERE / "app_pages/sign_in.py", title="Sign in · Openshelf", url_path="sign_in"),
        st.Page(HERE / "app_pages/register.py", title="Make an account · Openshelf", url_path="register"),
        st.Page(HERE / "app_pages/account.py", title="Your account · Openshelf", url_path="account"),
        st.Page(HERE / "app_pages/welcome.py", title="Welcome · Openshelf", url_path="welcome"),
    ]
    if is_staff:
        pages.append(st.Page(HERE / "app_pages/staff/quality.py", title="Is it good? · Openshelf", url_path="quality"))
    return pages


def _restarting() -> None:
    """Shown while Postgres is away; comes back by itself."""
    furniture.notice(
        "The catalogue is restarting", "Your books are safe. This page comes back by itself, usually within a minute."
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
    st.set_page_config(page_title="Openshelf", layout="wide", initial_sidebar_state="collapsed")
    try:
        visitor = handlers.begin()
        account = visitor.account
    except state.OFFLINE:
        account = None
        visitor = None
    is_staff = account is not None and account.is_staff
    pages = _pages(is_staff)
    page = st.navigation(pages, position="hidden")
    rooms = [("For you", "/"), ("Browse", "/browse"), ("Ask the librarian", "/librarian"), ("My books", "/mine")]
    if is_staff:
        rooms += [("Is it good?", "/quality"), ("Requests", "/requests")]
    if page.url_path not in ("book", "read", "find"):
        state.leave()
    query = st.query_params.get("q", "") if page.url_path == "find" else ""
    furniture.topbar(account, rooms, f"/{page.url_path}", query)
    if visitor is None:
        _restarting()
        return
    if account and account.history_enabled and not account.keeps_history and page.url_path != "your_data":
        furniture.ask_again()
    if account:
        _watch()
    elif page.url_path != "sign_in" and providers.person():
        st.switch_page("app_pages/sign_in.py")  # who comes back from the library's provider lands on the first page
    try:
        page.run()
    except state.OFFLINE:
        _restarting()
        return
    furniture.footer()


main()
