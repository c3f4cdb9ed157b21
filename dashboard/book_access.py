"""How accessible a book's EPUB says it is, put into words. What it says was read by ingest (`ingest/accessibility.py`).

The terms are schema.org's as EPUB Accessibility 1.1 uses them; the words follow the W3C's guide to displaying them
(https://www.w3.org/TR/epub-a11y-disp-guide/). What a file does not say is called unknown, never guessed.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dashboard import resources
from dashboard.language import _
from openshelf.database import catalogue

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


def of_stored(told: Mapping[str, Any]) -> Access:
    """What stands in `library.editions.accessibility`."""
    return Access(
        modes=frozenset(told.get("modes", ())),
        sufficient=frozenset(
            frozenset(mode.strip() for mode in modes.split(",")) for modes in told.get("sufficient_modes", ())
        ),
        features=frozenset(told.get("features", ())),
        hazards=frozenset(told.get("hazards", ())),
        level=_level(told.get("conforms_to", ())),
        summary=told.get("summary", ""),
    )


def _level(conforms_to: Iterable[str]) -> str:
    levels = [found[1].upper() for value in conforms_to if (found := _LEVEL.search(value))]
    return max(levels, key=len, default="")


def find(book_id: int) -> Access | None:
    """What the EPUB of a work says; None: nothing. Who may see the work is for the caller to know."""
    with resources.connection() as conn:
        told = catalogue.accessibility(conn, book_id)
    return of_stored(told) if told else None


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
