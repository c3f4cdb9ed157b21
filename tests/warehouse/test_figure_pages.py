"""The pages of figures on the marts of the small history: full, empty, stale, without a warehouse, and refused."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from small_history import READERS, Warehouse, put_act, put_slate, slate_of
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

import dashboard
from dashboard import state
from dashboard.components import staff
from dashboard.components.staff import Column
from openshelf import warehouse
from openshelf.database import accounts, analytics, offpolicy, pool, sign_ins
from openshelf.database.analytics import Marts, PeriodActs
from openshelf.errors import NotAllowedError
from openshelf.settings import get_settings

FOLDER = Path(dashboard.__file__).parent / "app_pages" / "staff"
PAGES = ["quality", "experiments", "offpolicy"]
Open = Callable[..., "Drawn"]


class Drawn:
    """What a page holds."""

    def __init__(self, app: AppTest) -> None:
        assert not app.exception, app.exception
        self.app = app
        self.nodes = list(_below(app._tree))
        self.words = " ".join(str(getattr(getattr(node, "proto", None), "body", "")) for node in self.nodes)

    def components(self, name: str) -> list[dict[str, Any]]:
        found = [getattr(node, "proto", None) for node in self.nodes]
        return [json.loads(p.json) for p in found if getattr(p, "component_name", "") == f"openshelf.{name}"]

    @property
    def head(self) -> tuple[str, str]:
        data = self.components("finder")[0]
        return data["heading"], data["line"]

    def table(self, caption: str) -> list[dict[str, str]]:
        """Rows of the table whose caption begins so."""
        data = next(each for each in self.components("table") if each["caption"].startswith(caption))
        return [dict(zip([c["label"] for c in data["columns"]], row, strict=True)) for row in data["rows"]]

    @property
    def charts(self) -> list[Any]:
        return [*self.app.get("vega_lite_chart"), *self.app.get("arrow_vega_lite_chart")]


def _below(node: Any) -> Iterator[Any]:
    for child in getattr(node, "children", {}).values():
        yield child
        yield from _below(child)


@pytest.fixture
def open_page(
    copied: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, components_known: None
) -> Iterator[Open]:
    """Open a page on the copied warehouse as somebody of this role; None: nobody signed in."""
    monkeypatch.setenv("OPENSHELF_DATABASE_URL", copied.url)
    monkeypatch.setenv("OPENSHELF_HOME", str(tmp_path))
    monkeypatch.setenv("OPENSHELF_SECRET", "a secret of forty characters for the tests")
    get_settings.cache_clear()
    pool.close_pool()
    with psycopg.connect(copied.url) as conn:
        # The history is of 2024: what is unusual about the last day is not what these tests are about.
        conn.execute("update marts.mart_freshness set built_at = now(), is_unusual = false, usual_acts_a_day = null")

    def opened(name: str, role: str | None = "staff", /, **query: str) -> Drawn:
        cookies = {}
        if role:
            with psycopg.connect(copied.url) as conn:
                account = accounts.create_demo(conn, f"the {role}", "Someone", role=role, history_enabled=False)
                until = datetime.now(UTC) + timedelta(hours=1)
                hashed = state.token_hash(role)
                sign_ins.begin(conn, account.account_id, hashed, idle=timedelta(hours=1), expires_at=until)
            cookies = {state.ACCOUNT_COOKIE: role}
        # AppTest has no browser and so no cookies of its own.
        monkeypatch.setattr(ContextProxy, "cookies", property(lambda _: cookies))
        app = AppTest.from_file(str(FOLDER / f"{name}.py"), default_timeout=60)
        for key, value in query.items():
            app.query_params[key] = value
        return Drawn(app.run())

    yield opened
    pool.close_pool()
    get_settings.cache_clear()


def test_is_it_good_is_answered_with_the_figures_of_the_marts(open_page: Open) -> None:
    page = open_page("quality")

    assert page.head == (
        "Is it good?",
        "In the last 4 weeks readers opened 46.2% (23.2% to 70.9%) of the books they were shown, and declined 0.0% of "
        "them. On 13 places shown, 7 readers.",
    )
    for value in ("46.2%", "7.7%", "35.0%", "13"):
        assert f"<b>{value}</b>" in page.words
    # What is held back may be silence: no share of it is told.
    assert "13 books were on screen on 1 day." in page.words
    answers = {row["Answer"]: row["Places"] for row in page.table("13 books")}
    assert answers == {"Answers of fewer than 5 readers": "13"}
    # Five opened something that day, and one the day after: the month less the first day would tell of that one.
    acts = {row["Action"]: row for row in page.table("No action has") if row["From"] == "28 February 2024"}
    assert (acts["Opened"]["Acts"], acts["Opened"]["Readers"]) == ("fewer than 5", "fewer than 5")
    assert len(page.charts) == 1  # of the answers; of all else nothing may be drawn


def test_what_would_tell_of_one_reader_is_named_as_held_back_in_table_and_file(open_page: Open) -> None:
    page = open_page("quality")

    rows = page.table("No part has enough readers")
    # v2 was one reader's, v1 is the whole less v2.
    assert {row["Model"]: row["Click rate"] for row in rows} == {"v1": "fewer than 5", "v2": "fewer than 5"}
    assert "2 parts are not shown, so that nobody can be told from them." in page.words


def test_a_part_is_looked_at_by_what_stands_in_the_address(open_page: Open) -> None:
    page = open_page("quality", "admin", by="subject", weeks="2")

    fields = {field["name"]: field["value"] for field in page.components("finder")[0]["groups"][0]["fields"]}
    assert fields == {"weeks": "2", "by": "subject", "model": ""}
    rows = {row["Subject"]: row for row in page.table("Adventure is the surest")}
    assert (rows["Adventure"]["Opened"], rows["Adventure"]["Places shown"]) == ("5", "6")
    assert (rows["No subject given"]["Opened"], rows["No subject given"]["Places shown"]) == ("1", "7")


def test_the_month_is_one_press_away(open_page: Open) -> None:
    page = open_page("quality", "staff", acts="month")

    acts = {row["Action"]: row for row in page.table("Most frequent")}
    assert (acts["Opened"]["From"], acts["Opened"]["Acts per reader"]) == ("1 February 2024", "1.167")
    assert len(page.charts) == 3  # of the answers, the acts, and the acts per reader


def test_what_no_recommendation_led_to_is_told_as_computed_by_hand(open_page: Open, copied: Warehouse) -> None:
    # In April six readers open book 1 from its place, and each but one opens book 3 by themselves; r_a once more an
    # hour after the slate, which is too late. A guest of whom no history is kept is nobody here.
    with psycopg.connect(copied.url) as conn:
        for reader in READERS:
            made = "2024-04-10 10:00"
            put_slate(conn, reader, made, "v1", {1: "policy"})
            put_act(conn, reader, "show", "2024-04-10 10:01", 1, slate_id=slate_of(reader, made), position=0)
            put_act(conn, reader, "open", "2024-04-10 10:02", 1, slate_id=slate_of(reader, made), position=0)
            if reader != "r_f":
                put_act(conn, reader, "open", "2024-04-10 15:00", 3)
        put_act(conn, "r_a", "open", "2024-04-10 11:00", 1, slate_id=slate_of("r_a", "2024-04-10 10:00"), position=0)
    warehouse.build(copied.settings)

    page = open_page("quality")

    # 6 of 12; the ends by the published formula with z = 1.96.
    share = "50.0% (25.4% to 74.6%)"
    assert f"In April 2024: Opened {share} of 12 acts." in page.words
    months = [row for row in page.table("In April 2024: Opened") if row["Action"] == "Opened"]
    # In February nobody opened anything by themselves but a guest, who is the rest of all readers.
    assert [(row["Month from"], row["Readers"], row["Acts"], row["Organic"]) for row in months] == [
        ("1 February 2024", "fewer than 5", "fewer than 5", "fewer than 5"),
        ("1 April 2024", "6", "12", "6"),
    ]
    [day] = page.table("Organic share by day")
    assert list(day.values()) == ["10 April 2024", "Opened", "6", "12", "6", "50.0%", "25.4%", "74.6%"]


def test_without_an_experiment_the_page_says_how_one_begins(open_page: Open) -> None:
    page = open_page("experiments")

    assert page.head == ("Which is better?", "No experiment has been started yet.")
    assert "openshelf experiments start" in page.words


def _put_experiment(conn: psycopg.Connection, **changes: object) -> None:
    """Two rows of the mart, as a build would leave them."""
    shared = {
        "experiment_id": 1, "experiment_name": "covers", "note": "", "started_at": "2024-02-01", "planned_share": 0.5,
        "count_readers": 100, "expected_readers": 100.0, "count_places": 2000, "count_shown": 1000, "read_rate": 0.1,
        "skip_rate": 0.1, "decline_rate": 0.1, "fallback_share": 0.0, "sample_ratio_p": 0.8, "is_ratio_off": False,
        "count_crossed": 0, "has_fallback_arm": False, "is_unhealthy": False, "does_harm": False,
        "is_suppressed": False,
    }  # fmt: skip
    control = {"arm": "old", "policy_version": "champion", "is_control": True, "count_opened": 100, "click_rate": 0.1,
               "click_rate_low": 0.08, "click_rate_high": 0.12, "verdict": "control"}  # fmt: skip
    new = {"arm": "new", "policy_version": "v2", "is_control": False, "count_opened": 150, "click_rate": 0.15,
           "click_rate_low": 0.13, "click_rate_high": 0.17, "lift": 0.05, "lift_low": 0.01, "lift_high": 0.09,
           "smallest_findable_lift": 0.03, "verdict": "better"}  # fmt: skip
    for row in (shared | control | changes, shared | new | changes):
        names = ", ".join(row)
        places = ", ".join(["%s"] * len(row))
        conn.execute(f"insert into marts.mart_experiments ({names}) values ({places})", list(row.values()))


def test_the_better_arm_is_named_with_its_interval(open_page: Open, copied: Warehouse) -> None:
    with psycopg.connect(copied.url) as conn:
        _put_experiment(conn)

    page = open_page("experiments")

    assert page.head == (
        "Which is better?",
        "new is better than old: 5 percentage points more of what it shows is opened. It goes on.",
    )
    [row] = page.table("new: 5 percentage points")
    assert (row["From"], row["To"]) == ("1 percentage points", "9 percentage points")
    assert "<b>as planned</b>" in page.words


def test_of_an_unsound_experiment_nothing_is_called_better(open_page: Open, copied: Warehouse) -> None:
    with psycopg.connect(copied.url) as conn:
        _put_experiment(conn, is_ratio_off=True, is_unhealthy=True, sample_ratio_p=0.0001, verdict="unhealthy")

    page = open_page("experiments")

    assert page.head[1] == "Nothing can be said: the experiment covers is not sound."
    assert (
        "No: readers are not dealt as planned. So far from it they fall by chance once in 10,000 times." in page.words
    )
    assert "is better" not in page.words


def test_an_arm_of_four_readers_shows_no_figure(open_page: Open, copied: Warehouse) -> None:
    with psycopg.connect(copied.url) as conn:
        _put_experiment(conn, is_suppressed=True, verdict="too few", count_readers=4)

    page = open_page("experiments")

    assert "An arm has fewer than 5 readers: its figures are not shown." in page.words
    assert page.components("table") == []
    assert page.charts == []


ROW = {"policy": "v2", "estimator": "dr", "value": 0.3, "low": 0.25, "high": 0.35, "effective": 400.0, "capped": 0.0,
       "can_tell": True, "reason": ""}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({}, "v2 would be better: a place on screen would earn 0.3 (0.25 to 0.35), not 0.2."),
        ({"low": 0.1, "high": 0.15, "value": 0.12}, "v2 would be worse: a place on screen would earn 0.12"),
        ({"low": 0.1}, "v2 would make no difference that can be seen: 0.3 (0.1 to 0.35), now 0.2."),
        ({"can_tell": False, "reason": "12 effective places, 50 are needed"},
         "Of v2 nothing can be told: 12 effective places, 50 are needed."),
    ],
)  # fmt: skip
def test_what_a_policy_would_earn_is_said_with_its_interval(
    open_page: Open, copied: Warehouse, changes: dict[str, object], answer: str
) -> None:
    with psycopg.connect(copied.url) as conn:
        log = {"slates": 90, "readers": 40, "reward": 0.2}
        offpolicy.store(conn, datetime(2024, 3, 1, tzinfo=UTC), log, [ROW | changes])
    warehouse.build(copied.settings, select="stg_learning__offpolicy_estimates mart_offpolicy")

    page = open_page("offpolicy")

    assert page.head[0] == "Would the new one be?"
    assert page.head[1].startswith(answer)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("role", [None, "reader"])
def test_nobody_else_sees_a_figure(name: str, role: str | None, open_page: Open) -> None:
    page = open_page(name, role)

    assert "This page is for library staff" in page.words
    assert page.components("finder") == page.components("table") == page.components("choices") == page.charts == []


def test_the_marts_themselves_are_read_by_staff_alone_and_nothing_else_with_them(copied: Warehouse) -> None:
    with psycopg.connect(copied.url) as conn:
        reader = accounts.create_demo(conn, "lan", "Lan", role="reader", history_enabled=False)
        clerk = accounts.create_demo(conn, "edith", "Edith", role="staff", history_enabled=False)
        conn.commit()
        for account in (None, reader):
            with pytest.raises(NotAllowedError), analytics.reading(conn, account):
                pass
        with analytics.reading(conn, clerk) as marts:
            assert analytics.recent_quality(marts, 4)
        for forbidden in ("select * from reading.accounts", "delete from marts.mart_quality_daily"):
            refused = (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)
            with pytest.raises(refused), analytics.reading(conn, clerk):
                conn.execute(forbidden)


@pytest.mark.parametrize("name", PAGES)
def test_before_the_first_build_a_page_says_how_to_get_one(name: str, open_page: Open, copied: Warehouse) -> None:
    with psycopg.connect(copied.url) as conn:
        conn.execute("drop schema marts cascade")

    page = open_page(name)

    assert "openshelf warehouse build" in page.words


@pytest.mark.parametrize("name", PAGES)
def test_marts_without_a_history_are_drawn_as_empty(name: str, open_page: Open, copied: Warehouse) -> None:
    with psycopg.connect(copied.url) as conn:
        for (table,) in conn.execute("select tablename from pg_tables where schemaname = 'marts'").fetchall():
            if table != "mart_freshness":
                conn.execute(f"truncate marts.{table}")

    page = open_page(name)

    empty = {
        "quality": "No slate has been made yet: there is nothing to judge.",
        "experiments": "No experiment has been started yet.",
        "offpolicy": "Nothing has been estimated yet.",
    }
    assert page.head[1] == empty[name]
    assert page.charts == []


FAULTS = {
    "update marts.mart_freshness set built_at = now() - interval '3 hours'": "The figures are stale since",
    "update marts.mart_freshness set is_unusual = true, count_acts_last_day = 50, usual_acts_a_day = 100":
        "In the last day 50 acts arrived, where 100 are usual.",
    """insert into learning.warehouse_builds (started_at, is_whole, count_models, count_tests, failures, warnings)
       values (now(), true, 1, 1, '{"unique_dim_works_book_id (got 3 results)"}', '{}')""":
        "1 check failed in the last build",
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=["stale", "half the acts missing", "a broken test"])
@pytest.mark.parametrize("name", PAGES)
def test_figures_that_cannot_be_trusted_are_no_good_news(
    name: str, fault: str, open_page: Open, copied: Warehouse
) -> None:
    with psycopg.connect(copied.url) as conn:
        conn.execute("update marts.mart_freshness set built_at = now()")
        _put_experiment(conn)
        conn.execute(fault)  # pyright: ignore

    page = open_page(name)

    assert page.head[1].startswith(f"This cannot be told now: {FAULTS[fault]}")
    assert 'role="alert"' in page.words
    assert "better" not in page.head[1]


def test_a_database_that_is_away_is_said_in_words(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    page = open_page("quality")
    pool.close_pool()
    monkeypatch.setenv("OPENSHELF_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
    get_settings.cache_clear()

    away = Drawn(page.app.run())

    assert "The warehouse does not answer at the moment" in away.words


def test_a_file_holds_what_the_table_shows_and_no_formula(built: Warehouse) -> None:
    with psycopg.connect(built.url) as conn:
        rows = analytics.monthly_acts(Marts(conn))
    columns = [Column("action", "Action"), Column("count_acts", "Acts"), Column("acts_per_reader", "Acts per reader")]

    lines = staff.csv_of(rows, columns).splitlines()

    assert lines[0] == "Action,Acts,Acts per reader"
    assert "open,7,1.1667" in lines
    assert "skip,fewer than 5,fewer than 5" in lines
    formula = PeriodActs(rows[0].period_start_date, "=1+1", 5, 5, 5, 1.0)
    assert staff.csv_of([formula], columns).splitlines()[1] == "'=1+1,5,1"
