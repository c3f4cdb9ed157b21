"""Reads of the marts for staff pages. Groups of fewer than five readers are held back here, before any page.

Each read takes `Marts`, which `reading` alone gives, and only to staff.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from openshelf.database import summary
from openshelf.database.accounts import Account
from openshelf.errors import DatabaseError, NotAllowedError

_LOCK = 7302
_LOCK_PATIENCE: LiteralString = "10min"
# Whoever owns the database, pages read as this one: it may read the marts, and nothing of anybody.
ROLE: LiteralString = "openshelf_pages"
# Builds follow each other every quarter of an hour; so many have failed to come.
STALE_AFTER = timedelta(hours=2)
# A build that is killed has made some marts and not the others, and notes nothing: the figures are as old as the last
# whole build that came to its end. `fresh`: mart_freshness.
BUILT_AT: LiteralString = """least(
    fresh.built_at, (select max(builds.finished_at) from learning.warehouse_builds as builds where builds.is_whole)
)"""


@dataclass(frozen=True)
class Marts:
    """The right to read the marts, for as long as `reading` lasts."""

    conn: psycopg.Connection


@dataclass(frozen=True)
class Quality:
    """How recommendations did, in a part of the places: rates with their 95 % intervals, n is `count_shown`.

    `policy_version` and `value` are 'all' for the whole. All figures are None where fewer than five readers stand
    behind them, or where they would give such figures away.
    """

    policy_version: str
    value: str
    first_date: date
    last_date: date
    count_readers: int | None
    count_places: int | None
    count_shown: int | None
    count_opened: int | None
    click_rate: float | None
    click_rate_low: float | None
    click_rate_high: float | None
    read_rate: float | None
    read_rate_low: float | None
    read_rate_high: float | None
    decline_rate: float | None
    decline_rate_low: float | None
    decline_rate_high: float | None
    fallback_share: float | None
    reward_per_place: float | None


@dataclass(frozen=True)
class Outcomes:
    """Places on screen of one day with one outcome.

    `outcome` is 'fewer than 5 readers' for the sum of those that are held back; `count_places` is None when that sum
    is, too, of so few readers.
    """

    slate_date: date
    outcome: str
    count_places: int | None
    count_works: int | None


@dataclass(frozen=True)
class PeriodActs:
    """Acts of one kind in a day or month; the figures are None when fewer than five readers stand behind them."""

    period_start_date: date
    action: str
    count_acts: int | None
    count_readers: int | None
    count_works: int | None
    acts_per_reader: float | None


@dataclass(frozen=True)
class OrganicActs:
    """Acts of one kind in a day or month, of readers who keep a history; `organic_share` of them belongs to no place.

    The figures are None where too few readers stand behind them, or where they would tell of such.
    """

    period_start_date: date
    action: str
    count_readers: int | None
    count_acts: int | None
    count_organic: int | None
    organic_share: float | None
    organic_share_low: float | None
    organic_share_high: float | None


@dataclass(frozen=True)
class Cohort:
    """Of readers who keep a history and began in one week, how many came back in a later one."""

    cohort_start_date: date
    weeks_later: int
    count_readers: int | None
    count_returned: int | None
    return_rate: float | None
    return_rate_low: float | None
    return_rate_high: float | None


@dataclass(frozen=True)
class Traffic:
    """Acts of a kind of visitor over some days. `traffic`: 'reader', or one that is not counted."""

    traffic: str
    count_acts: int


@dataclass(frozen=True)
class ExperimentArm:
    """What one arm of an experiment says so far; figures are None when an arm has fewer than five readers.

    `verdict`: 'unhealthy', 'control', 'too few', 'harms', 'better', 'worse' or 'open'; see dbt's mart_experiments.
    """

    experiment_name: str
    note: str
    started_at: datetime
    stopped_at: datetime | None
    stop_reason: str | None
    arm: str
    policy_version: str
    is_control: bool
    planned_share: float
    count_readers: int | None
    expected_readers: float | None
    count_shown: int | None
    count_opened: int | None
    click_rate: float | None
    click_rate_low: float | None
    click_rate_high: float | None
    read_rate: float | None
    skip_rate: float | None
    decline_rate: float | None
    fallback_share: float | None
    lift: float | None
    lift_low: float | None
    lift_high: float | None
    smallest_findable_lift: float | None
    sample_ratio_p: float | None
    is_ratio_off: bool
    count_crossed: int
    has_fallback_arm: bool
    is_unhealthy: bool
    does_harm: bool
    verdict: str
    is_suppressed: bool


@dataclass(frozen=True)
class OffPolicy:
    """What a place on screen would have earned under a policy, by one estimator; `logged_reward`: what it did earn.

    `verdict`: 'cannot tell', 'better', 'worse' or 'no difference'.
    """

    reported_at: datetime
    policy_version: str
    estimator: str
    value: float | None
    low: float | None
    high: float | None
    effective_size: float | None
    capped_share: float | None
    can_tell: bool
    reason: str
    count_slates: int | None
    count_readers: int | None
    logged_reward: float | None
    verdict: str
    is_suppressed: bool


@contextmanager
def building(conn: psycopg.Connection) -> Iterator[None]:
    """Hold the right to build the warehouse; waits for another build to end. `conn` must be in autocommit.

    Raises:
        DatabaseError: the other build has gone on for too long.
    """
    conn.execute("select set_config('lock_timeout', %s, false)", [_LOCK_PATIENCE])
    try:
        conn.execute("select pg_advisory_lock(%s)", [_LOCK])
    except psycopg.errors.LockNotAvailable as error:
        raise DatabaseError(
            f"another build of the warehouse has been running for {_LOCK_PATIENCE}: see what holds it, then try again"
        ) from error
    try:
        yield
    finally:
        conn.execute("select pg_advisory_unlock(%s)", [_LOCK])


@dataclass(frozen=True)
class Trust:
    """Whether the marts can be believed: when they were built, what the tests said, and whether acts came as usual.

    `failures`: what the last whole build could not do, if it failed; `failed_at`: when. `usual`: acts of a day as the
    weeks before had them, None when too few days are known.
    """

    built_at: datetime
    newest_act_at: datetime | None
    count_acts: int
    count_tests: int | None
    failures: list[str]
    failed_at: datetime | None
    count_last_day: int
    usual: float | None
    is_unusual: bool
    is_stale: bool

    @property
    def is_sound(self) -> bool:
        return not (self.is_stale or self.is_unusual or self.failures)


@dataclass(frozen=True)
class Mark:
    """What happened that a chart over time should show. `kind`: 'promotion', 'catalogue', 'experiment' or 'note'."""

    happened_at: datetime
    kind: str
    label: str


@contextmanager
def reading(conn: psycopg.Connection, account: Account | None) -> Iterator[Marts]:
    """Within it the marts can be read, in one transaction that can read nothing else and write nothing.

    `conn` must be outside a transaction.

    Raises:
        NotAllowedError: not of library staff.
    """
    if account is None or not account.is_staff:
        raise NotAllowedError("only library staff see the figures of the library")
    with conn.transaction():
        conn.execute("set transaction read only")
        row = conn.execute(
            """select coalesce((
                   select pg_has_role(current_user, oid, 'set') from pg_roles where rolname = %s
               ), false)""",
            [ROLE],
        ).fetchone()
        if row and row[0]:
            conn.execute(f"set local role {ROLE}")
        yield Marts(conn)


def is_built(conn: psycopg.Connection) -> bool:
    return conn.execute(
        "select exists (select from pg_tables where schemaname = 'marts' and tablename = 'mart_freshness')"
    ).fetchone() == (True,)


def trust(marts: Marts, now: datetime) -> Trust | None:
    """What stands above every figure; None before the first build."""
    if not is_built(marts.conn):
        return None
    with marts.conn.cursor(row_factory=class_row(Trust)) as cursor:
        return cursor.execute(
            f"""select {BUILT_AT} as built_at, fresh.newest_act_at, fresh.count_acts, good.count_tests,
                      coalesce(bad.failures, '{{}}') as failures, bad.finished_at as failed_at,
                      fresh.count_acts_last_day as count_last_day, fresh.usual_acts_a_day as usual,
                      fresh.is_unusual, {BUILT_AT} < %(stale)s as is_stale
               from marts.mart_freshness as fresh
               left join lateral (
                   select count_tests from learning.warehouse_builds
                   where is_whole and failures = '{{}}' order by build_id desc limit 1
               ) as good on true
               left join lateral (
                   select finished_at, failures from learning.warehouse_builds
                   where is_whole order by build_id desc limit 1
               ) as bad on bad.failures <> '{{}}'""",
            {"stale": now - STALE_AFTER},
        ).fetchone()


def marks(marts: Marts, since: date) -> list[Mark]:
    """Promotions, catalogue loads and experiments as the marts know them; notes of staff as they stand now."""
    with marts.conn.cursor(row_factory=class_row(Mark)) as cursor:
        return cursor.execute(
            """select happened_at, kind, label from marts.mart_marks where happened_at >= %(since)s
               union all
               select day::timestamptz, 'note', note from library.staff_notes
               where removed_at is null and day >= %(since)s
               order by happened_at, kind, label""",
            {"since": since},
        ).fetchall()


def note_build(
    conn: psycopg.Connection,
    started_at: datetime,
    *,
    is_whole: bool,
    count_models: int,
    count_tests: int,
    failures: Sequence[str],
    warnings: Sequence[str],
) -> None:
    """Write down what became of a build. `is_whole`: of all models, not of a selection."""
    conn.execute(
        """insert into learning.warehouse_builds (started_at, is_whole, count_models, count_tests, failures, warnings)
           values (%s, %s, %s, %s, %s, %s)""",
        [started_at, is_whole, count_models, count_tests, list(failures), list(warnings)],
    )


def forget_changed_days(conn: psycopg.Connection, before: datetime) -> None:
    """After a whole build that went well: the days that were to be made anew when it began, are."""
    conn.execute("delete from stream.changed_days where noted_at < %s", [before])


def count_mart_rows(conn: psycopg.Connection) -> int:
    """Rows of the facts and of the daily quality mart, of large ones as estimated; 0 before the first build."""
    if not is_built(conn):
        return 0
    tables = ("fct_interactions", "fct_slate_places", "fct_sessions", "mart_quality_daily")
    return sum(summary.count_rows(conn, "marts", table, summary.EXACT_COUNT_OF_MART) for table in tables)


_FIGURES: tuple[LiteralString, ...] = (
    "count_readers", "count_places", "count_shown", "count_opened", "click_rate", "click_rate_low", "click_rate_high",
    "read_rate", "read_rate_low", "read_rate_high", "decline_rate", "decline_rate_low", "decline_rate_high",
    "fallback_share", "reward_per_place",
)  # fmt: skip
DIMENSIONS = ("arm", "surface", "position", "language", "subject")


def _held_back(columns: Sequence[LiteralString]) -> LiteralString:
    """The columns, null where the row is not to be shown."""
    held: LiteralString = ", ".join(f"case when not is_suppressed then {name} end as {name}" for name in columns)
    return held


_QUALITY: LiteralString = f"policy_version, value, {_held_back(_FIGURES)}"
# A part of one version's places, or the versions themselves.
_PARTS: LiteralString = """case when %(by)s = 'model' then dimension = 'all' and policy_version <> 'all'
    else dimension = %(by)s and policy_version = %(version)s end"""


def recent_quality(marts: Marts, weeks: int, by: str = "all", version: str = "all") -> list[Quality]:
    """The last weeks up to the newest slate, parted by 'model' or one of DIMENSIONS, or whole; most places first.

    `weeks`: one of dbt's var recent_weeks.
    """
    with marts.conn.cursor(row_factory=class_row(Quality)) as cursor:
        return cursor.execute(
            f"""select first_date, last_date, {_QUALITY} from marts.mart_quality_recent
                where weeks = %(weeks)s and {_PARTS}
                order by case when not is_suppressed then mart_quality_recent.count_shown end desc nulls last,
                    last_date desc, policy_version, value""",
            {"weeks": weeks, "by": by, "version": version},
        ).fetchall()


def daily_quality(marts: Marts, days: int, by: str = "all", version: str = "all") -> list[Quality]:
    """The same day by day over the last `days` days up to the newest slate, in order of time."""
    with marts.conn.cursor(row_factory=class_row(Quality)) as cursor:
        return cursor.execute(
            f"""select slate_date as first_date, slate_date as last_date, {_QUALITY} from marts.mart_quality_daily
                where slate_date > (select max(slate_date) from marts.mart_quality_daily) - %(days)s and {_PARTS}
                order by slate_date, policy_version, value""",
            {"days": days, "by": by, "version": version},
        ).fetchall()


def daily_outcomes(marts: Marts, days: int) -> list[Outcomes]:
    """What became of the places shown, by day, over the last `days` days up to the newest slate."""
    with marts.conn.cursor(row_factory=class_row(Outcomes)) as cursor:
        return cursor.execute(
            """with named as (
                   select slate_date, count_places, count_works, count_readers, is_suppressed,
                          case when is_suppressed then 'fewer than 5 readers' else outcome end as outcome
                   from marts.mart_actions_daily
                   where slate_date > (select max(slate_date) from marts.mart_actions_daily) - %s
               )
               select slate_date, outcome,
                      case when not is_suppressed or max(count_readers) >= 5 then sum(count_places)::int end
                          as count_places,
                      case when not is_suppressed then sum(count_works)::int end as count_works
               from named
               group by slate_date, outcome, is_suppressed
               order by slate_date, outcome""",
            [days],
        ).fetchall()


_ACTS: LiteralString = (
    f"period_start_date, action, {_held_back(('count_acts', 'count_readers', 'count_works', 'acts_per_reader'))}"
)


def monthly_acts(marts: Marts) -> list[PeriodActs]:
    """What readers did by month and action; what the library showed is not an act of theirs and left out."""
    with marts.conn.cursor(row_factory=class_row(PeriodActs)) as cursor:
        return cursor.execute(
            f"""select {_ACTS} from marts.mart_readers_monthly where action <> 'show'
                order by period_start_date, action"""
        ).fetchall()


def daily_acts(marts: Marts, days: int) -> list[PeriodActs]:
    """What readers did by day and action, over the last `days` days up to the newest act."""
    with marts.conn.cursor(row_factory=class_row(PeriodActs)) as cursor:
        return cursor.execute(
            f"""select {_ACTS} from marts.mart_readers_daily
                where action <> 'show'
                    and period_start_date > (select max(period_start_date) from marts.mart_readers_daily) - %s
                order by period_start_date, action""",
            [days],
        ).fetchall()


_ORGANIC: LiteralString = "period_start_date, action, " + _held_back(
    ("count_readers", "count_acts", "count_organic", "organic_share", "organic_share_low", "organic_share_high")
)


def monthly_organic(marts: Marts) -> list[OrganicActs]:
    """How much of what readers did no recommendation led to, by month and action, in order of time."""
    with marts.conn.cursor(row_factory=class_row(OrganicActs)) as cursor:
        return cursor.execute(
            f"select {_ORGANIC} from marts.mart_organic_monthly order by period_start_date, action"
        ).fetchall()


def daily_organic(marts: Marts, days: int) -> list[OrganicActs]:
    """The same by day, over the last `days` days up to the newest such act."""
    with marts.conn.cursor(row_factory=class_row(OrganicActs)) as cursor:
        return cursor.execute(
            f"""select {_ORGANIC} from marts.mart_organic_daily
                where period_start_date > (select max(period_start_date) from marts.mart_organic_daily) - %s
                order by period_start_date, action""",
            [days],
        ).fetchall()


def cohorts(marts: Marts) -> list[Cohort]:
    columns: tuple[LiteralString, ...] = (
        "count_readers", "count_returned", "return_rate", "return_rate_low", "return_rate_high",
    )  # fmt: skip
    with marts.conn.cursor(row_factory=class_row(Cohort)) as cursor:
        return cursor.execute(
            f"""select cohort_start_date, weeks_later, {_held_back(columns)} from marts.mart_cohorts_weekly
                order by cohort_start_date, weeks_later"""
        ).fetchall()


def traffic(marts: Marts, days: int) -> list[Traffic]:
    """Whose acts there were over the last `days` days up to the newest, most first."""
    with marts.conn.cursor(row_factory=class_row(Traffic)) as cursor:
        return cursor.execute(
            """select traffic, sum(count_acts)::int as count_acts from marts.mart_traffic_daily
               where occurred_date > (select max(occurred_date) from marts.mart_traffic_daily) - %s
               group by traffic order by 2 desc""",
            [days],
        ).fetchall()


_ARM_FIGURES: tuple[LiteralString, ...] = (
    "count_readers", "expected_readers", "count_shown", "count_opened", "click_rate", "click_rate_low",
    "click_rate_high", "read_rate", "skip_rate", "decline_rate", "fallback_share", "lift", "lift_low", "lift_high",
    "smallest_findable_lift",
)  # fmt: skip


def experiment_arms(marts: Marts) -> list[ExperimentArm]:
    """Every experiment, the newest first, each with its control first and then the other arms by name."""
    with marts.conn.cursor(row_factory=class_row(ExperimentArm)) as cursor:
        return cursor.execute(
            f"""select experiment_name, note, started_at, stopped_at, stop_reason, arm, policy_version, is_control,
                       planned_share, {_held_back(_ARM_FIGURES)}, sample_ratio_p, is_ratio_off, count_crossed::int,
                       has_fallback_arm, is_unhealthy, does_harm, verdict, is_suppressed
                from marts.mart_experiments order by experiment_id desc, is_control desc, arm"""
        ).fetchall()


_ESTIMATES: tuple[LiteralString, ...] = (
    "value", "low", "high", "effective_size", "capped_share", "count_slates", "count_readers", "logged_reward",
)  # fmt: skip


def offpolicy(marts: Marts, reports: int = 1) -> list[OffPolicy]:
    """The latest reports, the newest first."""
    with marts.conn.cursor(row_factory=class_row(OffPolicy)) as cursor:
        return cursor.execute(
            f"""select reported_at, policy_version, estimator, {_held_back(_ESTIMATES)}, can_tell, reason, verdict,
                       is_suppressed
                from marts.mart_offpolicy where recency <= %s
                order by reported_at desc, policy_version, estimator""",
            [reports],
        ).fetchall()


def was_built(conn: psycopg.Connection, definitions: str) -> bool:
    """Whether a whole build of these definitions succeeded and was written down.

    Else tables may be of an older shape or meaning, or half.
    """
    row = conn.execute(
        """select exists (select from learning.warehouse_builds where is_whole and cardinality(failures) = 0)
               and obj_description(to_regnamespace('marts'), 'pg_namespace') = %s""",
        [definitions],
    ).fetchone()
    return row == (True,)


def note_definitions(conn: psycopg.Connection, definitions: str) -> None:
    """After a whole build that went well: what the marts are made by. It goes with them into a copy or a backup."""
    conn.execute(sql.SQL("comment on schema marts is {}").format(definitions))
