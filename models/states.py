"""What the policy looks at: the works it ranks, and readers' last acts as arrays. Pure.

Act, Act, ... --state_batch--> StateBatch (B, L) --Policy.encode--> state (B, d)
Catalogue (n works) --Policy.items--> item vectors (n, d)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np

from openshelf.contracts import MEETING, Action

MAX_ACTS = 50
# Works met that count; as many as the dataflow remembers of a reader.
MAX_MET = 5_000
TEXT_DIM = 384
# The order is part of every stored policy: append, never insert.
ACTIONS = (
    Action.VISIT,
    Action.SHOW,
    Action.OPEN,
    Action.READ,
    Action.FINISH,
    Action.LIKE,
    Action.DISLIKE,
    Action.WANT,
    Action.RATE,
    Action.SKIP,
    Action.HIDE,
    Action.UNHIDE,
    Action.SEARCH,
    Action.RESET,
)
ACTION_INDEX = {action: index for index, action in enumerate(ACTIONS)}
# Upper edges of the buckets of "how long ago"; one more bucket lies above the last.
GAP_EDGES_S = np.array([60, 600, 3_600, 86_400, 7 * 86_400, 30 * 86_400], dtype=np.float64)
COUNT_GAPS = len(GAP_EDGES_S) + 1


@dataclass(frozen=True)
class Act:
    """One act of a reader as the policy sees it; `reward` comes from models/rewards.toml."""

    book_id: int | None
    action: Action
    reward: float
    occurred_at: datetime


@dataclass(frozen=True)
class Catalogue:
    """The active works, in ascending book_id; row i of every array is work `book_ids[i]`."""

    book_ids: np.ndarray  # (n,) int64
    texts: np.ndarray  # (n, 384) float32 of length 1; zero where the work is not embedded yet
    prior: np.ndarray  # (n,) float32 in 0..1: how popular, before anything is known of the reader

    @cached_property
    def row_of(self) -> dict[int, int]:
        return {book_id: row for row, book_id in enumerate(self.book_ids.tolist())}

    @cached_property
    def has_text(self) -> np.ndarray:
        """(n,) bool; only these works can be ranked by the policy."""
        return np.asarray(self.texts.any(axis=1))

    def rows(self, book_ids: np.ndarray) -> np.ndarray:
        """Rows of many works at once; -1 where the catalogue does not have the work."""
        if not len(self.book_ids):
            return np.full(book_ids.shape, -1, dtype=np.int64)
        at = np.searchsorted(self.book_ids, book_ids).clip(max=len(self.book_ids) - 1)
        return np.where(self.book_ids[at] == book_ids, at, -1)


@dataclass(frozen=True)
class StateBatch:
    """Last acts of B readers, oldest first and right-aligned: the newest act is always in the last column."""

    rows: np.ndarray  # (B, L) int64 catalogue row, -1 when the act is about no work we have
    actions: np.ndarray  # (B, L) int64 index into ACTIONS
    rewards: np.ndarray  # (B, L) float32
    gaps: np.ndarray  # (B, L) int64 bucket of the time from the act until now
    present: np.ndarray  # (B, L) bool; False is padding
    met: np.ndarray  # (B, M) int64 catalogue rows of all works met since the last reset, each once, -1 is padding


def gap_bucket(seconds: np.ndarray) -> np.ndarray:
    return np.searchsorted(GAP_EDGES_S, seconds, side="right").astype(np.int64)


def state_batch(
    histories: Sequence[Sequence[Act]],
    nows: Sequence[datetime],
    catalogue: Catalogue,
    length: int | None = None,
    met: Sequence[Sequence[int]] | None = None,
) -> StateBatch:
    """What the policy sees of each reader at that moment; impressions are left out, they say nothing of taste.

    `length` of the batch, at least MAX_ACTS; unset: as long as the longest history. `met`: book_ids of all works that
    each reader met, in the order of their first meeting; unset: those of the histories.
    """
    kept = [[act for act in acts if act.action is not Action.SHOW][-MAX_ACTS:] for acts in histories]
    if length is None:
        length = max(1, *(len(acts) for acts in kept)) if kept else 1
    shape = (len(kept), length)
    rows, actions = np.full(shape, -1, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    rewards, seconds = np.zeros(shape, dtype=np.float32), np.zeros(shape)
    present = np.zeros(shape, dtype=bool)
    row_of = catalogue.row_of
    for i, (acts, now) in enumerate(zip(kept, nows, strict=True)):
        if not acts:
            continue
        start = length - len(acts)
        rows[i, start:] = [row_of.get(act.book_id, -1) if act.book_id is not None else -1 for act in acts]
        actions[i, start:] = [ACTION_INDEX[act.action] for act in acts]
        rewards[i, start:] = [act.reward for act in acts]
        seconds[i, start:] = [(now - act.occurred_at).total_seconds() for act in acts]
        present[i, start:] = True
    known = met if met is not None else [met_in(acts) for acts in histories]
    return StateBatch(rows, actions, rewards, gap_bucket(seconds), present, _met_rows(known, catalogue))


def met_in(acts: Sequence[Act]) -> tuple[int, ...]:
    """Works met by these acts, each once, in the order of their first meeting."""
    met = (act.book_id for act in acts if act.book_id is not None and act.action in MEETING)
    return tuple(dict.fromkeys(met))


def _met_rows(met: Sequence[Sequence[int]], catalogue: Catalogue) -> np.ndarray:
    """(B, M) right-aligned: the work met last is in the last column."""
    latest = [book_ids[-MAX_MET:] for book_ids in met]
    rows = np.full((len(latest), max(map(len, latest), default=0)), -1, dtype=np.int64)
    is_work = np.arange(rows.shape[1]) >= rows.shape[1] - np.array([[len(book_ids)] for book_ids in latest], dtype=int)
    if rows.size:
        rows[is_work] = catalogue.rows(np.array([book_id for ids in latest for book_id in ids], dtype=np.int64))
    return rows
