"""The network of the two towers: what a reader and a work are made of, and what becomes of it. Pure."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

COUNT_BUCKETS = 16


@dataclass(frozen=True)
class TwoTowerConfig:
    dim: int = 64
    """Length of the vectors."""
    layers: int = field(default=1, metadata={"at_least": 0})
    """Hidden layers of each tower; 0: the sum of the terms alone."""
    hidden: int = 128
    """Width of the hidden layers."""
    dropout: float = 0.3
    """Share of the towers' inputs dropped while training, and of readers' ids forgotten."""
    loss: Literal["bce", "mse"] = "bce"
    """Binary cross-entropy on logits, or squared distance of the score from met / not met."""
    negatives: int = 512
    """Works drawn as not met for each batch of readers."""
    negatives_power: float = field(default=0.5, metadata={"at_least": 0, "at_most": 1})
    """They are drawn by popularity to this power."""
    negatives_weight: float = field(default=20.0, metadata={"above": 0})
    """All that was drawn as not met counts together as much as this many works met."""
    half_life_acts: float = field(default=5.0, metadata={"at_least": 0})
    """When ranking, an act counts half once this many came after it, where there is an order; 0: all alike."""
    sample_weight: Literal["none", "rating_count"] = "none"
    """rating_count: an act weighs by the logarithm of how many its reader left, so super-fans are heard more."""
    epochs: int = 20
    """Passes over the acts."""
    batch: int = 1024
    """Acts per step, all of a few readers."""
    learning_rate: float = 0.005
    """Peak of Adam's linear decay."""
    weight_decay: float = field(default=1e-5, metadata={"at_least": 0})
    """AdamW's decay."""


@dataclass(frozen=True)
class Features:
    """Categories as numbers: 0 is unknown; all features share one table."""

    codes: np.ndarray  # (rows, features) int64
    count: int  # rows of the table

    @classmethod
    def read(cls, features: dict[str, tuple[str, ...]], count_rows: int) -> "Features":
        codes, count = np.zeros((count_rows, len(features)), dtype=np.int64), 1
        for column, (_, values) in enumerate(sorted(features.items())):
            known = {value: count + i for i, value in enumerate(sorted(set(values) - {""}))}
            codes[:, column] = [known.get(value, 0) for value in values]
            count += len(known)
        return cls(codes, count)


class Tower(nn.Module):
    """The terms' sum, plus what hidden layers make of it."""

    def __init__(self, config: TwoTowerConfig) -> None:
        super().__init__()
        steps: list[nn.Module] = []
        width = config.dim
        for _ in range(config.layers):
            steps += [nn.Dropout(config.dropout), nn.Linear(width, config.hidden), nn.GELU()]
            width = config.hidden
        self.layers = nn.Sequential(*steps, nn.Linear(width, config.dim)) if steps else None
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, terms: Tensor) -> Tensor:
        return self.dropout(terms) if self.layers is None else self.dropout(terms) + self.layers(terms)


class TwoTowerNet(nn.Module):
    reader_codes: Tensor
    work_codes: Tensor

    def __init__(
        self, config: TwoTowerConfig, reader_codes: Tensor, work_codes: Tensor, count_codes: tuple[int, int], width: int
    ) -> None:
        """`count_codes`: rows of the readers' and the works' table of features; `width` of the text embedding."""
        super().__init__()
        self.register_buffer("reader_codes", reader_codes)
        self.register_buffer("work_codes", work_codes)
        dim = config.dim
        # Row 0 is unknown and stays zero: reader r has row r + 1.
        self.readers = _table(len(reader_codes) + 1, dim)
        self.reader_features, self.work_features = _table(count_codes[0], dim), _table(count_codes[1], dim)
        self.counts = nn.Embedding(COUNT_BUCKETS, dim)
        self.works, self.met = _table(len(work_codes) + 1, dim), _table(len(work_codes) + 1, dim)
        self.text = nn.Linear(width, dim, bias=False)
        self.reader_tower, self.work_tower = Tower(config), Tower(config)
        self.bias = nn.Parameter(torch.zeros(len(work_codes)))
        self.forget = config.dropout
        nn.init.normal_(self.counts.weight, std=0.05)

    def reader_vectors(self, numbers: Tensor, met: Tensor, counts: Tensor) -> Tensor:
        """(B, d) from numbers (B,) or -1, the mean of what was met (B, d), and how many acts (B,)."""
        is_known = (numbers >= 0) & (torch.rand(len(numbers)) >= self.forget if self.training else True)
        numbers = numbers.where(is_known, -1)
        terms = self.readers(numbers + 1) + met + self.counts(buckets(counts))
        if self.reader_codes.shape[1]:
            terms = terms + self.reader_features(self.reader_codes[numbers] * is_known[:, None]).sum(1)
        return self.reader_tower(terms)

    def work_vectors(self, rows: Tensor, texts: Tensor) -> Tensor:
        """(b, d) of works `rows` (b,) with text embeddings (b, width)."""
        terms = self.works(rows + 1) + self.text(texts)
        if self.work_codes.shape[1]:
            terms = terms + self.work_features(self.work_codes[rows]).sum(1)
        return self.work_tower(terms)


def buckets(counts: Tensor) -> Tensor:
    """Which power of two this many acts reach: super-fans are a kind of reader too."""
    return torch.log2(counts.float() + 1).long().clamp(max=COUNT_BUCKETS - 1)


def _table(count: int, dim: int) -> nn.Embedding:
    """Row 0 is zero for good."""
    table = nn.Embedding(count, dim, padding_idx=0)
    nn.init.normal_(table.weight, std=0.05)
    with torch.no_grad():
        table.weight[0] = 0
    return table
