"""The promises, broken on purpose: real processes, a history of what was acknowledged, and the rows of a calm run.

One short round a fault here, seeded; the long version is `benchmarks/faults.py`.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from benchmarks.breaking import champions, faults, rounds, small_disk
from benchmarks.breaking.faults import Fault, Stage
from benchmarks.breaking.installation import Embedded, Full, Installation, fresh_folder

SEED = 4
PER_SECOND = 50
CALM_S = (0.2, 0.6)

Broken = Callable[..., Installation]


@contextmanager
def breaking(make: Callable[..., Installation], every: list[Fault[Any]], **options: Any) -> Iterator[Broken]:
    """An installation to be broken by the names of faults, and judged each time."""
    known = {fault.name: replace(fault, holds_s=(fault.holds_s[0], fault.holds_s[0])) for fault in every}
    with fresh_folder() as folder, make(folder, **options) as installation:
        actor = installation.actor(PER_SECOND)

        def break_by(*names: str) -> Installation:
            stage = Stage(installation, actor, Random(f"{SEED} {names}"))
            played = rounds.play(stage, *(known[name] for name in names), calm_s=CALM_S)
            assert played.verdict.faults == []
            assert installation.unlike_undisturbed() == []
            assert played.acts > 10
            return installation

        try:
            yield break_by
        finally:
            actor.kill()


@pytest.fixture(scope="module")
def embedded() -> Iterator[Broken]:
    every = [*faults.ANYWHERE, *champions.CHAMPIONS, *faults.EMBEDDED, *faults.DISK_FULL]
    with breaking(Embedded, every, on_small_disk=not small_disk.why_not()) as broken:
        yield broken


@pytest.fixture(scope="module")
def full() -> Iterator[Broken]:
    with breaking(Full, [*faults.ANYWHERE, *faults.FULL]) as broken:
        yield broken


def test_acts_outlive_app_and_postgres_killed_and_a_champion_that_does_not_load(embedded: Broken) -> None:
    """The dataflow is killed too: with no champion to go on with, it serves what is popular, and says so."""
    embedded("kill -9 app", "champion does not load", "kill -9 Postgres")


def test_a_lost_recovery_store_is_rebuilt_with_the_same_rows_though_the_supervisor_dies_too(embedded: Broken) -> None:
    embedded("recovery store deleted", "kill -9 supervisor")


@pytest.mark.skipif(bool(small_disk.why_not()), reason=str(small_disk.why_not()))
def test_a_full_disk_is_said_and_loses_nothing(embedded: Broken) -> None:
    installation = embedded("disk full, Postgres ends")

    assert re.search(faults.IS_FULL, installation.lines_of("up") + installation.lines_of("dataflow"))


def test_what_a_broker_had_confirmed_and_lost_is_not_lost_though_the_dataflow_dies_with_it(full: Broken) -> None:
    installation = full("connections reset", "kill -9 broker and dataflow")

    assert "acts_taken_from_log" in installation.lines_of("dataflow")


def test_a_broker_that_came_back_empty_and_is_away_at_the_next_start_delays_and_loses_nothing(full: Broken) -> None:
    full("kill -9 broker, back empty", "broker away at start")


def test_a_broker_that_hangs_and_repeats_and_a_postgres_that_cannot_be_heard_change_no_row(full: Broken) -> None:
    installation = full("broker hangs", "repeats and reorderings", "half-open connections to Postgres")

    assert "Postgres said nothing for" in installation.lines_of("relay") + installation.lines_of("dataflow")
