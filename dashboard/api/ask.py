"""Asking the librarian, for programs: the answer as a stream of events, as the pages get it."""

from typing import Annotated
from uuid import uuid4

import msgspec
import psycopg
from starlette.responses import Response

from dashboard import talking
from dashboard.api.callers import Caller
from dashboard.api.openapi import EVENTS
from dashboard.api.operations import AudienceLimit, BookId, Operation
from dashboard.api.recommendations import OwnReaderKey
from dashboard.api.works import WorkSummary, summary
from dashboard.chat.answer import REFUSALS, Done, Opening, Piece, Told
from dashboard.language import DEFAULT
from openshelf.database.api_keys import Scope


class ChatOpening(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="opening"):
    """The first sentence; of a refusal all there is."""

    text: str


class ChatBook(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="book"):
    """One work, and why: words that its record or the question supports. `voice`: who put it so."""

    work: WorkSummary
    why: str
    voice: str


class ChatDone(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="done"):
    """The end. `voice`: `catalogue`, or the model that spoke. `refusal`: why no work was named, else null."""

    language: str
    voice: str
    refusal: Annotated[str | None, msgspec.Meta(description="One of " + ", ".join(REFUSALS) + ".")]
    thread: Annotated[str, msgspec.Meta(description="To be sent with the next question of the same conversation.")]


class ChatProblem(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="problem"):
    """The answer broke off; ask again."""

    text: str


ChatEvent = ChatOpening | ChatBook | ChatDone | ChatProblem


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question. `hidden`: works that are not to be named. `reader_key`: whose acts give the order."""

    text: talking.Question
    thread: talking.Thread | None = None
    reader_key: OwnReaderKey | None = None
    hidden: Annotated[list[BookId], msgspec.Meta(max_length=2_000)] = []
    audience_limit: AudienceLimit | None = None


def answer(conn: psycopg.Connection, caller: Caller, _asked: msgspec.Struct, question: Question) -> Response:
    asker = talking.Asker(
        # A program asks for many people at once: each question is a session of its own.
        session=str(uuid4()),
        audiences=caller.audiences(question.audience_limit),
        hidden=frozenset(question.hidden),
        taste_of=caller.reader_key(question.reader_key) if question.reader_key else None,
    )
    answering = talking.Answering(conn, question.text, question.thread, asker)

    def tell(piece: Piece) -> ChatEvent | None:
        match piece:
            case Opening(text):
                return ChatOpening(text=text)
            case Told():
                card = answering.cards.get(piece.book_id)
                return ChatBook(work=summary(card), why=piece.why, voice=piece.voice) if card else None
            case Done():
                whole = answering.whole()
                talking.note_unanswered(whole)
                return ChatDone(
                    language=whole.wish.language,
                    voice=whole.voice,
                    refusal=whole.refusal,
                    thread=talking.sealed(whole),
                )

    return talking.streamed(answering, tell, DEFAULT)


OPERATIONS = [
    Operation(
        "POST", "/ask", "askLibrarian", "Ask the librarian; the answer comes as it is said.",
        ChatEvent, answer, scope=Scope.RECOMMEND, body=Question, media_type=EVENTS, misfit=400,
        description="Server-sent events; the data of each is a JSON object. `opening`, `book` for each work, at the "
        "end `done`, or `problem`. Only works of the catalogue are named. Whoever closes the connection ends the "
        "answer. Nothing is kept of the conversation; `thread` carries it.",
    ),
]  # fmt: skip
