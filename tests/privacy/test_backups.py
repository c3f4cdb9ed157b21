"""A backup holds all of it, comes back whole or not at all, and brings back nobody who was erased."""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import kept_reader
import psycopg
import pytest

from openshelf import backups
from openshelf.contracts import utc_now
from openshelf.database import accounts, analytics, contents, embedded, events, migrate, pool, roles
from openshelf.errors import DatabaseError, UsageError
from openshelf.privacy import erasing, retention
from openshelf.settings import get_settings


@pytest.fixture
def lan(conn: psycopg.Connection) -> accounts.Account:
    """A reader with a history, in a library with another one."""
    books = list(kept_reader.library(conn).values())
    lan, other = kept_reader.reader(conn), kept_reader.reader(conn, "minh")
    assert lan.reader_key
    assert other.reader_key
    kept_reader.append(conn, [*kept_reader.acts(lan.reader_key, books[:3]), *kept_reader.acts(other.reader_key, books)])
    kept_reader.catch_up(conn)
    conn.commit()
    return lan


@pytest.fixture
def made(conn: psycopg.Connection, lan: accounts.Account, tmp_path: Path) -> Path:
    path = tmp_path / "whole.openshelf-backup"
    backups.make(get_settings(), path)
    return path


def held() -> dict[str, contents.Contents]:
    with pool.connect() as conn:
        return contents.of_tables(conn)


def test_restored_into_an_empty_database_every_table_is_equal(
    conn: psycopg.Connection, made: Path, another_machine: Callable[[Path], None], tmp_path: Path
) -> None:
    before = contents.of_tables(conn)
    conn.rollback()
    assert before["stream.event_log"].rows > 0
    another_machine(tmp_path / "new-machine")
    manifest = backups.restore(get_settings(), made)
    assert held() == before == manifest.tables


def test_people_go_on_while_it_is_made_and_it_holds_one_moment(conn: psycopg.Connection, lan: accounts.Account) -> None:
    settings = get_settings()
    book = kept_reader.acts("s_0000000000000000", [1])[0]
    conn.execute("lock table stream.event_log in row exclusive mode")  # as an append that is not committed yet
    events.append(conn, book)
    path = backups.new_path(settings)
    manifest = backups.make(settings, path)
    conn.commit()
    assert held()["stream.event_log"].rows == manifest.tables["stream.event_log"].rows + 1
    assert path.stat().st_mode & 0o077 == 0
    assert [each.path for each in backups.listed(settings)] == [path]


def test_it_says_how_far_it_is(conn: psycopg.Connection, lan: accounts.Account, tmp_path: Path) -> None:
    conn.execute("create table library.much as select repeat('much', 200) as words from generate_series(1, 10000)")
    conn.commit()
    told: list[tuple[int, int]] = []
    backups.make(get_settings(), tmp_path / "told", lambda done, total: told.append((done, total)))
    dones, totals = zip(*told, strict=True)
    assert set(totals) == {dones[-1]}
    assert len(set(dones)) > 2  # not all at once
    assert max(dones) == dones[-1] >= 2 * 8


def test_no_secret_and_no_password_is_in_it(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = made.read_bytes()
    assert get_settings().reader_secret() not in content
    assert "OPENSHELF_DATABASE_URL" not in backups.look(made).settings
    assert "OPENSHELF_HOME" in backups.look(made).settings


def test_who_was_erased_since_is_erased_again(
    conn: psycopg.Connection, lan: accounts.Account, made: Path, another_machine: Callable[[Path], None], tmp_path: Path
) -> None:
    with conn.transaction():
        asked = erasing.erase_account(conn, lan.account_id)
    for erasure_id in asked:
        erasing.finish(conn, get_settings(), erasure_id)
    later = tmp_path / "later.openshelf-backup"
    backups.make(get_settings(), later)
    another_machine(tmp_path / "new-machine")
    # The marks come with the newer backup; what is restored is the older one, in which she still is.
    with backups._opened(later) as archive:
        member = archive.extractfile("erased")
        assert member
        erasing.merge_marks(get_settings(), member.read().decode())
    backups.restore(get_settings(), made)
    with pool.connect() as there:
        assert accounts.by_username(there, lan.username) is None
        assert accounts.by_username(there, "minh") is not None
        rows = there.execute("select count(*) from stream.interactions where reader_key = %s", [lan.reader_key])
        assert rows.fetchone() == (0,)


def test_a_database_that_holds_something_is_replaced_only_when_that_is_said(
    conn: psycopg.Connection, made: Path
) -> None:
    conn.execute("create table library.of_a_newer_program (id int)")
    conn.execute(
        "insert into stream.event_log (partition, log_offset, event_id, reader_key, payload) "
        "values (0, 900, gen_random_uuid(), 's_later', 'x')"
    )
    conn.commit()
    conn.close()
    with pytest.raises(UsageError, match="--replace"):
        backups.restore(get_settings(), made)
    manifest = backups.restore(get_settings(), made, replace=True)
    assert held() == manifest.tables


def test_it_waits_for_nobody_who_stays_and_says_who_is_in_the_way(
    conn: psycopg.Connection, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn.execute("select 1")
    monkeypatch.setattr(backups, "LEAVING_PATIENCE_S", 1.0)
    with pytest.raises(UsageError, match="stop Openshelf"):
        backups.restore(get_settings(), made, replace=True)


def test_a_restore_that_fails_changes_nothing(
    conn: psycopg.Connection, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents.of_tables(conn)
    conn.close()
    load = backups._run

    def breaks(settings: object, program: str, *arguments: str) -> None:
        if program == "psql":  # the disk was full when the last index was made
            script = Path(arguments[-1].partition("=")[2])
            script.write_text(script.read_text() + "\nselect 1 / 0;\n")
        load(get_settings(), program, *arguments)

    monkeypatch.setattr(backups, "_run", breaks)
    with pytest.raises(DatabaseError, match="division by zero"):
        backups.restore(get_settings(), made, replace=True)
    assert held() == before


def test_a_table_that_did_not_come_back_is_noticed_though_all_others_are_equal(
    conn: psycopg.Connection, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn.close()
    load = backups._run

    def loses(settings: object, program: str, *arguments: str) -> None:
        if program == "psql":
            script = Path(arguments[-1].partition("=")[2])
            script.write_text(script.read_text() + "\ndrop table reading.retention_runs;\n")
        load(get_settings(), program, *arguments)

    monkeypatch.setattr(backups, "_run", loses)
    with pytest.raises(DatabaseError, match=r"differ: reading\.retention_runs$"):
        backups.restore(get_settings(), made, replace=True)


@pytest.mark.parametrize("cut", [0, 100, 2_000, -20_000])
def test_a_file_that_was_cut_off_is_refused(made: Path, conn: psycopg.Connection, cut: int) -> None:
    conn.close()
    before = held()
    made.write_bytes(made.read_bytes()[:cut])
    with pytest.raises((UsageError, DatabaseError)):
        backups.restore(get_settings(), made, replace=True)
    assert held() == before


def test_a_file_that_rotted_is_refused_before_anything_changes(made: Path, conn: psycopg.Connection) -> None:
    conn.close()
    before = held()
    with tarfile.open(made) as archive:
        dump = archive.getmember("database.dump")
    content = bytearray(made.read_bytes())
    content[dump.offset_data + dump.size // 2] ^= 1
    made.write_bytes(content)
    with pytest.raises(UsageError, match=r"is damaged.*Nothing was changed"):
        backups.restore(get_settings(), made, replace=True)
    assert held() == before


def test_a_backup_of_a_program_that_made_no_checksum_is_restored(made: Path, conn: psycopg.Connection) -> None:
    conn.close()
    with tarfile.open(made) as archive, tarfile.open(made.with_name("older"), "w") as older:
        for member in archive:
            if member.name != "database.dump.sha256":
                older.addfile(member, archive.extractfile(member))
    backups.restore(get_settings(), made.with_name("older"), replace=True)


def test_room_for_temporary_files_is_not_needed(
    made: Path, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container it is memory, and the whole database is unpacked."""
    conn.close()
    monkeypatch.setattr(tempfile, "tempdir", "/proc")
    backups.restore(get_settings(), made, replace=True)
    assert list(backups.folder(get_settings()).iterdir()) == []


def test_what_a_killed_one_left_goes_with_what_else_is_old(conn: psycopg.Connection) -> None:
    """It holds all that people did."""
    settings, now = get_settings(), utc_now()
    for name in (".backup-killed", ".restore-killed", ".backup-at-work"):
        (backups.folder(settings) / name).mkdir(parents=True)
        (backups.folder(settings) / name / "database.dump").write_text("all of it")
    yesterday = (now - timedelta(days=1)).timestamp()
    for name in (".backup-killed", ".restore-killed"):
        os.utime(backups.folder(settings) / name, (yesterday, yesterday))
    retention.run(conn, settings, now)
    assert [path.name for path in backups.folder(settings).iterdir()] == [".backup-at-work"]


def test_roles_may_afterwards_what_they_might_before(
    conn: psycopg.Connection, lan: accounts.Account, tmp_path: Path
) -> None:
    conn.execute("create schema marts")
    conn.execute("create table marts.figures as select 1 as figure")
    roles.make(conn)
    roles.make_pages(conn)
    conn.commit()
    granted = """select grantee, table_schema, table_name, privilege_type from information_schema.role_table_grants
                 where grantee like 'openshelf%'"""
    before = set(conn.execute(granted).fetchall())
    path = tmp_path / "whole"
    conn.commit()
    backups.make(get_settings(), path)
    conn.close()
    backups.restore(get_settings(), path, replace=True)
    with pool.connect() as there:
        staff = accounts.create_local(there, "lena", "Lena", "x", email=None, role="staff")
        there.commit()
        with analytics.reading(there, staff) as marts:
            assert marts.conn.execute("select current_user, figure from marts.figures").fetchone() == (
                analytics.ROLE,
                1,
            )
        assert set(there.execute(granted).fetchall()) == before
        assert {role for role, *_ in before} == {*roles.ROLES, analytics.ROLE}


def test_who_is_killed_in_the_midst_brings_nobody_back_for_good(
    conn: psycopg.Connection, lan: accounts.Account, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with conn.transaction():
        asked = erasing.erase_account(conn, lan.account_id)
    for erasure_id in asked:
        erasing.finish(conn, get_settings(), erasure_id)
    conn.close()

    def killed(_conn: psycopg.Connection) -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(migrate, "migrate", killed)
    with pytest.raises(KeyboardInterrupt):
        backups.restore(get_settings(), made, replace=True)
    with pool.connect() as there:
        assert accounts.by_username(there, lan.username) is not None
        retention.run(there, get_settings(), utc_now())
        assert accounts.by_username(there, lan.username) is None


def at_work(server_url: str, database: str, program: str) -> list[str]:
    """What connections of this program to the database of this test wait for; asked from beside it."""
    name = urlsplit(database).path.removeprefix("/")
    with psycopg.connect(server_url) as beside:
        found = beside.execute(
            """select coalesce(wait_event, '') from pg_stat_activity where datname = %s and application_name = %s""",
            [name, program],
        )
        return [wait for (wait,) in found]


def wait_for(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 300
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def test_one_that_is_killed_leaves_nothing_that_goes_on_or_stays(
    conn: psycopg.Connection,
    made: Path,
    tmp_path: Path,
    server_url: str,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A row that psql alone takes for ever to bring back keeps the restore in the midst of its work."""
    conn.execute(
        """create function library.takes_for_ever() returns boolean language sql as
           $$ select current_setting('application_name') <> 'psql' or pg_sleep(3600) is not null $$"""
    )
    conn.execute("create table library.slow (number int check (library.takes_for_ever()))")
    conn.execute("insert into library.slow values (1)")
    conn.commit()
    slow = tmp_path / "slow.openshelf-backup"
    backups.make(get_settings(), slow)
    conn.close()
    before = backups.look(made).tables
    work = backups.folder(get_settings())

    restoring = subprocess.Popen([sys.executable, "-m", "openshelf", "restore", str(slow), "--replace"])
    wait_for(lambda: at_work(server_url, database, "psql") == ["PgSleep"], "psql to be in the midst of it")
    restoring.kill()
    restoring.wait()
    assert [path.name.startswith(".restore-") for path in work.iterdir()] == [True]

    monkeypatch.setattr(backups, "LEAVING_PATIENCE_S", 300.0)
    backups.restore(get_settings(), made, replace=True)  # at once: it waits for the other to be gone
    assert held() == before
    assert list(work.iterdir()) == []


def test_a_restore_leaves_alone_what_another_one_works_with(conn: psycopg.Connection, made: Path) -> None:
    with backups._beside_backups(get_settings()) as first, backups._beside_backups(get_settings()):
        assert first.exists()


def test_a_backup_of_a_newer_program_is_refused(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "known", lambda: [migrate.Migration(3, "0003", "")])
    with pytest.raises(UsageError, match="install the newer program"):
        backups.restore(get_settings(), made, replace=True)


def test_one_that_would_fill_the_disk_of_the_server_is_refused(
    conn: psycopg.Connection, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = get_settings()
    full = shutil.disk_usage("/")._replace(free=embedded.MIN_FREE_BYTES)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: full)
    path = backups.new_path(settings)
    backups.make(settings, path)  # a server elsewhere has a disk of its own
    with pytest.raises(UsageError, match=r"500 MiB are free, a backup needs some 50\d\. Free some space"):
        backups._check_room(settings.model_copy(update={"database_url": None}), path.parent)


def test_it_overwrites_nothing(made: Path) -> None:
    with pytest.raises(UsageError, match="there already"):
        backups.make(get_settings(), made)


def test_before_a_migration_a_backup_is_made_and_can_be_gone_back_to(
    conn: psycopg.Connection, lan: accounts.Account
) -> None:
    newest = migrate.known()[-1].number
    assert backups.before_migration(conn, get_settings()) is None
    conn.execute("delete from public.openshelf_migrations where number = %s", [newest])
    conn.commit()
    path = backups.before_migration(conn, get_settings())
    assert path
    assert backups.look(path).schema == newest - 1


def test_old_backups_go_with_what_else_is_old(conn: psycopg.Connection, lan: accounts.Account) -> None:
    settings = get_settings()
    path = backups.new_path(settings)
    backups.make(settings, path)
    days = settings.retention_backup_days
    assert backups.remove_old(settings, utc_now() + timedelta(days=days - 1)) == 0
    counts = retention.run(conn, settings, utc_now() + timedelta(days=days + 1))
    assert counts["backups"] == 1
    assert not path.exists()


def test_the_commands(conn: psycopg.Connection, lan: accounts.Account, tmp_path: Path) -> None:
    conn.close()

    def openshelf(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "openshelf", *words], capture_output=True, text=True, timeout=120, check=False
        )

    file = tmp_path / "by-hand"
    assert openshelf("backup", str(file)).returncode == 0
    assert "rows" in openshelf("restore", str(file), "--dry-run").stdout
    assert openshelf("restore", str(file)).returncode == 2
    assert openshelf("restore", str(file), "--replace").returncode == 0
    assert openshelf("restore", str(tmp_path)).returncode == 2
