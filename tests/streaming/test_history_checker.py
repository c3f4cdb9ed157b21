"""Whoever judges the fault tests must find what was planted."""

from dataclasses import replace
from uuid import UUID

from benchmarks.breaking.history import Act, Sent, Session, Stored, Verdict, unlike, verdict

SESSION = UUID(int=99)
SENT = [Sent(UUID(int=n), "r_1") for n in (1, 2, 3)] + [Sent(UUID(int=4), "r_2", is_bad=True)]


def stored() -> Stored:
    """Three acts, a sight of a place among them, an inferred skip, and an entry that nobody can read: all well."""
    return Stored(
        log={UUID(int=n): (0, n) for n in (1, 2, 3, 4)},
        acts=[
            Act(UUID(int=1), SESSION, "open", (0, 1)),
            Act(UUID(int=2), SESSION, "show", (0, 2)),
            Act(UUID(int=3), SESSION, "like", (0, 3)),
            Act(UUID(int=50), SESSION, "skip", None, is_inferred=True),
        ],
        sessions=[Session(SESSION, count_acts=2, count_shows=1, count_inferred=1)],
        slates=[UUID(int=1), UUID(int=3)],
        bad=[UUID(int=4)],
    )


def test_a_history_that_is_stored_once_and_in_order_is_without_fault() -> None:
    assert verdict(SENT, stored()).faults == []


def test_what_was_sent_and_never_acknowledged_may_be_stored_or_not() -> None:
    unheard = [*SENT, Sent(UUID(int=7), "r_1", is_acked=False)]

    assert verdict(unheard, stored()).faults == []
    assert verdict([replace(SENT[0], is_acked=False), *SENT[1:]], stored()).faults == []


def test_a_planted_loss_is_found() -> None:
    there = stored()
    without_act = replace(there, acts=there.acts[1:], sessions=[Session(SESSION, 1, 1, 1)], slates=[UUID(int=3)])
    not_even_logged = replace(without_act, log={UUID(int=n): (0, n) for n in (2, 3, 4)})

    assert any("act 00000000-0000-0000-0000-000000000001" in words for words in verdict(SENT, without_act).lost)
    assert verdict(SENT, not_even_logged) == Verdict(lost=[f"act {UUID(int=1)}"], phantom=[], doubled=[], reordered=[])
    assert verdict(SENT, replace(there, bad=[])).lost
    assert verdict(SENT, replace(there, slates=[UUID(int=1)])).lost == [f"slate of {UUID(int=3)}"]


def test_a_planted_double_is_found() -> None:
    there = stored()
    twice_at_one_place = [*there.acts, Act(UUID(int=3), SESSION, "like", (0, 3))]
    counted_twice = [Session(SESSION, count_acts=3, count_shows=1, count_inferred=1)]
    skipped_twice = [Session(SESSION, count_acts=2, count_shows=1, count_inferred=2)]

    assert verdict(SENT, replace(there, acts=twice_at_one_place)).doubled
    assert verdict(SENT, replace(there, sessions=counted_twice)).doubled == [f"session {SESSION} counts 3 acts of 2"]
    assert verdict(SENT, replace(there, sessions=skipped_twice)).doubled
    assert verdict(SENT, replace(there, slates=[*there.slates, UUID(int=3)])).doubled == [f"slate of {UUID(int=3)}"]
    assert verdict(SENT, replace(there, bad=[*there.bad, UUID(int=4)])).doubled == [f"dead letter of {UUID(int=4)}"]


def test_an_act_that_its_session_forgot_counts_as_lost() -> None:
    forgotten = [Session(SESSION, count_acts=1, count_shows=1, count_inferred=1)]

    assert verdict(SENT, replace(stored(), sessions=forgotten)).lost == [f"session {SESSION} counts 1 acts of 2"]


def test_a_planted_reordering_is_found_and_other_readers_may_come_between() -> None:
    swapped = replace(
        stored(), log={UUID(int=1): (0, 3), UUID(int=2): (0, 2), UUID(int=3): (0, 1), UUID(int=4): (0, 0)}
    )
    other_order_of_another = replace(stored(), log=dict(stored().log) | {UUID(int=4): (0, 0)})

    assert len(verdict(SENT, swapped).reordered) == 2
    assert verdict(SENT, other_order_of_another).reordered == []


def test_what_nobody_sent_is_a_phantom() -> None:
    assert verdict(SENT[1:], stored()).phantom == [f"act {UUID(int=1)}"]


def test_a_row_that_an_undisturbed_run_makes_otherwise_is_named() -> None:
    there = {"sessions": [("a", 1), ("b", 2)], "slates": [("x", "1")]}
    undisturbed = {"sessions": [("b", 3), ("a", 1)], "slates": [("x", "1"), ("y", "2")]}

    assert unlike(there, there) == []
    assert unlike(there, undisturbed) == [
        "sessions b: is (2,)",
        "sessions b: should be (3,)",
        "slates y: should be ('2',)",
    ]
