"""The ladder: policy, popular, random; with sources, reasons and propensities that can be trusted."""

import weakref
from datetime import timedelta

import numpy as np
import pytest
import torch
from toy_world import START, act, catalogue_of, newborn, restless

from models import arms, products
from models import recommender as serving
from models.arms import PolicyScorer, Scorer
from models.catalogue import Ranking
from models.plackett_luce import Excluded
from models.policy import Items, Policy
from models.recommender import Recommender, SlateRequest
from models.states import Act, Catalogue, StateBatch, state_batch
from openshelf.contracts import Action, Source


def recommender(
    policy: Policy | None = None,
    catalogue: Catalogue | None = None,
    popular: list[int] | None = None,
    explore: float = 0.0,
    fallback: Scorer | None = None,
) -> Recommender:
    catalogue = catalogue or catalogue_of()
    ranked = list(range(60, 0, -1)) if popular is None else popular
    return Recommender(
        policy and PolicyScorer(policy, catalogue),
        "policy-0001",
        Ranking(catalogue, ranked, 3),
        slate_size=12,
        explore_share=explore,
        cold_pool=20,
        fallbacks=[fallback] if fallback else [],
    )


def request(*acts: Act, excluded: frozenset[int] = frozenset(), seed: int = 1) -> SlateRequest:
    return SlateRequest.of("r_test", acts, excluded, START, seed)


@pytest.fixture(params=[False, True], ids=["small", "as_if_large"])
def any_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a small catalogue, and as for one of a million works: in parts, few readers at once, each alone."""
    if request.param:
        monkeypatch.setattr(arms, "LARGE_FROM_WORKS", 1)
        monkeypatch.setattr(arms, "_NUMBERS_AT_ONCE", 512)
        monkeypatch.setattr(serving, "MASSES_AT_ONCE", 300)
        monkeypatch.setattr(products, "WIDTH_ALONE", 256)
        monkeypatch.setattr(products, "WIDTH_TOGETHER", 256)


class Broken(Policy):
    def encode(self, items: Items, batch: StateBatch) -> torch.Tensor:
        raise RuntimeError("a fault in the network")


class NotFinite(Policy):
    def encode(self, items: Items, batch: StateBatch) -> torch.Tensor:
        return super().encode(items, batch) * torch.nan


def of_class(kind: type[Policy]) -> Policy:
    healthy = newborn()
    return kind(healthy.config, healthy.adapter, healthy.known_ids)


def test_a_reader_with_acts_is_served_by_the_policy_with_exact_places() -> None:
    slate = recommender(newborn()).draw([request(act(10))])[0]

    assert slate.policy_version == "policy-0001"
    assert [place.position for place in slate.places] == list(range(12))
    assert len({place.book_id for place in slate.places}) == 12
    assert {place.source for place in slate.places} == {Source.POLICY}
    assert all(0 < place.propensity <= 1 for place in slate.places)


def test_a_cold_reader_sees_a_random_draw_of_the_twenty_most_popular() -> None:
    slates = recommender(newborn()).draw([request(seed=seed) for seed in range(100)])

    seen = {place.book_id for slate in slates for place in slate.places}
    assert seen == set(range(41, 61))
    assert len({tuple(place.book_id for place in slate.places) for slate in slates}) > 90
    for slate in slates:
        assert [place.propensity for place in slate.places] == pytest.approx([1 / (20 - i) for i in range(12)])
        assert {(place.source, place.reason) for place in slate.places} == {(Source.POPULAR, "popular")}


def test_searching_and_visiting_leave_a_reader_cold() -> None:
    slate = recommender(newborn()).draw([request(act(None, Action.SEARCH, 0.0), act(None, Action.VISIT, 0.0))])[0]

    assert {place.source for place in slate.places} == {Source.POPULAR}


@pytest.mark.usefixtures("any_size")
def test_excluded_and_met_works_never_come_back() -> None:
    met, excluded = tuple(act(book) for book in range(1, 30)), frozenset(range(30, 46))

    slates = recommender(newborn(), explore=0.5).draw([request(*met, excluded=excluded, seed=s) for s in range(30)])

    assert all(place.book_id > 45 for slate in slates for place in slate.places)
    assert all(len(slate.places) == 12 for slate in slates)


def test_a_work_that_another_one_took_in_counts_as_that_one_met_hidden_or_acted_on() -> None:
    whole = catalogue_of()
    merged = Catalogue(whole.book_ids, whole.texts, whole.prior, np.array([[501, 7], [502, 8], [503, 7]]))
    asked = SlateRequest.of("r", (act(501), act(7)), frozenset({502, 503}), START, 1)
    as_one = SlateRequest.of("r", (act(7), act(7)), frozenset({8, 7}), START, 1)

    for policy in (None, restless(whole)):
        slate, expected = (recommender(policy, merged).draw([each])[0] for each in (asked, as_one))
        assert {7, 8}.isdisjoint(place.book_id for place in slate.places)
        assert [place.book_id for place in slate.places] == [place.book_id for place in expected.places]
        assert [place.propensity for place in slate.places] == [place.propensity for place in expected.places]


@pytest.mark.parametrize("kind", [Broken, NotFinite])
def test_when_the_policy_cannot_answer_popularity_does_and_says_so(kind: type[Policy]) -> None:
    slate = recommender(of_class(kind)).draw([request(act(10))])[0]

    assert {place.source for place in slate.places} == {Source.POPULAR}
    assert {place.book_id for place in slate.places} <= set(range(41, 61))


def test_without_a_policy_popularity_serves_everyone() -> None:
    slate = recommender(None).draw([request(act(10))])[0]

    assert {place.source for place in slate.places} == {Source.POPULAR}


def test_a_system_that_knows_nothing_serves_at_random() -> None:
    slates = recommender(None, popular=[]).draw([request(seed=seed) for seed in range(60)])

    assert {place.source for slate in slates for place in slate.places} == {Source.RANDOM}
    assert {place.book_id for slate in slates for place in slate.places} == set(range(1, 61))
    assert slates[0].places[0].propensity == pytest.approx(1 / 60)


@pytest.mark.usefixtures("any_size")
def test_a_short_personal_slate_is_filled_from_popular_then_at_random() -> None:
    catalogue = catalogue_of()
    catalogue.texts[5:] = 0  # the policy can rank works 1..5 only

    slate = recommender(newborn(), catalogue, popular=[20, 21, 22]).draw([request(act(1))])[0]

    assert [place.source for place in slate.places] == [Source.POLICY] * 4 + [Source.POPULAR] * 3 + [Source.RANDOM] * 5
    assert [place.propensity for place in slate.places[4:7]] == pytest.approx([1 / 3, 1 / 2, 1])


def test_a_library_smaller_than_a_slate_gives_a_shorter_one() -> None:
    assert len(recommender(newborn(), catalogue_of(5)).draw([request(act(1))])[0].places) == 4
    empty = Catalogue(np.empty(0, np.int64), np.empty((0, 384), np.float32), np.empty(0, np.float32))
    assert recommender(newborn(), empty, popular=[]).draw([request(act(1))])[0].places == ()


@pytest.mark.usefixtures("any_size")
def test_the_share_of_random_places_is_the_one_set_and_is_marked() -> None:
    slates = recommender(newborn(), explore=0.05).draw([request(act(10), seed=seed) for seed in range(1000)])

    places = [place for slate in slates for place in slate.places]
    random = [place for place in places if place.source is Source.RANDOM]
    assert len(random) / len(places) == pytest.approx(0.05, abs=0.008)
    assert {place.reason for place in random} == {"explore"}
    # Whatever is drawn, its logged probability is at least what exploring gives it.
    assert all(place.propensity >= 0.05 / (59 - place.position) for place in places)


def test_the_same_request_gets_the_same_slate_alone_or_among_others() -> None:
    server = recommender(newborn(), explore=0.2)
    asked = request(act(10), act(20), seed=99)

    alone = server.draw([asked])[0]
    among = server.draw([request(act(3), seed=5), asked, request(seed=7)])[1]

    assert alone == among


def test_a_place_names_the_reader_s_own_act_it_is_nearest_to_or_none() -> None:
    catalogue = catalogue_of()
    catalogue.texts[30] = catalogue.texts[9]  # work 31 reads like work 10
    acts = (act(10, Action.OPEN, 1.0), act(10, Action.LIKE), act(20, Action.WANT, 1.5), act(40, Action.DISLIKE, -2.0))

    places = recommender(newborn(), catalogue).draw([request(*acts, seed=s) for s in range(20)])
    reasons = {place.book_id: (place.reason, place.reason_book_id) for slate in places for place in slate.places}

    assert reasons[31] == ("because_like", 10)
    assert {reason for reason, _ in reasons.values()} <= {"because_like", "because_want", "new_to_you"}
    assert all(anchor in {10, 20, None} for _, anchor in reasons.values())
    assert ("new_to_you", None) in reasons.values()


def test_impressions_among_the_acts_do_not_shift_reasons_to_other_works() -> None:
    catalogue = catalogue_of()
    catalogue.texts[30] = catalogue.texts[9]
    shows = tuple(act(book, Action.SHOW, 0.0) for book in range(41, 61))

    slate = recommender(newborn(), catalogue).draw([request(act(10), *shows, seed=2)])[0]

    assert ("because_like", 10) in {
        (place.reason, place.reason_book_id) for place in slate.places if place.book_id == 31
    }


def test_time_passing_and_unknown_works_do_no_harm() -> None:
    asked = SlateRequest.of("r", (act(999), act(10)), frozenset({12345}), START + timedelta(days=900), 2**63 - 1)

    assert len(recommender(newborn()).draw([asked])[0].places) == 12


@pytest.mark.usefixtures("any_size")
def test_the_catalogue_grows_and_shrinks_under_one_policy_without_touching_it() -> None:
    before, grown = catalogue_of(60), catalogue_of(70)
    after = Catalogue(grown.book_ids[5:], grown.texts[5:], grown.prior[5:])  # 1 to 5 are gone, 61 to 70 are new
    after.texts[:55] = before.texts[5:]
    policy = restless(before)
    weights = {name: tensor.clone() for name, tensor in policy.state_dict().items()}
    nothing = Excluded(np.empty((1, 0), dtype=np.int64), 0)

    old, new = (
        PolicyScorer(policy, c).masses(state_batch([[act(10), act(12)]], [START], c), nothing)[0].values[0]
        for c in (before, after)
    )
    slates = recommender(policy, after, explore=0.2).draw([request(act(10), act(12), seed=s) for s in range(400)])

    assert torch.allclose(old[5:60], new[:55], rtol=1e-4)
    seen = {place.book_id for slate in slates for place in slate.places}
    assert seen >= set(range(61, 71))
    assert not seen & set(range(1, 6))
    by_policy = {p.book_id for slate in slates for p in slate.places if p.source is Source.POLICY}
    assert by_policy & set(range(61, 71))
    assert all(torch.equal(tensor, weights[name]) for name, tensor in policy.state_dict().items())


@pytest.mark.usefixtures("any_size")
@pytest.mark.parametrize("is_large", [False, True])
def test_a_reader_s_slate_is_the_same_to_the_last_bit_whoever_else_is_served(is_large: bool) -> None:
    catalogue = catalogue_of(997)
    server = Recommender(
        PolicyScorer(restless(catalogue), catalogue, is_large=is_large),
        "policy-0001",
        Ranking(catalogue, [1, 2, 3], 3),
        slate_size=12,
        explore_share=0.1,
        cold_pool=20,
    )
    rng = np.random.default_rng(0)
    asked = [request(*(act(int(b)) for b in rng.integers(1, 998, size=1 + s % 50)), seed=s) for s in range(40)]

    together = server.draw(asked)

    assert [server.draw([one])[0] for one in asked] == together
    assert server.draw(asked[::-1])[::-1] == together
    assert [slate for start in range(0, 40, 3) for slate in server.draw(asked[start : start + 3])] == together


@pytest.mark.parametrize("kind", [Broken, NotFinite])
def test_readers_the_policy_fails_are_served_by_the_fallback_and_cold_ones_by_popularity(kind: type[Policy]) -> None:
    fallback = PolicyScorer(newborn(), catalogue_of())

    slates = recommender(of_class(kind), fallback=fallback).draw([request(act(10)), request(seed=2)])

    assert {place.source for place in slates[0].places} == {Source.FALLBACK}
    assert {place.source for place in slates[1].places} == {Source.POPULAR}


def test_a_fallback_that_fails_too_leaves_it_to_popularity() -> None:
    fallback = PolicyScorer(of_class(Broken), catalogue_of())

    slate = recommender(of_class(NotFinite), fallback=fallback).draw([request(act(10))])[0]

    assert {place.source for place in slate.places} == {Source.POPULAR}


def test_the_recommender_does_not_keep_the_texts() -> None:
    catalogue = catalogue_of()
    kept = weakref.ref(catalogue.texts)
    server = recommender(newborn(), catalogue)

    del catalogue

    assert kept() is None
    assert len(server.draw([request(act(10))])[0].places) == 12
