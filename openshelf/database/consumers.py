"""Those who read the event log: one of each kind at a time, and where the log ends."""

import psycopg

from openshelf import topics

_LOCK_CLASS = 7302
_LOCK_OF_CONSUMER = {"sessions": 1, "relay": 2}


def hold(conn: psycopg.Connection, consumer: str) -> str | None:
    """Claim to be the one running consumer, for as long as this connection lives.

    Returns None when the claim holds, else what the holder calls itself (its application_name).
    """
    lock = {"class": _LOCK_CLASS, "key": _LOCK_OF_CONSUMER[consumer]}
    row = conn.execute("select pg_try_advisory_lock(%(class)s, %(key)s)", lock).fetchone()
    if row and row[0]:
        return None
    holder = conn.execute(
        """select activity.application_name
           from pg_locks as lock join pg_stat_activity as activity using (pid)
           where lock.locktype = 'advisory' and lock.granted and lock.classid = %(class)s and lock.objid = %(key)s
               and lock.database = (select oid from pg_database where datname = current_database())""",
        lock,
    ).fetchone()
    return holder[0] if holder else "another process"


def call_itself(conn: psycopg.Connection, name: str) -> None:
    """Name this connection for `hold` and for whoever looks at the server's activity."""
    conn.execute("select set_config('application_name', %s, false)", [name])


def fingerprint(conn: psycopg.Connection) -> str:
    """Identity of this very database: another server, or the same name created anew, has another."""
    row = conn.execute(
        """select (select system_identifier from pg_control_system())::text
                  || '/' || (select oid from pg_database where datname = current_database())::text"""
    ).fetchone()
    assert row
    return row[0]


def end_offsets(conn: psycopg.Connection) -> dict[int, int]:
    """The offset the next act will get, for every partition of the log."""
    rows = conn.execute("select partition, max(log_offset) + 1 from stream.event_log group by partition").fetchall()
    return dict.fromkeys(range(topics.PARTITIONS), 0) | dict(rows)
