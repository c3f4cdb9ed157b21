"""A small library on disk and in the catalogue, and pages drawn from it without a browser."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import streamlit as st
from argon2 import PasswordHasher
from pgvector.psycopg import register_vector
from PIL import Image
from small_catalogue import WORKS, add_work
from small_epub import epub_bytes
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

import dashboard
from dashboard import forms, sessions, state
from openshelf import passwords
from openshelf.database import accounts, sign_ins

APP = Path(dashboard.__file__).parent / "app.py"
# A page whose address is not the name of its file is known to AppTest only after the first page was drawn.
ADDRESSED_OTHERWISE = {"my_list", "import_books"}


@pytest.fixture(scope="session")
def shelved(
    make_database: Callable[..., str], migrated_template: str, once: Callable[[str, Callable[[], Any]], Any]
) -> tuple[str, dict[str, int]]:
    """Name of a database with the small catalogue, to copy, with one readable book and one cover; title -> book_id."""

    def put() -> tuple[str, dict[str, int]]:
        with psycopg.connect(make_database(migrated_template)) as conn:
            register_vector(conn)
            ids = {work.title: add_work(conn, work) for work in WORKS}
            conn.execute(
                "update library.editions set cover_path = 'Dune/cover.jpg' where book_id = %s returning edition_id",
                [ids["Dune"]],
            )
            conn.execute(
                "update library.works set cover_edition_id = (select edition_id from library.editions"
                " where editions.book_id = works.book_id)"
            )
            conn.execute(
                "update library.files set path = 'Dune/dune.epub' where format = 'EPUB' and edition_id in"
                " (select edition_id from library.editions where book_id = %s)",
                [ids["Dune"]],
            )
            return conn.info.dbname, ids

    return once("shelved", put)


@pytest.fixture
def template(request: pytest.FixtureRequest, migrated_template: str) -> str:
    return request.getfixturevalue("shelved")[0] if "shelves" in request.fixturenames else migrated_template


@pytest.fixture
def shelves(conn: psycopg.Connection, shelved: tuple[str, dict[str, int]], tmp_path: Path) -> dict[str, int]:
    """The small catalogue in the test's database, and its files; title -> book_id."""
    root = tmp_path / "library"
    (root / "Dune").mkdir(parents=True)
    (root / "Dune" / "dune.epub").write_bytes(
        epub_bytes("<h1>The desert</h1><p>Sand everywhere.</p>", "<h1>The worm</h1><p>It comes.</p>")
    )
    Image.new("RGB", (600, 900), "#1e5945").save(root / "Dune" / "cover.jpg")
    conn.execute("update library.libraries set path = %s", [str(root)])
    conn.commit()
    return dict(shelved[1])


@pytest.fixture(autouse=True)
def fresh_caches(components_known: None) -> Iterator[None]:
    st.cache_data.clear()
    st.cache_resource.clear()
    yield
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def hashing_in_earnest() -> None:
    """For tests of what a password's hash is and costs."""


@pytest.fixture(autouse=True)
def quick_hashes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A password's hash takes a tenth of a second, on purpose: elsewhere it is argon2id with the least cost."""
    passwords._of_nobody.cache_clear()
    if "hashing_in_earnest" not in request.fixturenames:
        monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    yield
    passwords._of_nobody.cache_clear()


@pytest.fixture
def cookies(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The browser's cookies: AppTest has no browser. A test adds to them as signing in would."""
    jar = {state.VISIT_COOKIE: str(sessions.new_visit()), forms.COOKIE: forms.new_cookie()}
    monkeypatch.setattr(ContextProxy, "cookies", property(lambda _: jar))
    return jar


@pytest.fixture
def sign_in(conn: psycopg.Connection, cookies: dict[str, str]) -> Callable[..., accounts.Account]:
    """Sign the browser in as a new demo account."""

    def signed_in(username: str = "lan", *, role: str = "reader", history: bool = False) -> accounts.Account:
        account = accounts.create_demo(conn, username, username.title(), role=role, history_enabled=history)
        token = f"token of {username}"
        hashed, hour = hashlib.sha256(token.encode()).digest(), timedelta(hours=1)
        sign_ins.begin(conn, account.account_id, hashed, idle=hour, expires_at=datetime.now(UTC) + hour)
        conn.commit()
        cookies[state.ACCOUNT_COOKIE] = token
        return account

    return signed_in


@pytest.fixture
def enter(conn: psycopg.Connection, browser: httpx.Client) -> Callable[..., accounts.Account]:
    """Sign the browser of the asking test in; `limit` is a child's."""

    def entered(name: str = "lan", role: str = "reader", *, limit: str | None = None) -> accounts.Account:
        account = accounts.create_demo(conn, name, name.title(), role=role, history_enabled=False)
        conn.execute(
            "update reading.accounts set audience_limit = %s where account_id = %s", [limit, account.account_id]
        )
        hour = timedelta(hours=1)
        sign_ins.begin(conn, account.account_id, state.token_hash(name), idle=hour, expires_at=datetime.now(UTC) + hour)
        conn.commit()
        browser.cookies.set(state.ACCOUNT_COOKIE, name)
        return account

    return entered


@pytest.fixture
def visit(cookies: dict[str, str]) -> Callable[..., AppTest]:
    """Open a page of the storefront; several calls with one `tab` stay in the same tab."""

    def opened(page: str = "", /, tab: AppTest | None = None, **query: str) -> AppTest:
        app = tab or AppTest.from_file(str(APP), default_timeout=60)
        app.query_params.clear()
        for name, value in query.items():
            app.query_params[name] = value
        if page:
            if tab is None and (page in ADDRESSED_OTHERWISE or page.startswith("staff/")):
                app.run()
            app.switch_page(f"app_pages/{page}.py")
        return app.run()

    return opened
