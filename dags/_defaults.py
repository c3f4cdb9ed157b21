"""What all DAGs share: how patiently tasks run, how a command is called, and who is told how a run ended."""

import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from openshelf.jobs import FIRST_PAUSE_S, LONGEST_PAUSE_S, RETRIES, Job

# Commands run where .env and the home folder are, whatever folder a worker starts in.
ROOT = Path(__file__).resolve().parents[1]
OWNER = "library operations"
DOC = """
### Purpose
{purpose}
### Inputs
{inputs}
### Outputs
{outputs}
### If it fails
{if_it_fails}
"""
# From the same environment as Airflow itself.
PROGRAM = str(Path(sys.executable).with_name("openshelf"))


def openshelf(*words: str) -> str:
    """The shell line of one `openshelf` command."""
    return shlex.join([PROGRAM, *words])


def note(context: Any) -> None:
    """How a run ended is told to Openshelf: else its status, its alerts and its staff would see nothing of it."""
    dag_run, task, reason = context.get("dag_run"), context.get("ti"), context["reason"]
    words = ["schedule", "note", context["dag"].dag_id, "done" if reason == "success" else "failed"]
    if dag_run is not None:  # Airflow knows it unless no task of the run is left
        words += ["--due-at", dag_run.run_after.isoformat()]
        words += ["--started-at", dag_run.start_date.isoformat()] if dag_run.start_date else []
    if reason != "success":
        last = f"{task.task_id}: " if task is not None else ""
        words += ["--message", f"{last}{reason.replace('_', ' ')}; why is in Airflow, run {context['run_id']}"]
    subprocess.run([PROGRAM, *words], cwd=ROOT, check=True)


# Of every DAG: no run for times that have passed, and never two at once. Commands work from watermarks in Postgres, so
# one run makes up for all that were missed, and one that was killed is begun again.
DAG_ARGS: dict[str, Any] = {
    "start_date": datetime(2026, 1, 1, tzinfo=UTC),
    "catchup": False,
    "max_active_runs": 1,
    "on_success_callback": note,
    "on_failure_callback": note,
}
TASK_ARGS: dict[str, Any] = {
    "owner": OWNER,
    "retries": RETRIES,
    "retry_delay": timedelta(seconds=FIRST_PAUSE_S),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(seconds=LONGEST_PAUSE_S),
}


def about(job: Job) -> str:
    """The page of its DAG."""
    return DOC.format(**vars(job))
