"""Experiments: their arms, who was assigned to which, and what came of it."""

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


@dataclass(frozen=True)
class ArmFigures:
    """Of one arm: readers assigned, slates drawn, places on screen, of these answered gladly, places not by its model.

    `count_crossed`: readers with slates of another arm of the same experiment; there must be none.
    """

    arm: str
    count_readers: int
    count_slates: int
    count_shown: int
    count_opened: int
    count_places: int
    count_fallback: int
    count_crossed: int


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


def figures(conn: psycopg.Connection, experiment_id: int) -> list[ArmFigures]:
    """What came of each arm so far. Places that staff filled belong to no arm and are left out."""
    with conn.cursor(row_factory=class_row(ArmFigures)) as cursor:
        return cursor.execute(
            """with experiment as (
                   select started_at, coalesce(stopped_at, 'infinity') as stopped_at
                   from learning.experiments where experiment_id = %(experiment_id)s
               ),
               assigned as (
                   select reader_key, arm, assigned_at from stream.assignments
                   where experiment_id = %(experiment_id)s
               ),
               drawn as (
                   select slates.slate_id, slates.reader_key, slates.arm, assigned.arm as assigned_arm
                   from stream.slates
                   join assigned using (reader_key)
                   cross join experiment
                   where slates.stored_at >= experiment.started_at and slates.stored_at <= experiment.stopped_at
                       and slates.arm in (
                           select arm from learning.experiment_arms where experiment_id = %(experiment_id)s
                       )
               ),
               places as (
                   select drawn.arm, count(*) as count_places,
                          count(*) filter (where place.source in ('fallback', 'popular')) as count_fallback
                   from drawn join stream.slate_places as place using (slate_id)
                   where place.source not in ('pinned', 'staff')
                   group by drawn.arm
               ),
               answered as (
                   select drawn.arm, acts.slate_id, acts.book_id,
                          bool_or(acts.action in ('open', 'read', 'finish', 'like', 'want')) as is_opened
                   from drawn
                   join stream.interactions as acts using (slate_id)
                   join stream.slate_places as place using (slate_id, book_id)
                   where place.source not in ('pinned', 'staff') and not acts.inferred
                   group by drawn.arm, acts.slate_id, acts.book_id
               ),
               shown as (
                   select arm, count(*) as count_shown, count(*) filter (where is_opened) as count_opened
                   from answered group by arm
               ),
               crossed as (
                   select assigned_arm as arm, count(distinct reader_key) as count_crossed
                   from drawn where arm <> assigned_arm group by assigned_arm
               ),
               slates as (select arm, count(*) as count_slates from drawn group by arm),
               readers as (select arm, count(*) as count_readers from assigned group by arm)
               select arm,
                      coalesce(count_readers, 0)::int as count_readers, coalesce(count_slates, 0)::int as count_slates,
                      coalesce(count_shown, 0)::int as count_shown, coalesce(count_opened, 0)::int as count_opened,
                      coalesce(count_places, 0)::int as count_places,
                      coalesce(count_fallback, 0)::int as count_fallback,
                      coalesce(count_crossed, 0)::int as count_crossed
               from learning.experiment_arms
               left join readers using (arm) left join slates using (arm) left join shown using (arm)
               left join places using (arm) left join crossed using (arm)
               where experiment_id = %(experiment_id)s order by arm""",
            {"experiment_id": experiment_id},
        ).fetchall()
