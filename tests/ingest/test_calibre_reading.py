"""Reading a library that is whole, odd, broken, or being written by Calibre."""

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.calibre import modified_times, open_snapshot, read_books
from openshelf.errors import IngestError

HOLD_LOCK = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("begin exclusive")
print("locked", flush=True)
sys.stdin.readline()
"""


def truncate(database: Path) -> None:
    os.truncate(database, database.stat().st_size // 2)


def flip_a_page(database: Path) -> None:
    """Overwrite one page deep inside: counting books still works."""
    with contextlib.closing(sqlite3.connect(database)) as db:
        (page,) = db.execute("select rootpage from sqlite_master where name = 'books_tags_link'").fetchone()
        (size,) = db.execute("pragma page_size").fetchone()
    with database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(bytes(range(256)) * (size // 256))
    with contextlib.closing(sqlite3.connect(database)) as db:
        assert db.execute("select count(*) from books").fetchone() == (20,)


def with_random_bytes(database: Path) -> None:
    database.write_bytes(os.urandom(8192))


def without_books(database: Path) -> None:
    database.unlink()
    with contextlib.closing(sqlite3.connect(database)) as db:
        db.execute("create table something (a int)")


BROKEN: list[tuple[Callable[[Path], object], str]] = [
    (lambda database: database.unlink(), "is not there"),
    (lambda database: database.write_bytes(b""), "is empty"),
    (with_random_bytes, "is not a Calibre database"),
    (truncate, "is damaged"),
    (flip_a_page, "is damaged"),
    (without_books, "no table books"),
]


@pytest.mark.parametrize(("spoil", "message"), BROKEN)
def test_a_broken_library_is_refused_in_one_line(library: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(library / "metadata.db")

    with pytest.raises(IngestError, match=message) as refused, open_snapshot(library):
        pass

    assert "\n" not in str(refused.value)


def test_a_path_that_is_not_there_is_refused() -> None:
    with (
        pytest.raises(IngestError, match="name the folder of a Calibre library"),
        open_snapshot(Path("/no/such/library")),
    ):
        pass


def test_a_library_that_stays_locked_is_given_up_and_one_that_is_released_is_read(library: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(library / "metadata.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout
    holder.stdout.readline()

    with pytest.raises(IngestError, match="stayed locked"), open_snapshot(library, patience_s=0.5):
        pass
    holder.communicate("\n", timeout=60)
    with open_snapshot(library, patience_s=60) as db:
        assert len(modified_times(db)) == 20


WRITE = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.create_function("title_sort", 1, lambda title: title)
db.execute(f"pragma journal_mode = {sys.argv[2]}")
db.execute("update books set series_index = 7 where id = 1")
db.execute("begin immediate")
db.execute("update books set series_index = 8 where id = 1")
print("writing", flush=True)
sys.stdin.readline()
db.execute("commit")
print("done", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_library_is_read_as_it_was_before_a_write_that_is_under_way(library: Path, journal: str) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITE, str(library / "metadata.db"), journal],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout
    assert writer.stdin
    assert writer.stdout.readline() == "writing\n"

    with open_snapshot(library, patience_s=60) as db:
        during = read_books(db, [1])[0].series_index
    writer.stdin.write("\n")
    writer.stdin.flush()
    assert writer.stdout.readline() == "done\n"
    with open_snapshot(library, patience_s=60) as db:  # in WAL mode what was written stands beside the database
        after = read_books(db, [1])[0].series_index
    writer.communicate("\n", timeout=60)

    assert (during, after) == (7, 8)


def test_the_library_is_not_touched_by_reading(library: Path) -> None:
    before = sorted((path.name, path.stat().st_mtime_ns) for path in library.iterdir())

    with open_snapshot(library) as db:
        db.execute("delete from data")

    assert sorted((path.name, path.stat().st_mtime_ns) for path in library.iterdir()) == before


def test_every_field_of_a_book_is_read(library: Path, edit: Callable) -> None:
    with edit() as db:
        (author,) = db.execute("select author from books_authors_link where book = 3 order by id").fetchone()
        db.execute("update authors set name = 'Le Guin| Ursula K.' where id = ?", [author])
        db.execute("insert or replace into identifiers (book, type, val) values (3, 'doi', '10.1/x')")
        db.execute("delete from books_series_link where book = 3")
        db.execute("insert into series (name) values ('Test Series')")
        db.execute("insert into books_series_link (book, series) select 3, id from series where name = 'Test Series'")
        db.execute("update books set series_index = 2.5 where id = 3")

    with open_snapshot(library) as db:
        (book,) = read_books(db, [3])

    assert book.calibre_id == 3
    assert book.authors[0][0] == "Le Guin| Ursula K."
    assert ("doi", "10.1/x") in book.identifiers
    assert (book.series, book.series_index) == ("Test Series", 2.5)
    assert book.subjects
    assert book.publisher
    assert book.rating
    assert book.comments
    assert book.languages
    assert book.has_cover


def test_bad_utf8_in_one_row_does_not_end_the_reading(library: Path, edit: Callable) -> None:
    with edit() as db:
        db.execute("update comments set text = cast(x'41ff42' as text) where book = 5")

    with open_snapshot(library) as db:
        comments = {book.calibre_id: book.comments for book in read_books(db, modified_times(db))}

    assert len(comments) == 20
    assert comments[5] == "A\ufffdB"


def test_only_the_books_asked_for_are_read(library: Path) -> None:
    with open_snapshot(library) as db:
        assert [book.calibre_id for book in read_books(db, [7, 2, 999])] == [2, 7]
        assert [book.calibre_id for book in read_books(db, [4])] == [4]
