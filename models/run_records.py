"""What all training runs share: their record in Postgres, what they report."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from torch import Tensor

from models import registry
from models.gate import Verdict
from openshelf.database import learning, training_runs
from openshelf.errors import ModelError, OpenshelfError, UsageError

Progress = Callable[[str, int, int], None]  # what, done, of
# With more, sums are added up in another order each time and the same seed gives another model.
THREADS = 1


class NothingToLearnError(ModelError):
    """Nothing happened since the last training: a quiet day, not a fault."""


@dataclass(frozen=True)
class RunReport:
    run_id: int
    version: str
    status: str
    reason: str
    seconds: float
    count_new: int
    count_old: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class Learned:
    """What came out of a training, not yet registered; the same data and seed give the same."""

    tensors: dict[str, Tensor]
    config: dict[str, Any]
    metrics: dict[str, float]
    curves: list[tuple[int, str, float]]
    verdict: Verdict


@contextmanager
def recorded(conn: psycopg.Connection, run_id: int, now: datetime) -> Iterator[None]:
    """Hold the run for this process; one that fails, or finds nothing to do, says so in its record.

    Raises:
        UsageError: another process is at this run.
    """
    if not training_runs.hold_run(conn, run_id):
        raise UsageError(f"run {run_id} is being trained by another process: wait for it, or end it first")
    try:
        yield
    except (OpenshelfError, psycopg.Error, RuntimeError, ValueError) as error:
        conn.rollback()
        status = "skipped" if isinstance(error, NothingToLearnError) else "failed"
        training_runs.finish_run(conn, run_id, status, str(error).splitlines()[0], None, now)
        conn.commit()
        raise
    finally:
        if not conn.broken:
            training_runs.release_run(conn, run_id)


def settle(conn: psycopg.Connection, run_id: int, version: str, verdict: Verdict, promote: bool, now: datetime) -> str:
    """Promote or refuse the candidate as the verdict says, close the run's record, return the model's status."""
    if not verdict.may_serve:
        registry.refuse(conn, version, verdict.reason)
    elif promote:
        registry.promote(conn, version, verdict.reason, now)
    row = learning.model(conn, version)
    assert row
    training_runs.finish_run(conn, run_id, "done" if verdict.may_serve else "refused", verdict.reason, version, now)
    return row.status


def version_of(row: learning.ModelRow | None) -> str | None:
    return row.version if row else None
