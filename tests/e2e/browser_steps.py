"""What people do in a browser, step by step, for the end-to-end tests."""

import contextlib
import re
import shutil
import time
import uuid
from collections.abc import Callable

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Locator, Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHROMIUM_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
# Half of what a page costs is a process that begins and compiles it anew.
CHROMIUM_ARGS += ["--process-per-site"]
PATIENCE_MS = 60_000
# An act's answer is to be seen within a second; a busy test machine gets more.
MOVED_MS = 20_000
PASSWORD = "a lamp by the window"
SLATE = "[...document.querySelectorAll('section.os-slate li.os-card')].map(card => card.dataset.book)"


def new_name() -> str:
    return f"reader-{uuid.uuid4().hex[:8]}"


def register(page: Page, username: str, *, shared: bool = False) -> None:
    """Make an account; ends at the choice of first books."""
    page.goto("/register")
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The password again").fill(PASSWORD)
    if shared:
        page.get_by_label("This is a shared computer").check()
    page.get_by_role("button", name="Make the account").click()
    page.wait_for_url("**/welcome")
    page.locator(".os-pick").first.wait_for()


def send_sign_in(page: Page, username: str, password: str = PASSWORD) -> None:
    """Fill in the form and send it, whatever comes of it."""
    page.goto("/sign_in")
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def sign_in(page: Page, username: str, password: str = PASSWORD) -> None:
    send_sign_in(page, username, password)
    page.locator(".os-account").wait_for()


def sign_in_demo(page: Page, name: str) -> None:
    """Come in as one of the demo's readers; ends at the first page with its row."""
    page.goto("/sign_in")
    page.get_by_role("button", name=name).click()
    page.wait_for_url(re.compile(r"/$"))
    for_you(page).first.wait_for()


def sign_out(page: Page) -> None:
    page.locator(".os-account summary").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.locator(".os-sign-in").wait_for()


def keep_history(page: Page) -> None:
    """Turn the history on, until the reader deletes it."""
    page.goto("/your_data")
    form = page.locator("form[action$='/your-data/keep']")
    form.get_by_label("Keep a history of what I do").select_option("always")
    form.get_by_role("button").click()
    page.wait_for_url("**/your_data?done=kept")


def at_rest(page: Page) -> None:
    """Wait until nothing that moves or fades is still on its way."""
    page.wait_for_timeout(300)
    page.wait_for_function(
        # A function: a bare expression is evaluated anew for each look, which our pages forbid (unsafe-eval).
        "() => document.getAnimations().every(each => each.playState !== 'running' "
        "|| each.effect.getComputedTiming().iterations === Infinity)"
    )


def for_you(page: Page) -> Locator:
    """The cards of the For-you row."""
    return page.locator("section.os-slate li.os-card")


def books_of(page: Page) -> list[str]:
    return for_you(page).evaluate_all("cards => cards.map(card => card.dataset.book)")


def settle(page: Page) -> None:
    """Wait until the row stands still: a visit moves it once by itself, and a hand follows where a test cannot."""
    page.locator("section.os-slate .os-reason").first.wait_for()
    before: list[str] = []
    while (now := books_of(page)) != before:
        before = now
        page.wait_for_timeout(2_000)


def press(page: Page, place: int, label: str) -> str:
    """Press the button of the card that stands at a place, which slides in under the pointer; the book's key."""
    for _ in range(5):
        book = books_of(page)[place]
        card = page.locator(f"section.os-slate li.os-card[data-book='{book}']")  # though the row may move meanwhile
        with contextlib.suppress(PlaywrightError):
            page.mouse.move(0, 0)
            card.hover(timeout=5_000)
            page.wait_for_timeout(500)
            card.get_by_role("button", name=re.compile(f"^{label}")).click(timeout=5_000)
            return book
    raise AssertionError(f"the button {label!r} never stood still")


def until(found: Callable[[], bool], seconds: float = PATIENCE_MS / 1_000, every: float = 0.2) -> bool:
    """Whether it came to be so, while one waited."""
    deadline = time.monotonic() + seconds
    while not found():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True
