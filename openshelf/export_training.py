"""What ranking models learn from, as Parquet: for notebooks and other programs. No reader's key leaves."""

import secrets
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from openshelf.database import learning, ranking
from openshelf.errors import UsageError

# File -> column -> what it says.
SCHEMA: Mapping[str, Mapping[str, str]] = {
    "interactions.parquet": {
        "reader": "a number that this export alone knows; in another one the reader has another",
        "place": "0, 1, ...: the order in which the reader met the works",
        "book_id": "the work",
        "reward": "what the reader's first glad act on it was worth, above 0",
        "occurred_at": "when, to the hour, UTC; empty where a data set does not tell",
    },
    "works.parquet": {
        "book_id": "the work; ascending",
        "title": "as readers see it",
        "authors": "joined with ', '",
        "series": "its series, if it is of one",
        "subjects": "joined with ', ', the principal one first",
        "summary": "plain text",
        "publisher": "of the edition that speaks for the work",
        "year": "of first publication, where known",
    },
    "vectors.parquet": {
        "book_id": "the work; ascending",
        "embedding": "of its text, float32",
    },
}


@dataclass(frozen=True)
class ExportedTraining:
    path: str
    interactions: int
    readers: int
    works: int
    vectors: int


def export_training(conn: psycopg.Connection, folder: Path, *, with_vectors: bool = False) -> ExportedTraining:
    """Write the files of `SCHEMA` into a new folder, which appears whole or not at all.

    Of readers who keep a history, and of data sets; of a visit nothing is learned and nothing leaves.

    Raises:
        UsageError: the folder is there already, or cannot be written.
    """
    if folder.exists():
        raise UsageError(f"{folder} is there already: name a folder that is not")
    half = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        tables = {"interactions.parquet": _interactions(conn), "works.parquet": _works(conn)}
        if with_vectors:
            tables["vectors.parquet"] = _vectors(conn)
        for name, table in tables.items():
            pq.write_table(_described(name, table), half / name, compression="zstd")
        half.replace(folder)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    acts = tables["interactions.parquet"]
    return ExportedTraining(
        path=str(folder),
        interactions=acts.num_rows,
        readers=len(acts["reader"].unique()),
        works=tables["works.parquet"].num_rows,
        vectors=tables["vectors.parquet"].num_rows if with_vectors else 0,
    )


def _interactions(conn: psycopg.Connection) -> pa.Table:
    acts = ranking.glad_acts(conn)  # by reader and time
    keys = list(dict.fromkeys(act.reader_key for act in acts))
    # Numbers in an order of their own: that of the keys would tell which reader is which in another export.
    numbers = list(range(len(keys)))
    secrets.SystemRandom().shuffle(numbers)
    number_of = dict(zip(keys, numbers, strict=True))
    met: Counter[str] = Counter()
    places = []
    for act in acts:
        places.append(met[act.reader_key])
        met[act.reader_key] += 1
    table = pa.table(
        {
            "reader": pa.array([number_of[act.reader_key] for act in acts], pa.int32()),
            "place": pa.array(places, pa.int32()),
            "book_id": pa.array([act.book_id for act in acts], pa.int32()),
            "reward": pa.array([act.reward for act in acts], pa.float32()),
            "occurred_at": pa.array([_hour(act.at) for act in acts], pa.timestamp("s", "UTC")),
        }
    )
    return table.sort_by([("reader", "ascending"), ("place", "ascending")])


def _hour(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at - at % 3600, UTC)


def _works(conn: psycopg.Connection) -> pa.Table:
    works = ranking.described_works(conn)
    columns = {
        "book_id": pa.array([w.book_id for w in works], pa.int32()),
        "title": pa.array([w.title for w in works], pa.string()),
        "authors": pa.array([w.authors_text for w in works], pa.string()),
        "series": pa.array([w.series_name for w in works], pa.string()),
        "subjects": pa.array([w.subjects_text for w in works], pa.string()),
        "summary": pa.array([w.summary for w in works], pa.string()),
        "publisher": pa.array([w.publisher for w in works], pa.string()),
        "year": pa.array([w.year for w in works], pa.int32()),
    }
    return pa.table(columns)


def _vectors(conn: psycopg.Connection) -> pa.Table:
    book_ids, vectors = learning.text_embeddings(conn)
    flat = pa.array(vectors.reshape(-1), pa.float32())
    embedding = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1] if vectors.ndim == 2 else 1)
    return pa.table({"book_id": pa.array(book_ids, pa.int32()), "embedding": embedding})


def _described(name: str, table: pa.Table) -> pa.Table:
    """The table with what each column says, in the file itself."""
    fields = [
        field.with_metadata({"description": SCHEMA[name][field.name]}) for field in table.schema
    ]  # a column without a description is a mistake, and raises
    return table.cast(pa.schema(fields))
