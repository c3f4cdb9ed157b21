"""How the stream did in the last hour, for staff: how fast slates came, and how many places a fallback filled."""

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

import psycopg
from psycopg.rows import class_row

from openshelf.database import accounts
from openshelf.database.accounts import Account

MIN_READERS = 5


@dataclass(frozen=True)
class Spell:
    """Slates stored in a while. Milliseconds are from an act's coming into the log to its slate's being stored.

    Counts are None where fewer than five readers are behind them; milliseconds say nothing of readers.
    """

    since: datetime
    count_slates: int | None
    count_places: int | None
    count_fallback: int | None
    median_ms: float
    slow_ms: float  # 95 of 100 were faster


def last_hour(conn: psycopg.Connection, staff: Account | None) -> Spell | None:
    """The last hour as one; None without a slate in it. Raises NotAllowedError."""
    spells = _spells(conn, staff, "now() - interval '1 hour'")
    return spells[0] if spells else None


def by_five_minutes(conn: psycopg.Connection, staff: Account | None) -> list[Spell]:
    """The last hour in steps of five minutes, the earliest first. Raises NotAllowedError."""
    return _spells(conn, staff, "date_bin('5 minutes', stored_at, timestamptz '2000-01-01 00:00:00+00')")


def _spells(conn: psycopg.Connection, staff: Account | None, since: LiteralString) -> list[Spell]:
    accounts.must_be_staff(staff)
    with conn.cursor(row_factory=class_row(Spell)) as cursor:
        return cursor.execute(
            f"""with drawn as (
                    select {since} as since, reader_key, cardinality(sources) as count_places,
                        (select count(*) from unnest(sources) as source where source in ('fallback', 'popular'))
                            as count_fallback,
                        1000 * extract(epoch from stored_at - event_received_at)::float8 as ms
                    from stream.slates where stored_at > now() - interval '1 hour'
                ),
                counted as (
                    select since, count(*)::int as count_slates, sum(count_places)::int as count_places,
                        sum(count_fallback)::int as count_fallback, count(distinct reader_key) as count_readers,
                        percentile_cont(0.5) within group (order by ms) as median_ms,
                        percentile_cont(0.95) within group (order by ms) as slow_ms
                    from drawn group by since
                )
                select since, median_ms, slow_ms,
                    case when count_readers >= %(least)s then count_slates end as count_slates,
                    case when count_readers >= %(least)s then count_places end as count_places,
                    case when count_readers >= %(least)s then count_fallback end as count_fallback
                from counted order by since""",
            {"least": MIN_READERS},
        ).fetchall()
