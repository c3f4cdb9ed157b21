"""Is this book for me?"""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard import book_access, data, files, handlers, state
from dashboard.chat.explain import term_said
from dashboard.chat.lexicon import LANGUAGES
from dashboard.components import furniture, own_lists
from dashboard.components.shelf import card, shelf
from dashboard.data import Record
from dashboard.language import _, current, language_name, number, plural
from dashboard.safe import plain_paragraphs
from dashboard.words import address, audiences, cover_address, language_tag, reason, subject_name, year_name
from openshelf.contracts import Action, Surface
from openshelf.database.catalogue import Edition, Work, WorkCard
from openshelf.database.filters import READABLE
from openshelf.identifiers import is_isbn

_SCHEMES = {"unchecked-isbn": "unchecked-ISBN", "imdb": "IMDb", "tmdb": "TMDB"}


def edition_line(edition: Edition) -> str:
    parts = [
        str(edition.published_year or ""),
        edition.publisher or "",
        ", ".join(language_name(code) for code in edition.languages),
        ", ".join(edition.formats),
        ", ".join(identifiers_of(edition)),
    ]
    return " · ".join(part for part in parts if part) or _("No more is known")


def identifiers_of(edition: Edition) -> list[str]:
    named = (identifier.split(" ", 1) for identifier in edition.identifiers)
    return [f"{'ISBN' if is_isbn(scheme) else _SCHEMES.get(scheme, scheme)} {value}" for scheme, value in named]


def details(record: Record) -> list[dict[str, str]]:
    """What the record says, one line each; what is not known has none."""
    work, editions = record.work, record.editions
    languages = dict.fromkeys(code for edition in editions for code in edition.languages)
    formats = sorted({name for edition in editions for name in edition.formats})
    publishers = dict.fromkeys(edition.publisher for edition in editions if edition.publisher)
    said = {
        _("Kind"): _("Film") if work.kind == "film" else "",
        _("Language"): ", ".join(language_name(code) for code in languages) or language_name(work.language),
        _("First shown") if work.kind == "film" else _("First published"): year_name(work.year),
        _("Publisher"): ", ".join(publishers) or (work.publisher or ""),
        _("For"): for_whom(record),
        _("Length"): plural("{count} page", "{count} pages", record.appeal.pages) if record.appeal.pages else "",
        _("Themes"): ", ".join(_term(term) for term in record.appeal.themes),
        _("Mood"): ", ".join(_term(term) for term in record.appeal.moods),
        _("Formats"): ", ".join(formats),
        _("Identifiers"): ", ".join(identifiers_of(editions[0])) if len(editions) == 1 else "",
    }
    return [{"label": label, "value": value} for label, value in said.items() if value]


def _term(term: str) -> str:
    language = current()
    return term_said(term, language) if language in LANGUAGES else term


def for_whom(record: Record) -> str:
    """The readers it is meant for; of what grown-ups read only where it is told from what age."""
    told = record.appeal
    audience = audiences().get(record.work.audience, "") if record.work.audience != "adult" else ""
    if told.age_from is None:
        return audience
    ages = (
        _("{first} years and older").format(first=number(told.age_from))
        if told.age_to is None
        else _("{first} to {last} years").format(first=number(told.age_from), last=number(told.age_to))
    )
    return f"{audience}, {ages}" if audience else ages


def access(book_id: int, formats: Sequence[str]) -> list[dict[str, str]]:
    """How accessible its EPUB says it is; of a book without one nothing is said."""
    if "EPUB" not in formats:
        return []
    return [{"label": label, "value": value} for label, value in book_access.in_words(book_access.find(book_id))]


def facts(record: Record) -> str:
    work = record.work
    rating = _("rated {stars} of 5").format(stars=number(work.rating)) if work.rating else ""
    kind = _("Film") if work.kind == "film" else ""
    return " · ".join(part for part in (kind, year_name(work.year), language_name(work.language), rating) if part)


def series_place(record: Record) -> dict[str, str] | None:
    work = record.work
    if not work.series_name:
        return None
    label = work.series_name
    if work.series_index:
        label = _("{series}, book {number}").format(series=label, number=number(work.series_index))
    return {"label": label, "href": address("shelf", series=work.series_name)}


def why(book_id: int) -> dict[str, str] | None:
    """Why the shelf that led here held this book."""
    origin = state.origin(book_id, Surface.BROWSE)
    if origin.slate_id is None:
        return None
    slate = data.latest_slate(state.shown_visitor().reader_key)
    place = next((each for each in slate.places if each.book_id == book_id), None) if slate else None
    if place is None:
        return None
    referred = (place.reason_book_id,) if place.reason_book_id else ()
    return reason(place, {work.book_id: work.title for work in data.cards(referred)})


def words(work: Work) -> dict[str, str]:
    of_film = {
        "want": _("Want to see"),
        "finish": _("I have seen it"),
        "finished": _("You have seen it"),
        "details": _("About this film"),
    }
    return {
        "read": _("Read now"),
        "want": _("Want to read"),
        "wanted": _("On your shelf"),
        "finish": _("I have read it"),
        "finished": _("You have read it"),
        "like": _("Like"),
        "liked": _("You like it"),
        "skip": _("Not now"),
        "skipped": _("Put aside for now"),
        "dislike": _("I do not like this"),
        "disliked": _("You do not like this"),
        "hide": _("Not interested, hide it"),
        "hidden": _("You said you are not interested; it stays off your shelves."),
        "unhide": _("Show it again"),
        "rating": _("Your rating"),
        "no_summary": _("No description yet."),
        "no_subjects": _("No subjects yet."),
        "subjects": _("Subjects"),
        "details": _("About this book"),
        "access": _("For every reader"),
        "editions": _("Editions"),
        "take_away": _("Take it with you"),
        "cover": _("Cover of {title} by {author}") if work.authors_text else _("Cover of {title}"),
    } | (of_film if work.kind == "film" else {})


@st.fragment
def draw(record: Record, surface: Surface) -> None:
    work, visitor = record.work, state.shown_visitor()
    marks = state.marks(visitor)
    shelved = marks.shelves.get(work.book_id)
    stars = marks.stars.get(work.book_id, 0)  # perhaps with a fraction: brought from elsewhere
    formats = sorted({name for edition in record.editions for name in edition.formats})
    shown: dict[str, Any] = {
        "title": work.title,
        "author": work.authors_text,
        "lang": language_tag(work.language),
        "cover": cover_address(work.book_id, work.cover_version),
        "authors": [{"label": name, "href": address("shelf", author=name)} for name in record.authors],
        "series": series_place(record),
        "facts": facts(record),
        "why": why(work.book_id),
        "summary": plain_paragraphs(work.summary),
        "subjects": [{"label": subject_name(name), "href": address("shelf", subject=name)} for name in record.subjects],
        "details": details(record),
        "access": access(work.book_id, formats),
        "editions": [edition_line(edition) for edition in record.editions] if len(record.editions) > 1 else [],
        "downloads": [
            {"label": each.format, "href": each.address}
            for each in files.downloads(visitor.account, work.book_id, formats)
        ],
        "read_href": address("read", id=work.book_id) if set(formats) & set(READABLE) else None,
        "wanted": shelved == "want",
        "finished": shelved == "read",
        "liked": marks.opinions.get(work.book_id) == "like",
        "disliked": marks.opinions.get(work.book_id) == "dislike",
        "hidden": work.book_id in marks.hidden,
        "skipped": work.book_id in marks.skipped,
        "stars": int(stars),
        "star_labels": [plural("{count} star", "{count} stars", count) for count in range(1, 6)],
        "rating_line": plural("You gave it {count} star", "You gave it {count} stars", stars)
        if stars
        else _("Rate it"),
        "words": words(work),
    }
    furniture.book("book", work.book_id, shown, surface)


@st.fragment
def row(key: str, heading: str, works: list[WorkCard], surface: Surface, more: tuple[str, str] | None = None) -> None:
    marks = state.marks(state.shown_visitor())
    shown = [work for work in works if work.book_id not in marks.away][: data.ROW]
    if shown:
        shelf(key, [card(work, n, marks, surface) for n, work in enumerate(shown)], surface, heading=heading, more=more)


@st.fragment
def series_row(record: Record) -> None:
    """The whole series in order, this book among it."""
    works = data.in_series(record.work.book_id)
    if not works:
        return
    marks = state.marks(state.shown_visitor())
    cards = [
        card(
            work,
            n,
            marks,
            Surface.SERIES,
            note=_("Book {number}").format(number=number(work.series_index)) if work.series_index else "",
        )
        for n, work in enumerate(works)
    ]
    series = record.work.series_name or ""
    more = (_("The whole series"), address("shelf", series=series))
    shelf("series", cards, Surface.SERIES, heading=_("In the same series"), more=more)


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
    st.set_page_config(page_title=_("This book is not on our shelves") + " · Openshelf")
    furniture.notice(
        _("This book is not on our shelves"),
        _("It may have been withdrawn. Search for it above, or browse what is there."),
        alone=True,
    )
    furniture.end_page()
title = known.work.title
st.set_page_config(page_title=f"{title} · Openshelf")
came_from = next((each for each in Surface if each == st.query_params.get("from")), Surface.BROWSE)
if state.enters(f"book {known.work.book_id}"):
    state.note_origin(known.work.book_id, found_at(known.work.book_id, came_from))
    handlers.do_on_book(Action.OPEN, known.work.book_id, came_from)
draw(known, came_from)
own_lists.menu(known.work.book_id)
series_row(known)
row("beside", _("Readers who liked this also liked"), data.read_beside(known.work.book_id), Surface.SIMILAR)
of_series = {work.book_id for work in data.in_series(known.work.book_id)}
near = [work for work in data.similar(known.work.book_id) if work.book_id not in of_series]
row("similar", _("Close in meaning"), near, Surface.SIMILAR)
account = state.shown_visitor().account
if account and account.is_staff:
    furniture.aside(
        _("For staff:"), _("Recommend it more, less, or not at all"), address("hand", book=known.work.book_id)
    )
