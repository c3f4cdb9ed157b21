"""Brings the catalogue to what a Calibre library says: one transaction, only what changed, nothing half-done."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection as Sqlite

import psycopg

from ingest import calibre, works
from ingest.clean import RECIPE, Author, Edition, Rejected, clean, find_files, instant
from ingest.compose import compose, primary, subjects_of
from openshelf.contracts import utc_now
from openshelf.database import ingest_runs, ingestion, quarantine
from openshelf.database.ingestion import EditionRow, StoredEdition
from openshelf.errors import IngestError

# More of the library gone than this share is taken for a mistake (a wrong folder, a disk not mounted).
VANISHING_SHARE = 0.2
_BATCH = 2_000  # books read and cleaned between two words of progress
_HIDDEN_FIELDS = frozenset({"book_id", "content_hash", "calibre_modified_at", "title_sort", "calibre_uuid"})


@dataclass(frozen=True)
class Difference:
    """One edition that an ingest would change."""

    change: str  # insert, update, return, deactivate
    calibre_id: int
    title: str
    fields: tuple[str, ...] = ()  # names of what an update changes


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
    interactions: int = 0  # a Calibre library has none
    catalogue_version: int | None = None  # None: nothing changed
    reasons: list[str] = field(default_factory=list)  # of the rejected


@dataclass(frozen=True)
class _Plan:
    """What has to be done, found out without writing anything."""

    editions: list[Edition]  # new, edited or back again
    touched: dict[int, datetime]  # edition_id -> time of a change that changed nothing
    removed: list[StoredEdition]
    stored: dict[int, StoredEdition]
    rejected: list[Rejected]


def ingest_calibre(
    conn: psycopg.Connection,
    library: Path,
    *,
    allow_vanishing: bool = False,
    patience_s: float = calibre.PATIENCE_S,
    on_progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Read a Calibre library into the catalogue. Commits once at the end; every run is noted, failed ones too.

    Raises:
        IngestError: the library cannot be read, or more than a fifth of it is gone (unless `allow_vanishing`).
            The catalogue stays as it was.
    """
    run_id = ingest_runs.start_run(conn, str(library))
    conn.commit()
    library_id: int | None = None
    try:
        with calibre.open_snapshot(library, patience_s) as db:
            root = calibre.database_of(library).parent.resolve()
            ingestion.lock(conn)
            library_id = ingestion.put_library(conn, calibre.library_uuid(db), str(root))
            plan = _plan(conn, db, root, library_id, on_progress)
            if not allow_vanishing:
                _refuse_vanishing(plan, root)
            report = _apply(conn, db, library_id, plan)
        ingestion.note_ingested(conn, library_id)
        ingest_runs.finish_run(conn, run_id, library_id=library_id, counts=report.__dict__ | {"recipe": RECIPE})
        conn.commit()
    except BaseException as error:
        conn.rollback()
        known = isinstance(error, IngestError | KeyboardInterrupt)
        message = str(error) or type(error).__name__ if known else f"{type(error).__name__}: {error}"
        ingest_runs.finish_run(conn, run_id, library_id=None, counts={}, failure=message)
        conn.commit()
        raise
    # Acts that came before their work count now.
    quarantine.release(conn, utc_now())
    return report


def difference(conn: psycopg.Connection, library: Path, patience_s: float = calibre.PATIENCE_S) -> list[Difference]:
    """What `ingest_calibre` would change. Leaves the database as it is."""
    try:
        with calibre.open_snapshot(library, patience_s) as db:
            root = calibre.database_of(library).parent.resolve()
            library_id = ingestion.put_library(conn, calibre.library_uuid(db), str(root))
            plan = _plan(conn, db, root, library_id, None)
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
            fields = _changed_fields(before[edition.calibre_id], _row(edition, old.book_id))
            found.append(Difference("update", edition.calibre_id, edition.title, fields or ("files or identifiers",)))
    found += [Difference("deactivate", gone.calibre_id, before[gone.calibre_id].title) for gone in plan.removed]
    return found


def _changed_fields(old: EditionRow, new: EditionRow) -> tuple[str, ...]:
    return tuple(
        name for name, value in new.__dict__.items() if name not in _HIDDEN_FIELDS and getattr(old, name) != value
    )


def _plan(
    conn: psycopg.Connection,
    db: Sqlite,
    root: Path,
    library_id: int,
    on_progress: Callable[[int, int], None] | None,
) -> _Plan:
    stored = ingestion.stored_editions(conn, library_id)
    times = calibre.modified_times(db)
    same_recipe = ingest_runs.last_recipe(conn, library_id) == RECIPE
    changed = [key for key, time in times.items() if not (same_recipe and _is_current(stored.get(key), time))]
    editions: list[Edition] = []
    touched: dict[int, datetime] = {}
    rejected: list[Rejected] = []
    for start in range(0, len(changed), _BATCH):
        for book in calibre.read_books(db, changed[start : start + _BATCH]):
            record = clean(book)
            if isinstance(record, Rejected):
                rejected.append(record)
                continue
            edition, old = find_files(record, root), stored.get(record.calibre_id)
            if old is None or not old.active or old.content_hash != edition.content_hash:
                editions.append(edition)
            else:
                touched[old.edition_id] = edition.modified_at
        if on_progress:
            on_progress(min(start + _BATCH, len(changed)), len(changed))
    removed = [old for key, old in stored.items() if old.active and key not in times]
    return _Plan(editions, touched, removed, stored, rejected)


def _is_current(stored: StoredEdition | None, modified_at: str) -> bool:
    return stored is not None and stored.active and stored.calibre_modified_at == instant(modified_at)


def _refuse_vanishing(plan: _Plan, root: Path) -> None:
    active = sum(old.active for old in plan.stored.values())
    if len(plan.removed) > VANISHING_SHARE * active:
        raise IngestError(
            f"{len(plan.removed)} of {active} books are gone from {root}; nothing was changed. "
            "Is it the right folder, and whole? If so, run again with --yes."
        )


def _apply(conn: psycopg.Connection, db: Sqlite, library_id: int, plan: _Plan) -> Report:
    """Write the plan; the caller commits."""
    stored, editions = plan.stored, plan.editions
    ingestion.touch_editions(conn, plan.touched)
    if editions or plan.removed:
        books = _works_of(conn, plan)
        ids = ingestion.store_editions(conn, library_id, [_row(e, books[e.calibre_id]) for e in editions])
        edition_ids = list(ids.values())
        ingestion.store_files(
            conn, edition_ids, [(ids[e.calibre_id], f.format, f.path, f.size_bytes) for e in editions for f in e.files]
        )
        ingestion.store_identifiers(
            conn, edition_ids, [(ids[e.calibre_id], kind, value) for e in editions for kind, value in e.identifiers]
        )
        ingestion.withdraw_editions(conn, [gone.edition_id for gone in plan.removed])
        before = [stored[e.calibre_id].book_id for e in editions if e.calibre_id in stored]
        affected = {*books.values(), *before, *(gone.book_id for gone in plan.removed)}
        _tell_works(conn, db, library_id, sorted(affected), {e.calibre_id: e.authors for e in editions})
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
        reasons=[f"book {bad.calibre_id}: {bad.reason}" for bad in plan.rejected],
    )


def _works_of(conn: psycopg.Connection, plan: _Plan) -> dict[int, int]:
    """Calibre's id -> book_id of its work; works that are missing are made."""
    keys = {e.calibre_id: works.work_key(e.title, (a.name for a in e.authors), e.languages) for e in plan.editions}
    authors = {key.split("|")[0] for key in keys.values()}
    known = ingestion.work_keys(conn, sorted(authors))
    of_key, new = works.assign(keys.values(), known)
    # A work whose only edition was renamed keeps its book_id: readers' shelves and ratings hang on it.
    moved = {
        plan.stored[number].book_id: of_key[key]
        for number, key in keys.items()
        if number in plan.stored and of_key[key] in new
    }
    sole = ingestion.sole_works(conn, list(moved))
    # Of two works that are renamed to the same, one keeps its book_id and takes in the other.
    renamed = {book: key for key, book in {key: book for book, key in moved.items() if book in sole}.items()}
    ingestion.rename_works(conn, renamed)
    known |= {key: book for book, key in renamed.items()}
    arrivals: dict[str, datetime] = {}
    for edition in plan.editions:
        key = of_key[keys[edition.calibre_id]]
        if key not in known:
            arrived = edition.added_at or edition.modified_at
            arrivals[key] = min(arrived, arrivals.get(key, arrived))
    known |= ingestion.new_works(conn, arrivals)
    return {number: known[of_key[key]] for number, key in keys.items()}


def _tell_works(
    conn: psycopg.Connection,
    db: Sqlite,
    library_id: int,
    affected: Sequence[int],
    authors: dict[int, tuple[Author, ...]],
) -> None:
    """Write these works anew from all their active editions."""
    groups: defaultdict[int, list[ingestion.ActiveEdition]] = defaultdict(list)
    for edition in ingestion.active_editions(conn, affected):
        groups[edition.book_id].append(edition)
    ingestion.store_works(conn, [compose(group) for group in groups.values()])
    ours = {book: primary(group) for book, group in groups.items() if primary(group).library_id == library_id}
    _read_authors(db, authors, (edition.calibre_id for edition in ours.values()))
    named = {book: authors.get(edition.calibre_id, ()) for book, edition in ours.items()}
    ingestion.forget_work_authors(conn, [book for book, names in named.items() if not names])
    ingestion.store_work_authors(
        conn, [(book, n, author.name, author.sort) for book, names in named.items() for n, author in enumerate(names)]
    )
    ingestion.store_work_subjects(
        conn,
        list(groups),
        [(book, n, name) for book, group in groups.items() for n, name in enumerate(subjects_of(group))],
    )
    ingestion.retire_works(conn, affected)


def _read_authors(db: Sqlite, authors: dict[int, tuple[Author, ...]], wanted: Iterable[int]) -> None:
    """Add the authors of editions that did not change but speak for a work that did."""
    missing = [number for number in wanted if number not in authors]
    for book in calibre.read_books(db, missing) if missing else ():
        record = clean(book)
        if isinstance(record, Edition):
            authors[book.calibre_id] = record.authors


def _row(edition: Edition, book_id: int) -> EditionRow:
    return EditionRow(
        calibre_id=edition.calibre_id,
        calibre_uuid=edition.calibre_uuid,
        book_id=book_id,
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
    )
