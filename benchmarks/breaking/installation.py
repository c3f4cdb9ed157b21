"""The real processes on a home of their own, in the two ways that an installation runs.

`Embedded`: `openshelf up` with its own Postgres, the dataflow reading the log table. `Full`: a relay and a broker
between log and dataflow, Postgres over TCP; relay and dataflow are kept running by the product's supervisor, which
runs here, as a container engine would keep them, and between all parts are proxies.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

import psutil
import psycopg

from openshelf import supervisor
from openshelf.database import embedded
from openshelf.settings import Settings
from openshelf.supervisor import Part, Supervisor

from . import tables
from .actor import ROOT, Actor
from .broker_process import Broker
from .history import Verdict, unlike, verdict
from .library import CHAMPION, open_library
from .small_disk import SmallDisk
from .tcp_proxy import Proxy

PATIENCE_S = 180.0
COPY = "undisturbed"
# How long one statement may run: a hanging connection is given up a little later. (The product's default is 30.)
DATABASE_TIMEOUT_S = 3


class StaysBrokenError(Exception):
    """The installation did not come back."""


def wait_for(condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            raise StaysBrokenError(f"waited {patience_s:.0f} s for {what}")
        time.sleep(0.05)


class Installation:
    """What both have: a home, a Postgres that can be asked past all proxies, and readers who act."""

    consumers: Sequence[str] = ("sessions",)

    def __init__(self, folder: Path) -> None:
        # Journal and the supervisor's lines stand beside the home, whose disk may be full.
        self.folder, self.home = folder, folder / "home"
        self.home.mkdir(exist_ok=True)
        self._closing = ExitStack()
        self.url = ""
        self.environment: dict[str, str] = {}
        self.accounts: dict[str, int] = {}
        # Until a clock was set forward, sessions end only in the time of the acts.
        self.compared = tables.TABLES

    def __enter__(self) -> Self:
        try:
            self._open()
            wait_for(lambda: '"sessions_started"' in self.lines_of("dataflow"), "the dataflow to start")
        except BaseException:
            self._closing.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def _open(self) -> None:
        raise NotImplementedError

    def _prepare(self) -> None:
        self._closing.callback(embedded.stop, self.home)
        self.url = embedded.start(self.home)
        self.accounts = open_library(self.url)
        with psycopg.connect(self.url, autocommit=True) as conn:
            conn.execute(f"create database {COPY} template postgres")  # pyright: ignore[reportArgumentType, reportCallIssue]

    def actor(self, per_second: float) -> Actor:
        return Actor(self.folder / "journal", self.environment, self.accounts, per_second)

    def ask(self) -> psycopg.Connection:
        return psycopg.connect(self.url, connect_timeout=5)

    def is_drained(self) -> bool:
        try:
            with self.ask() as conn:
                return tables.is_drained(conn, self.consumers)
        except psycopg.Error:
            return False

    def judge(self, actor: Actor) -> Verdict:
        """Once everything was taken."""
        with self.ask() as conn:
            found = verdict(actor.sent(), tables.read(conn))
            kept, said = tables.shelved(conn, self.accounts)
        return Verdict(
            [*found.lost, *(f"kept {each}" for each in sorted(said - kept))],
            [*found.phantom, *(f"kept {each}" for each in sorted(kept - said))],
            found.doubled,
            found.reordered,
        )

    def unlike_undisturbed(self) -> list[str]:
        head, _, tail = self.url.partition("/postgres?")
        copy_url = f"{head}/{COPY}?{tail}"
        with self.ask() as conn, psycopg.connect(copy_url) as copy:
            tables.replay(conn, copy, copy_url)
            ours, theirs = tables.rows(conn, self.compared), tables.rows(copy, self.compared)
            # What another policy drew is there all the same, though with other works.
            others = tables.drawn_by_others(conn, CHAMPION)
            for found in (ours, theirs):
                found["slates"] = [row if row[0] not in others else (row[0], "by another") for row in found["slates"]]
            return unlike(ours, theirs) + tables.unmarked(conn)

    def lines_of(self, part: str) -> str:
        """What a part has written: relay, dataflow; up."""
        path = self.folder / "up.log" if part == "up" else self.home / "logs" / f"{part}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    # To be broken by the faults.

    def kill(self, part: str) -> None:
        raise NotImplementedError

    def kill_postgres(self) -> None:
        """Its first process; the others end when they notice."""
        if process := embedded.postmaster(self.home):
            process.kill()

    @property
    def recovery_store(self) -> Path:
        raise NotImplementedError


class Embedded(Installation):
    """`openshelf up`, storefront and all."""

    def __init__(self, folder: Path, *, on_small_disk: bool = False) -> None:
        super().__init__(folder)
        self.disk = SmallDisk(self.home) if on_small_disk else None
        if self.disk:
            self._closing.callback(self.disk.close)
        self.environment = {
            "OPENSHELF_HOME": str(self.home),
            "OPENSHELF_PORT": str(_free_port(self._closing)),
            "OPENSHELF_LOG_FORMAT": "json",
        }
        self._supervisor: subprocess.Popen[bytes] | None = None

    def _open(self) -> None:
        self._prepare()
        embedded.stop(self.home)
        if self.disk:
            self.disk.shrink()
        self._closing.callback(self._stop)
        self.start()

    def start(self) -> None:
        with (self.folder / "up.log").open("ab") as lines:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-m", "openshelf", "up"],
                cwd=ROOT,
                env=os.environ | self.environment,
                stdout=lines,
                stderr=lines,
            )

    def kill(self, part: str) -> None:
        words = ["stream", {"dataflow": "run"}[part]]
        wait_for(lambda: self._is_dead or self._child(words), f"the {part} to run")
        if process := self._child(words):
            process.kill()

    def _child(self, words: list[str]) -> psutil.Process | None:
        """The supervisor's child whose command ends so."""
        assert self._supervisor
        try:
            children = psutil.Process(self._supervisor.pid).children()
            return next((child for child in children if child.cmdline()[-len(words) :] == words), None)
        except psutil.Error:
            return None

    @property
    def _is_dead(self) -> bool:
        return self._supervisor is None or self._supervisor.poll() is not None

    def kill_supervisor(self) -> None:
        """With all its children, whom the kernel ends."""
        assert self._supervisor
        children = psutil.Process(self._supervisor.pid).children()
        self._supervisor.kill()
        self._supervisor.wait()
        psutil.wait_procs(children, timeout=20)

    @property
    def recovery_store(self) -> Path:
        return self.home / "recovery" / "sessions-log"

    def _stop(self) -> None:
        if self._supervisor is not None:
            self._supervisor.send_signal(signal.SIGTERM)
            self._supervisor.wait(60)


class Full(Installation):
    """Relay, broker and dataflow, with proxies between them and before Postgres."""

    consumers = ("relay", "sessions")

    def __init__(self, folder: Path, *, has_broker: bool = True) -> None:
        super().__init__(folder)
        self.broker = Broker(is_there=has_broker)
        self._closing.callback(self.broker.close)
        self.postgres = Proxy(str(self.home))  # until it is known where the server listens
        self._closing.callback(self.postgres.close)

    def _open(self) -> None:
        self._prepare()
        socket_folder = parse_qs(urlsplit(self.url).query)["host"][0]
        self.postgres.target = f"{socket_folder}/.s.PGSQL.5432"
        self.environment = {"OPENSHELF_HOME": str(self.home), "OPENSHELF_DATABASE_URL": self.url}
        through_proxies = {
            "OPENSHELF_HOME": str(self.home),
            "OPENSHELF_DATABASE_URL": f"postgresql://postgres@{self.postgres.address}/postgres",
            "OPENSHELF_DATABASE_TIMEOUT_S": str(DATABASE_TIMEOUT_S),
            "OPENSHELF_BROKERS": self.broker.address,
            "OPENSHELF_LOG_FORMAT": "json",
        }
        settings = Settings(home=self.home, database_url=through_proxies["OPENSHELF_DATABASE_URL"])  # pyright: ignore
        self.relay = Part("relay", supervisor.relay_part().command, through_proxies)
        self.dataflow = Part("dataflow", supervisor.dataflow_part().command, dict(through_proxies))
        self._supervisor = Supervisor(settings, [self.relay, self.dataflow])
        self._keeper = threading.Thread(target=self._keep, name="supervisor", daemon=True)
        self._keeper.start()
        self._closing.callback(self._stop)

    def _keep(self) -> None:
        # In one thread from start to stop: the kernel ends children with the thread that made them.
        self._supervisor.start()
        self._supervisor.watch()
        self._supervisor.stop()

    def kill(self, part: str) -> None:
        os.kill(self.pid(part), signal.SIGKILL)

    def pid(self, part: str) -> int:
        found = self.relay if part == "relay" else self.dataflow

        def running() -> subprocess.Popen[bytes] | None:
            # Not reaped before the supervisor looks: a number that is not another's yet.
            process = found.process
            return process if process and process.returncode is None else None

        wait_for(running, f"the {part} to run")
        process = running()
        return process.pid if process else self.pid(part)

    def restart_postgres(self) -> None:
        def is_back() -> bool:
            try:
                embedded.restart(self.home)
                self.ask().close()
            except Exception:  # noqa: BLE001 - whatever it was, the next try may find it up
                return False
            return True

        wait_for(is_back, "Postgres")

    @property
    def recovery_store(self) -> Path:
        return self.home / "recovery" / "sessions-broker"

    def _stop(self) -> None:
        self.postgres.heal()
        self._supervisor.request_stop()
        self._keeper.join(60)


@contextmanager
def fresh_folder() -> Iterator[Path]:
    """Short, for the socket's path; the server's user must be let through."""
    folder = Path(tempfile.mkdtemp(prefix="openshelf-faults-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_port(closing: ExitStack) -> int:
    """Bound here, without listening, until then: nobody takes it while the storefront is between two lives."""
    held = closing.enter_context(socket.socket())
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held.getsockname()[1]
