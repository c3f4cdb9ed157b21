"""What the dataflow remembers of one reader, and how an act changes it. Pure.

    act --apply--> (state, change)      change: session rows and inferred skips to store, and the slate to draw
    clock --expire--> (state, ended sessions)

Everything is bounded: the last 50 acts but impressions (as training replays them), 5,000 met and 5,000 hidden works,
8 sessions, the places on screen of one slate, and what `repeats` keeps. A session is what carries one session_id;
it ends after 30 minutes without an act, in the time of the acts or, when none follows, by the clock; a later act under
the same session_id reopens it. Someone without a history (key `s_...`) is forgotten with the session, here and when a
silence shows in the time of the acts.

A skip is inferred for each place that was on screen and got no answer when its session moves on to a later slate. (Of
what was on screen last nothing is inferred: who leaves has not passed it over.)
"""

from datetime import datetime, timedelta
from struct import Struct
from uuid import UUID

import msgspec
import numpy as np

from models.recommender import SlateRequest
from models.states import ACT_BYTES, ACT_ROW, BOOK_ID_BYTES, MAX_ACTS, MAX_MET, pack_act, pack_works
from openshelf import readers
from openshelf.contracts import MEETING, Action, Interaction, Surface, skip_id_of, slate_id_of
from openshelf.database.stream import SessionRow
from streaming.repeats import NOTHING_SEEN, Seen, find_packed

MAX_SESSIONS = 8
# Slates whose order is remembered: what comes from the screen may come late, and about an earlier one.
MAX_SLATES = 8
DEFAULT_ARM = "champion"

_AT = Struct("<d")
_UUID_BYTES = 16


class Rules(msgspec.Struct, frozen=True, gc=False):
    """`silence` ends a session; `inferred_skip` is the reward of a skip that was inferred."""

    silence: timedelta
    inferred_skip: float


class Session(msgspec.Struct, frozen=True, gc=False):
    session_id: UUID
    started_at: datetime
    last_act_at: datetime
    count_acts: int = 0
    count_shows: int = 0
    count_inferred: int = 0
    reward: float = 0.0
    ended: bool = False

    def row(self, reader_key: str) -> SessionRow:
        return SessionRow(
            session_id=self.session_id,
            reader_key=reader_key,
            arm=DEFAULT_ARM,
            started_at=self.started_at,
            last_act_at=self.last_act_at,
            ended_at=self.last_act_at if self.ended else None,
            count_acts=self.count_acts,
            count_shows=self.count_shows,
            count_inferred=self.count_inferred,
            reward=self.reward,
        )


class OnScreen(msgspec.Struct, frozen=True, gc=False):
    """The latest slate that a session saw, and its places (position, book_id) on screen without an answer."""

    slate_id: UUID
    session_id: UUID
    surface: Surface
    places: tuple[tuple[int, int], ...]


class Taste(msgspec.Struct, frozen=True, gc=False):
    """As `models.states` packs them. `acts`: oldest first. `met`, `hidden`: the newest last."""

    acts: bytes = b""
    met: bytes = b""
    hidden: bytes = b""


class SessionState(msgspec.Struct, frozen=True, gc=False):
    reader_key: str
    taste: Taste = Taste()
    sessions: tuple[Session, ...] = ()
    slates: bytes = b""  # ids of the last slates asked for, packed, the newest last
    on_screen: OnScreen | None = None
    seen: Seen = NOTHING_SEEN


class Change(msgspec.Struct, frozen=True, gc=False):
    sessions: tuple[SessionRow, ...]
    skips: tuple[Interaction, ...]  # inferred
    request: SlateRequest | None
    slate_id: UUID | None  # of the slate asked for


def apply(
    state: SessionState,
    event: Interaction,
    reward: float,
    rules: Rules,
    log_offset: int | None = None,
    received_at: datetime | None = None,
) -> tuple[SessionState, Change | None]:
    """The state after an act, and what follows from it; None when the act is a repeat.

    `log_offset`, `received_at`: its place in the log, if it has one, and its arrival (unset: when it occurred).
    """
    seen = state.seen.then(event.event_id, log_offset, received_at or event.occurred_at)
    if seen is None:
        return state, None
    state, rows = _end_silent(state, event.occurred_at, rules.silence)
    on_screen, skips = _moved_on(state, event)
    session = _session_after(state, event, reward, len(skips) * rules.inferred_skip, len(skips))
    others = tuple(s for s in state.sessions if s.session_id != session.session_id)
    # One session more than there is room for: the one that was silent longest ends.
    state, pushed_out = _end(state, {s.session_id for s in others[: 1 - MAX_SESSIONS]})
    is_show = event.action is Action.SHOW
    taste = state.taste if is_show else _taste_after(state.taste, event, reward)
    slate_id = None if is_show else slate_id_of(event.event_id)
    slates = state.slates if slate_id is None else (state.slates + slate_id.bytes)[-MAX_SLATES * _UUID_BYTES :]
    after = SessionState(
        reader_key=state.reader_key,
        taste=taste,
        sessions=(*others, session)[-MAX_SESSIONS:],
        slates=slates,
        on_screen=None if event.action is Action.RESET else on_screen,
        seen=seen,
    )
    ended = [row for row in (*rows, *pushed_out) if row.session_id != session.session_id]
    request = _request(after, event, slate_id) if slate_id else None
    return after, Change((*ended, session.row(state.reader_key)), skips, request, slate_id)


def expire(state: SessionState) -> tuple[SessionState | None, tuple[SessionRow, ...]]:
    """End all sessions because the clock says so; the state is None for someone of whom nothing is kept."""
    state, rows = _end(state, {session.session_id for session in state.sessions})
    return (None if readers.is_session_key(state.reader_key) else state), rows


def _request(state: SessionState, event: Interaction, slate_id: UUID) -> SlateRequest:
    return SlateRequest(
        reader_key=state.reader_key,
        acts=state.taste.acts,
        met=state.taste.met,
        hidden=state.taste.hidden,
        now=event.occurred_at.timestamp(),
        # 63 bits: generators take no negative seeds.
        seed=int.from_bytes(slate_id.bytes[:8]) >> 1,
    )


def _end_silent(state: SessionState, now: datetime, silence: timedelta) -> tuple[SessionState, tuple[SessionRow, ...]]:
    """End the sessions that had fallen silent when this act occurred."""
    silent = {session.session_id for session in state.sessions if now - session.last_act_at > silence}
    if not silent:
        return state, ()
    if readers.is_session_key(state.reader_key):
        state = SessionState(state.reader_key, sessions=state.sessions, seen=state.seen)
    return _end(state, silent)


def _end(state: SessionState, session_ids: set[UUID]) -> tuple[SessionState, tuple[SessionRow, ...]]:
    """Mark sessions as ended, with a row for each that was not. They stay known: an act that reopens one counts on."""
    if not session_ids:
        return state, ()
    ending = [s for s in state.sessions if s.session_id in session_ids and not s.ended]
    if not ending:
        return state, ()
    replace = msgspec.structs.replace
    sessions = tuple(replace(s, ended=True) if s in ending else s for s in state.sessions)
    rows = tuple(replace(s, ended=True).row(state.reader_key) for s in ending)
    return replace(state, sessions=sessions), rows


def _session_after(
    state: SessionState, event: Interaction, reward: float, reward_of_skips: float, count_skips: int
) -> Session:
    at, is_show = event.occurred_at, event.action is Action.SHOW
    known = next((s for s in state.sessions if s.session_id == event.session_id), None)
    known = known or Session(event.session_id, at, at)
    return Session(
        session_id=known.session_id,
        started_at=min(known.started_at, at),
        last_act_at=max(known.last_act_at, at),
        count_acts=known.count_acts + (not is_show),
        count_shows=known.count_shows + is_show,
        count_inferred=known.count_inferred + count_skips,
        reward=known.reward + reward + reward_of_skips,
        # A late act lands in its own time: it does not reopen what has ended since.
        ended=known.ended and at <= known.last_act_at,
    )


def _moved_on(state: SessionState, event: Interaction) -> tuple[OnScreen | None, tuple[Interaction, ...]]:
    """What is on screen after this act, and the skips it implies."""
    screen, slate_id = state.on_screen, event.slate_id
    if screen is not None and screen.session_id != event.session_id and slate_id is not None:
        screen = None
    if slate_id is None or (screen is not None and not _is_later(state.slates, slate_id, screen.slate_id)):
        return screen and _answered(screen, event, state.taste), ()
    fresh = _answered(OnScreen(slate_id, event.session_id, event.surface, ()), event, state.taste)
    if screen is None:
        return fresh, ()
    # An act on a place of the later slate answers the same work in the earlier one too.
    left = screen if event.action is Action.SHOW else _without(screen, event.book_id)
    return fresh, tuple(_skip(left, place, event.occurred_at, state.reader_key) for place in left.places)


def _is_later(slates: bytes, one: UUID, other: UUID) -> bool:
    """Of two slates; one that is not among the last ones asked for is earlier than all of these."""
    return one != other and find_packed(slates, one.bytes) > find_packed(slates, other.bytes)


def _answered(screen: OnScreen, event: Interaction, taste: Taste) -> OnScreen:
    """With the place that was shown, or without those of the work that was answered."""
    if event.book_id is None:
        return screen
    if event.action is not Action.SHOW:
        return _without(screen, event.book_id)
    place, work = (event.position, event.book_id), pack_works([event.book_id])
    if event.slate_id != screen.slate_id or event.position is None or place in screen.places:
        return screen
    # Its answer may have come first.
    if find_packed(taste.met, work) >= 0 or find_packed(taste.hidden, work) >= 0:
        return screen
    return msgspec.structs.replace(screen, places=(*screen.places, place))


def _without(screen: OnScreen, book_id: int | None) -> OnScreen:
    left = tuple(place for place in screen.places if place[1] != book_id)
    return screen if len(left) == len(screen.places) else msgspec.structs.replace(screen, places=left)


def _skip(screen: OnScreen, place: tuple[int, int], at: datetime, reader_key: str) -> Interaction:
    position, book_id = place
    return Interaction(
        event_id=skip_id_of(screen.slate_id, position),
        occurred_at=at,
        reader_key=reader_key,
        session_id=screen.session_id,
        action=Action.SKIP,
        book_id=book_id,
        slate_id=screen.slate_id,
        position=position,
        surface=screen.surface,
        inferred=True,
    )


def _taste_after(taste: Taste, event: Interaction, reward: float) -> Taste:
    """Acts, met and hidden works after an act. Hidden works outlive a reset: hiding is taken back by unhiding."""
    if event.action is Action.RESET:
        return Taste(hidden=taste.hidden)
    at = event.occurred_at.timestamp()
    acts = _with_act(taste.acts, pack_act(event.book_id, event.action, reward, at), at)
    if event.book_id is None:
        return Taste(acts, taste.met, taste.hidden)
    work = pack_works([event.book_id])
    if event.action in MEETING:
        return Taste(acts, _with_work(taste.met, work), taste.hidden)
    if event.action is Action.HIDE:
        return Taste(acts, taste.met, _with_work(taste.hidden, work))
    if event.action is Action.UNHIDE:
        return Taste(acts, taste.met, _without_work(taste.hidden, work))
    return Taste(acts, taste.met, taste.hidden)


def _with_act(acts: bytes, act: bytes, at: float) -> bytes:
    """A late act goes where it belongs, after those of the same moment."""
    if acts and at < _AT.unpack_from(acts, len(acts) - ACT_BYTES)[0]:
        place = int(np.frombuffer(acts, ACT_ROW)["at"].searchsorted(at, side="right")) * ACT_BYTES
        acts = acts[:place] + act + acts[place:]
    else:
        acts += act
    return acts[-MAX_ACTS * ACT_BYTES :]


def _with_work(works: bytes, work: bytes) -> bytes:
    return works if find_packed(works, work) >= 0 else (works + work)[-MAX_MET * BOOK_ID_BYTES :]


def _without_work(works: bytes, work: bytes) -> bytes:
    at = find_packed(works, work)
    return works if at < 0 else works[:at] + works[at + BOOK_ID_BYTES :]
