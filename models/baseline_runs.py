"""Training runs of the baselines on the warehouse: fitted, measured on the latest acts, fitted on all, registered."""

from datetime import datetime
from time import perf_counter
from typing import Any

import numpy as np
import psycopg
import torch

from models import registry
from models.baselines.roster import ROSTER
from models.evaluation import Fit, evaluate_models
from models.fingerprints import digest_of
from models.gate import Verdict
from models.ranking_data import RankingData
from models.run_records import THREADS, Learned, NothingToLearnError, RunReport, recorded, settle, version_of
from models.splits import by_time
from models.tracking import tracked
from models.warehouse_data import load_warehouse
from openshelf.database import episodes as logged
from openshelf.database import learning, training_runs
from openshelf.errors import ModelError, UsageError


def run_baseline(
    conn: psycopg.Connection, name: str, config: Any, seed: int, now: datetime, *, promote: bool = True
) -> RunReport:
    """Fit it on all glad acts; it becomes the champion of its kind if it loads and its scores are finite."""
    started = perf_counter()
    parent = learning.champion(conn, name)
    settings = registry.settings_of(config)
    run_id = training_runs.start_run(conn, name, settings, seed, version_of(parent), now)
    conn.commit()
    with recorded(conn, run_id, now), tracked(f"{name} run {run_id}", settings | {"seed": seed}, tags=[name]) as track:
        until = logged.acts_until(conn)
        data = warehouse_until(conn, until.isoformat() if until else None)
        training_runs.count_data(conn, run_id, len(data.rows), 0)
        conn.commit()
        learned = learn_baseline(name, data, config, seed)
        manifest = {
            "acts": len(data.rows),
            "readers": data.count_readers,
            "works": data.count_works,
            "seed": seed,
            "recipe": {"until": until.isoformat() if until else None},
            "data": {"acts": digest_of(data)},
        }
        version = registry.register(
            conn,
            name,
            learned.tensors,
            config=learned.config,
            manifest=manifest,
            metrics=learned.metrics,
            parent=version_of(parent),
            now=now,
        )
        training_runs.insert_metrics(conn, run_id, learned.curves)
        registry.load_ranker(conn, version)  # what was stored, not what is in memory, has to rank
        status = settle(conn, run_id, version, learned.verdict, promote, now)
        conn.commit()
        for epoch, metric, value in learned.curves:
            if metric not in learned.metrics:
                track.log(epoch + 1, {metric: value})
        track.summarise({**learned.metrics, "version": version, "status": status})
    reason, seconds = learned.verdict.reason, perf_counter() - started
    return RunReport(run_id, version, status, reason, seconds, len(data.rows), 0, learned.metrics)


def warehouse_until(conn: psycopg.Connection, until: str | None) -> RankingData:
    """The warehouse's acts stored until then.

    Raises:
        NothingToLearnError: there are none.
    """
    try:
        return load_warehouse(conn, datetime.fromisoformat(until) if until else None)
    except UsageError as error:
        raise NothingToLearnError(str(error)) from error


def learn_baseline(name: str, data: RankingData, config: Any, seed: int) -> Learned:
    """Measured on the latest tenth of the acts by a model that never saw them; what is kept is fitted on all."""
    torch.set_num_threads(THREADS)
    metrics = _measured(name, data, config, seed)
    curves: list[tuple[int, str, float]] = []

    def told(epoch: int, figures: dict[str, float]) -> None:
        curves.extend((epoch, metric, value) for metric, value in figures.items())

    baseline = ROSTER[name]
    ranker = baseline.fit(data, config, seed, *([told] if baseline.tells_epochs else []))
    registry.require_finite(ranker, name)
    tensors = {key: tensor.contiguous() for key, tensor in ranker.tensors().items()}
    curves += [(0, metric, value) for metric, value in metrics.items()]
    reason = (
        f"NDCG@10 {metrics['test/ndcg@10']:.4f} on the latest acts" if metrics else "too few acts to hold some back"
    )
    return Learned(tensors, registry.settings_of(config), metrics, curves, Verdict(True, reason, {}))


def _measured(name: str, data: RankingData, config: Any, seed: int) -> dict[str, float]:
    """Nothing where there are too few acts to hold some back."""
    try:
        split = by_time(data)
    except UsageError:
        return {}
    fit = Fit(name, lambda known: ROSTER[name].fit(known, config, seed), {})
    row = evaluate_models(split, [fit], seed=seed)["models"][0]
    if "error" in row:
        raise ModelError(f"{name} cannot be trained: {row['error']}")
    return {f"test/{key}": value for key, value in row.items() if "@10" in key and np.isfinite(value)}
