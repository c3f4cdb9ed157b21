"""Accounts in a real browser: making one, the first shelf after three choices, leaving a shared computer, a child."""

import re

import psycopg
import pytest
from browser_steps import MOVED_MS, PATIENCE_MS, SLATE, new_name, register, send_sign_in, sign_in, sign_out
from playwright.sync_api import Page, expect

from openshelf.database import embedded

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

TITLES = "[...document.querySelectorAll('section.os-slate li.os-card .os-title')].map(each => each.innerText)"


def test_three_choices_make_the_first_shelf(page: Page, storefront) -> None:
    register(page, new_name())
    popular = page.locator(".os-pick .os-title").all_inner_texts()
    page.get_by_role("button", name="Philosophy", exact=True).click()
    expect(page.locator(".os-pick .os-title").first).not_to_have_text(popular[0])
    picks = page.locator(".os-pick")
    chosen = [picks.nth(n).locator(".os-title").inner_text() for n in range(3)]
    done = page.get_by_role("button", name="Show my shelf")
    expect(done).to_be_disabled()
    for n in range(3):
        picks.nth(n).click()
    done.click()
    page.wait_for_url(re.compile(r"/$"))
    page.locator("section.os-slate .os-reason", has_text="Because you liked").first.wait_for(timeout=MOVED_MS)
    # Each choice is answered by a shelf of its own: what was chosen last may stand on the one before.
    page.wait_for_function(f"chosen => !{TITLES}.some(title => chosen.includes(title))", arg=chosen, timeout=MOVED_MS)

    first, titles = page.evaluate(f"[{SLATE}.map(Number), {TITLES}]")
    assert set(titles) != set(popular[: len(titles)])
    assert not set(titles) & set(chosen), "what was chosen is not recommended again"
    with psycopg.connect(embedded.start(storefront.home)) as conn:
        shared, by_chance = (
            conn.execute(
                """with chosen as (
                       select subject_id from library.work_subjects join library.works using (book_id)
                       where title = any(%s)
                   )
                   select avg(count_shared)::float from (
                       select count(chosen.subject_id) as count_shared
                       from library.works
                       join library.work_subjects using (book_id)
                       left join chosen using (subject_id)
                       where works.active and (%s::int[] is null or book_id = any(%s::int[]))
                       group by book_id
                   ) as works""",
                [chosen, ids, ids],
            ).fetchone()[0]
            for ids in (first, None)
        )
    assert shared > 1.5 * by_chance, f"{shared:.2f} subjects shared with what was chosen, {by_chance:.2f} by chance"


def test_a_shared_computer_shows_nothing_after_signing_out(page: Page, storefront) -> None:
    username = new_name()
    register(page, username, shared=True)
    page.goto("/account")
    expect(page.get_by_text(f"You sign in as {username}.")).to_be_visible()
    page.reload()
    expect(page.get_by_text(f"You sign in as {username}.")).to_be_visible()

    sign_out(page)
    page.go_back()
    page.locator(".os-sign-in").wait_for()

    expect(page.get_by_text(username)).to_have_count(0)
    expect(page.get_by_text("You are not signed in")).to_be_visible()


def test_a_page_left_open_forgets_who_was_there(page: Page, storefront) -> None:
    username = new_name()
    register(page, username, shared=True)
    page.goto("/account")
    expect(page.get_by_text(f"You sign in as {username}.")).to_be_visible()

    with psycopg.connect(embedded.start(storefront.home)) as conn:
        conn.execute(
            "update reading.sign_ins set last_seen_at = last_seen_at - interval '15 minutes' "
            "from reading.accounts where accounts.account_id = sign_ins.account_id and username = %s",
            [username],
        )

    expect(page.get_by_text("You were signed out")).to_be_visible()
    expect(page.get_by_text(username)).to_have_count(0)


def test_a_wrong_password_is_said_where_it_is_and_heard(page: Page, storefront) -> None:
    page.goto("/sign_in")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("Please fill in this field.")
    expect(page.get_by_label("User name")).to_be_focused()

    send_sign_in(page, "nobody-here", "not the password")

    expect(page.get_by_role("alert")).to_contain_text("is not right")
    expect(page.get_by_label("Password", exact=True)).to_be_focused()
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("aria-invalid", "true")


def test_a_child_gets_an_account_and_keeps_its_limit(page: Page, browser, storefront) -> None:
    guardian, child = new_name(), new_name()
    register(page, guardian)
    page.goto("/account")
    page.get_by_text("Make an account for a child").click()
    form = page.locator("details[open] form")
    form.get_by_label("User name").fill(child)
    form.get_by_label("Password", exact=True).fill("a quiet afternoon")
    form.get_by_label("The password again").fill("a quiet afternoon")
    form.get_by_role("button", name="Make the account").click()
    expect(page.get_by_text("Your child can sign in with it now")).to_be_visible()

    context = browser.new_context(base_url=storefront.url)
    theirs = context.new_page()
    theirs.set_default_timeout(PATIENCE_MS)
    sign_in(theirs, child, "a quiet afternoon")
    theirs.goto("/account")
    expect(theirs.get_by_text("The grown-up who made it looks after it")).to_be_visible()
    expect(theirs.get_by_label("May see")).to_have_count(0)
    context.close()
