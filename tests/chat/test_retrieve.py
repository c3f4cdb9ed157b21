"""Which works answer a wish, which do not and why; and the order in which they are named."""

from collections.abc import Callable

import psycopg
import pytest
import small_catalogue
from hypothesis import given
from hypothesis import strategies as st

from dashboard.chat.answer import Answer, ask
from dashboard.chat.finding.record import ages, length_of
from dashboard.chat.finding.resolve import closeness, nearest_to
from dashboard.chat.finding.scores import Candidate
from dashboard.chat.finding.titles import mentions
from dashboard.chat.parse import parse
from dashboard.chat.rerank import permuted, rerank
from dashboard.chat.retrieve import Bounds, retrieve
from openshelf.database import ingestion
from openshelf.database.search import Record


@pytest.fixture(scope="session")
def migrated_template(make_database: Callable[..., str], migrated_template: str) -> str:
    return small_catalogue.template(make_database, migrated_template)


@pytest.fixture
def keys(conn: psycopg.Connection) -> dict[str, int]:
    return small_catalogue.keys_of(conn)


def titles(answer: Answer) -> list[str]:
    return [book.title for book in answer.books]


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("Dune", "Dune"),
        ("anything by Le Guin", "The Left Hand of Darkness"),
        ("книги Урсулы Ле Гуин", "The Left Hand of Darkness"),
        ("science fiction before 1966", "Dune"),
        ("science fiction, but not by Herbert", "The Left Hand of Darkness"),
        ("a story for my daughter, 8", "Charlotte's Web"),
        ("truyện cho bé 8 tuổi", "Dế Mèn phiêu lưu ký"),
        ("sách vật lý về hố đen", "A Brief History of Time"),
        ("что-нибудь по кулинарии", "Salt, Fat, Acid, Heat"),
        ("desert planets full of sandworms", "Dune"),
        ("poetry in Vietnamese", "Truyện Kiều"),
    ],
)
def test_the_right_work_comes_first(conn: psycopg.Connection, keys: dict[str, int], question: str, first: str) -> None:
    assert titles(ask(conn, question, None))[0] == first


@pytest.mark.parametrize(
    ("title", "question"),
    [
        ("Becoming", "do you have becoming"), ("My Brilliant Friend", "My Brilliant Friend please"),
        ("And Then There Were None", "could you tell me whether and then there were none is on the shelves"),
        ("Mình và họ", "có cuốn mình và họ không ạ"), ("Что делать?", "есть у вас книга что делать"),
    ],
)  # fmt: skip
def test_a_title_of_words_that_say_nothing_is_asked_for(
    conn: psycopg.Connection, keys: dict[str, int], title: str, question: str
) -> None:
    conn.execute("update library.works set title = %s where book_id = %s", [title, keys["Dune"]])

    assert titles(ask(conn, question, None)) == [title]
    assert titles(ask(conn, question, None, before=ask(conn, "stories for children", None))) == [title]


@pytest.mark.parametrize(
    "question", ["do you have salt fat acid haet", "do you have the historeis", "есть книга азаель"]
)
def test_a_title_of_one_telling_word_may_be_misspelt(
    conn: psycopg.Connection, keys: dict[str, int], question: str
) -> None:
    for title, work in (("The Histories", "Dune"), ("Азазель", "Dune Messiah")):
        conn.execute("update library.works set title = %s where book_id = %s", [title, keys[work]])

    assert titles(ask(conn, question, None))[0] in {"The Histories", "Азазель", "Salt, Fat, Acid, Heat"}


@pytest.mark.parametrize("question", ["do you have it", "speak to me please", "what is becoming of us"])
def test_a_title_within_other_words_is_not(conn: psycopg.Connection, keys: dict[str, int], question: str) -> None:
    for title, work in (("Becoming", "Dune"), ("Speak", "Charlotte's Web"), ("It", "Dune Messiah")):
        conn.execute("update library.works set title = %s where book_id = %s", [title, keys[work]])

    assert not {"Becoming", "Speak", "It"} & {*titles(ask(conn, question, None))}


def test_what_is_avoided_is_not_there(conn: psycopg.Connection, keys: dict[str, int]) -> None:
    assert "Dune" not in titles(ask(conn, "science fiction without politics or sandworms", None))
    assert "Dune" not in titles(ask(conn, "science fiction, just not Dune", None))
    assert titles(ask(conn, "science fiction as pdf", None)) == ["Dune Messiah"]


def test_why_nothing_is_named(conn: psycopg.Connection, keys: dict[str, int]) -> None:
    first = ask(conn, "books by Frank Herbert", None)
    hidden = ask(conn, "books by Frank Herbert", None, hidden={keys["Dune"], keys["Dune Messiah"]})
    limited = ask(conn, "cooking", None, audiences=["children"])

    assert titles(first) == ["Dune", "Dune Messiah"]
    assert (hidden.books, hidden.refusal) == ((), "hidden")
    assert (limited.books, limited.refusal) == ((), "limited")
    assert "Salt" not in limited.opening
    assert ask(conn, "another one", None, first).refusal == "named"
    assert ask(conn, "tax law of Luxembourg", None).refusal == "nothing"
    assert ask(conn, "hello", None).refusal == "greeting"
    assert ask(conn, "books by Dan Brown", None).refusal == "nothing"


@pytest.mark.parametrize(
    "question",
    [
        "the Kite Runner", "science fiction about Percy Jackson", "a guide to desert planets for the driving test",
        "учебник налогового права", "приключения Алисы Селезнёвой", "научная фантастика на татарском",
        "bộ Tam quốc diễn nghĩa", "kim dung", "sách luyện thi vật lý lớp 12 Hội An", "khoa học viễn tưởng tiếng Hàn",
    ],
)  # fmt: skip
def test_what_lacks_the_name_or_the_thing_is_not_named(
    conn: psycopg.Connection, keys: dict[str, int], question: str
) -> None:
    assert ask(conn, question, None).refusal == "nothing"


def test_what_lacks_a_name_that_the_best_work_has_is_not_named(conn: psycopg.Connection, keys: dict[str, int]) -> None:
    assert titles(ask(conn, "a spider and a pig named Wilbur", None)) == ["Charlotte's Web"]


def test_hidden_works_leave_room_for_others(conn: psycopg.Connection, keys: dict[str, int]) -> None:
    assert titles(ask(conn, "books by Frank Herbert", None, hidden={keys["Dune"]})) == ["Dune Messiah"]


def test_a_conversation_is_known(conn: psycopg.Connection, keys: dict[str, int]) -> None:
    first = ask(conn, "science fiction", None)
    like_second = ask(conn, "more like the second one", None, first)
    why = ask(conn, "why the first one?", None, first)

    assert len(first.books) == 3
    assert not set(titles(first)) & set(titles(like_second))
    assert titles(why) == titles(first)[:1]
    assert why.opening != first.opening


def test_candidates_say_what_they_hold(conn: psycopg.Connection, keys: dict[str, int]) -> None:
    found = retrieve(conn, parse("science fiction about whales"), Bounds())
    by_title = {c.record.title: c for c in found.candidates}

    assert "science fiction" in by_title["Dune"].holds
    assert "whales" in by_title["Dune"].lacks


@pytest.fixture
def described(conn: psycopg.Connection, keys: dict[str, int]) -> dict[str, int]:
    """Some works whose source says how long they are, for whom, what about and how they feel; in its own words."""
    for title, pages, first, last, themes, moods in (
        ("Dune", 604, 14, None, ["power", "the desert"], ["epic", "slow"]),
        ("The Left Hand of Darkness", 304, 14, None, ["mourning", "friendship"], ["bittersweet"]),
        ("A Brief History of Time", 190, None, None, ["tự học"], ["grandiose", "ironic"]),
        ("Charlotte's Web", 184, 7, 11, ["friendship"], ["cosy"]),
    ):
        conn.execute(
            "update library.works set pages = %s, age_from = %s, age_to = %s, themes = %s, moods = %s "
            "where book_id = %s",
            [pages, first, last, themes, moods, keys[title]],
        )
    ingestion.bump_version(conn)
    return keys


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("a book about grief", "The Left Hand of Darkness"),  # no word of it stands in the record
        ("something sad for adults", "The Left Hand of Darkness"),
        ("что-нибудь о дружбе, уютное, для дочки 8 лет", "Charlotte's Web"),
        ("a wry book", "A Brief History of Time"),
        ("a long book, over 500 pages", "Dune"),
        ("a book for grown-ups under 200 pages", "A Brief History of Time"),
    ],
)
def test_what_its_source_says_of_a_work_is_evidence(
    conn: psycopg.Connection, described: dict[str, int], question: str, first: str
) -> None:
    assert titles(ask(conn, question, None))[0] == first


def test_ages_and_pages_are_bounds(conn: psycopg.Connection, described: dict[str, int]) -> None:
    assert "Charlotte's Web" not in titles(ask(conn, "a story for my son, 15", None))
    assert "Dune" not in titles(ask(conn, "science fiction under 300 pages", None))
    friendly = titles(ask(conn, "nothing dark or cosy, about friendship", None))
    assert (friendly[0], "Charlotte's Web" in friendly) == ("The Left Hand of Darkness", False)


def test_how_old_a_grown_up_is_bounds_nothing(conn: psycopg.Connection, described: dict[str, int]) -> None:
    plain, of_age = (titles(ask(conn, f"a book about grief{who}", None)) for who in ("", ", I am 74"))

    assert of_age == plain


def test_the_thinnest_book_is_none_for_the_smallest(conn: psycopg.Connection, described: dict[str, int]) -> None:
    assert titles(ask(conn, "the thinnest book you have", None))[0] == "A Brief History of Time"
    assert titles(ask(conn, "the thinnest book you have for children", None))[0] == "Charlotte's Web"


def test_subjects_themes_and_moods_are_near_to_what_means_nearly_the_same() -> None:
    assert closeness("grief", "grief") == 1.0
    assert closeness("grief", "death") > closeness("grief", "cooking")


def test_of_works_that_share_no_term_the_one_whose_terms_are_near_is_more_like_a_liked_one(
    conn: psycopg.Connection, keys: dict[str, int]
) -> None:
    other, near, far = (keys[title] for title in ("Dune", "The Left Hand of Darkness", "Salt, Fat, Acid, Heat"))
    for book_id, themes, moods in (
        (other, ["grief"], ["sad"]), (near, ["death"], ["nostalgic"]), (far, ["food"], ["practical"]),
    ):  # fmt: skip
        conn.execute("update library.works set themes = %s, moods = %s where book_id = %s", [themes, moods, book_id])

    named = titles(ask(conn, "something like Dune", None))

    assert "The Left Hand of Darkness" in named
    assert "Salt, Fat, Acid, Heat" not in named[:1]


def test_the_liked_work_in_other_letters_is_none_of_its_like(conn: psycopg.Connection, keys: dict[str, int]) -> None:
    for title, language in (("Dune", "eng"), ("The Left Hand of Darkness", "jpn")):
        conn.execute(
            "update library.works set themes = %s, moods = %s, year = 1965, language = %s where book_id = %s",
            [["the desert", "power"], ["epic"], language, keys[title]],
        )

    assert "The Left Hand of Darkness" not in titles(ask(conn, "something like Dune", None))


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("Dune. I have not slept since", "Dune"),
        ("Dune by Frank Herbert: what could possibly follow it", "Dune"),
        ("Dune Buggy driving lessons", None),
        ("the latest by Danielle Salt", None),
    ],
)
def test_a_title_at_the_beginning_is_named_where_it_stands_alone_or_by_its_author_and_never_as_part_of_a_name(
    conn: psycopg.Connection, keys: dict[str, int], question: str, title: str | None
) -> None:
    found = [each.book_id for each in mentions(conn, question, None)]

    assert found == ([keys[title]] if title else [])


def test_what_no_rule_knows_is_read_as_what_it_is_nearest_to() -> None:
    assert "mountains" in dict(nearest_to("mountaineering"))
    assert nearest_to("kubernetes") == ()


def test_a_theme_holds_what_is_a_kind_of_it(conn: psycopg.Connection, described: dict[str, int]) -> None:
    conn.execute("update library.works set themes = '{cats}' where book_id = %s", [described["Charlotte's Web"]])
    (found,) = [
        each for each in retrieve(conn, parse("about animals"), Bounds()).candidates
        if each.record.book_id == described["Charlotte's Web"]
    ]  # fmt: skip
    assert "animals" in found.holds


@pytest.mark.parametrize(
    ("blurb", "span"),
    [
        ("For readers from nine.", (9, 14)),
        ("Best for ages eight to twelve.", (8, 12)),
        ("Suits children under four.", (0, 4)),
        ("For ages fourteen and over.", (14, 19)),
        ("Four- to eight-year-olds will love it.", (4, 8)),
        ("Удобно читать вслух дошкольникам.", (2, 6)),
        ("Dành cho bạn đọc từ 8 tuổi.", (8, 13)),
        ("Two sisters of nine sail away.", None),
        ("A novel of 1914.", None),
    ],
)
def test_ages_are_read_where_a_blurb_names_them(blurb: str, span: tuple[int, int] | None) -> None:
    assert ages(blurb) == span


def test_length_is_what_the_record_says_of_it() -> None:
    assert length_of(record(1, summary="A slim novel of one night.")) == "short"
    assert length_of(record(1, summary="A sprawling saga of four generations.")) == "long"
    assert length_of(record(1, summary="Whales, mostly.")) is None
    assert length_of(record(1, summary="A slim novel of one night.", pages=720)) == "long"


def record(book_id: int, **fields: object) -> Record:
    known = {
        "title": f"Title {book_id}", "authors_text": "Somebody", "year": 1990, "language": "eng", "audience": "adult",
        "subjects_text": "war", "series_name": None, "summary": "Some words.",
    }  # fmt: skip
    return Record(book_id, **(known | fields))  # pyright: ignore[reportArgumentType]


def candidates(count: int) -> list[Candidate]:
    return [Candidate(record(n), 1.0 - n / 100, True, 1.0, 0.0) for n in range(count)]


@given(
    st.integers(0, 50),
    st.lists(st.integers(-5, 60), max_size=80),
    st.dictionaries(st.integers(-5, 60), st.floats(-1, 1), max_size=60),
)
def test_reranking_is_a_permutation_whatever_taste_and_model_say(
    count: int, order: list[int], taste: dict[int, float]
) -> None:
    before = candidates(count)

    after = rerank(before, lambda _ids: taste, lambda _records: order)

    assert sorted(c.record.book_id for c in after) == sorted(c.record.book_id for c in before)


def test_the_models_order_counts_when_it_makes_sense() -> None:
    before = candidates(4)

    assert [c.record.book_id for c in permuted(before, [3, 2, 1, 0])] == [3, 2, 1, 0]
    assert [c.record.book_id for c in permuted(before, [2, 3])] == [2, 3, 0, 1]
    assert permuted(before, [99, 98, 97, 96]) == before
    assert permuted(before, [3]) == before
    assert permuted(before, []) == before


def test_taste_moves_works_that_answer_alike_and_no_others() -> None:
    alike = [Candidate(record(n), 1.0, True, 1.0, 0.0) for n in (1, 2)]
    better = Candidate(record(3), 2.0, True, 1.0, 0.0)

    ranked = rerank([better, *alike], lambda _ids: {1: -0.5, 2: 0.8})

    assert [c.record.book_id for c in ranked] == [3, 2, 1]
