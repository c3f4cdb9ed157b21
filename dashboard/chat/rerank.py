"""Candidates in the order in which they are named: by evidence, by the reader's taste, by a model if it is asked.

Always a permutation of what came in: nothing is added, lost or named twice, whatever taste or model say. Pure.
"""

from collections.abc import Callable, Mapping, Sequence

from dashboard.chat.finding.scores import Candidate
from openshelf.database.search import Record

# Ids of works -> how near each is to what the reader liked, -1 to 1.
Taste = Callable[[Sequence[int]], Mapping[int, float]]
# The records in their order -> ids in a better one, or None.
Order = Callable[[Sequence[Record]], Sequence[int] | None]

# Beside evidence, of which a whole subject or word weighs about 1: taste decides among works that answer alike.
TASTE_WEIGHT = 0.35


def rerank(candidates: Sequence[Candidate], taste: Taste | None = None, order: Order | None = None) -> list[Candidate]:
    """The candidates, best first; `taste` and `order` only move them."""
    ranked = list(candidates)
    if taste is not None and ranked:
        near = taste([candidate.record.book_id for candidate in ranked])
        ranked.sort(key=lambda c: -(c.evidence + TASTE_WEIGHT * near.get(c.record.book_id, 0.0)))
    said = order([candidate.record for candidate in ranked]) if order is not None and ranked else None
    return permuted(ranked, said) if said is not None else ranked


def permuted(candidates: Sequence[Candidate], said: Sequence[int]) -> list[Candidate]:
    """The candidates whose ids were said, in that order, then the others in theirs.

    A model that says less than half of the ids, or as many false ones as true ones, has not understood: its order does
    not count.
    """
    by_id = {candidate.record.book_id: candidate for candidate in candidates}
    known = [book_id for book_id in dict.fromkeys(said) if book_id in by_id]
    if 2 * len(known) < len(by_id) or len(said) >= 2 * max(len(known), 1):
        return list(candidates)
    chosen = set(known)
    return [by_id[book_id] for book_id in known] + [c for c in candidates if c.record.book_id not in chosen]
