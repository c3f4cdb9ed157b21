"""What staff decide about works: these are one, these are not, this author is that one. Ingests keep to it.

Each function is one transaction on the connection it is given, noted in the audit log, and waits for a running ingest.
`who`: an account of the staff, or `audit.OPERATOR` for the command line; anybody else is refused (NotAllowedError).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

import psycopg

from openshelf import works_near
from openshelf.contracts import utc_now
from openshelf.database import accounts, audit, ingestion
from openshelf.database import works as stored
from openshelf.database.accounts import Account
from openshelf.database.works import Alias, Decision, Linked, PlacedEdition
from openshelf.errors import UsageError
from openshelf.works_alike import name_of
from openshelf.works_telling import alias_of, record_of_key, tell

MAX_NOTE = 200
_PATIENCE_S = 3  # of who waits before a page, for an ingest that is under way

Who = Account | Literal["command line"] | None


@dataclass(frozen=True)
class Explanation:
    """Why these editions are one work, and what stands beside it."""

    book_id: int
    editions: list[PlacedEdition]
    translations: list[Linked]
    decisions: list[Decision]
    taken_in: list[int]  # book_ids of works that are parts of it


def explain(conn: psycopg.Connection, who: Who, book_id: int) -> Explanation:
    """Why the editions of a work are together; of a work that was taken in, that of the one that took it.

    Raises:
        UsageError: there is no such work.
    """
    _actor(who)
    home = stored.survivor(conn, book_id)
    editions = stored.placed(conn, home)
    if not editions:
        raise UsageError(f"there is no work {book_id} with editions; `openshelf search TEXT` finds works")
    return Explanation(
        home,
        editions,
        stored.linked(conn, home),
        stored.decisions(conn, home),
        [old for old, new in stored.merged(conn) if new == home],
    )


def merge(conn: psycopg.Connection, who: Who, book_id: int, others: Sequence[int], note: str = "") -> int:
    """Editions of the others belong to the first work from now on; how many moved.

    What readers did with the others counts for the first one.

    Raises:
        UsageError: a work is named twice, has no editions, or the note is too long.
    """
    others = list(dict.fromkeys(others))
    with _decided(conn, who, note) as done:
        if book_id in others or not others:
            raise UsageError("name the work that stays, then the other works that are the same")
        moved = 0
        for work in (book_id, *others):
            editions = [edition.edition_id for edition in stored.placed(conn, work)]
            if not editions:
                raise UsageError(
                    f"work {work} has no editions: it is not there, or was taken in by another one already"
                )
            if work != book_id:
                stored.move_editions(conn, editions, book_id, "staff put it here")
                stored.note_decision(conn, "merge", book_id, work, editions, note)
                moved += len(editions)
        stored.take_in(conn, dict.fromkeys(others, book_id))
        stored.fix_keys(conn, [book_id])
        done("merge works", f"works {', '.join(map(str, others))} into {book_id}", [book_id, *others])
    return moved


def split(conn: psycopg.Connection, who: Who, book_id: int, edition_ids: Sequence[int], note: str = "") -> int:
    """These editions are a work of their own from now on; its book_id.

    A work that was taken in with one of them stands again under its old number, and gets back what readers had of it.
    Everything else that readers did stays with the first.

    Raises:
        UsageError: an edition is not of this work, none would be left, or the note is too long.
    """
    wanted = sorted(set(edition_ids))
    with _decided(conn, who, note) as done:
        editions = {edition.edition_id: edition for edition in stored.placed(conn, book_id)}
        strangers = [number for number in wanted if number not in editions]
        if strangers or not wanted:
            raise UsageError(f"work {book_id} has the editions {sorted(editions)}: name those to split off")
        if len(wanted) == len(editions):
            raise UsageError(f"these are all editions of work {book_id}: there is nothing to split off")
        keys = [key for number in wanted if (key := editions[number].work_key)]
        other = stored.taken_in_with_key(conn, book_id, keys)
        if other is None:
            (other,) = ingestion.new_works(conn, {keys[0] if keys else str(wanted[0]): utc_now()}).values()
        stored.move_editions(conn, wanted, other, "staff split it off")
        stored.stand_alone(conn, [other])
        stored.fix_keys(conn, [book_id, other])
        stored.note_decision(conn, "split", book_id, other, wanted, note)
        done("split work", f"editions {', '.join(map(str, wanted))} of {book_id} as {other}", [book_id, other])
    return other


def keep_apart(conn: psycopg.Connection, who: Who, book_id: int, other_id: int, note: str = "") -> None:
    """These are two works, however alike: nobody is asked again.

    Raises:
        UsageError: it is one work, one of them has no editions, or the note is too long.
    """
    with _decided(conn, who, note) as done:
        if book_id == other_id or not (stored.placed(conn, book_id) and stored.placed(conn, other_id)):
            raise UsageError("name two works that have editions")
        stored.note_decision(conn, "apart", book_id, other_id, [], note)
        done("keep works apart", f"works {book_id} and {other_id}", [])


def undo(conn: psycopg.Connection, who: Who, decision_id: int) -> Decision:
    """Take a decision back, the editions to where they were; what it was.

    Raises:
        UsageError: there is none such, it was taken back, or an edition has been moved on since.
    """
    with _decided(conn, who) as done:
        made = stored.decision(conn, decision_id)
        if made is None or made.undone_at is not None:
            raise UsageError("there is no such decision, or it was taken back already")
        works = [] if made.decision == "apart" else [made.book_id, made.other_id]
        if works:
            _move_back(conn, made)
        stored.mark_undone(conn, decision_id)
        free = [work for work in works if not any(map(_holds, stored.decisions(conn, work)))]
        stored.free_keys(conn, free)
        done("take back", f"{made.decision} of works {made.book_id} and {made.other_id}", works)
    return made


def _move_back(conn: psycopg.Connection, made: Decision) -> None:
    now, then = (made.book_id, made.other_id) if made.decision == "merge" else (made.other_id, made.book_id)
    there = {edition.edition_id for edition in stored.placed(conn, now)}
    if not set(made.edition_ids) <= there or stored.survivor(conn, made.book_id) != made.book_id:
        raise UsageError(f"editions of work {now} have moved on since: merge or split what stands there now")
    stored.move_editions(conn, made.edition_ids, then, f"staff took the {made.decision} back")
    if made.decision == "merge":
        stored.stand_alone(conn, [then])
    elif there == set(made.edition_ids):
        stored.take_in(conn, {now: then})


def _holds(made: Decision) -> bool:
    return made.undone_at is None and made.decision != "apart"


def put_alias(conn: psycopg.Connection, who: Who, written: str, name: str) -> int:
    """Call the author who is written so by this name from now on; how many works are told anew.

    Editions that are there keep their works; those that may be one now stand among the pairs for staff. New editions
    find them by either name.

    Raises:
        UsageError: one of the two is no name of a person, or both are one name already.
    """
    alias, known_as = name_of(written), name_of(name)
    if alias is None or known_as is None:
        raise UsageError("name a person twice: as the books write it, and as it is to be")
    if alias.key == known_as.key:
        raise UsageError(f"{written!r} and {name!r} are the same name already: order and dots do not count")
    with _decided(conn, who) as done:
        stored.put_alias(conn, Alias(alias.key, written.strip(), name.strip()))
        affected = _by(conn, alias.key)
        done("author alias", f"{written.strip()} is {name.strip()}", affected)
    return len(affected)


def remove_alias(conn: psycopg.Connection, who: Who, written: str) -> int:
    """The author is called as the books write it again; how many works are told anew.

    Raises:
        UsageError: there is no such alias.
    """
    alias = name_of(written)
    with _decided(conn, who) as done:
        if alias is None or not stored.remove_alias(conn, alias.key):
            raise UsageError(f"{written!r} is no alias; `openshelf works aliases` lists them")
        affected = _by(conn, alias.key)
        done("remove author alias", written, affected)
    return len(affected)


def look_again(conn: psycopg.Connection, who: Who) -> int:
    """Find all pairs that may be one work anew; how many there are. Of 100,000 works: a minute or two."""
    with _decided(conn, who):
        return works_near.look_again(conn)


def _by(conn: psycopg.Connection, key: str) -> list[int]:
    """The works whose authors are written in a way that has this key; they are found by the new name too."""
    spelled = [name for name in stored.author_spellings(conn) if (found := name_of(name)) and found.key == key]
    affected = stored.editions_by(conn, spelled)
    called = alias_of(conn)
    keys = stored.keys_near(conn, [], [], affected)
    stored.store_keys(conn, [replace(row, blocks=sorted(record_of_key(row, called).blocks)) for row in keys])
    return affected


class _Done:
    """What is done at the end of every decision."""

    def __init__(self, conn: psycopg.Connection, actor: str) -> None:
        self._conn, self._actor = conn, actor

    def __call__(self, act: str, subject: str, works: Sequence[int]) -> None:
        if works:
            tell(self._conn, works)
            works_near.look_again(self._conn, works)
            ingestion.bump_version(self._conn)
        audit.note(self._conn, self._actor, act, subject)


@contextmanager
def _decided(conn: psycopg.Connection, who: Who, note: str = "") -> Iterator[_Done]:
    """One decision: who may, alone with the works, and all of it or nothing."""
    actor = _actor(who)
    if len(note) > MAX_NOTE:
        raise UsageError(f"a note has {MAX_NOTE} characters at most")
    with conn.transaction():
        ingestion.lock(conn, None if who == audit.OPERATOR else _PATIENCE_S)
        yield _Done(conn, actor)


def _actor(who: Who) -> str:
    return who if isinstance(who, str) else audit.actor_of(accounts.must_be_staff(who).account_id)
