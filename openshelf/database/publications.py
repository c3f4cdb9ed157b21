"""Works that can be had as files, as feeds of e-reader apps list them. Only active works come back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, LiteralString

import psycopg
from psycopg.rows import class_row

from openshelf.database.catalogue import Count
from openshelf.database.filters import RECOMMENDED, SERVED, WITHIN, Filters, conditions, parameters

Order = Literal["title", "new", "rating"]


@dataclass(frozen=True)
class Publication:
    """A work with what an app shows of it. `formats`: of its files, as in EPUB; `identifiers`: 'isbn 9780...'."""

    book_id: int
    title: str
    authors: list[str]
    subjects: list[str]
    language: str | None
    year: int | None
    publisher: str | None
    summary: str | None
    series_name: str | None
    series_index: float | None
    cover_version: int | None
    formats: list[str]
    identifiers: list[str]
    added_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Shelf:
    """One page of works, and how many there are in all."""

    count: int
    publications: list[Publication]


_HAS_FILE: LiteralString = """works.book_id in (
        select editions.book_id from library.editions join library.files using (edition_id) where editions.active
    )"""
_ORDERS: dict[Order, LiteralString] = {
    "title": 'works.sort_key collate "C", works.book_id',
    "new": "works.added_at desc, works.book_id desc",
    "rating": 'works.rating desc nulls last, works.sort_key collate "C", works.book_id',
}
ORDERS: tuple[Order, ...] = tuple(_ORDERS)


def shelf(
    conn: psycopg.Connection,
    filters: Filters,
    order: Order,
    *,
    audiences: Sequence[str] | None,
    limit: int,
    offset: int,
    recommended: bool = False,
) -> Shelf:
    """A page of the works that pass the filters and the audiences (None: all); `recommended`: and that staff let be."""
    asked = parameters(filters, audiences)
    where = f"{conditions(filters)} and {_HAS_FILE}"
    if recommended:
        where = f"{where} and {RECOMMENDED}"
    # Counted apart: the first page can come from an index, in order, without a look at all the rest.
    count = conn.execute(f"select count(*) from library.works where {where}", asked).fetchone()
    rows = conn.execute(
        f"""select works.book_id from library.works where {where}
            order by {_ORDERS[order]} limit %(limit)s offset %(offset)s""",
        {**asked, "limit": limit, "offset": offset},
    ).fetchall()
    return Shelf(count[0] if count else 0, publications(conn, [book_id for (book_id,) in rows]))


def had_as_files(conn: psycopg.Connection, book_ids: Sequence[int], *, audiences: Sequence[str] | None) -> list[int]:
    """Those of the works that have files and are within the audiences, in the order given."""
    rows = conn.execute(
        f"""select works.book_id from unnest(%(ids)s::int[]) with ordinality as want (book_id, place)
            join library.works on works.book_id = want.book_id
            where works.active and {_HAS_FILE} and {WITHIN} order by want.place""",
        {"ids": list(book_ids), "audiences": _list(audiences)},
    )
    return [book_id for (book_id,) in rows]


def publications(conn: psycopg.Connection, book_ids: Sequence[int]) -> list[Publication]:
    """The works in the order given; those that are not active are left out, those without files are not."""
    with conn.cursor(row_factory=class_row(Publication)) as cursor:
        return cursor.execute(
            f"""select works.book_id, works.title,
                   array(select authors.name from library.work_authors join library.authors using (author_id)
                         where work_authors.book_id = works.book_id order by position) as authors,
                   array(select subjects.name from library.work_subjects join library.subjects using (subject_id)
                         where work_subjects.book_id = works.book_id order by position, subjects.name) as subjects,
                   works.language, works.year, works.publisher, works.summary, series.name as series_name,
                   works.series_index,
                   case when covers.cover_path is not null
                       then floor(extract(epoch from covers.updated_at))::bigint end as cover_version,
                   array(select distinct files.format from library.editions join library.files using (edition_id)
                         where editions.book_id = works.book_id and editions.active order by files.format) as formats,
                   array(select distinct identifiers.kind || ' ' || identifiers.value from library.editions
                         join library.identifiers using (edition_id)
                         where editions.book_id = works.book_id and editions.active order by 1) as identifiers,
                   works.added_at, works.updated_at
               from unnest(%s::int[]) with ordinality as want (book_id, place)
               join library.works on works.book_id = want.book_id
               left join library.editions as covers on covers.edition_id = works.cover_edition_id
               left join library.series using (series_id)
               where works.active and {SERVED} order by want.place""",
            [list(book_ids)],
        ).fetchall()


def subjects(conn: psycopg.Connection, *, audiences: Sequence[str] | None) -> list[Count]:
    """Subjects of works that have files, by name."""
    with conn.cursor(row_factory=class_row(Count)) as cursor:
        return cursor.execute(
            f"""select subjects.name, count(*) as count_works
                from library.subjects join library.work_subjects using (subject_id) join library.works using (book_id)
                where works.active and {_HAS_FILE} and {WITHIN}
                group by subjects.name order by lower(subjects.name), subjects.name""",
            {"audiences": _list(audiences)},
        ).fetchall()


def author_initials(conn: psycopg.Connection, *, audiences: Sequence[str] | None) -> list[Count]:
    """Initials of those who wrote works that have files, and of how many authors each is."""
    with conn.cursor(row_factory=class_row(Count)) as cursor:
        return cursor.execute(
            f"""select upper(left(authors.sort, 1)) as name, count(*) as count_works
                from library.authors where authors.sort <> '' and exists (
                    select from library.work_authors join library.works using (book_id)
                    where work_authors.author_id = authors.author_id and works.active and {_HAS_FILE} and {WITHIN}
                ) group by upper(left(authors.sort, 1)) order by 1""",
            {"audiences": _list(audiences)},
        ).fetchall()


def authors(conn: psycopg.Connection, initial: str, *, audiences: Sequence[str] | None) -> list[Count]:
    """Those who wrote works that have files and are sorted under this initial."""
    with conn.cursor(row_factory=class_row(Count)) as cursor:
        return cursor.execute(
            f"""select authors.name, count(*) as count_works
                from library.authors join library.work_authors using (author_id) join library.works using (book_id)
                where upper(left(authors.sort, 1)) = upper(%(initial)s) and works.active and {_HAS_FILE} and {WITHIN}
                group by authors.author_id order by lower(authors.sort), authors.name""",
            {"initial": initial, "audiences": _list(audiences)},
        ).fetchall()


def languages(conn: psycopg.Connection, *, audiences: Sequence[str] | None) -> list[Count]:
    """Languages (ISO 639-3) of works that have files, the most frequent first."""
    with conn.cursor(row_factory=class_row(Count)) as cursor:
        return cursor.execute(
            f"""select language as name, count(*) as count_works from library.works
                where active and language is not null and {_HAS_FILE} and {WITHIN}
                group by language order by count(*) desc, language""",
            {"audiences": _list(audiences)},
        ).fetchall()


@dataclass(frozen=True)
class LibraryStamp:
    """Which library this is, by what no other has, and when what it offers changed last."""

    identity: str
    changed_at: datetime


def stamp(conn: psycopg.Connection) -> LibraryStamp:
    with conn.cursor(row_factory=class_row(LibraryStamp)) as cursor:
        row = cursor.execute(
            """select changed_at, coalesce((
                   select calibre_uuid from library.libraries order by library_id limit 1
               ), '') as identity
               from library.catalogue_version"""
        ).fetchone()
    assert row
    return row


def _list(audiences: Sequence[str] | None) -> list[str] | None:
    return None if audiences is None else list(audiences)
