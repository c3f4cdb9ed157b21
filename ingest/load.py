"""Brings the catalogue to what a source says: one transaction, only what changed, nothing half-done."""

import gc
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import psycopg

from ingest import calibre, calibre_search
from ingest.arrange import Placed, place
from ingest.calibre import EVERYTHING, Choice, Column
from ingest.clean import Edition, Rejected, clean, find_files, instant
from openshelf import garbage
from openshelf.contracts import utc_now
from openshelf.database import appeal, ingest_runs, ingestion, quarantine
from openshelf.database.ingestion import EditionRow, StoredEdition
from openshelf.errors import IngestError
from openshelf.works_telling import tell

# More of the library gone than this share is taken for a mistake (a wrong folder, a disk not mounted).
VANISHING_SHARE = 0.2
_BATCH = 2_000  # books read and cleaned between two words of progress
_PROCESSES = 2  # that read and clean, each in 200 MB or so
_WORTH_PROCESSES = 10  # batches: to start a process takes as long as to clean some thousand books
_MANY_WORKS = 10_000  # whose words go into the indexes at once rather than one after the other
_HIDDEN_FIELDS = frozenset(
    {"book_id", "content_hash", "calibre_modified_at", "title_sort", "calibre_uuid", "author_names", "author_sorts"}
    | {"work_key", "work_reason"}
)


@dataclass(frozen=True)
class Difference:
    """One edition that an ingest would change."""

    change: str  # insert, update, return, deactivate, reject
    calibre_id: int
    title: str
    fields: tuple[str, ...] = ()  # names of what an update changes; why it is rejected


@dataclass
class Report:
    """Counts of one ingest. `editions` and `works` are what the whole catalogue holds now."""

    editions: int = 0
    works: int = 0
    inserted: int = 0
    updated: int = 0
    returned: int = 0  # were withdrawn, are there again
    deactivated: int = 0
    rejected: int = 0
    interactions: int = 0  # only data sets have them
    catalogue_version: int | None = None  # None: nothing changed
    reasons: list[str] = field(default_factory=list)  # of the rejected


@dataclass(frozen=True)
class Plan:
    """What has to be done, found out without writing anything."""

    editions: list[Edition]  # new, edited or back again
    touched: dict[int, datetime]  # edition_id -> time of a change that changed nothing
    removed: list[StoredEdition]
    stored: dict[int, StoredEdition]
    rejected: list[Rejected]


Planner = Callable[[psycopg.Connection], tuple[int, Plan]]  # library_id and what has to be done; nothing is written


def ingest_calibre(
    conn: psycopg.Connection,
    library: Path,
    *,
    allow_vanishing: bool = False,
    choice: Choice = EVERYTHING,
    patience_s: float = calibre.PATIENCE_S,
    on_progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Read a Calibre library into the catalogue, or the part of it that is chosen.

    Raises:
        IngestError: the library cannot be read, or more than a fifth of it is gone (unless `allow_vanishing`).
            The catalogue stays as it was.
    """

    def plan(conn: psycopg.Connection) -> tuple[int, Plan]:
        library_id, found = _plan_calibre(conn, library, choice, patience_s, on_progress)
        if not allow_vanishing:
            refuse_vanishing(found, library)
        return library_id, found

    return run(conn, str(library), plan, choice.recipe)


def difference(
    conn: psycopg.Connection, library: Path, choice: Choice = EVERYTHING, patience_s: float = calibre.PATIENCE_S
) -> list[Difference]:
    """What `ingest_calibre` would change. Leaves the database as it is."""
    return preview(conn, lambda conn: _plan_calibre(conn, library, choice, patience_s, None))


def run(
    conn: psycopg.Connection,
    path: str,
    planner: Planner,
    recipe: str,
    then: Callable[[psycopg.Connection, int, Report], None] | None = None,
) -> Report:
    """Plan and write in one transaction. Every run is noted, failed ones too; acts that waited for its works count.

    `then`: what else belongs to the source, written in the same transaction: given library_id and the report.
    """
    run_id = ingest_runs.start_run(conn, path)
    conn.commit()
    try:
        with garbage.left_alone():  # records by the hundred thousand: to look through them is a sixth of it all
            ingestion.lock(conn)
            library_id, plan = planner(conn)
            report = apply(conn, library_id, plan)
            if then:
                then(conn, library_id, report)
        ingestion.note_ingested(conn, library_id)
        ingest_runs.finish_run(conn, run_id, library_id=library_id, counts=report.__dict__ | {"recipe": recipe})
        conn.commit()
    except BaseException as error:
        conn.rollback()
        known = isinstance(error, IngestError | KeyboardInterrupt)
        message = str(error) or type(error).__name__ if known else f"{type(error).__name__}: {error}"
        ingest_runs.finish_run(conn, run_id, library_id=None, counts={}, failure=message)
        conn.commit()
        raise
    quarantine.release(conn, utc_now())
    return report


def preview(conn: psycopg.Connection, planner: Planner) -> list[Difference]:
    """What the plan would change, and what it would refuse. Leaves the database as it is."""
    try:
        _, plan = planner(conn)
        ids = [plan.stored[e.calibre_id].edition_id for e in plan.editions if e.calibre_id in plan.stored]
        ids += [gone.edition_id for gone in plan.removed]
        before = ingestion.edition_fields(conn, ids)
    finally:
        conn.rollback()
    found = []
    for edition in plan.editions:
        old = plan.stored.get(edition.calibre_id)
        if old is None:
            found.append(Difference("insert", edition.calibre_id, edition.title))
        elif not old.active:
            found.append(Difference("return", edition.calibre_id, edition.title))
        else:
            fields = _changed_fields(before[edition.calibre_id], _row(edition, Placed(old.book_id, "", "")))
            found.append(Difference("update", edition.calibre_id, edition.title, fields or ("files or identifiers",)))
    found += [Difference("deactivate", gone.calibre_id, before[gone.calibre_id].title) for gone in plan.removed]
    return found + [Difference("reject", bad.calibre_id, bad.record or "?", (bad.reason,)) for bad in plan.rejected]


def _changed_fields(old: EditionRow, new: EditionRow) -> tuple[str, ...]:
    return tuple(
        name for name, value in new.__dict__.items() if name not in _HIDDEN_FIELDS and getattr(old, name) != value
    )


def _plan_calibre(
    conn: psycopg.Connection,
    library: Path,
    choice: Choice,
    patience_s: float,
    on_progress: Callable[[int, int], None] | None,
) -> tuple[int, Plan]:
    with calibre.open_snapshot(library, patience_s) as db:
        root = calibre.database_of(library).parent.resolve()
        columns = calibre.custom_columns(db, choice.columns)
        library_id = ingestion.put_library(conn, calibre.library_uuid(db), str(root))
        stored = ingestion.stored_editions(conn, library_id)
        times = calibre.modified_times(db)
        if choice.virtual_library:
            chosen = calibre_search.members(db, choice.virtual_library, times)
            times = {key: time for key, time in times.items() if key in chosen}
        same_recipe = ingest_runs.last_recipe(conn, library_id) == choice.recipe
        changed = [key for key, time in times.items() if not (same_recipe and _is_current(stored.get(key), time))]
        editions: list[Edition] = []
        touched: dict[int, datetime] = {}
        rejected: list[Rejected] = []
        done = 0
        for records in _cleaned(db, changed, columns, root):
            for record in records:
                if isinstance(record, Rejected):
                    rejected.append(replace(record, record=f"book {record.calibre_id}"))
                    continue
                old = stored.get(record.calibre_id)
                if old is None or not old.active or old.content_hash != record.content_hash:
                    editions.append(record)
                else:
                    touched[old.edition_id] = record.modified_at
            done += len(records)
            if on_progress:
                on_progress(min(done, len(changed)), len(changed))
    removed = [old for key, old in stored.items() if old.active and key not in times]
    return library_id, Plan(editions, touched, removed, stored, rejected)


def _cleaned(
    db: sqlite3.Connection, ids: Sequence[int], columns: Sequence[Column], root: Path
) -> Iterator[list[Edition | Rejected]]:
    """These books as we keep them, with what is there of their files, in batches; very many by two processes.

    Raises:
        IngestError: the library is not as Calibre makes it, or one of the processes was ended.
    """
    batches = [ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH)]
    if len(batches) < _WORTH_PROCESSES or (os.cpu_count() or 1) < _PROCESSES:
        reader = _Reader(db, columns, root)
        yield from map(reader.clean, batches)
        return
    whole = (calibre.file_of(db), columns, root)
    try:
        with ProcessPoolExecutor(_PROCESSES, get_context("spawn"), _begin_in_process, whole) as pool:
            yield from pool.map(_clean_in_process, batches)
    except BrokenProcessPool as error:
        raise IngestError(
            "a process that read the library was ended from outside, perhaps for want of memory; nothing was changed. "
            "Run again."
        ) from error


class _Reader:
    """Reads and cleans books of one library."""

    def __init__(self, db: sqlite3.Connection, columns: Sequence[Column], root: Path) -> None:
        self._db, self._columns, self._root = db, columns, root
        self._folders: dict[str, str] = {}

    def clean(self, ids: Sequence[int]) -> list[Edition | Rejected]:
        records: list[Edition | Rejected] = []
        for book in calibre.read_books(self._db, ids, self._columns):
            record = clean(book)
            if isinstance(record, Edition):
                record = find_files(record, self._root, self._folders)
                record.content_hash  # noqa: B018 - it is kept, and goes with the record where that goes
            records.append(record)
        return records


_of_process: list[_Reader] = []


def _begin_in_process(database: Path, columns: Sequence[Column], root: Path) -> None:
    gc.disable()
    _of_process.append(_Reader(calibre.reopen(database), columns, root))


def _clean_in_process(ids: Sequence[int]) -> list[Edition | Rejected]:
    return _of_process[0].clean(ids)


def _is_current(stored: StoredEdition | None, modified_at: str) -> bool:
    return stored is not None and stored.active and stored.calibre_modified_at == instant(modified_at)


def refuse_vanishing(plan: Plan, library: Path) -> None:
    """Raises IngestError when more than a fifth of what was there would be withdrawn."""
    active = sum(old.active for old in plan.stored.values())
    if len(plan.removed) > VANISHING_SHARE * active:
        raise IngestError(
            f"{len(plan.removed)} of {active} books are gone from {library}; nothing was changed. "
            "Is it the right folder, and whole? If so, run again with --yes."
        )


def apply(conn: psycopg.Connection, library_id: int, plan: Plan) -> Report:
    """Write the plan; the caller commits."""
    stored, editions = plan.stored, plan.editions
    ingestion.touch_editions(conn, plan.touched)
    if editions or plan.removed:
        placement = place(conn, editions, stored)
        ids = ingestion.store_editions(conn, library_id, [_row(e, placement.editions[e.calibre_id]) for e in editions])
        edition_ids = list(ids.values())
        ingestion.store_files(
            conn, edition_ids, [(ids[e.calibre_id], f.format, f.path, f.size_bytes) for e in editions for f in e.files]
        )
        ingestion.store_identifiers(
            conn, edition_ids, [(ids[e.calibre_id], kind, value) for e in editions for kind, value in e.identifiers]
        )
        ingestion.store_classifications(
            conn, edition_ids, [(ids[e.calibre_id], *code) for e in editions for code in e.classifications]
        )
        appeal.store(
            conn,
            edition_ids,
            [(ids[e.calibre_id], kind, n, value) for e in editions for n, (kind, value) in enumerate(e.appeal)],
        )
        ingestion.withdraw_editions(conn, [gone.edition_id for gone in plan.removed])
        affected = placement.affected | {gone.book_id for gone in plan.removed}
        with ingestion.indexed_at_once(conn) if len(affected) > _MANY_WORKS else nullcontext():
            tell(conn, affected)
    totals = ingestion.totals(conn)
    return Report(
        editions=totals.editions,
        works=totals.works,
        inserted=sum(e.calibre_id not in stored for e in editions),
        updated=sum(e.calibre_id in stored and stored[e.calibre_id].active for e in editions),
        returned=sum(e.calibre_id in stored and not stored[e.calibre_id].active for e in editions),
        deactivated=len(plan.removed),
        rejected=len(plan.rejected),
        catalogue_version=ingestion.bump_version(conn) if editions or plan.removed else None,
        reasons=[f"{bad.record}: {bad.reason}" for bad in plan.rejected],
    )


def _row(edition: Edition, placed: Placed) -> EditionRow:
    return EditionRow(
        calibre_id=edition.calibre_id,
        calibre_uuid=edition.calibre_uuid,
        book_id=placed.book_id,
        title=edition.title,
        title_sort=edition.title_sort,
        authors_text=edition.authors_text,
        languages=list(edition.languages),
        published_on=edition.published_on,
        publisher=edition.publisher,
        series_name=edition.series_name,
        series_index=edition.series_index,
        rating=edition.rating,
        summary=edition.summary,
        subjects=list(edition.subjects),
        folder=edition.folder,
        cover_path=edition.cover_path,
        calibre_added_at=edition.added_at,
        calibre_modified_at=edition.modified_at.astimezone(UTC),
        content_hash=edition.content_hash,
        author_names=[author.name for author in edition.authors],
        author_sorts=[author.sort for author in edition.authors],
        original_title=edition.original_title,
        source_key=edition.source_key,
        work_key=placed.work_key,
        work_reason=placed.reason,
        kind=edition.kind,
        accessibility=edition.accessibility.as_json() if edition.accessibility else None,
    )
