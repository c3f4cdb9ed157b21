"""Foreign fields into ours: plain text without mark-up, real dates, known languages. Pure but for `find_files`.

Nothing is made up: what is absent stays None, and a record that cannot be used is rejected with its reason.
"""

import contextlib
import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from html import unescape
from pathlib import Path, PurePosixPath

import ftfy
import langcodes
import nh3
from babel import Locale
from ftfy.badness import is_bad
from langcodes.tag_parser import LanguageTagError
from PIL import Image
from stdnum import isbn as isbn_numbers

from ingest.accessibility import Accessibility, of_epub
from ingest.calibre import RECIPE, SERIES_INDEX, CalibreBook, number_of
from openshelf import subjects as scheme
from openshelf.database.appeal import ages, pages
from openshelf.folding import fold_words
from openshelf.identifiers import is_isbn
from openshelf.works_composing import Author

LONGEST_TEXT = 500  # characters of a title, name or subject
LONGEST_SUMMARY = 20_000
MOST_ISBNS = 9  # of one record; their order is that of their kinds
MOST_PIXELS = 40_000_000  # a cover of more is no cover but an attack on whoever shows it
_EASTERNMOST = timedelta(hours=13)  # how far midnight comes before that of UTC, in summer in New Zealand
_SUREST_PAIRS = 2  # of letters side by side, that no word in upper and lower case begins with
_FIRST_YEAR = 102  # Calibre writes 0101-01-01 for "undefined"
_TAG = re.compile(r"</?[a-zA-Z!][^<>]*>")
_BLOCK_END = re.compile(r"</(?:p|div|li|h[1-6]|blockquote|tr)\s*>|<br\s*/?>", re.IGNORECASE)
_REFUSED = re.compile("[\x00\ud800-\udfff]")
# Controls, \ufffe and \uffff, which XML refuses too; soft hyphens, which part words for a search; signs that turn the
# direction of what follows; spaces of no width, but where a script without spaces parts its words by them.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u202a-\u202e\u2060\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
    "|(?<![\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff])\u200b"
)
# Letters and signs that ftfy has nothing to say about, unless two of them side by side look wrongly decoded: Latin but
# its digraphs, Cyrillic, Vietnamese, Hangul and Han, with the punctuation around them.
_ORDINARY = re.compile(
    "[\t\n -~\xa0-\xac\xae-\u0131\u0134-\u0148\u014a-\u01c3\u01cd-\u01f0\u01f4-\u02ff\u0370-\u0530\u1e00-\u1eff"
    "\u2010-\u2027\u2030-\u205e\u20a0-\u20bf\u2100-\u22ff\u3001-\u30ff\u4e00-\u9fff\uac00-\ud7a3]*"
)
# UTF-8 taken for Windows-1251, 'Р’РѕР№РЅР°': pairs that begin with Р or С. ftfy sees through it only in some words.
_TAKEN_FOR_1251 = re.compile(f"(?:[РС][{bytes(range(0x80, 0xC0)).decode('sloppy-windows-1251')}])+")
_CYRILLIC = re.compile("[А-яЁёІіЇїЄєҐґ]+")
# 'groÃ?en': of the letters whose second byte is none of Windows-1252, only this one is small.
_LOST_SHARP_S = re.compile(r"(?<=[a-zäöü])Ã\?")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});")
# The plain mark-up that nearly every description is written in: without attributes, nothing hidden in it.
_PLAIN_TAG = re.compile(r"</?(?:p|div|br|span|i|b|u|em|strong|h[1-6]|ul|ol|li|blockquote)\s*/?>", re.IGNORECASE)
# Around the digits of a year: none more, and neither '-1200' nor '1200 BC'.
YEAR_BEGINS = r"(?<!\d)(?<!^-)"
YEAR_ENDS = r"(?!\d|\s*(?:B\.?\s?C\.?\s?E?\b|до н))"
_BEFORE_ISBN = re.compile(r"^\W*(?:URN:)?(?:ISBN)?\W*")
_KIND_OF_ISBN = re.compile(r"^1[03]\W+")  # 'ISBN-13: 978...'
_ISBN = re.compile(r"(?:97[89]\d{10}|\d{9}[\dX])(?![\dX])")  # '0441172717 (pbk.)'
# Languages whose libraries and files name languages in them: their own words for all of them are known.
_NAMED_IN = (
    *("en", "vi", "ru", "de", "fr", "es", "it", "pt", "nl", "uk", "pl", "cs", "zh", "ja", "ko", "sv", "da", "nb", "fi"),
    *("hu", "ro", "tr", "el", "he", "ar", "fa", "hi", "id", "th", "bg", "sr", "hr", "sk", "sl", "ca", "lt", "lv", "et"),
)
_NOTHING = frozenset({"", "nan", "none", "null", "n a", "unknown"})
_NO_AUTHOR = frozenset(
    {"unknown", "unknown author", "неизвестныи", "неизвестен", "unbekannt", "inconnu", "desconocido", "khong ro"}
)
_APPEAL = {"pages": "pages", "ages": "ages", "themes": "theme", "moods": "mood"}  # targets of added columns


@dataclass(frozen=True)
class BookFile:
    format: str
    path: str  # relative to the library
    size_bytes: int


@dataclass(frozen=True)
class Edition:
    """What a source says of one book, cleaned. `calibre_id`: its number there; `source_key`: its name there, if any."""

    calibre_id: int
    calibre_uuid: str | None
    title: str
    title_sort: str
    authors: tuple[Author, ...]
    languages: tuple[str, ...]  # ISO 639-3
    published_on: date | None
    publisher: str | None
    series_name: str | None
    series_index: float | None
    rating: float | None  # stars, 0.5 to 5
    summary: str | None
    subjects: tuple[str, ...]
    folder: str
    cover_path: str | None
    files: tuple[BookFile, ...]
    identifiers: tuple[tuple[str, str], ...]
    added_at: datetime | None
    modified_at: datetime
    original_title: str | None = None  # of what it was translated from
    classifications: tuple[tuple[str, str], ...] = ()  # scheme and code: ('thema', 'FL')
    appeal: tuple[tuple[str, str], ...] = ()  # pages, ages, theme or mood and its value, in order
    accessibility: Accessibility | None = None
    source_key: str | None = None
    kind: str = "book"  # or 'film'

    @property
    def authors_text(self) -> str:
        return ", ".join(author.name for author in self.authors)

    @cached_property
    def content_hash(self) -> str:
        """Equal when nothing that matters differs; the time of the last change does not."""
        fields = {name: value for name, value in vars(self).items() if name != "modified_at"}
        if self.kind == "book":  # editions from before there were others keep their hash
            del fields["kind"]
        if not self.appeal:
            del fields["appeal"]
        return hashlib.sha256(_PACKING.encode([RECIPE, fields]).encode("utf-8", "replace")).hexdigest()[:32]


def _packed(value: object) -> object:
    return vars(value) if is_dataclass(value) else str(value)


_PACKING = json.JSONEncoder(default=_packed, ensure_ascii=False, sort_keys=True)


@dataclass(frozen=True)
class Rejected:
    calibre_id: int  # 0: its source does not number it
    reason: str
    record: str = ""  # what to call it in a report


@lru_cache(maxsize=8192)  # names and subjects come again and again
def line(text: str | None) -> str:
    """One line of plain text: mended letters, no mark-up, no control characters, single spaces."""
    if not text:
        return ""
    mended = _mended(text)
    if "&" in mended:  # 'Tom &amp; Jerry'
        mended = _UNSEEN.sub("", _ENTITY.sub(lambda found: unescape(found[0]), mended))
    return " ".join((_TAG.sub("", mended) if "<" in mended else mended).split())[:LONGEST_TEXT].strip()


def summary(html: str | None) -> str | None:
    """Plain text of a description, its paragraphs apart by an empty line; None when it says nothing."""
    if not html:
        return None
    plain = _PLAIN_TAG.sub("", broken := _BLOCK_END.sub("\n", _mended(html)))
    if "<" in plain or "&" in plain:
        plain = _UNSEEN.sub("", unescape(nh3.clean(broken, tags=set(), clean_content_tags={"script", "style"})))
    paragraphs = [" ".join(paragraph.split()) for paragraph in plain.split("\n")]
    text = "\n\n".join(paragraph for paragraph in paragraphs if paragraph)
    return None if fold_words(text[:40]) in _NOTHING else text[:LONGEST_SUMMARY].rstrip()


def _mended(text: str) -> str:
    """Wrongly decoded letters put right; without what Postgres refuses (NUL, lone surrogates) and cannot be seen."""
    if text.isascii():
        return text if text.isprintable() else _UNSEEN.sub("", text)
    if "Р" in text or "С" in text:
        text = _not_windows_1251(text)
    if _ORDINARY.fullmatch(text) and "Ã" not in text and not is_bad(text) and unicodedata.is_normalized("NFC", text):
        return text  # what ftfy would find out too, in a tenth of the time
    # ftfy needs the controls of \x80-\x9f to recognise what was decoded wrongly: they go afterwards. Where they went
    # before, as question marks ('LÃ?Â¼bbe'), what is left still tells the letter.
    # Wide signs are no mistake: they are how Chinese and Japanese are printed, and `fold` knows them.
    fixed = ftfy.fix_text(
        _REFUSED.sub("", text).replace("Ã?Â", "Ã"),
        unescape_html=False, uncurl_quotes=False, fix_character_width=False,
    )  # fmt: skip
    return _UNSEEN.sub("", _LOST_SHARP_S.sub("ß", fixed))


def _not_windows_1251(text: str) -> str:
    """Russian that was read as Windows-1251 though it was UTF-8, put right. A pair alone may be a word: 'Її', 'РІ'."""

    def put_right(found: re.Match[str]) -> str:
        again = found[0].encode("sloppy-windows-1251").decode()
        return again if _CYRILLIC.fullmatch(again) else found[0]

    longest = max(map(len, _TAKEN_FOR_1251.findall(text)), default=0)
    return _TAKEN_FOR_1251.sub(put_right, text) if longest >= _SUREST_PAIRS * 2 else text


def published(text: str | None) -> date | None:
    """The day of a Calibre date; None for its 'undefined' and for nonsense.

    A day is written as the midnight that begins it where Calibre runs, in UTC: 31 December, 17:00 is the first of
    January in Hanoi.
    """
    moment = instant(text)
    if moment is None or moment.year < _FIRST_YEAR:
        return None
    is_midnight = moment.minute % 15 == 0 and not moment.second and not moment.microsecond
    return (moment + _EASTERNMOST if is_midnight and moment.year < date.max.year else moment).date()


def instant(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment and moment.tzinfo else moment.replace(tzinfo=UTC) if moment else None


@lru_cache(maxsize=1024)
def language(given: str) -> str | None:
    """ISO 639-3 of a language's code or name: 'vi', 'vie', 'Vietnamese', 'tiếng Việt' -> 'vie'; None for none."""
    try:
        found = langcodes.Language.get(given.strip()).to_alpha3()
    except (LanguageTagError, LookupError):
        found = _language_names().get(fold_words(given))
    return None if found in {"und", "mis", "mul", "zxx"} else found


@lru_cache(maxsize=1)
def _language_names() -> dict[str, str]:
    """Folded name -> ISO 639-3, of all languages in some, and of some in themselves."""
    names: dict[str, str] = {}
    for locale in _NAMED_IN:
        for code, name in Locale(locale).languages.items():
            if "_" not in code and (folded := fold_words(name)) and folded not in names:
                with contextlib.suppress(LanguageTagError, LookupError):
                    names[folded] = langcodes.Language.get(code).to_alpha3()
    return names


def isbn(value: str) -> str | None:
    """The 13 digits of an ISBN of 10 or 13, however it is written; None when its check digit is wrong."""
    bare = _BEFORE_ISBN.sub("", value.upper())
    for text in (bare, _KIND_OF_ISBN.sub("", bare)):
        found = _ISBN.match(isbn_numbers.compact(text))
        # Ten times the same digit has a right check digit, and means that there is none.
        if found and len({*found[0]}) > 1 and isbn_numbers.is_valid(found[0]):
            return isbn_numbers.to_isbn13(found[0])
    return None


def identifiers(given: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Kind and value, each kind once. An ISBN that cannot be one is kept as 'unchecked-isbn'.

    A record that tells the ISBN of each binding has 'isbn', 'isbn-2', 'isbn-3'.
    """
    found: dict[str, str] = {}
    checked: dict[str, None] = {}
    for raw_kind, raw_value in given:
        kind, value = line(raw_kind).lower(), line(raw_value)
        if is_isbn(kind) and value:
            if number := isbn(value):
                checked[number] = None
                continue
            kind = "unchecked-isbn"
        if kind and value:
            found.setdefault(kind, value)
    found |= {f"isbn-{n}" if n > 1 else "isbn": number for n, number in enumerate(list(checked)[:MOST_ISBNS], 1)}
    return tuple(sorted(found.items()))


_ARTICLES = {
    "eng": "the a an",
    "deu": "der die das ein eine",
    "fra": "le la les un une",
    "spa": "el la los las un una",
    "ita": "il lo la gli le un una",
    "por": "o a os as um uma",
    "nld": "de het een",
}


def title_sort(title: str, language_code: str | None) -> str:
    """What a title is filed under: 'The Truth' -> 'Truth, The'. Of a language that is not known: as it is."""
    first, _, rest = title.partition(" ")
    articles = _ARTICLES.get(language_code or "", "").split()
    return f"{rest}, {first}" if rest and first.lower() in articles else title


@lru_cache(maxsize=8192)
def author_name(given: str) -> str:
    """An author's name on one line; "" for 'Unknown' in any language."""
    name = line(given)
    return "" if fold_words(name) in _NO_AUTHOR else name


def _authors(book: CalibreBook) -> tuple[Author, ...]:
    found: dict[str, Author] = {}
    for raw_name, raw_sort in book.authors:
        name = author_name(raw_name.replace("|", ","))
        if name:
            found.setdefault(name, Author(name, line((raw_sort or "").replace("|", ",")) or name))
    return tuple(found.values())


def inside(path: str) -> str | None:
    """A path relative to its library with single slashes, or None if it would lead out of it or names nothing."""
    parts = [part for part in path.replace("\\", "/").split("/") if part not in {"", "."}]
    if path[:1] in {"/", "\\"} or not parts or ".." in parts or "\0" in path or ":" in parts[0]:
        return None
    return "/".join(parts)


def clean(book: CalibreBook) -> Edition | Rejected:
    """The record of a book as we keep it; its files are not looked for yet."""
    title = line(book.title)
    if not title:
        return Rejected(book.calibre_id, "it has no title")
    folder = inside(book.folder)
    if folder is None:
        return Rejected(book.calibre_id, "its folder lies outside the library")
    modified = instant(book.modified_at)
    if modified is None:
        return Rejected(book.calibre_id, "its time of last change cannot be read")
    custom = dict(reversed(book.custom))  # of several values the first; of subjects and codes all
    series, index = _series(book, custom)
    named = [*book.subjects, *(value for target, value in book.custom if target == "subjects")]
    subjects = tuple(dict.fromkeys(filter(None, map(line, named))))
    codes = [(target, line(value)) for target, value in book.custom if target in scheme.SCHEMES and line(value)]
    told = ((_APPEAL[target], line(value)) for target, value in book.custom if target in _APPEAL)
    return Edition(
        calibre_id=book.calibre_id,
        calibre_uuid=line(book.uuid) or None,
        title=title,
        title_sort=line(book.title_sort) or title,
        authors=_authors(book),
        languages=tuple(dict.fromkeys(filter(None, map(language, book.languages)))),
        published_on=published(book.published_at),
        publisher=line(custom.get("publisher") or book.publisher) or None,
        series_name=series,
        series_index=index,
        rating=min(book.rating, 10) / 2 if book.rating and book.rating > 0 else None,
        summary=summary(custom.get("summary") or book.comments),
        subjects=subjects,
        folder=folder,
        cover_path=f"{folder}/cover.jpg" if book.has_cover else None,
        files=tuple(
            BookFile(file.format, str(PurePosixPath(folder, file.name)), file.size_bytes)
            for file in book.files
            if inside(file.name) is not None
        ),
        identifiers=identifiers(book.identifiers),
        added_at=instant(book.added_at),
        modified_at=modified,
        original_title=line(custom.get("original_title")) or None,
        classifications=tuple(sorted({*scheme.codes(subjects), *codes})),
        appeal=tuple(dict.fromkeys(each for each in told if _is_appeal(*each))),
    )


def _series(book: CalibreBook, custom: Mapping[str, str]) -> tuple[str | None, float | None]:
    """The series of a book and its place there. Calibre's own place says nothing of a series in an added column."""
    if own := line(custom.get("series")):
        return own, number_of(custom.get(SERIES_INDEX), 1e6)
    series = line(book.series)
    return (series, book.series_index) if series else (None, None)


def _is_appeal(kind: str, value: str) -> bool:
    """Whether a value of an added column says what its column is for."""
    if kind == "pages":
        return pages(value) is not None
    return ages(value) is not None if kind == "ages" else bool(value)


def find_files(edition: Edition, library: Path, known: dict[str, str] | None = None) -> Edition:
    """The edition with only those files, and that cover, which are really in the library's folder.

    `known`: where folders of the library really are, kept by who asks for many books in a row; filled here.
    """
    if not edition.files and not edition.cover_path:
        return edition
    known = {} if known is None else known
    if "" not in known:
        known[""] = os.path.realpath(library)
    root = known[""]
    within = os.path.join(root, "")

    def is_there(path: str) -> bool:
        folder, _, name = path.rpartition("/")
        target = os.path.join(_real_folder(folder, known), name)
        if os.path.islink(target):
            target = os.path.realpath(target)
        return target.startswith(within) and os.path.isfile(target)  # what leads out of the library counts as absent

    files = tuple(file for file in edition.files if is_there(file.path))
    epub = next((file.path for file in files if file.format == "EPUB"), None)
    cover = edition.cover_path
    if cover and not (is_there(cover) and _is_picture(Path(root, cover))):
        cover = None
    return replace(edition, files=files, cover_path=cover, accessibility=of_epub(Path(root, epub)) if epub else None)


def _real_folder(folder: str, known: dict[str, str]) -> str:
    """Where a folder of the library really is; that of an author is followed once for all of the books there."""
    if folder not in known:
        parent, _, name = folder.rpartition("/")
        if parent not in known:
            known[parent] = os.path.realpath(os.path.join(known[""], parent))
        path = os.path.join(known[parent], name)
        known[folder] = os.path.realpath(path) if os.path.islink(path) else path
    return known[folder]


def _is_picture(path: Path) -> bool:
    """By its head only: the picture itself is not decoded."""
    try:
        with Image.open(path) as image:
            return image.width * image.height <= MOST_PIXELS
    except (OSError, ValueError, Image.DecompressionBombError):
        return False
