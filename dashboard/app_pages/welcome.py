"""What do you like already? Three books are enough for a first shelf of one's own."""

import streamlit as st

from dashboard import data, handlers, resources, state
from dashboard.acts import Deed
from dashboard.components.furniture import end_page, heading, notice, welcome
from dashboard.components.shelf import CardData, card
from dashboard.language import _
from dashboard.words import own_language_name, subject_name
from openshelf.contracts import Action, Surface
from openshelf.database import catalogue
from openshelf.database.catalogue import WorkCard

KEY = "welcome"
LEAST = 3
# More would say no more, and each is an act.
MOST = 12
GROUP = 18
SUBJECTS = 10
_DONE = "welcome.done"


@st.cache_data(ttl=60, show_spinner=False)
def offered(audiences: tuple[str, ...] | None, version: data.Version) -> list[tuple[str, list[WorkCard]]]:
    """What is shown to choose from: the popular works, then those of the largest subjects. The first name is ''."""
    with resources.connection() as conn:
        subjects = catalogue.subject_counts(conn, audiences=audiences)[:SUBJECTS]
        return [
            ("", catalogue.popular(conn, GROUP, audiences=audiences)),
            *((each.name, catalogue.by_subject(conn, each.name, GROUP, audiences=audiences)) for each in subjects),
        ]


def choose() -> None:
    """What was chosen is liked, as if the heart on each cover had been pressed."""
    said = getattr(st.session_state.get(KEY), "picked", None)
    ids = {each for each in said if isinstance(each, int)} if isinstance(said, list) else set()
    known = {work.book_id for _name, works in groups for work in works}
    deeds = [Deed(Action.LIKE, Surface.POPULAR, book_id) for book_id in sorted(ids & known)[:MOST]]
    if deeds and handlers.do(*deeds):
        st.session_state[_DONE] = True


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
heading(_("Which of these do you like?"), _("Choose three, and your first shelf is about them."))
welcome(
    KEY,
    [(name or _("Popular in the library"), cards(works)) for name, works in groups if works],
    LEAST,
    choose,
)
