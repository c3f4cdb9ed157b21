"""The reading page, drawn by Streamlit itself: which part, from where, for whom, and what is remembered."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from dashboard_pages import drawn, words_of
from small_epub import epub_bytes
from small_pdf import pdf_bytes
from streamlit.testing.v1 import AppTest

from dashboard import places
from openshelf.database import shelves as shelves_table
from openshelf.settings import get_settings

Visit = Callable[..., AppTest]


def actions(conn: psycopg.Connection) -> list[str]:
    conn.rollback()
    rows = conn.execute("select convert_from(payload, 'UTF8')::jsonb ->> 'action' from stream.event_log")
    return [action for (action,) in rows]


def reader_of(page: AppTest) -> dict:
    assert not page.exception
    (reader,) = drawn(page, "reader")
    return reader


def test_a_book_opens_at_its_first_part_with_its_contents(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection
) -> None:
    page = visit("read", id=str(shelves["Dune"]))
    page.run()

    reader = reader_of(page)
    assert reader["nodes"] == [["h1", {}, "The desert"], ["p", {}, "Sand everywhere."]]
    assert [entry["label"] for entry in reader["contents"]] == ["The desert", "The worm"]
    assert (reader["previous"], reader["next"]) == (None, f"/read?id={shelves['Dune']}&chapter=2")
    assert (reader["lang"], reader["place"], reader["finish"]) == ("en", "Part 1 of 2", None)
    assert (reader["remember"], reader["chosen"]) == ("browser", False)
    assert actions(conn).count("read") == 1


def test_the_address_names_the_part_and_the_last_one_can_be_finished(shelves: dict[str, int], visit: Visit) -> None:
    reader = reader_of(visit("read", id=str(shelves["Dune"]), chapter="2"))
    beyond = reader_of(visit("read", id=str(shelves["Dune"]), chapter="99"))
    mangled = reader_of(visit("read", id=str(shelves["Dune"]), chapter="-1; --"))

    assert reader["part_title"] == "The worm"
    assert reader["finish"] == {"label": "I have read it", "done": False}
    assert 0 < reader["before"] < 1
    assert reader["before"] + reader["weight"] == pytest.approx(1)
    assert (beyond["number"], mangled["number"]) == (2, 1)


def test_who_keeps_a_history_goes_on_where_they_were(
    shelves: dict[str, int], visit: Visit, sign_in: Callable, conn: psycopg.Connection
) -> None:
    account = sign_in("lan", history=True)
    shelves_table.keep_place(conn, account.account_id, shelves["Dune"], part=2, block=1, progress=0.6)
    conn.commit()

    reader = reader_of(visit("read", id=str(shelves["Dune"])))
    chosen = reader_of(visit("read", id=str(shelves["Dune"]), chapter="1"))

    assert (reader["number"], reader["start"], reader["remember"]) == (2, {"part": 2, "block": 1}, "account")
    assert (chosen["number"], chosen["chosen"]) == (1, True)


def test_without_a_history_the_library_keeps_no_place(
    shelves: dict[str, int], visit: Visit, sign_in: Callable, conn: psycopg.Connection
) -> None:
    account = sign_in("lan", history=False)
    shelves_table.keep_place(conn, account.account_id, shelves["Dune"], part=2, block=1, progress=0.6)
    conn.commit()

    reader = reader_of(visit("read", id=str(shelves["Dune"])))

    assert (reader["number"], reader["start"], reader["remember"]) == (1, None, "browser")


@pytest.mark.parametrize("history", [True, False])
def test_a_place_that_the_page_sends_is_kept_only_with_a_history(
    history: bool, shelves: dict[str, int], visit: Visit, sign_in: Callable, conn: psycopg.Connection
) -> None:
    account = sign_in("lan", history=history)
    places = {"part": 1, "block": 3, "progress": 0.25}, {"part": 2, "block": 7, "progress": 0.75}
    sent = {"from": "a", "told": [[1, places[0]], [2, places[1]]]}

    def page(book_id: int, sent: object) -> None:
        from types import SimpleNamespace

        from streamlit import session_state

        from dashboard.places import keep

        session_state["reader"] = SimpleNamespace(place=sent)
        keep("reader", book_id, 2)()

    AppTest.from_function(page, kwargs={"book_id": shelves["Dune"], "sent": sent}).run()

    kept = shelves_table.place_of(conn, account.account_id, shelves["Dune"])
    assert (kept is not None) == history
    if kept:
        assert (kept.part, kept.block, kept.progress) == (2, 7, 0.75)


@pytest.mark.parametrize(
    "answer",
    [
        None, [], "x", {}, {"part": 0, "block": 0, "progress": 0}, {"part": 3, "block": 0, "progress": 0},
        {"part": 1, "block": -1, "progress": 0}, {"part": 1, "block": 0, "progress": float("nan")},
        {"part": 1, "block": 1e400, "progress": 0}, {"part": "x", "block": 0, "progress": 0},
        {"part": 1, "block": 0, "progress": 1.5}, {"part": 1, "block": 0},
    ],
)  # fmt: skip
def test_a_place_that_no_page_of_ours_sends_is_dropped(answer: object) -> None:
    assert places._place(answer, 2) is None


def test_a_child_reads_nothing_beyond_its_limit(
    shelves: dict[str, int], visit: Visit, sign_in: Callable, conn: psycopg.Connection
) -> None:
    account = sign_in("lan")
    conn.execute("update reading.accounts set audience_limit = 'children'")
    conn.commit()
    assert account

    page = visit("read", id=str(shelves["Dune"]))

    assert not drawn(page, "reader")
    assert "not on our shelves" in words_of(page)
    assert "read" not in actions(conn)


LINES = (
    "A beginning is the time for taking the most",
    "delicate care that the balances are correct.",
    "So it is said.",
    "This every sister knows, and all who come here",
)


@pytest.fixture
def lend(conn: psycopg.Connection, tmp_path: Path) -> Callable[[bytes], None]:
    """Put these bytes into the place of the PDF of Dune Messiah."""

    def put(content: bytes) -> None:
        (tmp_path / "library" / "m.pdf").write_bytes(content)
        conn.execute("update library.files set path = 'm.pdf' where format = 'PDF'")
        conn.commit()

    return put


def test_a_pdf_opens_as_text_page_by_page(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection, lend: Callable[[bytes], None]
) -> None:
    lend(pdf_bytes(LINES, LINES, [], LINES, contents=[("The beginning", 1), ("The end", 4)]))
    book_id = shelves["Dune Messiah"]

    first = reader_of(visit("read", id=str(book_id)))
    third = reader_of(visit("read", id=str(book_id), chapter="3", block="0"))

    assert first["nodes"] == [["p", {}, " ".join(LINES[:3])], ["p", {}, LINES[3]]]
    assert (first["place"], first["next"], first["finish"]) == ("Page 1 of 4", f"/read?id={book_id}&chapter=2", None)
    assert [(entry["label"], entry["part"]) for entry in first["contents"]] == [("The beginning", 1), ("The end", 4)]
    assert first["other"] == f"/read?id={book_id}&chapter=1&as=pages"
    assert (third["nodes"], third["goal"]) == ([["p", {}, "There is no text on this page."]], None)
    assert third["remember"] == "browser"
    assert actions(conn).count("read") == 2


def test_the_pages_of_a_pdf_are_there_as_they_were_printed_too(
    shelves: dict[str, int], visit: Visit, lend: Callable[[bytes], None]
) -> None:
    lend(pdf_bytes(LINES, LINES))
    book_id = shelves["Dune Messiah"]

    reader = reader_of(visit("read", **{"id": str(book_id), "chapter": "2", "as": "pages"}))

    assert (reader["pdf"], reader["number"]) == (f"/texts/{book_id}.pdf#page=2", 2)
    assert reader["previous"] == f"/read?id={book_id}&chapter=1&as=pages"
    assert reader["other"] == f"/read?id={book_id}&chapter=2"
    assert [entry["label"] for entry in reader["contents"]] == ["Page 1", "Page 2"]
    assert reader["finish"] is not None


def test_who_keeps_a_history_goes_on_at_their_page_of_a_scan(
    shelves: dict[str, int], visit: Visit, sign_in: Callable, conn: psycopg.Connection, lend: Callable[[bytes], None]
) -> None:
    lend(pdf_bytes([], [], []))
    account = sign_in("lan", history=True)
    shelves_table.keep_place(conn, account.account_id, shelves["Dune Messiah"], part=2, block=0, progress=0.6)
    conn.commit()

    reader = reader_of(visit("read", id=str(shelves["Dune Messiah"])))

    assert (reader["number"], reader["remember"], reader["place"]) == (2, "account", "Page 2 of 3")
    assert reader["pdf"].endswith(".pdf#page=2")
    assert reader["other"] is None


def test_a_pdf_that_cannot_be_read_is_left_to_the_browser(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection, lend: Callable[[bytes], None]
) -> None:
    lend(b"%PDF-1.4")

    reader = reader_of(visit("read", id=str(shelves["Dune Messiah"])))

    assert reader["pdf"] == f"/texts/{shelves['Dune Messiah']}.pdf"
    assert "nodes" not in reader
    assert (reader["parts"], reader["contents"], reader["remember"]) == ([], [], "nowhere")
    assert reader["finish"]["done"] is False
    assert actions(conn).count("read") == 1

    reader = reader_of(visit("read", id=str(shelves["Dune Messiah"]), chapter="212", block="0"))
    assert reader["pdf"] == f"/texts/{shelves['Dune Messiah']}.pdf#page=212"


@pytest.mark.parametrize(("content", "word"), [(b"PK broken", "is damaged"), (None, "no file that can be read")])
def test_a_book_that_cannot_be_opened_says_why(
    content: bytes | None, word: str, shelves: dict[str, int], visit: Visit, conn: psycopg.Connection, tmp_path: Path
) -> None:
    file = tmp_path / "library" / "Dune" / "dune.epub"
    file.unlink() if content is None else file.write_bytes(content)

    page = visit("read", id=str(shelves["Dune"]))

    assert not page.exception
    assert word in words_of(page)
    assert "read" not in actions(conn)


def test_a_book_that_was_replaced_is_read_anew(shelves: dict[str, int], visit: Visit, tmp_path: Path) -> None:
    before = reader_of(visit("read", id=str(shelves["Dune"])))

    (tmp_path / "library" / "Dune" / "dune.epub").write_bytes(epub_bytes("<p>Other words</p>"))
    after = reader_of(visit("read", id=str(shelves["Dune"])))

    assert before["nodes"] != after["nodes"] == [["p", {}, "Other words"]]


def test_files_to_take_away_are_offered_where_that_is_allowed(
    shelves: dict[str, int], visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = reader_of(visit("read", id=str(shelves["Dune"])))["downloads"]
    monkeypatch.setenv("OPENSHELF_DOWNLOADS", "none")
    get_settings.cache_clear()
    refused = reader_of(visit("read", id=str(shelves["Dune"])))["downloads"]

    assert offered == [{"label": "EPUB", "href": f"/files/{shelves['Dune']}.epub"}]
    assert refused == []
