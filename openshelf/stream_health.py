"""How the stream is: who works on it, and what waits. For `status`, `stream health`, /readyz and /metrics."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import psycopg

from openshelf import topics
from openshelf.database import accounts, events, workers
from openshelf.database.accounts import Account
from openshelf.database.events import Lag
from openshelf.database.workers import Worker
from openshelf.settings import Settings

# Acts of a partition of which nothing is taken for so long will not be taken by patience alone.
WAITING_AFTER_S = 60.0

_COMMAND = {"sessions": "run", "relay": "relay"}


class State(StrEnum):
    """Of a dataflow, from well to worst."""

    BEATING = "beating"
    WAITING = "waiting"  # its processes live, and acts wait of which none is taken
    SILENT = "silent"  # a process was killed, hangs, or does not reach Postgres
    ABSENT = "absent"  # no process, or all were stopped


@dataclass(frozen=True)
class Dataflow:
    """One consumer of the log. `waiting_s`: how long the oldest act waits that it has not taken."""

    consumer: str
    state: State
    count_taken: int
    count_waiting: int
    waiting_s: float
    waiting_since: datetime | None
    workers: Sequence[Worker]

    @property
    def advice(self) -> str | None:
        """What is wrong and what to do; None if it is well."""
        if self.state is State.WAITING:
            since = f"{self.waiting_since:%Y-%m-%d %H:%M:%S} UTC"
            return f"{self.consumer}: acts wait since {since} and none is taken; see its log. Is the broker there?"
        if self.state is State.SILENT:
            named = ", ".join(f"pid {w.pid} on {w.host} for {w.beat_age_s:.0f} s" for w in self.workers if w.is_silent)
            return f"{self.consumer}: silent, {named}; see its log, and start it again"
        if self.state is State.ABSENT:
            command = f"openshelf stream {_COMMAND[self.consumer]}"
            return f"{self.consumer}: no process; start it with `openshelf up` or `{command}`"
        return None


def expected(settings: Settings) -> list[str]:
    """The consumers that this installation needs."""
    return ["sessions", "relay"] if settings.brokers else ["sessions"]


def look(conn: psycopg.Connection, consumers: Sequence[str]) -> list[Dataflow]:
    """By indexes alone: as quick with a long log as with a short one."""
    known = workers.all_of(conn)
    return [
        judge(consumer, [worker for worker in known if worker.consumer == consumer], events.lag(conn, consumer))
        for consumer in consumers
    ]


def for_staff(conn: psycopg.Connection, staff: Account | None, settings: Settings) -> list[Dataflow]:
    """The dataflows that this installation needs. Raises NotAllowedError."""
    accounts.must_be_staff(staff)
    return look(conn, expected(settings))


def look_at_host(conn: psycopg.Connection, consumer: str, host: str) -> Dataflow:
    """The processes of one host, and what waits in their partitions."""
    mine = [worker for worker in workers.all_of(conn) if (worker.consumer, worker.host) == (consumer, host)]
    shares = {topics.Share(worker.share_number, worker.share_count) for worker in mine} or {topics.WHOLE}
    lags = [lag for lag in events.lag(conn, consumer) if any(share.of([lag.partition]) for share in shares)]
    return judge(consumer, mine, lags)


def judge(consumer: str, members: Sequence[Worker], lags: Sequence[Lag]) -> Dataflow:
    oldest = max(lags, key=lambda lag: lag.waiting_s)
    return Dataflow(
        consumer,
        _state(members, lags),
        count_taken=sum(lag.next_offset for lag in lags),
        count_waiting=sum(lag.count_waiting for lag in lags),
        waiting_s=oldest.waiting_s,
        waiting_since=oldest.oldest_waiting_at,
        workers=members,
    )


def _state(members: Sequence[Worker], lags: Sequence[Lag]) -> State:
    if not members:
        return State.ABSENT
    if any(worker.is_silent for worker in members):
        return State.SILENT
    return State.WAITING if any(_is_stuck(lag) for lag in lags) else State.BEATING


def _is_stuck(lag: Lag) -> bool:
    """A backlog that is being worked off is none: something of it was taken a moment ago."""
    return lag.waiting_s > WAITING_AFTER_S and (lag.idle_s is None or lag.idle_s > WAITING_AFTER_S)
