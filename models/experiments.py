"""What serves at one moment: the champion, or the arms of an experiment, each reader always the same one. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from models.recommender import Recommender

CHAMPION = "champion"


@dataclass(frozen=True)
class Arm:
    name: str
    share: float  # a weight among the arms


@dataclass(frozen=True)
class Experiment:
    experiment_id: int
    salt: str
    arms: tuple[Arm, ...]

    def arm_of(self, reader_key: str) -> str:
        """The same for this reader in every process, for as long as the experiment lives."""
        # 53 bits: as many as a float keeps.
        digest = hashlib.blake2b(f"{self.salt}/{reader_key}".encode(), digest_size=8).digest()
        return dealt(self.arms, (int.from_bytes(digest) >> 11) * 2.0**-53)


def dealt(arms: Sequence[Arm], at: float) -> str:
    """The arm at this point of [0, 1), the arms laid out by name."""
    ordered = sorted(arms, key=lambda arm: arm.name)
    edges = list(accumulate(arm.share for arm in ordered))
    return next((arm.name for arm, edge in zip(ordered, edges, strict=True) if at * edges[-1] < edge), ordered[-1].name)


@dataclass(frozen=True)
class Serving:
    """`arms`: a recommender for each arm of the experiment, if one is running.

    `refused`: versions that should serve somewhere here and did not load, with the reason.
    """

    champion: Recommender
    experiment: Experiment | None = None
    arms: dict[str, Recommender] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        return self.champion.version

    def arm_of(self, reader_key: str) -> str:
        return self.experiment.arm_of(reader_key) if self.experiment else CHAMPION

    def recommender_of(self, arm: str) -> Recommender:
        return self.arms.get(arm, self.champion)
