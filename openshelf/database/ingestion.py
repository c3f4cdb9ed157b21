"""Writes of ingest: libraries, editions, works and what hangs on them, in sets.

Rows travel by COPY into temporary tables and are merged by one statement each, so a library of 100,000 books
costs a handful of statements. The caller holds the transaction.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, LiteralString

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from openshelf.errors import UsageError

_LOCK = 7_203_002  # one ingest at a time


@dataclass(frozen=True)
class StoredEdition:
    edition_id: int
    calibre_id: int
    book_id: int
    calibre_modified_at: datetime
    content_hash: str
    active: bool
    source_key: str | None
    work_key: str | None
    is_pinned: bool


@dataclass(frozen=True)
class EditionRow:
    """An edition as it is stored; the names are those of the columns of `library.editions`."""

    calibre_id: int
    calibre_uuid: str | None
    book_id: int
    title: str
    title_sort: str
    authors_text: str
    languages: list[str]
    published_on: date | None
    publisher: str | None
    series_name: str | None
    series_index: float | None
    rating: float | None
    summary: str | None
    subjects: list[str]
    folder: str
    cover_path: str | None
    calibre_added_at: datetime | None
    calibre_modified_at: datetime
    content_hash: str
    author_names: list[str]
    author_sorts: list[str]
    original_title: str | None
    source_key: str | None
    work_key: str | None
    work_reason: str
    kind: str
    accessibility: dict[str, Any] | None


@dataclass(frozen=True)
class ActiveEdition:
    """An edition of a work that is to be told anew, whatever library holds it."""

    edition_id: int
    library_id: int
    calibre_id: int
    book_id: int
    title: str
    title_sort: str
    authors_text: str
    languages: list[str]
    published_on: date | None
    publisher: str | None
    series_name: str | None
    series_index: float | None
    rating: float | None
    summary: str | None
    subjects: list[str]
    cover_path: str | None
    calibre_added_at: datetime | None
    updated_at: datetime
    author_names: list[str]
    author_sorts: list[str]
    kind: str


@dataclass(frozen=True)
class WorkRow:
    """A work as it is stored; `search_*` are folded texts, one for each weight."""

    book_id: int
    kind: str
    title: str
    title_sort: str
    authors_text: str
    language: str | None
    year: int | None
    audience: str
    summary: str | None
    publisher: str | None
    rating: float | None
    series_name: str | None
    series_index: float | None
    cover_edition_id: int | None
    subjects_text: str
    folded: str
    added_at: datetime
    search_title: str
    search_names: str
    search_subjects: str
    search_summary: str
    pages: int | None = None
    age_from: int | None = None
    age_to: int | None = None  # none beside an `age_from`: and older
    themes: tuple[str, ...] = ()
    moods: tuple[str, ...] = ()
    search_appeal: str = ""  # weighs as the subjects do


@dataclass(frozen=True)
class Totals:
    editions: int
    works: int


def lock(conn: psycopg.Connection, patience_s: float | None = None) -> None:
    """Wait until no other ingest runs, so long at most; held until the transaction ends.

    Raises:
        UsageError: another one runs still.
    """
    try:
        if patience_s is not None:
            conn.execute("select set_config('lock_timeout', %s, true)", [f"{int(patience_s * 1000)}ms"])
        conn.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
    except psycopg.errors.LockNotAvailable as error:
        raise UsageError("an ingest is under way: try again when it is done") from error


def put_library(conn: psycopg.Connection, calibre_uuid: str, path: str, kind: str = "calibre") -> int:
    """library_id of a Calibre library or another source, made if it is new; one that moved keeps its id."""
    row = conn.execute(
        """insert into library.libraries (calibre_uuid, path, kind) values (%s, %s, %s)
           on conflict (calibre_uuid) do update set path = excluded.path returning library_id""",
        [calibre_uuid, path, kind],
    ).fetchone()
    assert row
    return row[0]


def stored_editions(conn: psycopg.Connection, library_id: int) -> dict[int, StoredEdition]:
    """Calibre's id -> what is stored of it, withdrawn editions too."""
    with conn.cursor(row_factory=class_row(StoredEdition)) as cursor:
        rows = cursor.execute(
            """select edition_id, calibre_id, book_id, calibre_modified_at, content_hash, active, source_key, work_key,
                   is_pinned
               from library.editions where library_id = %s""",
            [library_id],
        )
        return {row.calibre_id: row for row in rows}


def edition_fields(conn: psycopg.Connection, edition_ids: Sequence[int]) -> dict[int, EditionRow]:
    """Calibre's id -> all stored fields, to tell what an edit changed."""
    with conn.cursor(row_factory=class_row(EditionRow)) as cursor:
        rows = cursor.execute(
            """select calibre_id, calibre_uuid, book_id, title, title_sort, authors_text, languages, published_on,
                   publisher, series_name, series_index, rating, summary, subjects, folder, cover_path,
                   calibre_added_at, calibre_modified_at, content_hash, author_names, author_sorts, original_title,
                   source_key, work_key, work_reason, kind, accessibility
               from library.editions where edition_id = any(%s)""",
            [list(edition_ids)],
        )
        return {row.calibre_id: row for row in rows}


def count_editions(conn: psycopg.Connection, book_ids: Sequence[int]) -> dict[int, int]:
    """book_id -> editions, withdrawn ones counted."""
    rows = conn.execute(
        "select book_id, count(*) from library.editions where book_id = any(%s) group by book_id", [list(book_ids)]
    )
    return dict(rows.fetchall())


def new_works(conn: psycopg.Connection, keys: Mapping[str, datetime]) -> dict[str, int]:
    """Make empty works for these keys (with their day of arrival), to be filled by `store_works`; key -> book_id."""
    rows = conn.execute(
        """insert into library.works (work_key, title, title_sort, added_at)
           select key, '', '', added_at from unnest(%s::text[], %s::timestamptz[]) as t (key, added_at)
           returning work_key, book_id""",
        [list(keys), list(keys.values())],
    )
    return dict(rows.fetchall())


def _copy(
    conn: psycopg.Connection, table: LiteralString, columns: LiteralString, rows: Iterable[Sequence[Any]]
) -> None:
    """Fill a temporary table of the transaction."""
    conn.execute(f"drop table if exists {table}")
    conn.execute(f"create temp table {table} ({columns}) on commit drop")
    with conn.cursor().copy(f"copy {table} from stdin") as copy:
        for row in rows:
            copy.write_row([array_text(tuple(cell)) if isinstance(cell, list | tuple) else cell for cell in row])


@lru_cache(maxsize=8192)  # languages, authors and subjects come again and again, and psycopg takes its time over each
def array_text(values: tuple[str, ...]) -> str:
    """Postgres' writing of a text[]."""
    return "{" + ",".join('"' + value.replace("\\", r"\\").replace('"', r"\"") + '"' for value in values) + "}"


def store_editions(conn: psycopg.Connection, library_id: int, rows: Sequence[EditionRow]) -> dict[int, int]:
    """Insert or update editions; Calibre's id -> edition_id. What was withdrawn is active again."""
    _copy(
        conn,
        "incoming_editions",
        """calibre_id int, calibre_uuid text, book_id int, title text, title_sort text, authors_text text,
           languages text[], published_on date, publisher text, series_name text, series_index real, rating real,
           summary text, subjects text[], folder text, cover_path text, calibre_added_at timestamptz,
           calibre_modified_at timestamptz, content_hash text, author_names text[], author_sorts text[],
           original_title text, source_key text, work_key text, work_reason text, kind text, accessibility jsonb""",
        ((*list(row.__dict__.values())[:-1], row.accessibility and Jsonb(row.accessibility)) for row in rows),
    )
    found = conn.execute(
        """insert into library.editions as e (
               library_id, calibre_id, calibre_uuid, book_id, title, title_sort, authors_text, languages, published_on,
               publisher, series_name, series_index, rating, summary, subjects, folder, cover_path, calibre_added_at,
               calibre_modified_at, content_hash, author_names, author_sorts, original_title, source_key, work_key,
               work_reason, kind, accessibility)
           select %s, i.* from incoming_editions as i
           on conflict (library_id, calibre_id) do update set
               calibre_uuid = excluded.calibre_uuid, book_id = excluded.book_id, title = excluded.title,
               title_sort = excluded.title_sort, authors_text = excluded.authors_text, languages = excluded.languages,
               published_on = excluded.published_on, publisher = excluded.publisher, series_name = excluded.series_name,
               series_index = excluded.series_index, rating = excluded.rating, summary = excluded.summary,
               subjects = excluded.subjects, folder = excluded.folder, cover_path = excluded.cover_path,
               calibre_added_at = excluded.calibre_added_at, calibre_modified_at = excluded.calibre_modified_at,
               content_hash = excluded.content_hash, author_names = excluded.author_names,
               author_sorts = excluded.author_sorts, original_title = excluded.original_title,
               source_key = excluded.source_key, work_key = excluded.work_key, work_reason = excluded.work_reason,
               kind = excluded.kind, accessibility = excluded.accessibility, active = true, withdrawn_at = null,
               updated_at = now()
           returning calibre_id, edition_id""",
        [library_id],
    )
    return dict(found.fetchall())


def touch_editions(conn: psycopg.Connection, times: Mapping[int, datetime]) -> None:
    """Note a newer time of change (by edition_id) where nothing that matters has changed."""
    conn.execute(
        """update library.editions as e set calibre_modified_at = t.modified_at
           from unnest(%s::int[], %s::timestamptz[]) as t (edition_id, modified_at)
           where e.edition_id = t.edition_id""",
        [list(times), list(times.values())],
    )


def store_files(
    conn: psycopg.Connection, edition_ids: Sequence[int], rows: Iterable[tuple[int, str, str, int]]
) -> None:
    """Replace the files of these editions: edition_id, format, path, bytes."""
    conn.execute("delete from library.files where edition_id = any(%s)", [list(edition_ids)])
    with conn.cursor().copy("copy library.files (edition_id, format, path, size_bytes) from stdin") as copy:
        for row in rows:
            copy.write_row(row)


def store_identifiers(
    conn: psycopg.Connection, edition_ids: Sequence[int], rows: Iterable[tuple[int, str, str]]
) -> None:
    """Replace the identifiers of these editions, but those that Open Library gave: edition_id, kind, value."""
    conn.execute(
        "delete from library.identifiers where edition_id = any(%s) and kind not like 'openlibrary%%'",
        [list(edition_ids)],
    )
    add_identifiers(conn, rows)


def add_identifiers(conn: psycopg.Connection, rows: Iterable[tuple[int, str, str]]) -> None:
    """Give editions identifiers, beside those they have or instead of one of the kind: edition_id, kind, value."""
    _copy(conn, "incoming_identifiers", "edition_id int, kind text, value text", rows)
    conn.execute(
        """insert into library.identifiers (edition_id, kind, value) select * from incoming_identifiers
           on conflict (edition_id, kind) do update set value = excluded.value
           where identifiers.value <> excluded.value"""
    )


def count_works(conn: psycopg.Connection, edition_ids: Sequence[int]) -> int:
    """Works that have one of these editions."""
    row = conn.execute(
        "select count(distinct book_id) from library.editions where edition_id = any(%s)", [list(edition_ids)]
    ).fetchone()
    assert row
    return row[0]


def store_classifications(
    conn: psycopg.Connection, edition_ids: Sequence[int], rows: Iterable[tuple[int, str, str]]
) -> None:
    """Replace the codes of these editions: edition_id, scheme, code."""
    conn.execute("delete from library.classifications where edition_id = any(%s)", [list(edition_ids)])
    with conn.cursor().copy("copy library.classifications (edition_id, scheme, code) from stdin") as copy:
        for row in rows:
            copy.write_row(row)


def classifications(conn: psycopg.Connection, edition_ids: Sequence[int]) -> dict[int, list[tuple[str, str]]]:
    """edition_id -> its codes: scheme, code."""
    rows = conn.execute(
        """select edition_id, array_agg(scheme order by scheme, code), array_agg(code order by scheme, code)
           from library.classifications where edition_id = any(%s) group by edition_id""",
        [list(edition_ids)],
    )
    return {edition_id: list(zip(schemes, codes, strict=True)) for edition_id, schemes, codes in rows}


def withdraw_editions(conn: psycopg.Connection, edition_ids: Sequence[int]) -> None:
    conn.execute(
        """update library.editions set active = false, withdrawn_at = now(), updated_at = now()
           where edition_id = any(%s) and active""",
        [list(edition_ids)],
    )


@dataclass(frozen=True)
class WholeEdition:
    """An active edition with all that other catalogues ask for."""

    edition_id: int
    book_id: int
    source_key: str | None
    title: str
    title_sort: str
    author_names: list[str]
    author_sorts: list[str]
    languages: list[str]
    published_on: date | None
    publisher: str | None
    series_name: str | None
    series_index: float | None
    summary: str | None
    subjects: list[str]
    original_title: str | None
    accessibility: dict[str, Any] | None
    added_at: datetime | None
    modified_at: datetime
    identifier_kinds: list[str]
    identifier_values: list[str]
    schemes: list[str]
    codes: list[str]


def whole_editions(
    conn: psycopg.Connection, book_ids: Sequence[int] | None = None, kind: str = "book"
) -> Iterator[WholeEdition]:
    """Active editions of active works of a kind, by edition_id; `book_ids`: of these works alone. Read as they go."""
    with conn.cursor("whole_editions", row_factory=class_row(WholeEdition)) as cursor:
        cursor.execute(
            """select e.edition_id, e.book_id, e.source_key, e.title, e.title_sort, e.author_names, e.author_sorts,
                   e.languages, e.published_on, e.publisher, e.series_name, e.series_index, e.summary, e.subjects,
                   e.original_title, e.accessibility, e.calibre_added_at as added_at,
                   e.calibre_modified_at as modified_at,
                   array(select i.kind from library.identifiers as i where i.edition_id = e.edition_id order by i.kind)
                       as identifier_kinds,
                   array(select i.value from library.identifiers as i where i.edition_id = e.edition_id order by i.kind)
                       as identifier_values,
                   array(select c.scheme from library.classifications as c where c.edition_id = e.edition_id
                         order by c.scheme, c.code) as schemes,
                   array(select c.code from library.classifications as c where c.edition_id = e.edition_id
                         order by c.scheme, c.code) as codes
               from library.editions as e join library.works as w using (book_id)
               where e.active and w.active and w.kind = %(kind)s
                   and (%(books)s::int[] is null or e.book_id = any(%(books)s)) order by e.edition_id""",
            {"kind": kind, "books": None if book_ids is None else list(book_ids)},
        )
        yield from cursor


def with_files(conn: psycopg.Connection, edition_ids: Sequence[int]) -> set[int]:
    """Those of these editions that have files here; the others are known by their records alone."""
    rows = conn.execute("select distinct edition_id from library.files where edition_id = any(%s)", [list(edition_ids)])
    return {edition for (edition,) in rows.fetchall()}


def active_editions(conn: psycopg.Connection, book_ids: Sequence[int]) -> list[ActiveEdition]:
    """All active editions of these works, by work and arrival."""
    with conn.cursor(row_factory=class_row(ActiveEdition)) as cursor:
        return cursor.execute(
            """select edition_id, library_id, calibre_id, book_id, title, title_sort, authors_text, languages,
                   published_on, publisher, series_name, series_index, rating, summary, subjects, cover_path,
                   calibre_added_at, updated_at, author_names, author_sorts, kind
               from library.editions where active and book_id = any(%s) order by book_id, edition_id""",
            [list(book_ids)],
        ).fetchall()


def store_works(conn: psycopg.Connection, rows: Sequence[WorkRow]) -> None:
    """Write the fields of works that exist, and make them active."""
    _copy(
        conn,
        "incoming_works",
        """book_id int, kind text, title text, title_sort text, authors_text text, language text, year int,
           audience text, summary text, publisher text, rating real, series_name text, series_index real,
           cover_edition_id int, subjects_text text, folded text, added_at timestamptz, search_title text,
           search_names text, search_subjects text, search_summary text, pages int, age_from int, age_to int,
           themes text[], moods text[], search_appeal text""",
        (tuple(row.__dict__.values()) for row in rows),
    )
    conn.execute(
        """insert into library.series (name)
           select distinct series_name from incoming_works where series_name is not null
           on conflict (name) do nothing"""
    )
    conn.execute(
        """update library.works as w set
               kind = i.kind, title = i.title, title_sort = i.title_sort, authors_text = i.authors_text,
               language = i.language, year = i.year, audience = i.audience, summary = i.summary,
               publisher = i.publisher, rating = i.rating,
               series_id = s.series_id, series_index = i.series_index, cover_edition_id = i.cover_edition_id,
               subjects_text = i.subjects_text, folded = i.folded, added_at = i.added_at, active = true,
               updated_at = now(),
               pages = i.pages, age_from = i.age_from, age_to = i.age_to, themes = i.themes, moods = i.moods,
               search = setweight(to_tsvector('simple', i.search_title), 'A')
                   || setweight(to_tsvector('simple', i.search_names), 'B')
                   || setweight(to_tsvector('simple', i.search_subjects), 'C')
                   || setweight(to_tsvector('simple', i.search_summary), 'D')
                   || setweight(to_tsvector('simple', i.search_appeal), 'C')
           from incoming_works as i left join library.series as s on s.name = i.series_name
           where w.book_id = i.book_id"""
    )


@contextmanager
def indexed_at_once(conn: psycopg.Connection) -> Iterator[None]:
    """The words of all works that are stored within go into the indexes together at the end: a third of the work.

    For who owns the tables, in a transaction.
    """
    conn.execute("set local gin_pending_list_limit = '1GB'")
    yield
    conn.execute("set local maintenance_work_mem = '256MB'")
    for index in ("works_search", "works_themes", "works_moods"):
        conn.execute("select gin_clean_pending_list(%s::regclass)", [f"library.{index}"])
    conn.execute("set local gin_pending_list_limit to default")
    conn.execute("set local maintenance_work_mem to default")


def store_work_authors(conn: psycopg.Connection, rows: Sequence[tuple[int, int, str, str]]) -> None:
    """Replace the authors of the works named: book_id, position, name, sort."""
    _copy(conn, "incoming_authors", "book_id int, position int, name text, sort text", rows)
    conn.execute(
        """insert into library.authors as a (name, sort)
           select distinct on (name) name, sort from incoming_authors order by name, book_id
           on conflict (name) do update set sort = excluded.sort where a.sort <> excluded.sort"""
    )
    conn.execute("delete from library.work_authors where book_id in (select book_id from incoming_authors)")
    conn.execute(
        """insert into library.work_authors (book_id, author_id, position)
           select i.book_id, a.author_id, min(i.position)
           from incoming_authors as i join library.authors as a using (name) group by i.book_id, a.author_id"""
    )


def forget_work_authors(conn: psycopg.Connection, book_ids: Sequence[int]) -> None:
    """These works have no author."""
    conn.execute("delete from library.work_authors where book_id = any(%s)", [list(book_ids)])


def store_work_subjects(
    conn: psycopg.Connection, book_ids: Sequence[int], rows: Sequence[tuple[int, int, str]]
) -> None:
    """Replace the subjects of these works: book_id, position, name; each name once."""
    _copy(conn, "incoming_subjects", "book_id int, position int, name text", rows)
    conn.execute(
        "insert into library.subjects (name) select distinct name from incoming_subjects on conflict (name) do nothing"
    )
    conn.execute("delete from library.work_subjects where book_id = any(%s)", [list(book_ids)])
    conn.execute(
        """insert into library.work_subjects (book_id, subject_id, position)
           select i.book_id, s.subject_id, i.position
           from incoming_subjects as i join library.subjects as s using (name)"""
    )


def retire_works(conn: psycopg.Connection, book_ids: Sequence[int]) -> int:
    """Make inactive those of these works that have no active edition left; how many."""
    return conn.execute(
        """update library.works as w set active = false, updated_at = now()
           where w.book_id = any(%s) and w.active
               and not exists (select from library.editions as e where e.book_id = w.book_id and e.active)""",
        [list(book_ids)],
    ).rowcount


def note_ingested(conn: psycopg.Connection, library_id: int) -> None:
    conn.execute("update library.libraries set last_ingested_at = now() where library_id = %s", [library_id])


def bump_version(conn: psycopg.Connection) -> int:
    """Tell the dataflow that what can be recommended has changed."""
    row = conn.execute(
        "update library.catalogue_version set version = version + 1, changed_at = now() returning version"
    ).fetchone()
    assert row
    return row[0]


def totals(conn: psycopg.Connection) -> Totals:
    """Active editions and works of the whole catalogue."""
    with conn.cursor(row_factory=class_row(Totals)) as cursor:
        row = cursor.execute(
            """select (select count(*) from library.editions where active) as editions,
                      (select count(*) from library.works where active) as works"""
        ).fetchone()
    assert row
    return row
