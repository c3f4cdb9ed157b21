"""Works keep their numbers whatever comes and goes; what staff decide stays."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from ingest.clean import Edition
from ingest.load import Plan, Report, apply
from openshelf import works_deciding
from openshelf.database import accounts, audit, catalogue, ingestion, works, works_desk
from openshelf.database.audit import OPERATOR
from openshelf.database.ingestion import StoredEdition
from openshelf.errors import NotAllowedError, UsageError
from openshelf.works_composing import Author
from openshelf.works_deciding import explain, keep_apart, look_again, merge, put_alias, remove_alias, split, undo

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def edition(number: int, title: str, author: str = "Ann Lee", language: str = "eng", **more: Any) -> Edition:
    return Edition(
        calibre_id=number,
        calibre_uuid=None,
        title=title,
        title_sort=title,
        authors=(Author(author, author),) if author else (),
        languages=(language,) if language else (),
        published_on=None,
        publisher=None,
        series_name=None,
        series_index=None,
        rating=None,
        summary=None,
        subjects=(),
        folder=f"a/{number}",
        cover_path=None,
        files=(),
        identifiers=(),
        added_at=MOMENT,
        modified_at=MOMENT,
        **more,
    )


Source = Callable[..., Report]


@pytest.fixture
def source(conn: psycopg.Connection) -> Source:
    """Brings one library to hold just these editions."""
    library_id = ingestion.put_library(conn, "test", "/test")

    def bring(*editions: Edition) -> Report:
        stored = ingestion.stored_editions(conn, library_id)
        here = {e.calibre_id for e in editions}
        changed = [e for e in editions if not _is_same(stored.get(e.calibre_id), e)]
        removed = [old for number, old in stored.items() if old.active and number not in here]
        report = apply(conn, library_id, Plan(changed, {}, removed, stored, []))
        conn.commit()
        return report

    return bring


def _is_same(old: StoredEdition | None, new: Edition) -> bool:
    return old is not None and old.active and old.content_hash == new.content_hash


def book_of(conn: psycopg.Connection, number: int) -> int:
    row = conn.execute("select book_id from library.editions where calibre_id = %s", [number]).fetchone()
    assert row
    return row[0]


def reader(conn: psycopg.Connection) -> int:
    return accounts.create_demo(conn, "ann", "Ann", role="reader", history_enabled=False).account_id


def ids(conn: psycopg.Connection, *numbers: int) -> list[int]:
    rows = conn.execute(
        "select edition_id from library.editions where calibre_id = any(%s)", [list(numbers)]
    ).fetchall()
    return [edition_id for (edition_id,) in rows]


def test_an_edition_joins_its_work_and_says_why(conn: psycopg.Connection, source: Source) -> None:
    source(edition(1, "War and Peace"), edition(2, "War and Peace (Penguin Classics)"), edition(3, "Emma"))

    source(edition(1, "War and Peace"), edition(2, "War and Peace (Penguin Classics)"), edition(4, "War and Peice"))

    assert book_of(conn, 1) == book_of(conn, 2) == book_of(conn, 4) != book_of(conn, 3)
    told = {placed.title: placed.work_reason for placed in explain(conn, OPERATOR, book_of(conn, 1)).editions}
    assert told["War and Peice"].startswith("a slip of the pen: “War and Peace")
    assert told["War and Peace (Penguin Classics)"].startswith("same title but for notes: “War and Peace”")


def test_a_work_keeps_its_number_when_its_first_edition_goes_and_returns(
    conn: psycopg.Connection, source: Source
) -> None:
    first, second = edition(1, "Emma"), edition(2, "Emma (Large Print)")
    source(first, second)
    book = book_of(conn, 1)

    source(second)
    source()
    source(edition(9, "Emma"))

    assert book_of(conn, 9) == book
    source(first, second, edition(9, "Emma"))
    assert {book_of(conn, number) for number in (1, 2, 9)} == {book}


def test_a_renamed_sole_edition_keeps_its_number_and_one_of_two_gets_another(
    conn: psycopg.Connection, source: Source
) -> None:
    source(edition(1, "Emma"), edition(2, "Persuasion"), edition(3, "Persuasion (Large Print)"))
    emma, persuasion = book_of(conn, 1), book_of(conn, 2)

    source(edition(1, "Sanditon"), edition(2, "Persuasion"), edition(3, "Lady Susan"))

    assert book_of(conn, 1) == emma
    assert book_of(conn, 2) == persuasion
    assert book_of(conn, 3) not in {emma, persuasion}


def test_renaming_into_another_work_takes_the_readers_along(conn: psycopg.Connection, source: Source) -> None:
    source(edition(1, "Emma"), edition(2, "Emmma at Home"))
    old, new = book_of(conn, 2), book_of(conn, 1)
    account = reader(conn)
    conn.execute("insert into reading.ratings (account_id, book_id, stars) values (%s, %s, 4)", [account, old])

    source(edition(1, "Emma"), edition(2, "Emma (Large Print)"))

    assert book_of(conn, 2) == new
    assert works.survivor(conn, old) == new
    assert conn.execute("select book_id, stars from reading.ratings").fetchall() == [(new, 4.0)]
    found = catalogue.work(conn, old)  # an old address still leads to the book
    assert found is not None
    assert found.book_id == new


def test_a_work_that_was_taken_in_stands_again_when_its_edition_is_another_one(
    conn: psycopg.Connection, source: Source
) -> None:
    source(edition(1, "Emma"), edition(2, "Lady Susan"))
    old = book_of(conn, 2)
    source(edition(1, "Emma"), edition(2, "Emma"))

    source(edition(1, "Emma"), edition(2, "Sanditon"))

    assert book_of(conn, 2) != book_of(conn, 1)
    assert book_of(conn, 2) != old  # a number is never given again
    assert works.survivor(conn, old) == book_of(conn, 1)


def test_works_from_before_there_were_keys_keep_their_numbers_and_are_found(
    conn: psycopg.Connection, source: Source
) -> None:
    books = [edition(1, "Emma"), edition(2, "Persuasion")]
    source(*books)
    before = book_of(conn, 1), book_of(conn, 2)
    conn.execute("update library.editions set work_key = null, content_hash = 'of before'")
    conn.execute("truncate library.work_keys")

    source(books[0], edition(2, "Persuasion"), edition(3, "Emma (Large Print)"))

    assert (book_of(conn, 1), book_of(conn, 2)) == before
    assert book_of(conn, 3) == before[0]


def test_what_staff_merge_stays_one_through_edits_and_new_editions(conn: psycopg.Connection, source: Source) -> None:
    books = [edition(1, "Northern Lights"), edition(2, "The Golden Compass")]
    source(*books)
    stays, goes = book_of(conn, 1), book_of(conn, 2)
    account = reader(conn)
    for book, stars in ((stays, 5), (goes, 2)):
        conn.execute(
            "insert into reading.ratings (account_id, book_id, stars) values (%s, %s, %s)", [account, book, stars]
        )

    merge(conn, OPERATOR, stays, [goes], "two names of one book")
    source(
        replace(books[0], publisher="Scholastic"),
        replace(books[1], publisher="Knopf"),
        edition(3, "Golden Compass, The"),
    )

    assert {book_of(conn, number) for number in (1, 2, 3)} == {stays}
    assert conn.execute("select book_id, stars from reading.ratings").fetchall() == [(stays, 5.0)]
    found = explain(conn, OPERATOR, goes)
    assert (found.book_id, found.taken_in) == (stays, [goes])
    assert [(made.decision, made.note) for made in found.decisions] == [("merge", "two names of one book")]


def test_what_staff_split_stays_apart_through_edits_and_gets_its_old_number_back(
    conn: psycopg.Connection, source: Source
) -> None:
    books = [edition(1, "Poems"), edition(2, "Poems")]
    source(*books)
    first = book_of(conn, 1)

    other = split(conn, OPERATOR, first, ids(conn, 2), "another poet of that name")
    source(replace(books[0], publisher="A"), replace(books[1], publisher="B"))

    assert (book_of(conn, 1), book_of(conn, 2)) == (first, other)
    assert conn.execute("select count(*) from library.works where active").fetchone() == (2,)

    merge(conn, OPERATOR, first, [other])
    assert book_of(conn, 2) == first
    assert split(conn, OPERATOR, first, ids(conn, 2)) == other


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda conn, book: merge(conn, OPERATOR, book, [book]), "name the work that stays"),
        (lambda conn, book: merge(conn, OPERATOR, book, [999]), "has no editions"),
        (lambda conn, book: split(conn, OPERATOR, book, [999]), "has the editions"),
        (lambda conn, book: split(conn, OPERATOR, book, ids(conn, 1)), "nothing to split off"),
        (lambda conn, book: merge(conn, OPERATOR, book, [2], "x" * 201), "200 characters"),
        (lambda conn, book: put_alias(conn, OPERATOR, "Ann Lee", "Lee, Ann"), "same name already"),
        (lambda conn, book: put_alias(conn, OPERATOR, "various", "Ann Lee"), "name a person twice"),
        (lambda conn, book: remove_alias(conn, OPERATOR, "Nobody Known"), "is no alias"),
        (lambda conn, book: explain(conn, OPERATOR, 999), "there is no work 999"),
    ],
)
def test_decisions_that_cannot_be_carried_out_are_refused_and_change_nothing(
    conn: psycopg.Connection, source: Source, wrong: Callable[[psycopg.Connection, int], object], message: str
) -> None:
    source(edition(1, "Emma"))
    before = conn.execute("select * from library.editions").fetchall()

    with pytest.raises(UsageError, match=message):
        wrong(conn, book_of(conn, 1))

    assert conn.execute("select * from library.editions").fetchall() == before
    assert conn.execute("select count(*) from library.work_decisions").fetchone() == (0,)


def test_an_alias_changes_what_the_author_is_called_and_new_editions_find_the_work(
    conn: psycopg.Connection, source: Source
) -> None:
    source(edition(1, "Thinner", "Richard Bachman"), edition(2, "Carrie", "Stephen King"))
    book = book_of(conn, 1)

    assert put_alias(conn, OPERATOR, "Bachman, Richard", "Stephen King") == 1
    source(
        edition(1, "Thinner", "Richard Bachman"), edition(2, "Carrie", "Stephen King"),
        edition(3, "Thinner (Signet)", "Stephen King"),
    )  # fmt: skip

    assert book_of(conn, 3) == book
    assert catalogue.authors_of(conn, book) == ["Stephen King"]
    assert conn.execute(
        "select search @@ to_tsquery('simple', 'bachman') from library.works where book_id = %s", [book]
    ).fetchone() == (True,)
    assert conn.execute("select authors_text from library.editions where calibre_id = 1").fetchone() == (
        "Richard Bachman",
    )

    remove_alias(conn, OPERATOR, "Richard Bachman")
    assert catalogue.authors_of(conn, book) == ["Richard Bachman"]


def test_translations_are_linked_and_the_link_goes_with_the_likeness(conn: psycopg.Connection, source: Source) -> None:
    german = edition(2, "Hamlet", language="deu")
    source(
        edition(1, "Hamlet"),
        german,
        edition(3, "Der Fremde", language="deu", original_title="Emma"),
        edition(4, "Emma"),
    )

    assert [linked.book_id for linked in works.linked(conn, book_of(conn, 1))] == [book_of(conn, 2)]
    assert [linked.book_id for linked in works.linked(conn, book_of(conn, 4))] == [book_of(conn, 3)]
    assert works.linked(conn, book_of(conn, 4))[0].reason == "the original title is told, in another language"

    source(edition(1, "Hamlet"), replace(german, title="Anderes"), edition(4, "Emma"))
    assert works.linked(conn, book_of(conn, 1)) == []


def test_subjects_get_our_names_and_codes_are_kept(conn: psycopg.Connection, source: Source) -> None:
    given = replace(
        edition(1, "Emma"),
        subjects=("Khoa học viễn tưởng", "FICTION / Romance / General", "Wombats"),
        classifications=(("thema", "YBC"), ("ddc", "641.5")),
    )

    source(given)

    book = book_of(conn, 1)
    assert catalogue.subjects_of(conn, book) == ["science fiction", "romance", "Wombats", "cooking", "picture books"]
    assert conn.execute("select subjects from library.editions").fetchone() == (list(given.subjects),)
    assert conn.execute("select scheme, code from library.classifications order by 1").fetchall() == [
        ("ddc", "641.5"), ("thema", "YBC"),
    ]  # fmt: skip


def near(conn: psycopg.Connection) -> list[tuple[int, int, str]]:
    return [(pair.book_id, pair.other_id, pair.reason) for pair in works.near(conn, 50)]


def test_a_merge_that_is_taken_back_gives_editions_and_readers_back(conn: psycopg.Connection, source: Source) -> None:
    books = [edition(1, "Northern Lights"), edition(2, "The Golden Compass"), edition(3, "Golden Compass, The")]
    source(*books)
    stays, goes = book_of(conn, 1), book_of(conn, 2)
    account = reader(conn)
    conn.execute("insert into reading.ratings (account_id, book_id, stars) values (%s, %s, 2)", [account, goes])
    conn.execute("insert into reading.hidden_books (account_id, book_id) values (%s, %s)", [account, stays])
    merge(conn, OPERATOR, stays, [goes])
    (made,) = explain(conn, OPERATOR, stays).decisions

    undo(conn, OPERATOR, made.decision_id)
    source(*(replace(book, publisher="Knopf") for book in books))

    assert [book_of(conn, number) for number in (1, 2, 3)] == [stays, goes, goes]
    assert works.survivor(conn, goes) == goes
    assert conn.execute("select book_id, stars from reading.ratings").fetchall() == [(goes, 2.0)]
    assert conn.execute("select book_id from reading.hidden_books").fetchall() == [(stays,)]
    assert conn.execute("select count(*) from library.editions where is_pinned").fetchone() == (0,)
    assert conn.execute("select count(*) from library.works where active").fetchone() == (2,)
    (made,) = explain(conn, OPERATOR, stays).decisions
    assert made.undone_at is not None
    with pytest.raises(UsageError, match="taken back already"):
        undo(conn, OPERATOR, made.decision_id)


def test_a_split_that_is_taken_back_is_one_work_again(conn: psycopg.Connection, source: Source) -> None:
    source(edition(1, "Poems"), edition(2, "Poems"), edition(3, "Poems"))
    book = book_of(conn, 1)
    other = split(conn, OPERATOR, book, ids(conn, 2))
    account = reader(conn)
    conn.execute("insert into reading.ratings (account_id, book_id, stars) values (%s, %s, 4)", [account, other])
    (made,) = works.decisions(conn, other)

    undo(conn, OPERATOR, made.decision_id)

    assert {book_of(conn, number) for number in (1, 2, 3)} == {book}
    assert works.survivor(conn, other) == book
    assert conn.execute("select book_id from reading.ratings").fetchall() == [(book,)]


def test_what_has_moved_on_is_not_taken_back(conn: psycopg.Connection, source: Source) -> None:
    source(edition(1, "Emma"), edition(2, "Lady Susan"), edition(3, "Sanditon"))
    emma, susan, sanditon = (book_of(conn, number) for number in (1, 2, 3))
    merge(conn, OPERATOR, emma, [susan])
    merge(conn, OPERATOR, sanditon, [emma])
    later, earlier = works.decisions(conn, emma)

    with pytest.raises(UsageError, match="moved on since"):
        undo(conn, OPERATOR, earlier.decision_id)
    undo(conn, OPERATOR, later.decision_id)

    assert (book_of(conn, 1), book_of(conn, 2), book_of(conn, 3)) == (emma, emma, sanditon)
    undo(conn, OPERATOR, earlier.decision_id)
    assert (book_of(conn, 1), book_of(conn, 2)) == (emma, susan)


def test_pairs_that_may_be_one_are_found_by_ingests_and_leave_when_decided(
    conn: psycopg.Connection, source: Source
) -> None:
    source(
        edition(1, "The Hobbit"), edition(2, "The Hobbits at Home"), edition(3, "Persuasion"), edition(4, "Hobbit 2"),
        edition(5, "The Hobbit There and Back"), edition(6, "The Hobbits at Hame", "Bob Roy"),
    )  # fmt: skip
    hobbit, back = book_of(conn, 1), book_of(conn, 5)

    assert near(conn) == [(hobbit, back, "one title begins with the other")]

    keep_apart(conn, OPERATOR, back, hobbit, "another book")
    assert near(conn) == []
    (made,) = works.decisions(conn, back)
    undo(conn, OPERATOR, made.decision_id)
    merge(conn, OPERATOR, hobbit, [back])
    assert near(conn) == []
    assert look_again(conn, OPERATOR) == 0


def test_works_that_agree_by_an_alias_stand_among_the_pairs(conn: psycopg.Connection, source: Source) -> None:
    source(edition(1, "Thinner", "Richard Bachman"), edition(2, "Thinner", "Stephen King"))
    assert near(conn) == []

    put_alias(conn, OPERATOR, "Richard Bachman", "Stephen King")

    assert near(conn) == [(book_of(conn, 1), book_of(conn, 2), "same title, author and language")]
    remove_alias(conn, OPERATOR, "Richard Bachman")
    assert near(conn) == []


def test_only_staff_decide_and_each_decision_is_noted(conn: psycopg.Connection, source: Source) -> None:
    source(edition(1, "Emma"), edition(2, "Lady Susan"))
    one, other = book_of(conn, 1), book_of(conn, 2)
    lan = accounts.create_demo(conn, "lan", "Lan", role="reader", history_enabled=False)
    edith = accounts.create_demo(conn, "edith", "Edith", role="staff", history_enabled=False)
    for act in (
        lambda who: merge(conn, who, one, [other]),
        lambda who: split(conn, who, one, ids(conn, 1)),
        lambda who: keep_apart(conn, who, one, other),
        lambda who: undo(conn, who, 1),
        lambda who: put_alias(conn, who, "A B", "C D"),
        lambda who: remove_alias(conn, who, "A B"),
        lambda who: explain(conn, who, one),
        lambda who: look_again(conn, who),
        lambda who: works_desk.desk(conn, who),
        lambda who: works_desk.near(conn, who, one),
    ):
        for who in (None, lan):
            with pytest.raises(NotAllowedError):
                act(who)

    merge(conn, edith, one, [other])

    assert [(note.actor, note.act) for note in audit.latest(conn)][:1] == [
        (audit.actor_of(edith.account_id), "merge works")
    ]


def test_staff_do_not_wait_long_for_an_ingest(
    conn: psycopg.Connection, source: Source, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source(edition(1, "Emma"), edition(2, "Lady Susan"))
    monkeypatch.setattr(works_deciding, "_PATIENCE_S", 0.2)
    edith = accounts.create_demo(conn, "edith", "Edith", role="staff", history_enabled=False)
    conn.commit()
    with psycopg.connect(database) as ingest:
        ingestion.lock(ingest)
        with pytest.raises(UsageError, match="ingest is under way"):
            merge(conn, edith, book_of(conn, 1), [book_of(conn, 2)])
    conn.rollback()

    assert merge(conn, edith, book_of(conn, 1), [book_of(conn, 2)]) == 1
