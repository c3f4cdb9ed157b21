"""What training reads of the stream: the slates that were seen, with their probabilities, and what readers did.

Only of readers who keep a history: of a visit (key `s_...`) nothing is learned.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True)
class SeenSlate:
    slate_id: UUID
    reader_key: str
    session_id: UUID
    created_at: datetime
    stored_at: datetime
    book_ids: list[int]
    propensities: list[float]


@dataclass(frozen=True)
class StoredAct:
    reader_key: str
    session_id: UUID
    occurred_at: datetime
    action: str
    book_id: int | None
    slate_id: UUID | None
    reward: float


def slates_until(conn: psycopg.Connection) -> datetime | None:
    """When the newest slate was stored: the mark up to which a training run has seen everything."""
    row = conn.execute("select max(stored_at) from stream.slates").fetchone()
    return row[0] if row else None


def acts_until(conn: psycopg.Connection) -> datetime | None:
    """When the newest act was stored."""
    row = conn.execute("select max(stored_at) from stream.interactions").fetchone()
    return row[0] if row else None


def seen_slates(
    conn: psycopg.Connection,
    after: datetime | None,
    until: datetime,
    limit: int | None = None,
    seed: int = 0,
    seen_until: datetime | None = None,
) -> list[SeenSlate]:
    """Slates stored in (after, until] that a reader saw or answered, in order of time.

    With a limit: a seeded sample of that many, the same for the same seed. With `seen_until`: what was seen by acts
    stored until then, so that the same question has the same answer later. Without places that staff pinned or
    whose work they boosted: the policy is neither praised nor blamed for these.
    """
    with conn.cursor(row_factory=class_row(SeenSlate)) as cursor:
        return cursor.execute(
            """with chosen as (
                   select * from stream.slates
                   where stored_at > coalesce(%(after)s, '-infinity'::timestamptz) and stored_at <= %(until)s
                       and left(reader_key, 2) <> 's_'
                       and slate_id in (
                           select slate_id from stream.interactions
                           where slate_id is not null
                               and stored_at <= coalesce(%(seen_until)s, 'infinity'::timestamptz)
                       )
                   order by case when %(limit)s::int is null then '' else md5(%(seed)s::text || slate_id::text) end
                   limit %(limit)s
               )
               select chosen.slate_id, chosen.reader_key, chosen.session_id, chosen.created_at, chosen.stored_at,
                      array_agg(places.book_id order by places.position) as book_ids,
                      array_agg(places.propensity order by places.position) as propensities
               from chosen join stream.slate_places as places using (slate_id)
               where places.source not in ('pinned', 'staff')
               group by chosen.slate_id, chosen.reader_key, chosen.session_id, chosen.created_at, chosen.stored_at
               order by chosen.created_at, chosen.slate_id""",
            {"after": after, "until": until, "limit": limit, "seed": seed, "seen_until": seen_until},
        ).fetchall()


def acts(conn: psycopg.Connection, since: datetime, until: datetime) -> list[StoredAct]:
    """Everything that readers who keep a history did from `since` on, stored by `until`; by reader and time."""
    with conn.cursor(row_factory=class_row(StoredAct)) as cursor:
        return cursor.execute(
            """select reader_key, session_id, occurred_at, action, book_id, slate_id, reward::float8 as reward
               from stream.interactions
               where occurred_at >= %s and stored_at <= %s and left(reader_key, 2) <> 's_'
               order by reader_key, occurred_at, event_id""",
            [since, until],
        ).fetchall()
