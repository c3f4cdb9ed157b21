"""What was on screen and passed over: a skip each, once, when the session moves on to a later slate."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from stream_acts import RULES
from test_session_state import OTHER_SESSION, at, live

from openshelf.contracts import Action, Interaction, slate_id_of
from streaming import session_state
from streaming.repeats import KEEP, MAX_FOREIGN, MAX_OFFSETS, NOTHING_SEEN
from streaming.session_state import Change, SessionState

VISIT = at(0, Action.VISIT, None)
FIRST = slate_id_of(VISIT.event_id)


def show(minutes: float, slate_id: UUID, position: int, book_id: int, **changes: object) -> Interaction:
    return at(minutes, Action.SHOW, book_id, slate_id=slate_id, position=position, **changes)


def skips_of(changes: Sequence[Change | None]) -> list[tuple[UUID | None, int | None, int | None]]:
    return [(skip.slate_id, skip.position, skip.book_id) for change in changes if change for skip in change.skips]


def moved_on(minutes: float, slate_id: UUID, book_id: int = 21) -> tuple[Interaction, Interaction]:
    """An act on the slate, and the showing of the slate that it asks for."""
    opened = at(minutes, Action.OPEN, book_id, slate_id=slate_id, position=0)
    return opened, show(minutes + 0.1, slate_id_of(opened.event_id), 0, book_id + 10)


def test_places_on_screen_without_an_answer_are_skipped_when_a_later_slate_is_seen() -> None:
    shown = [show(1, FIRST, position, 21 + position) for position in range(4)]

    _, changes = live(VISIT, *shown, at(2, Action.WANT, 23, slate_id=FIRST, position=2), *moved_on(3, FIRST))

    assert skips_of(changes) == [(FIRST, 1, 22), (FIRST, 3, 24)]
    last = changes[-1]
    assert last
    assert all(skip.inferred and skip.action is Action.SKIP for skip in last.skips)
    assert all(skip.occurred_at == last.sessions[-1].last_act_at for skip in last.skips)
    assert last.sessions[-1].count_inferred == 2
    # Every act of these tests is worth 1, and each skip what the rules say.
    assert last.sessions[-1].reward == 8 + 2 * RULES.inferred_skip


def test_each_is_inferred_once_however_often_the_acts_come() -> None:
    acts = [VISIT, show(1, FIRST, 0, 21), show(1, FIRST, 1, 22), *moved_on(2, FIRST)]

    state, changes = live(*acts, *acts, *moved_on(3, slate_id_of(acts[-2].event_id), 31))

    assert skips_of(changes) == [(FIRST, 1, 22)]
    assert len({skip.event_id for change in changes if change for skip in change.skips}) == 1
    assert state.sessions[-1].count_inferred == 1


def test_who_leaves_has_passed_nothing_over() -> None:
    shown = [show(1, FIRST, position, 21 + position) for position in range(3)]

    _, after_silence = live(VISIT, *shown, at(60, Action.VISIT, None, session_id=OTHER_SESSION))
    state, _ = live(VISIT, *shown)
    _, rows = session_state.expire(state)

    assert skips_of(after_silence) == []
    assert [row.count_inferred for row in rows] == [0]


def test_a_reset_and_another_session_s_slate_infer_nothing() -> None:
    shown = [show(1, FIRST, position, 21 + position) for position in range(3)]
    elsewhere = at(2, Action.VISIT, None, session_id=OTHER_SESSION)
    there = show(3, slate_id_of(elsewhere.event_id), 0, 41, session_id=OTHER_SESSION)

    _, after_reset = live(VISIT, *shown, at(2, Action.RESET, None), *moved_on(3, FIRST))
    _, in_two_sessions = live(VISIT, *shown, elsewhere, there)

    assert skips_of(after_reset) == []
    assert skips_of(in_two_sessions) == []


def test_what_comes_late_from_an_earlier_slate_is_no_moving_on() -> None:
    opened, second_shown = moved_on(2, FIRST)

    _, changes = live(VISIT, show(1, FIRST, 0, 21), opened, second_shown, show(1, FIRST, 1, 22))

    assert skips_of(changes) == []


def test_an_answer_that_came_before_its_showing_counts() -> None:
    opened = at(1, Action.OPEN, 22, slate_id=FIRST, position=1)

    _, changes = live(VISIT, opened, show(0.9, FIRST, 1, 22), *moved_on(2, FIRST))

    assert skips_of(changes) == []


def test_one_session_too_many_at_once_ends_the_one_that_was_silent_longest() -> None:
    _, changes = live(*(at(n, session_id=UUID(int=20 + n)) for n in range(session_state.MAX_SESSIONS + 1)))

    assert changes[-1]
    assert [(row.session_id, row.ended_at is not None) for row in changes[-1].sessions] == [
        (UUID(int=20), True), (UUID(int=20 + session_state.MAX_SESSIONS), False)
    ]  # fmt: skip


@given(st.data())
def test_a_delivery_with_repeats_in_any_order_counts_each_act_once(data: st.DataObject) -> None:
    acts = [at(n / 10, Action.OPEN if n % 2 else Action.SHOW, n + 1) for n in range(12)]
    numbered = list(enumerate(acts))
    delivered = data.draw(st.permutations(numbered + data.draw(st.lists(st.sampled_from(numbered), max_size=12))))

    state = SessionState("r_1")
    for log_offset, each in delivered:
        state, _ = session_state.apply(state, each, 1.0, RULES, log_offset, each.occurred_at)

    (session,) = state.sessions
    assert (session.count_acts, session.count_shows) == (6, 6)
    assert (session.started_at, session.last_act_at) == (acts[0].occurred_at, acts[-1].occurred_at)
    assert session.reward == 12


def test_an_act_of_the_log_is_known_for_good_and_one_of_a_foreign_writer_for_a_week() -> None:
    seen = NOTHING_SEEN
    for offset in range(MAX_OFFSETS + 50):
        seen = seen.then(VISIT.event_id, offset, VISIT.occurred_at) or seen
    foreign = seen.then(VISIT.event_id, None, VISIT.occurred_at)
    assert foreign

    assert all(seen.then(VISIT.event_id, offset, VISIT.occurred_at) is None for offset in range(MAX_OFFSETS + 50))
    assert seen.then(VISIT.event_id, MAX_OFFSETS + 50, VISIT.occurred_at)
    assert foreign.then(VISIT.event_id, None, VISIT.occurred_at + KEEP) is None
    for n in range(MAX_FOREIGN + 10):
        foreign = foreign.then(UUID(int=n), None, VISIT.occurred_at + timedelta(minutes=1)) or foreign
    assert len(foreign.foreign) // 24 == MAX_FOREIGN
