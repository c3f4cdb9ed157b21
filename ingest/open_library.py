"""Open Library's ids for our editions and works, from a dump of its editions (openlibrary.org/developers/dumps).

A line of the dump: type, key, revision, time of the last change, JSON; with or without gzip. Editions are known by
their ISBN. Nothing is fetched; 50 million lines stream by and only what is ours is kept.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from ingest import clean
from openshelf.database import holdings, ingestion
from openshelf.errors import IngestError

_LONGEST_LINE = 1_000_000  # bytes; a line that has more is no record
_MOST_REASONS = 100
_TELL_EVERY = 100_000


class _Edition(msgspec.Struct):
    """Of what hangs on a record some is null or of another form: that says nothing, and the rest counts."""

    key: str
    isbn_13: Any = None
    isbn_10: Any = None
    works: Any = None

    @property
    def isbns(self) -> Iterator[str]:
        for told in (self.isbn_13, self.isbn_10):
            several = told if isinstance(told, list) else [told]
            yield from filter(None, (clean.isbn(each) for each in several if isinstance(each, str)))

    @property
    def work(self) -> str | None:
        first = next(iter(self.works), None) if isinstance(self.works, list) else None
        key = first.get("key") if isinstance(first, dict) else first
        return _id(key) if isinstance(key, str) else None


@dataclass
class Found:
    """What a dump held."""

    lines: int = 0
    editions: int = 0  # of ours that have an id of Open Library now
    works: int = 0  # of ours with one edition at least that has the id of its work
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)  # of the first rejected lines


_decoder = msgspec.json.Decoder(_Edition)


def ingest_open_library(
    conn: psycopg.Connection, path: Path, on_progress: Callable[[int, int], None] | None = None
) -> Found:
    """Give our editions the ids that a dump tells, all or none.

    Raises:
        IngestError: the file is not there, or is cut off. Nothing was changed.
    """
    ours = holdings.editions_by_isbn(conn)
    found = Found()
    told: dict[int, tuple[str, str | None]] = {}
    for record in _editions(path, found, on_progress):
        for isbn in record.isbns:
            for edition_id in ours.get(isbn, ()):
                # Of several the first: Open Library numbers the oldest record first.
                told.setdefault(edition_id, (_id(record.key), record.work))
    with conn.transaction():
        ingestion.lock(conn)
        found.editions, found.works = _store(conn, told)
    return found


def _store(conn: psycopg.Connection, told: Mapping[int, tuple[str, str | None]]) -> tuple[int, int]:
    rows = [(edition, "openlibrary", own) for edition, (own, _) in told.items()]
    rows += [(edition, "openlibrary-work", work) for edition, (_, work) in told.items() if work]
    ingestion.add_identifiers(conn, rows)
    return len(told), ingestion.count_works(conn, [edition for edition, (_, work) in told.items() if work])


def _id(key: str) -> str:
    return clean.line(key.rpartition("/")[2])


def _editions(path: Path, found: Found, on_progress: Callable[[int, int], None] | None) -> Iterator[_Edition]:
    try:
        with path.open("rb") as probe:
            is_packed = probe.read(2) == b"\x1f\x8b"
        with gzip.open(path) if is_packed else path.open("rb") as file:
            while raw := file.readline(_LONGEST_LINE + 1):
                found.lines += 1
                if on_progress and found.lines % _TELL_EVERY == 0:
                    on_progress(found.lines, found.lines)
                cells = raw.split(b"\t", 4)
                if len(cells) == 5 and cells[0] != b"/type/edition":
                    continue
                reason = f"it has {len(cells)} columns, not 5"
                if len(cells) == 5:
                    try:
                        yield _decoder.decode(cells[4])
                        continue
                    except (msgspec.DecodeError, UnicodeDecodeError) as error:
                        reason = str(error)
                found.rejected += 1
                if len(found.reasons) < _MOST_REASONS:
                    found.reasons.append(f"line {found.lines}: {reason[:200]}")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise IngestError(f"{path} is damaged or cut off ({error}); nothing of it was kept.") from error
    except OSError as error:
        raise IngestError(f"{path} cannot be read: {error.strerror}.") from error
