"""What the librarian is measured against: three plain ways to find works for a question. They name, and say nothing.

Each sees all turns of a conversation as one text and leaves out what was named before. A rival cannot tell that
nothing fits; it is given a floor for the score of its best work, chosen by the judge on the questions to tune on.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import psycopg

from models import embedding
from models.work_text import work_text
from openshelf.database import embeddings, learning
from openshelf.folding import fold_words

NAMED = 3  # works that a rival names
NEAREST = 10  # works that the old rule ranks again
_NO_SCORE = float("-inf")


@dataclass(frozen=True)
class Ranked:
    """Works, best first, and the score of the best: below its floor a rival names nothing."""

    book_ids: tuple[int, ...]
    score: float


Rival = Callable[[str, frozenset[int]], Ranked]


class Bm25:
    """BM25 (Robertson and Zaragoza 2009, k1 = 1.5, b = 0.75) over texts already cut into words."""

    def __init__(self, texts: Sequence[Sequence[str]], k1: float = 1.5, b: float = 0.75) -> None:
        self._counts = [Counter(text) for text in texts]
        lengths = np.array([len(text) for text in texts], dtype=float)
        self._damping = k1 * (1 - b + b * lengths / max(lengths.mean(), 1.0)) if len(texts) else lengths
        self._k1 = k1
        holders = Counter(word for count in self._counts for word in count)
        self._weights = {word: np.log(1 + (len(texts) - n + 0.5) / (n + 0.5)) for word, n in holders.items()}

    def scores(self, words: Sequence[str]) -> np.ndarray:
        """(n,) one score for each text; 0 where it holds none of the words."""
        found = np.zeros(len(self._counts))
        for word in words:
            if word in self._weights:
                times = np.array([count[word] for count in self._counts], dtype=float)
                found += self._weights[word] * times * (self._k1 + 1) / (times + self._damping)
        return found


def load_rivals(conn: psycopg.Connection) -> dict[str, Rival]:
    """The rivals over the works of this catalogue.

    - `vector`: the works nearest to the question by the cosine of their embeddings
    - `bm25`: BM25 over all that the record says, folded
    - `old rule`: the ten nearest by embedding, ranked again by BM25 over title and summary, in lower case and split on
      blanks, as the library did before (capability E3 of its description)
    """
    sources = embeddings.text_sources(conn)
    ids = np.array([source.book_id for source in sources])
    embedded, vectors = learning.text_embeddings(conn)
    row_of = {int(book_id): row for row, book_id in enumerate(embedded)}
    matrix = np.array([vectors[row_of[int(book_id)]] for book_id in ids], dtype=np.float32)
    full = Bm25(
        [
            fold_words(work_text(s.title, s.authors_text, s.series_name, s.subjects_text, s.summary)).split()
            for s in sources
        ]
    )
    plain = Bm25([f"{s.title} {s.summary or ''}".lower().split() for s in sources])

    def cosines(text: str) -> np.ndarray:
        return matrix @ embedding.load_encoder().encode_query(text)

    def best(scores: np.ndarray, without: frozenset[int], most: int) -> np.ndarray:
        allowed = np.where(np.isin(ids, list(without)), _NO_SCORE, scores)
        order = np.argsort(-allowed, kind="stable")[:most]
        return order[allowed[order] > _NO_SCORE]

    def ranked(scores: np.ndarray, order: np.ndarray) -> Ranked:
        return Ranked(tuple(int(ids[row]) for row in order[:NAMED]), float(scores[order].max(initial=_NO_SCORE)))

    def by_vector(text: str, without: frozenset[int]) -> Ranked:
        if not fold_words(text):
            return Ranked((), _NO_SCORE)
        near = cosines(text)
        return ranked(near, best(near, without, NAMED))

    def by_words(text: str, without: frozenset[int]) -> Ranked:
        scores = full.scores(fold_words(text).split())
        order = best(scores, without, NAMED)
        return ranked(scores, order[scores[order] > 0])

    def by_old_rule(text: str, without: frozenset[int]) -> Ranked:
        if not fold_words(text):
            return Ranked((), _NO_SCORE)
        near = cosines(text)
        nearest = best(near, without, NEAREST)
        again = plain.scores(text.lower().split())[nearest]
        return ranked(near, nearest[np.argsort(-again, kind="stable")])

    return {"vector": by_vector, "bm25": by_words, "old rule": by_old_rule}
