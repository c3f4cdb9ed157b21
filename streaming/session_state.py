"""What the dataflow remembers of one reader, and how an act changes it. Pure.

    act --apply--> (state, change)      change: session rows to store, and the slate to draw if the act asks for one
    clock --expire--> (state, ended sessions)

Everything is bounded: the last 50 acts but impressions (as training replays
them), 5,000 met and 5,000 hidden works, 4 open sessions, 128 event
ids. A session is what carries one session_id; it ends after 30 minutes without an act, in the time of the acts or,
when none follows, by the clock; a later act under the same session_id reopens it. Someone without a history
(key `s_...`) is forgotten with the session, here and when a silence shows in the time of the acts.
"""

from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from models.recommender import SlateRequest
from models.states import Act
from openshelf import readers
from openshelf.contracts import MEETING, Action, Interaction, slate_id_of
from openshelf.database.stream import SessionRow

MAX_ACTS = 50
MAX_WORKS = 5_000
MAX_SESSIONS = 4
MAX_EVENT_IDS = 128
DEFAULT_ARM = "champion"


@dataclass(frozen=True, slots=True)
class Session:
    session_id: UUID
    started_at: datetime
    last_act_at: datetime
    count_acts: int = 0
    count_shows: int = 0
    reward: float = 0.0
    ended: bool = False

    def row(self, reader_key: str, arm: str) -> SessionRow:
        return SessionRow(
            session_id=self.session_id,
            reader_key=reader_key,
            arm=arm,
            started_at=self.started_at,
            last_act_at=self.last_act_at,
            ended_at=self.last_act_at if self.ended else None,
            count_acts=self.count_acts,
            count_shows=self.count_shows,
            reward=self.reward,
        )


@dataclass(frozen=True, slots=True)
class SessionState:
    """`acts`: oldest first. `met`, `hidden`: the newest last. `last_slate_id`: of the newest act that asked for one."""

    reader_key: str
    arm: str = DEFAULT_ARM
    acts: tuple[Act, ...] = ()
    met: tuple[int, ...] = ()
    hidden: tuple[int, ...] = ()
    sessions: tuple[Session, ...] = ()
    last_slate_id: UUID | None = None
    event_ids: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    sessions: tuple[SessionRow, ...]
    request: SlateRequest | None


def apply(
    state: SessionState, event: Interaction, reward: float, silence: timedelta
) -> tuple[SessionState, Change | None]:
    """The state after an act, and what follows from it; None when the act is a repeat."""
    if event.event_id.bytes in state.event_ids:
        return state, None
    state, ended = _end_silent(state, event.occurred_at, silence)
    session = _session_after(state, event, reward)
    others = tuple(s for s in state.sessions if s.session_id != event.session_id)
    state = replace(
        _taste_after(state, event, reward),
        sessions=(*others, session)[-MAX_SESSIONS:],
        event_ids=(*state.event_ids, event.event_id.bytes)[-MAX_EVENT_IDS:],
    )
    rows = [row for row in ended if row.session_id != session.session_id]
    rows.append(session.row(state.reader_key, state.arm))
    if event.action is Action.SHOW:
        return state, Change(tuple(rows), None)
    slate_id = slate_id_of(event.event_id)
    request = SlateRequest(
        reader_key=state.reader_key,
        acts=state.acts,
        excluded=frozenset(state.met).union(state.hidden),
        now=event.occurred_at,
        # 63 bits: generators take no negative seeds.
        seed=int.from_bytes(slate_id.bytes[:8]) >> 1,
        met=state.met,
    )
    return replace(state, last_slate_id=slate_id), Change(tuple(rows), request)


def expire(state: SessionState) -> tuple[SessionState | None, tuple[SessionRow, ...]]:
    """End all sessions because the clock says so; the state is None for someone of whom nothing is kept."""
    state, rows = _end(state, {session.session_id for session in state.sessions})
    return (None if readers.is_session_key(state.reader_key) else state), rows


def _end_silent(state: SessionState, now: datetime, silence: timedelta) -> tuple[SessionState, tuple[SessionRow, ...]]:
    """End the sessions that had fallen silent when this act occurred."""
    silent = {session.session_id for session in state.sessions if now - session.last_act_at > silence}
    if silent and readers.is_session_key(state.reader_key):
        state = replace(state, acts=(), met=(), hidden=(), last_slate_id=None)
    return _end(state, silent)


def _end(state: SessionState, session_ids: set[UUID]) -> tuple[SessionState, tuple[SessionRow, ...]]:
    """Mark sessions as ended, with a row for each that was not. They stay known: an act that reopens one counts on."""
    if not any(s.session_id in session_ids and not s.ended for s in state.sessions):
        return state, ()
    after = tuple(replace(s, ended=s.ended or s.session_id in session_ids) for s in state.sessions)
    rows = tuple(
        new.row(state.reader_key, state.arm)
        for old, new in zip(state.sessions, after, strict=True)
        if new.ended and not old.ended
    )
    return replace(state, sessions=after), rows


def _session_after(state: SessionState, event: Interaction, reward: float) -> Session:
    session = next(
        (s for s in state.sessions if s.session_id == event.session_id),
        Session(event.session_id, event.occurred_at, event.occurred_at),
    )
    is_show = event.action is Action.SHOW
    return replace(
        session,
        started_at=min(session.started_at, event.occurred_at),
        last_act_at=max(session.last_act_at, event.occurred_at),
        count_acts=session.count_acts + (not is_show),
        count_shows=session.count_shows + is_show,
        reward=session.reward + reward,
        ended=False,
    )


def _taste_after(state: SessionState, event: Interaction, reward: float) -> SessionState:
    """Acts, met and hidden works after an act. Hidden works outlive a reset: hiding is taken back by unhiding."""
    if event.action is Action.RESET:
        return replace(state, acts=(), met=())
    if event.action is Action.SHOW:
        return state
    state = _works_after(state, event)
    act = Act(book_id=event.book_id, action=event.action, reward=reward, occurred_at=event.occurred_at)
    # A late act goes where it belongs, after those of the same moment.
    place = bisect_right(state.acts, act.occurred_at, key=lambda a: a.occurred_at)
    return replace(state, acts=(*state.acts[:place], act, *state.acts[place:])[-MAX_ACTS:])


def _works_after(state: SessionState, event: Interaction) -> SessionState:
    book_id = event.book_id
    if book_id is None:
        return state
    if event.action is Action.HIDE:
        return replace(state, hidden=_with(state.hidden, book_id))
    if event.action is Action.UNHIDE:
        return replace(state, hidden=tuple(b for b in state.hidden if b != book_id))
    if event.action in MEETING:
        return replace(state, met=_with(state.met, book_id))
    return state


def _with(works: tuple[int, ...], book_id: int) -> tuple[int, ...]:
    return works if book_id in works else (*works, book_id)[-MAX_WORKS:]
