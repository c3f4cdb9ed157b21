"""How good the catalogue and what is known of its use are: counts, gaps, distributions. Of nobody in particular."""

from dataclasses import dataclass
from typing import LiteralString

import psycopg
from psycopg.rows import class_row

from openshelf.database.catalogue import MIN_READERS

# Acts of this many days say what readers ask for.
DEMAND_DAYS = 90
_GIVEN = {"days": DEMAND_DAYS, "least": MIN_READERS, "top": 25}


@dataclass(frozen=True)
class Source:
    """A library, a delivery or a data set. `kind`: calibre, marc, epub, dataset."""

    kind: str
    name: str
    editions: int
    works: int
    acts: int  # of a data set


@dataclass(frozen=True)
class Gap:
    """Works that lack a field. `demanded`: share of the acts that met a work which lacks it; null: there were none."""

    field: str
    works: int
    share: float
    demanded: float | None


@dataclass(frozen=True)
class Bar:
    """One bar of a distribution; `count` is null where it is of fewer readers than may be told of."""

    name: str
    count: int | None


_ACTS: LiteralString = """
    select coalesce(works.merged_into, works.book_id) as book_id, reader_key
    from stream.interactions join library.works using (book_id)
    where not inferred and occurred_at > now() - %(days)s * interval '1 day'
    union all
    select editions.book_id, reader_key from stream.imported_acts join library.editions using (edition_id)"""
_LACKS: dict[str, LiteralString] = {
    "summary": "coalesce(works.summary, '') = ''",
    "cover": "works.cover_edition_id is null",
    "authors": "works.authors_text = ''",
    "subjects": "works.subjects_text = ''",
    "language": "works.language is null",
    "year": "works.year is null",
    "ISBN": """not exists (
        select from library.editions join library.identifiers using (edition_id)
        where editions.book_id = works.book_id and editions.active and identifiers.kind = 'isbn')""",
    "file": """not exists (
        select from library.editions join library.files using (edition_id)
        where editions.book_id = works.book_id and editions.active)""",
    "vector": "not exists (select from library.text_embeddings as texts where texts.book_id = works.book_id)",
}
_BUCKETS: LiteralString = """case when n = 1 then '1' when n < 5 then '2-4' when n < 10 then '5-9'
    when n < 20 then '10-19' when n < 50 then '20-49' when n < 100 then '50-99' else '100 and more' end"""


def sources(conn: psycopg.Connection) -> list[Source]:
    """Where the catalogue comes from, what holds most first."""
    with conn.cursor(row_factory=class_row(Source)) as cursor:
        return cursor.execute(
            """select libraries.kind, case when libraries.kind = 'calibre' then libraries.path
                       else regexp_replace(libraries.calibre_uuid, '^[^:]*:', '') end as name,
                   count(editions.edition_id) filter (where editions.active) as editions,
                   count(distinct editions.book_id) filter (where editions.active) as works,
                   (select count(*) from stream.imported_acts as acts
                    where acts.library_id = libraries.library_id) as acts
               from library.libraries left join library.editions using (library_id)
               group by libraries.library_id order by editions desc, name"""
        ).fetchall()


def kinds(conn: psycopg.Connection) -> list[Bar]:
    return _bars(
        conn, "select kind as name, count(*) as count from library.works where active group by kind order by 2 desc"
    )


def gaps(conn: psycopg.Connection) -> list[Gap]:
    """What active works lack, what readers meet most often first."""
    lacks = ", ".join(f"coalesce({condition}, false)" for condition in _LACKS.values())
    statement = f"""
        with asked as (select book_id, count(*) as n from ({_ACTS}) as acts group by book_id)
        select array[{lacks}] as lacks, count(*) as works, coalesce(sum(asked.n), 0)::bigint as acts
        from library.works left join asked using (book_id) where works.active group by 1"""
    rows = conn.execute(statement, _GIVEN).fetchall()  # pyright: ignore[reportArgumentType, reportCallIssue]
    all_works, all_acts = sum(row[1] for row in rows), sum(row[2] for row in rows)
    found = []
    for at, field in enumerate(_LACKS):
        works = sum(row[1] for row in rows if row[0][at])
        acts = sum(row[2] for row in rows if row[0][at])
        share = works / all_works if all_works else 0.0
        found.append(Gap(field, works, share, acts / all_acts if all_acts else None))
    return sorted(found, key=lambda gap: (-(gap.demanded or 0), -gap.share, gap.field))


def decades(conn: psycopg.Connection) -> list[Bar]:
    """Works by decade of first publication; what is before 1900 by century."""
    return _bars(
        conn,
        """select case when year is null then 'not known' when year < 1900
               then (year / 100 * 100) || ' to ' || (year / 100 * 100 + 99)
               else (year / 10 * 10)::text || 's' end as name, count(*) as count
           from library.works where active group by 1 order by min(year) nulls last""",
    )


def languages(conn: psycopg.Connection) -> list[Bar]:
    return _bars(
        conn,
        """select coalesce(language, 'not known') as name, count(*) as count
            from library.works where active group by 1 order by 2 desc, 1 limit %(top)s""",
    )


def subjects(conn: psycopg.Connection) -> list[Bar]:
    return _bars(
        conn,
        """select subjects.name, count(*) as count
            from library.work_subjects join library.subjects using (subject_id) join library.works using (book_id)
            where works.active group by subjects.name order by 2 desc, 1 limit %(top)s""",
    )


def acts_per_work(conn: psycopg.Connection) -> list[Bar]:
    """How many active works were met how often."""
    return _bars(
        conn,
        f"""with asked as (
                select works.book_id, count(acts.book_id) as n
                from library.works left join ({_ACTS}) as acts using (book_id) where works.active group by works.book_id
            )
            select case when n = 0 then 'never' else {_BUCKETS} end as name, count(*) as count
            from asked group by 1 order by min(n)""",
    )


def acts_per_reader(conn: psycopg.Connection) -> list[Bar]:
    """How many readers did how much; fewer than `MIN_READERS` alike are not told of."""
    return _bars(
        conn,
        f"""with done as (select reader_key, count(*) as n from ({_ACTS}) as acts group by reader_key)
            select {_BUCKETS} as name, case when count(*) >= %(least)s then count(*) end as count
            from done group by 1 order by min(n)""",
    )


def stars(conn: psycopg.Connection) -> list[Bar]:
    """Ratings of data sets by whole and half stars."""
    return _bars(
        conn,
        """select to_char(round(value * 2) / 2, 'FM0.0') as name, count(*) as count
           from stream.imported_acts where value is not null group by 1 order by 1""",
    )


def _bars(conn: psycopg.Connection, statement: LiteralString) -> list[Bar]:
    with conn.cursor(row_factory=class_row(Bar)) as cursor:
        return cursor.execute(statement, _GIVEN).fetchall()
