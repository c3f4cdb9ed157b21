"""Staff's hand on what is recommended: works excluded, boosted, buried or pinned, and curated rows. Each act is noted.

Every call that changes something checks who asks. What is drawn with it: `models.recommender`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

import psycopg
from psycopg.rows import class_row

from openshelf.contracts import clean_text
from openshelf.database import accounts, audit, pins
from openshelf.database.accounts import Account
from openshelf.database.filters import PRESENT, RECOMMENDED, SERVED
from openshelf.errors import UsageError

# By so much the mass of a work in a draw is multiplied at most, and divided at most.
STRONGEST = 4.0
EXCLUDED = 0.0
MAX_NOTE = 200
MAX_HEADING = 80
MAX_ROW_WORKS = 28
# Places of a slate that staff may pin on the page: more, and it is no recommendation any longer.
MAX_PIN_PLACES = 3


@dataclass(frozen=True)
class Steer:
    """`factor`: 0 excludes, below 1 buries, above 1 boosts."""

    steer_id: int
    book_id: int
    title: str
    factor: float
    note: str
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True)
class PinnedWork:
    pin_id: int
    book_id: int
    title: str
    position: int
    note: str
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True)
class CuratedRow:
    row_id: int
    heading: str
    book_ids: list[int]
    starts_at: datetime
    ends_at: datetime | None


def excluded(conn: psycopg.Connection) -> frozenset[int]:
    """Works that are not recommended at this moment."""
    rows = conn.execute(f"select book_id from library.steers where factor = 0 and {PRESENT}").fetchall()
    return frozenset(book_id for (book_id,) in rows)


def factors(conn: psycopg.Connection) -> dict[int, float]:
    """book_id -> factor of every work that is steered at this moment."""
    return dict(conn.execute(f"select book_id, factor from library.steers where {PRESENT}").fetchall())


def steers(conn: psycopg.Connection, staff: Account | None) -> list[Steer]:
    """What holds or will hold, the newest first. Raises NotAllowedError."""
    accounts.must_be_staff(staff)
    with conn.cursor(row_factory=class_row(Steer)) as cursor:
        return cursor.execute(
            """select steer_id, book_id, works.title, factor, note, starts_at, ends_at
               from library.steers join library.works using (book_id)
               where removed_at is null and (ends_at is null or ends_at > now()) order by steer_id desc limit 500"""
        ).fetchall()


def steer(
    conn: psycopg.Connection,
    staff: Account | None,
    book_id: int,
    factor: float,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    note: str = "",
) -> int:
    """Decide about a work; what was decided about it before is taken back. Returns the steer_id.

    Raises:
        NotAllowedError: who asks is not staff.
        UsageError: there is no such work, the factor is out of bounds, or the time is over before it begins.
    """
    account = accounts.must_be_staff(staff)
    if factor == 1 or not (factor == EXCLUDED or 1 / STRONGEST <= factor <= STRONGEST):
        raise UsageError(f"the factor is 0, or from {1 / STRONGEST:g} to {STRONGEST:g} and not 1")
    with conn.transaction():
        conn.execute(
            "update library.steers set removed_at = now() where book_id = %s and removed_at is null", [book_id]
        )
        try:
            row = conn.execute(
                """insert into library.steers (book_id, factor, starts_at, ends_at, note)
                   select book_id, %s, coalesce(%s, now()), %s, %s from library.works where book_id = %s
                   returning steer_id""",
                [factor, starts_at, ends_at, _line(note, MAX_NOTE), book_id],
            ).fetchone()
        except psycopg.errors.CheckViolation as error:
            raise UsageError("it must end later than it begins") from error
        if row is None:
            raise UsageError(f"there is no work {book_id}")
        act = "exclude" if factor == EXCLUDED else "boost" if factor > 1 else "bury"
        audit.note(conn, audit.actor_of(account.account_id), act, f"work {book_id} by {factor:g}")
    return row[0]


def release(conn: psycopg.Connection, staff: Account | None, steer_id: int) -> bool:
    """Take a decision back; False if it was. Raises NotAllowedError."""
    account = accounts.must_be_staff(staff)
    row = conn.execute(
        "update library.steers set removed_at = now() where steer_id = %s and removed_at is null returning book_id",
        [steer_id],
    ).fetchone()
    if row:
        audit.note(conn, audit.actor_of(account.account_id), "release", f"work {row[0]}")
    return row is not None


def pinned(conn: psycopg.Connection, staff: Account | None) -> list[PinnedWork]:
    """Pins that hold or will hold, by place. Raises NotAllowedError."""
    accounts.must_be_staff(staff)
    with conn.cursor(row_factory=class_row(PinnedWork)) as cursor:
        return cursor.execute(
            """select pin_id, book_id, works.title, position, note, starts_at, ends_at
               from library.pins join library.works using (book_id)
               where removed_at is null and (ends_at is null or ends_at > now()) order by position, pin_id limit 500"""
        ).fetchall()


def pin(
    conn: psycopg.Connection,
    staff: Account | None,
    book_id: int,
    position: int,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    note: str = "",
) -> int:
    """Put a work into a place (from 0) of every slate. Raises NotAllowedError, UsageError as `steer` does."""
    account = accounts.must_be_staff(staff)
    if not 0 <= position < MAX_PIN_PLACES:
        raise UsageError(f"only the first {MAX_PIN_PLACES} places are pinned here")
    try:
        with conn.transaction():
            pin_id = pins.add(conn, book_id, position, starts_at, ends_at, _line(note, MAX_NOTE))
    except psycopg.errors.CheckViolation as error:
        raise UsageError("it must end later than it begins") from error
    if pin_id is None:
        raise UsageError(f"there is no work {book_id}")
    audit.note(conn, audit.actor_of(account.account_id), "pin", f"work {book_id} at place {position}")
    return pin_id


def unpin(conn: psycopg.Connection, staff: Account | None, pin_id: int) -> bool:
    """Take a pin back; False if it was. Raises NotAllowedError."""
    account = accounts.must_be_staff(staff)
    if not pins.remove(conn, pin_id):
        return False
    audit.note(conn, audit.actor_of(account.account_id), "remove pin", str(pin_id))
    return True


_ROWS: LiteralString = """
    select row_id, heading, array_agg(book_id order by position) as book_ids, starts_at, ends_at
    from library.curated_rows join library.curated_works using (row_id)"""


def curated(conn: psycopg.Connection) -> list[CuratedRow]:
    """The rows that stand on the first page at this moment, the newest first; without what is excluded."""
    with conn.cursor(row_factory=class_row(CuratedRow)) as cursor:
        return cursor.execute(
            f"""{_ROWS} join library.works using (book_id)
                where curated_rows.removed_at is null and starts_at <= now() and (ends_at is null or ends_at > now())
                    and works.active and {SERVED} and {RECOMMENDED}
                group by row_id order by row_id desc limit 5"""
        ).fetchall()


def curated_rows(conn: psycopg.Connection, staff: Account | None) -> list[CuratedRow]:
    """Those that stand or will stand, the newest first. Raises NotAllowedError."""
    accounts.must_be_staff(staff)
    with conn.cursor(row_factory=class_row(CuratedRow)) as cursor:
        return cursor.execute(
            f"""{_ROWS} where removed_at is null and (ends_at is null or ends_at > now())
                group by row_id order by row_id desc limit 100"""
        ).fetchall()


def curate(
    conn: psycopg.Connection,
    staff: Account | None,
    heading: str,
    book_ids: Sequence[int],
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> int:
    """Put a row of books on the first page; its row_id.

    Raises:
        NotAllowedError: who asks is not staff.
        UsageError: no heading, no work that we have, more than `MAX_ROW_WORKS`, or a time over before it begins.
    """
    account = accounts.must_be_staff(staff)
    heading = _line(heading, MAX_HEADING)
    if not heading:
        raise UsageError("a row needs a heading")
    if len(book_ids) > MAX_ROW_WORKS:
        raise UsageError(f"a row has at most {MAX_ROW_WORKS} books")
    with conn.transaction():
        try:
            row = conn.execute(
                """insert into library.curated_rows (heading, starts_at, ends_at)
                   values (%s, coalesce(%s, now()), %s) returning row_id""",
                [heading, starts_at, ends_at],
            ).fetchone()
        except psycopg.errors.CheckViolation as error:
            raise UsageError("it must end later than it begins") from error
        assert row
        put = conn.execute(
            """insert into library.curated_works (row_id, book_id, position)
               select %s, book_id, min(place) - 1
               from unnest(%s::int[]) with ordinality as asked (book_id, place) join library.works using (book_id)
               group by book_id""",
            [row[0], list(book_ids)],
        )
        if put.rowcount < len(set(book_ids)) or not book_ids:
            raise UsageError("not every number is a work of the catalogue")
        audit.note(conn, audit.actor_of(account.account_id), "curate a row", f"{row[0]}, {put.rowcount} works")
    return row[0]


def uncurate(conn: psycopg.Connection, staff: Account | None, row_id: int) -> bool:
    """Take a row off the first page; False if it was. Raises NotAllowedError."""
    account = accounts.must_be_staff(staff)
    done = conn.execute(
        "update library.curated_rows set removed_at = now() where row_id = %s and removed_at is null", [row_id]
    )
    if done.rowcount:
        audit.note(conn, audit.actor_of(account.account_id), "remove a curated row", str(row_id))
    return bool(done.rowcount)


def _line(text: str, longest: int) -> str:
    return " ".join(clean_text(text[: 4 * longest]).split())[:longest]
