"""Why a work stands in a slate: the reader's own act on the work nearest to it, if any is near. Pure."""

from collections.abc import Sequence

import numpy as np

from models.states import Act
from openshelf.contracts import Action

# A place nearer than this (cosine) to something the reader liked is explained by it.
REASON_FLOOR = 0.6
_REASONS = {
    Action.LIKE: "because_like",
    Action.OPEN: "because_open",
    Action.READ: "because_read",
    Action.FINISH: "because_read",
    Action.WANT: "because_want",
    Action.RATE: "because_rate",
}


def reasons_of(
    rows: list[int], vectors: np.ndarray, acts: Sequence[Act], act_rows: np.ndarray
) -> list[tuple[str, int | None]]:
    """(reason, book_id of the act's work) of each place's row of `vectors` (n, d).

    `act_rows` (L,): the rows of the reader's last acts, right-aligned and without impressions; -1 is none.
    """
    kept = [act for act in acts if act.action is not Action.SHOW][-len(act_rows) :]
    # Of several acts on one work, the one worth most speaks for it.
    best: dict[int, Act] = {}
    for act, row in zip(kept, act_rows[len(act_rows) - len(kept) :].tolist(), strict=True):
        if row < 0 or act.reward <= 0 or act.action not in _REASONS:
            continue
        if row not in best or act.reward >= best[row].reward:
            best[row] = act
    if not best or not rows:
        return [("new_to_you", None)] * len(rows)
    liked = list(best)
    both = vectors[rows + liked]
    both /= np.sqrt(np.einsum("ij,ij->i", both, both))[:, None] + 1e-12
    near = both[: len(rows)] @ both[len(rows) :].T  # (places, liked works)
    reasons: list[tuple[str, int | None]] = []
    for nearest, cosine in zip(near.argmax(1).tolist(), near.max(1).tolist(), strict=True):
        act = best[liked[nearest]]
        reasons.append((_REASONS[act.action], act.book_id) if cosine >= REASON_FLOOR else ("new_to_you", None))
    return reasons
