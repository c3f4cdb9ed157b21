"""The adapter brings related works together, on works it never saw, and forgets nothing else; linear in works."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_world import unit_rows

from models.adapter import (
    AdapterConfig,
    apply_adapter,
    is_held_out,
    keeping_loss,
    principal_directions,
    train_adapter,
    triplet_loss,
    triplets,
)
from models.related import RelatedWorks
from openshelf.errors import ModelError

SMALL = AdapterConfig(dim=16, epochs=30)


def related_world(count: int = 240, languages: int = 1, clarity: float = 0.2) -> RelatedWorks:
    """Works of 6 subjects, every tenth in a series of four; subject and language are faint directions in the texts."""
    rows = np.arange(count)
    subjects, spoken = rows % 6, rows // 6 % languages
    texts = unit_rows(count) + clarity * (unit_rows(6, seed=1)[subjects] + unit_rows(languages, seed=2)[spoken])
    texts = (texts / np.linalg.norm(texts, axis=1, keepdims=True)).astype(np.float32)
    series = np.where(rows % 10 == 0, rows // 40, -1)
    return RelatedWorks(rows + 1, texts, subjects, series, spoken, np.column_stack([rows, subjects]))


def test_works_of_one_subject_come_closer_and_are_found_on_works_it_never_saw() -> None:
    trained = train_adapter(related_world(), SMALL, seed=1)

    assert trained.closeness_after < 0.9 * trained.closeness_before
    assert trained.recall_after > trained.recall_before + 0.1
    assert trained.recall_after > trained.recall_pca
    assert trained.losses[-1] < trained.losses[0]
    assert trained.weight.shape == (16, 384)


def test_the_same_seed_gives_the_same_weight_and_another_seed_another() -> None:
    first, again, other = (train_adapter(related_world(), replace(SMALL, epochs=2), seed) for seed in (1, 1, 2))

    assert torch.equal(first.weight, again.weight)
    assert not torch.equal(first.weight, other.weight)


def test_held_out_works_teach_nothing() -> None:
    works = related_world()
    held_out = is_held_out(works.book_ids, SMALL.held_out)
    others = works.texts.copy()
    others[held_out] = unit_rows(int(held_out.sum()), seed=9)

    trained = train_adapter(works, replace(SMALL, epochs=3), seed=1)
    with_others = train_adapter(replace(works, texts=others), replace(SMALL, epochs=3), seed=1)

    assert held_out.any()
    assert torch.equal(trained.weight, with_others.weight)


def test_a_work_is_held_out_in_every_run_whatever_else_the_library_holds() -> None:
    all_ids, some = np.arange(1, 20_001), np.array([3, 17, 4_000, 19_999])

    held_out = is_held_out(all_ids, 0.1)

    assert held_out.mean() == pytest.approx(0.1, abs=0.01)
    assert is_held_out(some, 0.1).tolist() == held_out[some - 1].tolist()
    assert not is_held_out(all_ids, 0.0).any()
    assert (is_held_out(all_ids, 0.2) >= held_out).all()


def test_a_warm_start_goes_on_where_the_parent_stopped() -> None:
    works = related_world()
    parent = train_adapter(works, SMALL, seed=1)

    child = train_adapter(works, replace(SMALL, epochs=3), seed=2, start=parent.weight)

    assert child.losses[0] < 0.8 * parent.losses[0]
    assert child.recall_after > 0.9 * parent.recall_after


def test_no_negative_is_related_to_its_anchor_and_every_positive_is() -> None:
    works = related_world(languages=2)
    config = replace(SMALL, pool=60)

    told = triplets(works, config, 3, 0, works.texts)
    again = triplets(works, config, 3, 0, works.texts)
    next_pass = triplets(works, config, 3, 1, works.texts)

    def shares(column: np.ndarray, others: np.ndarray) -> np.ndarray:
        return (column[told.anchors] == column[others]) & (column[others] >= 0)

    alike = shares(works.principal, told.positives) | shares(works.series, told.positives)
    assert sorted(told.anchors.tolist()) == list(range(240))  # each work is an anchor once
    assert (alike & shares(works.languages, told.positives)).all()
    assert (told.positives != told.anchors).all()
    related = shares(works.principal, told.negatives) | shares(works.series, told.negatives)
    assert not (related & shares(works.languages, told.negatives)).any()
    assert len(np.unique(told.negatives)) <= 60
    assert np.array_equal(told.negatives, again.negatives)
    assert np.array_equal(told.positives, again.positives)
    assert not np.array_equal(told.negatives, next_pass.negatives)


def test_negatives_are_the_nearest_of_those_that_may_be() -> None:
    works = related_world()
    told = triplets(works, replace(SMALL, hard=1), 3, 0, works.texts)

    cosine = works.texts @ works.texts.T
    cosine[works.principal[:, None] == works.principal] = -np.inf
    cosine[(works.series[:, None] == works.series) & (works.series >= 0)] = -np.inf

    assert told.negatives.tolist() == cosine[told.anchors].argmax(1).tolist()


def test_a_pass_has_no_more_anchors_than_set_and_other_ones_the_next_time() -> None:
    works = related_world()
    config = replace(SMALL, anchors_per_epoch=50)

    first, second = (triplets(works, config, 3, epoch, works.texts) for epoch in (0, 1))

    assert len(first.anchors) == len(set(first.anchors.tolist())) == 50
    assert set(first.anchors.tolist()) != set(second.anchors.tolist())


def test_languages_are_respected_so_related_works_in_another_one_move_away() -> None:
    works = related_world(count=360, languages=2, clarity=0.35)
    trained = train_adapter(works, SMALL, seed=1)

    vectors = apply_adapter(trained.weight, torch.from_numpy(works.texts)).numpy()
    cosine = vectors @ vectors.T - np.eye(360)
    same_subject = works.principal[:, None] == works.principal
    same_language = works.languages[:, None] == works.languages

    assert cosine[same_subject & same_language].mean() > cosine[same_subject & ~same_language].mean() + 0.3


def test_keeping_what_texts_say_leaves_their_cosines_nearer_to_what_they_were() -> None:
    works = related_world()
    texts = torch.from_numpy(works.texts)

    free, kept = (train_adapter(works, replace(SMALL, keep=keep), seed=1).weight for keep in (0.0, 30.0))

    assert keeping_loss(kept, texts) < 0.8 * keeping_loss(free, texts)
    assert keeping_loss(principal_directions(works.texts, 384), texts) == pytest.approx(0, abs=1e-6)


def test_works_without_any_relation_leave_the_principal_directions_as_they_are() -> None:
    works = related_world(60)
    alone = replace(works, principal=np.arange(60), series=np.full(60, -1))

    trained = train_adapter(alone, SMALL, seed=1)

    assert trained.losses == []
    assert torch.equal(trained.weight, principal_directions(alone.texts[~is_held_out(alone.book_ids, 0.1)], 16))
    assert (trained.closeness_after, trained.recall_after) == (1.0, 0.0)


def test_a_text_that_is_no_number_is_refused() -> None:
    works = related_world()
    works.texts[5, 7] = np.nan

    with pytest.raises(ModelError, match="text embeddings are not all numbers"):
        train_adapter(works, SMALL, seed=1)


def test_a_loss_that_is_no_number_ends_the_training() -> None:
    with pytest.raises(ModelError, match="loss is nan in pass 1"):
        train_adapter(related_world(), replace(SMALL, keep=1e38, clip=1e38, learning_rate=1e38), seed=1)


def test_the_triplet_loss_is_how_far_the_margin_is_missed() -> None:
    anchor, positive, negative = torch.tensor([[[1.0, 0.0]], [[0.6, 0.8]], [[0.8, 0.6]]])

    loss = triplet_loss(torch.eye(2), anchor, positive, negative, margin=0.1)

    assert loss.item() == pytest.approx(0.8 - 0.6 + 0.1)
