"""Accounts, pseudonyms, sign-ins, and what a reader keeps: shelves, ratings, hidden books."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

import psycopg
from psycopg.rows import class_row

from openshelf.database import audit
from openshelf.database.works import TODAY
from openshelf.errors import NotAllowedError
from openshelf.readers import NOTICE_VERSION

ROLES = ("reader", "staff", "admin")
_STAFF = ("staff", "admin")
# Letters of any language, digits, and within the name dots, hyphens and underscores.
_USERNAME = re.compile(r"[^\W_][\w.\-]{1,39}")


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
    history_days: int | None = 90  # None: until the reader deletes it
    history_notice: str | None = None  # version of the notice on which the history was turned on
    personal: bool = True  # False: popular and new for everyone alike, and no act is stored

    @property
    def keeps_history(self) -> bool:
        """Whether acts are tied to the account now. When the notice changes, not until the reader has agreed again."""
        return self.history_enabled and self.history_notice == NOTICE_VERSION

    @property
    def is_staff(self) -> bool:
        return self.role in _STAFF


def must_be_staff(account: Account | None) -> Account:
    """Who may see what staff see, and do what staff do. Raises NotAllowedError."""
    if account is None or not account.is_staff:
        raise NotAllowedError("only library staff may see or do this")
    return account


# What an account is read from, for those who find accounts by other tables.
COLUMNS: LiteralString = """account_id, username, display_name, role, kind, history_enabled, reader_key,
    audience_limit, guardian_id, email, history_days, history_notice, personal"""
FROM: LiteralString = "from reading.accounts left join reading.pseudonyms using (account_id)"


def normal_username(text: str) -> str:
    """One form of a user name, however it was typed: 'Lan ' and 'lan' are the same."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def is_username(name: str) -> bool:
    """Whether a normal user name may be given to a new account."""
    return _USERNAME.fullmatch(name) is not None


def create_local(
    conn: psycopg.Connection,
    username: str,
    display_name: str,
    password_hash: str,
    *,
    email: str | None = None,
    role: str = "reader",
) -> Account | None:
    """Create an account with a password; None if the user name is taken. No history is kept until the reader says so.

    `username`: normal (see `normal_username`).
    """
    row = conn.execute(
        """insert into reading.accounts (username, display_name, password_hash, email, role, password_changed_at)
           values (%s, %s, %s, %s, %s, now()) on conflict (username) do nothing returning account_id""",
        [username, display_name, password_hash, email, role],
    ).fetchone()
    return by_id(conn, row[0]) if row else None


def of_provider(conn: psycopg.Connection, issuer: str, subject: str, display_name: str, email: str | None) -> Account:
    """The account of who signed in at the library's own provider; made at the first sign-in. Roles are given here."""
    username = "oidc-" + hashlib.sha256(f"{issuer} {subject}".encode()).hexdigest()[:16]
    conn.execute(
        """insert into reading.accounts (username, display_name, email, kind, oidc_issuer, oidc_subject)
           values (%s, %s, %s, 'oidc', %s, %s)
           on conflict (oidc_issuer, oidc_subject) do update set
               display_name = excluded.display_name, email = excluded.email""",
        [username, display_name, email, issuer, subject],
    )
    account = by_username(conn, username)
    assert account
    return account


def create_child(
    conn: psycopg.Connection, guardian_id: int, username: str, display_name: str, password_hash: str, limit: str
) -> Account | None:
    """Create a child account under a guardian's, who alone sets what it may see; None if the user name is taken.

    Raises:
        NotAllowedError: the guardian's account is limited itself, or gone.
    """
    guardian = by_id(conn, guardian_id)
    if guardian is None or guardian.audience_limit is not None:
        raise NotAllowedError("only an account without a limit of its own can have child accounts")
    row = conn.execute(
        """insert into reading.accounts
               (username, display_name, password_hash, guardian_id, audience_limit, password_changed_at)
           values (%s, %s, %s, %s, %s, now()) on conflict (username) do nothing returning account_id""",
        [username, display_name, password_hash, guardian_id, limit],
    ).fetchone()
    return by_id(conn, row[0]) if row else None


def children(conn: psycopg.Connection, guardian_id: int) -> list[Account]:
    with conn.cursor(row_factory=class_row(Account)) as cursor:
        return cursor.execute(
            f"select {COLUMNS} {FROM} where guardian_id = %s order by account_id", [guardian_id]
        ).fetchall()


def set_child_limit(conn: psycopg.Connection, guardian_id: int, child_id: int, limit: str | None) -> None:
    """Change what a child may see. None: the child has grown up; the account is their own from now on.

    Raises:
        NotAllowedError: it is not a child of this guardian.
    """
    changed = conn.execute(
        """update reading.accounts
           set
               audience_limit = %(limit)s,
               guardian_id = case when %(limit)s::text is not null then guardian_id end
           where account_id = %(child)s and guardian_id = %(guardian)s""",
        {"limit": limit, "child": child_id, "guardian": guardian_id},
    )
    if changed.rowcount != 1:
        raise NotAllowedError("only a guardian changes the limit of a child account")


def child_of(conn: psycopg.Connection, guardian_id: int, child_id: int) -> Account:
    """The child's account, for what only its guardian does to it.

    Raises:
        NotAllowedError: it is not a child of this guardian.
    """
    child = by_id(conn, child_id)
    if child is None or child.guardian_id != guardian_id:
        raise NotAllowedError("only its guardian changes or removes a child account")
    return child


def create_demo(
    conn: psycopg.Connection, username: str, display_name: str, *, role: str, history_enabled: bool
) -> Account:
    """Create a demo account, or return the one that is there."""
    conn.execute(
        """insert into reading.accounts (username, display_name, role, kind, history_enabled, history_notice)
           values (%s, %s, %s, 'demo', %s, %s) on conflict (username) do nothing""",
        [username, display_name, role, history_enabled, NOTICE_VERSION if history_enabled else None],
    )
    account = by_username(conn, username)
    assert account
    return account


def by_id(conn: psycopg.Connection, account_id: int) -> Account | None:
    with conn.cursor(row_factory=class_row(Account)) as cursor:
        return cursor.execute(f"select {COLUMNS} {FROM} where account_id = %s", [account_id]).fetchone()


def by_username(conn: psycopg.Connection, username: str) -> Account | None:
    with conn.cursor(row_factory=class_row(Account)) as cursor:
        return cursor.execute(f"select {COLUMNS} {FROM} where username = %s", [username]).fetchone()


def demo_accounts(conn: psycopg.Connection) -> list[Account]:
    with conn.cursor(row_factory=class_row(Account)) as cursor:
        return cursor.execute(f"select {COLUMNS} {FROM} where kind = 'demo' order by account_id").fetchall()


def pseudonym_or(conn: psycopg.Connection, account_id: int, new: str) -> str:
    """The reader_key of an account; this one from now on if it has none."""
    row = conn.execute(
        """insert into reading.pseudonyms as known (account_id, reader_key) values (%s, %s)
           on conflict (account_id) do update set reader_key = known.reader_key returning reader_key""",
        [account_id, new],
    ).fetchone()
    assert row
    return row[0]


def take_pseudonym(conn: psycopg.Connection, account_id: int) -> str | None:
    """Part an account from its reader_key; None if it has none. Of two who ask at once the second gets none."""
    conn.execute("select from reading.accounts where account_id = %s for update", [account_id])
    row = conn.execute(
        "delete from reading.pseudonyms where account_id = %s returning reader_key", [account_id]
    ).fetchone()
    return row[0] if row else None


def close(conn: psycopg.Connection, account_id: int) -> None:
    """End every sign-in of an account that is being erased, and let nobody sign in to it any more."""
    conn.execute("delete from reading.sign_ins where account_id = %s", [account_id])
    conn.execute(
        "update reading.accounts set history_enabled = false, password_hash = null where account_id = %s", [account_id]
    )


def is_last_admin(conn: psycopg.Connection, account_id: int) -> bool:
    row = conn.execute(
        "select not exists (select from reading.accounts where role = 'admin' and account_id <> %s)", [account_id]
    ).fetchone()
    assert row
    return row[0]


def set_history_days(conn: psycopg.Connection, account_id: int, days: int | None) -> None:
    conn.execute("update reading.accounts set history_days = %s where account_id = %s", [days, account_id])


def set_personal(conn: psycopg.Connection, account_id: int, personal: bool) -> None:
    conn.execute("update reading.accounts set personal = %s where account_id = %s", [personal, account_id])


def pseudonyms(conn: psycopg.Connection) -> list[tuple[int, str]]:
    """account_id and reader_key of every account that has one."""
    return conn.execute("select account_id, reader_key from reading.pseudonyms order by account_id").fetchall()


def all_created(conn: psycopg.Connection) -> list[tuple[int, datetime]]:
    """account_id and when it was made, of every account."""
    return conn.execute("select account_id, created_at from reading.accounts order by account_id").fetchall()


def created_at(conn: psycopg.Connection, account_id: int) -> datetime | None:
    row = conn.execute("select created_at from reading.accounts where account_id = %s", [account_id]).fetchone()
    return row[0] if row else None


def password_of(conn: psycopg.Connection, username: str) -> tuple[int, str | None] | None:
    """account_id and password hash; the hash is None of accounts that sign in another way."""
    return conn.execute(
        "select account_id, password_hash from reading.accounts where username = %s and kind = 'local'", [username]
    ).fetchone()


def set_password(conn: psycopg.Connection, account_id: int, password_hash: str) -> None:
    conn.execute(
        "update reading.accounts set password_hash = %s, password_changed_at = now()"
        " where account_id = %s and kind = 'local'",
        [password_hash, account_id],
    )


def rehash_password(conn: psycopg.Connection, account_id: int, password_hash: str) -> None:
    """Keep the same password under newer parameters."""
    conn.execute("update reading.accounts set password_hash = %s where account_id = %s", [password_hash, account_id])


def set_profile(conn: psycopg.Connection, account_id: int, display_name: str, email: str | None) -> None:
    conn.execute(
        "update reading.accounts set display_name = %s, email = %s where account_id = %s",
        [display_name, email, account_id],
    )


def set_role(conn: psycopg.Connection, username: str, role: str, actor: str = audit.OPERATOR) -> bool:
    """Give an account another role and note who did; False if there is no such account.

    Raises:
        NotAllowedError: a child account, which has no other role.
    """
    account = by_username(conn, username)
    if account is None:
        return False
    if account.audience_limit is not None and role != "reader":
        raise NotAllowedError("a child account is a reader's; its guardian can let it grow up first")
    conn.execute("update reading.accounts set role = %s where account_id = %s", [role, account.account_id])
    audit.note(conn, actor, f"give role {role}", audit.actor_of(account.account_id))
    return True


def set_history(conn: psycopg.Connection, account_id: int, enabled: bool, notice_version: str) -> None:
    """Turn the history on or off and keep the decision with the version of the notice it was made on.

    Raises:
        NotAllowedError: turned on for an account with a limit: of children no history is kept.
    """
    changed = conn.execute(
        """update reading.accounts
           set history_enabled = %(on)s, history_notice = case when %(on)s then %(notice)s else history_notice end
           where account_id = %(account)s and (audience_limit is null or not %(on)s)""",
        {"on": enabled, "account": account_id, "notice": notice_version},
    )
    if changed.rowcount != 1:
        raise NotAllowedError("of a child account no history is kept")
    conn.execute(
        "insert into reading.consents (account_id, kind, granted, notice_version) values (%s, 'history', %s, %s)",
        [account_id, enabled, notice_version],
    )


def put_on_shelf(conn: psycopg.Connection, account_id: int, book_id: int, shelf: str) -> None:
    conn.execute(
        f"""insert into reading.shelf_entries (account_id, book_id, shelf) values (%(account)s, {TODAY}, %(shelf)s)
            on conflict (account_id, book_id) do update set shelf = excluded.shelf, added_at = now()""",
        {"account": account_id, "book": book_id, "shelf": shelf},
    )


def take_off_shelf(conn: psycopg.Connection, account_id: int, book_id: int) -> None:
    conn.execute(
        f"delete from reading.shelf_entries where account_id = %(account)s and book_id = {TODAY}",
        {"account": account_id, "book": book_id},
    )


def take_off_reading(conn: psycopg.Connection, account_id: int) -> int:
    """Empty the shelf that opening a text puts books on; how many stood there."""
    return conn.execute(
        "delete from reading.shelf_entries where account_id = %s and shelf = 'reading'", [account_id]
    ).rowcount


def shelves(conn: psycopg.Connection, account_id: int) -> dict[int, str]:
    """book_id -> shelf, newest first."""
    rows = conn.execute(
        "select book_id, shelf from reading.shelf_entries where account_id = %s order by added_at desc", [account_id]
    )
    return dict(rows.fetchall())


def rate(conn: psycopg.Connection, account_id: int, book_id: int, stars: float) -> None:
    conn.execute(
        f"""insert into reading.ratings (account_id, book_id, stars) values (%(account)s, {TODAY}, %(stars)s)
            on conflict (account_id, book_id) do update set stars = excluded.stars, rated_at = now()""",
        {"account": account_id, "book": book_id, "stars": stars},
    )


def ratings(conn: psycopg.Connection, account_id: int) -> dict[int, float]:
    return dict(
        conn.execute("select book_id, stars from reading.ratings where account_id = %s", [account_id]).fetchall()
    )


def hide(conn: psycopg.Connection, account_id: int, book_id: int) -> None:
    conn.execute(
        f"insert into reading.hidden_books (account_id, book_id) values (%(account)s, {TODAY}) on conflict do nothing",
        {"account": account_id, "book": book_id},
    )


def unhide(conn: psycopg.Connection, account_id: int, book_id: int) -> None:
    conn.execute(
        f"delete from reading.hidden_books where account_id = %(account)s and book_id = {TODAY}",
        {"account": account_id, "book": book_id},
    )


def hidden(conn: psycopg.Connection, account_id: int) -> list[int]:
    """Hidden works, the newest first."""
    rows = conn.execute(
        "select book_id from reading.hidden_books where account_id = %s order by hidden_at desc", [account_id]
    )
    return [book_id for (book_id,) in rows]
