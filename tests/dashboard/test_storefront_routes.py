"""The routes of the storefront and what every answer carries, from a real server."""

import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from dashboard_pages import SECRET, send_form
from PIL import Image
from ports import free_port
from small_catalogue import WORKS, add_work

import dashboard
from dashboard import state
from openshelf.database import accounts, sign_ins

SERVER = Path(dashboard.__file__).parent / "server.py"


@pytest.fixture(scope="module")
def served(
    make_database: Callable[..., str], migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str, Path]]:
    """A running storefront: its address, its database, its library folder."""
    url, root = make_database(migrated_template), tmp_path_factory.mktemp("served")
    with psycopg.connect(url) as conn:
        add_work(conn, WORKS[0])
        Image.new("RGB", (600, 900), "#1e5945").save(root / "cover.jpg")
        (root / "broken.jpg").write_bytes(b"no picture")
        conn.execute("update library.libraries set path = %s", [str(root)])
        conn.execute("update library.editions set cover_path = 'cover.jpg'")
        conn.execute("update library.works set cover_edition_id = (select edition_id from library.editions)")
        accounts.create_demo(conn, "lan", "Lan", role="reader", history_enabled=True)
    port = free_port()
    env = {name: value for name, value in os.environ.items() if not name.startswith("OPENSHELF_")} | {
        "OPENSHELF_DATABASE_URL": url,
        "OPENSHELF_HOME": str(root / "home"),
        "OPENSHELF_SECRET": SECRET,
        "STREAMLIT_SERVER_PORT": str(port),
    }
    # Started elsewhere on purpose: nothing may depend on the folder one stands in.
    process = subprocess.Popen([sys.executable, "-m", "streamlit", "run", str(SERVER)], env=env, cwd=root)
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 180
    while True:
        try:
            if httpx.get(f"{address}/healthz", timeout=2).status_code == 200:
                break
        except httpx.TransportError:
            pass
        assert process.poll() is None, "the storefront did not start"
        assert time.monotonic() < deadline, "the storefront does not answer"
        time.sleep(0.1)
    yield address, url, root
    process.terminate()
    process.wait(60)


@pytest.fixture
def browser(served: tuple[str, str, Path]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served[0], timeout=60, headers={"Accept": "text/html"}) as client:
        yield client


@pytest.fixture
def database_of_server(served: tuple[str, str, Path]) -> Iterator[psycopg.Connection]:
    with psycopg.connect(served[1], autocommit=True) as conn:
        yield conn


def test_health_readiness_and_metrics_answer(browser: httpx.Client) -> None:
    assert browser.get("/healthz").text == "ok\n"
    ready = browser.get("/readyz").json()
    assert (ready["ready"], ready["postgres"], ready["dataflow"]["state"]) == (True, "answers", "absent")
    assert "openshelf_up 1.0\n" in browser.get("/metrics").text


@pytest.mark.parametrize(
    "path",
    [
        "/", "/browse", "/healthz", "/covers/1.jpg", "/assets/openshelf.css", "/nothing.txt", "/api/works", "/api/docs",
        "/opds", "/opds/v2",
    ],
)  # fmt: skip
def test_every_answer_carries_the_strict_policy(path: str, browser: httpx.Client) -> None:
    headers = browser.get(path).headers

    policy = headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "object-src 'none'" in policy
    assert f"ws://{browser.base_url.netloc.decode()}" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_the_page_is_ours_before_streamlit_draws_and_holds_no_inline_script(browser: httpx.Client) -> None:
    page = browser.get("/").text

    assert "<title>Openshelf</title>" in page
    assert "Streamlit</title>" not in page
    assert re.search(r"<script>|<script(?![^>]*src=)", page) is None
    style = re.search(r'href="(/assets/openshelf\.css\?v=\w+)"', page)
    assert style
    assert "immutable" in browser.get(style[1]).headers["cache-control"]
    assert browser.get("/assets/fonts/literata-latin-600-normal.woff2").status_code == 200


def test_an_address_below_a_page_leads_to_a_page_that_is_drawn(browser: httpx.Client) -> None:
    answer = browser.get("/book/5", headers={"Accept": "text/html"}, follow_redirects=False)

    assert (answer.status_code, answer.headers["location"]) == (303, "/nowhere")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert browser.get("/browse", headers={"Accept": "text/html"}).status_code == 200


_PACKED = {"Accept": "*/*", "Accept-Encoding": "gzip"}  # as a browser asks for a script


def test_streamlits_own_scripts_come_packed_and_are_the_same_inside(browser: httpx.Client) -> None:
    page = browser.get("/").text
    scripts = re.findall(r'"\.?/?(static/js/[^"]+\.js)"', page)
    assert scripts
    for script in scripts[:3]:
        as_is = httpx.get(f"{browser.base_url}/{script}", headers={"Accept-Encoding": "identity"}, timeout=60)
        packed = browser.get(f"/{script}", headers=_PACKED)
        assert "content-encoding" not in as_is.headers
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.headers["vary"] == "Accept-Encoding"
        assert "immutable" in packed.headers["cache-control"]
        assert "content-security-policy" in packed.headers
        assert int(packed.headers["content-length"]) < int(as_is.headers["content-length"])
        assert packed.content == as_is.content
    part = browser.get(f"/{scripts[0]}", headers=_PACKED | {"Range": "bytes=0-9"})
    assert part.status_code == 206
    assert "content-encoding" not in part.headers
    assert browser.get("/static/js/none.js", headers=_PACKED).headers.get("content-encoding") is None


def test_the_icons_are_fetched_by_pages_that_show_one(browser: httpx.Client) -> None:
    page = browser.get("/").text
    (style,) = re.findall(r'"\.?/?(static/css/index[^"]+\.css)"', page)
    text = browser.get(f"/{style}", headers=_PACKED).text
    (face,) = re.findall(r"@font-face\{font-family:Material Symbols[^}]*\}", text)
    assert face.endswith("unicode-range:U+21-7E}")


def test_programs_and_apps_are_answered_beside_the_pages(browser: httpx.Client) -> None:
    assert browser.get("/api/works").json()["works"][0]["title"] == "Dune"
    assert browser.get("/api/nothing").json()["status"] == 404
    page = browser.get("/api/docs").text
    assert "<title>The library for programs - Openshelf</title>" in page
    assert "<script" not in page
    feed = browser.get("/opds/books")
    assert feed.headers["content-type"] == "application/atom+xml;profile=opds-catalog;kind=acquisition"
    assert "/files/1.epub" in feed.text
    assert browser.get("/opds/v2").json()["metadata"]["title"]
    assert 'href="/opds" type="application/atom+xml;profile=opds-catalog"' in browser.get("/").text


def test_a_visit_is_given_once_and_no_script_can_read_it(browser: httpx.Client) -> None:
    first, second = browser.get("/"), browser.get("/")

    given = first.headers["set-cookie"]
    assert given.startswith(f"{state.VISIT_COOKIE}=")
    assert {"HttpOnly", "SameSite=Lax"} <= {part.strip() for part in given.split(";")}
    assert "set-cookie" not in second.headers


@pytest.mark.parametrize("path", ["/", "/covers/1.jpg", "/metrics", "/_stcore/host-config"])
def test_a_foreign_name_for_this_host_is_refused(path: str, browser: httpx.Client) -> None:
    assert browser.get(path, headers={"Host": "evil.example"}).status_code == 400


def test_covers_come_small_and_may_be_kept_for_good(browser: httpx.Client, served: tuple[str, str, Path]) -> None:
    answer = browser.get("/covers/1.jpg?v=1&w=176")

    assert answer.headers["content-type"] == "image/jpeg"
    assert "immutable" in answer.headers["cache-control"]
    kept = list((served[2] / "home" / "covers-cache" / "176").iterdir())
    assert [Image.open(file).size for file in kept] == [(176, 264)]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/covers/999.jpg", 404),
        ("/covers/99999999999.jpg", 404),
        ("/covers/1.jpg?w=177", 400),
        ("/covers/1.jpg?w=abc", 400),
    ],
)
def test_what_is_no_cover_of_ours_is_refused(path: str, status: int, browser: httpx.Client) -> None:
    answer = browser.get(path, headers={"Accept": "image/*"})

    assert answer.status_code == status


@pytest.mark.parametrize("path", ["/assets/../app.py", "/assets/%2e%2e/app.py", "/covers/%2e%2e%2fapp.py", "/app.py"])
def test_no_address_leads_to_our_own_files(path: str, browser: httpx.Client) -> None:
    assert "import streamlit" not in browser.get(path).text


@pytest.mark.parametrize("cover_path", ["broken.jpg", "../../../etc/passwd", "/etc/passwd", "missing.jpg"])
def test_a_cover_that_is_no_picture_or_leads_out_of_the_library_is_not_sent(
    cover_path: str, browser: httpx.Client, database_of_server: psycopg.Connection
) -> None:
    database_of_server.execute("update library.editions set cover_path = %s", [cover_path])
    try:
        assert browser.get("/covers/1.jpg?w=320").status_code == 404
    finally:
        database_of_server.execute("update library.editions set cover_path = 'cover.jpg'")


def test_signing_in_and_out_as_a_demo_reader(browser: httpx.Client, database_of_server: psycopg.Connection) -> None:
    answer = send_form(browser, "/auth/demo", username="lan")

    assert (answer.status_code, answer.json()) == (200, {"to": "/"})
    given = next(value for value in answer.headers.get_list("set-cookie") if state.ACCOUNT_COOKIE in value)
    assert "HttpOnly" in given
    assert "samesite=lax" in given.lower()
    hashed = hashlib.sha256(browser.cookies[state.ACCOUNT_COOKIE].encode()).digest()
    account = sign_ins.account_of(database_of_server, hashed)
    assert account
    assert account.username == "lan"

    send_form(browser, "/auth/sign-out")
    assert sign_ins.account_of(database_of_server, hashed) is None


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://evil.example"}, {}],
)
@pytest.mark.parametrize("path", ["/auth/demo", "/auth/sign-out"])
def test_a_form_of_another_site_is_refused(path: str, headers: dict[str, str], browser: httpx.Client) -> None:
    answer = browser.post(path, data={"username": "lan"}, headers=headers)

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(("username", "status"), [("nobody", 404), ("", 404), ("\x00", 404), ("x" * 9000, 413)])
def test_nobody_signs_in_as_someone_unknown(username: str, status: int, browser: httpx.Client) -> None:
    assert send_form(browser, "/auth/demo", username=username).status_code == status


def test_an_account_that_is_no_demo_account_cannot_be_taken(
    browser: httpx.Client, database_of_server: psycopg.Connection
) -> None:
    database_of_server.execute(
        "insert into reading.accounts (username, display_name, role, kind) values ('boss', 'Boss', 'admin', 'local')"
    )

    assert send_form(browser, "/auth/demo", username="boss").status_code == 404
