"""The training loop: a policy and episodes in, a better policy and its curves out. No I/O."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from models.adapter import warmup_then_decay
from models.episodes import Episodes
from models.policy import Items, Policy, draw
from models.reinforce import baseline_loss, entropy, policy_loss, supervised_loss
from models.states import Catalogue
from openshelf.errors import ModelError

# Below this many works the softmax over all of them is cheaper than sampling.
FULL_SOFTMAX_WORKS = 4_096


@dataclass(frozen=True)
class TrainConfig:
    epochs: int = 3
    """Passes over the larger of slates and targets."""
    batch: int = 256
    """Slates, and targets, per step."""
    learning_rate: float = 2e-3
    """Peak of the warm-up and linear decay."""
    weight_decay: float = 0.01
    """AdamW's decay; keeps residuals of rarely seen works near zero."""
    warmup_steps: int = 20
    """Steps until the peak learning rate."""
    clip: float = 1.0
    """Largest gradient norm."""
    gamma: float = 0.1
    """How much the session's later reward counts for a place."""
    cap: float = 10.0
    """Largest importance weight."""
    policy_weight: float = 1.0
    """Weight of the REINFORCE term."""
    supervised_weight: float = 1.0
    """Weight of the supervised term, the leash."""
    baseline_weight: float = 0.5
    """Weight of the baseline's squared error."""
    entropy_weight: float = 0.01
    """Weight of the entropy bonus."""
    negatives: int = 1_024
    """Sampled negatives of the supervised term in large catalogues."""
    negatives_power: float = 0.5
    """Negatives are drawn from popularity to this power."""
    old_slates: int = 5_000
    """Slates from before the parent that are learned from again."""
    history_days: int = 90
    """Nothing older is read."""
    held_out: float = 0.15
    """Latest share of the targets, kept for the gate."""


@dataclass
class Fit:
    policy: Policy
    optimiser: dict[str, Tensor]
    curves: list[tuple[int, str, float]] = field(default_factory=list)  # (epoch, name, value)


def fit(
    policy: Policy,
    episodes: Episodes,
    catalogue: Catalogue,
    config: TrainConfig,
    seed: int,
    optimiser_state: dict[str, Tensor] | None = None,
    on_epoch: Callable[[int, dict[str, float]], None] | None = None,
) -> Fit:
    """Learn from logged slates (REINFORCE) and from what readers turned to (supervised) together.

    Raises:
        ModelError: the loss is no longer a finite number.
    """
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(policy.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    _restore(optimiser, policy, optimiser_state or {})
    steps = -(-max(len(episodes.slates), len(episodes.targets)) // config.batch)
    factor = warmup_then_decay(config.warmup_steps, steps * config.epochs)
    log_q = _proposal(episodes, len(catalogue.book_ids), config)
    result = Fit(policy.train(), {})
    spread = _spread(episodes)
    for epoch in range(config.epochs):
        sums: dict[str, float] = {}
        slates = _batches(len(episodes.slates), steps, config.batch, generator)
        targets = _batches(len(episodes.targets), steps, config.batch, generator)
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = config.learning_rate * factor(epoch * steps + step)
            items = policy.items(catalogue)
            terms = _slate_terms(policy, items, episodes, slates[step], config, spread)
            terms |= _target_terms(policy, items, episodes, targets[step], config, log_q, generator)
            loss = (
                config.policy_weight * terms["loss/policy"]
                + config.baseline_weight * terms["loss/baseline"]
                + config.supervised_weight * terms["loss/supervised"]
                - config.entropy_weight * terms["policy/entropy"]
            )
            if not torch.isfinite(loss):
                raise ModelError(f"the loss is {loss.item()} in epoch {epoch}: lower learning_rate and train again")
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(policy.parameters(), config.clip)
            optimiser.step()
            for name, value in {"loss/all": loss, **terms}.items():
                sums[name] = sums.get(name, 0.0) + value.item() / steps
        result.curves += [(epoch, name, value) for name, value in sums.items()]
        if on_epoch:
            on_epoch(epoch + 1, sums)
    result.policy = policy.eval()
    result.optimiser = _stored(optimiser, policy)
    return result


def _slate_terms(
    policy: Policy, items: Items, episodes: Episodes, chosen: np.ndarray, config: TrainConfig, spread: float
) -> dict[str, Tensor]:
    slates, histories = episodes.slates, episodes.histories
    zero = items.bias.sum() * 0
    if not len(chosen):
        return dict.fromkeys(("loss/policy", "loss/baseline", "policy/entropy", "policy/capped"), zero)
    at = slates.at.take(chosen)
    states = policy.encode(items, histories.windows(at.start, at.end, at.now))
    logits = policy.logits(states, items)
    rows = torch.from_numpy(slates.rows[chosen])
    allowed = torch.from_numpy(histories.allowed(at.start, at.end, logits.shape[1], slates.rows[chosen]))
    drawn = draw(logits, allowed, rows.shape[1], given=rows)
    shown = torch.from_numpy(slates.shown[chosen]).float()
    returns, beta = torch.from_numpy(slates.returns[chosen]), torch.from_numpy(slates.beta[chosen])
    predicted = policy.baseline(states.detach())
    advantage = (returns - predicted.detach()) / spread
    is_capped = ((drawn.log_pi.exp() / beta > config.cap) * shown).sum() / shown.sum().clamp(min=1)
    return {
        "loss/policy": policy_loss(drawn.log_pi, beta, advantage, shown, cap=config.cap, k=rows.shape[1]),
        "loss/baseline": baseline_loss(predicted.expand_as(returns), returns, shown),
        "policy/entropy": entropy(logits).mean(),
        "policy/capped": is_capped,
    }


def _target_terms(
    policy: Policy,
    items: Items,
    episodes: Episodes,
    chosen: np.ndarray,
    config: TrainConfig,
    log_q: Tensor | None,
    generator: np.random.Generator,
) -> dict[str, Tensor]:
    if not len(chosen):
        return {"loss/supervised": items.bias.sum() * 0}
    targets = episodes.targets.take(chosen)
    at, rows = targets.at, torch.from_numpy(targets.rows)
    states = policy.encode(items, episodes.histories.windows(at.start, at.end, at.now))
    allowed = torch.from_numpy(episodes.histories.allowed(at.start, at.end, len(items.bias), targets.rows[:, None]))
    # Not NOT_DRAWABLE: the target may be a work that is not embedded yet, and its loss must stay small.
    logits = policy.logits(states, items).masked_fill(~allowed, -1e4).clamp(min=-1e4)
    negatives = None
    if log_q is not None:
        drawn = generator.choice(len(log_q), size=config.negatives, p=log_q.double().exp().numpy())
        negatives = torch.from_numpy(drawn)
    weights = torch.from_numpy(targets.weights) * (items.bias[rows] > -1e4)
    return {"loss/supervised": supervised_loss(logits, rows, weights, negatives, log_q)}


def _proposal(episodes: Episodes, count_works: int, config: TrainConfig) -> Tensor | None:
    """(n,) log-probability of a negative, or None where the full softmax is cheaper."""
    if count_works <= max(FULL_SOFTMAX_WORKS, config.negatives):
        return None
    counts = np.bincount(episodes.targets.rows, minlength=count_works) + 1.0
    powered = counts**config.negatives_power
    return torch.from_numpy(np.log(powered / powered.sum()))


def _spread(episodes: Episodes) -> float:
    """Standard deviation of the returns of shown places: puts the reward's scale out of the learning rate."""
    shown = episodes.slates.returns[episodes.slates.shown]
    return float(max(shown.std(), 1e-3)) if len(shown) else 1.0


def _batches(count: int, steps: int, size: int, generator: np.random.Generator) -> list[np.ndarray]:
    """`steps` batches that go round all examples as evenly as can be."""
    if not count:
        return [np.empty(0, dtype=np.int64)] * steps
    rounds = -(-steps * size // count)
    order = np.concatenate([generator.permutation(count) for _ in range(rounds)])
    # The last batch of a single round may be short; further rounds only fill up the smaller kind.
    return [order[i * size : (i + 1) * size] for i in range(steps)] if rounds > 1 else np.array_split(order, steps)


def _stored(optimiser: torch.optim.Optimizer, policy: Policy) -> dict[str, Tensor]:
    """Moments and step counts by parameter name, as plain tensors."""
    return {
        f"{name}.{key}": value.detach().clone()
        for name, parameter in policy.named_parameters()
        for key, value in optimiser.state[parameter].items()
    }


def _restore(optimiser: torch.optim.Optimizer, policy: Policy, stored: dict[str, Tensor]) -> None:
    keys = ("step", "exp_avg", "exp_avg_sq")
    for name, parameter in policy.named_parameters():
        state = {key: stored[f"{name}.{key}"].clone() for key in keys if f"{name}.{key}" in stored}
        if len(state) == len(keys) and state["exp_avg"].shape == parameter.shape:
            optimiser.state[parameter] = state


def grown_moments(stored: dict[str, Tensor], old_ids: np.ndarray, new_ids: np.ndarray) -> dict[str, Tensor]:
    """The optimiser's state for a policy whose residuals have grown from `old_ids` to `new_ids`."""
    at = torch.from_numpy(np.searchsorted(new_ids, old_ids))
    grown = dict(stored)
    for name, tensor in stored.items():
        if name.startswith("residual") and tensor.ndim and len(tensor) == len(old_ids):
            grown[name] = tensor.new_zeros(len(new_ids), *tensor.shape[1:])
            grown[name][at] = tensor
    return grown
