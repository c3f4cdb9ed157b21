"""The policy: a reader's last acts in, a slate with exact probabilities out. No I/O.

At birth it is a closed form: the state is the direction of the recency- and reward-weighted sum of the item vectors
of the reader's acts (dislikes push away), so it recommends from content before anything was learned. Everything
learned is a correction that starts at zero. Scores are dot products, so works come and go without touching the network.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.states import ACTION_INDEX, ACTIONS, COUNT_GAPS, Catalogue, StateBatch
from openshelf.contracts import Action

# Logits lie within +-BOUND, so no work's probability is ever zero and no exponential overflows.
BOUND = 40.0
# The logit of what may not be drawn: finite, so that gradients stay finite too.
NOT_DRAWABLE = -1e9
# How much an act counts at birth, relative to its reward: a skip is a weak sign, a hide a clear one.
_BIRTH_SCALE = {Action.SKIP: 0.1, Action.HIDE: 0.5, Action.DISLIKE: 0.5}


@dataclass(frozen=True)
class PolicyConfig:
    dim: int = 64
    """Length of item vectors and states; the adapter's output."""
    hidden: int = 64
    """Width of the learned correction."""
    sharpness: float = 20.0
    """1 / temperature at birth: how decidedly the nearest works are preferred."""
    half_life_acts: float = 8.0
    """At birth, an act counts half as much once this many acts came after it."""
    doubt: float = 0.3
    """At birth, the evidence (in reward) from which on a taste counts as known; far below it, draws are wide."""
    prior_weight: float = 1.0
    """Weight of the popularity prior at birth."""
    dropout: float = 0.1
    """Share of the correction's inputs dropped while training."""


@dataclass(frozen=True)
class Items:
    vectors: Tensor  # (n, d)
    bias: Tensor  # (n,); NOT_DRAWABLE for a work without text embedding


@dataclass(frozen=True)
class Drawn:
    rows: Tensor  # (B, k) int64 catalogue rows; -1 where nothing was left to draw
    log_pi: Tensor  # (B, k) Plackett-Luce log-probability given the places above, without exploring
    propensity: Tensor  # (B, k) probability with exploring: what is logged
    explored: Tensor  # (B, k) bool: this place was drawn uniformly


@dataclass(frozen=True)
class Noise:
    """The randomness of B slates, made outside: the same noise gives the same slates."""

    exponential: Tensor  # (B, n) standard exponential: -log of it is Gumbel
    explore: Tensor  # (B, k) uniform; below the explore share, the place is drawn uniformly
    pick: Tensor  # (B, k) uniform; which of the remaining works then


def slate_noise(seeds: list[int], count_works: int, size: int) -> Noise:
    """Noise of each slate from its own seed, whatever other slates share the batch."""
    exponential = np.empty((len(seeds), count_works), dtype=np.float32)
    uniform = np.empty((len(seeds), 2, size), dtype=np.float32)
    for i, seed in enumerate(seeds):
        generator = np.random.Generator(np.random.SFC64(seed & (2**128 - 1)))
        uniform[i] = generator.random((2, size), dtype=np.float32)
        generator.standard_exponential(dtype=np.float32, out=exponential[i])
    return Noise(torch.from_numpy(exponential), torch.from_numpy(uniform[:, 0]), torch.from_numpy(uniform[:, 1]))


class Policy(nn.Module):
    """Item vectors, causal state encoder, slate distribution and value baseline in one class for trainer and server."""

    adapter: Tensor
    known_ids: Tensor

    def __init__(self, config: PolicyConfig, adapter: Tensor, known_ids: Tensor) -> None:
        """`adapter` (dim, 384) is frozen; `known_ids` (m,) ascending: the works that have a learned residual."""
        super().__init__()
        dim, hidden = config.dim, config.hidden
        self.config = config
        self.register_buffer("adapter", adapter.clone())
        self.register_buffer("known_ids", known_ids.clone())
        self.residual = nn.Parameter(torch.zeros(len(known_ids), dim))
        self.residual_bias = nn.Parameter(torch.zeros(len(known_ids)))
        self.prior_weight = nn.Parameter(torch.tensor(config.prior_weight))
        self.log_sharpness = nn.Parameter(torch.tensor(float(np.log(config.sharpness))))
        self.start = nn.Parameter(torch.zeros(dim))
        self.log_doubt = nn.Parameter(torch.tensor(float(np.log(config.doubt))))
        self.log_half_life = nn.Parameter(torch.tensor(float(np.log(config.half_life_acts))))
        scale = torch.ones(len(ACTIONS))
        for action, value in _BIRTH_SCALE.items():
            scale[ACTION_INDEX[action]] = value
        self.action_scale = nn.Parameter(scale)
        self.gap_log_weight = nn.Parameter(torch.zeros(COUNT_GAPS))

        self.action_embedding = nn.Embedding(len(ACTIONS), dim)
        self.gap_embedding = nn.Embedding(COUNT_GAPS, dim)
        self.reward_in = nn.Linear(1, dim, bias=False)
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))
        self.norm = nn.LayerNorm(2 * dim)
        self.correction_in = nn.Linear(2 * dim, hidden)
        self.correction_out = nn.Linear(hidden, dim)
        self.dropout = nn.Dropout(config.dropout)
        self.baseline = nn.Sequential(nn.Linear(dim, 32), nn.GELU(), nn.Linear(32, 1))
        for embedding in (self.action_embedding, self.gap_embedding):
            nn.init.normal_(embedding.weight, std=0.1)
        nn.init.zeros_(self.correction_out.weight)
        nn.init.zeros_(self.correction_out.bias)

    def items(self, catalogue: Catalogue) -> Items:
        """Vectors and biases of these works: content through the adapter, plus what was learned of each."""
        known = np.asarray(self.known_ids)
        at = np.searchsorted(known, catalogue.book_ids).clip(max=max(len(known) - 1, 0))
        is_known = known[at] == catalogue.book_ids if len(known) else np.zeros(len(at), dtype=bool)
        # The last row of the padded table is the zero residual of a work not met before.
        index = torch.from_numpy(np.where(is_known, at, len(known)))
        residual = torch.cat([self.residual, self.residual.new_zeros(1, self.config.dim)])[index]
        bias = torch.cat([self.residual_bias, self.residual_bias.new_zeros(1)])[index]
        content = functional.normalize(torch.from_numpy(catalogue.texts) @ self.adapter.T, dim=1)
        has_text = torch.from_numpy(catalogue.has_text)
        vectors = (content + residual) * has_text[:, None]
        bias = bias + self.prior_weight * torch.from_numpy(catalogue.prior)
        return Items(vectors, torch.where(has_text, bias, torch.full_like(bias, NOT_DRAWABLE)))

    def encode(self, items: Items, batch: StateBatch) -> Tensor:
        """States (B, d) of readers after their last act."""
        rows = torch.from_numpy(batch.rows)
        actions, gaps = torch.from_numpy(batch.actions), torch.from_numpy(batch.gaps)
        rewards, present = torch.from_numpy(batch.rewards), torch.from_numpy(batch.present)
        length = rows.shape[1]
        vectors = items.vectors[rows.clamp(min=0)] * (rows >= 0)[..., None]  # (B, L, d)

        acts_since = torch.arange(length - 1, -1, -1)
        recency = torch.exp2(-acts_since / self.log_half_life.exp())
        weight = rewards * self.action_scale[actions] * self.gap_log_weight[gaps].exp() * recency * (rows >= 0)
        # The direction of the weighted sum; its length says how much there is to go by, at most 1 at birth.
        total = self.start + (weight[..., None] * vectors).sum(1)
        closed = total / (torch.exp(2 * self.log_doubt) + (total**2).sum(1, keepdim=True)).sqrt()

        acts = vectors + self.action_embedding(actions) + self.gap_embedding(gaps) + self.reward_in(rewards[..., None])
        acts = acts * present[..., None]
        newest = acts[:, -1]
        scores = (self.key(acts) @ self.query(newest)[..., None]).squeeze(-1) / self.config.dim**0.5
        attention = scores.masked_fill(~present, NOT_DRAWABLE).softmax(1)
        pooled = (attention[..., None] * self.value(acts)).sum(1)
        inner = functional.gelu(self.correction_in(self.dropout(self.norm(torch.cat([pooled, newest], dim=1)))))
        return closed + self.correction_out(inner) * present.any(1, keepdim=True)

    def logits(self, states: Tensor, items: Items) -> Tensor:
        """(B, n) within +-BOUND; NOT_DRAWABLE for works without text embedding."""
        raw = states @ items.vectors.T * self.log_sharpness.exp() + items.bias
        return torch.where(items.bias > NOT_DRAWABLE / 2, BOUND * torch.tanh(raw / BOUND), NOT_DRAWABLE)

    def grown(self, book_ids: np.ndarray) -> "Policy":
        """The same policy with (zero) residuals for these works too; what it says changes for none."""
        known = np.asarray(self.known_ids)
        together = np.union1d(known, book_ids.astype(np.int64))
        policy = Policy(self.config, self.adapter, torch.from_numpy(together))
        kept = torch.from_numpy(np.searchsorted(together, known))
        state = {
            name: tensor for name, tensor in self.state_dict().items() if not name.startswith(("residual", "known"))
        }
        policy.load_state_dict(state, strict=False)
        with torch.no_grad():
            policy.residual[kept] = self.residual
            policy.residual_bias[kept] = self.residual_bias
        return policy


def draw(
    logits: Tensor,
    allowed: Tensor,
    size: int,
    *,
    explore: float = 0.0,
    noise: Noise | None = None,
    given: Tensor | None = None,
) -> Drawn:
    """Draw slates, or score `given` ones: one method, so the logged and the learned probabilities agree.

    Plackett-Luce without replacement by Gumbel top-k; each place is, with probability `explore`, uniform over the
    remaining allowed works instead. `logits` (B, n), `allowed` (B, n) bool, `given` (B, k) rows or -1.
    """
    masked = logits.masked_fill(~allowed, NOT_DRAWABLE)
    if given is None:
        assert noise is not None  # one of the two says which slates
        rows, explored = _pick(masked.detach(), allowed, size, explore, noise)
    else:
        rows, explored = given, torch.zeros_like(given, dtype=torch.bool)
    log_pi = _plackett_luce(masked, rows)
    places = torch.arange(rows.shape[1])
    remaining = (allowed.sum(1, keepdim=True) - places).clamp(min=1)
    propensity = explore / remaining.double() + (1 - explore) * log_pi.double().exp()
    return Drawn(rows, log_pi, propensity, explored)


def _plackett_luce(masked: Tensor, rows: Tensor) -> Tensor:
    """(B, k) log-probability of each place given the places above; 0 for padding.

    What remains is summed from below (never chosen, then the places bottom up), so nothing cancels.
    """
    is_place = rows >= 0
    chosen = masked.gather(1, rows.clamp(min=0)).masked_fill(~is_place, NOT_DRAWABLE)
    padded = functional.pad(masked, (0, 1), value=NOT_DRAWABLE)
    never = padded.scatter(1, torch.where(is_place, rows, masked.shape[1]), NOT_DRAWABLE).logsumexp(1, keepdim=True)
    from_here = torch.logcumsumexp(chosen.flip(1), dim=1).flip(1)
    return (chosen - torch.logaddexp(from_here, never)) * is_place


def _pick(masked: Tensor, allowed: Tensor, size: int, explore: float, noise: Noise) -> tuple[Tensor, Tensor]:
    keys = masked - noise.exponential.clamp(min=1e-30).log()
    best = keys.topk(min(size, keys.shape[1]), dim=1)
    order = best.indices.masked_fill(best.values < NOT_DRAWABLE / 2, -1)
    rows = functional.pad(order, (0, size - order.shape[1]), value=-1)
    explored = noise.explore < explore
    for i in explored.any(1).nonzero().flatten().tolist():
        rows[i], explored[i] = _pick_exploring(rows[i], explored[i], allowed[i], noise.pick[i])
    return rows, explored & (rows >= 0)


def _pick_exploring(order: Tensor, wanted: Tensor, allowed: Tensor, pick: Tensor) -> tuple[Tensor, Tensor]:
    """One slate with uniform places among those of the Gumbel order (which stays Plackett-Luce on what is left)."""
    free = np.flatnonzero(allowed.numpy())
    queue = [row for row in order.tolist() if row >= 0]
    chosen: list[int] = []
    explored: list[bool] = []
    for is_random, uniform in zip(wanted.tolist(), pick.tolist(), strict=True):
        row = (
            _uniform_remaining(free, chosen, uniform)
            if is_random
            else next((r for r in queue if r not in chosen), None)
        )
        if row is None:
            break
        chosen.append(row)
        explored.append(is_random)
    short = len(order) - len(chosen)
    return torch.tensor(chosen + [-1] * short), torch.tensor(explored + [False] * short)


def _uniform_remaining(free: np.ndarray, chosen: list[int], uniform: float) -> int | None:
    """The work at share `uniform` of those of `free` (ascending) that are not chosen yet."""
    count = len(free) - len(chosen)
    if count <= 0:
        return None
    at = min(int(uniform * count), count - 1)
    for taken in sorted(np.searchsorted(free, chosen).tolist()):
        at += taken <= at
    return int(free[at])
