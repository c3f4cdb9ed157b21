"""What models learn from, as Parquet: the same acts and works, and no reader that anybody knows again."""

import json
from pathlib import Path

import kept_reader
import numpy as np
import psycopg
import pyarrow.parquet as pq
import pytest

from ingest import dataset, export_cli
from models.warehouse_data import load_warehouse
from openshelf.errors import UsageError
from openshelf.export_training import SCHEMA, export_training

SECRET = b"k" * 32


@pytest.fixture
def learned(conn: psycopg.Connection, tmp_path: Path) -> dict[str, str]:
    """Two readers who keep a history, a visit, and a data set; the keys of all of them."""
    books = list(kept_reader.library(conn).values())
    keys = {}
    for name in ("lan", "minh"):
        reader = kept_reader.reader(conn, name)
        keys[name] = reader.reader_key or ""
        kept_reader.append(conn, kept_reader.acts(keys[name], books[:4]))
    keys["visit"] = "s_" + "0" * 32
    kept_reader.append(conn, kept_reader.acts(keys["visit"], books[:4]))
    kept_reader.catch_up(conn)
    bx = tmp_path / "csv"
    bx.mkdir()
    (bx / "ratings.csv").write_text("reader,work,rating\na,x,5\nb,x,4\nb,y,1\n")
    (bx / "works.csv").write_text("work,title,authors,year\nx,Emma,Jane Austen,1815\ny,Persuasion,Jane Austen,1817\n")
    dataset.ingest_dataset(conn, "csv", bx, secret=SECRET)
    keys |= {key: key for (key,) in conn.execute("select distinct reader_key from stream.imported_acts").fetchall()}
    return keys


def test_what_is_exported_is_what_models_learn_from(
    conn: psycopg.Connection, learned: dict[str, str], tmp_path: Path
) -> None:
    done = export_training(conn, tmp_path / "out", with_vectors=True)
    data = load_warehouse(conn)

    acts = pq.read_table(tmp_path / "out" / "interactions.parquet").to_pylist()
    works = pq.read_table(tmp_path / "out" / "works.parquet").to_pylist()
    assert (done.interactions, done.readers, done.works) == (len(data.rows), data.count_readers, data.count_works)
    assert sorted((a["book_id"], round(a["reward"], 4)) for a in acts) == sorted(
        (int(data.book_ids[row]), round(float(value), 4)) for row, value in zip(data.rows, data.values, strict=True)
    )
    by_reader: dict[int, list[int]] = {}
    for act in acts:
        assert act["place"] == len(by_reader.setdefault(act["reader"], []))
        by_reader[act["reader"]].append(act["book_id"])
    assert sorted(by_reader.values()) == sorted(
        [int(data.book_ids[row]) for row in data.rows[data.readers == n]] for n in range(data.count_readers)
    )
    assert [work["book_id"] for work in works] == data.book_ids.tolist()
    assert np.array([w["title"] for w in works]).tolist().count("Emma") == 1
    assert {act["occurred_at"] is None for act in acts} == {True, False}
    assert all(a["occurred_at"].minute == a["occurred_at"].second == 0 for a in acts if a["occurred_at"])


def test_no_key_leaves_and_two_exports_cannot_be_joined(
    conn: psycopg.Connection, learned: dict[str, str], tmp_path: Path
) -> None:
    for n in range(12):
        export_training(conn, tmp_path / str(n))

    files = [file for n in range(12) for file in (tmp_path / str(n)).iterdir()]
    assert len(files) == 24
    for key in learned.values():
        assert not any(key.encode() in file.read_bytes() or key[2:].encode() in file.read_bytes() for file in files)
    sizes = set()
    for n in range(12):
        acts = pq.read_table(tmp_path / str(n) / "interactions.parquet")
        sizes.add(tuple(acts["reader"].to_pylist()))
    assert len(sizes) > 1


def test_every_column_is_described_in_the_file(
    conn: psycopg.Connection, learned: dict[str, str], tmp_path: Path
) -> None:
    export_training(conn, tmp_path / "out", with_vectors=True)

    for name, columns in SCHEMA.items():
        schema = pq.read_schema(tmp_path / "out" / name)
        assert schema.names == list(columns)
        assert [schema.field(column).metadata[b"description"].decode() for column in columns] == list(columns.values())


def test_the_command_makes_a_new_folder_or_none(
    conn: psycopg.Connection, learned: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    export_cli.app(args=["training", str(tmp_path / "out"), "--json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["readers"] == 4

    with pytest.raises(UsageError, match="is there already"):
        export_training(conn, tmp_path / "out")
    with pytest.raises(UsageError, match="cannot be written"):
        export_training(conn, tmp_path / "out" / "works.parquet" / "below")
    assert sorted(file.name for file in tmp_path.iterdir() if file.name.startswith(".")) == []
