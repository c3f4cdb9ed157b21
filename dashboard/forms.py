"""Forms that write: who may send one, what it says, and how it is answered.

A form is ours if the browser says it comes from our own site and it carries the token of the cookie that the browser
sends with it. The cookie is random and no script can read it; the token is its keyed hash, which only we can make and
only our own pages are given. A form sent by our script is answered in JSON, one sent by the browser by a new page.
"""

import hmac
import secrets
from collections.abc import Callable
from math import ceil
from urllib.parse import parse_qs, urlsplit

import streamlit as st
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from dashboard import language
from dashboard.language import _
from dashboard.state import OFFLINE
from openshelf.contracts import utc_now
from openshelf.errors import NotAllowedError, TooOftenError
from openshelf.settings import get_settings

Form = dict[str, str]
Handler = Callable[[Request, Form], Response]

COOKIE = "openshelf_form"
TOKEN = "form_token"  # noqa: S105
_MAX_BYTES = 8_192


class NotSignedInError(NotAllowedError):
    """Only who is signed in may send this: it was sent from a page that outlasted the sign-in, as another tab's."""


def new_cookie() -> str:
    return secrets.token_urlsafe(24)


def token_of(cookie: str | None) -> str:
    """What a form must carry beside this cookie; nothing without one."""
    if not cookie:
        return ""
    return hmac.digest(get_settings().reader_secret(), f"form {cookie}".encode(), "sha256").hex()


def page_token() -> str:
    """The token of the forms on the page that is being drawn."""
    return token_of(st.context.cookies.get(COOKIE))


def taking(handle: Handler, limiter: Callable[[], CapacityLimiter] | None = None) -> Callable[[Request], object]:
    """A route that takes a form of ours, answers in the reader's language, and says what every form may meet.

    `limiter`: how many are answered at once, if that must be few.
    """

    async def endpoint(request: Request) -> Response:
        form = await read(request)
        with language.speaking(spoken(request)):
            try:
                return await run_sync(handle, request, form, limiter=limiter() if limiter else None)
            except TooOftenError as error:
                minutes = max(1, ceil((error.until - utc_now()).total_seconds() / 60))
                wait = language.plural(
                    "That was tried too often. Please try again in {count} minute.",
                    "That was tried too often. Please try again in {count} minutes.",
                    minutes,
                )
                answer = refuse(request, wait, status=429)
                answer.headers["Retry-After"] = str(60 * minutes)
                return answer
            except NotSignedInError:
                return refuse(
                    request, _("You are not signed in any more. Sign in, and send this once more."), status=403
                )
            except NotAllowedError:
                return refuse(request, _("This account may not do that."), status=403)
            except OFFLINE:
                answer = refuse(request, _("The library is restarting. Please try again in a moment."), status=503)
                answer.headers["Retry-After"] = "2"
                return answer

    return endpoint


async def read(request: Request) -> Form:
    """What a form of ours says.

    Raises:
        HTTPException: another site sent it, or its page is from before this browser's cookies; or it is too large.
    """
    if not is_same_origin(request):
        raise HTTPException(403, "this form was sent from another site")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MAX_BYTES:
            raise HTTPException(413, "form too large")
    said = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    # A NUL is nothing that anyone types, and nothing that Postgres keeps.
    form = {name: values[0].replace("\x00", "") for name, values in said.items()}
    if not is_ours(request, form.pop(TOKEN, "")):
        raise HTTPException(403, "this page is too old: load it again, and send the form once more")
    return form


def is_ours(request: Request, token: str) -> bool:
    """Whether one of our own pages sent this: from our site, with the token that goes with its cookie."""
    expected = token_of(request.cookies.get(COOKIE))
    return bool(expected) and is_same_origin(request) and hmac.compare_digest(token.encode(), expected.encode())


def is_same_origin(request: Request) -> bool:
    """Whether a form comes from our own page: by what the browser says of the site, else by its origin."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == request.headers.get("host")


def spoken(request: Request) -> str:
    """The language to answer in."""
    chosen = language.known(request.cookies.get(language.COOKIE))
    return chosen or language.preferred(request.headers.get("accept-language", ""))


def go(request: Request, address: str) -> Response:
    """The form was taken: go on to this page."""
    if _wants_json(request):
        return JSONResponse({"to": address}, headers={"Cache-Control": "no-store"})
    return RedirectResponse(address, status_code=303)


def refuse(request: Request, problem: str, field: str | None = None, status: int = 422) -> Response:
    """The form was not taken: in words why, and by which field."""
    if _wants_json(request):
        answer = {"problem": problem, "field": field}
        return JSONResponse(answer, status_code=status, headers={"Cache-Control": "no-store"})
    return PlainTextResponse(problem + "\n", status_code=status)


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")
