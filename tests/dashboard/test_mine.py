"""My books, drawn by Streamlit itself: lists, rules, ratings, hidden books, history; each reader's own only."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from dashboard_pages import drawn, shelf_titles, words_of
from streamlit.testing.v1 import AppTest

from dashboard import list_acts, state
from openshelf.contracts import new_event_id
from openshelf.database import accounts, events, own_history, requests
from openshelf.database import shelves as lists
from openshelf.database.accounts import Account
from openshelf.database.shelves import Rule
from openshelf.settings import get_settings

Visit = Callable[..., AppTest]
SignIn = Callable[..., Account]


def test_shelves_say_how_far_one_is_for_who_keeps_a_history(
    shelves: dict[str, int], visit: Visit, sign_in: SignIn, conn: psycopg.Connection
) -> None:
    account = sign_in("lan", history=True)
    accounts.put_on_shelf(conn, account.account_id, shelves["Dune"], "reading")
    lists.keep_place(conn, account.account_id, shelves["Dune"], part=1, block=0, progress=0.415)
    conn.commit()

    page = visit("mine")

    assert not page.exception
    (reading,) = [shelf for shelf in drawn(page, "shelf") if shelf["heading"] == "Reading now"]
    assert [(card["title"], card["reason"]["text"]) for card in reading["cards"]] == [("Dune", "42% read")]


def test_own_lists_stand_as_tiles_with_their_covers_and_counts(
    shelves: dict[str, int], visit: Visit, sign_in: SignIn, conn: psycopg.Connection
) -> None:
    account = sign_in("lan")
    list_id = lists.make(conn, account.account_id, "Rainy days")
    lists.put(conn, account.account_id, list_id, [shelves["Dune"], shelves["Dune Messiah"]])
    lists.make(conn, account.account_id, "Việt Nam", Rule(language="vie", year_to=1900, reading="unread"))
    conn.commit()

    (tiles,) = drawn(visit("mine"), "own_lists")

    rainy, ruled = tiles["lists"]
    assert (rainy["name"], rainy["line"], len(rainy["covers"])) == ("Rainy days", "2 books", 2)
    assert ruled["line"] == "Fills itself: not read yet, Vietnamese, up to 1900 · 1 book"
    assert ruled["covers"][0]["title"] == "Truyện Kiều"
    assert {"value": "vie", "label": "Vietnamese"} in tiles["fields"]["languages"]


def test_ratings_hidden_books_and_requests_are_there(
    shelves: dict[str, int], visit: Visit, sign_in: SignIn, conn: psycopg.Connection
) -> None:
    account = sign_in("lan")
    accounts.rate(conn, account.account_id, shelves["Dune"], 4)
    accounts.hide(conn, account.account_id, shelves["Charlotte's Web"])
    requests.ask(conn, account, "A rare book", secret=get_settings().reader_secret(), visit="v")
    conn.commit()

    page = visit("mine")

    titles = shelf_titles(page)
    assert (titles["Your ratings"], titles["Not interested"]) == (["Dune"], ["Charlotte's Web"])
    assert drawn(page, "records")[0]["rows"][0]["title"] == "A rare book"


def test_a_visitor_has_shelves_for_the_visit_and_no_lists(shelves: dict[str, int], visit: Visit) -> None:
    page = visit("mine")

    assert not page.exception
    assert not drawn(page, "own_lists")
    assert "last as long as this visit" in words_of(page)


def test_a_list_shows_its_books_and_how_to_take_them_off(
    shelves: dict[str, int], visit: Visit, sign_in: SignIn, conn: psycopg.Connection
) -> None:
    account = sign_in("lan")
    list_id = lists.make(conn, account.account_id, "<b>Rainy</b> days")
    lists.put(conn, account.account_id, list_id, [shelves["Dune"]])
    conn.commit()

    page = visit("my_list", id=str(list_id))

    assert not page.exception
    (desk,) = drawn(page, "list_desk")
    assert (desk["name"], desk["line"], desk["rule"]) == ("<b>Rainy</b> days", "1 book", None)
    (shelf,) = drawn(page, "shelf")
    assert [card["title"] for card in shelf["cards"]] == ["Dune"]
    assert shelf["button"]["action"] == "take_out"
    assert "Rainy" not in words_of(page)


@pytest.mark.parametrize("asked", ["", "0", "-1", "999999", "x", "9" * 30])
def test_a_list_that_is_not_there_gets_a_calm_word(asked: str, database: str, visit: Visit, sign_in: SignIn) -> None:
    sign_in("lan")

    page = visit("my_list", id=asked)

    assert not page.exception
    assert "no such list" in words_of(page)


def test_the_list_of_someone_else_is_not_there(
    shelves: dict[str, int], visit: Visit, sign_in: SignIn, conn: psycopg.Connection
) -> None:
    stranger = sign_in("minh")
    list_id = lists.make(conn, stranger.account_id, "Private")
    conn.commit()
    sign_in("lan")

    page = visit("my_list", id=str(list_id))

    assert "no such list" in words_of(page)
    assert not drawn(page, "list_desk")


def test_a_child_sees_on_lists_only_what_it_may(
    shelves: dict[str, int], visit: Visit, sign_in: SignIn, conn: psycopg.Connection
) -> None:
    account = sign_in("lan")
    list_id = lists.make(conn, account.account_id, "All")
    lists.put(conn, account.account_id, list_id, [shelves["Dune"], shelves["Dế Mèn phiêu lưu ký"]])
    ruled = lists.make(conn, account.account_id, "English", Rule(language="eng"))
    accounts.put_on_shelf(conn, account.account_id, shelves["Dune"], "want")
    conn.execute("update reading.accounts set audience_limit = 'children'")
    conn.commit()

    assert shelf_titles(visit("my_list", id=str(list_id)))[""] == ["Dế Mèn phiêu lưu ký"]
    assert "Dune" not in shelf_titles(visit("my_list", id=str(ruled)))[""]
    mine = visit("mine")
    assert shelf_titles(mine)["Want to read"] == []
    assert "Dune" not in str(drawn(mine, "own_lists"))


def press(trigger: str, answer: object, handler: str, *arguments: object) -> AppTest:
    """What a component sends, handled as on a page."""

    def page(trigger: str, answer: object, handler: str, arguments: tuple[object, ...]) -> None:
        from types import SimpleNamespace

        from streamlit import session_state, text

        from dashboard import list_acts as acts

        session_state["key"] = SimpleNamespace(**{trigger: answer})
        getattr(acts, handler)("key", *arguments)()
        text(acts.problem("key"))

    return AppTest.from_function(
        page, kwargs={"trigger": trigger, "answer": answer, "handler": handler, "arguments": arguments}
    ).run()


def telling(*answers: object) -> dict[str, object]:
    """What a component tells that tells all until it was heard."""
    return {"from": "a", "told": [[number, answer] for number, answer in enumerate(answers, 1)]}


def told(page: AppTest) -> str:
    assert not page.exception
    return page.text[0].value


def test_lists_are_made_from_what_the_form_sends(
    shelves: dict[str, int], sign_in: SignIn, conn: psycopg.Connection
) -> None:
    account = sign_in("lan")
    rule = {"language": "vie", "subject": "", "year_from": "1900", "year_to": "x", "reading": "unread"}

    assert told(press("made", {"name": "Rainy days", "rule": None}, "making")) == ""
    assert told(press("made", {"name": "Việt Nam", "rule": rule}, "making")) == ""
    assert "of this name already" in told(press("made", {"name": "RAINY DAYS", "rule": None}, "making"))
    assert "give the list a name" in told(press("made", {"name": " ", "rule": None}, "making"))

    made = lists.lists(conn, account.account_id)
    assert [(own.name, own.rule) for own in made] == [
        ("Rainy days", None),
        ("Việt Nam", Rule(language="vie", year_from=1900, reading="unread")),
    ]


def test_a_list_is_renamed_removed_and_brought_back(
    shelves: dict[str, int], sign_in: SignIn, conn: psycopg.Connection
) -> None:
    account = sign_in("lan")
    list_id = lists.make(conn, account.account_id, "Rainy days")
    conn.commit()

    press("changed", {"what": "rename", "name": "Sunny days"}, "changing", list_id)
    conn.rollback()
    assert [own.name for own in lists.lists(conn, account.account_id)] == ["Sunny days"]
    press("changed", {"what": "remove"}, "changing", list_id)
    conn.rollback()
    assert lists.lists(conn, account.account_id) == []
    press("changed", {"what": "back"}, "changing", list_id)
    conn.rollback()
    assert [own.name for own in lists.lists(conn, account.account_id)] == ["Sunny days"]


def test_the_page_of_a_removed_list_offers_to_bring_it_back(
    shelves: dict[str, int], visit: Visit, sign_in: SignIn, conn: psycopg.Connection
) -> None:
    account = sign_in("lan")
    list_id = lists.make(conn, account.account_id, "Rainy days")
    conn.commit()
    page = visit("my_list", id=str(list_id))

    lists.remove(conn, account.account_id, list_id)
    conn.commit()
    page.session_state["lists.removed"] = list_id
    page.run()

    (desk,) = drawn(page, "list_desk")
    assert (desk["removed"], desk["name"]) == (True, "Rainy days")


def test_a_books_menu_puts_it_on_lists_and_takes_it_off(
    shelves: dict[str, int], sign_in: SignIn, conn: psycopg.Connection
) -> None:
    account = sign_in("lan")
    dune = shelves["Dune"]
    list_id = lists.make(conn, account.account_id, "Rainy days")
    conn.commit()

    press("listed", telling({"id": list_id, "on": True}, {"name": "Sand"}), "listing", dune)
    conn.rollback()
    assert [(own.name, own.count_books) for own in lists.lists(conn, account.account_id)] == [
        ("Rainy days", 1),
        ("Sand", 1),
    ]
    press("listed", telling({"id": list_id, "on": False}), "listing", dune)
    sand = lists.lists(conn, account.account_id)[1].list_id
    press("acts", telling({"action": "take_out", "id": dune}), "taking_out", sand)
    conn.rollback()
    assert [own.count_books for own in lists.lists(conn, account.account_id)] == [0, 0]


@pytest.mark.parametrize(
    ("trigger", "answer", "handler", "arguments"),
    [
        ("made", "x", "making", ()),
        ("made", {}, "making", ()),
        ("made", {"name": ["x"], "rule": "y"}, "making", ()),
        ("changed", {"what": "explode"}, "changing", (1,)),
        ("changed", {"what": "rule", "rule": {"reading": "sometimes"}}, "changing", (1,)),
        ("listed", {"id": 1, "on": True}, "listing", (1,)),
        ("listed", telling({"id": "1; --", "on": True}), "listing", (1,)),
        ("listed", telling({"id": -1, "on": True}), "listing", (1,)),
        ("listed", telling({"name": "x"}), "listing", (999_999,)),
        ("acts", telling({"action": "hide", "id": 1}, "x"), "taking_out", (1,)),
    ],
)
def test_what_no_form_of_ours_sends_changes_nothing(
    trigger: str, answer: object, handler: str, arguments: tuple, sign_in: SignIn, conn: psycopg.Connection
) -> None:
    account = sign_in("lan")

    page = press(trigger, answer, handler, *arguments)

    assert not page.exception
    assert lists.lists(conn, account.account_id) == []


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        (None, None),
        ({}, None),
        ({"year_from": "", "language": "  "}, None),
        ({"reading": "sometimes"}, None),
        ({"year_from": "99999", "subject": " art "}, Rule(year_from=3000, subject="art")),
        ({"reading": "read", "unknown": 1}, Rule(reading="read")),
    ],
)
def test_rules_are_what_the_form_may_say(answer: object, rule: Rule | None) -> None:
    assert list_acts.rule_of(answer) == rule


def store_act(
    conn: psycopg.Connection, reader_key: str, book_id: int, action: str, at: datetime, value: float | None = None
) -> None:
    """An act in the log and as the dataflow stored it."""
    event_id = new_event_id()
    events.append_raw(conn, event_id, reader_key, f'{{"event_id": "{event_id}"}}'.encode())
    conn.execute(
        """insert into stream.interactions (event_id, version, occurred_at, reader_key, session_id, action, book_id,
               surface, value, reward, rewards_version, received_at)
           values (%s, 1, %s, %s, %s, %s, %s, 'browse', %s, 0, '1', now())""",
        [event_id, at, reader_key, new_event_id(), action, book_id, value],
    )


@pytest.fixture
def reader(sign_in: SignIn, conn: psycopg.Connection) -> Account:
    account = sign_in("lan", history=True)
    accounts.pseudonym_or(conn, account.account_id, "r_of_lan")
    return account


AT = datetime(2026, 3, 30, 12, tzinfo=UTC)


def test_the_history_is_told_by_day_and_book(
    shelves: dict[str, int], visit: Visit, reader: Account, conn: psycopg.Connection
) -> None:
    dune, web = shelves["Dune"], shelves["Charlotte's Web"]
    for minute, (action, book_id, value) in enumerate(
        [("show", dune, None), ("open", dune, None), ("read", dune, None), ("rate", dune, 4.0), ("open", web, None)]
    ):
        store_act(conn, "r_of_lan", book_id, action, AT + timedelta(minutes=minute), value)
    store_act(conn, "r_of_lan", web, "like", AT - timedelta(days=40))
    store_act(conn, "r_of_minh", shelves["Dune Messiah"], "like", AT)
    conn.commit()

    page = visit("history")
    earlier = visit("history", month="2026-02")

    assert not page.exception
    (section,) = drawn(page, "ledger")[0]["sections"]
    assert section["heading"] == "30 March 2026"
    assert [(row["title"], row["line"]) for row in section["rows"]] == [
        ("Charlotte's Web", "looked at it"),
        ("Dune", "looked at it, began to read, gave it 4 stars"),
    ]
    assert [option["label"] for option in drawn(page, "choices")[-1]["options"]] == ["March 2026", "February 2026"]
    assert [row["line"] for row in drawn(earlier, "ledger")[0]["sections"][0]["rows"]] == ["liked it"]


def test_a_removed_entry_is_gone_from_wherever_it_was_stored(
    shelves: dict[str, int], reader: Account, conn: psycopg.Connection
) -> None:
    dune, web = shelves["Dune"], shelves["Charlotte's Web"]
    conn.execute("create schema marts")
    conn.execute("create table marts.fct_interactions (event_id uuid, reader_key text)")
    for book_id, day in ((dune, AT), (dune, AT), (web, AT), (dune, AT - timedelta(days=1))):
        store_act(conn, "r_of_lan", book_id, "open", day)
    store_act(conn, "r_of_minh", dune, "open", AT)
    conn.execute("insert into marts.fct_interactions select event_id, reader_key from stream.interactions")
    last = conn.execute("select max(log_offset) from stream.event_log where reader_key = 'r_of_lan'").fetchone()

    assert own_history.remove(conn, "r_of_lan", AT.date(), dune) == 2
    assert own_history.remove(conn, "r_of_lan", AT.date(), dune) == 0

    left = [(entry.day, entry.book_id) for entry in own_history.entries(conn, "r_of_lan", date(2026, 3, 1))]
    assert left == [(date(2026, 3, 30), web), (date(2026, 3, 29), dune)]
    for table in ("stream.interactions", "stream.event_log", "marts.fct_interactions"):
        counts = conn.execute(f"select reader_key, count(*) from {table} group by 1 order by 1").fetchall()
        assert counts == [("r_of_lan", 2), ("r_of_minh", 1)]
    own_history.remove(conn, "r_of_lan", (AT - timedelta(days=1)).date(), dune)
    store_act(conn, "r_of_lan", web, "like", AT)
    newest = conn.execute("select max(log_offset) from stream.event_log where reader_key = 'r_of_lan'").fetchone()
    assert newest
    assert last
    assert newest[0] > last[0]  # no place of the log is ever given twice


def test_an_entry_is_removed_by_its_button_and_by_nobody_else(
    shelves: dict[str, int], reader: Account, sign_in: SignIn, cookies: dict[str, str], conn: psycopg.Connection
) -> None:
    store_act(conn, "r_of_lan", shelves["Dune"], "open", AT)
    conn.commit()

    def page(answer: object) -> None:
        from types import SimpleNamespace

        from streamlit import session_state

        from dashboard.app_pages.history import removing

        session_state["history"] = SimpleNamespace(taken=answer)
        removing("r_of_lan")()

    def left() -> int:
        conn.rollback()
        row = conn.execute("select count(*) from stream.interactions").fetchone()
        assert row
        return row[0]

    mine = telling(f"2026-03-30/{shelves['Dune']}")
    for answer in ("x", "2026-03-30/x", "2026-99-99/1", f"2026-03-29/{shelves['Dune']}"):
        AppTest.from_function(page, kwargs={"answer": telling(answer)}).run()
        assert left() == 1
    AppTest.from_function(page, kwargs={"answer": None}).run()
    assert left() == 1
    sign_in("minh", history=True)
    AppTest.from_function(page, kwargs={"answer": mine}).run()
    assert left() == 1
    cookies[state.ACCOUNT_COOKIE] = "token of lan"
    AppTest.from_function(page, kwargs={"answer": mine}).run()
    assert left() == 0


def test_a_history_that_pauses_is_not_said_to_be_none(
    shelves: dict[str, int], visit: Visit, sign_in: SignIn, conn: psycopg.Connection
) -> None:
    sign_in("lan", history=True)
    conn.execute("update reading.accounts set history_notice = 'older'")
    conn.commit()

    page = visit("history")

    assert not page.exception
    assert "Your history pauses" in words_of(page)
    assert "No history is kept" not in words_of(page)


def test_without_a_history_there_is_none_to_see(shelves: dict[str, int], visit: Visit, sign_in: SignIn) -> None:
    anonymous = visit("history")
    sign_in("lan", history=False)
    off = visit("history")

    for page in (anonymous, off):
        assert not page.exception
        assert "No history is kept of you" in words_of(page)
        assert not drawn(page, "ledger")
