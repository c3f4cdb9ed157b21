"""The adapter: one linear map from text embeddings (384) to item vectors (64), by triplet loss. No I/O.

Anchor and positive share a series, or their principal subject and language; the negative is among the nearest works
that share no subject, or no language, with the anchor: who reads Vietnamese poetry wants poems, and in Vietnamese.
Distance is 1 - cosine. Works are many and triplets few: nothing here grows faster than linearly in works.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.nearness import Nearness, nearness
from models.related import RelatedWorks, draw_related, may_be_negative
from models.states import TEXT_DIM
from openshelf.errors import ModelError

# Anchors whose pairs with all candidates are held at a time.
BLOCK = 256


@dataclass(frozen=True)
class AdapterConfig:
    dim: int = field(default=64, metadata={"at_least": 1, "at_most": TEXT_DIM})
    """Length of item vectors."""
    margin: float = 0.2
    """How much nearer the positive must be than the negative."""
    keep: float = field(default=3.0, metadata={"at_least": 0})
    """Weight of the term that keeps what the texts say: the cosines of any two works."""
    epochs: int = 30
    """Passes over the works; each work is an anchor at most once a pass."""
    anchors_per_epoch: int = field(default=4096, metadata={"at_least": 1})
    """Most anchors of a pass, drawn anew for each where there are more works."""
    pool: int = field(default=2048, metadata={"at_least": 1})
    """Works among which the negatives of a pass are sought, drawn anew for each pass."""
    series_share: float = field(default=0.5, metadata={"at_least": 0, "at_most": 1})
    """How often the positive is of the anchor's series, where it has both a series and a subject."""
    batch: int = 64
    """Triplets per step."""
    learning_rate: float = 1e-3
    """Peak of the warm-up and linear decay."""
    weight_decay: float = 0.01
    """AdamW's decay."""
    warmup_steps: int = 50
    """Steps until the peak learning rate."""
    clip: float = 1.0
    """Largest gradient norm."""
    hard: int = 10
    """The negative is drawn from this many nearest works of other subjects."""
    held_out: float = 0.1
    """Share of works never trained on, in this or any later run; closeness and recall are measured on them."""
    measured: int = field(default=512, metadata={"at_least": 1})
    """Most works whose closeness and recall are measured."""


@dataclass(frozen=True)
class Triplets:
    """Rows of the works: what one pass learns from."""

    anchors: np.ndarray  # (t,) int64
    positives: np.ndarray  # (t,) int64
    negatives: np.ndarray  # (t,) int64


@dataclass(frozen=True)
class TrainedAdapter:
    weight: Tensor  # (dim, 384)
    losses: list[float]  # one per epoch
    closeness_before: float  # of the text embeddings
    closeness_after: float  # of the item vectors
    recall_before: float
    recall_pca: float  # of the texts' principal directions, as many as item vectors are long: what no training gives
    recall_after: float


def apply_adapter(weight: Tensor, texts: Tensor) -> Tensor:
    """Item vectors (n, dim) of length 1."""
    return functional.normalize(texts @ weight.T, dim=1)


def train_adapter(
    works: RelatedWorks,
    config: AdapterConfig,
    seed: int,
    start: Tensor | None = None,
    on_epoch: Callable[[int, float], None] | None = None,
) -> TrainedAdapter:
    """Train from `start` (a parent's weight) or from the principal directions of the texts.

    Raises:
        ModelError: the texts are not numbers, or the loss ceases to be one.
    """
    if not np.isfinite(works.texts).all():
        raise ModelError("the text embeddings are not all numbers: run `openshelf embed` again")
    seen = works.take(~is_held_out(works.book_ids, config.held_out))
    principal = principal_directions(seen.texts, config.dim)
    weight = torch.nn.Parameter((principal if start is None else start).clone())
    steps = config.epochs * -(-min(int(seen.has_related.sum()), config.anchors_per_epoch) // config.batch)
    optimiser = torch.optim.AdamW([weight], lr=config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, warmup_then_decay(config.warmup_steps, steps))
    losses: list[float] = []
    for epoch in range(config.epochs):
        vectors = apply_adapter(weight.detach(), torch.from_numpy(seen.texts)).numpy()
        told = triplets(seen, config, seed, epoch, vectors)
        if not len(told.anchors):
            break
        losses.append(_one_pass(weight, seen.texts, told, config, optimiser, schedule))
        if not math.isfinite(losses[-1]):
            raise ModelError(f"the adapter's loss is {losses[-1]} in pass {epoch + 1}: lower the learning_rate")
        if on_epoch:
            on_epoch(epoch + 1, losses[-1])
    before, pca, after = compare(works, config, seed, principal, weight.detach())
    return TrainedAdapter(
        weight.detach(), losses, before.closeness, after.closeness, before.recall, pca.recall, after.recall
    )


def _one_pass(
    weight: torch.nn.Parameter,
    texts: np.ndarray,
    told: Triplets,
    config: AdapterConfig,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> float:
    """Learn from each triplet once; the mean triplet loss."""
    losses = []
    for at in range(0, len(told.anchors), config.batch):
        anchor, positive, negative = (
            torch.from_numpy(texts[rows[at : at + config.batch]])
            for rows in (told.anchors, told.positives, told.negatives)
        )
        loss = triplet_loss(weight, anchor, positive, negative, config.margin)
        optimiser.zero_grad()
        (loss + config.keep * keeping_loss(weight, anchor)).backward()
        torch.nn.utils.clip_grad_norm_([weight], config.clip)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return float(np.mean(losses))


def triplets(works: RelatedWorks, config: AdapterConfig, seed: int, epoch: int, vectors: np.ndarray) -> Triplets:
    """The triplets of one pass, the same for the same arguments: an anchor without relations, or without anything
    unrelated in the pool, has none. `vectors` (n, d) of length 1 say which negatives are hard."""
    generator = np.random.default_rng([seed, epoch])
    anchors = generator.permutation(np.flatnonzero(works.has_related))[: config.anchors_per_epoch]
    pool = np.sort(generator.choice(len(vectors), min(config.pool, len(vectors)), replace=False))
    positives = draw_related(works, anchors, config.series_share, generator.random((2, len(anchors))))
    negatives = np.empty_like(anchors)
    picks = generator.random(len(anchors))
    for at in range(0, len(anchors), BLOCK):
        block = slice(at, at + BLOCK)
        cosine = vectors[anchors[block]] @ vectors[pool].T
        cosine[~may_be_negative(works, anchors[block], pool)] = -np.inf
        column = _pick_hard(cosine, config.hard, picks[block])
        negatives[block] = np.where(column < 0, -1, pool[column])
    kept = negatives >= 0
    return Triplets(anchors[kept], positives[kept], negatives[kept])


def triplet_loss(weight: Tensor, anchor: Tensor, positive: Tensor, negative: Tensor, margin: float) -> Tensor:
    a, p, n = (apply_adapter(weight, side) for side in (anchor, positive, negative))
    return functional.relu((a * n).sum(1) - (a * p).sum(1) + margin).mean()


def keeping_loss(weight: Tensor, texts: Tensor) -> Tensor:
    """How far the cosines of these works to each other moved from those of their texts, squared."""
    vectors = apply_adapter(weight, texts)
    return (vectors @ vectors.T - texts @ texts.T).square().mean()


def warmup_then_decay(warmup: int, steps: int) -> Callable[[int], float]:
    """Factor of the peak learning rate at a step: up linearly, then down linearly to 0 at `steps`."""
    warmup = max(1, min(warmup, steps // 2))
    return lambda step: (step + 1) / warmup if step < warmup else max(0.0, (steps - step) / max(1, steps - warmup))


def principal_directions(texts: np.ndarray, dim: int) -> Tensor:
    """(dim, 384) orthonormal rows that keep most of the texts' spread: where training starts."""
    _, directions = np.linalg.eigh(texts.T @ texts)
    return torch.from_numpy(np.ascontiguousarray(directions.T[::-1][:dim], dtype=np.float32))


def is_held_out(book_ids: np.ndarray, share: float) -> np.ndarray:
    """(n,) bool by a hash of the book_id: a work held out once is so in every run, so no parent has seen it either."""
    mixed = book_ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    return (mixed >> np.uint64(40)).astype(np.float64) < share * 2**24


def compare(
    works: RelatedWorks, config: AdapterConfig, seed: int, principal: Tensor, trained: Tensor
) -> tuple[Nearness, Nearness, Nearness]:
    """Text embeddings, their principal directions and item vectors, on works never trained on; on all if none is."""
    texts = torch.from_numpy(works.texts)
    generator = np.random.default_rng(seed)
    rows = np.flatnonzero(is_held_out(works.book_ids, config.held_out))
    rows = generator.permutation(rows if works.has_related[rows].any() else np.arange(len(texts)))[: config.measured]
    rivals = (works.texts, apply_adapter(principal, texts).numpy(), apply_adapter(trained, texts).numpy())
    others = generator.permutation(len(texts))[: config.pool]
    before, pca, after = (nearness(vectors, works, rows, others) for vectors in rivals)
    return before, pca, after


def _pick_hard(cosine: np.ndarray, hard: int, picks: np.ndarray) -> np.ndarray:
    """(q,) a column among the `hard` greatest of each row that are not -inf; -1 where all are."""
    greatest, columns = torch.from_numpy(cosine).topk(min(hard, cosine.shape[1]), dim=1)
    valid = np.isfinite(greatest.numpy()).sum(1)
    chosen = columns.numpy()[np.arange(len(cosine)), (picks * valid).astype(np.int64)]
    return np.where(valid, chosen, -1)
