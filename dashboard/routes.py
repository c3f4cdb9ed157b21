"""What the storefront answers beside its pages: health, metrics, covers, styles and fonts."""

from pathlib import Path

import structlog
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from dashboard import (
    asking,
    auth,
    covers,
    files,
    logins,
    metrics,
    my_books_file,
    staff_acts,
    suggest,
    talking,
    your_data,
)
from dashboard.api import app_routes, program_routes
from dashboard.state import OFFLINE
from openshelf.database import audiences, catalogue, pool
from openshelf.settings import get_settings

STATIC = Path(__file__).parent / "static"
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
            account = logins.by_cookie(conn, request)
            within = audiences.allowed(account.audience_limit) if account else None
            file = catalogue.cover_file(conn, book_id, audiences=within)
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


def routes() -> list[BaseRoute]:
    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", prometheus),
        Route("/covers/{book_id:int}.jpg", cover),
        *files.routes(),
        *my_books_file.routes(),
        *auth.routes(),
        *your_data.routes(),
        *suggest.routes(),
        *asking.routes(),
        *staff_acts.routes(),
        *talking.routes(),
        program_routes.mount(),
        *app_routes.routes(),
        Mount("/assets", _Assets(directory=STATIC)),
    ]
