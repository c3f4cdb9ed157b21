"""Shared fixtures: a real Postgres of the tests' own, a fresh migrated database for each test that asks."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from openshelf.database import embedded, migrate, pool
from openshelf.settings import get_settings

_number = itertools.count()

# The tests' installation is their own whatever the developer's environment says.
for name in [name for name in os.environ if name.startswith("OPENSHELF_") and name != "OPENSHELF_TEST_BROKERS"]:
    del os.environ[name]


@pytest.fixture(scope="session")
def server_home() -> Iterator[Path]:
    """Home folder whose embedded Postgres serves the whole test run; short, for the socket's path."""
    home = Path(tempfile.mkdtemp(prefix="openshelf-tests-"))
    with psycopg.connect(embedded.start(home), autocommit=True) as conn:
        # Its databases end with the run; faults are tested on servers of their own, which sync.
        conn.execute("alter system set fsync = off")
        conn.execute("alter system set synchronous_commit = off")
        conn.execute("select pg_reload_conf()")
    yield home
    embedded.stop(home)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def server_url(server_home: Path) -> str:
    return embedded.start(server_home)


@pytest.fixture(scope="session")
def make_database(server_url: str) -> Callable[..., str]:
    """Create a database, empty or copied from a template, and return its URL."""

    def make(template: str | None = None) -> str:
        name = f"test_{os.getpid()}_{next(_number)}"
        with psycopg.connect(server_url, autocommit=True) as admin:
            admin.execute(f'create database "{name}" template "{template or "template0"}"')
        head, _, tail = server_url.partition("/postgres?")
        return f"{head}/{name}?{tail}"

    return make


@pytest.fixture(scope="session")
def migrated_template(make_database: Callable[..., str]) -> str:
    """Name of a migrated, empty database to copy."""
    url = make_database()
    with psycopg.connect(url) as conn:
        migrate.migrate(conn)
        return conn.info.dbname


def use_database(monkeypatch: pytest.MonkeyPatch, url: str, home: Path) -> None:
    """Point this process's settings at a database and a home of its own."""
    monkeypatch.setenv("OPENSHELF_DATABASE_URL", url)
    monkeypatch.setenv("OPENSHELF_HOME", str(home))
    get_settings.cache_clear()
    pool.get_pool.cache_clear()


@pytest.fixture
def another_machine(
    database: str, make_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path], None]:
    """Go on, with this home, as a machine whose database is empty; the secret was carried over by hand."""

    def move(home: Path) -> None:
        secret = get_settings().reader_secret()
        use_database(monkeypatch, make_database(), home)
        home.mkdir()
        (home / "secret").write_bytes(secret)

    return move


@pytest.fixture
def database(
    make_database: Callable[..., str], migrated_template: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[str]:
    """A fresh migrated database that `get_settings()`, `pool` and child processes use."""
    url = make_database(migrated_template)
    use_database(monkeypatch, url, tmp_path / "home")
    yield url
    if pool.get_pool.cache_info().currsize:
        pool.get_pool().close()
    pool.get_pool.cache_clear()
    get_settings.cache_clear()


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection]:
    """A connection to the fresh database."""
    with pool.connect() as connection:
        yield connection
