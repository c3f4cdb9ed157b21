"""A clock that goes wrong: that of the dataflow's process only, by a library that is loaded before it."""

import glob
import time
from pathlib import Path

from .faults import Fault, Stage
from .installation import Full, wait_for

FAKING = ("LD_PRELOAD", "FAKETIME_TIMESTAMP_FILE", "FAKETIME_NO_CACHE", "FAKETIME_DONT_FAKE_MONOTONIC")
AN_HOUR_BACK_S, TWO_HOURS_ON_S = -3_600, 7_200


def library() -> str | None:
    """If it is installed (Debian's package faketime)."""
    return next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)


def faking(file: Path) -> dict[str, str]:
    """What a process is started with whose clock is off by the seconds that stand in the file."""
    return dict(zip(FAKING, (library() or "", str(file), "1", "1"), strict=True))


def _set(stage: Stage[Full], offset_s: int) -> None:
    """Start the dataflow anew under a clock of its own, let it work, then set the clock."""
    installation, file = stage.installation, stage.installation.folder / "clock"
    file.write_text("+0")
    count = installation.lines_of("dataflow").count('"sessions_started"')
    installation.dataflow.env |= faking(file)
    installation.kill("dataflow")
    wait_for(
        lambda: installation.lines_of("dataflow").count('"sessions_started"') > count, "the dataflow to start anew"
    )
    time.sleep(stage.random.uniform(1.5, 3))
    # Whatever is started from now on has the right clock again.
    for name in FAKING:
        del installation.dataflow.env[name]
    file.write_text(f"{offset_s:+d}")


def _set_back(stage: Stage[Full]) -> None:
    """The dataflow is to notice, and to end."""
    _set(stage, AN_HOUR_BACK_S)
    wrong = stage.installation.dataflow.process
    wait_for(lambda: wrong is None or wrong.poll() is not None, "the dataflow to notice that its clock was set back")


CLOCKS: list[Fault[Full]] = [
    Fault("clock set back", _set_back, moves_clock=True, alone=True, is_slow=True),
    Fault(
        "clock set forward",
        lambda stage: _set(stage, TWO_HOURS_ON_S),
        lambda stage: stage.installation.kill("dataflow"),
        # Longer than from one snapshot of the dataflow to the next.
        holds_s=(7, 10),
        moves_clock=True,
        alone=True,
        is_slow=True,
    ),
]
