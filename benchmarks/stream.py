"""How fast an act becomes a slate, how many a second, and how far that is from the old design and from the limit.

python benchmarks/stream.py [--quick] [--json] [--ours] [--picture FILE]
python benchmarks/stream.py --catch-up ACTS | --soak MINUTES     (hours: memory, and nothing else)

The real dataflow runs as a process of its own in a home of its own, over 10,000 works, with an untrained policy
(drawing costs what it costs when trained). The same acts of 2,000 readers go to the design that this one replaces,
rebuilt in `old_design` (`--ours` leaves it out); all of one run, on one machine.

- `p50_ms_at_100` and the like: from the moment the log took the act to the moment its slate's row was written; acts
  come 100 or 500 a second, each in a transaction of its own
- `acts_per_s`, `acts_per_s_two`: one process, or two that share nothing (`--share`), take a backlog, from the first
  batch stored to the last; `acts_per_s_cluster`: two processes of one dataflow (`--workers 2`); `cpu_us_per_act_two`,
  `cpu_us_per_act_cluster`: processor time of both together
- `slates_per_s`: of these acts, those that a slate is drawn for (not the sight of a place); `throughput_ratio`: this
  over `old_acts_per_s`, since the old design recommends for every act that it takes
- `broker_*`: the same with the relay and the broker between log and dataflow, which the old design reads from too
  (not with `--quick`)
- `cpu_us_per_act` of the dataflow's process, `postgres_us_per_act` of the server meanwhile: processor time of the one
  process that takes a backlog. It draws on two threads, so on two cores an act takes half of the sum of both at least,
  and a second process finds next to nothing that the first leaves free
- `bare_*_us`: the same of the dataflow's three parts alone: decoding, drawing, storing, in batches as it makes them and
  right after it; `limit_ratio`: `cpu_us_per_act` over their sum
- `log_append_per_s`: acknowledged, one act a transaction, over `append_connections` of `append_processes`
- `load_before`: how many processes wanted a processor before it began: times of a busy machine are worth little
- `old_*`: the same of the old design; `old_falls_behind_at_500`: of 500 acts a second ever more wait
- `catch_up_*`: acts a second and most memory while one process takes this many; `soak_*`: memory by the minute at 500
  acts a second, how much it gains in an hour, and whether that counts as growing
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from old_design import environment
from our_stream import appending, bare_parts, catching_up, long_runs, picture
from our_stream.brokers import running_broker
from our_stream.installation import installation, running_stream
from our_stream.percentiles import at_percent
from our_stream.trace import Trace, count_slates, old_events

from openshelf.database import pool

WORKS = 10_000
RATES = (100, 500)
PERCENTS = (50, 90, 99)
WARM_UP_S = 2
# As many as the mock broker keeps.
BROKER_BACKLOG = 12_000
# Of the old design's own trace: more than it can take.
OLD_EVENTS = 60_000

Report = dict[str, float | int | bool | None]


@dataclass(frozen=True)
class Size:
    """Seconds that acts come at each rate; how many acts are caught up with, drawn bare and appended."""

    seconds: int
    backlog: int
    bare: int
    append: int
    old_backlog: int


FULL = Size(seconds=30, backlog=40_000, bare=10_000, append=40_000, old_backlog=3_000)
QUICK = Size(seconds=8, backlog=12_000, bare=4_000, append=8_000, old_backlog=600)


def measure_ours(size: Size) -> Report:
    trace = Trace(WORKS, seed=1)
    report: Report = {"works": WORKS, "cores": os.cpu_count() or 0, "load_before": round(os.getloadavg()[0], 1)}
    with installation(WORKS) as home, pool.connect(autocommit=True, unlimited=True) as conn:
        say("acts that come one by one")
        with running_stream(home, "run") as process:
            for rate in RATES:
                report |= percentiles("", rate, played_ms(conn, process, trace, rate, size.seconds))
        say("a backlog")
        share = backlog(conn, trace, size)
        one = catching_up.catch_up(conn, home)
        # At once: the longer readers' histories are, the more a slate costs.
        say("the bare parts")
        report |= limit(conn, trace, size, one.cpu_us_per_act)
        report |= {
            "acts_per_s": round(one.acts_per_s),
            "slates_per_s": round(one.acts_per_s * share),
            "cpu_us_per_act": round(one.cpu_us_per_act),
            "postgres_us_per_act": round(one.postgres_us_per_act),
        }
        say("appending")
        report |= {
            "log_append_per_s": round(appending.appended_per_s(size.append)),
            "append_processes": appending.COUNT_PROCESSES,
            "append_connections": appending.COUNT_PROCESSES * appending.CONNECTIONS_EACH,
        }
    say("two processes")
    report |= of_two("two", two_catch_up(size, shares=2)) | of_two("cluster", two_catch_up(size, workers=2))
    return report


def two_catch_up(size: Size, *, shares: int = 1, workers: int = 1) -> catching_up.CaughtUp:
    """A log of their own: nothing is read again, and readers' histories are on average as long as in that of one."""
    with installation(WORKS) as home, pool.connect(autocommit=True, unlimited=True) as conn:
        appending.fill_backlog(conn, Trace(WORKS, seed=1).take(2 * size.backlog, appending.recent()))
        return catching_up.catch_up(conn, home, shares=shares, workers=workers)


def of_two(name: str, taken: catching_up.CaughtUp) -> Report:
    return {f"acts_per_s_{name}": round(taken.acts_per_s), f"cpu_us_per_act_{name}": round(taken.cpu_us_per_act)}


def played_ms(
    conn: psycopg.Connection, process: psutil.Process, trace: Trace, per_second: int, seconds: int
) -> list[float]:
    warm_up = trace.take(WARM_UP_S * per_second, appending.recent())
    catching_up.played_ms(conn, process, warm_up, per_second)
    return catching_up.played_ms(conn, process, trace.take(per_second * seconds, appending.recent()), per_second)


def measure_ours_by_broker(size: Size, broker: str) -> Report:
    """The same dataflow behind the relay and the broker that the old design reads from."""
    say("our stream behind a broker")
    trace = Trace(WORKS, seed=1)
    with installation(WORKS) as home, pool.connect(autocommit=True, unlimited=True) as conn:
        with running_stream(home, "relay", broker=broker) as relay:
            with running_stream(home, "run", broker=broker) as process:
                report = percentiles("broker_", 100, played_ms(conn, process, trace, 100, size.seconds))
            appending.fill_backlog(conn, trace.take(BROKER_BACKLOG, appending.recent()))
            catching_up.wait_until_taken(conn, relay, "relay")
        taken = catching_up.catch_up(conn, home, broker=broker)
    return report | {"broker_acts_per_s": round(taken.acts_per_s)}


def backlog(conn: psycopg.Connection, trace: Trace, size: Size) -> float:
    """Acts that wait in the log, for seconds of work; the share of them that asks for a slate."""
    acts = trace.take(size.backlog, appending.recent())
    appending.fill_backlog(conn, acts)
    return count_slates(acts) / len(acts)


def percentiles(prefix: str, rate: int, ascending: Sequence[float]) -> Report:
    return {f"{prefix}p{percent}_ms_at_{rate}": round(at_percent(ascending, percent), 1) for percent in PERCENTS}


def limit(conn: psycopg.Connection, trace: Trace, size: Size, cpu_us_per_act: float) -> Report:
    bare = bare_parts.measure(conn, trace.take(size.bare, appending.recent()))
    return {
        "bare_decode_us": round(bare.decode_us, 1),
        "bare_score_us": round(bare.score_us, 1),
        "bare_store_us": round(bare.store_us, 1),
        "draw_batch": bare.draw_batch,
        "store_batch": bare.store_batch,
        "limit_ratio": round(cpu_us_per_act / bare.sum_us, 2),
    }


def measure_old(size: Size, broker: str, slates_per_s: float | None) -> Report:
    """All null, with a line that says why, where it is not installed."""
    names = [*(f"old_p{percent}_ms_at_100" for percent in PERCENTS), "old_acts_per_s", "old_falls_behind_at_500"]
    nothing: Report = dict.fromkeys([*names, "throughput_ratio"])
    say("the old design")
    events = old_events(Trace(WORKS, seed=1).take(OLD_EVENTS, appending.recent()))
    try:
        found = environment.figures(events, broker, WORKS, size.seconds, size.old_backlog)
    except environment.NotInstalledError as error:
        print(f"the old design is not measured: {error}", file=sys.stderr)
        return nothing
    report = percentiles("old_", 100, found.pop("ms_at_100")) | found
    return report | {"throughput_ratio": round(slates_per_s / found["old_acts_per_s"], 1) if slates_per_s else None}


def say(what: str) -> None:
    print(f"measuring {what} ...", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="shorter runs, about two minutes")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--ours", action="store_true", help="without the old design")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the report to this .svg or .png")
    parser.add_argument("--catch-up", type=int, metavar="ACTS", help="only this: take so many acts")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="only this: 500 acts a second for so long")
    options = parser.parse_args()
    if options.catch_up or options.soak:
        report = long_runs.measure(WORKS, options.catch_up, options.soak)
    else:
        size = QUICK if options.quick else FULL
        report = measure_ours(size)
        if not options.ours:
            with running_broker() as broker:
                if not options.quick:
                    report |= measure_ours_by_broker(size, broker)
                report |= measure_old(size, broker, report["slates_per_s"])
    if options.picture:
        picture.draw(report, options.picture)
    if options.json:
        print(json.dumps(report))
    else:
        for key, value in report.items():
            print(f"{key:>24}: {value}")


if __name__ == "__main__":
    main()
