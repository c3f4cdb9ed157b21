"""From `git pull` to the new version serving, while a program sends acts: how long it takes, and that none is lost.

python benchmarks/upgrade.py [--home FOLDER] [--quick] [--json]

The real `openshelf up` runs from a copy of this code; another copy brings one migration more. Acts are sent over HTTP
without a pause; one that is not acknowledged is sent again, under the same `event_id`, as any program should. Then what
an operator does: stop, take the new code, see that its packages are there (they have not changed), `openshelf up`, that
makes a backup, migrates and serves.

- `serving_s`: from the word to stop until the first act that the new version acknowledged; `stopping_s` of it
- `acts`: acknowledged; `lost`: acknowledged and not in the tables; `doubled`: there twice
- `schema`: before and after; `backup`: whether one was made first

`--home`: an installation to do it to, left as it is (a copy is used); unset: a new small one.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg

from openshelf import supervisor
from openshelf.contracts import new_event_id
from openshelf.database import embedded

ROOT = Path(__file__).resolve().parents[1]
CODE = ("openshelf", "dashboard", "streaming", "models", "ingest", "dbt", ".streamlit")
MIGRATION = "-- additive: programs of schema 1 may go on\ncreate table library.brought_by_an_upgrade (x int);\n"
PER_SECOND = 20
PATIENCE_S = 180


class Sender:
    """Sends acts from a thread of its own, each until it is acknowledged."""

    def __init__(self, url: str, key: str) -> None:
        self.acknowledged: dict[str, float] = {}
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=5)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._send_on, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ending.set()
        self._thread.join()

    def _send_on(self) -> None:
        number = 0
        while not self._ending.is_set():
            number += 1
            event_id = str(new_event_id())
            act = {"event_id": event_id, "reader_key": f"reader-{number % 50}", "action": "visit"}
            while not self._is_taken(act):
                self._ending.wait(0.1)
            self.acknowledged[event_id] = time.monotonic()
            self._ending.wait(1 / PER_SECOND)

    def _is_taken(self, act: dict[str, str]) -> bool:
        try:
            return self._client.post("/api/interactions", json=act).is_success
        except httpx.HTTPError:
            return False


def copy_code(to: Path, migration: str | None = None) -> Path:
    for name in CODE:
        if (ROOT / name).exists():
            shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__", "target", "logs"))
    if migration:
        folder = to / "openshelf" / "database" / "migrations"
        newest = max(int(path.name[:4]) for path in folder.glob("*.sql"))
        (folder / f"{newest + 1:04}_brought_by_an_upgrade.sql").write_text(migration)
    return to


def openshelf(*words: str) -> list[str]:
    """Of the code in the folder that it is run from: that comes first on the path."""
    return [sys.executable, "-m", "openshelf", *words]


def up(code: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as file:
        return subprocess.Popen(openshelf("up"), cwd=code, stdout=file, stderr=subprocess.STDOUT)


def run(code: Path, *words: str) -> str:
    done = subprocess.run(openshelf(*words), cwd=code, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not come within {PATIENCE_S} s")
        time.sleep(0.05)


def schema(home: Path) -> int:
    with psycopg.connect(embedded.start(home)) as conn:
        row = conn.execute("select max(number) from public.openshelf_migrations").fetchone()
    assert row
    return row[0]


def counted(home: Path, acknowledged: list[str]) -> tuple[int, int]:
    """Of the acts that were acknowledged: how many are not in the tables, how many more than once."""
    with psycopg.connect(embedded.start(home), autocommit=True) as conn:
        query = """select count(distinct event_id), count(*) from stream.interactions
                   where event_id = any(%s::uuid[])"""
        deadline = time.monotonic() + 60
        while True:
            row = conn.execute(query, [acknowledged]).fetchone()
            assert row
            if row[0] == len(acknowledged) or time.monotonic() > deadline:
                return len(acknowledged) - row[0], row[1] - row[0]
            time.sleep(0.2)


def measure(home: Path, work: Path, seconds: float) -> dict[str, object]:
    before, after = copy_code(work / "before"), copy_code(work / "after", MIGRATION)
    port = int(os.environ["OPENSHELF_PORT"])
    run(before, "migrate", "--no-backup")
    made = run(before, "api-keys", "create", "upgrade", "--scope", "write", "--per-minute", "100000", "--json")
    had = schema(home)
    running = up(before, work / "log")
    settings = supervisor.get_settings()
    wait_until(lambda: supervisor.answers(settings), "the storefront")
    sender = Sender(f"http://127.0.0.1:{port}", json.loads(made)["key"])
    sender.start()
    time.sleep(seconds)

    stop_at = time.monotonic()
    running.send_signal(signal.SIGINT)
    running.wait(timeout=60)
    stopped_at = time.monotonic()
    subprocess.run([sys.executable, "-m", "pip", "check"], check=False, capture_output=True)
    running = up(after, work / "log")
    try:
        wait_until(lambda: any(at > stopped_at for at in sender.acknowledged.values()), "an act to the new version")
        served_at = min(at for at in sender.acknowledged.values() if at > stopped_at)
        time.sleep(seconds)
        sender.end()
        lost, doubled = counted(home, list(sender.acknowledged))
        has = schema(home)
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(timeout=60)
    return {
        "serving_s": round(served_at - stop_at, 1),
        "stopping_s": round(stopped_at - stop_at, 1),
        "acts": len(sender.acknowledged),
        "lost": lost,
        "doubled": doubled,
        "schema": [had, has],
        "backup": any((home / "backups").glob("*schema*")),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="openshelf-upgrade-") as folder:
        work = Path(folder)
        work.chmod(0o755)
        home = work / "home"
        os.environ["OPENSHELF_HOME"] = str(home)
        os.environ.setdefault("OPENSHELF_PORT", "8599")
        if asked.home:
            shutil.copytree(asked.home, home, symlinks=True)
        else:
            for words in (
                ("migrate",),
                ("ingest", "demo-library", "--limit", "40"),
                ("ingest", "calibre", "--no-embed"),
            ):
                run(ROOT, *words)
        report = measure(home, work, 3 if asked.quick else 10)
        embedded.stop(home)
    print(json.dumps(report) if asked.json else "\n".join(f"{name}: {value}" for name, value in report.items()))
    if report["lost"] or report["doubled"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
