"""Pages of the storefront, drawn by Streamlit itself on a real Postgres."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

import psycopg
import pytest
from dashboard_pages import drawn, shelf_titles, words_of
from small_catalogue import WORKS, Work, add_work
from streamlit.testing.v1 import AppTest

from dashboard import handlers, resources, state
from dashboard.acts import Deed
from dashboard.sessions import Choice
from openshelf.contracts import Action, Surface, new_event_id, slate_id_of, utc_now
from openshelf.database import accounts, pool
from openshelf.database.accounts import Account
from openshelf.settings import get_settings

Visit = Callable[..., AppTest]


def acts_of(conn: psycopg.Connection) -> list[dict]:
    conn.rollback()
    rows = conn.execute(
        "select convert_from(payload, 'UTF8')::jsonb from stream.event_log order by appended_at, log_offset"
    )
    return [payload for (payload,) in rows]


def store_slate(
    conn: psycopg.Connection, reader_key: str, session_id: UUID, places: list[tuple[int, str, int | None]]
) -> None:
    """A slate as the dataflow writes it: (book_id, reason, reason_book_id) in order."""
    event_id = new_event_id()
    now = utc_now()
    book_ids, reasons, reason_book_ids = ([place[i] for place in places] for i in range(3))
    conn.execute(
        """insert into stream.slates (slate_id, event_id, reader_key, session_id, created_at, policy_version, arm,
               surface, event_received_at, book_ids, propensities, sources, reasons, reason_book_ids)
           values (%s, %s, %s, %s, %s, 'policy-0001', 'champion', 'for_you', %s, %s, %s, %s, %s, %s)""",
        [
            slate_id_of(event_id),
            event_id,
            reader_key,
            session_id,
            now,
            now,
            book_ids,
            [0.1] * len(places),
            ["policy"] * len(places),
            reasons,
            reason_book_ids,
        ],
    )
    conn.commit()


def test_a_first_visit_sees_popular_and_new_books_and_is_recorded_once(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection
) -> None:
    page = visit()
    visit(tab=page)

    assert not page.exception
    titles = shelf_titles(page)
    assert {"For you", "Popular in the library", "New on the shelves"} <= titles.keys()
    assert "Dune" in titles["Popular in the library"]
    assert [act["action"] for act in acts_of(conn)] == ["visit"]


def test_who_reads_in_a_language_that_few_books_are_in_has_a_row_of_them(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection
) -> None:
    few = [shelves["Dune"], shelves["Charlotte's Web"]]
    conn.execute("update library.works set language = case when book_id = any(%s) then 'vie' else 'eng' end", [few])
    conn.commit()

    assert sorted(shelf_titles(visit(lang="vi"))["Sách tiếng Việt"]) == ["Charlotte's Web", "Dune"]
    assert "Books in English" not in shelf_titles(visit(lang="en"))
    assert "Книги на русском" not in shelf_titles(visit(lang="ru"))
    groups = drawn(visit("welcome", lang="vi"), "welcome")[0]["groups"]
    assert groups[0]["name"] == "Sách tiếng Việt"


def test_a_library_that_names_no_language_has_its_first_page(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection
) -> None:
    conn.execute("update library.works set language = null")
    conn.commit()

    page = visit(lang="vi")

    assert not page.exception
    assert "Sách tiếng Việt" not in shelf_titles(page)


def test_an_empty_catalogue_says_so(database: str, visit: Visit) -> None:
    page = visit()

    assert not page.exception
    assert "The shelves are still empty" in words_of(page)


def test_the_slate_of_the_reader_stands_on_top_with_its_reasons(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection
) -> None:
    page = visit()
    act = acts_of(conn)[0]
    dune, messiah, web = shelves["Dune"], shelves["Dune Messiah"], shelves["Charlotte's Web"]
    store_slate(
        conn, act["reader_key"], UUID(act["session_id"]), [(messiah, "because_like", dune), (web, "explore", None)]
    )

    visit(tab=page)

    first = drawn(page, "shelf")[0]
    assert first["layout"] == "slate"
    assert [card["title"] for card in first["cards"]] == ["Dune Messiah", "Charlotte's Web"]
    assert first["cards"][0]["reason"] == {"text": "Because you liked {title}", "title": "Dune"}
    assert first["cards"][1]["reason"] == {"text": "Something different"}


def test_what_a_reader_has_read_is_not_recommended_though_no_history_is_kept(
    shelves: dict[str, int], visit: Visit, sign_in: Callable[..., Account], conn: psycopg.Connection
) -> None:
    account = sign_in("lan")
    accounts.put_on_shelf(conn, account.account_id, shelves["Dune"], "read")
    accounts.rate(conn, account.account_id, shelves["Truyện Kiều"], 4.5)
    accounts.put_on_shelf(conn, account.account_id, shelves["Dune Messiah"], "want")
    conn.commit()
    page = visit()
    names = ("Dune", "Truyện Kiều", "Dune Messiah", "Charlotte's Web")
    store_slate(conn, *_who(conn), [(shelves[name], "popular", None) for name in names])

    visit(tab=page)
    cards = drawn(page, "shelf")[0]["cards"]
    assert [(card["title"], card["position"]) for card in cards] == [("Dune Messiah", 2), ("Charlotte's Web", 3)]

    store_slate(conn, *_who(conn), [(shelves["Dune"], "popular", None)])
    visit(tab=page)
    first = drawn(page, "shelf")[0]
    assert first["caption"].startswith("Well loved in the library."), "of all the slate nothing is left to show"
    assert not {"Dune", "Truyện Kiều"} & {card["title"] for card in first["cards"]}


def choose(cookies: dict[str, str], *subjects: str, books: int = 0, account: Account | None = None) -> None:
    visit = UUID(cookies[state.VISIT_COOKIE])
    resources.sessions().choose(visit, state.owner_of(account), Choice(subjects, books))


def test_subjects_that_were_chosen_make_the_first_row_until_a_book_does(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection, cookies: dict[str, str]
) -> None:
    page = visit()
    choose(cookies, "satire", "poetry", "science fiction")
    store_slate(conn, *_who(conn), [(shelves["Salt, Fat, Acid, Heat"], "popular", None)])

    visit(tab=page)

    first = drawn(page, "shelf")[0]
    assert (first["heading"], first["slate_id"], first["layout"]) == ("For you", None, "slate")
    assert [card["title"] for card in first["cards"][:3]] == ["Мёртвые души", "Truyện Kiều", "Dune"], (
        "each has its turn"
    )
    assert {card["title"] for card in first["cards"][3:]} == {"Dune Messiah", "The Left Hand of Darkness"}
    assert first["cards"][1]["reason"] == {"text": "Because you chose Poetry"}
    assert [act["action"] for act in acts_of(conn)] == ["visit"], "no act says so"

    resources.sessions().moved_on(UUID(cookies[state.VISIT_COOKIE]), None)
    visit(tab=page)

    titles = shelf_titles(page)
    assert titles["For you"] == ["Salt, Fat, Acid, Heat"]
    assert titles["Poetry"] == ["Truyện Kiều"]
    assert list(titles).index("Poetry") < list(titles).index("Popular in the library"), "they stay within reach"


def test_of_a_subject_that_was_chosen_what_is_in_the_language_of_the_page_comes_first(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection, cookies: dict[str, str]
) -> None:
    add_work(conn, Work("Leaves of Grass", ["Walt Whitman"], ["poetry"], None))
    conn.commit()
    page = visit()
    choose(cookies, "poetry")

    visit(tab=page)

    assert [card["title"] for card in drawn(page, "shelf")[0]["cards"]] == ["Leaves of Grass", "Truyện Kiều"]


def test_where_books_were_chosen_too_the_slate_has_its_turns(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection, cookies: dict[str, str]
) -> None:
    page = visit()
    choose(cookies, "poetry", books=2)
    answers = [shelves[title] for title in ("Dune Messiah", "Charlotte's Web", "A Brief History of Time")]
    store_slate(conn, *_who(conn), [(book_id, "because_like", shelves["Dune"]) for book_id in answers])

    visit(tab=page)

    first = drawn(page, "shelf")[0]
    assert [card["title"] for card in first["cards"]] == [
        "Dune Messiah", "Charlotte's Web", "Truyện Kiều", "A Brief History of Time",
    ]  # fmt: skip
    assert first["cards"][0]["reason"] == {"text": "Because you liked {title}", "title": "Dune"}
    assert first["slate_id"] is None, "acts on it answer no place of the slate"


def test_an_act_on_a_book_and_a_reset_end_what_subjects_lead(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection, cookies: dict[str, str]
) -> None:
    page = visit()
    choose(cookies, "poetry")
    chosen = partial(resources.sessions().chosen, UUID(cookies[state.VISIT_COOKIE]), None)

    visit("book", tab=page, id=str(shelves["Dune"]))
    assert chosen() == Choice(("poetry",), leads=False)

    visit("mine", tab=page).button(key="mine.reset").click().run()
    assert chosen() is None


def test_a_child_and_who_wants_the_same_as_everyone_get_no_row_of_chosen_subjects(
    shelves: dict[str, int], visit: Visit, sign_in: Callable[..., Account], conn: psycopg.Connection, cookies
) -> None:
    account = sign_in("lan")
    page = visit()
    choose(cookies, "poetry", account=account)
    for change in ("audience_limit = 'children'", "audience_limit = null, personal = false"):
        conn.execute(f"update reading.accounts set {change} where account_id = %s", [account.account_id])
        conn.commit()

        visit(tab=page)

        assert not page.exception
        assert "Because you chose" not in str(drawn(page, "shelf")), change


def _who(conn: psycopg.Connection) -> tuple[str, UUID]:
    act = acts_of(conn)[0]
    return act["reader_key"], UUID(act["session_id"])


def test_opening_a_book_is_one_act_however_often_the_page_is_drawn(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection
) -> None:
    page = visit("book", id=str(shelves["Dune"]), **{"from": "chat"})
    page.run()

    opened = [act for act in acts_of(conn) if act["action"] == "open"]
    assert [(act["book_id"], act["surface"]) for act in opened] == [(shelves["Dune"], "chat")]
    book = drawn(page, "book")[0]
    assert book["title"] == "Dune"
    assert book["read_href"] == f"/read?id={shelves['Dune']}"
    assert shelf_titles(page)["In the same series"] == ["Dune Messiah"]


def test_a_bare_record_is_drawn_without_cover_summary_or_text(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection
) -> None:
    conn.execute("update library.works set summary = null, year = null, language = null")
    conn.commit()

    page = visit("book", id=str(shelves["Salt, Fat, Acid, Heat"]))

    book = drawn(page, "book")[0]
    assert not page.exception
    assert (book["cover"], book["summary"], book["read_href"], book["lang"]) == (None, [], None, "")


@pytest.mark.parametrize("asked", ["", "0", "999999", "-1", "1; drop table", "٣", "9" * 40])
def test_a_book_that_is_not_there_gets_a_calm_word(asked: str, shelves: dict[str, int], visit: Visit) -> None:
    page = visit("book", id=asked)

    assert not page.exception
    assert "<h1>This book is not on our shelves</h1>" in words_of(page)
    assert "os-footer" in words_of(page), "the languages and the privacy notice are below every page"


def test_a_withdrawn_book_is_on_no_page(shelves: dict[str, int], visit: Visit, conn: psycopg.Connection) -> None:
    conn.execute("update library.works set active = false where book_id = %s", [shelves["Dune"]])
    conn.commit()

    assert all("Dune" not in titles for titles in shelf_titles(visit()).values())
    assert "not on our shelves" in words_of(visit("book", id=str(shelves["Dune"])))


def test_browsing_is_narrowed_by_the_address(shelves: dict[str, int], visit: Visit) -> None:
    page = visit("browse", language="vie", year_to="1900")

    assert shelf_titles(page)[""] == ["Truyện Kiều"]
    assert drawn(page, "finder")[0]["clear"] == "/browse"


@pytest.mark.parametrize("query", [{"year_from": "abc"}, {"page": "99"}, {"sort": "'; --"}, {"page": "-3"}])
def test_a_mangled_address_still_browses(query: dict[str, str], shelves: dict[str, int], visit: Visit) -> None:
    page = visit("browse", **query)

    assert not page.exception
    assert len(shelf_titles(page)[""]) > 5


def test_every_subject_and_author_with_a_book_leads_to_its_books(shelves: dict[str, int], visit: Visit) -> None:
    (subjects,) = drawn(visit("directory"), "directory")
    (authors,) = drawn(visit("directory", of="authors"), "directory")

    counts = {entry["label"]: (entry["count"], entry["href"]) for entry in subjects["entries"]}
    many = sum("science fiction" in work.subjects for work in WORKS if work.active)
    assert counts["Science fiction"] == (str(many), "/shelf?subject=science+fiction")
    assert "Frank Herbert" in [entry["label"] for entry in authors["entries"]]
    assert set(shelf_titles(visit("shelf", author="Frank Herbert"))[""]) == {"Dune", "Dune Messiah"}


def test_filters_that_leave_nothing_say_so(shelves: dict[str, int], visit: Visit) -> None:
    page = visit("browse", subject="cooking", language="rus")

    assert shelf_titles(page)[""] == []
    assert "Nothing stands here" in drawn(page, "shelf")[0]["empty"]


def test_search_finds_without_accents_and_records_that_it_was_asked(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection
) -> None:
    page = visit("find", q="truyen kieu", mode="title")

    assert shelf_titles(page)[""][0] == "Truyện Kiều"
    assert "search" in [act["action"] for act in acts_of(conn)]


def test_search_results_have_no_recommendations_and_their_own_heading(shelves: dict[str, int], visit: Visit) -> None:
    page = visit("find", q="dune", mode="title")

    assert drawn(page, "finder")[0]["heading"] == "Search results"
    assert "For you" not in shelf_titles(page)


def test_the_text_of_a_book_is_read_in_the_page(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection
) -> None:
    page = visit("read", id=str(shelves["Dune"]), chapter="2")

    assert "It comes." in str(drawn(page, "reader"))
    assert "read" in [act["action"] for act in acts_of(conn)]


def test_reading_answers_the_place_the_book_was_found_at(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection
) -> None:
    slate_id = slate_id_of(new_event_id())
    page = visit()
    page.session_state["acts.origins"] = {shelves["Dune"]: state.Origin(Surface.FOR_YOU, slate_id, 4)}

    visit("read", tab=page, id=str(shelves["Dune"]))

    (read,) = [act for act in acts_of(conn) if act["action"] == "read"]
    assert (read["surface"], read["slate_id"], read["position"]) == ("for_you", str(slate_id), 4)


def test_reading_what_the_chat_named_is_put_down_to_the_chat(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection
) -> None:
    page = visit("book", id=str(shelves["Dune"]), **{"from": "chat"})

    visit("read", tab=page, id=str(shelves["Dune"]))

    (read,) = [act for act in acts_of(conn) if act["action"] == "read"]
    assert (read["surface"], read["slate_id"]) == ("chat", None)


def test_a_book_without_text_is_not_recorded_as_read(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection
) -> None:
    book_id = shelves["Charlotte's Web"]
    page = visit("read", id=str(book_id))

    assert "There is no text to open here" in words_of(page)
    assert f'href="/book?id={book_id}"' in words_of(page)
    assert "read" not in [act["action"] for act in acts_of(conn)]


def test_my_books_show_what_a_reader_keeps(
    shelves: dict[str, int], visit: Visit, sign_in: Callable, conn: psycopg.Connection
) -> None:
    account = sign_in("lan")
    dune, web = shelves["Dune"], shelves["Charlotte's Web"]
    conn.execute(
        "insert into reading.shelf_entries (account_id, book_id, shelf) values (%s, %s, 'want')",
        [account.account_id, dune],
    )
    conn.execute("insert into reading.hidden_books (account_id, book_id) values (%s, %s)", [account.account_id, web])
    conn.commit()

    page = visit("mine")

    titles = shelf_titles(page)
    assert titles["Want to read"] == ["Dune"]
    assert titles["Not interested"] == ["Charlotte's Web"]


def test_a_hidden_book_is_on_no_shelf_but_is_still_found(
    shelves: dict[str, int], visit: Visit, sign_in: Callable, conn: psycopg.Connection
) -> None:
    account = sign_in("lan")
    conn.execute(
        "insert into reading.hidden_books (account_id, book_id) values (%s, %s)",
        [account.account_id, shelves["Dune"]],
    )
    conn.commit()

    assert all("Dune" not in titles for titles in shelf_titles(visit()).values())
    assert "Dune" in shelf_titles(visit("find", q="dune", mode="title"))[""]


def test_forgetting_the_taste_is_an_act(
    shelves: dict[str, int], visit: Visit, sign_in: Callable, conn: psycopg.Connection
) -> None:
    sign_in("lan", history=True)
    page = visit("mine")

    page.button(key="mine.reset").click().run()

    assert acts_of(conn)[-1]["action"] == "reset"


def test_only_staff_are_led_to_the_staff_page(shelves: dict[str, int], visit: Visit, sign_in: Callable) -> None:
    anonymous = [room["label"] for room in drawn(visit(), "topbar")[0]["links"]]
    sign_in("lan")
    reader = [room["label"] for room in drawn(visit(), "topbar")[0]["links"]]
    sign_in("edith", role="staff")
    staff = [room["label"] for room in drawn(visit(), "topbar")[0]["links"]]

    assert "For staff" not in anonymous + reader
    assert "For staff" in staff


def test_every_page_for_staff_lies_in_their_room(shelves: dict[str, int], visit: Visit, sign_in: Callable) -> None:
    sign_in("edith", role="staff")

    first = drawn(visit("staff/quality"), "topbar")[0]
    another = drawn(visit("staff/notes"), "topbar")[0]
    elsewhere = drawn(visit("browse"), "topbar")[0]

    assert (first["current"], first["within"]) == ("/quality", "/quality")
    assert (another["current"], another["within"]) == ("/notes", "/quality")
    assert (elsewhere["current"], elsewhere["within"]) == ("/browse", "/browse")


def test_demo_readers_are_offered_only_on_this_machine(
    shelves: dict[str, int], visit: Visit, sign_in: Callable, cookies: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in("lan")  # makes the account
    cookies.clear()

    offered = visit("sign_in")
    monkeypatch.setenv("OPENSHELF_HOST", "0.0.0.0")
    get_settings.cache_clear()
    refused = visit("sign_in")

    assert [reader["name"] for reader in drawn(offered, "sign_in")[0]["readers"]] == ["Lan"]
    assert not drawn(refused, "sign_in")


def test_without_postgres_a_calm_page_is_shown(database: str, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENSHELF_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setattr("openshelf.database.pool.CONNECT_TIMEOUT_S", 1)
    get_settings.cache_clear()
    pool.close_pool()

    page = visit()

    assert not page.exception
    assert "The catalogue is restarting" in words_of(page)


def test_what_is_told_again_until_it_is_heard_counts_once() -> None:
    def page() -> None:
        from types import SimpleNamespace

        from streamlit import session_state, text

        from dashboard import handlers

        for said in (
            {"from": "a", "told": [[1, "like"]]},
            {"from": "a", "told": [[1, "like"], [2, "want"], [3, "skip"]]},
            {"from": "a", "told": [[3, "skip"]]},
            {"from": "b", "told": [[1, "hide"]]},
            None,
            "like",
            {"from": "b", "told": 2},
            {"from": "b", "told": [["two", "like"], [3]]},
        ):
            session_state["row"] = SimpleNamespace(acts=said)
            text(" ".join(handlers.told("row", "acts")))
        text(str(handlers.heard("row")))

    app = AppTest.from_function(page).run()

    assert not app.exception
    assert [each.value for each in app.text] == ["like", "want skip", "", "hide", *[""] * 4, "{'from': 'b', 'acts': 1}"]


def test_deeds_are_the_only_way_in(conn: psycopg.Connection) -> None:
    """What a browser sends that no component of ours does is dropped."""
    allowed = {Action.LIKE}

    assert handlers._deed({"action": "like", "id": 3}, Surface.NEW, allowed) == Deed(Action.LIKE, Surface.NEW, 3)
    for answer in [
        {}, {"action": "explode", "id": 1}, {"action": "hide", "id": 1}, {"action": "like"},
        {"action": "like", "id": "x"}, {"action": "like", "id": 1, "slate": "no uuid"},
        {"action": "like", "id": 1, "position": []},
    ]:  # fmt: skip
        assert handlers._deed(answer, Surface.NEW, allowed) is None
