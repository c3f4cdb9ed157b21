"""What a place may be expected to earn, for the doubly robust estimates. Pure.

A ridge on a few features of reader, work and position, fitted without the readers it predicts for (cross-fitting:
Chernozhukov et al. 2018). It is linear in the work's features, so its average over all that a Plackett-Luce policy
might put at a place is the model of the averaged features: exact, and one pass over the works.
"""

import numpy as np

FOLDS = 5
# So many rewards like the average are added to those of every work.
_SHRINKAGE = 10.0
_RIDGE = 1.0


def folds(readers: np.ndarray, seed: int) -> np.ndarray:
    """(B,) int64 in 0..FOLDS-1, the same for all slates of a reader."""
    _, number = np.unique(readers, return_inverse=True)
    order = np.random.default_rng(seed).permutation(int(number.max(initial=-1)) + 1)
    return order[number] % FOLDS


def work_means(
    rows: np.ndarray, rewards: np.ndarray, placed: np.ndarray, fold: np.ndarray, count_works: int
) -> np.ndarray:
    """(n, FOLDS) mean reward of each work among the readers outside the fold, drawn towards the mean of all works."""
    means = np.zeros((count_works, FOLDS))
    for number in range(FOLDS):
        is_known = placed & (fold != number)[:, None]
        sums = np.bincount(rows[is_known], weights=rewards[is_known], minlength=count_works)
        counts = np.bincount(rows[is_known], minlength=count_works)
        average = sums.sum() / max(counts.sum(), 1)
        means[:, number] = (sums + _SHRINKAGE * average) / (counts + _SHRINKAGE)
    return means


def expected_features(mass: np.ndarray, rows: np.ndarray, features: np.ndarray) -> np.ndarray:
    """(B, K, f) mean of `features` over the work at each place, given the places above as they are.

    `mass` (B, n) is what each work is drawn in proportion to, 0 for what may not be drawn; `rows` (B, K), -1 is
    padding; `features` (n, f) or (B, n, f). What remains is summed from below, so nothing cancels.
    """
    is_place, at = rows >= 0, np.maximum(rows, 0)
    example = np.arange(len(rows))[:, None]
    own_mass = mass[example, at] * is_place
    own = features[at] if features.ndim == 2 else features[example, at]
    never = mass.copy()
    never[np.broadcast_to(example, rows.shape)[is_place], rows[is_place]] = 0
    rest = never @ features if features.ndim == 2 else np.einsum("bn,bnf->bf", never, features)
    sums = rest[:, None] + _from_below(own_mass[..., None] * own)
    total = never.sum(1)[:, None] + _from_below(own_mass)
    return sums / np.maximum(total, 1e-300)[..., None]


def crossfit(
    logged: np.ndarray, expected: np.ndarray, rewards: np.ndarray, placed: np.ndarray, fold: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Expected rewards (B, K) of the logged works and of the target's choice, by models blind to the reader's fold.

    Features `logged` and `expected` (B, K, f + FOLDS); of the last, `work_means`, each fold's model sees its own alone.
    A level for each position is added.
    """
    size = logged.shape[1]
    positions = np.broadcast_to(np.eye(size), (len(logged), size, size))
    predicted, mean = np.zeros(rewards.shape), np.zeros(rewards.shape)
    for number in range(FOLDS):
        is_fold = fold == number
        known = placed & ~is_fold[:, None]
        if not known.any():
            continue
        kept = [*range(logged.shape[2] - FOLDS), logged.shape[2] - FOLDS + number]
        centre, spread = logged[known][:, kept].mean(0), np.maximum(logged[known][:, kept].std(0), 1e-6)
        own, other = (np.concatenate([(x[..., kept] - centre) / spread, positions], axis=2) for x in (logged, expected))
        gram = own[known].T @ own[known] + _RIDGE * np.eye(own.shape[2])
        coefficients = np.linalg.solve(gram, own[known].T @ rewards[known])
        predicted[is_fold], mean[is_fold] = own[is_fold] @ coefficients, other[is_fold] @ coefficients
    return predicted * placed, mean * placed


def _from_below(values: np.ndarray) -> np.ndarray:
    return np.flip(np.cumsum(np.flip(values, axis=1), axis=1), axis=1)
