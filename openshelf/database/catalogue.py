"""What the storefront reads of the catalogue. Only active works come back, whatever is asked for.

`audiences` is what the account that asks is limited to (`openshelf.database.audiences`); None: no limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, LiteralString

import psycopg
from psycopg.rows import class_row

from openshelf.database.filters import EVERYTHING, RECOMMENDED, WITHIN, Filters, conditions, parameters
from openshelf.database.works import TODAY

Sort = Literal["title", "new", "newest_first", "oldest_first", "rating", "popular", "series"]
Audiences = Sequence[str] | None

# Fewer readers than these are not told of: they could be recognised.
MIN_READERS = 5


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
    series_index: float | None = None


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
    sort: str = ""  # of authors: the name they are sorted under


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
    works.series_index, case when covers.cover_path is not null
        then floor(extract(epoch from covers.updated_at))::bigint end as cover_version"""
_FROM: LiteralString = """from library.works
    left join library.editions as covers on covers.edition_id = works.cover_edition_id"""
# How warmly works were taken of late; what nobody met stands by the house's rating, mixed.
_RECENT: LiteralString = """join (
        select book_id, sum(reward) as warmth from stream.acts
        where occurred_at > now() - interval '30 days' and book_id is not null and not inferred group by book_id
    ) as recent on recent.book_id = works.book_id"""
_WARMTH: LiteralString = f"left {_RECENT} and recent.warmth > 0"
_BY_WARMTH: LiteralString = """order by recent.warmth desc nulls last, works.rating desc nulls last,
        mod(works.book_id::bigint * 2654435761, 4294967296)"""
_ORDER: dict[Sort, LiteralString] = {
    "title": 'order by works.sort_key collate "C", works.book_id',
    "new": "order by works.added_at desc, works.book_id desc",
    "newest_first": 'order by works.year desc nulls last, works.sort_key collate "C", works.book_id',
    "oldest_first": 'order by works.year nulls last, works.sort_key collate "C", works.book_id',
    "rating": 'order by works.rating desc nulls last, works.sort_key collate "C", works.book_id',
    "popular": _BY_WARMTH,
    "series": 'order by works.series_index nulls last, works.sort_key collate "C", works.book_id',
}
SORTS: tuple[Sort, ...] = tuple(_ORDER)


def cards(conn: psycopg.Connection, book_ids: Sequence[int], *, audiences: Audiences = None) -> list[WorkCard]:
    """Cards of the given works in the given order, each once; those that are not active are left out.

    Of a work that is part of another one: that one's, with its book_id.
    """
    with conn.cursor(row_factory=class_row(WorkCard)) as cursor:
        return cursor.execute(
            f"""with want as (
                    select coalesce(asked.merged_into, asked.book_id) as book_id, min(place) as place
                    from unnest(%(ids)s::int[]) with ordinality as named (book_id, place)
                    join library.works as asked using (book_id) group by 1
                )
                {_CARD} {_FROM} join want on want.book_id = works.book_id
                where works.active and {WITHIN} order by want.place""",
            {"ids": list(book_ids), "audiences": _list(audiences)},
        ).fetchall()


def work(conn: psycopg.Connection, book_id: int, *, audiences: Audiences = None) -> Work | None:
    """The work, or the one that took it in: what it says of its book_id counts from there on."""
    with conn.cursor(row_factory=class_row(Work)) as cursor:
        return cursor.execute(
            f"""select works.book_id, works.kind, works.title, works.authors_text, works.language, works.year,
                    works.audience, works.summary, works.publisher, works.rating, series.name as series_name,
                    works.series_index, case when covers.cover_path is not null
                        then floor(extract(epoch from covers.updated_at))::bigint end as cover_version
                {_FROM} left join library.series using (series_id)
                where works.active and {WITHIN} and works.book_id = {TODAY}""",
            {"book": book_id, "audiences": _list(audiences)},
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


def newest(conn: psycopg.Connection, limit: int, *, audiences: Audiences = None) -> list[WorkCard]:
    """The newest works that may be recommended."""
    return _unasked(conn, "new", limit, audiences)


def popular(
    conn: psycopg.Connection, limit: int, *, filters: Filters = EVERYTHING, audiences: Audiences = None
) -> list[WorkCard]:
    """What readers took to most warmly in the last 30 days; where they are too few, the best rated follow."""
    with conn.cursor(row_factory=class_row(WorkCard)) as cursor:
        warm = cursor.execute(
            f"""{_CARD} {_FROM} {_RECENT} where {conditions(filters)} and {RECOMMENDED} and recent.warmth > 0
                {_BY_WARMTH} limit %(limit)s""",
            {**parameters(filters, audiences), "limit": limit},
        ).fetchall()
    # To sort the whole catalogue is dear, and only a young library needs it.
    return warm if len(warm) == limit else _unasked(conn, "popular", limit, audiences, filters)


def by_subject(conn: psycopg.Connection, subject: str, limit: int, *, audiences: Audiences = None) -> list[WorkCard]:
    """Works whose principal subjects include this one, the best rated first."""
    with conn.cursor(row_factory=class_row(WorkCard)) as cursor:
        return cursor.execute(
            f"""{_CARD} {_FROM} join library.work_subjects on work_subjects.book_id = works.book_id
                join library.subjects using (subject_id)
                where works.active and {WITHIN} and {RECOMMENDED} and subjects.name = %(subject)s
                order by work_subjects.position, works.rating desc nulls last, works.book_id limit %(limit)s""",
            {"subject": subject, "limit": limit, "audiences": _list(audiences)},
        ).fetchall()


def browse(
    conn: psycopg.Connection, filters: Filters, sort: Sort, *, limit: int, offset: int, audiences: Audiences = None
) -> list[WorkCard]:
    return _sorted(
        conn, conditions(filters), sort, {**parameters(filters, audiences), "limit": limit, "offset": offset}
    )


def _unasked(
    conn: psycopg.Connection, sort: Sort, limit: int, audiences: Audiences, filters: Filters = EVERYTHING
) -> list[WorkCard]:
    """The first of the catalogue, or a part of it: of what may be recommended to who asked for nothing."""
    given = {**parameters(filters, audiences), "limit": limit, "offset": 0}
    return _sorted(conn, f"{conditions(filters)} and {RECOMMENDED}", sort, given)


def _sorted(conn: psycopg.Connection, where: LiteralString, sort: Sort, given: dict[str, object]) -> list[WorkCard]:
    warmth = _WARMTH if sort == "popular" else ""
    with conn.cursor(row_factory=class_row(WorkCard)) as cursor:
        return cursor.execute(
            f"{_CARD} {_FROM} {warmth} where {where} {_ORDER[sort]} limit %(limit)s offset %(offset)s", given
        ).fetchall()


def count_works(conn: psycopg.Connection, filters: Filters, *, audiences: Audiences = None) -> int:
    row = conn.execute(
        f"select count(*) from library.works where {conditions(filters)}", parameters(filters, audiences)
    ).fetchone()
    assert row
    return row[0]


def subject_counts(conn: psycopg.Connection, *, audiences: Audiences = None) -> list[Count]:
    """Subjects with at least one active work, the largest first."""
    return _counts(
        conn,
        f"""select subjects.name, count(*) as count_works
            from library.subjects join library.work_subjects using (subject_id) join library.works using (book_id)
            where works.active and {WITHIN} group by subjects.name order by count(*) desc, subjects.name""",
        audiences,
    )


def subjects_beside(conn: psycopg.Connection, subject: str, limit: int, *, audiences: Audiences = None) -> list[Count]:
    """Subjects that works of this one have too, the most frequent first."""
    with conn.cursor(row_factory=class_row(Count)) as cursor:
        return cursor.execute(
            f"""select beside.name, count(*) as count_works
                from library.subjects join library.work_subjects using (subject_id) join library.works using (book_id)
                join library.work_subjects as others on others.book_id = works.book_id
                join library.subjects as beside on beside.subject_id = others.subject_id
                where works.active and {WITHIN} and lower(subjects.name) = lower(%(subject)s)
                    and beside.subject_id <> subjects.subject_id
                group by beside.name order by count(*) desc, beside.name limit %(limit)s""",
            {"subject": subject, "limit": limit, "audiences": _list(audiences)},
        ).fetchall()


def author_counts(conn: psycopg.Connection, *, audiences: Audiences = None) -> list[Count]:
    """Authors with at least one active work, by the name they are sorted under."""
    return _counts(
        conn,
        f"""select authors.name, count(*) as count_works, authors.sort
            from library.authors join library.work_authors using (author_id) join library.works using (book_id)
            where works.active and {WITHIN} group by authors.author_id order by lower(authors.sort), authors.name""",
        audiences,
    )


def series_counts(conn: psycopg.Connection, *, audiences: Audiences = None) -> list[Count]:
    """Series with at least one active work, by name."""
    return _counts(
        conn,
        f"""select series.name, count(*) as count_works from library.series join library.works using (series_id)
            where works.active and {WITHIN} group by series.name order by lower(series.name)""",
        audiences,
    )


def languages(conn: psycopg.Connection, *, audiences: Audiences = None) -> list[Count]:
    """Languages (ISO 639-3) of active works, the most frequent first."""
    return _counts(
        conn,
        f"""select language as name, count(*) as count_works from library.works
            where works.active and {WITHIN} and language is not null
            group by language order by count(*) desc, language""",
        audiences,
    )


def kinds(conn: psycopg.Connection, *, audiences: Audiences = None) -> list[Count]:
    """'book' and 'film', the most frequent first."""
    return _counts(
        conn,
        f"""select kind as name, count(*) as count_works from library.works
            where works.active and {WITHIN} group by kind order by count(*) desc""",
        audiences,
    )


def formats(conn: psycopg.Connection, *, audiences: Audiences = None) -> list[Count]:
    return _counts(
        conn,
        f"""select format as name, count(distinct editions.book_id) as count_works
            from library.files join library.editions using (edition_id) join library.works using (book_id)
            where works.active and {WITHIN} and editions.active group by format order by count_works desc, format""",
        audiences,
    )


def year_span(conn: psycopg.Connection, *, audiences: Audiences = None) -> YearSpan:
    with conn.cursor(row_factory=class_row(YearSpan)) as cursor:
        span = cursor.execute(
            f"select min(year) as first, max(year) as last from library.works where works.active and {WITHIN}",
            {"audiences": _list(audiences)},
        ).fetchone()
    assert span
    return span


def in_series(conn: psycopg.Connection, book_id: int, limit: int, *, audiences: Audiences = None) -> list[WorkCard]:
    """The other works of a work's series, in order."""
    with conn.cursor(row_factory=class_row(WorkCard)) as cursor:
        return cursor.execute(
            f"""{_CARD} {_FROM} where works.active and {WITHIN} and works.book_id <> %(book_id)s
                and works.series_id = (select series_id from library.works where book_id = %(book_id)s)
                order by works.series_index nulls last, works.book_id limit %(limit)s""",
            {"book_id": book_id, "limit": limit, "audiences": _list(audiences)},
        ).fetchall()


def next_in_series(
    conn: psycopg.Connection, read: Sequence[int], limit: int, *, audiences: Audiences = None
) -> list[WorkCard]:
    """Of each series of the works read, the volume after the last one read; `read`: the latest first, as they come."""
    with conn.cursor(row_factory=class_row(WorkCard)) as cursor:
        return cursor.execute(
            f"""with reached as (
                    select works.series_id, max(works.series_index) as last_index, min(asked.place) as place
                    from unnest(%(read)s::int[]) with ordinality as asked (book_id, place)
                    join library.works using (book_id)
                    where works.series_id is not null group by works.series_id
                )
                {_CARD} from reached join lateral (
                    select works.book_id from library.works
                    where works.series_id = reached.series_id and works.active and {WITHIN} and {RECOMMENDED}
                        and works.book_id <> all(%(read)s::int[])
                        and (reached.last_index is null or coalesce(works.series_index, 1e9) > reached.last_index)
                    order by works.series_index nulls last, works.book_id limit 1
                ) as following on true
                join library.works on works.book_id = following.book_id
                left join library.editions as covers on covers.edition_id = works.cover_edition_id
                order by reached.place limit %(limit)s""",
            {"read": list(read), "limit": limit, "audiences": _list(audiences)},
        ).fetchall()


def read_beside(conn: psycopg.Connection, book_id: int, limit: int, *, audiences: Audiences = None) -> list[WorkCard]:
    """What readers who took warmly to a work took warmly to as well: what is shared by most of its own readers first.

    Works with fewer than `MIN_READERS` such readers in common are left out.
    """
    with conn.cursor(row_factory=class_row(WorkCard)) as cursor:
        return cursor.execute(
            f"""with readers as (
                    select distinct reader_key from stream.interactions
                    where book_id = any(library.ids_of_work(%(book_id)s)) and reward >= 1.5 limit 2000
                ),
                beside as (
                    select acts.book_id, count(distinct acts.reader_key) as count_shared
                    from readers join stream.acts using (reader_key)
                    where acts.reward >= 1.5 and acts.book_id <> %(book_id)s
                    group by acts.book_id having count(distinct acts.reader_key) >= %(least)s
                )
                {_CARD} from beside join library.works using (book_id)
                left join library.editions as covers on covers.edition_id = works.cover_edition_id
                where works.active and {WITHIN} and {RECOMMENDED}
                order by beside.count_shared / sqrt((
                    select count(distinct reader_key) from stream.interactions as own
                    where own.book_id = any(library.ids_of_work(beside.book_id)) and own.reward >= 1.5
                )) desc, works.book_id limit %(limit)s""",
            {"book_id": book_id, "limit": limit, "least": MIN_READERS, "audiences": _list(audiences)},
        ).fetchall()


def cover_file(conn: psycopg.Connection, book_id: int, *, audiences: Audiences = None) -> LibraryFile | None:
    with conn.cursor(row_factory=class_row(LibraryFile)) as cursor:
        return cursor.execute(
            f"""select libraries.path as library_path, editions.cover_path as path
               from library.works join library.editions on editions.edition_id = works.cover_edition_id
               join library.libraries using (library_id)
               where works.active and {WITHIN} and works.book_id = {TODAY}
                   and editions.cover_path is not null""",
            {"book": book_id, "audiences": _list(audiences)},
        ).fetchone()


def file_of(
    conn: psycopg.Connection, book_id: int, file_format: str, *, audiences: Audiences = None
) -> LibraryFile | None:
    """A file of the work in this format, of its newest edition that has one."""
    with conn.cursor(row_factory=class_row(LibraryFile)) as cursor:
        return cursor.execute(
            f"""select libraries.path as library_path, files.path
               from library.works join library.editions using (book_id)
               join library.files using (edition_id) join library.libraries using (library_id)
               where works.active and {WITHIN} and editions.active and works.book_id = {TODAY}
                   and files.format = upper(%(format)s)
               order by editions.published_on desc nulls last, editions.edition_id limit 1""",
            {"book": book_id, "format": file_format, "audiences": _list(audiences)},
        ).fetchone()


def accessibility(conn: psycopg.Connection, book_id: int) -> dict[str, Any] | None:
    """What the EPUB of a work (the one that `file_of` opens) says of its accessibility; None: nothing."""
    row = conn.execute(
        f"""select editions.accessibility from library.editions join library.files using (edition_id)
            where editions.book_id = {TODAY} and editions.active and files.format = 'EPUB'
            order by editions.published_on desc nulls last, editions.edition_id limit 1""",
        {"book": book_id},
    ).fetchone()
    return row[0] if row else None


def version(conn: psycopg.Connection) -> int:
    """Counts up whenever the catalogue has changed."""
    row = conn.execute("select version from library.catalogue_version").fetchone()
    return row[0] if row else 0


def _counts(conn: psycopg.Connection, statement: LiteralString, audiences: Audiences) -> list[Count]:
    with conn.cursor(row_factory=class_row(Count)) as cursor:
        return cursor.execute(statement, {"audiences": _list(audiences)}).fetchall()


def _list(audiences: Audiences) -> list[str] | None:
    return None if audiences is None else list(audiences)
