"""Finding a book: rows of the first page, browsing, shelves of one name, search, and the book's own page."""

import json
from collections.abc import Callable
from uuid import uuid4

import psycopg
import pytest
from dashboard_pages import drawn, shelf_titles, words_of
from psycopg.types.json import Jsonb
from small_catalogue import WORKS, Work, add_work, embed_works
from streamlit.testing.v1 import AppTest

from dashboard import state
from dashboard.words import address
from models import embedding, query_vectors
from openshelf.contracts import Action, new_event_id, slate_id_of, utc_now
from openshelf.database import accounts, requests
from openshelf.errors import ModelError
from openshelf.settings import get_settings

Visit = Callable[..., AppTest]
FILTERS = [
    "subject",
    "author",
    "series",
    "language",
    "audience",
    "format",
    "kind",
    "readable",
    "aloud",
    "year_from",
    "year_to",
]


def store_act(conn: psycopg.Connection, reader_key: str, book_id: int, action: str, reward: float) -> None:
    """An act as the dataflow stores it."""
    conn.execute(
        """insert into stream.interactions (event_id, version, occurred_at, reader_key, session_id, action, book_id,
               surface, reward, rewards_version, received_at)
           values (%s, 1, now(), %s, %s, %s, %s, 'browse', %s, '1', now())""",
        [uuid4(), reader_key, uuid4(), action, book_id, reward],
    )


@pytest.fixture
def dune_in_order(shelves: dict[str, int], conn: psycopg.Connection) -> dict[str, int]:
    for number, title in enumerate(["Dune", "Dune Messiah"], 1):
        conn.execute("update library.works set series_index = %s where book_id = %s", [number, shelves[title]])
    conn.commit()
    return shelves


def test_after_the_first_volume_the_second_is_first_on_its_row(
    dune_in_order: dict[str, int], visit: Visit, sign_in: Callable, conn: psycopg.Connection
) -> None:
    account = sign_in("lan")
    assert "Next in your series" not in shelf_titles(visit())

    accounts.put_on_shelf(conn, account.account_id, dune_in_order["Dune"], "read")
    conn.commit()

    assert shelf_titles(visit())["Next in your series"] == ["Dune Messiah"]
    accounts.put_on_shelf(conn, account.account_id, dune_in_order["Dune Messiah"], "read")
    conn.commit()
    assert "Next in your series" not in shelf_titles(visit())


def test_who_has_no_account_finds_what_they_began_and_what_comes_next_when_they_load_the_page_again(
    dune_in_order: dict[str, int], visit: Visit, conn: psycopg.Connection
) -> None:
    page = visit()
    reader_key = page.session_state["state.visitor"].reader_key
    store_act(conn, reader_key, dune_in_order["Dune"], "finish", 3)
    store_act(conn, reader_key, dune_in_order["Truyện Kiều"], "read", 2)
    conn.commit()

    titles = shelf_titles(visit())

    assert titles["Next in your series"] == ["Dune Messiah"]
    assert titles["Continue reading"] == ["Truyện Kiều"]


def test_a_book_that_was_liked_has_a_row_of_what_is_like_it_the_latest_first(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection
) -> None:
    embed_works(conn)
    page = visit()
    reader_key = page.session_state["state.visitor"].reader_key
    for title in ("A Brief History of Time", "Dune"):
        store_act(conn, reader_key, shelves[title], "like", 2)
        conn.commit()

    titles = shelf_titles(visit())

    because = [heading for heading in titles if heading.startswith("Because you liked")]
    assert because == ["Because you liked Dune", "Because you liked A Brief History of Time"]
    assert titles[because[0]][0] == "Dune Messiah"
    assert "Dune" not in titles[because[0]]


def test_subjects_have_rows_that_lead_to_all_of_them(shelves: dict[str, int], visit: Visit) -> None:
    rows = {data["heading"]: data for data in drawn(visit(), "shelf")}

    assert rows["Science fiction"]["more"] == {"label": "All 3", "href": "/shelf?subject=science+fiction"}


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({"language": "vie", "year_to": "1900"}, {"Truyện Kiều"}),
        ({"format": "pdf"}, {"Dune Messiah", "A Brief History of Time"}),
        ({"readable": "yes", "language": "vie"}, {"Truyện Kiều"}),
        ({"audience": "children"}, {"Dế Mèn phiêu lưu ký", "Charlotte's Web"}),
        ({"series": "dune chronicles"}, {"Dune", "Dune Messiah"}),
        ({"author": "ursula k. le guin"}, {"The Left Hand of Darkness"}),
        ({"subject": "Classics", "year_from": "1900"}, {"Мастер и Маргарита"}),
        ({"kind": "film"}, {"The Silent Ledger"}),
        ({"language": "rus", "year_from": "1842", "year_to": "1842"}, {"Мёртвые души"}),
        ({"aloud": "yes"}, {"Dune", "Charlotte's Web"}),
    ],
)
def test_every_filter_stands_in_the_address_and_the_address_gives_the_view_again(
    conn: psycopg.Connection,
    shelves: dict[str, int],
    visit: Visit,
    query: dict[str, str],
    wanted: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENSHELF_KINDS", "book,film")
    get_settings.cache_clear()
    conn.execute("update library.works set kind = 'film' where title = 'The Silent Ledger'")
    # Enough by text alone; needs its pictures, too; nothing but text. All others say nothing.
    for title, told in (
        ("Dune", {"modes": ["textual", "visual"], "sufficient_modes": ["visual,textual", "textual"]}),
        ("Dune Messiah", {"modes": ["textual", "visual"], "sufficient_modes": ["textual,visual"]}),
        ("Charlotte's Web", {"modes": ["textual"]}),
    ):
        conn.execute("update library.editions set accessibility = %s where book_id = %s", [Jsonb(told), shelves[title]])
    conn.commit()

    first, again = visit("browse", **query), visit("browse", **query)

    assert set(shelf_titles(first)[""]) == wanted
    finder = drawn(first, "finder")[0]
    assert finder["line"] == ("1 book" if len(wanted) == 1 else f"{len(wanted)} books")
    assert len(finder["chosen"]) == len(query)
    set_fields = {field["name"] for group in finder["groups"] for field in group["fields"] if field["value"]}
    assert set_fields == set(query)
    assert drawn(first, "shelf") == drawn(again, "shelf")
    # Each chosen filter can be taken away alone.
    assert {each["href"] for each in finder["chosen"]} == {
        address("browse", **{name: query.get(name) for name in FILTERS if name != without}) for without in query
    }


def test_filters_are_labelled_and_grouped(shelves: dict[str, int], visit: Visit) -> None:
    finder = drawn(visit("browse", language="vie", sort="rating"), "finder")[0]
    groups = finder["groups"]

    assert all(group["label"] for group in groups)
    assert all(field["label"] for group in groups for field in group["fields"])
    names = {field["name"] for group in groups for field in group["fields"]}
    assert names == {*FILTERS} - {"kind"}  # with books alone there is no kind to choose
    orders = {way["label"]: (way["href"], way["is_current"]) for way in finder["ways"]}
    assert orders["Best rated"] == ("/browse?language=vie&sort=rating", True)
    assert orders["Most read of late"] == ("/browse?language=vie&sort=popular", False)
    assert orders["Title, A to Z"] == ("/browse?language=vie", False)


def test_titles_of_all_scripts_are_sorted_without_regard_to_accents_and_case(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection
) -> None:
    for title in ["Éclat", "dune buggies", "Đất rừng", "«Ёлка»", "Елена", "Zebra", "аист"]:
        add_work(conn, Work(title, ["A. Author"], ["sorting"], None))
    conn.commit()

    titles = shelf_titles(visit("browse", subject="sorting"))[""]

    assert titles == ["Đất rừng", "dune buggies", "Éclat", "Zebra", "аист", "Елена", "«Ёлка»"]


def test_a_series_stands_in_order(dune_in_order: dict[str, int], visit: Visit, conn: psycopg.Connection) -> None:
    conn.execute("update library.works set series_index = 0.5 where title = 'Dune Messiah'")
    conn.commit()

    page = visit("shelf", series="Dune Chronicles")

    cards = drawn(page, "shelf")[0]["cards"]
    assert [(card["title"], card["note"]) for card in cards] == [("Dune Messiah", "Book 0.5"), ("Dune", "Book 1")]
    assert drawn(page, "finder")[0]["heading"] == "Dune Chronicles"


def test_an_author_and_a_subject_have_pages(shelves: dict[str, int], visit: Visit) -> None:
    author = visit("shelf", author="Frank Herbert")
    subject = visit("shelf", subject="science fiction")

    assert set(shelf_titles(author)[""]) == {"Dune", "Dune Messiah"}
    finder = drawn(subject, "finder")[0]
    assert (finder["heading"], finder["line"]) == ("Science fiction", "3 books on this subject")
    assert "/browse?subject=science+fiction" in [way["href"] for way in finder["ways"]]
    assert "/shelf?subject=ecology" in [way["href"] for way in finder["ways"]]


@pytest.mark.parametrize(
    ("said", "lang"), [("Science Fiction", "en"), ("SCIENCE FICTION", "en"), ("Научная фантастика", "ru")]
)
def test_a_subject_is_found_as_people_write_it(said: str, lang: str, shelves: dict[str, int], visit: Visit) -> None:
    shelf = visit("shelf", subject=said, lang=lang)
    browse = visit("browse", subject=said, lang=lang)

    three = {"Dune", "Dune Messiah", "The Left Hand of Darkness"}
    assert set(next(iter(shelf_titles(shelf).values()))) == three
    assert "/browse?subject=science+fiction" in [way["href"] for way in drawn(shelf, "finder")[0]["ways"]]
    assert set(next(iter(shelf_titles(browse).values()))) == three
    assert '"value": "science fiction"' in json.dumps(drawn(browse, "finder")[0]), "the filter shows what it does"


def test_a_shelf_that_is_not_there_leads_on(shelves: dict[str, int], visit: Visit) -> None:
    ways = drawn(visit("shelf", subject="beekeeping"), "choices")[0]["options"]

    assert [way["href"] for way in ways] == ["/directory", "/directory?of=authors", "/find"]


@pytest.mark.parametrize(
    "query", [{}, {"author": "Nobody"}, {"series": "<script>alert(1)</script>"}, {"subject": "\x00"}]
)
def test_a_shelf_that_is_not_there_gets_a_calm_word(
    query: dict[str, str], shelves: dict[str, int], visit: Visit
) -> None:
    page = visit("shelf", **query)

    assert not page.exception
    assert "Nothing stands here" in words_of(page)
    assert "<script>" not in words_of(page)


def test_many_authors_are_parted_by_the_letter_of_their_sort_name(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection
) -> None:
    conn.execute(
        """with made as (
               insert into library.authors (name, sort)
               select 'Ann Ng ' || n, case when n %% 2 = 0 then 'Ng, Ann ' else 'Ánh, Ann ' end || lpad(n::text, 3, '0')
               from generate_series(1, 310) as n returning author_id
           ) insert into library.work_authors select %s, author_id, 9 from made""",
        [shelves["Dune"]],
    )
    conn.commit()

    page = visit("directory", of="authors", letter="A")

    letters = drawn(page, "choices")[1]["options"]
    assert [each["label"] for each in letters if each["is_current"]] == ["A"]
    assert "N" in [each["label"] for each in letters]
    labels = [entry["label"] for entry in drawn(page, "directory")[0]["entries"]]
    assert labels[:2] == ["Ann Ng 1", "Ann Ng 3"]
    assert "Ann Ng 2" not in labels


def marked(text: str, spans: list[list[int]]) -> list[str]:
    return [text[start:end] for start, end in spans]


def test_words_that_were_looked_for_are_marked_as_places_in_the_text(shelves: dict[str, int], visit: Visit) -> None:
    card = drawn(visit("find", q="truyen tho"), "shelf")[0]["cards"][0]

    assert card["title"] == "Truyện Kiều"
    assert marked(card["title"], card["title_marks"]) == ["Truyện"]
    assert "thơ" in marked(card["excerpt"]["text"], card["excerpt"]["marks"])


def test_a_typo_is_mended_and_said(shelves: dict[str, int], visit: Visit) -> None:
    page = visit("find", q="маргорита", mode="title")

    assert shelf_titles(page)[""] == ["Мастер и Маргарита"]
    (note,) = drawn(page, "finder")[0]["notes"]
    assert "маргорита" in note["text"]
    assert note["link"] == "маргарита"
    assert marked(*_title_marks(page)) == ["Маргарита"]


def _title_marks(page: AppTest) -> tuple[str, list[list[int]]]:
    card = drawn(page, "shelf")[0]["cards"][0]
    return card["title"], card["title_marks"]


def test_an_empty_search_shows_everything(shelves: dict[str, int], visit: Visit) -> None:
    page = visit("find")

    count = sum(work.active for work in WORKS)
    assert drawn(page, "finder")[0]["line"] == f"{count} books"
    assert len(shelf_titles(page)[""]) == count


def test_results_are_narrowed_by_the_same_filters(shelves: dict[str, int], visit: Visit) -> None:
    page = visit("find", q="dune", mode="title", year_from="1966")

    assert shelf_titles(page)[""] == ["Dune Messiah"]
    assert drawn(page, "finder")[0]["clear"] == "/find?q=dune&mode=title"


def test_a_filter_that_was_left_on_passes_for_no_missing_book(shelves: dict[str, int], visit: Visit) -> None:
    page = visit("find", q="dune", language="vie")

    (note,) = drawn(page, "finder")[0]["notes"]
    assert (note["text"], note["link"], note["href"]) == (
        "No book holds these words with the filters that you chose:",
        "2 books without them",
        "/find?q=dune",
    )
    (form,) = [each for each in drawn(page, "form") if each["action"] == "/requests/new"]
    assert form["folded"]
    assert "link" not in str(drawn(visit("find", q="xqzzyplorf", language="vie"), "finder")[0]["notes"])


def test_each_mode_is_a_link_that_keeps_the_query(shelves: dict[str, int], visit: Visit) -> None:
    ways = {way["label"]: way for way in drawn(visit("find", q="dune", mode="author"), "finder")[0]["ways"]}

    assert ways["In authors"]["is_current"]
    assert ways["By meaning"]["href"] == "/find?q=dune&mode=meaning"
    assert ways["Everywhere"]["href"] == "/find?q=dune"


def test_without_the_encoder_meaning_says_so_and_finds_by_words(
    shelves: dict[str, int], visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent() -> None:
        raise ModelError("the encoder's files are missing: install again")

    monkeypatch.setattr(embedding, "load_encoder", absent)
    query_vectors._encoded.cache_clear()

    page = visit("find", q="sandworms", mode="meaning")
    words = visit("find", q="dune", mode="title")

    assert not page.exception
    assert shelf_titles(page)[""] == ["Dune"]
    assert "rests just now" in drawn(page, "finder")[0]["notes"][0]["text"]
    assert "Dune" in shelf_titles(words)[""]


def test_a_search_in_vain_offers_to_ask_and_is_counted_without_the_reader(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection
) -> None:
    page = visit("find", q="Qzxv Wyklm")
    visit("find", tab=page, q="Qzxv Wyklm")
    visit("find", q="qzxv  wyklm")

    form = drawn(page, "form")[0]
    assert form["action"] == "/requests/new"
    assert {field["name"]: field["value"] for field in form["fields"]}["title"] == "Qzxv Wyklm"
    conn.rollback()
    rows = conn.execute("select folded, count_searches from reading.unanswered_searches").fetchall()
    assert rows == [("qzxv wyklm", 2)]
    columns = conn.execute(
        "select column_name from information_schema.columns where table_name = 'unanswered_searches' order by 1"
    ).fetchall()
    assert columns == [("count_searches",), ("day",), ("folded",), ("kind",)]


def test_a_search_that_finds_is_not_counted(shelves: dict[str, int], visit: Visit, conn: psycopg.Connection) -> None:
    visit("find", q="dune")
    visit("find", q="dune", language="vie")  # in vain only because it is narrowed

    assert conn.execute("select count(*) from reading.unanswered_searches").fetchone() == (0,)


def test_what_readers_of_a_book_also_liked_is_shown_from_five_readers_on(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection
) -> None:
    dune, web, kieu = shelves["Dune"], shelves["Charlotte's Web"], shelves["Truyện Kiều"]
    for number in range(5):
        store_act(conn, f"r_{number}", dune, "like", 2)
        store_act(conn, f"r_{number}", web, "finish", 3)
        store_act(conn, f"r_{number}", kieu, "open", 1)  # to open is not to like
        if number:
            store_act(conn, f"r_{number}", shelves["Мёртвые души"], "like", 2)
    conn.commit()

    assert shelf_titles(visit("book", id=str(dune)))["Readers who liked this also liked"] == ["Charlotte's Web"]


def test_fewer_than_five_readers_are_not_told_of(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection
) -> None:
    for number in range(4):
        store_act(conn, f"r_{number}", shelves["Dune"], "like", 2)
        store_act(conn, f"r_{number}", shelves["Charlotte's Web"], "like", 2)
    store_act(conn, "r_0", shelves["Charlotte's Web"], "finish", 3)  # the same reader twice is one
    conn.commit()

    assert "Readers who liked this also liked" not in shelf_titles(visit("book", id=str(shelves["Dune"])))


def test_a_books_page_says_what_its_record_says(
    dune_in_order: dict[str, int], visit: Visit, conn: psycopg.Connection
) -> None:
    conn.execute(
        """insert into library.identifiers select edition_id, 'isbn', '9780441172719' from library.editions
           where book_id = %s""",
        [dune_in_order["Dune"]],
    )
    conn.commit()

    book = drawn(visit("book", id=str(dune_in_order["Dune"])), "book")[0]

    assert book["authors"] == [{"label": "Frank Herbert", "href": "/shelf?author=Frank+Herbert"}]
    assert book["series"] == {"label": "Dune Chronicles, book 1", "href": "/shelf?series=Dune+Chronicles"}
    details = {each["label"]: each["value"] for each in book["details"]}
    assert details["Language"] == "English"
    assert details["First published"] == "1965"
    assert details["Formats"] == "EPUB"
    assert details["Identifiers"] == "ISBN 9780441172719"
    assert [each["href"] for each in book["subjects"]] == ["/shelf?subject=science+fiction", "/shelf?subject=ecology"]


def test_a_work_of_several_editions_lists_them(shelves: dict[str, int], visit: Visit, conn: psycopg.Connection) -> None:
    conn.execute(
        """insert into library.editions (library_id, calibre_id, book_id, title, title_sort, folder, publisher,
               published_on, languages, calibre_modified_at, content_hash)
           select library_id, 9999, book_id, title, title_sort, '', 'Chilton', '1965-08-01', '{fra}', now(), ''
           from library.editions where book_id = %s""",
        [shelves["Dune"]],
    )
    conn.commit()

    book = drawn(visit("book", id=str(shelves["Dune"])), "book")[0]

    assert len(book["editions"]) == 2
    assert "1965 · Chilton · French" in book["editions"]


def test_a_book_found_on_the_slate_says_why_it_was_there(
    shelves: dict[str, int], visit: Visit, conn: psycopg.Connection
) -> None:
    page = visit()
    visitor = page.session_state["state.visitor"]
    event_id, now = new_event_id(), utc_now()
    conn.execute(
        """insert into stream.slates (slate_id, event_id, reader_key, session_id, created_at, policy_version, arm,
               surface, event_received_at, book_ids, propensities, sources, reasons, reason_book_ids)
           values (%s, %s, %s, %s, %s, 'policy-0001', 'champion', 'for_you', %s, %s, '{0.1}', '{policy}',
               '{because_like}', %s)""",
        [
            slate_id_of(event_id), event_id, visitor.reader_key, visitor.session_id, now, now,
            [shelves["Dune Messiah"]], [shelves["Dune"]],
        ],
    )  # fmt: skip
    conn.commit()

    from_slate = visit("book", tab=page, id=str(shelves["Dune Messiah"]), **{"from": "for_you"})
    elsewhere = visit("book", id=str(shelves["Dune Messiah"]), **{"from": "browse"})

    assert drawn(from_slate, "book")[0]["why"] == {"text": "Because you liked {title}", "title": "Dune"}
    assert drawn(elsewhere, "book")[0]["why"] is None


def test_a_reader_sees_how_their_own_wishes_stand(
    shelves: dict[str, int], visit: Visit, sign_in: Callable, conn: psycopg.Connection
) -> None:
    other, staff, mine = sign_in("minh"), sign_in("edith", role="staff"), sign_in("lan")
    secret = b"s" * 32
    requests.ask(conn, mine, "Ulysses", "James Joyce", secret=secret, visit="")
    requests.ask(conn, other, "Finnegans Wake", secret=secret, visit="")
    requests.decide(conn, staff, "ulysses", "asked", "looking", "From the co-operative, in June.")
    conn.commit()

    (records,) = drawn(visit("ask"), "records")

    assert [(row["title"], row["status"], row["note"]) for row in records["rows"]] == [
        ("Ulysses", "The library is looking", "From the co-operative, in June.")
    ]


def test_the_queue_of_wishes_is_for_staff(
    shelves: dict[str, int], visit: Visit, sign_in: Callable, conn: psycopg.Connection
) -> None:
    account = sign_in("lan")
    requests.ask(conn, account, "Ulysses", note="the red edition", secret=b"s" * 32, visit="")
    conn.commit()

    reader = visit("staff/requests")
    sign_in("edith", role="staff")
    staff = visit("staff/requests")

    assert "for library staff" in words_of(reader)
    assert not drawn(reader, "form")
    assert not drawn(reader, "records")
    (form,) = drawn(staff, "form")
    assert form["heading"] == "Ulysses"
    assert "asked for by 1 reader" in form["line"]
    assert "Lan" not in str(form)


def test_hiding_a_book_can_be_undone_on_its_page(
    shelves: dict[str, int], visit: Visit, sign_in: Callable, conn: psycopg.Connection
) -> None:
    account = sign_in("lan")
    accounts.hide(conn, account.account_id, shelves["Dune"])
    conn.commit()

    assert drawn(visit("book", id=str(shelves["Dune"])), "book")[0]["hidden"]
    accounts.unhide(conn, account.account_id, shelves["Dune"])
    conn.commit()
    assert not drawn(visit("book", id=str(shelves["Dune"])), "book")[0]["hidden"]


def test_marks_keep_the_latest_first() -> None:
    marks = state.Marks(shelves={1: "read", 2: "want"})

    marks.follow(Action.FINISH, 2, None)
    marks.follow(Action.RATE, 1, 5)
    marks.follow(Action.RATE, 2, 4)

    assert list(marks.shelves.items()) == [(2, "read"), (1, "read")]
    assert list(marks.stars) == [2, 1]
