"""What the address of a page asks for: filters, and how they are shown. An address copied gives the same view."""

from typing import Any

import streamlit as st

from dashboard import data, words
from dashboard.components import finding
from dashboard.data import Facets
from dashboard.language import _, language_name
from dashboard.words import address, subject_name, year_name
from models.query_text import MAX_QUERY
from openshelf.contracts import clean_text
from openshelf.database.filters import Filters

NAMES = (
    "q", "mode", "subject", "author", "series", "language", "audience", "format", "kind", "readable", "aloud",
    "year_from", "year_to", "sort", "page",
)  # fmt: skip
_MAX_DIGITS = 5


def text(name: str) -> str:
    return clean_text(st.query_params.get(name, "")[:MAX_QUERY])


def subject() -> str:
    """The subject that the address names, as the catalogue writes it: people type it as it is shown to them."""
    said = text("subject")
    if not said:
        return ""
    names = [each.name for each in data.facets().subjects]
    called = {subject_name(name).casefold(): name for name in names} | {name.casefold(): name for name in names}
    return called.get(said.casefold(), said)


def integer(name: str) -> int | None:
    """A number of the address; what is none leaves it open."""
    said = text(name)
    digits = said.removeprefix("-")
    return int(said) if digits.isascii() and digits.isdecimal() and len(digits) <= _MAX_DIGITS else None


def filters() -> Filters:
    return Filters(
        language=text("language") or None,
        subject=subject() or None,
        format=text("format") or None,
        year_from=integer("year_from"),
        year_to=integer("year_to"),
        audience=text("audience") or None,
        series=text("series") or None,
        author=text("author") or None,
        kind=text("kind") or None,
        readable=text("readable") == "yes",
        aloud=text("aloud") == "yes",
    )


def address_with(where: str, /, **changed: object) -> str:
    """The address as it is, with some of it changed; None takes one away."""
    current = {name: text(name) for name in NAMES}
    return address(where, **{**current, **changed})


def groups(facets: Facets) -> list[dict[str, Any]]:
    """The filters, each with what is chosen."""
    kinds = words.kinds()
    formats = [(each.name, each.name) for each in facets.formats]
    offer_kinds = len(facets.kinds) > 1 or text("kind")
    kind = (
        [finding.select("kind", _("Kind"), _("Everything"), list(kinds.items()), text("kind"))] if offer_kinds else []
    )
    subjects = sorted(((each.name, subject_name(each.name)) for each in facets.subjects), key=lambda each: each[1])
    years = [year_name(facets.years.first), year_name(facets.years.last)]
    return [
        finding.group(
            _("What it is about"),
            finding.select("subject", _("Subject"), _("All subjects"), subjects, subject()),
            finding.text("author", _("Author"), "author", text("author")),
            finding.text("series", _("Series"), "series", text("series")),
        ),
        finding.group(
            _("For whom"),
            finding.select(
                "language",
                _("Language"),
                _("All languages"),
                [(each.name, language_name(each.name)) for each in facets.languages],
                text("language"),
            ),
            finding.select("audience", _("Readers"), _("Everyone"), list(words.audiences().items()), text("audience")),
        ),
        finding.group(
            _("Written"),
            finding.year("year_from", _("From"), integer("year_from"), years[0]),
            finding.year("year_to", _("To"), integer("year_to"), years[1]),
        ),
        finding.group(
            _("How to read it"),
            *kind,
            finding.select("format", _("Format"), _("Any format"), formats, text("format")),
            finding.checkbox("readable", _("Readable now"), text("readable") == "yes"),
            finding.checkbox("aloud", _("Can be read aloud or in braille"), text("aloud") == "yes"),
        ),
    ]


def chosen(where: str) -> list[tuple[str, str]]:
    """What narrows the view: how it reads, and the address without it."""
    shown = {
        "subject": subject_name(subject()),
        "author": text("author"),
        "series": text("series"),
        "language": language_name(text("language")),
        "audience": words.audiences().get(text("audience"), text("audience")),
        "kind": words.kinds().get(text("kind"), text("kind")),
        "format": text("format").upper(),
        "readable": _("Readable now") if text("readable") == "yes" else "",
        "aloud": _("Can be read aloud or in braille") if text("aloud") == "yes" else "",
        "year_from": _("From {year}").format(year=year_name(integer("year_from"))) if integer("year_from") else "",
        "year_to": _("To {year}").format(year=year_name(integer("year_to"))) if integer("year_to") else "",
    }
    return [(label, address_with(where, **{"page": None, name: None})) for name, label in shown.items() if label]
