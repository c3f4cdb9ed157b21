"""Editions into works: which work an incoming edition belongs to.

A work keeps its book_id as long as one edition says it is the same; ids are never given twice. What staff decided
stays: their editions and keys are pinned. The caller holds the transaction and the ingest lock.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import psycopg

from ingest.clean import Edition
from openshelf import works_alike, works_near
from openshelf.database import ingestion
from openshelf.database import works as stored_works
from openshelf.database.ingestion import StoredEdition
from openshelf.database.works import WorkKey
from openshelf.works_alike import Group, Link, Record
from openshelf.works_telling import alias_of, record_of, record_of_key

_FILM_NUMBERS = ("imdb", "tmdb")  # identifiers that name one film each


@dataclass(frozen=True)
class Placed:
    """Where an edition belongs, and why."""

    book_id: int
    work_key: str
    reason: str


@dataclass
class Placement:
    """`editions`: by their number in the source. `affected`: every work that is to be told anew."""

    editions: dict[int, Placed] = field(default_factory=dict)
    affected: set[int] = field(default_factory=set)


def place(conn: psycopg.Connection, editions: Sequence[Edition], stored: Mapping[int, StoredEdition]) -> Placement:
    """Find or make the work of each edition, and remember what led there."""
    called = alias_of(conn)
    _adopt(conn, called)
    records = {
        e.calibre_id: record_of(
            e.title, map(called, (a.name for a in e.authors)), e.languages, e.original_title, _apart(e)
        )
        for e in editions
    }
    done = Placement()
    before = {number: stored[number] for number in records if number in stored}
    _part_films(conn, editions, records, before)
    for number, old in before.items():
        if old.is_pinned:
            done.editions[number] = Placed(old.book_id, records.pop(number).key, "staff decided")
    by_key = {record.key: record for record in records.values()}
    previous = sorted({old.book_id for old in before.values()})
    blocks = (block for record in by_key.values() for block in record.blocks)
    known = {row.work_key: row for row in stored_works.keys_near(conn, list(by_key), blocks, previous)}
    freed = _freed(conn, before, known)
    fixed = {key: row.book_id for key, row in known.items() if key not in freed}
    everything = {key: record_of_key(row, called) for key, row in known.items() if key not in freed} | by_key
    found = works_alike.links(everything)
    groups = [
        group for group in works_alike.group(everything, fixed, found) if any(key in by_key for key in group.keys)
    ]
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for number, record in records.items():
        numbers[record.key].append(number)
    _keep_ids(groups, numbers, before, set(fixed.values()))
    _make_missing(conn, groups, numbers, {e.calibre_id: e.added_at or e.modified_at for e in editions})
    reasons = _reasons(groups, everything, found)
    for group in groups:
        assert group.book_id is not None
        for key in group.keys:
            for number in numbers.get(key, ()):
                reason = reasons.get(key) or ("" if len(numbers[key]) == 1 and key not in fixed else _EQUAL)
                done.editions[number] = Placed(group.book_id, key, reason)
    written = {records[e.calibre_id].key: [a.name for a in e.authors] for e in editions if e.calibre_id in records}
    _remember(conn, groups, by_key, written, known, freed)
    _link(conn, groups, known, found, by_key)
    _take_in(conn, done, before, previous)
    done.affected = {placed.book_id for placed in done.editions.values()} | set(previous)
    return done


def _apart(edition: Edition) -> str:
    """A film is no edition of a book, nor of a film of another year; nor is a volume one of another volume."""
    if edition.kind == "book":
        return works_alike.volume(edition.title, edition.series_name, edition.series_index)
    year = edition.published_on.year if edition.published_on else ""
    return f"{edition.kind} {year}".strip()


def _part_films(
    conn: psycopg.Connection,
    editions: Sequence[Edition],
    records: dict[int, Record],
    before: Mapping[int, StoredEdition],
) -> None:
    """Two films of one title and year whose numbers at IMDb or TMDB differ are two works.

    Their keys would be equal: the first keeps it, and another has its number in it.
    """
    told = {e.calibre_id: dict(e.identifiers) for e in editions if e.kind == "film"}
    numbered = {number: {kind: ids[kind] for kind in _FILM_NUMBERS if kind in ids} for number, ids in told.items()}
    numbered = {number: ids for number, ids in sorted(numbered.items()) if ids}
    keys = sorted({records[number].key for number in numbered})
    own = [old.edition_id for old in before.values()]
    holders = stored_works.numbers_of(conn, keys, _FILM_NUMBERS, own) if keys else {}
    for number, ids in numbered.items():
        record = records[number]
        held = holders.setdefault(record.key, ids)
        if any(held[kind] != value for kind, value in ids.items() if kind in held):
            kind, value = next(iter(ids.items()))
            records[number] = replace(record, apart=f"{record.apart} {kind}:{value}")


def _adopt(conn: psycopg.Connection, called: Callable[[str], str]) -> None:
    """Give editions from before works had keys the keys of the works they have."""
    records = [
        (old, record_of(old.title, map(called, old.author_names), old.languages, None))
        for old in stored_works.unplaced(conn)
    ]
    if not records:
        return
    rows: dict[str, WorkKey] = {}
    for old, record in records:
        language = record.language
        row = WorkKey(record.key, old.book_id, old.title, old.author_names, language, "", sorted(record.blocks), False)
        rows.setdefault(record.key, row)
    stored_works.store_keys(conn, list(rows.values()))
    stored_works.set_keys(conn, {old.edition_id: record.key for old, record in records})


_EQUAL = "same title, author and language"


def _freed(conn: psycopg.Connection, before: Mapping[int, StoredEdition], known: Mapping[str, WorkKey]) -> set[str]:
    """Keys that nothing but incoming editions stands on: they are grouped as if they were new."""
    coming = Counter(old.work_key for old in before.values() if old.work_key and not old.is_pinned)
    counts = stored_works.count_editions(conn, list(coming))
    return {key for key, count in coming.items() if key in known and not known[key].is_fixed and counts[key] == count}


def _keep_ids(
    groups: Sequence[Group],
    numbers: Mapping[str, Sequence[int]],
    before: Mapping[int, StoredEdition],
    taken: set[int],
) -> None:
    """Groups without a work get the one that most of their editions had, unless other editions still hold it."""
    votes: Counter[tuple[int, int]] = Counter()
    for at, group in enumerate(groups):
        if group.book_id is None:
            votes.update(
                (at, before[number].book_id)
                for key in group.keys
                for number in numbers.get(key, ())
                if number in before
            )
    taken = set(taken)
    for (at, book_id), _ in sorted(votes.items(), key=lambda vote: (-vote[1], vote[0][1], vote[0][0])):
        if groups[at].book_id is None and book_id not in taken:
            groups[at].book_id = book_id
            taken.add(book_id)


def _make_missing(
    conn: psycopg.Connection,
    groups: Sequence[Group],
    numbers: Mapping[str, Sequence[int]],
    arrivals: Mapping[int, datetime],
) -> None:
    def first(group: Group) -> int:
        return min(number for key in group.keys for number in numbers.get(key, ()))

    # Numbered in the order of the source.
    missing = {group.keys[0]: group for group in sorted((g for g in groups if g.book_id is None), key=first)}
    arrived = {
        head: min(arrivals[number] for key in group.keys for number in numbers.get(key, ()))
        for head, group in missing.items()
    }
    for key, book_id in ingestion.new_works(conn, arrived).items():
        missing[key].book_id = book_id


def _reasons(groups: Sequence[Group], records: Mapping[str, Record], found: Sequence[Link]) -> dict[str, str]:
    """Key -> why it stands with the others of its group: its surest likeness to one of them."""
    group_of = {key: at for at, group in enumerate(groups) for key in group.keys}
    reasons: dict[str, str] = {}
    for link in found:  # the surest first
        if link.likeness.relation == "same" and group_of.get(link.one, -1) == group_of.get(link.other, -2):
            for key, other in ((link.one, link.other), (link.other, link.one)):
                reasons.setdefault(key, f"{link.likeness.reason}: “{records[other].title}” ({link.likeness.score:.2f})")
    return reasons


def _remember(
    conn: psycopg.Connection,
    groups: Sequence[Group],
    by_key: Mapping[str, Record],
    written: Mapping[str, list[str]],
    known: Mapping[str, WorkKey],
    freed: set[str],
) -> None:
    stored_works.forget_keys(conn, sorted(freed - by_key.keys()))
    rows = [
        WorkKey(
            key,
            group.book_id or 0,
            by_key[key].title,
            written[key],
            by_key[key].language,
            by_key[key].original_title,
            sorted(by_key[key].blocks),
            is_fixed=False,
        )
        for group in groups
        for key in group.keys
        if key in by_key
    ]
    stored_works.store_keys(conn, [row for row in rows if known.get(row.work_key) != row])


def _link(
    conn: psycopg.Connection,
    groups: Sequence[Group],
    known: Mapping[str, WorkKey],
    found: Sequence[Link],
    by_key: Mapping[str, Record],
) -> None:
    """Link translations of the incoming works; note what is nearly one of them."""
    book_of = {key: row.book_id for key, row in known.items()}
    book_of |= {key: group.book_id for group in groups for key in group.keys if group.book_id is not None}
    coming = {book_of[key] for key in by_key}
    pairs = [
        (book_of[link.one], book_of[link.other], link.likeness.relation, link.likeness.reason)
        for link in found
        if link.likeness.relation == "translation"
    ]
    kept = [pair for pair in pairs if pair[0] != pair[1] and (pair[0] in coming or pair[1] in coming)]
    stored_works.link(conn, sorted(coming), kept)
    works_near.note(conn, found, book_of, coming)


def _take_in(
    conn: psycopg.Connection, done: Placement, before: Mapping[int, StoredEdition], previous: Sequence[int]
) -> None:
    """Works that all of their editions have left are parts of where most of them went."""
    homes = {placed.book_id for placed in done.editions.values()}
    stored_works.stand_alone(conn, sorted(homes))
    left = [book_id for book_id in previous if book_id not in homes]
    moved: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for number, old in before.items():
        if old.book_id in left:
            moved[old.book_id][done.editions[number].book_id] += 1
    whole = ingestion.count_editions(conn, left)
    stored_works.take_in(
        conn,
        {
            book_id: min(counts, key=lambda home: (-counts[home], home))
            for book_id, counts in sorted(moved.items())
            if counts.total() == whole[book_id]
        },
    )
