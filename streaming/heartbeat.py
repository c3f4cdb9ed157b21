"""Every two seconds this process tells Postgres that it lives, what it serves and what it did."""

import os
import socket
import threading
from collections.abc import Callable
from contextvars import copy_context

import psycopg
import structlog

from openshelf import topics
from openshelf.contracts import utc_now
from openshelf.database import workers
from openshelf.database.workers import Process, Served
from streaming import measures
from streaming.measures import Measures
from streaming.patience import PatientConnection

BEAT_EVERY_S = 2.0
# What a clean end waits for its last words; without them the row stays, as that of a process that fell silent.
LAST_WORDS_S = 3.0

_log = structlog.get_logger(__name__)


class Heartbeat:
    """A thread of its own, so that nothing waits for Postgres here; while that is away nothing is said."""

    def __init__(
        self,
        process: Process,
        served: Callable[[], Served] = Served,
        measured: Measures = measures.THIS_PROCESS,
        connection: PatientConnection | None = None,
    ) -> None:
        self._process, self._served, self._measured = process, served, measured
        self._connection = connection or PatientConnection()
        self._now = threading.Event()
        self._ended = threading.Event()
        self._is_known = False
        self._thread = threading.Thread(target=copy_context().run, args=[self._beat], name="heartbeat", daemon=True)

    def start(self) -> "Heartbeat":
        self._thread.start()
        return self

    def now(self) -> None:
        """Beat at once: something changed that others look at."""
        self._now.set()

    def end(self) -> None:
        """The process ends as it was asked to: it is forgotten."""
        self._ended.set()
        self._now.set()
        self._thread.join(LAST_WORDS_S)

    def _beat(self) -> None:
        while not self._ended.is_set():
            self._say(self._speak)
            self._now.wait(BEAT_EVERY_S)
            self._now.clear()
        self._say(lambda conn: workers.leave(conn, self._process))
        self._connection.close()

    def _speak(self, conn: psycopg.Connection) -> None:
        if not self._is_known:
            workers.forget_lost(conn, self._process)
        workers.beat(conn, self._process, self._served(), self._measured.counts())
        self._is_known = True

    def _say(self, words: Callable[[psycopg.Connection], None]) -> None:
        try:
            self._connection.try_once(words)
        except psycopg.Error:  # a fault here must not make a process look dead that does its work
            _log.exception("heartbeat_failed")


def start(
    consumer: str,
    share: topics.Share = topics.WHOLE,
    process: int = 0,
    count_processes: int = 1,
    served: Callable[[], Served] = Served,
) -> Heartbeat:
    """Begin to beat for this process: number `process` of the `count_processes` that this host has at its share."""
    identity = Process(
        consumer, share.number, share.count, process, count_processes, socket.gethostname(), os.getpid(), utc_now()
    )
    return Heartbeat(identity, served).start()
