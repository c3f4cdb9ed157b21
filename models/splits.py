"""What is learned from and what is held back to be ranked. Pure.

Every split keeps the numbers of readers and works of the whole, so that one catalogue is ranked by all. A model that
is tested is fitted on `Split.known` (train and validation) and ranks from it; the validation part alone is for tuning,
with models fitted on `train`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from models.ranking_data import RankingData
from openshelf.errors import UsageError

Part = Literal["test", "validation"]


@dataclass(frozen=True)
class Held:
    """Acts held back, by reader."""

    readers: np.ndarray  # (q,) int64 ascending
    rows: np.ndarray  # (q,) int64

    def __len__(self) -> int:
        return len(self.readers)


@dataclass(frozen=True)
class Split:
    train: RankingData
    validation: Held
    test: Held
    protocol: str
    known: RankingData
    """Train and validation together: what is known when the test begins."""

    def fitted_on(self, part: Part) -> RankingData:
        """What a model may learn and rank from when it is scored on `part`."""
        return self.known if part == "test" else self.train

    def held(self, part: Part) -> Held:
        return self.test if part == "test" else self.validation


def leave_last_out(data: RankingData) -> Split:
    """Per reader: the last act is the test, the one before it the validation, the rest is trained on.

    Of two acts the last is the test and none the validation; a reader of one act is trained on only.

    Raises:
        UsageError: the data has no order, or nothing is left to test or to train on.
    """
    if data.times is None:
        raise UsageError(f"{data.name} has no times: `--split per_reader` holds back a seeded tenth instead")
    count = np.diff(data.spans)[data.readers]
    from_end = data.spans[data.readers + 1] - 1 - np.arange(len(data.readers))
    test = (from_end == 0) & (count >= 2)
    validation = (from_end == 1) & (count >= 3)
    return _split(data, validation, test, "leave-last-out by time")


def per_reader(data: RankingData, seed: int) -> Split:
    """Per reader, drawn by the seed: 80 % train, 10 % validation, 10 % test, at least one of each from three acts on.

    Raises:
        UsageError: nothing is left to test or to train on.
    """
    lot = np.random.default_rng(seed).random(len(data.readers))
    order = np.lexsort((lot, data.readers))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order)) - data.spans[data.readers[order]]  # 0.. within the reader, as the lots fell
    count = np.diff(data.spans)[data.readers]
    tenth = np.maximum(np.rint(count / 10), 1)
    test = (place < tenth) & (count >= 2)
    validation = (place >= tenth) & (place < 2 * tenth) & (count >= 3)
    return _split(data, validation, test, "80/10/10 per reader")


def by_time(data: RankingData) -> Split:
    """All acts in one line of time, cut at 80 and 90 %: readers are ranked from what was before the cut only.

    Acts of the very moment of a cut are before it. Readers without an act before the cut are left out of the test:
    every model would show them the same list.

    Raises:
        UsageError: the data has no times, or nothing is left to test or to train on.
    """
    if data.times is None:
        raise UsageError(f"{data.name} has no times: `--split per_reader` holds back a seeded tenth instead")
    first, second = np.quantile(data.times, [0.8, 0.9], method="lower") if len(data.times) else (0.0, 0.0)
    late = data.times > second
    middle = (data.times > first) & ~late
    strangers = _without_acts(data, data.times > first), _without_acts(data, late)
    split = _split(data, middle, late, "time split 80/10/10")
    validation, test = _known_only(split.validation, strangers[0]), _known_only(split.test, strangers[1])
    if not len(test):
        raise UsageError(f"{data.name}: no reader has acts both before and after the cut; use another --split")
    out = len(np.unique(split.test.readers)) - len(np.unique(test.readers))
    return replace(
        split, validation=validation, test=test, protocol=f"{split.protocol} ({out} readers new after the cut left out)"
    )


SPLITS: dict[str, Callable[[RankingData, int], Split]] = {
    "leave_last_out": lambda data, _: leave_last_out(data),
    "per_reader": per_reader,
    "time": lambda data, _: by_time(data),
}


def split_by(name: str, data: RankingData, seed: int) -> Split:
    """Raises UsageError when there is no split of this name."""
    if name not in SPLITS:
        raise UsageError(f"--split {name!r} is not one of {', '.join(SPLITS)}")
    return SPLITS[name](data, seed)


def _split(data: RankingData, validation: np.ndarray, test: np.ndarray, protocol: str) -> Split:
    train = ~validation & ~test
    if not test.any() or not train.any():
        raise UsageError(
            f"{data.name}: the {'test' if train.any() else 'training'} part of the split is empty; "
            "there must be readers with two acts or more"
        )
    return Split(
        train=_part(data, train),
        validation=Held(data.readers[validation], data.rows[validation]),
        test=Held(data.readers[test], data.rows[test]),
        protocol=protocol,
        known=_part(data, ~test),
    )


def _part(data: RankingData, chosen: np.ndarray) -> RankingData:
    return replace(
        data,
        readers=data.readers[chosen],
        rows=data.rows[chosen],
        values=data.values[chosen],
        times=None if data.times is None else data.times[chosen],
    )


def _without_acts(data: RankingData, after: np.ndarray) -> np.ndarray:
    """(m,) bool: readers who have no act outside `after`."""
    return np.bincount(data.readers[~after], minlength=data.count_readers) == 0


def _known_only(held: Held, strangers: np.ndarray) -> Held:
    keep = ~strangers[held.readers]
    return Held(held.readers[keep], held.rows[keep])
