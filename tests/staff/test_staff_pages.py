"""The pages for staff: full, empty, stale, without a warehouse, and refused to who is not of the staff."""

from collections.abc import Callable

import psycopg
import pytest
from staff_drawn import Drawn, put_account
from staff_history import first_day, monday
from streamlit.testing.v1 import AppTest

from dashboard import language
from openshelf.database import pool
from openshelf.settings import get_settings

OF_MARTS = ["exposure", "report"]
LIVE = ["learning", "stream", "catalogue", "works", "hand", "notes", "alerts"]

Open = Callable[..., AppTest]


def month_name() -> str:
    return f"{first_day():%B %Y}"


def test_what_is_shown_and_hidden_is_told_as_computed_by_hand(open_page: Open) -> None:
    page = Drawn(open_page("exposure"))

    day = language.day(monday())
    assert page.head == (
        "What does it show and hide?",
        f"In the week of {day}, 40.0% of the catalogue was recommended to somebody, and 60.0% of the places went to "
        "its less opened books. 6 of 10 books have not been on screen for four weeks.",
    )
    for value in ("40.0%", "0.66", "60.0%", "75.0%", "20.0%"):
        assert f"<b>{value}</b>" in page.words
    assert page.table("Week of", "Version", "Coverage", "Concentration", "Variety", "Repetition", "Readers") == [
        [day, "all together", "40.0%", "0.66", "75.0%", "20.0%", "6"],
        [day, "v1", "40.0%", "0.66", "75.0%", "20.0%", "6"],
    ]
    assert page.table("Language", "Share of the places", "Share of the catalogue") == [
        ["English", "100.0%", "80.0%"],
        ["Vietnamese", "0.0%", "20.0%"],
    ]
    assert page.table("Book", "Opened all the same")[:3] == [
        ["Work 7", "6"], ["Work 3", "5"], ["Work 8", "fewer than 5"]
    ]  # fmt: skip


def test_filters_stand_in_the_address(open_page: Open) -> None:
    page = Drawn(open_page("exposure", "staff", measure="repetition_rate", subject="Moon"))

    assert "Share of the places whose book the reader had on screen on an earlier day." in page.words
    assert [row[0] for row in page.table("Book")] == ["Work 7", "Work 8"]
    values = {field["name"]: field["value"] for field in page.components("finder")[0]["groups"][0]["fields"]}
    assert (values["measure"], values["subject"], values["version"]) == ("repetition_rate", "Moon", "")


def test_a_month_is_told_in_plain_words_and_small_groups_are_not(open_page: Open) -> None:
    page = Drawn(open_page("report"))

    question, answer = page.head
    assert question == "What did the library do?"
    assert answer.startswith(
        f"In {month_name()}, 6 readers used the library. Books were looked at 25 times and opened to read 2 times."
        f" Figures begin on {language.day(first_day())}."
    )
    assert dict(page.table("Measure", month_name())) == {
        "Active readers": "6",
        "Total item investigations": "27",
        "Unique item investigations": "25",
        "Total item requests": "2",
        "Unique item requests": "2",
        "Books used": "6",
        "Searches without an answer": "4",
    }
    assert page.table("Subject", "Readers reached") == [["Moon", "6"]]
    assert "Of 2 more nothing is told: too few readers." in page.words


def test_what_was_learned_is_told_with_a_way_back(open_page: Open, library: str) -> None:
    with psycopg.connect(library) as conn:
        conn.execute(
            """insert into learning.models (version, kind, status, status_reason, config, manifest, weights, sha256)
               values ('v0', 'policy', 'retired', 'replaced by v1', '{}', '{}', '', 'x'),
                      ('v2', 'policy', 'refused', 'worth less than v1', '{}', '{}', '', 'x')"""
        )
        conn.execute(
            """insert into learning.promotions (kind, version, promoted_at, reason)
               values ('policy', 'v0', '2026-01-01Z', 'the very first'), ('policy', 'v1', now(), 'better')"""
        )
        conn.execute(
            """insert into learning.runs (kind, version, status, message, seed, finished_at)
               values ('policy', 'v2', 'refused', 'worth less than v1', 1, now())"""
        )
        conn.execute(
            "insert into learning.run_metrics select 1, step, 'loss/all', 3 - step from generate_series(0, 2) as step"
        )

    page = Drawn(open_page("learning"))

    question, answer = page.head
    assert question == "What did it learn?"
    assert answer.startswith("v1 serves since ")
    assert "was not good enough or failed; see why below." in answer
    assert dict(page.table("Version", "Why"))["v2"] == "worth less than v1"
    assert page.table("Run", "Step", "loss/all") == [["1", "0", "3"], ["1", "1", "2"], ["1", "2", "1"]]
    actions = {form["action"] for form in page.components("form")}
    assert actions == {"/staff/models/rollback", "/staff/models/promote"}


def test_the_stream_is_seen_as_it_is_and_who_acted_is_hidden(open_page: Open, library: str) -> None:
    with psycopg.connect(library) as conn:
        conn.execute(
            """insert into stream.dead_letters (source, partition, log_offset, reason, payload)
               values ('log', 0, 1, 'no such action', %s)""",
            [b'{"reader_key": "r_secret", "session_id": "s1", "action": "dance"}'],
        )

    page = Drawn(open_page("stream"))

    assert page.head == ("Is the stream well?", "No. The dataflow of sessions: not running.")
    (form,) = page.components("form")
    assert form["action"] == "/staff/dead-letters/replay"
    (event,) = [field for field in form["fields"] if field["name"] == "event"]
    assert event["value"] == '{"reader_key": "(hidden)", "session_id": "(hidden)", "action": "dance"}'


def test_books_to_mend_stand_by_demand(open_page: Open, library: str) -> None:
    with psycopg.connect(library) as conn:
        conn.execute("update library.works set summary = 'About the sea.' where book_id = 1")
        conn.execute("insert into library.ingest_runs (path, status, message) values ('/books', 'failed', 'locked')")

    page = Drawn(open_page("catalogue", "staff", without="summary"))

    assert page.head[1] == "10 books, 10 of them without a cover."
    assert page.table("Book", "Opened")[:3] == [["Work 7", "6"], ["Work 3", "5"], ["Work 5", "fewer than 5"]]
    assert "Work 1" not in [title for (title,) in page.table("Book")]
    assert dict(page.table("Without", "Books"))["a summary"] == "9"
    assert page.table("State", "What it said") == [["failed", "locked"]]


def test_works_that_may_be_one_are_found(open_page: Open, library: str) -> None:
    with psycopg.connect(library) as conn:
        conn.execute("update library.works set title_sort = 'Dune: a novel', title = 'Dune: a novel' where book_id = 2")
        conn.execute("update library.works set title_sort = 'Dune', title = 'Dune' where book_id = 4")
        conn.execute(
            """insert into library.authors (name, sort)
               values ('F. Herbert', 'Herbert, F.'), ('Frank Herbert', 'Herbert, Frank')"""
        )
        conn.execute("insert into library.work_authors values (2, 1, 0), (4, 2, 0)")

    page = Drawn(open_page("catalogue"))

    assert page.table("Books", "Why") == [["Dune: a novel · Dune", "same title and author"]]


def test_what_staff_chose_is_told_and_measured_apart(open_page: Open) -> None:
    page = Drawn(open_page("hand"))

    assert page.head == ("What do we choose ourselves?", "Nothing: the policy alone chooses what is recommended.")
    assert page.table("Chosen by", "Click rate", "Places shown") == [
        ["Curated rows", "50.0%", "6"],
        ["Pinned", "83.3%", "6"],
        ["The policy", "30.0%", "30"],
        ["Boosted", "0.0%", "6"],
    ]


@pytest.mark.parametrize("role", [None, "reader"])
@pytest.mark.parametrize("name", OF_MARTS + LIVE)
def test_nobody_else_sees_a_page(name: str, role: str | None, open_page: Open) -> None:
    page = Drawn(open_page(name, role))

    assert "This page is for library staff" in page.words
    for component in ("finder", "table", "form", "records"):
        assert page.components(component) == []


@pytest.mark.parametrize("name", OF_MARTS)
def test_without_a_build_a_page_says_how_to_get_one(name: str, open_page: Open, library: str) -> None:
    with psycopg.connect(library) as conn:
        conn.execute("drop schema marts cascade")

    page = Drawn(open_page(name))

    assert "openshelf warehouse build" in page.words
    assert page.components("table") == []


@pytest.mark.parametrize("name", LIVE)
def test_live_pages_need_no_warehouse(name: str, open_page: Open, library: str) -> None:
    with psycopg.connect(library) as conn:
        conn.execute("drop schema marts cascade")

    assert Drawn(open_page(name)).head[1]


@pytest.mark.parametrize("name", OF_MARTS)
def test_marts_without_a_reader_are_drawn_as_empty(name: str, open_page: Open, library: str) -> None:
    with psycopg.connect(library) as conn:
        for (table,) in conn.execute(
            "select tablename from pg_tables where schemaname = 'marts' and tablename <> 'mart_freshness'"
        ).fetchall():
            conn.execute(f"truncate marts.{table} cascade")  # pyright: ignore[reportArgumentType, reportCallIssue]

    page = Drawn(open_page(name))

    assert page.head[1] in (
        "Nothing can be told yet: too few readers have been shown recommendations.",
        "Nothing yet: no reader has been here.",
    )


@pytest.mark.parametrize("name", LIVE)
def test_live_pages_of_an_empty_library_say_so(
    name: str, open_page: Open, library: str, make_database: Callable[..., str], migrated_template: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("OPENSHELF_DATABASE_URL", make_database(migrated_template))
    get_settings.cache_clear()
    pool.close_pool()
    empty = get_settings().database_url
    assert empty
    put_account(empty.get_secret_value(), "staff")

    page = Drawn(open_page(name, "staff"))

    assert page.head[1]
    assert page.components("table") == [] or name in ("catalogue", "alerts")


@pytest.mark.parametrize("name", OF_MARTS)
def test_stale_figures_are_no_news(name: str, open_page: Open, library: str) -> None:
    with psycopg.connect(library) as conn:
        conn.execute("update marts.mart_freshness set built_at = now() - interval '2 days'")

    page = Drawn(open_page(name))

    assert "This cannot be told now" in page.head[1]
    assert "stale since" in page.words


@pytest.mark.parametrize("name", ["hand", "catalogue"])
def test_figures_of_the_warehouse_on_live_pages_say_how_fresh_they_are(
    name: str, open_page: Open, library: str
) -> None:
    fresh = Drawn(open_page(name))
    with psycopg.connect(library) as conn:
        conn.execute("update marts.mart_freshness set built_at = now() - interval '2 days'")

    stale = Drawn(open_page(name))

    assert "Built " in fresh.words
    assert "stale since" not in fresh.words
    assert "stale since" in stale.words


def test_the_chart_of_what_staff_chose_is_marked_where_a_version_began_to_serve(open_page: Open) -> None:
    page = open_page("hand")

    [chart] = [*page.get("vega_lite_chart"), *page.get("arrow_vega_lite_chart")]
    assert '"label:N"' in chart.proto.spec or '"label"' in chart.proto.spec


@pytest.mark.parametrize("name", OF_MARTS + LIVE)
def test_a_database_that_is_away_is_said_in_words(name: str, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(name)

    pool.close_pool()
    monkeypatch.setenv("OPENSHELF_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
    get_settings.cache_clear()
    page = Drawn(app.run())

    assert "does not answer at the moment" in page.words
