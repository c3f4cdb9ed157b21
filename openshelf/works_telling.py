"""Works written anew from their editions, their authors by the names they have here.

The caller holds the transaction and the ingest lock.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg

from openshelf import works_alike
from openshelf.database import appeal, ingestion
from openshelf.database import works as stored_works
from openshelf.database.appeal import Appeal
from openshelf.database.ingestion import ActiveEdition, WorkRow
from openshelf.database.works import WorkKey
from openshelf.works_alike import Record
from openshelf.works_composing import Author, Codes, author_sort, compose, primary, subjects_of

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
    """Write these works anew from all their active editions; those that have none left are withdrawn.

    Of very many, some are composed while Postgres writes those before.
    """
    called = alias_of(conn)
    affected = sorted(book_ids)
    composed: _Told | None = None
    with ThreadPoolExecutor(max_workers=1) as aside:
        for start in range(0, len(affected), _TOLD_AT_ONCE):
            source = _read(conn, affected[start : start + _TOLD_AT_ONCE])
            writing = aside.submit(_write, conn, composed) if composed else None
            composed = _compose(source, called)
            if writing:
                writing.result()
    if composed:
        _write(conn, composed)


@dataclass(frozen=True)
class _Source:
    """What is known of some works. `groups`: book_id -> active editions; `codes`: edition_id -> its codes."""

    book_ids: Sequence[int]
    groups: Mapping[int, list[ActiveEdition]]
    codes: Codes
    appeal: Mapping[int, Appeal]


@dataclass(frozen=True)
class _Told:
    """Works as they are to be written."""

    book_ids: Sequence[int]
    rows: list[WorkRow]
    authors: dict[int, list[Author]]
    subjects: dict[int, list[str]]


def _read(conn: psycopg.Connection, book_ids: Sequence[int]) -> _Source:
    groups: defaultdict[int, list[ActiveEdition]] = defaultdict(list)
    for edition in ingestion.active_editions(conn, book_ids):
        groups[edition.book_id].append(edition)
    codes = ingestion.classifications(conn, [edition.edition_id for group in groups.values() for edition in group])
    return _Source(book_ids, groups, codes, appeal.told(conn, list(groups)))


def _compose(source: _Source, called: Callable[[str], str]) -> _Told:
    authors = {book: _authors(primary(group), called) for book, group in source.groups.items()}
    subjects = {book: subjects_of(group, source.codes) for book, group in source.groups.items()}
    nothing = Appeal()
    rows = [
        compose(group, authors[book], subjects[book], source.appeal.get(book, nothing))
        for book, group in source.groups.items()
    ]
    return _Told(source.book_ids, rows, authors, subjects)


def _write(conn: psycopg.Connection, told: _Told) -> None:
    ingestion.store_works(conn, told.rows)
    ingestion.forget_work_authors(conn, [book for book, people in told.authors.items() if not people])
    ingestion.store_work_authors(
        conn,
        [
            (book, n, author.name, author.sort)
            for book, people in told.authors.items()
            for n, author in enumerate(people)
        ],
    )
    ingestion.store_work_subjects(
        conn,
        list(told.subjects),
        [(book, n, name) for book, named in told.subjects.items() for n, name in enumerate(named)],
    )
    ingestion.retire_works(conn, [book for book in told.book_ids if book not in told.subjects])


def _authors(edition: ActiveEdition, called: Callable[[str], str]) -> list[Author]:
    """The authors of a work, by the names they have here."""
    found: dict[str, Author] = {}
    language = edition.languages[0] if edition.languages else None
    for written, sort in zip(edition.author_names, edition.author_sorts, strict=True):
        name = called(written)
        found.setdefault(name, Author(name, sort if name == written else author_sort(name, language)))
    return list(found.values())
