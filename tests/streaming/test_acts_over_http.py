"""An act that a program sends over HTTP moves what it is recommended, through the real dataflow."""

from collections.abc import Iterator

import psycopg
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from stream_acts import SmallRecommender, add_works, catch_up

from dashboard import routes
from openshelf import readers
from openshelf.database import api_keys, stream
from openshelf.database.api_keys import Scope
from openshelf.settings import get_settings


@pytest.fixture
def program(conn: psycopg.Connection) -> Iterator[TestClient]:
    add_works(conn, 100)
    _, secret = api_keys.create(
        conn, "shop", source="shop", scopes=[Scope.RECOMMEND, Scope.WRITE], requests_per_minute=600, lasts=None
    )
    conn.commit()
    with TestClient(Starlette(routes=routes.routes()), headers={"Authorization": f"Bearer {secret}"}) as client:
        yield client


def test_acts_lead_to_a_slate_and_answer_it(program: TestClient, conn: psycopg.Connection) -> None:
    assert program.get("/api/recommendations/ann").json()["is_fallback"] is True
    program.post("/api/interactions", json={"reader_key": "ann", "action": "like", "book_id": 7})
    catch_up(conn, SmallRecommender())

    first = program.get("/api/recommendations/ann").json()
    stored = stream.latest_slate(conn, readers.program_key(get_settings().reader_secret(), "shop", "ann"))
    assert stored
    assert (first["is_fallback"], first["slate_id"]) == (False, str(stored.slate_id))
    assert [place["work"]["book_id"] for place in first["places"]] == [place.book_id for place in stored.places]
    chosen = first["places"][1]
    answer = {
        "reader_key": "ann",
        "action": "open",
        "book_id": chosen["work"]["book_id"],
        "session_id": first["session_id"],
        "slate_id": first["slate_id"],
        "position": chosen["position"],
    }
    assert program.post("/api/interactions", json=answer).status_code == 200
    catch_up(conn, SmallRecommender())

    row = conn.execute(
        "select book_id, slate_id::text, position, surface from stream.interactions where action = 'open'"
    ).fetchone()
    assert row == (chosen["work"]["book_id"], first["slate_id"], chosen["position"], "api")
    second = program.get("/api/recommendations/ann").json()
    assert second["slate_id"] != first["slate_id"]
    assert chosen["work"]["book_id"] not in [place["work"]["book_id"] for place in second["places"]]
    assert conn.execute("select count(*) from stream.sessions").fetchone() == (1,)


def test_what_is_sent_again_after_the_dataflow_took_it_changes_nothing(
    program: TestClient, conn: psycopg.Connection
) -> None:
    act = {
        "event_id": "0197a4c2-7f10-7c3a-9a3b-5b6f0d8a1c11", "reader_key": "ann", "action": "like", "book_id": 7,
    }  # fmt: skip
    program.post("/api/interactions", json=act)
    catch_up(conn, SmallRecommender())
    before = program.get("/api/recommendations/ann").json()
    again = program.post("/api/interactions", json=act).json()
    catch_up(conn, SmallRecommender())

    assert again["count_duplicates"] == 1
    assert program.get("/api/recommendations/ann").json() == before
    assert conn.execute("select count(*) from stream.interactions").fetchone() == (1,)
