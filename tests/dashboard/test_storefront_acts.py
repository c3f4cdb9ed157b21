"""Acts: the change that is kept and the event, together or not at all."""

from datetime import UTC, datetime

import psycopg
import pytest

from dashboard.acts import Deed, Reader, record
from openshelf.contracts import Action, Interaction, Surface, new_event_id, parse_interaction
from openshelf.database import accounts, opinions
from openshelf.database.accounts import Account

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def account(conn: psycopg.Connection) -> Account:
    return accounts.create_demo(conn, "lan", "Lan", role="reader", history_enabled=True)


def reader_of(account: Account | None) -> Reader:
    return Reader("r_abc", new_event_id(), account.account_id if account else None)


def logged(conn: psycopg.Connection) -> list[Interaction]:
    rows = conn.execute("select payload from stream.event_log order by appended_at, log_offset").fetchall()
    return [event for (payload,) in rows if isinstance(event := parse_interaction(payload, NOW), Interaction)]


@pytest.mark.parametrize(
    ("deed", "shelf"),
    [(Action.WANT, "want"), (Action.READ, "reading"), (Action.FINISH, "read")],
)
def test_a_signed_in_readers_shelves_follow_their_acts(
    deed: Action, shelf: str, conn: psycopg.Connection, account: Account, shelves: dict[str, int]
) -> None:
    dune = shelves["Dune"]

    record(conn, reader_of(account), [Deed(deed, Surface.FOR_YOU, dune)], NOW)

    assert accounts.shelves(conn, account.account_id) == {dune: shelf}
    assert [event.action for event in logged(conn)] == [deed]


def test_reading_a_finished_book_again_leaves_it_finished(
    conn: psycopg.Connection, account: Account, shelves: dict[str, int]
) -> None:
    dune = shelves["Dune"]

    for action in (Action.FINISH, Action.READ):
        record(conn, reader_of(account), [Deed(action, Surface.FOR_YOU, dune)], NOW)

    assert accounts.shelves(conn, account.account_id) == {dune: "read"}


def test_ratings_and_hidden_books_are_kept_and_undone(
    conn: psycopg.Connection, account: Account, shelves: dict[str, int]
) -> None:
    dune = shelves["Dune"]
    reader = reader_of(account)

    record(conn, reader, [Deed(Action.RATE, Surface.SEARCH, dune, 4.0), Deed(Action.HIDE, Surface.SEARCH, dune)], NOW)
    assert accounts.ratings(conn, account.account_id) == {dune: 4.0}
    assert accounts.hidden(conn, account.account_id) == [dune]

    record(conn, reader, [Deed(Action.UNHIDE, Surface.SEARCH, dune)], NOW)
    assert accounts.hidden(conn, account.account_id) == []


def test_someone_without_an_account_leaves_events_only(conn: psycopg.Connection, shelves: dict[str, int]) -> None:
    deeds = [Deed(action, Surface.NEW, shelves["Dune"]) for action in (Action.WANT, Action.HIDE, Action.FINISH)]

    record(conn, reader_of(None), deeds, NOW)

    assert len(logged(conn)) == 3
    assert conn.execute("select count(*) from reading.shelf_entries").fetchone() == (0,)
    assert conn.execute("select count(*) from reading.hidden_books").fetchone() == (0,)


def test_an_act_that_answers_a_slate_names_its_place(conn: psycopg.Connection, shelves: dict[str, int]) -> None:
    slate_id = new_event_id()
    answer = Deed(Action.LIKE, Surface.FOR_YOU, shelves["Dune"], slate_id=slate_id, position=3)
    elsewhere = Deed(Action.LIKE, Surface.POPULAR, shelves["Dune"], position=3)

    record(conn, reader_of(None), [answer, elsewhere], NOW)

    assert [(event.slate_id, event.position) for event in logged(conn)] == [(slate_id, 3), (None, None)]


def test_neither_event_nor_change_is_left_when_the_transaction_fails(
    conn: psycopg.Connection, account: Account, shelves: dict[str, int]
) -> None:
    conn.commit()

    deeds = [Deed(Action.WANT, Surface.NEW, shelves["Dune"]), Deed(Action.WANT, Surface.NEW, 999_999)]

    with pytest.raises(psycopg.errors.ForeignKeyViolation), conn.transaction():
        record(conn, reader_of(account), deeds, NOW)

    assert accounts.shelves(conn, account.account_id) == {}
    assert logged(conn) == []


def test_the_last_word_on_a_book_counts_and_a_reset_forgets_it(conn: psycopg.Connection) -> None:
    def say(action: str, book_id: int | None, minute: int) -> None:
        conn.execute(
            """insert into stream.interactions (event_id, version, occurred_at, reader_key, session_id, action, book_id,
                   surface, reward, rewards_version, received_at)
               values (%s, 1, %s, 'r_abc', %s, %s, %s, 'for_you', 0, '1', now())""",
            [new_event_id(), NOW.replace(minute=minute), new_event_id(), action, book_id],
        )

    say("like", 1, 1)
    say("dislike", 1, 2)
    say("like", 2, 3)
    assert opinions.opinions(conn, "r_abc") == {1: "dislike", 2: "like"}
    assert opinions.opinions(conn, "r_other") == {}

    say("reset", None, 4)
    say("like", 3, 5)
    assert opinions.opinions(conn, "r_abc") == {3: "like"}
