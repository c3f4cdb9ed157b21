"""The event log: append acts, read them back by partition and offset."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
import psycopg
from psycopg.rows import class_row

from openshelf import topics
from openshelf.contracts import Interaction


class LogRow(msgspec.Struct, frozen=True, gc=False):
    partition: int
    log_offset: int
    payload: bytes
    appended_at: datetime
    reader_key: str


@dataclass(frozen=True)
class Lag:
    """What waits in one partition, by Postgres' clock. `idle_s`: since the consumer took something of it; None: never.

    An act erased from the middle of what waits is counted as if it were there.
    """

    partition: int
    next_offset: int  # to take; so many entries were taken since the log began
    count_waiting: int
    oldest_waiting_at: datetime | None
    waiting_s: float  # of the oldest
    idle_s: float | None


def append(conn: psycopg.Connection, event: Interaction) -> int | None:
    """Append one act in the caller's transaction; its offset, or None if this event_id is there already.

    If it is there with another body, that one counts and this one becomes a dead letter (source 'append'). Of a reader
    who was erased nothing is taken, and None is returned.
    """
    return append_raw(conn, event.event_id, event.reader_key, event.encode())


def append_raw(conn: psycopg.Connection, event_id: UUID, reader_key: str, payload: bytes) -> int | None:
    row = conn.execute(
        "select stream.append(%s::smallint, %s, %s, %s)",
        [topics.partition_of(reader_key), event_id, reader_key, payload],
    ).fetchone()
    assert row
    return row[0]


def append_many(conn: psycopg.Connection, events: Sequence[Interaction]) -> None:
    """Append acts in order. Partitions are locked in ascending order, so two callers cannot deadlock."""
    ordered = sorted(events, key=lambda event: topics.partition_of(event.reader_key))
    with conn.cursor() as cursor:
        cursor.executemany(
            "select stream.append(%s::smallint, %s, %s, %s)",
            [(topics.partition_of(e.reader_key), e.event_id, e.reader_key, e.encode()) for e in ordered],
        )


def read_after(conn: psycopg.Connection, next_offsets: dict[int, int], limit: int) -> list[LogRow]:
    """Rows at or after the given next offset of each partition, at most `limit` per partition, in order."""
    with conn.cursor(binary=True, row_factory=class_row(LogRow)) as cursor:
        return cursor.execute(
            """select log.partition, log.log_offset, log.payload, log.appended_at, log.reader_key
               from unnest(%(partitions)s::smallint[], %(offsets)s::bigint[]) as want (partition, next_offset)
               cross join lateral (
                   select * from stream.event_log as candidate
                   where candidate.partition = want.partition and candidate.log_offset >= want.next_offset
                   order by candidate.log_offset limit %(limit)s
               ) as log
               order by log.partition, log.log_offset""",
            {"partitions": list(next_offsets), "offsets": list(next_offsets.values()), "limit": limit},
        ).fetchall()


def first_offset_since(conn: psycopg.Connection, partition: int, moment: datetime) -> int:
    """The offset of the first act of a partition that the log took at this moment or later; its end, if there is none.

    Halving, each step one look into the index: the log has no other order than that of its offsets.
    """
    row = conn.execute("select stream.log_end(%s::smallint)", [partition]).fetchone()
    assert row
    first, end = 0, row[0]
    while first < end:
        middle = (first + end) // 2
        found = conn.execute(
            """select log_offset, appended_at >= %(moment)s from stream.event_log
               where partition = %(partition)s and log_offset >= %(middle)s order by log_offset limit 1""",
            {"partition": partition, "middle": middle, "moment": moment},
        ).fetchone()
        if found is None or found[1]:  # none: what was there was removed
            end = middle
        else:
            first = found[0] + 1
    return first


def next_offsets(conn: psycopg.Connection, consumer: str) -> dict[int, int]:
    """Where a consumer goes on, for every partition."""
    rows = conn.execute("select partition, next_offset from stream.progress where consumer = %s", [consumer])
    return dict.fromkeys(range(topics.PARTITIONS), 0) | dict(rows.fetchall())


def set_progress(conn: psycopg.Connection, consumer: str, offsets: dict[int, int]) -> None:
    """Record in the caller's transaction how far the consumer has come; never goes back."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """insert into stream.progress as progress (consumer, partition, next_offset) values (%s, %s, %s)
               on conflict (consumer, partition) do update
               set next_offset = greatest(progress.next_offset, excluded.next_offset), updated_at = now()""",
            [(consumer, partition, offset) for partition, offset in sorted(offsets.items())],
        )


def lag(conn: psycopg.Connection, consumer: str) -> list[Lag]:
    """What a consumer has not taken yet, by partition: from the ends of what waits, so that nothing is counted."""
    with conn.cursor(row_factory=class_row(Lag)) as cursor:
        return cursor.execute(
            """select partitions.partition, coalesce(progress.next_offset, 0) as next_offset,
                      coalesce(newest.log_offset - oldest.log_offset + 1, 0) as count_waiting,
                      oldest.appended_at as oldest_waiting_at,
                      coalesce(
                          greatest(extract(epoch from clock_timestamp() - oldest.appended_at), 0), 0
                      )::double precision as waiting_s,
                      extract(epoch from clock_timestamp() - progress.updated_at)::double precision as idle_s
               from generate_series(0, %(last)s) as partitions (partition)
               left join stream.progress
                   on progress.consumer = %(consumer)s and progress.partition = partitions.partition
               left join lateral (
                   select log_offset, appended_at from stream.event_log as log
                   where log.partition = partitions.partition and log.log_offset >= coalesce(progress.next_offset, 0)
                   order by log.log_offset limit 1
               ) as oldest on true
               left join lateral (
                   select log_offset from stream.event_log as log
                   where log.partition = partitions.partition order by log.log_offset desc limit 1
               ) as newest on true
               order by partitions.partition""",
            {"consumer": consumer, "last": topics.PARTITIONS - 1},
        ).fetchall()
