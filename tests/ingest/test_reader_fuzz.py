"""Whatever a file of a standard holds: its records are loaded or rejected one by one, or it is refused; never half."""

import gzip
import io
import itertools
import json
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymarc import Field, Indicators, Leader, Record, Subfield
from pymarc.marcxml import record_to_xml
from test_opf import CONTAINER

from ingest import epub_load, marc, opf
from ingest.clean import Edition, Rejected
from ingest.epub_load import ingest_epubs
from ingest.load import Report
from ingest.marc_load import ingest_marc
from ingest.open_library import Found, ingest_open_library
from openshelf.errors import IngestError

FUZZ = settings(max_examples=150)
LOADED = settings(max_examples=25)
# What breaks readers and databases: NULs, lone halves of letters, directions, mark-up, endless words, odd numbers.
ODD = st.sampled_from(
    ["", "\x00", "\x1e\x1d\x1f", "\u202egnal", "<b>&lt;", "a" * 5_000, "9999", "-1", "1e999", "٣", "NaN", "ﬃ", "\ufffe",
     "2024-02-30", "http://[", "ISBN 0-306-40615-X", "'; drop table works; --", "%s", "{0}", "\\", "\ufeff"]
)  # fmt: skip
TEXT = st.text(max_size=30) | ODD
_number = itertools.count()
XML_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30) | ODD.filter(
    lambda text: not set(text) & set("\x00\x1d\x1e\x1f\ufffe")
)
NAMES = st.sampled_from(
    ["dc:title", "dc:creator", "dc:language", "dc:date", "dc:identifier", "dc:subject", "dc:description",
     "dc:publisher", "meta", "link", "dc:contributor", "x"]
)  # fmt: skip
PROPERTIES = st.sampled_from(
    ["dcterms:modified", "belongs-to-collection", "group-position", "collection-type", "role", "file-as", "title-type",
     "display-seq", "authority", "term", "schema:accessMode", "calibre:series", "calibre:series_index", "cover", ""]
)  # fmt: skip
ELEMENTS = st.lists(
    st.tuples(NAMES, PROPERTIES, XML_TEXT, XML_TEXT, st.sampled_from(["", "#t", "#", "##"])), max_size=12
)


def package(elements: list[tuple[str, str, str, str, str]]) -> bytes:
    inner = "".join(
        f"<{name} property={quoteattr(prop)} name={quoteattr(prop)} content={quoteattr(content)} id='t' "
        f"refines={quoteattr(refines)} opf:role={quoteattr(prop)} opf:scheme={quoteattr(content)}>"
        f"{escape(text)}</{name}>"
        for name, prop, content, text, refines in elements
    )
    return (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:opf="http://www.idpf.org/2007/opf" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" version="3.0"><metadata>'
        f"<dc:title>A book</dc:title>{inner}</metadata></package>"
    ).encode("utf-8", "replace")


def epub_bytes(content: bytes, container: str = CONTAINER.format("p.opf")) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", container)
        archive.writestr("p.opf", content)
    return file.getvalue()


@FUZZ
@given(ELEMENTS)
def test_whatever_a_package_says_it_is_an_edition_or_rejected(elements: list[tuple[str, str, str, str, str]]) -> None:
    assert isinstance(opf.edition_of(package(elements), 1, "f", "k"), Edition | Rejected)


@FUZZ
@given(at=st.floats(0, 1, exclude_max=True), junk=st.binary(min_size=1, max_size=60), cut=st.integers(0, 200))
def test_a_damaged_epub_is_an_edition_or_rejected(at: float, junk: bytes, cut: int, tmp_path: Path) -> None:
    raw = epub_bytes(package([("dc:creator", "role", "aut", "Ann Lee", "")]))
    start = int(at * len(raw))
    (tmp_path / "b.epub").write_bytes((raw[:start] + junk + raw[start + len(junk) :])[: len(raw) - cut])

    assert isinstance(epub_load._edition(tmp_path, "b.epub", 1), Edition | Rejected)


@LOADED
@given(books=st.lists(ELEMENTS, min_size=1, max_size=4), junk=st.binary(max_size=40))
def test_whatever_editions_a_folder_holds_the_database_takes_them(
    books: list[list[tuple[str, str, str, str, str]]], junk: bytes, conn: psycopg.Connection,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("books")
    for number, elements in enumerate(books):
        (folder / f"{number}.epub").write_bytes(epub_bytes(package(elements)))
    (folder / "junk.epub").write_bytes(junk)

    report = ingest_epubs(conn, folder)

    assert report.inserted + report.rejected == len(books) + 1
    assert len(report.reasons) == report.rejected >= 1
    assert ingest_epubs(conn, folder).inserted == 0


TAGS = st.sampled_from(
    ["001", "003", "005", "008", "020", "041", "082", "084", "100", "240", "245", "250", "264", "300", "490", "520",
     "600", "650", "655", "700", "800", "830", "856", "880", "9XX"]
)  # fmt: skip
FIELDS = st.lists(
    st.tuples(TAGS, st.sampled_from(["  ", "1 ", "14", "09", "\x00x"]), st.lists(
        st.tuples(st.sampled_from("abcdtv26xyz0"), TEXT), max_size=4)),
    max_size=10,
)  # fmt: skip
LEADERS = st.sampled_from(
    ["00000nam a2200000 c 4500", "00000dam a2200000 c 4500", "00000cgm  2200000   4500", "x" * 24]
)


def marc_record(leader: str, fields: list[tuple[str, str, list[tuple[str, str]]]], number: int) -> Record:
    record = Record(force_utf8=True)
    record.leader = Leader(leader)
    record.add_field(Field("001", data=f"k{number}"))
    record.add_field(Field("245", Indicators("0", "0"), [Subfield("a", f"Book {number}")]))
    for tag, indicators, subfields in fields:
        if tag < "010":
            record.add_field(Field(tag, data="".join(text for _, text in subfields)))
        else:
            record.add_field(Field(tag, Indicators(*indicators), [Subfield(*each) for each in subfields]))
    return record


@FUZZ
@given(LEADERS, FIELDS)
def test_whatever_a_marc_record_says_it_is_an_edition_or_rejected(
    leader: str, fields: list[tuple[str, str, list[tuple[str, str]]]]
) -> None:
    found = marc.edition_of(marc_record(leader, fields, 1), 1, "record 1")

    assert isinstance(found, Edition | Rejected)


@LOADED
@given(books=st.lists(FIELDS, min_size=1, max_size=4), as_xml=st.booleans())
def test_whatever_marc_file_comes_all_of_it_is_loaded_or_nothing(
    books: list[list[tuple[str, str, list[tuple[str, str]]]]], as_xml: bool, conn: psycopg.Connection,
    tmp_path: Path,
) -> None:  # fmt: skip
    path, source = tmp_path / "delivery", f"source {next(_number)}"
    records = [marc_record("00000nam a2200000 c 4500", fields, n) for n, fields in enumerate(books)]
    try:
        raw = [record_to_xml(each) if as_xml else each.as_marc() for each in records]
    except Exception:  # noqa: BLE001 - what pymarc cannot write is no file
        return
    path.write_bytes(b"<collection>" + b"".join(raw) + b"</collection>" if as_xml else b"".join(raw))
    before = counts(conn)
    report: Report | None = None
    try:
        report = ingest_marc(conn, path, source)
    except IngestError:
        assert counts(conn) == before
    if report:
        assert report.inserted + report.rejected == len(books)
        assert counts(conn) == before + report.inserted


def counts(conn: psycopg.Connection) -> int:
    row = conn.execute("select count(*) from library.editions").fetchone()
    assert row
    return row[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)
RECORDS = st.fixed_dictionaries(
    {}, optional={"key": JSON, "isbn_13": JSON, "isbn_10": JSON, "works": JSON | st.just([{"key": "/works/OL1W"}])}
)
LINES = st.one_of(
    RECORDS.map(
        lambda record: b"/type/edition\t/books/OL1M\t1\t2020\t" + json.dumps(record).encode("utf-8", "replace")
    ),
    st.binary(max_size=60).map(lambda raw: b"/type/edition\t/books/OL2M\t1\t2020\t" + raw.replace(b"\n", b" ")),
    st.binary(max_size=60).map(lambda raw: raw.replace(b"\n", b" ")),
    st.just(b"/type/author\t/authors/OL1A\t1\t2020\t{}"),
)


@FUZZ
@given(lines=st.lists(LINES, max_size=6), packed=st.booleans(), cut=st.integers(0, 30))
def test_whatever_a_dump_holds_its_lines_are_read_or_counted_as_rejected(
    lines: list[bytes], packed: bool, cut: int, conn: psycopg.Connection, tmp_path: Path
) -> None:
    raw = b"".join(line + b"\n" for line in lines)
    dump = tmp_path / "dump"
    dump.write_bytes(gzip.compress(raw)[: -cut or None] if packed else raw)
    found: Found | None = None
    try:
        found = ingest_open_library(conn, dump)
    except IngestError:
        assert packed
        assert cut
    if found:
        assert found.rejected == len(found.reasons) <= found.lines
        assert found.lines == len(lines) or cut
