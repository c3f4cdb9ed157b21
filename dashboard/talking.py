"""The librarian over HTTP: one answer as a stream of events, for our own pages and for programs.

    event: opening   {"text"}                    the first sentence
    event: book      what the caller makes of it a work, with the reason
    event: done      {"language", "voice", "refusal", "thread", ...}

`thread` holds what a next question must know, sealed by us and kept by who asks: the library keeps no conversation. Who
leaves ends the answer: the model is stopped.
"""

import base64
import hmac
import threading
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from typing import Annotated, Any, TypeVar, cast
from uuid import UUID, uuid4

import anyio
import msgspec
import psycopg
import structlog
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from dashboard import forms, language, logins
from dashboard.chat import answer as chat
from dashboard.chat import voice as voices
from dashboard.chat.answer import Answer, Done, Opening, Piece, Told
from dashboard.chat.reading.wish import Wish
from dashboard.language import _
from dashboard.state import OFFLINE, VISIT_COOKIE
from dashboard.words import address, cover_address, language_tag
from models import taste_ranking
from openshelf.contracts import Surface, clean_text
from openshelf.database import accounts, attempts, audiences, catalogue, chats, pool, requests
from openshelf.database.accounts import Account
from openshelf.database.attempts import Limit
from openshelf.database.catalogue import WorkCard
from openshelf.database.chats import Verdict
from openshelf.errors import TooOftenError
from openshelf.privacy import choices
from openshelf.settings import get_settings

# What one reader asks, and what all behind one address (a class, a reading room) ask together.
OF_ONE = Limit("ask the librarian", 15, timedelta(minutes=1))
OF_ADDRESS = Limit("ask the librarian from an address", 150, timedelta(minutes=1))
# Answers at once in one process: each holds a thread. Who comes later waits for one.
AT_ONCE = 24
MAX_THREAD = 100_000
_MAX_BODY = 200_000
_TOKEN_HEADER = "x-form-token"  # noqa: S105
EVENTS = {Opening: "opening", Told: "book", Done: "done"}
# Refusals after which the library may be asked for more, and those that are no answer to be judged.
_LACKING = ("nothing", "named")
_TALK = ("unclear", "greeting", "thanks")
_REFUSED_HEADERS = {"Cache-Control": "no-store"}

T = TypeVar("T")

log = structlog.get_logger(__name__)

Question = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=chats.MAX_QUESTION, pattern="^[^\\u0000]+$",
        description="What the reader asks, in English, Vietnamese or Russian.",
    ),
]  # fmt: skip
Thread = Annotated[
    str, msgspec.Meta(max_length=MAX_THREAD, description="`thread` of the answer that this question follows on.")
]


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question of one of our pages. `chat`: which conversation; `hidden`: what a visitor hid in this visit."""

    text: Question
    chat: UUID
    thread: Thread | None = None
    hidden: Annotated[list[int], msgspec.Meta(max_length=2_000)] = []


class Judged(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`slip`: of the answer; `good`: thumbs up or down; None: taken back."""

    slip: Annotated[str, msgspec.Meta(max_length=20_000)]
    good: bool | None


@dataclass(frozen=True)
class Asker:
    """Who asks, as far as an answer depends on it. `session`: one answer at a time for each.

    `taste_of`: the reader_key of who keeps a history and wants recommendations; else None.
    """

    session: str
    audiences: Sequence[str] | None = None
    hidden: frozenset[int] = frozenset()
    taste_of: str | None = None


class Answering:
    """One answer under way: pieces to be had one by one, each in whatever thread; `close` ends it from any other."""

    def __init__(self, conn: psycopg.Connection, question: str, thread: str | None, asker: Asker) -> None:
        """Look for the works; then the first piece can be had."""
        self.before = opened(thread, Answer) if thread else None
        self.asker = asker
        self._lock = threading.Lock()
        self._turn = voices.from_settings().turn(asker.session)
        taste = partial(taste_ranking.nearness, conn, asker.taste_of) if asker.taste_of else None
        self.wish, records = chat.look_up(
            conn,
            clean_text(question),
            self.before,
            audiences=asker.audiences,
            hidden=asker.hidden,
            taste=taste,
            voice=self._turn,
        )
        ids = [record.book_id for record in records]
        self.cards = {card.book_id: card for card in catalogue.cards(conn, ids, audiences=asker.audiences)}
        self._said: list[Piece] = []
        self._pieces = cast("Generator[Piece]", chat.stream(records, self.wish, self._turn))

    def next(self) -> Piece | None:
        """The next piece; None at the end."""
        with self._lock:
            piece = next(self._pieces, None)
        if piece is not None:
            self._said.append(piece)
        return piece

    def close(self) -> None:
        """Say no more. A model that is being waited for is let go at once."""
        self._turn.stop()
        with self._lock:
            self._pieces.close()

    def whole(self) -> Answer:
        """All that was said."""
        return chat.collect(self._said, self.wish, self.before)


def sealed(value: object) -> str:
    """A value as text that only we can have made, for who asks to keep and send back."""
    packed = msgspec.json.encode(value)
    return f"{base64.urlsafe_b64encode(packed).decode()}.{_seal(packed)}"


def opened(text: str, kind: type[T]) -> T | None:
    """The value that `sealed` made text of; None if somebody else made it, or another version of ours."""
    data, _dot, seal = text.rpartition(".")
    try:
        packed = base64.urlsafe_b64decode(data.encode())
        return msgspec.json.decode(packed, type=kind) if hmac.compare_digest(seal, _seal(packed)) else None
    except (ValueError, TypeError, msgspec.MsgspecError):
        return None


def _seal(packed: bytes) -> str:
    return hmac.digest(get_settings().reader_secret(), b"chat " + packed, "sha256").hex()


def spend(account: Account | None, visit: str, host: str) -> None:
    """Count a question.

    Raises:
        TooOftenError: enough for this minute.
    """
    who = f"account {account.account_id}" if account else f"visit {visit}"
    with pool.get_pool().connection() as conn:
        attempts.spend(conn, get_settings().reader_secret(), [(OF_ONE, who), (OF_ADDRESS, host)])


@cache
def few() -> CapacityLimiter:
    """Threads of answers, so that models which are slow leave the other threads of the process alone."""
    return CapacityLimiter(AT_ONCE)


def event(name: str, data: object) -> bytes:
    """One event; JSON has no line break of its own."""
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"


def streamed(answering: Answering, tell: Callable[[Piece], object | None], spoken: str) -> StreamingResponse:
    """An answer as a stream. `tell` makes the data of a piece's event, in the language `spoken`; None: it has none."""

    def step() -> bytes | None:
        with language.speaking(spoken):
            piece = answering.next()
            data = tell(piece) if piece else None
        return None if piece is None else b"" if data is None else event(EVENTS[type(piece)], data)

    async def pieces() -> AsyncIterator[bytes]:
        try:
            # Who leaves while a model is waited for is not waited for in turn.
            while (piece := await run_sync(step, limiter=few(), abandon_on_cancel=True)) is not None:
                if piece:
                    yield piece
        except Exception:  # the headers are sent: what went wrong is said as the last event
            log.exception("an answer of the librarian broke off")
            with language.speaking(spoken):
                yield event("problem", {"event": "problem", "text": broken()})
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(answering.close)

    # No proxy may hold a part back until there is more.
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(pieces(), media_type="text/event-stream", headers=headers)


def broken() -> str:
    return _("The librarian lost the thread. Please ask once more.")


def summary_of(answer: Answer) -> dict[str, Any]:
    """An answer as it is kept for who wants it."""
    return {
        "language": answer.wish.language,
        "opening": answer.opening,
        "voice": answer.voice,
        "refusal": answer.refusal,
        "books": [{"book_id": told.book_id, "why": told.why} for told in answer.books],
    }


def verdict_on(answer: Answer, asker: Asker, before: Answer | None) -> Verdict:
    """What will be known of an answer if its reader judges it."""
    took_part = {"follow-up": before is not None, "taste": asker.taste_of is not None, "failed": bool(answer.excuse)}
    return Verdict(
        answer_id=uuid4(),
        language=answer.wish.language,
        subjects=list(answer.wish.subjects),
        book_ids=[told.book_id for told in answer.books],
        voice=answer.voice,
        refusal=answer.refusal,
        steps=[step for step, took in took_part.items() if took],
    )


def note_unanswered(answer: Answer) -> None:
    """Count a question that nothing in the catalogue answers, for staff: its words, and nobody's."""
    if answer.refusal == "nothing":
        with pool.get_pool().connection() as conn:
            requests.note_unanswered(conn, looked_for(answer.wish), "chat")


def looked_for(wish: Wish) -> str:
    """What of a question says what was looked for: its own words if they are few, else the subjects it names."""
    if requests.may_name_somebody(wish.text):
        return ""
    return " ".join(wish.words) if 0 < len(wish.words) <= 5 else ", ".join(wish.subjects)


def label(voice: str) -> str:
    """Which voice spoke."""
    if voice != chat.EXTRACTIVE:
        return _("In the words of the language model {voice}; the books and titles are our catalogue's.").format(
            voice=voice
        )
    return _("In the words of our catalogue; no language model took part.")


def shown(card: WorkCard, why: str) -> dict[str, Any]:
    """A work as the page shows it."""
    return {
        "id": card.book_id,
        "href": address("book", id=card.book_id, **{"from": Surface.CHAT.value}),
        "title": card.title,
        "author": card.authors_text,
        "why": why,
        "lang": language_tag(card.language),
        "cover": cover_address(card.book_id, card.cover_version),
    }


def ask_for(question: str) -> str:
    """The form that asks the library for a book, with this filled in."""
    return address("ask", title=question[:200])


def _asker(conn: psycopg.Connection, request: Request, asked: Asked, account: Account | None) -> Asker:
    visit = request.cookies.get(VISIT_COOKIE, "")
    if account is None:
        return Asker(f"{visit}/{asked.chat}", hidden=frozenset(asked.hidden))
    return Asker(
        f"{account.account_id}/{asked.chat}",
        audiences.allowed(account.audience_limit),
        frozenset(accounts.hidden(conn, account.account_id)),
        account.reader_key if account.keeps_history and account.personal else None,
    )


def _begin(request: Request, asked: Asked) -> tuple[Answering, Account | None]:
    with pool.get_pool().connection() as conn:
        account = logins.by_cookie(conn, request)
    host = logins.address_of(request)
    spend(account, request.cookies.get(VISIT_COOKIE) or host, host)
    with pool.get_pool().connection() as conn:
        return Answering(conn, asked.text, asked.thread, _asker(conn, request, asked, account)), account


async def _ask(request: Request) -> Response:
    """A question of one of our pages."""
    asked = await _read(request, Asked)
    spoken = forms.spoken(request)
    with language.speaking(spoken):
        try:
            answering, account = await run_sync(_begin, request, asked, limiter=few())
        except TooOftenError:
            words = _("That is much at once. Please ask again in a minute.")
            return _problem(words, 429, {"Retry-After": "60"})
        except OFFLINE:
            words = _("The library is restarting. Please try again in a moment.")
            return _problem(words, 503, {"Retry-After": "2"})

    def tell(piece: Piece) -> object | None:
        match piece:
            case Opening(text):
                return {"text": text, "language": answering.wish.language}
            case Told():
                card = answering.cards.get(piece.book_id)
                return shown(card, piece.why) if card else None
            case Done():
                return done(answering.whole())

    def done(answer: Answer) -> object:
        try:
            note_unanswered(answer)
            kept = account is not None and _keep(account, asked, answer)
        except OFFLINE:
            kept = False  # the answer stands all the same
        return {
            "language": answer.wish.language,
            "label": label(answer.voice) if answer.books else "",
            "refusal": answer.refusal,
            "ask": ask_for(asked.text) if answer.refusal in _LACKING else None,
            "thread": sealed(answer),
            "slip": None if answer.refusal in _TALK else sealed(verdict_on(answer, answering.asker, answering.before)),
            "kept": kept,
        }

    return streamed(answering, tell, spoken)


def _keep(account: Account, asked: Asked, answer: Answer) -> bool:
    with pool.get_pool().connection() as conn:
        if not choices.chats_of(conn, account.account_id).keeps:
            return False
        chats.keep(conn, account.account_id, asked.chat, asked.text, summary_of(answer))
        return True


async def _judge(request: Request) -> Response:
    """Thumbs up or down."""
    judged = await _read(request, Judged)
    verdict = opened(judged.slip, Verdict)
    with language.speaking(forms.spoken(request)):
        if verdict is None:
            return _problem(_("This answer is too old to be judged."), 422)
        try:
            await run_sync(_judged, verdict, judged.good)
        except OFFLINE:
            words = _("The library is restarting. Please try again in a moment.")
            return _problem(words, 503, {"Retry-After": "2"})
    return JSONResponse({"good": judged.good}, headers=_REFUSED_HEADERS)


def _judged(verdict: Verdict, is_good: bool | None) -> None:
    with pool.get_pool().connection() as conn:
        chats.judge(conn, verdict, is_good)


async def _read(request: Request, kind: type[T]) -> T:
    """What a script of ours sends.

    Raises:
        HTTPException: another site sent it, its page is from before this browser's cookies, or it is not of this kind.
    """
    if not forms.is_ours(request, request.headers.get(_TOKEN_HEADER, "")):
        raise HTTPException(403, "this page is too old: load it again, and ask once more")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MAX_BODY:
            raise HTTPException(413, "too large")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise HTTPException(422, f"this does not fit: {error}") from error


def _problem(words: str, status: int, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"problem": words}, status_code=status, headers={**_REFUSED_HEADERS, **(headers or {})})


def routes() -> list[BaseRoute]:
    return [
        Route("/librarian/ask", _ask, methods=["POST"]),
        Route("/librarian/thumb", _judge, methods=["POST"]),
    ]
