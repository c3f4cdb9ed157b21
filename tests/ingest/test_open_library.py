"""Ids of Open Library come from a dump by ISBN, stay through ingests, and a broken dump changes nothing."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from ingest.load import ingest_calibre
from ingest.open_library import ingest_open_library
from openshelf.errors import IngestError


def dump_line(key: str, **record: object) -> str:
    return f"/type/edition\t/books/{key}\t3\t2020-01-01\t{json.dumps({'key': f'/books/{key}', **record})}\n"


@pytest.fixture
def loaded(conn: psycopg.Connection, library: Path, edit: Callable) -> None:
    with edit() as db:
        db.execute("insert or replace into identifiers (book, type, val) values (1, 'isbn', '0-441-17271-7')")
        db.execute("insert or replace into identifiers (book, type, val) values (2, 'isbn', 'not an isbn')")
    ingest_calibre(conn, library)


LINES = [
    dump_line("OL1M", isbn_10=["0441172717"], works=[{"key": "/works/OL9W"}]),
    dump_line("OL2M", isbn_13=["9780441172719"]),
    dump_line("OL3M", isbn_13=["9780000000002"]),
    "/type/author\t/authors/OL1A\t1\t2020\t{}\n",
    "/type/edition\t/books/OL4M\n",
    "/type/edition\t/books/OL5M\t1\t2020\t{broken\n",
]


def identifiers(conn: psycopg.Connection, number: int) -> dict[str, str]:
    rows = conn.execute(
        """select identifiers.kind, value from library.identifiers join library.editions using (edition_id)
           where calibre_id = %s""",
        [number],
    )
    return dict(rows.fetchall())


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("packed", [False, True])
def test_editions_get_their_ids_and_keep_them(
    conn: psycopg.Connection, library: Path, tmp_path: Path, edit: Callable, packed: bool
) -> None:
    dump = tmp_path / "dump"
    raw = "".join(LINES).encode()
    dump.write_bytes(gzip.compress(raw) if packed else raw)

    found = ingest_open_library(conn, dump)

    assert (found.lines, found.editions, found.works, found.rejected) == (6, 1, 1, 2)
    assert found.reasons[0] == "line 5: it has 2 columns, not 5"
    with edit() as db:
        db.execute("update books set title = 'Other', last_modified = '2026-02-02 10:00:00+00:00' where id = 1")
    ingest_calibre(conn, library)
    assert identifiers(conn, 1)["openlibrary"] == "OL1M"
    assert identifiers(conn, 1)["openlibrary-work"] == "OL9W"
    assert identifiers(conn, 1)["isbn"] == "9780441172719"
    assert identifiers(conn, 2) == {"unchecked-isbn": "not an isbn"}


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("record", "work"),
    [
        ({"isbn_13": None, "isbn_10": [None, 7, "0441172717"], "works": None}, None),
        ({"isbn_13": "978-0-441-17271-9 (pbk.)", "works": [{}]}, None),
        ({"isbn_13": ["x", "9780441172719"], "works": ["/works/OL9W"]}, "OL9W"),
        ({"isbn_10": {"x": 1}, "isbn_13": ["9780441172719"], "works": [{"key": 7}]}, None),
    ],
)
def test_what_is_odd_in_a_record_says_nothing_and_the_rest_counts(
    conn: psycopg.Connection, tmp_path: Path, record: dict[str, object], work: str | None
) -> None:
    (tmp_path / "dump").write_text(dump_line("OL1M", **record).replace("\n", "\r\n"))

    found = ingest_open_library(conn, tmp_path / "dump")

    assert (found.editions, found.rejected) == (1, 0)
    told = identifiers(conn, 1)
    assert (told["openlibrary"], told.get("openlibrary-work")) == ("OL1M", work)


@pytest.mark.usefixtures("loaded")
def test_a_dump_that_is_cut_off_changes_nothing(conn: psycopg.Connection, tmp_path: Path) -> None:
    dump = tmp_path / "dump.gz"
    dump.write_bytes(gzip.compress("".join(LINES * 500).encode())[:-40])

    with pytest.raises(IngestError, match="cut off"):
        ingest_open_library(conn, dump)

    assert "openlibrary" not in identifiers(conn, 1)


def test_a_dump_that_is_not_there_is_refused(conn: psycopg.Connection, tmp_path: Path) -> None:
    with pytest.raises(IngestError, match="cannot be read"):
        ingest_open_library(conn, tmp_path / "nothing")
