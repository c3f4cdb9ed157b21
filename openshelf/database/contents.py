"""What a whole database holds, to be compared with what it held."""

from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from psycopg import sql

# What is told of a table must not depend on who asks.
_PLAIN = "set local datestyle = 'ISO, MDY'; set local timezone = 'UTC'; set local extra_float_digits = 1"


@dataclass(frozen=True)
class Contents:
    """Of a table: its rows, and the sum of their hashes, which does not depend on their order."""

    rows: int
    checksum: str


def of_tables(conn: psycopg.Connection, on_table: Callable[[str], None] | None = None) -> dict[str, Contents]:
    """Rows and checksum of every table of `sizes`; `on_table` is told of each that was read."""
    conn.execute(_PLAIN)
    found = {}
    for name in sizes(conn):
        row = conn.execute(
            sql.SQL(
                "select count(*), coalesce(sum(hashtextextended(each::text, 0)::numeric), 0)::text from {} as each"
            ).format(sql.Identifier(*name.split(".", 1)))
        ).fetchone()
        assert row
        found[name] = Contents(*row)
        if on_table:
            on_table(name)
    return found


def sizes(conn: psycopg.Connection) -> dict[str, int]:
    """Bytes of every table that is not the server's own or an extension's, without indexes, by schema.table."""
    rows = conn.execute(
        """select namespace.nspname || '.' || class.relname, coalesce(pg_table_size(class.oid), 0)
           from pg_class as class
           join pg_namespace as namespace on namespace.oid = class.relnamespace
           where class.relkind = 'r' and namespace.nspname <> 'information_schema'
               and namespace.nspname not like 'pg\\_%'
               and not exists (
                   select from pg_depend where classid = 'pg_class'::regclass and objid = class.oid and deptype = 'e'
               )
           order by namespace.nspname, class.relname"""
    )
    return dict(rows.fetchall())


def share_snapshot(conn: psycopg.Connection) -> str:
    """Name of what this connection sees, for pg_dump to see the same; good until its transaction ends."""
    conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    conn.read_only = True
    row = conn.execute("select pg_export_snapshot()").fetchone()
    assert row
    return row[0]


def count_other_clients(conn: psycopg.Connection) -> int:
    """Connections to this database beside this one."""
    row = conn.execute(
        """select count(*) from pg_stat_activity
           where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"""
    ).fetchone()
    assert row
    return row[0]
