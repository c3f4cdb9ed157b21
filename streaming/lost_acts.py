"""What the topic should have carried and did not, from the log table.

The log is the truth, the topic carries it. A broker can lose what it had confirmed: its disk is gone and it came back
empty, the topic was made anew, the dataflow stood still for longer than the topic keeps its messages. The offsets of
the topic tell nothing of that, for a new topic counts from 0 again. The offsets of the log do, which every act of the
relay has with it: those of a partition follow one another. Where one is missed, the acts before it are read from the
log, in its order; what then comes by the topic after all is a repeat.
"""

import time
from collections import deque
from collections.abc import Callable
from datetime import datetime

import psycopg
import structlog
from bytewax.inputs import StatefulSourcePartition

from openshelf import topics
from openshelf.database import events
from streaming.acts import RawAct
from streaming.log_source import raw_act
from streaming.patience import PatientConnection

ROWS_AT_ONCE = 1_000
# What the relay has sent and the broker confirmed is overdue after this silence of the topic.
OVERDUE_S = 5.0
CHECK_EVERY_S = 1.0
# The relay's name among the consumers of the log.
RELAY = "relay"

_log = structlog.get_logger(__name__)

# The topic's next offset, and that of each of its partitions of the log.
Place = tuple[int | None, dict[int, int]]


class TheLog:
    """The log table as the parts of one worker ask it. While Postgres is away it has no answer."""

    def __init__(self, connection: PatientConnection, clock: Callable[[], float] = time.monotonic) -> None:
        self._connection, self._clock = connection, clock
        self._sent: dict[int, int] = {}
        self._ask_again_at = float("-inf")

    def since(self, moment: datetime, partitions: list[int]) -> dict[int, int]:
        """By partition, the offset of the first act that the log took at this moment or later."""
        return self._connection.run(lambda conn: {p: events.first_offset_since(conn, p, moment) for p in partitions})

    def read(self, partition: int, start: int, stop: int) -> list[RawAct] | None:
        """The next acts from `start` on, those before `stop` and no more than are read at once."""

        def read(conn: psycopg.Connection) -> list[RawAct]:
            rows = events.read_after(conn, {partition: start}, min(ROWS_AT_ONCE, stop - start))
            return [raw_act(row) for row in rows if row.log_offset < stop]

        return self._connection.try_once(read)

    def sent(self) -> dict[int, int]:
        """How far the relay is, as of the last second."""
        if self._clock() >= self._ask_again_at:
            self._ask_again_at = self._clock() + CHECK_EVERY_S
            found = self._connection.try_once(lambda conn: events.next_offsets(conn, RELAY))
            self._sent = found or self._sent
        return self._sent

    def close(self) -> None:
        """Until it is asked again."""
        self._connection.close()


def log_partitions(partition: int, count: int) -> list[int]:
    """The partitions of the log whose acts come by this one of the topic's `count`.

    None, where they do not come whole: what is missed cannot be told then.
    """
    if topics.PARTITIONS % count:
        return []
    return list(range(partition, topics.PARTITIONS, count))


class CompletedPart(StatefulSourcePartition[RawAct, Place]):
    """A partition of the topic, and from the log what it did not bring."""

    def __init__(
        self,
        part: StatefulSourcePartition[RawAct, int | None],
        log: TheLog,
        next_in_log: dict[int, int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._part, self._log, self._clock = part, log, clock
        self._next_in_log = dict(next_in_log)
        self._waiting: deque[RawAct] = deque()
        self._heard_at = clock()

    def next_batch(self) -> list[RawAct]:
        if len(self._waiting) < ROWS_AT_ONCE:
            self._waiting.extend(self._part.next_batch())
        if not self._waiting:
            return self._overdue()
        self._heard_at = self._clock()
        taken: list[RawAct] = []
        while self._waiting and len(taken) < ROWS_AT_ONCE:
            if self._misses(self._waiting[0]):
                lost = self._before(self._waiting[0])
                if lost is None:
                    break
                taken += lost
            else:
                taken.append(self._pass(self._waiting.popleft()))
        return taken

    def _misses(self, act: RawAct) -> bool:
        """Whether acts before this one have not come."""
        if act.log_partition is None or act.log_offset is None:
            return False
        return act.log_offset > self._next_in_log.get(act.log_partition, act.log_offset)

    def _pass(self, act: RawAct) -> RawAct:
        if act.log_partition in self._next_in_log and act.log_offset == self._next_in_log[act.log_partition]:
            self._next_in_log[act.log_partition] += 1
        return act

    def _before(self, act: RawAct) -> list[RawAct] | None:
        """From the log: acts that were missed before this one, and if that is all of them the act itself.

        One that the log does not have (it was erased, or someone else made it up) passes and counts for no place.
        """
        assert act.log_partition is not None
        assert act.log_offset is not None
        found = self._from_log(act.log_partition, act.log_offset + 1)
        if found is None or len(found) == ROWS_AT_ONCE:
            return found
        self._waiting.popleft()
        is_there = bool(found) and found[-1].log_offset == act.log_offset
        return found if is_there else [*found, act]

    def _overdue(self) -> list[RawAct]:
        """What the relay sent, when the topic has been silent for so long that it cannot still be coming."""
        if self._clock() - self._heard_at < OVERDUE_S or not self._next_in_log:
            return []
        sent = self._log.sent()
        taken: list[RawAct] = []
        for partition, next_offset in self._next_in_log.items():
            if sent.get(partition, 0) > next_offset:
                found = self._from_log(partition, sent[partition])
                taken += found or []
                if found is not None and len(found) < ROWS_AT_ONCE:
                    # Also past what was erased from the log at its end.
                    self._next_in_log[partition] = sent[partition]
        return taken

    def _from_log(self, partition: int, stop: int) -> list[RawAct] | None:
        start = self._next_in_log[partition]
        found = self._log.read(partition, start, stop)
        if found:
            self._next_in_log[partition] = (found[-1].log_offset or 0) + 1
            _log.warning(
                "acts_taken_from_log",
                partition=partition,
                first=start,
                count=len(found),
                reason="the topic did not bring them",
            )
        return found

    def next_awake(self) -> datetime | None:
        return self._part.next_awake()

    def snapshot(self) -> Place:
        next_offset = self._waiting[0].offset if self._waiting else self._part.snapshot()
        return next_offset, dict(self._next_in_log)

    def close(self) -> None:
        self._part.close()
        self._log.close()
