"""One whole installation for the end-to-end tests: built, proven and opened by the commands a person runs."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from browser_steps import CHROMIUM, CHROMIUM_ARGS, PATIENCE_MS
from playwright.sync_api import Browser, Page, expect, sync_playwright

from openshelf.database import embedded

BUILD_PATIENCE_S = 400
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


@pytest.fixture(scope="session")
def built() -> Iterator[Installation]:
    """A demo built and checked by `openshelf demo --check`, closed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    installation = Installation(Path(tempfile.mkdtemp(prefix="openshelf-e2e-")), port)
    done = installation.run("demo", "--check", "--json", "--readers", SIMULATED_READERS)
    assert done.returncode == 0, done.stderr[-3000:]
    installation.summary = json.loads(done.stdout)
    yield installation
    embedded.stop(installation.home)  # this process may hold it too, and would find no folder at its end
    shutil.rmtree(installation.home, ignore_errors=True)


@pytest.fixture(scope="session")
def storefront(built: Installation) -> Iterator[Installation]:
    """The built demo, open, as `openshelf up` opens it."""
    process = subprocess.Popen([sys.executable, "-m", "openshelf", "up"], env=built.env)
    deadline = time.monotonic() + 90
    while not built.is_open():
        assert process.poll() is None, "the storefront did not start"
        assert time.monotonic() < deadline, "the storefront does not answer"
        time.sleep(0.2)
    yield built
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        assert "CI" not in os.environ, "CI must have chromium: see the Makefile's target `browser`"
        pytest.skip("no chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, storefront) -> Iterator[Page]:
    context = browser.new_context(base_url=storefront.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    page = context.new_page()
    page.foreign = []  # type: ignore[attr-defined]
    page.on("request", lambda r: page.foreign.append(r.url) if _is_foreign(r.url, storefront.url) else None)  # type: ignore[attr-defined]
    yield page
    assert page.foreign == [], "a page fetched something from elsewhere"  # type: ignore[attr-defined]
    context.close()


def _is_foreign(url: str, own: str) -> bool:
    own_host = own.split("//")[1]
    return not re.match(rf"(https?|wss?)://{re.escape(own_host)}(/|$)|data:|blob:", url)
