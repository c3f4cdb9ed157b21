"""Everything around the shelves: the bar on top, a book's page, filters, pagers, the choice of readers."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from dashboard import handlers
from dashboard.components.registration import renderer
from openshelf.contracts import Surface
from openshelf.database.accounts import Account

LIBRARY = "Openshelf"
_ROLES = {"reader": "Reader", "staff": "Library staff", "admin": "Administrator"}


def initial_of(name: str) -> str:
    return name.strip()[:1].upper() or "?"


def account_line(account: Account) -> str:
    if account.role != "reader":
        return _ROLES.get(account.role, account.role)
    return "Keeps a reading history" if account.history_enabled else "Keeps no history"


def topbar(account: Account | None, links: Sequence[tuple[str, str]], current: str, query: str) -> None:
    """`links`: label and address of each room; `current`: the address of the page on screen."""
    shown = None
    if account:
        shown = {
            "name": account.display_name,
            "initial": initial_of(account.display_name),
            "line": account_line(account),
        }
    renderer("topbar")(
        key="topbar",
        data={
            "name": LIBRARY,
            "links": [{"label": label, "href": href} for label, href in links],
            "current": current,
            "query": query,
            "account": shown,
        },
    )


def book(key: str, book_id: int, data: dict[str, Any], surface: Surface) -> None:
    renderer("book")(key=key, data=data, on_acts_change=handlers.book_acts(key, book_id, surface))


def filters(key: str, data: dict[str, Any]) -> None:
    """Filters that write what is chosen into the address of the page."""
    renderer("filters")(key=key, data=data)


def pager(key: str, data: dict[str, Any], on_finish: Callable[[], None] | None = None) -> None:
    renderer("pager")(key=key, data=data, on_finish_change=on_finish or _nothing)


def directory(key: str, heading: str, entries: Sequence[tuple[str, str, int]]) -> None:
    """A list of names with how many books stand under each: name, address, count."""
    shown = [{"label": name, "href": href, "count": f"{count:,}"} for name, href, count in entries]
    renderer("directory")(key=key, data={"heading": heading, "entries": shown})


def readers(accounts: Sequence[Account]) -> None:
    """A real form that posts to /auth/demo."""
    renderer("sign_in")(
        key="sign_in",
        data={
            "readers": [
                {
                    "username": account.username,
                    "name": account.display_name,
                    "initial": initial_of(account.display_name),
                    "line": account_line(account),
                }
                for account in accounts
            ]
        },
    )


def heading(text: str, line: str = "") -> None:
    """The title of a page. Only our own words: nothing that a reader or a record wrote."""
    st.html(f'<div class="os-heading"><h1>{text}</h1>{f"<p>{line}</p>" if line else ""}</div>')


def notice(text: str, line: str = "") -> None:
    """A calm word where there is nothing to show. Only our own words."""
    st.html(f'<div class="os-notice" role="status"><h2>{text}</h2><p>{line}</p></div>')


def _nothing() -> None:
    return None
