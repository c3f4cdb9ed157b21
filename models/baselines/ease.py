"""EASE (Steck, WWW 2019): a linear model that predicts each work of a history from the others, in closed form.

P = (X'X + lambda I)^-1 and B_ij = -P_ij / P_jj with a zero diagonal. With fewer readers than works the same P comes
from the smaller inverse over readers (Woodbury): P = (I - X'(XX' + lambda I)^-1 X) / lambda, a few columns at a time,
so no table of works by works is ever held. With more than `exact` of both, the weights of each work are solved only
among the works it shares most readers with: an approximation, linear in works.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from models.baselines.histories import (
    SparseMatrix,
    act_weights,
    acts_matrix,
    history_matrix,
    popular_for_strangers,
    popularity,
    require_acts,
)
from models.ranking_data import RankingData, ReaderBatch
from openshelf.errors import ModelError

COLUMNS = 512


@dataclass(frozen=True)
class EaseConfig:
    regularisation: float = field(default=100.0, metadata={"above": 0})
    """Lambda: how many shared readers it takes to be believed."""
    neighbours: int = 200
    """Weights kept of each work, the largest by size; 0: all."""
    half_life_acts: float = field(default=5.0, metadata={"at_least": 0})
    """When ranking, an act counts half once this many came after it, where there is an order; 0: all alike."""
    use_values: bool = False
    """Learn from and weigh acts by how glad they were; else only that they were."""
    exact: int = field(default=20_000, metadata={"at_least": 0})
    """Solved exactly while readers or works are at most this many."""


class EaseRanker:
    kind = "ease"

    def __init__(self, book_ids: np.ndarray, weights: SparseMatrix, popular: np.ndarray, options: np.ndarray) -> None:
        self._book_ids = book_ids
        self._weights = weights  # (n, n) from works met to works ranked
        self._popular = popular
        self._options = options  # (2,) half_life_acts, use_values

    def scores(self, batch: ReaderBatch) -> np.ndarray:
        acts = act_weights(batch, float(self._options[0]), bool(self._options[1]))
        history = history_matrix(batch, acts, len(self._book_ids))
        scores = (history @ self._weights).toarray()
        return popular_for_strangers(scores, (batch.rows >= 0).any(axis=1), self._popular)

    def tensors(self) -> dict[str, Tensor]:
        return {
            "book_ids": torch.from_numpy(self._book_ids),
            "starts": torch.from_numpy(self._weights.indptr.astype(np.int64)),
            "columns": torch.from_numpy(self._weights.indices.astype(np.int32)),
            "weights": torch.from_numpy(self._weights.data),
            "popular": torch.from_numpy(self._popular),
            "options": torch.from_numpy(self._options),
        }


def fit_ease(data: RankingData, config: EaseConfig, seed: int) -> EaseRanker:
    require_acts(data, "ease")
    if config.regularisation <= 0:
        raise ModelError("ease cannot be solved with regularisation 0 or less: set it above 0")
    acts = acts_matrix(data, config.use_values)
    count_readers, count_works = acts.shape
    if min(count_readers, count_works) > config.exact:
        weights = _among_neighbours(acts, config)
    elif count_readers < count_works:
        weights = _by_readers(acts, config)
    else:
        weights = _by_works(acts, config)
    options = np.array([config.half_life_acts, config.use_values], dtype=np.float32)
    return EaseRanker(data.book_ids, weights, popularity(data), options)


def restore_ease(tensors: dict[str, Tensor]) -> EaseRanker:
    from scipy.sparse import csr_matrix

    count = len(tensors["book_ids"])
    parts = (tensors["weights"].numpy(), tensors["columns"].numpy(), tensors["starts"].numpy())
    weights = csr_matrix(parts, shape=(count, count))
    return EaseRanker(tensors["book_ids"].numpy(), weights, tensors["popular"].numpy(), tensors["options"].numpy())


def _by_readers(acts: SparseMatrix, config: EaseConfig) -> SparseMatrix:
    gram = (acts @ acts.T).toarray()
    inverse = _inverse(gram, config.regularisation)
    columns = acts.tocsc()
    kept = _Kept(acts.shape[1], config.neighbours)
    for start in range(0, acts.shape[1], COLUMNS):
        some = columns[:, start : start + COLUMNS]
        precision = -(acts.T @ (some.T @ inverse).T)  # (n, c) lambda P, less the identity
        at = np.arange(precision.shape[1])
        diagonal = 1 + precision[start + at, at]
        kept.add(start, -precision / diagonal)
    return kept.matrix()


def _by_works(acts: SparseMatrix, config: EaseConfig) -> SparseMatrix:
    inverse = _inverse((acts.T @ acts).toarray(), config.regularisation)
    diagonal = np.diag(inverse).copy()
    kept = _Kept(acts.shape[1], config.neighbours)
    for start in range(0, acts.shape[1], COLUMNS):
        stop = start + COLUMNS
        kept.add(start, -inverse[:, start:stop] / diagonal[start:stop])
    return kept.matrix()


def _among_neighbours(acts: SparseMatrix, config: EaseConfig) -> SparseMatrix:
    """Each work's weights by ridge regression on the works it shares most readers with, which are all it can have."""
    columns = acts.tocsc()
    count = config.neighbours or 200
    kept = _Kept(acts.shape[1], count)
    for start in range(0, acts.shape[1], COLUMNS):
        shared = (columns[:, start : start + COLUMNS].T @ acts).tocsr()
        block = np.zeros((acts.shape[1], shared.shape[0]), dtype=np.float32)
        for at in range(shared.shape[0]):
            rows = shared.indices[shared.indptr[at] : shared.indptr[at + 1]]
            common = shared.data[shared.indptr[at] : shared.indptr[at + 1]]
            common, rows = common[rows != start + at], rows[rows != start + at]
            nearest = np.argsort(-common, kind="stable")[:count]
            around = columns[:, rows[nearest]]
            gram = (around.T @ around).toarray()
            gram[np.diag_indices_from(gram)] += config.regularisation
            block[rows[nearest], at] = np.linalg.solve(gram, common[nearest])
        kept.add(start, block)
    return kept.matrix()


def _inverse(gram: np.ndarray, regularisation: float) -> np.ndarray:
    """(G + lambda I)^-1 by Cholesky, in the place of G."""
    from scipy.linalg.lapack import spotrf, spotri  # pyright: ignore[reportAttributeAccessIssue] made at run time

    gram[np.diag_indices_from(gram)] += regularisation
    factor, info = spotrf(gram.T, lower=0, overwrite_a=1)
    inverse, info_2 = spotri(factor, lower=0, overwrite_c=1)
    if info or info_2:
        raise ModelError("ease cannot be solved: set a larger regularisation")
    # Only the upper half was filled; row by row, since an index of the half would be larger than the table.
    for row in range(len(inverse)):
        inverse[row + 1 :, row] = inverse[row, row + 1 :]
    return inverse


class _Kept:
    """The largest weights of each column, gathered block by block."""

    def __init__(self, count_works: int, neighbours: int) -> None:
        self._count_works = count_works
        self._neighbours = min(neighbours or count_works, count_works)
        self._rows: list[np.ndarray] = []
        self._columns: list[np.ndarray] = []
        self._weights: list[np.ndarray] = []

    def add(self, start: int, block: np.ndarray) -> None:
        """`block` (n, c): the weights of columns start..start + c; a work never predicts itself."""
        at = np.arange(block.shape[1])
        block[start + at, at] = 0
        rows = np.argpartition(-np.abs(block), self._neighbours - 1, axis=0)[: self._neighbours]
        weights = np.take_along_axis(block, rows, axis=0)
        columns = np.broadcast_to(start + at, rows.shape)
        is_weight = weights != 0
        self._rows.append(rows[is_weight].astype(np.int32))
        self._columns.append(columns[is_weight].astype(np.int32))
        self._weights.append(weights[is_weight].astype(np.float32))

    def matrix(self) -> SparseMatrix:
        from scipy.sparse import csr_matrix

        parts = (np.concatenate(self._weights), (np.concatenate(self._rows), np.concatenate(self._columns)))
        return csr_matrix(parts, shape=(self._count_works, self._count_works))
