"""Questions in words become wishes."""

import pytest

from dashboard.chat.parse import Wish, language_of, parse


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("a book about whales", "en"),
        ("sách về lịch sử Việt Nam", "vi"),
        ("toi muon tim cuon sach nau an", "vi"),
        ("книги о войне", "ru"),
        ("Tolstoy, Толстой", "en"),
        ("crème brûlée recipes", "en"),
        ("", "en"),
    ],
)
def test_the_language_is_told_by_script_letters_or_words(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("text", "subjects", "words"),
    [
        ("a funny book about cooking", ("humour", "cooking"), ()),
        ("sách nấu ăn", ("cooking",), ()),
        ("что-нибудь смешное для детей", ("humour", "children"), ()),
        ("science fiction about whales", ("science fiction",), ("whales",)),
        ("a warehouse of artichokes", (), ("warehouse", "artichokes")),
    ],
)
def test_subjects_are_heard_in_three_languages(text: str, subjects: tuple[str, ...], words: tuple[str, ...]) -> None:
    wish = parse(text)

    assert wish.subjects == subjects
    assert wish.words == words


def test_what_to_avoid_when_and_in_which_language_is_understood() -> None:
    wish = parse("science fiction before 1970 in Russian, no war")

    assert wish.subjects == ("science fiction",)
    assert wish.avoid == ("war",)
    assert (wish.year_from, wish.year_to) == (None, 1969)
    assert wish.written_in == "rus"
    assert wish.words == ()


def test_a_book_to_be_like_is_understood() -> None:
    assert parse("I want something like The Left Hand of Darkness").titled == "the left hand of darkness"


def test_a_follow_up_stands_on_the_question_before() -> None:
    first = parse("books about whales")

    more = parse("more please", first)
    other = parse("and about gardening?", first)

    assert more.words == first.words
    assert more.is_more
    assert other.subjects == ("gardening",)
    assert "whales" not in other.words


@pytest.mark.parametrize("text", ["", "   ", "hello", "?!", "\x00", "привет", "xin chào"])
def test_saying_nothing_wishes_nothing(text: str) -> None:
    assert parse(text).is_empty


def test_a_hundred_kilobytes_are_cut() -> None:
    wish = parse("whales " * 20_000)

    assert isinstance(wish, Wish)
    assert len(wish.text) <= 2_000
