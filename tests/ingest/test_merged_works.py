"""What readers did with a work that another one took in counts for that one, wherever it is read; and back again."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from uuid import UUID, uuid4

import numpy as np
import psycopg
import pytest
from test_decisions import book_of, edition, source  # noqa: F401 - a fixture

from ingest.load import Report
from models.catalogue import load_popularity, load_ranking
from models.episodes import build
from models.states import MAX_ACTS, Act, pack_acts, pack_works, stack_states
from openshelf.contracts import Action, new_event_id, slate_id_of, utc_now
from openshelf.database import (
    accounts,
    catalogue,
    episodes,
    learning,
    opinions,
    own_history,
    ranking,
    shelves,
    stream,
    taste,
    works,
)  # fmt: skip
from openshelf.database.audit import OPERATOR
from openshelf.works_deciding import merge, undo

READERS = [f"r_{number}" for number in range(6)]
NOW = utc_now()


@pytest.fixture
def books(conn: psycopg.Connection, source: Callable[..., Report]) -> tuple[int, int, int]:  # noqa: F811
    """Two works that are one, and another."""
    source(edition(1, "Northern Lights"), edition(2, "The Golden Compass"), edition(3, "Emma"))
    return book_of(conn, 1), book_of(conn, 2), book_of(conn, 3)


def act(
    conn: psycopg.Connection,
    reader: str,
    action: str,
    book: int,
    reward: float,
    ago_h: float = 1,
    slate: UUID | None = None,
) -> UUID:
    """An act as the dataflow stores it."""
    event = new_event_id()
    at = NOW - timedelta(hours=ago_h)
    conn.execute(
        """insert into stream.interactions (event_id, version, occurred_at, reader_key, session_id, action, book_id,
               slate_id, position, surface, reward, rewards_version, received_at)
           values (%s, 1, %s, %s, %s, %s, %s, %s, %s, 'for_you', %s, 't', %s)""",
        [event, at, reader, uuid4(), action, book, slate, 0 if slate else None, reward, at],
    )
    return event


def merged(conn: psycopg.Connection, stays: int, goes: int) -> int:
    """The decision's number."""
    merge(conn, OPERATOR, stays, [goes])
    return works.decisions(conn, stays)[0].decision_id


def test_a_readers_own_words_count_for_the_work_that_stays_and_go_back(
    conn: psycopg.Connection, books: tuple[int, int, int]
) -> None:
    stays, goes, _ = books
    act(conn, "r_0", "like", goes, 2, 3)
    act(conn, "r_0", "finish", goes, 3, 2)
    act(conn, "r_0", "hide", stays, -2, 1)
    before = everything_of(conn, "r_0")
    assert before == (
        {goes: "like"}, {goes: "read"}, {goes: 5.0, stays: -2.0}, {stays}, {goes: ["like", "finish"], stays: ["hide"]}
    )  # fmt: skip

    decision = merged(conn, stays, goes)

    assert everything_of(conn, "r_0") == (
        {stays: "like"}, {stays: "read"}, {stays: 3.0}, {stays}, {stays: ["like", "finish", "hide"]}
    )  # fmt: skip
    undo(conn, OPERATOR, decision)
    assert everything_of(conn, "r_0") == before


def everything_of(conn: psycopg.Connection, reader: str) -> tuple[object, ...]:
    entries = own_history.entries(conn, reader, NOW.date())
    days: dict[int, list[str]] = {}
    for entry in reversed(entries):
        days.setdefault(entry.book_id, []).extend(entry.actions)
    return (
        opinions.opinions(conn, reader), opinions.begun(conn, reader), taste.rewards(conn, reader),
        taste.hidden(conn, reader), days,
    )  # fmt: skip


def test_a_reader_who_removes_a_day_removes_it_under_either_number(
    conn: psycopg.Connection, books: tuple[int, int, int]
) -> None:
    stays, goes, other = books
    act(conn, "r_0", "open", goes, 1, 0)
    act(conn, "r_0", "open", other, 1, 0)
    merged(conn, stays, goes)

    assert own_history.remove(conn, "r_0", NOW.date(), stays) == 1
    assert conn.execute("select book_id from stream.interactions").fetchall() == [(other,)]


def test_popularity_and_what_is_read_beside_follow_the_work(
    conn: psycopg.Connection, books: tuple[int, int, int]
) -> None:
    stays, goes, other = books
    for number, reader in enumerate(READERS):
        act(conn, reader, "like", (stays, goes)[number % 2], 2)
        act(conn, reader, "like", other, 1.9)

    assert catalogue.read_beside(conn, other, 5) == []  # three readers in common with either are too few to say
    decision = merged(conn, stays, goes)

    warmth = {work.book_id: work.warmth for work in learning.ranked_works(conn)}
    assert warmth[stays] == 12
    assert load_popularity(conn).popular[0] == stays
    assert [card.book_id for card in catalogue.popular(conn, 2)] == [stays, other]
    assert [card.book_id for card in catalogue.read_beside(conn, other, 5)] == [stays]
    assert [card.book_id for card in catalogue.read_beside(conn, stays, 5)] == [other]
    undo(conn, OPERATOR, decision)
    assert {work.book_id: work.warmth for work in learning.ranked_works(conn)}[stays] == 6


def test_what_models_learn_from_follows_the_work(conn: psycopg.Connection, books: tuple[int, int, int]) -> None:
    stays, goes, other = books
    slate = drawn(conn, "r_0", [goes, other])
    act(conn, "r_0", "open", goes, 1, 2, slate)
    act(conn, "r_0", "like", goes, 2, 1, slate)
    decision = merged(conn, stays, goes)

    assert [(glad.book_id, glad.reward) for glad in ranking.glad_acts(conn)] == [(stays, 1.0)]
    whole = load_ranking(conn).catalogue
    logged = episodes.acts(conn, NOW - timedelta(days=1), NOW + timedelta(days=1))
    slates = episodes.seen_slates(conn, None, utc_now() + timedelta(days=1))
    learned = build(slates, logged, whole, 0.9)
    row = whole.row_of[stays]
    assert learned.histories.rows.tolist() == [row, row]
    assert learned.slates.rows[0].tolist() == [row, whole.row_of[other]]

    undo(conn, OPERATOR, decision)
    assert [glad.book_id for glad in ranking.glad_acts(conn)] == [goes]
    assert load_ranking(conn).catalogue.taken_in is None


def test_a_work_that_was_met_under_its_old_number_is_met(conn: psycopg.Connection, books: tuple[int, int, int]) -> None:
    stays, goes, _ = books
    merged(conn, stays, goes)
    whole = load_ranking(conn).catalogue
    acts = [Act(goes, Action.OPEN, 1.0, NOW)]

    batch = stack_states([pack_acts(acts)], [NOW.timestamp()], [pack_works([goes])], whole, MAX_ACTS)

    assert batch.met.tolist() == [[whole.row_of[stays]]]
    assert batch.rows[0, -1] == whole.row_of[stays]


def drawn(conn: psycopg.Connection, reader: str, book_ids: Sequence[int]) -> UUID:
    """A slate as the dataflow stores it."""
    event, many = new_event_id(), len(book_ids)
    conn.execute(
        """insert into stream.slates (slate_id, event_id, reader_key, session_id, created_at, policy_version, arm,
               surface, event_received_at, book_ids, propensities, sources, reasons, reason_book_ids)
           values (%s, %s, %s, %s, %s, 'p', 'champion', 'for_you', %s, %s, %s, %s, %s, %s)""",
        [
            slate_id_of(event), event, reader, uuid4(), NOW - timedelta(hours=3), NOW, list(book_ids), [0.5] * many,
            ["policy"] * many, ["because_like"] * many, [book_ids[0]] * many,
        ],
    )  # fmt: skip
    return slate_id_of(event)


def test_a_slate_of_before_shows_the_work_that_stays(conn: psycopg.Connection, books: tuple[int, int, int]) -> None:
    stays, goes, other = books
    drawn(conn, "r_0", [goes, other])
    merged(conn, stays, goes)

    slate = stream.latest_slate(conn, "r_0")

    assert slate is not None
    assert [(place.book_id, place.reason_book_id) for place in slate.places] == [(stays, stays), (other, stays)]


def test_an_old_tab_still_reaches_shelves_ratings_and_lists(
    conn: psycopg.Connection, books: tuple[int, int, int]
) -> None:
    stays, goes, _ = books
    account = accounts.create_demo(conn, "ann", "Ann", role="reader", history_enabled=False).account_id
    own = shelves.make(conn, account, "North")
    merged(conn, stays, goes)

    accounts.put_on_shelf(conn, account, goes, "want")
    accounts.rate(conn, account, goes, 4)
    accounts.hide(conn, account, goes)
    shelves.put(conn, account, own, [goes, stays])

    assert accounts.shelves(conn, account) == {stays: "want"}
    assert accounts.ratings(conn, account) == {stays: 4.0}
    assert accounts.hidden(conn, account) == [stays]
    assert shelves.lists_with(conn, account, stays) == {own}
    accounts.take_off_shelf(conn, account, goes)
    accounts.unhide(conn, account, goes)
    assert shelves.take_out(conn, account, own, goes)
    assert accounts.shelves(conn, account) == {}
    assert accounts.hidden(conn, account) == []
    assert [card.book_id for card in catalogue.cards(conn, [goes, stays])] == [stays]


def test_months_count_what_is_one_work_once(conn: psycopg.Connection, books: tuple[int, int, int]) -> None:
    stays, goes, _ = books
    act(conn, "r_0", "open", goes, 1, 0)
    act(conn, "r_0", "open", stays, 1, 0)
    assert [month.count_entries for month in own_history.months(conn, "r_0")] == [2]

    merged(conn, stays, goes)

    assert [month.count_entries for month in own_history.months(conn, "r_0")] == [1]
    assert own_history.entries(conn, "r_0", date(NOW.year, NOW.month, 1))[0].book_id == stays


def test_ids_of_many_merged_works_stay_in_order(conn: psycopg.Connection, books: tuple[int, int, int]) -> None:
    stays, goes, other = books
    merged(conn, other, goes)
    merged(conn, stays, other)

    taken_in = load_ranking(conn).catalogue.taken_in

    assert taken_in is not None
    assert np.array_equal(taken_in, sorted([[goes, stays], [other, stays]]))
