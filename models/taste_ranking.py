"""What was searched for, in the order that suits one reader."""

from collections.abc import Sequence

import numpy as np
import psycopg

from models.search import Hit
from openshelf.database import taste

# Beside a share of 1 for how well the words fit: taste moves works among their likes, it does not change the question.
TASTE_WEIGHT = 0.3


def suit(conn: psycopg.Connection, hits: Sequence[Hit], reader_key: str) -> list[Hit]:
    """The hits by how well they fit the query and the reader's acts; hidden works are left out.

    A reader without acts (or without embedded works among them) gets the order of the search.
    """
    away = taste.hidden(conn, reader_key)
    kept = [hit for hit in hits if hit.book_id not in away]
    rewards = taste.rewards(conn, reader_key)
    known = taste.vectors(conn, [*rewards, *(hit.book_id for hit in kept)])
    liking = sum((reward * known[book_id] for book_id, reward in rewards.items() if book_id in known), np.zeros(1))
    length = np.linalg.norm(liking)
    if not kept or not length:
        return kept
    best = max(hit.score for hit in kept) or 1.0

    def fit(hit: Hit) -> float:
        near = float(known[hit.book_id] @ liking / length) if hit.book_id in known else 0.0
        return hit.score / best + TASTE_WEIGHT * near

    return sorted(kept, key=lambda hit: -fit(hit))
