"""Commands of the stream: run, relay, dead-letters, lag."""

from pathlib import Path
from typing import Annotated

import psycopg
import typer

from openshelf.cli import command_app, report
from openshelf.contracts import BadEvent, parse_interaction, utc_now
from openshelf.database import dead_letters, events, migrate, pool
from openshelf.database.dead_letters import DeadLetter
from openshelf.errors import UsageError
from openshelf.settings import get_settings

stream_app = command_app("The dataflow and the relay; dead letters; lag.", group=True)
dead_letters_app = command_app("Events that could not be taken: look, mend, replay.", group=True)
stream_app.add_typer(dead_letters_app, name="dead-letters")

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SHOWN_PAYLOAD = 2_000


@stream_app.command("run")
def run_sessions(
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes to spread the readers over.")] = 1,
) -> None:
    """Run the session dataflow: acts in; sessions and slates out. Ends on SIGTERM or Ctrl-C."""
    from streaming import running  # brings Bytewax and torch, which the other commands do without

    running.run_sessions(workers)


@stream_app.command("member", hidden=True)
def run_member(process_id: int, addresses: str = typer.Option(), parent: int = typer.Option()) -> None:
    """One process of a cluster; started by `run --workers`."""
    from streaming import running

    running.run_member(running.Member(process_id, addresses.split(";"), parent))


@stream_app.command("relay")
def run_relay() -> None:
    """Send the log table to the broker. Ends on SIGTERM or Ctrl-C."""
    from streaming import running

    running.run_relay()


@stream_app.command("lag")
def show_lag(as_json: JsonFlag = False) -> None:
    """What each consumer of the log has not taken yet."""
    names = ["sessions", "relay"] if get_settings().brokers else ["sessions"]
    with pool.connect() as conn:
        migrate.check(conn)
        waiting = {name: events.lag(conn, name) for name in names}
    now = utc_now()
    values = {}
    for name, partitions in waiting.items():
        oldest = min((p.oldest_waiting_at for p in partitions if p.oldest_waiting_at), default=None)
        values[name] = {
            "count_waiting": sum(p.count_waiting for p in partitions),
            "oldest_waiting_s": round((now - oldest).total_seconds(), 3) if oldest else 0.0,
            "partitions": {p.partition: p.count_waiting for p in partitions if p.count_waiting},
        }
    report(values, as_json=as_json)


@dead_letters_app.command("list")
def list_dead_letters(
    limit: Annotated[int, typer.Option(min=1, help="At most this many, the newest first.")] = 100,
    with_replayed: Annotated[bool, typer.Option("--all", help="Those replayed already, too.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """The dead letters that wait for someone."""
    with pool.connect() as conn:
        migrate.check(conn)
        letters = [_plain(letter) for letter in dead_letters.waiting(conn, limit, with_replayed=with_replayed)]
    if as_json:
        report(letters, as_json=True)
    else:
        report([f"{x['dead_letter_id']}  {x['found_at']}  {x['reason']}" for x in letters], as_json=False)


@dead_letters_app.command("show")
def show_dead_letter(dead_letter_id: int, as_json: JsonFlag = False) -> None:
    """One dead letter with its payload."""
    with pool.connect() as conn:
        migrate.check(conn)
        report(_plain(_find(conn, dead_letter_id)), as_json=as_json)


@dead_letters_app.command("replay")
def replay_dead_letter(
    dead_letter_id: int,
    payload: Annotated[Path | None, typer.Option(help="File with the mended event; unset: as it was found.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Append the event again, mended or as it was, and mark the letter."""
    with pool.connect() as conn:
        migrate.check(conn)
        letter = _find(conn, dead_letter_id)
        try:
            raw = payload.read_bytes() if payload else letter.payload
        except OSError as error:
            raise UsageError(f"--payload {payload}: {error.strerror}") from error
        event = parse_interaction(raw, utc_now())
        if isinstance(event, BadEvent):
            raise UsageError(f"the event is still bad ({event.reason}); mend it and give it with --payload FILE")
        if not dead_letters.replay(conn, letter, event):
            raise UsageError(f"dead letter {dead_letter_id} was replayed already")
    report({"dead_letter_id": dead_letter_id, "replayed": True}, as_json=as_json)


def _find(conn: psycopg.Connection, dead_letter_id: int) -> DeadLetter:
    letter = dead_letters.find(conn, dead_letter_id)
    if letter is None:
        raise UsageError(f"there is no dead letter {dead_letter_id}; `openshelf stream dead-letters list` shows all")
    return letter


def _plain(letter: DeadLetter) -> dict[str, object]:
    """A letter as people and JSON can read it: bytes that are no text are shown escaped, the payload cut."""
    return {
        "dead_letter_id": letter.dead_letter_id,
        "source": letter.source,
        "partition": letter.partition,
        "log_offset": letter.log_offset,
        "reason": letter.reason,
        "found_at": letter.found_at.isoformat(),
        "replayed_at": letter.replayed_at and letter.replayed_at.isoformat(),
        "payload_bytes": len(letter.payload),
        "payload": letter.payload[:SHOWN_PAYLOAD].decode("utf-8", "backslashreplace"),
    }
