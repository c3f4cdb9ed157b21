"""What ranking models learn from in the warehouse: glad acts, and the works as they are described."""

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from openshelf.database.filters import SERVED


@dataclass(frozen=True)
class GladAct:
    """The first glad act of a reader on a work."""

    reader_key: str
    book_id: int
    reward: float
    at: float | None  # seconds since 1970; None: of a data set that does not tell


@dataclass(frozen=True)
class DescribedWork:
    book_id: int
    title: str
    authors_text: str
    series_name: str | None
    subjects_text: str
    summary: str | None
    publisher: str | None
    year: int | None


def glad_acts(conn: psycopg.Connection, until: datetime | None = None) -> list[GladAct]:
    """The first per reader who keeps a history and active work, by reader and time; inferred acts are none.

    Of data sets too: their readers are readers like others. Acts without a time are a reader's first ones.

    What came later on the same work is left out, reward and all: a cut in time must not know it. With `until`: of the
    acts stored until then.
    """
    with conn.cursor(row_factory=class_row(GladAct)) as cursor:
        return cursor.execute(
            f"""with glad as (
                   select reader_key, book_id, reward, occurred_at, stored_at
                   from stream.acts where reward > 0 and not inferred and left(reader_key, 2) <> 's_'
                   union all
                   select reader_key, book_id, reward, occurred_at, stored_at
                   from stream.imported_acts join library.editions using (edition_id)
                   where reward > 0 and editions.active
               ),
               firsts as (
                   select distinct on (reader_key, book_id) reader_key, book_id, reward, occurred_at
                   from glad join library.works using (book_id)
                   where works.active and {SERVED} and stored_at <= coalesce(%s, 'infinity'::timestamptz)
                   order by reader_key, book_id, occurred_at nulls first, reward desc
               )
               select reader_key, book_id, reward::float8 as reward,
                   extract(epoch from occurred_at)::float8 as at
               from firsts order by reader_key, occurred_at nulls first, book_id""",
            [until],
        ).fetchall()


def described_works(conn: psycopg.Connection) -> list[DescribedWork]:
    """Every active work in ascending book_id."""
    with conn.cursor(row_factory=class_row(DescribedWork)) as cursor:
        return cursor.execute(
            f"""select works.book_id, works.title, works.authors_text, series.name as series_name,
                   works.subjects_text, works.summary, works.publisher, works.year
               from library.works left join library.series using (series_id)
               where works.active and {SERVED} order by works.book_id"""
        ).fetchall()
