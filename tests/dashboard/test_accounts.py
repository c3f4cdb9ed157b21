"""Accounts: passwords, forms, sign-ins, children. The real routes behind the real headers, on a real database."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from argon2 import PasswordHasher
from dashboard_pages import SECRET, send_form
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from dashboard import auth, forms, language, state
from dashboard.headers import SecurityHeaders
from openshelf import passwords
from openshelf.database import accounts, attempts, audit, sign_ins
from openshelf.database.attempts import Limit
from openshelf.errors import NotAllowedError, TooOftenError
from openshelf.passwords import Weakness
from openshelf.settings import get_settings

PASSWORD = "a lamp by the window"
SECRET_KEY = SECRET.encode()
Browser = Callable[..., TestClient]


def _page(_request: Request) -> Response:
    return HTMLResponse("<html lang='en'><head><title>x</title></head><body></body></html>")


@pytest.fixture
def browser(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """Open a browser at an address, here or over TLS."""
    monkeypatch.setenv("OPENSHELF_SECRET", SECRET)
    get_settings.cache_clear()
    app = Starlette(
        routes=[Route("/", _page), *auth.routes()], middleware=[Middleware(SecurityHeaders, head="<title>x</title>")]
    )
    opened = []

    def open_browser(address: str = "10.0.0.1", scheme: str = "http") -> TestClient:
        client = TestClient(app, base_url=f"{scheme}://library.test", client=(address, 1), follow_redirects=False)
        opened.append(client)
        return client

    yield open_browser
    for client in opened:
        client.close()


def register(client: TestClient, username: str = "lan", **fields: str) -> int:
    said = {"username": username, "password": PASSWORD, "again": PASSWORD, **fields}
    return send_form(client, "/auth/register", **said).status_code


def sign_in(client: TestClient, username: str = "lan", password: str = PASSWORD, **fields: str):
    return send_form(client, "/auth/sign-in", username=username, password=password, **fields)


def who(conn: psycopg.Connection, client: TestClient) -> str | None:
    """Whose sign-in the browser's cookie is."""
    token = client.cookies.get(state.ACCOUNT_COOKIE)
    account = sign_ins.account_of(conn, state.token_hash(token)) if token else None
    conn.commit()
    return account.username if account else None


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("short", Weakness.SHORT),
        ("x" * 201, Weakness.LONG),
        ("Lan.Nguyen1", Weakness.NAME),
        ("my lan.nguyen!", Weakness.NAME),
        ("Password123!", Weakness.COMMON),
        ("matkhau12345", Weakness.COMMON),
        ("йцукенгшщз", Weakness.COMMON),
        ("aaaaaaaaaaaa", Weakness.REPEATED),
        ("1234567890", Weakness.REPEATED),
        ("9876543210", Weakness.REPEATED),
        (PASSWORD, None),
        ("đèn bên cửa sổ", None),
    ],
)
def test_a_new_password_is_refused_for_what_makes_it_weak(password: str, problem: Weakness | None) -> None:
    assert passwords.weakness(password, "lan.nguyen") is problem


@pytest.mark.usefixtures("hashing_in_earnest")
def test_a_password_is_kept_as_argon2id_and_known_in_either_unicode_form() -> None:
    kept = passwords.hashed("đèn bên cửa sổ")  # composed

    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$"), "64 MiB, as RFC 9106 has it where memory is short"
    assert passwords.is_right("đèn bên cửa sổ".replace("ổ", "ổ"), kept)
    assert not passwords.is_right("den ben cua so", kept)
    assert not passwords.is_right("đèn bên cửa sổ", None)
    assert not passwords.is_right("x" * 100_000, kept)


def test_an_account_round_trip(browser: Browser, conn: psycopg.Connection) -> None:
    client = browser()

    assert register(client, "Lan", display_name="Lan  Nguyễn", email="lan@example.org") == 200
    account = accounts.by_username(conn, "lan")
    assert account
    assert (account.display_name, account.email, account.role, account.kind) == (
        "Lan Nguyễn", "lan@example.org", "reader", "local",
    )  # fmt: skip
    assert not account.history_enabled, "no history until the reader says so"
    assert who(conn, client) == "lan"

    send_form(client, "/auth/sign-out")
    assert who(conn, client) is None
    wrong = sign_in(client, "lan", "not the password")
    assert (wrong.status_code, wrong.json()["field"]) == (401, "password")
    assert sign_in(client, " LAN ").json() == {"to": "/"}
    assert who(conn, client) == "lan"


def test_an_account_needs_no_mail_and_no_other_name(browser: Browser, conn: psycopg.Connection) -> None:
    assert register(browser(), "minh") == 200

    account = accounts.by_username(conn, "minh")
    assert account
    assert (account.display_name, account.email) == ("minh", None)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"username": "x"}, "username"),
        ({"username": "a b c"}, "username"),
        ({"username": "<script>"}, "username"),
        ({"again": "another one"}, "again"),
        ({"password": "short", "again": "short"}, "password"),
        ({"email": "nowhere"}, "email"),
        ({"username": "TAKEN"}, "username"),
    ],
)
def test_what_cannot_be_an_account_is_refused_at_its_field(
    fields: dict[str, str], field: str, browser: Browser, conn: psycopg.Connection
) -> None:
    accounts.create_local(conn, "taken", "Taken", "$none")
    conn.commit()
    said = {"username": "lan", "password": PASSWORD, "again": PASSWORD, **fields}

    answer = send_form(browser(), "/auth/register", **said)

    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert accounts.by_username(conn, "lan") is None


def test_the_answer_speaks_the_language_of_the_reader(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    spoken = []
    monkeypatch.setattr(auth, "_", lambda message: spoken.append(language.current()) or message)

    client = browser()
    client.headers["Accept-Language"] = "ru;q=0.9, vi"
    sign_in(client)

    assert spoken == ["vi"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_cookies_are_out_of_reach_of_scripts_and_secure_behind_tls(scheme: str, browser: Browser) -> None:
    client = browser(scheme=scheme)
    page = client.get("/", headers={"Accept": "text/html"})
    register(client)
    answer = sign_in(client)

    given = page.headers.get_list("set-cookie") + [
        each for each in answer.headers.get_list("set-cookie") if each.startswith(f"{state.ACCOUNT_COOKIE}=")
    ]
    assert len(given) >= 3
    for each in given:
        flags = {part.strip().lower() for part in each.split(";")}
        assert {"httponly", "samesite=lax"} <= flags
        assert ("secure" in flags) == (scheme == "https")


def test_only_the_hash_of_the_token_is_kept(browser: Browser, conn: psycopg.Connection) -> None:
    client = browser()
    register(client)

    rows = conn.execute("select row_to_json(t)::text from reading.sign_ins as t").fetchall()
    assert len(rows) == 1
    assert client.cookies[state.ACCOUNT_COOKIE] not in rows[0][0]
    kept = conn.execute("select password_hash from reading.accounts").fetchall()
    assert PASSWORD not in str(kept)


@pytest.mark.parametrize("path", [route.path for route in auth.routes()])  # type: ignore[attr-defined]
def test_every_form_is_refused_without_its_token_or_from_elsewhere(path: str, browser: Browser) -> None:
    client = browser()
    client.get("/", headers={"Accept": "text/html"})
    right = forms.token_of(client.cookies[forms.COOKIE])
    own = {"Sec-Fetch-Site": "same-origin"}

    assert client.post(path, data={"username": "lan"}, headers=own).status_code == 403
    assert client.post(path, data={forms.TOKEN: "0" * 64}, headers=own).status_code == 403
    assert client.post(path, data={forms.TOKEN: right}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.post(path, data={forms.TOKEN: right}).status_code == 403
    client.cookies.delete(forms.COOKIE)
    assert client.post(path, data={forms.TOKEN: right}, headers=own).status_code == 403


@pytest.mark.usefixtures("hashing_in_earnest")
def test_an_unknown_name_and_a_wrong_password_are_answered_alike_and_after_as_long(
    browser: Browser, conn: psycopg.Connection
) -> None:
    accounts.create_local(conn, "lan", "Lan", passwords.hashed(PASSWORD))
    conn.commit()
    passwords.is_right("warm", None)
    client, took, said = browser(), {"lan": [], "nobody": []}, {}
    for number in range(5):
        for name, times in took.items():
            client = browser(f"10.0.1.{number}")
            client.get("/", headers={"Accept": "text/html"})
            started = time.process_time()  # of all threads: a busy machine takes none of it
            answer = sign_in(client, name, "not the password")
            times.append(time.process_time() - started)
            said[name] = (answer.status_code, answer.json())

    assert said["lan"] == said["nobody"]
    # The quickest of five: hashing takes its time in both.
    known, unknown = min(took["lan"]), min(took["nobody"])
    assert 0.5 < known / unknown < 2, f"{known:.3f} s for a known name, {unknown:.3f} s for an unknown one"


def test_guessing_is_slowed_but_the_owner_gets_in_elsewhere_and_later(
    browser: Browser, conn: psycopg.Connection
) -> None:
    accounts.create_local(conn, "lan", "Lan", passwords.hashed(PASSWORD))
    conn.commit()
    guesser, owner = browser("10.0.0.66"), browser("10.0.0.1")

    statuses = [sign_in(guesser, "lan", f"guess number {n}").status_code for n in range(9)]
    stopped = sign_in(guesser, "lan", PASSWORD)

    assert statuses == [401] * 8 + [429]
    assert stopped.status_code == 429, "also the right one, or guessing would go on"
    assert 0 < int(stopped.headers["Retry-After"]) <= 600
    assert "minutes" in stopped.json()["problem"]
    assert sign_in(owner).status_code == 200
    conn.execute("update reading.attempts set resets_at = now() - interval '1 second'")
    conn.commit()
    assert sign_in(guesser, "lan", PASSWORD).status_code == 200, "nobody is locked out for good"


def test_one_address_cannot_try_many_names(browser: Browser, conn: psycopg.Connection) -> None:
    limit = Limit("password from an address", 60, timedelta(minutes=15))
    for _each in range(60):
        attempts.spend(conn, SECRET_KEY, [(limit, "10.0.0.66")])
    conn.commit()

    assert sign_in(browser("10.0.0.66"), "somebody", "not the password").status_code == 429
    assert sign_in(browser("10.0.0.67"), "somebody", "not the password").status_code == 401


def test_limits_count_in_postgres_for_all_processes_and_keep_no_address(database: str) -> None:
    limit = Limit("try", 3, timedelta(minutes=1))
    with psycopg.connect(database) as one, psycopg.connect(database) as other:
        for each in (one, other, one):
            attempts.spend(each, SECRET_KEY, [(limit, "10.0.0.1")])
            each.commit()
        with pytest.raises(TooOftenError) as refused:
            attempts.spend(other, SECRET_KEY, [(limit, "10.0.0.1")])
        assert timedelta(0) < refused.value.until - datetime.now(UTC) <= timedelta(minutes=1)
        attempts.spend(other, SECRET_KEY, [(limit, "10.0.0.2")])
        other.commit()
        rows = one.execute("select row_to_json(t)::text from reading.attempts as t").fetchall()
        assert "10.0.0" not in str(rows)


def test_registering_many_accounts_is_slowed(
    browser: Browser, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "hashed", lambda password: "$none")  # thirty of them take long
    statuses = [register(browser(), f"reader{n}") for n in range(31)]

    assert statuses == [200] * 30 + [429]
    assert len(conn.execute("select from reading.accounts").fetchall()) == 30


@pytest.mark.usefixtures("hashing_in_earnest")
def test_an_older_hash_is_renewed_at_the_next_sign_in(browser: Browser, conn: psycopg.Connection) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    accounts.create_local(conn, "lan", "Lan", weak)
    conn.commit()
    assert passwords.is_outdated(weak)

    assert sign_in(browser()).status_code == 200

    found = accounts.password_of(conn, "lan")
    assert found
    assert found[1] != weak
    assert not passwords.is_outdated(found[1] or "")
    assert sign_in(browser()).status_code == 200


@pytest.mark.parametrize(("is_shared", "minutes"), [(False, 60), (True, 15)])
def test_a_sign_in_ends_when_nobody_uses_it(
    is_shared: bool, minutes: int, browser: Browser, conn: psycopg.Connection
) -> None:
    client = browser()
    register(client, **({"shared": "1"} if is_shared else {}))

    conn.execute("update reading.sign_ins set last_seen_at = now() - make_interval(mins => %s)", [minutes - 1])
    conn.commit()
    assert who(conn, client) == "lan", "and being seen keeps it going"
    conn.execute("update reading.sign_ins set last_seen_at = last_seen_at - make_interval(mins => %s)", [minutes - 1])
    conn.commit()
    assert who(conn, client) == "lan"
    conn.execute("update reading.sign_ins set last_seen_at = now() - make_interval(mins => %s)", [minutes])
    conn.commit()
    assert who(conn, client) is None


def test_a_look_does_not_keep_a_sign_in_going(browser: Browser, conn: psycopg.Connection) -> None:
    client = browser()
    register(client)
    hashed = state.token_hash(client.cookies[state.ACCOUNT_COOKIE])
    conn.execute("update reading.sign_ins set last_seen_at = now() - interval '59 minutes'")

    assert sign_ins.is_valid(conn, hashed)
    seen = conn.execute("select now() - last_seen_at > interval '58 minutes' from reading.sign_ins").fetchone()
    assert seen == (True,)


def test_a_shared_computer_keeps_nothing(browser: Browser) -> None:
    client = browser()
    register(client)
    send_form(client, "/auth/sign-out")
    given = next(each for each in sign_in(client, shared="1").headers.get_list("set-cookie") if "account=" in each)
    assert "max-age" not in given.lower(), "the cookie ends with the browser"
    assert client.get("/", headers={"Accept": "text/html"}).headers["cache-control"] == "no-store"

    answer = send_form(client, "/auth/sign-out")

    assert answer.headers["clear-site-data"] == '"cache", "cookies", "storage"'
    assert answer.headers["cache-control"] == "no-store"
    assert state.ACCOUNT_COOKIE not in client.cookies


def test_signing_out_everywhere_and_a_new_password_end_the_others(browser: Browser, conn: psycopg.Connection) -> None:
    here, there = browser(), browser("10.0.0.2")
    register(here)
    sign_in(there)
    assert (who(conn, here), who(conn, there)) == ("lan", "lan")

    wrong = send_form(here, "/auth/password", current="no", password="a quiet afternoon", again="a quiet afternoon")
    assert (wrong.status_code, wrong.json()["field"]) == (401, "current")
    weak = send_form(here, "/auth/password", current=PASSWORD, password="short", again="short")
    assert (weak.status_code, weak.json()["field"]) == (422, "password")
    changed = {"current": PASSWORD, "password": "a quiet afternoon", "again": "a quiet afternoon"}
    assert send_form(here, "/auth/password", **changed).status_code == 200
    assert (who(conn, here), who(conn, there)) == ("lan", None)
    assert sign_in(there).status_code == 401
    assert sign_in(there, password="a quiet afternoon").status_code == 200

    send_form(here, "/auth/sign-out", everywhere="1")
    assert (who(conn, here), who(conn, there)) == (None, None)


def test_signing_in_again_ends_the_sign_in_before(browser: Browser, conn: psycopg.Connection) -> None:
    client = browser()
    register(client)
    before = client.cookies[state.ACCOUNT_COOKIE]

    sign_in(client)

    assert sign_ins.account_of(conn, state.token_hash(before)) is None
    assert who(conn, client) == "lan"


def test_a_guardian_makes_limits_and_removes_a_child(browser: Browser, conn: psycopg.Connection) -> None:
    guardian = browser()
    register(guardian)
    new = {"username": "be", "display_name": "Bé", "password": PASSWORD, "again": PASSWORD}

    assert send_form(guardian, "/auth/child", **new, limit="adult").status_code == 422
    assert send_form(guardian, "/auth/child", **new, limit="children").status_code == 200
    child = accounts.by_username(conn, "be")
    assert child
    assert child.audience_limit == "children"
    assert accounts.children(conn, child.guardian_id or 0) == [child]
    conn.commit()

    chosen = {"child": str(child.account_id)}
    assert send_form(guardian, "/auth/child-limit", **chosen, limit="young adult").status_code == 200
    assert sign_in(browser("10.0.0.3"), "be").status_code == 200
    changed = {"password": "another quiet place", "again": "another quiet place"}
    assert send_form(guardian, "/auth/child-password", **chosen, **changed).status_code == 200
    assert sign_in(browser("10.0.0.3"), "be").status_code == 401
    assert send_form(guardian, "/auth/child-removal", **chosen).status_code == 422, "only who says so"
    assert send_form(guardian, "/auth/child-removal", **chosen, sure="1").status_code == 200
    assert accounts.by_username(conn, "be") is None


def test_a_guardian_makes_a_family_and_no_crowd(
    browser: Browser, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    guardian = browser()
    register(guardian)
    monkeypatch.setattr(passwords, "hashed", lambda password: "$none")

    new = {"password": PASSWORD, "again": PASSWORD, "limit": "children"}
    statuses = [send_form(guardian, "/auth/child", username=f"child{n}", **new).status_code for n in range(21)]

    assert statuses == [200] * 20 + [429]


def test_a_child_changes_neither_its_limit_nor_its_history(browser: Browser, conn: psycopg.Connection) -> None:
    guardian, child_browser, other = browser(), browser("10.0.0.3"), browser("10.0.0.4")
    register(guardian)
    register(other, "minh")
    new = {"username": "be", "password": PASSWORD, "again": PASSWORD, "limit": "children"}
    send_form(guardian, "/auth/child", **new)
    child = accounts.by_username(conn, "be")
    assert child
    conn.commit()
    sign_in(child_browser, "be")
    chosen = {"child": str(child.account_id)}

    for stranger in (child_browser, other, browser("10.0.0.5")):
        assert send_form(stranger, "/auth/child-limit", **chosen, limit="none").status_code == 403
        assert send_form(stranger, "/auth/child-removal", **chosen, sure="1").status_code == 403
        password = {"password": "another quiet place", "again": "another quiet place"}
        assert send_form(stranger, "/auth/child-password", **chosen, **password).status_code == 403
    assert send_form(child_browser, "/auth/child", **{**new, "username": "be2"}).status_code == 403
    with pytest.raises(NotAllowedError, match="no history"):
        accounts.set_history(conn, child.account_id, True, "2026-1")
    with pytest.raises(psycopg.errors.CheckViolation):
        conn.execute("update reading.accounts set history_enabled = true where account_id = %s", [child.account_id])
    conn.rollback()
    with pytest.raises(NotAllowedError):
        accounts.set_role(conn, "be", "staff")
    assert accounts.by_username(conn, "be") == child


def test_a_child_that_has_grown_up_decides_itself(browser: Browser, conn: psycopg.Connection) -> None:
    guardian = browser()
    register(guardian)
    send_form(guardian, "/auth/child", username="be", password=PASSWORD, again=PASSWORD, limit="young adult")
    child = accounts.by_username(conn, "be")
    assert child
    conn.commit()

    send_form(guardian, "/auth/child-limit", child=str(child.account_id), limit="none")

    accounts.set_history(conn, child.account_id, True, "2026-1")
    grown = accounts.by_username(conn, "be")
    assert grown
    assert (grown.audience_limit, grown.guardian_id, grown.history_enabled) == (None, None, True)
    conn.commit()
    answer = send_form(guardian, "/auth/child-limit", child=str(child.account_id), limit="children")
    assert answer.status_code == 403


def test_giving_a_role_is_noted_and_counts_at_the_next_look(browser: Browser, conn: psycopg.Connection) -> None:
    client = browser()
    register(client)
    hashed = state.token_hash(client.cookies[state.ACCOUNT_COOKIE])
    account = sign_ins.account_of(conn, hashed)
    assert account
    assert not account.is_staff

    assert accounts.set_role(conn, "lan", "staff")
    assert not accounts.set_role(conn, "nobody", "staff")

    account = sign_ins.account_of(conn, hashed)
    assert account
    assert account.is_staff
    notes = [(note.actor, note.act, note.subject) for note in audit.latest(conn)]
    assert notes == [("command line", "give role staff", f"account {account.account_id}")]


def test_who_came_from_the_provider_has_one_account_and_its_role_from_us(conn: psycopg.Connection) -> None:
    first = accounts.of_provider(conn, "https://id.example", "42", "Lan", "lan@example.org")
    accounts.set_role(conn, first.username, "staff")
    again = accounts.of_provider(conn, "https://id.example", "42", "Lan Nguyễn", None)
    other = accounts.of_provider(conn, "https://other.example", "42", "Lan", None)

    assert (again.account_id, again.display_name, again.role, again.kind) == (
        first.account_id, "Lan Nguyễn", "staff", "oidc",
    )  # fmt: skip
    assert other.account_id != first.account_id
    assert other.role == "reader"


def test_a_ticket_is_good_for_one_browser_and_a_minute(
    browser: Browser, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = accounts.of_provider(conn, "https://id.example", "42", "Lan", None)
    conn.commit()
    mine, other = browser(), browser()
    for each in (mine, other):
        each.get("/", headers={"Accept": "text/html"})
    ticket = auth.ticket(account.account_id, mine.cookies[forms.COOKIE])

    for forged in (ticket[:-1] + "x", ticket.replace(str(account.account_id), "999", 1), "", "1.2.3"):
        assert send_form(mine, "/auth/provider", ticket=forged).status_code == 403
    assert send_form(other, "/auth/provider", ticket=ticket).status_code == 403
    assert send_form(mine, "/auth/provider", ticket=ticket).status_code == 200
    assert who(conn, mine) == account.username
    late = datetime.now(UTC) + timedelta(seconds=61)
    monkeypatch.setattr(auth, "utc_now", lambda: late)
    assert send_form(mine, "/auth/provider", ticket=ticket).status_code == 403


def test_demo_readers_exist_only_on_this_machine(
    browser: Browser, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts.create_demo(conn, "mai", "Mai", role="reader", history_enabled=True)
    accounts.create_local(conn, "lan", "Lan", passwords.hashed(PASSWORD))
    conn.commit()

    assert send_form(browser(), "/auth/demo", username="mai").status_code == 200
    assert send_form(browser(), "/auth/demo", username="lan").status_code == 404
    assert sign_in(browser(), "mai", "").status_code == 401, "a demo reader has no password"
    monkeypatch.setenv("OPENSHELF_HOST", "0.0.0.0")
    get_settings.cache_clear()
    assert send_form(browser(), "/auth/demo", username="mai").status_code == 403


def test_registration_can_be_left_to_the_library(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENSHELF_REGISTRATION", "false")
    get_settings.cache_clear()

    assert register(browser()) == 403
