"""What a newcomer waits for: seconds to the first page, to the second start, and of a warm page in a browser.

python benchmarks/demo.py [--quick] [--json]     (`--quick` is accepted for symmetry; the run is one run)
"""

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

PATIENCE_S = 600
PAGE_VISITS = 9
# After a start the storefront still loads the encoder of searches beside serving pages.
WARM_UP_S = 10


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_open(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"the demo ended with exit code {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SystemExit(f"no page within {PATIENCE_S} s")


@contextmanager
def demo(home: Path, port: int):
    """Run `openshelf demo` and yield the seconds until its first page answered."""
    env = os.environ | {"OPENSHELF_HOME": str(home), "OPENSHELF_PORT": str(port)}
    begun = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "openshelf", "demo"], env=env, stdout=subprocess.DEVNULL)
    try:
        wait_until_open(f"http://127.0.0.1:{port}/healthz", process)
        yield time.monotonic() - begun
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def warm_pages_s(port: int) -> list[float] | None:
    """Seconds from navigation until covers stand on the home page, warm; None without Chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        return None
    from playwright.sync_api import sync_playwright

    time.sleep(WARM_UP_S)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
        )
        page = browser.new_page()
        seconds = []
        for _ in range(PAGE_VISITS + 1):
            begun = time.monotonic()
            page.goto(f"http://127.0.0.1:{port}/")
            page.locator("img[src*='/covers/']").first.wait_for(timeout=60_000)
            seconds.append(time.monotonic() - begun)
        browser.close()
    return seconds[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    home, port = Path(tempfile.mkdtemp(prefix="openshelf-bench-")), free_port()
    try:
        with demo(home, port) as first_page_s:
            pages = warm_pages_s(port)
        with demo(home, port) as second_start_s:
            pass
    finally:
        shutil.rmtree(home, ignore_errors=True)
    result = {
        "first_page_s": round(first_page_s, 1),
        "second_start_s": round(second_start_s, 1),
        "warm_page_s": round(statistics.median(pages), 2) if pages else None,
    }
    print(json.dumps(result) if as_json else "\n".join(f"{key}: {value}" for key, value in result.items()))


if __name__ == "__main__":
    main()
