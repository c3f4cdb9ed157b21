"""A small library in Postgres whose texts tell subjects, and readers whose tastes are not those subjects."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import numpy as np
import psycopg
from pgvector.psycopg import register_vector
from toy_world import COUNT_WORKS, GROUPS, START, unit_rows

from openshelf.database.episodes import SeenSlate, StoredAct


def connected(url: str) -> psycopg.Connection:
    conn = psycopg.connect(url)
    register_vector(conn)
    return conn


def subject_of(book_id: int) -> int:
    return (book_id - 1) // 10 % GROUPS


def store_works(conn: psycopg.Connection, count: int = COUNT_WORKS, embedded: int | None = None) -> None:
    """Works 1..count with one subject each, the first `embedded` of them with a text embedding."""
    texts = unit_rows(count) + 0.7 * unit_rows(GROUPS, seed=1)[[subject_of(i) for i in range(1, count + 1)]]
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    with conn.cursor() as cursor:
        cursor.executemany(
            "insert into library.subjects (name) values (%s) on conflict do nothing",
            [(f"subject {number}",) for number in range(GROUPS)],
        )
        for book_id in range(1, count + 1):
            row = cursor.execute(
                "insert into library.works (work_key, title, title_sort, added_at) values (%s, %s, %s, %s) "
                "returning book_id",
                [str(book_id), f"Work {book_id}", f"Work {book_id}", START],
            ).fetchone()
            assert row == (book_id,)
        cursor.executemany(
            """insert into library.work_subjects (book_id, subject_id, position)
               select %s, subject_id, 0 from library.subjects where name = %s""",
            [(book_id, f"subject {subject_of(book_id)}") for book_id in range(1, count + 1)],
        )
        cursor.executemany(
            "insert into library.text_embeddings (book_id, model, text_hash, embedding) "
            "values (%s, 'all-MiniLM-L6-v2', 'h', %s::text::halfvec)",
            [(i + 1, str(texts[i].tolist())) for i in range(count if embedded is None else embedded)],
        )
    conn.commit()


def store_history(conn: psycopg.Connection, slates: list[SeenSlate], acts: list[StoredAct], days: int = 0) -> None:
    """The slates and acts as the dataflow stores them, `days` later than they say."""
    later = timedelta(days=days)
    with conn.cursor() as cursor:
        cursor.executemany(
            """insert into stream.slates (slate_id, event_id, reader_key, session_id, created_at, policy_version, arm,
                   surface, event_received_at, stored_at, book_ids, propensities, sources, reasons, reason_book_ids)
               values (%s, gen_random_uuid(), %s, %s, %s, 'policy-0001', 'champion', 'for_you', %s, %s, %s, %s,
                   array_fill('policy'::text, array[%s]), array_fill('new_to_you'::text, array[%s]),
                   array_fill(null::int, array[%s]))""",
            [
                (
                    s.slate_id,
                    s.reader_key,
                    s.session_id,
                    s.created_at + later,
                    s.created_at + later,
                    s.stored_at + later,
                    s.book_ids,
                    s.propensities,
                    *[len(s.book_ids)] * 3,
                )
                for s in slates
            ],
        )
        cursor.executemany(
            """insert into stream.interactions (event_id, version, occurred_at, reader_key, session_id, action, book_id,
                   slate_id, surface, reward, rewards_version, received_at, stored_at)
               values (gen_random_uuid(), 1, %s, %s, %s, %s, %s, %s, 'for_you', %s, 'test', %s, %s)""",
            [
                (
                    a.occurred_at + later, a.reader_key, a.session_id, a.action, a.book_id, a.slate_id, a.reward,
                    a.occurred_at + later, a.occurred_at + later,
                )
                for a in acts
            ],
        )  # fmt: skip
    conn.commit()


def renamed(slates: list[SeenSlate], acts: list[StoredAct]) -> tuple[list[SeenSlate], list[StoredAct]]:
    """The same history under other slate and session ids, to be stored beside the first."""

    def other(key: UUID) -> UUID:
        return UUID(int=key.int ^ (1 << 100))

    return (
        [replace(s, slate_id=other(s.slate_id), session_id=other(s.session_id)) for s in slates],
        [replace(a, slate_id=a.slate_id and other(a.slate_id), session_id=other(a.session_id)) for a in acts],
    )
