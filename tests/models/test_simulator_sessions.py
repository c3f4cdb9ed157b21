"""Sessions as events: what goes into the log obeys the contract."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import numpy as np
import pytest

from models import rewards, simulated_sessions
from models.simulated_readers import make_reader
from models.simulated_sessions import LONGEST, Session
from models.simulated_world import World, make_world
from openshelf.contracts import Action, Interaction, Place, Slate, Source, Surface, parse_interaction, slate_id_of

START = datetime(2026, 3, 2, 15, 37, tzinfo=UTC)
SEED = 5


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(300, 10, SEED)


def start_session(world: World, number: int) -> Session:
    rng = np.random.default_rng([SEED, number])
    return Session(make_reader(world, number, SEED), f"r_{number}", uuid4(), START, rng, START)


def slate_for(world: World, session: Session) -> Slate:
    assert session.waits_for
    reader = session.reader
    best = np.argsort(-(world.topics @ reader.tastes[0]) + 9.0 * np.isin(np.arange(len(world)), list(reader.met)))
    places = tuple(
        Place(book_id=int(world.book_ids[row]), position=n, propensity=0.5, source=Source.POLICY, reason="new_to_you")
        for n, row in enumerate(best[:12])
    )
    return Slate(
        slate_id=slate_id_of(session.waits_for), reader_key=session.reader_key, session_id=session.session_id,
        created_at=session.clock, policy_version="test", arm="test", surface=Surface.FOR_YOU, places=places,
    )  # fmt: skip


def live(world: World, number: int) -> list[Interaction]:
    session = start_session(world, number)
    rows = {int(book_id): row for row, book_id in enumerate(world.book_ids)}
    acts = simulated_sessions.open_session(world, session, 0)
    while not session.is_over:
        acts += simulated_sessions.answer(world, rows, session, slate_for(world, session), 0, rewards.load())[0]
    return acts


def test_every_act_is_valid_in_order_and_within_the_longest_session(world: World) -> None:
    for number in range(40):
        acts = live(world, number)

        assert all(parse_interaction(act.encode(), act.occurred_at) == act for act in acts)
        times = [act.occurred_at for act in acts]
        assert times == sorted(times)
        assert times[-1] < START + LONGEST
        assert len({act.event_id for act in acts}) == len(acts)


def test_only_acts_on_a_slate_carry_it_and_each_was_shown_there_before(world: World) -> None:
    acts = [act for number in range(40) for act in live(world, number)]

    shown = set()
    for act in acts:
        if act.action is Action.SHOW:
            shown.add((act.slate_id, act.position, act.book_id))
        elif act.slate_id is not None:
            assert (act.slate_id, act.position, act.book_id) in shown
            assert act.surface is Surface.FOR_YOU
        elif act.book_id is not None:
            assert act.surface is not Surface.FOR_YOU
    kinds = {act.action for act in acts}
    assert {Action.VISIT, Action.SHOW, Action.OPEN, Action.READ, Action.FINISH, Action.LIKE, Action.WANT} <= kinds
    assert {Action.RATE, Action.SEARCH, Action.DISLIKE} <= kinds


def test_event_ids_are_version_seven_of_their_moment_and_follow_the_seed() -> None:
    first, again, other = (simulated_sessions.event_id_at(START, np.random.default_rng(seed)) for seed in (1, 1, 2))

    assert first == again != other
    assert (first.version, first.variant) == (7, "specified in RFC 4122")
    assert first.int >> 80 == int(START.timestamp() * 1000)


def test_readers_come_around_their_hour_and_within_the_simulated_day(world: World) -> None:
    reader = make_reader(world, 0, SEED)
    rng = np.random.default_rng(SEED)
    moments = [simulated_sessions.begins_at(reader, START, rng) for _ in range(200)]

    assert all(START <= moment < START + timedelta(days=1) for moment in moments)
    distances = [abs((moment.hour + moment.minute / 60 - reader.hour + 12) % 24 - 12) for moment in moments]
    assert np.mean(distances) < 2
