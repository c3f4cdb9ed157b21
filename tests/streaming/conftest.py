"""What the tests of several workers and of several hosts compare with, and the brokers of those of the broker road."""

from collections.abc import Callable

import psycopg
import pytest
from broker_road import road  # noqa: F401 - a fixture
from pgvector.psycopg import register_vector
from stream_acts import snapshot
from worked_log import Entry, WorkedDatabase, add_catalogue, make_entries


@pytest.fixture(scope="session")
def entries() -> list[Entry]:
    return make_entries(600)


@pytest.fixture(scope="session")
def fresh_copy(make_database: Callable[..., str], migrated_template: str) -> Callable[[], str]:
    """The address of a new database with works and a champion, each time it is called."""
    with psycopg.connect(make_database(migrated_template)) as conn:
        register_vector(conn)
        add_catalogue(conn)
        name = conn.info.dbname
    return lambda: make_database(name)


@pytest.fixture(scope="session")
def undisturbed(
    fresh_copy: Callable[[], str], entries: list[Entry], tmp_path_factory: pytest.TempPathFactory
) -> list[list[tuple]]:
    """The rows that one worker makes of all entries."""
    worked = WorkedDatabase(fresh_copy(), tmp_path_factory.mktemp("undisturbed"))
    worked.go_through(entries, workers=1)
    return snapshot(worked.conn)


@pytest.fixture
def worked(fresh_copy: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> WorkedDatabase:
    return WorkedDatabase(fresh_copy(), tmp_path_factory.mktemp("home"))
