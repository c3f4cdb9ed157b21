"""OPF and EPUB metadata, with accessibility: read, written, read back; folders of EPUB files into the catalogue."""

import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_marc import DUNE, editions

from ingest import clean, opf
from ingest.accessibility import Accessibility, of_epub
from ingest.clean import Edition, Rejected
from ingest.epub_load import difference, export_opf, ingest_epubs
from ingest.load import ingest_calibre
from openshelf.database import ingestion
from openshelf.errors import IngestError
from openshelf.works_composing import Author

ACCESS = Accessibility(
    modes=("textual", "visual"),
    sufficient_modes=("textual,visual", "textual"),
    features=("alternativeText", "tableOfContents"),
    hazards=("none",),
    conforms_to=("EPUB Accessibility 1.1 - WCAG 2.1 Level AA",),
    certified_by="A Certifier",
    summary="All images are described.",
)
CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0"><rootfiles>'
    '<rootfile full-path="{}" media-type="application/oebps-package+xml"/></rootfiles></container>'
)


def epub(path: Path, package: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", CONTAINER.format("OEBPS/package.opf"))
        archive.writestr("OEBPS/package.opf", package)
    return path


def read_back(edition: Edition) -> Edition | Rejected:
    return opf.edition_of(opf.package_of(edition, "urn:uuid:1"), 1, "f", "k1")


def kept(edition: Edition) -> Edition:
    """What OPF has a place for."""
    return replace(edition, added_at=None, original_title=None)


def test_what_is_written_is_read_back_with_accessibility() -> None:
    isbns = (("isbn", "9780340960196"), ("isbn-2", "9780441172719"), ("openlibrary", "OL1M"))
    edition = replace(DUNE, accessibility=ACCESS, identifiers=isbns)

    assert read_back(edition) == kept(edition)


@settings(max_examples=150)
@given(editions)
def test_whatever_a_clean_edition_holds_survives_the_round_trip(edition: Edition) -> None:
    if edition.series_name is None:
        edition = replace(edition, series_index=None)
    # A subject that is itself a code is told as a code as well.
    edition = replace(edition, accessibility=ACCESS, summary=clean.summary(edition.summary))

    back = read_back(edition)

    assert isinstance(back, Edition)
    assert replace(back, classifications=()) == replace(kept(edition), classifications=())
    assert {*edition.classifications} <= {*back.classifications}


EPUB_2 = b"""<?xml version="1.0"?>
<package xmlns="http://www.idpf.org/2007/opf" version="2.0"><metadata
    xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:opf="http://www.idpf.org/2007/opf">
  <dc:title>The Hobbit</dc:title>
  <dc:creator opf:role="aut" opf:file-as="Tolkien, J. R. R.">J. R. R. Tolkien</dc:creator>
  <dc:creator opf:role="ill">Alan Lee</dc:creator>
  <dc:identifier opf:scheme="ISBN">0-261-10221-4</dc:identifier>
  <dc:identifier opf:scheme="uuid">11111111-2222-4333-8444-555555555555</dc:identifier>
  <dc:language>en-GB</dc:language><dc:date>1937-09</dc:date><dc:subject>Fantasy</dc:subject>
  <dc:description>&lt;p&gt;There and &lt;b&gt;back&lt;/b&gt;.&lt;/p&gt;</dc:description>
  <meta name="calibre:series" content="Middle-earth"/><meta name="calibre:series_index" content="1.0"/>
  <meta name="calibre:title_sort" content="Hobbit, The"/>
  <meta name="schema:accessMode" content="textual"/>
</metadata></package>"""


def test_an_epub_2_package_with_calibre_s_series_is_understood() -> None:
    found = opf.edition_of(EPUB_2, 1, "f", "k")

    assert isinstance(found, Edition)
    assert (found.title, found.title_sort) == ("The Hobbit", "Hobbit, The")
    assert found.authors == (Author("J. R. R. Tolkien", "Tolkien, J. R. R."),)
    assert found.identifiers == (("isbn", "9780261102217"),)
    assert (found.languages, found.published_on) == (("eng",), date(1937, 9, 1))
    assert (found.series_name, found.series_index) == ("Middle-earth", 1.0)
    assert found.summary == "There and back."
    assert found.accessibility == Accessibility(modes=("textual",))
    assert found.modified_at == datetime(2000, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("dates", "day"),
    [
        ('<dc:date opf:event="modification">2019-05-01</dc:date><dc:date opf:event="publication">1937</dc:date>', 1937),
        ("<dc:date>2003-12-31T17:00:00+00:00</dc:date>", 2004),  # the first of January in Hanoi
        ("<dc:date>c1937</dc:date>", 1937),
        ("<dc:date>21.09.1937</dc:date>", 1937),
        ("<dc:date>0101-01-01T00:00:00+00:00</dc:date>", None),
        ("<dc:date/>", None),
        ("<dc:date>sometime</dc:date>", None),
        ("<dc:date>0397</dc:date>", 397),
        ("<dc:date>-1200-01-01</dc:date>", None),
        ("<dc:date>1200 BC</dc:date>", None),
    ],
)
def test_the_day_is_that_of_publication_however_it_is_written(dates: str, day: int | None) -> None:
    found = opf.edition_of(EPUB_2.replace(b"<dc:date>1937-09</dc:date>", dates.encode()), 1, "f", "k")

    assert isinstance(found, Edition)
    assert (found.published_on and found.published_on.year) == day


BOMB = b'<!DOCTYPE p [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><package><metadata>&b;</metadata></package>'


@pytest.mark.parametrize("raw", [b"", b"no xml", b"<package/>", BOMB, b"<package><metadata/></package>", b"\xff\xfe<"])
def test_a_package_that_cannot_be_used_is_rejected(raw: bytes) -> None:
    assert isinstance(opf.edition_of(raw, 1, "f", "k"), Rejected)


@settings(max_examples=200)
@given(at=st.integers(0, 3000), junk=st.binary(max_size=12))
def test_a_damaged_package_is_read_or_rejected_and_never_a_traceback(at: int, junk: bytes) -> None:
    raw = opf.package_of(replace(DUNE, accessibility=ACCESS), "urn:uuid:1")
    at %= len(raw)

    assert isinstance(opf.edition_of(raw[:at] + junk + raw[at + len(junk) :], 1, "f", "k"), Edition | Rejected)


def test_a_folder_of_files_comes_changes_and_goes(conn: psycopg.Connection, tmp_path: Path) -> None:
    folder = tmp_path / "books"
    for number in range(6):
        title = f"Book {'ABCDEF'[number]}"
        package = opf.package_of(replace(DUNE, title=title, title_sort=title, identifiers=()), "urn:uuid:1")
        epub(folder / "deep" / f"{number}.epub", package)
    (folder / "broken.epub").write_bytes(b"PK\x03\x04 no zip")
    (folder / "out.epub").symlink_to(epub(tmp_path / "outside.epub", EPUB_2))

    assert [each.change for each in difference(conn, folder)] == ["insert"] * 6 + ["reject"]
    first = ingest_epubs(conn, folder)
    again = ingest_epubs(conn, folder)

    assert (first.inserted, first.works, first.reasons) == (6, 6, ["broken.epub: it is no EPUB, or is damaged"])
    assert (again.inserted, again.updated, again.catalogue_version) == (0, 0, None)
    assert conn.execute("select format, path from library.files order by path limit 1").fetchone() == (
        "EPUB", "deep/0.epub",
    )  # fmt: skip
    (folder / "deep" / "5.epub").unlink()
    assert ingest_epubs(conn, folder).deactivated == 1
    for number in range(3):
        (folder / "deep" / f"{number}.epub").unlink()
    with pytest.raises(IngestError, match="books are gone"):
        ingest_epubs(conn, folder)
    with pytest.raises(IngestError, match="is not there"):
        ingest_epubs(conn, tmp_path / "nothing")


def test_accessibility_of_a_calibre_library_s_files_is_kept_and_goes_out(
    conn: psycopg.Connection, library: Path, tmp_path: Path
) -> None:
    file = next(path for path in sorted(library.rglob("*.epub")))
    epub(file, opf.package_of(replace(DUNE, accessibility=ACCESS), "urn:uuid:1"))
    assert of_epub(file) == ACCESS

    ingest_calibre(conn, library)
    kept_rows = [
        row for row in ingestion.whole_editions(conn) if row.accessibility and "certified_by" in row.accessibility
    ]
    count = export_opf(conn, tmp_path / "out")

    assert [row.accessibility for row in kept_rows] == [ACCESS.as_json()]
    assert count == len(list((tmp_path / "out").iterdir())) == 20
    written = (tmp_path / "out" / f"edition-{kept_rows[0].edition_id}.opf").read_bytes()
    back = opf.edition_of(written, 1, "f", "k")
    assert isinstance(back, Edition)
    assert back.accessibility == ACCESS
