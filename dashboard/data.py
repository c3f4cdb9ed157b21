"""What pages read. Only what is the same for everybody is cached; a reader's own rows never are."""

from dataclasses import dataclass

import streamlit as st

from dashboard import epub_text, resources
from dashboard.epub_text import Chapter
from models import search
from openshelf.contracts import Slate
from openshelf.database import accounts, catalogue, learning, stream
from openshelf.database.accounts import Account
from openshelf.database.catalogue import Count, Edition, Sort, Work, WorkCard, YearSpan
from openshelf.database.filters import Filters

TTL_S = 60
ROW = 14


@dataclass(frozen=True)
class Record:
    """Everything of a work that its page shows."""

    work: Work
    editions: list[Edition]
    subjects: list[str]
    authors: list[str]


@dataclass(frozen=True)
class Facets:
    languages: list[Count]
    subjects: list[Count]
    formats: list[Count]
    years: YearSpan


@st.cache_data(ttl=TTL_S, max_entries=2_000, show_spinner=False)
def cards(book_ids: tuple[int, ...]) -> list[WorkCard]:
    with resources.connection() as conn:
        return catalogue.cards(conn, book_ids)


@st.cache_data(ttl=TTL_S, show_spinner=False)
def popular() -> list[WorkCard]:
    """What readers met most of late; the best rated while nobody has acted yet."""
    with resources.connection() as conn:
        return catalogue.cards(conn, learning.popular(conn, 2 * ROW))


@st.cache_data(ttl=TTL_S, show_spinner=False)
def newest() -> list[WorkCard]:
    with resources.connection() as conn:
        return catalogue.newest(conn, 2 * ROW)


@st.cache_data(ttl=TTL_S, max_entries=100, show_spinner=False)
def of_subject(subject: str) -> list[WorkCard]:
    with resources.connection() as conn:
        return catalogue.by_subject(conn, subject, 2 * ROW)


@st.cache_data(ttl=TTL_S, show_spinner=False)
def facets() -> Facets:
    with resources.connection() as conn:
        return Facets(
            catalogue.languages(conn),
            catalogue.subject_counts(conn),
            catalogue.formats(conn),
            catalogue.year_span(conn),
        )


@st.cache_data(ttl=TTL_S, show_spinner=False)
def author_counts() -> list[Count]:
    with resources.connection() as conn:
        return catalogue.author_counts(conn)


@st.cache_data(ttl=TTL_S, max_entries=500, show_spinner=False)
def browse(filters: Filters, sort: Sort, limit: int, offset: int) -> list[WorkCard]:
    with resources.connection() as conn:
        return catalogue.browse(conn, filters, sort, limit=limit, offset=offset)


@st.cache_data(ttl=TTL_S, max_entries=500, show_spinner=False)
def count_works(filters: Filters) -> int:
    with resources.connection() as conn:
        return catalogue.count_works(conn, filters)


@st.cache_data(ttl=TTL_S, max_entries=1_000, show_spinner=False)
def record(book_id: int) -> Record | None:
    with resources.connection() as conn:
        work = catalogue.work(conn, book_id)
        if work is None:
            return None
        return Record(
            work,
            catalogue.editions(conn, book_id),
            catalogue.subjects_of(conn, book_id),
            catalogue.authors_of(conn, book_id),
        )


@st.cache_data(ttl=TTL_S, max_entries=1_000, show_spinner=False)
def similar(book_id: int) -> list[WorkCard]:
    with resources.connection() as conn:
        return catalogue.cards(conn, [hit.book_id for hit in search.similar(conn, book_id, 2 * ROW)])


@st.cache_data(ttl=TTL_S, max_entries=1_000, show_spinner=False)
def in_series(book_id: int) -> list[WorkCard]:
    with resources.connection() as conn:
        return catalogue.in_series(conn, book_id, 2 * ROW)


@st.cache_data(ttl=TTL_S, max_entries=20, show_spinner=False)
def chapters(book_id: int) -> list[Chapter] | None:
    """The text of a work's EPUB; None if it has none that can be read."""
    with resources.connection() as conn:
        file = catalogue.file_of(conn, book_id, "EPUB")
    path = file.resolve() if file else None
    if path is None:
        return None
    try:
        return epub_text.read(path) or None
    except epub_text.UnreadableEpubError:
        return None


def latest_slate(reader_key: str) -> Slate | None:
    """The reader's current slate; asked again and again, so never cached."""
    with resources.connection() as conn:
        return stream.latest_slate(conn, reader_key)


def demo_accounts() -> list[Account]:
    with resources.connection() as conn:
        return accounts.demo_accounts(conn)
