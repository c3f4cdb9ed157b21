"""Tuning in a real Postgres: the best beats the shipped configuration, studies go on, a broken trial scores nothing."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg
import pytest
from structlog.testing import CapturingLogger

from models.baselines.popularity import PopularConfig, fit_popular
from models.baselines.roster import ROSTER
from models.configuration import read_config
from models.ranking_data import Ranker, RankingData
from models.splits import Split, leave_last_out
from models.tune import Space, Tuned, search_space, storage_of, tune
from openshelf.cli import main
from openshelf.errors import ModelError, UsageError

SHARPNESS: Space = {"share": {"low": 0.0, "high": 1.0}}


@dataclass(frozen=True)
class MixConfig:
    share: float = 0.1
    """Of the right answer in the scores; the rest is noise."""
    breaks_above: float = 2.0
    """Fails when the share is above it."""


def circles(count_readers: int = 40, count_works: int = 30) -> RankingData:
    """Readers who go round the works in order."""
    rows = (np.arange(count_readers)[:, None] * 7 + np.arange(6)) % count_works
    return RankingData(
        name="circles",
        readers=np.repeat(np.arange(count_readers), 6),
        rows=rows.ravel(),
        values=np.ones(rows.size, dtype=np.float32),
        times=np.tile(np.arange(6.0), count_readers),
        book_ids=np.arange(count_works) + 1,
        reader_ids=np.array([str(number) for number in range(count_readers)]),
    )


class Mix:
    """Ranks the work after the last one first, as far as the noise lets it."""

    kind = "mix"

    def __init__(self, share: float, count_works: int) -> None:
        self.share, self.count_works = share, count_works

    def scores(self, batch):
        noise = np.random.default_rng(1).random((len(batch), self.count_works), dtype=np.float32)
        right = np.eye(self.count_works, dtype=np.float32)[(batch.rows[:, -1] + 1) % self.count_works]
        return self.share * right + (1 - self.share) * noise

    def tensors(self):
        return {}


def fit_mix(data: RankingData, config: MixConfig, seed: int) -> Ranker:
    if config.share > config.breaks_above:
        raise ModelError("the share is too large")
    return Mix(config.share, data.count_works)


@pytest.fixture
def storage(database: str) -> Iterator[object]:
    kept = storage_of(database)
    yield kept
    kept.engine.dispose()


@pytest.fixture
def split() -> Split:
    return leave_last_out(circles())


def search(split: Split, storage, default: MixConfig | None = None, **options) -> Tuned:
    options = {"trials": 8, "seed": 3} | options
    return tune("mix", default or MixConfig(), fit_mix, split, storage, space=SHARPNESS, **options)


def test_the_best_trial_beats_the_shipped_configuration_which_is_the_first(split: Split, storage) -> None:
    tuned = search(split, storage)

    assert tuned.trials == 8
    assert tuned.broken == 0
    assert tuned.metric == "ndcg@10"
    assert tuned.best > tuned.default > 0
    assert tuned.config["share"] > 0.3
    assert tuned.config["breaks_above"] == 2.0


def test_the_same_seed_finds_the_same_in_another_database(
    split: Split, storage, make_database, migrated_template
) -> None:
    other = storage_of(make_database(migrated_template))
    try:
        assert search(split, storage, trials=4) == search(split, other, trials=4)
    finally:
        other.engine.dispose()


def test_a_study_goes_on_where_it_was_and_draws_something_new(split: Split, storage, conn: psycopg.Connection) -> None:
    first = search(split, storage, trials=3)
    second = search(split, storage, trials=3)

    drawn = conn.execute("select distinct param_value from optuna.trial_params").fetchall()
    assert (first.trials, second.trials) == (3, 6)
    assert first.study == second.study
    assert second.best >= first.best
    assert len(drawn) == 6


def test_other_data_or_other_fixed_settings_are_another_study(split: Split, storage) -> None:
    first = search(split, storage, trials=1)

    other_data = search(leave_last_out(circles(41)), storage, trials=1)
    other_setting = search(split, storage, MixConfig(breaks_above=3.0), trials=1)

    assert len({first.study, other_data.study, other_setting.study}) == 3
    assert (other_data.trials, other_setting.trials) == (1, 1)


def test_a_broken_trial_scores_nothing_and_is_logged(split: Split, storage, monkeypatch: pytest.MonkeyPatch) -> None:
    log = CapturingLogger()
    monkeypatch.setattr("models.tune._log", log)

    tuned = search(split, storage, MixConfig(breaks_above=0.5))

    assert 0 < tuned.broken < tuned.trials
    assert tuned.config["share"] <= 0.5
    assert len(log.calls) == tuned.broken
    assert log.calls[0].args == ("trial_broken",)
    assert "the share is too large" in log.calls[0].kwargs["reason"]


def test_our_own_schemas_are_left_alone(split: Split, storage, conn: psycopg.Connection) -> None:
    search(split, storage, trials=1)

    rows = conn.execute(
        "select distinct table_schema from information_schema.tables where table_name in ('studies', 'alembic_version')"
    ).fetchall()
    assert rows == [("optuna",)]


def test_item2vec_is_tuned_for_recall_at_30_in_the_space_of_its_row() -> None:
    assert search_space("item2vec").keys() == {"skip_gram", "window", "ns_exponent", "negative", "min_count", "dim"}
    with pytest.raises(UsageError, match="nothing to tune of 'random'"):
        search_space("random")


def test_item2vec_s_study_is_never_worse_than_its_default(storage) -> None:
    split = leave_last_out(circles(60, 60))
    default = ROSTER["item2vec"].config(epochs=2)

    tuned = tune("item2vec", default, ROSTER["item2vec"].fit, split, storage, trials=4, seed=1)

    assert tuned.metric == "recall@30"
    assert tuned.best >= tuned.default


def test_popularity_is_tuned_by_the_roster_s_own_fit(storage, split: Split) -> None:
    tuned = tune("popular", PopularConfig(), fit_popular, split, storage, trials=3)

    assert (tuned.trials, tuned.broken) == (3, 0)


def test_the_command_writes_a_file_that_training_takes(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "acts.csv"
    acts = circles()
    lines = [f"{r},{w},{t:.0f}" for r, w, t in zip(acts.readers, acts.rows, acts.times, strict=True)]
    data.write_text("\n".join(["reader_id,book_id,timestamp", *lines]) + "\n")
    out = tmp_path / "best.toml"
    arguments = ["tune", "ease", "--data", "csv", str(data), "--trials", "3", "--out", str(out), "--json"]
    monkeypatch.setattr("sys.argv", ["openshelf", *arguments])

    with contextlib.suppress(SystemExit):
        main()

    printed = json.loads(capsys.readouterr().out)
    config = read_config("ease", ROSTER["ease"].config, out, [])
    assert printed["trials"] == 3
    assert printed["best"] >= printed["default"]
    assert config.regularisation == printed["config"]["regularisation"]
    assert out.read_text().startswith("# ease ndcg@10")


def test_what_cannot_be_tuned_is_wrong_use(
    database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["openshelf", "tune", "eaze"])

    with pytest.raises(SystemExit) as stopped:
        main()

    assert stopped.value.code == 2
    assert "ease" in capsys.readouterr().err
