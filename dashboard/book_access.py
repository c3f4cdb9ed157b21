"""How accessible a book's EPUB says it is: read from its package, and put into words.

The terms are schema.org's as EPUB Accessibility 1.1 uses them; the words follow the W3C's guide to displaying them
(https://www.w3.org/TR/epub-a11y-disp-guide/). What a file does not say is called unknown, never guessed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from dashboard import resources
from dashboard.language import _
from openshelf import epub_text
from openshelf.database import catalogue
from openshelf.epub_text import UnreadableEpubError

TTL_S = 600
_MAX_SUMMARY = 1_000
_NO_HAZARD = {"noFlashingHazard", "noMotionSimulationHazard", "noSoundHazard"}
_LEVEL = re.compile(r"wcag.*?\b(aaa|aa|a)$", re.IGNORECASE)


@dataclass(frozen=True)
class Access:
    """`sufficient`: sets of modes of which each is enough to take in the whole; `level`: of WCAG, A to AAA."""

    modes: frozenset[str] = frozenset()
    sufficient: frozenset[frozenset[str]] = frozenset()
    features: frozenset[str] = frozenset()
    hazards: frozenset[str] = frozenset()
    level: str = ""
    summary: str = ""


def of_metadata(said: Iterable[tuple[str, str]]) -> Access | None:
    """The statements among a package's (property, value); None if there is none."""
    known: dict[str, list[str]] = {}
    for name, value in said:
        known.setdefault(name.rpartition(":")[2], []).append(value)
    levels = [found[1].upper() for value in known.get("conformsTo", ()) if (found := _LEVEL.search(value))]
    access = Access(
        modes=frozenset(known.get("accessMode", ())),
        sufficient=frozenset(
            frozenset(mode.strip() for mode in modes.split(",")) for modes in known.get("accessModeSufficient", ())
        ),
        features=frozenset(known.get("accessibilityFeature", ())),
        hazards=frozenset(known.get("accessibilityHazard", ())),
        level=max(levels, key=len, default=""),
        summary=" ".join(known.get("accessibilitySummary", ()))[:_MAX_SUMMARY],
    )
    return None if access == Access() else access


def find(book_id: int) -> Access | None:
    """What the EPUB of a work says. Who may see the work is for the caller to know."""
    with resources.connection() as conn:
        file = catalogue.file_of(conn, book_id, "EPUB")
    path = file.resolve() if file else None
    try:
        return _told(str(path), path.stat().st_mtime_ns) if path else None
    except OSError:
        return None


@st.cache_data(ttl=TTL_S, max_entries=2_000, show_spinner=False)
def _told(path: str, changed_ns: int) -> Access | None:
    try:
        return of_metadata(epub_text.metadata(Path(path)))
    except UnreadableEpubError:
        return None


def in_words(access: Access | None) -> list[tuple[str, str]]:
    """Label and words of each part, as a page shows them."""
    if access is None:
        return [(_("Accessibility"), _("The file of this book says nothing about it."))]
    rows = [
        (_("Without eyes"), _nonvisual(access)),
        (_("Appearance"), _appearance(access.features)),
        (_("Finding one's way"), ", ".join(_ways(access.features)) or _("unknown")),
        (_("Hazards"), _hazards(access.hazards)),
        (_("Standard"), _standard(access.level)),
    ]
    if rich := _rich(access.features):
        rows.insert(3, (_("Pictures and formulas"), ", ".join(rich)))
    if access.summary:
        rows.append((_("In the publisher's words"), access.summary))
    return rows


def _nonvisual(access: Access) -> str:
    if frozenset({"textual"}) in access.sufficient or access.modes == {"textual"}:
        return _("can be read aloud or in braille, all of it")
    if "textual" in access.modes or any("textual" in modes for modes in access.sufficient):
        return _("can be read aloud or in braille, perhaps not all of it")
    if access.modes or access.sufficient:
        return _("cannot be read aloud or in braille")
    return _("unknown")


def _appearance(features: frozenset[str]) -> str:
    return _("size and colours of the text can be changed") if "displayTransformability" in features else _("unknown")


def _ways(features: frozenset[str]) -> list[str]:
    named = {
        "tableOfContents": _("table of contents"),
        "structuralNavigation": _("headings"),
        "index": _("index"),
        "pageNavigation": _("page numbers of the printed book"),
        "printPageNumbers": _("page numbers of the printed book"),
    }
    return list(dict.fromkeys(words for feature, words in named.items() if feature in features))


def _rich(features: frozenset[str]) -> list[str]:
    named = {
        "alternativeText": _("pictures are described"),
        "longDescription": _("pictures are described at length"),
        "MathML": _("formulas can be read aloud"),
        "describedMath": _("formulas are described"),
        "transcript": _("recordings have a transcript"),
        "closedCaptions": _("films have captions"),
    }
    return [words for feature, words in named.items() if feature in features]


def _hazards(hazards: frozenset[str]) -> str:
    if "none" in hazards or hazards >= _NO_HAZARD:
        return _("none")
    named = {"flashing": _("flashing"), "motionSimulation": _("simulated motion"), "sound": _("sudden sounds")}
    found = [words for hazard, words in named.items() if hazard in hazards]
    return ", ".join(found) or _("unknown")


def _standard(level: str) -> str:
    if level == "A":
        return _("meets the least of the accepted accessibility standards (WCAG A)")
    if level:
        return _("meets accepted accessibility standards (WCAG {level})").format(level=level)
    return _("unknown")
