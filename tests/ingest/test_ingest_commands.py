"""`openshelf ingest` and `openshelf embed` as an operator calls them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def openshelf(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "openshelf", *words], capture_output=True, text=True, timeout=120)


@pytest.mark.usefixtures("database")
def test_a_library_is_built_previewed_and_ingested_by_commands(tmp_path: Path) -> None:
    folder = str(tmp_path / "shelf")

    built = openshelf("ingest", "demo-library", folder, "--limit", "6", "--json")
    preview = openshelf("ingest", "calibre", folder, "--dry-run")
    done = openshelf("ingest", "calibre", folder, "--no-embed", "--json")

    assert json.loads(built.stdout) == {"path": folder, "books": 6}
    assert preview.stdout.count("\n+ ") + preview.stdout.startswith("+ ") == 6
    report = json.loads(done.stdout)
    assert {"editions", "works", "inserted", "updated", "deactivated", "rejected", "interactions"} <= report.keys()
    assert (report["editions"], report["inserted"]) == (6, 6)


@pytest.mark.usefixtures("database")
def test_a_library_that_is_not_there_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    done = openshelf("ingest", "calibre", str(tmp_path / "nothing"))

    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert "is not there" in done.stderr
