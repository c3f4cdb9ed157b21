"""A simulated reader's session as the events a storefront would record. Pure: time and chance are passed in."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np

from models import simulator
from models.rewards import Rewards
from models.simulated_readers import Reader
from models.simulated_world import World
from openshelf.contracts import Action, Interaction, Slate, Surface

# A session ends by itself after this long; with the acts of its last slate it stays within LONGEST.
LONG = timedelta(minutes=70)
LONGEST = timedelta(hours=2)

# Mean seconds that pass before an act.
PAUSES = {Action.SHOW: 0.7, Action.OPEN: 8.0, Action.FINISH: 60.0, Action.SEARCH: 12.0, Action.VISIT: 3.0}
USUAL_PAUSE = 15.0


@dataclass
class Session:
    """One reader's session while it is being lived; `clock` moves on with each act."""

    reader: Reader
    reader_key: str
    session_id: UUID
    clock: datetime
    rng: np.random.Generator
    started_at: datetime
    account_id: int | None = None
    mood: float = 0.0
    count_slates: int = 0
    last_opened: int | None = None
    is_over: bool = False
    waits_for: UUID | None = None  # the event whose slate is looked at next, or was the last one


@dataclass
class Tally:
    """What the simulated readers did, counted."""

    sessions: int = 0
    acts: int = 0
    slates: int = 0  # drawn: one for each act but shows
    slates_seen: int = 0  # looked at and answered
    shown: int = 0
    opened: int = 0  # from a slate
    reward: float = 0.0  # of answers to slates
    by_action: dict[str, int] = field(default_factory=dict)


def kept_key(seed: int, number: int) -> str:
    """reader_key of a simulated reader without an account, who keeps a history."""
    return "r_" + hashlib.sha256(f"simulated reader {seed} {number}".encode()).hexdigest()[:32]


def begins_at(reader: Reader, day_starts_at: datetime, rng: np.random.Generator) -> datetime:
    """When in the 24 hours from `day_starts_at` the reader comes: around their usual hour of the clock."""
    hour = (reader.hour + rng.normal(0, 1.4)) % 24
    midnight = day_starts_at.replace(hour=0, minute=0, second=0, microsecond=0)
    moment = midnight + timedelta(seconds=round(hour * 3600, 3))
    return moment if moment >= day_starts_at else moment + timedelta(days=1)


def event_id_at(moment: datetime, rng: np.random.Generator) -> UUID:
    """A version 7 UUID of this moment, its other bits from the generator: the same run makes the same events."""
    number = int.from_bytes(rng.bytes(16), "big") & ((1 << 80) - 1)
    number |= int(moment.timestamp() * 1000) << 80
    return UUID(int=(number & ~(0xF << 76) & ~(0x3 << 62)) | (0x7 << 76) | (0x2 << 62))


def open_session(world: World, session: Session, day: float) -> list[Interaction]:
    """The acts until the first slate is waited for: sometimes an errand, always a visit."""
    session.reader.count_sessions += 1
    errand = _errand(world, session, day) if session.rng.random() < simulator.ERRAND_AT_START else []
    return [*errand, _visit(session)]


def answer(
    world: World, rows: dict[int, int], session: Session, slate: Slate, day: float, rewards: Rewards
) -> tuple[list[Interaction], float]:
    """The acts on one slate, and on the way to the next if the reader goes on; with the slate's reward.

    `rows`: book_id -> row of the world; works that it does not know are overlooked.
    """
    places = [(place.position, rows[place.book_id]) for place in slate.places if place.book_id in rows]
    answers = simulator.answer_slate(world, session.reader, [row for _, row in places], session.rng)
    acts = []
    for given in answers:
        position = places[given.position][0] if given.position is not None else None
        acts.append(_event(world, session, given, slate.slate_id, position))
    reward = sum(simulator.reward_of(given, rewards) for given in answers)
    session.mood = simulator.mood_after(session.mood, reward)
    session.count_slates += 1
    session.is_over = session.clock - session.started_at > LONG or not simulator.goes_on(
        session.mood, session.count_slates, session.rng
    )
    if not session.is_over:
        if session.rng.random() < simulator.ERRAND_BETWEEN:
            acts += _errand(world, session, day)
        if all(act.action is Action.SHOW for act in acts):
            acts.append(_visit(session))
    return acts, reward


def _errand(world: World, session: Session, day: float) -> list[Interaction]:
    surface, answers = simulator.run_errand(world, session.reader, day, session.rng, session.last_opened)
    search = [_bookless(session, Action.SEARCH, surface)] if surface is Surface.SEARCH else []
    return search + [_event(world, session, given) for given in answers]


def _visit(session: Session) -> Interaction:
    return _bookless(session, Action.VISIT, Surface.FOR_YOU)


def _bookless(session: Session, action: Action, surface: Surface) -> Interaction:
    _pass_time(session, action)
    event = Interaction(
        event_id=event_id_at(session.clock, session.rng),
        occurred_at=session.clock,
        reader_key=session.reader_key,
        session_id=session.session_id,
        action=action,
        surface=surface,
    )
    session.waits_for = event.event_id
    return event


def _event(
    world: World,
    session: Session,
    given: simulator.Answer,
    slate_id: UUID | None = None,
    position: int | None = None,
) -> Interaction:
    _pass_time(session, given.action)
    event = Interaction(
        event_id=event_id_at(session.clock, session.rng),
        occurred_at=session.clock,
        reader_key=session.reader_key,
        session_id=session.session_id,
        action=given.action,
        book_id=int(world.book_ids[given.work]),
        slate_id=slate_id,
        position=position,
        surface=given.surface,
        value=given.value,
    )
    if given.action is Action.READ:
        session.clock += timedelta(seconds=given.value or 0)
    if given.action is Action.OPEN:
        session.last_opened = given.work
    if given.action is not Action.SHOW:
        session.waits_for = event.event_id
    return event


def _pass_time(session: Session, action: Action) -> None:
    mean = PAUSES.get(action, USUAL_PAUSE)
    seconds = float(np.clip(session.rng.gamma(2.0, mean / 2), 0.05, 6 * mean))
    session.clock += timedelta(milliseconds=round(seconds * 1000))


def count(tally: Tally, acts: list[Interaction]) -> None:
    """Add acts to the tally."""
    tally.acts += len(acts)
    for act in acts:
        tally.by_action[act.action] = tally.by_action.get(act.action, 0) + 1
        tally.slates += act.action is not Action.SHOW
        tally.shown += act.action is Action.SHOW
        tally.opened += act.action is Action.OPEN and act.slate_id is not None
