"""Slates for readers: batches of requests in, slates out, never an exception because of a model.

A place is filled by the policy (or the model that serves in its place), else by the fallback models, else from the
popular works, else at random; which one is its `source`. Places that staff have pinned, and those of works that they
boosted, are set apart. Propensities are those of the draw as staff steered it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import msgspec
import numpy as np
import structlog
import torch

from models.arms import Scorer
from models.catalogue import Ranking
from models.plackett_luce import BLOCK, Drawn, Excluded, Masses, block_sums, draw_from, slate_noise
from models.products import READERS_AT_ONCE
from models.reasons import EXPLORE, POPULAR, REASONS, reasons_of
from models.states import (
    MAX_ACTS,
    MAX_MET,
    Act,
    Catalogue,
    StateBatch,
    met_in,
    pack_acts,
    pack_works,
    stack_states,
    work_rows,
)
from openshelf.contracts import Place, Source, places_of

_log = structlog.get_logger(__name__)

# Room for the masses of one batch: so many numbers at most, 64 MB. In large catalogues a batch has fewer readers.
MASSES_AT_ONCE = 2**24


class SlateRequest(msgspec.Struct, frozen=True, gc=False):
    """Works are book_ids; those met or hidden are never drawn. Make one of single acts with `of`."""

    reader_key: str
    acts: bytes  # as states.pack_acts makes them: oldest first, at most 50, since the last reset
    met: bytes  # as states.pack_works makes them: all works met since the last reset, each once, the latest last
    hidden: bytes  # works that the reader hid
    now: float  # seconds since the epoch
    seed: int

    @classmethod
    def of(
        cls,
        reader_key: str,
        acts: Sequence[Act],
        excluded: frozenset[int],
        now: datetime,
        seed: int,
        met: Sequence[int] | None = None,
    ) -> "SlateRequest":
        """`met`: unset, the works of the acts."""
        works = (met_in(acts) if met is None else met)[-MAX_MET:]
        return cls(reader_key, pack_acts(acts), pack_works(works), pack_works(sorted(excluded)), now.timestamp(), seed)


class DrawnSlate(msgspec.Struct, frozen=True, gc=False):
    """The places of a slate as columns: thousands are drawn a second, and few are ever looked at one by one."""

    policy_version: str
    book_ids: list[int]
    propensities: list[float]
    sources: list[str]
    reasons: list[str]
    reason_book_ids: list[int | None]

    @classmethod
    def of(cls, policy_version: str, places: Sequence[Place]) -> "DrawnSlate":
        return cls(
            policy_version,
            [place.book_id for place in places],
            [place.propensity for place in places],
            [place.source for place in places],
            [place.reason for place in places],
            [place.reason_book_id for place in places],
        )

    @property
    def places(self) -> tuple[Place, ...]:
        return places_of(self.book_ids, self.propensities, self.sources, self.reasons, self.reason_book_ids)


@dataclass(frozen=True, slots=True)
class Pin:
    """A work that staff want in a place of every slate."""

    book_id: int
    position: int


class Recommender:
    """Draws slates from one scorer (or none) over one catalogue; all are fixed for its life."""

    def __init__(
        self,
        scorer: Scorer | None,
        version: str,
        ranking: Ranking,
        *,
        slate_size: int,
        explore_share: float,
        cold_pool: int,
        fallbacks: Sequence[Scorer] = (),
        pins: Sequence[Pin] = (),
        steers: Mapping[int, float] | None = None,
    ) -> None:
        """`fallbacks`, in this order, rank for readers whom the scorer cannot rank for; last of all, popularity does.

        Of several pins to one place, or of one work, the first counts. `steers`: book_id -> what the mass of the work
        is multiplied by in every draw; 0: it is never drawn, nor pinned.
        """
        self.version = version
        self.catalogue_version = ranking.version
        # In the order in which they are asked.
        self._rungs = [(Source.POLICY, scorer)] if scorer is not None else []
        self._rungs += [(Source.FALLBACK, fallback) for fallback in fallbacks]
        self._lengths = [np.linalg.norm(scorer.vectors, axis=1) for _, scorer in self._rungs]
        whole = ranking.catalogue
        # Without the texts, which are far larger than all that is needed to serve.
        no_texts = np.empty((len(whole.book_ids), 0), np.float32)
        self._catalogue = Catalogue(whole.book_ids, no_texts, whole.prior, whole.taken_in)
        popular = whole.rows(np.array(ranking.popular, dtype=np.int64))
        self._popular = popular[popular >= 0].tolist()
        self._size, self._explore, self._cold_pool = slate_size, explore_share, cold_pool
        steers = steers or {}
        self._withheld = self._rows_of(book_id for book_id, factor in steers.items() if factor == 0)
        steered = {book_id: factor for book_id, factor in steers.items() if factor != 0}
        self._steered = {row: steered[book_id] for book_id in steered for row in self._rows_of([book_id])}
        self._boosted = np.array([row for row, factor in self._steered.items() if factor > 1], dtype=np.int64)
        self._pins = self._pinned_rows([pin for pin in pins if steers.get(pin.book_id) != 0])
        # A power of two, as READERS_AT_ONCE is: a scorer need not fill the batch up to a shape (`models.products`).
        room = MASSES_AT_ONCE // max(len(whole.book_ids), 1)
        self.readers_at_once = min(READERS_AT_ONCE, 2 ** max(room.bit_length() - 1, 0))

    def draw(self, requests: Sequence[SlateRequest]) -> list[DrawnSlate]:
        """One slate per request, in order; the same request and seed give the same slate."""
        if not len(self._catalogue.book_ids):
            return [DrawnSlate.of(self.version, ()) for _ in requests]
        drawn: list[DrawnSlate] = []
        for start in range(0, len(requests), self.readers_at_once):
            drawn += self._draw(requests[start : start + self.readers_at_once])
        return drawn

    def _draw(self, requests: Sequence[SlateRequest]) -> list[DrawnSlate]:
        with torch.inference_mode():
            batch = self._states(requests)
            excluded, pinned = self._excluded(requests, batch)
            masses, rungs = self._masses(batch, excluded)
            noise = slate_noise([request.seed for request in requests], self._size)
            drawn = draw_from(masses, excluded, self._size, explore=self._explore, noise=noise)
        slates = self._slates(drawn, rungs, batch)
        for i, slate in enumerate(slates):
            if len(slate.book_ids) < self._size or pinned[i]:
                places = [*slate.places]
                places += self._top_up(drawn.rows[i, : len(places)].tolist(), excluded.rows[i], noise.pick[i, :, -1])
                slates[i] = DrawnSlate.of(self.version, self._with_pins(places, pinned[i]))
        return slates

    def _states(self, requests: Sequence[SlateRequest]) -> StateBatch:
        acts, met = [request.acts for request in requests], [request.met for request in requests]
        return stack_states(acts, [request.now for request in requests], met, self._catalogue, MAX_ACTS)

    def _excluded(self, requests: Sequence[SlateRequest], batch: StateBatch) -> tuple[Excluded, list[list[Pin]]]:
        """The works that each reader has met or hidden, or has in a pinned place; and each reader's pins."""
        hidden = work_rows([request.hidden for request in requests], self._catalogue)
        rows = batch.met
        if hidden.shape[1]:
            rows = np.sort(np.concatenate([rows, hidden], axis=1), axis=1)
            rows[:, 1:][rows[:, 1:] == rows[:, :-1]] = -1
        pinned: list[list[Pin]] = [[] for _ in requests]
        if self._pins or self._withheld:
            more = []
            for i, taken in enumerate(map(set, rows.tolist())):
                free = [(row, pin) for row, pin in self._pins if row not in taken]
                pinned[i] = [pin for _, pin in free]
                mine = [row for row, _ in free] + [row for row in self._withheld if row not in taken]
                more.append(mine + [-1] * (len(self._pins) + len(self._withheld) - len(mine)))
            rows = np.concatenate([rows, np.array(more, dtype=np.int64)], axis=1)
        return Excluded(rows, len(self._catalogue.book_ids)), pinned

    def _masses(self, batch: StateBatch, excluded: Excluded) -> tuple[Masses, np.ndarray]:
        """Of the readers asked for, and the rung of the ladder that serves each: the first that can rank, else -1."""
        rungs = np.full(len(excluded.rows), -1)
        masses = None
        for number, (_, scorer) in enumerate(self._rungs):
            answer = self._ask(scorer, batch, excluded) if (rungs < 0).any() else None
            if answer is None:
                continue
            answered, can_rank = answer
            ranked = (rungs < 0) & can_rank
            if masses is None:
                masses = answered
            else:
                chosen = torch.from_numpy(np.flatnonzero(ranked))
                masses.values[chosen], masses.sums[chosen] = answered.values[chosen], answered.sums[chosen]
            rungs[ranked] = number
        if masses is None:
            masses = Masses.of(torch.empty(len(rungs), excluded.count_works))
        for i in np.flatnonzero(rungs < 0).tolist():
            # A uniform draw from the reader's pool of most popular works.
            pool = self._free_popular(set(excluded.rows[i].tolist()), max(self._cold_pool, self._size))
            masses.values[i] = 0.0
            masses.values[i, pool] = 1.0
            masses.sums[i] = block_sums(masses.values[i])
        self._steer(masses)
        return masses, rungs

    def _steer(self, masses: Masses) -> None:
        """Multiply the masses of the works that staff boosted or buried, in place."""
        for row, factor in self._steered.items():
            masses.values[:, row] *= factor
        for block in {row // BLOCK for row in self._steered}:
            masses.sums[:, block] = masses.values[:, block * BLOCK : (block + 1) * BLOCK].sum(-1)

    def _ask(self, scorer: Scorer, batch: StateBatch, excluded: Excluded) -> tuple[Masses, np.ndarray] | None:
        """What it says, and for which readers that can be used; None where it fails or has nothing to say."""
        try:
            masses, can_rank = scorer.masses(batch, excluded)
        except Exception:  # noqa: BLE001 - whatever a model's code does, readers get their slates from the next rung
            _log.exception("scorer_failed", version=self.version, scorer=type(scorer).__name__)
            return None
        is_sound = np.isfinite(masses.sums.numpy()).all(1)
        if not is_sound.all():
            _log.error("scores_not_finite", version=self.version, scorer=type(scorer).__name__)
        can_rank = can_rank & is_sound
        return (masses, can_rank) if can_rank.any() else None

    def _free_popular(self, taken: set[int], count: int) -> list[int]:
        return list(islice((row for row in self._popular if row not in taken), count))

    def _reasons(self, drawn: Drawn, rungs: np.ndarray, batch: StateBatch) -> tuple[np.ndarray, np.ndarray]:
        """Of each place the number of its reason, and the row of the work that it names or -1."""
        rows = drawn.rows.numpy()
        reasons, anchors = np.full(rows.shape, POPULAR), np.full(rows.shape, -1)
        for number, (_, scorer) in enumerate(self._rungs):
            served = rungs == number
            if served.any():
                found, named = reasons_of(rows, scorer.vectors, self._lengths[number], batch)
                reasons[served], anchors[served] = found[served], named[served]
        explored = drawn.explored.numpy()
        reasons[explored], anchors[explored] = EXPLORE, -1
        return reasons, anchors

    def _slates(self, drawn: Drawn, rungs: np.ndarray, batch: StateBatch) -> list[DrawnSlate]:
        reasons, anchors = self._reasons(drawn, rungs, batch)
        ids, rows = self._catalogue.book_ids, drawn.rows.numpy()
        counts = (rows >= 0).sum(1).tolist()
        # The last is for places that no rung has filled, and popularity has.
        sources = np.array([*(source for source, _ in self._rungs), Source.POPULAR], dtype=object)[rungs]
        sources = np.broadcast_to(sources[:, None], rows.shape)
        if len(self._boosted):
            sources = np.where(np.isin(rows, self._boosted), Source.STAFF, sources)
        sources = np.where(drawn.explored.numpy(), Source.RANDOM, sources)
        named = np.full(rows.shape, None)
        named[anchors >= 0] = ids[anchors[anchors >= 0]]
        columns = (ids[rows], drawn.propensity.clamp(max=1.0), sources, REASONS[reasons], named)
        # Of places that are none too: they are the last of a slate, and cut off.
        return [
            DrawnSlate(self.version, *(of_slate if count == self._size else [column[:count] for column in of_slate]))
            for count, *of_slate in zip(counts, *(column.tolist() for column in columns), strict=True)
        ]

    def _top_up(self, rows: list[int], excluded: np.ndarray, uniforms: np.ndarray) -> list[Place]:
        """Fill what the rung above left empty: from the next most popular works, then from all, at random."""
        places: list[Place] = []
        taken = {*excluded.tolist(), *rows}
        for position in range(len(rows), self._size):
            source, reason = Source.POPULAR, "popular"
            free = self._free_popular(taken, self._cold_pool)
            if not free:
                source, reason = Source.RANDOM, "explore"
                free = [row for row in range(len(self._catalogue.book_ids)) if row not in taken]
            if not free:
                break
            row = free[int(uniforms[position] * len(free))]
            taken.add(row)
            book_id = int(self._catalogue.book_ids[row])
            places.append(
                Place(book_id=book_id, position=position, propensity=1 / len(free), source=source, reason=reason)
            )
        return places

    def _rows_of(self, book_ids: Iterable[int]) -> list[int]:
        """Rows of those that this catalogue has."""
        rows = self._catalogue.rows(np.array(list(book_ids), dtype=np.int64))
        return rows[rows >= 0].tolist()

    def _pinned_rows(self, pins: Sequence[Pin]) -> list[tuple[int, Pin]]:
        """Row and pin of those that this catalogue has and that fit into a slate, by position."""
        rows = self._catalogue.rows(np.array([pin.book_id for pin in pins], dtype=np.int64)).tolist()
        at: dict[int, tuple[int, Pin]] = {}
        for row, pin in zip(rows, pins, strict=True):
            if row >= 0 and pin.position < self._size and row not in [taken for taken, _ in at.values()]:
                at.setdefault(pin.position, (row, pin))
        return [at[position] for position in sorted(at)]

    def _with_pins(self, drawn: list[Place], pins: list[Pin]) -> list[Place]:
        """The pinned works at their places (nearer, in a slate too short), the drawn ones in order around them."""
        books: list[Place] = drawn[: self._size - len(pins)]
        for pin in pins:
            place = Place(book_id=pin.book_id, position=0, propensity=1.0, source=Source.PINNED, reason="pinned")
            books.insert(min(pin.position, len(books)), place)
        return [msgspec.structs.replace(place, position=position) for position, place in enumerate(books)]
