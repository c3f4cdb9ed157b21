"""Train a registered model again from what was recorded of it, and compare.

The recorded recipe reads the data, a hash proves that it is the same, the recorded seed and configuration train.
"""

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import psycopg

from models import registry, training_data
from models.adapter import AdapterConfig
from models.configuration import restored
from models.fingerprints import code_hash, digest_of
from models.run_records import Learned, Progress
from models.runs import learn_adapter, learn_policy, related_works
from models.train import TrainConfig
from openshelf.database import learning
from openshelf.errors import ModelError, UsageError


@dataclass(frozen=True)
class Reproduction:
    version: str
    same_weights: bool
    same_metrics: bool
    same_code: bool
    """Whether the program is the one that trained it; if not, a difference is to be expected."""
    differing: dict[str, tuple[float | None, float | None]]
    """Metrics that are not what they were: as recorded, and now."""
    seconds: float


def reproduce(conn: psycopg.Connection, version: str, on_progress: Progress | None = None) -> Reproduction:
    """Writes nothing.

    Raises:
        UsageError: no such model, or one that learned from nothing. ModelError: its data is no longer what it was.
    """
    started = perf_counter()
    row = learning.model(conn, version)
    if row is None:
        raise UsageError(f"there is no model {version!r}; `openshelf models list` names them")
    if not isinstance(row.manifest.get("data"), dict):
        raise UsageError(f"{version} has no record of what it learned from: there is nothing to train again")
    tensors = registry.load_tensors_of(conn, version)  # verified: what is compared with must be what was registered
    if row.kind == "policy":
        learned = _policy_again(conn, row, tensors, on_progress)
    elif row.kind == "adapter":
        learned = _adapter_again(conn, row)
    else:
        learned = _baseline_again(conn, row)
    names = row.metrics.keys() | learned.metrics.keys()
    pairs = {name: (row.metrics.get(name), learned.metrics.get(name)) for name in sorted(names)}
    differing = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    return Reproduction(
        version,
        same_weights=registry.weights_hash(learned.tensors) == row.sha256,
        same_metrics=not differing,
        same_code=row.manifest.get("code") == code_hash(),
        differing=differing,
        seconds=perf_counter() - started,
    )


def _policy_again(
    conn: psycopg.Connection, row: learning.ModelRow, tensors: dict[str, Any], on_progress: Progress | None
) -> Learned:
    recipe = training_data.recipe_of(row.manifest.get("recipe", {}))
    config = restored(TrainConfig, row.config["training"])
    data = training_data.read(conn, recipe, config, tensors)
    training_data.require_same(row.manifest["data"], data.hashes, row.version)
    tell = (lambda epoch, *_: on_progress("policy", epoch, config.epochs)) if on_progress else None
    return learn_policy(conn, recipe, config, data, on_epoch=tell)


def _adapter_again(conn: psycopg.Connection, row: learning.ModelRow) -> Learned:
    works = related_works(conn)
    training_data.require_same(row.manifest["data"], {"works": digest_of(works)}, row.version)
    config = restored(AdapterConfig, row.config)
    return learn_adapter(conn, works, config, row.manifest["seed"], row.parent_version)


def _baseline_again(conn: psycopg.Connection, row: learning.ModelRow) -> Learned:
    from models.baseline_runs import learn_baseline, warehouse_until
    from models.baselines.roster import ROSTER

    if row.kind not in ROSTER:
        raise ModelError(f"{row.version} is of kind {row.kind}, which this program does not train")
    data = warehouse_until(conn, row.manifest["recipe"]["until"])
    training_data.require_same(row.manifest["data"], {"acts": digest_of(data)}, row.version)
    config = restored(ROSTER[row.kind].config, row.config)
    return learn_baseline(row.kind, data, config, row.manifest["seed"])
