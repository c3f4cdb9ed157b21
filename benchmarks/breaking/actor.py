"""The process of the readers who act, and what its journal says."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from .history import Sent

ROOT = Path(__file__).resolve().parents[2]


class Actor:
    """Started and killed as often as one likes; the journal goes on."""

    def __init__(
        self, journal: Path, environment: Mapping[str, str], accounts: Mapping[str, int], per_second: float
    ) -> None:
        self._journal, self._environment = journal, environment
        self._accounts, self._per_second = accounts, per_second
        self._process: subprocess.Popen[str] | None = None

    def start(self, seed: int) -> None:
        """Returns when they act."""
        words = [str(self._journal), str(seed), str(self._per_second), json.dumps(self._accounts)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.breaking.acting", *words],
            cwd=ROOT,
            env=os.environ | dict(self._environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self._process.stdout.readline()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._process = None

    def sent(self) -> list[Sent]:
        """Everything ever sent; what was acknowledged in the order in which it was."""
        if not self._journal.exists():
            return []
        acked: dict[str, Sent] = {}
        unheard: dict[str, Sent] = {}
        whole_lines, _, _ = self._journal.read_text().rpartition("\n")  # the last one may be under way
        for line in map(json.loads, whole_lines.splitlines()):
            for event_id in line["events"]:
                is_acked = line["what"] == "acked"
                (acked if is_acked else unheard)[event_id] = Sent(UUID(event_id), line["reader"], is_acked, line["bad"])
        return [*acked.values(), *(each for event_id, each in unheard.items() if event_id not in acked)]
