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
# Works of a part: so many that the calls do not show, so few that the shapes of a part are soon tried.
WIDTH_TOGETHER = 4_096
# So few that the part stays in the processor's cache from reader to reader.
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
    """With the vectors of n works, filled up to whole blocks with 0."""

    @property
    def shapes(self) -> Sequence[int]:
        """Numbers of readers, ascending, that can be asked for."""
        ...

    def into(self, states: Tensor, room: Tensor) -> None:
        """Write the products with B states into `room` (B, n filled up)."""
        ...

    def count_bytes(self) -> int:
        """What is kept besides the vectors themselves."""
        ...


class Together:
    """Of many readers at once: the least time for a batch."""

    def __init__(self, vectors: Tensor) -> None:
        self._parts = _cut(vectors, WIDTH_TOGETHER)

    @cached_property
    def shapes(self) -> list[int]:
        states = torch.randn(READERS_AT_ONCE, self._parts[0].shape[1], generator=torch.Generator().manual_seed(0))
        ends = self._parts[:1] + self._parts[-1:]
        return steady_shapes(lambda rows: _multiplied(states[rows], ends))

    def into(self, states: Tensor, room: Tensor) -> None:
        _multiply(states, self._parts, room)

    def count_bytes(self) -> int:
        return 0


class OneByOne:
    """Of each reader alone: the least time for a single one, about as long as it takes to read the vectors."""

    shapes = range(1, READERS_AT_ONCE + 1)

    def __init__(self, vectors: Tensor) -> None:
        # Of numpy: torch takes a third longer. And across: this way a product takes two thirds of the time.
        self._parts = [np.ascontiguousarray(part.numpy().T) for part in _cut(vectors, WIDTH_ALONE)]

    def into(self, states: Tensor, room: Tensor) -> None:
        start = 0
        for part in self._parts:
            end = start + part.shape[1]
            for state, row in zip(states.numpy(), room.numpy(), strict=True):
                np.dot(state, part, out=row[start:end])
            start = end

    def count_bytes(self) -> int:
        return sum(part.nbytes for part in self._parts)


def _cut(vectors: Tensor, width: int) -> list[Tensor]:
    parts = vectors.split(width) if len(vectors) else ()
    return [functional.pad(part, (0, 0, 0, -len(part) % BLOCK)) if len(part) % BLOCK else part for part in parts]


def _multiply(states: Tensor, parts: Sequence[Tensor], room: Tensor) -> None:
    start = 0
    for part in parts:
        end = start + len(part)
        torch.mm(states, part.T, out=room[:, start:end])
        start = end


def _multiplied(states: Tensor, parts: Sequence[Tensor]) -> Tensor:
    room = torch.empty(len(states), sum(map(len, parts)))
    _multiply(states, parts, room)
    return room


def steady_shapes(run: Callable[[slice], Tensor]) -> list[int]:
    """Numbers of readers, ascending, in which each gets the bits of the largest batch, wherever in the batch they are.

    `run`: what becomes of these of READERS_AT_ONCE readers, who should be unlike each other.
    """
    whole = run(slice(0, READERS_AT_ONCE))

    def is_steady(count: int) -> bool:
        starts = range(0, READERS_AT_ONCE, max(count, READERS_AT_ONCE // 8))
        return all(torch.equal(run(slice(start, start + count)), whole[start : start + count]) for start in starts)

    return [count for count in _SHAPES if count == READERS_AT_ONCE or is_steady(count)]
