"""The harness: what models are given, how they are asked, what a report holds, and the command."""

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import psycopg
import pytest
from stored_library import store_history, store_works
from torch import Tensor
from toy_world import START
from typer.testing import CliRunner

from models.dataset import load
from models.evaluate_cli import evaluate_app
from models.evaluation import Fit, check_same, evaluate_models, joined, rank
from models.ranking_data import RankingData, ReaderBatch
from models.splits import by_time, leave_last_out, per_reader
from models.warehouse_data import load_warehouse
from openshelf.database.episodes import StoredAct
from openshelf.errors import ModelError, UsageError


@dataclass
class ByRow:
    """Ranks works by one number each, and keeps what it was asked."""

    of_row: np.ndarray
    kind: str = "by_row"

    def __post_init__(self) -> None:
        self.asked: list[ReaderBatch] = []

    def scores(self, batch: ReaderBatch) -> np.ndarray:
        self.asked.append(batch)
        return np.tile(self.of_row.astype(np.float32), (len(batch), 1))

    def tensors(self) -> dict[str, Tensor]:
        return {}


def popular(data: RankingData) -> ByRow:
    return ByRow(np.bincount(data.rows, minlength=data.count_works))


def unpopular(data: RankingData) -> ByRow:
    return ByRow(-np.bincount(data.rows, minlength=data.count_works))


FITS = [Fit("unpopular", unpopular, {}), Fit("popular", popular, {"power": 1})]


def make_csv(folder: Path, count_readers: int = 60, count_works: int = 80) -> Path:
    """Readers who each meet 12 works, low numbers far more often than high ones."""
    rng = np.random.default_rng(3)
    share = 1 / np.arange(1, count_works + 1) ** 1.2
    lines = ["reader,work,rating,timestamp"]
    for reader in range(count_readers):
        met = rng.choice(count_works, 12, replace=False, p=share / share.sum())
        lines += [f"r{reader},{work + 1},{rng.integers(3, 6)},{1000 * reader + i}" for i, work in enumerate(met)]
    path = folder / "acts.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def data(tmp_path: Path) -> RankingData:
    return load("csv", make_csv(tmp_path))


def test_a_report_has_every_figure_with_its_interval_best_first(data: RankingData) -> None:
    report = evaluate_models(leave_last_out(data), FITS, seed=1)

    first, second = report["models"]
    assert [first["model"], second["model"]] == ["popular", "unpopular"]
    for name in ("ndcg", "recall", "map", "mrr", "hit_rate", "coverage", "novelty", "gini"):
        assert first[f"{name}@10_low"] <= first[f"{name}@10"] <= first[f"{name}@10_high"]
    assert "diversity@10" not in first
    assert first["config"] == {"power": 1}
    assert (report["works"], report["readers"], report["acts"]) == (data.count_works, 60, len(data.rows))
    assert f"full catalogue ({data.count_works} works), 60 readers, seed 1" in report["protocol"]


def test_diversity_is_reported_where_there_are_texts(data: RankingData) -> None:
    unlike = np.eye(data.count_works, 384, dtype=np.float32)

    report = evaluate_models(leave_last_out(replace(data, embeddings=unlike)), FITS, seed=1)

    assert report["models"][0]["diversity@10"] == pytest.approx(1)


def test_the_same_seed_gives_the_same_figures(data: RankingData) -> None:
    def figures(seed: int) -> list[dict]:
        rows = evaluate_models(per_reader(data, seed), FITS, seed=seed)["models"]
        return [{k: v for k, v in row.items() if not k.endswith("_s")} for row in rows]

    assert figures(1) == figures(1)
    assert figures(1) != figures(2)


def test_a_test_reader_is_ranked_from_acts_of_before_the_cut_only(data: RankingData) -> None:
    # Readers act side by side, so that the cut falls in the middle of each.
    assert data.times is not None
    beside = replace(data, times=data.times % 1000 * 1000 + data.readers)
    split = by_time(beside)
    assert split.known.times is not None
    cut = split.known.times.max()
    fitted: list[RankingData] = []

    def fit(known: RankingData) -> ByRow:
        fitted.append(known)
        return popular(known)

    ranker = popular(split.known)
    rank(ranker, split.known, split.test, None, seed=0)
    evaluate_models(split, [Fit("popular", fit, {})], seed=0)

    assert len(split.test) > 0
    for batch in ranker.asked:
        assert batch.times is not None
        assert batch.times.max() <= cut
    assert fitted[0].times is not None
    assert fitted[0].times.max() == cut


def test_works_met_before_are_not_listed_and_held_back_ones_can_be(data: RankingData) -> None:
    split = leave_last_out(data)
    knows_all = np.zeros(data.count_works)
    knows_all[split.test.rows] = 1

    best, figures = rank(ByRow(knows_all), split.known, split.test, None, seed=0)

    met = set(zip(split.known.readers.tolist(), split.known.rows.tolist(), strict=True))
    assert not [(reader, row) for reader, rows in enumerate(best.tolist()) for row in rows if (reader, row) in met]
    assert figures[:, 4].mean() > 0.2


def test_validation_is_scored_with_models_that_never_saw_it(data: RankingData) -> None:
    split = leave_last_out(data)
    counts: list[int] = []

    def fit(known: RankingData) -> ByRow:
        counts.append(len(known.rows))
        return popular(known)

    report = evaluate_models(split, [Fit("popular", fit, {})], seed=0, part="validation")

    assert counts == [len(split.train.rows)]
    assert "validation part" in report["protocol"]


def test_sampled_negatives_are_easier_and_every_figure_says_so(data: RankingData) -> None:
    split = leave_last_out(data)

    full = evaluate_models(split, FITS, seed=1)
    sampled = evaluate_models(split, FITS, seed=1, negatives=10)

    assert sampled["models"][0]["hit_rate@10"] > full["models"][0]["hit_rate@10"]
    assert "sampled-10 " in sampled["protocol"]
    assert {row["candidates"] for row in sampled["models"]} == {"sampled-10"}
    assert {row["candidates"] for row in full["models"]} == {"full catalogue"}


def test_of_a_held_back_work_and_n_negatives_exactly_that_many_are_ranked(data: RankingData) -> None:
    split = leave_last_out(data)

    best, figures = rank(popular(split.known), split.known, split.test, 5, seed=1)

    assert ((best >= 0).sum(axis=1) == 6).all()
    # All six fit into ten places, so that the held-back work is always found.
    assert figures[:, 4].all()


def test_reports_of_different_protocols_are_not_joined(data: RankingData) -> None:
    split = leave_last_out(data)
    full = evaluate_models(split, FITS[:1], seed=1)

    for other in (
        evaluate_models(split, FITS, seed=1, negatives=10),
        evaluate_models(split, FITS, seed=2),
        evaluate_models(per_reader(data, 1), FITS, seed=1),
    ):
        with pytest.raises(UsageError, match="figures of different protocols do not go into one report"):
            check_same(full, other)
    both = joined(full, evaluate_models(split, FITS[1:], seed=1))
    assert [row["model"] for row in both["models"]] == ["popular", "unpopular"]


def test_a_model_that_fails_is_reported_and_the_others_go_on(data: RankingData) -> None:
    def broken(known: RankingData) -> ByRow:
        raise ModelError("it needs texts")

    def not_numbers(known: RankingData) -> ByRow:
        return ByRow(np.full(known.count_works, np.nan))

    def too_short(known: RankingData) -> ByRow:
        return ByRow(np.zeros(3))

    fits = [Fit("broken", broken, {}), Fit("nan", not_numbers, {}), Fit("short", too_short, {}), *FITS]
    rows = {row["model"]: row for row in evaluate_models(leave_last_out(data), fits, seed=1)["models"]}

    assert rows["broken"]["error"] == "ModelError: it needs texts"
    assert "not numbers" in rows["nan"]["error"]
    assert "shape" in rows["short"]["error"]
    assert rows["popular"]["ndcg@10"] > 0


def test_a_seeded_sample_of_readers_can_be_tested(data: RankingData) -> None:
    report = evaluate_models(leave_last_out(data), FITS, seed=1, limit_readers=7)

    assert "7 readers" in report["protocol"]


def test_more_negatives_than_works_are_refused(data: RankingData) -> None:
    with pytest.raises(UsageError, match="--negatives 500"):
        evaluate_models(leave_last_out(data), FITS, seed=1, negatives=500)


def act(reader: int, book_id: int, minute: int, reward: float) -> StoredAct:
    return StoredAct(
        f"reader-{reader:02}", UUID(int=reader), START + timedelta(minutes=minute), "open", book_id, None, reward
    )


def test_the_warehouse_gives_first_glad_acts_on_active_works_with_their_embeddings(conn: psycopg.Connection) -> None:
    store_works(conn, count=6, embedded=4)
    acts = [act(1, 2, 30, 2.0), act(1, 2, 10, 1.0), act(1, 5, 5, 1.0), act(2, 3, 1, -1.0), act(2, 6, 2, 1.0)]
    store_history(conn, [], [*acts, act(2, 1, 3, 3.0)])
    conn.execute("update stream.interactions set inferred = true where book_id = 1")
    conn.execute("update library.works set active = false where book_id = 6")
    conn.commit()

    data = load_warehouse(conn)

    assert data.book_ids.tolist() == [1, 2, 3, 4, 5]
    assert data.reader_ids.tolist() == ["reader-01"]
    assert data.book_ids[data.rows].tolist() == [5, 2]
    # What came on the same work later, here a read, is not known at the time of the first act.
    assert data.values.tolist() == [1.0, 1.0]
    assert np.linalg.norm(data.text_embeddings(), axis=1) == pytest.approx([1, 1, 1, 1, 0], abs=1e-3)
    assert data.texts[1] == "Work 2"


def test_an_empty_warehouse_says_what_to_do(conn: psycopg.Connection) -> None:
    store_works(conn, count=3)

    with pytest.raises(UsageError, match="no reader has done anything yet"):
        load_warehouse(conn)


def run(*words: str):
    return CliRunner().invoke(evaluate_app, ["models", *words])


def test_the_command_measures_a_data_set_and_completes_a_report(tmp_path: Path) -> None:
    path, out = make_csv(tmp_path), tmp_path / "report.json"
    source = ["--data", "csv", str(path), "--out", str(out), "--json"]

    first = run(*source, "--models", "popular")
    second = run(*source, "--models", "random")
    other = run(*source, "--models", "random", "--negatives", "20")

    assert first.exit_code == 0, first.output
    assert second.exit_code == 0, second.output
    report = json.loads(second.stdout)
    assert [row["model"] for row in report["models"]] == ["popular", "random"]
    assert report["rejected"] == 0
    assert report["protocol"].startswith("leave-last-out by time, full catalogue")
    assert json.loads(out.read_text()) == report
    assert isinstance(other.exception, UsageError)
    assert json.loads(out.read_text()) == report


def test_the_command_measures_the_warehouse_by_a_time_split(conn: psycopg.Connection) -> None:
    store_works(conn, count=30)
    rng = np.random.default_rng(0)
    acts = [
        act(reader, int(book_id), 97 * i + reader, 1.0)
        for reader in range(8)
        for i, book_id in enumerate(rng.choice(30, 10, replace=False) + 1)
    ]
    store_history(conn, [], acts)

    done = run("--models", "popular", "--json")

    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["data"] == "warehouse"
    assert report["champion"] is None
    assert "time split" in report["protocol"]
    assert report["models"][0]["diversity@10"] > 0


def test_the_table_shows_the_best_first_with_its_interval(tmp_path: Path) -> None:
    done = run("--data", "csv", str(make_csv(tmp_path)), "--models", "random,popular")

    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith(("popular", "random"))]
    assert [line[0] for line in lines] == ["popular", "random"]
    assert lines[0][3] == "to"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--models", "popular,peas"], "no model peas; there is .*popular"),
        (["--models", "popular", "--set", "ease.regularisation=3"], "model of popular"),
        (["--models", "popular", "--set", "popular.speling=3"], "speling"),
        (["--models", "popular", "--split", "odd"], "not one of leave_last_out"),
        (["--models", "popular", "--min-rating", "6"], "no acts left"),
        (["--models", "popular", "--out", "/nowhere/at/all.json"], "there is no folder"),
    ],
)
def test_wrong_use_of_the_command_is_refused(tmp_path: Path, words: list[str], message: str) -> None:
    done = run("--data", "csv", str(make_csv(tmp_path)), *words)

    assert isinstance(done.exception, UsageError)
    with pytest.raises(UsageError, match=message):
        raise done.exception
