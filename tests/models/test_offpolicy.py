"""Off-policy estimates against the truth of small worlds in which any policy's value can be had by acting it out."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from models.offpolicy import ESTIMATORS, Estimate, Logged, estimates, gain, weights
from models.plackett_luce import draw
from models.reward_model import FOLDS, crossfit, expected_features, folds, work_means

WORKS, PLACES, KINDS, EXPLORE = 40, 3, 4, 0.1
REPETITIONS = 120


@dataclass(frozen=True)
class World:
    """Readers of a few kinds; each kind is glad of a work with its own chance."""

    glad: np.ndarray  # (KINDS, WORKS)
    is_cascade: bool  # a reader who has just been glad cares less for the place below, where the logger made few glad

    def rewards(self, kinds: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        rewards = np.zeros(rows.shape)
        for place in range(rows.shape[1]):
            chance = self.glad[kinds, rows[:, place]]
            if self.is_cascade and place:
                chance = chance * np.where(rewards[:, :place].any(1), 0.1, 1.0)
            rewards[:, place] = rng.random(len(rows)) < chance
        return rewards


def world_of(is_cascade: bool = False) -> World:
    return World(np.random.default_rng(5).random((KINDS, WORKS)) ** 2, is_cascade)


def logits_of(world: World, taste: float, seed: int = 0) -> np.ndarray:
    """(KINDS, WORKS) of a policy that knows the readers' taste so well, and is otherwise wilful."""
    return taste * world.glad + 0.5 * np.random.default_rng(seed).standard_normal(world.glad.shape)


def drawn(logits: np.ndarray, kinds: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows and propensities (B, PLACES), place by place as the words have it: another way than the library's."""
    example, left = np.arange(len(kinds)), np.exp(logits[kinds])
    rows, propensities = np.zeros((len(kinds), PLACES), dtype=np.int64), np.zeros((len(kinds), PLACES))
    for place in range(PLACES):
        is_left = left > 0
        chances = EXPLORE * is_left / is_left.sum(1, keepdims=True)
        chances += (1 - EXPLORE) * left / left.sum(1, keepdims=True)
        rows[:, place] = (chances.cumsum(1) < rng.random((len(kinds), 1)) * chances.sum(1, keepdims=True)).sum(1)
        propensities[:, place] = chances[example, rows[:, place]]
        left[example, rows[:, place]] = 0
    return rows, propensities


def truth(world: World, logits: np.ndarray, slates: int = 60_000) -> float:
    """Mean reward of a place under the policy, by acting it out."""
    rng = np.random.default_rng(99)
    kinds = rng.integers(KINDS, size=slates)
    return float(world.rewards(kinds, drawn(logits, kinds, rng)[0], rng).mean())


def log_of(world: World, logger: np.ndarray, target: np.ndarray, seed: int, readers: int = 250) -> Logged:
    """Two slates of each reader drawn by `logger`, seen from `target`."""
    rng = np.random.default_rng(seed)
    numbers = np.repeat(np.arange(readers), 2)
    kinds = rng.integers(KINDS, size=readers)[numbers]
    rows, propensity = drawn(logger, kinds, rng)
    rewards = world.rewards(kinds, rows, rng)
    logits, allowed = torch.from_numpy(target[kinds]), torch.ones(len(kinds), WORKS, dtype=torch.bool)
    own = draw(logits, allowed, PLACES, explore=EXPLORE, given=torch.from_numpy(rows)).propensity.numpy()
    predicted, expected = modelled(target[kinds], rows, rewards, numbers, seed)
    everywhere = np.ones(rows.shape, dtype=bool)
    return Logged(own / propensity, rewards, everywhere, everywhere, numbers, predicted, expected)


def modelled(
    logits: np.ndarray, rows: np.ndarray, rewards: np.ndarray, readers: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    fold, placed = folds(readers, seed), np.ones(rows.shape, dtype=bool)
    means = np.broadcast_to(work_means(rows, rewards, placed, fold, WORKS), (len(rows), WORKS, FOLDS))
    features = np.concatenate([logits[..., None], means], axis=2)
    logged = features[np.arange(len(rows))[:, None], rows]
    likely, uniform = (expected_features(mass, rows, features) for mass in (np.exp(logits), np.ones_like(logits)))
    return crossfit(logged, EXPLORE * uniform + (1 - EXPLORE) * likely, rewards, placed, fold)


def repeated(world: World, logger: np.ndarray, target: np.ndarray) -> dict[str, list[Estimate]]:
    found: dict[str, list[Estimate]] = {name: [] for name in ESTIMATORS}
    for seed in range(REPETITIONS):
        for name, estimate in estimates(log_of(world, logger, target, seed), seed, cap=1e9, draws=200).items():
            found[name].append(estimate)
    return found


def coverage(found: list[Estimate], value: float) -> float:
    return float(np.mean([estimate.low <= value <= estimate.high for estimate in found]))


@pytest.fixture(scope="module")
def alone() -> tuple[dict[str, list[Estimate]], float]:
    world = world_of()
    logger, target = logits_of(world, 0.5, seed=1), logits_of(world, 1.5, seed=2)
    return repeated(world, logger, target), truth(world, target)


@pytest.fixture(scope="module")
def cascade() -> tuple[dict[str, list[Estimate]], float]:
    world = world_of(is_cascade=True)
    logger, target = logits_of(world, 0.0, seed=1), logits_of(world, 2.0, seed=1)
    return repeated(world, logger, target), truth(world, target)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_where_a_reward_hangs_on_its_work_alone_every_interval_covers_the_truth(
    name: str, alone: tuple[dict[str, list[Estimate]], float]
) -> None:
    found, value = alone

    assert 0.88 <= coverage(found[name], value) <= 1.0
    assert abs(np.mean([estimate.value for estimate in found[name]]) - value) < 0.01


@pytest.mark.parametrize("name", ["ips", "snips", "cascade", "cascade_dr"])
def test_where_a_reward_hangs_on_the_places_above_the_weights_of_the_slate_cover_the_truth(
    name: str, cascade: tuple[dict[str, list[Estimate]], float]
) -> None:
    found, value = cascade

    assert 0.88 <= coverage(found[name], value) <= 1.0
    assert abs(np.mean([estimate.value for estimate in found[name]]) - value) < 0.005


@pytest.mark.parametrize("name", ["independent", "dr"])
def test_where_a_reward_hangs_on_the_places_above_a_place_on_its_own_misses_the_truth(
    name: str, cascade: tuple[dict[str, list[Estimate]], float]
) -> None:
    found, value = cascade

    assert np.mean([estimate.value for estimate in found[name]]) - value > 0.04
    assert coverage(found[name], value) < 0.1


def test_assuming_more_and_modelling_rewards_take_noise_away(alone: tuple[dict[str, list[Estimate]], float]) -> None:
    noise = {name: float(np.std([estimate.value for estimate in found])) for name, found in alone[0].items()}

    assert noise["ips"] > noise["snips"] > noise["cascade"] > noise["independent"] > noise["dr"]
    assert noise["cascade"] > noise["cascade_dr"]


@pytest.mark.parametrize("per", ["place", "slate"])
def test_the_policy_that_drew_the_log_is_worth_exactly_the_mean_of_the_log(per: str) -> None:
    logger = logits_of(world_of(), 0.5)
    logged = without_model(log_of(world_of(), logger, logger, seed=3))
    mean = logged.rewards.mean() * (PLACES if per == "slate" else 1)

    found = estimates(logged, 1, per=per)

    assert set(found) == {"ips", "snips", "independent", "cascade"}
    for estimate in found.values():
        assert estimate.value == pytest.approx(mean, abs=1e-9)
        assert estimate.low < mean < estimate.high
        assert estimate.can_tell
        assert estimate.capped == 0
    assert found["independent"].effective == pytest.approx(logged.shown.sum())
    assert found["cascade"].effective == pytest.approx(len(logged))


def test_what_was_not_on_screen_is_not_counted_per_place_and_earns_nothing_per_slate() -> None:
    logger = logits_of(world_of(), 0.5)
    whole = without_model(log_of(world_of(), logger, logger, seed=3))
    logged = replace(whole, shown=np.broadcast_to(np.arange(PLACES) < PLACES - 1, whole.shown.shape))

    per_place, per_slate = (estimates(logged, 1, per=per)["snips"].value for per in ("place", "slate"))

    assert per_place == pytest.approx(whole.rewards[:, :-1].mean())
    assert per_slate == pytest.approx(whole.rewards[:, :-1].sum(1).mean())


def test_a_policy_far_from_the_log_cannot_be_told() -> None:
    world = world_of()
    logged = log_of(world, logits_of(world, 0.0, seed=1), logits_of(world, 25.0, seed=2), seed=3)

    found = estimates(logged, 1)

    assert not any(found[name].can_tell for name in ("ips", "snips", "cascade", "cascade_dr"))
    assert "needed" in found["cascade"].reason
    assert found["independent"].capped > 0.01


def test_works_the_logger_could_not_draw_are_missed_by_the_average_weight() -> None:
    """The target puts half of each place on works that the log never holds; what is held is plenty."""
    readers = np.arange(2_000)
    everywhere = np.ones((2_000, 1), dtype=bool)
    logged = Logged(np.full((2_000, 1), 0.5), np.ones((2_000, 1)), everywhere, everywhere, readers)

    estimate = estimates(logged, 1)["independent"]

    assert not estimate.can_tell
    assert estimate.reason == "the log holds 50% of what this policy would show, 80% are needed"


def test_propensities_that_cannot_be_the_logger_s_are_named() -> None:
    everywhere = np.ones((2_000, 1), dtype=bool)
    logged = Logged(np.full((2_000, 1), 2.0), np.ones((2_000, 1)), everywhere, everywhere, np.arange(2_000))

    assert "propensities do not fit" in estimates(logged, 1)["independent"].reason


@pytest.mark.parametrize(
    ("readers", "reason"), [(8, "8 readers, 10 are needed"), (21, "63 effective places, 100 are needed")]
)
def test_too_little_of_a_log_cannot_tell_and_says_how_little(readers: int, reason: str) -> None:
    logger = logits_of(world_of(), 0.5)
    whole = without_model(log_of(world_of(), logger, logger, seed=3))
    first = slice(0, 2 * readers, 2)
    logged = Logged(*(x[first] for x in (whole.ratios, whole.rewards, whole.placed, whole.shown, whole.readers)))

    assert estimates(logged, 1)["independent"].reason == reason


def test_nothing_shown_and_probabilities_that_are_no_numbers_are_no_estimate() -> None:
    logger = logits_of(world_of(), 0.5)
    whole = log_of(world_of(), logger, logger, seed=3)

    unseen = estimates(replace(whole, shown=np.zeros_like(whole.shown)), 1)["dr"]
    broken = estimates(replace(whole, ratios=np.full_like(whole.ratios, np.nan)), 1)["dr"]

    assert (unseen.can_tell, unseen.reason) == (False, "no place was shown")
    assert not broken.can_tell
    assert "no numbers" in broken.reason


def test_the_cap_cuts_weights_and_the_share_cut_is_told() -> None:
    world = world_of()
    logged = log_of(world, logits_of(world, 0.0, seed=1), logits_of(world, 2.0, seed=1), seed=3)

    tight, wide = (estimates(logged, 1, cap=cap)["cascade"] for cap in (2.0, 1e9))

    assert tight.capped == pytest.approx((weights(logged, "cascade")[0] > 2.0).mean())
    assert wide.capped == 0
    assert tight.effective > wide.effective
    assert tight.value < wide.value  # what is cut is what the better policy shows


def test_a_gain_is_surer_than_its_two_parts_and_a_policy_gains_nothing_on_itself() -> None:
    world = world_of()
    logger, better = logits_of(world, 0.5), logits_of(world, 1.5)
    own, other = (log_of(world, logger, target, seed=3) for target in (better, logits_of(world, 0.8)))

    for name in ("independent", "dr", "cascade"):
        difference = gain(own, other, name, 1)
        parts = [estimates(logged, 1)[name] for logged in (own, other)]
        assert difference.value == pytest.approx(parts[0].value - parts[1].value)
        assert difference.high - difference.low < sum(part.high - part.low for part in parts) / 2
        assert difference.low > 0
        assert gain(own, own, name, 1).low == gain(own, own, name, 1).high == 0


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    logger = logits_of(world_of(), 0.5)
    logged = log_of(world_of(), logger, logits_of(world_of(), 1.0), seed=3)

    first, again, other = (estimates(logged, seed)["dr"] for seed in (1, 1, 2))

    assert first == again
    assert first.low != other.low


def test_no_reward_predicts_itself() -> None:
    """A reader's rewards may be anything: what is predicted for them stays."""
    rng = np.random.default_rng(0)
    rows, readers = rng.integers(WORKS, size=(60, PLACES)), np.repeat(np.arange(30), 2)
    logits, rewards = rng.standard_normal((60, WORKS)), rng.random((60, PLACES))
    changed = np.where((readers == 7)[:, None], 1_000.0, rewards)

    before, after = (modelled(logits, rows, x, readers, seed=1) for x in (rewards, changed))

    own = readers == 7
    assert np.array_equal(np.array(before)[:, own], np.array(after)[:, own])
    assert not np.allclose(before[0][~own], after[0][~own])


def test_what_a_policy_would_put_at_a_place_is_averaged_over_all_works_that_are_left() -> None:
    rng = np.random.default_rng(0)
    mass, features = np.exp(5 * rng.standard_normal((2, 6))), rng.random((6, 2))
    mass[:, 5] = 0  # not to be drawn
    rows = np.array([[0, 3, 1], [2, 4, -1]])

    found = expected_features(mass, rows, features)

    for i, place in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]:
        left = [row for row in range(5) if row not in rows[i, :place]]
        by_hand = sum(mass[i, row] * features[row] for row in left) / mass[i, left].sum()
        assert found[i, place] == pytest.approx(by_hand)


def without_model(logged: Logged) -> Logged:
    return replace(logged, predicted=None, expected=None)
