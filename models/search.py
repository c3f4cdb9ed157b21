"""Search as every surface uses it: hybrid of words and meaning, blind to accents, mending one-letter typos.

Shells out to `openshelf.database.search` for the one statement and to the encoder for the query's vector.
Without the encoder the words alone answer, and the log says so.
"""

import re
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from typing import Literal

import numpy as np
import psycopg
import structlog
from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA
from stdnum import isbn as isbn_numbers

from models import embedding
from openshelf.contracts import clean_text
from openshelf.database import catalogue, texts
from openshelf.database import search as statements
from openshelf.database.filters import Filters
from openshelf.database.search import ANY_WORK
from openshelf.errors import ModelError
from openshelf.folding import fold, fold_words
from openshelf.settings import get_settings

Mode = Literal["all", "title", "author", "subject", "meaning", "inside"]

MAX_QUERY = 200
# Letters of a passage that are shown: enough to see what it is about, too few to read the book by them.
INSIDE_LENGTH = 240
# A cosine below this is no likeness: MiniLM gives unrelated texts up to about 0.2.
MEANING_FLOOR = 0.25
# A work that holds none of the words answers only if it is at least this near; so many stand in where none does.
_NEAR = 0.38
_NEAREST = 12
# A work that holds all the words is surer than one that is merely near.
WORDS_WEIGHT = 2.0
# Words at least this long may differ by one letter; twice as long, by two.
MIN_MENDED = 4
# How alike, of 100, words of names must sound, and titles be spelt.
MIN_NAME_RATIO = 84
MIN_TITLE_RATIO = 80

# What is suggested while a reader types, in this order, and how many of each.
_SHARE = {"title": 5, "author": 2, "series": 1, "subject": 2}
KINDS = tuple(_SHARE)
# One letter begins half the catalogue.
MIN_SUGGESTED = 2
MAX_NAMES = 20

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
_ISBN = re.compile(r"(?:isbn(?:-1[03])?:?\s*)?([0-9][0-9Xx \-]{8,20})", re.IGNORECASE)
_LAST_WORD = re.compile(r"(\w{2,})$")
# A word, also where its accents are letters of their own (NFD).
_WORD = re.compile(r"(?:\w[\u0300-\u036f]*)+")

log = structlog.get_logger()


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


@dataclass(frozen=True)
class Suggestion:
    """What a reader who has typed so far may mean. `kind`: title, author, series, subject; `book_id` of a title."""

    kind: str
    name: str
    book_id: int | None
    detail: str  # the authors of a title


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
    mended = in_other_letters(conn, asked) if mode in _LOOKS_AT_NAMES else None
    mended = mended or mend(conn, asked)
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
        start = _thickest(row.body, spans, INSIDE_LENGTH)[0] if spans else 0
        body = row.body.replace("\n", " ")
        text, marks = excerpt(body, asked, INSIDE_LENGTH) or (body[:INSIDE_LENGTH], [])
        inside = Inside(row.part, row.blocks[row.body.count("\n", 0, start)], row.chapter, text, marks)
        hits.append(Hit(row.book_id, row.score, "inside", inside=inside))
    return hits


def suggest(
    conn: psycopg.Connection,
    text: str,
    limit: int = 8,
    *,
    kinds: Collection[str] = KINDS,
    audiences: Sequence[str] | None = None,
) -> list[Suggestion]:
    """Titles, authors, series and subjects whose words begin as what was typed; the words before the last are whole."""
    words = fold_words(tidy(text)).split()
    if not words or (len(words[-1]) < MIN_SUGGESTED and len(words) == 1):
        return []
    found: dict[str, list[statements.Name]] = {}
    for kind in kinds:
        if kind == "title":
            prefix = " & ".join([*(f"'{word}':A" for word in words[:-1]), f"'{words[-1]}':*A"])
            found[kind] = statements.titles_beginning(conn, prefix, " ".join(words), limit, audiences=audiences)
        else:
            found[kind] = _beginning(_directory(conn)[kind], words, audiences)
    shares = {kind: min(len(names), _SHARE[kind]) for kind, names in found.items()}
    for kind, names in found.items():  # what others leave free
        shares[kind] += max(0, min(len(names) - shares[kind], limit - sum(shares.values())))
    named = [name for kind, names in found.items() for name in names[: shares[kind]]]
    return [Suggestion(each.kind, each.name, each.book_id, each.detail) for each in named[:limit]]


def _beginning(directory: "_Directory", words: Sequence[str], audiences: Sequence[str] | None) -> list[statements.Name]:
    """Names that hold a word beginning as each of these; what holds most works first."""
    longest = max(words, key=len)
    first = bisect_left(directory.words, longest)
    last = bisect_left(directory.words, longest + "\U0010ffff", first)
    begun = [f" {word}" for word in words]
    found = []
    for place in sorted(set(directory.places[first:last])):
        name = directory.names[place]
        if all(word in name.folded for word in begun) and (audiences is None or set(audiences) & set(name.audiences)):
            found.append(name)
            if len(found) >= MAX_NAMES:
                break
    return found


# Folded, of the languages that our pages speak.
_EVERYWHERE = frozenset({
    "a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with",
    "cac", "cua", "nhung", "va",
    "в", "и", "из", "к", "на", "о", "по", "с",
})  # fmt: skip
# Folded words that nobody leaves unfinished: looking for all that begin as they do took longer than all the rest.
_FINISHED = _EVERYWHERE | {
    "as", "be", "but", "had", "has", "he", "her", "his", "is", "it", "its", "no", "not", "she", "so", "that", "their",
    "they", "this", "was", "who", "you",
    "cho", "co", "la", "mot", "su", "trong", "voi",
    "его", "за", "как", "не", "но", "он", "от", "что",
}  # fmt: skip


def highlights(text: str, asked: str) -> list[tuple[int, int]]:
    """Where words of the query stand in a text: [start, end) in code points, apart and in order.

    Words that stand everywhere ("the", "của") are left out where the query has others.
    """
    words = fold_words(tidy(asked)).split()
    if not words:
        return []
    words = [word for word in words if word not in _EVERYWHERE] or words
    begun = words[-1] if len(words[-1]) >= MIN_SUGGESTED else None
    return [
        match.span()
        for match in _WORD.finditer(text)
        if (folded := fold(match[0])) in words or (begun and folded.startswith(begun))
    ]


def excerpt(text: str, asked: str, length: int = 180) -> tuple[str, list[tuple[int, int]]] | None:
    """The part of a text with most of the query's words, and where such words stand in it; None without any."""
    spans = highlights(text, asked)
    if not spans:
        return None
    first = _thickest(text, spans, length)
    start = max(0, first[0] - length // 3)
    if start:
        start = text.find(" ", start, first[0]) + 1 or first[0]
    end = len(text) if len(text) - start <= length else text.rfind(" ", first[1], start + length)
    end = end if end > first[1] else max(first[1], min(len(text), start + length))
    head, tail = "… " if start else "", " …" if end < len(text) else ""
    part = head + text[start:end] + tail
    return part, highlights(part, asked)


def _thickest(text: str, spans: Sequence[tuple[int, int]], length: int) -> tuple[int, int]:
    """Of these places the one after which most different words of them follow within half the length."""

    def count(span: tuple[int, int]) -> int:
        held = {fold(text[start:end]) for start, end in spans if span[0] <= start < span[0] + length // 2}
        return len(held)

    return max(spans, key=lambda span: (count(span), -span[0]))


def any_word(words: Sequence[str]) -> str:
    """A tsquery: one of these, or a word that begins so, must be held; words in one string must follow each other."""
    folded = [fold_words(tidy(part)).split() for part in words]
    alternatives = [" <-> ".join(f"'{word}':*" for word in part) for part in folded if part]
    return " | ".join(f"({each})" for each in alternatives)


def authors_named(conn: psycopg.Connection, words: Sequence[str]) -> list[str]:
    """Authors whose names hold all these folded words, in any form and script, the one with most works first.

    "Стругацких" is "Борис Стругацкий", "Кинга" is "Stephen King": Russian endings are cut off, Cyrillic letters are
    written as Latin ones, and longer words may differ by a little.
    """
    asked = [_key(word) for word in words if word]
    if not asked:
        return []
    people = _people(conn)
    holders: set[int] | None = None
    for key in asked:
        found = {place for other in _near_keys(key, people.keys) for place in people.holders[other]}
        holders = found if holders is None else holders & found
    return [people.names[place] for place in sorted(holders or ())]


def authors_in_full(conn: psycopg.Connection, text: str) -> list[str]:
    """Authors whose whole names, of several words and as they are spelt, stand in a folded text.

    Of two syllables too many are other words as well: "nam cao" is a high year.
    """
    said = f" {text} "
    people = _people(conn)
    return [
        name for name, folded in zip(people.names, people.folded, strict=True)
        if f" {folded} " in said and (len(folded.split()) > 2 or len(folded) >= _SURELY_A_NAME)
    ]  # fmt: skip


_SURELY_A_NAME = 10  # letters of a name of two words


def authors_misspelt(conn: psycopg.Connection, words: Sequence[str]) -> list[str]:
    """Authors whose last names are nearly one of these folded words, of those that stand in no work as they are."""
    unknown = [word for word in words if len(word) > MIN_MENDED]
    if not unknown:
        return []
    people = _people(conn)
    found: list[int] = []
    for word in sorted({*unknown} - statements.known_words(conn, unknown)):
        # By its letters or by its sound; a slip is seldom made in the first letter, and short words are soon alike.
        for form, lasts in ((word, people.lasts), (_key(word), people.last_keys)):
            near = process.extract(form, lasts.keys(), scorer=fuzz.ratio, score_cutoff=MIN_NAME_RATIO, limit=3)
            found += [n for last, _r, _n in near if last[0] == form[0] and len(last) >= _MISSPELT for n in lasts[last]]
    return [people.names[place] for place in dict.fromkeys(found)]


def authors_sounding(conn: psycopg.Connection, words: Sequence[str]) -> list[str]:
    """Authors whose first and last names sound nearly as two folded words that follow each other: "steven gold"."""
    people = _people(conn)
    found: list[int] = []
    for first, last in pairwise(map(_key, words)):
        if len(last) < _SOUNDING or len(first) < _SOUNDING:
            continue
        lasts = process.extract(last, people.last_keys.keys(), scorer=fuzz.ratio, score_cutoff=_MIN_PART, limit=10)
        for other, ratio, _n in lasts:
            for place in people.last_keys[other]:
                called = _key(fold_words(people.names[place]).split()[0])
                alike = fuzz.ratio(first, called)
                is_name = other[0] == last[0] and min(len(other), len(called)) >= _SOUNDING
                if is_name and alike >= _MIN_PART and alike + ratio >= 2 * MIN_NAME_RATIO:
                    found.append(place)
    return [people.names[place] for place in dict.fromkeys(found)]


def authors_named_last(name: str, last: str) -> bool:
    """Whether a folded word is the last name of an author, in any form and script."""
    return _is_near(_key(name), _key(last))


def series_named(conn: psycopg.Connection, words: Sequence[str]) -> list[str]:
    """Series whose names hold all these folded words, in any form."""
    asked = [_key(word) for word in words if len(word) > 2]
    if not asked or all(len(key) < MIN_MENDED for key in asked):
        return []
    return [
        name.name
        for name in _directory(conn)["series"].names
        if all(any(_is_near(key, _key(own)) for own in name.folded.split()) for key in asked)
    ]


def titles_near(conn: psycopg.Connection, folded: str, limit: int = 5) -> list[tuple[int, str]]:
    """(book_id, title) of the titles that are spelt nearly so, the nearest first."""
    known = _titles(conn)
    found = process.extract(folded, known.folded, scorer=fuzz.ratio, score_cutoff=MIN_TITLE_RATIO, limit=limit)
    mains = process.extract(folded, known.mains, scorer=fuzz.ratio, score_cutoff=MIN_TITLE_RATIO, limit=limit)
    nearest = sorted([*found, *mains], key=lambda each: -each[1])
    return list(dict.fromkeys(known.works[place] for _text, _ratio, place in nearest))[:limit]


def titles_within(conn: psycopg.Connection, folded: str) -> list[tuple[int, int, int, bool]]:
    """Titles that stand in a text: (first word, word after the last, book_id, whether it is the whole title).

    The text is folded; words are compared by their sound and without Russian endings. Of a title of three words or more
    its beginning is enough, if no other title begins so. The longest are taken, from left to right.
    """
    words = [(place, title_key(word)) for place, word in enumerate(folded.split()) if word != "s"]
    known = _titles(conn).by_beginning
    found: list[tuple[int, int, int, bool]] = []
    start = 0
    while start < len(words):
        for end in range(min(len(words), start + _LONGEST_TITLE), start, -1):
            if hit := known.get(tuple(key for _place, key in words[start:end])):
                found.append((words[start][0], words[end - 1][0] + 1, *hit))
                start = end - 1
                break
        start += 1
    return found


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


def did_you_mean(conn: psycopg.Connection, text: str) -> str | None:
    """The query in the letters of the works meant or with its unknown words mended, or None where nothing is amiss."""
    asked = tidy(text)
    if not fold_words(asked) or isbn_in(asked):
        return None
    return in_other_letters(conn, asked) or mend(conn, asked)


def compares_meaning() -> bool:
    """Whether the encoder is there; without it the mode `meaning` finds by words."""
    try:
        embedding.load_encoder()
    except (ModelError, OSError, ImportError):
        return False
    return True


def tidy(text: str) -> str:
    """A query as Postgres can take it: clean, one line, at most 200 characters."""
    return " ".join(clean_text(text[: 4 * MAX_QUERY]).split())[:MAX_QUERY]


def isbn_in(asked: str) -> str | None:
    """The ISBN, of 13 digits, that a query is, with or without its hyphens; None if it is something else."""
    said = _ISBN.fullmatch(asked)
    return isbn_numbers.compact(isbn_numbers.to_isbn13(said[1])) if said and isbn_numbers.is_valid(said[1]) else None


def in_other_letters(conn: psycopg.Connection, asked: str) -> str | None:
    """A name or title that was typed in Latin letters and is written in Cyrillic ones, or the other way round.

    "bulgakov" -> "булгаков": the words of the work whose names hold each of them by its sound; None if none does.
    """
    words = fold_words(asked).split()
    scripts = {_is_cyrillic(word) for word in words if not word.isdecimal()}
    if len(scripts) != 1 or max(map(len, words)) < MIN_MENDED:
        return None
    names = _names_of_works(conn)
    sounds = names.sounds(cyrillic=not scripts.pop())
    meant = [[word] if word.isdecimal() else _by_sound(word, sounds) for word in words]
    if not all(meant):
        return None
    # What is short stands in too many names to lead to one.
    led = [{work for other in others for work in names.holders.get(other, ())} for others in meant]
    for work in sorted(set.intersection(*filter(None, led))) if any(led) else ():
        own = names.of_works[work]
        said = [next((other for other in others if other in own), None) for others in meant]
        if all(said):
            return " ".join(filter(None, said))
    return None


def _is_cyrillic(word: str) -> bool:
    return any("\u0400" <= letter <= "\u04ff" for letter in word)


def _by_sound(word: str, sounds: Mapping[str, Sequence[str]]) -> list[str]:
    """Words of the other letters that sound so, the surest first."""
    key = _ending_cut(_key(word))
    if key in sounds:
        return list(sounds[key])
    near = _near_keys(key, tuple(sounds))
    return [other for sound in near if sound[0] == key[0] for other in sounds[sound]]


def _ending_cut(key: str) -> str:
    """Without the last vowels: "Voyna" and "войну" end otherwise and are one word."""
    return key.rstrip("aeiou") or key


def mend(conn: psycopg.Connection, asked: str) -> str | None:
    """Replace words that stand nowhere in the catalogue by near ones, those of the work that then fits best."""
    words = fold_words(asked).split()
    names = _names_of_works(conn)
    # What is too short is not mended, and what stands in a name is known: the index is not asked for either.
    doubtful = [word for word in words if len(word) >= MIN_MENDED and word not in names.holders]
    if not doubtful:
        return None
    unknown = set(doubtful) - statements.known_words(conn, doubtful)
    near = {word: found for word in unknown if (found := near_words(word, names.vocabulary))}
    if not near:
        return None
    holders = {work for found in near.values() for other in found for work in names.holders[other]}
    best = max((names.of_works[work] for work in sorted(holders)), key=lambda own: _fit(own, words, near))
    changes = {word: _nearest(found, best) or _nearest(found, found.keys()) for word, found in near.items()}
    return " ".join(changes.get(word) or word for word in words)


def near_words(word: str, vocabulary: Sequence[str]) -> dict[str, int]:
    """Words a slip of the hand away, with the number of slips. Swapped neighbours count as one."""
    if len(word) < MIN_MENDED:
        return {}
    slips = 2 if len(word) >= 2 * MIN_MENDED else 1
    found = process.extract(word, vocabulary, scorer=OSA.distance, score_cutoff=slips, limit=50)
    return {other: int(distance) for other, distance, _ in found}


def _fit(own: frozenset[str], words: Sequence[str], near: dict[str, dict[str, int]]) -> tuple[int, int]:
    """How many of the words a work's names hold, mended or not, and how few slips that takes."""
    slips = [min((d for other, d in near[w].items() if other in own), default=None) for w in words if w in near]
    mended = [each for each in slips if each is not None]
    return len(mended) + sum(word in own for word in words), -sum(mended)


def _nearest(found: dict[str, int], among: Collection[str]) -> str | None:
    return min((word for word in found if word in among), key=lambda word: (found[word], word), default=None)


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
    unfinished = last if last and '"' not in folded and last[1] not in _FINISHED else None
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


@lru_cache(maxsize=2_048)
def _encoded(text: str) -> np.ndarray | None:
    vector = embedding.load_encoder().encode_query(text)
    # A zero vector has no cosine, and NaN sorts anywhere.
    return vector if np.isfinite(vector).all() and vector.any() else None


def encoded(text: str) -> np.ndarray | None:
    """(dimension,) the embedding of a text, of length 1; None where it has none, or without an encoder."""
    try:
        return _encoded(tidy(text))
    except (ModelError, OSError, ImportError) as error:
        log.warning("no encoder: searching by words alone", error=str(error))
        return None


def encoded_all(texts: Sequence[str]) -> np.ndarray | None:
    """(n, dimension) the embeddings of these texts, of length 1; None without an encoder."""
    try:
        return embedding.load_encoder().encode_documents(list(texts))
    except (ModelError, OSError, ImportError) as error:
        log.warning("no encoder: nothing is compared by meaning", error=str(error))
        return None


def vector_text(vector: np.ndarray) -> str:
    """An embedding as pgvector reads it."""
    return "[" + ",".join(f"{x:.6g}" for x in vector) + "]"


def vector(text: str) -> str | None:
    """The embedding of a text as pgvector reads it; None where it has none, or without an encoder."""
    found = encoded(text)
    return None if found is None else vector_text(found)


def _hit(row: statements.Found, *, mended: bool = False) -> Hit:
    if row.words_place is None:
        matched = "meaning"
    elif mended:
        matched = "spelling"
    else:
        matched = "words" if row.cosine is None else "both"
    return Hit(row.book_id, row.score, matched, row.cosine)


@dataclass(frozen=True)
class _Names:
    """The words of titles, authors and series: of each work, and all of them long enough to be mended to."""

    of_works: list[frozenset[str]]
    vocabulary: tuple[str, ...]
    holders: dict[str, list[int]]  # of each word of the vocabulary: the works whose names hold it
    _sounds: dict[bool, dict[str, list[str]]] = field(default_factory=dict)

    def sounds(self, *, cyrillic: bool) -> Mapping[str, Sequence[str]]:
        """Of each sound the words that have it, in these letters."""
        if cyrillic not in self._sounds:
            found: dict[str, list[str]] = {}
            for word in sorted({word for own in self.of_works for word in own}):
                if _is_cyrillic(word) == cyrillic and not word.isdecimal():
                    found.setdefault(_ending_cut(_key(word)), []).append(word)
            self._sounds[cyrillic] = found
        return self._sounds[cyrillic]


def _names_of_works(conn: psycopg.Connection) -> _Names:
    version = (conn.info.dsn, statements.catalogue_version(conn))
    if version not in _known_names:
        _known_names.clear()
        of_works = [frozenset(text.split()) for text in statements.folded_texts(conn)]
        holders: dict[str, list[int]] = {}
        for work, own in enumerate(of_works):
            for word in own:
                if len(word) >= MIN_MENDED - 1:
                    holders.setdefault(word, []).append(work)
        _known_names[version] = _Names(of_works, tuple(sorted(holders)), holders)
    return _known_names[version]


# Cyrillic as it is written in Latin letters, and Latin spellings of one sound as one; for comparing names only.
_LATIN = str.maketrans(
    dict(zip("абвгдезийклмнопрстуфыэ", "abvgdeziiklmnoprstufie", strict=True))
    | {"ж": "zh", "х": "h", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sh", "ъ": "", "ь": "", "ю": "iu", "я": "ia"}
)
_SOUNDS = (
    ("ch", "h"), ("kh", "h"), ("ck", "k"), ("ph", "f"), ("th", "t"), ("w", "v"), ("y", "i"), ("x", "ks"), ("c", "k"),
    ("dzh", "j"), ("tz", "ts"),
)  # fmt: skip
_RUSSIAN_CASES = re.compile(
    r"(?:ого|его|ому|ему|ыми|ими|ых|их|ым|им|ом|ем|ев|ои|еи|ою|ии|ыи|ая|яя|ую|а|я|у|ю|е|ы|и|о)$"
)


@lru_cache(maxsize=100_000)
def _key(word: str) -> str:
    """A folded word of a name by its sound, without Russian endings."""
    if any("\u0400" <= c <= "\u04ff" for c in word):
        bare = _RUSSIAN_CASES.sub("", word)
        word = (bare if len(bare) >= 3 else word).translate(_LATIN)
    elif len(word) > 4:
        word = re.sub(r"(?<=[sk])(?:ii|iy|yi|ij|y|i)$", "", word)  # Dostoevsky as Достоевск-
        word = re.sub(r"e$", "", re.sub(r"ea|ee", "i", word))  # Shakespeare as Шекспир
        word = re.sub(r"c(?=[eiy])", "s", word)
    for spelt, sound in _SOUNDS:
        word = word.replace(spelt, sound)
    word = re.sub(r"u(?=[aeio])", "v", word)  # Оруэлл is Orwell
    return re.sub(r"(.)\1", r"\1", word)


def _is_near(key: str, other: str) -> bool:
    return key == other or (min(len(key), len(other)) >= MIN_MENDED and fuzz.ratio(key, other) >= MIN_NAME_RATIO)


def _near_keys(key: str, keys: Sequence[str]) -> list[str]:
    if len(key) < MIN_MENDED:
        return [key] if key in keys else []
    found = process.extract(key, keys, scorer=fuzz.ratio, score_cutoff=MIN_NAME_RATIO, limit=20)
    return [other for other, _ratio, _place in found if len(other) >= MIN_MENDED]


@dataclass(frozen=True)
class _People:
    names: list[str]  # of authors, what holds most works first
    folded: list[str]
    keys: tuple[str, ...]
    holders: dict[str, list[int]]  # of each key: the authors that have it
    lasts: dict[str, list[int]]  # the same of folded last names alone
    last_keys: dict[str, list[int]]  # and of their keys


@dataclass(frozen=True)
class _Titles:
    works: list[tuple[int, str]]
    folded: list[str]
    mains: list[str]  # what stands before a colon
    by_beginning: dict[tuple[str, ...], tuple[int, bool]]  # keys of words -> the one work, and whether that is all


_SOUNDING, _MIN_PART = 3, 72  # letters at least of each of two names, and how alike each is, of 100
_MISSPELT = 6  # letters at least of a last name that may be spelt otherwise
_LONGEST_TITLE = 10  # words that are looked at
_ARTICLES = frozenset(["the", "a", "an"])


def title_key(word: str) -> str:
    key = _key(word)
    return key[:-1] if len(key) > 4 and key.endswith("s") and not key.endswith("ss") else key


def _by_beginning(works: Sequence[tuple[int, str]]) -> dict[tuple[str, ...], tuple[int, bool]]:
    """What each title and its beginnings are known by; a beginning that two titles share is nobody's."""
    whole: dict[tuple[str, ...], tuple[int, bool]] = {}
    begun: dict[tuple[str, ...], int | None] = {}
    for book_id, title in works:
        for part in dict.fromkeys((title, re.split(r"[:(]|\. | or, |, или ", title)[0])):
            folded = fold_words(part).split()
            for words in (folded, folded[1:] if folded and folded[0] in _ARTICLES else folded):
                keys = tuple(title_key(word) for word in words if word != "s")
                if not keys:
                    continue
                whole.setdefault(keys, (book_id, True))
                for end in range(2, min(len(keys), 4)):
                    begun[keys[:end]] = book_id if begun.get(keys[:end], book_id) == book_id else None
    return {keys: (book_id, False) for keys, book_id in begun.items() if book_id is not None} | whole


def _people(conn: psycopg.Connection) -> _People:
    version = (conn.info.dsn, statements.catalogue_version(conn))
    if version not in _known_people:
        names = [name.name for name in _directory(conn)["author"].names]
        holders: dict[str, list[int]] = {}
        lasts: dict[str, list[int]] = {}
        last_keys: dict[str, list[int]] = {}
        for place, name in enumerate(names):
            words = fold_words(name).split()
            for key in {_key(word) for word in words}:
                holders.setdefault(key, []).append(place)
            for last in words[-1:]:
                lasts.setdefault(last, []).append(place)
                last_keys.setdefault(_key(last), []).append(place)
        _known_people.clear()
        _known_people[version] = _People(
            names, [fold_words(name) for name in names], tuple(holders), holders, lasts, last_keys
        )
    return _known_people[version]


def _titles(conn: psycopg.Connection) -> _Titles:
    version = (conn.info.dsn, statements.catalogue_version(conn))
    if version not in _known_titles:
        works = statements.titles(conn)
        titles = [title for _book_id, title in works]
        _known_titles.clear()
        _known_titles[version] = _Titles(
            works,
            [fold_words(title) for title in titles],
            [fold_words(title.split(":")[0]) for title in titles],
            _by_beginning(works),
        )
    return _known_titles[version]


@dataclass(frozen=True)
class _Directory:
    """Names of one kind, what holds most works first, and where each of their words leads."""

    names: list[statements.Name]  # `folded` begins with a space, so that each of its words follows one
    words: list[str]  # sorted
    places: list[int]  # of each word: its name

    @classmethod
    def of(cls, names: list[statements.Name]) -> "_Directory":
        folded = [replace(name, folded=f" {fold_words(name.name)}") for name in names]
        pairs = sorted({(word, place) for place, name in enumerate(folded) for word in name.folded.split()})
        return cls(folded, [word for word, _place in pairs], [place for _word, place in pairs])


def _directory(conn: psycopg.Connection) -> dict[str, _Directory]:
    """Authors, series and subjects by kind."""
    version = (conn.info.dsn, statements.catalogue_version(conn))
    if version not in _known_directories:
        names = statements.names(conn)
        _known_directories.clear()
        _known_directories[version] = {
            kind: _Directory.of([name for name in names if name.kind == kind]) for kind in KINDS
        }
    return _known_directories[version]


# One entry each: the catalogue as it stands.
_known_names: dict[tuple[str, int], _Names] = {}
_known_directories: dict[tuple[str, int], dict[str, _Directory]] = {}
_known_people: dict[tuple[str, int], _People] = {}
_known_titles: dict[tuple[str, int], _Titles] = {}
