"""Lists, rules and places on a real Postgres: each reader touches their own only."""

import threading
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from small_catalogue import WORKS, add_work

from openshelf.database import accounts, pool, shelves
from openshelf.database.shelves import ListError, NameTakenError, Rule, TooManyError


@pytest.fixture
def books(conn: psycopg.Connection) -> dict[str, int]:
    ids = {work.title: add_work(conn, work) for work in WORKS}
    conn.commit()
    return ids


@pytest.fixture
def lan(conn: psycopg.Connection) -> int:
    return accounts.create_demo(conn, "lan", "Lan", role="reader", history_enabled=True).account_id


@pytest.fixture
def stranger(conn: psycopg.Connection) -> int:
    return accounts.create_demo(conn, "minh", "Minh", role="reader", history_enabled=True).account_id


def test_a_list_is_made_filled_renamed_and_emptied(conn: psycopg.Connection, books: dict[str, int], lan: int) -> None:
    list_id = shelves.make(conn, lan, "  Rainy \n days\x00 ")
    shelves.put(conn, lan, list_id, [books["Dune"]])
    shelves.put(conn, lan, list_id, [books["Charlotte's Web"], books["Dune"]])

    (own,) = shelves.lists(conn, lan)
    assert (own.name, own.count_books, own.rule) == ("Rainy days", 2, None)
    assert set(shelves.books_of(conn, lan, own)) == {books["Dune"], books["Charlotte's Web"]}
    assert shelves.lists_with(conn, lan, books["Dune"]) == {list_id}

    assert shelves.rename(conn, lan, list_id, "Sunny days")
    assert shelves.take_out(conn, lan, list_id, books["Dune"])
    assert not shelves.take_out(conn, lan, list_id, books["Dune"])
    own = shelves.find(conn, lan, list_id)
    assert own
    assert (own.name, own.count_books) == ("Sunny days", 1)


def test_two_lists_of_a_reader_never_share_a_name(conn: psycopg.Connection, lan: int, stranger: int) -> None:
    shelves.make(conn, lan, "Favourites")
    other = shelves.make(conn, lan, "Others")
    shelves.make(conn, stranger, "favourites")

    with pytest.raises(NameTakenError):
        shelves.make(conn, lan, "FAVOURITES")
    with pytest.raises(NameTakenError):
        shelves.rename(conn, lan, other, "favourites")
    with pytest.raises(ListError):
        shelves.make(conn, lan, " \n ")
    assert [own.name for own in shelves.lists(conn, lan)] == ["Favourites", "Others"]


def test_a_removed_list_comes_back_for_a_day(conn: psycopg.Connection, books: dict[str, int], lan: int) -> None:
    list_id = shelves.make(conn, lan, "Rainy days")
    shelves.put(conn, lan, list_id, [books["Dune"]])

    assert shelves.remove(conn, lan, list_id)
    assert shelves.lists(conn, lan) == []
    assert shelves.put(conn, lan, list_id, [books["Dune Messiah"]]) == 0
    assert shelves.bring_back(conn, lan, list_id)
    assert [own.count_books for own in shelves.lists(conn, lan)] == [1]

    shelves.remove(conn, lan, list_id)
    conn.execute("update reading.lists set removed_at = now() - interval '25 hours'")
    assert not shelves.bring_back(conn, lan, list_id)


def test_a_list_does_not_come_back_over_another_of_its_name(conn: psycopg.Connection, lan: int) -> None:
    list_id = shelves.make(conn, lan, "Rainy days")
    shelves.remove(conn, lan, list_id)
    shelves.make(conn, lan, "rainy days")

    with pytest.raises(NameTakenError):
        shelves.bring_back(conn, lan, list_id)
    assert len(shelves.lists(conn, lan)) == 1


def test_a_list_of_someone_else_is_not_there(
    conn: psycopg.Connection, books: dict[str, int], lan: int, stranger: int
) -> None:
    list_id = shelves.make(conn, lan, "Private")
    shelves.put(conn, lan, list_id, [books["Dune"]])
    own = shelves.find(conn, lan, list_id)
    assert own

    assert shelves.find(conn, stranger, list_id) is None
    assert shelves.put(conn, stranger, list_id, [books["Dune Messiah"]]) == 0
    assert not shelves.take_out(conn, stranger, list_id, books["Dune"])
    assert not shelves.rename(conn, stranger, list_id, "Mine now")
    assert not shelves.remove(conn, stranger, list_id)
    assert shelves.books_of(conn, stranger, own) == []
    assert shelves.books_of(conn, lan, own) == [books["Dune"]]


def test_lists_and_books_on_them_are_bounded(
    conn: psycopg.Connection, books: dict[str, int], lan: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelves, "MAX_LISTS", 1)
    monkeypatch.setattr(shelves, "MAX_ENTRIES", 2)
    list_id = shelves.make(conn, lan, "One")

    with pytest.raises(TooManyError):
        shelves.make(conn, lan, "Two")
    with pytest.raises(TooManyError), conn.transaction():
        shelves.put(conn, lan, list_id, list(books.values())[:3])
    assert shelves.lists(conn, lan)[0].count_books == 0


def test_two_tabs_cannot_make_more_lists_than_there_may_be(
    conn: psycopg.Connection, lan: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelves, "MAX_LISTS", 3)
    conn.commit()

    def make(name: str) -> None:
        with pool.connect() as own, own.transaction():
            try:
                shelves.make(own, lan, name)
            except TooManyError:
                return

    tabs = [threading.Thread(target=make, args=[f"list {n}"]) for n in range(8)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()

    assert len(shelves.lists(conn, lan)) == 3


def test_a_rule_fills_its_shelf_as_catalogue_and_reader_change(
    conn: psycopg.Connection, books: dict[str, int], lan: int
) -> None:
    kieu = books["Truyện Kiều"]
    conn.execute("update library.works set year = 2003 where book_id = %s", [kieu])
    list_id = shelves.make(conn, lan, "To read in Vietnamese", Rule(language="vie", year_from=2000, reading="unread"))
    own = shelves.find(conn, lan, list_id)
    assert own
    assert shelves.books_of(conn, lan, own) == [kieu]

    accounts.put_on_shelf(conn, lan, kieu, "read")
    assert shelves.books_of(conn, lan, own) == []
    assert shelves.filled(conn, lan, Rule(language="vie", reading="read")) == [kieu]
    assert shelves.put(conn, lan, list_id, [books["Dune"]]) == 0  # filled by its rule alone

    shelves.change_rule(conn, lan, list_id, Rule(language="vie", year_to=1900))
    own = shelves.find(conn, lan, list_id)
    assert own
    assert kieu not in shelves.books_of(conn, lan, own)


def test_what_is_hidden_withdrawn_or_beyond_a_limit_is_on_no_shelf(
    conn: psycopg.Connection, books: dict[str, int], lan: int
) -> None:
    list_id = shelves.make(conn, lan, "All")
    shelves.put(conn, lan, list_id, list(books.values()))
    own = shelves.find(conn, lan, list_id)
    assert own
    conn.execute("update library.works set active = false where book_id = %s", [books["Dune Messiah"]])
    conn.execute("update library.works set audience = 'children' where book_id = %s", [books["Charlotte's Web"]])
    conn.execute("update library.works set audience = 'adult' where book_id = %s", [books["Dune"]])
    accounts.hide(conn, lan, books["Salt, Fat, Acid, Heat"])

    everything = shelves.books_of(conn, lan, own)
    limited = shelves.books_of(conn, lan, own, ["children"])
    ruled = shelves.filled(conn, lan, Rule(language="eng"), ["children"])

    assert books["Dune Messiah"] not in everything
    assert books["Charlotte's Web"] in limited
    assert books["Dune"] not in [*limited, *ruled]
    assert books["Salt, Fat, Acid, Heat"] not in shelves.filled(conn, lan, Rule())


def test_a_place_is_kept_per_reader_and_book(
    conn: psycopg.Connection, books: dict[str, int], lan: int, stranger: int
) -> None:
    dune, web = books["Dune"], books["Charlotte's Web"]
    shelves.keep_place(conn, lan, dune, part=1, block=0, progress=0.1)
    conn.execute("update reading.places set updated_at = %s", [datetime.now(UTC) - timedelta(hours=1)])
    shelves.keep_place(conn, lan, web, part=1, block=4, progress=0.25)
    assert [place.book_id for place in shelves.places(conn, lan)] == [web, dune]

    shelves.keep_place(conn, lan, dune, part=3, block=7, progress=0.5)
    place = shelves.place_of(conn, lan, dune)
    assert place
    assert (place.part, place.block, place.progress) == (3, 7, 0.5)
    assert shelves.place_of(conn, stranger, dune) is None


def test_all_of_it_goes_with_the_account(conn: psycopg.Connection, books: dict[str, int], lan: int) -> None:
    shelves.put(conn, lan, shelves.make(conn, lan, "Rainy days"), [books["Dune"]])
    shelves.keep_place(conn, lan, books["Dune"], part=1, block=1, progress=0.1)

    conn.execute("delete from reading.accounts where account_id = %s", [lan])

    for table in ("lists", "list_entries", "places"):
        assert conn.execute(f"select count(*) from reading.{table}").fetchone() == (0,)
