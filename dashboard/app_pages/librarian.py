"""What would a librarian put in my hands?"""

import html
import time
from dataclasses import dataclass

import streamlit as st

from dashboard import data, resources
from dashboard.chat import answer as chat
from dashboard.chat.answer import Answer, Opening, Piece, Told
from dashboard.chat.voice import OllamaVoice
from dashboard.components import furniture
from dashboard.components.registration import renderer
from dashboard.language import _
from dashboard.words import address, cover_address, language_tag
from openshelf.contracts import Surface
from openshelf.settings import get_settings

_TURNS = "librarian.turns"
_WAITING = "librarian.waiting"
_MAX_TURNS = 20
_EXAMPLES = [
    "A quiet novel for a rainy weekend",
    "Science for a curious twelve-year-old",
    "Sách về lịch sử Việt Nam",
    "Что-нибудь смешное для детей",
]


@dataclass(frozen=True)
class Turn:
    """One question with its answer; kept in this tab only."""

    question: str
    answer: Answer


@st.cache_resource(show_spinner=False)
def voice() -> OllamaVoice:
    settings = get_settings()
    return OllamaVoice(settings.ollama_url, settings.ollama_model, settings.ollama_timeout_s, time.monotonic)


def asked() -> None:
    text = getattr(st.session_state.get("desk"), "ask", None)
    if isinstance(text, str) and text.strip():
        st.session_state[_WAITING] = text.strip()


def clear() -> None:
    st.session_state[_TURNS] = []
    st.session_state.pop(_WAITING, None)


def label(answer: Answer) -> str:
    """Which voice spoke."""
    if not answer.books:
        return ""
    if answer.voice != chat.EXTRACTIVE:
        return _("In the words of the language model {voice}; the books and titles are our catalogue's.").format(
            voice=answer.voice
        )
    return _("In the words of our catalogue; no language model took part.")


def shown(question: str, answer: Answer) -> dict:
    works = {work.book_id: work for work in data.cards(tuple(book.book_id for book in answer.books))}
    books = [
        {
            "href": address("book", id=book.book_id, **{"from": Surface.CHAT.value}),
            "title": book.title,
            "author": book.authors_text,
            "why": book.why,
            "lang": language_tag(works[book.book_id].language),
            "cover": cover_address(book.book_id, works[book.book_id].cover_version),
        }
        for book in answer.books
        if book.book_id in works
    ]
    return {
        "question": question,
        "lang": answer.wish.language,
        "opening": answer.opening,
        "books": books,
        "label": label(answer),
        "ask": None if books else {"label": _("Ask the library for it"), "href": address("ask", title=question)},
    }


def as_html(pieces: list[Piece]) -> str:
    """What is said so far, while it is being said."""
    lines = [f'<p class="os-opening">{html.escape(p.text)}</p>' for p in pieces if isinstance(p, Opening)]
    lines += [
        f'<p class="os-told-why"><strong>{html.escape(p.title)}</strong> {html.escape(p.why)}</p>'
        for p in pieces
        if isinstance(p, Told)
    ]
    lines = lines or ["<p>" + _("Looking along the shelves") + "</p>"]
    return '<div class="os-talk">' + "".join(lines) + "</div>"


def answer_now(question: str, turns: list[Turn]) -> Turn:
    """Let the answer grow on the page, then return it whole."""
    slot = st.empty()
    slot.html(as_html([]))
    before = turns[-1].answer if turns else None
    with resources.connection() as conn:
        wish, records = chat.look_up(conn, question, before, audiences=data.within())
    pieces: list[Piece] = []
    for piece in chat.stream(records, wish, voice()):
        pieces.append(piece)
        slot.html(as_html(pieces))
    slot.empty()
    return Turn(question, chat.collect(pieces, wish, before))


@st.fragment
def desk() -> None:
    turns: list[Turn] = st.session_state.setdefault(_TURNS, [])
    waiting = st.session_state.get(_WAITING)
    said = [shown(turn.question, turn.answer) for turn in turns]
    if waiting:
        said.append({"question": waiting, "lang": "", "opening": "", "books": [], "label": "", "ask": None})
    renderer("talk")(
        key="talk",
        data={"part": "turns", "turns": said, "words": {"conversation": _("Conversation with the librarian")}},
    )
    if waiting:
        turns.append(answer_now(waiting, turns))
        del turns[:-_MAX_TURNS]
        st.session_state.pop(_WAITING, None)
        st.rerun(scope="fragment")
    renderer("talk")(
        key="desk",
        data={
            "part": "form",
            "placeholder": _("Ask for more, or for something else")
            if turns
            else _("A subject, a mood, an author, a book you loved"),
            "examples": [] if turns else _EXAMPLES,
            "can_clear": bool(turns),
            "note": _("Only books on our shelves are named. Your questions are not kept."),
            "words": {
                "question": _("Your question"),
                "ask": _("Ask"),
                "again": _("Start again"),
                "examples": _("For example"),
            },
        },
        on_ask_change=asked,
        on_clear_change=clear,
    )


st.set_page_config(page_title=_("Ask the librarian") + " · Openshelf")
furniture.heading(_("Ask the librarian"), _("In English, Vietnamese or Russian"))
desk()
