import os
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from stream_acts import NOON

from streaming import recovery_store


def prepare(folder: Path, fingerprint: str = "server/1") -> Path:
    return recovery_store.prepare(folder, fingerprint, lambda: NOON)


def aside(folder: Path) -> list[Path]:
    return list(folder.parent.glob(f"{folder.name}.corrupt-*"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "recovery" / "sessions"


def test_a_store_is_made_once_and_then_kept(folder: Path) -> None:
    (part,) = prepare(folder).glob("part-*")
    with closing(sqlite3.connect(part)) as store:
        store.execute("create table mine (x int)")

    prepare(folder)

    with closing(sqlite3.connect(part)) as store:
        assert store.execute("select count(*) from mine").fetchone() == (0,)
    assert aside(folder) == []


@pytest.mark.parametrize("damage", [b"", b"random bytes" * 1_000])
def test_a_damaged_store_is_moved_aside_and_made_anew(folder: Path, damage: bytes) -> None:
    (part,) = prepare(folder).glob("part-*")
    part.write_bytes(damage or part.read_bytes()[:5_000])

    prepare(folder)

    assert len(aside(folder)) == 1
    assert recovery_store.fault_of(folder, "server/1") is None


def test_a_store_without_its_partition_is_made_anew(folder: Path) -> None:
    (part,) = prepare(folder).glob("part-*")
    part.unlink()

    prepare(folder)

    assert len(aside(folder)) == 1


def test_the_store_of_another_database_is_not_resumed_from(folder: Path) -> None:
    prepare(folder, "server/1")

    prepare(folder, "server/2")

    assert len(aside(folder)) == 1
    assert recovery_store.fault_of(folder, "server/2") is None


@pytest.mark.parametrize(("days", "count_aside"), [(6, 0), (8, 1)])
def test_a_store_left_behind_by_what_the_topic_keeps_is_not_resumed_from(
    folder: Path, days: int, count_aside: int
) -> None:
    at = (NOON - timedelta(days=days)).timestamp()
    for part in prepare(folder).glob("part-*"):
        os.utime(part, times=(at, at))

    recovery_store.prepare(folder, "server/1", lambda: NOON, source_keeps=timedelta(days=7))

    assert len(aside(folder)) == count_aside
