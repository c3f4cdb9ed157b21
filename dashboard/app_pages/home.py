"""What should I read next?"""

import time
from datetime import timedelta

import streamlit as st

from dashboard import data, state
from dashboard.components.furniture import notice
from dashboard.components.shelf import card, shelf
from dashboard.words import address, capitalised, moved_by, reason
from openshelf.contracts import Slate, Surface, utc_now
from openshelf.database.catalogue import WorkCard

# The dataflow answers an act within tens of milliseconds; this is how soon the page looks.
LOOK_EVERY_S = 0.8
# An act this fresh is being answered: look this often, this many times.
FRESH = timedelta(seconds=1)
TRY_EVERY_S = 0.03
TRIES = 12
SUBJECT_ROWS = 4
HEADING = "For you"


def awaited_slate(reader_key: str) -> Slate | None:
    """The reader's slate. Right after an act, waits a little for its answer: it is on its way."""
    slate = data.latest_slate(reader_key)
    act = state.last_act()
    now = utc_now()
    if act is None or now - act.occurred_at > FRESH:
        return slate
    tries = 0
    while (slate is None or slate.created_at < act.occurred_at) and tries < TRIES:
        time.sleep(TRY_EVERY_S)
        slate = data.latest_slate(reader_key)
        tries += 1
    return slate


@st.fragment(run_every=LOOK_EVERY_S)
def for_you() -> None:
    try:
        draw_for_you()
    except state.OFFLINE:  # the next look, in a moment, finds it back
        notice("The catalogue is restarting", "Your shelf comes back by itself, usually within a minute.")


def draw_for_you() -> None:
    visitor = state.shown_visitor()
    slate = awaited_slate(visitor.reader_key)
    if slate is None or not slate.places:
        popular_instead()
        return
    state.note_offered(slate)
    marks = state.marks(visitor)
    referred = {place.reason_book_id for place in slate.places if place.reason_book_id}
    act = state.last_act()
    if act and act.book_id:
        referred.add(act.book_id)
    titles = {work.book_id: work.title for work in data.cards(tuple(sorted(referred)))}
    works = {work.book_id: work for work in data.cards(tuple(place.book_id for place in slate.places))}
    shelf(
        "for_you",
        [
            card(works[place.book_id], place.position, marks, Surface.FOR_YOU, reason=reason(place, titles))
            for place in slate.places
            if place.book_id in works and place.book_id not in marks.away
        ],
        Surface.FOR_YOU,
        heading=HEADING,
        level="h1",
        caption=_caption(slate, titles),
        layout="slate",
        slate_id=slate.slate_id,
        eager=True,
        empty="You have been through everything on this shelf. The next one comes in a moment.",
    )


def _caption(slate: Slate, titles: dict[int, str]) -> str:
    """What moved the shelf: said only of a slate that answers the act or a later one."""
    act = state.last_act()
    if act and slate.created_at >= act.occurred_at and (words := moved_by(act.action, titles.get(act.book_id or 0))):
        return words
    return "Open, like or pass over a book, and this shelf moves with you."


def popular_instead() -> None:
    """No slate yet: what the library reads, under its own name."""
    marks = state.marks(state.shown_visitor())
    works = [work for work in data.popular() if work.book_id not in marks.away][:12]
    shelf(
        "for_you_waiting",
        [card(work, place, marks, Surface.POPULAR) for place, work in enumerate(works)],
        Surface.POPULAR,
        heading=HEADING,
        level="h1",
        caption="Well loved in the library. Open or like a book, and this shelf becomes yours.",
        layout="slate",
        eager=True,
    )


@st.fragment
def row(key: str, heading: str, works: list[WorkCard], surface: Surface, more: tuple[str, str]) -> None:
    marks = state.marks(state.shown_visitor())
    shown = [work for work in works if work.book_id not in marks.away][: data.ROW]
    shelf(key, [card(work, n, marks, surface) for n, work in enumerate(shown)], surface, heading=heading, more=more)


if not data.newest():
    notice("The shelves are still empty", "As soon as a Calibre library has been taken in, its books stand here.")
    st.stop()
for_you()
row("popular", "Popular in the library", data.popular(), Surface.POPULAR, ("All by popularity", "/browse?sort=popular"))
row("new", "New on the shelves", data.newest(), Surface.NEW, ("All that is new", "/browse?sort=new"))
for subject in data.facets().subjects[:SUBJECT_ROWS]:
    everything = (f"All {subject.count_works:,}", address("browse", subject=subject.name))
    row(f"subject_{subject.name}", capitalised(subject.name), data.of_subject(subject.name), Surface.BROWSE, everything)
