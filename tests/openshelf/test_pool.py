"""Connections to a server that cannot be heard: given up in time, with nothing left open."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from benchmarks.breaking.tcp_proxy import Proxy
from openshelf.database import pool
from openshelf.errors import DatabaseError
from openshelf.settings import get_settings
from streaming.patience import PatientConnection


@pytest.fixture
def proxy(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Before the database; statements may take a second."""
    found = urlsplit(database)
    standing_before = Proxy(parse_qs(found.query)["host"][0] + "/.s.PGSQL.5432")
    monkeypatch.setenv("OPENSHELF_DATABASE_URL", f"postgresql://postgres@{standing_before.address}{found.path}")
    monkeypatch.setenv("OPENSHELF_DATABASE_TIMEOUT_S", "1")
    monkeypatch.setattr(pool, "GRACE_S", 0.5)
    monkeypatch.setattr(pool, "CONNECT_TIMEOUT_S", 2)
    monkeypatch.setitem(pool._CLIENT, "connect_timeout", 2)
    get_settings.cache_clear()
    yield standing_before
    standing_before.close()


def ask(conn: psycopg.Connection, is_pipeline: bool) -> None:
    with conn.transaction(), conn.pipeline() if is_pipeline else nullcontext():
        conn.execute("select 1")


@pytest.mark.parametrize("is_pipeline", [False, True])
def test_a_connection_that_hangs_is_closed_and_said(proxy: Proxy, is_pipeline: bool) -> None:
    conn = pool.connect(autocommit=True)
    proxy.stall()

    begun_at = time.monotonic()
    with pytest.raises(psycopg.OperationalError, match=r"Postgres said nothing for 2 s: the connection was closed"):
        ask(conn, is_pipeline)

    assert conn.closed
    assert time.monotonic() - begun_at < 20


def test_after_one_connection_was_found_dead_the_others_of_the_process_are_opened_anew(proxy: Proxy) -> None:
    first, second = PatientConnection(), PatientConnection()
    was = [each.try_once(lambda conn: conn.info.backend_pid) for each in (first, second)]
    proxy.strand()

    assert first.try_once(lambda conn: conn.execute("select 1")) is None
    assert second.try_once(lambda conn: conn.info.backend_pid) not in (None, *was)

    first.close()
    second.close()


def test_a_server_that_hangs_before_it_knows_us_is_named_as_away(proxy: Proxy) -> None:
    proxy.stall()

    with pytest.raises(DatabaseError, match=r"Postgres does not answer: .*timeout"):
        pool.connect()


def test_threads_that_ask_at_once_share_one_pool(database: str) -> None:
    at_once = threading.Barrier(8)

    def ask(_: int) -> int:
        at_once.wait()
        return id(pool.get_pool())

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(ask, range(8)))) == 1


def test_the_pool_gives_up_what_hangs_and_finds_the_server_again(proxy: Proxy) -> None:
    connections = pool.get_pool()
    proxy.stall()
    with pytest.raises(psycopg.OperationalError), connections.connection() as conn:
        conn.execute("select 1")
    proxy.heal()

    with connections.connection(timeout=60) as conn:
        assert conn.execute("select 1").fetchone() == (1,)


@pytest.fixture
def what_the_server_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for, however late it comes on a busy machine."""
    monkeypatch.setattr(pool, "GRACE_S", 60.0)


@pytest.mark.usefixtures("what_the_server_says")
def test_a_slow_statement_is_ended_by_the_server_and_the_connection_lives(proxy: Proxy) -> None:
    with pool.connect(autocommit=True) as conn:
        with pytest.raises(psycopg.errors.QueryCanceled):
            conn.execute("select pg_sleep(30)")

        assert conn.execute("select 1").fetchone() == (1,)


def test_long_work_is_waited_for_and_silence_as_long_as_one_says(proxy: Proxy) -> None:
    with pool.connect(autocommit=True, unlimited=True) as conn:
        assert conn.execute("select 'done' from pg_sleep(2)").fetchone() == ("done",)

    with pool.connect(autocommit=True, unlimited=True, patience_s=0.5) as conn:
        proxy.strand()
        with pytest.raises(psycopg.OperationalError, match="Postgres said nothing"):
            conn.execute("select 1")


@pytest.mark.usefixtures("what_the_server_says")
def test_who_falls_silent_inside_a_transaction_lets_go_of_its_locks(proxy: Proxy) -> None:
    silent, waiting = pool.connect(), pool.connect(autocommit=True)
    silent.execute("select pg_advisory_xact_lock(1)")

    for _ in range(20):
        with suppress(psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled):
            waiting.execute("select pg_advisory_xact_lock(1)")
            break
    else:
        pytest.fail("the lock is still held")

    with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
        silent.execute("select 1")
    waiting.close()
