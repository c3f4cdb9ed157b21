"""What the baselines share: acts as sparse matrices, weights of a reader's acts, and what to say of nobody. Pure."""

from typing import Any

import numpy as np

from models.ranking_data import RankingData, ReaderBatch
from openshelf.errors import ModelError

SparseMatrix = Any  # scipy's csr_matrix: its own types do not know what slices and products of one are


def require_acts(data: RankingData, kind: str) -> None:
    """Refuse to learn from nothing.

    Raises:
        ModelError: there is no act or no work.
    """
    if not len(data.rows) or not data.count_works:
        raise ModelError(f"{kind} has nothing to learn from: {data.name} holds no acts; load readers' acts first")


def acts_matrix(data: RankingData, use_values: bool) -> SparseMatrix:
    """(m, n) readers by works: how glad, or 1 for met."""
    from scipy.sparse import csr_matrix

    values = data.values if use_values else np.ones(len(data.rows), dtype=np.float32)
    shape = (data.count_readers, data.count_works)
    return csr_matrix((values.astype(np.float32), (data.readers, data.rows)), shape=shape)


def history_matrix(batch: ReaderBatch, weights: np.ndarray, count_works: int) -> SparseMatrix:
    """(B, n): the weights (B, L) of what each reader met; those of a work met twice add up."""
    from scipy.sparse import csr_matrix

    at, place = np.nonzero(batch.rows >= 0)
    values = weights[at, place].astype(np.float32)
    return csr_matrix((values, (at, batch.rows[at, place])), shape=(len(batch), count_works))


def act_weights(batch: ReaderBatch, half_life_acts: float, use_values: bool) -> np.ndarray:
    """(B, L) float32, 0 for padding: halved by every `half_life_acts` acts since, where there is an order; 0: never."""
    weights = (batch.rows >= 0).astype(np.float32)
    if use_values:
        weights = weights * batch.values
    if batch.times is not None and half_life_acts > 0:
        acts_since = np.arange(batch.rows.shape[1] - 1, -1, -1, dtype=np.float32)
        weights = weights * np.exp2(-acts_since / half_life_acts)
    return weights.astype(np.float32)


def weighted_mean(batch: ReaderBatch, weights: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(B, d) mean of the vectors of the works met; zero for a reader who met none."""
    total = weights.sum(axis=1, keepdims=True)
    summed = history_matrix(batch, weights, len(vectors)) @ vectors
    return (summed / np.where(total > 0, total, 1)).astype(np.float32)


def popularity(data: RankingData) -> np.ndarray:
    """(n,) float32 the share of readers who met each work: what a model says of a reader it knows nothing of."""
    counts = np.bincount(data.rows, minlength=data.count_works)
    return (counts / max(data.count_readers, 1)).astype(np.float32)


def popular_for_strangers(scores: np.ndarray, is_known: Any, popular: np.ndarray) -> np.ndarray:
    """The scores (B, n), with popularity where nothing is known of a reader (B,)."""
    return np.where(is_known[:, None], scores, popular).astype(np.float32)


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Rows of length 1; a zero row stays zero."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(length > 0, length, 1)).astype(np.float32)
