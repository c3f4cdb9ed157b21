"""Is what was said to be accepted what is stored, once, and in order? Pure.

As Jepsen does it: who acts keeps a history of what was sent and what was acknowledged; after the faults it is held
against what the tables say.

    lost        acknowledged and not stored, or stored and left out of what follows from it (session, slate, skips)
    phantom     stored and never sent
    doubled     stored or counted more than once
    reordered   acknowledged one after the other, and in the log the other way round
    unlike      rows that an undisturbed run over the same log would have made otherwise
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from uuid import UUID

# The acts that ask for no slate.
SHOW = "show"


@dataclass(frozen=True)
class Sent:
    """One act, or one entry that cannot be an act, in the order in which its reader's was acknowledged."""

    event_id: UUID
    reader_key: str
    is_acked: bool = True
    is_bad: bool = False


@dataclass(frozen=True)
class Act:
    """A row of stream.interactions."""

    event_id: UUID
    session_id: UUID
    action: str
    place: tuple[int, int] | None  # partition and offset in the log; None of what was inferred
    is_inferred: bool = False


@dataclass(frozen=True)
class Session:
    session_id: UUID
    count_acts: int
    count_shows: int
    count_inferred: int


@dataclass(frozen=True)
class Stored:
    """What the tables say. `log`: the place of every event_id."""

    log: Mapping[UUID, tuple[int, int]]
    acts: Sequence[Act] = ()
    sessions: Sequence[Session] = ()
    slates: Sequence[UUID] = ()  # event_ids of the acts that asked for them
    bad: Sequence[UUID] = ()  # event_ids of the entries that became dead letters


@dataclass(frozen=True)
class Verdict:
    """What is wrong, in words; nothing, if every list is empty."""

    lost: Sequence[str] = ()
    phantom: Sequence[str] = ()
    doubled: Sequence[str] = ()
    reordered: Sequence[str] = ()
    unlike: Sequence[str] = ()

    @property
    def faults(self) -> list[str]:
        return [f"{field.name}: {each}" for field in fields(self) for each in getattr(self, field.name)]


def verdict(sent: Sequence[Sent], stored: Stored) -> Verdict:
    """Hold a history against what is stored once everything has been taken."""
    lost, phantom, doubled = _acts(sent, stored)
    more_lost, more_doubled = _effects(stored)
    return Verdict([*lost, *more_lost], phantom, [*doubled, *more_doubled], _order(sent, stored))


def _acts(sent: Sequence[Sent], stored: Stored) -> tuple[list[str], list[str], list[str]]:
    acts = [act for act in stored.acts if not act.is_inferred]
    kept = {act.event_id for act in acts}
    lost = [f"act {each.event_id}" for each in sent if each.is_acked and not each.is_bad and each.event_id not in kept]
    letters = Counter(stored.bad)
    lost += [
        f"dead letter of {each.event_id}"
        for each in sent
        if each.is_acked and each.is_bad and not letters[each.event_id]
    ]
    # What the log has was committed, whether its sender heard of it or not.
    lost += [f"act {event_id}, which is in the log" for event_id in stored.log if event_id not in kept | letters.keys()]
    known = {each.event_id for each in sent}
    phantom = [f"act {event_id}" for event_id in sorted(kept | letters.keys()) if event_id not in known]
    doubled = [f"dead letter of {event_id}" for event_id in _repeated(stored.bad)]
    doubled += [f"act {event_id}" for event_id in _repeated(act.event_id for act in acts)]
    doubled += [f"act at {place}" for place in _repeated(act.place for act in acts)]
    return list(dict.fromkeys(lost)), phantom, doubled


def _effects(stored: Stored) -> tuple[list[str], list[str]]:
    """Sessions, slates and inferred skips against the acts that are stored."""
    lost, doubled = [], []
    counted = Counter((act.session_id, _kind(act)) for act in stored.acts)
    said = {
        (session.session_id, kind): count
        for session in stored.sessions
        for kind, count in (
            ("acts", session.count_acts),
            ("shows", session.count_shows),
            ("inferred skips", session.count_inferred),
        )
    }
    for session_id, kind in sorted(said.keys() | counted.keys()):
        there, counts = counted[session_id, kind], said.get((session_id, kind), 0)
        if there != counts:
            words = f"session {session_id} counts {counts} {kind} of {there}"
            (lost if counts < there else doubled).append(words)
    slates = Counter(stored.slates)
    asked = [act.event_id for act in stored.acts if not act.is_inferred and act.action != SHOW]
    lost += [f"slate of {event_id}" for event_id in asked if not slates[event_id]]
    doubled += [f"slate of {event_id}" for event_id in _repeated(stored.slates)]
    return lost, doubled


def _kind(act: Act) -> str:
    return "inferred skips" if act.is_inferred else "shows" if act.action == SHOW else "acts"


def _order(sent: Sequence[Sent], stored: Stored) -> list[str]:
    by_reader: dict[str, list[Sent]] = {}
    for each in sent:
        if each.is_acked and each.event_id in stored.log:
            by_reader.setdefault(each.reader_key, []).append(each)
    return [
        f"{earlier.event_id} of {reader} after {later.event_id}"
        for reader, acts in by_reader.items()
        for earlier, later in pairwise(acts)
        if stored.log[earlier.event_id] >= stored.log[later.event_id]
    ]


def unlike(there: Mapping[str, Iterable[tuple]], undisturbed: Mapping[str, Iterable[tuple]]) -> list[str]:
    """By table, the rows (their first value is the key) that only one of two runs over the same log has."""
    found = []
    for table, rows in undisturbed.items():
        ours, theirs = set(there[table]), set(rows)
        found += [f"{table} {row[0]}: is {row[1:]}" for row in sorted(ours - theirs, key=repr)]
        found += [f"{table} {row[0]}: should be {row[1:]}" for row in sorted(theirs - ours, key=repr)]
    return found


def _repeated(values: Iterable[Hashable]) -> list[Hashable]:
    return [value for value, count in Counter(values).items() if value is not None and count > 1]
