"""A supervised sequence model in the manner of SASRec (Kang and McAuley 2018): which work comes next?

Sampled softmax over shared negatives with log-q correction (Klenitskiy and Vasilev 2023; Petrov and Macdonald 2023),
the table of works started from the co-occurrence of works. Where the data has no order, each pass reads it in a new
one.

windows (W, L + 1) of rows --SequenceNet--> states (W, L, d) . work vectors --> the next row, at every place at once
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.baselines.cooccurrence import windows_of, work_vectors
from models.baselines.histories import popular_for_strangers, popularity, require_acts
from models.ranking_data import RankingData, ReaderBatch
from openshelf.errors import ModelError

READERS_AT_ONCE = 256
NEVER = 1e9
# States have length sqrt(dim) after the norm and vectors about 1: much sharper, and the start is torn up at once.
BIRTH_SHARPNESS = 0.3
HALF_LIFE_UNORDERED = 1e4  # acts: none is older than another


@dataclass(frozen=True)
class SequenceConfig:
    encoder: Literal["attention", "gru"] = "attention"
    """One causal self-attention block, or one GRU."""
    dim: int = 64
    """Length of work vectors and states."""
    length: int = 50
    """Acts looked at, the last ones."""
    heads: int = 2
    """Of the attention."""
    half_life_acts: float = field(default=5.0, metadata={"above": 0})
    """At birth, an act counts half once this many came after it, where there is an order; learned from there."""
    dropout: float = 0.3
    """Share of inputs dropped while training."""
    negatives: int = 1024
    """Works drawn as wrong for each batch of windows."""
    negatives_power: float = field(default=0.5, metadata={"at_least": 0, "at_most": 1})
    """They are drawn by popularity to this power; the log-q correction takes it out of the loss again."""
    epochs: int = 40
    """Passes over the acts, at most."""
    patience: int = 8
    """Stop after this many passes without a better rank of the acts held back."""
    batch: int = 64
    """Windows per step."""
    learning_rate: float = 0.002
    """Peak of the warm-up and linear decay of AdamW."""
    weight_decay: float = field(default=0.01, metadata={"at_least": 0})
    """AdamW's decay."""
    held_out: float = 0.1
    """Share of readers whose last act is kept for early stopping."""


class SequenceNet(nn.Module):
    def __init__(self, config: SequenceConfig, vectors: Tensor, half_life_acts: float = 1.0) -> None:
        """`vectors` (n, dim) and `half_life_acts` are where the table of works and the memory start."""
        super().__init__()
        dim = config.dim
        self.is_gru = config.encoder == "gru"
        self.heads = config.heads
        self.works = nn.Parameter(vectors.clone())
        self.bias = nn.Parameter(torch.zeros(len(vectors)))
        self.places = nn.Parameter(torch.randn(config.length, dim) * 0.02)
        self.dropout = nn.Dropout(config.dropout)
        if self.is_gru:
            self.gru = nn.GRU(dim, dim, batch_first=True)
        else:
            self.norm_in, self.norm_mid = nn.LayerNorm(dim), nn.LayerNorm(dim)
            self.mix, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
            self.wide, self.narrow = nn.Linear(dim, 2 * dim), nn.Linear(2 * dim, dim)
        self.norm = nn.LayerNorm(dim)
        self.memory = nn.Parameter(torch.tensor(1.0))
        self.log_half_life = nn.Parameter(torch.tensor(half_life_acts).log())
        self.sharpness = nn.Parameter(torch.tensor(BIRTH_SHARPNESS))
        # At birth the block adds nothing to what the vectors say.
        for layer in () if self.is_gru else (self.out, self.narrow):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, rows: Tensor) -> Tensor:
        """States (W, L, d) after each place of (W, L) rows, right-aligned, -1 is padding."""
        present = rows >= 0
        works = self.works[rows.clamp(min=0)] * present[..., None]
        memory = self._remember(works, present)
        x = self.dropout(works + self.places[-rows.shape[1] :] * present[..., None])
        if self.is_gru:
            return self.norm(x + self.dropout(self.gru(x)[0]) + self.memory * memory) * self.sharpness
        x = x + self.dropout(self.out(self._attend(self.norm_in(x), present)))
        x = x + self.dropout(self.narrow(functional.gelu(self.wide(self.norm_mid(x)))))
        return self.norm(x + self.memory * memory) * self.sharpness

    def _remember(self, works: Tensor, present: Tensor) -> Tensor:
        """(W, L, d) the sum of all so far, fading with every act since: what a reader likes whatever came last."""
        ages = torch.arange(works.shape[1])
        ages = ages[:, None] - ages
        weights = torch.exp2(-ages / self.log_half_life.exp()) * (ages >= 0)  # (L, L)
        total = (weights * present[:, None, :]).sum(2, keepdim=True)
        return weights @ works / total.clamp(min=1e-6).sqrt()

    def _attend(self, x: Tensor, present: Tensor) -> Tensor:
        count, length, dim = x.shape
        query, key, value = self.mix(x).view(count, length, 3, self.heads, dim // self.heads).unbind(2)
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        # Padding looks at itself, so that no row of the softmax is empty.
        looks = (causal & present[:, None, :]) | torch.eye(length, dtype=torch.bool)
        mixed = functional.scaled_dot_product_attention(
            query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), attn_mask=looks[:, None]
        )
        return mixed.transpose(1, 2).reshape(count, length, dim)


class SequenceRanker:
    """State after the last act, times the vectors of all works."""

    kind = "sequence"

    def __init__(self, book_ids: np.ndarray, net: SequenceNet, popular: np.ndarray) -> None:
        self._book_ids = book_ids
        self._net = net.eval()
        self._popular = popular

    @torch.no_grad()
    def scores(self, batch: ReaderBatch) -> np.ndarray:
        scores = np.empty((len(batch), len(self._book_ids)), dtype=np.float32)
        for start in range(0, len(batch), READERS_AT_ONCE):
            some = slice(start, start + READERS_AT_ONCE)
            states = self._states(batch.rows[some], is_ordered=batch.times is not None)
            scores[some] = (states @ self._net.works.T + self._net.bias).numpy()
        return popular_for_strangers(scores, (batch.rows >= 0).any(axis=1), self._popular)

    def _states(self, rows: np.ndarray, is_ordered: bool) -> Tensor:
        """(B, d) after the last acts; without an order no act is the last, so the mean over all pieces of a history."""
        length, (count, width) = len(self._net.places), rows.shape
        pieces = 1 if is_ordered else max(1, -(-width // length))
        padded = np.full((count, pieces * length), -1, dtype=np.int64)
        kept = min(width, pieces * length)
        padded[:, pieces * length - kept :] = rows[:, width - kept :]
        parts = torch.from_numpy(padded).view(count, pieces, length)
        present = (parts >= 0).sum(2).float()  # (B, pieces)
        states = torch.zeros(count, pieces, self._net.works.shape[1])
        states[present > 0] = self._net(parts[present > 0])[:, -1]
        return (states * present[..., None]).sum(1) / present.sum(1, keepdim=True).clamp(min=1)

    def tensors(self) -> dict[str, Tensor]:
        net = {f"net.{name}": tensor.detach().contiguous() for name, tensor in self._net.state_dict().items()}
        heads = {"heads": torch.tensor(self._net.heads), "popular": torch.from_numpy(self._popular)}
        return {"book_ids": torch.from_numpy(self._book_ids)} | heads | net


def fit_sequence(
    data: RankingData,
    config: SequenceConfig,
    seed: int,
    on_epoch: Callable[[int, dict[str, float]], None] | None = None,
) -> SequenceRanker:
    """The same seed gives the same model, with one torch thread."""
    require_acts(data, "sequence")
    if config.dim % config.heads:
        raise ModelError(f"sequence: dim {config.dim} is not a multiple of heads {config.heads}; change one of them")
    generator = np.random.default_rng(seed)
    popular = popularity(data)
    kept, probes = _hold_back(data, config, generator)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        half_life_acts = HALF_LIFE_UNORDERED if data.times is None else config.half_life_acts
        vectors = torch.from_numpy(work_vectors(kept, config.dim, seed))
        net = SequenceNet(config, vectors, half_life_acts)
        # The softmax starts as popularity, so the vectors need not learn it and lose their start.
        net.bias.data = torch.from_numpy(np.log(popular * data.count_readers + 1))
        _train(net, kept, probes, config, generator, on_epoch)
    return SequenceRanker(data.book_ids, net, popular)


def restore_sequence(tensors: dict[str, Tensor]) -> SequenceRanker:
    state = {name.removeprefix("net."): tensor for name, tensor in tensors.items() if name.startswith("net.")}
    length, dim = state["places"].shape
    encoder = "gru" if "gru.weight_ih_l0" in state else "attention"
    config = SequenceConfig(encoder=encoder, dim=dim, length=length, heads=int(tensors["heads"]))
    net = SequenceNet(config, torch.zeros_like(state["works"]))
    net.load_state_dict(state)
    return SequenceRanker(tensors["book_ids"].numpy(), net, tensors["popular"].numpy())


@dataclass(frozen=True)
class _Probes:
    """Acts held back, to know when to stop."""

    rows: Tensor  # (q, L) what came before
    targets: Tensor  # (q,)


def _hold_back(
    data: RankingData, config: SequenceConfig, generator: np.random.Generator
) -> tuple[RankingData, _Probes]:
    spans = data.spans
    able = np.flatnonzero(np.diff(spans) >= 3)
    held = np.sort(generator.permutation(able)[: int(len(able) * config.held_out)])
    rows = np.full((len(held), config.length), -1, dtype=np.int64)
    last = spans[held + 1] - 1
    if data.times is None:  # the last of no order is any one
        last = spans[held] + generator.integers(np.diff(spans)[held])
    keep = np.ones(len(data.rows), dtype=bool)
    keep[last] = False
    for i, number in enumerate(held.tolist()):
        mine = np.arange(*spans[number : number + 2].tolist())
        before = data.rows[mine[mine != last[i]]][-config.length :]
        rows[i, config.length - len(before) :] = before
    targets = torch.from_numpy(data.rows[last])
    times = None if data.times is None else data.times[keep]
    kept = replace(data, readers=data.readers[keep], rows=data.rows[keep], values=data.values[keep], times=times)
    return kept, _Probes(torch.from_numpy(rows), targets)


def _train(
    net: SequenceNet,
    data: RankingData,
    probes: _Probes,
    config: SequenceConfig,
    generator: np.random.Generator,
    on_epoch: Callable[[int, dict[str, float]], None] | None,
) -> None:
    """Until the probes' ranks stop getting better; `net` ends with its best weights."""
    proposal = _proposal(data, config)
    table = [parameter for name, parameter in net.named_parameters() if name in {"works", "bias"}]
    rest = [parameter for name, parameter in net.named_parameters() if name not in {"works", "bias"}]
    groups = [{"params": table, "weight_decay": 0.0}, {"params": rest, "weight_decay": config.weight_decay}]
    optimiser = torch.optim.AdamW(groups, lr=config.learning_rate)
    count_steps = max(1, -(-len(windows_of(data, config.length, generator)) // config.batch)) * config.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / (0.05 * count_steps + 1), max(0.0, 1 - step / (count_steps + 1)))
    )
    # What the vectors say at birth counts too: training has to be better than none.
    best, best_state, since = _quality(net, probes), _copy(net), 0
    for epoch in range(config.epochs):
        windows = windows_of(data, config.length, generator)
        windows = torch.from_numpy(windows[generator.permutation(len(windows))])
        losses = []
        net.train()
        for some in windows.split(config.batch):
            negatives = torch.from_numpy(np.searchsorted(proposal.cumsum(), generator.random(config.negatives)))
            loss = _loss(net, some, negatives.clamp(max=len(proposal) - 1), proposal)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        quality = _quality(net, probes)
        if on_epoch:
            on_epoch(epoch, {"loss/next_work": float(np.mean(losses)), "held_back/ndcg": quality})
        if quality > best:
            best, since = quality, 0
            best_state = _copy(net)
        elif (since := since + 1) >= config.patience:
            break
    net.load_state_dict(best_state)


def _copy(net: SequenceNet) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in net.state_dict().items()}


def _proposal(data: RankingData, config: SequenceConfig) -> np.ndarray:
    weights = np.bincount(data.rows, minlength=data.count_works).astype(np.float64) ** config.negatives_power
    return weights / weights.sum()


def _loss(net: SequenceNet, windows: Tensor, negatives: Tensor, proposal: np.ndarray) -> Tensor:
    """Mean cross-entropy of the next work against the negatives, log-q corrected."""
    inputs, targets = windows[:, :-1], windows[:, 1:]
    at = (targets >= 0) & (inputs >= 0)
    states, targets = net(inputs)[at], targets[at]  # (p, d), (p,)
    log_q = torch.from_numpy(np.log(proposal * len(negatives) + 1e-12)).float()
    right = (states * net.works[targets]).sum(1) + net.bias[targets]
    wrong = states @ net.works[negatives].T + net.bias[negatives] - log_q[negatives]
    wrong = wrong.masked_fill(negatives == targets[:, None], -NEVER)
    return (torch.logaddexp(right, wrong.logsumexp(1)) - right).mean()


@torch.no_grad()
def _quality(net: SequenceNet, probes: _Probes) -> float:
    """Mean 1 / log2(1 + rank) of the acts held back, among works not met: steadier than a rank cut at 10."""
    if not len(probes.targets):
        return 0.0
    net.eval()
    logits = net(probes.rows)[:, -1] @ net.works.T + net.bias
    right = logits.gather(1, probes.targets[:, None])
    is_better = (logits > right).float()
    is_better.scatter_(1, probes.rows.clamp(min=0), 0.0)
    return float((1 / (2 + is_better.sum(1)).log2()).mean())
