"""A reader whom another program named is erased when the program asks, by the dataflow too."""

import psycopg
from kept_reader import catch_up, library
from starlette.applications import Starlette
from starlette.testclient import TestClient

from dashboard import routes
from openshelf import readers
from openshelf.database import api_keys
from openshelf.database.api_keys import Scope
from openshelf.privacy import erasing
from openshelf.settings import get_settings


def test_a_programs_reader_is_forgotten_everywhere(conn: psycopg.Connection) -> None:
    books = library(conn)
    scopes = [Scope.RECOMMEND, Scope.WRITE]
    _, secret = api_keys.create(conn, "shop", source="shop", scopes=scopes, requests_per_minute=60, lasts=None)
    conn.commit()
    with TestClient(Starlette(routes=routes.routes()), headers={"Authorization": f"Bearer {secret}"}) as program:
        for name in ("ann", "ben"):
            act = {"reader_key": name, "action": "like", "book_id": books["Dune"]}
            assert program.post("/api/interactions", json=act).status_code == 200
        catch_up(conn)
        assert program.get("/api/recommendations/ann").json()["is_fallback"] is False

        assert program.delete("/api/readers/ann").json()["is_finished"] is False
        catch_up(conn)
        assert erasing.resume(conn, get_settings()) == {"finished": 1, "waiting": 0}

        assert program.get("/api/recommendations/ann").json()["is_fallback"] is True
        assert program.get("/api/recommendations/ben").json()["is_fallback"] is False
        assert program.delete("/api/readers/ann").status_code == 200
    ben = readers.program_key(get_settings().reader_secret(), "shop", "ben")
    for table in ("interactions", "slates", "sessions"):
        left = conn.execute(f"select distinct reader_key from stream.{table}").fetchall()  # pyright: ignore
        assert left == [(ben,)], table
