"""Whole rows of a reader, for the reader to take along."""

from collections.abc import Collection, Sequence
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row


def freeze(conn: psycopg.Connection) -> None:
    """As the first statement of a transaction: all that it reads is of one moment, and it writes nothing."""
    conn.execute("set transaction isolation level repeatable read, read only")


def tables_there(conn: psycopg.Connection, names: Sequence[str]) -> list[str]:
    """Of these tables ('schema.table') those that are there."""
    found = conn.execute(
        "select name from unnest(%s::text[]) as name where to_regclass(name) is not null", [list(names)]
    ).fetchall()
    return [name for (name,) in found]


def tables_with_any(conn: psycopg.Connection, columns: Collection[str], schemas: Collection[str]) -> list[str]:
    """'schema.table' of every table in these schemas that has one of these columns."""
    found = conn.execute(
        """select distinct namespaces.nspname || '.' || tables.relname
           from pg_class as tables
           join pg_namespace as namespaces on namespaces.oid = tables.relnamespace
           join pg_attribute as columns on columns.attrelid = tables.oid
           where tables.relkind in ('r', 'p') and columns.attname = any(%s) and not columns.attisdropped
               and namespaces.nspname = any(%s)""",
        [sorted(columns), sorted(schemas)],
    ).fetchall()
    return [name for (name,) in found]


def rows_of(conn: psycopg.Connection, schema: str, table: str, column: str, value: object) -> list[dict[str, Any]]:
    """Every row whose column has this value, all of its columns."""
    statement = sql.SQL("select rows.* from {} as rows where rows.{} = %s").format(
        sql.Identifier(schema, table), sql.Identifier(column)
    )
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement, [value]).fetchall()


def titles(conn: psycopg.Connection, book_ids: Collection[int]) -> dict[int, str]:
    """book_id -> title, of withdrawn works too."""
    found = conn.execute("select book_id, title from library.works where book_id = any(%s)", [sorted(book_ids)])
    return dict(found.fetchall())
