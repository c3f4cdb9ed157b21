"""A small history of a library made by hand, so that every figure of the marts can be computed by hand."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

import psycopg

from openshelf.settings import Settings
from openshelf.warehouse import BuildReport

NAMES = UUID("00000000-0000-0000-0000-00000000feed")
REWARDS = {"show": 0.0, "open": 1.0, "read": 2.0, "like": 2.0, "skip": -1.0, "search": 0.0}


@dataclass(frozen=True)
class Warehouse:
    """A built warehouse: where it is, and what its two builds reported."""

    settings: Settings
    url: str
    report: BuildReport
    empty_report: BuildReport


def uid(name: str) -> UUID:
    return uuid5(NAMES, name)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text + "+00:00")


def put_slate(conn: psycopg.Connection, reader: str, made: str, version: str, books: dict[int, str]) -> None:
    """A slate of `books` (book_id -> source), in order."""
    slate_id = slate_of(reader, made)
    count = len(books)
    conn.execute(
        """insert into stream.slates (slate_id, event_id, reader_key, session_id, created_at, policy_version, arm,
               surface, event_received_at, book_ids, propensities, sources, reasons, reason_book_ids)
           values (%s, %s, %s, %s, %s, %s, 'champion', 'for_you', %s, %s, %s, %s, %s, %s)""",
        [
            slate_id,
            uid(f"trigger {slate_id}"),
            reader,
            uid(f"session {reader}"),
            at(made),
            version,
            at(made),
            list(books),
            [0.25] * count,
            list(books.values()),
            ["popular"] * count,
            [None] * count,
        ],
    )


def slate_of(reader: str, made: str) -> UUID:
    return uid(f"slate {reader} {made}")


def put_act(
    conn: psycopg.Connection,
    reader: str,
    action: str,
    occurred: str,
    book_id: int | None = None,
    *,
    slate_id: UUID | None = None,
    position: int | None = None,
    inferred: bool = False,
    stored_at: datetime | None = None,
) -> None:
    conn.execute(
        """insert into stream.interactions (event_id, version, occurred_at, reader_key, session_id, action, book_id,
               slate_id, position, surface, reward, rewards_version, inferred, received_at, stored_at)
           values (%s, 1, %s, %s, %s, %s, %s, %s, %s, 'for_you', %s, 'test', %s, %s,
                   coalesce(%s, clock_timestamp()))""",
        [
            uid(f"{reader} {action} {occurred} {book_id}"), at(occurred), reader, uid(f"session {reader}"), action,
            book_id, slate_id, position, REWARDS.get(action, 0.0), inferred, at(occurred), stored_at,
        ],
    )  # fmt: skip


MORNING = "2024-02-28 10:00"
NIGHT = "2024-02-28 23:50"
READERS = [f"r_{letter}" for letter in "abcdef"]
VISITOR = "s_guest"


def make_history(conn: psycopg.Connection) -> None:
    """Six readers and a guest on the day before a leap day. What it adds up to stands in the tests.

    Each reader gets books 1, 2 (policy) and 3 (popular); 1 and 2 come on screen, 3 does not. The guest gets book 2
    ten minutes to midnight, opens it after midnight, and opens book 3 from the same slate when the window is over.
    """
    conn.execute(
        """insert into library.works (work_key, title, title_sort, added_at)
           select 'work ' || number, 'Work ' || number, 'Work ' || number, now() from generate_series(1, 3) as number"""
    )
    conn.execute(
        """with subject as (insert into library.subjects (name) values ('adventure') returning subject_id)
           insert into library.work_subjects (book_id, subject_id, position) select 1, subject_id, 0 from subject"""
    )
    for reader in READERS:
        slate_id = slate_of(reader, MORNING)
        put_slate(conn, reader, MORNING, "v1", {1: "policy", 2: "policy", 3: "popular"})
        for position in (0, 1):
            put_act(conn, reader, "show", "2024-02-28 10:01", position + 1, slate_id=slate_id, position=position)
        if reader != "r_f":
            put_act(conn, reader, "open", "2024-02-28 10:02", 1, slate_id=slate_id, position=0)
    put_act(conn, "r_a", "read", "2024-02-28 10:05", 1, slate_id=slate_of("r_a", MORNING), position=0)
    put_act(conn, "r_b", "like", "2024-02-28 10:05", 1, slate_id=slate_of("r_b", MORNING), position=0)
    put_act(conn, "r_a", "skip", "2024-02-28 10:06", 2, slate_id=slate_of("r_a", MORNING), position=1)
    put_act(conn, "r_b", "skip", "2024-02-28 10:30", 2, slate_id=slate_of("r_b", MORNING), position=1, inferred=True)
    put_act(conn, "r_f", "search", "2024-02-28 10:07")

    guests = slate_of(VISITOR, NIGHT)
    put_slate(conn, VISITOR, NIGHT, "v2", {2: "policy", 3: "random"})
    put_act(conn, VISITOR, "show", "2024-02-28 23:51", 2, slate_id=guests, position=0)
    put_act(conn, VISITOR, "open", "2024-02-29 00:10", 2, slate_id=guests, position=0)
    put_act(conn, VISITOR, "open", "2024-02-29 00:50", 3, slate_id=guests, position=1)
    conn.execute(
        """insert into stream.sessions (session_id, reader_key, arm, started_at, last_act_at, count_acts, count_shows,
               reward) values (%s, %s, 'champion', %s, %s, 3, 1, 2)""",
        [uid(f"session {VISITOR}"), VISITOR, at(NIGHT), at("2024-02-29 00:50")],
    )
    _make_trainings(conn)
    conn.execute(
        """insert into library.ingest_runs (path, started_at, finished_at, status, counts)
           values ('.', '2024-02-29 05:00Z', '2024-02-29 05:01Z', 'done', '{"inserted": 3}')"""
    )
    conn.execute("insert into library.staff_notes (day, note) values ('2024-02-29', 'Heating is out')")
    conn.execute(
        """insert into reading.unanswered_searches (day, folded, count_searches)
           values ('2024-02-28', 'kafka', 2), ('2024-02-29', 'kafka', 1)"""
    )


def _make_trainings(conn: psycopg.Connection) -> None:
    """Four policy trainings (the latest finished nothing yet, so it is none to show) and one of the adapter."""
    conn.execute(
        """insert into learning.models (version, kind, status, config, manifest, weights, sha256)
           values ('v1', 'policy', 'champion', '{}', '{}', '', 'none')"""
    )
    conn.execute(
        "insert into learning.promotions (kind, version, promoted_at, reason) values ('policy', 'v1', %s, 'the first')",
        [at("2024-02-28 09:00")],
    )
    for kind, day in [("policy", 1), ("policy", 2), ("policy", 3), ("policy", 4), ("policy", 5), ("adapter", 1)]:
        conn.execute(
            "insert into learning.runs (kind, status, seed, started_at) values (%s, 'done', 1, %s)",
            [kind, at(f"2024-02-0{day} 03:00")],
        )
    conn.execute(
        """insert into learning.run_metrics (run_id, step, name, value)
           select run_id, step, name, run_id + step / 10.0
           from learning.runs, generate_series(0, 2) as step, unnest(array['loss/total', 'reward/mean']) as name
           where not (kind = 'policy' and started_at = %s)""",
        [at("2024-02-05 03:00")],
    )
