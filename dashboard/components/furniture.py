"""Everything around the shelves: the bar on top, a book's page, filters, pagers, the choice of readers."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, Literal, NoReturn

import streamlit as st

from dashboard import forms, handlers, language
from dashboard.components.registration import renderer
from dashboard.language import _
from dashboard.words import address
from openshelf.contracts import Surface
from openshelf.database.accounts import Account

LIBRARY = "Openshelf"


def initial_of(name: str) -> str:
    return name.strip()[:1].upper() or "?"


def account_line(account: Account) -> str:
    """What an account is, in a few words."""
    if account.audience_limit == "children":
        return _("Children's books")
    if account.audience_limit:
        return _("Children's and young adults' books")
    if account.role == "admin":
        return _("Administrator")
    if account.role == "staff":
        return _("Library staff")
    return _("Keeps a reading history") if account.history_enabled else _("Keeps no history")


def topbar(
    account: Account | None, links: Sequence[tuple[str, str]], current: str, within: str, query: str
) -> None:  # fmt: skip
    """`links`: label and address of each room; `current`: the address of the page on screen; `within`: its room's."""
    shown = None
    if account:
        shown = {
            "name": account.display_name,
            "initial": initial_of(account.display_name),
            "line": account_line(account),
            "token": forms.page_token(),
            "links": [
                {"label": _("My books"), "href": "/mine"},
                {"label": _("Your account"), "href": "/account"},
                {"label": _("Your data"), "href": "/your_data"},
            ],
            "words": {"menu": _("Account of {name}").format(name=account.display_name), "sign_out": _("Sign out")},
        }
    renderer("topbar")(
        key="topbar",
        data={
            "name": LIBRARY,
            "words": {
                "skip": _("Skip to the content"),
                "home": _("{name}, to the first page").format(name=LIBRARY),
                "rooms": _("Rooms of the library"),
            },
            "links": [{"label": label, "href": href} for label, href in links],
            "current": current,
            "within": within,
            "query": query,
            "search": {
                "label": _("Search the library"),
                "placeholder": _("Title, author, subject, or a feeling"),
                "suggestions": _("Suggestions"),
                "count": _("{count} suggestions; the arrow keys lead through them"),
            },
            "account": shown,
            "sign_in": _("Sign in"),
        },
    )


def book(key: str, book_id: int, data: dict[str, Any], surface: Surface) -> None:
    heard = {"heard": handlers.heard(key)}
    renderer("book")(key=key, data=data | heard, on_acts_change=handlers.book_acts(key, book_id, surface))


def pager(key: str, data: dict[str, Any]) -> None:
    renderer("pager")(key=key, data=data)


def readers(accounts: Sequence[Account], heading: str, line: str) -> None:
    """A real form that posts to /auth/demo."""
    renderer("sign_in")(
        key="sign_in",
        data={
            "heading": heading,
            "line": line,
            "token": forms.page_token(),
            "readers": [
                {
                    "username": account.username,
                    "name": account.display_name,
                    "initial": initial_of(account.display_name),
                    "line": account_line(account),
                }
                for account in accounts
            ],
        },
    )


FieldType = Literal["text", "textarea", "date", "email", "password", "checkbox", "select"]


def field(
    name: str,
    label: str,
    type: FieldType = "text",
    *,
    value: str = "",
    hint: str = "",
    autocomplete: str = "off",
    required: bool = False,
    options: Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:
    """One field of a form. `options` of a select: value and label. `autocomplete`: as HTML names it."""
    return {
        "name": name,
        "label": label,
        "type": type,
        "value": value,
        "hint": hint,
        "autocomplete": autocomplete,
        "required": required,
        "options": [list(option) for option in options],
        "can_show": name != "again",
    }


def form(
    key: str,
    action: str,
    fields: Sequence[dict[str, Any]],
    submit: str,
    *,
    heading: str = "",
    line: str = "",
    folded: str = "",
    hidden: Mapping[str, str] | None = None,
    quiet: bool = False,
    sends_itself: bool = False,
) -> None:
    """A form that posts to one of our routes and says its problems in place.

    `folded`: shut until this is pressed. `quiet`: its button is not the page's chief one. `hidden`: what it also says.
    """
    renderer("form")(
        key=key,
        data={
            "action": action,
            "name": heading or folded or submit,
            "heading": heading,
            "line": line,
            "folded": folded,
            "fields": list(fields),
            "submit": submit,
            "hidden": {forms.TOKEN: forms.page_token(), **(hidden or {})},
            "quiet": quiet,
            "sends_itself": sends_itself,
            "words": {
                "missing": _("Please fill in this field."),
                "failed": _("The library did not answer. Please try again in a moment."),
                "stale": _("This page is too old. Please load it again and send the form once more."),
                "show": _("Show the password"),
                "show_short": _("Show"),
            },
        },
    )


def welcome(
    key: str, groups: Sequence[tuple[str, Sequence[dict[str, Any]]]], least: int, on_picked: Callable[[], None]
) -> None:
    """Books and subjects to choose from, in named groups; `on_picked` when at least so many are chosen."""
    left = [language.plural("Choose {count} more.", "Choose {count} more.", n) for n in range(1, least + 1)]
    renderer("welcome")(
        key=key,
        data={
            "groups": [{"name": name, "cards": list(cards)} for name, cards in groups],
            "least": least,
            "words": {
                "name": _("Books and subjects to choose from"),
                "groups": _("What to choose from"),
                "missing": left,
                "enough": _("That is enough. You may choose more."),
                "done": _("Show my shelf"),
                "skip": _("Skip this"),
            },
        },
        on_picked_change=on_picked,
    )


class PageEndError(Exception):
    """A page has said all it has; `app.py` goes on with what stands below every page."""


def end_page() -> NoReturn:
    """Leave a page early. `st.stop()` would leave out the foot of the page, too."""
    raise PageEndError


def footer(page: str) -> None:
    """Below every page: what is kept, where to read and change that, and this page (its address) in other languages."""
    rooms = (("/privacy", _("Privacy")), ("/your_data", _("Your data")), ("/accessibility", _("Accessibility")))
    links = " · ".join(f'<a href="{href}" target="_self">{label}</a>' for href, label in rooms)
    languages = " · ".join(_in_language(page, code, name) for code, name in language.LANGUAGES.items())
    words = _(
        "Openshelf keeps no history of your reading unless you turn it on. Nothing on these pages is fetched from "
        "anyone else."
    )
    st.html(f'<footer class="os-footer"><p>{words}</p><p>{links}</p><p class="os-languages">{languages}</p></footer>')


def _in_language(page: str, code: str, name: str) -> str:
    asked = {key: value for key, value in st.query_params.items() if key != "lang"}
    href = escape(address(page, **asked, lang=code))
    current = 'aria-current="true"' if code == language.current() else ""
    return f'<a href="{href}" target="_self" lang="{code}" hreflang="{code}" {current}>{name}</a>'


def ask_again() -> None:
    """The notice on which a reader turned the history on is not the one that counts now."""
    words = _("Our privacy notice has changed, and your history pauses.")
    label = _("Decide whether it may go on")
    link = f'<a href="/your_data" target="_self">{label}</a>'
    st.html(f'<div class="os-asks" role="status"><p>{words} {link}</p></div>')


def heading(text: str, line: str = "") -> None:
    """The title of a page. Only our own words: nothing that a reader or a record wrote."""
    st.html(f'<div class="os-heading"><h1>{text}</h1>{f"<p>{line}</p>" if line else ""}</div>')


def section(text: str, line: str = "") -> None:
    """The heading of a part of a page. Only our own words."""
    st.html(f'<div class="os-section"><h2>{text}</h2>{f"<p>{line}</p>" if line else ""}</div>')


def said(text: str) -> None:
    """What has just been done, told also to who does not see it. Only our own words."""
    st.html(f'<p class="os-said" role="status">{text}</p>')


def aside(text: str, label: str, href: str) -> None:
    """A line with a way elsewhere. Only our own words."""
    st.html(f'<p class="os-aside">{text} <a href="{href}" target="_self">{label}</a></p>')


def notice(text: str, line: str = "", *, alone: bool = False) -> None:
    """A calm word where there is nothing to show. Only our own words. `alone`: nothing else is on the page."""
    level = "h1" if alone else "h2"
    st.html(f'<div class="os-notice" role="status"><{level}>{text}</{level}><p>{line}</p></div>')
