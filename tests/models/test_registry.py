"""The registry's promises: what cannot be trusted never serves, what served is known, what was trained can be again."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from stored_library import connected, renamed, store_history, store_works
from toy_world import START, logged_world

from models import checkpoints, registry
from models.adapter import AdapterConfig
from models.reproduce import reproduce
from models.runs import resume_policy, run_adapter, run_policy
from models.train import TrainConfig
from openshelf.cli import main
from openshelf.database import audit, learning
from openshelf.errors import ModelError, UsageError
from openshelf.settings import get_settings

LATER = START + timedelta(days=2)
QUICK = TrainConfig(epochs=3, batch=128, learning_rate=1e-3)
SMALL = AdapterConfig(dim=16, epochs=2)


@pytest.fixture(scope="module")
def history_template(make_database: Callable[..., str], migrated_template: str) -> str:
    """Name of a database with a library, a newborn policy, a day of history and a policy that learned from it."""
    with connected(make_database(migrated_template)) as conn:
        store_works(conn)
        run_adapter(conn, SMALL, 42, START)
        store_history(conn, *logged_world(60, seed=3))
        version = run_policy(conn, QUICK, 7, LATER, promote=False).version
        registry.promote(conn, version, "by hand", LATER)
        conn.commit()
        return conn.info.dbname


@pytest.fixture
def history(installed: Callable, history_template: str) -> Iterator[psycopg.Connection]:
    with installed(history_template) as conn:
        yield conn


def champion_of(conn: psycopg.Connection, kind: str = "policy") -> str:
    row = learning.champion(conn, kind)
    assert row
    return row.version


def with_weights(conn: psycopg.Connection, version: str, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Store other weights, honestly hashed."""
    tensors = load_tensors(learning.weights(conn, version) or b"")
    change(tensors)
    raw = save_tensors(tensors)
    sha256 = hashlib.sha256(raw).hexdigest()
    conn.execute("update learning.models set weights = %s, sha256 = %s where version = %s", [raw, sha256, version])


def truncate(conn: psycopg.Connection) -> None:
    raw = (learning.weights(conn, "policy-0001") or b"")[:-100]
    sha256 = hashlib.sha256(raw).hexdigest()
    conn.execute("update learning.models set weights = %s, sha256 = %s where version = 'policy-0001'", [raw, sha256])


def flip_a_byte(conn: psycopg.Connection) -> None:
    conn.execute(
        "update learning.models set weights = set_byte(weights, 5000, get_byte(weights, 5000) # 1) "
        "where version = 'policy-0001'"
    )


def change_the_architecture(conn: psycopg.Connection) -> None:
    with_weights(conn, "policy-0001", lambda tensors: tensors.pop("weight.start"))


def change_the_hash(conn: psycopg.Connection) -> None:
    conn.execute("update learning.models set sha256 = 'x' where version = 'policy-0001'")


def put_nan(conn: psycopg.Connection) -> None:
    with_weights(conn, "policy-0001", lambda tensors: tensors["weight.start"].fill_(float("nan")))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (truncate, "cannot be read"),
        (flip_a_byte, "was altered"),
        (change_the_architecture, "does not fit this program"),
        (change_the_hash, "was altered"),
        (put_nan, "not finite"),
    ],
)
def test_what_does_not_load_is_never_promoted_and_the_champion_serves_on(
    history: psycopg.Connection, spoil: Callable[[psycopg.Connection], None], message: str
) -> None:
    spoil(history)
    history.commit()
    before = learning.terms(history, "policy")

    with pytest.raises(ModelError, match=message):
        registry.promote(history, "policy-0001", "by hand", LATER)
    with pytest.raises(ModelError, match=message):
        registry.rollback(history, "policy", LATER)

    assert champion_of(history) == "policy-0002"
    assert learning.terms(history, "policy") == before


def test_a_promotion_by_command_is_written_down(history: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    history.commit()
    for days, words in ((1, ["rollback", "policy"]), (2, ["promote", "policy-0002"])):
        at = (LATER + timedelta(days=days)).isoformat()
        monkeypatch.setattr("sys.argv", ["openshelf", "models", *words, "--at", at])
        with contextlib.suppress(SystemExit):
            main()

    notes = [(note.act, note.subject) for note in reversed(audit.latest(history))]
    assert notes == [("roll back to model", "policy-0001"), ("promote model", "policy-0002")]


def test_what_served_on_a_day_is_answered_from_the_promotions(
    history: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.rollback(history, "policy", LATER + timedelta(days=3))
    history.commit()

    def served(*arguments: str) -> list[str]:
        monkeypatch.setattr("sys.argv", ["openshelf", "models", "served", "policy", "--json", *arguments])
        with contextlib.suppress(SystemExit):
            main()
        return [term["version"] for term in json.loads(capsys.readouterr().out)]

    assert served() == ["policy-0001", "policy-0002", "policy-0001"]
    assert served("--on", (START - timedelta(days=1)).date().isoformat()) == []
    assert served("--on", LATER.date().isoformat()) == ["policy-0001", "policy-0002"]  # the change was on that day
    assert served("--on", (LATER + timedelta(hours=1)).isoformat()) == ["policy-0002"]
    assert served("--on", (LATER + timedelta(days=9)).date().isoformat()) == ["policy-0001"]


def test_a_manifest_records_all_that_a_training_depends_on(history: psycopg.Connection) -> None:
    row = learning.model(history, "policy-0002")

    assert row
    assert row.parent_version == "policy-0001"
    assert {"slates", "acts", "catalogue"} == row.manifest["data"].keys()
    assert {"parent", "adapter", "seed", "now", "after", "until", "seen_until"} <= row.manifest["recipe"].keys()
    assert {"package", "code", "torch", "numpy", "rewards", "cut", "data_until"} <= row.manifest.keys()
    assert row.config["training"]["learning_rate"] == 1e-3


def test_a_policy_trained_again_from_its_record_is_the_same_also_after_the_library_grew(
    history: psycopg.Connection,
) -> None:
    # Works come and go, and readers go on: none of it was there when the model was trained.
    history.execute("update library.works set active = false where book_id = 3")
    history.execute(
        "insert into library.works (work_key, title, title_sort, added_at) values ('new', 'New', 'New', %s)", [START]
    )
    store_history(history, *renamed(*logged_world(20, seed=4)), days=5)

    done = reproduce(history, "policy-0002")

    assert done.same_weights
    assert done.same_metrics
    assert done.same_code
    assert done.differing == {}
    assert len(learning.models(history, "policy")) == 2


def test_a_change_of_configuration_or_data_is_seen_when_training_again(history: psycopg.Connection) -> None:
    history.execute(
        "update learning.models set config = jsonb_set(config, '{training,learning_rate}', '0.01') "
        "where version = 'policy-0002'"
    )
    done = reproduce(history, "policy-0002")
    assert not done.same_weights
    history.execute("delete from stream.interactions where reader_key = (select min(reader_key) from stream.slates)")

    with pytest.raises(ModelError, match="no longer what it was"):
        reproduce(history, "policy-0002")


def test_an_adapter_trained_again_is_the_same_until_the_catalogue_changes(history: psycopg.Connection) -> None:
    done = reproduce(history, "adapter-0001")
    assert (done.same_weights, done.same_metrics) == (True, True)
    history.execute("update library.works set active = false where book_id = 3")

    with pytest.raises(ModelError, match="works changed"):
        reproduce(history, "adapter-0001")


def test_a_policy_that_learned_nothing_cannot_be_trained_again(history: psycopg.Connection) -> None:
    with pytest.raises(UsageError, match="nothing to train again"):
        reproduce(history, "policy-0001")


def killed_after(epoch: int) -> Callable[[str, int, int], None]:
    def tell(_: str, done: int, __: int) -> None:
        if done == epoch:
            raise KeyboardInterrupt

    return tell


def test_a_killed_run_goes_on_from_its_last_epoch_to_the_model_it_would_have_become(
    history: psycopg.Connection,
) -> None:
    store_history(history, *renamed(*logged_world(30, seed=4)), days=1)
    whole = run_policy(history, QUICK, 7, LATER, promote=False)
    with pytest.raises(KeyboardInterrupt):
        run_policy(history, QUICK, 7, LATER, promote=False, on_progress=killed_after(2))
    history.rollback()
    run_id = whole.run_id + 1
    path = checkpoints.path_of(get_settings().home, run_id)
    assert checkpoints.load(path).epoch == 2
    told: list[int] = []

    resumed = resume_policy(history, run_id, LATER, promote=False, on_progress=lambda _, done, __: told.append(done))

    rows = {row.version: row for row in learning.models(history)}
    steps = history.execute(
        "select run_id, array_agg(value order by step) from learning.run_metrics where name = 'loss/all' "
        "and run_id >= %s group by run_id",
        [whole.run_id],
    ).fetchall()
    assert told == [3]
    assert rows[resumed.version].sha256 == rows[whole.version].sha256
    assert rows[resumed.version].metrics == rows[whole.version].metrics
    assert dict(steps)[run_id] == dict(steps)[whole.run_id]
    assert len(dict(steps)[run_id]) == 3
    assert not path.exists()
    with pytest.raises(UsageError, match="has ended with a model"):
        resume_policy(history, run_id, LATER)


def test_a_run_whose_data_has_gone_is_not_resumed(history: psycopg.Connection) -> None:
    store_history(history, *renamed(*logged_world(30, seed=4)), days=1)
    with pytest.raises(KeyboardInterrupt):
        run_policy(history, QUICK, 7, LATER, on_progress=killed_after(1))
    history.rollback()
    row = history.execute("select max(run_id) from learning.runs").fetchone()
    assert row
    history.execute("delete from stream.interactions where reader_key = (select max(reader_key) from stream.slates)")

    with pytest.raises(ModelError, match="no longer what it was"):
        resume_policy(history, row[0], LATER)

    status = history.execute("select status, message from learning.runs where run_id = %s", row).fetchone()
    assert status
    assert status[0] == "failed"


def test_two_processes_never_train_one_run(history: psycopg.Connection) -> None:
    store_history(history, *renamed(*logged_world(30, seed=4)), days=1)
    found: list[str] = []

    def meanwhile(_: str, __: int, ___: int) -> None:
        row = history.execute("select max(run_id) from learning.runs").fetchone()
        assert row
        with connected(get_settings().database_url.get_secret_value()) as other:  # pyright: ignore
            try:
                resume_policy(other, row[0], LATER)
            except UsageError as error:
                found.append(str(error))

    run_policy(history, TrainConfig(epochs=1), 7, LATER, on_progress=meanwhile)

    assert "another process" in found[0]


def test_a_checkpoint_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "1.safetensors"
    first = checkpoints.Checkpoint(1, {"recipe": {"seed": 7}}, {"weight.start": torch.ones(3)})
    checkpoints.save(path, first)
    loaded = checkpoints.load(path)
    assert (loaded.epoch, loaded.facts) == (1, first.facts)
    assert torch.equal(loaded.tensors["weight.start"], torch.ones(3))

    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ModelError, match="cannot be read"):
        checkpoints.load(path)
    checkpoints.save(path, checkpoints.Checkpoint(2, {}, {"weight.start": torch.full((3,), float("nan"))}))
    with pytest.raises(ModelError, match="not finite"):
        checkpoints.load(path)
    checkpoints.remove(path)
    assert list(path.parent.iterdir()) == []
    with pytest.raises(UsageError, match="no checkpoint"):
        checkpoints.load(path)
