"""How often something may be tried: counted in Postgres, so by all processes together and over restarts.

A limit opens again by itself when its time is over, however often one knocked meanwhile: nobody is locked out for good.
"""

import hmac
from dataclasses import dataclass
from datetime import timedelta

import psycopg

from openshelf.errors import TooOftenError


@dataclass(frozen=True)
class Limit:
    """So many tries in so long a time, of one action by one who tries."""

    action: str
    count: int
    within: timedelta


def spend(conn: psycopg.Connection, secret: bytes, tries: list[tuple[Limit, str]]) -> None:
    """Count one try against each limit, in a transaction of its own if none is open.

    `tries`: the limit and who tries (an address, a name); kept is only its keyed hash. What one limit refuses does
    not count against those after it, so put the narrowest first; the same order everywhere, lest two wait in a circle.

    Raises:
        TooOftenError: one of the limits was reached already, until when.
    """
    until = None
    with conn.transaction():
        for limit, who in tries:
            row = conn.execute(
                """insert into reading.attempts as a (action, who, count_tried, resets_at)
                   values (%(action)s, %(who)s, 1, now() + %(within)s)
                   on conflict (action, who) do update set
                       count_tried = case when a.resets_at <= now() then 1 else a.count_tried + 1 end,
                       resets_at = case when a.resets_at <= now() then excluded.resets_at else a.resets_at end
                   returning count_tried, resets_at""",
                {"action": limit.action, "who": _hidden(secret, who), "within": limit.within},
            ).fetchone()
            assert row
            if row[0] > limit.count:
                until = row[1]
                break
    if until:  # outside of the transaction: the try counts
        raise TooOftenError(until)


def give_back(conn: psycopg.Connection, secret: bytes, tries: list[tuple[Limit, str]]) -> None:
    """Take back one try each: it was a right one."""
    for limit, who in tries:
        conn.execute(
            "update reading.attempts set count_tried = count_tried - 1"
            " where action = %s and who = %s and count_tried > 0",
            [limit.action, _hidden(secret, who)],
        )


def _hidden(secret: bytes, who: str) -> bytes:
    return hmac.digest(secret, f"attempt {who}".encode("utf-8", "replace"), "sha256")[:16]
