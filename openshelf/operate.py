"""Commands of the operator that belong to no part: migrate, act, reader."""

from typing import Annotated
from uuid import UUID

import typer

from openshelf import backups, contracts, passwords, readers
from openshelf.cli import command_app, report
from openshelf.database import accounts, audit, events, migrate, pool, roles
from openshelf.errors import UsageError
from openshelf.privacy import choices
from openshelf.privacy.commands import erase_reader, export_reader
from openshelf.settings import get_settings

migrate_app = command_app("Bring the database to this program's schema; safe to run at any time.")
act_app = command_app("Record one act, as the storefront does.")
database_app = command_app("Who may do what in Postgres.", group=True)
reader_app = command_app("Readers and their roles.", group=True)
reader_app.command("export")(export_reader)
reader_app.command("erase")(erase_reader)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@migrate_app.command()
def run_migrations(
    backup: Annotated[
        bool, typer.Option(help="Make a backup first, in the home folder, if anything changes; none if you have one.")
    ] = True,
    as_json: JsonFlag = False,
) -> None:
    """Bring the database to this program's schema, all or nothing; safe to run at any time."""
    with pool.connect(unlimited=True) as conn:
        if backup:
            saved, done = backups.migrate_safely(conn, get_settings(), quiet=as_json)
        else:
            saved, done = None, migrate.migrate(conn)
        migrate.check(conn)
        with conn.transaction():
            roles.grant(conn)
        report(
            {"applied": done, "schema": migrate.applied(conn), "backup": str(saved) if saved else None}, as_json=as_json
        )


@database_app.callback()
def _database() -> None:
    """So that `roles` is a command of a group."""


@database_app.command("roles")
def make_roles(as_json: JsonFlag = False) -> None:
    """Make the roles that storefront and dataflow sign in by, and grant what each needs; safe to run at any time.

    Each migration grants them what it brings. Give them members: create role NAME login password ... in role ROLE.
    """
    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        made = roles.make(conn)
    report({role: roles.ROLES[role] for role in made}, as_json=as_json)


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
        reader_key=reader or readers.session_key(session_id, "test"),
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
    email: Annotated[str | None, typer.Option(help="Where the library reaches them.")] = None,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")] = False,
    demo: Annotated[
        bool, typer.Option(help="A demo reader: signs in without a password, on this machine only.")
    ] = False,
    history: Annotated[bool, typer.Option(help="Whether the reader agreed that a history is kept.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Create an account. The password is asked for, or read from stdin; it is never an argument."""
    _known_role(role)
    username = accounts.normal_username(username)
    if not accounts.is_username(username):
        raise UsageError(f"user name {username!r}: 2 to 40 letters, digits, dots, hyphens or underscores")
    password = "" if demo else _new_password(username, from_stdin=password_stdin)
    with pool.connect() as conn:
        migrate.check(conn)
        if demo:
            account = accounts.create_demo(conn, username, name or username, role=role, history_enabled=False)
        else:
            account = accounts.create_local(
                conn, username, name or username, passwords.hashed(password), email=email, role=role
            )
        if account is None:
            raise UsageError(f"user name {username!r} is taken; choose another")
        if role != "reader":
            audit.note(conn, audit.OPERATOR, f"create {role}", audit.actor_of(account.account_id))
        if history:
            choices.pseudonym(conn, get_settings(), account.account_id)
            choices.keep_history(conn, account.account_id, choices.DEFAULT_DAYS)
        account = accounts.by_id(conn, account.account_id) or account
    answer = {"account_id": account.account_id, "username": username, "role": role, "reader_key": account.reader_key}
    report(answer, as_json=as_json)


@reader_app.command("role")
def change_role(username: str, role: str) -> None:
    """Give an account another role; the audit log keeps that it was done."""
    _known_role(role)
    with pool.connect() as conn:
        if not accounts.set_role(conn, accounts.normal_username(username), role):
            raise UsageError(f"there is no account {username!r}")


def _known_role(role: str) -> None:
    if role not in accounts.ROLES:
        raise UsageError(f"role {role!r} is not one of {', '.join(accounts.ROLES)}")


def _new_password(username: str, *, from_stdin: bool) -> str:
    if from_stdin:
        password = typer.get_text_stream("stdin").readline().rstrip("\r\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    weakness = passwords.weakness(password, username)
    if weakness:
        raise UsageError(str(weakness))
    return password
