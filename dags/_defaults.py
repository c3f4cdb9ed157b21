"""What all DAGs share: how patiently tasks run, and how a command is called."""

import shlex
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from openshelf.jobs import FIRST_PAUSE_S, LONGEST_PAUSE_S, RETRIES

# Commands run where .env and the home folder are, whatever folder a worker starts in.
ROOT = Path(__file__).resolve().parents[1]
OWNER = "library operations"

# Of every DAG: no run for times that have passed, and never two at once. Commands work from watermarks in Postgres, so
# one run makes up for all that were missed, and one that was killed is begun again.
DAG_ARGS: dict[str, Any] = {"start_date": datetime(2026, 1, 1, tzinfo=UTC), "catchup": False, "max_active_runs": 1}
TASK_ARGS: dict[str, Any] = {
    "owner": OWNER,
    "retries": RETRIES,
    "retry_delay": timedelta(seconds=FIRST_PAUSE_S),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(seconds=LONGEST_PAUSE_S),
}


def openshelf(*words: str) -> str:
    """The shell line of one `openshelf` command, from the same environment as Airflow itself."""
    program = Path(sys.executable).with_name("openshelf")
    return shlex.join([str(program), *words])
