"""The same log gives the same rows, however many workers take it."""

import psutil
import pytest
from running_stream import PATIENCE_S, Running
from stream_acts import snapshot
from worked_log import Entry, WorkedDatabase


def test_the_log_holds_all_that_could_come_out_differently(
    undisturbed: list[list[tuple]], entries: list[Entry]
) -> None:
    interactions, slates, places, sessions, dead_letters = undisturbed

    assert len(interactions) > len(entries), "no skip was inferred"
    assert {reader_key[:2] for _, reader_key, *_ in interactions} == {"r_", "s_"}
    assert {place[4] for place in places} >= {"policy", "random", "popular"}
    assert sum(session[5] is not None for session in sessions) > 10, "no session ended"
    assert len(dead_letters) > 10
    assert slates


@pytest.mark.parametrize("workers", [2, 4])
def test_several_workers_make_the_rows_of_one(
    worked: WorkedDatabase, entries: list[Entry], undisturbed: list[list[tuple]], workers: int
) -> None:
    worked.go_through(entries, workers)

    assert snapshot(worked.conn) == undisturbed


def test_a_number_of_workers_that_changes_while_acts_flow_changes_no_row(
    worked: WorkedDatabase, entries: list[Entry], undisturbed: list[list[tuple]]
) -> None:
    worked.go_through(entries[:200], workers=1)
    worked.go_through(entries[200:400], workers=4, until=kill_one)
    worked.go_through(entries[400:], workers=2)

    assert snapshot(worked.conn) == undisturbed


def kill_one(cluster: Running) -> None:
    psutil.Process(cluster.process.pid).children()[1].kill()
    assert cluster.process.wait(PATIENCE_S) == 1
    # The other one, which can no longer send to it, may be the first that is seen to have ended.
    assert "a worker ended with code -" in cluster.lines()
