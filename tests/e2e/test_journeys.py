"""Whole journeys through the open library, one test each: who comes, what they do, what they find, what stays."""

import csv
import io
import json
import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from babel.messages.pofile import read_po
from browser_steps import (
    CHROMIUM,
    CHROMIUM_ARGS,
    MOVED_MS,
    PASSWORD,
    PATIENCE_MS,
    books_of,
    for_you,
    keep_history,
    new_name,
    press,
    register,
    settle,
    sign_in,
    sign_out,
    until,
)
from playwright.sync_api import Browser, Page, expect

from dashboard.language import LOCALES
from openshelf.database import embedded
from openshelf.folding import fold

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

MANY_BOOKS = 8


def rows(storefront, statement: str, *values: Any) -> list[tuple]:
    with psycopg.connect(embedded.start(storefront.home)) as conn:
        return conn.execute(statement, values).fetchall()


def acts_on(storefront, title: str, since: datetime) -> set[str]:
    """What the stream knows to have been done since then with works of this title."""
    stored = rows(
        storefront,
        "select distinct action from stream.acts join library.works using (book_id) "
        "where title = %s and occurred_at > %s",
        title,
        since,
    )
    return {action for (action,) in stored}


def place_of(storefront, username: str) -> tuple[str, int] | None:
    """Title and part where a reader was last."""
    kept = rows(
        storefront,
        "select title, part from reading.places join reading.accounts using (account_id) "
        "join library.works using (book_id) where username = %s",
        username,
    )
    return kept[0] if kept else None


def titles_on(page: Page) -> list[str]:
    return page.locator("li.os-card .os-title").all_inner_texts()


def test_a_parent_makes_a_childs_account_and_the_child_opens_no_book_for_adults(
    page: Page, browser: Browser, storefront
) -> None:
    (adult, title), (young, _young_title), (childrens, childrens_title) = (
        rows(
            storefront,
            "select book_id, title from library.works where active and audience = %s order by book_id limit 1",
            audience,
        )[0]
        for audience in ("adult", "young adult", "children")
    )
    register(page, new_name())
    page.goto("/account")
    page.get_by_text("Make an account for a child").click()
    form = page.locator("details[open] form")
    child = new_name()
    form.get_by_label("User name").fill(child)
    form.get_by_label("How we address the child").fill("Bo")
    form.get_by_label("Password", exact=True).fill(PASSWORD)
    form.get_by_label("The password again").fill(PASSWORD)
    form.get_by_label("May see").select_option("children")
    form.get_by_role("button", name="Make the account").click()
    expect(page.get_by_text("Your child can sign in with it now")).to_be_visible()

    context = browser.new_context(base_url=storefront.url)
    theirs = context.new_page()
    theirs.set_default_timeout(PATIENCE_MS)
    sign_in(theirs, child)
    for address in (f"/book?id={adult}", f"/read?id={adult}"):
        theirs.goto(address)
        expect(theirs.get_by_text("This book is not on our shelves").first).to_be_visible()
        expect(theirs.get_by_text(title, exact=True)).to_have_count(0)
    theirs.get_by_role("combobox", name="Search the library").fill(title)
    theirs.keyboard.press("Enter")
    expect(theirs.get_by_role("heading", name="Search results")).to_be_visible()
    expect(theirs.locator(f"li.os-card[data-book='{adult}']")).to_have_count(0)
    suggested = theirs.request.get("/suggest", params={"q": title}).json()["suggestions"]
    assert title not in [each["name"] for each in suggested]
    for address in (f"/api/works/{adult}", f"/covers/{adult}.jpg", f"/files/{adult}.epub", f"/opds/works/{adult}"):
        assert theirs.request.get(address).status == 404, address
    theirs.goto(f"/book?id={childrens}")
    expect(theirs.get_by_role("heading", name=childrens_title, level=1)).to_be_visible()
    theirs.goto(f"/book?id={young}")
    expect(theirs.get_by_text("This book is not on our shelves").first).to_be_visible()

    page.goto("/account")
    limit = page.locator("form[action$='/auth/child-limit']")
    limit.get_by_label("May see").select_option("young adult")
    limit.get_by_role("button").click()
    page.wait_for_url("**/account?done=limit")

    theirs.reload()
    expect(theirs.get_by_role("button", name="Want to read")).to_be_visible()
    theirs.goto(f"/book?id={adult}")
    expect(theirs.get_by_text("This book is not on our shelves").first).to_be_visible()
    context.close()
    page.goto(f"/book?id={adult}")
    expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()


SAID = """() => {
  const said = []
  const shown = node => node.checkVisibility?.({ checkVisibilityCSS: true }) ?? true
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement
    const isOurs = !node.closest("script, style, noscript, [lang=en], [hreflang]")
    if (isOurs && shown(node)) said.push(texts.currentNode.data)
  }
  for (const node of document.querySelectorAll("[aria-label], [placeholder], [title]"))
    if (!node.closest("[lang=en]"))
      for (const name of ["aria-label", "placeholder", "title"])
        if (node.hasAttribute(name)) said.push(node.getAttribute(name))
  said.push(document.title.split(" · ")[0])
  return said.map(each => each.trim().replace(/\\s+/g, " ")).filter(each => /[A-Za-z]{2}/.test(each))
}"""


def english_messages() -> list[re.Pattern]:
    """What our pages say in English where they say something else in Vietnamese; what is filled in is a gap."""
    with (LOCALES / "vi.po").open("rb") as file:
        catalogue = read_po(file, locale="vi")
    pairs = [
        (english, translated)
        for message in catalogue
        if message.id and message.string
        for english, translated in zip(
            [message.id] if isinstance(message.id, str) else message.id,
            [message.string] * 2 if isinstance(message.string, str) else [message.string[0]] * 2,
            strict=False,
        )
    ]
    return [
        re.compile("".join(".+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{\w+\})", said)))
        for said, translated in pairs
        if said != translated and len(re.findall(r"[a-z]{2,}", re.sub(r"\{\w+\}|<[^>]*>", "", said))) > 1
    ]


def assert_all_vietnamese(page: Page, english: list[re.Pattern]) -> None:
    assert page.evaluate("document.documentElement.lang") == "vi"
    for part in (".os-bar", ".os-footer", ":is(h1, h2)"):
        page.locator(part).first.wait_for()
    page.wait_for_timeout(500)
    said = page.evaluate(SAID)
    assert len(said) > 10, "the page says something"
    assert [each for each in said if any(message.fullmatch(each) for message in english)] == [], page.url


def test_a_vietnamese_reader_finds_and_reads_on_a_telephone(browser: Browser, storefront) -> None:
    english = english_messages()
    assert any(message.fullmatch("Search the library") for message in english)
    ((title,),) = rows(
        storefront,
        """select works.title
           from library.works join library.editions using (book_id) join library.files using (edition_id)
           where works.active and works.language = 'vie' and format = 'EPUB' and works.title ~ '[^ -~]'
           order by length(works.title) desc limit 1""",
    )
    typed = fold(title)
    assert typed != title
    assert typed.isascii()
    context = browser.new_context(
        base_url=storefront.url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto("/?lang=vi")
    for_you(page).first.wait_for()
    assert_all_vietnamese(page, english)

    box = page.get_by_role("combobox")
    box.tap()
    page.keyboard.type(typed)
    page.keyboard.press("Enter")
    page.wait_for_url("**/find*")
    found = page.locator("li.os-card").first
    expect(found.locator(".os-title")).to_have_text(title)
    assert_all_vietnamese(page, english)

    found.locator("a").tap()
    expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()
    assert_all_vietnamese(page, english)
    page.locator("a.os-primary").tap()
    text = page.locator(".os-text")
    expect(text).to_have_attribute("lang", "vi")
    assert len(text.inner_text()) > 100
    assert_all_vietnamese(page, english)

    for address in ("/register", "/mine", "/browse", "/privacy", "/librarian"):
        page.goto(address)
        assert_all_vietnamese(page, english)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


def test_nothing_of_a_visitor_is_left_at_a_shared_computer(browser: Browser, storefront, tmp_path: Path) -> None:
    """One browser with one profile folder, as at the library's desk: closed by the first, opened by the next."""

    def sit_down() -> tuple[Any, Page]:
        context = browser.browser_type.launch_persistent_context(
            tmp_path, executable_path=CHROMIUM, args=CHROMIUM_ARGS, base_url=storefront.url
        )
        context.set_default_timeout(PATIENCE_MS)
        return context, context.pages[0]

    began_at = datetime.now(UTC)
    context, page = sit_down()
    page.goto("/")
    settle(page)
    before = books_of(page)
    passed_over = press(page, 0, "Not now")
    expect(page.locator(f"section.os-slate li.os-card[data-book='{passed_over}']")).to_have_count(0, timeout=MOVED_MS)
    assert books_of(page) != before
    page.goto("/find?q=sherlock&readable=yes")
    page.locator("li.os-card").first.wait_for()
    liked = titles_on(page)[0]
    page.locator("li.os-card a").first.click()
    page.get_by_role("heading", name=liked, level=1).wait_for()
    page.get_by_role("button", name="Like", exact=True).click()
    page.get_by_role("link", name="Read now").click()
    page.get_by_role("link", name="Next").click()
    page.locator(".os-text").wait_for()
    # What a page that is loaded anew knows of a visitor comes from the stream.
    assert until(lambda: {"like", "read"} <= acts_on(storefront, liked, began_at)), (
        "the like is not lost, however soon one goes on"
    )
    page.goto("/")
    page.get_by_role("heading", name=f"Because you liked {liked}").wait_for()
    page.get_by_role("heading", name="Continue reading").wait_for()
    visit = next(each["value"] for each in context.cookies() if each["name"] == "openshelf_visit")
    context.close()

    context, page = sit_down()
    page.goto("/")
    settle(page)
    expect(page.get_by_role("heading", name="Continue reading")).to_have_count(0)
    expect(page.get_by_text("Because you liked")).to_have_count(0)
    assert visit not in [each["value"] for each in context.cookies()]
    assert page.evaluate("JSON.stringify({ ...localStorage, ...sessionStorage })").find(liked) < 0
    assert page.evaluate("localStorage.getItem('openshelf.places')") is None
    page.goto("/mine")
    expect(page.get_by_text("These shelves last as long as this visit")).to_be_visible()
    assert liked not in titles_on(page)
    page.goto("/find")
    expect(page.get_by_role("combobox")).to_have_value("")
    context.close()
    ((key,),) = rows(
        storefront,
        "select reader_key from stream.interactions where book_id = %s and action = 'skip' "
        "order by stored_at desc limit 1",
        int(passed_over),
    )
    assert key.startswith("s_"), "the visit's own key, tied to nobody"


def test_a_returning_reader_goes_on_where_they_stopped(page: Page, browser: Browser, storefront) -> None:
    began_at = datetime.now(UTC)
    username = new_name()
    register(page, username)
    keep_history(page)
    page.goto("/find?q=sherlock&language=eng&format=EPUB")
    page.locator("li.os-card").first.wait_for()
    title = titles_on(page)[0]
    page.locator("li.os-card a").first.click()
    page.get_by_role("heading", name=title, level=1).wait_for()
    page.get_by_role("link", name="Read now").click()
    page.get_by_role("link", name="Next").click()
    page.locator(".os-quiet", has_text="Part 2 of 3").wait_for()
    assert until(lambda: place_of(storefront, username) == (title, 2)), "a place is sent at most so often"
    assert until(lambda: "read" in acts_on(storefront, title, began_at))
    page.goto("/")
    sign_out(page)

    context = browser.new_context(base_url=storefront.url)
    later = context.new_page()
    later.set_default_timeout(PATIENCE_MS)
    sign_in(later, username)
    going_on = later.locator("section.os-shelf", has=later.get_by_role("heading", name="Continue reading"))
    going_on.get_by_role("link", name=title).first.click()
    later.get_by_role("link", name="Read now").click()
    later.locator(".os-quiet", has_text="Part 2 of 3").wait_for()

    later.goto("/history")
    expect(later.locator(".os-ledger").get_by_text(title)).to_be_visible()
    answer = later.request.get("/your-data/export")
    assert answer.status == 200
    with zipfile.ZipFile(io.BytesIO(answer.body())) as taken:
        kept = {name: taken.read(name).decode("utf-8", "replace") for name in taken.namelist()}
    assert title in json.dumps(kept, ensure_ascii=False)
    assert username in json.dumps(kept, ensure_ascii=False)
    context.close()


def test_books_brought_from_elsewhere_move_the_row_and_are_not_recommended(page: Page, storefront) -> None:
    """From the file through the page, the log and the dataflow to the first row."""
    brought = rows(
        storefront,
        """select works.book_id, title, authors_text from library.works
           join library.work_subjects using (book_id) join library.subjects using (subject_id)
           where active and name ilike 'philosophy' and language = 'eng' and authors_text <> ''
           order by works.book_id limit %s""",
        MANY_BOOKS,
    )
    assert len(brought) == MANY_BOOKS
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(
        ["Book Id", "Title", "Author", "ISBN", "ISBN13", "My Rating", "Date Read", "Bookshelves", "Exclusive Shelf"]
    )
    for number, (_book_id, title, authors) in enumerate(brought):
        author = authors.split(",")[0].split(" and ")[0]
        writer.writerow([number, title, author, '=""', '=""', 5, f"2025/03/{number + 1:02}", "read", "read"])

    register(page, new_name())
    keep_history(page)
    page.goto("/")
    settle(page)
    before = books_of(page)
    page.goto("/import")
    page.get_by_label("Choose a file").set_input_files(
        {"name": "goodreads_library_export.csv", "mimeType": "text/csv", "buffer": file.getvalue().encode()}
    )
    expect(page.get_by_role("heading", name=f"{MANY_BOOKS} books are in the library")).to_be_visible()
    page.get_by_role("button", name=f"Take over {MANY_BOOKS} books").click()
    expect(page.get_by_text(f"{MANY_BOOKS} books are on your shelves now.")).to_be_visible()

    page.goto("/")
    page.locator("section.os-slate .os-reason", has_text="Because you rated").first.wait_for(timeout=MOVED_MS)
    settle(page)
    after = books_of(page)
    assert set(after) != set(before)
    assert not {int(book) for book in after} & {book_id for book_id, *_ in brought}, "what was read is not recommended"
