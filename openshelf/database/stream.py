"""What the session dataflow writes and others read: interactions, sessions, slates; dead letters
are read in `dead_letters`.

Bulk rows travel as one JSON document a table (encoded in C, taken apart by the server): a tenth of
the work of a parameter per value in the dataflow's process.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import LiteralString
from uuid import UUID

import msgspec
import psycopg
from psycopg.rows import class_row

from openshelf import contracts
from openshelf.contracts import Slate, Surface, places_of
from openshelf.database import erasures, events, experiments, quarantine
from openshelf.database.experiments import Assignment
from openshelf.database.quarantine import QuarantineRow


class InteractionRow(msgspec.Struct, frozen=True, gc=False):
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


class SessionRow(msgspec.Struct, frozen=True, gc=False):
    """A session with absolute numbers, so that writing it twice changes nothing."""

    session_id: UUID
    reader_key: str
    arm: str
    started_at: datetime
    last_act_at: datetime
    ended_at: datetime | None
    count_acts: int
    count_shows: int
    count_inferred: int
    reward: float


class SlateRow(msgspec.Struct, frozen=True, gc=False):
    """A slate as it lies in its table: the places as arrays, which cost far less than a struct a place."""

    slate_id: UUID
    event_id: UUID
    reader_key: str
    session_id: UUID
    created_at: datetime
    policy_version: str
    arm: str
    surface: str
    event_received_at: datetime
    book_ids: list[int]
    propensities: list[float]
    sources: list[str]
    reasons: list[str]
    reason_book_ids: list[int | None]

    def slate(self) -> Slate:
        return Slate(
            slate_id=self.slate_id,
            reader_key=self.reader_key,
            session_id=self.session_id,
            created_at=self.created_at,
            policy_version=self.policy_version,
            arm=self.arm,
            surface=Surface(self.surface),
            places=places_of(self.book_ids, self.propensities, self.sources, self.reasons, self.reason_book_ids),
        )


class DeadLetterRow(msgspec.Struct, frozen=True, gc=False):
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
    assignments: Sequence[Assignment] = ()
    early: Sequence[QuarantineRow] = ()
    forgotten: Sequence[str] = ()  # reader_keys: after all else, nothing of them stays
    progress: dict[int, int] = field(default_factory=dict)


def store_batch(conn: psycopg.Connection, consumer: str, batch: Batch) -> None:
    """Store a batch in one transaction and one round trip; storing it again changes nothing."""
    with conn.transaction():
        for reader_key in batch.forgotten:
            erasures.lock_requests(conn, reader_key)
        with conn.pipeline():
            _store_rows(conn, batch)
            if batch.progress:
                events.set_progress(conn, consumer, batch.progress)
        for reader_key in batch.forgotten:
            erasures.remove_forgotten(conn, reader_key)


def _store_rows(conn: psycopg.Connection, batch: Batch) -> None:
    if batch.interactions:
        _store_interactions(conn, batch.interactions)
    if batch.sessions:
        _store_sessions(conn, batch.sessions)
    if batch.slates:
        _store_slates(conn, batch.slates)
    if batch.assignments:
        experiments.store_assignments(conn, batch.assignments)
    if batch.early:
        quarantine.store(conn, batch.early)
    for letter in batch.dead_letters:
        _store_dead_letter(conn, letter)


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
    # A replay walks through a session's earlier numbers again, and a state that was lost counts anew: the row with more
    # acts stays, and an end stands until a later act reopens the session. `streaming.batch_sink` does the same.
    conn.execute(
        """insert into stream.sessions as known (
               session_id, reader_key, arm, started_at, last_act_at, ended_at, count_acts, count_shows,
               count_inferred, reward
           )
           select * from json_to_recordset(%s::json) as session (
               session_id uuid, reader_key text, arm text, started_at timestamptz, last_act_at timestamptz,
               ended_at timestamptz, count_acts int, count_shows int, count_inferred int, reward real
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
               count_inferred = greatest(known.count_inferred, excluded.count_inferred),
               reward = case
                   when excluded.count_acts + excluded.count_shows >= known.count_acts + known.count_shows
                   then excluded.reward else known.reward
               end""",
        [_json(rows)],
    )


def end_forgotten_sessions(conn: psycopg.Connection, silent_since: datetime) -> int:
    """End the sessions without an act since then that nobody remembers to end; how many.

    The dataflow ends sessions by its clock, but not those whose state it lost. One that goes on is opened again.
    """
    done = conn.execute(
        "update stream.sessions set ended_at = last_act_at where ended_at is null and last_act_at < %s", [silent_since]
    )
    return done.rowcount


def _store_slates(conn: psycopg.Connection, rows: Sequence[SlateRow]) -> None:
    conn.execute(
        """insert into stream.slates (
               slate_id, event_id, reader_key, session_id, created_at, policy_version, arm, surface,
               event_received_at, book_ids, propensities, sources, reasons, reason_book_ids
           )
           select * from json_to_recordset(%s::json) as slate (
               slate_id uuid, event_id uuid, reader_key text, session_id uuid, created_at timestamptz,
               policy_version text, arm text, surface text, event_received_at timestamptz, book_ids int[],
               propensities double precision[], sources text[], reasons text[], reason_book_ids int[]
           )
           on conflict (slate_id) do nothing""",
        [_json(rows)],
    )


def _store_dead_letter(conn: psycopg.Connection, letter: DeadLetterRow) -> None:
    conn.execute(
        """insert into stream.dead_letters (source, partition, log_offset, reason, payload)
           values (%s, %s, %s, %s, %s) on conflict (source, partition, log_offset) do nothing""",
        [letter.source, letter.partition, letter.log_offset, contracts.clean_text(letter.reason), letter.payload],
    )


# A work that was taken in since is shown as the one it is part of.
_BOOKS_TODAY: LiteralString = """array(
        select coalesce(works.merged_into, named.book_id)
        from unnest({}) with ordinality as named (book_id, place)
        left join library.works on works.book_id = named.book_id order by place)"""
_SLATE: LiteralString = f"""
    select slate_id, event_id, reader_key, session_id, created_at, policy_version, arm, surface, event_received_at,
           {_BOOKS_TODAY.format("book_ids")} as book_ids, propensities, sources, reasons,
           {_BOOKS_TODAY.format("reason_book_ids")} as reason_book_ids
    from stream.slates"""


def latest_slate(conn: psycopg.Connection, reader_key: str, session_id: UUID | None = None) -> Slate | None:
    """The slate of the reader's newest act, of one session if given."""
    with conn.cursor(row_factory=class_row(SlateRow)) as cursor:
        row = cursor.execute(
            f"""{_SLATE} where reader_key = %(reader_key)s
                    and (%(session_id)s::uuid is null or session_id = %(session_id)s)
                order by created_at desc, stored_at desc limit 1""",
            {"reader_key": reader_key, "session_id": session_id},
        ).fetchone()
    return row and row.slate()


def stored_events(conn: psycopg.Connection, event_ids: Sequence[UUID]) -> set[UUID]:
    """Of these acts those that the dataflow has stored."""
    rows = conn.execute("select event_id from stream.interactions where event_id = any(%s)", [list(event_ids)])
    return {event_id for (event_id,) in rows.fetchall()}


def slates_of_events(conn: psycopg.Connection, event_ids: Sequence[UUID]) -> dict[UUID, Slate]:
    """The slates that these acts triggered, by event_id; acts without one (yet) are absent."""
    with conn.cursor(row_factory=class_row(SlateRow)) as cursor:
        rows = cursor.execute(
            f"{_SLATE} where slate_id = any(%s)", [[contracts.slate_id_of(event_id) for event_id in event_ids]]
        ).fetchall()
    return {row.event_id: row.slate() for row in rows}
