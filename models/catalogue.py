"""The works as the policy ranks them, read from Postgres: vectors, popularity prior, popular order."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import psycopg

from models.states import Catalogue
from openshelf.database import catalogue, learning, works

# How much of the popularity prior the house's own rating can make up where no reader has acted.
RATING_SHARE = 0.2
NEUTRAL_RATING = 3.0


@dataclass(frozen=True)
class Popularity:
    """Of every active work, in ascending book_id; as of one version of the catalogue."""

    book_ids: np.ndarray  # (n,) int64
    prior: np.ndarray  # (n,) float32
    popular: list[int]  # works that readers or the house gave a reason to call popular, most popular first
    version: int


@dataclass(frozen=True)
class Ranking:
    catalogue: Catalogue
    popular: list[int]  # as of Popularity
    version: int


def popularity_prior(ranked: list[learning.RankedWork]) -> np.ndarray:
    """(n,) float32 in 0..1: how warmly readers took each work, log-scaled, and a share for the house's rating."""
    warmth = np.log1p(np.array([max(work.warmth, 0.0) for work in ranked]))
    rating = np.array([NEUTRAL_RATING if work.rating is None else work.rating for work in ranked]) / 5
    by_readers = warmth / max(warmth.max(initial=0.0), 1.0)
    return ((1 - RATING_SHARE) * by_readers + RATING_SHARE * rating).astype(np.float32)


def load_popularity(conn: psycopg.Connection, now: datetime | None = None) -> Popularity:
    """That of the 30 days before `now` (unset: the present). Counts the acts of these days."""
    version = catalogue.version(conn)
    ranked = learning.ranked_works(conn, now=now)
    known = [work for work in ranked if work.warmth > 0 or work.rating is not None]
    book_ids = np.array([work.book_id for work in ranked], dtype=np.int64)
    return Popularity(book_ids, popularity_prior(ranked), learning.by_popularity(known), version)


def load_ranking(
    conn: psycopg.Connection, now: datetime | None = None, popularity: Popularity | None = None
) -> Ranking:
    """Popularity is that of the 30 days before `now` (unset: the present), or as it was read before."""
    popularity = popularity or load_popularity(conn, now)
    embedded, vectors = learning.text_embeddings(conn)
    texts = np.zeros((len(popularity.book_ids), vectors.shape[1]), dtype=np.float32)
    merged = np.array(works.merged(conn), dtype=np.int64)
    catalogue = Catalogue(popularity.book_ids, texts, popularity.prior, merged if len(merged) else None)
    rows = catalogue.rows(embedded)
    # Between the two reads a work may have been withdrawn.
    texts[rows[rows >= 0]] = vectors[rows >= 0]
    return Ranking(catalogue, popularity.popular, popularity.version)
