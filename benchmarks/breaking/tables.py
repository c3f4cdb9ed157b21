"""Read what is stored, and make the rows that an undisturbed run over the same log would have made."""

import json
from collections.abc import Iterable
from datetime import timedelta

import psycopg
from bytewax.testing import run_main
from pgvector.psycopg import register_vector

from models import rewards, serving
from openshelf.contracts import utc_now
from openshelf.database import consumers, events, reader_history
from openshelf.settings import get_settings
from streaming import sessions_flow
from streaming.batch_sink import BatchSink
from streaming.log_source import LogSource
from streaming.patience import PatientConnection

from .history import Act, Session, Stored

# All but the moments of storing and what numbers them.
TABLES: dict[str, str] = {
    "interactions": "select event_id::text, (to_jsonb(t) - 'stored_at')::text from stream.interactions as t",
    "slates": "select slate_id::text, (to_jsonb(t) - 'stored_at')::text from stream.slates as t",
    "sessions": "select session_id::text, to_jsonb(t)::text from stream.sessions as t",
    "dead_letters": """select source || '/' || partition || '/' || log_offset,
                           (to_jsonb(t) - 'dead_letter_id' - 'found_at' - 'replayed_at')::text
                       from stream.dead_letters as t""",
}
# When a clock was set forward, sessions end by it that go on in the time of the acts.
TABLES_WITHOUT_ENDS: dict[str, str] = TABLES | {
    "sessions": "select session_id::text, (to_jsonb(t) - 'ended_at')::text from stream.sessions as t"
}


def read(conn: psycopg.Connection) -> Stored:
    acts = conn.execute(
        "select event_id, session_id, action, partition, log_offset, inferred from stream.interactions"
    ).fetchall()
    sessions = conn.execute(
        "select session_id, count_acts, count_shows, count_inferred from stream.sessions"
    ).fetchall()
    log = conn.execute("select event_id, partition, log_offset from stream.event_log").fetchall()
    # By what they hold: every bad entry of ours has its own id in it.
    bad = conn.execute(
        "select log.event_id from stream.dead_letters join stream.event_log as log using (payload)"
    ).fetchall()
    slates = conn.execute("select event_id from stream.slates").fetchall()
    conn.rollback()
    return Stored(
        log={event_id: (partition, offset) for event_id, partition, offset in log},
        acts=[
            Act(event_id, session_id, action, None if inferred else (partition, offset), inferred)
            for event_id, session_id, action, partition, offset, inferred in acts
        ],
        sessions=[Session(*row) for row in sessions],
        slates=[row[0] for row in slates],
        bad=[row[0] for row in bad],
    )


def unmarked(conn: psycopg.Connection) -> list[str]:
    """Slates that popularity drew and that say otherwise."""
    found = conn.execute(
        """select slate_id::text from stream.slates
           where policy_version = 'popular' and not sources <@ array['popular', 'random']"""
    ).fetchall()
    conn.rollback()
    return [f"slate {slate_id}: is not marked as popular" for (slate_id,) in found]


def drawn_by_others(conn: psycopg.Connection, version: str) -> set[str]:
    """The slates that this policy did not draw."""
    found = conn.execute("select slate_id::text from stream.slates where policy_version <> %s", [version]).fetchall()
    conn.rollback()
    return {slate_id for (slate_id,) in found}


def rows(conn: psycopg.Connection, tables: dict[str, str]) -> dict[str, list[tuple]]:
    found = {name: conn.execute(query.encode()).fetchall() for name, query in tables.items()}
    conn.rollback()
    return found


def shelved(conn: psycopg.Connection, accounts: dict[str, int]) -> tuple[set[tuple], set[tuple]]:
    """(reader_key, what, book_id) as kept by the storefront, and as its events in the log say."""
    kept = {
        (reader_key, what, book_id)
        for reader_key, account_id in accounts.items()
        for what, query in (
            ("shelf", "select book_id from reading.shelf_entries where account_id = %s"),
            ("hidden", "select book_id from reading.hidden_books where account_id = %s"),
        )
        for (book_id,) in conn.execute(query.encode(), [account_id]).fetchall()
    }
    payloads = conn.execute(
        "select payload from stream.event_log where reader_key = any(%s)", [list(accounts)]
    ).fetchall()
    conn.rollback()
    what = {"want": "shelf", "read": "shelf", "finish": "shelf", "hide": "hidden"}
    acts = [json.loads(payload) for (payload,) in payloads if not payload.startswith(b"no act")]
    said = {(act["reader_key"], what[act["action"]], act["book_id"]) for act in acts if act["action"] in what}
    return kept, said


def replay(source: psycopg.Connection, copy: psycopg.Connection, copy_url: str) -> None:
    """Copy the log into another database with the same works and models, and run the dataflow over it, undisturbed."""
    copy.execute(
        """truncate stream.event_log, stream.progress, stream.interactions, stream.slates, stream.sessions,
               stream.dead_letters"""
    )
    with (
        source.cursor().copy("copy stream.event_log to stdout") as out,
        copy.cursor().copy("copy stream.event_log from stdin") as into,
    ):
        for data in out:
            into.write(data)
    source.rollback()
    copy.commit()
    register_vector(copy)
    recommender = serving.load_serving(copy)
    copy.commit()
    connections = [psycopg.connect(copy_url, autocommit=True) for _ in range(3)]
    log, past, sink = (PatientConnection(lambda conn=conn: conn) for conn in connections)
    flow = sessions_flow.build_flow(
        LogSource(lambda: log, stop_at=consumers.end_offsets(copy)),
        BatchSink(lambda: recommender, lambda: sink),
        rewards=rewards.load(),
        history=lambda act: past.run(
            lambda conn: reader_history.stored_acts(conn, act.event.reader_key, before_offset=act.raw.log_offset)
        ),
        clock=utc_now,
        silence=timedelta(minutes=get_settings().session_minutes),
    )
    copy.commit()
    run_main(flow, epoch_interval=timedelta(seconds=5))
    for conn in connections:
        conn.close()


def is_drained(conn: psycopg.Connection, consumers_of_log: Iterable[str]) -> bool:
    waiting = sum(row.count_waiting for name in consumers_of_log for row in events.lag(conn, name))
    conn.rollback()
    return waiting == 0


def pauses_s(conn: psycopg.Connection) -> list[tuple[float, float]]:
    """Of every act when the log took it (seconds since the epoch), and how long it then took to be stored."""
    found = conn.execute(
        """select extract(epoch from received_at)::float8, extract(epoch from stored_at - received_at)::float8
           from stream.interactions where not inferred"""
    ).fetchall()
    conn.rollback()
    return found
