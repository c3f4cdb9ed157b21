"""The texts that open on our reading page: the same for everybody, and kept; who may see one is asked each time."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from dashboard import resources
from openshelf import epub_text, pdf_text
from openshelf.contracts import clean_text
from openshelf.database import catalogue
from openshelf.database.catalogue import Work
from openshelf.epub_text import Book, Chapter, Heading, UnreadableEpubError
from openshelf.epub_tree import Node
from openshelf.pdf_text import Pdf, UnreadablePdfError

TTL_S = 600
# A reader waits for it; what takes longer is shown as its pages stand.
PDF_LIMIT_S = 30
PDF_TTL_S = 3_600
# Of a longer one the list of all its pages alone would be a burden.
MAX_PAGES = 3_000
# A page with fewer letters is a picture with a number under it.
_LETTERS = 40
# Each is read by a process of its own: one after another, however many readers open one.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Paged:
    """A PDF. `count` of its pages, 0 if it cannot be known; `book`: its text, a part for each page; None of a scan."""

    count: int
    book: Book | None


@dataclass(frozen=True)
class Text:
    """A work and what of it can be read. `is_damaged`: it has an EPUB that cannot be; `pdf`: only where there is no
    EPUB.
    """

    work: Work
    book: Book | None
    pdf: Paged | None
    is_damaged: bool
    formats: list[str]


def find(book_id: int, audiences: Sequence[str] | None) -> Text | None:
    """A work's text for someone who may see these audiences; None if there is no such work for them."""
    with resources.connection() as conn:
        work = catalogue.work(conn, book_id, audiences=audiences)
        if work is None:
            return None
        formats = sorted({name for edition in catalogue.editions(conn, book_id) for name in edition.formats})
        epub = catalogue.file_of(conn, book_id, "EPUB") if "EPUB" in formats else None
        pdf = catalogue.file_of(conn, book_id, "PDF") if "PDF" in formats else None
    path = epub.resolve() if epub else None
    book = None
    if path is not None:
        try:
            book = _book(str(path), path.stat().st_mtime_ns)
        except (UnreadableEpubError, OSError):
            book = None
    pdf_path = pdf.resolve() if pdf and not book else None
    paged = _paged(str(pdf_path), pdf_path.stat().st_mtime_ns) if pdf_path else None
    return Text(work, book, paged, path is not None and book is None, formats)


# Shared, not copied for each reader: a book is large, and nobody changes it.
@st.cache_resource(ttl=TTL_S, max_entries=20, show_spinner=False)
def _book(path: str, changed_ns: int) -> Book:
    return epub_text.read(Path(path))


@st.cache_resource(ttl=PDF_TTL_S, max_entries=20, show_spinner=False)
def _paged(path: str, changed_ns: int) -> Paged:
    try:
        with _one_at_a_time:
            pdf = pdf_text.read(Path(path), PDF_LIMIT_S)
    except UnreadablePdfError:
        return Paged(0, None)
    return Paged(pdf.count, _as_book(pdf)) if pdf.count <= MAX_PAGES else Paged(0, None)


def _as_book(pdf: Pdf) -> Book | None:
    """The pages as parts, those without text too, so that a part is a page; None where most of them hold none."""
    pages = {page.number: page for page in pdf.pages}
    if 2 * sum(len(page.text) >= _LETTERS for page in pdf.pages) < pdf.count:
        return None
    chapters, contents = [], []
    title = ""
    for number in range(1, pdf.count + 1):
        page = pages.get(number)
        text = page.text if page else ""
        if page and page.title not in ("", title):
            title = page.title
            contents.append(Heading(title, number, "", 0))
        nodes: list[Node] = [["p", {}, clean_text(paragraph)] for paragraph in pdf_text.paragraphs(text)]
        chapters.append(Chapter(title, str(number), nodes, len(text)))
    return Book(chapters, contents)
