"""Readers who are forgotten: the word that goes through the log, the marks that stay, requests and certificates."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, LiteralString
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from openshelf import topics
from openshelf.contracts import new_event_id

# No event begins so: an event is a JSON object.
_FORGET = b"forget "
_MAX_KEY_BYTES = 200

Kind = Literal["history", "account"]
AskedBy = Literal["reader", "library", "restore"]


@dataclass(frozen=True)
class Erasure:
    """A request that is being carried out. `done`: its steps so far; `counts`: rows removed, by store."""

    erasure_id: int
    kind: Kind
    account_id: int
    reader_keys: list[str]
    asked_at: datetime
    asked_by: AskedBy
    done: list[str]
    counts: dict[str, int]


@dataclass(frozen=True)
class Certificate:
    certificate_id: int
    kind: Kind
    asked_by: AskedBy
    asked_on: date
    finished_on: date
    counts: dict[str, int]


def forgotten_by(payload: bytes) -> str | None:
    """Whom this entry of the log asks to forget; None if it is something else."""
    if not payload.startswith(_FORGET) or len(payload) > _MAX_KEY_BYTES:
        return None
    return payload.removeprefix(_FORGET).decode("utf-8", "replace").replace("\x00", "") or None


def forget(conn: psycopg.Connection, reader_keys: Collection[str]) -> None:
    """Close the log to these readers, and append the word to forget them, in the caller's transaction."""
    for reader_key in sorted(reader_keys, key=topics.partition_of):
        conn.execute(
            "select stream.forget(%s::smallint, %s, %s, %s)",
            [topics.partition_of(reader_key), new_event_id(), reader_key, _FORGET + reader_key.encode()],
        )


def marks(conn: psycopg.Connection) -> list[bytes]:
    return [mark for (mark,) in conn.execute("select mark from stream.erased").fetchall()]


def remember_mark(conn: psycopg.Connection, mark: bytes, kind: str) -> None:
    conn.execute(
        "insert into stream.erased (mark, kind) values (%s, %s) on conflict (mark) do nothing",
        [mark, "account" if kind == "account" else "reader"],
    )


def kinds_of_marks(conn: psycopg.Connection) -> dict[bytes, str]:
    return dict(conn.execute("select mark, kind from stream.erased").fetchall())


def tables_with(conn: psycopg.Connection, column: str) -> list[tuple[str, str]]:
    """(schema, table) of every table of this database that has this column, whoever made it.

    Facts of the warehouse before its dimensions: what goes from a fact is counted by what the dimension says of it.
    """
    return conn.execute(
        """select namespaces.nspname, tables.relname
           from pg_class as tables
           join pg_namespace as namespaces on namespaces.oid = tables.relnamespace
           join pg_attribute as columns on columns.attrelid = tables.oid
           where tables.relkind in ('r', 'p') and columns.attname = %s and not columns.attisdropped
               and namespaces.nspname not in ('pg_catalog', 'information_schema')
           order by namespaces.nspname, starts_with(tables.relname, 'dim_'), tables.relname""",
        [column],
    ).fetchall()


def remove_rows(conn: psycopg.Connection, schema: str, table: str, column: str, values: Sequence[object]) -> int:
    """Delete the rows whose column has one of the values; how many."""
    statement = sql.SQL("delete from {} where {} = any(%s)").format(
        sql.Identifier(schema, table), sql.Identifier(column)
    )
    return conn.execute(statement, [list(values)]).rowcount


def vacuum_of(schema: str, table: str) -> sql.Composed:
    return sql.SQL("vacuum {}").format(sql.Identifier(schema, table))


def erased_keys(conn: psycopg.Connection, schema: str, table: str) -> list[str]:
    """The reader_keys of erased readers in a table. The word to forget one, which is in the log, counts as none."""
    statement = sql.SQL(
        """select distinct reader_key from {} as rows
           where exists (select from stream.erased where kind = 'reader')
               and stream.is_erased(reader_key) and {}"""
    ).format(
        sql.Identifier(schema, table),
        sql.SQL("not starts_with(encode(payload, 'escape'), {})").format(sql.Literal(_FORGET.decode()))
        if (schema, table) == ("stream", "event_log")
        else sql.SQL("true"),
    )
    return [key for (key,) in conn.execute(statement).fetchall()]


def remove_from_stream(conn: psycopg.Connection, reader_keys: Sequence[str]) -> dict[str, int]:
    """Delete what the dataflow made of these readers' acts; the log is another matter (`remove_from_log`)."""
    return {
        f"stream.{table}": remove_rows(conn, schema, table, "reader_key", reader_keys)
        for schema, table in tables_with(conn, "reader_key")
        if schema == "stream" and table != "event_log"
    }


_REMOVED: LiteralString = """
    insert into stream.log_ends as ends (partition, next_offset)
    select partition, max(log_offset) + 1 from removed group by partition
    on conflict (partition) do update set next_offset = greatest(ends.next_offset, excluded.next_offset)"""


def remove_from_log(conn: psycopg.Connection, reader_keys: Sequence[str], *, with_words: bool) -> int:
    """Delete these readers' entries of the log, the words to forget them only if asked; how many."""
    partitions = sorted({topics.partition_of(reader_key) for reader_key in reader_keys})
    row = conn.execute(
        f"""with removed as (
                delete from stream.event_log
                where partition = any(%(partitions)s::smallint[]) and reader_key = any(%(keys)s)
                    and (%(with_words)s or payload <> %(word)s || convert_to(reader_key, 'UTF8'))
                returning partition, log_offset
            ), ended as ({_REMOVED})
            select count(*) from removed""",
        {"partitions": partitions, "keys": list(reader_keys), "with_words": with_words, "word": _FORGET},
    ).fetchone()
    assert row
    return row[0]


def remove_acts(conn: psycopg.Connection, reader_key: str, event_ids: Sequence[UUID]) -> int:
    """Delete single acts of a reader wherever an act is stored, the log too; how many were stored."""
    partition = topics.partition_of(reader_key)
    values = {"partition": partition, "reader_key": reader_key, "event_ids": list(event_ids)}
    conn.execute(
        f"""with removed as (
                delete from stream.event_log
                where partition = %(partition)s and reader_key = %(reader_key)s and event_id = any(%(event_ids)s)
                returning partition, log_offset
            ) {_REMOVED}""",
        values,
    )
    removed = 0
    of_readers = tables_with(conn, "reader_key")
    for schema, table in tables_with(conn, "event_id"):
        # The answer to an act, a slate, is no act: it says what was recommended.
        if (schema, table) not in of_readers or table in ("event_log", "slates"):
            continue
        statement = sql.SQL("delete from {} where reader_key = %(reader_key)s and event_id = any(%(event_ids)s)")
        count = conn.execute(statement.format(sql.Identifier(schema, table)), values).rowcount
        removed = max(removed, count)
    return removed


def trim_log(conn: psycopg.Connection, consumers: Sequence[str], before: datetime, visits_before: datetime) -> int:
    """Delete entries of the log that all consumers have taken and that are old: of visits sooner; how many."""
    row = conn.execute(
        f"""with taken as (
                select partition, min(coalesce(next_offset, 0)) as next_offset
                from generate_series(0, %(last)s) as partition
                cross join unnest(%(consumers)s::text[]) as consumer
                left join stream.progress using (partition, consumer)
                group by partition
            ), removed as (
                delete from stream.event_log as log using taken
                where log.partition = taken.partition and log.log_offset < taken.next_offset
                    and log.appended_at
                    < case when left(log.reader_key, 2) = 's_' then %(visits)s else %(before)s end::timestamptz
                returning log.partition, log.log_offset
            ), ended as ({_REMOVED})
            select count(*) from removed""",
        {"last": topics.PARTITIONS - 1, "consumers": list(consumers), "before": before, "visits": visits_before},
    ).fetchone()
    assert row
    return row[0]


def lock_requests(conn: psycopg.Connection, reader_key: str) -> list[int]:
    """The requests about a reader, nobody else's until the transaction ends.

    First the requests, then the rows: in this order the dataflow and the steps of an erasure never wait in a circle.
    """
    rows = conn.execute(
        "select erasure_id from reading.erasures where %s = any(reader_keys) order by erasure_id for update",
        [reader_key],
    )
    return [erasure_id for (erasure_id,) in rows]


def remove_forgotten(conn: psycopg.Connection, reader_key: str) -> None:
    """What the dataflow does at the word to forget a reader: everything before it is stored, and is removed now."""
    row = conn.execute("select stream.is_erased(%s)", [reader_key]).fetchone()
    if not (row and row[0]):
        return
    asked = lock_requests(conn, reader_key)
    counts = {"stream.event_log": remove_from_log(conn, [reader_key], with_words=False)}
    counts |= remove_from_stream(conn, [reader_key])
    remove_from_log(conn, [reader_key], with_words=True)
    if asked and (erasure := locked(conn, asked[0])):
        _count(conn, erasure, counts)


def are_forgotten(conn: psycopg.Connection, reader_keys: Sequence[str]) -> bool:
    """Whether the dataflow has heard every word to forget one of these."""
    row = conn.execute(
        """select not exists (
               select from stream.event_log
               where partition = any(%s::smallint[]) and reader_key = any(%s)
           )""",
        [sorted({topics.partition_of(key) for key in reader_keys}), list(reader_keys)],
    ).fetchone()
    assert row
    return row[0]


def remove_dead_letters(conn: psycopg.Connection, words: Sequence[str]) -> int:
    """Delete the dead letters in which one of these words stands, whatever else they hold; how many."""
    return conn.execute(
        """delete from stream.dead_letters
           where exists (
               select from unnest(%s::text[]) as word where position(convert_to(word, 'UTF8') in payload) > 0
           )""",
        [list(words)],
    ).rowcount


_ERASURE: LiteralString = "erasure_id, kind, account_id, reader_keys, asked_at, asked_by, done, counts"


def request(
    conn: psycopg.Connection, kind: Kind, account_id: int, reader_keys: Collection[str], asked_by: AskedBy
) -> int:
    """Write a request down, in the caller's transaction."""
    row = conn.execute(
        """insert into reading.erasures (kind, account_id, reader_keys, asked_by) values (%s, %s, %s, %s)
           returning erasure_id""",
        [kind, account_id, sorted(reader_keys), asked_by],
    ).fetchone()
    assert row
    return row[0]


def waiting(conn: psycopg.Connection) -> list[Erasure]:
    """The requests that are not finished, oldest first."""
    with conn.cursor(row_factory=class_row(Erasure)) as cursor:
        return cursor.execute(f"select {_ERASURE} from reading.erasures order by erasure_id").fetchall()


def locked(conn: psycopg.Connection, erasure_id: int) -> Erasure | None:
    """A request, nobody else's until the transaction ends; None if it is finished."""
    with conn.cursor(row_factory=class_row(Erasure)) as cursor:
        return cursor.execute(
            f"select {_ERASURE} from reading.erasures where erasure_id = %s for update", [erasure_id]
        ).fetchone()


def step_done(conn: psycopg.Connection, erasure: Erasure, step: str, counts: dict[str, int]) -> None:
    """Note in the caller's transaction that a step is done."""
    _count(conn, erasure, counts)
    conn.execute(
        "update reading.erasures set done = array_append(done, %s) where erasure_id = %s", [step, erasure.erasure_id]
    )


def _count(conn: psycopg.Connection, erasure: Erasure, counts: dict[str, int]) -> None:
    total = erasure.counts | {store: erasure.counts.get(store, 0) + count for store, count in counts.items()}
    conn.execute("update reading.erasures set counts = %s where erasure_id = %s", [Jsonb(total), erasure.erasure_id])


def certify(conn: psycopg.Connection, erasure: Erasure) -> None:
    """Instead of the request, in the caller's transaction: that it was carried out, and to nobody's name."""
    conn.execute(
        """insert into reading.erasure_certificates (kind, asked_by, asked_on, finished_on, counts)
           values (%s, %s, %s, current_date, %s)""",
        [erasure.kind, erasure.asked_by, erasure.asked_at.date(), Jsonb(erasure.counts)],
    )
    conn.execute("delete from reading.erasures where erasure_id = %s", [erasure.erasure_id])


def certificates(conn: psycopg.Connection, limit: int = 100) -> list[Certificate]:
    """The newest first."""
    with conn.cursor(row_factory=class_row(Certificate)) as cursor:
        return cursor.execute(
            """select certificate_id, kind, asked_by, asked_on, finished_on, counts
               from reading.erasure_certificates order by certificate_id desc limit %s""",
            [limit],
        ).fetchall()
