"""Clearing a history and erasing an account: through every store, whatever is killed, and for good."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import kept_reader
import psycopg
import pytest
from bytewax.recovery import RecoveryConfig, init_db_dir

from openshelf import readers
from openshelf.contracts import utc_now
from openshelf.database import accounts, erasures, events, quarantine
from openshelf.errors import NotAllowedError
from openshelf.privacy import choices, erasing, recovery_files, retention
from openshelf.settings import get_settings


def clear(conn: psycopg.Connection, account_id: int) -> bool:
    with conn.transaction():
        asked = erasing.clear_history(conn, account_id)
    return all(erasing.finish(conn, get_settings(), erasure_id) for erasure_id in asked)


def erase(conn: psycopg.Connection, account_id: int) -> bool:
    with conn.transaction():
        asked = erasing.erase_account(conn, account_id)
    finished = [erasing.finish(conn, get_settings(), erasure_id) for erasure_id in asked]
    return all(finished)


def resume(conn: psycopg.Connection) -> dict[str, int]:
    return erasing.resume(conn, get_settings())


@pytest.fixture
def books(conn: psycopg.Connection) -> list[int]:
    return list(kept_reader.library(conn).values())


@pytest.fixture
def lan(conn: psycopg.Connection, books: list[int]) -> accounts.Account:
    """A reader with a history and a shelf, beside another one."""
    lan, other = kept_reader.reader(conn), kept_reader.reader(conn, "minh")
    assert lan.reader_key
    assert other.reader_key
    kept_reader.append(conn, [*kept_reader.acts(lan.reader_key, books[:3]), *kept_reader.acts(other.reader_key, books)])
    kept_reader.catch_up(conn)
    accounts.put_on_shelf(conn, lan.account_id, books[0], "want")
    conn.commit()
    return lan


def test_clearing_removes_what_was_seen_and_keeps_what_was_put_down_by_hand(
    conn: psycopg.Connection, lan: accounts.Account
) -> None:
    assert lan.reader_key
    assert kept_reader.rows_with(conn, [lan.reader_key]) == [
        "reading.pseudonyms", "stream.event_log", "stream.interactions", "stream.sessions", "stream.slates",
    ]  # fmt: skip

    clear(conn, lan.account_id)
    kept_reader.catch_up(conn)
    assert resume(conn) == {"finished": 1, "waiting": 0}

    assert kept_reader.rows_with(conn, [lan.reader_key]) == []
    assert accounts.shelves(conn, lan.account_id), "the reader put it there"
    assert kept_reader.count(conn, "stream.interactions"), "the other reader's are there"


def test_a_certificate_says_what_was_done_and_names_nobody(conn: psycopg.Connection, lan: accounts.Account) -> None:
    assert lan.reader_key
    acts = kept_reader.count(conn, "stream.interactions", lan.reader_key)
    erase(conn, lan.account_id)
    kept_reader.catch_up(conn)
    resume(conn)

    (certificate,) = erasures.certificates(conn)
    assert certificate.kind == "account"
    assert certificate.counts["stream.interactions"] == certificate.counts["stream.event_log"] == acts
    assert certificate.counts["reading.accounts"] == certificate.counts["reading.shelf_entries"] == 1
    assert certificate.counts["stream.quarantine"] == 0, "it was looked into"
    words = [lan.username, lan.display_name, lan.email or "", lan.reader_key]
    assert kept_reader.rows_with(conn, words) == []


def test_after_clearing_the_reader_has_another_pseudonym(conn: psycopg.Connection, lan: accounts.Account) -> None:
    clear(conn, lan.account_id)

    new = choices.pseudonym(conn, get_settings(), lan.account_id)

    assert new != lan.reader_key
    assert new != readers.account_key(get_settings().reader_secret(), lan.account_id), "nobody can work it out"
    assert choices.pseudonym(conn, get_settings(), lan.account_id) == new


def test_an_act_under_way_when_the_history_was_cleared_is_dropped(
    conn: psycopg.Connection, lan: accounts.Account, books: list[int]
) -> None:
    assert lan.reader_key
    under_way = kept_reader.acts(lan.reader_key, books[3:5])
    clear(conn, lan.account_id)

    assert [events.append(conn, act) for act in under_way] == [None] * len(under_way)
    kept_reader.append(conn, under_way)
    kept_reader.catch_up(conn)
    resume(conn)

    assert kept_reader.rows_with(conn, [lan.reader_key]) == []


def test_an_act_that_another_transaction_appends_meanwhile_does_not_survive(
    conn: psycopg.Connection, database: str, lan: accounts.Account, books: list[int]
) -> None:
    assert lan.reader_key
    late = kept_reader.acts(lan.reader_key, books[3:4])
    with psycopg.connect(database) as writer:
        events.append(writer, late[0])  # holds the partition until it commits
        with psycopg.connect(database) as eraser:
            eraser.execute("set lock_timeout = '200ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                erasing.clear_history(eraser, lan.account_id)
        writer.commit()
    clear(conn, lan.account_id)
    kept_reader.catch_up(conn)
    resume(conn)

    assert kept_reader.rows_with(conn, [lan.reader_key]) == []


def test_what_a_foreign_writer_stores_under_an_old_pseudonym_is_swept(
    conn: psycopg.Connection, lan: accounts.Account
) -> None:
    clear(conn, lan.account_id)
    kept_reader.catch_up(conn)
    resume(conn)
    conn.execute(
        """insert into stream.sessions (session_id, reader_key, arm, started_at, last_act_at, count_acts, count_shows,
               reward) values (gen_random_uuid(), %s, 'champion', now(), now(), 1, 0, 0)""",
        [lan.reader_key],
    )

    counts = retention.run(conn, get_settings(), utc_now())

    assert counts["stream.sessions"] == 1
    assert kept_reader.rows_with(conn, [lan.reader_key or ""]) == []


def test_the_dataflow_drops_the_state_and_the_recovery_store_holds_no_trace_of_it(
    conn: psycopg.Connection, lan: accounts.Account, books: list[int]
) -> None:
    assert lan.reader_key
    folder = get_settings().home / "recovery" / "sessions-log"
    folder.mkdir(parents=True)
    init_db_dir(folder, 1)
    recovery = RecoveryConfig(folder, timedelta(0))
    kept_reader.append(conn, kept_reader.acts(lan.reader_key, books[4:6]))
    kept_reader.catch_up(conn, recovery)
    assert kept_reader.files_with(folder, [lan.reader_key]), "it knew the reader"
    aside = folder.with_name("sessions-log.corrupt-20260101T000000")
    aside.mkdir()
    (aside / "part-0.sqlite3").write_text(lan.reader_key)

    assert not clear(conn, lan.account_id), "it waits for the dataflow"
    kept_reader.catch_up(conn, recovery)
    assert resume(conn)["finished"] == 1
    # A snapshot of the store is taken once more when the flow goes on.
    other = kept_reader.reader(conn, "hoa")
    kept_reader.append(conn, kept_reader.acts(other.reader_key or "", books[:2]))
    kept_reader.catch_up(conn, recovery)
    recovery_files.scrub(get_settings())

    assert kept_reader.files_with(get_settings().home, [lan.reader_key]) == []
    assert kept_reader.files_with(folder, [other.reader_key or ""]), "of the others it still knows"


def test_a_state_that_a_crash_brought_back_is_not_used(
    conn: psycopg.Connection, lan: accounts.Account, books: list[int], tmp_path: Path
) -> None:
    """The dataflow is killed after it forgot, and begins at an older snapshot, in which the reader is known."""
    assert lan.reader_key
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    init_db_dir(old, 1)
    kept_reader.append(conn, kept_reader.acts(lan.reader_key, books[4:6]))
    kept_reader.catch_up(conn, RecoveryConfig(old, timedelta(0)))
    subprocess.run(["cp", "-r", old, new], check=True)
    clear(conn, lan.account_id)
    kept_reader.catch_up(conn, RecoveryConfig(new, timedelta(0)))
    resume(conn)

    kept_reader.catch_up(conn, RecoveryConfig(old, timedelta(0)))

    assert kept_reader.rows_with(conn, [lan.reader_key]) == []


def test_offsets_go_on_where_they_were_when_the_end_of_the_log_is_removed(
    conn: psycopg.Connection, lan: accounts.Account, books: list[int]
) -> None:
    """Else the next act of the partition would have a place that the dataflow has passed, and be lost."""
    clear(conn, lan.account_id)
    kept_reader.catch_up(conn)
    resume(conn)
    conn.execute("delete from stream.log_ends where not exists (select from stream.event_log)")
    before = kept_reader.count(conn, "stream.interactions")
    again = [kept_reader.reader(conn, f"reader{number}") for number in range(12)]
    for reader in again:
        kept_reader.append(conn, kept_reader.acts(reader.reader_key or "", books[:1]))
        kept_reader.catch_up(conn)
        clear(conn, reader.account_id)
        kept_reader.catch_up(conn)
    resume(conn)
    assert kept_reader.count(conn, "stream.interactions") == before

    late = kept_reader.reader(conn, "late")
    done = kept_reader.acts(late.reader_key or "", books)
    kept_reader.append(conn, done)
    waiting = sum(lag.count_waiting for lag in events.lag(conn, "sessions"))
    kept_reader.catch_up(conn)

    assert waiting == len(done)
    assert kept_reader.count(conn, "stream.interactions", late.reader_key) == len(done)


def test_acts_in_quarantine_and_dead_letters_go_too(
    conn: psycopg.Connection, lan: accounts.Account, books: list[int]
) -> None:
    assert lan.reader_key
    (unknown,) = kept_reader.acts(lan.reader_key, [999_999])[1:2]
    quarantine.store(
        conn,
        [
            quarantine.QuarantineRow(
                unknown.event_id, lan.reader_key, 999_999, "log", 0, 10_000, unknown.encode(), utc_now()
            )
        ],
    )
    conn.execute(
        """insert into stream.dead_letters (source, partition, log_offset, reason, payload)
           values ('log', 0, 1, 'bad', %s)""",
        [b'{"broken": "' + lan.reader_key.encode()],
    )

    clear(conn, lan.account_id)

    assert kept_reader.count(conn, "stream.quarantine") == kept_reader.count(conn, "stream.dead_letters") == 0


def test_the_children_of_an_account_go_with_it(conn: psycopg.Connection) -> None:
    guardian = kept_reader.reader(conn)
    accounts.create_child(conn, guardian.account_id, "bi", "Bi", "hash", "children")
    conn.commit()

    erase(conn, guardian.account_id)
    kept_reader.catch_up(conn)
    resume(conn)

    assert kept_reader.count(conn, "reading.accounts") == 0
    assert [certificate.kind for certificate in erasures.certificates(conn)] == ["account", "account"]


def test_the_last_administrator_stays(conn: psycopg.Connection) -> None:
    admin = kept_reader.reader(conn)
    conn.execute("update reading.accounts set role = 'admin'")

    with pytest.raises(NotAllowedError):
        erasing.erase_account(conn, admin.account_id)


def test_erasing_twice_does_no_harm(conn: psycopg.Connection, lan: accounts.Account) -> None:
    erase(conn, lan.account_id)
    assert erase(conn, lan.account_id), "there is nothing to ask for"
    kept_reader.catch_up(conn)

    assert resume(conn)["finished"] == 1
    assert resume(conn) == {"finished": 0, "waiting": 0}


KILLED = """
import os, signal, sys
import psycopg
from openshelf.database import pool
from openshelf.privacy import erasing
from openshelf.settings import get_settings

def killed_at(point):
    if point == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)

with pool.connect() as conn:
    erasing.finish(conn, get_settings(), int(sys.argv[2]), killed_at)
"""
POINTS = [f"{name} {point}" for name, _ in erasing.STEPS[:-1] for point in ("written", "committed")]


@pytest.mark.parametrize("point", [*POINTS, "dataflow written", "certificate written"])
def test_killed_at_any_point_it_is_finished_by_the_next_who_comes(
    conn: psycopg.Connection, lan: accounts.Account, point: str
) -> None:
    """F32. A real process is killed with -9 at each step, before and after its transaction."""
    assert lan.reader_key
    acts = kept_reader.count(conn, "stream.interactions", lan.reader_key)
    with conn.transaction():
        (erasure_id,) = erasing.erase_account(conn, lan.account_id)
    if point.startswith(("dataflow", "certificate")):
        kept_reader.catch_up(conn)

    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), point, str(erasure_id)], env=os.environ)
    assert killed.returncode == -signal.SIGKILL
    kept_reader.catch_up(conn)
    assert resume(conn) == {"finished": 1, "waiting": 0}

    assert kept_reader.rows_with(conn, [lan.username, lan.email or "", lan.display_name, lan.reader_key]) == []
    (certificate,) = erasures.certificates(conn)
    counted = certificate.counts["stream.interactions"], certificate.counts["stream.event_log"]
    assert counted == (acts, acts), "each row once, whatever was killed"
    marks = [line for line in (get_settings().home / erasing.MARKS_FILE).read_text().splitlines() if line]
    assert len(marks) == 2


def test_a_backup_that_is_restored_forgets_again_who_was_erased_since(
    conn: psycopg.Connection,
    lan: accounts.Account,
    make_database: Callable[..., str],
    database: str,
    server_url: str,
) -> None:
    """The backup is a copy of the database as it was before; the marks that are beside it are not in it."""
    cleared = accounts.by_username(conn, "minh")
    assert cleared
    assert cleared.reader_key
    assert lan.reader_key
    name = conn.info.dbname
    conn.close()
    with psycopg.connect(server_url, autocommit=True) as admin:  # the dataflow's connections, which nobody closed
        admin.execute("select pg_terminate_backend(pid, 2000) from pg_stat_activity where datname = %s", [name])
    restored = make_database(name)
    with psycopg.connect(database) as now:
        erase(now, lan.account_id)
        clear(now, cleared.account_id)
        kept_reader.catch_up(now)
        resume(now)

    with psycopg.connect(restored) as then:
        assert kept_reader.rows_with(then, [lan.reader_key]), "the backup knows the reader"
        asked = erasing.reapply(then, get_settings())
        resume(then)
        again = erasing.reapply(then, get_settings())
        # The dataflow of the restored database has not run yet: the word to forget waits for it.
        left = kept_reader.rows_with(then, [lan.reader_key, cleared.reader_key, lan.username, lan.email or ""])

    assert (asked["accounts"], asked["histories"]) == (1, 1)
    assert (again["accounts"], again["histories"]) == (0, 0)
    assert set(left) <= {"stream.event_log", "reading.erasures"}


def test_a_new_account_with_the_number_of_an_erased_one_is_left_alone(conn: psycopg.Connection) -> None:
    """After a restore numbers are given anew."""
    gone = kept_reader.reader(conn)
    erase(conn, gone.account_id)
    kept_reader.catch_up(conn)
    resume(conn)
    conn.execute("select setval('reading.accounts_account_id_seq', %s, false)", [gone.account_id])
    new = kept_reader.reader(conn, "hoa")
    assert new.account_id == gone.account_id

    assert erasing.reapply(conn, get_settings()) == {"accounts": 0, "histories": 0, "readers": 0}
