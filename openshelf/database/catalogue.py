"""What the storefront reads of the catalogue. Only active works come back, whatever is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, LiteralString

import psycopg
from psycopg.rows import class_row

from openshelf.database.filters import CONDITIONS, Filters

Sort = Literal["title", "new", "newest_first", "oldest_first", "rating", "popular"]


@dataclass(frozen=True)
class WorkCard:
    """A work as a card shows it. `cover_version` is null when there is no cover."""

    book_id: int
    title: str
    authors_text: str
    language: str | None
    year: int | None
    kind: str
    cover_version: int | None


@dataclass(frozen=True)
class Work:
    book_id: int
    kind: str
    title: str
    authors_text: str
    language: str | None
    year: int | None
    audience: str
    summary: str | None
    publisher: str | None
    rating: float | None
    series_name: str | None
    series_index: float | None
    cover_version: int | None


@dataclass(frozen=True)
class Edition:
    edition_id: int
    title: str
    languages: list[str]
    published_year: int | None
    publisher: str | None
    formats: list[str]
    identifiers: list[str]  # 'isbn 9780...' and so on


@dataclass(frozen=True)
class Count:
    name: str
    count_works: int


@dataclass(frozen=True)
class YearSpan:
    first: int | None
    last: int | None


@dataclass(frozen=True)
class LibraryFile:
    """A file of the Calibre library; `path` is relative to `library_path`."""

    library_path: str
    path: str

    def resolve(self) -> Path | None:
        """The file itself, or None if it is gone or its path leads out of the library."""
        root = Path(self.library_path).resolve()
        file = (root / self.path).resolve()
        return file if file.is_relative_to(root) and file.is_file() else None


_CARD: LiteralString = """select works.book_id, works.title, works.authors_text, works.language, works.year, works.kind,
    case when covers.cover_path is not null
        then floor(extract(epoch from covers.updated_at))::bigint end as cover_version"""
_FROM: LiteralString = """from library.works
    left join library.editions as covers on covers.edition_id = works.cover_edition_id"""
_ORDER: dict[Sort, LiteralString] = {
    "title": "order by works.title_sort, works.book_id",
    "new": "order by works.added_at desc, works.book_id desc",
    "newest_first": "order by works.year desc nulls last, works.title_sort, works.book_id",
    "oldest_first": "order by works.year nulls last, works.title_sort, works.book_id",
    "rating": "order by works.rating desc nulls last, works.title_sort, works.book_id",
    "popular": """order by (
            select count(distinct acts.reader_key) from stream.interactions as acts
            where acts.book_id = works.book_id and acts.reward > 0 and acts.occurred_at > now() - interval '30 days'
        ) desc, works.rating desc nulls last, works.title_sort, works.book_id""",
}
SORTS: tuple[Sort, ...] = tuple(_ORDER)


def cards(conn: psycopg.Connection, book_ids: Sequence[int]) -> list[WorkCard]:
    """Cards of the given works in the given order; those that are not active are left out."""
    with conn.cursor(row_factory=class_row(WorkCard)) as cursor:
        return cursor.execute(
            f"""{_CARD} {_FROM} join unnest(%(ids)s::int[]) with ordinality as want (book_id, place)
                on want.book_id = works.book_id where works.active order by want.place""",
            {"ids": list(book_ids)},
        ).fetchall()


def work(conn: psycopg.Connection, book_id: int) -> Work | None:
    with conn.cursor(row_factory=class_row(Work)) as cursor:
        return cursor.execute(
            f"""select works.book_id, works.kind, works.title, works.authors_text, works.language, works.year,
                    works.audience, works.summary, works.publisher, works.rating, series.name as series_name,
                    works.series_index, case when covers.cover_path is not null
                        then floor(extract(epoch from covers.updated_at))::bigint end as cover_version
                {_FROM} left join library.series using (series_id)
                where works.active and works.book_id = %s""",
            [book_id],
        ).fetchone()


def editions(conn: psycopg.Connection, book_id: int) -> list[Edition]:
    """Active editions with their files and identifiers, the newest first."""
    with conn.cursor(row_factory=class_row(Edition)) as cursor:
        return cursor.execute(
            """select edition_id, title, languages, extract(year from published_on)::int as published_year, publisher,
                   array(select format from library.files where files.edition_id = editions.edition_id
                         order by format) as formats,
                   array(select kind || ' ' || value from library.identifiers
                         where identifiers.edition_id = editions.edition_id order by kind) as identifiers
               from library.editions where book_id = %s and active
               order by published_on desc nulls last, edition_id""",
            [book_id],
        ).fetchall()


def subjects_of(conn: psycopg.Connection, book_id: int) -> list[str]:
    """Subjects of a work, the principal one first."""
    rows = conn.execute(
        """select name from library.work_subjects join library.subjects using (subject_id)
           where book_id = %s order by position, name""",
        [book_id],
    )
    return [name for (name,) in rows]


def authors_of(conn: psycopg.Connection, book_id: int) -> list[str]:
    rows = conn.execute(
        """select name from library.work_authors join library.authors using (author_id)
           where book_id = %s order by position""",
        [book_id],
    )
    return [name for (name,) in rows]


def newest(conn: psycopg.Connection, limit: int) -> list[WorkCard]:
    with conn.cursor(row_factory=class_row(WorkCard)) as cursor:
        return cursor.execute(
            f"{_CARD} {_FROM} where works.active order by works.added_at desc, works.book_id desc limit %s", [limit]
        ).fetchall()


def by_subject(conn: psycopg.Connection, subject: str, limit: int) -> list[WorkCard]:
    """Works whose principal subjects include this one, the best rated first."""
    with conn.cursor(row_factory=class_row(WorkCard)) as cursor:
        return cursor.execute(
            f"""{_CARD} {_FROM} join library.work_subjects on work_subjects.book_id = works.book_id
                join library.subjects using (subject_id)
                where works.active and subjects.name = %s
                order by work_subjects.position, works.rating desc nulls last, works.book_id limit %s""",
            [subject, limit],
        ).fetchall()


def browse(conn: psycopg.Connection, filters: Filters, sort: Sort, *, limit: int, offset: int) -> list[WorkCard]:
    with conn.cursor(row_factory=class_row(WorkCard)) as cursor:
        return cursor.execute(
            f"{_CARD} {_FROM} where {CONDITIONS} {_ORDER[sort]} limit %(limit)s offset %(offset)s",
            {**vars(filters), "limit": limit, "offset": offset},
        ).fetchall()


def count_works(conn: psycopg.Connection, filters: Filters) -> int:
    row = conn.execute(f"select count(*) from library.works where {CONDITIONS}", vars(filters)).fetchone()
    assert row
    return row[0]


def subject_counts(conn: psycopg.Connection) -> list[Count]:
    """Subjects with at least one active work, the largest first."""
    with conn.cursor(row_factory=class_row(Count)) as cursor:
        return cursor.execute(
            """select subjects.name, count(*) as count_works
               from library.subjects join library.work_subjects using (subject_id) join library.works using (book_id)
               where works.active group by subjects.name order by count(*) desc, subjects.name"""
        ).fetchall()


def author_counts(conn: psycopg.Connection) -> list[Count]:
    """Authors with at least one active work, by the name they are sorted under."""
    with conn.cursor(row_factory=class_row(Count)) as cursor:
        return cursor.execute(
            """select authors.name, count(*) as count_works
               from library.authors join library.work_authors using (author_id) join library.works using (book_id)
               where works.active group by authors.author_id order by lower(authors.sort), authors.name"""
        ).fetchall()


def languages(conn: psycopg.Connection) -> list[Count]:
    """Languages (ISO 639-3) of active works, the most frequent first."""
    with conn.cursor(row_factory=class_row(Count)) as cursor:
        return cursor.execute(
            """select language as name, count(*) as count_works from library.works
               where active and language is not null group by language order by count(*) desc, language"""
        ).fetchall()


def formats(conn: psycopg.Connection) -> list[Count]:
    with conn.cursor(row_factory=class_row(Count)) as cursor:
        return cursor.execute(
            """select format as name, count(distinct editions.book_id) as count_works
               from library.files join library.editions using (edition_id) join library.works using (book_id)
               where works.active and editions.active group by format order by count_works desc, format"""
        ).fetchall()


def year_span(conn: psycopg.Connection) -> YearSpan:
    with conn.cursor(row_factory=class_row(YearSpan)) as cursor:
        span = cursor.execute("select min(year) as first, max(year) as last from library.works where active").fetchone()
    assert span
    return span


def in_series(conn: psycopg.Connection, book_id: int, limit: int) -> list[WorkCard]:
    """The other works of a work's series, in order."""
    with conn.cursor(row_factory=class_row(WorkCard)) as cursor:
        return cursor.execute(
            f"""{_CARD} {_FROM} where works.active and works.book_id <> %(book_id)s
                and works.series_id = (select series_id from library.works where book_id = %(book_id)s)
                order by works.series_index nulls last, works.book_id limit %(limit)s""",
            {"book_id": book_id, "limit": limit},
        ).fetchall()


def cover_file(conn: psycopg.Connection, book_id: int) -> LibraryFile | None:
    with conn.cursor(row_factory=class_row(LibraryFile)) as cursor:
        return cursor.execute(
            """select libraries.path as library_path, editions.cover_path as path
               from library.works join library.editions on editions.edition_id = works.cover_edition_id
               join library.libraries using (library_id)
               where works.active and works.book_id = %s and editions.cover_path is not null""",
            [book_id],
        ).fetchone()


def file_of(conn: psycopg.Connection, book_id: int, file_format: str) -> LibraryFile | None:
    """A file of the work in this format, of its newest edition that has one."""
    with conn.cursor(row_factory=class_row(LibraryFile)) as cursor:
        return cursor.execute(
            """select libraries.path as library_path, files.path
               from library.works join library.editions using (book_id)
               join library.files using (edition_id) join library.libraries using (library_id)
               where works.active and editions.active and works.book_id = %s and files.format = upper(%s)
               order by editions.published_on desc nulls last, editions.edition_id limit 1""",
            [book_id, file_format],
        ).fetchone()
