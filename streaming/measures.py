"""What this process did, counted once a batch; the heartbeat takes it to Postgres."""

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from openshelf.database.stream import SlateRow
from openshelf.database.workers import Counts, Spread

BATCH_ACTS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0)
DRAW_MS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0)


class _Spreading:
    """A `Spread` that grows."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds, self._counts, self._total = bounds, [0] * (len(bounds) + 1), 0.0

    def add(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def spread(self) -> Spread:
        return Spread(self._bounds, tuple(self._counts), self._total)


class Measures:
    """Any thread may add, any may read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._places: Counter[str] = Counter()
        self._batch_acts, self._draw_ms = _Spreading(BATCH_ACTS), _Spreading(DRAW_MS)

    def stored(
        self, count_acts: int, slates: Sequence[SlateRow] = (), count_dead_letters: int = 0, count_early: int = 0
    ) -> None:
        """A batch is where it belongs."""
        places = Counter([source for row in slates for source in row.sources])
        with self._lock:
            self._counts["acts"] += count_acts
            self._counts["slates"] += len(slates)
            self._counts["dead_letters"] += count_dead_letters
            self._counts["early"] += count_early
            self._places.update(places)
            if count_acts:
                self._batch_acts.add(count_acts)

    @contextmanager
    def drawing(self, count: int) -> Iterator[None]:
        """Around one draw of this many slates."""
        started = time.perf_counter()
        try:
            yield
        except Exception:
            with self._lock:
                self._counts["undrawn"] += count
            raise
        else:
            ms = (time.perf_counter() - started) * 1_000
            with self._lock:
                self._draw_ms.add(ms)

    def refused(self) -> None:
        """A model did not load."""
        with self._lock:
            self._counts["refusals"] += 1

    def counts(self) -> Counts:
        with self._lock:
            return Counts(
                count_acts=self._counts["acts"],
                count_slates=self._counts["slates"],
                count_dead_letters=self._counts["dead_letters"],
                count_early=self._counts["early"],
                count_undrawn=self._counts["undrawn"],
                count_refusals=self._counts["refusals"],
                places={str(source): count for source, count in self._places.items()},
                batch_acts=self._batch_acts.spread(),
                draw_ms=self._draw_ms.spread(),
            )


# As `stopping` knows the one stop that can be asked for, this knows what the one process did.
THIS_PROCESS = Measures()
