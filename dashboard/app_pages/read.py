"""The text itself."""

import streamlit as st

from dashboard import data, handlers, state
from dashboard.components import furniture
from dashboard.words import address, language_tag
from openshelf.contracts import Action, Surface


def finish() -> None:
    handlers.do_on_book(Action.FINISH, book_id, Surface.BROWSE)


asked = st.query_params.get("id", "")
book_id = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 10 else 0
record = data.record(book_id)
chapters = data.chapters(book_id) if record else None
if record is None or chapters is None:
    furniture.notice("There is no text to open here", "This book has no file that can be read on this page.")
    st.stop()

wanted = st.query_params.get("chapter", "1")
number = min(max(int(wanted) if wanted.isascii() and wanted.isdecimal() else 1, 1), len(chapters))
if state.enters(f"text {book_id}"):
    handlers.do_on_book(Action.READ, book_id, Surface.BROWSE)


def place(chapter: int) -> str:
    return address("read", id=book_id, chapter=chapter)


furniture.pager(
    "contents",
    {
        "variant": "os-reading-head",
        "label": "Contents",
        "home": {"label": "Back to the book", "href": address("book", id=book_id)},
        "title": record.work.title,
        "lang": language_tag(record.work.language),
        "chapters": [{"label": c.title, "href": place(n)} for n, c in enumerate(chapters, start=1)],
        "current": place(number),
    },
)
lang = language_tag(record.work.language)
is_read = state.marks(state.shown_visitor()).shelves.get(book_id) == "read"
st.html(f'<article class="os-text" lang="{lang}">{chapters[number - 1].html}</article>')
furniture.pager(
    "chapters",
    {
        "variant": "os-reading-foot",
        "label": "Chapters",
        "place": f"{number} of {len(chapters)}",
        "previous": place(number - 1) if number > 1 else None,
        "next": place(number + 1) if number < len(chapters) else None,
        "previous_label": "Back",
        "next_label": "Next",
        "finish": {"label": "You have read it" if is_read else "I have read it", "done": is_read}
        if number == len(chapters)
        else None,
    },
    on_finish=finish,
)
