"""Removing what is kept of a reader: the history alone or the whole account, through every store.

request --one transaction--> from here on nothing new is stored under the old pseudonym
   |
   v  steps, each a transaction of its own that can be done again
marks -> log -> stream -> warehouse -> account -> files -> dataflow -> certificate

A kill at any point loses nothing: the request stands in `reading.erasures` until the certificate stands instead, and
`resume` (in every `openshelf retention run`) goes on with it.
"""

import os
from collections.abc import Callable
from pathlib import Path

import psycopg
import structlog

from openshelf import readers
from openshelf.database import accounts, erasures
from openshelf.database.erasures import AskedBy, Erasure, Kind
from openshelf.errors import NotAllowedError
from openshelf.privacy import recovery_files, register
from openshelf.settings import Settings

Counts = dict[str, int]
Step = Callable[[psycopg.Connection, Settings, Erasure], Counts | None]

# One mark a line, in hexadecimal, with its kind: what a backup of the database cannot lose.
MARKS_FILE = "erased"
# Readers of other programs have none with us; numbers of accounts begin at 1.
_NO_ACCOUNT = 0

_log = structlog.get_logger(__name__)


def clear_history(conn: psycopg.Connection, account_id: int, asked_by: AskedBy = "reader") -> list[int]:
    """Ask, in the caller's transaction, that everything the library saw an account do is removed; the request's number.

    The pseudonym goes at once: what is done from now on has another, if the history goes on at all.
    """
    erasure_id = _ask(conn, "history", account_id, [], asked_by)
    return [erasure_id] if erasure_id else []


def erase_account(
    conn: psycopg.Connection, account_id: int, *, session_keys: tuple[str, ...] = (), asked_by: AskedBy = "reader"
) -> list[int]:
    """Ask, in the caller's transaction, that an account is removed, and the accounts of its children; the requests.

    It can be signed in to no longer. `session_keys`: of visits that go on, which would else end by themselves.

    Raises:
        NotAllowedError: it is the last administrator's.
    """
    account = accounts.by_id(conn, account_id)
    if account is None:
        return []
    if account.role == "admin" and accounts.is_last_admin(conn, account_id):
        raise NotAllowedError("the last administrator's account cannot be erased: give another account the role first")
    asked = [_ask(conn, "account", child.account_id, [], asked_by) for child in accounts.children(conn, account_id)]
    asked.append(_ask(conn, "account", account_id, session_keys, asked_by))
    return [erasure_id for erasure_id in asked if erasure_id]


def erase_program_reader(conn: psycopg.Connection, reader_key: str) -> int:
    """Ask, in the caller's transaction, that all is removed of a reader whom another program named; the request."""
    erasure_id = erasures.request(conn, "history", _NO_ACCOUNT, [reader_key], "library")
    erasures.forget(conn, [reader_key])
    return erasure_id


def _ask(
    conn: psycopg.Connection, kind: Kind, account_id: int, session_keys: tuple[str, ...] | list[str], asked_by: AskedBy
) -> int | None:
    reader_key = accounts.take_pseudonym(conn, account_id)
    reader_keys = [*([reader_key] if reader_key else []), *session_keys]
    if kind == "account":
        accounts.close(conn, account_id)
    erasure_id = erasures.request(conn, kind, account_id, reader_keys, asked_by)
    erasures.forget(conn, reader_keys)
    return erasure_id


def finish(
    conn: psycopg.Connection,
    settings: Settings,
    erasure_id: int,
    notice: Callable[[str], None] = lambda _point: None,
) -> bool:
    """Carry a request out as far as it goes; whether it is finished. To be called again, by anyone, at any time.

    It is not while the dataflow has not heard the word to forget: one that does not run hears it at its next start.
    `notice`: is told each point that is reached, '<step> written' and '<step> committed'.
    """
    conn.commit()
    for name, step in STEPS:
        with conn.transaction():
            erasure = erasures.locked(conn, erasure_id)
            if erasure is None:
                return True
            if name not in erasure.done:
                counts = step(conn, settings, erasure)
                if counts is None:
                    return False
                erasures.step_done(conn, erasure, name, counts)
                notice(f"{name} written")
        notice(f"{name} committed")
    with conn.transaction():
        if erasure := erasures.locked(conn, erasure_id):
            erasures.certify(conn, erasure)
            notice("certificate written")
    notice("certificate committed")
    _log.info("erasure_finished", erasure_id=erasure_id)
    return True


def resume(conn: psycopg.Connection, settings: Settings) -> Counts:
    """Go on with every request that is not finished: how many are now, and how many wait for the dataflow."""
    asked = [erasure.erasure_id for erasure in erasures.waiting(conn)]
    finished = sum(finish(conn, settings, erasure_id) for erasure_id in asked)
    return {"finished": finished, "waiting": len(asked) - finished}


def sweep(conn: psycopg.Connection) -> Counts:
    """Remove what came in under an old pseudonym after all: from a foreign writer of a topic, from an older build."""
    swept: Counts = {}
    with conn.transaction():
        for schema, table in erasures.tables_with(conn, "reader_key"):
            keys = erasures.erased_keys(conn, schema, table)
            if keys and table == "event_log":
                swept["stream.event_log"] = erasures.remove_from_log(conn, keys, with_words=False)
            elif keys:
                swept[f"{schema}.{table}"] = erasures.remove_rows(conn, schema, table, "reader_key", keys)
    return {store: count for store, count in swept.items() if count}


def reapply(conn: psycopg.Connection, settings: Settings) -> Counts:
    """After a backup was restored: `ask_again`, and sweep."""
    asked = ask_again(conn, settings)
    return asked | {"readers": sum(sweep(conn).values())}


def ask_again(conn: psycopg.Connection, settings: Settings) -> Counts:
    """Ask for every erasure that a restored backup does not know of; to be followed by `resume`."""
    with conn.transaction():
        for mark, kind in _marks_on_file(settings):
            erasures.remember_mark(conn, mark, kind)
        marks = erasures.kinds_of_marks(conn)
        secret = settings.reader_secret()
        asked = {"accounts": 0, "histories": 0}
        for account_id, created_at in accounts.all_created(conn):
            if marks.get(readers.account_mark(secret, account_id, created_at)) == "account":
                asked["accounts"] += _ask(conn, "account", account_id, [], "restore") is not None
        for account_id, reader_key in accounts.pseudonyms(conn):
            if marks.get(readers.reader_mark(reader_key)) == "reader":
                asked["histories"] += _ask(conn, "history", account_id, [], "restore") is not None
    return asked


def _marks(conn: psycopg.Connection, settings: Settings, erasure: Erasure) -> Counts:
    """Marks of who must not come back: in the database, and in a file that no restored database overwrites."""
    marks = [(readers.reader_mark(key), "reader") for key in erasure.reader_keys]
    if erasure.kind == "account":
        created_at = accounts.created_at(conn, erasure.account_id)
        if created_at:
            mark = readers.account_mark(settings.reader_secret(), erasure.account_id, created_at)
            erasures.remember_mark(conn, mark, "account")
            marks.append((mark, "account"))
    _write_marks(settings, marks)
    return {}


def _log_entries(conn: psycopg.Connection, _settings: Settings, erasure: Erasure) -> Counts:
    # The word to forget stays until the dataflow has heard it.
    return {"stream.event_log": erasures.remove_from_log(conn, erasure.reader_keys, with_words=False)}


def _stream(conn: psycopg.Connection, _settings: Settings, erasure: Erasure) -> Counts:
    counts = erasures.remove_from_stream(conn, erasure.reader_keys)
    return counts | {"stream.dead_letters": erasures.remove_dead_letters(conn, erasure.reader_keys)}


def _warehouse(conn: psycopg.Connection, _settings: Settings, erasure: Erasure) -> Counts:
    """Rows of the reader in whatever else has any; what is counted from them is counted anew at the next build."""
    return {
        f"{schema}.{table}": erasures.remove_rows(conn, schema, table, "reader_key", erasure.reader_keys)
        for schema, table in erasures.tables_with(conn, "reader_key")
        if schema != "stream"
    }


def _account(conn: psycopg.Connection, _settings: Settings, erasure: Erasure) -> Counts:
    """The whole account; of a history what the library saw, not what the reader put down by hand."""
    of_history = {kept.table for kept in register.REGISTER if kept.is_history}
    counts: Counts = {}
    tables = erasures.tables_with(conn, "account_id")
    own = {("reading", "accounts"), ("reading", "erasures"), ("reading", "pseudonyms")}
    for schema, table in [each for each in tables if each not in own]:
        if erasure.kind == "account" or f"{schema}.{table}" in of_history:
            removed = erasures.remove_rows(conn, schema, table, "account_id", [erasure.account_id])
            counts[f"{schema}.{table}"] = removed
    if erasure.kind == "history":  # opening a text puts it there by itself
        counts["reading.shelf_entries"] = accounts.take_off_reading(conn, erasure.account_id)
    else:
        removed = erasures.remove_rows(conn, "reading", "accounts", "account_id", [erasure.account_id])
        counts["reading.accounts"] = removed
    return counts


def _files(_conn: psycopg.Connection, settings: Settings, _erasure: Erasure) -> Counts:
    """Recovery stores that were set aside know readers, and nobody needs them."""
    return {"recovery stores set aside": recovery_files.remove_set_aside(settings)}


def _dataflow(conn: psycopg.Connection, settings: Settings, erasure: Erasure) -> Counts | None:
    """The dataflow drops the state at the word to forget, and removes what it stored before it."""
    if erasure.reader_keys and not erasures.are_forgotten(conn, erasure.reader_keys):
        return None
    # What was on its way through the dataflow when we removed the rest.
    late = erasures.remove_from_stream(conn, erasure.reader_keys)
    return {f"{store}": count for store, count in late.items()} | {
        "recovery store": recovery_files.scrub(settings, erasure.reader_keys)
    }


STEPS: tuple[tuple[str, Step], ...] = (
    ("marks", _marks),
    ("log", _log_entries),
    ("stream", _stream),
    ("warehouse", _warehouse),
    ("account", _account),
    ("files", _files),
    ("dataflow", _dataflow),
)


def marks_path(settings: Settings) -> Path:
    """The file of the marks; it may not be there."""
    return settings.home / MARKS_FILE


def merge_marks(settings: Settings, text: str) -> None:
    """Take over the marks of another such file, those of a backup: who was erased is not to come back here either."""
    _write_marks(settings, _parse_marks(text))


def _marks_on_file(settings: Settings) -> list[tuple[bytes, str]]:
    path = marks_path(settings)
    return _parse_marks(path.read_text("ascii")) if path.exists() else []


def _parse_marks(text: str) -> list[tuple[bytes, str]]:
    words = [line.split() for line in text.splitlines()]
    # A line that was cut off by a kill is written again whole.
    return [(bytes.fromhex(line[1]), line[0]) for line in words if len(line) == 2 and len(line[1]) == 64]


def _write_marks(settings: Settings, marks: list[tuple[bytes, str]]) -> None:
    """Append those that are not there; on the disk when this returns."""
    missing = [each for each in marks if each not in _marks_on_file(settings)]
    if not missing:
        return
    settings.home.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"\n{kind} {mark.hex()}" for mark, kind in missing)
    with os.fdopen(os.open(marks_path(settings), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w") as file:
        file.write(lines + "\n")
        file.flush()
        os.fsync(file.fileno())
