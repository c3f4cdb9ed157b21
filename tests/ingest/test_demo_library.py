"""The demo library: curated works, covers, EPUBs, and a database that is Calibre's own."""

import contextlib
import hashlib
import io
import shutil
import sqlite3
import subprocess
import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path
from uuid import UUID
from xml.etree import ElementTree

import pytest
from PIL import Image

from ingest import demo_calibre, demo_catalogue
from ingest.cover_palettes import FAMILIES, Colour, family_of
from ingest.cover_type import face_for, fit, glyphs, split_title
from ingest.covers import LAYOUTS, MAX_BYTES, cover_jpeg
from ingest.demo_catalogue import CuratedWork, check, load_catalogue
from ingest.epub import sample_epub
from openshelf.errors import IngestError, UsageError

WORK = CuratedWork(
    title="The Tide Table: A Novel of Ports",
    authors=("Ann O'Hara", "Bo <Lee>"),
    year=1999,
    language="eng",
    subjects=("literary fiction", "travel"),
    publisher="Harbour & Sons",
    rating=4.5,
    blurb="A harbour master keeps two sets of books, one for the tides and one for the people. " * 2,
    series="Ports",
    series_index=2,
)


def test_the_curated_catalogue_has_six_hundred_sound_works_in_many_languages_and_all_subjects() -> None:
    works = load_catalogue()

    languages = [work.language for work in works]
    assert len(works) >= 600
    assert min(languages.count("vie"), languages.count("rus")) >= 90
    assert {subject for work in works for subject in work.subjects} == demo_catalogue.known_subjects()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"subjects": ("knitting of socks",)}, "unknown subject"),
        ({"language": "xxx"}, "unknown language"),
        ({"isbn": "9780441172710"}, "check digit"),
        ({"blurb": "Good."}, "only 5 characters"),
        ({"rating": 4.3}, "halves"),
        ({"series_index": None}, "go together"),
    ],
)
def test_a_curated_work_with_a_fault_is_named_with_it(change: dict[str, object], fault: str) -> None:
    with pytest.raises(IngestError, match=f"The Tide Table.*{fault}"):
        check([replace(WORK, **change)], demo_catalogue.known_subjects())  # pyright: ignore[reportArgumentType]


def test_a_curated_work_that_is_there_twice_is_refused() -> None:
    with pytest.raises(IngestError, match="is there twice"):
        check([WORK, replace(WORK, year=2005)], demo_catalogue.known_subjects())


def test_every_letter_on_a_cover_is_in_its_font() -> None:
    missing = {
        (work.title, letter)
        for work in load_catalogue()
        for text in (*split_title(work.title), ", ".join(work.authors), work.series or "")
        for letter in text
        if letter not in glyphs(face_for(text, work.language))
    }

    assert missing == set()


def test_a_cover_is_a_jpeg_of_the_promised_size_and_always_the_same() -> None:
    first, second = cover_jpeg(WORK), cover_jpeg(WORK)

    with Image.open(io.BytesIO(first)) as image:
        assert (image.format, image.size) == ("JPEG", (600, 900))
    assert first == second
    assert len(first) <= MAX_BYTES


def test_covers_use_every_layout_and_differ_from_each_other() -> None:
    drawn = {hashlib.sha256(cover_jpeg(work)).digest() for work in load_catalogue()[:30]}

    assert len(LAYOUTS) >= 5
    assert len(drawn) == 30


def test_text_stands_out_from_its_ground_on_every_palette() -> None:
    def light(colour: Colour) -> float:
        parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    for family in FAMILIES.values():
        for palette in family.palettes:
            assert (light(palette.paper) + 0.05) / (light(palette.field) + 0.05) >= 4.5, family.name


def test_every_subject_belongs_to_a_family_of_its_own_choosing() -> None:
    assert {family_of(subject).name for subject in ("cooking", "physics", "travel")} == {"table", "science", "travel"}


def test_a_long_title_is_broken_into_balanced_lines_that_fit() -> None:
    block = fit("The Absolutely True Diary of a Part-Time Indian", "Literata-SemiBold.ttf", 480, 400, 104)

    assert len(block.lines) > 2
    assert max(block.font.getlength(line) for line in block.lines) <= 480
    assert block.height <= 400


def test_an_epub_is_well_formed_and_says_that_it_is_a_sample() -> None:
    data = sample_epub(WORK, UUID(int=7), [replace(WORK, title="Other & Else")], b"\xff\xd8\xff")

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        first = archive.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        assert archive.read("mimetype") == b"application/epub+zip"
        pages = [name for name in archive.namelist() if name.endswith((".xhtml", ".opf", ".xml"))]
        for name in pages:
            ElementTree.fromstring(archive.read(name))
        package = archive.read("OEBPS/package.opf").decode()
        assert all(f'href="{name.removeprefix("OEBPS/")}"' in package for name in pages if name.endswith(".xhtml"))
        assert b"sample made for the Openshelf demo library" in archive.read("OEBPS/about.xhtml")
        assert b"Other &amp; Else" in archive.read("OEBPS/after.xhtml")


def test_an_epub_is_byte_for_byte_the_same_again() -> None:
    assert sample_epub(WORK, UUID(int=7), [], b"x") == sample_epub(WORK, UUID(int=7), [], b"x")


@pytest.mark.parametrize(
    ("language", "word"), [("vie", "Trước khi đọc"), ("rus", "Прежде чем читать"), ("fra", "Before")]
)
def test_an_epub_speaks_the_language_of_its_book_where_it_can(language: str, word: str) -> None:
    data = sample_epub(replace(WORK, language=language), UUID(int=7), [], b"x")

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert word in archive.read("OEBPS/before.xhtml").decode()


def test_the_library_has_a_cover_an_opf_and_mostly_an_epub_for_each_book(built_library: Path) -> None:
    with contextlib.closing(sqlite3.connect(built_library / "metadata.db")) as db:
        folders = [path for (path,) in db.execute("select path from books")]
        epubs = db.execute(
            "select b.path || '/' || d.name || '.epub', d.uncompressed_size from data d join books b on b.id = d.book"
        ).fetchall()

    assert all((built_library / folder / "cover.jpg").is_file() for folder in folders)
    assert all((built_library / folder / "metadata.opf").is_file() for folder in folders)
    assert len(epubs) >= len(folders) * 0.3
    assert all((built_library / path).stat().st_size == size for path, size in epubs)


def test_building_again_leaves_a_complete_library_alone(library: Path) -> None:
    before = (library / "metadata.db").stat().st_mtime_ns

    assert demo_calibre.build(library, limit=20) == 20

    assert (library / "metadata.db").stat().st_mtime_ns == before


def test_a_demo_library_of_another_size_is_built_anew(library: Path) -> None:
    demo_calibre.build(library, limit=3, today=date(2026, 1, 1))

    assert len(list(library.glob("*/*/cover.jpg"))) == 3


def test_the_same_day_makes_the_same_library(tmp_path: Path) -> None:
    def content(path: Path) -> dict[str, bytes]:
        demo_calibre.build(path, limit=3, today=date(2026, 1, 1))
        return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}

    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_a_folder_that_holds_something_else_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("five years of work")

    with pytest.raises(UsageError, match="is not empty"):
        demo_calibre.build(tmp_path, limit=2)

    assert (tmp_path / "thesis.txt").read_text() == "five years of work"


@pytest.mark.skipif(shutil.which("calibredb") is None, reason="calibredb is not installed: apt install calibre")
def test_calibre_itself_opens_checks_and_edits_the_library(library: Path) -> None:
    def calibredb(*words: str) -> str:
        done = subprocess.run(
            ["calibredb", *words, "--library-path", str(library)], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    listed = calibredb("list", "--fields", "id", "--for-machine")
    problems = calibredb("check_library", "--csv")
    calibredb("set_metadata", "1", "--field", "title:Renamed by Calibre")

    assert listed.count('"id"') == 20
    assert problems.replace("Vacuuming database...", "").strip() == ""
    with contextlib.closing(sqlite3.connect(library / "metadata.db")) as db:
        assert db.execute("select title from books where id = 1").fetchone() == ("Renamed by Calibre",)
