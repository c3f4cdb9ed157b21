"""What books that come from elsewhere are compared with: titles, authors and ISBNs of the active works."""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row
from stdnum import isbn as isbn_numbers
from stdnum.exceptions import ValidationError

from openshelf.database.filters import WITHIN


@dataclass(frozen=True)
class Title:
    book_id: int
    title: str
    authors: str
    language: str | None


def titles(conn: psycopg.Connection, audiences: Sequence[str] | None) -> list[Title]:
    """Every active work that these audiences may see; None: every one."""
    with conn.cursor(row_factory=class_row(Title)) as cursor:
        return cursor.execute(
            f"""select book_id, title, authors_text as authors, language
                from library.works where active and {WITHIN} order by book_id""",
            {"audiences": None if audiences is None else list(audiences)},
        ).fetchall()


def by_isbn(conn: psycopg.Connection, isbns: Sequence[str], audiences: Sequence[str] | None) -> dict[str, int]:
    """Of these ISBNs (of 13 digits) those of which we hold an edition -> its work, however they are written with us."""
    asked = {spelled: isbn for isbn in isbns for spelled in _spellings(isbn)}
    rows = conn.execute(
        f"""select regexp_replace(upper(identifiers.value), '[^0-9X]', '', 'g') as spelled, min(works.book_id)
            from library.identifiers join library.editions using (edition_id) join library.works using (book_id)
            where identifiers.kind ilike 'isbn%%' and editions.active and works.active and {WITHIN}
                and regexp_replace(upper(identifiers.value), '[^0-9X]', '', 'g') = any(%(spelled)s)
            group by spelled""",
        {"spelled": list(asked), "audiences": None if audiences is None else list(audiences)},
    ).fetchall()
    return {asked[spelled]: book_id for spelled, book_id in rows}


def editions_by_isbn(conn: psycopg.Connection) -> dict[str, list[int]]:
    """ISBN of 13 digits -> active editions that have it, whoever spelled it how."""
    rows = conn.execute(
        """select identifiers.value, editions.edition_id
           from library.identifiers join library.editions using (edition_id)
           where identifiers.kind ilike 'isbn%%' and editions.active order by editions.edition_id"""
    ).fetchall()
    found: dict[str, list[int]] = {}
    for value, edition_id in rows:
        if isbn_numbers.is_valid(value):
            found.setdefault(isbn_numbers.compact(isbn_numbers.to_isbn13(value)), []).append(edition_id)
    return found


def isbns_of(conn: psycopg.Connection, book_ids: Sequence[int]) -> dict[int, str]:
    """book_id -> an ISBN of its newest edition that has a valid one."""
    rows = conn.execute(
        """select editions.book_id, identifiers.value
           from library.identifiers join library.editions using (edition_id)
           where identifiers.kind ilike 'isbn%%' and editions.active and editions.book_id = any(%s)
           order by editions.published_on desc nulls last, editions.edition_id""",
        [list(book_ids)],
    ).fetchall()
    found: dict[int, str] = {}
    for book_id, value in rows:
        if book_id not in found and isbn_numbers.is_valid(value):
            found[book_id] = isbn_numbers.compact(isbn_numbers.to_isbn13(value))
    return found


def _spellings(isbn: str) -> list[str]:
    """An ISBN of 13 digits, and the one of 10 that means the same if there is one."""
    try:
        return [isbn, isbn_numbers.compact(isbn_numbers.to_isbn10(isbn))]
    except ValidationError:
        return [isbn]
