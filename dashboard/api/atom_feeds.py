"""OPDS 1.2: Atom, with the link relations and media types of https://specs.opds.io/opds-1.2. Pure."""

from uuid import UUID, uuid5
from xml.etree import ElementTree as ET

from dashboard.api.feeds import ACQUISITION, NEW, OPEN_ACCESS, PER_PAGE, POPULAR, Facet, Feed, printable
from dashboard.files import MEDIA_TYPES
from dashboard.language import _
from dashboard.safe import plain_paragraphs
from dashboard.words import cover_address, language_tag
from openshelf.database.publications import Publication
from openshelf.identifiers import is_isbn

ROOT = "/opds"
ENTRY = "application/atom+xml;type=entry;profile=opds-catalog"
SEARCH = "application/opensearchdescription+xml"
_ATOM = "http://www.w3.org/2005/Atom"
_DC = "http://purl.org/dc/terms/"
_OPDS = "http://opds-spec.org/2010/catalog"
_THREAD = "http://purl.org/syndication/thread/1.0"
_OPENSEARCH = "http://a9.com/-/spec/opensearch/1.1/"
# Atom without a prefix, since some apps look for plain names.
for _prefix, _uri in {"": _ATOM, "dc": _DC, "opds": _OPDS, "thr": _THREAD, "opensearch": _OPENSEARCH}.items():
    ET.register_namespace(_prefix, _uri)
_SHORT = 400
# By these an entry leads on in every app; KOReader for one passes over an entry that has only another.
_FOLLOWED = ("subsection", NEW, POPULAR)


def kind_of(kind: str) -> str:
    return f"application/atom+xml;profile=opds-catalog;kind={kind}"


def write(feed: Feed, namespace: UUID, *, is_open: bool) -> bytes:
    """`namespace`: of this library, for ids that no other has; `is_open`: files can be had without signing in."""
    root = ET.Element(f"{{{_ATOM}}}feed")
    _text(root, "id", _id(namespace, feed.address))
    _text(root, "title", feed.title)
    _text(root, "updated", feed.updated.isoformat())
    author = ET.SubElement(root, f"{{{_ATOM}}}author")
    _text(author, "name", "Openshelf")
    _text(root, "icon", "/assets/mark.svg")
    _link(root, "self", ROOT + feed.address, kind_of(feed.kind))
    _link(root, "start", ROOT, kind_of("navigation"))
    _link(root, "search", f"{ROOT}/search.xml", SEARCH)
    if feed.path:
        _link(root, "up", ROOT, kind_of("navigation"))
    else:
        _link(root, "alternate", f"{ROOT}/v2", "application/opds+json")
    for rel, path in feed.neighbours().items():
        _link(root, rel, ROOT + path, kind_of("acquisition"))
    for door in feed.doors:
        if door.rel not in _FOLLOWED:
            _link(root, door.rel, ROOT + door.path, kind_of(door.leads_to))
    for facet in feed.facets:
        _facet(root, facet)
    if feed.pages:
        _text(root, "totalResults", str(feed.pages.count), _OPENSEARCH)
        _text(root, "itemsPerPage", str(PER_PAGE), _OPENSEARCH)
        _text(root, "startIndex", str((feed.pages.page - 1) * PER_PAGE + 1), _OPENSEARCH)
    for door in feed.doors:
        entry = ET.SubElement(root, f"{{{_ATOM}}}entry")
        _text(entry, "title", door.title)
        _text(entry, "id", _id(namespace, f"door {door.path}"))
        _text(entry, "updated", feed.updated.isoformat())
        _text(entry, "content", door.text or door.title, type="text")
        rel = door.rel if door.rel in _FOLLOWED else "subsection"
        link = _link(entry, rel, ROOT + door.path, kind_of(door.leads_to))
        if door.count is not None:
            link.set(f"{{{_THREAD}}}count", str(door.count))
    for publication in feed.publications:
        root.append(_entry(publication, namespace, is_open=is_open, is_whole=False))
    return _bytes(root)


def write_entry(publication: Publication, namespace: UUID, *, is_open: bool) -> bytes:
    """The complete entry of one book."""
    return _bytes(_entry(publication, namespace, is_open=is_open, is_whole=True))


def write_search() -> bytes:
    """How to search: the OpenSearch description.

    In plain names, and with nothing to fill in but the words: there are apps that know neither namespaces nor
    optional parameters. Further pages are found by the link `next`.
    """
    root = ET.Element("OpenSearchDescription", xmlns=_OPENSEARCH)
    for name, text in (("ShortName", "Openshelf"), ("Description", _("Search the library"))):
        ET.SubElement(root, name).text = text
    ET.SubElement(root, "Url", type=kind_of("acquisition"), template=f"{ROOT}/search?query={{searchTerms}}")
    for name in ("InputEncoding", "OutputEncoding"):
        ET.SubElement(root, name).text = "UTF-8"
    return _bytes(root)


def _entry(book: Publication, namespace: UUID, *, is_open: bool, is_whole: bool) -> ET.Element:
    entry = ET.Element(f"{{{_ATOM}}}entry")
    _text(entry, "title", book.title)
    _text(entry, "id", _id(namespace, f"/works/{book.book_id}"))
    _text(entry, "updated", book.updated_at.isoformat())
    _text(entry, "published", book.added_at.isoformat())
    for name in book.authors:
        _text(ET.SubElement(entry, f"{{{_ATOM}}}author"), "name", name)
    if tag := language_tag(book.language):
        _text(entry, "language", tag, _DC)
    if book.publisher:
        _text(entry, "publisher", book.publisher, _DC)
    if book.year is not None and book.year > 0:
        _text(entry, "issued", f"{book.year:04d}", _DC)
    for identifier in book.identifiers:
        _text(entry, "identifier", _urn(identifier), _DC)
    for subject in book.subjects:
        ET.SubElement(entry, f"{{{_ATOM}}}category", term=printable(subject), label=printable(subject))
    if paragraphs := plain_paragraphs(book.summary):
        if is_whole:
            _text(entry, "content", "\n\n".join(paragraphs), type="text")
        else:
            _text(entry, "summary", shortened(" ".join(paragraphs)), type="text")
    _entry_links(entry, book, is_open=is_open, is_whole=is_whole)
    return entry


def _entry_links(entry: ET.Element, book: Publication, *, is_open: bool, is_whole: bool) -> None:
    own = f"{ROOT}/works/{book.book_id}"
    _link(entry, "self" if is_whole else "alternate", own, ENTRY)
    _link(entry, "alternate", f"/book?id={book.book_id}", "text/html")
    if cover := cover_address(book.book_id, book.cover_version):
        _link(entry, "http://opds-spec.org/image", f"{cover}&w=640", "image/jpeg")
        _link(entry, "http://opds-spec.org/image/thumbnail", f"{cover}&w=176", "image/jpeg")
    for name in book.formats:
        link = _link(
            entry,
            OPEN_ACCESS if is_open else ACQUISITION,
            f"/files/{book.book_id}.{name.lower()}",
            MEDIA_TYPES.get(name, "application/octet-stream"),
        )
        link.set("title", name)


def _facet(parent: ET.Element, facet: Facet) -> None:
    link = _link(parent, "http://opds-spec.org/facet", ROOT + facet.path, kind_of("acquisition"))
    link.set("title", printable(facet.title))
    link.set(f"{{{_OPDS}}}facetGroup", facet.group)
    if facet.is_active:
        link.set(f"{{{_OPDS}}}activeFacet", "true")
    if facet.count is not None:
        link.set(f"{{{_THREAD}}}count", str(facet.count))


def shortened(text: str) -> str:
    """The beginning, at the end of a word."""
    return text if len(text) <= _SHORT else text[:_SHORT].rsplit(" ", 1)[0] + " …"


def _urn(identifier: str) -> str:
    kind, _sep, value = identifier.partition(" ")
    if is_isbn(kind.lower()):
        return f"urn:isbn:{value}"
    return f"urn:uuid:{value}" if kind.lower() == "uuid" else f"{kind}:{value}"


def _id(namespace: UUID, path: str) -> str:
    return uuid5(namespace, path).urn


def _link(parent: ET.Element, rel: str, href: str, kind: str) -> ET.Element:
    return ET.SubElement(parent, f"{{{_ATOM}}}link", rel=rel, href=href, type=kind)


def _text(parent: ET.Element, name: str, text: str, namespace: str = _ATOM, **attributes: str) -> None:
    ET.SubElement(parent, f"{{{namespace}}}{name}", attributes).text = printable(text)


def _bytes(root: ET.Element) -> bytes:
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)
