"""Run in a process of its own, with Airflow's environment set before the first import of it.

python airflow_process.py WORD ...      what each word asks for, one after the other, told as a line of JSON each:
describe                                what the DAG folder holds
DAG_ID                                  run it, as `dag.test()` does; the exit code is 1 at the first that is not green
DAG_ID=RE                               of its tasks only those whose name fits
"""

import atexit
import gc
import json
import os
import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DAGS = ROOT / "dags"

if __name__ == "__main__":
    # Airflow is two thousand modules that stay: a third of the time to load them goes into looking for garbage.
    gc.disable()
    atexit.register(gc.freeze)


def airflow_environment(home: Path) -> dict[str, str]:
    """Airflow with a metadata database of its own; nothing calls home."""
    return os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "DO_NOT_TRACK": "1",
    }


def loaded() -> tuple[dict[str, Any], dict[str, str]]:
    from airflow.dag_processing.dagbag import DagBag

    sys.path.insert(0, str(DAGS))  # as the DAG processor does for its folder
    bag = DagBag(dag_folder=str(DAGS))
    return dict(bag.dags), dict(bag.import_errors)


def say(report: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(report) + "\n")


def facts(dag: Any) -> dict[str, Any]:
    return {
        "file": Path(dag.fileloc).stem,
        "schedule": dag.schedule
        if isinstance(dag.schedule, str)
        else [asset.uri.rstrip("/") for asset in dag.schedule],
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "doc": dag.doc_md or "",
        "tags": sorted(dag.tags),
        "tasks": {
            task.task_id: {
                "command": getattr(task, "python_callable", str)(),
                "owner": task.owner,
                "retries": task.retries,
                "retry_delay_s": task.retry_delay.total_seconds(),
                "longest_delay_s": task.max_retry_delay.total_seconds(),
                "backoff": task.retry_exponential_backoff,
                "timeout_min": task.execution_timeout.total_seconds() / 60,
                "outlets": [outlet.uri.rstrip("/") for outlet in task.outlets],
                "after": sorted(task.upstream_task_ids),
                "always": task.is_teardown,
            }
            for task in dag.tasks
        },
    }


def run(dag: Any, only: str) -> None:
    if only:
        dag = dag.partial_subset([name for name in dag.task_ids if re.search(only, name)], include_upstream=False)
    for task in dag.tasks:
        task.retry_delay = timedelta(seconds=0)  # tried again as often, without the patience
    done = dag.test()
    tasks = {task.task_id: [str(task.state), task.try_number] for task in done.get_task_instances()}
    say({"state": str(done.state), "tasks": tasks})
    if done.state != "success":
        sys.exit(1)


if __name__ == "__main__":
    dags, errors = loaded()
    for word in sys.argv[1:]:
        if word == "describe":
            say({"errors": errors, "dags": {dag_id: facts(dag) for dag_id, dag in dags.items()}})
        elif errors:
            sys.exit(f"import errors: {errors}")
        else:
            dag_id, _, only = word.partition("=")
            run(dags[dag_id], only)
