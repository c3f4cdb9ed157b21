"""Run the session dataflow: claim, recovery store, recommender, signals. The shell around the wiring."""

import gc
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import psycopg
import structlog
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig

from models import rewards
from openshelf import broker, topics
from openshelf.contracts import utc_now
from openshelf.database import consumers, pool, reader_history, stream
from openshelf.errors import UsageError
from openshelf.settings import Settings, get_settings
from streaming import (
    broker_source,
    cluster,
    heartbeat,
    log_source,
    process_memory,
    recovery_store,
    sessions_flow,
    shell,
    stopping,
)
from streaming.batch_sink import CONSUMER, BatchSink
from streaming.broker_source import BrokerSource
from streaming.claims import claimed
from streaming.cluster import Member
from streaming.erased_readers import ErasedReaders
from streaming.log_source import LogSource
from streaming.patience import PatientConnection
from streaming.publishing import BrokerPublisher
from streaming.recommenders import RecommenderKeeper
from streaming.works_on_file import WorksOnFile

# While a champion is loaded Postgres may be silent this many times as long as one statement may run.
LOADING_TIMEOUTS = 10
# No session is that silent while its state is there to end it.
FORGOTTEN_AFTER = timedelta(days=1)

_log = structlog.get_logger(__name__)


def get_flow(keeper: RecommenderKeeper | None = None, share: topics.Share | None = None) -> Dataflow:
    """The session dataflow of this installation; `share`: unset, as the settings say."""
    settings = get_settings()
    every = _every_partition(settings)
    partitions = _of_share(share or topics.Share.parse(settings.share), every)
    keeper = keeper or RecommenderKeeper()
    past = PatientConnection()
    if settings.brokers:
        broker.ensure_topics(settings, [settings.topics.slates, settings.topics.dead_letters])
        source = BrokerSource(settings, partitions, len(every))
        sink = BatchSink(keeper.current, publisher=lambda: BrokerPublisher(shell.sender(settings), settings.topics))
    else:
        with pool.connect(autocommit=True) as conn:
            start_at = log_source.places_to_begin_at(conn, CONSUMER, partitions, utc_now())
        source, sink = LogSource(start_at=start_at, partitions=partitions), BatchSink(keeper.current)
    return sessions_flow.build_flow(
        source,
        sink,
        rewards=rewards.load(),
        history=lambda act: past.run(
            lambda conn: reader_history.stored_acts(
                conn, act.event.reader_key, before_offset=act.raw.log_offset, received_by=act.raw.received_at
            )
        ),
        clock=utc_now,
        silence=timedelta(minutes=settings.session_minutes),
        works=WorksOnFile(PatientConnection()),
        erased=ErasedReaders(PatientConnection()),
    )


def run_sessions(workers: int, share: topics.Share) -> None:
    """Run the session dataflow over a share of the partitions until asked to stop.

    Raises:
        OpenshelfError: its partitions are taken, the broker is away, the schema is another. UsageError: an empty share.
    """
    stopping.on_signals()
    settings = get_settings()
    with claimed("sessions", share, _of_share(share, _every_partition(settings))):
        with pool.connect() as conn:
            folder, keeps = _recovery_folder(settings, share), broker_source.RETENTION if settings.brokers else None
            recovery_store.prepare(folder, fingerprint(settings, conn), utc_now, keeps)
            stream.end_forgotten_sessions(conn, utc_now() - FORGOTTEN_AFTER)
        if workers == 1:
            _run_member(share)
        else:
            cluster.run(workers, ["--share", str(share)])


def run_member(member: Member, share: topics.Share) -> None:
    """Run one process of a cluster; it ends with its parent."""
    stopping.on_signals()
    cluster.end_with(member.parent_pid)
    _run_member(share, member)


def _every_partition(settings: Settings) -> Sequence[int]:
    """Those of the topic, or of the log.

    Raises:
        BrokerError: the broker is away.
    """
    return broker_source.partitions(settings) if settings.brokers else range(topics.PARTITIONS)


def _of_share(share: topics.Share, every: Sequence[int]) -> list[int]:
    """The partitions that are this share's.

    Raises:
        UsageError: there are fewer partitions than shares.
    """
    if found := share.of(every):
        return found
    raise UsageError(f"share {share} is empty: there are {len(every)} partitions, and so at most as many shares")


def _run_member(share: topics.Share, member: Member | None = None) -> None:
    settings = get_settings()
    process_memory.keep_large_apart()
    keeper = RecommenderKeeper()
    process, count_processes = (member.process_id, len(member.addresses)) if member else (0, 1)
    beating = heartbeat.start("sessions", share, process, count_processes, keeper.served)
    with _connect_to_load(settings) as conn:
        keeper.refresh(conn)
    beating.now()
    flow = get_flow(keeper, share)
    keeper.watch(PatientConnection(lambda: _connect_to_load(settings)), beating.now)
    _log.info("sessions_started", source="broker" if settings.brokers else "log", process=member and member.process_id)
    _calm_collector()
    shell.run(
        flow,
        process_id=member.process_id if member else None,
        addresses=list(member.addresses) if member else None,
        epoch_interval=shell.SNAPSHOT_EVERY,
        # No older snapshots than needed to resume: nobody backs the store up, Postgres is the truth.
        recovery_config=RecoveryConfig(_recovery_folder(settings, share), timedelta(0)),
    )
    beating.end()
    _log.info("sessions_stopped")


def _connect_to_load(settings: Settings) -> psycopg.Connection:
    """For what serves. To read it may take long; but from a server that cannot be heard no champion would ever come."""
    return pool.connect(autocommit=True, unlimited=True, patience_s=LOADING_TIMEOUTS * settings.database_timeout_s)


def _calm_collector() -> None:
    """What is loaded by now stays; and what a batch makes is freed by its last reference, not by looking for cycles.

    With the collector's usual steps a third of the time of an act goes into walking through what never changes.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def fingerprint(settings: Settings, conn: psycopg.Connection) -> str:
    """What the places and states in a recovery store belong to: this database, these steps, this log or topic."""
    words = [consumers.fingerprint(conn), sessions_flow.FLOW_ID, *sessions_flow.STEP_IDS]
    if settings.brokers:
        partitions = ",".join(map(str, broker_source.partitions(settings)))
        words += [broker.check(settings).cluster_id or "", settings.topics.interactions, partitions]
    return " ".join(words)


def _recovery_folder(settings: Settings, share: topics.Share) -> Path:
    """A store knows the partitions it was made with: log, topic and every share have stores of their own."""
    name = "sessions-broker" if settings.brokers else "sessions-log"
    if share != topics.WHOLE:
        name += f"-{share.number}-of-{share.count}"
    return settings.home / "recovery" / name
