"""How each part is broken, and how that ends."""

import re
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Generic, TypeVar

import psutil
import psycopg
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, Producer, TopicPartition

from openshelf.database.pool import GRACE_S

from .actor import Actor
from .installation import DATABASE_TIMEOUT_S, Embedded, Full, Installation, wait_for
from .small_disk import SmallDisk

AnInstallation = TypeVar("AnInstallation", bound=Installation)

TOPIC = "openshelf.interactions.v1"
IS_FULL = "the disk (of Postgres )?is full"
READING_S = 2.0


@dataclass(frozen=True)
class Stage(Generic[AnInstallation]):
    """Where a fault happens."""

    installation: AnInstallation
    actor: Actor
    random: Random


@dataclass(frozen=True)
class Fault(Generic[AnInstallation]):
    """`begin` breaks it, `end` mends what does not mend itself, after a time between the two of `holds_s`."""

    name: str
    begin: Callable[[Stage[AnInstallation]], object]
    end: Callable[[Stage[AnInstallation]], object] = lambda _: None
    holds_s: tuple[float, float] = (0.0, 0.0)
    moves_clock: bool = False
    alone: bool = False  # not together with another
    is_slow: bool = False  # takes more than one start of the dataflow


def _damage(stage: Stage) -> None:
    """While the dataflow is dead: random bytes somewhere in the store, or a file that is none."""
    stage.installation.kill("dataflow")
    for part in stage.installation.recovery_store.glob("part-*"):
        found = bytearray(part.read_bytes())
        start = stage.random.choice([0, stage.random.randrange(max(len(found), 1))])
        found[start : start + 5_000] = stage.random.randbytes(5_000)
        part.write_bytes(found)


def _delete(stage: Stage) -> None:
    stage.installation.kill("dataflow")
    shutil.rmtree(stage.installation.recovery_store, ignore_errors=True)


def _kill_often(stage: Stage, part: str) -> None:
    for _ in range(stage.random.randint(1, 2)):
        stage.installation.kill(part)
        time.sleep(stage.random.uniform(0, 1))


def _restart_actor(stage: Stage) -> None:
    stage.actor.start(stage.random.randrange(2**31))


ANYWHERE: list[Fault[Installation]] = [
    Fault("kill -9 dataflow", lambda stage: _kill_often(stage, "dataflow")),
    Fault("kill -9 app", lambda stage: stage.actor.kill(), _restart_actor),
    Fault("recovery store deleted", _delete),
    Fault("recovery store corrupted", _damage),
]

EMBEDDED: list[Fault[Embedded]] = [
    Fault("kill -9 Postgres", lambda stage: stage.installation.kill_postgres()),
    Fault(
        "kill -9 supervisor",
        lambda stage: stage.installation.kill_supervisor(),
        lambda stage: stage.installation.start(),
    ),
]


def _disk(stage: Stage[Embedded]) -> SmallDisk:
    assert stage.installation.disk
    return stage.installation.disk


def _fill(stage: Stage[Embedded]) -> None:
    _disk(stage).fill()


def _fill_until_panic(stage: Stage[Embedded]) -> None:
    """Postgres cannot even write down what it is about to do: it ends, and does not come back before there is room."""
    _disk(stage).fill()
    with suppress(psycopg.Error), psycopg.connect(stage.installation.url, autocommit=True) as conn:
        while True:
            conn.execute("select pg_switch_wal(), pg_logical_emit_message(true, 'breaking', 'a word')")


def _free_once_said(stage: Stage[Embedded]) -> None:
    """Not before somebody could read why nothing works."""
    installation = stage.installation
    wait_for(
        lambda: re.search(IS_FULL, installation.lines_of("up") + installation.lines_of("dataflow")),
        "the full disk to be said",
    )
    _disk(stage).free()


DISK_FULL: list[Fault[Embedded]] = [
    Fault("disk full", _fill, lambda stage: _disk(stage).free(), holds_s=(3, 8), alone=True),
    Fault("disk full, Postgres ends", _fill_until_panic, _free_once_said, (3, 8), alone=True),
]


def _lose_broker(stage: Stage[Full]) -> None:
    """It dies with all that it had confirmed, and an empty one takes its place."""
    stage.installation.broker.kill()
    time.sleep(stage.random.uniform(0, 1.5))
    stage.installation.broker.start()


def _lose_broker_and_dataflow(stage: Stage[Full]) -> None:
    stage.installation.broker.kill()
    stage.installation.kill("dataflow")
    stage.installation.broker.start()


def _away_at_start(stage: Stage[Full]) -> None:
    stage.installation.broker.proxy.refuse()
    stage.installation.kill("relay")
    stage.installation.kill("dataflow")


def _send_again(stage: Stage[Full]) -> None:
    """Some of the newest messages of the topic once more, in any order."""
    address = {"bootstrap.servers": stage.installation.broker.address, "log_level": 2}
    with suppress(KafkaException):  # a broker that is away has nothing to repeat
        messages = _newest(address)
        chosen = stage.random.sample(messages, k=min(len(messages), 150)) * 2
        stage.random.shuffle(chosen)
        producer = Producer(address | {"partitioner": "consistent"})
        for message in chosen:
            producer.produce(TOPIC, message.value(), message.key(), headers=message.headers())
        producer.flush(10)


def _newest(address: dict) -> list[Message]:
    consumer = Consumer(address | {"group.id": "breaking", "enable.auto.commit": False})
    try:
        partitions = consumer.list_topics(TOPIC, timeout=5).topics[TOPIC].partitions
        consumer.assign([TopicPartition(TOPIC, partition, OFFSET_BEGINNING) for partition in partitions])
        found, enough_at = [], time.monotonic() + READING_S
        while time.monotonic() < enough_at:
            found += [message for message in consumer.consume(1_000, timeout=0.2) if not message.error()]
        return found[-400:]
    finally:
        consumer.close()


def _freeze(stage: Stage[Full]) -> None:
    """As a machine that is moved or out of memory does: in the midst of whatever it was at, and it goes on later."""
    with suppress(psutil.Error):
        psutil.Process(stage.installation.pid("dataflow")).suspend()


def _thaw(stage: Stage[Full]) -> None:
    with suppress(psutil.Error):
        psutil.Process(stage.installation.pid("dataflow")).resume()


def _restart_postgres(stage: Stage[Full]) -> None:
    stage.installation.restart_postgres()


def _cut(stage: Stage[Full]) -> None:
    for _ in range(stage.random.randint(1, 4)):
        stage.random.choice([stage.installation.postgres, stage.installation.broker.proxy]).cut()
        time.sleep(stage.random.uniform(0, 1))


def _slow(stage: Stage[Full]) -> None:
    stage.installation.postgres.delay_s = stage.random.uniform(0.005, 0.02)
    stage.installation.broker.proxy.delay_s = stage.random.uniform(0.02, 0.1)


def _heal(stage: Stage[Full]) -> None:
    stage.installation.postgres.heal()
    stage.installation.broker.proxy.heal()


FULL: list[Fault[Full]] = [
    Fault("dataflow frozen", _freeze, _thaw, holds_s=(3, 12)),
    Fault("kill -9 relay", lambda stage: _kill_often(stage, "relay")),
    Fault("kill -9 Postgres", lambda stage: stage.installation.kill_postgres(), _restart_postgres, holds_s=(0, 2)),
    Fault("kill -9 broker, back empty", _lose_broker),
    Fault("kill -9 broker and dataflow", _lose_broker_and_dataflow),
    Fault(
        "broker away",
        lambda stage: stage.installation.broker.proxy.refuse(),
        lambda stage: stage.installation.broker.proxy.heal(),
        holds_s=(2, 6),
    ),
    Fault("broker away at start", _away_at_start, lambda stage: stage.installation.broker.proxy.heal(), holds_s=(4, 9)),
    Fault(
        "broker hangs",
        lambda stage: stage.installation.broker.proxy.stall(),
        lambda stage: stage.installation.broker.proxy.heal(),
        holds_s=(3, 12),
    ),
    Fault(
        "Postgres hangs",
        lambda stage: stage.installation.postgres.stall(),
        lambda stage: stage.installation.postgres.heal(),
        # Longer than a statement may take and than is waited for what the server has to say of that.
        holds_s=(DATABASE_TIMEOUT_S + GRACE_S + 1, 12),
    ),
    Fault("connections reset", _cut),
    Fault("half-open connections to Postgres", lambda stage: stage.installation.postgres.strand()),
    Fault("half-open connections to the broker", lambda stage: stage.installation.broker.proxy.strand()),
    Fault("slow network", _slow, _heal, holds_s=(3, 6)),
    Fault("repeats and reorderings", _send_again),
]
