"""A home of its own for the measuring: a database, works, a champion, and the dataflow as a process."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil
import psycopg
import torch
from pgvector import HalfVector

from models import registry
from models.embedding import MODEL_NAME
from models.memory import Companions, Memory, MemoryConfig
from models.policy import Policy, PolicyConfig
from openshelf.database import embedded, migrate, pool
from openshelf.settings import get_settings

STOP_PATIENCE_S = 20


@contextmanager
def installation(count_works: int) -> Iterator[Path]:
    """A home with an embedded Postgres and a champion over this many works; when the block fails, the log is shown."""
    home = Path(tempfile.mkdtemp(prefix="openshelf-bench-"))
    for name in [name for name in os.environ if name.startswith("OPENSHELF_")]:
        del os.environ[name]
    os.environ["OPENSHELF_HOME"] = str(home)
    get_settings.cache_clear()
    try:
        with pool.connect(autocommit=True, unlimited=True) as conn:
            migrate.migrate(conn)
        with pool.connect(unlimited=True) as conn:
            _fill(conn, count_works)
        yield home
    except (SystemExit, AssertionError):
        log = home / "stream.log"
        print(log.read_text()[-4_000:] if log.exists() else "", file=sys.stderr)
        raise
    finally:
        embedded.stop(home)
        shutil.rmtree(home, ignore_errors=True)


def _fill(conn: psycopg.Connection, count_works: int, seed: int = 0) -> None:
    """Works with random embeddings, and an untrained policy over them: a slate costs what it costs when trained."""
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
    promote_untrained(conn, range(1, count_works + 1), seed)
    conn.commit()


def promote_untrained(conn: psycopg.Connection, book_ids: Sequence[int], seed: int = 0) -> None:
    """Make an untrained policy over these works (ascending) the champion."""
    torch.manual_seed(seed)
    config = PolicyConfig()
    adapter = torch.nn.init.orthogonal_(torch.empty(config.dim, 384))
    # A full memory: as many companions of each work as one is explained by.
    shape = (len(book_ids), MemoryConfig().companions)
    together, after = (
        Companions(torch.randint(len(book_ids), shape, dtype=torch.int32), torch.rand(shape).half() / 10)
        for _ in range(2)
    )
    policy = Policy(config, adapter, torch.tensor(book_ids), Memory(together, after))
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


@contextmanager
def running_stream(home: Path, *words: str, broker: str = "") -> Iterator[psutil.Process]:
    """`openshelf stream` with these words; its lines go to stream.log in its home."""
    with (home / "stream.log").open("ab") as lines:
        process = subprocess.Popen(
            [sys.executable, "-m", "openshelf", "stream", *words],
            stdout=lines,
            stderr=lines,
            env=os.environ | ({"OPENSHELF_BROKERS": broker} if broker else {}),
        )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def postgres_cpu_s(home: Path) -> float:
    """Processor time of the server: of what runs, and of what ran and has ended."""
    server = embedded.postmaster(home)
    assert server
    alive_s = 0.0
    for child in server.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has ended since: the server's own figures have it
            times = child.cpu_times()
            alive_s += times.user + times.system
    own = server.cpu_times()
    return own.user + own.system + own.children_user + own.children_system + alive_s
