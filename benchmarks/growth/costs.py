"""Measures what an act costs: in the dataflow, in Postgres, in the relay, on disk, on the wire, in memory."""

import gc
import pickle
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import policy as policy_benchmark
import psutil
import psycopg
import torch
from our_stream import appending, catching_up
from our_stream.brokers import running_broker
from our_stream.installation import installation, postgres_cpu_s, running_stream
from our_stream.trace import Trace, count_slates
from psycopg import sql

from models.arms import PolicyScorer
from models.catalogue import Ranking
from models.recommender import Recommender
from openshelf.contracts import Interaction
from openshelf.database import pool, stream
from openshelf.topics import Topics
from streaming import relay
from streaming.acts import LOG, RawAct
from streaming.session_state import SessionState

from .needs import UnitCosts

WORKS = 10_000
TABLES = ("event_log", "interactions", "slates", "sessions")
DRAWS, DRAWN_AT_ONCE = 20, 64
STATES_IN_MEMORY = 5_000
PATIENCE_S = 120.0


@dataclass(frozen=True)
class Size:
    """How many acts are caught up with and appended; the catalogues that slates are drawn from."""

    backlog: int
    append: int
    works: tuple[int, ...]


FULL = Size(backlog=40_000, append=40_000, works=(10_000, 100_000, 1_000_000))
QUICK = Size(backlog=8_000, append=6_000, works=(10_000, 100_000))


@dataclass(frozen=True)
class _Kept:
    """Bytes and rows of each table, and bytes of the write-ahead log since the server began."""

    tables: dict[str, tuple[int, int]]
    wal: int

    def each_since(self, before: "_Kept") -> dict[str, float]:
        """Bytes a row of those that came since."""
        return {
            table: (size - before.tables[table][0]) / max(1, rows - before.tables[table][1])
            for table, (size, rows) in self.tables.items()
        }


def measure(size: Size, say: Callable[[str], None]) -> UnitCosts:
    torch.set_num_threads(1)  # as the dataflow does
    say("drawing slates")
    drawn = {works: _drawing(works) for works in size.works}
    trace = Trace(WORKS, seed=1)
    with installation(WORKS) as home, pool.connect(autocommit=True, unlimited=True) as conn:
        say("catching up")
        appending.fill_backlog(conn, trace.take(size.backlog, appending.recent()))
        caught = catching_up.catch_up(conn, home)
        say("storing")
        acts = trace.take(size.backlog, appending.recent())
        before = _kept(conn)
        appending.fill_backlog(conn, acts)
        store_us = _storing(conn, home)
        after = _kept(conn)
        each = after.each_since(before)
        states = _states(home)
        slates = stream.slates_of_events(conn, [act.event_id for act in acts[-1_000:]]).values()
        say("appending")
        append_cpu = postgres_cpu_s(home)
        append_per_s = appending.appended_per_s(size.append)
        append_us = (postgres_cpu_s(home) - append_cpu) / size.append * 1e6
        say("relaying")
        relay_per_s, relay_us = _relaying(conn, home)
    if caught.cpu_us_per_act < drawn[WORKS][0] * count_slates(acts) / len(acts):
        raise SystemExit("an act took less than its slate alone: the machine is too busy to measure on")
    return UnitCosts(
        works=WORKS,
        acts_per_s=caught.acts_per_s,
        dataflow_us_per_act=caught.cpu_us_per_act,
        slates_per_act=count_slates(acts) / len(acts),
        draw_us={works: us for works, (us, _) in drawn.items()},
        model_mib={works: mib for works, (_, mib) in drawn.items()},
        process_mib=caught.peak_mib,
        log_append_per_s=append_per_s,
        postgres_append_us=append_us,
        postgres_store_us=store_us,
        relay_acts_per_s=relay_per_s,
        relay_us_per_act=relay_us,
        log_bytes=each["event_log"],
        interaction_bytes=each["interactions"],
        slate_bytes=each["slates"],
        # Of all: the readers of the trace stay in the sessions that they began with.
        session_bytes=after.tables["sessions"][0] / after.tables["sessions"][1],
        wal_bytes=(after.wal - before.wal) / len(acts),
        message_bytes=float(np.mean([_message_bytes(act) for act in acts])),
        slate_message_bytes=float(np.mean([len(slate.encode()) for slate in slates])),
        snapshot_bytes=float(np.mean([len(state) for state in states])),
        state_bytes=_in_memory(states),
    )


def _drawing(works: int) -> tuple[float, float]:
    """Microseconds of a slate in a full batch, and MiB that its model keeps."""
    catalogue = policy_benchmark.make_catalogue(works, np.random.default_rng(0))
    scorer = PolicyScorer(policy_benchmark.make_policy(catalogue), catalogue)
    ranking = Ranking(catalogue, catalogue.book_ids[:1_000].tolist(), 1)
    recommender = Recommender(scorer, "costs", ranking, slate_size=12, explore_share=0.05, cold_pool=20)
    requests = policy_benchmark.make_requests(works, DRAWN_AT_ONCE)
    took = []
    for _ in range(1 + max(3, DRAWS * WORKS // works)):
        begin = time.thread_time()
        recommender.draw(requests)
        took.append(time.thread_time() - begin)
    return min(took[1:]) / DRAWN_AT_ONCE * 1e6, scorer.count_bytes() / 2**20


def _storing(conn: psycopg.Connection, home: Path) -> float:
    """Microseconds of Postgres for an act of the backlog, from the first that is stored to the last."""
    before = catching_up.count_taken(conn)
    with running_stream(home, "run") as process:
        begin = _first_taken(conn, process, before)
        cpu_s = postgres_cpu_s(home)
        catching_up.wait_until_taken(conn, process)
        return (postgres_cpu_s(home) - cpu_s) / max(1, catching_up.count_taken(conn) - begin) * 1e6


def _relaying(conn: psycopg.Connection, home: Path) -> tuple[float, float]:
    """Acts a second and microseconds an act of the relay that sends the whole log to a broker on this machine."""
    with running_broker() as broker, running_stream(home, "relay", broker=broker) as process:
        begin, at, cpu_s = _first_taken(conn, process, 0, relay.CONSUMER), time.monotonic(), _cpu_s(process)
        catching_up.wait_until_taken(conn, process, relay.CONSUMER)
        count = max(1, catching_up.count_taken(conn, relay.CONSUMER) - begin)
        return count / (time.monotonic() - at), (_cpu_s(process) - cpu_s) / count * 1e6


def _first_taken(
    conn: psycopg.Connection, process: psutil.Process, before: int, consumer: str = catching_up.CONSUMER
) -> int:
    """How many are taken as soon as more are than before."""
    deadline = time.monotonic() + PATIENCE_S
    while (count := catching_up.count_taken(conn, consumer)) == before:
        if time.monotonic() > deadline or process.status() == psutil.STATUS_ZOMBIE:
            raise SystemExit("the process took nothing; its lines above say why")
        time.sleep(catching_up.LOOK_EVERY_S)
    return count


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _kept(conn: psycopg.Connection) -> _Kept:
    tables = {}
    for table in TABLES:
        row = conn.execute(
            sql.SQL("select pg_total_relation_size(%s::regclass), count(*) from stream.{}").format(
                sql.Identifier(table)
            ),
            [f"stream.{table}"],
        ).fetchone()
        assert row
        tables[table] = (row[0], row[1])
    wal = conn.execute("select pg_current_wal_lsn() - '0/0'::pg_lsn").fetchone()
    assert wal
    return _Kept(tables, int(wal[0]))


def _states(home: Path) -> list[bytes]:
    """Of each reader the newest snapshot in the recovery store."""
    (part,) = (home / "recovery" / "sessions-log").glob("part-*.sqlite3")
    with closing(sqlite3.connect(part)) as store:
        rows = store.execute(
            """select ser_change, max(snap_epoch) from snaps
               where step_id like '%move_sessions%' group by step_id, state_key having ser_change is not null"""
        ).fetchall()
    return [row[0] for row in rows]


def _in_memory(states: Sequence[bytes]) -> float:
    """Bytes of a reader's state as the dataflow holds it."""
    snapshots = [pickle.loads(state) for state in states]
    gc.collect()
    before = psutil.Process().memory_info().rss
    decoder = msgspec.msgpack.Decoder(SessionState)
    held = [decoder.decode(snapshots[n % len(snapshots)][1]) for n in range(STATES_IN_MEMORY)]
    return (psutil.Process().memory_info().rss - before) / len(held)


def _message_bytes(act: Interaction) -> int:
    raw = RawAct(LOG, 11, 1_000_000, act.encode(), act.occurred_at, 11, 1_000_000, act.reader_key)
    message = relay.message_of(raw, Topics().interactions)
    return len(message.key) + len(message.value) + sum(len(name) + len(value) for name, value in message.headers)
