"""The policy: a reader's last acts in, a slate with exact probabilities out. No I/O.

At birth it is a closed form: the state is the direction of the recency- and reward-weighted sum of the item vectors
of the reader's acts (dislikes push away), so it recommends from content before anything was learned. Everything
learned is a correction that starts at zero. Scores are dot products, so works come and go without touching the network.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.memory import Companions, Memory
from models.plackett_luce import BOUND, NOT_DRAWABLE
from models.states import ACTION_INDEX, ACTIONS, COUNT_GAPS, MAX_MET, Catalogue, StateBatch
from openshelf.contracts import Action

# Scales on which works met count less the longer ago, in works, or acts, since: learned weights mix them.
TOGETHER_HALF_LIVES = (4.0, 32.0, float("inf"))
NEXT_HALF_LIVES = (2.0, 8.0)
# From about so many works met on, the whole set counts with the root of its size.
MANY = 10.0
# The logarithm of a weight that is as good as none, and whose gradient is too.
NEGLIGIBLE = -20.0
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
    together_weight: float = 2.0
    """At birth, logits for each unit of the memory of what is met together, on each scale of recency."""
    next_weight: float = 3.0
    """The same of the memory of what comes next."""
    dropout: float = 0.1
    """Share of the correction's inputs dropped while training."""


@dataclass(frozen=True)
class Items:
    vectors: Tensor  # (n, d)
    bias: Tensor  # (n,); NOT_DRAWABLE for a work without text embedding
    memory: Memory  # in rows of the catalogue


class Policy(nn.Module):
    """Item vectors, causal state encoder, slate distribution and value baseline in one class for trainer and server."""

    adapter: Tensor
    known_ids: Tensor
    together_rows: Tensor
    together_weights: Tensor
    next_rows: Tensor
    next_weights: Tensor

    def __init__(self, config: PolicyConfig, adapter: Tensor, known_ids: Tensor, memory: Memory | None = None) -> None:
        """`adapter` (dim, 384) is frozen; `known_ids` (m,) ascending: the works that have a learned residual.

        `memory` of these works, in rows of `known_ids`; unset: none yet.
        """
        super().__init__()
        dim, hidden = config.dim, config.hidden
        self.config = config
        self.register_buffer("adapter", adapter.clone())
        self.register_buffer("known_ids", known_ids.clone())
        memory = memory or Memory.none(len(known_ids))
        self.register_buffer("together_rows", memory.together.rows)
        self.register_buffer("together_weights", memory.together.weights)
        self.register_buffer("next_rows", memory.next.rows)
        self.register_buffer("next_weights", memory.next.weights)
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

        together, after = len(TOGETHER_HALF_LIVES), len(NEXT_HALF_LIVES)
        self.together_log_weight = nn.Parameter(torch.full((together,), float(np.log(config.together_weight))))
        self.next_log_weight = nn.Parameter(torch.full((after,), float(np.log(config.next_weight))))

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

    @property
    def memory(self) -> Memory:
        return Memory(
            Companions(self.together_rows, self.together_weights), Companions(self.next_rows, self.next_weights)
        )

    def content(self, catalogue: Catalogue) -> Tensor:
        """(n, d) what a work's text says of it: the item vector of a work that nobody has met."""
        return functional.normalize(torch.from_numpy(catalogue.texts) @ self.adapter.T, dim=1)

    def items(self, catalogue: Catalogue, memory: Memory | None = None, content: Tensor | None = None) -> Items:
        """Vectors and biases of these works: content through the adapter, plus what was learned of each.

        `memory` in rows of this catalogue, in place of the policy's own; `content` if it was made before.
        """
        known = np.asarray(self.known_ids)
        at = np.searchsorted(known, catalogue.book_ids).clip(max=max(len(known) - 1, 0))
        is_known = known[at] == catalogue.book_ids if len(known) else np.zeros(len(at), dtype=bool)
        # The last row of the padded table is the zero residual of a work not met before.
        index = torch.from_numpy(np.where(is_known, at, len(known)))
        residual = torch.cat([self.residual, self.residual.new_zeros(1, self.config.dim)])[index]
        bias = torch.cat([self.residual_bias, self.residual_bias.new_zeros(1)])[index]
        content = self.content(catalogue) if content is None else content
        has_text = torch.from_numpy(catalogue.has_text)
        vectors = (content + residual) * has_text[:, None]
        bias = bias + self.prior_weight * torch.from_numpy(catalogue.prior)
        if memory is None:
            memory = self.memory.taken(np.where(is_known, at, -1), catalogue.rows(known))
        return Items(vectors, torch.where(has_text, bias, torch.full_like(bias, NOT_DRAWABLE)), memory)

    def encode(self, items: Items, batch: StateBatch) -> Tensor:
        """States (B, d) of readers after their last act."""
        rows = torch.from_numpy(batch.rows)
        actions, gaps = torch.from_numpy(batch.actions), torch.from_numpy(batch.gaps)
        rewards, present = torch.from_numpy(batch.rewards), torch.from_numpy(batch.present)
        length = rows.shape[1]
        vectors = functional.embedding(rows.clamp(min=0), items.vectors)  # (B, L, d)
        is_work = (rows >= 0).float()

        acts_since = torch.arange(length - 1, -1, -1)
        recency = torch.exp2(-acts_since / self.log_half_life.exp())
        weight = rewards * self.action_scale[actions] * self.gap_log_weight.exp()[gaps] * recency * is_work
        # The direction of the weighted sum; its length says how much there is to go by, at most 1 at birth.
        total = self.start + _sum_of(weight, vectors)
        closed = total / (torch.exp(2 * self.log_doubt) + (total**2).sum(1, keepdim=True)).sqrt()

        # An act is the sum of four vectors: of its work, action, gap and reward. They are never laid out for all acts:
        # attention goes to each of the four apart.
        reward_in = self.reward_in.weight[:, 0]
        newest = vectors[:, -1] * is_work[:, -1:] + rewards[:, -1:] * reward_in
        newest = newest + self.action_embedding(actions[:, -1]) + self.gap_embedding(gaps[:, -1])
        newest = newest * present[:, -1:]
        # The bias of the keys is the same for every act, so attention does not see it.
        asked = self.query(newest) @ self.key.weight
        # The vectors from the right: from the left, torch takes eight times as long.
        scores = torch.bmm(asked[:, None], vectors.transpose(1, 2)).squeeze(1) * is_work
        scores = scores + rewards * (asked @ reward_in)[:, None]
        scores = scores + (asked @ self.action_embedding.weight.T).gather(1, actions)
        scores = scores + (asked @ self.gap_embedding.weight.T).gather(1, gaps)
        scores = scores / self.config.dim**0.5
        attention = scores.masked_fill(~present, NOT_DRAWABLE).softmax(1) * present
        by_action = attention.new_zeros(len(rows), len(ACTIONS)).scatter_add(1, actions, attention)
        by_gap = attention.new_zeros(len(rows), COUNT_GAPS).scatter_add(1, gaps, attention)
        pooled = _sum_of(attention * is_work, vectors) + (attention * rewards).sum(1, keepdim=True) * reward_in
        pooled = pooled + by_action @ self.action_embedding.weight + by_gap @ self.gap_embedding.weight
        # The map of values goes to the one pooled act, not to each.
        pooled = self.value(pooled)
        inner = functional.gelu(self.correction_in(self.dropout(self.norm(torch.cat([pooled, newest], dim=1)))))
        return closed + self.correction_out(inner) * present.any(1, keepdim=True)

    def remembered(self, items: Items, batch: StateBatch) -> Tensor:
        """(B, n) logits for what the works met so far speak for: all of them as a set, the last acts as a sequence."""
        of_sets, of_sequences = self.memory_weights(batch)
        together = items.memory.together.scores(torch.from_numpy(batch.met), of_sets)
        return together + items.memory.next.scores(torch.from_numpy(batch.rows), of_sequences)

    def memory_weights(self, batch: StateBatch) -> tuple[Tensor, Tensor]:
        """How much each work met counts as one of a set (B, M), and each act as one of a sequence (B, L)."""
        met = torch.from_numpy(batch.met)
        *_, whole = self.together_log_weight.exp()
        recent = _mixed(self.together_log_weight[:-1], TOGETHER_HALF_LIVES[:-1], met.shape[1])
        # Only whether an act was glad, and how recent it is: the regressions know no more either.
        glad = torch.from_numpy(batch.rewards).clamp(-1, 1)
        of_sequences = glad * _mixed(self.next_log_weight, NEXT_HALF_LIVES, glad.shape[1])
        return recent + whole * _share_of_many(met), of_sequences

    def forget_order(self) -> None:
        """For acts without an order: neither sets nor states look at how recent a work is, and learning keeps it so."""
        with torch.no_grad():
            self.together_log_weight[:-1] = NEGLIGIBLE
            self.log_half_life.fill_(float(np.log(MAX_MET)))

    def remembered_apart(self, items: Items, batch: StateBatch, asked: np.ndarray | None = None) -> Tensor:
        """`remembered` for the works asked for (rows; unset: all), made so that its weights learn at little cost."""
        together, after = items.memory.together, items.memory.next
        scales = _scales(TOGETHER_HALF_LIVES)[MAX_MET - batch.met.shape[1] :].numpy()
        of_sets = together.features(batch.met, np.ones(batch.met.shape), scales, asked)
        of_sets[..., -1] *= _share_of_many(torch.from_numpy(batch.met))
        scales = _scales(NEXT_HALF_LIVES)[MAX_MET - batch.rows.shape[1] :].numpy()
        of_sequences = after.features(batch.rows, batch.rewards.clip(-1, 1), scales, asked)
        return of_sets @ self.together_log_weight.exp() + of_sequences @ self.next_log_weight.exp()

    def rank(self, items: Items, batch: StateBatch) -> Tensor:
        """Logits (B, n) of readers after their last act."""
        return self.logits(self.encode(items, batch), items, self.remembered(items, batch))

    def logits(self, states: Tensor, items: Items, remembered: Tensor | None = None) -> Tensor:
        """(B, n) within +-BOUND; NOT_DRAWABLE for works without text embedding."""
        # The scales go into the small matrix: over B x n numbers each further step costs as much as the product.
        raw = torch.addmm(items.bias / BOUND, states * (self.log_sharpness.exp() / BOUND), items.vectors.T)
        if remembered is not None:
            raw = raw.add_(remembered, alpha=1 / BOUND)
        floor = torch.where(items.bias > NOT_DRAWABLE / 2, 0.0, NOT_DRAWABLE)
        raw.tanh_()
        # In place where nothing learns from it: room of this size costs as much as the sum.
        return torch.add(floor, raw, alpha=BOUND, out=raw if torch.is_inference_mode_enabled() else None)

    @classmethod
    def restored(cls, config: PolicyConfig, weights: dict[str, Tensor]) -> "Policy":
        """From a state dict. Raises KeyError or RuntimeError when it is not one of this architecture."""
        memory = Memory(
            Companions(weights["together_rows"], weights["together_weights"]),
            Companions(weights["next_rows"], weights["next_weights"]),
        )
        policy = cls(config, weights["adapter"], weights["known_ids"], memory)
        policy.load_state_dict(weights)
        return policy

    def grown(self, book_ids: np.ndarray) -> "Policy":
        """The same policy with (zero) residuals for these works too; what it says changes for none."""
        known = np.asarray(self.known_ids)
        together = np.union1d(known, book_ids.astype(np.int64))
        kept = np.searchsorted(together, known)
        old_row = np.full(len(together), -1)
        old_row[kept] = np.arange(len(known))
        policy = Policy(self.config, self.adapter, torch.from_numpy(together), self.memory.taken(old_row, kept))
        of_works = ("residual", "known", "together_rows", "together_weights", "next_rows", "next_weights")
        state = {name: tensor for name, tensor in self.state_dict().items() if not name.startswith(of_works)}
        policy.load_state_dict(state, strict=False)
        with torch.no_grad():
            policy.residual[torch.from_numpy(kept)] = self.residual
            policy.residual_bias[torch.from_numpy(kept)] = self.residual_bias
        return policy

    def remembering(self, memory: Memory, catalogue: Catalogue) -> None:
        """Put another memory, in rows of this catalogue, in the place of the one it has."""
        known = np.asarray(self.known_ids)
        own = memory.taken(catalogue.rows(known), np.searchsorted(known, catalogue.book_ids))
        self.together_rows, self.together_weights = own.together.rows, own.together.weights
        self.next_rows, self.next_weights = own.next.rows, own.next.weights


def _sum_of(weights: Tensor, vectors: Tensor) -> Tensor:
    """(B, d): the sum of (B, L, d) with weights (B, L)."""
    return torch.bmm(weights[:, None], vectors).squeeze(1)


def _share_of_many(met: Tensor) -> Tensor:
    """(B, 1): what each work of the whole set weighs; of a large set less, so that its sum stays in bounds."""
    return (1 + (met >= 0).sum(1, keepdim=True) / MANY).rsqrt()


@cache
def _scales(half_lives: tuple[float, ...]) -> Tensor:
    """(MAX_MET, scales): what a work or act weighs by its place, the latest last."""
    since = torch.arange(MAX_MET - 1, -1, -1, dtype=torch.float32)
    return torch.exp2(-since[:, None] / torch.tensor(half_lives))


def _mixed(log_weights: Tensor, half_lives: tuple[float, ...], count: int) -> Tensor:
    """(count,) weights of the latest works or acts, the latest last."""
    scales = _scales(half_lives)[MAX_MET - count :]
    # Term by term: a product of another shape may add in another order, and slates must not depend on their batch.
    return torch.stack([weight * scales[:, i] for i, weight in enumerate(log_weights.exp())]).sum(0)
