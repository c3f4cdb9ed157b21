"""What a broker lost of what it had confirmed is read from the log, in its order, and nothing else is."""

from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest
from bytewax.inputs import StatefulSourcePartition
from stream_acts import act

from openshelf import topics
from openshelf.contracts import utc_now
from openshelf.database import events
from streaming import lost_acts
from streaming.acts import RawAct
from streaming.lost_acts import CompletedPart, TheLog, log_partitions
from streaming.patience import PatientConnection

READER = "r_1"
PARTITION = topics.partition_of(READER)


class Brought(StatefulSourcePartition[RawAct, int | None]):
    """A partition of the topic that brings these batches and then is silent."""

    def __init__(self, *batches: list[RawAct]) -> None:
        self._batches = list(batches)
        self._next: int | None = None

    def next_batch(self) -> list[RawAct]:
        batch = self._batches.pop(0) if self._batches else []
        if batch:
            self._next = batch[-1].offset + 1
        return batch

    def snapshot(self) -> int | None:
        return self._next


def message(log_offset: int, topic_offset: int = 0) -> RawAct:
    return RawAct("topic", 0, topic_offset, b"{}", utc_now(), PARTITION, log_offset)


@pytest.fixture
def log(conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> TheLog:
    """Ten acts, of which the relay has sent eight."""
    events.append_many(conn, [act(reader_key=READER) for _ in range(10)])
    events.set_progress(conn, lost_acts.RELAY, {PARTITION: 8})
    conn.commit()
    return TheLog(PatientConnection())


def taken(part: CompletedPart, times: int = 6) -> list[int | None]:
    return [each.log_offset for _ in range(times) for each in part.next_batch()]


def silent_clock() -> Callable[[], float]:
    """Of which every look is six seconds after the one before."""
    ticks = iter(range(0, 10_000, 6))
    return lambda: next(ticks)


def test_what_comes_whole_is_taken_as_it_comes(log: TheLog) -> None:
    part = CompletedPart(Brought([message(0), message(1)], [message(2)]), log, {PARTITION: 0})

    assert taken(part) == [0, 1, 2]


def test_acts_that_did_not_come_are_read_from_the_log_before_the_one_that_shows_it(log: TheLog) -> None:
    part = CompletedPart(Brought([message(0), message(4)], [message(5)]), log, {PARTITION: 0})

    assert taken(part) == [0, 1, 2, 3, 4, 5]


def test_a_gap_larger_than_one_reading_comes_in_pieces(log: TheLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost_acts, "ROWS_AT_ONCE", 3)
    part = CompletedPart(Brought([message(7)]), log, {PARTITION: 0})

    first = taken(part, 1)
    place = part.snapshot()

    assert first == [0, 1, 2]
    assert place == (0, {PARTITION: 3})
    assert [*dict.fromkeys(first + taken(part))] == [*range(8)]


def test_a_place_from_before_goes_on_where_it_was(log: TheLog) -> None:
    part = CompletedPart(Brought([message(2, topic_offset=30), message(3, topic_offset=31)]), log, {PARTITION: 2})

    assert taken(part) == [2, 3]
    assert part.snapshot() == (32, {PARTITION: 4})


def test_repeats_and_late_messages_pass_and_bring_nothing_from_the_log(log: TheLog) -> None:
    part = CompletedPart(Brought([message(5), message(3), message(6)]), log, {PARTITION: 5})

    assert taken(part) == [5, 3, 6]


def test_what_the_relay_sent_into_a_silent_topic_is_read_from_the_log_and_no_further(log: TheLog) -> None:
    part = CompletedPart(Brought([message(5)]), log, {PARTITION: 5}, silent_clock())

    assert taken(part) == [5, 6, 7]


def test_nothing_is_overdue_while_the_topic_is_not_silent_for_long(log: TheLog) -> None:
    part = CompletedPart(Brought([message(5)]), log, {PARTITION: 5}, lambda: 0.0)

    assert taken(part) == [5]


def test_erased_acts_are_not_waited_for(conn: psycopg.Connection, log: TheLog) -> None:
    conn.execute("delete from stream.event_log where log_offset in (1, 2, 6, 7)")
    conn.commit()
    part = CompletedPart(Brought([message(0), message(3)], [message(4)]), log, {PARTITION: 0}, silent_clock())

    assert taken(part) == [0, 3, 4, 5]
    assert part.snapshot()[1] == {PARTITION: 8}


def test_a_message_with_a_place_that_the_log_has_not_counts_for_none(log: TheLog) -> None:
    part = CompletedPart(Brought([message(0), message(2**60)], [message(10**6)]), log, {PARTITION: 0})

    assert taken(part) == [*range(10), 2**60, 10**6]
    assert part.snapshot()[1] == {PARTITION: 10}


def test_while_postgres_is_away_what_shows_a_gap_waits(log: TheLog, monkeypatch: pytest.MonkeyPatch) -> None:
    part = CompletedPart(Brought([message(1, topic_offset=8)]), log, {PARTITION: 0})
    with monkeypatch.context() as away:
        away.setattr(PatientConnection, "try_once", lambda *_: None)
        assert taken(part) == []
        assert part.snapshot() == (8, {PARTITION: 0})

    assert taken(part) == [0, 1]


@pytest.mark.parametrize(("count", "expected"), [(12, [5]), (4, [1, 5, 9]), (1, [*range(12)]), (24, []), (5, [])])
def test_a_partition_of_the_topic_answers_for_those_of_the_log_that_come_whole(count: int, expected: list[int]) -> None:
    assert log_partitions(min(5, count - 1) if count != 4 else 1, count) == expected


def test_the_first_act_since_a_moment_is_found_also_between_erased_ones(conn: psycopg.Connection) -> None:
    events.append_many(conn, [act(reader_key=READER) for _ in range(40)])
    noon = utc_now()
    conn.execute("update stream.event_log set appended_at = %s + log_offset * interval '1 minute'", [noon])
    conn.execute("delete from stream.event_log where log_offset between 10 and 20 or log_offset = 0")

    def found(minutes: float) -> int:
        return events.first_offset_since(conn, PARTITION, noon + timedelta(minutes=minutes))

    assert [found(-5) <= 1, found(5), found(4.5), found(39)] == [True, 5, 5, 39]
    assert 10 <= found(15) <= 21
    assert found(100) == 40
    assert events.first_offset_since(conn, (PARTITION + 1) % 12, noon) == 0
