"""What a reader decides about their own data. Whose account it is, the caller has checked."""

import secrets
from dataclasses import dataclass

import psycopg

from openshelf import readers
from openshelf.database import accounts, chats
from openshelf.errors import NotAllowedError
from openshelf.privacy import erasing
from openshelf.settings import Settings

DEFAULT_DAYS = 90
DEFAULT_CHAT_DAYS = 30
MOST_DAYS = 3_650


@dataclass(frozen=True)
class History:
    """`days`: None, until the reader deletes it. `asks_again`: the notice has changed since they agreed; it pauses."""

    is_on: bool
    days: int | None
    asks_again: bool


def history_of(account: accounts.Account) -> History:
    return History(account.history_enabled, account.history_days, account.history_enabled and not account.keeps_history)


def keep_history(conn: psycopg.Connection, account_id: int, days: int | None) -> None:
    """Turn the history on, or change how long it is kept, and note on which notice it was agreed to.

    Raises:
        NotAllowedError: the account is gone or a child's, or the days are not from 1 to 3,650.
    """
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise NotAllowedError(f"a history is kept for 1 to {MOST_DAYS} days, or until it is deleted")
    accounts.set_history(conn, account_id, True, readers.NOTICE_VERSION)
    accounts.set_history_days(conn, account_id, days)


def stop_history(conn: psycopg.Connection, account_id: int) -> list[int]:
    """Turn the history off and ask that what there is of it be removed; the requests, for `erasing.finish`."""
    accounts.set_history(conn, account_id, False, readers.NOTICE_VERSION)
    return erasing.clear_history(conn, account_id)


def chats_of(conn: psycopg.Connection, account_id: int) -> chats.Choice:
    """Whether an account's chats with the librarian are kept, and for how long."""
    return chats.choice(conn, account_id, readers.NOTICE_VERSION)


def keep_chats(conn: psycopg.Connection, account_id: int, days: int) -> None:
    """Keep the chats of an account from now on, or change for how long.

    Raises:
        NotAllowedError: the account is gone or a child's, or the days are not from 1 to 3,650.
    """
    if not 1 <= days <= MOST_DAYS:
        raise NotAllowedError(f"chats are kept for 1 to {MOST_DAYS} days")
    chats.decide(conn, account_id, days, readers.NOTICE_VERSION)


def stop_chats(conn: psycopg.Connection, account_id: int) -> int:
    """Keep no chats from now on, and delete those there are; how many questions that were."""
    chats.decide(conn, account_id, None, readers.NOTICE_VERSION)
    return chats.forget(conn, account_id)


def be_personal(conn: psycopg.Connection, account_id: int, personal: bool) -> None:
    """False: popular and new books for everyone alike, and no act of this account is stored."""
    accounts.set_personal(conn, account_id, personal)


def pseudonym(conn: psycopg.Connection, settings: Settings, account_id: int) -> str:
    """The reader_key of an account; a new one, which nobody can foretell, if it has none or had its history cleared."""
    new = readers.account_key(settings.reader_secret(), account_id, secrets.token_bytes(16))
    return accounts.pseudonym_or(conn, account_id, new)
