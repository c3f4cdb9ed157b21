"""A reader signs up, reads, changes their mind, takes their data and leaves: nothing of them is left anywhere.

Real parts: the routes of the storefront, the dataflow as a process of its own, dbt, the command line; then every row of
every table and every byte of every file is looked through.
"""

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import kept_reader
import psycopg
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from dashboard import acts, auth, forms, state, your_data
from dashboard.acts import Deed, Reader
from dashboard.headers import SecurityHeaders
from openshelf import readers, warehouse
from openshelf.contracts import Action, Surface, utc_now
from openshelf.database import accounts, erasures, events
from openshelf.privacy import choices, erasing
from openshelf.settings import get_settings

NAME, EMAIL, SHOWN = "thuylan77", "thuylan77@example.org", "Thùy Lan Nguyễn"
PASSWORD = "a lamp by the window"
PATIENCE_S = 300.0


def _page(_request: Request) -> Response:
    return HTMLResponse("<html lang='en'><head><title>x</title></head><body></body></html>")


@pytest.fixture
def browser(database: str) -> Iterator[TestClient]:
    app = Starlette(
        routes=[Route("/", _page), *auth.routes(), *your_data.routes()],
        middleware=[Middleware(SecurityHeaders, head="<title>x</title>")],
    )
    with TestClient(app, base_url="http://library.test", follow_redirects=False) as client:
        yield client


def send(browser: TestClient, path: str, /, **fields: str) -> httpx.Response:
    """As a page of ours sends a form."""
    if forms.COOKIE not in browser.cookies:
        browser.get("/", headers={"Accept": "text/html"})
    token = forms.token_of(browser.cookies[forms.COOKIE])
    headers = {"Sec-Fetch-Site": "same-origin", "Accept": "application/json"}
    answer = browser.post(path, data={forms.TOKEN: token, **fields}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.fixture
def dataflow(database: str, tmp_path: Path) -> Iterator[Path]:
    """`openshelf stream run`; its log file."""
    log = tmp_path / "dataflow.log"
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [sys.executable, "-m", "openshelf", "stream", "run"], stdout=lines, stderr=lines, env=os.environ
        )
    yield log
    process.send_signal(signal.SIGTERM)
    process.wait(PATIENCE_S)


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.1)


def drained(conn: psycopg.Connection) -> bool:
    waiting = sum(lag.count_waiting for lag in events.lag(conn, "sessions"))
    conn.commit()
    return waiting == 0


def account_of(conn: psycopg.Connection) -> accounts.Account:
    found = accounts.by_username(conn, NAME)
    conn.commit()
    assert found
    return found


def read_some(conn: psycopg.Connection, key: str, session: UUID, account_id: int, books: list[int]) -> None:
    """What a reader does on the pages, recorded as the pages record it."""
    deeds = [
        Deed(Action.VISIT, Surface.FOR_YOU),
        Deed(Action.OPEN, Surface.POPULAR, books[0]),
        Deed(Action.READ, Surface.POPULAR, books[0]),
        Deed(Action.LIKE, Surface.POPULAR, books[0]),
        Deed(Action.WANT, Surface.NEW, books[1]),
        Deed(Action.RATE, Surface.NEW, books[2], 5.0),
        Deed(Action.HIDE, Surface.NEW, books[3]),
        Deed(Action.SEARCH, Surface.SEARCH),
    ]
    with conn.transaction():
        acts.record(conn, Reader(key, session, account_id), deeds, utc_now())


def openshelf(*words: str) -> dict:
    done = subprocess.run([sys.executable, "-m", "openshelf", *words, "--json"], capture_output=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.timeout(600)
def test_nothing_is_left_of_a_reader_who_leaves(
    conn: psycopg.Connection, browser: TestClient, dataflow: Path, tmp_path: Path
) -> None:
    books = list(kept_reader.library(conn).values())
    home = get_settings().home
    other = kept_reader.reader(conn, "minh")
    read_some(conn, other.reader_key or "", uuid4(), other.account_id, books)

    # Signs up, and reads without a history.
    send(
        browser, "/auth/register", username=NAME, display_name=SHOWN, email=EMAIL, password=PASSWORD, again=PASSWORD
    )  # fmt: skip
    account = account_of(conn)
    assert not account.history_enabled
    sessions = [uuid4() for _ in range(3)]
    visit_key = readers.session_key(sessions[0])
    read_some(conn, visit_key, sessions[0], account.account_id, books)

    # Turns the history on, and makes use of everything.
    send(browser, "/your-data/keep", keep="days", days="90")
    first_key = choices.pseudonym(conn, get_settings(), account.account_id)
    conn.commit()
    read_some(conn, first_key, sessions[1], account.account_id, books)
    conn.execute(
        "insert into reading.places (account_id, book_id, part, block, progress) values (%s, %s, 1, 2, 0.1)",
        [account.account_id, books[0]],
    )
    conn.execute("insert into reading.lists (account_id, name) values (%s, %s)", [account.account_id, f"of {SHOWN}"])
    conn.execute(
        "insert into reading.requests (account_id, title, request_key) values (%s, 'A book', 'a book')",
        [account.account_id],
    )
    conn.execute(
        "insert into stream.dead_letters (source, partition, log_offset, reason, payload) values ('t', 0, 0, 'x', %s)",
        [f'{{"reader_key": "{first_key}"'.encode()],
    )
    conn.commit()
    wait_for(lambda: drained(conn), "the dataflow to take it")
    warehouse.build(get_settings())
    named_in = kept_reader.rows_with(conn, [NAME, EMAIL, SHOWN])
    assert {table.split(".")[0] for table in named_in} == {"reading"}, "no name and no address leaves the accounts"
    known_in = kept_reader.rows_with(conn, [first_key])
    assert {"stream.event_log", "stream.interactions", "stream.sessions", "marts.fct_interactions",
            "marts.dim_readers"} <= set(known_in)  # fmt: skip

    # Turns it off: what there was is gone, what was put down by hand is there.
    send(browser, "/your-data/keep", keep="never")
    wait_for(lambda: not erasing.resume(conn, get_settings())["waiting"], "the dataflow to hear of it")
    assert kept_reader.rows_with(conn, [first_key]) == []
    assert accounts.shelves(conn, account.account_id)
    conn.commit()

    # On again, under another pseudonym; takes everything along.
    send(browser, "/your-data/keep", keep="always")
    second_key = choices.pseudonym(conn, get_settings(), account.account_id)
    conn.commit()
    assert second_key != first_key
    read_some(conn, second_key, sessions[2], account.account_id, books[4:8])
    wait_for(lambda: drained(conn), "the dataflow to take it")
    exported = browser.get("/your-data/export")
    with zipfile.ZipFile(io.BytesIO(exported.content)) as archive:
        parts = json.loads(archive.read("everything.json"))["parts"]
    assert len(parts["history"]) == kept_reader.count(conn, "stream.interactions", second_key) == 8
    assert len(parts["shelves"]) == 3
    assert first_key not in str(parts)

    # Leaves. What came without a history is nobody's, and goes with time.
    send(browser, "/your-data/erase", username=NAME)
    wait_for(lambda: not erasing.resume(conn, get_settings())["waiting"], "the dataflow to hear of it")
    assert state.ACCOUNT_COOKIE not in browser.cookies
    later = (utc_now() + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S")
    removed = openshelf("retention", "run", "--at", later)
    assert removed["stream.interactions"] >= 8

    words = [NAME, EMAIL, SHOWN, json.dumps(SHOWN)[1:-1], first_key, second_key, visit_key]
    words += [str(session) for session in sessions] + [session.hex for session in sessions]
    assert kept_reader.rows_with(conn, words) == []

    def forgotten_by_files() -> bool:
        """The dataflow writes every few seconds that it has dropped a state; what was before is the next run's."""
        return not kept_reader.files_with(home, words) or not openshelf("retention", "run", "--at", later)

    wait_for(forgotten_by_files, "every file to forget it")
    assert kept_reader.files_with(tmp_path, words) == [], "logs too"
    assert kept_reader.rows_with(conn, [other.reader_key or ""]), "the other reader is there"
    assert (home / "recovery").exists()
    assert dataflow.stat().st_size, "there was something to look into"

    # But that it was done.
    kinds = [certificate.kind for certificate in erasures.certificates(conn)]
    assert kinds == ["account", "history"]
    assert erasures.certificates(conn)[1].counts["marts.fct_interactions"] == 8
