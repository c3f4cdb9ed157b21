"""A wish -> the works that really answer it, best first, or none and why. Asks the database; decides by evidence.

A work answers when it fulfils all that a wish demands (language, years, author, age, nothing to be avoided) and holds
enough of what it speaks of. What the question says falls into units: a subject, a theme, a mood, a word, a name. What a
work holds and lacks of them is weighed, the rarer a word the more, by weights that were fitted to questions with and
without an answer (`ENOUGH`): where no work reaches zero the librarian would rather name nothing.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from itertools import pairwise
from math import log, sqrt

import numpy as np
import psycopg

from dashboard.chat.lexicon import (
    CODES,
    RUSSIAN_ENDINGS,
    Concept,
    Language,
    Spaced,
    accented,
    compiled,
    concepts_of_term,
    form_pattern,
    glosses,
    is_cyrillic,
    lexicon,
    spaced,
    stem,
)
from dashboard.chat.parse import LONG, MAX_QUESTION, SHORT, Mention, Reading, Wish, language_of
from models import embedding, search
from openshelf.contracts import clean_text
from openshelf.database import catalogue
from openshelf.database import search as statements
from openshelf.database.appeal import OLDEST
from openshelf.database.audiences import AUDIENCES
from openshelf.database.filters import Filters
from openshelf.database.search import ANY_WORK, Record
from openshelf.folding import fold, fold_words

MAX_CANDIDATES = 50
_POOL = 60
_MAX_PHRASES = 100
# Words that no rule knows are read as what they are nearest to, from this nearness on, and as so many things.
NEAR_FLOOR = 0.46
_NEAREST = 2
_SUBJECT_WEIGHT, _THEME_WEIGHT, _MOOD_WEIGHT = 1.6, 1.6, 0.8
_BESIDE = 0.7
_TALK, _TALK_ALONE = 0.5, 0.75
_TERSE = 6  # words of a question that says no more than it must
_SHORT_ROOT = 5  # letters
_HELD = 0.5  # what only the question before asked for
_NEAR_MOOD = 0.5
_BESIDE_BEST = 0.5
# Where a unit stands: in title, author, series or subjects; in the blurb.
_IN_NAMES, _IN_BLURB = 1.0, 0.7
# Who asks in a language reads it; what there is in it comes before what fits a little better in another.
_OWN_LANGUAGE = 2.0
_FOR_CHILDREN = 0.9
_TITLE_ENOUGH = 0.38  # and from here on it answers
_HEARD_TITLE = 0.35  # a title that is less surely said was not
# Moods that say what a work is good for.
_USES = frozenset(("practical", "easy", "difficult"))
# Subjects that say for whom a work is, or of what renown, but not what it is.
_FORMLESS = frozenset((*AUDIENCES, "picture books", "classics"))
_TEENS = (13, 17)
_CROSSES_OVER = 14  # years from which a reader may be shown what adults read, if its record says so
_SLACK = 1.15  # editions of one book differ by so much
_NO_STORIES = frozenset(
    [
        "poetry",
        "drama",
        "essays",
        "history",
        "biography",
        "memoir",
        "politics",
        "society",
        "philosophy",
        "religion",
        "psychology",
        "economics",
        "business",
        "education",
        "language",
        "science",
        "mathematics",
        "physics",
        "astronomy",
        "biology",
        "nature",
        "environment",
        "medicine",
        "health",
        "technology",
        "computing",
        "engineering",
        "art",
        "architecture",
        "design",
        "music",
        "film",
        "photography",
        "cooking",
        "gardening",
        "crafts",
        "parenting",
        "sport",
        "travel",
    ]
)
_LANGUAGE_OF: dict[str, Language] = {code: language for language, code in CODES.items()}
# A country is also meant by its language.
_COUNTRIES = {
    "Russia": "rus", "Vietnam": "vie", "Paris": "fra", "Germany": "deu", "Italy": "ita", "Japan": "jpn",
    "China": "zho",
}  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """One work that was looked at: how strongly the evidence speaks for it, and whether it answers at all.

    `holds`: names of the subjects, themes, moods and words of the wish that its record holds; `lacks`: the others;
    `pieces`: the evidence piece by piece, without the weights; `is_meant`: it answers by its name, or its author's, or
    as the like of a book that was named; `signs`: what else speaks for answering with it, see `ENOUGH`.
    """

    record: Record
    evidence: float
    answers: bool
    coverage: float
    cosine: float
    holds: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    pieces: Mapping[str, float] = field(default_factory=dict)
    is_meant: bool = False
    signs: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """What was looked at, best first, and why nothing of it may be named (one of `answer.REFUSALS`), if so."""

    candidates: tuple[Candidate, ...]
    refusal: str | None = None

    @property
    def answering(self) -> list[Candidate]:
        return [candidate for candidate in self.candidates if candidate.answers][:MAX_CANDIDATES]


@dataclass(frozen=True)
class Bounds:
    """What the reader may see and wants to see: `audiences` of a limited account, works hidden, works named before."""

    audiences: Sequence[str] | None = None
    hidden: Collection[int] = frozenset()
    named: Collection[int] = frozenset()


def retrieve(conn: psycopg.Connection, wish: Wish, bounds: Bounds) -> Found:
    """Works that answer the wish; none where nothing fits, with the reason."""
    if wish.asks in ("greeting", "thanks"):
        return Found((), wish.asks)
    if wish.asks in ("orders", "not-books"):
        return Found((), "not-books")
    if wish.asks == "nothing" or wish.is_empty:
        return Found((), "unclear")
    candidates = _look(conn, wish, bounds.audiences)
    kept = [c for c in candidates if not c.answers or _may_be_named(c, bounds)]
    if any(c.answers for c in kept):
        return Found(tuple(kept))
    answering = [c for c in candidates if c.answers]
    if answering:
        is_hidden = any(c.record.book_id in bounds.hidden for c in answering)
        return Found(tuple(kept), "hidden" if is_hidden else "named")
    if bounds.audiences is not None and any(c.answers for c in _look(conn, wish, None)):
        return Found(tuple(kept), "limited")
    return Found(tuple(kept), "nothing")


def _may_be_named(candidate: Candidate, bounds: Bounds) -> bool:
    return candidate.record.book_id not in bounds.hidden and candidate.record.book_id not in bounds.named


# What may stand before a title of one word that is written without its capital.
_BEFORE_TITLE = re.compile(
    r"(?:like|loved?|adored?|enjoyed|finished|read|reading|reread|devoured|doc|thich|me|giong|после|вроде|типа|люблю|читал\w*)$"
)


def mentions(conn: psycopg.Connection, text: str, audiences: Sequence[str] | None) -> list[Mention]:
    """Works of ours that a question names: whole titles, and beginnings of titles that say enough."""
    reading = Reading(" ".join(clean_text(text).split())[:MAX_QUESTION], language_of(text))
    words = reading.words
    found: list[Mention] = []
    for start, end, book_id, is_whole in search.titles_within(conn, " ".join(word.folded for word in words)):
        said = words[start:end]
        if not said:
            continue
        telling = [word for word in said if not reading.is_silent(word)] or [w for w in said if w.raw[0].isupper()]
        folded = " ".join(word.folded for word in said)
        is_written_as_name = any(word.raw[0].isupper() and not word.begins for word in telling) and not (
            reading.is_title_case() and len(said) == 1
        )
        is_concept = any(concept.any_asked(reading.language).fullmatch(folded) for concept in lexicon().concepts)
        if len(said) == 1:
            before = words[start - 1].folded if start else ""
            is_name = is_written_as_name or (bool(_BEFORE_TITLE.search(before)) and not is_concept and bool(telling))
        elif is_whole:
            # In Vietnamese any two syllables may meet: there a title shows by its capital.
            is_name = bool(telling) and (is_written_as_name or (not is_concept and reading.language != "vi"))
        else:
            is_name = len(said[-1].folded) > 3 and any(len(word.folded) > 4 for word in telling) and not is_concept
        if is_name:
            found.append(Mention(folded, book_id))
    if not found:
        found = _mentions_by_name(conn, reading)
    allowed = {r.book_id for r in statements.records(conn, [each.book_id for each in found], audiences=audiences)}
    return [each for each in found if each.book_id in allowed]


_FEW = 3
_ALONE = 0.9  # what is said of a title where one word of it is in no other


def _mentions_by_name(conn: psycopg.Connection, reading: Reading) -> list[Mention]:
    """Works of which a question names a word that no other title holds, or a series: "Mauses", "every Narnia"."""
    found: list[Mention] = []
    quoted = fold_words(" ".join(re.findall(r"[\"“«„]([^\"“”«»„]{2,120})[\"”»“]", reading.text))).split()
    for word in reading.words:
        is_name = word.raw[0].isupper() and not word.begins and not reading.is_title_case() and len(word.folded) > 3
        if not (is_name or word.folded in quoted) or reading.is_silent(word):
            continue
        series = search.series_named(conn, [word.folded])[:1]
        ids = [book_id for name in series for book_id in _browse(conn, Filters(series=name), None, _FEW)]
        if not ids:
            heard = [each.book_id for each in search.titles_heard(conn, word.raw)]
            records = statements.records(conn, heard[: _FEW + 1])
            is_one = len(records) == 1 or len({record.series_name or record.book_id for record in records}) == 1
            ids = heard if is_one else []
        found += [Mention(word.folded, book_id) for book_id in ids]
    return found


def resemble(conn: psycopg.Connection, wish: Wish, audiences: Sequence[str] | None) -> tuple[int, ...]:
    """The works of "something like X", if they are ours: X a title, two titles, or an author."""
    if wish.like or not wish.titled:
        return wish.like
    whole = _titled(conn, wish.titled, audiences)
    if whole:
        return (whole,)
    parts = [part for part in re.split(r" (?:and|or|и|или|va|hoac) | \| ", wish.titled) if part.strip()]
    found = tuple(book_id for part in parts if len(parts) > 1 and (book_id := _titled(conn, part, audiences)))
    if found:
        return found
    return _of_series_or_author(conn, wish.titled, audiences) or tuple(
        book_id for part in parts if len(parts) > 1 for book_id in _of_series_or_author(conn, part, audiences)[:1]
    )


def _of_series_or_author(conn: psycopg.Connection, name: str, audiences: Sequence[str] | None) -> tuple[int, ...]:
    """A few works of the series, or else of the author, of that name."""
    words = _name_words(name)
    roads = [Filters(series=each) for each in search.series_named(conn, words)[:1]]
    roads = roads or [Filters(author=each) for each in search.authors_named(conn, words)[:1]]
    return tuple(book_id for filters in roads for book_id in _browse(conn, filters, audiences, 3))


def _titled(conn: psycopg.Connection, title: str, audiences: Sequence[str] | None) -> int | None:
    """The work whose title this is, or begins with this, in whatever form of the words."""
    wanted = " ".join(title.replace("|", " ").split())
    hits = search.search(conn, wanted, "title", limit=5, audiences=audiences)
    records = statements.records(conn, [hit.book_id for hit in hits], audiences=audiences)
    for record in records:
        if _is_title(wanted, record.title):
            return record.book_id
    for book_id, known in search.titles_near(conn, wanted):
        if _is_title(wanted, known, exactly=True):
            found = statements.records(conn, [book_id], audiences=audiences)
            return book_id if found else None
    return None


def _is_title(asked: str, title: str, *, exactly: bool = False) -> bool:
    """Whether all the words stand in the title, and not only a small part of it."""
    own = fold_words(title).split()
    main = fold_words(re.split(r"[:.(]", title)[0]).split() or own
    words = asked.split()
    held = sum(any(compiled(form_pattern(word)).fullmatch(other) for other in own) for word in words)
    is_whole = len(words) >= 0.6 * len(main)
    return held >= (len(words) if not exactly else 0.7 * len(words)) and is_whole


def _browse(conn: psycopg.Connection, filters: Filters, audiences: Sequence[str] | None, limit: int) -> list[int]:
    cards = catalogue.browse(conn, filters, "rating", limit=limit, offset=0, audiences=audiences)
    return [card.book_id for card in cards]


@dataclass(frozen=True)
class _Ask:
    """A wish, resolved against the catalogue."""

    wish: Wish
    units: tuple["_Unit", ...]
    authors: tuple[str, ...]  # one of them must have written it
    likely_authors: frozenset[str]  # named in passing
    avoided_authors: frozenset[str]
    series: frozenset[str]
    titled: int | None  # the very work that was asked for
    like: tuple[Record, ...]
    meaning: str  # English, for nearness; empty where there is none
    nearest: dict[str, float]  # what its words that we have no name for are near to, and how near
    terse: float  # 1 where the question says no more than it must, less the more it says
    heard: dict[str, float]  # each word that says something: how rare it is, 0 to 1
    toward: Mapping[str, float] | None  # how near in meaning the question is to each subject, theme and mood
    rarity: dict[str, float]  # how rare each subject, theme and mood is, where likeness is asked for
    titles: dict[int, float]  # how surely each work's title was said, 0 to 1, see `search.titles_heard`


@dataclass(frozen=True)
class _Unit:
    """One thing that the question speaks of."""

    name: str
    weight: float
    concept: Concept | None = None
    word: str = ""
    language: Language = "en"
    rarity: float = 0.0  # of the word, 0 to 1
    is_name: bool = False


@dataclass(frozen=True)
class _View:
    """A record as it is searched."""

    record: Record
    names: Spaced
    blurb: Spaced
    subjects: tuple[str, ...]
    terms: dict[str, float]  # names of the themes and moods that its source gives it: how much it is so, 0 to 1

    @classmethod
    @lru_cache(maxsize=4_000)  # of the catalogue alone
    def of(cls, record: Record) -> "_View":
        names = f"{record.title} . {record.authors_text} . {record.series_name or ''}"
        subjects = tuple(s.strip().casefold() for s in record.subjects_text.split(", ") if s.strip())
        terms: dict[str, float] = {}
        for said in (record.themes, record.moods):
            for place, term in enumerate(said):
                for name in concepts_of_term(term):
                    terms.setdefault(name, max(0.7, 1.0 - 0.06 * place))
        return cls(record, Spaced.of(names), Spaced.of(record.summary or ""), subjects, terms)


def _look(conn: psycopg.Connection, wish: Wish, audiences: Sequence[str] | None) -> list[Candidate]:
    """All that was looked at, best first; what a filter shuts out is not among it."""
    ask = _resolve(conn, wish, audiences)
    if ask is None:
        return []
    in_turn = _sequels(conn, ask.like, audiences) if wish.is_sequel else []
    if wish.in_order and ask.series:
        in_turn = _of_series(conn, sorted(ask.series)[0], wish, audiences)
    if in_turn:
        # In the order in which they follow each other.
        return [Candidate(record, 100.0 - place, True, 1.0, 1.0) for place, record in enumerate(in_turn)]
    hits = _pool(conn, ask, audiences)
    records = statements.records(conn, list(hits), audiences=audiences)
    liked = {record.book_id for record in ask.like}
    # Who names a series by its name has read it; who names one book may go on with the next.
    read = {r.series_name for r in ask.like if r.series_name} if len(ask.like) > 1 else set()
    weighed = [
        _weigh(ask, view, hits[record.book_id])
        for record in records
        if record.book_id not in liked
        and record.series_name not in read
        # Who asks for it in another language asks for the same work.
        and (wish.written_in or not any(_is_same_work(record, each) for each in ask.like))
        and (view := _View.of(record))
        and _fulfils(ask, view)
    ]
    best = max((c for c in weighed if c.answers), key=lambda c: c.coverage, default=None)
    if best and best.coverage and ask.units and not (ask.authors or ask.like or wish.named or ask.titled):
        # Whether anything answers is one question, which of the works another. What holds some of what the best one
        # does may be the better book; what lacks a name that the best one has is none.
        named = {unit.name for unit in ask.units if unit.is_name and unit.name in best.holds}
        weighed = [
            replace(c, answers=c.is_meant or (c.coverage >= _BESIDE_BEST * best.coverage and named.issubset(c.holds)))
            for c in weighed
        ]
    return sorted(weighed, key=lambda c: (not c.answers, -c.evidence, c.record.book_id))


def choose(
    conn: psycopg.Connection, wish: Wish, book_ids: Sequence[int], audiences: Sequence[str] | None
) -> list[Record]:
    """Of these works the one that answers a wish best: the shortest, the funniest, the one for a child of nine."""
    records = statements.records(conn, list(book_ids), audiences=audiences)
    if not records:
        return []
    if wish.length:
        return [min(records, key=lambda r: (r.pages or 10_000) if wish.length == "short" else -(r.pages or 0))]
    ask = _resolve(conn, wish, audiences)
    if ask is None:
        return records[:1]
    weighed = [_weigh(ask, _View.of(record), 0.0) for record in records]
    return [max(weighed, key=lambda c: c.evidence).record]


def _sequels(conn: psycopg.Connection, liked: Sequence[Record], audiences: Sequence[str] | None) -> list[Record]:
    """What follows on a work in its series, in order; nothing where it is in none or the last."""
    return [
        each
        for record in liked
        if record.series_name
        for each in _of_series(conn, record.series_name, None, audiences)
        if (each.series_index or 1) > (record.series_index or 1)
    ]


def _of_series(conn: psycopg.Connection, name: str, wish: Wish | None, audiences: Sequence[str] | None) -> list[Record]:
    """The works of a series from its beginning, in the language that is asked for."""
    filters = Filters(series=name, language=wish.written_in if wish else None)
    found = statements.records(conn, _browse(conn, filters, audiences, _POOL), audiences=audiences)
    return sorted(found, key=lambda record: record.series_index or 1)


def _is_same_work(one: Record, other: Record) -> bool:
    """Whether two records seem to be one work, in two languages."""
    return one.year is not None and (one.year, one.authors_text) == (other.year, other.authors_text)


def _resolve(  # noqa: C901
    conn: psycopg.Connection, wish: Wish, audiences: Sequence[str] | None
) -> _Ask | None:
    """None where what must be there is not in the catalogue: an author, a title, a book to be like."""
    authors: tuple[str, ...] = ()
    like = tuple(statements.records(conn, list(wish.like), audiences=audiences))
    if wish.titled and not like:
        is_named = wish.is_titled_as_name or any(quote in wish.text for quote in '«“"')
        if is_named and not (wish.subjects or wish.themes or wish.moods):
            return None
        # Not written as a name: "something like a fairy tale".
        more = () if is_named else wish.titled.replace("|", " ").split()
        wish = replace(wish, titled="", words=(*wish.words, *more))
    if wish.author:
        authors = _authors(conn, wish.author)
        if not authors:
            if wish.language != "en" or _is_written_as_name(wish.author, wish.text):
                return None
            # "Told by somebody who was there": no author.
            more = [word for word in wish.author.split() if word not in lexicon().silent["en"]]
            if 0 in statements.counts_holding(conn, [_forms(word, "en") for word in more]):
                return None
            wish = replace(wish, author="", words=(*wish.words, *more))
    named_title, series = None, frozenset[str]()
    heard_titles = search.titles_heard(conn, wish.wanted, in_syllables=wish.language == "vi")
    if wish.named:
        named_title = _titled(conn, wish.named, audiences)
        series = frozenset(search.series_named(conn, wish.named.split()))
        if not named_title and not series:
            authors = authors or _authors(conn, wish.named)
        if not (named_title or series or authors):
            # A hero or a place: its name must stand in the record.
            said = [_as_written(wish)] if wish.language == "vi" else wish.named.split()
            wish = replace(wish, words=(*wish.words, *said), names=(*wish.names, *wish.named.split()))
    said = tuple(dict.fromkeys(word for part in wish.words for word in fold_words(part).split()))
    spoken = tuple(dict.fromkeys(fold_words(word) for word in wish.spoken[:30]))
    likely = frozenset[str]() if like else _likely_authors(conn, wish)
    if not (wish.author or named_title or like):
        named_title = _whole_title(conn, wish, likely, audiences)
    if like and wish.author:
        authors = _authors(conn, wish.author)
        if any({*record.authors_text.split(", ")} & {*authors} for record in like):
            authors = ()  # who wrote the book that others should be like
    avoided_authors = frozenset(_authors(conn, wish.avoid_author) if wish.avoid_author else ())
    series = series or frozenset(search.series_named(conn, said) if said and len(said) <= 4 else ())
    if wish.in_order and not series:
        series = _series_heard(conn, heard_titles, said, audiences)
    total = max(catalogue.count_works(conn, ANY_WORK), 1)
    runs = _runs(wish)
    pieces = [piece for run in runs for piece in _pieces(run, wish.language)]
    rarities = _rarities_of(conn, [*spoken, *pieces], wish.language, total)
    units = _units(wish, runs, rarities)
    heard = {word: rarities[fold_words(word)] for word in wish.spoken[:30]}
    rarity = _rarities(conn, total) if like else {}
    terse = min(1.0, _TERSE / max(len(fold_words(wish.text).split()), 1))
    plain = " ".join(word for word in wish.words if word not in wish.names)
    nearest = dict(_nearest(plain)) if plain and wish.language == "en" else {}
    return _Ask(
        wish, units, authors, likely, avoided_authors,
        series, named_title, like, _meaning(wish), nearest, terse, heard,
        _toward(_meaning(wish)), rarity,
        {each.book_id: sure for each in heard_titles if (sure := each.share * (1 - 0.5**each.said)) >= _HEARD_TITLE},
    )  # fmt: skip


def _series_heard(
    conn: psycopg.Connection, titles: Sequence[search.HeardTitle], said: Sequence[str], audiences: Sequence[str] | None
) -> frozenset[str]:
    """The series that is asked for by words of its name, or of the titles in it."""
    for word in said:
        if len(word) > 3 and (named := search.series_named(conn, [word])):
            return frozenset(named)
    records = statements.records(conn, [each.book_id for each in titles if each.said >= _ALONE], audiences=audiences)
    return frozenset([record.series_name for record in records if record.series_name][:1])


def _is_written_as_name(name: str, text: str) -> bool:
    """Whether one of the folded words of a name begins with a capital in the text."""
    words = set(name.split())
    return any(raw[0].isupper() and fold(raw) in words for raw in re.findall(r"\w+", text))


def _as_written(wish: Wish) -> str:
    """What a Vietnamese question names, with its accents."""
    raw = re.findall(r"\w+", wish.text)
    folded, named = [fold(word) for word in raw], wish.named.split()
    for start in range(len(raw) - len(named) + 1):
        if folded[start : start + len(named)] == named:
            return " ".join(accented(word) for word in raw[start : start + len(named)])
    return wish.named


def _whole_title(
    conn: psycopg.Connection, wish: Wish, authors: frozenset[str], audiences: Sequence[str] | None
) -> int | None:
    """The work whose whole title the question is: "Dune", "мертвые души"; nearly, where it has words of its own; with
    its author beside it: "Dune Herbert"."""
    folded = fold_words(wish.text)
    for book_id, title in search.titles_near(conn, folded):
        is_near = bool(wish.words) and _is_title(folded, title, exactly=True)
        if folded in _full_and_main(title) or (
            is_near and abs(len(fold_words(title)) - len(folded)) <= 0.4 * len(folded)
        ):
            return book_id if statements.records(conn, [book_id], audiences=audiences) else None
    names = {word for author in authors for word in fold_words(author).split()}
    beside = " ".join(word for word in folded.split() if word not in names)
    if beside and beside != folded:
        ids = [book_id for book_id, title in search.titles_near(conn, beside) if beside in _full_and_main(title)]
        for record in statements.records(conn, ids, audiences=audiences):
            if authors & {*record.authors_text.split(", ")}:
                return record.book_id
    return None


def _full_and_main(title: str) -> tuple[str, str]:
    return fold_words(title), fold_words(title.split(":")[0])


def _authors(conn: psycopg.Connection, name: str) -> tuple[str, ...]:
    """Authors of that name; of several names parted by "or", of each."""
    found: list[str] = []
    for part in re.split(r"\b(?:or|and|и|или|hoac|va)\b|\|", name):
        words = _name_words(part)
        found += search.authors_named(conn, words) if words else []
    return tuple(dict.fromkeys(found))


def _name_words(name: str) -> list[str]:
    return [word for word in fold_words(name).split() if word not in ("s", "the", "братьев", "брат")]


def _likely_authors(conn: psycopg.Connection, wish: Wish) -> frozenset[str]:
    """Authors whose names the question holds without a "by"."""
    names = [word for word in wish.names if len(word) > 1]
    said = [word for run in wish.words for word in fold_words(run).split()]
    if wish.language == "vi":
        for run in wish.words:
            words = fold_words(run).split()
            if len(words) > 1 and (found := search.authors_named(conn, words)):
                return frozenset(found)
        # A foreign name is often written by its sound, with hyphens: "Hê-minh-uây".
        by_sound = re.findall(r"\w+(?:-\w+)+", wish.text)
        return frozenset(search.authors_misspelt(conn, ["".join(fold_words(each).split()) for each in by_sound]))
    if 0 < len(said) <= _NAME_ALONE and len(fold_words(wish.text).split()) <= _NAME_ALONE:
        names = names or said  # "octavia butler", and nothing else
    if misspelt := search.authors_misspelt(conn, said):
        return frozenset(misspelt)
    if not names:
        return frozenset()
    found = search.authors_named(conn, names)
    if not found and len(names) > 1 and wish.names:
        found = [author for name in names if len(name) > 3 for author in search.authors_named(conn, [name])]
    # Who names one by the first name alone talks of somebody else.
    return frozenset(
        author for author in found
        if (len(names) > 1 and all(name in fold_words(author).split() for name in names))
        or any(_is_surname(name, author) for name in names)
    )  # fmt: skip


_NAME_ALONE = 3  # words


def _is_surname(name: str, author: str) -> bool:
    last = fold_words(author).split()[-1:]
    return bool(last) and search.authors_named_last(name, last[0])


def _prefix(word: str) -> str:
    """What the index is asked for, of a folded word: its beginning, as long as endings allow."""
    root = form_pattern(word)
    literal = re.match(r"(?:\(\?:)?(\w+)", root)
    return literal[1] if literal else word


def _runs(wish: Wish) -> list[str]:
    """What must stand together: in Vietnamese what does so in the question, else the words of one name."""
    if wish.like:
        return []  # what is said around the name of a book is talk
    if wish.language == "vi":
        return [run for run in wish.words if fold_words(run)]
    runs: list[str] = []
    text = f" {fold_words(wish.text)} "
    for word in wish.words:
        follows = runs and word in wish.names and runs[-1].split()[-1] in wish.names
        if follows and f" {runs[-1]} {word} " in text:
            runs[-1] += f" {word}"
        else:
            runs.append(word)
    return runs


def _pieces(run: str, language: Language) -> list[str]:
    """What of a run is counted, folded: of Vietnamese, whose syllables say little alone, the pairs; else the whole."""
    words = fold_words(run).split()
    pairs = [" ".join(pair) for pair in pairwise(words)] if language == "vi" else []
    return pairs or [" ".join(words)]


def _rarities_of(conn: psycopg.Connection, pieces: Collection[str], language: Language, total: int) -> dict[str, float]:
    """How rare each of these words, or words that follow each other, is in the catalogue, in all forms, 0 to 1."""
    asked = list(dict.fromkeys(pieces))
    queries = [" <-> ".join(_forms(word, language) for word in piece.split()) for piece in asked]
    counts = statements.counts_holding(conn, queries) if asked else []
    return {piece: _rarity(count, total) for piece, count in zip(asked, counts, strict=True)}


def _forms(word: str, language: Language) -> str:
    """A tsquery for a folded word in its forms; a Vietnamese syllable has one."""
    if language == "vi":
        return f"'{word}'"
    root = stem(word)
    if is_cyrillic(word) and len(root) < _SHORT_ROOT:
        # Too short to be searched by its beginning: "кот" is no "который".
        return "(" + " | ".join(f"'{root}{ending}'" for ending in ("", *RUSSIAN_ENDINGS)) + ")"
    return f"'{_prefix(word)}':*"


def _units(wish: Wish, runs: Sequence[str], rarities: Mapping[str, float]) -> tuple[_Unit, ...]:
    known = lexicon()
    kinds = ((wish.subjects, _SUBJECT_WEIGHT), (wish.themes, _THEME_WEIGHT), (wish.moods, _MOOD_WEIGHT))
    units = [_Unit(name, _held(wish, name) * weight, known.of(name)) for names, weight in kinds for name in names]
    is_told = bool(units or wish.length or wish.age is not None or wish.audience or wish.like)
    words: list[_Unit] = []
    for run in runs:
        folded = fold_words(run)
        is_name = any(part in wish.names for part in folded.split())
        rare = [rarities[piece] for piece in _pieces(run, wish.language)]
        rarity = max(rare) if is_name else sum(rare) / len(rare)
        if rarity == 1.0 and folded.isdigit():
            continue  # "100 years": a number that stands nowhere
        weight = (0.5 + 1.8 * rarity) * _held(wish, run)
        if is_name:
            weight *= 1.5
        elif units:
            weight *= _BESIDE  # it tells the topic more nearly, or nothing: what it is about has been named
        elif wish.language == "vi" and " " not in folded:
            weight *= 0.5  # one syllable is seldom a word of its own
        words.append(_Unit(run, weight, None, run, wish.language, rarity, is_name))
    # Who says much tells a story: of its words few are what the book is to be about, so that each next one says less.
    words.sort(key=lambda unit: -unit.weight)
    fewer = _TALK if is_told else _TALK_ALONE
    part = min(1.0, _TERSE / max(len(fold_words(wish.text).split()), 1)) if is_told else 1.0
    units += [
        replace(unit, weight=unit.weight * fewer**n * (1.0 if unit.is_name else part)) for n, unit in enumerate(words)
    ]
    return tuple(units)


def _known_share(wish: Wish) -> float:
    """What a wish asks for that is no matter of words and that each work looked at fulfils: it counts as found."""
    return (
        1.0 * (wish.age is not None or wish.audience is not None) + 1.0 * (wish.length is not None)
        + 0.5 * bool(wish.year_from or wish.year_to) + 0.5 * bool(wish.by_women)
        + 0.4 * (wish.is_translated or wish.is_native)
    )  # fmt: skip


def _held(wish: Wish, name: str) -> float:
    return _HELD if name in wish.held else 1.0


@lru_cache(maxsize=1_000)
def _nearest(words: str) -> tuple[tuple[str, float], ...]:
    """Names of what English words mean nearly, of all that we have names for, and how nearly, 0 to 1."""
    names, vectors = meanings()
    concepts = lexicon().concepts
    asked = search.encoded(words)
    if asked is None or not names:
        return ()
    cosines = vectors[: len(concepts)] @ asked
    cosines = np.where([concept.kind == "mood" for concept in concepts], -1.0, cosines)
    best = np.argsort(-cosines)[:_NEAREST]
    return tuple((names[n], min(1.0, 0.3 + float(cosines[n]))) for n in best if cosines[n] >= NEAR_FLOOR)


@cache
def meanings() -> tuple[tuple[str, ...], np.ndarray]:
    """Names of subjects, themes and moods, and the embeddings of their glosses, a row each; none without an encoder.

    The first gloss of each comes first, in the order of the concepts; then the others.
    """
    said = [(concept.name, glosses(concept)) for concept in lexicon().concepts]
    rows = [(name, own[0]) for name, own in said] + [(name, each) for name, own in said for each in own[1:]]
    vectors = search.encoded_all([text for _name, text in rows])
    return (tuple(name for name, _text in rows), vectors) if vectors is not None else ((), np.empty((0, 0)))


@lru_cache(maxsize=1_000)
def _toward(meaning: str) -> Mapping[str, float] | None:
    """How near in meaning a text, or a part of it, is to each subject, theme and mood; None without text or encoder."""
    names, vectors = meanings()
    asked = search.encoded_all(_parts(meaning)) if meaning and names else None
    if asked is None:
        return None
    nearest: dict[str, float] = {}
    for name, cosine in zip(names, (asked @ vectors.T).max(axis=0).tolist(), strict=True):
        nearest[name] = max(cosine, nearest.get(name, -1.0))
    return nearest


_PART, _STEP = 5, 3  # words


def _parts(text: str) -> list[str]:
    """A text, what stands between its marks and conjunctions, and of long parts a few words at a time."""
    parts = [part.split() for part in re.split(r"[.!?;:,\n()]| but | and | with | - ", text)]
    windows = [p[n : n + _PART] for p in parts if len(p) > _PART + 1 for n in range(0, len(p) - _STEP, _STEP)]
    return list(dict.fromkeys([text, *(" ".join(part) for part in (*parts, *windows) if len(part) > 1)]))[:_MOST_PARTS]


_MOST_PARTS = 24


def _rarities(conn: psycopg.Connection, total: int) -> dict[str, float]:
    """How rare each subject, theme and mood is among the works."""
    counts: Counter[str] = Counter()
    for term, count in statements.count_terms(conn):
        counts.update(dict.fromkeys(concepts_of_term(term), count))
    counts.update({c.name.casefold(): c.count_works for c in catalogue.subject_counts(conn)})
    return {name: _rarity(count, total) for name, count in counts.items()}


def _rarity(held_by: int, total: int) -> float:
    """1 for what no work holds, near 0 for what all hold."""
    return log(1 + total / (1 + held_by)) / log(1 + total)


def _meaning(wish: Wish) -> str:
    """What nearness is asked with: the question itself where it is English, else our English words for it."""
    if wish.language == "en":
        return wish.wanted
    return " ".join((*wish.moods, *wish.subjects, *wish.themes))


def _pool(conn: psycopg.Connection, ask: _Ask, audiences: Sequence[str] | None) -> dict[int, float]:
    """Works worth a look, and how near in meaning each is: by names and likeness; else by topic, too."""
    wish = ask.wish
    base = Filters(language=wish.written_in, year_from=wish.year_from, year_to=wish.year_to, format=wish.format)
    found: dict[int, float] = {}
    for author in (*ask.authors, *sorted(ask.likely_authors)[:5]):
        found |= dict.fromkeys(_browse(conn, replace(base, author=author), audiences, _POOL), 0.0)
    for name in ask.series:
        found |= dict.fromkeys(_browse(conn, replace(base, series=name), audiences, _POOL), 0.0)
    found |= dict.fromkeys(ask.titles, 0.0)
    if ask.titled is not None:
        found[ask.titled] = 1.0
    look = statements.Look(
        model=embedding.model_name(), own=wish.written_in or CODES[wish.language], filters=base,
        audiences=audiences, most=_POOL,
    )  # fmt: skip
    if ask.like:
        terms = [term for record in ask.like for term in (*record.themes, *record.moods[:2])]
        subjects = [name.casefold() for record in ask.like for name in record.subjects_text.split(", ")[:2]]
        vectors = statements.vectors(conn, [record.book_id for record in ask.like], look.model)
        middle = search.vector_text(np.mean([vector.to_numpy() for vector in vectors], axis=0)) if vectors else None
        near = statements.look(conn, replace(look, vector=middle, terms=terms, subjects=subjects))
        found |= {book_id: found.get(book_id) or cosine or 0.0 for book_id, cosine in near.items()}
    if ask.authors or (ask.like and not ask.units):
        return found
    known = lexicon()
    implied = [known.of(theme).subject for theme in wish.themes if known.of(theme).subject]
    near = statements.look(
        conn,
        replace(
            look,
            any_word=search.any_word(_phrases(ask)),
            vector=search.vector(ask.meaning) if ask.meaning else None,
            terms=_terms_of(conn, {unit.concept.name for unit in ask.units if unit.concept} | {*ask.nearest}),
            subjects=list(dict.fromkeys((*wish.subjects, *implied))),
            audience=wish.audience,
            pages=_pages(wish),
            age=wish.age if wish.age is not None and wish.age < 18 else None,
            best=bool(wish.length or wish.by_women or wish.written_in) or not (ask.units or ask.like),
        ),
    )
    return found | {book_id: found.get(book_id) or cosine or 0.0 for book_id, cosine in near.items()}


def _pages(wish: Wish) -> tuple[int, int] | None:
    """The pages of works of the length that is asked for, the least and the most; None where none is asked for."""
    if wish.length is None:
        return None
    if wish.length == "short":
        return 0, round(_SLACK * (wish.max_pages or SHORT))
    return round((wish.min_pages or LONG) / _SLACK), 100_000


def _terms_of(conn: psycopg.Connection, names: Collection[str]) -> list[str]:
    """The themes and moods, as records of this catalogue have them, that mean one of these."""
    version = (conn.info.dsn, statements.catalogue_version(conn))
    if version not in _known_terms:
        terms = {term: concepts_of_term(term) for term, _count in statements.count_terms(conn)}
        _known_terms.clear()
        _known_terms[version] = terms
    return [term for term, means in _known_terms[version].items() if not means.isdisjoint(names)]


# One entry: the catalogue as it stands.
_known_terms: dict[tuple[str, int], dict[str, frozenset[str]]] = {}


def _phrases(ask: _Ask) -> list[str]:
    """What full text is asked for: words of the question, and in the languages we know what else names its themes."""
    found = [" ".join(_prefix(part) for part in fold_words(word).split()) for word in ask.wish.words]
    for unit in ask.units:
        if unit.concept is not None:
            found += unit.concept.index_words((ask.wish.language, "en"))
    return list(dict.fromkeys(phrase for phrase in found if phrase))[:_MAX_PHRASES]


def _fulfils(ask: _Ask, view: _View) -> bool:
    """Whether nothing that the wish demands is missing, and nothing it avoids is there."""
    wish, record = ask.wish, view.record
    if record.book_id == ask.titled and not wish.written_in:
        return True
    language = _LANGUAGE_OF.get(record.language or "")
    if wish.written_in and record.language != wish.written_in:
        return False
    if wish.year_from and (record.year is None or record.year < wish.year_from):
        return False
    if wish.year_to and (record.year is None or record.year > wish.year_to):
        return False
    if not _for_reader(wish, record) or not _by_whom(wish, record):
        return False
    least, most = (wish.min_pages or 0) / _SLACK, (wish.max_pages or record.pages or 0) * _SLACK
    if record.pages and not least <= record.pages <= most:
        return False
    authors = set(record.authors_text.split(", "))
    if ask.avoided_authors & authors or (ask.authors and not set(ask.authors) & authors):
        return False
    return not _is_avoided(wish, view, language)


def _by_whom(wish: Wish, record: Record) -> bool:
    """Whether its authors are who the wish asks for, as far as names tell."""
    first = [fold_words(author).split(" ")[0] for author in record.authors_text.split(", ") if author]
    if wish.by_women:
        # A Vietnamese name ends with what a person is called by.
        last = accented(record.authors_text).replace(",", " ").split() if record.language == "vie" else []
        if not (lexicon().women.intersection(first) or lexicon().vietnamese_women.intersection(last)):
            return False
    if not (wish.is_translated or wish.is_native):
        return True
    if record.language == "rus":
        is_native = bool(lexicon().russians.intersection(first))
    elif record.language == "vie":
        is_native = fold(record.authors_text) != record.authors_text.casefold() and not _FOREIGN.search(
            record.authors_text
        )
    else:
        return not wish.is_translated
    return is_native if wish.is_native else not is_native


# Letters and names of other Latin alphabets.
_FOREIGN = re.compile(
    r"[éèêëíóúñüöäçßáà](?!\w*[ăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ])\w{3,}|[fjwz]|\w{8,}", re.IGNORECASE
)


def _is_avoided(wish: Wish, view: _View, language: Language | None) -> bool:
    """Whether it is, or speaks of, what there should be none of."""
    for name in wish.avoid:
        concept = lexicon().of(name)
        if name in view.subjects or (concept.kind != "mood" and concept.stands_in(view.names, language or "en")):
            return True
        if name in view.terms:
            return True
        if concept.kind == "mood" and view.record.moods:
            continue  # who filed it would have said so
        if concept.kind != "subject" and concept.stands_in(view.blurb, language or "en"):
            return True
    avoided = [compiled(rf"\b{form_pattern(fold_words(word))}\b") for word in wish.avoid_words]
    return any(p.search(view.names.folded) or p.search(view.blurb.folded) for p in avoided)


def _for_reader(wish: Wish, record: Record) -> bool:
    if wish.audience == "adult":
        return record.audience == "adult"
    span = readers_of(record)
    if wish.age is not None and wish.age < 18:
        if span:
            is_grown = record.audience == "adult" and wish.age < _CROSSES_OVER
            return span[0] - 1 <= wish.age <= span[1] + 1 and not is_grown
        if wish.age <= 9:
            return record.audience == "children"
        if wish.age <= 13:
            return record.audience in ("children", "young adult") or _is_told_to_all(record)
        return record.audience == "young adult" or _is_told_to_all(record)
    if wish.audience == "young adult" and span:
        return record.audience == "young adult" or (span[0] >= 10 and span[1] >= _TEENS[0])
    if wish.audience == "children" and span and record.audience == "young adult":
        return span[0] <= 10
    return wish.audience is None or record.audience == wish.audience


def _is_told_to_all(record: Record) -> bool:
    """Whether a work of facts that is meant for no age in particular is easy to read."""
    principal = record.subjects_text.split(", ")[0].casefold()
    return principal in _NO_STORIES and any("easy" in concepts_of_term(mood) for mood in record.moods)


def readers_of(record: Record) -> tuple[int, int] | None:
    """The ages of readers, in years, that its record or else its blurb names; None where they name none."""
    if record.age_from is not None:
        return record.age_from, OLDEST if record.age_to is None else record.age_to
    return ages(record.summary or "")


_AGE_WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11,
    "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "hai": 2, "ba": 3, "bon": 4, "nam": 5,
    "sau": 6, "bay": 7, "tam": 8, "chin": 9, "muoi": 10, "muoi hai": 12, "двух": 2, "трех": 3, "четырех": 4,
    "пяти": 5, "шести": 6, "семи": 7, "восьми": 8, "девяти": 9, "десяти": 10, "одиннадцати": 11, "двенадцати": 12,
    "четырнадцати": 14,
}  # fmt: skip
_AGE = r"(?:\d{1,2}|" + "|".join(sorted(_AGE_WORDS, key=lambda word: -len(word))) + ")"
_AGES = re.compile(
    rf"\b(?P<a>{_AGE})(?: years?)? (?:to|and|or) (?:about )?(?P<b>{_AGE})(?: years?)?(?: olds?)?\b"
    rf"|\bfrom (?P<c>{_AGE}) years? up to (?:\w+ ){{0,4}}(?P<d>{_AGE})\b"
    rf"|\b(?:from|ages?|aged|of|at|for|over|until)(?: about| around| the age of"
    rf"| age)? (?P<from>{_AGE})\b(?! (?:(?:years? )?(?:to|and|or) (?:about )?{_AGE}\b|years (?:ago|of)|different"
    rf"|generations|lives|short|long|women|men|sisters"
    rf"|brothers))"
    rf"|\b(?P<olds>{_AGE}) years? olds\b|\bunder (?P<under>{_AGE})\b|\bup to (?:about )?(?P<upto>{_AGE})\b"
    rf"|\bот (?P<ra>{_AGE}) до (?P<rb>{_AGE})(?: лет)?\b|\b(?:с|от|лет с|для) (?P<rfrom>{_AGE})(?: лет)?\b(?! до)"
    rf"|\btu (?P<va>{_AGE}) (?:den|toi) (?P<vb>{_AGE}) tuoi|\b(?:tu|tren|khoang) (?P<vfrom>{_AGE}) tuoi"
    r"|\b(?P<small>дошкольник\w*|малыш\w*|toddlers|babies)\b"
)
_OF_READERS = re.compile(
    r"\b(?:ages?|aged|read|reads|reader|readers|reading|suits?|children|aloud|listeners|for|olds|tuoi|лет|детям|читател"
    r"|чтени|читать)\b"
)


def ages(summary: str) -> tuple[int, int] | None:
    """The ages of readers that a blurb names, in years; None where it names none."""
    for sentence in re.split(r"(?<=[.!?;])\s", summary):
        folded = spaced(sentence).replace("|", " ")
        folded = " ".join(folded.split())
        match = _AGES.search(folded)
        if not match or not _OF_READERS.search(folded):
            continue
        if match["small"]:
            return 2, 6
        found = {name: int(v) if v.isdigit() else _AGE_WORDS[v] for name, v in match.groupdict().items() if v}
        low = next((found[k] for k in ("a", "c", "from", "olds", "ra", "rfrom", "va", "vfrom") if k in found), 0)
        high = next((found[k] for k in ("b", "d", "under", "upto", "rb", "vb") if k in found), low + 5)
        if 0 <= low <= 18 and low <= high <= 24:
            return low, high
    return None


# How records speak of length: for the index, and to be sure.
_SAYS_SHORT = (
    "short",
    "slim",
    "slender",
    "brief",
    "novella",
    "compact",
    "mong",
    "ngan",
    "co dong",
    "повест",
    "небольш",
    "коротк",
    "кратк",
)
_SAYS_LONG = (
    "long",
    "vast",
    "sprawling",
    "epic",
    "panoram",
    "saga",
    "generations",
    "huge",
    "do so",
    "dai",
    "su thi",
    "эпопе",
    "эпич",
    "поколени",
    "сага",
)
_SHORT = re.compile(
    r"(?:^|\| )(?:short|brief|slim|compact|concise)\b|\b(?:very |and )(?:short|brief|slim|compact)\b"
    r"|\b(?:short|brief|slim|slender|compact|small|little|tiny|thin) (?:\w+ )?(?:novels?|books?|read|text|essay"
    r"|story|volume|memoir|study|tale|account|play|lectures?|fable|classic|masterpiece)\b"
    r"|\bnovella\b|\bin (?:one|a single) (?:sitting|evening|afternoon|breath)\b|\b(?:few|hundred) pages\b"
    r"|\b(?:tap|cuon|sach|van|truyen|ky|chuyen) (?:\w+ )?(?:mong|ngan|nho)\b|\b(?:ngan gon|co dong|doc gon|gon)\b"
    r"|\b(?:повест\w*|небольш\w*|коротк\w*|невелик\w*|притч\w*|тоненьк\w*|кратк\w*)\b"
)
_LONG = re.compile(
    r"\b(?:(?:very |a |this )long (?:novel|book|read|story|tale|poem)|long novel|longest|huge|vast|sprawling|epic"
    r"|panoramic|immense|enormous|massive|saga|generations|monumental|doorstopper|thick|leisurely|capacious"
    r"|hundreds of pages|pages long|many voiced|teeming|grand"
    r"|do so|dai hoi|truong thien|bo tieu thuyet|nhieu tap|hang nghin trang|tieu thuyet dai|day dan|su thi"
    r"|эпопе\w*|многотомн\w*|длинн\w*|объемн\w*|панорам\w*|сага|саги|толст\w+ роман|эпическ\w*|поколени\w*)\b"
)


def length_of(record: Record) -> str | None:
    """Whether a work is short or long: by its pages; where they are not known, by what its record says, if anything."""
    if record.pages:
        return "short" if record.pages <= 1.15 * SHORT else "long" if record.pages >= 0.85 * LONG else None
    blurb = spaced(record.summary or "")
    subjects = record.subjects_text.split(", ")
    is_short = bool(_SHORT.search(blurb)) or bool({"picture books", "short stories"} & set(subjects))
    is_long = bool(_LONG.search(blurb))
    return None if is_short == is_long else "short" if is_short else "long"


# How much each piece of evidence speaks for a work. Fitted to the questions that the librarian may be tuned on, by
# comparing works that answer with works that do not.
WEIGHTS: dict[str, float] = {
    "nearness": 1.4, "gist": 2.5, "coverage": 2.0, "heard": 0.8, "alike": 1.65, "by likely author": 1.5,
    "in series": 1.2, "titled": 3.0, "title said": 4.0, "principal subject": 0.4, "rating": 0.1, "own language": 2.0,
    "length": 1.25, "thickness": 0.6, "age": 2.0, "later in its series": -0.1, "for children": -0.3, "no story": -0.55,
    "too much of": -0.3,
}  # fmt: skip


def _weigh(ask: _Ask, view: _View, cosine: float) -> Candidate:
    """The evidence that this record answers, and whether it is enough."""
    wish, record = ask.wish, view.record
    language = _LANGUAGE_OF.get(record.language or "")
    shares = {unit.name: _share(unit, view, language, ask.nearest) for unit in ask.units}
    known = _known_share(wish)
    total = sum(unit.weight for unit in ask.units) + known
    held = sum(unit.weight * shares[unit.name] for unit in ask.units)
    coverage = (held + known) / total if total else 0.0
    if language in ("vi", "ru") and (ask.like or wish.language != "en"):
        cosine = 0.0  # the encoder reads no Vietnamese or Russian: to it, all of it is alike
    by_likely = bool(ask.likely_authors & set(record.authors_text.split(", ")))
    in_series = record.series_name in ask.series if record.series_name else False
    is_titled = record.book_id == ask.titled
    is_named = bool(wish.named) and all(
        compiled(rf"\b{form_pattern(word)}\b").search(view.names.folded) for word in fold_words(wish.named).split()
    )
    in_series = in_series or is_named
    alike = _likeness(ask, view, cosine) if ask.like else 0.0
    principal = view.subjects[0] if view.subjects else ""
    is_later = record.series_name and (record.series_index or 1) > 1
    asks_for_it = in_series or by_likely or is_titled or ask.authors or _has_series(ask.like, record)
    for_grown = wish.audience is None and wish.age is None and not ask.like and not is_titled
    evidence = {
        "nearness": cosine,
        "gist": _gist(ask, view),
        "coverage": held / (total - known) if ask.units else 0.0,
        "heard": _heard(ask, view),
        "alike": alike,
        "by likely author": by_likely,
        "in series": in_series,
        "titled": is_titled,
        "title said": ask.titles.get(record.book_id, 0.0),
        "principal subject": principal in wish.subjects,
        "rating": ((record.rating or 4.0) - 4.0),
        "own language": not wish.written_in and record.language == CODES[wish.language],
        "length": _of_length(wish, record),
        "thickness": _thickness(wish, record),
        "age": _of_age(wish, record),
        # A series is begun at its beginning.
        "later in its series": ((record.series_index or 1) - 1 if in_series else not asks_for_it) if is_later else 0,
        # Who asks for no child, asks for a grown-up.
        "for children": for_grown and record.audience == "children",
        "no story": (wish.is_story or wish.is_true)
        and (principal in _NO_STORIES) == wish.is_story
        and principal not in wish.subjects,
        "too much of": sum(
            name in view.subjects or name in view.terms or lexicon().of(name).stands_in(view.blurb, language or "en")
            for name in wish.less
        ),
    }
    is_meant = (
        is_titled
        or by_likely
        or in_series
        or ask.titles.get(record.book_id, 0.0) >= _TITLE_ENOUGH
        # What is said about an author may be talk; a subject is not.
        or (bool(ask.authors) and (held > 0 or not any(unit.concept for unit in ask.units)))
        or (bool(ask.like) and alike >= 0.3)
    )
    signs = _signs(ask, view, shares, cosine) if ask.units else {}
    answers = (
        is_meant
        or (not ask.units and not ask.like and not wish.named and _says_so(wish, record))
        or (bool(ask.units) and _is_enough(signs))
    )
    if ask.titled is not None and not is_titled and not in_series and wish.named:
        answers = False  # "do you have Emma?" is not answered by books like it
    return Candidate(
        record, round(sum(WEIGHTS[name] * float(value) for name, value in evidence.items()), 4), answers,
        round(coverage, 3), round(cosine, 3),
        tuple(name for name, share in shares.items() if share), tuple(n for n, share in shares.items() if not share),
        {name: round(float(value), 4) for name, value in evidence.items() if value}, is_meant, signs,
    )  # fmt: skip


def _gist(ask: _Ask, view: _View) -> float:
    """How near in meaning the question is to what the record is filed under, whatever language the record is in."""
    if ask.toward is None:
        return 0.0
    terms = {**dict.fromkeys((name for name in view.subjects if name not in _FORMLESS), 1.0), **view.terms}
    weights = [(ask.toward[name], weight) for name, weight in terms.items() if name in ask.toward]
    if not weights:
        return 0.0
    best = sorted((cosine * weight for cosine, weight in weights), reverse=True)[:3]
    return sum(best) / 3


def _thickness(wish: Wish, record: Record) -> float:
    """Of works that are long enough, how long: the longest is what was asked for; twice as long is 1 more."""
    if wish.length != "long" or not record.pages:
        return 0.0
    return log(max(record.pages, 50) / LONG) / log(2)


def _has_series(liked: Sequence[Record], record: Record) -> bool:
    return any(each.series_name == record.series_name for each in liked)


def _is_enough(signs: Mapping[str, float]) -> bool:
    """Whether a record holds, or is near to, enough of what was asked."""
    return sum(ENOUGH[name] * value for name, value in signs.items()) > 0


# What speaks for answering with a record, and what against it. Fitted to the questions that the librarian may be tuned
# on: whether any record answers, by logistic regression on the best record of each (benchmarks/chat_floor.py).
ENOUGH: dict[str, float] = {
    "one": 2.35, "topics": 1.4, "missing topics": -1.4, "moods": 1.4, "words": 0.8, "missing words": -1.95,
    "names": 1.2, "missing names": -2.4, "unknown name": -2.05, "nearness": 1.45, "known": 1.15,
    "teaches": -1.85, "terse": -2.05, "in Russian": 1.15,
}  # fmt: skip


def _signs(ask: _Ask, view: _View, shares: Mapping[str, float], cosine: float) -> dict[str, float]:
    """What a record holds and lacks of the units of a wish: the evidence for answering with it at all."""
    wish = ask.wish
    language = _LANGUAGE_OF.get(view.record.language or "")
    concepts = [unit.concept for unit in ask.units if unit.concept]
    topics = [shares[each.name] for each in concepts if each.kind != "mood" and each.name != "learning"]
    moods = [shares[each.name] for each in concepts if each.kind == "mood" and each.name not in _USES]
    said = [unit for unit in ask.units if unit.word]
    # What a word is nearest to is no proof that a record holds it.
    literal = {u.name: _share(u, view, language, {}) if ask.nearest else shares[u.name] for u in said}
    names = [(unit.rarity, literal[unit.name]) for unit in said if unit.is_name]
    words = [(unit.rarity, literal[unit.name]) for unit in said if not unit.is_name]
    return {
        "one": 1.0,
        "topics": min(3.0, sum(topics)),
        "missing topics": min(2.0, sum(1 - share for share in topics)),
        "moods": min(1.0, sum(moods)),
        "words": _fading([rarity * share for rarity, share in words]),
        "missing words": ask.terse * _fading([rarity * (1 - share) for rarity, share in words]),
        "names": min(1.0, sum(share for _rarity, share in names)),
        "missing names": min(1.5, sum(rarity * (1 - share) for rarity, share in names)),
        "unknown name": float(any(rarity == 1.0 for rarity, _share in names)),
        # To a question in another language nearness is that of our own words for its topics.
        "nearness": max(0.0, cosine - 0.2) if wish.language == "en" else 0.0,
        "known": min(1.5, _known_share(wish) + (wish.written_in not in (None, CODES[wish.language]))),
        "teaches": float(wish.teaches),
        # Who says little means each word of it.
        "terse": ask.terse,
        # Of Vietnamese words that stand together one piece is made; of Russian ones each may be missing.
        "in Russian": float(wish.language == "ru"),
    }


def _fading(values: Sequence[float]) -> float:
    """The sum of values of which each next smaller one counts less."""
    return sum(value * 0.6**n for n, value in enumerate(sorted(values, reverse=True)))


def _share(unit: _Unit, view: _View, language: Language | None, nearest: Mapping[str, float]) -> float:
    """How much of one unit a record holds, 0 to 1."""
    if unit.concept is not None:
        return _share_of_concept(unit.concept, view, language or "en")
    if unit.language == "vi":
        own = _share_of_run(unit.word, view)
    else:
        forms = " ".join(form_pattern(word) for word in fold_words(unit.word).split())
        pattern = compiled(rf"\b{forms}\b")
        is_named = pattern.search(view.names.folded) or any(
            pattern.search(name) for name in (*view.subjects, *view.terms)
        )
        own = _IN_NAMES if is_named else _IN_BLURB if pattern.search(view.blurb.folded) else 0.0
    if unit.is_name:
        return own
    return max(
        own,
        max(
            (near * _share_of_concept(lexicon().of(name), view, language or "en") for name, near in nearest.items()),
            default=0.0,
        ),
    )


def _share_of_concept(concept: Concept, view: _View, read: Language) -> float:
    """How much a record is about a subject or theme, or feels so: by what it is filed under, else by its words."""
    name = concept.name
    if name in view.subjects:
        return 1.0
    if name in view.terms:
        return view.terms[name]
    narrower = max((view.terms.get(kind, 0.9 * (kind in view.subjects)) for kind in concept.includes), default=0.0)
    near = max((view.terms.get(kind, float(kind in view.subjects)) for kind in concept.near), default=0.0)
    return max(0.9 * narrower, _NEAR_MOOD * near, _share_of_words(concept, view, read))


def _share_of_words(concept: Concept, view: _View, read: Language) -> float:
    """How much the words of a record and its neighbourhood speak of something."""
    name = concept.name
    if _COUNTRIES.get(name) == view.record.language and view.record.language:
        return 0.8
    # Who filed a record under terms would have said so; its words may say it in passing.
    is_filed = bool(view.record.moods if concept.kind == "mood" else view.record.themes)
    if concept.kind != "mood" and concept.stands_in(view.names, read):
        return 0.7 if is_filed else _IN_NAMES
    in_blurb = concept.stands_in(view.blurb, read)
    if concept.subject in view.subjects:
        return 0.9 if in_blurb else 0.5 if is_filed else 0.6
    if concept.kind == "subject":
        return 0.4 if in_blurb else 0.0
    return (0.6 if is_filed else 0.9) if in_blurb else 0.0


def _share_of_run(run: str, view: _View) -> float:
    """Of Vietnamese syllables that stand together, the share of pairs that stand together in the record."""
    is_accented = run != fold_words(run)
    syllables = run.split()
    pairs = [" ".join(pair) for pair in pairwise(syllables)] or syllables
    # One syllable stands in many words, without its accent in most of them.
    sure = 1.0 if len(syllables) > 1 else 0.6 if is_accented else 0.3
    names, blurb = (text.accented if is_accented else text.folded for text in (view.names, view.blurb))
    found = [
        _IN_NAMES if f" {pair} " in f" {names} " else _IN_BLURB if f" {pair} " in f" {blurb} " else 0.0
        for pair in pairs
    ]
    return sure * sum(found) / len(found)


def _heard(ask: _Ask, view: _View) -> float:
    """Of the words said, the share that the record holds itself; rare words weigh more."""
    total = sum(ask.heard.values())
    if not total:
        return 0.0
    if ask.wish.language == "vi":
        return _share_of_run(" ".join(ask.heard), view)
    found = 0.0
    for word, rarity in ask.heard.items():
        pattern = compiled(rf"\b{form_pattern(fold_words(word))}\b")
        if pattern.search(view.names.folded):
            found += rarity
        elif pattern.search(view.blurb.folded):
            found += _IN_BLURB * rarity
    return found / total


def _likeness(ask: _Ask, view: _View, cosine: float) -> float:
    """How like a record is to the nearest of the works that were named, up to about 3: by theme, mood, form, time."""
    record = view.record
    best = 0.0
    for liked in map(_View.of, ask.like):
        subjects = _overlap(_about(liked.subjects), _about(view.subjects), ask.rarity)
        themes, moods = (
            _overlap(_of_kind(liked.terms, is_mood), _of_kind(view.terms, is_mood), ask.rarity)
            for is_mood in (False, True)
        )
        if not (liked.terms and view.terms):
            themes = moods = subjects  # one of them says nothing of its kind
        same_author = bool({*liked.record.authors_text.split(", ")} & {*record.authors_text.split(", ")})
        same_language = record.language == (ask.wish.written_in or CODES[ask.wish.language])
        best = max(
            best,
            0.7 * subjects + 0.8 * themes + 0.5 * moods + 0.8 * max(0.0, cosine - 0.2)
            + 0.2 * (_principal(liked) == _principal(view)) + 0.3 * same_author
            + 0.4 * same_language + 0.3 * (liked.record.audience == record.audience)
            + 0.15 * len(_about(liked.subjects).keys() & _about(view.subjects).keys())
            + 0.2 * (liked.record.language == record.language) - 0.25 * _years_apart(liked.record, record),
        )  # fmt: skip
    return best


def _years_apart(one: Record, other: Record) -> float:
    """How far apart in time, 0 to 1 for 150 years and more."""
    if one.year is None or other.year is None:
        return 0.3
    return min(abs(one.year - other.year), 150) / 150


def _principal(view: _View) -> str:
    return next((name for name in view.subjects if name not in _FORMLESS), "")


def _about(subjects: Sequence[str]) -> dict[str, float]:
    """Subjects with their weights, without those that only say for whom it is: the principal one says most."""
    return {name: 1.0 / (1 + 0.2 * n) for n, name in enumerate(subjects) if name not in _FORMLESS}


def _of_kind(terms: Mapping[str, float], is_mood: bool) -> dict[str, float]:
    return {name: share for name, share in terms.items() if (lexicon().of(name).kind == "mood") == is_mood}


def _overlap(one: Mapping[str, float], other: Mapping[str, float], rarity: Mapping[str, float]) -> float:
    """Cosine of two weighed sets of names, where what few works have weighs more."""

    def weigh(terms: Mapping[str, float]) -> dict[str, float]:
        return {name: weight * rarity.get(name, 1.0) ** 2 for name, weight in terms.items()}

    first, second = weigh(one), weigh(other)
    lengths = sqrt(sum(w * w for w in first.values()) * sum(w * w for w in second.values()))
    return sum(weight * second.get(name, 0.0) for name, weight in first.items()) / lengths if lengths else 0.0


def _says_so(wish: Wish, record: Record) -> bool:
    """Whether a wish of a length alone is met by the record's own words."""
    return wish.length is None or length_of(record) == wish.length


def _of_length(wish: Wish, record: Record) -> float:
    """1 for the length that was asked for, down to -1 for one that is far from it."""
    if wish.length is None:
        return 0.0
    if record.pages:
        # How far beyond the bound, in shares of it: twice as long is as wrong as half as long.
        short, long = wish.max_pages or SHORT, wish.min_pages or LONG
        beyond = record.pages / short if wish.length == "short" else long / record.pages
        return 1.0 if beyond <= 1 else max(-1.0, 1.0 - 2.5 * (beyond - 1))
    said = length_of(record)
    return 0.7 if said == wish.length else -0.7 if said else 0.0


def _of_age(wish: Wish, record: Record) -> float:
    """How well it suits a reader's age: best in the first half of the years it is for."""
    span = readers_of(record)
    if wish.age is None and wish.audience == "young adult":
        return -0.5 if record.audience == "adult" else -0.1 * (record.audience == "children")
    if not span or wish.age is None or not span[0] <= wish.age <= span[1]:
        return 0.0
    middle = span[0] + min(span[1] - span[0], 5) / 2
    grown = 0.4 * (record.audience == "adult" and wish.age < 18)
    return 0.5 - 0.08 * abs(wish.age - middle) - grown
