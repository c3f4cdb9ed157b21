"""The off-policy report on a real Postgres."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import psycopg
import pytest
from pgvector.psycopg import register_vector
from stored_library import renamed, store_history, store_works
from toy_world import START, logged_world
from typer.testing import CliRunner

from models import registry
from models.adapter import AdapterConfig
from models.evaluate_cli import evaluate_app
from models.offpolicy import ESTIMATORS
from models.offpolicy_report import offpolicy_report
from models.runs import run_adapter, run_policy
from models.train import TrainConfig

LATER = START + timedelta(days=2)


def with_newborn(conn: psycopg.Connection) -> None:
    register_vector(conn)
    store_works(conn)
    run_adapter(conn, AdapterConfig(dim=16, epochs=2), 42, START)


@pytest.fixture
def library(make_database: Callable[..., str], migrated_template: str) -> Iterator[psycopg.Connection]:
    """A library with a newborn policy."""
    with psycopg.connect(make_database(migrated_template)) as conn:
        with_newborn(conn)
        yield conn


def test_before_any_slate_there_is_nothing_to_report(library: psycopg.Connection) -> None:
    assert offpolicy_report(library, 1) == []


def test_champion_and_popularity_are_valued_on_all_slates_of_a_library_that_learned_nothing_yet(
    library: psycopg.Connection,
) -> None:
    slates, acts = logged_world(60, seed=3)
    store_history(library, slates, acts)

    champion, popular = offpolicy_report(library, 1)

    assert (champion.version, popular.version) == ("policy-0001", "popular")
    assert (champion.slates, champion.readers) == (360, 60)
    assert champion.logged == pytest.approx(np.mean([a.reward for a in acts]))
    assert tuple(estimate.name for estimate in champion.per_place) == ESTIMATORS
    by_name = {estimate.name: estimate for estimate in champion.per_place}
    assert by_name["independent"].can_tell
    assert by_name["independent"].low < by_name["independent"].value < by_name["independent"].high
    assert not by_name["snips"].can_tell  # whole slates of six, drawn uniformly, say little of a decided policy


def test_what_the_champion_has_learned_from_is_left_out(library: psycopg.Connection) -> None:
    store_history(library, *logged_world(60, seed=3))
    learned = run_policy(library, TrainConfig(epochs=1), 42, LATER, promote=False)
    registry.promote(library, learned.version, "by hand", LATER)
    before = offpolicy_report(library, 1)[0]

    store_history(library, *renamed(*logged_world(20, seed=4)), days=1)
    after = offpolicy_report(library, 1)[0]

    assert before.version == after.version == learned.version
    assert before.slates < 120  # of 360: those held back from training
    assert after.slates == before.slates + 120


def evaluated(*words: str) -> str:
    done = CliRunner().invoke(evaluate_app, ["models", "--models", "popular", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_command_tells_what_champion_and_popularity_would_have_earned(conn: psycopg.Connection) -> None:
    with_newborn(conn)
    store_history(conn, *logged_world(60, seed=3))

    report = json.loads(evaluated("--json"))
    words = evaluated().splitlines()

    rows = {(row["policy"], row["estimator"]): row for row in report["off_policy"]}
    assert list(rows) == [(policy, name) for policy in ("policy-0001", "popular") for name in ESTIMATORS]
    told, untold = rows["policy-0001", "independent"], rows["policy-0001", "snips"]
    assert told["can_tell"]
    assert told["low"] < told["value"] < told["high"]
    assert not untold["can_tell"]
    assert (report["logged"]["slates"], report["logged"]["readers"]) == (360, 60)
    as_words = [line.split()[1:] for line in words if line.startswith("policy-0001")]
    assert ["independent", f"{told['value']:.4f}", f"{told['low']:.4f}"] == as_words[2][:3]
    assert " ".join(as_words[1]) == f"snips cannot tell: {untold['reason']}"


def test_without_a_slate_the_command_says_that_there_is_nothing_to_judge_by(conn: psycopg.Connection) -> None:
    with_newborn(conn)
    _, acts = logged_world(30, seed=3)
    store_history(conn, [], [replace(act, slate_id=None) for act in acts])

    report = json.loads(evaluated("--json"))

    assert report["off_policy"] == []
    assert report["logged"] is None
    assert "no reader has seen a slate" in evaluated()
