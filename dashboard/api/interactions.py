"""Acts of a program's readers: into the log, once each, acknowledged when they are committed."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

import msgspec
import psycopg

from dashboard.api.callers import Caller
from dashboard.api.operations import BookId, Operation
from dashboard.api.problems import Fault, ProblemError
from dashboard.api.recommendations import OwnReaderKey
from openshelf import contracts
from openshelf.contracts import Action, BadEvent, Interaction, Surface, UtcTime
from openshelf.database import events, program_acts
from openshelf.database.api_keys import Scope
from openshelf.settings import get_settings

MAX_EVENTS = 500
_SESSIONS = uuid.UUID("3f3c1e0a-1d0a-4b43-9f55-0c8f2b0e8a6b")


class Act(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One act of one reader.

    `event_id`: sent twice, it counts once; unset: made here, and a repetition counts again. `occurred_at`: unset: now.
    `session_id`: unset: acts of a reader within the same half hour are one session. `slate_id` and `position`: the
    place of the reader's slate that the act answers. `value`: stars of `rate`, seconds of `read`.
    """

    event_id: UUID | None = None
    occurred_at: UtcTime | None = None
    reader_key: OwnReaderKey
    session_id: UUID | None = None
    action: Action
    book_id: BookId | None = None
    slate_id: UUID | None = None
    position: Annotated[int, msgspec.Meta(ge=0, le=10_000)] | None = None
    value: float | None = None


Acts = Annotated[list[Act], msgspec.Meta(min_length=1, max_length=MAX_EVENTS)]


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """`duplicate`: an act of this event_id was in the log already, and that one counts."""

    event_id: UUID
    status: Literal["stored", "duplicate"]


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the log now, in the order sent; all or nothing."""

    count_stored: int
    count_duplicates: int
    events: list[Acknowledged]


def record(conn: psycopg.Connection, caller: Caller, _asked: msgspec.Struct, body: Act | list[Act]) -> Receipt:
    acts = body if isinstance(body, list) else [body]
    now = contracts.utc_now()
    program_acts.hold(conn, [caller.reader_key(act.reader_key) for act in acts])
    known = program_acts.stored(conn, [act.event_id for act in acts if act.event_id])
    complete: dict[UUID, Interaction] = {}
    order: list[UUID] = []
    for number, act in enumerate(acts):
        event = _event(act, caller, now, known.get(act.event_id) if act.event_id else None)
        path = f"$[{number}]" if isinstance(body, list) else "$"
        _check(event, now, known, path)
        if complete.setdefault(event.event_id, event) != event:
            raise _conflict(event.event_id, path)
        order.append(event.event_id)
    new = [event for event_id, event in complete.items() if event_id not in known]
    _check_readers(conn, caller, new)
    events.append_many(conn, new)
    fresh = {event.event_id for event in new}
    acknowledged = []
    for event_id in order:
        acknowledged.append(Acknowledged(event_id=event_id, status="stored" if event_id in fresh else "duplicate"))
        fresh.discard(event_id)
    return Receipt(count_stored=len(new), count_duplicates=len(order) - len(new), events=acknowledged)


def _event(act: Act, caller: Caller, now: datetime, stored: Interaction | None) -> Interaction:
    """The act as an event. What the program left open is as in the stored one, if this is sent again."""
    reader_key = caller.reader_key(act.reader_key)
    occurred_at = act.occurred_at or (stored.occurred_at if stored else now)
    return Interaction(
        event_id=act.event_id or contracts.new_event_id(),
        occurred_at=occurred_at,
        reader_key=reader_key,
        session_id=act.session_id or _session(reader_key, occurred_at),
        action=act.action,
        book_id=act.book_id,
        slate_id=act.slate_id,
        position=act.position,
        surface=Surface.API,
        value=act.value,
    )


def _session(reader_key: str, moment: datetime) -> UUID:
    length = timedelta(minutes=get_settings().session_minutes)
    return uuid.uuid5(_SESSIONS, f"{reader_key}/{int(moment.timestamp() // length.total_seconds())}")


def _check(event: Interaction, now: datetime, known: dict[UUID, Interaction], path: str) -> None:
    if stored := known.get(event.event_id):
        if stored != event:
            raise _conflict(event.event_id, path)
        return
    checked = contracts.parse_interaction(event.encode(), now)
    if isinstance(checked, BadEvent):
        raise _refusal(422, checked.reason, path)
    if (event.slate_id is None) != (event.position is None):
        raise _refusal(422, "slate_id and position name a place together: give both or none", path)


def _check_readers(conn: psycopg.Connection, caller: Caller, new: Sequence[Interaction]) -> None:
    """An act may answer a slate of its own reader only; who was erased, or keeps no history, gets none."""
    if program_acts.erased(conn, sorted({event.reader_key for event in new})):
        raise ProblemError(403, "one of these readers was erased: name them anew; nothing was stored")
    slates = {(event.slate_id, event.reader_key) for event in new if event.slate_id}
    if strangers := slates - program_acts.slates_of(conn, [slate_id for slate_id, _ in slates if slate_id]):
        named = ", ".join(sorted(str(slate_id) for slate_id, _ in strangers))
        raise ProblemError(422, f"no slate {named} was drawn for this reader; nothing was stored")
    accounts = {event.reader_key for event in new if event.reader_key.startswith("r_")}
    if caller.is_staff_tool and accounts and accounts - program_acts.keeping_history(conn, sorted(accounts)):
        raise ProblemError(403, "one of these readers keeps no history; nothing was stored")


def _conflict(event_id: UUID, path: str) -> ProblemError:
    return _refusal(409, f"event_id {event_id} is that of another act; take a new one", path)


def _refusal(status: int, fault: str, path: str) -> ProblemError:
    return ProblemError(status, f"{fault} (at {path}); nothing was stored", errors=[Fault(path, fault)])


OPERATIONS = [
    Operation(
        "POST", "/interactions", "recordInteractions", "Record acts of readers.", Receipt, record,
        scope=Scope.WRITE, body=Act | Acts, refuses=(409,),
        description=f"One act, or up to {MAX_EVENTS} in a list: all are stored or none. The answer comes when they are "
        "committed to the log; the dataflow takes them within milliseconds. An act on a work that is not in the "
        "catalogue yet waits for the next ingest and counts once.",
    ),
]  # fmt: skip
