"""Libraries made and changed by Calibre itself (`calibredb`) are read as Calibre tells them.

Skipped where Calibre is not installed: `make calibre` installs Debian's.
"""

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ingest import calibre_search
from ingest.calibre import Choice, modified_times, open_snapshot
from ingest.load import difference, ingest_calibre

pytestmark = pytest.mark.skipif(
    shutil.which("calibredb") is None, reason="Calibre is not here: `make calibre` installs Debian's"
)

BOOKS = [
    ["--title", "The Hobbit", "--authors", "J. R. R. Tolkien", "--tags", "Fantasy,Fiction.Children", "--series",
     "Middle-earth", "--series-index", "0.5", "--languages", "eng", "--isbn", "9780261102217"],
    ["--title", "The Fellowship of the Ring", "--authors", "J. R. R. Tolkien", "--series", "Middle-earth",
     "--series-index", "1", "--languages", "eng", "--tags", "Fantasy"],
    ["--title", "Truyện Kiều", "--authors", "Nguyễn Du", "--languages", "vie", "--tags", "Thơ"],
    ["--title", "Good Omens", "--authors", "Terry Pratchett & Neil Gaiman", "--tags", "Fantasy,Humour",
     "--languages", "eng,fra"],
    ["--title", "Untold"],
]  # fmt: skip
FIELDS = {
    1: ["rating:4", "pubdate:1937-09-21", "publisher:Allen & Unwin", "comments:<p>In a <b>hole</b> in the ground.</p>"],
    2: ["rating:5", "pubdate:1954-07-29"],
    4: ["rating:3", "identifiers:isbn:0060853980,doi:10.1/x"],
}
# Of each Calibre is asked, too.
SEARCHES = (
    "tags:fantasy", 'tags:"=Fantasy" and not tags:humour', "tags:=.Fiction", "author:tolkien or author:gaiman",
    "series:true", "series:false", "rating:>3", "rating:>=4 and rating:<5", "rating:true", "rating:false",
    "formats:epub", "formats:true", "not formats:true", 'title:"~^the"', "publisher:true", "languages:vie",
    "languages:eng and not languages:fra", "comments:hole", "title:kieu", "tags:tho", "author:nguyen",
    '(tags:humour or series:"=Middle-earth") and not title:ring',
)  # fmt: skip


@pytest.fixture(scope="session")
def calibre(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Runs a command of Calibre's, without a screen and with settings of its own; what it printed."""
    home = tmp_path_factory.mktemp("calibre-home")
    env = {**os.environ, "HOME": str(home), "CALIBRE_CONFIG_DIRECTORY": str(home / "config"),
           "QT_QPA_PLATFORM": "offscreen"}  # fmt: skip
    env.pop("PYTHONPATH", None)

    def run(command: str, *arguments: str | Path) -> str:
        done = subprocess.run(
            [command, *map(str, arguments)], env=env, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def made(calibre: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of Calibre's own making."""
    library = tmp_path_factory.mktemp("made") / "library"
    for book in BOOKS:
        calibre("calibredb", "add", "--with-library", library, "--empty", *book)
    for number, fields in FIELDS.items():
        told = [word for field in fields for word in ("--field", field)]
        calibre("calibredb", "set_metadata", "--with-library", library, str(number), *told)
    epub, text = library.parent / "a.epub", library.parent / "b.txt"
    with zipfile.ZipFile(epub, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", "<container/>")
    text.write_text("Words.")
    for number, file in ((1, epub), (1, text), (3, epub)):
        calibre("calibredb", "add_format", "--with-library", library, str(number), file)
    calibre("calibredb", "add_custom_column", "--with-library", library, "--is-multiple", "genre", "Genre", "text")
    calibre("calibredb", "add_custom_column", "--with-library", library, "orig", "Original title", "text")
    calibre("calibredb", "add_custom_column", "--with-library", library, "pages", "Pages", "int")
    calibre("calibredb", "set_custom", "--with-library", library, "genre", "3", "Poésie,Wombats")
    calibre("calibredb", "set_custom", "--with-library", library, "orig", "4", "The Nice and Accurate Prophecies")
    calibre("calibredb", "set_custom", "--with-library", library, "pages", "1", "310")
    virtual = json.dumps({str(number): search for number, search in enumerate(SEARCHES)})
    code = f"from calibre.library import db; db({str(library)!r}).new_api.set_pref('virtual_libraries', {virtual})"
    calibre("calibre-debug", "-c", code)
    return library


@pytest.fixture
def library(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "library"))


def told(calibre: Callable[..., str], library: Path) -> dict[int, dict[str, Any]]:
    """What Calibre itself says of each book."""
    said = json.loads(calibre("calibredb", "list", "--with-library", library, "--for-machine", "--fields", "all"))
    return {book["id"]: book for book in said}


def held(conn: psycopg.Connection) -> dict[int, dict[str, Any]]:
    """What the catalogue holds of each book, in Calibre's words."""
    rows = conn.execute(
        """select calibre_id, title, author_names, languages, published_on, publisher, series_name, series_index,
               rating, summary, subjects, calibre_added_at,
               array(select format from library.files where files.edition_id = editions.edition_id order by 1),
               (select jsonb_object_agg(kind, value) from library.identifiers
                where identifiers.edition_id = editions.edition_id)
           from library.editions where active"""
    ).fetchall()
    return {
        number: {
            "title": title, "authors": " & ".join(authors) or "Unknown", "languages": languages,
            "pubdate": published, "publisher": publisher, "series": series, "series_index": index,
            "rating": None if rating is None else round(rating * 2), "comments": summary, "tags": sorted(subjects),
            "timestamp": added, "formats": formats, "identifiers": identifiers or {},
        }
        for number, title, authors, languages, published, publisher, series, index, rating, summary, subjects, added,
        formats, identifiers in rows
    }  # fmt: skip


def expected(book: dict[str, Any]) -> dict[str, Any]:
    day = date.fromisoformat(book["pubdate"][:10])
    identifiers = {**book["identifiers"]}
    if identifiers.get("isbn") == "0060853980":
        identifiers["isbn"] = "9780060853983"
    series = book.get("series")
    return {
        "title": book["title"], "authors": book["authors"], "languages": book.get("languages") or [],
        "pubdate": None if day.year < 102 else day, "publisher": book.get("publisher"), "series": series,
        "series_index": book["series_index"] if series else None, "rating": book.get("rating") or None,
        "comments": "In a hole in the ground." if book.get("comments") else None, "tags": sorted(book["tags"]),
        "timestamp": datetime.fromisoformat(book["timestamp"]),
        "formats": sorted(Path(file).suffix[1:].upper() for file in book["formats"]), "identifiers": identifiers,
    }  # fmt: skip


def test_every_field_is_what_calibre_says(conn: psycopg.Connection, library: Path, calibre: Callable[..., str]) -> None:
    report = ingest_calibre(conn, library)

    assert (report.inserted, report.rejected) == (len(BOOKS), 0)
    said = {number: expected(book) for number, book in told(calibre, library).items()}
    found = held(conn)
    for book in found.values():  # Calibre prints seconds
        book["timestamp"] = book["timestamp"].replace(microsecond=0)
    assert found == said
    assert ingest_calibre(conn, library).catalogue_version is None


def test_an_edit_in_calibre_is_shown_before_it_is_applied_and_touches_one_book(
    conn: psycopg.Connection, library: Path, calibre: Callable[..., str]
) -> None:
    ingest_calibre(conn, library)
    calibre("calibredb", "set_metadata", "--with-library", library, "2", "--field", "title:The Two Towers",
            "--field", "series_index:2")  # fmt: skip
    calibre("calibredb", "remove", "--with-library", library, "--permanent", "5")

    found = {(change.change, change.calibre_id, change.fields) for change in difference(conn, library)}
    before = held(conn)
    report = ingest_calibre(conn, library)

    assert found == {("update", 2, ("title", "series_index", "folder")), ("deactivate", 5, ())}
    assert before[2]["title"] == "The Fellowship of the Ring"
    assert (report.updated, report.deactivated, report.inserted) == (1, 1, 0)
    assert {number: book["title"] for number, book in held(conn).items()} == {
        number: book["title"] for number, book in told(calibre, library).items()
    }


def test_added_columns_are_read_as_told_and_usual_ones_unasked(conn: psycopg.Connection, library: Path) -> None:
    ingest_calibre(conn, library, choice=Choice.of(["#genre=subjects", "#orig=original_title"]))

    assert held(conn)[3]["tags"] == ["Poésie", "Thơ", "Wombats"]
    assert conn.execute("select original_title from library.editions where calibre_id = 4").fetchone() == (
        "The Nice and Accurate Prophecies",
    )
    assert conn.execute("select pages from library.works where title = 'The Hobbit'").fetchone() == (310,)


def test_virtual_libraries_hold_the_books_that_calibre_finds(made: Path, calibre: Callable[..., str]) -> None:
    code = f"""
import json
from calibre.library import db
api = db({str(made)!r}).new_api
found = []
for number in range({len(SEARCHES)}):
    found.append(sorted(api.search("vl:%d" % number)))
print(json.dumps(found))
"""
    said = json.loads(calibre("calibre-debug", "-c", code).splitlines()[-1])

    with open_snapshot(made) as db:
        times = modified_times(db)
        found = [sorted(calibre_search.members(db, str(number), times)) for number in range(len(SEARCHES))]

    assert dict(zip(SEARCHES, found, strict=True)) == dict(zip(SEARCHES, said, strict=True))
    assert all(0 < len(books) < len(BOOKS) for books in found)


def test_a_library_that_moved_is_the_same_one_and_a_second_one_shares_its_works(
    conn: psycopg.Connection, library: Path, tmp_path: Path, calibre: Callable[..., str]
) -> None:
    first = ingest_calibre(conn, library)
    moved = Path(shutil.move(library, tmp_path / "elsewhere"))

    again = ingest_calibre(conn, moved)
    second = tmp_path / "second"
    calibre("calibredb", "add", "--with-library", second, "--empty", "--title", "The Hobbit", "--authors",
            "Tolkien, J. R. R.", "--languages", "eng")  # fmt: skip
    both = ingest_calibre(conn, second)

    assert (again.inserted, again.updated, again.deactivated) == (0, 0, 0)
    assert conn.execute("select path from library.libraries where calibre_uuid is not null order by 1").fetchall() == [
        (str(moved.resolve()),), (str(second.resolve()),),
    ]  # fmt: skip
    assert (both.editions, both.works) == (first.editions + 1, first.works)


WRITER = """
import sys, time
from calibre.library import db
api = db(sys.argv[-1]).new_api
print("open", flush=True)
for number in range(40):
    api.set_field("title", {2: f"Part {number}", 4: f"Part {number}"})
    time.sleep(0.05)
"""


def test_a_library_is_read_while_calibre_writes_it(
    conn: psycopg.Connection, library: Path, tmp_path: Path, calibre: Callable[..., str]
) -> None:
    script = tmp_path / "writer.py"
    script.write_text(WRITER)
    ingest_calibre(conn, library)
    env = {**os.environ, "CALIBRE_CONFIG_DIRECTORY": str(tmp_path / "config"), "QT_QPA_PLATFORM": "offscreen"}
    writer = subprocess.Popen(
        ["calibre-debug", "-e", str(script), "--", str(library)], env=env, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout
    assert writer.stdout.readline() == "open\n"

    rounds = 0
    while writer.poll() is None:
        ingest_calibre(conn, library)
        rounds += 1
    ingest_calibre(conn, library)

    assert writer.returncode == 0
    assert rounds > 1
    assert {book["title"] for number, book in held(conn).items() if number in (2, 4)} == {"Part 39"}
    assert [book["title"] for book in told(calibre, library).values()].count("Part 39") == 2
