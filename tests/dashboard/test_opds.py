"""The feeds for e-reader apps, held against the rules of OPDS 1.2 and 2.0, walked as an app walks them."""

import base64
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urljoin
from xml.etree import ElementTree as ET

import psycopg
import pytest
from small_catalogue import Work, add_work, embed_works
from starlette.applications import Starlette
from starlette.testclient import TestClient
from test_api import store_slate

from dashboard import routes
from openshelf import passwords, readers
from openshelf.database import accounts
from openshelf.settings import get_settings

ATOM, DC = "{http://www.w3.org/2005/Atom}", "{http://purl.org/dc/terms/}"
OPDS = "{http://opds-spec.org/2010/catalog}"
SEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"
NAVIGATION = "application/atom+xml;profile=opds-catalog;kind=navigation"
ACQUISITION = "application/atom+xml;profile=opds-catalog;kind=acquisition"
ENTRY = "application/atom+xml;type=entry;profile=opds-catalog"
WITH_FILES = ["A Brief History of Time", "Charlotte's Web", "Dune", "Dune Messiah", "Truyện Kiều"]
PASSWORD = "a long walk by the river"


@pytest.fixture
def client(shelves: dict[str, int]) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=routes.routes())) as opened:
        yield opened


@pytest.fixture
def member(conn: psycopg.Connection) -> Callable[..., dict[str, str]]:
    """Make an account with a password; the header with which an app signs in as it."""

    def made(username: str = "lan", *, limit: str | None = None, history: bool = False) -> dict[str, str]:
        account = accounts.create_local(conn, username, username.title(), passwords.hashed(PASSWORD))
        assert account
        conn.execute(
            """update reading.accounts set audience_limit = %s, history_enabled = %s, history_notice = %s
               where account_id = %s""",
            [limit, history, readers.NOTICE_VERSION, account.account_id],
        )
        accounts.pseudonym_or(conn, account.account_id, f"r_{username}")
        conn.commit()
        return basic(username, PASSWORD)

    return made


def basic(username: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


def atom(client: TestClient, address: str, headers: dict[str, str] | None = None) -> ET.Element:
    """A feed or entry of OPDS 1.2 that keeps the rules."""
    answer = client.get(address, headers=headers)
    assert answer.status_code == 200, answer.text
    root = ET.fromstring(answer.content)
    if root.tag == f"{ATOM}entry":
        assert answer.headers["content-type"] == ENTRY
        check_publication(root)
        assert [link.get("rel") for link in links(root)].count("self") == 1
    else:
        check_feed(root, answer.headers["content-type"], address)
    return root


def check_feed(feed: ET.Element, media_type: str, address: str) -> None:
    """RFC 4287 and OPDS 1.2, sections 2 and 3."""
    assert feed.tag == f"{ATOM}feed"
    for name in ("id", "title", "updated"):
        [element] = feed.findall(ATOM + name)
        assert (element.text or "").strip()
    uuid.UUID(feed.findtext(f"{ATOM}id", "").removeprefix("urn:uuid:"))
    assert datetime.fromisoformat(feed.findtext(f"{ATOM}updated", "")).tzinfo
    assert feed.findtext(f"{ATOM}author/{ATOM}name")
    by_rel = {link.get("rel"): link for link in links(feed)}
    assert by_rel["start"].get("type") == NAVIGATION
    assert by_rel["search"].get("type") == "application/opensearchdescription+xml"
    assert by_rel["self"].get("type") == media_type
    entries = feed.findall(f"{ATOM}entry")
    assert len({entry.findtext(f"{ATOM}id") for entry in entries}) == len(entries)
    if media_type == NAVIGATION:
        for entry in entries:
            check_door(entry)
    else:
        assert media_type == ACQUISITION
        for entry in entries:
            check_publication(entry)
    facets = [link for link in links(feed) if link.get("rel") == "http://opds-spec.org/facet"]
    assert not facets or media_type == ACQUISITION
    for group in {facet.get(f"{OPDS}facetGroup") for facet in facets}:
        assert group
        active = [f.get(f"{OPDS}activeFacet") for f in facets if f.get(f"{OPDS}facetGroup") == group]
        assert set(active) <= {None, "true"}
        assert active.count("true") <= 1


def check_door(entry: ET.Element) -> None:
    for name in ("id", "title", "updated", "content"):
        assert entry.findtext(ATOM + name)
    [link] = links(entry)
    assert link.get("type") in {NAVIGATION, ACQUISITION}
    assert link.get("rel")
    assert not acquisitions(entry)


def check_publication(entry: ET.Element) -> None:
    """OPDS 1.2, section 5."""
    for name in ("id", "title", "updated"):
        [element] = entry.findall(ATOM + name)
        assert (element.text or "").strip()
    for forbidden in ("title", "creator", "subject", "rights", "description", "abstract"):
        assert entry.find(DC + forbidden) is None
    assert acquisitions(entry)
    for link in links(entry):
        assert link.get("rel")
        assert re.fullmatch(r"[\w.+-]+/[\w.+-]+(;.*)?", link.get("type", ""))
        assert link.get("href", "").startswith("/")
    whole = [link for link in links(entry) if link.get("type") == ENTRY]
    assert [link.get("rel") for link in whole] in (["alternate"], ["self"])
    for text in (*entry.findall(f"{ATOM}summary"), *entry.findall(f"{ATOM}content")):
        assert text.get("type") == "text"
        assert len(text) == 0
    for category in entry.findall(f"{ATOM}category"):
        assert category.get("term")


def links(element: ET.Element) -> list[ET.Element]:
    return element.findall(f"{ATOM}link")


def acquisitions(entry: ET.Element) -> list[ET.Element]:
    return [link for link in links(entry) if link.get("rel", "").startswith("http://opds-spec.org/acquisition")]


def titles(feed: ET.Element) -> list[str]:
    return [entry.findtext(f"{ATOM}title", "") for entry in feed.findall(f"{ATOM}entry")]


def opds2(client: TestClient, address: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """A feed or publication of OPDS 2.0 that keeps the rules of its schemas."""
    answer = client.get(address, headers=headers)
    assert answer.status_code == 200, answer.text
    document = answer.json()
    if answer.headers["content-type"] == "application/opds-publication+json":
        check_publication2(document)
        return document
    assert answer.headers["content-type"] == "application/opds+json"
    assert document["metadata"]["title"]
    assert any(link.get("rel") == "self" for link in document["links"])
    check_links2(document["links"])
    assert document.keys() & {"publications", "navigation", "groups"}
    for collection in ("publications", "navigation", "facets"):
        assert document.get(collection) != []
    check_links2(document.get("navigation", []))
    assert all(link["title"] for link in document.get("navigation", []))
    for publication in document.get("publications", []):
        check_publication2(publication)
    for facet in document.get("facets", []):
        assert facet["metadata"]["title"]
        assert len(facet["links"]) >= 2
        check_links2(facet["links"])
    return document


def check_publication2(publication: dict[str, Any]) -> None:
    metadata = publication["metadata"]
    assert metadata["title"]
    assert re.match(r"urn:(isbn|uuid):", metadata["identifier"])
    assert datetime.fromisoformat(metadata["modified"]).tzinfo
    assert not [name for name, value in metadata.items() if value in (None, "", [], {})]
    check_links2(publication["links"])
    assert any(link.get("rel", "").startswith("http://opds-spec.org/acquisition") for link in publication["links"])
    if "images" in publication:
        check_links2(publication["images"])
        assert any(image["type"] in {"image/jpeg", "image/png", "image/gif"} for image in publication["images"])


def check_links2(found: list[dict[str, Any]]) -> None:
    assert len({repr(link) for link in found}) == len(found)
    for link in found:
        assert link["href"].startswith("/")
        assert "/" in link["type"]


def titles2(feed: dict[str, Any]) -> list[str]:
    return [publication["metadata"]["title"] for publication in feed.get("publications", [])]


# --- walks


def test_an_app_walks_every_feed_and_each_keeps_the_rules(
    client: TestClient, member: Callable[..., dict[str, str]]
) -> None:
    headers = member()
    seen: set[str] = set()
    waiting, books = ["/opds"], set()
    while waiting:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        # Signing in takes its time, on purpose: only where it is asked for.
        document = atom(client, address, headers if address == "/opds/for-you" else None)
        for link in document.iter(f"{ATOM}link"):
            href, kind = link.get("href", ""), link.get("type", "")
            if "profile=opds-catalog" in kind and href.startswith("/opds"):
                waiting.append(href)
        books |= set(titles(document)) if "/books" in address else set()

    assert {"/opds/new", "/opds/popular", "/opds/for-you", "/opds/subjects", "/opds/authors"} <= seen
    assert set(WITH_FILES) <= books
    assert len(seen) > 30


def test_an_app_of_the_new_kind_walks_every_feed_too(client: TestClient, member: Callable[..., dict[str, str]]) -> None:
    headers = member()
    seen: set[str] = set()
    waiting = ["/opds/v2"]
    while waiting:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        document = opds2(client, address, headers if address == "/opds/v2/for-you" else None)
        found = [*document["links"], *document.get("navigation", [])]
        found += [link for facet in document.get("facets", []) for link in facet["links"]]
        for book in document.get("publications", []):
            found += book["links"]
        waiting += [link["href"] for link in found if "opds" in link["type"] and not link.get("templated")
                    and link["href"].startswith("/opds/v2") and "authentication" not in link["type"]]  # fmt: skip

    assert len(seen) > 30


def test_only_what_can_be_had_is_listed(client: TestClient) -> None:
    assert titles(atom(client, "/opds/books")) == WITH_FILES
    assert titles2(opds2(client, "/opds/v2/books")) == WITH_FILES


def test_a_book_says_all_that_an_app_shows(client: TestClient, shelves: dict[str, int]) -> None:
    entry = atom(client, f"/opds/works/{shelves['Dune']}")

    assert entry.findtext(f"{ATOM}author/{ATOM}name") == "Frank Herbert"
    assert entry.findtext(f"{DC}language") == "en"
    assert entry.findtext(f"{DC}issued") == "1965"
    assert [category.get("term") for category in entry.findall(f"{ATOM}category")] == ["science fiction", "ecology"]
    assert "sandworms" in entry.findtext(f"{ATOM}content", "")
    [had] = acquisitions(entry)
    assert had.get("type") == "application/epub+zip"
    assert client.get(had.get("href", "")).headers["content-type"] == "application/epub+zip"
    pictures = [link for link in links(entry) if "/image" in link.get("rel", "")]
    assert {link.get("rel", "").rpartition("/")[2] for link in pictures} == {"image", "thumbnail"}
    for link in pictures:
        assert client.get(link.get("href", "")).headers["content-type"] == "image/jpeg"


def test_a_book_of_the_new_kind_says_the_same(client: TestClient, shelves: dict[str, int]) -> None:
    book = opds2(client, f"/opds/v2/works/{shelves['Dune']}")

    assert book["metadata"]["author"][0]["name"] == "Frank Herbert"
    assert book["metadata"]["belongsTo"]["series"]["name"] == "Dune Chronicles"
    assert book["metadata"]["language"] == "en"
    series = book["metadata"]["belongsTo"]["series"]["links"][0]["href"]
    assert titles2(opds2(client, series)) == ["Dune", "Dune Messiah"]
    for image in book["images"]:
        assert client.get(image["href"]).headers["content-type"] == "image/jpeg"


def test_searching_as_the_description_says(client: TestClient) -> None:
    answer = client.get("/opds/search.xml")
    assert answer.headers["content-type"] == "application/opensearchdescription+xml"
    description = ET.fromstring(answer.content)
    assert 0 < len(description.findtext(f"{SEARCH}ShortName", "")) <= 16
    assert description.findtext(f"{SEARCH}Description")
    [url] = description.findall(f"{SEARCH}Url")
    assert url.get("type") == ACQUISITION
    template = url.get("template", "")
    assert "{searchTerms}" in template

    feed = atom(client, template.replace("{searchTerms}", "truyen%20kieu"))
    assert titles(feed) == ["Truyện Kiều"]
    assert feed.findtext(f"{SEARCH}totalResults") == "1"
    assert titles2(opds2(client, "/opds/v2/search?query=truyen%20kieu")) == ["Truyện Kiều"]
    [template2] = [link for link in opds2(client, "/opds/v2")["links"] if link.get("rel") == "search"]
    assert (template2["href"], template2["templated"]) == ("/opds/v2/search{?query}", True)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("classics", {"Truyện Kiều"}),
        ("science", {"Dune", "Dune Messiah"}),
        ("novel", {"Dune", "Dune Messiah"}),  # near in meaning alone
    ],
)
def test_a_search_ends_where_the_answers_do(
    query: str, found: set[str], client: TestClient, conn: psycopg.Connection
) -> None:
    embed_works(conn)
    conn.commit()

    assert set(titles(atom(client, f"/opds/search?query={query}"))) == found
    assert set(titles2(opds2(client, f"/opds/v2/search?query={query}"))) == found


def test_koreader_finds_its_way(client: TestClient) -> None:
    """It reads names without their namespaces, fills in the words alone, and follows certain relations of an entry."""
    description = client.get("/opds/search.xml").text
    assert description.index("<OpenSearchDescription ") < description.index("<Url ")
    template = description.partition('template="')[2].partition('"')[0].replace("&amp;", "&")
    assert titles(atom(client, template.replace("{searchTerms}", "Dune")))[0] == "Dune"

    followed = {"subsection", "http://opds-spec.org/sort/new", "http://opds-spec.org/sort/popular"}
    root = atom(client, "/opds")
    for entry in root.findall(f"{ATOM}entry"):
        assert {link.get("rel") for link in links(entry)} <= followed
    [recommended] = [link for link in links(root) if link.get("rel") == "http://opds-spec.org/recommended"]
    assert recommended.get("href") == "/opds/for-you"


@pytest.mark.parametrize("page", ["", "{startPage?}", "%7BstartPage%3F%7D"])
def test_what_an_app_left_open_says_nothing(page: str, client: TestClient) -> None:
    assert titles(atom(client, f"/opds/search?query=Dune&page={page}&language="))[0] == "Dune"
    assert titles2(opds2(client, f"/opds/v2/search?query=Dune&page={page}"))[0] == "Dune"


@pytest.mark.parametrize("query", ["", "zzzzqqq", "%3Cscript%3E", "a" * 700, "%00", "🙂"])
def test_a_search_that_finds_nothing_is_a_valid_feed(query: str, client: TestClient) -> None:
    assert titles(atom(client, f"/opds/search?query={query}")) == []
    assert opds2(client, f"/opds/v2/search?query={query}")["navigation"]


def test_long_feeds_come_in_pages(client: TestClient, conn: psycopg.Connection) -> None:
    for number in range(90):
        add_work(conn, Work(f"Volume {number:03}", ["A. Many"], ["numbers"], None, formats=["EPUB"]))
    conn.commit()

    seen, address, pages = [], "/opds/books?subject=numbers", 0
    while address:
        feed = atom(client, address)
        seen, pages = seen + titles(feed), pages + 1
        by_rel = {link.get("rel"): link.get("href", "") for link in links(feed)}
        assert ("previous" in by_rel) == (pages > 1)
        address = urljoin(address, by_rel["next"]) if "next" in by_rel else ""
    assert (pages, seen) == (3, [f"Volume {number:03}" for number in range(90)])
    third = opds2(client, "/opds/v2/books?subject=numbers&page=3")
    assert third["metadata"] | {"modified": ""} == {
        "title": "numbers", "modified": "", "numberOfItems": 90, "itemsPerPage": 40, "currentPage": 3,
    }  # fmt: skip
    assert titles(atom(client, "/opds/books?subject=numbers&page=9")) == []


def test_subjects_and_authors_lead_to_their_books(client: TestClient) -> None:
    subjects = atom(client, "/opds/subjects")
    assert "science fiction" in titles(subjects)
    assert "cooking" not in titles(subjects)  # nothing of it can be had
    [poetry] = [entry for entry in subjects.findall(f"{ATOM}entry") if entry.findtext(f"{ATOM}title") == "poetry"]
    assert titles(atom(client, links(poetry)[0].get("href", ""))) == ["Truyện Kiều"]
    authors = opds2(client, "/opds/v2/authors")["navigation"]
    [f_names] = [link for link in authors if link["title"] == "F"]
    [herbert] = opds2(client, f_names["href"])["navigation"]
    assert titles2(opds2(client, herbert["href"])) == ["Dune", "Dune Messiah"]


def test_what_staff_excluded_is_not_announced_as_new_and_is_still_had(
    client: TestClient, conn: psycopg.Connection, shelves: dict[str, int]
) -> None:
    assert "Dune" in titles(atom(client, "/opds/new"))
    conn.execute("insert into library.steers (book_id, factor, note) values (%s, 0, '')", [shelves["Dune"]])
    conn.commit()

    assert "Dune" not in titles(atom(client, "/opds/new"))
    assert "Dune" not in titles2(opds2(client, "/opds/v2/new"))
    assert "Dune" in titles(atom(client, "/opds/books"))


def test_the_newest_come_first_and_orders_are_facets(client: TestClient, conn: psycopg.Connection) -> None:
    conn.execute("update library.works set added_at = now() where title = 'Dune Messiah'")
    conn.commit()

    assert titles(atom(client, "/opds/new"))[0] == "Dune Messiah"
    assert titles(atom(client, "/opds/books?order=new&language=eng"))[0] == "Dune Messiah"


# --- who asks


def test_for_you_wants_a_sign_in_and_says_how(client: TestClient, member: Callable[..., dict[str, str]]) -> None:
    refused = client.get("/opds/for-you")

    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Basic realm=")
    assert refused.headers["content-type"] == "application/opds-authentication+json"
    [way] = refused.json()["authentication"]
    assert way["type"] == "http://opds-spec.org/auth/basic"
    assert client.get("/opds/v2/authentication").json() == refused.json()
    assert titles(atom(client, "/opds/for-you", member()))


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic " + base64.b64encode(b"lan").decode()])
def test_a_login_that_is_none_is_refused(header: str, client: TestClient) -> None:
    assert client.get("/opds/new", headers={"Authorization": header}).status_code == 401


def test_guessing_is_limited(client: TestClient, member: Callable[..., dict[str, str]]) -> None:
    right = member()
    statuses = [client.get("/opds/for-you", headers=basic("lan", f"wrong {n}")).status_code for n in range(12)]

    assert set(statuses) == {401, 429}
    answer = client.get("/opds/for-you", headers=right)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


def test_for_you_is_the_readers_slate_in_its_order(
    client: TestClient, member: Callable[..., dict[str, str]], conn: psycopg.Connection, shelves: dict[str, int]
) -> None:
    headers = member(history=True)
    order = ["Truyện Kiều", "The Silent Ledger", "Charlotte's Web", "Dune"]  # the ledger has no file
    store_slate(conn, "r_lan", [shelves[title] for title in order])
    had = [title for title in order if title in WITH_FILES]

    feed = atom(client, "/opds/for-you", headers)
    assert (titles(feed), feed.findtext(f"{ATOM}title")) == (had, "For you")
    assert titles2(opds2(client, "/opds/v2/for-you", headers)) == had


@pytest.mark.parametrize(
    "change",
    ["history_enabled = false", "personal = false", "history_notice = 'older'"],
    ids=["no history", "not personal", "notice changed"],
)
def test_who_keeps_no_history_gets_what_is_popular_and_it_says_so(
    change: str,
    client: TestClient,
    member: Callable[..., dict[str, str]],
    conn: psycopg.Connection,
    shelves: dict[str, int],
) -> None:
    headers = member(history=True)
    store_slate(conn, "r_lan", [shelves["Dune"]])
    conn.execute(f"update reading.accounts set {change}")
    conn.commit()

    feed = atom(client, "/opds/for-you", headers)
    assert feed.findtext(f"{ATOM}title") == "Popular in the library"
    assert len(titles(feed)) > 1


def test_a_limited_account_finds_nothing_beyond_its_limit_in_any_feed(
    client: TestClient, member: Callable[..., dict[str, str]], shelves: dict[str, int]
) -> None:
    headers = member("mia", limit="children")
    addresses = [
        "/new", "/popular", "/for-you", "/books", "/books?author=Frank Herbert", "/books?subject=science fiction",
        "/search?query=dune", "/search?query=pig", "/subjects", "/authors", "/authors?initial=F",
    ]  # fmt: skip
    shown = ""
    for address in addresses:
        atom(client, f"/opds{address}", headers)
        opds2(client, f"/opds/v2{address}", headers)
        for root in ("/opds", "/opds/v2"):
            shown += client.get(root + address, headers=headers).text.replace("Authors: F", "")
    assert "Charlotte" in shown
    for beyond in ("Dune", "Kiều", "Brief History", "poetry", ">science fiction<", ">physics<"):
        assert beyond not in re.sub(r"(author|subject|query)=[^&\"]*|\"title\": \"[^\"]*\", \"modified\"|Search: \w+"
                                    r"|<title>(Frank Herbert|science fiction)</title>", "", shown)  # fmt: skip
    for root in ("/opds", "/opds/v2"):
        assert client.get(f"{root}/works/{shelves['Dune']}", headers=headers).status_code == 404
    assert client.get(f"/files/{shelves['Dune']}.epub", headers=headers).status_code == 404


def test_a_child_at_a_browser_is_limited_in_the_api_and_in_feeds(
    client: TestClient, sign_in: Callable[..., accounts.Account], conn: psycopg.Connection, cookies: dict[str, str]
) -> None:
    child = sign_in("mia")
    conn.execute("update reading.accounts set audience_limit = 'children' where account_id = %s", [child.account_id])
    conn.commit()
    client.cookies.update(cookies)

    assert titles(atom(client, "/opds/books")) == ["Charlotte's Web"]
    works = client.get("/api/works").json()["works"]
    assert {work["title"] for work in works} == {"Charlotte's Web", "Dế Mèn phiêu lưu ký"}
    assert client.get("/api/works?audience_limit=young adult&q=dune").json()["count"] == 0


def test_a_closed_catalogue_wants_a_sign_in(
    client: TestClient, member: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENSHELF_API_PUBLIC", "false")
    get_settings.cache_clear()

    for address in ("/opds", "/opds/v2", "/opds/new", "/opds/search.xml"):
        assert client.get(address).status_code == 401
    assert titles(atom(client, "/opds/books", member())) == WITH_FILES


def test_where_files_want_a_sign_in_an_app_that_has_one_gets_them(
    client: TestClient,
    member: Callable[..., dict[str, str]],
    shelves: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENSHELF_DOWNLOADS", "signed-in")
    get_settings.cache_clear()

    [had] = acquisitions(atom(client, f"/opds/works/{shelves['Dune']}"))
    assert had.get("rel") == "http://opds-spec.org/acquisition"
    address = had.get("href", "")
    refused = client.get(address, headers={"Accept": "*/*"})
    assert (refused.status_code, refused.headers["www-authenticate"][:5]) == (401, "Basic")
    assert "www-authenticate" not in client.get(address, headers={"Accept": "text/html,*/*"}).headers
    assert client.get(address, headers=member()).status_code == 200
    assert client.get(address, headers=basic("lan", "not this")).status_code == 401


def test_a_library_that_lends_no_files_has_no_feeds(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENSHELF_DOWNLOADS", "none")
    get_settings.cache_clear()

    assert client.get("/opds").status_code == 403


@pytest.mark.parametrize("address", ["/opds/books?page=0", "/opds/books?page=x", "/opds/books?subject=%00"])
def test_a_wrong_parameter_is_refused(address: str, client: TestClient) -> None:
    assert client.get(address).status_code == 400


def test_parameters_that_apps_add_say_nothing(client: TestClient) -> None:
    assert titles(atom(client, "/opds/books?utm=1&client=reader")) == WITH_FILES


@pytest.mark.parametrize("address", ["/opds/nothing", "/opds/works/999999", "/opds/works/99999999999", "/opds/v2/x"])
def test_a_feed_that_is_none_is_not_found(address: str, client: TestClient) -> None:
    assert client.get(address).status_code == 404


def test_hostile_words_stay_words(client: TestClient, conn: psycopg.Connection) -> None:
    hostile = "</title><script>alert(1)</script>\x0b\ufffe & ]]>"
    add_work(
        conn, Work(hostile.replace("\x0b", ""), [hostile], ["<b>x</b>"], "<p onclick=x>fine</p>", formats=["EPUB"])
    )
    conn.commit()

    feed = atom(client, "/opds/new")
    assert any(title.startswith("</title><script>") for title in titles(feed))
    assert feed.find(".//script") is None
    assert "alert(1)" in str(titles2(opds2(client, "/opds/v2/new")))


def test_feeds_speak_the_language_of_the_app(client: TestClient) -> None:
    answer = client.get("/opds", headers={"Accept-Language": "vi"})

    assert answer.status_code == 200
    assert "Accept-Language" in answer.headers["vary"]
    assert answer.headers["cache-control"] == "private, no-cache"
