"""Readers dealt among arms, what came of it, and whether it may be believed."""

from dataclasses import replace

import psycopg
import pytest
from small_catalogue import Work, add_work

from models.experiment_figures import report_of
from models.experiments import Arm, Experiment
from openshelf.database import experiments, pins
from openshelf.database.experiments import ArmFigures, ArmRow

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


def figures(arm: str, **changes: int) -> ArmFigures:
    nothing = ArmFigures(arm, 0, 0, 0, 0, 0, 0, 0)
    return replace(nothing, **changes)


def test_a_split_of_53_to_47_on_an_even_plan_is_flagged_before_any_winner() -> None:
    found = report_of("x", ARMS, [figures("control", count_readers=5_300), figures("ease", count_readers=4_700)])

    assert found.sample_ratio_p is not None
    assert found.sample_ratio_p < 0.001
    assert not found.is_healthy
    assert "readers are not dealt as planned" in found.faults[0]


def test_a_sound_experiment_gives_rates_with_their_intervals() -> None:
    found = report_of(
        "x",
        ARMS,
        [
            figures("control", count_readers=510, count_shown=100, count_opened=20, count_places=600),
            figures("ease", count_readers=490, count_shown=0, count_places=600, count_fallback=60),
        ],
    )

    assert found.is_healthy
    control, ease = found.arms
    # Wilson's interval of 20 of 100, by hand: (0.20 + z2/200 -+ z sqrt(0.16/100 + z2/40000)) / (1 + z2/100)
    assert control.open_rate == 0.2
    assert (control.open_rate_low, control.open_rate_high) == pytest.approx((0.1334, 0.2888), abs=5e-5)
    assert (ease.open_rate, ease.fallback_share) == (None, 0.1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"count_crossed": 2}, "2 readers have slates of two arms"), ({"count_fallback": 30}, "30% of its places")],
)
def test_crossed_readers_and_an_arm_that_others_fill_in_for_are_flagged(changes: dict[str, int], said: str) -> None:
    counts = {"count_readers": 50, "count_places": 100} | changes

    found = report_of("x", ARMS, [figures("control", count_readers=50), figures("ease", **counts)])

    assert said in found.faults[0]


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
