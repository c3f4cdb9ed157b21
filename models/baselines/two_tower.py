"""Two towers: a reader's and a work's vector, each from ids, features and content; their dot product is the score.

reader: id + features + how many acts + mean of the works met   --tower--> (B, d)
work:   id + features + text embedding                          --tower--> (n, d), and a bias

A term that is unknown (a stranger's id, a missing age) is zero, so nobody is out of reach. While training, half of
a reader's works are known and the other half to be guessed, and ids are forgotten now and then.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.baselines.histories import (
    act_weights,
    acts_matrix,
    popular_for_strangers,
    popularity,
    require_acts,
    weighted_mean,
)
from models.baselines.towers import Features, TwoTowerConfig, TwoTowerNet
from models.ranking_data import RankingData, ReaderBatch


def act_weights_of(counts: Tensor, sample_weight: str) -> Tensor:
    """(a,) how much each act counts in the loss, 1 on average, from how many its reader left."""
    if sample_weight == "none":
        return torch.ones(len(counts))
    weights = torch.log1p(counts.float())
    return weights / weights.mean()


def loss_of(
    right: Tensor, owner: Tensor, wrong: Tensor, share: Tensor, weights: Tensor, config: TwoTowerConfig
) -> Tensor:
    """Weighted mean over acts: the scores (a,) of what was met against 1, those (R, N) of what was drawn against 0.

    `owner` (a,): which of the R readers each act is of. `share` (R, N): how much each work drawn counts, 0 where the
    reader met it after all.
    """
    if config.loss == "bce":
        near, far = functional.softplus(-right), functional.softplus(wrong)
    else:
        near, far = (right - 1) ** 2, wrong**2
    drawn = (far * share).sum(1) / share.sum(1).clamp(min=1e-6)
    return (weights * (near + config.negatives_weight * drawn[owner])).mean()


class TwoTowerRanker:
    kind = "two_tower"

    def __init__(
        self, book_ids: np.ndarray, net: TwoTowerNet, vectors: Tensor, popular: np.ndarray, half_life_acts: float
    ) -> None:
        self._book_ids = book_ids
        self._net = net.eval()
        self._vectors = vectors  # (n, d)
        self._popular = popular
        self._half_life_acts = half_life_acts

    @torch.no_grad()
    def scores(self, batch: ReaderBatch) -> np.ndarray:
        is_act = batch.rows >= 0
        counts = torch.from_numpy(is_act.sum(axis=1))
        weights = act_weights(batch, self._half_life_acts, use_values=False)
        mean = torch.from_numpy(weighted_mean(batch, weights, self._net.met.weight[1:].numpy()))
        readers = self._net.reader_vectors(torch.from_numpy(batch.numbers.astype(np.int64)), mean, counts)
        scores = (readers @ self._vectors.T + self._net.bias).numpy()
        return popular_for_strangers(scores, (batch.numbers >= 0) | is_act.any(axis=1), self._popular)

    def tensors(self) -> dict[str, Tensor]:
        net = {f"net.{name}": tensor.detach().contiguous() for name, tensor in self._net.state_dict().items()}
        return net | {
            "book_ids": torch.from_numpy(self._book_ids),
            "vectors": self._vectors,
            "popular": torch.from_numpy(self._popular),
            "half_life_acts": torch.tensor(self._half_life_acts, dtype=torch.float64),
        }


def fit_two_tower(
    data: RankingData,
    config: TwoTowerConfig,
    seed: int,
    on_epoch: Callable[[int, dict[str, float]], None] | None = None,
) -> TwoTowerRanker:
    """The same seed gives the same model, with one torch thread. Without text embeddings the ids have to do."""
    require_acts(data, "two_tower")
    reader_features = Features.read(dict(data.reader_features), data.count_readers)
    work_features = Features.read(dict(data.work_features), data.count_works)
    texts = torch.from_numpy(data.text_embeddings())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = TwoTowerNet(
            config,
            torch.from_numpy(reader_features.codes),
            torch.from_numpy(work_features.codes),
            (reader_features.count, work_features.count),
            texts.shape[1],
        )
        _train(net, data, texts, config, np.random.default_rng(seed), on_epoch)
    with torch.no_grad():
        vectors = net.eval().work_vectors(torch.arange(data.count_works), texts)
    return TwoTowerRanker(data.book_ids, net, vectors, popularity(data), config.half_life_acts)


def restore_two_tower(tensors: dict[str, Tensor]) -> TwoTowerRanker:
    state = {name.removeprefix("net."): tensor for name, tensor in tensors.items() if name.startswith("net.")}
    weights = [name for name in state if name.startswith("reader_tower.layers") and name.endswith("weight")]
    weights.sort(key=lambda name: int(name.split(".")[2]))  # stored tensors come back in any order
    config = TwoTowerConfig(
        dim=state["works.weight"].shape[1],
        layers=max(len(weights) - 1, 0),
        hidden=len(state[weights[0]]) if len(weights) > 1 else 1,
    )
    counts = (len(state["reader_features.weight"]), len(state["work_features.weight"]))
    net = TwoTowerNet(config, state["reader_codes"], state["work_codes"], counts, state["text.weight"].shape[1])
    net.load_state_dict(state)
    half_life_acts = float(tensors["half_life_acts"])
    return TwoTowerRanker(
        tensors["book_ids"].numpy(), net, tensors["vectors"], tensors["popular"].numpy(), half_life_acts
    )


@dataclass(frozen=True)
class _Step:
    """A few readers and all their acts."""

    readers: Tensor  # (R,)
    owner: Tensor  # (P,) which of them each act is of
    rows: Tensor  # (P,)
    weights: Tensor  # (P,)
    drawn: Tensor  # (N,) rows drawn as not met
    share: Tensor  # (R, N) how much they count, so that all works count alike; 0 where met after all


def _train(
    net: TwoTowerNet,
    data: RankingData,
    texts: Tensor,
    config: TwoTowerConfig,
    generator: np.random.Generator,
    on_epoch: Callable[[int, dict[str, float]], None] | None,
) -> None:
    if config.loss == "bce":
        # Where each work's bias would end if all readers were alike; far from zero for popular works.
        met = np.bincount(data.rows, minlength=data.count_works) + 0.5
        odds = met / data.count_readers * data.count_works / config.negatives_weight
        net.bias.data = torch.from_numpy(np.log(odds)).float()
    optimiser = torch.optim.AdamW(net.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda epoch: 1 - epoch / (config.epochs + 1))
    for epoch in range(config.epochs):
        losses = []
        net.train()
        for step in _steps(data, config, generator):
            loss = _step_loss(net, step, texts, config)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        schedule.step()
        if on_epoch:
            on_epoch(epoch, {f"loss/{config.loss}": float(np.mean(losses))})


def _steps(data: RankingData, config: TwoTowerConfig, generator: np.random.Generator) -> Iterator[_Step]:
    """One pass over the readers in a new order."""
    acts, spans = acts_matrix(data, use_values=False), data.spans
    counts = np.diff(spans)
    weights = act_weights_of(torch.from_numpy(counts[data.readers]), config.sample_weight)
    frequency = np.bincount(data.rows, minlength=data.count_works).astype(np.float64)
    # A work never met can be drawn too, or nothing would hold its score down.
    weight = frequency.clip(min=0.5) ** config.negatives_power
    cumulated = np.cumsum(weight)
    order = generator.permutation(np.flatnonzero(counts))
    for readers in np.split(order, np.flatnonzero(np.diff(np.cumsum(counts[order]) // config.batch)) + 1):
        places = np.concatenate([np.arange(*spans[reader : reader + 2].tolist()) for reader in readers.tolist()])
        drawn = np.searchsorted(cumulated, generator.random(config.negatives) * cumulated[-1])
        drawn = drawn.clip(max=data.count_works - 1)
        yield _Step(
            readers=torch.from_numpy(readers),
            owner=torch.from_numpy(np.repeat(np.arange(len(readers)), counts[readers])),
            rows=torch.from_numpy(data.rows[places]),
            weights=weights[torch.from_numpy(places)],
            drawn=torch.from_numpy(drawn),
            share=torch.from_numpy(((acts[readers][:, drawn].toarray() == 0) / weight[drawn]).astype(np.float32)),
        )


def _step_loss(net: TwoTowerNet, step: _Step, texts: Tensor, config: TwoTowerConfig) -> Tensor:
    # Half of each history is known and the other half to be guessed. (To leave out only the work that is guessed would
    # tell it: what the reader's own vector knows and the mean lacks.)
    is_given = torch.rand(len(step.rows)) < 0.5
    count = len(step.readers)
    counts = torch.bincount(step.owner[is_given], minlength=count)
    total = torch.zeros(count, config.dim).index_add(0, step.owner[is_given], net.met(step.rows[is_given] + 1))
    readers = net.reader_vectors(step.readers, total / counts.clamp(min=1)[:, None], 2 * counts)  # (R, d)
    owner, rows = step.owner[~is_given], step.rows[~is_given]
    if not len(rows):
        return readers.sum() * 0
    right = (readers[owner] * net.work_vectors(rows, texts[rows])).sum(1) + net.bias[rows]
    wrong = readers @ net.work_vectors(step.drawn, texts[step.drawn]).T + net.bias[step.drawn]  # (R, N)
    return loss_of(right, owner, wrong, step.share, step.weights[~is_given], config)
