"""What of a Calibre library is read: columns of its own, virtual libraries; and several libraries side by side."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.calibre import Choice, open_snapshot, read_books
from ingest.calibre_search import members, parse
from ingest.load import difference, ingest_calibre
from openshelf.database import appeal
from openshelf.errors import IngestError, UsageError

# As Calibre makes them: values in a table of their own with links (text), or beside the book (comments).
LINKED = """
insert into custom_columns (id, label, name, datatype, mark_for_delete, editable, display, is_multiple, normalized)
    values (91, 'genre', 'Genre', 'text', 0, 1, '{}', 1, 1);
create table custom_column_91 (
    id integer primary key autoincrement, value text not null collate nocase, unique (value)
);
create table books_custom_column_91_link (
    id integer primary key autoincrement, book integer not null, value integer not null, unique (book, value)
);
insert into custom_column_91 (id, value) values (1, 'Poésie'), (2, 'Wombats');
insert into books_custom_column_91_link (book, value) values (3, 2), (3, 1), (4, 1);
insert into custom_columns (id, label, name, datatype, mark_for_delete, editable, display, is_multiple, normalized)
    values (92, 'orig', 'Original', 'comments', 0, 1, '{}', 0, 0);
create table custom_column_92 (id integer primary key autoincrement, book integer, value text not null, unique (book));
insert into custom_column_92 (book, value) values (3, 'The Original');
"""


def virtual(edit: Callable, **libraries: str) -> None:
    with edit() as db:
        db.execute(
            "insert or replace into preferences (key, val) values ('virtual_libraries', ?)", [json.dumps(libraries)]
        )


def test_columns_of_a_library_s_own_are_read_as_told(conn: psycopg.Connection, library: Path, edit: Callable) -> None:
    ingest_calibre(conn, library)
    with edit() as db:
        db.executescript(LINKED)
    choice = Choice.of(["#genre=subjects", "#orig=original_title"])

    # No book was edited: what is read otherwise is found all the same.
    found = difference(conn, library, choice)
    report = ingest_calibre(conn, library, choice=choice)

    assert {(change.calibre_id, change.fields) for change in found} == {
        (3, ("subjects", "original_title")),
        (4, ("subjects",)),
    }
    assert report.updated == 2
    row = conn.execute("select subjects, original_title from library.editions where calibre_id = 3").fetchone()
    assert row is not None
    assert row[0][-2:] == ["Wombats", "Poésie"]
    assert row[1] == "The Original"
    subjects = conn.execute(
        """select subjects_text from library.works join library.editions using (book_id) where calibre_id = 4"""
    ).fetchone()
    assert subjects
    assert "poetry" in subjects[0]
    assert ingest_calibre(conn, library, choice=choice).updated == 0


# As Calibre makes a series of a library's own: the place of a book stands with its link.
SERIES = """
insert into custom_columns (id, label, name, datatype, mark_for_delete, editable, display, is_multiple, normalized)
    values (93, 'cycle', 'Cycle', 'series', 0, 1, '{}', 0, 1);
create table custom_column_93 (
    id integer primary key autoincrement, value text not null collate nocase, unique (value)
);
create table books_custom_column_93_link (
    id integer primary key autoincrement, book integer not null, value integer not null, extra real,
    unique (book, value)
);
insert into custom_column_93 (id, value) values (1, 'The Cycle');
insert into books_custom_column_93_link (book, value, extra) values (3, 1, 4.5), (4, 1, null), (5, 1, 'x');
insert into custom_columns (id, label, name, datatype, mark_for_delete, editable, display, is_multiple, normalized)
    values (94, 'both', 'Both', 'composite', 0, 1, '{"composite_template": "{title}"}', 0, 0);
create table custom_column_94 (id integer primary key autoincrement, book integer, value text, unique (book));
"""


def test_a_series_of_a_library_s_own_comes_with_its_places(
    conn: psycopg.Connection, library: Path, edit: Callable
) -> None:
    with edit() as db:
        db.executescript(SERIES)
    ingest_calibre(conn, library, choice=Choice.of(["#cycle=series"]))

    assert conn.execute(
        """select calibre_id, series_index from library.editions where series_name = 'The Cycle' order by calibre_id"""
    ).fetchall() == [(3, 4.5), (4, None), (5, None)]


def test_a_column_that_calibre_does_not_store_is_refused(
    conn: psycopg.Connection, library: Path, edit: Callable
) -> None:
    with edit() as db:
        db.executescript(SERIES)

    with pytest.raises(IngestError, match="#both is built from other columns"):
        ingest_calibre(conn, library, choice=Choice.of(["#both=subjects"]))


def test_what_draws_readers_is_read_from_the_usual_columns(
    conn: psycopg.Connection, library: Path, edit: Callable
) -> None:
    with edit() as db:
        (pages,) = db.execute("select id from custom_columns where label = 'pages'").fetchone()
        (ages,) = db.execute("select id from custom_columns where label = 'ages'").fetchone()
        first, second, third = (key for (key,) in db.execute("select id from books order by id limit 3"))
        for column in (f"custom_column_{pages}", f"books_custom_column_{ages}_link"):
            db.execute(f"delete from {column} where book in (?, ?, ?)", [first, second, third])
        db.executemany(
            f"insert into custom_column_{pages} (book, value) values (?, ?)", [(first, 233), (second, -4), (third, "x")]
        )
        db.execute(f"insert or ignore into custom_column_{ages} (value) values ('8–12'), ('not before school')")
        for book, value in ((first, "8–12"), (second, "not before school")):
            db.execute(
                f"insert into books_custom_column_{ages}_link (book, value) "
                f"select ?, id from custom_column_{ages} where value = ?",
                [book, value],
            )
    ingest_calibre(conn, library)

    told = conn.execute(
        """select calibre_id, pages, age_from, age_to, themes || moods from library.works
           join library.editions using (book_id) order by calibre_id"""
    ).fetchall()
    assert [row[1:4] for row in told[:3]] == [(233, 8, 12), (None, None, None), (None, None, None)]
    assert all(row[4] for row in told)  # the demo library says so of each
    found = conn.execute(
        "select count(*) from library.works where search @@ plainto_tsquery('simple', %s)", [told[0][4][0]]
    )
    assert found.fetchone() != (0,)
    assert ingest_calibre(conn, library).updated == 0


def test_a_library_without_such_columns_is_read_as_ever(
    conn: psycopg.Connection, library: Path, edit: Callable
) -> None:
    with edit() as db:
        db.execute("delete from custom_columns")
    report = ingest_calibre(conn, library)

    assert report.editions == 20
    assert conn.execute("select count(*) from library.appeal").fetchone() == (0,)
    assert conn.execute("select count(*) from library.works where themes = '{}' and pages is null").fetchone() == (20,)
    with edit() as db:
        db.execute("drop table custom_columns")  # libraries of old
    assert ingest_calibre(conn, library).updated == 0


@pytest.mark.parametrize(
    ("cell", "span"),
    [
        ("8-12", (8, 12)),
        ("8 – 12 years", (8, 12)),
        ("14+", (14, None)),
        ("9", (9, None)),
        ("12-8", None),
        ("all", None),
    ],
)
def test_ages_of_a_cell(cell: str, span: tuple[int, int | None] | None) -> None:
    assert appeal.ages(cell) == span


@pytest.mark.parametrize("word", ["genre=subjects", "#genre", "#genre=nothing", ""])
def test_a_column_that_is_told_wrongly_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="is no column of Calibre"):
        Choice.of([word])


def test_a_column_the_library_does_not_have_is_refused(conn: psycopg.Connection, library: Path) -> None:
    with pytest.raises(IngestError, match="no column #genre; it has #ages, #moods, #pages, #themes"):
        ingest_calibre(conn, library, choice=Choice.of(["#genre=subjects"]))


def test_only_the_books_of_a_virtual_library_are_read_and_the_guard_holds(
    conn: psycopg.Connection, library: Path, edit: Callable
) -> None:
    name = author_of(library, 1).replace("|", ",")
    virtual(edit, Few="not title:~.", Most=f'not author:"={name}"')

    most = ingest_calibre(conn, library, choice=Choice.of([], "Most"))

    assert 0 < most.editions < 20
    with pytest.raises(IngestError, match="books are gone"):
        ingest_calibre(conn, library, choice=Choice.of([], "Few"))
    with pytest.raises(IngestError, match="no virtual library 'Other'; it has Few, Most"):
        ingest_calibre(conn, library, choice=Choice.of([], "Other"))
    assert ingest_calibre(conn, library).editions == 20


def author_of(library: Path, book: int) -> str:
    with open_snapshot(library) as db:
        return read_books(db, [book])[0].authors[0][0]


def test_the_searches_of_virtual_libraries_choose_what_they_say(library: Path, edit: Callable) -> None:
    with edit() as db:
        db.execute("insert into tags (id, name) values (900, 'Fiction.Crime'), (901, 'Fictional')")
        db.executemany("insert into books_tags_link (book, tag) values (?, ?)", [(1, 900), (2, 901), (3, 900)])
        db.execute("insert or ignore into ratings (id, rating) values (900, 3)")
        db.execute("delete from books_ratings_link where book in (1, 2)")
        db.execute("insert into books_ratings_link (book, rating) values (2, 900)")
    searches = {
        'tags:"=Fiction.Crime"': {1, 3},
        "tags:=.fiction": {1, 3},
        "tags:fiction and not tags:crime": None,
        'tags:"=Fiction.Crime" and not rating:true': {1},
        "rating:=1.5 or rating:1.5": {2},
        '(tags:"=Fictional" or tags:"=fiction.crime") rating:<2': {1, 2},
        "tags:~^Fict.*al$": {2},
    }
    virtual(edit, **{str(n): search for n, search in enumerate(searches)})

    with open_snapshot(library) as db:
        everything = {book.calibre_id: book for book in read_books(db, range(1, 21))}
        for n, wanted in enumerate(searches.values()):
            found = members(db, str(n), everything)
            if wanted is None:
                wanted = {
                    key for key, book in everything.items() if any("fiction" in tag.lower() for tag in book.subjects)
                }
                wanted = {key for key in wanted if not any("crime" in tag.lower() for tag in everything[key].subjects)}
            assert found == wanted, list(searches)[n]


@pytest.mark.parametrize(
    "search",
    [
        "",
        "(",
        "tags:",
        "wombat",
        "vl:Other",
        "search:x",
        "tags:a or",
        "not",
        "rating:many",
        "tags:~(",
        "tags:~a{99999999999}",
        "a:b",
        ")",
        "((((" * 40,
    ],
)
def test_a_search_that_is_not_known_is_refused(search: str) -> None:
    with pytest.raises(IngestError, match="not known here"):
        parse(search)


@settings(max_examples=300)
@given(st.lists(st.sampled_from(["tags:a", "(", ")", "and", "or", "not", 'title:"b c"', "rating:>3", '"', "x", ":"])))
def test_whatever_is_searched_for_there_is_a_test_or_a_clear_refusal(words: list[str]) -> None:
    try:
        test = parse(" ".join(words))
    except IngestError:
        return
    assert callable(test)


def test_two_libraries_share_works_and_one_may_go_without_the_other(
    conn: psycopg.Connection, library: Path, tmp_path: Path
) -> None:
    second = Path(shutil.copytree(library, tmp_path / "second"))
    with sqlite3.connect(second / "metadata.db") as db:
        db.execute("update library_id set uuid = 'another'")
        db.create_function("title_sort", 1, lambda title: title)
        db.execute("delete from books where id > 5")

    works = ingest_calibre(conn, library).works
    both = ingest_calibre(conn, second)

    assert (both.editions, both.works) == (25, works)
    with sqlite3.connect(library / "metadata.db") as db:
        db.execute("delete from books")
    gone = ingest_calibre(conn, library, allow_vanishing=True)
    assert (gone.deactivated, gone.editions) == (20, 5)
    assert gone.works == conn.execute("select count(distinct book_id) from library.editions where active").fetchone()[0]  # type: ignore[index]
