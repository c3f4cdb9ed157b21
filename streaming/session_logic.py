"""The stateful step: one reader's state inside Bytewax, around the pure `session_state`."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
from bytewax.operators import StatefulBatchLogic

from openshelf.contracts import Interaction
from openshelf.database.reader_history import StoredAct
from openshelf.database.stream import InteractionRow, SessionRow
from streaming import session_state
from streaming.acts import Forget, TakenAct
from streaming.session_state import Change, Rules, SessionState

# A snapshot of another layout is not read; the reader's state is made anew from the stored acts.
STATE_VERSION = 3
# Someone with a history who stays away this long leaves memory; the stored acts bring the state back.
IDLE_EVICTION = timedelta(hours=12)

Snapshot = tuple[int, bytes | None]
# All states of the last seconds are written at once: pickle takes eight times as long, mostly over UUIDs and moments.
_encoder, _decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(SessionState)
# reader_key and the act that came -> the reader's stored acts before it, in order
History = Callable[[TakenAct], Sequence[StoredAct]]


class MovedAct(msgspec.Struct, frozen=True, gc=False):
    """An act with what it changed."""

    taken: TakenAct
    change: Change

    @property
    def reader_key(self) -> str:
        return self.taken.event.reader_key


class EndedSessions(msgspec.Struct, frozen=True, gc=False):
    rows: tuple[SessionRow, ...]  # at least one, of one reader

    @property
    def reader_key(self) -> str:
        return self.rows[0].reader_key


class InferredSkips(msgspec.Struct, frozen=True, gc=False):
    rows: tuple[InteractionRow, ...]  # at least one, of one reader

    @property
    def reader_key(self) -> str:
        return self.rows[0].reader_key


Moved = MovedAct | EndedSessions | InferredSkips


def _nobody(_reader_key: str) -> bool:
    return False


class SessionLogic(StatefulBatchLogic[TakenAct | Forget, Moved | Forget, Snapshot]):
    """`is_erased` says of a reader_key whether a state that was kept of it may no longer be."""

    def __init__(
        self,
        snapshot: Snapshot | None,
        history: History,
        clock: Callable[[], datetime],
        rules: Rules,
        is_erased: Callable[[str], bool] = _nobody,
    ) -> None:
        version, packed = snapshot or (STATE_VERSION, None)
        self._state = _decoder.decode(packed) if version == STATE_VERSION and packed else None
        if self._state and is_erased(self._state.reader_key):
            self._state = None
        self._history, self._clock, self._rules = history, clock, rules
        # By the clock, not by the acts, and anew after a start: while acts wait in the log nobody falls silent.
        self._touched_at = clock()
        self._has_open_session = True

    def on_batch(self, values: list[TakenAct | Forget]) -> tuple[Iterable[Moved | Forget], bool]:
        moved: list[Moved | Forget] = []
        state = self._state
        for taken in values:
            if isinstance(taken, Forget):
                moved.append(taken)
                state = None
                continue
            raw, state = taken.raw, state or self._rebuilt(taken)
            state, change = session_state.apply(
                state, taken.event, taken.reward, self._rules, raw.log_offset, raw.received_at
            )
            if change:
                if change.skips:
                    moved.append(InferredSkips(tuple(self._skip_row(skip, taken) for skip in change.skips)))
                moved.append(MovedAct(taken, change))
        self._state = state
        self._touched_at, self._has_open_session = self._clock(), True
        return moved, self.DISCARD if state is None else self.RETAIN

    def _skip_row(self, skip: Interaction, taken: TakenAct) -> InteractionRow:
        """As stored: it has no place in the log, and follows from an act that has."""
        raw = msgspec.structs.replace(taken.raw, log_partition=None, log_offset=None)
        return TakenAct(skip, self._rules.inferred_skip, taken.rewards_version, raw).row()

    def _rebuilt(self, first: TakenAct) -> SessionState:
        """The state before the first act seen: what the stored acts make of it.

        Also of someone without a history, whom the clock has made us forget: a session that goes on after all counts
        on, as in a replay. (What they liked is forgotten in the time of the acts.)
        """
        state = SessionState(first.event.reader_key)
        for act in self._history(first):
            state, _ = session_state.apply(state, act.event, act.reward, self._rules, act.log_offset, act.received_at)
        return state

    def on_notify(self) -> tuple[Iterable[Moved], bool]:
        if self._state is None or not self._has_open_session:
            return (), self.DISCARD
        self._state, rows = session_state.expire(self._state)
        self._has_open_session = False
        return ([EndedSessions(rows)] if rows else []), self._state is None

    def notify_at(self) -> datetime:
        return self._touched_at + (self._rules.silence if self._has_open_session else IDLE_EVICTION)

    def snapshot(self) -> Snapshot:
        return STATE_VERSION, _encoder.encode(self._state) if self._state else None
