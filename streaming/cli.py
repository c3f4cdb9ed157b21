"""Commands of the stream: run, relay, health, lag, dead-letters, quarantine."""

import socket
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from openshelf import stream_health, topics
from openshelf.cli import command_app, report
from openshelf.contracts import BadEvent, parse_interaction, utc_now
from openshelf.database import dead_letters, events, migrate, pool, quarantine
from openshelf.database.dead_letters import DeadLetter
from openshelf.errors import UsageError
from openshelf.settings import get_settings
from openshelf.stream_health import State

stream_app = command_app("The dataflow and the relay; dead letters; lag.", group=True)
dead_letters_app = command_app("Events that could not be taken: look, mend, replay.", group=True)
stream_app.add_typer(dead_letters_app, name="dead-letters")
quarantine_app = command_app("Acts on works that the catalogue does not have yet.", group=True)
stream_app.add_typer(quarantine_app, name="quarantine")

ShareOption = Annotated[
    str | None, typer.Option(help="I/N: of N hosts this one is the I-th; unset: OPENSHELF_SHARE.", metavar="I/N")
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SHOWN_PAYLOAD = 2_000
RETRIED_AT_ONCE = 10_000


class Consumer(StrEnum):
    SESSIONS = "sessions"
    RELAY = "relay"


@stream_app.command("run")
def run_sessions(
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes to spread the readers over.")] = 1,
    share: ShareOption = None,
) -> None:
    """Run the session dataflow: acts in; sessions and slates out. Ends on SIGTERM or Ctrl-C."""
    taken = _share(share)
    _check_broker()
    from streaming import running  # brings Bytewax and torch, which the other commands do without

    running.run_sessions(workers, taken)


@stream_app.command("member", hidden=True)
def run_member(
    process_id: int, addresses: str = typer.Option(), parent: int = typer.Option(), share: ShareOption = None
) -> None:
    """One process of a cluster; started by `run --workers`."""
    from streaming import running
    from streaming.cluster import Member

    running.run_member(Member(process_id, addresses.split(";"), parent), _share(share))


@stream_app.command("relay")
def run_relay(share: ShareOption = None) -> None:
    """Send the log table to the broker. Ends on SIGTERM or Ctrl-C."""
    taken = _share(share)
    _check_broker()
    from streaming import relay

    relay.run_relay(taken)


def _check_broker() -> None:
    """Before anything large is loaded, so that a broker that is not there is said at once.

    Raises:
        BrokerError: it does not answer, or refuses us.
    """
    settings = get_settings()
    if settings.brokers:
        from openshelf import broker

        broker.check(settings)


def _share(text: str | None) -> topics.Share:
    """As asked for, else as the settings say.

    Raises:
        UsageError: it is not I/N.
    """
    try:
        return topics.Share.parse(get_settings().share if text is None else text)
    except ValueError as error:
        raise UsageError(f"--share: {error}") from error


@stream_app.command("lag")
def show_lag(as_json: JsonFlag = False) -> None:
    """What each consumer of the log has not taken yet."""
    names = stream_health.expected(get_settings())
    with pool.connect() as conn:
        migrate.check(conn)
        waiting = {name: events.lag(conn, name) for name in names}
    values = {
        name: {
            "count_waiting": sum(p.count_waiting for p in partitions),
            "oldest_waiting_s": round(max(p.waiting_s for p in partitions), 3),
            "partitions": {p.partition: p.count_waiting for p in partitions if p.count_waiting},
        }
        for name, partitions in waiting.items()
    }
    report(values, as_json=as_json)


@stream_app.command("health")
def show_health(
    consumer: Annotated[Consumer, typer.Argument(help="Whose processes.")] = Consumer.SESSIONS,
    here: Annotated[bool, typer.Option("--here", help="Those on this host, and what waits for them.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Whether the processes of a dataflow live and take what waits; exit code 1 if not. For health checks."""
    with pool.connect() as conn:
        migrate.check(conn)
        if here:
            flow = stream_health.look_at_host(conn, consumer, socket.gethostname())
        else:
            (flow,) = stream_health.look(conn, [consumer])
    values = {"state": flow.state, "count_processes": len(flow.workers), "count_waiting": flow.count_waiting}
    report({**values, "advice": flow.advice}, as_json=as_json)
    if flow.state is not State.BEATING:
        raise typer.Exit(1)


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


@dead_letters_app.command("retry")
def retry_dead_letters(as_json: JsonFlag = False) -> None:
    """Append those again that this program understands by now, as after an upgrade; the rest goes on waiting.

    What was put aside for another reason than not being understood (source `append`) is left to people, and an event
    from a wrong clock does not become right by waiting: it is judged as of when it was found.
    """
    replayed = 0
    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        letters = dead_letters.waiting(conn, RETRIED_AT_ONCE)
        conn.commit()
        for letter in letters:
            event = parse_interaction(letter.payload, letter.found_at)
            if letter.source != "append" and not isinstance(event, BadEvent):
                replayed += dead_letters.replay(conn, letter, event)
    report({"replayed": replayed, "waiting": len(letters) - replayed}, as_json=as_json)


@quarantine_app.command("list")
def list_quarantine(
    limit: Annotated[int, typer.Option(min=1, help="At most this many, the newest first.")] = 100,
    with_released: Annotated[bool, typer.Option("--all", help="Those that count by now, too.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """The acts that wait for their work; each ingest looks for it."""
    with pool.connect() as conn:
        migrate.check(conn)
        acts = quarantine.all_of(conn, limit, with_released=with_released)
    if as_json:
        report(acts, as_json=True)
    else:
        report([f"{act.event_id}  {act.found_at:%Y-%m-%d %H:%M}  work {act.book_id}" for act in acts], as_json=False)


@quarantine_app.command("retry")
def retry_quarantine(as_json: JsonFlag = False) -> None:
    """Let the acts whose work is there by now count; the ingest does so by itself."""
    with pool.connect() as conn:
        migrate.check(conn)
        released = quarantine.release(conn, utc_now())
    report({"released": released}, as_json=as_json)


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
