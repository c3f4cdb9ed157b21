"""MARC 21 and MARCXML: what is written is read back; what others write is understood; what is broken loads nothing."""

import io
import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymarc import Field, Indicators, Leader, Record, Subfield

from ingest import clean, marc
from ingest.accessibility import Accessibility
from ingest.clean import Edition, Rejected, line
from ingest.load import ingest_calibre
from ingest.marc_load import difference, export_marc, ingest_marc
from openshelf.errors import IngestError
from openshelf.works_composing import Author, author_sort

DUNE = Edition(
    calibre_id=1,
    calibre_uuid=None,
    title="The Dune: a tale",
    title_sort="Dune: a tale, The",
    authors=(Author("Frank Herbert", "Herbert, Frank"), Author("Homer", "Homer")),
    languages=("eng", "deu"),
    published_on=date(1999, 1, 15),
    publisher="Nhà xuất bản Trẻ",
    series_name="Dune",
    series_index=2.5,
    rating=None,
    summary="One.\n\nTwo.",
    subjects=("science fiction", "Khoa học viễn tưởng"),
    folder="",
    cover_path=None,
    files=(),
    identifiers=(("isbn", "9780441172719"), ("openlibrary", "OL1M")),
    added_at=datetime(2024, 5, 1, tzinfo=UTC),
    modified_at=datetime(2025, 6, 7, 8, 9, 10, tzinfo=UTC),
    original_title="Original",
    classifications=(("bisac", "FIC028000"), ("ddc", "813.54"), ("thema", "FL")),
    accessibility=Accessibility(modes=("textual", "visual"), features=("alternativeText",), summary="All of it."),
    source_key="k1",
)


def written(edition: Edition, *, as_xml: bool) -> bytes:
    file = io.BytesIO()
    assert marc.write(iter([marc.record_of(edition, edition.source_key or "x")]), file, as_xml=as_xml) == (1, [])
    return file.getvalue()


def read_back(raw: bytes, path: Path) -> list[Edition | Rejected | str]:
    path.write_bytes(raw)
    return [
        record if isinstance(record, str) else marc.edition_of(record, 1, label) for label, record in marc.read(path)
    ]


@pytest.mark.parametrize("as_xml", [False, True])
def test_what_is_written_is_read_back(as_xml: bool, tmp_path: Path) -> None:
    assert read_back(written(DUNE, as_xml=as_xml), tmp_path / "f") == [DUNE]


# Mended once is not always mended for good: what is left when a tag has gone may look wrongly decoded in its turn.
words = (
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn", "Co"]), min_size=1, max_size=40)
    .map(line)
    .filter(lambda text: text and line(text) == text)
)
names = words.filter(lambda name: ", " not in name)
codes = st.sampled_from(["eng", "vie", "rus", "deu", "fra", "zho", "ces"])
editions = st.builds(
    replace,
    st.just(DUNE),
    title=words,
    authors=st.lists(names, max_size=3, unique=True).map(lambda all_: tuple(Author(n, n) for n in all_)),
    languages=st.lists(codes, max_size=2, unique=True).map(tuple),
    published_on=st.none() | st.dates(date(1000, 1, 1), date(2999, 12, 31)),
    publisher=st.none() | words,
    series_name=st.none() | words,
    series_index=st.none() | st.integers(0, 9999).map(lambda n: n / 4),
    summary=st.none() | words.map(clean.summary),
    subjects=st.lists(words, max_size=3, unique=True).map(tuple),
    original_title=st.none() | words,
)


@settings(max_examples=150)
@given(edition=editions, as_xml=st.booleans())
def test_whatever_a_clean_edition_holds_it_survives_the_round_trip(
    edition: Edition, as_xml: bool, tmp_path: Path
) -> None:
    if edition.series_name is None:
        edition = replace(edition, series_index=None)

    (back,) = read_back(written(edition, as_xml=as_xml), tmp_path / "f")

    assert isinstance(back, Edition)
    assert back == replace(edition, title_sort=back.title_sort)


@pytest.mark.parametrize("as_xml", [False, True])
def test_what_is_filed_in_latin_letters_goes_out_and_comes_back_in_both(as_xml: bool, tmp_path: Path) -> None:
    edition = replace(
        DUNE, title="Мастер и Маргарита", title_sort="Master i Margarita",
        authors=(Author("Михаил Булгаков", "Bulgakov, Mikhail"), Author("毛泽东", "Mao, Zedong")),
    )  # fmt: skip
    raw = written(edition, as_xml=as_xml)

    assert read_back(raw, tmp_path / "f") == [edition]
    assert raw.count(b'tag="880"' if as_xml else b"880-0") == 3


def test_letters_that_were_lost_before_and_names_with_the_family_first_come_back_as_they_went(tmp_path: Path) -> None:
    edition = replace(
        DUNE, title="Am Fu\ufffde der Leiter", title_sort="Am Fu\ufffde der Leiter",
        authors=(Author("石田 スイ", "石田 スイ"), Author("홍 길동", "홍 길동")),
    )  # fmt: skip
    assert author_sort("石田 スイ", "eng") == "石田 スイ"
    assert read_back(written(edition, as_xml=False), tmp_path / "f") == [edition]
    as_calibre_files = replace(edition, authors=(Author("石田 スイ", "スイ, 石田"),))
    (back,) = read_back(written(as_calibre_files, as_xml=False), tmp_path / "f")
    assert isinstance(back, Edition)
    assert back.authors_text == "石田 スイ"


def test_a_paragraph_that_no_field_has_room_for_goes_out_in_parts_and_what_cannot_be_parted_is_named(
    tmp_path: Path,
) -> None:
    long = " ".join(f"слово{number}" for number in range(1_200))  # some 17,000 bytes
    (back,) = read_back(written(replace(DUNE, summary=f"One.\n\n{long}"), as_xml=False), tmp_path / "f")
    assert isinstance(back, Edition)
    assert back.summary
    assert back.summary.split() == ["One.", *long.split()]

    file = io.BytesIO()
    records = [marc.record_of(replace(DUNE, summary="я" * 6_000), "wide"), marc.record_of(DUNE, "k1")]
    assert marc.write(iter(records), file, as_xml=False) == (1, ["wide"])
    assert read_back(file.getvalue(), tmp_path / "f") == [DUNE]
    assert read_back(written(replace(DUNE, summary="я" * 6_000), as_xml=True), tmp_path / "f") == [
        replace(DUNE, summary="я" * 6_000)
    ]


@settings(max_examples=300)
@given(at=st.integers(0, 2000), junk=st.binary(max_size=20), as_xml=st.booleans())
def test_a_damaged_file_is_read_or_refused_and_never_a_traceback(
    at: int, junk: bytes, as_xml: bool, tmp_path: Path
) -> None:
    raw = written(DUNE, as_xml=as_xml) * (1 if as_xml else 2)
    at %= len(raw)
    try:
        found = read_back(raw[:at] + junk + raw[at + len(junk) :], tmp_path / "f")
    except IngestError:
        return
    assert all(isinstance(each, Edition | Rejected | str) for each in found)


def loc_record() -> Record:
    """As the Library of Congress writes: ISBD punctuation, inverted names, 260, qualified ISBN."""
    record = Record(force_utf8=True)
    record.leader = Leader("00000cam a2200000 a 4500")
    record.add_field(
        Field("001", data="  92005291 "), Field("003", data="DLC"),
        Field("008", data="920219s1993    caua   j      000 0 eng  "),
        field("020", "  ", a="0441172717 (pbk.) :"), field("082", "00", a="811/.52"),
        field("100", "1 ", a="Sandburg, Carl,", d="1878-1967."),
        field("245", "14", a="The arithmetic /", c="Carl Sandburg ; illustrated by Ted Rand."),
        field("260", "  ", a="San Diego :", b="Harcourt Brace Jovanovich,", c="c1993."),
        field("650", " 0", a="Arithmetic", x="Juvenile poetry."),
        field("700", "1 ", a="Rand, Ted,", e="ill."),
        field("041", "1 ", a="eng", h="ger"), field("240", "10", a="Rechnen.", l="English"),
    )  # fmt: skip
    return record


def field(tag: str, ends: str, **parts: str) -> Field:
    return Field(tag, Indicators(*ends), [Subfield(code, value) for code, value in parts.items()])


def test_a_record_of_another_library_is_understood() -> None:
    found = marc.edition_of(loc_record(), 7, "record 1")

    assert isinstance(found, Edition)
    assert (found.source_key, found.calibre_id) == ("(DLC)92005291", 7)
    assert (found.title, found.title_sort) == ("The arithmetic", "arithmetic, The")
    assert found.authors == (Author("Carl Sandburg", "Sandburg, Carl"),)  # the illustrator wrote none of it
    assert (found.publisher, found.published_on) == ("Harcourt Brace Jovanovich", date(1993, 1, 1))
    assert found.identifiers == (("isbn", "9780441172719"),)
    assert found.classifications == (("ddc", "811.52"),)
    assert found.subjects == ("Arithmetic--Juvenile poetry",)
    assert (found.languages, found.original_title) == (("eng",), "Rechnen")


def romanised() -> Record:
    """As a library of Latin letters describes a Russian book."""
    record = Record(force_utf8=True)
    record.leader = Leader("00000cam a2200000 i 4500")
    record.add_field(
        Field("001", data="1"), Field("008", data="880101s1987    ru            000 1 rus d"),
        field("100", "1 ", **{"6": "880-01"}, a="Tolstoĭ, Lev,", d="1828-1910."),
        field("245", "10", **{"6": "880-02"}, a="Voĭna i mir /", c="L. Tolstoĭ."),
        field("264", " 1", **{"6": "880-03"}, a="Moskva :", b="Khudozh. lit.,", c="1987."),
        field("700", "1 ", **{"6": "880-04"}, a="Serov, V.,", e="illustrator."),
        field("880", "1 ", **{"6": "100-01/(N"}, a="Толстой, Лев,"),
        field("880", "10", **{"6": "245-02/(N"}, a="Война и мир /", c="Л. Толстой."),
        field("880", " 1", **{"6": "264-03/(N"}, a="Москва :", b="Художественная литература,"),
        field("880", "1 ", **{"6": "700-04/(N"}, a="Серов, В."),
        field("880", "1 ", **{"6": "500-00/(N"}, a="Без пары"),
    )  # fmt: skip
    return record


def test_a_record_in_two_alphabets_is_shown_in_that_of_the_book_and_filed_romanised() -> None:
    found = marc.edition_of(romanised(), 1, "record 1")

    assert isinstance(found, Edition)
    assert (found.title, found.title_sort) == ("Война и мир", "Voĭna i mir")
    assert found.authors == (Author("Лев Толстой", "Tolstoĭ, Lev"),)
    assert (found.publisher, found.published_on) == ("Художественная литература", date(1987, 1, 1))


@pytest.mark.parametrize(
    ("leader", "letters", "title"),
    [
        (b"a", "L'été".encode(), "L'été"),
        (b" ", b"L'\xe2et\xe2e", "L'été"),  # MARC-8: the accent stands before the letter
        (b" ", "L'été".encode(), "L'été"),  # says MARC-8, is UTF-8
        (b"a", b"L'\xe2et\xe2e", None),  # says UTF-8, is MARC-8
    ],
)
def test_letters_are_read_as_they_are_and_not_as_the_leader_says(
    leader: bytes, letters: bytes, title: str | None, tmp_path: Path
) -> None:
    place = b"@" * len(letters)
    raw = written(replace(DUNE, title=place.decode(), publisher=None, subjects=()), as_xml=False)

    (found,) = read_back(raw[:9] + leader + raw[10:].replace(place, letters), tmp_path / "f")

    if title is None:
        assert isinstance(found, str)
        assert "says that it is UTF-8, and is not" in found
    else:
        assert isinstance(found, Edition)
        assert found.title == title


@pytest.mark.parametrize(
    ("imprint", "coded", "year"),
    [
        ("c1987.", "s1987    ", 1987),
        ("5747 [1986 or 1987]", "s1987    ", 1987),
        ("2562 [2019]", "", 2019),
        ("1598 [i.e. 1958]", "", 1958),
        ("Heisei 10 [1998]", "", 1998),
        ("MCMLXXXVII", "s1987    ", 1987),
        ("[19--]", "q19001999", None),
        ("[between 1906 and 1912?]", "q19061912", 1906),
        ("2999", "", None),
        ("44 B.C.", "b        ", None),
        ("[1200 B.C.]", "b        ", None),
        ("1200 до н. э.", "", None),
    ],
)
def test_the_year_is_the_one_of_our_era(imprint: str, coded: str, year: int | None) -> None:
    record = loc_record()
    record.remove_fields("260", "008")
    record.add_field(
        field("264", " 1", c=imprint), Field("008", data=f"920219{coded.ljust(9)}caua   j      000 0 eng  ")
    )

    found = marc.edition_of(record, 1, "record 1")

    assert isinstance(found, Edition)
    assert found.published_on == (date(year, 1, 1) if year else None)


@pytest.mark.parametrize(
    ("heading", "author"),
    [
        (("100", "0 ", {"a": "John Paul", "b": "II,", "c": "Pope,"}), Author("John Paul II", "John Paul II")),
        (
            ("100", "1 ", {"a": "King, Martin Luther,", "c": "Jr.,"}),
            Author("Martin Luther King Jr.", "King, Martin Luther, Jr."),
        ),
        (("100", "3 ", {"a": "Brontë family."}), Author("Brontë family", "Brontë family")),
        (("110", "1 ", {"a": "Viet Nam.", "b": "Quốc hội."}), Author("Viet Nam. Quốc hội", "Viet Nam. Quốc hội")),
        (("100", "1 ", {"a": "Nguyễn, Du,", "d": "1765-1820."}), Author("Nguyễn Du", "Nguyễn, Du")),
        (("100", "1 ", {"a": "毛, 泽东,"}), Author("毛泽东", "毛, 泽东")),
    ],
)
def test_names_are_said_whole_and_in_their_order(heading, author: Author) -> None:
    tag, ends, parts = heading
    record = loc_record()
    record.remove_fields("100", "700", "041", "008")
    record.add_field(field(tag, ends, **parts), field("041", "  ", a="vie"))

    found = marc.edition_of(record, 1, "record 1")

    assert isinstance(found, Edition)
    assert found.authors == (author,)


@pytest.mark.parametrize("title", ["\x98Der\x9c Zauberberg", "<<Der>> Zauberberg", "¬Der¬ Zauberberg"])
def test_an_article_that_is_marked_as_not_filed_stays_in_the_title(title: str) -> None:
    record = loc_record()
    record.remove_fields("245")
    record.add_field(field("245", "00", a=title))

    found = marc.edition_of(record, 1, "record 1")

    assert isinstance(found, Edition)
    assert (found.title, found.title_sort) == ("Der Zauberberg", "Zauberberg, Der")


def test_a_record_of_a_wrong_length_and_lines_between_records_spoil_no_other(tmp_path: Path) -> None:
    good, other = written(DUNE, as_xml=False), written(replace(DUNE, source_key="k2"), as_xml=False)

    found = read_back(good + b"\r\n" + b"00999" + other[5:] + b"\r\n" + other, tmp_path / "f")

    assert found == [DUNE, f"its leader tells '00999' bytes, and it has {len(other)}", replace(DUNE, source_key="k2")]


def test_every_isbn_of_a_record_is_kept_and_goes_out_again(tmp_path: Path) -> None:
    record = loc_record()
    record.add_field(
        field("020", "  ", a="978-0-340-96019-6", q="ebook"), field("020", "  ", a="9780441172719 (hbk.)"),
        field("020", "  ", a="123"),
    )  # fmt: skip
    found = marc.edition_of(record, 1, "record 1")

    assert isinstance(found, Edition)
    assert found.identifiers == (
        ("isbn", "9780441172719"), ("isbn-2", "9780340960196"), ("unchecked-isbn", "123"),
    )  # fmt: skip
    (back,) = read_back(written(found, as_xml=False), tmp_path / "f")
    assert isinstance(back, Edition)
    assert back.identifiers == found.identifiers


def test_nobody_and_who_only_sells_it_is_no_publisher() -> None:
    record = loc_record()
    record.remove_fields("260")
    record.add_field(field("264", " 1", b="[publisher not identified],", c="1987"), field("264", " 2", b="A Shop"))

    found = marc.edition_of(record, 1, "record 1")

    assert isinstance(found, Edition)
    assert found.publisher is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda r: r.remove_fields("245"), "no title"),
        (lambda r: r.remove_fields("001", "020"), "no control number"),
        (lambda r: setattr(r, "leader", Leader("00000cgm a2200000 a 4500")), "no book"),
    ],
)
def test_a_record_that_cannot_be_used_is_rejected_with_its_reason(change, reason: str) -> None:
    record = loc_record()
    change(record)

    found = marc.edition_of(record, 1, "record 1")

    assert isinstance(found, Rejected)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "is empty"),
        (b"\x89PNG....", "is neither"),
        (b"00042nam", "cut off"),
        (b"<collection><record>", "cut off"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><collection/>', "document type"),
    ],
)
def test_a_file_that_is_no_marc_is_refused_in_one_line(raw: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(IngestError, match=message) as refused:
        read_back(raw, tmp_path / "f")
    assert "\n" not in str(refused.value)


def test_a_delivery_comes_changes_and_withdraws_and_a_broken_one_changes_nothing(
    conn: psycopg.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "delivery.mrc"
    other = replace(DUNE, title="Emma", source_key="k2", authors=(Author("Jane Austen", "Austen, Jane"),))

    path.write_bytes(written(DUNE, as_xml=False) + written(other, as_xml=False) + written(DUNE, as_xml=False))
    assert [change.change for change in difference(conn, path, "test")] == ["insert", "insert", "reject"]
    first = ingest_marc(conn, path, "test")
    assert (first.inserted, first.works, first.rejected) == (2, 2, 1)
    assert first.reasons == ["record 3: k1 stands in the file twice; the first one counts"]

    again = ingest_marc(conn, path, "test")
    assert (again.inserted, again.updated, again.catalogue_version) == (0, 0, None)

    gone = marc.record_of(other, "k2")
    gone.leader = Leader("00000dam a2200000 c 4500")
    path.write_bytes(written(replace(DUNE, publisher="Ace"), as_xml=False) + gone.as_marc())
    changed = ingest_marc(conn, path, "test")
    assert (changed.updated, changed.deactivated, changed.works) == (1, 1, 1)

    before = conn.execute("select * from library.editions").fetchall()
    path.write_bytes(written(replace(DUNE, title="Never", source_key="k9"), as_xml=False) + b"00500nam")
    with pytest.raises(IngestError, match="nothing of it was loaded"):
        ingest_marc(conn, path, "test")
    assert conn.execute("select * from library.editions").fetchall() == before


@pytest.mark.parametrize("name", ["out.mrc", "out.xml"])
def test_a_calibre_library_goes_out_as_marc_and_comes_back_as_the_same_works(
    conn: psycopg.Connection, library: Path, tmp_path: Path, name: str
) -> None:
    ingest_calibre(conn, library)
    conn.commit()
    works = conn.execute("select book_id, title, subjects_text from library.works order by 1").fetchall()

    exported = export_marc(conn, tmp_path / name)
    report = ingest_marc(conn, tmp_path / name, "copy")

    assert (exported.records, exported.too_large, report.inserted, report.rejected) == (20, [], 20, 0)
    assert conn.execute("select book_id, title, subjects_text from library.works order by 1").fetchall() == works


@pytest.mark.usefixtures("database")
def test_marc_by_command(tmp_path: Path) -> None:
    (tmp_path / "in.mrc").write_bytes(written(DUNE, as_xml=False) + written(replace(DUNE, title=""), as_xml=False))

    def openshelf(*words_: str) -> str:
        done = subprocess.run([sys.executable, "-m", "openshelf", *words_], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    preview = openshelf("ingest", "marc", str(tmp_path / "in.mrc"), "--dry-run")
    done = openshelf(
        "ingest", "marc", str(tmp_path / "in.mrc"), "--no-embed", "--json", "--rejects", str(tmp_path / "no.csv")
    )
    out = openshelf("export", "marc", str(tmp_path / "out.xml"), "--json")

    assert preview.startswith("+ The Dune: a tale")
    assert json.loads(done)["inserted"] == 1
    assert (tmp_path / "no.csv").read_text("utf-8").splitlines()[0] == "record,reason"
    assert len((tmp_path / "no.csv").read_text("utf-8").splitlines()) == 2
    assert json.loads(out) == {"records": 1, "too_large": []}
    assert b"<collection" in (tmp_path / "out.xml").read_bytes()
