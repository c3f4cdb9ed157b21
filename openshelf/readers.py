"""Who a reader is to the stream: a pseudonym when a history is kept, else the session only. Pure."""

import hashlib
import hmac
from uuid import UUID

# The words on history (page My books) a reader decides on; a consent keeps the version it was given for.
NOTICE_VERSION = "2026-1"


def account_key(secret: bytes, account_id: int) -> str:
    """The keyed pseudonym of an account that keeps a history (HMAC-SHA-256, 128 bits of it)."""
    return "r_" + hmac.new(secret, str(account_id).encode(), hashlib.sha256).hexdigest()[:32]


def session_key(session_id: UUID) -> str:
    """The reader_key of someone of whom nothing is kept beyond the session."""
    return "s_" + session_id.hex


def is_session_key(reader_key: str) -> bool:
    return reader_key.startswith("s_")
