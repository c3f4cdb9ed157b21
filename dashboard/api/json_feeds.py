"""OPDS 2.0: JSON, as https://drafts.opds.io/opds-2.0 and its schemas say. Pure."""

import json
from itertools import groupby
from typing import Any
from uuid import UUID, uuid5

from dashboard.api.atom_feeds import shortened
from dashboard.api.feeds import ACQUISITION, OPEN_ACCESS, PER_PAGE, Facet, Feed, path_of, printable
from dashboard.files import MEDIA_TYPES
from dashboard.language import _
from dashboard.safe import plain_paragraphs
from dashboard.words import cover_address, language_tag
from openshelf.database.publications import Publication

ROOT = "/opds/v2"
FEED = "application/opds+json"
PUBLICATION = "application/opds-publication+json"
AUTHENTICATION = "application/opds-authentication+json"


def write(feed: Feed, namespace: UUID, *, is_open: bool) -> bytes:
    """`namespace`: of this library, for ids that no other has; `is_open`: files can be had without signing in."""
    metadata: dict[str, Any] = {"title": printable(feed.title), "modified": feed.updated.isoformat()}
    if feed.pages:
        metadata |= {
            "numberOfItems": feed.pages.count,
            "itemsPerPage": PER_PAGE,
            "currentPage": feed.pages.page,
        }
    links = [
        _link("self", feed.address),
        _link("start", ""),
        {**_link("search", "/search{?query}"), "templated": True},
        {"rel": "http://opds-spec.org/auth/document", "href": f"{ROOT}/authentication", "type": AUTHENTICATION},
    ]
    if not feed.path:
        links.append({"rel": "alternate", "href": "/opds", "type": "application/atom+xml;profile=opds-catalog"})
    links += [_link(rel, path) for rel, path in feed.neighbours().items()]
    written: dict[str, Any] = {"metadata": metadata, "links": links}
    if feed.publications:
        written["publications"] = [publication(book, namespace, is_open=is_open) for book in feed.publications]
    else:  # a feed without books must lead on
        written["navigation"] = [
            {
                **_link(door.rel, door.path),
                "title": printable(door.title),
                **({"properties": {"numberOfItems": door.count}} if door.count is not None else {}),
            }
            for door in feed.doors
        ] or [{**_link("start", ""), "title": _("Back to the library")}]
    if feed.facets:
        written["facets"] = [
            {"metadata": {"title": group}, "links": [_facet(facet) for facet in facets]}
            for group, facets in groupby(feed.facets, key=lambda facet: facet.group)
        ]
    return _bytes(written)


def write_publication(book: Publication, namespace: UUID, *, is_open: bool) -> bytes:
    return _bytes(publication(book, namespace, is_open=is_open, is_whole=True))


def write_authentication() -> bytes:
    """How an app signs a reader in (Authentication for OPDS 1.0)."""
    document = {
        "id": f"{ROOT}/authentication",
        "title": "Openshelf",
        "description": _("Sign in with your account of this library."),
        "links": [
            {"rel": "start", "href": ROOT, "type": FEED},
            {"rel": "logo", "href": "/assets/mark.svg", "type": "image/svg+xml"},
        ],
        "authentication": [
            {
                "type": "http://opds-spec.org/auth/basic",
                "labels": {"login": _("User name"), "password": _("Password")},
            }
        ],
    }
    return _bytes(document)


def publication(book: Publication, namespace: UUID, *, is_open: bool, is_whole: bool = False) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "@type": "http://schema.org/Book",
        "identifier": _identifier(book, namespace),
        "title": printable(book.title),
        "author": [
            {"name": printable(n), "links": [_link(None, path_of("/books", {"author": n}))]} for n in book.authors
        ],
        "language": language_tag(book.language),
        "publisher": printable(book.publisher or ""),
        "modified": book.updated_at.isoformat(),
        "subject": [
            {"name": printable(n), "links": [_link(None, path_of("/books", {"subject": n}))]} for n in book.subjects
        ],
    }
    if paragraphs := plain_paragraphs(book.summary):
        metadata["description"] = "\n\n".join(paragraphs) if is_whole else shortened(" ".join(paragraphs))
    if book.series_name:
        place = {} if book.series_index is None else {"position": book.series_index}
        links = [_link(None, path_of("/books", {"series": book.series_name}))]
        metadata["belongsTo"] = {"series": {"name": printable(book.series_name), **place, "links": links}}
    written: dict[str, Any] = {
        "metadata": {name: value for name, value in metadata.items() if value},
        "links": [
            {"rel": "self", "href": f"{ROOT}/works/{book.book_id}", "type": PUBLICATION},
            {"rel": "alternate", "href": f"/book?id={book.book_id}", "type": "text/html"},
            *(
                {
                    "rel": OPEN_ACCESS if is_open else ACQUISITION,
                    "href": f"/files/{book.book_id}.{name.lower()}",
                    "type": MEDIA_TYPES.get(name, "application/octet-stream"),
                    "title": name,
                }
                for name in book.formats
            ),
        ],
    }
    if cover := cover_address(book.book_id, book.cover_version):
        written["images"] = [
            {"href": f"{cover}&w={width}", "type": "image/jpeg", "width": width} for width in (640, 176)
        ]
    return written


def _identifier(book: Publication, namespace: UUID) -> str:
    isbn = next((each.split(" ", 1)[1] for each in book.identifiers if each.lower().startswith("isbn ")), None)
    return f"urn:isbn:{isbn}" if isbn else uuid5(namespace, f"/works/{book.book_id}").urn


def _facet(facet: Facet) -> dict[str, Any]:
    return {
        **_link("self" if facet.is_active else None, facet.path),
        "title": printable(facet.title),
        **({"properties": {"numberOfItems": facet.count}} if facet.count is not None else {}),
    }


def _link(rel: str | None, path: str) -> dict[str, Any]:
    return {**({"rel": rel} if rel else {}), "href": ROOT + path, "type": FEED}


def _bytes(written: dict[str, Any]) -> bytes:
    return json.dumps(written, ensure_ascii=False).encode()
