"""A clean stop: a signal sets a flag, the sources end their input, the dataflow snapshots and returns."""

import os
import signal
import threading
from types import FrameType

_requested = threading.Event()


def requested() -> bool:
    return _requested.is_set()


def request() -> None:
    _requested.set()


def wait(seconds: float) -> bool:
    """Sleep, less if a stop is asked for; whether it was."""
    return _requested.wait(seconds)


def on_signals() -> None:
    """SIGTERM and SIGINT ask for a clean stop; a second one ends the process at once (nothing is lost by it)."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        if _requested.is_set():
            os._exit(1)
        _requested.set()

    _requested.clear()
    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
