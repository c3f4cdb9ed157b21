"""Keys of foreign programs: made, looked up and counted at each request, revoked."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import LiteralString

import psycopg
from psycopg.rows import class_row

from openshelf.errors import UsageError

# So that a key is known for one wherever it is left lying.
_MARK = "osk_"
_SHOWN = 12


class Scope(StrEnum):
    """What a key is good for."""

    READ = "read"  # the catalogue, where it is not public
    RECOMMEND = "recommend"  # slates of the program's own readers
    WRITE = "write"  # acts of the program's own readers
    ANY_READER = "any-reader"  # staff tools: readers by the very reader_key of the stream


@dataclass(frozen=True)
class ApiKey:
    api_key_id: int
    name: str
    source: str
    prefix: str
    scopes: list[str]
    requests_per_minute: int
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True)
class Use:
    """One request under a key. `count`: which of this minute it is; `resets_s`: until the next minute is counted."""

    key: ApiKey
    count: int
    resets_s: int


_COLUMNS: LiteralString = """api_key_id, name, source, prefix, scopes, requests_per_minute, created_at, expires_at,
    revoked_at, last_used_at"""


def create(
    conn: psycopg.Connection,
    name: str,
    *,
    source: str,
    scopes: Sequence[Scope],
    requests_per_minute: int,
    lasts: timedelta | None,
) -> tuple[ApiKey, str]:
    """Make a key; returns it as kept and the secret itself, which cannot be had again.

    Raises:
        UsageError: another key that is not revoked has this name.
    """
    secret = _MARK + secrets.token_urlsafe(32)
    with conn.cursor(row_factory=class_row(ApiKey)) as cursor:
        row = cursor.execute(
            f"""insert into reading.api_keys
                    (name, source, prefix, key_hash, scopes, requests_per_minute, expires_at)
                values (%s, %s, %s, %s, %s, %s, now() + %s::interval)
                on conflict (name) where revoked_at is null do nothing returning {_COLUMNS}""",
            [name, source, secret[:_SHOWN], _hash(secret), [str(s) for s in scopes], requests_per_minute, lasts],
        ).fetchone()
    if row is None:
        raise UsageError(f"there is a key named {name!r} already; revoke it first, or choose another name")
    return row, secret


def use(conn: psycopg.Connection, secret: str) -> Use | None:
    """Count one request under a key; None if there is no such key, or it expired or was revoked."""
    with conn.cursor() as cursor:
        row = cursor.execute(
            f"""update reading.api_keys
                set last_used_at = now(),
                    counting_since = case when is_new then now() else counting_since end,
                    count_requests = case when is_new then 1 else count_requests + 1 end
                from (
                    select api_key_id as key_id, counting_since <= now() - interval '1 minute' as is_new
                    from reading.api_keys where key_hash = %(hash)s for update
                ) as minute
                where api_key_id = key_id and revoked_at is null and (expires_at is null or expires_at > now())
                returning count_requests,
                    greatest(1, ceil(extract(epoch from counting_since + interval '1 minute' - now()))::int),
                    {_COLUMNS}""",
            {"hash": _hash(secret)},
        ).fetchone()
    return Use(ApiKey(*row[2:]), row[0], row[1]) if row else None


def every(conn: psycopg.Connection) -> list[ApiKey]:
    """All keys, the newest first, revoked ones too."""
    with conn.cursor(row_factory=class_row(ApiKey)) as cursor:
        return cursor.execute(f"select {_COLUMNS} from reading.api_keys order by api_key_id desc").fetchall()


def revoke(conn: psycopg.Connection, name: str) -> bool:
    """End a key from this moment on; False if there is none of this name that still works."""
    done = conn.execute("update reading.api_keys set revoked_at = now() where name = %s and revoked_at is null", [name])
    return done.rowcount == 1


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
