"""What is wrong is flagged within one build, and no figure is good news then."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from math import log, sqrt

import psycopg
import pytest
from scipy.stats import chisquare
from small_history import Warehouse
from typer.testing import CliRunner, Result

from models.experiments_cli import experiments_app
from openshelf import warehouse
from openshelf.contracts import utc_now
from openshelf.database import alerts, analytics
from openshelf.database.analytics import Marts
from openshelf.settings import get_settings

DAYS, ACTS_A_DAY = 30, 200
# Of 4,000 readers, dealt half and half: 53 to 47. Each is shown ten places.
DEALT = {"champion": 2120, "new": 1880}


def test_marts_that_nobody_builds_are_stale(built: Warehouse) -> None:
    with psycopg.connect(built.url) as conn:
        row = conn.execute("select built_at from marts.mart_freshness").fetchone()
        assert row
        now = analytics.trust(Marts(conn), row[0] + timedelta(minutes=1))
        later = analytics.trust(Marts(conn), row[0] + analytics.STALE_AFTER + timedelta(minutes=1))

    assert now
    assert later
    assert (now.is_stale, now.is_sound) == (False, True)
    assert (later.is_stale, later.is_sound) == (True, False)
    assert (now.failures, now.count_tests) == ([], built.report.tests)


def test_figures_are_as_old_as_the_last_build_that_came_to_its_end(built: Warehouse) -> None:
    with psycopg.connect(built.url) as conn, conn.transaction(force_rollback=True):
        # Builds were killed ever since: what they made first is new, and nothing was noted.
        conn.execute("update learning.warehouse_builds set finished_at = now() - interval '27 hours'")
        conn.execute("update marts.mart_freshness set built_at = now()")
        trust = analytics.trust(Marts(conn), utc_now())
        measured = alerts.measures(conn, None, 1.0).built_at

    assert trust
    assert measured
    assert trust.is_stale
    assert trust.built_at == measured < utc_now() - timedelta(hours=26)


@pytest.fixture(scope="module")
def faulty(copy_built: Callable[[], Warehouse]) -> Warehouse:
    """A month of acts, the last day with half of them missing; an experiment dealt 53 to 47, and one dealt well."""
    copied = copy_built()
    with psycopg.connect(copied.url) as conn:
        conn.execute(
            """insert into stream.interactions (event_id, version, occurred_at, reader_key, session_id, action, surface,
                   reward, rewards_version, received_at)
               select gen_random_uuid(), 1,
                      date_trunc('hour', now()) - interval '1 day' * (day + 1) + interval '7 minutes' * number,
                      'r_' || number %% 20, gen_random_uuid(), 'search', 'search', 0, 'test', now()
               from generate_series(0, %s) as day cross join generate_series(1, %s) as number
               where day > 0 or number %% 2 = 0""",
            [DAYS - 1, ACTS_A_DAY],
        )
        _deal(conn, 1, "lopsided", DEALT, {"champion": 1, "new": 3})
        _deal(conn, 2, "even", {"champion": 1000, "new": 1000}, {"champion": 1, "new": 3})
    return replace(copied, report=warehouse.build(copied.settings))


def _deal(
    conn: psycopg.Connection, experiment_id: int, name: str, dealt: dict[str, int], opened: dict[str, int]
) -> None:
    """Every reader is shown ten places; of an arm's readers each second opens `opened` of them."""
    conn.execute(
        """insert into learning.experiments (experiment_id, name, salt, started_at, stopped_at)
           overriding system value values (%s, %s, 'salt', now() - interval '1 hour', now() + interval '1 hour')""",
        [experiment_id, name],
    )
    conn.execute(
        "update learning.experiments set stopped_at = clock_timestamp() where experiment_id <> %s", [experiment_id]
    )
    for arm, count in dealt.items():
        conn.execute(
            "insert into learning.experiment_arms (experiment_id, arm, version, share) values (%s, %s, %s, 1)",
            [experiment_id, arm, "champion" if arm == "champion" else "v2"],
        )
        conn.execute(
            """create temporary table dealt on commit drop as
               select 'r_' || %(name)s || %(arm)s || number as reader_key, number,
                      md5(%(name)s || %(arm)s || number)::uuid as slate_id
               from generate_series(1, %(count)s) as number""",
            {"name": name, "arm": arm, "count": count},
        )
        conn.execute(
            """insert into stream.assignments (experiment_id, reader_key, arm, assigned_at)
               select %s, reader_key, %s, now() from dealt""",
            [experiment_id, arm],
        )
        conn.execute(
            """insert into stream.slates (slate_id, event_id, reader_key, session_id, created_at, policy_version, arm,
                   surface, event_received_at, book_ids, propensities, sources, reasons, reason_book_ids)
               select slate_id, slate_id, reader_key, slate_id, '2024-03-01 12:00Z', 'v1', %s, 'for_you',
                      now(), array_fill(1, array[10]), array_fill(0.1::float8, array[10]),
                      array_fill('policy'::text, array[10]), array_fill('new_to_you'::text, array[10]),
                      array_fill(null::int, array[10])
               from dealt""",
            [arm],
        )
        conn.execute(
            """insert into stream.interactions (event_id, version, occurred_at, reader_key, session_id, action, book_id,
                   slate_id, position, surface, reward, rewards_version, received_at)
               select md5(slate_id::text || action || place)::uuid, 1, '2024-03-01 12:10Z', reader_key,
                      slate_id, action, 1, slate_id, place, 'for_you', 0, 'test', now()
               from dealt
               cross join generate_series(0, 9) as place
               cross join unnest(array['show', 'open']) as action
               where action = 'show' or (place < %s and number %% 2 = 0)""",
            [opened[arm]],
        )
        conn.execute("drop table dealt")


def test_half_the_acts_missing_is_flagged(faulty: Warehouse) -> None:
    with psycopg.connect(faulty.url) as conn:
        row = conn.execute(
            "select count_acts_last_day, usual_acts_a_day, is_unusual from marts.mart_freshness"
        ).fetchone()

    # A build that began in the next hour counts an hour's acts less.
    assert row == (pytest.approx(ACTS_A_DAY / 2, abs=ACTS_A_DAY / 24), ACTS_A_DAY, True)


def test_readers_not_dealt_as_planned_are_flagged_and_no_winner_is_named(faulty: Warehouse) -> None:
    with psycopg.connect(faulty.url) as conn:
        arms = {each.arm: each for each in analytics.experiment_arms(Marts(conn)) if each.experiment_name == "lopsided"}

    assert {arm: each.count_readers for arm, each in arms.items()} == DEALT
    expected = chisquare(list(DEALT.values())).pvalue
    assert expected < 0.001
    for each in arms.values():
        assert each.sample_ratio_p == pytest.approx(expected, rel=1e-9)
        assert each.is_ratio_off
        assert each.verdict == "unhealthy"


def test_a_sound_experiment_is_judged_by_an_interval_that_holds_at_every_look(faulty: Warehouse) -> None:
    with psycopg.connect(faulty.url) as conn:
        control, new = [each for each in analytics.experiment_arms(Marts(conn)) if each.experiment_name == "even"]

    # Half of the readers open none of ten, half 1 or 3: the variance of their mean, with the reader as the unit.
    def error(opened: int) -> float:
        mean = opened / 2
        return sqrt(((opened - mean) ** 2 + mean**2) / 2 * 1000 / 999 / 1000) / 10

    combined = sqrt(error(1) ** 2 + error(3) ** 2)
    rho = (-2 * log(0.05) + log(-2 * log(0.05) + 1)) / 1000
    radius = combined * sqrt(2 * (2000 * rho + 1) / (2000 * rho) * log(sqrt(2000 * rho + 1) / 0.05))
    assert (control.is_control, control.verdict, control.lift) == (True, "control", None)
    assert (control.click_rate, new.click_rate) == (0.05, 0.15)
    assert (control.click_rate_low, control.click_rate_high) == pytest.approx(
        (0.05 - 1.959964 * error(1), 0.05 + 1.959964 * error(1)), abs=1e-6
    )
    assert new.sample_ratio_p == pytest.approx(1)
    assert new.lift == pytest.approx(0.1)
    assert (new.lift_low, new.lift_high) == pytest.approx((0.1 - radius, 0.1 + radius), abs=1e-6)
    assert new.smallest_findable_lift == pytest.approx(2.801585 * combined, abs=1e-6)
    assert new.verdict == "better"


def report_in_words(faulty: Warehouse, monkeypatch: pytest.MonkeyPatch, *words: str) -> Result:
    """`openshelf experiments report` on the faulty warehouse."""
    monkeypatch.setenv("OPENSHELF_DATABASE_URL", faulty.url)
    get_settings.cache_clear()
    return CliRunner().invoke(experiments_app, ["report", *words])


def test_the_command_says_of_an_experiment_what_the_mart_says(
    faulty: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    lopsided = report_in_words(faulty, monkeypatch, "lopsided")
    even = report_in_words(faulty, monkeypatch, "even")
    plain = report_in_words(faulty, monkeypatch, "even", "--json")

    assert lopsided.exit_code == 1
    assert "NOT SOUND; readers are not dealt as planned" in lopsided.stdout
    assert even.exit_code == 0, even.output
    first, control, new = even.stdout.splitlines()
    assert first.startswith("even, as of 20")
    assert first.endswith(": sound so far")
    assert control.startswith("champion (champion): 1000 readers (planned 1000.0), opened 5.0% (")
    assert "opened 15.0% (" in new
    assert "difference +10.0% (+" in new
    assert new.endswith(": better")
    found = json.loads(plain.stdout)
    assert (found["is_healthy"], found["arms"][1]["lift"]) == (True, 0.1)


def test_what_is_known_of_an_experiment_stays_when_its_readers_go(faulty: Warehouse) -> None:
    with psycopg.connect(faulty.url) as conn:
        before = conn.execute("select * from marts.mart_experiments order by experiment_id, arm").fetchall()
        for table in ("stream.interactions", "stream.slates", "stream.assignments"):
            conn.execute(f"delete from {table} where reader_key like 'r_even%'")

    warehouse.build(faulty.settings)

    with psycopg.connect(faulty.url) as conn:
        after = conn.execute("select * from marts.mart_experiments order by experiment_id, arm").fetchall()
        left = conn.execute("select count(*) from marts.fct_slate_places where experiment_id = 2").fetchone()
    assert left == (0,)
    assert after == before
