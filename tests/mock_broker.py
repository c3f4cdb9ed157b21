"""librdkafka's own mock cluster in a process of its own: `python mock_broker.py` prints its address and takes orders.

It speaks the Kafka protocol over TCP, in memory only, with 4 partitions a topic unless `make_topic` says otherwise; it
creates no topic by request and has no credentials. Through the library's test interface it can be sent away and brought
back with what it holds, refuse a topic, and answer requests with errors.
"""

import ctypes
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NODE = 1
PRODUCE, FETCH = 0, 1  # keys of requests
TOPIC_AUTHORIZATION_FAILED = 29


def serve() -> None:
    library = client_library()
    client = library.rd_kafka_new(0, None, ctypes.create_string_buffer(512), 512)
    cluster = ctypes.c_void_p(library.rd_kafka_mock_cluster_new(ctypes.c_void_p(client), 1))
    print(library.rd_kafka_mock_cluster_bootstraps(cluster).decode(), flush=True)  # noqa: T201
    orders = {
        "topic": lambda name, count: library.rd_kafka_mock_topic_create(cluster, name.encode(), int(count), 1),
        "refuse": lambda name, code: library.rd_kafka_mock_topic_set_error(cluster, name.encode(), int(code)),
        "errors": lambda key, code, count: library.rd_kafka_mock_push_request_errors_array(
            cluster,
            ctypes.c_int16(int(key)),
            ctypes.c_size_t(int(count)),
            (ctypes.c_int * int(count))(*[int(code)] * int(count)),
        ),
        "slow": lambda ms: library.rd_kafka_mock_broker_set_rtt(cluster, NODE, int(ms)),
        "down": lambda: library.rd_kafka_mock_broker_set_down(cluster, NODE),
        "up": lambda: library.rd_kafka_mock_broker_set_up(cluster, NODE),
    }
    for line in sys.stdin:
        order, *words = line.split()
        orders[order](*words)
        print("done", flush=True)  # noqa: T201


def client_library() -> ctypes.CDLL:
    """The very library that the client package has loaded."""
    import confluent_kafka  # noqa: F401 - loads it

    (path,) = set(re.findall(r"/\S*librdkafka\S*", Path("/proc/self/maps").read_text()))
    library = ctypes.CDLL(path)
    library.rd_kafka_new.restype = library.rd_kafka_mock_cluster_new.restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return library


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

    def make_topic(self, name: str, count_partitions: int = 12) -> None:
        self._order(f"topic {name} {count_partitions}")

    def refuse_topic(self, name: str, code: int = TOPIC_AUTHORIZATION_FAILED) -> None:
        self._order(f"refuse {name} {code}")

    def refuse_requests(self, key: int, code: int, count: int) -> None:
        """Answer the next requests of this kind with an error."""
        self._order(f"errors {key} {code} {count}")

    def answer_after(self, milliseconds: int) -> None:
        """Let every answer wait for so long."""
        self._order(f"slow {milliseconds}")

    def go_away(self) -> None:
        """Drop all connections and take no new ones; what it holds stays."""
        self._order("down")

    def come_back(self) -> None:
        self._order("up")

    def _order(self, line: str) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n", "the mock broker is gone"

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
