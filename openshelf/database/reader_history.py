"""What a reader did, as the dataflow stored it: enough to make the reader's state anew."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from openshelf.contracts import Action, Interaction, Surface


@dataclass(frozen=True)
class StoredAct:
    """One interaction as stored, for rebuilding a reader's state; `log_offset` if it came through the log."""

    event: Interaction
    reward: float
    log_offset: int | None
    received_at: datetime


@dataclass(frozen=True)
class _Act:
    event_id: UUID
    occurred_at: datetime
    session_id: UUID
    action: str
    book_id: int | None
    surface: str
    slate_id: UUID | None
    position: int | None
    value: float | None
    reward: float
    log_offset: int | None
    received_at: datetime


def stored_acts(
    conn: psycopg.Connection,
    reader_key: str,
    *,
    before_offset: int | None,
    received_by: datetime | None = None,
    limit: int = 20_000,
) -> list[StoredAct]:
    """A reader's newest stored acts in the order of the log, those before `before_offset` if it is given.

    With it, of the acts that did not come through the log those that had come by `received_by`. Without inferred
    skips: these follow from the others.
    """
    with conn.cursor(row_factory=class_row(_Act)) as cursor:
        rows = cursor.execute(
            """select event_id, occurred_at, session_id, action, book_id, surface, slate_id, position, value,
                      reward::float8, log_offset, received_at
               from stream.interactions
               where reader_key = %(reader_key)s and not inferred
                   and (
                       %(before)s::bigint is null or log_offset < %(before)s
                       or (log_offset is null and received_at <= %(received_by)s::timestamptz)
                   )
               order by log_offset desc nulls last, received_at desc
               limit %(limit)s""",
            {"reader_key": reader_key, "before": before_offset, "received_by": received_by, "limit": limit},
        ).fetchall()
    return [
        StoredAct(
            Interaction(
                event_id=row.event_id,
                occurred_at=row.occurred_at,
                reader_key=reader_key,
                session_id=row.session_id,
                action=Action(row.action),
                book_id=row.book_id,
                surface=Surface(row.surface),
                slate_id=row.slate_id,
                position=row.position,
                value=row.value,
            ),
            row.reward,
            row.log_offset,
            row.received_at,
        )
        for row in reversed(rows)
    ]
