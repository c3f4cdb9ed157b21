"""Which of a reader's acts were taken already: what a broker delivers twice counts once. Pure.

An act from the log is known by its offset there: the last 256 of a reader are kept, and what lies below the highest
that fell out of these is a repeat, however old. (So a message may come late by up to 256 acts of its reader.) An act
that someone else wrote to the topic has no place in the log: it is known by its event_id for at least seven days after
its arrival, and while fewer than 4,096 of these came from the reader since.
"""

from datetime import datetime, timedelta
from struct import Struct
from uuid import UUID

import msgspec

MAX_OFFSETS = 256
MAX_FOREIGN = 4_096
KEEP = timedelta(days=7)

_OFFSET = Struct("<q")
_FOREIGN = Struct("<16sd")


class Seen(msgspec.Struct, frozen=True, gc=False):
    offsets: bytes = b""  # packed, in the order of arrival
    floor: int = -1  # offsets up to this one are no longer in `offsets`, and known
    foreign: bytes = b""  # event_id and arrival, packed

    def then(self, event_id: UUID, log_offset: int | None, received_at: datetime) -> "Seen | None":
        """What is known after this act; None when it is a repeat."""
        if log_offset is None:
            return self._then_foreign(event_id.bytes, received_at.timestamp())
        packed = _OFFSET.pack(log_offset)
        if log_offset <= self.floor or find_packed(self.offsets, packed) >= 0:
            return None
        offsets, floor = self.offsets + packed, self.floor
        if len(offsets) > MAX_OFFSETS * _OFFSET.size:
            floor = max(floor, _OFFSET.unpack_from(offsets)[0])
            offsets = offsets[_OFFSET.size :]
        return Seen(offsets, floor, self.foreign)

    def _then_foreign(self, event_id: bytes, received_at: float) -> "Seen | None":
        known = list(_FOREIGN.iter_unpack(self.foreign))
        if any(other == event_id for other, _ in known):
            return None
        horizon = received_at - KEEP.total_seconds()
        kept = [_FOREIGN.pack(*each) for each in known if each[1] >= horizon][-MAX_FOREIGN + 1 :]
        return Seen(self.offsets, self.floor, b"".join([*kept, _FOREIGN.pack(event_id, received_at)]))


NOTHING_SEEN = Seen()


def find_packed(packed: bytes, item: bytes) -> int:
    """Where the item stands among items of its size; -1 where it does not."""
    at = packed.find(item)
    while at >= 0 and at % len(item):
        at = packed.find(item, at + 1)
    return at
