"""Runs shown in Weights & Biases: files under the home folder when offline, never a fault of training."""

import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import CapturingLogger

from models.tracking import tracked
from openshelf.settings import Settings


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> CapturingLogger:
    kept = CapturingLogger()
    monkeypatch.setattr("models.tracking._log", kept)
    return kept


def settings(home: Path, mode: str, key: str | None = None) -> Settings:
    return Settings.model_validate({"home": home, "wandb_mode": mode, "wandb_key": key})


def test_switched_off_nothing_is_tracked_and_wandb_is_not_loaded(tmp_path: Path) -> None:
    program = (
        "import sys; from models.tracking import tracked\n"
        "with tracked('run', {}) as run: run.log(1, {'loss': 1.0})\n"
        "print(run.is_on, 'wandb' in sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        env={"OPENSHELF_HOME": str(tmp_path), "PATH": ""},
    )

    assert done.stdout.split() == ["False", "False"], done.stderr


def test_an_offline_run_writes_its_folder_with_config_metrics_tags_and_notes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Any connection would fail aloud: there is nothing at this address.
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")

    with tracked(
        "ease run 1",
        {"regularisation": 123.5},
        tags=["ease"],
        notes="12 old slates",
        settings=settings(tmp_path, "offline"),
    ) as run:
        run.log(1, {"loss/all": 0.75})
        run.summarise({"version": "ease-0001"})

    files = list((tmp_path / "wandb").glob("offline-run-*/run-*.wandb"))
    raw = files[0].read_bytes()
    assert len(files) == 1
    for told in (b"ease run 1", b"regularisation", b"123.5", b"12 old slates", b"loss/all", b"0.75", b"ease-0001"):
        assert told in raw, told


def test_online_without_a_key_one_line_says_so_and_training_goes_on(tmp_path: Path, log: CapturingLogger) -> None:
    with tracked("run", {}, settings=settings(tmp_path, "online")) as run:
        run.log(1, {"loss": 1.0})

    assert not run.is_on
    assert [call.args for call in log.calls] == [("not_tracked",)]
    assert "OPENSHELF_WANDB_KEY" in log.calls[0].kwargs["reason"]


def test_without_the_package_one_line_says_so_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: CapturingLogger
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)

    with tracked("run", {}, settings=settings(tmp_path, "offline")) as run:
        run.log(1, {"loss": 1.0})

    assert not run.is_on
    assert "wandb is not installed" in log.calls[0].kwargs["reason"]


def test_a_training_that_fails_is_not_hidden_by_its_tracking(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="the loss"),
        tracked("run", {}, settings=settings(tmp_path, "offline")),
    ):
        raise RuntimeError("the loss is nan")
