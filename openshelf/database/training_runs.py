"""The records of training runs: what was started with which configuration, how it went, its curves."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb


@dataclass(frozen=True)
class RunRow:
    """A training run as it was started."""

    run_id: int
    kind: str
    version: str | None
    parent_version: str | None
    status: str
    config: dict[str, Any]
    seed: int
    started_at: datetime


def start_run(
    conn: psycopg.Connection, kind: str, config: dict[str, Any], seed: int, parent: str | None, started_at: datetime
) -> int:
    row = conn.execute(
        """insert into learning.runs (kind, parent_version, config, seed, started_at)
           values (%s, %s, %s, %s, %s) returning run_id""",
        [kind, parent, Jsonb(config), seed, started_at],
    ).fetchone()
    assert row
    return row[0]


def count_data(conn: psycopg.Connection, run_id: int, count_new: int, count_old: int) -> None:
    conn.execute(
        "update learning.runs set count_new = %s, count_old = %s where run_id = %s", [count_new, count_old, run_id]
    )


def run(conn: psycopg.Connection, run_id: int) -> RunRow | None:
    with conn.cursor(row_factory=class_row(RunRow)) as cursor:
        return cursor.execute(
            """select run_id, kind, version, parent_version, status, config, seed, started_at
               from learning.runs where run_id = %s""",
            [run_id],
        ).fetchone()


def reopen_run(conn: psycopg.Connection, run_id: int) -> None:
    conn.execute(
        "update learning.runs set status = 'running', message = null, finished_at = null where run_id = %s", [run_id]
    )


def hold_run(conn: psycopg.Connection, run_id: int) -> bool:
    """Whether this connection may train this run; held until `release_run` or until the connection ends."""
    row = conn.execute("select pg_try_advisory_lock(7303, %s)", [run_id]).fetchone()
    assert row
    return row[0]


def release_run(conn: psycopg.Connection, run_id: int) -> None:
    conn.execute("select pg_advisory_unlock(7303, %s)", [run_id])


def finish_run(
    conn: psycopg.Connection, run_id: int, status: str, message: str | None, version: str | None, finished_at: datetime
) -> None:
    conn.execute(
        "update learning.runs set status = %s, message = %s, version = %s, finished_at = %s where run_id = %s",
        [status, message, version, finished_at, run_id],
    )


def insert_metrics(conn: psycopg.Connection, run_id: int, rows: list[tuple[int, str, float]]) -> None:
    """Curves of a run: (step, name, value)."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """insert into learning.run_metrics (run_id, step, name, value) values (%s, %s, %s, %s)
               on conflict (run_id, name, step) do update set value = excluded.value""",
            [(run_id, *row) for row in rows],
        )
