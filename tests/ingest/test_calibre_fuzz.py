"""Whatever stands in a Calibre library: books are read or rejected one by one, or the library is refused whole."""

import contextlib
import shutil
import sqlite3
from pathlib import Path

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.calibre import Choice, custom_columns, modified_times, open_snapshot, read_books
from ingest.clean import Edition, Rejected, clean, find_files
from ingest.load import ingest_calibre
from openshelf.errors import IngestError

CELLS = [
    "books.title", "books.sort", "books.timestamp", "books.pubdate", "books.path", "books.has_cover",
    "books.series_index", "books.last_modified", "books.uuid", "authors.name", "authors.sort", "tags.name",
    "publishers.name", "ratings.rating", "series.name",
    "languages.lang_code", "comments.text", "data.format", "data.name", "data.uncompressed_size",
    "identifiers.type", "identifiers.val", "library_id.uuid",
]  # fmt: skip
VALUES = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=30)
    | st.binary(max_size=20)
    | st.sampled_from(["", "\x00", "../..", "a" * 100_000, "0101-01-01", "9999-99-99", "<b>", "\ud7ff", "NaN", "1e999"])
)


@pytest.fixture(scope="module")
def plain(built_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database alone, without the triggers that Calibre's own functions serve."""
    folder = tmp_path_factory.mktemp("fuzz")
    shutil.copy(built_library / "metadata.db", folder)
    with contextlib.closing(sqlite3.connect(folder / "metadata.db")) as db, db:
        for (name,) in db.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            db.execute(f"drop trigger {name}")
    return folder


def everything(library: Path) -> list[Edition | Rejected]:
    with open_snapshot(library) as db:
        books = read_books(db, modified_times(db), custom_columns(db, ()))
    cleaned = [clean(book) for book in books]
    return [find_files(each, library) if isinstance(each, Edition) else each for each in cleaned]


@settings(max_examples=150)
@given(changes=st.lists(st.tuples(st.sampled_from(CELLS), VALUES), min_size=1, max_size=4))
def test_whatever_a_cell_holds_books_are_read_or_rejected(
    changes: list[tuple[str, object]], plain: Path, tmp_path: Path
) -> None:
    shutil.copy(plain / "metadata.db", tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "metadata.db")) as db, db:
        for cell, value in changes:
            table, column = cell.split(".")
            # A column that forbids it holds what it held.
            db.execute(f"update or ignore {table} set {column} = ? where rowid = 1 or rowid % 3 = 0", [value])
    try:
        found = everything(tmp_path)
    except IngestError:
        return
    assert len(found) == 20
    for each in found:
        if isinstance(each, Edition):
            assert each.title
            assert each.content_hash
            assert "\x00" not in repr((each.title, each.summary, each.authors_text, each.subjects)).replace(
                "\\x00", "\x00"
            )


@settings(max_examples=60)
@given(at=st.floats(0, 1, exclude_max=True), junk=st.binary(min_size=1, max_size=300))
def test_bytes_that_were_overwritten_are_found_or_do_no_harm(
    at: float, junk: bytes, plain: Path, tmp_path: Path
) -> None:
    raw = bytearray((plain / "metadata.db").read_bytes())
    start = int(at * len(raw))
    raw[start : start + len(junk)] = junk[: len(raw) - start]
    (tmp_path / "metadata.db").write_bytes(raw)
    with contextlib.suppress(IngestError):
        assert all(isinstance(each, Edition | Rejected) for each in everything(tmp_path))


@pytest.mark.parametrize("value", ["a\x00b", b"\xff\xfe", 2**62, "x" * 200_000, "\u202e\u200fabc", "2" * 400])
def test_odd_values_reach_the_catalogue_clean_or_not_at_all(
    value: object, conn: psycopg.Connection, plain: Path, tmp_path: Path
) -> None:
    shutil.copy(plain / "metadata.db", tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "metadata.db")) as db, db:
        for cell in CELLS:
            table, column = cell.split(".")
            if cell not in {"books.last_modified", "library_id.uuid"}:
                db.execute(f"update or ignore {table} set {column} = ? where rowid = 2", [value])

    report = ingest_calibre(conn, tmp_path, choice=Choice())

    assert report.editions + report.rejected == 20
    assert report.editions >= 19
