"""Slates without replacement (Plackett-Luce), and what each place's probability was. Pure.

    logits (B, n) --exp--> mass (B, n) --blocks--> sums (B, blocks) --draw--> slates (B, k), probabilities

Drawing with replacement and passing over what was drawn already is exactly Plackett-Luce. Each draw is one uniform
number, sent to its block of works by the sums of the blocks and to its work by the sums within; so a slate costs one
pass over the works for their masses and next to nothing for the drawing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

# Logits lie within +-BOUND, so no work's probability is ever zero and no exponential or sum overflows.
BOUND = 40.0
# The logit of what may not be drawn: finite, so that gradients stay finite too.
NOT_DRAWABLE = -1e9
# Works whose masses are summed together.
BLOCK = 64
# Far below the mass of any work: keeps logarithms finite.
_NO_MASS = 1e-60
# Works taken out of the masses and what is needed to put them back: reader, row, mass, sum of the block before.
_Zeroed = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
# Tries at a uniform pick before the works that are left are listed.
_TRIES = 8


@dataclass(frozen=True)
class Drawn:
    rows: Tensor  # (B, k) int64 catalogue rows; -1 where nothing was left to draw
    log_pi: Tensor  # (B, k) Plackett-Luce log-probability given the places above, without exploring
    propensity: Tensor  # (B, k) float64 probability with exploring: what is logged
    explored: Tensor  # (B, k) bool: this place was drawn uniformly


@dataclass(frozen=True)
class Noise:
    """The randomness of B slates, made outside: the same noise gives the same slates. All uniform in [0, 1)."""

    order: np.ndarray  # (B, (2 + k) * k) which works, in Plackett-Luce order
    explore: np.ndarray  # (B, k) below the explore share, the place is drawn uniformly
    pick: np.ndarray  # (B, k, tries + 1) which of the remaining works then


@dataclass(frozen=True)
class Excluded:
    """What may not be drawn, as rows: for a few works of many readers a mask would be far larger."""

    rows: np.ndarray  # (B, m) int64, no row twice, -1 is padding
    count_works: int


@dataclass(frozen=True)
class Masses:
    """What slates are drawn from; 0 is never drawn."""

    values: Tensor  # (B, n filled up to whole blocks) exp of the logits
    sums: Tensor  # (B, blocks) of each BLOCK values

    @classmethod
    def of(cls, logits: Tensor) -> "Masses":
        filled = -logits.shape[1] % BLOCK
        values = functional.pad(logits.exp(), (0, filled)) if filled else logits.exp().contiguous()
        return cls(values, block_sums(values))


def block_sums(values: Tensor) -> Tensor:
    return values.unflatten(-1, (-1, BLOCK)).sum(-1)


def slate_noise(seeds: list[int], size: int) -> Noise:
    """Noise of each slate from its own seed, whatever other slates share the batch."""
    count_order, count_pick = (2 + size) * size, size * (_TRIES + 1)
    table = _uniforms(seeds, count_order + size + count_pick)
    order, explore, pick = np.split(table, [count_order, count_order + size], axis=1)
    return Noise(order, explore, pick.reshape(len(seeds), size, _TRIES + 1))


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

    Each place is, with probability `explore`, uniform over the remaining allowed works instead. `logits` (B, n) within
    +-BOUND or NOT_DRAWABLE; `allowed` (B, n) bool; `given` (B, k) rows or -1.

    Raises:
        ValueError: a logit is not a number, or far above BOUND.
    """
    masses = Masses.of(logits.masked_fill(~allowed, NOT_DRAWABLE))
    return draw_from(masses, allowed, size, explore=explore, noise=noise, given=given)


def draw_from(
    masses: Masses,
    allowed: Tensor | Excluded,
    size: int,
    *,
    explore: float = 0.0,
    noise: Noise | None = None,
    given: Tensor | None = None,
) -> Drawn:
    """`draw` from masses in which what is not allowed is 0 already."""
    values, sums = masses.values, masses.sums
    if not np.isfinite(sums.detach().numpy()).all():
        raise ValueError(f"logits must be numbers no larger than {BOUND:.0f}")
    if given is None:
        assert noise is not None  # one of the two says which slates
        return _sampled(values.detach().numpy(), sums.detach().numpy(), allowed, size, explore, noise)
    is_place = given >= 0
    chosen = (values.gather(1, given.clamp(min=0)) * is_place).double()
    remaining = chosen.flip(1).cumsum(1).flip(1) + _never_chosen(values, sums, given)[:, None]
    remaining = remaining.clamp(min=_NO_MASS)
    log_pi = (chosen.clamp(min=_NO_MASS).log() - remaining.log()).to(values.dtype) * is_place
    left = (torch.from_numpy(_count_allowed(allowed))[:, None] - torch.arange(given.shape[1])).clamp(min=1)
    propensity = explore / left.double() + (1 - explore) * chosen / remaining
    return Drawn(given, log_pi, propensity, torch.zeros_like(given, dtype=torch.bool))


def _sampled(
    values: np.ndarray, sums: np.ndarray, allowed: Tensor | Excluded, size: int, explore: float, noise: Noise
) -> Drawn:
    """Slates and the same probabilities as of given ones, step by step; without gradients, numpy is much faster."""
    sums = sums.astype(np.float64)
    rows = _plackett_luce_order(values, sums, size, noise.order)
    rows, explored = _exploring(rows, noise.explore < explore, allowed, noise)
    is_place = rows >= 0
    reader = np.arange(len(rows))[:, None]
    chosen = np.where(is_place, values[reader, rows], 0.0).astype(np.float64)
    # The mass of what is in no place: with the places zeroed, see `_never_chosen`.
    zeroed = _zero(values, sums, np.arange(len(rows)), rows)
    remaining = np.maximum(chosen[:, ::-1].cumsum(1)[:, ::-1] + sums.sum(1)[:, None], _NO_MASS)
    _put_back(values, sums, zeroed)
    log_pi = (np.log(np.maximum(chosen, _NO_MASS)) - np.log(remaining)).astype(np.float32) * is_place
    left = np.maximum(_count_allowed(allowed)[:, None] - np.arange(size), 1)
    propensity = explore / left + (1 - explore) * chosen / remaining
    return Drawn(*(torch.from_numpy(each) for each in (rows, log_pi, propensity, explored & is_place)))


def _count_allowed(allowed: Tensor | Excluded) -> np.ndarray:
    if isinstance(allowed, Excluded):
        return allowed.count_works - (allowed.rows >= 0).sum(1)
    return allowed.sum(1).numpy()


def _never_chosen(values: Tensor, sums: Tensor, rows: Tensor) -> Tensor:
    """(B,) float64 mass of the works that are in no place.

    Blocks that hold a place are summed anew without it: taking it off the sum would cancel when it is most of it.
    """
    is_place = rows >= 0
    block = rows.clamp(min=0) // BLOCK
    inside = values.unflatten(1, (-1, BLOCK)).gather(1, block[..., None].expand(-1, -1, BLOCK))  # (B, k, BLOCK)
    is_same = (block[:, :, None] == block[:, None, :]) & is_place[:, None, :]  # place l lies in the block of place j
    offset = torch.where(is_same, (rows - block * BLOCK)[:, None, :], BLOCK)
    inside = functional.pad(inside, (0, 1)).scatter(2, offset, 0.0)[..., :BLOCK].sum(2)
    # A block with several places counts once; a block of padding is left as it is.
    is_first = is_place & ~is_same.tril(-1).any(2)
    others = functional.pad(sums, (0, 1)).scatter(1, torch.where(is_place, block, sums.shape[1]), 0.0)
    return others.double().sum(1) + (inside * is_first).double().sum(1)


def _exploring(
    rows: np.ndarray, explored: np.ndarray, allowed: Tensor | Excluded, noise: Noise
) -> tuple[np.ndarray, np.ndarray]:
    """The slates with uniform works in the places that explore."""
    waiting = np.asarray(explored.any(1))
    if isinstance(allowed, Excluded):
        # Where the first tries are works that are free, in no place and unlike each other, the others make room.
        tries = (noise.pick[:, :, 0] * allowed.count_works).astype(np.int64)
        is_whole = np.asarray((rows >= 0).all(1))
        i, place = np.nonzero(explored & is_whole[:, None])
        row = tries[i, place]
        is_taken = (rows[i] == row[:, None]).any(1) | (allowed.rows[i] == row[:, None]).any(1)
        tries = np.where(explored, tries, -1 - np.arange(tries.shape[1]))
        is_twice = (np.diff(np.sort(tries, axis=1), axis=1) == 0).any(1)
        is_easy = waiting & is_whole & ~is_twice
        is_easy[i[is_taken]] = False
        of_order = (~explored[is_easy]).cumsum(1) - 1
        moved = np.take_along_axis(rows[is_easy], of_order.clip(min=0), 1)
        rows[is_easy] = np.where(explored[is_easy], tries[is_easy], moved)
        waiting = waiting & ~is_easy
    for i in np.flatnonzero(waiting).tolist():
        rows[i], explored[i] = _pick_exploring(rows[i], explored[i], _Remaining(allowed, i), noise.pick[i])
    return rows, explored


def _plackett_luce_order(mass: np.ndarray, sums: np.ndarray, size: int, uniforms: np.ndarray) -> np.ndarray:
    """(B, size) works in the order in which they first come up; -1 where no mass is left.

    Most slates are full after the first 2 * size draws. In the others, what was taken is zeroed (and put back at the
    end) and the drawing goes on from the sums of what remains.
    """
    rows = np.full((len(mass), size), -1, dtype=np.int64)
    count = np.zeros(len(mass), dtype=np.int64)
    unfinished = np.arange(len(mass))
    zeroed: list[_Zeroed] = []
    start, end = 0, 2 * size
    while len(unfinished) and start < uniforms.shape[1]:
        found = _with_replacement(mass, sums, unfinished, uniforms[unfinished, start:end])
        _take_first(rows, count, unfinished, found)
        short = count[unfinished] < size
        unfinished = unfinished[short & (found >= 0).any(1)]
        start, end = end, end + size
        if len(unfinished):
            zeroed.append(_zero(mass, sums, unfinished, rows[unfinished]))
    for each in reversed(zeroed):
        _put_back(mass, sums, each)
    return rows


def _with_replacement(mass: np.ndarray, sums: np.ndarray, which: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
    """(len(which), draws) works, each drawn on its own; -1 where it hit nothing."""
    edges = _cumsum(sums if len(which) == len(sums) else sums[which])
    aim = uniforms * edges[:, -1:]
    block = _position(edges, aim)
    here = np.arange(len(which))[:, None]
    within = aim - np.where(block > 0, edges[here, block - 1], 0.0)
    inner = _cumsum(_blocks(mass, which[:, None], block))
    # The sum of the block was rounded on its own: its end is where the last of its works ends.
    within = np.minimum(within, np.nextafter(inner[..., -1], 0))
    row = block * BLOCK + _position(inner, within[..., None])[..., 0]
    return np.where(mass[which[:, None], row] > 0, row, -1)


def _blocks(mass: np.ndarray, reader: np.ndarray, block: np.ndarray) -> np.ndarray:
    """(..., BLOCK) the masses of these blocks of these readers."""
    return mass.reshape(-1, BLOCK).take(reader * (mass.shape[1] // BLOCK) + block, axis=0)


# In float64, along the last axis; torch takes a fifth of numpy's time for it.
def _cumsum(numbers: np.ndarray) -> np.ndarray:
    return torch.from_numpy(numbers).cumsum(-1, dtype=torch.float64).numpy()


def _position(edges: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Which of the intervals that end at these edges each point lies in."""
    found = torch.searchsorted(torch.from_numpy(edges), torch.from_numpy(points), right=True).numpy()
    return np.minimum(found, edges.shape[-1] - 1)


def _take_first(rows: np.ndarray, count: np.ndarray, which: np.ndarray, found: np.ndarray) -> None:
    """Append to `rows` what is found for the first time."""
    is_later = ~np.tri(found.shape[1], dtype=bool)
    is_again = ((found[:, :, None] == found[:, None, :]) & is_later).any(1)
    is_new = ~is_again & (found >= 0)
    place = count[which, None] + is_new.cumsum(1) - 1
    i, draws = np.nonzero(is_new & (place < rows.shape[1]))
    rows[which[i], place[i, draws]] = found[i, draws]
    count[which] = np.minimum(count[which] + is_new.sum(1), rows.shape[1])


def _zero(mass: np.ndarray, sums: np.ndarray, which: np.ndarray, taken: np.ndarray) -> _Zeroed:
    """Take these works out, and sum their blocks anew."""
    i, place = np.nonzero(taken >= 0)
    at, row = which[i], taken[i, place]
    block = row // BLOCK
    value, before = mass[at, row], sums[at, block]
    mass[at, row] = 0.0
    sums[at, block] = torch.from_numpy(_blocks(mass, at, block)).sum(1, dtype=torch.float64).numpy()
    return at, row, value, before


def _put_back(mass: np.ndarray, sums: np.ndarray, zeroed: _Zeroed) -> None:
    at, row, value, before = zeroed
    mass[at, row], sums[at, row // BLOCK] = value, before


class _Remaining:
    """The works of one slate that may still be drawn."""

    def __init__(self, allowed: Tensor | Excluded, i: int) -> None:
        if isinstance(allowed, Excluded):
            self._count = allowed.count_works
            self._is_allowed = None
            self._taken = set(allowed.rows[i].tolist())
        else:
            self._is_allowed = allowed[i].numpy()
            self._count = len(self._is_allowed)
            self._taken = set()

    def pick(self, uniforms: list[float]) -> int | None:
        """Tries at random, so that nothing is listed as long as most works remain."""
        for uniform in uniforms[:-1]:
            row = int(uniform * self._count)
            if row not in self._taken and (self._is_allowed is None or self._is_allowed[row]):
                return row
        is_left = np.ones(self._count, dtype=bool)
        if self._is_allowed is not None:
            is_left &= self._is_allowed
        is_left[[row for row in self._taken if row >= 0]] = False
        left = np.flatnonzero(is_left)
        return int(left[int(uniforms[-1] * len(left))]) if len(left) else None

    def first_of(self, queue: Iterator[int]) -> int | None:
        return next((row for row in queue if row not in self._taken), None)

    def take(self, row: int) -> None:
        self._taken.add(row)


def _pick_exploring(
    order: np.ndarray, wanted: np.ndarray, remaining: _Remaining, pick: np.ndarray
) -> tuple[list[int], list[bool]]:
    """One slate with uniform places among those of the order (which stays Plackett-Luce on what is left)."""
    queue = iter([row for row in order.tolist() if row >= 0])
    chosen: list[int] = []
    explored: list[bool] = []
    for place, is_random in enumerate(wanted.tolist()):
        row = remaining.pick(pick[place].tolist()) if is_random else remaining.first_of(queue)
        if row is None:
            break
        chosen.append(row)
        explored.append(is_random)
        remaining.take(row)
    short = len(order) - len(chosen)
    return chosen + [-1] * short, explored + [False] * short


def _uniforms(seeds: list[int], count: int) -> np.ndarray:
    """(B, count) float64 in [0, 1): SplitMix64 (Steele, Lea and Flood 2014), all seeds at once."""
    low = np.array([(seed ^ (seed >> 64)) & (2**64 - 1) for seed in seeds], dtype=np.uint64)
    start = _mixed(low + _GOLDEN)
    step = np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN
    return (_mixed(start[:, None] + step) >> np.uint64(11)) * 2.0**-53


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mixed(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
