"""Which acts of a published data set count: those that make sense, of readers and works with enough of them. Pure."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.dataset_formats import Foreign, Frame

# Above this share of refused lines the file is not what it was taken for.
MAX_REJECTED = 0.5


@dataclass(frozen=True)
class DataOptions:
    """What is left out of a data set before anything else."""

    min_rating: float | None = None
    """Ratings below it are no glad acts; unset: every rating and access counts as one."""
    min_acts_per_reader: int = 1
    """Readers with fewer acts are left out, as long as there are any (a k-core)."""
    min_acts_per_work: int = 1
    """The same for works."""


def faults(foreign: Foreign) -> Frame:
    """What is wrong with each act, as a Series of text; "" where every value makes sense."""
    acts = foreign.acts
    found = pd.Series("", index=acts.index, dtype=object)
    least, most = foreign.scale
    if foreign.has_order:
        found[~np.isfinite(acts["time"])] = "its time cannot be read"
    if "rating" in acts:
        in_range = acts["rating"].between(least, most) & np.isfinite(acts["rating"])
        found[~(in_range | acts.get("unrated", False))] = f"its rating is not one of {least:g} to {most:g}"
    found[acts["work"] == ""] = "it names no work"
    found[acts["reader"] == ""] = "it names no reader"
    return found


def with_enough(acts: Frame, options: DataOptions) -> Frame:
    """Readers and works with enough acts; leaving out one may make another too few, so until nothing changes."""
    least = {"reader": options.min_acts_per_reader, "work": options.min_acts_per_work}
    while True:
        before = len(acts)
        for key, minimum in least.items():
            if minimum > 1 and len(acts):
                acts = acts[acts.groupby(key)["work"].transform("size") >= minimum]
        if len(acts) == before:
            return acts
