"""Searching inside books, as readers and programs see it: the words, the place, and the way there."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from dashboard_pages import drawn
from small_epub import epub_bytes
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from dashboard import routes
from ingest.texts import ingest_texts
from models import embedding
from openshelf.errors import ModelError
from openshelf.settings import get_settings

Visit = Callable[..., AppTest]


@pytest.fixture
def inside(
    conn: psycopg.Connection, shelves: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, int]]:
    """Search inside books is on, and *Dune* has a text of two chapters."""
    (tmp_path / "library" / "Dune" / "dune.epub").write_bytes(
        epub_bytes(
            "<h1>The desert</h1><p>Sand everywhere.</p>",
            "<h1>The worm</h1><p>Nothing yet.</p><p>Out of the dune it came, &lt;b&gt;vast&lt;/b&gt; and slow.</p>",
        )
    )
    monkeypatch.setenv("OPENSHELF_SEARCH_INSIDE", "true")
    get_settings.cache_clear()
    assert ingest_texts(conn).read == 1
    yield shelves
    monkeypatch.undo()
    get_settings.cache_clear()


def ways(page: AppTest) -> dict[str, dict]:
    return {way["label"]: way for way in drawn(page, "finder")[0]["ways"]}


def cards(page: AppTest) -> list[dict]:
    assert not page.exception
    return drawn(page, "shelf")[0]["cards"]


def test_a_library_that_has_not_turned_it_on_offers_and_finds_nothing_of_it(
    shelves: dict[str, int], visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent() -> None:
        raise ModelError("words are enough here")

    monkeypatch.setattr(embedding, "load_encoder", absent)
    page = visit("find", q="dune", mode="inside")

    assert "Inside the books" not in ways(page)
    assert ways(page)["Everywhere"]["is_current"]
    assert [card["way"] for card in cards(page)] == [None] * len(cards(page))


def test_a_passage_is_shown_as_text_with_the_way_to_its_place(inside: dict[str, int], visit: Visit) -> None:
    page = visit("find", q='"it came" vast', mode="inside")

    assert ways(page)["Inside the books"]["is_current"]
    (card,) = cards(page)
    assert card["title"] == "Dune"
    assert "Out of the dune it came, <b>vast</b> and slow." in card["excerpt"]["text"]
    marked = [card["excerpt"]["text"][start:end] for start, end in card["excerpt"]["marks"]]
    assert marked == ["it", "came", "vast"]
    assert card["way"] == {
        "label": "Read on from here",
        "chapter": "The worm",
        "href": f"/read?id={inside['Dune']}&chapter=2&block=2",
    }


def test_the_way_opens_the_reader_there(inside: dict[str, int], visit: Visit) -> None:
    (there,) = drawn(visit("read", id=str(inside["Dune"]), chapter="2", block="2"), "reader")
    (mangled,) = drawn(visit("read", id=str(inside["Dune"]), chapter="2", block="<b>"), "reader")
    (without,) = drawn(visit("read", id=str(inside["Dune"]), block="2"), "reader")

    assert (there["number"], there["goal"]) == (2, 2)
    assert (mangled["goal"], without["goal"]) == (None, None)


def test_filters_and_the_limits_of_a_child_hold(
    inside: dict[str, int], visit: Visit, sign_in: Callable, conn: psycopg.Connection
) -> None:
    assert cards(visit("find", q="vast", mode="inside", language="vie")) == []
    assert len(cards(visit("find", q="vast", mode="inside", author="Frank Herbert"))) == 1
    conn.execute("update library.works set audience = 'adult' where book_id = %s", [inside["Dune"]])
    account = sign_in("an")
    conn.execute("update reading.accounts set audience_limit = 'children' where account_id = %s", [account.account_id])
    conn.commit()

    assert cards(visit("find", q="vast", mode="inside")) == []


def test_what_is_not_found_inside_books_is_no_wish_and_is_not_kept(
    inside: dict[str, int], visit: Visit, conn: psycopg.Connection
) -> None:
    page = visit("find", q="my own secret sentence", mode="inside")

    assert cards(page) == []
    assert not page.exception
    conn.rollback()
    assert conn.execute("select count(*) from reading.unanswered_searches").fetchone() == (0,)


def test_programs_are_told_the_place(inside: dict[str, int]) -> None:
    client = TestClient(Starlette(routes=routes.routes()))
    (work,) = client.get("/api/works?q=vast&mode=inside").json()["works"]
    (plain,) = client.get("/api/works?q=dune&mode=title&year_to=1966").json()["works"]

    assert work["inside"]["chapter"] == "The worm"
    assert "<b>vast</b>" in work["inside"]["text"]
    assert work["inside"]["page"] == f"/read?id={inside['Dune']}&chapter=2&block=2"
    assert "inside" not in plain
    assert client.get("/api/works?q=vast&mode=inside&audience_limit=children").json()["works"] == []
