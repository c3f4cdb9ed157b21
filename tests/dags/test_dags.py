"""The DAGs: what they are, and that they run green on the real parts."""

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

ROOT = Path(__file__).resolve().parents[2]
DAGS = ["build_warehouse", "refresh_catalogue", "train_models"]
FILES = sorted(path for path in (ROOT / "dags").glob("*.py") if path.stem != "_defaults")
OPENSHELF = str(Path(sys.executable).with_name("openshelf"))


def airflow_environment(home: Path) -> dict[str, str]:
    """Airflow with a metadata database of its own; nothing calls home."""
    return os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "DO_NOT_TRACK": "1",
    }


def in_airflow(home: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(Path(__file__).with_name("airflow_process.py")), *words],
        env=airflow_environment(home) | more,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=220,
    )


@pytest.fixture(scope="module")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("airflow")
    subprocess.run(
        [str(Path(sys.executable).with_name("airflow")), "db", "migrate"],
        env=airflow_environment(home),
        check=True,
        capture_output=True,
        timeout=120,
    )
    return home


@pytest.fixture(scope="module")
def described(airflow_home: Path) -> dict[str, Any]:
    done = in_airflow(airflow_home, "describe")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["errors"] == {}
    return report["dags"]


def test_the_folder_holds_exactly_these_dags_one_a_file(described: dict[str, Any]) -> None:
    assert sorted(described) == DAGS
    assert {dag_id: dag["file"] for dag_id, dag in described.items()} == {dag_id: dag_id for dag_id in DAGS}


@pytest.mark.parametrize("dag_id", DAGS)
def test_every_dag_has_a_schedule_and_never_overlaps_or_catches_up(described: dict[str, Any], dag_id: str) -> None:
    dag = described[dag_id]

    assert dag["schedule"] not in (None, "", "None", "Never, external triggers only")
    assert dag["catchup"] is False
    assert dag["max_active_runs"] == 1


@pytest.mark.parametrize("dag_id", DAGS)
def test_every_dag_says_what_it_is_for_and_what_to_do(described: dict[str, Any], dag_id: str) -> None:
    dag = described[dag_id]

    for heading in ("### Purpose", "### Inputs", "### Outputs", "### If it fails"):
        assert heading in dag["doc"]
    assert "openshelf" in dag["tags"]
    assert len(dag["tags"]) == 2


@pytest.mark.parametrize("dag_id", DAGS)
def test_every_task_has_an_owner_tries_again_and_ends(described: dict[str, Any], dag_id: str) -> None:
    tasks = described[dag_id]["tasks"]

    assert tasks
    for name, task in tasks.items():
        assert task["owner"] == "library operations"
        assert task["retries"] >= 2
        assert task["backoff"] >= 2
        assert task["timeout_min"] == (30 if name in {"embed", "train_policy"} else 10)


def test_the_dags_hand_on_their_assets_at_the_last_task(described: dict[str, Any]) -> None:
    handed_on = {
        outlet: (dag_id, name)
        for dag_id, dag in described.items()
        for name, task in dag["tasks"].items()
        for outlet in task["outlets"]
    }

    assert handed_on == {
        "openshelf://catalogue": ("refresh_catalogue", "embed"),
        "openshelf://warehouse": ("build_warehouse", "build"),
        "openshelf://policy": ("train_models", "train_policy"),
    }
    assert described["refresh_catalogue"]["tasks"]["embed"]["after"] == ["ingest"]
    assert described["train_models"]["tasks"]["train_policy"]["after"] == ["train_adapter"]


@pytest.mark.parametrize("path", [*FILES, ROOT / "dags" / "_defaults.py"], ids=lambda path: path.stem)
def test_a_dag_is_a_schedule_and_not_a_program(path: Path) -> None:
    tree = ast.parse(path.read_text())
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }

    outside = {name for name in imported if name.split(".")[0] not in sys.stdlib_module_names}

    assert outside <= {"airflow.sdk", "_defaults"}
    assert len(path.read_text().splitlines()) <= 80


def test_there_are_three_files() -> None:
    assert [path.stem for path in FILES] == DAGS


@pytest.fixture(scope="module")
def installation(
    make_database: Callable[..., str], migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """An installation with a small real Calibre library."""
    url = make_database(migrated_template)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENSHELF_DATABASE_URL", url)
        patch.setenv("OPENSHELF_HOME", str(tmp_path_factory.mktemp("home")))
        subprocess.run(
            [OPENSHELF, "ingest", "demo-library", "--limit", "40"], check=True, capture_output=True, timeout=120
        )
        yield url


def let_readers_come() -> None:
    """A first policy, and a few simulated readers on the real dataflow, so that there is something to learn from."""
    subprocess.run([OPENSHELF, "train", "adapter"], check=True, capture_output=True, timeout=120)
    dataflow = subprocess.Popen([OPENSHELF, "stream", "run"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        subprocess.run(
            [OPENSHELF, "simulate", "--readers", "12", "--days", "3"], check=True, capture_output=True, timeout=120
        )
    finally:
        dataflow.terminate()
        dataflow.wait(timeout=20)


@pytest.mark.airflow
def test_all_three_run_green_on_the_real_parts(airflow_home: Path, installation: str) -> None:
    for dag_ids in (["refresh_catalogue"], ["train_models", "build_warehouse"]):
        if "train_models" in dag_ids:
            let_readers_come()
        done = in_airflow(airflow_home, "run", *dag_ids)
        assert done.returncode == 0, f"{dag_ids}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"

    with psycopg.connect(installation) as conn:
        versions = [version for (version,) in conn.execute("select version from learning.models order by created_at")]
        assert {"adapter-0002", "policy-0002"} <= set(versions)
        assert conn.execute("select count(*) from library.text_embeddings").fetchone() == (40,)
        assert conn.execute("select count(*) from learning.models where status = 'champion'").fetchone() == (2,)
        assert conn.execute("select count(*) from marts.dim_works").fetchone() == (40,)


@pytest.mark.airflow
def test_a_failing_command_fails_its_task_after_its_retries(airflow_home: Path, tmp_path: Path) -> None:
    done = in_airflow(
        airflow_home,
        "run",
        "build_warehouse",
        OPENSHELF_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none",
        AIRFLOW__CORE__DAGS_FOLDER=str(ROOT / "dags"),
        OPENSHELF_HOME=str(tmp_path),
    )

    assert done.returncode == 1
    assert "Postgres does not answer" in done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["tasks"] == {"build": ["failed", 3]}
