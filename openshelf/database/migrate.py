"""Numbered forward-only migrations, each applied once, all or nothing, safe to run together."""

from dataclasses import dataclass
from importlib import resources

import psycopg

from openshelf.errors import SchemaError

_LOCK = 7300


@dataclass(frozen=True)
class Migration:
    number: int
    name: str
    sql: str


def known() -> list[Migration]:
    """The migrations this program brings, in order."""
    folder = resources.files("openshelf.database") / "migrations"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return [Migration(int(f.name[:4]), f.name.removesuffix(".sql"), f.read_text("utf-8")) for f in files]


def applied(conn: psycopg.Connection) -> int:
    """Number of the newest migration in this database; 0 when it is empty."""
    if conn.execute("select to_regclass('public.openshelf_migrations')").fetchone() == (None,):
        return 0
    row = conn.execute("select coalesce(max(number), 0) from public.openshelf_migrations").fetchone()
    assert row
    return row[0]


def check(conn: psycopg.Connection) -> None:
    """Refuse a database whose schema is not this program's.

    Raises:
        SchemaError: what is there, what is wanted, and what to run.
    """
    have, want = applied(conn), known()[-1].number
    if have < want:
        raise SchemaError(f"the database has schema {have}, this program wants {want}: run `openshelf migrate`")
    if have > want:
        raise SchemaError(f"the database has schema {have}, this program knows only {want}: install the newer program")


def migrate(conn: psycopg.Connection) -> list[str]:
    """Apply what is missing in one transaction; returns the names applied. Two callers take turns."""
    done: list[str] = []
    with conn.transaction():
        conn.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        conn.execute(
            """create table if not exists public.openshelf_migrations (
                   number int primary key, name text not null, applied_at timestamptz not null default now()
               )"""
        )
        have = applied(conn)
        for migration in known():
            if migration.number > have:
                conn.execute(migration.sql)  # pyright: ignore[reportArgumentType, reportCallIssue]
                conn.execute(
                    "insert into public.openshelf_migrations (number, name) values (%s, %s)",
                    [migration.number, migration.name],
                )
                done.append(migration.name)
    return done
