"""A connection to Postgres that outlives the server: what fails because it is away is tried again."""

import time
from collections.abc import Callable
from typing import TypeVar

import psycopg
import structlog

from openshelf.database import pool
from openshelf.errors import DatabaseError
from streaming import stopping

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 3.0
SAY_AGAIN_S = 10.0

_log = structlog.get_logger(__name__)

T = TypeVar("T")

# The server is away, restarting, full or slow, or put us out because we were frozen: the same work may succeed later.
AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.IdleInTransactionSessionTimeout,
    DatabaseError,
)


class PatientConnection:
    """One connection, opened at first use. Not for several threads at once."""

    def __init__(self, connect: Callable[[], psycopg.Connection] | None = None) -> None:
        self._connect = connect or (lambda: pool.connect(autocommit=True))
        self._conn: psycopg.Connection | None = None
        self._opened_at = 0.0
        self._wait_s = 0.0
        self._next_try_at = 0.0
        self._said_at = float("-inf")

    def try_once(self, work: Callable[[psycopg.Connection], T]) -> T | None:
        """The result of `work`, or None while Postgres is away; does not wait."""
        if time.monotonic() < self._next_try_at:
            return None
        try:
            if self._conn is not None and self._opened_at < pool.BoundedConnection.unheard_at:
                self.close()
            if self._conn is None or self._conn.closed:
                self._conn, self._opened_at = self._connect(), time.monotonic()
            result = work(self._conn)
        except AWAY as error:
            self._failed(error)
            return None
        if self._wait_s:
            _log.info("postgres_is_back")
            self._wait_s, self._said_at = 0.0, float("-inf")
        return result

    def run(self, work: Callable[[psycopg.Connection], T]) -> T:
        """The result of `work`, however long Postgres is away. `work` may run twice: it must be idempotent.

        Raises:
            DatabaseError: a stop was asked for while Postgres was away.
        """
        done: list[T] = []
        while not done:
            self.try_once(lambda conn: done.append(work(conn)))
            if not done and stopping.wait(max(0.0, self._next_try_at - time.monotonic())):
                raise DatabaseError(
                    "stopped while Postgres was away; what was not stored is read again at the next start"
                )
        return done[0]

    def close(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    def _failed(self, error: Exception) -> None:
        self.close()
        self._wait_s = min(LONGEST_WAIT_S, self._wait_s * 2 or FIRST_WAIT_S)
        now = time.monotonic()
        self._next_try_at = now + self._wait_s
        if now - self._said_at > SAY_AGAIN_S:
            self._said_at = now
            words = (str(error).splitlines() or [type(error).__name__])[0]
            if isinstance(error, psycopg.errors.DiskFull):
                words = f"the disk of Postgres is full: free some space, then it goes on by itself ({words})"
            _log.warning("postgres_is_away", error=words)
