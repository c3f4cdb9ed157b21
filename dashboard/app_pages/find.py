"""Is there a book about this?"""

from typing import get_args

import streamlit as st

from dashboard import asked, asking, data, handlers, resources, state
from dashboard.acts import Deed
from dashboard.components import finding, furniture
from dashboard.components.shelf import card, shelf
from dashboard.language import _, plural
from dashboard.words import address, year_name
from models import query_text, query_vectors, search
from openshelf.contracts import Action, Surface
from openshelf.database import requests
from openshelf.database.filters import Filters
from openshelf.settings import get_settings

_LIMIT = 60


@st.fragment
def results() -> None:
    marks = state.marks(state.shown_visitor())
    cards = [
        card(
            work,
            n,
            marks,
            Surface.SEARCH,
            note=year_name(work.year),
            asked=looked_for,
            summary=summaries.get(work.book_id),
            inside=places.get(work.book_id),
        )
        for n, work in enumerate(works)
    ]
    shelf(
        "found",
        cards,
        Surface.SEARCH,
        layout="grid",
        empty=_("Nothing was found. Try fewer words, another spelling, or ask the librarian."),
        eager=True,
    )


def notes() -> list[dict[str, str]]:
    """What is worth saying about how it was found."""
    said = []
    if mode == "meaning" and not query_vectors.compares_meaning():
        said.append({"text": _("Searching by meaning rests just now. These are the books that hold your words.")})
    if mended and is_mended:
        said.append(
            {
                "text": _("Nothing holds “{query}”. These are for").format(query=query),
                "link": mended,
                "href": asked.address_with("find", q=mended, page=None),
                "tail": ".",
            }
        )
    elif mended:
        said.append(
            {
                "text": _("Did you mean"),
                "link": mended,
                "href": asked.address_with("find", q=mended, page=None),
                "tail": "?",
            }
        )
    if elsewhere:
        count = plural("{count} book without them", "{count} books without them", len(elsewhere))
        line = _("No book holds these words with the filters that you chose:")
        said.append({"text": line, "link": count, "href": without_filters})
    elif works and not answered:
        said.append({"text": _("No book holds these words. These come nearest in meaning.")})
    return said


query = query_text.tidy(asked.text("q"))
modes = {
    "all": _("Everywhere"),
    "title": _("In titles"),
    "author": _("In authors"),
    "subject": _("In subjects"),
    "meaning": _("By meaning"),
}
if get_settings().search_inside:
    modes["inside"] = _("Inside the books")
mode: search.Mode = next((known for known in get_args(search.Mode) if known == asked.text("mode") in modes), "all")
filters = asked.filters()
if query:
    if is_new := state.enters(f"search {mode} {query}"):
        handlers.do(Deed(Action.SEARCH, Surface.SEARCH))
    hits = search.answers(data.find(query, mode, filters, _LIMIT), mode)
    works = data.cards(tuple(hit.book_id for hit in hits))
    total = len(works)
else:
    is_new, hits = False, []
    works = data.browse(filters, "popular", _LIMIT, 0)
    total = data.count_works(filters)
is_mended = any(hit.matched == "spelling" for hit in hits)
is_worded = any(hit.matched in ("words", "both") for hit in hits)
mended = data.did_you_mean(query) if query and not is_worded and mode not in ("meaning", "inside") else None
answered = not query or any(search.is_answer(hit, mode) for hit in hits)
looked_for = mended if mended and is_mended else query
places = {hit.book_id: hit.inside for hit in hits if hit.inside}
summaries = data.summaries([work.book_id for work in works]) if query and mode != "inside" else {}
chosen = asked.chosen("find")
without_filters = address("find", q=query, mode=asked.text("mode"))
# A filter that was left on must not pass for a book that is not there.
is_narrowed = bool(query and chosen and not is_worded and not is_mended and mode not in ("meaning", "inside"))
elsewhere = (
    [hit for hit in data.find(query, mode, Filters(), _LIMIT) if hit.matched != "meaning"] if is_narrowed else []
)
# What is looked for inside books may be anybody's sentence, and is no book that is missed.
if is_new and not answered and not chosen and mode != "inside":
    with resources.connection() as conn:
        requests.note_unanswered(conn, query)

st.set_page_config(page_title=(f"{query} · " if query else "") + _("Search") + " · Openshelf")
line = plural("{count} book", "{count} books", total)
if query:
    line = (_("{books} for “{query}”") if answered else _("Nothing for “{query}”")).format(books=line, query=query)
finding.finder(
    "finder",
    _("Search results"),
    line,
    asked.groups(data.facets()),
    notes=notes(),
    ways=[
        (label, asked.address_with("find", mode=None if each == "all" else each), each == mode)
        for each, label in modes.items()
    ],
    ways_label=_("Where to look"),
    is_folded=not chosen,
    chosen=chosen,
    clear=without_filters if chosen else None,
)
results()
if query and not elsewhere and (not works or not answered):
    asking.draw_form(query)
elif query:
    asking.draw_form(query, folded=True)
elif total > len(works):
    furniture.pager(
        "pages",
        {
            "label": _("Pages"),
            "place": "",
            "previous": None,
            "next": asked.address_with("browse", q=None, mode=None, sort="popular", page=2),
            "previous_label": "",
            "next_label": _("All of them"),
        },
    )
