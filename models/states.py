"""What the policy looks at: the works it ranks, and readers' last acts as arrays. Pure.

Act, Act, ... --pack_acts--> bytes --stack_states--> StateBatch (B, L) --Policy.encode--> state (B, d)
Catalogue (n works) --Policy.items--> item vectors (n, d)
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cached_property
from struct import Struct

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


# A reader's acts as the dataflow keeps them: bytes, a row an act, oldest first, without impressions. Bytes are joined,
# compared and stored at next to no cost, whole batches of them become arrays at once.
_ACT = Struct("<dfib7x")
ACT_ROW = np.dtype([("at", "<f8"), ("reward", "<f4"), ("book_id", "<i4"), ("action", "i1")], align=True)
ACT_BYTES = _ACT.size
_BOOK_ID = Struct("<i")
BOOK_ID_BYTES = _BOOK_ID.size
NO_WORK = -1


def pack_act(book_id: int | None, action: Action, reward: float, at: float) -> bytes:
    """`at` in seconds since the epoch."""
    return _ACT.pack(at, reward, NO_WORK if book_id is None else book_id, ACTION_INDEX[action])


def pack_acts(acts: Sequence[Act]) -> bytes:
    """The last MAX_ACTS but impressions, which say nothing of taste."""
    kept = [act for act in acts if act.action is not Action.SHOW][-MAX_ACTS:]
    return b"".join([pack_act(act.book_id, act.action, act.reward, act.occurred_at.timestamp()) for act in kept])


def pack_works(book_ids: Iterable[int]) -> bytes:
    return b"".join(map(_BOOK_ID.pack, book_ids))


def works_of(packed: bytes) -> list[int]:
    return np.frombuffer(packed, "<i4").tolist()


@dataclass(frozen=True)
class Catalogue:
    """The active works, in ascending book_id; row i of every array is work `book_ids[i]`."""

    book_ids: np.ndarray  # (n,) int64
    texts: np.ndarray  # (n, 384) float32 of length 1; zero where the work is not embedded yet
    prior: np.ndarray  # (n,) float32 in 0..1: how popular, before anything is known of the reader
    # (m, 2) int64: a work that is part of another one now, ascending, and that one; an act on the one is on the other.
    taken_in: np.ndarray | None = None

    @cached_property
    def row_of(self) -> dict[int, int]:
        return {book_id: row for row, book_id in enumerate(self.book_ids.tolist())}

    @cached_property
    def _row_by_id(self) -> np.ndarray | None:
        """At book_id + 1 its row, at both ends -1 for ids below and above; None where ids lie too far apart."""
        last = int(self.book_ids[-1])
        if last > 8 * len(self.book_ids) + 100_000:
            return None
        table = np.full(last + 3, -1, dtype=np.int64)
        table[self.book_ids + 1] = np.arange(len(self.book_ids))
        return table

    @cached_property
    def has_text(self) -> np.ndarray:
        """(n,) bool; only these works can be ranked by the policy."""
        return np.asarray(self.texts.any(axis=1))

    def rows(self, book_ids: np.ndarray) -> np.ndarray:
        """Rows of many works at once; -1 where the catalogue does not have the work."""
        if not len(self.book_ids):
            return np.full(book_ids.shape, -1, dtype=np.int64)
        if self.taken_in is not None and len(self.taken_in):
            old, new = self.taken_in.T
            at = np.searchsorted(old, book_ids).clip(max=len(old) - 1)
            book_ids = np.where(old[at] == book_ids, new[at], book_ids)
        table = self._row_by_id
        if table is not None:
            return table[(book_ids.astype(np.int64) + 1).clip(0, len(table) - 1)]
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


def taken(batch: StateBatch, rows: slice) -> StateBatch:
    return StateBatch(*(getattr(batch, field.name)[rows] for field in fields(StateBatch)))


def filled_up(batch: StateBatch, count: int) -> StateBatch:
    """With readers of whom nothing is known added, up to so many."""
    missing = count - len(batch.rows)
    if not missing:
        return batch
    nobody = [(-1, batch.rows), (0, batch.actions), (0, batch.rewards), (0, batch.gaps), (0, batch.present)]
    widths = ((0, missing), (0, 0))
    return StateBatch(*(np.pad(of, widths, constant_values=value) for value, of in [*nobody, (-1, batch.met)]))


def random_states(count: int, count_works: int) -> StateBatch:
    """Readers unlike each other, always the same ones: to try out what serves them."""
    rng, shape = np.random.default_rng(0), (count, MAX_ACTS)
    present = _right_aligned(rng.integers(0, MAX_ACTS + 1, count).tolist(), MAX_ACTS)
    return StateBatch(
        rows=np.where(present, rng.integers(0, max(count_works, 1), shape), -1),
        actions=np.where(present, rng.integers(0, len(ACTIONS), shape), 0),
        rewards=np.where(present, rng.normal(0, 2, shape), 0).astype(np.float32),
        gaps=np.where(present, rng.integers(0, COUNT_GAPS, shape), 0),
        present=present,
        met=np.empty((count, 0), dtype=np.int64),
    )


def gap_bucket(seconds: np.ndarray) -> np.ndarray:
    return np.searchsorted(GAP_EDGES_S, seconds, side="right").astype(np.int64)


def state_batch(
    histories: Sequence[Sequence[Act]],
    nows: Sequence[datetime],
    catalogue: Catalogue,
    length: int | None = None,
    met: Sequence[Sequence[int]] | None = None,
) -> StateBatch:
    """What the policy sees of each reader at that moment.

    `length` of the batch, at least MAX_ACTS; unset: as long as the longest history. `met`: book_ids of all works that
    each reader met, in the order of their first meeting; unset: those of the histories.
    """
    acts = [pack_acts(history) for history in histories]
    known = [met_in(history) for history in histories] if met is None else met
    works = [pack_works(book_ids[-MAX_MET:]) for book_ids in known]
    if length is None:
        length = max([1, *(len(packed) // ACT_BYTES for packed in acts)])
    return stack_states(acts, [now.timestamp() for now in nows], works, catalogue, length)


def stack_states(
    acts: Sequence[bytes], nows: Sequence[float], met: Sequence[bytes], catalogue: Catalogue, length: int
) -> StateBatch:
    """`state_batch` of packed acts and met works, and the moments in seconds since the epoch."""
    counts = [len(packed) // ACT_BYTES for packed in acts]
    present = _right_aligned(counts, length)
    rows, actions = np.full(present.shape, -1, dtype=np.int64), np.zeros(present.shape, dtype=np.int64)
    rewards, gaps = np.zeros(present.shape, dtype=np.float32), np.zeros(present.shape, dtype=np.int64)
    all_acts = np.frombuffer(b"".join(acts), ACT_ROW)
    if len(all_acts):
        rows[present], actions[present] = catalogue.rows(all_acts["book_id"]), all_acts["action"]
        rewards[present] = all_acts["reward"]
        gaps[present] = gap_bucket(np.repeat(np.array(nows), counts) - all_acts["at"])
    return StateBatch(rows, actions, rewards, gaps, present, work_rows(met, catalogue))


def met_in(acts: Sequence[Act]) -> tuple[int, ...]:
    """Works met by these acts, each once, in the order of their first meeting."""
    met = (act.book_id for act in acts if act.book_id is not None and act.action in MEETING)
    return tuple(dict.fromkeys(met))


def work_rows(works: Sequence[bytes], catalogue: Catalogue) -> np.ndarray:
    """(B, M) catalogue rows of B packed lists of works, right-aligned: the last of each is in the last column."""
    counts = [len(packed) // BOOK_ID_BYTES for packed in works]
    is_work = _right_aligned(counts, max(counts, default=0))
    rows = np.full(is_work.shape, -1, dtype=np.int64)
    if rows.size:
        book_ids = np.frombuffer(b"".join(works), "<i4")
        rows[is_work] = catalogue.rows(book_ids)
        if catalogue.taken_in is not None:
            was_taken_in = np.zeros(rows.shape, dtype=bool)
            was_taken_in[is_work] = np.isin(book_ids, catalogue.taken_in[:, 0])
            for reader in np.flatnonzero(was_taken_in.any(1)).tolist():
                _each_once(rows[reader])
    return rows


def _each_once(row: np.ndarray) -> None:
    """Two works of a list may be one by now: it stays where it comes last."""
    last = {work: column for column, work in enumerate(row.tolist())}
    row[[column for column, work in enumerate(row.tolist()) if last[work] != column]] = -1


def _right_aligned(counts: Sequence[int], length: int) -> np.ndarray:
    """(B, length) bool: True in the last `count` columns of each row."""
    return np.arange(length) >= length - np.array(counts, dtype=np.int64).reshape(-1, 1)
