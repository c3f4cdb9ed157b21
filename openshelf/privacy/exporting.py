"""Everything the library keeps of a reader, as a ZIP of JSON and CSV files with a page that explains every field."""

import csv
import io
import json
import zipfile
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg

from openshelf.contracts import utc_now
from openshelf.database import accounts, exports
from openshelf.errors import UsageError
from openshelf.privacy import register
from openshelf.privacy.register import Kept

# What the fields mean; a test sees to it that none is missing.
FIELDS: dict[str, str] = {
    "account_id": "number of your account",
    "username": "the name you sign in with",
    "display_name": "the name that is shown",
    "role": "reader, staff or admin",
    "kind": "how you sign in, or what was decided about",
    "language": "language of the pages",
    "history_enabled": "whether a history is kept",
    "history_days": "for how many days it is kept; empty: until you delete it",
    "history_notice": "version of the privacy notice you agreed to",
    "personal": "whether recommendations follow what you do",
    "created_at": "when it was made",
    "email": "your e-mail address, if you gave one",
    "password_changed_at": "when the password was last changed",
    "audience_limit": "what a child account may see",
    "guardian_id": "number of the account that is the guardian of this one",
    "oidc_issuer": "who vouches for you, if you sign in at another place",
    "oidc_subject": "your number there",
    "reader_key": "the pseudonym under which your acts are stored",
    "consent_id": "number of the decision",
    "granted": "whether you agreed",
    "notice_version": "version of the privacy notice at that time",
    "decided_at": "when you decided",
    "expires_at": "when the sign-in ends",
    "revoked_at": "when you signed out",
    "last_seen_at": "when it was last used",
    "idle": "it ends when it is not used for so long",
    "shared_computer": "whether you said that others use this computer",
    "book_id": "number of the book in the library",
    "from_book_id": "its number when you put it there, if the library has since found that two numbers are one book",
    "title": "title of the book",
    "shelf": "want, reading or read",
    "added_at": "when it was put there",
    "stars": "your rating, 1 to 5",
    "rated_at": "when you rated",
    "hidden_at": "when you hid it",
    "list_id": "number of the list",
    "name": "name of the list",
    "rule": "what fills the list by itself",
    "removed_at": "when the list was removed; it can be brought back for a day",
    "part": "part of the text you were at, from 1",
    "block": "paragraph of that part, from 0",
    "progress": "how far through the book, from 0 to 1",
    "updated_at": "when it was noted",
    "request_id": "number of the request",
    "author": "author you named",
    "note": "what you wrote beside it",
    "request_key": "the title without case and accents, by which the same wish of several readers is found",
    "status": "how the library decided: asked, looking, bought or declined",
    "answer": "what the library says to it; of a chat: the books that were named, and why",
    "asked_at": "when you asked",
    "chat_days": "for how many days your chats with the librarian are kept; empty: they are not",
    "chat_id": "number of the chat",
    "turn": "place of the question in the chat, from 1",
    "question": "what you asked the librarian",
    "partition": "where in the event log it stands",
    "log_offset": "where in that part of the log it stands",
    "event_id": "number of the act",
    "payload": "the act as it was sent",
    "appended_at": "when the log took it",
    "version": "version of the format",
    "occurred_at": "when you did it",
    "session_id": "number of the visit",
    "action": "what you did",
    "slate_id": "number of the recommendation it answers",
    "position": "place in that recommendation, from 0",
    "surface": "where on the pages",
    "value": "stars, or seconds of reading",
    "reward": "what it counts for recommendations",
    "rewards_version": "version of these counts",
    "inferred": "whether we only inferred it: you passed over the book",
    "received_at": "when we got it",
    "stored_at": "when it was stored",
    "policy_version": "which version of the recommender chose",
    "arm": "which way of recommending you got in an experiment",
    "event_received_at": "when we got the act that led to it",
    "book_ids": "the books, in order",
    "propensities": "how likely each was to stand in its place",
    "sources": "what chose each: the recommender, popularity, or chance",
    "reasons": "why each was chosen",
    "reason_book_ids": "the book each reason speaks of",
    "started_at": "when it began",
    "last_act_at": "when the last act was",
    "ended_at": "when it ended",
    "count_acts": "how many acts",
    "count_shows": "how many books came on screen",
    "count_inferred": "how many were passed over",
    "experiment_id": "number of the experiment",
    "assigned_at": "when you came into it",
    "source": "where it was read",
    "found_at": "when it was found",
    "released_at": "when it was counted",
}


@dataclass(frozen=True)
class Export:
    """The file, and how many rows each part has."""

    zip: bytes
    counts: dict[str, int]


def export(conn: psycopg.Connection, account_id: int) -> Export:
    """What is kept of an account at this moment. An open transaction is committed before.

    Raises:
        UsageError: there is no such account.
    """
    conn.commit()
    with conn.transaction():
        # One moment for all parts.
        exports.freeze(conn)
        account = accounts.by_id(conn, account_id)
        if account is None:
            raise UsageError("there is no such account")
        there = set(register_tables(conn))
        parts = {
            kept.part: _rows(conn, kept, account) for kept in register.exported() if kept.part and kept.table in there
        }
    made_at = utc_now()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", _readme(parts, made_at))
        whole = {"made_at": made_at, "parts": parts}
        archive.writestr("everything.json", json.dumps(whole, default=_plain, ensure_ascii=False, indent=1))
        for part, rows in parts.items():
            archive.writestr(f"{part}.csv", _csv(rows))
    return Export(file.getvalue(), {part: len(rows) for part, rows in parts.items()})


def register_tables(conn: psycopg.Connection) -> list[str]:
    """Of the tables in the register those that are there; the warehouse may not have been built."""
    return exports.tables_there(conn, [kept.table for kept in register.REGISTER])


def _rows(conn: psycopg.Connection, kept: Kept, account: accounts.Account) -> list[dict[str, Any]]:
    schema, table = register.table_of(kept)
    column, value = (
        ("account_id", account.account_id) if kept.whose == "account" else ("reader_key", account.reader_key)
    )
    if value is None:  # no pseudonym: nothing is tied to the account
        return []
    found = exports.rows_of(conn, schema, table, column, value)
    rows = [{name: each for name, each in row.items() if name not in kept.secret} for row in found]
    titles = exports.titles(conn, {row["book_id"] for row in rows if row.get("book_id")})
    for row in rows:
        if row.get("book_id") in titles:
            row["title"] = titles[row["book_id"]]
    return rows


def _readme(parts: dict[str, list[dict[str, Any]]], made_at: datetime) -> str:
    what = {kept.part: kept for kept in register.exported()}
    lines = [
        "What the library keeps of you",
        "",
        f"Made {made_at:%Y-%m-%d %H:%M} UTC. everything.json holds all of it; the CSV files hold the same, one a part.",
        "Times are in UTC. Not in it: the hash of your password and of your sign-in cookies, which open your account.",
    ]
    for part, rows in parts.items():
        kept = what[part]
        lines += ["", f"{part}  ({len(rows)})", f"  {kept.what}. Why: {kept.why}. For how long: {kept.how_long}."]
        lines += [f"    {name}: {FIELDS[name]}" for name in (rows[0] if rows else {})]
    return "\n".join(lines) + "\n"


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    """A text that a spreadsheet would take for a formula is not one."""
    plain = json.dumps(value, default=_plain, ensure_ascii=False) if isinstance(value, dict | list) else value
    plain = _plain(plain) if not isinstance(plain, str | int | float | bool | None) else plain
    return f"'{plain}" if isinstance(plain, str) and plain[:1] in ("=", "+", "-", "@", "\t", "\r") else plain


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, UUID | timedelta):
        return str(value)
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
