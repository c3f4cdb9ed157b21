"""What draws a reader to a book: pages, ages, themes, moods, of editions and of works.

The caller holds the transaction.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median_low

import psycopg
from psycopg.rows import class_row

MOST_PAGES = 30_000
OLDEST = 99
_COUNT = re.compile(r"\d{1,6}")
_AGES = re.compile(r"(?P<first>\d{1,2})(?:\s*[-–—]\s*(?P<last>\d{1,2})?|\s*(?P<more>\+))?\D*")


@dataclass(frozen=True)
class Appeal:
    """Of a work; `age_to` None beside an `age_from`: and older. Themes and moods in the words of its source."""

    pages: int | None = None
    age_from: int | None = None
    age_to: int | None = None
    themes: list[str] = field(default_factory=list)
    moods: list[str] = field(default_factory=list)


def of_work(conn: psycopg.Connection, book_id: int) -> Appeal:
    """What draws readers to a work that there is."""
    with conn.cursor(row_factory=class_row(Appeal)) as cursor:
        row = cursor.execute(
            "select pages, age_from, age_to, themes, moods from library.works where book_id = %s", [book_id]
        ).fetchone()
    return row or Appeal()


def pages(value: str) -> int | None:
    """The count of pages that a cell holds: '233', '233 p.'; None for nonsense."""
    found = _COUNT.match(value.strip())
    return number if found and 0 < (number := int(found[0])) <= MOST_PAGES else None


def ages(value: str) -> tuple[int, int | None] | None:
    """The ages of '8-12', '12+' (12 and older) or '8' (8 and older); None for what is no span of years."""
    found = _AGES.fullmatch(value.strip())
    if not found:
        return None
    first, last = int(found["first"]), int(found["last"]) if found["last"] else None
    return None if last is not None and last < first else (first, last)


def store(conn: psycopg.Connection, edition_ids: Sequence[int], rows: Iterable[tuple[int, str, int, str]]) -> None:
    """Replace what these editions say: edition_id, kind, position, value."""
    conn.execute("delete from library.appeal where edition_id = any(%s)", [list(edition_ids)])
    with conn.cursor().copy("copy library.appeal (edition_id, kind, position, value) from stdin") as copy:
        for row in rows:
            copy.write_row(row)


def told(conn: psycopg.Connection, book_ids: Sequence[int]) -> dict[int, Appeal]:
    """What the active editions of these works say, the oldest first; works of which nothing is said are left out."""
    rows = conn.execute(
        """select e.book_id, a.kind, a.value from library.appeal as a join library.editions as e using (edition_id)
           where e.active and e.book_id = any(%s) order by e.book_id, e.edition_id, a.kind, a.position""",
        [list(book_ids)],
    ).fetchall()
    said: defaultdict[int, dict[str, list[str]]] = defaultdict(_nothing_yet)
    for book_id, kind, value in rows:
        said[book_id][kind].append(value)
    return {book_id: _of_values(values) for book_id, values in said.items()}


def _nothing_yet() -> dict[str, list[str]]:
    return {"pages": [], "ages": [], "theme": [], "mood": []}


def _of_values(values: dict[str, list[str]]) -> Appeal:
    counts = [count for value in values["pages"] if (count := pages(value))]
    first, last = next((span for value in values["ages"] if (span := ages(value))), (None, None))
    themes, moods = (list(dict.fromkeys(values[kind])) for kind in ("theme", "mood"))
    return Appeal(median_low(counts) if counts else None, first, last, themes, moods)
