"""The brokers that the broker road is tested on: librdkafka's mock, and a real one if OPENSHELF_TEST_BROKERS is set."""

import ctypes
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import psycopg
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from mock_broker import MockBroker, client_library
from stream_acts import add_works

from openshelf import broker
from openshelf.settings import Settings, get_settings

REAL = os.environ.get("OPENSHELF_TEST_BROKERS", "")
on_each_broker = pytest.mark.parametrize(
    "road",
    ["mock", pytest.param("real", marks=pytest.mark.skipif(not REAL, reason="OPENSHELF_TEST_BROKERS names no broker"))],
    indirect=True,
)
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Road:
    """A broker and this test's own topics on it. `mock`: None when the broker is a real one."""

    settings: Settings
    mock: MockBroker | None

    @property
    def address(self) -> str:
        return self.settings.brokers or ""

    def read(self, topic: str) -> list[Message]:
        """All that the topic holds now."""
        consumer = broker.consumer(self.settings, "tests")
        known = consumer.list_topics(topic, timeout=PATIENCE_S).topics[topic].partitions
        partitions = [TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in known]
        places = [consumer.get_watermark_offsets(partition, timeout=PATIENCE_S) for partition in partitions]
        consumer.assign(partitions)
        try:
            return read_all(consumer, sum(end - first for first, end in places))
        finally:
            consumer.close()

    def send(self, messages: Sequence[dict], **options: object) -> None:
        """To the interactions topic, as a stranger would; `options`: of the client."""
        client = broker.Producer(broker.client_settings(self.settings) | options)
        for message in messages:
            client.produce(self.settings.topics.interactions, **message)
        assert client.flush(10) == 0


@pytest.fixture
def road(request: pytest.FixtureRequest, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[Road]:
    add_works(conn)
    with road_on(getattr(request, "param", "mock"), monkeypatch.setenv) as found:
        yield found


def read_all(consumer: Consumer, count: int) -> list[Message]:
    messages, deadline = [], time.monotonic() + PATIENCE_S
    while len(messages) < count and time.monotonic() < deadline:
        messages += [message for message in consumer.consume(500, timeout=0.5) if not message.error()]
    return messages


@contextmanager
def road_on(kind: str, set_variable: Callable[[str, str], None]) -> Iterator[Road]:
    """Topics of a test's own; on the mock with 12 partitions, which it would not make by itself."""
    mock = MockBroker() if kind == "mock" else None
    set_variable("OPENSHELF_BROKERS", mock.address if mock else REAL)
    set_variable("OPENSHELF_TOPIC_PREFIX", f"openshelf-test-{uuid4().hex[:12]}")
    get_settings.cache_clear()
    settings = get_settings()
    names = [settings.topics.interactions, settings.topics.slates, settings.topics.dead_letters]
    if mock:
        for name in names:
            mock.make_topic(name)
    else:
        broker.ensure_topics(settings, names)
    try:
        yield Road(settings, mock)
    finally:
        if mock:
            mock.kill()
        else:
            admin = AdminClient(broker.client_settings(settings))
            for future in admin.delete_topics(names, request_timeout=PATIENCE_S).values():
                future.result(PATIENCE_S)


def send_with_unreadable_header_name(road: Road, value: bytes) -> None:
    """The Python client cannot write such a message, others can."""
    library, error = client_library(), ctypes.create_string_buffer(512)
    library.rd_kafka_conf_new.restype = library.rd_kafka_headers_new.restype = ctypes.c_void_p
    config = ctypes.c_void_p(library.rd_kafka_conf_new())
    library.rd_kafka_conf_set(config, b"bootstrap.servers", road.address.encode(), error, 512)
    client = ctypes.c_void_p(library.rd_kafka_new(0, config, error, 512))
    headers = ctypes.c_void_p(library.rd_kafka_headers_new(ctypes.c_size_t(1)))
    library.rd_kafka_header_add(headers, b"\xff\xfe", ctypes.c_ssize_t(2), b"x", ctypes.c_ssize_t(1))
    end, topic, partition, a_value, flags, all_headers, copy = (ctypes.c_int(n) for n in (0, 1, 3, 4, 7, 10, 2))
    refused = library.rd_kafka_producev(
        client,
        *(topic, road.settings.topics.interactions.encode()),
        *(partition, ctypes.c_int32(0)),
        *(flags, copy),
        *(a_value, value, ctypes.c_size_t(len(value))),
        *(all_headers, headers),
        end,
    )
    assert (refused, library.rd_kafka_flush(client, 10_000)) == (0, 0)
    library.rd_kafka_destroy(client)
