"""Be the only running consumer of one's partitions; the claim is taken again after Postgres restarts."""

import os
import socket
import threading
import time
from collections.abc import Sequence
from contextvars import copy_context

import psycopg
import structlog

from openshelf import topics
from openshelf.database import consumers, migrate, pool
from openshelf.database.consumers import Holder
from openshelf.errors import OpenshelfError
from streaming import stopping
from streaming.patience import AWAY

# A holder that was just killed lets go within this time.
CLAIM_PATIENCE_S = 2.0
CLAIM_CHECK_S = 1.0
# Postgres keeps 63 bytes of a name.
HOST_BYTES = 24

_log = structlog.get_logger(__name__)


class claimed:  # noqa: N801 - reads as a word in a with statement
    """Hold these partitions for one kind of consumer while the block runs.

    Raises:
        OpenshelfError: on entering, when someone has one of them; on leaving, when they were lost.
    """

    def __init__(self, consumer: str, share: topics.Share, partitions: Sequence[int]) -> None:
        self._consumer, self._partitions = consumer, partitions
        host = socket.gethostname().encode("ascii", "replace")[:HOST_BYTES].decode()
        self._name = f"pid {os.getpid()} on {host}, {consumer} {share}"
        self._done = threading.Event()
        self._lost: Holder | None = None
        self._session = 0  # the server's number of the connection that holds the claim

    def __enter__(self) -> None:
        conn = self._connect()
        migrate.check(conn)
        deadline = time.monotonic() + CLAIM_PATIENCE_S
        while holder := consumers.hold(conn, self._consumer, self._partitions):
            if time.monotonic() > deadline or stopping.wait(0.1):
                conn.close()
                raise OpenshelfError(f"already running, {_words(holder)}. Stop that one first, or take another share.")
        threading.Thread(target=copy_context().run, args=[self._guard, conn], name="claim", daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if self._lost:
            raise OpenshelfError(f"stopped: while Postgres was away another one started, {_words(self._lost)}")

    def _connect(self) -> psycopg.Connection:
        conn = pool.connect(autocommit=True)
        consumers.call_itself(conn, self._name)
        # Where the wire went dead, the server may still believe in the connection before, and that it has the claim.
        consumers.end_session(conn, self._session, self._name)
        self._session = conn.info.backend_pid
        return conn

    def _guard(self, conn: psycopg.Connection | None) -> None:
        """Hold the claim's connection, and take the claim anew when the server was restarted."""
        while not self._done.wait(CLAIM_CHECK_S):
            try:
                if conn is None:
                    conn = self._connect()
                    if holder := consumers.hold(conn, self._consumer, self._partitions):
                        self._lost = holder
                        _log.error("claim_lost", holder=holder.name, partitions=holder.partitions)
                        stopping.request()
                        return
                pool.ping(conn)
            except AWAY:
                if conn is not None:
                    conn.close()
                conn = None
        if conn is not None:
            conn.close()


def _words(holder: Holder) -> str:
    return f"{holder.name}, with partitions {', '.join(map(str, holder.partitions))}"
