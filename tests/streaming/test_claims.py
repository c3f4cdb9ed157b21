"""Who may take which partitions."""

import psycopg
import pytest
from running_stream import wait_for

from openshelf import topics
from openshelf.database import consumers
from openshelf.database.consumers import Holder
from openshelf.topics import Share


@pytest.fixture
def others(database: str):
    """Connections of other hosts."""
    connections = [psycopg.connect(database, autocommit=True) for _ in range(2)]
    for number, each in enumerate(connections):
        consumers.call_itself(each, f"host {number}")
    yield connections
    for each in connections:
        each.close()


def test_shares_deal_out_every_partition_once() -> None:
    for count in (1, 2, 3, 5, 12):
        dealt = [p for number in range(1, count + 1) for p in Share(number, count).of(range(topics.PARTITIONS))]

        assert sorted(dealt) == list(range(topics.PARTITIONS))


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/0", "-1/2", "1/2/3", "a/b", "1/99999"])
def test_a_share_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="I/N"):
        Share.parse(text)


def test_shares_that_do_not_overlap_are_held_at_once(others: list[psycopg.Connection]) -> None:
    first, second = others

    assert consumers.hold(first, "sessions", [0, 2]) is None
    assert consumers.hold(second, "sessions", [1, 3]) is None
    assert consumers.holders(first, "sessions") == [Holder("host 0", [0, 2]), Holder("host 1", [1, 3])]


def test_a_share_that_overlaps_is_refused_whole_and_told_by_whom(others: list[psycopg.Connection]) -> None:
    first, second = others
    consumers.hold(first, "sessions", [3, 5])

    assert consumers.hold(second, "sessions", [1, 2, 3]) == Holder("host 0", [3, 5])
    assert consumers.holders(first, "sessions") == [Holder("host 0", [3, 5])]


def test_another_kind_of_consumer_may_have_the_same_partitions(others: list[psycopg.Connection]) -> None:
    first, second = others

    assert consumers.hold(first, "sessions", [0]) is None
    assert consumers.hold(second, "relay", [0]) is None
    assert consumers.holders(first, "relay") == [Holder("host 1", [0])]


def test_a_claim_ends_with_its_connection(others: list[psycopg.Connection]) -> None:
    first, second = others
    consumers.hold(first, "sessions", [0])

    first.close()

    wait_for(lambda: consumers.hold(second, "sessions", [0]) is None, "the server to notice")
    assert consumers.holders(second, "sessions") == [Holder("host 1", [0])]
