"""Commands of what learns: train, models, recommend."""

import json
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from openshelf import contracts
from openshelf.cli import command_app, report
from openshelf.database import learning, migrate, pool, stream
from openshelf.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

train_app = command_app("Train the adapter or the policy.", group=True)
models_app = command_app("List, show, promote and roll back models.", group=True)
recommend_app = command_app("A reader's current slate, with reasons and propensities.")

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="key=value of the training configuration.")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="TOML file of key = value; --set overrules it.")]
AtOption = Annotated[str | None, typer.Option("--at", help="ISO time the run is dated; unset: now.")]
PromoteFlag = Annotated[bool, typer.Option(help="Make it the champion if the gate lets it.")]
SeedOption = Annotated[int, typer.Option(help="Same seed and data, same model.")]

ConfigT = TypeVar("ConfigT", bound="DataclassInstance")


@train_app.command("adapter")
def train_adapter(
    config_file: ConfigOption = None,
    settings: SetOption = None,
    at: AtOption = None,
    seed: SeedOption = 42,
    promote: PromoteFlag = True,
    as_json: JsonFlag = False,
) -> None:
    """Learn item vectors from texts, subjects and series; the first run also gives birth to the first policy."""
    from models.adapter import AdapterConfig
    from models.runs import run_adapter

    config, now = _configured(AdapterConfig(), config_file, settings), _time(at)
    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        report(run_adapter(conn, config, seed, now, promote=promote, on_progress=_progress()), as_json=as_json)


@train_app.command("policy")
def train_policy(
    config_file: ConfigOption = None,
    settings: SetOption = None,
    at: AtOption = None,
    seed: SeedOption = 42,
    promote: PromoteFlag = True,
    as_json: JsonFlag = False,
) -> None:
    """Learn from the slates since the champion was trained, starting from the champion; nothing new: nothing done."""
    from models.runs import NothingToLearnError, run_policy
    from models.train import TrainConfig

    config, now = _configured(TrainConfig(), config_file, settings), _time(at)
    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        try:
            done = run_policy(conn, config, seed, now, promote=promote, on_progress=_progress())
        except NothingToLearnError as error:
            report({"status": "skipped", "reason": str(error)}, as_json=as_json)
            return
        report(done, as_json=as_json)


@models_app.command("list")
def list_models(as_json: JsonFlag = False) -> None:
    """Every model, oldest first, with what became of it."""
    with pool.connect() as conn:
        migrate.check(conn)
        rows = learning.models(conn)
    if as_json:
        report(rows, as_json=True)
    else:
        for row in rows:
            typer.echo(f"{row.version}  {row.status:9}  {row.created_at:%Y-%m-%d %H:%M}  {row.status_reason or ''}")


@models_app.command("show")
def show_model(version: str, as_json: JsonFlag = False) -> None:
    """One model: its configuration, what it learned from, how it did."""
    with pool.connect() as conn:
        migrate.check(conn)
        row = learning.model(conn, version)
    if row is None:
        raise UsageError(f"there is no model {version!r}; `openshelf models list` names them")
    report(row, as_json=as_json)


@models_app.command("promote")
def promote_model(version: str, at: AtOption = None, as_json: JsonFlag = False) -> None:
    """Make a model the champion of its kind, by hand; one that does not load is refused."""
    from models import registry

    with pool.connect() as conn:
        migrate.check(conn)
        registry.promote(conn, version, "promoted by hand", _time(at))
    report({"champion": version}, as_json=as_json)


@models_app.command("rollback")
def rollback_model(
    kind: Annotated[str, typer.Argument(help="policy or adapter")] = "policy",
    at: AtOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Promote the champion before the present one."""
    from models import registry

    if kind not in {"policy", "adapter"}:
        raise UsageError(f"kind {kind!r} is not one of policy, adapter")
    with pool.connect() as conn:
        migrate.check(conn)
        version = registry.rollback(conn, kind, _time(at))
    report({"champion": version}, as_json=as_json)


@recommend_app.command()
def recommend(
    reader_key: Annotated[str, typer.Argument(help="reader_key, as in the stream.")], as_json: JsonFlag = False
) -> None:
    """The reader's latest slate, as it was drawn."""
    with pool.connect() as conn:
        migrate.check(conn)
        slate = stream.latest_slate(conn, reader_key)
    if slate is None:
        raise UsageError(f"no slate was ever drawn for {reader_key!r}: an act of theirs draws one while `up` runs")
    if as_json:
        typer.echo(slate.encode().decode())
        return
    typer.echo(f"{slate.created_at:%Y-%m-%d %H:%M:%S}  {slate.policy_version}  {slate.slate_id}")
    for place in slate.places:
        because = f"{place.reason} {place.reason_book_id or ''}".strip()
        typer.echo(f"{place.position:2}  {place.book_id:7}  {place.propensity:.4f}  {place.source:7}  {because}")


def _configured(config: ConfigT, file: Path | None, settings: list[str] | None) -> ConfigT:
    """The configuration with the file's values, then the `--set` ones; each must be a known key of the right type."""
    import tomllib

    try:
        values: dict[str, Any] = tomllib.loads(file.read_text()) if file else {}
    except (OSError, ValueError) as error:
        raise UsageError(f"--config {file} cannot be read: {error}") from error
    for setting in settings or []:
        key, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting!r} is not key=value")
        try:
            values[key] = json.loads(value)
        except ValueError as error:
            raise UsageError(f"--set {setting!r}: {value!r} is not a number") from error
    known = {field.name: type(getattr(config, field.name)) for field in fields(config)}
    for key, value in values.items():
        if key not in known:
            raise UsageError(f"{key!r} is no setting of this training; it has {', '.join(known)}")
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or (known[key] is int and not isinstance(value, int)):
            raise UsageError(f"{key} must be {'a whole number' if known[key] is int else 'a number'}, not {value!r}")
        values[key] = known[key](value)
    return replace(config, **values)


def _time(at: str | None) -> datetime:
    if at is None:
        return contracts.utc_now()
    try:
        moment = datetime.fromisoformat(at)
    except ValueError as error:
        raise UsageError(f"--at {at!r} is not an ISO time") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _progress() -> Callable[[str, int, int], None]:
    """A bar on a terminal; elsewhere a plain line at each quarter. Both go to stderr, results to stdout."""
    if sys.stderr.isatty():

        def draw(what: str, done: int, of: int) -> None:
            filled = 30 * done // of
            typer.echo(f"\r{what} [{'#' * filled}{'.' * (30 - filled)}] {done}/{of}", nl=done == of, err=True)

        return draw

    def tell(what: str, done: int, of: int) -> None:
        if done == of or 4 * done // of > 4 * (done - 1) // of:
            typer.echo(f"{what}: pass {done} of {of}", err=True)

    return tell
