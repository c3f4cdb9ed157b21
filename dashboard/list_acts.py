"""What happens when a reader makes, fills, renames or removes a list: from a component's trigger to what is kept."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import psycopg
import streamlit as st

from dashboard import handlers, resources, state
from dashboard.language import _, number
from openshelf.database import shelves
from openshelf.database.shelves import ListError, NameTakenError, Rule, TooManyError

_MAX_TEXT = 200


def rule_of(answer: object) -> Rule | None:
    """What a form says a shelf shall hold; None if it says nothing that we know."""
    if not isinstance(answer, dict):
        return None
    given = {name: _field(name, answer.get(name)) for name in Rule.__struct_fields__}
    given = {name: value for name, value in given.items() if value not in (None, "")}
    try:
        return msgspec.convert(given, Rule) if given else None
    except msgspec.ValidationError:
        return None


def _field(name: str, value: object) -> str | int | None:
    text = str(value or "").strip()[:_MAX_TEXT].replace("\x00", "")
    if not name.startswith("year_"):
        return text
    try:
        return max(-5_000, min(3_000, int(text)))
    except ValueError:
        return None


def problem(key: str) -> str:
    """In words why the last change of this component was not made; empty if it was."""
    return st.session_state.get(f"lists.problem.{key}", "")


def making(key: str) -> Callable[[], None]:
    """Callback of a form's `made`: `{name, rule}`."""

    def made(conn: psycopg.Connection, account_id: int, answer: Mapping[str, Any]) -> None:
        rule = rule_of(answer.get("rule"))
        if answer.get("rule") is not None and rule is None:
            raise ListError("a shelf that fills itself needs a rule")
        shelves.make(conn, account_id, str(answer.get("name") or ""), rule)

    return _handler(key, lambda: _form_sent(key, "made"), made)


def changing(key: str, list_id: int) -> Callable[[], None]:
    """Callback of a list's page: `{what: rename | rule | remove | back, name, rule}`."""

    def changed(conn: psycopg.Connection, account_id: int, answer: Mapping[str, Any]) -> None:
        match answer.get("what"):
            case "rename":
                shelves.rename(conn, account_id, list_id, str(answer.get("name") or ""))
            case "rule" if rule := rule_of(answer.get("rule")):
                shelves.change_rule(conn, account_id, list_id, rule)
            case "remove" if shelves.remove(conn, account_id, list_id):
                st.session_state["lists.removed"] = list_id
            case "back" if shelves.bring_back(conn, account_id, list_id):
                st.session_state.pop("lists.removed", None)

    return _handler(key, lambda: _form_sent(key, "changed"), changed)


def listing(key: str, book_id: int) -> Callable[[], None]:
    """Callback of a book's menu: `{id, on}` for a list there is, `{name}` for a new one with this book on it."""

    def listed(conn: psycopg.Connection, account_id: int, answers: Sequence[Mapping[str, Any]]) -> None:
        for answer in answers:
            if "name" in answer:
                shelves.put(conn, account_id, shelves.make(conn, account_id, str(answer["name"] or "")), [book_id])
            elif answer.get("on"):
                shelves.put(conn, account_id, _key(answer), [book_id])
            else:
                shelves.take_out(conn, account_id, _key(answer), book_id)

    return _handler(key, lambda: _all_told(key, "listed"), listed)


def taking_out(key: str, list_id: int) -> Callable[[], None]:
    """Callback of a shelf whose cards can be taken off a list: `{action, id}`."""

    def taken(conn: psycopg.Connection, account_id: int, answers: Sequence[Mapping[str, Any]]) -> None:
        for answer in answers:
            if answer.get("action") == "take_out":
                shelves.take_out(conn, account_id, list_id, _key(answer))

    return _handler(key, lambda: _all_told(key, "acts"), taken)


def was_removed(list_id: int) -> bool:
    """Whether this tab has just removed the list, so that it can be brought back."""
    return st.session_state.get("lists.removed") == list_id


def _key(answer: Mapping[str, Any]) -> int:
    key = answer.get("id")
    return key if isinstance(key, int) and 0 < key < 2**31 else 0


def _form_sent(key: str, trigger: str) -> dict[str, Any] | None:
    """What a form just sent; there is one at a time."""
    answer = getattr(st.session_state.get(key), trigger, None)
    return answer if isinstance(answer, dict) else None


def _all_told(key: str, trigger: str) -> list[dict[str, Any]]:
    return [answer for answer in handlers.told(key, trigger) if isinstance(answer, dict)]


def _handler(
    key: str, sent: Callable[[], Any], change: Callable[[psycopg.Connection, int, Any], None]
) -> Callable[[], None]:
    def handle() -> None:
        answer = sent()
        if answer is None or answer == []:
            return
        told = ""
        try:
            visitor = state.current_visitor()
            if visitor.account_id is None:
                return
            with resources.connection() as conn:
                change(conn, visitor.account_id, answer)
        except NameTakenError:
            told = _("You have a list of this name already.")
        except TooManyError:
            told = _("There is no room for more: {lists} lists, and {books} books on each.").format(
                lists=number(shelves.MAX_LISTS), books=number(shelves.MAX_ENTRIES)
            )
        except ListError:
            told = _("Please give the list a name.")
        except psycopg.errors.ForeignKeyViolation:
            return  # a book that is not there: no page of ours sends it
        except state.OFFLINE:
            st.toast(handlers.not_saved())
            return
        st.session_state[f"lists.problem.{key}"] = told

    return handle
