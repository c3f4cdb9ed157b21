"""Which language a page is in, and that every word of ours is in every language."""

import re
from collections.abc import Iterator
from datetime import date
from string import Formatter

import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po

from dashboard import language
from dashboard.locale.update import is_translated, said_in_code

TRANSLATED = [code for code in language.LANGUAGES if code != language.DEFAULT]


def translations(code: str) -> Iterator[Message]:
    with (language.LOCALES / f"{code}.po").open("rb") as file:
        yield from (message for message in read_po(file, locale=code) if message.id)


def placeholders(text: str) -> set[str]:
    return {name for _text, name, _spec, _conversion in Formatter().parse(text) if name}


@pytest.mark.parametrize("code", TRANSLATED)
def test_every_message_is_translated(code: str) -> None:
    done = {
        message.id if isinstance(message.id, str) else tuple(message.id)
        for message in translations(code)
        if is_translated(message.string)
    }
    missing = [f"{place}: {said!r}" for said, place in said_in_code().items() if said not in done]
    assert not missing, "run `make messages` and translate:\n" + "\n".join(missing)


@pytest.mark.parametrize("code", TRANSLATED)
def test_no_translation_is_of_a_message_that_nobody_says(code: str) -> None:
    said = set(said_in_code())
    known = [message.id if isinstance(message.id, str) else tuple(message.id) for message in translations(code)]
    assert [each for each in known if each not in said] == []


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translation_has_the_places_of_its_message(code: str) -> None:
    for message in translations(code):
        originals = [message.id] if isinstance(message.id, str) else list(message.id)
        translated = [message.string] if isinstance(message.string, str) else list(message.string)
        wanted = set().union(*map(placeholders, originals))
        for text in translated:
            # The count may be left out where a form means one number only.
            assert placeholders(text) | ({"count"} & wanted) == wanted, message.id


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translation_is_not_the_message_itself(code: str) -> None:
    """Names and abbreviations may be; a sentence may not."""
    same = [m.id for m in translations(code) if m.string == m.id and len(re.findall(r"[a-z]{3,}", str(m.id))) > 2]
    assert same == []


def test_russian_plurals_have_their_three_forms() -> None:
    said = next(message.id for message in translations("ru") if message.pluralizable)
    with language.speaking("ru"):
        forms = [re.sub(r"\d+", "", language.plural(*said, count)) for count in (1, 2, 5, 21)]
    assert len(set(forms)) == 3
    assert forms[0] == forms[3]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("vi-VN,vi;q=0.9,en;q=0.8", "vi"),
        ("ru", "ru"),
        ("en;q=0.3,ru;q=0.9", "ru"),
        ("fr,de", "en"),
        ("", "en"),
        ("vi;q=nonsense", "en"),
        ("," * 1_000, "en"),
    ],
)
def test_a_browser_s_preference(asked: str, expected: str) -> None:
    assert language.preferred(asked) == expected


def test_numbers_and_days_are_written_as_the_language_does() -> None:
    with language.speaking("ru"):
        assert language.number(12_000.5) == "12\xa0000,5"
        assert language.day(date(2026, 3, 5)) == "5 марта 2026\u202fг."
        assert language.language_name("vie") == "вьетнамский"
    with language.speaking("vi"):
        assert language.number(12_000.5) == "12.000,5"
    with language.speaking("en"):
        assert (language.number(4.0), language.number(4.5)) == ("4", "4.5")
