"""What staff decide about works: these are one, these are not, this author is that one. Ingests keep to it.

Each function is one transaction on the connection it is given, noted in the audit log, and waits for a running ingest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import psycopg

from openshelf.contracts import utc_now
from openshelf.database import audit, ingestion
from openshelf.database import works as stored
from openshelf.database.works import Alias, Decision, Linked, PlacedEdition
from openshelf.errors import UsageError
from openshelf.works_alike import name_of
from openshelf.works_telling import alias_of, record_of_key, tell


@dataclass(frozen=True)
class Explanation:
    """Why these editions are one work, and what stands beside it."""

    book_id: int
    editions: list[PlacedEdition]
    translations: list[Linked]
    decisions: list[Decision]
    taken_in: list[int]  # book_ids of works that are parts of it


def explain(conn: psycopg.Connection, book_id: int) -> Explanation:
    """Why the editions of a work are together; of a work that was taken in, that of the one that took it.

    Raises:
        UsageError: there is no such work.
    """
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


def merge(
    conn: psycopg.Connection, book_id: int, others: Sequence[int], note: str = "", actor: str = audit.OPERATOR
) -> int:
    """Editions of the others belong to the first work from now on; how many moved.

    What readers did with the others counts for the first one.

    Raises:
        UsageError: a work is named twice, has no editions, or the note is too long.
    """
    _check_note(note)
    others = list(dict.fromkeys(others))
    if book_id in others or not others:
        raise UsageError("name the work that stays, then the other works that are the same")
    with conn.transaction():
        ingestion.lock(conn)
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
        tell(conn, [book_id, *others])
        ingestion.bump_version(conn)
        audit.note(conn, actor, "merge works", f"works {', '.join(map(str, others))} into {book_id}")
    return moved


def split(
    conn: psycopg.Connection, book_id: int, edition_ids: Sequence[int], note: str = "", actor: str = audit.OPERATOR
) -> int:
    """These editions are a work of their own from now on; its book_id.

    A work that was taken in with one of them stands again under its old number. What readers did stays with the first.

    Raises:
        UsageError: an edition is not of this work, none would be left, or the note is too long.
    """
    _check_note(note)
    wanted = sorted(set(edition_ids))
    with conn.transaction():
        ingestion.lock(conn)
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
        tell(conn, [book_id, other])
        ingestion.bump_version(conn)
        audit.note(conn, actor, "split work", f"editions {', '.join(map(str, wanted))} of {book_id} as {other}")
    return other


def put_alias(conn: psycopg.Connection, written: str, name: str, actor: str = audit.OPERATOR) -> int:
    """Call the author who is written so by this name from now on; how many works are told anew.

    Editions that are there keep their works (merge those that are the same now); new ones find them by either name.

    Raises:
        UsageError: one of the two is no name of a person, or both are one name already.
    """
    alias, known_as = name_of(written), name_of(name)
    if alias is None or known_as is None:
        raise UsageError("name a person twice: as the books write it, and as it is to be")
    if alias.key == known_as.key:
        raise UsageError(f"{written!r} and {name!r} are the same name already: order and dots do not count")
    with conn.transaction():
        ingestion.lock(conn)
        stored.put_alias(conn, Alias(alias.key, written, name.strip()))
        count = _tell_works_by(conn, alias.key)
        audit.note(conn, actor, "author alias", f"{written} is {name}")
    return count


def remove_alias(conn: psycopg.Connection, written: str, actor: str = audit.OPERATOR) -> int:
    """The author is called as the books write it again; how many works are told anew.

    Raises:
        UsageError: there is no such alias.
    """
    alias = name_of(written)
    with conn.transaction():
        ingestion.lock(conn)
        if alias is None or not stored.remove_alias(conn, alias.key):
            raise UsageError(f"{written!r} is no alias; `openshelf works aliases` lists them")
        count = _tell_works_by(conn, alias.key)
        audit.note(conn, actor, "remove author alias", written)
    return count


def _tell_works_by(conn: psycopg.Connection, key: str) -> int:
    """Tell the works anew whose authors are written in a way that has this key; find them by the new name too."""
    spelled = [name for name in stored.author_spellings(conn) if (found := name_of(name)) and found.key == key]
    affected = stored.editions_by(conn, spelled)
    called = alias_of(conn)
    keys = stored.keys_near(conn, [], [], affected)
    stored.store_keys(conn, [replace(row, blocks=sorted(record_of_key(row, called).blocks)) for row in keys])
    tell(conn, affected)
    if affected:
        ingestion.bump_version(conn)
    return len(affected)


def _check_note(note: str) -> None:
    if len(note) > 200:
        raise UsageError("a note has 200 characters at most")
