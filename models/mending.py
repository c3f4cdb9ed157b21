"""A query that finds nothing, in the words that were meant: slips of the hand mended, the other script's letters."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import psycopg
from rapidfuzz import process
from rapidfuzz.distance import OSA

from models import sounds
from models.query_text import isbn_in, tidy
from openshelf.database import of_catalogue
from openshelf.database import search as statements
from openshelf.folding import fold_words


def did_you_mean(conn: psycopg.Connection, text: str) -> str | None:
    """The query in the letters of the works meant or with its unknown words mended, or None where nothing is amiss."""
    asked = tidy(text)
    if not fold_words(asked) or isbn_in(asked):
        return None
    return meant(conn, asked)


def meant(conn: psycopg.Connection, asked: str, *, in_names: bool = True) -> str | None:
    """The words that were meant; None where none are known. `in_names`: in the other script's letters, too."""
    return (in_other_letters(conn, asked) if in_names else None) or mend(conn, asked)


def in_other_letters(conn: psycopg.Connection, asked: str) -> str | None:
    """A name or title that was typed in Latin letters and is written in Cyrillic ones, or the other way round.

    "bulgakov" -> "булгаков": the words of the work whose names hold each of them by its sound; None if none does.
    """
    words = fold_words(asked).split()
    scripts = {_is_cyrillic(word) for word in words if not word.isdecimal()}
    if len(scripts) != 1 or max(map(len, words)) < sounds.MIN_LETTERS:
        return None
    names = _names_of_works(conn)
    by_sound = names.by_sound(cyrillic=not scripts.pop())
    meant = [[word] if word.isdecimal() else _sounding(word, by_sound) for word in words]
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


def _sounding(word: str, by_sound: Mapping[str, Sequence[str]]) -> list[str]:
    """Words of the other letters that sound so, the surest first."""
    key = _ending_cut(sounds.key(word))
    if key in by_sound:
        return list(by_sound[key])
    near = sounds.near_keys(key, tuple(by_sound))
    return [other for sound in near if sound[0] == key[0] for other in by_sound[sound]]


def _ending_cut(key: str) -> str:
    """Without the last vowels: "Voyna" and "войну" end otherwise and are one word."""
    return key.rstrip("aeiou") or key


def mend(conn: psycopg.Connection, asked: str) -> str | None:
    """Replace words that stand nowhere in the catalogue by near ones, those of the work that then fits best."""
    words = fold_words(asked).split()
    names = _names_of_works(conn)
    # What is too short is not mended, and what stands in a name is known: the index is not asked for either.
    doubtful = [word for word in words if len(word) >= sounds.MIN_LETTERS and word not in names.holders]
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
    if len(word) < sounds.MIN_LETTERS:
        return {}
    slips = 2 if len(word) >= 2 * sounds.MIN_LETTERS else 1
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
class _Names:
    """The words of titles, authors and series: of each work, and all of them long enough to be mended to."""

    of_works: list[frozenset[str]]
    vocabulary: tuple[str, ...]
    holders: dict[str, list[int]]  # of each word of the vocabulary: the works whose names hold it
    _by_sound: dict[bool, dict[str, list[str]]] = field(default_factory=dict)

    def by_sound(self, *, cyrillic: bool) -> Mapping[str, Sequence[str]]:
        """Of each sound the words that have it, in these letters."""
        if cyrillic not in self._by_sound:
            found: dict[str, list[str]] = {}
            for word in sorted({word for own in self.of_works for word in own}):
                if _is_cyrillic(word) == cyrillic and not word.isdecimal():
                    found.setdefault(_ending_cut(sounds.key(word)), []).append(word)
            self._by_sound[cyrillic] = found
        return self._by_sound[cyrillic]


@of_catalogue.kept
def _names_of_works(conn: psycopg.Connection) -> _Names:
    of_works = [frozenset(text.split()) for text in statements.folded_texts(conn)]
    holders: dict[str, list[int]] = {}
    for work, own in enumerate(of_works):
        for word in own:
            if len(word) >= sounds.MIN_LETTERS - 1:
                holders.setdefault(word, []).append(work)
    return _Names(of_works, tuple(sorted(holders)), holders)
