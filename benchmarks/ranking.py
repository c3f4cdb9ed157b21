"""Every model on the same acts, ranking the whole catalogue; JSON to stdout. `python benchmarks/ranking.py [--quick]`.

On a library that simulated readers live in, which needs no files, and on each published data set named by `--data NAME
PATH` or found in the folder OPENSHELF_DATA_SETS (its sub-folders are named as the data sets are). `--readme` writes the
tables between the markers of models/README.md, with `--closed-loop FILE` that of benchmarks/closed_loop.py too.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models import rewards
from models.closed_loop import SLATE_SIZE, texts_of
from models.dataset import embedded, load
from models.evaluate_cli import chosen_models, configured_fits
from models.evaluation import evaluate_models
from models.ranking_data import RankingData
from models.rewards import Rewards
from models.simulated_loop import LoopRequest, run_closed_loop
from models.simulated_world import World, make_world
from models.simulator import Answer, reward_of
from models.splits import split_by
from openshelf.contracts import Action
from openshelf.errors import OpenshelfError, UsageError

README = Path(__file__).parents[1] / "models" / "README.md"
SIMULATED, CLOSED_LOOP = "simulated", "closed_loop"
# Of each table in the README: what is above it. The licences of published data ask for the acknowledgement.
TABLES = {
    SIMULATED: "Simulated readers who are shown random slates and look around; made by the benchmark itself.",
    "ml-latest-small": "MovieLens latest small by GroupLens: F. Maxwell Harper and Joseph A. Konstan, *The MovieLens "
    "Datasets: History and Context*, ACM TiiS 5(4), 2015.",
    "book_crossing": "Book-Crossing (history): Cai-Nicolas Ziegler, Sean M. McNee, Joseph A. Konstan and Georg Lausen, "
    "*Improving Recommendation Lists Through Topic Diversification*, WWW 2005; cleaned by A. Fortes da Costa.",
    CLOSED_LOOP: "Reward of one simulated reader over all days, mean and 95 % interval over seeds.",
}
READERS, QUICK_READERS = 800, 120
WORKS, TOPICS, DAYS = 500, 24, 20
TEXT_NOISE = 0.1
DAY_S = 86_400
# What --quick fits to published data unless told otherwise, and on how many readers it tests them.
QUICK_MODELS = "random,popular,als,ease"
QUICK_TESTED = 300


@dataclass
class Acts:
    """The first glad act of each reader on each work, in the order of living."""

    table: Rewards
    of_reader: dict[int, dict[int, tuple[float, float]]] = field(default_factory=dict)  # work -> (seconds, reward)
    _count: int = 0

    def keep(self, number: int, day: int, answers: Sequence[Answer]) -> None:
        first = self.of_reader.setdefault(number, {})
        for answer in answers:
            reward = reward_of(answer, self.table)
            if answer.action is not Action.SHOW and reward > 0 and answer.work not in first:
                self._count += 1
                # Readers live side by side in rounds; what matters is the order within each.
                first[answer.work] = (day * DAY_S + self._count * 1e-3, reward)

    def on_answers(
        self, requests: Sequence[LoopRequest], slates: Sequence[NDArray[np.int64]], answers: Sequence[list[Answer]]
    ) -> None:
        for request, given in zip(requests, answers, strict=True):
            self.keep(request.number, request.day, given)


def at_random(world: World, requests: Sequence[LoopRequest], rng: np.random.Generator) -> Sequence[NDArray[np.int64]]:
    return [rng.permutation(request.allowed)[:SLATE_SIZE] for request in requests]


def simulated_data(count_readers: int, seed: int) -> RankingData:
    """What readers of a simulated library were glad of, while no recommender chose for them."""
    world = make_world(WORKS, TOPICS, seed, text_noise=TEXT_NOISE, days=DAYS)
    acts = Acts(rewards.load())
    run_closed_loop(
        world,
        at_random,
        DAYS,
        seed,
        rewards=acts.table,
        count_readers=count_readers,
        on_answers=acts.on_answers,
        on_errand=acts.keep,
    )
    numbers = sorted(number for number, first in acts.of_reader.items() if first)
    rows = [
        (reader, work, time, reward)
        for reader, number in enumerate(numbers)
        for work, (time, reward) in acts.of_reader[number].items()
    ]
    readers, works, times, values = map(np.array, zip(*rows, strict=True))
    return RankingData(
        name=f"simulated library (seed {seed})",
        readers=readers,
        rows=works,
        values=values.astype(np.float32),
        times=times,
        book_ids=world.book_ids,
        reader_ids=np.array([f"reader {number}" for number in numbers], dtype=object),
        texts=tuple(told_topics(world.features[work], world.topic_names) for work in range(len(world))),
        embeddings=texts_of(world, seed),
    )


def told_topics(features: NDArray[np.float64], names: Sequence[str]) -> str:
    """Words for a work: its topics as its text has them, the stronger the more often."""
    times = np.clip(features * 3, 0, None).astype(int)
    return " ".join(name.replace(" ", "") for name, count in zip(names, times, strict=True) for _ in range(count))


def measured(data: RankingData, models: str | None, seed: int, tested: int | None = None) -> dict[str, Any]:
    chosen = chosen_models(models)
    if any(model.needs_embeddings or model.uses_embeddings for model in chosen.values()):
        data = embedded(data)
    split = split_by("per_reader" if data.times is None else "leave_last_out", data, seed)
    fits = configured_fits(chosen, [], seed)

    def tell(model: str) -> None:
        print(f"{data.name}: {model}", file=sys.stderr)

    return evaluate_models(split, fits, seed=seed, limit_readers=tested, on_model=tell)


def found_data_sets(folder: str | None) -> list[tuple[str, Path]]:
    """Sub-folders that are named as a published data set with a table is."""
    if not folder:
        return []
    if not Path(folder).is_dir():
        raise UsageError(f"OPENSHELF_DATA_SETS {folder}: there is no such folder")
    return [(path.name, path) for path in sorted(Path(folder).iterdir()) if path.is_dir() and path.name in TABLES]


def ranking_table(name: str, report: Mapping[str, Any]) -> str:
    lines = [
        TABLES[name],
        f"{report['works']:,} works, {report['readers']:,} readers, {report['acts']:,} acts; {report['protocol']}.",
        "",
        "| model | NDCG@10 | 95 % interval | recall@10 | coverage@10 | training, s |",
        "|---|---|---|---|---|---|",
    ]
    for row in report["models"]:
        if "error" in row:
            lines.append(f"| {row['model']} | failed: {row['error'].replace('|', ' ')} | | | | |")
            continue
        lines.append(
            f"| {row['model']} | {row['ndcg@10']:.4f} | {row['ndcg@10_low']:.4f} to {row['ndcg@10_high']:.4f} "
            f"| {row['recall@10']:.4f} | {row['coverage@10']:.3f} | {row['train_s']:.1f} |"
        )
    return "\n".join(lines)


def closed_loop_table(report: Mapping[str, Any]) -> str:
    """Of what benchmarks/closed_loop.py prints."""
    worlds = report["worlds"]
    lines = [
        TABLES[CLOSED_LOOP],
        f"{report['seeds']} seeds, {report['days']} days, {report['readers']} readers, {report['works']} works; "
        "trained anew every morning.",
        "",
        f"| recommender | {' | '.join(worlds)} |",
        "|---|" + "---|" * len(worlds),
    ]
    first = next(iter(worlds.values()))["recommenders"]
    for name in sorted(first, key=lambda name: first[name]["reward"]):
        cells = [interval_cell(world["recommenders"][name]) for world in worlds.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    rivals = list(next(iter(worlds.values()))["lead"])
    for rival in rivals:
        cells = [interval_cell(world["lead"][rival], "+") for world in worlds.values()]
        lines.append(f"| lead over {rival}, paired by seed | {' | '.join(cells)} |")
    shares = [f"{world['share_of_oracle']:.0%}" for world in worlds.values()]
    return "\n".join([*lines, f"| share of the oracle's reward | {' | '.join(shares)} |"])


def interval_cell(found: Mapping[str, float], sign: str = "") -> str:
    return " ".join([f"{found['reward']:{sign}.1f}", f"({found['low']:{sign}.1f} to {found['high']:{sign}.1f})"])


def with_tables(text: str, tables: Mapping[str, str]) -> str:
    """The page with these tables between their markers.

    Raises:
        UsageError: the page has no place for one of them.
    """
    for name, table in tables.items():
        place = re.compile(rf"(<!-- results:{re.escape(name)} -->\n).*?(<!-- /results -->)", re.DOTALL)
        if not place.search(text):
            raise UsageError(f"the page has no <!-- results:{name} --> ... <!-- /results -->: add the two lines")
        text = place.sub(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", text, count=1)
    return text


def report_file(path: Path) -> dict[str, Any]:
    try:
        report = json.loads(path.read_text("utf-8"))
        closed_loop_table(report)
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise UsageError(f"{path} does not hold what benchmarks/closed_loop.py prints") from error
    return report


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"fewer readers; published data: only {QUICK_MODELS}")
    parser.add_argument("--json", action="store_true", help="the output is JSON in any case")
    parser.add_argument("--models", help="comma-separated; unset: all")
    parser.add_argument("--data", nargs=2, action="append", default=[], metavar=("NAME", "PATH"))
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--readme", type=Path, nargs="?", const=README, metavar="FILE", help=f"unset: {README.name}")
    parser.add_argument("--closed-loop", type=Path, metavar="FILE", help="JSON of benchmarks/closed_loop.py")
    return parser.parse_args()


def measure(options: argparse.Namespace) -> bool:
    """Whether every model could be measured."""
    data_sets = [(name, Path(path)) for name, path in options.data]
    data_sets = data_sets or found_data_sets(os.environ.get("OPENSHELF_DATA_SETS"))
    lived = report_file(options.closed_loop) if options.closed_loop else None
    # What would be refused after hours is refused now.
    chosen_models(options.models)
    names = [SIMULATED, *(name for name, _ in data_sets), *([CLOSED_LOOP] if lived else [])]
    if options.readme:
        if not options.readme.is_file():
            raise UsageError(f"--readme {options.readme}: there is no such page")
        with_tables(options.readme.read_text("utf-8"), dict.fromkeys(names, ""))
    published = [(name, load(name, path)) for name, path in data_sets]

    own = simulated_data(QUICK_READERS if options.quick else READERS, options.seed)
    reports = {SIMULATED: measured(own, options.models, options.seed)}
    models, tested = (options.models or QUICK_MODELS, QUICK_TESTED) if options.quick else (options.models, None)
    for name, data in published:
        reports[name] = measured(data, models, options.seed, tested)
    print(json.dumps(reports))
    if options.readme:
        tables = {name: ranking_table(name, report) for name, report in reports.items()}
        tables |= {CLOSED_LOOP: closed_loop_table(lived)} if lived else {}
        options.readme.write_text(with_tables(options.readme.read_text("utf-8"), tables), "utf-8")
    return not any("error" in row for report in reports.values() for row in report["models"])


def main() -> None:
    options = asked()
    torch.set_num_threads(1)
    try:
        sys.exit(not measure(options))
    except OpenshelfError as error:
        sys.exit(f"ranking.py: {error}")


if __name__ == "__main__":
    main()
