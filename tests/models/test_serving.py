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
from models.recommender import SlateRequest
from models.serving import ServingLoader, load_serving, stamp
from openshelf.contracts import Action, Source
from openshelf.database import experiments, pins
from openshelf.database.experiments import ArmRow


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
