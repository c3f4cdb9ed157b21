"""What an EPUB says of who can read it: the accessibility metadata of its package document.

Terms as in schema.org and EPUB Accessibility 1.1 (W3C): access modes, features, hazards, what it conforms to, and a
sentence or two. Files are untrusted: size is bounded, no entity is resolved, and what cannot be read says nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from openshelf import epub_text

LARGEST = 2_000_000  # bytes of a package document; real ones have some thousands
_LONGEST = 200  # characters of a term
_LONGEST_SUMMARY = 2_000
_MOST_TERMS = 60


@dataclass(frozen=True)
class Accessibility:
    modes: tuple[str, ...] = ()  # 'textual', 'visual', 'auditory'
    sufficient_modes: tuple[str, ...] = ()  # each a set that is enough, joined by commas
    features: tuple[str, ...] = ()  # 'alternativeText', 'tableOfContents', ...
    hazards: tuple[str, ...] = ()  # 'none', 'flashing', ...
    conforms_to: tuple[str, ...] = ()
    certified_by: str = ""
    summary: str = ""

    def as_json(self) -> dict[str, Any]:
        """Without what is not told."""
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in told.items() if value}


_MANY = {
    "accessMode": "modes",
    "accessModeSufficient": "sufficient_modes",
    "accessibilityFeature": "features",
    "accessibilityHazard": "hazards",
    "conformsTo": "conforms_to",
}
_ONE = {"certifiedBy": "certified_by", "accessibilitySummary": "summary"}


def parse_xml(raw: bytes) -> ElementTree.Element | None:
    """The root of an untrusted document; None when it is too large, no XML, or declares entities of its own."""
    if len(raw) > LARGEST:
        return None
    try:
        return epub_text.parse(raw)
    except (epub_text.UnreadableEpubError, ElementTree.ParseError, ValueError, LookupError):
        return None


def package_of(epub: Path) -> bytes | None:
    """The package document of an EPUB; None when the file is none."""
    try:
        return epub_text.package_document(epub)
    except epub_text.UnreadableEpubError:
        return None


def of_epub(epub: Path) -> Accessibility | None:
    """What an EPUB tells of its accessibility; None when it tells nothing or cannot be read."""
    raw = package_of(epub)
    root = parse_xml(raw) if raw else None
    return of_package(root) if root is not None else None


def of_package(root: ElementTree.Element) -> Accessibility | None:
    """What a package document tells (EPUB 2: `meta name=`, EPUB 3: `meta property=`, `link rel=`)."""
    many: dict[str, list[str]] = {name: [] for name in _MANY.values()}
    one: dict[str, str] = {}
    for element in root.iterfind(".//{*}metadata/{*}*"):
        local = element.tag.rpartition("}")[2]
        name = (element.get("property") or element.get("name") or element.get("rel") or "").rpartition(":")[2]
        value = element.get("content") or element.get("href") or "".join(element.itertext())
        value = " ".join(value.replace("\0", "").split())
        if local not in {"meta", "link"} or not value or element.get("refines"):
            continue
        if name in _MANY and len(many[_MANY[name]]) < _MOST_TERMS:
            many[_MANY[name]].append(value[:_LONGEST])
        elif name in _ONE:
            one.setdefault(_ONE[name], value[: _LONGEST_SUMMARY if name == "accessibilitySummary" else _LONGEST])
    found = Accessibility(
        modes=_once(many["modes"]),
        sufficient_modes=_once(many["sufficient_modes"]),
        features=_once(many["features"]),
        hazards=_once(many["hazards"]),
        conforms_to=_once(many["conforms_to"]),
        certified_by=one.get("certified_by", ""),
        summary=one.get("summary", ""),
    )
    return found if found != Accessibility() else None


def _once(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
