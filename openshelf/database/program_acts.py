"""What must be known before an act that a foreign program sends goes into the log."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
import psycopg

from openshelf import topics
from openshelf.contracts import Interaction
from openshelf.database import erasures
from openshelf.readers import NOTICE_VERSION

_decoder = msgspec.json.Decoder(Interaction)


def hold(conn: psycopg.Connection, reader_keys: Sequence[str]) -> None:
    """Let nobody else append acts of these readers until the caller's transaction ends: what is in the log stays so."""
    partitions = sorted({topics.partition_of(reader_key) for reader_key in reader_keys})
    with conn.cursor() as cursor:  # the lock of stream.append, in its order
        cursor.executemany("select pg_advisory_xact_lock(7301, %s)", [(partition,) for partition in partitions])


def stored(conn: psycopg.Connection, event_ids: Sequence[UUID]) -> dict[UUID, Interaction]:
    """Those of the events that are in the log, by event_id."""
    rows = conn.execute("select payload from stream.event_log where event_id = any(%s)", [list(event_ids)])
    events = [_decoder.decode(payload) for (payload,) in rows if erasures.forgotten_by(payload) is None]
    return {event.event_id: event for event in events}


def erased(conn: psycopg.Connection, reader_keys: Sequence[str]) -> set[str]:
    """Those of the readers who were erased: the log takes no act of theirs."""
    rows = conn.execute(
        "select reader_key from unnest(%s::text[]) as asked (reader_key) where stream.is_erased(reader_key)",
        [list(reader_keys)],
    )
    return {reader_key for (reader_key,) in rows}


def slates_of(conn: psycopg.Connection, slate_ids: Sequence[UUID]) -> set[tuple[UUID, str]]:
    """Those of the slates that were drawn, each with its reader."""
    rows = conn.execute("select slate_id, reader_key from stream.slates where slate_id = any(%s)", [list(slate_ids)])
    return set(rows.fetchall())


def keeping_history(conn: psycopg.Connection, reader_keys: Sequence[str]) -> set[str]:
    """Those of the pseudonyms whose accounts keep a history now, as `Account.keeps_history` and `personal` say."""
    rows = conn.execute(
        """select reader_key from reading.pseudonyms join reading.accounts using (account_id)
           where reader_key = any(%s) and history_enabled and personal and history_notice = %s""",
        [list(reader_keys), NOTICE_VERSION],
    )
    return {reader_key for (reader_key,) in rows}
