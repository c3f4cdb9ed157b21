"""Rules of the house that a tool can hold: each check also asserts that it found something to check."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ["openshelf", "ingest", "models", "streaming", "dashboard"]
SOURCES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
VAGUE = {"utils", "helpers", "common", "core", "misc", "base"}


def test_there_are_sources_to_check() -> None:
    assert len(SOURCES) > 40


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_are_named_for_a_concept(path: Path) -> None:
    assert path.stem not in VAGUE


@pytest.mark.parametrize("name", PACKAGES)
def test_each_package_says_what_it_is_and_imports_nothing(name: str) -> None:
    tree = ast.parse((ROOT / name / "__init__.py").read_text())

    assert ast.get_docstring(tree)
    assert len(tree.body) == 1


def test_the_dbt_folder_never_hides_the_dbt_package() -> None:
    assert not list((ROOT / "dbt").rglob("__init__.py"))


def test_every_folder_of_the_packages_is_listed() -> None:
    """setuptools cannot find them by itself in this layout; a folder that is not listed is missing from a wheel."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {path.parent for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file()}
    there = {".".join(folder.relative_to(ROOT).parts) for folder in folders if "__pycache__" not in folder.parts}

    assert {name for name in there if ".." not in name} == set(listed)


def test_no_file_hides_a_package_it_may_be_run_beside() -> None:
    """A script's own folder comes first on the path, so `dashboard/models.py` would hide `models`."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {d.split("=")[0].split(">")[0].split("[")[0].replace("-", "_") for d in declared}
    names |= set(PACKAGES) | {"dbt", "airflow", "altair", "typer"}
    files = [p for folder in ("dags", "dashboard", "tests") for p in (ROOT / folder).rglob("*.py")]

    assert len(files) > 20
    assert [str(p) for p in files if p.stem in names] == []


def test_imports_point_down_only() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_sql_lives_in_the_database_package() -> None:
    """One door to Postgres. What is left reads or writes SQLite files: Calibre's and the recovery store's."""
    sqlite_modules = {
        "ingest/calibre.py",
        "ingest/calibre_schema.py",
        "ingest/calibre_search.py",
        "ingest/demo_calibre.py",
        "streaming/recovery_store.py",
        "openshelf/privacy/recovery_files.py",
    }
    outside = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if "openshelf/database" not in str(path)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"execute", "executemany"}
    }

    assert outside - sqlite_modules == set()


def test_the_environment_is_read_in_one_place() -> None:
    readers = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if any(
            isinstance(node, ast.Attribute) and node.attr == "getenv" for node in ast.walk(ast.parse(path.read_text()))
        )
    ]

    assert readers == []


def test_ci_calls_make_and_nothing_else() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    commands = [line for line in lines if line and not line.startswith(("#", "set ", "cd "))]

    assert commands == ["make lint", "make test"]
