"""What the librarian is measured against: three plain ways to find works for a question. They name, and say nothing.

Each sees all turns of a conversation as one text and leaves out what was named before. A rival cannot tell that
nothing fits; it is given a floor for the score of its best work, chosen by the judge on the questions to tune on.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import psycopg

from models import embedding
from models.work_text import work_text
from openshelf.database import embeddings, learning
from openshelf.database import search as statements
from openshelf.folding import fold_words

NAMED = 3  # works that a rival names
NEAREST = 10  # works that the old rule ranks again
_NO_SCORE = float("-inf")


@dataclass(frozen=True)
class Ranked:
    """Works, best first; the score of the best: below its floor a rival names nothing; seconds that it took."""

    book_ids: tuple[int, ...]
    score: float
    seconds: float = 0.0


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
                times = np.array([count.get(word, 0) for count in self._counts], dtype=float)
                found += self._weights[word] * times * (self._k1 + 1) / (times + self._damping)
        return found


class Nearness:
    """Cosines of a text and every work of the catalogue; asked again, what was computed before."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self.sources = embeddings.text_sources(conn)
        self.ids = np.array([source.book_id for source in self.sources])
        records = statements.records(conn, [source.book_id for source in self.sources])
        terms = {record.book_id: " ".join((*record.themes, *record.moods)) for record in records}
        # What draws readers to each work, as its source says it: what we go by, they are given too.
        self.terms = [terms.get(source.book_id, "") for source in self.sources]
        embedded, vectors = learning.text_embeddings(conn)
        row_of = {int(book_id): row for row, book_id in enumerate(embedded)}
        self._vectors = np.array([vectors[row_of[int(book_id)]] for book_id in self.ids], dtype=np.float32)
        self._known: dict[str, tuple[np.ndarray, float]] = {}

    def cosines(self, text: str) -> tuple[np.ndarray, float]:
        """(n,) in the order of `ids`, and the seconds that it took the first time."""
        if text not in self._known:
            start = time.perf_counter()
            near = self._vectors @ embedding.load_encoder().encode_query(text)
            self._known[text] = near, time.perf_counter() - start
        return self._known[text]

    def best(self, scores: np.ndarray, without: frozenset[int], most: int) -> np.ndarray:
        """Rows of the best works that are not among those left out, best first."""
        allowed = np.where(np.isin(self.ids, list(without)), _NO_SCORE, scores)
        order = np.argsort(-allowed, kind="stable")[:most]
        return order[allowed[order] > _NO_SCORE]

    def ranked(self, scores: np.ndarray, order: np.ndarray, start: float, earlier_s: float = 0.0) -> Ranked:
        named = tuple(int(self.ids[row]) for row in order[:NAMED])
        return Ranked(named, float(scores[order].max(initial=_NO_SCORE)), time.perf_counter() - start + earlier_s)


def nearest_works(near: Nearness) -> Rival:
    """The works nearest to the question by the cosine of their embeddings."""

    def rank(text: str, without: frozenset[int]) -> Ranked:
        if not fold_words(text):
            return Ranked((), _NO_SCORE)
        cosines, seconds = near.cosines(text)
        start = time.perf_counter()
        return near.ranked(cosines, near.best(cosines, without, NAMED), start, seconds)

    return rank


def most_words(near: Nearness) -> Rival:
    """BM25 over all that the record says, folded."""
    index = Bm25(
        [
            fold_words(f"{work_text(s.title, s.authors_text, s.series_name, s.subjects_text, s.summary)} {t}").split()
            for s, t in zip(near.sources, near.terms, strict=True)
        ]
    )

    def rank(text: str, without: frozenset[int]) -> Ranked:
        start = time.perf_counter()
        scores = index.scores(fold_words(text).split())
        order = near.best(scores, without, NAMED)
        return near.ranked(scores, order[scores[order] > 0], start)

    return rank


def old_rule(near: Nearness) -> Rival:
    """The ten nearest, ranked again by BM25 over title and summary, in lower case and split on blanks.

    So the library did before (capability E3 of its description).
    """
    index = Bm25(
        [f"{s.title} {s.summary or ''} {t}".lower().split() for s, t in zip(near.sources, near.terms, strict=True)]
    )

    def rank(text: str, without: frozenset[int]) -> Ranked:
        if not fold_words(text):
            return Ranked((), _NO_SCORE)
        cosines, seconds = near.cosines(text)
        start = time.perf_counter()
        nearest = near.best(cosines, without, NEAREST)
        again = index.scores(text.lower().split())[nearest]
        return near.ranked(cosines, nearest[np.argsort(-again, kind="stable")], start, seconds)

    return rank


def load_rivals(conn: psycopg.Connection) -> dict[str, Rival]:
    """The three over the works of this catalogue."""
    near = Nearness(conn)
    return {"vector": nearest_works(near), "bm25": most_words(near), "old rule": old_rule(near)}
