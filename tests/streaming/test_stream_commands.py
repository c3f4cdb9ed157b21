import json
import sys
from pathlib import Path

import psycopg
import pytest
from stream_acts import SmallRecommender, act, catch_up

from openshelf import topics
from openshelf.cli import main
from openshelf.contracts import new_event_id
from openshelf.database import events


def openshelf(*arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and what was printed."""
    monkeypatch.setattr(sys, "argv", ["openshelf", "stream", *arguments])
    capsys.readouterr()
    try:
        main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0
    else:
        code = 0
    written = capsys.readouterr()
    return code, written.out + written.err


@pytest.fixture
def letter_id(conn: psycopg.Connection) -> str:
    """A dead letter: an act whose reader, action and book are fine and whose time has no zone."""
    bad = act(book_id=4)
    events.append_raw(conn, bad.event_id, bad.reader_key, bad.encode().replace(b"Z", b""))
    catch_up(conn, SmallRecommender())
    row = conn.execute("select dead_letter_id from stream.dead_letters").fetchone()
    conn.commit()
    assert row
    return str(row[0])


def test_dead_letters_are_listed_and_shown(
    letter_id: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, listed = openshelf("dead-letters", "list", "--json", monkeypatch=monkeypatch, capsys=capsys)
    _, shown = openshelf("dead-letters", "show", letter_id, "--json", monkeypatch=monkeypatch, capsys=capsys)

    assert [str(letter["dead_letter_id"]) for letter in json.loads(listed)] == [letter_id]
    assert "timezone" in json.loads(shown)["reason"]


def test_a_bad_letter_is_replayed_only_when_mended_and_only_once(
    conn: psycopg.Connection,
    letter_id: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    mended = tmp_path / "mended.json"
    row = conn.execute("select payload from stream.dead_letters").fetchone()
    conn.commit()
    assert row
    event = json.loads(row[0])
    mended.write_text(json.dumps(event | {"occurred_at": event["occurred_at"] + "Z"}))
    replay = ["dead-letters", "replay", letter_id]

    as_found = openshelf(*replay, monkeypatch=monkeypatch, capsys=capsys)
    as_mended = openshelf(*replay, "--payload", str(mended), monkeypatch=monkeypatch, capsys=capsys)
    again = openshelf(*replay, "--payload", str(mended), monkeypatch=monkeypatch, capsys=capsys)
    catch_up(conn, SmallRecommender())

    assert [code for code, _ in (as_found, as_mended, again)] == [2, 0, 2]
    assert "still bad" in as_found[1]
    assert conn.execute("select book_id from stream.interactions").fetchall() == [(4,)]


def test_a_letter_that_is_not_there_is_wrong_use(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = openshelf("dead-letters", "show", "999", monkeypatch=monkeypatch, capsys=capsys)

    assert code == 2
    assert "there is no dead letter 999" in said


def test_lag_counts_what_waits_and_says_since_when(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    events.append_many(conn, [act() for _ in range(3)])
    events.append_raw(conn, new_event_id(), "r_2", b"{}")
    conn.commit()

    _, waiting = openshelf("lag", "--json", monkeypatch=monkeypatch, capsys=capsys)
    catch_up(conn, SmallRecommender())
    _, drained = openshelf("lag", "--json", monkeypatch=monkeypatch, capsys=capsys)

    sessions = json.loads(waiting)["sessions"]
    assert sessions["count_waiting"] == 4
    assert sessions["oldest_waiting_s"] > 0
    assert sessions["partitions"][str(topics.partition_of("r_1"))] >= 3
    assert json.loads(drained)["sessions"]["count_waiting"] == 0


def test_letters_that_are_understood_by_now_are_taken_by_themselves_and_once(
    conn: psycopg.Connection, letter_id: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after an upgrade: the event that this program refuses is put right; one of a known id is not our business."""
    taken = act(book_id=5)
    events.append(conn, taken)
    events.append_raw(conn, taken.event_id, taken.reader_key, act(book_id=6).encode())
    early = new_event_id()
    conn.execute(
        """insert into stream.dead_letters (source, partition, log_offset, reason, payload, found_at)
           values ('topic', 0, 0, 'from the future', %s, now() - interval '3 days')""",
        [act(book_id=7, event_id=early).encode()],
    )
    conn.commit()
    retry = ["dead-letters", "retry", "--json"]

    first = openshelf(*retry, monkeypatch=monkeypatch, capsys=capsys)
    conn.execute(
        """update stream.dead_letters set payload = convert_to(regexp_replace(convert_from(payload, 'UTF8'),
           '("occurred_at":"[^"]*)"', '\\1Z"'), 'UTF8') where dead_letter_id = %s""",
        [letter_id],
    )
    conn.commit()
    mended = openshelf(*retry, monkeypatch=monkeypatch, capsys=capsys)
    again = openshelf(*retry, monkeypatch=monkeypatch, capsys=capsys)
    catch_up(conn, SmallRecommender())

    assert [json.loads(said.splitlines()[-1])["replayed"] for _, said in (first, mended, again)] == [0, 1, 0]
    found = conn.execute("select book_id from stream.interactions order by book_id").fetchall()
    assert found == [(4,), (5,)]
