"""The page around every page: who is here, the bar on top, and the page asked for."""

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from dashboard import handlers, resources, state
from dashboard.components import furniture
from openshelf.database import pool

HERE = Path(__file__).parent


def _pages(is_staff: bool) -> list[StreamlitPage]:
    pages = [
        st.Page(HERE / "app_pages/home.py", title="Openshelf", default=True),
        st.Page(HERE / "app_pages/browse.py", title="Browse · Openshelf", url_path="browse"),
        st.Page(HERE / "app_pages/librarian.py", title="Ask the librarian · Openshelf", url_path="librarian"),
        st.Page(HERE / "app_pages/mine.py", title="My books · Openshelf", url_path="mine"),
        st.Page(HERE / "app_pages/book.py", title="Book · Openshelf", url_path="book"),
        st.Page(HERE / "app_pages/read.py", title="Reading · Openshelf", url_path="read"),
        st.Page(HERE / "app_pages/directory.py", title="Subjects and authors · Openshelf", url_path="directory"),
        st.Page(HERE / "app_pages/find.py", title="Search · Openshelf", url_path="find"),
        st.Page(HERE / "app_pages/sign_in.py", title="Sign in · Openshelf", url_path="sign_in"),
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


def main() -> None:
    st.set_page_config(page_title="Openshelf", layout="wide", initial_sidebar_state="collapsed")
    try:
        visitor = handlers.begin()
        account = visitor.account
    except state.OFFLINE:
        account = None
        visitor = None
    is_staff = account is not None and account.role in ("staff", "admin")
    pages = _pages(is_staff)
    page = st.navigation(pages, position="hidden")
    rooms = [("For you", "/"), ("Browse", "/browse"), ("Ask the librarian", "/librarian"), ("My books", "/mine")]
    if is_staff:
        rooms.append(("Is it good?", "/quality"))
    if page.url_path not in ("book", "read", "find"):
        state.leave()
    query = st.query_params.get("q", "") if page.url_path == "find" else ""
    furniture.topbar(account, rooms, f"/{page.url_path}", query)
    if visitor is None:
        _restarting()
        return
    try:
        page.run()
    except state.OFFLINE:
        _restarting()
        return
    st.html(
        '<footer class="os-footer"><p>Openshelf keeps no history of your reading unless you turn it on in '
        "My books. Nothing on these pages is fetched from anyone else.</p></footer>"
    )


main()
