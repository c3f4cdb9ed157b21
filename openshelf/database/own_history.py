"""What a reader who keeps a history did, as they see it themselves: by month, by day, by book."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from openshelf.contracts import Action
from openshelf.database import erasures

# What says something to the reader; what was merely shown, or passed over without a word, does not.
TOLD = (
    Action.OPEN, Action.READ, Action.FINISH, Action.LIKE, Action.DISLIKE, Action.WANT, Action.RATE, Action.SKIP,
    Action.HIDE, Action.UNHIDE,
)  # fmt: skip
MAX_ENTRIES = 1_000


@dataclass(frozen=True)
class Month:
    first_day: date
    count_entries: int


@dataclass(frozen=True)
class Entry:
    """One book on one day. `actions`: in the order they happened; `stars`: of the last rating, if there was one."""

    day: date
    book_id: int
    actions: list[str]
    stars: float | None


def months(conn: psycopg.Connection, reader_key: str) -> list[Month]:
    """The months in which the reader did something, the latest first."""
    with conn.cursor(row_factory=class_row(Month)) as cursor:
        return cursor.execute(
            """select date_trunc('month', day)::date as first_day, count(*) as count_entries
               from (
                   select distinct (occurred_at at time zone 'utc')::date as day, book_id from stream.acts
                   where reader_key = %s and not inferred and action = any(%s) and book_id is not null
               ) as entries
               group by first_day order by first_day desc""",
            [reader_key, list(TOLD)],
        ).fetchall()


def entries(conn: psycopg.Connection, reader_key: str, month: date) -> list[Entry]:
    """What the reader did in a month, the latest day first."""
    with conn.cursor(row_factory=class_row(Entry)) as cursor:
        return cursor.execute(
            """select (occurred_at at time zone 'utc')::date as day, book_id,
                   array_agg(action order by occurred_at, event_id) as actions,
                   (array_agg(value order by occurred_at desc) filter (where action = 'rate'))[1] as stars
               from stream.acts
               where reader_key = %(reader_key)s and not inferred and action = any(%(told)s) and book_id is not null
                   and (occurred_at at time zone 'utc')::date >= %(month)s::date
                   and (occurred_at at time zone 'utc')::date < (%(month)s::date + interval '1 month')::date
               group by day, book_id order by day desc, max(occurred_at) desc limit %(limit)s""",
            {"reader_key": reader_key, "told": list(TOLD), "month": month.replace(day=1), "limit": MAX_ENTRIES},
        ).fetchall()


def remove(conn: psycopg.Connection, reader_key: str, day: date, book_id: int) -> int:
    """Remove what a reader did with a book on a day, from wherever an act is stored; how many acts that were.

    What was shown of it and passed over that day goes too.
    """
    rows = conn.execute(
        """select event_id from stream.acts
           where reader_key = %s and book_id = %s and (occurred_at at time zone 'utc')::date = %s""",
        [reader_key, book_id, day],
    ).fetchall()
    event_ids: list[UUID] = [event_id for (event_id,) in rows]
    return erasures.remove_acts(conn, reader_key, event_ids) if event_ids else 0
