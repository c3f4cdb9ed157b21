"""Draw the slates that a batch of acts asks for, each by its reader's arm, a few draws side by side."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache, partial

import msgspec
import structlog

from models.experiments import Serving
from models.recommender import DrawnSlate, Recommender, SlateRequest
from openshelf.contracts import Surface, slate_id_of
from openshelf.database.experiments import Assignment
from openshelf.database.stream import SessionRow, SlateRow
from streaming import measures
from streaming.acts import BadAct, Dropped, Forget, TakenAct
from streaming.session_logic import EndedSessions, InferredSkips, Moved, MovedAct
from streaming.session_state import DEFAULT_ARM
from streaming.works_on_file import EarlyAct

# Draws side by side: their arithmetic needs no lock of the interpreter.
LANES = min(2, os.cpu_count() or 1)

Aside = BadAct | EarlyAct | Forget | Dropped

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


Outcome = DrawnAct | EndedSessions | InferredSkips | Aside
_Slates = list[DrawnSlate | None]


class SlateDrawer:
    """`current` gives what serves now, or None: then no slates are drawn."""

    def __init__(self, current: CurrentServing) -> None:
        self._current = current
        self._lanes = ThreadPoolExecutor(LANES, thread_name_prefix="draw")

    def begin(self, items: Sequence[Moved | Aside]) -> "Drawing":
        """Set to work on the slates that these ask for."""
        serving = self._current()
        arms = [_arm_of(item, serving) for item in items]
        asking: dict[str, list[int]] = {}
        for at, (item, arm) in enumerate(zip(items, arms, strict=True)):
            if serving and isinstance(item, MovedAct) and item.change.request:
                asking.setdefault(arm, []).append(at)
        draws: list[tuple[Recommender, list[int]]] = []
        for arm, places in asking.items():
            assert serving  # else nobody is asking
            recommender = serving.recommender_of(arm)
            size = recommender.readers_at_once
            draws += [(recommender, places[start : start + size]) for start in range(0, len(places), size)]
        drawn: dict[int, tuple[Callable[[], _Slates], int]] = {}
        for recommender, places in draws:
            requests = [item.change.request for at in places if isinstance(item := items[at], MovedAct)]
            draw = partial(_draw, recommender, [request for request in requests if request])
            # A single one is soonest done here; of several, each with what log lines of this thread carry.
            result = cache(draw if len(draws) == 1 else self._lanes.submit(copy_context().run, draw).result)
            drawn |= {at: (result, number) for number, at in enumerate(places)}
        return Drawing(items, arms, drawn, serving)

    def close(self) -> None:
        self._lanes.shutdown()


class Drawing:
    """Slates that are being drawn."""

    def __init__(
        self,
        items: Sequence[Moved | Aside],
        arms: Sequence[str],
        drawn: dict[int, tuple[Callable[[], _Slates], int]],
        serving: Serving | None,
    ) -> None:
        self._items, self._arms, self._drawn, self._serving = items, arms, drawn, serving

    def outcomes(self, start: int, end: int) -> list[Outcome]:
        """What becomes of these of the items, in order, once their slates are drawn."""
        return [self._outcome(at) for at in range(start, min(end, len(self._items)))]

    def _outcome(self, at: int) -> Outcome:
        item, arm = self._items[at], self._arms[at]
        if isinstance(item, MovedAct):
            slate = None
            if at in self._drawn:
                result, number = self._drawn[at]
                slate = result()[number]
            row = _slate_row(item, slate, arm) if slate and slate.book_ids else None
            assignment = _assignment(self._serving, item, arm) if row else None
            return DrawnAct(item.taken, _in_arm(item.change.sessions, arm), row, assignment)
        return EndedSessions(_in_arm(item.rows, arm)) if isinstance(item, EndedSessions) else item


def _arm_of(item: Moved | Aside, serving: Serving | None) -> str:
    return DEFAULT_ARM if serving is None or isinstance(item, Aside) else serving.arm_of(item.reader_key)


def _draw(recommender: Recommender, requests: Sequence[SlateRequest]) -> _Slates:
    try:
        with measures.THIS_PROCESS.drawing(len(requests)):
            return [*recommender.draw(requests)]
    except Exception:  # noqa: BLE001 - a fault of the policy's code must not stop the storing of acts
        _log.exception("slates_not_drawn", count=len(requests), policy=recommender.version)
        return [None] * len(requests)


def _in_arm(rows: tuple[SessionRow, ...], arm: str) -> tuple[SessionRow, ...]:
    return rows if arm == DEFAULT_ARM else tuple(msgspec.structs.replace(row, arm=arm) for row in rows)


def _assignment(serving: Serving | None, moved: MovedAct, arm: str) -> Assignment | None:
    if serving is None or serving.experiment is None:
        return None
    event = moved.taken.event
    return Assignment(serving.experiment.experiment_id, event.reader_key, arm, event.occurred_at)


def _slate_row(moved: MovedAct, drawn: DrawnSlate, arm: str) -> SlateRow:
    event = moved.taken.event
    return SlateRow(
        slate_id=moved.change.slate_id or slate_id_of(event.event_id),
        event_id=event.event_id,
        reader_key=event.reader_key,
        session_id=event.session_id,
        created_at=event.occurred_at,
        policy_version=drawn.policy_version,
        arm=arm,
        surface=Surface.FOR_YOU,
        event_received_at=moved.taken.raw.received_at,
        book_ids=drawn.book_ids,
        propensities=drawn.propensities,
        sources=drawn.sources,
        reasons=drawn.reasons,
        reason_book_ids=drawn.reason_book_ids,
    )
