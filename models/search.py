"""Search as every surface uses it: hybrid of words and meaning, blind to accents, mending one-letter typos.

Shells out to `openshelf.database.search` for the one statement and to `models.query_vectors` for the query's vector.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import psycopg

from models import embedding
from models.mending import meant
from models.query_text import FINISHED, excerpt, highlights, isbn_in, thickest, tidy
from models.query_vectors import vector
from openshelf.database import catalogue, texts
from openshelf.database import search as statements
from openshelf.database.filters import Filters
from openshelf.database.search import ANY_WORK
from openshelf.folding import fold, fold_words
from openshelf.settings import get_settings

Mode = Literal["all", "title", "author", "subject", "meaning", "inside"]
# Letters of a passage that are shown: enough to see what it is about, too few to read the book by them.
INSIDE_LENGTH = 240
# A cosine below this is no likeness: MiniLM gives unrelated texts up to about 0.2.
MEANING_FLOOR = 0.25
# A work that holds none of the words answers only if it is at least this near; so many stand in where none does.
_NEAR = 0.38
_NEAREST = 12
# A work that holds all the words is surer than one that is merely near.
WORDS_WEIGHT = 2.0
# Weights of the tsvector each mode looks at.
_LABELS: dict[Mode, list[str] | None] = {
    "all": None,
    "title": ["A"],
    "author": ["B"],
    "subject": ["C"],
    "meaning": None,
    "inside": None,
}
# Modes in which a name in other letters is looked for.
_LOOKS_AT_NAMES = ("all", "author")
_LAST_WORD = re.compile(r"(\w{2,})$")


@dataclass(frozen=True)
class Inside:
    """Where in a book the words stand. `part` from 1 and `block` from 0, as the reading page counts them.

    `marks`: the words in `text`, as [start, end) in code points. Text of a book is never markup.
    """

    part: int
    block: int
    chapter: str
    text: str
    marks: list[tuple[int, int]]


@dataclass(frozen=True)
class Hit:
    """One work found. `matched`: words, meaning, both, spelling (a typo was mended), inside, author or popular.

    `cosine` of query and work, where meaning was compared and near enough; `inside`, where books were looked into.
    """

    book_id: int
    score: float
    matched: str
    cosine: float | None = None
    inside: Inside | None = None


def search(
    conn: psycopg.Connection,
    text: str,
    mode: Mode = "all",
    filters: Filters = ANY_WORK,
    limit: int = 30,
    *,
    audiences: Sequence[str] | None = None,
) -> list[Hit]:
    """Best works for a query, best first; an empty query finds nothing, nor does `inside` where that is not set.

    Quoted phrases, `or` and a leading minus work as in web search engines; the last word may be unfinished.
    `audiences`: what the account that asks is limited to.
    """
    asked = tidy(text)
    if not fold_words(asked):
        return []
    bounds = _Bounds(filters, audiences, limit)
    if mode == "inside":
        return _look_inside(conn, asked, bounds) if get_settings().search_inside else []
    if mode == "all" and (isbn := isbn_in(asked)):  # that book or none: what is near a number is nothing
        return [Hit(book_id, 1, "words") for book_id in statements.with_isbn(conn, isbn, filters, audiences)]
    found = _find(conn, asked, mode, bounds)
    if mode == "meaning" or any(row.words_place for row in found):
        return [_hit(row) for row in found]
    mended = meant(conn, asked, in_names=mode in _LOOKS_AT_NAMES)
    if mended is None:
        return [_hit(row) for row in found]
    again = _find(conn, mended, mode, bounds)
    return [_hit(row, mended=True) for row in again] or [_hit(row) for row in found]


def is_answer(hit: Hit, mode: Mode) -> bool:
    """Whether a work holds what was asked for, or is near enough in meaning to be an answer of its own."""
    return mode == "meaning" or hit.matched != "meaning" or (hit.cosine or 0) >= _NEAR


def answers(hits: Sequence[Hit], mode: Mode) -> list[Hit]:
    """What a reader is shown: what is only a little near stands in for an answer, and does not follow one."""
    return [hit for hit in hits if is_answer(hit, mode)] or list(hits[:_NEAREST])


def _look_inside(conn: psycopg.Connection, asked: str, bounds: "_Bounds") -> list[Hit]:
    found = texts.find(conn, fold(asked), bounds.filters, bounds.limit, audiences=bounds.audiences)
    hits = []
    for row in found:
        spans = highlights(row.body, asked)
        start = thickest(row.body, spans, INSIDE_LENGTH)[0] if spans else 0
        body = row.body.replace("\n", " ")
        text, marks = excerpt(body, asked, INSIDE_LENGTH) or (body[:INSIDE_LENGTH], [])
        inside = Inside(row.part, row.blocks[row.body.count("\n", 0, start)], row.chapter, text, marks)
        hits.append(Hit(row.book_id, row.score, "inside", inside=inside))
    return hits


def similar(
    conn: psycopg.Connection, book_id: int, limit: int = 12, *, audiences: Sequence[str] | None = None
) -> list[Hit]:
    """Works like this one: near in meaning, else of the same authors, else popular; never empty in a filled library."""
    found = statements.neighbours(conn, book_id, limit, audiences=audiences)
    near = [Hit(n.book_id, n.score, "meaning", n.score) for n in found]
    if near:
        return near
    popular = catalogue.popular(conn, 2 * limit + 1, audiences=audiences)
    ladder = [
        ("author", statements.of_same_authors(conn, book_id, limit, audiences=audiences)),
        ("popular", [work.book_id for work in popular]),
    ]
    chosen: dict[int, str] = {}
    for matched, book_ids in ladder:
        for other in book_ids:
            if other != book_id:
                chosen.setdefault(other, matched)
    return [Hit(other, 1 / (1 + place), matched) for place, (other, matched) in enumerate(chosen.items())][:limit]


@dataclass(frozen=True)
class _Bounds:
    filters: Filters
    audiences: Sequence[str] | None
    limit: int


def _find(conn: psycopg.Connection, asked: str, mode: Mode, bounds: _Bounds) -> list[statements.Found]:
    limit = bounds.limit
    if mode == "meaning":
        query = _with_meaning(_query(bounds), asked)
        if query.vector:
            return statements.find(conn, query)
    folded = fold(asked)
    last = _LAST_WORD.search(folded)
    unfinished = last if last and '"' not in folded and last[1] not in FINISHED else None
    query = _query(
        # More than asked for: whole titles rise and series fall out below.
        _Bounds(bounds.filters, bounds.audiences, max(4 * limit, 20)),
        words=folded,
        head=folded[: unfinished.start()] if unfinished else "",
        prefix=f"'{unfinished[1]}':*" if unfinished else "",
        folded=fold_words(asked),
        labels=_LABELS[mode],
    )
    found = statements.find(conn, _with_meaning(query, asked) if mode == "all" else query)
    if mode == "author":  # series share the authors' weight in the index
        filed = statements.filed_authors(conn, [row.book_id for row in found])
        named = ((row, f"{row.authors_text} {filed.get(row.book_id, '')}") for row in found)
        return [row for row, names in named if _names(names, asked)][:limit]
    # Who types a whole title means that work, whatever else is near.
    title = fold_words(asked)
    return sorted(found, key=lambda row: fold_words(row.title) != title)[:limit]


def _names(authors: str, asked: str) -> bool:
    names = fold_words(authors).split()
    return all(any(name.startswith(word) for name in names) for word in fold_words(asked).split())


def _query(bounds: _Bounds, *, words_weight: float = WORDS_WEIGHT, **asked: object) -> statements.Query:
    return statements.Query(
        **asked,  # pyright: ignore[reportArgumentType]
        filters=bounds.filters,
        audiences=None if bounds.audiences is None else list(bounds.audiences),
        words_weight=words_weight,
        floor=MEANING_FLOOR,
        pool=max(100, 2 * bounds.limit),
        limit=bounds.limit,
    )


def _with_meaning(query: statements.Query, text: str) -> statements.Query:
    found = vector(text)
    if found is None:
        return query
    return statements.Query(**{**vars(query), "vector": found, "model": embedding.model_name()})


def _hit(row: statements.Found, *, mended: bool = False) -> Hit:
    if row.words_place is None:
        matched = "meaning"
    elif mended:
        matched = "spelling"
    else:
        matched = "words" if row.cosine is None else "both"
    return Hit(row.book_id, row.score, matched, row.cosine)
