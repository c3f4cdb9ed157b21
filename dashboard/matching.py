"""Which work of ours a book is that a reader brings along. Pure.

First by ISBN, of whichever edition we hold; else by title and author as folded words; else by a title that differs in a
slip of the pen, under an author who agrees. Numbers in a title must agree: volume 2 is not volume 3.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rapidfuzz import fuzz, process

from dashboard.reader_files import Brought
from openshelf.folding import fold_words

# Of two folded titles in percent. As tests/dashboard/test_imports.py shows, slips of the pen are above it, and other
# books of the same author below.
NEAR = 88
_NAMES_AGREE = 84
_LONG_ENOUGH = 3  # letters of a name by which two authors may be the same
_MOST_OF_A_NAME = 2_000  # works that are looked at for a near title
_IN_BRACKETS = re.compile(r"\s*[(\[][^()\[\]]*[)\]]\s*$")
_SUBTITLE = re.compile(r"\s*[:;–—].*$")

How = Literal["isbn", "title", "near"]


@dataclass(frozen=True)
class Holding:
    """A work as it is matched."""

    book_id: int
    title: str
    authors: str
    language: str | None


@dataclass(frozen=True)
class Match:
    book_id: int
    how: How


@dataclass(frozen=True)
class _Folded:
    """A holding with its title and the names of its authors as they are compared."""

    work: Holding
    title: str
    names: frozenset[str]


class Holdings:
    """The works of the library, found by ISBN, title and author."""

    def __init__(self, works: Iterable[Holding], isbns: Mapping[str, int]) -> None:
        self._isbns = isbns
        self._by_title: dict[str, list[_Folded]] = defaultdict(list)
        self._by_shorter: dict[str, list[_Folded]] = defaultdict(list)
        self._by_name: dict[str, list[_Folded]] = defaultdict(list)
        for work in works:
            whole, *shorter = titles_of(work.title)
            folded = _Folded(work, whole, frozenset(fold_words(work.authors).split()))
            self._by_title[whole].append(folded)
            for title in shorter:
                self._by_shorter[title].append(folded)
            for name in folded.names:
                if len(name) >= _LONG_ENOUGH:
                    self._by_name[name].append(folded)

    def find(self, book: Brought) -> Match | None:
        for isbn in book.isbns:
            if isbn in self._isbns:
                return Match(self._isbns[isbn], "isbn")
        whole, *shorter = titles_of(book.title)
        if not whole:
            return None
        authors = [fold_words(author) for author in book.authors]
        for found in (
            self._by_title.get(whole, ()),
            # A subtitle on one side only: two that differ are two books.
            [folded for title in shorter for folded in self._by_title.get(title, ())],
            self._by_shorter.get(whole, ()),
        ):
            agreeing = [folded.work for folded in found if _same_author(authors, folded.names)]
            if agreeing:
                return Match(_preferred(agreeing, book.language).book_id, "title")
        return self._near(authors, [whole, *shorter])

    def _near(self, authors: Sequence[str], titles: Sequence[str]) -> Match | None:
        candidates = {
            folded.work.book_id: folded.title
            for author in authors
            for folded in self._written_by(author.split())
            if _surely_same_author(author, folded.names)
        }
        for title in titles:
            same_numbers = {key: other for key, other in candidates.items() if _numbers(title) == _numbers(other)}
            best = process.extractOne(title, same_numbers, scorer=fuzz.ratio, score_cutoff=NEAR)
            if best:
                return Match(best[2], "near")
        return None

    def _written_by(self, names: Sequence[str]) -> Sequence[_Folded]:
        """Works that share the name which the fewest works have: a forename says little, and many have it."""
        known = [self._by_name[name] for name in names if name in self._by_name]
        return min(known, key=len, default=[])[:_MOST_OF_A_NAME]


def titles_of(title: str) -> list[str]:
    """A title as folded words, first whole, then without what stands in brackets at its end, and without a subtitle."""
    whole = fold_words(title)
    bare = _IN_BRACKETS.sub("", title)
    without = _SUBTITLE.sub("", bare)
    shorter = [fold_words(each) for each in dict.fromkeys((bare, without)) if each != title]
    return [whole, *dict.fromkeys(each for each in shorter if each and each != whole)]


def _same_author(authors: Sequence[str], names: frozenset[str]) -> bool:
    """Whether a name agrees; a book or work without any author agrees with all."""
    if not authors or not names:
        return True
    known = {name for name in names if len(name) >= _LONG_ENOUGH}
    return any(not known.isdisjoint(author.split()) or _alike(author, names) for author in authors)


def _surely_same_author(author: str, names: frozenset[str]) -> bool:
    """Whether more than a forename agrees: the last name, or most names."""
    own = author.split()
    shared = sum(name in names for name in own)
    return own[-1] in names or 2 * shared > len(own) or _alike(author, names)


def _alike(author: str, names: frozenset[str]) -> bool:
    return fuzz.token_sort_ratio(author, " ".join(names)) >= _NAMES_AGREE


def _numbers(title: str) -> list[str]:
    return re.findall(r"\d+|\b[ivx]+\b", title)


def _preferred(works: Sequence[Holding], language: str | None) -> Holding:
    return next((work for work in works if language and work.language == language), works[0])
