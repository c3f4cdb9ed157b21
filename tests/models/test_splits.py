"""What is held back is never learned from, and nothing after a cut is seen before it."""

from dataclasses import replace

import numpy as np
import pytest

from models.ranking_data import RankingData
from models.splits import SPLITS, by_time, leave_last_out, per_reader, split_by
from openshelf.errors import UsageError


def make_data(acts: list[tuple[int, int, float]], has_times: bool = True) -> RankingData:
    """Acts of (reader, row, time); as many readers and works as the acts name."""
    acts = sorted(acts, key=lambda act: (act[0], act[2]))
    readers, rows, times = (np.array(column) for column in zip(*acts, strict=True))
    return RankingData(
        name="small",
        readers=readers.astype(np.int64),
        rows=rows.astype(np.int64),
        values=np.ones(len(acts), dtype=np.float32),
        times=times.astype(np.float64) if has_times else None,
        book_ids=np.arange(1, rows.max() + 2),
        reader_ids=np.array([f"r{i}" for i in range(readers.max() + 1)]),
    )


def random_data(count_readers: int = 40, has_times: bool = True) -> RankingData:
    rng = np.random.default_rng(5)
    acts = []
    for reader in range(count_readers):
        met = rng.choice(60, rng.integers(1, 31), replace=False)
        acts += [(reader, int(row), float(time)) for row, time in zip(met, rng.random(len(met)) * 1e6, strict=True)]
    return make_data(acts, has_times)


def pairs(readers: np.ndarray, rows: np.ndarray) -> set[tuple[int, int]]:
    return set(zip(readers.tolist(), rows.tolist(), strict=True))


@pytest.mark.parametrize("name", sorted(SPLITS))
def test_the_three_parts_share_no_act_and_the_known_part_is_the_first_two(name: str) -> None:
    data = random_data()

    split = split_by(name, data, 7)

    train = pairs(split.train.readers, split.train.rows)
    validation = pairs(split.validation.readers, split.validation.rows)
    test = pairs(split.test.readers, split.test.rows)
    known = pairs(split.known.readers, split.known.rows)
    assert test
    assert validation
    assert not train & validation
    assert not known & test
    assert train | validation <= known
    assert known | test <= pairs(data.readers, data.rows)
    assert (np.diff(split.test.readers) >= 0).all()


@pytest.mark.parametrize("name", sorted(SPLITS))
def test_parts_keep_the_works_and_readers_of_the_whole(name: str) -> None:
    data = random_data()

    split = split_by(name, data, 7)

    for part in (split.train, split.known):
        assert np.array_equal(part.book_ids, data.book_ids)
        assert np.array_equal(part.reader_ids, data.reader_ids)
        assert (np.diff(part.readers) >= 0).all()


def test_leave_last_out_tests_the_last_act_and_tunes_on_the_one_before() -> None:
    data = make_data([(0, 3, 30), (0, 1, 10), (0, 2, 20), (1, 1, 5), (1, 2, 6), (2, 0, 1)])

    split = leave_last_out(data)

    assert pairs(split.test.readers, split.test.rows) == {(0, 3), (1, 2)}
    assert pairs(split.validation.readers, split.validation.rows) == {(0, 2)}
    # The reader of one act is trained on and never tested.
    assert pairs(split.train.readers, split.train.rows) == {(0, 1), (1, 1), (2, 0)}


def test_per_reader_holds_back_a_tenth_of_each_drawn_by_the_seed() -> None:
    data = make_data([(0, row, 0) for row in range(30)] + [(1, row, 0) for row in range(3)], has_times=False)

    split, again, other = per_reader(data, 1), per_reader(data, 1), per_reader(data, 2)

    assert np.bincount(split.test.readers).tolist() == [3, 1]
    assert np.bincount(split.validation.readers).tolist() == [3, 1]
    assert np.bincount(split.train.readers).tolist() == [24, 1]
    assert np.array_equal(split.test.rows, again.test.rows)
    assert not np.array_equal(split.test.rows, other.test.rows)


def test_nothing_after_the_cut_is_in_the_state_or_the_training_of_a_time_split() -> None:
    data = random_data()
    assert data.times is not None
    time_of = dict(zip(zip(data.readers.tolist(), data.rows.tolist(), strict=True), data.times, strict=True))

    split = by_time(data)

    first_tested = min(time_of[pair] for pair in pairs(split.test.readers, split.test.rows))
    first_tuned = min(time_of[pair] for pair in pairs(split.validation.readers, split.validation.rows))
    assert split.known.times is not None
    assert split.train.times is not None
    assert split.known.times.max() < first_tested
    assert split.train.times.max() < first_tuned
    assert max(time_of[pair] for pair in pairs(split.validation.readers, split.validation.rows)) < first_tested


def test_acts_of_the_moment_of_the_cut_stay_before_it() -> None:
    data = make_data([(reader, row, 100 if row < 9 else 200) for reader in range(5) for row in range(10)])

    split = by_time(data)

    assert split.known.times is not None
    assert set(split.known.times) == {100}
    assert len(split.test) == 5


def test_readers_new_after_the_cut_are_left_out_and_told() -> None:
    known = [(0, row, float(row)) for row in range(18)]

    split = by_time(make_data([*known, (0, 18, 50), (1, 18, 51)]))

    assert split.test.readers.tolist() == [0]
    assert "1 readers new after the cut left out" in split.protocol


def test_a_split_that_needs_times_refuses_data_without_and_names_the_other() -> None:
    data = random_data(has_times=False)

    for split in (leave_last_out, by_time):
        with pytest.raises(UsageError, match="per_reader"):
            split(data)


def test_an_empty_part_and_an_unknown_split_are_refused() -> None:
    one_act_each = make_data([(reader, reader, 1.0) for reader in range(4)])

    with pytest.raises(UsageError, match="test part of the split is empty"):
        leave_last_out(one_act_each)
    with pytest.raises(UsageError, match="test part of the split is empty"):
        by_time(replace(one_act_each, times=np.ones(4)))
    with pytest.raises(UsageError, match="not one of leave_last_out, per_reader, time"):
        split_by("random", one_act_each, 0)
