"""Chats that a reader wants kept: in the export, gone with the history, the account and their days; of a child none."""

import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import kept_reader
import psycopg
import pytest

from openshelf.contracts import utc_now
from openshelf.database import accounts, chats
from openshelf.privacy import choices, erasing, exporting, retention
from openshelf.settings import get_settings

SECRET = "a book about my unusual illness"


@pytest.fixture
def lan(conn: psycopg.Connection) -> accounts.Account:
    """A reader who keeps chats, beside another."""
    books = list(kept_reader.library(conn).values())
    lan, minh = kept_reader.reader(conn), kept_reader.reader(conn, "minh")
    for account, question in ((lan, SECRET), (minh, "a book about boats")):
        choices.keep_chats(conn, account.account_id, 30)
        answer = {"language": "en", "opening": "Here.", "books": [{"book_id": books[0], "why": "It tells of it."}]}
        chats.keep(conn, account.account_id, uuid4(), question, answer)
    conn.commit()
    return lan


def where(conn: psycopg.Connection) -> list[str]:
    return kept_reader.rows_with(conn, [SECRET])


def test_a_kept_chat_is_in_one_place_and_in_the_export(conn: psycopg.Connection, lan: accounts.Account) -> None:
    with zipfile.ZipFile(io.BytesIO(exporting.export(conn, lan.account_id).zip)) as archive:
        everything = json.loads(archive.read("everything.json"))["parts"]
        readme = archive.read("README.txt").decode()

    (chat,) = everything["chats"]
    assert (chat["question"], chat["answer"]["books"][0]["why"]) == (SECRET, "It tells of it.")
    assert "boats" not in json.dumps(everything)
    assert "what you asked the librarian" in readme
    assert everything["profile"][0]["chat_days"] == 30
    assert where(conn) == ["reading.chats"]


@pytest.mark.parametrize("ask", [erasing.clear_history, erasing.erase_account])
def test_chats_go_with_the_history_and_with_the_account(
    conn: psycopg.Connection, lan: accounts.Account, ask: Callable[..., list[int]]
) -> None:
    with conn.transaction():
        asked = ask(conn, lan.account_id)
    for erasure_id in asked:
        erasing.finish(conn, get_settings(), erasure_id)
    kept_reader.catch_up(conn)
    erasing.resume(conn, get_settings())

    assert where(conn) == []
    assert kept_reader.count(conn, "reading.chats") == 1, "another's chats stay"


@pytest.mark.parametrize(("days", "left"), [(29, 1), (31, 0)])
def test_chats_go_after_their_days(conn: psycopg.Connection, lan: accounts.Account, days: int, left: int) -> None:
    retention.run(conn, get_settings(), utc_now() + timedelta(days=days))

    assert len(chats.of_account(conn, lan.account_id)) == left
    assert (where(conn) != []) == bool(left)


def test_who_wants_no_chats_any_more_has_none(conn: psycopg.Connection, lan: accounts.Account) -> None:
    assert choices.stop_chats(conn, lan.account_id) == 1
    conn.commit()

    assert where(conn) == []
    assert choices.chats_of(conn, lan.account_id).days is None
    granted = conn.execute(
        "select granted from reading.consents where account_id = %s and kind = 'chats' order by consent_id",
        [lan.account_id],
    ).fetchall()
    assert granted == [(True,), (False,)]


def test_the_database_itself_keeps_no_chats_of_a_child(conn: psycopg.Connection, lan: accounts.Account) -> None:
    child = accounts.create_child(conn, lan.account_id, "bi", "Bi", "hash", "children")
    assert child

    with pytest.raises(psycopg.errors.CheckViolation):
        conn.execute("update reading.accounts set chat_days = 30 where account_id = %s", [child.account_id])


def test_thumbs_go_after_the_days_of_searches(conn: psycopg.Connection) -> None:
    verdict = chats.Verdict(
        answer_id=uuid4(), language="en", subjects=["War"], book_ids=[1], voice="catalogue", refusal=None, steps=[]
    )
    chats.judge(conn, verdict, True)
    conn.commit()
    days = get_settings().retention_search_days

    soon = retention.run(conn, get_settings(), utc_now() + timedelta(days=days - 1))
    later = retention.run(conn, get_settings(), utc_now() + timedelta(days=days + 2))

    assert (soon["reading.chat_feedback"], later["reading.chat_feedback"]) == (0, 1)
