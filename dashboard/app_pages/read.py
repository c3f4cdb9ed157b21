"""The text itself."""

from typing import Any

import streamlit as st

from dashboard import files, handlers, places, state, texts
from dashboard.components import furniture
from dashboard.components.reading import reader
from dashboard.language import _, number
from dashboard.texts import Text
from dashboard.words import address, language_tag
from openshelf import pdf_text
from openshelf.contracts import Action, Surface
from openshelf.database.shelves import Place


def reading_words() -> dict[str, Any]:
    return {
        "back": _("Back to the book"),
        "tools": _("Reading"),
        "contents": _("Contents"),
        "looks": _("Text and colours"),
        "size": _("Size of the text"),
        "smaller": _("Smaller text"),
        "larger": _("Larger text"),
        "font": _("Letters"),
        "fonts": {"serif": _("Serif"), "sans": _("Sans serif")},
        "spacing": _("Lines"),
        "spacings": {"close": _("Close"), "normal": _("Normal"), "wide": _("Wide")},
        "theme": _("Colours"),
        "themes": {"auto": _("As the device"), "light": _("Light"), "sepia": _("Sepia"), "dark": _("Dark")},
        "remember": _("Remember in this browser where I am in books"),
        "keys": _("The arrow keys left and right turn to the part before and the next."),
        "listen": _("Listen"),
        "stop": _("Stop"),
        "progress": _("How far you are in the book"),
        "percent": _("{percent}% read"),
        "parts": _("Parts of the book"),
        "previous": _("Back"),
        "next": _("Next"),
        "take_away": _("To take away:"),
        "pdf": _("The pages of {title}"),
        "pdf_not_shown": _("Nothing to see above? Your browser may show such files only by themselves."),
        "pdf_open": _("Open it in a tab of its own"),
    }


def reader_data(text: Text, shown: int, kept: Place | None, is_chosen: bool, block: int | None) -> dict[str, Any]:
    """What the reading component draws: the part `shown` from its `block` on, or the PDF where there is no other.

    Of a PDF `shown` is the page, which the browser's viewer opens.
    """
    work, visitor = text.work, state.shown_visitor()
    is_read = state.marks(visitor).shelves.get(work.book_id) == "read"
    last = text.book is None or shown == len(text.book.chapters)
    data: dict[str, Any] = {
        "key": work.book_id,
        "title": work.title,
        "lang": language_tag(work.language),
        "home": {"href": address("book", id=work.book_id)},
        "number": shown,
        "place": "",
        "previous": None,
        "next": None,
        "finish": {"label": _("You have read it") if is_read else _("I have read it"), "done": is_read}
        if last
        else None,
        "downloads": [
            {"label": each.format, "href": each.address}
            for each in files.downloads(visitor.account, work.book_id, text.formats)
        ],
        "remember": places.remembered_by(visitor),
        "words": reading_words(),
    }
    if text.book is None:
        page = f"#page={shown}" if is_chosen else ""
        return data | {"pdf": f"/texts/{work.book_id}.pdf{page}", "remember": "nowhere"}
    chapters = text.book.chapters
    parts = [address("read", id=work.book_id, chapter=part) for part in range(1, len(chapters) + 1)]
    lengths = [max(chapter.length, 1) for chapter in chapters]
    return data | {
        "nodes": chapters[shown - 1].nodes,
        "part_title": chapters[shown - 1].title,
        "pictures": files.picture_address(work.book_id, ""),
        "parts": parts,
        "contents": [
            {"label": heading.title, "part": heading.part, "anchor": heading.anchor, "level": heading.level}
            for heading in text.book.contents
        ],
        "place": _("Part {part} of {count}").format(part=number(shown), count=number(len(chapters))),
        "previous": parts[shown - 2] if shown > 1 else None,
        "next": parts[shown] if shown < len(chapters) else None,
        "before": sum(lengths[: shown - 1]) / sum(lengths),
        "weight": lengths[shown - 1] / sum(lengths),
        "start": {"part": kept.part, "block": kept.block} if kept else None,
        "chosen": is_chosen,
        "goal": block if is_chosen else None,
    }


@st.fragment
def draw(text: Text, shown: int, kept: Place | None, is_chosen: bool, block: int | None) -> None:
    book_id = text.work.book_id

    def finish() -> None:
        handlers.do_on_book(Action.FINISH, book_id, Surface.BROWSE)

    reader(
        "reader",
        reader_data(text, shown, kept, is_chosen, block),
        on_place=places.keep("reader", book_id, len(text.book.chapters) if text.book else 0),
        on_finish=finish,
    )


def _is_number(said: str) -> bool:
    return said.isascii() and said.isdecimal() and len(said) < 6


def read() -> None:
    visitor = state.shown_visitor()
    asked = st.query_params.get("id", "")
    book_id = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 10 else 0
    text = texts.find(book_id, visitor.audiences)
    if text is None:
        furniture.notice(
            _("This book is not on our shelves"),
            _("It may have been withdrawn. Search for it above, or browse what is there."),
            alone=True,
        )
        return
    if text.book is None and not text.has_pdf:
        line = (
            _("The file of this book is damaged. Please tell the library, so that it can be replaced.")
            if text.is_damaged
            else _("This book has no file that can be read on this page.")
        )
        back = _("Back to the book")
        way = f'<a href="{address("book", id=book_id)}" target="_self">{back}</a>'
        furniture.notice(_("There is no text to open here"), f"{line} {way}", alone=True)
        return
    st.set_page_config(page_title=f"{text.work.title} · Openshelf")
    if state.enters(f"text {book_id}"):
        handlers.do_on_book(Action.READ, book_id, Surface.BROWSE)
    kept = places.place_of(visitor, book_id)
    wanted = st.query_params.get("chapter", "")
    is_chosen = _is_number(wanted)
    block = st.query_params.get("block", "")
    count = len(text.book.chapters) if text.book else pdf_text.MAX_PAGES
    shown = min(max(int(wanted) if is_chosen else kept.part if kept else 1, 1), count)
    draw(text, shown, kept, is_chosen, int(block) if _is_number(block) else None)


read()
