"""Reads of the marts for staff pages. Groups of fewer than five readers are held back here, before any page.

Each read takes `Marts`, which `reading` alone gives, and only to staff.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import LiteralString

import psycopg
from psycopg.rows import class_row

from openshelf.database.accounts import Account
from openshelf.errors import DatabaseError, NotAllowedError

_LOCK = 7302
_LOCK_PATIENCE: LiteralString = "10min"
# Whoever owns the database, pages read as this one: it may read the marts, and nothing of anybody.
ROLE: LiteralString = "openshelf_pages"
# Builds follow each other every quarter of an hour; so many have failed to come.
STALE_AFTER = timedelta(hours=2)


@dataclass(frozen=True)
class Marts:
    """The right to read the marts, for as long as `reading` lasts."""

    conn: psycopg.Connection


@dataclass(frozen=True)
class Freshness:
    built_at: datetime
    count_acts: int
    newest_act_at: datetime | None
    count_slates: int
    count_places: int


@dataclass(frozen=True)
class Quality:
    """Click and read rate with their 95 % Wilson intervals; n is `count_places_shown`.

    Everything but the names and dates is None when fewer than five readers stand behind it.
    """

    policy_version: str
    first_date: date
    last_date: date
    count_places_shown: int | None
    count_readers_shown: int | None
    click_rate: float | None
    click_rate_low: float | None
    click_rate_high: float | None
    read_rate: float | None
    read_rate_low: float | None
    read_rate_high: float | None
    fallback_share: float | None


@dataclass(frozen=True)
class Outcomes:
    """Places on screen of one day with one outcome.

    `outcome` is 'fewer than 5 readers' for the sum of the day's outcomes that so few readers had;
    `count_places` is None when so few readers were shown anything that day.
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
class CurvePoint:
    run_id: int
    version: str | None
    started_at: datetime
    recency: int
    name: str
    step: int
    value: float


@dataclass(frozen=True)
class Promotion:
    kind: str
    version: str
    promoted_at: datetime
    reason: str


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
            """select fresh.built_at, fresh.newest_act_at, fresh.count_acts, good.count_tests,
                      coalesce(bad.failures, '{}') as failures, bad.finished_at as failed_at,
                      fresh.count_acts_last_day as count_last_day, fresh.usual_acts_a_day as usual,
                      fresh.is_unusual, fresh.built_at < %(stale)s as is_stale
               from marts.mart_freshness as fresh
               left join lateral (
                   select count_tests from learning.warehouse_builds
                   where is_whole and failures = '{}' order by build_id desc limit 1
               ) as good on true
               left join lateral (
                   select finished_at, failures from learning.warehouse_builds
                   where is_whole order by build_id desc limit 1
               ) as bad on bad.failures <> '{}'""",
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


def freshness(conn: psycopg.Connection) -> Freshness | None:
    """When the marts were built and what they hold; None before the first build."""
    if not is_built(conn):
        return None
    with conn.cursor(row_factory=class_row(Freshness)) as cursor:
        return cursor.execute(
            "select built_at, count_acts, newest_act_at, count_slates, count_places from marts.mart_freshness"
        ).fetchone()


def count_mart_rows(conn: psycopg.Connection) -> int:
    """Rows of the facts and of the daily quality mart; 0 before the first build."""
    if not is_built(conn):
        return 0
    row = conn.execute(
        """select (select count(*) from marts.fct_interactions) + (select count(*) from marts.fct_slate_places)
                + (select count(*) from marts.fct_sessions) + (select count(*) from marts.mart_quality_daily)"""
    ).fetchone()
    assert row
    return row[0]


_RATES: LiteralString = """
    case when not is_suppressed then count_places_shown end as count_places_shown,
    case when not is_suppressed then count_readers_shown end as count_readers_shown,
    case when not is_suppressed then click_rate end as click_rate,
    case when not is_suppressed then click_rate_low end as click_rate_low,
    case when not is_suppressed then click_rate_high end as click_rate_high,
    case when not is_suppressed then read_rate end as read_rate,
    case when not is_suppressed then read_rate_low end as read_rate_low,
    case when not is_suppressed then read_rate_high end as read_rate_high,
    case when not is_suppressed then fallback_share end as fallback_share"""


def recent_quality(conn: psycopg.Connection) -> list[Quality]:
    """The last four weeks: all policies together (`policy_version` 'all') first, then each, the latest first."""
    with conn.cursor(row_factory=class_row(Quality)) as cursor:
        return cursor.execute(
            f"""select policy_version, first_date, last_date, {_RATES} from marts.mart_quality_recent
                order by policy_version = 'all' desc, last_date desc, first_date desc, policy_version"""
        ).fetchall()


def daily_quality(conn: psycopg.Connection, days: int) -> list[Quality]:
    """Each policy version by day, over the last `days` days up to the newest slate, in order of time."""
    with conn.cursor(row_factory=class_row(Quality)) as cursor:
        return cursor.execute(
            f"""select policy_version, slate_date as first_date, slate_date as last_date, {_RATES}
                from marts.mart_quality_policies_daily
                where slate_date > (select max(slate_date) from marts.mart_quality_policies_daily) - %s
                order by slate_date, policy_version""",
            [days],
        ).fetchall()


def daily_outcomes(conn: psycopg.Connection, days: int) -> list[Outcomes]:
    """What became of the places shown, by day, over the last `days` days up to the newest slate."""
    with conn.cursor(row_factory=class_row(Outcomes)) as cursor:
        return cursor.execute(
            """with named as (
                   select slate_date, count_places, count_works, is_suppressed, is_day_suppressed,
                          case when is_suppressed then 'fewer than 5 readers' else outcome end as outcome
                   from marts.mart_actions_daily
                   where slate_date > (select max(slate_date) from marts.mart_actions_daily) - %s
               )
               select slate_date, outcome,
                      case when not is_day_suppressed then sum(count_places)::int end as count_places,
                      case when not is_suppressed then sum(count_works)::int end as count_works
               from named
               group by slate_date, outcome, is_suppressed, is_day_suppressed
               order by slate_date, outcome""",
            [days],
        ).fetchall()


_ACTS: LiteralString = """
    select period_start_date, action,
           case when not is_suppressed then count_acts end as count_acts,
           case when not is_suppressed then count_readers end as count_readers,
           case when not is_suppressed then count_works end as count_works,
           case when not is_suppressed then acts_per_reader end as acts_per_reader"""


def monthly_acts(conn: psycopg.Connection) -> list[PeriodActs]:
    """What readers did by month and action; what the library showed is not an act of theirs and left out."""
    with conn.cursor(row_factory=class_row(PeriodActs)) as cursor:
        return cursor.execute(
            f"{_ACTS} from marts.mart_readers_monthly where action <> 'show' order by period_start_date, action"
        ).fetchall()


def daily_acts(conn: psycopg.Connection, days: int) -> list[PeriodActs]:
    """What readers did by day and action, over the last `days` days up to the newest act."""
    with conn.cursor(row_factory=class_row(PeriodActs)) as cursor:
        return cursor.execute(
            f"""{_ACTS} from marts.mart_readers_daily
                where action <> 'show'
                    and period_start_date > (select max(period_start_date) from marts.mart_readers_daily) - %s
                order by period_start_date, action""",
            [days],
        ).fetchall()


def training_curves(conn: psycopg.Connection, kind: str, runs: int) -> list[CurvePoint]:
    """The losses of the latest `runs` trainings of a kind ('policy' or 'adapter'), step by step."""
    with conn.cursor(row_factory=class_row(CurvePoint)) as cursor:
        return cursor.execute(
            """select run_id, version, started_at, recency, name, step, value from marts.mart_training_curves
               where kind = %s and recency <= %s and name like 'loss%%'
               order by recency, name, step""",
            [kind, runs],
        ).fetchall()


def promotions(conn: psycopg.Connection) -> list[Promotion]:
    with conn.cursor(row_factory=class_row(Promotion)) as cursor:
        return cursor.execute(
            "select kind, version, promoted_at, reason from marts.fct_promotions order by promoted_at"
        ).fetchall()
