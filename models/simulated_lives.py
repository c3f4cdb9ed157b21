"""The file that keeps what simulated readers have become, so that a later run continues their lives. A shell."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openshelf.errors import OpenshelfError


@dataclass(frozen=True)
class Lives:
    seed: int
    runs: int = 0  # how often the readership was simulated; part of the seed of the next run
    readers: dict[int, dict[str, Any]] = field(default_factory=dict)  # number -> what `put_away` returned


def load(path: Path | None, seed: int) -> Lives:
    """Lives to continue; none when there is no file or it is of another seed.

    Raises:
        OpenshelfError: the file is not one of ours.
    """
    if path is None or not path.exists():
        return Lives(seed)
    try:
        kept = json.loads(path.read_text())
        if kept["seed"] != seed:
            return Lives(seed)
        return Lives(seed, int(kept["runs"]), {int(number): life for number, life in kept["readers"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise bad_file(f"{type(error).__name__}: {error}") from error


def save(path: Path, kept: Lives, readers: dict[int, dict[str, Any]]) -> None:
    """Write the lives after one more run; readers who took no part in it stay as they were."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"seed": kept.seed, "runs": kept.runs + 1, "readers": kept.readers | readers}))
    new.replace(path)


def bad_file(what: str) -> OpenshelfError:
    return OpenshelfError(
        f"simulation.json under the home folder cannot be used ({what}). Delete it to begin new lives."
    )
