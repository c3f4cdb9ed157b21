"""What every baseline does, on a small world of two tastes."""

from dataclasses import fields, replace

import numpy as np
import pytest
from safetensors.torch import load, save
from two_tastes import TASTEFUL, WORKS, batch_of, fitted, known_batch, share_of_own_taste, world

from models.baselines.roster import ROSTER
from models.configuration import read_config
from openshelf.errors import ModelError


@pytest.mark.parametrize("is_ordered", [True, False])
@pytest.mark.parametrize("name", TASTEFUL)
def test_readers_are_offered_unmet_works_of_their_taste(name: str, is_ordered: bool) -> None:
    data = world(is_ordered=is_ordered)
    batch = known_batch(data)

    scores = fitted(name, data).scores(batch)

    assert scores.shape == (2, WORKS)
    assert scores.dtype == np.float32
    assert share_of_own_taste(scores, batch, [0, 1]) >= 0.8


@pytest.mark.parametrize("name", sorted(set(TASTEFUL)))
def test_strangers_are_ranked_for_by_what_they_met(name: str) -> None:
    data = world()
    batch = batch_of(data, [-1, -1], [[1, 2, 5, 6], [21, 22, 25, 26]])

    scores = fitted(name, data).scores(batch)

    assert share_of_own_taste(scores, batch, [0, 1]) >= 0.8


@pytest.mark.parametrize("name", sorted(ROSTER))
def test_restored_from_its_tensors_a_model_scores_the_same(name: str) -> None:
    data = world()
    ranker = fitted(name, data)
    batch = batch_of(data, [0, -1, -1, 5], [[1, 3], [22, 30, 21], [], []])

    restored = ROSTER[name].restore(load(save(ranker.tensors())))

    assert restored.kind == ranker.kind == name
    np.testing.assert_array_equal(restored.scores(batch), ranker.scores(batch))
    np.testing.assert_array_equal(ranker.tensors()["book_ids"].numpy(), data.book_ids)


@pytest.mark.parametrize("name", sorted(ROSTER))
def test_readers_without_acts_and_strangers_get_finite_scores_in_some_order(name: str) -> None:
    data = world()

    scores = fitted(name, data).scores(batch_of(data, [-1, 4], [[], []]))

    assert np.isfinite(scores).all()
    assert (scores.std(axis=1) > 0).all()


@pytest.mark.parametrize("name", sorted(ROSTER))
def test_an_empty_batch_gives_no_rows(name: str) -> None:
    data = world()

    assert fitted(name, data).scores(batch_of(data, [], [])).shape == (0, WORKS)


@pytest.mark.parametrize("name", sorted(ROSTER))
def test_the_same_seed_gives_the_same_model(name: str) -> None:
    batch = known_batch(world())

    first, second = (fitted(name, world(), seed=11).scores(batch) for _ in range(2))

    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", ["random", "als", "bpr", "item2vec", "two_tower", "sequence"])
def test_another_seed_gives_another_model(name: str) -> None:
    batch = known_batch(world())

    first, second = (fitted(name, world(), seed=seed).scores(batch) for seed in (1, 2))

    assert not np.array_equal(first, second)


@pytest.mark.parametrize("name", sorted(ROSTER))
def test_nothing_to_learn_from_is_refused_in_words(name: str) -> None:
    nothing = replace(world(), readers=np.array([], int), rows=np.array([], int), values=np.array([], np.float32))

    with pytest.raises(ModelError, match=r"nothing to learn from|no acts"):
        fitted(name, replace(nothing, times=None))


@pytest.mark.parametrize(("name", "missing"), [("tfidf", "texts"), ("content", "embed"), ("hybrid", "embed")])
def test_content_models_say_what_they_miss(name: str, missing: str) -> None:
    with pytest.raises(ModelError, match=missing):
        fitted(name, replace(world(), texts=(), embeddings=None))


def test_two_tower_does_without_text_embeddings_and_features() -> None:
    data = replace(world(), embeddings=None, texts=(), reader_features={}, work_features={})
    batch = known_batch(data)

    assert share_of_own_taste(fitted("two_tower", data).scores(batch), batch, [0, 1]) >= 0.8


@pytest.mark.parametrize("name", sorted(ROSTER))
def test_the_shipped_configuration_names_every_setting_with_its_default(name: str) -> None:
    from models.configuration import shipped

    config = ROSTER[name].config
    keys = {field.name for field in fields(config)}

    assert read_config(name, config, None, []) == config()
    assert set(shipped(name)) - {"tune"} == keys
