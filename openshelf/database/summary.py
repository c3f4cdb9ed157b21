"""Counts of the whole installation, for `demo --check`, `status` and `doctor`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

# Beyond so many rows the planner's estimate stands for a count, which would take seconds; also of each mart.
EXACT_COUNT = 1_000_000
EXACT_COUNT_OF_MART = 100_000
# Slates that tell how the stream is now: so many of the newest, none older than a day.
NEWEST_SLATES = 2_000


@dataclass(frozen=True)
class Health:
    """What was stored of late. Shares and times: of the newest slates of the last day, at most 2,000."""

    count_dead_letters: int  # waiting for someone
    count_quarantined: int  # acts waiting for their work
    latest_act_at: datetime | None
    act_to_slate_ms_p50: float | None
    act_to_slate_ms_p99: float | None
    count_places: int
    fallback_share: float | None
    champion: str | None
    champion_since: datetime | None


def counts(conn: psycopg.Connection) -> dict[str, int | str | None]:
    """Rows of each station of the road, and the champion's version."""
    return {
        "works": count_works(conn),
        "acts": count_acts(conn),
        "slates": count_rows(conn, "stream", "slates"),
        "mart_rows": mart_rows(conn),
        "champion": champion(conn),
    }


def count_works(conn: psycopg.Connection) -> int:
    row = conn.execute("select count(*) from library.works where active").fetchone()
    return row[0] if row else 0


def champion(conn: psycopg.Connection) -> str | None:
    """Version of the policy that serves."""
    row = conn.execute("select version from learning.models where kind = 'policy' and status = 'champion'").fetchone()
    return row[0] if row else None


def mart_rows(conn: psycopg.Connection) -> int:
    """Rows in all tables of schema `marts`, of large ones as the planner estimates them."""
    tables = conn.execute("select tablename from pg_tables where schemaname = 'marts'").fetchall()
    return sum(count_rows(conn, "marts", table, EXACT_COUNT_OF_MART) for (table,) in tables)


def count_rows(conn: psycopg.Connection, schema: str, table: str, exact: int = EXACT_COUNT) -> int:
    """Rows of a table; of one with more than `exact` as the planner estimates them.

    The planner looks how large a table is now, also one that was never analysed; the statistics do not.
    """
    name = sql.Identifier(schema, table)
    (plan,) = conn.execute(sql.SQL("explain (format json) select from {}").format(name)).fetchone() or ([],)
    estimate = int(plan[0]["Plan"]["Plan Rows"])
    if estimate > exact:
        return estimate
    row = conn.execute(sql.SQL("select count(*) from {}").format(name)).fetchone()
    assert row
    return row[0]


def acts_in_marts(conn: psycopg.Connection, event_ids: Sequence[UUID]) -> int:
    row = conn.execute(
        "select count(*) from marts.fct_interactions where event_id = any(%s)", [list(event_ids)]
    ).fetchone()
    return row[0] if row else 0


def some_books(conn: psycopg.Connection, limit: int) -> list[int]:
    rows = conn.execute("select book_id from library.works where active order by book_id limit %s", [limit])
    return [book_id for (book_id,) in rows]


def act_to_slate_ms(conn: psycopg.Connection, slate_id: UUID) -> float | None:
    """Milliseconds from the log taking the act to its slate being stored; None while there is none."""
    row = conn.execute(
        """select extract(epoch from stored_at - event_received_at)::double precision * 1000
           from stream.slates where slate_id = %s""",
        [slate_id],
    ).fetchone()
    return row[0] if row else None


def count_acts(conn: psycopg.Connection) -> int:
    """Interactions stored; in a large library as Postgres last estimated them."""
    return count_rows(conn, "stream", "interactions")


def health(conn: psycopg.Connection) -> Health:
    """By indexes alone: as quick with a billion acts as with ten."""
    with conn.cursor(row_factory=class_row(Health)) as cursor:
        row = cursor.execute(
            """with newest as (
                   select sources, (extract(epoch from stored_at - event_received_at) * 1000)::double precision as ms
                   from stream.slates where stored_at > now() - interval '1 day'
                   order by stored_at desc limit %s
               ),
               places as (
                   select count(*) as n, count(*) filter (where source in ('fallback', 'popular')) as fallbacks
                   from newest cross join unnest(newest.sources) as source
               ),
               champion as (
                   select version, (
                       select max(promoted_at) from learning.promotions where promotions.version = models.version
                   ) as since
                   from learning.models where kind = 'policy' and status = 'champion'
               )
               select
                   (select count(*) from stream.dead_letters where replayed_at is null)::int as count_dead_letters,
                   (select count(*) from stream.quarantine where released_at is null)::int as count_quarantined,
                   (select max(occurred_at) from stream.interactions) as latest_act_at,
                   (select percentile_cont(0.5) within group (order by ms) from newest) as act_to_slate_ms_p50,
                   (select percentile_cont(0.99) within group (order by ms) from newest) as act_to_slate_ms_p99,
                   places.n::int as count_places,
                   places.fallbacks::double precision / nullif(places.n, 0) as fallback_share,
                   (select version from champion) as champion,
                   (select since from champion) as champion_since
               from places""",
            [NEWEST_SLATES],
        ).fetchone()
        assert row
        return row
