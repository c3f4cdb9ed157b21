"""Two days of a small library made by hand, in the last whole week, so that staff pages can be computed by hand.

Ten works: 1 to 4 on the sea, 5 to 8 on the moon, 9 and 10 on nothing, these two Vietnamese, the others English. Six
readers who keep a history. On the first day each gets a slate of 1, 2 and 5 (policy), 3 (pinned) and 4 (boosted); on
the second one of 1 and 6. All of it comes on screen. What they do: `OPENS`.
"""

import uuid
from datetime import UTC, date, datetime, time, timedelta

import psycopg

READERS = [f"r_{letter}" for letter in "abcdef"]
_NAMES = uuid.UUID("00000000-0000-0000-0000-00000000beef")
# Work -> the readers who open it on the first day.
OPENS = {1: "abcde", 5: "abcd", 3: "abcde", 7: "abcdef", 8: "cd", 9: "abc"}
READS = {1: "ab"}


def monday() -> date:
    """Of the last week that is over."""
    today = datetime.now(UTC).date()
    return today - timedelta(days=today.weekday() + 7)


def first_day() -> date:
    """In the middle of a week; both days are in one month."""
    day = monday() + timedelta(days=1)
    return day if (day + timedelta(days=1)).month == day.month else day + timedelta(days=1)


def uid(name: str) -> uuid.UUID:
    return uuid.uuid5(_NAMES, name)


def make_history(conn: psycopg.Connection) -> None:
    conn.execute(
        """insert into library.works (work_key, title, title_sort, language, added_at)
           select 'work ' || n, 'Work ' || n, 'Work ' || n, case when n < 9 then 'eng' else 'vie' end, '2020-01-01Z'
           from generate_series(1, 10) as n"""
    )
    conn.execute("insert into library.subjects (name) values ('Sea'), ('Moon')")
    conn.execute(
        """insert into library.work_subjects (book_id, subject_id, position)
           select book_id, case when book_id < 5 then 1 else 2 end, 0 from library.works where book_id < 9"""
    )
    conn.execute(
        """insert into learning.models (version, kind, status, config, manifest, weights, sha256)
           values ('v1', 'policy', 'champion', '{}', '{}', '', 'none')"""
    )
    conn.execute("insert into learning.promotions (kind, version, reason) values ('policy', 'v1', 'the first')")
    for letter in READERS:
        _slate(conn, letter, 0, {1: "policy", 2: "policy", 5: "policy", 3: "pinned", 4: "staff"})
        _slate(conn, letter, 1, {1: "policy", 6: "policy"})
    for action, works in (("open", OPENS), ("read", READS)):
        for book_id, letters in works.items():
            for letter in letters:
                _open(conn, f"r_{letter}", action, book_id)
    _act(conn, "r_c", "open", 8, 0, 5, 8)  # a double click, eight seconds later
    for reader in READERS:
        _act(conn, reader, "show", 9, 0, 1, 0, surface="curated")
    conn.execute(
        "insert into reading.unanswered_searches (day, folded, count_searches) values (%s, 'plorf', 4)", [first_day()]
    )


def _open(conn: psycopg.Connection, reader: str, action: str, book_id: int) -> None:
    places = {1: 0, 5: 2, 3: 3}
    if book_id in places:
        _act(conn, reader, action, book_id, 0, 5, 0, slate=f"{reader} 0", position=places[book_id])
    else:
        _act(conn, reader, action, book_id, 0, 5, 0, surface="curated" if book_id == 9 else "search")


def _slate(conn: psycopg.Connection, reader: str, later: int, books: dict[int, str]) -> None:
    made, count = _at(later, 0, 0), len(books)
    conn.execute(
        """insert into stream.slates (slate_id, event_id, reader_key, session_id, created_at, policy_version, arm,
               surface, event_received_at, book_ids, propensities, sources, reasons, reason_book_ids)
           values (%s, %s, %s, %s, %s, 'v1', 'champion', 'for_you', %s, %s, %s, %s, %s, %s)""",
        [
            uid(f"{reader} {later}"), uid(f"trigger {reader} {later}"), reader, uid(f"session {reader}"), made, made,
            list(books), [0.25] * count, list(books.values()), ["new_to_you"] * count, [None] * count,
        ],
    )  # fmt: skip
    for position, book_id in enumerate(books):
        _act(conn, reader, "show", book_id, later, 1, 0, slate=f"{reader} {later}", position=position)


def _act(
    conn: psycopg.Connection, reader: str, action: str, book_id: int, later: int, minute: int, second: int, *,
    slate: str | None = None, position: int | None = None, surface: str = "for_you",
) -> None:  # fmt: skip
    at = _at(later, minute, second)
    conn.execute(
        """insert into stream.interactions (event_id, version, occurred_at, reader_key, session_id, action, book_id,
               slate_id, position, surface, reward, rewards_version, received_at)
           values (%s, 1, %s, %s, %s, %s, %s, %s, %s, %s, 0, 'test', %s)""",
        [
            uid(f"{reader} {action} {book_id} {at} {surface}"), at, reader, uid(f"session {reader}"), action, book_id,
            uid(slate) if slate else None, position, surface, at,
        ],
    )  # fmt: skip


def _at(later: int, minute: int, second: int) -> datetime:
    return datetime.combine(first_day() + timedelta(days=later), time(10, minute, second), UTC)
