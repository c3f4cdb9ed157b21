"""What is there of this author, on this subject, in this series?"""

import streamlit as st

from dashboard import asked, data, state
from dashboard.components import finding, furniture
from dashboard.components.shelf import card, shelf
from dashboard.language import _, number, plural
from dashboard.words import address, subject_name, year_name
from openshelf.contracts import Surface
from openshelf.database.catalogue import Sort, WorkCard
from openshelf.database.filters import Filters

PER_PAGE = 36
_SORTS: dict[str, Sort] = {"author": "newest_first", "series": "series", "subject": "title"}
_SURFACES = {"author": Surface.AUTHOR, "series": Surface.SERIES, "subject": Surface.BROWSE}


def note(work: WorkCard) -> str:
    if of == "series" and work.series_index:
        return _("Book {number}").format(number=number(work.series_index))
    return year_name(work.year)


@st.fragment
def everything() -> None:
    marks = state.marks(state.shown_visitor())
    works = data.browse(filters, _SORTS[of], PER_PAGE, (page - 1) * PER_PAGE)
    shelf(
        "everything",
        [card(work, n, marks, surface, note=note(work)) for n, work in enumerate(works)],
        surface,
        heading=_("All of them") if of == "subject" else "",
        layout="grid",
        eager=of != "subject",
    )


@st.fragment
def loved() -> None:
    marks = state.marks(state.shown_visitor())
    works = [work for work in data.of_subject(name) if work.book_id not in marks.away][: data.ROW]
    shelf(
        "loved",
        [card(work, n, marks, surface) for n, work in enumerate(works)],
        surface,
        heading=_("Best rated"),
        eager=True,
    )


of = next((each for each in _SORTS if asked.text(each)), "")
name = asked.subject() if of == "subject" else asked.text(of) if of else ""
filters = Filters(
    author=name if of == "author" else None,
    series=name if of == "series" else None,
    subject=name if of == "subject" else None,
)
count = data.count_works(filters) if of else 0
if not count:
    st.set_page_config(page_title=_("Nothing stands here") + " · Openshelf")
    furniture.notice(
        _("Nothing stands here"),
        _("No book of ours goes under this name. Look through the subjects and authors, or search."),
        alone=True,
    )
    finding.choices(
        "elsewhere",
        _("From here"),
        [
            (_("Subjects"), address("directory"), False),
            (_("Authors, A to Z"), address("directory", of="authors"), False),
            (_("Search"), address("find"), False),
        ],
    )
    furniture.end_page()
surface = _SURFACES[of]
shown = subject_name(name) if of == "subject" else name
last_page = max(1, -(-count // PER_PAGE))
page = min(max(asked.integer("page") or 1, 1), last_page)
st.set_page_config(page_title=f"{shown} · Openshelf")
finding.finder(
    "finder",
    shown,
    {
        "author": plural("{count} book by this author", "{count} books by this author", count),
        "series": plural("{count} book in this series, in order", "{count} books in this series, in order", count),
        "subject": plural("{count} book on this subject", "{count} books on this subject", count),
    }[of],
    [],
    ways=[
        (_("Narrow by language, year and more"), address("browse", **{of: name}), False),
        *(
            (subject_name(each.name), address("shelf", subject=each.name), False)
            for each in (data.subjects_beside(name) if of == "subject" else [])
        ),
    ],
    ways_label=_("From here"),
)
if of == "subject" and page == 1 and count > data.ROW:
    loved()
everything()
if last_page > 1:
    furniture.pager(
        "pages",
        {
            "label": _("Pages"),
            "place": _("Page {page} of {last}").format(page=page, last=last_page),
            "previous": address("shelf", **{of: name, "page": page - 1}) if page > 1 else None,
            "next": address("shelf", **{of: name, "page": page + 1}) if page < last_page else None,
            "previous_label": _("Back"),
            "next_label": _("Next"),
        },
    )
