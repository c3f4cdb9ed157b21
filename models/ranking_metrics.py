"""How good ranked lists are, per reader and in all, each figure with its uncertainty. Pure.

Relevance is binary: a held-back act is a hit. What each figure means is in `models/README.md`.
"""

from dataclasses import dataclass

import numpy as np

K = 10
RESAMPLES = 1_000
# Catalogue-wide figures are resampled less: each resample sorts the whole catalogue.
RESAMPLES_IN_ALL = 200
READER_METRICS = ("ndcg", "recall", "map", "mrr", "hit_rate")


@dataclass(frozen=True)
class Interval:
    value: float
    low: float
    high: float


def top_rows(scores: np.ndarray, excluded: np.ndarray, keys: np.ndarray, seed: int, k: int = K) -> np.ndarray:
    """(B, k) int64 the best rows per reader, best first; -1 where fewer than k works may be ranked.

    scores: (B, n); excluded: (B, n) bool, never listed; keys: (B,) int64 of the readers. Works with equal scores are
    ordered by lots drawn from seed and key, so that a model that knows nothing scores like chance, and the same reader
    gets the same list whatever batch they are in.
    """
    ranked = np.where(excluded, -np.inf, np.maximum(scores, np.finfo(np.float32).min))
    k = min(k, ranked.shape[1])
    cut = np.partition(ranked, ranked.shape[1] - k, axis=1)[:, ranked.shape[1] - k]
    best = np.full((len(ranked), k), -1, dtype=np.int64)
    for i, (row, least, key) in enumerate(zip(ranked, cut, keys, strict=True)):
        found = np.flatnonzero((row >= least) & (row > -np.inf))
        lots = np.random.default_rng([seed, int(key)]).random(len(found))
        chosen = found[np.lexsort((lots, -row[found]))[:k]]
        best[i, : len(chosen)] = chosen
    return best


def per_reader(best: np.ndarray, starts: np.ndarray, held: np.ndarray) -> np.ndarray:
    """(B, 5) float64 in the order of READER_METRICS.

    best: (B, k) rows, best first; the held-back rows of reader i are held[starts[i]:starts[i + 1]], at least one.
    NDCG: Järvelin and Kekäläinen 2002, the ideal list holds min(k, held) hits. MAP divides by the same number. Recall
    divides by all that was held back.
    """
    count, k = best.shape
    owner = np.repeat(np.arange(count), np.diff(starts))
    # One number per (reader, row) makes membership one sorted search for all readers at once.
    width = int(max(best.max(initial=0), held.max(initial=0))) + 1
    hits = (best >= 0) & np.isin(np.arange(count)[:, None] * width + best.clip(min=0), owner * width + held)
    relevant = np.diff(starts).astype(np.float64)
    ideal = np.minimum(relevant, k).astype(np.int64)
    discount = 1 / np.log2(np.arange(2, k + 2))
    ndcg = hits @ discount / np.cumsum(discount)[ideal - 1]
    recall = hits.sum(axis=1) / relevant
    precision = np.cumsum(hits, axis=1) / np.arange(1, k + 1)
    average = (precision * hits).sum(axis=1) / ideal
    hit = hits.any(axis=1)
    reciprocal = np.where(hit, 1 / (hits.argmax(axis=1) + 1), 0)
    return np.column_stack([ndcg, recall, average, reciprocal, hit.astype(np.float64)])


def novelty(best: np.ndarray, acts_per_work: np.ndarray, count_readers: int) -> np.ndarray:
    """(B,) mean bits of self-information of the listed works (Vargas and Castells 2011).

    A work that all readers met tells nothing (0 bits). One act is added to each work, so that the unmet stay finite.
    """
    bits = -np.log2((acts_per_work + 1) / (count_readers + 1)).clip(max=0)
    return _mean_listed(bits[best.clip(min=0)], best >= 0)


def diversity(best: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
    """(B,) 1 minus the mean cosine between the listed works that have a text; NaN with fewer than two of them.

    (|sum v|^2 - sum |v|^2) / (c (c - 1)) is the mean over ordered pairs, without making the pairs.
    """
    listed = embeddings[best.clip(min=0)] * (best >= 0)[:, :, None]
    squares = (listed**2).sum(axis=2)
    count = (squares > 0).sum(axis=1)
    pairs = np.where(count > 1, count * (count - 1), 1)
    mean = ((listed.sum(axis=1) ** 2).sum(axis=1) - squares.sum(axis=1)) / pairs
    return np.where(count > 1, 1 - mean, np.nan)


def coverage(exposure: np.ndarray) -> np.ndarray:
    """Share of the catalogue that is listed for anybody; exposure: (..., n) times listed."""
    return (exposure > 0).mean(axis=-1)


def gini(exposure: np.ndarray) -> np.ndarray:
    """0: all works are listed equally often; near 1: one work has all places. exposure: (..., n)."""
    count = exposure.shape[-1]
    rising = np.sort(exposure, axis=-1)
    total = rising.sum(axis=-1)
    weights = 2 * np.arange(1, count + 1) - count - 1
    return np.where(total > 0, rising @ weights / (count * np.maximum(total, 1)), 0.0)


def bootstrap_means(values: np.ndarray, seed: int, resamples: int = RESAMPLES) -> list[Interval]:
    """95 % percentile intervals of the column means of (q, c), over readers drawn with replacement; NaN is left out."""
    weights = _draws(len(values), seed, resamples)
    there = ~np.isnan(values)
    filled = np.where(there, values, 0)
    counted = weights @ there
    # A resample may have drawn none of the few readers who have the figure: it says nothing.
    means = np.where(counted > 0, weights @ filled / np.maximum(counted, 1), np.nan)
    low, high = np.nanquantile(means, [0.025, 0.975], axis=0)
    point = filled.sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    return [Interval(float(p), float(a), float(b)) for p, a, b in zip(point, low, high, strict=True)]


def exposure_intervals(
    best: np.ndarray, count_works: int, seed: int, resamples: int = RESAMPLES_IN_ALL
) -> dict[str, Interval]:
    """Coverage and Gini of the lists (q, k), each with its interval.

    A resample holds fewer distinct readers than the whole and so covers less: its quantiles would lie below the figure
    they are for. The interval is the figure +- 1.96 standard deviations of the resamples instead.
    """
    import scipy.sparse as sparse

    reader, place = np.nonzero(best >= 0)
    lists = sparse.csr_matrix(
        (np.ones(len(reader)), (reader, best[reader, place])), shape=(len(best), count_works), dtype=np.float64
    )
    whole = np.asarray(lists.sum(axis=0)).ravel()
    weights = _draws(len(best), seed, resamples)
    drawn: dict[str, list[np.ndarray]] = {"coverage": [], "gini": []}
    for start in range(0, resamples, 25):  # 25 x n numbers at a time, however large the catalogue
        exposure = (lists.T @ weights[start : start + 25].T).T
        drawn["coverage"].append(coverage(exposure))
        drawn["gini"].append(gini(exposure))
    points = {"coverage": float(coverage(whole)), "gini": float(gini(whole))}
    return {name: _normal(points[name], np.concatenate(drawn[name])) for name in points}


def _normal(point: float, drawn: np.ndarray) -> Interval:
    reach = 1.96 * float(drawn.std())
    return Interval(point, max(point - reach, 0.0), min(point + reach, 1.0))


def _draws(count: int, seed: int, resamples: int) -> np.ndarray:
    """(resamples, count) how often each reader is in each resample."""
    return np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)


def _mean_listed(values: np.ndarray, listed: np.ndarray) -> np.ndarray:
    return np.where(listed, values, 0).sum(axis=1) / np.maximum(listed.sum(axis=1), 1)
