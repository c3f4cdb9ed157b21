"""The librarian's conversation as a part of every page: see js/talk.js. What is said stays in the reader's tab."""

import hmac
from collections.abc import Sequence
from typing import Literal
from uuid import UUID

import streamlit as st

from dashboard import data, forms, handlers, language, resources, state, talking
from dashboard.components.registration import renderer
from dashboard.language import _, plural
from dashboard.state import Visitor
from openshelf.contracts import Surface
from openshelf.database import chats
from openshelf.database.chats import Turn
from openshelf.privacy import choices
from openshelf.settings import get_settings

# On a page of its own; behind a button in the corner; behind a button above what must not be covered.
Where = Literal["page", "panel", "aside"]
_KEY = "talk"
_KEPT_CHATS = 10


def where(page: str) -> Where:
    """How the librarian stands on a page, by its address."""
    if page == "librarian":
        return "page"
    # A text is read undisturbed; the first choice of books has a bar of its own at its foot.
    return "aside" if page in ("read", "welcome") else "panel"


@st.fragment
def talk(place: Where) -> None:
    """Draw the conversation, or the button that opens it. Always at the same place, lest it begins anew."""
    visitor = state.shown_visitor()
    try:
        marks, days = state.marks(visitor), _kept_days(visitor)
    except state.OFFLINE:  # the page says so; what was said stays where it is
        marks, days = state.Marks(), None
    here = set(_books())
    renderer("talk")(
        key=_KEY,
        data={
            "place": place,
            "owner": _owner(visitor),
            "token": forms.page_token(),
            # What an account hid, the library knows; of a visitor only this page does.
            "own_hidden": [] if visitor.account else sorted(marks.hidden),
            "marks": {
                "liked": [book for book, said in marks.opinions.items() if said == "like" and book in here],
                "wanted": [book for book, shelf in marks.shelves.items() if shelf == "want" and book in here],
                "hidden": sorted(marks.hidden & here),
            },
            "note": _note(days),
            "examples": [
                _("A quiet novel for a rainy weekend"),
                _("Science for a curious twelve-year-old"),
                _("A history of Vietnam"),
                _("Something funny for children"),
            ],
            "chips": [_("More like the first one"), _("Something shorter"), _("Another one")],
            "words": _words(),
            "heard": handlers.heard(_KEY),
        },
        on_acts_change=handlers.shelf_acts(_KEY, Surface.CHAT),
        on_books_change=lambda: None,
    )


def earlier(turns: Sequence[Turn]) -> None:
    """Chats that the reader wants kept, the latest first; works that are no longer there are left out."""
    works = {work.book_id: work for work in data.cards(tuple(sorted(set(chats.book_ids(turns)))))}
    by_chat: dict[UUID, list[Turn]] = {}
    for turn in turns:
        by_chat.setdefault(turn.chat_id, []).append(turn)
    renderer("talk_kept")(
        key="talk_kept",
        data={
            "heading": _("Your earlier chats"),
            "chats": [
                {
                    "day": language.day(chat[-1].asked_at.date()),
                    "turns": [
                        {
                            "question": turn.question,
                            "lang": turn.answer.get("language", ""),
                            "opening": turn.answer.get("opening", ""),
                            "books": [
                                talking.shown(works[told["book_id"]], told["why"])
                                for told in turn.answer.get("books", [])
                                if told["book_id"] in works
                            ],
                            "state": "done",
                        }
                        for turn in chat
                    ],
                }
                for chat in list(by_chat.values())[:_KEPT_CHATS]
            ],
            "words": _words(),
        },
    )


def _books() -> list[int]:
    """The works that stand in the conversation, as the browser tells."""
    said = getattr(st.session_state.get(_KEY), "books", None)
    return [book for book in said[:1_000] if isinstance(book, int)] if isinstance(said, list) else []


def _owner(visitor: Visitor) -> str:
    """Whose conversation it is: another's in the same tab begins anew. Says nothing of who it is."""
    said = f"talk {visitor.account_id}".encode()
    return hmac.digest(get_settings().reader_secret(), said, "sha256").hex()[:16]


def _kept_days(visitor: Visitor) -> int | None:
    """For how long the chats of who is here are kept; None: they are not."""
    if visitor.account_id is None:
        return None
    with resources.connection() as conn:
        chosen = choices.chats_of(conn, visitor.account_id)
    return chosen.days if chosen.keeps else None


def _note(days: int | None) -> dict[str, str]:
    if days is None:
        text = _("Only books on our shelves are named, and your chat is not kept.")
        return {"text": text, "label": _("Privacy"), "href": "/privacy"}
    text = plural(
        "Only books on our shelves are named. Your chats are kept for {count} day, as you chose.",
        "Only books on our shelves are named. Your chats are kept for {count} days, as you chose.",
        days,
    )
    return {"text": text, "label": _("Your data"), "href": "/your_data"}


def _words() -> dict[str, str]:
    """What the component says by itself; `{title}` is a book's."""
    return {
        "title": _("Ask the librarian"),
        "line": _("In English, Vietnamese or Russian"),
        "close": _("Close"),
        "whole": _("On a page of its own"),
        "conversation": _("Conversation with the librarian"),
        "question": _("Your question"),
        "first": _("A subject, a mood, an author, a book you loved"),
        "next": _("Ask for more, or for something else"),
        "ask": _("Ask"),
        "stop": _("Stop"),
        "again": _("Start again"),
        "examples": _("For example"),
        "more": _("Go on with"),
        "looking": _("Looking along the shelves"),
        "stopped": _("This answer was stopped."),
        "failed": _("The librarian does not answer just now. Please try again in a moment."),
        "stale": _("This page is too old. Please load it again and ask once more."),
        "retry": _("Ask again"),
        "ask_library": _("Ask the library for it"),
        "judge": _("Was this answer good?"),
        "good": _("A good answer"),
        "bad": _("Not a good answer"),
        "thanks": _("Thank you. The library learns of it, not of you."),
        "like": _("Like"),
        "liked": _("You like this"),
        "want": _("Want to read"),
        "wanted": _("On your shelf"),
        "hide": _("Not interested"),
        "unhide": _("Show it again"),
        "said_like": _("You like {title}"),
        "said_want": _("{title} is on your want-to-read shelf"),
        "said_unwant": _("{title} is off your want-to-read shelf"),
        "said_hide": _("{title} stays off your shelves"),
        "said_unhide": _("{title} is back on the shelves"),
    }
