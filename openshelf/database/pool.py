"""Connections: one URL, one pool per process, every statement with a time limit, on both sides of the wire."""

import threading
import time
from collections.abc import Generator
from typing import Any, ClassVar, TypeVar

import psycopg
from pgvector.psycopg import register_vector
from psycopg_pool import ConnectionPool

from openshelf.database import embedded
from openshelf.errors import DatabaseError
from openshelf.settings import Settings, get_settings

CONNECT_TIMEOUT_S = 5
# After a crash the embedded server can still be named for about a second though it is dead.
START_PATIENCE_S = 10
# The server ends a statement that takes too long; when it has not even said so by then, the wire is dead.
GRACE_S = 3.0
# A transaction may be idle this many times as long as one statement may run.
IDLE_TIMEOUTS = 3
# A host that vanished is noticed after 10 + 3 * 5 s, on both sides: the server lets go of a lost client's locks.
# (A unix socket knows nothing of these, and needs them not.)
_KEEPALIVE = {"idle": 10, "interval": 5, "count": 3}
_CLIENT: dict[str, Any] = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "tcp_user_timeout": 25_000,
    **{f"keepalives_{name}": value for name, value in _KEEPALIVE.items()},
}

T = TypeVar("T")


class BoundedConnection(psycopg.Connection):
    """A connection that waits no longer than `patience_s` for the server to say anything, and is closed then.

    Postgres' own limits end a slow statement. They end no wait for a server that cannot be heard: behind a network
    device that swallows packets, or on a host that froze, the socket stays open for ever.
    """

    patience_s: float | None = None
    # When one of this process was last closed for that: those opened before are likely dead as well.
    unheard_at: ClassVar[float] = float("-inf")

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **options: Any) -> T:
        return super().wait(gen if self.patience_s is None else self._within(gen, self.patience_s), *args, **options)

    def _within(self, gen: Generator[Any, Any, T], patience_s: float) -> Generator[Any, Any, T]:
        """The same steps, until nothing came for so long; the waiting loop comes by ten times a second."""
        heard_at = time.monotonic()
        try:
            step = next(gen)
            while True:
                ready = yield step
                if ready:
                    heard_at = time.monotonic()
                elif time.monotonic() > heard_at + patience_s:
                    # In the midst of a statement nothing can be asked of it any more, not even to roll back.
                    self.pgconn.finish()
                    BoundedConnection.unheard_at = time.monotonic()
                    raise psycopg.OperationalError(
                        f"Postgres said nothing for {patience_s:.0f} s: the connection was closed"
                    )
                step = gen.send(ready)
        except StopIteration as done:
            return done.value


def database_url(settings: Settings) -> str:
    """Where Postgres is; starts the embedded one if no URL is set and waits until it answers."""
    if settings.database_url:
        return settings.database_url.get_secret_value()
    url = embedded.start(settings.home)
    deadline = time.monotonic() + START_PATIENCE_S
    while True:
        try:
            with psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S):
                return url
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise DatabaseError(f"the embedded Postgres does not answer: {error}") from error
            time.sleep(0.2)
            embedded.restart(settings.home)


def _options(settings: Settings, *, unlimited: bool = False) -> str:
    keepalive = " ".join(f"-c tcp_keepalives_{name}={value}" for name, value in _KEEPALIVE.items())
    # Where vectors are indexed: of the ten nearest among 100,000 works 300 finds 9.4 and 400 finds 9.6; 1000 takes
    # twice the time (`benchmarks/search.py`). Also when filters leave few of the works.
    near = "-c hnsw.ef_search=400 -c hnsw.iterative_scan=relaxed_order"
    every = f"-c timezone=UTC -c openshelf.kinds={settings.kinds} {near} {keepalive}"  # kinds: filters.SERVED
    if unlimited:
        return every
    timeout = settings.database_timeout_s
    # Who falls silent inside a transaction can hold up all who write to the same partition of the log. (Not too soon:
    # the librarian's answer is awaited inside one.)
    idle = f"-c idle_in_transaction_session_timeout={IDLE_TIMEOUTS * timeout}s"
    return f"-c statement_timeout={timeout}s -c lock_timeout={timeout}s {idle} {every}"


def _patience_s(settings: Settings) -> float:
    return settings.database_timeout_s + GRACE_S


def _configure(conn: psycopg.Connection) -> None:
    # Before the first migration there is no vector type to register.
    if conn.execute("select 1 from pg_type where typname = 'vector'").fetchone():
        register_vector(conn)
    conn.commit()


def connect(
    settings: Settings | None = None,
    *,
    autocommit: bool = False,
    unlimited: bool = False,
    patience_s: float | None = None,
) -> psycopg.Connection:
    """One connection of its own, for commands.

    `unlimited` lifts the limits of time for long work; `patience_s` is how long the server may say nothing then, unset:
    as long as it likes.

    Raises:
        DatabaseError: Postgres does not answer.
    """
    settings = settings or get_settings()
    conn = None
    try:
        conn = BoundedConnection.connect(
            database_url(settings), options=_options(settings, unlimited=unlimited), autocommit=autocommit, **_CLIENT
        )
        conn.patience_s = patience_s if unlimited else _patience_s(settings)
        _configure(conn)
    except psycopg.OperationalError as error:
        if conn is not None:
            conn.close()
        raise DatabaseError(
            f"Postgres does not answer: {str(error).splitlines()[0]}. Is OPENSHELF_DATABASE_URL right?"
        ) from error
    return conn


def ping(conn: psycopg.Connection) -> None:
    """One round trip; raises psycopg.OperationalError when Postgres is away."""
    conn.execute("select 1")


def limit_statements(conn: psycopg.Connection, seconds: int) -> None:
    """Within the caller's transaction no statement runs longer; raises psycopg.errors.QueryCanceled at the next."""
    conn.execute("select set_config('statement_timeout', %s, true)", [f"{seconds}s"])


# The pool of this process, if it has one by now.
_opened: list[ConnectionPool[psycopg.Connection]] = []
_one_at_a_time = threading.Lock()


def get_pool() -> ConnectionPool[psycopg.Connection]:
    """The pool of this process (storefront, dataflow); reconnects by itself when Postgres comes back."""
    if not _opened:
        settings = get_settings()
        url = database_url(settings)  # whoever has to wait for it waits beside the others, not after them
        with _one_at_a_time:
            if not _opened:
                _opened.append(_open(url, settings))
    return _opened[0]


def close_pool() -> None:
    """Close the pool of this process, if it has one; whoever asks next gets another, by the settings of then."""
    with _one_at_a_time:
        while _opened:
            _opened.pop().close()


def _open(url: str, settings: Settings) -> ConnectionPool[psycopg.Connection]:
    def configure(conn: psycopg.Connection) -> None:
        assert isinstance(conn, BoundedConnection)
        conn.patience_s = _patience_s(settings)
        _configure(conn)

    pool: ConnectionPool[psycopg.Connection] = ConnectionPool(
        url,
        connection_class=BoundedConnection,
        kwargs={"options": _options(settings), **_CLIENT},
        min_size=1,
        max_size=8,
        timeout=CONNECT_TIMEOUT_S,
        configure=configure,
        check=ConnectionPool.check_connection,
        open=False,
    )
    pool.open()
    return pool
