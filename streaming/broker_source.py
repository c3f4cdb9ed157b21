"""The interactions topic as a Bytewax source: a part per partition, one consumer for all of a worker."""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from operator import methodcaller

import structlog
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from confluent_kafka import OFFSET_BEGINNING, TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaError, Message, TopicPartition

from openshelf import broker, topics
from openshelf.settings import Settings
from streaming import stopping
from streaming.acts import RawAct
from streaming.lost_acts import CompletedPart, Place, TheLog, log_partitions
from streaming.patience import PatientConnection

ROWS_PER_POLL = 2_000
BUSY_POLL = timedelta(milliseconds=2)
IDLE_POLL = timedelta(milliseconds=10)
STAY_BUSY = timedelta(seconds=5)
SAY_AGAIN = timedelta(seconds=10)
RETENTION = timedelta(milliseconds=topics.RETENTION_MS)

# Headers by which the relay tells where in the log an act stands and when the log took it.
PARTITION_HEADER = "openshelf-log-partition"
OFFSET_HEADER = "openshelf-log-offset"
RECEIVED_HEADER = "openshelf-received-at"

_log = structlog.get_logger(__name__)

# Called from C: there the interpreter looks whether an error was left behind. The client library leaves one (a header's
# name is not UTF-8) beside a list with holes, and Python code that calls it often enough reads that list and crashes.
_headers = methodcaller("headers")


def raw_act(message: Message, now: datetime) -> RawAct:
    """A message as the dataflow takes it: the relay's, or anyone else's, who may have written anything."""
    log_place = _log_place(message)
    return RawAct(
        source=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        payload=message.value() or b"",
        received_at=log_place[2] if log_place else _arrival(message, now),
        log_partition=log_place[0] if log_place else None,
        log_offset=log_place[1] if log_place else None,
    )


def _log_place(message: Message) -> tuple[int, int, datetime] | None:
    """Partition and offset in the log and when the log took it; None when it is not the relay's message."""
    try:
        headers = {name: value for name, value in _headers(message) or [] if isinstance(value, bytes)}
        partition, offset = int(headers[PARTITION_HEADER]), int(headers[OFFSET_HEADER])
        received_at = datetime.fromisoformat(headers[RECEIVED_HEADER].decode())
    except (KeyError, ValueError, SystemError):
        return None
    # What the log cannot have written is someone else's: it must not get near the log's numbers.
    is_place = 0 <= partition < topics.PARTITIONS and 0 <= offset < 2**62
    is_time = received_at.tzinfo is not None and 2000 <= received_at.year < 3000
    return (partition, offset, received_at) if is_place and is_time else None


def _arrival(message: Message, now: datetime) -> datetime:
    """When the broker took it. On topics that are not of our making a producer writes there what it likes."""
    kind, milliseconds = message.timestamp()
    try:
        at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        return now
    return now if kind == TIMESTAMP_NOT_AVAILABLE else min(max(at, now - RETENTION), now)


class Complaints:
    """What the client library reports, each thing once in ten seconds, and that it is over."""

    def __init__(self) -> None:
        self._said_at: dict[str, datetime] = {}

    def say(self, error: KafkaError, partition: int | None = None) -> None:
        text, now = broker.plain(error), datetime.now(UTC)
        last = self._said_at.get(text)
        if last is None or now - last > SAY_AGAIN:
            self._said_at[text] = now
            _log.warning("topic_is_not_read", error=text, partition=partition, remedy="waiting for the broker")

    def over(self) -> None:
        if self._said_at:
            self._said_at.clear()
            _log.info("topic_is_read_again")


class TopicPoller:
    """Reads ahead for the parts of one worker. A broker that is away gives nothing until it is back."""

    def __init__(self, topic: str, make_consumer: Callable[[Callable[[KafkaError], None]], Consumer]) -> None:
        self._topic, self._complaints = topic, Complaints()
        self._consumer = make_consumer(self._complaints.say)
        self._waiting: dict[int, deque[RawAct]] = {}
        self._busy_until = self.next_poll_at = datetime.min.replace(tzinfo=UTC)

    def join(self, partition: int, next_offset: int | None) -> None:
        self._waiting[partition] = deque()
        start = OFFSET_BEGINNING if next_offset is None else next_offset
        self._consumer.incremental_assign([TopicPartition(self._topic, partition, start)])

    def leave(self, partition: int) -> None:
        self._waiting.pop(partition, None)
        if not self._waiting:
            self._consumer.close()

    def take(self, partition: int, now: datetime) -> list[RawAct]:
        if not self._waiting[partition] and now >= self.next_poll_at:
            self._poll(now)
        waiting = self._waiting[partition]
        rows = list(waiting)
        waiting.clear()
        return rows

    def _poll(self, now: datetime) -> None:
        messages = self._consumer.consume(ROWS_PER_POLL, timeout=0.001)
        count = 0
        for message in messages:
            error = message.error()
            if error is not None:
                self._complaints.say(error, message.partition())
            elif message.partition() in self._waiting:
                self._waiting[message.partition() or 0].append(raw_act(message, now))
                count += 1
        if count:
            self._complaints.over()
            self._busy_until = now + STAY_BUSY
        self.next_poll_at = now + (BUSY_POLL if now < self._busy_until else IDLE_POLL)


class TopicPart(StatefulSourcePartition[RawAct, int | None]):
    """One partition of the topic; its state is the next offset, None before the first message."""

    def __init__(self, poller: TopicPoller, partition: int, next_offset: int | None) -> None:
        self._poller, self._partition, self._next_offset = poller, partition, next_offset
        poller.join(partition, next_offset)

    def next_batch(self) -> list[RawAct]:
        if stopping.requested():
            raise StopIteration
        rows = self._poller.take(self._partition, datetime.now(UTC))
        if rows:
            self._next_offset = rows[-1].offset + 1
        return rows

    def next_awake(self) -> datetime:
        return self._poller.next_poll_at

    def snapshot(self) -> int | None:
        return self._next_offset

    def close(self) -> None:
        self._poller.leave(self._partition)


def partitions(settings: Settings) -> list[int]:
    """The partitions of the interactions topic, which is made if it is absent.

    Raises:
        BrokerError: the broker does not answer or cannot have the topic.
    """
    topic = settings.topics.interactions
    return broker.ensure_topics(settings, [topic])[topic]


class BrokerSource(FixedPartitionedSource[RawAct, Place]):
    """Partitions of the interactions topic, from the recovery store's place or the oldest message.

    `count_of_topic`: how many the topic has, those of other shares too. It is given, since a broker that goes away
    while the dataflow starts would end it with a question.
    """

    def __init__(self, settings: Settings, partitions: Sequence[int], count_of_topic: int) -> None:
        self._parts = [f"{partition:02}" for partition in partitions]
        self._settings, self._count_of_topic = settings, count_of_topic
        self._poller: TopicPoller | None = None
        self._log: TheLog | None = None

    def list_parts(self) -> list[str]:
        return self._parts

    def build_part(self, step_id: str, for_part: str, resume_state: Place | None) -> CompletedPart:
        self._poller = self._poller or TopicPoller(self._settings.topics.interactions, self._consumer)
        self._log = self._log or TheLog(PatientConnection())
        partition = int(for_part)
        # A store of an older version knew the topic's offset only.
        offset, in_log = resume_state if isinstance(resume_state, tuple) else self._first_place(self._log, partition)
        return CompletedPart(TopicPart(self._poller, partition, offset), self._log, in_log)

    def _first_place(self, log: TheLog, partition: int) -> Place:
        """Of what the topic ought to hold."""
        return None, log.since(datetime.now(UTC) - RETENTION, log_partitions(partition, self._count_of_topic))

    def _consumer(self, on_error: Callable[[KafkaError], None]) -> Consumer:
        return broker.consumer(self._settings, f"{self._settings.topic_prefix}-sessions", on_error)
