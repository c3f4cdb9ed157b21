"""What all DAGs share: how patiently tasks run, how a command is called, which assets they hand on."""

import shlex
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Asset

# Commands run where .env and the home folder are, whatever folder a worker starts in.
ROOT = Path(__file__).resolve().parents[1]
OWNER = "library operations"
TAGS = ["openshelf"]

CATALOGUE = Asset("openshelf://catalogue")
WAREHOUSE = Asset("openshelf://warehouse")
POLICY = Asset("openshelf://policy")

DEFAULT_ARGS: dict[str, Any] = {
    "owner": OWNER,
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
    "execution_timeout": timedelta(minutes=10),
    "cwd": str(ROOT),
}
# Embedding a large new library, or a month of slates, takes longer than anything else.
LONG_TIMEOUT = timedelta(minutes=30)


def openshelf(*words: str) -> str:
    """The shell line of one `openshelf` command, from the same environment as Airflow itself."""
    program = Path(sys.executable).with_name("openshelf")
    return shlex.join([str(program), *words])
