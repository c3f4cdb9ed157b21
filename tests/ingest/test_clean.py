"""Calibre's fields become plain, safe and honest ones."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ingest.calibre import CalibreBook, CalibreFile
from ingest.clean import Edition, Rejected, clean, find_files, instant, isbn, language, line, published, summary
from openshelf.works_composing import audience

BOOK = CalibreBook(
    calibre_id=1,
    uuid="u",
    title="A  Title",
    title_sort="Title, A",
    added_at="2024-05-01 10:00:00+00:00",
    published_at="1999-01-15 00:00:00+00:00",
    modified_at="2024-05-01 10:00:00.123456+00:00",
    folder="Ann O'Hara/A Title (1)",
    has_cover=True,
    series_index=3.0,
    authors=(("Le Guin| Ursula K.", "Le Guin, Ursula K."), ("Bo Lee", None)),
    languages=("vi", "und", "eng"),
    publisher="Harbour",
    rating=9,
    series=None,
    subjects=("science", "nature", "science"),
    comments="<p>A  b</p>",
    files=(CalibreFile("EPUB", "A Title - Ann O'Hara.epub", 3), CalibreFile("PDF", "../../secret.pdf", 3)),
    identifiers=(("ISBN", "9780441172719"), ("doi", "")),
)


def cleaned(book: CalibreBook = BOOK) -> Edition:
    edition = clean(book)
    assert isinstance(edition, Edition)
    return edition


def test_every_field_arrives_as_it_should() -> None:
    edition = cleaned()

    assert edition.title == "A Title"
    assert edition.authors_text == "Le Guin, Ursula K., Bo Lee"
    assert edition.languages == ("vie", "eng")
    assert edition.published_on == date(1999, 1, 15)
    assert edition.rating == 4.5
    assert edition.subjects == ("science", "nature")
    assert edition.identifiers == (("isbn", "9780441172719"),)
    assert (edition.series_name, edition.series_index) == (None, None)
    assert [file.path for file in edition.files] == ["Ann O'Hara/A Title (1)/A Title - Ann O'Hara.epub"]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>A  b</p>", "A b"),
        ("<p>One</p><p>Two &amp; three</p>", "One\n\nTwo & three"),
        ("a<br>b", "a\n\nb"),
        ("<script>alert(1)</script><p onclick='x()'>Safe</p>", "Safe"),
        ("<img src=x onerror=alert(1)>Seen", "Seen"),
        ("x\x00y", "xy"),
        ("", None),
        (None, None),
        ("NaN", None),
        ("<p> </p>", None),
        ("N/A", None),
    ],
)
def test_a_description_becomes_plain_text(html: str | None, text: str | None) -> None:
    assert summary(html) == text


_PIECES = (
    *("<p>", "</p>", "<br/>", "<B>", "</b >", "<h2>", "<script>x</script>", "<a href='x'>", "&amp;", "&lt;i&gt;", "<"),
    *("x<y", ">", "Чехов", "đường", "  ", "\n", "<pre>\n\nx</pre>", "<!-- c -->", "</", "<i", "\u00a0", "Ã©", "\x85"),
)


@given(st.lists(st.sampled_from(_PIECES), max_size=8).map("".join))
def test_plain_mark_up_goes_as_the_sanitiser_would_take_it(html: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        fast = summary(html)
        patch.setattr("ingest.clean._PLAIN_TAG", re.compile("(?!)"))
        patch.setattr("ingest.clean._ORDINARY", re.compile("(?!)x"))

        assert summary(html) == fast


@given(st.text(st.sampled_from("aбđéÃ©â€œ”ĐßĳǄﬁＡ　½\u0301\u200b\ufeff-… \n\r")))
def test_what_needs_no_mending_is_told_apart_from_what_does(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        fast = line.__wrapped__(text)
        patch.setattr("ingest.clean._ORDINARY", re.compile("(?!)x"))

        assert line.__wrapped__(text) == fast


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("<script>Dune</script>", "Dune"),
        ("schÃ¶n", "schön"),
        ("a\x00\ud800 b", "a b"),
        ("It's <3", "It's <3"),
        (None, ""),
        ("Р’РѕР№РЅР° Рё РјРёСЂ", "Война и мир"),  # UTF-8 read as Windows-1251
        ("GroÃ?e StraÃ?en, Ã?sterreich", "Große Straßen, Ã?sterreich"),  # the first letter may be any
        ("Tom &amp; Jerry &c; AT&T", "Tom & Jerry &c; AT&T"),
        ("x &lt;b&gt;y&#0;", "x y\ufffd"),
        ("Donau\u00addampf \ufeff\u202etitle\u200b", "Donaudampf title"),
    ],
)
def test_one_line_of_text_is_mended_and_bare(raw: str | None, text: str) -> None:
    assert line(raw) == text


@pytest.mark.parametrize(
    "text",
    [
        *("Її книга", "РІ", "СІРІ ВОВКИ", "РІДНА МОВА", "ТРЁХ", "СЁСТРЫ", "20 С°", "РЁВ СЁЛ"),  # begin as pairs do
        *("NÃO HÁ MAÇÃ", "Ångström", "Đường về", "Sœur Émilie – l’été", "¿Qué?", "Łódź", "Ελλάδα"),
        *("知识改变命运：如何（上）", "けいおん！", "ＡＢＣ", "ខ្ញុំ\u200bស្រលាញ់"),  # as they are printed there
    ],
)
def test_what_is_right_stays_as_it_is(text: str) -> None:
    assert line(text) == text
    assert summary(text) == text


@pytest.mark.parametrize(
    ("stored", "day"),
    [
        ("2003-12-31 17:00:00+00:00", date(2004, 1, 1)),  # midnight in Hanoi
        ("2003-12-31 21:00:00+00:00", date(2004, 1, 1)),  # ... in Moscow
        ("2003-12-31 11:00:00+00:00", date(2004, 1, 1)),  # ... in Auckland, in summer
        ("2004-01-01 00:00:00+00:00", date(2004, 1, 1)),
        ("2004-01-01 05:00:00+00:00", date(2004, 1, 1)),  # ... in New York
        ("2004-05-01 18:31:22.5+00:00", date(2004, 5, 1)),  # no midnight anywhere
        ("9999-12-31 23:00:00+00:00", date(9999, 12, 31)),
    ],
)
def test_the_day_of_publication_is_the_one_its_library_chose(stored: str, day: date) -> None:
    assert published(stored) == day


@pytest.mark.parametrize(
    ("written", "number"),
    [
        *((form, "9780306406157") for form in (
            "0-306-40615-2", "978 0 306 40615 7", "978‐0–306−40615-7", "ISBN-13: 978-0-306-40615-7", "306406152",
            "ISBN10 0306406152", "urn:isbn:9780306406157", "isbn:0306406152", "9780306406157 (pbk.)",
            '="9780306406157"', "9780306406157.0", "978-0-306-40615-7\u200e",
        )),
        ("0-8044-2957-x", "9780804429573"),
        ("979-10-90636-07-1", "9791090636071"),
        *((form, None) for form in (
            "9780306406158", "0000000000", "1111111111", "97803064061579", "0306406152 9780306406157", "", "n/a",
        )),
    ],
)  # fmt: skip
def test_an_isbn_is_known_however_it_is_written(written: str, number: str | None) -> None:
    assert isbn(written) == number


def test_an_undefined_or_broken_date_is_none() -> None:
    assert published("0101-01-01 00:00:00+00:00") is None
    assert published("yesterday") is None
    assert instant(None) is None


@pytest.mark.parametrize(
    ("code", "known"),
    [
        *(("vi", "vie"), ("rus", "rus"), ("und", None), ("not a code!", None), ("mul", None), ("", None)),
        *(
            ("ger", "deu"),
            ("cze", "ces"),
            ("chi", "zho"),
            ("scr", "hrv"),
            ("iw", "heb"),
            ("pt_BR", "por"),
            ("EN ", "eng"),
        ),
        *(("English", "eng"), ("Tiếng Việt", "vie"), ("tieng nga", "rus"), ("русский", "rus"), ("Deutsch", "deu")),
        *(("вьетнамский", "vie"), ("français", "fra"), ("中文", "zho"), ("Ancient Greek", "grc"), ("Unknown", None)),
    ],
)
def test_languages_are_three_letters_or_none(code: str, known: str | None) -> None:
    assert language(code) == known


@pytest.mark.parametrize(
    ("subjects", "who"),
    [
        (["fantasy", "children"], "children"),
        (["Picture books"], "children"),
        (["Детская литература"], "children"),
        (["young adult", "children"], "young adult"),
        (["childhood memories"], "adult"),
        ([], "adult"),
    ],
)
def test_the_audience_follows_from_the_subjects(subjects: list[str], who: str) -> None:
    assert audience(subjects) == who


def test_a_book_without_author_is_kept() -> None:
    assert cleaned(replace(BOOK, authors=())).authors_text == ""
    assert cleaned(replace(BOOK, authors=(("Unknown", None),))).authors_text == ""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"title": " \x00 "}, "title"),
        ({"folder": "../outside"}, "outside"),
        ({"folder": "/etc"}, "outside"),
        ({"folder": "a/../../b"}, "outside"),
        ({"folder": "C:/x"}, "outside"),
        ({"folder": ""}, "outside"),
        ({"folder": "./"}, "outside"),
        ({"modified_at": "soon"}, "last change"),
    ],
)
def test_a_book_that_cannot_be_used_is_rejected_with_its_reason(change: dict[str, str], reason: str) -> None:
    rejected = clean(replace(BOOK, **change))  # pyright: ignore[reportArgumentType]

    assert isinstance(rejected, Rejected)
    assert reason in rejected.reason


def test_only_a_real_picture_in_the_library_is_a_cover(tmp_path: Path) -> None:
    folder = tmp_path / BOOK.folder
    folder.mkdir(parents=True)

    assert find_files(cleaned(), tmp_path).cover_path is None
    (folder / "cover.jpg").write_text("no picture")
    assert find_files(cleaned(), tmp_path).cover_path is None
    Image.new("RGB", (2, 3)).save(folder / "cover.jpg")
    assert find_files(cleaned(), tmp_path).cover_path == f"{BOOK.folder}/cover.jpg"


def test_a_link_out_of_the_library_is_no_file_of_it(tmp_path: Path) -> None:
    library = tmp_path / "library"
    folder = library / BOOK.folder
    folder.mkdir(parents=True)
    (tmp_path / "secret").write_text("x")
    (folder / BOOK.files[0].name).symlink_to(tmp_path / "secret")

    assert find_files(cleaned(), library).files == ()


def test_the_hash_changes_with_the_content_and_not_with_the_clock() -> None:
    later = cleaned(replace(BOOK, modified_at="2025-01-01 00:00:00+00:00"))

    assert later.content_hash == cleaned().content_hash
    assert cleaned(replace(BOOK, rating=8)).content_hash != cleaned().content_hash
