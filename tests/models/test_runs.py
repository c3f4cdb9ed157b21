"""Training runs and the registry on a real Postgres: records, warm start, gate, champion, rollback, tampering."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta

import numpy as np
import psycopg
import pytest
import torch
from stored_library import connected, renamed, store_history, store_works
from toy_world import START, act, logged_world

from models import registry
from models.adapter import AdapterConfig
from models.catalogue import load_ranking
from models.plackett_luce import Excluded
from models.recommender import SlateRequest
from models.runs import run_adapter, run_policy, why_not_again
from models.serving import load_recommender, load_scorer, stamp
from models.states import state_batch
from models.train import TrainConfig
from openshelf.cli import main
from openshelf.contracts import Source
from openshelf.database import learning
from openshelf.errors import ModelError, UsageError

LATER = START + timedelta(days=2)
QUICK = TrainConfig(epochs=20, batch=128, learning_rate=1e-2)
SMALL = AdapterConfig(dim=16, epochs=8)


@pytest.fixture(scope="session")
def library_template(make_database: Callable[..., str], migrated_template: str) -> str:
    """Name of a database with a library and a newborn policy."""
    url = make_database(migrated_template)
    with connected(url) as conn:
        store_works(conn)
        run_adapter(conn, SMALL, 42, START)
        return conn.info.dbname


@pytest.fixture(scope="session")
def learned_template(make_database: Callable[..., str], library_template: str) -> str:
    """... whose policy has learned from a day of history."""
    url = make_database(library_template)
    with connected(url) as conn:
        store_history(conn, *logged_world(150, seed=3))
        run_policy(conn, QUICK, 42, LATER)
        return conn.info.dbname


@pytest.fixture
def library(installed: Callable, library_template: str) -> Iterator[psycopg.Connection]:
    with installed(library_template) as conn:
        yield conn


@pytest.fixture
def learned(make_database: Callable[..., str], learned_template: str) -> Iterator[psycopg.Connection]:
    with connected(make_database(learned_template)) as conn:
        yield conn


def test_the_first_adapter_gives_birth_to_a_policy_that_serves(library: psycopg.Connection) -> None:
    adapter, policy = learning.champion(library, "adapter"), learning.champion(library, "policy")

    assert adapter
    assert policy
    assert (adapter.version, policy.version) == ("adapter-0001", "policy-0001")
    assert policy.manifest["adapter"] == "adapter-0001"
    assert adapter.metrics["closeness/after"] < adapter.metrics["closeness/before"]
    curve = library.execute("select count(*) from learning.run_metrics where name = 'loss/triplet'").fetchone()
    assert curve == (8,)
    assert stamp(library)[:2] == ("policy-0001", 0)


def test_a_run_records_counts_curves_parent_and_time(learned: psycopg.Connection) -> None:
    run = learned.execute(
        "select version, parent_version, status, count_new, count_old, finished_at from learning.runs "
        "where kind = 'policy'"
    ).fetchone()
    names = {name for (name,) in learned.execute("select distinct name from learning.run_metrics").fetchall()}
    champion = learning.champion(learned, "policy")

    assert run
    assert champion
    assert run[:3] == ("policy-0002", "policy-0001", "done")
    assert run[3] == champion.manifest["slates_new"] == 765  # of 900; the latest 15 % judge
    assert run[4:] == (0, LATER)
    assert {"loss/policy", "loss/supervised", "policy/entropy", "gate/value", "gate/value_champion"} <= names
    assert champion.version == "policy-0002"
    assert champion.metrics["gate/value"] > champion.metrics["gate/value_champion"]
    assert learning.promotions(learned, "policy")[-1].promoted_at == LATER


def test_the_next_run_takes_what_is_new_and_a_sample_of_what_is_old(learned: psycopg.Connection) -> None:
    store_history(learned, *renamed(*logged_world(20, seed=4)), days=1)

    report = run_policy(learned, TrainConfig(epochs=1, old_slates=100), 42, LATER)

    manifest = next(m for m in learning.models(learned) if m.version == report.version).manifest
    assert report.count_old == 100
    # 120 new ones and the 135 the first run held back; of these the latest 15 % are held back again.
    assert manifest["slates_new"] + manifest["slates_held_back"] == 120 + 135
    assert manifest["generation"] == 2
    _, moments = registry.load_policy_and_optimiser(learned, report.version)
    assert moments["start.step"].item() > 7  # went on from the parent's optimiser


def test_new_works_can_be_drawn_after_the_catalogue_grew_and_training_goes_on(learned: psycopg.Connection) -> None:
    book_id = learned.execute(
        "insert into library.works (work_key, title, title_sort, added_at) values ('new', 'New', 'New', %s) "
        "returning book_id",
        [START],
    ).fetchone()
    learned.execute(
        "insert into library.text_embeddings (book_id, model, text_hash, embedding) "
        "select %s, model, text_hash, embedding from library.text_embeddings where book_id = 7",
        book_id,
    )
    store_history(learned, *renamed(*logged_world(20, seed=4)), days=1)

    run_policy(learned, TrainConfig(epochs=1), 42, LATER)
    requests = [SlateRequest.of("r", (act(7),), frozenset(), START, seed) for seed in range(200)]
    drawn = load_recommender(learned, LATER).draw(requests)

    assert book_id
    places = [place for slate in drawn for place in slate.places if place.book_id == book_id[0]]
    assert Source.POLICY in {place.source for place in places}


def test_same_seed_and_data_give_the_same_weights(library: psycopg.Connection) -> None:
    store_history(library, *logged_world(400, seed=3))

    first, again = (run_policy(library, TrainConfig(epochs=2), 7, LATER, promote=False) for _ in range(2))

    hashes = {row.version: row.sha256 for row in learning.models(library)}
    assert hashes[first.version] == hashes[again.version]
    assert first.status == "candidate"


def test_saved_and_loaded_the_policy_scores_and_draws_as_the_trainer_s_did(learned: psycopg.Connection) -> None:
    version = "policy-0002"
    policies = [registry.load_policy(learned, version) for _ in range(2)]
    catalogue = load_ranking(learned, LATER).catalogue
    request = SlateRequest.of("r", (act(7), act(13)), frozenset(), START, 5)
    batch, nothing = state_batch([(act(7), act(13))], [START], catalogue), Excluded(np.empty((1, 0), np.int64), 60)

    with torch.inference_mode():
        logits = [p.rank(i, batch) for p in policies for i in [p.items(catalogue)]]
        served = load_scorer(learned, version, catalogue).masses(batch, nothing)[0].values[:, :60]

    assert torch.equal(logits[0], logits[1])
    assert torch.allclose(logits[0].exp(), served, rtol=1e-5)
    assert (served > 0).all()
    assert load_recommender(learned, LATER).draw([request]) == load_recommender(learned, LATER).draw([request])


def test_tampered_weights_are_refused_and_popularity_serves_aloud(learned: psycopg.Connection) -> None:
    learned.execute(
        "update learning.models set weights = set_byte(weights, 5000, get_byte(weights, 5000) # 1) "
        "where version = 'policy-0002'"
    )

    with pytest.raises(ModelError, match="was altered"):
        registry.load_policy(learned, "policy-0002")
    assert load_recommender(learned, LATER).version == "popular"


def test_a_broken_artefact_never_replaces_a_working_one(learned: psycopg.Connection) -> None:
    learned.execute("update learning.models set sha256 = 'x' where version = 'policy-0001'")
    learned.commit()

    with pytest.raises(ModelError, match="was altered"):
        registry.promote(learned, "policy-0001", "by hand", LATER)
    with pytest.raises(ModelError):
        registry.rollback(learned, "policy", LATER)

    champion = learning.champion(learned, "policy")
    assert champion
    assert champion.version == "policy-0002"


def test_a_first_policy_that_is_damaged_is_made_anew_by_the_next_training(library: psycopg.Connection) -> None:
    """There is none to roll back to."""
    store_history(library, *logged_world(20, seed=3))
    library.execute("update learning.models set weights = '\\x00' where version = 'policy-0001'")
    library.commit()

    report = run_policy(library, TrainConfig(epochs=1), 42, LATER, promote=False)

    born, trained = learning.champion(library, "policy"), learning.model(library, report.version)
    assert born
    assert trained
    assert (born.version, trained.parent_version) == ("policy-0002", "policy-0002")
    assert born.manifest["generation"] == 0
    assert load_recommender(library, LATER).version == "policy-0002"


def test_a_later_policy_that_is_damaged_is_for_a_person_to_roll_back(learned: psycopg.Connection) -> None:
    store_history(learned, *renamed(*logged_world(20, seed=4)), days=1)
    learned.execute("update learning.models set weights = '\\x00' where version = 'policy-0002'")
    learned.commit()

    with pytest.raises(ModelError, match="Roll back or train again"):
        run_policy(learned, TrainConfig(epochs=1), 42, LATER)

    assert registry.rollback(learned, "policy", LATER) == "policy-0001"


def test_an_artefact_of_another_shape_does_not_load(learned: psycopg.Connection) -> None:
    learned.execute(
        "update learning.models set config = jsonb_set(config, '{hidden}', '17') where version = 'policy-0002'"
    )

    with pytest.raises(ModelError, match="does not fit this program"):
        registry.load_policy(learned, "policy-0002")


def test_rolling_back_promotes_the_champion_before_and_twice_goes_two_back(learned: psycopg.Connection) -> None:
    store_history(learned, *renamed(*logged_world(20, seed=4)), days=1)
    report = run_policy(learned, TrainConfig(epochs=1, learning_rate=1e-5), 42, LATER)
    registry.promote(learned, report.version, "by hand", LATER)

    assert registry.rollback(learned, "policy", LATER) == "policy-0002"
    assert registry.rollback(learned, "policy", LATER) == "policy-0001"
    with pytest.raises(UsageError, match="nothing to roll back to"):
        registry.rollback(learned, "policy", LATER)
    champions = learned.execute("select version from learning.models where kind = 'policy' and status = 'champion'")
    assert champions.fetchall() == [("policy-0001",)]


def test_a_worse_candidate_is_refused_with_its_reason_and_the_champion_stays(learned: psycopg.Connection) -> None:
    store_history(learned, *renamed(*logged_world(300, seed=4)), days=1)
    # Learning that pushes off what readers chose.
    harmful = TrainConfig(epochs=2, batch=128, learning_rate=1e-2, supervised_weight=-0.1, policy_weight=-1.0)

    report = run_policy(learned, harmful, 42, LATER)

    refused = learning.model(learned, report.version)
    champion = learning.champion(learned, "policy")
    assert report.status == "refused"
    assert refused
    assert refused.status_reason
    assert "worse than the champion" in refused.status_reason
    assert champion
    assert champion.version == "policy-0002"


def test_a_loss_that_is_not_finite_fails_the_run_and_leaves_its_reason(learned: psycopg.Connection) -> None:
    store_history(learned, *renamed(*logged_world(20, seed=4)), days=1)

    with pytest.raises(ModelError, match="the loss is"):
        run_policy(learned, TrainConfig(epochs=3, supervised_weight=1e39), 42, LATER)

    last = learned.execute("select status, message from learning.runs order by run_id desc limit 1").fetchone()
    assert last
    assert last[0] == "failed"
    assert "the loss is" in last[1]
    champion = learning.champion(learned, "policy")
    assert champion
    assert champion.version == "policy-0002"


def test_without_slates_or_a_first_policy_training_says_what_to_do(conn: psycopg.Connection) -> None:
    with pytest.raises(ModelError, match="train adapter"):
        run_policy(conn, QUICK, 42, START)
    with pytest.raises(ModelError, match="openshelf embed"):
        run_adapter(conn, SMALL, 42, START)
    store_works(conn)
    run_adapter(conn, SMALL, 42, START)
    with pytest.raises(ModelError, match="no slate has been drawn"):
        run_policy(conn, QUICK, 42, START)


def test_embeddings_are_read_in_one_piece_as_they_were_stored(library: psycopg.Connection) -> None:
    library.execute("update library.works set active = false where book_id = 3")

    book_ids, vectors = learning.text_embeddings(library)

    stored = library.execute("select embedding::text from library.text_embeddings where book_id = 4").fetchone()
    assert stored
    assert book_ids.tolist() == [i for i in range(1, 61) if i != 3]
    assert np.array_equal(vectors[2], np.array(json.loads(stored[0]), dtype=np.float32))


def test_popular_works_are_those_readers_took_warmly_and_before_that_the_best_rated(conn: psycopg.Connection) -> None:
    store_works(conn, 12)
    conn.execute(
        "update library.works set rating = case book_id when 5 then 5 when 8 then 4 end where book_id in (5, 8)"
    )
    assert learning.popular(conn, 2) == [5, 8]

    slates, acts = logged_world(40, seed=1)
    acts = [a for a in acts if a.book_id and a.book_id <= 12]
    store_history(conn, slates, acts)
    conn.execute("update stream.interactions set occurred_at = now() - interval '1 day'")
    warmth: dict[int, float] = {}
    for a in acts:
        warmth[a.book_id or 0] = warmth.get(a.book_id or 0, 0.0) + a.reward
    assert learning.popular(conn, 1) == [max(warmth, key=lambda book: warmth[book])]
    conn.execute("update stream.interactions set occurred_at = now() - interval '40 days'")
    assert learning.popular(conn, 2) == [5, 8]


def test_the_commands_train_list_show_and_roll_back(
    library: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["openshelf", *arguments])
        with contextlib.suppress(SystemExit):  # what it printed is asserted on
            main()
        return capsys.readouterr().out

    store_history(library, *logged_world(30, seed=3))
    at = LATER.isoformat()
    report = json.loads(run("train", "policy", "--set", "epochs=1", "--set", "history_days=40", "--at", at, "--json"))

    assert report["version"] == "policy-0002"
    assert "policy-0001" in run("models", "list")
    assert json.loads(run("models", "show", "policy-0002", "--json"))["config"]["training"]["epochs"] == 1
    if report["status"] == "champion":
        assert json.loads(run("models", "rollback", "--json")) == {"champion": "policy-0001"}


@pytest.mark.parametrize("setting", ["epochs=many", "epochs=1.5", "no_such=1", "epochs"])
def test_a_wrong_setting_is_wrong_use(
    setting: str, database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["openshelf", "train", "policy", "--set", setting])

    with pytest.raises(SystemExit) as stopped:
        main()

    assert stopped.value.code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_quiet_day_is_no_fault(library: psycopg.Connection) -> None:
    """The daily training of a library that nobody visited ends well and says why it did nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "openshelf", "train", "policy", "--json"], capture_output=True, text=True, timeout=120
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "skipped"
    row = library.execute("select status from learning.runs where kind = 'policy'").fetchone()
    assert row == ("skipped",)


def test_the_adapter_is_learned_again_only_when_enough_texts_have_changed(library: psycopg.Connection) -> None:
    run_adapter(library, AdapterConfig(epochs=1), 1, START)
    unchanged = why_not_again(library, 0.02)
    library.execute("update library.text_embeddings set embedded_at = now() + interval '1 s' where book_id <= 2")
    few = why_not_again(library, 0.5)
    library.execute("update library.text_embeddings set embedded_at = now() + interval '1 s'")

    assert unchanged
    assert unchanged.startswith("0 of ")
    assert few
    assert few.startswith("2 of ")
    assert why_not_again(library, 0.5) is None
    run_adapter(library, AdapterConfig(epochs=1), 1, START)
    assert why_not_again(library, 0.0) is not None


def test_a_library_that_is_too_small_to_learn_from_is_no_fault(conn: psycopg.Connection) -> None:
    assert why_not_again(conn, 0.02) == "0 works are embedded, the adapter needs 10"
