"""`openshelf stream run` as a process of its own, for the tests that kill it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from openshelf.database import events

PATIENCE_S = 300.0
LINES_SHOWN = 20


class Running:
    """`within`: words put before the command, as those that run it in a network namespace."""

    def __init__(self, *arguments: str, log: Path, within: Sequence[str] = (), **environment: str) -> None:
        self._log = log
        with log.open("ab") as lines:
            self.process = subprocess.Popen(
                [*within, sys.executable, "-m", "openshelf", "stream", *arguments],
                stderr=lines,
                stdout=lines,
                env=os.environ | environment,
            )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def lines(self) -> str:
        return self._log.read_text()


@contextmanager
def running(*arguments: str, log: Path, within: Sequence[str] = (), **environment: str) -> Iterator[Running]:
    """On a failure its last lines are printed: a report from elsewhere has no log file beside it."""
    started = Running(*arguments, log=log, within=within, **environment)
    try:
        yield started
    except BaseException:
        print(*started.lines().splitlines()[-LINES_SHOWN:], sep="\n")  # noqa: T201
        raise
    finally:
        if started.process.poll() is None:
            started.kill()


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S:.0f} s for {what}"
        time.sleep(0.05)


def count(conn: psycopg.Connection, table: str) -> int:
    row = conn.execute(f"select count(*) from stream.{table}").fetchone()  # pyright: ignore[reportArgumentType, reportCallIssue]
    conn.commit()
    assert row
    return row[0]


def is_drained(conn: psycopg.Connection, consumer: str = "sessions") -> bool:
    waiting = sum(row.count_waiting for row in events.lag(conn, consumer))
    conn.commit()
    return waiting == 0
