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
from openshelf.database import pool
from openshelf.settings import Settings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A build of the warehouse is hundreds of statements and as many tests: on a busy machine some minutes."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(1_200))


@pytest.fixture(scope="session")
def built(
    make_database: Callable[..., str], migrated_template: str, for_warehouse: Callable[[str], Settings]
) -> Warehouse:
    """A warehouse built of nothing first, then of the history. Read it; copy it (`copied`) to change it."""
    settings = for_warehouse(migrated_template)
    url = pool.database_url(settings)
    empty_report = warehouse.build(settings)
    with psycopg.connect(url) as conn:
        small_history.make_history(conn)
        name = conn.info.dbname
    report = warehouse.build(settings, unit_tests=True)
    kept = make_database(name)
    return Warehouse(settings.model_copy(update={"database_url": SecretStr(kept)}), kept, report, empty_report)


@pytest.fixture(scope="session")
def copy_built(built: Warehouse, for_warehouse: Callable[[str], Settings]) -> Callable[[], Warehouse]:
    """A warehouse of the same history to change; the one before is gone."""

    def made() -> Warehouse:
        settings = for_warehouse(str(conninfo_to_dict(built.url)["dbname"]))
        return Warehouse(settings, pool.database_url(settings), built.report, built.empty_report)

    return made


@pytest.fixture
def copied(copy_built: Callable[[], Warehouse]) -> Warehouse:
    """A warehouse of the same history that a test may change."""
    return copy_built()
