"""What ranks works for readers when serving: the policy, or any fitted baseline in its place. No I/O.

StateBatch (B, L) --Scorer.masses--> masses (B, n) over one catalogue, to draw slates from.
"""

from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from models.plackett_luce import BLOCK, BOUND, NOT_DRAWABLE, Excluded, Masses, block_sums
from models.policy import Policy
from models.ranking_data import Ranker, ReaderBatch
from models.states import GAP_EDGES_S, Catalogue, StateBatch, first_of

# Works scored together, whole blocks: their numbers stay in the processor's cache from vectors to masses.
WORKS_AT_ONCE = 1_024
# From so many works on, half precision where the processor multiplies in it: the logits are then about 0.2 % off, and
# the probabilities still exactly those of the logits drawn from.
HALF_FROM_WORKS = 50_000
# How decidedly a baseline's best works are preferred: logits are standard deviations of its scores times this.
SHARPNESS = 3.0


class Scorer(Protocol):
    vectors: np.ndarray  # (n, d) of the works, of any length: what lies near what, to give reasons

    def masses(self, batch: StateBatch, excluded: Excluded) -> tuple[Masses, np.ndarray]:
        """(0 for what is excluded, the caller's to change; (B,) whether it knows enough of the reader to rank).

        For as many readers as `excluded` has, the first of the batch; the others are there to fill it. The masses are
        good until the next call.
        """
        ...


class PolicyScorer:
    """`is_half`: multiply in bfloat16; unset: in large catalogues where the processor can."""

    def __init__(self, policy: Policy, catalogue: Catalogue, *, is_half: bool | None = None) -> None:
        with torch.inference_mode():
            self._items = policy.eval().items(catalogue)
            count = len(catalogue.book_ids)
            if is_half is None:
                is_half = count >= HALF_FROM_WORKS and bool(torch.cpu.get_capabilities().get("amx_bf16"))
            # Held so that each part's transpose is contiguous: the product reads it a third faster.
            across = self._items.vectors.T.to(torch.bfloat16 if is_half else torch.float32)
            self._parts = []
            for start in range(0, count, WORKS_AT_ONCE):
                end = start + WORKS_AT_ONCE
                vectors = across[:, start:end].contiguous().T
                self._parts.append(replace(self._items, vectors=vectors, bias=self._items.bias[start:end]))
            self._policy = _without_works(policy)
        self._count = count
        self._room: tuple[Tensor, Tensor] | None = None
        self.vectors = self._items.vectors.numpy()

    def count_bytes(self) -> int:
        """What it keeps in memory: vectors for the state and for the logits, biases, memory, network."""
        memory = self._items.memory
        tensors = [self._items.vectors, self._items.bias, *self._policy.state_dict().values()]
        tensors += [part.vectors for part in self._parts]
        tensors += [t for each in (memory.together, memory.next) for t in (each.rows, each.weights)]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    @torch.inference_mode()
    def masses(self, batch: StateBatch, excluded: Excluded) -> tuple[Masses, np.ndarray]:
        count = len(excluded.rows)
        states = self._policy.encode(self._items, batch)
        values, remembered = self._room_for(count)
        self._policy.remembered(self._items, first_of(batch, count), onto=remembered.zero_())
        for number, items in enumerate(self._parts):
            start = number * WORKS_AT_ONCE
            logits = self._policy.logits(states, items, remembered[:, start : start + WORKS_AT_ONCE])
            # In place and then copied: into a slice of a wider matrix, the exponential is twenty times slower.
            values[:, start : start + logits.shape[1]] = logits.exp_()
        _take_out(values.numpy(), excluded)
        return Masses(values, block_sums(values)), np.any(batch.rows[:count] >= 0, axis=1)

    def _room_for(self, count: int) -> tuple[Tensor, Tensor]:
        """(count, n) for masses, filled up to whole blocks with 0, and for the memory: the same for every call.

        New room of this size is given back to the system and taken anew each time, which costs as much as the product.
        """
        if self._room is None or len(self._room[0]) < count:
            values = torch.zeros(count, -(-self._count // BLOCK) * BLOCK)
            self._room = values, torch.empty(count, self._count)
        values, remembered = self._room
        return values[:count], remembered[:count]


def _take_out(values: np.ndarray, excluded: Excluded) -> None:
    reader, column = np.nonzero(excluded.rows >= 0)
    values[reader, excluded.rows[reader, column]] = 0


class RankerScorer:
    """A baseline as an arm: its scores over the works it knows, standardised per reader, times `sharpness`.

    Works it does not know (they came after it was trained) get its lowest score: nothing speaks for them, and they may
    still be drawn. It knows a reader by glad acts on works it knows; of another it says nothing.
    """

    def __init__(self, ranker: Ranker, catalogue: Catalogue, sharpness: float = SHARPNESS) -> None:
        self._ranker, self._sharpness = ranker, sharpness
        own_ids = ranker.tensors()["book_ids"].numpy()
        at = np.searchsorted(own_ids, catalogue.book_ids).clip(max=max(len(own_ids) - 1, 0))
        is_known = own_ids[at] == catalogue.book_ids if len(own_ids) else np.zeros(len(at), dtype=bool)
        self._known = np.flatnonzero(is_known)  # rows of the catalogue
        self._own = at[is_known]  # the ranker's rows of the same works
        self._own_row = np.append(np.where(is_known, at, -1), -1)  # by row of the catalogue; the last is for row -1
        self.vectors = catalogue.texts

    def masses(self, batch: StateBatch, excluded: Excluded) -> tuple[Masses, np.ndarray]:
        readers = reader_batch(first_of(batch, len(excluded.rows)), self._own_row)
        logits, can_rank = self._logits(readers)
        reader, column = np.nonzero(excluded.rows >= 0)
        logits[reader, excluded.rows[reader, column]] = NOT_DRAWABLE
        return Masses.of(torch.from_numpy(logits)), can_rank

    def _logits(self, readers: ReaderBatch) -> tuple[np.ndarray, np.ndarray]:
        can_rank = np.any(readers.rows >= 0, axis=1)
        logits = np.zeros((len(readers), len(self._own_row) - 1), dtype=np.float32)
        if not can_rank.any():
            return logits, can_rank
        scores = self._ranker.scores(readers)[:, self._own]
        deviation = scores.std(1, keepdims=True)
        # The same score for every work is no ranking; what is not a number stays so, and is refused by who draws.
        can_rank = can_rank & (deviation[:, 0] != 0)
        scores = (scores - scores.mean(1, keepdims=True)) / np.where(deviation == 0, 1, deviation)
        # Bounded by a curve, not a cut: the order of the best works stays.
        scores = BOUND * np.tanh(scores * (self._sharpness / BOUND))
        logits[:] = scores.min(1, keepdims=True)
        logits[:, self._known] = scores
        return logits, can_rank


def reader_batch(batch: StateBatch, own_row: np.ndarray) -> ReaderBatch:
    """The glad acts of these readers as a ranker knows them: each work once, where it was last met, as glad as ever.

    `own_row` (n + 1,): the ranker's row of each catalogue row, the last for row -1. Times are in seconds before now, as
    coarse as the batch has them.
    """
    rows = np.where(batch.rewards > 0, own_row[batch.rows], -1)
    values, times = np.zeros(rows.shape, dtype=np.float32), np.zeros(rows.shape)
    kept = np.full(rows.shape, -1, dtype=np.int64)
    since = -np.concatenate([[0.0], GAP_EDGES_S])[batch.gaps]
    for i, own in enumerate(rows):
        place, met = rows.shape[1], {}
        for j in np.flatnonzero(own >= 0)[::-1].tolist():
            if own[j] not in met:
                place -= 1
                met[own[j]] = place
                kept[i, place], times[i, place] = own[j], since[i, j]
            here = met[own[j]]
            values[i, here] = max(values[i, here], batch.rewards[i, j])
    return ReaderBatch(np.full(len(rows), -1), kept, values, times)


def _without_works(policy: Policy) -> Policy:
    """The same network without what it holds of single works, which `items` has taken over: most of its memory."""
    slim = type(policy)(policy.config, policy.adapter, policy.known_ids[:0])
    own = slim.state_dict()
    kept = {name: tensor for name, tensor in policy.state_dict().items() if own[name].shape == tensor.shape}
    slim.load_state_dict(kept, strict=False)
    return slim.eval()
