"""The librarian on every page, her answers as a stream of events, and what is kept of chats: by consent, or nothing."""

import json
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx
import psycopg
import pytest
import uvicorn
from dashboard_pages import SECRET, drawn, words_of
from ollama_server import hangs, says, serving
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from dashboard import forms, routes, sessions, state, talking
from dashboard.chat import voice as voices
from dashboard.chat.parse import parse
from openshelf.contracts import utc_now
from openshelf.database import accounts, api_keys, chats, requests
from openshelf.database.api_keys import Scope
from openshelf.privacy import choices, retention
from openshelf.readers import NOTICE_VERSION
from openshelf.settings import get_settings

Visit = Callable[..., AppTest]
SignIn = Callable[..., accounts.Account]
CHAT = str(uuid.uuid4())
# What a busy machine may take.
LONG_S = 30.0


def use_model(monkeypatch: pytest.MonkeyPatch, url: str, patience_s: float = LONG_S) -> None:
    monkeypatch.setenv("OPENSHELF_OLLAMA_URL", url)
    monkeypatch.setenv("OPENSHELF_OLLAMA_PATIENCE_S", str(patience_s))
    monkeypatch.setenv("OPENSHELF_OLLAMA_TIMEOUT_S", str(2 * patience_s))
    monkeypatch.setattr(voices, "CONNECT_S", LONG_S)
    get_settings.cache_clear()
    voices.from_settings.cache_clear()


@pytest.fixture
def browser(shelves: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A browser at our routes; no model answers."""
    monkeypatch.setenv("OPENSHELF_SECRET", SECRET)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        use_model(monkeypatch, f"http://127.0.0.1:{closed.getsockname()[1]}")
    with TestClient(Starlette(routes=routes.routes())) as client:
        client.cookies.set(forms.COOKIE, forms.new_cookie())
        client.cookies.set(state.VISIT_COOKIE, str(sessions.new_visit()))
        yield client
    voices.from_settings.cache_clear()


def headers(browser: TestClient) -> dict[str, str]:
    return {"Sec-Fetch-Site": "same-origin", "X-Form-Token": forms.token_of(browser.cookies[forms.COOKIE])}


def post(browser: TestClient, path: str, **body: Any) -> Any:
    return browser.post(path, json=body, headers=headers(browser))


def ask(browser: TestClient, text: str, **more: Any) -> dict[str, Any]:
    """One answer, gathered from its events."""
    answer = post(browser, "/librarian/ask", text=text, chat=CHAT, **more)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return gathered(answer.text)


def gathered(text: str) -> dict[str, Any]:
    events = [dict(line.split(": ", 1) for line in event.split("\n")) for event in text.strip().split("\n\n")]
    said = [(event["event"], json.loads(event["data"])) for event in events]
    assert [name for name, _ in said].count("done") == 1
    assert said[-1][0] == "done"
    return {
        "opening": next(data["text"] for name, data in said if name == "opening"),
        "books": [data for name, data in said if name == "book"],
        **said[-1][1],
    }


def titles(answer: dict[str, Any]) -> list[str]:
    return [book["title"] for book in answer["books"]]


@pytest.mark.parametrize(
    ("page", "place"), [("", "panel"), ("browse", "panel"), ("librarian", "page"), ("read", "aside")]
)
def test_the_librarian_stands_on_every_page(shelves: dict[str, int], visit: Visit, page: str, place: str) -> None:
    (talk,) = drawn(visit(page, id=str(shelves["Dune"])), "talk")

    assert talk["place"] == place
    assert len(talk["examples"]) == 4
    assert "not kept" in talk["note"]["text"]


@pytest.mark.parametrize(
    ("spoken", "question"), [("en", "a novel about the sea"), ("vi", "tiểu thuyết về biển"), ("ru", "роман о море")]
)
def test_what_the_page_offers_to_go_on_with_is_understood(
    shelves: dict[str, int], visit: Visit, spoken: str, question: str
) -> None:
    (talk,) = drawn(visit("librarian", lang=spoken), "talk")
    before = parse(question)

    for chip in talk["chips"]:
        wish = parse(chip, before)
        assert wish.refers == 0 or (wish.themes == before.themes and (wish.is_more or wish.length == "short")), chip


def test_what_was_said_is_anothers_when_another_signs_in(
    shelves: dict[str, int], visit: Visit, sign_in: SignIn
) -> None:
    (nobody,) = drawn(visit("librarian"), "talk")
    account = sign_in("lan")
    (lan,) = drawn(visit("librarian"), "talk")
    sign_in("minh")
    (minh,) = drawn(visit("librarian"), "talk")

    assert len({nobody["owner"], lan["owner"], minh["owner"]}) == 3
    assert account.username not in lan["owner"]


def test_the_page_says_what_the_reader_thinks_of_the_books_in_the_chat(
    shelves: dict[str, int], visit: Visit, sign_in: SignIn, conn: psycopg.Connection
) -> None:
    account = sign_in("lan")
    accounts.put_on_shelf(conn, account.account_id, shelves["Dune"], "want")
    accounts.put_on_shelf(conn, account.account_id, shelves["Charlotte's Web"], "want")
    accounts.hide(conn, account.account_id, shelves["Dune Messiah"])
    conn.commit()
    page = visit("librarian")
    assert drawn(page, "talk")[0]["marks"] == {"liked": [], "wanted": [], "hidden": []}

    page.session_state["talk"] = {"books": [shelves["Dune"], shelves["Dune Messiah"]]}
    marks = drawn(page.run(), "talk")[0]["marks"]

    assert marks == {"liked": [], "wanted": [shelves["Dune"]], "hidden": [shelves["Dune Messiah"]]}


def test_an_answer_comes_as_events_with_links_of_the_chat(browser: TestClient, shelves: dict[str, int]) -> None:
    answer = ask(browser, "a novel about the desert planet Dune")

    dune = next(book for book in answer["books"] if book["title"] == "Dune")
    assert dune["href"] == f"/book?id={shelves['Dune']}&from=chat"
    assert dune["author"] == "Frank Herbert"
    assert dune["why"]
    assert dune["cover"].startswith(f"/covers/{shelves['Dune']}.jpg")
    assert answer["language"] == "en"
    assert answer["refusal"] is None
    assert answer["ask"] is None
    assert "no language model" in answer["label"]


def test_what_nothing_fits_offers_to_ask_the_library(browser: TestClient) -> None:
    answer = ask(browser, "zxqv plorf manual")

    assert answer["books"] == []
    assert answer["refusal"] == "nothing"
    assert answer["ask"] == "/ask?title=zxqv+plorf+manual"
    assert answer["label"] == ""


def test_a_question_follows_on_the_one_before_it(browser: TestClient) -> None:
    first = ask(browser, "Frank Herbert")
    narrowed = ask(browser, "before 1968", thread=first["thread"])
    by_itself = ask(browser, "before 1968")

    assert len(titles(first)) > 1
    assert titles(narrowed) == ["Dune"]
    assert titles(by_itself) != ["Dune"]


def test_a_thread_that_we_did_not_make_is_no_thread(browser: TestClient) -> None:
    first = ask(browser, "Frank Herbert")
    data, _, seal = first["thread"].rpartition(".")

    for forged in (f"{data[:-4]}AAAA.{seal}", "nonsense", "", ".", f"{data}.{'0' * 64}"):
        answer = ask(browser, "Frank Herbert", thread=forged)
        assert titles(answer) == titles(first)


def test_what_a_reader_hid_is_not_named(
    browser: TestClient, shelves: dict[str, int], enter: Callable[..., accounts.Account], conn: psycopg.Connection
) -> None:
    before = ask(browser, "Dune")
    as_visitor = ask(browser, "Dune", hidden=[shelves["Dune"]])
    account = enter()
    accounts.hide(conn, account.account_id, shelves["Dune"])
    conn.commit()
    signed_in = ask(browser, "Dune")

    assert "Dune" in titles(before)
    assert "Dune" not in titles(as_visitor)
    assert "Dune" not in titles(signed_in)


def test_a_child_is_told_of_nothing_beyond_its_limit(
    browser: TestClient, enter: Callable[..., accounts.Account]
) -> None:
    grown_up = ask(browser, "Dune")
    enter("bi", limit="children")
    child = ask(browser, "Dune")

    assert "Dune" in titles(grown_up)
    assert "Dune" not in titles(child)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"text": "x" * 2_001, "chat": CHAT}, 422),
        ({"text": "", "chat": CHAT}, 422),
        ({"text": "a\x00b", "chat": CHAT}, 422),
        ({"text": 7, "chat": CHAT}, 422),
        ({"text": ["a"], "chat": CHAT}, 422),
        ({"text": "sea"}, 422),
        ({"text": "sea", "chat": "no"}, 422),
        ({"text": "sea", "chat": CHAT, "account": 1}, 422),
        ({"text": "sea", "chat": CHAT, "thread": "x" * 100_001}, 422),
        ({"text": "x" * 300_000, "chat": CHAT}, 413),
    ],
)
def test_what_is_no_question_is_refused(browser: TestClient, body: dict[str, Any], status: int) -> None:
    assert post(browser, "/librarian/ask", **body).status_code == status


def test_no_other_site_asks_in_a_readers_name(browser: TestClient) -> None:
    body = {"text": "sea", "chat": CHAT}

    from_elsewhere = browser.post(
        "/librarian/ask", json=body, headers={**headers(browser), "Sec-Fetch-Site": "cross-site"}
    )
    without_token = browser.post("/librarian/ask", json=body, headers={"Sec-Fetch-Site": "same-origin"})

    assert (from_elsewhere.status_code, without_token.status_code) == (403, 403)


def test_who_asks_too_often_is_told_to_wait(browser: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(talking.OF_ONE.count):
        ask(browser, "Dune")

    refused = post(browser, "/librarian/ask", text="Dune", chat=CHAT)
    browser.cookies.set(state.VISIT_COOKIE, str(sessions.new_visit()))
    other = post(browser, "/librarian/ask", text="Dune", chat=CHAT)

    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "60"
    assert "ask again" in refused.json()["problem"]
    assert other.status_code == 200


def test_chats_are_kept_only_of_who_wants_it(
    browser: TestClient, shelves: dict[str, int], enter: Callable[..., accounts.Account], conn: psycopg.Connection
) -> None:
    ask(browser, "Dune")
    account = enter()
    not_kept = ask(browser, "Dune")
    choices.keep_chats(conn, account.account_id, 30)
    conn.commit()
    kept = ask(browser, "Frank Herbert")
    ask(browser, "more", thread=kept["thread"])

    assert (not_kept["kept"], kept["kept"]) == (False, True)
    turns = chats.of_account(conn, account.account_id)
    assert [(turn.turn, turn.question) for turn in turns] == [(1, "Frank Herbert"), (2, "more")]
    assert [told["book_id"] for told in turns[0].answer["books"]] == [book["id"] for book in kept["books"]]
    consents = conn.execute("select kind, granted, notice_version from reading.consents").fetchall()
    assert consents == [("chats", True, NOTICE_VERSION)]


def test_kept_chats_pause_when_the_notice_changes(
    browser: TestClient,
    enter: Callable[..., accounts.Account],
    conn: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = enter()
    choices.keep_chats(conn, account.account_id, 30)
    conn.commit()
    monkeypatch.setattr("openshelf.readers.NOTICE_VERSION", "2031-1")

    assert ask(browser, "Dune")["kept"] is False
    assert choices.chats_of(conn, account.account_id).asks_again


def test_of_a_child_no_chat_is_kept(conn: psycopg.Connection, enter: Callable[..., accounts.Account]) -> None:
    account = enter("bi", limit="children")

    with pytest.raises(Exception, match="child"):
        choices.keep_chats(conn, account.account_id, 30)


def test_a_reader_chooses_sees_and_deletes_kept_chats(
    browser: TestClient,
    shelves: dict[str, int],
    enter: Callable[..., accounts.Account],
    visit: Visit,
    cookies: dict[str, str],
    conn: psycopg.Connection,
) -> None:
    account = enter()
    cookies[state.ACCOUNT_COOKIE] = "lan"

    def send(path: str, **fields: str) -> Any:
        token = forms.token_of(browser.cookies[forms.COOKIE])
        return browser.post(
            path, data={forms.TOKEN: token, **fields}, headers={**headers(browser), "Accept": "application/json"}
        )

    assert send("/your-data/keep-chats", keep="days", days="0").status_code == 422
    assert send("/your-data/keep-chats", keep="days", days="14").json()["to"] == "/your_data?done=chats-kept"
    ask(browser, "Dune")
    page = visit("librarian")

    (earlier,) = drawn(page, "talk_kept")
    assert [turn["question"] for chat in earlier["chats"] for turn in chat["turns"]] == ["Dune"]
    assert "Dune" in [book["title"] for book in earlier["chats"][0]["turns"][0]["books"]]
    assert "14 days" in drawn(page, "talk")[0]["note"]["text"]
    assert send("/your-data/forget-chats").status_code == 422
    assert send("/your-data/forget-chats", sure="1", to="/librarian").json()["to"] == "/librarian"
    assert chats.of_account(conn, account.account_id) == []
    ask(browser, "Dune")
    assert send("/your-data/keep-chats", keep="never").json()["to"] == "/your_data?done=chats-off"
    conn.rollback()
    assert chats.of_account(conn, account.account_id) == []
    assert not choices.chats_of(conn, account.account_id).keeps


def test_thumbs_are_counted_without_anybody(
    browser: TestClient, shelves: dict[str, int], enter: Callable[..., accounts.Account], conn: psycopg.Connection
) -> None:
    account = enter()
    answer = ask(browser, "like Dune")

    up = post(browser, "/librarian/thumb", slip=answer["slip"], good=True)
    down = post(browser, "/librarian/thumb", slip=answer["slip"], good=False)

    assert (up.status_code, down.json()) == (200, {"good": False})
    cursor = conn.execute("select row_to_json(f) from reading.chat_feedback as f")
    ((row,),) = cursor.fetchall()
    assert (row["is_good"], row["language"], row["voice"]) == (False, "en", "catalogue")
    assert sorted(row["book_ids"]) == sorted(book["id"] for book in answer["books"])
    columns = {name for (name,) in conn.execute(
        "select column_name from information_schema.columns where table_name = 'chat_feedback'"
    ).fetchall()}  # fmt: skip
    assert columns == {
        "answer_id", "day", "is_good", "language", "subjects", "book_ids", "voice", "refusal", "steps",
    }  # fmt: skip
    assert "lan" not in json.dumps(row).replace("language", "")
    assert str(account.account_id) not in (row["answer_id"], row["day"])
    assert CHAT not in json.dumps(row)
    assert post(browser, "/librarian/thumb", slip=answer["slip"], good=None).status_code == 200
    assert conn.execute("select count(*) from reading.chat_feedback").fetchone() == (0,)
    assert post(browser, "/librarian/thumb", slip="made up", good=True).status_code == 422


def test_a_question_in_vain_is_counted_by_its_words_and_without_who_asked(
    browser: TestClient, enter: Callable[..., accounts.Account], conn: psycopg.Connection
) -> None:
    ask(browser, "zxqv plorf")
    enter()
    ask(browser, "zxqv plorf?")
    ask(browser, "zxqv plorf for minh@example.org")
    ask(browser, "zxqv plorf, call 0903 123 456")
    ask(browser, "Dune")

    conn.rollback()
    rows = conn.execute(
        "select kind, folded, count_searches from reading.unanswered_searches order by folded"
    ).fetchall()
    assert rows == [("chat", "", 2), ("chat", "zxqv plorf", 2)]


def test_staff_read_what_was_asked_five_times_and_only_count_the_rest(
    visit: Visit, sign_in: SignIn, conn: psycopg.Connection
) -> None:
    for count, words in ((5, "beekeeping"), (4, "the diary of anna from the third floor"), (6, "knots")):
        for _ in range(count):
            requests.note_unanswered(conn, words, "chat" if words == "knots" else "search")
    for good in (True, True, True, False, True):
        verdict = chats.Verdict(
            answer_id=uuid.uuid4(), language="en", subjects=[], book_ids=[], voice="catalogue", refusal=None, steps=[]
        )
        chats.judge(conn, verdict, good)
    conn.commit()

    sign_in("lan")
    reader = visit("staff/wishes")
    sign_in("edith", role="staff")
    staff = visit("staff/wishes")

    assert "for library staff" in words_of(reader)
    assert "beekeeping" not in str(reader)
    vain, judged = drawn(staff, "table")
    assert [row[:3] for row in vain["rows"]] == [
        [{"text": "knots", "href": "/find?q=knots"}, "question", "6"],
        [{"text": "beekeeping", "href": "/find?q=beekeeping"}, "search", "5"],
    ]
    assert "1 other wording was asked for, 4 times" in vain["caption"]
    assert judged["rows"][0][1:4] == ["5", "4", "80.0%"]
    assert "anna" not in json.dumps([drawn(staff, "table"), drawn(staff, "finder")]) + words_of(staff)


def test_kept_chats_go_after_the_days_their_reader_chose(
    conn: psycopg.Connection, enter: Callable[..., accounts.Account]
) -> None:
    lan, minh = enter("lan"), enter("minh")
    for account, days in ((lan, 7), (minh, 60)):
        choices.keep_chats(conn, account.account_id, days)
        chats.keep(conn, account.account_id, uuid.uuid4(), "an old question", {"books": []})
        conn.execute(
            "update reading.chats set asked_at = now() - interval '8 days' where account_id = %s", [account.account_id]
        )
        chats.keep(conn, account.account_id, uuid.uuid4(), "a new question", {"books": []})
    conn.commit()

    counts = retention.run(conn, get_settings(), utc_now())

    assert counts["reading.chats"] == 1
    assert [turn.question for turn in chats.of_account(conn, lan.account_id)] == ["a new question"]
    assert len(chats.of_account(conn, minh.account_id)) == 2


def test_a_model_gives_the_words_and_is_named(browser: TestClient, monkeypatch: pytest.MonkeyPatch, shelves) -> None:
    told = "On the desert planet Arrakis a young heir joins the native Fremen."
    ask(browser, "Dune")  # what is loaded once is loaded
    with serving(says(f"Here it is.\n[{shelves['Dune']}] {told}\n")) as server:
        use_model(monkeypatch, server.url)
        answer = ask(browser, "Dune")

    assert "language model qwen3:1.7b" in answer["label"]
    assert told in next(book["why"] for book in answer["books"] if book["title"] == "Dune")


def test_a_model_that_hangs_does_not_hold_up_the_answer(browser: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(browser, "Dune")  # what is loaded once is loaded
    with serving(hangs(lambda: server.released, drip=False)) as server:
        use_model(monkeypatch, server.url, patience_s=0.5)
        began = time.monotonic()
        answer = ask(browser, "Dune")

    assert time.monotonic() - began < LONG_S
    assert "Dune" in titles(answer)
    assert "no language model" in answer["label"]


def test_who_leaves_ends_the_answer(browser: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real server over real connections: when the browser goes, the model is left at once, not at its deadline."""
    asked, left = threading.Event(), threading.Event()

    def drips(handler: BaseHTTPRequestHandler, request: dict) -> None:
        asked.set()
        try:
            hangs(lambda: model.released, drip=True)(handler, request)
        except OSError:
            left.set()
            raise

    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes.routes()), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    with serving(drips) as model:
        use_model(monkeypatch, model.url, patience_s=10 * LONG_S)
        thread.start()
        while not server.started:
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        cookies = {name: browser.cookies[name] for name in (forms.COOKIE, state.VISIT_COOKIE)}
        body = {"text": "Dune", "chat": CHAT}
        with (
            httpx.Client(base_url=f"http://127.0.0.1:{port}", cookies=cookies, timeout=LONG_S) as client,
            client.stream("POST", "/librarian/ask", json=body, headers=headers(browser)) as answer,
        ):
            assert asked.wait(LONG_S)
            assert answer.status_code == 200
        assert left.wait(LONG_S)
    server.should_exit = True
    thread.join(LONG_S)
    assert not thread.is_alive()


@pytest.fixture
def program(conn: psycopg.Connection) -> dict[str, str]:
    """The headers of a program with a key."""
    _, secret = api_keys.create(
        conn, "desk", source="tests", scopes=[Scope.RECOMMEND], requests_per_minute=1_000, lasts=None
    )
    conn.commit()
    return {"Authorization": f"Bearer {secret}"}


def test_a_program_asks_and_goes_on_asking(browser: TestClient, program: dict[str, str]) -> None:
    first = browser.post("/api/ask", json={"text": "Frank Herbert"}, headers=program)
    answer = gathered(first.text)
    narrowed = browser.post("/api/ask", json={"text": "before 1968", "thread": answer["thread"]}, headers=program)

    assert first.headers["content-type"].startswith("text/event-stream")
    assert {book["work"]["title"] for book in answer["books"]} == {"Dune", "Dune Messiah"}
    assert all(book["why"] for book in answer["books"])
    assert (answer["voice"], answer["refusal"]) == ("catalogue", None)
    assert [book["work"]["title"] for book in gathered(narrowed.text)["books"]] == ["Dune"]


@pytest.mark.parametrize(
    "body",
    [
        {"texts": ["Dune"]},
        {"text": ["Dune"]},
        {"text": ""},
        {"text": None},
        {"text": "x" * 2_001},
        {"text": "Dune", "hidden": ["1"]},
        ["Dune"],
        "Dune",
    ],
)
def test_what_is_no_question_is_told_to_a_program(browser: TestClient, program: dict[str, str], body: Any) -> None:
    refused = browser.post("/api/ask", json=body, headers=program)

    assert refused.status_code == 400
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["errors"][0]["path"].startswith("$")


def test_only_a_key_for_recommendations_asks_and_a_limit_holds(browser: TestClient, program: dict[str, str]) -> None:
    limited = browser.post("/api/ask", json={"text": "Dune", "audience_limit": "children"}, headers=program)

    assert browser.post("/api/ask", json={"text": "Dune"}).status_code == 401
    assert "Dune" not in [book["work"]["title"] for book in gathered(limited.text)["books"]]
