"""Recommenders live with simulated readers for 8 days; JSON to stdout. `python benchmarks/closed_loop.py [--quick]`.

Every recommender gets the same world, readers and size of slate, and learns from its own slates alone. Two worlds: one
whose texts tell little of what a work is about, one whose texts tell it well. Reward is per reader, summed over the
days; intervals are of the mean over seeds (t, 95 %), comparisons are paired by seed.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time

import altair
import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from models import rewards
from models.closed_loop import live, texts_of
from models.loop_recommenders import (
    Learner,
    MyopicOracle,
    NearestContent,
    Popular,
    Random,
    Scorer,
    newborn,
)
from models.policy import PolicyConfig
from models.rewards import Rewards
from models.simulated_world import World, make_world
from models.train import TrainConfig

DAYS = 8
# Before the first slate readers search and browse, so that every recommender begins with the same acts of theirs.
DAYS_BEFORE = 14
READERS = 240
WORKS = 400
TOPICS = 12
# Noise on each of the topics that a text tells of; the topics of a work together have length 1.
WORLDS = {"noisy texts": 0.15, "telling texts": 0.05}
SEEDS, QUICK_SEEDS, QUICK_READERS = 10, 2, 120
LEARNER = "learning policy"
ORACLE = "myopic oracle"
RIVALS = ("popular", "nearest content", "greedy supervised", "supervised exploring")
# A day brings a few hundred slates, the product's thousands: larger steps here.
TRAINING = TrainConfig(learning_rate=1e-2, epochs=1, old_slates=500, scale_rate=10.0, bias_rate=10.0)
# Of all who learn alike. What is popular is good for all in these worlds, more than among real readers.
NETWORK = PolicyConfig(sharpness=28.0, prior_weight=4.0)
IMITATION = replace(TRAINING, policy_weight=0.0, entropy_weight=0.0)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Place:
    world: World
    texts: NDArray[np.float32]
    seed: int
    rewards: Rewards

    def learner(self, config: TrainConfig, *, is_greedy: bool, explore: float, imitates: bool) -> Learner:
        policy = newborn(self.texts, NETWORK, self.seed)
        return Learner(policy, config, self.seed, is_greedy, explore, imitates)


RECOMMENDERS: dict[str, Callable[[Place], Scorer]] = {
    "random": lambda at: Random(),
    "popular": lambda at: Popular(),
    "nearest content": lambda at: NearestContent(),
    "greedy supervised": lambda at: at.learner(IMITATION, is_greedy=True, explore=0.0, imitates=True),
    "supervised exploring": lambda at: at.learner(IMITATION, is_greedy=True, explore=0.1, imitates=True),
    LEARNER: lambda at: at.learner(TRAINING, is_greedy=False, explore=0.05, imitates=False),
    ORACLE: lambda at: MyopicOracle(at.world, at.rewards),
}


def live_all(text_noise: float, seeds: int, readers: int) -> dict[str, Floats]:
    """recommender -> (seeds, days) reward per reader."""
    table = rewards.load()
    lived = {name: np.zeros((seeds, DAYS)) for name in RECOMMENDERS}
    for seed in range(seeds):
        world = make_world(WORKS, TOPICS, seed, text_noise=text_noise, days=DAYS)
        place = Place(world, texts_of(world, seed), seed, table)
        for name, make in RECOMMENDERS.items():
            started = process_time()
            lived[name][seed] = (
                live(
                    world,
                    make(place),
                    place.texts,
                    days=DAYS,
                    seed=seed,
                    rewards=table,
                    count_readers=readers,
                    days_before=DAYS_BEFORE,
                )
                / readers
            )
            took = process_time() - started
            print(f"seed {seed} {name}: {lived[name][seed].sum():.1f} in {took:.1f} s", file=sys.stderr)
    return lived


def interval(values: Floats) -> tuple[float, float, float]:
    """Mean of independent values and its 95 % interval."""
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def compared(lived: dict[str, Floats]) -> dict[str, object]:
    totals = {name: by_day.sum(1) for name, by_day in lived.items()}
    recommenders = {}
    for name, total in totals.items():
        reward, low, high = interval(total)
        recommenders[name] = {"reward": round(reward, 2), "low": round(low, 2), "high": round(high, 2)}
    leads = {}
    for rival in RIVALS:
        lead, low, high = interval(totals[LEARNER] - totals[rival])
        leads[rival] = {"reward": round(lead, 2), "low": round(low, 2), "high": round(high, 2)}
    return {
        "recommenders": recommenders,
        "lead": leads,
        "beats": [rival for rival in RIVALS if leads[rival]["low"] > 0],
        "apart_from": [rival for rival in RIVALS if recommenders[LEARNER]["low"] > recommenders[rival]["high"]],
        "share_of_oracle": round(float(totals[LEARNER].mean() / totals[ORACLE].mean()), 3),
    }


def regret_rows(world: str, lived: dict[str, Floats]) -> list[dict[str, object]]:
    """What each recommender's readers missed by each day, against the oracle's readers of the same seed."""
    rows: list[dict[str, object]] = []
    for name, by_day in lived.items():
        if name == ORACLE:
            continue
        regret = (lived[ORACLE] - by_day).cumsum(1)
        for day in range(DAYS):
            mean, low, high = interval(regret[:, day])
            rows.append({"world": world, "recommender": name, "day": day + 1, "regret": mean, "low": low, "high": high})
    return rows


def draw_picture(rows: list[dict[str, object]], path: Path) -> None:
    """Cumulative regret, mean and band over seeds, one line per recommender; `path` ends in .svg or .png."""
    names = [name for name in RECOMMENDERS if name != ORACLE]
    colours = ["#b8b2a7", "#8d8a84", "#c9a45c", "#7d9fb5", "#4f7a94", "#a63d2f"]
    base = altair.Chart(altair.Data(values=rows)).encode(
        x=altair.X("day:Q", title="Day", axis=altair.Axis(tickMinStep=1, grid=False)),
        color=altair.Color(
            "recommender:N",
            scale=altair.Scale(domain=names, range=colours),
            legend=altair.Legend(title=None, orient="bottom", columns=3, symbolOpacity=1),
        ),
    )
    band = base.mark_area(opacity=0.15).encode(
        y=altair.Y("low:Q", title="Reward missed per reader, against the oracle"), y2="high:Q"
    )
    line = base.mark_line(strokeWidth=2).encode(y="regret:Q")
    chart = altair.layer(band, line).properties(width=320, height=260).facet(altair.Facet("world:N", title=None))
    chart.configure_view(stroke=None).configure_axis(labelFontSize=12, titleFontSize=12, titleFontWeight="normal").save(
        path, scale_factor=2
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"{QUICK_SEEDS} seeds, {QUICK_READERS} readers",
    )
    parser.add_argument("--json", action="store_true", help="the output is JSON in any case")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw cumulative regret to this .svg or .png")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    seeds, readers = (QUICK_SEEDS, QUICK_READERS) if arguments.quick else (SEEDS, READERS)
    started = process_time()
    lived = {world: live_all(noise, seeds, readers) for world, noise in WORLDS.items()}
    report = {
        "seeds": seeds,
        "days": DAYS,
        "days_before": DAYS_BEFORE,
        "readers": readers,
        "works": WORKS,
        "worlds": {world: compared(by_name) for world, by_name in lived.items()},
        "cpu_s": round(process_time() - started, 1),
    }
    if arguments.picture:
        draw_picture(
            [row for world, by_name in lived.items() for row in regret_rows(world, by_name)], arguments.picture
        )
    print(json.dumps(report))


if __name__ == "__main__":
    main()
