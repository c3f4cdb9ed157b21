"""Reading in a real browser: place, looks, keys, voice; what a hostile book cannot do; lists made and undone."""

import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest
from browser_steps import PATIENCE_MS, sign_in_demo, until
from PIL import Image
from playwright.sync_api import Page, expect
from small_epub import epub_bytes
from small_pdf import pdf_bytes

from openshelf.database import embedded

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

PARAGRAPHS = "".join(
    f'<p id="p{n}">Paragraph {n}. {"The tide came in and went out again. " * 12}</p>' for n in range(40)
)
HOSTILE = (
    '<h1>Hostile</h1><script>window.harmed = 1</script><p onclick="window.harmed = 2">Click me</p>'
    '<img src="x" onerror="window.harmed = 3"/><img src="http://127.0.0.1:9/pixel.png" alt="[a pixel]"/>'
    '<svg onload="window.harmed = 4"><script>window.harmed = 5</script></svg><iframe src="http://127.0.0.1:9/"></iframe>'
    '<a href="javascript:window.harmed = 6">A trap</a><a href="http://127.0.0.1:9/leave">Leave</a>'
    '<style>body { display: none }</style><link rel="stylesheet" href="http://127.0.0.1:9/x.css"/>'
    '<form action="http://127.0.0.1:9/"><input name="q"/></form><p>&lt;b&gt;not bold&lt;/b&gt;</p>'
)
VOICES = """
    window.said = [];
    class Utterance { constructor(text) { this.text = text } }
    window.SpeechSynthesisUtterance = Utterance;
    Object.defineProperty(window, "speechSynthesis", { value: {
      getVoices: () => [
        { lang: "en-GB", localService: false, name: "far" },
        { lang: "en-US", localService: true, name: "near" },
      ],
      speak: said => {
        window.said.push([said.text, said.voice.name, said.lang])
        setTimeout(() => said.onend?.(), 20)
      },
      cancel: () => { window.cancelled = true },
    } });
"""


@dataclass
class Books:
    """Works of the demo whose files a test has changed."""

    text: int
    hostile: int
    pdf: int
    pdf_path: Path


@pytest.fixture(scope="module")
def books(storefront) -> Iterator[Books]:
    """A long book, a hostile one and a PDF in the place of three English samples; put back at the end."""
    picture = io.BytesIO()
    Image.new("RGB", (400, 300), "#1e5945").save(picture, "PNG")
    page = io.BytesIO()
    scanned = Image.new("RGB", (300, 400), "white")
    scanned.save(page, "PDF", save_all=True, append_images=[scanned, scanned])
    long = epub_bytes(
        f'<h1>First</h1>{PARAGRAPHS}<p><a href="c1.xhtml#note">A note</a></p>',
        f'<h1>Second</h1>{PARAGRAPHS}<p id="note">The note itself.</p><p><img src="../map.png" alt="A map"/></p>',
        pictures={"map.png": picture.getvalue()},
    )
    with psycopg.connect(embedded.start(storefront.home), autocommit=True) as conn:
        rows = conn.execute(
            """select works.book_id, libraries.path || '/' || files.path, files.path
               from library.works join library.editions using (book_id) join library.files using (edition_id)
               join library.libraries using (library_id)
               where files.format = 'EPUB' and works.active and works.language = 'eng' order by works.book_id limit 3"""
        ).fetchall()
        kept = {path: Path(path).read_bytes() for _book_id, path, _relative in rows}
        (text, text_path, _), (hostile, hostile_path, _), (pdf, pdf_path, relative) = rows
        Path(text_path).write_bytes(long)
        Path(hostile_path).write_bytes(epub_bytes(HOSTILE))
        Path(pdf_path).write_bytes(page.getvalue())
        conn.execute("update library.files set format = 'PDF' where path = %s and format = 'EPUB'", [relative])
        yield Books(text, hostile, pdf, Path(pdf_path))
        conn.execute("update library.files set format = 'EPUB' where path = %s and format = 'PDF'", [relative])
    for path, content in kept.items():
        Path(path).write_bytes(content)


@contextlib.contextmanager
def lent(path: Path, content: bytes) -> Iterator[None]:
    """Another file in the place of one, for a while."""
    kept = path.read_bytes()
    path.write_bytes(content)
    yield
    path.write_bytes(kept)


def open_book(page: Page, book_id: int, chapter: int | None = None) -> None:
    page.goto(f"/read?id={book_id}" + (f"&chapter={chapter}" if chapter else ""))
    page.locator(".os-text").wait_for()
    page.wait_for_timeout(500)


def scroll_to(page: Page, paragraph: int) -> None:
    page.locator(f'[data-anchor="p{paragraph}"]').evaluate("node => node.scrollIntoView({ block: 'start' })")


def is_kept_in_tab(page: Page, book_id: int, part: int, paragraph: int) -> None:
    """Wait until the tab knows that the reader is at this paragraph; a heading stands before the first."""
    page.wait_for_function(
        "([book, part, block]) => { const at = JSON.parse(sessionStorage.getItem('openshelf.places'))?.[book];"
        " return at?.part === part && at.block === block }",
        arg=[book_id, part, paragraph + 1],
    )


def is_on_top(page: Page, paragraph: int) -> None:
    """Wait until it is: it is gone to once more when the letters are there."""
    page.wait_for_function(
        "paragraph => { const node = document.querySelector(`[data-anchor='p${paragraph}']`);"
        " return node && Math.abs(node.getBoundingClientRect().top"
        " - document.querySelector('.os-reading-head').getBoundingClientRect().bottom) < 90 }",
        arg=paragraph,
    )


def kept_places(storefront) -> list[tuple]:
    with psycopg.connect(embedded.start(storefront.home)) as conn:
        return conn.execute("select book_id, part, block, progress from reading.places").fetchall()


PLACES = "JSON.parse(localStorage.getItem('openshelf.places'))"


def test_a_visitors_place_is_kept_in_their_tab_and_in_their_browser_only_when_told(
    page: Page, storefront, books: Books
) -> None:
    before = kept_places(storefront)
    open_book(page, books.text)
    scroll_to(page, 20)
    is_kept_in_tab(page, books.text, 1, 20)

    page.reload()
    page.locator(".os-text").wait_for()
    is_on_top(page, 20)

    open_book(page, books.text, 2)
    scroll_to(page, 9)
    is_kept_in_tab(page, books.text, 2, 9)
    open_book(page, books.text)  # without a part in the address: where one was
    page.wait_for_function("() => location.search.includes('chapter=2')")
    expect(page.locator(".os-text")).to_contain_text("Second")
    assert page.evaluate(PLACES) is None, "the next person at this computer finds nothing"
    next_tab = page.context.new_page()
    open_book(next_tab, books.text)
    expect(next_tab.locator(".os-text")).to_contain_text("First")
    next_tab.close()

    page.get_by_label("Text and colours").first.click()
    page.get_by_label("Remember in this browser").check()
    assert page.evaluate(PLACES)[str(books.text)]["part"] == 2
    next_tab = page.context.new_page()
    open_book(next_tab, books.text)
    next_tab.wait_for_function("() => location.search.includes('chapter=2')")
    next_tab.close()
    assert kept_places(storefront) == before

    page.get_by_label("Remember in this browser").uncheck()
    assert page.evaluate(PLACES) is None


def test_who_keeps_a_history_goes_on_at_another_computer(page: Page, browser, storefront, books: Books) -> None:
    sign_in_demo(page, "Mai Trần")
    open_book(page, books.text, 2)
    scroll_to(page, 12)
    assert until(lambda: (books.text, 2, 13) in [row[:3] for row in kept_places(storefront)])
    assert page.evaluate("localStorage.getItem('openshelf.places')") is None

    other = browser.new_context(base_url=storefront.url, viewport={"width": 1280, "height": 900}).new_page()
    other.set_default_timeout(PATIENCE_MS)
    sign_in_demo(other, "Mai Trần")
    open_book(other, books.text)

    expect(other.locator(".os-text")).to_contain_text("Second")
    is_on_top(other, 12)
    other.context.close()


def test_the_whole_of_reading_works_from_the_keyboard(page: Page, books: Books) -> None:
    open_book(page, books.text, 1)
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => location.search.includes('chapter=2')")
    expect(page.locator(".os-text")).to_contain_text("Second")
    assert page.evaluate("document.activeElement.classList.contains('os-text')"), "the focus is on the text"
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".os-text")).to_contain_text("First")

    contents = page.locator(".os-reading-list > summary")
    contents.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Second"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY", "closed, and the focus is back"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".os-text")).to_contain_text("Second")


def test_links_and_pictures_of_the_book_work(page: Page, books: Books) -> None:
    open_book(page, books.text, 1)

    page.get_by_role("link", name="A note").click()
    page.wait_for_function("() => location.search.includes('chapter=2')")

    expect(page.locator('[data-anchor="note"]')).to_be_in_viewport()
    picture = page.get_by_role("img", name="A map")
    picture.scroll_into_view_if_needed()
    page.wait_for_function(
        "() => [...document.querySelectorAll('.os-text img')].every(i => i.complete && i.naturalWidth)"
    )


def test_how_the_text_looks_is_remembered(page: Page, books: Books) -> None:
    open_book(page, books.text, 1)
    size = "parseFloat(getComputedStyle(document.querySelector('.os-text p')).fontSize)"
    before = page.evaluate(size)
    page.get_by_label("Text and colours").first.click()
    page.get_by_role("button", name="Larger text").click()
    page.get_by_role("radio", name="Sans serif").check()
    page.get_by_role("radio", name="Wide").check()
    page.get_by_role("radio", name="Dark", exact=True).check()

    page.reload()
    page.locator(".os-text").wait_for()

    assert page.evaluate(size) > before
    looks = page.locator(".os-reading").evaluate("node => ({ ...node.dataset })")
    assert (looks["font"], looks["spacing"], looks["theme"]) == ("sans", "wide", "dark")
    expect(page.locator('[data-testid="stApp"]')).to_have_css("background-color", "rgb(16, 18, 21)")


def test_it_is_read_aloud_by_voices_of_this_browser_only(page: Page, books: Books) -> None:
    page.add_init_script(VOICES)
    open_book(page, books.text, 1)

    page.get_by_role("button", name="Listen").click()
    page.wait_for_function("() => window.said.length > 6")
    page.get_by_role("button", name="Stop").click()

    said = page.evaluate("window.said")
    assert said[0][0] == "First"
    assert {(voice, lang) for _text, voice, lang in said} == {("near", "en")}
    assert page.evaluate("window.cancelled")
    expect(page.get_by_role("button", name="Listen")).to_have_attribute("aria-pressed", "false")
    expect(page.locator(".os-spoken")).to_have_count(0)


def test_without_a_voice_of_its_own_a_browser_is_not_offered_listening(page: Page, books: Books) -> None:
    page.add_init_script(VOICES.replace("localService: true", "localService: false"))
    open_book(page, books.text, 1)

    expect(page.get_by_role("button", name="Listen")).to_have_count(0)


def test_nothing_in_a_hostile_book_runs_or_leaves(page: Page, books: Books) -> None:
    """That nothing was fetched from elsewhere is what the page fixture sees to at its end."""
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    open_book(page, books.hostile)

    page.get_by_text("Click me").click()
    page.get_by_text("A trap").click()
    page.get_by_text("Leave").click()
    page.wait_for_timeout(500)

    assert page.evaluate("window.harmed") is None
    assert dialogs == []
    expect(page.locator(".os-text :is(script, iframe, form, style, svg, link, object)")).to_have_count(0)
    expect(page.locator(".os-text")).to_contain_text("[a pixel]")
    expect(page.locator(".os-text")).to_contain_text("<b>not bold</b>")
    assert f"id={books.hostile}" in page.url


def test_a_pdf_opens_in_the_browsers_own_viewer(page: Page, books: Books) -> None:
    page.goto(f"/read?id={books.pdf}")

    frame = page.locator(".os-pdf iframe")
    frame.wait_for()

    expect(frame).to_have_attribute("title", re.compile("^The pages of"))
    answer = page.request.get(f"/texts/{books.pdf}.pdf")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/pdf")
    expect(page.get_by_role("link", name="Open it in a tab of its own")).to_be_visible()
    # The viewer is part of the browser, and so is what it is made of.
    page.foreign[:] = [url for url in page.foreign if not url.startswith(("chrome://", "chrome-extension://"))]  # type: ignore[attr-defined]


def test_the_pages_of_a_scan_are_turned_and_the_place_is_kept(page: Page, books: Books) -> None:
    page.goto(f"/read?id={books.pdf}")
    frame = page.locator(".os-pdf iframe")
    frame.wait_for()

    page.get_by_role("link", name="Next", exact=True).click()

    expect(frame).to_have_attribute("src", f"/texts/{books.pdf}.pdf#page=2")
    expect(page.locator(".os-reading-steps")).to_contain_text("Page 2 of 3")
    page.goto(f"/book?id={books.pdf}")
    page.get_by_role("link", name="Read now").click()
    expect(page.locator(".os-reading-steps")).to_contain_text("Page 2 of 3")
    expect(frame).to_have_attribute("src", f"/texts/{books.pdf}.pdf#page=2")


def test_a_pdf_of_text_is_read_like_any_book(page: Page, books: Books) -> None:
    lines = (
        "The letters of this page are as large as its reader wants",
        "them, and the page is turned with an arrow key.",
    )
    content = pdf_bytes(*[(f"This is page {number}.", *lines) for number in range(1, 6)], contents=[("The end", 5)])
    with lent(books.pdf_path, content):
        page.goto(f"/read?id={books.pdf}")
        text = page.locator(".os-text")
        expect(text).to_contain_text("This is page 1.")

        page.keyboard.press("ArrowRight")
        expect(text).to_contain_text("This is page 2.")
        page.locator(".os-reading-letters summary").click()
        before = text.evaluate("node => parseFloat(getComputedStyle(node.querySelector('p')).fontSize)")
        page.get_by_role("button", name="Larger text").click()
        assert text.evaluate("node => parseFloat(getComputedStyle(node.querySelector('p')).fontSize)") > before
        page.keyboard.press("Escape")
        page.locator(".os-reading-list summary").click()
        page.get_by_role("link", name="The end").click()
        expect(text).to_contain_text("This is page 5.")

        page.get_by_role("link", name="This page as it was printed").click()
        expect(page.locator(".os-pdf iframe")).to_have_attribute("src", f"/texts/{books.pdf}.pdf#page=5")
        page.get_by_role("link", name="Only the text").click()
        expect(text).to_contain_text("This is page 5.")
        page.goto(f"/read?id={books.pdf}")
        expect(text).to_contain_text("This is page 5.")


def test_a_list_is_made_filled_from_a_books_page_removed_and_brought_back(page: Page, books: Books) -> None:
    sign_in_demo(page, "Tom Okafor")
    page.goto("/mine")
    page.get_by_text("Make a list", exact=True).click()
    page.locator(".os-makers details[open]").get_by_label("Name").fill("<i>By</i> the sea")
    page.get_by_role("button", name="Make it").first.click()
    page.locator(".os-tile", has_text="<i>By</i> the sea").wait_for()

    page.goto(f"/book?id={books.text}")
    page.get_by_text("Put on a list").click()
    page.get_by_label("<i>By</i> the sea").check()
    expect(page.locator(".os-list-menu summary")).to_contain_text("on 1 list")

    page.goto("/mine")
    page.locator(".os-tile", has_text="<i>By</i> the sea").click()
    page.locator(".os-list-desk").wait_for()
    page.locator(".os-grid li.os-card").wait_for()
    page.get_by_role("button", name="Remove this list").click()
    page.get_by_role("button", name="Bring it back").click()
    page.locator(".os-grid li.os-card").wait_for()
    page.get_by_role("button", name=re.compile("^Take off the list")).click()
    expect(page.locator(".os-grid li.os-card")).to_have_count(0)
    page.get_by_role("button", name="Remove this list").click()
    page.get_by_role("button", name="Bring it back").wait_for()


def test_an_entry_of_the_history_is_removed(page: Page, books: Books) -> None:
    sign_in_demo(page, "Anna Sokolova")
    # Of this month there may be one entry only: with it the month would go from the page.
    last_month = date.today().replace(day=1) - timedelta(days=1)
    page.goto(f"/history?month={last_month:%Y-%m}")
    page.locator(".os-ledger li").first.wait_for()
    rows = page.locator(".os-ledger li")
    count, title = rows.count(), rows.first.locator(".os-ledger-title").inner_text()

    rows.first.get_by_role("button", name=f"Remove: {title}").click()

    expect(rows).to_have_count(count - 1)
    expect(page.locator(".os-ledger [role=status]")).to_have_text(f"{title} is removed from your history")
    assert page.evaluate("document.activeElement.closest('.os-ledger') !== null"), "the focus stays in the list"


def test_a_phrase_inside_a_book_leads_to_the_place_where_it_stands(page: Page, storefront, books: Books) -> None:
    done = storefront.run("ingest", "texts", "--json")
    assert done.returncode == 0, done.stderr
    page.goto("/find?q=%22paragraph+23%22")
    page.get_by_role("link", name="Inside the books").click()
    card = page.locator(".os-card").first
    expect(card.locator(".os-excerpt mark")).to_have_text(["Paragraph", "23"])
    expect(card.locator(".os-way")).to_contain_text("First")
    assert page.locator(".os-card").count() == 1
    page.goto("/find?mode=inside&q=not+bold")
    expect(page.locator(".os-excerpt").first).to_contain_text("<b>not bold</b>")

    page.goto("/find?mode=inside&q=%22paragraph+23%22")
    page.locator(".os-way a").click()
    page.locator(".os-text").wait_for()

    is_on_top(page, 23)
    expect(page.locator(".os-found")).to_contain_text("Paragraph 23")
