"""The training loop: a policy and episodes in, a better policy and its curves out. No I/O."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from models.adapter import warmup_then_decay
from models.episodes import Episodes
from models.memory import MemoryConfig
from models.memory_fit import cross_fitted, fit_memory
from models.plackett_luce import draw
from models.policy import Items, Policy
from models.reinforce import baseline_loss, entropy, policy_loss, supervised_loss
from models.states import Catalogue
from openshelf.errors import ModelError

# Below this many works the softmax over all of them is cheaper than sampling.
FULL_SOFTMAX_WORKS = 4_096
# The numbers that weigh the parts of the policy against each other.
SCALES = frozenset({"log_sharpness", "prior_weight", "together_log_weight", "next_log_weight"})


@dataclass(frozen=True)
class TrainConfig(MemoryConfig):
    epochs: int = 3
    """Passes over the larger of slates and targets."""
    batch: int = 256
    """Slates, and targets, per step."""
    learning_rate: float = 2e-3
    """Peak of the warm-up and linear decay."""
    scale_rate: float = 5.0
    """How much faster the few numbers learn that weigh the policy's parts against each other."""
    bias_rate: float = 5.0
    """The same of a work's bias, where what it is worth to everybody is learned."""
    residual_rate: float = 1.0
    """The same of a work's residual; below 1, content keeps more of a say."""
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
    targets_per_epoch: int = 100_000
    """At most so many targets are learned from in one pass, drawn anew each time."""
    folds: int = 3
    """Groups of readers; each learns with a memory of the others, so that no act explains itself."""
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
    on_epoch: Callable[[int, dict[str, float], Policy, dict[str, Tensor]], None] | None = None,
    *,
    start_epoch: int = 0,
) -> Fit:
    """Learn from logged slates (REINFORCE) and from what readers turned to (supervised) together.

    `start_epoch` goes on with a run that stopped after so many epochs, from the weights and the optimiser's state that
    `on_epoch` was given then: the result is the uninterrupted run's, since every epoch seeds its own generators.

    Raises:
        ModelError: the loss is no longer a finite number.
    """
    optimiser = _optimiser(policy, config)
    _restore(optimiser, policy, optimiser_state or {})
    count_works = len(catalogue.book_ids)
    memories = list(cross_fitted(episodes, count_works, config, config.folds))
    # What depends on nothing but the data is the same in a run that goes on.
    steps = len(_schedule(episodes, config, np.random.default_rng(seed)))
    factor = warmup_then_decay(config.warmup_steps, steps * config.epochs)
    content = policy.content(catalogue)
    log_q = _proposal(episodes, count_works, config)
    result = Fit(policy.train(), {})
    spread = _spread(episodes)
    for epoch in range(start_epoch, config.epochs):
        torch.manual_seed(seed + epoch)
        generator = np.random.default_rng([seed, epoch])
        sums: dict[str, float] = {}
        for step, (fold, slates, targets) in enumerate(_schedule(episodes, config, generator)):
            for group in optimiser.param_groups:
                group["lr"] = config.learning_rate * group["rate"] * factor(epoch * steps + step)
            items = policy.items(catalogue, memories[fold], content)
            terms = _slate_terms(policy, items, episodes, slates, config, spread)
            terms |= _target_terms(policy, items, episodes, targets, config, log_q, generator)
            terms["loss/all"] = (
                config.policy_weight * terms["loss/policy"]
                + config.baseline_weight * terms["loss/baseline"]
                + config.supervised_weight * terms["loss/supervised"]
                - config.entropy_weight * terms["policy/entropy"]
            )
            if not torch.isfinite(terms["loss/all"]):
                raise ModelError("the loss is not finite: training stopped, the champion stays; lower learning_rate")
            optimiser.zero_grad()
            terms["loss/all"].backward()
            torch.nn.utils.clip_grad_norm_(policy.parameters(), config.clip)
            optimiser.step()
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + value.item() / steps
        result.curves += [(epoch, name, value) for name, value in sums.items()]
        if on_epoch:
            on_epoch(epoch + 1, sums, policy, _stored(optimiser, policy))
    policy.remembering(fit_memory(episodes, count_works, config), catalogue)
    result.policy = policy.eval()
    result.optimiser = _stored(optimiser, policy)
    return result


def _optimiser(policy: Policy, config: TrainConfig) -> torch.optim.AdamW:
    rates = {"residual_bias": config.bias_rate, "residual": config.residual_rate}
    rates |= dict.fromkeys(SCALES, config.scale_rate)
    groups = [
        {
            "params": [parameter],
            "rate": rates.get(name, 1.0),
            "weight_decay": 0.0 if name in SCALES else config.weight_decay,
        }
        for name, parameter in policy.named_parameters()
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate)


def _schedule(
    episodes: Episodes, config: TrainConfig, generator: np.random.Generator
) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """The steps of a pass: (fold of readers, slates, targets), all of one fold."""
    slates, targets = np.arange(len(episodes.slates)), np.arange(len(episodes.targets))
    if len(targets) > config.targets_per_epoch:
        targets = generator.choice(targets, config.targets_per_epoch, replace=False)
    steps = []
    for fold in range(config.folds):
        of_slates = slates[episodes.slates.at.readers % config.folds == fold]
        of_targets = targets[episodes.targets.at.readers[targets] % config.folds == fold]
        count = -(-max(len(of_slates), len(of_targets)) // config.batch)
        for some, others in zip(
            _batches(of_slates, count, config.batch, generator),
            _batches(of_targets, count, config.batch, generator),
            strict=True,
        ):
            steps.append((fold, some, others))
    return [steps[i] for i in generator.permutation(len(steps))]


def _slate_terms(
    policy: Policy, items: Items, episodes: Episodes, chosen: np.ndarray, config: TrainConfig, spread: float
) -> dict[str, Tensor]:
    slates, histories = episodes.slates, episodes.histories
    zero = items.bias.sum() * 0
    if not len(chosen):
        return dict.fromkeys(("loss/policy", "loss/baseline", "policy/entropy", "policy/capped"), zero)
    at = slates.at.take(chosen)
    batch = histories.windows(at.start, at.end, at.now)
    states = policy.encode(items, batch)
    logits = policy.logits(states, items, policy.remembered_apart(items, batch))
    rows = torch.from_numpy(slates.rows[chosen])
    allowed = torch.from_numpy(histories.allowed(at.start, at.end, logits.shape[1]))
    drawn = draw(logits, allowed, rows.shape[1], given=rows)
    # A work met by then was drawn before the act was known: it says nothing of a policy that would not show it.
    could_show = allowed.gather(1, rows.clamp(min=0))
    shown = (torch.from_numpy(slates.shown[chosen]) & could_show).float()
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
    batch = episodes.histories.windows(at.start, at.end, at.now)
    allowed = torch.from_numpy(episodes.histories.allowed(at.start, at.end, len(items.bias), targets.rows[:, None]))
    weights = torch.from_numpy(targets.weights) * (items.bias[rows] > -1e4)
    if log_q is None:
        logits = policy.logits(policy.encode(items, batch), items, policy.remembered_apart(items, batch))
        return {"loss/supervised": supervised_loss(_floored(logits, allowed), rows, weights)}
    drawn = generator.choice(len(log_q), size=config.negatives, p=log_q.double().exp().numpy())
    # Only the targets and the works drawn against them are scored.
    asked, column = torch.unique(torch.cat([rows, torch.from_numpy(drawn)]), return_inverse=True)
    some = Items(items.vectors[asked], items.bias[asked], items.memory)
    logits = policy.logits(policy.encode(items, batch), some, policy.remembered_apart(items, batch, asked.numpy()))
    logits = _floored(logits, allowed[:, asked])
    loss = supervised_loss(logits, column[: len(rows)], weights, column[len(rows) :], log_q[asked])
    return {"loss/supervised": loss}


def _floored(logits: Tensor, allowed: Tensor) -> Tensor:
    # Not NOT_DRAWABLE: the target may be a work that is not embedded yet, and its loss must stay small.
    return logits.masked_fill(~allowed, -1e4).clamp(min=-1e4)


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


def _batches(examples: np.ndarray, steps: int, size: int, generator: np.random.Generator) -> list[np.ndarray]:
    """`steps` batches that go round all examples as evenly as can be."""
    if not len(examples):
        return [examples] * steps
    rounds = -(-steps * size // len(examples))
    order = np.concatenate([generator.permutation(examples) for _ in range(rounds)])
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
