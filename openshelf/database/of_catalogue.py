"""What is made of the whole catalogue once, and kept until that changes."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

import psycopg

from openshelf.database import catalogue

T = TypeVar("T")


def kept(make: Callable[[psycopg.Connection], T]) -> Callable[[psycopg.Connection], T]:
    """Decorator: the result is kept for the catalogue last asked about. Who takes it must not change it."""
    held: tuple[tuple[str, int], T] | None = None

    @wraps(make)
    def of_catalogue(conn: psycopg.Connection) -> T:
        nonlocal held
        of = (conn.info.dsn, catalogue.version(conn))
        found = held  # another thread may put its own there meanwhile
        if found is None or found[0] != of:
            held = found = (of, make(conn))
        return found[1]

    return of_catalogue
