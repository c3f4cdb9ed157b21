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


class Holdings:
    """The works of the library, found by ISBN, title and author."""

    def __init__(self, works: Iterable[Holding], isbns: Mapping[str, int]) -> None:
        self._isbns = isbns
        self._by_title: dict[str, list[Holding]] = defaultdict(list)
        self._by_shorter: dict[str, list[Holding]] = defaultdict(list)
        self._by_name: dict[str, list[Holding]] = defaultdict(list)
        for work in works:
            whole, *shorter = titles_of(work.title)
            self._by_title[whole].append(work)
            for title in shorter:
                self._by_shorter[title].append(work)
            for name in set(fold_words(work.authors).split()):
                if len(name) >= _LONG_ENOUGH:
                    self._by_name[name].append(work)

    def find(self, book: Brought) -> Match | None:
        for isbn in book.isbns:
            if isbn in self._isbns:
                return Match(self._isbns[isbn], "isbn")
        whole, *shorter = titles_of(book.title)
        if not whole:
            return None
        for found in (
            self._by_title.get(whole, ()),
            # A subtitle on one side only: two that differ are two books.
            [work for title in shorter for work in self._by_title.get(title, ())],
            self._by_shorter.get(whole, ()),
        ):
            agreeing = [work for work in found if _same_author(book, work)]
            if agreeing:
                return Match(_preferred(agreeing, book.language).book_id, "title")
        return self._near(book, [whole, *shorter])

    def _near(self, book: Brought, titles: Sequence[str]) -> Match | None:
        names = {name for author in book.authors for name in fold_words(author).split() if len(name) >= _LONG_ENOUGH}
        candidates = {
            work.book_id: work
            for name in names
            for work in self._by_name.get(name, ())
            if _surely_same_author(book, work)
        }
        known = {book_id: titles_of(work.title)[0] for book_id, work in candidates.items()}
        for title in titles:
            same_numbers = {book_id: other for book_id, other in known.items() if _numbers(title) == _numbers(other)}
            best = process.extractOne(title, same_numbers, scorer=fuzz.ratio, score_cutoff=NEAR)
            if best:
                return Match(best[2], "near")
        return None


def titles_of(title: str) -> list[str]:
    """A title as folded words, first whole, then without what stands in brackets at its end, and without a subtitle."""
    bare = _IN_BRACKETS.sub("", title)
    found = [fold_words(title), fold_words(bare), fold_words(_SUBTITLE.sub("", bare))]
    return [found[0], *dict.fromkeys(each for each in found[1:] if each and each != found[0])]


def _same_author(book: Brought, work: Holding) -> bool:
    """Whether a name agrees; a book or work without any author agrees with all."""
    ours = fold_words(work.authors)
    if not book.authors or not ours:
        return True
    known = {name for name in ours.split() if len(name) >= _LONG_ENOUGH}
    return any(
        known & set(fold_words(author).split()) or fuzz.token_sort_ratio(fold_words(author), ours) >= _NAMES_AGREE
        for author in book.authors
    )


def _surely_same_author(book: Brought, work: Holding) -> bool:
    """Whether more than a forename agrees: the last name, or most names."""
    ours = fold_words(work.authors)
    known = set(ours.split())
    for author in book.authors:
        names = fold_words(author).split()
        shared = [name for name in names if name in known]
        if names and (names[-1] in known or 2 * len(shared) > len(names)):
            return True
        if fuzz.token_sort_ratio(" ".join(names), ours) >= _NAMES_AGREE:
            return True
    return False


def _numbers(title: str) -> list[str]:
    return re.findall(r"\d+|\b[ivx]+\b", title)


def _preferred(works: Sequence[Holding], language: str | None) -> Holding:
    return next((work for work in works if language and work.language == language), works[0])
