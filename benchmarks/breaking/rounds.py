"""Faults while acts flow, and what came of it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from . import tables
from .actor import Actor
from .faults import Fault, Stage
from .history import Verdict
from .installation import wait_for

# Dead letters come to the sink apart from acts, and progress is a moment ahead of them; what is lost stays lost.
SETTLE_S = 60.0
# So many were acknowledged before anything breaks.
ACTS_BEFORE = 20
KINDS = ("lost", "phantom", "doubled", "reordered")


@dataclass(frozen=True)
class Round:
    """`acts`: how many were acknowledged while it went on; `pause_s`: the longest until one was stored."""

    faults: Sequence[str]
    acts: int
    pause_s: float
    verdict: Verdict

    @property
    def name(self) -> str:
        return ", ".join(self.faults)


def play(stage: Stage[Any], *faults: Fault[Any], calm_s: tuple[float, float] = (0.5, 2.0)) -> Round:
    """Let acts flow, break this and then that, mend it, let them flow on; then judge all that was ever stored.

    Raises:
        StaysBrokenError: the installation did not come back by itself.
    """
    installation, actor, random = stage.installation, stage.actor, stage.random
    name = ", ".join(fault.name for fault in faults)
    if any(fault.moves_clock for fault in faults):
        installation.compared = tables.TABLES_WITHOUT_ENDS
    known = _acked(actor)
    begun_at = time.time()
    actor.start(random.randrange(2**31))
    wait_for(lambda: len(_acked(actor) - known) >= ACTS_BEFORE, "acts to be taken")
    time.sleep(random.uniform(*calm_s))
    for fault in faults:
        fault.begin(stage)
        time.sleep(random.uniform(*fault.holds_s))
    for fault in faults:
        fault.end(stage)
    time.sleep(random.uniform(*calm_s))
    actor.kill()
    wait_for(installation.is_drained, f"everything to be taken after: {name}")
    with installation.ask() as conn:
        pauses = [took_s for at, took_s in tables.pauses_s(conn) if at >= begun_at]
    count = len(_acked(actor) - known)
    return Round([fault.name for fault in faults], count, max(pauses, default=0.0), _judged(stage))


def _acked(actor: Actor) -> set[UUID]:
    return {each.event_id for each in actor.sent() if each.is_acked}


def _judged(stage: Stage[Any]) -> Verdict:
    deadline = time.monotonic() + SETTLE_S
    while (found := stage.installation.judge(stage.actor)).lost and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


class Tally:
    """A row for each kind of round. What is lost stays so in all later rounds: the first that saw it has it."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.words: list[str] = []
        self._seen: set[str] = set()

    def add(self, each: Round) -> dict[str, Any]:
        name = each.name if len(each.faults) == 1 else "two at once"
        empty = {"fault": name, "faults": 0, "acts": 0, **dict.fromkeys(KINDS, 0), "longest_pause_s": 0.0}
        row = self.rows.setdefault(name, empty)
        row["faults"] += len(each.faults)
        row["acts"] += each.acts
        row["longest_pause_s"] = max(row["longest_pause_s"], round(each.pause_s, 1))
        new = [words for words in each.verdict.faults if words not in self._seen]
        self._seen.update(new)
        self.words += [f"{each.name}: {words}" for words in new]
        for kind in KINDS:
            row[kind] += sum(words.startswith(f"{kind}: ") for words in new)
        return row

    def total(self) -> dict[str, Any]:
        rows = list(self.rows.values())
        sums = {key: sum(row[key] for row in rows) for key in ("faults", "acts", *KINDS)}
        return sums | {"longest_pause_s": max((row["longest_pause_s"] for row in rows), default=0.0)}
