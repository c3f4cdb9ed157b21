"""Who calls: a program with a key, or anybody. Asked of the database at each request."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import NoReturn

import psycopg
from starlette.requests import Request

from dashboard import logins
from dashboard.api.problems import ProblemError
from openshelf import readers
from openshelf.contracts import utc_now
from openshelf.database import api_keys, attempts, audiences
from openshelf.database.api_keys import ApiKey, Scope
from openshelf.database.attempts import Limit
from openshelf.errors import TooOftenError
from openshelf.settings import get_settings

_MAX_SECRET = 200
# As many as a key answers unless told otherwise: a school behind one address is not locked out, a scraper is.
WITHOUT_KEY = Limit("call the API without a key", 600, timedelta(minutes=1))


@dataclass(frozen=True)
class Caller:
    """`key`: None for anybody. `audience_limit`: of the account that a browser without a key is signed in as."""

    key: ApiKey | None
    audience_limit: str | None = None

    def audiences(self, asked_limit: str | None) -> list[str] | None:
        """What this caller may see of what it asks for: the narrower of the two limits."""
        limits = [limit for limit in (self.audience_limit, asked_limit) if limit]
        return audiences.allowed(min(limits, key=audiences.AUDIENCES.index, default=None))

    def reader_key(self, given: str) -> str:
        """The stream's name of a reader that the program names.

        A program's own readers are pseudonyms made from its source, so whatever it sends, it reaches readers of its
        own only; a staff tool names readers as the stream does.
        """
        assert self.key
        if Scope.ANY_READER in self.key.scopes:
            return given
        return readers.program_key(get_settings().reader_secret(), self.key.source, given)

    @property
    def is_staff_tool(self) -> bool:
        return self.key is not None and Scope.ANY_READER in self.key.scopes


def admit(conn: psycopg.Connection, request: Request, scope: Scope | None) -> Caller:
    """Who calls, if they may; counts the request, of a key or of an address without one.

    Raises:
        ProblemError: 401 no key or none that works, 403 a key for something else, 429 too many requests.
    """
    secret = _secret(request)
    if secret is None:
        if scope is None or (scope is Scope.READ and get_settings().api_public):
            _count_anybody(conn, request)
            # A child who types the address in is no program.
            account = logins.by_cookie(conn, request)
            return Caller(None, account.audience_limit if account else None)
        _refuse("this needs a key. Send `Authorization: Bearer osk_...`; the library gives keys")
    used = api_keys.use(conn, secret) if len(secret) <= _MAX_SECRET and secret.isascii() else None
    if used is None:
        _refuse("this key is unknown, expired or revoked. Ask the library for a new one")
    if used.count > used.key.requests_per_minute:
        raise ProblemError(
            429,
            f"{used.key.requests_per_minute} requests a minute are answered; go on in {used.resets_s} s",
            headers={"Retry-After": str(used.resets_s)},
        )
    _check_scope(used.key.scopes, scope)
    return Caller(used.key)


def _count_anybody(conn: psycopg.Connection, request: Request) -> None:
    try:
        attempts.spend(conn, get_settings().reader_secret(), [(WITHOUT_KEY, logins.address_of(request))])
    except TooOftenError as error:
        wait = max(1, ceil((error.until - utc_now()).total_seconds()))
        raise ProblemError(
            429,
            f"without a key {WITHOUT_KEY.count} requests a minute are answered to one address; go on in {wait} s, or "
            "ask the library for a key",
            headers={"Retry-After": str(wait)},
        ) from error


def _check_scope(held: Collection[str], scope: Scope | None) -> None:
    if scope is None or scope in held or (scope is Scope.READ and get_settings().api_public):
        return
    raise ProblemError(403, f"this key lacks the scope {scope}; it has {', '.join(held)}. Ask the library for another")


def _secret(request: Request) -> str | None:
    given = request.headers.get("authorization")
    if given is None:
        return None
    scheme, _, secret = given.partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        _refuse("the header Authorization must be `Bearer` and a key")
    return secret.strip()


def _refuse(detail: str) -> NoReturn:
    raise ProblemError(401, detail, headers={"WWW-Authenticate": 'Bearer realm="Openshelf"'})
