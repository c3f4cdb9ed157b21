"""Published data sets as they lie on disk, read into three plain tables. Files in, frames out; nothing else.

MovieLens (csv, `::` and tab editions), Book-Crossing (the cleaned tab files and the original crawl), goodbooks-10k, and
any `csv` with a reader and a work in each line.
"""

import csv
import html
import re
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from models.dataset_records import (
    CATALOGUE_COLUMNS,
    READER_COLUMNS,
    WORK_COLUMNS,
    bx_readers,
    bx_works,
    film_title,
    goodbook_number,
    goodbook_title,
)
from models.dataset_tmdb import film_details
from openshelf.errors import UsageError

# A pandas.DataFrame or a column of one; pandas' own stubs take every second line of honest code for an error.
Frame: TypeAlias = Any


@dataclass(frozen=True)
class Foreign:
    """A data set as read: ids are text, nothing is filtered yet."""

    acts: (
        pd.DataFrame
    )  # reader, work (str), rating (float, NaN: only the fact), time (float seconds) where there is one
    works: Frame  # index work; WORK_COLUMNS and CATALOGUE_COLUMNS, "" where unknown
    readers: Frame  # index reader; READER_COLUMNS, "" where unknown
    scale: tuple[float, float]  # least and greatest rating that may be
    has_order: bool
    acts_file: Path
    kind: str = "book"  # or 'film'
    refused: Sequence["Refused"] = ()


@dataclass(frozen=True)
class Refused:
    """A line that is none: it has more cells than the first one."""

    file: str
    line: int
    reason: str


@dataclass(frozen=True)
class Table:
    """How one file is laid out; `columns` maps our names to the names a column may have."""

    file: str
    columns: Mapping[str, Sequence[str]]
    optional: frozenset[str] = frozenset()
    read: Mapping[str, Any] = field(default_factory=dict)  # for pandas.read_csv; with `names`: no header line


def format_of(name: str) -> str:
    """`movielens`, `book_crossing`, `goodbooks` or `csv`, by any usual spelling.

    Raises:
        UsageError: no such format is known.
    """
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    if re.fullmatch(r"(movielens|ml)(latest|small|latestsmall|\d+[km]|10m100k)?", plain):
        return "movielens"
    known = {"bookcrossing": "book_crossing", "bx": "book_crossing", "goodbooks": "goodbooks"}
    known |= {"goodbooks10k": "goodbooks", "csv": "csv"}
    if plain not in known:
        raise UsageError(
            f"data set {name!r} is not known; known: movielens (ml-latest-small, ml-25m, ml-1m, ml-100k, ...), "
            "book_crossing (bx), goodbooks (goodbooks-10k), csv (columns reader, work[, rating][, timestamp])"
        )
    return known[plain]


def read(name: str, path: Path) -> Foreign:
    """The acts of the data set at `path`, a folder or the file of its acts, and what is told of works and readers.

    Raises:
        UsageError: no such format or file, a column is missing, or the file is empty or malformed.
    """
    return _read(name, path, None)


def read_whole(name: str, path: Path) -> Foreign:
    """The same with all that a catalogue wants, acts or not: a line that is no line is refused alone.

    Raises:
        UsageError: as `read`.
    """
    return _read(name, path, [])


def _read(name: str, path: Path, refused: list[Refused] | None) -> Foreign:
    """`refused`: where lines that are none are put; None: the first one is an error, and only acts matter."""
    if not path.exists():
        raise UsageError(f"data set {name}: there is nothing at {path}")
    if path.is_file() and (zipfile.is_zipfile(path) or tarfile.is_tarfile(path)):
        raise UsageError(f"{path} is an archive: unpack it and name the folder")
    try:
        return _READERS[format_of(name)](path, refused)
    except csv.Error as error:
        raise UsageError(f"a file in {path} cannot be read: {error}. Is the copy whole?") from error


def _movielens(path: Path, refused: list[Refused] | None) -> Foreign:
    acts_names = ["user", "item", "rating", "timestamp"]
    double = {"sep": "::", "engine": "python", "encoding": "latin-1"}
    films = ["item", "title", "genres"]
    people = ["user", "gender", "age", "occupation", "zip"]
    acts = _ACTS | {"rating": ("rating",), "time": ("timestamp",)}
    found = _first_of(path, ("ratings.csv", "ratings.dat", "u.data", "ratings_small.csv"))
    if found.suffix == ".csv":
        table, works, readers = Table(found.name, acts), Table("movies.csv", _FILMS), None
    elif found.suffix == ".dat":
        table = Table(found.name, acts, read={**double, "names": acts_names})
        works = Table("movies.dat", _FILMS, read={**double, "names": films})
        readers = Table("users.dat", _PEOPLE, read={**double, "names": people})
    else:
        table = Table(found.name, acts, read={"sep": "\t", "names": acts_names})
        # The genres of this edition are 0/1 columns whose names lie in another file; the title says enough.
        works = Table("u.item", _FILMS, frozenset({"genres"}), {**_PIPES, "names": films[:2], "usecols": [0, 1]})
        readers = Table("u.user", _PEOPLE, read={**_PIPES, "names": [people[0], "age", "gender", "occupation", "zip"]})
    frame = read_table(found, table, refused)
    films_frame = _optional(found.parent / works.file, works, refused)
    texts = _works([])
    if films_frame is not None:
        titles = [film_title(title) for title in films_frame["title"]]
        genres = films_frame["genres"] if "genres" in films_frame else [""] * len(films_frame)
        subjects = [", ".join(g for g in genre.split("|") if g and g[0] != "(") for genre in genres]
        rows = [
            (work, title, "", "", subject, "", year)
            for work, (title, year), subject in zip(films_frame["work"], titles, subjects, strict=True)
        ]
        texts = _works(rows)
    if refused is not None:
        links = _optional(found.parent / "links.csv", _LINKS, refused)
        texts = film_details(texts, links, found.parent)
        texts = texts[~texts.index.duplicated()].fillna("")
    people_frame = _optional(found.parent / readers.file, readers) if readers else None
    known = [] if people_frame is None else [(r, a, "") for r, a in people_frame[["reader", "age"]].values]
    return Foreign(
        frame, texts, _frame(READER_COLUMNS, known), (0.5, 5), True, found, kind="film", refused=refused or ()
    )


def _book_crossing(path: Path, refused: list[Refused] | None) -> Foreign:
    found = _first_of(path, ("book_history.dat", "BX-Book-Ratings.csv", "book_ratings.dat", "Ratings.csv"))
    if found.suffix == ".dat":
        rated = "rating" in found.name
        columns = _ACTS | ({"rating": ("rating",)} if rated else {"accessed": ("accessed",)})
        acts = read_table(found, Table(found.name, columns, read={"sep": "\t"}), refused)
        ratings = found.parent / "book_ratings.dat"
        if refused is not None and not rated and ratings.exists():
            columns = _ACTS | {"rating": ("rating",)}
            acts = _rated(acts, read_table(ratings, Table(ratings.name, columns, read={"sep": "\t"}), refused))
        works, readers = found.parent / "items_info.dat", found.parent / "users_info.dat"
    else:
        comma = found.name == "Ratings.csv"
        layout = {"sep": ","} if comma else {"sep": ";", "escapechar": "\\", "encoding": "latin-1"}
        columns = {"reader": ("User-ID",), "work": ("ISBN",), "rating": ("Book-Rating",)}
        acts = read_table(found, Table(found.name, columns, read=layout), refused)
        # A rating of 0 is how the crawl writes an access without an opinion.
        acts["unrated"] = acts["rating"] == 0
        acts["rating"] = acts["rating"].where(~acts["unrated"])
        works, readers = (found.parent / (n if comma else f"BX-{n}") for n in ("Books.csv", "Users.csv"))
    return Foreign(
        acts,
        _works(bx_works(works) if works.exists() else []),
        _frame(READER_COLUMNS, bx_readers(readers) if readers.exists() else []),
        (1, 10),
        False,
        found,
        refused=refused or (),
    )


def _rated(accesses: Frame, ratings: Frame) -> Frame:
    """Every access, with the rating where there is one, and ratings without an access."""
    both: Frame = accesses.drop(columns="accessed").merge(ratings, on=["reader", "work"], how="outer")
    both["unrated"] = ~pd.Series(list(zip(both["reader"], both["work"], strict=True))).isin(
        set(zip(ratings["reader"], ratings["work"], strict=True))
    )
    return both


def _goodbooks(path: Path, refused: list[Refused] | None) -> Foreign:
    whole = refused is not None
    found = _first_of(path, ("ratings.csv", "books.csv") if whole else ("ratings.csv",))
    if found.name == "books.csv":  # some pass the books on without what readers made of them
        acts = pd.DataFrame({"reader": [], "work": [], "rating": []})
    else:
        acts = read_table(found, Table(found.name, _ACTS | {"rating": ("rating",)}), refused)
    names = ("title", "authors", "original_publication_year", *(_GOODBOOKS_MORE if whole else ()))
    table = Table("books.csv", {"work": ("book_id",), **{name: (name,) for name in names}}, frozenset(names))
    books = _optional(found.parent / table.file, table, refused)
    tags = _goodbooks_tags(found.parent, refused) if whole else {}
    rows: list[tuple[str, ...]] = []
    if books is not None:
        for book in books.reindex(columns=["work", *names], fill_value="").itertuples(index=False):
            title, series = goodbook_title(book.title)
            year = re.sub(r"\.0$", "", book.original_publication_year)
            row = (book.work, title, book.authors, series, "", "", year)
            if whole:
                goodreads = f"goodreads:{book.goodreads_book_id}" if book.goodreads_book_id else ""
                subjects = ", ".join(tags.get(book.goodreads_book_id, ()))
                row = (*row[:4], subjects, *row[5:])
                # The ISBN of 13 digits lost most of them to a spreadsheet; that of 10 only the zeros before it.
                row += (book.isbn.zfill(10) if book.isbn else "", book.language_code, book.original_title)
                row += (goodbook_number(book.title), "", goodreads, book.average_rating)
            rows.append(row)
    # Sorted by reader, not by time: the lines' order says nothing.
    return Foreign(acts, _works(rows), _frame(READER_COLUMNS, []), (1, 5), False, found, refused=refused or ())


def _goodbooks_tags(folder: Path, refused: list[Refused] | None) -> dict[str, list[str]]:
    """Goodreads' number of a book -> the tags that most readers gave it, the most frequent first."""
    names = _optional(folder / "tags.csv", _TAGS, refused)
    given = _optional(folder / "book_tags.csv", _BOOK_TAGS, refused)
    if names is None or given is None:
        return {}
    name_of = dict(zip(names["tag"], names["name"], strict=True))
    given = given.assign(count=pd.to_numeric(given["count"], errors="coerce")).sort_values("count", ascending=False)
    found: dict[str, list[str]] = {}
    for book, tag in zip(given["book"], given["tag"], strict=True):
        tags = found.setdefault(book, [])
        if len(tags) < _MOST_TAGS and tag in name_of:
            tags.append(name_of[tag].replace("-", " ").replace(",", " ").strip())
    return found


def _csv(path: Path, refused: list[Refused] | None) -> Foreign:
    found = path if path.is_file() else _first_of(path, ("ratings.csv", "interactions.csv", "acts.csv"))
    table = Table(found.name, _ACTS | {"rating": _RATING, "time": _TIME}, frozenset({"rating", "time"}))
    acts = read_table(found, table, refused)
    works = _optional(found.parent / "works.csv", Table("works.csv", _PLAIN_WORKS, frozenset(_COLUMNS)), refused)
    rows = [] if works is None else list(works.reindex(columns=["work", *_COLUMNS], fill_value="").values)
    scale = (0.0, float("inf"))
    if "rating" in acts and len(acts):
        # The usual scale that holds nearly all of them: what lies outside is a mistake, not a warmer reader.
        top = acts["rating"].quantile(0.9)
        scale = (0.0, next((float(usual) for usual in (1, 5, 10, 100) if top <= usual), float("inf")))
    readers = _frame(READER_COLUMNS, [])
    return Foreign(acts, _works(rows), readers, scale, "time" in acts, found, refused=refused or ())


_READERS: dict[str, Callable[[Path, list[Refused] | None], Foreign]] = {
    "movielens": _movielens, "book_crossing": _book_crossing, "goodbooks": _goodbooks, "csv": _csv
}  # fmt: skip
_ACTS: dict[str, Sequence[str]] = {
    "reader": ("user_id", "reader", "user", "reader_id", "userId", "reader_key"),
    "work": ("book_id", "work", "item_id", "item", "book", "work_id", "movieId", "itemId"),
}
_RATING = ("rating", "score", "stars", "value")
_TIME = ("timestamp", "time", "occurred_at", "date")
_FILMS = {"work": ("movieId", "item"), "title": ("title",), "genres": ("genres",)}
_PEOPLE = {"reader": ("user",), "age": ("age",)}
_PIPES = {"sep": "|", "encoding": "latin-1", "quoting": 3}
_COLUMNS = (*WORK_COLUMNS, *CATALOGUE_COLUMNS)
_PLAIN_WORKS = {"work": _ACTS["work"], **{name: (name,) for name in _COLUMNS}}
_LINKS = Table("links.csv", {"work": ("movieId",), "imdb": ("imdbId",), "tmdb": ("tmdbId",)}, frozenset({"imdb"}))
_TAGS = Table("tags.csv", {"tag": ("tag_id",), "name": ("tag_name",)})
_BOOK_TAGS = Table("book_tags.csv", {"book": ("goodreads_book_id",), "tag": ("tag_id",), "count": ("count",)})
_MOST_TAGS = 20
_GOODBOOKS_MORE = ("goodreads_book_id", "isbn", "language_code", "original_title", "average_rating")
_SKIPPED = re.compile(r"Skipping line (\d+): (.*)")


def read_table(path: Path, table: Table, refused: list[Refused] | None = None) -> Frame:
    """The columns of one file under our names; ratings and times as numbers (NaN where they are none), the rest text.

    `refused`: where lines with too many cells are put; None: the first one is an error.

    Raises:
        UsageError: the file is empty or malformed, or a column that must be there is not.
    """
    frame = _cells(path, table, refused)
    names = {column.strip().lstrip("\ufeff").lower(): column for column in frame.columns}
    chosen: dict[str, str] = {}
    for ours, theirs in table.columns.items():
        there = next((names[name.lower()] for name in theirs if name.lower() in names), None)
        if there is not None:
            chosen[ours] = there
        elif ours not in table.optional:
            raise UsageError(
                f"{path} has no column {' or '.join(theirs[:3])} (it has {', '.join(map(str, frame.columns))[:200]}): "
                f"{_other_delimiter(frame)}rename it in the first line"
            )
    _check_lines(path, frame)
    # A pipe in u.item's titles or a field too few leaves a hole, which pandas fills with NaN whatever it is told.
    frame = frame.fillna("")
    columns = {ours: frame[theirs].str.strip() for ours, theirs in chosen.items()}
    numbers: dict[str, Any] = {"rating": pd.to_numeric, "time": _seconds}
    return pd.DataFrame({k: numbers[k](c, errors="coerce") if k in numbers else c for k, c in columns.items()})


def _cells(path: Path, table: Table, refused: list[Refused] | None) -> Frame:
    """One file as pandas reads it, all text."""
    options = dict(table.read) if refused is None else {**table.read, "on_bad_lines": "warn"}
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", pd.errors.ParserWarning)
            frame: Frame = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True, **options)
    except pd.errors.EmptyDataError:
        raise UsageError(f"{path} is empty") from None
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not written in {error.encoding.upper()} (byte 0x{error.object[error.start]:02x} is no letter "
            "of it): convert it, as `iconv -f WINDOWS-1252 -t UTF-8` does"
        ) from error
    except (pd.errors.ParserError, OSError, ValueError) as error:
        cut = " A quotation mark is never closed: is the copy whole?" if "EOF inside string" in str(error) else ""
        raise UsageError(f"{path} cannot be read: {error}.{cut} Mend or remove that line.") from error
    if refused is not None:
        lines = [found for warning in told for found in _SKIPPED.findall(str(warning.message))]
        refused += [Refused(path.name, int(number), reason.split(". Error")[0]) for number, reason in lines]
        if len(lines) > len(frame):
            raise UsageError(f"{path} cannot be read: {len(lines)} lines have more cells than the first one")
    return frame


def _check_lines(path: Path, frame: Frame) -> None:
    if frame.empty:
        raise UsageError(f"{path} has a first line and nothing below it")
    if not isinstance(frame.index, pd.RangeIndex):  # pandas takes what is too much for names of the lines
        raise UsageError(f"{path} cannot be read: its lines have more cells than the first one has names")


def _other_delimiter(frame: Frame) -> str:
    """A hint where a file of one column looks as if its cells were parted in another way."""
    head = str(frame.columns[0]) if len(frame.columns) == 1 else ""
    other = next((sign for sign in (";", "\t", "|", ",") if sign in head), None)
    return f"are its cells parted by {'tabs' if other == chr(9) else other}? " if other else ""


def _seconds(column: Frame, errors: Any) -> Frame:
    """Seconds since 1970 of numbers (seconds or milliseconds) or of ISO times."""
    numbers: Frame = pd.to_numeric(column, errors=errors)
    if numbers.isna().mean() > 0.5:
        times: Frame = pd.to_datetime(column, errors=errors, utc=True, format="ISO8601")
        return (times - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
    return numbers / 1000 if numbers.median() > 1e11 else numbers


def _optional(path: Path, table: Table, refused: list[Refused] | None = None) -> Frame | None:
    if not path.exists():
        return None
    frame = read_table(path, table, refused)
    return frame.apply(lambda column: column.map(html.unescape))


def _first_of(path: Path, names: Sequence[str]) -> Path:
    """The file of acts: `path` itself, or the first of these names in the folder or in the only folder in it."""
    if path.is_file():
        return path
    for name in names:
        # An archive unpacked into a folder of its own name lies one folder deeper.
        found = [path / name] if (path / name).is_file() else sorted(path.glob(f"*/{name}"))
        if len(found) == 1:
            return found[0]
    there = ", ".join(sorted(entry.name for entry in path.iterdir())[:8]) or "nothing"
    raise UsageError(f"{path} has none of the files {', '.join(names)} (there is {there}): name the right folder")


def _works(rows: Sequence[Sequence[str]]) -> Frame:
    """Works by their key; what a format does not tell is ""."""
    width = len(_COLUMNS) + 1
    return _frame(_COLUMNS, [(*row, *[""] * (width - len(row))) for row in rows])


def _frame(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Frame:
    """Indexed by the first value of each row; of a key that comes twice, the first."""
    frame: Frame = pd.DataFrame(list(map(tuple, rows)), columns=["key", *columns], dtype=str).set_index("key")
    return frame[~frame.index.duplicated()]
