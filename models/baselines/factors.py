"""Matrix factorisation by `implicit`: ALS (Hu, Koren and Volinsky 2008) and BPR (Rendle et al. 2009)."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from models.baselines.histories import (
    act_weights,
    acts_matrix,
    popular_for_strangers,
    popularity,
    require_acts,
    weighted_mean,
)
from models.ranking_data import RankingData, ReaderBatch

READERS_AT_ONCE = 64


@dataclass(frozen=True)
class AlsConfig:
    factors: int = 64
    """Length of the vectors."""
    regularisation: float = 0.01
    """Pulls the vectors towards zero."""
    iterations: int = 20
    """Rounds of solving readers, then works."""
    alpha: float = field(default=5.0, metadata={"at_least": 0})
    """How much more an act is believed than its absence."""
    half_life_acts: float = field(default=3.0, metadata={"at_least": 0})
    """When ranking, an act is believed half once this many came after it, where there is an order; 0: all alike."""
    use_values: bool = False
    """Believe an act by how glad it was; else all alike."""


class AlsRanker:
    """Every reader is folded in: solved from the history given, with the works' factors fixed."""

    kind = "als"

    def __init__(self, book_ids: np.ndarray, factors: np.ndarray, popular: np.ndarray, options: np.ndarray) -> None:
        self._book_ids = book_ids
        self._factors = factors  # (n, d)
        self._popular = popular
        self._options = options  # (4,) regularisation, alpha, half_life_acts, use_values
        self._gram = factors.T @ factors

    def scores(self, batch: ReaderBatch) -> np.ndarray:
        weights = act_weights(batch, float(self._options[2]), bool(self._options[3]))
        readers = np.empty((len(batch), self._factors.shape[1]), dtype=np.float32)
        for start in range(0, len(batch), READERS_AT_ONCE):
            some = slice(start, start + READERS_AT_ONCE)
            readers[some] = self._fold_in(batch.rows[some], weights[some])
        return popular_for_strangers(readers @ self._factors.T, (batch.rows >= 0).any(axis=1), self._popular)

    def _fold_in(self, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(b, d): minimise sum_i c_i (p_i - x.y_i)^2 + lambda |x|^2; c = alpha weight where met, 1 elsewhere."""
        confidence = (self._options[1] * weights)[..., None]  # (b, L, 1)
        met = self._factors[rows.clip(min=0)] * (rows >= 0)[..., None]  # (b, L, d)
        systems = self._gram + self._options[0] * np.eye(len(self._gram), dtype=np.float32)
        systems = systems + np.swapaxes(met * (confidence - 1), 1, 2) @ met
        return np.linalg.solve(systems, (met * confidence).sum(axis=1)[..., None])[..., 0].astype(np.float32)

    def tensors(self) -> dict[str, Tensor]:
        return {
            "book_ids": torch.from_numpy(self._book_ids),
            "factors": torch.from_numpy(self._factors),
            "popular": torch.from_numpy(self._popular),
            "options": torch.from_numpy(self._options),
        }


def fit_als(data: RankingData, config: AlsConfig, seed: int) -> AlsRanker:
    require_acts(data, "als")
    from implicit.cpu.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(
        factors=config.factors,
        regularization=config.regularisation,
        alpha=config.alpha,
        iterations=config.iterations,
        num_threads=1,
        random_state=seed,
    )
    model.fit(acts_matrix(data, config.use_values), show_progress=False)
    options = np.array(
        [config.regularisation, config.alpha, config.half_life_acts, config.use_values], dtype=np.float32
    )
    return AlsRanker(data.book_ids, np.ascontiguousarray(model.item_factors), popularity(data), options)


def restore_als(tensors: dict[str, Tensor]) -> AlsRanker:
    return AlsRanker(*(tensors[name].numpy() for name in ("book_ids", "factors", "popular", "options")))


@dataclass(frozen=True)
class BprConfig:
    factors: int = 64
    """Length of the vectors."""
    learning_rate: float = 0.02
    """Step of the descent."""
    regularisation: float = 0.01
    """Pulls the vectors towards zero."""
    iterations: int = 30
    """Passes over the acts."""


class BprRanker:
    """A reader of the training data has a vector; another gets the mean of those of the works met."""

    kind = "bpr"

    def __init__(self, book_ids: np.ndarray, factors: np.ndarray, readers: np.ndarray, popular: np.ndarray) -> None:
        self._book_ids = book_ids
        self._factors = factors  # (n, d + 1) the last column is the work's bias
        self._readers = readers  # (m, d + 1) the last column is 1
        self._popular = popular

    def scores(self, batch: ReaderBatch) -> np.ndarray:
        vectors = weighted_mean(batch, act_weights(batch, 0.0, use_values=False), self._factors)
        vectors[:, -1] = 1
        is_reader = batch.numbers >= 0
        vectors[is_reader] = self._readers[batch.numbers[is_reader]]
        is_known = is_reader | (batch.rows >= 0).any(axis=1)
        return popular_for_strangers(vectors @ self._factors.T, is_known, self._popular)

    def tensors(self) -> dict[str, Tensor]:
        return {
            "book_ids": torch.from_numpy(self._book_ids),
            "factors": torch.from_numpy(self._factors),
            "readers": torch.from_numpy(self._readers),
            "popular": torch.from_numpy(self._popular),
        }


def fit_bpr(data: RankingData, config: BprConfig, seed: int) -> BprRanker:
    require_acts(data, "bpr")
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    model = BayesianPersonalizedRanking(
        factors=config.factors,
        learning_rate=config.learning_rate,
        regularization=config.regularisation,
        iterations=config.iterations,
        num_threads=1,
        random_state=seed,
    )
    model.fit(acts_matrix(data, use_values=False), show_progress=False)
    factors, readers = np.ascontiguousarray(model.item_factors), np.ascontiguousarray(model.user_factors)
    return BprRanker(data.book_ids, factors, readers, popularity(data))


def restore_bpr(tensors: dict[str, Tensor]) -> BprRanker:
    return BprRanker(*(tensors[name].numpy() for name in ("book_ids", "factors", "readers", "popular")))
