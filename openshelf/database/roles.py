"""Who may do what in Postgres: roles with no more rights than their part of the program needs.

They are groups without a password; the people or services that sign in are members of one. Whoever migrates owns all
tables, and runs the commands that change their shape: ingest, training, the warehouse, retention, backups.
"""

from contextlib import suppress
from typing import LiteralString

import psycopg
from psycopg import sql

STOREFRONT: LiteralString = "openshelf_storefront"
DATAFLOW: LiteralString = "openshelf_dataflow"
_PAGES: LiteralString = "openshelf_pages"

ROLES: dict[str, str] = {
    STOREFRONT: "storefront and API: reads and writes rows of every schema, changes no table, reads staff's figures",
    DATAFLOW: "dataflow and relay: reads catalogue and models, writes what readers did; sees no account",
}

_ROWS: LiteralString = "select, insert, update, delete"
# role -> (schema, rights on its tables); tables that are made later get them as well.
_GRANTS: tuple[tuple[LiteralString, LiteralString, LiteralString], ...] = (
    (STOREFRONT, "library", _ROWS),
    (STOREFRONT, "reading", _ROWS),
    (STOREFRONT, "stream", _ROWS),
    (STOREFRONT, "learning", _ROWS),
    (STOREFRONT, "marts", "select, delete"),  # an erasure takes a reader out of the figures at once
    (DATAFLOW, "library", "select"),
    (DATAFLOW, "learning", "select"),
    (DATAFLOW, "stream", _ROWS),
)
# As dbt/macros/grant_to_pages.sql has it.
PAGES_RIGHTS: tuple[LiteralString, ...] = (
    "usage on schema marts, learning, library",
    "select on all tables in schema marts",
    "select on learning.warehouse_builds, library.staff_notes",
)
# Of a schema that a role has no business in, what it needs all the same.
_SINGLE: tuple[tuple[LiteralString, LiteralString, LiteralString], ...] = (
    (DATAFLOW, "reading.erasures", "select, update"),
)


def make(conn: psycopg.Connection) -> list[str]:
    """Make the roles that are absent and grant what they need; returns all names. In the caller's transaction."""
    for role in ROLES:
        if conn.execute("select from pg_roles where rolname = %s", [role]).fetchone() is None:
            conn.execute(sql.SQL("create role {} nologin").format(sql.Identifier(role)))
    grant(conn)
    return list(ROLES)


def make_pages(conn: psycopg.Connection) -> None:
    """What a migration and each build of the warehouse do for staff pages, for a database that came from elsewhere."""
    with suppress(psycopg.errors.InsufficientPrivilege), conn.transaction():
        if conn.execute("select to_regrole(%s)", [_PAGES]).fetchone() == (None,):
            conn.execute(sql.SQL("create role {} nologin").format(sql.Identifier(_PAGES)))
        if conn.execute("select pg_has_role(current_user, %s, 'set')", [_PAGES]).fetchone() == (False,):
            conn.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(_PAGES)))
    has_marts = conn.execute("select to_regnamespace('marts') is not null and to_regrole(%s) is not null", [_PAGES])
    if has_marts.fetchone() == (True,):
        for rights in PAGES_RIGHTS:
            conn.execute(sql.SQL("grant {} to {}").format(sql.SQL(rights), sql.Identifier(_PAGES)))


def grant(conn: psycopg.Connection) -> None:
    """Grant what roles need, also on what a migration has brought; roles that are not there are left out."""
    there = {name for (name,) in conn.execute("select rolname from pg_roles where rolname like 'openshelf\\_%'")}
    for role in there & set(ROLES):
        conn.execute(sql.SQL("grant select on public.openshelf_migrations to {}").format(sql.Identifier(role)))
    for role, schema, rights in _GRANTS:
        if role in there:
            _grant_schema(conn, role, schema, rights)
    for role, table, rights in _SINGLE:
        if role in there:
            schema = sql.Identifier(table.partition(".")[0])
            conn.execute(sql.SQL("grant usage on schema {} to {}").format(schema, sql.Identifier(role)))
            name = sql.Identifier(*table.split("."))
            conn.execute(sql.SQL("grant {} on {} to {}").format(sql.SQL(rights), name, sql.Identifier(role)))
    is_member = "select pg_has_role(%s, %s, 'member')"
    if {STOREFRONT, _PAGES} <= there and conn.execute(is_member, [STOREFRONT, _PAGES]).fetchone() == (False,):
        conn.execute(sql.SQL("grant {} to {}").format(sql.Identifier(_PAGES), sql.Identifier(STOREFRONT)))


def _grant_schema(conn: psycopg.Connection, role: LiteralString, schema: LiteralString, rights: LiteralString) -> None:
    names = {"schema": sql.Identifier(schema), "role": sql.Identifier(role), "rights": sql.SQL(rights)}
    for statement in (
        "create schema if not exists {schema}",
        "grant usage on schema {schema} to {role}",
        "grant {rights} on all tables in schema {schema} to {role}",
        "grant usage, select on all sequences in schema {schema} to {role}",
        "alter default privileges in schema {schema} grant {rights} on tables to {role}",
        "alter default privileges in schema {schema} grant usage, select on sequences to {role}",
    ):
        conn.execute(sql.SQL(statement).format(**names))
