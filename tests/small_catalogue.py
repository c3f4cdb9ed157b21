"""A dozen works put straight into the catalogue, indexed and embedded as ingest does it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

import numpy as np
import psycopg

from models import embedding
from models.work_text import text_hash, work_text
from openshelf.folding import fold, fold_words

ADDED = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Work:
    title: str
    authors: list[str]
    subjects: list[str]
    summary: str | None
    language: str = "eng"
    year: int | None = None
    series: str | None = None
    audience: str = "adult"
    active: bool = True
    formats: list[str] = field(default_factory=list)


def add_work(conn: psycopg.Connection, work: Work) -> int:
    """Insert one work with authors, subjects, an edition and files; returns its book_id."""
    authors, subjects = ", ".join(work.authors), ", ".join(work.subjects)
    series_id = None
    if work.series:
        series_id = _key(
            conn,
            "insert into library.series (name) values (%s) on conflict (name) do update set name = excluded.name "
            "returning series_id",
            [work.series],
        )
    book_id = _key(
        conn,
        """insert into library.works (work_key, title, title_sort, authors_text, language, year, audience, summary,
               series_id, subjects_text, folded, active, added_at, search)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,
               setweight(to_tsvector('simple', %s), 'A') || setweight(to_tsvector('simple', %s), 'B')
               || setweight(to_tsvector('simple', %s), 'C') || setweight(to_tsvector('simple', %s), 'D'))
           returning book_id""",
        [
            fold_words(f"{authors} {work.title}"), work.title, work.title, authors, work.language, work.year,
            work.audience, work.summary, series_id, subjects,
            fold_words(f"{work.title} {authors} {work.series or ''}"), work.active, ADDED,
            fold(work.title), fold(f"{authors} {work.series or ''}"), fold(subjects), fold(work.summary or ""),
        ],
    )  # fmt: skip
    for position, name in enumerate(work.authors):
        author_id = _key(
            conn,
            "insert into library.authors (name, sort) values (%s, %s) "
            "on conflict (name) do update set name = excluded.name returning author_id",
            [name, name],
        )
        conn.execute("insert into library.work_authors values (%s, %s, %s)", [book_id, author_id, position])
    for position, name in enumerate(work.subjects):
        subject_id = _key(
            conn,
            "insert into library.subjects (name) values (%s) on conflict (name) do update set name = excluded.name "
            "returning subject_id",
            [name],
        )
        conn.execute("insert into library.work_subjects values (%s, %s, %s)", [book_id, subject_id, position])
    _add_files(conn, book_id, work)
    return book_id


def embed_works(conn: psycopg.Connection) -> None:
    """Give each work without one its text embedding."""
    rows = conn.execute(
        """select book_id, title, authors_text, coalesce(series.name, ''), subjects_text, coalesce(summary, '')
           from library.works left join library.series using (series_id)
           where book_id not in (select book_id from library.text_embeddings)"""
    ).fetchall()
    texts = tuple(work_text(*row[1:]) for row in rows)
    for (book_id, *_), text, vector in zip(rows, texts, _vectors(texts), strict=True):
        conn.execute(
            "insert into library.text_embeddings (book_id, model, text_hash, embedding) "
            "values (%s, %s, %s, %s::halfvec)",
            [book_id, embedding.MODEL_NAME, text_hash(text), str(vector.tolist())],
        )


@cache
def _vectors(texts: tuple[str, ...]) -> np.ndarray:
    """The same few works in each test: encoded once."""
    return embedding.load_encoder().encode_documents(list(texts))


def _add_files(conn: psycopg.Connection, book_id: int, work: Work) -> None:
    library_id = _key(
        conn,
        "insert into library.libraries (calibre_uuid, path) values ('tests', '/nowhere') "
        "on conflict (calibre_uuid) do update set path = excluded.path returning library_id",
        [],
    )
    edition_id = _key(
        conn,
        """insert into library.editions (library_id, calibre_id, book_id, title, title_sort, folder,
               calibre_modified_at, content_hash) values (%s, %s, %s, %s, %s, '', %s, '') returning edition_id""",
        [library_id, book_id, book_id, work.title, work.title, ADDED],
    )
    for format_ in work.formats:
        conn.execute("insert into library.files values (%s, %s, '', 1)", [edition_id, format_])


def _key(conn: psycopg.Connection, statement: str, parameters: list[object]) -> int:
    row = conn.execute(statement, parameters).fetchone()  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert row
    return row[0]


WORKS = [
    Work("Dune", ["Frank Herbert"], ["science fiction", "ecology"],
         "On the desert planet Arrakis a young heir joins the native Fremen. Politics, giant sandworms and a drug that "
         "lets men see the future.", year=1965, series="Dune Chronicles", formats=["EPUB"]),
    Work("Dune Messiah", ["Frank Herbert"], ["science fiction"],
         "Twelve years after his victory the emperor of the desert planet is hunted by conspirators.", year=1969,
         series="Dune Chronicles", formats=["PDF"]),
    Work("Truyện Kiều", ["Nguyễn Du"], ["poetry", "classics"],
         "Nàng Kiều bán mình chuộc cha và trải qua mười lăm năm lưu lạc. Kiệt tác thơ lục bát của văn học Việt Nam.",
         language="vie", year=1820, formats=["EPUB"]),
    Work("Dế Mèn phiêu lưu ký", ["Tô Hoài"], ["children", "adventure"],
         "Chú dế mèn kiêu căng rời tổ đi khắp nơi và học bài học về tình bạn.", language="vie", year=1941,
         audience="children"),
    Work("Мёртвые души", ["Николай Гоголь"], ["classics", "satire"],
         "Чичиков объезжает помещиков и скупает умерших крестьян. Смешная и страшная поэма о русской провинции.",
         language="rus", year=1842),
    Work("Мастер и Маргарита", ["Михаил Булгаков"], ["classics", "fantasy"],
         "Дьявол со свитой приезжает в Москву. Роман о любви, трусости и рукописях, которые не горят.",
         language="rus", year=1967),
    Work("A Brief History of Time", ["Stephen Hawking"], ["physics", "astronomy"],
         "From the big bang to black holes, a physicist explains the universe without equations.", year=1988,
         formats=["EPUB", "PDF"]),
    Work("Salt, Fat, Acid, Heat", ["Samin Nosrat"], ["cooking"],
         "Four elements of good cooking, taught with drawings instead of photographs. Recipes follow the lessons.",
         year=2017),
    Work("Charlotte's Web", ["E. B. White"], ["children", "animals"],
         "A pig named Wilbur is saved from slaughter by the words a spider weaves above his pen.", year=1952,
         audience="children", formats=["EPUB"]),
    Work("The Left Hand of Darkness", ["Ursula K. Le Guin"], ["science fiction"],
         "An envoy crosses a frozen planet whose people have no fixed sex.", year=1969),
    Work("Withdrawn Secrets of Dune", ["Frank Herbert"], ["science fiction"],
         "A desert planet once more, but no longer held.", year=1970, active=False),
    Work("The Silent Ledger", ["Nobody Known"], ["economics"], None, year=1990),
]  # fmt: skip


def fill(conn: psycopg.Connection) -> None:
    """All the works, embedded."""
    for work in WORKS:
        add_work(conn, work)
    embed_works(conn)
    conn.execute("update library.catalogue_version set version = version + 1")
    conn.commit()


def keys_of(conn: psycopg.Connection) -> dict[str, int]:
    """title -> book_id"""
    return dict(conn.execute("select title, book_id from library.works").fetchall())


def template(make_database: Callable[..., str], migrated: str) -> str:
    """Name of a database that holds the works, to copy for each test."""
    with psycopg.connect(make_database(migrated)) as conn:
        fill(conn)
        return conn.info.dbname
