"""One DAG for each job of openshelf/jobs.py, one task for each of its steps."""

from datetime import timedelta
from typing import Any

from _defaults import DAG_ARGS, ROOT, TASK_ARGS, about, openshelf
from airflow.sdk import DAG, Asset, chain, task

from openshelf.jobs import BY_NAME, JOBS, Job, Step


def dag_of(job: Job) -> DAG:
    """Started by the clock, or by the asset that the job before it has renewed."""
    with DAG(
        job.name,
        schedule=job.cron or [Asset(BY_NAME[job.after or ""].outlet or "")],
        default_args=TASK_ARGS,
        tags=["openshelf", "job"],
        doc_md=about(job),
        **DAG_ARGS,
    ) as made:
        last = [step for step in job.steps if not step.always][-1]
        tasks = [task_of(step, job.outlet if step is last else None) for step in job.steps]
        chain(*tasks)
        for step, each in zip(job.steps, tasks, strict=True):
            if step.always:
                # Runs whatever became of the others, and does not hide that they failed.
                each.as_teardown(on_failure_fail_dagrun=True)
    return made


def task_of(step: Step, outlet: str | None) -> Any:
    line = openshelf(*step.words)

    @task.bash(
        task_id=step.name,
        cwd=str(ROOT),
        execution_timeout=timedelta(minutes=step.minutes),
        outlets=[Asset(outlet)] if outlet else [],
        doc_md=f"`openshelf {' '.join(step.words)}`",
    )
    def run() -> str:
        return line

    return run()


for job in JOBS:
    globals()[job.name] = dag_of(job)
