"""The champion as the dataflow uses it: batches of requests in, slates out, never an exception because of the policy.

A place is filled by the policy, else from the popular works, else at random; which one is its `source`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import psycopg
import structlog
import torch
from torch import Tensor

from models import registry
from models.catalogue import Ranking, load_ranking
from models.policy import NOT_DRAWABLE, Drawn, Policy, draw, slate_noise
from models.states import Act, StateBatch, state_batch
from openshelf.contracts import MEETING, Action, Place, Source
from openshelf.database import learning
from openshelf.errors import ModelError
from openshelf.settings import get_settings

__all__ = ["Act", "DrawnSlate", "Recommender", "SlateRequest", "load_recommender", "stamp"]

_log = structlog.get_logger(__name__)

# What serves when there is no policy to trust.
POPULAR_VERSION = "popular"
# A place nearer than this to something the reader liked is explained by it.
REASON_FLOOR = 0.6
_REASONS = {
    Action.LIKE: "because_like",
    Action.OPEN: "because_open",
    Action.READ: "because_read",
    Action.FINISH: "because_read",
    Action.WANT: "because_want",
    Action.RATE: "because_rate",
}


@dataclass(frozen=True)
class SlateRequest:
    reader_key: str
    acts: tuple[Act, ...]  # oldest first, at most 50, since the last reset
    excluded: frozenset[int]  # met or hidden: never drawn
    now: datetime
    seed: int


@dataclass(frozen=True)
class DrawnSlate:
    policy_version: str
    places: tuple[Place, ...]


class Recommender:
    """Draws slates from one policy (or none) over one catalogue; both are fixed for its life."""

    def __init__(
        self,
        policy: Policy | None,
        version: str,
        ranking: Ranking,
        *,
        slate_size: int,
        explore_share: float,
        cold_pool: int,
    ) -> None:
        self.version = version
        self.catalogue_version = ranking.version
        self._policy = policy.eval() if policy else None
        self._catalogue = ranking.catalogue
        popular = ranking.catalogue.rows(np.array(ranking.popular, dtype=np.int64))
        self._popular = popular[popular >= 0]
        self._size, self._explore, self._cold_pool = slate_size, explore_share, cold_pool
        with torch.inference_mode():
            self._items = policy.items(ranking.catalogue) if policy else None
            self._unit = (
                torch.nn.functional.normalize(self._items.vectors, dim=1).numpy() if self._items else np.empty((0, 0))
            )

    def draw(self, requests: Sequence[SlateRequest]) -> list[DrawnSlate]:
        """One slate per request, in order; the same request and seed give the same slate."""
        if not requests:
            return []
        if not len(self._catalogue.book_ids):
            return [DrawnSlate(self.version, ()) for _ in requests]
        with torch.inference_mode():
            batch = state_batch([r.acts for r in requests], [r.now for r in requests], self._catalogue)
            allowed = self._allowed(requests)
            noise = slate_noise([r.seed for r in requests], len(self._catalogue.book_ids), self._size)
            logits, by_policy = self._logits(batch, allowed)
            drawn = draw(logits, allowed, self._size, explore=self._explore, noise=noise)
        return [
            DrawnSlate(
                self.version,
                self._places(request, drawn, i, allowed[i], noise.pick[i], batch.rows[i] if is_own else None),
            )
            for i, (request, is_own) in enumerate(zip(requests, by_policy.tolist(), strict=True))
        ]

    def _allowed(self, requests: Sequence[SlateRequest]) -> Tensor:
        allowed = np.ones((len(requests), len(self._catalogue.book_ids)), dtype=bool)
        row_of = self._catalogue.row_of
        for i, request in enumerate(requests):
            met = {act.book_id for act in request.acts if act.action in MEETING and act.book_id is not None}
            allowed[i, [row_of[book_id] for book_id in request.excluded | met if book_id in row_of]] = False
        return torch.from_numpy(allowed)

    def _logits(self, batch: StateBatch, allowed: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, n), and for each reader whether they are the policy's (else: the popular works, all alike)."""
        logits = self._popular_logits(allowed)
        is_warm = torch.from_numpy((batch.rows >= 0).any(1))
        if self._policy is None or self._items is None or not is_warm.any():
            return logits, torch.zeros(len(logits), dtype=torch.bool)
        try:
            scored = self._policy.logits(self._policy.encode(self._items, batch), self._items)
        except (RuntimeError, IndexError, ValueError):
            _log.exception("policy_failed", version=self.version, requests=len(logits))
            return logits, torch.zeros(len(logits), dtype=torch.bool)
        by_policy = is_warm & torch.isfinite(scored).all(1)
        if not torch.isfinite(scored).all():
            _log.error("policy_not_finite", version=self.version)
        return torch.where(by_policy[:, None], scored, logits), by_policy

    def _popular_logits(self, allowed: Tensor) -> Tensor:
        """0 for each reader's pool of most popular allowed works, else not drawable: a uniform draw from the pool."""
        pool = max(self._cold_pool, self._size)
        ranked = torch.from_numpy(self._popular)
        is_free = allowed[:, ranked]
        in_pool = is_free & (is_free.cumsum(1) <= pool)
        logits = torch.full(allowed.shape, NOT_DRAWABLE)
        logits[:, ranked] = torch.where(in_pool, 0.0, NOT_DRAWABLE)
        return logits

    def _places(
        self, request: SlateRequest, drawn: Drawn, i: int, allowed: Tensor, pick: Tensor, anchors: np.ndarray | None
    ) -> tuple[Place, ...]:
        """`anchors`: rows of the reader's acts where the policy ranked, None where popularity did."""
        rows = [row for row in drawn.rows[i].tolist() if row >= 0]
        propensities, explored = drawn.propensity[i].tolist(), drawn.explored[i].tolist()
        by_policy = anchors is not None
        reasons = self._reasons(request, anchors, rows) if by_policy else [("popular", None)] * len(rows)
        places = []
        for position, row in enumerate(rows):
            reason, anchor = reasons[position]
            source = Source.POLICY if by_policy else Source.POPULAR
            if explored[position]:
                source, reason, anchor = Source.RANDOM, "explore", None
            places.append(self._place(row, position, propensities[position], source, reason, anchor))
        return tuple(places + self._top_up(rows, allowed, pick.tolist()))

    def _top_up(self, rows: list[int], allowed: Tensor, uniforms: list[float]) -> list[Place]:
        """Fill what the rung above left empty: from the next most popular works, then from all, at random."""
        places: list[Place] = []
        taken = set(rows)
        for position in range(len(rows), self._size):
            source, reason = Source.POPULAR, "popular"
            free = [row for row in self._popular.tolist() if row not in taken and allowed[row]][: self._cold_pool]
            if not free:
                source, reason = Source.RANDOM, "explore"
                free = [row for row in allowed.nonzero().flatten().tolist() if row not in taken]
            if not free:
                break
            row = free[min(int(uniforms[position] * len(free)), len(free) - 1)]
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

    def _reasons(self, request: SlateRequest, act_rows: np.ndarray, rows: list[int]) -> list[tuple[str, int | None]]:
        """For each place, the reader's own positive act whose work is nearest to it, if any is near."""
        kept = [act for act in request.acts if act.action is not Action.SHOW][-len(act_rows) :]
        # Of several acts on one work, the one worth most speaks for it.
        best: dict[int, Act] = {}
        for act, row in zip(kept, act_rows[len(act_rows) - len(kept) :].tolist(), strict=True):
            if row < 0 or act.reward <= 0 or act.action not in _REASONS:
                continue
            if row not in best or act.reward >= best[row].reward:
                best[row] = act
        if not best:
            return [("new_to_you", None)] * len(rows)
        liked = list(best)
        near = self._unit[rows] @ self._unit[liked].T  # (places, liked works)
        reasons: list[tuple[str, int | None]] = []
        for nearest, cosine in zip(near.argmax(1).tolist(), near.max(1).tolist(), strict=True):
            act = best[liked[nearest]]
            reasons.append((_REASONS[act.action], act.book_id) if cosine >= REASON_FLOOR else ("new_to_you", None))
        return reasons


def load_recommender(conn: psycopg.Connection, now: datetime | None = None) -> Recommender:
    """The champion over the present catalogue; a champion that does not load is reported and popularity serves."""
    torch.set_num_threads(1)  # the dataflow scales by processes; threads would only fight each other
    settings = get_settings()
    champion = learning.champion(conn, "policy")
    policy, version = None, POPULAR_VERSION
    if champion is not None:
        try:
            policy, version = registry.load_policy(conn, champion.version), champion.version
        except ModelError as error:
            _log.error("champion_refused", version=champion.version, reason=str(error), serving=POPULAR_VERSION)
    return Recommender(
        policy,
        version,
        load_ranking(conn, now),
        slate_size=settings.slate_size,
        explore_share=settings.explore_share,
        cold_pool=settings.cold_pool,
    )


def stamp(conn: psycopg.Connection) -> tuple[str | None, int]:
    """(champion version, catalogue version): reload when it differs from the last one seen."""
    return learning.serving_stamp(conn)
