"""One thread for all training in these tests: same sums in the same order, and no fighting over few cores."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import pytest
import torch
from stored_library import connected

from openshelf.settings import get_settings


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def installed(
    passing_copy: Callable[[str], AbstractContextManager[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[str], AbstractContextManager[psycopg.Connection]]:
    """A copy of a template that is the installation of this test, for commands too."""

    @contextmanager
    def install(template: str) -> Iterator[psycopg.Connection]:
        with passing_copy(template) as url:
            monkeypatch.setenv("OPENSHELF_DATABASE_URL", url)
            monkeypatch.setenv("OPENSHELF_HOME", str(tmp_path))
            get_settings.cache_clear()
            with connected(url) as conn:
                yield conn
            get_settings.cache_clear()

    return install
