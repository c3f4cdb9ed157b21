"""How long a slate and a training run take: JSON to stdout. `python benchmarks/policy.py [--quick]`.

Works, texts and acts are random numbers of the right shape; only time is measured, so nothing else is needed.
"""

import argparse
import json
import uuid
from datetime import UTC, datetime, timedelta
from time import perf_counter

import numpy as np
import torch

from models.catalogue import Ranking
from models.episodes import build
from models.policy import Policy, PolicyConfig
from models.serving import Recommender, SlateRequest
from models.states import TEXT_DIM, Act, Catalogue
from models.train import TrainConfig, fit
from openshelf.contracts import Action
from openshelf.database.episodes import SeenSlate, StoredAct

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SLATE = 12


def make_catalogue(count: int, rng: np.random.Generator) -> Catalogue:
    texts = rng.standard_normal((count, TEXT_DIM)).astype(np.float32)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    return Catalogue(np.arange(1, count + 1), texts, rng.random(count).astype(np.float32))


def make_policy(catalogue: Catalogue) -> Policy:
    torch.manual_seed(0)
    adapter = torch.linalg.qr(torch.randn(TEXT_DIM, PolicyConfig().dim))[0].T.contiguous()
    return Policy(PolicyConfig(), adapter, torch.from_numpy(catalogue.book_ids))


def draw_ms(count_works: int, readers: int, repeats: int) -> dict[str, float]:
    """Milliseconds of one batch of slates: state, logits, draw, reasons, with the shares of the product."""
    rng = np.random.default_rng(0)
    catalogue = make_catalogue(count_works, rng)
    server = Recommender(
        make_policy(catalogue),
        "bench",
        Ranking(catalogue, catalogue.book_ids[:1000].tolist(), 0),
        slate_size=SLATE,
        explore_share=0.05,
        cold_pool=20,
    )

    def request(seed: int) -> SlateRequest:
        acts = tuple(
            Act(int(book_id), Action.OPEN, 1.0, NOW - timedelta(minutes=int(minutes)))
            for minutes, book_id in enumerate(rng.integers(1, count_works, size=50))
        )
        return SlateRequest(f"r_{seed}", acts, frozenset(rng.integers(1, count_works, size=60).tolist()), NOW, seed)

    requests = [request(seed) for seed in range(readers)]
    took = []
    for _ in range(repeats):
        started = perf_counter()
        server.draw(requests)
        took.append((perf_counter() - started) * 1e3)
    return {"p50": round(float(np.median(took)), 2), "p95": round(float(np.quantile(took, 0.95)), 2)}


def train_s(count_works: int, count_slates: int) -> float:
    """Seconds of one training run over that many logged slates, each with one opened book and one skipped."""
    rng = np.random.default_rng(0)
    catalogue = make_catalogue(count_works, rng)
    slates, acts = [], []
    for number in range(count_slates):
        key, session = f"r_{number % 300:03d}", uuid.UUID(int=number // 10 + 1)
        slate_id, at = uuid.UUID(int=2**64 + number), NOW + timedelta(minutes=number)
        books = rng.choice(count_works, size=SLATE, replace=False) + 1
        propensities = [1 / (count_works - place) for place in range(SLATE)]
        slates.append(SeenSlate(slate_id, key, session, at, at, books.tolist(), propensities))
        for book_id, action, reward in zip(books.tolist(), ("open", "skip"), (1.0, -1.0), strict=False):
            acts.append(StoredAct(key, session, at + timedelta(seconds=9), action, book_id, slate_id, reward))
    acts.sort(key=lambda act: (act.reader_key, act.occurred_at))
    started = perf_counter()
    fit(make_policy(catalogue), build(slates, acts, catalogue, 0.1), catalogue, TrainConfig(), 1)
    return round(perf_counter() - started, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repeats and slates")
    parser.add_argument("--json", action="store_true", help="the output is JSON in any case")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    repeats, slates = (30, 2_000) if quick else (300, 20_000)
    report = {
        "readers": 16,
        "draw_ms_1k_works": draw_ms(1_000, 16, repeats),
        "draw_ms_10k_works": draw_ms(10_000, 16, repeats),
        "train_slates": slates,
        "train_s_1k_works": train_s(1_000, slates),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
