"""The closed loop: simulated readers ask for slates day after day and become what reading them makes of them. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.rewards import Rewards
from models.simulated_readers import Reader, comes_today, live_a_day, make_reader
from models.simulated_world import Floats, World
from models.simulator import (
    ERRAND_AT_START,
    ERRAND_BETWEEN,
    Answer,
    answer_slate,
    goes_on,
    mood_after,
    reward_of,
    run_errand,
)
from openshelf.contracts import Action


@dataclass(frozen=True)
class LoopRequest:
    """A slate is asked for. `reader` is the truth: only an oracle may look at it."""

    number: int  # of the reader
    day: int
    history: tuple[Answer, ...]  # without shows, oldest first
    allowed: NDArray[np.int64]  # rows of the world: there already, not met
    reader: Reader


# (world, requests, generator) -> for each request, rows of the world, best first.
Recommend = Callable[[World, Sequence[LoopRequest], np.random.Generator], Sequence[NDArray[np.int64]]]
# What a learner is told after each round: requests, slates, answers to each.
Learn = Callable[[Sequence[LoopRequest], Sequence[NDArray[np.int64]], Sequence[list[Answer]]], None]
# What a learner is told of acts that answer no slate: reader's number, day, acts.
Overhear = Callable[[int, int, list[Answer]], None]


@dataclass
class _Loop:
    """Readers, each with a generator and what they did without shows, while they live."""

    world: World
    readers: list[Reader]
    generators: list[np.random.Generator]
    histories: list[list[Answer]]
    on_errand: Overhear | None

    def coming(self, day: int) -> list[Reader]:
        return [r for r in self.readers if comes_today(r, day % 7, self.generators[r.number])]

    def run_errands(self, readers: Sequence[Reader], day: int, share: float) -> None:
        """Some of these readers do something unasked, if anyone is there to hear of it."""
        if self.on_errand is None:
            return
        for reader in readers:
            rng = self.generators[reader.number]
            if rng.random() < share:
                # Works there from the start were there before it too.
                _, answers = run_errand(self.world, reader, max(day, 0), rng)
                self.histories[reader.number] += answers
                self.on_errand(reader.number, day, answers)

    def end_day(self, came: set[int]) -> None:
        for reader in self.readers:
            reader.count_sessions += reader.number in came
            live_a_day(self.world, reader, self.generators[reader.number])


def run_closed_loop(
    world: World,
    recommend: Recommend,
    days: int,
    seed: int,
    *,
    rewards: Rewards,
    count_readers: int = 60,
    on_answers: Learn | None = None,
    on_errand: Overhear | None = None,
    days_before: int = 0,
) -> Floats:
    """(days,): summed reward of all slates of a day, while readers live with a recommender.

    With `on_errand` readers also search and browse unasked, which earns no reward. They did nothing else in the
    `days_before` day 0: those days are the same whoever recommends later.
    """
    readers = [make_reader(world, number, seed) for number in range(count_readers)]
    generators = [np.random.default_rng([seed, 4, number]) for number in range(count_readers)]
    own = np.random.default_rng([seed, 5])
    loop = _Loop(world, readers, generators, [[] for _ in readers], on_errand)
    for day in range(-days_before, 0):
        came = [reader for reader in loop.coming(day) if not reader.is_once]
        loop.run_errands(came, day, 1.0)
        loop.end_day({reader.number for reader in came})
    total = np.zeros(days)
    for day in range(days):
        active = loop.coming(day)
        moods = dict.fromkeys((r.number for r in active), 0.0)
        count_slates, share = 0, ERRAND_AT_START
        while active:
            count_slates += 1
            loop.run_errands(active, day, share)
            requests = [_request(world, reader, day, loop.histories[reader.number]) for reader in active]
            slates = recommend(world, requests, own)
            answers = [
                answer_slate(world, request.reader, [int(work) for work in slate], generators[request.number])
                for request, slate in zip(requests, slates, strict=True)
            ]
            if on_answers:
                on_answers(requests, slates, answers)
            for reader, given in zip(active, answers, strict=True):
                loop.histories[reader.number] += [answer for answer in given if answer.action is not Action.SHOW]
                reward = sum(reward_of(answer, rewards) for answer in given)
                total[day] += reward
                moods[reader.number] = mood_after(moods[reader.number], reward)
            active = [r for r in active if goes_on(moods[r.number], count_slates, generators[r.number])]
            share = ERRAND_BETWEEN
        loop.end_day(set(moods))
    return total


def _request(world: World, reader: Reader, day: int, history: list[Answer]) -> LoopRequest:
    is_allowed = world.added_day <= day
    is_allowed[list(reader.met)] = False
    return LoopRequest(reader.number, day, tuple(history), np.flatnonzero(is_allowed), reader)
