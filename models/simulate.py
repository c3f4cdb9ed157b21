"""Simulated readers through the real path: acts into the event log, slates from the running dataflow. A shell.

All readers who come on a simulated day live it in lock-step: one batch of acts of everybody is appended, the slates
they trigger are waited for, the readers answer them, and so on until the last one has left.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import psycopg

from models import rewards
from models import simulated_lives as lives
from models.simulated_readers import Reader, comes_today, live_a_day, make_reader, put_away, take_up
from models.simulated_sessions import (
    LONGEST,
    Session,
    Tally,
    answer,
    begins_at,
    count,
    event_id_at,
    kept_key,
    open_session,
)
from models.simulated_world import World, world_of
from openshelf import contracts
from openshelf.contracts import Action, Interaction, Slate
from openshelf.database import accounts, events, simulation, stream
from openshelf.errors import OpenshelfError, UsageError
from openshelf.readers import session_key

# Less than the log's own limit: the run takes time, and the oldest acts must not become too late in it.
MAX_DAYS_AGO = 29
SESSION_ONLY_SHARE = 0.15
# Longest wait for one more slate before the dataflow is taken for dead; its start can take a while.
PATIENCE_S = 30.0
POLL_S = (0.004, 0.03)
SESSION_GAP = timedelta(minutes=45)


@dataclass(frozen=True)
class Report:
    readers: int
    days: int
    sessions: int
    acts: int
    slates: int  # drawn by the dataflow
    slates_seen: int
    reward_mean: float  # of a slate seen
    click_rate: float  # opened of shown
    started_at: datetime
    ended_at: datetime
    seconds: float


@dataclass
class _Person:
    """A reader, and who the stream takes them for."""

    reader: Reader
    rng: np.random.Generator
    reader_key: str | None  # None: a new one each session
    account_id: int | None
    free_at: datetime  # when the last session is well over


def simulate(
    conn_factory: Callable[[], psycopg.Connection],
    readers: int,
    days: int,
    seed: int,
    start: datetime | None,
    on_progress: Callable[[int, Tally], None] | None = None,
    *,
    state_path: Path | None = None,
    patience_s: float = PATIENCE_S,
) -> Report:
    """Live `days` days from `start` (None: so that they end now); `on_progress` gets the days done and the tally.

    `state_path` keeps what the readers have become, so that a later call with the same seed continues their lives.

    Raises:
        UsageError: the days would lie in the future or too far back, or there is no work to recommend.
        OpenshelfError: no dataflow draws slates.
    """
    began = time.monotonic()
    now = contracts.utc_now()
    start = start or now - timedelta(days=days)
    _check_window(start, days, now)
    with conn_factory() as conn:
        conn.autocommit = True
        world = _load_world(conn, start, seed)
        kept = lives.load(state_path, seed)
        people = _people(conn, world, readers, seed, kept, start)
        tally = Tally()
        road = _Road(conn, patience_s)
        for day in range(days):
            _live_day(road, world, people, start, day, start + timedelta(days=days), tally)
            if on_progress:
                on_progress(day + 1, tally)
        road.wait_for_rest()
    if state_path:
        lives.save(state_path, kept, {person.reader.number: put_away(world, person.reader) for person in people})
    return Report(
        readers=readers,
        days=days,
        sessions=tally.sessions,
        acts=tally.acts,
        slates=tally.slates,
        slates_seen=tally.slates_seen,
        reward_mean=round(tally.reward / max(tally.slates_seen, 1), 4),
        click_rate=round(tally.opened / max(tally.shown, 1), 4),
        started_at=start,
        ended_at=start + timedelta(days=days),
        seconds=round(time.monotonic() - began, 2),
    )


class _Road:
    """The event log in, slates out."""

    def __init__(self, conn: psycopg.Connection, patience_s: float) -> None:
        self._conn = conn
        self._patience_s = patience_s
        self._open: set[UUID] = set()  # events of readers who left, whose slates are drawn in the meantime
        self._last: dict[str, UUID] = {}  # each reader's last act: who has that one has those before it

    def append(self, acts: list[tuple[Session, Interaction]]) -> None:
        """As the storefront does: the act and what the account keeps of it, in one transaction."""
        with self._conn.transaction():
            events.append_many(self._conn, [act for _, act in acts])
            for session, act in acts:
                if session.account_id is not None:
                    _keep(self._conn, session.account_id, act)
        self._last |= {act.reader_key: act.event_id for _, act in acts}

    def leave(self, event_id: UUID | None) -> None:
        if event_id:
            self._open.add(event_id)

    def slates(self, event_ids: set[UUID]) -> dict[UUID, Slate]:
        """The slates that these events trigger, as soon as all are there.

        Raises:
            OpenshelfError: none has come for as long as patience lasts.
        """
        found: dict[UUID, Slate] = {}

        def look(missing: list[UUID]) -> Collection[UUID]:
            new = stream.slates_of_events(self._conn, missing)
            found.update(new)
            return new

        self._wait_for("slate", event_ids, look)
        return found

    def wait_for_rest(self) -> None:
        """Until the slates of those who left are drawn and all acts are stored, also those that trigger no slate.

        Raises:
            OpenshelfError: none has come for as long as patience lasts.
        """
        self.slates(self._open)
        last = set(self._last.values())
        self._wait_for("act", last, lambda missing: stream.stored_events(self._conn, missing))
        self._open, self._last = set(), {}

    def _wait_for(self, what: str, event_ids: set[UUID], look: Callable[[list[UUID]], Collection[UUID]]) -> None:
        """`look`: of the events that it is given, those of which there is one."""
        missing, pause = set(event_ids), POLL_S[0]
        deadline = time.monotonic() + self._patience_s
        while missing:
            if new := look(list(missing)):
                missing.difference_update(new)
                deadline, pause = time.monotonic() + self._patience_s, POLL_S[0]
            elif time.monotonic() > deadline:
                raise OpenshelfError(
                    f"no {what} has come for {self._patience_s:.0f} s, {len(missing)} are waited for: "
                    "is the dataflow running? Start it: openshelf stream run"
                )
            else:
                time.sleep(pause)
                pause = min(pause * 1.5, POLL_S[1])


def _check_window(start: datetime, days: int, now: datetime) -> None:
    if days < 1:
        raise UsageError(f"{days} days cannot be simulated; give at least 1")
    if start < now - timedelta(days=MAX_DAYS_AGO, minutes=1):
        raise UsageError(f"the event log takes acts of the last {MAX_DAYS_AGO} days: begin at most that long ago")
    if start + timedelta(days=days) > now + timedelta(minutes=1):
        raise UsageError(f"{days} days from {start:%Y-%m-%d %H:%M} end in the future: simulate fewer, or begin earlier")


def _load_world(conn: psycopg.Connection, start: datetime, seed: int) -> World:
    works = simulation.work_facts(conn)
    if not works:
        raise UsageError("there are no works to recommend. Ingest a library first: openshelf ingest calibre PATH")
    return world_of(
        book_ids=[work.book_id for work in works],
        subjects=[work.subjects for work in works],
        languages=[work.language for work in works],
        ratings=[work.rating for work in works],
        # A library is ingested after the days that are simulated in it: what is there counts as there from the start.
        added_day=[min((work.added_at - start).total_seconds() / 86_400, 0.0) for work in works],
        seed=seed,
    )


def _people(
    conn: psycopg.Connection, world: World, readers: int, seed: int, kept: lives.Lives, start: datetime
) -> list[_Person]:
    """The demo accounts that keep a history first, then strangers; some of whom the library knows by session only."""
    of_accounts = [a for a in accounts.demo_accounts(conn) if a.role == "reader" and a.history_enabled and a.reader_key]
    people = []
    for number in range(readers):
        account = of_accounts[number] if number < len(of_accounts) else None
        reader = make_reader(world, number, seed, is_faithful=account is not None)
        if life := kept.readers.get(number):
            try:
                take_up(world, reader, life)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise lives.bad_file(f"reader {number}: {error}") from error
        rng = np.random.default_rng([seed, 7, kept.runs, number])
        is_session_only = np.random.default_rng([seed, 6, number]).random() < SESSION_ONLY_SHARE
        key = account.reader_key if account else None if is_session_only else kept_key(seed, number)
        people.append(_Person(reader, rng, key, account.account_id if account else None, start))
    return people


def _live_day(
    road: _Road, world: World, people: list[_Person], start: datetime, day: int, ends_at: datetime, tally: Tally
) -> None:
    table = rewards.load()
    rows = {int(book_id): row for row, book_id in enumerate(world.book_ids)}
    sessions = _sessions_of_day(people, start + timedelta(days=day), ends_at)
    tally.sessions += len(sessions)
    acts = [(session, act) for session in sessions for act in open_session(world, session, day)]
    while acts:
        road.append(acts)
        count(tally, [act for _, act in acts])
        going_on = [session for session in sessions if not session.is_over]
        slates = road.slates({session.waits_for for session in going_on if session.waits_for})
        acts = []
        for session in going_on:
            assert session.waits_for
            given, reward = answer(world, rows, session, slates[session.waits_for], day, table)
            acts += [(session, act) for act in given]
            tally.slates_seen += 1
            tally.reward += reward
    by_number = {person.reader.number: person for person in people}
    for session in sessions:
        road.leave(session.waits_for)
        by_number[session.reader.number].free_at = session.clock + SESSION_GAP
    for person in people:
        live_a_day(world, person.reader, person.rng)


def _sessions_of_day(people: list[_Person], day_starts_at: datetime, ends_at: datetime) -> list[Session]:
    sessions = []
    for person in people:
        reader, rng = person.reader, person.rng
        moment = max(begins_at(reader, day_starts_at, rng), person.free_at)
        if not comes_today(reader, moment.weekday(), rng) or moment + LONGEST > ends_at:
            continue
        session_id = event_id_at(moment, rng)
        key = person.reader_key or session_key(session_id)
        sessions.append(Session(reader, key, session_id, moment, rng, moment, person.account_id))
    return sorted(sessions, key=lambda session: session.started_at)


def _keep(conn: psycopg.Connection, account_id: int, act: Interaction) -> None:
    """What an account keeps of an act: shelves, ratings, hidden books."""
    if act.book_id is None:
        return
    if shelf := {Action.WANT: "want", Action.READ: "reading", Action.FINISH: "read"}.get(act.action):
        accounts.put_on_shelf(conn, account_id, act.book_id, shelf)
    elif act.action is Action.RATE and act.value is not None:
        accounts.rate(conn, account_id, act.book_id, act.value)
    elif act.action is Action.HIDE:
        accounts.hide(conn, account_id, act.book_id)
