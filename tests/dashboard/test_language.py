"""Which language a page is in, and that every word of ours is in every language."""

import ast
import re
from collections.abc import Iterator
from datetime import date
from string import Formatter

import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po

from dashboard import language
from dashboard.locale.update import KEYWORDS, is_translated, said_in_code

FOLDER = language.LOCALES.parent
# Functions that show what they are given, and the arguments of theirs that are shown.
DRAWING = {
    "notice", "heading", "section", "said", "aside", "field", "toast", "error", "caption", "title", "subheader",
    "metric", "button", "checkbox", "selectbox", "radio", "text_input", "file_uploader", "expander", "download_button",
    "segmented_control", "shelf", "row",
}  # fmt: skip
SHOWN = {"label", "heading", "caption", "title", "empty", "note", "line", "placeholder", "help", "page_title"}
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


def test_no_message_hides_in_an_f_string() -> None:
    """There they are not found, and so never translated."""
    hidden = [
        f"{file}:{call.lineno}"
        for file in FOLDER.rglob("*.py")
        for text in ast.walk(ast.parse(file.read_text()))
        if isinstance(text, ast.JoinedStr)
        for call in ast.walk(text)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in KEYWORDS
    ]
    assert hidden == []


def test_pages_say_nothing_past_the_catalogues() -> None:
    """What is handed to what draws is a message, not a sentence in quotes."""
    raw = [
        f"{file.relative_to(FOLDER)}:{call.lineno}: {text.value!r}"
        for file in FOLDER.rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call) and called(call) in DRAWING
        for text in [*call.args, *(each.value for each in call.keywords if each.arg in SHOWN)]
        if isinstance(text, ast.Constant) and re.search(r"[A-Za-z]+ [A-Za-z]", str(text.value))
    ]
    assert raw == []


def called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        is_log = isinstance(call.func.value, ast.Name) and call.func.value.id.endswith("log")
        return "" if is_log else call.func.attr
    return getattr(call.func, "id", "")


def test_components_say_nothing_of_their_own() -> None:
    """Their words come from Python."""
    said = re.compile(
        r"""(?:text|"aria-label"|placeholder|title|alt|label):\s*(?:[^,\n]*\?\s*)?["`]([^"`]*[A-Za-z]{3}[^"`]*)["`]"""
    )
    raw = [
        f"{file.name}: {words}"
        for file in (FOLDER / "components/js").glob("*.js")
        for words in said.findall(file.read_text())
        if re.search("[A-Za-z]", re.sub(r"\$\{[^}]*\}", "", words))
    ]
    assert raw == []


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


@pytest.mark.parametrize(("code", "said"), [("en", "4.5 stars"), ("vi", "4,5 sao"), ("ru", "4,5 звезды")])
def test_a_fraction_is_said_as_it_is(code: str, said: str) -> None:
    with language.speaking(code):
        assert language.plural("{count} star", "{count} stars", 4.5) == said


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
