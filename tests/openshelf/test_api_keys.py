"""Keys of programs from the command line."""

import hashlib
import json

import psycopg
import pytest
from test_command_line import openshelf

from openshelf import readers
from openshelf.database import api_keys
from openshelf.settings import get_settings


def test_a_key_is_shown_once_works_and_ends(conn: psycopg.Connection) -> None:
    made = openshelf(
        "api-keys", "create", "Web shop", "--scope", "recommend", "--scope", "write", "--days", "30", "--json"
    )
    assert made.returncode == 0, made.stderr
    key = json.loads(made.stdout)
    assert key["key"].startswith("osk_")
    assert (key["source"], key["scopes"]) == ("web-shop", ["recommend", "write"])
    kept = conn.execute("select key_hash, expires_at - created_at from reading.api_keys").fetchone()
    assert kept
    assert (kept[0], kept[1].days) == (hashlib.sha256(key["key"].encode()).digest(), 30)
    conn.commit()
    used = api_keys.use(conn, key["key"])
    assert used
    assert used.count == 1
    conn.commit()

    listed = openshelf("api-keys", "list")
    assert key["key"] not in listed.stdout
    assert key["prefix"] in listed.stdout
    assert "recommend, write" in listed.stdout
    assert openshelf("api-keys", "revoke", "Web shop").returncode == 0
    assert api_keys.use(conn, key["key"]) is None
    assert "revoked" in openshelf("api-keys", "list").stdout
    assert openshelf("api-keys", "create", "Web shop", "--scope", "read").returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "x"), "scope"),
        (("create", "x", "--scope", "everything"), "everything"),
        (("create", "магазин", "--scope", "read"), "--source"),
        (("revoke", "nobody"), "there is no key 'nobody'"),
        (("reader", "shop", "ann@example.org"), "READER_KEY"),
    ],
)
def test_wrong_use_says_what_is_wrong(words: tuple[str, ...], said: str, database: str) -> None:
    done = openshelf("api-keys", *words)

    assert done.returncode == 2
    assert said in done.stderr


def test_two_keys_of_one_name_are_refused(database: str) -> None:
    words = ("api-keys", "create", "shop", "--scope", "read")
    assert openshelf(*words).returncode == 0
    again = openshelf(*words)

    assert again.returncode == 2
    assert "revoke it first" in again.stderr


def test_where_a_programs_reader_stands_in_the_stream(database: str) -> None:
    done = openshelf("api-keys", "reader", "shop", "ann", "--json")

    expected = readers.program_key(get_settings().reader_secret(), "shop", "ann")
    assert json.loads(done.stdout) == {"reader_key": expected}
    assert expected.startswith("x_")
    assert expected != readers.program_key(get_settings().reader_secret(), "shop2", "ann")
