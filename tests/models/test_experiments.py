"""Readers dealt among arms, and one experiment at a time. What comes of it: tests/warehouse/test_trust.py."""

import psycopg
import pytest
from small_catalogue import Work, add_work

from models.experiments import Arm, Experiment
from openshelf.database import experiments, pins
from openshelf.database.experiments import ArmRow

ARMS = [ArmRow("control", "champion", 1.0), ArmRow("ease", "ease-0001", 1.0)]


def dealt(experiment: Experiment, count: int = 20_000) -> dict[str, int]:
    found: dict[str, int] = {}
    for n in range(count):
        arm = experiment.arm_of(f"r_{n}")
        found[arm] = found.get(arm, 0) + 1
    return found


def test_readers_are_dealt_by_the_shares_and_always_alike() -> None:
    experiment = Experiment(1, "salt", (Arm("a", 3.0), Arm("b", 1.0)))
    other_order = Experiment(2, "salt", (Arm("b", 0.25), Arm("a", 0.75)))

    found = dealt(experiment)

    assert found["a"] / 20_000 == pytest.approx(0.75, abs=0.01)
    assert all(experiment.arm_of(f"r_{n}") == other_order.arm_of(f"r_{n}") for n in range(1_000))


def test_another_experiment_deals_them_anew() -> None:
    first = Experiment(1, "one salt", (Arm("a", 1.0), Arm("b", 1.0)))
    second = Experiment(2, "another", (Arm("a", 1.0), Arm("b", 1.0)))

    both = sum(first.arm_of(f"r_{n}") == "a" and second.arm_of(f"r_{n}") == "a" for n in range(20_000))

    assert both / 20_000 == pytest.approx(0.25, abs=0.01)


def test_one_experiment_runs_at_a_time_and_no_name_comes_twice(conn: psycopg.Connection) -> None:
    first = experiments.start(conn, "first", "salt", ARMS, "which?", "me")

    assert first is not None
    assert experiments.start(conn, "second", "salt", ARMS) is None
    assert experiments.arms(conn, first) == ARMS
    assert experiments.stop(conn, "another", "") is None
    assert experiments.stop(conn, None, "done") == "first"
    assert experiments.running(conn) is None
    assert experiments.start(conn, "first", "salt", ARMS) is None
    assert experiments.start(conn, "second", "salt", ARMS) is not None
    assert [(row.name, row.stop_reason) for row in experiments.all_of(conn)] == [("first", "done"), ("second", None)]


def test_a_pin_holds_from_its_start_until_it_is_removed(conn: psycopg.Connection) -> None:
    book_id = add_work(conn, Work("A work", ["A. Author"], ["history"], None))

    first = pins.add(conn, book_id, 3, note="read it")
    assert first is not None
    assert pins.add(conn, 999_999, 3) is None
    assert [(row.book_id, row.position) for row in pins.present(conn)] == [(book_id, 3)]

    assert pins.remove(conn, first)
    assert not pins.remove(conn, first)
    assert pins.present(conn) == []
    assert [row.note for row in pins.all_of(conn)] == ["read it"]
