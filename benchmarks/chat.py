"""How soon the librarian says its first words, beside a plain search of the same words.

python benchmarks/chat.py [--quick] [--json] [--works N]

Over a library of 10,000 works (the demo catalogue over and over, embedded at random, as in `storefront.py`), without a
model: from the question to the opening sentence and the works, so parsing, all roads of retrieval, the checks and the
words. Each question is asked once that was never asked before, so that its vector is not remembered; the two kinds take
turns, so that a busy machine troubles both alike.

- `first_words_p50_ms`, `first_words_p95_ms`: until the opening sentence is there
- `search_p50_ms`, `search_p95_ms`: one hybrid search for the same text
- `ratio`: of the two medians
"""

import argparse
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import structlog
from our_stream.percentiles import at_percent
from storefront import fill

from dashboard.chat import answer
from models import search
from openshelf.database import migrate, pool

SUBJECTS = ("science fiction", "history", "poetry", "cooking", "physics", "war", "romance", "nature", "mystery")
PATTERNS = (
    "a quiet {subject} book for a rainy weekend",
    "{subject} before 1970, without war",
    "something like Dune but about {subject}",
    "{subject} for my daughter, {age}",
    "short {subject} by women",
    "sách {subject} cho bé {age} tuổi",
    "что-нибудь про {subject} для сына {age} лет",
    "{subject} and whales at sea",
)


def questions() -> Iterator[str]:
    """Questions of which no two are alike."""
    for age, pattern, subject in itertools.product(range(6, 18), PATTERNS, SUBJECTS):
        yield f"{pattern.format(subject=subject, age=age)} {age}"


def measure(conn: psycopg.Connection, count: int) -> dict[str, float | int]:
    """Milliseconds of first words and of searches, in turn."""
    words, searches = [], []
    asked = questions()
    for n, question in enumerate(itertools.islice(asked, 2 * count + 6)):
        start = time.perf_counter()
        if n % 2:
            search.search(conn, question)
        else:
            wish, records = answer.look_up(conn, question)
            next(iter(answer.stream(records, wish, None)))
        took = 1_000 * (time.perf_counter() - start)
        if n >= 6:  # what is loaded once is no reader's waiting
            (searches if n % 2 else words).append(took)
    words, searches = sorted(words), sorted(searches)
    report: dict[str, float | int] = {"questions": len(words)}
    for name, took in (("first_words", words), ("search", searches)):
        report |= {f"{name}_p{p}_ms": round(at_percent(took, p), 1) for p in (50, 95)}
    return report | {"ratio": round(at_percent(words, 50) / at_percent(searches, 50), 2)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2,000 works and a few questions")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--works", type=int, default=None)
    arguments = parser.parse_args()
    works = arguments.works or (2_000 if arguments.quick else 10_000)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    load_before = round(os.getloadavg()[0], 2)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["OPENSHELF_HOME"] = folder
        with pool.connect(autocommit=True, unlimited=True) as conn:
            migrate.migrate(conn)
        with pool.connect(unlimited=True) as conn:  # it knows the types that the migrations made
            fill(conn, Path(folder), works)
            conn.execute("analyze")
            report = {"works": works, "load_before": load_before} | measure(conn, 20 if arguments.quick else 200)
    for name, value in report.items():
        sys.stdout.write("" if arguments.json else f"{name}: {value}\n")
    if arguments.json:
        sys.stdout.write(json.dumps(report) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
