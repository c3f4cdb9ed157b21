"""Accounts from the command line, in processes of their own."""

import json
import subprocess
import sys

import psycopg
import pytest

from openshelf import passwords
from openshelf.database import accounts, audit

PASSWORD = "a lamp by the window"


def reader(*words: str, said: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "openshelf", "reader", *words],
        cwd="/",
        input=said,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_an_account_is_made_with_a_password_that_is_no_argument(conn: psycopg.Connection) -> None:
    done = reader(
        "create", "Lena", "--name", "Lena Hart", "--role", "staff", "--password-stdin", "--json", said=f"{PASSWORD}\n"
    )

    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    account = accounts.by_username(conn, "lena")
    assert account
    assert (account.account_id, account.role, account.kind) == (made["account_id"], "staff", "local")
    assert (account.history_enabled, account.reader_key, made["reader_key"]) == (False, None, None)
    found = accounts.password_of(conn, "lena")
    assert found
    assert passwords.is_right(PASSWORD, found[1])
    assert [(note.act, note.subject) for note in audit.latest(conn)] == [
        ("create staff", f"account {account.account_id}")
    ]
    assert "Lena" not in str(audit.latest(conn)), "no name outlives its account"


@pytest.mark.parametrize(
    ("words", "said", "message"),
    [
        (("create", "lena", "--password-stdin"), "short\n", "at least 10 characters"),
        (("create", "a b", "--password-stdin"), f"{PASSWORD}\n", "2 to 40 letters"),
        (("create", "lena", "--role", "boss"), "", "not one of reader, staff, admin"),
        (("create", "taken", "--password-stdin"), f"{PASSWORD}\n", "is taken"),
        (("role", "nobody", "staff"), "", "there is no account 'nobody'"),
        (("role", "taken", "boss"), "", "not one of reader, staff, admin"),
    ],
)
def test_what_cannot_be_is_one_clear_message(
    words: tuple[str, ...], said: str, message: str, conn: psycopg.Connection
) -> None:
    accounts.create_local(conn, "taken", "Taken", "$none")
    conn.commit()

    done = reader(*words, said=said)

    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_role_that_is_given_is_noted(conn: psycopg.Connection) -> None:
    accounts.create_local(conn, "lena", "Lena", "$none")
    conn.commit()

    assert reader("role", "Lena", "admin").returncode == 0

    account = accounts.by_username(conn, "lena")
    assert account
    assert account.role == "admin"
    assert [(note.actor, note.act) for note in audit.latest(conn)] == [("command line", "give role admin")]


def test_a_demo_reader_needs_no_password_and_may_keep_a_history(conn: psycopg.Connection) -> None:
    done = reader("create", "mai", "--demo", "--history", "--json")

    assert done.returncode == 0, done.stderr
    account = accounts.by_username(conn, "mai")
    assert account
    assert (account.kind, account.history_enabled) == ("demo", True)
    assert account.reader_key == json.loads(done.stdout)["reader_key"] is not None
