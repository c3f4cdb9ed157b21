"""How well vectors tell which works are related: closeness and recall, in time linear in works. No I/O."""

from dataclasses import dataclass

import numpy as np
import torch

from models.related import RelatedWorks, is_related, shares_subject

# Works whose distances to all others are held at a time.
BLOCK = 64
NEIGHBOURS = 10


@dataclass(frozen=True)
class Nearness:
    closeness: float  # mean distance to related works over mean distance to works of no common subject; less is better
    recall: float  # among a work's 10 nearest of all works: the related ones, as a share of all of them or of 10


def nearness(vectors: np.ndarray, works: RelatedWorks, rows: np.ndarray, others: np.ndarray) -> Nearness:
    """Of the works `rows`; the unrelated are sought in the sample `others`. 1 and 0 where nothing is related.

    `vectors` (n, d) of length 1; distance is 1 - cosine.
    """
    near, far, recalls = np.zeros(2), np.zeros(2), [np.empty(0)]
    count = min(NEIGHBOURS, len(vectors) - 1)
    for at in range(0, len(rows), BLOCK):
        block = rows[at : at + BLOCK]
        cosine, related = vectors[block] @ vectors.T, is_related(works, block)
        near += (1 - cosine[related]).sum(), related.sum()
        unrelated = ~shares_subject(works, block, others)
        far += (1 - cosine[:, others][unrelated]).sum(), unrelated.sum()
        cosine[np.arange(len(block)), block] = -np.inf
        nearest = torch.from_numpy(cosine).topk(count, dim=1).indices.numpy()
        possible = np.minimum(related.sum(1), count)
        hits = np.take_along_axis(related, nearest, axis=1).sum(1)
        recalls.append(hits[possible > 0] / possible[possible > 0])
    closeness = near[0] * far[1] / (near[1] * far[0]) if near[1] and far[0] else 1.0
    recall = np.concatenate(recalls)
    return Nearness(float(closeness), float(recall.mean()) if len(recall) else 0.0)
