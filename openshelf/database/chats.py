"""Chats with the librarian: those that their readers want kept, and what readers thought of answers, without who."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from openshelf.contracts import clean_text
from openshelf.database.accounts import Account
from openshelf.errors import NotAllowedError

KIND = "chats"  # of the consent
MAX_QUESTION = 2_000
MAX_TURNS = 1_000
# Fewer judgements in a week are not shown: whoever made one could be known.
LEAST = 5


@dataclass(frozen=True)
class Choice:
    """`days`: how long chats are kept; None: they are not. `asks_again`: the notice has changed since; it pauses."""

    days: int | None
    asks_again: bool = False

    @property
    def keeps(self) -> bool:
        return self.days is not None and not self.asks_again


@dataclass(frozen=True)
class Turn:
    """One question with its answer, as kept; see 0016_chat.sql for the answer."""

    chat_id: UUID
    turn: int
    question: str
    answer: dict[str, Any]
    asked_at: datetime


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an answer that a reader judges: nothing of the reader, none of their words."""

    answer_id: UUID
    language: str
    subjects: list[str]
    book_ids: list[int]
    voice: str
    refusal: str | None
    steps: list[str]


@dataclass(frozen=True)
class Thumbs:
    """Judgements of the week that begins on this Monday; None where there were fewer than `LEAST`."""

    week: date
    count_good: int | None
    count_judged: int | None


def choice(conn: psycopg.Connection, account_id: int, notice_version: str) -> Choice:
    """What an account has decided about its chats; `notice_version`: of the notice that counts now."""
    row = conn.execute(
        """select chat_days, (
               select notice_version from reading.consents
               where consents.account_id = accounts.account_id and kind = %s order by consent_id desc limit 1
           )
           from reading.accounts where account_id = %s""",
        [KIND, account_id],
    ).fetchone()
    if row is None or row[0] is None:
        return Choice(None)
    return Choice(row[0], asks_again=row[1] != notice_version)


def decide(conn: psycopg.Connection, account_id: int, days: int | None, notice_version: str) -> None:
    """Keep the chats of an account for so many days, or (None) not, and note on which notice that was decided.

    Raises:
        NotAllowedError: a limited account's: of a child no chat is kept; or the account is gone.
    """
    changed = conn.execute(
        """update reading.accounts set chat_days = %(days)s
           where account_id = %(account)s and (audience_limit is null or %(days)s::int is null)""",
        {"days": days, "account": account_id},
    )
    if changed.rowcount != 1:
        raise NotAllowedError("of a child account no chat is kept")
    conn.execute(
        "insert into reading.consents (account_id, kind, granted, notice_version) values (%s, %s, %s, %s)",
        [account_id, KIND, days is not None, notice_version],
    )


def keep(conn: psycopg.Connection, account_id: int, chat_id: UUID, question: str, answer: dict[str, Any]) -> None:
    """Keep one question with its answer. That the reader wants it, the caller has asked `choice`."""
    question = clean_text(question).strip()[:MAX_QUESTION]
    if question:
        conn.execute(
            """insert into reading.chats (account_id, chat_id, turn, question, answer)
               select %(account)s, %(chat)s, count(*) + 1, %(question)s, %(answer)s
               from reading.chats where account_id = %(account)s and chat_id = %(chat)s
               having count(*) < %(most)s
               on conflict do nothing""",
            {
                "account": account_id,
                "chat": chat_id,
                "question": question,
                "answer": Jsonb(answer),
                "most": MAX_TURNS,
            },
        )


def of_account(conn: psycopg.Connection, account_id: int, limit: int = 100) -> list[Turn]:
    """What is kept of an account's own chats, the latest chat first, each from its beginning on."""
    with conn.cursor(row_factory=class_row(Turn)) as cursor:
        return cursor.execute(
            """select chat_id, turn, question, answer, asked_at
               from (
                   select *, max(asked_at) over (partition by chat_id) as last_asked_at
                   from reading.chats where account_id = %s order by asked_at desc limit %s
               ) as latest
               order by last_asked_at desc, chat_id, turn""",
            [account_id, limit],
        ).fetchall()


def forget(conn: psycopg.Connection, account_id: int) -> int:
    """Delete what is kept of an account's chats; how many questions that were."""
    return conn.execute("delete from reading.chats where account_id = %s", [account_id]).rowcount


def judge(conn: psycopg.Connection, verdict: Verdict, is_good: bool | None) -> None:
    """Count what somebody thought of an answer; None: they took it back."""
    if is_good is None:
        conn.execute("delete from reading.chat_feedback where answer_id = %s", [verdict.answer_id])
        return
    conn.execute(
        """insert into reading.chat_feedback
               (answer_id, is_good, language, subjects, book_ids, voice, refusal, steps)
           values (%s, %s, %s, %s, %s, %s, %s, %s)
           on conflict (answer_id) do update set is_good = excluded.is_good""",
        [
            verdict.answer_id,
            is_good,
            verdict.language,
            verdict.subjects,
            verdict.book_ids,
            verdict.voice,
            verdict.refusal,
            verdict.steps,
        ],
    )


def thumbs_by_week(conn: psycopg.Connection, staff: Account | None, weeks: int = 12) -> list[Thumbs]:
    """How answers were judged, week by week, the oldest first; weeks without a judgement are left out.

    Raises:
        NotAllowedError: who asks is not staff.
    """
    if staff is None or not staff.is_staff:
        raise NotAllowedError("only library staff see how answers were judged")
    with conn.cursor(row_factory=class_row(Thumbs)) as cursor:
        return cursor.execute(
            """select date_trunc('week', day)::date as week,
                   case when count(*) >= %(least)s then count(*) filter (where is_good) end as count_good,
                   case when count(*) >= %(least)s then count(*) end as count_judged
               from reading.chat_feedback
               where day > current_date - 7 * %(weeks)s::int
               group by week order by week""",
            {"least": LEAST, "weeks": weeks},
        ).fetchall()


def remove_old(conn: psycopg.Connection, now: datetime) -> int:
    """Delete chats that are older than their readers chose; how many questions that were."""
    return conn.execute(
        """delete from reading.chats using reading.accounts
           where chats.account_id = accounts.account_id
               and (chat_days is null or chats.asked_at < %s - make_interval(days => chat_days))""",
        [now],
    ).rowcount


def book_ids(turns: Sequence[Turn]) -> list[int]:
    """The works that these answers named."""
    return [book["book_id"] for turn in turns for book in turn.answer.get("books", [])]
