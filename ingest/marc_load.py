"""MARC files into the catalogue and out of it.

A file is a delivery, not a whole library: what it does not hold stays as it is; records marked as deleted withdraw.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg

from ingest import marc
from ingest.accessibility import Accessibility
from ingest.calibre import RECIPE
from ingest.clean import Edition, Rejected
from ingest.load import Difference, Plan, Planner, Report, preview, run
from openshelf.database import ingestion
from openshelf.database.ingestion import StoredEdition, WholeEdition
from openshelf.errors import IngestError
from openshelf.works_composing import Author


def ingest_marc(
    conn: psycopg.Connection, path: Path, source: str, on_progress: Callable[[int, int], None] | None = None
) -> Report:
    """Take the records of a MARC 21 or MARCXML file into the catalogue, all or none.

    `source`: whose records they are; a record of the same source and control number is the same edition.

    Raises:
        IngestError: the file is no MARC, or is damaged. The catalogue stays as it was.
    """
    return run(conn, str(path), _planner(path, source, on_progress), str(RECIPE))


def difference(conn: psycopg.Connection, path: Path, source: str) -> list[Difference]:
    """What `ingest_marc` would change. Leaves the database as it is."""
    return preview(conn, _planner(path, source, None))


def _planner(path: Path, source: str, on_progress: Callable[[int, int], None] | None) -> Planner:
    def plan(conn: psycopg.Connection) -> tuple[int, Plan]:
        library_id = ingestion.put_library(conn, f"marc:{source}", str(path.resolve()), "marc")
        stored = ingestion.stored_editions(conn, library_id)
        return library_id, _plan(path, stored, on_progress)

    return plan


def _plan(path: Path, stored: dict[int, StoredEdition], on_progress: Callable[[int, int], None] | None) -> Plan:
    number_of = {old.source_key: number for number, old in stored.items() if old.source_key}
    next_number = max(stored, default=0) + 1
    plan = Plan([], {}, [], stored, [])
    seen: set[str] = set()
    size = 0
    for size, (label, record) in enumerate(marc.read(path), 1):
        if isinstance(record, str):
            plan.rejected.append(Rejected(0, record, label))
            continue
        key = marc.key_of(record) or ""
        if key in seen:
            plan.rejected.append(Rejected(0, f"{key} stands in the file twice; the first one counts", label))
            continue
        seen.update(filter(None, [key]))
        old = stored.get(number_of.get(key, 0))
        if marc.is_deleted(record):
            plan.removed.extend([old] if old and old.active else [])
            continue
        edition = marc.edition_of(record, number_of.get(key, next_number), label)
        if isinstance(edition, Rejected):
            plan.rejected.append(edition)
        elif old is None or not old.active or old.content_hash != edition.content_hash:
            plan.editions.append(edition)
            next_number += old is None
        if on_progress and size % 1_000 == 0:
            on_progress(size, size)
    if on_progress and size:
        on_progress(size, size)
    return plan


@dataclass(frozen=True)
class Exported:
    records: int
    too_large: list[str]  # control numbers: MARC 21 has no room for them, MARCXML has


def export_marc(conn: psycopg.Connection, path: Path) -> Exported:
    """Write every active edition of a book as a MARC record: MARCXML if the name ends in .xml, else MARC 21 (UTF-8).

    The file appears whole or not at all.

    Raises:
        IngestError: the file cannot be written.
    """
    half = path.with_name(f".{path.name}.part")
    try:
        with half.open("wb") as file:
            records = (marc.record_of(edition_of(row), control_number(row)) for row in ingestion.whole_editions(conn))
            written, too_large = marc.write(records, file, as_xml=path.suffix.lower() == ".xml")
        half.replace(path)
    except OSError as error:
        half.unlink(missing_ok=True)
        raise IngestError(f"{path} cannot be written: {error.strerror}.") from error
    except BaseException:
        half.unlink(missing_ok=True)
        raise
    return Exported(written, too_large)


def control_number(row: WholeEdition) -> str:
    """Its own where it came as MARC, else one of ours."""
    return row.source_key or f"openshelf-{row.edition_id}"


def edition_of(row: WholeEdition) -> Edition:
    """A stored edition as it was cleaned, but for files, cover and rating."""
    told = {
        name: tuple(value) if isinstance(value, list) else value for name, value in (row.accessibility or {}).items()
    }
    return Edition(
        calibre_id=row.edition_id,
        calibre_uuid=None,
        title=row.title,
        title_sort=row.title_sort,
        authors=tuple(Author(*pair) for pair in zip(row.author_names, row.author_sorts, strict=True)),
        languages=tuple(row.languages),
        published_on=row.published_on,
        publisher=row.publisher,
        series_name=row.series_name,
        series_index=row.series_index,
        rating=None,
        summary=row.summary,
        subjects=tuple(row.subjects),
        folder="",
        cover_path=None,
        files=(),
        identifiers=tuple(zip(row.identifier_kinds, row.identifier_values, strict=True)),
        added_at=row.added_at,
        modified_at=row.modified_at,
        original_title=row.original_title,
        classifications=tuple(zip(row.schemes, row.codes, strict=True)),
        accessibility=replace(Accessibility(), **told) if told else None,
        source_key=row.source_key,
    )
