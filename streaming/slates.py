"""Draw the slates that a batch of acts asks for, in one call for each arm."""

from collections.abc import Callable, Sequence

import msgspec
import structlog

from models.experiments import Serving
from models.recommender import DrawnSlate, Recommender, SlateRequest
from openshelf.contracts import Slate, Surface, slate_id_of
from openshelf.database.experiments import Assignment
from openshelf.database.stream import SessionRow, SlateRow
from streaming import measures
from streaming.acts import TakenAct
from streaming.session_logic import EndedSessions, InferredSkips, Moved, MovedAct
from streaming.session_state import DEFAULT_ARM

# Rows of a draw are as wide as the catalogue: this bounds the memory of one.
MAX_DRAW = 256

_log = structlog.get_logger(__name__)

CurrentServing = Callable[[], Serving | None]


class DrawnAct(msgspec.Struct, frozen=True, gc=False):
    """An act ready to be stored, with its slate unless it asks for none or there is nothing to recommend.

    `assignment`: that its reader is in an arm of the running experiment.
    """

    taken: TakenAct
    sessions: tuple[SessionRow, ...]
    slate: SlateRow | None
    assignment: Assignment | None = None


def draw_slates(current: CurrentServing, moved: Sequence[Moved]) -> list[DrawnAct | EndedSessions | InferredSkips]:
    """A slate for each act that asks for one, drawn by its reader's arm; the order stays."""
    serving = current()
    arms = [serving.arm_of(value.reader_key) if serving else DEFAULT_ARM for value in moved]
    drawn = _draw_by_arm(serving, moved, arms) if serving else {}
    return [
        _outcome(value, arm, drawn.get(at), serving) for at, (value, arm) in enumerate(zip(moved, arms, strict=True))
    ]


def _outcome(
    value: Moved, arm: str, slate: DrawnSlate | None, serving: Serving | None
) -> DrawnAct | EndedSessions | InferredSkips:
    if isinstance(value, MovedAct):
        row = _slate_row(value, slate, arm) if slate and slate.places else None
        assignment = _assignment(serving, value, arm) if row else None
        return DrawnAct(value.taken, _in_arm(value.change.sessions, arm), row, assignment)
    return EndedSessions(_in_arm(value.rows, arm)) if isinstance(value, EndedSessions) else value


def _draw_by_arm(serving: Serving, moved: Sequence[Moved], arms: Sequence[str]) -> dict[int, DrawnSlate | None]:
    """By place among the values that moved."""
    asking: dict[str, list[tuple[int, SlateRequest]]] = {}
    for at, (value, arm) in enumerate(zip(moved, arms, strict=True)):
        if isinstance(value, MovedAct) and value.change.request:
            asking.setdefault(arm, []).append((at, value.change.request))
    drawn: dict[int, DrawnSlate | None] = {}
    for arm, requests in asking.items():
        slates = _draw_all(serving.recommender_of(arm), [request for _, request in requests])
        drawn |= {at: slate for (at, _), slate in zip(requests, slates, strict=True)}
    return drawn


def _draw_all(recommender: Recommender, requests: Sequence[SlateRequest]) -> list[DrawnSlate | None]:
    drawn: list[DrawnSlate | None] = []
    for start in range(0, len(requests), MAX_DRAW):
        some = requests[start : start + MAX_DRAW]
        try:
            with measures.THIS_PROCESS.drawing(len(some)):
                drawn += recommender.draw(some)
        except Exception:  # noqa: BLE001 - a fault of the policy's code must not stop the storing of acts
            _log.exception("slates_not_drawn", count=len(some), policy=recommender.version)
            drawn += [None] * len(some)
    return drawn


def _in_arm(rows: tuple[SessionRow, ...], arm: str) -> tuple[SessionRow, ...]:
    return rows if arm == DEFAULT_ARM else tuple(msgspec.structs.replace(row, arm=arm) for row in rows)


def _assignment(serving: Serving | None, moved: MovedAct, arm: str) -> Assignment | None:
    if serving is None or serving.experiment is None:
        return None
    event = moved.taken.event
    return Assignment(serving.experiment.experiment_id, event.reader_key, arm, event.occurred_at)


def _slate_row(moved: MovedAct, drawn: DrawnSlate, arm: str) -> SlateRow:
    event = moved.taken.event
    slate = Slate(
        slate_id=moved.change.slate_id or slate_id_of(event.event_id),
        reader_key=event.reader_key,
        session_id=event.session_id,
        created_at=event.occurred_at,
        policy_version=drawn.policy_version,
        arm=arm,
        surface=Surface.FOR_YOU,
        places=drawn.places,
    )
    return SlateRow(slate, event.event_id, moved.taken.raw.received_at)
