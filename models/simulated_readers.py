"""Who the simulated readers are: tastes that drift, boredom that decays, habits. Pure, seeded.

A `Reader` is mutable: living changes it. It is made from the seed alone and can be put away as plain values and
taken up again, also over a catalogue that has changed since.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.simulated_world import Floats, World

COUNT_TASTES = 3
# Shares of the readership.
ONCE_SHARE = 0.12
ODD_SHARE = 0.05
MEAN_SESSIONS_A_DAY = 0.45
# A language with fewer works than this cannot keep a reader.
MIN_WORKS_OF_LANGUAGE = 15

BOREDOM_KEPT_OVERNIGHT = 0.7
NEW_INTEREST_A_DAY = 0.03


@dataclass
class Reader:
    number: int
    tastes: Floats  # (COUNT_TASTES, k), rows of unit length
    strengths: Floats  # (COUNT_TASTES,), 0.3 to 1
    languages: tuple[str, ...]
    sessions_a_day: float
    hour: float  # of the day, around which this reader comes
    weekend: float  # factor on sessions_a_day on Saturday and Sunday
    is_once: bool  # comes a single time
    is_odd: bool  # acts without regard to taste
    boredom: Floats  # (k,), 0 or more
    met: set[int] = field(default_factory=set)  # rows of the world, opened or answered before
    count_sessions: int = 0


def make_reader(world: World, number: int, seed: int, *, is_faithful: bool = False) -> Reader:
    """Reader `number` of a readership. `is_faithful`: comes often, reads the main language, is never odd."""
    rng = np.random.default_rng([seed, 3, number])
    is_once = bool(rng.random() < ONCE_SHARE) and not is_faithful
    is_odd = bool(rng.random() < ODD_SHARE) and not is_faithful
    # Few heavy readers and many light ones; the mean of the lognormal is the wanted mean.
    sessions_a_day = float(np.clip(MEAN_SESSIONS_A_DAY * np.exp(rng.normal(-0.32, 0.8)), 0.05, 0.95))
    languages = _languages(world, rng, is_faithful)
    works = _works_in(world, languages)
    tastes = world.topics[rng.choice(works, COUNT_TASTES, p=world.fame[works] / world.fame[works].sum())]
    usual_hour = float(rng.choice([8.0, 13.0, 17.5, 20.5, 22.0], p=[0.12, 0.18, 0.2, 0.38, 0.12]))
    return Reader(
        number=number,
        tastes=tastes.copy(),
        strengths=np.sort(rng.uniform(0.8 if is_faithful else 0.5, 1.0, COUNT_TASTES))[::-1].copy(),
        languages=languages,
        sessions_a_day=max(sessions_a_day, 0.65) if is_faithful else sessions_a_day,
        hour=usual_hour,
        weekend=float(rng.choice([0.8, 1.4, 2.0])),
        is_once=is_once,
        is_odd=is_odd,
        boredom=np.zeros(world.topics.shape[1]),
    )


def _languages(world: World, rng: np.random.Generator, is_faithful: bool) -> tuple[str, ...]:
    """One or two languages, the more likely the more works there are; a second one is mostly the main one."""
    known = [language for language in world.languages if language]
    if not known:
        return ()
    names, counts = np.unique(known, return_counts=True)
    enough = counts >= min(MIN_WORKS_OF_LANGUAGE, counts.max())
    names, counts = names[enough], counts[enough]
    main = str(names[counts.argmax()])
    share = counts**0.8 / (counts**0.8).sum()
    first = main if is_faithful else str(rng.choice(names, p=share))
    if first != main:
        return (first, main) if rng.random() < 0.5 else (first,)
    others = names[names != main]
    if is_faithful or not len(others) or rng.random() > 0.15:
        return (main,)
    return (main, str(rng.choice(others)))


def _works_in(world: World, languages: tuple[str, ...]) -> NDArray[np.int64]:
    works = np.arange(len(world))
    return works[can_read(world, languages, works)]


def can_read(world: World, languages: tuple[str, ...], works: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(m,): a work without a language is taken as readable by all."""
    return world.readable(languages)[works]


def comes_today(reader: Reader, weekday: int, rng: np.random.Generator) -> bool:
    """Whether a session happens on a day. `weekday`: 0 is Monday."""
    if reader.is_once and reader.count_sessions:
        return False
    return bool(rng.random() < min(reader.sessions_a_day * (reader.weekend if weekday >= 5 else 1.0), 0.97))


def live_a_day(world: World, reader: Reader, rng: np.random.Generator) -> None:
    """A night passes: boredom fades, strengths settle, now and then a new interest takes the weakest one's place."""
    reader.boredom *= BOREDOM_KEPT_OVERNIGHT
    reader.strengths += 0.03 * (0.75 - reader.strengths)
    drifted = np.maximum(reader.tastes + (reader.tastes > 0.1) * rng.normal(0, 0.02, reader.tastes.shape), 0)
    reader.tastes = drifted / np.maximum(np.linalg.norm(drifted, axis=1, keepdims=True), 1e-9)
    if rng.random() < NEW_INTEREST_A_DAY:
        works = _works_in(world, reader.languages)
        weakest = int(reader.strengths.argmin())
        reader.tastes[weakest] = world.topics[rng.choice(works)]
        reader.strengths[weakest] = 0.7


def put_away(world: World, reader: Reader) -> dict[str, Any]:
    """What living has changed in a reader, as JSON values, by names that outlive this catalogue."""
    return {
        "tastes": [_by_name(world, taste) for taste in reader.tastes],
        "strengths": [round(float(strength), 4) for strength in reader.strengths],
        "boredom": _by_name(world, reader.boredom),
        "met": sorted(int(world.book_ids[row]) for row in reader.met),
        "count_sessions": reader.count_sessions,
    }


def take_up(world: World, reader: Reader, kept: dict[str, Any]) -> None:
    """Continue the life of a reader just made; topics and works that are gone are forgotten.

    Raises:
        KeyError, TypeError, ValueError: `kept` was not written by `put_away`.
    """
    tastes = np.array([_by_topic(world, taste) for taste in kept["tastes"]])
    strengths = np.array(kept["strengths"], np.float64)
    if tastes.shape != reader.tastes.shape or strengths.shape != reader.strengths.shape:
        raise ValueError(f"{len(tastes)} tastes and {len(strengths)} strengths, {COUNT_TASTES} of each are needed")
    rows = {int(book_id): row for row, book_id in enumerate(world.book_ids)}
    reader.tastes, reader.strengths = tastes, strengths
    reader.boredom = _by_topic(world, kept["boredom"])
    reader.met = {rows[book_id] for book_id in kept["met"] if book_id in rows}
    reader.count_sessions = int(kept["count_sessions"])


def _by_name(world: World, weights: Floats) -> dict[str, float]:
    return {
        name: round(float(weight), 4) for name, weight in zip(world.topic_names, weights, strict=True) if weight > 0.001
    }


def _by_topic(world: World, weights: dict[str, float]) -> Floats:
    return np.array([float(weights.get(name, 0.0)) for name in world.topic_names])
