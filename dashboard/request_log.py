"""A number for each request: in its answer, in every line that is logged for it, in a line about it if it went ill."""

import re
import time
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-ID"
SLOW_S = 1.0

# A proxy may number requests itself; what else comes in the header is not written into our log.
_NUMBER = re.compile(r"[A-Za-z0-9\-]{8,64}")
_log = structlog.get_logger(__name__)


class RequestLog:
    """ASGI middleware next to the routes.

    Neither address nor query is logged, and of the path only which route it is: a path can hold a key, a query what
    somebody looks for.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        number = given if _NUMBER.fullmatch(given) else uuid4().hex
        started, status = time.monotonic(), 500

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).setdefault(HEADER, number)
            await send(message)

        with structlog.contextvars.bound_contextvars(request=number):
            try:
                await self.app(scope, receive, tell)
            except Exception as error:
                _log.error("request_failed", route=_route(scope), exc_info=error)
                raise
            finally:
                seconds = time.monotonic() - started
                write = (
                    _log.warning if status >= 500 else _log.info if status >= 400 or seconds > SLOW_S else _log.debug
                )
                write("request", method=scope["method"], route=_route(scope), status=status, ms=round(seconds * 1000))


def _route(scope: Scope) -> str | None:
    """The name of what answers, never the path as it was asked."""
    endpoint = scope.get("endpoint")
    return getattr(endpoint, "__name__", type(endpoint).__name__ if endpoint else None)
