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
    near = nearness(conn, reader_key, [hit.book_id for hit in kept])
    if not kept or not near:
        return kept
    best = max(hit.score for hit in kept) or 1.0
    return sorted(kept, key=lambda hit: -(hit.score / best + TASTE_WEIGHT * near.get(hit.book_id, 0.0)))


def nearness(conn: psycopg.Connection, reader_key: str, book_ids: Sequence[int]) -> dict[int, float]:
    """book_id -> how near a work is to what the reader's acts were glad of, -1 to 1; empty of who has no such acts."""
    rewards = taste.rewards(conn, reader_key)
    known = taste.vectors(conn, [*rewards, *book_ids])
    liking = sum((reward * known[book_id] for book_id, reward in rewards.items() if book_id in known), np.zeros(1))
    length = np.linalg.norm(liking)
    if not length:
        return {}
    return {book_id: float(known[book_id] @ liking / length) for book_id in book_ids if book_id in known}
