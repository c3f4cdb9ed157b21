"""alpha x collaborative + (1 - alpha) x content, each standardised per reader so that they weigh as alpha says."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from models.baselines.content import ContentConfig, fit_content, restore_content
from models.baselines.ease import EaseConfig, fit_ease, restore_ease
from models.baselines.factors import AlsConfig, BprConfig, fit_als, fit_bpr, restore_als, restore_bpr
from models.baselines.item2vec import Item2VecConfig, fit_item2vec, restore_item2vec
from models.ranking_data import Ranker, RankingData, ReaderBatch

_FITS: dict[str, Callable[[RankingData, int], Ranker]] = {
    "ease": lambda data, seed: fit_ease(data, EaseConfig(), seed),
    "als": lambda data, seed: fit_als(data, AlsConfig(), seed),
    "bpr": lambda data, seed: fit_bpr(data, BprConfig(), seed),
    "item2vec": lambda data, seed: fit_item2vec(data, Item2VecConfig(), seed),
}
_RESTORES: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "ease": restore_ease,
    "als": restore_als,
    "bpr": restore_bpr,
    "item2vec": restore_item2vec,
}


@dataclass(frozen=True)
class HybridConfig:
    alpha: float = field(default=0.7, metadata={"at_least": 0, "at_most": 1})
    """Share of the collaborative model; the rest is content's."""
    collaborative: Literal["ease", "als", "bpr", "item2vec"] = "ease"
    """Which collaborative model, with its own defaults."""


class HybridRanker:
    kind = "hybrid"

    def __init__(self, collaborative: Ranker, content: Ranker, alpha: float) -> None:
        self._collaborative = collaborative
        self._content = content
        self._alpha = alpha

    def scores(self, batch: ReaderBatch) -> np.ndarray:
        collaborative = standardised(self._collaborative.scores(batch))
        content = standardised(self._content.scores(batch))
        return (self._alpha * collaborative + (1 - self._alpha) * content).astype(np.float32)

    def tensors(self) -> dict[str, Tensor]:
        """Those of the two models, each name behind its kind."""
        named = {"alpha": torch.tensor(self._alpha, dtype=torch.float64)}
        for ranker in (self._collaborative, self._content):
            named |= {f"{ranker.kind}.{name}": tensor for name, tensor in ranker.tensors().items()}
        book_ids = named.pop(f"{self._collaborative.kind}.book_ids")
        named.pop("content.book_ids")
        return named | {"book_ids": book_ids}


def standardised(scores: np.ndarray) -> np.ndarray:
    """Each row (a reader) with mean 0 and deviation 1 over all works; zero where all works score alike."""
    centred = scores - scores.mean(axis=1, keepdims=True)
    deviation = centred.std(axis=1, keepdims=True)
    return centred / np.where(deviation > 0, deviation, 1)


def fit_hybrid(data: RankingData, config: HybridConfig, seed: int) -> HybridRanker:
    content = fit_content(data, ContentConfig(), seed)  # first: it says at once when there are no embeddings
    return HybridRanker(_FITS[config.collaborative](data, seed), content, config.alpha)


def restore_hybrid(tensors: dict[str, Tensor]) -> HybridRanker:
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        kind, dot, rest = name.partition(".")
        if dot:
            parts.setdefault(kind, {"book_ids": tensors["book_ids"]})[rest] = tensor
    kind = next(kind for kind in parts if kind != "content")
    return HybridRanker(_RESTORES[kind](parts[kind]), restore_content(parts["content"]), float(tensors["alpha"]))
