"""What would another policy have earned with these readers? Estimates from logged slates, each with its doubt. Pure.

Every estimate weighs logged rewards by how much likelier the target policy is to show what was shown. They differ in
what they believe of readers:

- `ips`, `snips`: nothing. The weight is that of the whole slate (SNIPS: divided by the sum of the weights, Swaminathan
  and Joachims 2015). Right for any reader, and too noisy for all but near policies.
- `independent`: a place's reward hangs on its work alone. Each place is weighted given the places above as logged, so
  the works that stand above are the logger's: in a catalogue much larger than a slate that makes no difference.
- `cascade`: readers go down the slate, so a reward may hang on the places above too, not on those below. The weight is
  the product down to the place (RIPS: McInerney et al., KDD 2020).
- `dr`, `cascade_dr`: the weights of `independent` and `cascade`, around a reward model that takes the guessable part of
  the reward out of the noise (doubly robust: Dudik et al. 2011; for cascades: Kiyohara et al. 2022).

The pseudo-inverse estimator (Swaminathan et al. 2017) is not here: for Plackett-Luce it needs the logger's joint
probability of every pair of works at every pair of places, which no log holds and no closed form gives.
"""

from dataclasses import dataclass

import numpy as np

# Importance weights are cut here: a little bias against a lot of noise.
WEIGHT_CAP = 10.0
# Below so many effective places (or slates, where one weight spans places), or readers, nothing can be told.
MIN_EFFECTIVE = 100
MIN_READERS = 10
# The weights of a policy whose works the log holds average 1; further off than this, the log does not fit the policy.
MIN_COVERED, MAX_COVERED = 0.8, 1.25
ESTIMATORS = ("ips", "snips", "independent", "cascade", "dr", "cascade_dr")
_SPANS_PLACES = ("ips", "snips", "cascade", "cascade_dr")


@dataclass(frozen=True)
class Logged:
    """A log of B slates of up to K places, seen from one target policy."""

    ratios: np.ndarray  # (B, K) target's propensity / logged one, each given the places above; not cut
    rewards: np.ndarray  # (B, K)
    placed: np.ndarray  # (B, K) bool: there was a work at this place
    shown: np.ndarray  # (B, K) bool: and it was on screen; what was not earned nothing
    readers: np.ndarray  # (B,) int64
    predicted: np.ndarray | None = None  # (B, K) reward model's for the logged work
    expected: np.ndarray | None = None  # (B, K) ... on average over what the target would put there, same places above

    def __len__(self) -> int:
        return len(self.ratios)


@dataclass(frozen=True)
class Estimate:
    name: str
    value: float  # nan where nothing was shown
    low: float
    high: float  # 95 % interval, by bootstrap over readers
    effective: float  # Kish: so many places (slates, where one weight spans places) of weight 1 would tell as much
    capped: float  # share of weights that were cut
    can_tell: bool
    reason: str  # why it cannot tell; empty when it can


@dataclass(frozen=True)
class Gain:
    """Difference between two policies on the same log, by bootstrap of both on the same readers."""

    value: float
    low: float
    high: float


def estimates(
    logged: Logged, seed: int, *, per: str = "place", cap: float = WEIGHT_CAP, draws: int = 500
) -> dict[str, Estimate]:
    """Every estimator's mean reward per shown "place" or per "slate"; those with a reward model where there is one."""
    names = available(logged)
    if not logged.shown.any():
        return {name: _nothing(name, "no place was shown") for name in names}
    if not np.isfinite(logged.ratios[logged.placed]).all():
        return {name: _nothing(name, "some of the policy's probabilities are no numbers") for name in names}
    columns = [np.concatenate([_columns(logged, name, cap), _covered(logged, name)], axis=1) for name in names]
    sums = by_reader(np.concatenate(columns, axis=1), logged.readers)
    drawn = resampled(sums, seed, draws)
    width = columns[0].shape[1]
    return {
        name: _estimate(logged, name, *(x[:, i * width : (i + 1) * width] for x in (sums, drawn)), per=per, cap=cap)
        for i, name in enumerate(names)
    }


def available(logged: Logged) -> tuple[str, ...]:
    has_model = logged.predicted is not None and logged.expected is not None
    return tuple(name for name in ESTIMATORS if has_model or not name.endswith("dr"))


def gain(
    own: Logged, other: Logged, name: str, seed: int, *, per: str = "place", cap: float = WEIGHT_CAP, draws: int = 500
) -> Gain:
    """By how much `own` earns more than `other`, both seen on the same slates."""
    columns = np.concatenate([_columns(own, name, cap), _columns(other, name, cap)], axis=1)
    sums = by_reader(columns, own.readers)
    both = np.concatenate([sums.sum(0, keepdims=True), resampled(sums, seed, draws)])
    differences = np.subtract(*(_value(half, per) for half in np.split(both, 2, axis=1)))
    low, high = np.quantile(differences[1:], [0.025, 0.975])
    return Gain(float(differences[0]), float(low), float(high))


def weights(logged: Logged, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(B, K) weight of each place, and of the places above it (which weighs the reward model's part). Not cut."""
    ratios = np.where(logged.placed, logged.ratios, 1.0)
    products = np.exp(np.clip(np.cumsum(np.log(np.maximum(ratios, 1e-300)), axis=1), -600, 600))
    if name in ("ips", "snips"):
        whole = np.broadcast_to(products[:, -1:], ratios.shape)
        return whole, whole
    if name in ("independent", "dr"):
        return ratios, np.ones_like(ratios)
    return products, np.concatenate([np.ones((len(ratios), 1)), products[:, :-1]], axis=1)


def resampled(sums: np.ndarray, seed: int, draws: int) -> np.ndarray:
    """(draws, c) sums (m, c) over m readers drawn with replacement: acts of one reader belong together."""
    count = len(sums)
    generator = np.random.default_rng(seed)
    return np.stack([np.bincount(generator.integers(count, size=count), minlength=count) @ sums for _ in range(draws)])


def by_reader(columns: np.ndarray, readers: np.ndarray) -> np.ndarray:
    """(m, c) sums of columns (B, c) by reader, readers ascending."""
    _, number = np.unique(readers, return_inverse=True)
    sums = np.zeros((int(number.max(initial=-1)) + 1, columns.shape[1]))
    np.add.at(sums, number, columns)
    return sums


def _nothing(name: str, reason: str) -> Estimate:
    return Estimate(name, float("nan"), float("nan"), float("nan"), 0.0, 0.0, can_tell=False, reason=reason)


def _estimate(logged: Logged, name: str, sums: np.ndarray, drawn: np.ndarray, *, per: str, cap: float) -> Estimate:
    """`sums` (m, c) and `drawn` (draws, c): the columns of the value, then the two of what is covered."""
    low, high = np.quantile(_value(drawn[:, :-2], per), [0.025, 0.975])
    weight = weights(logged, name)[0]
    effective = _effective(np.minimum(weight, cap), logged, name)
    reason = _doubt(sums[:, -2:], drawn[:, -2:], effective, "slates" if name in _SPANS_PLACES else "places")
    return Estimate(
        name,
        float(_value(sums[:, :-2].sum(0), per)),
        float(low),
        float(high),
        effective,
        float((weight > cap)[logged.shown].mean()),
        not reason,
        reason,
    )


def _columns(logged: Logged, name: str, cap: float) -> np.ndarray:
    """(B, 6K + 1) what the value is a function of the sums of."""
    own, above = (np.minimum(weight, cap) for weight in weights(logged, name))
    placed, shown = logged.placed.astype(np.float64), logged.shown.astype(np.float64)
    rewards, expected = logged.rewards * shown, np.zeros_like(placed)
    if name.endswith("dr"):
        assert logged.predicted is not None  # `available` says so
        assert logged.expected is not None
        rewards, expected = (rewards - logged.predicted) * placed, logged.expected * placed
    # IPS divides by how many places there were, all others by the sum of the weights.
    own_total, own_shown = (placed, shown) if name == "ips" else (own * placed, own * shown)
    blocks = [own * rewards, own_total, own_shown, above * expected, above * placed, placed, np.ones((len(placed), 1))]
    return np.concatenate(blocks, axis=1)


def _value(sums: np.ndarray, per: str) -> np.ndarray:
    """(...) estimates from sums (..., 6K + 1); each place of the slate is normalised on its own."""
    size = (sums.shape[-1] - 1) // 6
    rewards, total, shown, expected, above, placed = (sums[..., i * size : (i + 1) * size] for i in range(6))
    earned = (placed * (_ratio(rewards, total) + _ratio(expected, above))).sum(-1)
    if per == "slate":
        return _ratio(earned, sums[..., -1])
    return _ratio(earned, (placed * _ratio(shown, total)).sum(-1))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _effective(weight: np.ndarray, logged: Logged, name: str) -> float:
    if name in _SPANS_PLACES:  # of each slate the weight at its last place on screen, which is the most uneven
        size = weight.shape[1]
        last = size - 1 - logged.shown[:, ::-1].argmax(1)
        chosen = weight[np.arange(len(weight)), last][logged.shown.any(1)]
    else:
        chosen = weight[logged.shown]
    return float(chosen.sum() ** 2 / max((chosen**2).sum(), 1e-300))


def _covered(logged: Logged, name: str) -> np.ndarray:
    """(B, 2) sum of the weights, and number of places.

    The expected weight is the share of the target's choices that the logger could have made: the sample's average says
    whether the log covers the policy, without knowing what the logger knew.
    """
    return np.stack([(weights(logged, name)[0] * logged.placed).sum(1), logged.placed.sum(1)], axis=1)


def _doubt(sums: np.ndarray, drawn: np.ndarray, effective: float, unit: str) -> str:
    """Why nothing can be told, or nothing."""
    if len(sums) < MIN_READERS:
        return f"{len(sums)} readers, {MIN_READERS} are needed"
    covered = float(sums[:, 0].sum() / sums[:, 1].sum())
    low, high = np.quantile(_ratio(drawn[:, 0], drawn[:, 1]), [0.025, 0.975])
    if high < MIN_COVERED:
        return f"the log holds {covered:.0%} of what this policy would show, {MIN_COVERED:.0%} are needed"
    if low > MAX_COVERED:
        return f"the weights average {covered:.2f} instead of 1: the logged propensities do not fit the slates"
    if effective < MIN_EFFECTIVE:
        return f"{effective:.0f} effective {unit}, {MIN_EFFECTIVE} are needed"
    return ""
