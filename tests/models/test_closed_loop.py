"""Recommenders in the closed loop: what they log, what they learn from, and that learning pays."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pytest
import torch
from torch import Tensor

from models import rewards
from models.closed_loop import SLATE_SIZE, best_first, live, texts_of
from models.loop_recommenders import (
    Learner,
    Log,
    MyopicOracle,
    Popular,
    Random,
    Scorer,
    newborn,
)
from models.policy import PolicyConfig
from models.rewards import Rewards
from models.simulated_loop import LoopRequest
from models.simulated_world import World, make_world
from models.states import Catalogue, StateBatch
from models.train import TrainConfig
from openshelf.contracts import Action

DAYS, SEED = 4, 5
TRAINING = TrainConfig(learning_rate=1e-2, epochs=1, old_slates=200)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(150, 8, SEED, text_noise=0.05, days=DAYS)


@pytest.fixture(scope="module")
def table() -> Rewards:
    return rewards.load()


@dataclass
class Watched:
    """Passes another scorer on and keeps what it was told."""

    inner: Scorer
    is_greedy: bool = False
    explore: float = 0.0
    catalogues: dict[int, Catalogue] = field(default_factory=dict)
    known_at_first: dict[str, list[tuple[int | None, str, datetime]]] = field(default_factory=dict)
    log: Log = field(default_factory=Log)

    def learn(self, log: Log, catalogue: Catalogue, day: int) -> None:
        if day == 0:
            self.known_at_first = {
                key: [(act.book_id, act.action, act.occurred_at) for act in acts] for key, acts in log.acts.items()
            }
        self.catalogues[day], self.log = catalogue, log
        self.inner.learn(log, catalogue, day)

    def logits(self, requests: Sequence[LoopRequest], batch: StateBatch, catalogue: Catalogue, log: Log) -> Tensor:
        return self.inner.logits(requests, batch, catalogue, log)


def watch(world: World, table: Rewards, inner: Scorer, count_readers: int = 40) -> Watched:
    watched = Watched(inner, inner.is_greedy, inner.explore)
    texts = texts_of(world, SEED)
    live(world, watched, texts, days=DAYS, seed=SEED, rewards=table, count_readers=count_readers, days_before=7)
    return watched


def learner(world: World, *, imitates: bool = False) -> Learner:
    policy = newborn(texts_of(world, SEED), PolicyConfig(dim=16, hidden=16), SEED)
    return Learner(policy, TRAINING, SEED, imitates=imitates)


def test_the_best_come_first_and_are_certain_without_exploring() -> None:
    logits, allowed = torch.tensor([0.1, 3.0, 2.0, 9.0]), torch.tensor([True, True, True, False])

    rows, propensities = best_first(logits, allowed, 0.0, np.random.default_rng(0))

    assert rows == [1, 2, 0]
    assert propensities == [1.0, 1.0, 1.0]


def test_exploring_places_come_as_often_as_their_logged_probability_says() -> None:
    logits, allowed, rng = torch.tensor([0.0, 1.0, 2.0, 3.0]), torch.ones(4, dtype=torch.bool), np.random.default_rng(0)

    slates = [best_first(logits, allowed, 0.4, rng) for _ in range(4_000)]

    by_first = {rows[0]: propensities[0] for rows, propensities in slates}
    assert by_first == pytest.approx({0: 0.1, 1: 0.1, 2: 0.1, 3: 0.7})
    seen = np.bincount([rows[0] for rows, _ in slates], minlength=4) / len(slates)
    assert seen == pytest.approx([0.1, 0.1, 0.1, 0.7], abs=0.03)
    assert sum(1 / propensities[0] for _, propensities in slates) / len(slates) == pytest.approx(4, abs=0.3)


def test_slates_hold_works_that_are_there_and_not_met_with_their_probabilities(world: World, table: Rewards) -> None:
    watched = watch(world, table, learner(world))

    first_day = min(slate.created_at for slate in watched.log.slates).date()
    for slate in watched.log.slates:
        there = set(watched.catalogues[(slate.created_at.date() - first_day).days].book_ids.tolist())
        met = {
            act.book_id
            for act in watched.log.acts[slate.reader_key]
            if act.action in (Action.OPEN, Action.HIDE) and act.occurred_at < slate.created_at
        }
        assert len(set(slate.book_ids)) == len(slate.book_ids) == SLATE_SIZE
        assert set(slate.book_ids) <= there - met
        assert all(0 < propensity <= 1 for propensity in slate.propensities)


def test_before_the_first_slate_every_recommender_knows_the_same_of_the_same_readers(
    world: World, table: Rewards
) -> None:
    by_chance, popular = watch(world, table, Random()), watch(world, table, Popular())

    assert by_chance.known_at_first == popular.known_at_first
    assert sum(map(len, by_chance.known_at_first.values())) > 40
    assert all(slate_id is None for slate_id in _slates_of(by_chance.log, before=by_chance.log.slates[0].created_at))


def _slates_of(log: Log, before: datetime) -> list[object]:
    return [act.slate_id for acts in log.acts.values() for act in acts if act.occurred_at < before]


def test_a_learner_goes_on_each_morning_from_what_it_was_and_meets_the_new_works(world: World, table: Rewards) -> None:
    inner = learner(world)

    watched = watch(world, table, inner)

    assert len(watched.catalogues[DAYS - 1].book_ids) > len(watched.catalogues[0].book_ids)
    assert inner.policy.known_ids.tolist() == watched.catalogues[DAYS - 1].book_ids.tolist()
    steps = {name: value for name, value in inner.moments.items() if name == "start.step"}
    alone = learner(world)
    alone.learn(watched.log, watched.catalogues[DAYS - 1], DAYS - 1)
    assert steps["start.step"] > alone.moments["start.step"]


def test_an_imitator_wants_every_open_alike_and_a_learner_what_was_worth_it(world: World, table: Rewards) -> None:
    log, catalogue = (watched := watch(world, table, Random())).log, watched.catalogues[DAYS - 1]

    imitated = learner(world, imitates=True)._episodes(log, catalogue, DAYS).targets
    learned = learner(world)._episodes(log, catalogue, DAYS).targets

    opened = {(key, act.book_id) for key, acts in log.acts.items() for act in acts if act.action == Action.OPEN}
    assert len(imitated) == len(opened)
    assert set(imitated.weights.tolist()) == {1.0}
    assert len(learned) < len(imitated)
    assert learned.weights.max() > 2


def test_texts_are_as_near_to_each_other_as_the_features_they_are_made_of(world: World) -> None:
    texts = texts_of(world, SEED)

    unit = world.features / np.linalg.norm(world.features, axis=1, keepdims=True)
    assert texts @ texts.T == pytest.approx(unit @ unit.T, abs=1e-5)


def test_the_same_seed_gives_the_same_rewards(world: World, table: Rewards) -> None:
    texts = texts_of(world, SEED)

    def lived() -> list[float]:
        result = live(world, learner(world), texts, days=2, seed=1, rewards=table, count_readers=15, days_before=3)
        return result.tolist()

    assert lived() == lived()


def test_the_learning_policy_earns_more_than_chance_and_popularity(table: Rewards) -> None:
    lead = []
    for seed in range(5):
        world = make_world(150, 8, seed, text_noise=0.05, days=DAYS)
        texts = texts_of(world, seed)
        policy = newborn(texts, PolicyConfig(dim=16, hidden=16), seed)
        learned, by_chance, popular = (
            live(world, scorer, texts, days=DAYS, seed=seed, rewards=table, count_readers=50, days_before=7)
            for scorer in (Learner(policy, TRAINING, seed), Random(), Popular())
        )
        lead.append(learned.sum() - max(by_chance.sum(), popular.sum()))

    # 95 % interval of five pairs: t = 2.78
    assert np.mean(lead) - 2.78 * np.std(lead, ddof=1) / np.sqrt(5) > 0


def test_the_oracle_that_knows_the_readers_earns_more_than_twice_what_is_popular(world: World, table: Rewards) -> None:
    texts = texts_of(world, SEED)

    known, popular = (
        live(world, scorer, texts, days=DAYS, seed=SEED, rewards=table, count_readers=40).sum()
        for scorer in (MyopicOracle(world, table), Popular())
    )

    assert known > 2 * popular
