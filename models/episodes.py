"""Logged slates and acts as arrays to learn from. Pure; the rows come from `openshelf.database.episodes`.

An act answers a place when it names the slate, or when it is about a book that the same session was shown before:
the latest slate that showed it gets the credit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.reinforce import later_returns
from models.states import ACTION_INDEX, MAX_ACTS, MAX_MET, Catalogue, StateBatch, gap_bucket
from openshelf.contracts import MEETING, Action
from openshelf.database.episodes import SeenSlate, StoredAct

# A book a reader came back to many times in one session is one strong sign, not many.
MAX_TARGET_WEIGHT = 5.0
_MET_BY = np.isin(np.arange(len(ACTION_INDEX)), [ACTION_INDEX[action] for action in MEETING])
_MET = np.isin(np.arange(len(ACTION_INDEX)), [ACTION_INDEX[action] for action in MEETING | {Action.HIDE}])


@dataclass(frozen=True)
class Histories:
    """Acts of all readers but impressions, by reader and time."""

    rows: np.ndarray  # (a,) int64 catalogue row or -1
    actions: np.ndarray  # (a,) int64
    rewards: np.ndarray  # (a,) float32
    times: np.ndarray  # (a,) float64 seconds
    readers: np.ndarray  # (a,) int64, ascending
    is_ordered: bool = True  # else the acts of a reader have no order, and no times

    @cached_property
    def first_met(self) -> np.ndarray:
        """Positions, ascending, of the acts by which a reader first met a work since the last reset."""
        lives = np.cumsum(self.actions == ACTION_INDEX[Action.RESET])
        met = np.flatnonzero(_MET_BY[self.actions] & (self.rows >= 0))
        _, first = np.unique(np.stack([self.readers, lives, self.rows])[:, met], axis=1, return_index=True)
        return met[np.sort(first)]

    def met(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """(B, M) rows of the works met in [start, end), each once, right-aligned, -1 as padding."""
        first, last = np.searchsorted(self.first_met, start), np.searchsorted(self.first_met, end)
        count = int(min(MAX_MET, (last - first).max(initial=0)))
        at = last[:, None] + np.arange(-count, 0)
        is_work = at >= first[:, None]
        return np.where(is_work, self.rows[self.first_met[np.where(is_work, at, 0)]], -1) if count else at

    def windows(self, start: np.ndarray, end: np.ndarray, now: np.ndarray, *, with_met: bool = True) -> StateBatch:
        """States of acts [start, end) at `now`, for B examples."""
        length = int(min(MAX_ACTS, max(1, (end - start).max(initial=1))))
        at = end[:, None] + np.arange(-length, 0)
        present = at >= start[:, None]
        at = np.where(present, at, 0)
        if not len(self.rows):
            at_rows = np.full(at.shape, -1, dtype=np.int64)
            zeros = np.zeros(at.shape, dtype=np.int64)
            return StateBatch(at_rows, zeros, zeros.astype(np.float32), zeros, present, at_rows[:, :0])
        return StateBatch(
            rows=np.where(present, self.rows[at], -1),
            actions=np.where(present, self.actions[at], 0),
            rewards=np.where(present, self.rewards[at], 0).astype(np.float32),
            gaps=np.where(present, gap_bucket(now[:, None] - self.times[at]), 0),
            present=present,
            met=self.met(start, end) if with_met else np.empty((len(start), 0), dtype=np.int64),
        )

    def allowed(
        self, start: np.ndarray, end: np.ndarray, count_works: int, chosen: np.ndarray | None = None
    ) -> np.ndarray:
        """(B, n) bool: works not met or hidden in [start, end), and the `chosen` (B, k) rows (-1: none).

        What was shown or turned to was allowed, whatever the history says by now.
        """
        mask = np.ones((len(start), count_works), dtype=bool)
        is_met = _MET[self.actions] & (self.rows >= 0)
        for i, (first, last) in enumerate(zip(start.tolist(), end.tolist(), strict=True)):
            met = self.rows[first:last][is_met[first:last]]
            mask[i, met] = False
        if chosen is not None:
            example, place = np.nonzero(chosen >= 0)
            mask[example, chosen[example, place]] = True
        return mask


@dataclass(frozen=True)
class Examples:
    """Where in the histories B examples stand: the state is acts [start, end) at `now`."""

    start: np.ndarray  # (B,) int64
    end: np.ndarray  # (B,) int64
    now: np.ndarray  # (B,) float64 seconds
    readers: np.ndarray  # (B,) int64

    def __len__(self) -> int:
        return len(self.start)

    def take(self, chosen: np.ndarray) -> "Examples":
        return Examples(self.start[chosen], self.end[chosen], self.now[chosen], self.readers[chosen])


@dataclass(frozen=True)
class SlateExamples:
    at: Examples
    rows: np.ndarray  # (B, K) int64 catalogue row or -1
    beta: np.ndarray  # (B, K) float32 logged propensity
    returns: np.ndarray  # (B, K) float32
    rewards: np.ndarray  # (B, K) float32, of the place alone
    shown: np.ndarray  # (B, K) bool

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True)
class TargetExamples:
    """Works a reader turned to and was glad of, each with the state just before."""

    at: Examples
    rows: np.ndarray  # (B,) int64
    weights: np.ndarray  # (B,) float32
    organic: np.ndarray  # (B,) bool: unasked, the act answered no slate

    def __len__(self) -> int:
        return len(self.at)

    def take(self, chosen: np.ndarray) -> "TargetExamples":
        return TargetExamples(self.at.take(chosen), self.rows[chosen], self.weights[chosen], self.organic[chosen])


@dataclass(frozen=True)
class Episodes:
    histories: Histories
    slates: SlateExamples
    targets: TargetExamples


def build(slates: Sequence[SeenSlate], acts: Sequence[StoredAct], catalogue: Catalogue, gamma: float) -> Episodes:
    """`slates` in order of time; `acts` by reader and time, impressions included."""
    kept = [act for act in acts if act.action != Action.SHOW]
    readers = _spans(kept)
    histories = Histories(
        rows=catalogue.rows(np.array([act.book_id or -1 for act in kept], dtype=np.int64)),
        actions=np.array([ACTION_INDEX[Action(act.action)] for act in kept], dtype=np.int64),
        rewards=np.array([act.reward for act in kept], dtype=np.float32),
        times=np.array([act.occurred_at.timestamp() for act in kept], dtype=np.float64),
        readers=np.array([readers[act.reader_key][0] for act in kept], dtype=np.int64),
    )
    resets = np.flatnonzero(histories.actions == ACTION_INDEX[Action.RESET])
    return Episodes(
        histories,
        _slate_examples(slates, acts, catalogue, histories, readers, resets, gamma),
        _target_examples(kept, histories, readers, resets),
    )


def _spans(acts: Sequence[StoredAct]) -> dict[str, tuple[int, int, int]]:
    """reader_key -> (number, first act, one past the last act)."""
    spans: dict[str, tuple[int, int, int]] = {}
    for i, act in enumerate(acts):
        number, first, _ = spans.get(act.reader_key, (len(spans), i, i))
        spans[act.reader_key] = (number, first, i + 1)
    return spans


def _since_reset(first: int, end: int, resets: np.ndarray) -> int:
    """The first act that still counts at `end`."""
    before = np.searchsorted(resets, end)
    return max(first, int(resets[before - 1]) + 1) if before else first


def _slate_examples(
    slates: Sequence[SeenSlate],
    acts: Sequence[StoredAct],
    catalogue: Catalogue,
    histories: Histories,
    readers: dict[str, tuple[int, int, int]],
    resets: np.ndarray,
    gamma: float,
) -> SlateExamples:
    size = max((len(slate.book_ids) for slate in slates), default=1)
    shape = (len(slates), size)
    rows, beta = np.full(shape, -1, dtype=np.int64), np.ones(shape, dtype=np.float32)
    where = np.zeros((4, len(slates)))
    for i, slate in enumerate(slates):
        k = len(slate.book_ids)
        rows[i, :k] = catalogue.rows(np.array(slate.book_ids, dtype=np.int64))
        beta[i, :k] = slate.propensities
        number, first, last = readers.get(slate.reader_key, (-1, 0, 0))
        now = slate.created_at.timestamp()
        end = first + int(np.searchsorted(histories.times[first:last], now, side="right"))
        where[:, i] = _since_reset(first, end, resets), end, now, number
    rewards, shown = attribute(slates, acts, size)
    sessions = {session: i for i, session in enumerate(dict.fromkeys(slate.session_id for slate in slates))}
    numbers = np.array([sessions[slate.session_id] for slate in slates], dtype=np.int64)
    later = later_returns(rewards.sum(1), numbers, gamma)
    at = Examples(where[0].astype(np.int64), where[1].astype(np.int64), where[2], where[3].astype(np.int64))
    return SlateExamples(at, rows, beta, (rewards + later[:, None]).astype(np.float32), rewards, shown & (rows >= 0))


def attribute(slates: Sequence[SeenSlate], acts: Sequence[StoredAct], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Reward (B, K) of each place and whether it was on screen (B, K)."""
    number_of = {slate.slate_id: i for i, slate in enumerate(slates)}
    place_of = [{book_id: k for k, book_id in enumerate(slate.book_ids)} for slate in slates]
    rewards = np.zeros((len(slates), size), dtype=np.float32)
    shown = np.zeros((len(slates), size), dtype=bool)
    latest: dict[tuple[object, int], tuple[int, int]] = {}
    for act in acts:
        if act.book_id is None:
            continue
        slate = number_of.get(act.slate_id) if act.slate_id else None
        if slate is not None and act.book_id in place_of[slate]:
            place = (slate, place_of[slate][act.book_id])
            latest[act.session_id, act.book_id] = place
            shown[place] = True
        elif act.slate_id is None and (act.session_id, act.book_id) in latest:
            place = latest[act.session_id, act.book_id]
        else:
            continue
        rewards[place] += act.reward
    return rewards, shown


def _target_examples(
    acts: Sequence[StoredAct],
    histories: Histories,
    readers: dict[str, tuple[int, int, int]],
    resets: np.ndarray,
) -> TargetExamples:
    """The first glad act of each reader on each work, weighted by what the session made of the work in all."""
    worth: dict[tuple[str, object, int], float] = {}
    for act in acts:
        if act.book_id is not None:
            key = (act.reader_key, act.session_id, act.book_id)
            worth[key] = worth.get(key, 0.0) + act.reward
    met: set[tuple[str, int]] = set()
    found: list[tuple[int, int, float, int, int, float, bool]] = []
    for i, act in enumerate(acts):
        if act.book_id is None or act.reward <= 0 or (act.reader_key, act.book_id) in met:
            continue
        met.add((act.reader_key, act.book_id))
        weight = min(worth[act.reader_key, act.session_id, act.book_id], MAX_TARGET_WEIGHT)
        row = int(histories.rows[i])
        if weight > 0 and row >= 0:
            number, first, _ = readers[act.reader_key]
            found.append(
                (_since_reset(first, i, resets), i, histories.times[i], number, row, weight, act.slate_id is None)
            )
    columns = np.array(found, dtype=np.float64).reshape(-1, 7)
    start, end, readers_of, rows = (columns[:, c].astype(np.int64) for c in (0, 1, 3, 4))
    at = Examples(start, end, columns[:, 2], readers_of)
    return TargetExamples(at, rows, columns[:, 5].astype(np.float32), columns[:, 6].astype(bool))
