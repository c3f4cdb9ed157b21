import hashlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from ports import free_port

import dashboard
from openshelf import backups
from openshelf.database import migrate
from openshelf.errors import SchemaError
from openshelf.settings import get_settings

# Forward only: a migration that has been released is never edited. Add its hash when it is merged.
RELEASED = {
    "0001_library": "75a9a5795a4f56e0",
    "0002_reading": "8ca9e5a688071938",
    "0003_stream": "634f24862b725956",
    "0004_learning": "d59edec7ce221ed9",
    "0005_baselines": "f9b470ae1aa645ea",
    "0006_slates": "35f8fc7ef14c6239",
    "0007_experiments": "e887f871bbdae47a",
    "0008_quarantine": "8aa09628c85235f0",
    "0009_workers": "0952e2e5ce7040ad",
    "0010_conflicting_acts": "a2134c64f590a67c",
    "0011_accounts": "e0b9b7a58eb4feb2",
    "0012_requests": "f2ceba355dca22eb",
    "0013_api_keys": "37c53ed7141956e0",
    "0014_shelves_and_places": "79895cf594d96cab",
    "0015_privacy": "425682ea0edacd33",
    "0016_chat": "3f04a3506fa89216",
    "0017_warehouse": "eac71b62ba73b4f4",
    "0018_staff": "5c2d31a41cf5599b",
    "0019_jobs": "7d9551dd0e60ac59",
    "0020_works": "641a775c48e2015d",
    "0021_works_desk": "5a09f94c8b38dc39",
    "0022_datasets": "5e01c1120bdb5632",
    "0023_inside": "e6bfbdf3bce01d6b",
    "0024_changed_days": "c2481e13372c0287",
    "0025_appeal": "d842f2de170e6b82",
    "0026_thinned_days": "0854d3bb58d1e646",
}


def test_migrating_twice_changes_nothing(make_database: Callable[..., str]) -> None:
    with psycopg.connect(make_database()) as conn:
        first, second = migrate.migrate(conn), migrate.migrate(conn)

        assert first == [migration.name for migration in migrate.known()]
        assert second == []
        migrate.check(conn)


def test_two_processes_may_migrate_together(make_database: Callable[..., str]) -> None:
    url, applied = make_database(), []

    def run() -> None:
        with psycopg.connect(url) as conn:
            applied.extend(migrate.migrate(conn))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert applied == [migration.name for migration in migrate.known()]


def test_a_migration_that_fails_leaves_nothing(
    make_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = migrate.Migration(9999, "9999_broken", "create table library.half (x int); select 1 / 0;")
    monkeypatch.setattr(migrate, "known", lambda known=migrate.known(): [*known, broken])
    with psycopg.connect(make_database()) as conn:
        with pytest.raises(SchemaError, match="migration 9999_broken failed and nothing was changed: division by zero"):
            migrate.migrate(conn)
        conn.rollback()

        assert migrate.applied(conn) == 0


@pytest.mark.parametrize(("number", "advice"), [(1, "run `openshelf migrate`"), (9999, "install the newer program")])
def test_another_schema_is_refused_with_what_to_do(conn: psycopg.Connection, number: int, advice: str) -> None:
    conn.execute("delete from public.openshelf_migrations")
    conn.execute("insert into public.openshelf_migrations (number, name) values (%s, 'x')", [number])

    with pytest.raises(SchemaError, match=advice):
        migrate.check(conn)


def test_migrations_are_numbered_without_gaps() -> None:
    assert [migration.number for migration in migrate.known()] == list(range(1, len(migrate.known()) + 1))


def test_released_migrations_are_never_edited() -> None:
    now = {m.name: hashlib.sha256(m.sql.encode()).hexdigest()[:16] for m in migrate.known()}
    assert {name: now[name] for name in RELEASED} == RELEASED


def test_a_program_works_beside_a_newer_schema_only_if_that_says_so(
    make_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = migrate.known()
    want = ours[-1].number
    adds = migrate.Migration(
        want + 1, "adds", f"-- additive: programs of schema {want} may go on\ncreate table library.more (x int)"
    )
    breaks = migrate.Migration(want + 2, "breaks", "-- of this we say nothing\nalter table library.more rename to less")
    with psycopg.connect(make_database()) as conn:
        monkeypatch.setattr(migrate, "known", lambda: [*ours, adds])
        migrate.migrate(conn)
        monkeypatch.setattr(migrate, "known", lambda: ours)
        migrate.check(conn)
        monkeypatch.setattr(migrate, "known", lambda: ours[:-1])
        with pytest.raises(SchemaError, match="install the newer program"):
            migrate.check(conn)

        monkeypatch.setattr(migrate, "known", lambda: [*ours, adds, breaks])
        migrate.migrate(conn)
        monkeypatch.setattr(migrate, "known", lambda: ours)
        with pytest.raises(SchemaError, match="install the newer program"):
            migrate.check(conn)


def test_a_database_of_before_migrations_said_so_is_refused_by_an_older_program(
    make_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = migrate.known()
    with psycopg.connect(make_database()) as conn:
        migrate.migrate(conn)
        conn.execute("alter table public.openshelf_migrations drop column oldest_program")
        monkeypatch.setattr(migrate, "known", lambda: ours[:-1])

        with pytest.raises(SchemaError, match="install the newer program"):
            migrate.check(conn)


def test_who_asks_in_another_folder_is_told_which_database_was_asked(tmp_path: Path) -> None:
    home = tmp_path / "another"
    env = {name: value for name, value in os.environ.items() if name != "OPENSHELF_DATABASE_URL"}

    done = subprocess.run(
        [sys.executable, "-m", "openshelf", "status"],
        env=env | {"OPENSHELF_HOME": str(home)},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    assert re.fullmatch(rf"openshelf: the database is empty \(home folder {home}\): .*OPENSHELF_HOME.*\n", done.stderr)


STOREFRONT = ["streamlit", "run", str(Path(dashboard.__file__).parent / "server.py")]


@pytest.mark.parametrize(
    ("number", "words"),
    [(9999, ["openshelf", "up"]), (9999, ["openshelf", "migrate"]), (9999, STOREFRONT), (1, STOREFRONT)],
)
def test_no_part_starts_on_a_schema_that_it_does_not_know(
    number: int, words: list[str], database: str, conn: psycopg.Connection
) -> None:
    conn.execute("delete from public.openshelf_migrations")
    conn.execute("insert into public.openshelf_migrations (number, name) values (%s, 'x')", [number])
    conn.commit()
    port = str(free_port())
    env = os.environ | {"OPENSHELF_PORT": port, "STREAMLIT_SERVER_PORT": port}

    done = subprocess.run([sys.executable, "-m", *words], env=env, capture_output=True, text=True, timeout=120)

    assert done.returncode == 1, done.stderr
    assert re.search(
        rf"^openshelf: the database has schema {number}, .*(openshelf migrate|newer program)", done.stderr, re.MULTILINE
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["up"], ["migrate"]])
def test_a_migration_that_fails_is_one_line_and_leaves_no_backup_however_often_it_is_tried(
    words: list[str], conn: psycopg.Connection
) -> None:
    """A supervisor of services starts the program again and again: backups of the same would fill the disk."""
    newest = migrate.known()[-1]
    conn.execute("delete from public.openshelf_migrations where number = %s", [newest.number])
    conn.commit()  # what it makes is there already

    done = subprocess.run(
        [sys.executable, "-m", "openshelf", *words],
        env=os.environ | {"OPENSHELF_PORT": str(free_port())},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert re.match(
        rf"openshelf: migration {newest.name} failed and nothing was changed: .+ already exists\. Mend", last
    )
    assert "Traceback" not in done.stderr
    assert list(backups.folder(get_settings()).iterdir()) == []
