import random
from datetime import timedelta
from uuid import UUID

from stream_acts import NOON, RULES, SESSION, act, acts_of, excluded_of

from models.states import MAX_ACTS, works_of
from openshelf.contracts import BOOKLESS, Action, Interaction, slate_id_of
from streaming import session_state
from streaming.session_state import Change, SessionState

OTHER_SESSION = UUID(int=8)


def live(*acts: Interaction, reader_key: str = "r_1") -> tuple[SessionState, list[Change | None]]:
    state, changes = SessionState(reader_key), []
    for each in acts:
        state, change = session_state.apply(state, each, 1.0, RULES)
        changes.append(change)
    return state, changes


def at(minutes: float, action: Action = Action.OPEN, book_id: int | None = 1, **changes: object) -> Interaction:
    return act(action, book_id, occurred_at=NOON + timedelta(minutes=minutes), **changes)


def test_every_act_but_a_show_asks_for_one_slate_with_a_seed_of_its_own() -> None:
    acts = [at(n, action, None if action in {"visit", "search", "reset"} else n + 1) for n, action in enumerate(Action)]

    _, changes = live(*acts)

    asked = [each for each, change in zip(acts, changes, strict=True) if change and change.request]
    assert [each.action for each in asked] == [action for action in Action if action is not Action.SHOW]
    seeds = [change.request.seed for change in changes if change and change.request]
    assert len(set(seeds)) == len(seeds)
    assert min(seeds) >= 0


def test_the_same_act_asks_for_the_same_slate_again() -> None:
    each = at(0)

    (first, first_changes), (second, second_changes) = live(each), live(each)

    assert first == second
    assert first_changes == second_changes
    assert first.slates == slate_id_of(each.event_id).bytes


def test_a_repeat_changes_nothing() -> None:
    each = at(0)

    once, _ = live(each)
    twice, changes = live(each, each)

    assert twice == once
    assert changes[1] is None


def test_met_and_hidden_works_are_excluded_and_shown_ones_are_not() -> None:
    _, changes = live(at(0, Action.LIKE, 1), at(1, Action.HIDE, 2), at(2, Action.SHOW, 3), at(3, Action.VISIT, None))

    assert changes[-1]
    assert changes[-1].request
    assert excluded_of(changes[-1].request) == {1, 2}


def test_unhiding_brings_a_work_back() -> None:
    state, _ = live(at(0, Action.HIDE, 2), at(1, Action.UNHIDE, 2))

    assert works_of(state.taste.hidden) == []


def test_a_reset_forgets_taste_and_keeps_what_was_hidden() -> None:
    state, changes = live(at(0, Action.LIKE, 1), at(1, Action.HIDE, 2), at(2, Action.RESET, None))

    assert state.taste.acts == b""
    assert state.taste.met == b""
    assert changes[-1]
    assert changes[-1].request
    assert excluded_of(changes[-1].request) == {2}


def test_the_policy_sees_every_act_since_the_last_reset_but_impressions() -> None:
    """As training rebuilds the history of a logged slate: another rule here would make its propensities wrong."""
    actions = [Action.LIKE, Action.RESET, Action.VISIT, Action.SHOW, Action.OPEN, Action.SEARCH, Action.UNHIDE]

    _, changes = live(*(at(n, action, None if action in BOOKLESS else 3) for n, action in enumerate(actions)))

    change = changes[-1]
    assert change
    assert change.request
    assert acts_of(change.request.acts) == [
        (Action.VISIT, None),
        (Action.OPEN, 3),
        (Action.SEARCH, None),
        (Action.UNHIDE, 3),
    ]


def test_a_late_act_takes_its_place_in_time() -> None:
    state, _ = live(at(0, book_id=1), at(10, book_id=2), at(5, book_id=3))

    assert [book_id for _, book_id in acts_of(state.taste.acts)] == [1, 3, 2]


def test_shuffled_acts_with_repeats_end_in_the_same_taste_and_sessions() -> None:
    acts = [at(n, Action.LIKE if n % 3 else Action.SHOW, n + 1) for n in range(25)]
    shuffled = acts + acts[:9]
    random.Random(3).shuffle(shuffled)

    straight, _ = live(*acts)
    mixed, _ = live(*shuffled)

    assert mixed.taste.acts == straight.taste.acts
    assert set(works_of(mixed.taste.met)) == set(works_of(straight.taste.met))
    assert mixed.sessions == straight.sessions


def test_everything_is_bounded() -> None:
    state, _ = live(*(at(n, Action.OPEN, n + 1, session_id=UUID(int=n)) for n in range(300)))

    assert len(acts_of(state.taste.acts)) == MAX_ACTS
    assert acts_of(state.taste.acts)[-1][1] == 300
    assert len(state.sessions) == session_state.MAX_SESSIONS
    assert len(state.slates) == session_state.MAX_SLATES * 16


def test_two_sessions_at_once_are_counted_apart() -> None:
    _, changes = live(at(0), at(1, session_id=OTHER_SESSION), at(2), at(3, Action.SHOW, 9))

    assert changes[-1]
    row = changes[-1].sessions[-1]
    assert (row.session_id, row.count_acts, row.count_shows, row.reward) == (SESSION, 2, 1, 3.0)


def test_a_session_ends_when_the_next_act_comes_after_a_silence() -> None:
    _, changes = live(at(0), at(31, session_id=OTHER_SESSION), at(32, session_id=OTHER_SESSION))

    assert changes[1]
    assert changes[2]
    ended = changes[1].sessions[0]
    assert (ended.session_id, ended.ended_at) == (SESSION, NOON)
    assert [row.session_id for row in changes[2].sessions] == [OTHER_SESSION]


def test_an_act_after_the_silence_reopens_its_session_and_counts_on() -> None:
    _, changes = live(at(0), at(45))

    assert changes[1]
    assert [(row.session_id, row.ended_at, row.count_acts) for row in changes[1].sessions] == [(SESSION, None, 2)]


def test_a_late_act_does_not_reopen_its_session() -> None:
    _, changes = live(at(0), at(5), at(45, session_id=OTHER_SESSION), at(3))

    assert changes[3]
    assert [(row.session_id, row.ended_at, row.count_acts) for row in changes[3].sessions] == [
        (SESSION, NOON + timedelta(minutes=5), 3)
    ]


def test_someone_without_a_history_is_forgotten_with_the_session() -> None:
    state, changes = live(
        at(0, Action.LIKE, 5, reader_key="s_1"), at(45, Action.VISIT, None, reader_key="s_1"), reader_key="s_1"
    )
    expired, rows = session_state.expire(state)

    assert changes[1]
    assert changes[1].request
    assert excluded_of(changes[1].request) == set()
    assert expired is None
    assert rows[0].ended_at == NOON + timedelta(minutes=45)


def test_the_clock_ends_a_session_once_and_keeps_a_reader_with_a_history() -> None:
    state, _ = live(at(0, Action.LIKE, 5))

    kept, rows = session_state.expire(state)
    assert kept is not None
    again, no_rows = session_state.expire(kept)

    assert [row.ended_at for row in rows] == [NOON]
    assert works_of(kept.taste.met) == [5]
    assert again == kept
    assert no_rows == ()
