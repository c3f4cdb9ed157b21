"""Who may read /metrics, and what it says when Postgres is away or hangs."""

import socket
from collections.abc import Iterator

import psycopg
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from dashboard import metrics
from dashboard.routes import routes
from openshelf.database import pool
from openshelf.settings import get_settings

TOKEN = "a token of sixteen or more".replace(" ", "-")
NEAR, FAR = ("127.0.0.1", 50_000), ("192.0.2.7", 50_000)


def asked_from(client: tuple[str, int], path: str = "/metrics", **headers: str):
    with TestClient(Starlette(routes=routes()), client=client) as caller:
        return caller.get(path, headers=headers)


@pytest.fixture
def token(database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("OPENSHELF_METRICS_TOKEN", TOKEN)
    get_settings.cache_clear()
    return TOKEN


@pytest.mark.parametrize("client", [NEAR, ("::1", 50_000)])
def test_this_machine_may_read(client: tuple[str, int], database: str) -> None:
    answer = asked_from(client)

    assert answer.status_code == 200
    assert "openshelf_up 1.0" in answer.text


@pytest.mark.parametrize(
    ("client", "headers"),
    [(FAR, {}), (NEAR, {"X-Forwarded-For": "127.0.0.1"}), (NEAR, {"Forwarded": "for=127.0.0.1"}), (NEAR, {"Via": "p"})],
)
def test_others_may_not_nor_those_whom_a_proxy_sent_on(
    client: tuple[str, int], headers: dict[str, str], database: str
) -> None:
    answer, ready = asked_from(client, **headers), asked_from(client, "/readyz", **headers)

    assert answer.status_code == 403
    assert "OPENSHELF_METRICS_TOKEN" in answer.text
    assert ready.json() == {"ready": True, "postgres": "answers"}


def test_with_a_token_it_alone_counts(token: str) -> None:
    assert asked_from(FAR, Authorization=f"Bearer {token}").status_code == 200
    for given in ({}, {"Authorization": "Bearer other"}, {"Authorization": f"Basic {token}"}):
        answer = asked_from(NEAR, **given)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


@pytest.fixture(params=["nobody listens", "who listens never answers"])
def no_postgres(request: pytest.FixtureRequest, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(metrics, "CONNECT_S", 0.5)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if "never" in request.param:
            listener.listen(16)
        address = f"postgresql://nobody@127.0.0.1:{listener.getsockname()[1]}/x"
        monkeypatch.setenv("OPENSHELF_DATABASE_URL", address)
        get_settings.cache_clear()
        pool.close_pool()
        yield


@pytest.mark.usefixtures("no_postgres")
def test_without_postgres_it_says_so_and_that_is_all() -> None:
    answer, ready = asked_from(NEAR), asked_from(NEAR, "/readyz")

    assert answer.status_code == 200
    assert [line for line in answer.text.splitlines() if line[0] != "#"] == ["openshelf_up 0.0"]
    assert (ready.status_code, ready.json()) == (503, {"ready": False, "postgres": "does not answer"})


def test_a_lock_that_keeps_it_waiting_keeps_nobody_else_waiting(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(database) as other, monkeypatch.context() as soon:
        soon.setattr(metrics, "LIMIT_S", 1.0)
        other.execute("lock table stream.workers in access exclusive mode")

        answer, health = asked_from(NEAR), asked_from(NEAR, "/healthz")

    assert (health.text, "openshelf_up 0.0" in answer.text) == ("ok\n", True)
    assert "openshelf_up 1.0" in asked_from(NEAR).text
