"""Those who read the event log: of each kind one at a time for a partition, and where the log ends."""

from collections.abc import Collection
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from openshelf import topics

_LOCK_CLASS = 7302
# The second half of a lock's key is the kind's number times this, plus the partition.
_KIND = 10_000
_NUMBER_OF_CONSUMER = {"sessions": 1, "relay": 2}


@dataclass(frozen=True)
class Holder:
    """A running consumer: what it calls itself, and its partitions in order."""

    name: str
    partitions: list[int]


def hold(conn: psycopg.Connection, consumer: str, partitions: Collection[int]) -> Holder | None:
    """Claim partitions, all or none, for as long as this connection lives.

    Returns None when the claim holds, else who has the first that is taken.
    """
    # In order and each by itself: of two who start together, one gets the first that both want, and so all.
    claimed: list[int] = []
    for partition in sorted(partitions):
        if not _try(conn, consumer, partition):
            for mine in claimed:
                _let_go(conn, consumer, mine)
            taken = [holder for holder in holders(conn, consumer) if partition in holder.partitions]
            return taken[0] if taken else Holder("another process", [partition])
        claimed.append(partition)
    return None


def _try(conn: psycopg.Connection, consumer: str, partition: int) -> bool:
    row = conn.execute("select pg_try_advisory_lock(%s, %s)", _key(consumer, partition)).fetchone()
    return bool(row and row[0])


def _let_go(conn: psycopg.Connection, consumer: str, partition: int) -> None:
    conn.execute("select pg_advisory_unlock(%s, %s)", _key(consumer, partition))


def _key(consumer: str, partition: int) -> tuple[int, int]:
    return _LOCK_CLASS, _NUMBER_OF_CONSUMER[consumer] * _KIND + partition


def holders(conn: psycopg.Connection, consumer: str) -> list[Holder]:
    """Who runs now. Partitions that nobody has wait until someone takes them."""
    with conn.cursor(row_factory=class_row(Holder)) as cursor:
        return cursor.execute(
            """select activity.application_name as name,
                   array_agg((lock.objid::bigint %% %(kind)s)::int order by lock.objid::bigint) as partitions
               from pg_locks as lock join pg_stat_activity as activity using (pid)
               where lock.locktype = 'advisory' and lock.granted and lock.classid = %(class)s
                   and lock.objid::bigint / %(kind)s = %(number)s
                   and lock.database = (select oid from pg_database where datname = current_database())
               group by activity.pid, activity.application_name order by partitions""",
            {"class": _LOCK_CLASS, "kind": _KIND, "number": _NUMBER_OF_CONSUMER[consumer]},
        ).fetchall()


def call_itself(conn: psycopg.Connection, name: str) -> None:
    """Name this connection for `holders` and for whoever looks at the server's activity; it keeps 63 bytes of it."""
    conn.execute("select set_config('application_name', %s, false)", [name])


def end_session(conn: psycopg.Connection, number: int, name: str) -> None:
    """End another connection of ours, if one with this number and name is still there, and with it what it holds."""
    conn.execute(
        """select pg_terminate_backend(pid, 2000) from pg_stat_activity
           where pid = %s and application_name = %s and datname = current_database()""",
        [number, name],
    )


def fingerprint(conn: psycopg.Connection) -> str:
    """Identity of this very log: another server, the same name created anew, or a restored backup has another."""
    row = conn.execute(
        """select (select system_identifier from pg_control_system())::text
                  || '/' || (select oid from pg_database where datname = current_database())::text
                  || '/' || 'stream.event_log'::regclass::oid::text"""
    ).fetchone()
    assert row
    return row[0]


def end_offsets(conn: psycopg.Connection) -> dict[int, int]:
    """One past the last entry that stands in each partition of the log: who has come there has taken everything."""
    rows = conn.execute("select partition, max(log_offset) + 1 from stream.event_log group by partition").fetchall()
    return dict.fromkeys(range(topics.PARTITIONS), 0) | dict(rows)
