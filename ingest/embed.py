"""Embeds the texts of works, only those whose text has changed, all by one model."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import psycopg

from models.embedding import TextEncoder, load_encoder, model_name
from models.work_text import text_hash, work_text
from openshelf.database import embeddings, ingestion
from openshelf.errors import IngestError
from openshelf.progress import progress

# Stored and committed together: what a stop half-way through wastes.
BATCH = 1_024
_LENGTH_TOLERANCE = 0.01


@dataclass(frozen=True)
class EmbedReport:
    works: int  # active works
    embedded: int  # of them now
    catalogue_version: int | None  # None: nothing changed
    model: str


def embed_texts(conn: psycopg.Connection, *, replace: bool = False) -> EmbedReport:
    """Embed what is new or changed by the model that is set, with a bar; raises as `embed_changed`."""
    with progress("Embedding texts") as show:
        return embed_changed(conn, load_encoder, show, replace=replace)


def embed_changed(
    conn: psycopg.Connection,
    load: Callable[[], TextEncoder],
    on_progress: Callable[[int, int], None] | None = None,
    *,
    replace: bool = False,
) -> EmbedReport:
    """Embed every active work whose text is not embedded yet; commits batch by batch, so a stop loses one batch.

    The encoder is loaded only if there is something to embed. `replace`: vectors of another model than the one that is
    set are removed first, and what was learned from them serves no more.

    Raises:
        IngestError: the vectors are of another model (unless `replace`); the encoder gave back too few vectors, or one
            that is no direction. ModelError: the encoder does not load. Nothing was changed by then.
    """
    name, stored = model_name(), embeddings.model(conn)
    if stored.is_used and stored.model != name and not replace:
        conn.rollback()
        raise IngestError(
            f"the works are embedded by {stored.model}, but {name} is set, and vectors of two models are never mixed. "
            "Run `openshelf embed --replace` to embed all works anew, or set OPENSHELF_EMBEDDING_MODEL back."
        )
    sources = embeddings.text_sources(conn)
    waiting: list[tuple[int, str, str]] = []
    for source in sources:
        text = work_text(source.title, source.authors_text, source.series_name, source.subjects_text, source.summary)
        digest = text_hash(text)
        if digest != source.text_hash or stored.model != name:
            waiting.append((source.book_id, digest, text))
    conn.commit()
    if not waiting:
        return EmbedReport(len(sources), 0, None, name)
    encoder = load()
    if stored.model != name:
        embeddings.take_model(conn, name, encoder.dimension)
        from models import registry  # needs torch, as the encoder does: not for those who have nothing to embed

        registry.retire_learned(conn, f"works are embedded by {name} now")
        ingestion.bump_version(conn)
        conn.commit()
    version = 0
    for start in range(0, len(waiting), BATCH):
        batch = waiting[start : start + BATCH]

        def show(done: int, start: int = start) -> None:
            if on_progress:
                on_progress(start + done, len(waiting))

        vectors = encoder.encode_documents([text for _, _, text in batch], show)
        check_vectors(vectors, len(batch))
        embeddings.store(
            conn, name, [(book, digest, vector) for (book, digest, _), vector in zip(batch, vectors, strict=True)]
        )
        version = ingestion.bump_version(conn)
        conn.commit()
    embeddings.index(conn)
    conn.commit()
    return EmbedReport(len(sources), len(waiting), version, name)


def check_vectors(vectors: np.ndarray, count: int) -> None:
    """Refuse vectors that are too few, not finite, or not of length 1: they would spoil every search."""
    if len(vectors) != count:
        raise IngestError(f"the encoder gave {len(vectors)} vectors for {count} texts; nothing of them was stored.")
    lengths = np.linalg.norm(vectors, axis=1)
    if not np.isfinite(lengths).all() or (abs(lengths - 1) > _LENGTH_TOLERANCE).any():
        raise IngestError(
            "the encoder gave vectors that are not finite or not of length 1; nothing of them was stored."
        )
