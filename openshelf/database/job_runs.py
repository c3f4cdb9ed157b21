"""What the installation did by itself, whoever ran it: runs of jobs, and who may run one."""

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

import psycopg
from psycopg.rows import class_row

# Held, shared, by every process that has the schedule.
_SCHEDULE_LOCK = 7311
_LONGEST_MESSAGE = 500
# Of each job so many runs stay on record.
_KEPT = 400


@dataclass(frozen=True)
class JobRun:
    """`due_at`: the time of the schedule that it makes up for. `status`: running, done, failed or interrupted."""

    run_id: int
    job: str
    due_at: datetime
    started_at: datetime
    finished_at: datetime | None
    status: str
    count_tries: int
    message: str | None


_RUN: LiteralString = "run_id, job, due_at, started_at, finished_at, status, count_tries, message"


def latest(conn: psycopg.Connection) -> dict[str, JobRun]:
    """The newest run of each job."""
    with conn.cursor(row_factory=class_row(JobRun)) as cursor:
        runs = cursor.execute(f"select distinct on (job) {_RUN} from learning.job_runs order by job, run_id desc")
        return {run.job: run for run in runs}


def failed(conn: psycopg.Connection) -> list[JobRun]:
    """Of each job that failed when it last ended, that run; one that is tried again has failed until it ends well."""
    with conn.cursor(row_factory=class_row(JobRun)) as cursor:
        runs = cursor.execute(
            f"""select distinct on (job) {_RUN} from learning.job_runs
                where status in ('done', 'failed') order by job, run_id desc"""
        )
        return [run for run in runs if run.status == "failed"]


def settled(conn: psycopg.Connection) -> dict[str, datetime]:
    """By job, the latest time of its schedule that has been dealt with, well or not."""
    return dict(
        conn.execute(
            "select job, max(due_at) from learning.job_runs where status in ('done', 'failed') group by job"
        ).fetchall()
    )


def succeeded(conn: psycopg.Connection) -> dict[str, datetime]:
    """By job, when it last ended well."""
    return dict(
        conn.execute(
            "select job, max(finished_at) from learning.job_runs where status = 'done' group by job"
        ).fetchall()
    )


def installed_at(conn: psycopg.Connection) -> datetime:
    """When this installation began; what should have been before that was not missed."""
    row = conn.execute("select min(applied_at) from public.openshelf_migrations").fetchone()
    assert row
    return row[0]


def hold(conn: psycopg.Connection, job: str) -> bool:
    """Whether this connection alone may run the job, until `release` or until the connection ends."""
    return conn.execute("select pg_try_advisory_lock(%s, hashtext(%s))", [_SCHEDULE_LOCK, job]).fetchone() == (True,)


def release(conn: psycopg.Connection, job: str) -> None:
    conn.execute("select pg_advisory_unlock(%s, hashtext(%s))", [_SCHEDULE_LOCK, job])


def begin(conn: psycopg.Connection, job: str, due_at: datetime) -> int:
    """Record that a run begins; only who holds the job may. A run that is still on record as going on was killed."""
    with conn.transaction():
        conn.execute(
            """update learning.job_runs set status = 'interrupted', finished_at = clock_timestamp()
               where job = %s and status = 'running'""",
            [job],
        )
        _forget_old(conn, job)
        row = conn.execute(
            "insert into learning.job_runs (job, due_at) values (%s, %s) returning run_id", [job, due_at]
        ).fetchone()
    assert row
    return row[0]


def note(conn: psycopg.Connection, job: str, status: str, due_at: datetime, started_at: datetime, message: str) -> None:
    """Record a run that another scheduler made, once it has ended."""
    with conn.transaction():
        _forget_old(conn, job)
        conn.execute(
            """insert into learning.job_runs (job, due_at, started_at, finished_at, status, message)
               values (%s, %s, %s, clock_timestamp(), %s, %s)""",
            [job, due_at, started_at, status, _kept_words(message)],
        )


def finish(conn: psycopg.Connection, run_id: int, status: str, count_tries: int, message: str) -> None:
    conn.execute(
        """update learning.job_runs
           set status = %s, count_tries = %s, message = %s, finished_at = clock_timestamp() where run_id = %s""",
        [status, count_tries, _kept_words(message), run_id],
    )


def _kept_words(message: str) -> str:
    return message.replace("\0", "")[:_LONGEST_MESSAGE]


def _forget_old(conn: psycopg.Connection, job: str) -> None:
    conn.execute(
        """delete from learning.job_runs where job = %(job)s and run_id <= (
               select run_id from learning.job_runs where job = %(job)s order by run_id desc offset %(kept)s limit 1
           )""",
        {"job": job, "kept": _KEPT},
    )


def count_interrupted(conn: psycopg.Connection, job: str, due_at: datetime) -> int:
    """How often a run for this time was begun and did not end."""
    row = conn.execute(
        """select count(*) from learning.job_runs
           where job = %s and due_at = %s and status in ('running', 'interrupted')""",
        [job, due_at],
    ).fetchone()
    assert row
    return row[0]


def announce(conn: psycopg.Connection) -> None:
    """Let others see, for as long as this connection lasts, that the schedule is kept."""
    conn.execute("select pg_advisory_lock_shared(%s)", [_SCHEDULE_LOCK])


def is_kept(conn: psycopg.Connection) -> bool:
    """Whether any process has the schedule."""
    return conn.execute(
        """select exists (
               select from pg_locks
               where locktype = 'advisory' and mode = 'ShareLock' and granted and classid = 0 and objid = %s
                   and database = (select oid from pg_database where datname = current_database())
           )""",
        [_SCHEDULE_LOCK],
    ).fetchone() == (True,)
