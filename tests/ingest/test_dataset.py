"""Published data sets: what becomes of their works and ratings, and that nothing is half-loaded."""

import csv
import json
import os
import stat
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from ingest import cli, dataset, dataset_download
from models.dataset_acts import DataOptions
from models.dataset_records import film_title
from models.warehouse_data import load_warehouse
from openshelf import works_deciding
from openshelf.contracts import utc_now
from openshelf.database import catalogue, imported_acts, pool
from openshelf.database.audit import OPERATOR
from openshelf.errors import IngestError, UsageError
from openshelf.folding import fold_words
from openshelf.privacy import retention
from openshelf.settings import get_settings

SECRET = b"k" * 32
MOVIES = (
    "movieId,title,genres\n1,Toy Story (1995),Adventure|Children\n2,Sabrina (1954),Comedy\n3,Sabrina (1995),Comedy\n"
)
RATINGS = (
    "userId,movieId,rating,timestamp\n7,1,4.0,964982703\n7,2,0.5,964981247\n8,1,5.0,964982224\n8,3,3.0,1000000000\n"
)
LINKS = "movieId,imdbId,tmdbId\n1,0114709,862\n2,0047437,6620\n3,0114319,11860\n"
TABLES = (
    "library.works", "library.editions", "library.work_keys", "library.identifiers", "library.work_subjects",
    "library.work_authors", "stream.imported_acts", "library.catalogue_version",
)  # fmt: skip


@pytest.fixture
def films(tmp_path: Path) -> Path:
    return written(tmp_path / "ml-latest-small", {"movies.csv": MOVIES, "ratings.csv": RATINGS, "links.csv": LINKS})


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """The cleaned Book-Crossing files: reader 1 met three books and rated two, one of them without an access."""
    items = "Book_ID\tISBN\tBook-Title\tBook-Author\tYear-Of-Publication\tPublisher\tS\tM\tL\n"
    pictures = "http://a/1.jpg\thttp://a/2.jpg\thttp://a/3.jpg"
    items += f"1\t0441013597\tDune\tFrank Herbert\t1965\tAce\t{pictures}\n"
    items += f"2\t0393045218\tThe Mummies of Urumchi\tE. J. W. Barber\t1999\tNorton &amp\t Company\t{pictures}\n"
    items += f"3\t0195153448\tClassical Mythology\tMark P. O. Morford\t0\tOxford\t{pictures}\n"
    return written(
        tmp_path / "bx",
        {
            "items_info.dat": items,
            "book_history.dat": "user\titem\taccessed\n1\t1\t1\n1\t2\t1\n2\t1\t1\n",
            "book_ratings.dat": "user\titem\trating\n1\t1\t9.000000\n1\t3\t2.000000\n",
            "users_info.dat": "User-ID\tLocation\tAge\n1\thue, thua thien, vietnam\t30\n2\tn/a\t\n",
        },
    )


def written(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def take_in(conn: psycopg.Connection, path: Path, name: str = "movielens", **options: int) -> dataset.DatasetReport:
    return dataset.ingest_dataset(conn, name, path, secret=SECRET, options=DataOptions(**options))


def everything(conn: psycopg.Connection) -> dict[str, list[tuple]]:
    return {table: sorted(conn.execute(f"select * from {table}").fetchall(), key=str) for table in TABLES}  # pyright: ignore


def acts(conn: psycopg.Connection) -> list[tuple]:
    return conn.execute(
        """select works.title, works.year, action, value, round(reward::numeric, 2)::float8, occurred_at::text
           from stream.imported_acts join library.editions using (edition_id) join library.works using (book_id)
           order by works.title, works.year, value nulls first, occurred_at"""
    ).fetchall()


def test_films_come_with_year_subjects_numbers_and_ratings_with_their_time(
    conn: psycopg.Connection, films: Path
) -> None:
    done = take_in(conn, films)

    assert (done.inserted, done.works, done.interactions, done.readers, done.rejected) == (3, 3, 4, 2, 0)
    stored = conn.execute(
        "select kind, title, year, authors_text, audience, cover_edition_id from library.works order by title, year"
    ).fetchall()
    assert stored == [
        ("film", "Sabrina", 1954, "", "adult", None),
        ("film", "Sabrina", 1995, "", "adult", None),
        ("film", "Toy Story", 1995, "", "children", None),
    ]
    assert acts(conn) == [
        ("Sabrina", 1954, "rate", 0.5, -2.5, "2000-07-30 18:20:47+00"),
        ("Sabrina", 1995, "rate", 3.0, 0.0, "2001-09-09 01:46:40+00"),
        ("Toy Story", 1995, "rate", 4.0, 1.0, "2000-07-30 18:45:03+00"),
        ("Toy Story", 1995, "rate", 5.0, 2.0, "2000-07-30 18:37:04+00"),
    ]
    numbers = conn.execute("select kind, value from library.identifiers order by kind, value").fetchall()
    assert ("imdb", "tt0114709") in numbers
    assert ("tmdb", "862") in numbers


def test_tmdb_tells_director_summary_and_language(conn: psycopg.Connection, films: Path) -> None:
    crew = "[{'job': 'Director', 'name': 'John Lasseter'}, {'job': 'Producer', 'name': 'Bonnie Arnold'}]"
    overview = "Led by Woody, Andy's toys live happily in his room until Buzz Lightyear lands."
    with (films / "movies_metadata.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [
                ["adult", "genres", "id", "original_language", "original_title", "overview", "release_date", "title"],
                ["False", "[{'id': 16, 'name': 'Animation'}]", "862", "en", "Toy Story", overview, "1995-10-30", "T"],
                ["broken", "__import__('os').system('false')", "6620", "xx-bogus", "", "", "", ""],
            ]
        )
    with (films / "credits.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["cast", "crew", "id"], ["[]", crew, "862"], ["[]", "[[[", "6620"]])
    with (films / "keywords.csv").open("w", newline="") as file:
        keywords = "[{'id': 1, 'name': 'jealousy'}, {'id': 2, 'name': 'toy, living'}, {'id': 3, 'name': 'jealousy'}]"
        csv.writer(file).writerows([["id", "keywords"], ["862", keywords], ["6620", "[{"], ["99", keywords]])

    take_in(conn, films)

    row = conn.execute(
        "select title, authors_text, summary, language, themes from library.works where title = 'Toy Story'"
    ).fetchone()
    assert row == ("Toy Story", "John Lasseter", overview, "eng", ["jealousy", "toy living"])


def test_an_access_is_a_reading_without_a_time_and_a_rating_counts_in_stars(
    conn: psycopg.Connection, books: Path
) -> None:
    take_in(conn, books, "book-crossing")

    assert acts(conn) == [
        ("Classical Mythology", None, "rate", 1.0, -2.0, None),
        ("Dune", 1965, "read", None, 2.0, None),
        ("Dune", 1965, "rate", 4.5, 1.5, None),
        ("The Mummies of Urumchi", 1999, "read", None, 2.0, None),
    ]
    assert conn.execute("select kind, publisher from library.works where title like '%Mummies%'").fetchone() == (
        "book",
        "Norton & Company",
    )


def test_goodbooks_without_ratings_is_a_catalogue_with_its_readers_mean(
    conn: psycopg.Connection, tmp_path: Path
) -> None:
    head = "book_id,goodreads_book_id,isbn,authors,original_publication_year,original_title,title,"
    head += "language_code,average_rating"
    row = '2,3,439554934,"J.K. Rowling, Mary GrandPré",1997.0,Stone,"Sorcerer\'s Stone (Harry Potter, #1)",en-US,4.44'
    files = {
        "books.csv": f"{head}\n{row}\n",
        "tags.csv": "tag_id,tag_name\n1,to-read\n2,fantasy\n",
        "book_tags.csv": "goodreads_book_id,tag_id,count\n3,1,900\n3,2,500\n",
    }

    done = take_in(conn, written(tmp_path / "goodbooks-10k", files), "goodbooks-10k")

    assert (done.inserted, done.interactions) == (1, 0)
    found = catalogue.work(conn, 1)
    assert found
    assert (found.title, found.authors_text, found.year, found.language) == (
        "Sorcerer's Stone", "J.K. Rowling, Mary GrandPré", 1997, "eng",
    )  # fmt: skip
    assert (found.series_name, found.series_index, found.rating) == ("Harry Potter", 1.0, pytest.approx(4.44))
    assert catalogue.subjects_of(conn, 1) == ["fantasy"]
    assert "isbn 9780439554930" in catalogue.editions(conn, 1)[0].identifiers


def test_a_second_run_changes_no_row(conn: psycopg.Connection, films: Path, books: Path) -> None:
    take_in(conn, films)
    take_in(conn, books, "book-crossing")
    before = everything(conn)

    again = [take_in(conn, films), take_in(conn, books, "book-crossing")]

    assert everything(conn) == before
    assert [(r.inserted, r.updated, r.interactions_written, r.catalogue_version) for r in again] == [
        (0, 0, 0, None)
    ] * 2


def test_what_changed_in_the_files_is_all_that_changes(conn: psycopg.Connection, films: Path) -> None:
    take_in(conn, films)
    ids = dict(conn.execute("select title || year, book_id from library.works").fetchall())
    lines = RATINGS.replace("7,2,0.5,964981247\n", "").replace("8,3,3.0", "8,3,5.0")
    written(films, {"ratings.csv": lines + "9,2,4.0,1000000001\n"})

    done = take_in(conn, films)

    assert (done.interactions, done.interactions_written, done.interactions_removed) == (4, 2, 1)
    assert dict(conn.execute("select title || year, book_id from library.works").fetchall()) == ids


def films_of(conn: psycopg.Connection) -> list[tuple[str, list[str]]]:
    """Title and IMDb's numbers of each active work."""
    return conn.execute(
        """select works.title, array_agg(identifiers.value order by value) filter (where identifiers.kind = 'imdb')
           from library.works join library.editions using (book_id) left join library.identifiers using (edition_id)
           where works.active and editions.active group by works.book_id, works.title order by 2"""
    ).fetchall()


def test_films_of_one_title_and_year_are_two_where_their_numbers_differ(conn: psycopg.Connection, films: Path) -> None:
    emma = {
        "movies.csv": "movieId,title,genres\n1,Emma (1996),Comedy\n2,Emma (1996),Romance\n"
        "3,Heat (1995),\n4,Heat (1995),\n",
        "links.csv": "movieId,imdbId,tmdbId\n1,0116191,3573\n2,0118308,12254\n3,0113277,949\n4,0113277,949\n",
    }
    written(films, emma)

    take_in(conn, films)
    first = films_of(conn)
    written(films, {"movies.csv": emma["movies.csv"].replace("1,Emma (1996),Comedy", "1,Emma (1996),Drama")})
    take_in(conn, films)
    written(films, {"movies.csv": emma["movies.csv"].replace("2,Emma (1996),Romance", "2,Emma (1996),Drama")})
    take_in(conn, films)

    assert first == [
        ("Heat", ["tt0113277", "tt0113277"]), ("Emma", ["tt0116191"]), ("Emma", ["tt0118308"])
    ]  # fmt: skip
    assert films_of(conn) == first
    assert conn.execute("select count(*) from library.works").fetchone() == (3,)


def test_a_film_without_numbers_is_the_one_of_its_title_and_year(
    conn: psycopg.Connection, films: Path, tmp_path: Path
) -> None:
    take_in(conn, written(tmp_path / "bare", {"movies.csv": MOVIES, "ratings.csv": RATINGS}))

    take_in(conn, films)

    assert conn.execute("select count(*) from library.works where active").fetchone() == (3,)


def test_a_data_set_goes_again_and_leaves_the_others(conn: psycopg.Connection, films: Path, books: Path) -> None:
    take_in(conn, films)
    take_in(conn, books, "book-crossing")
    held = everything(conn)["library.works"]

    gone = dataset.remove_dataset(conn, "movielens")

    assert (gone.deactivated, gone.interactions_removed) == (3, 4)
    assert {one.name: (one.count_works, one.count_acts) for one in imported_acts.datasets(conn)} == {
        "book-crossing": (3, 4), "movielens": (0, 0),
    }  # fmt: skip
    back = take_in(conn, films)
    assert (back.returned, back.interactions) == (3, 4)
    assert [row[0] for row in everything(conn)["library.works"]] == [row[0] for row in held]
    with pytest.raises(UsageError, match="there is: book-crossing, movielens"):
        dataset.remove_dataset(conn, "goodbooks")


def test_an_edition_of_a_book_that_is_here_joins_it_and_a_film_never_does(
    conn: psycopg.Connection, books: Path, tmp_path: Path
) -> None:
    take_in(conn, books, "book-crossing")
    more = written(
        tmp_path / "more",
        {
            "ratings.csv": "reader,work,rating\na,x,5\n",
            "works.csv": "work,title,authors,year\nx,Dune,Frank Herbert,1990\n",
        },
    )
    film = written(tmp_path / "film", {"movies.csv": "movieId,title,genres\n1,Dune (1965),\n", "ratings.csv": RATINGS})

    take_in(conn, more, "csv")
    take_in(conn, film)

    found = conn.execute("select kind, count(*) from library.works where title = 'Dune' group by kind order by kind")
    assert found.fetchall() == [("book", 1), ("film", 1)]
    dunes = conn.execute("select count(distinct book_id) from library.editions where title = 'Dune' and kind = 'book'")
    assert dunes.fetchone() == (1,)


def test_readers_and_works_with_too_few_ratings_are_left_out_until_all_have_enough(
    conn: psycopg.Connection, tmp_path: Path
) -> None:
    """Work 3 has two ratings, one of reader 9, who has but one; without it work 3 has too few, then reader 8."""
    lines = ["7,1,4,1000000000", "7,2,4,1000000000", "6,1,4,1000000000", "6,2,4,1000000000"]
    lines += ["8,1,4,1000000000", "8,3,4,1000000000", "9,3,4,1000000000"]
    folder = written(
        tmp_path / "ml", {"movies.csv": MOVIES, "ratings.csv": "userId,movieId,rating,timestamp\n" + "\n".join(lines)}
    )

    done = take_in(conn, folder, min_acts_per_reader=2, min_acts_per_work=2)

    assert (done.inserted, done.interactions, done.readers, done.too_few) == (2, 4, 2, 3)


def test_ratings_follow_their_edition_when_staff_decide_about_works(conn: psycopg.Connection, books: Path) -> None:
    take_in(conn, books, "book-crossing")
    dune, mummies = (
        conn.execute("select book_id, edition_id from library.editions where title like %s", [title]).fetchone()
        for title in ("Dune", "%Mummies%")
    )
    assert dune
    assert mummies
    conn.commit()

    works_deciding.merge(conn, OPERATOR, dune[0], [mummies[0]])
    assert {row[0] for row in acts(conn)} == {"Dune", "Classical Mythology"}
    assert load_warehouse(conn).count_works == 2
    works_deciding.split(conn, OPERATOR, dune[0], [mummies[1]])

    assert {row[0] for row in acts(conn)} == {"Dune", "Classical Mythology", "The Mummies of Urumchi"}
    assert take_in(conn, books, "book-crossing").interactions_written == 0


def test_readers_are_pseudonyms_and_one_can_be_forgotten_for_good(conn: psycopg.Connection, films: Path) -> None:
    take_in(conn, films)
    keys = {key for (key,) in conn.execute("select distinct reader_key from stream.imported_acts").fetchall()}
    assert len(keys) == 2
    assert all(key.startswith("d_") and len(key) == 34 for key in keys)

    assert dataset.forget_reader(conn, "movielens", "7", SECRET) == 2
    again = take_in(conn, films)

    assert (again.interactions, again.interactions_written) == (2, 0)


def test_retention_takes_no_data_set_for_a_visit(conn: psycopg.Connection, films: Path) -> None:
    take_in(conn, films)
    before = acts(conn)

    retention.run(conn, get_settings(), utc_now() + timedelta(days=4_000))

    assert acts(conn) == before


def test_models_learn_from_data_sets_where_films_are_shown(
    conn: psycopg.Connection, films: Path, books: Path, served: Callable[[str], psycopg.Connection]
) -> None:
    take_in(conn, films)
    take_in(conn, books, "book-crossing")

    of_books, of_both = load_warehouse(served("book")), load_warehouse(served("book,film"))

    assert (of_books.count_works, len(of_books.rows)) == (3, 3)  # glad: above three stars, or read
    assert of_books.times is None  # Book-Crossing tells none
    assert (of_both.count_works, len(of_both.rows)) == (6, 5)
    assert of_both.times is not None
    assert sorted(of_both.times.tolist())[:3] == [0, 0, 0]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, database: str) -> Callable[[str], psycopg.Connection]:
    """A connection of an installation that shows these kinds."""

    def opened(kinds: str) -> psycopg.Connection:
        monkeypatch.setenv("OPENSHELF_KINDS", kinds)
        get_settings.cache_clear()
        return pool.connect()

    return opened


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("ratings.csv", b"", "ratings.csv is empty"),
        ("ratings.csv", b"userId,movieId,rating,timestamp\n", "a first line and nothing below it"),
        ("ratings.csv", RATINGS.replace(",", ";").encode(), "are its cells parted by ;"),
        ("ratings.csv", RATINGS.replace(",", "\t").encode(), "are its cells parted by tabs"),
        ("ratings.csv", b"userId,movieId,timestamp\n7,1,3\n", "has no column rating"),
        ("ratings.csv", RATINGS.replace(",4.0", ",\xe9").encode("latin-1"), "not written in UTF-8 .byte 0xe9"),
        ("ratings.csv", RATINGS.replace("5.0", "50").replace("4.0", "9").replace("3.0", "9").encode(), "right data"),
        ("ratings.csv", RATINGS.encode("utf-16"), "not written in UTF-8|has no column"),
        ("movies.csv", b'movieId,title,genres\n1,"Toy Story (1995),Comedy\n2,Heat,Crime\n', "is the copy whole"),
        ("movies.csv", b"", "movies.csv is empty"),
        ("movies.csv", b"movieId,genres\n1,Comedy\n", "has no column title"),
        ("movies.csv", b"movieId,title,genres\n1,,Comedy\n2, ,\n3,,\n", "tells of no works"),
        ("links.csv", b"movieId,imdbId\n1,2\n", "has no column tmdbId"),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_by_name_and_changes_nothing(
    conn: psycopg.Connection, films: Path, file: str, content: bytes, message: str
) -> None:
    take_in(conn, films)
    before = everything(conn)
    (films / file).write_bytes(content)

    with pytest.raises(IngestError, match=message):
        take_in(conn, films)

    assert everything(conn) == before
    failed = conn.execute("select status, message from library.ingest_runs order by run_id desc limit 1").fetchone()
    assert failed
    assert failed[0] == "failed"


def test_an_archive_or_a_wrong_folder_is_refused_in_words(
    conn: psycopg.Connection, films: Path, tmp_path: Path
) -> None:
    packed = tmp_path / "ml.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(films / "ratings.csv", "ratings.csv")

    with pytest.raises(IngestError, match="is an archive: unpack it"):
        take_in(conn, packed)
    with pytest.raises(IngestError, match="has none of the files"):
        take_in(conn, written(tmp_path / "empty", {}))
    with pytest.raises(IngestError, match="there is nothing at"):
        take_in(conn, tmp_path / "nowhere")
    with pytest.raises(UsageError, match="not known"):
        take_in(conn, films, "netflix")


def test_bad_lines_are_rejected_alone_each_with_its_reason(conn: psycopg.Connection, films: Path) -> None:
    good = "".join(f"{reader},1,4.0,1000000000\n" for reader in range(20, 40))
    bad = "7,99,4.0,1\n,1,4.0,1000000000\n7,,4.0,1000000000\n7,2,6,1000000000\n7,2,x,1000000000\n7,2,4.0,soon\n"
    bad += "7,2,4.0,99999999999\n7,1,4.0,1000000000\n7,1,3.0,1000000001\n7,3,4.0,5,6,7\n7,3\n"
    written(films, {"ratings.csv": f"userId,movieId,rating,timestamp\n{good}{bad}"})

    done = take_in(conn, films)

    assert done.interactions == 21
    assert done.rejected == len(done.rejects) == 10
    reasons = {reject.reason for reject in done.rejects}
    assert reasons == {
        "its work is in no file of works", "it names no reader", "it names no work",
        "its rating is not one of 0.5 to 5", "its time cannot be read", "its time is none of a reader's act",
        "its reader and work come again", "expected 4 fields, saw 6",
    }  # fmt: skip
    assert any(reject.line == 31 and "expected" in reject.reason for reject in done.rejects)
    # Of two opinions the later one counts.
    assert ("Toy Story", 1995, "rate", 3.0, 0.0, "2001-09-09 01:46:41+00") in acts(conn)


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("City of Lost Children, The (Cité des enfants perdus, La) (1995)", "The City of Lost Children"),
        ("Léon: The Professional (a.k.a. The Professional) (Léon) (1994)", "Léon: The Professional"),
        ("Caligari (Kabinett (Doktor) Caligari) (1920)", "Caligari"),
        ("(500) Days of Summer (2009)", "(500) Days of Summer"),
        ("Birdman: Or (The Unexpected Virtue of Ignorance) (2014)", "Birdman: Or (The Unexpected Virtue of Ignorance)"),
        ("Frontière(s) (2007)", "Frontière(s)"),
    ],
)
def test_a_film_is_shown_by_one_title_and_found_by_its_others(
    conn: psycopg.Connection, films: Path, told: str, shown: str
) -> None:
    written(films, {"movies.csv": f'movieId,title,genres\n1,"{told}",Drama\n2,B,\n3,C,\n'})

    take_in(conn, films)

    title, searched = conn.execute("select title, folded from library.works where year is not null").fetchone()  # pyright: ignore
    assert title == shown
    assert set(searched.split()) == set(fold_words(film_title(told)[0]).split()) - {told[-5:-1]}


def test_quoted_lines_and_commas_are_part_of_a_title(conn: psycopg.Connection, films: Path) -> None:
    written(films, {"movies.csv": 'movieId,title,genres\n1,"American\nPresident, The (1995)",Drama\n2,B,\n3,C,\n'})

    take_in(conn, films)

    assert conn.execute("select title from library.works where year = 1995").fetchone() == ("The American President",)


def test_the_command_reports_counts_and_where_the_rejects_are(
    conn: psycopg.Connection, films: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(films, {"ratings.csv": RATINGS + "8,77,4.0,1000000000\n"})
    asked = ["dataset", "movielens", str(films), "--no-embed", "--json"]

    dry = ran(capsys, *asked, "--dry-run")
    assert (dry["inserted"], dry["interactions"], dry["rejected"]) == (3, 4, 1)
    assert conn.execute("select count(*) from library.editions").fetchone() == (0,)
    done = ran(capsys, *asked)
    held = ran(capsys, "dataset", "--json")
    gone = ran(capsys, "dataset", "movielens", "--remove", "--json")

    told = ("editions", "works", "inserted", "updated", "deactivated", "rejected", "interactions")
    assert {name: done[name] for name in told} == {
        "editions": 3, "works": 3, "inserted": 3, "updated": 0, "deactivated": 0, "rejected": 1, "interactions": 4,
    }  # fmt: skip
    with Path(done["rejects"]).open() as file:
        assert list(csv.reader(file))[1:] == [
            ["ratings.csv", "6", "reader 8, work 77", "its work is in no file of works"]
        ]
    assert [(one["name"], one["count_acts"]) for one in held] == [("movielens", 4)]
    assert (gone["deactivated"], gone["interactions_removed"]) == (3, 4)


def ran(capsys: pytest.CaptureFixture[str], *words: str):
    capsys.readouterr()
    cli.ingest_app(args=list(words), standalone_mode=False)
    return json.loads(capsys.readouterr().out)


def test_more_than_a_fifth_gone_needs_a_yes(conn: psycopg.Connection, films: Path) -> None:
    take_in(conn, films)
    before = everything(conn)
    written(films, {"movies.csv": "\n".join(MOVIES.splitlines()[:3]) + "\n"})

    with pytest.raises(IngestError, match=r"1 of 3 .* are gone"):
        take_in(conn, films)
    assert everything(conn) == before
    done = dataset.ingest_dataset(conn, "movielens", films, secret=SECRET, allow_vanishing=True)
    assert (done.deactivated, done.interactions) == (1, 3)


def test_what_would_be_fetched_is_told_without_network_or_token(
    database: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("no network is needed"))

    told = ran(capsys, "dataset", "goodbooks", "--download", "--dry-run", "--json")

    assert told["handle"] == "zygmunt/goodbooks-10k"
    assert told["folder"].startswith(str(get_settings().home))
    assert told["command"].startswith("kaggle datasets download zygmunt/goodbooks-10k")


def test_a_token_that_others_can_read_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    (tmp_path / "kaggle.json").write_text("{}")
    os.chmod(tmp_path / "kaggle.json", stat.S_IRUSR | stat.S_IWUSR | stat.S_IROTH)

    with pytest.raises(UsageError, match="chmod 600"):
        dataset_download.fetch("goodbooks", tmp_path)


def test_without_kagglehub_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    monkeypatch.setitem(__import__("sys").modules, "kagglehub", None)

    with pytest.raises(UsageError, match="pip install kagglehub"):
        dataset_download.fetch("goodbooks", tmp_path)
    with pytest.raises(UsageError, match="not published anywhere"):
        dataset_download.plan("csv", tmp_path)
