"""Subjects of sources into ours: names in many languages, headings, Thema, BISAC and Dewey codes. Pure.

What a source says is kept with the edition as given; a work gets our name for it, and what is not known its own.
"""

import re
import tomllib
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib import resources

from openshelf.folding import fold_words

SCHEMES = ("thema", "bisac", "ddc")
_BISAC = re.compile(r"[A-Z]{3}\d{6}")
_DDC = re.compile(r"\d{3}(?:\.\d+)?")
_THEMA = re.compile(r"[A-Z][A-Z0-9]{0,9}")
_PREFIXED = re.compile(r"\s*(thema|bisac|bisacsh|ddc|dewey)\s*[:=]\s*(\S+)\s*", re.IGNORECASE)
# Headings that name the general before the particular: 'FICTION / Science Fiction / General', 'Fiction.Mystery'.
_STEPS = re.compile(r"\s+/\s+|--|\.(?=[A-Z])|\s*>\s*")
_SAYS_NOTHING = frozenset({"general", "fiction", "nonfiction", "non fiction", "books", "ebook", "ebooks", "other"})


@cache
def _scheme() -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Folded name -> our subject; scheme -> beginning of a code -> our subject."""
    told = tomllib.loads((resources.files("openshelf") / "subjects.toml").read_text("utf-8"))["subjects"]
    names = {fold_words(name): subject for subject, own in told.items() for name in own.get("also", ())}
    names |= {fold_words(subject): subject for subject in told}
    codes = {
        scheme: {code: subject for subject, own in told.items() for code in own.get(scheme, ())} for scheme in SCHEMES
    }
    return names, codes


def all_subjects() -> list[str]:
    """The names of our subjects, in the order of the file."""
    return list(dict.fromkeys(_scheme()[0].values()))


@lru_cache(maxsize=16_384)
def code_of(given: str) -> tuple[str, str] | None:
    """Scheme and code of a subject that is nothing but a code: 'FIC028000', '813.54', 'thema:FL'; else None."""
    if found := _PREFIXED.fullmatch(given):
        scheme = {"bisacsh": "bisac", "dewey": "ddc"}.get(found[1].lower(), found[1].lower())
        return scheme, found[2].upper()
    if _BISAC.fullmatch(given):
        return "bisac", given
    return ("ddc", given) if "." in given and _DDC.fullmatch(given) else None


def codes(given: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The codes among subjects as given."""
    return tuple(dict.fromkeys(filter(None, map(code_of, given))))


def subject_of_code(scheme: str, code: str) -> str | None:
    """Our subject of a code: that of the longest beginning that is known."""
    pattern = {"thema": _THEMA, "bisac": _BISAC, "ddc": _DDC}.get(scheme)
    if pattern is None or not pattern.fullmatch(code):
        return None
    known = _scheme()[1][scheme]
    return next((known[code[:n]] for n in range(len(code), 0, -1) if code[:n] in known), None)


@lru_cache(maxsize=16_384)
def subject_of(given: str) -> str | None:
    """Our subject for a name, heading or code; what is not known as it is; None for a code that says nothing to us."""
    if code := code_of(given):
        return subject_of_code(*code)
    names, _ = _scheme()
    steps = [folded for step in _STEPS.split(given) if (folded := fold_words(step))]
    for candidate in [fold_words(given), *reversed(steps)]:
        if candidate in names:
            return names[candidate]
    return None if len(steps) > 1 and not set(steps) - _SAYS_NOTHING else given


def subjects_of(given: Iterable[str], classifications: Iterable[tuple[str, str]] = ()) -> list[str]:
    """Our subjects in the order given, those of codes last; each once."""
    of_names = map(subject_of, given)
    of_codes = (subject_of_code(scheme, code) for scheme, code in classifications)
    return list(dict.fromkeys(subject for subject in [*of_names, *of_codes] if subject))
