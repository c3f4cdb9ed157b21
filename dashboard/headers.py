"""What every answer of the storefront carries: a strict policy for the browser, our head on Streamlit's page, a visit.

Streamlit's page is one fixed HTML file. We give it our style sheet, icon and title before it is drawn, so that
nothing flashes, and take out its one inline script (a hint for prerenderers), so that no script of a page runs
that did not come as a file from us.
"""

import re
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard import forms, language
from dashboard.sessions import new_visit, parse_visit
from dashboard.state import VISIT_COOKIE

_HOST = re.compile(r"^[A-Za-z0-9.\-\[\]:]{1,255}$")
_INLINE_SCRIPT = re.compile(rb"<!--[^>]*prerenderReady.*?-->\s*<script>.*?</script>", re.DOTALL)
_TITLE = re.compile(rb"<title>[^<]*</title>")
_ICON = re.compile(rb'<link rel="shortcut icon"[^>]*>')
# Streamlit's page says "en", whatever is written on it.
_LANG = re.compile(rb'<html lang="[^"]*"')
_YEAR_S = 365 * 24 * 3600
_FIXED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def content_security_policy(host: str) -> str:
    """The policy; `host` is where the page's own WebSocket lives."""
    sockets = f" ws://{host} wss://{host}" if _HOST.match(host) else ""
    return (
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        f"font-src 'self' data:; connect-src 'self'{sockets}; frame-src 'self'; frame-ancestors 'none'; "
        "form-action 'self'; base-uri 'self'; object-src 'none'; worker-src 'self' blob:"
    )


class SecurityHeaders:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, head: str) -> None:
        self.app = app
        self.head = head.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        is_page = scope["method"] == "GET" and "text/html" in headers.get("accept", "")
        is_page = is_page and not scope["path"].startswith("/api/")  # its page for people is whole as it comes
        if is_page:  # we read the page to change it: it must come unpacked
            kept = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
            scope = {**scope, "headers": kept}
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("lang", [""])[0] if is_page else ""
        flags = "HttpOnly; SameSite=Lax" + ("; Secure" if scope["scheme"] == "https" else "")
        # Streamlit answers any address with its page, whose scripts lie beside it: below another they are not found.
        is_lost = is_page and "/" in scope["path"].strip("/")
        answer = _Answer(self.head if is_page else None, headers, send, language.known(asked), flags, is_lost=is_lost)
        await self.app(scope, receive, answer.send)


class _Answer:
    """One answer on its way out."""

    def __init__(
        self,
        head: bytes | None,
        request: Headers,
        send: Send,
        asked_language: str | None,
        cookie_flags: str,
        *,
        is_lost: bool = False,
    ) -> None:
        self._head = head
        self._request = request
        self._send = send
        self._asked_language = asked_language
        self._flags = cookie_flags
        self._is_lost = is_lost
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _FIXED.items():
                headers.setdefault(name, value)
            # A file that says what its browser may do knows better: nothing at all, or be framed by our reading page.
            headers.setdefault("Content-Security-Policy", content_security_policy(self._request.get("host", "")))
            if self._head is not None and headers.get("content-type", "").startswith("text/html"):
                self._start = message
                return
        elif self._start is not None and message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if message.get("more_body"):
                return
            await self._send_page()
            return
        await self._send(message)

    async def _send_page(self) -> None:
        assert self._start is not None
        assert self._head is not None
        body = _INLINE_SCRIPT.sub(b"", self._body)
        body = _ICON.sub(b"", body)
        body = _TITLE.sub(b"", body)
        chosen = self._asked_language or language.known(_cookie(self._request, language.COOKIE))
        spoken = chosen or language.preferred(self._request.get("accept-language", ""))
        body = _LANG.sub(f'<html lang="{spoken}"'.encode(), body)
        body = body.replace(b"<head>", b"<head>\n" + self._head, 1)
        headers = MutableHeaders(scope=self._start)
        headers["content-length"] = str(len(body))
        del headers["etag"]
        del headers["last-modified"]
        headers["Cache-Control"] = "no-store"
        if parse_visit(_cookie(self._request, VISIT_COOKIE)) is None:
            # No expiry: the visit ends with the browser. Nothing of a person is in it.
            headers.append("set-cookie", f"{VISIT_COOKIE}={new_visit()}; Path=/; {self._flags}")
        if not _cookie(self._request, forms.COOKIE):
            headers.append("set-cookie", f"{forms.COOKIE}={forms.new_cookie()}; Path=/; {self._flags}")
        if self._asked_language:
            cookie = f"{language.COOKIE}={spoken}; Path=/; Max-Age={_YEAR_S}; {self._flags}"
            headers.append("set-cookie", cookie)
        if self._is_lost:
            self._start["status"], body = 303, b""
            headers["location"] = "/nowhere"
            headers["content-length"] = "0"
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": body})


def _cookie(headers: Headers, name: str) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return found.value if found else None
