"""/opds: the catalogue for e-reader apps, as OPDS 1.2 (Atom) and, under /opds/v2, as OPDS 2.0 (JSON)."""

import re
import uuid
from collections.abc import Callable
from functools import partial
from math import ceil
from typing import Literal
from uuid import UUID

import msgspec
import psycopg
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from dashboard import forms, language
from dashboard.api import atom_feeds, catalogue_feeds, json_feeds
from dashboard.api.catalogue_feeds import FEEDS, Asked, Reader
from dashboard.api.operations import STATEMENT_TIMEOUT_S
from dashboard.logins import CHALLENGE, WrongLoginError, account_of
from dashboard.state import OFFLINE
from openshelf.contracts import utc_now
from openshelf.database import pool, publications
from openshelf.database.accounts import Account
from openshelf.errors import TooOftenError
from openshelf.settings import get_settings

Version = Literal["1.2", "2.0"]

_NAMESPACE = uuid.UUID("8c0b0f5e-3c1e-4f57-9d57-7a1f3f4f5f0b")
_MAX_BOOK_ID = 2**31 - 1
# What is in a feed depends on who asks, and in which language.
_HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie, Accept-Language"}


def _feed(path: str, version: Version, request: Request, account: Account | None) -> Response:
    try:
        asked = msgspec.convert(_said(request), Asked, strict=False)
    except msgspec.ValidationError as error:
        return _word(f"{error}", 400)
    with pool.get_pool().connection() as conn:
        pool.limit_statements(conn, STATEMENT_TIMEOUT_S)
        stamp = publications.stamp(conn)
        feed = FEEDS[path](conn, Reader(account), asked, stamp.changed_at)
    namespace, is_open = _namespace(stamp.identity), get_settings().downloads == "all"
    if version == "2.0":
        return Response(
            json_feeds.write(feed, namespace, is_open=is_open), media_type=json_feeds.FEED, headers=_HEADERS
        )
    written = atom_feeds.write(feed, namespace, is_open=is_open)
    return Response(written, media_type=atom_feeds.kind_of(feed.kind), headers=_HEADERS)


def _said(request: Request) -> dict[str, str]:
    """What an app asked for; what it left empty, or as it stands in a template, says nothing."""
    return {
        name: value for name, value in request.query_params.items() if value and not re.fullmatch(r"\{\w+\??\}", value)
    }


def _book(version: Version, request: Request, account: Account | None) -> Response:
    book_id = request.path_params["book_id"]
    with pool.get_pool().connection() as conn:
        found = catalogue_feeds.book(conn, Reader(account), book_id) if book_id <= _MAX_BOOK_ID else None
        namespace = _namespace(publications.stamp(conn).identity)
    if found is None:
        return _word("there is no such book", 404)
    is_open = get_settings().downloads == "all"
    if version == "2.0":
        written = json_feeds.write_publication(found, namespace, is_open=is_open)
        return Response(written, media_type=json_feeds.PUBLICATION, headers=_HEADERS)
    written = atom_feeds.write_entry(found, namespace, is_open=is_open)
    return Response(written, media_type=atom_feeds.ENTRY, headers=_HEADERS)


def _search_description(_request: Request, _account: Account | None) -> Response:
    return Response(atom_feeds.write_search(), media_type=atom_feeds.SEARCH, headers=_HEADERS)


def _route(path: str, answer: Callable[[Request, Account | None], Response], *, is_personal: bool = False) -> Route:
    """A route that knows who asks, and asks for a name and a password where one is needed."""

    def answered(request: Request) -> Response:
        with language.speaking(forms.spoken(request)):
            if get_settings().downloads == "none":
                return _word("this library lends its files for reading on its pages, not for taking away", 403)
            try:
                with pool.get_pool().connection() as conn:
                    account = account_of(conn, request)
            except WrongLoginError:
                return _sign_in_first()
            except TooOftenError as error:
                seconds = max(1, ceil((error.until - utc_now()).total_seconds()))
                return _word("that was tried too often", 429, {"Retry-After": str(seconds)})
            if account is None and (is_personal or not get_settings().api_public):
                return _sign_in_first()
            return answer(request, account)

    async def endpoint(request: Request) -> Response:
        try:
            return await run_sync(answered, request)
        except psycopg.errors.QueryCanceled:
            return _word("this took too long and was given up", 503, {"Retry-After": "5"})
        except OFFLINE:
            return _word("the library is restarting; try again in a moment", 503, {"Retry-After": "2"})

    return Route(path, endpoint)


def _namespace(identity: str) -> UUID:
    return uuid.uuid5(_NAMESPACE, identity)


def _sign_in_first() -> Response:
    """The challenge of HTTP Basic, and how an app draws its form."""
    headers = {
        **_HEADERS,
        "WWW-Authenticate": CHALLENGE,
        "Link": f'<{json_feeds.ROOT}/authentication>; rel="http://opds-spec.org/auth/document"; '
        f'type="{json_feeds.AUTHENTICATION}"',
    }
    return Response(
        json_feeds.write_authentication(), status_code=401, media_type=json_feeds.AUTHENTICATION, headers=headers
    )


def _authentication(request: Request) -> Response:
    with language.speaking(forms.spoken(request)):
        return Response(json_feeds.write_authentication(), media_type=json_feeds.AUTHENTICATION, headers=_HEADERS)


def _word(text: str, status: int, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(text + "\n", status_code=status, headers={**_HEADERS, **(headers or {})})


def _nothing(_request: Request) -> Response:
    return _word("there is no such feed; /opds is where they begin", 404)


def routes() -> list[BaseRoute]:
    found: list[BaseRoute] = [
        Route("/opds/v2/authentication", _authentication),
        _route("/opds/search.xml", _search_description),
    ]
    versions: dict[str, Version] = {atom_feeds.ROOT: "1.2", json_feeds.ROOT: "2.0"}
    for root, version in versions.items():
        found += [_route(root + path, partial(_feed, path, version), is_personal=path == "/for-you") for path in FEEDS]
        found.append(_route(f"{root}/works/{{book_id:int}}", partial(_book, version)))
    return [*found, Route("/opds/{path:path}", _nothing)]
