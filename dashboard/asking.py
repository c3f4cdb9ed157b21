"""Asking the library for a book it does not have: the form, and the routes that take wishes and what staff decide."""

from collections.abc import Callable
from math import ceil

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dashboard import forms, language
from dashboard.components import furniture
from dashboard.language import _
from dashboard.state import ACCOUNT_COOKIE, OFFLINE, VISIT_COOKIE, token_hash
from dashboard.words import address
from openshelf.contracts import utc_now
from openshelf.database import pool, requests, sign_ins
from openshelf.database.accounts import Account
from openshelf.database.requests import STATUSES, Status
from openshelf.errors import NotAllowedError, TooOftenError, UsageError
from openshelf.settings import get_settings


def statuses() -> dict[Status, str]:
    """A status as readers and staff read it."""
    return {
        "asked": _("Asked for"),
        "looking": _("The library is looking"),
        "bought": _("Bought"),
        "declined": _("Not this time"),
    }


def draw_form(title: str = "", *, folded: bool = False, headed: bool = True) -> None:
    """The form; `title`: what was looked for in vain, as a start. `headed`: the page does not say what it is for."""
    label = _("Ask the library for it")
    furniture.form(
        "ask",
        "/requests/new",
        [
            furniture.field("title", _("Title"), value=title, required=True),
            furniture.field("author", _("Author, if you know"), required=False),
            furniture.field(
                "note", _("Anything that helps to find it"), hint=_("An edition, a language, why it matters.")
            ),
        ],
        _("Ask for it"),
        heading=label if headed and not folded else "",
        line=_("Staff see the title and how many readers asked for it, not who."),
        folded=label if folded else "",
    )


def _take(request: Request, form: dict[str, str]) -> Response:
    with pool.get_pool().connection() as conn:
        account = _account(request)
        try:
            requests.ask(
                conn,
                account,
                form.get("title", ""),
                form.get("author", ""),
                form.get("note", ""),
                secret=get_settings().reader_secret(),
                visit=request.cookies.get(VISIT_COOKIE) or (request.client.host if request.client else ""),
            )
        except UsageError:
            return forms.refuse(request, _("Please say which book."), "title")
    return forms.go(request, address("ask", thanks="yes"))


def _decide(request: Request, form: dict[str, str]) -> Response:
    known: dict[str, Status] = {each: each for each in STATUSES}
    before, status = known.get(form.get("before", "")), known.get(form.get("status", ""))
    if before is None or status is None:
        return forms.refuse(request, _("Please choose what becomes of it."), "status")
    with pool.get_pool().connection() as conn:
        requests.decide(conn, _account(request), form.get("key", ""), before, status, form.get("answer", ""))
    return forms.go(request, address("requests", show=form.get("show", "")))


def routes() -> list[BaseRoute]:
    return [
        Route("/requests/new", forms.taking(_take), methods=["POST"]),
        Route("/requests/decide", forms.taking(_decide), methods=["POST"]),
    ]
