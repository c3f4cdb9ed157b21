"""What readers make: lists of their own, shelves that a rule fills, and the place where they are in a text.

Every function takes the account that asks and touches its rows alone: a list of another account is not there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import msgspec
import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from openshelf.contracts import clean_text
from openshelf.database.filters import SERVED, WITHIN, Filters, conditions, parameters
from openshelf.database.works import TODAY
from openshelf.errors import OpenshelfError

MAX_NAME = 80
MAX_LISTS = 200
MAX_ENTRIES = 5_000
_RULED = 500


class ListError(OpenshelfError):
    """A list cannot be made or named so."""


class NameTakenError(ListError):
    """The reader has a list of this name."""


class TooManyError(ListError):
    """There are as many lists, or books on one, as we keep."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a shelf that fills itself holds; None leaves a field open. `language`: ISO 639-3."""

    language: str | None = None
    subject: str | None = None
    year_from: int | None = None
    year_to: int | None = None
    reading: Literal["read", "unread"] | None = None


@dataclass(frozen=True)
class OwnList:
    list_id: int
    name: str
    rule: Rule | None
    count_books: int  # 0 of a shelf with a rule: counting means filling it
    created_at: datetime


@dataclass(frozen=True)
class Place:
    """Where a reader is in a text. `part` from 1, `block` from 0, `progress` of the whole book."""

    book_id: int
    part: int
    block: int
    progress: float
    updated_at: datetime


@dataclass(frozen=True)
class _Row:
    list_id: int
    name: str
    rule: object
    count_books: int
    created_at: datetime


def tidy_name(name: str) -> str:
    """A name as it is kept.

    Raises:
        ListError: nothing is left of it.
    """
    tidied = " ".join(clean_text(name).split())[:MAX_NAME].strip()
    if not tidied:
        raise ListError("a list needs a name")
    return tidied


def lists(conn: psycopg.Connection, account_id: int) -> list[OwnList]:
    """The lists of an account by name."""
    with conn.cursor(row_factory=class_row(_Row)) as cursor:
        rows = cursor.execute(
            f"""select list_id, name, rule, created_at, (
                   select count(*) from library.works join reading.list_entries using (book_id)
                   where list_entries.list_id = lists.list_id and works.active and {SERVED}) as count_books
               from reading.lists where account_id = %s and removed_at is null order by lower(name)""",
            [account_id],
        ).fetchall()
    return [_own(row) for row in rows]


def find(conn: psycopg.Connection, account_id: int, list_id: int) -> OwnList | None:
    return next((own for own in lists(conn, account_id) if own.list_id == list_id), None)


def _own(row: _Row) -> OwnList:
    rule = None if row.rule is None else msgspec.convert(row.rule, Rule)
    return OwnList(row.list_id, row.name, rule, row.count_books, row.created_at)


def make(conn: psycopg.Connection, account_id: int, name: str, rule: Rule | None = None) -> int:
    """Make a list; its key.

    Raises:
        ListError: no name, one that is taken, or too many lists.
    """
    tidied = tidy_name(name)
    # Two tabs of one reader take turns, or both would count before either has written.
    conn.execute("select from reading.accounts where account_id = %s for update", [account_id])
    counted = conn.execute(
        "select count(*) from reading.lists where account_id = %s and removed_at is null", [account_id]
    ).fetchone()
    assert counted
    if counted[0] >= MAX_LISTS:
        raise TooManyError(f"there are {MAX_LISTS} lists already")
    row = conn.execute(
        """insert into reading.lists (account_id, name, rule) values (%s, %s, %s)
           on conflict (account_id, lower(name)) where removed_at is null do nothing returning list_id""",
        [account_id, tidied, None if rule is None else Jsonb(msgspec.to_builtins(rule))],
    ).fetchone()
    if row is None:
        raise NameTakenError(f"there is a list named {tidied!r}")
    return row[0]


def rename(conn: psycopg.Connection, account_id: int, list_id: int, name: str) -> bool:
    """Whether there was such a list.

    Raises:
        ListError: no name, or one that is taken.
    """
    try:
        with conn.transaction():
            return _change(
                conn,
                "update reading.lists set name = %(name)s where list_id = %(list_id)s and account_id = %(account_id)s"
                " and removed_at is null",
                {"name": tidy_name(name), "list_id": list_id, "account_id": account_id},
            )
    except psycopg.errors.UniqueViolation as error:
        raise NameTakenError(f"there is a list named {tidy_name(name)!r}") from error


def change_rule(conn: psycopg.Connection, account_id: int, list_id: int, rule: Rule) -> bool:
    """Whether there was such a shelf; one that is filled by hand gets no rule."""
    return _change(
        conn,
        "update reading.lists set rule = %(rule)s where list_id = %(list_id)s and account_id = %(account_id)s"
        " and removed_at is null and rule is not null",
        {"rule": Jsonb(msgspec.to_builtins(rule)), "list_id": list_id, "account_id": account_id},
    )


def remove(conn: psycopg.Connection, account_id: int, list_id: int) -> bool:
    """Take a list away; it can be brought back for a day. What was taken away before that is gone for good."""
    conn.execute(
        "delete from reading.lists where account_id = %s and removed_at < now() - interval '1 day'", [account_id]
    )
    return _change(
        conn,
        "update reading.lists set removed_at = now() where list_id = %(list_id)s and account_id = %(account_id)s"
        " and removed_at is null",
        {"list_id": list_id, "account_id": account_id},
    )


def bring_back(conn: psycopg.Connection, account_id: int, list_id: int) -> bool:
    """Undo a removal.

    Raises:
        NameTakenError: another list took the name meanwhile.
    """
    try:
        with conn.transaction():
            return _change(
                conn,
                "update reading.lists set removed_at = null where list_id = %(list_id)s"
                " and account_id = %(account_id)s and removed_at > now() - interval '1 day'",
                {"list_id": list_id, "account_id": account_id},
            )
    except psycopg.errors.UniqueViolation as error:
        raise NameTakenError("another list has this name now") from error


def put(conn: psycopg.Connection, account_id: int, list_id: int, book_ids: Sequence[int]) -> int:
    """Put works on a list that is filled by hand; how many were new there. A list of another account takes none.

    Raises:
        TooManyError: the list would hold more than MAX_ENTRIES.
    """
    added = conn.execute(
        """insert into reading.list_entries (list_id, account_id, book_id)
           select list_id, account_id, coalesce(works.merged_into, wanted.book_id) from reading.lists
           cross join unnest(%(book_ids)s::int[]) with ordinality as wanted (book_id, place)
           left join library.works on works.book_id = wanted.book_id
           where list_id = %(list_id)s and account_id = %(account_id)s and removed_at is null and rule is null
           order by place
           on conflict do nothing""",
        {"book_ids": list(book_ids), "list_id": list_id, "account_id": account_id},
    ).rowcount
    held = conn.execute("select count(*) from reading.list_entries where list_id = %s", [list_id]).fetchone()
    assert held
    if added and held[0] > MAX_ENTRIES:
        raise TooManyError(f"a list holds {MAX_ENTRIES} books")
    return added


def take_out(conn: psycopg.Connection, account_id: int, list_id: int, book_id: int) -> bool:
    return _change(
        conn,
        "delete from reading.list_entries where list_id = %(list_id)s and account_id = %(account_id)s"
        f" and book_id = {TODAY}",
        {"list_id": list_id, "account_id": account_id, "book": book_id},
    )


def lists_with(conn: psycopg.Connection, account_id: int, book_id: int) -> set[int]:
    """Keys of the lists that a work is on."""
    rows = conn.execute(
        "select list_id from reading.list_entries where account_id = %s and book_id = %s", [account_id, book_id]
    )
    return {list_id for (list_id,) in rows}


def books_of(
    conn: psycopg.Connection, account_id: int, own: OwnList, audiences: Sequence[str] | None = None
) -> list[int]:
    """Works on a list, what was put there last first; of a shelf with a rule, those it asks for, the best rated first.

    `audiences`: what the account may see; None: everything.
    """
    if own.rule is not None:
        return filled(conn, account_id, own.rule, audiences)
    rows = conn.execute(
        f"""select works.book_id from reading.list_entries join library.works using (book_id)
           where list_id = %(list_id)s and account_id = %(account_id)s and works.active and {WITHIN}
           order by list_entries.added_at desc, works.book_id""",
        {
            "list_id": own.list_id,
            "account_id": account_id,
            "audiences": None if audiences is None else list(audiences),
        },
    )
    return [book_id for (book_id,) in rows]


def filled(conn: psycopg.Connection, account_id: int, rule: Rule, audiences: Sequence[str] | None = None) -> list[int]:
    """The works a rule asks for, as the catalogue and the reader's shelves are now; at most 500."""
    filters = Filters(language=rule.language, subject=rule.subject, year_from=rule.year_from, year_to=rule.year_to)
    rows = conn.execute(
        f"""select works.book_id from library.works where {conditions(filters)}
               and (%(reading)s::text is null or (%(reading)s = 'read') = exists (
                   select from reading.shelf_entries where shelf_entries.account_id = %(account_id)s
                   and shelf_entries.book_id = works.book_id and shelf_entries.shelf = 'read'))
               and not exists (select from reading.hidden_books where hidden_books.account_id = %(account_id)s
                   and hidden_books.book_id = works.book_id)
           order by works.rating desc nulls last, works.title_sort, works.book_id limit %(limit)s""",
        {**parameters(filters, audiences), "reading": rule.reading, "account_id": account_id, "limit": _RULED},
    )
    return [book_id for (book_id,) in rows]


def shelved(conn: psycopg.Connection, account_id: int) -> list[tuple[int, str, date]]:
    """(work, shelf, day it was put there), the latest first."""
    return conn.execute(
        """select book_id, shelf, (added_at at time zone 'utc')::date from reading.shelf_entries
           where account_id = %s order by added_at desc, book_id""",
        [account_id],
    ).fetchall()


def rated(conn: psycopg.Connection, account_id: int) -> list[tuple[int, float]]:
    """(work, stars), the latest first."""
    return conn.execute(
        "select book_id, stars from reading.ratings where account_id = %s order by rated_at desc, book_id", [account_id]
    ).fetchall()


def bring_to_shelf(
    conn: psycopg.Connection, account_id: int, book_id: int, shelf: Literal["want", "reading", "read"], day: date | None
) -> bool:
    """Put a work on a shelf as of the day it stood on one elsewhere; False if the reader has it on a shelf here."""
    return _change(
        conn,
        """insert into reading.shelf_entries (account_id, book_id, shelf, added_at)
           values (%(account_id)s, %(book_id)s, %(shelf)s, least(coalesce(%(day)s::date, now()), now()))
           on conflict do nothing""",
        {"account_id": account_id, "book_id": book_id, "shelf": shelf, "day": day},
    )


def bring_rating(conn: psycopg.Connection, account_id: int, book_id: int, stars: float, day: date | None) -> bool:
    """Keep a rating that was given elsewhere; False if the reader has rated the work here."""
    return _change(
        conn,
        """insert into reading.ratings (account_id, book_id, stars, rated_at)
           values (%(account_id)s, %(book_id)s, %(stars)s, least(coalesce(%(day)s::date, now()), now()))
           on conflict do nothing""",
        {"account_id": account_id, "book_id": book_id, "stars": stars, "day": day},
    )


def keep_place(
    conn: psycopg.Connection, account_id: int, book_id: int, *, part: int, block: int, progress: float
) -> None:
    """Keep where a reader is. Whether a place may be kept at all is the caller's to know."""
    conn.execute(
        """insert into reading.places (account_id, book_id, part, block, progress) values (%s, %s, %s, %s, %s)
           on conflict (account_id, book_id) do update
           set part = excluded.part, block = excluded.block, progress = excluded.progress, updated_at = now()""",
        [account_id, book_id, part, block, progress],
    )


def place_of(conn: psycopg.Connection, account_id: int, book_id: int) -> Place | None:
    with conn.cursor(row_factory=class_row(Place)) as cursor:
        return cursor.execute(
            """select book_id, part, block, progress, updated_at from reading.places
               where account_id = %s and book_id = %s""",
            [account_id, book_id],
        ).fetchone()


def places(conn: psycopg.Connection, account_id: int) -> list[Place]:
    """Where a reader is in everything they have begun, the latest first."""
    with conn.cursor(row_factory=class_row(Place)) as cursor:
        return cursor.execute(
            """select book_id, part, block, progress, updated_at from reading.places
               where account_id = %s order by updated_at desc""",
            [account_id],
        ).fetchall()


def _change(conn: psycopg.Connection, statement: str, values: dict[str, object]) -> bool:
    return conn.execute(statement, values).rowcount == 1  # pyright: ignore[reportArgumentType, reportCallIssue]
