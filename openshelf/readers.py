"""Who a reader is to the stream: a pseudonym when a history is kept, else the session only. Pure."""

import hashlib
import hmac
from datetime import datetime
from typing import Literal
from uuid import UUID

# The notice (page Privacy) a reader decides on; a consent keeps the version it was given for, and who agreed to another
# version is asked again. To be changed with every change of what the notice says.
NOTICE_VERSION = "2026-3"


def account_key(secret: bytes, account_id: int, nonce: bytes = b"") -> str:
    """The keyed pseudonym of an account that keeps a history (HMAC-SHA-256, 128 bits of it).

    `nonce`: kept nowhere, so that after a history was cleared nobody can work out the pseudonym it had, nor the next.
    """
    return "r_" + hmac.new(secret, str(account_id).encode() + nonce, hashlib.sha256).hexdigest()[:32]


def account_mark(secret: bytes, account_id: int, created_at: datetime) -> bytes:
    """What is left of an account that was erased: enough to know it again in an old backup, and to know nobody by.

    With the time it was made: after a restore the same number may be given to somebody else.
    """
    derived = hmac.new(secret, b"erased account", hashlib.sha256).digest()
    return hmac.new(derived, f"{account_id}/{created_at.timestamp()}".encode(), hashlib.sha256).digest()


def reader_mark(reader_key: str) -> bytes:
    """The same of a pseudonym; `stream.mark_of` in SQL."""
    return hashlib.sha256(reader_key.encode()).digest()


def program_key(secret: bytes, source: str, name: str) -> str:
    """The keyed pseudonym of a reader of a foreign program, by the program's source and its own name for them.

    Of another secret, shape and beginning than an account's: no name leads to the trace of one of our accounts.
    """
    derived = hmac.new(secret, b"program", hashlib.sha256).digest()
    return "x_" + hmac.new(derived, f"{source}/{name}".encode(), hashlib.sha256).hexdigest()[:32]


def dataset_key(secret: bytes, dataset: str, name: str) -> str:
    """The keyed pseudonym of a reader of a published data set, by the data set and its own name for them."""
    derived = hmac.new(secret, b"data set", hashlib.sha256).digest()
    return "d_" + hmac.new(derived, f"{dataset}/{name}".encode(), hashlib.sha256).hexdigest()[:32]


def session_key(session_id: UUID, whose: Literal["reader", "staff", "test"] = "reader") -> str:
    """The reader_key of someone of whom nothing is kept beyond the session.

    Acts of staff, and of who tries the installation, are told apart by it: no figure of the library counts them.
    """
    return ("s_" if whose == "reader" else f"s_{whose}_") + session_id.hex


def is_session_key(reader_key: str) -> bool:
    return reader_key.startswith("s_")
