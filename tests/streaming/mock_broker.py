"""librdkafka's own mock cluster in a process of its own: `python mock_broker.py` prints its address and waits.

It speaks the Kafka protocol over TCP, in memory only, with 4 partitions a topic, and creates no topic by request.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def serve() -> None:
    from confluent_kafka import Producer

    producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "ignored"})
    (node,) = producer.list_topics(timeout=10).brokers.values()
    print(f"{node.host}:{node.port}", flush=True)  # noqa: T201
    sys.stdin.read()


class MockBroker:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout
        self.address = self._process.stdout.readline().strip()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def mock_broker() -> Iterator[str]:
    """The address of a fresh broker that lives as long as the block."""
    running = MockBroker()
    try:
        yield running.address
    finally:
        running.kill()


if __name__ == "__main__":
    serve()
