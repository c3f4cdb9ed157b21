"""Fit the policy's memory to what readers did. Pure; the regressions are in `models.memory`."""

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp

from models.episodes import Episodes, Histories, TargetExamples
from models.memory import Companions, Memory, MemoryConfig, regress

# Acts that count less than this in a sequence are left out of the regressions.
LEAST_WEIGHT = 0.05
_CHUNK = 8_192


def fit_memory(episodes: Episodes, count_works: int, config: MemoryConfig, without: np.ndarray | None = None) -> Memory:
    """What the readers of these episodes met together, and turned to next; `without` these readers (numbers)."""
    histories, targets = episodes.histories, episodes.targets
    if without is not None:
        targets = targets.take(np.flatnonzero(~np.isin(targets.at.readers, without)))
    if not len(targets):
        return Memory.none(count_works)
    # A work that was worth more than others is turned to more.
    worth = targets.weights / targets.weights.mean()
    sizes = {"companions": config.companions, "width": config.width}
    met, turned_to = _sets(histories, targets, worth, count_works)
    together = regress(met, turned_to, ridge=config.together_ridge, **sizes)
    if not histories.is_ordered:
        return Memory(together, Companions.none(count_works))
    if len(targets) > config.moments:
        spread = np.linspace(0, len(targets) - 1, config.moments).astype(np.int64)
        targets, worth = targets.take(spread), worth[spread]
    before = _sequences(histories, targets, count_works, config.next_half_life)
    after = sp.csr_matrix((worth, (np.arange(len(targets)), targets.rows)), shape=before.shape)
    return Memory(together, regress(before, after, ridge=config.next_ridge, **sizes))


def cross_fitted(episodes: Episodes, count_works: int, config: MemoryConfig, folds: int) -> Iterator[Memory]:
    """For each fold of readers (number % folds), a memory that never met them: none of their acts explains itself."""
    readers = np.unique(episodes.targets.at.readers)
    for fold in range(folds):
        yield fit_memory(episodes, count_works, config, without=readers[readers % folds == fold])


def _sets(
    histories: Histories, targets: TargetExamples, worth: np.ndarray, count_works: int
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """(readers, works): 1 for what was met; how much it was worth for what was turned to."""
    shape = (int(histories.readers.max()) + 1, count_works)
    first = histories.first_met
    first = first[np.isin(histories.readers[first], targets.at.readers)]
    met = sp.csr_matrix((np.ones(len(first)), (histories.readers[first], histories.rows[first])), shape=shape)
    # Met again after a reset, it is still met once.
    met.data[:] = 1.0
    return met, sp.csr_matrix((worth, (targets.at.readers, targets.rows)), shape=shape)


def _sequences(histories: Histories, targets: TargetExamples, count_works: int, half_life: float) -> sp.csr_matrix:
    """(targets, works): the last acts before each target, glad ones above 0, the latest counting most."""
    examples, rows, values = [], [], []
    for first in range(0, len(targets), _CHUNK):
        at = targets.at.take(np.arange(first, min(first + _CHUNK, len(targets))))
        batch = histories.windows(at.start, at.end, at.now, with_met=False)
        since = np.arange(batch.rows.shape[1])[::-1]
        weights = np.clip(batch.rewards, -1, 1) * np.exp2(-since / half_life)
        example, place = np.nonzero((batch.rows >= 0) & (np.abs(weights) >= LEAST_WEIGHT))
        examples.append(first + example)
        rows.append(batch.rows[example, place])
        values.append(weights[example, place])
    at = (np.concatenate(examples), np.concatenate(rows))
    return sp.csr_matrix((np.concatenate(values), at), shape=(len(targets), count_works))
