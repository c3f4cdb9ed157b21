"""Rules that watch the figures, what they measure, and the incidents in which they were broken."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

import psycopg
from psycopg.rows import class_row

from openshelf.database import accounts, audit, job_runs
from openshelf.database.accounts import Account
from openshelf.database.analytics import BUILT_AT
from openshelf.errors import UsageError

# Recent days, and the days before them that they are compared with.
RECENT_DAYS, BEFORE_DAYS = 7, 28
_LOCK = 7304


@dataclass(frozen=True)
class RuleRow:
    """`muted_until`: its incidents are shown and not sent."""

    rule: str
    threshold: float
    is_on: bool
    muted_until: datetime | None


@dataclass(frozen=True)
class Incident:
    """`sent_to`: 'webhook' and 'mail' as far as they took it. `value`: as it was measured last."""

    incident_id: int
    rule: str
    opened_at: datetime
    seen_at: datetime
    value: float
    threshold: float
    words: str
    sent_to: list[str]
    resolved_at: datetime | None


@dataclass(frozen=True)
class Measures:
    """What the rules judge. None: there is nothing to measure.

    Counts of places are (opened, shown) of the last `RECENT_DAYS` days up to the newest slate and of the
    `BEFORE_DAYS` before them, and (filled by a fallback, drawn) of the recent ones.
    """

    built_at: datetime | None
    build_failures: Sequence[str]
    newest_act_at: datetime | None
    count_last_day: int
    usual_a_day: float | None
    clicks_recent: tuple[int, int]
    clicks_before: tuple[int, int]
    fallback_recent: tuple[int, int]
    training: tuple[str, str] | None  # status and message of the latest policy training that has ended
    refusals: Sequence[str]
    count_dead_letters: int
    failed_jobs: Sequence[tuple[str, str]]  # that failed when they last ended, with what they said
    backed_up_at: datetime | None
    free_share: float  # of the disk of the home folder
    installed_at: datetime


_INCIDENT: LiteralString = """incident_id, rule, opened_at, seen_at, value, threshold, words, sent_to, resolved_at"""


def measures(conn: psycopg.Connection, backed_up_at: datetime | None, free_share: float) -> Measures:
    """As of the last build, and of the stream as it is now; what is not in the database is given."""
    built = conn.execute("select to_regclass('marts.mart_freshness')").fetchone() != (None,)
    fresh = places = None
    if built:
        fresh = conn.execute(
            f"""select {BUILT_AT}, newest_act_at, count_acts_last_day, usual_acts_a_day
                from marts.mart_freshness as fresh"""
        ).fetchone()
        places = conn.execute(
            """with days as (
                   select * from marts.mart_quality_daily where policy_version = 'all' and dimension = 'all'
               ),
               aged as (
                   select days.*, (select max(slate_date) from days) - slate_date as age from days
               )
               select coalesce(sum(count_opened) filter (where age < %(recent)s), 0)::bigint,
                      coalesce(sum(count_shown) filter (where age < %(recent)s), 0)::bigint,
                      coalesce(sum(count_opened) filter (where age >= %(recent)s), 0)::bigint,
                      coalesce(sum(count_shown) filter (where age >= %(recent)s), 0)::bigint,
                      coalesce(sum(count_fallback) filter (where age < %(recent)s), 0)::bigint,
                      coalesce(sum(count_places) filter (where age < %(recent)s), 0)::bigint
               from aged where age < %(recent)s + %(before)s""",
            {"recent": RECENT_DAYS, "before": BEFORE_DAYS},
        ).fetchone()
    built_at, newest_act_at, count_last_day, usual = fresh or (None, None, 0, None)
    opened, shown, opened_before, shown_before, fallback, drawn = places or (0, 0, 0, 0, 0, 0)
    failures = conn.execute(
        "select failures from learning.warehouse_builds where is_whole order by build_id desc limit 1"
    ).fetchone()
    training = conn.execute(
        """select status, coalesce(message, '') from learning.runs
           where kind = 'policy' and finished_at is not null order by run_id desc limit 1"""
    ).fetchone()
    refusals = conn.execute(
        "select distinct refusal from stream.workers where refusal is not null order by refusal"
    ).fetchall()
    letters = conn.execute("select count(*) from stream.dead_letters where replayed_at is null").fetchone()
    return Measures(
        built_at,
        failures[0] if failures else (),
        newest_act_at,
        count_last_day,
        usual,
        (opened, shown),
        (opened_before, shown_before),
        (fallback, drawn),
        training and (training[0], training[1]),
        [refusal for (refusal,) in refusals],
        letters[0] if letters else 0,
        [(run.job, run.message or "") for run in job_runs.failed(conn)],
        backed_up_at,
        free_share,
        job_runs.installed_at(conn),
    )


def alone(conn: psycopg.Connection) -> None:
    """Until the end of the transaction no other check goes on."""
    conn.execute("select pg_advisory_xact_lock(%s)", [_LOCK])


def introduce(conn: psycopg.Connection, thresholds: Mapping[str, float]) -> None:
    """Rules that the table does not have yet; of the others nothing changes."""
    for rule, threshold in thresholds.items():
        conn.execute(
            "insert into learning.alert_rules (rule, threshold) values (%s, %s) on conflict do nothing",
            [rule, threshold],
        )


def rules(conn: psycopg.Connection) -> list[RuleRow]:
    with conn.cursor(row_factory=class_row(RuleRow)) as cursor:
        return cursor.execute(
            "select rule, threshold, is_on, muted_until from learning.alert_rules order by rule"
        ).fetchall()


def change(
    conn: psycopg.Connection, staff: Account | None, rule: str, threshold: float, *, is_on: bool, muted_days: int
) -> None:
    """Set a rule. `muted_days`: its incidents are not sent for so many days from now; 0: they are.

    Raises:
        NotAllowedError: who asks is not staff.
        UsageError: there is no such rule, or the threshold is below 0.
    """
    account = accounts.must_be_staff(staff)
    if not 0 <= threshold < 1e6:
        raise UsageError("a threshold is 0 or more")
    done = conn.execute(
        """update learning.alert_rules set threshold = %s, is_on = %s, changed_at = now(),
               muted_until = case when %s > 0 then now() + %s * interval '1 day' end
           where rule = %s""",
        [threshold, is_on, muted_days, muted_days, rule],
    )
    if not done.rowcount:
        raise UsageError(f"there is no rule {rule!r}")
    said = (
        f"{rule} at {threshold:g}" + ("" if is_on else ", off") + (f", muted {muted_days} days" if muted_days else "")
    )
    audit.note(conn, audit.actor_of(account.account_id), "change alert rule", said)


def open_incident(
    conn: psycopg.Connection, rule: str, now: datetime, value: float, threshold: float, words: str
) -> bool:
    """Note that a rule is broken: a new incident, or the open one as seen again. Whether it is a new one."""
    row = conn.execute(
        """insert into learning.alert_incidents (rule, opened_at, seen_at, value, threshold, words)
           values (%(rule)s, %(now)s, %(now)s, %(value)s, %(threshold)s, %(words)s)
           on conflict (rule) where resolved_at is null do update
               set seen_at = excluded.seen_at, value = excluded.value, words = excluded.words
           returning opened_at = %(now)s and xmax = 0""",
        {"rule": rule, "now": now, "value": value, "threshold": threshold, "words": words},
    ).fetchone()
    return bool(row and row[0])


def resolve(conn: psycopg.Connection, rule: str, now: datetime) -> bool:
    """Whether there was an open incident of this rule, which is over now."""
    done = conn.execute(
        "update learning.alert_incidents set resolved_at = %s where rule = %s and resolved_at is null", [now, rule]
    )
    return bool(done.rowcount)


def unsent(conn: psycopg.Connection, channel: str, now: datetime) -> list[Incident]:
    """Open incidents that this channel has not taken, of rules that are not muted; held for this transaction."""
    with conn.cursor(row_factory=class_row(Incident)) as cursor:
        return cursor.execute(
            f"""select {_INCIDENT} from learning.alert_incidents
                where resolved_at is null and not %(channel)s = any(sent_to) and rule in (
                    select rule from learning.alert_rules where is_on and coalesce(muted_until, '-infinity') <= %(now)s
                )
                order by incident_id for update skip locked""",
            {"channel": channel, "now": now},
        ).fetchall()


def mark_sent(conn: psycopg.Connection, incident_id: int, channel: str) -> None:
    conn.execute(
        "update learning.alert_incidents set sent_to = sent_to || %s where incident_id = %s", [[channel], incident_id]
    )


def incidents(conn: psycopg.Connection, limit: int = 50) -> list[Incident]:
    """The open ones first, each the newest first. They say nothing of any reader."""
    with conn.cursor(row_factory=class_row(Incident)) as cursor:
        return cursor.execute(
            f"""select {_INCIDENT} from learning.alert_incidents
                order by resolved_at is not null, opened_at desc, incident_id desc limit %s""",
            [limit],
        ).fetchall()


def for_staff(conn: psycopg.Connection, staff: Account | None, limit: int = 50) -> tuple[list[RuleRow], list[Incident]]:
    """Rules and incidents. Raises NotAllowedError."""
    accounts.must_be_staff(staff)
    return rules(conn), incidents(conn, limit)
