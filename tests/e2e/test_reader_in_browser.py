"""What a reader does in a real browser: sign in, open a book, like it, see the row move; staff then see the act."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime

import psutil
import psycopg
import pytest
from browser_steps import MOVED_MS, PATIENCE_MS, SLATE, books_of, for_you, press, settle, sign_in_demo, until
from playwright.sync_api import Browser, Page, expect

from openshelf.database import embedded

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_a_click_moves_the_recommendations_and_staff_see_the_act(page: Page, browser: Browser, storefront) -> None:
    sign_in_demo(page, "Mai Trần")
    settle(page)
    before = books_of(page)
    assert len(before) == 12
    liked = for_you(page).nth(1)
    book_id = int(liked.get_attribute("data-book") or 0)
    began_at = datetime.now(UTC)  # a test before this one may have opened the same book as somebody else

    liked.get_by_role("link").click()
    page.get_by_role("button", name="Like", exact=True).click()
    expect(page.get_by_role("button", name="Like", exact=True)).to_have_attribute("aria-pressed", "true")
    page.get_by_role("link", name="For you").click()

    page.wait_for_function(
        f"before => {SLATE}.length >= 10 && {SLATE}.join() !== before",
        arg=",".join(before),
        timeout=MOVED_MS,
    )
    assert str(book_id) not in books_of(page), "what was met is not recommended again"
    reasons = page.locator("section.os-slate .os-reason").all_inner_texts()
    assert len(reasons) == len(books_of(page)), "every book says why it is there"

    built = storefront.run("warehouse", "build")
    assert built.returncode == 0, built.stderr
    with psycopg.connect(embedded.start(storefront.home)) as conn:
        acts = conn.execute(
            "select action, slate_id is not null, position from marts.fct_interactions "
            "where book_id = %s and action in ('open', 'like') and occurred_at > %s",
            [book_id, began_at],
        ).fetchall()
    assert sorted(acts) == [("like", True, 1), ("open", True, 1)], "both answer the place the book was found at"

    staff = browser.new_context(base_url=storefront.url).new_page()
    staff.set_default_timeout(PATIENCE_MS)
    sign_in_demo(staff, "Lena Hart")
    staff.get_by_role("link", name="For staff").click()
    expect(staff.get_by_role("heading", name="Is it good?")).to_be_visible()
    expect(staff.locator("[data-testid=stVegaLiteChart]").first).to_be_visible()
    expect(staff.get_by_text("Traceback")).to_have_count(0)
    staff.context.close()


def test_reading_to_the_end_is_recorded_and_answers_the_search_that_found_it(page: Page, storefront) -> None:
    sign_in_demo(page, "Jonas Weber")
    page.goto("/find?q=the&format=EPUB")
    page.locator("li.os-card a").first.click()
    page.get_by_role("link", name="Read now").click()
    for chapter in (2, 3):
        page.get_by_role("link", name="Next").click()
        page.locator(".os-quiet", has_text=f"Part {chapter} of 3").wait_for()

    page.get_by_role("button", name="I have read it").click()

    expect(page.get_by_role("button", name="You have read it")).to_be_visible()
    with psycopg.connect(embedded.start(storefront.home)) as conn:
        acts = conn.execute(
            "select act ->> 'action', act ->> 'surface' from stream.event_log "
            "cross join lateral (select convert_from(payload, 'UTF8')::jsonb as act) as decoded "
            "where act ->> 'action' <> 'show' order by appended_at desc limit 3"
        ).fetchall()
    assert acts == [("finish", "search"), ("read", "search"), ("open", "search")]


def test_a_like_on_a_card_moves_the_row_by_itself(page: Page) -> None:
    sign_in_demo(page, "Tom Okafor")
    settle(page)
    before = books_of(page)

    press(page, 2, "Like")

    page.wait_for_function(
        f"before => {SLATE}.join() !== before",
        arg=",".join(before),
        timeout=MOVED_MS,
    )


def who_skipped(storefront, book: str) -> str:
    """The reader_key of the last whom the stream knows to have passed over a book; '' before there is one."""
    with psycopg.connect(embedded.start(storefront.home)) as conn:
        row = conn.execute(
            "select reader_key from stream.interactions where action = 'skip' and book_id = %s "
            "order by stored_at desc limit 1",
            [int(book)],
        ).fetchone()
    return row[0] if row else ""


def test_someone_without_an_account_has_a_living_row_and_leaves_no_person(page: Page, storefront) -> None:
    page.goto("/")
    settle(page)

    skipped = press(page, 0, "Not now")

    page.wait_for_function(
        "skipped => !document.querySelector(`section.os-slate li.os-card[data-book='${skipped}']`)",
        arg=skipped,
        timeout=MOVED_MS,
    )
    assert until(lambda: who_skipped(storefront, skipped).startswith("s_")), "the session's own key, tied to nobody"


@contextlib.contextmanager
def paused(process: psutil.Process) -> Iterator[None]:
    """A process and those below it stand still, as on a machine that has too much to do."""
    processes = [process, *process.children(recursive=True)]
    for each in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.suspend()
    try:
        yield
    finally:
        for each in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.resume()


def server_of(storefront) -> psutil.Process:
    for process in psutil.process_iter(["cmdline"]):
        with contextlib.suppress(psutil.Error):
            is_streamlit = "streamlit" in (process.info["cmdline"] or [])
            if is_streamlit and process.environ().get("OPENSHELF_HOME") == str(storefront.home):
                return process
    raise AssertionError("there is no storefront")


def acts_in_log(storefront, books: list[str], since: datetime) -> list[tuple[str, str]]:
    with psycopg.connect(embedded.start(storefront.home)) as conn:
        return conn.execute(
            "select act ->> 'action', act ->> 'book_id' from stream.event_log "
            "cross join lateral (select convert_from(payload, 'UTF8')::jsonb as act) as decoded "
            "where act ->> 'book_id' = any(%s) and act ->> 'action' in ('like', 'want') and appended_at > %s "
            "order by appended_at, log_offset",
            [books, since],
        ).fetchall()


def test_nothing_that_is_done_on_a_busy_server_is_lost(page: Page, storefront) -> None:
    began_at = datetime.now(UTC)  # tests before this one like books, too
    page.goto("/")
    settle(page)
    database = embedded.postmaster(storefront.home)
    assert database
    with paused(database):
        page.wait_for_timeout(1_500)  # by now the row is being looked at anew, which waits
        done = [("like", press(page, 3, "Like")), ("want", press(page, 4, "Want")), ("like", press(page, 5, "Like"))]

    books = [book for _action, book in done]
    assert until(lambda: len(acts_in_log(storefront, books, began_at)) >= 3)
    page.wait_for_timeout(1_000)
    assert acts_in_log(storefront, books, began_at) == done, "each once"

    page.goto("/find?q=sherlock&readable=yes")
    page.locator("li.os-card a").first.click()
    page.get_by_role("link", name="Read now").wait_for()
    book = page.url.split("id=")[1].split("&")[0]
    with paused(server_of(storefront)):
        page.get_by_role("button", name="Like", exact=True).click()
        page.get_by_role("link", name="Read now").click()
        page.wait_for_timeout(500)
    page.locator(".os-text").wait_for()
    assert acts_in_log(storefront, [book], began_at) == [("like", book)], "one may go on at once"


def test_a_reader_is_not_let_onto_the_staff_page(page: Page) -> None:
    sign_in_demo(page, "Mai Trần")

    page.goto("/quality")

    expect(page.locator("[data-testid=stVegaLiteChart]")).to_have_count(0)
    expect(page.get_by_role("heading", name="Is it good?")).to_have_count(0)
