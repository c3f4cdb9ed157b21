"""How fast texts are embedded, beside plain `SentenceTransformer.encode` on the same texts in the same run.

python benchmarks/embedding.py [--quick] [--json] [--minutes M]

The texts of the demo's works, and of a catalogue of 10,000 made of them with other titles (a sample of it). Both ways
take turns over blocks of texts, so that a busy machine is busy for both, and as many blocks as fit into ten minutes:
`texts` says how many texts that were. `ratio` is of processor time, `wall_ratio` of
the clock; `least_cosine` is the worst that any vector differs from the plain one; `query_ms` and `plain_query_ms` are
what one query takes. `bfloat16`: whether this processor multiplies it.
"""

import argparse
import json
import random
import time
from collections.abc import Callable, Sequence

import numpy as np

from ingest.demo_catalogue import load_catalogue
from models import embedding
from models.embedding import load_encoder
from models.work_text import work_text

BLOCK = 128
CATALOGUE = 10_000


def texts_of_demo() -> list[str]:
    return [
        work_text(work.title, ", ".join(work.authors), work.series, ", ".join(work.subjects), work.blurb)
        for work in load_catalogue()
    ]


def texts_of_catalogue(rng: random.Random, count: int) -> list[str]:
    """So many of 10,000 works: demo works over and over with a number in each title."""
    works = load_catalogue()
    chosen = [(works[n % len(works)], n // len(works)) for n in rng.sample(range(CATALOGUE), count)]
    return [
        work_text(f"{w.title} {n}", ", ".join(w.authors), w.series, ", ".join(w.subjects), w.blurb) for w, n in chosen
    ]


def timed(work: Callable[[], np.ndarray]) -> tuple[np.ndarray, float, float]:
    """What it gives, and its seconds by the clock and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    return found, time.perf_counter() - wall, time.process_time() - cpu


def compare(texts: Sequence[str], seconds: float) -> dict[str, float | int]:
    """Both ways over these texts, or over as many blocks of them as are begun within so many seconds."""
    encoder = load_encoder()
    plain = encoder._model
    walls, cpus = np.zeros(2), np.zeros(2)
    least, done = 1.0, 0
    until = time.perf_counter() + seconds
    for number, start in enumerate(range(0, len(texts), BLOCK)):
        if done and time.perf_counter() > until:
            break
        block = list(texts[start : start + BLOCK])
        ways: list[Callable[[], np.ndarray]] = [
            lambda block=block: plain.encode(block, normalize_embeddings=True, show_progress_bar=False),
            lambda block=block: encoder.encode_documents(block),
        ]
        vectors = {}
        for way in (0, 1) if number % 2 else (1, 0):
            vectors[way], wall, cpu = timed(ways[way])
            walls[way] += wall
            cpus[way] += cpu
        least = min(least, float((vectors[0] * vectors[1]).sum(axis=1).min()))
        done += len(block)
    return {
        "texts": done,
        "ratio": round(float(cpus[0] / cpus[1]), 2),
        "wall_ratio": round(float(walls[0] / walls[1]), 2),
        "texts_per_s": round(float(done / walls[1]), 1),
        "cpu_ms_per_text": round(float(1_000 * cpus[1] / done), 1),
        "least_cosine": round(least, 6),
    }


def queries(count: int) -> dict[str, float]:
    """Milliseconds of the processor that one query takes, both ways by turns."""
    encoder = load_encoder()
    plain = encoder._model
    spent = np.zeros(2)
    for number in range(count):
        query = f"a sea voyage in winter {number}"
        spent[0] += timed(lambda query=query: encoder.encode_query(query))[2]
        spent[1] += timed(
            lambda query=query: plain.encode([query], normalize_embeddings=True, show_progress_bar=False)
        )[2]
    return {
        "query_ms": round(float(1_000 * spent[0] / count), 1),
        "plain_query_ms": round(float(1_000 * spent[1] / count), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a sample of both")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--minutes", type=float, default=10, help="in all, about")
    told = parser.parse_args()
    rng = random.Random(0)
    demo = texts_of_demo()
    demo = rng.sample(demo, 2 * BLOCK if told.quick else len(demo))
    share = 60 * told.minutes * 0.45  # of each; the rest is for the queries
    encoder = load_encoder()
    for warm in (encoder.encode_documents, encoder._model.encode):
        warm(["warm"] * 4)
    found = {
        "bfloat16": embedding._multiplies_bfloat16(),
        "demo": compare(demo, share),
        "catalogue": compare(texts_of_catalogue(rng, 2 * BLOCK if told.quick else 2_000), share),
        **queries(20 if told.quick else 200),
    }
    print(json.dumps(found) if told.json else "\n".join(f"{key}: {value}" for key, value in found.items()))


if __name__ == "__main__":
    main()
