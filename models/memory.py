"""What readers turn to after what: two sparse linear memories, one small regression per work. Pure.

*Together* answers a set: which works are met by the readers who met these (no order). *Next* answers a sequence: what
readers turned to just after these, the latest counting most. Each is, for every work j,

    b_j = argmin |y_j - P_j b|^2 + ridge |b|^2,    y_j: did the reader turn to j?  P_j: what else they had met

over the `companions` of j that predict it best alone. Restricting EASE (Steck 2019) to such neighbours (SLIM's feature
selection: Ning and Karypis 2011) makes it linear in works, and on sparse data better; the ordered form is that of
Choi et al. (WWW 2021). Weights are kept by the work that was met, so that a reader's score is one sparse sum.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

# Up to so many works, the products of all with all are laid out: 400 MB.
DENSE_WORKS = 10_000
_CHUNK = 256


@dataclass(frozen=True)
class MemoryConfig:
    companions: int = 25
    """How many works at most explain why a reader turned to one."""
    width: int = 64
    """For how many works at most one speaks."""
    together_ridge: float = 20.0
    """Penalty of the regressions on sets: that many readers must agree before it shows."""
    next_ridge: float = 30.0
    """The same of the regressions on sequences."""
    moments: int = 300_000
    """Sequences are learned from at most so many acts, spread evenly."""
    next_half_life: float = 5.0
    """In what a sequence is explained by, an act counts half once this many acts came after it."""


@dataclass(frozen=True)
class Companions:
    """For n works: the works that having met one speaks for (or against), and how much."""

    rows: Tensor  # (n, w) int32, -1 is padding
    weights: Tensor  # (n, w) float16, 0 for padding

    @classmethod
    def none(cls, count_works: int) -> "Companions":
        return cls(torch.empty(count_works, 0, dtype=torch.int32), torch.empty(count_works, 0, dtype=torch.half))

    def taken(self, rows: np.ndarray, new_row_of: np.ndarray) -> "Companions":
        """Of the works at `rows` (m,) (-1: a work not known here), renumbered by `new_row_of` (n,) (-1: gone)."""
        if not self.rows.shape[1]:
            return Companions.none(len(rows))
        known = torch.from_numpy(rows)
        own, weights = self.rows[known.clamp(min=0)].long(), self.weights[known.clamp(min=0)]
        mapped = torch.from_numpy(new_row_of)[own.clamp(min=0)]
        is_there = (own >= 0) & (mapped >= 0) & (known >= 0)[:, None]
        return Companions(torch.where(is_there, mapped, -1).int(), torch.where(is_there, weights, 0).half())

    def scores(self, rows: Tensor, weights: Tensor) -> Tensor:
        """(B, n): how much the works met by B readers, `rows` (B, L) or -1, speak for each work, times `weights`."""
        found = torch.zeros(len(rows), len(self.rows))
        self.end_to_end.heard(rows, weights, found.shape[1]).add_to(found, 0, len(found))
        return found

    @cached_property
    def end_to_end(self) -> "EndToEnd":
        return EndToEnd.of(self)

    @cached_property
    def by_target(self) -> sp.csr_matrix:
        """(n, n) the same weights by the work spoken for."""
        source, place = np.nonzero(self.rows.numpy() >= 0)
        at = (self.rows.numpy()[source, place], source)
        count = len(self.rows)
        return sp.csr_matrix((self.weights.numpy()[source, place].astype(np.float32), at), shape=(count, count))

    def features(
        self, rows: np.ndarray, values: np.ndarray, scales: np.ndarray, asked: np.ndarray | None = None
    ) -> Tensor:
        """(B, c, s): as `scores`, on each of the scales apart, for the works asked for (their rows; unset: all).

        `values` (B, L) of the works met, `scales` (L, s): how much a place counts on each scale.
        """
        reader, place = np.nonzero((rows >= 0) & (values != 0))
        count_scales = scales.shape[1]
        column = reader[:, None] * count_scales + np.arange(count_scales)
        source = np.broadcast_to(rows[reader, place][:, None], column.shape)
        weighed = (values[reader, place][:, None] * scales[place]).astype(np.float32)
        shape = (len(self.rows), len(rows) * count_scales)
        met = sp.csr_matrix((weighed.ravel(), (source.ravel(), column.ravel())), shape=shape)
        spoken = sp.csr_matrix((self.by_target if asked is None else self.by_target[asked]) @ met)
        found = spoken.toarray().reshape(-1, len(rows), count_scales)
        return torch.from_numpy(found).transpose(0, 1)


@dataclass(frozen=True)
class EndToEnd:
    """Companions without padding, to be kept and read fast: few works speak for as many as the widest."""

    first: Tensor  # (n,) int64: where the companions of each work begin
    count: Tensor  # (n,) int32
    rows: Tensor  # (all + the widest,) int32
    weights: Tensor  # (all + the widest,) float16
    is_own: Tensor  # (the widest + 1, the widest) float32: for each count, 1 for so many and 0 beyond

    @classmethod
    def of(cls, *memories: Companions) -> "EndToEnd":
        """Of several memories, the works of the second come after those of the first."""
        is_there = [companions.rows >= 0 for companions in memories]
        count = torch.cat([each.sum(1) for each in is_there])
        widest = max(companions.rows.shape[1] for companions in memories)
        # So that what is read from the last companion on is as wide as the widest too.
        room = torch.zeros(widest, dtype=torch.int32)
        rows = [companions.rows[own] for companions, own in zip(memories, is_there, strict=True)]
        weights = [companions.weights[own] for companions, own in zip(memories, is_there, strict=True)]
        is_own = torch.ones(widest + 1, widest).tril(-1)
        return cls(
            count.cumsum(0) - count, count.int(), torch.cat([*rows, room]), torch.cat([*weights, room.half()]), is_own
        )

    def heard(self, rows: Tensor, weights: Tensor, width: int) -> "Heard":
        """What the works met by B readers, `rows` (B, L) or -1, say of works in rows of `width` numbers."""
        is_met = rows >= 0
        # By numpy: torch takes five times as long to pick by a mask.
        at = torch.from_numpy(np.flatnonzero(is_met.numpy()))
        met = rows.reshape(-1).index_select(0, at)
        counts = is_met.sum(1)
        reader = torch.arange(len(rows)).repeat_interleave(counts)
        return Heard(
            self,
            [0, *counts.cumsum(0).tolist()],
            self.first.index_select(0, met),
            self.count.index_select(0, met),
            weights.reshape(-1).index_select(0, at)[:, None],
            (reader * width)[:, None],
        )

    def count_bytes(self) -> int:
        return sum(t.numel() * t.element_size() for t in (self.first, self.count, self.rows, self.weights))


@dataclass(frozen=True)
class Heard:
    """What the works that B readers met say, the readers' works end to end; to be added up a few readers at a time."""

    memory: EndToEnd
    spans: list[int]  # the works of reader i: from spans[i] to spans[i + 1]
    first: Tensor  # (m,) of each work met, as the memory has it
    count: Tensor  # (m,)
    weights: Tensor  # (m, 1) float32
    at: Tensor  # (m, 1) int64: where the reader's numbers begin

    def add_to(self, onto: Tensor, start: int, end: int) -> None:
        """Add the scores of these readers to `onto` (B, width), which lies in memory row by row.

        A reader's numbers are added up in the order of their works: whoever else is there changes no bit of them.
        """
        some = slice(self.spans[start], self.spans[end])
        count, first = self.count[some], self.first[some]
        width = int(count.max()) if len(count) else 0
        if not width:
            return
        # Windows of one width are copied at once; what lies beyond a work's own companions counts nothing.
        values = self.memory.is_own[:, :width].index_select(0, count).mul_(self.weights[some])
        values.mul_(self.memory.weights.unfold(0, width, 1).index_select(0, first))
        at = self.memory.rows.unfold(0, width, 1).index_select(0, first).long().add_(self.at[some])
        onto.view(-1).scatter_add_(0, at.view(-1), values.view(-1))


def regress(met: sp.csr_matrix, turned_to: sp.csr_matrix, *, ridge: float, companions: int, width: int) -> Companions:
    """Fit one memory: `met` (t, n) what counted at each of t moments, `turned_to` (t, n) what came then.

    A work's own presence never explains it. At most `companions` works explain one, and one work speaks for at most
    `width` others: the strongest are kept. Time and memory are linear in t and in n for bounded rows.
    """
    count = int(turned_to.get_shape()[1])
    met, turned_to = sp.csr_matrix(met, dtype=np.float32), sp.csr_matrix(turned_to, dtype=np.float32)
    by_work, cross = sp.csc_matrix(met), sp.csc_matrix(met.T @ turned_to)
    cross = sp.csc_matrix(cross - sp.diags(cross.diagonal(), dtype=np.float32))
    cross.eliminate_zeros()
    # Every work's products with every other, where they fit; else those of a few works at a time.
    products = sp.csr_matrix(met.T @ met).toarray() if count <= DENSE_WORKS else by_work
    alone = 1 / np.sqrt(np.asarray(by_work.multiply(by_work).sum(0)).ravel() + ridge)
    sources, targets, weights = [], [], []
    explained = np.flatnonzero(np.diff(cross.indptr))
    for first in range(0, len(explained), _CHUNK):
        works = explained[first : first + _CHUNK]
        chosen, known = _companions(cross, works, alone, companions)
        systems = _systems(products, chosen) + ridge * np.eye(chosen.shape[1], dtype=np.float32)
        keep = chosen >= 0
        sources.append(chosen[keep])
        targets.append(np.broadcast_to(works[:, None], chosen.shape)[keep])
        weights.append(np.linalg.solve(systems, known[..., None])[..., 0][keep])
    if not sources:
        return Companions.none(count)
    return _by_source(np.concatenate(sources), np.concatenate(targets), np.concatenate(weights), count, width)


def _companions(
    cross: sp.csc_matrix, works: np.ndarray, alone: np.ndarray, companions: int
) -> tuple[np.ndarray, np.ndarray]:
    """(c, k) the works that explain each best alone, -1 as padding, and their cross products with it."""
    chosen = np.full((len(works), companions), -1, dtype=np.int64)
    known = np.zeros((len(works), companions), dtype=np.float32)
    for i, work in enumerate(works.tolist()):
        begin, end = cross.indptr[work], cross.indptr[work + 1]
        rows, values = cross.indices[begin:end], cross.data[begin:end]
        if len(rows) > companions:
            best = np.argpartition(-np.abs(values * alone[rows]), companions)[:companions]
            rows, values = rows[best], values[best]
        chosen[i, : len(rows)], known[i, : len(rows)] = rows, values
    return chosen, known


def _systems(products: np.ndarray | sp.csc_matrix, chosen: np.ndarray) -> np.ndarray:
    """(c, k, k) products of each work's companions with each other; 0 for padding."""
    if isinstance(products, np.ndarray):
        is_there = chosen >= 0
        return products[chosen[:, :, None], chosen[:, None, :]] * (is_there[:, :, None] & is_there[:, None, :])
    systems = np.zeros((*chosen.shape, chosen.shape[1]), dtype=np.float32)
    for i, rows in enumerate(chosen):
        count = int((rows >= 0).sum())
        own = products[:, rows[:count]]
        systems[i, :count, :count] = (own.T @ own).toarray()
    return systems


def _by_source(
    sources: np.ndarray, targets: np.ndarray, weights: np.ndarray, count_works: int, width: int
) -> Companions:
    order = np.lexsort((-np.abs(weights), sources))
    sources, targets, weights = sources[order], targets[order], weights[order]
    place = np.arange(len(sources)) - np.searchsorted(sources, sources)
    kept = place < width
    widest = int(place[kept].max(initial=-1)) + 1
    rows = np.full((count_works, widest), -1, dtype=np.int32)
    values = np.zeros((count_works, widest), dtype=np.float16)
    rows[sources[kept], place[kept]] = targets[kept]
    values[sources[kept], place[kept]] = weights[kept]
    return Companions(torch.from_numpy(rows), torch.from_numpy(values))


@dataclass(frozen=True)
class Memory:
    together: Companions
    next: Companions

    @classmethod
    def none(cls, count_works: int) -> "Memory":
        return cls(Companions.none(count_works), Companions.none(count_works))

    def taken(self, rows: np.ndarray, new_row_of: np.ndarray) -> "Memory":
        return Memory(self.together.taken(rows, new_row_of), self.next.taken(rows, new_row_of))
