"""Run the dataflows: claim, recovery store, recommender, signals. The shell around the wiring."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextvars import copy_context
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import structlog
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig
from bytewax.run import cli_main

from models import rewards
from openshelf import broker, topics
from openshelf.contracts import utc_now
from openshelf.database import consumers, events, migrate, pool, reader_history
from openshelf.errors import OpenshelfError
from openshelf.settings import Settings, get_settings
from streaming import recovery_store, relay, sessions_flow, stopping
from streaming.batch_sink import BatchSink
from streaming.broker_source import BrokerSource
from streaming.log_source import LogSource
from streaming.patience import AWAY, PatientConnection
from streaming.publishing import BrokerPublisher, ConfirmedSender
from streaming.recommenders import RecommenderKeeper

SNAPSHOT_EVERY = timedelta(seconds=5)
# A holder that was just killed lets go within this time.
CLAIM_PATIENCE_S = 2.0
CLAIM_CHECK_S = 1.0
CHILD_CHECK_S = 0.2

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Member:
    """This process's place in a cluster; the addresses are those of all its members, in order."""

    process_id: int
    addresses: Sequence[str]
    parent_pid: int


def get_flow(keeper: RecommenderKeeper | None = None) -> Dataflow:
    """The session dataflow of this installation."""
    settings = get_settings()
    keeper = keeper or RecommenderKeeper()
    past = PatientConnection()
    if settings.brokers:
        broker.ensure_topics(settings.brokers, [topics.SLATES, topics.DEAD_LETTERS])
        source = BrokerSource(settings.brokers)
        sink = BatchSink(publisher=lambda: BrokerPublisher(_sender(settings)))
    else:
        source, sink = LogSource(), BatchSink()
    return sessions_flow.build_flow(
        source,
        sink,
        rewards=rewards.load(),
        serving=keeper.current,
        history=lambda act: past.run(
            lambda conn: reader_history.stored_acts(conn, act.event.reader_key, before_offset=act.raw.log_offset)
        ),
        clock=utc_now,
        silence=timedelta(minutes=settings.session_minutes),
    )


def run_sessions(workers: int) -> None:
    """Run the session dataflow until asked to stop.

    Raises:
        OpenshelfError: it runs already, the broker is away, the schema is another.
    """
    stopping.on_signals()
    settings = get_settings()
    with _claimed("sessions"):
        with pool.connect() as conn:
            recovery_store.prepare(_recovery_folder(settings), consumers.fingerprint(conn), utc_now)
        if workers == 1:
            _run_member(None)
        else:
            _run_cluster(workers)


def run_member(member: Member) -> None:
    """Run one process of a cluster; it ends with its parent."""
    stopping.on_signals()
    _watch_parent(member.parent_pid)
    _run_member(member)


def _run_member(member: Member | None) -> None:
    settings = get_settings()
    keeper = RecommenderKeeper()
    with pool.connect(autocommit=True, unlimited=True) as conn:
        keeper.refresh(conn)
    flow = get_flow(keeper)
    keeper.watch(PatientConnection(lambda: pool.connect(autocommit=True, unlimited=True)))
    _log.info("sessions_started", source="broker" if settings.brokers else "log", process=member and member.process_id)
    _run(
        flow,
        process_id=member.process_id if member else None,
        addresses=list(member.addresses) if member else None,
        epoch_interval=SNAPSHOT_EVERY,
        # No older snapshots than needed to resume: nobody backs the store up, Postgres is the truth.
        recovery_config=RecoveryConfig(_recovery_folder(settings), timedelta(0)),
    )
    _log.info("sessions_stopped")


def _recovery_folder(settings: Settings) -> Path:
    """Log and topic have other partitions, so each has a store of its own."""
    return settings.home / "recovery" / ("sessions-broker" if settings.brokers else "sessions-log")


def run_relay() -> None:
    """Send the log to the broker until asked to stop.

    Raises:
        OpenshelfError: no broker is set or it is away, the relay runs already.
    """
    settings = get_settings()
    if not settings.brokers:
        raise OpenshelfError("no broker is set (OPENSHELF_BROKERS): the dataflow reads the log itself")
    stopping.on_signals()
    broker.ensure_topics(settings.brokers, [topics.INTERACTIONS])
    with _claimed("relay"):
        with pool.connect() as conn:
            start_at = events.next_offsets(conn, relay.CONSUMER)
        sink = relay.RelaySink(PatientConnection(), _sender(settings))
        _log.info("relay_started", brokers=settings.brokers)
        _run(relay.build_flow(LogSource(start_at=start_at), sink), epoch_interval=SNAPSHOT_EVERY)
        _log.info("relay_stopped")


def _run(flow: Dataflow, **options: Any) -> None:
    """Run a dataflow; an error of ours comes out as it was raised, not wrapped by Bytewax.

    Raises:
        OpenshelfError: raised by a step.
    """
    try:
        cli_main(flow, **options)
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OpenshelfError):
            cause = cause.__cause__
        if cause is None:
            raise
        raise cause from error


def _sender(settings: Settings) -> ConfirmedSender:
    brokers = settings.brokers
    assert brokers
    return ConfirmedSender(lambda: broker.producer(brokers))


class _claimed:  # noqa: N801 - reads as a word in a with statement
    """Be the only running consumer of this kind; the claim is taken again after Postgres restarts."""

    def __init__(self, consumer: str) -> None:
        self._consumer = consumer
        self._done = threading.Event()
        self._lost: str | None = None

    def __enter__(self) -> None:
        conn = self._connect()
        migrate.check(conn)
        deadline = time.monotonic() + CLAIM_PATIENCE_S
        while holder := consumers.hold(conn, self._consumer):
            if time.monotonic() > deadline or stopping.wait(0.1):
                conn.close()
                raise OpenshelfError(f"already running, {holder}. Stop that one first.")
        threading.Thread(target=copy_context().run, args=[self._guard, conn], name="claim", daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if self._lost:
            raise OpenshelfError(f"stopped: while Postgres was away another one started, {self._lost}")

    def _connect(self) -> psycopg.Connection:
        conn = pool.connect(autocommit=True)
        consumers.call_itself(conn, f"pid {os.getpid()}, openshelf {self._consumer}")
        return conn

    def _guard(self, conn: psycopg.Connection | None) -> None:
        """Hold the claim's connection, and take the claim anew when the server was restarted."""
        while not self._done.wait(CLAIM_CHECK_S):
            try:
                if conn is None:
                    conn = self._connect()
                    if holder := consumers.hold(conn, self._consumer):
                        self._lost = holder
                        _log.error("claim_lost", holder=holder)
                        stopping.request()
                        return
                pool.ping(conn)
            except AWAY:
                if conn is not None:
                    conn.close()
                conn = None
        if conn is not None:
            conn.close()


def _run_cluster(count: int) -> None:
    """One process per worker; when one ends unasked, all end."""
    addresses = ";".join(f"127.0.0.1:{port}" for port in _free_ports(count))
    command = [sys.executable, "-m", "openshelf", "stream", "member"]
    children = [
        subprocess.Popen([*command, str(i), "--addresses", addresses, "--parent", str(os.getpid())])
        for i in range(count)
    ]
    try:
        while not stopping.wait(CHILD_CHECK_S):
            if ended := [child for child in children if child.poll() is not None]:
                raise OpenshelfError(f"a worker ended with code {ended[0].returncode}; its lines above say why")
    finally:
        for child in children:
            child.terminate()
        for child in children:
            _wait(child)


def _wait(child: subprocess.Popen[bytes]) -> None:
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _watch_parent(parent_pid: int) -> None:
    def look() -> None:
        while not stopping.wait(CHILD_CHECK_S):
            if os.getppid() != parent_pid:
                stopping.request()

    threading.Thread(target=look, name="parent", daemon=True).start()
