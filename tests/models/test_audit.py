"""What an operator does to models, experiments and pins is written down, one row an act, if and only if it is done."""

import psycopg
import pytest
from small_catalogue import Work, add_work

from openshelf.cli import main
from openshelf.database import audit


def openshelf(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit code of a command."""
    monkeypatch.setattr("sys.argv", ["openshelf", *words])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


def test_acts_on_what_readers_are_shown_are_noted(conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    book_id = add_work(conn, Work("A work", ["A. Author"], ["history"], None))
    conn.commit()

    assert openshelf(monkeypatch, "experiments", "start", "first", "--arm", "a=popular", "--arm", "b=champion") == 0
    assert openshelf(monkeypatch, "experiments", "start", "second", "--arm", "a=popular", "--arm", "b=champion") == 2, (
        "one runs"
    )
    assert openshelf(monkeypatch, "experiments", "stop") == 0
    assert openshelf(monkeypatch, "pins", "add", str(book_id), "3") == 0
    assert openshelf(monkeypatch, "pins", "add", "999999", "3") == 2
    assert openshelf(monkeypatch, "pins", "remove", "1") == 0
    assert openshelf(monkeypatch, "models", "promote", "policy-9999") != 0

    notes = [(note.actor, note.act, note.subject) for note in reversed(audit.latest(conn))]
    assert notes == [
        ("command line", "start experiment", "first"),
        ("command line", "stop experiment", "first"),
        ("command line", "pin", f"work {book_id} at place 3"),
        ("command line", "remove pin", "1"),
    ]
