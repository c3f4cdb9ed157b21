"""The dataflow over a backlog, and over acts that come one by one."""

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from openshelf.contracts import Interaction
from openshelf.database import consumers, events

from .appending import play
from .installation import postgres_cpu_s, running_stream

CONSUMER = "sessions"
PATIENCE_S = 120.0
LOOK_EVERY_S = 0.02
SAY_EVERY_S = 20.0


@dataclass(frozen=True)
class CaughtUp:
    """From the first batch that was stored to the last."""

    acts_per_s: float
    cpu_us_per_act: float
    postgres_us_per_act: float
    peak_mib: float


@dataclass(frozen=True)
class _Moment:
    at: float
    taken: int
    cpu_s: float
    postgres_s: float


def count_taken(conn: psycopg.Connection, consumer: str = CONSUMER) -> int:
    """Acts of the log whose effects are stored, or that were sent to the broker."""
    return sum(events.next_offsets(conn, consumer).values())


def count_stored(conn: psycopg.Connection) -> int:
    """Of several workers one may be ahead on a partition: this tells when all are done. It costs more than progress."""
    row = conn.execute("select count(*) from stream.interactions where not inferred").fetchone()
    assert row
    return row[0]


def count_waiting(conn: psycopg.Connection, consumer: str = CONSUMER) -> int:
    return sum(consumers.end_offsets(conn).values()) - count_taken(conn, consumer)


def wait_until_taken(conn: psycopg.Connection, process: psutil.Process, consumer: str = CONSUMER) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while waiting := count_waiting(conn, consumer):
        _check(process, deadline, waiting)
        time.sleep(LOOK_EVERY_S)


def _check(process: psutil.Process, deadline: float, waiting: int) -> None:
    """Whether to go on waiting."""
    if process.status() == psutil.STATUS_ZOMBIE:
        raise SystemExit(f"the dataflow has ended, and {waiting} acts still wait")
    if time.monotonic() > deadline:
        raise SystemExit(f"this takes too long: {waiting} acts still wait")


def latencies_ms(conn: psycopg.Connection, acts: Sequence[Interaction]) -> list[float]:
    """From the moment the log took the act to the moment its slate's row was written, ascending."""
    rows = conn.execute(
        """select extract(epoch from stored_at - event_received_at)::float8 * 1000 as ms from stream.slates
           where event_id = any(%s) order by ms""",
        [[act.event_id for act in acts]],
    ).fetchall()
    return [row[0] for row in rows]


def played_ms(
    conn: psycopg.Connection, process: psutil.Process, acts: Sequence[Interaction], per_second: int
) -> list[float]:
    """Latencies of acts that come at this rate; `process` is the running dataflow."""
    play(acts, per_second)
    wait_until_taken(conn, process)
    return latencies_ms(conn, acts)


def catch_up(
    conn: psycopg.Connection,
    home: Path,
    *,
    workers: int = 1,
    shares: int = 1,
    broker: str = "",
    patience_s: float = PATIENCE_S,
) -> CaughtUp:
    """Start the dataflow over what waits, in the log or at the broker, and end it when all of it is stored.

    `workers` of a cluster in each of so many `shares`.
    """
    before, waiting = count_taken(conn), count_waiting(conn)
    commands = [["run", "--workers", str(workers), "--share", f"{i + 1}/{shares}"] for i in range(shares)]
    with ExitStack() as stack:
        processes = [stack.enter_context(running_stream(home, *words, broker=broker)) for words in commands]
        deadline, peak_mib = time.monotonic() + patience_s, 0.0
        begin = now = said = _moment(conn, home, processes)
        while now.taken < before + waiting or count_stored(conn) < before + waiting:
            for process in processes:
                _check(process, deadline, before + waiting - now.taken)
            time.sleep(LOOK_EVERY_S)
            now = _moment(conn, home, processes)
            begin = now if begin.taken == before else begin
            now_mib = sum(map(mib, processes))
            peak_mib = max(peak_mib, now_mib)
            if now.at - said.at > SAY_EVERY_S:
                per_s = (now.taken - said.taken) / (now.at - said.at)
                print(f"{now.taken - before} of {waiting} acts, {per_s:.0f} acts/s, {now_mib:.0f} MiB", file=sys.stderr)
                said = now
    count = now.taken - begin.taken
    return CaughtUp(
        count / (now.at - begin.at),
        (now.cpu_s - begin.cpu_s) / count * 1e6,
        (now.postgres_s - begin.postgres_s) / count * 1e6,
        peak_mib,
    )


def _moment(conn: psycopg.Connection, home: Path, processes: Sequence[psutil.Process]) -> _Moment:
    times = [each.cpu_times() for process in processes for each in _family(process)]
    cpu_s = sum(each.user + each.system for each in times)
    return _Moment(time.monotonic(), count_taken(conn), cpu_s, postgres_cpu_s(home))


def mib(process: psutil.Process) -> float:
    """Memory of the dataflow's processes."""
    return sum(each.memory_info().rss for each in _family(process)) / 2**20


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]
