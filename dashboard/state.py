"""Who is here, and what a tab keeps between two runs of its script."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import TypeVar
from uuid import UUID

import psycopg
import streamlit as st

from dashboard import resources, sessions
from openshelf import readers
from openshelf.contracts import Action, Interaction, Slate, Surface, utc_now
from openshelf.database import accounts, audiences, opinions, sign_ins
from openshelf.database.accounts import Account
from openshelf.errors import DatabaseError
from openshelf.privacy import choices
from openshelf.settings import get_settings

ACCOUNT_COOKIE = "openshelf_account"
VISIT_COOKIE = "openshelf_visit"
# Of a visitor without an account who wants no shelf of their own: "1". (Of an account it is kept with the account.)
PLAIN_COOKIE = "openshelf_plain"
# What means that Postgres is away for the moment.
OFFLINE = (psycopg.OperationalError, psycopg.InterfaceError, DatabaseError)

_SHELF_OF = {Action.WANT: "want", Action.READ: "reading", Action.FINISH: "read"}

# Keys of st.session_state, prefixed by who keeps them.
_VISIT = "state.visit"
_VISITOR = "state.visitor"
_WHO = "state.who"
_MARKS = "acts.marks"
_OWNER = "acts.owner"
_LAST_ACT = "acts.last"
_ENTERED = "acts.entered"
_ORIGINS = "acts.origins"
_OFFERED = "acts.offered"
_HEARD = "state.heard"


@dataclass(frozen=True)
class Visitor:
    """Who acts: an account or nobody, and under which reader_key and session the stream knows them."""

    account: Account | None
    visit: UUID
    session_id: UUID
    reader_key: str
    begins: bool  # the session begins with this run
    # False: nothing that they do is stored as an act, and no shelf is drawn for them.
    personal: bool = True

    @property
    def account_id(self) -> int | None:
        return self.account.account_id if self.account else None

    @property
    def owner(self) -> tuple[int, str | None] | None:
        """Whose the session is. Another pseudonym is another owner: no session leads from one to the other."""
        return owner_of(self.account)

    @property
    def audiences(self) -> list[str] | None:
        """What the account may see; None: everything. Every read of the catalogue is given it."""
        return audiences.allowed(self.account.audience_limit) if self.account else None


@dataclass(frozen=True)
class Origin:
    """What led to a book's page: a shelf, and the place of the slate if the shelf was one."""

    surface: Surface
    slate_id: UUID | None = None
    position: int | None = None


@dataclass
class Marks:
    """What this reader has said of books, the latest first, so that a page answers before the stream has."""

    opinions: dict[int, str] = field(default_factory=dict)  # 'like' or 'dislike'
    shelves: dict[int, str] = field(default_factory=dict)
    stars: dict[int, float] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)
    skipped: set[int] = field(default_factory=set)

    @property
    def away(self) -> set[int]:
        """What stays off the shelves for now."""
        return self.hidden | self.skipped

    @property
    def known(self) -> set[int]:
        """What a shelf of recommendations leaves out, whatever was drawn: of who keeps no history nothing is known
        there of what they read before this visit.
        """
        return self.away | {book_id for book_id, shelf in self.shelves.items() if shelf != "want"} | self.stars.keys()

    def follow(self, action: Action, book_id: int, value: float | None) -> None:
        """Let one act about a book leave its mark."""
        if action in (Action.LIKE, Action.DISLIKE):
            self.opinions = _first(self.opinions, book_id, action.value)
        elif action in _SHELF_OF:
            if not (action is Action.READ and self.shelves.get(book_id) == "read"):
                self.shelves = _first(self.shelves, book_id, _SHELF_OF[action])
        elif action is Action.RATE:
            self.stars = _first(self.stars, book_id, value or 0)
        elif action is Action.SKIP:
            self.skipped.add(book_id)
        elif action is Action.HIDE:
            self.hidden.add(book_id)
        elif action is Action.UNHIDE:
            self.hidden.discard(book_id)
            self.skipped.discard(book_id)


_Said = TypeVar("_Said")


def _first(said: dict[int, _Said], book_id: int, value: _Said) -> dict[int, _Said]:
    """The latest stands first, as it is stored."""
    return {book_id: value} | {other: old for other, old in said.items() if other != book_id}


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def cookie(name: str) -> str | None:
    """A cookie of the page this tab was opened with."""
    return st.context.cookies.get(name)


def current_account() -> Account | None:
    """Whose valid sign-in the cookie of this visit is; asked of the database each time."""
    token = cookie(ACCOUNT_COOKIE)
    if not token:
        return None
    with resources.connection() as conn:
        return sign_ins.account_of(conn, token_hash(token))


def is_signed_out_meanwhile() -> bool:
    """Whether the sign-in of this tab has ended since it was drawn: idle for too long, or ended on another device."""
    token = cookie(ACCOUNT_COOKIE)
    if not token:
        return False
    with resources.connection() as conn:
        return not sign_ins.is_valid(conn, token_hash(token))


def part_from_other(visitor: Visitor) -> bool:
    """Nothing that this tab kept for one account is there for another, or for nobody; whether there was another."""
    other = _WHO in st.session_state and st.session_state[_WHO] != visitor.account_id
    if other:
        heard = all_heard()  # numbers, and nobody's: else what was heard would be taken for the next one's
        st.session_state.clear()
        st.session_state[_VISITOR] = visitor
        st.session_state[_HEARD] = heard
    st.session_state[_WHO] = visitor.account_id
    return other


def all_heard() -> dict[str, dict[str, str | int]]:
    """What was heard of each component of this tab, by its key, see `handlers.told`."""
    return st.session_state.setdefault(_HEARD, {})


def current_visitor() -> Visitor:
    """The visitor as of now; a new session begins after half an hour without an act."""
    account = current_account()
    visit = sessions.parse_visit(cookie(VISIT_COOKIE))
    if visit is None:  # cookies are off: the session ends with this tab
        visit = st.session_state.setdefault(_VISIT, sessions.new_visit())
    if account and account.keeps_history and account.reader_key is None:
        account = _with_pseudonym(account)
    session_id, begins = resources.sessions().current(visit, owner_of(account), utc_now())
    reader_key = readers.session_key(session_id, "staff" if account and account.is_staff else "reader")
    if account and account.keeps_history and account.reader_key:
        reader_key = account.reader_key
    personal = account.personal if account else cookie(PLAIN_COOKIE) != "1"
    visitor = Visitor(account, visit, session_id, reader_key, begins, personal)
    st.session_state[_VISITOR] = visitor
    return visitor


def shown_visitor() -> Visitor:
    """The visitor of the last run or act: for what is drawn again by itself, which must not begin a session."""
    return st.session_state.get(_VISITOR) or current_visitor()


def owner_of(account: Account | None) -> tuple[int, str | None] | None:
    if account is None:
        return None
    return account.account_id, account.reader_key if account.keeps_history else None


def _with_pseudonym(account: Account) -> Account:
    with resources.connection() as conn:
        reader_key = choices.pseudonym(conn, get_settings(), account.account_id)
    return replace(account, reader_key=reader_key)


def marks(visitor: Visitor) -> Marks:
    """This visitor's marks; another reader or session in the same tab gets their own."""
    owner = (visitor.account_id, visitor.reader_key)
    if st.session_state.get(_OWNER) != owner:
        forget_marks()
        st.session_state[_MARKS] = _stored_marks(visitor)
        st.session_state[_OWNER] = owner
    return st.session_state[_MARKS]


def _stored_marks(visitor: Visitor) -> Marks:
    with resources.connection() as conn:
        said = opinions.opinions(conn, visitor.reader_key)
        if visitor.account_id is None:
            return Marks(opinions=said, shelves=opinions.begun(conn, visitor.reader_key))
        return Marks(
            opinions=said,
            shelves=accounts.shelves(conn, visitor.account_id),
            stars=accounts.ratings(conn, visitor.account_id),
            hidden=set(accounts.hidden(conn, visitor.account_id)),
        )


def forget_marks() -> None:
    """Read them again from what is stored."""
    for key in (_OWNER, _MARKS, _LAST_ACT, _ENTERED, _ORIGINS, _OFFERED):
        st.session_state.pop(key, None)


def note_act(visitor: Visitor, event: Interaction) -> None:
    """Let the marks follow an act that was recorded."""
    kept = marks(visitor)
    if event.action not in (Action.SHOW, Action.VISIT):
        st.session_state[_LAST_ACT] = event
    if event.action is Action.RESET:
        kept.opinions.clear()
        kept.skipped.clear()
    if event.book_id is not None:
        kept.follow(event.action, event.book_id, event.value)


def last_act() -> Interaction | None:
    return st.session_state.get(_LAST_ACT)


def note_offered(slate: Slate) -> None:
    """Remember where on the slate on screen each book stands."""
    st.session_state[_OFFERED] = places_of(slate)


def places_of(slate: Slate) -> dict[int, Origin]:
    """book_id -> its place on the slate."""
    return {place.book_id: Origin(Surface.FOR_YOU, slate.slate_id, place.position) for place in slate.places}


def offered(book_id: int) -> Origin | None:
    """The place of a book on the slate this tab showed last."""
    return st.session_state.get(_OFFERED, {}).get(book_id)


def note_origin(book_id: int, origin: Origin) -> None:
    st.session_state.setdefault(_ORIGINS, {})[book_id] = origin


def origin(book_id: int, otherwise: Surface) -> Origin:
    """What led this tab to a book, so that reading or liking it there answers the place it was found at."""
    return st.session_state.get(_ORIGINS, {}).get(book_id, Origin(otherwise))


def leave() -> None:
    """Another page is on screen: coming back to the same place is coming to it again."""
    st.session_state.pop(_ENTERED, None)


def enters(place: str) -> bool:
    """Whether this run comes to a place (a book's page, a search) rather than draws it again."""
    if st.session_state.get(_ENTERED) == place:
        return False
    st.session_state[_ENTERED] = place
    return True
