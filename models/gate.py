"""May a candidate serve? Judged on what happened after its training data, against the champion and popularity. Pure.

Two views, neither tilted towards the policy that was serving: the off-policy value of the slates shown since, by the
estimators of `models.offpolicy` that can tell, and the rank of works that readers turned to unasked. Acts that answer a
slate rank nothing: the champion chose their works.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from models.episodes import Episodes, Histories, TargetExamples
from models.offpolicy import Estimate, by_reader, estimates, gain, resampled
from models.plackett_luce import NOT_DRAWABLE
from models.policy import Policy
from models.reweighing import by_policy, seen_from
from models.states import Catalogue

TOP = 10
_CHUNK = 512
# Below so many unasked acts the ranking cannot tell.
MIN_TARGETS = 50
# What may refuse a candidate, where it can tell: for readers who take each work on its own, the same with less noise,
# and for readers whom the places above make keener or tired.
DECIDING = {
    "independent": "value of a place",
    "dr": "value of a place, doubly robust",
    "cascade": "value of a place given those above",
}


@dataclass(frozen=True)
class Verdict:
    may_serve: bool
    reason: str
    metrics: dict[str, float]


@dataclass(frozen=True)
class View:
    """A candidate beside a rival; the interval is that of the difference."""

    words: str
    rival: str
    own: float
    other: float
    low: float
    high: float

    def __str__(self) -> str:
        return (
            f"{self.words} {self.own:.4f} against {self.rival}'s {self.other:.4f} "
            f"(gain {self.low:+.4f} to {self.high:+.4f})"
        )


def gains(policy: Policy | None, histories: Histories, targets: TargetExamples, catalogue: Catalogue) -> np.ndarray:
    """(B,) discounted gain at 10 of each target among all works the reader had not met; None ranks by popularity."""
    found = np.zeros(len(targets))
    with torch.inference_mode():
        items = policy.items(catalogue) if policy else None
        for first in range(0, len(targets), _CHUNK):
            chunk = targets.take(np.arange(first, min(first + _CHUNK, len(targets))))
            at = chunk.at
            if policy and items:
                logits = policy.rank(items, histories.windows(at.start, at.end, at.now))
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
    """Refused when any view finds it worse than a rival beyond the noise, or when none can tell it from the champion.

    `later`: slates and targets after the training data; `explore`: share of uniform places when serving. One that is
    behind popularity passes all the same if it clearly ranks better than the champion: refused, the worse would stay.
    """
    targets = later.targets.take(np.flatnonzero(later.targets.organic))
    metrics = {"gate/targets": float(len(targets)), "gate/slates": float(len(later.slates))}
    broken = [name for name, tensor in candidate.state_dict().items() if not torch.isfinite(tensor).all()]
    if broken:
        return Verdict(False, f"broken: {', '.join(broken[:3])} hold values that are no numbers", metrics)
    ranked, of_ranking = _compare_ranking(candidate, champion, later.histories, targets, catalogue, seed, draws)
    valued, of_value, doubts = {}, [], []
    if champion is not None:
        valued, of_value, doubts = _compare_value(candidate, champion, later, catalogue, seed, draws, explore)
    metrics |= {name: value for name, value in (ranked | valued).items() if math.isfinite(value)}
    if len(targets) < MIN_TARGETS:
        doubts.append(f"{len(targets)} unasked acts since the training data, {MIN_TARGETS} are needed")
        of_ranking = []
    return _verdict([*of_value, *of_ranking], doubts, metrics, has_champion=champion is not None)


def _verdict(views: list[View], doubts: list[str], metrics: dict[str, float], *, has_champion: bool) -> Verdict:
    on_champion = [view for view in views if view.rival == "the champion"]
    behind = sorted({view.rival for view in views if view.high < 0}, reverse=True)
    is_better_ranked = any(view.words.startswith("NDCG") and view.low > 0 for view in on_champion)
    worse = [rival for rival in behind if not (rival == "popularity" and is_better_ranked)]
    figures = "; ".join([str(view) for view in views] + [f"cannot tell by {doubt}" for doubt in doubts])
    if worse:
        return Verdict(False, f"worse than {' and '.join(worse)}: {figures}", metrics)
    if has_champion and not on_champion:
        return Verdict(False, f"cannot tell yet: {'; '.join(doubts)}", metrics)
    if behind:
        return Verdict(True, f"still behind popularity, yet ahead of the champion: {figures}", metrics)
    if not has_champion:
        return Verdict(True, f"there is no champion to compare with: {figures}", metrics)
    return Verdict(True, figures, metrics)


def _compare_ranking(
    candidate: Policy,
    champion: Policy | None,
    histories: Histories,
    targets: TargetExamples,
    catalogue: Catalogue,
    seed: int,
    draws: int,
) -> tuple[dict[str, float], list[View]]:
    if not len(targets):
        return {}, []
    own = gains(candidate, histories, targets, catalogue)
    metrics = {"gate/ndcg@10": float(own.mean()), "gate/hit_rate@10": float((own > 0).mean())}
    views = []
    rivals: list[tuple[str, Policy | None, str, str]] = [("popularity", None, "popular", "over_popular")]
    if champion is not None:
        rivals.insert(0, ("the champion", champion, "champion", "gain"))
    for rival, policy, name, difference in rivals:
        other = gains(policy, histories, targets, catalogue)
        low, high = paired_interval(own - other, targets.at.readers, seed, draws)
        view = View("NDCG@10 on unasked acts", rival, float(own.mean()), float(other.mean()), low, high)
        views.append(view)
        metrics |= {
            f"gate/ndcg@10_{name}": view.other,
            f"gate/ndcg@10_{difference}_low": low,
            f"gate/ndcg@10_{difference}_high": high,
        }
    return metrics, views


def _compare_value(
    candidate: Policy,
    champion: Policy,
    later: Episodes,
    catalogue: Catalogue,
    seed: int,
    draws: int,
    explore: float,
) -> tuple[dict[str, float], list[View], list[str]]:
    """(metrics, what could be told, what could not and why)"""
    if not later.slates.shown.any():
        return {}, [], ["no slate was seen since the training data"]
    own, other = (
        seen_from(
            by_policy(policy, later.histories, catalogue),
            later.histories,
            later.slates,
            catalogue,
            explore=explore,
            seed=seed,
        )
        for policy in (candidate, champion)
    )
    owns, others = (estimates(logged, seed, draws=draws) for logged in (own, other))
    metrics = _recorded(owns, others)
    views, doubts = [], []
    for name, words in DECIDING.items():
        found = gain(own, other, name, seed, draws=draws)
        metrics |= {f"gate/value_{name}_gain_low": found.low, f"gate/value_{name}_gain_high": found.high}
        reason = owns[name].reason or others[name].reason
        if reason:
            doubts.append(f"{words}: {reason}")
        else:
            views.append(View(words, "the champion", owns[name].value, others[name].value, found.low, found.high))
    metrics["gate/value_gain_low"] = metrics["gate/value_independent_gain_low"]
    metrics["gate/value_gain_high"] = metrics["gate/value_independent_gain_high"]
    return metrics, views, doubts


def _recorded(owns: dict[str, Estimate], others: dict[str, Estimate]) -> dict[str, float]:
    """All estimates by name; `gate/value` without a name is the one of places on their own."""
    metrics = {
        "gate/value": owns["independent"].value,
        "gate/value_champion": others["independent"].value,
        "gate/effective_places": min(owns["independent"].effective, others["independent"].effective),
    }
    for name, own in owns.items():
        other = others[name]
        metrics |= {
            f"gate/value_{name}": own.value,
            f"gate/value_{name}_low": own.low,
            f"gate/value_{name}_high": own.high,
            f"gate/value_{name}_champion": other.value,
            f"gate/value_{name}_effective": min(own.effective, other.effective),
            f"gate/value_{name}_capped": max(own.capped, other.capped),
            f"gate/value_{name}_can_tell": float(own.can_tell and other.can_tell),
        }
    return metrics


def paired_interval(differences: np.ndarray, readers: np.ndarray, seed: int, draws: int) -> tuple[float, float]:
    """95 % interval of the mean difference, by bootstrap over readers."""
    totals, counts = resampled(
        by_reader(np.stack([differences, np.ones(len(differences))], axis=1), readers), seed, draws
    ).T
    low, high = np.quantile(totals / counts, [0.025, 0.975])
    return float(low), float(high)
