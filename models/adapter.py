"""The adapter: one linear map from text embeddings (384) to item vectors (64), by triplet loss. No I/O.

Anchor and positive share a series, or their principal subject and language; the negative is among the nearest works
that share no subject, or no language, with the anchor: who reads Vietnamese poetry wants poems, and in Vietnamese.
Distance is 1 - cosine.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class AdapterConfig:
    dim: int = 64
    """Length of item vectors."""
    margin: float = 0.2
    """How much nearer the positive must be than the negative."""
    epochs: int = 30
    """Passes over the works; each work is an anchor once a pass."""
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
    """Share of works never trained on; closeness is measured on them."""


@dataclass(frozen=True)
class RelatedWorks:
    """Row i of each array is one embedded work."""

    book_ids: np.ndarray  # (n,) int64, ascending
    texts: np.ndarray  # (n, 384) float32 of length 1
    principal: np.ndarray  # (n,) int64 principal subject, -1 for none
    series: np.ndarray  # (n,) int64, -1 for none
    languages: np.ndarray  # (n,) int64, -1 for unknown
    subjects: np.ndarray  # (n, s) bool


@dataclass(frozen=True)
class TrainedAdapter:
    weight: Tensor  # (dim, 384)
    losses: list[float]  # one per epoch
    closeness_before: float  # of the text embeddings
    closeness_after: float  # of the item vectors


def apply_adapter(weight: Tensor, texts: Tensor) -> Tensor:
    """Item vectors (n, dim) of length 1."""
    return functional.normalize(texts @ weight.T, dim=1)


def related(works: RelatedWorks) -> np.ndarray:
    """(n, n) bool: share the principal subject or a series; never itself."""
    same_subject = (works.principal[:, None] == works.principal) & (works.principal >= 0)
    same_series = (works.series[:, None] == works.series) & (works.series >= 0)
    return (same_subject | same_series) & ~np.eye(len(works.book_ids), dtype=bool)


def closeness(vectors: Tensor, works: RelatedWorks, rows: np.ndarray) -> float:
    """Mean distance to related works over mean distance to works that share no subject; below 1, smaller is better."""
    distance = 1 - (vectors[rows] @ vectors.T).numpy()
    near, far = related(works)[rows], ~_shares_subject(works)[rows]
    if not near.any() or not far.any():
        return 1.0
    return float(distance[near].mean() / distance[far].mean())


def train_adapter(
    works: RelatedWorks,
    config: AdapterConfig,
    seed: int,
    start: Tensor | None = None,
    on_epoch: Callable[[int, float], None] | None = None,
) -> TrainedAdapter:
    """Train from `start` (a parent's weight) or from the principal directions of the texts."""
    generator = np.random.default_rng(seed)
    texts = torch.from_numpy(works.texts)
    weight = torch.nn.Parameter((start if start is not None else principal_directions(works.texts, config.dim)).clone())
    held_out = generator.random(len(works.book_ids)) < config.held_out
    near, far = _positives(works), ~_shares_subject(works) | _other_language(works)
    near[:, held_out] = far[:, held_out] = False
    anchors = np.flatnonzero(near.any(1) & far.any(1) & ~held_out)
    measured = np.flatnonzero(held_out) if related(works)[held_out].any() else np.arange(len(held_out))
    before = closeness(texts, works, measured)
    losses: list[float] = []
    if len(anchors):
        steps = config.epochs * -(-len(anchors) // config.batch)
        optimiser = torch.optim.AdamW([weight], lr=config.learning_rate, weight_decay=config.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, warmup_then_decay(config.warmup_steps, steps))
        for epoch in range(config.epochs):
            hard = _hard_negatives(apply_adapter(weight.detach(), texts), far, config.hard)
            epoch_losses = []
            order = generator.permutation(anchors)
            for at in range(0, len(order), config.batch):
                anchor = order[at : at + config.batch]
                positive = np.array([generator.choice(np.flatnonzero(near[row])) for row in anchor])
                negative = hard[anchor, generator.integers(hard.shape[1], size=len(anchor))]
                loss = triplet_loss(weight, texts[anchor], texts[positive], texts[negative], config.margin)
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_([weight], config.clip)
                optimiser.step()
                schedule.step()
                epoch_losses.append(loss.item())
            losses.append(float(np.mean(epoch_losses)))
            if on_epoch:
                on_epoch(epoch + 1, losses[-1])
    trained = weight.detach()
    return TrainedAdapter(trained, losses, before, closeness(apply_adapter(trained, texts), works, measured))


def triplet_loss(weight: Tensor, anchor: Tensor, positive: Tensor, negative: Tensor, margin: float) -> Tensor:
    a, p, n = (apply_adapter(weight, side) for side in (anchor, positive, negative))
    return functional.relu((a * n).sum(1) - (a * p).sum(1) + margin).mean()


def warmup_then_decay(warmup: int, steps: int) -> Callable[[int], float]:
    """Factor of the peak learning rate at a step: up linearly, then down linearly to 0 at `steps`."""
    warmup = max(1, min(warmup, steps // 2))
    return lambda step: (step + 1) / warmup if step < warmup else max(0.0, (steps - step) / max(1, steps - warmup))


def principal_directions(texts: np.ndarray, dim: int) -> Tensor:
    """(dim, 384) orthonormal rows that keep most of the texts' spread: where training starts."""
    _, _, directions = np.linalg.svd(texts, full_matrices=True)
    return torch.from_numpy(np.ascontiguousarray(directions[:dim], dtype=np.float32))


def _positives(works: RelatedWorks) -> np.ndarray:
    """(n, n) bool: related works in the anchor's language; of any language where there are none."""
    same = related(works) & ~_other_language(works)
    return np.where(same.any(1, keepdims=True), same, related(works))


def _other_language(works: RelatedWorks) -> np.ndarray:
    known = works.languages >= 0
    return (works.languages[:, None] != works.languages) & known[:, None] & known


def _shares_subject(works: RelatedWorks) -> np.ndarray:
    counts = works.subjects.astype(np.float32)
    return (counts @ counts.T > 0) | related(works) | np.eye(len(works.book_ids), dtype=bool)


def _hard_negatives(vectors: Tensor, far: np.ndarray, count: int) -> np.ndarray:
    """(n, count) rows of the nearest works of other subjects; an anchor with fewer repeats its nearest."""
    cosine = np.where(far, (vectors @ vectors.T).numpy(), -np.inf)
    nearest = np.argsort(-cosine, axis=1)[:, :count]
    valid = np.take_along_axis(far, nearest, axis=1)
    return np.where(valid, nearest, nearest[:, :1])
