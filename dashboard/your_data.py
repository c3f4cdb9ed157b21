"""What a reader does with their own data: routes that forms post to, and the export."""

import re
import time

import psycopg
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from dashboard import auth, forms, language, resources, sessions
from dashboard.acts import Deed, Reader, record
from dashboard.bringing import MAX_ACTS
from dashboard.forms import Form, Handler
from dashboard.language import _
from dashboard.state import ACCOUNT_COOKIE, OFFLINE, PLAIN_COOKIE, VISIT_COOKIE, owner_of
from openshelf import readers
from openshelf.contracts import Action, Surface, utc_now
from openshelf.database import accounts, chats, opinions, pool
from openshelf.database.accounts import Account
from openshelf.errors import NotAllowedError
from openshelf.privacy import choices, erasing, exporting
from openshelf.settings import get_settings

PAGE = "/your_data"
_PAGES = ("/", PAGE)
_TRY_EVERY_S = 0.1
_TRIES = 10


def _keep(request: Request, form: Form) -> Response:
    """How long the history is kept: never, for some days, or until the reader deletes it."""
    account = auth.signed_in(request)
    wanted = form.get("keep", "")
    days = None
    if wanted == "days":
        days = _days(form)
        if days is None:
            return _no_days(request)
    elif wanted not in ("never", "always"):
        return forms.refuse(request, _("Please choose one."), "keep")
    resources.sessions().forget(owner_of(account))  # who chose is known by another key from here on
    with pool.get_pool().connection() as conn:
        if wanted == "never":
            _finish(conn, choices.stop_history(conn, account.account_id))
        else:
            liked = _liked_on_this_visit(conn, request, account) if "begin" in form else []
            choices.keep_history(conn, account.account_id, days)
            if liked:
                _begin_with(conn, request, account, liked)
    return forms.go(request, f"{PAGE}?done={'off' if wanted == 'never' else 'kept'}")


def _liked_on_this_visit(conn: psycopg.Connection, request: Request, account: Account) -> list[int]:
    """What an account without a history liked since it came here, the earliest first; kept until the visit ends."""
    visit = sessions.parse_visit(request.cookies.get(VISIT_COOKIE))
    if visit is None or account.keeps_history:
        return []
    session_id, _begins = resources.sessions().current(visit, owner_of(account), utc_now())
    key = readers.session_key(session_id, "staff" if account.is_staff else "reader")
    said = opinions.opinions(conn, key)
    return [book_id for book_id in reversed(said) if said[book_id] == "like"]


def _begin_with(conn: psycopg.Connection, request: Request, account: Account, liked: list[int]) -> None:
    """Let a history begin with what its reader liked before they agreed to it, because they said so."""
    visit = sessions.parse_visit(request.cookies.get(VISIT_COOKIE))
    now = utc_now()
    if visit is None or not account.personal:
        return
    reader_key = choices.pseudonym(conn, get_settings(), account.account_id)
    session_id, _begins = resources.sessions().current(visit, (account.account_id, reader_key), now)
    deeds = [Deed(Action.LIKE, Surface.API, book_id) for book_id in liked[-MAX_ACTS:]]
    record(conn, Reader(reader_key, session_id), [Deed(Action.VISIT, Surface.FOR_YOU), *deeds], now)


def _keep_chats(request: Request, form: Form) -> Response:
    """Whether chats with the librarian are kept, and for how many days."""
    account = auth.signed_in(request)
    wanted, days = form.get("keep", ""), _days(form)
    if wanted not in ("never", "days"):
        return forms.refuse(request, _("Please choose one."), "keep")
    if wanted == "days" and days is None:
        return _no_days(request)
    with pool.get_pool().connection() as conn:
        if wanted == "days" and days is not None:
            choices.keep_chats(conn, account.account_id, days)
        else:
            choices.stop_chats(conn, account.account_id)
    return forms.go(request, f"{PAGE}?done={'chats-kept' if wanted == 'days' else 'chats-off'}")


def _forget_chats(request: Request, form: Form) -> Response:
    account = auth.signed_in(request)
    if "sure" not in form:
        return forms.refuse(request, _("Please say that you are sure."), "sure")
    with pool.get_pool().connection() as conn:
        chats.forget(conn, account.account_id)
    return forms.go(request, "/librarian" if form.get("to") == "/librarian" else f"{PAGE}?done=chats-gone")


def _days(form: Form) -> int | None:
    """The number of days a form says; None: none that anything is kept for."""
    typed = form.get("days", "").strip()
    days = int(typed) if re.fullmatch(r"[0-9]{1,4}", typed, re.ASCII) else 0
    return days if 1 <= days <= choices.MOST_DAYS else None


def _no_days(request: Request) -> Response:
    return forms.refuse(request, _("Please give a number of days from 1 to 3650."), "days")


def _clear(request: Request, form: Form) -> Response:
    account = auth.signed_in(request)
    if "sure" not in form:
        return forms.refuse(request, _("Please say that you are sure."), "sure")
    resources.sessions().forget(owner_of(account))
    with pool.get_pool().connection() as conn:
        _finish(conn, erasing.clear_history(conn, account.account_id))
    return forms.go(request, f"{PAGE}?done=cleared")


def _erase(request: Request, form: Form) -> Response:
    """Erase the account. It is named once more, as nobody does by accident."""
    account = auth.signed_in(request)
    if accounts.normal_username(form.get("username", "")) != account.username:
        return forms.refuse(request, _("This is not the user name of this account."), "username")
    try:
        with pool.get_pool().connection() as conn:
            _finish(conn, erasing.erase_account(conn, account.account_id))
            resources.sessions().forget(owner_of(account))
    except NotAllowedError:
        return forms.refuse(
            request, _("You are the only administrator. Give another account this role first."), "username", 409
        )
    answer = forms.go(request, "/privacy?done=erased")
    auth.forget(request, answer, ACCOUNT_COOKIE)
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


def _choose_mode(request: Request, form: Form) -> Response:
    """A shelf of one's own or the same for everyone: kept with the account, of a visitor in their browser."""
    personal = form.get("personal") != "0"
    to = form.get("to", "/") if form.get("to") in _PAGES else "/"
    answer = forms.go(request, to)
    try:
        account = auth.signed_in(request)
    except NotAllowedError:
        account = None
    if account:
        with pool.get_pool().connection() as conn:
            choices.be_personal(conn, account.account_id, personal)
    elif personal:
        answer.delete_cookie(PLAIN_COOKIE, httponly=True, samesite="lax")
    else:
        answer.set_cookie(PLAIN_COOKIE, "1", httponly=True, samesite="lax", secure=request.url.scheme == "https")
    return answer


def _finish(conn: psycopg.Connection, asked: list[int]) -> None:
    """Carry it out. A dataflow that runs hears of it within a moment; else the retention job does the rest."""
    for erasure_id in asked:
        tries = 0
        while not erasing.finish(conn, get_settings(), erasure_id) and tries < _TRIES:
            time.sleep(_TRY_EVERY_S)
            tries += 1


async def _export(request: Request) -> Response:
    """Everything that is kept of who is signed in, as a file."""
    try:
        made = await run_sync(_exported, request)
    except NotAllowedError:
        return RedirectResponse("/sign_in", status_code=303, headers={"Cache-Control": "no-store"})
    except OFFLINE:
        with language.speaking(forms.spoken(request)):
            words = _("The library is restarting. Please try again in a moment.")
        return PlainTextResponse(words + "\n", status_code=503, headers={"Retry-After": "2"})
    name = f"openshelf-{utc_now():%Y-%m-%d}.zip"
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(made, media_type="application/zip", headers=headers)


def _exported(request: Request) -> bytes:
    account = auth.signed_in(request)
    with pool.get_pool().connection() as conn:
        return exporting.export(conn, account.account_id).zip


def routes() -> list[BaseRoute]:
    handlers: dict[str, Handler] = {
        "keep": _keep,
        "keep-chats": _keep_chats,
        "forget-chats": _forget_chats,
        "clear": _clear,
        "erase": _erase,
        "mode": _choose_mode,
    }
    return [
        Route("/your-data/export", _export),
        *(Route(f"/your-data/{name}", forms.taking(handle), methods=["POST"]) for name, handle in handlers.items()),
    ]
