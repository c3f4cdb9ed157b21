"""Who was erased: their acts are dropped wherever they come from, and a state that was kept of them is not used."""

from collections.abc import Sequence

from openshelf import readers
from openshelf.database import erasures
from streaming.acts import BadAct, Dropped, Forget, TakenAct
from streaming.patience import PatientConnection

Taken = TakenAct | BadAct | Forget


class ErasedReaders:
    """Reads once who was erased before, and learns of the others by the words to forget them. Not for several threads.

    `connection`: None, nobody was.
    """

    def __init__(self, connection: PatientConnection | None) -> None:
        self._connection = connection
        self._marks: set[bytes] | None = None if connection else set()

    @classmethod
    def none(cls) -> "ErasedReaders":
        return cls(None)

    def knows(self, reader_key: str) -> bool:
        marks = self._known()
        return bool(marks) and readers.reader_mark(reader_key) in marks

    def sift(self, acts: Sequence[Taken]) -> list[Taken | Dropped]:
        """The same in the same order, without what erased readers did."""
        return [self._sifted(act) for act in acts]

    def _sifted(self, act: Taken) -> Taken | Dropped:
        if isinstance(act, TakenAct):
            return Dropped(act.raw) if self.knows(act.event.reader_key) else act
        if isinstance(act, Forget):
            return self._asked(act)
        return act

    def _asked(self, act: Forget) -> Forget | BadAct:
        """A word to forget is taken from the log only: to a topic others may write."""
        mark = readers.reader_mark(act.reader_key)
        marks = self._known()
        if mark not in marks and self._connection:
            marks |= self._read(self._connection)
        return act if mark in marks else BadAct("asks to forget a reader whom nobody asked us to forget", act.raw)

    def _known(self) -> set[bytes]:
        if self._marks is None:
            assert self._connection
            self._marks = self._read(self._connection)
        return self._marks

    def _read(self, connection: PatientConnection) -> set[bytes]:
        marks = set(connection.run(erasures.marks))
        connection.close()  # it is asked seldom
        return marks
