"""Signing in and out, and what a reader changes of the own account: routes that forms post to."""

import hmac
import re
import secrets
from datetime import timedelta
from functools import cache

from anyio import CapacityLimiter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from dashboard import forms, logins
from dashboard.forms import Form, Handler
from dashboard.language import _
from dashboard.state import ACCOUNT_COOKIE, VISIT_COOKIE, token_hash
from openshelf import passwords
from openshelf.contracts import utc_now
from openshelf.database import accounts, attempts, pool, sign_ins
from openshelf.database.accounts import Account
from openshelf.database.attempts import Limit
from openshelf.errors import NotAllowedError
from openshelf.passwords import Weakness
from openshelf.privacy import erasing
from openshelf.settings import get_settings

# A class of a school registers from one address.
_REGISTRATIONS = Limit("register from an address", 30, timedelta(hours=1))
_CHILDREN = Limit("make a child account", 20, timedelta(days=1))
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")
_LONGEST_NAME = 80
_LIMITS = ("children", "young adult")
_TICKET_S = 60
# Streamlit's own cookies of who the library's provider says this is; ours takes their place.
_PROVIDER_COOKIES = "_streamlit_user"


@cache
def _few() -> CapacityLimiter:
    """Hashing a password takes 64 MB of memory for the moment: only a few at once."""
    return CapacityLimiter(4)


def _register(request: Request, form: Form) -> Response:
    if not get_settings().registration:
        return forms.refuse(request, _("The library makes the accounts here: please ask at the desk."), status=403)
    if problem := _problem_of_new(form) or _problem_of_email(form):
        return forms.refuse(request, *problem)
    with pool.get_pool().connection() as conn:
        attempts.spend(conn, get_settings().reader_secret(), [(_REGISTRATIONS, logins.address_of(request))])
    with pool.get_pool().connection() as conn:
        account = accounts.create_local(
            conn,
            accounts.normal_username(form["username"]),
            _display_name(form),
            passwords.hashed(form["password"]),
            email=form.get("email", "").strip() or None,
        )
    if account is None:
        return forms.refuse(request, *_taken())
    return _signed_in(request, account, "/welcome", shared_computer="shared" in form)


def _sign_in(request: Request, form: Form) -> Response:
    secret = get_settings().reader_secret()
    with pool.get_pool().connection() as conn:
        account = sign_ins.by_password(
            conn, form.get("username", "")[:200], form.get("password", ""), logins.address_of(request), secret
        )
    if account is None:
        return forms.refuse(
            request, _("The user name or the password is not right. Please check both."), "password", status=401
        )
    return _signed_in(request, account, "/", shared_computer="shared" in form)


def _sign_in_demo(request: Request, form: Form) -> Response:
    """Sign in as a demo reader: only on this machine."""
    settings = get_settings()
    if not (settings.demo_readers and settings.is_loopback):
        return PlainTextResponse("demo readers are off here\n", status_code=403)
    with pool.get_pool().connection() as conn:
        account = accounts.by_username(conn, form.get("username", ""))
    if account is None or account.kind != "demo":
        return PlainTextResponse("there is no such demo reader\n", status_code=404)
    return _signed_in(request, account, "/", shared_computer=False)


def ticket(account_id: int, form_cookie: str | None) -> str:
    """Good for a minute and for one browser: who shows it is signed in as this account. See the page `sign_in`."""
    expires = int(utc_now().timestamp()) + _TICKET_S
    return f"{account_id}.{expires}.{_seal(account_id, expires, form_cookie)}"


def _sign_in_provider(request: Request, form: Form) -> Response:
    """Who came back from the library's own provider and was given a ticket by a page."""
    found = re.fullmatch(r"(\d{1,9})\.(\d{1,12})\.([0-9a-f]{64})", form.get("ticket", ""))
    account_id, expires = (int(found[1]), int(found[2])) if found else (0, 0)
    seal = _seal(account_id, expires, request.cookies.get(forms.COOKIE))
    if not found or not hmac.compare_digest(found[3], seal) or expires < utc_now().timestamp():
        return forms.refuse(request, _("That took too long. Please sign in once more."), status=403)
    with pool.get_pool().connection() as conn:
        account = accounts.by_id(conn, account_id)
    if account is None:
        return forms.refuse(request, _("There is no such account any more."), status=404)
    return _signed_in(request, account, "/", shared_computer=False)


def _seal(account_id: int, expires: int, form_cookie: str | None) -> str:
    said = f"ticket {account_id} {expires} {form_cookie}"
    return hmac.digest(get_settings().reader_secret(), said.encode(), "sha256").hex()


def _sign_out(request: Request, form: Form) -> Response:
    """End this sign-in, or with `everywhere` all of the account."""
    token = request.cookies.get(ACCOUNT_COOKIE)
    is_shared = False
    if token:
        with pool.get_pool().connection() as conn:
            account = sign_ins.account_of(conn, token_hash(token))
            is_shared = sign_ins.end(conn, token_hash(token))
            if account and "everywhere" in form:
                sign_ins.end_all(conn, account.account_id)
    answer = forms.go(request, "/")
    forget(request, answer, ACCOUNT_COOKIE)
    answer.headers["Cache-Control"] = "no-store"
    if is_shared:  # the next person at this computer finds nothing
        answer.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return answer


def _change_password(request: Request, form: Form) -> Response:
    """A new password, shown the old one. Whoever else is signed in to the account is signed out."""
    account = signed_in(request)
    new = form.get("password", "")
    if problem := _problem_of_password(new, form.get("again", ""), account.username):
        return forms.refuse(request, *problem)
    with pool.get_pool().connection() as conn:
        is_right = sign_ins.by_password(
            conn, account.username, form.get("current", ""), logins.address_of(request), get_settings().reader_secret()
        )
    if is_right is None:
        return forms.refuse(request, _("The present password is not right."), "current", status=401)
    with pool.get_pool().connection() as conn:
        accounts.set_password(conn, account.account_id, passwords.hashed(new))
        sign_ins.end_all(conn, account.account_id, but=token_hash(request.cookies[ACCOUNT_COOKIE]))
    return forms.go(request, "/account?done=password")


def _change_profile(request: Request, form: Form) -> Response:
    account = signed_in(request)
    if problem := _problem_of_email(form):
        return forms.refuse(request, *problem)
    name = " ".join(form.get("display_name", "").split())[:_LONGEST_NAME] or account.username
    with pool.get_pool().connection() as conn:
        accounts.set_profile(conn, account.account_id, name, form.get("email", "").strip() or None)
    return forms.go(request, "/account?done=profile")


def _add_child(request: Request, form: Form) -> Response:
    guardian = signed_in(request)
    limit = form.get("limit", "")
    if limit not in _LIMITS:
        return forms.refuse(request, _("Please choose what the child may see."), "limit")
    if problem := _problem_of_new(form):
        return forms.refuse(request, *problem)
    with pool.get_pool().connection() as conn:
        attempts.spend(conn, get_settings().reader_secret(), [(_CHILDREN, f"account {guardian.account_id}")])
    with pool.get_pool().connection() as conn:
        child = accounts.create_child(
            conn,
            guardian.account_id,
            accounts.normal_username(form["username"]),
            _display_name(form),
            passwords.hashed(form["password"]),
            limit,
        )
    return forms.go(request, "/account?done=child") if child else forms.refuse(request, *_taken())


def _change_child(request: Request, form: Form) -> Response:
    """What a child may see, or that it has grown up (`limit` none)."""
    guardian = signed_in(request)
    limit = form.get("limit", "")
    if limit not in (*_LIMITS, "none"):
        return forms.refuse(request, _("Please choose what the child may see."), "limit")
    with pool.get_pool().connection() as conn:
        accounts.set_child_limit(conn, guardian.account_id, _child_id(form), None if limit == "none" else limit)
    return forms.go(request, "/account?done=limit")


def _change_child_password(request: Request, form: Form) -> Response:
    guardian = signed_in(request)
    child_id = _child_id(form)
    with pool.get_pool().connection() as conn:
        child = accounts.child_of(conn, guardian.account_id, child_id)
        if problem := _problem_of_password(form.get("password", ""), form.get("again", ""), child.username):
            return forms.refuse(request, *problem)
        accounts.set_password(conn, child_id, passwords.hashed(form["password"]))
        sign_ins.end_all(conn, child_id)
    return forms.go(request, "/account?done=password")


def _remove_child(request: Request, form: Form) -> Response:
    guardian = signed_in(request)
    if "sure" not in form:
        return forms.refuse(request, _("Please say that you are sure."), "sure")
    with pool.get_pool().connection() as conn:
        child = accounts.child_of(conn, guardian.account_id, _child_id(form))
        for erasure_id in erasing.erase_account(conn, child.account_id):
            erasing.finish(conn, get_settings(), erasure_id)
    return forms.go(request, "/account?done=removed")


def signed_in(request: Request) -> Account:
    """Who sends a form that only the signed-in may send.

    Raises:
        NotSignedInError: nobody who is signed in.
    """
    with pool.get_pool().connection() as conn:
        account = logins.by_cookie(conn, request)
    if account is None:
        raise forms.NotSignedInError("sign in first")
    return account


def _child_id(form: Form) -> int:
    try:
        return int(form.get("child", ""))
    except ValueError as error:
        raise NotAllowedError("no child account is named") from error


def _signed_in(request: Request, account: Account, to: str, *, shared_computer: bool) -> Response:
    """Go on, signed in. An older sign-in of this browser ends, and its visit too: the two are never tied together."""
    settings = get_settings()
    token = secrets.token_urlsafe(32)
    longest = timedelta(days=settings.sign_in_days)
    idle = timedelta(minutes=settings.shared_idle_minutes if shared_computer else settings.sign_in_idle_minutes)
    old = request.cookies.get(ACCOUNT_COOKIE)
    with pool.get_pool().connection() as conn:
        if old:
            sign_ins.end(conn, token_hash(old))
        sign_ins.begin(
            conn,
            account.account_id,
            token_hash(token),
            idle=idle,
            expires_at=utc_now() + longest,
            shared_computer=shared_computer,
        )
    answer = forms.go(request, to)
    forget(request, answer)
    answer.set_cookie(
        ACCOUNT_COOKIE,
        token,
        max_age=None if shared_computer else int(longest.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer


def forget(request: Request, answer: Response, *names: str) -> None:
    """Take away the cookies of the visit, of what the provider said, and of these names."""
    said = (name for name in request.cookies if name.startswith(_PROVIDER_COOKIES))
    for name in (VISIT_COOKIE, *said, *names):
        answer.delete_cookie(name, httponly=True, samesite="lax")


def _display_name(form: Form) -> str:
    name = " ".join(form.get("display_name", "").split())[:_LONGEST_NAME]
    return name or form["username"].strip()


Problem = tuple[str, str]  # in words, and the field it is about


def _problem_of_new(form: Form) -> Problem | None:
    """What is wrong with the name and the password of a new account."""
    name = accounts.normal_username(form.get("username", ""))
    if not accounts.is_username(name):
        words = _(
            "A user name has 2 to 40 letters, digits, dots, hyphens or underscores, and begins with a letter or digit."
        )
        return words, "username"
    return _problem_of_password(form.get("password", ""), form.get("again", ""), name)


def _problem_of_password(password: str, again: str, username: str) -> Problem | None:
    weakness = passwords.weakness(password, username)
    if weakness:
        return _words_for(weakness), "password"
    return None if password == again else (_("The two passwords are not the same."), "again")


def _problem_of_email(form: Form) -> Problem | None:
    email = form.get("email", "").strip()
    if email and not _EMAIL.fullmatch(email):
        return _("This does not look like an e-mail address. You may also leave it empty."), "email"
    return None


def _taken() -> Problem:
    return _("This user name is taken. Please choose another one."), "username"


def _words_for(weakness: Weakness) -> str:
    match weakness:
        case Weakness.SHORT:
            return _("The password needs at least 10 characters.")
        case Weakness.LONG:
            return _("The password has more than 200 characters; a shorter one is safe enough.")
        case Weakness.NAME:
            return _("The password must not be your user name or hold it.")
        case Weakness.COMMON:
            return _("Too many people use this password. Try a few words that belong together only for you.")
        case Weakness.REPEATED:
            return _("The password repeats too few characters or counts through the keys. Try a few words.")


def routes() -> list[BaseRoute]:
    handlers: dict[str, Handler] = {
        "register": _register,
        "sign-in": _sign_in,
        "demo": _sign_in_demo,
        "provider": _sign_in_provider,
        "sign-out": _sign_out,
        "password": _change_password,
        "profile": _change_profile,
        "child": _add_child,
        "child-limit": _change_child,
        "child-password": _change_child_password,
        "child-removal": _remove_child,
    }
    return [Route(f"/auth/{name}", forms.taking(handle, _few), methods=["POST"]) for name, handle in handlers.items()]
