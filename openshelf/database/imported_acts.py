"""Acts of published data sets. They are no visits: models learn from them, and no figure of the library counts them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from openshelf.database import erasures


@dataclass(frozen=True)
class Stored:
    """What became of a data set's acts. `held`: how many there are now."""

    held: int
    written: int  # new or changed
    removed: int


@dataclass(frozen=True)
class Dataset:
    """A data set that was taken in. `name`: as it was called then."""

    library_id: int
    name: str
    last_ingested_at: datetime | None
    count_works: int
    count_acts: int


def datasets(conn: psycopg.Connection) -> list[Dataset]:
    """What is held of each, by name; of one that was removed nothing."""
    with conn.cursor(row_factory=class_row(Dataset)) as cursor:
        return cursor.execute(
            """select library_id, split_part(calibre_uuid, ':', 2) as name, last_ingested_at,
                   (select count(distinct book_id) from library.editions
                    where editions.library_id = libraries.library_id and active) as count_works,
                   (select count(*) from stream.imported_acts as acts
                    where acts.library_id = libraries.library_id) as count_acts
               from library.libraries where kind = 'dataset' order by name"""
        ).fetchall()


def store(conn: psycopg.Connection, library_id: int, rewards_version: str, blocks: Iterable[str]) -> Stored:
    """Make the acts of a data set those of these lines, in the caller's transaction; what is equal is not touched.

    Args:
        library_id: the data set.
        rewards_version: of the rewards in the lines.
        blocks: lines of CSV: reader_key, edition_id, action, value, reward, occurred_at; each reader and edition once.
    """
    conn.execute("drop table if exists incoming_acts")
    conn.execute(
        """create temp table incoming_acts (
               reader_key text, edition_id int, action text, value double precision, reward real,
               occurred_at timestamptz
           ) on commit drop"""
    )
    with conn.cursor().copy("copy incoming_acts from stdin (format csv)") as copy:
        for block in blocks:
            copy.write(block)
    # Without figures of both, the first run after a large one would compare every row with every other.
    conn.execute("alter table incoming_acts add primary key (reader_key, edition_id)")
    conn.execute("analyze incoming_acts")
    conn.execute("analyze stream.imported_acts")
    removed = conn.execute(
        """delete from stream.imported_acts as held where library_id = %s and not exists (
               select from incoming_acts as i where i.reader_key = held.reader_key and i.edition_id = held.edition_id
           )""",
        [library_id],
    ).rowcount
    written = conn.execute(
        """insert into stream.imported_acts (
               library_id, reader_key, edition_id, action, value, reward, rewards_version, occurred_at)
           select %(library)s, i.reader_key, i.edition_id, i.action, i.value, i.reward, %(rewards)s, i.occurred_at
           from incoming_acts as i left join stream.imported_acts as held using (reader_key, edition_id)
           where held.reader_key is null
               or (held.action, held.value, held.reward, held.rewards_version, held.occurred_at)
                   is distinct from (i.action, i.value, i.reward, %(rewards)s, i.occurred_at)
           on conflict (reader_key, edition_id) do update set
               action = excluded.action, value = excluded.value, reward = excluded.reward,
               rewards_version = excluded.rewards_version, occurred_at = excluded.occurred_at, stored_at = now()""",
        {"library": library_id, "rewards": rewards_version},
    ).rowcount
    return Stored(count(conn, library_id), written, removed)


def count(conn: psycopg.Connection, library_id: int) -> int:
    row = conn.execute("select count(*) from stream.imported_acts where library_id = %s", [library_id]).fetchone()
    assert row
    return row[0]


def remove(conn: psycopg.Connection, library_id: int) -> int:
    """All acts of a data set; how many there were."""
    return conn.execute("delete from stream.imported_acts where library_id = %s", [library_id]).rowcount


def forget(conn: psycopg.Connection, reader_key: str, mark: bytes) -> int:
    """Remove a reader of a data set, whom no further ingest brings back; how many acts there were."""
    erasures.remember_mark(conn, mark, "reader")
    return sum(erasures.remove_from_stream(conn, [reader_key]).values())
