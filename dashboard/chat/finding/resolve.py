"""A wish, resolved against the catalogue: whom and what it names, its units, how rare each is, and what it means."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import pairwise
from math import log

import numpy as np
import psycopg

from dashboard.chat.finding.titles import authors_called, likely_authors, said, series_heard, titled, whole_title
from dashboard.chat.lexicon import (
    RUSSIAN_ENDINGS,
    Concept,
    Language,
    accented,
    concepts_of_term,
    form_pattern,
    glosses,
    is_cyrillic,
    lexicon,
    stem,
)
from dashboard.chat.reading.wish import Wish
from models import known_names, query_vectors
from openshelf.database import catalogue
from openshelf.database import search as statements
from openshelf.database.search import ANY_WORK, Record
from openshelf.folding import fold, fold_words

# Words that no rule knows are read as what they are nearest to, from this nearness on, and as so many things.
NEAR_FLOOR = 0.46
_NEAREST = 2
_SUBJECT_WEIGHT, _THEME_WEIGHT, _MOOD_WEIGHT = 1.6, 1.6, 0.8
_BESIDE = 0.7
_TALK, _TALK_ALONE = 0.5, 0.75
_TERSE = 6  # words of a question that says no more than it must
_SHORT_ROOT = 5  # letters
_HELD = 0.5  # what only the question before asked for
_PASSING = 0.25  # what may tell of who asks
_TITLE_BESIDE_AUTHOR = 0.4
_TITLES = 10
_HEARD_TITLE = 0.3  # a title that is less surely said was not said


@dataclass(frozen=True)
class Ask:
    """A wish, resolved against the catalogue."""

    wish: Wish
    units: tuple["Unit", ...]
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
    titles: dict[int, float]  # how surely each work's title was said, 0 to 1, see `said_titles`

    def names(self, record: Record) -> bool:
        """Whether this very work was asked for."""
        return record.book_id == self.titled or record.book_id in self.wish.meant


@dataclass(frozen=True)
class Unit:
    """One thing that the question speaks of."""

    name: str
    weight: float
    concept: Concept | None = None
    word: str = ""
    language: Language = "en"
    rarity: float = 0.0  # of the word, 0 to 1
    is_name: bool = False


def resolve(  # noqa: C901
    conn: psycopg.Connection, wish: Wish, audiences: Sequence[str] | None
) -> Ask | None:
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
    heard_titles = said(conn, wish.wanted, wish.language)
    if wish.author:
        authors = authors_called(conn, wish.author)
        if not authors and heard_titles and heard_titles[0].surely >= _TITLE_BESIDE_AUTHOR:
            wish = replace(wish, author="")  # "Trăm năm cô độc của ông Mác-két": the title is surer than the name
        elif not authors:
            if wish.language != "en" or _is_written_as_name(wish.author, wish.text):
                return None
            # "Told by somebody who was there": no author.
            more = [word for word in wish.author.split() if word not in lexicon().silent["en"]]
            if 0 in statements.counts_holding(conn, [_forms(word, "en") for word in more]):
                return None
            wish = replace(wish, author="", words=(*wish.words, *more))
    named_title, series = None, frozenset[str]()
    if wish.named:
        named_title = titled(conn, wish.named, audiences)
        series = frozenset(known_names.series_named(conn, wish.named.split()))
        if not named_title and not series:
            authors = authors or authors_called(conn, wish.named)
        if not (named_title or series or authors):
            # A hero or a place: its name must stand in the record.
            more = [_as_written(wish)] if wish.language == "vi" else wish.named.split()
            wish = replace(wish, words=(*wish.words, *more), names=(*wish.names, *wish.named.split()))
    words = tuple(dict.fromkeys(word for part in wish.words for word in fold_words(part).split()))
    spoken = tuple(dict.fromkeys(fold_words(word) for word in wish.spoken[:30]))
    likely = frozenset[str]() if like else likely_authors(conn, wish)
    if wish.meant:
        named_title = wish.meant[0]
        if wish.in_order:
            meant = statements.records(conn, list(wish.meant), audiences=audiences)
            series = frozenset([record.series_name for record in meant if record.series_name][:1])
    elif not (wish.author or named_title or like):
        named_title = whole_title(conn, wish, likely, audiences)
    if like and wish.author:
        authors = authors_called(conn, wish.author)
        if any({*record.authors} & {*authors} for record in like):
            authors = ()  # who wrote the book that others should be like
    avoided_authors = frozenset(authors_called(conn, wish.avoid_author) if wish.avoid_author else ())
    series = series or frozenset(known_names.series_named(conn, words) if words and len(words) <= 4 else ())
    if wish.in_order and not series:
        series = series_heard(conn, heard_titles, words, audiences)
    total = max(catalogue.count_works(conn, ANY_WORK), 1)
    runs = _runs(wish)
    pieces = [piece for run in runs for piece in _pieces(run, wish.language)]
    rarities = _rarities_of(conn, [*spoken, *pieces], wish.language, total)
    units = _units(wish, runs, rarities)
    heard = {word: rarities[fold_words(word)] for word in wish.spoken[:30]}
    if like:
        heard_titles = []  # who wants the like of one book names no other by the way
    rarity = _rarities(conn, total) if like else {}
    terse = min(1.0, _TERSE / max(len(fold_words(wish.text).split()), 1))
    plain = " ".join(word for word in wish.words if word not in wish.names)
    nearest = dict(nearest_to(plain)) if plain and wish.language == "en" else {}
    meaning = _meaning(wish)
    return Ask(
        wish, units, authors, likely, avoided_authors,
        series, named_title, like, meaning, nearest, terse, heard,
        _toward(meaning), rarity,
        {each.book_id: each.surely for each in heard_titles[:_TITLES] if each.surely >= _HEARD_TITLE},
    )  # fmt: skip


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


def prefix(word: str) -> str:
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
    return f"'{prefix(word)}':*"


def _units(wish: Wish, runs: Sequence[str], rarities: Mapping[str, float]) -> tuple[Unit, ...]:
    known = lexicon()
    kinds = ((wish.subjects, _SUBJECT_WEIGHT), (wish.themes, _THEME_WEIGHT), (wish.moods, _MOOD_WEIGHT))
    units = [Unit(name, _held(wish, name) * weight, known.of(name)) for names, weight in kinds for name in names]
    is_told = bool(units or wish.is_measured or wish.age is not None or wish.audience or wish.like)
    words: list[Unit] = []
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
        words.append(Unit(run, weight, None, run, wish.language, rarity, is_name))
    # Who says much tells a story: of its words few are what the book is to be about, so that each next one says less.
    words.sort(key=lambda unit: -unit.weight)
    fewer = _TALK if is_told else _TALK_ALONE
    part = min(1.0, _TERSE / max(len(fold_words(wish.text).split()), 1)) if is_told else 1.0
    units += [
        replace(unit, weight=unit.weight * fewer**n * (1.0 if unit.is_name else part)) for n, unit in enumerate(words)
    ]
    return tuple(units)


def _held(wish: Wish, name: str) -> float:
    return (_HELD if name in wish.held else 1.0) * (_PASSING if name in wish.passing else 1.0)


@lru_cache(maxsize=1_000)
def nearest_to(words: str) -> tuple[tuple[str, float], ...]:
    """Names of what English words mean nearly, of all that we have names for, and how nearly, 0 to 1."""
    names, vectors = meanings()
    concepts = lexicon().concepts
    asked = query_vectors.encoded(words)
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
    vectors = query_vectors.encoded_all([text for _name, text in rows])
    return (tuple(name for name, _text in rows), vectors) if vectors is not None else ((), np.empty((0, 0)))


def closeness(one: str, other: str) -> float:
    """How near in meaning two subjects, themes or moods are, 0 to 1; without an encoder each only to itself."""
    if one == other:
        return 1.0
    places, cosines = _cosines()
    return max(0.0, float(cosines[places[one], places[other]])) if one in places and other in places else 0.0


@cache
def _cosines() -> tuple[dict[str, int], np.ndarray]:
    """The place of each subject, theme and mood, and the cosines of what sets each apart from the mean of all."""
    names, vectors = meanings()
    own = vectors[: len(lexicon().concepts)] if names else vectors
    apart = own - own.mean(axis=0) if names else own
    apart = apart / np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-9)
    return {name: n for n, name in enumerate(names[: len(own)])}, apart @ apart.T


@lru_cache(maxsize=1_000)
def _toward(meaning: str) -> Mapping[str, float] | None:
    """How near in meaning a text, or a part of it, is to each subject, theme and mood; None without text or encoder."""
    names, vectors = meanings()
    asked = query_vectors.encoded_all(_parts(meaning)) if meaning and names else None
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
