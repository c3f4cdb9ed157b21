"""How long slates and training take and how they grow with the works: JSON. `python benchmarks/policy.py [--quick]`.

Works, texts and acts are random numbers of the right shape; only time and memory are measured, so nothing else is
needed. One thread. Times are processor time of the thread, each as [least, median] of the repeats. `--works N` measures
slates over so many works and nothing else; in full, slates over a million works are measured too.

- `slate_us`: by number of works and of readers asked for at once, microseconds a slate: `numbers` (acts to arrays),
  `states`, `products` (states times works), `masses` (from these, with biases and memory), of these `memory` alone (of
  all readers at once), `sums` (of blocks of masses), `draw` (noise, works, probabilities), `reasons`; `whole` all of it
  through the Recommender, with what is excluded and with places. Where so many works let fewer readers into one batch,
  the steps are those of such a batch
- `sixteen_ms`: by number of works, milliseconds of a batch of 16 from acts to probabilities
- `numpy_us`: at 100k works, microseconds a slate in batches of 16 without torch from states to masses
- `growth`: time at 10 times the works over 10 times the time; 1 is linear, less is better
- `memory_mb`: by number of works, what serving keeps: vectors, memory, network, room for masses, ids
- `train_s`: by number of works, seconds of one training run over `train_slates` logged slates
"""

import argparse
import itertools
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import perf_counter, thread_time
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from models.arms import PolicyScorer
from models.catalogue import Ranking
from models.episodes import build
from models.memory import Companions, Memory, MemoryConfig
from models.plackett_luce import BLOCK, BOUND, Drawn, Excluded, Masses, block_sums, draw_from, slate_noise
from models.policy import Policy, PolicyConfig
from models.reasons import reasons_of
from models.recommender import Recommender, SlateRequest
from models.states import MAX_ACTS, TEXT_DIM, Act, Catalogue, StateBatch, stack_states
from models.train import TrainConfig, fit
from openshelf.contracts import Action
from openshelf.database.episodes import SeenSlate, StoredAct

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SLATE = 12
EXPLORE = 0.05
WORKS = (1_000, 10_000, 100_000)
MANY_WORKS = 1_000_000
READERS = (1, 16, 64)

Took = tuple[float, float]  # least, median


def make_catalogue(count: int, rng: np.random.Generator) -> Catalogue:
    texts = rng.standard_normal((count, TEXT_DIM), dtype=np.float32)
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
    policy = Policy(PolicyConfig(), adapter, torch.from_numpy(catalogue.book_ids), Memory(*companions))
    torch.nn.init.normal_(policy.correction_out.weight, std=0.05)
    return policy.eval()


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


def took_ms(step: Callable[[], object], repeats: int) -> Took:
    took = []
    for _ in range(repeats + 1):
        started = thread_time()
        step()
        took.append((thread_time() - started) * 1e3)
    return round(min(took[1:]), 3), round(float(np.median(took[1:])), 3)


def took_us(step: Callable[[], object], repeats: int, slates: int) -> Took:
    least, median = took_ms(step, repeats)
    return round(least * 1e3 / slates, 1), round(median * 1e3 / slates, 1)


class Steps:
    """The steps from acts to a batch of slates, one by one."""

    def __init__(self, scorer: PolicyScorer, catalogue: Catalogue, readers: int) -> None:
        self.scorer, self.catalogue, self.readers = scorer, catalogue, readers
        self.requests = make_requests(len(catalogue.book_ids), readers)
        rng = np.random.default_rng(2)
        rows = [rng.choice(len(catalogue.book_ids), 110, replace=False) for _ in range(readers)]
        self.excluded = Excluded(np.stack(rows), len(catalogue.book_ids))
        self.lengths = np.linalg.norm(scorer.vectors, axis=1)
        self.batch = self.numbers()
        self.masses = self.score()
        self.drawn = self.draw()

    def numbers(self) -> StateBatch:
        nows = [request.now for request in self.requests]
        works = [request.met for request in self.requests]
        return stack_states([request.acts for request in self.requests], nows, works, self.catalogue, MAX_ACTS)

    def score(self) -> Masses:
        return self.scorer.masses(self.batch, self.excluded)[0]

    def draw(self) -> Drawn:
        noise = slate_noise(list(range(self.readers)), SLATE)
        with torch.inference_mode():
            return draw_from(self.masses, self.excluded, SLATE, explore=EXPLORE, noise=noise)

    def together(self) -> object:
        self.batch = self.numbers()
        self.masses = self.score()
        return self.draw()

    def one_by_one_us(self, repeats: int) -> dict[str, Took]:
        def took(step: Callable[[], object]) -> Took:
            return took_us(step, repeats, self.readers)

        states, values = self.scorer.states(self.batch), self.masses.values
        heard, rows = self.scorer.heard(self.batch), self.drawn.rows.numpy()
        room = torch.empty(len(states), values.shape[1])
        found = {
            "numbers": took(self.numbers),
            "states": took(lambda: self.scorer.states(self.batch)),
            "products": took(lambda: self.scorer.products.into(states, room)),
            # On and on from the same numbers: whatever they are, it takes as long.
            "memory": took(lambda: self.scorer.heard(self.batch).add_to(room, 0, self.readers)),
            "masses": took(lambda: self.scorer.finish(values, heard)),
            "sums": took(lambda: block_sums(values)),
            "reasons": took(lambda: reasons_of(rows, self.scorer.vectors, self.lengths, self.batch)),
        }
        self.masses = self.score()
        return found | {"draw": took(self.draw)}


def slate_us(
    scorer: PolicyScorer, catalogue: Catalogue, repeats: int, readers: tuple[int, ...] = READERS
) -> dict[str, dict[str, Took]]:
    ranking = Ranking(catalogue, catalogue.book_ids[:1000].tolist(), 0)
    server = Recommender(scorer, "bench", ranking, slate_size=SLATE, explore_share=EXPLORE, cold_pool=20)
    found = {}
    for count in readers:
        requests = make_requests(len(catalogue.book_ids), count)
        steps = Steps(scorer, catalogue, min(count, server.readers_at_once)).one_by_one_us(repeats)
        found[str(count)] = steps | {"whole": took_us(lambda r=requests: server.draw(r), repeats, count)}
    return found


def in_numpy(catalogue: Catalogue, policy: Policy) -> Callable[[], object]:
    """Of 16 readers, from states and memory to masses without torch, and the draw from them."""
    steps = Steps(PolicyScorer(policy, catalogue), catalogue, 16)
    items = policy.items(catalogue)
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


def memory_mb(scorer: PolicyScorer, catalogue: Catalogue) -> float:
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


def measure(catalogue: Catalogue, repeats: int) -> dict[str, Any]:
    scorer = PolicyScorer(make_policy(catalogue), catalogue)
    repeats = max(5, repeats * 100_000 // (100_000 + len(catalogue.book_ids)))
    sixteen = Steps(scorer, catalogue, 16)
    return {
        "slate_us": slate_us(scorer, catalogue, repeats),
        "sixteen_ms": took_ms(sixteen.together, repeats),
        "memory_mb": memory_mb(scorer, catalogue),
    }


def by_works(served: dict[int, dict[str, Any]]) -> dict[str, Any]:
    names = next(iter(served.values()))
    return {name: {str(count): each[name] for count, each in served.items()} for name in names}


def growth(times: dict[int, float]) -> dict[str, float]:
    pairs = itertools.pairwise(times)
    return {f"{a}_to_{b}": round(times[b] / times[a] / (b / a), 2) for a, b in pairs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repeats and slates")
    parser.add_argument("--works", type=int, help="slates over so many works, and nothing else")
    parser.add_argument("--json", action="store_true", help="the output is JSON in any case")
    options = parser.parse_args()
    torch.set_num_threads(1)
    threadpool_limits(1)
    repeats, slates = (20, 1_000) if options.quick else (200, 20_000)
    rng = np.random.default_rng(0)
    if options.works:
        print(json.dumps(by_works({options.works: measure(make_catalogue(options.works, rng), repeats)})))
        return
    catalogues = {count: make_catalogue(count, rng) for count in WORKS}
    served = {count: measure(catalogue, repeats) for count, catalogue in catalogues.items()}
    trained = {count: train_s(c, make_policy(c), slates) for count, c in catalogues.items()}
    largest = catalogues[WORKS[-1]]
    in_numpy_us = took_us(in_numpy(largest, make_policy(largest)), repeats, 16)
    if not options.quick:
        served[MANY_WORKS] = measure(make_catalogue(MANY_WORKS, rng), repeats)
    report = by_works(served) | {
        "numpy_us": in_numpy_us,
        "train_slates": slates,
        "train_s": {str(count): seconds for count, seconds in trained.items()},
        "growth": {
            "slate": growth({count: each["sixteen_ms"][0] for count, each in served.items()}),
            "train": growth(trained),
        },
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
