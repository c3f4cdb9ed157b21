"""What is old goes: each kind after its own time, by one job that writes down what it removed."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import LiteralString

import psycopg
from psycopg.types.json import Jsonb

from openshelf import stream_health
from openshelf.database import erasures, pool
from openshelf.privacy import erasing, recovery_files
from openshelf.settings import Settings

Counts = dict[str, int]

# A list that was removed can be brought back for as long.
_LIST_COMES_BACK = timedelta(days=1)
# The tables of a history, and when a row of each happened.
_HISTORY: dict[LiteralString, LiteralString] = {
    "stream.interactions": "occurred_at",
    "stream.slates": "created_at",
    "stream.sessions": "last_act_at",
    "stream.assignments": "assigned_at",
    "stream.quarantine": "received_at",
}


def run(conn: psycopg.Connection, settings: Settings, now: datetime) -> Counts:
    """Finish what was begun, remove what is old; what went, by store. Each kind in a transaction of its own."""
    conn.commit()
    row = conn.execute("insert into reading.retention_runs (started_at) values (%s) returning run_id", [now]).fetchone()
    conn.commit()
    assert row
    counts: Counts = {}
    resumed = erasing.resume(conn, settings)
    counts["erasures finished"], counts["erasures waiting"] = resumed["finished"], resumed["waiting"]
    over = _visits_that_are_over(conn, now - timedelta(minutes=settings.retention_visit_minutes))
    conn.commit()
    kinds: tuple[Callable[[psycopg.Connection, Settings, datetime], Counts], ...] = (
        lambda conn, _settings, _now: erasing.sweep(conn),
        lambda conn, settings, now: _visits(conn, over, now - timedelta(minutes=settings.retention_visit_minutes)),
        _histories,
        _others,
        _log,
        _small_kinds,
    )
    for remove in kinds:
        with conn.transaction():
            removed = remove(conn, settings, now)
        for store, count in removed.items():
            counts[store] = counts.get(store, 0) + count
    counts["recovery store"] = recovery_files.scrub(settings, over)
    with conn.transaction():
        conn.execute(
            "update reading.retention_runs set finished_at = clock_timestamp(), counts = %s where run_id = %s",
            [Jsonb(counts), row[0]],
        )
    return counts


def tidy(settings: Settings, counts: Counts) -> None:
    """Let Postgres use the room of what went again: what is deleted stays in a table's file until then."""
    tables = [store for store, count in counts.items() if count and "." in store]
    with pool.connect(settings, autocommit=True, unlimited=True) as conn:
        for schema, table in {tuple(store.split(".", 1)) for store in tables}:
            conn.execute(erasures.vacuum_of(schema, table))


def _visits_that_are_over(conn: psycopg.Connection, before: datetime) -> list[str]:
    """Keys of visits of who keeps no history, whose last act was before then."""
    rows = conn.execute(
        """select reader_key from stream.sessions where left(reader_key, 2) = 's_'
           group by reader_key having max(last_act_at) < %s""",
        [before],
    ).fetchall()
    return [key for (key,) in rows]


def _visits(conn: psycopg.Connection, keys: list[str], before: datetime) -> Counts:
    """Visits of who keeps no history, whole, some time after their last act."""
    counts = erasures.remove_from_stream(conn, keys) if keys else {}
    # Of which there is no session (any more): a dataflow that replays makes rows of acts whose visit is over.
    for table, column in _HISTORY.items():
        gone = conn.execute(
            f"""delete from {table} as old where left(reader_key, 2) = 's_' and {column} < %s and not exists (
                    select from stream.sessions where sessions.reader_key = old.reader_key
                )""",
            [before],
        )
        counts[table] = counts.get(table, 0) + gone.rowcount
    for schema, table in erasures.tables_with(conn, "reader_key"):
        if schema != "stream" and keys:
            counts[f"{schema}.{table}"] = erasures.remove_rows(conn, schema, table, "reader_key", keys)
    return counts


def _histories(conn: psycopg.Connection, _settings: Settings, now: datetime) -> Counts:
    """Of accounts that keep a history for a number of days: what is older."""
    counts = {}
    for table, column in _HISTORY.items():
        counts[table] = conn.execute(
            f"""delete from {table} as old using reading.pseudonyms join reading.accounts using (account_id)
                where old.reader_key = pseudonyms.reader_key and history_days is not null
                    and old.{column} < %s - make_interval(days => history_days)""",
            [now],
        ).rowcount
    counts["reading.places"] = conn.execute(
        """delete from reading.places using reading.accounts
           where places.account_id = accounts.account_id and history_days is not null
               and places.updated_at < %s - make_interval(days => history_days)""",
        [now],
    ).rowcount
    return counts


def _others(conn: psycopg.Connection, settings: Settings, now: datetime) -> Counts:
    """Of readers without an account of ours (other programs', simulated ones): what is older than raw events."""
    before = now - timedelta(days=settings.retention_event_days)
    counts = {}
    for table, column in _HISTORY.items():
        counts[table] = conn.execute(
            f"""delete from {table} as old where {column} < %s and not exists (
                    select from reading.pseudonyms where pseudonyms.reader_key = old.reader_key
                )""",
            [before],
        ).rowcount
    return counts


def _log(conn: psycopg.Connection, settings: Settings, now: datetime) -> Counts:
    before = now - timedelta(days=settings.retention_event_days)
    visits_before = now - timedelta(minutes=settings.retention_visit_minutes)
    consumers = stream_health.expected(settings)
    return {"stream.event_log": erasures.trim_log(conn, consumers, before, visits_before)}


def _small_kinds(conn: psycopg.Connection, settings: Settings, now: datetime) -> Counts:
    def days_ago(days: int) -> datetime:
        return now - timedelta(days=days)

    kinds: tuple[tuple[LiteralString, LiteralString, datetime], ...] = (
        ("stream.dead_letters", "found_at < %s", days_ago(settings.retention_dead_letter_days)),
        ("stream.erased", "erased_at < %s", days_ago(settings.retention_backup_days)),
        (
            "reading.sign_ins",
            "coalesce(revoked_at, least(expires_at, last_seen_at + idle)) < %s",
            days_ago(settings.retention_sign_in_days),
        ),
        ("reading.attempts", "resets_at < %s", now),
        ("reading.unanswered_searches", "day < %s::date", days_ago(settings.retention_search_days)),
        ("reading.audit_log", "noted_at < %s", days_ago(settings.retention_audit_days)),
        ("reading.erasure_certificates", "finished_on < %s::date", days_ago(settings.retention_certificate_days)),
        ("reading.retention_runs", "started_at < %s", days_ago(settings.retention_certificate_days)),
        ("reading.lists", "removed_at < %s", now - _LIST_COMES_BACK),
    )
    return {
        table: conn.execute(f"delete from {table} where {condition}", [moment]).rowcount
        for table, condition, moment in kinds
    }
