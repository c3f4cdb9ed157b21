"""Sample EPUBs of the demo library: valid EPUB 3, byte for byte the same for the same work. Pure."""

import hashlib
import io
import zipfile
from collections.abc import Sequence
from html import escape
from random import Random
from uuid import UUID

from ingest.cover_palettes import family_of
from ingest.demo_catalogue import CuratedWork
from ingest.epub_words import readers_note, words_of

_MOMENT = (2024, 1, 1, 0, 0, 0)  # of every file in the archive: no clock in the bytes
_SHORT = {"eng": "en", "vie": "vi", "rus": "ru", "fra": "fr", "deu": "de", "spa": "es"} | {
    "ita": "it", "por": "pt", "pol": "pl", "jpn": "ja", "zho": "zh",
}  # fmt: skip

_CONTAINER = """<?xml version="1.0" encoding="UTF-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
  <rootfiles><rootfile full-path="OEBPS/package.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>
"""
# All there is to know stands in the text; the cover only repeats the title.
_ACCESS = "".join(
    f'<meta property="schema:{name}">{value}</meta>'
    for name, value in (
        ("accessMode", "textual"),
        ("accessModeSufficient", "textual"),
        ("accessibilityFeature", "tableOfContents"),
        ("accessibilityFeature", "structuralNavigation"),
        ("accessibilityFeature", "displayTransformability"),
        ("accessibilityHazard", "none"),
    )
)
_STYLE = """body { font-family: serif; line-height: 1.5; margin: 5%; }
h1 { font-size: 1.5em; line-height: 1.2; }
.by { font-style: italic; }
.notice { border-top: 1px solid; font-size: 0.85em; margin-top: 3em; padding-top: 0.5em; }
img { max-width: 100%; }
"""


def sample_epub(work: CuratedWork, uuid: UUID, neighbours: Sequence[CuratedWork], cover: bytes) -> bytes:
    """An EPUB of three short chapters about the work; `neighbours` are named in the last one."""
    words, language = words_of(work.language)
    rng = Random(hashlib.sha256(work.key.encode()).digest())  # noqa: S311 - a choice of sentences, no secret
    notice = f'<p class="notice">{escape(words.notice)}</p>'
    about = (
        f'<p class="by">{escape(words.by.join(filter(None, [work.title, ", ".join(work.authors)])))}</p>'
        f'<p xml:lang="{_SHORT[work.language]}">{escape(work.blurb)}</p>{notice}'
    )
    before = "".join(f"<p>{escape(text)}</p>" for text in readers_note(words, family_of(work.subjects[0]).name, rng))
    listed = "".join(
        f"<li><cite>{escape(other.title)}</cite>{escape(words.by + ', '.join(other.authors))}</li>"
        for other in neighbours
    )
    after = (
        f"<p>{escape(words.next_intro)}</p><ul>{listed}</ul>" if listed else f"<p>{escape(words.next_none)}</p>"
    ) + notice
    chapters = {
        "about.xhtml": (words.about, about),
        "before.xhtml": (words.before, before),
        "after.xhtml": (words.after, after),
    }
    files = {
        "META-INF/container.xml": _CONTAINER,
        "OEBPS/package.opf": _package(work, uuid, list(chapters)),
        "OEBPS/nav.xhtml": _nav(work.title, language, {name: title for name, (title, _) in chapters.items()}),
        "OEBPS/cover.xhtml": _page(work.title, language, '<p><img src="cover.jpg" alt=""/></p>'),
        "OEBPS/style.css": _STYLE,
    } | {
        f"OEBPS/{name}": _page(title, language, f"<h1>{escape(title)}</h1>{body}")
        for name, (title, body) in chapters.items()
    }
    return _archive(files, cover)


def _page(title: str, language: str, body: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html>\n'
        f'<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="{language}" lang="{language}">'
        f'<head><title>{escape(title)}</title><link rel="stylesheet" type="text/css" href="style.css"/></head>'
        f"<body>{body}</body></html>\n"
    )


def _nav(title: str, language: str, chapters: dict[str, str]) -> str:
    items = "".join(f'<li><a href="{name}">{escape(text)}</a></li>' for name, text in chapters.items())
    page = _page(title, language, f'<nav epub:type="toc" id="toc"><h1>{escape(title)}</h1><ol>{items}</ol></nav>')
    return page.replace("<html ", '<html xmlns:epub="http://www.idpf.org/2007/ops" ', 1)


def _package(work: CuratedWork, uuid: UUID, chapters: list[str]) -> str:
    creators = "".join(f"<dc:creator>{escape(author)}</dc:creator>" for author in work.authors)
    subjects = "".join(f"<dc:subject>{escape(subject)}</dc:subject>" for subject in work.subjects)
    items = "".join(
        f'<item id="{name.removesuffix(".xhtml")}" href="{name}" media-type="application/xhtml+xml"/>'
        for name in chapters
    )
    spine = "".join(f'<itemref idref="{name.removesuffix(".xhtml")}"/>' for name in chapters)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="uid">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<dc:identifier id="uid">urn:uuid:{uuid}</dc:identifier><dc:title>{escape(work.title)}</dc:title>{creators}'
        f"<dc:language>{_SHORT[work.language]}</dc:language>{subjects}"
        "<dc:publisher>Openshelf demo library (sample)</dc:publisher>"
        '<meta property="dcterms:modified">2024-01-01T00:00:00Z</meta><meta name="cover" content="cover-image"/>'
        f"{_ACCESS}"
        "</metadata>"
        '<manifest><item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
        '<item id="cover-image" href="cover.jpg" media-type="image/jpeg" properties="cover-image"/>'
        '<item id="cover" href="cover.xhtml" media-type="application/xhtml+xml"/>'
        f'<item id="style" href="style.css" media-type="text/css"/>{items}</manifest>'
        f'<spine><itemref idref="cover" linear="no"/>{spine}</spine></package>\n'
    )


def _archive(files: dict[str, str], cover: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        # The format wants this one first and uncompressed.
        archive.writestr(_entry("mimetype", zipfile.ZIP_STORED), "application/epub+zip")
        for name, text in files.items():
            archive.writestr(_entry(name, zipfile.ZIP_DEFLATED), text)
        archive.writestr(_entry("OEBPS/cover.jpg", zipfile.ZIP_STORED), cover)
    return buffer.getvalue()


def _entry(name: str, compression: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _MOMENT)
    info.compress_type = compression
    info.external_attr = 0o644 << 16
    info.create_system = 3  # the same bytes on every system
    return info
