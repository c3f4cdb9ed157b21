"""The losses, as pure functions of tensors.

Top-K off-policy-corrected REINFORCE (Chen et al., WSDM 2019) on logged slates, with a learned baseline and an entropy
bonus, beside a supervised term on what readers turned to unasked (sampled softmax with log-q correction).
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def later_returns(rewards: np.ndarray, sessions: np.ndarray, gamma: float) -> np.ndarray:
    """For each slate, gamma times the discounted reward of its session's later slates.

    `rewards` (n,) of whole slates in order of time, `sessions` (n,) which session each belongs to.
    """
    later = np.zeros(len(rewards), dtype=np.float64)
    ahead: dict[int, float] = {}
    for i in range(len(rewards) - 1, -1, -1):
        session = int(sessions[i])
        later[i] = gamma * ahead.get(session, 0.0)
        ahead[session] = float(rewards[i]) + later[i]
    return later


def importance_weight(log_pi: Tensor, beta: Tensor, cap: float) -> Tensor:
    """min(pi / beta, cap): how much likelier the policy shows this work here than the one that did."""
    return (log_pi.exp() / beta).clamp(max=cap)


def top_k_factor(pi: Tensor, k: int) -> Tensor:
    """lambda_K of the paper: a work already almost sure of a place among K needs no more push."""
    return k * (1 - pi).clamp(min=0) ** (k - 1)


def policy_loss(log_pi: Tensor, beta: Tensor, advantage: Tensor, is_shown: Tensor, *, cap: float, k: int) -> Tensor:
    """All (B, K); `advantage` = return minus baseline, `is_shown` masks places that were on screen."""
    pi = log_pi.detach().exp()
    weight = importance_weight(log_pi.detach(), beta, cap) * top_k_factor(pi, k)
    loss = -(weight * advantage * log_pi) * is_shown
    return loss.sum() / is_shown.sum().clamp(min=1)


def baseline_loss(predicted: Tensor, returns: Tensor, is_shown: Tensor) -> Tensor:
    return ((predicted - returns) ** 2 * is_shown).sum() / is_shown.sum().clamp(min=1)


def entropy(logits: Tensor) -> Tensor:
    """(B,) nats of the choice of a first place."""
    log_pi = logits.log_softmax(1)
    return -(log_pi.exp() * log_pi).sum(1)


def supervised_loss(
    logits: Tensor, targets: Tensor, weights: Tensor, negatives: Tensor | None = None, log_q: Tensor | None = None
) -> Tensor:
    """Weighted mean of -log softmax at the target (B,).

    With `negatives` (m,) drawn with probability exp(log_q) (n,): only those are scored against the target,
    each corrected by its log-q; one that is the target of a row is no negative there.
    """
    if negatives is None or log_q is None:
        losses = functional.cross_entropy(logits, targets, reduction="none")
    else:
        own = logits.gather(1, targets[:, None])
        others = logits[:, negatives] - log_q[negatives] - float(np.log(len(negatives)))
        others = others.masked_fill(negatives[None, :] == targets[:, None], float("-inf"))
        losses = torch.logsumexp(torch.cat([own, others], dim=1), dim=1) - own.squeeze(1)
    return (losses * weights).sum() / weights.sum().clamp(min=1e-9)
