"""The installation's own acts and works as `RankingData`, read from Postgres."""

from datetime import datetime

import numpy as np
import psycopg

from models.dataset_records import era
from models.ranking_data import RankingData
from models.work_text import work_text
from openshelf.database import learning, ranking
from openshelf.errors import UsageError


def load_warehouse(conn: psycopg.Connection, until: datetime | None = None) -> RankingData:
    """The first glad act of each reader on each active work, with its time and reward.

    Works that nobody met are part of the catalogue too. Readers are known by their pseudonyms only.
    `until`: only acts stored until then.

    Raises:
        UsageError: there are no works or no acts yet.
    """
    works = ranking.described_works(conn)
    book_ids = np.array([work.book_id for work in works], dtype=np.int64)
    # Between the two reads a work may have come or gone.
    acts = [act for act in ranking.glad_acts(conn, until) if _row(book_ids, act.book_id) >= 0]
    if not acts:
        raise UsageError("no reader has done anything yet: `openshelf simulate`, or name a data set with --data")
    reader_ids, readers = np.unique([act.reader_key for act in acts], return_inverse=True)
    # What has no time happened before everything that has one: it is learned from, and never judges by what came later.
    times = np.array([act.at or 0.0 for act in acts], dtype=np.float64)
    # The database sorts keys by its own collation.
    order = np.lexsort((times, readers))
    embedded, vectors = learning.text_embeddings(conn)
    embeddings = np.zeros((len(works), vectors.shape[1]), dtype=np.float32)
    here = np.array([_row(book_ids, book_id) for book_id in embedded.tolist()], dtype=np.int64)
    embeddings[here[here >= 0]] = vectors[here >= 0]
    return RankingData(
        name="warehouse",
        readers=readers[order].astype(np.int64),
        rows=np.searchsorted(book_ids, [acts[i].book_id for i in order]).astype(np.int64),
        values=np.array([acts[i].reward for i in order], dtype=np.float32),
        times=times[order] if times.any() else None,
        book_ids=book_ids,
        reader_ids=reader_ids,
        texts=tuple(work_text(w.title, w.authors_text, w.series_name, w.subjects_text, w.summary) for w in works),
        embeddings=_unit(embeddings),
        work_features={
            "author": tuple(work.authors_text.split(",")[0].strip().casefold() for work in works),
            "publisher": tuple((work.publisher or "").casefold() for work in works),
            "era": tuple(era(str(work.year or "")) for work in works),
        },
    )


def _row(book_ids: np.ndarray, book_id: int) -> int:
    at = int(np.searchsorted(book_ids, book_id))
    return at if at < len(book_ids) and book_ids[at] == book_id else -1


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of length 1 again after half precision; zeros stay."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)
