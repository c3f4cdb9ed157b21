import shutil
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import msgspec
import psycopg
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import TestingSource, run_main
from stream_acts import (
    RULES,
    SILENCE,
    SmallRecommender,
    act,
    acts_of,
    catch_up,
    excluded_of,
    many_acts,
    only,
    snapshot,
)

from models import rewards
from models.recommender import DrawnSlate, SlateRequest
from openshelf import topics
from openshelf.contracts import Action, Place, new_event_id, slate_id_of, utc_now
from openshelf.database import dead_letters, events, reader_history, stream
from streaming import session_logic, sessions_flow
from streaming.acts import RawAct, TakenAct, take
from streaming.batch_sink import BatchSink
from streaming.session_logic import SessionLogic


def test_an_act_becomes_an_interaction_a_session_and_a_slate(conn: psycopg.Connection) -> None:
    liked = act(Action.LIKE, 7)
    events.append(conn, liked)

    catch_up(conn, SmallRecommender())

    slate = stream.slates_of_events(conn, [liked.event_id])[liked.event_id]
    assert slate == stream.latest_slate(conn, "r_1")
    assert (slate.slate_id, slate.created_at) == (slate_id_of(liked.event_id), liked.occurred_at)
    assert [place.position for place in slate.places] == [0, 1, 2, 3, 4]
    assert conn.execute("select action, reward from stream.interactions").fetchall() == [("like", 2.0)]
    assert conn.execute("select count_acts, reward, ended_at from stream.sessions").fetchall() == [(1, 2.0, None)]
    assert sum(row.count_waiting for row in events.lag(conn, "sessions")) == 0


def test_the_newest_act_decides_the_latest_slate_also_of_one_session(conn: psycopg.Connection) -> None:
    here, there = uuid4(), uuid4()
    now = utc_now()
    first = act(session_id=here, occurred_at=now - timedelta(minutes=2))
    second = act(session_id=there, occurred_at=now)
    late = act(session_id=there, occurred_at=now - timedelta(minutes=1))
    events.append_many(conn, [first, second, late])

    catch_up(conn, SmallRecommender())

    newest, of_session = stream.latest_slate(conn, "r_1"), stream.latest_slate(conn, "r_1", here)
    assert newest
    assert newest.slate_id == slate_id_of(second.event_id)
    assert of_session
    assert of_session.slate_id == slate_id_of(first.event_id)
    assert stream.latest_slate(conn, "r_2") is None


def test_bad_events_become_dead_letters_and_the_flow_goes_on(conn: psycopg.Connection) -> None:
    naive = act().encode().replace(b"Z", b"")
    poison = [b"\xff", b"[1]", b"{}", b"[" * 5_000, b"x" * 1_000_000, naive, act(book_id=None).encode(), b"\x00"]
    for payload in poison:
        events.append_raw(conn, new_event_id(), "r_1", payload)
    events.append(conn, act(Action.LIKE, 3))

    catch_up(conn, SmallRecommender())

    letters = dead_letters.waiting(conn)
    assert [letter.payload for letter in reversed(letters)] == poison
    assert all(letter.reason and letter.source == "log" for letter in letters)
    assert conn.execute("select book_id from stream.interactions").fetchall() == [(3,)]


def test_met_and_hidden_works_never_come_back(conn: psycopg.Connection) -> None:
    acts = many_acts(300)
    events.append_many(conn, acts)

    catch_up(conn, SmallRecommender())

    gone: dict[str, set[int | None]] = {}
    slates = stream.slates_of_events(conn, [each.event_id for each in acts])
    for each in acts:
        if each.action is not Action.SHOW:
            gone.setdefault(each.reader_key, set()).add(each.book_id)
            books = {place.book_id for place in slates[each.event_id].places}
            assert books.isdisjoint(gone[each.reader_key])


def test_replaying_the_whole_log_changes_no_row(conn: psycopg.Connection) -> None:
    events.append_many(conn, many_acts(200))
    catch_up(conn, SmallRecommender())
    before = snapshot(conn)

    catch_up(conn, SmallRecommender())

    assert snapshot(conn) == before
    assert len(before[0]) == 200


def test_a_replay_under_another_policy_keeps_the_slates_that_were_shown(conn: psycopg.Connection) -> None:
    class LongerSlates(SmallRecommender):
        version = "longer-2"

        def draw(self, requests: list[SlateRequest]) -> list[DrawnSlate]:
            return [DrawnSlate.of(self.version, super().draw([r])[0].places[::-1]) for r in requests]

    events.append_many(conn, many_acts(40))
    catch_up(conn, SmallRecommender())
    before = snapshot(conn)

    catch_up(conn, LongerSlates())

    assert snapshot(conn) == before


def test_a_lost_recovery_store_gives_the_same_tables(conn: psycopg.Connection, tmp_path: Path) -> None:
    store = tmp_path / "recovery"
    acts = many_acts(200)

    def recovery() -> RecoveryConfig:
        if not store.exists():
            store.mkdir()
            init_db_dir(store, 1)
        return RecoveryConfig(store, timedelta(0))

    events.append_many(conn, acts[:120])
    catch_up(conn, SmallRecommender(), recovery())
    shutil.rmtree(store)
    events.append_many(conn, acts[120:])
    catch_up(conn, SmallRecommender(), recovery())
    replayed = snapshot(conn)
    conn.execute("truncate stream.interactions, stream.slates, stream.sessions")
    catch_up(conn, SmallRecommender())

    assert replayed == snapshot(conn)


def test_resuming_goes_on_with_the_reader_s_state(conn: psycopg.Connection, tmp_path: Path) -> None:
    store = tmp_path / "recovery"
    store.mkdir()
    init_db_dir(store, 1)
    events.append(conn, act(Action.HIDE, 5, reader_key="s_1"))
    catch_up(conn, SmallRecommender(), RecoveryConfig(store, timedelta(0)))
    events.append(conn, act(Action.LIKE, 6, reader_key="s_1"))

    asked = AskedRecommender()
    catch_up(conn, asked, RecoveryConfig(store, timedelta(0)))

    assert [excluded_of(request) for request in asked.requests] == [{5, 6}]


class AskedRecommender(SmallRecommender):
    def __init__(self) -> None:
        self.requests: list[SlateRequest] = []

    def draw(self, requests: list[SlateRequest]) -> list[DrawnSlate]:
        self.requests += requests
        return super().draw(requests)


def test_a_reader_s_state_is_rebuilt_from_the_stored_acts(conn: psycopg.Connection) -> None:
    """As after an eviction, or a lost store when the topic no longer has the old acts."""
    acts = [act(Action.LIKE, 1), act(Action.HIDE, 2), act(Action.OPEN, 3)]
    events.append_many(conn, acts[:2])
    catch_up(conn, SmallRecommender())
    partition = topics.partition_of("r_1")
    raw = RawAct("log", partition, 2, acts[2].encode(), utc_now(), partition, 2)
    asked = AskedRecommender()

    flow_over([raw], conn, asked)

    assert [excluded_of(request) for request in asked.requests] == [{1, 2, 3}]
    assert [action for action, _ in acts_of(asked.requests[0].acts)] == ["like", "hide", "open"]


def flow_over(raws: list[RawAct], conn: psycopg.Connection, recommender: SmallRecommender) -> None:
    flow = sessions_flow.build_flow(
        TestingSource(raws),
        BatchSink(lambda: only(recommender)),
        rewards=rewards.load(),
        history=lambda taken: reader_history.stored_acts(
            conn, taken.event.reader_key, before_offset=taken.raw.log_offset
        ),
        clock=utc_now,
        silence=SILENCE,
    )
    run_main(flow)
    conn.commit()


def test_an_act_delivered_twice_counts_once(conn: psycopg.Connection) -> None:
    raw = [RawAct("topic", 0, n, act(Action.LIKE, n + 1).encode(), utc_now(), None, None) for n in range(3)]
    again = [RawAct("topic", 0, n + 3, each.payload, utc_now(), None, None) for n, each in enumerate(raw)]

    flow_over(raw + again, conn, SmallRecommender())

    assert conn.execute("select count(*) from stream.interactions").fetchone() == (3,)
    assert conn.execute("select count_acts, reward from stream.sessions").fetchall() == [(3, 6.0)]


def test_without_a_recommender_acts_are_stored_and_no_slate_is_made(conn: psycopg.Connection) -> None:
    events.append(conn, act())

    catch_up(conn, None)

    assert conn.execute("select count(*) from stream.interactions").fetchone() == (1,)
    assert stream.latest_slate(conn, "r_1") is None


def test_a_recommender_that_fails_does_not_stop_the_storing(conn: psycopg.Connection) -> None:
    class Broken(SmallRecommender):
        def draw(self, requests: list[SlateRequest]) -> list[DrawnSlate]:
            raise RuntimeError("no")

    events.append_many(conn, many_acts(20))

    catch_up(conn, Broken())

    assert conn.execute("select count(*) from stream.interactions").fetchone() == (20,)


def test_a_value_postgres_refuses_is_a_dead_letter_and_the_rest_of_the_batch_is_stored(
    conn: psycopg.Connection,
) -> None:
    class ImpossibleFor13(SmallRecommender):
        def draw(self, requests: list[SlateRequest]) -> list[DrawnSlate]:
            drawn = super().draw(requests)
            return [
                DrawnSlate.of("x", [impossible(place) for place in slate.places])
                if request.acts and acts_of(request.acts)[-1][1] == 13
                else slate
                for request, slate in zip(requests, drawn, strict=True)
            ]

    def impossible(place: Place) -> Place:
        return msgspec.structs.replace(place, propensity=1.5)

    events.append_many(conn, [act(Action.LIKE, book_id) for book_id in range(1, 31)])

    catch_up(conn, ImpossibleFor13())

    assert conn.execute("select count(*) from stream.interactions").fetchone() == (29,)
    (letter,) = dead_letters.waiting(conn)
    assert "Postgres refuses it" in letter.reason


def test_a_session_whose_state_is_lost_is_ended_and_goes_on_when_an_act_comes(conn: psycopg.Connection) -> None:
    events.append_many(conn, [act(Action.LIKE, 1)])
    catch_up(conn, None)

    assert stream.end_forgotten_sessions(conn, utc_now() - SILENCE) == 0
    assert stream.end_forgotten_sessions(conn, utc_now()) == 1
    assert conn.execute("select ended_at = last_act_at from stream.sessions").fetchone() == (True,)
    events.append_many(conn, [act(Action.OPEN, 2)])
    catch_up(conn, None)

    assert conn.execute("select ended_at, count_acts from stream.sessions").fetchall() == [(None, 2)]


def test_step_ids_are_those_the_recovery_store_knows(database: str) -> None:
    flow: Dataflow = sessions_flow.build_flow(
        TestingSource([]),
        BatchSink(lambda: None),
        rewards=rewards.load(),
        history=lambda _: [],
        clock=utc_now,
        silence=SILENCE,
    )

    assert tuple(step.step_id.removeprefix("sessions.") for step in flow.substeps) == sessions_flow.STEP_IDS


def logic_after_a_like(reader_key: str) -> SessionLogic:
    logic = SessionLogic(None, lambda _: [], utc_now, RULES)
    payload = act(Action.LIKE, 1, reader_key=reader_key).encode()
    taken = take(RawAct("log", 0, 0, payload, utc_now(), 0, 0), rewards.load())
    assert isinstance(taken, TakenAct)
    logic.on_batch([taken])
    return logic


def test_the_clock_discards_someone_without_a_history_and_later_evicts_a_reader() -> None:
    passing, reader = logic_after_a_like("s_1"), logic_after_a_like("r_1")

    _, is_discarded = passing.on_notify()
    ended, is_reader_discarded = reader.on_notify()
    rows, is_evicted = reader.on_notify()

    assert is_discarded
    assert len(list(ended)) == 1
    assert not is_reader_discarded
    assert (list(rows), is_evicted) == ([], True)


def test_a_snapshot_of_another_layout_is_not_read() -> None:
    version, packed = logic_after_a_like("r_1").snapshot()

    restored = SessionLogic((version + 1, packed), lambda _: [], utc_now, RULES)

    assert restored.snapshot() == (session_logic.STATE_VERSION, None)
