"""Works that staff put into a place of every slate for a time."""

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

import psycopg
from psycopg.rows import class_row

from openshelf.database.filters import PRESENT


@dataclass(frozen=True)
class PinRow:
    pin_id: int
    book_id: int
    position: int
    note: str
    starts_at: datetime
    ends_at: datetime | None
    removed_at: datetime | None


_COLUMNS: LiteralString = "pin_id, book_id, position, note, starts_at, ends_at, removed_at"


def add(
    conn: psycopg.Connection,
    book_id: int,
    position: int,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    note: str = "",
) -> int | None:
    """The id of the new pin, from now on unless a start is given; None if there is no such work."""
    row = conn.execute(
        """insert into library.pins (book_id, position, starts_at, ends_at, note)
           select book_id, %s, coalesce(%s, now()), %s, %s from library.works where book_id = %s
           returning pin_id""",
        [position, starts_at, ends_at, note, book_id],
    ).fetchone()
    return row[0] if row else None


def remove(conn: psycopg.Connection, pin_id: int) -> bool:
    done = conn.execute("update library.pins set removed_at = now() where pin_id = %s and removed_at is null", [pin_id])
    return bool(done.rowcount)


def all_of(conn: psycopg.Connection) -> list[PinRow]:
    with conn.cursor(row_factory=class_row(PinRow)) as cursor:
        return cursor.execute(f"select {_COLUMNS} from library.pins order by pin_id").fetchall()


def present(conn: psycopg.Connection) -> list[PinRow]:
    """Those that hold at this moment, by place; of several for one place the oldest first."""
    with conn.cursor(row_factory=class_row(PinRow)) as cursor:
        return cursor.execute(
            f"select {_COLUMNS} from library.pins where {PRESENT} order by position, pin_id"
        ).fetchall()
