"""Builds the demo library: a real Calibre library folder from the curated works.

`build` writes beside the wanted folder and renames at the end: a library is there whole or not at all.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import sqlite3
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from html import escape
from multiprocessing import get_context
from pathlib import Path
from random import Random
from uuid import NAMESPACE_URL, UUID, uuid5

from ingest import calibre_schema
from ingest.covers import cover_jpeg
from ingest.demo_catalogue import CuratedWork, load_catalogue
from ingest.epub import sample_epub
from openshelf.errors import IngestError, UsageError

# A change of covers, texts or layout is a new edition: an older library is built again.
EDITION = 2
_NAMESPACE = uuid5(NAMESPACE_URL, "openshelf:demo-library")
_STAMP = "openshelf_demo_library"  # key in Calibre's table of preferences
_EPUB_SHARE = 0.6
_WORTH_A_POOL = 100  # books; fewer are written sooner than processes start
_YEARS_OF_ADDING = 3
_UNDEFINED_DATE = "0101-01-01 00:00:00+00:00"
_FIRST_YEAR = 102  # Calibre takes anything earlier for undefined
_ARTICLES = {
    "eng": r"(?:a|an|the)\s+",
    "fra": r"(?:(?:le|la|les|un|une|des)\s+|l['’])",
    "deu": r"(?:der|die|das|ein|eine)\s+",
    "spa": r"(?:el|la|los|las|un|una)\s+",
    "ita": r"(?:(?:il|lo|la|i|gli|le|un|una)\s+|l['’])",
    "por": r"(?:o|a|os|as)\s+",
}
# Written family name first, so that name and sort are the same.
_FAMILY_NAME_FIRST = frozenset({"vie", "jpn", "zho"})


@dataclass(frozen=True)
class Placed:
    """A curated work with its place in the library."""

    calibre_id: int
    work: CuratedWork
    uuid: UUID
    added_at: datetime
    folder: str  # "Author/Title (id)"
    file_stem: str
    neighbours: tuple[CuratedWork, ...]  # of the same principal subject

    @property
    def has_epub(self) -> bool:
        return _fraction(self.work, "epub") < _EPUB_SHARE


def build(
    path: Path,
    *,
    limit: int | None = None,
    today: date | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> int:
    """Make the demo library at `path` unless it is already there complete; returns the number of books.

    Args:
        path: folder of the library; may be missing, empty, or an earlier demo library.
        limit: only this many works, a fixed mixed choice.
        today: day up to which books were "added"; unset: the present day.
        on_progress: gets (books done, books in all).

    Raises:
        UsageError: the folder holds something else.
        IngestError: the disk refuses.
    """
    works = choose(load_catalogue(), limit)
    stamp = json.dumps({"edition": EDITION, "works": hashlib.sha256(repr(works).encode()).hexdigest()})
    if path.exists() and any(path.iterdir()):
        found = _read_stamp(path)
        if found == stamp:
            return len(works)
        if found is None:
            raise UsageError(f"{path} is not empty and no demo library; name another folder.")
    placed = place(works, today or datetime.now(UTC).date())
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        draft.mkdir(parents=True)
        sizes = _write_books(draft, placed, on_progress)
        write_database(draft / "metadata.db", placed, sizes, stamp)
        if path.exists():
            shutil.rmtree(path)
        draft.rename(path)
    except OSError as error:
        raise IngestError(
            f"the demo library could not be written: {error}. Free some space or name another folder."
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return len(works)


def _read_stamp(path: Path) -> str | None:
    """What `build` noted in the library it made; None where there is no library of its own."""
    try:
        with contextlib.closing(sqlite3.connect(f"{(path / 'metadata.db').as_uri()}?mode=ro", uri=True)) as db:
            row = db.execute("select val from preferences where key = ?", [_STAMP]).fetchone()
    except (sqlite3.Error, ValueError):
        return None
    return row[0] if row else None


def _fraction(work: CuratedWork, purpose: str) -> float:
    """A number in [0, 1) that is always the same for a work and a purpose."""
    digest = hashlib.sha256(f"{purpose}|{work.key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def choose(works: Sequence[CuratedWork], limit: int | None) -> list[CuratedWork]:
    """The works of a library of this size: a mixture that only grows with the limit."""
    return sorted(works, key=lambda work: _fraction(work, "choice"))[:limit]


def place(works: Sequence[CuratedWork], today: date, *, neighbours: bool = True) -> list[Placed]:
    """Days of arrival, ids in that order, folders, file names, and the neighbours that EPUBs name. Pure."""
    midnight = datetime(today.year, today.month, today.day, tzinfo=UTC)
    seconds = _YEARS_OF_ADDING * 365 * 86_400
    arrivals = sorted(
        ((midnight - timedelta(seconds=round(seconds * _fraction(work, "arrival"))), work) for work in works),
        key=lambda arrival: (arrival[0], arrival[1].key),
    )
    shelf: dict[str, list[CuratedWork]] = {}
    for work in works if neighbours else ():
        shelf.setdefault(work.subjects[0], []).append(work)
    placed = []
    for number, (added_at, work) in enumerate(arrivals, 1):
        title = _file_name(work.title)
        author = _file_name(work.authors[0]) if work.authors else "Unknown"
        others = [other for other in shelf.get(work.subjects[0], ()) if other.title != work.title]
        others.sort(key=lambda other, work=work: (other.language != work.language, _fraction(other, work.key)))
        placed.append(
            Placed(
                calibre_id=number,
                work=work,
                uuid=uuid5(_NAMESPACE, work.key),
                added_at=added_at,
                folder=f"{author}/{title} ({number})",
                file_stem=f"{title} - {author}",
                neighbours=tuple(others[:5]),
            )
        )
    return placed


def _file_name(text: str) -> str:
    """Safe on every file system, at most 35 characters; letters of all scripts stay."""
    text = re.sub(r'[\x00-\x1f\\/:*?"<>|]', "_", unicodedata.normalize("NFC", text))
    return text[:35].rstrip(" .") or "_"


def _write_books(folder: Path, placed: Sequence[Placed], on_progress: Callable[[int, int], None] | None) -> list[int]:
    """Folders with cover, EPUB and OPF; returns each EPUB's size, 0 for none."""
    sizes: list[int] = []

    def collect(written: Iterable[int]) -> None:
        for size in written:
            sizes.append(size)
            if on_progress:
                on_progress(len(sizes), len(placed))

    write = partial(_write_book, folder)
    if len(placed) < _WORTH_A_POOL:
        collect(map(write, placed))
        return sizes
    # Fresh interpreters: forking a process that holds threads (a server, a test run) can hang.
    with ProcessPoolExecutor(os.cpu_count() or 1, get_context("spawn")) as pool:
        collect(pool.map(write, placed, chunksize=8))
    return sizes


def _write_book(library: Path, book: Placed) -> int:
    folder = library / book.folder
    folder.mkdir(parents=True)
    cover = cover_jpeg(book.work)
    (folder / "cover.jpg").write_bytes(cover)
    (folder / "metadata.opf").write_text(_opf(book), encoding="utf-8")
    if not book.has_epub:
        return 0
    return (folder / f"{book.file_stem}.epub").write_bytes(sample_epub(book.work, book.uuid, book.neighbours, cover))


def title_sort(title: str, language: str) -> str:
    """'The Hobbit' -> 'Hobbit, The', by the articles of the language."""
    found = re.match(_ARTICLES[language], title, re.IGNORECASE) if language in _ARTICLES else None
    return f"{title[found.end() :]}, {found[0].strip()}" if found and found.end() < len(title) else title


def author_sort(name: str, language: str) -> str:
    """'Ursula K. Le Guin' -> 'Guin, Ursula K. Le', as Calibre does; names with the family first stay."""
    words = name.split()
    return name if language in _FAMILY_NAME_FIRST or len(words) < 2 else f"{words[-1]}, {' '.join(words[:-1])}"


def _moment(value: datetime) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%S+00:00")


def _published(work: CuratedWork) -> str:
    return f"{work.year:04d}-01-15 00:00:00+00:00" if work.year >= _FIRST_YEAR else _UNDEFINED_DATE


def _comments(work: CuratedWork) -> str:
    return f"<div>\n<p>{escape(work.blurb, quote=False)}</p>\n</div>"


def _opf(book: Placed) -> str:
    """The copy of the record that Calibre keeps beside each book."""
    work = book.work
    lines = [
        f'<dc:identifier opf:scheme="calibre" id="calibre_id">{book.calibre_id}</dc:identifier>',
        f'<dc:identifier opf:scheme="uuid" id="uuid_id">{book.uuid}</dc:identifier>',
        f"<dc:title>{escape(work.title)}</dc:title>",
        *(
            f'<dc:creator opf:file-as="{escape(author_sort(name, work.language))}" opf:role="aut">'
            f"{escape(name)}</dc:creator>"
            for name in work.authors
        ),
        f"<dc:date>{_published(work).replace(' ', 'T')}</dc:date>",
        f"<dc:description>{escape(_comments(work))}</dc:description>",
        f"<dc:publisher>{escape(work.publisher)}</dc:publisher>",
        f"<dc:language>{work.language}</dc:language>",
        *(f"<dc:subject>{escape(subject)}</dc:subject>" for subject in work.subjects),
        f'<meta name="calibre:rating" content="{work.rating * 2:g}"/>',
        f'<meta name="calibre:timestamp" content="{_moment(book.added_at).replace(" ", "T")}"/>',
        f'<meta name="calibre:title_sort" content="{escape(title_sort(work.title, work.language))}"/>',
    ]
    if work.isbn:
        lines.append(f'<dc:identifier opf:scheme="ISBN">{work.isbn}</dc:identifier>')
    if work.series:
        lines.append(f'<meta name="calibre:series" content="{escape(work.series)}"/>')
        lines.append(f'<meta name="calibre:series_index" content="{work.series_index:g}"/>')
    body = "\n".join(f"        {line}" for line in lines)
    return f"""<?xml version='1.0' encoding='utf-8'?>
<package xmlns="http://www.idpf.org/2007/opf" unique-identifier="uuid_id" version="2.0">
    <metadata xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:opf="http://www.idpf.org/2007/opf">
{body}
    </metadata>
    <guide>
        <reference type="cover" title="Cover" href="cover.jpg"/>
    </guide>
</package>
"""


def write_database(path: Path, placed: Sequence[Placed], epub_sizes: Sequence[int], stamp: str) -> None:
    """Calibre's database of these books; a size of 0 stands for no EPUB."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("begin")
        calibre_schema.create_tables(db)
        db.execute("insert into library_id (uuid) values (?)", [str(uuid5(_NAMESPACE, "library"))])
        db.execute("insert into preferences (key, val) values (?, ?)", [_STAMP, stamp])
        for book, size in zip(placed, epub_sizes, strict=True):
            _insert(db, book, size)
        _add_columns(db, placed)
        calibre_schema.create_triggers_and_views(db)
        db.execute("commit")
        db.execute("vacuum")


def _insert(db: sqlite3.Connection, book: Placed, epub_size: int) -> None:
    work, key = book.work, book.calibre_id
    authors = [name.replace(",", "|") for name in work.authors] or ["Unknown"]
    sorts = [author_sort(name, work.language) for name in work.authors] or ["Unknown"]
    # Put on the shelf and described within the hour.
    modified = book.added_at + timedelta(seconds=60 + Random(key).randrange(3000))  # noqa: S311 - no secret
    db.execute(
        """insert into books (id, title, sort, timestamp, pubdate, series_index, author_sort, path, uuid, has_cover,
               last_modified) values (?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?)""",
        [
            key, work.title, title_sort(work.title, work.language), _moment(book.added_at), _published(work),
            work.series_index or 1.0, " & ".join(sorts), book.folder, str(book.uuid), _moment(modified),
        ],
    )  # fmt: skip
    for name, sort in zip(authors, sorts, strict=True):
        _link(db, "authors", "author", key, "name", name, ("sort", sort))
    for subject in work.subjects:
        _link(db, "tags", "tag", key, "name", subject)
    _link(db, "publishers", "publisher", key, "name", work.publisher, ("sort", work.publisher))
    _link(db, "languages", "lang_code", key, "lang_code", work.language)
    if work.rating:
        _link(db, "ratings", "rating", key, "rating", round(work.rating * 2))
    if work.series:
        _link(db, "series", "series", key, "name", work.series, ("sort", title_sort(work.series, work.language)))
    db.execute("insert into comments (book, text) values (?, ?)", [key, _comments(work)])
    if work.isbn:
        db.execute("insert into identifiers (book, type, val) values (?, 'isbn', ?)", [key, work.isbn])
    if epub_size:
        db.execute(
            "insert into data (book, format, uncompressed_size, name) values (?, 'EPUB', ?, ?)",
            [key, epub_size, book.file_stem],
        )


def _add_columns(db: sqlite3.Connection, placed: Sequence[Placed]) -> None:
    """What libraries add to Calibre's own fields: pages, ages of readers, themes and moods."""
    pages = calibre_schema.add_column(db, "pages", "Pages", "int")
    db.executemany(
        f"insert into custom_column_{pages} (book, value) values (?, ?)",
        [(book.calibre_id, book.work.pages) for book in placed if book.work.pages],
    )
    for label, name, values_of in (
        ("ages", "Ages", lambda work: (_ages(work),) if work.ages else ()),
        ("themes", "Themes", lambda work: work.themes),
        ("moods", "Moods", lambda work: work.moods),
    ):
        number = calibre_schema.add_column(db, label, name, "text", is_multiple=label != "ages")
        for book in placed:
            for value in values_of(book.work):
                _link(db, f"custom_column_{number}", "value", book.calibre_id, "value", value)


def _ages(work: CuratedWork) -> str:
    first, *last = work.ages
    return f"{first}-{last[0]}" if last else f"{first}+"


def _link(
    db: sqlite3.Connection,
    table: str,
    link: str,
    book: int,
    column: str,
    value: str | int,
    more: tuple[str, str] | None = None,
) -> None:
    """Link a book to a value of a shared table, which is made if it is not there."""
    columns, values = ([column, more[0]], [value, more[1]]) if more else ([column], [value])
    marks = ", ".join("?" * len(values))
    db.execute(f"insert or ignore into {table} ({', '.join(columns)}) values ({marks})", values)
    db.execute(
        f"insert or ignore into books_{table}_link (book, {link}) select ?, id from {table} where {column} = ?",
        [book, value],
    )
