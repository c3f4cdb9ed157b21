"""Files in which readers bring their books: exports of Goodreads, StoryGraph and LibraryThing, and our own. Pure."""

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from stdnum import isbn as isbn_numbers
from stdnum.exceptions import ValidationError

MAX_BYTES = 5_000_000
MAX_ROWS = 20_000
_MAX_TEXT = 500
_MAX_LISTS = 20

Service = Literal["Openshelf", "Goodreads", "StoryGraph", "LibraryThing"]
Shelf = Literal["want", "reading", "read"]
Problem = Literal["empty", "too large", "no table", "unknown columns", "too many rows"]

_SHELF_OF: dict[str, Shelf] = {
    "to-read": "want",
    "currently-reading": "reading",
    "paused": "reading",
    "read": "read",
}
# Names that services give to shelves of their own: no lists that a reader made.
_NO_LISTS = {
    *_SHELF_OF,
    "did-not-finish",
    "your library",
    "to read",
    "currently reading",
    "read but unowned",
    "wishlist",
}
_IN_A_ROW = re.compile(rb"[\xa8\xb8\xc0-\xff]{4}")
_DATE_FORMATS = ("%Y/%m/%d", "%Y-%m-%d", "%d/%m/%Y", "%b %d, %Y", "%Y")


class UnreadableFileError(Exception):
    """A file that is none of the exports we know; nothing of it was taken."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem: Problem = problem


@dataclass(frozen=True)
class Brought:
    """One book as a file tells it. `isbns`: of 13 digits; `day`: when it was read, else when it was put there."""

    title: str
    authors: tuple[str, ...]
    isbns: tuple[str, ...] = ()
    shelf: Shelf | None = None
    stars: float | None = None
    lists: tuple[str, ...] = ()
    day: date | None = None
    language: str | None = None


@dataclass(frozen=True)
class ReaderFile:
    """`count_skipped`: rows without a title."""

    service: Service
    books: tuple[Brought, ...]
    count_skipped: int


def read(content: bytes) -> ReaderFile:
    """The books of an export of any of the known services, by its columns.

    Raises:
        UnreadableFileError: what is wrong with it.
    """
    if not content.strip():
        raise UnreadableFileError("empty")
    if len(content) > MAX_BYTES:
        raise UnreadableFileError("too large")
    rows = _rows(_decoded(content))
    header = next(rows, None)
    if header is None:
        raise UnreadableFileError("no table")
    names = [name.strip() for name in header]
    service, book_of = _service(set(names))
    books: list[Brought] = []
    skipped = 0
    for number, values in enumerate(rows):
        if number >= MAX_ROWS:
            raise UnreadableFileError("too many rows")
        row = {name: _text(value) for name, value in zip(names, values, strict=False)}
        if row.get("Title"):
            books.append(book_of(row))
        elif any(row.values()):
            skipped += 1
    return ReaderFile(service, tuple(books), skipped)


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = content.decode("utf-16", "replace")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            # Spreadsheets in Russian write the Windows code page of theirs; no Western word has such letters in a row.
            text = content.decode("cp1251" if _IN_A_ROW.search(content) else "cp1252", "replace")
    return text.replace("\x00", "")


def _rows(text: str) -> Iterator[list[str]]:
    first = text.split("\n", 1)[0]
    separator = max(",\t;", key=first.count)
    if separator not in first:
        raise UnreadableFileError("no table")
    csv.field_size_limit(MAX_BYTES)
    # LibraryThing quotes nothing: there, a review that begins with a quotation mark would swallow the books after it.
    is_bare = separator == "\t" and all(line.count("\t") == first.count("\t") for line in text.splitlines() if line)
    quoting = csv.QUOTE_NONE if is_bare else csv.QUOTE_MINIMAL
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, quoting=quoting, strict=False)
    try:
        yield from reader
    except csv.Error as error:
        raise UnreadableFileError("no table") from error


def _service(columns: set[str]) -> tuple[Service, Callable[[Mapping[str, str]], Brought]]:
    if {"Title", "Author", "Exclusive Shelf"} <= columns:
        return ("Openshelf" if "Language" in columns else "Goodreads"), _of_goodreads
    if {"Title", "Authors", "Read Status"} <= columns:
        return "StoryGraph", _of_storygraph
    if {"Title", "Primary Author"} <= columns:
        return "LibraryThing", _of_librarything
    raise UnreadableFileError("unknown columns")


def _of_goodreads(row: Mapping[str, str]) -> Brought:
    exclusive = row.get("Exclusive Shelf", "")
    return Brought(
        title=row["Title"],
        authors=_names(row.get("Author", ""), *row.get("Additional Authors", "").split(",")),
        isbns=_isbns(row.get("ISBN13", ""), row.get("ISBN", "")),
        shelf=_SHELF_OF.get(exclusive),
        stars=_stars(row.get("My Rating", "")),
        # A shelf of the reader's own that shuts out the three ("abandoned") is one more list.
        lists=_lists(dict.fromkeys([*_split(row.get("Bookshelves", "")), *([exclusive] if exclusive else [])])),
        day=_day(row.get("Date Read", "")) or _day(row.get("Date Added", "")),
        language=row.get("Language") or None,
    )


def _of_storygraph(row: Mapping[str, str]) -> Brought:
    return Brought(
        title=row["Title"],
        authors=_names(*row.get("Authors", "").split(",")),
        isbns=_isbns(row.get("ISBN/UID", ""), row.get("ISBN", "")),
        shelf=_SHELF_OF.get(row.get("Read Status", "")),
        stars=_stars(row.get("Star Rating", "")),
        lists=_lists(_split(row.get("Tags", ""))),
        day=_day(row.get("Last Date Read", "")) or _day(row.get("Date Added", "")),
    )


def _of_librarything(row: Mapping[str, str]) -> Brought:
    collections = _split(row.get("Collections", ""))
    known = {name.casefold() for name in collections}
    stars = _stars(row.get("Rating", ""))
    shelf: Shelf | None = None
    if "currently reading" in known:
        shelf = "reading"
    elif known & {"to read", "wishlist"}:
        shelf = "want"
    elif "read but unowned" in known or row.get("Date Read") or stars:
        shelf = "read"  # to own a book says nothing of reading it; to rate it does
    return Brought(
        title=row["Title"],
        authors=_names(
            _forename_first(row["Primary Author"]), *map(_forename_first, row.get("Secondary Author", "").split("|"))
        ),
        isbns=_isbns(*re.findall(r"[0-9Xx\-]{10,17}", f"{row.get('ISBN', '')} {row.get('ISBNs', '')}")),
        shelf=shelf,
        stars=stars,
        lists=_lists([*collections, *(tag for tag in _split(row.get("Tags", "")) if tag.casefold() not in known)]),
        day=_day(row.get("Date Read", "")) or _day(row.get("Entry Date", "")),
        language=(row.get("Languages") or "").split(",")[0].strip() or None,
    )


def _text(value: str) -> str:
    """A cell: Goodreads writes numbers as ="..."; a sign that we put before formulas is taken off."""
    text = " ".join(value.split())[:_MAX_TEXT]
    if text.startswith('="') and text.endswith('"'):
        text = text[2:-1]
    return text[1:] if len(text) > 1 and text[0] == "'" and text[1] in "=+-@" else text


def _names(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def _forename_first(name: str) -> str:
    """'Herbert, Frank' -> 'Frank Herbert'."""
    surname, comma, forename = name.partition(",")
    return f"{forename.strip()} {surname.strip()}" if comma else name


def _isbns(*numbers: str) -> tuple[str, ...]:
    found = []
    for number in numbers:
        try:
            found.append(isbn_numbers.compact(isbn_numbers.to_isbn13(isbn_numbers.validate(number))))
        except ValidationError:
            continue
    return tuple(dict.fromkeys(found))


def _stars(text: str) -> float | None:
    """Stars as given; services write 0 where there is no rating."""
    try:
        stars = float(text.replace(",", "."))
    except ValueError:
        return None
    return min(5.0, max(1.0, stars)) if math.isfinite(stars) and stars > 0 else None


def _split(text: str) -> list[str]:
    """Names with commas between them; one that holds a comma itself stands in quotation marks."""
    row = next(csv.reader([text], skipinitialspace=True), [])
    return [name.strip() for name in row if name.strip()]


def _lists(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name.casefold() not in _NO_LISTS))[:_MAX_LISTS]


def _day(text: str) -> date | None:
    for form in _DATE_FORMATS:
        try:
            return datetime.strptime(text.strip("[] "), form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
    return None
