"""Which works are related: a series or the principal subject in common, in one language. No I/O.

Nothing here holds a number per pair of works: relations are groups, and pairs are looked at in blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class RelatedWorks:
    """Row i of each array is one embedded work."""

    book_ids: np.ndarray  # (n,) int64, ascending
    texts: np.ndarray  # (n, 384) float32 of length 1
    principal: np.ndarray  # (n,) int64 principal subject, -1 for none
    series: np.ndarray  # (n,) int64, -1 for none
    languages: np.ndarray  # (n,) int64, -1 for unknown
    subjects: np.ndarray  # (t, 2) int64: a row and one of its subjects, by row

    def take(self, kept: np.ndarray) -> "RelatedWorks":
        """The works of a boolean mask alone."""
        renumbered = np.cumsum(kept) - 1
        held = self.subjects[kept[self.subjects[:, 0]]]
        subjects = np.column_stack([renumbered[held[:, 0]], held[:, 1]])
        return RelatedWorks(
            self.book_ids[kept],
            self.texts[kept],
            self.principal[kept],
            self.series[kept],
            self.languages[kept],
            subjects,
        )

    @cached_property
    def spans(self) -> np.ndarray:
        """(n + 1,) where each row's subjects begin in `subjects`."""
        return np.searchsorted(self.subjects[:, 0], np.arange(len(self.book_ids) + 1))

    @cached_property
    def by_subject(self) -> "Groups":
        return Groups.of(self.principal)

    @cached_property
    def by_series(self) -> "Groups":
        return Groups.of(self.series)

    @cached_property
    def by_subject_and_language(self) -> "Groups":
        return Groups.of(self.principal, self.languages)

    @cached_property
    def by_series_and_language(self) -> "Groups":
        return Groups.of(self.series, self.languages)

    @cached_property
    def has_related(self) -> np.ndarray:
        return (self.by_subject.mates > 0) | (self.by_series.mates > 0)

    @cached_property
    def is_alone(self) -> np.ndarray:
        """(n,) bool: nothing is related in the work's own language, so its relations are those of any language."""
        return (self.by_subject_and_language.mates == 0) & (self.by_series_and_language.mates == 0)


class Relatable(Protocol):
    """A work as the database tells it."""

    @property
    def book_id(self) -> int: ...
    @property
    def series_id(self) -> int | None: ...
    @property
    def language(self) -> str | None: ...
    @property
    def subjects(self) -> list[str]: ...  # the principal one first


@dataclass(frozen=True)
class Groups:
    """Rows that share a code, laid out so that a mate of any row is found in constant time."""

    order: np.ndarray  # (n,) int64 rows, group by group
    start: np.ndarray  # (n,) int64 where the row's group begins in `order`
    place: np.ndarray  # (n,) int64 the row's own place in its group
    mates: np.ndarray  # (n,) int64 how many others there are in its group, 0 for a row of no group

    @classmethod
    def of(cls, codes: np.ndarray, within: np.ndarray | None = None) -> "Groups":
        """Groups of equal codes, and of equal `within` too if given; a code of -1 is in no group."""
        pairs = np.stack([codes, np.zeros_like(codes) if within is None else within])
        order = np.lexsort(pairs[::-1])
        sorted_pairs = pairs[:, order]
        is_first = np.ones(len(codes), dtype=bool)
        is_first[1:] = (sorted_pairs[:, 1:] != sorted_pairs[:, :-1]).any(0)
        firsts = np.flatnonzero(is_first)
        group = np.cumsum(is_first) - 1
        size = np.diff(np.append(firsts, len(codes)))
        start, place, mates = (np.empty(len(codes), dtype=np.int64) for _ in range(3))
        start[order] = firsts[group]
        place[order] = np.arange(len(codes)) - firsts[group]
        mates[order] = size[group] - 1
        mates[codes < 0] = 0
        return cls(order, start, place, mates)

    def draw(self, rows: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
        """One mate of each row, never itself; -1 where there is none. `uniforms` in [0, 1)."""
        at = (uniforms * self.mates[rows]).astype(np.int64)
        at += at >= self.place[rows]
        has_mate = self.mates[rows] > 0
        drawn = self.order[np.where(has_mate, self.start[rows] + at, 0)]
        return np.where(has_mate, drawn, -1)


def relate(book_ids: np.ndarray, texts: np.ndarray, works: Sequence[Relatable]) -> RelatedWorks:
    """What the database tells of the works, in the order of `book_ids`."""
    names = {name: i for i, name in enumerate(sorted({name for work in works for name in work.subjects}))}
    codes = {code: i for i, code in enumerate(sorted({work.language for work in works if work.language}))}
    principal = [names[work.subjects[0]] if work.subjects else -1 for work in works]
    series = [-1 if work.series_id is None else work.series_id for work in works]
    languages = [codes[work.language] if work.language else -1 for work in works]
    subjects = [(row, names[name]) for row, work in enumerate(works) for name in work.subjects]
    return RelatedWorks(
        book_ids,
        texts,
        np.array(principal, dtype=np.int64),
        np.array(series, dtype=np.int64),
        np.array(languages, dtype=np.int64),
        np.array(subjects, dtype=np.int64).reshape(-1, 2),
    )


def draw_related(works: RelatedWorks, rows: np.ndarray, series_share: float, uniforms: np.ndarray) -> np.ndarray:
    """(q,) a related work of each row, -1 where there is none; `uniforms` (2, q) in [0, 1).

    Where a row has both, it is one of its series with probability `series_share`, else one of its subject.
    """
    by_series = works.by_series_and_language.draw(rows, uniforms[0])
    by_subject = works.by_subject_and_language.draw(rows, uniforms[0])
    alone = works.is_alone[rows]
    by_series = np.where(alone, works.by_series.draw(rows, uniforms[0]), by_series)
    by_subject = np.where(alone, works.by_subject.draw(rows, uniforms[0]), by_subject)
    takes_series = (by_series >= 0) & ((by_subject < 0) | (uniforms[1] < series_share))
    return np.where(takes_series, by_series, by_subject)


def is_related(works: RelatedWorks, rows: np.ndarray) -> np.ndarray:
    """(q, n) bool: the block's relations to all works; never to itself."""
    related = _equal(works.principal, rows) | _equal(works.series, rows)
    related &= ~_other_language(works, rows, slice(None)) | works.is_alone[rows, None]
    related[np.arange(len(rows)), rows] = False
    return related


def shares_subject(works: RelatedWorks, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(q, p) bool: any subject or the series in common, or the same work."""
    shared = (works.series[rows, None] == works.series[columns]) & (works.series[rows, None] >= 0)
    shared |= rows[:, None] == columns
    left, right = _subjects_of(works, rows), _subjects_of(works, columns)
    right = right[np.argsort(right[:, 1], kind="stable")]
    first = np.searchsorted(right[:, 1], left[:, 1])
    owner, met = _ranges(first, np.searchsorted(right[:, 1], left[:, 1], side="right") - first)
    shared[left[owner, 0], right[met, 0]] = True
    return shared


def may_be_negative(works: RelatedWorks, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(q, p) bool: no subject in common, or another language; a work related to the row never."""
    other = _other_language(works, rows, columns) & ~works.is_alone[rows, None]
    return ~shares_subject(works, rows, columns) | other


def _subjects_of(works: RelatedWorks, rows: np.ndarray) -> np.ndarray:
    """(t, 2): a number in `rows` and one of its subjects."""
    first = works.spans[rows]
    at, held = _ranges(first, works.spans[rows + 1] - first)
    return np.column_stack([at, works.subjects[held, 1]])


def _ranges(first: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All of the ranges first[i]..first[i] + counts[i], one after the other: (i of each member, the member)."""
    owner = np.repeat(np.arange(len(first)), counts)
    return owner, np.arange(len(owner)) + np.repeat(first - np.cumsum(counts) + counts, counts)


def _equal(codes: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return (codes[rows, None] == codes) & (codes[rows, None] >= 0)


def _other_language(works: RelatedWorks, rows: np.ndarray, columns: np.ndarray | slice) -> np.ndarray:
    languages = works.languages
    known = (languages[rows, None] >= 0) & (languages[columns] >= 0)
    return known & (languages[rows, None] != languages[columns])
