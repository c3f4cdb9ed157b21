"""Only what changed is embedded, and nothing that would spoil a search is stored."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from ingest.embed import check_vectors, embed_changed
from ingest.load import ingest_calibre
from models.embedding import load_encoder
from openshelf.errors import IngestError


def refuse_to_load() -> Any:
    raise AssertionError("nothing has changed, so the encoder is not needed")


def test_every_work_gets_a_unit_vector_and_a_second_run_loads_no_encoder(
    conn: psycopg.Connection, library: Path
) -> None:
    works = ingest_calibre(conn, library).works

    first = embed_changed(conn, load_encoder)
    second = embed_changed(conn, refuse_to_load)

    rows = conn.execute(
        "select count(*), min(l2_norm(embedding)), max(l2_norm(embedding)) from library.text_embeddings"
    )
    count, shortest, longest = rows.fetchone() or (0, 0, 0)
    assert (first.embedded, count) == (works, works)
    assert shortest == pytest.approx(1, abs=0.01)
    assert longest == pytest.approx(1, abs=0.01)
    assert first.catalogue_version is not None
    assert (second.embedded, second.catalogue_version) == (0, None)


def test_only_an_edited_work_is_embedded_again(conn: psycopg.Connection, library: Path, edit: Callable) -> None:
    ingest_calibre(conn, library)
    embed_changed(conn, load_encoder)
    with edit() as db:
        db.execute("update comments set text = '<p>Quite another story.</p>' where book = 3")
        db.execute("update books set last_modified = '2026-02-02 10:00:00+00:00' where id = 3")
    ingest_calibre(conn, library)
    asked: list[str] = []

    class Listening:
        def encode_documents(self, texts: Sequence[str], on_progress: object = None) -> np.ndarray:
            asked.extend(texts)
            return load_encoder().encode_documents(texts)

    embed_changed(conn, Listening)  # pyright: ignore[reportArgumentType]

    assert len(asked) == 1
    assert "Quite another story" in asked[0]


def test_too_few_vectors_store_nothing(conn: psycopg.Connection, library: Path) -> None:
    ingest_calibre(conn, library)

    class Short:
        def encode_documents(self, texts: Sequence[str], on_progress: object = None) -> np.ndarray:
            return load_encoder().encode_documents(texts)[:-1]

    with pytest.raises(IngestError, match="vectors for"):
        embed_changed(conn, Short)  # pyright: ignore[reportArgumentType]
    conn.rollback()

    assert conn.execute("select count(*) from library.text_embeddings").fetchone() == (0,)


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf"), 3.0])
def test_vectors_that_are_no_direction_are_refused(value: float) -> None:
    vectors = np.eye(2, 384, dtype=np.float32)
    vectors[1] = value

    with pytest.raises(IngestError, match="not finite or not of length 1"):
        check_vectors(vectors, 2)
