"""Seconds to build the demo library, to ingest a Calibre library, to ingest it unchanged, and after edits.

python benchmarks/calibre_ingest.py [--books N | --quick] [--json]     (100,000 books; `--quick`: 10,000)

The large library is the demo catalogue over and over with a number in each title, written with Calibre's own schema
but without covers and files. Before the first ingest and after the edit of one book the difference is shown, as
`--dry-run` does; then one book in a hundred is edited; at the end a quarter of the books is gone, which must be
refused. Embedding is left out. `_cpu_s`: of this process, those that it starts and that of Postgres together;
`memory_mb`: the most that this process held, and one of those it started. A Postgres of its own, thrown away.
"""

import argparse
import contextlib
import json
import os
import resource
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from ingest import demo_calibre
from ingest.demo_catalogue import load_catalogue
from ingest.load import difference, ingest_calibre
from openshelf.database import embedded, migrate, pool
from openshelf.errors import IngestError
from openshelf.settings import get_settings


def large_library(folder: Path, books: int) -> None:
    """A library of this many books, database only."""
    originals = load_catalogue()
    works = [
        replace(
            originals[n % len(originals)],
            title=f"{originals[n % len(originals)].title} {n // len(originals)}",
            isbn=None,
        )
        for n in range(books)
    ]
    placed = demo_calibre.place(works, datetime(2026, 1, 1, tzinfo=UTC).date(), neighbours=False)
    folder.mkdir(parents=True)
    demo_calibre.write_database(folder / "metadata.db", placed, [0] * books, "")
    with contextlib.closing(sqlite3.connect(folder / "metadata.db")) as db, db:
        # A library of its own: with the demo library's id it would be that library, moved and with other books.
        db.execute("update library_id set uuid = ?", [str(uuid4())])


def edit(library: Path, every: int, day: str) -> int:
    """Another text for one book of so many, the first one among them; how many that are."""
    with contextlib.closing(sqlite3.connect(library / "metadata.db")) as db, db:
        db.execute("update comments set text = ? where book % ? = 1", [f"<p>Of {day}.</p>", every])
        db.create_function("title_sort", 1, lambda title: title)
        changed = "update books set last_modified = ? where id % ? = 1"
        return db.execute(changed, [f"{day} 00:00:00+00:00", every]).rowcount


def lose_a_quarter(library: Path) -> None:
    with contextlib.closing(sqlite3.connect(library / "metadata.db")) as db, db:
        db.execute("delete from books where id % 4 = 0")


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    result = work()
    return round(time.perf_counter() - begun, 2), result


def cpu_s(conn: psycopg.Connection) -> float:
    """Spent so far by this process, by those that it started and by the one of Postgres that serves it."""
    stat = Path(f"/proc/{conn.info.backend_pid}/stat")
    ticks = sum(map(int, stat.read_text().rpartition(")")[2].split()[11:13])) if stat.exists() else 0
    started = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + started.ru_utime + started.ru_stime + ticks / os.sysconf("SC_CLK_TCK")


def memory_mb() -> int:
    return sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) // 1024


def refuses(conn: psycopg.Connection, library: Path) -> bool:
    try:
        ingest_calibre(conn, library)
    except IngestError:
        return True
    return False


def measure(conn: psycopg.Connection, home: Path, books: int) -> dict[str, float | int]:
    demo = home / "demo"
    build_s, _ = timed(lambda: demo_calibre.build(demo))
    demo_s, first = timed(lambda: ingest_calibre(conn, demo))
    demo_again_s, _ = timed(lambda: ingest_calibre(conn, demo))
    large = home / "large"
    large_library(large, books)
    shown_s, shown = timed(lambda: difference(conn, large))
    shown_mb = memory_mb()
    begun = cpu_s(conn)
    large_s, _ = timed(lambda: ingest_calibre(conn, large))
    large_cpu = cpu_s(conn) - begun
    begun = cpu_s(conn)
    unchanged_s, unchanged = timed(lambda: ingest_calibre(conn, large))
    unchanged_cpu = cpu_s(conn) - begun
    edit(large, books, "2026-06-01")
    edit_shown_s, edit_shown = timed(lambda: difference(conn, large))
    edited_s, edited = timed(lambda: ingest_calibre(conn, large))
    if unchanged.catalogue_version is not None or edited.updated != 1:
        raise SystemExit(f"the runs did not do what is measured: {unchanged}, {edited}")
    if len(shown) != books or [(change.change, change.fields) for change in edit_shown] != [("update", ("summary",))]:
        raise SystemExit(f"the difference is not what was changed: {len(shown)}, {edit_shown}")
    hundredth = edit(large, 100, "2026-06-02")
    begun = cpu_s(conn)
    hundredth_s, again = timed(lambda: ingest_calibre(conn, large))
    hundredth_cpu = cpu_s(conn) - begun
    if again.updated != hundredth:
        raise SystemExit(f"{hundredth} books were edited, and {again.updated} came in")
    lose_a_quarter(large)
    if not refuses(conn, large):
        raise SystemExit("a quarter of the library was gone, and that was taken for an edit")
    return {
        "demo_books": first.editions,
        "demo_build_s": build_s,
        "demo_ingest_s": demo_s,
        "demo_unchanged_s": demo_again_s,
        "books": books,
        "difference_s": shown_s,
        "ingest_s": large_s,
        "ingest_cpu_s": round(large_cpu, 1),
        "unchanged_s": unchanged_s,
        "unchanged_cpu_s": round(unchanged_cpu, 2),
        "one_edit_difference_s": edit_shown_s,
        "one_edit_s": edited_s,
        "one_in_100_s": hundredth_s,
        "one_in_100_cpu_s": round(hundredth_cpu, 2),
        "difference_memory_mb": shown_mb,
        "memory_mb": memory_mb(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--books", type=int, default=100_000)
    parser.add_argument("--quick", action="store_true", help="10,000 books")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="openshelf-bench-"))
    os.environ["OPENSHELF_HOME"] = str(home)
    os.environ.pop("OPENSHELF_DATABASE_URL", None)
    try:
        with pool.connect(get_settings(), unlimited=True) as conn:
            migrate.migrate(conn)
            found = measure(conn, home, 10_000 if options.quick else options.books)
    finally:
        embedded.stop(home)
        shutil.rmtree(home, ignore_errors=True)
    print(json.dumps(found) if options.json else "\n".join(f"{key}: {value}" for key, value in found.items()))


if __name__ == "__main__":
    main()
