"""What could not be answered, as application/problem+json (RFC 9457): what is wrong, then what to do."""

import re
from http import HTTPStatus

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
_PLACE = re.compile(r"^(?P<what>.*) - at `(?P<path>[^`]*)`$", re.DOTALL)

log = structlog.get_logger(__name__)


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong with what was sent. `path`: where, `$` being all of it."""

    path: str
    message: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no answer."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[Fault] = []


class ProblemError(Exception):
    """Ends a request with a problem."""

    def __init__(
        self, status: int, detail: str, *, errors: list[Fault] | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=errors or [])
        self.headers = headers or {}


def unfit(error: msgspec.ValidationError, status: int = 422) -> ProblemError:
    """What was sent is not of the type that is asked for."""
    found = _PLACE.match(str(error))
    fault = Fault(found["path"], found["what"]) if found else Fault("$", str(error))
    detail = f"{fault.message} at {fault.path}. /api/docs says what is asked for."
    return ProblemError(status, detail, errors=[fault])


def respond(problem: Problem, headers: dict[str, str] | None = None) -> Response:
    return Response(
        msgspec.json.encode(problem),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


async def on_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return respond(error.problem, error.headers)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Starlette's own refusals: no such address, no such method."""
    assert isinstance(error, HTTPException)
    detail = {
        404: f"there is nothing at {request.url.path}; /api/docs lists what there is",
        405: f"{request.method} does not work here; see the header Allow",
    }.get(error.status_code, error.detail)
    problem = Problem(title=HTTPStatus(error.status_code).phrase, status=error.status_code, detail=detail)
    return respond(problem, dict(error.headers or {}))


async def on_error(_request: Request, error: Exception) -> Response:
    """A fault of ours: told in the log, not to who asked."""
    log.error("request failed", exc_info=error)
    return respond(
        Problem(title="Internal Server Error", status=500, detail="this is our fault and is written down; try later")
    )
