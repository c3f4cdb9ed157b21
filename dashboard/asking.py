"""Asking the library for a book it does not have: the form, and the routes that take wishes and what staff decide."""

from collections.abc import Sequence
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dashboard import auth, forms, language, logins
from dashboard.components import finding, furniture
from dashboard.components.finding import Row
from dashboard.forms import Form
from dashboard.language import _
from dashboard.state import VISIT_COOKIE
from dashboard.words import address
from openshelf.database import pool, requests
from openshelf.database.requests import OPEN, STATUSES, Status
from openshelf.errors import UsageError
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


def draw_asked(asked: Sequence[requests.Request], page: Literal["ask", "mine"], empty: str = "") -> None:
    """What a reader asked for and what became of it; what is still open can be taken back. `page`: where this is."""
    names = statuses()
    rows: list[Row] = [
        {
            "title": each.title,
            "line": each.author,
            "status": names[each.status],
            "note": each.answer,
            "date": language.day((each.decided_at or each.asked_at).date()),
            "key": str(each.request_id) if each.status in OPEN else "",
        }
        for each in asked
    ]
    finding.records(
        "asked",
        _("What you asked the library for"),
        rows,
        empty,
        button=("/requests/take-back", "request", _("Take it back"), {"to": page}),
    )


def _take(request: Request, form: Form) -> Response:
    with pool.get_pool().connection() as conn:
        account = logins.by_cookie(conn, request)
        try:
            requests.ask(
                conn,
                account,
                form.get("title", ""),
                form.get("author", ""),
                form.get("note", ""),
                secret=get_settings().reader_secret(),
                visit=request.cookies.get(VISIT_COOKIE) or logins.address_of(request),
            )
        except UsageError:
            return forms.refuse(request, _("Please say which book."), "title")
    return forms.go(request, address("ask", thanks="yes"))


def _decide(request: Request, form: Form) -> Response:
    known: dict[str, Status] = {each: each for each in STATUSES}
    before, status = known.get(form.get("before", "")), known.get(form.get("status", ""))
    if before is None or status is None:
        return forms.refuse(request, _("Please choose what becomes of it."), "status")
    with pool.get_pool().connection() as conn:
        staff = logins.by_cookie(conn, request)
        requests.decide(conn, staff, form.get("key", ""), before, status, form.get("answer", ""))
    return forms.go(request, address("requests", show=form.get("show", "")))


def _take_back(request: Request, form: Form) -> Response:
    account = auth.signed_in(request)
    said = form.get("request", "")
    with pool.get_pool().connection() as conn:
        if said.isascii() and said.isdecimal() and len(said) < 10:
            requests.take_back(conn, account.account_id, int(said))
    return forms.go(request, address("mine") if form.get("to") == "mine" else address("ask"))


def routes() -> list[BaseRoute]:
    return [
        Route("/requests/new", forms.taking(_take), methods=["POST"]),
        Route("/requests/decide", forms.taking(_decide), methods=["POST"]),
        Route("/requests/take-back", forms.taking(_take_back), methods=["POST"]),
    ]
