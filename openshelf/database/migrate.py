"""Numbered forward-only migrations, each applied once, all or nothing, safe to run together.

A migration that only adds, so that the program before it finds all it knows, says so in its first line: `-- additive:
programs of schema 18 may go on`. While such a one is brought in, both programs may run.
"""

import re
from dataclasses import dataclass
from importlib import resources

import psycopg

from openshelf.errors import SchemaError
from openshelf.settings import get_settings

_LOCK = 7300
_ADDITIVE = re.compile(r"-- additive: programs of schema (\d+) may go on\b")


@dataclass(frozen=True)
class Migration:
    number: int
    name: str
    sql: str

    @property
    def oldest_program(self) -> int:
        """The oldest schema whose programs work with the database after this migration."""
        found = _ADDITIVE.match(self.sql)
        return int(found[1]) if found else self.number


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
    """Refuse a database that this program does not know; of a newer one it says itself whether it can be worked with.

    Raises:
        SchemaError: what is there, what is wanted, and what to run.
    """
    have, want = applied(conn), known()[-1].number
    if have == 0:
        # Most often somebody stands in another folder than the library that is meant.
        settings = get_settings()
        where = f"{conn.info.dbname} on {conn.info.host}" if settings.database_url else f"home folder {settings.home}"
        raise SchemaError(
            f"the database is empty ({where}): for a new library run `openshelf migrate`; if there should be one, name "
            "it by OPENSHELF_HOME or OPENSHELF_DATABASE_URL, or go to the folder with its .env"
        )
    if have < want:
        raise SchemaError(f"the database has schema {have}, this program wants {want}: run `openshelf migrate`")
    if have > want and _oldest_program(conn, want) > want:
        raise SchemaError(f"the database has schema {have}, this program knows only {want}: install the newer program")


def _oldest_program(conn: psycopg.Connection, known_until: int) -> int:
    """What the migrations that came after `known_until` ask for. Read by name: older databases lack the column."""
    row = conn.execute(
        """select max(coalesce((to_jsonb(migration) ->> 'oldest_program')::int, number))
           from public.openshelf_migrations as migration where number > %s""",
        [known_until],
    ).fetchone()
    assert row
    return row[0]


def migrate(conn: psycopg.Connection) -> list[str]:
    """Apply what is missing in one transaction; returns the names applied. Two callers take turns.

    Raises:
        SchemaError: one failed; nothing was changed.
    """
    done: list[str] = []
    with conn.transaction():
        conn.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        conn.execute(
            """create table if not exists public.openshelf_migrations (
                   number int primary key, name text not null, applied_at timestamptz not null default now()
               )"""
        )
        conn.execute("alter table public.openshelf_migrations add column if not exists oldest_program int")
        have = applied(conn)
        for migration in known():
            if migration.number > have:
                try:
                    conn.execute(migration.sql)  # pyright: ignore[reportArgumentType, reportCallIssue]
                except psycopg.Error as error:
                    raise SchemaError(
                        f"migration {migration.name} failed and nothing was changed: {str(error).splitlines()[0]}. "
                        "Mend that and run `openshelf migrate` again, or go on with the program of before"
                    ) from error
                conn.execute(
                    "insert into public.openshelf_migrations (number, name, oldest_program) values (%s, %s, %s)",
                    [migration.number, migration.name, migration.oldest_program],
                )
                done.append(migration.name)
    return done
