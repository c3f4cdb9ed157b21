"""item2vec (Barkan and Koenigstein 2016): works that stand near one another in readers' sequences, by gensim."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from models.baselines.histories import (
    act_weights,
    popular_for_strangers,
    popularity,
    require_acts,
    weighted_mean,
)
from models.ranking_data import RankingData, ReaderBatch
from openshelf.errors import ModelError

# gensim silently cuts off what lies beyond.
LONGEST = 10_000


@dataclass(frozen=True)
class Item2VecConfig:
    dim: int = 64
    """Length of the vectors."""
    window: int = 50
    """How many places apart two works still meet."""
    negative: int = 10
    """Wrong works drawn for each right one."""
    ns_exponent: float = field(default=0.5, metadata={"at_least": -3, "at_most": 3})
    """Wrong works are drawn by popularity to this power."""
    min_count: int = 3
    """Works with fewer acts are not learned."""
    skip_gram: Literal[0, 1] = 0
    """1: a work predicts its surroundings; 0: the surroundings predict the work."""
    epochs: int = 30
    """Passes over the acts."""
    learning_rate: float = 0.05
    """Step of the descent; falls to a hundredth."""
    sample: float = field(default=0.0, metadata={"at_least": 0, "below": 1})
    """Works more frequent than this share are thinned out; 0: none."""
    half_life_acts: float = field(default=3.0, metadata={"at_least": 0})
    """A reader is the mean of the vectors met, each counting half once this many came after it; 0: all alike."""


class Item2VecRanker:
    """How well the works met last predict each work, by the model's own measure.

    That is the mean of their input vectors times its output vector; the cosine of input vectors, which is often used,
    says which works are alike, and ranked worse on all data tried.
    """

    kind = "item2vec"

    def __init__(
        self, book_ids: np.ndarray, vectors: np.ndarray, outputs: np.ndarray, popular: np.ndarray, options: np.ndarray
    ) -> None:
        self._book_ids = book_ids
        self._vectors = vectors  # (n, d) zero for a work not learned
        self._outputs = outputs  # (n, d) likewise
        self._is_learned = np.asarray(outputs.any(axis=1))
        self._popular = popular
        self._options = options  # (1,) half_life_acts

    def scores(self, batch: ReaderBatch) -> np.ndarray:
        # Works not learned say nothing of a reader, and are offered last.
        weights = act_weights(batch, float(self._options[0]), use_values=False)
        weights = weights * self._is_learned[batch.rows.clip(min=0)]
        readers = weighted_mean(batch, weights, self._vectors)
        scores = readers @ self._outputs.T
        scores[:, ~self._is_learned] = scores.min(axis=1, keepdims=True)
        return popular_for_strangers(scores, readers.any(axis=1), self._popular)

    def tensors(self) -> dict[str, Tensor]:
        return {
            "book_ids": torch.from_numpy(self._book_ids),
            "vectors": torch.from_numpy(self._vectors),
            "outputs": torch.from_numpy(self._outputs),
            "popular": torch.from_numpy(self._popular),
            "options": torch.from_numpy(self._options),
        }


def fit_item2vec(data: RankingData, config: Item2VecConfig, seed: int) -> Item2VecRanker:
    require_acts(data, "item2vec")
    if np.bincount(data.rows).max() < config.min_count:
        raise ModelError(f"item2vec: no work of {data.name} has {config.min_count} acts; set min_count lower")
    from gensim.models import Word2Vec

    model = Word2Vec(
        _Sequences(data, seed),
        vector_size=config.dim,
        window=config.window,
        negative=config.negative,
        ns_exponent=config.ns_exponent,
        min_count=config.min_count,
        sg=config.skip_gram,
        epochs=config.epochs,
        alpha=config.learning_rate,
        min_alpha=config.learning_rate / 100,
        sample=config.sample,
        seed=seed,
        workers=1,
    )
    vectors, outputs = (np.zeros((data.count_works, config.dim), dtype=np.float32) for _ in range(2))
    words: Any = model.wv
    learned = [int(word) for word in words.index_to_key]
    vectors[learned], outputs[learned] = words.vectors, model.syn1neg
    options = np.array([config.half_life_acts], dtype=np.float32)
    return Item2VecRanker(data.book_ids, vectors, outputs, popularity(data), options)


class _Sequences:
    """Readers' works as gensim's words; in a new order on each pass where the data has none, so that all can meet."""

    def __init__(self, data: RankingData, seed: int) -> None:
        self._data = data
        self._words = [str(row) for row in range(data.count_works)]
        self._generator = np.random.default_rng(seed)

    def __iter__(self) -> Iterator[list[str]]:
        spans = self._data.spans
        for start, stop in itertools.pairwise(spans.tolist()):
            rows = self._data.rows[start:stop]
            if self._data.times is None:
                rows = self._generator.permutation(rows)
            for at in range(0, len(rows), LONGEST):
                yield [self._words[row] for row in rows[at : at + LONGEST].tolist()]


def restore_item2vec(tensors: dict[str, Tensor]) -> Item2VecRanker:
    return Item2VecRanker(*(tensors[name].numpy() for name in ("book_ids", "vectors", "outputs", "popular", "options")))
