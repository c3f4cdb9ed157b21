"""How simulated readers answer what they are shown. Pure.

Opening goes by taste and hook, what a reading is worth by taste and quality minus hook. So a recommender that only
imitates clicks serves bait, bores its readers and sees their sessions end early; one that learns from reward does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.rewards import Rewards
from models.simulated_readers import Reader, can_read
from models.simulated_world import Floats, World
from openshelf.contracts import Action, Surface

# A reader looks down the slate until this chance to go on fails; the first places are always seen.
LOOK_ON = 0.93
ALWAYS_SEEN = 3
MAX_OPENS_A_SLATE = 3
MAX_SLATES_A_SESSION = 8
ODD_OPEN = 0.25
# Chances of an errand when a session begins, and between two slates.
ERRAND_AT_START = 0.3
ERRAND_BETWEEN = 0.2


@dataclass(frozen=True)
class Answer:
    """One act about a work. `position` is None when it answers no slate; `value` as in the event contract."""

    work: int  # row of the world
    action: Action
    position: int | None = None
    value: float | None = None
    surface: Surface = Surface.FOR_YOU


@dataclass(frozen=True)
class Chances:
    """Probabilities, each (m,), for m works; those right of `open` hold once the acts before them happened."""

    open: Floats
    read: Floats  # once opened
    finish: Floats  # once read
    like: Floats  # once read
    rate: Floats  # once read
    stars: Floats  # mean of the stars, before rounding
    dislike: Floats  # once opened
    want: Floats  # once opened and not read
    skip: Floats  # not opened
    hide: Floats  # not opened
    worth: Floats  # of reading it, to this reader; about -4 to 4


def chances(world: World, reader: Reader, works: NDArray[np.int64]) -> Chances:
    """What a reader may do with works in view now."""
    topics = world.topics[works]
    affinity = (topics @ reader.tastes.T * reader.strengths).max(axis=1)
    bored = topics @ reader.boredom
    hook, quality = world.hook[works], world.quality[works]
    is_foreign = ~can_read(world, reader.languages, works)
    is_met = np.zeros(len(world), np.bool_)
    is_met[list(reader.met)] = True
    appeal = 7.0 * affinity + 1.6 * hook + 0.5 * quality - 0.9 * bored - 4.7 - 6.0 * is_foreign - 5.0 * is_met[works]
    worth = 5.0 * affinity + 2.0 * quality - 2.2 * hook - 0.5 * bored - 2.9 - 4.0 * is_foreign
    return Chances(
        open=np.full(len(works), ODD_OPEN) if reader.is_odd else _sigmoid(appeal),
        read=_sigmoid(worth + 0.4),
        finish=0.6 * _sigmoid(worth - 0.6),
        like=0.55 * _sigmoid(worth - 0.4),
        rate=np.full(len(works), 0.2),
        stars=3.2 + 1.7 * np.tanh(worth / 2),
        dislike=0.4 * _sigmoid(-worth - 1.2),
        want=0.5 * _sigmoid(worth - 0.2),
        skip=0.01 + 0.02 * is_foreign + 0.02 * (affinity < 0.15),
        hide=np.where(is_foreign, 0.01, 0.002),
        worth=worth,
    )


def expected_reward(world: World, reader: Reader, works: NDArray[np.int64], rewards: Rewards) -> Floats:
    """(m,): mean reward of putting each work before this reader now. What the myopic oracle ranks by."""
    chance, by = chances(world, reader, works), rewards.by_action
    once_read = (
        by[Action.READ]
        + chance.finish * by[Action.FINISH]
        + chance.like * by[Action.LIKE]
        + chance.rate * (chance.stars - rewards.rate_midpoint)
    )
    once_opened = (
        by[Action.OPEN]
        + chance.read * once_read
        + (1 - chance.read) * (chance.want * by[Action.WANT] + chance.dislike * by[Action.DISLIKE])
    )
    unopened = chance.skip * by[Action.SKIP] + (1 - chance.skip) * chance.hide * by[Action.HIDE]
    return chance.open * once_opened + (1 - chance.open) * unopened


def answer_slate(world: World, reader: Reader, slate: Sequence[int], rng: np.random.Generator) -> list[Answer]:
    """Look down a slate of works (rows of the world) and act; what was done changes the reader.

    The shows of all places seen come first, then what was done with them, from the top.
    """
    count_seen = min(len(slate), ALWAYS_SEEN + int(rng.geometric(1 - LOOK_ON)) - 1)
    seen = np.asarray(slate[:count_seen], np.int64)
    answers = [Answer(int(work), Action.SHOW, position) for position, work in enumerate(seen)]
    chance = chances(world, reader, seen)
    count_opens = 0
    for position, work in enumerate(map(int, seen)):
        if count_opens < MAX_OPENS_A_SLATE and rng.random() < chance.open[position]:
            count_opens += 1
            answers += use_work(world, reader, work, Surface.FOR_YOU, rng, position)
        elif rng.random() < chance.skip[position]:
            answers.append(Answer(work, Action.SKIP, position))
        elif rng.random() < chance.hide[position]:
            answers.append(Answer(work, Action.HIDE, position))
            reader.met.add(work)
    return answers


def use_work(
    world: World, reader: Reader, work: int, surface: Surface, rng: np.random.Generator, position: int | None = None
) -> list[Answer]:
    """Open a work and do with it what it invites to; boredom builds, a good read strengthens the taste."""
    chance = chances(world, reader, np.array([work]))
    acts = [Answer(work, Action.OPEN, position, None, surface)]

    def happens(probability: Floats) -> bool:
        return bool(rng.random() < (0.4 if reader.is_odd else probability[0]))

    if happens(chance.read):
        seconds = float(np.round(np.clip(rng.lognormal(5.0, 0.6), 30, 600)))
        acts.append(Answer(work, Action.READ, position, seconds, surface))
        if happens(chance.finish):
            acts.append(Answer(work, Action.FINISH, position, None, surface))
        if happens(chance.like):
            acts.append(Answer(work, Action.LIKE, position, None, surface))
        if rng.random() < chance.rate[0]:
            stars = float(np.clip(np.round(chance.stars[0] + rng.normal(0, 0.5)), 1, 5))
            acts.append(Answer(work, Action.RATE, position, stars, surface))
        _remember_reading(world, reader, work, float(chance.worth[0]))
    elif happens(chance.want):
        acts.append(Answer(work, Action.WANT, position, None, surface))
    elif happens(chance.dislike):
        acts.append(Answer(work, Action.DISLIKE, position, None, surface))
    reader.boredom += 0.35 * world.topics[work]
    reader.met.add(work)
    return acts


def _remember_reading(world: World, reader: Reader, work: int, worth: float) -> None:
    nearest = int((reader.tastes @ world.topics[work]).argmax())
    step = 0.08 * float(np.tanh(worth))
    reader.strengths[nearest] = np.clip(reader.strengths[nearest] + step, 0.3, 1.0)
    if step > 0:
        moved = reader.tastes[nearest] + step * world.topics[work]
        reader.tastes[nearest] = moved / np.linalg.norm(moved)


def run_errand(
    world: World, reader: Reader, day: float, rng: np.random.Generator, last_opened: int | None = None
) -> tuple[Surface, list[Answer]]:
    """Something the reader does unasked: looks on another surface and uses what appeals most, if anything does."""
    surface = (Surface.SEARCH, Surface.BROWSE, Surface.POPULAR, Surface.NEW, Surface.SIMILAR)[
        rng.choice(5, p=[0.3, 0.3, 0.2, 0.1, 0.1])
    ]
    if surface is Surface.SIMILAR and last_opened is None:
        surface = Surface.BROWSE
    in_view = _on_surface(world, reader, surface, day, rng, last_opened)
    if not len(in_view):
        return surface, []
    chance = chances(world, reader, in_view)
    best = int(np.argmax(chance.open + rng.gumbel(0, 0.08, len(in_view))))
    # Who searched has a book in mind and opens it; who looks around may leave empty-handed.
    if surface is not Surface.SEARCH and rng.random() > 0.3 + chance.open[best]:
        return surface, []
    return surface, use_work(world, reader, int(in_view[best]), surface, rng)


def _on_surface(
    world: World, reader: Reader, surface: Surface, day: float, rng: np.random.Generator, last_opened: int | None
) -> NDArray[np.int64]:
    is_free = world.added_day <= day
    is_free[list(reader.met)] = False
    works = np.flatnonzero(is_free)
    works = works[can_read(world, reader.languages, works)]
    if not len(works):
        return works
    if surface is Surface.POPULAR:
        return works[np.argsort(-world.fame[works], kind="stable")[:20]]
    if surface is Surface.NEW:
        return works[np.lexsort((-world.book_ids[works], -world.added_day[works]))[:20]]
    if surface is Surface.SIMILAR and last_opened is not None:
        return works[np.argsort(-(world.topics[works] @ world.topics[last_opened]), kind="stable")[:8]]
    # Search and browse: a few works of one of the reader's tastes, the famous first.
    taste = reader.tastes[rng.choice(len(reader.tastes), p=reader.strengths / reader.strengths.sum())]
    weight = world.fame[works] * np.exp(6.0 * (world.topics[works] @ taste))
    return rng.choice(works, min(6, len(works)), replace=False, p=weight / weight.sum())


def mood_after(mood: float, reward: float) -> float:
    """How pleased a reader is with the session so far; 0 at its start."""
    return 0.5 * mood + 0.5 * float(np.clip(reward / 4, -1, 1))


def goes_on(mood: float, count_slates: int, rng: np.random.Generator) -> bool:
    """Whether the reader asks for another slate. Disappointment and tiredness end a session."""
    return count_slates < MAX_SLATES_A_SESSION and bool(rng.random() < np.clip(0.62 + 0.35 * mood, 0.05, 0.9))


def reward_of(answer: Answer, rewards: Rewards) -> float:
    if answer.action is Action.RATE:
        return (answer.value or rewards.rate_midpoint) - rewards.rate_midpoint
    return rewards.by_action[answer.action]


def _sigmoid(x: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-x))
