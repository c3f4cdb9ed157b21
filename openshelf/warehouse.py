"""Build the warehouse: dbt as a child process against the database of the settings."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from psycopg.conninfo import conninfo_to_dict

from openshelf.children import end_with_parent
from openshelf.cli import command_app, report
from openshelf.contracts import utc_now
from openshelf.database import analytics, migrate, pool
from openshelf.errors import OpenshelfError
from openshelf.progress import progress
from openshelf.settings import Settings, get_settings

PROJECT = Path(__file__).resolve().parent.parent / "dbt"

app = command_app("The warehouse: what readers were shown and what they answered.", group=True)

# A build reads whole tables: it sorts and hashes in memory, and is never worth compiling (four statements at once).
_SESSION = {"work_mem": "64MB", "maintenance_work_mem": "256MB", "jit": "off"}

# "12 of 98 PASS not_null_dim_works_book_id ...", once when a node starts and once when it ends.
_NODE_ENDED = re.compile(r"\b(\d+) of (\d+) (?!START)[A-Z]")


class WarehouseError(OpenshelfError):
    pass


@dataclass(frozen=True)
class BuildReport:
    models: int
    tests: int
    warnings: list[str]
    mart_rows: int
    seconds: float


def build(
    settings: Settings,
    *,
    full_refresh: bool = False,
    select: str | None = None,
    unit_tests: bool = False,
    project: Path = PROJECT,
    on_progress: Callable[[int, int], None] | None = None,
) -> BuildReport:
    """Run `dbt build`; two callers take turns. `on_progress` gets (nodes done, nodes in all).

    `unit_tests`: also those of the models' logic, which say nothing about the data; the suite runs them.

    Raises:
        WarehouseError: what failed. Failed models and all behind them keep their old rows.
    """
    started, began = time.monotonic(), utc_now()
    with pool.connect(settings, autocommit=True, unlimited=True) as conn:
        migrate.check(conn)
        with analytics.building(conn):
            # Tables of an older version of the program may lack columns that are looked at before they are added.
            full_refresh = full_refresh or not (select or analytics.was_built(conn))
            arguments = ["build", *(["--full-refresh"] if full_refresh else [])]
            arguments += ["--select", select] if select else []
            arguments += [] if unit_tests else ["--exclude-resource-type", "unit_test"]
            results, failed, said = _results(settings, project, arguments, on_progress)
            kinds = [str(result["unique_id"]).split(".")[0] for result in results]
            analytics.note_build(
                conn,
                began,
                is_whole=select is None,
                count_models=sum(kind in {"model", "seed"} for kind in kinds),
                count_tests=sum(kind in {"test", "unit_test"} for kind in kinds),
                failures=failed or ([said] if said else []),
                warnings=[_named(result) for result in results if result["status"] == "warn"],
            )
        if failed:
            raise WarehouseError(
                f"the warehouse was not built: {'; '.join(failed)}. These and all behind them keep their old rows; "
                f"mend the data or the model, then run it again (log: {settings.home / 'dbt' / 'logs'})"
            )
        if said:
            raise WarehouseError(said)
        if select is None:
            analytics.forget_changed_days(conn, began)
            _keep_manifest(settings)
        rows = analytics.count_mart_rows(conn)
    return BuildReport(
        models=sum(kind in {"model", "seed"} for kind in kinds),
        tests=sum(kind in {"test", "unit_test"} for kind in kinds),
        warnings=[_named(result) for result in results if result["status"] == "warn"],
        mart_rows=rows,
        seconds=round(time.monotonic() - started, 1),
    )


def _results(
    settings: Settings, project: Path, arguments: list[str], on_progress: Callable[[int, int], None] | None
) -> tuple[list[dict[str, Any]], list[str], str]:
    """The results of every node of one dbt run, what failed of them, and what dbt said if it ended before any."""
    path = settings.home / "dbt" / "target" / "run_results.json"
    path.unlink(missing_ok=True)
    code, output = _run_dbt(settings, project, arguments, on_progress)
    results = json.loads(path.read_text("utf-8"))["results"] if path.exists() else []
    failed = [_named(result) for result in results if result["status"] in {"error", "fail", "runtime error"}]
    said = f"dbt ended with {code}: {_last_words(output)}" if code != 0 and not failed else ""
    return results, failed, said


def _keep_manifest(settings: Settings) -> None:
    """Whole or not at all: whoever reads it may do so at any moment."""
    path = manifest_path(settings)
    new = path.with_suffix(".new")
    shutil.copyfile(settings.home / "dbt" / "target" / "manifest.json", new)
    new.replace(path)


def _named(result: dict[str, Any]) -> str:
    """A node with what it said, on one line."""
    name = ".".join(str(result["unique_id"]).split(".")[2:3])
    return f"{name} ({' '.join(str(result.get('message') or result['status']).split())[:200]})"


def _last_words(output: list[str]) -> str:
    return " ".join(" ".join(output[-8:]).split())[-400:] or "it said nothing"


def _run_dbt(
    settings: Settings, project: Path, arguments: list[str], on_progress: Callable[[int, int], None] | None = None
) -> tuple[int, list[str]]:
    """Exit code and output lines of dbt. The child never outlives this call."""
    dbt = Path(sys.executable).parent / "dbt"
    if not (project / "dbt_project.yml").exists():
        raise WarehouseError(f"there is no dbt project at {project}: run from a source checkout (pip install -e .)")
    if not dbt.exists():
        raise WarehouseError(f"dbt is not installed beside {sys.executable}: run `make install`")
    output: list[str] = []
    command = [str(dbt), "--no-use-colors", *arguments, "--project-dir", str(project), "--profiles-dir", str(project)]
    with subprocess.Popen(
        command,
        env=_environment(settings),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=end_with_parent,  # noqa: PLW1509 - a build has one thread
    ) as child:
        assert child.stdout
        try:
            for line in child.stdout:
                output.append(line.rstrip())
                ended = _NODE_ENDED.search(line)
                if ended and on_progress:
                    on_progress(int(ended[1]), int(ended[2]))
        finally:
            if child.poll() is None:
                child.terminate()
        return child.wait(), output


def manifest_path(settings: Settings) -> Path:
    """Where the project lies as it was last built whole and well, for who runs its models one by one."""
    return settings.home / "dbt" / "manifest.json"


def connection_variables(settings: Settings) -> dict[str, str]:
    """What dbt/profiles.yml and libpq read; the password under the prefix that dbt keeps out of its logs."""
    parts = conninfo_to_dict(pool.database_url(settings))
    wanted = {
        "WAREHOUSE_HOST": parts.get("host") or "localhost",
        "WAREHOUSE_PORT": parts.get("port") or "5432",
        "WAREHOUSE_USER": parts.get("user") or "postgres",
        "WAREHOUSE_DBNAME": parts.get("dbname") or "postgres",
        "WAREHOUSE_SSLMODE": parts.get("sslmode") or "prefer",
        "DBT_ENV_SECRET_PASSWORD": parts.get("password") or "",
        "PGOPTIONS": " ".join(f"-c {name}={value}" for name, value in _SESSION.items()),
    }
    return {name: str(value) for name, value in wanted.items()}


def _environment(settings: Settings) -> dict[str, str]:
    """What dbt and its profile read."""
    home = settings.home / "dbt"
    wanted = {
        "DBT_TARGET_PATH": home / "target",
        "DBT_LOG_PATH": home / "logs",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_PARTIAL_PARSE": "true",
    }
    return os.environ | connection_variables(settings) | {name: str(value) for name, value in wanted.items()}


@app.command("build")
def build_command(
    full_refresh: Annotated[bool, typer.Option("--full-refresh", help="Rebuild incremental tables too.")] = False,
    select: Annotated[str | None, typer.Option(help="dbt's selection, e.g. +mart_actions_daily.")] = None,
    unit_tests: Annotated[bool, typer.Option("--unit-tests", help="Also test models on made-up rows.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Build and test all tables of the warehouse; what fails keeps its old rows."""
    settings = get_settings()
    with nullcontext() if as_json else progress("warehouse") as show:
        built = build(settings, full_refresh=full_refresh, select=select, unit_tests=unit_tests, on_progress=show)
    report(built, as_json=as_json)


@app.command("docs")
def docs_command() -> None:
    """Write the documentation of the warehouse as one HTML file."""
    settings = get_settings()
    code, output = _run_dbt(settings, PROJECT, ["docs", "generate", "--static"])
    if code != 0:
        raise WarehouseError(f"dbt ended with {code}: {_last_words(output)}")
    typer.echo(settings.home / "dbt" / "target" / "static_index.html")
