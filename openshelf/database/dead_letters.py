"""Events that could not be taken: look at them, mend them, append them again."""

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID, uuid5

import msgspec
import psycopg
from psycopg.rows import class_row

from openshelf.contracts import Interaction
from openshelf.database import events

_REPLAY_NAMESPACE = UUID("b8a1c6ce-0f3c-4b83-8f52-6a4a0de0a1f7")


@dataclass(frozen=True)
class DeadLetter:
    dead_letter_id: int
    source: str
    partition: int
    log_offset: int
    reason: str
    payload: bytes
    found_at: datetime
    replayed_at: datetime | None


_DEAD_LETTER: LiteralString = "dead_letter_id, source, partition, log_offset, reason, payload, found_at, replayed_at"


def waiting(conn: psycopg.Connection, limit: int = 100, *, with_replayed: bool = False) -> list[DeadLetter]:
    """The newest dead letters, those waiting only unless asked otherwise."""
    with conn.cursor(row_factory=class_row(DeadLetter)) as cursor:
        return cursor.execute(
            f"""select {_DEAD_LETTER} from stream.dead_letters
                where %s or replayed_at is null order by dead_letter_id desc limit %s""",
            [with_replayed, limit],
        ).fetchall()


def find(conn: psycopg.Connection, dead_letter_id: int) -> DeadLetter | None:
    with conn.cursor(row_factory=class_row(DeadLetter)) as cursor:
        return cursor.execute(
            f"select {_DEAD_LETTER} from stream.dead_letters where dead_letter_id = %s", [dead_letter_id]
        ).fetchone()


def replay(conn: psycopg.Connection, letter: DeadLetter, event: Interaction) -> bool:
    """Append the mended act and mark the letter, in one transaction; False if it was replayed before.

    The act gets a new event_id, made from the letter's place: its own is in the log already, with the bad payload.
    """
    mended = msgspec.structs.replace(
        event, event_id=uuid5(_REPLAY_NAMESPACE, f"{letter.source}/{letter.partition}/{letter.log_offset}")
    )
    with conn.transaction():
        marked = conn.execute(
            "update stream.dead_letters set replayed_at = now() where dead_letter_id = %s and replayed_at is null",
            [letter.dead_letter_id],
        )
        if marked.rowcount:
            events.append(conn, mended)
    return bool(marked.rowcount)
