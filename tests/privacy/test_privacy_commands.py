"""`openshelf reader export|erase`, `retention run`, `privacy ...`: what the desk and the operator do."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import kept_reader
import psycopg

from openshelf.database import accounts, audit


def openshelf(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "openshelf", *words], capture_output=True, text=True, timeout=60)


def test_the_desk_exports_and_erases_a_reader_who_asks(conn: psycopg.Connection, tmp_path: Path) -> None:
    reader = kept_reader.reader(conn)
    file = tmp_path / "reader.zip"

    exported = openshelf("reader", "export", reader.username, str(file), "--json")
    not_meant = subprocess.run(
        [sys.executable, "-m", "openshelf", "reader", "erase", reader.username], input="n\n", text=True,
        capture_output=True,
    )  # fmt: skip
    erased = openshelf("reader", "erase", reader.username, "--yes", "--json")
    kept_reader.catch_up(conn)
    resumed = openshelf("privacy", "resume", "--json")
    certificates = openshelf("privacy", "certificates", "--json")
    ran = openshelf("retention", "run", "--json")

    assert json.loads(exported.stdout)["profile"] == 1, exported.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    assert "everything.json" in zipfile.ZipFile(file).namelist()
    assert not_meant.returncode == 1
    assert json.loads(erased.stdout) == {"accounts": 1, "finished": 0, "waiting": 1}, erased.stderr
    assert json.loads(resumed.stdout) == {"finished": 1, "waiting": 0}, resumed.stderr
    assert json.loads(certificates.stdout)[0]["asked_by"] == "library"
    assert "stream.event_log" in json.loads(ran.stdout), ran.stderr
    assert accounts.by_username(conn, reader.username) is None
    assert {(note.act, note.subject) for note in audit.latest(conn)} == {
        ("export reader", "account 1"),
        ("erase reader", "account 1"),
    }


def test_an_unknown_reader_is_said(conn: psycopg.Connection, tmp_path: Path) -> None:
    for words in (("export", "nobody", str(tmp_path / "x.zip")), ("erase", "nobody", "--yes")):
        answer = openshelf("reader", *words)
        assert (answer.returncode, answer.stderr.strip()) == (2, "openshelf: there is no account 'nobody'")


def test_reapplying_with_nothing_to_do_does_nothing(conn: psycopg.Connection) -> None:
    answer = openshelf("privacy", "reapply", "--json")

    assert set(json.loads(answer.stdout).values()) == {0}, answer.stderr
