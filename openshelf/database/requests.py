"""What readers ask the library to get, and searches that found nothing. Every call checks who asks."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, LiteralString, get_args

import psycopg
from psycopg.rows import class_row
from stdnum import isbn

from openshelf.contracts import clean_text
from openshelf.database import attempts, audit
from openshelf.database.accounts import Account, must_be_staff
from openshelf.database.attempts import Limit
from openshelf.errors import UsageError
from openshelf.folding import fold_words

Status = Literal["asked", "looking", "bought", "declined"]
STATUSES: tuple[Status, ...] = get_args(Status)
OPEN: tuple[Status, ...] = ("asked", "looking")

MAX_NAME = 300
MAX_NOTE = 1_000
MAX_SEARCH = 100
# What was asked fewer times is not shown to staff in its own words: whoever asked could be known.
LEAST = 5
MAX_GROUPS = 200
Kind = Literal["search", "chat"]
_YEARS = re.compile(r"\d{3,4}\s?-\s?\d{3,4}")
# More wishes than these are a slip or a program.
OF_ONE = Limit("ask for a book", 10, timedelta(hours=1))
OF_ALL_VISITORS = Limit("ask for a book", 200, timedelta(hours=1))


@dataclass(frozen=True)
class Request:
    """One reader's wish, as they see it."""

    request_id: int
    title: str
    author: str
    note: str
    status: Status
    answer: str
    asked_at: datetime
    decided_at: datetime | None


@dataclass(frozen=True)
class Wish:
    """One title as staff see it: all who asked for it together, and none of them by name."""

    request_key: str
    title: str
    author: str
    notes: list[str]
    status: Status
    answer: str
    count_asked: int
    first_asked_at: datetime
    last_asked_at: datetime


@dataclass(frozen=True)
class UnansweredSearch:
    """What was looked for in vain. `folded`: the words; '' where none were kept."""

    kind: Kind
    folded: str
    count_searches: int
    last_day: date


@dataclass(frozen=True)
class Unanswered:
    """`groups`: what was asked for at least `LEAST` times; the rest as numbers only."""

    groups: list[UnansweredSearch]
    count_rare: int  # how many others there were
    count_rare_searches: int  # and how often they were asked for, together


def ask(
    conn: psycopg.Connection,
    account: Account | None,
    title: str,
    author: str = "",
    note: str = "",
    *,
    secret: bytes,
    visit: str,
) -> int:
    """Put a wish into the queue; returns its request_id. Without an account nothing says who asked.

    The same wish of the same account, while it is open, is kept once. `visit` names the session for the limit only.

    Raises:
        UsageError: there is no title.
        TooOftenError: enough for now.
    """
    title, author, note = _line(title, MAX_NAME), _line(author, MAX_NAME), _line(note, MAX_NOTE)
    key = fold_words(title)
    if not key:
        raise UsageError("a request needs a title")
    who = f"account {account.account_id}" if account else f"visit {visit}"
    tries = [(OF_ONE, who)] if account else [(OF_ONE, who), (OF_ALL_VISITORS, "visitors")]
    attempts.spend(conn, secret, tries)
    account_id = account.account_id if account else None
    if account_id is not None:
        known = conn.execute(
            """select request_id from reading.requests
               where account_id = %s and request_key = %s and status = any(%s)""",
            [account_id, key, list(OPEN)],
        ).fetchone()
        if known:
            return known[0]
    # Who joins a wish that staff are at work on sees how it stands.
    made = conn.execute(
        """insert into reading.requests (account_id, title, author, note, request_key, status, answer)
           select %(account_id)s, %(title)s, %(author)s, %(note)s, %(key)s,
               coalesce(standing.status, 'asked'), coalesce(standing.answer, '')
           from (select 1) as always left join lateral (
               select status, answer from reading.requests
               where request_key = %(key)s and status = any(%(open)s) order by asked_at limit 1
           ) as standing on true
           returning request_id""",
        {"account_id": account_id, "title": title, "author": author, "note": note, "key": key, "open": list(OPEN)},
    ).fetchone()
    assert made
    return made[0]


def of_account(conn: psycopg.Connection, account_id: int) -> list[Request]:
    """What an account has asked for, the newest first."""
    with conn.cursor(row_factory=class_row(Request)) as cursor:
        return cursor.execute(
            """select request_id, title, author, note, status, answer, asked_at, decided_at
               from reading.requests where account_id = %s order by asked_at desc, request_id desc""",
            [account_id],
        ).fetchall()


def take_back(conn: psycopg.Connection, account_id: int, request_id: int) -> bool:
    """Forget an account's own wish; False if it is not theirs."""
    done = conn.execute(
        "delete from reading.requests where account_id = %s and request_id = %s", [account_id, request_id]
    )
    return done.rowcount == 1


_WISHES: LiteralString = """
    select request_key, (array_agg(title order by asked_at))[1] as title,
        coalesce((array_agg(author order by asked_at) filter (where author <> ''))[1], '') as author,
        coalesce(array_agg(note order by asked_at) filter (where note <> ''), '{}') as notes,
        status, (array_agg(answer order by decided_at desc nulls last))[1] as answer, count(*) as count_asked,
        min(asked_at) as first_asked_at, max(asked_at) as last_asked_at
    from reading.requests where status = any(%s)
    group by request_key, status
    order by count(*) desc, min(asked_at), request_key
    limit 500
"""


def queue(conn: psycopg.Connection, staff: Account | None, statuses: tuple[Status, ...] = OPEN) -> list[Wish]:
    """Wishes with one of these statuses, what most readers ask for first.

    Raises:
        NotAllowedError: who asks is not staff.
    """
    must_be_staff(staff)
    with conn.cursor(row_factory=class_row(Wish)) as cursor:
        return cursor.execute(_WISHES, [list(statuses)]).fetchall()


def decide(
    conn: psycopg.Connection, staff: Account | None, request_key: str, before: Status, status: Status, answer: str = ""
) -> int:
    """Give every wish for a title that stands at `before` a new status; returns how many readers see it change.

    Raises:
        NotAllowedError: who decides is not staff.
        UsageError: there is no such status.
    """
    account = must_be_staff(staff)
    if status not in STATUSES:
        raise UsageError(f"a request is {', '.join(STATUSES)}; not {status!r}")
    done = conn.execute(
        """update reading.requests set status = %s, answer = %s, decided_at = now()
           where request_key = %s and status = %s""",
        [status, _line(answer, MAX_NOTE), request_key, before],
    )
    if done.rowcount:
        audit.note(conn, audit.actor_of(account.account_id), f"request {status}", request_key)
    return done.rowcount


def note_unanswered(conn: psycopg.Connection, text: str, kind: Kind = "search") -> None:
    """Count a search or a question that found nothing: its words and the day, nothing of who typed it.

    Words in which a person could stand are not kept: it is counted without them, as a question without words is.
    """
    folded = "" if may_name_somebody(text) else fold_words(clean_text(text))[:MAX_SEARCH]
    if folded or clean_text(text).strip() or kind == "chat":
        conn.execute(
            """insert into reading.unanswered_searches (kind, folded) values (%s, %s)
               on conflict (day, kind, folded)
               do update set count_searches = unanswered_searches.count_searches + 1""",
            [kind, folded],
        )


def may_name_somebody(text: str) -> bool:
    """Whether an address or a number to call may stand in a text; the number of a book and years are none."""
    numbers = re.findall(r"\d[\d\s().\-]{5,}\d", text)
    return "@" in text or any(not isbn.is_valid(number) and not _YEARS.fullmatch(number) for number in numbers)


def unanswered(conn: psycopg.Connection, staff: Account | None, days: int = 30) -> Unanswered:
    """What was looked for in vain in the last days, the most frequent first.

    Raises:
        NotAllowedError: who asks is not staff.
    """
    must_be_staff(staff)
    with conn.cursor(row_factory=class_row(UnansweredSearch)) as cursor:
        groups = cursor.execute(
            """select kind, folded, sum(count_searches)::int as count_searches, max(day) as last_day
               from reading.unanswered_searches where day > current_date - %s::int
               group by kind, folded order by sum(count_searches) desc, folded, kind""",
            [days],
        ).fetchall()
    rare = [group for group in groups if group.count_searches < LEAST]
    often = [group for group in groups if group.count_searches >= LEAST]
    return Unanswered(often[:MAX_GROUPS], len(rare), sum(group.count_searches for group in rare))


def _line(text: str, longest: int) -> str:
    return " ".join(clean_text(text[: 4 * longest]).split())[:longest]
