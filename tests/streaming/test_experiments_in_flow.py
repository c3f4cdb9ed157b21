"""Experiments through the dataflow and the command line: who is in which arm is logged, and stays so."""

import json
import sys

import psycopg
import pytest
from small_catalogue import Work, add_work
from stream_acts import SmallRecommender, catch_up, many_acts, snapshot

from models.experiments import Arm, Experiment, Serving
from openshelf.cli import main
from openshelf.database import events, experiments
from openshelf.database.experiments import ArmRow


class Drawer(SmallRecommender):
    def __init__(self, version: str) -> None:
        self.version = version


def serving_of(experiment_id: int) -> Serving:
    arms = (Arm("control", 1.0), Arm("new", 1.0))
    drawers = {"control": Drawer("policy-1"), "new": Drawer("ease-1")}
    return Serving(drawers["control"], Experiment(experiment_id, "salt", arms), drawers)  # pyright: ignore[reportArgumentType]


def started(conn: psycopg.Connection) -> int:
    found = experiments.start(conn, "x", "salt", [ArmRow("control", "champion", 1.0), ArmRow("new", "ease-1", 1.0)])
    assert found
    return found


def test_each_reader_s_slates_sessions_and_assignment_are_of_one_arm(conn: psycopg.Connection) -> None:
    serving = serving_of(started(conn))
    events.append_many(conn, many_acts(200, count_readers=20))

    catch_up(conn, serving)

    of_slates = conn.execute("select distinct reader_key, arm, policy_version from stream.slates").fetchall()
    assigned = dict(conn.execute("select reader_key, arm from stream.assignments").fetchall())
    sessions = dict(conn.execute("select reader_key, arm from stream.sessions").fetchall())
    assert len(of_slates) == 20
    assert {version for _, arm, version in of_slates if arm == "new"} == {"ease-1"}
    assert assigned == sessions == {reader_key: arm for reader_key, arm, _ in of_slates}
    assert set(assigned.values()) == {"control", "new"}


def test_a_replay_after_the_end_of_an_experiment_changes_nothing(conn: psycopg.Connection) -> None:
    serving = serving_of(started(conn))
    events.append_many(conn, many_acts(60))
    catch_up(conn, serving)
    before = snapshot(conn)

    catch_up(conn, Drawer("policy-2"))

    assert snapshot(conn) == before


def test_places_answered_by_arm_are_counted_without_those_that_staff_pinned(conn: psycopg.Connection) -> None:
    experiment_id = started(conn)
    events.append_many(conn, many_acts(40, count_readers=4))
    catch_up(conn, serving_of(experiment_id))
    conn.execute("update stream.slates set sources[1] = 'pinned', sources[2] = 'fallback'")
    slates = conn.execute("select slate_id, reader_key, session_id, arm, book_ids from stream.slates").fetchall()
    for slate_id, reader_key, session_id, _, book_ids in slates:
        for position, action in ((0, "open"), (1, "open"), (1, "like"), (2, "skip")):
            conn.execute(
                """insert into stream.interactions (event_id, version, occurred_at, reader_key, session_id, action,
                       book_id, slate_id, position, surface, reward, rewards_version, received_at)
                   values (gen_random_uuid(), 1, now(), %s, %s, %s, %s, %s, %s, 'for_you', 1, 'x', now())""",
                [reader_key, session_id, action, book_ids[position], slate_id, position],
            )

    figures = {row.arm: row for row in experiments.figures(conn, experiment_id)}

    for arm, row in figures.items():
        count_slates = sum(slate[3] == arm for slate in slates)
        assert row.count_slates == count_slates
        assert (row.count_shown, row.count_opened) == (2 * count_slates, count_slates)
        assert (row.count_places, row.count_fallback) == (4 * count_slates, count_slates)
        assert row.count_crossed == 0


def test_a_reader_with_slates_of_two_arms_is_found(conn: psycopg.Connection) -> None:
    experiment_id = started(conn)
    events.append_many(conn, many_acts(40, count_readers=4))
    catch_up(conn, serving_of(experiment_id))
    conn.execute(
        """update stream.slates set arm = case arm when 'new' then 'control' else 'new' end
           where slate_id = (select slate_id from stream.slates order by slate_id limit 1)"""
    )

    assert sum(row.count_crossed for row in experiments.figures(conn, experiment_id)) == 1


def openshelf(*arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["openshelf", *arguments])
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main()
    written = capsys.readouterr()
    return int(stop.value.code or 0), written.out + written.err


def test_an_experiment_from_start_to_report_on_the_command_line(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        return openshelf("experiments", *arguments, monkeypatch=monkeypatch, capsys=capsys)

    arms = ("--arm", "control=champion", "--arm", "plain=popular:0.5")
    assert run("start", "first", "--arm", "control=champion")[0] == 2
    code, said = run("start", "first", *arms, "--arm", "ease=ease-0001")
    assert (code, "there is no model 'ease-0001'" in said) == (2, True)
    code, said = run("start", "first", "--arm", "Control=champion", "--arm", "b=popular")
    assert (code, "is not NAME=VERSION[:SHARE]" in said) == (2, True)
    assert run("start", "first", *arms)[0] == 0
    code, said = run("start", "second", *arms)
    assert (code, "experiment 'first' is running" in said) == (2, True)

    code, said = run("report", "--json")

    assert code == 0
    assert [(arm["arm"], arm["version"], arm["count_readers"]) for arm in json.loads(said)["arms"]] == [
        ("control", "champion", 0),
        ("plain", "popular", 0),
    ]
    assert "stopped: first" in run("stop", "--reason", "enough")[1]
    assert run("stop")[0] == 2
    assert "enough" in run("list")[1]


def test_pins_on_the_command_line(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        return openshelf("pins", *arguments, monkeypatch=monkeypatch, capsys=capsys)

    book_id = str(add_work(conn, Work("A work", ["A. Author"], ["history"], None)))
    conn.commit()

    assert run("add", "999", "0")[0] == 2
    code, said = run("add", book_id, "0", "--from", "2026-03-02", "--until", "2026-03-01")
    assert (code, "--until must be later" in said) == (2, True)
    code, said = run("add", book_id, "2", "--note", "reading week", "--json")
    assert code == 0
    pin_id = str(json.loads(said)["pin_id"])
    assert "reading week" in run("list")[1]
    assert run("remove", pin_id)[0] == 0
    assert run("remove", pin_id)[0] == 2
