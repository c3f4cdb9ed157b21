"""Acts on works that the catalogue does not have: kept apart, appended to the log again once it has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

import msgspec
import psycopg
from psycopg.rows import class_row

from openshelf.contracts import BadEvent, parse_interaction
from openshelf.database import accounts, events
from openshelf.database.accounts import Account

_RELEASE_NAMESPACE = UUID("3f6c2a0d-7f6e-4d6b-9a53-0c2f4b1d9e77")
RELEASED_AT_ONCE = 1_000


class QuarantineRow(msgspec.Struct, frozen=True, gc=False):
    """`source` is 'log' or a topic; `partition` and `log_offset` are the place there."""

    event_id: UUID
    reader_key: str
    book_id: int
    source: str
    partition: int
    log_offset: int
    payload: bytes
    received_at: datetime


@dataclass(frozen=True)
class QuarantinedAct:
    event_id: UUID
    book_id: int
    source: str
    partition: int
    log_offset: int
    found_at: datetime
    released_at: datetime | None


def works_on_file(conn: psycopg.Connection, book_ids: Sequence[int] | None = None) -> list[int]:
    """Every work that ever was in the catalogue, also the withdrawn; of these only, if given."""
    rows = conn.execute(
        "select book_id from library.works where %(all)s or book_id = any(%(book_ids)s)",
        {"all": book_ids is None, "book_ids": list(book_ids or [])},
    ).fetchall()
    return [book_id for (book_id,) in rows]


def ids(conn: psycopg.Connection) -> list[UUID]:
    """Of every act that was ever kept apart. The log still has them: a replay must keep them apart again."""
    return [event_id for (event_id,) in conn.execute("select event_id from stream.quarantine").fetchall()]


def store(conn: psycopg.Connection, rows: Sequence[QuarantineRow]) -> None:
    """In the caller's transaction; an act that is there stays as it was."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """insert into stream.quarantine (
                   event_id, reader_key, book_id, source, partition, log_offset, payload, received_at
               )
               values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict (event_id) do nothing""",
            [msgspec.structs.astuple(row) for row in rows],
        )


def release(conn: psycopg.Connection, now: datetime) -> int:
    """Append the waiting acts whose work is there now, each once; how many. Commits after every thousand.

    One that waited for more than 30 days comes too late by now and ends among the dead letters, where staff see it.
    """
    count = 0
    while done := _release_some(conn, now):
        count += done
    return count


def _release_some(conn: psycopg.Connection, now: datetime) -> int:
    with conn.transaction():
        rows = conn.execute(
            """select event_id, payload, received_at from stream.quarantine
               where released_at is null and exists (select from library.works where works.book_id = quarantine.book_id)
               order by found_at, partition, log_offset limit %s for update skip locked""",
            [RELEASED_AT_ONCE],
        ).fetchall()
        acts = []
        for event_id, payload, received_at in rows:
            act = parse_interaction(payload, received_at)
            assert not isinstance(act, BadEvent)
            acts.append(msgspec.structs.replace(act, event_id=uuid5(_RELEASE_NAMESPACE, str(event_id))))
        events.append_many(conn, acts)
        conn.execute(
            "update stream.quarantine set released_at = %s where event_id = any(%s)", [now, [row[0] for row in rows]]
        )
    return len(rows)


def waiting_for(conn: psycopg.Connection, staff: Account | None) -> list[tuple[int, int]]:
    """book_id of a work that is not there, and how many acts wait for it; most first. Raises NotAllowedError."""
    accounts.must_be_staff(staff)
    return conn.execute(
        """select book_id, count(*)::int from stream.quarantine where released_at is null
           group by book_id order by count(*) desc, book_id limit 100"""
    ).fetchall()


def all_of(conn: psycopg.Connection, limit: int = 100, *, with_released: bool = False) -> list[QuarantinedAct]:
    """The newest acts kept apart, those waiting only unless asked otherwise."""
    with conn.cursor(row_factory=class_row(QuarantinedAct)) as cursor:
        return cursor.execute(
            """select event_id, book_id, source, partition, log_offset, found_at, released_at
               from stream.quarantine where %s or released_at is null
               order by found_at desc, partition, log_offset desc limit %s""",
            [with_released, limit],
        ).fetchall()
