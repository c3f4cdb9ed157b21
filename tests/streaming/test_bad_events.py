"""What cannot be an act, through the real dataflow over the log: a dead letter that says why, and the flow goes on."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import psycopg
import pytest
from bytewax.testing import TestingSource, run_main
from hypothesis import given
from hypothesis import strategies as st
from stream_acts import SmallRecommender, act, catch_up, only

from models import rewards
from openshelf.contracts import Action, Interaction, clean_text, new_event_id, utc_now
from openshelf.database import dead_letters, events, reader_history
from streaming import sessions_flow
from streaming.acts import BadAct, RawAct, TakenAct, take
from streaming.batch_sink import BatchSink

REWARDS = rewards.load()
NOW = datetime(2026, 5, 3, 12, tzinfo=UTC)


def changed(**fields: object) -> bytes:
    """A good act, written at this moment, with these fields instead."""
    return json.dumps(msgspec.to_builtins(act(Action.LIKE, 7)) | fields).encode()


def with_more(text: bytes) -> bytes:
    """A good act with this written at its end, where it repeats a field: the last one counts in JSON."""
    return act(Action.LIKE, 7).encode()[:-1] + b"," + text + b"}"


# name -> payload, what the reason says
BAD = {
    "nothing": (b"", "the event is empty"),
    "not UTF-8": (b"\xff\xfe\x00", "invalid character"),
    "not UTF-8 inside": (b'{"reader_key":"\xff"}', "can't decode byte 0xff"),
    "UTF-16": (act().encode().decode().encode("utf-16"), "invalid character"),
    "byte order mark": (b"\xef\xbb\xbf" + act().encode(), "invalid character"),
    "not JSON": (b"like 7", "malformed"),
    "Avro": (b"\x00\x00\x00\x00\x07\x02\x10openshelf", "malformed"),
    "half an event": (act().encode()[:40], "truncated"),
    "two events": (act().encode() * 2, "trailing characters"),
    "null": (b"null", "Expected `object`, got `null`"),
    "text": (b'"like"', "Expected `object`, got `str`"),
    "array": (b"[1, 2]", "Expected `object`, got `array`"),
    "other JSON": (b'{"temperature": 21.5}', "unknown field `temperature`"),
    "missing field": (b"{}", "missing required field `event_id`"),
    "extra field": (changed(password="x"), "unknown field `password`"),
    "wrong type": (changed(book_id="7"), "got `str` - at `$.book_id`"),
    "a number with a fraction": (changed(book_id=7.5), "got `float` - at `$.book_id`"),
    "no UUID": (changed(event_id="seven"), "Invalid UUID - at `$.event_id`"),
    "unknown action": (changed(action="hack"), "Invalid enum value 'hack' - at `$.action`"),
    "unknown surface": (changed(surface="fridge"), "Invalid enum value 'fridge' - at `$.surface`"),
    "another version": (changed(version=2), "version 2 is not known"),
    "naive timestamp": (changed(occurred_at="2026-05-03T12:00:00"), "timezone"),
    "a timestamp that is a number": (changed(occurred_at=1_777_809_600), "got `int` - at `$.occurred_at`"),
    "no date": (changed(occurred_at="yesterday"), "Invalid RFC3339"),
    "from the future": (changed(occurred_at="2126-05-03T12:00:00Z"), "in the future of its arrival"),
    "year 0101": (changed(occurred_at="0101-01-01T00:00:00Z"), "30 days before its arrival"),
    "year 0001 in the east": (changed(occurred_at="0001-01-01T00:00:00+14:00"), "30 days before its arrival"),
    "year 9999 in the west": (changed(occurred_at="9999-12-31T23:59:59-14:00"), "in the future of its arrival"),
    "1e400": (with_more(b'"value":1e400'), "out of range - at `$.value`"),
    "NaN": (with_more(b'"value":NaN'), "invalid character"),
    "infinite": (with_more(b'"value":-Infinity'), "invalid character"),
    "huge number": (with_more(b'"book_id":' + b"9" * 5_000), "out of range - at `$.book_id`"),
    "too large a book": (changed(book_id=2**31), "<= 2147483647 - at `$.book_id`"),
    "book 0": (changed(book_id=0), ">= 1 - at `$.book_id`"),
    "a place below the slate": (changed(position=-1), ">= 0 - at `$.position`"),
    "no book": (changed(book_id=None), "action like needs a book_id"),
    "six stars": (changed(action="rate", value=6), "rate needs a value from 1 to 5"),
    "no stars": (changed(action="rate"), "rate needs a value from 1 to 5"),
    "NUL in text": (changed(reader_key="r\x00"), "$.reader_key"),
    "lone surrogate": (changed(reader_key="r\ud800"), "surrogate"),
    "lone surrogate elsewhere": (changed(surface="\udfff"), ""),
    "markup": (changed(reader_key="<script>"), "$.reader_key"),
    "no reader": (changed(reader_key=""), "$.reader_key"),
    "a long reader": (changed(reader_key="r" * 65), "length <= 64 - at `$.reader_key`"),
    "inferred": (changed(action="skip", inferred=True), "made by the dataflow"),
    "1 MB": (changed(surface="x" * 1_000_000), "is larger than 16384"),
    "deep arrays": (b"[" * 16_000, "Expected `object`, got `array`"),
    "deep objects": (b'{"value":' * 1_800, "$.value"),
}


def test_each_bad_event_becomes_a_dead_letter_that_says_why(conn: psycopg.Connection) -> None:
    for payload, _ in BAD.values():
        events.append_raw(conn, new_event_id(), "r_1", payload)
    events.append(conn, act(Action.LIKE, 7))

    catch_up(conn, SmallRecommender())

    letters = list(reversed(dead_letters.waiting(conn)))
    assert [letter.payload for letter in letters] == [payload for payload, _ in BAD.values()]
    unsaid = {
        name: letter.reason
        for (name, (_, reason)), letter in zip(BAD.items(), letters, strict=True)
        if reason not in letter.reason or not letter.reason
    }
    assert unsaid == {}
    assert [letter.log_offset for letter in letters] == list(range(len(BAD)))
    assert conn.execute("select book_id from stream.interactions").fetchall() == [(7,)]


def test_what_is_odd_and_still_an_act_is_stored(conn: psycopg.Connection) -> None:
    moment = utc_now().replace(microsecond=123_456)
    odd = {
        # The same moment, said in Hanoi.
        new_event_id(): {"occurred_at": moment.astimezone().isoformat(), "action": "open"},
        new_event_id(): {"occurred_at": (moment - timedelta(days=29)).isoformat(), "action": "open"},
        new_event_id(): {"occurred_at": (moment + timedelta(minutes=4)).isoformat(), "action": "open"},
        new_event_id(): {"action": "read", "value": 1e308},
        new_event_id(): {"action": "read", "value": -0.0},
        UUID(int=0): {"action": "like", "book_id": 2**31 - 1},
    }
    for event_id, fields in odd.items():
        events.append_raw(conn, event_id, "r_1", changed(event_id=str(event_id), **fields))

    catch_up(conn, SmallRecommender())

    assert dead_letters.waiting(conn) == []
    stored = dict(conn.execute("select event_id, occurred_at from stream.interactions").fetchall())
    assert stored.keys() == odd.keys()
    assert stored[next(iter(odd))] == moment


def test_an_event_sent_again_counts_once(conn: psycopg.Connection) -> None:
    sent = act(Action.LIKE, 7)
    for _ in range(3):
        events.append(conn, sent)

    catch_up(conn, SmallRecommender())

    assert conn.execute("select count_acts from stream.sessions").fetchall() == [(1,)]
    assert dead_letters.waiting(conn) == []


@pytest.mark.parametrize("other_reader", ["r_1", "r_2"])
def test_of_two_bodies_with_one_id_the_first_counts_and_the_second_is_seen(
    conn: psycopg.Connection, other_reader: str
) -> None:
    first = act(Action.LIKE, 7)
    second = msgspec.structs.replace(first, book_id=8, reader_key=other_reader)
    for each in (first, second, second, first):
        events.append(conn, each)

    catch_up(conn, SmallRecommender())

    assert conn.execute("select book_id from stream.interactions").fetchall() == [(7,)]
    (letter,) = dead_letters.waiting(conn)
    assert (letter.source, letter.log_offset, letter.payload) == ("append", 0, second.encode())
    assert f"event_id {first.event_id} is in the log already with another body" in letter.reason
    # What is mended by it: it counts under an id of its own.
    assert dead_letters.replay(conn, letter, second)
    catch_up(conn, SmallRecommender())
    assert conn.execute("select book_id from stream.interactions order by 1").fetchall() == [(7,), (8,)]


def test_many_acts_with_a_conflict_among_them_are_appended(conn: psycopg.Connection) -> None:
    first = act(Action.LIKE, 7)
    events.append_many(conn, [first, act(Action.LIKE, 8), msgspec.structs.replace(first, book_id=9)])

    assert [letter.source for letter in dead_letters.waiting(conn)] == ["append"]
    assert conn.execute("select count(*) from stream.event_log").fetchone() == (2,)


def test_a_stranger_s_act_that_comes_again_after_the_state_was_lost_counts_once(conn: psycopg.Connection) -> None:
    """As after an eviction: between the two stands an act of the log, whose place says nothing of strangers."""
    now = utc_now()
    foreign = [RawAct("topic", 0, n, act(Action.LIKE, n).encode(), now, None, None) for n in (1, 2)]
    of_the_log = RawAct("topic", 0, 3, act(Action.LIKE, 3).encode(), now + timedelta(seconds=1), 3, 0)
    again = RawAct("topic", 0, 4, foreign[0].payload, now + timedelta(seconds=2), None, None)

    for part in (foreign, [of_the_log, again]):
        run_main(
            sessions_flow.build_flow(
                TestingSource(part),
                BatchSink(lambda: only(SmallRecommender())),
                rewards=REWARDS,
                history=lambda taken: reader_history.stored_acts(
                    conn,
                    taken.event.reader_key,
                    before_offset=taken.raw.log_offset,
                    received_by=taken.raw.received_at,
                ),
                clock=utc_now,
                silence=timedelta(minutes=30),
            )
        )
        conn.commit()

    assert conn.execute("select count_acts from stream.sessions").fetchall() == [(3,)]


def taken(payload: bytes, received_at: datetime = NOW) -> TakenAct | BadAct:
    return take(RawAct("log", 0, 0, payload, received_at, 0, 0), REWARDS)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("a7-\x00\ud800é🙂"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=5,
)


@given(st.binary(max_size=400))
def test_no_bytes_raise(raw: bytes) -> None:
    assert isinstance(taken(raw), BadAct)


@given(st.dictionaries(st.sampled_from(Interaction.__struct_fields__), anything))
def test_no_value_of_a_field_raises_and_every_reason_can_be_stored(fields: dict[str, object]) -> None:
    result = taken(changed(**{"occurred_at": NOW.isoformat()} | fields))

    if isinstance(result, BadAct):
        assert clean_text(result.reason).encode()


@given(st.datetimes(timezones=st.timezones()), st.datetimes(datetime(2000, 1, 1), datetime(2999, 1, 1)))
def test_no_time_raises(occurred_at: datetime, received_at: datetime) -> None:
    taken(changed(occurred_at=occurred_at.isoformat()), received_at.replace(tzinfo=UTC))


@given(st.integers(0, 200), st.binary(min_size=1, max_size=3))
def test_no_scratch_in_a_good_event_raises(at: int, scratch: bytes) -> None:
    good = act(Action.LIKE, 7, event_id=UUID(int=1), occurred_at=NOW).encode()

    taken(good[:at] + scratch + good[at + len(scratch) :])
