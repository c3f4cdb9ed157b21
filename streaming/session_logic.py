"""The stateful step: one reader's state inside Bytewax, around the pure `session_state`."""

import pickle
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bytewax.operators import StatefulBatchLogic

from openshelf import readers
from openshelf.database.reader_history import StoredAct
from openshelf.database.stream import SessionRow
from streaming import session_state
from streaming.acts import TakenAct
from streaming.session_state import Change, SessionState

# A snapshot of another layout is not read; the reader's state is made anew from the stored acts.
STATE_VERSION = 1
# Someone with a history who stays away this long leaves memory; the stored acts bring the state back.
IDLE_EVICTION = timedelta(hours=12)

Snapshot = tuple[int, bytes | None]
# reader_key and the act that came -> the reader's stored acts before it, in order
History = Callable[[TakenAct], Sequence[StoredAct]]


@dataclass(frozen=True, slots=True)
class MovedAct:
    """An act with what it changed."""

    taken: TakenAct
    change: Change


@dataclass(frozen=True, slots=True)
class EndedSessions:
    rows: tuple[SessionRow, ...]


class SessionLogic(StatefulBatchLogic[TakenAct, MovedAct | EndedSessions, Snapshot]):
    def __init__(
        self, snapshot: Snapshot | None, history: History, clock: Callable[[], datetime], silence: timedelta
    ) -> None:
        version, pickled = snapshot or (STATE_VERSION, None)
        # Our own recovery store, readable by the owner only.
        known = version == STATE_VERSION and pickled
        self._state: SessionState | None = pickle.loads(pickled) if known and pickled else None  # noqa: S301
        self._history, self._clock, self._silence = history, clock, silence
        # By the clock, not by the acts: while an old log is replayed nobody falls silent.
        self._touched_at = clock()
        self._has_open_session = True

    def on_batch(self, values: list[TakenAct]) -> tuple[Iterable[MovedAct | EndedSessions], bool]:
        moved: list[MovedAct] = []
        state = self._state or self._rebuilt(values[0])
        for taken in values:
            state, change = session_state.apply(state, taken.event, taken.reward, self._silence)
            if change:
                moved.append(MovedAct(taken, change))
        self._state = state
        self._touched_at, self._has_open_session = self._clock(), True
        return moved, self.RETAIN

    def _rebuilt(self, first: TakenAct) -> SessionState:
        """The state before the first act seen: of a reader with a history, what the stored acts make of it."""
        state = SessionState(first.event.reader_key)
        if not readers.is_session_key(state.reader_key):
            for act in self._history(first):
                state, _ = session_state.apply(state, act.event, act.reward, self._silence)
        return state

    def on_notify(self) -> tuple[Iterable[MovedAct | EndedSessions], bool]:
        if self._state is None or not self._has_open_session:
            return (), self.DISCARD
        self._state, rows = session_state.expire(self._state)
        self._has_open_session = False
        return ([EndedSessions(rows)] if rows else []), self._state is None

    def notify_at(self) -> datetime:
        return self._touched_at + (self._silence if self._has_open_session else IDLE_EVICTION)

    def snapshot(self) -> Snapshot:
        return STATE_VERSION, pickle.dumps(self._state, protocol=5) if self._state else None
