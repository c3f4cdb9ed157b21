"""Probabilities, states and catalogues of the policy."""

from datetime import timedelta

import numpy as np
import pytest
import torch
from toy_world import START, act, catalogue_of, newborn, unit_rows

from models.policy import NOT_DRAWABLE, Noise, Policy, PolicyConfig, draw, slate_noise
from models.states import ACTIONS, MAX_ACTS, Catalogue, gap_bucket, state_batch
from openshelf.contracts import Action


def test_propensities_of_a_given_slate_equal_a_hand_calculation() -> None:
    weights = torch.tensor([[1.0, 2.0, 3.0, 4.0]])  # of works 0..3
    given = torch.tensor([[3, 1, 0]])

    drawn = draw(weights.log(), torch.ones(1, 4, dtype=torch.bool), 3, explore=0.1, given=given)

    by_hand = [4 / 10, 2 / 6, 1 / 4]
    assert drawn.log_pi.exp()[0].tolist() == pytest.approx(by_hand)
    expected = [0.1 / left + 0.9 * pi for left, pi in zip((4, 3, 2), by_hand, strict=True)]
    assert drawn.propensity[0].tolist() == pytest.approx(expected)


def test_a_work_that_is_not_allowed_takes_no_probability() -> None:
    logits = torch.tensor([[0.0, 5.0, 0.0]])
    allowed = torch.tensor([[True, False, True]])

    drawn = draw(logits, allowed, 2, explore=0.2, given=torch.tensor([[0, 2]]))

    assert drawn.propensity[0].tolist() == pytest.approx([0.5, 1.0])


@pytest.mark.parametrize("explore", [0.0, 0.3])
def test_slates_are_drawn_as_often_as_their_propensities_say(explore: float) -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0, -1.0]]).expand(40_000, 4)
    allowed = torch.ones(40_000, 4, dtype=torch.bool)

    drawn = draw(logits, allowed, 2, explore=explore, noise=slate_noise(list(range(40_000)), 4, 2))

    for first in range(4):
        for second in set(range(4)) - {first}:
            pair = torch.tensor([[first, second]])
            probability = draw(logits[:1], allowed[:1], 2, explore=explore, given=pair).propensity.prod().item()
            share = (drawn.rows == pair).all(1).double().mean().item()
            assert share == pytest.approx(probability, abs=0.01)


def test_scoring_a_drawn_slate_gives_the_propensities_it_was_drawn_with() -> None:
    logits = torch.randn(20, 30, generator=torch.Generator().manual_seed(1)) * 8
    allowed = torch.rand(20, 30, generator=torch.Generator().manual_seed(2)) > 0.2

    drawn = draw(logits, allowed, 6, explore=0.2, noise=slate_noise(list(range(20)), 30, 6))
    scored = draw(logits, allowed, 6, explore=0.2, given=drawn.rows)

    assert torch.equal(scored.propensity, drawn.propensity)
    assert allowed.gather(1, drawn.rows).all()
    assert all(len(set(rows)) == 6 for rows in drawn.rows.tolist())
    assert drawn.explored.any()


def test_the_least_likely_slate_still_has_a_probability_above_zero() -> None:
    logits = torch.tensor([[40.0, 40.0, -40.0]])

    drawn = draw(logits, torch.ones(1, 3, dtype=torch.bool), 3, given=torch.tensor([[2, 0, 1]]))

    assert drawn.propensity.min().item() > 0
    assert drawn.propensity[0].tolist() == pytest.approx([np.exp(-80) / 2, 0.5, 1.0], rel=1e-4)


def test_when_works_run_out_the_rest_of_the_slate_is_padding() -> None:
    logits = torch.tensor([[0.0, 0.0, NOT_DRAWABLE]])
    noise = Noise(torch.tensor([[1.0, 2.0, 3.0]]), torch.ones(1, 4), torch.zeros(1, 4))

    drawn = draw(logits, torch.ones(1, 3, dtype=torch.bool), 4, explore=0.1, noise=noise)

    assert drawn.rows[0].tolist() == [0, 1, -1, -1]


def test_a_slate_is_the_same_whatever_else_is_in_the_batch() -> None:
    alone, together = slate_noise([7], 100, 5), slate_noise([3, 7, 9], 100, 5)

    assert torch.equal(alone.exponential[0], together.exponential[1])
    assert torch.equal(alone.pick[0], together.pick[1])


def test_at_birth_the_nearest_works_to_a_liked_one_lead_and_a_hidden_one_pushes_away() -> None:
    catalogue, policy = catalogue_of(), newborn()
    items = policy.items(catalogue)
    near = items.vectors @ items.vectors[9]

    with torch.inference_mode():
        batch = state_batch([[act(10)], [act(10, Action.HIDE, -2.0)]], [START, START], catalogue)
        liked, hidden = policy.logits(policy.encode(items, batch), items)

    assert liked.argsort().tolist() == near.argsort().tolist()
    assert hidden.argsort().tolist() == (-near).argsort().tolist()


def test_the_newer_of_two_tastes_weighs_more() -> None:
    catalogue, policy = catalogue_of(), newborn(PolicyConfig(dim=16, half_life_acts=1.0))
    with torch.no_grad():
        items = policy.items(catalogue)

    with torch.no_grad():
        state = policy.encode(items, state_batch([[act(3), act(8)]], [START], catalogue))[0]

    assert state @ items.vectors[7] > state @ items.vectors[2]


def test_no_history_gives_the_start_vector() -> None:
    catalogue, policy = catalogue_of(), newborn()

    with torch.inference_mode():
        state = policy.encode(policy.items(catalogue), state_batch([[], [act(3)]], [START, START], catalogue))[0]

    assert state.tolist() == [0.0] * 16  # the start vector at birth


def test_acts_of_a_work_that_has_left_the_catalogue_and_padding_do_not_change_the_state() -> None:
    catalogue, policy = catalogue_of(), newborn()
    items = policy.items(catalogue)

    with torch.inference_mode():
        alone = policy.encode(items, state_batch([[act(3)]], [START], catalogue))[0]
        padded = policy.encode(items, state_batch([[act(3)], [act(4)] * 9], [START] * 2, catalogue))[0]

    assert torch.allclose(alone, padded, atol=1e-6)


def test_the_catalogue_grows_and_shrinks_without_touching_the_network() -> None:
    policy = trained_a_little(newborn(), catalogue_of(30))
    small, large = catalogue_of(30), catalogue_of(30)
    large = Catalogue(np.arange(1, 41), np.concatenate([small.texts, unit_rows(10, seed=9)]), np.zeros(40, np.float32))
    shrunk = Catalogue(large.book_ids[5:], large.texts[5:], large.prior[5:])
    history = [[act(10), act(12)]]

    with torch.inference_mode():
        logits = [
            policy.logits(policy.encode(items, state_batch(history, [START], c)), items)[0]
            for c in (small, large, shrunk)
            for items in [policy.items(c)]
        ]

    assert torch.allclose(logits[0], logits[1][:30], atol=1e-5)
    assert torch.allclose(logits[1][5:], logits[2], atol=1e-5)
    assert len(logits[1]) == 40


def test_growing_the_residuals_changes_no_score() -> None:
    catalogue = catalogue_of(30)
    policy = trained_a_little(newborn(), catalogue)
    grown = policy.grown(np.arange(1, 61)).eval()

    assert len(grown.known_ids) == 60
    assert torch.equal(policy.items(catalogue).vectors, grown.items(catalogue).vectors)
    assert torch.equal(policy.items(catalogue).bias, grown.items(catalogue).bias)


def test_a_work_without_text_embedding_is_not_drawn_by_the_policy() -> None:
    catalogue = catalogue_of(10)
    catalogue.texts[4] = 0
    policy = newborn()
    items = policy.items(catalogue)

    with torch.inference_mode():
        logits = policy.logits(policy.encode(items, state_batch([[act(3)]], [START], catalogue)), items)
        drawn = draw(logits, torch.ones(1, 10, dtype=torch.bool), 10, noise=slate_noise([1], 10, 10))

    assert 4 not in drawn.rows[0].tolist()
    assert drawn.rows[0].tolist().count(-1) == 1


def test_impressions_are_no_part_of_the_state_and_only_the_last_fifty_acts_are() -> None:
    catalogue = catalogue_of()
    acts = [act(1 + i % 60, minutes_ago=100 - i) for i in range(60)] + [act(5, Action.SHOW, 0.0)] * 20

    batch = state_batch([acts], [START], catalogue)

    assert batch.rows.shape == (1, MAX_ACTS)
    assert batch.rows[0].tolist() == [catalogue.row_of[a.book_id] for a in acts[10:60] if a.book_id]


def test_every_action_has_its_place_and_gaps_are_bucketed() -> None:
    assert set(ACTIONS) == set(Action)
    assert gap_bucket(np.array([0.0, 59, 60, timedelta(days=400).total_seconds()])).tolist() == [0, 0, 1, 6]


def trained_a_little(policy: Policy, catalogue: Catalogue) -> Policy:
    """Any numbers other than those of birth, in every parameter."""
    policy = policy.grown(catalogue.book_ids)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)
    return policy.eval()
