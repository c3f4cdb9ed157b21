"""Baselines trained on the warehouse: registered like the policy, one champion of each kind, trained again the same."""

import contextlib
import json
from collections.abc import Callable, Iterator
from datetime import timedelta

import numpy as np
import psycopg
import pytest
from stored_library import connected, renamed, store_history, store_works
from toy_world import START, logged_world

from models import registry
from models.baseline_runs import run_baseline
from models.baselines.ease import EaseConfig
from models.baselines.popularity import PopularConfig
from models.baselines.roster import ROSTER
from models.dataset import reader_batch
from models.reproduce import reproduce
from models.run_records import NothingToLearnError
from models.warehouse_data import load_warehouse
from openshelf.cli import main
from openshelf.database import learning
from openshelf.errors import ModelError

LATER = START + timedelta(days=2)
# Quick forms of those that learn in passes.
QUICK = {"item2vec": {"epochs": 2}, "two_tower": {"epochs": 2}, "sequence": {"epochs": 2}, "bpr": {"iterations": 5}}


@pytest.fixture(scope="module")
def warehouse_template(make_database: Callable[..., str], migrated_template: str) -> str:
    with connected(make_database(migrated_template)) as conn:
        store_works(conn)
        # Two days: the split by time needs readers who came back.
        store_history(conn, *logged_world(60, seed=3))
        store_history(conn, *renamed(*logged_world(60, seed=4)), days=1)
        return conn.info.dbname


@pytest.fixture
def warehouse(installed: Callable, warehouse_template: str) -> Iterator[psycopg.Connection]:
    with installed(warehouse_template) as conn:
        yield conn


@pytest.mark.parametrize("name", ROSTER)
def test_every_baseline_is_trained_registered_and_ranks_from_the_registry(
    name: str, warehouse: psycopg.Connection
) -> None:
    config = ROSTER[name].config(**QUICK.get(name, {}))

    report = run_baseline(warehouse, name, config, 7, LATER)

    row = learning.champion(warehouse, name)
    run = warehouse.execute("select kind, version, status, count_new from learning.runs").fetchone()
    data = load_warehouse(warehouse)
    batch = reader_batch(data, np.arange(3), 50)
    assert row
    assert row.version == report.version == f"{name}-0001"
    assert run == (name, row.version, "done", len(data.rows))
    assert row.config == registry.settings_of(config)
    assert (row.manifest["acts"], row.manifest["works"], row.manifest["seed"]) == (len(data.rows), 60, 7)
    assert 0 <= row.metrics["test/ndcg@10_low"] <= row.metrics["test/ndcg@10"] <= row.metrics["test/ndcg@10_high"]
    scores = registry.load_ranker(warehouse, row.version).scores(batch)
    assert scores.shape == (3, 60)
    assert np.isfinite(scores).all()
    # Stored tensors come back in any order.
    tensors = registry.load_tensors_of(warehouse, row.version)
    for order in (sorted(tensors), sorted(tensors, reverse=True)):
        ranker = ROSTER[name].restore({key: tensors[key] for key in order})
        np.testing.assert_array_equal(scores, ranker.scores(batch))


@pytest.mark.parametrize("name", ["ease", "two_tower"])
def test_a_baseline_trained_again_from_its_record_is_the_same_also_after_readers_went_on(
    name: str, warehouse: psycopg.Connection
) -> None:
    version = run_baseline(warehouse, name, ROSTER[name].config(**QUICK.get(name, {})), 7, LATER).version
    store_history(warehouse, *renamed(*renamed_again(*logged_world(20, seed=5))), days=5)

    done = reproduce(warehouse, version)

    assert (done.same_weights, done.same_metrics, done.differing) == (True, True, {})
    warehouse.execute("update stream.interactions set reward = reward + 1 where reward > 0")
    with pytest.raises(ModelError, match="acts changed"):
        reproduce(warehouse, version)


def renamed_again(slates, acts):
    """Under ids that neither day of the history has."""
    from dataclasses import replace
    from uuid import UUID

    def other(key: UUID) -> UUID:
        return UUID(int=key.int ^ (1 << 101))

    return (
        [replace(s, slate_id=other(s.slate_id), session_id=other(s.session_id)) for s in slates],
        [replace(a, slate_id=a.slate_id and other(a.slate_id), session_id=other(a.session_id)) for a in acts],
    )


def test_learning_in_passes_leaves_its_curve(warehouse: psycopg.Connection) -> None:
    report = run_baseline(warehouse, "two_tower", ROSTER["two_tower"].config(epochs=3), 7, LATER)

    steps = warehouse.execute(
        "select array_agg(step order by step) from learning.run_metrics where run_id = %s and name = 'loss/bce'",
        [report.run_id],
    ).fetchone()
    assert steps == ([0, 1, 2],)


def test_each_kind_has_its_own_champion_and_its_own_way_back(warehouse: psycopg.Connection) -> None:
    for config in (PopularConfig(), PopularConfig(use_values=True)):
        run_baseline(warehouse, "popular", config, 7, LATER)
    run_baseline(warehouse, "ease", EaseConfig(), 7, LATER)

    assert registry.rollback(warehouse, "popular", LATER) == "popular-0001"

    champions = {row.kind: row.version for row in learning.models(warehouse) if row.status == "champion"}
    assert champions == {"popular": "popular-0001", "ease": "ease-0001"}
    assert [term.version for term in learning.terms(warehouse, "popular")][-1] == "popular-0001"


def test_an_altered_baseline_is_refused_and_the_champion_stays(warehouse: psycopg.Connection) -> None:
    for _ in range(2):
        run_baseline(warehouse, "popular", PopularConfig(), 7, LATER)
    warehouse.execute("update learning.models set weights = '\\x00'::bytea || weights where version = 'popular-0001'")

    with pytest.raises(ModelError, match="was altered"):
        registry.rollback(warehouse, "popular", LATER)

    champion = learning.champion(warehouse, "popular")
    assert champion
    assert champion.version == "popular-0002"


def test_a_baseline_of_another_kind_s_tensors_does_not_fit(warehouse: psycopg.Connection) -> None:
    run_baseline(warehouse, "popular", PopularConfig(), 7, LATER)
    warehouse.execute("update learning.models set kind = 'ease' where version = 'popular-0001'")

    with pytest.raises(ModelError, match="does not fit this program"):
        registry.load_ranker(warehouse, "popular-0001")


def test_without_readers_there_is_nothing_to_learn_and_the_record_says_so(conn: psycopg.Connection) -> None:
    store_works(conn)

    with pytest.raises(NothingToLearnError, match="no reader has done anything"):
        run_baseline(conn, "popular", PopularConfig(), 7, LATER)

    row = conn.execute("select status, message from learning.runs").fetchone()
    assert row
    assert row[0] == "skipped"


def test_the_command_trains_a_baseline_and_the_list_shows_it(
    warehouse: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["openshelf", *arguments])
        with contextlib.suppress(SystemExit):
            main()
        return capsys.readouterr().out

    report = json.loads(run("train", "ease", "--set", "regularisation=5", "--at", LATER.isoformat(), "--json"))

    assert (report["version"], report["status"]) == ("ease-0001", "champion")
    assert json.loads(run("models", "show", "ease-0001", "--json"))["config"]["regularisation"] == 5.0
    assert "ease-0001" in run("models", "list", "--kind", "ease")
    assert run("models", "list", "--kind", "policy") == ""
    again = json.loads(run("models", "reproduce", "ease-0001", "--json"))
    assert (again["same_weights"], again["same_metrics"], again["same_code"]) == (True, True, True)
