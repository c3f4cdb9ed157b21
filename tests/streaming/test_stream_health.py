"""What the stream shows of itself: who works on it, what each process serves, what waits."""

import json
import os
import signal
import socket
import threading
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
import torch
from mock_broker import mock_broker
from running_stream import PATIENCE_S, count, is_drained, running, wait_for
from stream_acts import NOON, act, add_works, many_acts
from typer.testing import CliRunner

from models import registry
from models.policy import Policy, PolicyConfig
from openshelf import stream_health, topics
from openshelf.contracts import Source, Surface, new_event_id, utc_now
from openshelf.database import events, workers
from openshelf.database.events import Lag
from openshelf.database.stream import SlateRow
from openshelf.database.workers import Process, Served, Worker
from openshelf.doctor import status_app
from openshelf.settings import get_settings
from openshelf.stream_health import State
from streaming import heartbeat
from streaming.cli import stream_app
from streaming.heartbeat import Heartbeat
from streaming.measures import Measures
from streaming.patience import PatientConnection

PROCESS = Process("sessions", 1, 1, 0, 1, "shelf-1", 77, NOON)


def shown(conn: psycopg.Connection) -> list[Worker]:
    conn.commit()
    return workers.all_of(conn)


def promote_untrained(conn: psycopg.Connection, *, is_broken: bool = False) -> str:
    """A policy that ranks as it was born; `is_broken`: and was altered after it was promoted."""
    config, now = PolicyConfig(), utc_now()
    policy = Policy(config, torch.nn.init.orthogonal_(torch.empty(config.dim, 384)), torch.arange(1, 31))
    version = registry.register(
        conn,
        "policy",
        registry.policy_tensors(policy, {}),
        config=asdict(config),
        manifest={},
        metrics={},
        parent=None,
        now=now,
    )
    registry.promote(conn, version, "a test", now)
    if is_broken:
        conn.execute("update learning.models set weights = '\\x00' where version = %s", [version])
    conn.commit()
    return version


def status() -> tuple[int, dict]:
    done = CliRunner().invoke(status_app, ["--json"])
    return done.exit_code, json.loads(done.stdout)


def test_every_worker_shows_what_it_serves_and_what_it_refuses_and_one_that_is_killed_falls_silent(
    conn: psycopg.Connection, tmp_path: Path
) -> None:
    add_works(conn)
    events.append_many(conn, many_acts(50))
    conn.commit()

    with running("run", "--workers", "2", log=tmp_path / "log") as cluster:
        wait_for(lambda: [w.serves for w in shown(conn)] == ["popular"] * 2, "both workers")
        # Before anything is asked: acts that wait for a minute until a slow start is over are told, too.
        wait_for(lambda: is_drained(conn), "the acts")
        champion = promote_untrained(conn)
        wait_for(lambda: [w.serves for w in shown(conn)] == [champion] * 2, "the champion on both")

        broken = promote_untrained(conn, is_broken=True)
        wait_for(lambda: all(w.refusal for w in shown(conn)), "both workers to refuse it")
        code, seen = status()
        assert [w.serves for w in shown(conn)] == [champion] * 2
        assert all(f"{broken}: {broken} was altered" in (w.refusal or "") for w in shown(conn))
        assert (seen["dataflow"], seen["champion"], code) == ("beating", broken, 1)  # no storefront is up here
        assert f"{broken} was altered" in seen["refusal"]
        assert [(w["state"], w["serves"]) for w in seen["workers"]] == [("beating", champion)] * 2

        registry.promote(conn, champion, "rolled back", utc_now())
        conn.commit()
        wait_for(lambda: not any(w.refusal for w in shown(conn)), "the refusal to be over")
        assert sum(w.counts.count_refusals for w in shown(conn)) >= 2

        dead, _ = shown(conn)
        os.kill(dead.pid, signal.SIGKILL)
        assert cluster.process.wait(PATIENCE_S) == 1

    assert dead.pid in [w.pid for w in shown(conn)]
    conn.execute("update stream.workers set beat_at = beat_at - interval '10 s'")
    conn.commit()
    assert stream_health.look(conn, ["sessions"])[0].state is State.SILENT
    assert f"pid {dead.pid} on" in status()[1]["advice"]


def test_health_of_relay_and_sessions_is_an_exit_code(
    conn: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def code(*words: str) -> int:
        return CliRunner().invoke(stream_app, ["health", *words]).exit_code

    with mock_broker() as address:
        monkeypatch.setenv("OPENSHELF_BROKERS", address)
        get_settings.cache_clear()
        assert [code("relay"), code("sessions", "--here")] == [1, 1]
        with running("relay", log=tmp_path / "log") as relay:
            events.append_many(conn, many_acts(20))
            conn.commit()
            wait_for(lambda: [w.counts.count_acts for w in shown(conn)] == [20], "the relay to show what it sent")
            assert [code("relay"), code("relay", "--here"), code("sessions")] == [0, 0, 1]
            assert {"relay", "relay_lag_acts", "lag_acts"} <= status()[1].keys()
            relay.stop()

    assert shown(conn) == []


def test_a_heart_goes_on_beating_after_an_outage_and_is_forgotten_at_its_end(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "LAST_WORDS_S", PATIENCE_S)
    measured = Measures()
    heart = Heartbeat(PROCESS, lambda: Served("small-1"), measured).start()
    wait_for(lambda: shown(conn), "the first beat")
    conn.execute(  # of this database alone: other tests share the server
        """select pg_terminate_backend(pid) from pg_stat_activity
           where datname = current_database() and pid <> pg_backend_pid()"""
    )
    measured.stored(3)
    wait_for(lambda: shown(conn)[0].counts.count_acts == 3, "a beat after the outage")

    heart.end()

    assert shown(conn) == []


def test_a_heart_that_never_reaches_postgres_keeps_nobody_from_ending() -> None:
    def away() -> psycopg.Connection:
        raise psycopg.OperationalError("away")

    heart = Heartbeat(PROCESS, connection=PatientConnection(away)).start()
    heart.end()

    assert [thread for thread in threading.enumerate() if thread.name == "heartbeat"] == []


def beat(conn: psycopg.Connection, **changes: object) -> Process:
    process = Process(**(asdict(PROCESS) | changes))
    workers.beat(conn, process, Served(), Measures().counts())
    return process


def test_a_successor_takes_the_row_and_its_predecessor_cannot_take_it_away(conn: psycopg.Connection) -> None:
    old = beat(conn)
    new = beat(conn, pid=78, started_at=NOON + timedelta(minutes=1))

    workers.leave(conn, old)

    assert [worker.pid for worker in shown(conn)] == [new.pid]


def test_a_dataflow_that_is_split_anew_forgets_those_it_no_longer_has(conn: psycopg.Connection) -> None:
    for process in range(4):
        beat(conn, process=process, count_processes=4)
    beat(conn, share_number=2, share_count=3)
    beat(conn, consumer="relay")
    started = beat(conn, process=0, count_processes=2)

    workers.forget_lost(conn, started)

    assert [(w.consumer, w.share, w.process) for w in shown(conn)] == [
        ("sessions", "1/1", 0),
        ("sessions", "1/1", 1),
        ("relay", "1/1", 0),
    ]


def worker(conn: psycopg.Connection) -> Worker:
    beat(conn)
    return workers.all_of(conn)[0]


@pytest.mark.parametrize(
    ("waiting_s", "idle_s", "state"),
    [
        (0.0, 5_000.0, State.BEATING),  # a quiet night
        (5_000.0, 0.1, State.BEATING),  # a backlog that is being worked off
        (61.0, 61.0, State.WAITING),
        (61.0, None, State.WAITING),
    ],
)
def test_acts_of_which_none_is_taken_are_told_from_a_backlog(
    waiting_s: float, idle_s: float | None, state: State, conn: psycopg.Connection
) -> None:
    lags = [Lag(0, 9, 0, None, 0.0, None), Lag(1, 9, 5, NOON, waiting_s, idle_s)]

    flow = stream_health.judge("sessions", [worker(conn)], lags)

    assert (flow.state, flow.count_waiting, flow.waiting_s) == (state, 5, waiting_s)
    assert (flow.advice is None) == (state is State.BEATING)
    assert stream_health.judge("sessions", [], lags).state is State.ABSENT


def test_the_health_of_a_host_is_that_of_its_own_share(conn: psycopg.Connection) -> None:
    here = socket.gethostname()
    beat(conn, share_number=1, share_count=2, host=here)
    beat(conn, share_number=2, share_count=2, host="elsewhere")
    for parity in (0, 1):
        readers = (f"r_{n}" for n in range(100))
        events.append(conn, act(reader_key=next(r for r in readers if topics.partition_of(r) % 2 == parity)))
    conn.execute("update stream.event_log set appended_at = now() - interval '2 min' where partition % 2 = 1")
    conn.execute("update stream.workers set beat_at = now() - interval '1 min' where host = 'elsewhere'")

    mine = stream_health.look_at_host(conn, "sessions", here)
    (whole,) = stream_health.look(conn, ["sessions"])

    assert (mine.state, whole.state) == (State.BEATING, State.SILENT)
    assert mine.count_waiting + 1 == whole.count_waiting == 2


def test_measures_count_batches_places_and_draws() -> None:
    measures = Measures()
    row = SlateRow(
        slate_id=new_event_id(), event_id=new_event_id(), reader_key="r_1", session_id=new_event_id(), created_at=NOON,
        policy_version="p", arm="champion", surface=Surface.FOR_YOU, event_received_at=NOON, book_ids=[1, 2, 3],
        propensities=[0.5] * 3, sources=[Source.POLICY, Source.POLICY, Source.POPULAR], reasons=["x"] * 3,
        reason_book_ids=[None] * 3,
    )  # fmt: skip
    rows = [row] * 2

    measures.stored(7, rows, count_dead_letters=1, count_early=2)
    measures.stored(2_000)
    measures.stored(0, count_dead_letters=1)
    with measures.drawing(2):
        pass
    with pytest.raises(ValueError, match="broken"), measures.drawing(5):
        raise ValueError("broken")

    counts = measures.counts()
    assert (counts.count_acts, counts.count_slates, counts.count_dead_letters, counts.count_early) == (2_007, 2, 2, 2)
    assert counts.places == {"policy": 4, "popular": 2}
    assert dict(zip([*counts.batch_acts.bounds, "more"], counts.batch_acts.counts, strict=True)) == {
        1: 0, 2: 0, 5: 0, 10: 1, 20: 0, 50: 0, 100: 0, 200: 0, 500: 0, 1_000: 0, "more": 1,
    }  # fmt: skip
    assert counts.batch_acts.total == 2_007
    assert (sum(counts.draw_ms.counts), counts.count_undrawn) == (1, 5)


def test_lag_is_read_from_the_ends_and_is_right_after_a_part_of_the_log_was_deleted(conn: psycopg.Connection) -> None:
    events.append_many(conn, [act() for _ in range(10)])
    conn.execute("delete from stream.event_log where log_offset < 4")

    assert sum(lag.count_waiting for lag in events.lag(conn, "sessions")) == count(conn, "event_log") == 6
