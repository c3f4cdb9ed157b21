"""Metrics by hand-counted lists; intervals by what they promise."""

import numpy as np
import pytest

from models import ranking_metrics as metrics


def of_lists(best: list[list[int]], held: list[list[int]]) -> dict[str, np.ndarray]:
    starts = np.cumsum([0, *map(len, held)])
    values = metrics.per_reader(np.array(best), starts, np.concatenate([np.array(h) for h in held]))
    return dict(zip(metrics.READER_METRICS, values.T, strict=True))


def test_hits_at_places_2_and_4_of_three_held_back_are_counted_as_by_hand() -> None:
    found = of_lists([[9, 1, 8, 2, 7, 6, 5, 4, 3, 0]], [[1, 2, 99]])

    ideal = 1 + 1 / np.log2(3) + 1 / np.log2(4)
    assert found["ndcg"][0] == pytest.approx((1 / np.log2(3) + 1 / np.log2(5)) / ideal)
    assert found["recall"][0] == pytest.approx(2 / 3)
    assert found["map"][0] == pytest.approx((1 / 2 + 2 / 4) / 3)
    assert found["mrr"][0] == pytest.approx(1 / 2)
    assert found["hit_rate"][0] == 1


def test_readers_do_not_answer_for_each_other() -> None:
    found = of_lists([[1, 2], [1, 2]], [[2], [3]])

    assert found["hit_rate"].tolist() == [1, 0]
    assert found["ndcg"].tolist() == pytest.approx([1 / np.log2(3), 0])
    assert found["mrr"].tolist() == [0.5, 0]


def test_more_held_back_than_places_can_still_be_ideal() -> None:
    found = of_lists([[0, 1, 2]], [[0, 1, 2, 3, 4, 5]])

    assert found["ndcg"][0] == pytest.approx(1)
    assert found["map"][0] == pytest.approx(1)
    assert found["recall"][0] == pytest.approx(0.5)


def test_empty_places_are_no_hits() -> None:
    assert of_lists([[5, -1, -1]], [[0]])["hit_rate"].tolist() == [0]


def test_the_best_are_listed_in_order_and_the_excluded_never() -> None:
    scores = np.array([[0.1, 0.9, 0.5, 0.7, -np.inf]], dtype=np.float32)
    excluded = np.array([[False, True, False, False, False]])

    best = metrics.top_rows(scores, excluded, np.array([3]), seed=0, k=5)

    assert best.tolist() == [[3, 2, 0, 4, -1]]


def test_a_model_that_knows_nothing_hits_as_often_as_chance() -> None:
    count_readers, count_works = 1_500, 50
    scores = np.zeros((count_readers, count_works), dtype=np.float32)

    best = metrics.top_rows(scores, np.zeros(scores.shape, dtype=bool), np.arange(count_readers), seed=1)
    found = metrics.per_reader(best, np.arange(count_readers + 1), np.zeros(count_readers, dtype=np.int64))

    # Row 0 is held back for all: a tie broken by row number would always hit.
    assert found[:, 4].mean() == pytest.approx(10 / 50, abs=0.04)


def test_ties_fall_the_same_in_any_batch_and_otherwise_with_another_seed() -> None:
    scores = np.zeros((4, 30), dtype=np.float32)
    nothing = np.zeros(scores.shape, dtype=bool)
    keys = np.array([5, 6, 7, 8])

    together = metrics.top_rows(scores, nothing, keys, seed=1)
    alone = metrics.top_rows(scores[2:3], nothing[2:3], keys[2:3], seed=1)

    assert np.array_equal(together[2:3], alone)
    assert not np.array_equal(metrics.top_rows(scores, nothing, keys, seed=2), together)


def test_novelty_is_bits_and_what_everybody_met_has_none() -> None:
    bits = metrics.novelty(np.array([[0, 0], [1, -1]]), acts_per_work=np.array([7, 0]), count_readers=7)

    assert bits.tolist() == pytest.approx([0, 3])


def test_diversity_is_0_for_the_same_text_1_for_unrelated_and_blind_to_works_without() -> None:
    embeddings = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]], dtype=np.float32)

    found = metrics.diversity(np.array([[0, 1, 3], [0, 2, -1], [0, 3, 3]]), embeddings)

    assert found[:2].tolist() == pytest.approx([0, 1])
    assert np.isnan(found[2])


def test_coverage_and_gini_of_known_exposures() -> None:
    assert metrics.coverage(np.array([3, 0, 1, 0])) == pytest.approx(0.5)
    assert metrics.gini(np.array([2, 2, 2, 2])) == pytest.approx(0)
    assert metrics.gini(np.array([0, 0, 0, 8])) == pytest.approx(0.75)
    assert metrics.gini(np.array([1, 2, 3, 4])) == pytest.approx(0.25)


def test_intervals_of_a_mean_cover_the_truth_about_95_times_in_100() -> None:
    covered = 0
    for draw in range(200):
        sample = np.random.default_rng(draw).exponential(2.0, size=(120, 1))
        (found,) = metrics.bootstrap_means(sample, seed=draw, resamples=400)
        covered += found.low <= 2.0 <= found.high

    assert 178 <= covered <= 198


def test_intervals_are_the_same_for_the_same_seed_and_leave_out_what_is_missing() -> None:
    values = np.array([[1.0], [3.0], [np.nan]])

    first, again = (metrics.bootstrap_means(values, seed=4)[0] for _ in range(2))

    assert first == again
    assert first.value == 2
    assert (first.low, first.high) == (1, 3)


def test_the_interval_of_coverage_holds_the_figure_itself() -> None:
    best = np.random.default_rng(0).integers(0, 500, size=(80, 10))

    found = metrics.exposure_intervals(best, 500, seed=0)

    for interval in found.values():
        assert interval.low < interval.value < interval.high
    assert found["coverage"].value == pytest.approx(len(np.unique(best)) / 500)
