"""The policy as one ranker among others: trained from scratch on a data set, by the product's own trainer.

A data set holds no slates, so only the supervised term and the memory learn; on the warehouse the same class goes on to
learn from its slates (`models.runs`).
"""

from dataclasses import asdict, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.adapter import principal_directions
from models.baselines.roster import Baseline
from models.dataset import reader_batch
from models.episodes import Episodes, Examples, Histories, SlateExamples, TargetExamples
from models.memory_fit import fit_memory
from models.policy import Policy, PolicyConfig
from models.ranking_data import RankingData, ReaderBatch
from models.states import ACTION_INDEX, MAX_ACTS, MAX_MET, Catalogue, StateBatch, gap_bucket
from models.train import TrainConfig, fit
from openshelf.contracts import Action
from openshelf.errors import ModelError

_ACT = ACTION_INDEX[Action.READ]
# By the last acts of so many readers it is decided how much network and prior say beside the memory.
WEIGHED_READERS = 1_000
# (of the network, of the prior): what each is scaled by.
PART_SCALES = [(network, prior) for network in (1.0, 0.5, 0.2, 0.05) for prior in (1.0, 0.5, 0.0, -0.2)]
TOP = 10


class PolicyRanker:
    kind = "policy"

    def __init__(self, policy: Policy, catalogue: Catalogue) -> None:
        self.policy, self._catalogue = policy.eval(), catalogue
        with torch.inference_mode():
            self._items = policy.items(catalogue)

    def scores(self, batch: ReaderBatch) -> np.ndarray:
        with torch.inference_mode():
            return self.policy.rank(self._items, states_of(batch)).numpy()

    def tensors(self) -> dict[str, Tensor]:
        weights = {f"policy.{name}": tensor.contiguous() for name, tensor in self.policy.state_dict().items()}
        config = torch.tensor([float(value) for value in asdict(self.policy.config).values()], dtype=torch.float64)
        return weights | {
            "config": config,
            "book_ids": torch.from_numpy(self._catalogue.book_ids),
            "texts": torch.from_numpy(self._catalogue.texts),
            "prior": torch.from_numpy(self._catalogue.prior),
        }


def restore_policy(tensors: dict[str, Tensor]) -> PolicyRanker:
    plain = asdict(PolicyConfig())
    values = zip(plain.items(), tensors["config"].tolist(), strict=True)
    config = replace(PolicyConfig(), **{name: type(default)(value) for (name, default), value in values})
    weights = {name.removeprefix("policy."): t for name, t in tensors.items() if name.startswith("policy.")}
    catalogue = Catalogue(tensors["book_ids"].numpy(), tensors["texts"].numpy(), tensors["prior"].numpy())
    return PolicyRanker(Policy.restored(config, weights), catalogue)


def fit_policy(data: RankingData, config: TrainConfig, seed: int) -> PolicyRanker:
    """Learn from all acts but the last of some readers; weigh the parts by those; then remember them too.

    Raises:
        ModelError: there is nothing to learn from, or the loss is no longer finite.
    """
    if not len(data.rows):
        raise ModelError(f"{data.name} holds no acts: there is nothing to learn from")
    data = data if data.times is not None else shuffled(data, seed)
    is_held = held_back(data, seed)
    known = _taken(data, ~is_held)
    catalogue, episodes = catalogue_of(known), episodes_of(known)
    dim = min(PolicyConfig().dim, len(data.book_ids))
    torch.manual_seed(seed)
    book_ids = torch.from_numpy(catalogue.book_ids)
    policy = Policy(PolicyConfig(dim=dim), principal_directions(catalogue.texts, dim), book_ids)
    if not episodes.histories.is_ordered:
        policy.forget_order()
    policy = fit(policy, episodes, catalogue, config, seed).policy
    if is_held.any():
        weigh_parts(policy, catalogue, known, data.readers[is_held], data.rows[is_held])
        policy.remembering(fit_memory(episodes_of(data), len(catalogue.book_ids), config), catalogue)
    return PolicyRanker(policy, catalogue_of(data))


def held_back(data: RankingData, seed: int) -> np.ndarray:
    """(a,) bool: the last act of some readers who have three at least."""
    readers = np.flatnonzero(np.diff(data.spans) >= 3)
    if len(readers) > WEIGHED_READERS:
        readers = np.random.default_rng(seed).choice(readers, WEIGHED_READERS, replace=False)
    is_held = np.zeros(len(data.rows), dtype=bool)
    is_held[data.spans[readers + 1] - 1] = True
    return is_held


def weigh_parts(
    policy: Policy, catalogue: Catalogue, known: RankingData, readers: np.ndarray, targets: np.ndarray
) -> None:
    """Scale what network and prior say beside the memory so that the targets (rows) of these readers rank best.

    The likelihood that training climbs is made by works that nobody could foresee, for which popularity is all there
    is; the top of a list is not. NDCG@10 decides; of equals, what training found stays.
    """
    gains = np.zeros((len(PART_SCALES), len(readers)))
    length = int(np.diff(known.spans).max())
    with torch.inference_mode():
        items = policy.items(catalogue)
        prior = policy.prior_weight * torch.from_numpy(catalogue.prior)
        for first in range(0, len(readers), 256):
            chosen = np.arange(first, min(first + 256, len(readers)))
            batch = states_of(reader_batch(known, readers[chosen], length))
            remembered = policy.remembered(items, batch)
            said = policy.encode(items, batch) @ items.vectors.T * policy.log_sharpness.exp() + items.bias - prior
            met = torch.from_numpy(batch.met)
            met = torch.where(met < 0, said.shape[1], met)
            rows = torch.from_numpy(targets[chosen])[:, None]
            for i, (network, popular) in enumerate(PART_SCALES):
                scores = remembered + network * said + popular * prior
                scores = functional.pad(scores, (0, 1)).scatter(1, met, -torch.inf)[:, :-1]
                above = (scores > scores.gather(1, rows)).sum(1).numpy()
                gains[i, chosen] = np.where(above < TOP, 1 / np.log2(above + 2.0), 0.0)
    network, popular = PART_SCALES[int(gains.mean(1).argmax())]
    with torch.no_grad():
        policy.log_sharpness.add_(float(np.log(network)))
        policy.residual_bias.mul_(network)
        policy.prior_weight.mul_(popular)


def shuffled(data: RankingData, seed: int) -> RankingData:
    """The acts of each reader in an order that says nothing: the order of a file may, and would be learned."""
    order = np.lexsort((np.random.default_rng(seed).random(len(data.rows)), data.readers))
    return replace(data, rows=data.rows[order], values=data.values[order])


def _taken(data: RankingData, chosen: np.ndarray) -> RankingData:
    times = None if data.times is None else data.times[chosen]
    return replace(data, readers=data.readers[chosen], rows=data.rows[chosen], values=data.values[chosen], times=times)


def catalogue_of(data: RankingData) -> Catalogue:
    texts = data.text_embeddings().astype(np.float32)
    # Ranked without a text too, as something like everything else: here acts speak for a work, not only content.
    texts[~texts.any(axis=1)] = texts.shape[1] ** -0.5
    counts = np.log1p(np.bincount(data.rows, minlength=data.count_works))
    return Catalogue(data.book_ids, texts, (counts / max(counts.max(initial=0.0), 1.0)).astype(np.float32))


def episodes_of(data: RankingData) -> Episodes:
    """Every act is a target, seen from the acts of its reader before it."""
    count = len(data.rows)
    times = data.times if data.times is not None else np.zeros(count)
    histories = Histories(
        data.rows,
        np.full(count, _ACT),
        data.values.astype(np.float32),
        times,
        data.readers,
        is_ordered=data.times is not None,
    )
    at = Examples(data.spans[data.readers], np.arange(count), times, data.readers)
    targets = TargetExamples(at, data.rows, np.ones(count, dtype=np.float32), np.ones(count, dtype=bool))
    none = np.empty(0, dtype=np.int64)
    floats = np.empty((0, 1), dtype=np.float32)
    slates = SlateExamples(
        Examples(none, none, none.astype(float), none), none[:, None], floats, floats, floats, floats.astype(bool)
    )
    return Episodes(histories, slates, targets)


def states_of(batch: ReaderBatch) -> StateBatch:
    """Readers as they are when they come back: now is the time of their last act."""
    rows, rewards = batch.rows[:, -MAX_ACTS:], batch.values[:, -MAX_ACTS:]
    present = rows >= 0
    gaps = np.zeros(rows.shape, dtype=np.int64)
    if batch.times is not None and rows.size:
        gaps = np.where(present, gap_bucket(batch.times[:, -1:] - batch.times[:, -MAX_ACTS:]), 0)
    actions = np.where(present, _ACT, 0)
    return StateBatch(rows, actions, rewards.astype(np.float32), gaps, present, batch.rows[:, -MAX_MET:])


POLICY = Baseline(TrainConfig, fit_policy, restore_policy, uses_embeddings=True)
