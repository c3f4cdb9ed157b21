"""Draw the slates that a batch of acts asks for, and store what it led to, trying until Postgres takes it.

A batch is cut into pieces. While Postgres works on one, the next are drawn, so that neither waits for the other; the
batch ends when its last piece is stored, so a snapshot of the dataflow never knows of an act that Postgres does not.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Protocol

import psycopg
import structlog
from bytewax.outputs import DynamicSink, StatelessSinkPartition

from openshelf.contracts import utc_now
from openshelf.database import quarantine, stream
from openshelf.database.stream import Batch, DeadLetterRow, SessionRow, SlateRow
from streaming import measures
from streaming.acts import BadAct, Forget
from streaming.patience import PatientConnection
from streaming.session_logic import EndedSessions, InferredSkips, Moved, MovedAct
from streaming.slates import Aside, CurrentServing, DrawnAct, Outcome, SlateDrawer
from streaming.works_on_file import EarlyAct

CONSUMER = "sessions"
# What is drawn and stored at once: large enough that a transaction costs little, small enough that the work overlaps.
PIECE = 512

_log = structlog.get_logger(__name__)


class Publisher(Protocol):
    """Where slates and dead letters are sent besides Postgres."""

    def publish(self, slates: Sequence[SlateRow], dead_letters: Sequence[DeadLetterRow]) -> None: ...


def batch_of(outcomes: Sequence[Outcome], progress: dict[int, int] | None = None) -> Batch:
    """The rows of a batch; a session that changed several times is written once, as if each row had been written."""
    acts = [outcome for outcome in outcomes if isinstance(outcome, DrawnAct)]
    sessions: dict[object, SessionRow] = {}
    for outcome in outcomes:
        if isinstance(outcome, DrawnAct | EndedSessions):
            rows = outcome.sessions if isinstance(outcome, DrawnAct) else outcome.rows
            for row in rows:
                known = sessions.get(row.session_id)
                sessions[row.session_id] = session_after(known, row) if known else row
    skips = [row for outcome in outcomes if isinstance(outcome, InferredSkips) for row in outcome.rows]
    return Batch(
        interactions=[*[act.taken.row() for act in acts], *skips],
        # Sorted: two workers that touch the same rows take them in the same order.
        sessions=sorted(sessions.values(), key=lambda row: row.session_id),
        slates=[act.slate for act in acts if act.slate],
        dead_letters=[outcome.row() for outcome in outcomes if isinstance(outcome, BadAct)],
        assignments=list({a.reader_key: a for act in reversed(acts) if (a := act.assignment)}.values()),
        early=[outcome.row() for outcome in outcomes if isinstance(outcome, EarlyAct)],
        forgotten=[outcome.reader_key for outcome in outcomes if isinstance(outcome, Forget)],
        progress=progress or {},
    )


def session_after(known: SessionRow, row: SessionRow) -> SessionRow:
    """What Postgres makes of a row that is there and this one: the same rows stand at last, however they are cut."""
    if row.last_act_at == known.last_act_at:
        ended_at = row.ended_at or known.ended_at
    else:
        ended_at = row.ended_at if row.last_act_at > known.last_act_at else known.ended_at
    has_more = row.count_acts + row.count_shows >= known.count_acts + known.count_shows
    return SessionRow(
        session_id=known.session_id,
        reader_key=known.reader_key,
        arm=known.arm,
        started_at=min(known.started_at, row.started_at),
        last_act_at=max(known.last_act_at, row.last_act_at),
        ended_at=ended_at,
        count_acts=max(known.count_acts, row.count_acts),
        count_shows=max(known.count_shows, row.count_shows),
        count_inferred=max(known.count_inferred, row.count_inferred),
        reward=row.reward if has_more else known.reward,
    )


def progress_of(items: Sequence[Moved | Aside]) -> dict[int, int]:
    """The next offset of each partition of the log after these."""
    progress: dict[int, int] = {}
    for item in items:
        raw = item.taken.raw if isinstance(item, MovedAct) else item.raw if isinstance(item, Aside) else None
        if raw and raw.log_partition is not None and raw.log_offset is not None:
            progress[raw.log_partition] = max(progress.get(raw.log_partition, 0), raw.log_offset + 1)
    return progress


class BatchPart(StatelessSinkPartition[Moved | Aside]):
    def __init__(self, serving: CurrentServing, connection: PatientConnection, publisher: Publisher | None) -> None:
        self._drawer, self._connection, self._publisher = SlateDrawer(serving), connection, publisher
        # One thread, and one piece in it at most: the connection is used by one at a time.
        self._storing = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._stored: Future[None] | None = None

    def write_batch(self, items: list[Moved | Aside]) -> None:
        drawing = self._drawer.begin(items)
        for start in range(0, len(items), PIECE):
            outcomes = drawing.outcomes(start, start + PIECE)
            is_last = start + PIECE >= len(items)
            self._wait()
            progress = progress_of(items) if is_last else {}
            if is_last:
                self._store_and_publish(outcomes, progress)
            else:
                run = copy_context().run  # with what log lines of this thread carry
                self._stored = self._storing.submit(run, self._store_and_publish, outcomes, progress)

    def _wait(self) -> None:
        """Until the piece before is stored.

        Raises:
            OpenshelfError: a stop was asked for while Postgres or the broker was away.
        """
        if self._stored:
            stored, self._stored = self._stored, None
            stored.result()

    def _store_and_publish(self, outcomes: Sequence[Outcome], progress: dict[int, int]) -> None:
        batch = self._store(outcomes, progress)
        if self._publisher:
            self._publisher.publish(batch.slates, batch.dead_letters)

    def _store(self, outcomes: Sequence[Outcome], progress: dict[int, int]) -> Batch:
        batch = batch_of(outcomes, progress)
        try:
            self._connection.run(lambda conn: _store_in(conn, batch))
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            # The server is there and refuses a value: find the act, the others must not suffer for it.
            if len(outcomes) > 1:
                half = len(outcomes) // 2
                return _joined(self._store(outcomes[:half], {}), self._store(outcomes[half:], progress))
            if not isinstance(outcomes[0], DrawnAct):
                raise
            reason = f"Postgres refuses it: {str(error).splitlines()[0]}"
            _log.exception("act_refused")
            return self._store([BadAct(reason, outcomes[0].taken.raw)], progress)
        measures.THIS_PROCESS.stored(len(batch.interactions), batch.slates, len(batch.dead_letters), len(batch.early))
        return batch

    def close(self) -> None:
        self._drawer.close()
        self._storing.shutdown()
        self._connection.close()


def _store_in(conn: psycopg.Connection, batch: Batch) -> None:
    stream.store_batch(conn, CONSUMER, batch)
    if batch.early:
        # An ingest that brought the work after the act was looked at has not seen it in quarantine.
        quarantine.release(conn, utc_now())


def _joined(first: Batch, second: Batch) -> Batch:
    return Batch(slates=[*first.slates, *second.slates], dead_letters=[*first.dead_letters, *second.dead_letters])


class BatchSink(DynamicSink[Moved | Aside]):
    """`serving` gives what serves now, or None: acts are then stored without slates."""

    def __init__(
        self,
        serving: CurrentServing,
        connect: Callable[[], PatientConnection] = PatientConnection,
        publisher: Callable[[], Publisher | None] = lambda: None,
    ) -> None:
        self._serving, self._connect, self._publisher = serving, connect, publisher

    def build(self, step_id: str, worker_index: int, worker_count: int) -> BatchPart:
        return BatchPart(self._serving, self._connect(), self._publisher())
