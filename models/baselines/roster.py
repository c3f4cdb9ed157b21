"""Every baseline by name: what it can be told, how it is fitted, how it comes back from the registry."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from models.baselines import content, ease, factors, hybrid, item2vec, popularity, sequence, two_tower
from models.ranking_data import Ranker


@dataclass(frozen=True)
class Baseline:
    config: type[Any]  # a frozen dataclass with a default for every field
    fit: Callable[..., Ranker]  # data, config, seed; raises ModelError
    restore: Callable[[dict[str, Tensor]], Ranker]
    needs_embeddings: bool = False  # cannot be fitted without `RankingData.embeddings`
    uses_embeddings: bool = False  # is better with them
    tells_epochs: bool = False  # `fit` takes on_epoch(epoch, metrics), called after each pass over the acts


ROSTER: dict[str, Baseline] = {
    "random": Baseline(popularity.RandomConfig, popularity.fit_random, popularity.restore_random),
    "popular": Baseline(popularity.PopularConfig, popularity.fit_popular, popularity.restore_popular),
    "item2vec": Baseline(item2vec.Item2VecConfig, item2vec.fit_item2vec, item2vec.restore_item2vec),
    "als": Baseline(factors.AlsConfig, factors.fit_als, factors.restore_als),
    "bpr": Baseline(factors.BprConfig, factors.fit_bpr, factors.restore_bpr),
    "ease": Baseline(ease.EaseConfig, ease.fit_ease, ease.restore_ease),
    "tfidf": Baseline(content.TfidfConfig, content.fit_tfidf, content.restore_tfidf),
    "content": Baseline(content.ContentConfig, content.fit_content, content.restore_content, True, True),
    "hybrid": Baseline(hybrid.HybridConfig, hybrid.fit_hybrid, hybrid.restore_hybrid, True, True),
    "two_tower": Baseline(
        two_tower.TwoTowerConfig,
        two_tower.fit_two_tower,
        two_tower.restore_two_tower,
        uses_embeddings=True,
        tells_epochs=True,
    ),
    "sequence": Baseline(sequence.SequenceConfig, sequence.fit_sequence, sequence.restore_sequence, tells_epochs=True),
}
