"""A broker that can be killed: librdkafka's mock cluster, a process of its own behind an address that stays.

It speaks the Kafka protocol and keeps everything in memory: one that is started again is empty, as no real broker
would be. So whatever it had confirmed is lost with it, which is worse than what we ask for.
"""

import subprocess
import sys

from .tcp_proxy import Proxy

# Where nobody listens; a broker that is away.
NOWHERE = ("127.0.0.1", 9)
TOPICS = ("openshelf.interactions.v1", "openshelf.slates.v1", "openshelf.dead-letters.v1")


_SERVE = """
import ctypes, re, sys
from pathlib import Path
import confluent_kafka

(path,) = set(re.findall(r"/\\S*librdkafka\\S*", Path("/proc/self/maps").read_text()))
library = ctypes.CDLL(path)
library.rd_kafka_new.restype = library.rd_kafka_mock_cluster_new.restype = ctypes.c_void_p
library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
client = library.rd_kafka_new(0, None, ctypes.create_string_buffer(512), 512)
cluster = ctypes.c_void_p(library.rd_kafka_mock_cluster_new(ctypes.c_void_p(client), 1))
for name in sys.argv[1:]:
    library.rd_kafka_mock_topic_create(cluster, name.encode(), 12, 1)
print(library.rd_kafka_mock_cluster_bootstraps(cluster).decode(), flush=True)
sys.stdin.read()
"""


class Broker:
    def __init__(self, *, is_there: bool = True) -> None:
        self._process: subprocess.Popen[str] | None = None
        self.proxy = Proxy(NOWHERE, frames=True)
        if is_there:
            self.start()

    @property
    def address(self) -> str:
        return self.proxy.address

    def start(self) -> None:
        """Start an empty one."""
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, *TOPICS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout
        host, port = self._process.stdout.readline().strip().rsplit(":", 1)
        self.proxy.target = (host, int(port))

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._process = None
        self.proxy.target = NOWHERE
        self.proxy.cut()

    def close(self) -> None:
        self.kill()
        self.proxy.close()
