"""`openshelf demo`: library, history, models and marts built once through the real commands, then `up`.

Every step is a command that a person could run; a step that is done is not done again, so an interrupted
build goes on where it stopped.
"""

import json
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import psycopg
import typer

from openshelf import contracts, readers, supervisor
from openshelf.cli import command_app, report
from openshelf.database import events, migrate, pool, summary
from openshelf.errors import OpenshelfError
from openshelf.settings import Settings, get_settings

app = command_app(
    "Build the demo library, its history and marts once, then `up`; --check stops after proving the loop."
)

HISTORY_DAYS = 28
SIMULATED_READERS = 120
# username, name shown, role; all of them agreed that a history is kept, so that the demo has one.
DEMO_READERS = [
    ("mai", "Mai Trần", "reader"),
    ("anna", "Anna Sokolova", "reader"),
    ("tom", "Tom Okafor", "reader"),
    ("ines", "Inês Moreira", "reader"),
    ("jonas", "Jonas Weber", "reader"),
    ("librarian", "Lena Hart, librarian", "staff"),
]
CHECK_ACTS = 24
# The dataflow may have to start first, which takes a minute on a busy machine.
SLATE_PATIENCE_S = 180


@dataclass(frozen=True)
class Step:
    name: str
    words: tuple[str, ...]
    needs_dataflow: bool = False


def steps(settings: Settings, now: datetime, count_readers: int = SIMULATED_READERS) -> list[Step]:
    """The build in order. History is simulated in two halves, with a policy generation after each."""
    start = now - timedelta(days=HISTORY_DAYS)
    half = HISTORY_DAYS // 2
    simulate = ("simulate", "--readers", str(count_readers), "--days", str(half), "--start-days-ago")
    return [
        Step("library", ("ingest", "demo-library", str(settings.library_path))),
        Step("catalogue", ("ingest", "calibre", str(settings.library_path))),
        *(
            Step(
                f"reader {username}",
                ("reader", "create", username, "--name", name, "--role", role, "--demo", "--history"),
            )
            for username, name, role in DEMO_READERS
        ),
        Step("first policy", ("train", "adapter", "--at", start.isoformat())),
        Step("history, first half", (*simulate, str(HISTORY_DAYS)), needs_dataflow=True),
        Step("second policy", ("train", "policy", "--at", (start + timedelta(days=half)).isoformat())),
        Step("history, second half", (*simulate, str(half)), needs_dataflow=True),
        Step("third policy", ("train", "policy")),
        Step("warehouse", ("warehouse", "build")),
    ]


def build(settings: Settings, count_readers: int = SIMULATED_READERS) -> None:
    """Run the steps that are not done yet, while holding the installation's lock.

    Raises:
        OpenshelfError: naming the step that failed.
    """
    ledger = settings.home / "demo.json"
    state = (
        json.loads(ledger.read_text()) if ledger.exists() else {"started_at": datetime.now(UTC).isoformat(), "done": []}
    )
    todo = steps(settings, datetime.fromisoformat(state["started_at"]), count_readers)
    if all(step.name in state["done"] for step in todo):
        return
    ledger.parent.mkdir(parents=True, exist_ok=True)
    ledger.write_text(json.dumps(state))
    begun = time.monotonic()
    with pool.connect(settings, unlimited=True) as conn:
        migrate.migrate(conn)
    for number, step in enumerate(todo, 1):
        if step.name in state["done"]:
            continue
        typer.echo(f"[{number}/{len(todo)}] {step.name}", err=True)
        if step.needs_dataflow:
            with _parts(settings, [supervisor.dataflow_part()]):
                _run_step(step)
        else:
            _run_step(step)
        state["done"].append(step.name)
        ledger.write_text(json.dumps(state))
    typer.echo(f"The demo is built ({time.monotonic() - begun:.0f} s).", err=True)


def _run_step(step: Step) -> None:
    finished = subprocess.run(supervisor.command(*step.words), check=False, stdout=subprocess.DEVNULL)
    if finished.returncode:
        raise OpenshelfError(
            f"the demo stopped at '{step.name}' (openshelf {' '.join(step.words)}); mend what it says above and run "
            "the same command again: it goes on from there"
        )


@contextmanager
def _parts(settings: Settings, parts: list[supervisor.Part]) -> Iterator[supervisor.Supervisor]:
    keeper = supervisor.Supervisor(settings, parts)
    try:
        keeper.start()
        yield keeper
    finally:
        keeper.stop()


def check(settings: Settings) -> dict[str, object]:
    """Run the loop once on real parts and count what it left; raises OpenshelfError where a step left nothing."""
    if supervisor.is_running(settings):
        latencies, acts = _act_and_wait(settings)
    else:
        supervisor.check_port_free(settings)
        with _parts(settings, supervisor.parts_of(settings)) as keeper:
            if not keeper.watch(until=lambda: supervisor.answers(settings), patience_s=supervisor.START_PATIENCE_S):
                raise OpenshelfError(f"the storefront did not answer; see {settings.home}/logs/storefront.log")
            latencies, acts = _act_and_wait(settings)
    _run_step(Step("warehouse", ("warehouse", "build")))
    with pool.connect(settings) as conn:
        counts = summary.counts(conn)
        in_marts = summary.acts_in_marts(conn, [event.event_id for event in acts])
    if in_marts != len(acts):
        raise OpenshelfError(f"{len(acts)} acts were made but {in_marts} arrived in the marts; see `openshelf status`")
    missing = [name for name, value in counts.items() if not value]
    if missing:
        raise OpenshelfError(f"the loop left no {', '.join(missing)}; see {settings.home}/logs")
    return {
        "works": counts["works"],
        "acts": counts["acts"],
        "slates": counts["slates"],
        "act_to_slate_ms": round(statistics.median(latencies), 1),
        "act_to_slate_ms_max": round(max(latencies), 1),
        "mart_rows": counts["mart_rows"],
        "champion": counts["champion"],
    }


def _act_and_wait(settings: Settings) -> tuple[list[float], list[contracts.Interaction]]:
    """Act as a reader of one session, one act at a time; milliseconds from each act's commit to its slate's."""
    session_id = contracts.new_event_id()
    reader_key = readers.session_key(session_id, "test")
    latencies: list[float] = []
    acts: list[contracts.Interaction] = []
    with pool.connect(settings, autocommit=True) as conn:
        book_ids = summary.some_books(conn, CHECK_ACTS)
        for number in range(CHECK_ACTS):
            event = contracts.Interaction(
                event_id=contracts.new_event_id(),
                occurred_at=contracts.utc_now(),
                reader_key=reader_key,
                session_id=session_id,
                action=contracts.Action.OPEN if number else contracts.Action.VISIT,
                book_id=book_ids[number % len(book_ids)] if number else None,
                surface=contracts.Surface.API,
            )
            events.append(conn, event)
            acts.append(event)
            latencies.append(_latency_ms(conn, event.event_id))
    # The first acts after a start meet a policy that is still being loaded; they are proof, not measurement.
    return latencies[3:], acts


def _latency_ms(conn: psycopg.Connection, event_id: UUID) -> float:
    deadline = time.monotonic() + SLATE_PATIENCE_S
    slate_id = contracts.slate_id_of(event_id)
    while time.monotonic() < deadline:
        latency = summary.act_to_slate_ms(conn, slate_id)
        if latency is not None:
            return latency
        time.sleep(0.005)
    raise OpenshelfError(f"no slate came within {SLATE_PATIENCE_S} s of an act; see the dataflow's log under home/logs")


@app.command()
def demo(
    check_only: Annotated[bool, typer.Option("--check", help="Prove the loop, print a summary, stop.")] = False,
    count_readers: Annotated[int, typer.Option("--readers", min=1, help="Simulated readers.")] = SIMULATED_READERS,
    schedule: Annotated[bool, typer.Option(help="Rebuild marts, retrain, back up as time goes by.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (with --check).")] = False,
) -> None:
    """Build the demo library, its history and marts once, then `up`; --check stops after proving the loop."""
    settings = get_settings()
    if check_only:
        if not supervisor.is_running(settings):
            with supervisor.only_instance(settings):
                build(settings, count_readers)
        report(check(settings), as_json=as_json)
        return
    with supervisor.only_instance(settings):
        supervisor.check_port_free(settings)
        build(settings, count_readers)
        supervisor.run(settings, schedule=schedule)
