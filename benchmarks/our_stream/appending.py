"""Acts into the log, one transaction each: at their appointed times, or as fast as it takes them.

`python -m our_stream.appending COUNT CONNECTIONS SEED` waits for a line, appends, and prints when it began and ended.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from openshelf.contracts import Interaction
from openshelf.database import events, pool
from openshelf.topics import partition_of

from .trace import Trace

# Writers of the playing: one connection alone would wait for the disk longer than acts are apart.
WRITERS = 4
COUNT_PROCESSES, CONNECTIONS_EACH = 2, 8
ACTS_A_TRANSACTION = 1_000
WRITER_PATIENCE_S = 120
# Below this share of the rate that was asked for, it is said.
KEPT_UP = 0.95


def recent() -> datetime:
    """When the acts of a trace are said to occur: a little while ago."""
    return datetime.now(UTC) - timedelta(minutes=5)


def fill_backlog(conn: psycopg.Connection, acts: Sequence[Interaction]) -> None:
    """Many in one transaction: how they come into the log is not what a backlog is for."""
    for start in range(0, len(acts), ACTS_A_TRANSACTION):
        with conn.transaction():
            events.append_many(conn, acts[start : start + ACTS_A_TRANSACTION])


def play(acts: Sequence[Interaction], per_second: int) -> None:
    """Each act at its appointed time, one transaction each, whatever the earlier ones took."""
    begin = time.monotonic()

    def write(conn: psycopg.Connection, mine: Sequence[tuple[int, Interaction]]) -> None:
        for number, act in mine:
            time.sleep(max(0.0, begin + number / per_second - time.monotonic()))
            events.append(conn, act)

    # A reader's acts go through one connection, and so in their order.
    shares = [
        [each for each in enumerate(acts) if partition_of(each[1].reader_key) % WRITERS == writer]
        for writer in range(WRITERS)
    ]
    with ExitStack() as stack, ThreadPoolExecutor(WRITERS) as threads:
        conns = [stack.enter_context(pool.connect(autocommit=True)) for _ in shares]
        list(threads.map(write, conns, shares))
    reached = len(acts) / (time.monotonic() - begin)
    if reached < KEPT_UP * per_second:
        print(f"acts came at {reached:.0f} a second, not {per_second}: the log took no more", file=sys.stderr)


def appended_per_s(count: int) -> float:
    """Acknowledged appends a second, over all connections of all processes."""
    each = [sys.executable, "-m", "our_stream.appending", str(count // COUNT_PROCESSES), str(CONNECTIONS_EACH)]
    writers = [
        subprocess.Popen(
            [*each, str(seed)],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in range(COUNT_PROCESSES)
    ]
    for writer in writers:
        assert writer.stdout
        if writer.stdout.readline() != "ready\n":
            raise SystemExit("a writer did not start; its lines above say why")
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("go\n")
        writer.stdin.flush()
    spans = [json.loads(writer.communicate(timeout=WRITER_PATIENCE_S)[0]) for writer in writers]
    return count / (max(end for _, end in spans) - min(begin for begin, _ in spans))


def main() -> None:
    count, connections, seed = map(int, sys.argv[1:])
    acts = Trace(10_000, 1_000 + seed).take(count, recent())
    with ExitStack() as stack, ThreadPoolExecutor(connections) as threads:
        conns = [stack.enter_context(pool.connect(autocommit=True)) for _ in range(connections)]
        print("ready", flush=True)
        sys.stdin.readline()
        begin = time.time()

        def write(conn: psycopg.Connection, mine: Sequence[Interaction]) -> None:
            for act in mine:
                events.append(conn, act)

        list(threads.map(write, conns, [acts[number::connections] for number in range(connections)]))
        print(json.dumps([begin, time.time()]))


if __name__ == "__main__":
    main()
