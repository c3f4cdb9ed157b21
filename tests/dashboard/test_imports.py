"""Books that readers bring from elsewhere: read, matched, reported, put on shelves once, and taken away again."""

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
import pytest
from dashboard_pages import drawn, words_of
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from dashboard import bringing, my_books_file, reader_files, state
from dashboard.acts import Reader
from dashboard.bringing import Outcome, Plan
from dashboard.matching import Holding, Holdings, titles_of
from dashboard.reader_files import Brought, UnreadableFileError, read
from openshelf.contracts import new_event_id
from openshelf.database import accounts
from openshelf.database import shelves as shelves_table
from openshelf.database.accounts import Account

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

# As the services write them, of a few rows each.
FILES = Path(__file__).parent / "reader_files"
GOODREADS = (FILES / "goodreads.csv").read_text("utf-8")
STORYGRAPH = (FILES / "storygraph.csv").read_text("utf-8")


@pytest.fixture
def account(conn: psycopg.Connection) -> Account:
    return accounts.create_demo(conn, "lan", "Lan", role="reader", history_enabled=True)


def acts_of(conn: psycopg.Connection) -> list[dict]:
    rows = conn.execute("select convert_from(payload, 'UTF8')::jsonb from stream.event_log order by log_offset")
    return [payload for (payload,) in rows]


def bring(conn: psycopg.Connection, account: Account, text: str, *, learns: bool = True) -> tuple[Plan, Outcome]:
    planned = bringing.plan(conn, account.account_id, read(text.encode()), None)
    reader = Reader("r_abc", new_event_id()) if learns else None
    return planned, bringing.carry_out(conn, account.account_id, planned, reader, NOW)


def test_goodreads_rows_are_read_with_isbn_shelf_stars_lists_and_day() -> None:
    file = read(GOODREADS.encode())

    assert (file.service, len(file.books), file.count_skipped) == ("Goodreads", 3, 1)
    assert file.books[0] == Brought(
        title="Dune (Dune, #1)",
        authors=("Frank Herbert",),
        isbns=("9780441172719",),
        shelf="read",
        stars=5,
        lists=("favourites", "desert"),
        day=date(2021, 5, 14),
    )
    assert file.books[1].authors == ("Frank Herbert", "Somebody Else")
    assert (file.books[1].shelf, file.books[1].stars, file.books[1].lists) == ("want", None, ())


def test_storygraph_rows_are_read() -> None:
    file = read(STORYGRAPH.encode("utf-8-sig"))

    assert file.service == "StoryGraph"
    assert [(book.title, book.shelf, book.stars, book.lists) for book in file.books] == [
        ("Charlotte's Web", "read", 4.25, ("farm",)),
        ("Truyện Kiều", "reading", None, ()),
        ("Dune", None, None, ()),
    ]
    assert file.books[0].day == date(2022, 4, 2)


def test_librarything_rows_are_read_in_their_own_encoding() -> None:
    file = read((FILES / "librarything.tsv").read_bytes())

    assert file.service == "LibraryThing"
    assert [(book.title, book.authors, book.shelf, book.stars) for book in file.books] == [
        ("Dune", ("Frank Herbert",), "read", 4.5),
        ("Мёртвые души", ("Николай Гоголь",), "want", None),
        ("Salt, Fat, Acid, Heat", ("Samin Nosrat",), None, None),
    ]
    assert (file.books[0].isbns, file.books[0].lists) == (("9780441172719",), ("Space",))


def test_tags_of_librarything_are_lists_too() -> None:
    text = (
        "Title\tPrimary Author\tTags\tCollections\nDune\tHerbert, Frank\tspace, desert, to read\tYour library, Space\n"
    )

    assert read(text.encode()).books[0].lists == ("Space", "desert")


def test_old_encodings_are_understood() -> None:
    text = "Title,Author,Exclusive Shelf\nThérèse,Émile Zola,read\n"

    assert read(text.encode("latin-1")).books[0].title == "Thérèse"
    assert read(text.replace(",", ";").encode()).books[0].authors == ("Émile Zola",)


def test_what_a_spreadsheet_in_russian_saved_is_understood() -> None:
    text = "Title;Author;Exclusive Shelf\nМастер и Маргарита;Михаил Булгаков;read\nЁлка “в снегу”;А. Ёж;to-read\n"

    books = read(text.encode("cp1251")).books
    assert [book.title for book in books] == ["Мастер и Маргарита", "Ёлка “в снегу”"]
    western = "Title,Author,Exclusive Shelf\nL’été à Malmö – naïveté,Zoë Müller,read\n"
    assert read(western.encode("cp1252")).books[0].title == "L’été à Malmö – naïveté"


def test_a_quotation_mark_in_librarything_swallows_no_book() -> None:
    lines = (
        "Title\tPrimary Author\tReview\tRating\tISBN",
        'Dune\tHerbert, Frank\t"It begins slowly\t5\t[0441172717]',
        '"A" Is for Alibi\tGrafton, Sue\tSo "good"\t4\t[]',
        "Salt\tNosrat, Samin\t\t\t[]",
    )

    books = read("\r\n".join(lines).encode("utf-16")).books
    assert [(book.title, book.stars, book.isbns) for book in books] == [
        ("Dune", 5, ("9780441172719",)),
        ('"A" Is for Alibi', 4, ()),
        ("Salt", None, ()),
    ]
    quoted = 'Title\tPrimary Author\tReview\r\n"Dune"\tHerbert\t"Two\nlines"\r\nSalt\tNosrat\t\r\n'
    assert [book.title for book in read(quoted.encode()).books] == ["Dune", "Salt"]


def test_a_shelf_of_goodreads_that_is_none_of_the_three_becomes_a_list() -> None:
    text = 'Title,Author,Bookshelves,Exclusive Shelf\nDune,Frank Herbert,"abandoned, sf",abandoned\n'
    text += "Emma,Jane Austen,,did-not-finish\n"

    one, other = read(text.encode()).books
    assert (one.shelf, one.lists) == (None, ("abandoned", "sf"))
    assert (other.shelf, other.lists) == (None, ())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"x" * (reader_files.MAX_BYTES + 1), "too large"),
        (b"just words", "no table"),
        (b"a,b,c\n1,2,3\n", "unknown columns"),
        (b"%PDF-1.4, a paper", "unknown columns"),
        (b"Title,Author,Exclusive Shelf\n" + b"x,y,read\n" * (reader_files.MAX_ROWS + 1), "too many rows"),
    ],
)
def test_a_file_of_another_kind_is_refused_in_words(content: bytes, problem: str) -> None:
    with pytest.raises(UnreadableFileError) as refused:
        read(content)
    assert refused.value.problem == problem


@given(st.binary(max_size=300))
def test_no_file_breaks_the_reading(content: bytes) -> None:
    for head in (b"", b"Title,Author,Exclusive Shelf,My Rating,ISBN,Date Read,Bookshelves\n"):
        try:
            file = read(head + content)
        except UnreadableFileError:
            continue
        assert all(book.title for book in file.books)


def holdings_of(*works: tuple[int, str, str], isbns: dict[str, int] | None = None) -> Holdings:
    return Holdings([Holding(number, title, authors, "eng") for number, title, authors in works], isbns or {})


SHELF = (
    (1, "Dune", "Frank Herbert"),
    (2, "Dune Messiah", "Frank Herbert"),
    (3, "The Left Hand of Darkness", "Ursula K. Le Guin"),
    (4, "Foundation 2", "Isaac Asimov"),
    (5, "Sapiens: A Brief History of Humankind", "Yuval Noah Harari"),
    (6, "Star Wars: A New Hope", "George Lucas"),
    (7, "Số đỏ", "Vũ Trọng Phụng"),
    (8, "The Idiot", "Fyodor Dostoevsky"),
    (9, "The Idiot", "Elif Batuman"),
    (10, "Crime and Punishment", "Fyodor Dostoevsky"),
)


@pytest.mark.parametrize(
    ("title", "author", "expected"),
    [
        ("Dune (Dune Chronicles, #1)", "Frank Herbert", (1, "title")),
        ("DUNE", "Herbert Frank", (1, "title")),
        ("Dune", "", (1, "title")),
        ("The Left Hand of Darkness", "Ursula Le Guin", (3, "title")),
        ("The Left Hand of Darknes", "U. K. Le Guin", (3, "near")),
        ("Sapiens", "Yuval Noah Harari", (5, "title")),
        ("So do", "Vu Trong Phung", (7, "title")),
        ("The Idiot", "Elif Batuman", (9, "title")),
        ("The Idiot", "Fyodor Dostoyevsky", (8, "title")),
        ("Crime & Punishment", "Fyodor Dostoyevsky", (10, "near")),
        ("Crime and Punishmnet", "Fyodor Dostoevsky", (10, "near")),
    ],
)
def test_slips_of_the_pen_and_other_ways_to_write_a_name_are_the_same_book(
    title: str, author: str, expected: tuple[int, str]
) -> None:
    match = holdings_of(*SHELF).find(Brought(title, (author,) if author else ()))

    assert match
    assert (match.book_id, match.how) == expected


@pytest.mark.parametrize(
    ("title", "author"),
    [
        ("Dune", "Somebody Else"),
        ("Dune Heretics", "Frank Herbert"),
        ("Children of Dune", "Frank Herbert"),
        ("Foundation 3", "Isaac Asimov"),
        ("Foundation", "Isaac Asimov"),
        ("Star Wars: The Empire Strikes Back", "George Lucas"),
        ("The Right Hand of Darkness", "Frank Herbert"),
        ("Dune Mesiah", "Frank Somebody"),
        ("The Lathe of Heaven", "Ursula K. Le Guin"),
        ("!!!", "Frank Herbert"),
    ],
)
def test_other_books_are_other_books(title: str, author: str) -> None:
    assert holdings_of(*SHELF).find(Brought(title, (author,))) is None


def test_an_isbn_says_more_than_a_title() -> None:
    holdings = holdings_of(*SHELF, isbns={"9780441172719": 1})

    assert holdings.find(Brought("Another title", ("Nobody",), isbns=("9780441172719",))).book_id == 1  # type: ignore[union-attr]
    assert titles_of("Dune: A Novel (Ace, #1)") == ["dune a novel ace 1", "dune a novel", "dune"]


def test_an_edition_is_found_however_its_isbn_is_written(
    conn: psycopg.Connection, account: Account, shelves: dict[str, int]
) -> None:
    conn.execute(
        """insert into library.identifiers (edition_id, kind, value)
           select edition_id, 'isbn', '0-441-17271-7' from library.editions where book_id = %s""",
        [shelves["Dune"]],
    )
    text = "Title,Author,Exclusive Shelf,ISBN13\nOtherwise Called,Nobody,read,9780441172719\n"

    planned = bringing.plan(conn, account.account_id, read(text.encode()), None)

    assert [(each.book_id, each.how) for each in planned.found] == [(shelves["Dune"], "isbn")]


def test_what_is_new_is_put_on_shelves_with_the_days_of_the_file(
    conn: psycopg.Connection, account: Account, shelves: dict[str, int]
) -> None:
    planned, outcome = bring(conn, account, GOODREADS)

    assert [book.title for book in planned.missing] == ["A Book Nobody Holds"]
    assert (outcome.count_shelved, outcome.count_rated, outcome.count_listed) == (2, 1, 2)
    assert accounts.shelves(conn, account.account_id) == {shelves["Dune"]: "read", shelves["Dune Messiah"]: "want"}
    assert accounts.ratings(conn, account.account_id) == {shelves["Dune"]: 5}
    days = {book_id: day for book_id, _shelf, day in shelves_table.shelved(conn, account.account_id)}
    assert days == {shelves["Dune"]: date(2021, 5, 14), shelves["Dune Messiah"]: date(2021, 6, 1)}
    assert [own.name for own in shelves_table.lists(conn, account.account_id)] == ["desert", "favourites"]


def test_the_same_file_twice_adds_nothing(conn: psycopg.Connection, account: Account, shelves: dict[str, int]) -> None:
    bring(conn, account, GOODREADS)
    before = len(acts_of(conn))

    planned, outcome = bring(conn, account, GOODREADS)

    assert planned.new == []
    assert outcome == Outcome()
    assert len(acts_of(conn)) == before


def test_what_a_reader_said_here_is_not_changed(
    conn: psycopg.Connection, account: Account, shelves: dict[str, int]
) -> None:
    dune = shelves["Dune"]
    accounts.put_on_shelf(conn, account.account_id, dune, "reading")
    accounts.rate(conn, account.account_id, dune, 2)

    _planned, outcome = bring(conn, account, GOODREADS)

    assert accounts.shelves(conn, account.account_id)[dune] == "reading"
    assert accounts.ratings(conn, account.account_id) == {dune: 2}
    assert (outcome.count_shelved, outcome.count_rated) == (1, 0)


def test_the_taste_follows_one_act_a_book_the_latest_last(
    conn: psycopg.Connection, account: Account, shelves: dict[str, int]
) -> None:
    bring(conn, account, GOODREADS)

    acts = acts_of(conn)
    # Dune was read before Dune Messiah was put aside; the rating stands for the reading.
    assert [(act["action"], act["book_id"], act.get("value")) for act in acts] == [
        ("rate", shelves["Dune"], 5.0),
        ("want", shelves["Dune Messiah"], None),
    ]
    assert {act["occurred_at"][:10] for act in acts} == {"2026-03-01"}


def test_a_long_life_of_reading_counts_by_its_latest_books(
    conn: psycopg.Connection, account: Account, shelves: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bringing, "MAX_ACTS", 1)

    _planned, outcome = bring(conn, account, GOODREADS)

    assert outcome.count_acts == 1
    assert [act["book_id"] for act in acts_of(conn)] == [shelves["Dune Messiah"]]
    assert len(accounts.shelves(conn, account.account_id)) == 2


def test_without_a_history_shelves_are_filled_and_nothing_else(
    conn: psycopg.Connection, account: Account, shelves: dict[str, int]
) -> None:
    _planned, outcome = bring(conn, account, GOODREADS, learns=False)

    assert (outcome.count_shelved, outcome.count_acts) == (2, 0)
    assert acts_of(conn) == []


def test_books_beyond_a_childs_limit_are_not_found(
    conn: psycopg.Connection, account: Account, shelves: dict[str, int]
) -> None:
    file = read((GOODREADS + STORYGRAPH.split("\n", 1)[1]).encode())
    conn.execute("update library.works set audience = 'children' where title = 'Dune Messiah'")

    planned = bringing.plan(conn, account.account_id, file, ["children"])

    assert [each.book_id for each in planned.found] == [shelves["Dune Messiah"]]
    assert "Dune (Dune, #1)" in [book.title for book in planned.missing]


def test_two_rows_of_one_work_are_one_with_the_most_that_they_say(
    conn: psycopg.Connection, account: Account, shelves: dict[str, int]
) -> None:
    text = (
        "Title,Author,Exclusive Shelf,My Rating,Bookshelves,Date Read\n"
        "Dune,Frank Herbert,to-read,0,one,\nDune (special),Frank Herbert,read,4,two,2020/01/01\n"
    )

    _planned, outcome = bring(conn, account, text)

    assert (outcome.count_shelved, outcome.count_rated, outcome.count_listed) == (1, 1, 2)
    assert accounts.shelves(conn, account.account_id) == {shelves["Dune"]: "read"}


def test_what_is_taken_away_can_be_brought_back(
    conn: psycopg.Connection, account: Account, shelves: dict[str, int]
) -> None:
    """Shelves, ratings and lists, through our own file, into another account."""
    me = account.account_id
    accounts.put_on_shelf(conn, me, shelves["Dune"], "read")
    accounts.put_on_shelf(conn, me, shelves["Truyện Kiều"], "want")
    accounts.rate(conn, me, shelves["Dune"], 4)
    accounts.rate(conn, me, shelves["Charlotte's Web"], 5)
    list_id = shelves_table.make(conn, me, 'Sand, "wind" and stars')
    shelves_table.put(conn, me, list_id, [shelves["Dune"], shelves["Salt, Fat, Acid, Heat"]])
    shelves_table.make(conn, me, "Fills itself", shelves_table.Rule(language="vie"))
    conn.execute("update library.works set title = '=1+1', title_sort = '=1+1' where title = 'Dune Messiah'")
    accounts.put_on_shelf(conn, me, shelves["Dune Messiah"], "reading")
    other = accounts.create_demo(conn, "minh", "Minh", role="reader", history_enabled=False)

    text = my_books_file.write(conn, account)
    file = read(text.encode("utf-8-sig"))
    planned = bringing.plan(conn, other.account_id, file, None)
    bringing.carry_out(conn, other.account_id, planned, None, NOW)

    assert file.service == "Openshelf"
    assert "'=1+1" in text
    assert planned.missing == ()
    assert accounts.shelves(conn, other.account_id) == accounts.shelves(conn, me)
    assert accounts.ratings(conn, other.account_id) == accounts.ratings(conn, me)
    (own,) = shelves_table.lists(conn, other.account_id)
    assert own.name == 'Sand, "wind" and stars'
    assert set(shelves_table.books_of(conn, other.account_id, own)) == {
        shelves["Dune"],
        shelves["Salt, Fat, Acid, Heat"],
    }
    assert bringing.plan(conn, me, file, None).new == []


def test_each_reader_takes_away_their_own_only(
    conn: psycopg.Connection, shelves: dict[str, int], sign_in: Callable, cookies: dict[str, str]
) -> None:
    stranger = sign_in("minh")
    list_id = shelves_table.make(conn, stranger.account_id, "Private")
    account = sign_in("lan")
    mine = shelves_table.make(conn, account.account_id, "Việt", shelves_table.Rule(language="vie"))
    conn.commit()
    with TestClient(Starlette(routes=my_books_file.routes())) as client:
        assert client.get("/my-books.csv").status_code == 401
        client.cookies.set(state.ACCOUNT_COOKIE, cookies[state.ACCOUNT_COOKIE])

        assert client.get("/my-books.csv").headers["cache-control"] == "no-store"
        assert client.get(f"/my-books/{list_id}.csv").status_code == 404
        assert client.get(f"/my-books/{'9' * 30}.csv").status_code == 404
        ruled = client.get(f"/my-books/{mine}.csv")
    assert ruled.headers["content-disposition"] == 'attachment; filename="Vit.csv"'
    assert "Truyện Kiều" in ruled.text


def upload(page: AppTest, text: str) -> AppTest:
    """As after the chooser has sent a file: AppTest has no component that could."""
    page.session_state["import.name"], page.session_state["import.content"] = "library.csv", text.encode()
    return page.run()


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ({"name": "library.csv", "content": b64encode(GOODREADS.encode()).decode()}, GOODREADS.encode()),
        ({"name": "library.csv", "content": ""}, b""),
        ({"name": "library.csv", "content": "%%%"}, None),
        ({"name": "library.csv", "content": 7}, None),
        ("library.csv", None),
    ],
)
def test_a_file_comes_as_the_chooser_sends_it(answer: object, kept: bytes | None) -> None:
    def page(answer: object) -> None:
        from types import SimpleNamespace

        import streamlit

        from dashboard.components import upload

        streamlit.session_state["chooser"] = SimpleNamespace(file=answer)
        streamlit.session_state["handed_in"] = upload.handed_in("chooser")

    app = AppTest.from_function(page, kwargs={"answer": answer}).run()

    assert not app.exception
    assert app.session_state["handed_in"] == (None if kept is None else ("library.csv", kept))


def test_the_page_reports_first_and_writes_when_told(
    shelves: dict[str, int], visit: Callable[..., AppTest], sign_in: Callable, conn: psycopg.Connection
) -> None:
    account = sign_in("lan", history=True)
    page = upload(visit("import_books"), GOODREADS)

    assert not page.exception
    found, missing = drawn(page, "ledger")[0]["sections"]
    assert found["heading"] == "2 books are in the library"
    assert found["rows"][0]["line"] == "read · 5 stars · favourites, desert"
    assert [row["title"] for row in missing["rows"]] == ["A Book Nobody Holds"]
    conn.rollback()
    assert accounts.shelves(conn, account.account_id) == {}

    page.button(key="import.put").click().run()

    assert not page.exception
    assert "2 books are on your shelves now." in words_of(page)
    assert "follow the latest 2" in words_of(page)
    found, _missing = drawn(page, "ledger")[0]["sections"]
    assert found["rows"][0]["line"] == "read · 5 stars · favourites, desert", "what was new just now is not called old"
    conn.rollback()
    assert len(accounts.shelves(conn, account.account_id)) == 2


def test_the_page_says_what_is_wrong_with_a_file(
    shelves: dict[str, int], visit: Callable[..., AppTest], sign_in: Callable
) -> None:
    sign_in("lan")

    page = upload(visit("import_books"), "a,b\n1,2\n")

    assert not page.exception
    assert "other columns" in drawn(page, "upload")[0]["problem"]
    assert not drawn(page, "ledger")


def test_without_an_account_nothing_is_brought(shelves: dict[str, int], visit: Callable[..., AppTest]) -> None:
    page = visit("import_books")

    assert not page.exception
    assert "brought to an account" in words_of(page)
