"""Events that could not be taken: look at them, mend them, append them again."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import LiteralString
from uuid import UUID, uuid5

import msgspec
import psycopg
from psycopg.rows import class_row

from openshelf.contracts import BadEvent, Interaction, parse_interaction, utc_now
from openshelf.database import accounts, audit, events
from openshelf.database.accounts import Account
from openshelf.errors import UsageError

# In place of whoever acted, where staff look at an event.
HIDDEN = "(hidden)"
_WHO = re.compile(rb'("(?:reader_key|session_id)"\s*:\s*")([^"]*)(")')
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


def for_staff(conn: psycopg.Connection, staff: Account | None, limit: int = 50) -> list[DeadLetter]:
    """The newest that wait, without who acted. Raises NotAllowedError."""
    accounts.must_be_staff(staff)
    return [replace(letter, payload=_without_who(letter.payload)) for letter in waiting(conn, limit)]


def replay_by_staff(conn: psycopg.Connection, staff: Account | None, dead_letter_id: int, mended: str = "") -> None:
    """Append the event again, as it was or mended, and note who did it.

    `mended`: the event as `for_staff` shows it, changed; who acted is put back from the letter.

    Raises:
        NotAllowedError: who asks is not staff.
        UsageError: there is no such letter, it was replayed, or the event is still bad.
    """
    account = accounts.must_be_staff(staff)
    letter = find(conn, dead_letter_id)
    if letter is None or letter.replayed_at:
        raise UsageError("this event was replayed already, or is not there any longer")
    raw = _with_who(mended.encode(), letter.payload) if mended.strip() else letter.payload
    event = parse_interaction(raw, utc_now())
    if isinstance(event, BadEvent):
        raise UsageError(event.reason)
    with conn.transaction():
        if not replay(conn, letter, event):
            raise UsageError("this event was replayed already, or is not there any longer")
        audit.note(conn, audit.actor_of(account.account_id), "replay dead letter", str(dead_letter_id))


def _without_who(payload: bytes) -> bytes:
    return _WHO.sub(rb"\g<1>" + HIDDEN.encode() + rb"\g<3>", payload)


def _with_who(mended: bytes, payload: bytes) -> bytes:
    """`mended` with what was hidden in it put back, in order."""
    kept = iter([found[2] for found in _WHO.finditer(payload)])

    def back(found: re.Match[bytes]) -> bytes:
        value = next(kept, found[2])
        return found[1] + (value if found[2] == HIDDEN.encode() else found[2]) + found[3]

    return _WHO.sub(back, mended)
