"""Why a work stands in a slate: the reader's own act on the work nearest to it, if any is near. Pure."""

import numpy as np

from models.states import ACTION_INDEX, ACTIONS, StateBatch
from openshelf.contracts import Action

# A place nearer than this (cosine) to something the reader liked is explained by it.
REASON_FLOOR = 0.6
_REASON_OF = {
    Action.LIKE: "because_like",
    Action.OPEN: "because_open",
    Action.READ: "because_read",
    Action.FINISH: "because_read",
    Action.WANT: "because_want",
    Action.RATE: "because_rate",
}
_EXPLAINS = np.isin(np.arange(len(ACTIONS)), [ACTION_INDEX[action] for action in _REASON_OF])
# By number: of each action, and of places that no act explains.
NEW_TO_YOU, POPULAR, EXPLORE = range(len(ACTIONS), len(ACTIONS) + 3)
REASONS = np.array([_REASON_OF.get(action, "new_to_you") for action in ACTIONS] + ["new_to_you", "popular", "explore"])


def reasons_of(
    rows: np.ndarray, vectors: np.ndarray, lengths: np.ndarray, batch: StateBatch
) -> tuple[np.ndarray, np.ndarray]:
    """Of each place (B, k) the number of its reason, and the row of the work that it names or -1.

    `rows` (B, k): the places, -1 where there is none; `vectors` (n, d) of the works and their `lengths` (n,).
    """
    acted, actions, rewards = batch.rows, batch.actions, batch.rewards
    counts = (acted >= 0) & (rewards > 0) & _EXPLAINS[actions]
    if not counts.any():
        return np.full(rows.shape, NEW_TO_YOU), np.full(rows.shape, -1)
    # Only the columns in which some reader has an act that counts.
    first = int(counts.any(0).argmax())
    acted, actions, rewards, counts = acted[:, first:], actions[:, first:], rewards[:, first:], counts[:, first:]
    cosine = np.matmul(vectors.take(rows, axis=0), vectors.take(acted, axis=0).transpose(0, 2, 1))  # (B, k, L)
    cosine /= lengths[rows][:, :, None] * lengths[acted][:, None, :] + 1e-12
    cosine = np.where(counts[:, None, :], cosine, -1)
    nearest = cosine.argmax(2)
    reader = np.arange(len(rows))[:, None]
    anchor = acted[reader, nearest]
    # Of several acts on one work, the one worth most speaks for it, of equals the latest.
    worth = np.where((acted[:, None, :] == anchor[:, :, None]) & counts[:, None, :], rewards[:, None, :], -np.inf)
    best = worth.shape[2] - 1 - worth[:, :, ::-1].argmax(2)
    is_near = np.take_along_axis(cosine, nearest[..., None], 2)[..., 0] >= REASON_FLOOR
    return np.where(is_near, actions[reader, best], NEW_TO_YOU), np.where(is_near, anchor, -1)
