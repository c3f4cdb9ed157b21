"""The texts that open on our reading page: the same for everybody, and kept; who may see one is asked each time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from dashboard import resources
from openshelf import epub_text
from openshelf.database import catalogue
from openshelf.database.catalogue import Work
from openshelf.epub_text import Book, UnreadableEpubError

TTL_S = 600


@dataclass(frozen=True)
class Text:
    """A work and what of it can be read. `is_damaged`: it has an EPUB that cannot be."""

    work: Work
    book: Book | None
    has_pdf: bool
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
    has_pdf = pdf is not None and pdf.resolve() is not None
    return Text(work, book, has_pdf, path is not None and book is None, formats)


# Shared, not copied for each reader: a book is large, and nobody changes it.
@st.cache_resource(ttl=TTL_S, max_entries=20, show_spinner=False)
def _book(path: str, changed_ns: int) -> Book:
    return epub_text.read(Path(path))
