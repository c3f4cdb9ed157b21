"""Commands for the keys of foreign programs: openshelf api-keys create | list | revoke | reader."""

import re
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import msgspec
import typer

from openshelf import contracts, readers
from openshelf.cli import command_app, report
from openshelf.database import api_keys, audit, migrate, pool
from openshelf.database.api_keys import Scope
from openshelf.errors import UsageError
from openshelf.settings import get_settings

app = command_app("Keys with which other programs speak to the storefront; see docs/api.md.", group=True)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_SOURCE = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


@app.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the key is called in the list.")],
    scope: Annotated[list[Scope], typer.Option(help="What it is good for; give it once for each.")],
    source: Annotated[
        str, typer.Option(help="Whose readers: keys of one source share them. Unset: made from the name.")
    ] = "",
    days: Annotated[int | None, typer.Option(min=1, help="Expires after so many days; unset: never.")] = None,
    per_minute: Annotated[int, typer.Option(min=1, help="Requests that are answered in a minute.")] = 600,
    as_json: JsonFlag = False,
) -> None:
    """Make a key and show it, this once: only its hash is kept."""
    source = source or re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:32].rstrip("-")
    _check_source(source)
    if not 1 <= len(name) <= 80 or not name.isprintable():
        raise UsageError("NAME must have 1 to 80 printable characters")
    with pool.connect() as conn:
        migrate.check(conn)
        key, secret = api_keys.create(
            conn,
            name,
            source=source,
            scopes=list(dict.fromkeys(scope)),
            requests_per_minute=per_minute,
            lasts=timedelta(days=days) if days else None,
        )
        audit.note(conn, audit.OPERATOR, "create api key", f"key {key.api_key_id} of {source}")
    report({"key": secret, **asdict(key)}, as_json=as_json)


@app.command("list")
def list_keys(as_json: JsonFlag = False) -> None:
    """Every key, the newest first: what it may do, when it was used last, whether it still works."""
    with pool.connect() as conn:
        migrate.check(conn)
        keys = api_keys.every(conn)
    if as_json:
        report([asdict(key) for key in keys], as_json=True)
        return
    for key in keys:
        used = f"used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
        end = f"expires {key.expires_at:%Y-%m-%d}" if key.expires_at else "no end"
        state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else end
        typer.echo(f"{key.prefix}...  {key.name}  ({key.source})  {', '.join(key.scopes)}  {used}  {state}")


@app.command("revoke")
def revoke_key(name: str) -> None:
    """End a key from this moment on."""
    with pool.connect() as conn:
        migrate.check(conn)
        if not api_keys.revoke(conn, name):
            raise UsageError(f"there is no key {name!r} that still works; `openshelf api-keys list` names them")
        audit.note(conn, audit.OPERATOR, "revoke api key", name)


@app.command("reader")
def show_reader(
    source: Annotated[str, typer.Argument(help="Source of the program's keys.")],
    reader_key: Annotated[str, typer.Argument(help="What the program calls its reader.")],
    as_json: JsonFlag = False,
) -> None:
    """Under which reader_key a program's reader stands in the stream, to export or erase them."""
    _check_source(source)
    try:
        msgspec.convert(reader_key, contracts.ReaderKey)
    except msgspec.ValidationError as error:
        raise UsageError(f"READER_KEY: {error}") from error
    key = readers.program_key(get_settings().reader_secret(), source, reader_key)
    report({"reader_key": key}, as_json=as_json)


def _check_source(source: str) -> None:
    if not _SOURCE.fullmatch(source):
        raise UsageError(f"source {source!r} must be 1 to 32 small letters, digits and hyphens; give --source")
