"""Experiments: their arms, and who was assigned to which. What came of it is in the warehouse (mart_experiments)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True)
class ArmRow:
    arm: str
    version: str
    share: float


@dataclass(frozen=True)
class ExperimentRow:
    experiment_id: int
    name: str
    salt: str
    note: str
    started_at: datetime
    started_by: str
    stopped_at: datetime | None
    stop_reason: str | None


class Assignment(msgspec.Struct, frozen=True, gc=False):
    experiment_id: int
    reader_key: str
    arm: str
    assigned_at: datetime


_COLUMNS = "experiment_id, name, salt, note, started_at, started_by, stopped_at, stop_reason"


def start(
    conn: psycopg.Connection, name: str, salt: str, arms: Sequence[ArmRow], note: str = "", by: str = ""
) -> int | None:
    """The id of the new experiment; None if one is running or the name was used."""
    with conn.transaction():
        row = conn.execute(
            """insert into learning.experiments (name, salt, note, started_by) values (%s, %s, %s, %s)
               on conflict do nothing returning experiment_id""",
            [name, salt, note, by],
        ).fetchone()
        if row is None:
            return None
        with conn.cursor() as cursor:
            cursor.executemany(
                "insert into learning.experiment_arms (experiment_id, arm, version, share) values (%s, %s, %s, %s)",
                [(row[0], arm.arm, arm.version, arm.share) for arm in arms],
            )
    return row[0]


def stop(conn: psycopg.Connection, name: str | None, reason: str) -> str | None:
    """Stop the running experiment (of that name); its name, None if there is none."""
    row = conn.execute(
        """update learning.experiments set stopped_at = now(), stop_reason = %s
           where stopped_at is null and name = coalesce(%s, name) returning name""",
        [reason, name],
    ).fetchone()
    return row[0] if row else None


def all_of(conn: psycopg.Connection) -> list[ExperimentRow]:
    """Every experiment, oldest first."""
    with conn.cursor(row_factory=class_row(ExperimentRow)) as cursor:
        return cursor.execute(f"select {_COLUMNS} from learning.experiments order by experiment_id").fetchall()


def running(conn: psycopg.Connection) -> ExperimentRow | None:
    return next((row for row in all_of(conn) if row.stopped_at is None), None)


def arms(conn: psycopg.Connection, experiment_id: int) -> list[ArmRow]:
    """By name."""
    with conn.cursor(row_factory=class_row(ArmRow)) as cursor:
        return cursor.execute(
            "select arm, version, share from learning.experiment_arms where experiment_id = %s order by arm",
            [experiment_id],
        ).fetchall()


def store_assignments(conn: psycopg.Connection, rows: Sequence[Assignment]) -> None:
    """In the caller's transaction; an assignment that is there stays as it was."""
    conn.execute(
        """insert into stream.assignments (experiment_id, reader_key, arm, assigned_at)
           select * from json_to_recordset(%s::json) as row (
               experiment_id int, reader_key text, arm text, assigned_at timestamptz
           )
           on conflict (experiment_id, reader_key) do nothing""",
        [msgspec.json.encode(rows).decode()],
    )
