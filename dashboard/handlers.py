"""What happens when a reader does something on a page: from a component's trigger to the recorded act."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import streamlit as st

from dashboard import resources, state
from dashboard.acts import Deed, Reader, record
from dashboard.language import _
from dashboard.sessions import Choice
from openshelf.contracts import Action, Surface, utc_now
from openshelf.database import accounts

# What a component may ask for; anything else a browser sends is ignored.
_CARD_ACTIONS = {Action.LIKE, Action.WANT, Action.SKIP, Action.HIDE, Action.UNHIDE}
_BOOK_ACTIONS = _CARD_ACTIONS | {Action.DISLIKE, Action.RATE, Action.FINISH}


def not_saved() -> str:
    return _("The library is restarting, and that was not saved. Please try again in a moment.")


def do(*deeds: Deed) -> bool:
    """Record acts of the current visitor; False (and a word to them) if Postgres is away."""
    try:
        visitor = state.current_visitor()
        if visitor.begins and not any(deed.action is Action.VISIT for deed in deeds):
            deeds = (Deed(Action.VISIT, Surface.FOR_YOU), *deeds)
        now = utc_now()
        with resources.connection() as conn:
            reader = Reader(visitor.reader_key, visitor.session_id, visitor.account_id, visitor.personal)
            events = record(conn, reader, deeds, now)
        resources.sessions().acted(visitor.visit, visitor.owner, now)
        if any(deed.action is Action.RESET for deed in deeds):
            resources.sessions().choose(visitor.visit, visitor.owner, None)
        elif any(deed.book_id and deed.action is not Action.SHOW for deed in deeds):
            resources.sessions().moved_on(visitor.visit, visitor.owner)
        for event in events:
            state.note_act(visitor, event)
    except state.OFFLINE:
        st.toast(not_saved())
        return False
    return True


def do_on_book(action: Action, book_id: int, surface: Surface, value: float | None = None) -> bool:
    """Record an act on a book's own pages: it answers the place that led there, else it happened on `surface`."""
    came = state.origin(book_id, surface)
    return do(Deed(action, came.surface, book_id, value, came.slate_id, came.position))


def begin() -> state.Visitor:
    """The visitor of a run of the whole script; a session that begins is a visit and gets its first slate."""
    visitor = state.current_visitor()
    if state.part_from_other(visitor) and visitor.account is None:
        st.toast(_("You were signed out, because this page was not used for a while."))
    if visitor.begins:
        do(Deed(Action.VISIT, Surface.FOR_YOU))
    return visitor


def choose(subjects: Sequence[str], liked: Sequence[int]) -> bool:
    """The first choice. A book is liked, as if its heart had been pressed; a subject counts while the visit lasts."""
    try:
        visitor = begin()
    except state.OFFLINE:
        st.toast(not_saved())
        return False
    if liked and not do(*(Deed(Action.LIKE, Surface.POPULAR, book_id) for book_id in liked)):
        return False
    choice = Choice(tuple(subjects), len(liked)) if subjects else None
    resources.sessions().choose(visitor.visit, visitor.owner, choice)
    return True


def shelf_acts(key: str, surface: Surface) -> Callable[[], None]:
    """Callback of a shelf's `acts`: `{action, id, position, slate}`."""

    def handle() -> None:
        for answer in _triggered(key, "acts"):
            deed = _deed(answer, surface, _CARD_ACTIONS)
            if deed and deed.book_id:
                _card_act(deed)

    return handle


def shelf_seen(key: str, surface: Surface) -> Callable[[], None]:
    """Callback of a shelf's `seen`: places of a slate that were on screen."""

    def handle() -> None:
        shown = [{**answer, "action": Action.SHOW.value} for answer in _triggered(key, "seen")]
        deeds = [deed for answer in shown if (deed := _deed(answer, surface, {Action.SHOW}))]
        deeds = [deed for deed in deeds if deed.slate_id and deed.book_id]
        if deeds:
            do(*deeds)

    return handle


def book_acts(key: str, book_id: int, surface: Surface) -> Callable[[], None]:
    """Callback of a book page's `acts`: `{action, value}`."""

    def handle() -> None:
        for answer in _triggered(key, "acts"):
            deed = _deed({**answer, "id": book_id}, surface, _BOOK_ACTIONS)
            if deed is None or (deed.action is Action.RATE and not (deed.value and 1 <= deed.value <= 5)):
                continue
            if deed.action is Action.WANT and state.marks(state.current_visitor()).shelves.get(book_id) == "want":
                take_off(book_id)
            else:
                do_on_book(deed.action, book_id, surface, deed.value)

    return handle


def take_off(book_id: int) -> None:
    """Take a book off the want-to-read shelf: kept nowhere as an act, since it says nothing of taste."""
    try:
        visitor = state.current_visitor()
        if visitor.account_id is not None:
            with resources.connection() as conn:
                accounts.take_off_shelf(conn, visitor.account_id, book_id)
        state.marks(visitor).shelves.pop(book_id, None)
    except state.OFFLINE:
        st.toast(not_saved())


def _card_act(deed: Deed) -> None:
    assert deed.book_id is not None
    kept = state.marks(state.current_visitor())
    if deed.action is Action.LIKE and kept.opinions.get(deed.book_id) == "like":
        return  # said already; there is no act that unsays it, only 'I do not like this' on the book's page
    if deed.action is Action.WANT and kept.shelves.get(deed.book_id) == "want":
        take_off(deed.book_id)
    else:
        do(deed)


def _deed(answer: dict[str, Any], surface: Surface, allowed: set[Action]) -> Deed | None:
    """An answer of a component as a deed; None for what no component of ours sends."""
    try:
        action = Action(answer.get("action", ""))
        slate = answer.get("slate")
        value = answer.get("value")
        position = answer.get("position")
        deed = Deed(
            action=action,
            surface=surface,
            book_id=int(answer["id"]),
            value=None if value is None else float(value),
            slate_id=UUID(slate) if slate else None,
            position=None if position is None else int(position),
        )
    except (ValueError, TypeError, KeyError):
        return None
    return deed if action in allowed else None


def heard(key: str) -> dict[str, str | int]:
    """What was heard of a component, for its `data`: who tells (`from`), and the last number of each trigger."""
    return state.all_heard().get(key, {})


def told(key: str, name: str) -> list[Any]:
    """What a component's trigger tells that was not heard before, in order: it tells all until it knows it heard.

    It comes from `teller` in js/dom.js as `{from, told: [[number, value], ...]}`; of anything else nothing is heard.
    """
    said: Any = getattr(st.session_state.get(key), name, None)
    try:
        teller, numbered = str(said["from"])[:40], [(int(number), value) for number, value in said["told"]]
    except (TypeError, ValueError, KeyError):
        return []
    before = heard(key) if heard(key).get("from") == teller else {"from": teller}
    last = int(before.get(name, 0))
    state.all_heard()[key] = before | {name: max([last, *(number for number, _value in numbered)])}
    return [value for number, value in numbered if number > last]


def _triggered(key: str, name: str) -> Sequence[dict[str, Any]]:
    return [each for each in told(key, name) if isinstance(each, dict)]
