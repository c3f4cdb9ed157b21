"""A work as linked data: schema.org's Book (or Movie) in JSON-LD, with its editions, translations and accessibility.

Vocabulary: https://schema.org/Book and https://schema.org/accessMode. Addresses are relative to the answer's own.
"""

from typing import Any

import msgspec
import psycopg
from msgspec import UNSET, UnsetType, field

from dashboard.api.callers import Caller
from dashboard.api.operations import Operation
from dashboard.api.problems import ProblemError
from dashboard.api.works import WorkAsked
from dashboard.words import cover_address, language_tag
from openshelf.database import catalogue, ingestion, works
from openshelf.database.api_keys import Scope
from openshelf.database.ingestion import WholeEdition
from openshelf.identifiers import is_isbn

MEDIA_TYPE = "application/ld+json"
# schema.org has no word for the standards that a file keeps to; Dublin Core has.
CONTEXT: list[str | dict[str, str]] = ["https://schema.org", {"dcterms": "http://purl.org/dc/terms/"}]
_TERMS = {
    "thema": "https://ns.editeur.org/thema",
    "bisac": "https://www.bisg.org/complete-bisac-subject-headings-list",
    "ddc": "https://www.oclc.org/dewey",
}


class Thing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something with a name: an author, publisher, series, or a term of a subject scheme."""

    type: str = field(name="@type")
    id: str | UnsetType = field(name="@id", default=UNSET)
    name: str | UnsetType = UNSET
    in_language: str | UnsetType = field(name="inLanguage", default=UNSET)
    term_code: str | UnsetType = field(name="termCode", default=UNSET)
    in_defined_term_set: str | UnsetType = field(name="inDefinedTermSet", default=UNSET)


class EditionData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """An edition that the library holds. What its EPUB says of its accessibility is repeated as it says it."""

    type: str = field(name="@type")
    name: str
    book_format: str | UnsetType = UNSET
    in_language: list[str] = []
    date_published: str | UnsetType = UNSET
    publisher: Thing | UnsetType = UNSET
    isbn: str | list[str] | UnsetType = UNSET
    same_as: list[str] = []
    access_mode: list[str] = []
    access_mode_sufficient: list[str] = []
    accessibility_feature: list[str] = []
    accessibility_hazard: list[str] = []
    accessibility_summary: str | UnsetType = UNSET
    conforms_to: list[str] = field(name="dcterms:conformsTo", default=[])


class WorkData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A work in JSON-LD. What is not known is left out."""

    context: list[str | dict[str, str]] = field(name="@context")
    type: str = field(name="@type")
    id: str = field(name="@id")
    url: str
    name: str
    author: list[Thing] = []
    director: list[Thing] = []
    in_language: str | UnsetType = UNSET
    date_published: str | UnsetType = UNSET
    publisher: Thing | UnsetType = UNSET
    abstract: str | UnsetType = UNSET
    image: str | UnsetType = UNSET
    genre: list[str] = []
    about: list[Thing] = []
    is_part_of: Thing | UnsetType = UNSET
    position: int | str | UnsetType = UNSET
    work_example: list[EditionData] = []
    work_translation: list[Thing] = []


def show_linked_data(conn: psycopg.Connection, caller: Caller, asked: WorkAsked, _body: None) -> WorkData:
    within = caller.audiences(asked.audience_limit)
    work = catalogue.work(conn, asked.book_id, audiences=within)
    if work is None:
        raise ProblemError(404, f"there is no work {asked.book_id}; GET /api/works lists what there is")
    held = list(ingestion.whole_editions(conn, [work.book_id], work.kind))
    digital = ingestion.with_files(conn, [edition.edition_id for edition in held])
    beside = [linked.book_id for linked in works.linked(conn, work.book_id)]
    is_film = work.kind == "film"
    makers = [Thing(type="Person", name=name) for name in catalogue.authors_of(conn, work.book_id)]
    codes = dict.fromkeys(pair for edition in held for pair in zip(edition.schemes, edition.codes, strict=True))
    return WorkData(
        context=CONTEXT,
        type="Movie" if is_film else "Book",
        id=f"/book?id={work.book_id}",
        url=f"/book?id={work.book_id}",
        name=work.title,
        author=[] if is_film else makers,
        director=makers if is_film else [],  # whom a data set of films names
        in_language=language_tag(work.language) or UNSET,
        date_published=_known(f"{work.year:04d}" if work.year else None),
        publisher=_organisation(work.publisher),
        abstract=_known(work.summary),
        image=_known(cover_address(work.book_id, work.cover_version)),
        genre=catalogue.subjects_of(conn, work.book_id),
        about=[
            Thing(type="DefinedTerm", term_code=code, in_defined_term_set=_TERMS[scheme])
            for scheme, code in codes
            if scheme in _TERMS
        ],
        is_part_of=(
            Thing(type="MovieSeries" if is_film else "BookSeries", name=work.series_name) if work.series_name else UNSET
        ),
        position=_position(work.series_index) if work.series_name and work.series_index is not None else UNSET,
        work_example=[_edition(edition, is_film=is_film, is_digital=edition.edition_id in digital) for edition in held],
        work_translation=[
            Thing(
                type="Movie" if is_film else "Book",
                id=f"/book?id={card.book_id}",
                name=card.title,
                in_language=language_tag(card.language) or UNSET,
            )
            for card in catalogue.cards(conn, beside, audiences=within)
        ],
    )


def _known(value: str | None) -> str | UnsetType:
    return value or UNSET


def _organisation(name: str | None) -> Thing | UnsetType:
    return Thing(type="Organization", name=name) if name else UNSET


def _position(place: float) -> int | str:
    """schema.org's position is a whole number or words."""
    return int(place) if place.is_integer() else f"{place:g}"


def _edition(edition: WholeEdition, *, is_film: bool, is_digital: bool) -> EditionData:
    identifiers = dict(zip(edition.identifier_kinds, edition.identifier_values, strict=True))
    isbns = [value for kind, value in identifiers.items() if is_isbn(kind)]
    told: dict[str, Any] = edition.accessibility or {}
    return EditionData(
        type="Movie" if is_film else "Book",
        name=edition.title,
        book_format="https://schema.org/EBook" if is_digital and not is_film else UNSET,
        in_language=[tag for tag in map(language_tag, edition.languages) if tag],
        date_published=edition.published_on.isoformat() if edition.published_on else UNSET,
        publisher=_organisation(edition.publisher),
        isbn=isbns[0] if len(isbns) == 1 else isbns or UNSET,
        same_as=[
            f"https://openlibrary.org/{kind}/{identifiers[name]}"
            for name, kind in (("openlibrary", "books"), ("openlibrary-work", "works"))
            if name in identifiers
        ],
        access_mode=told.get("modes", []),
        access_mode_sufficient=told.get("sufficient_modes", []),
        accessibility_feature=told.get("features", []),
        accessibility_hazard=told.get("hazards", []),
        accessibility_summary=_known(told.get("summary")),
        conforms_to=told.get("conforms_to", []),
    )


OPERATIONS = [
    Operation(
        "GET", "/works/{book_id}/linked-data", "showLinkedData", "One work as schema.org's Book in JSON-LD.", WorkData,
        show_linked_data, scope=Scope.READ, asked=WorkAsked, refuses=(404,), media_type=MEDIA_TYPE,
        description="With its editions, what their files say of accessibility, codes of subject schemes, translations.",
    ),
]  # fmt: skip
