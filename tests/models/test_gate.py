"""The gate's verdicts on candidates whose worth is known, and what it records of them."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import torch
from stored_library import renamed
from toy_world import COUNT_WORKS, GROUPS, catalogue_of, logged_world, newborn

from models.episodes import Episodes, build
from models.gate import judge
from models.offpolicy import ESTIMATORS, estimates
from models.policy import Policy
from models.reweighing import by_policy, by_popularity, seen_from
from models.states import Catalogue
from models.train import TrainConfig, fit


@pytest.fixture(scope="module")
def learned() -> Policy:
    catalogue = catalogue_of()
    episodes = build(*logged_world(150, seed=3), catalogue, 0.0)
    config = TrainConfig(epochs=12, batch=128, learning_rate=1e-2)
    return fit(newborn().grown(catalogue.book_ids), episodes, catalogue, config, seed=1).policy


@pytest.fixture(scope="module")
def later() -> Episodes:
    """Slates drawn uniformly, all answered: no act was unasked."""
    return build(*logged_world(100, seed=8), catalogue_of(), 0.0)


@pytest.fixture(scope="module")
def unasked() -> Episodes:
    _, acts = logged_world(60, seed=8)
    return build([], [replace(a, slate_id=None) for a in acts], catalogue_of(), 0.0)


def liked_by_one_group() -> Catalogue:
    """Popularity knows the one group whose works `of_one_group` leaves."""
    catalogue = catalogue_of()
    return replace(catalogue, prior=(catalogue.book_ids % GROUPS == 0).astype(np.float32))


def of_one_group(episodes: Episodes) -> Episodes:
    rows = episodes.targets.rows
    return replace(episodes, targets=episodes.targets.take(np.flatnonzero((rows + 1) % GROUPS == 0)))


def test_a_candidate_whose_weights_are_no_numbers_is_refused_even_without_a_champion(later: Episodes) -> None:
    broken = newborn()
    with torch.no_grad():
        broken.start[3] = float("nan")

    for champion in (newborn(), None):
        verdict = judge(broken, champion, later, catalogue_of(), seed=1, explore=0.05)

        assert not verdict.may_serve
        assert verdict.reason == "broken: start hold values that are no numbers"
        assert np.isfinite(list(verdict.metrics.values())).all()


def test_every_estimate_is_recorded_of_both_and_all_are_numbers(learned: Policy, later: Episodes) -> None:
    metrics = judge(learned, newborn(), later, catalogue_of(), seed=1, explore=0.05).metrics

    for name in ESTIMATORS:
        assert {f"gate/value_{name}{part}" for part in ("", "_low", "_high", "_champion", "_can_tell")} <= set(metrics)
        assert metrics[f"gate/value_{name}_low"] <= metrics[f"gate/value_{name}"] <= metrics[f"gate/value_{name}_high"]
    assert metrics["gate/value"] == metrics["gate/value_independent"]
    assert metrics["gate/value_gain_low"] > 0
    assert metrics["gate/value_dr_gain_low"] > 0
    assert np.isfinite(list(metrics.values())).all()


def test_the_better_by_value_passes_and_the_worse_is_refused_with_the_figures(learned: Policy, later: Episodes) -> None:
    passed = judge(learned, newborn(), later, catalogue_of(), seed=1, explore=0.05)
    refused = judge(newborn(), learned, later, catalogue_of(), seed=1, explore=0.05)

    assert passed.may_serve
    assert not refused.may_serve
    assert refused.reason.startswith("worse than the champion: value of a place ")
    assert "value of a place, doubly robust" in refused.reason
    assert "cannot tell by" in refused.reason  # no act was unasked


def test_a_policy_is_not_worse_than_itself(learned: Policy, later: Episodes) -> None:
    verdict = judge(learned, learned, later, catalogue_of(), seed=1, explore=0.05)

    assert verdict.may_serve
    assert verdict.metrics["gate/value_gain_low"] == verdict.metrics["gate/value_gain_high"] == 0


def test_one_clearly_worse_than_popularity_on_unasked_acts_is_refused(unasked: Episodes) -> None:
    judged = of_one_group(unasked), liked_by_one_group()

    beside_champion = judge(newborn(seed=1), newborn(seed=1), *judged, seed=1, explore=0.05)
    alone = judge(newborn(seed=1), None, *judged, seed=1, explore=0.05)

    for verdict in (beside_champion, alone):
        assert not verdict.may_serve
        assert verdict.reason.startswith("worse than popularity: NDCG@10")
        assert verdict.metrics["gate/ndcg@10_over_popular_high"] < 0


def test_behind_popularity_the_clearly_better_ranking_still_replaces_the_worse_champion(
    learned: Policy, unasked: Episodes
) -> None:
    judged = of_one_group(unasked), liked_by_one_group()
    hostile = newborn(seed=1)
    with torch.no_grad():
        hostile.prior_weight.fill_(-30.0)  # the opposite of popularity

    verdict = judge(newborn(seed=1), hostile, *judged, seed=1, explore=0.05)
    reverse = judge(hostile, newborn(seed=1), *judged, seed=1, explore=0.05)

    assert verdict.may_serve
    assert verdict.reason.startswith("still behind popularity, yet ahead of the champion")
    assert reverse.reason.startswith("worse than the champion and popularity")


def test_the_first_policy_needs_no_champion_and_beats_no_one_worse(learned: Policy, unasked: Episodes) -> None:
    verdict = judge(learned, None, unasked, catalogue_of(), seed=1, explore=0.05)

    assert verdict.may_serve
    assert "no champion" in verdict.reason


def test_with_nothing_seen_since_the_gate_cannot_tell() -> None:
    nothing = build([], [], catalogue_of(), 0.0)

    verdict = judge(newborn(), newborn(), nothing, catalogue_of(), seed=1, explore=0.05)

    assert not verdict.may_serve
    assert verdict.reason == (
        "cannot tell yet: no slate was seen since the training data; "
        "0 unasked acts since the training data, 50 are needed"
    )


def test_the_value_of_the_policy_that_served_is_the_mean_reward_it_earned(later: Episodes) -> None:
    """Slates drawn uniformly are an exploring policy's with a share of 1: every weight is 1."""
    scorer = by_policy(newborn(), later.histories, catalogue_of())
    logged = seen_from(scorer, later.histories, later.slates, catalogue_of(), explore=1.0, seed=1)

    found = estimates(logged, 1)

    mean = later.slates.rewards[later.slates.shown].mean()
    for name in ("ips", "snips", "independent", "cascade"):
        assert found[name].value == pytest.approx(mean, abs=1e-6)
    assert found["independent"].effective == pytest.approx(later.slates.shown.sum(), rel=1e-6)
    assert found["dr"].value == pytest.approx(mean, abs=0.03)


def test_the_policy_that_knows_the_readers_is_worth_more_than_popularity(learned: Policy, later: Episodes) -> None:
    values = {}
    for name, scorer in {
        "learned": by_policy(learned, later.histories, catalogue_of()),
        "popular": by_popularity(catalogue_of(), pool=COUNT_WORKS),  # uniform over all: what drew the log
    }.items():
        logged = seen_from(scorer, later.histories, later.slates, catalogue_of(), explore=0.05, seed=1)
        values[name] = estimates(logged, 1)["dr"]

    assert values["popular"].value == pytest.approx(later.slates.rewards.mean(), abs=0.05)
    assert values["learned"].low > values["popular"].high


def test_a_work_shown_though_the_reader_had_met_it_weighs_nothing_and_the_rest_averages_one_at_most() -> None:
    """Readers come back after a day and are shown any work again, met or not."""
    slates, acts = logged_world(100, seed=3)
    day = timedelta(days=1)
    again, acts_again = renamed(*logged_world(100, seed=4))
    again = [replace(s, created_at=s.created_at + day) for s in again]
    acts = sorted(
        acts + [replace(a, occurred_at=a.occurred_at + day) for a in acts_again],
        key=lambda a: (a.reader_key, a.occurred_at),
    )
    decided = newborn()  # keenest on what is like the works a reader was glad of: above all these works themselves
    both = build([*slates, *again], acts, catalogue_of(), 0.0)
    scorer = by_policy(decided, both.histories, catalogue_of())

    logged = seen_from(scorer, both.histories, both.slates, catalogue_of(), explore=0.05, seed=1)

    may_show = both.histories.allowed(both.slates.at.start, both.slates.at.end, COUNT_WORKS)
    was_met = ~np.take_along_axis(may_show, both.slates.rows, axis=1)
    assert was_met[len(slates) :].mean() > 0.05
    assert not was_met[: len(slates)].any()
    assert (logged.ratios[was_met] == 0).all()
    assert logged.ratios[len(slates) :].mean() == pytest.approx(1.0, abs=0.15)
