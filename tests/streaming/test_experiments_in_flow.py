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

    # Its figures are the warehouse's: tests/warehouse/test_trust.py compares them.
    code, said = run("report", "--json")

    assert (code, "run `openshelf warehouse build`" in said) == (2, True)
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
