"""A warehouse built of a history that is known by hand, and the pages of staff drawn on it without a browser."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg
import pytest
import staff_history
import streamlit as st
from staff_drawn import put_account
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

import dashboard
from dashboard import forms, state
from openshelf import warehouse
from openshelf.database import accounts, pool
from openshelf.settings import Settings, get_settings

PAGES = Path(dashboard.__file__).parent / "app_pages" / "staff"


@pytest.fixture(scope="session")
def built_template(
    make_database: Callable[..., str], migrated_template: str, for_warehouse: Callable[[str], Settings]
) -> str:
    """Name of a database with the history and its marts, to copy."""
    settings = for_warehouse(migrated_template)
    with psycopg.connect(pool.database_url(settings)) as conn:
        staff_history.make_history(conn)
        name = conn.info.dbname
    warehouse.build(settings)
    with psycopg.connect(make_database(name)) as conn:
        return conn.info.dbname


@pytest.fixture
def library(
    built_template: str,
    passing_copy: Callable[[str], AbstractContextManager[str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    components_known: None,
) -> Iterator[str]:
    """The URL of a library with this history, which this process uses and may change."""
    with passing_copy(built_template) as url:
        monkeypatch.setenv("OPENSHELF_DATABASE_URL", url)
        monkeypatch.setenv("OPENSHELF_HOME", str(tmp_path))
        monkeypatch.setenv("OPENSHELF_SECRET", "a secret of forty characters for the tests")
        get_settings.cache_clear()
        pool.close_pool()
        st.cache_data.clear()
        yield url
        pool.close_pool()
        get_settings.cache_clear()
        st.cache_data.clear()


@pytest.fixture
def librarian(library: str) -> accounts.Account:
    return put_account(library, "staff")


@pytest.fixture
def open_page(library: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Open a page of staff as somebody of this role (None: nobody), with this query in its address."""

    def opened(name: str, role: str | None = "staff", /, **query: str) -> AppTest:
        jar = {forms.COOKIE: forms.new_cookie()}
        if role:
            with psycopg.connect(library) as conn:
                known = conn.execute("select from reading.accounts where username = %s", [f"the {role}"]).fetchone()
            if known is None:
                put_account(library, role)
            jar[state.ACCOUNT_COOKIE] = role
        # AppTest has no browser and so no cookies of its own.
        monkeypatch.setattr(ContextProxy, "cookies", property(lambda _: jar))
        app = AppTest.from_file(str(PAGES / f"{name}.py"), default_timeout=60)
        for key, value in query.items():
            app.query_params[key] = value
        return app.run()

    return opened
