"""Roles in Postgres: each suffices for its part of the program, run for real under it, and for no more."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from openshelf.contracts import Action, Interaction, Surface, new_event_id, utc_now
from openshelf.database import accounts, events, migrate, roles
from openshelf.settings import get_settings

ROOT = Path(__file__).resolve().parents[2]
OPENSHELF = str(Path(sys.executable).with_name("openshelf"))


@pytest.fixture
def sign_in(database: str, conn: psycopg.Connection) -> Iterator[Callable[[str], str]]:
    """A login of a role in the database of this test; its URL."""
    made: list[str] = []
    roles.make(conn)
    conn.commit()

    def member_of(role: str) -> str:
        name = f"{role}_{os.getpid()}_{len(made)}"
        conn.execute(sql.SQL("create role {} login in role {}").format(sql.Identifier(name), sql.Identifier(role)))
        conn.commit()
        made.append(name)
        parts = urlsplit(database)
        return parts._replace(netloc=f"{name}:@{parts.netloc.rpartition('@')[2]}").geturl()

    yield member_of
    conn.rollback()
    for name in made:
        conn.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))
    conn.commit()


def visit(reader_key: str) -> Interaction:
    return Interaction(
        event_id=new_event_id(),
        occurred_at=utc_now(),
        reader_key=reader_key,
        session_id=new_event_id(),
        action=Action.VISIT,
        book_id=None,
        surface=Surface.API,
        value=None,
    )


def test_the_dataflow_works_under_its_role(
    conn: psycopg.Connection, sign_in: Callable[[str], str], tmp_path: Path
) -> None:
    url = sign_in(roles.DATAFLOW)
    events.append(conn, visit("reader"))
    conn.commit()
    with (tmp_path / "log").open("w") as log:
        dataflow = subprocess.Popen(
            [OPENSHELF, "stream", "run"], env=os.environ | {"OPENSHELF_DATABASE_URL": url}, stderr=log
        )
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            (count,) = conn.execute("select count(*) from stream.interactions").fetchone() or (0,)
            conn.rollback()
            if count:
                break
            assert dataflow.poll() is None, (tmp_path / "log").read_text()[-3000:]
            time.sleep(0.2)
    finally:
        dataflow.terminate()
        dataflow.wait(timeout=60)

    assert count == 1, (tmp_path / "log").read_text()[-3000:]
    assert "permission denied" not in (tmp_path / "log").read_text()


def test_the_storefront_reads_and_writes_under_its_role(
    conn: psycopg.Connection, sign_in: Callable[[str], str]
) -> None:
    with psycopg.connect(sign_in(roles.STOREFRONT)) as own:
        migrate.check(own)
        account = accounts.create_local(own, "ada", "Ada", "hash")
        assert account
        events.append(own, visit("reader"))
        own.execute("set local role openshelf_pages")
        own.commit()
        assert own.execute("select count(*) from stream.event_log").fetchone() == (1,)


FOR_NO_ROLE = [
    "create table reading.more (x int)",
    "drop table stream.event_log",
    "alter table stream.event_log add column x int",
    "truncate stream.event_log",
    "create role another",
    "alter role openshelf_pages login",
    "select * from pg_authid",
    "copy (select 1) to program 'true'",
    "select pg_read_file('postgresql.conf')",
    "update public.openshelf_migrations set number = 1",
]
NOT_FOR_THE_DATAFLOW = [
    "select * from reading.accounts",
    "select * from reading.pseudonyms",
    "select * from reading.sign_ins",
    "update library.works set title = 'x'",
    "update learning.models set status = 'champion'",
]


@pytest.mark.parametrize("role", roles.ROLES)
def test_no_role_changes_tables_or_reaches_beyond_what_it_needs(sign_in: Callable[[str], str], role: str) -> None:
    with psycopg.connect(sign_in(role), autocommit=True) as own:
        for statement in FOR_NO_ROLE + (NOT_FOR_THE_DATAFLOW if role == roles.DATAFLOW else []):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                own.execute(statement)  # pyright: ignore[reportArgumentType, reportCallIssue]


def test_a_table_that_a_migration_brings_is_granted_as_well(
    conn: psycopg.Connection, sign_in: Callable[[str], str]
) -> None:
    url = sign_in(roles.STOREFRONT)
    conn.execute("create table library.later (x int)")
    conn.commit()
    with psycopg.connect(url) as own:
        own.execute("insert into library.later values (1)")


def test_the_command_makes_the_roles_and_may_be_run_again(database: str) -> None:
    for _ in range(2):
        done = subprocess.run([OPENSHELF, "database", "roles"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert all(role in done.stdout for role in roles.ROLES)
    assert get_settings().database_url


def test_pages_are_granted_after_a_restore_what_each_build_grants_them() -> None:
    macro = (ROOT / "dbt" / "macros" / "grant_to_pages.sql").read_text()

    granted = set(re.findall(r"grant (.+) to openshelf_pages;", macro))

    assert len(granted) == 3
    assert granted == set(roles.PAGES_RIGHTS)
