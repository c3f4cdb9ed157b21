"""One warehouse, built of a small history, that the tests read or copy."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import small_history
from pydantic import SecretStr
from small_history import Warehouse

from openshelf import warehouse
from openshelf.settings import Settings


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
    url = make_database(migrated_template)
    settings = _settings(url, tmp_path_factory.mktemp("warehouse"))
    empty_report = warehouse.build(settings)
    with psycopg.connect(url) as conn:
        small_history.make_history(conn)
    return Warehouse(settings, url, warehouse.build(settings), empty_report)


@pytest.fixture
def copied(built: Warehouse, make_database: Callable[..., str]) -> Warehouse:
    """A warehouse of the same history that a test may change."""
    with psycopg.connect(built.url) as conn:
        name = conn.info.dbname
    url = make_database(name)
    return Warehouse(_settings(url, built.settings.home), url, built.report, built.empty_report)


def _settings(url: str, home: Path) -> Settings:
    return Settings(database_url=SecretStr(url), home=home)
