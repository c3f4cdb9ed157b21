"""Training runs shown in Weights & Biases, where that is wanted: `OPENSHELF_WANDB_MODE` off, offline or online.

What Openshelf itself needs of a run is in Postgres; this is a copy for people. Whatever goes wrong with it, training
goes on and one warning says why nothing is tracked.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from openshelf.settings import Settings, get_settings

PROJECT = "openshelf"
LOGIN_PATIENCE_S = 20

_log = structlog.get_logger(__name__)


@dataclass
class Tracker:
    """Metrics of one run; does nothing when nothing is tracked."""

    _run: Any = None  # wandb.Run, whose package may not be there

    @property
    def is_on(self) -> bool:
        return self._run is not None

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """One epoch's metrics, counted from 1."""
        if self._run is not None:
            self._run.log(dict(metrics), step=epoch)

    def summarise(self, values: Mapping[str, float | str]) -> None:
        """What became of the run: its version, the gate's metrics."""
        if self._run is not None:
            self._run.summary.update(dict(values))


@contextmanager
def tracked(
    name: str, config: Mapping[str, Any], *, tags: Sequence[str] = (), notes: str = "", settings: Settings | None = None
) -> Iterator[Tracker]:
    """Track the run while the block runs; offline runs lie in `<home>/wandb` and can be sent with `wandb sync`."""
    run = _started(settings or get_settings(), name, config, tags, notes)
    try:
        yield Tracker(run)
    except BaseException:
        _finish(run, 1)
        raise
    _finish(run, 0)


def _finish(run: Any, exit_code: int) -> None:
    if run is None:
        return
    import wandb

    run.finish(exit_code=exit_code)
    # The process that writes the files has them whole only when it has ended.
    wandb.teardown(exit_code=exit_code)


def _started(settings: Settings, name: str, config: Mapping[str, Any], tags: Sequence[str], notes: str) -> Any:
    if settings.wandb_mode == "off":
        return None
    key = settings.wandb_key.get_secret_value() if settings.wandb_key else None
    if settings.wandb_mode == "online" and key is None:
        _log.warning("not_tracked", reason="OPENSHELF_WANDB_KEY is not set; set it, or OPENSHELF_WANDB_MODE=offline")
        return None
    try:
        import wandb
    except ImportError:
        _log.warning(
            "not_tracked", reason="wandb is not installed; install openshelf[wandb], or OPENSHELF_WANDB_MODE=off"
        )
        return None
    settings.home.mkdir(parents=True, exist_ok=True)
    # Only what we log is kept: nothing of the machine, its repository or its packages.
    quiet = wandb.Settings(
        api_key=key, silent=True, console="off", disable_git=True, save_code=False, disable_job_creation=True,
        init_timeout=LOGIN_PATIENCE_S, x_disable_stats=True, x_disable_meta=True, x_disable_machine_info=True,
        x_save_requirements=False,
    )  # fmt: skip
    try:
        return wandb.init(
            project=PROJECT, name=name, config=dict(config), tags=list(tags), notes=notes or None,
            mode=settings.wandb_mode, dir=settings.home, settings=quiet,
        )  # fmt: skip
    except (wandb.Error, OSError, ValueError) as error:
        _log.warning("not_tracked", reason=f"wandb did not start: {' '.join(str(error).split())}")
        return None
