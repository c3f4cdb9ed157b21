"""Logged slates seen from a policy: its propensities against the logged ones, and what it would expect to earn. Pure.

Episodes + whoever gives logits --seen_from--> Logged --models.offpolicy--> estimates
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from models.episodes import Examples, Histories, SlateExamples
from models.offpolicy import Logged
from models.plackett_luce import BOUND, NOT_DRAWABLE, draw
from models.policy import Policy
from models.reward_model import crossfit, expected_features, folds, work_means
from models.states import Catalogue

_CHUNK = 512
# (where B slates stand, works allowed (B, n)) -> logits (B, n)
Scorer = Callable[[Examples, Tensor], Tensor]


def by_policy(policy: Policy, histories: Histories, catalogue: Catalogue) -> Scorer:
    with torch.inference_mode():
        items = policy.items(catalogue)

    def logits(at: Examples, allowed: Tensor) -> Tensor:
        return policy.rank(items, histories.windows(at.start, at.end, at.now))

    return logits


def by_popularity(catalogue: Catalogue, pool: int) -> Scorer:
    """Uniform over each reader's `pool` most popular allowed works."""
    ranked = torch.from_numpy(np.lexsort((catalogue.book_ids, -catalogue.prior)))

    def logits(at: Examples, allowed: Tensor) -> Tensor:
        is_free = allowed[:, ranked]
        in_pool = is_free & (is_free.cumsum(1) <= pool)
        found = torch.full(allowed.shape, NOT_DRAWABLE)
        found[:, ranked] = torch.where(in_pool, 0.0, NOT_DRAWABLE)
        return found

    return logits


def seen_from(
    scorer: Scorer,
    histories: Histories,
    slates: SlateExamples,
    catalogue: Catalogue,
    *,
    explore: float,
    seed: int,
) -> Logged:
    """Weigh every place by how much likelier the scorer is to show its work there than the one who did.

    A work that the reader had met or hidden by then weighs nothing: the scorer would not show it again.
    `explore`: the target's share of uniform places.
    """
    placed = slates.rows >= 0
    rewards = slates.rewards * slates.shown
    fold = folds(slates.at.readers, seed)
    count_works = len(catalogue.book_ids)
    means = work_means(slates.rows, rewards, placed, fold, count_works)
    features = np.concatenate([catalogue.prior[:, None].astype(np.float64), means], axis=1)
    ratios = np.ones(slates.rows.shape)
    logged, expected = (np.zeros((*slates.rows.shape, 2 + means.shape[1])) for _ in range(2))
    with torch.inference_mode():
        for first in range(0, len(slates), _CHUNK):
            chosen = np.arange(first, min(first + _CHUNK, len(slates)))
            at, rows = slates.at.take(chosen), slates.rows[chosen]
            may_show = histories.allowed(at.start, at.end, count_works)
            allowed = torch.from_numpy(may_show)
            logits = scorer(at, allowed)
            drawn = draw(logits, allowed, rows.shape[1], given=torch.from_numpy(rows), explore=explore)
            own = drawn.propensity.numpy() * np.take_along_axis(may_show, np.maximum(rows, 0), axis=1)
            ratios[chosen] = np.where(placed[chosen], own / slates.beta[chosen], 1.0)
            scores = logits.masked_fill(~allowed, NOT_DRAWABLE).double().numpy()
            logged[chosen], expected[chosen] = _features(scores, may_show, rows, features, explore)
    predicted, mean = crossfit(logged, expected, rewards, placed, fold)
    return Logged(ratios, rewards, placed, slates.shown, slates.at.readers, predicted, mean)


def _features(
    scores: np.ndarray, allowed: np.ndarray, rows: np.ndarray, features: np.ndarray, explore: float
) -> tuple[np.ndarray, np.ndarray]:
    """(B, K, 1 + f) score and features of the logged work, and of the target's choice on average."""
    bounded = np.clip(scores, -BOUND, BOUND)[..., None]
    uniform = allowed.astype(np.float64)
    likely = np.exp(scores - scores.max(1, keepdims=True)) * allowed
    at = np.maximum(rows, 0)
    logged = np.concatenate([bounded[np.arange(len(rows))[:, None], at], features[at]], axis=2)
    expected = sum(
        share
        * np.concatenate([expected_features(mass, rows, bounded), expected_features(mass, rows, features)], axis=2)
        for share, mass in ((explore, uniform), (1 - explore, likely))
        if share > 0
    )
    return logged, np.asarray(expected)
