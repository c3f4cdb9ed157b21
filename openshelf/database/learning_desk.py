"""What was trained and what served, for staff. Promoting and rolling back: `models.registry`."""

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from openshelf.database import accounts, learning
from openshelf.database.accounts import Account
from openshelf.database.learning import ModelRow, Term


@dataclass(frozen=True)
class Training:
    """A run of training. `count_new` and `count_old`: slates it learned from, made since the parent and before."""

    run_id: int
    kind: str
    version: str | None
    parent_version: str | None
    status: str
    message: str
    count_new: int | None
    count_old: int | None
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class CurvePoint:
    run_id: int
    name: str
    step: int
    value: float


def trainings(conn: psycopg.Connection, staff: Account | None, kind: str, limit: int = 50) -> list[Training]:
    """The newest first. Raises NotAllowedError."""
    accounts.must_be_staff(staff)
    with conn.cursor(row_factory=class_row(Training)) as cursor:
        return cursor.execute(
            """select run_id, kind, version, parent_version, status, coalesce(message, '') as message,
                   count_new, count_old, started_at, finished_at
               from learning.runs where kind = %s order by started_at desc, run_id desc limit %s""",
            [kind, limit],
        ).fetchall()


def curves(conn: psycopg.Connection, staff: Account | None, kind: str, runs: int = 3) -> list[CurvePoint]:
    """What the latest runs that measured something over several steps measured, by run, name and step.

    Raises NotAllowedError.
    """
    accounts.must_be_staff(staff)
    with conn.cursor(row_factory=class_row(CurvePoint)) as cursor:
        return cursor.execute(
            """with stepped as (
                   select run_id, name from learning.run_metrics join learning.runs using (run_id)
                   where kind = %s group by run_id, name having count(*) > 1
               ),
               latest as (
                   select run_id from learning.runs where run_id in (select run_id from stepped)
                   order by started_at desc, run_id desc limit %s
               )
               select run_id, name, step, value from learning.run_metrics join stepped using (run_id, name)
               where run_id in (select run_id from latest) order by run_id desc, name, step""",
            [kind, runs],
        ).fetchall()


def versions(conn: psycopg.Connection, staff: Account | None, kind: str) -> list[ModelRow]:
    """Every registered version of a kind, the newest first. Raises NotAllowedError."""
    accounts.must_be_staff(staff)
    return learning.models(conn, kind)[::-1]


def served(conn: psycopg.Connection, staff: Account | None, kind: str) -> list[Term]:
    """Which version served from when to when, the latest first. Raises NotAllowedError."""
    accounts.must_be_staff(staff)
    return learning.terms(conn, kind)[::-1]
