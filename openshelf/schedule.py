"""`openshelf schedule`: the rhythm of jobs.py without Airflow; a part of `openshelf up --schedule`.

What ran is in Postgres, so a restart neither forgets nor repeats: a time that passed while nobody kept the schedule is
made up for by one run, and a run that was killed is begun again. Several hosts may keep the schedule; of each job one
runs it. Jobs are commands that are safe to run twice, each with a limit of time, tried again with growing pauses.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import psycopg
import structlog
import typer
from croniter import croniter

from openshelf import supervisor
from openshelf.children import in_background
from openshelf.cli import command_app, report
from openshelf.contracts import utc_now
from openshelf.database import accounts, job_runs, migrate, pool
from openshelf.database.accounts import Account
from openshelf.errors import DatabaseError, UsageError
from openshelf.jobs import BY_NAME, JOBS, REBUILD, RETRIES, Job, pause_s
from openshelf.settings import Settings, get_settings

app = command_app("What the library does by itself: run it, and see when each job ran and runs next.", group=True)

LOOK_EVERY_S = 2.0
# One long job shall not keep all others waiting, and readers are served by the same machine.
AT_ONCE = 2
# Between being asked to end and being killed.
END_PATIENCE_S = 10
# A job that was killed so often for one time is given up until its next.
MOST_INTERRUPTIONS = 5

_log = structlog.get_logger(__name__)


def due_at(job: Job, settled_at: datetime | None, before_at: datetime | None, now: datetime) -> datetime | None:
    """The time of its schedule that this job has still to run for; None if there is none.

    `settled_at`: the last one it was run for, or when the installation began. `before_at`: when the job that it follows
    last ended well.
    """
    if job.cron:
        latest = croniter(job.cron, now + timedelta(microseconds=1)).get_prev(datetime)
    elif before_at is None:
        return None
    else:
        latest = before_at
    return latest if settled_at is None or latest > settled_at else None


def due_jobs(conn: psycopg.Connection, jobs: Iterable[Job], now: datetime) -> list[tuple[Job, datetime]]:
    """Those that have still to run, each with the time of its schedule; those at work are among them."""
    settled, succeeded = job_runs.settled(conn), job_runs.succeeded(conn)
    installed_at = job_runs.installed_at(conn)
    found = []
    for job in jobs:
        since = settled.get(job.name, installed_at if job.cron else None)
        due = due_at(job, since, succeeded.get(job.after or ""), now)
        if due is not None:
            found.append((job, due))
    return found


def next_at(job: Job, now: datetime) -> datetime | None:
    """When the clock starts it next; None for a job that follows another."""
    return croniter(job.cron, now).get_next(datetime) if job.cron else None


@dataclass
class Run:
    """A job at work: one step after the other, as `go_on` is called."""

    job: Job
    run_id: int
    log_path: Path
    command: Callable[..., list[str]]
    index: int = 0
    count_tries: int = 0  # of all steps
    count_failures: int = 0  # of this step
    has_failed: bool = False
    words: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    ends_by: float = 0.0
    try_again_at: float = 0.0

    def go_on(self) -> bool:
        """Look after the step at work, begin the next one when it is time; False once the job has ended."""
        if self.process is not None:
            self._look()
        if self.process is None and time.monotonic() >= self.try_again_at:
            self._skip_what_cannot_run()
            if self.index == len(self.job.steps):
                return False
            self._begin()
        return True

    @property
    def is_waiting(self) -> bool:
        """Between two tries: it needs no processor."""
        return self.process is None

    def _skip_what_cannot_run(self) -> None:
        while self.has_failed and self.index < len(self.job.steps) and not self.job.steps[self.index].always:
            self.index += 1

    def _begin(self) -> None:
        step = self.job.steps[self.index]
        self.count_tries += 1
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                self.command(*step.words),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # what a step has started ends with it
                preexec_fn=in_background,  # noqa: PLW1509 - this program has one thread
            )
        self.ends_by = time.monotonic() + step.minutes * 60

    def _look(self) -> None:
        assert self.process
        step = self.job.steps[self.index]
        code = self.process.poll()
        if code is None:
            if time.monotonic() < self.ends_by:
                return
            self.end()
            self._failed(f"{step.name}: stopped after {step.minutes} minutes", may_help=True)
        elif code == 0:
            self.words.append(f"{step.name}: {_last_line(self.log_path)}")
            self._next()
        else:
            # 2 is wrong use: of the command, or of a setting. The same words will be as wrong in a minute.
            self._failed(f"{step.name}: {_last_line(self.log_path)} (exit code {code})", may_help=code != 2)
        self.process = None

    def _failed(self, words: str, *, may_help: bool) -> None:
        self.count_failures += 1
        if may_help and self.count_failures <= RETRIES:
            self.try_again_at = time.monotonic() + pause_s(self.count_failures)
            _log.warning("step_failed", job=self.job.name, words=words, again_in_s=pause_s(self.count_failures))
            return
        self.has_failed = True
        self.words.append(words)
        self._next()

    def _next(self) -> None:
        self.index += 1
        self.count_failures = 0

    def end(self) -> None:
        """End the step at work with everything it has started."""
        if self.process is None or self.process.poll() is not None:
            return
        os.killpg(self.process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(END_PATIENCE_S)
        # What the step has started may be deaf even if the step is not.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _last_line(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4_096))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


class Schedule:
    """Keeps the rhythm of `jobs`. `look` again and again from one thread; `stop` at the end."""

    def __init__(
        self,
        settings: Settings,
        jobs: Iterable[Job] = JOBS,
        command: Callable[..., list[str]] = supervisor.command,
    ) -> None:
        self.settings = settings
        self.jobs = list(jobs)
        self.command = command
        self.runs: dict[str, Run] = {}
        self._conn: psycopg.Connection | None = None

    def look(self, now: datetime) -> None:
        """Look after the jobs at work and begin what is due.

        Raises:
            DatabaseError, psycopg.OperationalError: Postgres is away; jobs at work go on, call again later.
        """
        conn = self._connection()
        for name, run in list(self.runs.items()):
            if not run.go_on():
                self._record(conn, run, "failed" if run.has_failed else "done")
                job_runs.release(conn, name)
                del self.runs[name]
        for job, due in due_jobs(conn, self.jobs, now):
            if sum(not run.is_waiting for run in self.runs.values()) >= AT_ONCE:
                return
            if job.name not in self.runs:
                self.begin(job, due)

    def begin(self, job: Job, due: datetime) -> bool:
        """Begin a job now, for this time of its schedule; False if another process is at it, or has done it."""
        conn = self._connection()
        if not job_runs.hold(conn, job.name):
            return False
        settled_at = job_runs.settled(conn).get(job.name)
        if settled_at is not None and settled_at >= due:
            job_runs.release(conn, job.name)
            return False
        is_given_up = job_runs.count_interrupted(conn, job.name, due) >= MOST_INTERRUPTIONS
        run_id = job_runs.begin(conn, job.name, due)
        if is_given_up:
            words = f"given up until its next time: it was killed {MOST_INTERRUPTIONS} times"
            job_runs.finish(conn, run_id, "failed", 0, words)
            job_runs.release(conn, job.name)
            _log.error("job_given_up", job=job.name)
            return False
        _log.info("job_begins", job=job.name, due_at=due.isoformat())
        run = Run(job, run_id, self.settings.home / "logs" / "jobs" / f"{job.name}.log", self.command)
        self.runs[job.name] = run
        run.go_on()
        return True

    def stop(self) -> None:
        """End the jobs at work; whoever keeps the schedule next begins them again."""
        for run in self.runs.values():
            run.end()
            # If not, it stays on record as going on, which comes to the same.
            with contextlib.suppress(psycopg.Error, DatabaseError):
                self._record(self._connection(), run, "interrupted")
        self.runs.clear()
        if self._conn is not None:
            self._conn.close()

    def _record(self, conn: psycopg.Connection, run: Run, status: str) -> None:
        job_runs.finish(conn, run.run_id, status, run.count_tries, "; ".join(run.words))
        told = _log.error if status == "failed" else _log.info
        told(f"job_{status}", job=run.job.name, words="; ".join(run.words)[:300])

    def _connection(self) -> psycopg.Connection:
        """The one that holds this process's jobs; a new one takes hold of them again."""
        if self._conn is None or self._conn.closed:
            conn = pool.connect(self.settings, autocommit=True)
            migrate.check(conn)
            job_runs.announce(conn)
            for name in self.runs:
                if not job_runs.hold(conn, name):
                    _log.warning("job_taken_by_another", job=name)
            self._conn = conn
        return self._conn


JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("run")
def run_command(
    wait: Annotated[int, typer.Option(min=0, help="Begin nothing for so many seconds, so that others may start.")] = 0,
) -> None:
    """Keep the schedule until Ctrl-C or SIGTERM."""
    stopping = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopping.set())
    schedule = Schedule(get_settings())
    stopping.wait(wait)
    try:
        while not stopping.is_set():
            try:
                schedule.look(utc_now())
            except (psycopg.OperationalError, DatabaseError) as error:
                _log.warning("postgres_is_away", words=str(error).splitlines()[0])
            stopping.wait(LOOK_EVERY_S)
    finally:
        schedule.stop()


@app.command("once")
def once_command(name: Annotated[str, typer.Argument(help="Its name, as `schedule list` shows it.")]) -> None:
    """Run one job now, as the schedule would; exit code 1 if it fails or is running already."""
    if name not in BY_NAME:
        raise UsageError(f"there is no job {name!r}; there are {', '.join(BY_NAME)}")
    schedule = Schedule(get_settings(), jobs=())
    try:
        if not schedule.begin(BY_NAME[name], utc_now()):
            typer.echo(f"{name} is running already", err=True)
            raise typer.Exit(1)
        run = schedule.runs[name]
        while name in schedule.runs:
            time.sleep(0.2)
            schedule.look(utc_now())
    finally:
        schedule.stop()
    typer.echo("\n".join(run.words))
    if run.has_failed:
        raise typer.Exit(1)


@app.command("note")
def note_command(
    name: Annotated[str, typer.Argument(help="Its name, as `schedule list` shows it.")],
    status: Annotated[Literal["done", "failed"], typer.Argument(help="How it ended.")],
    message: Annotated[str, typer.Option(help="What a person should know of it, in one line.")] = "",
    due_at: Annotated[str, typer.Option(help="The time of its schedule that it ran for; unset: now.")] = "",
    started_at: Annotated[str, typer.Option(help="When it began; unset: now.")] = "",
) -> None:
    """Record how a run ended that another scheduler made, so that status, alerts and staff know. Our DAGs do so."""
    if name not in {*BY_NAME, REBUILD.name}:
        raise UsageError(f"there is no job {name!r}; there are {', '.join([*BY_NAME, REBUILD.name])}")
    due, started = _moment(due_at), _moment(started_at)
    with pool.connect() as conn:
        migrate.check(conn)
        job_runs.note(conn, name, status, due, started, message)


def _moment(text: str) -> datetime:
    if not text:
        return utc_now()
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no time; write it as {utc_now():%Y-%m-%dT%H:%M:%S+00:00}") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Line:
    """A job with its newest run, all null if it never ran, and when it runs next: by the clock, or after another."""

    job: str
    cron: str | None
    after: str | None
    next_at: datetime | None
    is_due: bool
    status: str | None
    due_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    tries: int | None
    message: str | None


def lines(conn: psycopg.Connection, now: datetime) -> list[Line]:
    """Every job, in the order of jobs.py."""
    last = job_runs.latest(conn)
    due = {job.name for job, _ in due_jobs(conn, JOBS, now)}
    return [_line(job, last.get(job.name), job.name in due, now) for job in JOBS]


@dataclass(frozen=True)
class Failure:
    """A job that failed when it last ended, whoever ran it; `remedy` is for a person."""

    job: str
    failed_at: datetime
    message: str
    remedy: str


def failures(conn: psycopg.Connection) -> list[Failure]:
    """Every job that has to be looked after."""
    return [
        Failure(run.job, run.finished_at or run.started_at, run.message or "it said nothing", _remedy(run.job))
        for run in job_runs.failed(conn)
    ]


def _remedy(name: str) -> str:
    if name in BY_NAME:
        return f"{BY_NAME[name].if_it_fails} Then `openshelf schedule once {name}`."
    return REBUILD.if_it_fails


def for_staff(conn: psycopg.Connection, staff: Account | None, now: datetime) -> tuple[bool, list[Line], list[Failure]]:
    """Whether anybody keeps the schedule, every job, and those that failed. Raises NotAllowedError."""
    accounts.must_be_staff(staff)
    return job_runs.is_kept(conn), lines(conn, now), failures(conn)


def _line(job: Job, run: job_runs.JobRun | None, is_due: bool, now: datetime) -> Line:
    return Line(
        job.name,
        job.cron,
        job.after,
        next_at(job, now),
        is_due,
        run and run.status,
        run and run.due_at,
        run and run.started_at,
        run and run.finished_at,
        run and run.count_tries,
        run and run.message,
    )


@app.command("list")
def list_command(as_json: JsonFlag = False) -> None:
    """When each job last ended, here or in Airflow, what came of it, and when it runs next here."""
    with pool.connect() as conn:
        migrate.check(conn)
        found, is_kept = lines(conn, utc_now()), job_runs.is_kept(conn)
    if as_json:
        report({"is_kept": is_kept, "jobs": [asdict(line) for line in found]}, as_json=True)
        return
    for line in found:
        when = f"{line.next_at:%m-%d %H:%M}" if line.next_at else f"after {line.after}"
        when = "now" if line.is_due else when
        ran = f"{line.status} {line.finished_at or line.started_at:%m-%d %H:%M}" if line.status else "never ran"
        typer.echo(f"{line.job:18} {ran:24} next: {when:24} {line.message or ''}"[:160])
    if not is_kept:
        typer.echo("Nobody keeps this schedule: start `openshelf up --schedule`, or let Airflow have it.", err=True)
