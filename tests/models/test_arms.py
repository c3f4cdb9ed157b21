"""Any model as an arm or as the fallback: its order, its bounds, what it does not know, and how it is loaded."""

from datetime import timedelta

import numpy as np
import psycopg
import pytest
import torch
from stored_library import store_works
from toy_world import COUNT_WORKS, GROUPS, START, act, catalogue_of, group_of

from models import registry
from models.arms import RankerScorer, reader_batch
from models.baselines.roster import ROSTER
from models.plackett_luce import BOUND, Excluded
from models.ranking_data import Ranker, RankingData, ReaderBatch
from models.recommender import DrawnSlate, SlateRequest
from models.serving import load_recommender
from models.states import Catalogue, state_batch
from openshelf.contracts import Action, Source
from openshelf.errors import ModelError, UsageError
from openshelf.settings import get_settings

NOTHING = Excluded(np.empty((1, 0), dtype=np.int64), COUNT_WORKS)


def acts_in_groups(count_works: int = COUNT_WORKS) -> RankingData:
    """60 readers who met 8 works each, all of one group."""
    rng = np.random.default_rng(0)
    rows = [np.sort(rng.choice(np.arange((r - 1) % GROUPS, count_works, GROUPS), 8, replace=False)) for r in range(60)]
    return RankingData(
        "groups",
        np.repeat(np.arange(60), 8),
        np.concatenate(rows).astype(np.int64),
        np.ones(480, dtype=np.float32),
        None,
        np.arange(1, count_works + 1),
        np.array([f"r_{r}" for r in range(60)]),
    )


def fitted(kind: str, data: RankingData) -> Ranker:
    return ROSTER[kind].fit(data, ROSTER[kind].config(), 1)


def masses_of(scorer: RankerScorer, catalogue: Catalogue, *book_ids: int) -> tuple[np.ndarray, bool]:
    batch = state_batch([[act(book_id) for book_id in book_ids]], [START], catalogue)
    masses, can_rank = scorer.masses(batch, NOTHING)
    return masses.values[0, : len(catalogue.book_ids)].numpy(), bool(can_rank[0])


def test_a_baseline_as_an_arm_keeps_its_own_order_within_the_bound() -> None:
    catalogue, ranker = catalogue_of(), fitted("ease", acts_in_groups())
    own = ranker.scores(
        ReaderBatch(np.array([-1]), np.array([[9, 15]]), np.full((1, 2), 2.0, np.float32), np.zeros((1, 2)))
    )[0]

    mass, can_rank = masses_of(RankerScorer(ranker, catalogue, sharpness=50.0), catalogue, 10, 16)

    assert can_rank
    best = np.argsort(-own, kind="stable")[:5]
    assert (np.diff(mass[best]) <= 0).all()
    assert mass[best].min() >= np.sort(mass)[-5]
    assert np.log(mass).max() <= BOUND * 1.0001
    assert np.log(mass).min() >= -BOUND * 1.0001


def test_a_sharper_arm_prefers_its_best_works_more() -> None:
    catalogue, ranker = catalogue_of(), fitted("ease", acts_in_groups())

    dull, sharp = (masses_of(RankerScorer(ranker, catalogue, s), catalogue, 10, 16)[0] for s in (0.5, 3.0))

    assert sharp.max() / sharp.sum() > 1.5 * dull.max() / dull.sum()


def test_works_that_came_after_the_training_share_the_lowest_score() -> None:
    catalogue = catalogue_of(COUNT_WORKS + 10)

    mass, _ = masses_of(RankerScorer(fitted("ease", acts_in_groups()), catalogue), catalogue, 10)

    assert mass[COUNT_WORKS:].tolist() == pytest.approx([mass[:COUNT_WORKS].min()] * 10)
    assert (mass > 0).all()


def test_of_a_reader_with_nothing_glad_on_works_it_knows_a_baseline_says_nothing() -> None:
    catalogue = catalogue_of(COUNT_WORKS + 10)
    scorer = RankerScorer(fitted("als", acts_in_groups()), catalogue)
    batch = state_batch([[], [act(65)], [act(5, Action.HIDE, -2.0)], [act(5)]], [START] * 4, catalogue)

    _, can_rank = scorer.masses(batch, Excluded(np.empty((4, 0), dtype=np.int64), 70))

    assert can_rank.tolist() == [False, False, False, True]


def test_the_ranker_sees_each_glad_act_once_where_it_was_last_in_order_of_time() -> None:
    catalogue = catalogue_of()
    acts = [
        act(7, Action.LIKE, 3.0, minutes_ago=3000),
        act(9, Action.OPEN, 1.0, minutes_ago=90),
        act(8, Action.SKIP, -1.0, minutes_ago=80),
        act(7, Action.OPEN, 1.0, minutes_ago=5),
    ]

    readers = reader_batch(state_batch([acts], [START], catalogue), np.append(np.arange(COUNT_WORKS), -1))

    assert readers.rows.tolist() == [[-1, -1, 8, 6]]
    assert readers.values.tolist() == [[0, 0, 1.0, 3.0]]
    assert readers.times is not None
    assert readers.times[0, 2] < readers.times[0, 3]


def served(conn: psycopg.Connection, version: str | None = None, count: int = 40) -> list[DrawnSlate]:
    requests = [SlateRequest.of(f"r_{s}", (act(10), act(16)), frozenset(), START, s) for s in range(count)]
    return load_recommender(conn, START + timedelta(days=1), version=version).draw(requests)


def registered(conn: psycopg.Connection, kind: str) -> str:
    version = registry.register(
        conn,
        kind,
        fitted(kind, acts_in_groups()).tensors(),
        config={},
        manifest={},
        metrics={},
        parent=None,
        now=START,
    )
    conn.commit()
    return version


@pytest.mark.parametrize("kind", ["ease", "als"])
def test_a_registered_baseline_serves_as_an_arm_with_probabilities(conn: psycopg.Connection, kind: str) -> None:
    store_works(conn)
    version = registered(conn, kind)

    slates = served(conn, version)

    places = [place for slate in slates for place in slate.places]
    assert {slate.policy_version for slate in slates} == {version}
    assert {place.source for place in places} <= {Source.POLICY, Source.RANDOM}
    assert all(0 < place.propensity <= 1 for place in places)
    # The readers' group is 4 of the 6; chance would show a sixth.
    firsts = [group_of(slate.places[0].book_id) for slate in slates]
    assert firsts.count(group_of(10)) / len(firsts) > 0.5


def test_the_fallback_set_serves_where_no_policy_does_and_a_broken_one_leaves_it_to_popularity(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_works(conn)
    monkeypatch.setenv("OPENSHELF_FALLBACK", "ease")
    get_settings.cache_clear()
    assert Source.FALLBACK not in sources(served(conn))  # there is no champion of that kind

    version = registered(conn, "ease")
    registry.promote(conn, version, "the only one", START)
    assert sources(served(conn)) <= {Source.FALLBACK, Source.RANDOM}

    conn.execute("update learning.models set sha256 = 'x' where version = %s", [version])
    assert Source.FALLBACK not in sources(served(conn))
    with pytest.raises(ModelError, match="was altered"):
        served(conn, version)


def test_a_version_that_is_not_registered_is_a_wrong_use(conn: psycopg.Connection) -> None:
    with pytest.raises(UsageError, match="there is no model 'ease-0099'"):
        load_recommender(conn, version="ease-0099")


def sources(slates: list[DrawnSlate]) -> set[Source]:
    return {place.source for slate in slates for place in slate.places}


def test_a_place_of_the_fallback_is_stored_as_one(conn: psycopg.Connection) -> None:
    check = conn.execute(
        "select pg_get_constraintdef(oid) from pg_constraint where conname = 'slates_sources_check'"
    ).fetchone()

    assert check
    assert all(f"'{source.value}'" in check[0] for source in Source)


class Unfinite:
    kind = "unfinite"

    def scores(self, batch: ReaderBatch) -> np.ndarray:
        return np.full((len(batch), COUNT_WORKS), np.nan, dtype=np.float32)

    def tensors(self) -> dict[str, torch.Tensor]:
        return {"book_ids": torch.arange(1, COUNT_WORKS + 1)}


def test_scores_that_are_no_numbers_show_in_the_sums() -> None:
    catalogue = catalogue_of()

    masses, _ = RankerScorer(Unfinite(), catalogue).masses(state_batch([[act(3)]], [START], catalogue), NOTHING)

    assert not torch.isfinite(masses.sums).any()
