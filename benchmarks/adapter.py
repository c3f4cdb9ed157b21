"""What the adapter learns from the demo library, and what it costs as libraries grow: JSON to stdout.

python benchmarks/adapter.py [--quick] [--picture loss.svg]

`demo_library`: closeness and recall of text embeddings, of their principal directions (as many as item vectors are
long) and of item vectors, on works never trained on; each number is the mean over several choices of those works.
`series_recall`: the recall of works of one series; `author_recall`: of one author, which training never asks for, so
it tells what is kept of other meaning.
`scaling`: seconds and peak memory of one training on works made of random numbers.
"""

import argparse
import json
import resource
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from ingest.demo_catalogue import CuratedWork, load_catalogue
from models.adapter import (
    AdapterConfig,
    TrainedAdapter,
    apply_adapter,
    is_held_out,
    principal_directions,
    train_adapter,
)
from models.embedding import load_encoder
from models.nearness import nearness
from models.related import RelatedWorks, relate
from models.states import TEXT_DIM
from models.work_text import work_text

PICTURES = (".svg", ".png", ".html")
SIZES = (1_000, 10_000, 100_000)


@dataclass(frozen=True)
class Described:
    """A curated work as the library would tell of it."""

    book_id: int
    series_id: int | None
    language: str
    subjects: list[str]


def embedded_demo(works: tuple[CuratedWork, ...]) -> np.ndarray:
    """(n, 384), as ingest embeds them; the database keeps half precision."""
    texts = [
        work_text(work.title, " & ".join(work.authors), work.series, ", ".join(work.subjects), work.blurb)
        for work in works
    ]
    return load_encoder().encode_documents(texts).astype(np.float16).astype(np.float32)


def demo_works(works: tuple[CuratedWork, ...], texts: np.ndarray, first_id: int) -> RelatedWorks:
    """Other ids are another choice of held-out works."""
    series = {name: number for number, name in enumerate(sorted({work.series for work in works if work.series}))}
    told = [
        Described(first_id + i, series[work.series] if work.series else None, work.language, list(work.subjects))
        for i, work in enumerate(works)
    ]
    return relate(np.array([work.book_id for work in told]), texts, told)


def recall_of(codes: np.ndarray, works: RelatedWorks, trained: TrainedAdapter, config: AdapterConfig) -> list[float]:
    """How well works of one code are found: text embeddings, principal directions, item vectors; held-out works."""
    held_out = is_held_out(works.book_ids, config.held_out)
    nothing = np.full(len(codes), -1)
    alike = replace(works, principal=codes, series=nothing, languages=nothing)
    texts = torch.from_numpy(works.texts)
    pca = principal_directions(works.texts[~held_out], config.dim)
    rows, every = np.flatnonzero(held_out), np.arange(len(codes))
    rivals = works.texts, apply_adapter(pca, texts).numpy(), apply_adapter(trained.weight, texts).numpy()
    return [nearness(vectors, alike, rows, every).recall for vectors in rivals]


def demo_library(config: AdapterConfig, choices: int) -> tuple[dict[str, object], list[float]]:
    """(what was measured, mean triplet loss of each pass)."""
    works = load_catalogue()
    texts = embedded_demo(works)
    numbers: dict[str, int] = {}
    authors = np.array([numbers.setdefault(work.authors[0], len(numbers)) for work in works])
    measured, kept, in_series, curves, seconds = [], [], [], [], []
    for choice in range(choices):
        related = demo_works(works, texts, 1 + choice * 100_000)
        started = perf_counter()
        trained = train_adapter(related, config, seed=choice)
        seconds.append(perf_counter() - started)
        measured.append(
            [
                trained.closeness_before, trained.closeness_after,
                trained.recall_before, trained.recall_pca, trained.recall_after,
            ]
        )  # fmt: skip
        kept.append(recall_of(authors, related, trained, config))
        in_series.append(recall_of(related.series, related, trained, config))
        curves.append(trained.losses)
    names = ("closeness_before", "closeness_after", "recall_before", "recall_pca", "recall_after")
    report: dict[str, object] = {
        "works": len(works),
        "choices_of_held_out_works": choices,
        "train_s": round(float(np.mean(seconds)), 1),
        **spread(names, np.array(measured)),
        "series_recall": spread(("before", "pca", "after"), np.array(in_series)),
        "author_recall": spread(("before", "pca", "after"), np.array(kept)),
    }
    return report, [round(loss, 4) for loss in np.mean(curves, axis=0).tolist()]


def spread(names: tuple[str, ...], values: np.ndarray) -> dict[str, object]:
    """Mean, least and greatest of each column."""
    return {
        name: {"mean": round(column.mean(), 3), "min": round(column.min(), 3), "max": round(column.max(), 3)}
        for name, column in zip(names, values.T, strict=True)
    }


def made_works(count: int) -> RelatedWorks:
    """Works of many subjects, some far more frequent than others, in three languages; a third are in a series."""
    rng = np.random.default_rng(0)
    kinds = max(10, count // 50)
    subjects = (rng.random((count, 3)) ** 2 * kinds).astype(np.int64)
    texts = rng.standard_normal((count, TEXT_DIM)).astype(np.float32)
    texts += 0.7 * rng.standard_normal((kinds, TEXT_DIM)).astype(np.float32)[subjects[:, 0]]
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    series = np.where(rng.random(count) < 1 / 3, rng.integers(max(1, count // 10), size=count), -1)
    told = np.column_stack([np.repeat(np.arange(count), 3), subjects.ravel()])
    return RelatedWorks(np.arange(1, count + 1), texts, subjects[:, 0], series, rng.integers(3, size=count), told)


def scaling(config: AdapterConfig) -> list[dict[str, float]]:
    train_adapter(made_works(100), replace(config, epochs=1), seed=0)  # what loads on first use is not counted
    rows = []
    for count in SIZES:
        works = made_works(count)
        started = perf_counter()
        train_adapter(works, config, seed=0)
        seconds = perf_counter() - started
        peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # the greatest so far: sizes ascend
        rows.append({"works": count, "train_s": round(seconds, 1), "peak_mb": round(peak_kb / 1024)})
    return rows


def draw_loss(losses: list[float], picture: Path) -> None:
    import altair as alt

    points = [{"pass": number, "loss": loss} for number, loss in enumerate(losses, 1)]
    chart = alt.Chart(alt.Data(values=points), title="Triplet loss of the adapter, demo library", width=480, height=240)
    line = chart.mark_line(point=True).encode(
        alt.X("pass:Q", title="Pass over the works"), alt.Y("loss:Q", title="Mean triplet loss")
    )
    line.save(str(picture))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer passes and choices of held-out works")
    parser.add_argument("--json", action="store_true", help="the output is JSON in any case")
    parser.add_argument("--picture", type=Path, metavar="FILE", help=f"draw the loss curve: {', '.join(PICTURES)}")
    told = parser.parse_args()
    if told.picture and told.picture.suffix not in PICTURES:
        parser.error(f"--picture {told.picture} must end in one of {', '.join(PICTURES)}")
    torch.set_num_threads(1)
    config, choices = AdapterConfig(), 5
    if told.quick:
        config, choices = replace(config, epochs=5), 1
    costs = scaling(config)  # before the encoder is in memory
    learned, losses = demo_library(config, choices)
    if told.picture:
        draw_loss(losses, told.picture)
    print(json.dumps({"config": asdict(config), "demo_library": learned, "loss": losses, "scaling": costs}))


if __name__ == "__main__":
    main()
