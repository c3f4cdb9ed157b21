"""Who asks by a request: the account its cookie is signed in as, or the one whose name and password an app sends.

E-reader apps have no cookies: they send HTTP Basic. Guessing is limited as on the page for signing in.
"""

import base64
import binascii
import threading
from datetime import timedelta

import psycopg
from starlette.requests import Request

from dashboard.state import ACCOUNT_COOKIE, token_hash
from openshelf.contracts import utc_now
from openshelf.database import sign_ins
from openshelf.database.accounts import Account
from openshelf.errors import TooOftenError
from openshelf.settings import get_settings

CHALLENGE = 'Basic realm="Openshelf", charset="UTF-8"'


# Looking at a password takes 64 MB and a core for the moment, and a connection meanwhile: only a few at once.
_few = threading.BoundedSemaphore(3)
_PATIENCE_S = 3


class WrongLoginError(Exception):
    """A name and a password came, and they are not right."""


def account_of(conn: psycopg.Connection, request: Request) -> Account | None:
    """The account of a request; None: a visitor. Call it on a connection without an open transaction.

    Raises:
        WrongLoginError: a name with a wrong password, or what is none.
        TooOftenError: too many wrong passwords, or too many sign-ins at this moment; it says until when.
    """
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        name, password = _parse(given)
        if not _few.acquire(timeout=_PATIENCE_S):
            raise TooOftenError(utc_now() + timedelta(seconds=_PATIENCE_S))
        try:
            account = sign_ins.by_password(conn, name, password, address_of(request), get_settings().reader_secret())
        finally:
            _few.release()
        if account is None:
            raise WrongLoginError
        return account
    return by_cookie(conn, request)


def by_cookie(conn: psycopg.Connection, request: Request) -> Account | None:
    """The account that the browser is signed in as."""
    token = request.cookies.get(ACCOUNT_COOKIE)
    return sign_ins.account_of(conn, token_hash(token)) if token else None


def _parse(given: str) -> tuple[str, str]:
    try:
        name, colon, password = base64.b64decode(given.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise WrongLoginError from error
    if not colon or "\x00" in name + password:
        raise WrongLoginError
    return name[:200], password


def address_of(request: Request) -> str:
    """Where a request comes from, for limits; kept is only its keyed hash."""
    return request.client.host if request.client else "nowhere"
