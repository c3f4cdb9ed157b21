"""What staff and operators did, one row an act. People stand in it by number, so that no name outlives its account."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import psycopg
from psycopg.rows import class_row

OPERATOR: Final = "command line"


@dataclass(frozen=True)
class Note:
    noted_at: datetime
    actor: str
    act: str
    subject: str


def actor_of(account_id: int) -> str:
    return f"account {account_id}"


def note(conn: psycopg.Connection, actor: str, act: str, subject: str) -> None:
    """Write an act down in the caller's transaction: it is noted if and only if it was done.

    `actor`: `OPERATOR` or `actor_of(account_id)`; `act`: short words, as in 'promote model'; `subject`: what it was
    done to, without names of people.
    """
    conn.execute("insert into reading.audit_log (actor, act, subject) values (%s, %s, %s)", [actor, act, subject])


def latest(conn: psycopg.Connection, limit: int = 100) -> list[Note]:
    with conn.cursor(row_factory=class_row(Note)) as cursor:
        return cursor.execute(
            "select noted_at, actor, act, subject from reading.audit_log order by audit_id desc limit %s", [limit]
        ).fetchall()
