"""Text embeddings of works: what is to be embedded, the vectors, and the one encoder they are all of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, LiteralString

import psycopg
from pgvector import HalfVector
from psycopg import sql
from psycopg.rows import class_row

from openshelf.errors import IngestError

if TYPE_CHECKING:
    import numpy as np

# Comparing a query with every vector takes 4 ms of the processor for 10,000.
INDEXED_FROM = 20_000
# Made on several processors, it takes all of this from the shared memory of the server's machine.
INDEX_MEMORY_MB = 512
_NEAR: LiteralString = """create index text_embeddings_near on library.text_embeddings
    using hnsw (embedding halfvec_cosine_ops) with (m = 32, ef_construction = 200)"""


@dataclass(frozen=True)
class TextSource:
    """What the embedded text of a work is made of, with the hash of the text embedded last."""

    book_id: int
    title: str
    authors_text: str
    series_name: str | None
    subjects_text: str
    summary: str | None
    text_hash: str | None


@dataclass(frozen=True)
class EmbeddingModel:
    """The encoder that the stored vectors are of, and since when (None: always). `is_used`: there are such vectors."""

    model: str
    dimension: int
    taken_at: datetime | None
    is_used: bool


def model(conn: psycopg.Connection) -> EmbeddingModel:
    with conn.cursor(row_factory=class_row(EmbeddingModel)) as cursor:
        row = cursor.execute(
            """select model, dimension, taken_at, exists (select from library.text_embeddings) as is_used
               from library.embedding_model"""
        ).fetchone()
    assert row
    return row


def take_model(conn: psycopg.Connection, model: str, dimension: int) -> None:
    """From now on vectors are of this encoder. Those of another one are removed, in the same transaction."""
    conn.execute("lock table library.text_embeddings in access exclusive mode")
    conn.execute("drop index if exists library.text_embeddings_near")
    conn.execute("delete from library.text_embeddings where (model, dimension) <> (%s, %s)", [model, dimension])
    # The length is part of the column's type, which an index of nearness asks for.
    conn.execute("alter table library.text_embeddings drop column dimension")
    conn.execute(
        sql.SQL("alter table library.text_embeddings alter column embedding type halfvec({})").format(dimension)
    )
    conn.execute(
        """update library.embedding_model set model = %(model)s, dimension = %(dimension)s, taken_at = now()
           where (model, dimension) <> (%(model)s, %(dimension)s)""",
        {"model": model, "dimension": dimension},
    )
    conn.execute(
        """alter table library.text_embeddings
               add column dimension int not null generated always as (vector_dims(embedding)) stored,
               add foreign key (model, dimension) references library.embedding_model (model, dimension)"""
    )


def index(conn: psycopg.Connection) -> bool:
    """Make the index of nearness once there are enough vectors for it; whether it was made now.

    Without one every vector is compared, which is exact and, up to then, fast enough. Some 90 s for 100,000 vectors.
    """
    row = conn.execute(
        """select count(*) >= %s and to_regclass('library.text_embeddings_near') is null
           from library.text_embeddings""",
        [INDEXED_FROM],
    ).fetchone()
    if row != (True,):
        return False
    conn.execute("select set_config('maintenance_work_mem', %s, true)", [f"{INDEX_MEMORY_MB}MB"])
    try:
        with conn.transaction():
            conn.execute(_NEAR)
    except psycopg.errors.DiskFull:
        # Also said where shared memory is small (64 MB in a container that was given no more): it does without, alone.
        conn.execute("set local max_parallel_maintenance_workers = 0")
        conn.execute(_NEAR)
    return True


def text_sources(conn: psycopg.Connection) -> list[TextSource]:
    """Every active work with the hash of what is embedded of it, by book_id."""
    with conn.cursor(row_factory=class_row(TextSource)) as cursor:
        return cursor.execute(
            """select w.book_id, w.title, w.authors_text, s.name as series_name, w.subjects_text, w.summary,
                   t.text_hash
               from library.works as w
               left join library.series as s using (series_id)
               left join library.text_embeddings as t using (book_id)
               where w.active order by w.book_id"""
        ).fetchall()


def store(conn: psycopg.Connection, model: str, rows: "Sequence[tuple[int, str, np.ndarray]]") -> None:
    """Insert or replace embeddings: book_id, text_hash, vector.

    Raises:
        IngestError: the vectors in the database are of another encoder; nothing was stored.
    """
    conn.execute("create temp table incoming_embeddings (book_id int, text_hash text, embedding text) on commit drop")
    with conn.cursor().copy("copy incoming_embeddings from stdin") as copy:
        for book_id, text_hash, vector in rows:
            copy.write_row((book_id, text_hash, HalfVector(vector).to_text()))
    try:
        conn.execute(
            """insert into library.text_embeddings (book_id, model, text_hash, embedding)
               select book_id, %s, text_hash, embedding::halfvec from incoming_embeddings
               on conflict (book_id) do update set model = excluded.model, text_hash = excluded.text_hash,
                   embedding = excluded.embedding, embedded_at = now()""",
            [model],
        )
    except psycopg.errors.ForeignKeyViolation as error:
        if error.diag.constraint_name != "text_embeddings_model_dimension_fkey":
            raise
        raise IngestError(
            f"the library's vectors are not of {model}, and vectors of two models are never mixed; "
            "run `openshelf embed --replace` to make all of them anew."
        ) from error
    conn.execute("drop table incoming_embeddings")
