"""The broker of both designs: librdkafka's mock cluster, in memory, as the tests of the stream run it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "tests" / "mock_broker.py"


@contextmanager
def running_broker() -> Iterator[str]:
    """Its address. It keeps 5 MB of each of a topic's four partitions."""
    process = subprocess.Popen(
        [sys.executable, PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
