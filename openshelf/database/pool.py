"""Connections: one URL, one pool per process, every statement with a time limit."""

import threading
import time
from functools import cache

import psycopg
from pgvector.psycopg import register_vector
from psycopg_pool import ConnectionPool

from openshelf.database import embedded
from openshelf.errors import DatabaseError
from openshelf.settings import Settings, get_settings

CONNECT_TIMEOUT_S = 5
# After a crash the embedded server can still be named for about a second though it is dead.
START_PATIENCE_S = 10

_start_lock = threading.Lock()


def database_url(settings: Settings) -> str:
    """Where Postgres is; starts the embedded one if no URL is set and waits until it answers."""
    if settings.database_url:
        return settings.database_url.get_secret_value()
    with _start_lock:
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


def _options(settings: Settings) -> str:
    timeout = settings.database_timeout_s
    return f"-c statement_timeout={timeout}s -c lock_timeout={timeout}s -c timezone=UTC"


def _configure(conn: psycopg.Connection) -> None:
    # Before the first migration there is no vector type to register.
    if conn.execute("select 1 from pg_type where typname = 'vector'").fetchone():
        register_vector(conn)
    conn.commit()


def connect(
    settings: Settings | None = None, *, autocommit: bool = False, unlimited: bool = False
) -> psycopg.Connection:
    """One connection of its own, for commands. `unlimited` lifts the statement limit for long work.

    Raises:
        DatabaseError: Postgres does not answer.
    """
    settings = settings or get_settings()
    options = "-c timezone=UTC" if unlimited else _options(settings)
    try:
        conn = psycopg.connect(
            database_url(settings), connect_timeout=CONNECT_TIMEOUT_S, options=options, autocommit=autocommit
        )
    except psycopg.OperationalError as error:
        raise DatabaseError(
            f"Postgres does not answer: {str(error).splitlines()[0]}. Is OPENSHELF_DATABASE_URL right?"
        ) from error
    _configure(conn)
    return conn


def ping(conn: psycopg.Connection) -> None:
    """One round trip; raises psycopg.OperationalError when Postgres is away."""
    conn.execute("select 1")


@cache
def get_pool() -> ConnectionPool[psycopg.Connection]:
    """The pool of this process (storefront, dataflow); reconnects by itself when Postgres comes back."""
    settings = get_settings()
    pool: ConnectionPool[psycopg.Connection] = ConnectionPool(
        database_url(settings),
        kwargs={"connect_timeout": CONNECT_TIMEOUT_S, "options": _options(settings)},
        min_size=1,
        max_size=8,
        timeout=CONNECT_TIMEOUT_S,
        configure=_configure,
        check=ConnectionPool.check_connection,
        open=False,
    )
    pool.open()
    return pool
