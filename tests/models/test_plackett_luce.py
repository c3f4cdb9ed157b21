"""Slates and their probabilities."""

import numpy as np
import pytest
import torch

from models.plackett_luce import BLOCK, BOUND, NOT_DRAWABLE, Excluded, Masses, draw, draw_from, slate_noise


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

    drawn = draw(logits, allowed, 2, explore=explore, noise=slate_noise(list(range(40_000)), 2))

    for first in range(4):
        for second in set(range(4)) - {first}:
            pair = torch.tensor([[first, second]])
            probability = draw(logits[:1], allowed[:1], 2, explore=explore, given=pair).propensity.prod().item()
            share = (drawn.rows == pair).all(1).double().mean().item()
            assert share == pytest.approx(probability, abs=0.01)


def test_scoring_a_drawn_slate_gives_the_propensities_it_was_drawn_with() -> None:
    logits = torch.randn(20, 30, generator=torch.Generator().manual_seed(1)) * 8
    allowed = torch.rand(20, 30, generator=torch.Generator().manual_seed(2)) > 0.2

    drawn = draw(logits, allowed, 6, explore=0.2, noise=slate_noise(list(range(20)), 6))
    scored = draw(logits, allowed, 6, explore=0.2, given=drawn.rows)

    assert torch.allclose(scored.propensity, drawn.propensity, rtol=1e-6, atol=0)
    assert torch.allclose(scored.log_pi, drawn.log_pi, atol=1e-5)
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

    drawn = draw(logits, torch.ones(1, 3, dtype=torch.bool), 4, noise=slate_noise([1], 4))

    assert sorted(drawn.rows[0].tolist()) == [-1, -1, 0, 1]
    assert drawn.rows[0, 2:].tolist() == [-1, -1]
    assert drawn.propensity[0, :2].tolist() == [0.5, 1.0]


def test_a_slate_is_the_same_whatever_else_is_in_the_batch() -> None:
    alone, together = slate_noise([7], 5), slate_noise([3, 7, 9], 5)

    assert np.array_equal(alone.order[0], together.order[1])
    assert np.array_equal(alone.pick[0], together.pick[1])


@pytest.mark.parametrize("explore", [0.05, 0.5])
def test_propensities_of_many_works_equal_those_summed_one_by_one(explore: float) -> None:
    count, seeds = 3 * BLOCK + 7, list(range(200))
    logits = torch.randn(len(seeds), count, generator=torch.Generator().manual_seed(3)) * 8
    logits.clamp_(-BOUND, BOUND)
    allowed = torch.ones(logits.shape, dtype=torch.bool)

    drawn = draw(logits, allowed, 8, explore=explore, noise=slate_noise(seeds, 8))

    masses = logits.double().exp().numpy()
    for i, rows in enumerate(drawn.rows.tolist()):
        expected = []
        for place, row in enumerate(rows):
            expected.append(explore / (count - place) + (1 - explore) * masses[i, row] / masses[i].sum())
            masses[i, row] = 0.0
        assert drawn.propensity[i].tolist() == pytest.approx(expected, rel=1e-5)


def test_where_one_work_has_nearly_all_the_mass_the_rest_of_the_slate_is_drawn_from_what_remains() -> None:
    count = 2 * BLOCK
    logits = torch.zeros(4_000, count)
    logits[:, 5] = BOUND  # all but 1e-15 of the mass
    logits[:, 6] = BOUND / 2  # all but 1e-6 of what remains
    logits[:, BLOCK + 1] = np.log(2.0)

    drawn = draw(logits, torch.ones_like(logits, dtype=torch.bool), 3, noise=slate_noise(list(range(4_000)), 3))

    assert (drawn.rows[:, 0] == 5).all()
    assert (drawn.rows[:, 1] == 6).float().mean() > 0.999
    third = drawn.rows[:, 2]
    assert (third == BLOCK + 1).float().mean().item() == pytest.approx(2 / (count - 1), abs=0.004)
    assert len(third.unique()) > 0.9 * count
    assert drawn.propensity[third == 7, 2][0].item() == pytest.approx(1 / (count - 1), rel=1e-6)


def test_a_list_of_what_is_excluded_draws_the_slates_that_a_mask_does() -> None:
    count, seeds = 3 * BLOCK, list(range(30))
    logits = torch.randn(30, count, generator=torch.Generator().manual_seed(4)) * 3
    rows = np.stack([np.random.default_rng(i).choice(count, 150, replace=False) for i in range(30)])
    allowed = torch.ones(30, count, dtype=torch.bool).scatter(1, torch.from_numpy(rows), False)
    masses = Masses.of(logits.masked_fill(~allowed, NOT_DRAWABLE))

    by_mask = draw(logits, allowed, 12, explore=0.3, noise=slate_noise(seeds, 12))
    by_list = draw_from(masses, Excluded(rows, count), 12, explore=0.3, noise=slate_noise(seeds, 12))

    assert torch.equal(by_mask.rows, by_list.rows)
    assert torch.equal(by_mask.propensity, by_list.propensity)
    assert by_mask.explored.float().mean().item() == pytest.approx(0.3, abs=0.1)


def test_drawing_leaves_the_masses_as_they_were() -> None:
    masses = Masses.of(torch.tensor([[BOUND, 0.0, 1.0, -BOUND]]))
    before = masses.values.clone()

    draw_from(masses, torch.ones(1, 4, dtype=torch.bool), 4, noise=slate_noise([3], 4))

    assert torch.equal(masses.values, before)


def test_the_gradient_of_a_slate_is_the_one_of_the_textbook_formula() -> None:
    logits = (torch.randn(2, 200, generator=torch.Generator().manual_seed(5), dtype=torch.float64) * 4).requires_grad_()
    rows = torch.tensor([[3, 70, 5, 199], [0, 1, 2, -1]])  # blocks shared, blocks apart, padding
    weights = torch.tensor([[1.0, -2.0, 0.5, 3.0], [0.3, 0.2, -1.0, 9.0]])

    (draw(logits, torch.ones(2, 200, dtype=torch.bool), 4, given=rows).log_pi * weights).sum().backward()
    found, logits.grad = logits.grad, None
    for i, row, weight in [(i, k, weights[i, k]) for i in range(2) for k in range(4) if rows[i, k] >= 0]:
        left = logits[i].clone()
        left[rows[i, :row]] = -torch.inf
        (weight * (logits[i, rows[i, row]] - left.logsumexp(0))).backward()

    assert found is not None
    assert logits.grad is not None
    assert torch.allclose(found, logits.grad, atol=1e-6)


@pytest.mark.parametrize("bad", [torch.nan, 200.0])
def test_logits_that_are_no_numbers_or_far_too_large_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="logits must be numbers"):
        draw(torch.tensor([[0.0, bad]]), torch.ones(1, 2, dtype=torch.bool), 1, noise=slate_noise([1], 1))


def test_uniform_places_reach_every_work_that_is_left_even_when_few_are() -> None:
    allowed = torch.zeros(2_000, 10 * BLOCK, dtype=torch.bool)
    allowed[:, [9, 300, 400]] = True

    drawn = draw(torch.zeros(allowed.shape), allowed, 3, explore=1.0, noise=slate_noise(list(range(2_000)), 3))

    assert {tuple(sorted(rows)) for rows in drawn.rows.tolist()} == {(9, 300, 400)}
    first = drawn.rows[:, 0]
    assert [(first == row).float().mean().item() for row in (9, 300, 400)] == pytest.approx([1 / 3] * 3, abs=0.04)
