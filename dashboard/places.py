"""Where a reader is in a text: kept with an account that keeps a history, else in the reader's own browser only."""

from collections.abc import Callable
from typing import Literal

from dashboard import handlers, resources, state
from dashboard.state import Visitor
from openshelf.database import shelves
from openshelf.database.shelves import Place


def remembered_by(visitor: Visitor) -> Literal["account", "browser"]:
    """Who keeps this visitor's places. Without a history the library does not keep what somebody reads."""
    return "account" if visitor.account and visitor.account.keeps_history and visitor.personal else "browser"


def place_of(visitor: Visitor, book_id: int) -> Place | None:
    """The place that the library keeps, if it keeps one."""
    if visitor.account_id is None or remembered_by(visitor) == "browser":
        return None
    with resources.connection() as conn:
        return shelves.place_of(conn, visitor.account_id, book_id)


def keep(key: str, book_id: int, count_parts: int) -> Callable[[], None]:
    """Callback of the reading component's `place`: `{part, block, progress}`, of which the last counts."""

    def handle() -> None:
        place = _place(next(reversed(handlers.told(key, "place")), None), count_parts)
        if place is None:
            return
        try:
            visitor = state.current_visitor()
            if visitor.account_id is None or remembered_by(visitor) == "browser":
                return
            part, block, progress = place
            with resources.connection() as conn:
                shelves.keep_place(conn, visitor.account_id, book_id, part=part, block=block, progress=progress)
        except state.OFFLINE:
            return  # the next place is sent in a moment; a word would only disturb the reading

    return handle


def _place(answer: object, count_parts: int) -> tuple[int, int, float] | None:
    """An answer of the component; None for what it does not send."""
    if not isinstance(answer, dict):
        return None
    try:
        part, block, progress = int(answer["part"]), int(answer["block"]), float(answer["progress"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    if not (1 <= part <= count_parts and 0 <= block <= 1_000_000 and 0 <= progress <= 1):
        return None
    return part, block, progress
