"""The embedding of a query. Without the encoder the words alone answer, and the log says so."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import structlog

from models import embedding
from models.query_text import tidy
from openshelf.errors import ModelError

log = structlog.get_logger()


@lru_cache(maxsize=2_048)
def _encoded(text: str) -> np.ndarray | None:
    vector = embedding.load_encoder().encode_query(text)
    # A zero vector has no cosine, and NaN sorts anywhere.
    return vector if np.isfinite(vector).all() and vector.any() else None


def encoded(text: str) -> np.ndarray | None:
    """(dimension,) the embedding of a text, of length 1; None where it has none, or without an encoder."""
    try:
        return _encoded(tidy(text))
    except (ModelError, OSError, ImportError) as error:
        log.warning("no encoder: searching by words alone", error=str(error))
        return None


def encoded_all(texts: Sequence[str]) -> np.ndarray | None:
    """(n, dimension) the embeddings of these texts, of length 1; None without an encoder."""
    try:
        return embedding.load_encoder().encode_documents(list(texts))
    except (ModelError, OSError, ImportError) as error:
        log.warning("no encoder: nothing is compared by meaning", error=str(error))
        return None


def vector_text(vector: np.ndarray) -> str:
    """An embedding as pgvector reads it."""
    return "[" + ",".join(f"{x:.6g}" for x in vector) + "]"


def vector(text: str) -> str | None:
    """The embedding of a text as pgvector reads it; None where it has none, or without an encoder."""
    found = encoded(text)
    return None if found is None else vector_text(found)


def compares_meaning() -> bool:
    """Whether the encoder is there; without it the mode `meaning` finds by words."""
    try:
        embedding.load_encoder()
    except (ModelError, OSError, ImportError):
        return False
    return True
