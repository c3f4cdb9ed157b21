"""The text inside books: which files it comes from, the passages, and where words stand in them."""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from openshelf.database.catalogue import LibraryFile
from openshelf.database.filters import Filters, conditions, parameters
from openshelf.database.search import MAX_RANKED

_LOCK = 7306


@dataclass(frozen=True)
class TextFile:
    """A file that may be searched inside, with what was stored of it when it was read last."""

    edition_id: int
    title: str
    library_path: str
    path: str
    format: str  # EPUB or PDF
    size_bytes: int | None  # this and what follows: of the file that was read; null where none was
    modified_ns: int | None
    file_hash: str | None
    recipe: str | None
    problem: str | None

    @property
    def file(self) -> LibraryFile:
        return LibraryFile(self.library_path, self.path)


@dataclass(frozen=True)
class Passage:
    """A piece of a book's text. `body`: a line for each paragraph; `blocks`: where each stands in the part.

    `part` from 1 and blocks from 0, as the reading page counts; of a PDF the page, and all of it one block.
    """

    part: int
    chapter: str
    body: str
    blocks: list[int]
    folded: str


@dataclass(frozen=True)
class Found:
    """The passage of a work that answers best."""

    book_id: int
    score: float
    part: int
    chapter: str
    body: str
    blocks: list[int]


def take_turn(conn: psycopg.Connection) -> bool:
    """Whether nobody else reads texts just now; until this connection ends, nobody else will."""
    return conn.execute("select pg_try_advisory_lock(%s)", [_LOCK]).fetchone() == (True,)


def give_turn(conn: psycopg.Connection) -> None:
    conn.execute("select pg_advisory_unlock(%s)", [_LOCK])


def files(conn: psycopg.Connection) -> list[TextFile]:
    """Of each work that the library has not left out the file that the reading page opens, by edition_id."""
    with conn.cursor(row_factory=class_row(TextFile)) as cursor:
        return cursor.execute(
            """with opened as (
                   select distinct on (works.book_id) editions.edition_id, editions.title,
                       libraries.path as library_path, files.path, files.format
                   from library.files join library.editions using (edition_id)
                   join library.libraries using (library_id) join library.works using (book_id)
                   where files.format in ('EPUB', 'PDF') and editions.active and works.active
                       and libraries.is_searched_inside and works.is_searched_inside
                   -- as `catalogue.file_of`, and an EPUB rather than a PDF
                   order by works.book_id, files.format, editions.published_on desc nulls last, editions.edition_id
               )
               select opened.*, texts.size_bytes, texts.modified_ns, texts.file_hash, texts.recipe, texts.problem
               from opened left join library.texts using (edition_id)
               order by opened.edition_id"""
        ).fetchall()


def store(
    conn: psycopg.Connection,
    file: TextFile,
    *,
    size_bytes: int,
    modified_ns: int,
    file_hash: str,
    recipe: str,
    problem: str | None,
    passages: Sequence[Passage] | None,
) -> None:
    """What a file held; `passages` None: the same as is stored, only its time and place are new."""
    conn.execute(
        """insert into library.texts (edition_id, path, size_bytes, modified_ns, file_hash, recipe, problem)
           values (%s, %s, %s, %s, %s, %s, %s)
           on conflict (edition_id) do update set path = excluded.path, size_bytes = excluded.size_bytes,
               modified_ns = excluded.modified_ns, file_hash = excluded.file_hash, recipe = excluded.recipe,
               problem = excluded.problem, read_at = now()""",
        [file.edition_id, file.path, size_bytes, modified_ns, file_hash, recipe, problem],
    )
    if passages is None:
        return
    conn.execute("delete from library.passages where edition_id = %s", [file.edition_id])
    with conn.cursor() as cursor:
        cursor.executemany(
            """insert into library.passages (edition_id, number, part, chapter, body, blocks, search)
               values (%s, %s, %s, %s, %s, %s, to_tsvector('simple', %s))""",
            [
                (file.edition_id, number, each.part, each.chapter, each.body, each.blocks, each.folded)
                for number, each in enumerate(passages)
            ],
        )


def remove(conn: psycopg.Connection, but: Sequence[int] = ()) -> int:
    """Remove the texts of all editions but these; how many."""
    return conn.execute("delete from library.texts where edition_id <> all(%s)", [list(but)]).rowcount


def let_search_work(conn: psycopg.Connection, book_id: int, *, is_on: bool) -> bool:
    """Whether there is such a work; it is left out from now on, or no longer."""
    return (
        conn.execute("update library.works set is_searched_inside = %s where book_id = %s", [is_on, book_id]).rowcount
        > 0
    )


def let_search_library(conn: psycopg.Connection, path: str, *, is_on: bool) -> bool:
    """Whether there is a library at this path; it is left out from now on, or no longer."""
    return (
        conn.execute("update library.libraries set is_searched_inside = %s where path = %s", [is_on, path]).rowcount > 0
    )


def find(
    conn: psycopg.Connection,
    words: str,
    filters: Filters,
    limit: int,
    *,
    audiences: Sequence[str] | None,
) -> list[Found]:
    """Works of which a passage holds the folded words (web-search syntax), each with its best one; best first.

    Of a file that is gone, or a work or library that is left out, nothing is found from that moment on.
    """
    with conn.cursor(row_factory=class_row(Found)) as cursor:
        return cursor.execute(
            f"""with query as (select websearch_to_tsquery('simple', %(words)s) as asked),
                matches as (
                    select works.book_id, passages.edition_id, passages.number,
                        -- 1: a long passage does not win by its length
                        ts_rank_cd(passages.search, query.asked, 1) as score
                    from query
                    join library.passages on passages.search @@ query.asked
                    join library.editions on editions.edition_id = passages.edition_id and editions.active
                    join library.libraries using (library_id)
                    join library.works on works.book_id = editions.book_id
                    where libraries.is_searched_inside and works.is_searched_inside and {conditions(filters)}
                        and exists (
                            select from library.files
                            where files.edition_id = editions.edition_id and files.format in ('EPUB', 'PDF')
                        )
                    limit %(max_ranked)s
                ),
                best as (
                    select distinct on (book_id) book_id, edition_id, number, score from matches
                    order by book_id, score desc, edition_id, number
                )
                select best.book_id, best.score::float8, part, chapter, body, blocks
                from best join library.passages using (edition_id, number)
                order by best.score desc, best.book_id limit %(limit)s""",
            {"words": words, "max_ranked": MAX_RANKED, "limit": limit, **parameters(filters, audiences)},
        ).fetchall()
