"""One supervisor for `up` and `demo`: starts, watches, restarts and stops every part, without orphans.

Postgres (embedded unless a URL is set), the dataflow, the relay when brokers are set, and the storefront
run as children in the supervisor's own process group. Ctrl-C or SIGTERM stops them in reverse order. If the
supervisor itself is killed, the kernel ends the children and the last of them stops Postgres.
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Annotated

import structlog
import typer

from openshelf import backups
from openshelf.children import end_with_parent
from openshelf.cli import command_app
from openshelf.database import embedded, migrate, pool
from openshelf.errors import OpenshelfError, UsageError
from openshelf.settings import Settings, get_settings

app = command_app("Start Postgres, dataflow and storefront; Ctrl-C stops all.")
logger = structlog.get_logger(__name__)

ROOT = Path(__file__).resolve().parent.parent
WATCH_INTERVAL_S = 0.5
STOP_PATIENCE_S = 8
START_PATIENCE_S = 90
LONGEST_BACKOFF_S = 10
RETENTION_EVERY_MINUTES = 60
# What was missed while all was closed begins once the storefront is open.
SCHEDULE_WAITS_S = 60
SAY_AGAIN_S = 10
# Parts run in the folder that this program was started in: there are `.env` and a home folder that is named by no more
# than its last name. `-P`: what else lies there is no part of the program.
PYTHON = [sys.executable, "-P", "-m"]
# What a part says is kept up to so much, and as much of before.
LONGEST_LOG_BYTES = 10 * 2**20
# A part that ran this long had started well: its next restart is immediate again.
HEALTHY_AFTER_S = 20


@dataclass
class Part:
    """One child: what runs, and how often it had to be started again."""

    name: str
    command: list[str]
    env: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    next_start_at: float = 0.0
    count_failures: int = 0

    def start(self, log_path: Path) -> None:
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("ab") as log_file:
            self.process = subprocess.Popen(
                self.command,
                env=os.environ | self.env,
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=subprocess.STDOUT,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - nothing else runs before exec
            )
        self.started_at = time.monotonic()

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None


def command(*words: str) -> list[str]:
    """An `openshelf` command as an argument list, run by this very interpreter."""
    return [*PYTHON, "openshelf", *words]


def dataflow_part() -> Part:
    return Part("dataflow", command("stream", "run"))


def relay_part() -> Part:
    return Part("relay", command("stream", "relay"))


def retention_part() -> Part:
    return Part("retention", command("retention", "run", "--every", str(RETENTION_EVERY_MINUTES)))


def schedule_part() -> Part:
    return Part("schedule", command("schedule", "run", "--wait", str(SCHEDULE_WAITS_S)))


def storefront_part(settings: Settings) -> Part:
    server = ROOT / "dashboard" / "server.py"
    return Part(
        "storefront",
        [*PYTHON, "streamlit", "run", str(server)],
        env={"STREAMLIT_SERVER_PORT": str(settings.port), "STREAMLIT_SERVER_ADDRESS": settings.host},
    )


class Supervisor:
    """Keeps parts running. `start` then `watch` until `stop`; all three from one thread, `request_stop` from any."""

    def __init__(self, settings: Settings, parts: list[Part]) -> None:
        self.settings = settings
        self.parts = parts
        self._stopping = threading.Event()
        self._say_again_at = 0.0

    def start(self) -> None:
        pool.database_url(self.settings)
        for part in self.parts:
            part.start(self.log_path(part))

    def log_path(self, part: Part) -> Path:
        return self.settings.home / "logs" / f"{part.name}.log"

    def _shorten_logs(self) -> None:
        """Postgres' own is one of them. Who writes has the file open, to append: it is copied and emptied."""
        for path in (*map(self.log_path, self.parts), self.settings.home / "postgres" / "log"):
            with suppress(OSError):  # no room for the copy, or no such log: another time
                if path.stat().st_size > LONGEST_LOG_BYTES:
                    shutil.copy2(path, path.with_name(f"{path.name}.1"))
                    os.truncate(path, 0)

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    def request_stop(self) -> None:
        self._stopping.set()

    def watch(self, until: Callable[[], bool] = lambda: False, patience_s: float | None = None) -> bool:
        """Restart what dies until `until()` holds, a stop is requested (False), or patience runs out (False)."""
        deadline = None if patience_s is None else time.monotonic() + patience_s
        while not self._stopping.is_set():
            if until():
                return True
            if deadline and time.monotonic() > deadline:
                return False
            self._mend()
            self._stopping.wait(WATCH_INTERVAL_S)
        return False

    def _mend(self) -> None:
        if not self.settings.database_url and embedded.postmaster(self.settings.home) is None:
            self._restart_postgres()
        self._shorten_logs()
        now = time.monotonic()
        for part in self.parts:
            if part.is_running:
                if part.count_failures and now - part.started_at > HEALTHY_AFTER_S:
                    part.count_failures = 0
                continue
            if part.process is not None:
                part.count_failures += 1
                pause = min(2 ** (part.count_failures - 1) / 2, LONGEST_BACKOFF_S)
                logger.warning(
                    "part ended, starting it again",
                    name=part.name,
                    exit_code=part.process.returncode,
                    in_s=pause,
                    log=str(self.log_path(part)),
                )
                part.process, part.next_start_at = None, now + pause
            if now >= part.next_start_at:
                part.start(self.log_path(part))

    def _restart_postgres(self) -> None:
        """Try once; of a long outage a line is written now and then."""
        is_said = time.monotonic() < self._say_again_at
        if not is_said:
            self._say_again_at = time.monotonic() + SAY_AGAIN_S
            logger.warning("postgres died, starting it again")
        try:
            embedded.restart(self.settings.home)
        except Exception as error:  # noqa: BLE001 - whatever it was, the next round tries again
            if not is_said:
                logger.error("postgres does not start", error=str(error))
        else:
            self._say_again_at = 0.0
            logger.info("postgres is back")

    def stop(self) -> None:
        """Stop the children in reverse order; Postgres follows when this process, its last holder, ends."""
        self._stopping.set()
        running = [part.process for part in reversed(self.parts) if part.process and part.is_running]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_PATIENCE_S
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.warning("part does not stop, killing it", pid=process.pid)
                process.kill()
                process.wait()


@contextmanager
def only_instance(settings: Settings):
    """Hold the installation's lock; a second supervisor is told who has it.

    Raises:
        OpenshelfError: another supervisor runs on this home.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    with (settings.home / "supervisor.lock").open("a+") as lock:
        _lock_or_explain(lock, settings)
        yield


def _lock_or_explain(lock: IO[str], settings: Settings) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        raise OpenshelfError(
            f"Openshelf already runs on {settings.home} (pid {lock.read().strip() or 'unknown'}). "
            "Stop it first, or set OPENSHELF_HOME and OPENSHELF_PORT for a second installation."
        ) from error
    lock.seek(0)
    lock.truncate()
    lock.write(str(os.getpid()))
    lock.flush()


def is_running(settings: Settings) -> bool:
    """Whether a supervisor holds this installation."""
    try:
        with (settings.home / "supervisor.lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True


def check_port_free(settings: Settings) -> None:
    """Raises UsageError when another program listens on the storefront's port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise UsageError(
                f"port {settings.port} on {settings.host} is not free ({error.strerror}): "
                "stop what listens there, or set OPENSHELF_PORT to another port"
            ) from error


def answers(settings: Settings) -> bool:
    """Whether the storefront is healthy."""
    host = "127.0.0.1" if settings.host in {"0.0.0.0", "localhost"} else settings.host  # noqa: S104 - asked, not bound
    try:
        with urllib.request.urlopen(f"http://{host}:{settings.port}/healthz", timeout=2) as reply:
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        return False


def parts_of(settings: Settings, *, schedule: bool = False) -> list[Part]:
    """The parts of an installation. What readers chose about their data is kept to without a schedule, too."""
    relay = [relay_part()] if settings.brokers else []
    return [*relay, dataflow_part(), storefront_part(settings), schedule_part() if schedule else retention_part()]


def run(settings: Settings, *, schedule: bool = False) -> None:
    """`openshelf up`: everything until Ctrl-C."""
    check_port_free(settings)
    supervisor = Supervisor(settings, parts_of(settings, schedule=schedule))
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: supervisor.request_stop())
    with pool.connect(settings, unlimited=True) as conn:
        backups.migrate_safely(conn, settings)
        migrate.check(conn)  # of a newer program: what this one does not know is not worked with
    try:
        supervisor.start()
        if supervisor.watch(until=lambda: answers(settings), patience_s=START_PATIENCE_S):
            shown = "localhost" if settings.is_loopback else settings.host
            typer.echo(f"Openshelf is open: http://{shown}:{settings.port}   (Ctrl-C closes it)")
            supervisor.watch()
        elif not supervisor.is_stopping:
            raise OpenshelfError(
                f"the storefront did not answer within {START_PATIENCE_S} s; see {settings.home}/logs/storefront.log"
            )
    finally:
        supervisor.stop()


@app.command()
def up(
    schedule: Annotated[
        bool, typer.Option(help="Also do by itself what `openshelf schedule list` shows; where Airflow does not.")
    ] = False,
) -> None:
    """Start Postgres (embedded unless a URL is set), dataflow and storefront; Ctrl-C stops all."""
    settings = get_settings()
    with only_instance(settings):
        run(settings, schedule=schedule)
