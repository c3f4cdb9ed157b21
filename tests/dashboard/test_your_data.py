"""What a reader does with their own data: the real routes and the drawn pages, on a real database."""

import io
import zipfile
from collections.abc import Callable, Iterator
from uuid import UUID

import msgspec
import psycopg
import pytest
from dashboard_pages import SECRET, drawn, send_form, shelf_titles, words_of
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from dashboard import auth, resources, sessions, state, your_data
from dashboard.headers import SecurityHeaders
from openshelf import readers
from openshelf.contracts import new_event_id, utc_now
from openshelf.database import accounts, erasures
from openshelf.privacy import choices
from openshelf.settings import get_settings

PASSWORD = "a lamp by the window"
Visit = Callable[..., AppTest]
SignIn = Callable[..., accounts.Account]


def _page(_request: Request) -> Response:
    return HTMLResponse("<html lang='en'><head><title>x</title></head><body></body></html>")


@pytest.fixture
def browser(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A browser in which a new reader has just registered."""
    monkeypatch.setenv("OPENSHELF_SECRET", SECRET)
    get_settings.cache_clear()
    app = Starlette(
        routes=[Route("/", _page), *auth.routes(), *your_data.routes()],
        middleware=[Middleware(SecurityHeaders, head="<title>x</title>")],
    )
    with TestClient(app, base_url="http://library.test", follow_redirects=False) as client:
        assert send_form(client, "/auth/register", username="lan", password=PASSWORD, again=PASSWORD).status_code == 200
        yield client


def lan(conn: psycopg.Connection) -> accounts.Account:
    found = accounts.by_username(conn, "lan")
    conn.commit()
    assert found
    return found


def choose_poetry(browser: TestClient, conn: psycopg.Connection) -> tuple[UUID, tuple[int, str | None] | None]:
    """Choose a subject as the first choice does; the visit and the owner under which it stands."""
    visit, owner = sessions.new_visit(), state.owner_of(lan(conn))
    resources.sessions().current(visit, owner, utc_now())
    resources.sessions().choose(visit, owner, sessions.Choice(("poetry",)))
    return visit, owner


def acts_of(conn: psycopg.Connection) -> list[dict]:
    rows = conn.execute("select payload from stream.event_log order by appended_at, log_offset").fetchall()
    conn.commit()
    return [msgspec.json.decode(payload) for (payload,) in rows]


def test_a_new_account_has_no_history(browser: TestClient, conn: psycopg.Connection) -> None:
    assert lan(conn).history_enabled is False
    assert lan(conn).reader_key is None


@pytest.mark.parametrize(("said", "days"), [({"keep": "days", "days": "30"}, 30), ({"keep": "always"}, None)])
def test_a_history_is_turned_on_for_as_long_as_the_reader_says(
    browser: TestClient, conn: psycopg.Connection, said: dict[str, str], days: int | None
) -> None:
    answer = send_form(browser, "/your-data/keep", **said)

    assert answer.json() == {"to": "/your_data?done=kept"}
    assert lan(conn).keeps_history
    assert lan(conn).history_days == days
    consent = conn.execute("select kind, granted, notice_version from reading.consents").fetchall()
    assert consent == [("history", True, readers.NOTICE_VERSION)]


@pytest.mark.parametrize(
    "said", [{}, {"keep": "x"}, {"keep": "days", "days": "0"}, {"keep": "days", "days": "-1"}, {"keep": "days"},
             {"keep": "days", "days": "99999"}, {"keep": "days", "days": "٣"}],
)  # fmt: skip
def test_nonsense_turns_nothing_on(browser: TestClient, conn: psycopg.Connection, said: dict[str, str]) -> None:
    assert send_form(browser, "/your-data/keep", **said).status_code == 422
    assert not lan(conn).history_enabled


@pytest.mark.parametrize("wanted", [True, False])
def test_a_history_begins_with_what_was_liked_on_the_visit_if_the_reader_says_so(
    wanted: bool, browser: TestClient, conn: psycopg.Connection, shelves: dict[str, int]
) -> None:
    account = lan(conn)
    browser.get("/", headers={"Accept": "text/html"})
    visit = sessions.parse_visit(browser.cookies.get(state.VISIT_COOKIE))
    assert visit
    session_id, _begins = resources.sessions().current(visit, (account.account_id, None), utc_now())
    titles = ("Dune", "Charlotte's Web", "Truyện Kiều")
    said = [("like", titles[0]), ("dislike", titles[1]), ("like", titles[2])]
    for n, (action, title) in enumerate(said):
        conn.execute(
            """insert into stream.interactions (event_id, version, occurred_at, reader_key, session_id, action, book_id,
                   surface, reward, rewards_version, received_at)
               values (%s, 1, now() + %s * interval '1 second', %s, %s, %s, %s, 'popular', 0, 'test', now())""",
            [new_event_id(), n, readers.session_key(session_id), session_id, action, shelves[title]],
        )
    conn.commit()

    send_form(browser, "/your-data/keep", keep="always", **({"begin": "1"} if wanted else {}))
    send_form(browser, "/your-data/keep", keep="days", days="30", begin="1")  # it has begun: nothing comes twice

    key = lan(conn).reader_key
    kept = [(act["action"], act.get("book_id")) for act in acts_of(conn) if act["reader_key"] == key]
    liked = [("like", shelves[titles[0]]), ("like", shelves[titles[2]])]
    assert kept == ([("visit", None), *liked] if wanted else [])


def test_turning_it_off_asks_for_the_removal_of_what_there_was(browser: TestClient, conn: psycopg.Connection) -> None:
    send_form(browser, "/your-data/keep", keep="always")
    key = choices.pseudonym(conn, get_settings(), lan(conn).account_id)
    conn.commit()

    send_form(browser, "/your-data/keep", keep="never")

    assert lan(conn).reader_key is None
    (waiting,) = erasures.waiting(conn)
    assert waiting.reader_keys == [key]
    assert waiting.done[-1] == "files", "all but what the dataflow, which does not run here, has to do"


def test_clearing_and_erasing_want_to_be_meant(browser: TestClient, conn: psycopg.Connection) -> None:
    assert send_form(browser, "/your-data/clear").status_code == 422
    assert send_form(browser, "/your-data/erase", username="mai").status_code == 422
    assert erasures.waiting(conn) == []


def test_an_account_that_is_erased_is_gone_from_the_browser_too(browser: TestClient, conn: psycopg.Connection) -> None:
    visit, owner = choose_poetry(browser, conn)

    answer = send_form(browser, "/your-data/erase", username="Lan ")

    assert answer.json() == {"to": "/privacy?done=erased"}
    assert state.ACCOUNT_COOKIE not in browser.cookies
    assert "storage" in answer.headers["clear-site-data"]
    assert accounts.by_username(conn, "lan") is None
    assert [certificate.kind for certificate in erasures.certificates(conn)] == ["account"]
    assert resources.sessions().chosen(visit, owner) is None, "nor is it known which subjects they chose"


@pytest.mark.parametrize(("path", "said"), [("keep", {"keep": "always"}), ("clear", {"sure": "1"})])
def test_subjects_that_were_chosen_do_not_outlast_what_is_decided_about_the_history(
    browser: TestClient, conn: psycopg.Connection, path: str, said: dict[str, str]
) -> None:
    visit, owner = choose_poetry(browser, conn)

    assert send_form(browser, f"/your-data/{path}", **said).status_code == 200

    assert resources.sessions().chosen(visit, owner) is None


def test_the_export_is_the_readers_own_and_stays_in_no_cache(browser: TestClient) -> None:
    answer = browser.get("/your-data/export")

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-disposition"].startswith('attachment; filename="openshelf-')
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert b"lan" in archive.read("profile.csv")
        assert {"README.txt", "everything.json"} <= set(archive.namelist())


def test_who_is_not_signed_in_gets_no_export_and_changes_nobody(browser: TestClient, conn: psycopg.Connection) -> None:
    browser.cookies.delete(state.ACCOUNT_COOKIE)

    assert browser.get("/your-data/export").headers["location"] == "/sign_in"
    for name in ("keep", "clear", "erase"):
        said = {"keep": "always", "sure": "1", "username": "lan"}
        answer = send_form(browser, f"/your-data/{name}", **said)
        assert answer.status_code == 403
        assert "You are not signed in any more." in answer.text
    assert not lan(conn).history_enabled


@pytest.mark.parametrize("name", ["keep", "clear", "erase", "mode"])
def test_no_other_site_sends_these_forms(browser: TestClient, name: str) -> None:
    other = browser.post(f"/your-data/{name}", data={"keep": "always"}, headers={"Sec-Fetch-Site": "cross-site"})
    no_token = browser.post(f"/your-data/{name}", data={"keep": "always"}, headers={"Sec-Fetch-Site": "same-origin"})

    assert (other.status_code, no_token.status_code) == (403, 403)


def test_the_plain_mode_is_kept_with_the_account_or_in_the_browser(
    browser: TestClient, conn: psycopg.Connection
) -> None:
    assert send_form(browser, "/your-data/mode", personal="0", to="/").json() == {"to": "/"}
    assert lan(conn).personal is False
    assert send_form(browser, "/your-data/mode", personal="1", to="https://evil.example").json() == {"to": "/"}
    assert lan(conn).personal is True

    browser.cookies.delete(state.ACCOUNT_COOKIE)
    send_form(browser, "/your-data/mode", personal="0", to="/your_data")
    assert browser.cookies[state.PLAIN_COOKIE] == "1"
    assert lan(conn).personal is True
    send_form(browser, "/your-data/mode", personal="1")
    assert state.PLAIN_COOKIE not in browser.cookies


def test_turning_the_history_on_changes_under_which_key_acts_are_recorded(
    shelves: dict[str, int], visit: Visit, sign_in: SignIn, conn: psycopg.Connection
) -> None:
    account = sign_in("lan", history=False)
    page = visit()
    choices.keep_history(conn, account.account_id, 90)
    conn.commit()
    visit("book", tab=page, id=str(shelves["Dune"]))

    before, after = acts_of(conn)[0], acts_of(conn)[-1]
    assert readers.is_session_key(before["reader_key"])
    assert after["reader_key"].startswith("r_")
    assert before["session_id"] != after["session_id"], "no session leads from one key to the other"
    assert lan(conn).reader_key == after["reader_key"]


def test_the_history_pauses_while_the_notice_is_another(
    shelves: dict[str, int], visit: Visit, sign_in: SignIn, conn: psycopg.Connection
) -> None:
    sign_in("lan", history=True)
    conn.execute("update reading.accounts set history_notice = '2020-1'")
    conn.commit()

    page = visit()

    assert all(readers.is_session_key(act["reader_key"]) for act in acts_of(conn))
    assert "/your_data" in words_of(page)
    assert "pauses" in words_of(page)
    assert "may go on" in words_of(visit("your_data"))


@pytest.mark.parametrize("with_account", [True, False])
def test_in_the_plain_mode_everyone_sees_the_same_and_no_act_is_stored(
    shelves: dict[str, int],
    visit: Visit,
    sign_in: SignIn,
    cookies: dict[str, str],
    conn: psycopg.Connection,
    *,
    with_account: bool,
) -> None:
    if with_account:
        account = sign_in("lan", history=True)
        choices.be_personal(conn, account.account_id, False)
        conn.commit()
    else:
        cookies[state.PLAIN_COOKIE] = "1"

    page = visit()
    visit("book", tab=page, id=str(shelves["Dune"]))

    assert acts_of(conn) == []
    assert "For everyone" in shelf_titles(visit())
    assert "For you" not in shelf_titles(visit())
    (form,) = [form for form in drawn(visit(), "form") if form["action"] == "/your-data/mode"]
    assert form["hidden"]["personal"] == "1", "one press leads back"


def test_the_pages_say_what_is_kept_and_lead_to_each_other(
    shelves: dict[str, int], visit: Visit, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENSHELF_PRIVACY_CONTACT", "data@library.example <b>")
    get_settings.cache_clear()
    notice = words_of(visit("privacy"))
    anonymous = words_of(visit("your_data"))
    sign_in("lan")
    mine = visit("your_data")

    assert "data@library.example &lt;b&gt;" in notice
    assert readers.NOTICE_VERSION in notice
    assert 'href="/your_data"' in notice
    assert "not signed in" in anonymous
    assert 'href="/privacy"' in words_of(mine)
    assert 'href="/your-data/export"' in words_of(mine)
    actions = {form["action"] for form in drawn(mine, "form")}
    assert actions == {f"/your-data/{name}" for name in ("keep", "keep-chats", "mode", "clear", "erase")}


def test_a_child_is_offered_no_history(
    visit: Visit, sign_in: SignIn, conn: psycopg.Connection, cookies: dict[str, str]
) -> None:
    account = sign_in("bi")
    conn.execute("update reading.accounts set audience_limit = 'children' where account_id = %s", [account.account_id])
    conn.commit()

    page = visit("your_data")

    actions = {form["action"] for form in drawn(page, "form")}
    assert not {"/your-data/keep", "/your-data/keep-chats", "/your-data/mode"} & actions
    assert "Of children no history is kept" in words_of(page)
    assert "/your-data/mode" not in {form["action"] for form in drawn(visit(), "form")}
    assert "mine.reset" not in {button.key for button in visit("mine").button}, "nor is there a taste to forget"
