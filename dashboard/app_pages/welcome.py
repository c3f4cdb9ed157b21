"""What do you like already? Three books or subjects are enough for a first shelf of one's own."""

import streamlit as st

from dashboard import data, handlers, resources, state
from dashboard.components.furniture import end_page, heading, notice, welcome
from dashboard.components.shelf import CardData, card
from dashboard.language import _, plural
from dashboard.words import own_language_name, subject_name
from openshelf.contracts import Surface
from openshelf.database import catalogue
from openshelf.database.catalogue import Count, WorkCard

KEY = "welcome"
LEAST = 3
# More would say no more, and each is an act.
MOST = 12
GROUP = 18
# So many subjects to choose, and books of so many of them to look through.
SUBJECTS = 48
LOOKED_THROUGH = 10
_DONE = "welcome.done"


@st.cache_data(ttl=60, show_spinner=False)
def offered(audiences: tuple[str, ...] | None, version: data.Version) -> list[tuple[str, list[WorkCard]]]:
    """What is shown to choose from: the popular works, then those of the largest subjects. The first name is ''."""
    with resources.connection() as conn:
        subjects = catalogue.subject_counts(conn, audiences=audiences)[:LOOKED_THROUGH]
        return [
            ("", catalogue.popular(conn, GROUP, audiences=audiences)),
            *((each.name, catalogue.by_subject(conn, each.name, GROUP, audiences=audiences)) for each in subjects),
        ]


def choose() -> None:
    """Of what the browser says only what was offered counts: numbers of books, names of subjects."""
    said = getattr(st.session_state.get(KEY), "picked", None)
    picked = said[: 2 * MOST] if isinstance(said, list) else []
    known = {work.book_id for _name, works in groups for work in works}
    liked = sorted({each for each in picked if isinstance(each, int)} & known)[:MOST]
    subjects = [each.name for each in to_choose if each.name in picked][:MOST]
    if (liked or subjects) and handlers.choose(subjects, liked):
        st.session_state[_DONE] = True


def subject_tile(subject: Count) -> CardData:
    count = plural("{count} book on this subject", "{count} books on this subject", subject.count_works)
    return {"id": subject.name, "is_subject": True, "title": subject_name(subject.name), "author": count}


def cards(works: list[WorkCard]) -> list[CardData]:
    marks = state.marks(state.shown_visitor())
    return [card(work, n, marks, Surface.POPULAR) for n, work in enumerate(works) if work.book_id not in marks.away]


visitor = state.shown_visitor()
if st.session_state.pop(_DONE, False) or visitor.audiences is not None or not visitor.personal:
    st.switch_page("app_pages/home.py")  # where no taste is kept there is nothing to choose for
groups = [(subject_name(name), works) for name, works in offered(data.within(), data.shelves_version())]
if not groups[0][1]:
    notice(_("The shelves are still empty"), _("As soon as books have been taken in, they stand here."))
    end_page()
if code := data.own_language():
    groups.insert(0, (own_language_name(), data.popular(code)[:GROUP]))
to_choose = data.facets().subjects[:SUBJECTS]
heading(
    _("Which of these do you like?"),
    _(
        "Choose three, books or subjects, and your first shelf is about them. A subject counts for this visit only, "
        "and nothing of it is stored."
    ),
)
drawn = [(name or _("Popular in the library"), cards(works)) for name, works in groups if works]
# Second: it is seen where a phone shows two.
drawn.insert(1, (_("Subjects"), [subject_tile(each) for each in to_choose]))
welcome(KEY, drawn, LEAST, choose)
