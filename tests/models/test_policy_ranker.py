import itertools

import numpy as np
import pytest

from models.evaluation import Fit, evaluate_models
from models.policy_ranker import POLICY, fit_policy, restore_policy, shuffled
from models.ranking_data import Ranker, RankingData, ReaderBatch
from models.splits import split_by
from models.train import TrainConfig
from openshelf.errors import ModelError

WORKS = 80
CHAIN = 8
QUICK = TrainConfig(epochs=2, folds=2, batch=64, next_ridge=3.0, together_ridge=3.0)


def readers_in_chains(count: int, seed: int, *, is_ordered: bool = True) -> RankingData:
    """Works stand in chains of eight; who reads one goes on to the next of its chain, with a detour now and then."""
    rng = np.random.default_rng(seed)
    sequences = []
    for _ in range(count):
        start = int(rng.integers(WORKS // CHAIN)) * CHAIN
        chain = [start + i for i in range(CHAIN)][: int(rng.integers(4, CHAIN + 1))]
        detour = int(rng.integers(WORKS))
        sequences.append(list(dict.fromkeys([*chain[:2], detour, *chain[2:]])))
    readers = np.repeat(np.arange(count), [len(rows) for rows in sequences])
    rows = np.concatenate([np.array(rows) for rows in sequences])
    return RankingData(
        name="chains",
        readers=readers,
        rows=rows,
        values=np.ones(len(rows), dtype=np.float32),
        times=1.6e9 + np.arange(len(rows)) * 3600.0 if is_ordered else None,
        book_ids=np.arange(1, WORKS + 1),
        reader_ids=np.array([str(i) for i in range(count)]),
    )


class _Popular:
    kind = "popular"

    def __init__(self, data: RankingData) -> None:
        self._counts = np.bincount(data.rows, minlength=data.count_works).astype(np.float32)

    def scores(self, batch: ReaderBatch) -> np.ndarray:
        return np.tile(self._counts, (len(batch), 1))


@pytest.mark.parametrize("protocol", ["leave_last_out", "per_reader"])
def test_the_policy_ranks_far_better_than_popularity_with_an_order_and_without(protocol: str):
    data = readers_in_chains(300, seed=1, is_ordered=protocol == "leave_last_out")
    fits = [Fit("policy", lambda known: fit_policy(known, QUICK, 1), {}), Fit("popular", _popular, {})]

    report = evaluate_models(split_by(protocol, data, 1), fits, seed=1)

    found = {row["model"]: row for row in report["models"]}
    assert found["policy"]["ndcg@10_low"] > 2 * found["popular"]["ndcg@10_high"]


def test_where_data_has_no_order_the_order_of_the_file_teaches_nothing():
    data = readers_in_chains(100, seed=1, is_ordered=False)

    mixed = shuffled(data, seed=1)

    assert not np.array_equal(mixed.rows, data.rows)
    for first, last in itertools.pairwise(data.spans):
        assert sorted(mixed.rows[first:last]) == sorted(data.rows[first:last])
    came_next = sum(np.diff(mixed.rows[first:last]).tolist().count(1) for first, last in itertools.pairwise(data.spans))
    in_file = sum(np.diff(data.rows[first:last]).tolist().count(1) for first, last in itertools.pairwise(data.spans))
    assert came_next < in_file / 2


def _popular(known: RankingData) -> Ranker:
    return _Popular(known)  # pyright: ignore[reportReturnType]


def _batch(rows: list[list[int]]) -> ReaderBatch:
    found = np.array(rows)
    return ReaderBatch(np.full(len(rows), -1), found, (found >= 0).astype(np.float32), np.zeros(found.shape))


def test_restored_from_its_tensors_it_scores_the_same():
    ranker = fit_policy(readers_in_chains(60, seed=2), QUICK, 1)
    batch = _batch([[-1, 3, 4], [-1, -1, -1], [70, 0, 9]])

    again = restore_policy(ranker.tensors())

    assert np.array_equal(again.scores(batch), ranker.scores(batch))
    assert np.isfinite(ranker.scores(batch)).all()


def test_the_same_seed_gives_the_same_policy():
    data = readers_in_chains(60, seed=3)

    first, second, other = (fit_policy(data, QUICK, seed).scores(_batch([[1, 2]])) for seed in (1, 1, 2))

    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_nothing_to_learn_from_is_said():
    data = readers_in_chains(3, seed=1)
    empty = RankingData("empty", data.rows[:0], data.rows[:0], data.values[:0], None, data.book_ids, data.reader_ids)

    with pytest.raises(ModelError, match="empty holds no acts"):
        POLICY.fit(empty, QUICK, 1)
