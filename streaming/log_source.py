"""The log table as a Bytewax source: a part per partition, one query for all of them per poll."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import psycopg
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from openshelf import topics
from openshelf.database import events
from openshelf.database.events import LogRow
from streaming import stopping
from streaming.acts import LOG, RawAct
from streaming.patience import PatientConnection

ROWS_PER_PARTITION = 300
BUSY_POLL = timedelta(milliseconds=3)
IDLE_POLL = timedelta(milliseconds=20)
# After an act another is likely soon: poll fast for this long.
STAY_BUSY = timedelta(seconds=5)
# Of several workers, one that was killed may have stored less of a partition than the others: by no more than this.
MOST_IN_FLIGHT = 10_000


def places_to_begin_at(
    conn: psycopg.Connection, consumer: str, partitions: Sequence[int], now: datetime
) -> dict[int, int]:
    """Where a dataflow without a recovery store begins: where it stood, and at least so far back as a topic would go.

    What a reader did before that is in the stored acts, and who has no history has left.
    """
    stood, since = events.next_offsets(conn, consumer), now - timedelta(milliseconds=topics.RETENTION_MS)
    return {
        partition: min(max(0, stood[partition] - MOST_IN_FLIGHT), events.first_offset_since(conn, partition, since))
        for partition in partitions
    }


def raw_act(row: LogRow) -> RawAct:
    return RawAct(
        source=LOG,
        partition=row.partition,
        offset=row.log_offset,
        payload=row.payload,
        received_at=row.appended_at,
        log_partition=row.partition,
        log_offset=row.log_offset,
        reader_key=row.reader_key,
    )


class LogPoller:
    """Reads ahead for the parts of one worker."""

    def __init__(self, connection: PatientConnection) -> None:
        self._connection = connection
        self._next: dict[int, int] = {}
        self._waiting: dict[int, list[RawAct]] = {}
        self._busy_until = datetime.min.replace(tzinfo=UTC)
        self.next_poll_at = self._busy_until

    def join(self, partition: int, next_offset: int) -> None:
        self._next[partition] = next_offset
        self._waiting[partition] = []

    def leave(self, partition: int) -> None:
        self._next.pop(partition, None)
        if not self._next:
            self._connection.close()

    def take(self, partition: int, now: datetime) -> list[RawAct]:
        """What has been read for this partition; asks the log for all partitions when it is time."""
        if not self._waiting[partition] and now >= self.next_poll_at:
            self._poll(now)
        rows, self._waiting[partition] = self._waiting[partition], []
        return rows

    def _poll(self, now: datetime) -> None:
        wanted = {partition: offset for partition, offset in self._next.items() if not self._waiting[partition]}
        rows = self._connection.try_once(lambda conn: events.read_after(conn, wanted, ROWS_PER_PARTITION)) or []
        for row in rows:
            self._waiting[row.partition].append(raw_act(row))
            self._next[row.partition] = row.log_offset + 1
        if rows:
            self._busy_until = now + STAY_BUSY
        self.next_poll_at = now + (BUSY_POLL if now < self._busy_until else IDLE_POLL)


class LogPart(StatefulSourcePartition[RawAct, int]):
    """One partition of the log; its state is the next offset to emit."""

    def __init__(self, poller: LogPoller, partition: int, next_offset: int, stop_at: int | None) -> None:
        self._poller, self._partition = poller, partition
        self._next_offset, self._stop_at = next_offset, stop_at
        poller.join(partition, next_offset)

    def next_batch(self) -> list[RawAct]:
        if stopping.requested() or (self._stop_at is not None and self._next_offset >= self._stop_at):
            raise StopIteration
        rows = self._poller.take(self._partition, datetime.now(UTC))
        if rows:
            self._next_offset = rows[-1].offset + 1
        return rows

    def next_awake(self) -> datetime:
        return self._poller.next_poll_at

    def snapshot(self) -> int:
        return self._next_offset

    def close(self) -> None:
        self._poller.leave(self._partition)


class LogSource(FixedPartitionedSource[RawAct, int]):
    """The log from where the recovery store says, else from `start_at`, else from its start.

    `partitions`: unset, all. `stop_at`: next offsets at which to end instead of waiting for more, for catching up once.
    """

    def __init__(
        self,
        connect: Callable[[], PatientConnection] = PatientConnection,
        start_at: dict[int, int] | None = None,
        stop_at: dict[int, int] | None = None,
        partitions: Sequence[int] = range(topics.PARTITIONS),
    ) -> None:
        self._partitions = partitions
        self._connect, self._start_at, self._stop_at = connect, start_at or {}, stop_at
        self._poller: LogPoller | None = None

    def list_parts(self) -> list[str]:
        # Two digits keep their order: the name is part of the recovery store.
        return [f"{partition:02}" for partition in self._partitions]

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> LogPart:
        # Parts of a worker are built in its own thread; a process runs one worker.
        self._poller = self._poller or LogPoller(self._connect())
        partition = int(for_part)
        stop_at = self._stop_at[partition] if self._stop_at is not None else None
        start_at = self._start_at.get(partition, 0) if resume_state is None else resume_state
        return LogPart(self._poller, partition, start_at, stop_at)
