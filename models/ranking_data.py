"""What every model that ranks works shares: acts to learn from, readers to rank for, and how a ranker is called. Pure.

A `RankingData` comes from the warehouse or from a published data set; a `Ranker` is the policy or a baseline fitted on
one. The harness in `models.evaluation` treats them all alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from torch import Tensor

from models.states import TEXT_DIM


@dataclass(frozen=True)
class RankingData:
    """Glad acts of m readers on n works, one per reader and work, by reader and then by time."""

    name: str
    readers: np.ndarray  # (a,) int64 in 0..m-1, ascending
    rows: np.ndarray  # (a,) int64 in 0..n-1
    values: np.ndarray  # (a,) float32 how glad, above 0; 1 where only the fact is known
    times: np.ndarray | None  # (a,) float64 seconds since 1970, ascending per reader; None: the data has no order
    book_ids: np.ndarray  # (n,) int64 ascending: row i of everything about works is work book_ids[i]
    reader_ids: np.ndarray  # (m,) of str
    texts: tuple[str, ...] = ()  # (n) what `work_text` makes of a work, or nothing at all
    embeddings: np.ndarray | None = None  # (n, 384) float32 of length 1, zero where there is no text
    reader_features: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # name -> (m) categories, "" unknown
    work_features: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # name -> (n) categories, "" unknown

    @property
    def count_readers(self) -> int:
        return len(self.reader_ids)

    @property
    def count_works(self) -> int:
        return len(self.book_ids)

    @property
    def spans(self) -> np.ndarray:
        """(m + 1,) where each reader's acts begin; reader r has acts spans[r]:spans[r + 1]."""
        return np.searchsorted(self.readers, np.arange(self.count_readers + 1))

    def text_embeddings(self) -> np.ndarray:
        """(n, 384); zeros where nothing was embedded."""
        if self.embeddings is not None:
            return self.embeddings
        return np.zeros((self.count_works, TEXT_DIM), dtype=np.float32)


@dataclass(frozen=True)
class ReaderBatch:
    """What is known of B readers when they are ranked for: acts oldest first, right-aligned."""

    numbers: np.ndarray  # (B,) int64 reader of the training data, -1 for a stranger
    rows: np.ndarray  # (B, L) int64, -1 is padding
    values: np.ndarray  # (B, L) float32, 0 for padding
    times: np.ndarray | None  # (B, L) float64 seconds, 0 for padding; None: no order

    def __len__(self) -> int:
        return len(self.numbers)


class Ranker(Protocol):
    """A fitted model. `kind` and `tensors` are what the registry keeps of it."""

    kind: str

    def scores(self, batch: ReaderBatch) -> np.ndarray:
        """(B, n) float32, higher is better, on any scale; works already met are the caller's to leave out."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """All that `restore` of its kind needs to make it again, works keyed by `book_ids` (n,)."""
        ...
