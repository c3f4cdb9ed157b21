"""Where a dataflow begins that has no recovery store: another share, or one that was lost."""

from collections.abc import Sequence
from datetime import timedelta

import psycopg
from bytewax.testing import run_main
from stream_acts import SILENCE, SmallRecommender, act, catch_up, excluded_of, only, snapshot

from models import rewards
from models.recommender import DrawnSlate, SlateRequest
from openshelf import topics
from openshelf.contracts import Action, utc_now
from openshelf.database import consumers, events, reader_history
from streaming import log_source, sessions_flow
from streaming.batch_sink import CONSUMER, BatchSink
from streaming.log_source import LogSource

ALL = range(topics.PARTITIONS)
PARTITION = topics.partition_of("r_1")


def make_older(conn: psycopg.Connection, days: int) -> None:
    """All that the log has now came so long ago."""
    conn.execute("update stream.event_log set appended_at = appended_at - %s * interval '1 day'", [days])
    conn.execute("update stream.interactions set received_at = received_at - %s * interval '1 day'", [days])
    conn.commit()


def begins_at(conn: psycopg.Connection) -> int:
    return log_source.places_to_begin_at(conn, CONSUMER, ALL, utc_now())[PARTITION]


def test_it_begins_a_week_back(conn: psycopg.Connection) -> None:
    events.append_many(conn, [act(Action.LIKE, 1), act(Action.HIDE, 2)])
    catch_up(conn, SmallRecommender())
    events.set_progress(conn, CONSUMER, {PARTITION: log_source.MOST_IN_FLIGHT + 2})
    make_older(conn, 6)
    a_day_earlier = begins_at(conn)
    make_older(conn, 2)

    assert (a_day_earlier, begins_at(conn)) == (0, 2)


def test_it_begins_with_what_is_not_stored_however_old(conn: psycopg.Connection) -> None:
    events.append_many(conn, [act(Action.LIKE, 1), act(Action.HIDE, 2)])
    make_older(conn, 8)

    assert begins_at(conn) == 0


class AskedRecommender(SmallRecommender):
    def __init__(self) -> None:
        self.asked: list[SlateRequest] = []

    def draw(self, requests: Sequence[SlateRequest]) -> list[DrawnSlate]:
        self.asked += requests
        return super().draw(requests)


def test_what_a_reader_did_before_that_week_is_known(conn: psycopg.Connection) -> None:
    asked, then = AskedRecommender(), utc_now() - timedelta(days=8)
    events.append_many(conn, [act(Action.LIKE, 1, occurred_at=then), act(Action.HIDE, 2, occurred_at=then)])
    catch_up(conn, SmallRecommender())
    events.set_progress(conn, CONSUMER, {PARTITION: log_source.MOST_IN_FLIGHT + 2})
    make_older(conn, 8)
    events.append(conn, act(Action.OPEN, 3))
    conn.commit()

    begin = log_source.places_to_begin_at(conn, CONSUMER, ALL, utc_now())
    flow = sessions_flow.build_flow(
        LogSource(start_at=begin, stop_at=consumers.end_offsets(conn)),
        BatchSink(lambda: only(asked)),
        rewards=rewards.load(),
        history=lambda taken: reader_history.stored_acts(
            conn, taken.event.reader_key, before_offset=taken.raw.log_offset
        ),
        clock=utc_now,
        silence=SILENCE,
    )
    run_main(flow)
    conn.commit()
    stored = snapshot(conn)
    catch_up(conn, SmallRecommender())

    assert begin[PARTITION] == 2
    assert [excluded_of(request) for request in asked.asked] == [{1, 2, 3}]
    assert snapshot(conn) == stored, "reading the whole log would have made other rows"
