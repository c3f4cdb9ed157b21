"""How long a search takes in a large library, and inside its books; what both take in Postgres and in memory.

python benchmarks/search.py [--quick] [--json] [--works N] [--passages N]

The works of the demo over and over, the embedding of each copy on the way to another work's (so that works lie between
subjects, as they do in a library, and not in heaps of copies, which no index of nearness joins), and passages of words
drawn as often as they stand in the demo's blurbs (Zipf holds for them: common words are common). A Postgres of its own,
thrown away.

- `p50_ms`, `p95_ms`, `p99_ms`: a whole hybrid search with two or three words, the encoder included, no query twice
- `similar_p50_ms`, `similar_p99_ms`: the works like one; `index_s`: making the index of nearness that both use
- `recall_at_10`: how many of the ten nearest vectors the statement's search by meaning finds
- `inside_p50_ms`, `inside_p95_ms`, `phrase_p95_ms`: the same inside books, words and quoted phrases
- `passages_per_s`, `passage_bytes`: cutting text into passages and storing them; one with its share of the index
- `peak_mib`: most memory of this process, which holds all of that
"""

import argparse
import json
import os
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import psycopg
from calibre_ingest import large_library
from our_stream.percentiles import at_percent
from pgvector import HalfVector
from psycopg import sql

from ingest.demo_catalogue import load_catalogue
from ingest.embed import embed_changed
from ingest.load import ingest_calibre
from ingest.texts import MAX_WORDS, passages_of
from models import embedding, search
from models.embedding import load_encoder
from openshelf.database import embedded, embeddings, learning, migrate, pool, texts
from openshelf.epub_text import Chapter
from openshelf.epub_tree import Node
from openshelf.settings import get_settings

PASSAGES_OF_A_BOOK = 500


def multiply(conn: psycopg.Connection, count: int, rng: np.random.Generator) -> None:
    """So many works: those that are there, again and again, each copy's vector between its own and another's."""
    book_ids, vectors = learning.text_embeddings(conn)
    conn.execute(
        """insert into library.works (work_key, title, title_sort, authors_text, language, year, audience, summary,
               rating, subjects_text, folded, search, added_at)
           select work_key || copy, title || ' ' || copy, title_sort, authors_text, language, year, audience, summary,
               rating, subjects_text, folded || ' ' || copy, search, added_at
           from generate_series(1, %(copies)s) as copy, library.works where active
           order by copy, book_id limit %(missing)s""",
        {"copies": count // len(book_ids) + 1, "missing": count - len(book_ids)},
    )
    rows = conn.execute(
        "select book_id from library.works where book_id > %s order by book_id", [int(book_ids.max())]
    ).fetchall()
    with conn.cursor().copy("copy library.text_embeddings (book_id, model, text_hash, embedding) from stdin") as copy:
        for place, (book_id,) in enumerate(rows):
            own, other, share = vectors[place % len(vectors)], rng.choice(vectors), rng.uniform(0.3, 1)
            between = share * own + (1 - share) * other + rng.normal(0, 0.02, vectors.shape[1])
            vector = HalfVector(between / np.linalg.norm(between))
            copy.write_row((book_id, embedding.model_name(), "", vector.to_text()))
    conn.commit()


def fill_texts(conn: psycopg.Connection, words: Sequence[str], count: int, rng: random.Random) -> float:
    """So many passages, as the ingest of EPUB files makes them; seconds it took."""
    editions = [row[0] for row in conn.execute("select edition_id from library.editions order by 1").fetchall()]
    conn.execute(
        "insert into library.files (edition_id, format, path, size_bytes) select edition_id, 'EPUB', 'x', 1 "
        "from library.editions on conflict do nothing"
    )
    spent = 0.0
    for edition_id in editions[: -(-count // PASSAGES_OF_A_BOOK)]:
        wanted = rng.choices(words, k=min(count, PASSAGES_OF_A_BOOK) * MAX_WORDS)
        paragraphs: list[Node] = [
            ["p", {}, " ".join(wanted[at : at + MAX_WORDS])] for at in range(0, len(wanted), MAX_WORDS)
        ]
        begun = time.perf_counter()
        made = list(passages_of(Chapter("A chapter", "c.xhtml", paragraphs, 1), 1))
        file = texts.TextFile(edition_id, "", "", "x", "EPUB", None, None, None, None, None)
        texts.store(
            conn, file, size_bytes=1, modified_ns=1, file_hash="", recipe="", problem=None, passages=made
        )  # fmt: skip
        conn.commit()
        spent += time.perf_counter() - begun
    return spent


def settle(conn: psycopg.Connection) -> None:
    """What autovacuum does by itself within minutes of a large ingest, and would do in the midst of the measuring."""
    conn.autocommit = True
    for table in ("works", "text_embeddings", "passages"):
        conn.execute(sql.SQL("vacuum (analyze) library.{}").format(sql.Identifier(table)))
    conn.autocommit = False


def times_of(work: Callable[[str], object], queries: Sequence[str]) -> list[float]:
    """Milliseconds of each, ascending."""
    found = []
    for query in queries:
        begun = time.perf_counter()
        work(query)
        found.append(1_000 * (time.perf_counter() - begun))
    return sorted(found)


def recall(conn: psycopg.Connection, queries: Sequence[str]) -> float:
    """Share of the ten works nearest to each query, by every vector, that a search by meaning gives first."""
    book_ids, vectors = learning.text_embeddings(conn)
    shares = []
    for query in queries:
        cosines = vectors @ load_encoder().encode_query(query)
        exact = [book for book, cosine in zip(book_ids, cosines, strict=True) if cosine >= search.MEANING_FLOOR]
        nearest = set(book_ids[np.argsort(-cosines)[:10]].tolist()) & set(exact)
        if nearest:
            got = {hit.book_id for hit in search.search(conn, query, "meaning", limit=10)}
            shares.append(len(nearest & got) / len(nearest))
    return sum(shares) / len(shares)


def size_of(conn: psycopg.Connection, table: str) -> int:
    row = conn.execute("select pg_total_relation_size(%s::regclass)", [table]).fetchone()
    assert row
    return row[0]


def measure(conn: psycopg.Connection, home: Path, works: int, passages: int, count: int) -> dict[str, float | int]:
    rng = random.Random(0)
    large_library(home / "library", len(load_catalogue()))
    ingest_calibre(conn, home / "library")
    embed_changed(conn, load_encoder)
    multiply(conn, works, np.random.default_rng(0))
    begun = time.perf_counter()
    embeddings.index(conn)
    conn.commit()
    index_s = time.perf_counter() - begun
    words = " ".join(work.blurb for work in load_catalogue()).split()
    spent = fill_texts(conn, words, passages, rng)
    settle(conn)
    queries = list(dict.fromkeys(" ".join(rng.sample(words, rng.choice((2, 3)))) for _ in range(5 * count)))
    drawn = " ".join(
        body for (body,) in conn.execute("select body from library.passages order by number, edition_id limit 40")
    ).split()
    phrases = [f'"{one} {other}"' for one, other in rng.sample(list(pairwise(drawn)), count)]
    for warm in ("sea voyage", "winter"):
        search.search(conn, warm)
        search.search(conn, warm, "inside")
    books = [str(book_id) for book_id in learning.text_embeddings(conn)[0]]
    whole = times_of(lambda query: search.search(conn, query), queries)
    like = times_of(lambda book_id: search.similar(conn, int(book_id)), rng.sample(books, count))
    inside = times_of(lambda query: search.search(conn, query, "inside"), queries[:count])
    phrased = times_of(lambda query: search.search(conn, query, "inside"), phrases)
    stored = conn.execute("select count(*) from library.passages").fetchone() or (0,)
    return {
        "works": works,
        "p50_ms": round(at_percent(whole, 50), 1),
        "p95_ms": round(at_percent(whole, 95), 1),
        "p99_ms": round(at_percent(whole, 99), 1),
        "similar_p50_ms": round(at_percent(like, 50), 1),
        "similar_p99_ms": round(at_percent(like, 99), 1),
        "index_s": round(index_s, 1),
        "recall_at_10": round(recall(conn, queries[:count]), 3),
        "embeddings_mib": round(size_of(conn, "library.text_embeddings") / 2**20),
        "passages": stored[0],
        "inside_p50_ms": round(at_percent(inside, 50), 1),
        "inside_p95_ms": round(at_percent(inside, 95), 1),
        "phrase_p95_ms": round(at_percent(phrased, 95), 1),
        "passages_per_s": round(stored[0] / spent),
        "passage_bytes": round(size_of(conn, "library.passages") / stored[0]),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10,000 works and passages; else 100,000 of both")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--works", type=int)
    parser.add_argument("--passages", type=int)
    told = parser.parse_args()
    usual = 10_000 if told.quick else 100_000
    home = Path(tempfile.mkdtemp(prefix="openshelf-bench-"))
    os.environ |= {"OPENSHELF_HOME": str(home), "OPENSHELF_SEARCH_INSIDE": "true"}
    os.environ.pop("OPENSHELF_DATABASE_URL", None)
    try:
        with pool.connect(get_settings(), unlimited=True) as conn:
            migrate.migrate(conn)
            conn.commit()
            count = 40 if told.quick else 200
            found = measure(conn, home, told.works or usual, told.passages or usual, count)
    finally:
        embedded.stop(home)
        shutil.rmtree(home, ignore_errors=True)
    print(json.dumps(found) if told.json else "\n".join(f"{key}: {value}" for key, value in found.items()))


if __name__ == "__main__":
    main()
