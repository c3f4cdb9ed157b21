"""Recommendations for programs: a reader's slate as it was drawn, and an answer to a wish in words."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
import psycopg

from dashboard.api.callers import Caller
from dashboard.api.operations import AudienceLimit, Operation, Text
from dashboard.api.works import Narrowed, WorkSummary, summary
from models import search, taste_ranking
from openshelf.contracts import ReaderKey
from openshelf.database import catalogue, hand, stream
from openshelf.database.api_keys import Scope
from openshelf.settings import get_settings

# Candidates of a wish, before the reader's taste puts them in order.
_CANDIDATES = 60

OwnReaderKey = Annotated[
    ReaderKey,
    msgspec.Meta(
        description="What the program calls its reader: a name that says nothing of the person. It is kept as a keyed "
        "pseudonym of the program's own; two programs never share a reader."
    ),
]
PlaceLimit = Annotated[int, msgspec.Meta(ge=1, le=50)]


class RecommendedPlace(msgspec.Struct, frozen=True, kw_only=True):
    """One place of a slate. `propensity`: the probability of this work here, given the places above; null of what was
    not drawn. `reason`: a code, and `reason_book_id` the work it refers to.
    """

    position: int
    propensity: float | None
    source: str
    reason: str
    reason_book_id: int | None
    work: WorkSummary


class Recommendations(msgspec.Struct, frozen=True, kw_only=True):
    """A reader's latest slate. `is_fallback`: none was drawn for them, these works are popular with everybody."""

    reader_key: str
    is_fallback: bool
    slate_id: UUID | None
    session_id: UUID | None
    created_at: datetime | None
    policy_version: str
    arm: str | None
    places: list[RecommendedPlace]


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """One work that answers a wish. `matched`: words, meaning, both or spelling (a typo was mended)."""

    position: int
    score: float
    matched: str
    work: WorkSummary


class Suggestions(msgspec.Struct, frozen=True, kw_only=True):
    """`is_personal`: put in the order of the reader's acts; else in that of the search."""

    text: str
    is_personal: bool
    suggestions: list[Suggestion]


class SlateAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reader_key: OwnReaderKey
    limit: Annotated[PlaceLimit, msgspec.Meta(description="At most so many places; unset: all.")] | None = None
    audience_limit: AudienceLimit | None = None


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody would like to read, in their own words."""

    text: Text
    reader_key: OwnReaderKey | None = None
    limit: PlaceLimit = 10
    filters: Narrowed = Narrowed()
    audience_limit: AudienceLimit | None = None


def latest(conn: psycopg.Connection, caller: Caller, asked: SlateAsked, _body: None) -> Recommendations:
    within = caller.audiences(asked.audience_limit)
    slate = stream.latest_slate(conn, caller.reader_key(asked.reader_key))
    if slate is None:
        return _popular(conn, caller, asked)
    shown = {place.book_id for place in slate.places} - hand.excluded(conn)
    cards = {card.book_id: card for card in catalogue.cards(conn, list(shown), audiences=within)}
    places = [
        RecommendedPlace(
            position=place.position,
            propensity=place.propensity,
            source=place.source,
            reason=place.reason,
            reason_book_id=place.reason_book_id,
            work=summary(cards[place.book_id]),
        )
        for place in slate.places
        if place.book_id in cards
    ]
    return Recommendations(
        reader_key=asked.reader_key,
        is_fallback=False,
        slate_id=slate.slate_id,
        session_id=slate.session_id,
        created_at=slate.created_at,
        policy_version=slate.policy_version,
        arm=slate.arm,
        places=places[: asked.limit],
    )


def _popular(conn: psycopg.Connection, caller: Caller, asked: SlateAsked) -> Recommendations:
    limit = asked.limit or get_settings().slate_size
    cards = catalogue.popular(conn, limit, audiences=caller.audiences(asked.audience_limit))
    return Recommendations(
        reader_key=asked.reader_key,
        is_fallback=True,
        slate_id=None,
        session_id=None,
        created_at=None,
        policy_version="popular",
        arm=None,
        places=[
            RecommendedPlace(
                position=position,
                propensity=None,
                source="popular",
                reason="popular",
                reason_book_id=None,
                work=summary(card),
            )
            for position, card in enumerate(cards)
        ],
    )


def answer_wish(conn: psycopg.Connection, caller: Caller, _asked: msgspec.Struct, wish: Wish) -> Suggestions:
    within = caller.audiences(wish.audience_limit)
    excluded = hand.excluded(conn)
    found = search.search(conn, wish.text, "all", wish.filters.filters(), _CANDIDATES, audiences=within)
    hits = [hit for hit in found if hit.book_id not in excluded]
    if wish.reader_key is not None:
        hits = taste_ranking.suit(conn, hits, caller.reader_key(wish.reader_key))
    hits = hits[: wish.limit]
    cards = {card.book_id: card for card in catalogue.cards(conn, [hit.book_id for hit in hits], audiences=within)}
    found = [hit for hit in hits if hit.book_id in cards]
    return Suggestions(
        text=wish.text,
        is_personal=wish.reader_key is not None,
        suggestions=[
            Suggestion(position=n, score=hit.score, matched=hit.matched, work=summary(cards[hit.book_id]))
            for n, hit in enumerate(found)
        ],
    )


OPERATIONS = [
    # First: its path would be a reader's else, and what that one allows would be told.
    Operation(
        "POST", "/recommendations/query", "answerWish", "Works that answer a wish in words.",
        Suggestions, answer_wish, scope=Scope.RECOMMEND, body=Wish,
        description="Search by words and meaning; with a reader_key put in the order of that reader's acts.",
    ),
    Operation(
        "GET", "/recommendations/{reader_key}", "latestSlate", "A reader's latest slate, as it was drawn.",
        Recommendations, latest, scope=Scope.RECOMMEND, asked=SlateAsked,
        description="The same works in the same order as stored, with reasons, propensities and the version of the "
        "policy. Works withdrawn since, or taken out of the recommendations by staff, are left out; the other places "
        "keep their positions. No model runs.",
    ),
]  # fmt: skip
