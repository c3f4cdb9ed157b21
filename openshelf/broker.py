"""The door to a Kafka-protocol broker: clients with time limits, topics made or found, messages of one line."""

from collections.abc import Callable, Iterable

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import ClusterMetadata
from confluent_kafka.cimpl import NewTopic

from openshelf import topics
from openshelf.errors import BrokerError

METADATA_TIMEOUT_S = 3.0
CREATE_TIMEOUT_S = 5.0

# A reconnect within a second, not after librdkafka's ten.
_CLIENT: dict[str, str | int | float | bool] = {
    "socket.connection.setup.timeout.ms": 3_000,
    "reconnect.backoff.max.ms": 1_000,
    "client.id": "openshelf",
    # Its own lines on stderr: only what is an emergency; outages are reported by us.
    "log_level": 2,
}


def check(brokers: str) -> ClusterMetadata:
    """What the broker knows.

    Raises:
        BrokerError: nobody answers within 3 seconds.
    """
    try:
        return AdminClient(_CLIENT | {"bootstrap.servers": brokers}).list_topics(timeout=METADATA_TIMEOUT_S)
    except KafkaException as error:
        raise BrokerError(
            f"the broker {brokers} does not answer ({_words(error)}). Is it up, and OPENSHELF_BROKERS right?"
        ) from error


def ensure_topics(brokers: str, names: Iterable[str], replication: int = 1) -> None:
    """Create the topics that are absent.

    A broker that lets nobody create topics is fine as long as they are there.

    Raises:
        BrokerError: the broker is away, or a topic is absent and cannot be created.
    """
    absent = sorted(set(names) - check(brokers).topics.keys())
    if not absent:
        return
    admin = AdminClient(_CLIENT | {"bootstrap.servers": brokers})
    wanted = [
        NewTopic(
            name,
            num_partitions=topics.PARTITIONS,
            replication_factor=replication,
            config={"retention.ms": str(topics.RETENTION_MS)},
        )
        for name in absent
    ]
    for name, future in admin.create_topics(wanted, request_timeout=CREATE_TIMEOUT_S).items():
        try:
            future.result(CREATE_TIMEOUT_S + 1)
        except (KafkaException, TimeoutError) as error:
            if not _exists(admin, name):
                raise BrokerError(
                    f"topic {name} is absent and cannot be created ({_words(error)}). "
                    f"Create it with {topics.PARTITIONS} partitions."
                ) from error


def _exists(admin: AdminClient, name: str) -> bool:
    """Asking for one topic by name also makes a broker with automatic creation create it."""
    found = admin.list_topics(name, timeout=METADATA_TIMEOUT_S).topics.get(name)
    return found is not None and (
        found.error is None or found.error.code() == KafkaError.LEADER_NOT_AVAILABLE  # being created right now
    )


def producer(brokers: str) -> Producer:
    """An idempotent producer that waits for all replicas; the partition of a key is that of the log table."""
    return Producer(
        _CLIENT
        | {
            "bootstrap.servers": brokers,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 2,
            "compression.type": "lz4",
            "partitioner": "consistent",
            "message.timeout.ms": 30_000,
        }
    )


def consumer(brokers: str, group: str, on_error: Callable[[KafkaError], None] | None = None) -> Consumer:
    """A consumer whose positions are kept by its caller, not by the broker."""
    settings = _CLIENT | {
        "bootstrap.servers": brokers,
        "group.id": group,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        # The default waits half a second for more bytes.
        "fetch.wait.max.ms": 5,
        "fetch.error.backoff.ms": 50,
        "queued.min.messages": 2_000,
        "enable.partition.eof": False,
    }
    return Consumer(settings | ({"error_cb": on_error} if on_error else {}))


def _words(error: BaseException) -> str:
    found = error.args[0] if error.args else error
    return found.str() if isinstance(found, KafkaError) else str(found) or type(error).__name__
