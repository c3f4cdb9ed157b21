"""Commands that train: `openshelf train adapter|policy|BASELINE`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import psycopg
import typer

from models.cli_options import AtOption, ConfigOption, JsonFlag, PromoteFlag, SeedOption, SetOption, time_of
from models.configuration import names, read_config
from openshelf.cli import command_app, report
from openshelf.database import migrate, pool
from openshelf.errors import UsageError
from openshelf.progress import progress_of_parts

if TYPE_CHECKING:
    from models.run_records import RunReport

train_app = command_app("Train the adapter, the policy or a baseline.", group=True)

ResumeOption = Annotated[
    int | None, typer.Option("--resume", help="run_id of a killed run: go on from its last whole epoch.")
]


@train_app.command("adapter")
def train_adapter(
    config_file: ConfigOption = None,
    settings: SetOption = None,
    at: AtOption = None,
    seed: SeedOption = 42,
    promote: PromoteFlag = True,
    if_moved: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, metavar="SHARE", help="Only if this share of the works has new texts since the champion."
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Learn item vectors from texts, subjects and series; the first run also gives birth to the first policy."""
    from models.adapter import AdapterConfig
    from models.run_records import NothingToLearnError
    from models.runs import run_adapter, why_not_again

    config, now = read_config("adapter", AdapterConfig, config_file, settings or []), time_of(at)

    def train(conn: psycopg.Connection) -> "RunReport":
        why_not = None if if_moved is None else why_not_again(conn, if_moved)
        conn.commit()
        if why_not:
            raise NothingToLearnError(why_not)
        with progress_of_parts() as show:
            return run_adapter(conn, config, seed, now, promote=promote, on_progress=show)

    _train(train, as_json)


@train_app.command("policy")
def train_policy(
    config_file: ConfigOption = None,
    settings: SetOption = None,
    at: AtOption = None,
    seed: SeedOption = 42,
    promote: PromoteFlag = True,
    resume: ResumeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Learn from the slates since the champion was trained, starting from the champion; nothing new: nothing done."""
    from models.runs import resume_policy, run_policy
    from models.train import TrainConfig

    if resume is not None and (config_file or settings):
        raise UsageError("a resumed run keeps its own configuration: leave out --config and --set")
    config, now = read_config("policy", TrainConfig, config_file, settings or []), time_of(at)

    def train(conn: psycopg.Connection) -> "RunReport":
        with progress_of_parts() as show:
            if resume is not None:
                return resume_policy(conn, resume, now, promote=promote, on_progress=show)
            return run_policy(conn, config, seed, now, promote=promote, on_progress=show)

    _train(train, as_json)


def _add_baseline(name: str) -> None:
    @train_app.command(name, help=f"Train the baseline {name!r} on the warehouse.")
    def train_baseline(
        config_file: ConfigOption = None,
        settings: SetOption = None,
        at: AtOption = None,
        seed: SeedOption = 42,
        promote: PromoteFlag = True,
        as_json: JsonFlag = False,
    ) -> None:
        from models.baseline_runs import run_baseline
        from models.baselines.roster import ROSTER

        config, now = read_config(name, ROSTER[name].config, config_file, settings or []), time_of(at)
        _train(lambda conn: run_baseline(conn, name, config, seed, now, promote=promote), as_json)


def _train(train: "Callable[[psycopg.Connection], RunReport]", as_json: bool) -> None:
    """Report what came of it; nothing new to learn from is a quiet day, not a fault."""
    from models.run_records import NothingToLearnError

    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        try:
            report(train(conn), as_json=as_json)
        except NothingToLearnError as error:
            report({"status": "skipped", "reason": str(error)}, as_json=as_json)


# Every model has its TOML: so its command is known without loading it.
for _name in names():
    if _name not in {"adapter", "policy"}:
        _add_baseline(_name)
