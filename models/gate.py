"""May a candidate serve? Judged on what happened after its training data, against the champion. Pure.

Two views, neither tilted towards the policy that was serving: the off-policy value of the slates shown since
(self-normalised importance sampling, SNIPS: Swaminathan and Joachims 2015, per place given the places above), and the
rank of works that readers turned to unasked. Acts that answer a slate rank nothing: the champion chose their works.
"""

from dataclasses import dataclass

import numpy as np
import torch

from models.episodes import Episodes, Histories, SlateExamples, TargetExamples
from models.policy import NOT_DRAWABLE, Policy, draw
from models.states import Catalogue

TOP = 10
_CHUNK = 512
# Importance weights are cut here: a little bias against a lot of noise.
WEIGHT_CAP = 10.0
# Below so many effective places, or unasked acts, a view cannot tell.
MIN_EFFECTIVE_PLACES = 100
MIN_TARGETS = 50


@dataclass(frozen=True)
class Verdict:
    may_serve: bool
    reason: str
    metrics: dict[str, float]


def gains(policy: Policy | None, histories: Histories, targets: TargetExamples, catalogue: Catalogue) -> np.ndarray:
    """(B,) discounted gain at 10 of each target among all works the reader had not met; None ranks by popularity."""
    found = np.zeros(len(targets))
    with torch.inference_mode():
        items = policy.items(catalogue) if policy else None
        for first in range(0, len(targets), _CHUNK):
            chunk = targets.take(np.arange(first, min(first + _CHUNK, len(targets))))
            at = chunk.at
            if policy and items:
                logits = policy.logits(policy.encode(items, histories.windows(at.start, at.end, at.now)), items)
            else:
                logits = torch.from_numpy(catalogue.prior).expand(len(chunk), -1)
            rows = torch.from_numpy(chunk.rows)
            own = logits.gather(1, rows[:, None])
            allowed = torch.from_numpy(histories.allowed(at.start, at.end, logits.shape[1], chunk.rows[:, None]))
            scores = logits.masked_fill(~allowed, NOT_DRAWABLE)
            # Works with the same score share their ranks: knowing nothing must not look like knowing all.
            better = ((scores > own).sum(1) + ((scores == own).sum(1) - 1) / 2).numpy()
            found[first : first + len(chunk)] = np.where(better < TOP, 1 / np.log2(better + 2.0), 0.0)
    return found


@dataclass(frozen=True)
class Weighed:
    """Importance-weighted reward of each held-back slate, (B,) each; `ess`: effective number of places."""

    rewards: np.ndarray
    weights: np.ndarray
    ess: float

    @property
    def value(self) -> float:
        """Estimated mean reward of a shown place under the policy."""
        return float(self.rewards.sum() / max(self.weights.sum(), 1e-12))


def weigh(policy: Policy, histories: Histories, slates: SlateExamples, catalogue: Catalogue, explore: float) -> Weighed:
    """Weigh every shown place by how much likelier this policy is to show it there than the one that did."""
    rewards, weights, squares = np.zeros(len(slates)), np.zeros(len(slates)), 0.0
    with torch.inference_mode():
        items = policy.items(catalogue)
        for first in range(0, len(slates), _CHUNK):
            chosen = np.arange(first, min(first + _CHUNK, len(slates)))
            at, rows = slates.at.take(chosen), torch.from_numpy(slates.rows[chosen])
            logits = policy.logits(policy.encode(items, histories.windows(at.start, at.end, at.now)), items)
            allowed = torch.from_numpy(histories.allowed(at.start, at.end, logits.shape[1], slates.rows[chosen]))
            drawn = draw(logits, allowed, rows.shape[1], given=rows, explore=explore)
            weight = (drawn.propensity.numpy() / slates.beta[chosen]).clip(max=WEIGHT_CAP) * slates.shown[chosen]
            rewards[chosen] = (weight * slates.rewards[chosen]).sum(1)
            weights[chosen] = weight.sum(1)
            squares += float((weight**2).sum())
    return Weighed(rewards, weights, float(weights.sum() ** 2 / max(squares, 1e-12)))


def judge(
    candidate: Policy,
    champion: Policy | None,
    later: Episodes,
    catalogue: Catalogue,
    seed: int,
    *,
    explore: float,
    draws: int = 500,
) -> Verdict:
    """Refused when either view finds it worse than the champion beyond the noise, or when neither can tell.

    `later`: slates and targets after the training data; `explore`: share of uniform places when serving.
    """
    targets = later.targets.take(np.flatnonzero(later.targets.organic))
    metrics = {"gate/targets": float(len(targets)), "gate/slates": float(len(later.slates))}
    if champion is None:
        return Verdict(True, "there is no champion to compare with", metrics)
    ranked = _compare_ranking(candidate, champion, later.histories, targets, catalogue, seed, draws)
    valued = _compare_value(candidate, champion, later, catalogue, seed, draws, explore)
    metrics |= ranked | valued
    views = []
    if valued and valued["gate/effective_places"] >= MIN_EFFECTIVE_PLACES:
        views.append(("value of a place", "gate/value", valued))
    if len(targets) >= MIN_TARGETS:
        views.append(("NDCG@10 on unasked acts", "gate/ndcg@10", ranked))
    if not views:
        places = valued.get("gate/effective_places", 0)
        reason = (
            f"cannot tell yet: {places:.0f} effective places and {len(targets)} unasked acts since the training data, "
            f"of {MIN_EFFECTIVE_PLACES} and {MIN_TARGETS} needed"
        )
        return Verdict(False, reason, metrics)
    figures = "; ".join(
        f"{words} {m[name]:.4f} against the champion's {m[name + '_champion']:.4f} "
        f"(gain {m[name + '_gain_low']:+.4f} to {m[name + '_gain_high']:+.4f})"
        for words, name, m in views
    )
    is_worse = any(m[name + "_gain_high"] < 0 for _, name, m in views)
    return Verdict(not is_worse, f"worse than the champion: {figures}" if is_worse else figures, metrics)


def _compare_ranking(
    candidate: Policy,
    champion: Policy,
    histories: Histories,
    targets: TargetExamples,
    catalogue: Catalogue,
    seed: int,
    draws: int,
) -> dict[str, float]:
    if not len(targets):
        return {}
    own, other = gains(candidate, histories, targets, catalogue), gains(champion, histories, targets, catalogue)
    low, high = paired_interval(own - other, targets.at.readers, seed, draws)
    return {
        "gate/ndcg@10": float(own.mean()),
        "gate/ndcg@10_champion": float(other.mean()),
        "gate/ndcg@10_popular": float(gains(None, histories, targets, catalogue).mean()),
        "gate/ndcg@10_gain_low": low,
        "gate/ndcg@10_gain_high": high,
        "gate/hit_rate@10": float((own > 0).mean()),
    }


def _compare_value(
    candidate: Policy,
    champion: Policy,
    later: Episodes,
    catalogue: Catalogue,
    seed: int,
    draws: int,
    explore: float,
) -> dict[str, float]:
    slates = later.slates
    if not slates.shown.any():
        return {}
    own = weigh(candidate, later.histories, slates, catalogue, explore)
    other = weigh(champion, later.histories, slates, catalogue, explore)
    columns = np.stack([own.rewards, own.weights, other.rewards, other.weights])
    sums, chosen = _resampled(columns, slates.at.readers, seed, draws)
    own_rewards, own_weights, other_rewards, other_weights = sums[:, chosen].sum(2)
    gain = own_rewards / np.maximum(own_weights, 1e-12) - other_rewards / np.maximum(other_weights, 1e-12)
    low, high = np.quantile(gain, [0.025, 0.975])
    return {
        "gate/value": own.value,
        "gate/value_champion": other.value,
        "gate/value_gain_low": float(low),
        "gate/value_gain_high": float(high),
        "gate/effective_places": min(own.ess, other.ess),
    }


def _resampled(columns: np.ndarray, readers: np.ndarray, seed: int, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """(sums of each column by reader, readers drawn with replacement): acts of one reader belong together."""
    _, number = np.unique(readers, return_inverse=True)
    sums = np.stack([np.bincount(number, weights=column) for column in columns])
    return sums, np.random.default_rng(seed).integers(sums.shape[1], size=(draws, sums.shape[1]))


def paired_interval(differences: np.ndarray, readers: np.ndarray, seed: int, draws: int) -> tuple[float, float]:
    """95 % interval of the mean difference, by bootstrap over readers."""
    sums, chosen = _resampled(np.stack([differences, np.ones(len(differences))]), readers, seed, draws)
    totals, counts = sums[:, chosen].sum(2)
    low, high = np.quantile(totals / counts, [0.025, 0.975])
    return float(low), float(high)
