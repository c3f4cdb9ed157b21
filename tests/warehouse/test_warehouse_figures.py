"""Every figure here was computed by hand from small_history.py."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from small_history import MORNING, NIGHT, VISITOR, Warehouse, slate_of

from openshelf.database import analytics
from openshelf.database.analytics import Marts

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
    # 25 acts, 20 places, 1 session, and rows of quality: 9 parts of all, 9 of v1, 7 of v2
    assert built.report.mart_rows == 25 + 20 + 1 + 25
    assert built.report.tests > 140


def test_the_marts_hold_every_act_once(marts: psycopg.Connection) -> None:
    acts = marts.execute("select count(*), count(*) filter (where is_inferred) from marts.fct_interactions").fetchone()
    fresh = marts.execute("select count_acts, newest_act_at from marts.mart_freshness").fetchone()
    places = marts.execute("select count(distinct slate_id), count(*) from marts.fct_slate_places").fetchone()

    assert acts == (25, 1)
    assert fresh == (24, datetime(2024, 2, 29, 0, 50, tzinfo=UTC))  # a skip that is only inferred is nobody's act
    assert places == (7, 20)


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
        """select count_readers, count_places, count_shown, count_answered, count_opened, count_read, count_liked,
                  count_skipped, count_declined, count_fallback, count_answers, reward
           from marts.mart_quality_daily where slate_date = %s and policy_version = 'v1' and dimension = 'all'""",
        [FEB_28],
    ).fetchone()

    assert row == (6, 18, 12, 6, 5, 1, 1, 1, 0, 6, 8, 7.0)


@pytest.mark.parametrize(
    ("dimension", "expected"),
    [
        # value: readers, places, shown, opened
        ("all", {"all": (7, 20, 13, 6)}),
        ("arm", {"champion": (7, 20, 13, 6)}),
        ("surface", {"for_you": (7, 20, 13, 6)}),
        ("position", {"1": (7, 7, 7, 6), "2": (6, 7, 6, 0), "3": (0, 6, 0, 0)}),
        ("language", {"unknown": (7, 20, 13, 6)}),
        # Work 1 is of the subject adventure, the others of none.
        ("subject", {"adventure": (6, 6, 6, 5), "none": (7, 14, 7, 1)}),
    ],
)
def test_the_quality_of_a_day_is_counted_by_everything_that_could_explain_it(
    marts: psycopg.Connection, dimension: str, expected: dict[str, tuple[int, ...]]
) -> None:
    rows = marts.execute(
        """select value, count_readers, count_places, count_shown, count_opened from marts.mart_quality_daily
           where slate_date = %s and policy_version = 'all' and dimension = %s""",
        [FEB_28, dimension],
    ).fetchall()

    assert {value: tuple(figures) for value, *figures in rows} == expected


def test_rates_stand_with_their_wilson_interval(marts: psycopg.Connection) -> None:
    [whole] = analytics.daily_quality(Marts(marts), 28)

    # 6 and 1 of 13; the ends by the published formula with z = 1.96
    assert whole.count_shown == 13
    assert (whole.click_rate, whole.read_rate) == (pytest.approx(6 / 13, abs=1e-6), pytest.approx(1 / 13, abs=1e-6))
    assert (whole.click_rate_low, whole.click_rate_high) == pytest.approx((0.23206, 0.70856), abs=1e-4)
    assert (whole.read_rate_low, whole.read_rate_high) == pytest.approx((0.01370, 0.33314), abs=1e-4)
    assert whole.fallback_share == pytest.approx(7 / 20, abs=1e-6)
    assert whole.reward_per_place == pytest.approx(8 / 13, abs=1e-6)


def test_the_last_weeks_are_counted_over_all_policies_together(marts: psycopg.Connection) -> None:
    for weeks in (2, 4, 12):
        [whole] = analytics.recent_quality(Marts(marts), weeks)

        assert (whole.policy_version, whole.value) == ("all", "all")
        assert (whole.count_shown, whole.count_readers, whole.first_date) == (13, 7, FEB_28)
        assert whole.click_rate == pytest.approx(6 / 13, abs=1e-6)


def test_what_one_reader_did_is_held_back_and_cannot_be_got_by_subtraction(marts: psycopg.Connection) -> None:
    rows = {row.policy_version: row for row in analytics.recent_quality(Marts(marts), 4, "model")}

    # v2 had one reader. v1 had six, and is the whole less v2.
    assert {version: row.count_shown for version, row in rows.items()} == {"v1": None, "v2": None}
    assert {row.fallback_share for row in rows.values()} == {None}


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
    shown = {row.outcome: (row.count_places, row.count_works) for row in analytics.daily_outcomes(Marts(marts), 28)}

    # Behind all but the silence may stand the same four readers, as far as the mart knows: it would tell of them.
    assert shown == {"fewer than 5 readers": (13, None)}


def test_four_readers_with_several_outcomes_are_fewer_than_five(marts: psycopg.Connection) -> None:
    # Each of four readers opened one book and was silent to others: eight readers by outcome, four in all.
    with marts.transaction(force_rollback=True):
        marts.execute(
            """insert into marts.mart_actions_daily
                   (slate_date, outcome, count_places, count_works, count_readers, is_suppressed)
               values ('2024-03-01', 'no answer', 9, 2, 4, true), ('2024-03-01', 'open', 4, 1, 4, true)"""
        )
        [sum_of_day] = analytics.daily_outcomes(Marts(marts), 1)

    assert (sum_of_day.outcome, sum_of_day.count_places) == ("fewer than 5 readers", None)


def test_acts_are_counted_by_month_without_inferred_ones(marts: psycopg.Connection) -> None:
    rows = {row.action: row for row in analytics.monthly_acts(Marts(marts))}

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
    losses = """select recency, to_char(started_at at time zone 'utc', 'DD'), array_agg(value - run_id order by step)
                from marts.mart_training_curves where kind = %s and recency <= 3 and name = 'loss/total'
                group by recency, started_at order by recency"""

    of_policy = marts.execute(losses, ["policy"]).fetchall()
    of_adapter = marts.execute(losses, ["adapter"]).fetchall()

    assert [(recency, day) for recency, day, _ in of_policy] == [(1, "04"), (2, "03"), (3, "02")]
    for _, _, values in of_policy + of_adapter:
        assert values == pytest.approx([0, 0.1, 0.2])
    assert len(of_adapter) == 1


def test_promotions_and_loads_are_marks(marts: psycopg.Connection) -> None:
    marks = analytics.marks(Marts(marts), date(2024, 1, 1))

    assert [(mark.kind, mark.label) for mark in marks] == [("promotion", "v1"), ("note", "Heating is out"),
                                                           ("catalogue", "3")]  # fmt: skip


def test_a_run_is_told_with_its_losses(marts: psycopg.Connection) -> None:
    rows = marts.execute(
        """select kind, status, last_loss - first_loss, duration_s from marts.mart_training_runs
           where started_at >= '2024-02-04' order by run_id"""
    ).fetchall()

    assert [(kind, status, loss and round(loss, 6), seconds) for kind, status, loss, seconds in rows] == [
        ("policy", "done", 0.2, None),
        ("policy", "done", None, None),
    ]


def test_readers_of_a_week_are_looked_for_in_the_weeks_after(marts: psycopg.Connection) -> None:
    rows = marts.execute(
        "select cohort_start_date, weeks_later, count_readers, count_returned, is_suppressed"
        " from marts.mart_cohorts_weekly"
    ).fetchall()

    # The guest keeps no history.
    assert rows == [(date(2024, 2, 26), 0, 6, 6, False)]


def test_the_hours_of_the_stream_are_counted(marts: psycopg.Connection) -> None:
    rows = marts.execute(
        "select to_char(hour_start_at at time zone 'utc', 'DD HH24'), count_acts, count_slates"
        " from marts.mart_stream_hourly order by hour_start_at"
    ).fetchall()

    # The inferred skip is no act.
    assert rows == [("28 10", 21, 6), ("28 23", 1, 1), ("29 00", 2, 0)]


def test_searches_in_vain_are_counted_by_week(marts: psycopg.Connection) -> None:
    rows = marts.execute("select * from marts.mart_unanswered_searches").fetchall()

    assert rows == [(date(2024, 2, 26), "kafka", 3, FEB_29)]


def test_pages_and_marts_mean_the_same_by_a_measure(marts: psycopg.Connection) -> None:
    from dashboard.measures import METRICS

    rows = marts.execute("select metric, label, definition from marts.dim_metrics").fetchall()

    assert {metric: (label, text) for metric, label, text in rows} == METRICS


def test_a_policy_version_without_a_registered_model_is_known_as_such(marts: psycopg.Connection) -> None:
    rows = marts.execute("select version, status from marts.dim_models").fetchall()

    assert dict(rows) == {"v1": "champion", "v2": "unregistered"}
