"""Draw the slates that a batch of acts asks for, in one call of the policy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from models.recommender import DrawnSlate, Recommender, SlateRequest
from openshelf.contracts import Slate, Surface, slate_id_of
from openshelf.database.stream import SessionRow, SlateRow
from streaming.acts import TakenAct
from streaming.session_logic import EndedSessions, InferredSkips, Moved, MovedAct

# Rows of a draw are as wide as the catalogue: this bounds the memory of one.
MAX_DRAW = 256

_log = structlog.get_logger(__name__)

CurrentRecommender = Callable[[], Recommender | None]


@dataclass(frozen=True, slots=True)
class DrawnAct:
    """An act ready to be stored, with its slate unless it asks for none or there is nothing to recommend."""

    taken: TakenAct
    sessions: tuple[SessionRow, ...]
    slate: SlateRow | None


def draw_slates(
    current: CurrentRecommender, moved: Sequence[tuple[str, Moved]]
) -> list[DrawnAct | EndedSessions | InferredSkips]:
    """A slate for each act that asks for one; the order stays."""
    values = [value for _, value in moved]
    requests = [v.change.request for v in values if isinstance(v, MovedAct) and v.change.request]
    recommender = current()
    drawn = iter(_draw_all(recommender, requests) if recommender else [None] * len(requests))
    out: list[DrawnAct | EndedSessions | InferredSkips] = []
    for value in values:
        if not isinstance(value, MovedAct):
            out.append(value)
            continue
        slate = next(drawn) if value.change.request else None
        row = _slate_row(value, slate) if slate and slate.places else None
        out.append(DrawnAct(value.taken, value.change.sessions, row))
    return out


def _draw_all(recommender: Recommender, requests: Sequence[SlateRequest]) -> list[DrawnSlate | None]:
    drawn: list[DrawnSlate | None] = []
    for start in range(0, len(requests), MAX_DRAW):
        some = requests[start : start + MAX_DRAW]
        try:
            drawn += recommender.draw(some)
        except Exception:  # noqa: BLE001 - a fault of the policy's code must not stop the storing of acts
            _log.exception("slates_not_drawn", count=len(some), policy=recommender.version)
            drawn += [None] * len(some)
    return drawn


def _slate_row(moved: MovedAct, drawn: DrawnSlate) -> SlateRow:
    event = moved.taken.event
    slate = Slate(
        slate_id=moved.change.slate_id or slate_id_of(event.event_id),
        reader_key=event.reader_key,
        session_id=event.session_id,
        created_at=event.occurred_at,
        policy_version=drawn.policy_version,
        arm=moved.change.sessions[-1].arm,
        surface=Surface.FOR_YOU,
        places=drawn.places,
    )
    return SlateRow(slate, event.event_id, moved.taken.raw.received_at)
