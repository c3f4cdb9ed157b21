"""An environment of its own for the old design: Quix Streams wants an older Kafka client than we do.

It holds the extra `bench` of pyproject.toml, is made at first use in build/old_design, and takes PyTorch from ours.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "old_design"
PINS = Path(__file__).parent / "constraints.txt"
INSTALL_PATIENCE_S = 300
RUN_PATIENCE_S = 900


class NotInstalledError(Exception):
    """What is missing, and how to get it, in one line."""


def figures(
    events: Sequence[dict[str, object]], broker: str, count_works: int, seconds: float, count_catch_up: int
) -> dict:
    """What `measure` prints.

    Raises:
        NotInstalledError: something of it is not here.
    """
    python = ready_python()
    trace = FOLDER / "events.jsonl"
    trace.write_text("".join(json.dumps(event) + "\n" for event in events))
    command = [python, "-m", "old_design.measure", trace, broker, count_works, seconds, count_catch_up]
    done = subprocess.run(
        [str(word) for word in command],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        timeout=RUN_PATIENCE_S,
        check=False,
    )
    trace.unlink()
    if done.returncode:
        raise SystemExit("the old design did not run; its lines above say why")
    return json.loads(done.stdout)


def ready_python() -> Path:
    """The Python of the environment, which is made if it is not there or of other packages.

    Raises:
        NotInstalledError: it cannot be made, or there is no Redis.
    """
    if shutil.which("redis-server") is None:
        raise NotInstalledError("redis-server is not installed (on Debian: apt-get install redis-server)")
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["bench"]
    stamp = hashlib.sha256(repr((wanted, PINS.read_bytes(), sys.version)).encode()).hexdigest()
    python, mark = FOLDER / "bin" / "python", FOLDER / "made-of"
    if not mark.exists() or mark.read_text() != stamp:
        _make(python, wanted)
        mark.write_text(stamp)
    return python


def _make(python: Path, wanted: Sequence[str]) -> None:
    print(f"Installing the extra `bench` in {FOLDER.relative_to(ROOT)} ...", file=sys.stderr)
    shutil.rmtree(FOLDER, ignore_errors=True)
    venv.create(FOLDER, with_pip=True)
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--retries", "1", "--constraint", PINS, *wanted],
        stderr=subprocess.PIPE,
        text=True,
        timeout=INSTALL_PATIENCE_S,
        check=False,
    )
    if done.returncode:
        said = next((line for line in done.stderr.splitlines() if line.startswith("ERROR")), "pip failed")
        raise NotInstalledError(f"the extra `bench` ({', '.join(wanted)}) cannot be installed: {said}")
    # Last on its path, after its own packages, come ours: among them PyTorch, which is 2 GB.
    where = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    found = subprocess.run(where, stdout=subprocess.PIPE, text=True, check=True)
    (Path(found.stdout.strip()) / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
