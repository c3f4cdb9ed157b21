"""`openshelf tune NAME`: search for a model's best configuration and write it as a TOML for `train --config`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from models.cli_options import ConfigOption, DataOption, JsonFlag, SeedOption, SetOption
from models.configuration import as_toml, read_config
from openshelf.cli import command_app, report
from openshelf.database import migrate, pool
from openshelf.errors import UsageError
from openshelf.progress import progress_of_parts
from openshelf.settings import get_settings

tune_app = command_app("Search for a model's best configuration with Optuna; the study is kept in Postgres.")

OutOption = Annotated[Path | None, typer.Option("--out", help="TOML file to write; `train NAME --config` takes it.")]
SplitOption = Annotated[
    str | None, typer.Option("--split", help="leave_last_out, per_reader or time; unset: by the data.")
]


@tune_app.command()
def tune(
    name: Annotated[str, typer.Argument(help="A baseline's name, or policy.")],
    data: DataOption = None,
    split: SplitOption = None,
    trials: Annotated[int, typer.Option(min=1, help="How many more trials.")] = 30,
    timeout: Annotated[float | None, typer.Option(help="Seconds after which no further trial begins.")] = None,
    config_file: ConfigOption = None,
    settings: SetOption = None,
    seed: SeedOption = 42,
    out: OutOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Try configurations on the validation part of the split; the first trial is the shipped one.

    Called again for the same data, it goes on with the study. `--config` and `--set` fix what is not searched.
    """
    from models import tune as tuning
    from models.baselines.roster import ROSTER
    from models.dataset import embedded, load
    from models.policy_ranker import POLICY
    from models.splits import split_by
    from models.warehouse_data import load_warehouse

    roster = {**ROSTER, "policy": POLICY}
    if name not in roster:
        raise UsageError(f"there is no model {name!r} to tune; there is {', '.join(roster)}")
    model = roster[name]
    space = tuning.search_space(name)
    default = read_config(name, model.config, config_file, settings or [])
    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        acts = load(*data) if data else load_warehouse(conn)
    if data and (model.needs_embeddings or model.uses_embeddings):
        with progress_of_parts() as show:
            acts = embedded(acts, show)
    by = split or ("time" if data is None else "per_reader" if acts.times is None else "leave_last_out")
    storage = tuning.storage_of(pool.database_url(get_settings()))
    try:
        tuned = tuning.tune(
            name, default, model.fit, split_by(by, acts, seed), storage,
            space=space, trials=trials, timeout_s=timeout, seed=seed,
            on_trial=lambda number, value: typer.echo(f"trial {number}: {value:.4f}", err=True),
        )  # fmt: skip
    finally:
        storage.engine.dispose()
    if out:
        comment = f"{tuned.study}: {tuned.metric} {tuned.best:.4f}, shipped {tuned.default:.4f}"
        out.write_text(as_toml(tuned.config, comment), "utf-8")
    report(asdict(tuned), as_json=as_json)
