"""One operation of the API, declared once: its route, its checks and its place in the OpenAPI document."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import anyio
import msgspec
import psycopg
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboard.api.callers import Caller, admit
from dashboard.api.problems import Fault, ProblemError, unfit
from dashboard.state import OFFLINE
from openshelf.database import pool
from openshelf.database.api_keys import Scope

MAX_BODY_BYTES = 1_000_000
STATEMENT_TIMEOUT_S = 10
_BODY_TIMEOUT_S = 15
_EXACT = 2**53

# Postgres holds no NUL in a text.
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern="^[^\\u0000]+$")]
BookId = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1, description="Key of a work.")]
AudienceLimit = Annotated[
    Literal["children", "young adult"],
    msgspec.Meta(description="Only works for this audience and younger ones."),
]


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An operation without parameters."""


@dataclass(frozen=True)
class Operation:
    """`asked`: parameters of path and query; `body`: type of the JSON sent; `scope`: what a key must allow, if one
    is needed (`read` only where the catalogue is not public). `call` gets connection, caller, parameters and body; what
    it returns is the answer, or a response of `media_type` whose parts are of the type `answer`. `misfit`: status where
    the body is JSON of another kind.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    name: str
    summary: str
    answer: Any
    call: Callable[..., msgspec.Struct | Response]
    scope: Scope | None = None
    asked: type[msgspec.Struct] = Nothing
    body: Any = None
    refuses: tuple[int, ...] = ()  # beside those that every operation has
    description: str = ""
    media_type: str = "application/json"
    misfit: Literal[400, 422] = 422

    def route(self) -> Route:
        path = self.path
        return Route(path, self._respond, methods=[self.method], name=self.name)

    async def _respond(self, request: Request) -> Response:
        try:
            caller = await run_sync(_admitted, request, self.scope)
            asked = self._asked(request)
            body = self._body(await _read(request)) if self.body is not None else None
            answer = await run_sync(self._call, caller, asked, body)
        except psycopg.errors.QueryCanceled as error:
            raise ProblemError(
                503, "this took too long and was given up; ask for less, or later", headers={"Retry-After": "5"}
            ) from error
        except OFFLINE as error:
            raise ProblemError(
                503, "the library is restarting; try again in a moment", headers={"Retry-After": "2"}
            ) from error
        if isinstance(answer, Response):
            return answer
        return Response(msgspec.json.encode(answer), media_type=self.media_type, headers={"Cache-Control": "no-store"})

    def _asked(self, request: Request) -> msgspec.Struct:
        given: dict[str, str] = {}
        for name, value in request.query_params.multi_items():
            if name in given:
                raise ProblemError(422, f"{name} stands twice in the address; give it once")
            given[name] = value
        if shared := given.keys() & request.path_params.keys():
            raise ProblemError(422, f"{', '.join(sorted(shared))} belongs in the path of the address, not behind `?`")
        try:
            asked = msgspec.convert(given | request.path_params, self.asked, strict=False)
        except msgspec.ValidationError as error:
            raise unfit(error) from error
        if nulls := [name for name in given if getattr(asked, name) is None]:
            raise ProblemError(
                422, f"{nulls[0]} is null; leave it out instead", errors=[Fault(f"$.{nulls[0]}", "null")]
            )
        return asked

    def _body(self, raw: bytes) -> Any:
        try:
            return msgspec.convert(_whole(msgspec.json.decode(raw)), self.body)
        except msgspec.ValidationError as error:
            raise unfit(error, self.misfit) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProblemError(400, f"the body is no JSON: {error}") from error

    def _call(self, caller: Caller, asked: msgspec.Struct, body: Any) -> msgspec.Struct | Response:
        with pool.get_pool().connection() as conn:
            pool.limit_statements(conn, STATEMENT_TIMEOUT_S)
            return self.call(conn, caller, asked, body)


def _whole(value: Any) -> Any:
    """The same with 12.0 as 12: to JSON they are one number, and many a table hands out keys as the former."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    return value


def _admitted(request: Request, scope: Scope | None) -> Caller:
    # In a transaction of its own: the count of a key holds up nobody while the request is worked on.
    with pool.get_pool().connection() as conn:
        return admit(conn, request, scope)


async def _read(request: Request) -> bytes:
    """The body, if it is JSON, small enough and quick enough."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ProblemError(415, "the body must be JSON, with the header Content-Type: application/json")
    too_large = ProblemError(413, f"the body must not exceed {MAX_BODY_BYTES} bytes; send it in parts")
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > MAX_BODY_BYTES:
        raise too_large
    body = bytearray()
    try:
        with anyio.fail_after(_BODY_TIMEOUT_S):
            async for part in request.stream():
                body += part
                if len(body) > MAX_BODY_BYTES:
                    raise too_large
    except TimeoutError as error:
        raise ProblemError(408, f"the body did not come within {_BODY_TIMEOUT_S} s; send it again") from error
    return bytes(body)
