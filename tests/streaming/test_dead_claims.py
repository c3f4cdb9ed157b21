"""A claim whose connection went dead: the server still believes in it, and its owner takes it back."""

import threading

import psycopg
import pytest
from running_stream import wait_for

from openshelf import topics
from openshelf.database import consumers, pool
from streaming import claims, stopping
from streaming.claims import claimed


def sessions_that_hold(conn: psycopg.Connection) -> list[int]:
    rows = conn.execute(
        """select distinct pid from pg_locks join pg_stat_activity using (pid)
           where locktype = 'advisory' and classid = 7302 and datname = current_database()"""
    ).fetchall()
    conn.commit()
    return [pid for (pid,) in rows]


def test_the_owner_of_a_dead_connection_takes_its_claim_back(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_open: list[psycopg.Connection] = []
    wire_is_dead = threading.Event()

    def ping(_: psycopg.Connection) -> None:
        if wire_is_dead.is_set():
            raise psycopg.OperationalError("Postgres said nothing for 33 s: the connection was closed")

    def close(dead: psycopg.Connection) -> None:
        """We close it, and the server hears nothing of that."""
        left_open.append(dead)
        wire_is_dead.clear()

    monkeypatch.setattr(claims, "CLAIM_CHECK_S", 0.1)
    monkeypatch.setattr(pool, "ping", ping)
    with claimed("sessions", topics.WHOLE, range(topics.PARTITIONS)):
        (first,) = sessions_that_hold(conn)
        with monkeypatch.context() as wire:
            wire.setattr(pool.BoundedConnection, "close", close)
            wire_is_dead.set()
            wait_for(lambda: sessions_that_hold(conn) not in ([first], []), "the claim to be taken anew")
        assert not stopping.requested()
        # Partition by partition.
        whole = [[*range(topics.PARTITIONS)]]
        wait_for(
            lambda: [holder.partitions for holder in consumers.holders(conn, "sessions")] == whole, "all of it anew"
        )

    for each in left_open:
        each.close()
