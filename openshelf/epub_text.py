"""An EPUB as parts of harmless text, and its contents.

Reads the zip itself; nothing is unpacked to disk, nothing in it runs, and nothing outside it is fetched.
"""

import codecs
import contextlib
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

from openshelf.epub_tree import MAX_DEPTH, Node, Tree, linked, within

MAX_PART_BYTES = 8_000_000  # of text; all of War and Peace in Russian as one part has under 6
MAX_DOCUMENT_BYTES = 4_000_000  # of what tells of the parts
MAX_TEXT_BYTES = 40_000_000  # of all parts together: no book is so long, but an attack on our memory is
MAX_CHAPTERS = 500
MAX_PICTURE_BYTES = 12_000_000
MAX_CONTENTS = 1_000
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
    ("<?".encode("utf-16-le"), "utf-16-le"), ("<?".encode("utf-16-be"), "utf-16-be"),
)  # fmt: skip
_ENCODING = re.compile(rb"""\s*<\?xml[^>]*\sencoding\s*=\s*["']([A-Za-z0-9._:-]+)["']""")
_CHARSET = re.compile(rb"""<meta\s[^>]*charset\s*=\s*["']?([A-Za-z0-9._:-]+)""", re.IGNORECASE)
_HEAD_BYTES = 2_000
_OPF = "{http://www.idpf.org/2007/opf}"
_NCX = "{http://www.daisy.org/z3986/2005/ncx/}"
_XHTML = "{http://www.w3.org/1999/xhtml}"
_ENCRYPTED = "{http://www.w3.org/2001/04/xmlenc#}CipherReference"
_EPUB_TYPE = "{http://www.idpf.org/2007/ops}type"
_TEXT_TYPES = {"application/xhtml+xml", "text/html"}
_PICTURE_TYPES = {"image/png", "image/jpeg", "image/gif", "image/webp"}
# What reading an archive that is broken, cut off, encrypted or no archive at all raises.
_BROKEN = (
    OSError, EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, KeyError, ValueError, RuntimeError,
    NotImplementedError, ElementTree.ParseError,
)  # fmt: skip


class UnreadableEpubError(Exception):
    """The file is no EPUB that can be shown."""


@dataclass(frozen=True)
class Chapter:
    """One part of the text. `length`: characters in it, to say how far a reader is."""

    title: str
    name: str  # of the part in the archive
    nodes: list[Node]
    length: int


@dataclass(frozen=True)
class Heading:
    """One line of the contents; `part` from 1, `anchor` of a place in it or empty, `level` from 0."""

    title: str
    part: int
    anchor: str
    level: int


@dataclass(frozen=True)
class Book:
    chapters: list[Chapter]
    contents: list[Heading]


@dataclass(frozen=True)
class _Package:
    spine: list[str]  # names of the parts in reading order
    navigation: str | None  # name of the contents of an EPUB 3 ...
    ncx: str | None  # ... and of an EPUB 2
    pictures: frozenset[str]


def read(path: Path) -> Book:
    """The parts in reading order and the contents; parts without text or pictures are left out.

    Raises:
        UnreadableEpubError: not a zip, encrypted, without a spine, a part that is far too large, or no text at all.
    """
    found = list(chapters(path))
    try:
        with zipfile.ZipFile(path) as archive:
            return _with_contents(found, _told_contents(archive, _package(archive)))
    except _BROKEN as error:
        raise UnreadableEpubError(f"{path.name} cannot be read as an EPUB: {error}") from error


def chapters(path: Path) -> Iterator[Chapter]:
    """The parts in reading order, one held at a time; those without text or pictures are left out.

    Raises:
        UnreadableEpubError: as `read`.
    """
    is_empty = True
    try:
        with zipfile.ZipFile(path) as archive:
            package = _package(archive)
            there = set(archive.namelist())
            names = [name for name in package.spine if name in there][:MAX_CHAPTERS]  # a lost part is no lost book
            if sum(archive.getinfo(name).file_size for name in names) > MAX_TEXT_BYTES:
                raise UnreadableEpubError(f"{path.name} holds more than {MAX_TEXT_BYTES} bytes of text")
            if _encrypted(archive) & set(names):
                raise UnreadableEpubError(f"{path.name} is protected: its text is encrypted")
            told = _told_contents(archive, package)[:MAX_CONTENTS]
            titles = {name: title for title, name, anchor, level in reversed(told) if title and not (level and anchor)}
            for number, name in enumerate(names, start=1):
                chapter = _chapter(_part(archive, name, MAX_PART_BYTES), name, number, package.pictures)
                if chapter:
                    is_empty = False
                    yield replace(chapter, title=titles.get(name, chapter.title))
    except _BROKEN as error:
        raise UnreadableEpubError(f"{path.name} cannot be read as an EPUB: {error}") from error
    if is_empty:
        raise UnreadableEpubError(f"{path.name} holds no text")


def picture(path: Path, name: str) -> bytes | None:
    """A picture of the book by its name in the archive, as it is; None if its package names none such.

    Raises:
        UnreadableEpubError: as `read`, or the picture is far too large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if name not in _package(archive).pictures:
                return None
            return _part(archive, name, MAX_PICTURE_BYTES)
    except _BROKEN as error:
        raise UnreadableEpubError(f"{path.name} cannot be read as an EPUB: {error}") from error


def package_document(path: Path) -> bytes:
    """The document in which an EPUB tells what it is, as it stands there.

    Raises:
        UnreadableEpubError: as `read`, but for a missing spine.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _package_document(archive)[1]
    except _BROKEN as error:
        raise UnreadableEpubError(f"{path.name} cannot be read as an EPUB: {error}") from error


def parse(markup: bytes) -> ElementTree.Element:
    """The root of an untrusted document.

    Raises:
        UnreadableEpubError: it declares entities of its own.
        ElementTree.ParseError, ValueError: it is no XML, or not in the encoding that it names.
    """
    text = _decoded(markup, "strict")  # the parser itself knows few encodings, and stops at one that nobody knows
    # The parser's own limits end expansion bombs too.
    if "<!ENTITY" in text:
        raise UnreadableEpubError("entities are not read")
    return ElementTree.fromstring(text)  # noqa: S314 - no entities, and expat fetches nothing


def _part(archive: zipfile.ZipFile, name: str, most: int = MAX_DOCUMENT_BYTES) -> bytes:
    if archive.getinfo(name).file_size > most:
        raise UnreadableEpubError(f"part {name} is larger than {most} bytes")
    with archive.open(name) as file:
        content = file.read(most + 1)  # what a header says of a size need not be true
    if len(content) > most:
        raise UnreadableEpubError(f"part {name} is larger than {most} bytes")
    return content


def _package_document(archive: zipfile.ZipFile) -> tuple[str, bytes]:
    rootfile = parse(_part(archive, "META-INF/container.xml")).find(".//{*}rootfile")
    if rootfile is None:
        raise UnreadableEpubError("no root file is named")
    name = rootfile.attrib["full-path"]
    return name, _part(archive, name)


def _package(archive: zipfile.ZipFile) -> _Package:
    package_name, raw = _package_document(archive)
    package = parse(raw)
    texts, pictures = {}, set()
    navigation = ncx = None
    for item in package.iter(f"{_OPF}item"):
        name, media_type = within(package_name, item.attrib["href"])[0], item.attrib.get("media-type", "")
        if media_type in _PICTURE_TYPES:
            pictures.add(name)
        elif "nav" in item.attrib.get("properties", "").split():
            navigation = name
        elif media_type in _TEXT_TYPES:
            texts[item.attrib["id"]] = name
        elif media_type == "application/x-dtbncx+xml":
            ncx = name
    spine = [
        texts[ref.attrib["idref"]]
        for ref in package.iter(f"{_OPF}itemref")
        if ref.attrib["idref"] in texts and ref.attrib.get("linear") != "no"
    ]
    return _Package(spine, navigation, ncx, frozenset(pictures))


def _encrypted(archive: zipfile.ZipFile) -> set[str]:
    """Names of what is encrypted inside: all the text, where a seller protects it; fonts, where they are obfuscated."""
    if "META-INF/encryption.xml" not in archive.namelist():
        return set()
    try:
        listed = parse(_part(archive, "META-INF/encryption.xml"))
    except (ElementTree.ParseError, ValueError):
        return set()
    return {within("", found.attrib["URI"])[0] for found in listed.iter(_ENCRYPTED) if found.attrib.get("URI")}


def _chapter(markup: bytes, name: str, number: int, pictures: frozenset[str]) -> Chapter | None:
    text = _decoded(markup, "replace")
    start, end = text.find("<body"), text.rfind("</body>")
    body = text[text.find(">", start) + 1 : end if end > start else None] if start >= 0 else text
    tree = Tree(body, name, pictures)
    if not tree.length and not tree.has_picture:
        return None
    return Chapter(_title(markup) or str(number), name, tree.nodes, tree.length)


def _decoded(markup: bytes, errors: str) -> str:
    """The text of a file. EPUB knows UTF-8 and UTF-16; converters of old leave what they were given, and say so."""
    for mark, encoding in _MARKS:
        if markup.startswith(mark):
            return markup.decode(encoding, errors)
    with contextlib.suppress(UnicodeDecodeError):  # what is UTF-8 throughout is UTF-8, whatever it says
        return markup.decode()
    told = _ENCODING.match(markup) or _CHARSET.search(markup[:_HEAD_BYTES])
    try:
        return markup.decode(told[1].decode("ascii") if told else "utf-8", errors)
    except LookupError:  # no encoding of text
        return markup.decode("utf-8", errors)


def _title(markup: bytes) -> str:
    """The first heading of a part, else its title."""
    try:
        document = parse(markup)
    except (ElementTree.ParseError, ValueError, UnreadableEpubError):
        return ""
    for tag in ("h1", "h2", "h3", "title"):
        for found in document.iter(f"{_XHTML}{tag}"):
            words = _words(found)
            if words:
                return words
    return ""


def _words(element: ElementTree.Element | None) -> str:
    return "" if element is None else " ".join("".join(element.itertext()).split())[:120]


def _told_contents(archive: zipfile.ZipFile, package: _Package) -> list[tuple[str, str, str, int]]:
    """(title, name of the part, anchor, level) as the book's own contents tell; empty if they cannot be read."""
    try:
        if package.navigation:
            document = parse(_part(archive, package.navigation))
            for nav in document.iter(f"{_XHTML}nav"):
                if nav.attrib.get(_EPUB_TYPE) == "toc" or nav.attrib.get("role") == "doc-toc":
                    return list(_listed(nav, package.navigation, 0))
        if package.ncx:
            points = parse(_part(archive, package.ncx)).find(f"{_NCX}navMap")
            return [] if points is None else list(_points(points, package.ncx, 0))
    except (KeyError, ElementTree.ParseError, ValueError, UnreadableEpubError):
        pass
    return []


def _listed(element: ElementTree.Element, base: str, level: int) -> Iterator[tuple[str, str, str, int]]:
    for entry in element.iterfind(f"{_XHTML}ol/{_XHTML}li"):
        link = entry.find(f"{_XHTML}a")
        if link is not None and link.attrib.get("href"):
            yield _words(link), *within(base, link.attrib["href"]), level
        if level < MAX_DEPTH:
            yield from _listed(entry, base, level + 1)


def _points(element: ElementTree.Element, base: str, level: int) -> Iterator[tuple[str, str, str, int]]:
    for point in element.iterfind(f"{_NCX}navPoint"):
        content = point.find(f"{_NCX}content")
        title = _words(point.find(f"{_NCX}navLabel"))
        if content is not None and content.attrib.get("src"):
            yield title, *within(base, content.attrib["src"]), level
        if level < MAX_DEPTH:
            yield from _points(point, base, level + 1)


def _with_contents(chapters: list[Chapter], told: list[tuple[str, str, str, int]]) -> Book:
    """The book with its contents: as it tells them itself, else the titles of its parts."""
    part_of = {chapter.name: number for number, chapter in enumerate(chapters, start=1)}
    contents = [
        Heading(title, part_of[name], anchor, level)
        for title, name, anchor, level in told[:MAX_CONTENTS]
        if title and name in part_of
    ]
    named = [replace(chapter, nodes=linked(chapter.nodes, part_of)) for chapter in chapters]
    return Book(named, contents or [Heading(chapter.title, n, "", 0) for n, chapter in enumerate(named, start=1)])
