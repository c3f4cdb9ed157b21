"""From a library to the catalogue: whole, again, edited, thinned out, and refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from test_calibre_reading import BROKEN

from ingest import calibre, load
from ingest.clean import Edition, Rejected
from ingest.load import Report, difference, ingest_calibre
from models.search import search
from openshelf import works_telling
from openshelf.errors import IngestError
from openshelf.folding import fold_words

TOUCH = "update books set last_modified = '2026-02-02 10:00:00+00:00' where id = ?"


def one(conn: psycopg.Connection, query: Any, *values: object) -> Any:
    row = conn.execute(query, values).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


def everything(conn: psycopg.Connection) -> list[tuple]:
    """All that readers can see of the catalogue, with the rows' own marks of change."""
    rows = conn.execute("select w.*, w.xmin::text from library.works w order by book_id").fetchall()
    rows += conn.execute("select e.*, e.xmin::text from library.editions e order by edition_id").fetchall()
    return rows + conn.execute("select * from library.catalogue_version").fetchall()


@pytest.fixture
def loaded(conn: psycopg.Connection, library: Path) -> Report:
    return ingest_calibre(conn, library)


def test_every_book_of_the_library_arrives(conn: psycopg.Connection, loaded: Report) -> None:
    assert (loaded.editions, loaded.inserted, loaded.rejected, loaded.interactions) == (20, 20, 0, 0)
    assert one(conn, "select count(*) from library.works where active") == loaded.works
    assert one(conn, "select count(*) from library.works where title = '' or search = '' or summary is null") == 0
    assert one(conn, "select count(*) from library.files") > 5
    assert one(conn, "select count(*) from library.works where cover_edition_id is null") == 0
    assert one(conn, "select count(*) from library.works w where authors_text <> '' and not exists "
                     "(select from library.work_authors a where a.book_id = w.book_id)") == 0  # fmt: skip
    assert one(conn, "select count(distinct subjects_text) from library.works") > 10
    assert one(
        conn,
        """select bool_and(split_part(w.subjects_text, ', ', 1) = s.name) from library.works w
           join library.work_subjects ws on ws.book_id = w.book_id and ws.position = 0
           join library.subjects s using (subject_id)""",
    )


def test_a_second_run_of_the_same_library_changes_no_row(
    conn: psycopg.Connection, library: Path, loaded: Report
) -> None:
    before = everything(conn)

    again = ingest_calibre(conn, library)

    assert (again.inserted, again.updated, again.deactivated, again.catalogue_version) == (0, 0, 0, None)
    assert everything(conn) == before
    assert again.works == loaded.works


def test_a_large_library_is_read_by_processes_and_indexed_at_once_and_is_the_same(
    conn: psycopg.Connection, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read() -> list[Edition | Rejected]:
        with calibre.open_snapshot(library) as db:
            ids, columns = list(calibre.modified_times(db)), calibre.custom_columns(db, ())
            return [record for batch in load._cleaned(db, ids, columns, library) for record in batch]

    alone = read()
    monkeypatch.setattr(load, "_BATCH", 6)
    monkeypatch.setattr(load, "_WORTH_PROCESSES", 2)
    monkeypatch.setattr(load, "_MANY_WORKS", 3)
    monkeypatch.setattr(works_telling, "_TOLD_AT_ONCE", 4)
    told: list[tuple[int, int]] = []

    done = ingest_calibre(conn, library, on_progress=lambda *at: told.append(at))

    assert read() == alone
    assert told == [(6, 20), (12, 20), (18, 20), (20, 20)]
    assert (done.editions, one(conn, "select count(*) from library.works where active")) == (20, done.works)
    conn.execute("set local enable_seqscan = off")
    assert one(
        conn,
        """select bool_and(exists (select from library.works as found where found.book_id = w.book_id
               and found.search @@ plainto_tsquery('simple', w.folded))) from library.works as w""",
    )


def test_a_moved_library_is_the_same_library(conn: psycopg.Connection, library: Path, loaded: Report) -> None:
    elsewhere = library.rename(library.with_name("elsewhere"))

    again = ingest_calibre(conn, elsewhere)

    assert (again.inserted, again.updated) == (0, 0)
    assert one(conn, "select path from library.libraries") == str(elsewhere)


def test_an_edited_book_touches_one_row_and_keeps_its_key(
    conn: psycopg.Connection, library: Path, edit: Callable, loaded: Report
) -> None:
    book_id = one(conn, "select book_id from library.editions where calibre_id = 4")
    with edit() as db:
        db.execute("update books set title = 'It''s a Quite New Title' where id = 4")
        db.execute(TOUCH, [4])

    again = ingest_calibre(conn, library)

    assert (again.inserted, again.updated, again.deactivated) == (0, 1, 0)
    assert again.catalogue_version == (loaded.catalogue_version or 0) + 1
    assert one(conn, "select title, active from library.works where book_id = %s", book_id) == (
        "It's a Quite New Title",
        True,
    )
    assert (
        one(conn, "select count(*) from library.works where updated_at = (select max(updated_at) from library.works)")
        == 1
    )
    assert one(conn, "select count(*) from library.works where search @@ to_tsquery('simple', 'quite & new')") == 1


def test_a_new_time_of_change_alone_changes_nothing_readers_see(
    conn: psycopg.Connection, library: Path, edit: Callable, loaded: Report
) -> None:
    with edit() as db:
        db.execute(TOUCH, [4])

    again = ingest_calibre(conn, library)

    assert (again.updated, again.catalogue_version) == (0, None)


def test_a_removed_book_is_inactive_and_a_book_added_again_is_active_with_its_old_key(
    conn: psycopg.Connection, library: Path, edit: Callable, loaded: Report
) -> None:
    book_id = one(conn, "select book_id from library.editions where calibre_id = 6")
    with edit() as db:
        columns = "id, title, sort, timestamp, pubdate, series_index, author_sort, path, uuid, has_cover, last_modified"
        row = db.execute(f"select {columns} from books where id = 6").fetchone()
        authors = db.execute("select author from books_authors_link where book = 6").fetchall()
        languages = db.execute("select lang_code from books_languages_link where book = 6").fetchall()
        db.execute("delete from books where id = 6")

    gone = ingest_calibre(conn, library)

    assert gone.deactivated == 1
    assert one(conn, "select active, withdrawn_at is not null from library.editions where calibre_id = 6") == (
        False,
        True,
    )
    assert not one(conn, "select active from library.works where book_id = %s", book_id)

    with edit() as db:  # Calibre gives a book that is added again a new id
        db.execute(f"insert into books ({columns}) values ({', '.join('?' * len(row))})", [777, *row[1:]])
        db.executemany("insert into books_authors_link (book, author) values (777, ?)", authors)
        db.executemany("insert into books_languages_link (book, lang_code) values (777, ?)", languages)
    back = ingest_calibre(conn, library)

    assert (back.inserted, back.deactivated) == (1, 0)
    assert one(conn, "select book_id from library.editions where calibre_id = 777") == book_id
    assert one(conn, "select active from library.works where book_id = %s", book_id)


def test_a_book_that_returns_under_its_old_id_is_active_again(
    conn: psycopg.Connection, library: Path, tmp_path: Path, edit: Callable, loaded: Report
) -> None:
    backup = (library / "metadata.db").read_bytes()
    with edit() as db:
        db.execute("delete from books where id = 6")
    ingest_calibre(conn, library)
    (library / "metadata.db").write_bytes(backup)

    back = ingest_calibre(conn, library)

    assert (back.inserted, back.returned) == (0, 1)
    assert one(conn, "select active, withdrawn_at from library.editions where calibre_id = 6") == (True, None)


def test_a_fifth_of_the_library_may_not_vanish_unsaid(
    conn: psycopg.Connection, library: Path, edit: Callable, loaded: Report
) -> None:
    before = everything(conn)
    with edit() as db:
        db.execute("delete from books where id <= 5")

    with pytest.raises(IngestError, match=r"5 of 20 books are gone.*--yes"):
        ingest_calibre(conn, library)
    assert everything(conn) == before
    status, message = one(conn, "select status, message from library.ingest_runs order by run_id desc limit 1")
    assert status == "failed"
    assert message.startswith("5 of 20 books are gone")

    assert ingest_calibre(conn, library, allow_vanishing=True).deactivated == 5


@pytest.mark.parametrize(("spoil", "message"), BROKEN)
def test_a_broken_library_leaves_the_catalogue_as_it_was(
    conn: psycopg.Connection, library: Path, loaded: Report, spoil: Callable[[Path], object], message: str
) -> None:
    before = everything(conn)
    spoil(library / "metadata.db")

    with pytest.raises(IngestError, match=message):
        ingest_calibre(conn, library)

    assert everything(conn) == before
    assert one(conn, "select status from library.ingest_runs order by run_id desc limit 1") == "failed"


def test_a_dry_run_tells_the_difference_and_writes_nothing(
    conn: psycopg.Connection, library: Path, edit: Callable, loaded: Report
) -> None:
    before = everything(conn)
    runs = one(conn, "select count(*) from library.ingest_runs")
    with edit() as db:
        for book in range(1, 11):
            db.execute("insert or ignore into tags (name) values ('retagged')")
            db.execute("insert into books_tags_link (book, tag) select ?, id from tags where name = 'retagged'", [book])
            db.execute(TOUCH, [book])
        db.execute("delete from books where id = 20")

    found = difference(conn, library)

    assert [change.change for change in found] == ["update"] * 10 + ["deactivate"]
    assert {change.fields for change in found[:10]} == {("subjects",)}
    assert everything(conn) == before
    assert one(conn, "select count(*) from library.ingest_runs") == runs


def test_a_dry_run_on_an_empty_catalogue_lists_every_book(conn: psycopg.Connection, library: Path) -> None:
    assert [change.change for change in difference(conn, library)] == ["insert"] * 20
    assert one(conn, "select count(*) from library.libraries") == 0


def test_two_editions_are_one_work_and_go_and_come_one_by_one(
    conn: psycopg.Connection, library: Path, edit: Callable
) -> None:
    with edit() as db:
        db.execute("update books set title = 'A Shared Book' where id = 1")
        db.execute("update books set title = 'A Shared Book (Illustrated Edition)' where id = 2")
        for table in ("authors", "languages"):
            db.execute(f"delete from books_{table}_link where book = 2")
        db.execute(
            "insert into books_authors_link (book, author) select 2, author from books_authors_link where book = 1"
        )
        db.execute(
            "insert into books_languages_link (book, lang_code) "
            "select 2, lang_code from books_languages_link where book = 1"
        )

    ingest_calibre(conn, library)

    books = conn.execute("select distinct book_id from library.editions where calibre_id in (1, 2)").fetchall()
    assert len(books) == 1
    assert one(conn, "select title from library.works where book_id = %s", books[0][0]) == "A Shared Book"

    with edit() as db:
        db.execute("delete from books where id = 1")
    ingest_calibre(conn, library)

    title, active = one(conn, "select title, active from library.works where book_id = %s", books[0][0])
    assert (title, active) == ("A Shared Book", True)


def test_what_is_filed_under_romanised_letters_is_found_by_them(
    conn: psycopg.Connection, library: Path, edit: Callable
) -> None:
    ingest_calibre(conn, library)
    with edit() as db:
        (author,) = db.execute("select author from books_authors_link where book = 3").fetchone()
        db.execute("update authors set name = 'Михаил Булгаков', sort = 'Bulgakov, Mikhail' where id = ?", [author])
        db.execute("update books set title = 'Мастер и Маргарита' where id = 3")
        db.execute("update books set sort = 'Master i Margarita' where id = 3")  # after the trigger of the title
        db.execute(TOUCH, [3])
    ingest_calibre(conn, library)
    wanted = one(conn, "select book_id from library.editions where calibre_id = 3")

    for asked, mode in (
        ("master margarita", "title"), ("bulgakov", "author"), ("margarita bulgakov", "all"), ("margarrita", "all"),
        ("мастер маргарита", "title"), ("булгаков", "author"),
    ):  # fmt: skip
        assert [hit.book_id for hit in search(conn, asked, mode)][:1] == [wanted], asked
    assert search(conn, "bulgakov", "title") == []
    # 'Truth, The' is filed under the words that are shown: nothing is indexed twice.
    title, folded = one(
        conn,
        """select title, folded from library.works where right(title_sort, 5) = ', The' and series_id is null
           order by book_id limit 1""",
    )
    assert folded.count(fold_words(title).split()[-1]) == 1


def test_a_book_without_author_and_one_with_an_apostrophe_in_its_folder_arrive(
    conn: psycopg.Connection, library: Path, edit: Callable
) -> None:
    with edit() as db:
        db.execute("delete from books_authors_link where book = 1")
        (folder,) = db.execute("select path from books where id = 2").fetchone()
        db.execute("update books set path = ? where id = 2", ["O'Hara/It's odd (2)"])
    (library / "O'Hara").mkdir()
    (library / folder).rename(library / "O'Hara" / "It's odd (2)")

    report = ingest_calibre(conn, library)

    assert (report.editions, report.rejected) == (20, 0)
    assert one(conn, "select authors_text from library.editions where calibre_id = 1") == ""
    cover = one(conn, "select cover_path from library.editions where calibre_id = 2")
    assert (library / cover).is_file()


def test_a_book_whose_folder_leaves_the_library_is_rejected_and_the_rest_arrives(
    conn: psycopg.Connection, library: Path, edit: Callable
) -> None:
    with edit() as db:
        db.execute("update books set path = '../../etc' where id = 9")

    report = ingest_calibre(conn, library)

    assert (report.editions, report.rejected) == (19, 1)
    assert report.reasons == ["book 9: its folder lies outside the library"]


def test_nothing_of_a_run_that_fails_half_way_is_kept(
    conn: psycopg.Connection, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("the power went")

    monkeypatch.setattr("openshelf.database.ingestion.store_work_subjects", fail)

    with pytest.raises(RuntimeError):
        ingest_calibre(conn, library)

    assert one(conn, "select count(*) from library.editions") == 0
    assert one(conn, "select status, message from library.ingest_runs") == ("failed", "RuntimeError: the power went")
