"""The door to a Kafka-protocol broker: clients with time limits, topics made or found, messages of one line."""

import time
from collections.abc import Callable, Iterable

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._metadata import ClusterMetadata, TopicMetadata
from confluent_kafka.cimpl import NewTopic

from openshelf import topics
from openshelf.errors import BrokerError
from openshelf.settings import Settings

METADATA_TIMEOUT_S = 3.0
REFUSED_WITHIN_S = 0.5
CREATE_TIMEOUT_S = 3.0
# A topic that was just made is known to the whole cluster within this time.
APPEARS_WITHIN_S = 2.0
DESCRIBE_TIMEOUT_S = 2.0

# A reconnect within a second, not after librdkafka's ten.
_CLIENT: dict[str, str | int | float | bool | Callable] = {
    "socket.connection.setup.timeout.ms": 3_000,
    # What was asked over a connection that went dead is asked over another after 10 seconds, not after a minute.
    "socket.timeout.ms": 10_000,
    "reconnect.backoff.max.ms": 1_000,
    "client.id": "openshelf",
    # Its own lines on stderr: only what is an emergency; outages are reported by us.
    "log_level": 2,
}

# What the client library reported, the most telling first, and what to say about it.
_REFUSALS = (
    (
        KafkaError._AUTHENTICATION,
        "the broker {} refuses the credentials ({}). "
        "Mend OPENSHELF_BROKER_USERNAME, OPENSHELF_BROKER_PASSWORD or OPENSHELF_BROKER_SASL_MECHANISM.",
    ),
    (
        KafkaError._SSL,
        "the broker {} and we agree on no TLS ({}). Mend OPENSHELF_BROKER_SECURITY or OPENSHELF_BROKER_CA_FILE.",
    ),
    (
        KafkaError._BAD_MSG,
        "what answers at {} is no Kafka broker ({}). Are OPENSHELF_BROKERS and OPENSHELF_BROKER_SECURITY right?",
    ),
    (KafkaError._RESOLVE, "the broker {} has no address ({}). Is OPENSHELF_BROKERS right?"),
)
_NO_ANSWER = (
    "the broker {} does not answer ({}). Is it up, and are OPENSHELF_BROKERS and OPENSHELF_BROKER_SECURITY right?"
)

_log = structlog.get_logger(__name__)


def check(settings: Settings) -> ClusterMetadata:
    """What the broker knows.

    Raises:
        BrokerError: nobody answers within 3 seconds, or whoever does refuses us.
    """
    said: list[KafkaError] = []
    admin = _admin(settings, said.append)
    brokers, refusal = settings.brokers or "", None
    # The library tries again whatever it is told. After a short time we look whether that makes sense.
    for timeout_s in (REFUSED_WITHIN_S, METADATA_TIMEOUT_S - REFUSED_WITHIN_S):
        try:
            return admin.list_topics(timeout=timeout_s)
        except KafkaException:
            admin.poll(0)  # what the library has to say is handed over here
            refusal = _refusal(brokers, said)
            if refusal and "," not in brokers:
                break
    no_word = f"no word of the Kafka protocol within {METADATA_TIMEOUT_S:.0f} s"
    raise BrokerError(refusal or _NO_ANSWER.format(brokers, _told(said, KafkaError._TRANSPORT) or no_word))


def _refusal(brokers: str, said: Iterable[KafkaError]) -> str | None:
    """What it would be no use to wait for."""
    for code, text in _REFUSALS:
        if words := _told(said, code):
            return text.format(brokers, words)
    return None


def _told(said: Iterable[KafkaError], code: int) -> str | None:
    return next((plain(error) for error in said if error.code() == code), None)


def ensure_topics(settings: Settings, names: Iterable[str]) -> dict[str, list[int]]:
    """Create the topics that are absent; the partitions of each.

    A broker that lets nobody create topics is fine as long as they are there. One that is otherwise than we
    would have made it is used, and said in a warning.

    Raises:
        BrokerError: the broker is away, or a topic is absent and cannot be created, or is not for us.
    """
    wanted, known = list(names), check(settings)
    absent = [name for name in wanted if name not in known.topics]
    admin = _admin(settings)
    refused = _create(admin, absent, settings.broker_replication) if absent else {}
    found = {name: _find(admin, name, refused.get(name)) for name in wanted}
    # A broker without a controller, as that of our tests, would let us wait.
    retention = _retention_ms(admin, wanted) if known.controller_id in known.brokers else {}
    for name, topic in found.items():
        copies = min((len(partition.replicas) for partition in topic.partitions.values()), default=0)
        for oddity in oddities(len(topic.partitions), copies, retention.get(name), settings.broker_replication):
            _log.warning("topic_is_otherwise", topic=name, what=oddity)
    return {name: sorted(topic.partitions) for name, topic in found.items()}


def _create(admin: AdminClient, names: list[str], replication: int) -> dict[str, str]:
    """Ask for the topics; why not, for each that was refused."""
    wanted = [
        NewTopic(
            name,
            num_partitions=topics.PARTITIONS,
            replication_factor=replication,
            # The broker's own time of arrival: what a foreign producer writes there decides nothing.
            config={"retention.ms": str(topics.RETENTION_MS), "message.timestamp.type": "LogAppendTime"},
        )
        for name in names
    ]
    refused: dict[str, str] = {}
    for name, future in admin.create_topics(wanted, request_timeout=CREATE_TIMEOUT_S).items():
        try:
            future.result(CREATE_TIMEOUT_S + 1)
        except (KafkaException, TimeoutError) as error:
            refused[name] = plain(error)
        else:
            _log.info("topic_made", topic=name, partitions=topics.PARTITIONS, replication=replication)
    return refused


def _find(admin: AdminClient, name: str, refusal: str | None) -> TopicMetadata:
    """The topic. Asking for one by name also makes a broker with automatic creation create it.

    Raises:
        BrokerError: it is not there, or not for us.
    """
    deadline = time.monotonic() + APPEARS_WITHIN_S
    while True:
        try:
            topic = admin.list_topics(name, timeout=METADATA_TIMEOUT_S).topics[name]
        except KafkaException as error:
            raise BrokerError(f"the broker does not say whether topic {name} is there ({plain(error)})") from error
        if topic.error is None and topic.partitions:
            return topic
        if topic.error is not None and topic.error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise BrokerError(
                f"topic {name} is not for us ({plain(topic.error)}). "
                "Grant OPENSHELF_BROKER_USERNAME reading and writing, or set OPENSHELF_TOPIC_PREFIX to what it may use."
            )
        if time.monotonic() > deadline:
            raise BrokerError(
                f"topic {name} is absent and cannot be created ({refusal or 'it was made and does not appear'}). "
                f"Create it with {topics.PARTITIONS} partitions and retention.ms={topics.RETENTION_MS}."
            )
        time.sleep(0.1)


def _retention_ms(admin: AdminClient, names: list[str]) -> dict[str, int]:
    """How long each topic keeps its messages; without those of which the broker does not tell."""
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    found: dict[str, int] = {}
    for resource, future in admin.describe_configs(resources, request_timeout=DESCRIBE_TIMEOUT_S).items():
        try:
            found[resource.name] = int(future.result(DESCRIBE_TIMEOUT_S + 1)["retention.ms"].value)
        except (KafkaException, TimeoutError, KeyError, ValueError) as error:
            _log.info("retention_not_told", topic=resource.name, error=plain(error))
    return found


def oddities(count_partitions: int, count_copies: int, retention_ms: int | None, replication: int) -> list[str]:
    """In what a topic differs from the one we would have made, and what follows."""
    found = []
    if count_partitions != topics.PARTITIONS:
        found.append(
            f"{count_partitions} partitions, not {topics.PARTITIONS}: each reader's order is kept, "
            f"at most {count_partitions} workers share the reading"
        )
    if count_copies < replication:
        found.append(
            f"{count_copies} copies, not {replication}: the loss of {count_copies} brokers is the loss of what it holds"
        )
    if retention_ms is not None and 0 <= retention_ms < topics.RETENTION_MS:
        found.append(
            f"it keeps messages for {retention_ms / 86_400_000:.1f} days, not 7: "
            "what a dataflow that stands still longer misses there it reads from the log"
        )
    return found


def producer(settings: Settings) -> Producer:
    """An idempotent producer that waits for all replicas; the partition of a key is that of the log table."""
    return Producer(
        client_settings(settings)
        | {
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 2,
            "compression.type": "lz4",
            "partitioner": "consistent",
            "message.timeout.ms": 30_000,
        }
    )


def consumer(settings: Settings, group: str, on_error: Callable[[KafkaError], None] | None = None) -> Consumer:
    """A consumer whose positions are kept by its caller, not by the broker."""
    return Consumer(
        client_settings(settings, on_error)
        | {
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            # The default waits half a second for more bytes.
            "fetch.wait.max.ms": 5,
            "fetch.error.backoff.ms": 50,
            "queued.min.messages": 2_000,
            "enable.partition.eof": False,
        }
    )


def client_settings(settings: Settings, on_error: Callable[[KafkaError], None] | None = None) -> dict:
    """What every client needs to speak to this installation's broker."""
    config = _CLIENT | {"bootstrap.servers": settings.brokers or "", "security.protocol": settings.broker_security}
    if settings.broker_username and settings.broker_password:
        config |= {
            "sasl.mechanism": settings.broker_sasl_mechanism or "SCRAM-SHA-256",
            "sasl.username": settings.broker_username,
            "sasl.password": settings.broker_password.get_secret_value(),
        }
    if settings.broker_ca_file:
        config["ssl.ca.location"] = str(settings.broker_ca_file)
    return config | ({"error_cb": on_error} if on_error else {})


def _admin(settings: Settings, on_error: Callable[[KafkaError], None] | None = None) -> AdminClient:
    try:
        return AdminClient(client_settings(settings, on_error or (lambda _: None)))
    except KafkaException as error:
        raise BrokerError(f"the settings OPENSHELF_BROKER_... cannot be used ({plain(error)})") from error


def plain(error: BaseException | KafkaError) -> str:
    """What went wrong, in the library's words, without its prefix, its timings and its advice."""
    found = error.args[0] if isinstance(error, BaseException) and error.args else error
    text = found.str() if isinstance(found, KafkaError) else str(found) or type(found).__name__
    return text.split("/bootstrap: ")[-1].split(" (after ")[0].split(": increase ")[0]
