"""Pairs of works that may be one: what the rules are not sure of, and what they may not join. Staff decide.

Two works that are there are never joined by a rule, however alike they are; they stand here instead.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import psycopg

from openshelf import works_alike
from openshelf.database import works as stored
from openshelf.works_alike import Link
from openshelf.works_telling import alias_of, record_of_key

_MOST = 5  # pairs of one work


def note(conn: psycopg.Connection, found: Sequence[Link], book_of: Mapping[str, int], books: Collection[int]) -> int:
    """Replace the pairs of these works by those among `found` (the surest first); how many there are.

    `book_of`: key -> the work that it leads to.
    """
    pairs: dict[tuple[int, int], tuple[str, float]] = {}
    counts: Counter[int] = Counter()
    for link in found:
        one, other = sorted((book_of[link.one], book_of[link.other]))
        if link.likeness.relation == "translation" or one == other or (one, other) in pairs:
            continue
        if (one in books or other in books) and counts[one] < _MOST and counts[other] < _MOST:
            pairs[one, other] = link.likeness.reason, link.likeness.score
            counts.update((one, other))
    stored.store_near(conn, sorted(books), [(*pair, *why) for pair, why in pairs.items()])
    return len(pairs)


def look_again(conn: psycopg.Connection, book_ids: Collection[int] | None = None) -> int:
    """Find the pairs of these works (None: of all) anew, by what authors are called today; how many there are.

    The caller holds the transaction and the ingest lock.
    """
    called = alias_of(conn)
    own = stored.all_keys(conn) if book_ids is None else stored.keys_near(conn, [], [], list(book_ids))
    blocks = sorted({block for row in own for block in record_of_key(row, called).blocks})
    rows = own if book_ids is None else stored.keys_near(conn, [], blocks, list(book_ids))
    found = works_alike.links({row.work_key: record_of_key(row, called) for row in rows})
    return note(conn, found, {row.work_key: row.book_id for row in rows}, {row.book_id for row in own})
