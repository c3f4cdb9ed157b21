"""Milliseconds from an act in the log to its slate in Postgres, and acts per second when catching up.

python benchmarks/stream.py [--quick] [--json]     (`--quick`: 1,000 works and shorter runs; else 10,000 works)

The real dataflow runs as a process of its own in a home of its own, with an untrained policy (drawing costs what
it costs when trained) over works with random embeddings. The latency is that of the rows' own clocks: from the
moment the log took the act to the moment its slate's row was written; the commit comes with it.
"""

import argparse
import json
import math
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import numpy as np
import psutil
import psycopg
import torch
from pgvector import HalfVector

from models import registry
from models.embedding import MODEL_NAME
from models.policy import Policy, PolicyConfig
from openshelf.contracts import Action, Interaction, Surface, new_event_id
from openshelf.database import embedded, events, migrate, pool
from openshelf.settings import get_settings

COUNT_READERS = 200
ACTIONS = (Action.OPEN, Action.OPEN, Action.OPEN, Action.LIKE, Action.READ, Action.WANT, Action.SKIP)
PATIENCE_S = 300


def fill_catalogue(conn: psycopg.Connection, count_works: int, seed: int = 0) -> None:
    """Works with random embeddings and a champion over them."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((count_works, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with conn.cursor() as cursor:
        cursor.execute(
            """insert into library.works (work_key, title, title_sort, rating, added_at)
               select 'work ' || n, 'Work ' || n, 'Work ' || n, 1 + n %% 5, now() from generate_series(1, %s) as n""",
            [count_works],
        )
        cursor.executemany(
            "insert into library.text_embeddings (book_id, model, text_hash, embedding) values (%s, %s, '', %s)",
            [(n + 1, MODEL_NAME, HalfVector(vector)) for n, vector in enumerate(vectors)],
        )
    torch.manual_seed(seed)
    config = PolicyConfig()
    adapter = torch.nn.init.orthogonal_(torch.empty(config.dim, 384))
    policy = Policy(config, adapter, torch.arange(1, count_works + 1))
    now = datetime.now(UTC)
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
    registry.promote(conn, version, "benchmark", now)
    conn.commit()


def make_acts(count: int, count_works: int, seed: int) -> list[Interaction]:
    random = Random(seed)
    now = datetime.now(UTC) - timedelta(minutes=5)
    acts = []
    for n in range(count):
        reader = random.randrange(COUNT_READERS)
        acts.append(
            Interaction(
                event_id=new_event_id(),
                occurred_at=now + timedelta(microseconds=n),
                reader_key=f"r_{reader}",
                session_id=UUID(int=reader + 1),
                action=random.choice(ACTIONS),
                book_id=random.randint(1, count_works),
                surface=Surface.FOR_YOU,
            )
        )
    return acts


@contextmanager
def running_stream(log: Path) -> Iterator[psutil.Process]:
    with log.open("ab") as lines:
        process = subprocess.Popen(
            [sys.executable, "-m", "openshelf", "stream", "run"], stdout=lines, stderr=lines, env=os.environ
        )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for_slates(conn: psycopg.Connection, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        row = conn.execute("select count(*) from stream.slates").fetchone()
        if row and row[0] >= count:
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {PATIENCE_S} s for {count} slates, have {row and row[0]}")
        time.sleep(0.2)


def append_at(conn: psycopg.Connection, acts: list[Interaction], per_second: int) -> None:
    """Each act at its appointed time, one transaction each, whatever the earlier ones took."""
    begin = time.monotonic()
    for number, act in enumerate(acts):
        time.sleep(max(0.0, begin + number / per_second - time.monotonic()))
        events.append(conn, act)


def latencies_ms(conn: psycopg.Connection, acts: list[Interaction]) -> list[float]:
    rows = conn.execute(
        """select extract(epoch from stored_at - event_received_at)::float8 * 1000 from stream.slates
           where event_id = any(%s)""",
        [[act.event_id for act in acts]],
    ).fetchall()
    return sorted(row[0] for row in rows)


def measure(count_works: int, seconds: int, catch_up_acts: int, log: Path) -> dict[str, float | int]:
    report: dict[str, float | int] = {"works": count_works, "cores": os.cpu_count() or 0}
    with pool.connect(autocommit=True, unlimited=True) as conn:
        migrate.migrate(conn)
    with pool.connect(unlimited=True) as conn:
        fill_catalogue(conn, count_works)
    with pool.connect(autocommit=True, unlimited=True) as conn:
        count = 0
        with running_stream(log):
            warm_up = make_acts(200, count_works, seed=1)
            append_at(conn, warm_up, 100)
            count += len(warm_up)
            wait_for_slates(conn, count)
            for rate in (20, 100):
                acts = make_acts(rate * seconds, count_works, seed=rate)
                append_at(conn, acts, rate)
                count += len(acts)
                wait_for_slates(conn, count)
                taken = latencies_ms(conn, acts)
                report[f"p50_ms_at_{rate}"] = round(statistics.median(taken), 1)
                report[f"p99_ms_at_{rate}"] = round(taken[math.ceil(0.99 * len(taken)) - 1], 1)
        backlog = make_acts(catch_up_acts, count_works, seed=3)
        for start in range(0, len(backlog), 1_000):
            with conn.transaction():
                events.append_many(conn, backlog[start : start + 1_000])
        with running_stream(log) as process:
            wait_for_slates(conn, count + 1)
            cpu, begin = process.cpu_times(), time.monotonic()
            row = conn.execute("select count(*) from stream.slates").fetchone()
            assert row
            wait_for_slates(conn, count + catch_up_acts)
            took_s, after = time.monotonic() - begin, process.cpu_times()
        done = count + catch_up_acts - row[0]
        report["acts_per_s"] = round(done / took_s)
        report["cpu_us_per_act"] = round((after.user + after.system - cpu.user - cpu.system) / done * 1e6)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="openshelf-bench-"))
    for name in [name for name in os.environ if name.startswith("OPENSHELF_")]:
        del os.environ[name]
    os.environ["OPENSHELF_HOME"] = str(home)
    get_settings.cache_clear()
    log = home / "stream.log"
    try:
        found = measure(1_000, 10, 6_000, log) if options.quick else measure(10_000, 30, 40_000, log)
    except SystemExit:
        print(log.read_text()[-4_000:] if log.exists() else "", file=sys.stderr)
        raise
    finally:
        embedded.stop(home)
        shutil.rmtree(home, ignore_errors=True)
    if options.json:
        print(json.dumps(found))
    else:
        for key, value in found.items():
            print(f"{key:>18}: {value}")


if __name__ == "__main__":
    main()
