"""One whole installation for the end-to-end tests: built, proven and opened by the commands a person runs.

It is built once; each process of the run opens a copy of its own.
"""

import contextlib
import functools
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from browser_steps import CHROMIUM, CHROMIUM_ARGS, PATIENCE_MS
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError
from ports import free_port

from openshelf.database import embedded

# Also for tests that open browsers of their own, whichever test comes first.
expect.set_options(timeout=PATIENCE_MS)

# On a quiet machine a build takes a minute, a start or an end some seconds.
BUILD_PATIENCE_S = 1_000
START_PATIENCE_S = 300
SIMULATED_READERS = "24"


@dataclass
class Installation:
    home: Path
    port: int
    summary: dict = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        return os.environ | {
            "OPENSHELF_HOME": str(self.home),
            "OPENSHELF_PORT": str(self.port),
            "OPENSHELF_SEARCH_INSIDE": "true",
        }

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """An `openshelf` command on this installation."""
        return subprocess.run(
            [sys.executable, "-m", "openshelf", *words],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=BUILD_PATIENCE_S,
        )

    def is_open(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as reply:
                return reply.status == 200
        except (urllib.error.URLError, OSError):
            return False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first of them waits for the build."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(1_200))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the browser showed when a test failed is part of its report."""
    report = yield
    page = getattr(item, "funcargs", {}).get("page")
    if report.when == "call" and report.failed and page:
        with contextlib.suppress(PlaywrightError):
            report.sections.append(("page", f"{page.url}\n{page.locator('body').inner_text(timeout=2_000)}"))
    return report


@pytest.fixture(scope="session")
def built(shared: Path, once: Callable[[str, Callable[[], Any]], Any], worker_id: str) -> Installation:
    """A demo built and checked by `openshelf demo --check`, closed."""
    original = Installation(shared / "demo", free_port())

    def build() -> dict[str, Any]:
        done = original.run("demo", "--check", "--json", "--readers", SIMULATED_READERS)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)

    summary = once("demo", build)
    copy = Installation(shared / f"demo-{worker_id}", free_port(), summary)
    subprocess.run(["cp", "--archive", original.home, copy.home], check=True)
    # Its own books, too: a test changes files, which the other process's tests read.
    with psycopg.connect(embedded.start(copy.home)) as conn:
        library = str(copy.home / "library")
        conn.execute(
            "update library.libraries set path = %s where path = %s", [library, str(original.home / "library")]
        )
    return copy


@pytest.fixture(scope="session")
def storefront(built: Installation) -> Iterator[Installation]:
    """The built demo, open, as `openshelf up` opens it."""
    process = subprocess.Popen([sys.executable, "-m", "openshelf", "up"], env=built.env)
    deadline = time.monotonic() + START_PATIENCE_S
    while not built.is_open():
        assert process.poll() is None, "the storefront did not start"
        assert time.monotonic() < deadline, "the storefront does not answer"
        time.sleep(0.2)
    yield built
    process.send_signal(signal.SIGINT)
    assert process.wait(START_PATIENCE_S) == 0


# Open from one module of these to the next, until other tests come: Playwright's loop would be in their way.
_until_others_come = contextlib.ExitStack()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Generator[None, None, None]:
    try:
        return (yield)
    finally:
        if nextitem is None or nextitem.path.parent != Path(__file__).parent:
            _until_others_come.close()


@functools.cache
def _opened() -> Browser:
    _until_others_come.callback(_opened.cache_clear)
    playwright = _until_others_come.enter_context(sync_playwright())
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
    _until_others_come.callback(browser.close)
    return browser


@functools.cache
def _been_here(url: str) -> BrowserContext:
    context = _opened().new_context(base_url=url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    # A tab that stays, so that the process in which the site's tabs are drawn does, with all that it has compiled.
    context.new_page().goto("/healthz")
    _until_others_come.callback(_been_here.cache_clear)
    return context


@pytest.fixture
def browser() -> Browser:
    if CHROMIUM is None:
        assert "CI" not in os.environ, "CI must have chromium: see the Makefile's target `browser`"
        pytest.skip("no chromium on this machine")
    return _opened()


@pytest.fixture
def one_browser(browser: Browser, storefront: Installation) -> BrowserContext:
    """A browser that has been here before: what pages are made of it need not fetch and compile for each test."""
    return _been_here(storefront.url)


@pytest.fixture
def page(one_browser: BrowserContext, storefront: Installation) -> Iterator[Page]:
    """A tab of that browser, which knows nobody."""
    page = one_browser.new_page()
    page.foreign = []  # type: ignore[attr-defined]
    page.on("request", lambda r: page.foreign.append(r.url) if _is_foreign(r.url, storefront.url) else None)  # type: ignore[attr-defined]
    yield page
    foreign = page.foreign  # type: ignore[attr-defined]
    kept = {"origin": storefront.url, "storageTypes": "local_storage,indexeddb,cache_storage,service_workers"}
    one_browser.new_cdp_session(page).send("Storage.clearDataForOrigin", kept)
    for tab in one_browser.pages[1:]:
        tab.close()
    one_browser.clear_cookies()
    assert foreign == [], "a page fetched something from elsewhere"


def _is_foreign(url: str, own: str) -> bool:
    """Chromium's own viewer of PDFs is an extension made of parts of the browser itself."""
    own_host = own.split("//")[1]
    return not re.match(rf"(https?|wss?)://{re.escape(own_host)}(/|$)|data:|blob:|chrome(-extension)?:", url)
