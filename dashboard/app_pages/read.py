"""The text itself."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard import files, handlers, places, state, texts
from dashboard.components import furniture
from dashboard.components.reading import reader
from dashboard.language import _, number
from dashboard.texts import Text
from dashboard.words import address, language_tag
from openshelf.contracts import Action, Surface
from openshelf.database.shelves import Place
from openshelf.epub_text import Book


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
        "as_pages": _("This page as it was printed"),
        "as_text": _("Only the text, in letters of your choice"),
    }


@dataclass(frozen=True)
class View:
    """How a text is shown. `book`: its parts, of a PDF its pages; None: the PDF itself, in a frame.

    `count` of the parts; 0 where nothing tells. `is_paged`: a part is a page.
    """

    text: Text
    book: Book | None
    count: int
    is_paged: bool

    @property
    def has_other(self) -> bool:
        """Whether the pages can be shown both ways."""
        return self.is_paged and self.text.pdf is not None and self.text.pdf.book is not None

    def address_of(self, part: int, *, turned: bool = False) -> str:
        """`turned`: shown the other way."""
        as_pages = self.has_other and (self.book is None) != turned
        way = {"as": "pages"} if as_pages else {}
        return address("read", id=self.text.work.book_id, chapter=part, **way)


def view_of(text: Text, *, as_pages: bool) -> View:
    if text.book:
        return View(text, text.book, len(text.book.chapters), is_paged=False)
    assert text.pdf
    return View(text, None if as_pages else text.pdf.book, text.pdf.count, is_paged=True)


def reader_data(view: View, shown: int, kept: Place | None, is_chosen: bool, block: int | None) -> dict[str, Any]:
    """What the reading component draws: the part `shown` from its `block` on, or that page of the PDF in a frame."""
    text, work, visitor = view.text, view.text.work, state.shown_visitor()
    is_read = state.marks(visitor).shelves.get(work.book_id) == "read"
    here, of_all = number(shown), number(view.count)
    page_place = _("Page {page} of {last}").format(page=here, last=of_all) if view.count else ""
    part_place = _("Part {part} of {count}").format(part=here, count=of_all)
    data: dict[str, Any] = {
        "key": work.book_id,
        "title": work.title,
        "lang": language_tag(work.language),
        "home": {"href": address("book", id=work.book_id)},
        "number": shown,
        "place": page_place if view.is_paged else part_place,
        "parts": [view.address_of(part) for part in range(1, view.count + 1)],
        "previous": view.address_of(shown - 1) if shown > 1 else None,
        "next": view.address_of(shown + 1) if shown < view.count else None,
        "contents": contents_of(view),
        "start": {"part": kept.part, "block": kept.block} if kept else None,
        "chosen": is_chosen,
        "finish": {"label": _("You have read it") if is_read else _("I have read it"), "done": is_read}
        if shown >= view.count
        else None,
        "downloads": [
            {"label": each.format, "href": each.address}
            for each in files.downloads(visitor.account, work.book_id, text.formats)
        ],
        "other": view.address_of(shown, turned=True) if view.has_other else None,
        "remember": places.remembered_by(visitor) if view.count else "nowhere",
        "words": reading_words(),
    }
    if view.book is None:
        return data | {"pdf": f"/texts/{work.book_id}.pdf" + (f"#page={shown}" if shown > 1 else "")}
    chapter = view.book.chapters[shown - 1]
    lengths = [max(each.length, 1) for each in view.book.chapters]
    return data | {
        "nodes": chapter.nodes or [["p", {}, _("There is no text on this page.")]],
        "part_title": chapter.title or data["place"],
        "pictures": files.picture_address(work.book_id, ""),
        "before": sum(lengths[: shown - 1]) / sum(lengths),
        "weight": lengths[shown - 1] / sum(lengths),
        # Of a page nothing is known but that the words stand on it.
        "goal": block if is_chosen and not view.is_paged else None,
    }


def contents_of(view: View) -> list[dict[str, Any]]:
    book = view.text.book or (view.text.pdf.book if view.text.pdf else None)
    if book and book.contents:
        return [
            {"label": heading.title, "part": heading.part, "anchor": heading.anchor, "level": heading.level}
            for heading in book.contents
        ]
    step = max(1, view.count // 100)
    return [
        {"label": _("Page {number}").format(number=number(page)), "part": page, "anchor": "", "level": 0}
        for page in range(1, view.count + 1, step)
    ]


@st.fragment
def draw(view: View, shown: int, kept: Place | None, is_chosen: bool, block: int | None) -> None:
    book_id = view.text.work.book_id

    def finish() -> None:
        if handlers.told("reader", "finish"):
            handlers.do_on_book(Action.FINISH, book_id, Surface.BROWSE)

    reader(
        "reader",
        reader_data(view, shown, kept, is_chosen, block) | {"heard": handlers.heard("reader")},
        on_place=places.keep("reader", book_id, view.count),
        on_finish=finish,
    )


def _is_number(said: str) -> bool:
    return said.isascii() and said.isdecimal() and len(said) < 6


def read() -> None:
    visitor = state.shown_visitor()
    asked = st.query_params.get("id", "")
    book_id = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 10 else 0
    with st.spinner(_("The book is being opened …")):  # a long PDF takes its time
        text = texts.find(book_id, visitor.audiences)
    if text is None:
        furniture.notice(
            _("This book is not on our shelves"),
            _("It may have been withdrawn. Search for it above, or browse what is there."),
            alone=True,
        )
        return
    if text.book is None and text.pdf is None:
        line = (
            _("The file of this book is damaged. Please tell the library, so that it can be replaced.")
            if text.is_damaged
            else _("This book has no file that can be read on this page.")
        )
        back = _("Back to the book")
        way = f'<a href="{address("book", id=book_id)}" target="_self">{back}</a>'
        furniture.notice(_("There is no text to open here"), f"{line} {way}", alone=True)
        return
    st.set_page_config(page_title=f"{text.work.title} · " + _("Reading") + " · Openshelf")
    if state.enters(f"text {book_id}"):
        handlers.do_on_book(Action.READ, book_id, Surface.BROWSE)
    kept = places.place_of(visitor, book_id)
    wanted = st.query_params.get("chapter", "")
    is_chosen = _is_number(wanted)
    block = st.query_params.get("block", "")
    view = view_of(text, as_pages=st.query_params.get("as") == "pages")
    # Of a PDF that cannot be counted any page may be asked for.
    last = view.count or texts.MAX_PAGES
    shown = min(max(int(wanted) if is_chosen else kept.part if kept else 1, 1), last)
    draw(view, shown, kept, is_chosen, int(block) if _is_number(block) else None)


read()
