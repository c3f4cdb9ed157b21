"""Accounts, pseudonyms, sign-ins, and what a reader keeps: shelves, ratings, hidden books."""

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True)
class Account:
    account_id: int
    username: str
    display_name: str
    role: str
    kind: str
    history_enabled: bool
    reader_key: str | None
    audience_limit: str | None = None  # 'children' or 'young adult': what a child may see; None: everything
    guardian_id: int | None = None  # whose child account this is
    email: str | None = None


_COLUMNS: LiteralString = """account_id, username, display_name, role, kind, history_enabled, reader_key,
    audience_limit, guardian_id, email"""
_FROM: LiteralString = "from reading.accounts left join reading.pseudonyms using (account_id)"


def create_demo(
    conn: psycopg.Connection, username: str, display_name: str, *, role: str, history_enabled: bool
) -> Account:
    """Create a demo account, or return the one that is there."""
    conn.execute(
        """insert into reading.accounts (username, display_name, role, kind, history_enabled)
           values (%s, %s, %s, 'demo', %s) on conflict (username) do nothing""",
        [username, display_name, role, history_enabled],
    )
    account = by_username(conn, username)
    assert account
    return account


def by_username(conn: psycopg.Connection, username: str) -> Account | None:
    with conn.cursor(row_factory=class_row(Account)) as cursor:
        return cursor.execute(f"select {_COLUMNS} {_FROM} where username = %s", [username]).fetchone()


def demo_accounts(conn: psycopg.Connection) -> list[Account]:
    with conn.cursor(row_factory=class_row(Account)) as cursor:
        return cursor.execute(f"select {_COLUMNS} {_FROM} where kind = 'demo' order by account_id").fetchall()


def set_pseudonym(conn: psycopg.Connection, account_id: int, reader_key: str) -> None:
    conn.execute(
        """insert into reading.pseudonyms (account_id, reader_key) values (%s, %s)
           on conflict (account_id) do update set reader_key = excluded.reader_key""",
        [account_id, reader_key],
    )


def set_role(conn: psycopg.Connection, username: str, role: str) -> bool:
    return conn.execute("update reading.accounts set role = %s where username = %s", [role, username]).rowcount == 1


def set_history(conn: psycopg.Connection, account_id: int, enabled: bool, notice_version: str) -> None:
    """Turn the history on or off and keep the decision with the version of the notice it was made on."""
    conn.execute("update reading.accounts set history_enabled = %s where account_id = %s", [enabled, account_id])
    conn.execute(
        "insert into reading.consents (account_id, kind, granted, notice_version) values (%s, 'history', %s, %s)",
        [account_id, enabled, notice_version],
    )


def sign_in(conn: psycopg.Connection, account_id: int, token_hash: bytes, expires_at: datetime) -> None:
    conn.execute(
        "insert into reading.sign_ins (token_hash, account_id, expires_at) values (%s, %s, %s)",
        [token_hash, account_id, expires_at],
    )


def signed_in(conn: psycopg.Connection, token_hash: bytes) -> Account | None:
    """Whose valid sign-in this is."""
    with conn.cursor(row_factory=class_row(Account)) as cursor:
        return cursor.execute(
            f"""select {_COLUMNS} {_FROM} join reading.sign_ins using (account_id)
                where token_hash = %s and expires_at > now() and revoked_at is null""",
            [token_hash],
        ).fetchone()


def sign_out(conn: psycopg.Connection, token_hash: bytes) -> None:
    conn.execute("update reading.sign_ins set revoked_at = now() where token_hash = %s", [token_hash])


def put_on_shelf(conn: psycopg.Connection, account_id: int, book_id: int, shelf: str) -> None:
    conn.execute(
        """insert into reading.shelf_entries (account_id, book_id, shelf) values (%s, %s, %s)
           on conflict (account_id, book_id) do update set shelf = excluded.shelf, added_at = now()""",
        [account_id, book_id, shelf],
    )


def take_off_shelf(conn: psycopg.Connection, account_id: int, book_id: int) -> None:
    conn.execute("delete from reading.shelf_entries where account_id = %s and book_id = %s", [account_id, book_id])


def shelves(conn: psycopg.Connection, account_id: int) -> dict[int, str]:
    """book_id -> shelf, newest first."""
    rows = conn.execute(
        "select book_id, shelf from reading.shelf_entries where account_id = %s order by added_at desc", [account_id]
    )
    return dict(rows.fetchall())


def rate(conn: psycopg.Connection, account_id: int, book_id: int, stars: float) -> None:
    conn.execute(
        """insert into reading.ratings (account_id, book_id, stars) values (%s, %s, %s)
           on conflict (account_id, book_id) do update set stars = excluded.stars, rated_at = now()""",
        [account_id, book_id, stars],
    )


def ratings(conn: psycopg.Connection, account_id: int) -> dict[int, float]:
    return dict(
        conn.execute("select book_id, stars from reading.ratings where account_id = %s", [account_id]).fetchall()
    )


def hide(conn: psycopg.Connection, account_id: int, book_id: int) -> None:
    conn.execute(
        "insert into reading.hidden_books (account_id, book_id) values (%s, %s) on conflict do nothing",
        [account_id, book_id],
    )


def unhide(conn: psycopg.Connection, account_id: int, book_id: int) -> None:
    conn.execute("delete from reading.hidden_books where account_id = %s and book_id = %s", [account_id, book_id])


def hidden(conn: psycopg.Connection, account_id: int) -> list[int]:
    """Hidden works, the newest first."""
    rows = conn.execute(
        "select book_id from reading.hidden_books where account_id = %s order by hidden_at desc", [account_id]
    )
    return [book_id for (book_id,) in rows]
