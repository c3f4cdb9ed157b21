"""Text embeddings of works: what is to be embedded, and the vectors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import psycopg
from pgvector import HalfVector
from psycopg.rows import class_row


@dataclass(frozen=True)
class TextSource:
    """What the embedded text of a work is made of, with the hash of the text embedded last."""

    book_id: int
    title: str
    authors_text: str
    series_name: str | None
    subjects_text: str
    summary: str | None
    model: str | None
    text_hash: str | None


def text_sources(conn: psycopg.Connection) -> list[TextSource]:
    """Every active work with the hash of what is embedded of it, by book_id."""
    with conn.cursor(row_factory=class_row(TextSource)) as cursor:
        return cursor.execute(
            """select w.book_id, w.title, w.authors_text, s.name as series_name, w.subjects_text, w.summary,
                   t.model, t.text_hash
               from library.works as w
               left join library.series as s using (series_id)
               left join library.text_embeddings as t using (book_id)
               where w.active order by w.book_id"""
        ).fetchall()


def store(conn: psycopg.Connection, model: str, rows: Sequence[tuple[int, str, np.ndarray]]) -> None:
    """Insert or replace embeddings: book_id, text_hash, 384 numbers."""
    conn.execute("create temp table incoming_embeddings (book_id int, text_hash text, embedding text) on commit drop")
    with conn.cursor().copy("copy incoming_embeddings from stdin") as copy:
        for book_id, text_hash, vector in rows:
            copy.write_row((book_id, text_hash, HalfVector(vector).to_text()))
    conn.execute(
        """insert into library.text_embeddings (book_id, model, text_hash, embedding)
           select book_id, %s, text_hash, embedding::halfvec(384) from incoming_embeddings
           on conflict (book_id) do update set model = excluded.model, text_hash = excluded.text_hash,
               embedding = excluded.embedding, embedded_at = now()""",
        [model],
    )
    conn.execute("drop table incoming_embeddings")
