"""Runs of minutes to hours, for memory: a large backlog, and acts that keep coming."""

import sys
from collections.abc import Sequence
from pathlib import Path

import psycopg

from openshelf.database import pool

from . import catching_up
from .appending import fill_backlog, play, recent
from .installation import installation, running_stream
from .percentiles import slope
from .trace import Trace

SOAK_RATE = 500
SAMPLE_S = 60
# What fills up at first (readers' states, caches, the allocator's room) is not growth.
WARM_UP_SHARE = 1 / 3
# Gaining more than this share of itself in an hour is growing.
GROWS = 0.05
CHUNK = 50_000
# Slower than any machine this is worth running on.
LEAST_ACTS_PER_S = 500

Report = dict[str, float | int | bool | None]


def measure(count_works: int, catch_up_acts: int | None, soak_minutes: float | None) -> Report:
    report: Report = {"works": count_works}
    trace = Trace(count_works, seed=1)
    with installation(count_works) as home, pool.connect(autocommit=True, unlimited=True) as conn:
        if catch_up_acts:
            report |= _catch_up(conn, home, trace, catch_up_acts)
        if soak_minutes:
            report |= _soak(conn, home, trace, soak_minutes)
    return report


def _catch_up(conn: psycopg.Connection, home: Path, trace: Trace, count: int) -> Report:
    for done in range(0, count, CHUNK):
        fill_backlog(conn, trace.take(min(CHUNK, count - done), recent()))
        print(f"appended {min(done + CHUNK, count)} of {count} acts", file=sys.stderr)
    taken = catching_up.catch_up(conn, home, patience_s=catching_up.PATIENCE_S + count / LEAST_ACTS_PER_S)
    return {
        "catch_up_acts": count,
        "catch_up_acts_per_s": round(taken.acts_per_s),
        "catch_up_peak_mib": round(taken.peak_mib),
    }


def _soak(conn: psycopg.Connection, home: Path, trace: Trace, minutes: float) -> Report:
    sampled: list[float] = []
    most_waiting = 0
    with running_stream(home, "run") as process:
        while len(sampled) < minutes:
            play(trace.take(SOAK_RATE * SAMPLE_S, recent()), SOAK_RATE)
            sampled.append(catching_up.mib(process))
            waiting = catching_up.count_waiting(conn)
            most_waiting = max(most_waiting, waiting)
            print(f"minute {len(sampled)}: {sampled[-1]:.1f} MiB, {waiting} acts wait", file=sys.stderr)
    gain = gain_an_hour(sampled)
    return {
        "soak_minutes": len(sampled),
        "soak_rate": SOAK_RATE,
        "soak_first_mib": round(sampled[0], 1),
        "soak_last_mib": round(sampled[-1], 1),
        "soak_mib_per_hour": round(gain, 1),
        "soak_grows": gain > GROWS * sampled[-1],
        "soak_most_waiting": most_waiting,
    }


def gain_an_hour(by_minute: Sequence[float]) -> float:
    """MiB an hour, after the warm-up."""
    settled = by_minute[int(len(by_minute) * WARM_UP_SHARE) :]
    return slope(range(len(settled)), settled) * 60 if len(settled) > 1 else 0.0
