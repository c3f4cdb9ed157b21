"""How long slates and training take and how they grow with the works: JSON. `python benchmarks/policy.py [--quick]`.

Works, texts and acts are random numbers of the right shape; only time and memory are measured, so nothing else is
needed. One thread. Times of slates are processor time of the thread in a batch of 16 readers: the least and the median
of the repeats.

- `slate_ms`: by number of works, milliseconds of a batch of 16: `numbers` (acts to arrays), `masses` (state, logits and
  their exponentials), `draw` (noise, works, probabilities), `together` the sum of these; `whole` the same through the
  Recommender, with what is excluded, reasons and places
- `slate_us`: at 100k works, microseconds a slate from acts to probabilities: `float32` and `bfloat16` in batches of 16,
  `bfloat16_64` in batches of 64, `numpy` the same steps after the state without torch
- `growth`: time at 10 times the works over 10 times the time; 1 is linear, less is better
- `memory_mb`: at 100k works, what serving keeps: vectors, memory, network, and the catalogue without texts
- `train_s`: by number of works, seconds of one training run over `train_slates` logged slates
"""

import argparse
import itertools
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import perf_counter, thread_time

import numpy as np
import torch

from models.arms import PolicyScorer
from models.catalogue import Ranking
from models.episodes import build
from models.memory import Companions, Memory, MemoryConfig
from models.plackett_luce import BLOCK, BOUND, Excluded, Masses, draw_from, slate_noise
from models.policy import Policy, PolicyConfig
from models.recommender import READERS_AT_ONCE, Recommender, SlateRequest
from models.states import MAX_ACTS, TEXT_DIM, Act, Catalogue, StateBatch, stack_states
from models.train import TrainConfig, fit
from openshelf.contracts import Action
from openshelf.database.episodes import SeenSlate, StoredAct

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SLATE = 12
EXPLORE = 0.05
WORKS = (1_000, 10_000, 100_000)


def make_catalogue(count: int, rng: np.random.Generator) -> Catalogue:
    texts = rng.standard_normal((count, TEXT_DIM)).astype(np.float32)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    return Catalogue(np.arange(1, count + 1), texts, rng.random(count).astype(np.float32))


def make_policy(catalogue: Catalogue) -> Policy:
    """With a full memory: as many companions of each work as one is explained by."""
    torch.manual_seed(0)
    adapter = torch.linalg.qr(torch.randn(TEXT_DIM, PolicyConfig().dim))[0].T.contiguous()
    shape = (len(catalogue.book_ids), MemoryConfig().companions)
    companions = [
        Companions(torch.randint(len(catalogue.book_ids), shape, dtype=torch.int32), torch.rand(shape).half() / 10)
        for _ in range(2)
    ]
    return Policy(PolicyConfig(), adapter, torch.from_numpy(catalogue.book_ids), Memory(*companions)).eval()


def make_requests(count_works: int, readers: int) -> list[SlateRequest]:
    rng = np.random.default_rng(1)
    requests = []
    for seed in range(readers):
        acts = tuple(
            Act(int(book_id), Action.OPEN, 1.0, NOW - timedelta(minutes=int(minutes)))
            for minutes, book_id in enumerate(rng.integers(1, count_works, size=MAX_ACTS))
        )
        requests.append(
            SlateRequest.of(f"r_{seed}", acts, frozenset(rng.integers(1, count_works, size=60).tolist()), NOW, seed)
        )
    return requests


def took_ms(step: Callable[[], object], repeats: int) -> tuple[float, float]:
    """(least, median)"""
    took = []
    for _ in range(repeats + 1):
        started = thread_time()
        step()
        took.append((thread_time() - started) * 1e3)
    return round(min(took[1:]), 3), round(float(np.median(took[1:])), 3)


class Steps:
    """The steps from acts to a batch of slates, one by one."""

    def __init__(self, catalogue: Catalogue, policy: Policy, readers: int, *, is_half: bool | None = None) -> None:
        self.catalogue, self.readers = catalogue, readers
        self.scorer = PolicyScorer(policy, catalogue, is_half=is_half)
        self.requests = make_requests(len(catalogue.book_ids), readers)
        rng = np.random.default_rng(2)
        rows = [rng.choice(len(catalogue.book_ids), 110, replace=False) for _ in range(readers)]
        self.excluded = Excluded(np.stack(rows), len(catalogue.book_ids))
        self.batch = self.numbers()
        self.masses = self.score()

    def numbers(self) -> StateBatch:
        nows = [request.now for request in self.requests]
        works = [request.met for request in self.requests]
        return stack_states([request.acts for request in self.requests], nows, works, self.catalogue, MAX_ACTS)

    def score(self) -> Masses:
        return self.scorer.masses(self.batch, self.excluded)[0]

    def draw(self) -> object:
        noise = slate_noise(list(range(self.readers)), SLATE)
        with torch.inference_mode():
            return draw_from(self.masses, self.excluded, SLATE, explore=EXPLORE, noise=noise)

    def together(self) -> object:
        self.batch = self.numbers()
        self.masses = self.score()
        return self.draw()


def slate_ms(catalogue: Catalogue, policy: Policy, repeats: int) -> dict[str, tuple[float, float]]:
    steps = Steps(catalogue, policy, READERS_AT_ONCE)
    ranking = Ranking(catalogue, catalogue.book_ids[:1000].tolist(), 0)
    server = Recommender(steps.scorer, "bench", ranking, slate_size=SLATE, explore_share=EXPLORE, cold_pool=20)
    return {
        "numbers": took_ms(steps.numbers, repeats),
        "masses": took_ms(steps.score, repeats),
        "draw": took_ms(steps.draw, repeats),
        "together": took_ms(steps.together, repeats),
        "whole": took_ms(lambda: server.draw(steps.requests), repeats),
    }


def in_numpy(steps: Steps, policy: Policy) -> Callable[[], object]:
    """From states and memory to slates without torch, until the probabilities of the dozen drawn."""
    items = policy.items(steps.catalogue)
    across = np.ascontiguousarray(items.vectors.detach().numpy().T) * (policy.config.sharpness / BOUND)
    bias = items.bias.detach().numpy() / BOUND
    with torch.inference_mode():
        states = policy.encode(items, steps.batch).numpy()
        remembered = policy.remembered(items, steps.batch).numpy() / BOUND
    at = np.arange(steps.readers)[:, None]
    count, width = len(bias), 8_192
    mass = np.zeros((steps.readers, -(-count // BLOCK) * BLOCK), dtype=np.float32)

    def run() -> object:
        for start in range(0, count, width):
            part = states @ across[:, start : start + width]
            part += bias[start : start + width]
            part += remembered[:, start : start + width]
            np.tanh(part, out=part)
            part *= BOUND
            np.exp(part, out=mass[:, start : start + part.shape[1]])
        mass[at, steps.excluded.rows] = 0
        sums = np.einsum("bkw->bk", mass.reshape(steps.readers, -1, BLOCK))
        drawable = Masses(torch.from_numpy(mass), torch.from_numpy(sums))
        noise = slate_noise(list(range(steps.readers)), SLATE)
        return draw_from(drawable, steps.excluded, SLATE, explore=EXPLORE, noise=noise)

    return run


def slate_us(catalogue: Catalogue, policy: Policy, repeats: int) -> dict[str, tuple[float, float]]:
    def each(took: tuple[float, float], readers: int) -> tuple[float, float]:
        return round(took[0] * 1e3 / readers, 1), round(took[1] * 1e3 / readers, 1)

    full, half = (Steps(catalogue, policy, 16, is_half=is_half) for is_half in (False, True))
    wide = Steps(catalogue, policy, 64, is_half=True)
    return {
        "float32": each(took_ms(full.together, repeats), 16),
        "bfloat16": each(took_ms(half.together, repeats), 16),
        "bfloat16_64": each(took_ms(wide.together, repeats), 64),
        "numpy": each(took_ms(in_numpy(full, policy), repeats), 16),
    }


def memory_mb(catalogue: Catalogue, policy: Policy) -> float:
    scorer = PolicyScorer(policy, catalogue)
    ids = 2 * catalogue.book_ids.nbytes  # and the table of rows by id
    return round((scorer.count_bytes() + catalogue.prior.nbytes + ids) / 2**20, 1)


def train_s(catalogue: Catalogue, policy: Policy, count_slates: int) -> float:
    """Seconds of one training run over that many logged slates, each with one opened book and one skipped."""
    rng = np.random.default_rng(0)
    count_works = len(catalogue.book_ids)
    slates, acts = [], []
    for number in range(count_slates):
        key, session = f"r_{number % 300:03d}", uuid.UUID(int=number // 10 + 1)
        slate_id, at = uuid.UUID(int=2**64 + number), NOW + timedelta(minutes=number)
        books = rng.choice(count_works, size=SLATE, replace=False, shuffle=False) + 1
        propensities = [1 / (count_works - place) for place in range(SLATE)]
        slates.append(SeenSlate(slate_id, key, session, at, at, books.tolist(), propensities))
        for book_id, action, reward in zip(books.tolist(), ("open", "skip"), (1.0, -1.0), strict=False):
            acts.append(StoredAct(key, session, at + timedelta(seconds=9), action, book_id, slate_id, reward))
    acts.sort(key=lambda act: (act.reader_key, act.occurred_at))
    started = perf_counter()
    fit(policy, build(slates, acts, catalogue, 0.1), catalogue, TrainConfig(), 1)
    return round(perf_counter() - started, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repeats and slates")
    parser.add_argument("--json", action="store_true", help="the output is JSON in any case")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    repeats, slates = (20, 1_000) if quick else (200, 20_000)
    rng = np.random.default_rng(0)
    catalogues = {count: make_catalogue(count, rng) for count in WORKS}
    served = {count: slate_ms(catalogue, make_policy(catalogue), repeats) for count, catalogue in catalogues.items()}
    largest = catalogues[WORKS[-1]]
    trained = {count: train_s(c, make_policy(c), slates) for count, c in catalogues.items()}

    def growth(times: dict[int, float]) -> dict[str, float]:
        pairs = itertools.pairwise(WORKS)
        return {f"{a}_to_{b}": round(times[b] / times[a] / (b / a), 2) for a, b in pairs}

    report = {
        "readers": READERS_AT_ONCE,
        "slate_ms": {str(count): times for count, times in served.items()},
        "slate_us": slate_us(largest, make_policy(largest), repeats),
        "memory_mb": memory_mb(largest, make_policy(largest)),
        "train_slates": slates,
        "train_s": {str(count): seconds for count, seconds in trained.items()},
        "growth": {
            "slate": growth({count: times["together"][0] for count, times in served.items()}),
            "train": growth(trained),
        },
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
