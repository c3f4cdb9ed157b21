"""Which session an act belongs to: one goes on until half an hour passes without an act. Pure but for its lock."""

import threading
import uuid
from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from openshelf.contracts import new_event_id

# More visits than one process serves in a day; the longest idle are forgotten first.
MAX_KEPT = 20_000
_VISIT_LIFE = timedelta(hours=12)


@dataclass
class _Kept:
    session_id: UUID
    last_act_at: datetime


@dataclass(frozen=True)
class Choice:
    """Subjects that a reader chose on this visit, and how many books beside them."""

    subjects: tuple[str, ...]
    count_books: int = 0
    leads: bool = True  # the first row is made of it: until the next act on a book


class Sessions:
    """The running sessions of this process, by visit (the browser's cookie) and owner: an account, or nobody.

    An anonymous visit begins with the session its cookie names, so a restart of the storefront or a reload of
    the page does not end it. Signing in or out begins another session: the two are never tied together.

    The subjects that were chosen for a session stand here and nowhere else, and go with it.
    """

    def __init__(self, idle: timedelta) -> None:
        self._idle = idle
        self._kept: dict[tuple[UUID, Hashable | None], _Kept] = {}
        self._chosen: dict[tuple[UUID, Hashable | None], Choice] = {}
        self._lock = threading.Lock()

    def current(self, visit: UUID, owner: Hashable | None, now: datetime) -> tuple[UUID, bool]:
        """The session of a visit, and whether it begins with this call."""
        with self._lock:
            kept = self._kept.get((visit, owner))
            if kept and now - kept.last_act_at < self._idle:
                return kept.session_id, False
            self._forget_idle_choices(now)
            session_id = visit if kept is None and owner is None and _is_fresh(visit, now) else new_event_id()
            self._keep((visit, owner), _Kept(session_id, now))
            return session_id, True

    def acted(self, visit: UUID, owner: Hashable | None, now: datetime) -> None:
        with self._lock:
            kept = self._kept.get((visit, owner))
            if kept:
                kept.last_act_at = max(kept.last_act_at, now)

    def choose(self, visit: UUID, owner: Hashable | None, choice: Choice | None) -> None:
        """Remember what was chosen until the session ends; None: forget it."""
        with self._lock:
            if choice and (visit, owner) in self._kept:
                self._chosen[visit, owner] = choice
            else:
                self._chosen.pop((visit, owner), None)

    def chosen(self, visit: UUID, owner: Hashable | None) -> Choice | None:
        with self._lock:
            return self._chosen.get((visit, owner))

    def moved_on(self, visit: UUID, owner: Hashable | None) -> None:
        """A book was acted on: from here on that leads, and no longer what was chosen before."""
        with self._lock:
            if choice := self._chosen.get((visit, owner)):
                self._chosen[visit, owner] = replace(choice, leads=False)

    def forget(self, owner: Hashable) -> None:
        """Forget what an owner chose, on every device."""
        with self._lock:
            self._chosen = {key: choice for key, choice in self._chosen.items() if key[1] != owner}

    def _forget_idle_choices(self, now: datetime) -> None:
        self._chosen = {
            key: choice
            for key, choice in self._chosen.items()
            if (kept := self._kept.get(key)) and now - kept.last_act_at < self._idle
        }

    def _keep(self, key: tuple[UUID, Hashable | None], kept: _Kept) -> None:
        self._kept.pop(key, None)
        self._kept[key] = kept
        while len(self._kept) > MAX_KEPT:
            oldest = min(self._kept, key=lambda each: self._kept[each].last_act_at)
            del self._kept[oldest]


def new_visit() -> UUID:
    return new_event_id()


def parse_visit(text: str | None) -> UUID | None:
    """The visit a cookie names, if it is one that we made."""
    try:
        visit = uuid.UUID(text or "")
    except ValueError:
        return None
    return visit if visit.version == 7 else None


def _is_fresh(visit: UUID, now: datetime) -> bool:
    made_at_ms = visit.int >> 80
    return abs(now.timestamp() * 1000 - made_at_ms) < _VISIT_LIFE.total_seconds() * 1000
