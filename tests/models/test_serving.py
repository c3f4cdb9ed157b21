"""What serves, loaded from the registry: the champion, the arms of an experiment, the works that staff pinned."""

from dataclasses import asdict

import psycopg
import pytest
import torch
from stored_library import store_works
from test_arms import registered, sources
from toy_world import COUNT_WORKS, START, act

from models import registry
from models import serving as serving_of
from models.policy import Policy, PolicyConfig
from models.recommender import DrawnSlate, SlateRequest
from models.serving import ServingLoader, load_serving, stamp
from openshelf.contracts import Action, Source
from openshelf.database import accounts, audit, experiments, hand, pins
from openshelf.database.experiments import ArmRow
from openshelf.errors import NotAllowedError, UsageError


def test_an_arm_that_does_not_load_keeps_its_readers_and_the_champion_fills_its_places(
    conn: psycopg.Connection, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    store_works(conn)
    champion, broken, sound = promoted_policy(conn), registered(conn, "ease"), registered(conn, "als")
    arms = [ArmRow("a", "champion", 1.0), ArmRow("b", broken, 1.0), ArmRow("c", sound, 1.0), ArmRow("d", "popular", 1)]
    assert experiments.start(conn, "x", "salt", arms)
    conn.execute("update learning.models set sha256 = 'x' where version = %s", [broken])
    conn.commit()

    serving = load_serving(conn)

    requests = [SlateRequest.of(f"r_{s}", (act(10), act(16)), frozenset(), START, s) for s in range(20)]
    drawn = {arm: serving.recommender_of(arm).draw(requests) for arm in ("a", "b", "c", "d")}
    assert {arm: slates[0].policy_version for arm, slates in drawn.items()} == {
        "a": champion, "b": broken, "c": sound, "d": "popular"
    }  # fmt: skip
    assert sources(drawn["a"]) <= {Source.POLICY, Source.RANDOM}
    assert sources(drawn["b"]) <= {Source.FALLBACK, Source.RANDOM}
    assert [[p.book_id for p in s.places] for s in drawn["b"]] == [[p.book_id for p in s.places] for s in drawn["a"]]
    assert sources(drawn["c"]) <= {Source.POLICY, Source.RANDOM}
    assert sources(drawn["d"]) <= {Source.POPULAR, Source.RANDOM}
    assert list(serving.refused) == [broken]
    written = capsys.readouterr()
    # Where it stands depends on whether a test before this one has configured the log.
    assert "model_refused" in written.out + written.err + caplog.text


def promoted_policy(conn: psycopg.Connection) -> str:
    torch.manual_seed(0)  # the works that come first are the same in every run
    config = PolicyConfig()
    adapter = torch.nn.init.orthogonal_(torch.empty(config.dim, 384))
    tensors = registry.policy_tensors(Policy(config, adapter, torch.arange(1, COUNT_WORKS + 1)), {})
    version = registry.register(
        conn, "policy", tensors, config=asdict(config), manifest={}, metrics={}, parent=None, now=START
    )
    registry.promote(conn, version, "a test", START)
    return version


def test_what_is_popular_is_counted_for_a_new_catalogue_or_when_it_is_old_and_not_for_a_new_champion(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted, now = [], [0.0]
    count = serving_of.load_popularity
    monkeypatch.setattr(serving_of, "load_popularity", lambda conn: counted.append(now[0]) or count(conn))
    load = ServingLoader(clock=lambda: now[0])
    store_works(conn)

    assert load(conn).version == "popular"
    champion = promoted_policy(conn)
    assert load(conn).version == champion
    assert counted == [0.0]
    now[0] = 600.0
    load(conn)
    conn.execute("update library.catalogue_version set version = version + 1")
    now[0] = 601.0
    load(conn)

    assert counted == [0.0, 600.0, 601.0]


def test_what_serves_is_loaded_anew_when_experiment_pins_champion_or_catalogue_change(conn: psycopg.Connection) -> None:
    store_works(conn)
    stamps = [stamp(conn)]

    def changed() -> bool:
        conn.commit()
        stamps.append(stamp(conn))
        return stamps[-1] != stamps[-2]

    assert not changed()
    promoted_policy(conn)
    assert changed()
    assert experiments.start(conn, "x", "salt", [ArmRow("a", "champion", 1.0), ArmRow("b", "popular", 1.0)])
    assert changed()
    pin = pins.add(conn, 3, 0)
    assert pin is not None
    assert changed()
    (slate,) = load_serving(conn).champion.draw([cold_request()])
    assert slate.places[0].source is Source.PINNED
    pins.remove(conn, pin)
    assert changed()
    experiments.stop(conn, None, "done")
    assert changed()
    assert load_serving(conn).experiment is None


def cold_request() -> SlateRequest:
    return SlateRequest.of("r_1", (), frozenset(), START, 1)


def pinned(conn: psycopg.Connection, *places: tuple[int, int]) -> None:
    for book_id, position in places:
        assert pins.add(conn, book_id, position)


def test_a_pinned_work_stands_at_its_place_with_no_chance_about_it_and_nowhere_else(conn: psycopg.Connection) -> None:
    store_works(conn)
    promoted_policy(conn)
    pinned(conn, (3, 0), (5, 4), (3, 7), (6, 4), (7, 60))
    requests = [SlateRequest.of(f"r_{s}", (act(10), act(16)), frozenset(), START, s) for s in range(20)]

    slates = load_serving(conn).champion.draw(requests)

    for slate in slates:
        assert [place.position for place in slate.places] == list(range(12))
        assert len({place.book_id for place in slate.places}) == 12
        # Of two pins of one work and of two to one place the first counts; the last lies outside of a slate.
        assert [(p.position, p.book_id, p.propensity) for p in slate.places if p.source is Source.PINNED] == [
            (0, 3, 1.0), (4, 5, 1.0)
        ]  # fmt: skip


def test_a_reader_who_met_or_hid_a_pinned_work_does_not_get_it(conn: psycopg.Connection) -> None:
    store_works(conn)
    pinned(conn, (3, 0), (5, 4))
    met = SlateRequest.of("r_1", (act(3, Action.OPEN),), frozenset(), START, 1)
    hidden = SlateRequest.of("r_2", (), frozenset({3, 5}), START, 1)

    slates = load_serving(conn).champion.draw([met, hidden])

    assert [[p.book_id for p in slate.places if p.source is Source.PINNED] for slate in slates] == [[5], []]
    assert all(p.book_id not in {3} for slate in slates for p in slate.places)


def steered(conn: psycopg.Connection, *decisions: tuple[int, float]) -> None:
    staff = accounts.create_demo(conn, "edith", "Edith", role="staff", history_enabled=False)
    for book_id, factor in decisions:
        hand.steer(conn, staff, book_id, factor)
    conn.commit()


def drawn_of(conn: psycopg.Connection, count: int = 400) -> list[DrawnSlate]:
    requests = [SlateRequest.of(f"r_{s}", (act(10), act(16)), frozenset(), START, s) for s in range(count)]
    return load_serving(conn).champion.draw(requests)


def test_an_excluded_work_is_never_drawn_nor_pinned_for_warm_and_cold_readers(conn: psycopg.Connection) -> None:
    store_works(conn)
    promoted_policy(conn)
    pinned(conn, (3, 0))
    before = drawn_of(conn)
    shown = sorted({place.book_id for slate in before for place in slate.places})
    steered(conn, *((book_id, 0.0) for book_id in shown[:20]))

    after = [*drawn_of(conn), *load_serving(conn).champion.draw([cold_request()])]

    assert 3 in shown[:20]
    assert not {place.book_id for slate in after for place in slate.places} & set(shown[:20])
    assert {len(slate.places) for slate in after} == {12}


def test_a_boosted_work_is_drawn_more_and_a_buried_one_less_with_the_probability_that_is_logged(
    conn: psycopg.Connection,
) -> None:
    store_works(conn)
    promoted_policy(conn)
    before = drawn_of(conn)
    steered(conn, (20, 4.0), (21, 0.25))

    after = drawn_of(conn)

    def first_places(slates: list[DrawnSlate], book_id: int) -> int:
        return sum(slate.book_ids[0] == book_id for slate in slates)

    assert first_places(after, 20) > first_places(before, 20)
    assert first_places(after, 21) <= first_places(before, 21)
    boosted = [place for slate in after for place in slate.places if place.book_id == 20 and place.position == 0]
    # Of 56 works or so that may be drawn one has four times the mass it had.
    free = 1 - 0.05
    plain = [
        place.propensity for slate in before for place in slate.places if place.book_id == 20 and not place.position
    ]
    assert {place.source for place in boosted} <= {Source.STAFF, Source.RANDOM}
    assert Source.STAFF in {place.source for place in boosted}
    assert boosted[0].propensity > 2 * plain[0] * free
    others = [place for slate in after for place in slate.places if place.book_id != 20]
    assert {place.source for place in others} <= {Source.POLICY, Source.RANDOM}
    assert sum(slate.book_ids[0] == 20 for slate in after) / len(after) == pytest.approx(
        boosted[0].propensity, abs=4 * (0.07 * 0.93 / len(after)) ** 0.5
    )


def test_what_staff_decide_is_loaded_at_once_and_when_its_time_is_over(conn: psycopg.Connection) -> None:
    store_works(conn)
    before = stamp(conn)
    staff = accounts.create_demo(conn, "edith", "Edith", role="staff", history_enabled=False)
    steer_id = hand.steer(conn, staff, 5, hand.EXCLUDED)
    conn.commit()
    decided = stamp(conn)
    conn.execute("update library.steers set starts_at = now() - interval '2 days', ends_at = now() - interval '1 day'")
    conn.commit()

    assert before != decided
    assert stamp(conn) == before
    assert steer_id == 1


@pytest.mark.parametrize("factor", [1.0, 4.1, 0.2, -1.0, float("nan")])
def test_boosts_are_within_bounds(conn: psycopg.Connection, factor: float) -> None:
    store_works(conn)
    staff = accounts.create_demo(conn, "edith", "Edith", role="staff", history_enabled=False)

    with pytest.raises(UsageError):
        hand.steer(conn, staff, 5, factor)


def test_only_staff_steer_and_each_act_is_noted(conn: psycopg.Connection) -> None:
    store_works(conn)
    reader = accounts.create_demo(conn, "lan", "Lan", role="reader", history_enabled=False)
    staff = accounts.create_demo(conn, "edith", "Edith", role="staff", history_enabled=False)

    for act_of in (
        lambda who: hand.steer(conn, who, 5, 0.0),
        lambda who: hand.pin(conn, who, 6, 0),
        lambda who: hand.curate(conn, who, "For rainy days", [7, 8]),
        lambda who: hand.release(conn, who, 1),
        lambda who: hand.unpin(conn, who, 1),
        lambda who: hand.uncurate(conn, who, 1),
    ):
        for stranger in (reader, None):
            with pytest.raises(NotAllowedError):
                act_of(stranger)
        assert act_of(staff)

    assert [note.act for note in audit.latest(conn)] == [
        "remove a curated row", "remove pin", "release", "curate a row", "pin", "exclude"
    ]  # fmt: skip
