"""OPF package documents, the metadata of EPUB files and of Calibre's folders, into our editions and back. Pure.

Read: OPF 2.0 (`opf:role`, `meta name=`) and EPUB 3 (`meta property=`, `refines`), Dublin Core, Calibre's series,
collections, accessibility. Written: EPUB 3 package metadata that also Calibre reads.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from ingest import clean
from ingest.accessibility import Accessibility, of_package, parse_xml
from ingest.clean import Edition, Rejected
from openshelf import subjects
from openshelf.contracts import utc_now
from openshelf.identifiers import is_isbn
from openshelf.works_composing import Author, author_sort

_OPF = "http://www.idpf.org/2007/opf"
_DC = "http://purl.org/dc/elements/1.1/"
_YEAR = re.compile(rf"{clean.YEAR_BEGINS}(1\d{{3}}|20\d\d){clean.YEAR_ENDS}", re.IGNORECASE)
_NO_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_TOLD = (
    ("modes", "schema:accessMode"),
    ("sufficient_modes", "schema:accessModeSufficient"),
    ("features", "schema:accessibilityFeature"),
    ("hazards", "schema:accessibilityHazard"),
    ("conforms_to", "dcterms:conformsTo"),
)
_AUTHORITIES = {"thema": "thema", "bisac": "bisac", "bisacsh": "bisac", "ddc": "ddc"}

ElementTree.register_namespace("opf", _OPF)
ElementTree.register_namespace("dc", _DC)


def edition_of(raw: bytes, number: int, label: str, source_key: str) -> Edition | Rejected:
    """The edition that a package document describes. `number`, `source_key`: what it is called in its source."""
    root = parse_xml(raw)
    metadata = root.find("{*}metadata") if root is not None else None
    if root is None or metadata is None:
        return Rejected(number, "its package document cannot be read", label)
    said = _Said(metadata)
    title = clean.line(said.main_title())
    if not title:
        return Rejected(number, "it has no title", label)
    languages = tuple(dict.fromkeys(filter(None, map(clean.language, said.texts("language")))))
    language = languages[0] if languages else None
    codes = [(_AUTHORITIES[scheme.lower()], clean.line(code)) for scheme, code in said.subject_codes()]
    bare = {f"{scheme}:{code}" for scheme, code in codes}  # as `package_of` writes a code that has no name
    named = tuple(dict.fromkeys(text for text in map(clean.line, said.texts("subject")) if text and text not in bare))
    series, index = said.series()
    return Edition(
        calibre_id=number,
        calibre_uuid=None,
        title=title,
        title_sort=clean.line(said.title_sort()) or clean.title_sort(title, language),
        authors=_authors(said, language),
        languages=languages,
        published_on=_day(said.date()),
        publisher=clean.line(next(iter(said.texts("publisher")), "")) or None,
        series_name=series,
        series_index=index,
        rating=None,
        summary=clean.summary("\n\n".join(said.texts("description"))),
        subjects=named,
        folder="",
        cover_path=None,
        files=(),
        identifiers=clean.identifiers(said.identifiers()),
        added_at=None,
        modified_at=clean.instant(said.property("dcterms:modified")) or _NO_TIME,
        original_title=None,
        classifications=tuple(sorted({*subjects.codes(named), *((scheme, code) for scheme, code in codes if code)})),
        accessibility=of_package(root),
        source_key=source_key,
    )


class _Said:
    """What a metadata element says, whatever the version."""

    def __init__(self, metadata: Element) -> None:
        self._elements: defaultdict[str, list[Element]] = defaultdict(list)
        self._refined: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self._properties: dict[str, str] = {}
        self._names: dict[str, str] = {}
        for element in metadata.iter():
            local = element.tag.rpartition("}")[2]
            if local != "meta":
                self._elements[local].append(element)
            elif name := element.get("property"):
                if refined := (element.get("refines") or "").removeprefix("#"):
                    self._refined[refined].setdefault(name, _text(element))
                else:
                    self._properties.setdefault(name, _text(element))
                    if element.get("id"):
                        self._elements[name].append(element)
            elif name := element.get("name"):
                self._names.setdefault(name, element.get("content") or "")

    def texts(self, name: str) -> list[str]:
        return [text for element in self._elements[name] if (text := _text(element))]

    def property(self, name: str) -> str:
        return self._properties.get(name, "")

    def _of(self, element: Element) -> dict[str, str]:
        return self._refined.get(element.get("id") or "", {})

    def main_title(self) -> str:
        titles = [element for element in self._elements["title"] if _text(element)]
        main = (element for element in titles if self._of(element).get("title-type") == "main")
        return _text(next(main, titles[0])) if titles else ""

    def date(self) -> str:
        """When it was published; of an EPUB 2 that tells of several days which."""
        dates = [element for element in self._elements["date"] if _text(element)]
        events = [(element.get(f"{{{_OPF}}}event") or "").lower() for element in dates]
        for event in ("original-publication", "publication", ""):
            if event in events:
                return _text(dates[events.index(event)])
        return ""

    def title_sort(self) -> str:
        sorts = (self._of(element).get("file-as", "") for element in self._elements["title"])
        return next(filter(None, sorts), self._names.get("calibre:title_sort", ""))

    def creators(self) -> Iterator[tuple[str, str, str]]:
        """Name, name to file under, role (MARC relator, '' where none is told)."""
        for element in self._elements["creator"]:
            refined = self._of(element)
            sort = refined.get("file-as") or element.get(f"{{{_OPF}}}file-as") or ""
            yield _text(element), sort, refined.get("role") or element.get(f"{{{_OPF}}}role") or ""

    def identifiers(self) -> Iterator[tuple[str, str]]:
        for element in self._elements["identifier"]:
            value, kind = _text(element), element.get(f"{{{_OPF}}}scheme") or ""
            if value.lower().startswith("urn:"):
                _, kind, value = [*value.split(":", 2), "", ""][:3]
            elif not kind and (checked := clean.isbn(value)):
                kind, value = "isbn", checked
            # A UUID tells the file, not the edition.
            if value and kind.lower() not in {"", "uuid", "calibre"}:
                yield kind, value

    def subject_codes(self) -> Iterator[tuple[str, str]]:
        for element in self._elements["subject"]:
            refined = self._of(element)
            if refined.get("term") and refined.get("authority", "").lower() in _AUTHORITIES:
                yield refined["authority"], refined["term"]

    def series(self) -> tuple[str | None, float | None]:
        name, index = self._names.get("calibre:series", ""), self._names.get("calibre:series_index", "")
        for element in self._elements["belongs-to-collection"]:
            refined = self._of(element)
            if not name and refined.get("collection-type", "series") == "series":
                name, index = _text(element), refined.get("group-position", "")
        name = clean.line(name)
        try:
            number = float(index)
        except ValueError:
            return name or None, None
        return name or None, number if name and abs(number) < 1e6 else None


def _text(element: Element) -> str:
    return "".join(element.itertext()).strip()


def _authors(said: _Said, language: str | None) -> tuple[Author, ...]:
    found: dict[str, Author] = {}
    for written, sort, role in said.creators():
        name = clean.line(written)
        if name and role in {"", "aut"}:
            found.setdefault(name, Author(name, clean.line(sort) or author_sort(name, language)))
    return tuple(found.values())


def _day(text: str) -> date | None:
    if "T" in text and (day := clean.published(text)):  # as Calibre writes: midnight somewhere, in UTC
        return day
    for form in (text[:10], f"{text[:7]}-01", f"{text}-01-01"):
        try:
            day = date.fromisoformat(form)
        except ValueError:
            continue
        return day if day.year > 101 else None  # Calibre's 'undefined' is 0101-01-01
    # 'c1987', 'May 1987', '01.05.1987': the year is sure.
    year = next((int(year) for year in _YEAR.findall(text) if int(year) <= utc_now().year + 2), None)
    return date(year, 1, 1) if year else None


def package_of(edition: Edition, identifier: str) -> bytes:
    """An EPUB 3 package document: the metadata of an edition, an empty manifest. `identifier`: what to call it."""
    root = Element(f"{{{_OPF}}}package", {"version": "3.0", "unique-identifier": "id"})
    metadata = SubElement(root, f"{{{_OPF}}}metadata")
    _dc(metadata, "identifier", identifier, id="id")
    for kind, value in edition.identifiers:
        _dc(metadata, "identifier", f"urn:{'isbn' if is_isbn(kind) else kind}:{value}")
    _dc(metadata, "title", edition.title, id="title")
    _meta(metadata, "file-as", edition.title_sort, refines="title")
    for place, author in enumerate(edition.authors):
        _dc(metadata, "creator", author.name, id=f"author{place}")
        _meta(metadata, "role", "aut", refines=f"author{place}")
        _meta(metadata, "file-as", author.sort, refines=f"author{place}")
    for code in edition.languages or ("und",):
        _dc(metadata, "language", code)
    for name, value in (("publisher", edition.publisher), ("description", edition.summary)):
        if value:
            _dc(metadata, name, value)
    if edition.published_on:
        _dc(metadata, "date", edition.published_on.isoformat())
    for subject in edition.subjects:
        _dc(metadata, "subject", subject)
    _write_codes(metadata, edition)
    if edition.series_name:
        _meta(metadata, "belongs-to-collection", edition.series_name, id="series")
        _meta(metadata, "collection-type", "series", refines="series")
        if edition.series_index is not None:
            _meta(metadata, "group-position", repr(edition.series_index).removesuffix(".0"), refines="series")
    _write_accessibility(metadata, edition.accessibility or Accessibility())
    _meta(metadata, "dcterms:modified", f"{edition.modified_at:%Y-%m-%dT%H:%M:%SZ}")
    SubElement(root, f"{{{_OPF}}}manifest")
    SubElement(root, f"{{{_OPF}}}spine")
    return ElementTree.tostring(root, "utf-8", xml_declaration=True)


def _write_codes(metadata: Element, edition: Edition) -> None:
    """Codes as subjects with their authority, where the code does not stand among the subjects as it is."""
    for place, (scheme, code) in enumerate(sorted({*edition.classifications} - {*subjects.codes(edition.subjects)})):
        _dc(metadata, "subject", f"{scheme}:{code}", id=f"code{place}")
        _meta(metadata, "authority", scheme, refines=f"code{place}")
        _meta(metadata, "term", code, refines=f"code{place}")


def _write_accessibility(metadata: Element, told: Accessibility) -> None:
    for name, term in _TOLD:
        for value in getattr(told, name):
            _meta(metadata, term, value)
    for term, value in (("a11y:certifiedBy", told.certified_by), ("schema:accessibilitySummary", told.summary)):
        if value:
            _meta(metadata, term, value)


def _dc(parent: Element, name: str, text: str, **attributes: str) -> None:
    SubElement(parent, f"{{{_DC}}}{name}", attributes).text = text


def _meta(parent: Element, name: str, text: str, *, refines: str = "", **attributes: str) -> None:
    about = {"refines": f"#{refines}"} if refines else {}
    SubElement(parent, f"{{{_OPF}}}meta", {"property": name, **about, **attributes}).text = text
