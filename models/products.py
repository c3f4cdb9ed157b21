"""States times the vectors of all works, in parts, and each reader's numbers the same to the last bit in any batch.

A library for matrices picks its way of adding by the shape, and another way of adding gives other last bits. So either
readers are multiplied together in a shape that gives the bits of the largest batch, or each of them alone.
"""

import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.plackett_luce import BLOCK

# Readers whose works are scored together at most: so many that the steps between the products do not show.
READERS_AT_ONCE = 256
# Numbers of readers that are tried.
_SHAPES = (1, 2, 4, 8, 16, 32, 64, 128, READERS_AT_ONCE)
# Works of a part: so many that the calls do not show, so few that all readers' products stay in the processor's cache.
WIDTH_TOGETHER = 4_096
WIDTH_ALONE = 16_384


class Room(threading.local):
    """Memory for a matrix, in each thread the same in every call.

    New memory of such a size is given back to the system and taken anew each time, which costs as much as the product.
    """

    def __init__(self) -> None:
        self._numbers = torch.empty(0)

    def of(self, count: int, width: int) -> Tensor:
        """(count, width), of what it held before."""
        if len(self._numbers) < count * width:
            self._numbers = torch.empty(count * width)
        return self._numbers[: count * width].view(count, width)

    def count_bytes(self) -> int:
        """In this thread."""
        return self._numbers.numel() * self._numbers.element_size()


class Products(Protocol):
    """With the vectors of n works, cut into parts of `width`; the last is filled up to whole blocks only, with 0."""

    width: int

    def __len__(self) -> int: ...

    @property
    def shapes(self) -> Sequence[int]:
        """Numbers of readers, ascending, that can be asked for."""
        ...

    def of(self, states: Tensor, number: int) -> np.ndarray:
        """(B, works of the part), the caller's until the next call from the same thread."""
        ...

    def count_bytes(self) -> int:
        """What is kept besides the vectors themselves."""
        ...


class Together:
    """Of many readers at once: the least time for a batch."""

    def __init__(self, vectors: Tensor) -> None:
        self.width = WIDTH_TOGETHER
        self._parts = _cut(vectors, WIDTH_TOGETHER)
        self._room = Room()

    def __len__(self) -> int:
        return len(self._parts)

    @cached_property
    def shapes(self) -> list[int]:
        states = torch.randn(READERS_AT_ONCE, self._parts[0].shape[1], generator=torch.Generator().manual_seed(0))
        ends = self._parts[:1] + self._parts[-1:]
        return steady_shapes(lambda rows: torch.cat([states[rows] @ part.T for part in ends], dim=1))

    def of(self, states: Tensor, number: int) -> np.ndarray:
        part = self._parts[number]
        return torch.mm(states, part.T, out=self._room.of(len(states), len(part))).numpy()

    def count_bytes(self) -> int:
        return self._room.count_bytes()


class OneByOne:
    """Of each reader alone: the least time for a single one, about as long as it takes to read the vectors."""

    shapes = range(1, READERS_AT_ONCE + 1)

    def __init__(self, vectors: Tensor) -> None:
        self.width = WIDTH_ALONE
        # Of numpy: torch takes a third longer. And across: this way a product takes two thirds of the time.
        self._parts = [np.ascontiguousarray(part.numpy().T) for part in _cut(vectors, WIDTH_ALONE)]
        self._room = Room()

    def __len__(self) -> int:
        return len(self._parts)

    def of(self, states: Tensor, number: int) -> np.ndarray:
        part = self._parts[number]
        room = self._room.of(len(states), part.shape[1]).numpy()
        for state, row in zip(states.numpy(), room, strict=True):
            np.dot(state, part, out=row)
        return room

    def count_bytes(self) -> int:
        return self._room.count_bytes() + sum(part.nbytes for part in self._parts)


def _cut(vectors: Tensor, width: int) -> list[Tensor]:
    parts = vectors.split(width) if len(vectors) else ()
    return [functional.pad(part, (0, 0, 0, -len(part) % BLOCK)) if len(part) % BLOCK else part for part in parts]


def steady_shapes(run: Callable[[slice], Tensor]) -> list[int]:
    """Numbers of readers, ascending, in which each gets the bits of the largest batch, wherever in the batch they are.

    `run`: what becomes of these of READERS_AT_ONCE readers, who should be unlike each other.
    """
    whole = run(slice(0, READERS_AT_ONCE))

    def is_steady(count: int) -> bool:
        starts = range(0, READERS_AT_ONCE, max(count, READERS_AT_ONCE // 8))
        return all(torch.equal(run(slice(start, start + count)), whole[start : start + count]) for start in starts)

    return [count for count in _SHAPES if count == READERS_AT_ONCE or is_steady(count)]
