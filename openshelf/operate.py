"""Commands of the operator that belong to no part: migrate, act, reader."""

from typing import Annotated
from uuid import UUID

import typer

from openshelf import contracts, readers
from openshelf.cli import command_app, report
from openshelf.database import accounts, events, migrate, pool
from openshelf.errors import UsageError
from openshelf.settings import get_settings

migrate_app = command_app("Bring the database to this program's schema; safe to run at any time.")
act_app = command_app("Record one act, as the storefront does.")
reader_app = command_app("Readers and their roles.", group=True)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@migrate_app.command()
def run_migrations(as_json: JsonFlag = False) -> None:
    """Bring the database to this program's schema; safe to run at any time."""
    with pool.connect(unlimited=True) as conn:
        done = migrate.migrate(conn)
        report({"applied": done, "schema": migrate.applied(conn)}, as_json=as_json)


@act_app.command()
def act(
    action: Annotated[contracts.Action, typer.Argument(help="What the reader does.")],
    book: Annotated[int | None, typer.Option(help="Key of the work.")] = None,
    reader: Annotated[str | None, typer.Option(help="reader_key; unset: a session of its own.")] = None,
    session: Annotated[str | None, typer.Option(help="session_id; unset: a new one.")] = None,
    value: Annotated[float | None, typer.Option(help="Stars for rate, seconds for read.")] = None,
    surface: Annotated[contracts.Surface, typer.Option(help="Where it happened.")] = contracts.Surface.API,
    as_json: JsonFlag = False,
) -> None:
    """Append one act to the event log."""
    try:
        session_id = UUID(session) if session else contracts.new_event_id()
    except ValueError as error:
        raise UsageError(f"--session {session!r} is not a UUID") from error
    event = contracts.Interaction(
        event_id=contracts.new_event_id(),
        occurred_at=contracts.utc_now(),
        reader_key=reader or readers.session_key(session_id),
        session_id=session_id,
        action=action,
        book_id=book,
        surface=surface,
        value=value,
    )
    checked = contracts.parse_interaction(event.encode(), event.occurred_at)
    if isinstance(checked, contracts.BadEvent):
        raise UsageError(checked.reason)
    with pool.connect() as conn:
        migrate.check(conn)
        offset = events.append(conn, event)
    report(
        {
            "event_id": str(event.event_id),
            "reader_key": event.reader_key,
            "session_id": str(session_id),
            "offset": offset,
        },
        as_json=as_json,
    )


@reader_app.command("create")
def create_reader(
    username: str,
    name: Annotated[str, typer.Option(help="Name shown on the page.")] = "",
    role: Annotated[str, typer.Option(help="reader, staff or admin.")] = "reader",
    history: Annotated[bool, typer.Option(help="Whether the reader agreed that a history is kept.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Create a demo account (sign-in with a password comes with local accounts)."""
    if role not in {"reader", "staff", "admin"}:
        raise UsageError(f"role {role!r} is not one of reader, staff, admin")
    with pool.connect() as conn:
        migrate.check(conn)
        account = accounts.create_demo(conn, username, name or username, role=role, history_enabled=history)
        key = readers.account_key(get_settings().reader_secret(), account.account_id)
        accounts.set_pseudonym(conn, account.account_id, key)
        if history:
            accounts.set_history(conn, account.account_id, True, readers.NOTICE_VERSION)
    report({"account_id": account.account_id, "username": username, "role": role, "reader_key": key}, as_json=as_json)


@reader_app.command("role")
def change_role(username: str, role: str) -> None:
    """Give an account another role."""
    if role not in {"reader", "staff", "admin"}:
        raise UsageError(f"role {role!r} is not one of reader, staff, admin")
    with pool.connect() as conn:
        if not accounts.set_role(conn, username, role):
            raise UsageError(f"there is no account {username!r}")
