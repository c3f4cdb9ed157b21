"""Where a training run stands after its last whole epoch, so that a killed run can go on from there.

One safetensors file a run under `<home>/checkpoints`, replaced as a whole after each epoch, removed when the run ends
well. Holds no random state: training seeds its generators anew for each epoch.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from openshelf.errors import ModelError, UsageError


@dataclass(frozen=True)
class Checkpoint:
    epoch: int  # whole epochs done
    facts: dict[str, Any]  # what the run must find again: its recipe, hashes of its data
    tensors: dict[str, Tensor]


def path_of(home: Path, run_id: int) -> Path:
    return home / "checkpoints" / f"{run_id}.safetensors"


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the file as a whole: whoever is killed while writing leaves the one before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    text = {"epoch": str(checkpoint.epoch), "facts": json.dumps(checkpoint.facts)}
    save_file({name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()}, unfinished, metadata=text)
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(path)


def load(path: Path) -> Checkpoint:
    """Raises UsageError when there is none, ModelError when it cannot be trusted."""
    if not path.exists():
        raise UsageError(f"there is no checkpoint {path}: the run ended, or was killed in its first epoch; train anew")
    try:
        with safe_open(path, framework="pt") as file:
            text: Mapping[str, str] = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        checkpoint = Checkpoint(int(text["epoch"]), json.loads(text["facts"]), tensors)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ModelError(f"the checkpoint {path} cannot be read: {error}. Delete it and train anew.") from error
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        raise ModelError(f"the checkpoint {path} holds numbers that are not finite. Delete it and train anew.")
    return checkpoint


def remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_suffix(".unfinished").unlink(missing_ok=True)
