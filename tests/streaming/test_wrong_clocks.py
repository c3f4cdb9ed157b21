"""A clock set back ends the dataflow instead of stopping it; one set forward makes no act count less."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from running_stream import PATIENCE_S, running, wait_for
from stream_acts import RULES, act, add_works

from benchmarks.breaking import clocks
from models import rewards
from openshelf.contracts import Action, utc_now
from openshelf.database import events
from openshelf.database.reader_history import StoredAct
from streaming.acts import RawAct, TakenAct, take
from streaming.session_logic import MovedAct, SessionLogic
from streaming.set_back import ClockWatch


def test_a_clock_set_back_is_noticed_by_how_much_and_once() -> None:
    walls, steadies = iter([1_000.0, 1_001.0, 402.0, 403.0]), iter([0.0, 1.0, 2.0, 3.0])
    watch = ClockWatch(lambda: next(walls), lambda: next(steadies))

    assert [watch.set_back_by() for _ in range(3)] == [0.0, 600.0, 0.0]


def test_a_clock_set_forward_and_a_machine_that_slept_are_no_matter() -> None:
    walls, steadies = iter([1_000.0, 9_000.0, 9_601.0]), iter([0.0, 1.0, 602.0])
    watch = ClockWatch(lambda: next(walls), lambda: next(steadies))

    assert [watch.set_back_by() for _ in range(2)] == [0.0, 0.0]


@pytest.mark.skipif(clocks.library() is None, reason="libfaketime is not installed (Debian: faketime)")
def test_the_dataflow_ends_when_its_clock_is_set_back(conn: psycopg.Connection, tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    add_works(conn)
    events.append(conn, act())
    conn.commit()

    with running("run", log=tmp_path / "log", **clocks.faking(clock)) as flow:
        wait_for(lambda: conn.execute("select 1 from stream.interactions").fetchone(), "the first act")
        conn.commit()
        clock.write_text("-3600")
        code = flow.process.wait(PATIENCE_S)

    assert code == 1
    assert "clock_was_set_back" in flow.lines()


def test_a_session_that_a_clock_set_forward_has_ended_counts_on(conn: psycopg.Connection) -> None:
    """Also of someone without a history, whom the dataflow has forgotten by then."""
    clock = [utc_now()]
    acts = [act(Action.LIKE, n, reader_key="s_1") for n in (1, 2)]

    def taken(n: int) -> TakenAct:
        found = take(RawAct("log", 0, n, acts[n].encode(), utc_now(), 0, n), rewards.load())
        assert isinstance(found, TakenAct)
        return found

    def stored(_: TakenAct) -> list[StoredAct]:
        return [StoredAct(acts[0], 2.0, 0, utc_now())]

    def count_acts(moved: Iterable) -> list[int]:
        return [row.count_acts for each in moved if isinstance(each, MovedAct) for row in each.change.sessions]

    logic = SessionLogic(None, lambda _: [], lambda: clock[0], RULES)
    first = count_acts(logic.on_batch([taken(0)])[0])
    clock[0] += timedelta(hours=2)
    _, is_forgotten = logic.on_notify()
    then = count_acts(SessionLogic(None, stored, lambda: clock[0], RULES).on_batch([taken(1)])[0])

    assert (first, is_forgotten, then) == ([1], True, [2])
