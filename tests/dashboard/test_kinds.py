"""A library of books shows no film on any surface, unless its setting says so."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from dashboard_pages import drawn
from small_catalogue import embed_works
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest
from test_api import store_slate
from test_finding_limits import told

from dashboard import routes
from dashboard.chat import answer as chat
from models import search, suggestions
from models.catalogue import load_ranking
from openshelf.database import accounts, catalogue, pool, shelves, simulation
from openshelf.database.filters import Filters
from openshelf.settings import get_settings

FILM, WORDS = "A Brief History of Time", ("Stephen Hawking", "astronomy")
PAGES: list[tuple[str, dict[str, str]]] = [
    ("", {}),
    ("browse", {}),
    ("browse", {"kind": "film"}),
    ("browse", {"sort": "popular"}),
    ("browse", {"author": "Stephen Hawking"}),
    ("browse", {"format": "pdf"}),
    ("find", {"q": "brief history of time"}),
    ("find", {"q": "breif histroy of time"}),
    ("find", {"q": "hawking", "mode": "author"}),
    ("find", {"q": "a physicist explains the universe", "mode": "meaning"}),
    ("shelf", {"subject": "physics"}),
    ("directory", {}),
    ("directory", {"of": "authors"}),
    ("mine", {}),
]
FEEDS = ["", "/subjects", "/authors", "/books", "/new", "/popular", "/search?query=history"]


@pytest.fixture
def film(shelves: dict[str, int], conn: psycopg.Connection) -> int:
    """One of the works is a film; a reader has it on a shelf and in a slate."""
    book_id = shelves[FILM]
    conn.execute("update library.works set kind = 'film' where book_id = %s", [book_id])
    conn.execute("update library.editions set kind = 'film' where book_id = %s", [book_id])
    embed_works(conn)
    conn.commit()
    return book_id


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], psycopg.Connection]:
    """From now on the installation shows these kinds; a connection of its pool's making."""

    def shown(kinds: str) -> psycopg.Connection:
        monkeypatch.setenv("OPENSHELF_KINDS", kinds)
        get_settings.cache_clear()
        pool.close_pool()
        return pool.connect()

    return shown


@pytest.fixture
def client(film: int) -> Iterator[Callable[[], TestClient]]:
    opened: list[TestClient] = []

    def made() -> TestClient:
        opened.append(TestClient(Starlette(routes=routes.routes())))
        return opened[-1].__enter__()

    yield made
    for each in opened:
        each.__exit__(None, None, None)


@pytest.mark.parametrize(("page", "query"), PAGES)
def test_no_page_names_a_film(
    film: int,
    show: Callable[[str], psycopg.Connection],
    sign_in: Callable[..., accounts.Account],
    visit: Callable[..., AppTest],
    conn: psycopg.Connection,
    page: str,
    query: dict[str, str],
) -> None:
    account = sign_in("lan")
    accounts.put_on_shelf(conn, account.account_id, film, "want")
    conn.commit()
    show("book")

    shown = told(visit(page, **query))

    # What was looked for stands on the page again; what was found does not.
    for word in {FILM, *WORDS} - set(query.values()):
        assert word not in shown


def test_with_both_kinds_the_film_is_found(
    film: int, show: Callable[[str], psycopg.Connection], visit: Callable[..., AppTest]
) -> None:
    show("book,film")

    for page, query in (("browse", {}), ("browse", {"kind": "film"}), ("find", {"q": "brief history of time"})):
        assert FILM in told(visit(page, **query))


def test_the_page_of_a_film_is_one_of_a_film(
    film: int, show: Callable[[str], psycopg.Connection], visit: Callable[..., AppTest], conn: psycopg.Connection
) -> None:
    conn.execute("update library.works set authors_text = '' where book_id = %s", [film])
    conn.execute(
        """insert into library.identifiers select edition_id, 'imdb', 'tt0103882' from library.editions
           where book_id = %s""",
        [film],
    )
    conn.commit()
    show("book,film")

    page = drawn(visit("book", id=str(film)), "book")[0]
    shelf = drawn(visit("browse"), "shelf")[0]
    card = next(card for card in shelf["cards"] if card["id"] == film)

    words = page["words"]
    said = [words[name] for name in ("want", "finish", "finished", "details", "cover")]
    assert said == ["Want to see", "I have seen it", "You have seen it", "About this film", "Cover of {title}"]
    details = {each["label"]: each["value"] for each in page["details"]}
    assert details["Kind"] == "Film"
    assert details["First shown"] == "1988"
    assert details["Identifiers"] == "IMDb tt0103882"
    assert card["note"] == "Film · 1988"
    assert [each["id"] for each in shelf["cards"] if each["is_film"]] == [film]
    assert shelf["words"]["want_film"] == "Want to see"


@pytest.mark.parametrize("kinds", ["book", "film", "book,film"])
def test_the_api_and_the_feeds_keep_to_the_kinds(
    film: int, show: Callable[[str], psycopg.Connection], client: Callable[[], TestClient], kinds: str
) -> None:
    show(kinds)
    api, is_shown = client(), "film" in kinds

    works = api.get("/api/works?per_page=100").json()["works"]
    films = api.get("/api/works?kind=film").json()["works"]
    found = api.get("/api/works?q=brief history of time").text

    assert (FILM in [work["title"] for work in works]) is is_shown
    assert [work["title"] for work in films] == ([FILM] if is_shown else [])
    assert api.get(f"/api/works/{film}").status_code == (200 if is_shown else 404)
    assert (FILM in found) is is_shown
    if is_shown:
        told = api.get(f"/api/works/{film}/linked-data").json()
        assert (told["@type"], told["director"]) == ("Movie", [{"@type": "Person", "name": WORDS[0]}])
        assert "author" not in told
        assert {(held["@type"], held.get("bookFormat")) for held in told["workExample"]} == {("Movie", None)}
    assert {work["kind"] for work in works} <= set(kinds.split(","))
    feeds = "".join(api.get(f"/opds/v2{address}").text for address in FEEDS)
    assert "metadata" in feeds
    assert (FILM in feeds) is is_shown
    assert ("Dune" in feeds) is ("book" in kinds)


@pytest.mark.parametrize("kinds", ["book", "book,film"])
def test_recommendations_suggestions_and_the_librarian_keep_to_the_kinds(
    film: int, show: Callable[[str], psycopg.Connection], conn: psycopg.Connection, kinds: str
) -> None:
    reader = accounts.create_demo(conn, "lan", "Lan", role="reader", history_enabled=False)
    own = shelves.make(conn, reader.account_id, "mine")
    shelves.put(conn, reader.account_id, own, [film])
    slate = store_slate(conn, "r_lan", [film])
    conn.commit()

    with show(kinds) as shown:
        candidates = load_ranking(shown)
        named = [hit.book_id for hit in search.search(shown, "a physicist explains the universe")]
        beginnings = [each.name for each in suggestions.suggest(shown, "brief his")]
        cards = catalogue.cards(shown, slate.book_ids)
        told_of = [
            record.title
            for question in ("A Brief History of Time", "a book about black holes", "something by Stephen Hawking")
            for record in chat.look_up(shown, question, audiences=None)[1]
        ]
        (mine,) = shelves.lists(shown, reader.account_id)
        facts = [fact.book_id for fact in simulation.work_facts(shown)]
        every = [card.book_id for card in catalogue.browse(shown, Filters(), "title", limit=100, offset=0)]

    is_shown = "film" in kinds
    assert (film in candidates.catalogue.book_ids) is is_shown
    assert (film in named) is is_shown
    assert (FILM in beginnings) is is_shown
    assert mine.count_books == is_shown
    assert bool(cards) is is_shown
    assert (FILM in told_of) is is_shown
    assert (film in facts) is is_shown
    assert (film in every) is is_shown


def test_an_unknown_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENSHELF_KINDS", "book,song")
    get_settings.cache_clear()

    with pytest.raises(Exception, match="OPENSHELF_KINDS"):
        get_settings()
    get_settings.cache_clear()
