"""A small world: half the readers meet the lower half of the works, half the upper."""

from dataclasses import replace

import numpy as np

from models.baselines.roster import ROSTER
from models.ranking_data import RankingData, ReaderBatch

WORKS = 40
READERS = 60
DAY_S = 86_400.0
QUICK = {
    "item2vec": {"epochs": 10, "dim": 8, "sample": 0.0},
    "als": {"factors": 3},
    "bpr": {"factors": 8, "learning_rate": 0.05, "iterations": 100},
    "two_tower": {
        "epochs": 40,
        "dim": 8,
        "hidden": 8,
        "negatives": 32,
        "batch": 100,
        "learning_rate": 0.02,
        "negatives_weight": 5.0,
    },
    "sequence": {"epochs": 8, "dim": 8, "length": 6, "negatives": 32, "batch": 8, "learning_rate": 0.01},
}
TASTEFUL = sorted(set(ROSTER) - {"random", "popular"})


def world(*, is_ordered: bool = True) -> RankingData:
    """Reader r likes works of taste r % 2: the lower or the upper half. Each met 8 of 20."""
    generator = np.random.default_rng(7)
    readers = np.repeat(np.arange(READERS), 8)
    rows = np.concatenate([generator.permutation(WORKS // 2)[:8] + (r % 2) * (WORKS // 2) for r in range(READERS)])
    embeddings = generator.normal(0, 0.4, (WORKS, 384)).astype(np.float32)
    embeddings[: WORKS // 2, 0] += 8
    embeddings[WORKS // 2 :, 1] += 8
    subjects = ["whales"] * (WORKS // 2) + ["opera"] * (WORKS // 2)
    return RankingData(
        name="two tastes",
        readers=readers,
        rows=rows.astype(np.int64),
        values=np.ones(len(rows), dtype=np.float32),
        times=np.tile(np.arange(8) * DAY_S, READERS) if is_ordered else None,
        book_ids=np.arange(100, 100 + WORKS),
        reader_ids=np.array([f"r{i}" for i in range(READERS)]),
        texts=tuple(f"{subject} word{i:02}" for i, subject in enumerate(subjects)),
        embeddings=embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True),
        reader_features={"country": tuple(("vn", "")[r % 2] for r in range(READERS))},
        work_features={"publisher": tuple(subjects)},
    )


def batch_of(data: RankingData, numbers: list[int], histories: list[list[int]], length: int = 8) -> ReaderBatch:
    rows = np.full((len(numbers), length), -1, dtype=np.int64)
    for i, history in enumerate(histories):
        rows[i, length - len(history) :] = history
    times = None if data.times is None else np.where(rows >= 0, np.arange(length) * DAY_S, 0.0)
    return ReaderBatch(np.array(numbers, dtype=np.int64), rows, (rows >= 0).astype(np.float32), times)


def known_batch(data: RankingData) -> ReaderBatch:
    return batch_of(data, [0, 1], [data.rows[:8].tolist(), data.rows[8:16].tolist()])


def fitted(name: str, data: RankingData, seed: int = 3):
    config = replace(ROSTER[name].config(), **QUICK.get(name, {}))
    return ROSTER[name].fit(data, config, seed)


def share_of_own_taste(scores: np.ndarray, batch: ReaderBatch, taste: list[int]) -> float:
    scores = scores.copy()
    for i, rows in enumerate(batch.rows):
        scores[i, rows[rows >= 0]] = -np.inf
    top = np.argsort(-scores, axis=1)[:, :8]
    return float(np.mean(top // (WORKS // 2) == np.array(taste)[:, None]))
