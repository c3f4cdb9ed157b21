"""A work as schema.org tells it."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.types.json import Jsonb
from starlette.applications import Starlette
from starlette.testclient import TestClient

from dashboard import routes


@pytest.fixture
def client(shelves: dict[str, int]) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=routes.routes()), raise_server_exceptions=False) as opened:
        yield opened


def test_a_work_is_linked_data_with_what_its_editions_and_files_say(
    conn: psycopg.Connection, client: TestClient, shelves: dict[str, int]
) -> None:
    book, other = shelves["Dune"], next(book for title, book in shelves.items() if title != "Dune")
    conforms = ["EPUB Accessibility 1.1 - WCAG 2.1 Level AA"]
    told = Jsonb({"modes": ["textual"], "features": ["alternativeText"], "conforms_to": conforms})
    edition = conn.execute(
        "update library.editions set accessibility = %s where book_id = %s returning edition_id", [told, book]
    ).fetchone()
    assert edition
    conn.execute("insert into library.classifications values (%s, 'thema', 'FLS')", edition)
    conn.execute(
        """insert into library.identifiers values (%s, 'isbn', '9780441172719'), (%s, 'openlibrary', 'OL1M')
           on conflict (edition_id, kind) do update set value = excluded.value""",
        [*edition, *edition],
    )
    conn.execute(
        "insert into library.work_links values (least(%s, %s), greatest(%s, %s), 'translation', 'x')",
        [book, other, book, other],
    )
    conn.execute("update library.works set series_index = 1 where book_id = %s", [book])
    conn.commit()

    answer = client.get(f"/api/works/{book}/linked-data")

    assert answer.headers["content-type"] == "application/ld+json"
    data = answer.json()
    assert (data["@context"][0], data["@type"], data["name"]) == ("https://schema.org", "Book", "Dune")
    assert data["author"] == [{"@type": "Person", "name": "Frank Herbert"}]
    assert (data["isPartOf"], data["position"]) == ({"@type": "BookSeries", "name": "Dune Chronicles"}, 1)
    assert data["about"] == [
        {"@type": "DefinedTerm", "termCode": "FLS", "inDefinedTermSet": "https://ns.editeur.org/thema"}
    ]
    assert data["genre"] == ["science fiction", "ecology"]
    (held,) = data["workExample"]
    assert (held["@type"], held["bookFormat"]) == ("Book", "https://schema.org/EBook")
    assert held["dcterms:conformsTo"] == conforms
    assert data["@context"][1] == {"dcterms": "http://purl.org/dc/terms/"}
    assert (held["isbn"], held["accessMode"], held["accessibilityFeature"]) == (
        "9780441172719", ["textual"], ["alternativeText"],
    )  # fmt: skip
    assert held["sameAs"] == ["https://openlibrary.org/books/OL1M"]
    assert [work["@id"] for work in data["workTranslation"]] == [f"/book?id={other}"]


def test_only_what_has_a_file_is_an_ebook(
    conn: psycopg.Connection, client: TestClient, shelves: dict[str, int]
) -> None:
    book = shelves["Dune"]
    conn.execute(
        "delete from library.files using library.editions e where e.edition_id = files.edition_id and book_id = %s",
        [book],
    )
    conn.execute("update library.works set series_index = 1.5 where book_id = %s", [book])
    conn.commit()

    data = client.get(f"/api/works/{book}/linked-data").json()

    assert data["position"] == "1.5"
    assert [set(held) & {"@type", "bookFormat"} for held in data["workExample"]] == [{"@type"}]


def test_a_work_that_is_not_there_is_not_found(client: TestClient) -> None:
    assert client.get("/api/works/999999/linked-data").status_code == 404


def test_the_number_of_a_merged_work_answers_as_the_one_that_took_it_in(
    conn: psycopg.Connection, client: TestClient, shelves: dict[str, int]
) -> None:
    old = shelves["Withdrawn Secrets of Dune"]
    conn.execute("update library.works set merged_into = %s where book_id = %s", [shelves["Dune"], old])
    conn.commit()

    assert client.get(f"/api/works/{old}").json()["book_id"] == shelves["Dune"]
    assert client.get(f"/api/works/{old}/linked-data").json()["url"] == f"/book?id={shelves['Dune']}"
