"""A home for Airflow."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow_process import airflow_environment


@pytest.fixture(scope="module")
def airflow_home(
    shared: Path, once: Callable[[str, Callable[[], Any]], Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """With a metadata database, whose making takes Airflow longest: it is made once and copied."""
    original = shared / "airflow"

    def make() -> None:
        original.mkdir(exist_ok=True)
        subprocess.run(
            [str(Path(sys.executable).with_name("airflow")), "db", "migrate"],
            env=airflow_environment(original),
            check=True,
            capture_output=True,
            timeout=600,
        )

    once("airflow", make)
    home = tmp_path_factory.mktemp("airflow")
    for file in original.glob("airflow.db*"):
        shutil.copy(file, home)
    return home
