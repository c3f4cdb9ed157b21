"""Authors, series and titles as readers name them: in any form and script, misspelt, or within a sentence."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import psycopg
from rapidfuzz import fuzz, process

from models import sounds
from openshelf.database import of_catalogue
from openshelf.database import search as statements
from openshelf.folding import fold_words

# How alike, of 100, titles must be spelt.
MIN_TITLE_RATIO = 80
_SURELY_A_NAME = 10  # letters of a name of two words
_SOUNDING, _MIN_PART = 3, 72  # letters at least of each of two names, and how alike each is, of 100
_MISSPELT = 6  # letters at least of a last name that may be spelt otherwise
_LONGEST_TITLE = 10  # words that are looked at
_ARTICLES = frozenset(["the", "a", "an"])


def authors_named(conn: psycopg.Connection, words: Sequence[str]) -> list[str]:
    """Authors whose names hold all these folded words, in any form and script, the one with most works first.

    "Стругацких" is "Борис Стругацкий", "Кинга" is "Stephen King": Russian endings are cut off, Cyrillic letters are
    written as Latin ones, and longer words may differ by a little.
    """
    asked = [sounds.key(word) for word in words if word]
    if not asked:
        return []
    people = _people(conn)
    holders: set[int] | None = None
    for key in asked:
        found = {place for other in sounds.near_keys(key, people.keys) for place in people.holders[other]}
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


def authors_misspelt(conn: psycopg.Connection, words: Sequence[str]) -> list[str]:
    """Authors whose last names are nearly one of these folded words, of those that stand in no work as they are."""
    unknown = [word for word in words if len(word) > sounds.MIN_LETTERS]
    if not unknown:
        return []
    people = _people(conn)
    found: list[int] = []
    for word in sorted({*unknown} - statements.known_words(conn, unknown)):
        # By its letters or by its sound; a slip is seldom made in the first letter, and short words are soon alike.
        for form, lasts in ((word, people.lasts), (sounds.key(word), people.last_keys)):
            near = process.extract(form, lasts.keys(), scorer=fuzz.ratio, score_cutoff=sounds.MIN_NAME_RATIO, limit=3)
            found += [n for last, _r, _n in near if last[0] == form[0] and len(last) >= _MISSPELT for n in lasts[last]]
    return [people.names[place] for place in dict.fromkeys(found)]


def authors_sounding(conn: psycopg.Connection, words: Sequence[str]) -> list[str]:
    """Authors whose first and last names sound nearly as two folded words that follow each other: "steven gold"."""
    people = _people(conn)
    found: list[int] = []
    for first, last in pairwise(map(sounds.key, words)):
        if len(last) < _SOUNDING or len(first) < _SOUNDING:
            continue
        lasts = process.extract(last, people.last_keys.keys(), scorer=fuzz.ratio, score_cutoff=_MIN_PART, limit=10)
        for other, ratio, _n in lasts:
            for place in people.last_keys[other]:
                called = sounds.key(fold_words(people.names[place]).split()[0])
                alike = fuzz.ratio(first, called)
                is_name = other[0] == last[0] and min(len(other), len(called)) >= _SOUNDING
                if is_name and alike >= _MIN_PART and alike + ratio >= 2 * sounds.MIN_NAME_RATIO:
                    found.append(place)
    return [people.names[place] for place in dict.fromkeys(found)]


def authors_named_last(name: str, last: str) -> bool:
    """Whether a folded word is the last name of an author, in any form and script."""
    return sounds.is_near(sounds.key(name), sounds.key(last))


def series_named(conn: psycopg.Connection, words: Sequence[str]) -> list[str]:
    """Series whose names hold all these folded words, in any form."""
    asked = [sounds.key(word) for word in words if len(word) > 2]
    if not asked or all(len(key) < sounds.MIN_LETTERS for key in asked):
        return []
    return [
        name.name
        for name in directories(conn)["series"].names
        if all(any(sounds.is_near(key, sounds.key(own)) for own in name.folded.split()) for key in asked)
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
    words = [(place, sounds.title_key(word)) for place, word in enumerate(folded.split()) if word != "s"]
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


def _by_beginning(works: Sequence[tuple[int, str]]) -> dict[tuple[str, ...], tuple[int, bool]]:
    """What each title and its beginnings are known by; a beginning that two titles share is nobody's."""
    whole: dict[tuple[str, ...], tuple[int, bool]] = {}
    begun: dict[tuple[str, ...], int | None] = {}
    for book_id, title in works:
        for part in dict.fromkeys((title, re.split(r"[:(]|\. | or, |, или ", title)[0])):
            folded = fold_words(part).split()
            for words in (folded, folded[1:] if folded and folded[0] in _ARTICLES else folded):
                keys = tuple(sounds.title_key(word) for word in words if word != "s")
                if not keys:
                    continue
                whole.setdefault(keys, (book_id, True))
                for end in range(2, min(len(keys), 4)):
                    begun[keys[:end]] = book_id if begun.get(keys[:end], book_id) == book_id else None
    return {keys: (book_id, False) for keys, book_id in begun.items() if book_id is not None} | whole


@dataclass(frozen=True)
class Directory:
    """Names of one kind, what holds most works first, and where each of their words leads."""

    names: list[statements.Name]  # `folded` begins with a space, so that each of its words follows one
    words: list[str]  # sorted
    places: list[int]  # of each word: its name

    @classmethod
    def of(cls, names: list[statements.Name]) -> "Directory":
        folded = [replace(name, folded=f" {fold_words(name.name)}") for name in names]
        pairs = sorted({(word, place) for place, name in enumerate(folded) for word in name.folded.split()})
        return cls(folded, [word for word, _place in pairs], [place for _word, place in pairs])


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


@of_catalogue.kept
def directories(conn: psycopg.Connection) -> dict[str, Directory]:
    """Authors, series and subjects by kind."""
    names = statements.names(conn)
    return {
        kind: Directory.of([name for name in names if name.kind == kind]) for kind in ("author", "series", "subject")
    }


@of_catalogue.kept
def _people(conn: psycopg.Connection) -> _People:
    names = [name.name for name in directories(conn)["author"].names]
    holders: dict[str, list[int]] = {}
    lasts: dict[str, list[int]] = {}
    last_keys: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        words = fold_words(name).split()
        for key in {sounds.key(word) for word in words}:
            holders.setdefault(key, []).append(place)
        for last in words[-1:]:
            lasts.setdefault(last, []).append(place)
            last_keys.setdefault(sounds.key(last), []).append(place)
    return _People(names, [fold_words(name) for name in names], tuple(holders), holders, lasts, last_keys)


@of_catalogue.kept
def _titles(conn: psycopg.Connection) -> _Titles:
    works = statements.titles(conn)
    titles = [title for _book_id, title in works]
    return _Titles(
        works,
        [fold_words(title) for title in titles],
        [fold_words(title.split(":")[0]) for title in titles],
        _by_beginning(works),
    )
