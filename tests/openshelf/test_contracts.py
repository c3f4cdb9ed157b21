from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openshelf.contracts import (
    Action,
    BadEvent,
    Interaction,
    Place,
    Slate,
    Source,
    Surface,
    clean_text,
    parse_interaction,
    parse_slate,
    slate_id_of,
)

NOON = datetime(2026, 5, 3, 12, 0, 0, 250_000, tzinfo=UTC)
EVENT = Interaction(
    event_id=UUID("01890000-0000-7000-8000-000000000001"),
    occurred_at=NOON,
    reader_key="r_0123",
    session_id=UUID("01890000-0000-7000-8000-000000000002"),
    action=Action.LIKE,
    book_id=7,
    slate_id=UUID("01890000-0000-5000-8000-000000000003"),
    position=2,
    surface=Surface.FOR_YOU,
)
GOLDEN_EVENT = (
    b'{"event_id":"01890000-0000-7000-8000-000000000001","version":1,"occurred_at":"2026-05-03T12:00:00.250000Z",'
    b'"reader_key":"r_0123","session_id":"01890000-0000-7000-8000-000000000002","action":"like","book_id":7,'
    b'"slate_id":"01890000-0000-5000-8000-000000000003","position":2,"surface":"for_you","value":null,"inferred":false}'
)
SLATE = Slate(
    slate_id=UUID("01890000-0000-5000-8000-000000000003"),
    reader_key="r_0123",
    session_id=UUID("01890000-0000-7000-8000-000000000002"),
    created_at=NOON,
    policy_version="policy-0001",
    arm="champion",
    surface=Surface.FOR_YOU,
    places=(
        Place(book_id=7, position=0, propensity=0.25, source=Source.POLICY, reason="because_like", reason_book_id=3),
    ),
)
GOLDEN_SLATE = (
    b'{"slate_id":"01890000-0000-5000-8000-000000000003","version":1,"reader_key":"r_0123",'
    b'"session_id":"01890000-0000-7000-8000-000000000002","created_at":"2026-05-03T12:00:00.250000Z",'
    b'"policy_version":"policy-0001","arm":"champion","surface":"for_you","places":[{"book_id":7,"position":0,'
    b'"propensity":0.25,"source":"policy","reason":"because_like","reason_book_id":3}]}'
)


def test_the_wire_form_of_an_interaction_is_fixed() -> None:
    assert EVENT.encode() == GOLDEN_EVENT
    assert parse_interaction(GOLDEN_EVENT, NOON) == EVENT


def test_the_wire_form_of_a_slate_is_fixed() -> None:
    assert SLATE.encode() == GOLDEN_SLATE
    assert parse_slate(GOLDEN_SLATE) == SLATE


def changed(**fields: object) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(GOLDEN_EVENT) | fields)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\xff\xfe", "malformed"),
        (b"not json", "malformed"),
        (b"[]", "object"),
        (b"{}", "missing required field"),
        (b"[" * 8000, ""),
        (changed(action="hack"), "Invalid enum value 'hack' - at `$.action`"),
        (changed(occurred_at="2026-05-03T12:00:00"), "timezone"),
        (changed(occurred_at="2027-01-01T00:00:00Z"), "future"),
        (changed(occurred_at="0101-01-01T00:00:00Z"), "30 days"),
        (changed(book_id=None), "needs a book_id"),
        (changed(book_id=10**30), ""),
        (changed(book_id=0), "book_id"),
        (changed(action="rate", value=6), "1 to 5"),
        (changed(action="rate"), "1 to 5"),
        (GOLDEN_EVENT.replace(b'"value":null', b'"value":1e400'), ""),
        (GOLDEN_EVENT.replace(b'"value":null', b'"value":NaN'), ""),
        (changed(reader_key="r\x00"), "reader_key"),
        (changed(reader_key=""), "reader_key"),
        (changed(version=2), "version 2"),
        (changed(extra=1), "unknown field"),
        (changed(surface="for_you" + " " * 1_000_000), "larger than"),
    ],
)
def test_what_is_no_interaction_becomes_a_bad_event_with_its_reason(raw: bytes, reason: str) -> None:
    result = parse_interaction(raw, NOON)

    assert isinstance(result, BadEvent)
    assert result.raw == raw
    assert reason in result.reason


def test_lateness_is_judged_by_the_arrival_and_not_by_the_replay() -> None:
    assert parse_interaction(GOLDEN_EVENT, NOON + timedelta(days=29)) == EVENT
    assert isinstance(parse_interaction(GOLDEN_EVENT, NOON + timedelta(days=31)), BadEvent)


@given(st.binary(max_size=300))
def test_no_bytes_raise(raw: bytes) -> None:
    assert isinstance(parse_interaction(raw, NOON), BadEvent)


def test_the_slate_of_an_event_is_the_same_on_every_replay() -> None:
    assert slate_id_of(EVENT.event_id) == slate_id_of(EVENT.event_id)
    assert slate_id_of(EVENT.event_id) != slate_id_of(EVENT.session_id)


@given(st.text(st.characters(codec=None)))
def test_cleaned_text_is_what_postgres_can_hold(text: str) -> None:
    cleaned = clean_text(text)

    assert "\x00" not in cleaned
    assert cleaned.encode("utf-8").decode("utf-8") == cleaned
