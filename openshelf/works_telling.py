"""Works written anew from their editions, their authors by the names they have here.

The caller holds the transaction and the ingest lock.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import psycopg

from openshelf import works_alike
from openshelf.database import appeal, ingestion
from openshelf.database import works as stored_works
from openshelf.database.ingestion import ActiveEdition
from openshelf.database.works import WorkKey
from openshelf.works_alike import Record
from openshelf.works_composing import Author, author_sort, compose, primary, subjects_of

_TOLD_AT_ONCE = 5_000  # works, to bound memory


def alias_of(conn: psycopg.Connection) -> Callable[[str], str]:
    """What an author is called here, by the table of aliases; a name that is not in it stays as it is."""
    known = {alias.alias: alias.name for alias in stored_works.aliases(conn)}

    def of(name: str) -> str:
        found = works_alike.name_of(name) if known else None
        return known.get(found.key, name) if found else name

    return of


def record_of(
    title: str, authors: Iterable[str], languages: Sequence[str], original: str | None, apart: str = ""
) -> Record:
    return Record(title, tuple(authors), languages[0] if languages else "", original or "", apart)


def record_of_key(row: WorkKey, called: Callable[[str], str]) -> Record:
    """What a stored key tells, its authors by the names they have here now."""
    return Record(row.title, tuple(map(called, row.authors)), row.language, row.original_title, row.apart)


def tell(conn: psycopg.Connection, book_ids: Iterable[int]) -> None:
    """Write these works anew from all their active editions; those that have none left are withdrawn."""
    called = alias_of(conn)
    affected = sorted(book_ids)
    for start in range(0, len(affected), _TOLD_AT_ONCE):
        _tell(conn, affected[start : start + _TOLD_AT_ONCE], called)


def _tell(conn: psycopg.Connection, affected: Sequence[int], called: Callable[[str], str]) -> None:
    groups: defaultdict[int, list[ActiveEdition]] = defaultdict(list)
    for edition in ingestion.active_editions(conn, affected):
        groups[edition.book_id].append(edition)
    codes = ingestion.classifications(conn, [edition.edition_id for group in groups.values() for edition in group])
    authors = {book: _authors(primary(group), called) for book, group in groups.items()}
    ingestion.store_works(conn, [compose(group, authors[book], codes) for book, group in groups.items()])
    appeal.tell(conn, list(groups))
    ingestion.forget_work_authors(conn, [book for book, people in authors.items() if not people])
    ingestion.store_work_authors(
        conn,
        [(book, n, author.name, author.sort) for book, people in authors.items() for n, author in enumerate(people)],
    )
    ingestion.store_work_subjects(
        conn,
        list(groups),
        [(book, n, name) for book, group in groups.items() for n, name in enumerate(subjects_of(group, codes))],
    )
    ingestion.retire_works(conn, affected)


def _authors(edition: ActiveEdition, called: Callable[[str], str]) -> list[Author]:
    """The authors of a work, by the names they have here."""
    found: dict[str, Author] = {}
    language = edition.languages[0] if edition.languages else None
    for written, sort in zip(edition.author_names, edition.author_sorts, strict=True):
        name = called(written)
        found.setdefault(name, Author(name, sort if name == written else author_sort(name, language)))
    return list(found.values())
