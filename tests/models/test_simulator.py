"""The closed loop: what a recommender gets out of simulated readers."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models import rewards, simulator
from models.simulated_loop import LoopRequest, Recommend, run_closed_loop
from models.simulated_readers import Reader, live_a_day, make_reader, put_away, take_up
from models.simulated_world import World, make_world, world_of
from models.simulator import Answer
from openshelf.contracts import Action, Surface

REWARDS = rewards.load()
SEED = 3
Score = Callable[[World, LoopRequest], NDArray]


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(500, 12, SEED)


def ranked_by(score: Score) -> Recommend:
    def recommend(world: World, requests: Sequence[LoopRequest], rng: np.random.Generator) -> list[NDArray]:
        return [request.allowed[np.argsort(-score(world, request), kind="stable")[:10]] for request in requests]

    return recommend


def at_random(world: World, requests: Sequence[LoopRequest], rng: np.random.Generator) -> list[NDArray]:
    return [rng.choice(request.allowed, 10, replace=False) for request in requests]


def taste(world: World, request: LoopRequest) -> NDArray:
    return (world.topics[request.allowed] @ request.reader.tastes.T).max(axis=1)


popular = ranked_by(lambda world, request: world.fame[request.allowed])
oracle = ranked_by(lambda world, request: simulator.expected_reward(world, request.reader, request.allowed, REWARDS))
bait = ranked_by(lambda world, request: taste(world, request) + world.hook[request.allowed])
substance = ranked_by(lambda world, request: taste(world, request) - world.hook[request.allowed])


def live(world: World, recommend: Recommend, days: int = 6, seed: int = SEED) -> tuple[float, float, int]:
    """Reward in all, opened of shown, slates."""
    actions: list[Action] = []
    counts = []

    def note(_requests: object, slates: Sequence[NDArray], answers: Sequence[list[Answer]]) -> None:
        counts.append(len(slates))
        actions.extend(answer.action for given in answers for answer in given)

    total = run_closed_loop(world, recommend, days, seed, rewards=REWARDS, on_answers=note).sum()
    return float(total), actions.count(Action.OPEN) / actions.count(Action.SHOW), sum(counts)


def test_a_recommender_that_knows_tastes_beats_popularity_and_popularity_beats_chance(world: World) -> None:
    random_reward, popular_reward, oracle_reward = (live(world, by)[0] for by in (at_random, popular, oracle))

    assert popular_reward > 1.05 * random_reward
    assert oracle_reward > 2 * popular_reward


def test_bait_is_opened_more_but_earns_less(world: World) -> None:
    bait_reward, bait_clicks, _ = live(world, bait)
    reward, clicks, _ = live(world, substance)

    assert bait_clicks > clicks
    assert bait_reward < 0.6 * reward


def test_disappointed_readers_leave_sooner() -> None:
    rng = np.random.default_rng(SEED)

    def mean_slates(reward: float) -> float:
        counts = []
        for _ in range(400):
            mood, count = simulator.mood_after(0.0, reward), 1
            while simulator.goes_on(mood, count, rng):
                mood, count = simulator.mood_after(mood, reward), count + 1
            counts.append(count)
        return float(np.mean(counts))

    disappointed, indifferent, pleased = (mean_slates(reward) for reward in (-3.0, 0.0, 5.0))

    assert 1.3 * disappointed < indifferent
    assert 1.3 * indifferent < pleased


def test_the_same_seed_lives_the_same_lives_and_another_seed_does_not(world: World) -> None:
    first, again, other = (run_closed_loop(world, at_random, 4, seed, rewards=REWARDS) for seed in (1, 1, 2))

    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_the_oracle_expects_what_readers_then_give(world: World) -> None:
    works = np.arange(0, len(world), 25)
    expected, given = np.zeros(len(works)), np.zeros(len(works))
    rng = np.random.default_rng(SEED)
    for number in (n for n in range(60) if not make_reader(world, n, SEED).is_odd):
        expected += simulator.expected_reward(world, make_reader(world, number, SEED), works, REWARDS)
        for column, work in enumerate(works):
            for _ in range(3):
                answers = simulator.answer_slate(world, make_reader(world, number, SEED), [int(work)], rng)
                given[column] += sum(simulator.reward_of(answer, REWARDS) for answer in answers) / 3

    # Rounding and clipping of stars is all that the expectation leaves out.
    assert given.sum() == pytest.approx(expected.sum(), rel=0.12)
    assert np.corrcoef(expected, given)[0, 1] > 0.85


def test_places_further_down_are_seen_less_often(world: World) -> None:
    reader = make_reader(world, 0, SEED)
    rng = np.random.default_rng(SEED)
    seen = [0] * 12
    for _ in range(300):
        for answer in simulator.answer_slate(world, reader, range(12), rng):
            if answer.action is Action.SHOW and answer.position is not None:
                seen[answer.position] += 1

    assert seen[:3] == [300, 300, 300]
    assert all(above >= below for above, below in pairwise(seen))
    assert 60 < seen[11] < 240


def test_one_subject_over_and_over_bores_and_a_week_away_cures(world: World) -> None:
    reader = make_reader(world, 1, SEED, is_faithful=True)
    works = np.argsort(-(world.topics @ reader.tastes[0]))
    fresh = simulator.chances(world, reader, works[20:30]).open.mean()
    rng = np.random.default_rng(SEED)
    for work in works[:8]:
        simulator.use_work(world, reader, int(work), Surface.BROWSE, rng)

    bored = simulator.chances(world, reader, works[20:30]).open.mean()
    reader.boredom *= 0.7**7
    rested = simulator.chances(world, reader, works[20:30]).open.mean()

    assert bored < 0.6 * fresh
    assert rested > bored + 0.5 * (fresh - bored)


def test_a_book_in_a_language_the_reader_does_not_read_is_hardly_ever_opened() -> None:
    world = catalogue(["eng"] * 40 + ["vie"] * 40)
    reader = make_reader(world, 0, SEED, is_faithful=True)
    assert reader.languages == ("eng",)

    chance = simulator.chances(world, reader, np.arange(80))

    assert chance.open[40:].max() < 0.08
    assert chance.open[:40].max() > 0.2


def test_works_arrive_and_are_not_recommended_before(world: World) -> None:
    first_days: dict[int, int] = {}

    def note(requests: Sequence[LoopRequest], slates: Sequence[NDArray], _answers: object) -> None:
        for request, slate in zip(requests, slates, strict=True):
            for work in slate:
                first_days.setdefault(int(work), request.day)

    run_closed_loop(world, at_random, 6, SEED, rewards=REWARDS, on_answers=note)

    late = {work: day for work, day in first_days.items() if world.added_day[work] > 0}
    assert len(late) > 10
    assert all(day >= world.added_day[work] for work, day in late.items())


def catalogue(languages: Sequence[str | None], **changes: Any) -> World:
    subjects = [["science", "history"], ["history"], ["cooking"], ["poetry", "classics"]]
    facts: dict[str, Any] = {
        "book_ids": list(range(100, 100 + len(languages))),
        "subjects": [subjects[row % 4] for row in range(len(languages))],
        "languages": languages,
        "ratings": [4.0] * len(languages),
        "added_day": [0.0] * len(languages),
        "seed": SEED,
    }
    return world_of(**(facts | changes))


def test_works_of_the_same_subjects_are_close_and_those_of_other_subjects_are_not() -> None:
    world = catalogue(["eng"] * 12)

    closeness = world.topics @ world.topics.T

    assert closeness[0, 4] > 0.85
    assert closeness[0, 1] < closeness[0, 4]
    assert closeness[0, 2] < 0.4


def test_a_growing_catalogue_keeps_quality_and_hook_of_its_works() -> None:
    small, large = catalogue(["eng"] * 12), catalogue(["eng"] * 30)

    assert small.quality.tolist() == large.quality[:12].tolist()
    assert small.hook.tolist() == large.hook[:12].tolist()


def test_a_catalogue_with_gaps_still_makes_a_world_with_readers() -> None:
    world = catalogue([None, None, "eng"], subjects=[[], ["rare"], []], ratings=[None, 5.0, None])

    reader = make_reader(world, 0, SEED)

    assert np.isfinite(world.topics).all()
    assert np.isfinite(simulator.chances(world, reader, np.arange(3)).open).all()


def test_a_life_put_away_goes_on_as_if_it_had_not_stopped(world: World) -> None:
    reader = make_reader(world, 4, SEED)
    rng = np.random.default_rng(SEED)
    for work in range(5):
        simulator.use_work(world, reader, work, Surface.BROWSE, rng)
    live_a_day(world, reader, rng)

    other = make_reader(world, 4, SEED)
    take_up(world, other, put_away(world, reader))

    assert other.met == reader.met == {0, 1, 2, 3, 4}
    assert np.allclose(other.tastes, reader.tastes, atol=1e-3)
    assert np.allclose(other.boredom, reader.boredom, atol=1e-3)
    assert not np.allclose(make_reader(world, 4, SEED).boredom, reader.boredom, atol=1e-3)


def test_the_readership_has_light_heavy_single_and_odd_readers(world: World) -> None:
    readers: list[Reader] = [make_reader(world, number, SEED) for number in range(400)]

    rates = np.array([reader.sessions_a_day for reader in readers])
    assert 0.35 < rates.mean() < 0.5
    assert np.quantile(rates, 0.9) > 4 * np.quantile(rates, 0.1)
    assert 20 < sum(reader.is_once for reader in readers) < 80
    assert 8 < sum(reader.is_odd for reader in readers) < 40
