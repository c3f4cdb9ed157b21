"""What policies would have earned, as it was estimated: kept, so that pages can show it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg


def store(
    conn: psycopg.Connection, reported_at: datetime, log: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Keep one report. `log` and `rows` as models/offpolicy_report.py makes them, in the caller's transaction."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """insert into learning.offpolicy_estimates (reported_at, policy_version, estimator, value, low, high,
                   effective, capped, can_tell, reason, count_slates, count_readers, logged)
               values (%(at)s, %(policy)s, %(estimator)s, %(value)s, %(low)s, %(high)s, %(effective)s, %(capped)s,
                   %(can_tell)s, %(reason)s, %(slates)s, %(readers)s, %(reward)s)""",
            [{"at": reported_at, **log, **row} for row in rows],
        )
