"""What happened on a day, in words of staff: a mark on every chart over time."""

from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg.rows import class_row

from openshelf.contracts import clean_text
from openshelf.database import accounts, audit
from openshelf.database.accounts import Account
from openshelf.errors import UsageError

MAX_NOTE = 200


@dataclass(frozen=True)
class StaffNote:
    note_id: int
    day: date
    note: str


def between(conn: psycopg.Connection, staff: Account | None, first: date, last: date) -> list[StaffNote]:
    """Those of the days from `first` to `last`, by day. Raises NotAllowedError."""
    accounts.must_be_staff(staff)
    with conn.cursor(row_factory=class_row(StaffNote)) as cursor:
        return cursor.execute(
            """select note_id, day, note from library.staff_notes
               where removed_at is null and day between %s and %s order by day, note_id""",
            [first, last],
        ).fetchall()


def add(conn: psycopg.Connection, staff: Account | None, day: date, note: str) -> int:
    """Raises NotAllowedError, and UsageError if it says nothing."""
    account = accounts.must_be_staff(staff)
    words = " ".join(clean_text(note[: 4 * MAX_NOTE]).split())[:MAX_NOTE]
    if not words:
        raise UsageError("a note needs words")
    row = conn.execute(
        "insert into library.staff_notes (day, note) values (%s, %s) returning note_id", [day, words]
    ).fetchone()
    assert row
    audit.note(conn, audit.actor_of(account.account_id), "add a note", f"{row[0]} on {day}")
    return row[0]


def remove(conn: psycopg.Connection, staff: Account | None, note_id: int) -> bool:
    """False if it was removed before. Raises NotAllowedError."""
    account = accounts.must_be_staff(staff)
    done = conn.execute(
        "update library.staff_notes set removed_at = now() where note_id = %s and removed_at is null", [note_id]
    )
    if done.rowcount:
        audit.note(conn, audit.actor_of(account.account_id), "remove a note", str(note_id))
    return bool(done.rowcount)
