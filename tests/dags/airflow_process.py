"""Run in a process of its own, with Airflow's environment set before the first import of it.

python airflow_process.py describe        what the DAG folder holds, as JSON
python airflow_process.py run DAG_ID ...  run DAGs once each, as `dag.test()` does; exit code 1 unless all is green
"""

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

DAGS = Path(__file__).resolve().parents[2] / "dags"


def loaded() -> tuple[dict[str, Any], dict[str, str]]:
    from airflow.dag_processing.dagbag import DagBag

    sys.path.insert(0, str(DAGS))  # as the DAG processor does for its folder
    bag = DagBag(dag_folder=str(DAGS))
    return dict(bag.dags), dict(bag.import_errors)


def say(report: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(report) + "\n")


def describe() -> None:
    dags, errors = loaded()
    say({"errors": errors, "dags": {dag_id: facts(dag) for dag_id, dag in dags.items()}})


def facts(dag: Any) -> dict[str, Any]:
    return {
        "file": Path(dag.fileloc).stem,
        "schedule": dag.schedule if isinstance(dag.schedule, str) else None,
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "doc": dag.doc_md or "",
        "tags": sorted(dag.tags),
        "tasks": {
            task.task_id: {
                "owner": task.owner,
                "retries": task.retries,
                "backoff": task.retry_exponential_backoff,
                "timeout_min": task.execution_timeout.total_seconds() / 60,
                "outlets": [outlet.uri.rstrip("/") for outlet in task.outlets],
                "after": sorted(task.upstream_task_ids),
            }
            for task in dag.tasks
        },
    }


def run(dag_ids: list[str]) -> None:
    dags, errors = loaded()
    if errors:
        sys.exit(f"import errors: {errors}")
    for dag_id in dag_ids:
        run_one(dags[dag_id])


def run_one(dag: Any) -> None:
    for task in dag.tasks:
        task.retry_delay = timedelta(seconds=0)  # tried again as often, without the patience
    done = dag.test()
    tasks = {task.task_id: [str(task.state), task.try_number] for task in done.get_task_instances()}
    say({"state": str(done.state), "tasks": tasks})
    if done.state != "success":
        sys.exit(1)


if __name__ == "__main__":
    if sys.argv[1] == "describe":
        describe()
    else:
        run(sys.argv[2:])
