"""What pages read. Only what is the same for everybody is cached; a reader's own rows never are.

Who may see less asks for less: each read of the catalogue is bound to the audiences of who is here, and what is cached
is cached for each of them apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st

from dashboard import language, resources, state
from models import mending, search
from models.search import Hit, Mode
from openshelf.contracts import Slate
from openshelf.database import accounts, appeal, catalogue, hand, stream
from openshelf.database import search as statements
from openshelf.database.accounts import Account
from openshelf.database.appeal import Appeal
from openshelf.database.catalogue import Count, Edition, Sort, Work, WorkCard, YearSpan
from openshelf.database.filters import Filters
from openshelf.database.hand import CuratedRow

TTL_S = 60
# What costs a look at the whole catalogue, and is looked up anew as soon as the catalogue changes.
LONG_TTL_S = 3_600
# What readers do of late moves slowly.
POPULAR_TTL_S = 300
VERSION_TTL_S = 5
# What staff take out of the recommendations is out of them so soon.
EXCLUDED_TTL_S = 1
ROW = 14

Within = tuple[str, ...] | None
Version = tuple[int, frozenset[int]]


@dataclass(frozen=True)
class Record:
    """Everything of a work that its page shows."""

    work: Work
    editions: list[Edition]
    subjects: list[str]
    authors: list[str]
    appeal: Appeal = field(default_factory=Appeal)


@dataclass(frozen=True)
class Facets:
    languages: list[Count]
    subjects: list[Count]
    formats: list[Count]
    kinds: list[Count]
    years: YearSpan


def within() -> Within:
    """The audiences that who is here may see; None: every one."""
    limit = state.shown_visitor().audiences
    return None if limit is None else tuple(limit)


@st.cache_data(ttl=VERSION_TTL_S, show_spinner=False)
def catalogue_version() -> int:
    with resources.connection() as conn:
        return catalogue.version(conn)


@st.cache_data(ttl=EXCLUDED_TTL_S, show_spinner=False)
def excluded() -> frozenset[int]:
    """Works that staff took out of what is recommended."""
    with resources.connection() as conn:
        return hand.excluded(conn)


def shelves_version() -> Version:
    """What the rows of recommended books depend on: they are read anew when it changes."""
    return catalogue_version(), excluded()


def cards(book_ids: tuple[int, ...]) -> list[WorkCard]:
    return _cards(book_ids, within())


@st.cache_data(ttl=TTL_S, max_entries=2_000, show_spinner=False)
def _cards(book_ids: tuple[int, ...], within: Within) -> list[WorkCard]:
    with resources.connection() as conn:
        return catalogue.cards(conn, book_ids, audiences=within)


def popular(code: str | None = None) -> list[WorkCard]:
    """What readers met most of late, in one language (ISO 639-3) or any; the best rated while nobody has acted yet."""
    return _popular(code, shelves_version(), within())


@st.cache_data(ttl=POPULAR_TTL_S, max_entries=40, show_spinner=False)
def _popular(code: str | None, version: Version, within: Within) -> list[WorkCard]:
    with resources.connection() as conn:
        return catalogue.popular(conn, 2 * ROW, filters=Filters(language=code), audiences=within)


def own_language() -> str | None:
    """The language of the page, as the catalogue writes it, where most works are in another one and some in this."""
    spoken = [count.name for count in facets().languages]
    own = next((code for code in spoken if language.is_current(code)), None)
    return own if own not in spoken[:1] else None


def newest() -> list[WorkCard]:
    return _newest(shelves_version(), within())


@st.cache_data(ttl=LONG_TTL_S, max_entries=10, show_spinner=False)
def _newest(version: Version, within: Within) -> list[WorkCard]:
    with resources.connection() as conn:
        return catalogue.newest(conn, 2 * ROW, audiences=within)


def of_subject(subject: str) -> list[WorkCard]:
    return _of_subject(subject, shelves_version(), within())


@st.cache_data(ttl=LONG_TTL_S, max_entries=200, show_spinner=False)
def _of_subject(subject: str, version: Version, within: Within) -> list[WorkCard]:
    with resources.connection() as conn:
        return catalogue.by_subject(conn, subject, 2 * ROW, audiences=within)


def subjects_beside(subject: str) -> list[Count]:
    return _subjects_beside(subject, catalogue_version(), within())


@st.cache_data(ttl=LONG_TTL_S, max_entries=200, show_spinner=False)
def _subjects_beside(subject: str, version: int, within: Within) -> list[Count]:
    with resources.connection() as conn:
        return catalogue.subjects_beside(conn, subject, 12, audiences=within)


def facets() -> Facets:
    return _facets(catalogue_version(), within())


@st.cache_data(ttl=LONG_TTL_S, max_entries=10, show_spinner=False)
def _facets(version: int, within: Within) -> Facets:
    with resources.connection() as conn:
        return Facets(
            catalogue.languages(conn, audiences=within),
            catalogue.subject_counts(conn, audiences=within),
            catalogue.formats(conn, audiences=within),
            catalogue.kinds(conn, audiences=within),
            catalogue.year_span(conn, audiences=within),
        )


def author_counts() -> list[Count]:
    return _author_counts(catalogue_version(), within())


@st.cache_data(ttl=LONG_TTL_S, max_entries=10, show_spinner=False)
def _author_counts(version: int, within: Within) -> list[Count]:
    with resources.connection() as conn:
        return catalogue.author_counts(conn, audiences=within)


def series_counts() -> list[Count]:
    return _series_counts(catalogue_version(), within())


@st.cache_data(ttl=LONG_TTL_S, max_entries=10, show_spinner=False)
def _series_counts(version: int, within: Within) -> list[Count]:
    with resources.connection() as conn:
        return catalogue.series_counts(conn, audiences=within)


def browse(filters: Filters, sort: Sort, limit: int, offset: int) -> list[WorkCard]:
    return _browse(filters, sort, limit, offset, catalogue_version(), within())


@st.cache_data(ttl=POPULAR_TTL_S, max_entries=500, show_spinner=False)
def _browse(filters: Filters, sort: Sort, limit: int, offset: int, version: int, within: Within) -> list[WorkCard]:
    with resources.connection() as conn:
        return catalogue.browse(conn, filters, sort, limit=limit, offset=offset, audiences=within)


def count_works(filters: Filters) -> int:
    return _count_works(filters, catalogue_version(), within())


@st.cache_data(ttl=LONG_TTL_S, max_entries=1_000, show_spinner=False)
def _count_works(filters: Filters, version: int, within: Within) -> int:
    with resources.connection() as conn:
        return catalogue.count_works(conn, filters, audiences=within)


def record(book_id: int) -> Record | None:
    return _record(book_id, within())


@st.cache_data(ttl=TTL_S, max_entries=1_000, show_spinner=False)
def _record(book_id: int, within: Within) -> Record | None:
    with resources.connection() as conn:
        work = catalogue.work(conn, book_id, audiences=within)
        if work is None:
            return None
        return Record(
            work,
            catalogue.editions(conn, work.book_id),
            catalogue.subjects_of(conn, work.book_id),
            catalogue.authors_of(conn, work.book_id),
            appeal.of_work(conn, work.book_id),
        )


def similar(book_id: int) -> list[WorkCard]:
    """Works near a work in meaning."""
    return _similar(book_id, shelves_version(), within())


@st.cache_data(ttl=LONG_TTL_S, max_entries=2_000, show_spinner=False)
def _similar(book_id: int, version: Version, within: Within) -> list[WorkCard]:
    with resources.connection() as conn:
        hits = search.similar(conn, book_id, 2 * ROW, audiences=within)
        return catalogue.cards(conn, [hit.book_id for hit in hits], audiences=within)


def read_beside(book_id: int) -> list[WorkCard]:
    """What readers who took to a work took to as well; empty where too few did."""
    return _read_beside(book_id, shelves_version(), within())


@st.cache_data(ttl=POPULAR_TTL_S, max_entries=2_000, show_spinner=False)
def _read_beside(book_id: int, version: Version, within: Within) -> list[WorkCard]:
    with resources.connection() as conn:
        return catalogue.read_beside(conn, book_id, 2 * ROW, audiences=within)


def in_series(book_id: int) -> list[WorkCard]:
    return _in_series(book_id, catalogue_version(), within())


@st.cache_data(ttl=LONG_TTL_S, max_entries=1_000, show_spinner=False)
def _in_series(book_id: int, version: int, within: Within) -> list[WorkCard]:
    with resources.connection() as conn:
        return catalogue.in_series(conn, book_id, 2 * ROW, audiences=within)


def next_in_series(read: Sequence[int]) -> list[WorkCard]:
    """What comes after the works read, the latest first. A reader's own, so never cached."""
    if not read:
        return []
    with resources.connection() as conn:
        return catalogue.next_in_series(conn, read, ROW, audiences=within())


def find(text: str, mode: Mode, filters: Filters, limit: int) -> list[Hit]:
    """Works for a query, the best first."""
    with resources.connection() as conn:
        return search.search(conn, text, mode, filters, limit, audiences=within())


def did_you_mean(text: str) -> str | None:
    with resources.connection() as conn:
        return mending.did_you_mean(conn, text)


def summaries(book_ids: Sequence[int]) -> dict[int, str]:
    with resources.connection() as conn:
        records = statements.records(conn, list(book_ids), audiences=within())
    return {record.book_id: record.summary for record in records if record.summary}


def latest_slate(reader_key: str) -> Slate | None:
    """The reader's current slate; asked again and again, so never cached."""
    with resources.connection() as conn:
        return stream.latest_slate(conn, reader_key)


def curated() -> list[CuratedRow]:
    """Rows of books that staff chose for now."""
    with resources.connection() as conn:
        return hand.curated(conn)


def demo_accounts() -> list[Account]:
    with resources.connection() as conn:
        return accounts.demo_accounts(conn)
