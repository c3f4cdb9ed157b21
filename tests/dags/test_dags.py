"""The DAGs: that they are the jobs of openshelf/jobs.py, and that they run green on the real parts, twice as once."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from airflow_process import ROOT, airflow_environment

from openshelf.database import contents
from openshelf.jobs import BY_NAME, FIRST_PAUSE_S, JOBS, LONGEST_PAUSE_S, RETRIES, Job

FILES = sorted((ROOT / "dags").glob("*.py"))
OPENSHELF = str(Path(sys.executable).with_name("openshelf"))
each_job = pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)


def in_airflow(home: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(Path(__file__).with_name("airflow_process.py")), *words],
        env=airflow_environment(home) | more,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=1_200,
    )


def run_green(home: Path, *words: str) -> list[dict[str, Any]]:
    """What became of each word."""
    done = in_airflow(home, *words)
    assert done.returncode == 0, f"{words}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith(('{"errors"', '{"state"'))]


@pytest.fixture(scope="module")
def described(airflow_home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of an installation whose warehouse was never built."""
    done = in_airflow(airflow_home, "describe", OPENSHELF_HOME=str(tmp_path_factory.mktemp("new")))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["errors"] == {}
    return report["dags"]


def test_the_folder_holds_a_dag_for_each_job_and_no_other(described: dict[str, Any]) -> None:
    assert set(described) == set(BY_NAME)
    assert {dag["file"] for dag in described.values()} == {"openshelf_jobs"}


@each_job
def test_a_dag_runs_when_its_job_should(described: dict[str, Any], job: Job) -> None:
    dag = described[job.name]

    assert dag["schedule"] == (job.cron or [BY_NAME[job.after or ""].outlet])
    assert dag["catchup"] is False
    assert dag["max_active_runs"] == 1


@each_job
def test_a_dag_runs_what_its_job_says_in_that_order(described: dict[str, Any], job: Job) -> None:
    tasks = described[job.name]["tasks"]

    assert list(tasks) == [step.name for step in job.steps]
    for before, step in zip([None, *job.steps], job.steps, strict=False):
        task = tasks[step.name]
        assert task["command"] == f"{OPENSHELF} {' '.join(step.words)}"
        assert task["after"] == ([before.name] if before else [])
        assert task["timeout_min"] == step.minutes
        assert task["always"] == step.always


@each_job
def test_tasks_have_an_owner_and_try_again_with_growing_pauses(described: dict[str, Any], job: Job) -> None:
    for task in described[job.name]["tasks"].values():
        assert task["owner"] == "library operations"
        assert (task["retries"], task["retry_delay_s"]) == (RETRIES, FIRST_PAUSE_S)
        assert (task["backoff"], task["longest_delay_s"]) == (2, LONGEST_PAUSE_S)


@each_job
def test_a_dag_says_what_it_is_for_and_what_to_do(described: dict[str, Any], job: Job) -> None:
    doc = described[job.name]["doc"]

    for heading, text in zip(
        ("### Purpose", "### Inputs", "### Outputs", "### If it fails"),
        (job.purpose, job.inputs, job.outputs, job.if_it_fails),
        strict=True,
    ):
        assert f"{heading}\n{text}\n" in doc
    assert "openshelf" in described[job.name]["tags"]


@each_job
def test_an_asset_is_handed_on_by_the_last_task_that_makes_it(described: dict[str, Any], job: Job) -> None:
    handed_on = {name: task["outlets"] for name, task in described[job.name]["tasks"].items() if task["outlets"]}
    last = [step.name for step in job.steps if not step.always][-1]

    assert handed_on == ({last: [job.outlet]} if job.outlet else {})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_dag_is_a_schedule_and_not_a_program(path: Path) -> None:
    tree = ast.parse(path.read_text())
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }

    outside = {name for name in imported if name.split(".")[0] not in sys.stdlib_module_names}

    assert {name.split(".")[0] for name in outside} <= {"airflow", "cosmos", "openshelf", "_defaults"}
    assert {name for name in outside if name.startswith("airflow")} <= {"airflow.sdk"}
    assert len(path.read_text().splitlines()) <= 90


@pytest.fixture(scope="module")
def installation(
    make_database: Callable[..., str], migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """An installation with a small real Calibre library."""
    url = make_database(migrated_template)
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENSHELF_DATABASE_URL", url)
        patch.setenv("OPENSHELF_HOME", str(home))
        subprocess.run(
            [OPENSHELF, "ingest", "demo-library", "--limit", "40"], check=True, capture_output=True, timeout=400
        )
        yield url


def let_readers_come() -> None:
    """A few simulated readers on the real dataflow, so that there is something to learn from."""
    dataflow = subprocess.Popen([OPENSHELF, "stream", "run"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        subprocess.run(
            [OPENSHELF, "simulate", "--readers", "12", "--days", "3"], check=True, capture_output=True, timeout=400
        )
    finally:
        dataflow.terminate()
        dataflow.wait(timeout=60)


# Their rows say when they were made, not what of.
OF_A_MOMENT = {"marts.mart_freshness", "marts.dim_dates", "library.libraries", "library.ingest_runs"}


def made(conn: psycopg.Connection, *schemas: str) -> dict[str, contents.Contents]:
    """What the tables of these schemas hold."""
    found = contents.of_tables(conn)
    conn.rollback()
    return {name: holds for name, holds in found.items() if name.split(".")[0] in schemas and name not in OF_A_MOMENT}


@pytest.mark.airflow
@pytest.mark.timeout(1_800)
def test_all_run_green_on_the_real_parts_and_twice_as_once(airflow_home: Path, installation: str) -> None:
    run_green(airflow_home, "refresh_catalogue", "train_adapter")
    let_readers_come()
    run_green(
        airflow_home,
        "estimate_policies",
        "train_policy",
        "retry_waiting",
        "back_up",
        "keep_privacy",
        # Last: visits that privacy's job has removed are not there any more in either round.
        "build_warehouse",
    )

    with psycopg.connect(installation) as conn:
        versions = [version for (version,) in conn.execute("select version from learning.models order by created_at")]
        assert {"adapter-0001", "policy-0002"} <= set(versions)
        assert conn.execute("select count(*) from library.text_embeddings").fetchone() == (40,)
        assert conn.execute("select count(*) from marts.dim_works").fetchone() == (40,)
        library, marts = made(conn, "library"), made(conn, "marts")
        assert len(marts) > 10

        # One DAG more, now that the warehouse was built: a task for each model, of which a few are run here.
        described, *_, night = run_green(
            airflow_home,
            "describe",
            "refresh_catalogue",
            "train_adapter",
            "build_warehouse",
            "retry_waiting",
            "keep_privacy",
            "rebuild_warehouse=stg_library__works|dim_actions",
        )

        assert made(conn, "library") == library
        assert made(conn, "marts") == marts
        assert conn.execute("select count(*) from learning.models where kind = 'adapter'").fetchone() == (1,)
        noted = {job for (job,) in conn.execute("select job from learning.job_runs where status = 'done'")}
    assert len(list((Path(os.environ["OPENSHELF_HOME"]) / "backups").iterdir())) == 1

    nightly = described["dags"]["rebuild_warehouse"]
    models = {path.stem for path in (ROOT / "dbt" / "models").rglob("*.sql")}
    assert nightly["schedule"] == "5 4 * * *"
    assert all(any(name.startswith(f"models.{model}") for name in nightly["tasks"]) for model in models)
    assert all(task["retries"] == RETRIES for task in nightly["tasks"].values())
    assert set(night["tasks"]) == {"models.stg_library__works_model_build", "models.dim_actions_model_build"}
    # Of each DAG that ran Openshelf knows how it ended.
    assert noted == {*BY_NAME, "rebuild_warehouse"}


@pytest.mark.airflow
def test_a_failing_command_fails_its_run_after_its_retries_and_what_must_always_run_has_run(
    airflow_home: Path, tmp_path: Path
) -> None:
    done = in_airflow(
        airflow_home,
        "build_warehouse",
        OPENSHELF_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none",
        OPENSHELF_HOME=str(tmp_path),
    )

    assert done.returncode == 1
    assert "Postgres does not answer" in done.stdout + done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["state"] == "failed"
    assert report["tasks"]["build"] == ["failed", RETRIES + 1]
    assert report["tasks"]["alerts"][1] >= 1


@pytest.mark.airflow
def test_a_run_that_failed_is_seen_by_the_status_and_told_by_the_alerts(
    airflow_home: Path,
    make_database: Callable[..., str],
    migrated_template: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENSHELF_DATABASE_URL", make_database(migrated_template))
    monkeypatch.setenv("OPENSHELF_HOME", str(tmp_path))

    done = in_airflow(airflow_home, "retry_waiting", "refresh_catalogue")  # there is no Calibre library

    assert done.returncode == 1, done.stderr[-4000:]
    status = subprocess.run([OPENSHELF, "status", "--json"], capture_output=True, text=True)
    (failure,) = json.loads(status.stdout)["failed_jobs"]
    assert failure["job"] == "refresh_catalogue"
    assert failure["message"].startswith("ingest: task failure; why is in Airflow, run manual__")
    assert "openshelf ingest calibre --dry-run" in failure["remedy"]
    checked = subprocess.run([OPENSHELF, "alerts", "check", "--json"], capture_output=True, text=True)
    assert "job_failed" in json.loads(checked.stdout)["opened"]
    with psycopg.connect(os.environ["OPENSHELF_DATABASE_URL"]) as conn:
        assert conn.execute("select job, status from learning.job_runs order by run_id").fetchall() == [
            ("retry_waiting", "done"),
            ("refresh_catalogue", "failed"),
        ]
