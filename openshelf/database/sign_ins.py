"""Sign-ins: who may begin one with a password, whose a browser's is, and how it ends."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString

import psycopg
from psycopg.rows import class_row

from openshelf import passwords
from openshelf.database import accounts, attempts
from openshelf.database.accounts import Account
from openshelf.database.attempts import Limit

# The narrowest first: who guesses at one name from one place is stopped without shutting out its owner elsewhere.
_HERE = Limit("password of a name from an address", 8, timedelta(minutes=10))
_NAME = Limit("password of a name", 40, timedelta(minutes=15))
_ADDRESS = Limit("password from an address", 60, timedelta(minutes=15))
# A sign-in that is looked at all the time is not written all the time.
_NOTED_EVERY = timedelta(seconds=20)
_VALID: LiteralString = "revoked_at is null and expires_at > now() and last_seen_at + idle > now()"


@dataclass(frozen=True)
class SignIn:
    """One browser that an account is signed in with."""

    token_hash: bytes
    created_at: datetime
    last_seen_at: datetime
    shared_computer: bool


def by_password(conn: psycopg.Connection, username: str, password: str, address: str, secret: bytes) -> Account | None:
    """The account of this name and password; None alike for an unknown name and a wrong password, after as long.

    Call it on a connection without an open transaction: tries are counted and committed before the password is
    looked at. `address`: where the asker comes from.

    Raises:
        TooOftenError: too many wrong passwords for this name or from this address.
    """
    name = accounts.normal_username(username)
    tries = [(_HERE, f"{name} {address}"), (_NAME, name), (_ADDRESS, address)]
    attempts.spend(conn, secret, tries)
    found = accounts.password_of(conn, name)
    conn.commit()  # hashing takes long: nothing waits for us meanwhile
    account_id, kept = found or (None, None)
    if not passwords.is_right(password, kept) or account_id is None or kept is None:
        return None
    attempts.give_back(conn, secret, tries)
    if passwords.is_outdated(kept):
        accounts.rehash_password(conn, account_id, passwords.hashed(password))
    return accounts.by_id(conn, account_id)


def begin(
    conn: psycopg.Connection,
    account_id: int,
    token_hash: bytes,
    *,
    idle: timedelta,
    expires_at: datetime,
    shared_computer: bool = False,
) -> None:
    """Keep a new sign-in by the SHA-256 of its token. It ends when not seen for `idle`, and at `expires_at` anyway."""
    conn.execute(
        """insert into reading.sign_ins (token_hash, account_id, expires_at, idle, shared_computer)
           values (%s, %s, %s, %s, %s)""",
        [token_hash, account_id, expires_at, idle, shared_computer],
    )


def account_of(conn: psycopg.Connection, token_hash: bytes) -> Account | None:
    """Whose valid sign-in this is; asking counts as being seen."""
    with conn.cursor(row_factory=class_row(Account)) as cursor:
        return cursor.execute(
            f"""with seen as (
                    update reading.sign_ins set last_seen_at = now()
                    where token_hash = %(hash)s and last_seen_at < now() - %(every)s and {_VALID}
                )
                select {accounts.COLUMNS} {accounts.FROM} join reading.sign_ins using (account_id)
                where token_hash = %(hash)s and {_VALID}""",
            {"hash": token_hash, "every": _NOTED_EVERY},
        ).fetchone()


def is_valid(conn: psycopg.Connection, token_hash: bytes) -> bool:
    """Whether the sign-in goes on; asking does not keep it going."""
    return (
        conn.execute(f"select 1 from reading.sign_ins where token_hash = %s and {_VALID}", [token_hash]).fetchone()
        is not None
    )


def of_account(conn: psycopg.Connection, account_id: int) -> list[SignIn]:
    """Where the account is signed in now, the last seen first."""
    with conn.cursor(row_factory=class_row(SignIn)) as cursor:
        return cursor.execute(
            f"""select token_hash, created_at, last_seen_at, shared_computer
                from reading.sign_ins where account_id = %s and {_VALID} order by last_seen_at desc""",
            [account_id],
        ).fetchall()


def end(conn: psycopg.Connection, token_hash: bytes) -> bool:
    """End a sign-in; whether it was one on a shared computer."""
    row = conn.execute(
        "update reading.sign_ins set revoked_at = coalesce(revoked_at, now()) where token_hash = %s"
        " returning shared_computer",
        [token_hash],
    ).fetchone()
    return bool(row and row[0])


def end_all(conn: psycopg.Connection, account_id: int, but: bytes | None = None) -> int:
    """End the account's sign-ins on all devices, but for one if given; how many."""
    return conn.execute(
        "update reading.sign_ins set revoked_at = now()"
        " where account_id = %s and revoked_at is null and token_hash is distinct from %s",
        [account_id, but],
    ).rowcount
