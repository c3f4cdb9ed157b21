"""What staff do: routes that take the forms of their pages. Who may is checked where it is done, and noted there."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from math import isfinite
from urllib.parse import parse_qs, urlsplit

import psycopg
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dashboard import forms, language, logins
from dashboard.forms import Form
from dashboard.language import _
from dashboard.words import address
from models import search
from openshelf import works_deciding
from openshelf.contracts import utc_now
from openshelf.database import accounts, alerts, catalogue, dead_letters, hand, pool, staff_notes, works
from openshelf.database.accounts import Account
from openshelf.errors import ModelError, UsageError

# How strongly a book is boosted or buried, by the words of the form.
STRENGTHS = {"a little": 1.5, "clearly": 2.5, "strongly": hand.STRONGEST}
MUTES = ("0", "1", "7", "30")

_Act = Callable[[psycopg.Connection, Account, Form], str]


class _RefusedError(Exception):
    """What the form lacks, in words, and in which field."""

    def __init__(self, words: str, field: str | None = None) -> None:
        super().__init__(words)
        self.words, self.field = words, field


def _acting(act: _Act) -> Callable[[Request], object]:
    """A route for one act; `act` returns the address to go on to."""

    def handle(request: Request, form: Form) -> Response:
        with pool.get_pool().connection() as conn:
            staff = accounts.must_be_staff(logins.by_cookie(conn, request))
            try:
                with conn.transaction():
                    to = act(conn, staff, form)
            except _RefusedError as refusal:
                return forms.refuse(request, refusal.words, refusal.field)
            except ModelError as error:
                return forms.refuse(request, _("It does not load, so nothing was changed: {why}").format(why=error))
            except UsageError as error:
                return forms.refuse(request, _("This was not done: {why}").format(why=error))
        return forms.go(request, to)

    return forms.taking(handle)


def _surely(form: Form) -> None:
    if form.get("sure") != "1":
        raise _RefusedError(_("Please confirm it first."), "sure")


def _number(form: Form, name: str) -> int:
    said = form.get(name, "")
    if not (said.isascii() and said.isdecimal() and len(said) < 10):
        raise _RefusedError(_("Please load the page again: this form is not whole."))
    return int(said)


def _day(form: Form, name: str) -> date | None:
    said = form.get(name, "").strip()
    try:
        return date.fromisoformat(said) if said else None
    except ValueError as error:
        raise _RefusedError(_("Please give a day, as in 2026-03-30."), name) from error


def _span(form: Form) -> tuple[datetime | None, datetime | None]:
    """From the beginning of the first day to the end of the last, UTC; None: from now, and until it is taken back."""
    first, last = _day(form, "from"), _day(form, "until")
    if last and last < max(first or last, utc_now().date()):
        raise _RefusedError(_("The last day must not be over, nor before the first."), "until")
    return (
        datetime.combine(first, time(), UTC) if first else None,
        datetime.combine(last + timedelta(days=1), time(), UTC) if last else None,
    )


def _book(conn: psycopg.Connection, said: str, field: str = "book") -> int:
    """The work of a number, of the address of its page, or of a title that only one work has."""
    said = said.strip()
    number = said if said.isdecimal() else (parse_qs(urlsplit(said).query).get("id") or [""])[0]
    if number.isascii() and number.isdecimal() and len(number) < 10:
        if catalogue.work(conn, int(number)):
            return int(number)
        raise _RefusedError(_("There is no book {number}.").format(number=number), field)
    found = catalogue.cards(conn, [hit.book_id for hit in search.search(conn, said, "title", limit=20)]) if said else []
    same = [card for card in found if card.title.casefold() == said.casefold()]
    if len(same) == 1 or len(found) == 1:
        return (same or found)[0].book_id
    if not found:
        raise _RefusedError(_("No book is called that. Give its title, its number, or the address of its page."), field)
    named = "; ".join(f"{card.book_id} {card.title}" for card in (same or found)[:5])
    raise _RefusedError(_("Several books could be meant. Give the number of one: {books}").format(books=named), field)


def _promote(conn: psycopg.Connection, staff: Account, form: Form) -> str:
    from models import registry  # brings torch, which nothing else here needs

    _surely(form)
    version = form.get("version", "")
    registry.promote_by_staff(conn, staff, version, utc_now())
    return address("learning", done=version)


def _roll_back(conn: psycopg.Connection, staff: Account, form: Form) -> str:
    from models import registry

    _surely(form)
    return address("learning", done=registry.rollback_by_staff(conn, staff, "policy", utc_now()))


def _replay(conn: psycopg.Connection, staff: Account, form: Form) -> str:
    _surely(form)
    dead_letters.replay_by_staff(conn, staff, _number(form, "letter"), form.get("event", ""))
    return address("stream", done="replayed")


def _steer(conn: psycopg.Connection, staff: Account, form: Form) -> str:
    what, strength = form.get("what", ""), STRENGTHS.get(form.get("strength", ""))
    if what not in ("exclude", "boost", "bury") or strength is None:
        raise _RefusedError(_("Please choose what to do."), "what")
    book_id = _book(conn, form.get("book", ""))
    starts_at, ends_at = _span(form)
    factor = {"exclude": hand.EXCLUDED, "boost": strength, "bury": 1 / strength}[what]
    hand.steer(conn, staff, book_id, factor, starts_at, ends_at, form.get("note", ""))
    return address("hand", done=what)


def _pin(conn: psycopg.Connection, staff: Account, form: Form) -> str:
    book_id = _book(conn, form.get("book", ""))
    starts_at, ends_at = _span(form)
    hand.pin(conn, staff, book_id, _number(form, "place") - 1, starts_at, ends_at, form.get("note", ""))
    return address("hand", done="pin")


def _curate(conn: psycopg.Connection, staff: Account, form: Form) -> str:
    if not form.get("heading", "").strip():
        raise _RefusedError(_("Please give the row a heading."), "heading")
    named = [line for line in form.get("books", "").replace(";", "\n").splitlines() if line.strip()]
    if not 1 <= len(named) <= hand.MAX_ROW_WORKS:
        many = language.number(hand.MAX_ROW_WORKS)
        raise _RefusedError(_("Please name at least one book, and at most {count}.").format(count=many), "books")
    book_ids = list(dict.fromkeys(_book(conn, line, "books") for line in named))
    starts_at, ends_at = _span(form)
    hand.curate(conn, staff, form["heading"], book_ids, starts_at, ends_at)
    return address("hand", done="row")


def _take_back(conn: psycopg.Connection, staff: Account, form: Form) -> str:
    kind, _colon, number = form.get("which", "").partition(":")
    undo = {"steer": hand.release, "pin": hand.unpin, "row": hand.uncurate}.get(kind)
    if undo is None:
        raise _RefusedError(_("Please load the page again: this form is not whole."))
    undo(conn, staff, _number({"number": number}, "number"))
    return address("hand", done="back")


def _add_note(conn: psycopg.Connection, staff: Account, form: Form) -> str:
    day = _day(form, "day")
    if day is None:
        raise _RefusedError(_("Please give a day, as in 2026-03-30."), "day")
    if not form.get("note", "").strip():
        raise _RefusedError(_("Please say what happened."), "note")
    staff_notes.add(conn, staff, day, form["note"])
    return address("notes", done="added")


def _remove_note(conn: psycopg.Connection, staff: Account, form: Form) -> str:
    staff_notes.remove(conn, staff, _number(form, "note"))
    return address("notes", done="removed")


def _change_rule(conn: psycopg.Connection, staff: Account, form: Form) -> str:
    try:
        threshold = float(form.get("threshold", "").strip().replace(",", "."))
    except ValueError:
        threshold = -1.0
    if not (isfinite(threshold) and threshold >= 0):
        raise _RefusedError(_("Please give a number, 0 or more."), "threshold")
    if form.get("is_share") == "1":
        threshold /= 100
    mute = form.get("mute", "0")
    if mute not in MUTES:
        raise _RefusedError(_("Please load the page again: this form is not whole."))
    is_on = form.get("state") != "off"
    alerts.change(conn, staff, form.get("rule", ""), threshold, is_on=is_on, muted_days=int(mute))
    return address("alerts", done="changed")


def _work(conn: psycopg.Connection, form: Form, field: str = "book") -> int:
    return works.survivor(conn, _book(conn, form.get(field, ""), field))


def _look(conn: psycopg.Connection, _staff: Account, form: Form) -> str:
    return address("works", book=_work(conn, form))


def _merge(conn: psycopg.Connection, staff: Account, form: Form) -> str:
    book_id, other = _work(conn, form), _work(conn, form, "other")
    if book_id == other:
        raise _RefusedError(_("That is this work itself."), "other")
    _surely(form)
    works_deciding.merge(conn, staff, book_id, [other], form.get("note", "").strip())
    return address("works", book=book_id, done="merge")


def _split(conn: psycopg.Connection, staff: Account, form: Form) -> str:
    chosen = [name.removeprefix("edition-") for name, value in form.items() if name.startswith("edition-") and value]
    if not chosen:
        raise _RefusedError(_("Please choose at least one edition."))
    _surely(form)
    editions = [_number({"edition": number}, "edition") for number in chosen]
    book_id = _number(form, "book")
    works_deciding.split(conn, staff, book_id, editions, form.get("note", "").strip())
    return address("works", book=book_id, done="split")


def _keep_apart(conn: psycopg.Connection, staff: Account, form: Form) -> str:
    book_id = _number(form, "book")
    works_deciding.keep_apart(conn, staff, book_id, _number(form, "other"), form.get("note", "").strip())
    return address("works", done="apart")


def _undo(conn: psycopg.Connection, staff: Account, form: Form) -> str:
    made = works_deciding.undo(conn, staff, _number(form, "decision"))
    return address("works", book=made.book_id, done="undo")


def _put_alias(conn: psycopg.Connection, staff: Account, form: Form) -> str:
    for field in ("written", "name"):
        if not form.get(field, "").strip():
            raise _RefusedError(_("Please name the author twice: as the books write it, and as it is to be."), field)
    works_deciding.put_alias(conn, staff, form["written"], form["name"])
    return address("works", done="alias")


def _remove_alias(conn: psycopg.Connection, staff: Account, form: Form) -> str:
    works_deciding.remove_alias(conn, staff, form.get("written", ""))
    return address("works", done="no-alias")


def routes() -> list[BaseRoute]:
    taken: dict[str, _Act] = {
        "/staff/models/promote": _promote,
        "/staff/models/rollback": _roll_back,
        "/staff/dead-letters/replay": _replay,
        "/staff/hand/steer": _steer,
        "/staff/hand/pin": _pin,
        "/staff/hand/curate": _curate,
        "/staff/hand/take-back": _take_back,
        "/staff/notes/add": _add_note,
        "/staff/notes/remove": _remove_note,
        "/staff/alerts/rule": _change_rule,
        "/staff/works/look": _look,
        "/staff/works/merge": _merge,
        "/staff/works/split": _split,
        "/staff/works/apart": _keep_apart,
        "/staff/works/undo": _undo,
        "/staff/works/alias": _put_alias,
        "/staff/works/alias-remove": _remove_alias,
    }
    return [Route(path, _acting(act), methods=["POST"]) for path, act in taken.items()]
