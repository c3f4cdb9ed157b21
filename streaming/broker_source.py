"""The interactions topic as a Bytewax source: a part per partition, one consumer for all of a worker."""

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition

from openshelf import broker, topics
from streaming import stopping
from streaming.acts import RawAct

GROUP = "openshelf-sessions"
ROWS_PER_POLL = 2_000
BUSY_POLL = timedelta(milliseconds=2)
IDLE_POLL = timedelta(milliseconds=10)
STAY_BUSY = timedelta(seconds=5)

# Headers by which the relay tells where in the log an act stands and when the log took it.
PARTITION_HEADER = "openshelf-log-partition"
OFFSET_HEADER = "openshelf-log-offset"
RECEIVED_HEADER = "openshelf-received-at"

_log = structlog.get_logger(__name__)


def raw_act(message: Message) -> RawAct:
    """A message as the dataflow takes it; headers that cannot be read count as absent."""
    headers = {name: value for name, value in message.headers() or [] if isinstance(value, bytes)}
    try:
        log_partition, log_offset = int(headers[PARTITION_HEADER]), int(headers[OFFSET_HEADER])
        received_at = datetime.fromisoformat(headers[RECEIVED_HEADER].decode())
    except (KeyError, ValueError):
        log_partition, log_offset = None, None
        received_at = datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)
    return RawAct(
        source=message.topic() or topics.INTERACTIONS,
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        payload=message.value() or b"",
        received_at=received_at,
        log_partition=log_partition,
        log_offset=log_offset,
    )


class TopicPoller:
    """Reads ahead for the parts of one worker. A broker that is away gives nothing until it is back."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._waiting: dict[int, deque[RawAct]] = {}
        self._busy_until = self.next_poll_at = datetime.min.replace(tzinfo=UTC)

    def join(self, partition: int, next_offset: int | None) -> None:
        self._waiting[partition] = deque()
        start = OFFSET_BEGINNING if next_offset is None else next_offset
        self._consumer.incremental_assign([TopicPartition(topics.INTERACTIONS, partition, start)])

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
        for message in messages:
            error = message.error()
            if error is not None:
                _log.warning("topic_not_read", partition=message.partition(), error=error.str())
            elif message.partition() in self._waiting:
                self._waiting[message.partition() or 0].append(raw_act(message))
        if messages:
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


class BrokerSource(FixedPartitionedSource[RawAct, int | None]):
    """All partitions of the interactions topic, from the recovery store's place or the oldest message.

    Raises:
        BrokerError: on building, when the broker does not answer or cannot have the topic.
    """

    def __init__(self, brokers: str, make_consumer: Callable[..., Consumer] = broker.consumer) -> None:
        broker.ensure_topics(brokers, [topics.INTERACTIONS])
        self._parts = [f"{p:02}" for p in sorted(broker.check(brokers).topics[topics.INTERACTIONS].partitions)]
        self._brokers, self._make_consumer = brokers, make_consumer
        self._poller: TopicPoller | None = None

    def list_parts(self) -> list[str]:
        return self._parts

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> TopicPart:
        self._poller = self._poller or TopicPoller(self._make_consumer(self._brokers, GROUP, _say))
        return TopicPart(self._poller, int(for_part), resume_state)


def _say(error: KafkaError) -> None:
    _log.warning("broker_is_away", error=error.str())
