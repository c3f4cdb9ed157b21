"""Messages to the broker that count as sent only when the broker has confirmed them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer

from openshelf.database.stream import DeadLetterRow, SlateRow
from openshelf.errors import BrokerError
from openshelf.topics import Topics
from streaming import stopping

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 3.0
FLUSH_S = 1.0
SAY_EVERY_S = 5.0
# What one batch waits for its confirmations after a stop was asked for.
STOP_PATIENCE_S = 2.0
# Brokers refuse messages of a megabyte, as a whole; no act is anywhere near it.
MAX_PAYLOAD_BYTES = 500_000
MAX_REASON_BYTES = 2_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OutMessage:
    topic: str
    key: str
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class ConfirmedSender:
    """Sends batches in order; a batch is sent again, whole, until all of it is confirmed."""

    def __init__(self, make_producer: Callable[[], Producer]) -> None:
        self._make_producer = make_producer
        self._producer: Producer | None = None

    def send(self, messages: Sequence[OutMessage]) -> None:
        """Returns when the broker has confirmed every message.

        Raises:
            BrokerError: a stop was asked for while the broker was away.
        """
        wait_s = FIRST_WAIT_S
        while (error := self._try(messages)) is not None:
            _log.warning("broker_takes_nothing", count=len(messages), error=error)
            # A producer that failed may be in a fatal state, and holds messages that would be sent twice.
            self._producer = None
            if stopping.wait(wait_s):
                raise BrokerError(
                    f"stopped while the broker was away ({error}); what was not sent is sent at the next start"
                )
            wait_s = min(LONGEST_WAIT_S, wait_s * 2)
        if wait_s != FIRST_WAIT_S:
            _log.info("broker_is_back", count=len(messages))

    def _try(self, messages: Sequence[OutMessage]) -> str | None:
        """Send once; what went wrong, or None when all are confirmed."""
        failures: list[str] = []

        def confirm(error: KafkaError | None, _message: object) -> None:
            if error is not None:
                failures.append(error.str())

        producer = self._producer = self._producer or self._make_producer()
        try:
            for message in messages:
                self._produce(producer, message, confirm)
            waited_s = 0.0
            while producer.flush(FLUSH_S) and not failures:
                waited_s += FLUSH_S
                if waited_s % SAY_EVERY_S == 0:
                    _log.warning("broker_is_slow", waiting=len(producer), waited_s=waited_s)
                if stopping.requested() and waited_s >= STOP_PATIENCE_S:
                    producer.purge()
                    return "no confirmation"
        except KafkaException as error:
            failures.append(str(error))
        if failures:
            producer.purge()
            return failures[0]
        return None

    def _produce(self, producer: Producer, message: OutMessage, confirm: Callable) -> None:
        while True:
            try:
                producer.produce(
                    message.topic, message.value, message.key, headers=list(message.headers), on_delivery=confirm
                )
            except BufferError:  # the local queue is full: let confirmations come in
                producer.poll(0.1)
                if stopping.requested():
                    raise BrokerError("stopped while the broker was away") from None
            else:
                producer.poll(0)
                return


class BrokerPublisher:
    """Slates and dead letters to their topics, after Postgres has them."""

    def __init__(self, sender: ConfirmedSender, topics: Topics) -> None:
        self._sender, self._topics = sender, topics

    def publish(self, slates: Sequence[SlateRow], dead_letters: Sequence[DeadLetterRow]) -> None:
        messages = [OutMessage(self._topics.slates, row.reader_key, row.slate().encode()) for row in slates]
        messages += [letter_message(row, self._topics.dead_letters) for row in dead_letters]
        if messages:
            self._sender.send(messages)


def letter_message(row: DeadLetterRow, topic: str) -> OutMessage:
    """A dead letter with where it was found and why in its headers.

    The payload is cut to what every broker takes; the table has the whole of it.
    """
    headers = [
        ("openshelf-reason", row.reason.encode("utf-8", "replace")[:MAX_REASON_BYTES]),
        ("openshelf-source", row.source.encode()),
        ("openshelf-partition", str(row.partition).encode()),
        ("openshelf-offset", str(row.log_offset).encode()),
    ]
    if len(row.payload) > MAX_PAYLOAD_BYTES:
        headers.append(("openshelf-whole-bytes", str(len(row.payload)).encode()))
    key = f"{row.source}/{row.partition}/{row.log_offset}"
    return OutMessage(topic, key, row.payload[:MAX_PAYLOAD_BYTES], tuple(headers))
