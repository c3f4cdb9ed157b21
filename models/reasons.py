"""Why a work stands in a slate: the reader's own act on the work nearest to it, if any is near. Pure."""

import numpy as np

from models.states import ACTION_INDEX, ACTIONS, StateBatch
from openshelf.contracts import Action

# A place nearer than this (cosine) to something the reader liked is explained by it.
REASON_FLOOR = 0.6
NEW_TO_YOU = "new_to_you"
_REASON_OF = {
    Action.LIKE: "because_like",
    Action.OPEN: "because_open",
    Action.READ: "because_read",
    Action.FINISH: "because_read",
    Action.WANT: "because_want",
    Action.RATE: "because_rate",
}
_EXPLAINS = np.isin(np.arange(len(ACTIONS)), [ACTION_INDEX[action] for action in _REASON_OF])
_REASONS = [_REASON_OF.get(action, NEW_TO_YOU) for action in ACTIONS]

Reason = tuple[str, int]


def reasons_of(rows: np.ndarray, vectors: np.ndarray, lengths: np.ndarray, batch: StateBatch) -> list[list[Reason]]:
    """(reason, row of the work it names or -1) of each place, for the first readers of the batch.

    `rows` (B, k): the places, -1 where there is none; `vectors` (n, d) of the works and their `lengths` (n,).
    """
    count = len(rows)
    acted, actions, rewards = batch.rows[:count], batch.actions[:count], batch.rewards[:count]
    counts = (acted >= 0) & (rewards > 0) & _EXPLAINS[actions]
    if not counts.any():
        return [[(NEW_TO_YOU, -1)] * rows.shape[1] for _ in range(count)]
    # Only the columns in which some reader has an act that counts.
    first = int(counts.any(0).argmax())
    acted, actions, rewards, counts = acted[:, first:], actions[:, first:], rewards[:, first:], counts[:, first:]
    cosine = np.matmul(vectors[rows], vectors[acted].transpose(0, 2, 1))  # (B, k, L)
    cosine /= lengths[rows][:, :, None] * lengths[acted][:, None, :] + 1e-12
    cosine[np.broadcast_to(~counts[:, None, :], cosine.shape)] = -1
    nearest = cosine.argmax(2)
    reader = np.arange(count)[:, None]
    anchor = acted[reader, nearest]
    # Of several acts on one work, the one worth most speaks for it, of equals the latest.
    worth = np.where((acted[:, None, :] == anchor[:, :, None]) & counts[:, None, :], rewards[:, None, :], -np.inf)
    best = worth.shape[2] - 1 - worth[:, :, ::-1].argmax(2)
    is_near = np.take_along_axis(cosine, nearest[..., None], 2)[..., 0] >= REASON_FLOOR
    found = zip(is_near.tolist(), actions[reader, best].tolist(), anchor.tolist(), strict=True)
    return [
        [(_REASONS[action], row) if near else (NEW_TO_YOU, -1) for near, action, row in zip(*places, strict=True)]
        for places in found
    ]
