"""Finding a book in a real browser, by hand and by the keyboard alone."""

import re

import pytest
from browser_steps import for_you, settle
from playwright.sync_api import Locator, Page, Route, WebSocketRoute, expect

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def search_box(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Search the library")


def count(page: Page) -> Locator:
    """What is announced of the list on screen."""
    return page.locator(".os-finder [role=status]").first


def test_suggestions_are_walked_and_taken_by_the_keyboard(page: Page) -> None:
    page.goto("/browse")
    box = search_box(page)
    box.focus()
    with page.expect_response("**/suggest?q=tolst"):
        box.press_sequentially("tolst", delay=50)
    author = page.get_by_role("option", name="Leo Tolstoy")
    expect(author).to_be_visible()
    expect(box).to_have_attribute("aria-expanded", "true")

    for _ in range(10):
        if author.get_attribute("aria-selected") == "true":
            break
        box.press("ArrowDown")
    expect(box).to_have_attribute("aria-activedescendant", author.get_attribute("id") or "")
    box.press("Enter")

    expect(page).to_have_url(re.compile(r"/shelf\?author=Leo\+Tolstoy$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Leo Tolstoy")
    expect(page).to_have_title("Leo Tolstoy · Openshelf")
    expect(page.get_by_role("option")).to_have_count(0)


def test_escape_shuts_the_suggestions_and_enter_searches_for_what_is_typed(page: Page) -> None:
    page.goto("/browse")
    box = search_box(page)
    box.focus()
    box.press_sequentially("anna kareni", delay=50)
    expect(page.get_by_role("option").first).to_be_visible()

    box.press("Escape")
    expect(page.get_by_role("option").first).to_be_hidden()
    box.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("Search results")
    first = page.locator("li.os-card").first
    expect(first.locator("mark").first).to_have_text("Anna")
    expect(page).to_have_title(re.compile("^anna kareni"))


def test_an_answer_that_comes_after_escape_does_not_open_the_suggestions_again(page: Page) -> None:
    page.goto("/browse")
    box = search_box(page)
    box.focus()
    box.press_sequentially("ann", delay=50)
    expect(page.get_by_role("option").first).to_be_visible()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/suggest?*", hold)
    with page.expect_request("**/suggest?*"):
        box.press_sequentially("a")

    box.press("Escape")
    for route in held:
        route.continue_()
    page.unroute_all(behavior="wait")
    page.wait_for_timeout(500)

    expect(page.get_by_role("option").first).to_be_hidden()
    expect(box).to_have_attribute("aria-expanded", "false")


def test_an_answer_that_comes_late_leaves_who_walks_the_suggestions_where_they_are(page: Page) -> None:
    page.goto("/browse")
    box = search_box(page)
    box.focus()
    box.press_sequentially("tols", delay=50)
    author = page.get_by_role("option", name="Leo Tolstoy")
    expect(author).to_be_visible()
    held: list[Route] = []
    page.route("**/suggest?q=tolst", lambda route: held.append(route))  # noqa: PLW0108 - Playwright takes no built-in
    with page.expect_request("**/suggest?q=tolst"):
        box.press_sequentially("t")
    while author.get_attribute("aria-selected") != "true":
        box.press("ArrowDown")

    with page.expect_response("**/suggest?q=tolst"):
        held[0].continue_()
    page.wait_for_timeout(500)

    expect(author).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", author.get_attribute("id") or "")


def test_filters_keep_the_focus_announce_the_count_and_live_in_the_address(page: Page) -> None:
    page.goto("/browse")
    expect(count(page)).to_have_text(re.compile(r"^[\d,]+ books$"))
    before = count(page).inner_text()
    language = page.get_by_label("Language")
    language.focus()
    language.select_option("vie")
    expect(page).to_have_url(re.compile(r"\?language=vie$"))
    expect(count(page)).not_to_have_text(before)
    expect(page.get_by_label("Language")).to_be_focused()

    narrowed = count(page).inner_text()
    page.get_by_role("checkbox", name="Readable now").check()
    expect(page).to_have_url(re.compile(r"language=vie&readable=yes$"))
    expect(count(page)).not_to_have_text(narrowed)
    expect(page.get_by_role("checkbox", name="Readable now")).to_be_focused()
    said = count(page).inner_text()

    other = page.context.new_page()
    other.goto(page.url)
    expect(count(other)).to_have_text(said)
    expect(other.locator("li.os-card .os-title").first).to_be_visible()
    expect(page.locator("li.os-card .os-title")).to_have_text(other.locator("li.os-card .os-title").all_inner_texts())
    other.close()

    page.get_by_role("link", name="Without Vietnamese").click()
    expect(page).to_have_url(re.compile(r"\?readable=yes$"))


def test_what_the_library_lacks_is_asked_for(page: Page) -> None:
    page.goto("/find?q=qzxv%20wyklm")
    title = page.get_by_role("textbox", name="Title", exact=True)
    expect(title).to_have_value("qzxv wyklm")

    page.get_by_role("button", name="Ask for it").click()

    expect(page.get_by_text("Thank you, it is on the list")).to_be_visible()


def test_what_a_page_had_still_to_report_does_not_clear_the_next_one(page: Page) -> None:
    """On a slow line what the page that is left had seen comes to the server with the wish for the next page."""
    held: list[str | bytes] = []
    is_slow, servers = False, []

    def connect(socket: WebSocketRoute) -> None:
        servers.append(socket.connect_to_server())
        socket.on_message(lambda message: held.append(message) if is_slow else servers[-1].send(message))

    page.route_web_socket("**/_stcore/stream", connect)
    page.goto("/")
    for_you(page).first.wait_for()
    box = search_box(page)
    box.fill("sea")
    page.wait_for_timeout(600)  # the row was seen for long enough and is not reported yet
    is_slow = True
    box.press("Enter")
    page.wait_for_timeout(1_500)
    is_slow = False
    for message in held:
        servers[-1].send(message)

    expect(page.get_by_role("heading", name="Search results", level=1)).to_be_visible()
    page.wait_for_timeout(1_000)
    expect(page.get_by_role("heading", name="Search results", level=1)).to_be_visible()


def test_who_goes_back_finds_the_page_and_its_rows_as_they_left_them(page: Page) -> None:
    top = "document.querySelector('[data-testid=stMain]').scrollTop"
    page.goto("/")
    row = page.locator(".os-row", has=page.get_by_role("heading", name="New on the shelves")).locator(".os-cards")
    row.locator(".os-card").first.wait_for()
    settle(page)
    row.evaluate("node => node.scrollIntoView({ block: 'center' })")
    row.evaluate("node => node.scrollTo({ left: 400, behavior: 'instant' })")
    page.wait_for_timeout(500)
    down, along = page.evaluate(top), row.evaluate("node => node.scrollLeft")
    assert down > 200
    assert along > 200

    row.locator(".os-card a").nth(4).click()
    page.wait_for_url("**/book?id=*")
    page.locator(".os-book h1").wait_for()
    expect(page.locator(".os-row").first).to_be_visible()
    assert page.evaluate(top) == 0

    page.go_back()
    page.wait_for_function(f"() => Math.abs({top} - {down}) < 2 && location.pathname === '/'")
    assert row.evaluate("node => node.scrollLeft") == pytest.approx(along, abs=2)

    page.go_forward()  # the book was left at its top
    page.locator(".os-book h1").wait_for()
    page.wait_for_function(f"() => {top} === 0")


@pytest.mark.parametrize("address", ["/books.php", "/книги", "/book/5"])
def test_an_address_without_a_page_says_so_in_our_own_words(page: Page, address: str) -> None:
    page.goto(f"{address}?lang=ru")

    expect(page.get_by_role("heading", level=1, name="Здесь пусто")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page).to_have_title("Здесь пусто · Openshelf")
    page.get_by_role("link", name="Каталог").first.click()
    expect(page).to_have_title("Каталог · Openshelf")
