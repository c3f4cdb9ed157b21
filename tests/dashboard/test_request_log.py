"""Each request has a number, in its answer and in the log; nothing of a person is in the log."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from dashboard.request_log import HEADER, RequestLog
from openshelf import log
from openshelf.database import pool
from openshelf.settings import get_settings

WHO = "ada@example.org"


async def look(_request: Request) -> PlainTextResponse:
    structlog.get_logger("test").info("looked", email=WHO, query="how to leave him")
    return PlainTextResponse("found", status_code=404)


async def break_down(_request: Request) -> PlainTextResponse:
    with pool.connect() as conn:
        conn.execute("create temp table people (email text unique)")
        for _ in range(2):
            conn.execute("insert into people values (%s)", [WHO])
    return PlainTextResponse("")


@pytest.fixture
def written() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def client(database: str, monkeypatch: pytest.MonkeyPatch, written: io.StringIO) -> Iterator[TestClient]:
    monkeypatch.setenv("OPENSHELF_LOG_FORMAT", "json")
    get_settings.cache_clear()
    structlog.reset_defaults()
    root = logging.getLogger()
    before = list(root.handlers), root.level
    monkeypatch.setattr("sys.stderr", written)
    log.configure(get_settings(), part="storefront")
    routes = [Route("/lists/{key}", look), Route("/broken", break_down)]
    application = Starlette(routes=routes, middleware=[Middleware(RequestLog)])
    with TestClient(application, raise_server_exceptions=False) as caller:
        yield caller
    root.handlers[:], root.level = before
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    """What was logged for a request; the caller's own library logs what it asked, too."""
    found = [json.loads(line) for line in written.getvalue().splitlines() if line.startswith("{")]
    return [line for line in found if "request" in line]


def test_a_request_has_a_number_in_its_answer_and_in_all_its_lines(client: TestClient, written: io.StringIO) -> None:
    answer = client.get("/lists/a-secret-key?q=how+to+leave+him", headers={"X-Forwarded-For": "192.0.2.7"})
    told = lines(written)

    assert [line["event"] for line in told] == ["looked", "request"]
    assert {line["request"] for line in told} == {answer.headers[HEADER]}
    assert told[-1]["route"] == "look"
    assert (told[-1]["status"], told[-1]["method"]) == (404, "GET")
    for secret in ("a-secret-key", "leave him", "leave+him", "192.0.2.7", WHO):
        assert secret not in json.dumps(told)


def test_a_number_that_a_proxy_gave_is_kept_and_nothing_else(client: TestClient, written: io.StringIO) -> None:
    kept = client.get("/lists/1", headers={HEADER: "0123abcd-ef"})
    refused = client.get("/lists/1", headers={HEADER: "<script> and more"})

    assert kept.headers[HEADER] == "0123abcd-ef"
    assert refused.headers[HEADER] != "<script> and more"
    assert "script" not in written.getvalue()


def test_what_broke_is_written_without_the_values_that_broke_it(client: TestClient, written: io.StringIO) -> None:
    answer = client.get("/broken")
    told = lines(written)

    assert answer.status_code == 500
    (failure,) = [line for line in told if line["event"] == "request_failed"]
    assert "UniqueViolation" in failure["exception"]
    assert failure["request"]
    assert WHO not in json.dumps(told)


def test_postgres_does_tell_the_value() -> None:
    """Else the test above would prove nothing."""
    assert log._VALUES.search("\nDETAIL:  Key (email)=(somebody) already exists.")
    assert issubclass(psycopg.errors.UniqueViolation, psycopg.Error)
