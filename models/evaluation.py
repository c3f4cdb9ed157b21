"""Every model on one harness: fit on what was known, rank the catalogue for each tested reader, count the hits.

Scoring is full-catalogue unless sampled negatives are asked for, and a report never holds both: ranking a held-back
work among 100 others is a far easier question, and its figures belong on another page (Krichene and Rendle 2020).
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models import ranking_metrics as metrics
from models.dataset import reader_batch
from models.ranking_data import Ranker, RankingData
from models.splits import Held, Part, Split
from openshelf.errors import ModelError, OpenshelfError, UsageError

BATCH = 256
Row = dict[str, Any]


@dataclass(frozen=True)
class Fit:
    """A model to be evaluated: how it is fitted, and the configuration that its row will show."""

    model: str
    fit: Callable[[RankingData], Ranker]
    config: dict[str, Any]


@dataclass(frozen=True)
class Protocol:
    """How models are asked; two figures may be compared only where all of it is equal."""

    split: str
    part: Part
    count_works: int
    count_readers: int
    negatives: int | None
    seed: int

    @property
    def candidates(self) -> str:
        return "full catalogue" if self.negatives is None else f"sampled-{self.negatives}"

    def __str__(self) -> str:
        asked = f"{self.candidates} ({self.count_works} works)"
        part = "" if self.part == "test" else f", scored on the {self.part} part"
        return f"{self.split}{part}, {asked}, {self.count_readers} readers, seed {self.seed}"


def evaluate_models(
    split: Split,
    fits: Iterable[Fit],
    *,
    seed: int,
    part: Part = "test",
    negatives: int | None = None,
    limit_readers: int | None = None,
    on_model: Callable[[str], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Any]:
    """The report: `protocol`, `data`, `works`, `readers`, `acts` and a row per model, best NDCG first.

    A model that fails has its reason under `error` in its row, at the end. `limit_readers` tests a seeded sample.

    Raises:
        UsageError: there is nothing to test, or there are too few works for so many negatives.
    """
    held = _sampled(split.held(part), limit_readers, seed)
    known = split.fitted_on(part)
    if not len(held):
        raise UsageError(f"{known.name}: the {part} part of the split is empty: there is nothing to evaluate")
    if negatives is not None and not 1 <= negatives < known.count_works:
        raise UsageError(f"--negatives {negatives} must be between 1 and the {known.count_works - 1} other works")
    tested = len(np.unique(held.readers))
    protocol = Protocol(split.protocol, part, known.count_works, tested, negatives, seed)
    rows: list[Row] = []
    for fit in fits:
        if on_model:
            on_model(fit.model)
        try:
            row = _evaluated(fit, known, held, negatives, seed, clock)
            rows.append({"model": fit.model, "candidates": protocol.candidates, **row, "config": fit.config})
        except (OpenshelfError, ValueError, RuntimeError, ArithmeticError, MemoryError, ImportError) as error:
            # Whatever a library throws at one model, the others are measured all the same.
            rows.append({"model": fit.model, "config": fit.config, "error": f"{type(error).__name__}: {error}"})
    return {
        "protocol": str(protocol),
        "data": known.name,
        "works": known.count_works,
        "readers": known.count_readers,
        "acts": len(split.known.rows) + len(split.test),
        "models": best_first(rows),
    }


def rank(
    ranker: Ranker, known: RankingData, held: Held, negatives: int | None, seed: int, k: int = metrics.K
) -> tuple[np.ndarray, np.ndarray]:
    """(q, k) the rows listed for each tested reader, in ascending reader, and (q, 5) their READER_METRICS."""
    readers, starts = np.unique(held.readers, return_index=True)
    starts = np.append(starts, len(held))
    lengths = np.diff(known.spans)
    best = np.full((len(readers), min(k, known.count_works)), -1, dtype=np.int64)
    figures = np.empty((len(readers), len(metrics.READER_METRICS)))
    # Readers with histories of like length share a batch, so that little of it is padding.
    by_length = np.argsort(lengths[readers], kind="stable")
    for first in range(0, len(readers), BATCH):
        at = np.sort(by_length[first : first + BATCH])
        batch = reader_batch(known, readers[at], int(max(lengths[readers[at]].max(), 1)))
        scores = np.asarray(ranker.scores(batch))
        if scores.shape != (len(at), known.count_works):
            raise ModelError(f"scores of shape {scores.shape} for {len(at)} readers and {known.count_works} works")
        if np.isnan(scores).any():
            raise ModelError("scores are not numbers: the training diverged; lower the learning rate")
        excluded = np.zeros(scores.shape, dtype=bool)
        met = batch.rows >= 0
        excluded[np.nonzero(met)[0], batch.rows[met]] = True
        answers = [held.rows[starts[i] : starts[i + 1]] for i in at]
        if negatives is not None:
            excluded = ~_candidates(excluded, answers, readers[at], negatives, seed)
        best[at] = metrics.top_rows(scores, excluded, readers[at], seed, k)
        of_batch = np.cumsum([0, *map(len, answers)])
        figures[at] = metrics.per_reader(best[at], of_batch, np.concatenate(answers))
    return best, figures


def joined(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The new report with the models that only the old one has.

    Raises:
        UsageError: they were made by different protocols or on different data.
    """
    check_same(old, new)
    measured = {row["model"] for row in new["models"]}
    rows = [*new["models"], *(row for row in old["models"] if row["model"] not in measured)]
    return {**old, **new, "models": best_first(rows)}


def check_same(old: dict[str, Any], new: dict[str, Any]) -> None:
    for key in ("data", "protocol", "works", "acts"):
        if old.get(key) != new[key]:
            raise UsageError(
                f"the report there has {key} {old.get(key)!r}, this one {new[key]!r}: figures of different protocols "
                "do not go into one report; give another --out"
            )


def best_first(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: -row.get("ndcg@10", -1.0))


def _evaluated(
    fit: Fit, known: RankingData, held: Held, negatives: int | None, seed: int, clock: Callable[[], float]
) -> Row:
    began = clock()
    ranker = fit.fit(known)
    fitted = clock()
    best, figures = rank(ranker, known, held, negatives, seed)
    scored = clock()
    acts_per_work = np.bincount(known.rows, minlength=known.count_works)
    columns = [figures, metrics.novelty(best, acts_per_work, known.count_readers)[:, None]]
    names = [*metrics.READER_METRICS, "novelty"]
    if known.embeddings is not None:
        unlike = metrics.diversity(best, known.embeddings)
        if not np.isnan(unlike).all():
            columns.append(unlike[:, None])
            names.append("diversity")
    intervals = dict(zip(names, metrics.bootstrap_means(np.hstack(columns), seed), strict=True))
    intervals |= metrics.exposure_intervals(best, known.count_works, seed)
    row: Row = {}
    for name, interval in intervals.items():
        row[f"{name}@10"] = round(interval.value, 6)
        row[f"{name}@10_low"] = round(interval.low, 6)
        row[f"{name}@10_high"] = round(interval.high, 6)
    return {**row, "train_s": round(fitted - began, 3), "score_s": round(scored - fitted, 3)}


def _candidates(
    met: np.ndarray, answers: list[np.ndarray], readers: np.ndarray, negatives: int, seed: int
) -> np.ndarray:
    """(B, n) bool: what was held back, and `negatives` other works that the reader did not meet, drawn by the seed."""
    candidates = np.zeros(met.shape, dtype=bool)
    for i, (held, reader) in enumerate(zip(answers, readers.tolist(), strict=True)):
        free = ~met[i]
        free[held] = False
        others = np.flatnonzero(free)
        drawn = np.random.default_rng([seed, reader, 1]).choice(others, min(negatives, len(others)), replace=False)
        candidates[i, drawn] = True
        candidates[i, held] = True
    return candidates


def _sampled(held: Held, limit: int | None, seed: int) -> Held:
    readers = np.unique(held.readers)
    if limit is None or limit >= len(readers):
        return held
    chosen = np.random.default_rng(seed).choice(readers, limit, replace=False)
    keep = np.isin(held.readers, chosen)
    return replace(held, readers=held.readers[keep], rows=held.rows[keep])
