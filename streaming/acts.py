"""From raw log entries to acts with their reward; what is bad becomes a dead letter. Pure."""

from datetime import datetime

import msgspec

from models.rewards import Rewards
from openshelf.contracts import BadEvent, Interaction, parse_interaction
from openshelf.database import erasures
from openshelf.database.stream import DeadLetterRow, InteractionRow

# What `source` says of entries of the log table; of others it is the topic's name.
LOG = "log"


class RawAct(msgspec.Struct, frozen=True, gc=False):
    """One entry as its source gave it.

    `source`, `partition`, `offset` say where it was read. `log_partition` and `log_offset` are its place in
    the log table: the same numbers when read from there, the relay's headers when read from a broker, and
    None when someone else wrote to the topic.
    """

    source: str
    partition: int
    offset: int
    payload: bytes
    received_at: datetime
    log_partition: int | None
    log_offset: int | None
    reader_key: str = ""  # as the log's writer named it; what counts is the one in the payload


class TakenAct(msgspec.Struct, frozen=True, gc=False):
    event: Interaction
    reward: float
    rewards_version: str
    raw: RawAct

    @property
    def reader_key(self) -> str:
        return self.event.reader_key

    def row(self) -> InteractionRow:
        event = self.event
        return InteractionRow(
            event_id=event.event_id,
            version=event.version,
            occurred_at=event.occurred_at,
            reader_key=event.reader_key,
            session_id=event.session_id,
            action=event.action,
            book_id=event.book_id,
            slate_id=event.slate_id,
            position=event.position,
            surface=event.surface,
            value=event.value,
            reward=self.reward,
            rewards_version=self.rewards_version,
            inferred=event.inferred,
            partition=self.raw.log_partition,
            log_offset=self.raw.log_offset,
            received_at=self.raw.received_at,
        )


class BadAct(msgspec.Struct, frozen=True, gc=False):
    reason: str
    raw: RawAct

    def row(self) -> DeadLetterRow:
        raw = self.raw
        # By its place in the log: one that the relay sends again is the same letter, at whatever offset of the topic.
        if raw.log_partition is not None and raw.log_offset is not None:
            return DeadLetterRow(LOG, raw.log_partition, raw.log_offset, self.reason, raw.payload)
        return DeadLetterRow(raw.source, raw.partition, raw.offset, self.reason, raw.payload)


class Forget(msgspec.Struct, frozen=True, gc=False):
    """The word to forget a reader: what came of them before it is removed, their state with it."""

    reader_key: str
    raw: RawAct


class Dropped(msgspec.Struct, frozen=True, gc=False):
    """An act of a reader who was erased: it leaves nothing but the place where it stood."""

    raw: RawAct


def take(raw: RawAct, rewards: Rewards) -> TakenAct | BadAct | Forget:
    forgotten = erasures.forgotten_by(raw.payload)
    if forgotten is not None:
        return Forget(forgotten, raw)
    event = parse_interaction(raw.payload, raw.received_at)
    if isinstance(event, BadEvent):
        return BadAct(event.reason, raw)
    return TakenAct(event, rewards.of(event), rewards.version, raw)
