"""Works that stand near one another in readers' sequences: the start of a table of work vectors. Linear in acts."""

import numpy as np

from models.baselines.histories import SparseMatrix, acts_matrix
from models.ranking_data import RankingData

WINDOW = 10


def windows_of(data: RankingData, length: int, generator: np.random.Generator) -> np.ndarray:
    """(W, length + 1) rows, right-aligned, -1 is padding: each act is the last or inner place of exactly one window.

    Windows of one reader overlap by one act. Where a reader's first window ends is drawn anew on each call; so is the
    order of the acts where the data has none.
    """
    rows = data.rows
    if data.times is None:
        rows = rows[np.lexsort((generator.random(len(rows)), data.readers))]
    windows = []
    for start, stop in zip(data.spans[:-1].tolist(), data.spans[1:].tolist(), strict=True):
        if stop - start < 2:
            continue
        end = start + int(generator.integers(2, length + 2))
        while True:
            end = min(end, stop)
            begin = max(start, end - length - 1)
            window = np.full(length + 1, -1, dtype=np.int64)
            window[length + 1 - (end - begin) :] = rows[begin:end]
            windows.append(window)
            if end == stop:
                break
            end += length
    return np.stack(windows) if windows else np.empty((0, length + 1), dtype=np.int64)


def work_vectors(data: RankingData, dim: int, seed: int) -> np.ndarray:
    """(n, dim) float32, of length about 1: the leading directions in which works differ in who meets them, and when.

    Where there is an order: of the positive pointwise mutual information of works at most 10 places apart, the larger
    directions the longer. Where there is none: of the acts themselves, damped by how many a reader left and a work got;
    that is of works anywhere in the same history, and needs no table of pairs. Works never met get small noise.
    """
    from sklearn.utils.extmath import randomized_svd

    generator = np.random.default_rng(seed)
    vectors = generator.normal(0, 0.02, (data.count_works, dim)).astype(np.float32)
    nearness = _of_acts(data) if data.times is None else _of_neighbours(data)
    rank = min(dim, min(nearness.shape) - 1)
    if not nearness.nnz or rank < 1:
        return vectors
    _, sizes, directions = randomized_svd(nearness, rank, random_state=seed, n_iter=4)  # pyright: ignore[reportArgumentType] its default is a word
    # All directions alike served readers of unordered data better than the larger ones longer.
    found = directions.T if data.times is None else directions.T * np.sqrt(sizes)
    found /= max(float(np.sqrt((found**2).sum(axis=1).mean())), 1e-12)
    vectors[:, :rank] += found.astype(np.float32)
    return vectors


def _of_acts(data: RankingData) -> SparseMatrix:
    from scipy.sparse import diags

    acts = acts_matrix(data, use_values=False)
    by_reader = np.asarray(acts.sum(axis=1)).ravel().clip(min=1)
    by_work = np.asarray(acts.sum(axis=0)).ravel().clip(min=1)
    return diags(by_reader**-0.5) @ acts @ diags(by_work**-0.25)


def _of_neighbours(data: RankingData) -> SparseMatrix:
    """Positive pointwise mutual information of works of one reader at most WINDOW places apart, nearer ones heavier."""
    from scipy.sparse import csr_matrix

    parts = []
    for apart in range(1, WINDOW + 1):
        same = data.readers[apart:] == data.readers[:-apart]
        parts.append((data.rows[:-apart][same], data.rows[apart:][same], np.full(same.sum(), 1 / apart)))
    first, second, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
    shape = (data.count_works, data.count_works)
    counts: SparseMatrix = csr_matrix((weight, (first, second)), shape=shape)
    counts = (counts + counts.T).tocoo()
    total = np.asarray(counts.sum(axis=1)).ravel()
    # Rare neighbours are damped by popularity^0.75, as in word2vec.
    context = total**0.75
    information = np.log(counts.data * context.sum() / (total[counts.row] * context[counts.col]))
    return csr_matrix((information.clip(min=0), (counts.row, counts.col)), shape=shape)
