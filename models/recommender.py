"""Slates for readers: batches of requests in, slates out, never an exception because of a model.

A place is filled by the policy (or the model that serves in its place), else by the fallback model, else from the
popular works, else at random; which one is its `source`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice

import numpy as np
import structlog
import torch

from models.arms import Scorer
from models.catalogue import Ranking
from models.plackett_luce import Excluded, Masses, block_sums, draw_from, slate_noise
from models.reasons import reasons_of
from models.states import MAX_ACTS, Act, Catalogue, StateBatch, met_in, state_batch
from openshelf.contracts import MEETING, Place, Source

_log = structlog.get_logger(__name__)

# Readers whose works are scored together, and so the rows of every matrix: see `Recommender._states`.
READERS_AT_ONCE = 16


@dataclass(frozen=True)
class SlateRequest:
    reader_key: str
    acts: tuple[Act, ...]  # oldest first, at most 50, since the last reset
    excluded: frozenset[int]  # met or hidden: never drawn
    now: datetime
    seed: int
    met: tuple[int, ...] | None = None  # all works met since the last reset, the latest last; unset: those of `acts`


@dataclass(frozen=True)
class DrawnSlate:
    policy_version: str
    places: tuple[Place, ...]


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
        fallback: Scorer | None = None,
    ) -> None:
        """`fallback` ranks for readers whom the scorer cannot rank for; where it cannot either, popularity does."""
        self.version = version
        self.catalogue_version = ranking.version
        # In the order in which they are asked.
        rungs = {Source.POLICY: scorer, Source.FALLBACK: fallback}
        self._rungs = {source: rung for source, rung in rungs.items() if rung is not None}
        whole = ranking.catalogue
        # Without the texts, which are far larger than all that is needed to serve.
        self._catalogue = Catalogue(whole.book_ids, np.empty((len(whole.book_ids), 0), np.float32), whole.prior)
        popular = whole.rows(np.array(ranking.popular, dtype=np.int64))
        self._popular = popular[popular >= 0].tolist()
        self._size, self._explore, self._cold_pool = slate_size, explore_share, cold_pool

    def draw(self, requests: Sequence[SlateRequest]) -> list[DrawnSlate]:
        """One slate per request, in order; the same request and seed give the same slate."""
        if not len(self._catalogue.book_ids):
            return [DrawnSlate(self.version, ()) for _ in requests]
        drawn: list[DrawnSlate] = []
        for start in range(0, len(requests), READERS_AT_ONCE):
            drawn += self._draw(requests[start : start + READERS_AT_ONCE])
        return drawn

    def _draw(self, requests: Sequence[SlateRequest]) -> list[DrawnSlate]:
        with torch.inference_mode():
            excluded = self._excluded(requests)
            batch = self._states(requests)
            masses, sources = self._masses(batch, excluded)
            noise = slate_noise([request.seed for request in requests], self._size)
            drawn = draw_from(masses, excluded, self._size, explore=self._explore, noise=noise)
        rows, propensities, explored = drawn.rows.tolist(), drawn.propensity.tolist(), drawn.explored.tolist()
        slates = []
        for i, request in enumerate(requests):
            places = self._places(request, sources[i], batch.rows[i], rows[i], propensities[i], explored[i])
            if len(places) < self._size:
                places += self._top_up(rows[i][: len(places)], excluded.rows[i], noise.pick[i, :, -1])
            slates.append(DrawnSlate(self.version, tuple(places)))
        return slates

    def _states(self, requests: Sequence[SlateRequest]) -> StateBatch:
        """Always of the same shape: then a reader's logits are the same to the last bit, whoever else is in the batch.

        (Matrix products of another shape may add in another order.)
        """
        missing = READERS_AT_ONCE - len(requests)
        histories: list[tuple[Act, ...]] = [request.acts for request in requests] + [()] * missing
        nows = [request.now for request in requests] + [requests[0].now] * missing
        met = [request.met if request.met is not None else met_in(request.acts) for request in requests]
        return state_batch(histories, nows, self._catalogue, MAX_ACTS, [*met, *([()] * missing)])

    def _excluded(self, requests: Sequence[SlateRequest]) -> Excluded:
        """The works that each reader has met or hidden."""
        banned = [
            list(request.excluded.union(act.book_id for act in request.acts if act.book_id and act.action in MEETING))
            for request in requests
        ]
        is_banned = np.arange(max(map(len, banned))) < np.array([[len(book_ids)] for book_ids in banned])
        rows = np.full(is_banned.shape, -1, dtype=np.int64)
        rows[is_banned] = self._catalogue.rows(np.array(list(chain.from_iterable(banned)), dtype=np.int64))
        return Excluded(rows, len(self._catalogue.book_ids))

    def _masses(self, batch: StateBatch, excluded: Excluded) -> tuple[Masses, list[Source]]:
        """Of the readers asked for, and which rung of the ladder each is served by: the first that can rank."""
        sources = [Source.POPULAR] * len(excluded.rows)
        masses = None
        for source, scorer in self._rungs.items():
            waiting = [i for i, found in enumerate(sources) if found is Source.POPULAR]
            answer = self._ask(scorer, batch, excluded) if waiting else None
            if answer is None:
                continue
            answered, can_rank = answer
            ranked = [i for i in waiting if can_rank[i]]
            if masses is None:
                masses = Masses(answered.values[: len(sources)], answered.sums[: len(sources)])
            else:
                masses.values[ranked], masses.sums[ranked] = answered.values[ranked], answered.sums[ranked]
            for i in ranked:
                sources[i] = source
        if masses is None:
            masses = Masses.of(torch.empty(len(sources), excluded.count_works))
        for i, source in enumerate(sources):
            if source is Source.POPULAR:
                # A uniform draw from the reader's pool of most popular works.
                pool = self._free_popular(set(excluded.rows[i].tolist()), max(self._cold_pool, self._size))
                masses.values[i] = 0.0
                masses.values[i, pool] = 1.0
                masses.sums[i] = block_sums(masses.values[i])
        return masses, sources

    def _ask(self, scorer: Scorer, batch: StateBatch, excluded: Excluded) -> tuple[Masses, np.ndarray] | None:
        """What it says, and for which readers that can be used; None where it fails or has nothing to say."""
        try:
            masses, can_rank = scorer.masses(batch, excluded)
        except Exception:  # noqa: BLE001 - whatever a model's code does, readers get their slates from the next rung
            _log.exception("scorer_failed", version=self.version, scorer=type(scorer).__name__)
            return None
        is_sound = torch.isfinite(masses.sums).all(1).numpy()
        if not is_sound.all():
            _log.error("scores_not_finite", version=self.version, scorer=type(scorer).__name__)
        can_rank = can_rank & is_sound
        return (masses, can_rank) if can_rank.any() else None

    def _free_popular(self, taken: set[int], count: int) -> list[int]:
        return list(islice((row for row in self._popular if row not in taken), count))

    def _places(
        self,
        request: SlateRequest,
        source: Source,
        act_rows: np.ndarray,
        rows: list[int],
        propensities: list[float],
        explored: list[bool],
    ) -> list[Place]:
        rows = [row for row in rows if row >= 0]
        scorer = self._rungs.get(source)
        reasons = (
            reasons_of(rows, scorer.vectors, request.acts, act_rows) if scorer else [("popular", None)] * len(rows)
        )
        places = []
        for position, (row, (reason, anchor)) in enumerate(zip(rows, reasons, strict=True)):
            if explored[position]:
                places.append(self._place(row, position, propensities[position], Source.RANDOM, "explore", None))
            else:
                places.append(self._place(row, position, propensities[position], source, reason, anchor))
        return places

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
            places.append(self._place(row, position, 1 / len(free), source, reason, None))
        return places

    def _place(
        self, row: int, position: int, propensity: float, source: Source, reason: str, anchor: int | None
    ) -> Place:
        return Place(
            book_id=int(self._catalogue.book_ids[row]),
            position=position,
            propensity=min(propensity, 1.0),
            source=source,
            reason=reason,
            reason_book_id=anchor,
        )
