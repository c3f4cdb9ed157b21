"""A folder of EPUB files into the catalogue, by the metadata in them; and editions out as OPF."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import psycopg

from ingest import opf
from ingest.accessibility import package_of
from ingest.calibre import RECIPE
from ingest.clean import BookFile, Edition, Rejected
from ingest.load import Difference, Plan, Planner, Report, preview, refuse_vanishing, run
from ingest.marc_load import control_number, edition_of
from openshelf.database import ingestion
from openshelf.database.ingestion import StoredEdition
from openshelf.errors import IngestError


def ingest_epubs(
    conn: psycopg.Connection,
    folder: Path,
    *,
    allow_vanishing: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Bring the catalogue to what the EPUB files of a folder say; a file that is renamed is another edition.

    Raises:
        IngestError: there is no such folder, or more than a fifth of its files are gone (unless `allow_vanishing`).
            The catalogue stays as it was.
    """
    plan = _planner(folder, on_progress)

    def guarded(conn: psycopg.Connection) -> tuple[int, Plan]:
        library_id, found = plan(conn)
        if not allow_vanishing:
            refuse_vanishing(found, folder)
        return library_id, found

    return run(conn, str(folder), guarded, str(RECIPE))


def difference(conn: psycopg.Connection, folder: Path) -> list[Difference]:
    """What `ingest_epubs` would change. Leaves the database as it is."""
    return preview(conn, _planner(folder, None))


def _planner(folder: Path, on_progress: Callable[[int, int], None] | None) -> Planner:
    if not folder.is_dir():
        raise IngestError(f"{folder} is not there; name a folder of EPUB files.")
    root = folder.resolve()

    def plan(conn: psycopg.Connection) -> tuple[int, Plan]:
        library_id = ingestion.put_library(conn, f"epub:{root}", str(root), "epub")
        return library_id, _plan(root, ingestion.stored_editions(conn, library_id), on_progress)

    return plan


def _plan(root: Path, stored: dict[int, StoredEdition], on_progress: Callable[[int, int], None] | None) -> Plan:
    number_of = {old.source_key: number for number, old in stored.items() if old.source_key}
    next_number = max(stored, default=0) + 1
    plan = Plan([], {}, [], stored, [])
    files = list(_files(root))
    for done, key in enumerate(files, 1):
        old = stored.get(number_of.get(key, 0))
        edition = _edition(root, key, number_of.get(key, next_number))
        if isinstance(edition, Rejected):
            plan.rejected.append(edition)
        elif old is None or not old.active or old.content_hash != edition.content_hash:
            plan.editions.append(edition)
            next_number += old is None
        if on_progress and (done % 100 == 0 or done == len(files)):
            on_progress(done, len(files))
    there = set(files)
    plan.removed.extend(old for old in stored.values() if old.active and old.source_key not in there)
    return plan


def _files(root: Path) -> Iterator[str]:
    """Paths of the EPUB files under a folder, relative to it, in order. Links are not followed out of it."""
    for place, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            if name.lower().endswith(".epub") and path.resolve().is_relative_to(root):
                yield path.relative_to(root).as_posix()


def _edition(root: Path, key: str, number: int) -> Edition | Rejected:
    try:
        key.encode()
        size = (root / key).stat().st_size
    except (OSError, UnicodeEncodeError) as error:
        return Rejected(number, f"it cannot be read ({type(error).__name__})", ascii(key))
    package = package_of(root / key)
    if package is None:
        return Rejected(number, "it is no EPUB, or is damaged", key)
    edition = opf.edition_of(package, number, key, key)
    if isinstance(edition, Rejected):
        return edition
    return replace(edition, folder=str(Path(key).parent), files=(BookFile("EPUB", key, size),))


def export_opf(conn: psycopg.Connection, folder: Path) -> int:
    """Write every active edition of a book as `edition-N.opf`; how many.

    Raises:
        IngestError: a file cannot be written.
    """
    count = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for row in ingestion.whole_editions(conn):
            identifier = f"urn:uuid:{uuid5(NAMESPACE_URL, control_number(row))}"
            (folder / f"edition-{row.edition_id}.opf").write_bytes(opf.package_of(edition_of(row), identifier))
            count += 1
    except OSError as error:
        raise IngestError(f"{error.filename or folder} cannot be written: {error.strerror}.") from error
    return count
