"""A task, then the scheduler with all its tasks, are killed with -9 in the midst of a run: it finishes all the same."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from airflow_process import ROOT, airflow_environment
from ports import free_port

AIRFLOW = str(Path(sys.executable).with_name("airflow"))
PATIENCE_S = 300

DAG = """
from datetime import timedelta
from _defaults import DAG_ARGS, TASK_ARGS
from airflow.sdk import dag, task


@dag(schedule="@once", default_args=TASK_ARGS | {{"retry_delay": timedelta(seconds=1)}}, **DAG_ARGS)
def slow() -> None:
    @task.bash
    def work() -> str:
        return "{python} {script}"

    work()


slow()
"""
# The first two times it would take for ever.
SCRIPT = """
import os, pathlib, time
seen = pathlib.Path({seen!r})
with seen.open("a") as file:
    file.write(f"{{os.getpid()}}\\n")
if len(seen.read_text().splitlines()) < 3:
    time.sleep(600)
"""


class Airflow:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.seen = home / "seen"
        folder = home / "dags"
        folder.mkdir()
        (folder / "_defaults.py").write_text((ROOT / "dags" / "_defaults.py").read_text())
        (home / "script.py").write_text(SCRIPT.format(seen=str(self.seen)))
        (folder / "slow.py").write_text(DAG.format(python=sys.executable, script=home / "script.py"))
        self.port = free_port()
        self.environment = airflow_environment(home) | {
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self.port}/execution/",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__SECRET_KEY": "k" * 32,
            "AIRFLOW__API_AUTH__JWT_SECRET": "j" * 64,
            # As in compose.yaml, or less.
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
        }

    def run(self, *words: str) -> None:
        done = subprocess.run([AIRFLOW, *words], env=self.environment, capture_output=True, text=True, cwd=self.home)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    @contextmanager
    def running(self, part: str) -> Iterator[subprocess.Popen[bytes]]:
        with (self.home / f"{part}.log").open("ab") as log:
            process = subprocess.Popen(
                [AIRFLOW, part], env=self.environment, stdout=log, stderr=subprocess.STDOUT, cwd=self.home
            )
        try:
            yield process
        finally:
            kill_whole(process)

    def answers(self) -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v2/monitor/health", timeout=30).close()
        except OSError:
            return False
        return True

    def tries(self) -> list[int]:
        return [int(line) for line in self.seen.read_text().splitlines()] if self.seen.exists() else []

    def state(self) -> str:
        with sqlite3.connect(self.home / "airflow.db", timeout=60) as conn:
            row = conn.execute("select state from dag_run where dag_id = 'slow'").fetchone()
        return row[0] if row else ""


def kill_whole(process: subprocess.Popen[bytes]) -> None:
    """As the machine, or the container, that it runs in."""
    try:
        everyone = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for each in everyone:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()


def wait_for(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


@pytest.mark.airflow
@pytest.mark.timeout(1_800)
def test_a_run_finishes_although_its_task_and_then_the_scheduler_are_killed(airflow_home: Path) -> None:
    airflow = Airflow(airflow_home)
    airflow.run("dags", "reserialize")
    with airflow.running("api-server"):
        # A task that begins before it answers has failed.
        wait_for(airflow.answers, "the API server does not answer")
        with airflow.running("scheduler") as scheduler:
            wait_for(lambda: len(airflow.tries()) == 1, "the task did not begin")
            command = psutil.Process(airflow.tries()[0])
            runner = next(each for each in command.parents() if "bash" not in each.name())
            os.kill(runner.pid, signal.SIGKILL)
            wait_for(lambda: len(airflow.tries()) == 2, "the task that was killed was not begun again")
            kill_whole(scheduler)
            assert airflow.state() == "running"
        with airflow.running("scheduler"):
            wait_for(lambda: airflow.state() != "running", "the run did not end")

    assert airflow.state() == "success"
    assert len(airflow.tries()) == 3
