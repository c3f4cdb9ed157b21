"""The works as a simulated readership meets them: latent topics, quality, hook, fame. Pure, seeded.

A recommender never sees a `World`; it sees texts (`features` in a synthetic world) and what readers do.
"""

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MAX_TOPICS = 64
# Length of what is in a work beside its subjects, against 1.0 of its principal subject.
TOPIC_NOISE = 0.3
# The principal subject of a work says most about it.
SUBJECT_WEIGHTS = (1.0, 0.7, 0.5, 0.35)


@dataclass(frozen=True)
class World:
    """n works by k topics; row i of every array is the same work."""

    book_ids: NDArray[np.int64]
    topic_names: tuple[str, ...]
    topics: Floats  # (n, k), rows of unit length
    quality: Floats  # (n,), about -1 to 1: what a reading of it is worth
    hook: Floats  # (n,), about -1 to 1: tempts to open, disappoints when read
    fame: Floats  # (n,), sums to 1: how often it is met outside any recommendation
    languages: tuple[str | None, ...]
    added_day: Floats  # (n,), day of arrival counted from the start of the simulation; 0 or less: there from the start
    features: Floats  # (n, k), topics through noise: all that a recommender may know of the text

    def __len__(self) -> int:
        return len(self.book_ids)

    def readable(self, languages: tuple[str, ...]) -> NDArray[np.bool_]:
        """(n,): whether who reads these languages (none: all) can read each work; one without language, anyone can."""
        if languages not in self._readable:
            known = [not languages or language is None or language in languages for language in self.languages]
            self._readable[languages] = np.array(known, np.bool_)
        return self._readable[languages]

    @cached_property
    def _readable(self) -> dict[tuple[str, ...], NDArray[np.bool_]]:
        return {}


def world_of(
    *,
    book_ids: Sequence[int],
    subjects: Sequence[Sequence[str]],
    languages: Sequence[str | None],
    ratings: Sequence[float | None],
    added_day: Sequence[float],
    seed: int,
) -> World:
    """The world of a real catalogue. `subjects` of a work: principal first; `ratings`: house rating 0 to 5.

    Quality and hook of a work depend on its book_id, rating and the seed only: a growing catalogue changes no old work.
    """
    names = _topic_names(subjects)
    index = {name: number for number, name in enumerate(names)}
    topics = np.zeros((len(book_ids), len(names)))
    quality, hook, fame = (np.zeros(len(book_ids)) for _ in range(3))
    for row, book_id in enumerate(book_ids):
        rng = np.random.default_rng([seed, 1, book_id])
        for weight, subject in zip(SUBJECT_WEIGHTS, subjects[row], strict=False):
            topics[row, index.get(subject, _bucket(subject, len(names)))] += weight
        rating = ratings[row]
        quality[row] = np.clip(((4.0 if rating is None else rating) - 4.0) * 0.6 + rng.normal(0, 0.4), -1.2, 1.2)
        hook[row] = np.clip(rng.normal(0, 0.5), -1.2, 1.2)
        fame[row] = np.exp(rng.normal(0, 0.7) + 2.0 * quality[row])
        topics[row] += np.abs(rng.normal(0, TOPIC_NOISE / np.sqrt(len(names)), len(names)))
    topics = _unit_rows(topics)
    return World(
        book_ids=np.asarray(book_ids, np.int64),
        topic_names=names,
        topics=topics,
        quality=quality,
        hook=hook,
        fame=fame / fame.sum(),
        languages=tuple(languages),
        added_day=np.asarray(added_day, np.float64),
        features=topics,
    )


def make_world(count_works: int, count_topics: int, seed: int, *, text_noise: float = 0.15, days: int = 8) -> World:
    """A synthetic world: a fifth of the works arrive during `days`; `text_noise` blurs what their texts tell."""
    rng = np.random.default_rng([seed, 2])
    principal = rng.integers(0, count_topics, count_works)
    topics = np.abs(rng.normal(0, 0.12, (count_works, count_topics)))
    topics[np.arange(count_works), principal] += 1.0
    topics[np.arange(count_works), rng.integers(0, count_topics, count_works)] += 0.5
    topics = _unit_rows(topics)
    quality = np.clip(rng.normal(0, 0.5, count_works), -1.2, 1.2)
    fame = np.exp(rng.normal(0, 0.7, count_works) + 2.0 * quality)
    is_late = rng.random(count_works) < 0.2
    return World(
        book_ids=np.arange(1, count_works + 1),
        topic_names=tuple(f"topic {number}" for number in range(count_topics)),
        topics=topics,
        quality=quality,
        hook=np.clip(rng.normal(0, 0.5, count_works), -1.2, 1.2),
        fame=fame / fame.sum(),
        languages=("eng",) * count_works,
        added_day=np.where(is_late, rng.integers(1, max(days, 2), count_works), 0).astype(np.float64),
        features=topics + rng.normal(0, text_noise, topics.shape),
    )


def _topic_names(subjects: Sequence[Sequence[str]]) -> tuple[str, ...]:
    counts = Counter(subject for of_work in subjects for subject in of_work)
    kept = sorted(counts, key=lambda name: (-counts[name], name))[:MAX_TOPICS]
    return tuple(kept) or ("anything",)


def _bucket(subject: str, size: int) -> int:
    """The topic that a rare subject is counted under."""
    return zlib.crc32(subject.encode()) % size


def _unit_rows(matrix: Floats) -> Floats:
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-9)
