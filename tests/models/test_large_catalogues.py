"""Slates over many works: in parts and each reader alone, over all works all the same."""

from collections import Counter

import numpy as np
import pytest
import torch
from toy_world import START, act, catalogue_of, newborn, restless, unit_rows

from models import arms, products
from models.arms import PolicyScorer
from models.catalogue import Ranking
from models.memory import Companions
from models.plackett_luce import Excluded
from models.policy import PolicyConfig
from models.products import READERS_AT_ONCE, steady_shapes
from models.recommender import Recommender, SlateRequest
from models.states import MAX_ACTS, Catalogue, random_states, state_batch

BOTH = pytest.mark.parametrize("is_large", [False, True])
EXPLORE = 0.2


@pytest.fixture(autouse=True)
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "WIDTH_ALONE", 128)
    monkeypatch.setattr(products, "WIDTH_TOGETHER", 128)
    # A few readers of some hundred works at a time, and one reader of many works in parts.
    monkeypatch.setattr(arms, "_NUMBERS_AT_ONCE", 1_500)


def clustered(count: int, clusters: int) -> Catalogue:
    """Works whose texts lie near one of a few points, so that a reader's few acts speak for a small part of them."""
    rng = np.random.default_rng(1)
    texts = unit_rows(clusters)[rng.integers(0, clusters, count)] + 0.6 * unit_rows(count, seed=2)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    return Catalogue(np.arange(1, count + 1), texts, rng.random(count).astype(np.float32))


def recommender(scorer: PolicyScorer, catalogue: Catalogue) -> Recommender:
    ranking = Ranking(catalogue, [1, 2, 3], 3)
    return Recommender(scorer, "policy-0001", ranking, slate_size=12, explore_share=EXPLORE, cold_pool=20)


@BOTH
def test_what_is_logged_is_the_probability_of_each_place_summed_one_by_one(is_large: bool) -> None:
    catalogue = clustered(500, 20)
    scorer = PolicyScorer(restless(catalogue), catalogue, is_large=is_large)
    acts, hidden = [act(10), act(200), act(7)], frozenset(range(20, 60))
    batch = state_batch([acts], [START], catalogue, MAX_ACTS)
    excluded = Excluded(np.array([[9, 199, 6, *range(19, 59)]]), 500)
    masses = scorer.masses(batch, excluded)[0].values[0].double().numpy().copy()

    requests = [SlateRequest.of("r", acts, hidden, START, seed) for seed in range(300)]
    slates = recommender(scorer, catalogue).draw(requests)

    for slate in slates:
        left = masses.copy()
        for place in slate.places:
            expected = EXPLORE / (457 - place.position) + (1 - EXPLORE) * left[place.book_id - 1] / left.sum()
            assert place.propensity == pytest.approx(expected, rel=1e-6)
            assert left[place.book_id - 1] > 0
            left[place.book_id - 1] = 0.0


def test_places_are_drawn_as_often_as_is_logged() -> None:
    catalogue = clustered(200, 20)
    server = recommender(PolicyScorer(newborn(), catalogue, is_large=True), catalogue)

    slates = server.draw([SlateRequest.of("r", [act(10)], frozenset(), START, seed) for seed in range(4_000)])

    firsts = Counter(slate.places[0].book_id for slate in slates)
    logged = {slate.places[0].book_id: slate.places[0].propensity for slate in slates}
    most = sorted(logged, key=lambda book_id: -logged[book_id])[:10]
    assert logged[most[0]] > 0.05
    assert [firsts[book_id] / 4_000 for book_id in most] == pytest.approx([logged[b] for b in most], abs=0.02)


@BOTH
def test_served_masses_are_the_exponentials_of_the_policy_s_own_logits(is_large: bool) -> None:
    catalogue = clustered(700, 20)
    catalogue.texts[[3, 300, 699]] = 0  # not embedded yet
    policy, batch = restless(catalogue), random_states(30, 700)

    with torch.inference_mode():
        expected = policy.rank(policy.items(catalogue), batch).exp()
    masses, _ = PolicyScorer(policy, catalogue, is_large=is_large).masses(batch, Excluded(np.empty((30, 0), int), 700))

    torch.testing.assert_close(masses.values[:, :700], expected, rtol=1e-4, atol=0)
    assert not masses.values[:, [3, 300, 699]].any()
    assert not masses.values[:, 700:].any()


@BOTH
def test_no_probability_is_lost_where_few_works_have_most_of_it(is_large: bool) -> None:
    count = 20_000
    catalogue, batch = clustered(count, 200), random_states(32, count)
    policy = newborn(PolicyConfig())

    with torch.inference_mode():
        exact = policy.rank(policy.items(catalogue), batch).double().softmax(1)
    scorer = PolicyScorer(policy, catalogue, is_large=is_large)
    masses = scorer.masses(batch, Excluded(np.empty((32, 0), int), count))[0].values[:, :count].double()
    served = masses / masses.sum(1, keepdim=True)

    assert exact.topk(200).values.sum(1).mean() > 0.3  # a hundredth of the works: something is at stake
    assert torch.minimum(served, exact).sum(1).min() > 0.99999
    assert (served / exact - 1).abs().max() < 1e-4
    assert served.min() > 0


def test_a_shape_that_gives_other_bits_to_anyone_anywhere_is_not_used() -> None:
    numbers = torch.arange(READERS_AT_ONCE * 3.0).view(READERS_AT_ONCE, 3)

    def small_ones_differ(rows: slice) -> torch.Tensor:
        return numbers[rows] + (1e-5 if rows.stop - rows.start < 8 else 0)

    def one_reader_differs(rows: slice) -> torch.Tensor:
        found = numbers[rows].clone()
        if rows == slice(64, 80):
            found[-1, 2] += 1
        return found

    assert steady_shapes(lambda rows: numbers[rows]) == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert steady_shapes(small_ones_differ) == [8, 16, 32, 64, 128, 256]
    assert steady_shapes(one_reader_differs) == [1, 2, 4, 8, 32, 64, 128, 256]


def test_companions_are_kept_without_their_padding() -> None:
    rows = torch.full((100, 64), -1, dtype=torch.int32)
    rows[:, :5] = torch.arange(5, dtype=torch.int32)
    rows[7] = torch.arange(64, dtype=torch.int32)
    companions = Companions(rows, (rows >= 0).half() / 2)

    kept = companions.end_to_end
    scores = companions.scores(torch.tensor([[3, -1], [7, 99]]), torch.ones(2, 2))

    assert len(kept.rows) == 99 * 5 + 64 + 64
    assert scores.sum(1).tolist() == [2.5, 34.5]
    assert scores[1, [0, 4, 5, 63, 64]].tolist() == [1.0, 1.0, 0.5, 0.5, 0.0]


@pytest.mark.parametrize("count", [1, 63, 64, 65])
@BOTH
def test_any_number_of_works_can_be_served(count: int, is_large: bool) -> None:
    catalogue = catalogue_of(count)
    server = recommender(PolicyScorer(newborn(), catalogue, is_large=is_large), catalogue)

    slate = server.draw([SlateRequest.of("r", [act(70)], frozenset(), START, 1)])[0]

    assert len({place.book_id for place in slate.places}) == min(count, 12)
