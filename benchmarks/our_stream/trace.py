"""Acts as readers make them: 2,000 readers, some far busier than others, one in four without a history. Pure.

One step in five looks at the slate of the reader's last act, at one or two places of it, and answers the last of these
(one passed over becomes an inferred skip); the others act elsewhere, now and then on no work at all. So of five acts
about one is the sight of a place. In the storefront that share is higher; but such an act draws no slate, and more of
them would flatter the number of acts a second.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice
from random import Random
from typing import Any
from uuid import UUID

import msgspec

from openshelf.contracts import BOOKLESS, Action, Interaction, Surface, new_event_id, slate_id_of
from openshelf.readers import session_key

COUNT_READERS = 2_000
LOOKS_AT_SLATE = 0.2
LOOKS_ON = 0.5
PLACES = 12
# Between two acts. The clock of the trace need not run with that of its playing.
STEP = timedelta(microseconds=100)
# What happens elsewhere than in the slate: how often, of 100.
DEEDS = {
    Action.OPEN: 50, Action.LIKE: 10, Action.READ: 12, Action.WANT: 8, Action.SKIP: 10, Action.HIDE: 2,
    Action.SEARCH: 5, Action.VISIT: 3,
}  # fmt: skip
ANSWERS = (Action.OPEN, Action.OPEN, Action.LIKE, Action.READ, Action.SKIP, Action.SKIP)
# The old design knows three actions: the nearest of them. The sight of a place, searches and visits it does not take.
OLD_ACTIONS = {
    Action.OPEN: "click", Action.LIKE: "click", Action.WANT: "click", Action.READ: "read",
    Action.SKIP: "skip", Action.HIDE: "skip",
}  # fmt: skip


@dataclass
class _Reader:
    key: str
    session_id: UUID
    slate_id: UUID | None = None


class Trace:
    """Goes on for as long as it is asked; the same seed makes the same acts, but for event_ids and what names them."""

    def __init__(self, count_works: int, seed: int) -> None:
        self._random, self._count_works = Random(seed), count_works
        self._readers = [self._reader(number) for number in range(COUNT_READERS)]
        self._busy = list(accumulate((number + 1) ** -0.5 for number in range(COUNT_READERS)))
        self._at = datetime.min.replace(tzinfo=UTC)
        self._acts = self._endless()

    def take(self, count: int, begin: datetime) -> list[Interaction]:
        """The next acts, from `begin` on."""
        self._at = begin
        return list(islice(self._acts, count))

    def _reader(self, number: int) -> _Reader:
        session_id = UUID(int=self._random.getrandbits(128), version=4)
        return _Reader(session_key(session_id) if number % 4 == 3 else f"r_{number:032x}", session_id)

    def _endless(self) -> Iterator[Interaction]:
        while True:
            (reader,) = self._random.choices(self._readers, cum_weights=self._busy)
            yield from self._step(reader)

    def _step(self, reader: _Reader) -> Iterator[Interaction]:
        if reader.slate_id is None or self._random.random() >= LOOKS_AT_SLATE:
            (action,) = self._random.choices(list(DEEDS), weights=list(DEEDS.values()))
            last = self._act(reader, action, Surface.BROWSE)
        else:
            position = self._random.randrange(PLACES - 1)
            last = self._show(reader, position)
            yield last
            if self._random.random() < LOOKS_ON:
                last = self._show(reader, position + 1)
                yield last
            answer = self._random.choice(ANSWERS)
            last = msgspec.structs.replace(last, event_id=new_event_id(), occurred_at=self._next(), action=answer)
        reader.slate_id = slate_id_of(last.event_id)
        yield last

    def _show(self, reader: _Reader, position: int) -> Interaction:
        return self._act(reader, Action.SHOW, Surface.FOR_YOU, slate_id=reader.slate_id, position=position)

    def _act(self, reader: _Reader, action: Action, surface: Surface, **about: Any) -> Interaction:
        return Interaction(
            event_id=new_event_id(),
            occurred_at=self._next(),
            reader_key=reader.key,
            session_id=reader.session_id,
            action=action,
            book_id=None if action in BOOKLESS else self._random.randint(1, self._count_works),
            surface=surface,
            **about,
        )

    def _next(self) -> datetime:
        self._at += STEP
        return self._at


def count_slates(acts: Iterable[Interaction]) -> int:
    """For how many of these acts a slate is drawn."""
    return sum(act.action is not Action.SHOW for act in acts)


def old_events(acts: Iterable[Interaction]) -> list[dict[str, object]]:
    """The same acts as the old design's web site sends them; those that it knows."""
    return [
        {"sid": str(act.session_id), "uid": act.reader_key, "bid": act.book_id, "action": OLD_ACTIONS[act.action]}
        for act in acts
        if act.action in OLD_ACTIONS
    ]
