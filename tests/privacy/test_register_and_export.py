"""The register names every place where a person is kept; the export holds all of it, with every field explained."""

import csv
import io
import json
import zipfile
from pathlib import Path

import kept_reader
import psycopg
import pytest

import openshelf
from openshelf.database import accounts
from openshelf.errors import UsageError
from openshelf.privacy import choices, exporting, register

PAGE = Path(openshelf.__file__).parent.parent / "docs" / "privacy.md"


def test_every_table_with_a_person_in_it_is_in_the_register(conn: psycopg.Connection) -> None:
    named = {kept.table for kept in register.REGISTER} | set(register.NOBODYS)

    missing = register.personal_tables(conn) - named

    assert len(register.personal_tables(conn)) > 15
    assert missing == set(), "describe them in openshelf/privacy/register.py"


def test_the_register_names_no_table_that_is_not_there(conn: psycopg.Connection) -> None:
    there = set(exporting.register_tables(conn))

    assert {kept.table for kept in register.REGISTER if not kept.table.startswith("marts.")} == there


def test_the_page_shows_the_register_as_it_is() -> None:
    text = PAGE.read_text()

    assert register.as_markdown() in text, "python -m openshelf.privacy.register docs/privacy.md"
    assert register.elsewhere_as_markdown() in text


def test_every_field_of_the_export_is_explained(conn: psycopg.Connection) -> None:
    columns = conn.execute(
        """select table_schema || '.' || table_name, column_name from information_schema.columns
           where table_schema || '.' || table_name = any(%s)""",
        [[kept.table for kept in register.exported()]],
    ).fetchall()
    secret = {(kept.table, column) for kept in register.exported() for column in kept.secret}

    unexplained = {column for table, column in columns if (table, column) not in secret} - set(exporting.FIELDS)

    assert len(columns) > 60
    assert unexplained == set()


@pytest.fixture
def lan(conn: psycopg.Connection) -> accounts.Account:
    """A reader with something of everything."""
    books = list(kept_reader.library(conn).values())
    lan = kept_reader.reader(conn)
    assert lan.reader_key
    kept_reader.append(conn, kept_reader.acts(lan.reader_key, books[:4]))
    other = kept_reader.reader(conn, "minh")
    kept_reader.append(conn, kept_reader.acts(other.reader_key or "", books))
    kept_reader.catch_up(conn)
    for account in (lan, other):
        accounts.put_on_shelf(conn, account.account_id, books[0], "want")
        accounts.rate(conn, account.account_id, books[1], 4.5)
        accounts.hide(conn, account.account_id, books[2])
    conn.execute(
        "insert into reading.requests (account_id, title, request_key) values (%s, '=cmd()', 'cmd')", [lan.account_id]
    )
    conn.execute("insert into reading.lists (account_id, name) values (%s, 'Mưa')", [lan.account_id])
    conn.commit()
    return lan


def test_the_export_holds_as_much_as_the_database(conn: psycopg.Connection, lan: accounts.Account) -> None:
    made = exporting.export(conn, lan.account_id)

    with zipfile.ZipFile(io.BytesIO(made.zip)) as archive:
        everything = json.loads(archive.read("everything.json"))["parts"]
        tables = {
            name.removesuffix(".csv"): list(csv.DictReader(io.StringIO(archive.read(name).decode())))
            for name in archive.namelist()
            if name.endswith(".csv")
        }
        readme = archive.read("README.txt").decode()
    expected = {}
    for kept in register.exported():
        column, value = ("account_id", lan.account_id) if kept.whose == "account" else ("reader_key", lan.reader_key)
        schema, table = register.table_of(kept)
        row = conn.execute(
            psycopg.sql.SQL("select count(*) from {} where {} = %s").format(
                psycopg.sql.Identifier(schema, table), psycopg.sql.Identifier(column)
            ),
            [value],
        ).fetchone()
        assert row
        expected[kept.part] = row[0]
    assert {part: len(rows) for part, rows in everything.items()} == expected == made.counts
    assert {part: len(rows) for part, rows in tables.items()} == expected
    assert expected["history"] == expected["acts"] == 9
    assert min(expected[part] for part in ("profile", "shelves", "ratings", "hidden_books", "lists", "requests")) == 1
    assert [row["title"] for row in everything["shelves"]] == ["Dune"] or everything["shelves"][0]["title"]
    assert "consents" in readme
    assert "your rating, 1 to 5" in readme


def test_no_other_reader_and_no_secret_is_in_the_export(conn: psycopg.Connection, lan: accounts.Account) -> None:
    other = accounts.by_username(conn, "minh")
    assert other

    made = exporting.export(conn, lan.account_id)

    with zipfile.ZipFile(io.BytesIO(made.zip)) as archive:
        everything = "".join(archive.read(name).decode() for name in archive.namelist())
    assert (other.reader_key or "") not in everything
    assert "minh" not in everything
    assert "password_hash" not in everything
    assert "'=cmd()" in everything, "no spreadsheet runs what somebody typed"


def test_an_account_without_a_history_exports_what_it_has(conn: psycopg.Connection) -> None:
    hoa = kept_reader.reader(conn, "hoa", history=False)

    counts = exporting.export(conn, hoa.account_id).counts

    assert (counts["profile"], counts["history"], counts["consents"]) == (1, 0, 0)


def test_who_is_not_there_has_no_export(conn: psycopg.Connection) -> None:
    with pytest.raises(UsageError):
        exporting.export(conn, 7)


def test_a_consent_keeps_the_version_of_the_notice(conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """P12: when the notice changes the reader is asked again, and the history pauses until then."""
    lan = kept_reader.reader(conn)
    assert lan.keeps_history

    monkeypatch.setattr(accounts, "NOTICE_VERSION", "2027-1")
    asked = choices.history_of(lan)
    monkeypatch.setattr("openshelf.readers.NOTICE_VERSION", "2027-1")
    choices.keep_history(conn, lan.account_id, None)
    agreed = accounts.by_id(conn, lan.account_id)

    assert (asked.is_on, asked.asks_again, lan.keeps_history) == (True, True, False)
    assert agreed
    assert agreed.keeps_history
    assert agreed.history_days is None
    versions = conn.execute("select notice_version from reading.consents order by consent_id").fetchall()
    assert [version for (version,) in versions] == ["2026-3", "2027-1"]


def test_of_a_child_no_history_is_kept(conn: psycopg.Connection) -> None:
    guardian = kept_reader.reader(conn)
    child = accounts.create_child(conn, guardian.account_id, "bi", "Bi", "hash", "children")
    assert child

    with pytest.raises(Exception, match="child"):
        choices.keep_history(conn, child.account_id, 90)
