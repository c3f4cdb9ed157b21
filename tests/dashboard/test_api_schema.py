"""The OpenAPI document is kept: programs made from it are answered as it says, whatever they send."""

import psycopg
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.applications import Starlette

from dashboard import routes
from openshelf.database import api_keys
from openshelf.database.api_keys import Scope

# An act has rules that no schema says: `like` needs a book_id, `rate` its stars.
RULED = "/api/interactions"
OPERATIONS = [
    ("GET", "/api/works"),
    ("GET", "/api/works/{book_id}"),
    ("GET", "/api/works/{book_id}/linked-data"),
    ("GET", "/api/subjects"),
    ("GET", "/api/recommendations/{reader_key}"),
    ("POST", "/api/recommendations/query"),
    ("POST", "/api/ask"),
    ("POST", RULED),
    ("DELETE", "/api/readers/{reader_key}"),
    ("GET", "/api/health"),
]

load_all_checks()


@pytest.fixture
def application(shelves: dict[str, int]) -> Starlette:
    return Starlette(routes=routes.routes())


@pytest.fixture
def headers(conn: psycopg.Connection) -> dict[str, str]:
    scopes = [Scope.READ, Scope.RECOMMEND, Scope.WRITE]
    _, secret = api_keys.create(conn, "schema", source="tests", scopes=scopes, requests_per_minute=100_000, lasts=None)
    conn.commit()
    return {"Authorization": f"Bearer {secret}"}


def test_every_operation_is_in_the_document(application: Starlette) -> None:
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", application)

    described = [(op.ok().method.upper(), op.ok().path) for op in schema.get_all_operations()]
    assert sorted(described) == sorted(OPERATIONS)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_what_a_program_sends_is_answered_as_the_document_says(
    method: str, path: str, mode: GenerationMode, application: Starlette, headers: dict[str, str]
) -> None:
    if mode is GenerationMode.NEGATIVE and path == "/api/health":
        return  # it takes nothing that could be wrong
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", application)
    excluded = [positive_data_acceptance] if path == RULED else []
    count = 0

    @seed(20260301)
    @settings(
        max_examples=20,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    def ask(case: Case) -> None:
        nonlocal count
        count += 1
        case.call_and_validate(headers=headers, excluded_checks=excluded)

    ask()
    assert count >= 1
