"""Calibre's virtual libraries: which books a saved search chooses. The part of its search language that they use.

`tags:"=Science Fiction" and not (series:true or rating:<3)`: fields with a text that is contained, `=` the same,
`=.` it or below it, `~` a regular expression, true or false for any or none, comparisons for ratings. What is not
known is refused aloud: a book too many would be shown to readers.
"""

import re
import sqlite3
from collections.abc import Callable, Iterable

from ingest.calibre import CalibreBook, read_books, virtual_libraries
from openshelf.errors import IngestError
from openshelf.folding import fold

_WORDS = re.compile(r'\s*(?:([()])|(#?\w+):(?:"((?:[^"\\]|\\.)*)"|([^\s()]*))|([^\s()]+))')
_BATCH = 2_000
_LONGEST = 2_000  # characters of a search

Test = Callable[[CalibreBook], bool]

_FIELDS: dict[str, Callable[[CalibreBook], Iterable[str]]] = {
    "tags": lambda book: book.subjects,
    "tag": lambda book: book.subjects,
    "authors": lambda book: (name.replace("|", ",") for name, _ in book.authors),
    "author": lambda book: (name.replace("|", ",") for name, _ in book.authors),
    "title": lambda book: (book.title,),
    "series": lambda book: filter(None, (book.series,)),
    "publisher": lambda book: filter(None, (book.publisher,)),
    "languages": lambda book: book.languages,
    "language": lambda book: book.languages,
    "formats": lambda book: (file.format for file in book.files),
    "format": lambda book: (file.format for file in book.files),
    "comments": lambda book: filter(None, (book.comments,)),
    "cover": lambda book: ("cover",) if book.has_cover else (),
}


def members(db: sqlite3.Connection, name: str, ids: Iterable[int]) -> set[int]:
    """The books of a virtual library. Reads every book: a library of 100,000 takes some seconds.

    Raises:
        IngestError: the library has none of this name, or its search is more than we know.
    """
    test = parse(_search_of(db, name))
    ids = list(ids)
    return {
        book.calibre_id
        for start in range(0, len(ids), _BATCH)
        for book in read_books(db, ids[start : start + _BATCH])
        if test(book)
    }


def _search_of(db: sqlite3.Connection, name: str) -> str:
    known = virtual_libraries(db)
    if name not in known:
        raise IngestError(f"the library has no virtual library {name!r}; it has {', '.join(sorted(known)) or 'none'}.")
    return known[name]


def parse(search: str) -> Test:
    """A test for books.

    Raises:
        IngestError: the search is not of the part of Calibre's language that is known here.
    """
    if len(search) > _LONGEST:
        raise IngestError(f"the search of the virtual library is longer than {_LONGEST:,} characters.")
    words = _words(search)
    test, rest = _either(words, search)
    if rest:
        raise _unknown(search, rest[0][0] or rest[0][2])
    return test


Word = tuple[str, str, str]  # bracket or bare word, field, value


def _words(search: str) -> list[Word]:
    found: list[Word] = []
    at = 0
    while at < len(search.rstrip()):
        match = _WORDS.match(search, at)
        if match is None or match.end() == at:
            raise _unknown(search, search[at : at + 20])
        bracket, field, quoted, plain, bare = match.groups()
        value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
        found.append((bracket or bare or "", field or "", value or ""))
        at = match.end()
    return found


def _is(words: list[Word], word: str) -> bool:
    return bool(words) and words[0][0].lower() == word


def _either(words: list[Word], search: str, depth: int = 0) -> tuple[Test, list[Word]]:
    if depth > 50:
        raise _unknown(search, "(")
    one, words = _both(words, search, depth)
    while _is(words, "or"):
        other, words = _both(words[1:], search, depth)
        one = (lambda left, right: lambda book: left(book) or right(book))(one, other)
    return one, words


def _both(words: list[Word], search: str, depth: int) -> tuple[Test, list[Word]]:
    one, words = _single(words, search, depth)
    while words and not _is(words, "or") and not _is(words, ")"):
        other, words = _single(words[1:] if _is(words, "and") else words, search, depth)
        one = (lambda left, right: lambda book: left(book) and right(book))(one, other)
    return one, words


def _single(words: list[Word], search: str, depth: int) -> tuple[Test, list[Word]]:
    negated = 0
    while _is(words, "not"):
        negated, words = negated + 1, words[1:]
    if not words:
        raise _unknown(search, "the end")
    if _is(words, "("):
        test, words = _either(words[1:], search, depth + 1)
        if not _is(words, ")"):
            raise _unknown(search, "the end")
    else:
        test = _term(words[0], search)
    return (lambda book: not test(book)) if negated % 2 else test, words[1:]


def _term(word: Word, search: str) -> Test:
    bare, field, value = word
    if field == "rating":
        return _rating(value, search)
    if not field or field not in _FIELDS or not value:
        raise _unknown(search, bare or f"{field}:{value}")
    read = _FIELDS[field]
    if value.lower() in {"true", "false"}:
        wanted = value.lower() == "true"
        return lambda book: any(read(book)) == wanted
    if value.startswith("~"):
        try:
            pattern = re.compile(value[1:], re.IGNORECASE)
        except (re.error, OverflowError) as error:
            raise _unknown(search, value) from error
        return lambda book: any(pattern.search(text) for text in read(book))
    if value.startswith("=."):
        below = fold(value[2:])
        return lambda book: any(f"{fold(text)}.".startswith(f"{below}.") for text in read(book))
    if value.startswith("="):
        same = fold(value[1:])
        return lambda book: any(fold(text) == same for text in read(book))
    part = fold(value)
    return lambda book: any(part in fold(text) for text in read(book))


def _rating(value: str, search: str) -> Test:
    """Stars of 0 to 5, as Calibre searches; books without a rating have 0."""
    if value.lower() in {"true", "false"}:
        return lambda book: bool(book.rating) == (value.lower() == "true")
    found = re.fullmatch(r"(>=|<=|!=|=|>|<)?\s*(\d(?:\.5)?)", value)
    if found is None:
        raise _unknown(search, f"rating:{value}")
    wanted = float(found[2])
    compare: Callable[[float], bool] = {
        ">=": lambda stars: stars >= wanted,
        "<=": lambda stars: stars <= wanted,
        "!=": lambda stars: stars != wanted,
        ">": lambda stars: stars > wanted,
        "<": lambda stars: stars < wanted,
    }.get(found[1] or "=", lambda stars: stars == wanted)
    return lambda book: compare((book.rating or 0) / 2)


def _unknown(search: str, where: str) -> IngestError:
    return IngestError(
        f"the search of the virtual library is not known here at {where[:40]!r}: {search[:120]!r}; "
        f"choose one that asks for {', '.join(sorted(_FIELDS))} or rating."
    )
