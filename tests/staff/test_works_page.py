"""Staff look why editions are one work, and decide otherwise: drawn, sent by the page's own forms, done, taken back."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from staff_drawn import Drawn, put_account
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from dashboard import forms, routes, state
from ingest.clean import Edition
from ingest.load import Plan, apply
from openshelf.database import audit, ingestion, works
from openshelf.works_composing import Author

Open = Callable[..., AppTest]
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def edition(number: int, title: str, author: str = "Ann Lee") -> Edition:
    return Edition(
        calibre_id=number, calibre_uuid=None, title=title, title_sort=title, authors=(Author(author, author),),
        languages=("eng",), published_on=None, publisher=None, series_name=None, series_index=None, rating=None,
        summary=None, subjects=(), folder=f"a/{number}", cover_path=None, files=(), identifiers=(), added_at=MOMENT,
        modified_at=MOMENT,
    )  # fmt: skip


@pytest.fixture(scope="session")
def built_template(migrated_template: str) -> str:
    """The page needs no warehouse."""
    return migrated_template


@pytest.fixture
def books(library: str) -> dict[str, int]:
    """Title -> its work. Two editions are one work; two works are nearly one."""
    held = [
        edition(1, "The Hobbit"), edition(2, "The Hobbit (Large Print)"), edition(3, "The Hobbit There and Back"),
        edition(4, "Thinner", "Richard Bachman"),
    ]  # fmt: skip
    with psycopg.connect(library) as conn:
        apply(conn, ingestion.put_library(conn, "desk", "/desk"), Plan(held, {}, [], {}, []))
        rows = conn.execute("select title, book_id from library.editions where folder like 'a/%'")
        return dict(rows.fetchall())


@pytest.fixture
def browser(library: str, books: dict[str, int]) -> Iterator[TestClient]:
    put_account(library, "staff")
    with TestClient(Starlette(routes=routes.routes())) as client:
        client.cookies.set(forms.COOKIE, forms.new_cookie())
        client.cookies.set(state.ACCOUNT_COOKIE, "staff")
        yield client


def send(browser: TestClient, path: str, **fields: str) -> Any:
    token = forms.token_of(browser.cookies[forms.COOKIE])
    headers = {"Sec-Fetch-Site": "same-origin", "Accept": "application/json"}
    return browser.post(f"/staff/works/{path}", data={forms.TOKEN: token, **fields}, headers=headers).json()


def form(page: Drawn, action: str) -> dict[str, Any]:
    (found,) = [data for data in page.components("form") if data["action"] == f"/staff/works/{action}"]
    return found


def test_what_was_joined_and_what_may_be_one_is_told(open_page: Open, books: dict[str, int]) -> None:
    page = Drawn(open_page("works"))

    assert page.head == (
        "Which editions are one work, and why?",
        "1 work of several editions, 1 pair that may be one.",
    )
    assert page.table("Book", "and", "Why") == [
        ["The Hobbit", "The Hobbit There and Back", "one title begins with the other"]
    ]
    assert page.table("Work", "Editions", "Titles") == [["The Hobbit", "2", "2"]]


def test_pairs_that_readers_ask_for_stand_first(open_page: Open, books: dict[str, int], library: str) -> None:
    with psycopg.connect(library) as conn:
        more = [edition(11, "Persuasion"), edition(12, "Persuasion and After")]
        apply(conn, ingestion.put_library(conn, "more", "/more"), Plan(more, {}, [], {}, []))
        wanted = books["The Hobbit There and Back"]
        conn.execute("create schema if not exists marts")
        conn.execute("create table marts.mart_exposure_works (book_id int, count_opens_recent int, is_suppressed bool)")
        conn.execute("insert into marts.mart_exposure_works values (%s, 9, false), (999, 50, false)", [wanted])

    assert Drawn(open_page("works")).table("and", "Opened") == [
        ["The Hobbit There and Back", "9"],
        ["Persuasion and After", "fewer than 5"],
    ]


def test_one_work_says_why_and_can_be_split(open_page: Open, books: dict[str, int]) -> None:
    book = books["The Hobbit"]
    page = Drawn(open_page("works", "staff", book=str(book), other=str(books["The Hobbit There and Back"])))

    assert page.head[1] == "The Hobbit: 2 editions."
    rows = page.table("Title", "Why", "Held", "Decided")
    assert rows[1] == ["The Hobbit (Large Print)", "same title, author and language", "yes", ""]
    names = [field["name"] for field in form(page, "split")["fields"]]
    assert [name.partition("-")[0] for name in names] == ["edition", "edition", "note", "sure"]
    (other,) = [field for field in form(page, "merge")["fields"] if field["name"] == "other"]
    assert other["value"] == str(books["The Hobbit There and Back"])
    assert form(page, "apart")["hidden"]["other"] == other["value"]
    assert "There is no such work" in Drawn(open_page("works", "staff", book="99999")).head[1]


def test_a_merge_is_confirmed_done_noted_and_taken_back(
    open_page: Open, browser: TestClient, books: dict[str, int], library: str
) -> None:
    book, other = books["The Hobbit"], books["The Hobbit There and Back"]

    assert send(browser, "merge", book=str(book), other=str(other))["field"] == "sure"
    assert send(browser, "merge", book=str(book), other="The Hobbit", sure="1")["field"] == "other"
    done = send(browser, "merge", book=str(book), other=str(other), sure="1", note="the old subtitle")

    assert done == {"to": f"/works?book={book}&done=merge"}
    page = Drawn(open_page("works", "staff", book=str(other)))
    assert page.head[1] == "The Hobbit: 3 editions."
    assert f"Taken in, whose old addresses lead here: {other}." in page.words
    (decided,) = [data for data in page.components("records") if data["heading"] == "What staff decided"]
    (row,) = decided["rows"]
    assert (row["title"], row["note"]) == (f"{other} was taken into The Hobbit", "the old subtitle")
    with psycopg.connect(library) as conn:
        assert audit.latest(conn)[0].act == "merge works"

    assert send(browser, "undo", decision=row["key"]) == {"to": f"/works?book={book}&done=undo"}
    assert Drawn(open_page("works", "staff", book=str(other))).head[1] == "The Hobbit There and Back: 1 edition."
    assert "taken back already" in send(browser, "undo", decision=row["key"])["problem"]


def test_editions_are_split_off_and_a_pair_is_left_alone(
    open_page: Open, browser: TestClient, books: dict[str, int], library: str
) -> None:
    book, other = books["The Hobbit"], books["The Hobbit There and Back"]
    with psycopg.connect(library) as conn:
        large = works.placed(conn, book)[1].edition_id

    assert "at least one edition" in send(browser, "split", book=str(book), sure="1")["problem"]
    assert send(browser, "split", book=str(book), **{f"edition-{large}": "1"})["field"] == "sure"
    assert "edition" in send(browser, "split", book=str(book), sure="1", **{"edition-77777": "1"})["problem"]
    send(browser, "split", book=str(book), sure="1", **{f"edition-{large}": "1"})
    send(browser, "apart", book=str(book), other=str(other))

    page = Drawn(open_page("works", "staff", book=str(book)))
    assert page.head[1] == "The Hobbit: 1 edition."
    assert not [data for data in page.components("form") if data["action"] == "/staff/works/split"]
    with psycopg.connect(library) as conn:
        assert book not in {number for pair in works.near(conn, 50) for number in (pair.book_id, pair.other_id)}


def test_an_author_gets_another_name_and_the_old_one_back(
    open_page: Open, browser: TestClient, books: dict[str, int], library: str
) -> None:
    def called() -> str:
        with psycopg.connect(library) as conn:
            row = conn.execute("select authors_text from library.works where title = 'Thinner'").fetchone()
            assert row
            return row[0]

    assert send(browser, "alias", written="Richard Bachman", name=" ")["field"] == "name"
    assert send(browser, "alias", written="Richard Bachman", name="Stephen King") == {"to": "/works?done=alias"}
    assert called() == "Stephen King"
    page = Drawn(open_page("works", "staff", done="alias"))
    (names,) = [data for data in page.components("records") if data["heading"] == "What authors are called"]
    assert [(row["title"], row["line"]) for row in names["rows"]] == [("Stephen King", "written as Richard Bachman")]

    assert send(browser, "alias-remove", written=names["rows"][0]["key"]) == {"to": "/works?done=no-alias"}
    assert called() == "Richard Bachman"


def test_a_book_is_found_by_its_title(browser: TestClient, books: dict[str, int]) -> None:
    assert send(browser, "look", book="Thinner") == {"to": f"/works?book={books['Thinner']}"}
    assert send(browser, "look", book="No such book at all")["field"] == "book"


def test_nobody_else_sees_it(open_page: Open, books: dict[str, int]) -> None:
    for role in ("reader", None):
        page = Drawn(open_page("works", role, book=str(books["Thinner"])))
        assert page.components("table") == page.components("form") == []
        assert "for library staff" in page.words
