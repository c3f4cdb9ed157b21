"""Two models that know works by their words alone: TF-IDF and the text embedding."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from models.baselines.histories import (
    SparseMatrix,
    act_weights,
    history_matrix,
    popular_for_strangers,
    popularity,
    require_acts,
    unit_rows,
)
from models.ranking_data import RankingData, ReaderBatch
from openshelf.errors import ModelError


@dataclass(frozen=True)
class TfidfConfig:
    max_features: int = 50_000
    """The most frequent words that are looked at."""
    half_life_acts: float = field(default=5.0, metadata={"at_least": 0})
    """An act counts half once this many came after it, where there is an order; 0: all alike."""
    use_values: bool = True
    """Weigh acts by how glad they were."""


class TfidfRanker:
    """Cosine between a work's weighted words and the sum of those of the works met."""

    kind = "tfidf"

    def __init__(self, book_ids: np.ndarray, words: SparseMatrix, popular: np.ndarray, options: np.ndarray) -> None:
        self._book_ids = book_ids
        self._words = words  # (n, words) rows of length 1
        self._popular = popular
        self._options = options  # (2,) half_life_acts, use_values

    def scores(self, batch: ReaderBatch) -> np.ndarray:
        weights = act_weights(batch, float(self._options[0]), bool(self._options[1]))
        centroids = history_matrix(batch, weights, len(self._book_ids)) @ self._words
        length = np.sqrt(np.asarray(centroids.multiply(centroids).sum(axis=1)))  # (B, 1)
        scores = (centroids @ self._words.T).toarray() / np.where(length > 0, length, 1)
        return popular_for_strangers(scores, length[:, 0] > 0, self._popular)

    def tensors(self) -> dict[str, Tensor]:
        return {
            "book_ids": torch.from_numpy(self._book_ids),
            "starts": torch.from_numpy(self._words.indptr.astype(np.int64)),
            "columns": torch.from_numpy(self._words.indices.astype(np.int32)),
            "weights": torch.from_numpy(self._words.data),
            "count_words": torch.tensor(self._words.shape[1]),
            "popular": torch.from_numpy(self._popular),
            "options": torch.from_numpy(self._options),
        }


def fit_tfidf(data: RankingData, config: TfidfConfig, seed: int) -> TfidfRanker:
    require_acts(data, "tfidf")
    if not any(data.texts):
        raise ModelError(f"tfidf needs texts of works and {data.name} has none: load the file that describes them")
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(max_features=config.max_features, sublinear_tf=True, dtype=np.float32)  # pyright: ignore[reportArgumentType] any float will do
    try:
        words: SparseMatrix = vectorizer.fit_transform(data.texts)
    except ValueError as error:
        raise ModelError(f"tfidf finds no words in the texts of {data.name}: {error}") from error
    words.sort_indices()
    options = np.array([config.half_life_acts, config.use_values], dtype=np.float32)
    return TfidfRanker(data.book_ids, words, popularity(data), options)


def restore_tfidf(tensors: dict[str, Tensor]) -> TfidfRanker:
    from scipy.sparse import csr_matrix

    parts = (tensors["weights"].numpy(), tensors["columns"].numpy(), tensors["starts"].numpy())
    words = csr_matrix(parts, shape=(len(tensors["book_ids"]), int(tensors["count_words"])))
    return TfidfRanker(tensors["book_ids"].numpy(), words, tensors["popular"].numpy(), tensors["options"].numpy())


@dataclass(frozen=True)
class ContentConfig:
    half_life_acts: float = field(default=5.0, metadata={"at_least": 0})
    """An act counts half once this many came after it, where there is an order; 0: all alike."""
    use_values: bool = True
    """Weigh acts by how glad they were."""
    is_centred: bool = True
    """Take the mean of all texts away first: what all texts share says nothing of taste."""


class ContentRanker:
    """Cosine between a work's text embedding and the weighted sum of those of the works met."""

    kind = "content"

    def __init__(self, book_ids: np.ndarray, vectors: np.ndarray, popular: np.ndarray, options: np.ndarray) -> None:
        self._book_ids = book_ids
        self._vectors = vectors  # (n, 384) of length 1; zero where there is no text
        self._popular = popular
        self._options = options  # (2,) half_life_acts, use_values

    def scores(self, batch: ReaderBatch) -> np.ndarray:
        weights = act_weights(batch, float(self._options[0]), bool(self._options[1]))
        centroids = unit_rows(history_matrix(batch, weights, len(self._book_ids)) @ self._vectors)
        return popular_for_strangers(centroids @ self._vectors.T, centroids.any(axis=1), self._popular)

    def tensors(self) -> dict[str, Tensor]:
        return {
            "book_ids": torch.from_numpy(self._book_ids),
            "vectors": torch.from_numpy(self._vectors),
            "popular": torch.from_numpy(self._popular),
            "options": torch.from_numpy(self._options),
        }


def fit_content(data: RankingData, config: ContentConfig, seed: int) -> ContentRanker:
    require_acts(data, "content")
    texts = data.text_embeddings()
    has_text = np.asarray(texts.any(axis=1))
    if not has_text.any():
        raise ModelError(f"content needs text embeddings and {data.name} has none: embed the texts of its works first")
    if config.is_centred and has_text.sum() > 1:
        texts = np.where(has_text[:, None], texts - texts[has_text].mean(axis=0), 0)
    options = np.array([config.half_life_acts, config.use_values], dtype=np.float32)
    return ContentRanker(data.book_ids, unit_rows(texts), popularity(data), options)


def restore_content(tensors: dict[str, Tensor]) -> ContentRanker:
    return ContentRanker(*(tensors[name].numpy() for name in ("book_ids", "vectors", "popular", "options")))
