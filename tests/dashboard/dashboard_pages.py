"""What a page drawn by AppTest holds, and files to put on its shelves."""

import hmac
import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import httpx
from streamlit.testing.v1 import AppTest

from dashboard import forms

# Of the servers that tests start: so that a test can make the token of a form, which only pages are given.
SECRET = "a secret of forty characters for the tests"
CHAPTER = (
    '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>t</title></head>'
    "<body>{}</body></html>"
)


def epub_bytes(
    *bodies: str,
    package: str | None = None,
    nav: str = "",
    pictures: dict[str, bytes] | None = None,
    media_type: str = "image/png",
) -> bytes:
    """An EPUB whose chapters have these bodies; `nav`: body of its contents; `pictures` by name beside the package."""
    parts = "".join(
        f'<item id="c{n}" href="text/c{n}.xhtml" media-type="application/xhtml+xml"/>' for n in range(len(bodies))
    )
    parts += "".join(
        f'<item id="p{n}" href="{name}" media-type="{media_type}"/>' for n, name in enumerate(pictures or {})
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
        if nav:
            archive.writestr("OEBPS/nav.xhtml", CHAPTER.format(nav))
        for name, content in (pictures or {}).items():
            archive.writestr(f"OEBPS/{name}", content)
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


def send_form(browser: httpx.Client, path: str, /, **fields: str) -> httpx.Response:
    """Send a form as a page of ours does: with the browser's cookie, its token, and from the same site."""
    if forms.COOKIE not in browser.cookies:
        browser.get("/", headers={"Accept": "text/html"})
    token = hmac.digest(SECRET.encode(), f"form {browser.cookies[forms.COOKIE]}".encode(), "sha256").hex()
    headers = {"Sec-Fetch-Site": "same-origin", "Accept": "application/json"}
    return browser.post(path, data={forms.TOKEN: token, **fields}, headers=headers)
