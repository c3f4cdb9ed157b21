"""The staff page on the marts of the small history, through the real sign-in."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from small_history import Warehouse
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

import dashboard
from dashboard import state
from openshelf.database import accounts, pool, sign_ins
from openshelf.settings import get_settings

PAGE = Path(dashboard.__file__).parent / "app_pages" / "staff" / "quality.py"


@pytest.fixture
def open_page(copied: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The page's process works on the copied warehouse."""
    monkeypatch.setenv("OPENSHELF_DATABASE_URL", copied.url)
    monkeypatch.setenv("OPENSHELF_HOME", str(tmp_path))
    get_settings.cache_clear()
    pool.get_pool.cache_clear()
    yield
    if pool.get_pool.cache_info().currsize:
        pool.get_pool().close()
    pool.get_pool.cache_clear()
    get_settings.cache_clear()


def page_as(role: str | None, url: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page as someone of this role sees it; None: nobody signed in."""
    cookies = {}
    if role:
        with psycopg.connect(url) as conn:
            account = accounts.create_demo(conn, f"the {role}", "Someone", role=role, history_enabled=False)
            token = f"token of the {role}"
            hashed, hour = hashlib.sha256(token.encode()).digest(), timedelta(hours=1)
            sign_ins.begin(conn, account.account_id, hashed, idle=hour, expires_at=datetime.now(UTC) + hour)
        cookies = {state.ACCOUNT_COOKIE: token}
    # AppTest has no browser and so no cookies of its own.
    monkeypatch.setattr(ContextProxy, "cookies", property(lambda _: cookies))
    return AppTest.from_file(str(PAGE), default_timeout=30).run()


def charts_of(page: AppTest) -> list:
    return [*page.get("vega_lite_chart"), *page.get("arrow_vega_lite_chart")]


def test_staff_see_the_figures_of_the_marts(
    copied: Warehouse, open_page: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_as("staff", copied.url, monkeypatch)

    assert not page.exception
    assert page.title[0].value == "Is it good?"
    assert {m.label: m.value for m in page.metric} == {
        "Click rate": "46.2%",
        "Read rate": "7.7%",
        "Fallback share": "35.0%",
        "Places shown": "13",
    }
    captions = [caption.value for caption in page.caption]
    assert any("with 25 acts, the newest from 29 February 2024, 00:50 UTC" in text for text in captions)
    assert "13 books were on screen over 1 days; 46% had no answer." in captions
    assert "The latest training went from 4.000 at step 0 to 4.200 at step 2." in captions
    assert len(charts_of(page)) == 5
    assert len(page.dataframe) == 5


def test_small_groups_are_named_as_such_in_the_table(
    copied: Warehouse, open_page: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_as("admin", copied.url, monkeypatch)

    table = page.dataframe[1].value
    assert list(table["policy version"]) == ["v1", "v2"]
    assert list(table["click rate"]) == ["0.416667", "fewer than 5"]


def test_the_month_can_be_chosen_and_acts_shown_per_reader(
    copied: Warehouse, open_page: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_as("staff", copied.url, monkeypatch)

    page.button_group(key="quality.period").select("Month")
    page.button_group(key="quality.measure").select("Acts per reader").run()

    assert not page.exception
    table = page.dataframe[2].value
    assert dict(zip(table["action"], table["acts per reader"], strict=True))["open"] == "1.1667"
    assert set(table["period start date"]) == {"2024-02-01"}


@pytest.mark.parametrize("role", [None, "reader"])
def test_nobody_else_sees_a_figure(
    role: str | None, copied: Warehouse, open_page: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_as(role, copied.url, monkeypatch)

    assert [error.value for error in page.error] == [
        "This page is for library staff. Sign in with a staff account to see it."
    ]
    assert len(page.metric) == len(page.dataframe) == len(page.caption) == 0


def test_before_the_first_build_the_page_says_how_to_get_one(
    copied: Warehouse, open_page: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(copied.url) as conn:
        conn.execute("drop schema marts cascade")

    page = page_as("staff", copied.url, monkeypatch)

    assert not page.exception
    assert ["openshelf warehouse build" in caption.value for caption in page.caption] == [True]


def test_marts_without_a_history_are_drawn_as_empty(
    copied: Warehouse, open_page: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(copied.url) as conn:
        tables = conn.execute("select tablename from pg_tables where schemaname = 'marts'").fetchall()
        for (table,) in tables:
            if table != "mart_freshness":
                conn.execute(f"truncate marts.{table}")
        conn.execute("update marts.mart_freshness set count_acts = 0, newest_act_at = null")

    page = page_as("staff", copied.url, monkeypatch)

    assert not page.exception
    assert not page.error
    captions = [caption.value for caption in page.caption]
    assert "No slate has been made yet: there is nothing to judge." in captions
    assert captions.count("No training has been recorded yet.") == 2


def test_a_database_that_is_away_is_said_in_words(
    copied: Warehouse, open_page: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_as("staff", copied.url, monkeypatch)
    assert not page.error

    pool.get_pool().close()
    pool.get_pool.cache_clear()
    monkeypatch.setenv("OPENSHELF_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
    get_settings.cache_clear()
    page.run()

    assert not page.exception
    assert ["does not answer at the moment" in error.value for error in page.error] == [True]
