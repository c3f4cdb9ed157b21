from uuid import uuid4

import psycopg
import pytest

from openshelf import topics
from openshelf.contracts import Action, Interaction, Surface, new_event_id, utc_now
from openshelf.database import events


def act(reader_key: str = "r_1", **changes: object) -> Interaction:
    fields: dict = {
        "event_id": new_event_id(),
        "occurred_at": utc_now(),
        "reader_key": reader_key,
        "session_id": uuid4(),
        "action": Action.OPEN,
        "book_id": 1,
        "surface": Surface.FOR_YOU,
    }
    return Interaction(**(fields | changes))


def test_the_same_event_is_stored_once_and_spends_one_offset(conn: psycopg.Connection) -> None:
    first, second = act(), act()

    offsets = [events.append(conn, event) for event in (first, first, second)]

    assert offsets == [0, None, 1]


def test_a_reader_of_the_log_sees_every_act_in_order(conn: psycopg.Connection) -> None:
    sent = [act(f"r_{n % 7}") for n in range(50)]
    events.append_many(conn, sent)

    rows = events.read_after(conn, events.next_offsets(conn, "sessions"), limit=100)

    assert len(rows) == 50
    for partition in range(topics.PARTITIONS):
        mine = [row for row in rows if row.partition == partition]
        assert [row.log_offset for row in mine] == list(range(len(mine)))
        expected = [e.encode() for e in sent if topics.partition_of(e.reader_key) == partition]
        assert [row.payload for row in mine] == expected


def test_a_committed_row_is_never_skipped_by_a_reader_of_the_log(database: str, conn: psycopg.Connection) -> None:
    """A second writer of the partition waits for the first, so offsets appear in order."""
    first, second = act(), act()
    with psycopg.connect(database) as slow, psycopg.connect(database, options="-c lock_timeout=200ms") as eager:
        events.append(slow, first)
        with pytest.raises(psycopg.errors.LockNotAvailable):
            events.append(eager, second)


def test_progress_never_goes_back_and_lag_counts_the_rest(conn: psycopg.Connection) -> None:
    events.append_many(conn, [act("r_1") for _ in range(5)])
    partition = topics.partition_of("r_1")

    events.set_progress(conn, "sessions", {partition: 3})
    events.set_progress(conn, "sessions", {partition: 2})

    assert events.next_offsets(conn, "sessions")[partition] == 3
    assert sum(row.count_waiting for row in events.lag(conn, "sessions")) == 2
