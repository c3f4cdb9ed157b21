"""Build the warehouse: dbt, in this process, against the database of the settings."""

import hashlib
import itertools
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from datetime import MINYEAR, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from psycopg.conninfo import conninfo_to_dict

from openshelf import garbage
from openshelf.cli import command_app, report
from openshelf.contracts import utc_now
from openshelf.database import analytics, migrate, pool
from openshelf.errors import OpenshelfError
from openshelf.progress import progress
from openshelf.settings import Settings, get_settings

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult

PROJECT = Path(__file__).resolve().parent.parent / "dbt"

app = command_app("The warehouse: what readers were shown and what they answered.", group=True)

# A build reads whole tables: it sorts and hashes in memory, and is never worth compiling (four statements at once).
# What its last moments made may be lost with the machine, together or not at all: the next build makes it again.
# Days and weeks are those of UTC, wherever the server stands.
_SESSION = {
    "timezone": "UTC", "work_mem": "64MB", "maintenance_work_mem": "256MB", "jit": "off", "synchronous_commit": "off",
}  # fmt: skip


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
            # What was made of other definitions is made anew: rows of both in one table would mean different things.
            # Tables of an older version of the program may lack columns, too, that are looked at before they are added.
            definitions = _definitions(project)
            full_refresh = full_refresh or not (select or analytics.was_built(conn, definitions))
            arguments = ["build", *(["--full-refresh"] if full_refresh else [])]
            arguments += ["--select", select] if select else []
            arguments += [] if unit_tests else ["--exclude-resource-type", "unit_test"]
            results, failed, said = _results(settings, project, arguments, on_progress)
            kinds = [result.node.unique_id.split(".")[0] for result in results]
            analytics.note_build(
                conn,
                began,
                is_whole=select is None,
                count_models=sum(kind in {"model", "seed"} for kind in kinds),
                count_tests=sum(kind in {"test", "unit_test"} for kind in kinds),
                failures=failed or ([said] if said else []),
                warnings=[_named(result) for result in results if result.status == "warn"],
            )
        if failed:
            # Of a long name dbt makes a short one with a hash: nobody would find the file.
            paths = [getattr(result.node, "compiled_path", None) for result in results if _has_failed(result)]
            queries = [str(path) for path in paths if path]
            raise WarehouseError(
                f"the warehouse was not built: {'; '.join(failed)}. These and all behind them keep their old rows; "
                f"mend the data or the model, then run it again (log: {settings.home / 'dbt' / 'logs'}; what was asked "
                f"of Postgres: {', '.join(queries) or 'nothing'})"
            )
        if said:
            raise WarehouseError(said)
        if select is None:
            analytics.note_definitions(conn, definitions)
            analytics.forget_changed_days(conn, began)
            _keep_manifest(settings)
        rows = analytics.count_mart_rows(conn)
    return BuildReport(
        models=sum(kind in {"model", "seed"} for kind in kinds),
        tests=sum(kind in {"test", "unit_test"} for kind in kinds),
        warnings=[_named(result) for result in results if result.status == "warn"],
        mart_rows=rows,
        seconds=round(time.monotonic() - started, 1),
    )


def _definitions(project: Path) -> str:
    """What the tables are made by: the same for the same models, macros, seeds and settings."""
    found = hashlib.sha256()
    files = [
        project / "dbt_project.yml",
        *(each for name in ("macros", "models", "seeds") for each in (project / name).rglob("*")),
    ]
    for file in sorted(file for file in files if file.is_file()):
        found.update(file.relative_to(project).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return found.hexdigest()


@dataclass(frozen=True)
class SourceAge:
    """How old the newest row of a source is. `is_late`: older than its `freshness` in dbt/models/staging allows."""

    source: str
    newest_at: datetime | None
    is_late: bool


def freshness(settings: Settings, project: Path = PROJECT) -> list[SourceAge]:
    """Of every source that says how fresh it should be; one without a row is late.

    Raises:
        WarehouseError: dbt's words.
    """
    with pool.connect(settings, unlimited=True) as conn:
        migrate.check(conn)
    done = _run_dbt(settings, project, ["source", "freshness"])
    # Beside the sources it tells of the hook that ends every run.
    results = [each for each in getattr(done.result, "results", []) if each.node.resource_type == "source"]
    if not results:
        raise WarehouseError(_last_words(done))
    found = []
    for result in sorted(results, key=lambda each: each.node.unique_id):
        newest_at = getattr(result, "max_loaded_at", None)
        if newest_at and newest_at.year == MINYEAR:  # so dbt says that there is no row
            newest_at = None
        name = f"{result.node.source_name}.{result.node.name}"
        found.append(SourceAge(name, newest_at, is_late=str(result.status) != "pass"))
    return found


def _results(
    settings: Settings, project: Path, arguments: list[str], on_progress: Callable[[int, int], None] | None
) -> tuple[list[Any], list[str], str]:
    """The results of every node of one dbt run, what failed of them, and what dbt said if it ended before any."""
    done = _run_dbt(settings, project, arguments, on_progress)
    results: list[Any] = list(done.result or [])  # pyright: ignore[reportArgumentType] - of a build it is results
    failed = [_named(result) for result in results if _has_failed(result)]
    return results, failed, "" if done.success or failed else _last_words(done)


def _has_failed(result: Any) -> bool:
    return str(result.status) in {"error", "fail", "runtime error"}


def _keep_manifest(settings: Settings) -> None:
    """Whole or not at all: whoever reads it may do so at any moment."""
    path = manifest_path(settings)
    new = path.with_suffix(".new")
    shutil.copyfile(settings.home / "dbt" / "target" / "manifest.json", new)
    new.replace(path)


def _named(result: Any) -> str:
    """A node with what it said, on one line."""
    name = ".".join(result.node.unique_id.split(".")[2:3])
    return f"{name} ({' '.join(str(result.message or result.status).split())[:200]})"


def _last_words(done: "dbtRunnerResult") -> str:
    return f"dbt failed: {' '.join(str(done.exception or 'it said nothing').split())[:400]}"


def _run_dbt(
    settings: Settings, project: Path, arguments: list[str], on_progress: Callable[[int, int], None] | None = None
) -> "dbtRunnerResult":
    """What became of one dbt command; the log is in the home folder."""
    if not (project / "dbt_project.yml").exists():
        raise WarehouseError(f"there is no dbt project at {project}: run from a source checkout (pip install -e .)")
    # One of the developers' tools brings grammars of web addresses. jsonschema would compile them for dbt, which asks
    # for none, and that is half of its start.
    sys.modules.setdefault("rfc3987_syntax", None)  # pyright: ignore[reportArgumentType] - None: there is no such module
    with garbage.left_alone():
        from dbt.cli.main import dbtRunner  # some seconds: not for who reads figures

    count, total = itertools.count(1), 0

    def follow(event: Any) -> None:
        nonlocal total
        if event.info.name == "ConcurrencyLine":
            total = event.data.node_count
        elif event.info.name == "LogStartLine":  # it counts unit tests too
            total = event.data.total
        elif on_progress and event.info.name == "NodeFinished" and event.data.node_info.materialized != "ephemeral":
            on_progress(next(count), total)

    home = settings.home / "dbt"
    # Left to itself the file takes the level of the console.
    quiet = ["--log-level", "none", "--log-level-file", "info", "--no-use-colors", "--no-send-anonymous-usage-stats"]
    places = ["--project-dir", project, "--profiles-dir", project]
    places += ["--target-path", home / "target", "--log-path", home / "logs"]
    with _connection_environment(settings), garbage.left_alone():  # a fifth of dbt's time; its garbage is 100 MB
        done = dbtRunner(callbacks=[follow]).invoke([*quiet, *arguments, "--partial-parse", *map(str, places)])
    if done.exception and not isinstance(done.exception, Exception):
        raise done.exception  # the one who waits has pressed Ctrl-C
    return done


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


@contextmanager
def _connection_environment(settings: Settings) -> Iterator[None]:
    """dbt's profile and libpq read the environment."""
    wanted = connection_variables(settings)
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


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


@app.command("freshness")
def freshness_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """When the newest row of each source was stored; exit code 1 when one is older than it should be."""
    found = freshness(get_settings())
    lines = [
        f"{'LATE' if each.is_late else 'ok  '}  {each.source}: "
        + (f"{each.newest_at:%Y-%m-%d %H:%M} UTC" if each.newest_at else "holds nothing")
        for each in found
    ]
    report([asdict(each) for each in found] if as_json else lines, as_json=as_json)
    if any(each.is_late for each in found):
        raise typer.Exit(1)


@app.command("docs")
def docs_command() -> None:
    """Write the documentation of the warehouse as one HTML file."""
    settings = get_settings()
    done = _run_dbt(settings, PROJECT, ["docs", "generate", "--static"])
    if not done.success:
        raise WarehouseError(_last_words(done))
    typer.echo(settings.home / "dbt" / "target" / "static_index.html")
