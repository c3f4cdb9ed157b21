"""The catalogue for programs: works, one work, subjects."""

from collections.abc import Sequence
from typing import Annotated, Literal
from urllib.parse import urlencode

import msgspec
import psycopg

from dashboard.api.callers import Caller
from dashboard.api.operations import AudienceLimit, BookId, Operation, Text
from dashboard.api.problems import ProblemError
from dashboard.words import address, cover_address
from models import search
from openshelf.database import catalogue
from openshelf.database.api_keys import Scope
from openshelf.database.catalogue import Sort, WorkCard
from openshelf.database.filters import Filters

# So many works are found at most: who wants more narrows the search.
_MAX_FOUND = 200
Year = Annotated[int, msgspec.Meta(ge=-5000, le=3000)]


class Inside(msgspec.Struct, frozen=True):
    """Where in a book the words stand: plain text around them, and the page that opens there."""

    chapter: str
    text: str
    page: str


class WorkSummary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A work in a list. `language`: ISO 639-3; `year`: of first publication, negative before our era.

    `inside`: only where books were searched inside.
    """

    book_id: int
    kind: str
    title: str
    authors: str
    language: str | None
    year: int | None
    cover: str | None
    url: str
    page: str
    inside: Inside | None = None


class Identifier(msgspec.Struct, frozen=True):
    kind: str
    value: str


class Edition(msgspec.Struct, frozen=True, kw_only=True):
    """What the library holds of a work."""

    edition_id: int
    title: str
    languages: list[str]
    year: int | None
    publisher: str | None
    formats: list[str]
    identifiers: list[Identifier]


class Work(WorkSummary, frozen=True, kw_only=True):
    """All that the catalogue says of a work."""

    author_names: list[str]
    subjects: list[str]
    audience: str | None
    summary: str | None
    publisher: str | None
    rating: float | None
    series: str | None
    series_index: float | None
    editions: list[Edition]


class Works(msgspec.Struct, frozen=True, kw_only=True):
    """One page of works. `count`: of all pages; `next`: address of the next one."""

    count: int
    page: int
    per_page: int
    works: list[WorkSummary]
    next: str | None


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    count_works: int
    works: str


class Subjects(msgspec.Struct, frozen=True, kw_only=True):
    """Every subject of at least one work, the largest first. `works`: address of its works."""

    subjects: list[Subject]


class Narrowed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What works must be."""

    subject: Text | None = None
    language: Annotated[str, msgspec.Meta(pattern="^[a-z]{3}$", description="ISO 639-3, as in vie.")] | None = None
    format: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9]{1,20}$", description="EPUB, PDF, ...")] | None = None
    year_from: Year | None = None
    year_to: Year | None = None
    audience: Literal["children", "young adult", "adult"] | None = None
    series: Text | None = None
    author: Text | None = None
    kind: Literal["book", "film"] | None = None
    readable: Annotated[bool, msgspec.Meta(description="Opens in the browser now.")] = False
    aloud: Annotated[bool, msgspec.Meta(description="Can be read aloud or in braille, all of it, as it says.")] = False

    def filters(self) -> Filters:
        """As the catalogue takes them."""
        return Filters(**{name: getattr(self, name) for name in Narrowed.__struct_fields__})


class WorksAsked(Narrowed, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which works, in which order. With `q` the best first, whatever `sort` says."""

    q: Annotated[Text, msgspec.Meta(description="Words to search for.")] | None = None
    mode: Annotated[search.Mode, msgspec.Meta(description="Where `q` is looked for.")] = "all"
    sort: Sort = "title"
    audience_limit: AudienceLimit | None = None
    page: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    per_page: Annotated[int, msgspec.Meta(ge=1, le=100)] = 24


class WorkAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    book_id: BookId
    audience_limit: AudienceLimit | None = None


class SubjectsAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    audience_limit: AudienceLimit | None = None


def summary(card: WorkCard, inside: search.Inside | None = None) -> WorkSummary:
    return WorkSummary(
        book_id=card.book_id,
        kind=card.kind,
        title=card.title,
        authors=card.authors_text,
        language=card.language,
        year=card.year,
        cover=cover_address(card.book_id, card.cover_version),
        url=f"/api/works/{card.book_id}",
        page=f"/book?id={card.book_id}",
        inside=inside
        and Inside(
            inside.chapter,
            inside.text,
            address("read", id=card.book_id, chapter=inside.part, block=inside.block),
        ),
    )


def list_works(conn: psycopg.Connection, caller: Caller, asked: WorksAsked, _body: None) -> Works:
    within = caller.audiences(asked.audience_limit)
    offset = (asked.page - 1) * asked.per_page
    places: dict[int, search.Inside | None] = {}
    if asked.q is None:
        count = catalogue.count_works(conn, asked.filters(), audiences=within)
        cards = catalogue.browse(
            conn, asked.filters(), asked.sort, limit=asked.per_page, offset=offset, audiences=within
        )
    else:
        found = search.search(conn, asked.q, asked.mode, asked.filters(), _MAX_FOUND, audiences=within)
        hits = search.answers(found, asked.mode)
        count = len(hits)
        places = {hit.book_id: hit.inside for hit in hits}
        cards = catalogue.cards(conn, [hit.book_id for hit in hits[offset : offset + asked.per_page]], audiences=within)
    return Works(
        count=count,
        page=asked.page,
        per_page=asked.per_page,
        works=[summary(card, places.get(card.book_id)) for card in cards],
        next=_next(asked) if offset + asked.per_page < count else None,
    )


def _next(asked: WorksAsked) -> str:
    query = msgspec.to_builtins(msgspec.structs.replace(asked, page=asked.page + 1))
    return f"/api/works?{urlencode({name: value for name, value in query.items() if value is not None})}"


def show_work(conn: psycopg.Connection, caller: Caller, asked: WorkAsked, _body: None) -> Work:
    within = caller.audiences(asked.audience_limit)
    found = catalogue.work(conn, asked.book_id, audiences=within)
    if found is None:
        raise ProblemError(404, f"there is no work {asked.book_id}; GET /api/works lists what there is")
    return Work(
        book_id=found.book_id,
        kind=found.kind,
        title=found.title,
        authors=found.authors_text,
        language=found.language,
        year=found.year,
        cover=cover_address(found.book_id, found.cover_version),
        url=f"/api/works/{found.book_id}",
        page=f"/book?id={found.book_id}",
        author_names=catalogue.authors_of(conn, found.book_id),
        subjects=catalogue.subjects_of(conn, found.book_id),
        audience=found.audience,
        summary=found.summary,
        publisher=found.publisher,
        rating=found.rating,
        series=found.series_name,
        series_index=found.series_index,
        editions=[_edition(edition) for edition in catalogue.editions(conn, found.book_id)],
    )


def _edition(edition: catalogue.Edition) -> Edition:
    return Edition(
        edition_id=edition.edition_id,
        title=edition.title,
        languages=edition.languages,
        year=edition.published_year,
        publisher=edition.publisher,
        formats=edition.formats,
        identifiers=[Identifier(*identifier.split(" ", 1)) for identifier in edition.identifiers],
    )


def list_subjects(conn: psycopg.Connection, caller: Caller, asked: SubjectsAsked, _body: None) -> Subjects:
    counts = catalogue.subject_counts(conn, audiences=caller.audiences(asked.audience_limit))
    return Subjects(subjects=_subjects(counts))


def _subjects(counts: Sequence[catalogue.Count]) -> list[Subject]:
    return [
        Subject(name=c.name, count_works=c.count_works, works=f"/api/works?{urlencode({'subject': c.name})}")
        for c in counts
    ]


OPERATIONS = [
    Operation(
        "GET", "/works", "listWorks", "Works of the catalogue, narrowed, sorted or searched.", Works, list_works,
        scope=Scope.READ, asked=WorksAsked,
        description=f"A search finds at most {_MAX_FOUND} works, the answers that the search page shows; where nothing "
        "answers, a few that come nearest in meaning. Withdrawn works are nowhere. Mode `inside` looks into the text "
        "of books and says where; where the library has not turned that on, it finds nothing.",
    ),
    Operation(
        "GET", "/works/{book_id}", "showWork", "One work, with subjects and editions.", Work, show_work,
        scope=Scope.READ, asked=WorkAsked, refuses=(404,),
    ),
    Operation(
        "GET", "/subjects", "listSubjects", "Subjects with the number of their works.", Subjects, list_subjects,
        scope=Scope.READ, asked=SubjectsAsked,
    ),
]  # fmt: skip
