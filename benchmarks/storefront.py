"""How long readers wait for pages: of one visitor, of many who act at once, and what a page weighs.

python benchmarks/storefront.py [--quick] [--json] [--works N]

The real storefront with dataflow and Postgres, as `openshelf up` starts them, over a library of 10,000 works: the demo
catalogue over and over, with its covers. Visitors speak Streamlit's own protocol over loopback (`visiting/visit.py`);
a Chromium, where there is one, weighs the home page.

- `home_p95_ms`, `search_p95_ms`, `book_p95_ms`: server time of one visitor's warm pages
- `acting_p95_ms`: the same while `sessions` visitors open books and come home, each every few seconds; every book that
  is opened is an act that is stored and moves a slate; `acting_failed`: pages that were not drawn
- `home_kib`, `home_covers`: bytes over the wire of a first visit, and covers in it; `again_kib`: of a second visit
- `load_before`: how many processes wanted a processor before it began: times of a busy machine are worth little
"""

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import numpy as np
import psycopg
from calibre_ingest import large_library
from our_stream.installation import promote_untrained
from our_stream.percentiles import at_percent
from pgvector import HalfVector
from visiting.visit import PageFailedError, Visit

from ingest import demo_calibre
from ingest.load import ingest_calibre
from models.embedding import MODEL_NAME
from openshelf.database import embedded, migrate, pool

SESSIONS = 30
# Between two acts of one visitor, in seconds.
THINKING_S = (2.0, 4.0)
QUERIES = ("sea voyage", "tolstoy", "truyen kieu", "detectiv", "history of science", "love", "whale", "Шерлок")
START_PATIENCE_S = 120

Report = dict[str, float | int | None]


def fill(conn: psycopg.Connection, home: Path, count: int) -> None:
    """The demo library again and again, 10,000 works with its covers; random embeddings, an untrained policy."""
    demo_calibre.build(home / "demo")
    ingest_calibre(conn, home / "demo")
    have = _count(conn)
    if count > have:
        large_library(home / "large", count - have)
        ingest_calibre(conn, home / "large")
    (covers,) = conn.execute(
        "select array_agg(edition_id order by edition_id) from library.editions where cover_path is not null"
    ).fetchone() or [None]
    conn.execute(
        """update library.works set cover_edition_id = (%(covers)s::bigint[])[1 + book_id %% cardinality(%(covers)s)]
           where cover_edition_id is null and book_id %% greatest(1, %(count)s / 10000) = 0""",
        {"covers": covers, "count": count},
    )
    ids = [row[0] for row in conn.execute("select book_id from library.works order by book_id").fetchall()]
    vectors = np.random.default_rng(0).standard_normal((len(ids), 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with conn.cursor() as cursor:
        cursor.executemany(
            """insert into library.text_embeddings (book_id, model, text_hash, embedding) values (%s, %s, '', %s)
               on conflict do nothing""",
            [(book_id, MODEL_NAME, HalfVector(vector)) for book_id, vector in zip(ids, vectors, strict=True)],
        )
    promote_untrained(conn, ids)
    conn.commit()


def _count(conn: psycopg.Connection) -> int:
    row = conn.execute("select count(*) from library.works").fetchone()
    assert row
    return row[0]


@contextmanager
def opened(home: Path) -> Iterator[str]:
    """`openshelf up`; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with (home / "up.log").open("wb") as lines:
        process = subprocess.Popen(
            [sys.executable, "-m", "openshelf", "up"],
            env=os.environ | {"OPENSHELF_PORT": str(port)},
            stdout=lines,
            stderr=lines,
        )
    try:
        _wait_until_open(url, process, home)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def _wait_until_open(url: str, process: subprocess.Popen[bytes], home: Path) -> None:
    deadline = time.monotonic() + START_PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz", timeout=2).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"the storefront does not open:\n{(home / 'up.log').read_text()[-2_000:]}")


def warm_pages(url: str, count_works: int, repeats: int) -> Report:
    rng = random.Random(1)
    found: Report = {}
    with closing(Visit(url)) as visit:
        for name in ("home", "search", "book"):
            took: list[float] = []
            for number in range(repeats + 3):
                if name == "home":
                    answer = visit.ask()
                elif name == "search":
                    answer = visit.ask("find", q=f"{rng.choice(QUERIES)} {number}")
                else:
                    answer = visit.ask("book", id=rng.randint(1, count_works))
                took.append(answer.ms)
            took = sorted(took[3:])
            found[f"{name}_p50_ms"] = round(at_percent(took, 50), 1)
            found[f"{name}_p95_ms"] = round(at_percent(took, 95), 1)
    return found


def acting(url: str, count_works: int, seconds: float) -> Report:
    """Many visitors at once, each in a tab of their own."""
    ends_at = time.monotonic() + seconds
    failed = 0
    lock = threading.Lock()

    def visit_often(number: int) -> list[float]:
        nonlocal failed
        rng = random.Random(number)
        time.sleep(rng.uniform(0, THINKING_S[1]))
        took: list[float] = []
        with closing(Visit(url)) as visit:
            visit.ask()  # a first page is not a rerun
            while time.monotonic() < ends_at:
                time.sleep(rng.uniform(*THINKING_S))
                try:
                    is_home = rng.random() < 1 / 3
                    took.append((visit.ask() if is_home else visit.ask("book", id=rng.randint(1, count_works))).ms)
                except PageFailedError:
                    with lock:
                        failed += 1
        return took

    with ThreadPoolExecutor(SESSIONS) as threads:
        took = sorted(ms for each in threads.map(visit_often, range(SESSIONS)) for ms in each)
    return {
        "sessions": SESSIONS,
        "acting_pages": len(took),
        "acting_p50_ms": round(at_percent(took, 50), 1),
        "acting_p95_ms": round(at_percent(took, 95), 1),
        "acting_failed": failed,
    }


def weight(url: str) -> Report:
    """Of the home page as it opens, in a browser; null without one."""
    nothing: Report = dict.fromkeys(("home_kib", "home_covers", "again_kib"))
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        print("no chromium here: the home page is not weighed", file=sys.stderr)
        return nothing
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        received, covers, of_cover = [0], [0], set()
        session.on("Network.responseReceived", lambda event: _note_cover(event, of_cover))

        def note(event: dict) -> None:
            received[0] += event["encodedDataLength"]
            # A cover that the browser has already (one work in two rows) weighs nothing.
            covers[0] += event["requestId"] in of_cover and event["encodedDataLength"] > 0

        session.on("Network.loadingFinished", note)
        session.on("Network.webSocketFrameReceived", lambda e: received.__setitem__(0, received[0] + _frame(e)))
        _see_home(page, url)
        first_kib, first_covers = received[0] / 1024, covers[0]
        received[0] = 0
        _see_home(page, url)
        again_kib = received[0] / 1024
        browser.close()
    return {"home_kib": round(first_kib), "home_covers": first_covers, "again_kib": round(again_kib)}


def _see_home(page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector("li.os-card", timeout=30_000)
    page.wait_for_timeout(1_500)


def _note_cover(event: dict, of_cover: set) -> None:
    if "/covers/" in event["response"]["url"] and not event["response"].get("fromDiskCache"):
        of_cover.add(event["requestId"])


def _frame(event: dict) -> int:
    """Bytes of a frame; binary ones are written in base64."""
    return len(event["response"]["payloadData"]) * 3 // 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter visits, about two minutes")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--works", type=int, default=10_000)
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="openshelf-bench-"))
    for name in [name for name in os.environ if name.startswith("OPENSHELF_")]:
        del os.environ[name]
    os.environ["OPENSHELF_HOME"] = str(home)
    report: Report = {"works": options.works, "load_before": round(os.getloadavg()[0], 1)}
    try:
        with pool.connect(autocommit=True, unlimited=True) as conn:
            migrate.migrate(conn)
        with pool.connect(unlimited=True) as conn:  # it knows the types that the migrations made
            fill(conn, home, options.works)
        with opened(home) as url:
            time.sleep(5)  # the storefront loads the encoder of searches beside serving
            report |= warm_pages(url, options.works, 20 if options.quick else 60)
            report |= acting(url, options.works, 20 if options.quick else 60)
            report |= weight(url)
    finally:
        embedded.stop(home)
        shutil.rmtree(home, ignore_errors=True)
    print(json.dumps(report) if options.json else "\n".join(f"{key:>16}: {value}" for key, value in report.items()))


if __name__ == "__main__":
    main()
