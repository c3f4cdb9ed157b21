"""Whatever stands in a data set's files: it comes in, or is refused in words, and nothing is half-loaded."""

import json
import os
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ingest import dataset
from models.dataset_acts import DataOptions
from openshelf.contracts import clean_text
from openshelf.errors import IngestError, UsageError

SECRET = b"k" * 32
MORE = 10 if os.environ.get("FULL") else 1


def tries(count: int) -> settings:
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=count * MORE, suppress_health_check=checks)


LAYOUTS = {
    "movielens": ("ratings.csv", "movies.csv", "links.csv", "movies_metadata.csv"),
    "book-crossing": ("book_history.dat", "book_ratings.dat", "items_info.dat", "users_info.dat"),
    "bx": ("BX-Book-Ratings.csv", "BX-Books.csv", "BX-Users.csv"),
    "goodbooks-10k": ("ratings.csv", "books.csv", "tags.csv", "book_tags.csv"),
    "csv": ("ratings.csv", "works.csv"),
}
SOUND = {
    ("movielens", "ratings.csv"): "userId,movieId,rating,timestamp\n1,1,4.0,964982703\n2,1,3.0,964982704\n",
    ("movielens", "movies.csv"): "movieId,title,genres\n1,Heat (1995),Crime|Drama\n2,Casino (1995),Crime\n",
    ("movielens", "links.csv"): "movieId,imdbId,tmdbId\n1,0113277,949\n",
    ("movielens", "movies_metadata.csv"): (
        "id,title,overview,genres\n949,Heat,\"Cops, robbers and coffee.\",\"[{'name': 'X'}]\"\n"
    ),
    ("book-crossing", "book_history.dat"): "user\titem\taccessed\n1\t1\t1\n",
    ("book-crossing", "book_ratings.dat"): "user\titem\trating\n1\t1\t9.0\n",
    ("book-crossing", "items_info.dat"): (
        "Book_ID\tISBN\tBook-Title\tBook-Author\tYear\tPublisher\tS\tM\tL\n"
        "1\t0441013597\tDune\tFrank Herbert\t1965\tAce\thttp://a\thttp://b\thttp://c\n"
    ),
    ("book-crossing", "users_info.dat"): "User-ID\tLocation\tAge\n1\thue, vietnam\t30\n",
    ("bx", "BX-Book-Ratings.csv"): '"User-ID";"ISBN";"Book-Rating"\n"1";"0441013597";"0"\n"2";"0441013597";"8"\n',
    ("bx", "BX-Books.csv"): (
        '"ISBN";"Book-Title";"Book-Author";"Year";"Publisher";"S";"M";"L"\n'
        '"0441013597";"Dune";"Frank Herbert";"1965";"Ace";"http://a";"http://b";"http://c"\n'
    ),
    ("bx", "BX-Users.csv"): '"User-ID";"Location";"Age"\n"1";"hue, vietnam";"30"\n',
    ("goodbooks-10k", "ratings.csv"): "user_id,book_id,rating\n1,1,5\n2,1,3\n",
    ("goodbooks-10k", "books.csv"): (
        "book_id,goodreads_book_id,isbn,authors,original_publication_year,original_title,title,language_code,average_rating\n"
        "1,3,439554934,J.K. Rowling,1997.0,Stone,\"Stone (Harry Potter, #1)\",eng,4.4\n"
    ),
    ("goodbooks-10k", "tags.csv"): "tag_id,tag_name\n1,fantasy\n",
    ("goodbooks-10k", "book_tags.csv"): "goodreads_book_id,tag_id,count\n3,1,9\n",
    ("csv", "ratings.csv"): "reader,work,rating\na,x,5\nb,x,1\n",
    ("csv", "works.csv"): "work,title,authors,year\nx,Emma,Jane Austen,1815\n",
}  # fmt: skip
NASTY = st.sampled_from(
    [b"\x00", b"\xff\xfe", b'"', b"\n", b"\r", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\t", b";", b",", b"NaN", b"inf",
     b"-1e309", b"9" * 400, b"<script>", b"\\", b"\xe2\x80\xae", b"0000", b"%s", b"1970-01-01", b"|", b"()", b"(1995)"]
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, name: str) -> dict[str, bytes]:
    """Sound files, some of them cut, emptied, left out, or with bytes put in, taken out or changed."""
    files = {file: SOUND[name, file].encode() for file in LAYOUTS[name]}
    for file in draw(st.lists(st.sampled_from(LAYOUTS[name]), min_size=1, max_size=2, unique=True)):
        content = files[file]
        for _ in range(draw(st.integers(1, 4))):
            at, to = sorted((draw(st.integers(0, len(content))), draw(st.integers(0, len(content)))))
            put = draw(
                st.one_of(NASTY, st.binary(max_size=6), st.text(max_size=6).map(lambda t: t.encode("utf-8", "replace")))
            )
            content = draw(
                st.sampled_from([content[:at], content[:at] + put + content[at:], content[:at] + put + content[to:]])
            )
        files[file] = content
    if draw(st.booleans()):
        del files[draw(st.sampled_from(sorted(files)))]
    return files


def laid(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for file, content in files.items():
        (folder / file).write_bytes(content)
    return folder


def check(conn: psycopg.Connection, name: str, files: dict[str, bytes], folder: Path) -> None:
    laid(folder, files)
    counts = "select (select count(*) from library.editions), (select count(*) from stream.imported_acts)"
    before = conn.execute(counts).fetchone()
    try:
        done = dataset.ingest_dataset(conn, name, folder, secret=SECRET, allow_vanishing=True)
    except IngestError as error:
        done, refused = None, str(error)
    else:
        refused = ""
    if done is None:
        assert len(refused) > 20
        assert conn.execute(counts).fetchone() == before
        return
    assert done.rejected == len(done.rejects)
    assert all(reject.reason for reject in done.rejects)
    again = dataset.ingest_dataset(conn, name, folder, secret=SECRET, options=DataOptions(), allow_vanishing=True)
    assert (again.inserted, again.updated, again.interactions_written) == (0, 0, 0)
    odd = conn.execute(
        """select count(*) from stream.imported_acts
           where value not between 0.5 and 5 or reward not between -2.5 and 2
               or occurred_at > now() + interval '2 days'"""
    ).fetchone()
    assert odd == (0,)


@pytest.mark.parametrize("name", list(LAYOUTS))
def test_sound_files_come_in(conn: psycopg.Connection, tmp_path: Path, name: str) -> None:
    files = {file: SOUND[name, file].encode() for file in LAYOUTS[name]}

    check(conn, name, files, tmp_path / "data")

    held = conn.execute("select count(*) from stream.imported_acts").fetchone()
    assert held
    assert held[0] >= 1


@pytest.mark.parametrize("name", list(LAYOUTS))
def test_damaged_files_are_read_or_refused_in_words(tmp_path: Path, name: str) -> None:
    read = refused = 0

    @tries(60)
    @example({file: SOUND[name, file].encode() for file in LAYOUTS[name]})
    @given(damaged(name))
    def tried(files: dict[str, bytes]) -> None:
        nonlocal read, refused
        try:
            found = dataset.prepare(name, laid(tmp_path / "data", files))
        except UsageError as error:
            message = str(error)
            refused += 1
        else:
            message = "read"
            read += 1
            told = json.dumps([vars(edition) for edition in found.editions], default=str, ensure_ascii=False)
            assert json.loads(clean_text(told)) == json.loads(told)  # Postgres can hold every letter of it
            assert not found.acts.duplicated(["reader", "work"]).any()
            assert found.acts["stars"].dropna().between(0.5, 5).all()
            assert set(found.acts["work"]) <= {edition.source_key for edition in found.editions}
        assert message

    tried()
    assert read
    assert refused


@pytest.mark.parametrize("name", list(LAYOUTS))
def test_damaged_files_leave_nothing_half_loaded(conn: psycopg.Connection, tmp_path: Path, name: str) -> None:
    @tries(6)
    @given(damaged(name))
    def tried(files: dict[str, bytes]) -> None:
        check(conn, name, files, tmp_path / "data")

    tried()
