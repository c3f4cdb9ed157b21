"""A clock that is set back would make the dataflow wait: it ends instead, to be started again.

Bytewax remembers by the wall clock when to look at its input next. When that clock is set back by an hour (a machine
that woke with a wrong time, a time server's correction), it would read nothing for an hour and look healthy. Nothing
is lost by an end at any moment; who started it (the supervisor, the container engine) starts it again.
"""

import os
import threading
import time
from collections.abc import Callable
from contextvars import copy_context

import structlog

from streaming import stopping

CHECK_EVERY_S = 1.0
# Time servers slew what is less than this; and it is no more than a hiccup.
TOLERATED_S = 1.0
EXIT_CODE = 1

_log = structlog.get_logger(__name__)


class ClockWatch:
    """Compares the wall clock with one that nobody can set."""

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._steady = wall, steady
        self._difference = wall() - steady()

    def set_back_by(self) -> float:
        """Seconds since the last call; 0 when it was not, or set forward."""
        difference = self._wall() - self._steady()
        known, self._difference = self._difference, difference
        return max(0.0, known - difference)


def end_when_set_back(end: Callable[[int], object] = os._exit) -> None:
    """Watch in a thread until the process stops. It may hang inside Bytewax, so it cannot be asked to stop."""
    watch = ClockWatch()

    def look() -> None:
        while not stopping.wait(CHECK_EVERY_S):
            by_s = watch.set_back_by()
            if by_s > TOLERATED_S:
                _log.error("clock_was_set_back", by_s=round(by_s, 1), remedy="this process ends and is started again")
                end(EXIT_CODE)

    threading.Thread(target=copy_context().run, args=[look], name="clock", daemon=True).start()
