"""/api: the operations, what describes them, and who may call them from a page of another site."""

import re
from typing import Literal

import msgspec
import psycopg
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route

from dashboard.api import ask, interactions, linked_data, openapi, problems, program_readers, recommendations, works
from dashboard.api.callers import Caller
from dashboard.api.operations import Operation
from openshelf.database import pool
from openshelf.settings import get_settings


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The program answers, and so does Postgres."""

    status: Literal["ok"]
    postgres: Literal["answers"]


def health(conn: psycopg.Connection, _caller: Caller, _asked: msgspec.Struct, _body: None) -> Health:
    pool.ping(conn)
    return Health(status="ok", postgres="answers")


OPERATIONS = [
    *works.OPERATIONS,
    *linked_data.OPERATIONS,
    *recommendations.OPERATIONS,
    *ask.OPERATIONS,
    *interactions.OPERATIONS,
    *program_readers.OPERATIONS,
    Operation("GET", "/health", "health", "Whether the library can answer.", Health, health),
]


def mount() -> Mount:
    """The API at /api, whatever characters stand behind it."""
    mounted = Mount("/api", _application())
    # Starlette's own pattern stops at a line break, which an address may hold as %0A.
    mounted.path_regex = re.compile(mounted.path_regex.pattern, re.DOTALL)
    return mounted


def _application() -> Starlette:
    described = openapi.document(OPERATIONS)
    page = openapi.page(described)

    def show_document(_request: Request) -> Response:
        return JSONResponse(described)

    def show_page(_request: Request) -> Response:
        return HTMLResponse(page)

    origins = get_settings().api_origins
    return Starlette(
        routes=[
            *(operation.route() for operation in OPERATIONS),
            Route("/openapi.json", show_document),
            Route("/docs", show_page),
        ],
        exception_handlers={
            problems.ProblemError: problems.on_problem,
            HTTPException: problems.on_http_error,
            Exception: problems.on_error,
        },
        # No cookie counts here, so a page of another site can do no more than its own key lets it.
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=[origin.strip() for origin in origins.split(",")],
                allow_methods=["GET", "POST", "DELETE"],
                allow_headers=["Authorization", "Content-Type"],
            )
        ]
        if origins
        else [],
    )
