"""Is this book for me?"""

import streamlit as st

from dashboard import data, handlers, state
from dashboard.components import furniture
from dashboard.components.shelf import card, cover_address, shelf
from dashboard.data import Record
from dashboard.safe import plain_paragraphs
from dashboard.words import AUDIENCES, address, capitalised, count_of, language_name, language_tag, number, year_name
from openshelf.contracts import Action, Surface
from openshelf.database.catalogue import Edition, WorkCard


def edition_line(edition: Edition) -> str:
    parts = [
        str(edition.published_year or ""),
        edition.publisher or "",
        ", ".join(language_name(code) for code in edition.languages),
        ", ".join(edition.formats),
        ", ".join(identifier.replace("isbn", "ISBN") for identifier in edition.identifiers),
    ]
    return " · ".join(part for part in parts if part)


def facts(record: Record) -> str:
    work = record.work
    rating = f"rated {number(work.rating)} of 5" if work.rating else ""
    kind = "Film" if work.kind == "film" else ""
    return " · ".join(part for part in (kind, year_name(work.year), language_name(work.language), rating) if part)


@st.fragment
def draw(record: Record, surface: Surface) -> None:
    work, marks = record.work, state.marks(state.shown_visitor())
    shelved = marks.shelves.get(work.book_id)
    stars = int(marks.stars.get(work.book_id, 0))
    index = f", book {number(work.series_index)}" if work.series_index else ""
    formats = {name for edition in record.editions for name in edition.formats}
    furniture.book(
        "book",
        work.book_id,
        {
            "title": work.title,
            "author": work.authors_text,
            "lang": language_tag(work.language),
            "cover": cover_address(work.book_id, work.cover_version),
            "authors": [{"label": name, "href": address("browse", author=name)} for name in record.authors],
            "series": {"label": work.series_name + index, "href": address("browse", series=work.series_name)}
            if work.series_name
            else None,
            "facts": facts(record),
            "summary": plain_paragraphs(work.summary),
            "subjects": [
                {"label": capitalised(name), "href": address("browse", subject=name)} for name in record.subjects
            ],
            "audience": AUDIENCES.get(work.audience) if work.audience != "adult" else None,
            "editions": [edition_line(edition) for edition in record.editions],
            "read_href": address("read", id=work.book_id) if "EPUB" in formats else None,
            "wanted": shelved == "want",
            "finished": shelved == "read",
            "liked": marks.opinions.get(work.book_id) == "like",
            "disliked": marks.opinions.get(work.book_id) == "dislike",
            "hidden": work.book_id in marks.hidden,
            "skipped": work.book_id in marks.skipped,
            "stars": stars,
            "rating_line": f"You gave it {count_of(stars, 'star', 'stars')}" if stars else "Rate it",
        },
        surface,
    )


@st.fragment
def row(key: str, heading: str, works: list[WorkCard], surface: Surface) -> None:
    marks = state.marks(state.shown_visitor())
    shown = [work for work in works if work.book_id not in marks.away][: data.ROW]
    if shown:
        shelf(key, [card(work, n, marks, surface) for n, work in enumerate(shown)], surface, heading=heading)


def found_at(book_id: int, surface: Surface) -> state.Origin:
    """What led here. A card cannot say it: what it sends is lost when the page goes. So the slate is asked."""
    if surface is not Surface.FOR_YOU:
        return state.Origin(surface)
    if here := state.offered(book_id):
        return here
    slate = data.latest_slate(state.shown_visitor().reader_key)  # a tab of its own has shown no slate
    places = state.places_of(slate) if slate else {}
    return places.get(book_id, state.Origin(surface))


asked = st.query_params.get("id", "")
known = data.record(int(asked)) if asked.isascii() and asked.isdecimal() and len(asked) < 10 else None
if known is None:
    furniture.notice(
        "This book is not on our shelves", "It may have been withdrawn. Search for it above, or browse what is there."
    )
    st.stop()
came_from = next((each for each in Surface if each == st.query_params.get("from")), Surface.BROWSE)
if state.enters(f"book {known.work.book_id}"):
    state.note_origin(known.work.book_id, found_at(known.work.book_id, came_from))
    handlers.do_on_book(Action.OPEN, known.work.book_id, came_from)
draw(known, came_from)
row("series", "In the same series", data.in_series(known.work.book_id), Surface.SERIES)
row("similar", "If you like this one", data.similar(known.work.book_id), Surface.SIMILAR)
