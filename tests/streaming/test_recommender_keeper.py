import psycopg
import pytest
from stream_acts import SmallRecommender, only

from models.experiments import Serving
from openshelf.database.learning import ServingStamp
from openshelf.database.workers import Served
from streaming.recommenders import RecommenderKeeper


class Shop:
    """What is on offer: a stamp and what loading gives."""

    def __init__(self) -> None:
        self.stamp = ServingStamp("policy-1", 1)
        self.fault: Exception | None = None
        self.count_loads = 0

    def load(self, _conn: psycopg.Connection) -> Serving:
        self.count_loads += 1
        if self.fault:
            raise self.fault
        loaded = SmallRecommender()
        loaded.version = str(self.stamp.champion)
        return only(loaded)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def keeper(shop: Shop) -> RecommenderKeeper:
    return RecommenderKeeper(stamp=lambda _: shop.stamp, load=shop.load)  # pyright: ignore[reportArgumentType]


def serving(keeper: RecommenderKeeper) -> str | None:
    current = keeper.current()
    return current.version if current else None


def test_a_new_champion_or_catalogue_is_loaded_and_nothing_else_is(
    keeper: RecommenderKeeper, shop: Shop, conn: psycopg.Connection
) -> None:
    keeper.refresh(conn)
    keeper.refresh(conn)
    assert (serving(keeper), shop.count_loads) == ("policy-1", 1)

    shop.stamp = ServingStamp("policy-2", 1)
    assert keeper.refresh(conn)
    assert serving(keeper) == "policy-2"

    shop.stamp = ServingStamp("policy-2", 2)
    assert keeper.refresh(conn)
    assert shop.count_loads == 3


def test_one_that_does_not_load_is_refused_aloud_and_the_old_one_stays(
    keeper: RecommenderKeeper,
    shop: Shop,
    conn: psycopg.Connection,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    keeper.refresh(conn)
    shop.stamp, shop.fault = ServingStamp("policy-2", 1), ValueError("truncated")

    assert not keeper.refresh(conn)
    assert not keeper.refresh(conn)

    assert serving(keeper) == "policy-1"
    assert shop.count_loads == 2
    written = capsys.readouterr()
    # Another test may have set up the log before.
    assert "recommender_refused" in written.out + written.err + caplog.text


def test_a_lost_connection_while_loading_is_no_refusal(
    keeper: RecommenderKeeper, shop: Shop, conn: psycopg.Connection
) -> None:
    shop.fault = psycopg.OperationalError("gone")
    with pytest.raises(psycopg.OperationalError):
        keeper.refresh(conn)

    shop.fault = None

    assert keeper.refresh(conn)


def test_it_says_what_serves_and_what_is_refused_until_that_is_over(
    keeper: RecommenderKeeper, shop: Shop, conn: psycopg.Connection
) -> None:
    assert keeper.served() == Served()
    keeper.refresh(conn)
    first = keeper.served()
    assert (first.serves, first.catalogue_version, first.refusal) == ("policy-1", 1, None)

    shop.stamp, shop.fault = ServingStamp("policy-2", 1), ValueError("truncated\nat byte 7")
    keeper.refresh(conn)
    refused = keeper.served()
    assert (refused.serves, refused.serves_since) == (first.serves, first.serves_since)
    assert refused.refusal == "policy-2: truncated"
    assert refused.refused_at

    shop.stamp, shop.fault = ServingStamp("policy-1", 2), None
    keeper.refresh(conn)
    after = keeper.served()
    assert (after.serves_since, after.catalogue_version) == (first.serves_since, 2)
    assert (after.refusal, after.refused_at) == (None, None)


def test_a_champion_that_does_not_load_at_the_start_is_shown_while_what_is_popular_serves(
    shop: Shop, conn: psycopg.Connection
) -> None:
    popular = SmallRecommender()
    popular.version = "popular"
    keeper = RecommenderKeeper(
        stamp=lambda _: shop.stamp,
        load=lambda _: Serving(popular, refused={"policy-1": "it was altered"}),  # pyright: ignore[reportArgumentType]
    )

    assert keeper.refresh(conn)

    assert (keeper.served().serves, keeper.served().refusal) == ("popular", "policy-1: it was altered")
