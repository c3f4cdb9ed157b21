"""The one command line. Parts mount their commands by name, imported when called.

So `openshelf --help` loads neither torch nor Streamlit, and the floor has no upward import.
"""

import importlib
import json
import sys
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import click
import typer
from typer.main import get_command

from openshelf import log
from openshelf.errors import OpenshelfError
from openshelf.settings import get_settings

# command -> (module, attribute that holds a Typer app, help shown in the overview)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "demo": ("openshelf.demo", "app", "Build the demo library, its history and marts once, then `up`."),
    "up": ("openshelf.supervisor", "app", "Start Postgres, dataflow and storefront; Ctrl-C stops all."),
    "doctor": ("openshelf.doctor", "doctor_app", "Is everything that is needed there? With the remedy."),
    "status": ("openshelf.doctor", "status_app", "Is the running installation well?"),
    "migrate": ("openshelf.operate", "migrate_app", "Bring the database to this program's schema."),
    "act": ("openshelf.operate", "act_app", "Record one act, as the storefront does."),
    "reader": ("openshelf.operate", "reader_app", "Create readers, change roles."),
    "ingest": ("ingest.cli", "ingest_app", "Foreign data into the catalogue."),
    "embed": ("ingest.cli", "embed_app", "Embed the texts of new and changed works."),
    "search": ("models.cli", "search_app", "Search the catalogue."),
    "similar": ("models.cli", "similar_app", "Works closest in meaning to one work."),
    "recommend": ("models.cli", "recommend_app", "A reader's current slate, with reasons and propensities."),
    "train": ("models.cli", "train_app", "Train the adapter or the policy."),
    "models": ("models.cli", "models_app", "List, show, promote and roll back models."),
    "simulate": ("models.cli", "simulate_app", "Drive simulated readers through the real path."),
    "stream": ("streaming.cli", "stream_app", "Run the dataflow and the relay; dead letters; lag."),
    "ask": ("dashboard.cli", "ask_app", "Ask the librarian."),
    "warehouse": ("openshelf.warehouse", "app", "Build the dbt warehouse."),
}


class _LazyCommands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command = get_command(getattr(importlib.import_module(module), attribute))
        command.name = cmd_name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, _, help_text) in COMMANDS.items()])


def command_app(help_text: str = "", *, group: bool = False) -> typer.Typer:
    """A Typer app as the parts mount it: no rich tracebacks, no completion, help when empty for groups."""
    return typer.Typer(
        help=help_text, add_completion=False, pretty_exceptions_enable=False, no_args_is_help=group
    )


def report(values: Any, *, as_json: bool) -> None:
    """Print a result: JSON for programs, `key: value` lines for people."""
    plain = asdict(values) if is_dataclass(values) and not isinstance(values, type) else values
    if as_json:
        typer.echo(json.dumps(plain, default=_json_default, ensure_ascii=False))
    elif isinstance(plain, dict):
        for key, value in plain.items():
            typer.echo(f"{key}: {value}")
    else:
        for item in plain:
            typer.echo(item)


def _json_default(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"cannot write {type(value).__name__} as JSON")


def main() -> None:
    """Entry point. Exit code 0 done, 1 failed, 2 wrong use; an expected failure is one line."""
    if sys.version_info < (3, 11):  # noqa: UP036 - pip refuses too, but a copied tree must say it plainly
        sys.exit("openshelf: Python 3.11 or 3.12 is needed")
    try:
        log.configure(get_settings(), part=sys.argv[1] if len(sys.argv) > 1 else "openshelf")
        _LazyCommands("openshelf", help="A living public library.", no_args_is_help=True).main(
            standalone_mode=False, prog_name="openshelf"
        )
    except OpenshelfError as error:
        click.echo(f"openshelf: {error}", err=True)
        sys.exit(error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(2)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
