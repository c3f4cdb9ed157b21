"""Returns, weights and losses against hand calculations."""

import numpy as np
import pytest
import torch

from models.reinforce import (
    baseline_loss,
    entropy,
    importance_weight,
    later_returns,
    policy_loss,
    supervised_loss,
    top_k_factor,
)


def test_later_reward_is_discounted_within_a_session_and_never_across() -> None:
    rewards = np.array([1.0, 5.0, 2.0, 4.0])
    sessions = np.array([0, 1, 0, 0])

    assert later_returns(rewards, sessions, 0.5).tolist() == [0.5 * (2 + 0.5 * 4), 0.0, 0.5 * 4, 0.0]


def test_no_discount_means_no_later_reward() -> None:
    assert later_returns(np.array([1.0, 2.0]), np.array([0, 0]), 0.0).tolist() == [0.0, 0.0]


def test_importance_weights_are_capped() -> None:
    weight = importance_weight(torch.tensor([0.2, 0.5]).log(), torch.tensor([0.4, 0.01]), cap=10.0)

    assert weight.tolist() == pytest.approx([0.5, 10.0])


def test_the_top_k_factor_is_that_of_the_paper() -> None:
    assert top_k_factor(torch.tensor([0.1, 1.0]), 3).tolist() == pytest.approx([3 * 0.9**2, 0.0])
    assert top_k_factor(torch.tensor([0.7]), 1).tolist() == [1.0]


def test_the_gradient_of_the_policy_loss_equals_a_hand_calculation() -> None:
    logits = torch.tensor([0.0, 0.0, 0.0], requires_grad=True)
    log_pi = logits.log_softmax(0)[:1][None]  # pi = 1/3 of work 0

    policy_loss(log_pi, torch.tensor([[0.5]]), torch.tensor([[2.0]]), torch.tensor([[1.0]]), cap=10.0, k=2).backward()

    # -(pi / beta) * K (1 - pi) * advantage * d log pi / d logits
    scale = -(1 / 3 / 0.5) * 2 * (2 / 3) * 2.0
    assert logits.grad is not None
    assert logits.grad.tolist() == pytest.approx([scale * 2 / 3, -scale / 3, -scale / 3])


def test_places_that_were_not_on_screen_teach_nothing() -> None:
    log_pi = torch.tensor([[-1.0, -2.0]], requires_grad=True)

    loss = policy_loss(log_pi, torch.full((1, 2), 0.5), torch.ones(1, 2), torch.tensor([[1.0, 0.0]]), cap=10.0, k=2)
    loss.backward()

    assert log_pi.grad is not None
    assert log_pi.grad[0, 0] != 0
    assert log_pi.grad[0, 1] == 0
    assert baseline_loss(torch.zeros(1, 2), torch.tensor([[1.0, 9.0]]), torch.tensor([[1.0, 0.0]])).item() == 1.0


def test_entropy_of_equal_choices_is_the_logarithm_of_their_number() -> None:
    assert entropy(torch.zeros(2, 8)).tolist() == pytest.approx([np.log(8)] * 2)


def test_the_supervised_loss_is_weighted_cross_entropy() -> None:
    logits = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])

    loss = supervised_loss(logits, torch.tensor([2, 0]), torch.tensor([3.0, 1.0]))

    own = -logits[0].log_softmax(0)[2].item()
    assert loss.item() == pytest.approx((3 * own + np.log(3)) / 4)


def test_sampled_negatives_with_their_log_q_estimate_the_full_softmax() -> None:
    generator = np.random.default_rng(0)
    logits = torch.randn(4, 200, generator=torch.Generator().manual_seed(0))
    targets, weights = torch.tensor([1, 5, 9, 13]), torch.ones(4)
    q = generator.dirichlet(np.ones(200) * 5)
    negatives = torch.from_numpy(generator.choice(200, size=100_000, p=q))

    sampled = supervised_loss(logits, targets, weights, negatives, torch.from_numpy(np.log(q)))

    assert sampled.item() == pytest.approx(supervised_loss(logits, targets, weights).item(), abs=0.01)
