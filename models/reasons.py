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
# Of objects: of a table of letters, every place would get a text of its own.
REASONS = np.array(
    [_REASON_OF.get(action, "new_to_you") for action in ACTIONS] + ["new_to_you", "popular", "explore"], dtype=object
)


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
    # Over the length of the work of the place, this is the cosine; of acts that do not count it is 0.
    nearness = np.matmul(vectors.take(rows, axis=0), vectors.take(acted, axis=0).transpose(0, 2, 1))  # (B, k, L)
    nearness *= np.where(counts, 1 / (lengths[acted] + 1e-12), 0)[:, None, :]
    nearest = nearness.argmax(2)
    cosine = np.take_along_axis(nearness, nearest[..., None], 2)[..., 0] / (lengths[rows] + 1e-12)
    reasons, anchors = np.full(rows.shape, NEW_TO_YOU), np.full(rows.shape, -1)
    is_near = cosine >= REASON_FLOOR
    reader, _ = np.nonzero(is_near)
    anchor = acted[reader, nearest[is_near]]
    # Of several acts on one work, the one worth most speaks for it, of equals the latest.
    worth = np.where((acted[reader] == anchor[:, None]) & counts[reader], rewards[reader], -np.inf)
    best = worth.shape[1] - 1 - worth[:, ::-1].argmax(1)
    reasons[is_near], anchors[is_near] = actions[reader, best], anchor
    return reasons, anchors
