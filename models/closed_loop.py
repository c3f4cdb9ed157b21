"""Recommenders live with simulated readers: slates are drawn and logged with exact propensities, then learned from.

world --run_closed_loop--> requests --Scorer--> logits (B, n) --draw--> slates, logged with exact propensities
                              ^                                                    |
                              '------- each morning, `learn` from the log ---------'
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.loop_recommenders import FIRST_DAY, Log, Scorer
from models.plackett_luce import draw, slate_noise
from models.rewards import Rewards
from models.simulated_loop import LoopRequest, run_closed_loop
from models.simulated_world import Floats, World
from models.simulator import Answer, reward_of
from models.states import TEXT_DIM, Act, Catalogue, state_batch
from openshelf.contracts import Action
from openshelf.database.episodes import SeenSlate, StoredAct

SLATE_SIZE = 12
BETWEEN_SLATES = timedelta(minutes=15)
# Sessions are numbered by day; this keeps the numbers of the days before the first slate above zero.
_DAYS_BEFORE_AT_MOST = 1_000


@dataclass
class _Loop:
    """Carries slates from a scorer to the readers, and what they did to the log."""

    world: World
    texts: NDArray[np.float32]
    scorer: Scorer
    rewards: Rewards
    log: Log = field(default_factory=Log)
    day: int = -1
    count_rounds: int = 0
    catalogue: Catalogue | None = None
    propensities: list[list[float]] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        return FIRST_DAY + timedelta(days=self.day) + self.count_rounds * BETWEEN_SLATES

    def recommend(
        self, world: World, requests: Sequence[LoopRequest], rng: np.random.Generator
    ) -> list[NDArray[np.int64]]:
        self.count_rounds += 1
        if self.catalogue is None or requests[0].day != self.day:
            self._begin_day(requests[0].day)
        catalogue = self.catalogue
        assert catalogue is not None  # a day has begun
        works = np.searchsorted(world.book_ids, catalogue.book_ids)
        allowed = torch.from_numpy(_masks(len(world), [request.allowed for request in requests])[:, works])
        histories = [self.log.histories.get(request.number, []) for request in requests]
        batch = state_batch(histories, [self.now] * len(requests), catalogue)
        with torch.inference_mode():
            logits = self.scorer.logits(requests, batch, catalogue, self.log)
            if self.scorer.is_greedy:
                best = [best_first(*pair, self.scorer.explore, rng) for pair in zip(logits, allowed, strict=True)]
                self.propensities = [propensities for _, propensities in best]
                return [works[rows] for rows, _ in best]
            noise = slate_noise(rng.integers(2**62, size=len(requests)).tolist(), SLATE_SIZE)
            drawn = draw(logits, allowed, SLATE_SIZE, explore=self.scorer.explore, noise=noise)
        self.propensities = drawn.propensity.tolist()
        return [works[rows[rows >= 0].numpy()] for rows in drawn.rows]

    def _begin_day(self, day: int) -> None:
        self.day, self.count_rounds = day, 1
        there = np.flatnonzero(self.world.added_day <= day)
        book_ids = self.world.book_ids[there]
        self.catalogue = Catalogue(book_ids, self.texts[there], _prior(self.log, book_ids))
        self.scorer.learn(self.log, self.catalogue, day)

    def on_errand(self, number: int, day: int, answers: list[Answer]) -> None:
        if day != self.day:
            self.day, self.count_rounds, self.catalogue = day, 0, None
        session_id = UUID(int=number << 32 | day + _DAYS_BEFORE_AT_MOST)
        self._keep(number, session_id, None, self.now + BETWEEN_SLATES / 2, answers)

    def on_answers(
        self,
        requests: Sequence[LoopRequest],
        slates: Sequence[NDArray[np.int64]],
        answers: Sequence[list[Answer]],
    ) -> None:
        for request, slate, propensity, given in zip(requests, slates, self.propensities, answers, strict=True):
            slate_id = UUID(int=len(self.log.slates) + 1)
            session_id = UUID(int=request.number << 32 | self.day + _DAYS_BEFORE_AT_MOST)
            books = self.world.book_ids[slate].tolist()
            shown = SeenSlate(
                slate_id, _key(request.number), session_id, self.now, self.now, books, propensity[: len(books)]
            )
            self.log.slates.append(shown)
            self._keep(request.number, session_id, slate_id, self.now, given)

    def _keep(
        self, number: int, session_id: UUID, slate_id: UUID | None, since: datetime, answers: Sequence[Answer]
    ) -> None:
        key = _key(number)
        acts, history = self.log.acts.setdefault(key, []), self.log.histories.setdefault(number, [])
        for seconds, answer in enumerate(answers, 1):
            at, book_id = since + timedelta(seconds=seconds), int(self.world.book_ids[answer.work])
            reward = reward_of(answer, self.rewards)
            acts.append(StoredAct(key, session_id, at, answer.action.value, book_id, slate_id, reward))
            if answer.action is not Action.SHOW:
                history.append(Act(book_id, answer.action, reward, at))


def _key(number: int) -> str:
    return f"r_{number:05d}"


def live(
    world: World,
    scorer: Scorer,
    texts: NDArray[np.float32],
    *,
    days: int,
    seed: int,
    rewards: Rewards,
    count_readers: int,
    days_before: int = 0,
) -> Floats:
    """(days,): summed reward while readers live with a recommender; the same seed gives each the same readers."""
    loop = _Loop(world, texts, scorer, rewards)
    return run_closed_loop(
        world,
        loop.recommend,
        days,
        seed,
        rewards=rewards,
        count_readers=count_readers,
        on_answers=loop.on_answers,
        on_errand=loop.on_errand,
        days_before=days_before,
    )


def texts_of(world: World, seed: int) -> NDArray[np.float32]:
    """(n, 384): `features`, seeded and rotated into the space of text embeddings; of length 1."""
    rng = np.random.default_rng([seed, 6])
    rotation = np.linalg.qr(rng.normal(size=(TEXT_DIM, world.features.shape[1])))[0].T
    texts = world.features @ rotation
    return (texts / np.linalg.norm(texts, axis=1, keepdims=True)).astype(np.float32)


def best_first(
    logits: Tensor, allowed: Tensor, explore: float, rng: np.random.Generator
) -> tuple[list[int], list[float]]:
    """Rows of one slate (n,) and the probability of each place given those above; equals come in any order.

    Each place is the best that is left, or with probability `explore` any that is left.
    """
    free = rng.permutation(np.flatnonzero(allowed.numpy()))
    left = free[np.argsort(-logits.numpy()[free], kind="stable")].tolist()
    rows: list[int] = []
    propensities: list[float] = []
    while left and len(rows) < SLATE_SIZE:
        at = int(rng.integers(len(left))) if rng.random() < explore else 0
        propensities.append(explore / len(left) + (1 - explore) * (at == 0))
        rows.append(left.pop(at))
    return rows, propensities


def _masks(count: int, chosen: Sequence[NDArray[np.int64]]) -> NDArray[np.bool_]:
    masks = np.zeros((len(chosen), count), dtype=bool)
    for mask, rows in zip(masks, chosen, strict=True):
        mask[rows] = True
    return masks


def _prior(log: Log, book_ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """(n,) 0 to 1: how warmly readers took each work, log-scaled."""
    warmth = dict.fromkeys(book_ids.tolist(), 0.0)
    for history in log.histories.values():
        for act in history:
            if act.book_id is not None:
                warmth[act.book_id] += act.reward
    logged = np.log1p(np.maximum(np.array(list(warmth.values())), 0))
    return (logged / max(logged.max(initial=0.0), 1.0)).astype(np.float32)
