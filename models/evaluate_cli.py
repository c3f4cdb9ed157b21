"""`openshelf evaluate`: every model on own acts or a published data set; what policies would earn, from the log."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import psycopg
import typer

from openshelf.cli import command_app
from openshelf.contracts import utc_now
from openshelf.database import learning, migrate, offpolicy, pool
from openshelf.errors import UsageError
from openshelf.progress import progress_of_parts
from openshelf.whole_file import whole_file

if TYPE_CHECKING:
    from models.baselines.roster import Baseline
    from models.dataset import DataOptions
    from models.evaluation import Fit
    from models.ranking_data import RankingData

evaluate_app = command_app("Measure models on the warehouse or on a published data set.", group=True)

_COLUMNS = ("recall", "map", "mrr", "hit_rate", "coverage", "novelty", "diversity", "gini")


@dataclass(frozen=True)
class Source:
    """What models are measured on, and what the report says of it."""

    data: "RankingData"
    split: str  # the split unless another is asked for
    keys: dict[str, Any]


@evaluate_app.callback()
def evaluate() -> None:
    """Measure models on the warehouse or on a published data set."""


@evaluate_app.command("models")
def evaluate_models_command(
    data: Annotated[
        tuple[str, Path] | None, typer.Option("--data", help="NAME PATH of a data set; unset: the warehouse.")
    ] = None,
    models: Annotated[str | None, typer.Option(help="Comma-separated; unset: all.")] = None,
    split: Annotated[str | None, typer.Option(help="leave_last_out, per_reader or time; unset: by the data.")] = None,
    negatives: Annotated[
        int | None, typer.Option(min=1, help="Rank among so many sampled works instead of the full catalogue.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed and data, same figures.")] = 42,
    settings: Annotated[list[str] | None, typer.Option("--set", help="model.key=value of its configuration.")] = None,
    min_rating: Annotated[float | None, typer.Option(help="Leave out ratings below it.")] = None,
    min_acts_per_reader: Annotated[int, typer.Option(min=1, help="Leave out readers with fewer acts.")] = 1,
    min_acts_per_work: Annotated[int, typer.Option(min=1, help="Leave out works with fewer acts.")] = 1,
    limit_readers: Annotated[int | None, typer.Option(min=1, help="Test a seeded sample of readers.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the JSON here; a report of the same protocol there is completed.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fit each model, rank the whole catalogue for readers whose next acts were held back, count the hits."""
    from models.dataset import DataOptions, embedded
    from models.evaluation import evaluate_models, joined
    from models.splits import split_by

    chosen = chosen_models(models)
    fits = configured_fits(chosen, settings or [], seed)
    earlier = _earlier(out)
    options = DataOptions(min_rating, min_acts_per_reader, min_acts_per_work)
    source = _published(*data, options) if data else _warehouse(options, seed)
    parts = split_by(split or source.split, source.data, seed)
    asked = {"seed": seed, "negatives": negatives, "limit_readers": limit_readers}
    if earlier:
        # Asked with no models at all it says how it would measure: refused before anything is trained.
        joined(earlier, evaluate_models(parts, [], **asked) | source.keys)
    if any(model.needs_embeddings or model.uses_embeddings for model in chosen.values()):
        with progress_of_parts() as show:
            with_texts = embedded(source.data, show)
        parts = split_by(split or source.split, with_texts, seed)
    report = evaluate_models(parts, fits, **asked, on_model=_tell) | source.keys
    if earlier:
        report = joined(earlier, report)
    if out:
        _write(out, report)
    typer.echo(json.dumps(report, ensure_ascii=False) if as_json else table(report))
    if any("error" in row for row in report["models"]):
        raise typer.Exit(1)


@evaluate_app.command("policies")
def evaluate_policies_command(
    seed: Annotated[int, typer.Option(help="Same seed and data, same figures.")] = 42,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Estimate from the log what the champion, the newest policy and popularity would earn; staff pages show it."""
    from models.offpolicy_report import log_row, offpolicy_report, offpolicy_rows

    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        values = offpolicy_report(conn, seed, with_newest=True)
        log, rows = log_row(values), offpolicy_rows(values)
        if log:
            offpolicy.store(conn, utc_now(), log, rows)
    if as_json:
        typer.echo(json.dumps({"logged": log, "off_policy": rows}, ensure_ascii=False))
    else:
        typer.echo("\n".join(_value_lines(log, rows)))


def warehouse_keys(conn: psycopg.Connection, seed: int) -> dict[str, Any]:
    """What a report on the warehouse holds besides the ranking figures.

    `off_policy`: a row per policy and estimator, empty where there is nothing to judge by; `logged`: what they are
    estimated from.
    """
    from models.offpolicy_report import log_row, offpolicy_report, offpolicy_rows

    champion = learning.champion(conn, "policy")
    values = offpolicy_report(conn, seed)
    return {
        "champion": champion.version if champion else None,
        "logged": log_row(values),
        "off_policy": offpolicy_rows(values),
    }


def table(report: dict[str, Any]) -> str:
    """The report for people: best first, NDCG with its interval, a line for each model that failed."""
    lines = [
        f"{report['data']}: {report['works']} works, {report['readers']} readers, {report['acts']} acts",
        report["protocol"],
        "",
        f"{'model':12}{'ndcg@10':>8}  {'95 % interval':17}"
        + "".join(f"{name:>10}" for name in _COLUMNS)
        + "   train s",
    ]
    for row in report["models"]:
        if "error" in row:
            lines.append(f"{row['model']:12}  failed: {row['error']}")
            continue
        figures = "".join(f"{_number(row.get(f'{name}@10')):>10}" for name in _COLUMNS)
        interval = f"{row['ndcg@10_low']:.4f} to {row['ndcg@10_high']:.4f}"
        lines.append(f"{row['model']:12}{row['ndcg@10']:8.4f}  {interval:17}{figures}{row['train_s']:10.1f}")
    if "off_policy" in report:
        lines += ["", *_value_lines(report["logged"], report["off_policy"])]
    return "\n".join(lines)


def _value_lines(log: dict[str, Any] | None, rows: list[dict[str, Any]]) -> list[str]:
    if log is None:
        return ["off-policy: nothing to tell, no reader has seen a slate that the champion has not learned from"]
    lines = [
        "off-policy: reward of a place on screen, as another policy would have earned it with the same readers;",
        f"from {log['slates']} slates of {log['readers']} readers that the champion has not learned from",
        "",
        f"{'policy':14}{'estimator':13}{'value':>8}  {'95 % interval':19}{'effective':>11}",
    ]
    if log["reward"] is not None:
        lines.append(f"{'as logged':27}{log['reward']:8.4f}")
    for row in rows:
        if not row["can_tell"]:
            lines.append(f"{row['policy']:14}{row['estimator']:13}  cannot tell: {row['reason']}")
            continue
        interval = f"{row['low']:.4f} to {row['high']:.4f}"
        lines.append(
            f"{row['policy']:14}{row['estimator']:13}{row['value']:8.4f}  {interval:19}{row['effective']:11.0f}"
        )
    return lines


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def chosen_models(names: str | None) -> "dict[str, Baseline]":
    """These models, comma-separated, or all that can be measured. Raises UsageError when there is no such model."""
    from models.baselines.roster import ROSTER
    from models.policy_ranker import POLICY

    roster = {**ROSTER, "policy": POLICY}
    if names is None:
        return roster
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in roster]
    if unknown or not wanted:
        raise UsageError(f"--models {names!r}: no model {', '.join(unknown) or 'named'}; there is {', '.join(roster)}")
    return {name: roster[name] for name in wanted}


def configured_fits(chosen: "dict[str, Baseline]", settings: Sequence[str], seed: int) -> "list[Fit]":
    """Each as its TOML and `model.key=value` say.

    Raises:
        UsageError: a setting is of no chosen model, or none of its configuration.
    """
    from models.configuration import read_config
    from models.evaluation import Fit

    of_model: dict[str, list[str]] = {name: [] for name in chosen}
    for setting in settings:
        model, dot, rest = setting.partition(".")
        if not dot or model not in chosen:
            raise UsageError(f"--set {setting!r} is not model.key=value with a model of {', '.join(chosen)}")
        of_model[model].append(rest)

    def fit(model: "Baseline", config: Any) -> "Callable[[RankingData], Any]":
        return lambda data: model.fit(data, config, seed)

    configs = {name: read_config(name, model.config, None, of_model[name]) for name, model in chosen.items()}
    return [Fit(name, fit(chosen[name], config), asdict(config)) for name, config in configs.items()]


def _published(name: str, path: Path, options: "DataOptions") -> Source:
    from models.dataset import load_counted

    loaded = load_counted(name, path, options)
    counts = asdict(loaded.counts)
    split = "per_reader" if loaded.data.times is None else "leave_last_out"
    return Source(loaded.data, split, {"rejected": counts["rejected"], "counts": counts})


def _warehouse(options: "DataOptions", seed: int) -> Source:
    from models.dataset import DataOptions
    from models.warehouse_data import load_warehouse

    if options != DataOptions():
        raise UsageError("--min-rating, --min-acts-per-reader and -work are for data sets: name one with --data")
    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        return Source(load_warehouse(conn), "time", {"rejected": 0, **warehouse_keys(conn, seed)})


def _earlier(out: Path | None) -> dict[str, Any] | None:
    """The report that `out` holds already, or None."""
    if out is None:
        return None
    if not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}")
    if not out.exists():
        return None
    try:
        report = json.loads(out.read_text("utf-8"))
        if isinstance(report, dict) and isinstance(report.get("models"), list) and "protocol" in report:
            return report
    except (OSError, ValueError):
        pass
    raise UsageError(f"{out} is no report of this command; give another --out")


def _write(path: Path, report: dict[str, Any]) -> None:
    try:
        with whole_file(path) as file:
            file.write(json.dumps(report, ensure_ascii=False, indent=1).encode())
    except OSError as error:
        raise UsageError(f"--out {path} cannot be written: {error}") from error


def _tell(model: str) -> None:
    typer.echo(f"evaluating {model}", err=True)
