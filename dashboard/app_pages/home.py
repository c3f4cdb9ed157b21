"""What should I read next?"""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import chain, repeat, zip_longest

import streamlit as st

from dashboard import data, language, resources, state
from dashboard.components import own_data
from dashboard.components.furniture import end_page, notice
from dashboard.components.shelf import card, shelf
from dashboard.language import _, number
from dashboard.sessions import Choice
from dashboard.state import Marks
from dashboard.words import address, moved_by, own_language_name, reason, subject_name
from openshelf.contracts import Place, Slate, Surface, utc_now
from openshelf.database.catalogue import Count, WorkCard

# The dataflow answers an act within tens of milliseconds; this is how soon the page looks.
LOOK_EVERY_S = 0.8
# An act this fresh is being answered: look this often, this many times.
FRESH = timedelta(seconds=1)
TRY_EVERY_S = 0.03
TRIES = 12
# What is no slate has as many places as one, as it comes.
PLACES = 12
SUBJECT_ROWS = 4
# So many of the books that a reader liked get a row of what is like them.
BECAUSE_ROWS = 2
LIKED_STARS = 4


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
        notice(_("The catalogue is restarting"), _("Your shelf comes back by itself, usually within a minute."))


def draw_for_you() -> None:
    visitor = state.shown_visitor()
    if not visitor.personal:
        popular_instead(_("The same for everyone: what the library reads. Nothing of what you do is stored."))
        return
    if visitor.audiences is not None:  # of a child nothing is kept, and nothing is concluded
        popular_instead(_("Well loved in the library."))
        return
    choice = resources.sessions().chosen(visitor.visit, visitor.owner)
    if choice and choice.leads and from_choice(choice):
        return
    slate = awaited_slate(visitor.reader_key)
    marks = state.marks(visitor)
    if slate is None or all(place.book_id in marks.known - marks.away for place in slate.places):
        popular_instead(_("Well loved in the library. Open or like a book, and this shelf becomes yours."))
        return
    state.note_offered(slate)
    titles = titles_said(slate)
    shelf(
        "for_you",
        [
            card(work, place.position, marks, Surface.FOR_YOU, reason=reason(place, titles))
            for place, work in works_on(slate, marks)
        ],
        Surface.FOR_YOU,
        heading=_("For you"),
        level="h1",
        caption=_caption(slate, titles),
        layout="slate",
        slate_id=slate.slate_id,
        more=_first_choice(),
        eager=True,
        empty=_("You have been through everything on this shelf. The next one comes in a moment."),
    )


def titles_said(slate: Slate) -> dict[int, str]:
    """Of the books that its reasons and its caption name."""
    referred = {place.reason_book_id for place in slate.places if place.reason_book_id}
    act = state.last_act()
    if act and act.book_id:
        referred.add(act.book_id)
    return {work.book_id: work.title for work in data.cards(tuple(sorted(referred)))}


def works_on(slate: Slate, marks: Marks) -> list[tuple[Place, WorkCard]]:
    works = {work.book_id: work for work in data.cards(tuple(place.book_id for place in slate.places))}
    away = marks.known | data.excluded()
    return [
        (place, works[place.book_id]) for place in slate.places if place.book_id in works and place.book_id not in away
    ]


def from_choice(choice: Choice) -> bool:
    """The first row after subjects were chosen: of each its best rated works, in turn; False where there are none.

    What is in the language of the page comes first: of a catalogue in several, the best rated are few in each.

    Where books were chosen, too, every one of them has a turn of the slate that answers them. The row is not that
    slate, whose places and their propensities are others: it is a shelf, and acts on it answer no place.
    """
    visitor = state.shown_visitor()
    marks = state.marks(visitor)
    sources: list[Iterator[tuple[WorkCard, Mapping[str, str] | None]]] = []
    if choice.count_books and (slate := awaited_slate(visitor.reader_key)):
        titles = titles_said(slate)
        answers = iter([(work, reason(place, titles)) for place, work in works_on(slate, marks)])
        sources += [answers] * choice.count_books
    for name in choice.subjects:
        because = {"text": _("Because you chose {subject}").format(subject=subject_name(name))}
        own_first = sorted(data.of_subject(name), key=lambda work: not language.is_current(work.language or ""))
        sources.append(zip(own_first, repeat(because)))
    known = {*marks.opinions, *marks.shelves} | marks.known
    offered: dict[int, tuple[WorkCard, Mapping[str, str] | None]] = {}
    for each in chain.from_iterable(zip_longest(*sources)):
        if each and each[0].book_id not in known and len(offered) < PLACES:
            offered.setdefault(each[0].book_id, each)
    if not offered:
        return False
    shelf(
        "for_you_chosen",
        [
            card(work, place, marks, Surface.BROWSE, reason=because)
            for place, (work, because) in enumerate(offered.values())
        ],
        Surface.BROWSE,
        heading=_("For you"),
        level="h1",
        caption=_("From what you chose. Open, like or pass over a book, and this shelf moves with you."),
        layout="slate",
        more=(_("Choose others"), "/welcome"),
        eager=True,
    )
    return True


def _caption(slate: Slate, titles: dict[int, str]) -> str:
    """What moved the shelf: said only of a slate that answers the act or a later one."""
    act = state.last_act()
    if act and slate.created_at >= act.occurred_at and (words := moved_by(act.action, titles.get(act.book_id or 0))):
        return words
    return _("Open, like or pass over a book, and this shelf moves with you.")


def _first_choice() -> tuple[str, str] | None:
    """The way to a first choice, for who has said nothing of any book yet."""
    visitor = state.shown_visitor()
    marks = state.marks(visitor)
    if marks.opinions or marks.shelves or marks.stars or not visitor.personal or visitor.audiences is not None:
        return None
    return _("Choose three books or subjects you like"), "/welcome"


def popular_instead(caption: str) -> None:
    """No slate yet: what the library reads, under its own name."""
    visitor = state.shown_visitor()
    marks = state.marks(visitor)
    out = marks.known if visitor.personal else marks.away
    works = [work for work in data.popular() if work.book_id not in out][:PLACES]
    shelf(
        "for_you_waiting",
        [card(work, place, marks, Surface.POPULAR) for place, work in enumerate(works)],
        Surface.POPULAR,
        heading=_("For you") if visitor.personal else _("For everyone"),
        level="h1",
        caption=caption,
        layout="slate",
        more=_first_choice(),
        eager=True,
    )


@st.fragment
def row(key: str, heading: str, works: list[WorkCard], surface: Surface, more: tuple[str, str] | None = None) -> None:
    marks = state.marks(state.shown_visitor())
    shown = [work for work in works if work.book_id not in marks.away][: data.ROW]
    if shown:
        cards = [
            card(work, n, marks, surface, note=volume(work) if surface is Surface.SERIES else "")
            for n, work in enumerate(shown)
        ]
        shelf(key, cards, surface, heading=heading, more=more)


def volume(work: WorkCard) -> str:
    return _("Book {number}").format(number=number(work.series_index)) if work.series_index else ""


def continue_reading(marks: Marks) -> None:
    begun = [book_id for book_id, on in marks.shelves.items() if on == "reading"]
    if begun:
        row("reading", _("Continue reading"), data.cards(tuple(begun[: data.ROW])), Surface.BROWSE)


def next_in_series(marks: Marks) -> None:
    read = [book_id for book_id, on in marks.shelves.items() if on == "read"]
    met = {book_id for book_id, on in marks.shelves.items() if on == "reading"} | marks.away
    following = [work for work in data.next_in_series(read) if work.book_id not in met]
    row("next", _("Next in your series"), following, Surface.SERIES)


def liked_of_late(marks: Marks) -> list[int]:
    """Books the reader spoke well of, the latest first."""
    liked = [book_id for book_id, said in marks.opinions.items() if said == "like"]
    liked += [book_id for book_id, stars in marks.stars.items() if stars >= LIKED_STARS]
    return list(dict.fromkeys(liked))


def because_you_liked(marks: Marks) -> None:
    known = {*marks.shelves, *marks.stars, *marks.opinions}
    for work in data.cards(tuple(liked_of_late(marks)[:BECAUSE_ROWS])):
        like_it = [other for other in data.similar(work.book_id) if other.book_id not in known]
        heading = _("Because you liked {title}").replace("{title}", work.title)
        row(f"because_{work.book_id}", heading, like_it, Surface.SIMILAR)


def chosen_subjects() -> list[Count]:
    """The subjects that this visitor chose, once the first row is no longer made of them."""
    visitor = state.shown_visitor()
    choice = resources.sessions().chosen(visitor.visit, visitor.owner)
    if choice is None or choice.leads or not visitor.personal or visitor.audiences is not None:
        return []
    return [subject for subject in data.facets().subjects if subject.name in choice.subjects]


def chosen_by_staff() -> None:
    for chosen in data.curated():
        row(f"curated_{chosen.row_id}", chosen.heading, data.cards(tuple(chosen.book_ids)), Surface.CURATED)


def in_own_language() -> None:
    """Where most of the library is in another language: what is there in the one that the reader chose."""
    if code := data.own_language():
        everything = (_("All by popularity"), address("browse", language=code, sort="popular"))
        row("own_language", own_language_name(), data.popular(code), Surface.POPULAR, everything)


def of_subjects(subjects: Sequence[Count]) -> None:
    for subject in subjects:
        everything = (
            _("All {count}").format(count=number(subject.count_works)),
            address("shelf", subject=subject.name),
        )
        heading = subject_name(subject.name)
        row(f"subject_{subject.name}", heading, data.of_subject(subject.name), Surface.BROWSE, everything)


if not data.newest():
    notice(
        _("The shelves are still empty"),
        _("As soon as a Calibre library has been taken in, its books stand here."),
        alone=True,
    )
    end_page()
for_you()
if state.shown_visitor().audiences is None:
    own_data.mode_switch(state.shown_visitor(), "/")
own = chosen_subjects()
if state.shown_visitor().personal:
    own_marks = state.marks(state.shown_visitor())
    continue_reading(own_marks)
    next_in_series(own_marks)
    because_you_liked(own_marks)
    of_subjects(own)
chosen_by_staff()
in_own_language()
row(
    "popular",
    _("Popular in the library"),
    data.popular(),
    Surface.POPULAR,
    (_("All by popularity"), "/browse?sort=popular"),
)
row("new", _("New on the shelves"), data.newest(), Surface.NEW, (_("All that is new"), "/browse?sort=new"))
of_subjects([subject for subject in data.facets().subjects if subject not in own][:SUBJECT_ROWS])
