"""What staff see of works: what was joined, which pairs may be one, what was decided, what authors are called.

What they decide: `openshelf.works_deciding`. Everybody else is refused (NotAllowedError).
"""

from dataclasses import dataclass

import psycopg

from openshelf.database import accounts, works
from openshelf.database.accounts import Account
from openshelf.database.works import Alias, Joined, Near, Told


@dataclass(frozen=True)
class Desk:
    """`count_joined`: works of several editions, of which `joined` are the first."""

    count_joined: int
    joined: list[Joined]
    near: list[Near]
    decisions: list[Told]
    aliases: list[Alias]


def desk(conn: psycopg.Connection, staff: Account | None, limit: int = 100) -> Desk:
    """The whole desk, at most so many of each. Raises NotAllowedError."""
    accounts.must_be_staff(staff)
    return Desk(
        works.count_joined(conn),
        works.joined(conn, limit),
        works.near(conn, limit),
        works.latest_decisions(conn, limit),
        works.aliases(conn),
    )


def near(conn: psycopg.Connection, staff: Account | None, book_id: int) -> list[Near]:
    """Works that may be this one. Raises NotAllowedError."""
    accounts.must_be_staff(staff)
    return works.near(conn, 20, book_id)
