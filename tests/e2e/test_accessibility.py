"""Every page for every eye and hand: axe finds nothing serious, nothing is lost at 320 pixels or with large letters,
and the whole of it works from the keyboard."""

import contextlib
import re
import time

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser_steps import PATIENCE_MS, at_rest, books_of, press, settle, sign_in_demo
from playwright.sync_api import Browser, Page, WebSocketRoute, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from openshelf.database import embedded

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

OF_VISITORS = [
    "/",
    "/browse",
    "/browse?subject=adventure",
    "/shelf?subject=classics",
    "/find?q=truyen%20kieu",
    "/find?q=xqzzy%20plorf",
    "/book?id=12",
    "/book?id=999999",
    "/read?id=12",
    "/librarian",
    "/directory",
    "/sign_in",
    "/register",
    "/ask",
    "/privacy",
    "/your_data",
    "/mine",
    "/nowhere",
]
OF_READERS = ["/", "/mine", "/history", "/import", "/account", "/your_data", "/welcome"]
OF_STAFF = [
    "/quality",
    "/experiments",
    "/offpolicy",
    "/requests",
    "/wishes",
    "/installation",
    "/exposure",
    "/learning",
    "/stream",
    "/catalogue",
    "/works",
    "/hand",
    "/notes",
    "/alerts",
    "/report",
]
# What axe may still find, by rule: why, and when it was seen last.
WAIVED: dict[str, str] = {}
AXE = Axe().axe_script
PAPER = "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"

BEYOND = (
    "Math.max(...[document.documentElement, document.querySelector('[data-testid=stMain]')]"
    ".map(each => each.scrollWidth - each.clientWidth))"
)


def come_to(page: Page, path: str) -> None:
    page.goto(path)
    page.locator("h1, h2").first.wait_for()
    page.wait_for_timeout(1_000)


def faults(page: Page) -> list[str]:
    """What axe finds in the page as it is now. It comes to a page once; what leads to a node nobody asks."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found = page.evaluate("axe.run({ resultTypes: ['violations'], selectors: false }).then(found => found.violations)")
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical") and each["id"] not in WAIVED
    ]


def hidden_at_the_side(page: Page) -> int:
    """Pixels of the page that are out of sight at its side, once it has had time to fit its width."""
    with contextlib.suppress(PlaywrightTimeout):
        page.wait_for_function(f"() => {BEYOND} <= 0", timeout=PATIENCE_MS)
    return page.evaluate(BEYOND)


def lost(page: Page) -> dict[int, int]:
    """What is out of sight on the narrowest screen, and with letters twice as large."""
    overflow = {}
    for width, zoom in ((320, 1), (640, 2)):
        page.set_viewport_size({"width": width, "height": 700})
        page.evaluate("zoom => { document.body.style.zoom = zoom }", zoom)
        page.wait_for_timeout(300)
        overflow[width] = hidden_at_the_side(page)
    return {width: pixels for width, pixels in overflow.items() if pixels > 0}


@pytest.mark.parametrize(
    ("who", "paths"),
    [(None, OF_VISITORS), ("Mai Trần", OF_READERS), ("Lena Hart", OF_STAFF)],
    ids=["visitor", "reader", "staff"],
)
def test_axe_finds_nothing_serious_and_nothing_is_lost_on_a_narrow_screen(
    browser: Browser, storefront, who: str | None, paths: list[str]
) -> None:
    """Each page is loaded once and looked at in light and wide, in dark and as on a telephone; visitors' narrower."""
    page = browser.new_context(base_url=storefront.url, viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE_MS)
    if who:
        sign_in_demo(page, who)
    found, titles = {}, {}
    for path in paths:
        page.set_viewport_size({"width": 1280, "height": 900})
        page.emulate_media(color_scheme="light")
        come_to(page, path)
        assert hidden_at_the_side(page) <= 0, f"{path} scrolls sideways"
        light, found[f"{path} in light"] = page.evaluate(PAPER), faults(page)
        page.set_viewport_size({"width": 390, "height": 900})
        page.emulate_media(color_scheme="dark")
        page.wait_for_function(f"light => {PAPER} !== light", arg=light)  # it turns dark
        at_rest(page)
        assert hidden_at_the_side(page) <= 0, f"{path} scrolls sideways on a telephone"
        found[f"{path} in dark"] = faults(page)
        if who is None:
            found[f"{path} narrow"] = lost(page)
        titles.setdefault(page.title(), []).append(path)
        expect(page.locator("[data-testid=stException]")).to_have_count(0)
    page.context.close()
    assert {where: what for where, what in found.items() if what} == {}
    assert {
        title: there for title, there in titles.items() if len(there) > 1 or (title == "Openshelf") != ("/" in there)
    } == {}


def test_on_a_telephone_who_is_on_the_last_page_for_staff_sees_where(browser: Browser, storefront) -> None:
    page = browser.new_context(base_url=storefront.url, viewport={"width": 390, "height": 844}).new_page()
    page.set_default_timeout(PATIENCE_MS)
    sign_in_demo(page, "Lena Hart")

    come_to(page, "/report")

    for row, current in ((".st-key-staff .os-choices", "page"), (".os-rooms", "true")):
        here = page.locator(f"{row} [aria-current={current}]")
        expect(here).to_be_in_viewport(ratio=0.99, timeout=PATIENCE_MS)
    page.context.close()


@pytest.mark.parametrize("language", ["en", "vi", "ru"])
def test_a_page_says_in_which_language_it_is(page: Page, language: str) -> None:
    come_to(page, f"/?lang={language}")
    assert page.evaluate("document.documentElement.lang") == language

    come_to(page, "/browse")
    assert page.evaluate("document.documentElement.lang") == language, "it is remembered"


def test_a_title_says_in_which_language_it_is(page: Page) -> None:
    come_to(page, "/browse?language=vie")

    expect(page.locator("li.os-card .os-title").first).to_have_attribute("lang", "vi")


def focus(page: Page) -> str:
    """What has the focus: its tag, and its name or text."""
    return page.evaluate(
        "(e => `${e.tagName} ${(e.getAttribute('aria-label') || e.textContent).trim()}`)(document.activeElement)"
    )


def tab_to(page: Page, wanted: str, stops: int) -> int:
    """Press Tab until the focus is on what begins so; how many stops that took, of at most so many."""
    seen = []
    for stop in range(stops):
        page.keyboard.press("Tab")
        seen.append(focus(page))
        if seen[-1].startswith(wanted):
            return stop + 1
    raise AssertionError(f"{wanted!r} is not among the first {stops} stops: {seen}")


def test_a_reader_skips_the_bar_by_keyboard(page: Page) -> None:
    come_to(page, "/")
    tab_to(page, "BUTTON Skip to the content", 3)  # the page itself, which scrolls, may be a stop of its own

    page.keyboard.press("Enter")

    assert focus(page).startswith("H1")


def test_a_reader_searches_opens_a_book_and_likes_it_by_keyboard_alone(page: Page) -> None:
    come_to(page, "/")
    tab_to(page, "INPUT Search the library", 14)
    page.keyboard.type("sherlock")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/find"))
    expect(page.get_by_role("heading", name="Search results", level=1)).to_be_focused()
    page.locator("li.os-card a").first.wait_for()

    title = page.locator("li.os-card .os-title").first.inner_text()
    tab_to(page, f"A {title}", 8)  # past where to look and the filters
    page.keyboard.press("Enter")

    page.wait_for_url(re.compile("/book"))
    expect(page.get_by_role("heading", name=title, level=1)).to_be_focused()
    tab_to(page, "BUTTON Like", 8)
    page.keyboard.press("Enter")
    like = page.get_by_role("button", name="Like", exact=True)
    expect(like).to_have_attribute("aria-pressed", "true")
    expect(like).to_be_focused()


def test_the_focus_comes_along_to_a_page_that_is_drawn_slowly(page: Page) -> None:
    is_slow = False

    def connect(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda message: (time.sleep(0.7 * is_slow), socket.send(message)))

    page.route_web_socket("**/_stcore/stream", connect)
    come_to(page, "/browse")
    page.get_by_role("combobox", name="Search the library").fill("sherlock")
    is_slow = True
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.documentElement.dataset.page === '/find'")
    heading = page.get_by_role("heading", name="Search results", level=1)
    heading.wait_for()
    is_slow = False

    expect(heading).to_be_focused()


def test_a_second_search_leads_to_its_results_too(page: Page) -> None:
    come_to(page, "/find?q=sea")
    page.get_by_role("combobox", name="Search the library").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("war")
    page.keyboard.press("Enter")

    expect(page.locator(".os-finder [role=status]").first).to_contain_text("war")
    expect(page.get_by_role("heading", name="Search results", level=1)).to_be_focused()


def test_a_visitor_chooses_subjects_by_keyboard_alone_and_the_first_row_is_about_them(page: Page, storefront) -> None:
    come_to(page, "/welcome")
    tab_to(page, "BUTTON Subjects", 20)
    page.keyboard.press("Enter")
    page.locator(".os-of-subjects .os-pick").first.wait_for()
    at_rest(page)
    found = {"in light": faults(page), "narrow": lost(page)}
    page.evaluate("document.body.style.zoom = 1")
    page.set_viewport_size({"width": 1280, "height": 900})

    chosen = [
        "Memoir",
        "Romance",
        "Poetry",
    ]  # as they come on the way, and none that has books of its own to look through
    for name in chosen:
        tab_to(page, f"BUTTON {name}", 60)
        page.keyboard.press("Space")
    expect(page.locator(".os-pick[aria-pressed=true]")).to_have_count(3)
    at_rest(page)
    found["chosen"] = faults(page)
    tab_to(page, "BUTTON Show my shelf", 60)
    page.keyboard.press("Enter")

    page.locator("section.os-slate .os-reason", has_text="Because you chose").first.wait_for()
    at_rest(page)
    found["first row"] = faults(page)
    assert {where: what for where, what in found.items() if what} == {}
    shown = books_of(page)
    with psycopg.connect(embedded.start(storefront.home)) as conn:
        ((count,),) = conn.execute(
            """select count(distinct book_id) from library.work_subjects join library.subjects using (subject_id)
               where book_id = any(%s::int[]) and name = any(%s)""",
            [shown, [name.lower() for name in chosen]],
        ).fetchall()
    assert count == len(shown) == 12, "each is of a subject that was chosen"

    page.reload()
    page.locator("section.os-slate .os-reason", has_text="Because you chose").first.wait_for()
    assert books_of(page) == shown, "the visit remembers them"
    press(page, 0, "Like")
    expect(page.locator("section.os-slate .os-reason", has_text="Because you chose")).to_have_count(0)
    expect(page.locator("section.os-slate .os-shelf-caption")).to_contain_text("Moved just now")


HELD = """() => {
  const cards = () => [...document.querySelectorAll("section.os-slate li.os-card")]
  const pressed = document.activeElement.closest("li")
  window.held = { book: pressed.dataset.book, place: cards().indexOf(pressed), next: null }
  addEventListener("focusin", ({ target }) => {
    const card = target.closest("section.os-slate li.os-card")
    window.held.next ??= { tag: target.tagName, book: card?.dataset.book, place: cards().indexOf(card) }
  })
}"""


def test_the_keyboard_keeps_its_place_on_a_row_that_moves(page: Page) -> None:
    """When the card is gone, the one in its place has the focus, and keeps it where the row moves once more."""
    come_to(page, "/")
    settle(page)
    page.locator("section.os-slate li.os-card").nth(1).get_by_role("link").focus()
    tab_to(page, "BUTTON Not now", 3)
    page.evaluate(HELD)

    page.keyboard.press("Enter")

    page.wait_for_function("() => window.held.next")
    held = page.evaluate("window.held")
    assert held["next"] == {"tag": "A", "book": held["next"]["book"], "place": held["place"]}
    card = page.locator("section.os-slate li.os-card", has=page.locator(":focus"))
    expect(card).to_have_attribute("data-book", held["next"]["book"])
    expect(page.locator(f"section.os-slate li.os-card[data-book='{held['book']}']")).to_have_count(0)
