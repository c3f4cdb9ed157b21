"""benchmarks/stream.py: the acts that both designs get, the old design's rules, and what is made of measured times."""

import json
from typing import Any

import pytest
from stream_acts import NOON

from benchmarks.old_design import messages
from benchmarks.our_stream import long_runs, percentiles, picture
from benchmarks.our_stream.trace import COUNT_READERS, PLACES, Trace, count_slates, old_events
from openshelf.contracts import Action, Interaction, parse_interaction, slate_id_of
from openshelf.readers import is_session_key

WORKS = 500
REPORT: dict[str, Any] = {
    "p50_ms_at_100": 5.0, "p90_ms_at_100": 7.0, "p99_ms_at_100": 9.0,
    "p50_ms_at_500": 6.0, "p90_ms_at_500": 8.0, "p99_ms_at_500": 12.0,
    "acts_per_s": 8_000, "acts_per_s_two": 12_000,
    "bare_decode_us": 3.0, "bare_score_us": 77.0, "bare_store_us": 20.0,
    "old_p50_ms_at_100": 15.0, "old_p90_ms_at_100": 30.0, "old_p99_ms_at_100": 50.0,
    "old_acts_per_s": 120.0, "old_falls_behind_at_500": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def acts() -> list[Interaction]:
    return Trace(WORKS, seed=3).take(20_000, NOON)


def about(acts: list[Interaction]) -> list[tuple[object, ...]]:
    """All but what new event_ids make new."""
    return [(a.reader_key, a.session_id, a.action, a.book_id, a.position, a.surface, a.occurred_at) for a in acts]


def test_every_act_is_one_that_the_stream_takes(acts: list[Interaction]) -> None:
    assert {type(parse_interaction(act.encode(), NOON)) for act in acts} == {Interaction}


def test_the_same_seed_makes_the_same_acts_and_another_seed_others(acts: list[Interaction]) -> None:
    assert about(Trace(WORKS, seed=3).take(1_000, NOON)) == about(acts[:1_000])
    assert about(Trace(WORKS, seed=4).take(1_000, NOON)) != about(acts[:1_000])


def test_a_trace_goes_on_where_it_was_left() -> None:
    trace = Trace(WORKS, seed=5)
    parts = trace.take(77, NOON) + trace.take(123, NOON)
    assert [each[:-1] for each in about(parts)] == [each[:-1] for each in about(Trace(WORKS, seed=5).take(200, NOON))]


def test_thousands_of_readers_act_with_and_without_a_history(acts: list[Interaction]) -> None:
    keys = {act.reader_key for act in acts}
    assert len(keys) > 0.95 * COUNT_READERS
    assert 0.2 < sum(map(is_session_key, keys)) / len(keys) < 0.3


def test_slates_that_acts_name_were_drawn_for_the_same_reader_before(acts: list[Interaction]) -> None:
    drawn: dict[str, set[object]] = {}
    for act in acts:
        own = drawn.setdefault(act.reader_key, set())
        assert act.slate_id is None or act.slate_id in own
        assert (act.slate_id is None) == (act.position is None)
        assert act.position is None or act.position < PLACES
        if act.action is not Action.SHOW:
            own.add(slate_id_of(act.event_id))


def test_about_one_act_in_five_is_the_sight_of_a_place_and_draws_no_slate(acts: list[Interaction]) -> None:
    assert 0.17 < 1 - count_slates(acts) / len(acts) < 0.25


def test_the_old_design_gets_the_same_acts_in_its_three_words(acts: list[Interaction]) -> None:
    events = old_events(acts)
    assert {event["action"] for event in events} == set(messages.REWARDS)
    first = next(act for act in acts if act.action is Action.OPEN)
    assert events[0].keys() == {"sid", "uid", "bid", "action"}
    assert {"sid": str(first.session_id), "uid": first.reader_key, "bid": first.book_id, "action": "click"} in events


@pytest.mark.parametrize(("action", "reward"), [("skip", -1), ("click", 1), ("read", 2)])
def test_the_old_design_adds_what_an_act_is_worth(action: str, reward: int) -> None:
    assert messages.with_reward({"sid": "s", "action": action}) == {"sid": "s", "action": action, "reward": reward}


def test_an_unknown_action_raises_in_the_old_design() -> None:
    with pytest.raises(KeyError):
        messages.with_reward({"action": "like"})


def test_the_old_design_asks_with_the_last_five_events_of_the_session() -> None:
    session = [json.dumps({"sid": "s", "uid": "r", "bid": n, "action": "click", "reward": 1}) for n in range(7)]
    assert messages.request_of(session) == [["s", "r", n, 1] for n in range(2, 7)]
    assert messages.request_of(session[:2]) == [["s", "r", 0, 1], ["s", "r", 1, 1]]


def test_the_old_designs_latency_is_from_the_event_to_its_five_recommendations() -> None:
    interactions = [json.dumps({"timestamp": at}) for at in (10.0, 11.0)]
    recommendations = [json.dumps({"timestamp": at}) for at in [10.5] * 5 + [11.25] * 5]
    assert messages.latencies_ms(interactions, recommendations) == pytest.approx([250.0, 500.0])


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (90, 90), (99, 99), (100, 100), (0, 1)])
def test_a_percentile_is_the_value_that_this_share_does_not_exceed(percent: int, value: int) -> None:
    assert percentiles.at_percent(list(range(1, 101)), percent) == value


def test_memory_that_fills_up_and_then_stays_has_gained_nothing() -> None:
    assert long_runs.gain_an_hour([100.0, 300.0, 390.0, *[400.0] * 6]) == pytest.approx(0.0)
    assert long_runs.gain_an_hour([400.0 + minute for minute in range(12)]) == pytest.approx(60.0)


def test_the_picture_has_a_bar_for_each_measured_number() -> None:
    assert [row["rate"] for row in picture.throughput_rows(REPORT)] == [120.0, 8_000, 12_000, 10_000]
    assert len(picture.latency_rows(REPORT)) == 9


def test_without_the_old_design_the_picture_is_of_ours_alone() -> None:
    report = {key: value for key, value in REPORT.items() if not key.startswith("old_")} | {"old_acts_per_s": None}
    assert {row["design"] for row in picture.throughput_rows(report)} == {"ours", "limit"}
    assert {row["design"] for row in picture.latency_rows(report)} == {"ours"}
