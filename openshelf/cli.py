"""The one command line. Parts mount their commands by name, imported when called.

So `openshelf --help` loads neither torch nor Streamlit, and the floor has no upward import.
"""

import difflib
import importlib
import json
import sys
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import typer

from openshelf import garbage, log
from openshelf.errors import OpenshelfError
from openshelf.settings import get_settings

# command -> (module, attribute that holds a Typer app, help shown in the overview)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "demo": ("openshelf.demo", "app", "Build the demo library, its history and marts once, then `up`."),
    "up": ("openshelf.supervisor", "app", "Start Postgres, dataflow and storefront; Ctrl-C stops all."),
    "schedule": ("openshelf.schedule", "app", "What the library does by itself, and when; run it without Airflow."),
    "doctor": ("openshelf.doctor", "doctor_app", "Is everything that is needed there? With the remedy."),
    "status": ("openshelf.doctor", "status_app", "Is the running installation well?"),
    "migrate": ("openshelf.operate", "migrate_app", "Bring the database to this program's schema."),
    "database": ("openshelf.operate", "database_app", "Roles in Postgres: who may do what."),
    "backup": ("openshelf.backups", "backup_app", "Write all that the database holds to one file; list such files."),
    "restore": ("openshelf.backups", "restore_app", "Bring the database to what a backup holds, all or nothing."),
    "act": ("openshelf.operate", "act_app", "Record one act, as the storefront does."),
    "retention": ("openshelf.privacy.commands", "retention_app", "What is old goes: each kind after its own time."),
    "privacy": ("openshelf.privacy.commands", "privacy_app", "Erasures: finish, repeat after a restore, certificates."),
    "reader": ("openshelf.operate", "reader_app", "Create readers, change roles."),
    "api-keys": ("openshelf.api_keys", "app", "Keys of other programs: create, list, revoke."),
    "ingest": ("ingest.cli", "ingest_app", "Foreign data into the catalogue."),
    "embed": ("ingest.cli", "embed_app", "Embed the texts of new and changed works."),
    "export": ("ingest.export_cli", "app", "What the catalogue holds, in the formats of others."),
    "works": ("ingest.works_cli", "app", "Why editions are one work; merge, split; names of authors."),
    "search": ("models.search_cli", "search_app", "Search the catalogue."),
    "similar": ("models.search_cli", "similar_app", "Works closest in meaning to one work."),
    "recommend": ("models.cli", "recommend_app", "A reader's current slate, with reasons and propensities."),
    "train": ("models.train_cli", "train_app", "Train the adapter, the policy or a baseline."),
    "tune": ("models.tune_cli", "tune_app", "Search for a model's best configuration."),
    "models": ("models.cli", "models_app", "List, show, promote, roll back, reproduce; what served when."),
    "evaluate": ("dashboard.chat.judge_cli", "evaluate_app", "Measure models; judge the librarian by questions."),
    "experiments": ("models.experiments_cli", "experiments_app", "Let several models serve at once; what came of it."),
    "pins": ("models.experiments_cli", "pins_app", "Works that staff put into a place of every slate."),
    "simulate": ("models.simulate_cli", "simulate_app", "Drive simulated readers through the real path."),
    "stream": ("streaming.cli", "stream_app", "Run the dataflow and the relay; dead letters; lag."),
    "ask": ("dashboard.cli", "ask_app", "Ask the librarian."),
    "alerts": ("openshelf.alerts", "app", "Rules that watch the figures; who is told when one is broken."),
    "report": ("openshelf.reports", "app", "What the library did in a month, for its board."),
    "warehouse": ("openshelf.warehouse", "app", "Build the dbt warehouse."),
}


def command_app(help_text: str = "", *, group: bool = False) -> typer.Typer:
    """A Typer app as the parts mount it: no rich tracebacks, no completion, help when empty for groups."""
    return typer.Typer(help=help_text, add_completion=False, pretty_exceptions_enable=False, no_args_is_help=group)


def report(values: Any, *, as_json: bool) -> None:
    """Print a result: JSON for programs, `key: value` lines for people."""
    plain = asdict(values) if is_dataclass(values) and not isinstance(values, type) else values
    if as_json:
        typer.echo(json.dumps(plain, default=_json_default, ensure_ascii=False))
    elif isinstance(plain, dict):
        for key, value in plain.items():
            typer.echo(f"{key}: {value}")
    elif isinstance(plain, list):
        for item in plain:
            typer.echo(item)
    else:
        typer.echo(plain)


def _json_default(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"cannot write {type(value).__name__} as JSON")


def overview() -> str:
    """The text of `openshelf --help`."""
    width = max(map(len, COMMANDS)) + 2
    lines = [f"  {name:<{width}}{text}" for name, (_, _, text) in COMMANDS.items()]
    return "\n".join(
        [
            *("Usage: openshelf COMMAND [OPTIONS]", "", "A living public library.", "", "Commands:", *lines, ""),
            "Something is wrong? `openshelf status` first, then `openshelf doctor` and `openshelf alerts list`.",
            "What each alert means, and what to do: docs/operations.md, Runbook.",
        ]
    )


def main() -> None:
    """Entry point. Exit code 0 done, 1 failed, 2 wrong use; an expected failure is one line."""
    garbage.seldom()
    name, *rest = sys.argv[1:] or ["--help"]
    if name in {"--help", "-h", "help"}:
        typer.echo(overview())
        sys.exit(0 if len(sys.argv) > 1 else 2)
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean `openshelf {near[0]}`?" if near else "`openshelf --help` lists the commands."
        typer.echo(f"openshelf: there is no command {name!r}; {hint}", err=True)
        sys.exit(2)
    try:
        log.configure(get_settings(), part=name)
        module, attribute, _ = COMMANDS[name]
        getattr(importlib.import_module(module), attribute)(args=rest, prog_name=f"openshelf {name}")
    except OpenshelfError as error:
        typer.echo(f"openshelf: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        words = _words_of_postgres(error)
        if words is None:
            raise
        typer.echo(f"openshelf: {words}", err=True)
        sys.exit(1)


def _words_of_postgres(error: Exception) -> str | None:
    """Of a server that went away, has no room, or ended a statement that took too long; None of anything else."""
    psycopg = sys.modules.get("psycopg")  # whoever had to do with it has loaded it
    if psycopg is None or not isinstance(error, psycopg.OperationalError):
        return None
    said = str(error).strip().splitlines() or [type(error).__name__]
    return f"Postgres did not finish the work: {said[0]}. See `openshelf doctor`, then run the command again"
