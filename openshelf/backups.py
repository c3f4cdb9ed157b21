"""Backups: everything the database holds, in one file that can be listed, restored and compared.

A backup is a tar file that its owner alone may read: `manifest.json` (what is in it, and what it must be equal to once
restored), `database.dump` (pg_dump's own format, of one snapshot) with its checksum, and `erased` (marks of who must
not come back).
Models are rows of the database and so come along. Not in it: secrets, the Calibre library, which is the library's own,
and the recovery store, which the dataflow makes anew from the log.

pg_dump and psql are those that come with the embedded server, so they are there for a server elsewhere as well.
"""

import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import IO, Annotated

import psycopg
import structlog
import typer
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from openshelf.children import end_with_parent
from openshelf.cli import command_app, report
from openshelf.contracts import utc_now
from openshelf.database import accounts, contents, embedded, learning, migrate, pool, roles
from openshelf.database.accounts import Account
from openshelf.errors import DatabaseError, SchemaError, UsageError
from openshelf.privacy import erasing
from openshelf.progress import progress
from openshelf.settings import Settings, get_settings

backup_app = command_app("Write all that the database holds to one file, or list such files.")
restore_app = command_app("Bring the database to what a backup holds, all or nothing.")

FORMAT = 1
FOLDER = "backups"
# Longest that pg_dump or psql may take; of ten million acts each takes minutes.
PATIENCE_S = 6 * 3_600
# For connections that are being left when a restore begins.
LEAVING_PATIENCE_S = 10.0
# What lies beside the backups while one is made or restored; whoever was killed leaves it, with all that people did.
_WORK = (".backup-", ".restore-")
_MANIFEST, _DUMP, _ERASED = "manifest.json", "database.dump", "erased"
# Of the dump; a member of its own, which older programs pass over when they restore what a newer one made before it
# migrated.
_CHECKSUM = "database.dump.sha256"
_SUFFIX = ".openshelf-backup"
# Tables without their indexes become so many times smaller, at the least.
_PACKED = 5
# Schemas that a newer or an older program made: none of their tables may outlive a restore.
_OURS = {"library", "reading", "stream", "learning", "optuna", "staging", "intermediate", "marts"}
# Where pg_dump or psql was killed, its server looks up from the statement at work and ends it, too.
_QUIET = {
    "PGCONNECT_TIMEOUT": str(pool.CONNECT_TIMEOUT_S),
    "PGOPTIONS": "-c client_min_messages=warning -c client_connection_check_interval=1s",
}
_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
}

_DUMPING = re.compile(r'dumping contents of table "(.+)"$')

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Manifest:
    """What a backup holds.

    `champions`: version of each kind of model that served. `secret_mark`: a hash by which the secret of the pseudonyms
    is known again; without that secret nobody who was erased is known again by it.
    """

    format: int
    made_at: str
    program: str
    schema: int
    postgres: str
    secret_mark: str
    settings: dict[str, str]
    champions: dict[str, str]
    tables: dict[str, contents.Contents]

    @classmethod
    def read(cls, text: bytes) -> "Manifest":
        raw = json.loads(text)
        if raw["format"] != FORMAT:
            raise UsageError(f"its format is {raw['format']}, this program reads {FORMAT}: install the newer program")
        return cls(**raw | {"tables": {name: contents.Contents(**each) for name, each in raw["tables"].items()}})


@dataclass(frozen=True)
class Backup:
    """A backup among those of this installation."""

    path: Path
    made_at: datetime
    schema: int
    rows: int
    size_bytes: int


def folder(settings: Settings) -> Path:
    return settings.home / FOLDER


def new_path(settings: Settings, why: str = "") -> Path:
    """Where a backup goes that nobody named."""
    return folder(settings) / f"{utc_now():%Y-%m-%dT%H%M%S}{'-' + why if why else ''}{_SUFFIX}"


def make(settings: Settings, path: Path, on_progress: Callable[[int, int], None] | None = None) -> Manifest:
    """Write a backup; `path` is there whole or not at all. People may go on using the library.

    `on_progress` gets (done, in all), in MB of tables: each is dumped and read for its checksum.

    Raises:
        UsageError: the file is there already, or cannot be written, or there is no room for it.
        DatabaseError: pg_dump failed; its own words.
    """
    if path.exists():
        raise UsageError(f"{path} is there already: a backup overwrites nothing")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_room(settings, path.parent)
        with tempfile.TemporaryDirectory(prefix=_WORK[0], dir=path.parent) as work:
            whole = Path(work) / "whole"
            dump = Path(work) / _DUMP
            manifest = _dump(settings, dump, on_progress or (lambda done, total: None))
            with os.fdopen(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                _pack(file, manifest, dump, erasing.marks_path(settings))
                file.flush()
                os.fsync(file.fileno())
            whole.rename(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    _log.info("backup_made", file=str(path), tables=len(manifest.tables), size_bytes=path.stat().st_size)
    return manifest


def _check_room(settings: Settings, where: Path) -> None:
    """A backup that fills the disk of the server ends the server: refused before, by its likely size.

    Raises:
        UsageError: there is no room.
    """
    others = [path.stat() for path in folder(settings).glob(f"*{_SUFFIX}")]
    if others:
        likely = max(others, key=lambda other: other.st_mtime).st_size
    else:
        with pool.connect(settings) as conn:
            likely = sum(contents.sizes(conn).values()) // _PACKED
    is_beside_postgres = settings.database_url is None and where.stat().st_dev == settings.home.stat().st_dev
    # Twice: the dump, and the file that it is packed into.
    needed = 2 * likely + (embedded.MIN_FREE_BYTES if is_beside_postgres else 0)
    free = shutil.disk_usage(where).free
    if free < needed:
        raise UsageError(
            f"{where}: {free // 2**20} MiB are free, a backup needs some {max(1, needed // 2**20)}. Free some space, "
            "or name a file on another disk"
        )


def migrate_safely(
    conn: psycopg.Connection, settings: Settings, *, quiet: bool = False
) -> tuple[Path | None, list[str]]:
    """Migrate after a backup; the backup, if there was something to migrate, and what was applied.

    Raises:
        SchemaError: a migration failed; nothing was changed, so nothing of it is left, however often it is tried.
    """
    saved = before_migration(conn, settings, quiet=quiet)
    try:
        return saved, migrate.migrate(conn)
    except SchemaError:
        if saved:
            saved.unlink(missing_ok=True)
        raise


def before_migration(conn: psycopg.Connection, settings: Settings, *, quiet: bool = False) -> Path | None:
    """A backup of a database that is about to be migrated; None where nothing is to migrate or to lose.

    It takes minutes where there is much: unless `quiet`, standard error says how far it is.
    """
    have = migrate.applied(conn)
    conn.rollback()
    if have == 0 or have >= migrate.known()[-1].number:
        return None
    path = new_path(settings, f"schema-{have}")
    with nullcontext() if quiet else progress("backup before the schema changes, MB") as show:
        make(settings, path, show)
    return path


def look(path: Path) -> Manifest:
    """What a backup says of itself.

    Raises:
        UsageError: it is no backup, or cannot be read.
    """
    with _opened(path) as archive:
        return _manifest(archive, path)


def listed(settings: Settings) -> list[Backup]:
    """Those in this installation's own folder, newest first; a file that is no backup is left out with a warning."""
    found = []
    for path in sorted(folder(settings).glob(f"*{_SUFFIX}"), reverse=True):
        try:
            manifest = look(path)
        except UsageError as error:
            _log.warning("not_a_backup", file=str(path), reason=str(error))
            continue
        rows = sum(each.rows for each in manifest.tables.values())
        made_at = datetime.fromisoformat(manifest.made_at)
        found.append(Backup(path, made_at, manifest.schema, rows, path.stat().st_size))
    return found


def newest_at(settings: Settings) -> datetime | None:
    """When the newest of these was finished."""
    made = [path.stat().st_mtime for path in folder(settings).glob(f"*{_SUFFIX}")]
    return datetime.fromtimestamp(max(made), UTC) if made else None


def for_staff(staff: Account | None, settings: Settings) -> list[Backup]:
    """Those of `listed`, for the page. Raises NotAllowedError."""
    accounts.must_be_staff(staff)
    return listed(settings)


def remove_old(settings: Settings, now: datetime) -> int:
    """Backups in this installation's own folder that are older than OPENSHELF_RETENTION_BACKUP_DAYS go.

    So does what one that was killed has left of a backup or a restore.
    """
    for left in (each for prefix in _WORK for each in folder(settings).glob(f"{prefix}*")):
        if left.stat().st_mtime < now.timestamp() - 2 * PATIENCE_S:
            shutil.rmtree(left, ignore_errors=True)
    before = now - timedelta(days=settings.retention_backup_days)
    old = [backup for backup in listed(settings) if backup.made_at < before]
    for backup in old:
        backup.path.unlink(missing_ok=True)
    return len(old)


def restore(settings: Settings, path: Path, *, replace: bool = False) -> Manifest:
    """Bring the database to what a backup holds, all or nothing, then to this program's schema, and compare.

    `replace` lets it take the place of what is there. Who was erased since the backup was made is asked to be erased
    again, by the marks in the backup and in this installation's home; the dataflow finishes that when it runs.

    Raises:
        UsageError: no backup; the database is not empty and `replace` is not given; another program is connected.
        DatabaseError: Postgres refused (nothing has changed), or what is there now is not what the backup held.
    """
    with _opened(path) as archive, _beside_backups(settings) as work:
        manifest = _manifest(archive, path)
        if manifest.schema > migrate.known()[-1].number:
            raise UsageError(
                f"{path} holds schema {manifest.schema}, this program knows only {migrate.known()[-1].number}: "
                "install the newer program"
            )
        with pool.connect(settings, unlimited=True) as conn:
            _check_target(conn, replace=replace)
        marks = _member(archive, _ERASED, path).read().decode("ascii")
        dump = work / _DUMP
        with _no_room_said(work), dump.open("wb") as file:
            shutil.copyfileobj(_member(archive, _DUMP, path), file, 1 << 20)
        _check_dump(archive, dump, path)
        # Before, and not after: whoever is killed in the midst leaves nobody who comes back for good (retention.run).
        erasing.merge_marks(settings, marks)
        _load(settings, dump, manifest)
    with pool.connect(settings, unlimited=True) as conn:
        differing = {name for name, _ in contents.of_tables(conn).items() ^ manifest.tables.items()}
        if differing:
            raise DatabaseError(f"after the restore these tables differ: {', '.join(sorted(differing))}")
        conn.rollback()
        migrate.migrate(conn)
        # Rights are not in a backup: the roles of the machine that it was made on may not be here.
        roles.make_pages(conn)
        roles.grant(conn)
        erasing.reapply(conn, settings)
        erasing.resume(conn, settings)
        conn.commit()
    if manifest.secret_mark != _secret_mark(settings):
        _log.warning(
            "secret_differs",
            remedy="set OPENSHELF_SECRET, or the file `secret` in the home folder, to what the old machine had: "
            "without it accounts that were erased since are not known again",
        )
    return manifest


def _dump(settings: Settings, dump: Path, on_progress: Callable[[int, int], None]) -> Manifest:
    """Dump, and say what is in it, of one snapshot of the database; both at once, each keeps a processor busy."""
    with pool.connect(settings, unlimited=True) as conn, ThreadPoolExecutor(1) as aside:
        snapshot = contents.share_snapshot(conn)
        made_at = utc_now()
        sizes = contents.sizes(conn)
        whole = 2 * sum(sizes.values())
        dumped: list[str] = []  # the last of them is still at work
        summed: list[str] = []

        def tell() -> None:
            done = sum(sizes.get(table, 0) for table in [*dumped[:-1], *summed])
            on_progress(done // 10**6, whole // 10**6)

        def hear(line: str) -> None:
            if found := _DUMPING.search(line):
                dumped.append(found[1])
                tell()

        def sum_up(table: str) -> None:
            summed.append(table)
            tell()

        # One processor packs the dump: with the least of packing it takes a third of the time, for a tenth more room.
        options = ["--verbose", "--format=custom", "--compress=gzip:1", "--no-owner"]
        dumping = aside.submit(
            _run, settings, "pg_dump", f"--snapshot={snapshot}", *options, f"--file={dump}", on_line=hear
        )
        tables = contents.of_tables(conn, on_table=sum_up)
        dumping.result()
        on_progress(whole // 10**6, whole // 10**6)
        return Manifest(
            format=FORMAT,
            made_at=made_at.isoformat(),
            program=metadata.version("openshelf"),
            schema=migrate.applied(conn),
            postgres=conn.info.parameter_status("server_version") or "",
            secret_mark=_secret_mark(settings),
            settings=settings.plain(),
            champions={row.kind: row.version for row in learning.models(conn) if row.status == "champion"},
            tables=tables,
        )


def _pack(file: IO[bytes], manifest: Manifest, dump: Path, erased: Path) -> None:
    """The manifest first, so that looking at a large backup reads little of it."""
    with tarfile.open(fileobj=file, mode="w") as archive:
        _add(archive, _MANIFEST, json.dumps(asdict(manifest), indent=1).encode())
        archive.add(dump, _DUMP, filter=_nobodys)
        with dump.open("rb") as content:
            _add(archive, _CHECKSUM, hashlib.file_digest(content, "sha256").hexdigest().encode())
        _add(archive, _ERASED, erased.read_bytes() if erased.exists() else b"")


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(content), 0o600, int(utc_now().timestamp())
    archive.addfile(member, io.BytesIO(content))


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, mode="r:") as archive:
            yield archive
    except (tarfile.TarError, EOFError) as error:
        raise UsageError(f"{path} is no backup of Openshelf, or was cut off: {error}") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error


def _manifest(archive: tarfile.TarFile, path: Path) -> Manifest:
    try:
        return Manifest.read(_member(archive, _MANIFEST, path).read())
    except (KeyError, ValueError, TypeError) as error:
        raise UsageError(f"{path} is no backup of Openshelf: its {_MANIFEST} cannot be read") from error


def _member(archive: tarfile.TarFile, name: str, path: Path) -> IO[bytes]:
    try:
        member = archive.extractfile(name)
    except KeyError:
        member = None
    if member is None:
        raise UsageError(f"{path} is no backup of Openshelf, or was cut off: {name} is not in it")
    return member


def _check_dump(archive: tarfile.TarFile, dump: Path, path: Path) -> None:
    """Raises UsageError where the dump is not what was packed; a backup of an older program says nothing of that."""
    if _CHECKSUM not in archive.getnames():
        return
    with dump.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if _member(archive, _CHECKSUM, path).read().decode("ascii", "replace") != found:
        raise UsageError(f"{path} is damaged: it is not what was written. Nothing was changed; take another backup")


@contextmanager
def _beside_backups(settings: Settings) -> Iterator[Path]:
    """A folder to unpack in where room is for backups: what is for temporary files can be small, or memory.

    What a restore that was killed has left of its own goes first: it may have filled the disk.
    """
    with _no_room_said(folder(settings)):
        folder(settings).mkdir(parents=True, exist_ok=True)
        handle = os.open(folder(settings), os.O_RDONLY)
    try:
        with suppress(OSError):  # another one is at work, or this kind of disk knows no locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for left in folder(settings).glob(f"{_WORK[1]}*"):
                shutil.rmtree(left, ignore_errors=True)
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_SH)
        with _no_room_said(folder(settings)):
            work = tempfile.TemporaryDirectory(prefix=_WORK[1], dir=folder(settings))
        with work as name:
            yield Path(name)
    finally:
        os.close(handle)


@contextmanager
def _no_room_said(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"{where}: {error.strerror or error}") from error


def _check_target(conn: psycopg.Connection, *, replace: bool) -> None:
    # Who was stopped or killed just now is there a moment longer.
    ends_by = time.monotonic() + LEAVING_PATIENCE_S
    while (count := contents.count_other_clients(conn)) and time.monotonic() < ends_by:
        conn.rollback()  # in one transaction Postgres would say the same again
        time.sleep(LEAVING_PATIENCE_S / 50)
    if count:
        raise UsageError(f"{count} other connections use this database: stop Openshelf (and the warehouse) first")
    if migrate.applied(conn) and not replace:
        raise UsageError("this database is not empty: `--replace` puts the backup in its place")


def _load(settings: Settings, dump: Path, manifest: Manifest) -> None:
    """The dump as one transaction in which what is there goes first."""
    schemas = sorted(({name.partition(".")[0] for name in manifest.tables} | _OURS) - {"public"})
    drops = [sql.SQL("drop schema if exists {} cascade;").format(sql.Identifier(name)).as_string() for name in schemas]
    drops.append("drop table if exists public.openshelf_migrations;")
    before, script = dump.with_name("drop.sql"), dump.with_name("restore.sql")
    before.write_text("\n".join(drops))
    _run(settings, "pg_restore", "--no-owner", "--no-privileges", "--no-comments", f"--file={script}", str(dump))
    dump.unlink()
    at_once = ["--single-transaction", "--set=ON_ERROR_STOP=1"]
    _run(settings, "psql", "--no-psqlrc", "--quiet", *at_once, f"--file={before}", f"--file={script}")


def _run(settings: Settings, program: str, *arguments: str, on_line: Callable[[str], None] | None = None) -> None:
    """One of the server's own programs; the password travels in the environment, which no list of processes shows.

    `on_line` hears what it says while it runs.
    """
    url = conninfo_to_dict(pool.database_url(settings))
    environment = {variable: str(url[name]) for name, variable in _VARIABLES.items() if url.get(name)}
    try:
        process = subprocess.Popen(
            [str(embedded.binary(program)), *arguments],
            env=os.environ | environment | _QUIET,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            # A restore that nobody compares and that others wait for must not go on; nor a backup for nobody.
            preexec_fn=end_with_parent,  # noqa: PLW1509 - nothing else runs before exec
        )
    except FileNotFoundError as error:
        raise DatabaseError(f"{program} is not there: `make install` brings it") from error
    ends_by = threading.Timer(PATIENCE_S, process.kill)
    ends_by.daemon = True
    ends_by.start()
    lines = []
    try:
        with process:
            assert process.stderr
            for line in process.stderr:
                lines.append(line.strip())
                if on_line:
                    on_line(line)
        is_late = not ends_by.is_alive()
    finally:
        ends_by.cancel()
    if is_late:
        raise DatabaseError(f"{program} did not finish within {PATIENCE_S // 3_600} hours")
    if process.returncode:
        said = next((line for line in lines if "error:" in line.lower()), (lines or ["it says nothing"])[0])
        raise DatabaseError(f"{program} failed, nothing was changed: {said}")


def _secret_mark(settings: Settings) -> str:
    return hashlib.sha256(b"openshelf backup\0" + settings.reader_secret()).hexdigest()[:16]


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@backup_app.command()
def backup(
    file: Annotated[Path | None, typer.Argument(help="File to write; unset: a new one in the home folder.")] = None,
    show_list: Annotated[bool, typer.Option("--list", help="Only list the backups in the home folder.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Write all that the database holds to one file; readers may go on. Secrets are not in it."""
    settings = get_settings()
    if show_list:
        found = listed(settings)
        lines = [f"{each.path}  schema {each.schema}  {each.rows} rows  {each.size_bytes:,} bytes" for each in found]
        report([asdict(each) | {"path": str(each.path)} for each in found] if as_json else lines, as_json=as_json)
        return
    path = (file or new_path(settings)).resolve()
    with pool.connect(settings) as conn:
        if migrate.applied(conn) == 0:
            raise UsageError("the database is empty: there is nothing to back up")
    with nullcontext() if as_json else progress("backup, MB") as show:
        manifest = make(settings, path, show)
    report(_told(path, manifest), as_json=as_json)


@restore_app.command()
def restore_file(
    file: Annotated[Path, typer.Argument(help="A backup that `openshelf backup` wrote.")],
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of what the database holds.")] = False,
    look_only: Annotated[bool, typer.Option("--dry-run", help="Only say what the backup holds.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Bring the database to what a backup holds, all or nothing, and compare. Stop Openshelf first."""
    manifest = look(file) if look_only else restore(get_settings(), file, replace=replace)
    report(_told(file, manifest), as_json=as_json)


def _told(path: Path, manifest: Manifest) -> dict[str, object]:
    return {
        "file": str(path),
        "made_at": manifest.made_at,
        "program": manifest.program,
        "schema": manifest.schema,
        "tables": len(manifest.tables),
        "rows": sum(each.rows for each in manifest.tables.values()),
        "champions": manifest.champions,
        "bytes": path.stat().st_size,
    }
