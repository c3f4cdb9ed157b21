"""What an act is worth: `rewards.toml`, versioned by its content."""

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from openshelf.contracts import Action, Interaction


@dataclass(frozen=True)
class Rewards:
    version: str
    by_action: dict[Action, float]
    rate_midpoint: float
    inferred_skip: float

    def of(self, event: Interaction) -> float:
        """The reward of one act; a rating is worth its stars minus the midpoint."""
        if event.inferred:
            return self.inferred_skip
        if event.action is Action.RATE:
            assert event.value is not None  # the contract refuses a rate without stars
            return event.value - self.rate_midpoint
        return self.by_action[event.action]


def parse(raw: bytes) -> Rewards:
    """Raises KeyError or ValueError when an action has no reward or a name is no action."""
    table = tomllib.loads(raw.decode())
    by_action = {Action(name): float(value) for name, value in table["reward"].items()}
    missing = set(Action) - by_action.keys() - {Action.RATE}
    if missing:
        raise KeyError(f"rewards.toml has no reward for {', '.join(sorted(missing))}")
    version = hashlib.sha256(raw).hexdigest()[:12]
    return Rewards(version, by_action, float(table["rate_midpoint"]), float(table["inferred_skip"]))


@cache
def load() -> Rewards:
    """The rewards of this installation, read once."""
    return parse((resources.files("models") / "rewards.toml").read_bytes())
