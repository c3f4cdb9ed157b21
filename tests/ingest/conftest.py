"""A small real Calibre library for each test, and a way to change it as Calibre would."""

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path

import pytest

from ingest import demo_calibre

BOOKS = 20

Editor = Callable[[], AbstractContextManager[sqlite3.Connection]]


@pytest.fixture(scope="session")
def built_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("built") / "library"
    demo_calibre.build(path, limit=BOOKS, today=date(2026, 1, 1))
    return path


@pytest.fixture
def library(built_library: Path, tmp_path: Path) -> Path:
    """A library of its own, free to be changed or broken."""
    return Path(shutil.copytree(built_library, tmp_path / "library"))


@pytest.fixture
def edit(library: Path) -> Editor:
    """Opens the library's database with the functions that Calibre gives its triggers."""

    @contextlib.contextmanager
    def opened() -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(library / "metadata.db")) as db, db:
            db.create_function("title_sort", 1, lambda title: title)
            db.create_function("uuid4", 0, lambda: "11111111-2222-4333-8444-555555555555")
            yield db

    return opened
