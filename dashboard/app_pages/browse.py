"""What does the library have? Everything that narrows it stands in the address."""

import streamlit as st

from dashboard import asked, data, state
from dashboard.components import finding
from dashboard.components.furniture import pager
from dashboard.components.shelf import card, shelf
from dashboard.language import _, plural
from dashboard.words import address, sorts, year_name
from openshelf.contracts import Surface
from openshelf.database.catalogue import Sort

PER_PAGE = 36


@st.fragment
def results() -> None:
    marks = state.marks(state.shown_visitor())
    works = data.browse(filters, sort, PER_PAGE, (page - 1) * PER_PAGE)
    shelf(
        "results",
        [card(work, n, marks, Surface.BROWSE, note=year_name(work.year)) for n, work in enumerate(works)],
        Surface.BROWSE,
        layout="grid",
        empty=_("Nothing stands here with all of that. Take one away and look again."),
        eager=True,
    )


filters = asked.filters()
known_sorts: dict[str, Sort] = {"title": "title", "new": "new", "newest_first": "newest_first",
                                "oldest_first": "oldest_first", "rating": "rating", "popular": "popular"}  # fmt: skip
sort: Sort = known_sorts.get(asked.text("sort")) or "title"
count = data.count_works(filters)
last_page = max(1, -(-count // PER_PAGE))
page = min(max(asked.integer("page") or 1, 1), last_page)
facets = data.facets()
chosen = asked.chosen("browse")

st.set_page_config(page_title=" · ".join([*(label for label, _href in chosen[:2]), _("Browse"), "Openshelf"]))
finding.finder(
    "finder",
    _("Browse"),
    plural("{count} book", "{count} books", count),
    asked.groups(facets),
    ways=[
        (label, asked.address_with("browse", page=None, sort=None if each == "title" else each), each == sort)
        for each, label in sorts().items()
    ],
    ways_label=_("Order"),
    chosen=chosen,
    clear=address("browse", sort=asked.text("sort")) if chosen else None,
    beside=(_("Subjects, authors and series"), "/directory"),
)
results()
if last_page > 1:
    pager(
        "pages",
        {
            "label": _("Pages"),
            "place": _("Page {page} of {last}").format(page=page, last=last_page),
            "previous": asked.address_with("browse", page=page - 1) if page > 1 else None,
            "next": asked.address_with("browse", page=page + 1) if page < last_page else None,
            "previous_label": _("Back"),
            "next_label": _("Next"),
        },
    )
