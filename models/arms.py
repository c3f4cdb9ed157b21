"""What ranks works for readers when serving: the policy, or any fitted baseline in its place. No I/O.

StateBatch (B, L) --Scorer.masses--> masses (B, n) over one catalogue, to draw slates from.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from math import e, log2
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.memory import EndToEnd, Heard, Memory
from models.plackett_luce import BLOCK, BOUND, NOT_DRAWABLE, Excluded, Masses, block_sums
from models.policy import Policy
from models.products import READERS_AT_ONCE, OneByOne, Room, Together, steady_shapes
from models.ranking_data import Ranker, ReaderBatch
from models.states import GAP_EDGES_S, Catalogue, StateBatch, filled_up, random_states, taken

# From so many works on, how soon a single reader is served counts for more than how many are.
LARGE_FROM_WORKS = 200_000
# Numbers that are worked on at once: they stay in the processor's cache from product to mass.
_NUMBERS_AT_ONCE = 131_072
# e ** BOUND is 2 to the power of this: powers of two take a third to a half of the time of powers of e.
_BOUND_OF_TWO = BOUND * log2(e)
# How decidedly a baseline's best works are preferred: logits are standard deviations of its scores times this.
SHARPNESS = 3.0


class Scorer(Protocol):
    vectors: np.ndarray  # (n, d) of the works, of any length: what lies near what, to give reasons

    def masses(self, batch: StateBatch, excluded: Excluded) -> tuple[Masses, np.ndarray]:
        """(0 for what is excluded, the caller's to change; (B,) whether it knows enough of the reader to rank).

        For at most READERS_AT_ONCE readers; several threads may ask. The masses are good until the next call of the
        same thread.
        """
        ...


class PolicyScorer:
    """`is_large`: multiply for each reader alone; unset: in large catalogues."""

    def __init__(self, policy: Policy, catalogue: Catalogue, *, is_large: bool | None = None) -> None:
        count = len(catalogue.book_ids)
        is_large = count >= LARGE_FROM_WORKS if is_large is None else is_large
        with torch.inference_mode():
            items = policy.eval().items(catalogue)
            self._items = replace(items, memory=Memory.none(count))
            # The works as those of a set, and then as those of a sequence.
            self._memory = EndToEnd.of(items.memory.together, items.memory.next)
            self.products = OneByOne(items.vectors) if is_large else Together(items.vectors)
            can_draw = items.bias > NOT_DRAWABLE / 2
            width = -(-count // BLOCK) * BLOCK
            self._bias = np.zeros(width, dtype=np.float32)
            self._bias[:count] = torch.where(can_draw, items.bias, 0).numpy() / BOUND
            # What is no work, and works that may not be drawn.
            self._never = np.append(np.flatnonzero(~can_draw.numpy()), np.arange(count, width))
            self._policy = _without_works(policy)
            self._scale = self._policy.log_sharpness.exp() / BOUND
        self._room = Room()
        self.vectors = items.vectors.numpy()

    def count_bytes(self) -> int:
        """What it keeps in memory: vectors, biases, memory, network, and room for masses."""
        tensors = [self._items.vectors, self._items.bias, *self._policy.state_dict().values()]
        kept = self._bias.nbytes + self.products.count_bytes() + self._memory.count_bytes() + self._room.count_bytes()
        return kept + sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    @torch.inference_mode()
    def masses(self, batch: StateBatch, excluded: Excluded) -> tuple[Masses, np.ndarray]:
        """exp(BOUND * tanh((sharpness * state . vector + bias + what memory says) / BOUND)), as Policy.rank has it."""
        states = self.states(batch)
        values = self._room.of(len(states), len(self._bias))
        self.products.into(states, values)
        values = values[: len(batch.rows)]
        self.finish(values, self.heard(batch))
        _take_out(values.numpy(), excluded)
        return Masses(values, block_sums(values)), np.any(batch.rows >= 0, axis=1)

    @torch.inference_mode()
    def states(self, batch: StateBatch) -> Tensor:
        """(B or more, d) scaled as the products need them, and filled up to a shape: see `models.products`."""
        count = len(batch.rows)
        of_states, of_products = (next(shape for shape in each if shape >= count) for each in self._shapes)
        states = self._policy.encode(self._items, filled_up(batch, of_states))[:count] * self._scale
        return functional.pad(states, (0, 0, 0, of_products - count))

    @torch.inference_mode()
    def heard(self, batch: StateBatch) -> Heard:
        """What the memory says of all works met, and of the last acts."""
        of_acts = np.where(batch.rows >= 0, batch.rows + len(self.vectors), -1)
        rows = torch.from_numpy(np.concatenate([batch.met, of_acts], axis=1))
        weights = torch.cat(self._policy.memory_weights(batch), dim=1) / BOUND
        return self._memory.heard(rows, weights, len(self._bias))

    @torch.inference_mode()
    def finish(self, values: Tensor, heard: Heard) -> None:
        """From products to masses, in place: a few readers at a time, whose numbers stay in the processor's cache."""
        readers_at_once = max(1, _NUMBERS_AT_ONCE // max(len(self._bias), 1))
        for start in range(0, len(values), readers_at_once):
            some = values[start : start + readers_at_once]
            raw = some.numpy()
            raw += self._bias
            heard.add_to(values, start, start + len(some))
            for part in some.view(-1).split(_NUMBERS_AT_ONCE):
                # Of each function the faster one, of numpy's and torch's.
                numbers = part.numpy()
                np.tanh(numbers, out=numbers)
                numbers *= _BOUND_OF_TWO
                part.exp2_()
            raw[:, self._never] = 0

    @cached_property
    @torch.inference_mode()
    def _shapes(self) -> tuple[Sequence[int], Sequence[int]]:
        """Of the states, and of the products."""
        restless, batch = _restless(self._policy), random_states(READERS_AT_ONCE, len(self.vectors))
        of_states = steady_shapes(lambda rows: restless.encode(self._items, taken(batch, rows)))
        return of_states, self.products.shapes


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
        readers = reader_batch(batch, self._own_row)
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


def _restless(policy: Policy) -> Policy:
    """The same network with other numbers: what one that learned little adds is too small to show its last bits."""
    other = type(policy)(policy.config, policy.adapter, policy.known_ids[:0])
    generator = torch.Generator().manual_seed(0)
    for parameter in other.parameters():
        parameter.normal_(0, 0.3, generator=generator)
    return other.eval()


def _without_works(policy: Policy) -> Policy:
    """The same network without what it holds of single works, which `items` has taken over: most of its memory."""
    slim = type(policy)(policy.config, policy.adapter, policy.known_ids[:0])
    own = slim.state_dict()
    kept = {name: tensor for name, tensor in policy.state_dict().items() if own[name].shape == tensor.shape}
    slim.load_state_dict(kept, strict=False)
    return slim.eval()
