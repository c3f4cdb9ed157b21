"""Which acts are on works that the catalogue has: an act that came before its work is kept apart until an ingest."""

from collections.abc import Sequence

import msgspec
import numpy as np
import psycopg

from openshelf.database import quarantine
from openshelf.database.quarantine import QuarantineRow
from streaming.acts import BadAct, Dropped, Forget, RawAct, TakenAct
from streaming.patience import PatientConnection

# What becomes of an entry before its work is looked for.
Taken = TakenAct | BadAct | Forget | Dropped


class EarlyAct(msgspec.Struct, frozen=True, gc=False):
    """A good act on a work that is not in the catalogue."""

    taken: TakenAct

    @property
    def raw(self) -> RawAct:
        return self.taken.raw

    def row(self) -> QuarantineRow:
        event, raw = self.taken.event, self.taken.raw
        assert event.book_id is not None
        return QuarantineRow(
            event_id=event.event_id,
            reader_key=event.reader_key,
            book_id=event.book_id,
            source=raw.source,
            partition=raw.partition,
            log_offset=raw.offset,
            payload=raw.payload,
            received_at=raw.received_at,
        )


class WorksOnFile:
    """Knows the works by their ids, and asks Postgres about those that it does not know.

    An act that was kept apart once always is, also when a replay meets it after its work has come: what counts then is
    the act that was appended in its place. Not for several threads.
    """

    def __init__(self, connection: PatientConnection) -> None:
        self._connection = connection
        self._is_known = np.zeros(0, dtype=bool)  # by book_id
        self._kept_apart: set[bytes] | None = None

    def sift(self, acts: Sequence[Taken]) -> list[Taken | EarlyAct]:
        """The same in the same order, those on unknown works marked."""
        if self._kept_apart is None:
            self._kept_apart = self._connection.run(self._load)
        unknown = {act.event.book_id for act in acts if isinstance(act, TakenAct) and not self._knows(act)}
        if unknown:
            self._learn(self._connection.run(lambda conn: quarantine.works_on_file(conn, [b for b in unknown if b])))
        return [self._sifted(act, self._kept_apart) for act in acts]

    def _sifted(self, act: Taken, kept_apart: set[bytes]) -> Taken | EarlyAct:
        if not isinstance(act, TakenAct):
            return act
        event_id = act.event.event_id.bytes if kept_apart else b""
        if self._knows(act) and event_id not in kept_apart:
            return act
        kept_apart.add(act.event.event_id.bytes)
        return EarlyAct(act)

    def _knows(self, act: TakenAct) -> bool:
        book_id = act.event.book_id
        return book_id is None or (book_id < len(self._is_known) and bool(self._is_known[book_id]))

    def _load(self, conn: psycopg.Connection) -> set[bytes]:
        self._learn(quarantine.works_on_file(conn))
        return {event_id.bytes for event_id in quarantine.ids(conn)}

    def _learn(self, book_ids: Sequence[int]) -> None:
        if not book_ids:
            return
        if max(book_ids) >= len(self._is_known):
            grown = np.zeros(max(book_ids) + 1_000, dtype=bool)
            grown[: len(self._is_known)] = self._is_known
            self._is_known = grown
        self._is_known[book_ids] = True
