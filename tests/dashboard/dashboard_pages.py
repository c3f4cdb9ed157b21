"""What a page drawn by AppTest holds, and files to put on its shelves."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

from streamlit.testing.v1 import AppTest

CHAPTER = '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>t</title></head><body>{}</body></html>'


def epub_bytes(*bodies: str, package: str | None = None) -> bytes:
    """An EPUB whose chapters have these bodies."""
    parts = "".join(
        f'<item id="c{n}" href="text/c{n}.xhtml" media-type="application/xhtml+xml"/>' for n in range(len(bodies))
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(bodies)))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr(
            "META-INF/container.xml",
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
        )
        archive.writestr(
            "OEBPS/book.opf",
            package
            or f'<package xmlns="http://www.idpf.org/2007/opf"><manifest>'
            f'<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>{parts}</manifest>'
            f'<spine><itemref idref="nav"/>{spine}</spine></package>',
        )
        for number, body in enumerate(bodies):
            archive.writestr(f"OEBPS/text/c{number}.xhtml", CHAPTER.format(body))
    return packed.getvalue()


def drawn(app: AppTest, component: str) -> list[dict[str, Any]]:
    """The data of each component of this name on the page, in order."""
    found = [getattr(node, "proto", None) for node in _nodes(app._tree)]
    return [
        json.loads(proto.json) for proto in found if getattr(proto, "component_name", None) == f"openshelf.{component}"
    ]


def shelf_titles(app: AppTest) -> dict[str, list[str]]:
    """Heading of each shelf -> titles on it."""
    return {data["heading"]: [card["title"] for card in data["cards"]] for data in drawn(app, "shelf")}


def words_of(app: AppTest) -> str:
    """The HTML of our own that the page holds."""
    return " ".join(str(getattr(getattr(node, "proto", None), "body", "")) for node in _nodes(app._tree))


def _nodes(node: Any) -> Iterator[Any]:
    for child in getattr(node, "children", {}).values():
        yield child
        yield from _nodes(child)
