"""The registry of models, what served when, and what a policy ranks: vectors and popularity."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, LiteralString, NamedTuple

import psycopg
from psycopg.rows import args_row, class_row
from psycopg.types.json import Jsonb

from openshelf.database import embeddings
from openshelf.database.filters import SERVED

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class ModelRow:
    """A registered model without its weights."""

    version: str
    kind: str
    parent_version: str | None
    status: str
    status_reason: str | None
    config: dict[str, Any]
    manifest: dict[str, Any]
    metrics: dict[str, Any]
    sha256: str
    created_at: datetime


@dataclass(frozen=True)
class Promotion:
    version: str
    promoted_at: datetime
    reason: str


@dataclass(frozen=True)
class RankedWork:
    """What ranking needs of an active work: the house's rating, and how its readers took it lately."""

    book_id: int
    rating: float | None
    warmth: float  # sum of the rewards of recent acts on it


_COLUMNS: LiteralString = (
    "version, kind, parent_version, status, status_reason, config, manifest, metrics, sha256, created_at"
)


def lock_registry(conn: psycopg.Connection) -> None:
    """Until the end of the transaction, no other process numbers, promotes or rolls back a model."""
    conn.execute("select pg_advisory_xact_lock(7305)")


def next_version(conn: psycopg.Connection, kind: str) -> str:
    """`policy-0001` and so on; call under `lock_registry`."""
    row = conn.execute(
        "select coalesce(max(split_part(version, '-', 2)::int), 0) + 1 from learning.models where kind = %s", [kind]
    ).fetchone()
    assert row
    return f"{kind}-{row[0]:04d}"


def insert_model(conn: psycopg.Connection, model: ModelRow, weights: bytes) -> None:
    conn.execute(
        """insert into learning.models (version, kind, parent_version, status, status_reason, config, manifest,
               metrics, weights, sha256, created_at)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [
            model.version, model.kind, model.parent_version, model.status, model.status_reason, Jsonb(model.config),
            Jsonb(model.manifest), Jsonb(model.metrics), weights, model.sha256, model.created_at,
        ],
    )  # fmt: skip


def models(conn: psycopg.Connection, kind: str | None = None) -> list[ModelRow]:
    """All registered models, oldest first."""
    with conn.cursor(row_factory=class_row(ModelRow)) as cursor:
        return cursor.execute(
            f"""select {_COLUMNS} from learning.models
                where kind = coalesce(%s, kind) order by created_at, version""",
            [kind],
        ).fetchall()


def model(conn: psycopg.Connection, version: str) -> ModelRow | None:
    with conn.cursor(row_factory=class_row(ModelRow)) as cursor:
        return cursor.execute(f"select {_COLUMNS} from learning.models where version = %s", [version]).fetchone()


def champion(conn: psycopg.Connection, kind: str) -> ModelRow | None:
    with conn.cursor(row_factory=class_row(ModelRow)) as cursor:
        return cursor.execute(
            f"select {_COLUMNS} from learning.models where kind = %s and status = 'champion'", [kind]
        ).fetchone()


def weights(conn: psycopg.Connection, version: str) -> bytes | None:
    row = conn.execute("select weights from learning.models where version = %s", [version]).fetchone()
    return bytes(row[0]) if row else None


def forget_weights(conn: psycopg.Connection, before: datetime) -> int:
    """Of models that were made, and served last, before then; how many. The rest of what is known of them stays.

    Not of the two that served last of each kind, so that one can go back, nor of an experiment that runs.
    """
    return conn.execute(
        """update learning.models set weights = '' where octet_length(weights) > 0 and status <> 'champion'
               and created_at < %(before)s
               and version not in (
                   select version from (
                       select version, lead(promoted_at) over of_kind as served_until,
                              row_number() over (partition by kind order by promotion_id desc) as from_last
                       from learning.promotions window of_kind as (partition by kind order by promotion_id)
                   ) as served
                   where served_until is null or served_until >= %(before)s or from_last <= 2
               )
               and version not in (
                   select version from learning.experiment_arms join learning.experiments using (experiment_id)
                   where stopped_at is null
               )""",
        {"before": before},
    ).rowcount


def set_status(conn: psycopg.Connection, version: str, status: str, reason: str | None) -> None:
    conn.execute(
        "update learning.models set status = %s, status_reason = %s where version = %s", [status, reason, version]
    )


def retire_champions(conn: psycopg.Connection, reason: str) -> None:
    conn.execute(
        "update learning.models set status = 'retired', status_reason = %s where status = 'champion'", [reason]
    )


def insert_promotion(conn: psycopg.Connection, kind: str, version: str, promoted_at: datetime, reason: str) -> None:
    conn.execute(
        "insert into learning.promotions (kind, version, promoted_at, reason) values (%s, %s, %s, %s)",
        [kind, version, promoted_at, reason],
    )


@dataclass(frozen=True)
class Term:
    """A time during which a version was the champion of its kind; `until` is None for the present one."""

    kind: str
    version: str
    since: datetime
    until: datetime | None
    reason: str


def terms(
    conn: psycopg.Connection, kind: str | None, since: datetime | None = None, until: datetime | None = None
) -> list[Term]:
    """What served when, by kind and time; with `since` and `until`: the terms that touch [since, until)."""
    with conn.cursor(row_factory=class_row(Term)) as cursor:
        return cursor.execute(
            """with all_terms as (
                   select kind, version, promoted_at as since, reason, promotion_id,
                          lead(promoted_at) over (partition by kind order by promotion_id) as until
                   from learning.promotions where kind = coalesce(%(kind)s, kind)
               )
               select kind, version, since, until, reason from all_terms
               where since < coalesce(%(until)s, 'infinity'::timestamptz)
                   and coalesce(until, 'infinity') > coalesce(%(since)s, '-infinity'::timestamptz)
               order by kind, promotion_id""",
            {"kind": kind, "since": since, "until": until},
        ).fetchall()


def promotions(conn: psycopg.Connection, kind: str) -> list[Promotion]:
    """In the order in which they were made."""
    with conn.cursor(row_factory=class_row(Promotion)) as cursor:
        return cursor.execute(
            "select version, promoted_at, reason from learning.promotions where kind = %s order by promotion_id", [kind]
        ).fetchall()


class ServingStamp(NamedTuple):
    """What a server compares to know that it must load anew what it serves."""

    champion: str | None  # policy
    catalogue_version: int
    fallback: str | None = None  # champion of the kind that fills in
    experiment_id: int | None = None  # the one running
    pins: str = ""  # those that hold at this moment
    steers: str = ""  # works that staff exclude, boost or bury at this moment


def serving_stamp(conn: psycopg.Connection, fallback_kind: str) -> ServingStamp:
    with conn.cursor(row_factory=args_row(ServingStamp)) as cursor:
        row = cursor.execute(
            """select
                   (select version from learning.models where kind = 'policy' and status = 'champion'),
                   coalesce((select version from library.catalogue_version), 0),
                   (select version from learning.models where kind = %s and status = 'champion'),
                   (select experiment_id from learning.experiments where stopped_at is null),
                   (select coalesce(string_agg(pin_id::text, ' ' order by pin_id), '') from library.pins
                    where removed_at is null and starts_at <= now() and (ends_at is null or ends_at > now())),
                   (select coalesce(string_agg(steer_id::text, ' ' order by steer_id), '') from library.steers
                    where removed_at is null and starts_at <= now() and (ends_at is null or ends_at > now()))""",
            [fallback_kind],
        ).fetchone()
    assert row
    return row


_ACTIVE_EMBEDDINGS: LiteralString = f"""copy (
    select book_id, embedding from library.text_embeddings
    join library.works using (book_id) where active and {SERVED} order by book_id
) to stdout (format binary)"""
_ALL_EMBEDDINGS: LiteralString = """copy (
    select book_id, embedding from library.text_embeddings order by book_id
) to stdout (format binary)"""


def embedded_since(conn: psycopg.Connection, moment: datetime | None) -> tuple[int, int, datetime | None]:
    """Of the embedded active works: how many since a moment (None: ever), how many in all, the newest time."""
    row = conn.execute(
        f"""select count(*) filter (where embedded_at > coalesce(%s::timestamptz, '-infinity')), count(*),
                  max(embedded_at)
           from library.text_embeddings join library.works using (book_id) where active and {SERVED}""",
        [moment],
    ).fetchone()
    assert row
    return row


def text_embeddings(conn: psycopg.Connection, *, withdrawn: bool = False) -> "tuple[np.ndarray, np.ndarray]":
    """Active works that are embedded: book_ids (n,) ascending and their vectors (n, dimension) float32.

    `withdrawn`: those that were withdrawn too. Binary COPY into one array: 100k works take a fraction of a second.
    """
    import numpy as np  # a fifth of what a command that does without it takes to begin

    with conn.cursor() as cursor, cursor.copy(_ALL_EMBEDDINGS if withdrawn else _ACTIVE_EMBEDDINGS) as copy:
        raw = b"".join(bytes(block) for block in copy)
    # 11 bytes of signature, two empty int32 headers; at the end an int16 of -1.
    record = np.dtype(
        [("fields", ">i2"), ("id_bytes", ">i4"), ("book_id", ">i4"), ("vector_bytes", ">i4"), ("dim", ">i2"),
         ("unused", ">i2"), ("vector", ">f2", embeddings.model(conn).dimension)]
    )  # fmt: skip
    rows = np.frombuffer(raw[19:-2], dtype=record)
    return rows["book_id"].astype(np.int64), rows["vector"].astype(np.float32)


def ranked_works(conn: psycopg.Connection, days: int = 30, now: datetime | None = None) -> list[RankedWork]:
    """Every active work in ascending book_id, with the warmth of the last `days` days before `now`.

    What was done with a work that another one took in counts for that one.
    """
    with conn.cursor(row_factory=class_row(RankedWork)) as cursor:
        return cursor.execute(
            f"""with recent as (
                   select book_id, sum(reward)::float8 as warmth
                   from stream.acts
                   where occurred_at > coalesce(%(now)s, now()) - %(days)s * interval '1 day'
                       and occurred_at <= coalesce(%(now)s, 'infinity'::timestamptz)
                       and not inferred
                   group by 1
               )
               select works.book_id, works.rating, coalesce(recent.warmth, 0) as warmth
               from library.works left join recent using (book_id)
               where works.active and {SERVED} order by works.book_id""",
            {"now": now, "days": days},
        ).fetchall()


def by_popularity(works: list[RankedWork]) -> list[int]:
    """Warmest first; where nobody acted yet, the house's own ratings decide, and like rated works are mixed."""
    return [
        work.book_id
        for work in sorted(works, key=lambda w: (-w.warmth, -(w.rating or 0.0), w.book_id * 2_654_435_761 % 2**32))
    ]


def popular(conn: psycopg.Connection, limit: int, days: int = 30) -> list[int]:
    """The most popular works of the last `days` days; before any history, the best rated."""
    return by_popularity(ranked_works(conn, days))[:limit]


@dataclass(frozen=True)
class Work:
    """What adapter training needs of a work."""

    book_id: int
    subjects: list[str]  # principal subject first
    series_id: int | None
    language: str | None


def works_to_relate(conn: psycopg.Connection) -> list[Work]:
    """Active works with their subjects, in ascending book_id."""
    with conn.cursor(row_factory=class_row(Work)) as cursor:
        return cursor.execute(
            f"""select works.book_id, works.series_id, works.language,
                      array_remove(array_agg(subjects.name order by work_subjects.position), null) as subjects
               from library.works
               left join library.work_subjects using (book_id)
               left join library.subjects using (subject_id)
               where works.active and {SERVED}
               group by works.book_id order by works.book_id"""
        ).fetchall()
