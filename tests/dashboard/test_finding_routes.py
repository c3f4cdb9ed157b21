"""What the search box and the wishes' form ask of the server."""

import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from dashboard_pages import SECRET, send_form
from starlette.applications import Starlette
from starlette.testclient import TestClient

from dashboard import forms, routes, state
from openshelf.database import accounts, audit, requests
from openshelf.settings import get_settings


@pytest.fixture
def browser(shelves: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("OPENSHELF_SECRET", SECRET)
    get_settings.cache_clear()
    with TestClient(Starlette(routes=routes.routes())) as client:
        client.cookies.set(forms.COOKIE, forms.new_cookie())
        yield client


def suggested(browser: TestClient, text: str, **query: str) -> list[tuple[str, str]]:
    answer = browser.get("/suggest", params={"q": text, **query})
    assert answer.status_code == 200
    return [(each["kind"], each["name"]) for each in answer.json()["suggestions"]]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("du", [("title", "Dune"), ("title", "Dune Messiah"), ("author", "Nguyễn Du"), ("series", "Dune Chronicles")]),
        ("truyen ki", [("title", "Truyện Kiều")]),
        ("мёрт", [("title", "Мёртвые души")]),
        ("мерт", [("title", "Мёртвые души")]),
        ("HERB", [("author", "Frank Herbert")]),
        ("nguyên", [("author", "Nguyễn Du")]),
        ("sci", [("subject", "Science fiction")]),
        ("web charl", [("title", "Charlotte's Web")]),
        ("d", []),
        ("", []),
        ("withdrawn", []),
        ("'; drop table library.works; --", []),
        ("' & | ! ( :* \x00 \\", []),
        ("😀", []),
        ("x" * 5_000, []),
    ],
)
def test_what_begins_as_typed_is_suggested(browser: TestClient, text: str, wanted: list[tuple[str, str]]) -> None:
    assert suggested(browser, text)[: len(wanted)] == wanted if wanted else suggested(browser, text) == []


def test_suggestions_lead_on_and_carry_marks_instead_of_markup(browser: TestClient, shelves: dict[str, int]) -> None:
    found = browser.get("/suggest", params={"q": "dune"})

    first, *_, series = found.json()["suggestions"]
    assert (first["href"], first["line"]) == (f"/book?id={shelves['Dune']}&from=search", "Frank Herbert")
    assert first["marks"] == [[0, 4]]
    assert series["href"] == "/shelf?series=Dune+Chronicles"
    assert found.headers["cache-control"] == "no-store"


def test_a_filter_gets_names_of_its_kind_alone(browser: TestClient) -> None:
    assert suggested(browser, "du", kind="series") == [("series", "Dune Chronicles")]
    assert suggested(browser, "du", kind="author") == [("author", "Nguyễn Du")]
    assert ("title", "Dune") in suggested(browser, "du", kind="no such kind")


def test_kinds_are_named_in_the_readers_language(browser: TestClient) -> None:
    line = browser.get("/suggest?q=herb", headers={"Accept-Language": "en"}).json()["suggestions"][0]["line"]

    assert line == "Author"


def test_suggestions_come_at_once(browser: TestClient) -> None:
    suggested(browser, "du")
    times = []
    for text in ("du", "dun", "tru", "her", "sci", "bri", "cha", "gog"):
        each = []
        for _ in range(5):  # the quickest: the machine may be busy
            begun = time.perf_counter()
            suggested(browser, text)
            each.append(time.perf_counter() - begun)
        times.append(min(each))

    assert sorted(times)[len(times) // 2] < 0.05


def test_a_child_is_suggested_only_what_it_may_see(browser: TestClient, enter: Callable[..., accounts.Account]) -> None:
    before = suggested(browser, "dune")
    enter("mina", limit="children")

    assert before
    for text in ("dune", "frank", "science", "truyen", "tru", "мертвые"):
        assert suggested(browser, text) == []
    assert ("title", "Charlotte's Web") in suggested(browser, "charl")
    assert ("author", "E. B. White") in suggested(browser, "white")


def test_a_child_sees_no_cover_of_what_it_may_not_see(
    browser: TestClient, shelves: dict[str, int], enter: Callable[..., accounts.Account]
) -> None:
    cover = f"/covers/{shelves['Dune']}.jpg?w=176"
    assert browser.get(cover).status_code == 200

    enter("mina", limit="children")

    assert browser.get(cover).status_code == 404


def wishes(conn: psycopg.Connection) -> list[tuple]:
    conn.rollback()
    return conn.execute("select account_id, title, author, note, status from reading.requests order by 2, 1").fetchall()


def test_a_wish_reaches_the_queue_with_or_without_an_account(
    browser: TestClient, conn: psycopg.Connection, enter: Callable[..., accounts.Account]
) -> None:
    nobody = send_form(browser, "/requests/new", title="  Ulysses ", author="James Joyce", note="any edition")
    account = enter("lan")
    known = send_form(browser, "/requests/new", title="Finnegans Wake")
    send_form(browser, "/requests/new", title="finnegans  WAKE!")  # while it is open, once is enough

    assert nobody.json() == known.json() == {"to": "/ask?thanks=yes"}
    assert wishes(conn) == [
        (account.account_id, "Finnegans Wake", "", "", "asked"),
        (None, "Ulysses", "James Joyce", "any edition", "asked"),
    ]


@pytest.mark.parametrize("title", ["", "   ", "!?", "\x00"])
def test_a_wish_needs_a_title(browser: TestClient, conn: psycopg.Connection, title: str) -> None:
    refused = send_form(browser, "/requests/new", title=title)

    assert refused.status_code == 422
    assert refused.json()["field"] == "title"
    assert wishes(conn) == []


def test_a_wish_from_another_site_or_without_its_token_is_refused(
    browser: TestClient, conn: psycopg.Connection
) -> None:
    token = forms.token_of(browser.cookies[forms.COOKIE])
    foreign = browser.post(
        "/requests/new", data={forms.TOKEN: token, "title": "Ulysses"}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    bare = browser.post("/requests/new", data={"title": "Ulysses"}, headers={"Sec-Fetch-Site": "same-origin"})

    assert (foreign.status_code, bare.status_code) == (403, 403)
    assert wishes(conn) == []


def test_one_visit_may_ask_only_so_often(browser: TestClient, conn: psycopg.Connection) -> None:
    browser.cookies.set(state.VISIT_COOKIE, "019a0000-0000-7000-8000-000000000001")
    answers = [send_form(browser, "/requests/new", title=f"Book {n}") for n in range(requests.OF_ONE.count + 1)]
    browser.cookies.set(state.VISIT_COOKIE, "019a0000-0000-7000-8000-000000000002")
    other = send_form(browser, "/requests/new", title="Another book")

    assert [answer.status_code for answer in answers] == [200] * requests.OF_ONE.count + [429]
    assert "Please try again" in answers[-1].json()["problem"]
    assert other.status_code == 200
    assert len(wishes(conn)) == requests.OF_ONE.count + 1


def test_hostile_wishes_are_kept_as_text(browser: TestClient, conn: psycopg.Connection) -> None:
    send_form(browser, "/requests/new", title="<img src=x onerror=alert(1)>" * 20, note="y" * 2_000)

    ((_, title, _, note, _),) = wishes(conn)
    assert title.startswith("<img src=x")
    assert (len(title), len(note)) == (requests.MAX_NAME, requests.MAX_NOTE)


def test_staff_decide_for_all_who_asked_and_the_act_is_noted(
    browser: TestClient, conn: psycopg.Connection, enter: Callable[..., accounts.Account]
) -> None:
    lan = enter("lan")
    send_form(browser, "/requests/new", title="Ulysses")
    enter("minh")
    send_form(browser, "/requests/new", title="ulysses")
    decision = {"key": "ulysses", "before": "asked", "status": "bought", "answer": "On the shelf from May."}
    refused = send_form(browser, "/requests/decide", **decision)
    staff = enter("edith", role="staff")

    taken = send_form(browser, "/requests/decide", **decision)

    assert refused.status_code == 403
    assert taken.json() == {"to": "/requests"}
    conn.rollback()
    (own,) = requests.of_account(conn, lan.account_id)
    assert (own.status, own.answer) == ("bought", "On the shelf from May.")
    assert [status for *_, status in wishes(conn)] == ["bought", "bought"]
    note = audit.latest(conn)[0]
    assert (note.actor, note.act, note.subject) == (audit.actor_of(staff.account_id), "request bought", "ulysses")


@pytest.mark.parametrize("status", ["", "asked; drop", "lost"])
def test_a_decision_is_one_of_four(
    browser: TestClient, conn: psycopg.Connection, enter: Callable[..., accounts.Account], status: str
) -> None:
    enter("edith", role="staff")
    send_form(browser, "/requests/new", title="Ulysses")

    assert send_form(browser, "/requests/decide", key="ulysses", before="asked", status=status).status_code == 422
    assert [row[-1] for row in wishes(conn)] == ["asked"]


def test_an_account_takes_back_only_its_own_wishes(
    browser: TestClient, conn: psycopg.Connection, enter: Callable[..., accounts.Account]
) -> None:
    lan = enter("lan")
    send_form(browser, "/requests/new", title="Ulysses")
    enter("minh")
    (own,) = requests.of_account(conn, lan.account_id)
    conn.rollback()

    send_form(browser, "/requests/take-back", request=str(own.request_id))  # Minh's browser
    assert requests.of_account(conn, lan.account_id) == [own]
    conn.rollback()

    browser.cookies.set(state.ACCOUNT_COOKIE, "lan")
    answer = send_form(browser, "/requests/take-back", request=str(own.request_id), to="mine")
    assert answer.json() == {"to": "/mine"}
    assert requests.of_account(conn, lan.account_id) == []
    browser.cookies.delete(state.ACCOUNT_COOKIE)
    assert send_form(browser, "/requests/take-back", request=str(own.request_id)).status_code == 403


def test_with_an_account_go_its_wishes(
    browser: TestClient, conn: psycopg.Connection, enter: Callable[..., accounts.Account]
) -> None:
    lan = enter("lan")
    send_form(browser, "/requests/new", title="Ulysses")
    conn.rollback()
    conn.execute("delete from reading.accounts where account_id = %s", [lan.account_id])
    conn.commit()

    assert wishes(conn) == []
