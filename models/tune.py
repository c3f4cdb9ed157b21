"""The best configuration of a model on a data set, by Optuna; the study is kept in Postgres and can be gone on with.

Trials are scored on the validation part of the split; the test part is never looked at. The first trial is the shipped
configuration, so the best one is never worse than it.
"""

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib import resources
from typing import TYPE_CHECKING, Any

import structlog

from models.evaluation import rank
from models.fingerprints import digest, digest_of
from models.ranking_data import Ranker, RankingData
from models.splits import Split
from openshelf.errors import OpenshelfError, UsageError

if TYPE_CHECKING:
    import optuna

SCHEMA = "optuna"
NDCG, RECALL = 0, 1
# Metric of a trial: its name, its column of READER_METRICS, length of the list.
METRICS = {"item2vec": ("recall@30", RECALL, 30)}
NDCG_AT_10 = ("ndcg@10", NDCG, 10)
# What a library may throw at a configuration it cannot bear.
BROKEN = (OpenshelfError, ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)

_log = structlog.get_logger(__name__)

Space = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Tuned:
    study: str
    metric: str
    trials: int  # in the study, with those of earlier calls
    broken: int
    default: float
    best: float
    best_trial: int
    config: dict[str, Any]


def search_space(name: str) -> Space:
    """What `tune` tries of a model: key -> {low, high[, log]} or {choices}.

    Raises:
        UsageError: the model has nothing to tune.
    """
    spaces = tomllib.loads((resources.files("models") / "search_spaces.toml").read_text("utf-8"))
    if name not in spaces:
        raise UsageError(f"there is nothing to tune of {name!r}; there is of {', '.join(sorted(spaces))}")
    return spaces[name]


def storage_of(database_url: str) -> "optuna.storages.RDBStorage":
    """Optuna's tables in a schema of their own of our Postgres; made on first use."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    _, _, address = database_url.partition("://")
    return optuna.storages.RDBStorage(
        f"postgresql+psycopg://{address}",
        engine_kwargs={"connect_args": {"options": f"-c search_path={SCHEMA}", "connect_timeout": 5}},
    )


def tune(
    name: str,
    default: Any,
    fit: Callable[[RankingData, Any, int], Ranker],
    split: Split,
    storage: "optuna.storages.RDBStorage",
    *,
    space: Space | None = None,
    trials: int,
    timeout_s: float | None = None,
    seed: int = 42,
    on_trial: Callable[[int, float], None] | None = None,
) -> Tuned:
    """Up to `trials` more trials of the study of this model, data and fixed settings; a broken one scores 0."""
    import optuna

    space = search_space(name) if space is None else space
    metric, column, length = METRICS.get(name, NDCG_AT_10)
    study_name = _study_name(name, default, space, split, metric)
    study = optuna.create_study(
        storage=storage, study_name=study_name, direction="maximize", load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=seed),
    )  # fmt: skip
    done = len(study.trials)
    # The same seed would draw the same first trials again.
    study.sampler = optuna.samplers.TPESampler(seed=seed + done)
    study.set_user_attr("protocol", split.protocol)
    shipped = {key: getattr(default, key) for key in space}
    # Not only in a new study: the call before may have been killed in this very trial.
    if not any(trial.value is not None and trial.params == shipped for trial in study.trials):
        study.enqueue_trial(shipped)

    def objective(trial: "optuna.Trial") -> float:
        config = replace(default, **{key: _suggested(trial, key, asked) for key, asked in space.items()})
        try:
            ranker = fit(split.train, config, seed)
            _, figures = rank(ranker, split.train, split.validation, None, seed, length)
            return float(figures[:, column].mean())
        except (
            OpenshelfError,
            ArithmeticError,
            LookupError,
            MemoryError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            reason = f"{type(error).__name__}: {error}"
            trial.set_user_attr("broken", reason)
            _log.warning("trial_broken", trial=trial.number, reason=reason)
            return 0.0

    def tell(_: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if on_trial and trial.value is not None:
            on_trial(trial.number, trial.value)

    study.optimize(objective, n_trials=trials, timeout=timeout_s, callbacks=[tell])
    return _result(study, default, shipped, metric)


def _result(study: "optuna.Study", default: Any, shipped: Mapping[str, Any], metric: str) -> Tuned:
    finished = [trial for trial in study.trials if trial.value is not None]
    if not finished:
        raise UsageError("no trial was finished: give a longer --timeout")
    of_shipped = [trial.value for trial in finished if trial.params == shipped]
    best = study.best_trial
    return Tuned(
        study=study.study_name,
        metric=metric,
        trials=len(finished),
        broken=sum("broken" in trial.user_attrs for trial in finished),
        default=float(of_shipped[0] or 0.0) if of_shipped else 0.0,
        best=float(best.value or 0.0),
        best_trial=best.number,
        config=asdict(replace(default, **best.params)),
    )


def _suggested(trial: "optuna.Trial", key: str, asked: Mapping[str, Any]) -> Any:
    if "choices" in asked:
        return trial.suggest_categorical(key, asked["choices"])
    low, high, is_log = asked["low"], asked["high"], asked.get("log", False)
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(key, low, high, log=is_log)
    return trial.suggest_float(key, float(low), float(high), log=is_log)


def _study_name(name: str, default: Any, space: Space, split: Split, metric: str) -> str:
    """Trials may be compared only where data, split, space and all that is not searched are the same."""
    fixed = {key: value for key, value in asdict(default).items() if key not in space}
    held = split.validation
    mark = digest(
        digest_of(split.train).encode(), held.readers.tobytes(), held.rows.tobytes(),
        json.dumps([fixed, space], sort_keys=True).encode(),
    )  # fmt: skip
    return f"{name} {metric} {split.train.name} {mark}"
