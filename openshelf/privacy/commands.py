"""Commands: retention run; privacy resume, reapply, certificates; and, among those of readers, export and erase."""

import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import psycopg
import structlog
import typer

from openshelf.cli import command_app, report
from openshelf.contracts import utc_now
from openshelf.database import accounts, audit, erasures, migrate, pool
from openshelf.errors import UsageError
from openshelf.privacy import erasing, exporting, retention
from openshelf.settings import get_settings

retention_app = command_app("What is old goes: each kind after its own time.", group=True)
privacy_app = command_app("Erasures: finish them, repeat them after a restore, show their certificates.", group=True)

_log = structlog.get_logger(__name__)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@retention_app.callback()
def _group() -> None:
    """So that `run` is a command of a group, with others to come."""


@retention_app.command("run")
def run_retention(
    at: Annotated[datetime | None, typer.Option(help="As if it were this moment, in UTC; for trying out.")] = None,
    every: Annotated[int | None, typer.Option(min=1, help="Go on, once in so many minutes; unset: once.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Finish erasures that wait, and remove what is older than the settings OPENSHELF_RETENTION_... say."""
    settings = get_settings()
    while True:
        now = utc_now()
        with pool.connect(unlimited=True) as conn:
            migrate.check(conn)
            counts = retention.run(conn, settings, at.replace(tzinfo=now.tzinfo) if at else now)
        retention.tidy(settings, counts)
        if every is None:
            break
        _log.info("retention_ran", **{store: count for store, count in counts.items() if count})
        time.sleep(every * 60)
    report(counts, as_json=as_json)


@privacy_app.command("resume")
def resume_erasures(as_json: JsonFlag = False) -> None:
    """Go on with erasures that a crash or a dataflow that does not run has left unfinished."""
    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        report(erasing.resume(conn, get_settings()), as_json=as_json)


@privacy_app.command("reapply")
def reapply_erasures(as_json: JsonFlag = False) -> None:
    """After a backup was restored: erase again whoever was erased since it was made."""
    settings = get_settings()
    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        asked = erasing.reapply(conn, settings)
        resumed = erasing.resume(conn, settings)
    report({**asked, **resumed}, as_json=as_json)


@privacy_app.command("certificates")
def list_certificates(as_json: JsonFlag = False) -> None:
    """The erasures that were carried out; they name nobody."""
    with pool.connect() as conn:
        migrate.check(conn)
        found = erasures.certificates(conn)
    if as_json:
        dates = [{"asked_on": str(each.asked_on), "finished_on": str(each.finished_on)} for each in found]
        report([vars(each) | days for each, days in zip(found, dates, strict=True)], as_json=True)
    else:
        report([f"{each.finished_on}  {each.kind}  {sum(each.counts.values())} rows" for each in found], as_json=False)


def export_reader(
    username: str,
    file: Annotated[Path, typer.Argument(help="ZIP file to write; readable by its owner only.")],
    as_json: JsonFlag = False,
) -> None:
    """Write everything that is kept of a reader to a ZIP file, for a reader who asked for it at the desk."""
    with pool.connect() as conn:
        migrate.check(conn)
        account = _account(conn, username)
        audit.note(conn, audit.OPERATOR, "export reader", audit.actor_of(account.account_id))
        conn.commit()
        made = exporting.export(conn, account.account_id)
    try:
        file.touch(mode=0o600)
        file.write_bytes(made.zip)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    report({"file": str(file), **made.counts}, as_json=as_json)


def erase_reader(
    username: str,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Erase an account and everything that is kept of it, for a reader who asked for it at the desk."""
    settings = get_settings()
    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        account = _account(conn, username)
        if not yes:
            typer.confirm(f"Erase the account {account.username!r} and all that is kept of it, for good?", abort=True)
        with conn.transaction():
            audit.note(conn, audit.OPERATOR, "erase reader", audit.actor_of(account.account_id))
            asked = erasing.erase_account(conn, account.account_id, asked_by="library")
        finished = [erasing.finish(conn, settings, erasure_id) for erasure_id in asked]
    report({"accounts": len(asked), "finished": sum(finished), "waiting": len(asked) - sum(finished)}, as_json=as_json)


def _account(conn: psycopg.Connection, username: str) -> accounts.Account:
    account = accounts.by_username(conn, accounts.normal_username(username))
    if account is None:
        raise UsageError(f"there is no account {username!r}")
    return account
