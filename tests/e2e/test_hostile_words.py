"""Titles, blurbs, names and queries that try to be programs: they are shown as they are written, and nothing runs.

That nothing leaves our own origin, the fixture `page` sees to, for this test as for all.
"""

import re
import uuid
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from playwright.sync_api import Page, expect

from openshelf.database import embedded

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ELSEWHERE = "http://elsewhere.test"
HOSTILE = [
    "<script>window.ran = 1</script>",
    "<img src=x onerror='window.ran = 1'>",
    f"<iframe srcdoc=\"<script>parent.ran = 1; fetch('{ELSEWHERE}')</script>\"></iframe>",
    "[a link](javascript:window.ran=1)",
    f"![a picture]({ELSEWHERE}/x.png)",
    f"<form action='{ELSEWHERE}'><input autofocus onfocus='window.ran=1'></form>",
    f"<style>@import '{ELSEWHERE}/x.css'; * {{ background: url({ELSEWHERE}/y.png) }}</style>",
    "\"><svg onload='window.ran=1'>",
    "{{7*7}} ${7*7} `x` $$x$$ :red[x]",
]
PASSWORD = "a lamp by the window"


@pytest.fixture
def hostile_work(storefront) -> Iterator[int]:
    """A work whose every word is hostile; what it was is put back."""
    words = " ".join(HOSTILE)
    with psycopg.connect(embedded.start(storefront.home), autocommit=True) as conn:
        row = conn.execute(
            "select book_id, title, authors_text, summary, folded from library.works where active order by title_sort "
            "limit 1"
        ).fetchone()
        assert row
        book_id, *was = row
        change = "update library.works set title = %s, authors_text = %s, summary = %s, folded = %s where book_id = %s"
        conn.execute(change, [words, words, words, was[3], book_id])
        try:
            yield book_id
        finally:
            conn.execute(change, [*was, book_id])


def assert_calm(page: Page) -> None:
    page.wait_for_timeout(700)
    assert page.evaluate("window.ran") is None, "something ran"
    assert page.locator("main iframe[srcdoc], main svg[onload], main img[src=x]").count() == 0
    expect(page.locator("[data-testid=stException]")).to_have_count(0)


def test_a_hostile_record_is_only_words(page: Page, storefront, hostile_work: int) -> None:
    # Pages remember records for a minute: one that nobody has opened is read anew.
    page.goto(f"/book?id={hostile_work}&from=browse")
    page.locator("h1").first.wait_for()
    assert_calm(page)

    page.goto("/browse?sort=title&page=1")
    page.locator("li.os-card").first.wait_for()
    assert_calm(page)


def test_hostile_queries_are_only_words(page: Page) -> None:
    """One after the other, in the box of the page that the one before it led to."""
    page.goto("/")
    search = page.locator("input[name=q]")
    for query in HOSTILE:
        search.fill(query)
        assert_calm(page)  # suggestions
        search.press("Enter")
        page.wait_for_url(lambda url, query=query: parse_qs(urlsplit(url).query).get("q") == [query])
        # What was found for the one before stands there until the server has answered.
        expect(page).to_have_title(re.compile(re.escape(query[:20])))
        page.locator("h1").first.wait_for()

        assert_calm(page)
        expect(page.locator("input[name=q]")).to_have_value(query)


def test_a_hostile_name_is_only_words(page: Page) -> None:
    page.goto("/register")
    page.get_by_label("User name").fill(f"reader-{uuid.uuid4().hex[:8]}")
    page.get_by_label("How we address you").fill(HOSTILE[1])
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The password again").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    page.wait_for_url("**/welcome")
    page.locator(".os-bar").wait_for()

    assert_calm(page)
    expect(page.locator(".os-account-name")).to_contain_text("<img src=x")


def test_the_librarian_repeats_hostile_words_as_words(page: Page) -> None:
    page.goto("/librarian")
    box = page.locator("textarea, input[type=text]").last
    box.fill("books like " + " ".join(HOSTILE[:4]))
    box.press("Enter")
    page.wait_for_timeout(4_000)

    assert_calm(page)
