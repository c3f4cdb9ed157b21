"""What does the library have? Everything that narrows it stands in the address."""

from typing import Any

import streamlit as st

from dashboard import data, state
from dashboard.components.furniture import filters as draw_filters
from dashboard.components.furniture import heading, pager
from dashboard.components.shelf import card, shelf
from dashboard.words import AUDIENCES, SORTS, address, capitalised, count_of, language_name, year_name
from openshelf.contracts import Surface
from openshelf.database.catalogue import SORTS as KNOWN_SORTS
from openshelf.database.catalogue import Sort
from openshelf.database.filters import Filters

PER_PAGE = 36
_YEARS = ("year_from", "year_to")
_NAMES = ("subject", "language", "format", "audience", "author", "series", *_YEARS, "sort", "page")


def asked(name: str) -> str:
    return st.query_params.get(name, "")[:200].replace("\x00", "")


def year(name: str) -> int | None:
    """A year of the address; what is no year leaves the end open."""
    text = asked(name)
    return int(text) if text.lstrip("-").isascii() and text.lstrip("-").isdecimal() and len(text) <= 5 else None


def select(name: str, label: str, anything: str, options: list[tuple[str, str]]) -> dict[str, Any]:
    value = asked(name)
    if value and value not in [option for option, _ in options]:
        options = [(value, value), *options]
    return {
        "name": name,
        "label": label,
        "value": value,
        "options": [{"value": "", "label": anything}, *({"value": v, "label": text} for v, text in options)],
    }


@st.fragment
def results() -> None:
    marks = state.marks(state.shown_visitor())
    works = data.browse(filters, sort, PER_PAGE, (page - 1) * PER_PAGE)
    shelf(
        "results",
        [card(work, n, marks, Surface.BROWSE, note=year_name(work.year)) for n, work in enumerate(works)],
        Surface.BROWSE,
        layout="grid",
        empty="Nothing stands here with all of that. Take one away and look again.",
        eager=True,
    )


current = {name: asked(name) for name in _NAMES if asked(name)}
filters = Filters(
    language=asked("language") or None,
    subject=asked("subject") or None,
    format=asked("format") or None,
    year_from=year("year_from"),
    year_to=year("year_to"),
    audience=asked("audience") or None,
    series=asked("series") or None,
    author=asked("author") or None,
)
known_sorts: dict[str, Sort] = {known: known for known in KNOWN_SORTS}
sort: Sort = known_sorts.get(asked("sort")) or "title"
count = data.count_works(filters)
last_page = max(1, -(-count // PER_PAGE))
page = min(max(year("page") or 1, 1), last_page)
facets = data.facets()

heading("Browse", count_of(count, "book", "books"))
selects = [
    select("subject", "Subject", "All subjects", [(s.name, capitalised(s.name)) for s in facets.subjects]),
    select("language", "Language", "All languages", [(c.name, language_name(c.name)) for c in facets.languages]),
    select("audience", "For", "Everyone", list(AUDIENCES.items())),
    select("format", "Format", "Any format", [(f.name, f.name) for f in facets.formats]),
]
selects += [select(name, name.capitalize(), "Any", []) for name in ("author", "series") if asked(name)]
order = select("sort", "Order", SORTS["title"], [(name, text) for name, text in SORTS.items() if name != "title"])
draw_filters(
    "filters",
    {
        "selects": [*selects, order],
        "years": {
            **{name: year(name) for name in _YEARS},
            "placeholders": [year_name(facets.years.first), year_name(facets.years.last)],
        },
        "directory": {"label": "Subjects and authors", "href": "/directory"},
        "clear": "/browse" if current.keys() - {"page", "sort"} else None,
    },
)
results()
if last_page > 1:
    pager(
        "pages",
        {
            "label": "Pages",
            "place": f"Page {page} of {last_page}",
            "previous": address("browse", **{**current, "page": page - 1}) if page > 1 else None,
            "next": address("browse", **{**current, "page": page + 1}) if page < last_page else None,
            "previous_label": "Back",
            "next_label": "Next",
        },
    )
