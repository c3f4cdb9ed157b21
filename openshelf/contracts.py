"""The contracts between the parts: interactions in, slates out. Pure.

JSON on the wire, frozen typed structs in code. Field order is the wire order and is pinned by
golden-byte tests; a new field gets a default, a changed meaning gets a new version.
"""

import math
import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import msgspec
from uuid_utils.compat import uuid5, uuid7

MAX_EVENT_BYTES = 16_384
# An act may arrive this late or this early (clock skew); outside it is a dead letter.
MAX_LATE = timedelta(days=30)
MAX_EARLY = timedelta(minutes=5)

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_SLATE_NAMESPACE = uuid.UUID("5b0f6f1e-6d5c-4e0e-9d0a-0b5e1f5a7c11")
_SKIP_NAMESPACE = uuid.UUID("9c7f3a52-20b5-4a57-8a8e-6c1b8b1f0d3e")

ReaderKey = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_\-]+$")]
UtcTime = Annotated[datetime, msgspec.Meta(tz=True)]


class Action(StrEnum):
    VISIT = "visit"
    SHOW = "show"
    OPEN = "open"
    READ = "read"
    FINISH = "finish"
    LIKE = "like"
    DISLIKE = "dislike"
    WANT = "want"
    RATE = "rate"
    SKIP = "skip"
    HIDE = "hide"
    UNHIDE = "unhide"
    SEARCH = "search"
    RESET = "reset"


# Acts that are about no book.
BOOKLESS = frozenset({Action.VISIT, Action.SEARCH, Action.RESET})
# A reader on whom one of these is recorded has met the work: it is not recommended again.
MEETING = frozenset(
    {Action.OPEN, Action.READ, Action.FINISH, Action.LIKE, Action.DISLIKE, Action.WANT, Action.RATE, Action.SKIP}
)


class Surface(StrEnum):
    FOR_YOU = "for_you"
    SIMILAR = "similar"
    SEARCH = "search"
    CHAT = "chat"
    BROWSE = "browse"
    POPULAR = "popular"
    NEW = "new"
    SERIES = "series"
    AUTHOR = "author"
    API = "api"
    CURATED = "curated"  # a row that staff chose


class Source(StrEnum):
    """Which rung of the fallback ladder filled a place, or that staff did."""

    POLICY = "policy"
    FALLBACK = "fallback"
    POPULAR = "popular"
    RANDOM = "random"
    PINNED = "pinned"  # staff put the work there
    STAFF = "staff"  # it was drawn, and staff had boosted it


class Interaction(msgspec.Struct, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """One act of one reader. `book_id` is the key of a work; `position` is 0-based."""

    event_id: uuid.UUID
    version: int = 1
    occurred_at: UtcTime
    reader_key: ReaderKey
    session_id: uuid.UUID
    action: Action
    book_id: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)] | None = None
    slate_id: uuid.UUID | None = None
    position: Annotated[int, msgspec.Meta(ge=0, le=10_000)] | None = None
    surface: Surface
    value: float | None = None
    inferred: bool = False

    def encode(self) -> bytes:
        return _encoder.encode(self)


class Place(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One place of a slate. `propensity`: probability of this book here, given the places above."""

    book_id: int
    position: int
    propensity: float
    source: Source
    reason: str
    reason_book_id: int | None = None


def places_of(
    book_ids: Sequence[int],
    propensities: Sequence[float],
    sources: Sequence[str],
    reasons: Sequence[str],
    reason_book_ids: Sequence[int | None],
) -> tuple[Place, ...]:
    """From columns, in the order of the places."""
    columns = zip(book_ids, propensities, sources, reasons, reason_book_ids, strict=True)
    return tuple(
        Place(
            book_id=book_id,
            position=position,
            propensity=propensity,
            source=Source(source),
            reason=reason,
            reason_book_id=reason_book_id,
        )
        for position, (book_id, propensity, source, reason, reason_book_id) in enumerate(columns)
    )


class Slate(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    slate_id: uuid.UUID
    version: int = 1
    reader_key: str
    session_id: uuid.UUID
    created_at: UtcTime
    policy_version: str
    arm: str
    surface: Surface
    places: tuple[Place, ...]

    def encode(self) -> bytes:
        return _encoder.encode(self)


class BadEvent(msgspec.Struct, frozen=True, gc=False):
    """What could not be an interaction, kept as found."""

    reason: str
    raw: bytes


_encoder = msgspec.json.Encoder()
_interaction_decoder = msgspec.json.Decoder(Interaction)
_slate_decoder = msgspec.json.Decoder(Slate)


def parse_interaction(raw: bytes, received_at: datetime) -> Interaction | BadEvent:
    """Decode and validate one event; what is wrong becomes a value, never an exception.

    `received_at` is when the log took the event, so a replay years later judges as the first run did.
    """
    if not raw:
        return BadEvent("the event is empty, as a tombstone is", raw)
    if len(raw) > MAX_EVENT_BYTES:
        return BadEvent(f"event of {len(raw)} bytes is larger than {MAX_EVENT_BYTES}", raw)
    try:
        event = _interaction_decoder.decode(raw)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return BadEvent(str(error), raw)
    reason = _fault(event, received_at)
    return BadEvent(reason, raw) if reason else event


def _fault(event: Interaction, received_at: datetime) -> str | None:
    """What makes a well-typed event meaningless, or None."""
    if event.version != 1:
        return f"version {event.version} is not known; this program knows version 1"
    if event.inferred:
        return "an inferred act is made by the dataflow, not sent to it"
    if event.occurred_at > received_at + MAX_EARLY:
        return f"occurred_at {event.occurred_at.isoformat()} lies in the future of its arrival"
    if event.occurred_at < received_at - MAX_LATE:
        return f"occurred_at {event.occurred_at.isoformat()} is more than {MAX_LATE.days} days before its arrival"
    if event.book_id is None and event.action not in BOOKLESS:
        return f"action {event.action} needs a book_id"
    if event.value is not None and not math.isfinite(event.value):
        return "value must be a finite number"
    if event.action is Action.RATE and not (event.value is not None and 1 <= event.value <= 5):
        return "rate needs a value from 1 to 5"
    return None


def parse_slate(raw: bytes) -> Slate:
    return _slate_decoder.decode(raw)


def slate_id_of(event_id: uuid.UUID) -> uuid.UUID:
    """The slate an event triggers: the same on every replay."""
    return uuid5(_SLATE_NAMESPACE, str(event_id))


def skip_id_of(slate_id: uuid.UUID, position: int) -> uuid.UUID:
    """The skip that is inferred for a place, at most once: the same on every replay."""
    return uuid5(_SKIP_NAMESPACE, f"{slate_id}/{position}")


def new_event_id() -> uuid.UUID:
    return uuid7()


def utc_now() -> datetime:
    return datetime.now(UTC)


def clean_text(text: str) -> str:
    """Text as Postgres can hold it: no control characters, no lone surrogates."""
    return _CONTROL.sub("", text).encode("utf-8", "replace").decode("utf-8")
