"""What the session dataflow writes and others read: interactions, sessions, slates; dead letters
are read in `dead_letters`.

Bulk rows travel as one JSON document a table (encoded in C, taken apart by the server): a tenth of
the work of a parameter per value in the dataflow's process.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import LiteralString
from uuid import UUID

import msgspec
import psycopg
from psycopg.rows import class_row

from openshelf import contracts
from openshelf.contracts import Place, Slate, Source, Surface
from openshelf.database import events


class InteractionRow(msgspec.Struct, frozen=True):
    event_id: UUID
    version: int
    occurred_at: datetime
    reader_key: str
    session_id: UUID
    action: str
    book_id: int | None
    slate_id: UUID | None
    position: int | None
    surface: str
    value: float | None
    reward: float
    rewards_version: str
    inferred: bool
    partition: int | None
    log_offset: int | None
    received_at: datetime


class SessionRow(msgspec.Struct, frozen=True):
    """A session with absolute numbers, so that writing it twice changes nothing."""

    session_id: UUID
    reader_key: str
    arm: str
    started_at: datetime
    last_act_at: datetime
    ended_at: datetime | None
    count_acts: int
    count_shows: int
    reward: float


class SlateRow(msgspec.Struct, frozen=True):
    slate: Slate
    event_id: UUID
    event_received_at: datetime


class DeadLetterRow(msgspec.Struct, frozen=True):
    """`source` is 'log' or a topic; `partition` and `log_offset` are the place there."""

    source: str
    partition: int
    log_offset: int
    reason: str
    payload: bytes


@dataclass(frozen=True)
class Batch:
    """What one transaction stores. At most one row per session; `progress` is the log's next offset by partition."""

    interactions: Sequence[InteractionRow] = ()
    sessions: Sequence[SessionRow] = ()
    slates: Sequence[SlateRow] = ()
    dead_letters: Sequence[DeadLetterRow] = ()
    progress: dict[int, int] = field(default_factory=dict)


def store_batch(conn: psycopg.Connection, consumer: str, batch: Batch) -> None:
    """Store a batch in one transaction and one round trip; storing it again changes nothing."""
    with conn.transaction(), conn.pipeline():
        if batch.interactions:
            _store_interactions(conn, batch.interactions)
        if batch.sessions:
            _store_sessions(conn, batch.sessions)
        if batch.slates:
            _store_slates(conn, batch.slates)
        for letter in batch.dead_letters:
            _store_dead_letter(conn, letter)
        if batch.progress:
            events.set_progress(conn, consumer, batch.progress)


def _json(rows: object) -> str:
    return msgspec.json.encode(rows).decode()


def _store_interactions(conn: psycopg.Connection, rows: Sequence[InteractionRow]) -> None:
    conn.execute(
        """insert into stream.interactions (
               event_id, version, occurred_at, reader_key, session_id, action, book_id, slate_id, position, surface,
               value, reward, rewards_version, inferred, partition, log_offset, received_at
           )
           select * from json_to_recordset(%s::json) as act (
               event_id uuid, version int, occurred_at timestamptz, reader_key text, session_id uuid, action text,
               book_id int, slate_id uuid, position int, surface text, value double precision, reward real,
               rewards_version text, inferred boolean, partition smallint, log_offset bigint, received_at timestamptz
           )
           on conflict (event_id) do nothing""",
        [_json(rows)],
    )


def _store_sessions(conn: psycopg.Connection, rows: Sequence[SessionRow]) -> None:
    # A replay walks through a session's earlier numbers again: the row with more acts stays, and an end stands
    # until a later act reopens the session.
    conn.execute(
        """insert into stream.sessions as known (
               session_id, reader_key, arm, started_at, last_act_at, ended_at, count_acts, count_shows, reward
           )
           select * from json_to_recordset(%s::json) as session (
               session_id uuid, reader_key text, arm text, started_at timestamptz, last_act_at timestamptz,
               ended_at timestamptz, count_acts int, count_shows int, reward real
           )
           on conflict (session_id) do update set
               started_at = least(known.started_at, excluded.started_at),
               last_act_at = greatest(known.last_act_at, excluded.last_act_at),
               ended_at = coalesce(
                   case when excluded.last_act_at >= known.last_act_at then excluded.ended_at end,
                   case when excluded.last_act_at <= known.last_act_at then known.ended_at end
               ),
               count_acts = greatest(known.count_acts, excluded.count_acts),
               count_shows = greatest(known.count_shows, excluded.count_shows),
               reward = case
                   when excluded.count_acts + excluded.count_shows >= known.count_acts + known.count_shows
                   then excluded.reward else known.reward
               end""",
        [_json(rows)],
    )


def _store_slates(conn: psycopg.Connection, rows: Sequence[SlateRow]) -> None:
    # Places go in only with a slate that is new: a replay under another policy must not mix two draws.
    conn.execute(
        """with drawn as materialized (
               select * from json_to_recordset(%s::json) as row (
                   slate json, event_id uuid, event_received_at timestamptz
               )
           ),
           fresh as (
               insert into stream.slates (
                   slate_id, event_id, reader_key, session_id, created_at, policy_version, arm, surface,
                   event_received_at
               )
               select slate.slate_id, drawn.event_id, slate.reader_key, slate.session_id, slate.created_at,
                      slate.policy_version, slate.arm, slate.surface, drawn.event_received_at
               from drawn cross join lateral json_to_record(drawn.slate) as slate (
                   slate_id uuid, reader_key text, session_id uuid, created_at timestamptz, policy_version text,
                   arm text, surface text
               )
               on conflict (slate_id) do nothing
               returning slate_id
           )
           insert into stream.slate_places (
               slate_id, position, book_id, propensity, source, reason, reason_book_id
           )
           select fresh.slate_id, place.position, place.book_id, place.propensity, place.source, place.reason,
                  place.reason_book_id
           from fresh
           join drawn on (drawn.slate ->> 'slate_id')::uuid = fresh.slate_id
           cross join lateral json_to_recordset(drawn.slate -> 'places') as place (
               position smallint, book_id int, propensity double precision, source text, reason text,
               reason_book_id int
           )
           on conflict (slate_id, position) do nothing""",
        [_json(rows)],
    )


def _store_dead_letter(conn: psycopg.Connection, letter: DeadLetterRow) -> None:
    conn.execute(
        """insert into stream.dead_letters (source, partition, log_offset, reason, payload)
           values (%s, %s, %s, %s, %s) on conflict (source, partition, log_offset) do nothing""",
        [letter.source, letter.partition, letter.log_offset, contracts.clean_text(letter.reason), letter.payload],
    )


@dataclass(frozen=True)
class _SlatePlace:
    slate_id: UUID
    event_id: UUID
    reader_key: str
    session_id: UUID
    created_at: datetime
    policy_version: str
    arm: str
    surface: str
    position: int | None
    book_id: int | None
    propensity: float | None
    source: str | None
    reason: str | None
    reason_book_id: int | None


_SLATE_PLACES: LiteralString = """
    select slate.slate_id, slate.event_id, slate.reader_key, slate.session_id, slate.created_at, slate.policy_version,
           slate.arm, slate.surface, place.position, place.book_id, place.propensity, place.source, place.reason,
           place.reason_book_id
    from slate left join stream.slate_places as place using (slate_id)
    order by slate.slate_id, place.position"""


def latest_slate(conn: psycopg.Connection, reader_key: str, session_id: UUID | None = None) -> Slate | None:
    """The slate of the reader's newest act, of one session if given."""
    with conn.cursor(row_factory=class_row(_SlatePlace)) as cursor:
        rows = cursor.execute(
            "with slate as ("
            "    select * from stream.slates"
            "    where reader_key = %(reader_key)s"
            "        and (%(session_id)s::uuid is null or session_id = %(session_id)s)"
            "    order by created_at desc, stored_at desc limit 1"
            f") {_SLATE_PLACES}",
            {"reader_key": reader_key, "session_id": session_id},
        ).fetchall()
    return next(iter(_slates(rows, key=lambda row: row.slate_id).values()), None)


def slates_of_events(conn: psycopg.Connection, event_ids: Sequence[UUID]) -> dict[UUID, Slate]:
    """The slates that these acts triggered, by event_id; acts without one (yet) are absent."""
    with conn.cursor(row_factory=class_row(_SlatePlace)) as cursor:
        rows = cursor.execute(
            f"with slate as (select * from stream.slates where slate_id = any(%s)) {_SLATE_PLACES}",
            [[contracts.slate_id_of(event_id) for event_id in event_ids]],
        ).fetchall()
    return _slates(rows, key=lambda row: row.event_id)


def _slates(rows: Sequence[_SlatePlace], key: Callable[[_SlatePlace], UUID]) -> dict[UUID, Slate]:
    grouped: dict[UUID, list[_SlatePlace]] = {}
    for row in rows:
        grouped.setdefault(key(row), []).append(row)
    return {
        found: Slate(
            slate_id=first.slate_id,
            reader_key=first.reader_key,
            session_id=first.session_id,
            created_at=first.created_at,
            policy_version=first.policy_version,
            arm=first.arm,
            surface=Surface(first.surface),
            places=tuple(place for row in mine if (place := _place(row))),
        )
        for found, mine in grouped.items()
        for first in mine[:1]
    }


def _place(row: _SlatePlace) -> Place | None:
    """The place of a joined row; None for a slate without places."""
    if row.book_id is None or row.position is None or row.propensity is None or not row.source or row.reason is None:
        return None
    return Place(
        book_id=row.book_id,
        position=row.position,
        propensity=row.propensity,
        source=Source(row.source),
        reason=row.reason,
        reason_book_id=row.reason_book_id,
    )
