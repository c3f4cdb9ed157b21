"""The folder of Bytewax's recovery partitions: a cache. What cannot be trusted is moved aside, the log replayed."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from bytewax.recovery import init_db_dir

# Fixed for the life of a store: Bytewax cannot re-partition it.
COUNT_PARTITIONS = 1
_MARK = "database"

_log = structlog.get_logger(__name__)


def prepare(
    folder: Path, fingerprint: str, clock: Callable[[], datetime], source_keeps: timedelta | None = None
) -> Path:
    """Make the store ready to resume from: there, sound, of this very database, and not left too far behind.

    `source_keeps`: how long the source has an act; unset, for good.
    """
    fault = fault_of(folder, fingerprint) if folder.exists() else None
    if fault is None and source_keeps and folder.exists() and _written_at(folder) < clock() - source_keeps:
        # Acts are missing between its place and the oldest that the source still has.
        fault = f"it was not written for more than the {source_keeps.days} days that the topic keeps acts"
    if fault:
        move_aside(folder, fault, clock)
    if not folder.exists():
        _create(folder, fingerprint)
    return folder


def move_aside(folder: Path, fault: str, clock: Callable[[], datetime]) -> None:
    aside = folder.with_name(f"{folder.name}.corrupt-{clock():%Y%m%dT%H%M%S%f}")
    folder.rename(aside)
    _log.warning("recovery_store_moved_aside", reason=fault, now_at=str(aside), remedy="replaying")


def _written_at(folder: Path) -> datetime:
    """When a dataflow last took a snapshot, which it does every few seconds, also when nobody acts."""
    return datetime.fromtimestamp(max(part.stat().st_mtime for part in folder.glob("part-*")), UTC)


def _create(folder: Path, fingerprint: str) -> None:
    # Made beside and renamed, so that a kill in between leaves no half store.
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True, mode=0o700)
    init_db_dir(fresh, COUNT_PARTITIONS)
    (fresh / _MARK).write_text(fingerprint)
    fresh.rename(folder)


def fault_of(folder: Path, fingerprint: str) -> str | None:
    """Why this store must not be used, or None."""
    parts = sorted(folder.glob("part-*.sqlite3"))
    if len(parts) != COUNT_PARTITIONS:
        return f"{len(parts)} of {COUNT_PARTITIONS} partitions are there"
    mark = folder / _MARK
    if not mark.exists() or mark.read_text() != fingerprint:
        return "it belongs to another database, dataflow or topic"
    for part in parts:
        try:
            with closing(sqlite3.connect(part, timeout=5)) as store:
                verdict = store.execute("pragma quick_check").fetchone()[0]
        except sqlite3.DatabaseError as error:
            return f"{part.name}: {error}"
        if verdict != "ok":
            return f"{part.name}: {verdict}"
    return None
