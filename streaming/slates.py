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


def draw_slates(
    current: CurrentServing, moved: Sequence[tuple[str, Moved]]
) -> list[DrawnAct | EndedSessions | InferredSkips]:
    """A slate for each act that asks for one, drawn by its reader's arm; the order stays."""
    serving = current()
    asking = [value for _, value in moved if isinstance(value, MovedAct) and value.change.request]
    arms = {reader_key: serving.arm_of(reader_key) if serving else DEFAULT_ARM for reader_key, _ in moved}
    drawn = dict(zip(map(id, asking), _draw_by_arm(serving, asking, arms), strict=True)) if serving else {}
    out: list[DrawnAct | EndedSessions | InferredSkips] = []
    for reader_key, value in moved:
        arm = arms[reader_key]
        if isinstance(value, InferredSkips):
            out.append(value)
        elif isinstance(value, EndedSessions):
            out.append(EndedSessions(_in_arm(value.rows, arm)))
        else:
            slate = drawn.get(id(value))
            row = _slate_row(value, slate, arm) if slate and slate.places else None
            assignment = _assignment(serving, value, arm) if row else None
            out.append(DrawnAct(value.taken, _in_arm(value.change.sessions, arm), row, assignment))
    return out


def _draw_by_arm(serving: Serving, asking: Sequence[MovedAct], arms: dict[str, str]) -> list[DrawnSlate | None]:
    drawn: list[DrawnSlate | None] = [None] * len(asking)
    arm_of = [arms[act.taken.event.reader_key] for act in asking]
    for arm in dict.fromkeys(arm_of):
        at = [i for i, of in enumerate(arm_of) if of == arm]
        requests = [request for i in at if (request := asking[i].change.request)]
        for i, slate in zip(at, _draw_all(serving.recommender_of(arm), requests), strict=True):
            drawn[i] = slate
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
