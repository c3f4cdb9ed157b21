"""Is there a book about this?"""

from typing import get_args

import streamlit as st

from dashboard import data, handlers, resources, state
from dashboard.acts import Deed
from dashboard.components import furniture
from dashboard.components.shelf import card, shelf
from dashboard.words import AUDIENCES, capitalised, count_of, language_name, year_name
from models import search
from openshelf.contracts import Action, Surface
from openshelf.database.filters import Filters

_NAMES = ("mode", "language", "subject", "format", "audience")
_MODES = {
    "all": "Everywhere",
    "title": "In titles",
    "author": "In authors",
    "subject": "In subjects",
    "meaning": "By meaning",
}
_LIMIT = 48


def asked(name: str) -> str:
    return st.query_params.get(name, "")[: search.MAX_QUERY]


def select(name: str, label: str, options: dict[str, str]) -> dict:
    shown = [{"value": value, "label": text} for value, text in options.items()]
    return {"name": name, "label": label, "value": asked(name), "options": shown}


@st.fragment
def results() -> None:
    marks = state.marks(state.shown_visitor())
    shelf(
        "found",
        [card(work, n, marks, Surface.SEARCH, note=year_name(work.year)) for n, work in enumerate(works)],
        Surface.SEARCH,
        layout="grid",
        empty="Nothing was found. Try fewer words, another spelling, or ask the librarian.",
        eager=True,
    )


query = asked("q")
if not search.tidy(query):
    furniture.notice("What are you looking for?", "Type a title, an author, a subject, or what it should feel like.")
    st.stop()
mode: search.Mode = next((known for known in get_args(search.Mode) if known == asked("mode")), "all")
filters = Filters(
    language=asked("language") or None,
    subject=asked("subject") or None,
    format=asked("format") or None,
    audience=asked("audience") or None,
)
if state.enters(f"search {mode} {query}"):
    handlers.do(Deed(Action.SEARCH, Surface.SEARCH))
with resources.connection() as conn:
    hits = search.search(conn, query, mode, filters, _LIMIT)
works = data.cards(tuple(hit.book_id for hit in hits))
facets = data.facets()

furniture.heading("Search results", count_of(len(works), "book", "books") + (", the best first" if works else ""))
furniture.filters(
    "narrow",
    {
        "selects": [
            select("mode", "Look", {("" if each == "all" else each): text for each, text in _MODES.items()}),
            select("subject", "Subject", {"": "All subjects"} | {s.name: capitalised(s.name) for s in facets.subjects}),
            select("language", "Language", {"": "All"} | {c.name: language_name(c.name) for c in facets.languages}),
            select("audience", "For", {"": "Everyone"} | AUDIENCES),
            select("format", "Format", {"": "Any format"} | {f.name: f.name for f in facets.formats}),
        ],
        "years": None,
        "clear": None,
    },
)
results()
