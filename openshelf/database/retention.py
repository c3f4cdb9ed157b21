"""Rows that are old: deleted kind by kind, each function in the caller's transaction, with how many went by table."""

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString

import psycopg
from psycopg.types.json import Jsonb

from openshelf.database import erasures

Counts = dict[str, int]

# The tables of a history, and when a row of each happened.
_HISTORY: dict[LiteralString, LiteralString] = {
    "stream.interactions": "occurred_at",
    "stream.slates": "created_at",
    "stream.sessions": "last_act_at",
    "stream.assignments": "assigned_at",
    "stream.quarantine": "received_at",
}
# What else grows old, and when. (Of sign-ins those that have ended.)
_KINDS: dict[LiteralString, LiteralString] = {
    "stream.dead_letters": "found_at",
    "stream.erased": "erased_at",
    "reading.sign_ins": "coalesce(revoked_at, least(expires_at, last_seen_at + idle))",
    "reading.attempts": "resets_at",
    "reading.unanswered_searches": "day",
    "reading.chat_feedback": "day",
    "reading.audit_log": "noted_at",
    "reading.erasure_certificates": "finished_on",
    "reading.retention_runs": "started_at",
    "reading.lists": "removed_at",
}


def begin(conn: psycopg.Connection, now: datetime) -> int:
    """The number of a run that begins."""
    row = conn.execute("insert into reading.retention_runs (started_at) values (%s) returning run_id", [now]).fetchone()
    assert row
    return row[0]


def end(conn: psycopg.Connection, run_id: int, counts: Counts) -> None:
    conn.execute(
        "update reading.retention_runs set finished_at = clock_timestamp(), counts = %s where run_id = %s",
        [Jsonb(counts), run_id],
    )


def vacuum(conn: psycopg.Connection, stores: Sequence[str]) -> None:
    """Let the room of what was deleted be used again; on a connection that commits by itself."""
    for store in stores:
        conn.execute(erasures.vacuum_of(*store.split(".", 1)))


def visits_that_are_over(conn: psycopg.Connection, before: datetime) -> list[str]:
    """Keys of visits of who keeps no history, whose last act was before then."""
    rows = conn.execute(
        """select reader_key from stream.sessions where left(reader_key, 2) = 's_'
           group by reader_key having max(last_act_at) < %s""",
        [before],
    ).fetchall()
    return [key for (key,) in rows]


def remove_visits(conn: psycopg.Connection, keys: Sequence[str], before: datetime) -> Counts:
    """Visits whole, wherever they are but in the log."""
    counts = erasures.remove_from_stream(conn, keys)
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
        if schema != "stream":
            counts[f"{schema}.{table}"] = erasures.remove_rows(conn, schema, table, "reader_key", keys)
    return counts


def remove_old_histories(conn: psycopg.Connection, now: datetime) -> Counts:
    """Of accounts that keep a history for a number of days: what is older."""
    counts = {
        table: conn.execute(
            f"""delete from {table} as old using reading.pseudonyms join reading.accounts using (account_id)
                where old.reader_key = pseudonyms.reader_key and history_days is not null
                    and old.{column} < %s - make_interval(days => history_days)""",
            [now],
        ).rowcount
        for table, column in _HISTORY.items()
    }
    counts["reading.places"] = conn.execute(
        """delete from reading.places using reading.accounts
           where places.account_id = accounts.account_id and history_days is not null
               and places.updated_at < %s - make_interval(days => history_days)""",
        [now],
    ).rowcount
    return counts


def remove_of_nobodys_readers(conn: psycopg.Connection, before: datetime) -> Counts:
    """Of readers without an account of ours (other programs', simulated ones): what is older."""
    return {
        table: conn.execute(
            f"""delete from {table} as old where {column} < %s and not exists (
                    select from reading.pseudonyms where pseudonyms.reader_key = old.reader_key
                )""",
            [before],
        ).rowcount
        for table, column in _HISTORY.items()
    }


def remove_kinds(conn: psycopg.Connection, before: dict[str, datetime]) -> Counts:
    """Of each of these tables what is older."""
    return {
        table: conn.execute(f"delete from {table} where {moment} < %s", [before[table]]).rowcount
        for table, moment in _KINDS.items()
    }
