"""A child's account finds nothing beyond its limit: by no page, no filter, no address."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from dashboard_pages import drawn
from small_catalogue import WORKS, embed_works
from streamlit.testing.v1 import AppTest

from dashboard.chat import answer as chat
from openshelf.database import accounts, audiences, catalogue
from openshelf.database import search as statements

Visit = Callable[..., AppTest]
ALLOWED = {work.title for work in WORKS if work.audience == "children" and work.active}
BLOCKED = {work.title for work in WORKS} - ALLOWED
COMPONENTS = ("shelf", "book", "directory", "records", "talk", "choices")


@pytest.fixture
def child(shelves: dict[str, int], sign_in: Callable[..., accounts.Account], conn: psycopg.Connection) -> int:
    """A signed-in account that may see children's books."""
    account = sign_in("mina")
    conn.execute("update reading.accounts set audience_limit = 'children' where account_id = %s", [account.account_id])
    for book_id in shelves.values():  # whatever got onto its shelves before
        accounts.put_on_shelf(conn, account.account_id, book_id, "read")
        accounts.rate(conn, account.account_id, book_id, 5)
    embed_works(conn)
    conn.commit()
    return account.account_id


def texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    return [text for each in value for text in texts(each)] if isinstance(value, list) else []


def told(page: AppTest) -> str:
    """All that the components of a page were given to show."""
    assert not page.exception
    return "\n".join(text for name in COMPONENTS for data in drawn(page, name) for text in texts(data))


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("", {}),
        ("browse", {}),
        ("browse", {"audience": "adult"}),
        ("browse", {"author": "Frank Herbert"}),
        ("browse", {"series": "Dune Chronicles"}),
        ("browse", {"subject": "science fiction", "sort": "popular"}),
        ("find", {}),
        ("find", {"q": "dune"}),
        ("find", {"q": "duen messaih"}),
        ("find", {"q": "frank herbert", "mode": "author"}),
        ("find", {"q": "science fiction", "mode": "subject"}),
        ("find", {"q": "an emperor of a desert planet", "mode": "meaning"}),
        ("shelf", {"author": "Frank Herbert"}),
        ("shelf", {"series": "Dune Chronicles"}),
        ("shelf", {"subject": "classics"}),
        ("directory", {}),
        ("directory", {"of": "authors"}),
        ("directory", {"of": "series"}),
        ("ask", {"title": "a book"}),
        ("mine", {}),
    ],
)
def test_no_page_names_what_is_beyond_the_limit(child: int, visit: Visit, page: str, query: dict[str, str]) -> None:
    shown = told(visit(page, **query))

    for title in BLOCKED:
        assert title not in shown
    for name in ("Frank Herbert", "Dune Chronicles", "Stephen Hawking", "Николай Гоголь"):
        assert name not in shown


def test_a_blocked_book_has_no_page_and_what_is_like_a_book_stays_within(
    child: int, visit: Visit, shelves: dict[str, int]
) -> None:
    for title in sorted(BLOCKED):
        assert drawn(visit("book", id=str(shelves[title])), "book") == []

    shown = told(visit("book", id=str(shelves["Charlotte's Web"])))

    assert "Dế Mèn phiêu lưu ký" in shown
    assert not [title for title in BLOCKED if title in shown]


def test_the_child_still_finds_its_own(child: int, visit: Visit) -> None:
    assert set(told(visit("browse")).split("\n")) >= ALLOWED
    assert "Charlotte's Web" in told(visit("find", q="spider and pig"))
    popular = drawn(visit(), "shelf")[0]
    assert popular["slate_id"] is None  # nothing is concluded about a child


def test_the_librarian_names_nothing_beyond_the_limit(shelves: dict[str, int], conn: psycopg.Connection) -> None:
    embed_works(conn)
    conn.commit()
    limit = audiences.allowed("children")

    named: dict[bool, set[str]] = {True: set(), False: set()}
    for question in ("something like Dune", "science fiction about a desert", "a book by Frank Herbert", "animals"):
        for is_bound in named:
            _wish, records = chat.look_up(conn, question, audiences=limit if is_bound else None)
            named[is_bound] |= {record.title for record in records}

    assert named[False] & BLOCKED
    assert named[True] <= ALLOWED


@pytest.mark.parametrize(
    ("limit", "wanted"),
    [(None, None), ("children", ["children"]), ("young adult", ["children", "young adult"]), ("no such limit", [])],
)
def test_a_limit_lets_through_its_own_and_the_younger(limit: str | None, wanted: list[str] | None) -> None:
    assert audiences.allowed(limit) == wanted


def test_every_read_of_the_catalogue_keeps_to_the_audiences_given(
    shelves: dict[str, int], conn: psycopg.Connection
) -> None:
    embed_works(conn)
    dune, web = shelves["Dune"], shelves["Charlotte's Web"]
    nothing: list[str] = []
    filters = catalogue.Filters()

    assert catalogue.cards(conn, [dune, web], audiences=["children"])[0].book_id == web
    assert catalogue.work(conn, dune, audiences=["children"]) is None
    assert catalogue.cover_file(conn, dune, audiences=["children"]) is None
    assert catalogue.file_of(conn, dune, "EPUB", audiences=["children"]) is None
    assert catalogue.count_works(conn, filters, audiences=["children"]) == len(ALLOWED)
    for read in (catalogue.newest, catalogue.popular):
        assert {work.title for work in read(conn, 50, audiences=["children"])} == ALLOWED
        assert read(conn, 50, audiences=nothing) == []
    assert catalogue.in_series(conn, dune, 9, audiences=["children"]) == []
    assert catalogue.next_in_series(conn, [dune], 9, audiences=["children"]) == []
    assert catalogue.author_counts(conn, audiences=nothing) == []
    assert catalogue.series_counts(conn, audiences=["children"]) == []
    assert {count.name for count in catalogue.languages(conn, audiences=["children"])} == {"eng", "vie"}
    assert statements.records(conn, [dune], audiences=["children"]) == []
