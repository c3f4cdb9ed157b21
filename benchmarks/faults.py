"""Everything is killed, filled, hung and lied to while acts flow; nothing acknowledged may be lost or count twice.

python benchmarks/faults.py [--minutes 6] [--seed 1] [--quick] [--json]

The real processes run on homes of their own: first `openshelf up` (embedded Postgres on a small disk of its own, the
dataflow reading the log table), then relay, broker and dataflow with proxies between all parts. Readers act without a
pause, as the storefront commits their acts. Round by round a fault is drawn (now and then two at once), begun at a
random moment and mended; the readers' process is killed at the end of each, and when all was taken, the history of
what was acknowledged is held against the tables. At the end the same log runs through an undisturbed dataflow in
another database, and every row is compared.

- `faults`, `acts`: how many were made and acknowledged; `lost`, `doubled`: acts, and what follows from them (counts of
  sessions, slates, inferred skips, dead letters, shelves); `phantom`, `reordered`, `unlike` the undisturbed run: none
- `longest_pause_s`: from an act acknowledged to the act stored. It holds the time that a fault lasted, and how long the
  harness left it; by kind of fault under `by_fault`
- `left_out`: faults that cannot be made here, and why

The broker is librdkafka's mock cluster: in memory only, so that one that was killed comes back empty, which a real one
would not. Statements may take 3 s instead of 30, so that a hanging connection is given up sooner. Exit code 1 if
anything was lost or doubled, or an installation stayed broken.
"""

import argparse
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from random import Random
from typing import Any

import structlog
from breaking import champions, clocks, faults, small_disk
from breaking.faults import Fault, Stage
from breaking.installation import Embedded, Full, StaysBrokenError, fresh_folder
from breaking.rounds import KINDS, Tally, play

PER_SECOND = 60
QUICK_S = 64
TWO_AT_ONCE_SHARE = 0.2
# A round is not begun that would likely end after the time is over.
ROUND_S = 8


def drawn(every: Sequence[Fault[Any]], random: Random) -> Iterator[list[Fault[Any]]]:
    """Without an end: each fault once before one comes again, some with another one at once."""
    while True:
        for fault in random.sample(every, len(every)):
            others = [each for each in every if each != fault and not each.alone and not fault.alone]
            yield [fault, random.choice(others)] if others and random.random() < TWO_AT_ONCE_SHARE else [fault]


def break_for(seconds: float, name: str, stage: Stage[Any], every: Sequence[Fault[Any]], tally: Tally) -> list[str]:
    """Rounds until the time is over. Returns in what the tables differ from those of an undisturbed run."""
    end_at = time.monotonic() + seconds
    for number, chosen in enumerate(drawn(every, stage.random), start=1):
        row = tally.add(each := play(stage, *chosen))
        wrong = sum(row[kind] for kind in KINDS)
        say(f"{name} {number}: {each.name}: {each.acts} acts, {each.pause_s:.1f} s, {wrong or 'nothing'} wrong")
        if time.monotonic() + ROUND_S > end_at:
            break
    say(f"{name}: the same log through an undisturbed dataflow")
    return stage.installation.unlike_undisturbed()


def faults_here() -> tuple[dict[str, list[Fault[Any]]], dict[str, str]]:
    """Of each installation those that can be made, and why the others cannot."""
    left_out: dict[str, str] = {}
    disk, clock = faults.DISK_FULL, clocks.CLOCKS
    if reason := small_disk.why_not():
        left_out |= {fault.name: reason for fault in disk}
        disk = []
    if not clocks.library():
        left_out |= {fault.name: "libfaketime is not installed (Debian: faketime)" for fault in clock}
        clock = []
    everywhere = [*faults.ANYWHERE, *champions.CHAMPIONS]
    return {
        "embedded": [*everywhere, *faults.EMBEDDED, *disk],
        "full": [*everywhere, *faults.FULL, *clock],
    }, left_out


def measure(seconds: float, seed: int, *, is_quick: bool) -> tuple[dict[str, Any], Tally]:
    """Both installations one after the other; the second has more parts to be broken, and gets more of the time."""
    tally, random, begun_at = Tally(), Random(seed), time.monotonic()
    every, left_out = faults_here()
    on_small_disk = small_disk.why_not() is None
    unlike = []
    for name, make, done_by in (
        ("embedded", partial(Embedded, on_small_disk=on_small_disk), 0.4),
        ("full", Full, 1.0),
    ):
        say(f"{name}: opening")
        chosen = [fault for fault in every[name] if not (is_quick and fault.is_slow)]
        end_at = begun_at + seconds * done_by
        with fresh_folder() as folder, make(folder) as installation:
            actor = installation.actor(PER_SECOND)
            try:
                stage = Stage(installation, actor, random)
                unlike += break_for(end_at - time.monotonic(), name, stage, chosen, tally)
            except StaysBrokenError:
                for part in ("up", "relay", "dataflow"):
                    say(f"== {part}\n" + installation.lines_of(part)[-3_000:])
                raise
            finally:
                actor.kill()
    tally.words += [f"unlike the undisturbed run: {words}" for words in unlike]
    report = tally.total() | {"unlike": len(unlike), "seed": seed, "minutes": round(seconds / 60, 1)}
    return report | {"by_fault": list(tally.rows.values()), "left_out": left_out}, tally


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def table(report: dict[str, Any]) -> str:
    lines = [
        "| fault | faults | acts | lost | doubled | longest pause, s |",
        "|---|---:|---:|---:|---:|---:|",
        *(line(row) for row in sorted(report["by_fault"], key=lambda row: row["fault"])),
        line({"fault": "**all**"} | report),
    ]
    return "\n".join(lines)


def line(row: dict[str, Any]) -> str:
    numbers = " | ".join(f"{row[key]:,}" for key in ("faults", "acts", "lost", "doubled", "longest_pause_s"))
    return f"| {row['fault']} | {numbers} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=6.0)
    options = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("OPENSHELF_")]:
        del os.environ[name]
    # Whoever ends it leaves no server behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # What the parts say of their outages is in their own logs.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        report, tally = measure(
            QUICK_S if options.quick else options.minutes * 60, options.seed, is_quick=options.quick
        )
    except StaysBrokenError as error:
        say(f"it stayed broken: {error}")
        return 1
    for words in tally.words[:50]:
        say(words)
    if options.json:
        print(json.dumps(report))
    else:
        print(table(report))
        for name, reason in report["left_out"].items():
            print(f"left out: {name}, {reason}")
    return 1 if any(report[kind] for kind in (*KINDS, "unlike")) else 0


if __name__ == "__main__":
    sys.exit(main())
