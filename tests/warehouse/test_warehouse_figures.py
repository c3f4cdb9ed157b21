"""Every figure here was computed by hand from small_history.py."""

from collections.abc import Iterator
from datetime import date, timedelta

import psycopg
import pytest
from small_history import MORNING, NIGHT, VISITOR, Warehouse, slate_of

from openshelf.database import analytics

FEB_28, FEB_29 = date(2024, 2, 28), date(2024, 2, 29)


@pytest.fixture
def marts(built: Warehouse) -> Iterator[psycopg.Connection]:
    with psycopg.connect(built.url) as conn:
        yield conn


def test_a_library_without_any_history_builds(built: Warehouse) -> None:
    assert built.empty_report.mart_rows == 0
    assert built.empty_report.models > 30
    assert built.empty_report.warnings == []


def test_the_report_counts_what_was_built(built: Warehouse) -> None:
    # 25 acts, 20 places, 1 session, 2 rows of quality
    assert built.report.mart_rows == 48
    assert built.report.tests > 80


def test_the_marts_hold_every_act_once(marts: psycopg.Connection) -> None:
    fresh = analytics.freshness(marts)

    assert fresh
    assert (fresh.count_acts, fresh.count_slates, fresh.count_places) == (25, 7, 20)
    assert str(fresh.newest_act_at).startswith("2024-02-29 00:50")


@pytest.mark.parametrize(
    ("reader", "made", "position", "outcome", "reward"),
    [
        ("r_a", MORNING, 0, "read", 3.0),
        ("r_a", MORNING, 1, "skip", -1.0),
        ("r_a", MORNING, 2, "not shown", 0.0),
        ("r_b", MORNING, 0, "like", 3.0),
        ("r_b", MORNING, 1, "no answer", -1.0),
        ("r_c", MORNING, 0, "open", 1.0),
        ("r_f", MORNING, 0, "no answer", 0.0),
        (VISITOR, NIGHT, 0, "open", 1.0),
        (VISITOR, NIGHT, 1, "not shown", 0.0),
    ],
)
def test_a_place_ends_with_its_strongest_answer_within_the_hour(
    marts: psycopg.Connection, reader: str, made: str, position: int, outcome: str, reward: float
) -> None:
    row = marts.execute(
        "select outcome, reward, propensity from marts.fct_slate_places where slate_id = %s and position = %s",
        [slate_of(reader, made), position],
    ).fetchone()

    assert row == (outcome, reward, 0.25)


def test_an_act_belongs_to_a_slate_or_is_organic(marts: psycopg.Connection) -> None:
    rows = marts.execute(
        "select is_recommended, count(*) from marts.fct_interactions where action = 'open' group by is_recommended"
    ).fetchall()

    # The guest's second opening came when the window was over.
    assert dict(rows) == {True: 6, False: 1}


def test_the_quality_of_a_day_is_counted_by_policy(marts: psycopg.Connection) -> None:
    row = marts.execute(
        """select count_slates, count_readers, count_places, count_places_shown, count_answered, count_unanswered,
                  count_opened, count_read, count_liked, count_skipped, count_fallback, count_works, reward
           from marts.mart_quality_daily
           where slate_date = %s and policy_version = 'v1' and arm = 'champion' and surface = 'for_you'""",
        [FEB_28],
    ).fetchone()

    assert row == (6, 6, 18, 12, 6, 6, 5, 1, 1, 1, 6, 3, 7.0)


def test_rates_stand_with_their_wilson_interval(marts: psycopg.Connection) -> None:
    first = analytics.daily_quality(marts, 28)[0]

    # 5 and 1 of 12; the ends by the published formula with z = 1.96
    assert first.count_places_shown == 12
    assert (first.click_rate, first.read_rate) == (pytest.approx(5 / 12, abs=1e-6), pytest.approx(1 / 12, abs=1e-6))
    assert (first.click_rate_low, first.click_rate_high) == pytest.approx((0.19326, 0.68045), abs=1e-4)
    assert (first.read_rate_low, first.read_rate_high) == pytest.approx((0.01486, 0.35388), abs=1e-4)
    assert first.fallback_share == pytest.approx(6 / 18, abs=1e-6)


def test_the_last_weeks_are_counted_over_all_policies_together(marts: psycopg.Connection) -> None:
    together, *single = analytics.recent_quality(marts)

    assert together.policy_version == "all"
    assert (together.count_places_shown, together.count_readers_shown) == (13, 7)
    assert together.click_rate == pytest.approx(6 / 13, abs=1e-6)
    assert {row.policy_version for row in single} == {"v1", "v2"}


def test_what_one_reader_did_is_held_back(marts: psycopg.Connection) -> None:
    v2 = next(row for row in analytics.recent_quality(marts) if row.policy_version == "v2")

    assert v2.count_places_shown is None
    assert v2.click_rate is None
    assert v2.fallback_share is None


def test_the_outcomes_of_a_day_add_up_with_the_silence(marts: psycopg.Connection) -> None:
    rows = marts.execute(
        "select outcome, count_places, count_readers, count_works from marts.mart_actions_daily where slate_date = %s",
        [FEB_28],
    ).fetchall()

    assert {outcome: figures for outcome, *figures in rows} == {
        "no answer": [6, 5, 2],
        "open": [4, 4, 2],
        "read": [1, 1, 1],
        "like": [1, 1, 1],
        "skip": [1, 1, 1],
    }


def test_rare_outcomes_are_shown_as_one_sum(marts: psycopg.Connection) -> None:
    shown = {row.outcome: (row.count_places, row.count_works) for row in analytics.daily_outcomes(marts, 28)}

    assert shown == {"no answer": (6, 2), "fewer than 5 readers": (7, None)}


def test_acts_are_counted_by_month_without_inferred_ones(marts: psycopg.Connection) -> None:
    rows = {row.action: row for row in analytics.monthly_acts(marts)}

    assert rows["open"] == analytics.PeriodActs(date(2024, 2, 1), "open", 7, 6, 3, 1.1667)
    assert rows["skip"].count_acts is None
    assert marts.execute("select count_acts from marts.mart_readers_monthly where action = 'skip'").fetchone() == (1,)
    assert "show" not in rows


def test_acts_are_counted_on_the_day_they_were_done(marts: psycopg.Connection) -> None:
    rows = marts.execute(
        "select period_start_date, count_acts, count_readers from marts.mart_readers_daily where action = 'open'"
    ).fetchall()

    assert sorted(rows) == [(FEB_28, 5, 5), (FEB_29, 2, 1)]


def test_a_reader_without_a_history_is_a_reader_of_one_session(marts: psycopg.Connection) -> None:
    rows = marts.execute("select is_session_only, count(*) from marts.dim_readers group by 1").fetchall()

    assert dict(rows) == {True: 1, False: 6}


def test_the_calendar_covers_the_facts_and_the_next_year(marts: psycopg.Connection) -> None:
    row = marts.execute(
        "select min(date_day), max(date_day), count(*) from marts.dim_dates having bool_or(date_day = %s)", [FEB_29]
    ).fetchone()

    assert row
    first, last, days = row
    assert first == date(2024, 1, 1)
    assert (last - first) == timedelta(days=days - 1)
    assert marts.execute("select %s > current_date + 364", [last]).fetchone() == (True,)


def test_the_losses_of_the_three_latest_trainings_are_read_step_by_step(marts: psycopg.Connection) -> None:
    points = analytics.training_curves(marts, "policy", 3)

    assert {point.recency: f"{point.started_at:%d}" for point in points} == {1: "04", 2: "03", 3: "02"}
    assert {point.name for point in points} == {"loss/total"}
    latest = [point for point in points if point.recency == 1]
    assert [point.step for point in latest] == [0, 1, 2]
    assert [point.value for point in latest] == pytest.approx([latest[0].run_id + step / 10 for step in (0, 1, 2)])
    assert len(analytics.training_curves(marts, "adapter", 3)) == 3


def test_promotions_are_read_in_order(marts: psycopg.Connection) -> None:
    assert [(p.version, p.reason) for p in analytics.promotions(marts)] == [("v1", "the first")]


def test_a_policy_version_without_a_registered_model_is_known_as_such(marts: psycopg.Connection) -> None:
    rows = marts.execute("select version, status from marts.dim_models").fetchall()

    assert dict(rows) == {"v1": "champion", "v2": "unregistered"}
