"""One warehouse, built of a small history, that the tests read or copy."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import small_history
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from small_history import Warehouse

from openshelf import warehouse
from openshelf.settings import Settings

# All builds are of one database's name: dbt parses the project anew for another.
BUILT_IN = "warehouse"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A build of the warehouse is hundreds of statements and as many tests: on a busy machine some minutes."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(1_200))


@pytest.fixture(scope="session")
def built(
    make_database: Callable[..., str], migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Warehouse:
    """A warehouse built of nothing first, then of the history. Read it; copy it (`copied`) to change it."""
    url = make_database(migrated_template, name=BUILT_IN)
    settings = _settings(url, tmp_path_factory.mktemp("warehouse"))
    empty_report = warehouse.build(settings)
    with psycopg.connect(url) as conn:
        small_history.make_history(conn)
    report = warehouse.build(settings, unit_tests=True)
    kept = make_database(_name(url))
    return Warehouse(_settings(kept, settings.home), kept, report, empty_report)


@pytest.fixture
def copied(built: Warehouse, make_database: Callable[..., str]) -> Warehouse:
    """A warehouse of the same history that a test may change."""
    url = make_database(_name(built.url), name=BUILT_IN)
    return Warehouse(_settings(url, built.settings.home), url, built.report, built.empty_report)


def _name(url: str) -> str:
    return str(conninfo_to_dict(url)["dbname"])


def _settings(url: str, home: Path) -> Settings:
    return Settings(database_url=SecretStr(url), home=home)
