"""What the records of the catalogue lack, what may be there twice, and what ingests did. For staff.

Records are mended in Calibre; the next ingest takes what was mended off these lists.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, LiteralString, get_args

import psycopg
from psycopg.rows import class_row

from openshelf.database import accounts
from openshelf.database.accounts import Account
from openshelf.database.filters import SERVED

Lack = Literal["summary", "cover", "isbn", "language", "subjects"]
LACKS: tuple[Lack, ...] = get_args(Lack)


@dataclass(frozen=True)
class Held:
    """How many works there are, and how many of them lack what."""

    count_works: int
    summary: int
    cover: int
    isbn: int
    language: int
    subjects: int


@dataclass(frozen=True)
class LackingWork:
    """`demand`: how often it was opened in the last four weeks; None: by fewer than five readers, or not known."""

    book_id: int
    title: str
    authors_text: str
    lacks: list[Lack]
    demand: int | None
    library: str | None  # name of the Calibre library's folder
    calibre_id: int | None


@dataclass(frozen=True)
class Twins:
    """Works that may be one: their numbers and titles, and by what they are alike."""

    why: Literal["isbn", "title"]
    book_ids: list[int]
    titles: list[str]


@dataclass(frozen=True)
class IngestRun:
    run_id: int
    path: str
    started_at: datetime
    finished_at: datetime | None
    status: str
    counts: dict[str, Any]
    message: str | None


_LACKS: LiteralString = """
    works.summary is null or works.summary = '' as lacks_summary,
    covers.cover_path is null as lacks_cover,
    not exists (
        select from library.editions as held join library.identifiers using (edition_id)
        where held.book_id = works.book_id and held.active and identifiers.kind = 'isbn'
    ) as lacks_isbn,
    works.language is null as lacks_language,
    works.subjects_text = '' as lacks_subjects"""
_WORKS: LiteralString = """library.works
    left join library.editions as covers on covers.edition_id = works.cover_edition_id"""


def held(conn: psycopg.Connection, staff: Account | None) -> Held:
    """Raises NotAllowedError."""
    accounts.must_be_staff(staff)
    with conn.cursor(row_factory=class_row(Held)) as cursor:
        found = cursor.execute(
            f"""select count(*)::int as count_works, count(*) filter (where lacks_summary)::int as summary,
                    count(*) filter (where lacks_cover)::int as cover, count(*) filter (where lacks_isbn)::int as isbn,
                    count(*) filter (where lacks_language)::int as language,
                    count(*) filter (where lacks_subjects)::int as subjects
                from (select {_LACKS} from {_WORKS} where works.active and {SERVED}) as records"""
        ).fetchone()
    assert found
    return found


def lacking(conn: psycopg.Connection, staff: Account | None, what: Lack | None, limit: int = 200) -> list[LackingWork]:
    """Works that lack this (None: anything), the most wanted first. Raises NotAllowedError."""
    accounts.must_be_staff(staff)
    known = conn.execute("select to_regclass('marts.mart_exposure_works')").fetchone() != (None,)
    demand: LiteralString = (
        "left join marts.mart_exposure_works as asked using (book_id)"
        if known
        else "left join (select null::int as book_id, null::int as count_opens_recent, true as is_suppressed) as asked"
        " using (book_id)"
    )
    with conn.cursor(row_factory=class_row(LackingWork)) as cursor:
        return cursor.execute(
            f"""with records as (
                    select works.book_id, works.title, works.authors_text, {_LACKS}
                    from {_WORKS} where works.active and {SERVED}
                ),
                named as (
                    select records.*, array_remove(array[
                        case when lacks_summary then 'summary' end, case when lacks_cover then 'cover' end,
                        case when lacks_isbn then 'isbn' end, case when lacks_language then 'language' end,
                        case when lacks_subjects then 'subjects' end
                    ], null) as lacks
                    from records
                )
                select named.book_id, named.title, named.authors_text, named.lacks,
                    case when not asked.is_suppressed then asked.count_opens_recent end as demand,
                    regexp_replace(libraries.path, '^.*[/\\\\]', '') as library, editions.calibre_id
                from named {demand}
                left join lateral (
                    select library_id, calibre_id from library.editions
                    where editions.book_id = named.book_id and editions.active order by edition_id limit 1
                ) as editions on true
                left join library.libraries using (library_id)
                where cardinality(named.lacks) > 0 and (%(what)s::text is null or %(what)s = any(named.lacks))
                order by asked.count_opens_recent desc nulls last, cardinality(named.lacks) desc, named.book_id
                limit %(limit)s""",
            {"what": what, "limit": limit},
        ).fetchall()


def twins(conn: psycopg.Connection, staff: Account | None, limit: int = 100) -> list[Twins]:
    """What `suspected_twins` says, for staff. Raises NotAllowedError."""
    accounts.must_be_staff(staff)
    return suspected_twins(conn, limit)


def suspected_twins(conn: psycopg.Connection, limit: int | None = 100) -> list[Twins]:
    """Works with one ISBN, or with one main title, one language and one surname of the first author."""
    with conn.cursor(row_factory=class_row(Twins)) as cursor:
        return cursor.execute(
            """with same_isbn as (
                   select 'isbn' as why, array_agg(distinct works.book_id) as ids
                   from library.identifiers join library.editions using (edition_id)
                   join library.works on works.book_id = editions.book_id
                   where identifiers.kind = 'isbn' and editions.active and works.active
                   group by identifiers.value having count(distinct works.book_id) > 1
               ),
               named as (
                   select works.book_id, works.kind, works.language, split_part(authors.sort, ',', 1) as surname,
                       btrim(regexp_replace(works.sort_key, '[:(].*$', '')) as main_title
                   from library.works
                   join library.work_authors on work_authors.book_id = works.book_id and work_authors.position = 0
                   join library.authors using (author_id)
                   where works.active
               ),
               same_title as (
                   select 'title' as why, array_agg(book_id) as ids from named where length(main_title) > 2
                   group by main_title, lower(surname), language, kind having count(*) > 1
               ),
               found as (
                   select distinct on (ids) why, ids from (
                       select why, (select array_agg(id order by id) from unnest(ids) as id) as ids
                       from (select * from same_isbn union all select * from same_title) as either
                   ) as ordered order by ids, why
               )
               select found.why, found.ids as book_ids,
                   (select array_agg(title order by book_id) from library.works where book_id = any(ids)) as titles
               from found order by why, ids limit %s""",
            [limit],
        ).fetchall()


def ingests(conn: psycopg.Connection, staff: Account | None, limit: int = 20) -> list[IngestRun]:
    """The newest first. Raises NotAllowedError."""
    accounts.must_be_staff(staff)
    with conn.cursor(row_factory=class_row(IngestRun)) as cursor:
        return cursor.execute(
            """select run_id, path, started_at, finished_at, status, counts, message
               from library.ingest_runs order by run_id desc limit %s""",
            [limit],
        ).fetchall()
