"""The librarian in a real browser: beside every page, by keyboard, on a telephone, acts in place; in whose words."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Literal

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser_steps import at_rest, new_name, register, sign_in_demo, sign_out, until
from ollama_server import hangs, serving
from playwright.sync_api import Locator, Page, expect

from openshelf.database import embedded

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

OLLAMA_PORT = 11434
# The first answer of a storefront just started loads what the others find there: seconds on a quiet machine.
LONGEST_ANSWER_MS = 180_000
QUESTION = "a novel about the sea"


def opener(page: Page) -> Locator:
    return page.get_by_role("button", name="Ask the librarian", exact=True)


def box(page: Page) -> Locator:
    return page.get_by_label("Your question")


def ask(page: Page, text: str) -> Locator:
    """Ask, and wait for the end of the answer; the turn."""
    box(page).fill(text)
    box(page).press("Enter")
    turn = page.locator(".os-turn").last
    expect(turn.locator(".os-asked")).to_have_text(text)
    expect(turn).to_have_attribute("aria-busy", "false", timeout=LONGEST_ANSWER_MS)
    return turn


def acts_of_chat(home: Path, book_id: int) -> list[str]:
    """Actions on a book put down to the chat, in order."""
    with psycopg.connect(embedded.start(home)) as conn:
        rows = conn.execute(
            "select act ->> 'action' from stream.event_log "
            "cross join lateral (select convert_from(payload, 'UTF8')::jsonb as act) as decoded "
            "where act ->> 'surface' = 'chat' and (act ->> 'book_id')::int = %s order by appended_at",
            [book_id],
        ).fetchall()
    return [action for (action,) in rows]


def book_of(link: Locator) -> int:
    href = link.get_attribute("href") or ""
    return int(href.split("id=")[1].split("&")[0])


def test_the_panel_opens_answers_and_closes_by_keyboard(page: Page) -> None:
    page.goto("/browse")
    expect(opener(page)).to_have_attribute("aria-expanded", "false")
    opener(page).focus()

    page.keyboard.press("Enter")
    sheet = page.get_by_role("dialog", name="Ask the librarian")
    expect(sheet).to_be_visible()
    expect(box(page)).to_be_focused()
    height = box(page).bounding_box()
    page.keyboard.type("a novel about the sea")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("and about an old man")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("who does not give up")
    grown = box(page).bounding_box()
    page.keyboard.press("Enter")
    turn = page.locator(".os-turn").last
    expect(turn.locator(".os-told-title").first).to_be_visible(timeout=LONGEST_ANSWER_MS)
    expect(turn).to_have_attribute("aria-busy", "false")
    expect(box(page)).to_be_focused()
    expect(box(page)).to_have_value("")
    page.keyboard.press("Escape")

    assert height
    assert grown
    assert grown["height"] > height["height"], "the box grows with what is typed"
    expect(sheet).to_be_hidden()
    expect(opener(page)).to_be_focused()


def test_one_conversation_goes_along_from_panel_to_book_to_page(page: Page, storefront) -> None:
    page.goto("/browse")
    opener(page).click()
    turn = ask(page, QUESTION)
    title = turn.locator(".os-told-title").first
    book_id, name = book_of(title), title.inner_text()
    assert int(title.evaluate("each => getComputedStyle(each).fontWeight")) >= 600, "titles are bold"

    title.click()
    expect(page.get_by_role("heading", level=1, name=name, exact=True)).to_be_visible()
    expect(page.get_by_role("dialog", name="Ask the librarian")).to_be_visible()
    expect(page.locator(".os-asked")).to_have_text([QUESTION])
    page.get_by_role("link", name="On a page of its own").click()
    expect(page.get_by_role("heading", level=1, name="Ask the librarian")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".os-asked")).to_have_text([QUESTION])
    page.reload()
    expect(page.locator(".os-asked")).to_have_text([QUESTION])
    page.get_by_role("button", name="Start again").click()

    expect(page.locator(".os-turn")).to_have_count(0)
    expect(page.get_by_role("button", name="A quiet novel for a rainy weekend")).to_be_visible()
    assert acts_of_chat(storefront.home, book_id)[-1:] == ["open"]


def test_like_want_and_hide_work_in_place_and_are_put_down_to_the_chat(page: Page, storefront) -> None:
    register(page, new_name())  # who has said nothing of any book yet
    page.goto("/librarian")
    ask(page, QUESTION)
    first = page.locator(".os-turn").first.locator(".os-told li").first
    book_id = book_of(first.locator(".os-told-title"))

    first.get_by_role("button", name="Like:").click()
    first.get_by_role("button", name="Want to read:").click()
    expect(first.get_by_role("button", name="You like this:")).to_have_attribute("aria-pressed", "true")
    expect(first.get_by_role("button", name="On your shelf:")).to_have_attribute("aria-pressed", "true")
    assert until(lambda: {"like", "want"} <= set(acts_of_chat(storefront.home, book_id)))
    page.reload()
    expect(first.get_by_role("button", name="On your shelf:")).to_be_visible()
    first.get_by_role("button", name="On your shelf:").click()
    expect(first.get_by_role("button", name="Want to read:")).to_have_attribute("aria-pressed", "false")
    first.get_by_role("button", name="Not interested:").click()
    expect(first.get_by_role("button", name="Show it again:")).to_be_visible()
    assert until(lambda: acts_of_chat(storefront.home, book_id)[-1] == "hide")

    again = ask(page, QUESTION)
    assert book_id not in [book_of(link) for link in again.locator(".os-told-title").all()], (
        "what is hidden is not named"
    )
    first.get_by_role("button", name="Show it again:").click()
    expect(first.get_by_role("button", name="Not interested:")).to_be_visible()
    assert until(lambda: acts_of_chat(storefront.home, book_id)[-1] == "unhide")


def test_a_follow_up_knows_what_was_said(page: Page) -> None:
    page.goto("/librarian")
    first = ask(page, QUESTION)
    named = set(first.locator(".os-told-title").all_inner_texts())
    page.get_by_role("button", name="Another one").click()
    second = page.locator(".os-turn").nth(1)
    expect(second).to_have_attribute("aria-busy", "false")

    others = set(second.locator(".os-told-title").all_inner_texts())
    assert named
    assert not others & named


def test_what_nobody_has_can_be_asked_of_the_library(page: Page) -> None:
    page.goto("/librarian")
    turn = ask(page, "zxqvian plorf maintenance")
    expect(turn.locator(".os-told-title")).to_have_count(0)

    turn.get_by_role("link", name="Ask the library for it").click()

    expect(page.get_by_role("heading", level=1, name="Ask the library for a book")).to_be_visible()
    expect(page.get_by_label("Title")).to_have_value(re.compile("zxqvian plorf maintenance", re.IGNORECASE))


def test_thumbs_are_said_and_taken_back(page: Page, storefront) -> None:
    def judged() -> int:
        with psycopg.connect(embedded.start(storefront.home)) as conn:
            row = conn.execute("select count(*) from reading.chat_feedback where is_good").fetchone()
        assert row
        return row[0]

    before = judged()
    page.goto("/librarian")
    turn = ask(page, QUESTION)

    good = turn.get_by_role("button", name="A good answer", exact=True)
    good.click()
    expect(good).to_have_attribute("aria-pressed", "true")
    expect(turn.get_by_text("Thank you")).to_be_visible()
    assert until(lambda: judged() == before + 1)
    good.click()
    expect(good).to_have_attribute("aria-pressed", "false")
    assert until(lambda: judged() == before)


def test_on_a_telephone_the_panel_is_a_sheet_of_its_own(page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto("/browse")
    opener(page).click()
    sheet = page.get_by_role("dialog", name="Ask the librarian")
    expect(sheet).to_be_visible()
    at_rest(page)
    assert sheet.bounding_box() == {"x": 0, "y": 0, "width": 320, "height": 640}
    for _ in range(12):  # nothing behind the sheet can be reached
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    turn = ask(page, QUESTION)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320

    title = turn.locator(".os-told-title").first
    name = title.inner_text()
    title.click()

    expect(sheet).to_be_hidden()
    expect(page.get_by_role("heading", level=1, name=name, exact=True)).to_be_visible()


def test_a_text_is_not_covered_unless_the_reader_asks(page: Page) -> None:
    page.goto("/find?q=the&format=EPUB")
    page.locator("li.os-card a").first.click()
    page.get_by_role("link", name="Read now").click()
    page.locator(".os-text").wait_for()

    assert opener(page).evaluate("each => getComputedStyle(each).position") == "static"
    opener(page).click()
    expect(page.get_by_role("dialog", name="Ask the librarian")).to_be_visible()


def test_the_chat_of_one_reader_is_not_there_for_the_next(page: Page) -> None:
    sign_in_demo(page, "Jonas Weber")
    page.goto("/librarian")
    ask(page, "a secret of Jonas")

    sign_out(page)
    page.goto("/librarian")

    expect(page.get_by_role("button", name="A quiet novel for a rainy weekend")).to_be_visible()
    expect(page.get_by_text("a secret of Jonas")).to_have_count(0)
    assert "Jonas" not in (page.evaluate("sessionStorage.getItem('openshelf.talk')") or "")


@dataclass
class Model:
    """What a model on this machine says to a request, piece by piece, and whether it may say the last one.

    It begins at once: one that is slow to say something of use is left alone.
    """

    says: Callable[[dict], list[str]] | None = None  # None: it hangs
    may_end: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def model() -> Iterator[Model]:
    model = Model()

    def reply(handler: BaseHTTPRequestHandler, request: dict) -> None:
        if model.says is None:
            return hangs(lambda: server.released, drip=False)(handler, request)
        handler.send_response(200)
        handler.send_header("Content-Type", "application/x-ndjson")
        handler.end_headers()
        *pieces, last = model.says(request)
        for piece in [*pieces, last, ""]:
            if piece == last:
                model.may_end.wait(LONGEST_ANSWER_MS / 1_000)
            message = {"model": request["model"], "message": {"role": "assistant", "content": piece}, "done": not piece}
            handler.wfile.write(json.dumps(message).encode() + b"\n")
            handler.wfile.flush()
        return None

    try:
        with serving(reply, OLLAMA_PORT) as server:
            yield model
            model.may_end.set()
    except OSError:
        pytest.skip("something else answers where the model would")


def in_whose_words(page: Page) -> str:
    turn = ask(page, QUESTION)
    expect(turn.locator(".os-told-title").first).to_be_visible()
    return turn.locator(".os-turn-foot > .os-voice").inner_text()


def test_the_model_speaks_word_by_word_and_when_it_hangs_the_catalogue_does(page: Page, model: Model) -> None:
    def friendly(request: dict) -> list[str]:
        records = [json.loads(line) for line in request["messages"][-1]["content"].splitlines() if line[:1] == "{"]
        told = [f"[{each['id']}] {each['summary'].split('. ')[0]}.\n" for each in records]
        return ["Here is ", "something about the sea.\n", *told]

    model.says = friendly
    model.may_end.set()
    page.goto("/librarian")
    # The model that did not answer before is left alone for a minute; on a busy machine it may seem slow once.
    assert until(lambda: "qwen3:1.7b" in in_whose_words(page), 240, every=8)
    page.get_by_role("button", name="Start again").click()
    model.may_end.clear()
    box(page).fill(QUESTION)
    box(page).press("Enter")
    turn = page.locator(".os-turn").last
    expect(turn.locator(".os-told-title").first).to_be_visible()
    assert turn.get_attribute("aria-busy") == "true", "the first book is there before the last word is said"
    model.may_end.set()
    expect(turn).to_have_attribute("aria-busy", "false")
    model.says = None
    model.may_end.clear()

    words = in_whose_words(page)

    assert "no language model" in words


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_the_open_panel_is_for_every_eye_and_hand(page: Page, scheme: Literal["light", "dark"], width: int) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    page.goto("/browse")
    opener(page).click()
    ask(page, QUESTION)
    ask(page, "zxqvian plorf maintenance")
    at_rest(page)

    found = Axe().run(page).response["violations"]

    assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
    small = page.evaluate(
        "[...document.querySelectorAll('dialog :is(button, a)')].filter(each => each.checkVisibility())"
        ".map(each => [each.textContent, each.getBoundingClientRect()]).filter(([, box]) => box.height < 24)"
        ".map(([text]) => text)"
    )
    assert small == [], "targets are at least 24 pixels high"
