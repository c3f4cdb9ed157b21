"""The relay dataflow: every entry of the log table to the interactions topic, in order, confirmed before it counts."""

import bytewax.operators as op
import structlog
from bytewax.dataflow import Dataflow
from bytewax.inputs import Source
from bytewax.outputs import DynamicSink, StatelessSinkPartition

from openshelf import broker, topics
from openshelf.database import events, pool, stream
from openshelf.database.stream import Batch, DeadLetterRow
from openshelf.errors import OpenshelfError, UsageError
from openshelf.settings import get_settings
from streaming import heartbeat, measures, shell, stopping
from streaming.acts import RawAct
from streaming.broker_source import OFFSET_HEADER, PARTITION_HEADER, RECEIVED_HEADER
from streaming.claims import claimed
from streaming.log_source import LogSource
from streaming.patience import PatientConnection
from streaming.publishing import MAX_PAYLOAD_BYTES, ConfirmedSender, OutMessage

CONSUMER = "relay"
FLOW_ID = "relay"

_log = structlog.get_logger(__name__)


def message_of(raw: RawAct, topic: str) -> OutMessage:
    return OutMessage(
        topic,
        raw.reader_key,
        raw.payload,
        (
            (PARTITION_HEADER, str(raw.partition).encode()),
            (OFFSET_HEADER, str(raw.offset).encode()),
            (RECEIVED_HEADER, raw.received_at.isoformat().encode()),
        ),
    )


class RelayPart(StatelessSinkPartition[RawAct]):
    def __init__(self, connection: PatientConnection, sender: ConfirmedSender, topic: str) -> None:
        self._connection, self._sender, self._topic = connection, sender, topic

    def write_batch(self, items: list[RawAct]) -> None:
        fit = [raw for raw in items if len(raw.payload) <= MAX_PAYLOAD_BYTES]
        self._sender.send([message_of(raw, self._topic) for raw in fit])
        too_large = [
            DeadLetterRow(
                raw.source,
                raw.partition,
                raw.offset,
                f"event of {len(raw.payload)} bytes is too large for the broker",
                raw.payload,
            )
            for raw in items
            if len(raw.payload) > MAX_PAYLOAD_BYTES
        ]
        progress: dict[int, int] = {}
        for raw in items:
            progress[raw.partition] = max(progress.get(raw.partition, 0), raw.offset + 1)
        batch = Batch(dead_letters=too_large, progress=progress)
        self._connection.run(lambda conn: stream.store_batch(conn, CONSUMER, batch))
        measures.THIS_PROCESS.stored(len(fit), count_dead_letters=len(too_large))

    def close(self) -> None:
        self._connection.close()


class RelaySink(DynamicSink[RawAct]):
    def __init__(self, connection: PatientConnection, sender: ConfirmedSender, topic: str) -> None:
        self._connection, self._sender, self._topic = connection, sender, topic

    def build(self, step_id: str, worker_index: int, worker_count: int) -> RelayPart:
        return RelayPart(self._connection, self._sender, self._topic)


def build_flow(source: Source[RawAct], sink: RelaySink) -> Dataflow:
    """One worker only: what is behind the progress of a partition must have been sent."""
    flow = Dataflow(FLOW_ID)
    raws = op.input("read_acts", flow, source)
    # RawAct
    op.output("send_acts", raws, sink)
    return flow


def run_relay(share: topics.Share) -> None:
    """Send a share of the log to the broker until asked to stop.

    Raises:
        OpenshelfError: no broker is set or it is away, a relay of these partitions runs already.
    """
    settings = get_settings()
    if not settings.brokers:
        raise OpenshelfError("no broker is set (OPENSHELF_BROKERS): the dataflow reads the log itself")
    stopping.on_signals()
    broker.ensure_topics(settings, [settings.topics.interactions])
    partitions = share.of(range(topics.PARTITIONS))
    if not partitions:
        raise UsageError(f"share {share} is empty: the log has {topics.PARTITIONS} partitions")
    with claimed("relay", share, partitions):
        with pool.connect() as conn:
            start_at = events.next_offsets(conn, CONSUMER)
        sink = RelaySink(PatientConnection(), shell.sender(settings), settings.topics.interactions)
        beating = heartbeat.start("relay", share)
        _log.info("relay_started", brokers=settings.brokers)
        flow = build_flow(LogSource(start_at=start_at, partitions=partitions), sink)
        shell.run(flow, epoch_interval=shell.SNAPSHOT_EVERY)
        beating.end()
        _log.info("relay_stopped")
