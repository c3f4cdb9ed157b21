"""Bringing books along: what a reader's file would change here, and changing it.

What the reader has said here stays as it is: a shelf or a rating from elsewhere fills a gap and replaces nothing, so
that the same file brought twice changes nothing the second time.

Shelves and ratings keep the days of the file. Acts cannot: the log takes none that is older than 30 days, and the state
of a reader holds the last 50. So of what was new, the latest `MAX_ACTS` books count for recommendations, one act each,
in the order of their days and as of now; and only for a reader who keeps a history, since the file is one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import psycopg

from dashboard.acts import Deed, Reader, record
from dashboard.matching import Holding, Holdings, How
from dashboard.reader_files import Brought, ReaderFile, Shelf
from openshelf.contracts import Action, Surface
from openshelf.database import accounts, holdings, shelves
from openshelf.database.shelves import ListError

MAX_ACTS = 40
_FURTHEST_FIRST: tuple[Shelf, ...] = ("read", "reading", "want")
_ACTION_OF = {"want": Action.WANT, "reading": Action.READ, "read": Action.FINISH}


@dataclass(frozen=True)
class Found:
    """One work, and what the file says of it. `adds`: what of that is new here."""

    book_id: int
    how: How
    brought: Brought
    adds: frozenset[Literal["shelf", "stars", "lists"]]


@dataclass(frozen=True)
class Plan:
    """What a file would change. `missing`: books that the library does not hold, or not for this reader."""

    found: tuple[Found, ...]
    missing: tuple[Brought, ...]

    @property
    def new(self) -> list[Found]:
        return [each for each in self.found if each.adds]


@dataclass(frozen=True)
class Outcome:
    count_shelved: int = 0
    count_rated: int = 0
    count_listed: int = 0
    count_acts: int = 0


def plan(conn: psycopg.Connection, account_id: int, file: ReaderFile, audiences: Sequence[str] | None) -> Plan:
    """Look up every book of a file; nothing is written. `audiences`: what the account may see; None: everything."""
    isbns = {isbn for book in file.books for isbn in book.isbns}
    known = Holdings(
        (Holding(each.book_id, each.title, each.authors, each.language) for each in holdings.titles(conn, audiences)),
        holdings.by_isbn(conn, sorted(isbns), audiences),
    )
    on_shelf, rated = accounts.shelves(conn, account_id), accounts.ratings(conn, account_id)
    listed = _listed(conn, account_id)
    found: dict[int, Found] = {}
    missing: list[Brought] = []
    for book in file.books:
        match = known.find(book)
        if match is None:
            missing.append(book)
            continue
        before = found.get(match.book_id)
        merged = _merged(before.brought, book) if before else book
        adds: set[Literal["shelf", "stars", "lists"]] = set()
        if merged.shelf and match.book_id not in on_shelf:
            adds.add("shelf")
        if merged.stars and match.book_id not in rated:
            adds.add("stars")
        if any(match.book_id not in listed.get(name.casefold(), ()) for name in merged.lists):
            adds.add("lists")
        found[match.book_id] = Found(match.book_id, before.how if before else match.how, merged, frozenset(adds))
    return Plan(tuple(found.values()), tuple(missing))


def carry_out(
    conn: psycopg.Connection, account_id: int, planned: Plan, reader: Reader | None, now: datetime
) -> Outcome:
    """Put what is new on the shelves and lists, in the caller's transaction.

    `reader`: under what the taste is recorded; None for someone who keeps no history, or wants nothing personal.
    """
    shelved = rated = listed = 0
    learnt: list[tuple[Found, bool, bool]] = []
    for each in planned.new:
        book = each.brought
        is_shelved = bool(book.shelf) and shelves.bring_to_shelf(conn, account_id, each.book_id, book.shelf, book.day)
        is_rated = bool(book.stars) and shelves.bring_rating(conn, account_id, each.book_id, book.stars, book.day)
        shelved += is_shelved
        rated += is_rated
        if is_shelved or is_rated:
            learnt.append((each, is_shelved, is_rated))
    listed = _put_on_lists(conn, account_id, planned.new)
    deeds = _deeds(learnt) if reader else []
    if reader and deeds:
        # Without the account: the shelves are filled already, with their own days.
        record(conn, Reader(reader.reader_key, reader.session_id), deeds, now)
    return Outcome(shelved, rated, listed, len(deeds))


def _deeds(learnt: Iterable[tuple[Found, bool, bool]]) -> list[Deed]:
    """One act a book, the latest books only, the oldest first. Stars say more than having read to the end."""
    by_day = sorted(learnt, key=lambda each: each[0].brought.day or date.min)
    return [
        Deed(Action.RATE, Surface.API, found.book_id, found.brought.stars)
        if is_rated
        else Deed(_ACTION_OF[found.brought.shelf or "want"], Surface.API, found.book_id)
        for found, _is_shelved, is_rated in by_day[-MAX_ACTS:]
    ]


def _listed(conn: psycopg.Connection, account_id: int) -> dict[str, set[int]]:
    """Name of each list that is filled by hand, folded -> works on it."""
    return {
        own.name.casefold(): set(shelves.books_of(conn, account_id, own))
        for own in shelves.lists(conn, account_id)
        if own.rule is None
    }


def _put_on_lists(conn: psycopg.Connection, account_id: int, new: Iterable[Found]) -> int:
    """Lists of the names that the file gives; one that cannot be made is left out, and so is a shelf with a rule."""
    wanted: dict[str, list[int]] = {}
    for each in new:
        for name in each.brought.lists:
            wanted.setdefault(name, []).append(each.book_id)
    known = {own.name.casefold(): own for own in shelves.lists(conn, account_id)}
    added = 0
    for name, book_ids in wanted.items():
        try:
            with conn.transaction():
                own = known.get(shelves.tidy_name(name).casefold())
                list_id = own.list_id if own else shelves.make(conn, account_id, name)
                added += shelves.put(conn, account_id, list_id, book_ids)
        except ListError:
            continue
    return added


def _merged(one: Brought, other: Brought) -> Brought:
    """Two rows about one work, as two editions of it: nothing that either says is lost."""
    shelf: Shelf | None = None
    for further in _FURTHEST_FIRST:
        if further in (one.shelf, other.shelf):
            shelf = further
            break
    return Brought(
        title=one.title,
        authors=one.authors,
        isbns=one.isbns,
        shelf=shelf,
        stars=other.stars if one.stars is None else one.stars,
        lists=tuple(dict.fromkeys([*one.lists, *other.lists])),
        day=max(filter(None, [one.day, other.day]), default=None),
        language=one.language or other.language,
    )
