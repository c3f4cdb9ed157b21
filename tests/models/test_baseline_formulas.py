"""Each baseline against its formula, by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from two_tastes import DAY_S, QUICK, READERS, WORKS, batch_of, known_batch, share_of_own_taste, world

from models.baselines.content import ContentConfig, TfidfConfig, fit_content, fit_tfidf
from models.baselines.ease import EaseConfig, fit_ease
from models.baselines.factors import AlsConfig, fit_als
from models.baselines.hybrid import HybridConfig, fit_hybrid
from models.baselines.popularity import PopularConfig, fit_popular
from models.baselines.roster import ROSTER
from models.baselines.sequence import SequenceConfig, fit_sequence
from models.baselines.two_tower import TwoTowerConfig, act_weights_of, fit_two_tower, loss_of
from models.ranking_data import RankingData
from openshelf.errors import ModelError


def test_popular_counts_readers_and_can_sum_values_and_forget() -> None:
    data = RankingData(
        name="by hand",
        readers=np.array([0, 0, 1, 2]),
        rows=np.array([0, 1, 0, 2]),
        values=np.array([0.5, 1.0, 0.25, 2.0], dtype=np.float32),
        times=np.array([0.0, 2 * DAY_S, 2 * DAY_S, 1 * DAY_S]),
        book_ids=np.arange(3),
        reader_ids=np.array(["a", "b", "c"]),
    )
    batch = batch_of(data, [0], [[0]])

    counted = fit_popular(data, PopularConfig(), 0).scores(batch)[0]
    summed = fit_popular(data, PopularConfig(use_values=True), 0).scores(batch)[0]
    faded = fit_popular(data, PopularConfig(half_life_days=1.0), 0).scores(batch)[0]

    np.testing.assert_allclose(counted, [2, 1, 1])
    np.testing.assert_allclose(summed, [0.75, 1, 2])
    np.testing.assert_allclose(faded, [1.25, 1, 0.5])


@pytest.mark.parametrize("count_readers", [READERS, 20])
def test_ease_is_the_closed_form_of_the_paper_whichever_inverse_is_smaller(count_readers: int) -> None:
    data = world()
    data = replace(
        data,
        **{key: getattr(data, key)[: 8 * count_readers] for key in ("readers", "rows", "values", "times")},
        reader_ids=data.reader_ids[:count_readers],
    )
    met = np.zeros((count_readers, WORKS))
    met[data.readers, data.rows] = 1
    precision = np.linalg.inv(met.T @ met + 5 * np.eye(WORKS))
    weights = -precision / np.diag(precision)
    np.fill_diagonal(weights, 0)
    batch = batch_of(data, [0], [[1, 4, 30]])

    scores = fit_ease(data, EaseConfig(regularisation=5.0, neighbours=0, half_life_acts=0), 0).scores(batch)

    np.testing.assert_allclose(scores[0], weights[[1, 4, 30]].sum(axis=0), atol=1e-4)


def test_ease_among_neighbours_agrees_with_the_exact_form_where_all_works_share_readers() -> None:
    generator = np.random.default_rng(2)
    readers, rows = np.nonzero(generator.random((50, 6)) < 0.5)
    data = replace(
        world(is_ordered=False),
        readers=readers,
        rows=rows,
        values=np.ones(len(rows), dtype=np.float32),
        book_ids=np.arange(6),
        reader_ids=np.arange(50).astype(str),
    )
    batch = batch_of(data, [-1], [[0, 3]])
    exact = fit_ease(data, EaseConfig(regularisation=5.0, neighbours=0), 0).scores(batch)

    near = fit_ease(data, EaseConfig(regularisation=5.0, neighbours=5, exact=2), 0).scores(batch)
    few = fit_ease(data, EaseConfig(regularisation=5.0, neighbours=2, exact=2), 0)

    np.testing.assert_allclose(near, exact, atol=1e-5)
    assert few.tensors()["weights"].numel() == 2 * 6


def test_als_folds_a_reader_in_by_the_normal_equations() -> None:
    data = world()
    config = AlsConfig(factors=4, alpha=3.0, regularisation=0.1, half_life_acts=1.0)
    ranker = fit_als(data, config, 0)
    factors = ranker.tensors()["factors"].numpy().astype(np.float64)
    confidence = np.ones(WORKS)
    confidence[[2, 9]] = 3.0 * np.array([0.5, 1.0])  # the older act is believed half
    system = factors.T @ (confidence[:, None] * factors) + 0.1 * np.eye(4)
    reader = np.linalg.solve(system, factors[[2, 9]].T @ confidence[[2, 9]])

    scores = ranker.scores(batch_of(data, [-1], [[2, 9]]))

    np.testing.assert_allclose(scores[0], factors @ reader, rtol=1e-3, atol=1e-4)


def test_recent_acts_weigh_more_only_where_there_is_an_order() -> None:
    data = world()
    history = [[25, 26, 27, 1, 2]]
    config = ContentConfig(half_life_acts=1.0)

    ordered = fit_content(data, config, 0).scores(batch_of(data, [-1], history))[0]
    without = replace(data, times=None)
    unordered = fit_content(without, config, 0).scores(batch_of(without, [-1], history))[0]

    assert ordered[5:20].mean() > ordered[30:].mean()
    assert unordered[5:20].mean() < unordered[30:].mean()


def test_hybrid_equals_the_calculation_by_hand() -> None:
    data = world()
    batch = known_batch(data)
    cf = fit_als(data, AlsConfig(), 5).scores(batch)
    content = fit_content(data, ContentConfig(), 5).scores(batch)

    scores = fit_hybrid(data, HybridConfig(alpha=0.7, collaborative="als"), 5).scores(batch)

    cf_standard = (cf - cf.mean(axis=1, keepdims=True)) / cf.std(axis=1, keepdims=True)
    content_standard = (content - content.mean(axis=1, keepdims=True)) / content.std(axis=1, keepdims=True)
    np.testing.assert_allclose(scores, 0.7 * cf_standard + 0.3 * content_standard, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("collaborative", ["ease", "als", "bpr"])
def test_hybrid_with_alpha_one_keeps_the_collaborative_order(collaborative: str) -> None:
    data = world()
    batch = known_batch(data)
    alone = ROSTER[collaborative].fit(data, ROSTER[collaborative].config(), 5).scores(batch)

    scores = ROSTER["hybrid"].fit(data, HybridConfig(alpha=1.0, collaborative=collaborative), 5).scores(batch)  # pyright: ignore[reportArgumentType]

    np.testing.assert_array_equal(
        np.argsort(-scores, axis=1, kind="stable")[:, :10], np.argsort(-alone, axis=1, kind="stable")[:, :10]
    )


def test_tfidf_looks_at_no_more_words_than_it_may() -> None:
    ranker = fit_tfidf(world(), TfidfConfig(max_features=3), 0)

    assert int(ranker.tensors()["count_words"]) == 3


def test_attention_heads_that_do_not_divide_the_vectors_are_refused() -> None:
    with pytest.raises(ModelError, match="multiple of heads"):
        fit_sequence(world(), SequenceConfig(dim=9, heads=2), 0)


def test_a_gru_can_take_the_place_of_attention_and_comes_back_the_same() -> None:
    data = world()
    ranker = fit_sequence(data, replace(SequenceConfig(encoder="gru"), **QUICK["sequence"]), 3)
    batch = known_batch(data)

    restored = ROSTER["sequence"].restore(load(save(ranker.tensors())))

    assert share_of_own_taste(ranker.scores(batch), batch, [0, 1]) >= 0.8
    np.testing.assert_array_equal(restored.scores(batch), ranker.scores(batch))


def test_sample_weights_change_what_the_two_towers_learn() -> None:
    counts = torch.tensor([1, 1, 100])
    weights = act_weights_of(counts, "rating_count")
    right = torch.zeros(3, requires_grad=True)
    share = torch.ones(3, 2)

    loss_of(right, torch.arange(3), torch.zeros(3, 2), share, weights, TwoTowerConfig()).backward()

    assert right.grad is not None
    assert weights.mean().item() == pytest.approx(1)
    assert abs(right.grad[2]) > 3 * abs(right.grad[0])
    assert act_weights_of(counts, "none").tolist() == [1, 1, 1]


def test_works_drawn_as_not_met_that_were_met_do_not_count() -> None:
    wrong = torch.tensor([[9.0, 0.0]])
    share = torch.tensor([[0.0, 1.0]])

    loss = loss_of(torch.zeros(1), torch.tensor([0]), wrong, share, torch.ones(1), TwoTowerConfig(negatives_weight=1.0))

    assert loss.item() == pytest.approx(2 * np.log(2))


def test_cross_entropy_ranks_better_than_squared_distance() -> None:
    """N5: each reader's eighth act is held back."""
    data = world()
    is_last = np.tile(np.arange(8) == 7, READERS)
    known = replace(data, **{key: getattr(data, key)[~is_last] for key in ("readers", "rows", "values", "times")})
    batch = batch_of(known, list(range(READERS)), known.rows.reshape(READERS, 7).tolist())

    def mean_rank(loss: str) -> float:
        config = replace(TwoTowerConfig(), **QUICK["two_tower"], loss=loss)
        scores = fit_two_tower(known, config, 3).scores(batch)
        right = scores[np.arange(READERS), data.rows[is_last]]
        return float((scores > right[:, None]).sum(axis=1).mean())

    assert mean_rank("bce") < mean_rank("mse")
