"""The schedule on a real Postgres with small commands: what is due, retries, limits, one at a time, after a kill."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from command_help import help_of
from croniter import croniter

from openshelf import jobs, schedule
from openshelf.cli import COMMANDS
from openshelf.database import job_runs, pool
from openshelf.doctor import examine
from openshelf.jobs import JOBS, Job, Step
from openshelf.schedule import Schedule, due_at
from openshelf.settings import get_settings

OPENSHELF = str(Path(sys.executable).with_name("openshelf"))
NOON = datetime(2026, 5, 3, 12, 0, tzinfo=UTC)
PATIENCE_S = 90
FACTS = {"purpose": "", "inputs": "", "outputs": "", "if_it_fails": ""}


def job(name: str = "sweep", *steps: Step, cron: str | None = "0 * * * *", after: str | None = None) -> Job:
    return Job(name, steps or (Step("only", ("pass",)),), cron=cron if after is None else None, after=after, **FACTS)


def python(*words: str) -> list[str]:
    return [sys.executable, "-c", *words]


@pytest.fixture
def installed(conn: psycopg.Connection) -> psycopg.Connection:
    """As if installed half an hour before noon: the run of noon is due at noon, that of eleven was before our time."""
    conn.execute("update public.openshelf_migrations set applied_at = %s", [NOON - timedelta(minutes=30)])
    conn.commit()
    conn.autocommit = True
    return conn


@pytest.fixture
def keep(database: str) -> Iterator[Callable[..., Schedule]]:
    made: list[Schedule] = []

    def make(*jobs: Job) -> Schedule:
        made.append(Schedule(get_settings(), jobs, python))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def look_until(kept: Schedule, now: datetime, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        kept.look(now)
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to pass")


def runs_of(conn: psycopg.Connection, name: str = "sweep") -> list[tuple[Any, ...]]:
    return conn.execute(
        "select status, due_at, count_tries, message from learning.job_runs where job = %s order by run_id", [name]
    ).fetchall()


def settle(kept: Schedule, now: datetime) -> None:
    """Look until nothing is at work."""
    look_until(kept, now, lambda: not kept.runs)


@pytest.mark.parametrize(
    ("settled_at", "now", "expected"),
    [
        (NOON, NOON + timedelta(minutes=59), None),
        (NOON, NOON + timedelta(minutes=60), NOON + timedelta(hours=1)),
        # Away for a day: one run makes up for all.
        (NOON, NOON + timedelta(hours=24, minutes=5), NOON + timedelta(hours=24)),
        (NOON - timedelta(minutes=30), NOON - timedelta(minutes=1), None),
    ],
)
def test_what_was_missed_is_due_once(settled_at: datetime, now: datetime, expected: datetime | None) -> None:
    assert due_at(job(), settled_at, None, now) == expected


def test_a_job_that_follows_another_is_due_after_each_of_its_successes() -> None:
    follower = job("next", after="sweep")

    assert due_at(follower, None, None, NOON) is None
    assert due_at(follower, None, NOON, NOON) == NOON
    assert due_at(follower, NOON, NOON, NOON) is None
    assert due_at(follower, NOON, NOON + timedelta(hours=1), NOON + timedelta(hours=2)) == NOON + timedelta(hours=1)


def test_a_time_is_dealt_with_once_also_over_restarts(
    installed: psycopg.Connection, keep: Callable[..., Schedule]
) -> None:
    each = job()
    for _ in range(3):
        kept = keep(each)
        settle(kept, NOON)
        settle(kept, NOON + timedelta(minutes=30))
        kept.stop()
    kept = keep(each)
    settle(kept, NOON + timedelta(hours=5))

    assert [run[:3] for run in runs_of(installed)] == [("done", NOON, 1), ("done", NOON + timedelta(hours=5), 1)]


def test_a_follower_runs_after_its_job_and_only_if_that_did_well(
    installed: psycopg.Connection, keep: Callable[..., Schedule], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "RETRIES", 0)
    well, ill = job("well"), job("ill", Step("only", ("raise SystemExit('no luck')",)))
    kept = keep(well, ill, job("after_well", after="well"), job("after_ill", after="ill"))

    look_until(kept, NOON, lambda: bool(runs_of(installed, "after_well")) and not kept.runs)

    assert [run[0] for run in runs_of(installed, "ill")] == ["failed"]
    assert "no luck (exit code 1)" in runs_of(installed, "ill")[0][3]
    assert [run[0] for run in runs_of(installed, "after_well")] == ["done"]
    assert runs_of(installed, "after_ill") == []


def test_a_step_is_tried_again_with_growing_pauses_and_the_job_goes_on(
    installed: psycopg.Connection, keep: Callable[..., Schedule], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "FIRST_PAUSE_S", 0.1)
    second_time = f"import pathlib; p = pathlib.Path({str(tmp_path / 'seen')!r}); s = p.exists(); p.touch(); assert s"
    kept = keep(job("sweep", Step("shaky", (second_time,)), Step("next", ("print('swept')",))))

    settle(kept, NOON)

    assert [jobs.pause_s(n) for n in (1, 2, 3)] == [0.1, 0.2, 0.4]
    ((status, _, tries, message),) = runs_of(installed)
    assert (status, tries) == ("done", 3)
    assert message == "shaky: it said nothing; next: swept"


def test_after_all_tries_the_job_has_failed_and_what_must_always_run_has_run(
    installed: psycopg.Connection, keep: Callable[..., Schedule], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "FIRST_PAUSE_S", 0.05)
    steps = (
        Step("broken", ("raise SystemExit('disk full')",)),
        Step("behind", ("print('never')",)),
        Step("told", ("print('told')",), always=True),
    )
    kept = keep(job("sweep", *steps))

    settle(kept, NOON)
    settle(kept, NOON + timedelta(minutes=1))

    ((status, _, tries, message),) = runs_of(installed)
    assert (status, tries) == ("failed", jobs.RETRIES + 2)
    assert message == "broken: disk full (exit code 1); told: told"


def test_wrong_use_is_not_tried_again(installed: psycopg.Connection, keep: Callable[..., Schedule]) -> None:
    kept = keep(job("sweep", Step("wrong", ("raise SystemExit(2)",))))

    settle(kept, NOON)

    assert runs_of(installed)[0][2] == 1


def test_a_step_that_takes_too_long_is_stopped_with_what_it_started(
    installed: psycopg.Connection, keep: Callable[..., Schedule], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "RETRIES", 0)
    pid_file = tmp_path / "pid"
    hangs = (
        "import subprocess, sys, time, pathlib;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        f"pathlib.Path({str(pid_file)!r}).write_text(str(child.pid)); time.sleep(600)"
    )
    kept = keep(job("sweep", Step("slow", (hangs,), minutes=1)))
    look_until(kept, NOON, lambda: pid_file.exists() and bool(pid_file.read_text()))
    kept.runs["sweep"].ends_by = 0

    settle(kept, NOON)

    assert runs_of(installed)[0][0] == "failed"
    assert "stopped after 1 minutes" in runs_of(installed)[0][3]
    assert eventually(lambda: _is_gone(int(pid_file.read_text())))  # what was killed may still be about to go


def _is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_of_two_who_keep_the_schedule_one_runs_a_job(
    installed: psycopg.Connection, keep: Callable[..., Schedule]
) -> None:
    each = job("sweep", Step("slow", ("import time; time.sleep(1)",)))
    first, second = keep(each), keep(each)
    first.look(NOON)
    second.look(NOON)
    assert list(first.runs) == ["sweep"]
    assert not second.runs

    settle(first, NOON)
    settle(second, NOON)

    assert [run[0] for run in runs_of(installed)] == ["done"]


def test_no_more_than_two_jobs_work_at_once(installed: psycopg.Connection, keep: Callable[..., Schedule]) -> None:
    slow = Step("slow", ("import time; time.sleep(1)",))
    kept = keep(*(job(f"job_{number}", slow) for number in range(4)))

    kept.look(NOON)
    assert len(kept.runs) == schedule.AT_ONCE
    settle(kept, NOON)
    settle(kept, NOON)

    assert installed.execute("select count(*), count(distinct job) from learning.job_runs").fetchone() == (4, 4)


def test_a_run_that_was_killed_is_begun_again_and_given_up_in_the_end(
    installed: psycopg.Connection, keep: Callable[..., Schedule]
) -> None:
    each = job()
    for _ in range(schedule.MOST_INTERRUPTIONS - 1):
        job_runs.begin(installed, "sweep", NOON)
    settle(keep(each), NOON)
    assert [run[0] for run in runs_of(installed)] == ["interrupted"] * 4 + ["done"]

    later = NOON + timedelta(hours=1)
    for _ in range(schedule.MOST_INTERRUPTIONS):
        job_runs.begin(installed, "sweep", later)
    settle(keep(each), later)
    settle(keep(each), later)

    assert [run[0] for run in runs_of(installed)][5:] == ["interrupted"] * 5 + ["failed"]
    assert "given up" in runs_of(installed)[-1][3]


def test_a_schedule_that_is_killed_leaves_nothing_behind_and_the_next_one_finishes(
    installed: psycopg.Connection, tmp_path: Path
) -> None:
    """The real process with -9, in the midst of a job that the first time would take for ever."""
    seen = tmp_path / "seen"
    slow = (
        f"import pathlib, time; p = pathlib.Path({str(seen)!r}); s = p.exists(); p.touch(); time.sleep(0 if s else 600)"
    )
    script = f"""
import sys
from openshelf import schedule
from openshelf.jobs import Job, Step
step = Step("slow", ({slow!r},))
job = Job("sweep", (step,), cron="* * * * *", purpose="", inputs="", outputs="", if_it_fails="")
schedule.JOBS = (job,)
schedule.Schedule.__init__.__defaults__ = ((job,), lambda *words: [sys.executable, "-c", *words])
schedule.app(args=["run"])
"""
    installed.execute("update public.openshelf_migrations set applied_at = now() - interval '1 hour'")
    first = subprocess.Popen([sys.executable, "-c", script], stderr=(tmp_path / "first").open("w"))
    assert eventually(lambda: [run[0] for run in runs_of(installed)] == ["running"])
    assert eventually(seen.exists)
    (step,) = psutil.Process(first.pid).children()
    assert job_runs.is_kept(installed)
    assert eventually(lambda: step.nice() >= 10)

    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert eventually(lambda: not step.is_running() or step.status() == psutil.STATUS_ZOMBIE)
    second = subprocess.Popen([sys.executable, "-c", script], stderr=(tmp_path / "second").open("w"))
    assert eventually(lambda: "done" in [run[0] for run in runs_of(installed)])
    second.terminate()

    assert second.wait(timeout=PATIENCE_S) == 0
    first_due = runs_of(installed)[0][1]
    of_first = [run[0] for run in runs_of(installed) if run[1] == first_due]
    assert of_first[0] == "interrupted"
    assert of_first.count("done") <= 1
    assert eventually(lambda: not job_runs.is_kept(installed))


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return holds()


def test_jobs_go_on_while_postgres_is_away_for_a_moment(
    installed: psycopg.Connection, keep: Callable[..., Schedule]
) -> None:
    kept = keep(job("sweep", Step("slow", ("import time; time.sleep(1); print('well')",))))
    kept.look(NOON)
    installed.execute(
        """select pg_terminate_backend(pid) from pg_locks join pg_stat_activity using (pid)
           where locktype = 'advisory' and classid = 7311 and datname = current_database()"""
    )

    with pytest.raises(psycopg.OperationalError):
        kept.look(NOON)
    settle(kept, NOON)

    assert [run[0] for run in runs_of(installed)] == ["done"]


def test_every_job_is_made_of_commands_that_exist_and_has_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    names = [each.name for each in JOBS]
    assert len(set(names)) == len(names)
    for each in JOBS:
        assert each.steps
        assert bool(each.cron) != bool(each.after)
        assert each.after is None or names.index(each.after) < names.index(each.name)
        if each.cron:
            assert croniter.is_valid(each.cron)
        for step in each.steps:
            assert step.words[0] in COMMANDS
            assert 1 <= step.minutes <= 60
            help_text = help_of(capsys, *itertools.takewhile(lambda word: not word.startswith("--"), step.words))
            for option in (word for word in step.words if word.startswith("--")):
                assert option in help_text


def test_a_job_can_be_run_by_hand_and_the_list_says_what_came_of_it(database: str) -> None:
    done = subprocess.run(
        [OPENSHELF, "schedule", "once", "retry_waiting"], capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr
    assert '"replayed": 0' in done.stdout

    listed = subprocess.run(
        [OPENSHELF, "schedule", "list", "--json"], capture_output=True, text=True, timeout=PATIENCE_S
    )
    report = json.loads(listed.stdout)

    assert report["is_kept"] is False
    by_name = {row["job"]: row for row in report["jobs"]}
    assert list(by_name) == [each.name for each in JOBS]
    assert by_name["retry_waiting"]["status"] == "done"
    assert by_name["back_up"]["status"] is None
    assert by_name["train_adapter"]["is_due"] is False
    assert by_name["train_adapter"]["next_at"] is None
    assert by_name["back_up"]["next_at"]
    with pool.connect() as conn:
        assert not job_runs.is_kept(conn)


def test_the_doctor_says_who_keeps_the_schedule_and_which_job_failed(installed: psycopg.Connection) -> None:
    run_id = job_runs.begin(installed, "back_up", NOON)
    job_runs.finish(installed, run_id, "failed", 3, "backup: the disk is full")

    said = {finding.name: finding for finding in examine(get_settings())}
    job_runs.announce(installed)
    kept = {finding.name: finding for finding in examine(get_settings())}

    assert not said["schedule"].ok
    assert "up --schedule" in said["schedule"].text
    assert "the disk is full" in said["job back_up"].text
    assert kept["schedule"].ok


def note(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([OPENSHELF, "schedule", "note", *words], capture_output=True, text=True, timeout=PATIENCE_S)


def test_a_run_that_another_scheduler_made_counts_as_one_of_ours(installed: psycopg.Connection) -> None:
    began = NOON + timedelta(seconds=5)
    times = ("--due-at", NOON.isoformat(), "--started-at", began.isoformat())
    done = note("back_up", "failed", *times, "--message", "backup: the disk is full")
    assert done.returncode == 0, done.stderr

    (failure,) = schedule.failures(installed)
    line = {each.job: each for each in schedule.lines(installed, NOON)}["back_up"]

    assert (failure.job, failure.message) == ("back_up", "backup: the disk is full")
    assert "openshelf backup --list" in failure.remedy
    assert (line.status, line.due_at, line.started_at) == ("failed", NOON, began)
    assert "back_up" not in {each.name for each, _ in schedule.due_jobs(installed, JOBS, NOON)}
    assert note("back_up", "done").returncode == 0
    assert schedule.failures(installed) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("back_ip", "done"), "there is no job 'back_ip'; there are refresh_catalogue, "),
        (("back_up", "well"), "'well' is not one of"),
        (("back_up", "done", "--due-at", "noon"), "'noon' is no time; write it as 2"),
    ],
)
def test_a_run_that_cannot_be_noted_is_one_clear_line(database: str, words: tuple[str, ...], said: str) -> None:
    done = note(*words)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_status_names_each_job_that_failed_with_when_and_what_to_do(installed: psycopg.Connection) -> None:
    job_runs.note(installed, "keep_privacy", "failed", NOON, NOON, "retention: the disk is full.")
    job_runs.note(installed, "rebuild_warehouse", "failed", NOON, NOON, "")
    installed.execute("update learning.job_runs set finished_at = %s", [NOON])

    for_people = subprocess.run([OPENSHELF, "status"], capture_output=True, text=True, timeout=PATIENCE_S).stdout
    for_programs = subprocess.run(
        [OPENSHELF, "status", "--json"], capture_output=True, text=True, timeout=PATIENCE_S
    ).stdout

    assert (
        "job keep_privacy: failed 2026-05-03 12:00 UTC: retention: the disk is full. What to do: Readers' data stays "
        "longer than promised: mend it today."
    ) in for_people
    assert "Then `openshelf schedule once keep_privacy`." in for_people
    assert "job rebuild_warehouse: failed 2026-05-03 12:00 UTC: it said nothing. What to do: The model" in for_people
    assert [each["job"] for each in json.loads(for_programs)["failed_jobs"]] == ["keep_privacy", "rebuild_warehouse"]
