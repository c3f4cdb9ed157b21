"""The recommenders of the closed loop: each learns from what it logged itself and from nothing else.

`Learner` is the product's own path: `episodes.build`, warm-started `train.fit`, new slates and a seeded sample of old.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.episodes import Episodes, build
from models.policy import Policy, PolicyConfig
from models.rewards import Rewards
from models.simulated_loop import LoopRequest
from models.simulated_world import Floats, World
from models.simulator import expected_reward
from models.states import TEXT_DIM, Act, Catalogue, StateBatch
from models.train import TrainConfig, fit, grown_moments
from openshelf.contracts import Action
from openshelf.database.episodes import SeenSlate, StoredAct

FIRST_DAY = datetime(2026, 3, 2, tzinfo=UTC)


@dataclass
class Log:
    """What one recommender has recorded of its readers: all that it may learn from."""

    slates: list[SeenSlate] = field(default_factory=list)
    acts: dict[str, list[StoredAct]] = field(default_factory=dict)  # reader_key -> in order of time, shows included
    histories: dict[int, list[Act]] = field(default_factory=dict)  # reader -> the same without shows


class Scorer(Protocol):
    is_greedy: bool
    explore: float

    def learn(self, log: Log, catalogue: Catalogue, day: int) -> None:
        """A day begins; `catalogue` are the works there are by now."""
        ...

    def logits(self, requests: Sequence[LoopRequest], batch: StateBatch, catalogue: Catalogue, log: Log) -> Tensor:
        """(B, n) over the catalogue, higher is better."""
        ...


@dataclass
class Random:
    is_greedy: bool = False
    explore: float = 0.0

    def learn(self, log: Log, catalogue: Catalogue, day: int) -> None:
        pass

    def logits(self, requests: Sequence[LoopRequest], batch: StateBatch, catalogue: Catalogue, log: Log) -> Tensor:
        return torch.zeros(len(requests), len(catalogue.book_ids))


@dataclass
class Popular:
    """The works opened most so far, to the minute."""

    is_greedy: bool = True
    explore: float = 0.0

    def learn(self, log: Log, catalogue: Catalogue, day: int) -> None:
        pass

    def logits(self, requests: Sequence[LoopRequest], batch: StateBatch, catalogue: Catalogue, log: Log) -> Tensor:
        opened = [act.book_id for acts in log.histories.values() for act in acts if act.action is Action.OPEN]
        rows = catalogue.rows(np.array(opened, dtype=np.int64))
        counts = np.bincount(rows, minlength=len(catalogue.book_ids)).astype(np.float32)
        return torch.from_numpy(counts).expand(len(requests), -1)


@dataclass
class NearestContent:
    """The works whose texts are nearest to the mean text of what the reader was glad of; popular before that."""

    is_greedy: bool = True
    explore: float = 0.0
    _popular: Popular = field(default_factory=Popular)

    def learn(self, log: Log, catalogue: Catalogue, day: int) -> None:
        pass

    def logits(self, requests: Sequence[LoopRequest], batch: StateBatch, catalogue: Catalogue, log: Log) -> Tensor:
        texts = torch.from_numpy(catalogue.texts)
        rows = torch.from_numpy(batch.rows)
        weight = torch.from_numpy(np.maximum(batch.rewards, 0)) * (rows >= 0)
        wanted = (weight[..., None] * texts[rows.clamp(min=0)]).sum(1)
        popular = self._popular.logits(requests, batch, catalogue, log)
        return torch.where(weight.sum(1, keepdim=True) > 0, wanted @ texts.T, popular)


@dataclass
class MyopicOracle:
    """Knows readers and works as they are, and ranks by the mean reward of the next place."""

    world: World
    rewards: Rewards
    is_greedy: bool = True
    explore: float = 0.0

    def learn(self, log: Log, catalogue: Catalogue, day: int) -> None:
        pass

    def logits(self, requests: Sequence[LoopRequest], batch: StateBatch, catalogue: Catalogue, log: Log) -> Tensor:
        works = np.searchsorted(self.world.book_ids, catalogue.book_ids)
        expected = [expected_reward(self.world, request.reader, works, self.rewards) for request in requests]
        return torch.from_numpy(np.array(expected, dtype=np.float32))


@dataclass
class Learner:
    """The policy, trained every morning from its own log as the product trains it."""

    policy: Policy
    config: TrainConfig
    seed: int
    is_greedy: bool = False
    explore: float = 0.05
    imitates: bool = False
    """Learns to expect every open alike and nothing else: no rewards, no logged slates."""
    moments: dict[str, Tensor] = field(default_factory=dict)
    learned_until: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    """Slates and acts until then have been seen by a training run."""

    def learn(self, log: Log, catalogue: Catalogue, day: int) -> None:
        now = FIRST_DAY + timedelta(days=day)
        if not any(log.acts.values()):
            return
        old_ids = self.policy.known_ids.numpy()
        student = self.policy.grown(catalogue.book_ids)
        moments = grown_moments(self.moments, old_ids, student.known_ids.numpy())
        episodes = self._episodes(log, catalogue, day)
        fitted = fit(student, episodes, catalogue, self.config, self.seed * 1_000 + day, moments)
        self.policy, self.moments, self.learned_until = fitted.policy, fitted.optimiser, now

    def _episodes(self, log: Log, catalogue: Catalogue, day: int) -> Episodes:
        """All slates and targets since the last training, and a seeded sample of those before it."""
        generator = np.random.default_rng([self.seed, day])
        acts = [act for key in sorted(log.acts) for act in log.acts[key]]
        if self.imitates:
            opens = [replace(act, reward=float(act.action == Action.OPEN)) for act in acts]
            episodes = replace(build([], acts, catalogue, 0.0), targets=build([], opens, catalogue, 0.0).targets)
        else:
            chosen = self._chosen(np.array([slate.created_at.timestamp() for slate in log.slates]), generator)
            episodes = build([log.slates[i] for i in chosen], acts, catalogue, self.config.gamma)
        targets = episodes.targets
        return replace(episodes, targets=targets.take(self._chosen(targets.at.now, generator)))

    def _chosen(self, times: Floats, generator: np.random.Generator) -> NDArray[np.int64]:
        is_new = times >= self.learned_until.timestamp()
        old = generator.permutation(np.flatnonzero(~is_new))[: self.config.old_slates]
        return np.sort(np.concatenate([old, np.flatnonzero(is_new)]))

    def logits(self, requests: Sequence[LoopRequest], batch: StateBatch, catalogue: Catalogue, log: Log) -> Tensor:
        items = self.policy.items(catalogue)
        return self.policy.rank(items, batch)


def newborn(texts: NDArray[np.float32], config: PolicyConfig, seed: int) -> Policy:
    """A policy that has learned nothing; its adapter keeps the principal directions of these texts."""
    torch.manual_seed(seed)
    directions = np.linalg.svd(texts, full_matrices=False)[2][: config.dim]
    adapter = np.zeros((config.dim, TEXT_DIM), dtype=np.float32)
    adapter[: len(directions)] = directions
    return Policy(config, torch.from_numpy(adapter), torch.empty(0, dtype=torch.int64)).eval()
