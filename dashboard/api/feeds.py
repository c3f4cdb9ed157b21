"""A feed of the catalogue for e-reader apps, before it is written as OPDS 1.2 or 2.0. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from urllib.parse import urlencode

from openshelf.contracts import clean_text
from openshelf.database.publications import Publication

NEW = "http://opds-spec.org/sort/new"
POPULAR = "http://opds-spec.org/sort/popular"
RECOMMENDED = "http://opds-spec.org/recommended"
OPEN_ACCESS = "http://opds-spec.org/acquisition/open-access"
ACQUISITION = "http://opds-spec.org/acquisition"
PER_PAGE = 40


@dataclass(frozen=True)
class Door:
    """A way to another feed. `rel`: what it is to this one; `count`: how many books or doors are behind it."""

    title: str
    path: str
    leads_to: Literal["navigation", "acquisition"]
    rel: str = "subsection"
    text: str = ""
    count: int | None = None


@dataclass(frozen=True)
class Facet:
    """The same books narrowed or in another order. `is_active`: as they are in this feed."""

    group: str
    title: str
    path: str
    is_active: bool = False
    count: int | None = None


@dataclass(frozen=True)
class Pages:
    """Where in all the books a feed stands; `page` from 1 on."""

    page: int
    count: int
    query: dict[str, str] = field(default_factory=dict)

    @property
    def last(self) -> int:
        return max(1, -(-self.count // PER_PAGE))


@dataclass(frozen=True)
class Feed:
    """`path` is below the root of the catalogue, '' for the root itself. It holds doors or publications."""

    path: str
    title: str
    updated: datetime
    doors: Sequence[Door] = ()
    publications: Sequence[Publication] = ()
    pages: Pages | None = None
    facets: Sequence[Facet] = ()

    @property
    def kind(self) -> Literal["navigation", "acquisition"]:
        return "acquisition" if self.pages else "navigation"

    @property
    def address(self) -> str:
        """The path of this very page."""
        return self.of_page(self.pages.page) if self.pages else self.path

    def of_page(self, page: int) -> str:
        assert self.pages
        return path_of(self.path, {**self.pages.query, **({"page": str(page)} if page > 1 else {})})

    def neighbours(self) -> dict[str, str]:
        """rel -> path of the first, last, next and previous page, as far as there are any."""
        if self.pages is None or self.pages.last == 1:
            return {}
        page, last = self.pages.page, self.pages.last
        found = {"first": 1, "last": last}
        if page > 1:
            found["previous"] = min(page - 1, last)
        if page < last:
            found["next"] = page + 1
        return {rel: self.of_page(number) for rel, number in found.items()}


def path_of(path: str, query: dict[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def printable(text: str) -> str:
    """Text that XML can hold."""
    return clean_text(text).translate({0xFFFE: None, 0xFFFF: None})
