"""What policies would earn on the slates they have not learned from; reads Postgres."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from models import registry
from models.catalogue import load_ranking
from models.episodes import build
from models.offpolicy import Estimate, estimates
from models.reweighing import by_policy, by_popularity, seen_from
from openshelf.database import episodes as logged
from openshelf.database import learning
from openshelf.settings import get_settings

# What a state may look back on before the first slate that is judged on.
HISTORY = timedelta(days=90)


@dataclass(frozen=True)
class PolicyValue:
    """What one policy would have earned with a place on screen, by every estimator."""

    version: str
    slates: int
    readers: int
    logged: float  # mean reward of a shown place as logged
    per_place: tuple[Estimate, ...]


def offpolicy_report(
    conn: psycopg.Connection, seed: int, *, draws: int = 500, with_newest: bool = False
) -> list[PolicyValue]:
    """The champion's and popularity's; nothing where no reader has seen a slate since the champion was trained.

    Popularity is that of before the first of these slates. `with_newest`: that of the newest policy too, served or not,
    on slates that neither has learned from; where there are none yet, it is left out.
    """
    champion = learning.champion(conn, "policy")
    until = logged.slates_until(conn)
    if until is None:
        return []
    judged = [champion] if champion else []
    newest = max(learning.models(conn, "policy"), key=lambda model: model.created_at, default=None)
    if with_newest and newest and newest.version not in {model.version for model in judged}:
        judged.append(newest)
    slates = logged.seen_slates(conn, _learned_until(judged), until)
    if not slates and len(judged) > 1:
        judged = judged[:1]
        slates = logged.seen_slates(conn, _learned_until(judged), until)
    if not slates:
        return []
    first = slates[0].created_at
    catalogue = load_ranking(conn, first).catalogue
    acts = logged.acts(conn, first - HISTORY, logged.acts_until(conn) or until)
    later = build(slates, acts, catalogue, 0.0)
    settings = get_settings()
    scorers = {"popular": by_popularity(catalogue, max(settings.cold_pool, settings.slate_size))}
    for model in reversed(judged):
        policy = registry.load_policy(conn, model.version)
        scorers = {model.version: by_policy(policy, later.histories, catalogue)} | scorers
    shown = later.slates.rewards[later.slates.shown]
    report = []
    for version, scorer in scorers.items():
        seen = seen_from(scorer, later.histories, later.slates, catalogue, explore=settings.explore_share, seed=seed)
        report.append(
            PolicyValue(
                version,
                len(slates),
                len({slate.reader_key for slate in slates}),
                float(shown.mean()) if len(shown) else float("nan"),
                tuple(estimates(seen, seed, per="place", draws=draws).values()),
            )
        )
    return report


def _learned_until(judged: Sequence[learning.ModelRow]) -> datetime | None:
    """Up to when the last of them has seen the log."""
    marks = [mark for model in judged if (mark := model.manifest.get("data_until"))]
    return max(map(datetime.fromisoformat, marks), default=None)


def log_row(values: Sequence[PolicyValue]) -> dict[str, Any] | None:
    """What the policies are valued from, and what a place on screen earned there; None where there is nothing."""
    if not values:
        return None
    return {"slates": values[0].slates, "readers": values[0].readers, "reward": _number(values[0].logged)}


def offpolicy_rows(values: Sequence[PolicyValue]) -> list[dict[str, Any]]:
    """What each policy would have earned with a place on screen: a row per estimator, None for what is no number.

    `effective` counts places, or slates where one weight spans the places of a slate.
    """
    return [
        {
            "policy": value.version,
            "estimator": estimate.name,
            "value": _number(estimate.value),
            "low": _number(estimate.low),
            "high": _number(estimate.high),
            "effective": round(estimate.effective, 1),
            "capped": round(estimate.capped, 6),
            "can_tell": estimate.can_tell,
            "reason": estimate.reason,
        }
        for value in values
        for estimate in value.per_place
    ]


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
