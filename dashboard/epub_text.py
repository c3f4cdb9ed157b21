"""The text of an EPUB as chapters of harmless HTML. Reads the zip itself; nothing is unpacked to disk."""

import posixpath
import zipfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

from dashboard.safe import book_html, plain_paragraphs

MAX_PART_BYTES = 4_000_000
MAX_CHAPTERS = 500
_CONTAINER = "{urn:oasis:names:tc:opendocument:xmlns:container}"
_OPF = "{http://www.idpf.org/2007/opf}"
_XHTML = "{http://www.w3.org/1999/xhtml}"
_TEXT_TYPES = {"application/xhtml+xml", "text/html"}


class UnreadableEpubError(Exception):
    """The file is no EPUB that can be shown."""


@dataclass(frozen=True)
class Chapter:
    title: str
    html: str  # cleaned by safe.book_html


def read(path: Path) -> list[Chapter]:
    """Chapters in reading order; parts without text (covers, contents) are left out.

    Raises:
        UnreadableEpubError: not a zip, encrypted, without a spine, or a part that is far too large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return [
                chapter
                for number, name in enumerate(_spine(archive)[:MAX_CHAPTERS], start=1)
                if (chapter := _chapter(_part(archive, name), number))
            ]
    except (OSError, zipfile.BadZipFile, KeyError, RuntimeError, NotImplementedError, ElementTree.ParseError) as error:
        raise UnreadableEpubError(f"{path.name} cannot be read as an EPUB: {error}") from error


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > MAX_PART_BYTES:
        raise UnreadableEpubError(f"part {name} is larger than {MAX_PART_BYTES} bytes")
    with archive.open(name) as file:
        content = file.read(MAX_PART_BYTES + 1)  # what a header says of a size need not be true
    if len(content) > MAX_PART_BYTES:
        raise UnreadableEpubError(f"part {name} is larger than {MAX_PART_BYTES} bytes")
    return content


def _spine(archive: zipfile.ZipFile) -> list[str]:
    """Names of the text parts in reading order, without the table of contents."""
    container = _parse(_part(archive, "META-INF/container.xml"))
    rootfile = container.find(f".//{_CONTAINER}rootfile")
    if rootfile is None:
        raise UnreadableEpubError("no root file is named")
    package_name = rootfile.attrib["full-path"]
    package = _parse(_part(archive, package_name))
    parts = {
        part.attrib["id"]: posixpath.normpath(
            posixpath.join(posixpath.dirname(package_name), unquote(part.attrib["href"]))
        )
        for part in package.iter(f"{_OPF}item")
        if part.attrib.get("media-type") in _TEXT_TYPES and "nav" not in part.attrib.get("properties", "").split()
    }
    return [parts[ref.attrib["idref"]] for ref in package.iter(f"{_OPF}itemref") if ref.attrib["idref"] in parts]


def _parse(markup: bytes) -> ElementTree.Element:
    # No entity is ever declared in what we read; the parser's own limits end expansion bombs.
    if b"<!ENTITY" in markup:
        raise UnreadableEpubError("entities are not read")
    return ElementTree.fromstring(markup)  # noqa: S314


def _chapter(markup: bytes, number: int) -> Chapter | None:
    text = markup.decode("utf-8", "replace")
    start, end = text.find("<body"), text.rfind("</body>")
    body = text[text.find(">", start) + 1 : end if end > start else None] if start >= 0 else text
    cleaned = book_html(body)
    if not plain_paragraphs(cleaned):
        return None
    return Chapter(_title(markup) or f"Part {number}", cleaned)


def _title(markup: bytes) -> str:
    """The first heading of a part, else its title."""
    try:
        document = _parse(markup)
    except (ElementTree.ParseError, UnreadableEpubError):
        return ""
    for tag in ("h1", "h2", "h3", "title"):
        for found in document.iter(f"{_XHTML}{tag}"):
            words = " ".join("".join(found.itertext()).split())
            if words:
                return words[:120]
    return ""
