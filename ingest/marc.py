"""MARC 21 bibliographic records and our editions, both ways. Pure but for reading files.

In: ISO 2709 (UTF-8 or MARC-8) and MARCXML, told apart by their first byte. Out: UTF-8, without ISBD punctuation
(leader/18 is `c`), so that what is written is read back as it was. Fields as in MARC 21 (Library of Congress):

    001 003 control number   008 year, language        020 024 035 identifiers    041 languages, of the original too
    072 082 Thema, BISAC, Dewey                        100 700 authors            240 765 title of the original
    245 title                260 264 publisher, date   341 532 accessibility      490 series
    520 summary              600-655 subjects             880 the same in other letters

Where a field is told in the letters of the book and romanised (880), the former is shown and the latter filed under.
"""

import re
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree

import langcodes
from pymarc import Field, Indicators, Leader, Record, Subfield
from pymarc.constants import END_OF_RECORD
from pymarc.exceptions import PymarcException
from pymarc.marcxml import record_to_xml

from ingest import clean
from ingest.accessibility import Accessibility
from ingest.clean import Edition, Rejected
from openshelf.contracts import utc_now
from openshelf.errors import IngestError
from openshelf.folding import fold_words
from openshelf.identifiers import is_isbn
from openshelf.works_composing import EAST_ASIAN, Author

_TEXT = frozenset("ati")  # leader/06: language material, also in manuscript; spoken
_SCHEMES = {"thema": "thema", "bisacsh": "bisac", "ddc": "ddc"}
_XML_NAMESPACE = "http://www.loc.gov/MARC21/slim"
_YEAR = re.compile(rf"{clean.YEAR_BEGINS}(\d{{4}}){clean.YEAR_ENDS}", re.IGNORECASE)
_IN_BRACKETS = re.compile(r"\[([^\]]*)\]")
# How libraries mark an article that is not filed: \x98Der\x9c Zauberberg, <<Der>> Zauberberg, ¬Der¬ Zauberberg.
_NOT_FILED = re.compile("\x98([^\x98\x9c]*)\x9c|<<([^<>]*)>>|¬([^¬]*)¬")
_NO_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_LARGEST_RECORD = 99_999  # bytes: what the five digits of the length can say
_LARGEST_FIELD = 9_999  # ... and the four digits of that of a field
_LARGEST_CHUNK = 10_000_000  # bytes without an end of a record: the file is something else
_BLOCK = 65_536  # bytes read at once: what is left of them is copied with each record
_NAMING = ("100", "110", "245", "700", "710")  # who, and what
_END = END_OF_RECORD.encode()
_LEADER = re.compile(rb"\d{5}[ -~]{5}22\d{5}")
_BETWEEN_RECORDS = b"\r\n\x1a\x00 "
_WIDEST_GUESS = 10  # years: 'between 1900 and 1999' is no year
_NOBODY = frozenset(
    {"s n", "sn", "publisher not identified", "б и", "verlag nicht ermittelbar", "editeur non identifie", "s l s n"}
)
_VIETNAMESE_FAMILIES = frozenset(  # said first: 'Nguyễn, Du' is Nguyễn Du
    word
    for words in (
        "nguyen tran le pham hoang huynh phan vu vo dang bui do ho ngo duong ly dao dinh trinh truong lam mai to luong",
        "cao chu doan ha tang tong thai ta vuong",
    )
    for word in words.split()
)
_SUFFIXES = frozenset({"jr", "sr", "ii", "iii", "iv"})


def read(path: Path) -> Iterator[tuple[str, Record | str]]:
    """A word for each record ('record 3') and the record, or why it is none.

    Raises:
        IngestError: the file is not there, is no MARC, or ends within a record.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4_096)
            file.seek(0)
            start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
            if not start:
                raise IngestError(f"{path} is empty.")
            if start[:1] == b"<":
                if b"<!DOCTYPE" in head:
                    raise IngestError(f"{path} declares a document type; MARCXML has none.")
                yield from _numbered(_xml_records(path, file))
            elif start[:5].isdigit():
                yield from _numbered(_binary_records(path, file))
            else:
                raise IngestError(f"{path} is neither MARC 21 nor MARCXML.")
    except OSError as error:
        raise IngestError(f"{path} cannot be read: {error.strerror}.") from error


def _numbered(records: Iterator[Record | str]) -> Iterator[tuple[str, Record | str]]:
    return ((f"record {number}", record) for number, record in enumerate(records, 1))


def _binary_records(path: Path, file: BinaryIO) -> Iterator[Record | str]:
    """Records one by one; after one whose leader tells a wrong length the next begins where the next end stands."""
    left, is_last = b"", False
    while not is_last:
        block = file.read(_BLOCK)
        left, is_last = left + block, not block
        while left := left.lstrip(_BETWEEN_RECORDS):
            size = _size_of_next(left, is_last)
            if not size and (is_last or len(left) > _LARGEST_CHUNK):
                raise _broken(path, "")
            if not size:
                break
            yield _of_binary(left[:size])
            left = left[size:]


def _size_of_next(raw: bytes, is_last: bool) -> int:
    """How many bytes the first record here has; 0 if its end is not here."""
    told = int(raw[:5]) if raw[:5].isdigit() else 0
    if len(raw) < told and not is_last:
        return 0
    end = raw.find(_END) + 1
    # An end within a record is text, unless another record begins behind it.
    is_whole = raw[told - 1 : told] == _END and not _LEADER.match(raw[end:told].lstrip(_BETWEEN_RECORDS))
    return told if is_whole else end


def _of_binary(raw: bytes) -> Record | str:
    told = raw[:5]
    if not told.isdigit() or int(told) != len(raw):
        return f"its leader tells {told.decode('ascii', 'replace')!r} bytes, and it has {len(raw)}"
    # Many say MARC-8 (a blank in leader/09) and are UTF-8: no accent of MARC-8 stands as a letter of UTF-8 does.
    if raw[9:10] != b"a" and not raw.isascii() and _is_utf_8(raw):
        raw = raw[:9] + b"a" + raw[10:]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of characters that MARC-8 does not have: they are left out
            record = Record(raw, to_unicode=True, utf8_handling="replace", hide_utf8_warnings=True)
    except (PymarcException, ValueError, IndexError, KeyError, TypeError) as error:
        return f"it cannot be read ({type(error).__name__})"
    names = record.get_fields(*_NAMING) if raw[9:10] == b"a" and not _is_utf_8(raw) else ()
    if any("\ufffd" in str(field) for field in names):
        return "it says that it is UTF-8, and is not: letters of its title or author are lost"
    return record


def _is_utf_8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _broken(path: Path, what: str) -> IngestError:
    return IngestError(f"{path} is damaged or cut off ({what[:120] or 'within a record'}); nothing of it was loaded.")


def _xml_records(path: Path, file: BinaryIO) -> Iterator[Record | str]:
    root = None
    try:
        for event, element in ElementTree.iterparse(file, events=("start", "end")):  # noqa: S314 - no document type
            if root is None:
                root = element
            if event == "end" and element.tag.rpartition("}")[2] == "record":
                yield _of_xml(element)
                element.clear()
                root.clear()  # else every record stays in memory
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise _broken(path, str(error)) from error


def _of_xml(element: ElementTree.Element) -> Record | str:
    record = Record()
    try:
        for child in element:
            kind, tag = child.tag.rpartition("}")[2], (child.get("tag") or "")[:3]
            if kind == "leader" and len(child.text or "") == 24:
                record.leader = Leader(child.text or "")
            elif kind == "controlfield":
                record.add_field(Field(tag=tag, data=child.text or ""))
            elif kind == "datafield":
                parts = [Subfield(code=part.get("code") or "", value=part.text or "") for part in child]
                ends = Indicators((child.get("ind1") or " ")[:1], (child.get("ind2") or " ")[:1])
                record.add_field(Field(tag=tag, indicators=ends, subfields=parts))
    except (PymarcException, ValueError, TypeError, AttributeError) as error:
        return f"it cannot be read ({type(error).__name__})"
    return record


def is_deleted(record: Record) -> bool:
    """Whether its library has withdrawn it."""
    return str(record.leader)[5:6] == "d"


def key_of(record: Record) -> str | None:
    """What tells the record from others: whose number it is and the number, else its ISBN."""
    number = clean.line(_control(record, "001"))
    if number:
        owner = clean.line(_control(record, "003"))
        return f"({owner}){number}" if owner else number
    isbn = dict(_identifiers(record)).get("isbn")
    return f"isbn {isbn}" if isbn else None


def edition_of(record: Record, number: int, label: str) -> Edition | Rejected:
    """The edition that a record describes. `number`: that it gets in its source."""
    key = key_of(record)
    kind = str(record.leader)[6:7]
    if key is None:
        return Rejected(number, "it has no control number (001) and no ISBN", label)
    if kind not in _TEXT and kind.strip():
        return Rejected(number, f"it is no book (leader/06 is {kind!r})", label)
    title = _title(record)
    if not title:
        return Rejected(number, "it has no title (245)", label)
    languages, original_language = _languages(record)
    language = languages[0] if languages else None
    authors = _authors(record, is_vietnamese=language == "vie")
    series, index = _series(record)
    return Edition(
        calibre_id=number,
        calibre_uuid=None,
        title=title,
        title_sort=_title_sort(record, title, language),
        authors=authors,
        languages=languages,
        published_on=_published(record),
        publisher=_publisher(record),
        series_name=series,
        series_index=index,
        rating=None,
        summary="\n\n".join(filter(None, (clean.summary(text) for text in _values(record, ("520",), "a")))) or None,
        subjects=_subjects(record),
        folder="",
        cover_path=None,
        files=(),
        identifiers=_identifiers(record),
        added_at=_entered(record),
        modified_at=_changed(record) or _NO_TIME,
        original_title=_original(record, original_language),
        classifications=_classifications(record),
        accessibility=_accessibility(record),
        source_key=key,
    )


def _isbd(record: Record) -> bool:
    """Whether the punctuation between elements stands in the data, as cataloguing rules had it."""
    return str(record.leader)[18:19] in {"a", "i", " ", ""}


def _plain(record: Record, text: str) -> str:
    text = clean.line(_NOT_FILED.sub(_as_written, text))
    if not _isbd(record):
        return text
    text = re.sub(r"\s*[/:;,=]\s*$", "", text)
    # A full stop ends the element; after an initial or abbreviation it belongs to the word.
    return text[:-1] if re.search(r"\w{3}\.$", text) else text


def _as_written(found: re.Match[str]) -> str:
    return next(group for group in found.groups() if group is not None)


def _fields(record: Record, tags: Sequence[str]) -> list[Field]:
    """Fields of these tags, in the letters of the book where they are told in two."""
    return [_in_both(record, field)[0] for field in record.get_fields(*tags) if not field.is_control_field()]


def _in_both(record: Record, field: Field) -> tuple[Field, Field]:
    """A field in the letters of the book and in Latin ones; where it is told in one only, that twice."""
    link = re.match(r"880-(\d\d)", next(iter(field.get_subfields("6")), ""))
    if link is None or link[1] == "00":
        return field, field
    for other in record.get_fields("880"):
        if next(iter(other.get_subfields("6")), "").startswith(f"{field.tag}-{link[1]}"):
            # What is coded, such as who wrote and who drew, is told in one of them only.
            codes = {part.code for part in other.subfields}
            more = [part for part in field.subfields if part.code not in codes]
            linked = Field(field.tag, indicators=other.indicators, subfields=[*other.subfields, *more])
            return (field, linked) if _is_latin(linked) and not _is_latin(field) else (linked, field)
    return field, field


def _is_latin(field: Field) -> bool:
    letters = (letter for part in field.subfields if part.code in "ab" for letter in part.value if letter.isalpha())
    return all(unicodedata.name(letter, "LATIN").startswith(("LATIN", "MODIFIER")) for letter in letters)


def _values(record: Record, tags: Sequence[str], code: str) -> list[str]:
    return [value for field in _fields(record, tags) for value in field.get_subfields(code) if value]


def _text(record: Record, tags: Sequence[str], code: str) -> str:
    return next(filter(None, (_plain(record, value) for value in _values(record, tags, code))), "")


def _control(record: Record, tag: str) -> str:
    field = next((field for field in record.get_fields(tag) if field.is_control_field()), None)
    return (field.data or "") if field else ""


def _title(record: Record) -> str:
    field = next(iter(_fields(record, ("245",))), None)
    return _title_of(record, field) if field else ""


def _title_of(record: Record, field: Field) -> str:
    title = ""
    for part in field.subfields:
        text = _plain(record, part.value)
        if part.code in "abnp" and text:
            glue = {"b": ": ", "n": ". ", "p": ", " if "$n" in title else ". "}.get(part.code, " ")
            title = f"{title}{glue}{text}" if title else text
    return clean.line(title)


def _title_sort(record: Record, title: str, language: str | None) -> str:
    """What a title is filed under: romanised where its library romanises."""
    field = next((field for field in record.get_fields("245") if not field.is_control_field()), None)
    if field is None:
        return clean.title_sort(title, language)
    shown, filed = _in_both(record, field)
    title = title if filed is shown else _title_of(record, filed)
    marked = _NOT_FILED.match(next(iter(filed.get_subfields("a")), ""))
    skipped = int(filed.indicator2) if filed.indicator2.isdigit() else 0
    skipped = len(_as_written(marked)) if marked else skipped
    article, rest = title[:skipped].strip(), title[skipped:].strip()
    return f"{rest}, {article}" if article and rest else clean.title_sort(title, language)


def _authors(record: Record, *, is_vietnamese: bool) -> tuple[Author, ...]:
    found: dict[str, Author] = {}
    for field in record.get_fields("100", "110", "700", "710"):
        # 700 holds translators, illustrators and titles as well; those with none of these roles wrote it.
        roles = {clean.line(role).strip(" .").lower() for role in field.get_subfields("e", "4")}
        if field.is_control_field() or (
            field.tag in {"700", "710"} and (field.get_subfields("t") or (roles and not roles & _WRITERS))
        ):
            continue
        shown, filed = (_name(record, each, is_vietnamese=is_vietnamese) for each in _in_both(record, field))
        if shown.name:
            found.setdefault(shown.name, Author(shown.name, filed.sort))
    return tuple(found.values())


def _name(record: Record, field: Field, *, is_vietnamese: bool) -> Author:
    """A name as it is said, and as it is filed: 'Sandburg, Carl'; one that is said as it is filed twice."""
    written = _plain(record, next(iter(field.get_subfields("a")), ""))
    if field.tag in {"110", "710"}:  # 'United States. Congress'
        name = ". ".join(filter(None, [written, *(_plain(record, unit) for unit in field.get_subfields("b"))]))
        return Author(name, name)
    more = [_plain(record, part) for part in field.get_subfields("b")]  # 'John Paul' 'II'
    more += [part for part in (_plain(record, c) for c in field.get_subfields("c")) if fold_words(part) in _SUFFIXES]
    family, comma, given = written.partition(", ")
    if field.indicator1 != "0" and comma:
        is_first = is_vietnamese and fold_words(family) in _VIETNAMESE_FAMILIES
        said = [family, given] if is_first else [given, family]
        # '毛, 泽东' is said 毛泽东
        name = f"{family}{given}" if EAST_ASIAN.search(written) else " ".join(said)
        return Author(" ".join([name, *more]), ", ".join([written, *more]))
    name = " ".join(filter(None, [written, *more]))
    return Author(name, name)


_WRITERS = frozenset({"author", "aut", "joint author", "co-author", "verfasser", "auteur", "автор", "creator", "cre"})


def _languages(record: Record) -> tuple[tuple[str, ...], str | None]:
    """Languages of the text, and the one it was translated from."""
    codes = _values(record, ("041",), "a")
    if not codes and (coded := _control(record, "008")[35:38].strip()):
        codes = [coded]
    split = [code[at : at + 3] for code in codes for at in range(0, max(len(code), 1), 3)]  # once written as 'engfre'
    original = next((clean.language(code) for code in _values(record, ("041",), "h")), None)
    return tuple(dict.fromkeys(filter(None, map(clean.language, filter(None, split))))), original


def _published(record: Record) -> date | None:
    """The day or year of publication: that of the imprint, and of several there the coded one (008)."""
    written = _values(record, ("264", "260"), "c")
    for text in written:
        try:
            return date.fromisoformat(text.strip())
        except ValueError:
            continue
    coded = _coded_year(_control(record, "008"))
    told = " ".join(written)
    years = _years(told)
    if coded in years:
        return date(coded, 1, 1)
    # '5747 [1987]', '1598 [i.e. 1958]': what a cataloguer adds is in brackets.
    year = next(iter([*_years(" ".join(_IN_BRACKETS.findall(told))), *years, *filter(None, [coded])]), None)
    return date(year, 1, 1) if year else None


def _years(text: str) -> list[int]:
    """Years of our era that a book may have: 5747 and 2562 are of others."""
    return [year for year in map(int, _YEAR.findall(text)) if 1000 <= year <= utc_now().year + 2]


def _coded_year(fixed: str) -> int:
    """The first year of 008; 0 for none, or when it may as well be another decade."""
    first, second = next(iter(_years(fixed[7:11])), 0), next(iter(_years(fixed[11:15])), 0)
    return 0 if fixed[6:7] == "q" and second - first > _WIDEST_GUESS else first


def _publisher(record: Record) -> str | None:
    fields = (field for field in _fields(record, ("264", "260")) if field.indicator2 not in {"2", "3"})  # who sold it
    for written in (value for field in fields for value in field.get_subfields("b")):
        name = _plain(record, written)
        name = name.strip("[] ") if _isbd(record) else name
        if name and fold_words(name) not in _NOBODY:
            return name
    return None


def _series(record: Record) -> tuple[str | None, float | None]:
    for field in _fields(record, ("490", "830", "800")):
        name = _plain(record, next(iter(field.get_subfields("t" if field.tag == "800" else "a")), ""))
        if name:
            number = re.search(r"\d+(?:\.\d+)?", next(iter(field.get_subfields("v")), ""))
            return name, float(number[0][:9]) if number else None
    return None, None


def _subjects(record: Record) -> tuple[str, ...]:
    found = []
    for field in _fields(record, ("600", "610", "611", "630", "650", "651", "653", "655")):
        parts = [_plain(record, part.value) for part in field.subfields if part.code in "axyzv"]
        found.append(clean.line("--".join(filter(None, parts))))
    return tuple(dict.fromkeys(filter(None, found)))


def _classifications(record: Record) -> tuple[tuple[str, str], ...]:
    found = [("ddc", value) for value in _values(record, ("082",), "a")]
    for field in _fields(record, ("072", "084", "650", "655")):
        scheme = _SCHEMES.get(next(iter(field.get_subfields("2")), ""))
        code = "a" if field.tag in {"072", "084"} else "0"
        found += [(scheme, value) for value in field.get_subfields(code) if scheme]
    tidy = ((scheme, clean.line(code).replace("/", "").upper()) for scheme, code in found)
    return tuple(sorted({(scheme, code) for scheme, code in tidy if code}))


def _identifiers(record: Record) -> tuple[tuple[str, str], ...]:
    # '0441172717 (pbk.)': the qualification stands behind the number.
    given = [("isbn", value.split("(")[0].split(":")[0]) for value in _values(record, ("020",), "a")]
    given += [("lccn", value) for value in _values(record, ("010",), "a")]
    for field in _fields(record, ("024",)):
        kind = next(iter(field.get_subfields("2")), "")
        given += [(kind, value) for value in field.get_subfields("a") if field.indicator1 == "7" and kind]
    for value in _values(record, ("035",), "a"):
        if found := re.fullmatch(r"\((\w+)\)\s*(.+)", value.strip()):
            given.append(("oclc" if found[1] == "OCoLC" else found[1], found[2]))
    return clean.identifiers(given)


def _original(record: Record, original_language: str | None) -> str | None:
    told = _text(record, ("765",), "t")
    # A uniform title tells the original of a translation; else it is but a filing title.
    uniform = _text(record, ("240",), "a") if original_language or _values(record, ("240",), "l") else ""
    return told or uniform or None


def _accessibility(record: Record) -> Accessibility | None:
    found = Accessibility(
        modes=tuple(dict.fromkeys(map(clean.line, _values(record, ("341",), "a")))),
        features=tuple(dict.fromkeys(map(clean.line, _values(record, ("341",), "b")))),
        summary=" ".join(map(clean.line, _values(record, ("532",), "a"))),
    )
    return found if found != Accessibility() else None


def _entered(record: Record) -> datetime | None:
    return _moment(_control(record, "008")[:6], "%y%m%d")


def _changed(record: Record) -> datetime | None:
    return _moment(_control(record, "005")[:14], "%Y%m%d%H%M%S")


def _moment(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None


def record_of(edition: Edition, control_number: str) -> Record:
    """A record that tells what we know of an edition; ratings, files and covers are not MARC's."""
    record = Record(force_utf8=True)
    record.leader = Leader("00000nam a2200000 c 4500")  # language material, monograph, UTF-8, no ISBD punctuation
    record.add_field(Field(tag="001", data=control_number))
    if edition.modified_at != _NO_TIME:
        record.add_field(Field(tag="005", data=f"{edition.modified_at:%Y%m%d%H%M%S}.0"))
    record.add_field(Field(tag="008", data=_fixed(edition)))
    record.add_field(*_coded(edition), *_described(edition), *_accessible(edition), *_told(edition))
    return record


def _coded(edition: Edition) -> Iterator[Field]:
    """Identifiers, languages, classifications."""
    for kind, value in edition.identifiers:
        yield _field("020", a=value) if is_isbn(kind) else _field("024", "7", **{"a": value, "2": kind})
    if edition.languages:
        yield _many("041", " 7", [("a", code) for code in edition.languages] + [("2", "iso639-3")])
    for scheme, code in edition.classifications:
        if scheme == "ddc":
            yield _field("082", "04", a=code)
        else:
            yield _field("072", " 7", **{"a": code, "2": "bisacsh" if scheme == "bisac" else scheme})


def _described(edition: Edition) -> Iterator[Field]:
    """Authors, title, publisher and date, series."""
    for place, author in enumerate(edition.authors):
        yield from _in_two("700" if place else "100", place + 2, author.name, author.sort) or [
            _author_field("700" if place else "100", author)
        ]
    added = int(bool(edition.authors))
    yield from _in_two("245", 1, edition.title, edition.title_sort, f"{added}0") or [
        _field("245", f"{added}{_nonfiling(edition)}", a=edition.title)
    ]
    day = edition.published_on
    imprint = [("b", edition.publisher), ("c", day and day.isoformat())]
    if told := [(code, value) for code, value in imprint if value]:
        yield _many("264", " 1", told)
    if edition.series_name:
        index = [] if edition.series_index is None else [("v", repr(edition.series_index).removesuffix(".0"))]
        yield _many("490", "0 ", [("a", edition.series_name), *index])


def _accessible(edition: Edition) -> Iterator[Field]:
    told = edition.accessibility or Accessibility()
    if told.modes or told.features:
        parts = [("a", mode) for mode in told.modes] + [("b", feature) for feature in told.features]
        yield _many("341", "  ", parts)
    if told.summary:
        yield _field("532", "8", a=told.summary)


def _told(edition: Edition) -> Iterator[Field]:
    """Summary, subjects, the original."""
    for paragraph in filter(None, (edition.summary or "").split("\n\n")):
        yield _field("520", a=paragraph)
    for subject in edition.subjects:
        yield _field("653", a=subject)
    if edition.original_title:
        yield _field("765", "08", t=edition.original_title)


def _field(tag: str, ends: str = "", **values: str) -> Field:
    return _many(tag, ends, values.items())


def _many(tag: str, ends: str, values) -> Field:  # values: pairs of code and text
    one, other = ends.ljust(2)
    return Field(tag=tag, indicators=Indicators(one, other), subfields=[Subfield(code, text) for code, text in values])


def _in_two(tag: str, number: int, shown: str, filed: str, ends: str = "") -> list[Field]:
    """A field and the same in other letters, linked, where something is filed under what is romanised; else none."""
    native, latin = _field(tag, ends or "0", a=shown), _field(tag, ends or "1", a=filed)
    if _is_latin(native) or not _is_latin(latin) or number > 99:
        return []
    latin.add_subfield("6", f"880-{number:02d}", 0)
    native.add_subfield("6", f"{tag}-{number:02d}", 0)
    return [latin, Field("880", indicators=native.indicators, subfields=native.subfields)]


def _author_field(tag: str, author: Author) -> Field:
    family, comma, given = author.sort.partition(", ")
    if comma and f"{given} {family}" == author.name and not EAST_ASIAN.search(family):
        return _field(tag, "1", a=author.sort)
    return _field(tag, "0", a=author.name)


def _nonfiling(edition: Edition) -> int:
    """Characters of an article at the beginning, by how the title is filed."""
    for length in range(1, 10):
        article, rest = edition.title[:length], edition.title[length:]
        if article.endswith(" ") and edition.title_sort == f"{rest}, {article.strip()}":
            return length
    return 0


def _fixed(edition: Edition) -> str:
    """008: entered, year, language; the rest is not told."""
    entered = f"{edition.added_at or _NO_TIME:%y%m%d}"
    year = f"{edition.published_on.year:04d}" if edition.published_on else "    "
    language = edition.languages[0] if edition.languages else "   "
    try:
        language = langcodes.Language.get(language).to_alpha3("B") if language.strip() else language
    except LookupError:
        language = "   "
    return f"{entered}{'s' if edition.published_on else 'n'}{year}    xx {'|' * 17}{language} d"


def write(records: Iterator[Record], file: BinaryIO, *, as_xml: bool) -> tuple[int, list[str]]:
    """Write records; how many, and the control numbers of those that are larger than MARC 21 allows."""
    written, too_large = 0, []
    if as_xml:
        file.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<collection xmlns="{_XML_NAMESPACE}">\n'.encode())
    for record in records:
        if not as_xml:
            _shorten(record)
        raw = record_to_xml(record) + b"\n" if as_xml else record.as_marc()
        if not as_xml and (len(raw) > _LARGEST_RECORD or any(_size(field) > _LARGEST_FIELD for field in record.fields)):
            too_large.append(_control(record, "001"))
            continue
        file.write(raw)
        written += 1
    if as_xml:
        file.write(b"</collection>\n")
    return written, too_large


def _size(field: Field) -> int:
    return len(field.as_marc("utf-8"))


def _shorten(record: Record) -> None:
    """A paragraph of a summary that is longer than a field may be, into several."""
    for field in record.get_fields("520"):
        if _size(field) <= _LARGEST_FIELD:
            continue
        place = record.fields.index(field)
        words, parts = " ".join(field.get_subfields("a")).split(" "), [""]
        for word in words:
            longer = f"{parts[-1]} {word}".strip()
            if len(longer.encode()) > _LARGEST_FIELD - 10 and parts[-1]:  # indicators, code and ends
                parts.append(word)
            else:
                parts[-1] = longer
        record.fields[place : place + 1] = [_field("520", a=part) for part in parts]
