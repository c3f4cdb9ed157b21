"""What the recovery stores of the dataflow still know of readers whom it has dropped.

The dataflow drops a state by writing that it is gone, under the reader's key, and the pages of the file keep what
stood in them. Here the keys are taken out and the file is written anew. The store is Bytewax's SQLite file; a running
dataflow may have it open: both wait for one another, and what is busy for long is left for the next time.
"""

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import structlog

from openshelf.settings import Settings

_PATIENCE_S = 2.0

_log = structlog.get_logger(__name__)


def remove_set_aside(settings: Settings) -> int:
    """Delete the stores that were found unusable and kept aside; how many."""
    folders = [*_folder(settings).glob("*.corrupt-*")]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return len(folders)


def scrub(settings: Settings, reader_keys: Sequence[str] = ()) -> int:
    """Take out of every store the keys of dropped states (how many), and these readers', whether dropped or not."""
    count = 0
    for part in _folder(settings).glob("*/part-*.sqlite3"):
        try:
            count += _scrub_part(part, reader_keys)
        except sqlite3.OperationalError as error:
            _log.info("recovery_store_is_busy", store=part.parent.name, error=str(error), remedy="the next run tries")
        except sqlite3.DatabaseError as error:  # damaged: the dataflow sets it aside at its next start
            _log.warning("recovery_store_is_damaged", store=part.parent.name, error=str(error))
    return count


def _scrub_part(part: Path, reader_keys: Sequence[str]) -> int:
    with closing(sqlite3.connect(part, timeout=_PATIENCE_S, isolation_level=None)) as store:
        store.executemany("delete from snaps where state_key = ?", [(key,) for key in reader_keys])
        # Of a dropped state the last row says so; only where no older row is left may it go.
        removed = store.execute(
            """delete from snaps where ser_change is null and not exists (
                   select 1 from snaps as other where other.step_id = snaps.step_id
                       and other.state_key = snaps.state_key and other.ser_change is not null
               )"""
        ).rowcount
        store.execute("vacuum")
        store.execute("pragma wal_checkpoint(truncate)")
    return removed


def _folder(settings: Settings) -> Path:
    return settings.home / "recovery"
