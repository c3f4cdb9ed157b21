"""Store what a batch of acts led to: one transaction, tried until Postgres takes it."""

from collections.abc import Callable, Sequence
from typing import Protocol

import psycopg
import structlog
from bytewax.outputs import DynamicSink, StatelessSinkPartition

from openshelf.contracts import utc_now
from openshelf.database import quarantine, stream
from openshelf.database.stream import Batch, DeadLetterRow, SessionRow, SlateRow
from streaming import measures
from streaming.acts import BadAct, RawAct
from streaming.patience import PatientConnection
from streaming.session_logic import EndedSessions, InferredSkips
from streaming.slates import DrawnAct
from streaming.works_on_file import EarlyAct

CONSUMER = "sessions"
# One transaction holds at most this many acts, so that catching up shows progress and a retry is cheap.
MAX_ACTS = 1_000

_log = structlog.get_logger(__name__)

Outcome = DrawnAct | EndedSessions | InferredSkips | BadAct | EarlyAct


class Publisher(Protocol):
    """Where slates and dead letters are sent besides Postgres."""

    def publish(self, slates: Sequence[SlateRow], dead_letters: Sequence[DeadLetterRow]) -> None: ...


def batch_of(outcomes: Sequence[Outcome]) -> Batch:
    """The rows of a batch; a session that changed several times is written once, as it is at last."""
    acts = [outcome for outcome in outcomes if isinstance(outcome, DrawnAct)]
    bad = [outcome for outcome in outcomes if isinstance(outcome, BadAct)]
    early = [outcome for outcome in outcomes if isinstance(outcome, EarlyAct)]
    sessions: dict[object, SessionRow] = {}
    for outcome in outcomes:
        if isinstance(outcome, DrawnAct | EndedSessions):
            rows = outcome.sessions if isinstance(outcome, DrawnAct) else outcome.rows
            sessions |= {row.session_id: row for row in rows}
    skips = [row for outcome in outcomes if isinstance(outcome, InferredSkips) for row in outcome.rows]
    return Batch(
        interactions=[*[act.taken.row() for act in acts], *skips],
        # Sorted: two workers that touch the same rows take them in the same order.
        sessions=sorted(sessions.values(), key=lambda row: row.session_id),
        slates=[act.slate for act in acts if act.slate],
        dead_letters=[outcome.row() for outcome in bad],
        assignments=list({a.reader_key: a for act in reversed(acts) if (a := act.assignment)}.values()),
        early=[outcome.row() for outcome in early],
        progress=_progress([act.taken.raw for act in acts] + [outcome.raw for outcome in (*bad, *early)]),
    )


def _progress(raws: Sequence[RawAct]) -> dict[int, int]:
    progress: dict[int, int] = {}
    for raw in raws:
        if raw.log_partition is not None and raw.log_offset is not None:
            progress[raw.log_partition] = max(progress.get(raw.log_partition, 0), raw.log_offset + 1)
    return progress


class BatchPart(StatelessSinkPartition[Outcome]):
    def __init__(self, connection: PatientConnection, publisher: Publisher | None) -> None:
        self._connection, self._publisher = connection, publisher

    def write_batch(self, items: list[Outcome]) -> None:
        for start in range(0, len(items), MAX_ACTS):
            batch = self._store(items[start : start + MAX_ACTS])
            if self._publisher:
                self._publisher.publish(batch.slates, batch.dead_letters)

    def _store(self, outcomes: Sequence[Outcome]) -> Batch:
        batch = batch_of(outcomes)
        try:
            self._connection.run(lambda conn: _store_in(conn, batch))
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            # The server is there and refuses a value: find the act, the others must not suffer for it.
            if len(outcomes) > 1:
                half = len(outcomes) // 2
                return _joined(self._store(outcomes[:half]), self._store(outcomes[half:]))
            if not isinstance(outcomes[0], DrawnAct):
                raise
            reason = f"Postgres refuses it: {str(error).splitlines()[0]}"
            _log.exception("act_refused")
            return self._store([BadAct(reason, outcomes[0].taken.raw)])
        measures.THIS_PROCESS.stored(len(batch.interactions), batch.slates, len(batch.dead_letters), len(batch.early))
        return batch

    def close(self) -> None:
        self._connection.close()


def _store_in(conn: psycopg.Connection, batch: Batch) -> None:
    stream.store_batch(conn, CONSUMER, batch)
    if batch.early:
        # An ingest that brought the work after the act was looked at has not seen it in quarantine.
        quarantine.release(conn, utc_now())


def _joined(first: Batch, second: Batch) -> Batch:
    return Batch(slates=[*first.slates, *second.slates], dead_letters=[*first.dead_letters, *second.dead_letters])


class BatchSink(DynamicSink[Outcome]):
    def __init__(
        self,
        connect: Callable[[], PatientConnection] = PatientConnection,
        publisher: Callable[[], Publisher | None] = lambda: None,
    ) -> None:
        self._connect, self._publisher = connect, publisher

    def build(self, step_id: str, worker_index: int, worker_count: int) -> BatchPart:
        return BatchPart(self._connect(), self._publisher())
