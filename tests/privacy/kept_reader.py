"""A reader with a history, made by the real log and dataflow, and a look into every corner where it could stay."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID, uuid4

import psycopg
from bytewax.testing import run_main
from psycopg import sql
from small_catalogue import WORKS, add_work

from models import rewards
from models.experiments import Serving
from models.recommender import DrawnSlate, SlateRequest
from openshelf.contracts import Action, Interaction, Place, Source, Surface, new_event_id, utc_now
from openshelf.database import accounts, consumers, events, reader_history
from openshelf.privacy import choices
from openshelf.settings import get_settings
from streaming import sessions_flow
from streaming.batch_sink import BatchSink
from streaming.erased_readers import ErasedReaders
from streaming.log_source import LogSource
from streaming.patience import PatientConnection
from streaming.session_state import Rules

SILENCE = timedelta(minutes=30)


def library(conn: psycopg.Connection) -> dict[str, int]:
    """The small catalogue; title -> book_id."""
    ids = {work.title: add_work(conn, work) for work in WORKS}
    conn.commit()
    return ids


def reader(conn: psycopg.Connection, username: str = "thuylan77", *, history: bool = True) -> accounts.Account:
    """An account that keeps a history, or none."""
    made = accounts.create_local(conn, username, f"{username.title()} Nguyễn", "hash", email=f"{username}@example.org")
    assert made
    if history:
        choices.keep_history(conn, made.account_id, 90)
        choices.pseudonym(conn, get_settings(), made.account_id)
    conn.commit()
    found = accounts.by_id(conn, made.account_id)
    assert found
    return found


def acts(
    reader_key: str, books: Iterable[int], *, session: UUID | None = None, at: datetime | None = None
) -> list[Interaction]:
    """A visit, then each book opened and liked."""
    session, at = session or uuid4(), at or utc_now() - timedelta(minutes=1)
    deeds: list[tuple[Action, int | None]] = [(Action.VISIT, None)]
    deeds += [(action, book) for book in books for action in (Action.OPEN, Action.LIKE)]
    return [
        Interaction(
            event_id=new_event_id(),
            occurred_at=at + timedelta(milliseconds=number),
            reader_key=reader_key,
            session_id=session,
            action=action,
            book_id=book,
            surface=Surface.FOR_YOU,
        )
        for number, (action, book) in enumerate(deeds)
    ]


class SmallRecommender:
    """Draws 3 of the small catalogue by the request's seed."""

    version = "small-1"
    catalogue_version = 1
    readers_at_once = 64

    def draw(self, requests: Sequence[SlateRequest]) -> list[DrawnSlate]:
        return [DrawnSlate.of(self.version, self._places(request)) for request in requests]

    def _places(self, request: SlateRequest) -> list[Place]:
        return [
            Place(book_id=book_id, position=n, propensity=0.5, source=Source.POLICY, reason="new_to_you")
            for n, book_id in enumerate(Random(request.seed).sample(range(1, len(WORKS) + 1), 3))
        ]


def append(conn: psycopg.Connection, done: Sequence[Interaction]) -> None:
    events.append_many(conn, done)
    conn.commit()


def catch_up(conn: psycopg.Connection, recovery: object = None) -> None:
    """The session dataflow over the log as it is now."""
    conn.commit()
    flow = sessions_flow.build_flow(
        LogSource(stop_at=consumers.end_offsets(conn)),
        BatchSink(lambda: Serving(SmallRecommender())),  # pyright: ignore[reportArgumentType]
        rewards=rewards.load(),
        history=lambda taken: reader_history.stored_acts(
            conn, taken.event.reader_key, before_offset=taken.raw.log_offset
        ),
        clock=utc_now,
        silence=SILENCE,
        erased=ErasedReaders(PatientConnection()),
    )
    run_main(flow, epoch_interval=timedelta(0), recovery_config=recovery)
    conn.commit()


def rules() -> Rules:
    return Rules(SILENCE, inferred_skip=-0.1)


def rows_with(conn: psycopg.Connection, words: Sequence[str]) -> list[str]:
    """'schema.table' of every table, whoever made it, in a row of which one of the words stands, in whatever column."""
    tables = conn.execute(
        """select table_schema, table_name from information_schema.tables
           where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')
           order by table_schema, table_name"""
    ).fetchall()
    assert len(tables) > 40, "there is something to look into"
    found = []
    for schema, table in tables:
        # Bytes are read as text where they are one; numbers of 16 bytes as they are written with and without hyphens.
        rows = conn.execute(
            sql.SQL("select row_to_json(t)::text from {} as t").format(sql.Identifier(schema, table))
        ).fetchall()
        for (row,) in rows:
            if any(word in text for text in _readings(row) for word in words):
                found.append(f"{schema}.{table}")
                break
    conn.commit()
    return found


def _readings(row: str) -> list[str]:
    """The row as it is, and with what is written as bytes ("\\\\x6c616e") turned into text."""
    bare = row.replace("-", "")
    readings = [row, bare]
    for piece in row.split("\\\\x")[1:]:
        digits = piece.split('"')[0]
        readings.append(bytes.fromhex(digits).decode("utf-8", "replace"))
    return readings


def files_with(folder: Path, words: Sequence[str]) -> list[str]:
    """Every file under a folder in whose bytes one of the words stands."""
    assert any(folder.rglob("*")), "there is something to look into"
    wanted, found = [word.encode() for word in words], []
    for path in sorted(folder.rglob("*")):
        with suppress(FileNotFoundError):  # whoever works there may have removed it just now
            if path.is_file() and any(word in path.read_bytes() for word in wanted):
                found.append(str(path.relative_to(folder)))
    return found


def count(conn: psycopg.Connection, table: str, reader_key: str | None = None) -> int:
    schema, _, name = table.partition(".")
    statement = sql.SQL("select count(*) from {} where %(key)s::text is null or {} = %(key)s").format(
        sql.Identifier(schema, name), sql.Identifier("reader_key") if reader_key else sql.SQL("''")
    )
    row = conn.execute(statement, {"key": reader_key}).fetchone()
    conn.commit()
    assert row
    return row[0]


def days_ago(count_days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=count_days)
