"""Reads a Calibre library: a consistent copy of its `metadata.db`, checked, then every field of every book.

The library itself is only ever read. Base tables are used, never Calibre's views, which call functions that
only Calibre defines.
"""

import contextlib
import json
import sqlite3
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from openshelf.errors import IngestError, UsageError

DATABASE = "metadata.db"
# A change of the reading or cleaning is a new recipe: every record is read and compared again.
RECIPE = 4
# How long to wait for Calibre to finish a write before giving up.
PATIENCE_S = 15.0
_POLL_S = 0.25
_LONGEST_FORMAT = 20  # characters
_MAGIC = b"SQLite format 3\0"
_LINKED = ("authors", "tags", "publishers", "ratings", "series", "languages")
_TABLES = (
    "books",
    "comments",
    "data",
    "identifiers",
    "library_id",
    *_LINKED,
    *(f"books_{name}_link" for name in _LINKED),
)


# What a column that a library has added may be read as.
TARGETS = (
    *("subjects", "original_title", "series", "publisher", "summary", "thema", "bisac", "ddc"),
    *("pages", "ages", "themes", "moods"),
)
# Read without being asked for where a library has them: the names that Calibre's plugins and its users give them.
USUAL = {"#pages": "pages", "#ages": "ages", "#themes": "themes", "#moods": "moods", "#mood": "moods"}


# What comes with a series of an added column beside these.
SERIES_INDEX = "series_index"


@dataclass(frozen=True)
class Choice:
    """What of a library is read. `columns`: lookup name of an added column ('#genre') -> one of `TARGETS`."""

    columns: tuple[tuple[str, str], ...] = ()
    virtual_library: str | None = None

    @property
    def recipe(self) -> str:
        """Differs when the same book would be read otherwise."""
        return f"{RECIPE} usual" + "".join(f" {column}={target}" for column, target in self.columns)

    @classmethod
    def of(cls, columns: Iterable[str], virtual_library: str | None = None) -> "Choice":
        """From words as '#genre=subjects'.

        Raises:
            UsageError: a word is not of this form, or names what there is not.
        """
        told: dict[str, str] = {}
        for word in columns:
            column, sign, target = word.strip().partition("=")
            if not sign or not column.startswith("#") or target not in TARGETS:
                raise UsageError(
                    f"{word!r} is no column of Calibre and what it is read as; write '#name=subjects' "
                    f"(or {', '.join(TARGETS[1:])})"
                )
            told[column] = target
        return cls(tuple(sorted(told.items())), virtual_library or None)


EVERYTHING = Choice()


@dataclass(frozen=True)
class Column:
    """A column that a library has added, and what it is read as."""

    number: int
    target: str
    is_linked: bool  # its values stand in a table of their own
    has_index: bool = False  # a series: the place of the book in it stands with the link


@dataclass(frozen=True)
class CalibreFile:
    format: str
    name: str  # of the file in the book's folder, with its ending
    size_bytes: int


@dataclass(frozen=True)
class CalibreBook:
    """One row of `books` with all that hangs on it, as Calibre stores it."""

    calibre_id: int
    uuid: str | None
    title: str
    title_sort: str | None
    added_at: str | None
    published_at: str | None
    modified_at: str
    folder: str
    has_cover: bool
    series_index: float
    authors: tuple[tuple[str, str | None], ...]  # name and sort, in order; commas in names are still '|'
    languages: tuple[str, ...]
    publisher: str | None
    rating: int | None  # 0 to 10
    series: str | None
    subjects: tuple[str, ...]
    comments: str | None  # HTML
    files: tuple[CalibreFile, ...]
    identifiers: tuple[tuple[str, str], ...]
    custom: tuple[tuple[str, str], ...] = ()  # target (or SERIES_INDEX) and value of added columns, in order


def database_of(library: Path) -> Path:
    """Where the database of a library is; the folder or the file itself may be named.

    Raises:
        IngestError: there is none, or it cannot be one.
    """
    path = library / DATABASE if library.is_dir() else library
    if not path.is_file():
        raise IngestError(f"{path} is not there; name the folder of a Calibre library (it holds {DATABASE}).")
    try:
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except OSError as error:
        raise IngestError(f"{path} cannot be read: {error.strerror}; give this user the right to read it.") from error
    if not head:
        raise IngestError(f"{path} is empty; restore it from a backup, or name another library.")
    if head != _MAGIC:
        raise IngestError(f"{path} is not a Calibre database; restore it from a backup, or name another library.")
    return path


@contextlib.contextmanager
def open_snapshot(library: Path, patience_s: float = PATIENCE_S) -> Iterator[sqlite3.Connection]:
    """A checked private copy of the library's database, thrown away afterwards.

    Raises:
        IngestError: it is missing, damaged, no Calibre library, or locked for longer than `patience_s`.
    """
    path = database_of(library)
    with tempfile.TemporaryDirectory(prefix="openshelf-calibre-") as folder:
        copy = reopen(Path(folder) / DATABASE)
        try:
            _copy(path, copy, patience_s)
            _check(path, copy)
            yield copy
        finally:
            copy.close()


def reopen(snapshot: Path) -> sqlite3.Connection:
    """The private copy of a library's database, for another process too."""
    copy = sqlite3.connect(snapshot)
    # One row that is not UTF-8, or what the check quotes of it, would otherwise end the whole reading.
    copy.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return copy


def file_of(snapshot: sqlite3.Connection) -> Path:
    """Where the private copy lies as long as it is open."""
    return Path(snapshot.execute("pragma database_list").fetchone()[2])


def _copy(path: Path, copy: sqlite3.Connection, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s

    def give_up_when_late(_status: int, _remaining: int, _total: int) -> None:
        # backup() itself would retry a locked database for ever.
        if time.monotonic() > deadline:
            raise TimeoutError

    try:
        uri = f"{path.resolve().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_POLL_S)) as source:
            source.backup(copy, progress=give_up_when_late, sleep=_POLL_S)
    except TimeoutError as error:
        raise _locked(path, patience_s) from error
    except sqlite3.Error as error:
        if "locked" in str(error) or "busy" in str(error):
            raise _locked(path, patience_s) from error
        raise _damaged(path, str(error)) from error


def _locked(path: Path, patience_s: float) -> IngestError:
    return IngestError(f"{path} stayed locked for {patience_s:g} s; let Calibre finish or close it, then run again.")


def _damaged(path: Path, what: str) -> IngestError:
    return IngestError(
        f"{path} is damaged ({what.splitlines()[0][:120]}); restore a backup or run `calibredb restore_database`."
    )


def _check(path: Path, copy: sqlite3.Connection) -> None:
    try:
        # A damaged page can still answer counts; only this reads them all.
        (verdict,) = copy.execute("pragma quick_check(1)").fetchone()
        tables = {name for (name,) in copy.execute("select name from sqlite_master where type = 'table'")}
    except UnicodeDecodeError as error:  # SQLite's own words quote a name of the schema that is not text
        raise _damaged(path, "a name in its schema is not text") from error
    except sqlite3.Error as error:
        raise _damaged(path, str(error)) from error
    if verdict != "ok":
        raise _damaged(path, verdict)
    if missing := [table for table in _TABLES if table not in tables]:
        raise IngestError(f"{path} is no Calibre library: it has no table {missing[0]}; name another library.")


def library_uuid(db: sqlite3.Connection) -> str:
    row = db.execute("select uuid from library_id").fetchone()
    if not row or not isinstance(row[0], str) or not row[0].strip("\0 "):
        raise IngestError("the library has no id of its own; open it once in Calibre, then run again.")
    return row[0].replace("\0", "")


def virtual_libraries(db: sqlite3.Connection) -> dict[str, str]:
    """Name -> search of the library's virtual libraries.

    Raises:
        IngestError: they are not as Calibre writes them.
    """
    try:
        row = db.execute("select val from preferences where key = 'virtual_libraries'").fetchone()
        known = json.loads(row[0]) if row else {}
        return {name: search for name, search in known.items() if isinstance(search, str)}
    except (sqlite3.Error, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise IngestError(
            f"the library's virtual libraries cannot be read ({str(error)[:120]}); open it once in Calibre"
        ) from error


def modified_times(db: sqlite3.Connection) -> dict[int, str]:
    """Id -> last change of every book: what decides whether anything is to be read at all."""
    return {key: _words(time) or "" for key, time in db.execute("select id, last_modified from books").fetchall()}


def custom_columns(db: sqlite3.Connection, wanted: Iterable[tuple[str, str]]) -> list[Column]:
    """The columns that a library has added, of those that are wanted, and the usual ones.

    Raises:
        IngestError: the library has no such column, or does not store what stands in it.
    """
    wanted = list(wanted)
    try:
        rows = db.execute(
            "select label, id, normalized, datatype from custom_columns where not mark_for_delete"
        ).fetchall()
    except sqlite3.Error as error:
        if not wanted:
            return []  # a library of old has no such table
        raise IngestError(f"the library's added columns cannot be read ({error}); open it once in Calibre") from error
    known = {
        f"#{label}": (number, bool(normalized), datatype == "series") for label, number, normalized, datatype in rows
    }
    if missing := [column for column, _ in wanted if column not in known]:
        raise IngestError(f"the library has no column {missing[0]}; it has {', '.join(sorted(known)) or 'none'}.")
    composed = {f"#{label}" for label, _, _, datatype in rows if datatype == "composite"}
    if unread := [column for column, _ in wanted if column in composed]:
        raise IngestError(
            f"the column {unread[0]} is built from other columns, and Calibre does not store it; "
            "name those it is built of."
        )
    asked = {target for _, target in wanted}
    named = {column for column, _ in wanted}
    wanted += [(c, target) for c, target in USUAL.items() if c in known and c not in named and target not in asked]
    return [Column(known[column][0], target, *known[column][1:]) for column, target in wanted]


def _custom(db: sqlite3.Connection, columns: Iterable[Column]) -> defaultdict[int, list[tuple[str, str]]]:
    found: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    for column in columns:
        values = f"custom_column_{column.number}"
        tables = f"books_{values}_link l join {values} a on a.id = l.value" if column.is_linked else f"{values} l"
        value = "a.value" if column.is_linked else "l.value"
        index = "l.extra" if column.has_index else "null"
        for book, text, place in db.execute(_of_wanted(tables, f"{value}, {index}", "l.id")):
            if text is not None:
                found[book].append((column.target, text if isinstance(text, str) else _words(text) or ""))
            if column.target == "series" and place is not None:
                found[book].append((SERIES_INDEX, str(place)))
    return found


def read_books(db: sqlite3.Connection, ids: Iterable[int], columns: Iterable[Column] = ()) -> list[CalibreBook]:
    """These books with all their fields, by id.

    Raises:
        IngestError: a table of the library is not as Calibre makes it.
    """
    try:
        return _as_text(db, ids, columns)
    except sqlite3.Error as error:
        raise IngestError(
            f"the library is not as Calibre makes it ({str(error)[:120]}); run `calibredb restore_database`."
        ) from error


def _as_text(db: sqlite3.Connection, ids: Iterable[int], columns: Iterable[Column]) -> list[CalibreBook]:
    """Read with SQLite's own decoding, which is fast; where it meets what is no UTF-8, with ours, which takes it."""
    ids, columns, ours = list(ids), list(columns), db.text_factory
    db.text_factory = str
    try:
        return _read_books(db, ids, columns)
    except sqlite3.OperationalError as error:
        if "decode" not in str(error):
            raise
    finally:
        db.text_factory = ours
    return _read_books(db, ids, columns)


def _read_books(db: sqlite3.Connection, ids: Iterable[int], columns: Iterable[Column]) -> list[CalibreBook]:
    db.execute("create temp table if not exists wanted (book integer primary key)")
    db.execute("delete from wanted")
    db.executemany("insert or ignore into wanted values (?)", [(key,) for key in ids])
    authors = _many(db, "books_authors_link l join authors a on a.id = l.author", "a.name, a.sort", "l.id")
    languages = _many(
        db, "books_languages_link l join languages a on a.id = l.lang_code", "a.lang_code", "l.item_order, l.id"
    )
    subjects = _many(db, "books_tags_link l join tags a on a.id = l.tag", "a.name", "l.id")
    publishers = _many(db, "books_publishers_link l join publishers a on a.id = l.publisher", "a.name", "l.id")
    ratings = _many(db, "books_ratings_link l join ratings a on a.id = l.rating", "a.rating", "l.id")
    series = _many(db, "books_series_link l join series a on a.id = l.series", "a.name", "l.id")
    comments = _many(db, "comments l", "l.text", "l.id")
    files = _many(db, "data l", "l.format, l.name, l.uncompressed_size", "l.format")
    identifiers = _many(db, "identifiers l", "l.type, l.val", "l.type")
    custom = _custom(db, columns)
    rows = db.execute(
        """select id, uuid, title, sort, timestamp, pubdate, last_modified, path, has_cover, series_index
           from wanted cross join books where books.id = wanted.book order by id"""
    )
    return [
        CalibreBook(
            calibre_id=key,
            uuid=_words(uuid),
            title=_words(title) or "",
            title_sort=_words(sort),
            added_at=_words(added),
            published_at=_words(published),
            modified_at=_words(modified) or "",
            folder=_words(folder) or "",
            has_cover=bool(has_cover),
            series_index=number_of(index if index is not None else 1.0, 1e6) or 0.0,
            authors=tuple((_words(name) or "", _words(name_sort)) for name, name_sort in authors[key]),
            languages=tuple(_words(code) or "" for (code,) in languages[key]),
            publisher=_words(_first(publishers[key])),
            rating=int(number_of(_first(ratings[key]), 100) or 0) or None,
            series=_words(_first(series[key])),
            subjects=tuple(_words(name) or "" for (name,) in subjects[key]),
            comments=_words(_first(comments[key])),
            files=tuple(_file(*row) for row in files[key]),
            identifiers=tuple((_words(kind) or "", _words(value) or "") for kind, value in identifiers[key]),
            custom=tuple(custom[key]),
        )
        for key, uuid, title, sort, added, published, modified, folder, has_cover, index in rows
    ]


def _file(kind: object, name: object, size: object) -> CalibreFile:
    ending = (_words(kind) or "")[:_LONGEST_FORMAT]
    return CalibreFile(ending.upper(), f"{_words(name)}.{ending.lower()}", max(int(number_of(size, 2**53) or 0), 0))


def _words(value: object) -> str | None:
    """Text of a cell: SQLite keeps anything in any column."""
    if value is None or isinstance(value, str):
        return value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def number_of(value: object, largest: float) -> float | None:
    """A finite number of a cell between -largest and largest; None for anything else."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) <= largest else None


def _many(db: sqlite3.Connection, tables: str, columns: str, order: str) -> defaultdict[int, list[tuple]]:
    """Book -> rows of what hangs on it."""
    found: defaultdict[int, list[tuple]] = defaultdict(list)
    for row in db.execute(_of_wanted(tables, columns, order)):
        found[row[0]].append(row[1:])
    return found


def _of_wanted(tables: str, columns: str, order: str) -> str:
    # A cross join is taken from left to right: SQLite would else go through the whole of a table for every batch.
    return f"select l.book, {columns} from wanted w cross join {tables} where l.book = w.book order by w.book, {order}"


def _first(rows: list[tuple]):  # -> the one value of the first row, or None
    return rows[0][0] if rows else None
