"""The words of a query: cleaned, read, and where they stand in a text."""

import re
from collections.abc import Sequence

from stdnum import isbn as isbn_numbers

from openshelf.contracts import clean_text
from openshelf.folding import fold, fold_words

MAX_QUERY = 200
# One letter begins half the catalogue.
MIN_SUGGESTED = 2
_ISBN = re.compile(r"(?:isbn(?:-1[03])?:?\s*)?([0-9][0-9Xx \-]{8,20})", re.IGNORECASE)
# A word, also where its accents are letters of their own (NFD).
_WORD = re.compile(r"(?:\w[\u0300-\u036f]*)+")
# Folded, of the languages that our pages speak.
_EVERYWHERE = frozenset({
    "a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with",
    "cac", "cua", "nhung", "va",
    "в", "и", "из", "к", "на", "о", "по", "с",
})  # fmt: skip
# Folded words that nobody leaves unfinished: looking for all that begin as they do took longer than all the rest.
FINISHED = _EVERYWHERE | {
    "as", "be", "but", "had", "has", "he", "her", "his", "is", "it", "its", "no", "not", "she", "so", "that", "their",
    "they", "this", "was", "who", "you",
    "cho", "co", "la", "mot", "su", "trong", "voi",
    "его", "за", "как", "не", "но", "он", "от", "что",
}  # fmt: skip


def tidy(text: str) -> str:
    """A query as Postgres can take it: clean, one line, at most 200 characters."""
    return " ".join(clean_text(text[: 4 * MAX_QUERY]).split())[:MAX_QUERY]


def isbn_in(asked: str) -> str | None:
    """The ISBN, of 13 digits, that a query is, with or without its hyphens; None if it is something else."""
    said = _ISBN.fullmatch(asked)
    return isbn_numbers.compact(isbn_numbers.to_isbn13(said[1])) if said and isbn_numbers.is_valid(said[1]) else None


def any_word(words: Sequence[str]) -> str:
    """A tsquery: one of these, or a word that begins so, must be held; words in one string must follow each other."""
    folded = [fold_words(tidy(part)).split() for part in words]
    alternatives = [" <-> ".join(f"'{word}':*" for word in part) for part in folded if part]
    return " | ".join(f"({each})" for each in alternatives)


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
    first = thickest(text, spans, length)
    start = max(0, first[0] - length // 3)
    if start:
        start = text.find(" ", start, first[0]) + 1 or first[0]
    end = len(text) if len(text) - start <= length else text.rfind(" ", first[1], start + length)
    end = end if end > first[1] else max(first[1], min(len(text), start + length))
    head, tail = "… " if start else "", " …" if end < len(text) else ""
    part = head + text[start:end] + tail
    return part, highlights(part, asked)


def thickest(text: str, spans: Sequence[tuple[int, int]], length: int) -> tuple[int, int]:
    """Of these places the one after which most different words of them follow within half the length."""

    def count(span: tuple[int, int]) -> int:
        held = {fold(text[start:end]) for start, end in spans if span[0] <= start < span[0] + length // 2}
        return len(held)

    return max(spans, key=lambda span: (count(span), -span[0]))
