"""Seconds and memory to take in a data set of a million ratings, again unchanged, to export it, to remove it.

python benchmarks/dataset_ingest.py [--ratings N | --quick] [--data NAME PATH] [--json]

1,000,000 ratings, with `--quick` 100,000. They are made: 6,040 readers and 3,706 films, as many as MovieLens 1M has,
popular films rated far more often.
`--data`: a real data set instead. Embedding is left out. `_cpu_s`: of this process and of Postgres' together;
`memory_mb`: the most that this process held. A Postgres of its own, thrown away afterwards.
"""

import argparse
import json
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from ingest.dataset import ingest_dataset, remove_dataset
from openshelf.database import embedded, migrate, pool
from openshelf.export_training import export_training
from openshelf.settings import get_settings

READERS, FILMS = 6_040, 3_706


def made(folder: Path, ratings: int) -> None:
    """A data set in MovieLens' format; a reader rates a film once."""
    random = np.random.default_rng(0)
    drawn = (random.pareto(1.2, ratings * 3) * 60).astype(np.int64) % FILMS
    pairs = np.unique(random.integers(READERS, size=ratings * 3) * FILMS + drawn)
    pairs = np.sort(random.choice(pairs, size=min(ratings, len(pairs)), replace=False))
    stars = random.integers(1, 11, len(pairs)) / 2
    times = random.integers(950_000_000, 1_050_000_000, len(pairs))
    folder.mkdir()
    with (folder / "ratings.csv").open("w") as file:
        file.write("userId,movieId,rating,timestamp\n")
        for pair, star, at in zip(pairs.tolist(), stars.tolist(), times.tolist(), strict=True):
            file.write(f"{pair // FILMS + 1},{pair % FILMS + 1},{star},{at}\n")
    with (folder / "movies.csv").open("w") as file:
        file.write("movieId,title,genres\n")
        file.writelines(f"{n},The {n}th Film ({1930 + n % 80}),Drama|Comedy\n" for n in range(1, FILMS + 1))


def timed(conn: psycopg.Connection, work: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    begun, spent = time.perf_counter(), cpu_s(conn)
    result = work()
    return {"s": round(time.perf_counter() - begun, 1), "cpu_s": round(cpu_s(conn) - spent, 1)}, result


def cpu_s(conn: psycopg.Connection) -> float:
    """Spent so far by this process and by the one of Postgres that serves it."""
    stat = Path(f"/proc/{conn.info.backend_pid}/stat")
    ticks = sum(map(int, stat.read_text().rpartition(")")[2].split()[11:13])) if stat.exists() else 0
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def measure(conn: psycopg.Connection, home: Path, name: str, path: Path) -> dict[str, float | int]:
    secret = get_settings().reader_secret()
    first, done = timed(conn, lambda: ingest_dataset(conn, name, path, secret=secret))
    again, unchanged = timed(conn, lambda: ingest_dataset(conn, name, path, secret=secret))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    out, exported = timed(conn, lambda: export_training(conn, home / "out"))
    removed, gone = timed(conn, lambda: remove_dataset(conn, name))
    if unchanged.interactions_written or unchanged.updated or gone.interactions_removed != done.interactions:
        raise SystemExit(f"the runs did not do what is measured: {unchanged}, {gone}")
    found: dict[str, float | int] = {"works": done.works, "ratings": done.interactions, "readers": done.readers}
    for step, figures in (("ingest", first), ("unchanged", again), ("export", out), ("remove", removed)):
        found |= {f"{step}_{unit}": figure for unit, figure in figures.items()}
    exporting = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return found | {"exported": exported.interactions, "memory_mb": memory, "memory_with_export_mb": exporting}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ratings", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="100,000 ratings")
    parser.add_argument("--data", nargs=2, metavar=("NAME", "PATH"), help="a data set that is there")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="openshelf-bench-"))
    os.environ |= {"OPENSHELF_HOME": str(home), "OPENSHELF_KINDS": "book,film"}
    os.environ.pop("OPENSHELF_DATABASE_URL", None)
    name, path = options.data or ("movielens", home / "ml")
    try:
        if not options.data:
            made(path, 100_000 if options.quick else options.ratings)
        with pool.connect(get_settings(), unlimited=True) as conn:
            migrate.migrate(conn)
            conn.commit()
            found = measure(conn, home, name, Path(path))
    finally:
        embedded.stop(home)
        shutil.rmtree(home, ignore_errors=True)
    print(json.dumps(found) if options.json else "\n".join(f"{key}: {value}" for key, value in found.items()))


if __name__ == "__main__":
    main()
