"""Works and what leads to them: keys, links, decisions of staff, aliases of authors. Rights are checked elsewhere."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

import psycopg
from psycopg.rows import class_row

from openshelf.database.ingestion import array_text

# The work that a book_id is part of today; where there is none such the number itself, which no foreign key takes.
TODAY: LiteralString = """coalesce(
    (select coalesce(asked.merged_into, asked.book_id) from library.works as asked where asked.book_id = %(book)s),
    %(book)s)"""

# Of more keys than these all rows are read: cheaper than looking each block up.
_READ_ALL = 2_000

# Rows of readers and staff about a work, which go over to the work that takes it in: (table, what tells rows apart).
_ABOUT_WORKS: tuple[tuple[LiteralString, LiteralString], ...] = (
    ("reading.shelf_entries", "account_id"),
    ("reading.ratings", "account_id"),
    ("reading.hidden_books", "account_id"),
    ("reading.places", "account_id"),
    ("reading.list_entries", "list_id"),
    ("library.curated_works", "row_id"),
)


@dataclass(frozen=True)
class WorkKey:
    """A row of `library.work_keys`."""

    work_key: str
    book_id: int
    title: str
    authors: list[str]  # as given: aliases apply when keys are compared
    language: str
    original_title: str
    blocks: list[str]
    is_fixed: bool

    @property
    def apart(self) -> str:
        """The fourth part of the key, where it has one: what keeps works apart whose titles agree."""
        return self.work_key.split("|", 3)[3] if self.work_key.count("|") > 2 else ""


@dataclass(frozen=True)
class PlacedEdition:
    """An edition and why it stands where it does."""

    edition_id: int
    title: str
    authors_text: str
    languages: list[str]
    work_key: str | None
    work_reason: str
    is_pinned: bool
    active: bool


@dataclass(frozen=True)
class Decision:
    """`decision`: merge, split or apart; `undone_at`: when it was taken back."""

    decision_id: int
    decision: str
    book_id: int
    other_id: int
    edition_ids: list[int]
    note: str
    decided_at: datetime
    undone_at: datetime | None


@dataclass(frozen=True)
class Linked:
    """A work that belongs to another one and stays apart."""

    book_id: int
    title: str
    language: str | None
    relation: str
    reason: str


@dataclass(frozen=True)
class Near:
    """Two works that may be one. `demand`: how often either was opened in four weeks; None: too seldom to say."""

    book_id: int
    title: str
    authors_text: str
    other_id: int
    other_title: str
    other_authors: str
    reason: str
    score: float
    demand: int | None


@dataclass(frozen=True)
class Joined:
    """A work of several editions. `reasons`: why they are together, each once."""

    book_id: int
    title: str
    authors_text: str
    count_editions: int
    count_titles: int
    reasons: list[str]


@dataclass(frozen=True)
class Told:
    """A decision of staff with what the works are called."""

    decision_id: int
    decision: str
    book_id: int
    title: str
    other_id: int
    other_title: str
    count_editions: int
    note: str
    decided_at: datetime
    undone_at: datetime | None


@dataclass(frozen=True)
class Alias:
    alias: str
    written: str
    name: str


_KEY: LiteralString = "work_key, book_id, title, authors, language, original_title, blocks, is_fixed"


def keys_near(
    conn: psycopg.Connection, work_keys: Sequence[str], blocks: Iterable[str], book_ids: Sequence[int]
) -> list[WorkKey]:
    """These keys, those that share a block with them, and all of these works."""
    if len(work_keys) > _READ_ALL:
        return all_keys(conn)
    with conn.cursor(row_factory=class_row(WorkKey)) as cursor:
        return cursor.execute(
            f"""select {_KEY} from library.work_keys
                where work_key = any(%(keys)s) or blocks && %(blocks)s or book_id = any(%(books)s)""",
            {"keys": list(work_keys), "blocks": sorted(set(blocks)), "books": list(book_ids)},
        ).fetchall()


def all_keys(conn: psycopg.Connection) -> list[WorkKey]:
    with conn.cursor(row_factory=class_row(WorkKey)) as cursor:
        return cursor.execute(f"select {_KEY} from library.work_keys").fetchall()


@dataclass(frozen=True)
class Unplaced:
    """An edition from before works had keys; it has its work already."""

    edition_id: int
    book_id: int
    title: str
    author_names: list[str]
    languages: list[str]


def unplaced(conn: psycopg.Connection) -> list[Unplaced]:
    with conn.cursor(row_factory=class_row(Unplaced)) as cursor:
        return cursor.execute(
            """select edition_id, book_id, title, author_names, languages from library.editions
               where work_key is null order by edition_id"""
        ).fetchall()


def set_keys(conn: psycopg.Connection, keys: Mapping[int, str]) -> None:
    """edition_id -> the key that leads to its work."""
    conn.execute(
        """update library.editions as e set work_key = t.work_key
           from unnest(%s::int[], %s::text[]) as t (edition_id, work_key) where e.edition_id = t.edition_id""",
        [list(keys), list(keys.values())],
    )


def count_editions(conn: psycopg.Connection, work_keys: Sequence[str]) -> dict[str, int]:
    """Key -> editions that it led to their work, withdrawn ones counted."""
    rows = conn.execute(
        "select work_key, count(*) from library.editions where work_key = any(%s) group by work_key", [list(work_keys)]
    )
    return dict(rows.fetchall())


def numbers_of(
    conn: psycopg.Connection, work_keys: Sequence[str], kinds: Sequence[str], but: Sequence[int]
) -> dict[str, dict[str, str]]:
    """Key -> the identifiers of these kinds that the first edition it led to its work has, without these editions."""
    rows = conn.execute(
        """select e.work_key, i.kind, i.value
           from library.editions as e join library.identifiers as i using (edition_id)
           where e.work_key = any(%s) and e.active and i.kind = any(%s) and e.edition_id <> all(%s)
           order by e.edition_id desc""",
        [list(work_keys), list(kinds), list(but)],
    )
    found: dict[str, dict[str, str]] = {}
    for key, kind, value in rows:
        found.setdefault(key, {})[kind] = value
    return found


def store_keys(conn: psycopg.Connection, rows: Sequence[WorkKey]) -> None:
    conn.execute("create temp table incoming_keys (like library.work_keys) on commit drop")
    with conn.cursor().copy(f"copy incoming_keys ({_KEY}) from stdin") as copy:
        for row in rows:
            values = row.__dict__.values()
            copy.write_row([array_text(tuple(cell)) if isinstance(cell, list) else cell for cell in values])
    conn.execute(
        f"""insert into library.work_keys as k ({_KEY}) select {_KEY} from incoming_keys
            on conflict (work_key) do update set
                book_id = excluded.book_id, title = excluded.title, authors = excluded.authors,
                original_title = excluded.original_title, blocks = excluded.blocks"""
    )
    conn.execute("drop table incoming_keys")


def forget_keys(conn: psycopg.Connection, work_keys: Sequence[str]) -> None:
    """These lead nowhere any more: no edition is called so."""
    conn.execute("delete from library.work_keys where work_key = any(%s) and not is_fixed", [list(work_keys)])


def fix_keys(conn: psycopg.Connection, book_ids: Sequence[int]) -> None:
    """Pin all editions and keys of these works where they are: staff decided, and no ingest is to undo it."""
    conn.execute("update library.editions set is_pinned = true where book_id = any(%s)", [list(book_ids)])
    conn.execute("update library.work_keys set is_fixed = true where book_id = any(%s)", [list(book_ids)])


def free_keys(conn: psycopg.Connection, book_ids: Sequence[int]) -> None:
    """Of these works nothing is decided any more: ingests may move their editions again."""
    conn.execute("update library.editions set is_pinned = false where book_id = any(%s)", [list(book_ids)])
    conn.execute("update library.work_keys set is_fixed = false where book_id = any(%s)", [list(book_ids)])


def store_near(conn: psycopg.Connection, book_ids: Sequence[int], rows: Sequence[tuple[int, int, str, float]]) -> None:
    """Replace the pairs of these works that may be one: book_id, other_id (the greater), reason, score."""
    conn.execute(
        "delete from library.work_near where book_id = any(%(books)s) or other_id = any(%(books)s)",
        {"books": list(book_ids)},
    )
    conn.execute("create temp table incoming_near (like library.work_near) on commit drop")
    with conn.cursor().copy("copy incoming_near (book_id, other_id, reason, score) from stdin") as copy:
        for row in rows:
            copy.write_row(row)
    conn.execute("insert into library.work_near select * from incoming_near on conflict do nothing")
    conn.execute("drop table incoming_near")


def link(conn: psycopg.Connection, book_ids: Sequence[int], pairs: Iterable[tuple[int, int, str, str]]) -> None:
    """Replace the links of these works: one, other, relation, reason."""
    conn.execute(
        "delete from library.work_links where book_id = any(%(books)s) or other_id = any(%(books)s)",
        {"books": list(book_ids)},
    )
    with conn.cursor() as cursor:
        cursor.executemany(
            """insert into library.work_links (book_id, other_id, relation, reason) values (%s, %s, %s, %s)
               on conflict (book_id, other_id) do nothing""",
            [(min(one, other), max(one, other), relation, reason) for one, other, relation, reason in pairs],
        )


def near(conn: psycopg.Connection, limit: int, book_id: int | None = None) -> list[Near]:
    """Pairs that may be one work and of which nobody decided that they are two, the most wanted first.

    `book_id`: only of this work.
    """
    known = conn.execute("select to_regclass('marts.mart_exposure_works')").fetchone() != (None,)
    demand: LiteralString = (
        """(select sum(count_opens_recent)::int from marts.mart_exposure_works as asked
            where asked.book_id in (near.book_id, near.other_id) and not asked.is_suppressed)"""
        if known
        else "null::int"
    )
    with conn.cursor(row_factory=class_row(Near)) as cursor:
        return cursor.execute(
            f"""select near.book_id, one.title, one.authors_text, near.other_id, other.title as other_title,
                    other.authors_text as other_authors, near.reason, near.score, {demand} as demand
                from library.work_near as near
                join library.works as one on one.book_id = near.book_id and one.active
                join library.works as other on other.book_id = near.other_id and other.active
                where (%(book)s::int is null or %(book)s in (near.book_id, near.other_id)) and not exists (
                    select from library.work_decisions as made
                    where made.decision in ('split', 'apart') and made.undone_at is null
                        and least(made.book_id, made.other_id) = near.book_id
                        and greatest(made.book_id, made.other_id) = near.other_id
                )
                order by demand desc nulls last, near.score desc, near.book_id, near.other_id limit %(limit)s""",
            {"book": book_id, "limit": limit},
        ).fetchall()


def count_joined(conn: psycopg.Connection) -> int:
    """Works of several active editions."""
    row = conn.execute(
        """select count(*) from (
               select book_id from library.editions where active group by book_id having count(*) > 1) as joined"""
    ).fetchone()
    return row[0] if row else 0


def joined(conn: psycopg.Connection, limit: int) -> list[Joined]:
    """Works of several active editions: those whose editions say the most different titles first."""
    with conn.cursor(row_factory=class_row(Joined)) as cursor:
        return cursor.execute(
            """with held as (
                   select book_id, count(*)::int as count_editions, count(distinct lower(title))::int as count_titles
                   from library.editions where active group by book_id having count(*) > 1
                   order by count_titles desc, count_editions desc, book_id limit %s
               )
               select held.book_id, works.title, works.authors_text, held.count_editions, held.count_titles,
                   array(select distinct editions.work_reason from library.editions
                         where editions.book_id = held.book_id and editions.active and editions.work_reason <> ''
                         order by 1) as reasons
               from held join library.works using (book_id)
               order by held.count_titles desc, held.count_editions desc, held.book_id""",
            [limit],
        ).fetchall()


def latest_decisions(conn: psycopg.Connection, limit: int) -> list[Told]:
    """What staff decided, the latest first."""
    with conn.cursor(row_factory=class_row(Told)) as cursor:
        return cursor.execute(
            """select made.decision_id, made.decision, made.book_id, one.title, made.other_id,
                   other.title as other_title, cardinality(made.edition_ids) as count_editions, made.note,
                   made.decided_at, made.undone_at
               from library.work_decisions as made
               join library.works as one on one.book_id = made.book_id
               join library.works as other on other.book_id = made.other_id
               order by made.decision_id desc limit %s""",
            [limit],
        ).fetchall()


def take_in(conn: psycopg.Connection, merged: Mapping[int, int]) -> None:
    """Works (by book_id) are parts of others from now on; what readers did with them goes over.

    Where a reader has both on one shelf, the row of the work that stays counts; the other rows know where they were,
    and go back there when the work stands alone again.
    """
    pairs = {"old": list(merged), "new": list(merged.values())}
    both: LiteralString = "unnest(%(old)s::int[], %(new)s::int[]) as t (old_id, new_id)"
    for table, owner in _ABOUT_WORKS:
        # Of two taken in by one work, the one named first.
        conn.execute(
            f"""delete from {table} as gone using {both}, {table} as kept
                where gone.book_id = t.old_id and kept.{owner} = gone.{owner}
                    and (kept.book_id = t.new_id or exists (
                        select from unnest(%(old)s::int[], %(new)s::int[]) as u (old_id, new_id)
                        where u.new_id = t.new_id and u.old_id = kept.book_id and u.old_id < t.old_id))""",
            pairs,
        )
        conn.execute(
            f"""update {table} as r set book_id = t.new_id, from_book_id = coalesce(r.from_book_id, r.book_id)
                from {both} where r.book_id = t.old_id""",
            pairs,
        )
    # What staff decided about a work in recommendations is the business of the work that stays.
    conn.execute(
        """update library.steers set removed_at = now()
           where book_id = any(%(old)s) and removed_at is null and factor <> 0""",
        pairs,
    )
    conn.execute(
        f"""update library.works as w set merged_into = t.new_id, active = false, updated_at = now()
            from {both} where w.book_id = t.old_id""",
        pairs,
    )
    conn.execute(
        "delete from library.work_near where book_id = any(%(old)s) or other_id = any(%(old)s)",
        pairs,
    )
    # What was taken in by a work that is taken in now stands with the last one.
    conn.execute(
        f"update library.works as w set merged_into = t.new_id from {both} where w.merged_into = t.old_id", pairs
    )


def stand_alone(conn: psycopg.Connection, book_ids: Sequence[int]) -> None:
    """These works have editions: they are part of no other one. What readers had of them is theirs again."""
    back = conn.execute(
        """update library.works set merged_into = null, updated_at = now()
           where book_id = any(%s) and merged_into is not null returning book_id""",
        [list(book_ids)],
    ).fetchall()
    if not back:
        return
    for table, owner in _ABOUT_WORKS:
        conn.execute(
            f"""update {table} as r set book_id = r.from_book_id, from_book_id = null
                where r.from_book_id = any(%s) and not exists (
                    select from {table} as there
                    where there.{owner} = r.{owner} and there.book_id = r.from_book_id)""",
            [[book_id for (book_id,) in back]],
        )


def survivor(conn: psycopg.Connection, book_id: int) -> int:
    """The work that this one is part of; itself when it stands alone."""
    row = conn.execute("select merged_into from library.works where book_id = %s", [book_id]).fetchone()
    return row[0] if row and row[0] is not None else book_id


def merged(conn: psycopg.Connection) -> list[tuple[int, int]]:
    """All works that were taken in, with the one that took them in."""
    rows = conn.execute("select book_id, merged_into from library.works where merged_into is not null order by book_id")
    return rows.fetchall()


def placed(conn: psycopg.Connection, book_id: int) -> list[PlacedEdition]:
    """All editions of a work, withdrawn ones too, in order of arrival."""
    with conn.cursor(row_factory=class_row(PlacedEdition)) as cursor:
        return cursor.execute(
            """select edition_id, title, authors_text, languages, work_key, work_reason, is_pinned, active
               from library.editions where book_id = %s order by edition_id""",
            [book_id],
        ).fetchall()


def linked(conn: psycopg.Connection, book_id: int) -> list[Linked]:
    """Active works that belong to this one: its translations."""
    with conn.cursor(row_factory=class_row(Linked)) as cursor:
        return cursor.execute(
            """select works.book_id, works.title, works.language, links.relation, links.reason
               from library.work_links as links
               join library.works on works.book_id = links.book_id + links.other_id - %(book)s
               where %(book)s in (links.book_id, links.other_id) and works.active
               order by works.language nulls last, works.book_id""",
            {"book": book_id},
        ).fetchall()


_DECISION: LiteralString = (
    "select decision_id, decision, book_id, other_id, edition_ids, note, decided_at, undone_at"
    " from library.work_decisions"
)


def decisions(conn: psycopg.Connection, book_id: int) -> list[Decision]:
    """What staff decided about a work, the latest first."""
    with conn.cursor(row_factory=class_row(Decision)) as cursor:
        return cursor.execute(
            f"{_DECISION} where %(book)s in (book_id, other_id) order by decision_id desc", {"book": book_id}
        ).fetchall()


def decision(conn: psycopg.Connection, decision_id: int) -> Decision | None:
    with conn.cursor(row_factory=class_row(Decision)) as cursor:
        return cursor.execute(f"{_DECISION} where decision_id = %s", [decision_id]).fetchone()


def mark_undone(conn: psycopg.Connection, decision_id: int) -> None:
    conn.execute("update library.work_decisions set undone_at = now() where decision_id = %s", [decision_id])


def note_decision(
    conn: psycopg.Connection, decision: str, book_id: int, other_id: int, edition_ids: Sequence[int], note: str
) -> None:
    conn.execute(
        """insert into library.work_decisions (decision, book_id, other_id, edition_ids, note)
           values (%s, %s, %s, %s, %s)""",
        [decision, book_id, other_id, list(edition_ids), note],
    )


def move_editions(conn: psycopg.Connection, edition_ids: Sequence[int], book_id: int, reason: str) -> None:
    """These editions belong to another work. Keys that led to them alone lead there too."""
    conn.execute(
        "update library.editions set book_id = %s, work_reason = %s, updated_at = now() where edition_id = any(%s)",
        [book_id, reason, list(edition_ids)],
    )
    conn.execute(
        """update library.work_keys as k set book_id = %(book)s
           where k.work_key in (select work_key from library.editions where edition_id = any(%(editions)s))
               and not exists (select from library.editions as e
                               where e.work_key = k.work_key and e.edition_id <> all(%(editions)s))""",
        {"book": book_id, "editions": list(edition_ids)},
    )


def taken_in_with_key(conn: psycopg.Connection, book_id: int, work_keys: Sequence[str]) -> int | None:
    """A work that this one took in and that was made with one of these keys: splitting it off makes it stand again."""
    row = conn.execute(
        "select book_id from library.works where merged_into = %s and work_key = any(%s) order by book_id limit 1",
        [book_id, list(work_keys)],
    ).fetchone()
    return row[0] if row else None


def aliases(conn: psycopg.Connection) -> list[Alias]:
    with conn.cursor(row_factory=class_row(Alias)) as cursor:
        return cursor.execute("select alias, written, name from library.author_aliases order by name, alias").fetchall()


def put_alias(conn: psycopg.Connection, alias: Alias) -> None:
    conn.execute(
        """insert into library.author_aliases (alias, written, name) values (%s, %s, %s)
           on conflict (alias) do update set written = excluded.written, name = excluded.name""",
        [alias.alias, alias.written, alias.name],
    )


def remove_alias(conn: psycopg.Connection, alias: str) -> bool:
    return bool(conn.execute("delete from library.author_aliases where alias = %s", [alias]).rowcount)


def editions_by(conn: psycopg.Connection, names: Sequence[str]) -> list[int]:
    """book_ids of works with an edition whose authors are written in one of these ways."""
    rows = conn.execute(
        "select distinct book_id from library.editions where author_names && %s::text[] order by book_id", [list(names)]
    )
    return [book_id for (book_id,) in rows]


def author_spellings(conn: psycopg.Connection) -> list[str]:
    """Every way an author's name is written in editions."""
    rows = conn.execute("select distinct unnest(author_names) from library.editions order by 1")
    return [name for (name,) in rows]
