"""Acts that come before their work: kept apart, and counted once when an ingest has brought it."""

import json

import psycopg
import pytest
from bytewax.testing import run_main
from small_catalogue import Work, add_work
from stream_acts import SILENCE, SmallRecommender, act, only, snapshot
from test_stream_commands import openshelf

from models import rewards
from openshelf.contracts import Action, utc_now
from openshelf.database import consumers, events, quarantine, reader_history
from streaming import sessions_flow
from streaming.batch_sink import BatchSink
from streaming.log_source import LogSource
from streaming.patience import PatientConnection
from streaming.works_on_file import WorksOnFile


def catch_up(conn: psycopg.Connection) -> None:
    """The dataflow over the whole log, as after a lost recovery store."""
    conn.commit()
    run_main(
        sessions_flow.build_flow(
            LogSource(stop_at=consumers.end_offsets(conn)),
            BatchSink(lambda: only(SmallRecommender())),
            rewards=rewards.load(),
            history=lambda taken: reader_history.stored_acts(
                conn, taken.event.reader_key, before_offset=taken.raw.log_offset
            ),
            clock=utc_now,
            silence=SILENCE,
            works=WorksOnFile(PatientConnection()),
        )
    )
    conn.commit()


def stored(conn: psycopg.Connection) -> list[tuple]:
    return conn.execute("select book_id, action, occurred_at from stream.interactions order by occurred_at").fetchall()


def a_work(conn: psycopg.Connection, title: str) -> int:
    return add_work(conn, Work(title, ["A. Author"], ["history"], None))


def test_an_act_on_a_work_that_is_not_there_waits_and_then_counts_once(conn: psycopg.Connection) -> None:
    known = a_work(conn, "Known")
    early = act(Action.LIKE, known + 1)
    events.append_many(conn, [act(Action.OPEN, known), early, act(Action.VISIT, None)])
    catch_up(conn)

    assert [row[:2] for row in stored(conn)] == [(known, "open"), (None, "visit")]
    assert [waiting.event_id for waiting in quarantine.all_of(conn)] == [early.event_id]
    assert quarantine.release(conn, utc_now()) == 0

    assert a_work(conn, "Late") == known + 1
    assert quarantine.release(conn, utc_now()) == 1
    catch_up(conn)

    assert (known + 1, "like", early.occurred_at) in stored(conn)
    assert len(stored(conn)) == 3
    assert quarantine.all_of(conn) == []
    assert quarantine.release(conn, utc_now()) == 0


def test_a_replay_after_the_release_changes_nothing(conn: psycopg.Connection) -> None:
    events.append_many(conn, [act(Action.LIKE, 1), act(Action.OPEN, 1)])
    catch_up(conn)
    assert a_work(conn, "Late") == 1
    quarantine.release(conn, utc_now())
    catch_up(conn)
    before = snapshot(conn)

    catch_up(conn)

    assert snapshot(conn) == before
    assert len(stored(conn)) == 2


def test_an_ingest_that_comes_between_look_and_storing_leaves_nobody_waiting(conn: psycopg.Connection) -> None:
    """The work is committed after the dataflow looked for it and before the act is in quarantine."""
    events.append_many(conn, [act(Action.LIKE, 1)])
    conn.commit()
    looked = WorksOnFile.sift

    def sift_and_ingest(self: WorksOnFile, acts: list) -> list:
        found = looked(self, acts)
        if not conn.execute("select from library.works").fetchone():
            a_work(conn, "Just in time")
            assert quarantine.release(conn, utc_now()) == 0
        conn.commit()
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WorksOnFile, "sift", sift_and_ingest)
        catch_up(conn)
    catch_up(conn)

    assert [row[:2] for row in stored(conn)] == [(1, "like")]


def test_the_command_lists_those_that_wait_and_tries_again(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    early = act(Action.LIKE, 1)
    events.append_many(conn, [early])
    catch_up(conn)

    _, listed = openshelf("quarantine", "list", "--json", monkeypatch=monkeypatch, capsys=capsys)
    a_work(conn, "Late")
    conn.commit()
    _, retried = openshelf("quarantine", "retry", "--json", monkeypatch=monkeypatch, capsys=capsys)

    assert [row["event_id"] for row in json.loads(listed)] == [str(early.event_id)]
    assert json.loads(retried) == {"released": 1}
