"""Models in Postgres: weights as safetensors with a hash, one champion of each kind, promoted and rolled back.

A broken artefact never replaces a working one: what does not load is refused before anything changes.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from importlib import metadata
from typing import Any

import numpy as np
import psycopg
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from models import rewards
from models.fingerprints import code_hash
from models.policy import Policy, PolicyConfig
from models.ranking_data import Ranker, ReaderBatch
from openshelf.database import accounts, audit, embeddings, learning
from openshelf.database.accounts import Account
from openshelf.errors import ModelError, UsageError

WEIGHT_PREFIX = "weight."
OPTIMISER_PREFIX = "optimiser."

Tensors = Mapping[str, Tensor]


def policy_tensors(policy: Policy, optimiser: Tensors) -> dict[str, Tensor]:
    weights = {WEIGHT_PREFIX + name: tensor.contiguous() for name, tensor in policy.state_dict().items()}
    return weights | {OPTIMISER_PREFIX + name: tensor.contiguous() for name, tensor in optimiser.items()}


def adapter_tensors(weight: Tensor) -> dict[str, Tensor]:
    return {WEIGHT_PREFIX + "adapter": weight.contiguous()}


def register(
    conn: psycopg.Connection,
    kind: str,
    tensors: Tensors,
    *,
    config: dict[str, Any],
    manifest: dict[str, Any],
    metrics: dict[str, Any],
    parent: str | None,
    now: datetime,
) -> str:
    """Store a candidate and return its version, `policy-0003`. In the caller's transaction."""
    raw = save_tensors(dict(tensors))
    learning.lock_registry(conn)
    version = learning.next_version(conn, kind)
    row = learning.ModelRow(
        version=version,
        kind=kind,
        parent_version=parent,
        status="candidate",
        status_reason=None,
        config=config,
        manifest={**made_by(), **manifest},
        metrics=metrics,
        sha256=hashlib.sha256(raw).hexdigest(),
        created_at=now,
    )
    learning.insert_model(conn, row, raw)
    return version


def made_by() -> dict[str, str]:
    """The program that trains: what a model depends on beside its data, configuration and seed."""
    return {
        "package": metadata.version("openshelf"),
        "code": code_hash(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "rewards": rewards.load().version,
    }


def weights_hash(tensors: Tensors) -> str:
    """What `register` would record of these tensors."""
    return hashlib.sha256(save_tensors(dict(tensors))).hexdigest()


def load_policy(conn: psycopg.Connection, version: str) -> Policy:
    """The policy, ready to serve.

    Raises:
        ModelError: it is not there, was altered, or does not fit this program.
    """
    return load_policy_and_optimiser(conn, version)[0]


def load_policy_and_optimiser(conn: psycopg.Connection, version: str) -> tuple[Policy, dict[str, Tensor]]:
    row, tensors = _verified(conn, version, "policy")
    weights, optimiser = parted(tensors)
    try:
        config = PolicyConfig(**{field.name: row.config[field.name] for field in fields(PolicyConfig)})
        policy = Policy.restored(config, weights)
    except (KeyError, TypeError, RuntimeError) as error:
        raise ModelError(
            f"{version} does not fit this program: {str(error).splitlines()[0]}. Train a new policy or roll back."
        ) from error
    return policy.eval(), optimiser


def parted(tensors: Tensors) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """(weights, optimiser's state) by their own names."""
    weights = {name.removeprefix(WEIGHT_PREFIX): t for name, t in tensors.items() if name.startswith(WEIGHT_PREFIX)}
    optimiser = {n.removeprefix(OPTIMISER_PREFIX): t for n, t in tensors.items() if n.startswith(OPTIMISER_PREFIX)}
    return weights, optimiser


def load_tensors_of(conn: psycopg.Connection, version: str) -> dict[str, Tensor]:
    """All that was stored of a model of any kind. Raises ModelError as `load_policy` does."""
    row = learning.model(conn, version)
    return _verified(conn, version, row.kind if row else "")[1]


def load_ranker(conn: psycopg.Connection, version: str) -> Ranker:
    """A baseline, ready to rank.

    Raises:
        ModelError: it is not there, was altered, does not fit this program, or gives scores that are not finite.
    """
    from models.baselines.roster import ROSTER

    row = learning.model(conn, version)
    kind = row.kind if row else ""
    _, tensors = _verified(conn, version, kind)
    if kind not in ROSTER:
        raise ModelError(f"{version} is of kind {kind}, not a baseline ({', '.join(ROSTER)})")
    try:
        ranker = ROSTER[kind].restore(tensors)
        require_finite(ranker, version)
    except (KeyError, TypeError, ValueError, IndexError, RuntimeError) as error:
        raise ModelError(
            f"{version} does not fit this program: {' '.join(str(error).split())}. Train it anew or roll back."
        ) from error
    return ranker


def require_finite(ranker: Ranker, what: str) -> None:
    """Raises ModelError unless a stranger without acts gets finite scores."""
    nobody = ReaderBatch(
        numbers=np.array([-1]),
        rows=np.full((1, 1), -1, dtype=np.int64),
        values=np.zeros((1, 1), dtype=np.float32),
        times=np.zeros((1, 1)),
    )
    scores = ranker.scores(nobody)
    if not scores.size or not np.isfinite(scores).all():
        raise ModelError(f"{what} gives scores that are not finite: it may not serve")


def load_adapter(conn: psycopg.Connection, version: str) -> Tensor:
    """(dim, length of text embeddings). Raises ModelError as `load_policy` does."""
    _, tensors = _verified(conn, version, "adapter")
    weight = tensors.get(WEIGHT_PREFIX + "adapter")
    columns = embeddings.model(conn).dimension
    if weight is None or weight.ndim != 2 or weight.shape[1] != columns:
        raise ModelError(f"{version} holds no adapter of {columns} columns. Train a new adapter or roll back.")
    return weight


def promote(conn: psycopg.Connection, version: str, reason: str, now: datetime) -> None:
    """Make it the champion of its kind; the old one retires. One transaction, after proving that it loads.

    Raises:
        UsageError: there is no such model. ModelError: it does not load; nothing was changed.
    """
    with conn.transaction():
        learning.lock_registry(conn)
        row = _row(conn, version)
        taken_at = embeddings.model(conn).taken_at
        if taken_at and row.created_at <= taken_at:
            raise ModelError(f"{version} learned from the vectors of another text encoder. Train a new {row.kind}.")
        _prove(conn, row)
        old = learning.champion(conn, row.kind)
        if old and old.version == version:
            return
        if old:
            learning.set_status(conn, old.version, "retired", f"replaced by {version}")
        learning.set_status(conn, version, "champion", reason)
        learning.insert_promotion(conn, row.kind, version, now, reason)


def retire_learned(conn: psycopg.Connection, reason: str) -> None:
    """No champion serves any more, and none learned until now ever will: what they learned from is gone."""
    learning.lock_registry(conn)
    learning.retire_champions(conn, reason)


def refuse(conn: psycopg.Connection, version: str, reason: str) -> None:
    learning.set_status(conn, version, "refused", reason)


def rollback(conn: psycopg.Connection, kind: str, now: datetime) -> str:
    """Promote the champion before the present one and return its version."""
    champion = learning.champion(conn, kind)
    if champion is None:
        raise UsageError(f"there is no champion of kind {kind} to roll back")
    order = [promotion.version for promotion in learning.promotions(conn, kind)]
    # Its first promotion, not its last: rolling back twice goes two steps back, not to and fro.
    before = order[: order.index(champion.version)]
    if not before:
        raise UsageError(f"{champion.version} is the first {kind}: there is nothing to roll back to")
    promote(conn, before[-1], f"rolled back from {champion.version}", now)
    return before[-1]


def promote_by_staff(conn: psycopg.Connection, staff: Account | None, version: str, now: datetime) -> None:
    """`promote`, noted with who did it. Raises NotAllowedError, and what `promote` does."""
    account = accounts.must_be_staff(staff)
    with conn.transaction():
        promote(conn, version, "promoted by hand", now)
        audit.note(conn, audit.actor_of(account.account_id), "promote model", version)


def rollback_by_staff(conn: psycopg.Connection, staff: Account | None, kind: str, now: datetime) -> str:
    """`rollback`, noted with who did it. Raises NotAllowedError, and what `rollback` does."""
    account = accounts.must_be_staff(staff)
    with conn.transaction():
        version = rollback(conn, kind, now)
        audit.note(conn, audit.actor_of(account.account_id), "roll back to model", version)
    return version


def settings_of(config: object) -> dict[str, Any]:
    return asdict(config)  # pyright: ignore[reportArgumentType]


def _row(conn: psycopg.Connection, version: str) -> learning.ModelRow:
    row = learning.model(conn, version)
    if row is None:
        raise UsageError(f"there is no model {version!r}; `openshelf models list` names them")
    return row


def _prove(conn: psycopg.Connection, row: learning.ModelRow) -> None:
    if row.kind == "policy":
        load_policy(conn, row.version)
    elif row.kind == "adapter":
        load_adapter(conn, row.version)
    else:
        load_ranker(conn, row.version)


def _verified(conn: psycopg.Connection, version: str, kind: str) -> tuple[learning.ModelRow, dict[str, Tensor]]:
    row, raw = learning.model(conn, version), learning.weights(conn, version)
    if row is None or raw is None:
        raise ModelError(f"there is no model {version!r} in the registry; `openshelf models list` names them")
    if row.kind != kind:
        raise ModelError(f"{version} is of kind {row.kind}, not {kind}")
    if not raw:
        raise ModelError(
            f"the weights of {version} are gone: it has not served for OPENSHELF_RETENTION_MODEL_DAYS days. "
            "Take a later one"
        )
    if hashlib.sha256(raw).hexdigest() != row.sha256:
        raise ModelError(f"{version} was altered since it was trained (its hash differs). Roll back or train again.")
    try:
        tensors = load_tensors(raw)
    except SafetensorError as error:
        raise ModelError(f"{version} cannot be read: {error}. Roll back or train again.") from error
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        raise ModelError(f"{version} holds numbers that are not finite. Roll back or train again.")
    return row, tensors
