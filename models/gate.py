"""May a candidate serve? Offline ranking on what readers turned to later, against the champion. Pure."""

from dataclasses import dataclass

import numpy as np
import torch

from models.episodes import Histories, TargetExamples
from models.policy import NOT_DRAWABLE, Policy
from models.states import Catalogue

TOP = 10
_CHUNK = 512


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
            allowed = torch.from_numpy(histories.allowed(at.start, at.end, logits.shape[1]))
            allowed[torch.arange(len(rows)), rows] = True
            scores = logits.masked_fill(~allowed, NOT_DRAWABLE)
            # Works with the same score share their ranks: knowing nothing must not look like knowing all.
            better = ((scores > own).sum(1) + ((scores == own).sum(1) - 1) / 2).numpy()
            found[first : first + len(chunk)] = np.where(better < TOP, 1 / np.log2(better + 2.0), 0.0)
    return found


def judge(
    candidate: Policy,
    champion: Policy | None,
    histories: Histories,
    targets: TargetExamples,
    catalogue: Catalogue,
    seed: int,
    draws: int = 500,
) -> Verdict:
    """Refused when NDCG@10 is below the champion's beyond the noise of which readers happened to come."""
    if not len(targets):
        return Verdict(True, "no later acts to judge by yet", {"gate/targets": 0.0})
    own = gains(candidate, histories, targets, catalogue)
    popular = gains(None, histories, targets, catalogue)
    metrics = {
        "gate/targets": float(len(targets)),
        "gate/ndcg@10": float(own.mean()),
        "gate/hit_rate@10": float((own > 0).mean()),
        "gate/ndcg@10_popular": float(popular.mean()),
    }
    if champion is None:
        return Verdict(True, "there is no champion to compare with", metrics)
    other = gains(champion, histories, targets, catalogue)
    low, high = paired_interval(own - other, targets.at.readers, seed, draws)
    metrics |= {"gate/ndcg@10_champion": float(other.mean()), "gate/gain_low": low, "gate/gain_high": high}
    figures = f"NDCG@10 {own.mean():.4f} against the champion's {other.mean():.4f} (gain {low:+.4f} to {high:+.4f})"
    if high < 0:
        return Verdict(False, f"worse than the champion: {figures}", metrics)
    return Verdict(True, figures, metrics)


def paired_interval(differences: np.ndarray, readers: np.ndarray, seed: int, draws: int) -> tuple[float, float]:
    """95 % interval of the mean difference, by bootstrap over readers (whose acts belong together)."""
    _, number = np.unique(readers, return_inverse=True)
    sums, counts = np.bincount(number, weights=differences), np.bincount(number)
    chosen = np.random.default_rng(seed).integers(len(sums), size=(draws, len(sums)))
    means = sums[chosen].sum(1) / counts[chosen].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
