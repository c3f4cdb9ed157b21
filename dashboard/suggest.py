"""GET /suggest?q=: what the library has that begins as a reader types, for the search box and the filters.

Answers in JSON, within a few tens of milliseconds; keeps nothing of what is typed.
"""

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dashboard import forms, language, logins
from dashboard.language import _
from dashboard.state import OFFLINE
from dashboard.words import address, subject_name
from models import query_text, suggestions
from models.suggestions import Suggestion
from openshelf.database import audiences, pool

_LIMIT = 8
_NO_STORE = {"Cache-Control": "no-store"}


async def suggest(request: Request) -> Response:
    asked = request.query_params.get("q", "")[: query_text.MAX_QUERY]
    kind = request.query_params.get("kind", "")
    kinds = (kind,) if kind in suggestions.KINDS else suggestions.KINDS
    try:
        found = await run_sync(_found, asked, kinds, request)
    except OFFLINE:
        return JSONResponse({"suggestions": []}, status_code=503, headers={"Retry-After": "2", **_NO_STORE})
    with language.speaking(forms.spoken(request)):
        return JSONResponse({"suggestions": [_shown(each, asked) for each in found]}, headers=_NO_STORE)


def _found(asked: str, kinds: tuple[str, ...], request: Request) -> list[Suggestion]:
    with pool.get_pool().connection() as conn:
        account = logins.by_cookie(conn, request)
        within = audiences.allowed(account.audience_limit) if account else None
        return suggestions.suggest(conn, asked, _LIMIT, kinds=kinds, audiences=within)


def _shown(suggestion: Suggestion, asked: str) -> dict[str, object]:
    kind, name = suggestion.kind, suggestion.name
    lines = {"author": _("Author"), "series": _("Series"), "subject": _("Subject")}
    if kind == "title":
        href = address("book", id=suggestion.book_id, **{"from": "search"})
    else:
        href = address("shelf", **{kind: name})
    return {
        "kind": kind,
        "name": subject_name(name) if kind == "subject" else name,
        "key": name,
        "href": href,
        "line": lines.get(kind, suggestion.detail),
        "marks": query_text.highlights(name, asked),
    }


def routes() -> list[BaseRoute]:
    return [Route("/suggest", suggest)]
