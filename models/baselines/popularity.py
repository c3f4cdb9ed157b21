"""Two rankings that know no reader: by chance, and by what most readers met."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from models.baselines.histories import require_acts
from models.ranking_data import RankingData, ReaderBatch

DAY_S = 86_400.0


@dataclass(frozen=True)
class RandomConfig:
    """Chance has nothing to set."""


class RandomRanker:
    """An order of its own for each reader, the same for the same seed, reader and history."""

    kind = "random"

    def __init__(self, book_ids: np.ndarray, seed: int) -> None:
        self._book_ids = book_ids
        self._seed = seed

    def scores(self, batch: ReaderBatch) -> np.ndarray:
        scores = np.empty((len(batch), len(self._book_ids)), dtype=np.float32)
        for i, number in enumerate(batch.numbers.tolist()):
            # Strangers differ by what they met.
            met = batch.rows[i][batch.rows[i] >= 0].tolist()
            generator = np.random.Generator(np.random.SFC64([self._seed & (2**63 - 1), number + 1, *met]))
            scores[i] = generator.random(scores.shape[1], dtype=np.float32)
        return scores

    def tensors(self) -> dict[str, Tensor]:
        return {"book_ids": torch.from_numpy(self._book_ids), "seed": torch.tensor(self._seed, dtype=torch.int64)}


def fit_random(data: RankingData, config: RandomConfig, seed: int) -> RandomRanker:
    require_acts(data, "random")
    return RandomRanker(data.book_ids, seed)


def restore_random(tensors: dict[str, Tensor]) -> RandomRanker:
    return RandomRanker(tensors["book_ids"].numpy(), int(tensors["seed"]))


@dataclass(frozen=True)
class PopularConfig:
    half_life_days: float = field(default=0.0, metadata={"at_least": 0})
    """An act counts half this long before the newest act of the data; 0: all acts count alike."""
    use_values: bool = False
    """Sum how glad the acts were; else count readers."""


class PopularRanker:
    """The same order for every reader."""

    kind = "popular"

    def __init__(self, book_ids: np.ndarray, counts: np.ndarray) -> None:
        self._book_ids = book_ids
        self._counts = counts  # (n,) float32

    def scores(self, batch: ReaderBatch) -> np.ndarray:
        return np.repeat(self._counts[None], len(batch), axis=0)

    def tensors(self) -> dict[str, Tensor]:
        return {"book_ids": torch.from_numpy(self._book_ids), "counts": torch.from_numpy(self._counts)}


def fit_popular(data: RankingData, config: PopularConfig, seed: int) -> PopularRanker:
    require_acts(data, "popular")
    weights = data.values.astype(np.float64) if config.use_values else np.ones(len(data.rows))
    if data.times is not None and config.half_life_days > 0:
        weights = weights * np.exp2((data.times - data.times.max()) / (config.half_life_days * DAY_S))
    counts = np.bincount(data.rows, weights=weights, minlength=data.count_works)
    return PopularRanker(data.book_ids, counts.astype(np.float32))


def restore_popular(tensors: dict[str, Tensor]) -> PopularRanker:
    return PopularRanker(tensors["book_ids"].numpy(), tensors["counts"].numpy())
