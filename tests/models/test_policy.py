"""States and scores of the policy, over catalogues that change."""

from datetime import timedelta

import numpy as np
import torch
from toy_world import START, act, catalogue_of, newborn, unit_rows

from models.plackett_luce import draw, slate_noise
from models.policy import Policy, PolicyConfig
from models.states import ACTIONS, MAX_ACTS, Catalogue, gap_bucket, state_batch
from openshelf.contracts import Action


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
        drawn = draw(logits, torch.ones(1, 10, dtype=torch.bool), 10, noise=slate_noise([1], 10))

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
