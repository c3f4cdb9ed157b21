"""Titles that are said in part, misspelt or in the midst of a story, and whether the work itself is asked for."""

from collections.abc import Callable

import psycopg
import pytest
import small_catalogue

from dashboard.chat.answer import ask
from dashboard.chat.parse import parse
from dashboard.chat.reading.wish import Mention
from models.said_titles import said_titles


@pytest.fixture(scope="session")
def migrated_template(make_database: Callable[..., str], migrated_template: str) -> str:
    """These tests start from a filled catalogue instead of an empty one."""
    return small_catalogue.template(make_database, migrated_template)


@pytest.fixture
def keys(conn: psycopg.Connection) -> dict[str, int]:
    return small_catalogue.keys_of(conn)


@pytest.mark.parametrize(
    ("text", "in_syllables", "wanted", "said"),
    [
        ("my aunt swore by The Left Hand of Darkness, and she hated planes", False, "The Left Hand of Darkness",
         "The Left Hand of Darkness"),
        ("have you the left hand of darknes", False, "The Left Hand of Darkness", "the left hand of darknes"),
        ("darkness of the left hand", False, "The Left Hand of Darkness", "darkness of the left hand"),
        ("salt fat and heat", False, "Salt, Fat, Acid, Heat", "salt fat and heat"),
        ("мертвая душа какая-то", False, "Мёртвые души", "мертвая душа"),
        ("chuyen con de men fieu luu ki", True, "Dế Mèn phiêu lưu ký", "de men fieu luu ki"),
    ],
)  # fmt: skip
def test_a_title_is_found_where_its_words_stand_together(
    conn: psycopg.Connection, keys: dict[str, int], text: str, in_syllables: bool, wanted: str, said: str
) -> None:
    found = said_titles(conn, text, in_syllables=in_syllables)[0]

    assert found.book_id == keys[wanted]
    assert " ".join(text.replace(",", "").replace("-", " ").split()[found.start : found.end]) == said
    assert found.surely > 0.5


@pytest.mark.parametrize(
    ("surer", "less_sure"),
    [
        ("the left hand of darkness", "hand in the left pocket of a coat in darkness"),  # together, or apart
        ("the left hand of darkness", "something about darkness"),  # all, or one word
        ("darkness hand by Ursula Le Guin", "darkness hand by Ursula Brown"),  # with its author
        ("the left hand of darkness", "the left hand of darknis"),
    ],
)
def test_the_more_is_said_in_one_place_the_surer(
    conn: psycopg.Connection, keys: dict[str, int], surer: str, less_sure: str
) -> None:
    def surely(text: str) -> float:
        found = {each.book_id: each.surely for each in said_titles(conn, text)}
        return found.get(keys["The Left Hand of Darkness"], 0.0)

    assert surely(surer) > surely(less_sure)


def test_words_that_say_little_lead_to_no_title(conn: psycopg.Connection, keys: dict[str, int]) -> None:
    we = small_catalogue.add_work(conn, small_catalogue.Work("Мы", ["Е. Замятин"], ["classics"], None, language="rus"))
    yours = small_catalogue.add_work(conn, small_catalogue.Work("Yours and Mine", ["A. Clay"], ["classics"], None))
    conn.execute("update library.catalogue_version set version = version + 1")

    found = said_titles(conn, "is my dog in yours", idle=frozenset(["yours", "mine"]))

    assert we not in [each.book_id for each in found]  # "my" is written in other letters
    assert [each.surely < 0.2 for each in found if each.book_id == yours] == [True]


def test_a_number_is_the_same_in_digits_and_in_words(conn: psycopg.Connection, keys: dict[str, int]) -> None:
    towers = small_catalogue.add_work(conn, small_catalogue.Work("The Nine Kettles", ["A. Clay"], ["classics"], None))
    conn.execute("update library.catalogue_version set version = version + 1")

    answer = ask(conn, "A neighbour was full of the 9 kettles. Would you have it?", None)

    assert [book.book_id for book in answer.books] == [towers]


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("my grandfather used to read us The Left Hand of Darkness in the caravan, do you still keep it?",
         "The Left Hand of Darkness"),
        ("We have to read salt fat acid heat for cookery class and my dog ate the copy", "Salt, Fat, Acid, Heat"),
        ("it was called left hand of something, about a planet", "The Left Hand of Darkness"),
        ("ngày xưa bà nội hay kể dế mèn phiêu lưu cho tôi, ở đây còn không ạ", "Dế Mèn phiêu lưu ký"),
        ("hình như tên là truyện kiều, bạn tôi khen lắm", "Truyện Kiều"),
        ("в школе велели прочитать мертвые души, у вас не осталось?", "Мёртвые души"),
        ("кажется, называлась мастер и маргарита или как-то похоже", "Мастер и Маргарита"),
    ],
)  # fmt: skip
def test_in_the_midst_of_a_story_the_work_itself_is_asked_for(
    conn: psycopg.Connection, keys: dict[str, int], question: str, wanted: str
) -> None:
    answer = ask(conn, question, None)

    assert [book.book_id for book in answer.books] == [keys[wanted]]


DUNE = Mention("dune", 7, is_sure=True, may_be_meant=True)


@pytest.mark.parametrize(
    ("text", "is_liked"),
    [
        ("My brother loved Dune. Do you still have it?", False),
        ("finished Dune, have you anything like it?", True),
        ("My brother loved Dune. What next?", True),
        ("thư viện còn Dune không", False),
        ("đọc xong Dune, còn cuốn nào kiểu đó không", True),
        ("прочитала Dune, что еще есть?", True),
        ("дочке задали прочитать Dune, у вас есть?", False),
    ],
)
def test_a_work_is_liked_or_would_be_had_itself(text: str, is_liked: bool) -> None:
    wish = parse(text, mentions=[DUNE])

    assert wish.like == ((7,) if is_liked else ())
    assert wish.meant == (() if is_liked else (7,))


def test_what_a_book_is_about_is_no_title(conn: psycopg.Connection, keys: dict[str, int]) -> None:
    answer = ask(conn, "a novel about a desert planet, not too sad", None)

    assert answer.wish.meant == ()


def test_words_of_a_title_that_stand_apart_count_less_and_name_nothing(
    conn: psycopg.Connection, keys: dict[str, int]
) -> None:
    together, apart = "the left hand of darkness", "my left knee, then one hand, and now I fear the darkness at night"

    found, less = said_titles(conn, together)[0], said_titles(conn, apart)[0]

    assert found.book_id == less.book_id == keys["The Left Hand of Darkness"]
    assert less.is_apart
    assert less.surely < found.surely
    assert ask(conn, apart, None).wish.meant == ()
