"""Search over works: full text and meaning in one statement; neighbours of a work; words for mending typos."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg
from pgvector import HalfVector
from psycopg import sql
from psycopg.rows import class_row

from openshelf.database import holdings
from openshelf.database.filters import RECOMMENDED, SERVED, WITHIN, Filters, conditions, parameters

# The ranks of the two lists are joined as 1 / (RANK_OFFSET + place): Cormack, Clarke and Buettcher 2009.
RANK_OFFSET = 60
# A very common word matches much of the catalogue: only this many matches are ranked, which takes some 10 ms.
MAX_RANKED = 1_000
ANY_WORK = Filters()


@dataclass(frozen=True)
class Found:
    """One work as the statement found it; `words_place` and `cosine` are null where that side did not find it."""

    book_id: int
    title: str
    authors_text: str
    score: float
    words_place: int | None
    cosine: float | None


@dataclass(frozen=True)
class Neighbour:
    book_id: int
    score: float


# The typed words, or the words before the last one and any word that begins as the last one does.
_QUERY: LiteralString = """
    select websearch_to_tsquery('simple', %(words)s)
        || (websearch_to_tsquery('simple', %(head)s) && to_tsquery('simple', %(prefix)s)) as asked
"""


# The filters are repeated inside each list: filtering afterwards would leave a page of thirty with two.
def _statement(allowed: LiteralString) -> LiteralString:
    return f"""
        with query as ({_QUERY}),
        matches as (
            select works.book_id, works.search, works.folded, query.asked
            from query join library.works on works.search @@ query.asked
            where (%(labels)s::"char"[] is null or ts_filter(works.search, %(labels)s) @@ query.asked)
            and {allowed}
            limit %(max_ranked)s
        ),
        by_words as (
            select book_id, row_number() over (order by is_title desc, score desc, book_id) as place
            from (
                select
                    book_id,
                    starts_with(folded || ' ', %(folded)s || ' ') as is_title,
                    -- 1: a long blurb does not win by its length; weights of summary, subjects, names, title
                    ts_rank_cd('{{0.1, 0.3, 0.6, 1.0}}', search, asked, 1) as score
                from matches
            ) as ranked
            order by place limit %(pool)s
        ),
        nearest as (
            select text_embeddings.book_id, 1 - (embedding <=> %(vector)s::halfvec) as cosine
            from library.text_embeddings join library.works using (book_id)
            where %(vector)s::text is not null and text_embeddings.model = %(model)s and {allowed}
            order by embedding <=> %(vector)s::halfvec
            limit %(pool)s
        ),
        by_meaning as (
            select book_id, cosine, row_number() over (order by cosine desc, book_id) as place
            from nearest where cosine >= %(floor)s
        )
        select
            book_id, title, authors_text, by_words.place::int as words_place, by_meaning.cosine,
            coalesce(%(words_weight)s / (%(rank_offset)s + by_words.place), 0)::float8
                + coalesce(1.0 / (%(rank_offset)s + by_meaning.place), 0)::float8 as score
        from by_words full join by_meaning using (book_id) join library.works using (book_id)
        order by score desc, by_words.place, book_id
        limit %(limit)s
    """


@dataclass(frozen=True, kw_only=True)
class Query:
    """What one search asks. All text is folded already.

    `words` in web-search syntax; `labels` restricts to weights of the tsvector ('A' title, 'B' names, 'C' subjects);
    `vector` is the query's embedding as pgvector text.
    """

    words: str = ""
    head: str = ""
    prefix: str = ""
    folded: str = ""
    labels: list[str] | None = None
    vector: str | None = None
    model: str = ""
    floor: float = 0.0
    words_weight: float = 1.0
    filters: Filters = ANY_WORK
    audiences: Sequence[str] | None = None  # what the account is limited to
    pool: int = 100
    limit: int = 30


def find(conn: psycopg.Connection, query: Query) -> list[Found]:
    """Run one search; best first."""
    asked = {**vars(query), **parameters(query.filters, query.audiences)}
    asked |= {"rank_offset": RANK_OFFSET, "max_ranked": MAX_RANKED}
    with conn.cursor(row_factory=class_row(Found)) as cursor:
        return cursor.execute(_statement(conditions(query.filters)), asked).fetchall()


def with_isbn(conn: psycopg.Connection, isbn: str, filters: Filters, audiences: Sequence[str] | None) -> list[int]:
    """The work of which we hold the edition with this ISBN (of 13 digits), if it passes the filters."""
    held = list(holdings.by_isbn(conn, [isbn], audiences).values())
    rows = conn.execute(
        f"select works.book_id from library.works where works.book_id = any(%(held)s) and {conditions(filters)}",
        {**parameters(filters, audiences), "held": held},
    )
    return [book_id for (book_id,) in rows]


def filed_authors(conn: psycopg.Connection, book_ids: Sequence[int]) -> dict[int, str]:
    """What the authors of these works are filed under, of those that have any."""
    rows = conn.execute(
        """select work_authors.book_id, string_agg(authors.sort, ' ')
           from library.work_authors join library.authors using (author_id)
           where work_authors.book_id = any(%s) group by work_authors.book_id""",
        [list(book_ids)],
    )
    return dict(rows.fetchall())


def folded_texts(conn: psycopg.Connection) -> list[str]:
    """Folded title, authors and series of each active work."""
    return [text for (text,) in conn.execute(f"select folded from library.works where active and {SERVED}").fetchall()]


def known_words(conn: psycopg.Connection, words: list[str]) -> set[str]:
    """Those of the folded words that stand anywhere in the index of an active work."""
    rows = conn.execute(
        f"""select word from unnest(%s::text[]) as asked (word)
           where exists (
               select 1 from library.works
               where works.active and {SERVED} and works.search @@ plainto_tsquery('simple', asked.word)
           )""",
        [words],
    )
    return {word for (word,) in rows.fetchall()}


def counts_holding(conn: psycopg.Connection, asked: Sequence[str]) -> list[int]:
    """How many active works each of these tsqueries finds; at most `MAX_RANKED`."""
    rows = conn.execute(
        f"""select (
               select count(*) from (
                   select 1 from library.works
                   where works.active and {SERVED} and works.search @@ to_tsquery('simple', query)
                   limit %(most)s
               ) as held
           ) from unnest(%(asked)s::text[]) with ordinality as asked (query, place) order by place""",
        {"asked": list(asked), "most": MAX_RANKED},
    )
    return [count for (count,) in rows.fetchall()]


def titles(conn: psycopg.Connection) -> list[tuple[int, str]]:
    """(book_id, title) of each active work."""
    return conn.execute(
        f"select book_id, title from library.works where active and {SERVED} order by book_id"
    ).fetchall()


@dataclass(frozen=True)
class Titled:
    """A work by its title."""

    book_id: int
    title: str
    authors_text: str
    language: str | None


def titles_and_authors(conn: psycopg.Connection) -> list[Titled]:
    """Each active work by its title."""
    with conn.cursor(row_factory=class_row(Titled)) as cursor:
        return cursor.execute(
            f"""select book_id, title, authors_text, language
               from library.works where active and {SERVED} order by book_id"""
        ).fetchall()


# Words are counted in so many works: what is common shows there, and what is rare is rare.
MAX_COUNTED = 5_000


def count_words(conn: psycopg.Connection, language: str | None) -> list[tuple[str, int]]:
    """Folded words of records, of one language or of all, and how many of `MAX_COUNTED` of them hold each."""
    within = sql.SQL("true") if language is None else sql.SQL("language = {}").format(sql.Literal(language))
    counted = sql.SQL("select search from library.works where active and {} order by book_id limit {}").format(
        within, sql.Literal(MAX_COUNTED)
    )
    return conn.execute("select word, ndoc from ts_stat(%s)", [counted.as_string(conn)]).fetchall()


def neighbours(
    conn: psycopg.Connection, book_id: int, limit: int, *, audiences: Sequence[str] | None = None
) -> list[Neighbour]:
    """Active works whose text embedding is closest (score: cosine); empty when this work has none."""
    with conn.cursor(row_factory=class_row(Neighbour)) as cursor:
        # By the index, where there is one: its order knows no second key, so a few more are put in order here.
        return cursor.execute(
            f"""with own as materialized (
                    select embedding, model from library.text_embeddings where book_id = %(book_id)s
                ),
                near as (
                    select book_id, text_embeddings.embedding <=> (select embedding from own) as distance
                    from library.text_embeddings join library.works using (book_id)
                    where book_id != %(book_id)s and text_embeddings.model = (select model from own)
                        and works.active and {WITHIN} and {RECOMMENDED}
                    order by text_embeddings.embedding <=> (select embedding from own) limit 2 * %(limit)s
                )
                select book_id, 1 - distance as score from near order by distance, book_id limit %(limit)s""",
            {"book_id": book_id, "limit": limit, "audiences": _list(audiences)},
        ).fetchall()


def of_same_authors(
    conn: psycopg.Connection, book_id: int, limit: int, *, audiences: Sequence[str] | None = None
) -> list[int]:
    """Active works that share an author, the best rated first."""
    rows = conn.execute(
        f"""select works.book_id
           from library.works
           where works.active and {WITHIN} and {RECOMMENDED} and works.book_id != %(book_id)s and exists (
               select 1 from library.work_authors as own join library.work_authors as other using (author_id)
               where own.book_id = %(book_id)s and other.book_id = works.book_id
           )
           order by works.rating desc nulls last, works.book_id limit %(limit)s""",
        {"book_id": book_id, "limit": limit, "audiences": _list(audiences)},
    )
    return [found for (found,) in rows.fetchall()]


def exists(conn: psycopg.Connection, book_id: int) -> bool:
    statement: LiteralString = f"select 1 from library.works where book_id = %s and active and {SERVED}"
    return conn.execute(statement, [book_id]).fetchone() is not None


@dataclass(frozen=True)
class Record:
    """What a work's record says, as the librarian may quote it."""

    book_id: int
    title: str
    authors_text: str
    year: int | None
    language: str | None
    audience: str
    subjects_text: str
    series_name: str | None
    summary: str | None
    series_index: float | None = None
    rating: float | None = None  # stars, 0 to 5
    pages: int | None = None
    age_from: int | None = None  # of readers, in years
    age_to: int | None = None  # None with an `age_from`: and older
    themes: tuple[str, ...] = ()  # what it is about and how it feels, as its source says, the strongest first
    moods: tuple[str, ...] = ()

    @property
    def authors(self) -> list[str]:
        return self.authors_text.split(", ")


def records(conn: psycopg.Connection, book_ids: list[int], *, audiences: Sequence[str] | None = None) -> list[Record]:
    """Records of the active ones of these works, in the order given."""
    with conn.cursor(row_factory=_record_row) as cursor:
        return cursor.execute(
            f"""select book_id, title, authors_text, year, language, audience, subjects_text,
                   series.name as series_name, summary, works.series_index, works.rating, works.pages,
                   works.age_from, works.age_to, works.themes, works.moods
               from unnest(%(book_ids)s::int[]) with ordinality as asked (book_id, place)
               join library.works using (book_id) left join library.series using (series_id)
               where works.active and {WITHIN} order by asked.place""",
            {"book_ids": book_ids, "audiences": _list(audiences)},
        ).fetchall()


def _record_row(_cursor: object) -> Callable[[Sequence[Any]], Record]:
    def make(values: Sequence[Any]) -> Record:
        *_others, themes, moods = values
        return Record(*[*values[:-2], tuple(themes), tuple(moods)])

    return make


def count_terms(conn: psycopg.Connection) -> list[tuple[str, int]]:
    """All themes and moods that active works have, as their sources say them, and how many works have each."""
    return conn.execute(
        f"""select term, count(*) from library.works, unnest(themes || moods) as term
           where works.active and {SERVED} group by term order by term"""
    ).fetchall()


def vectors(conn: psycopg.Connection, book_ids: Sequence[int], model: str) -> list[HalfVector]:
    """The text embeddings of these works, of those that have one."""
    rows = conn.execute(
        "select embedding from library.text_embeddings where book_id = any(%s) and model = %s", [list(book_ids), model]
    )
    return [vector for (vector,) in rows.fetchall()]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What works worth a look have of a question, see `look`; all text is folded already.

    `any_word`: a tsquery of alternatives, '' for none; `vector`: an embedding as pgvector text; `terms`: themes and
    moods as works have them; `subjects`: names in lower case; `own`: the reader's language; `audience`: whom it is for;
    `pages` and `age` of readers: works within them are looked for, too; `best`: whether the best rated are worth a
    look, too; `most`: of each of these.
    """

    any_word: str = ""
    vector: str | None = None
    model: str = ""
    terms: list[str] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)
    own: str | None = None
    audience: str | None = None
    pages: tuple[int, int] | None = None
    age: int | None = None
    best: bool = False
    filters: Filters = ANY_WORK
    audiences: Sequence[str] | None = None
    most: int = 60


_BY: tuple[LiteralString, ...] = (
    "cosine desc nulls last, book_id",
    "score desc, book_id",
    "shared desc, cosine desc nulls last, book_id",
)


def _look_statement(query: Look) -> LiteralString:  # noqa: C901
    """Each road to a work is short, in all languages and in the reader's own; the catalogue is gone through once."""
    roads: list[tuple[LiteralString, LiteralString]] = []
    if query.vector:
        roads.append(("cosine is not null", _BY[0]))
    if query.any_word:
        roads.append(("score > 0", _BY[1]))
    if query.terms:
        roads.append(("shared > 0", _BY[2]))
    if query.subjects:
        roads.append(("has_subject", _BY[0]))
        if query.any_word:
            roads.append(("has_subject", _BY[1]))
        roads.append(("has_subject", "rating desc nulls last, book_id"))
    if query.best:
        roads.append(("true", "rating desc nulls last, book_id"))
    within: list[LiteralString] = ["true"]
    if query.own:
        within.append("language = %(own)s")
    if query.audience:
        within.append("audience = %(audience)s")
        roads.append(("audience = %(audience)s", "rating desc nulls last, book_id"))
    if query.pages:
        within.append("pages between %(least)s and %(longest)s")
        if query.own:
            within.append("language = %(own)s and pages between %(least)s and %(longest)s")
    if query.age is not None:
        within.append("%(age)s between age_from and coalesce(age_to, 99)")
        roads.append(("%(age)s between age_from and coalesce(age_to, 99)", "rating desc nulls last, book_id"))
    parts: LiteralString = " union ".join(
        f"(select book_id, cosine from weighed where {condition} and {only} order by {order} limit %(most)s)"
        for condition, order in roads
        for only in within
    )
    vector: LiteralString = "1 - (e.embedding <=> %(vector)s::halfvec)" if query.vector else "null::float8"
    joined: LiteralString = (
        "left join library.text_embeddings as e on e.book_id = works.book_id and e.model = %(model)s"
        if query.vector
        else ""
    )
    score: LiteralString = (
        """case when works.search @@ to_tsquery('simple', %(any_word)s)
               then ts_rank_cd('{0.1, 0.3, 0.6, 1.0}', works.search, to_tsquery('simple', %(any_word)s), 1)
               else 0 end"""
        if query.any_word
        else "0"
    )
    shared: LiteralString = (
        "(select count(*) from unnest(works.themes || works.moods) as term where term = any(%(terms)s))"
        if query.terms
        else "0"
    )
    has_subject: LiteralString = (
        """works.book_id in (
            select work_subjects.book_id from library.work_subjects join library.subjects using (subject_id)
            where lower(subjects.name) = any(%(subjects)s)
        )"""
        if query.subjects
        else "false"
    )
    return f"""
        with weighed as materialized (
            select works.book_id, works.language, works.audience, works.rating, works.pages, works.age_from,
                works.age_to, {vector} as cosine, {score} as score,
                {shared} as shared, {has_subject} as has_subject
            from library.works {joined} where {conditions(query.filters)}
        )
        select book_id, cosine from ({parts or "select book_id, cosine from weighed where false"}) as found
    """


def look(conn: psycopg.Connection, query: Look) -> dict[int, float | None]:
    """Works worth a look for a question, by meaning, words, terms, subjects and rating; how near in meaning each is."""
    asked = {**vars(query), **parameters(query.filters, query.audiences)}
    asked |= dict(zip(("least", "longest"), query.pages or (None, None), strict=True))
    asked |= {"own": query.own, "audience": query.filters.audience or query.audience}
    return dict(conn.execute(_look_statement(query), asked).fetchall())


@dataclass(frozen=True)
class Name:
    """Something that can be looked for by its name; `book_id` of a title alone."""

    kind: str  # title, author, series or subject
    name: str
    book_id: int | None
    detail: str  # the authors of a title
    folded: str
    audiences: list[str]  # of the active works under it
    count_works: int


def names(conn: psycopg.Connection) -> list[Name]:
    """Authors, series and subjects of active works, what holds most works first."""
    with conn.cursor(row_factory=class_row(Name)) as cursor:
        return cursor.execute(
            f"""select 'author' as kind, authors.name, null::int as book_id, '' as detail, '' as folded,
                   array_agg(distinct works.audience) as audiences, count(*) as count_works
               from library.authors join library.work_authors using (author_id) join library.works using (book_id)
               where works.active and {SERVED} group by authors.author_id
               union all
               select 'series', series.name, null, '', '', array_agg(distinct works.audience), count(*)
               from library.series join library.works using (series_id)
               where works.active and {SERVED} group by series.series_id
               union all
               select 'subject', subjects.name, null, '', '', array_agg(distinct works.audience), count(*)
               from library.subjects join library.work_subjects using (subject_id) join library.works using (book_id)
               where works.active and {SERVED} group by subjects.subject_id
               order by count_works desc, name"""
        ).fetchall()


def titles_beginning(
    conn: psycopg.Connection, prefix: str, folded: str, limit: int, *, audiences: Sequence[str] | None = None
) -> list[Name]:
    """Titles that hold words as in the tsquery `prefix` in their title; those that begin as `folded` does first."""
    with conn.cursor(row_factory=class_row(Name)) as cursor:
        return cursor.execute(
            f"""select 'title' as kind, title as name, book_id, authors_text as detail, folded,
                    array[audience] as audiences, 1::bigint as count_works
                from (
                    select works.book_id, title, authors_text, folded, audience, rating from library.works
                    where works.active and works.search @@ to_tsquery('simple', %(prefix)s) and {WITHIN}
                    limit 400
                ) as found
                order by starts_with(folded, %(folded)s) desc, rating desc nulls last, length(title), book_id
                limit %(limit)s""",
            {"prefix": prefix, "folded": folded, "limit": limit, "audiences": _list(audiences)},
        ).fetchall()


def _list(audiences: Sequence[str] | None) -> list[str] | None:
    return None if audiences is None else list(audiences)
