"""benchmarks/ranking.py: the acts it makes, the tables it writes, and the page that holds them."""

import json
import re
import runpy
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.baselines.roster import ROSTER
from models.offpolicy import ESTIMATORS
from openshelf.errors import UsageError

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "ranking.py"
README = Path(__file__).parents[2] / "models" / "README.md"
LIVED = {
    "seeds": 2, "days": 8, "readers": 150, "works": 400,
    "worlds": {
        "noisy texts": {
            "recommenders": {
                "popular": {"reward": 90.04, "low": 80.0, "high": 100.0},
                "random": {"reward": 51.0, "low": 50.0, "high": 52.0},
            },
            "lead": {"popular": {"reward": 21.0, "low": -1.5, "high": 30.0}},
            "share_of_oracle": 0.641,
        },
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def ranking() -> dict[str, Any]:
    return runpy.run_path(str(BENCHMARK))


def page(*names: str) -> str:
    return (
        "# Page\n\n" + "\n\n".join(f"<!-- results:{name} -->\nold\n<!-- /results -->" for name in names) + "\n\nend\n"
    )


def run(ranking: dict[str, Any], monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["ranking.py", *words])
    ranking["main"]()


def test_the_page_has_a_place_for_each_table_that_the_benchmark_writes_and_for_no_other(
    ranking: dict[str, Any],
) -> None:
    text = README.read_text("utf-8")

    places = re.findall(r"<!-- results:(.+?) -->\n.*?<!-- /results -->", text, re.DOTALL)

    assert sorted(places) == sorted(ranking["TABLES"])
    assert text.count("<!-- results:") == text.count("<!-- /results -->") == len(places)


@pytest.mark.parametrize("name", [*ROSTER, *ESTIMATORS])
def test_the_page_says_what_each_rival_and_estimator_is(name: str) -> None:
    assert f"| {name} | " in README.read_text("utf-8")


def test_simulated_readers_make_data_in_order_with_texts_that_tell_their_topics(ranking: dict[str, Any]) -> None:
    data, again = (ranking["simulated_data"](30, 5) for _ in range(2))

    assert (np.diff(data.readers) >= 0).all()
    within = np.diff(data.readers) == 0
    assert (np.diff(data.times)[within] > 0).all()
    assert (data.values > 0).all()
    assert len(set(zip(data.readers.tolist(), data.rows.tolist(), strict=True))) == len(data.rows)
    assert np.array_equal(data.rows, again.rows)
    assert len(data.texts) == len(data.embeddings) == data.count_works
    alike = data.embeddings @ data.embeddings.T
    most_told = np.array([Counter(text.split()).most_common(1)[0][0] for text in data.texts])
    is_same = (most_told[:, None] == most_told) & ~np.eye(len(most_told), dtype=bool)
    assert alike[is_same].mean() > alike[most_told[:, None] != most_told].mean() + 0.3


def test_a_quick_run_measures_simulated_and_named_data_and_rewrites_the_page(
    ranking: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    films = tmp_path / "ml-latest-small"
    films.mkdir()
    rng = np.random.default_rng(1)
    lines = [f"{r},{w + 1},4,{100 * r + i}" for r in range(20) for i, w in enumerate(rng.choice(40, 6, replace=False))]
    (films / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *lines]))
    (tmp_path / "something else").mkdir()
    monkeypatch.setenv("OPENSHELF_DATA_SETS", str(tmp_path))
    readme, lived = tmp_path / "page.md", tmp_path / "lived.json"
    readme.write_text(page(*ranking["TABLES"]))
    lived.write_text(json.dumps(LIVED))

    words = ["--quick", "--models", "random,popular", "--readme", str(readme), "--closed-loop", str(lived)]
    with pytest.raises(SystemExit) as ended:
        run(ranking, monkeypatch, *words)

    assert not ended.value.code
    reports = json.loads(capsys.readouterr().out)
    assert list(reports) == ["simulated", "ml-latest-small"]
    assert reports["ml-latest-small"]["readers"] == 20
    text = readme.read_text()
    assert text.count("old") == 1  # of the data set that was not there
    row = reports["simulated"]["models"][0]
    assert f"| {row['model']} | {row['ndcg@10']:.4f} | {row['ndcg@10_low']:.4f} to " in text
    assert reports["simulated"]["protocol"] in text
    assert "Harper and Joseph A. Konstan" in text
    assert "| popular | 90.0 (80.0 to 100.0) |" in text
    assert "| lead over popular, paired by seed | +21.0 (-1.5 to +30.0) |" in text
    assert "| share of the oracle's reward | 64% |" in text
    assert text.endswith("\n\nend\n")


def test_tables_may_be_written_again_and_again(ranking: dict[str, Any]) -> None:
    once = ranking["with_tables"](page("a", "b"), {"a": r"| \1 | x |"})

    assert ranking["with_tables"](once, {"a": r"| \1 | x |"}) == once
    assert once == page("a", "b").replace("old", r"| \1 | x |", 1)


def test_a_model_that_failed_stays_in_the_table_with_its_reason(ranking: dict[str, Any]) -> None:
    report = {"works": 9, "readers": 3, "acts": 1234, "protocol": "p", "models": [{"model": "bpr", "error": "a|b"}]}

    table = ranking["ranking_table"]("simulated", report)

    assert "9 works, 3 readers, 1,234 acts; p." in table
    assert "| bpr | failed: a b | | | | |" in table


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--models", "peas"], "no model peas"),
        (["--data", "ml-latest-small", "/nowhere"], "there is nothing at /nowhere"),
        (["--readme", "PAGE"], "the page has no <!-- results:simulated -->"),
        (["--readme", "/nowhere.md"], "--readme /nowhere.md: there is no such page"),
        (["--closed-loop", "PAGE"], "does not hold what benchmarks/closed_loop.py prints"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_measured(
    ranking: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    (tmp_path / "page.md").write_text("{}")

    with pytest.raises(SystemExit, match=message):
        run(ranking, monkeypatch, *(str(tmp_path / "page.md") if word == "PAGE" else word for word in words))

    told = capsys.readouterr()
    assert not told.out
    assert "random" not in told.err


def test_a_folder_of_data_sets_that_is_not_there_is_refused(ranking: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="there is no such folder"):
        ranking["found_data_sets"]("/nowhere/at/all")
