"""What the storefront answers beside its pages: health, metrics, covers, styles and fonts, signing in and out."""

import secrets
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import structlog
from anyio.to_thread import run_sync
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from dashboard import covers, metrics
from dashboard.state import ACCOUNT_COOKIE, OFFLINE, VISIT_COOKIE, token_hash
from openshelf.contracts import utc_now
from openshelf.database import accounts, catalogue, pool
from openshelf.settings import get_settings

STATIC = Path(__file__).parent / "static"
SIGNED_IN_FOR = timedelta(days=14)
_MAX_FORM_BYTES = 4_096
_YEAR = "public, max-age=31536000, immutable"
_AWAY = "The library is restarting. Please try again in a moment.\n"

_NAME_OF = {"sessions": "dataflow", "relay": "relay"}

_observer = metrics.Observer()
log = structlog.get_logger(__name__)


class _Assets(StaticFiles):
    """Our styles and fonts; addresses carry a version, so browsers may keep them for good."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code == 200:
            response.headers["Cache-Control"] = (
                _YEAR if b"v=" in scope["query_string"] or "fonts/" in path else "no-cache"
            )
        return response


def healthz(_request: Request) -> Response:
    """The process answers."""
    return PlainTextResponse("ok\n")


async def readyz(request: Request) -> Response:
    """The process can serve pages: Postgres answers. Who may see the metrics reads here how the stream is, too."""
    figures = await _observer.figures()
    if figures is None:
        return JSONResponse({"ready": False, "postgres": "does not answer"}, status_code=503)
    ready: dict[str, object] = {"ready": True, "postgres": "answers"}
    if metrics.may_look(request):
        for flow in figures.flows:
            ready[_NAME_OF[flow.consumer]] = {
                "state": flow.state,
                "count_waiting": flow.count_waiting,
                "waiting_since": flow.waiting_since and flow.waiting_since.isoformat(),
                "advice": flow.advice,
            }
    return JSONResponse(ready)


async def prometheus(request: Request) -> Response:
    """The figures of the installation; also when Postgres is away, which is one of them."""
    if not metrics.may_look(request):
        if get_settings().metrics_token is None:
            return PlainTextResponse("only for this machine; set OPENSHELF_METRICS_TOKEN for others\n", status_code=403)
        return PlainTextResponse(
            "give the token: Authorization: Bearer ...\n", status_code=401, headers={"WWW-Authenticate": "Bearer"}
        )
    text = metrics.exposition(await _observer.figures())
    return Response(text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4, "Cache-Control": "no-store"})


def cover(request: Request) -> Response:
    """The cover of a work at one of the known widths."""
    try:
        width = int(request.query_params.get("w", covers.WIDTHS[0]))
    except ValueError:
        width = 0
    if width not in covers.WIDTHS:
        return PlainTextResponse(f"w must be one of {', '.join(map(str, covers.WIDTHS))}\n", status_code=400)
    book_id = request.path_params["book_id"]
    if book_id > 2**31 - 1:
        return PlainTextResponse("no such cover\n", status_code=404)
    try:
        with pool.get_pool().connection() as conn:
            file = catalogue.cover_file(conn, book_id)
    except OFFLINE:
        return PlainTextResponse(_AWAY, status_code=503, headers={"Retry-After": "2"})
    original = file.resolve() if file else None
    if original is None:
        return PlainTextResponse("no such cover\n", status_code=404)
    small = covers.thumbnail(original, book_id, width, get_settings().home / "covers-cache")
    if small is None:
        return PlainTextResponse("no such cover\n", status_code=404)
    cached = _YEAR if "v" in request.query_params else "public, max-age=300"
    return FileResponse(small, media_type="image/jpeg", headers={"Cache-Control": cached})


async def sign_in_demo(request: Request) -> Response:
    """Sign in as a demo reader: only on this machine, only from our own page."""
    settings = get_settings()
    if not (settings.demo_readers and settings.is_loopback):
        return PlainTextResponse("demo readers are off here\n", status_code=403)
    if not is_same_origin(request):
        return PlainTextResponse("this form was sent from another site\n", status_code=403)
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MAX_FORM_BYTES:
            return PlainTextResponse("form too large\n", status_code=413)
    username = parse_qs(body.decode("utf-8", "replace")).get("username", [""])[0]
    try:
        token = await run_sync(_begin_sign_in, username, request.cookies.get(ACCOUNT_COOKIE))
    except OFFLINE:
        return PlainTextResponse(_AWAY, status_code=503, headers={"Retry-After": "2"})
    if token is None:
        return PlainTextResponse("there is no such demo reader\n", status_code=404)
    answer = RedirectResponse("/", status_code=303)
    answer.set_cookie(
        ACCOUNT_COOKIE, token, max_age=int(SIGNED_IN_FOR.total_seconds()), httponly=True, samesite="lax",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    answer.delete_cookie(VISIT_COOKIE)
    return answer


def _begin_sign_in(username: str, old_token: str | None) -> str | None:
    """The new secret of the cookie; None if this is no demo account. An older sign-in of the browser ends."""
    token = secrets.token_urlsafe(32)
    with pool.get_pool().connection() as conn:
        account = accounts.by_username(conn, username) if "\x00" not in username else None
        if account is None or account.kind != "demo":
            return None
        if old_token:
            accounts.sign_out(conn, token_hash(old_token))
        accounts.sign_in(conn, account.account_id, token_hash(token), utc_now() + SIGNED_IN_FOR)
    return token


def sign_out(request: Request) -> Response:
    if not is_same_origin(request):
        return PlainTextResponse("this form was sent from another site\n", status_code=403)
    token = request.cookies.get(ACCOUNT_COOKIE)
    try:
        if token:
            with pool.get_pool().connection() as conn:
                accounts.sign_out(conn, token_hash(token))
    except OFFLINE:
        return PlainTextResponse(_AWAY, status_code=503, headers={"Retry-After": "2"})
    answer = RedirectResponse("/", status_code=303)
    answer.delete_cookie(ACCOUNT_COOKIE, httponly=True, samesite="lax")
    answer.delete_cookie(VISIT_COOKIE)  # who comes next at this browser begins anew
    return answer


def is_same_origin(request: Request) -> bool:
    """Whether a form comes from our own page: by what the browser says of the site, else by its origin."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == request.headers.get("host")


def routes() -> list[BaseRoute]:
    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", prometheus),
        Route("/covers/{book_id:int}.jpg", cover),
        Route("/auth/demo", sign_in_demo, methods=["POST"]),
        Route("/auth/sign-out", sign_out, methods=["POST"]),
        Mount("/assets", _Assets(directory=STATIC)),
    ]
