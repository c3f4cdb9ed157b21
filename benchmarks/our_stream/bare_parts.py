"""The three parts of an act's cost alone: decoding it, drawing its slate, storing it. Their sum is the limit.

The dataflow itself runs here once, over acts of the log, with a recommender that notes what it is asked and a
connection that notes what it should store; then each part is done again without all that lies between. So batches are
as large as the dataflow makes them. Times are processor time of this process.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import psycopg
from bytewax.testing import run_main

from models import rewards, serving
from models.experiments import Serving
from models.recommender import DrawnSlate, Recommender, SlateRequest
from openshelf.contracts import Interaction, utc_now
from openshelf.database import consumers, events, pool, reader_history
from streaming import sessions_flow
from streaming.acts import LOG, RawAct, take
from streaming.batch_sink import BatchSink
from streaming.log_source import LogSource
from streaming.patience import PatientConnection

from .appending import fill_backlog

SILENCE = timedelta(minutes=30)
REPEATS = 3

T = TypeVar("T")


@dataclass(frozen=True)
class BareParts:
    """Microseconds an act, and the median batch."""

    decode_us: float
    score_us: float
    store_us: float
    draw_batch: int
    store_batch: int

    @property
    def sum_us(self) -> float:
        return self.decode_us + self.score_us + self.store_us


class _Noting(PatientConnection):
    """Notes the work instead of doing it."""

    def __init__(self) -> None:
        super().__init__()
        self.works: list[Callable[[psycopg.Connection], object]] = []

    def run(self, work: Callable[[psycopg.Connection], T]) -> T:
        self.works.append(work)
        return None  # pyright: ignore[reportReturnType] - the sink does not look at it


class _Listening:
    """The recommender, and what it was asked for."""

    def __init__(self, recommender: Recommender) -> None:
        self._recommender = recommender
        self.version, self.catalogue_version = recommender.version, recommender.catalogue_version
        self.readers_at_once = recommender.readers_at_once
        self.asked: list[Sequence[SlateRequest]] = []

    def draw(self, requests: Sequence[SlateRequest]) -> list[DrawnSlate]:
        self.asked.append(requests)
        return self._recommender.draw(requests)


def measure(conn: psycopg.Connection, acts: Sequence[Interaction]) -> BareParts:
    """`conn` in autocommit; the dataflow does not run, and has taken all of the log."""
    start = consumers.end_offsets(conn)
    fill_backlog(conn, acts)
    raws = _raw_acts(conn, start, len(acts))
    table = rewards.load()
    recommender = serving.load_serving(conn).champion
    listening, noting = _Listening(recommender), _Noting()
    flow = sessions_flow.build_flow(
        LogSource(start_at=start, stop_at=consumers.end_offsets(conn)),
        BatchSink(lambda: Serving(listening), lambda: noting),  # pyright: ignore[reportArgumentType] - it only draws
        rewards=table,
        history=lambda act: reader_history.stored_acts(conn, act.event.reader_key, before_offset=act.raw.log_offset),
        clock=utc_now,
        silence=SILENCE,
    )
    run_main(flow)
    decode_us = min(_us(lambda: [take(raw, table) for raw in raws]) for _ in range(REPEATS))
    score_us = min(_us(lambda: [recommender.draw(asked) for asked in listening.asked]) for _ in range(REPEATS))
    with pool.connect(autocommit=True) as own:
        store_us = _us(lambda: [work(own) for work in noting.works])
    return BareParts(
        decode_us / len(acts),
        score_us / len(acts),
        store_us / len(acts),
        sorted(map(len, listening.asked))[len(listening.asked) // 2],
        round(len(acts) / len(noting.works)),
    )


def _us(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return (time.process_time() - begin) * 1e6


def _raw_acts(conn: psycopg.Connection, start: dict[int, int], count: int) -> list[RawAct]:
    return [
        RawAct(LOG, row.partition, row.log_offset, row.payload, row.appended_at, row.partition, row.log_offset)
        for row in events.read_after(conn, start, count)
    ]
