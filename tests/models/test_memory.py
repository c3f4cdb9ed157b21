from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.memory import Companions, EndToEnd, Memory, MemoryConfig, regress
from models.memory_fit import cross_fitted, fit_memory
from models.policy import Policy, PolicyConfig
from models.policy_ranker import catalogue_of, episodes_of
from models.ranking_data import RankingData

READERS, WORKS = 60, 12


def acts_of(sequences: list[list[int]], count_works: int = WORKS, *, is_ordered: bool = True) -> RankingData:
    readers = np.repeat(np.arange(len(sequences)), [len(rows) for rows in sequences])
    rows = np.concatenate([np.array(rows, dtype=np.int64) for rows in sequences])
    return RankingData(
        name="sequences",
        readers=readers,
        rows=rows,
        values=np.ones(len(rows), dtype=np.float32),
        times=np.arange(len(rows), dtype=np.float64) * 60 if is_ordered else None,
        book_ids=np.arange(1, count_works + 1),
        reader_ids=np.array([str(i) for i in range(len(sequences))]),
    )


def random_sets(seed: int = 0) -> sp.csr_matrix:
    rng = np.random.default_rng(seed)
    taste = rng.random((READERS, 3)) @ rng.random((3, WORKS))
    return sp.csr_matrix((rng.random((READERS, WORKS)) < 0.5 * taste / taste.max(1, keepdims=True)).astype(np.float32))


def dense(companions: Companions) -> np.ndarray:
    return companions.by_target.toarray().T  # (work met, work spoken for)


def test_with_every_work_as_companion_the_regressions_are_ease():
    met = random_sets()
    ridge = 5.0
    inverse = np.linalg.inv((met.T @ met).toarray() + ridge * np.eye(WORKS))
    ease = -inverse / np.diag(inverse)
    np.fill_diagonal(ease, 0)

    found = regress(met, met, ridge=ridge, companions=WORKS, width=WORKS)

    np.testing.assert_allclose(dense(found), ease, atol=2e-3)  # weights are kept in half precision


def test_a_large_catalogue_is_regressed_as_a_small_one(monkeypatch: pytest.MonkeyPatch):
    met = random_sets()
    laid_out = regress(met, met, ridge=5.0, companions=4, width=8)
    monkeypatch.setattr("models.memory.DENSE_WORKS", 0)

    found = regress(met, met, ridge=5.0, companions=4, width=8)

    np.testing.assert_allclose(dense(found), dense(laid_out), atol=1e-3)


def test_a_work_has_no_more_companions_and_speaks_for_no_more_works_than_asked():
    found = dense(regress(random_sets(), random_sets(), ridge=1.0, companions=3, width=2))

    assert (found != 0).sum(0).max() <= 3
    assert (found != 0).sum(1).max() <= 2
    assert found.any()


@settings(max_examples=25)
@given(st.lists(st.lists(st.integers(-1, WORKS - 1), min_size=4, max_size=4), min_size=1, max_size=5))
def test_scores_for_serving_and_features_for_learning_are_the_same_numbers(met: list[list[int]]):
    companions = regress(random_sets(), random_sets(), ridge=5.0, companions=5, width=8)
    rows, weights = np.array(met), np.array([0.25, 0.5, 0.75, 1.0], dtype=np.float32)
    asked = np.array([7, 2])

    scores = companions.scores(torch.from_numpy(rows), torch.from_numpy(weights).expand(rows.shape))
    features = companions.features(rows, np.ones(rows.shape), weights[:, None])
    some = companions.features(rows, np.ones(rows.shape), weights[:, None], asked)

    torch.testing.assert_close(features[..., 0], scores)
    torch.testing.assert_close(some[..., 0], scores[:, asked])


def test_two_memories_end_to_end_say_what_each_says_alone_however_few_readers_are_added_up_at_once():
    sets = regress(random_sets(0), random_sets(0), ridge=5.0, companions=4, width=3)
    sequences = regress(random_sets(1), random_sets(1), ridge=5.0, companions=5, width=4)
    rng = np.random.default_rng(2)
    met, acts = (torch.from_numpy(rng.integers(-1, WORKS, (5, length))) for length in (6, 4))
    of_sets, of_acts = torch.rand(5, 6), torch.rand(5, 4)

    rows = torch.cat([met, torch.where(acts >= 0, acts + WORKS, -1)], dim=1)
    heard = EndToEnd.of(sets, sequences).heard(rows, torch.cat([of_sets, of_acts], dim=1), WORKS + 4)
    at_once, in_pieces = torch.zeros(5, WORKS + 4), torch.zeros(5, WORKS + 4)
    heard.add_to(at_once, 0, 5)
    for start, end in ((2, 5), (0, 1), (1, 2)):
        heard.add_to(in_pieces, start, end)

    assert torch.equal(in_pieces, at_once)
    torch.testing.assert_close(at_once[:, :WORKS], sets.scores(met, of_sets) + sequences.scores(acts, of_acts))
    assert at_once[:, :WORKS].abs().sum() > 0
    assert not at_once[:, WORKS:].any()


def test_the_memory_of_sequences_knows_what_came_first():
    data = acts_of([[0, 1, 2 + i % 10] for i in range(READERS)])

    memory = fit_memory(episodes_of(data), WORKS, MemoryConfig(next_ridge=1.0, together_ridge=1.0))

    after, together = dense(memory.next), dense(memory.together)
    assert after[0, 1] > 0.5
    assert abs(after[1, 0]) < 0.05
    assert abs(together[0, 1] - together[1, 0]) < 0.05


def test_data_without_an_order_gives_no_memory_of_sequences():
    data = acts_of([[0, 1, 2 + i % 10] for i in range(READERS)], is_ordered=False)

    memory = fit_memory(episodes_of(data), WORKS, MemoryConfig(together_ridge=1.0))

    assert not memory.next.rows.shape[1]
    assert dense(memory.together)[0, 1] > 0.5


def test_a_fold_s_memory_has_never_met_the_readers_of_the_fold():
    """Only the readers of fold 1 meet works 0 and 1 together."""
    data = acts_of([[0, 1] if i % 3 == 1 else [2, 3 + i % 9] for i in range(READERS)])
    config = MemoryConfig(together_ridge=1.0, next_ridge=1.0)

    folds = list(cross_fitted(episodes_of(data), WORKS, config, 3))

    assert [dense(memory.together)[0, 1] > 0.5 for memory in folds] == [True, False, True]
    assert [dense(memory.next)[0, 1] > 0.5 for memory in folds] == [True, False, True]


def test_nothing_to_remember_is_no_memory():
    episodes = episodes_of(acts_of([[0, 1]] * 6))
    nobody = replace(episodes, targets=episodes.targets.take(np.empty(0, dtype=np.int64)))

    memory = fit_memory(nobody, WORKS, MemoryConfig())

    assert memory.together.scores(torch.tensor([[0]]), torch.ones(1, 1)).abs().sum() == 0


def test_works_come_and_go_without_touching_what_is_remembered_of_the_others():
    data = acts_of([[0, 1, 2 + i % 10] for i in range(READERS)])
    catalogue = catalogue_of(data)
    memory = fit_memory(episodes_of(data), WORKS, MemoryConfig(next_ridge=1.0, together_ridge=1.0))
    torch.manual_seed(0)
    policy = Policy(PolicyConfig(dim=8), torch.randn(8, 384), torch.from_numpy(catalogue.book_ids), memory)
    grown = policy.grown(np.array([-5, 100, 101]))
    kept = np.array([0, 1, 5, 9])  # the other works are withdrawn, and three are new
    changed = replace(
        catalogue,
        book_ids=np.concatenate([[-5], catalogue.book_ids[kept], [100, 101]]),
        texts=np.concatenate([catalogue.texts[:1], catalogue.texts[kept], catalogue.texts[:2]]),
        prior=np.zeros(len(kept) + 3, dtype=np.float32),
    )

    before, after = policy.items(catalogue).memory, grown.items(changed).memory

    met, one = torch.tensor([[0]]), torch.ones(1, 1)
    for name in ("together", "next"):
        old = getattr(before, name).scores(met, one)[0, kept]
        new = getattr(after, name).scores(met + 1, one)[0]
        torch.testing.assert_close(new[1:-2], old)
        assert new[[0, -2, -1]].abs().sum() == 0
    assert before.next.scores(met, one)[0, 1] > 0.5


def test_a_restored_policy_remembers_the_same():
    memory = Memory(*(regress(random_sets(i), random_sets(i), ridge=5.0, companions=4, width=6) for i in (1, 2)))
    torch.manual_seed(0)
    policy = Policy(PolicyConfig(dim=8), torch.randn(8, 384), torch.arange(WORKS), memory)

    restored = Policy.restored(policy.config, policy.state_dict())

    assert torch.equal(restored.together_weights, memory.together.weights)
    assert torch.equal(restored.next_rows, memory.next.rows)
