"""The pages around accounts, drawn by Streamlit itself on a real Postgres."""

from collections.abc import Callable

import psycopg
from dashboard_pages import drawn, shelf_titles, words_of
from streamlit.testing.v1 import AppTest

from dashboard import forms, state
from openshelf.database import accounts, sign_ins

Visit = Callable[..., AppTest]
SignIn = Callable[..., accounts.Account]


def titles_offered(page: AppTest) -> set[str]:
    return {card["title"] for group in drawn(page, "welcome")[0]["groups"] for card in group["cards"]}


def forms_of(page: AppTest) -> dict[str, dict]:
    """The forms of a page, by where they post to."""
    return {form["action"]: form for form in drawn(page, "form")}


def test_the_doors_are_shut_to_who_is_inside(shelves: dict[str, int], visit: Visit, sign_in: SignIn) -> None:
    assert "/auth/sign-in" in forms_of(visit("sign_in"))
    assert "/auth/register" in forms_of(visit("register"))

    sign_in()

    for page in ("sign_in", "register"):
        drawn_page = visit(page)
        assert not drawn_page.exception
        assert not {"/auth/sign-in", "/auth/register"} & forms_of(drawn_page).keys()
        assert "For you" in shelf_titles(drawn_page), "sent home"


def test_every_form_carries_the_token_of_this_browser(visit: Visit, sign_in: SignIn, cookies: dict[str, str]) -> None:
    sign_in()
    page = visit("account")

    tokens = {form["hidden"][forms.TOKEN] for form in drawn(page, "form")}
    tokens.add(drawn(page, "topbar")[0]["account"]["token"])
    assert tokens == {forms.token_of(cookies[forms.COOKIE])}
    assert cookies[forms.COOKIE] not in str(drawn(page, "form")), "the cookie itself is on no page"


def test_the_account_menu_names_who_is_here(shelves: dict[str, int], visit: Visit, sign_in: SignIn) -> None:
    assert drawn(visit(), "topbar")[0]["account"] is None

    sign_in("lan")

    account = drawn(visit(), "topbar")[0]["account"]
    assert (account["name"], account["line"]) == ("Lan", "Keeps no history")
    assert {link["href"] for link in account["links"]} >= {"/mine", "/account"}


def test_a_guardian_finds_the_children_and_a_child_none_of_it(
    visit: Visit, sign_in: SignIn, conn: psycopg.Connection
) -> None:
    guardian = sign_in("lan")
    child = accounts.create_child(conn, guardian.account_id, "be", "Bé <b>", "$none", "children")
    assert child
    conn.commit()

    found = forms_of(visit("account"))
    assert found["/auth/child-limit"]["heading"] == "Bé <b>"
    assert found["/auth/child-limit"]["hidden"]["child"] == str(child.account_id)
    assert {"/auth/child", "/auth/child-removal", "/auth/child-password"} <= found.keys()

    conn.execute("update reading.sign_ins set account_id = %s", [child.account_id])
    conn.commit()
    page = visit("account")
    assert not {action for action in forms_of(page) if action.startswith("/auth/child")}
    assert "The grown-up who made it looks after it" in words_of(page)


def test_nothing_of_a_reader_stays_in_a_tab_when_the_sign_in_ends(
    shelves: dict[str, int], visit: Visit, sign_in: SignIn, conn: psycopg.Connection
) -> None:
    account = sign_in("lan")
    accounts.put_on_shelf(conn, account.account_id, shelves["Dune"], "want")
    conn.commit()
    page = visit("mine")
    assert "Dune" in str(shelf_titles(page))
    page.session_state["librarian.talk"] = "what lan asked"

    sign_ins.end_all(conn, account.account_id)
    conn.commit()
    page.run()

    assert not page.exception
    assert "Dune" not in str(shelf_titles(page))
    assert drawn(page, "topbar")[0]["account"] is None
    assert "librarian.talk" not in page.session_state
    assert [toast.value for toast in page.toast] == ["You were signed out, because this page was not used for a while."]


def test_the_watch_on_a_page_sees_the_end_but_does_not_put_it_off(
    visit: Visit, sign_in: SignIn, conn: psycopg.Connection, cookies: dict[str, str]
) -> None:
    sign_in("lan")
    conn.execute("update reading.sign_ins set last_seen_at = now() - idle + interval '1 minute'")
    conn.commit()
    hashed = state.token_hash(cookies[state.ACCOUNT_COOKIE])
    assert sign_ins.is_valid(conn, hashed)
    conn.execute("update reading.sign_ins set last_seen_at = last_seen_at - interval '1 minute'")
    assert not sign_ins.is_valid(conn, hashed)


def test_the_first_choice_offers_what_is_popular_and_the_subjects(
    shelves: dict[str, int], visit: Visit, sign_in: SignIn
) -> None:
    sign_in("lan")
    home = visit()
    assert drawn(home, "shelf")[0]["more"]["href"] == "/welcome"

    page = visit("welcome")

    assert not page.exception
    assert "Dune" in titles_offered(page)
    groups = drawn(page, "welcome")[0]["groups"]
    assert [group["name"] for group in groups[:2]] == ["Popular in the library", "Subjects"]
    assert {"id": "poetry", "is_subject": True, "title": "Poetry", "author": "1 book on this subject"} in groups[1][
        "cards"
    ]
    assert len(groups) > 3, "and books of each subject to look through"


def test_a_child_is_not_asked_for_its_taste(shelves: dict[str, int], visit: Visit, sign_in: SignIn, conn) -> None:
    account = sign_in("lan")
    conn.execute("update reading.accounts set audience_limit = 'children' where account_id = %s", [account.account_id])
    conn.commit()

    page = visit("welcome")

    assert not page.exception
    assert not drawn(page, "welcome")
