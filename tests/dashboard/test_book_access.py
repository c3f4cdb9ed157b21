"""What a book's file says of its accessibility, as readers see it."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from dashboard_pages import drawn
from psycopg.types.json import Jsonb
from small_epub import epub_bytes
from streamlit.testing.v1 import AppTest

from dashboard.book_access import Access, in_words, of_stored
from ingest.accessibility import of_epub

EPUB3 = """
    <meta property="schema:accessMode">textual</meta><meta property="schema:accessMode">visual</meta>
    <meta property="schema:accessModeSufficient">textual</meta>
    <meta property="schema:accessModeSufficient">textual, visual</meta>
    <meta property="schema:accessibilityFeature">tableOfContents</meta>
    <meta property="schema:accessibilityFeature">alternativeText</meta>
    <meta property="schema:accessibilityHazard">none</meta>
    <meta property="schema:accessibilitySummary">All pictures are
      described. &lt;script&gt;</meta>
    <meta property="title-type" refines="#t">main</meta>
    <meta property="dcterms:conformsTo">EPUB Accessibility 1.1 - WCAG 2.1 Level AA</meta>"""
EPUB2 = """
    <meta name="schema:accessMode" content="visual"/>
    <meta name="schema:accessibilityHazard" content="flashing"/>
    <link rel="dcterms:conformsTo" href="http://www.idpf.org/epub/a11y/accessibility-20170105.html#wcag-a"/>"""


NO_HAZARD = frozenset({"noFlashingHazard", "noMotionSimulationHazard", "noSoundHazard"})
NOTHING = "The file of this book says nothing about it."


def file(tmp_path: Path, metadata: str) -> Path:
    package = (
        f'<package xmlns="http://www.idpf.org/2007/opf"><metadata>{metadata}</metadata><manifest>'
        '<item id="c0" href="text/c0.xhtml" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="c0"/></spine></package>'
    )
    path = tmp_path / "book.epub"
    path.write_bytes(epub_bytes("<p>Text</p>", package=package))
    return path


def said(path: Path) -> Access:
    """What is stored of a file, as the page takes it."""
    told = of_epub(path)
    assert told is not None
    return of_stored(told.as_json())


def test_both_editions_of_the_format_are_read(tmp_path: Path) -> None:
    assert said(file(tmp_path, EPUB3)) == Access(
        modes=frozenset({"textual", "visual"}),
        sufficient=frozenset({frozenset({"textual"}), frozenset({"textual", "visual"})}),
        features=frozenset({"tableOfContents", "alternativeText"}),
        hazards=frozenset({"none"}),
        level="AA",
        summary="All pictures are described. <script>",
    )
    assert said(file(tmp_path, EPUB2)) == Access(
        modes=frozenset({"visual"}), hazards=frozenset({"flashing"}), level="A"
    )
    assert of_epub(file(tmp_path, '<meta name="cover" content="c"/>')) is None


@pytest.mark.parametrize(
    ("access", "label", "words"),
    [
        (Access(sufficient=frozenset({frozenset({"textual"})})), "Without eyes", "in braille, all of it"),
        (Access(modes=frozenset({"textual", "visual"})), "Without eyes", "perhaps not all of it"),
        (Access(modes=frozenset({"visual"})), "Without eyes", "cannot be read aloud"),
        (Access(level="AA"), "Without eyes", "unknown"),
        (Access(level="AA"), "Standard", "WCAG AA"),
        (Access(modes=frozenset({"visual"})), "Hazards", "unknown"),
        (Access(hazards=frozenset({"flashing", "sound"})), "Hazards", "flashing, sudden sounds"),
        (Access(hazards=NO_HAZARD), "Hazards", "none"),
        (Access(features=frozenset({"MathML"})), "Pictures and formulas", "formulas can be read aloud"),
    ],
)  # fmt: skip
def test_it_is_said_in_words_and_what_is_not_known_is_called_so(access: Access, label: str, words: str) -> None:
    assert words in dict(in_words(access))[label]


def test_a_file_that_says_nothing_is_said_to_say_nothing() -> None:
    assert in_words(None) == [("Accessibility", NOTHING)]


def test_the_page_of_a_book_shows_it(
    shelves: dict[str, int], visit: Callable[..., AppTest], tmp_path: Path, conn: psycopg.Connection
) -> None:
    silent = drawn(visit("book", id=str(shelves["Dune"])), "book")[0]
    told = of_epub(file(tmp_path, EPUB3))
    assert told
    conn.execute(
        "update library.editions set accessibility = %s where book_id = %s", [Jsonb(told.as_json()), shelves["Dune"]]
    )
    conn.commit()
    speaking = drawn(visit("book", id=str(shelves["Dune"])), "book")[0]
    without = drawn(visit("book", id=str(shelves["Dune Messiah"])), "book")[0]

    assert [each["value"] for each in silent["access"]] == [NOTHING]
    assert {"label": "Hazards", "value": "none"} in speaking["access"]
    assert {"label": "In the publisher's words", "value": "All pictures are described. <script>"} in speaking["access"]
    assert without["access"] == []


def test_a_damaged_file_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "book.epub"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/container.xml", "<container")

    assert of_epub(path) is None
