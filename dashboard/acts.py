"""Record what a reader does: the change they keep and the event, in one transaction.

A reader who is not signed in changes nothing that is kept; the event alone moves their shelf.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg

from openshelf import readers
from openshelf.contracts import Action, Interaction, Surface, new_event_id
from openshelf.database import accounts, events


@dataclass(frozen=True)
class Reader:
    """Under what an act is recorded; `account_id` only of who is signed in."""

    reader_key: str
    session_id: UUID
    account_id: int | None = None
    personal: bool = True  # False: what they put down by hand is kept, and no act is stored


@dataclass(frozen=True)
class Deed:
    """One act before it is an event. `slate_id` and `position`: the place it answers, if it answers one."""

    action: Action
    surface: Surface
    book_id: int | None = None
    value: float | None = None
    slate_id: UUID | None = None
    position: int | None = None


def record(conn: psycopg.Connection, reader: Reader, deeds: Sequence[Deed], now: datetime) -> list[Interaction]:
    """Record acts of one reader in the caller's transaction, in order.

    Returns the acts as events; of who wants nothing personal none was appended. Taking a book off the want-to-read
    shelf is no act and appends none.
    """
    appended = []
    for deed in deeds:
        if reader.account_id is not None and deed.book_id is not None:
            _keep(conn, reader.account_id, deed, has_history=not readers.is_session_key(reader.reader_key))
        appended.append(
            Interaction(
                event_id=new_event_id(),
                occurred_at=now,
                reader_key=reader.reader_key,
                session_id=reader.session_id,
                action=deed.action,
                book_id=deed.book_id,
                slate_id=deed.slate_id,
                position=deed.position if deed.slate_id else None,
                surface=deed.surface,
                value=deed.value,
            )
        )
    if reader.personal:
        events.append_many(conn, appended)
    return appended


def _keep(conn: psycopg.Connection, account_id: int, deed: Deed, *, has_history: bool) -> None:
    """What a signed-in reader asked to be kept by this act. That a text was opened, only of who keeps a history."""
    assert deed.book_id is not None
    match deed.action:
        case Action.WANT:
            accounts.put_on_shelf(conn, account_id, deed.book_id, "want")
        case Action.READ:
            if has_history and accounts.shelves(conn, account_id).get(deed.book_id) != "read":
                accounts.put_on_shelf(conn, account_id, deed.book_id, "reading")
        case Action.FINISH:
            accounts.put_on_shelf(conn, account_id, deed.book_id, "read")
        case Action.RATE:
            assert deed.value is not None
            accounts.rate(conn, account_id, deed.book_id, deed.value)
        case Action.HIDE:
            accounts.hide(conn, account_id, deed.book_id)
        case Action.UNHIDE:
            accounts.unhide(conn, account_id, deed.book_id)
