"""Which editions are the same work, and why. Pure.

Every pair that shares a word of its author and the beginning of a title is compared (`compare`): titles without notes
of the edition, with and without subtitle, by Jaro-Winkler for slips of the pen; authors with initials and middle names
left out. What agrees is joined from the surest pair down, and never where two members of a work would contradict each
other (another volume, part, subtitle or language, an omnibus): a chain of likenesses alone merges nothing.
"""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import combinations, product, starmap
from typing import Literal

import networkx as nx
from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

from openshelf.folding import fold_words

SIMILAR = 0.94  # Jaro-Winkler of two folded titles
NEARLY = 0.88  # ... of two that a person should look at
_NEARLY_AS_LONG = 0.75
_SIMILAR_NAMES = 0.88  # ... of two family names that one letter tells apart
_SHORTEST = 8  # characters; among shorter titles one letter is a difference
_FEWEST = 6  # characters of a single word that may stand for a whole title
_LONG_WORD = 8  # characters; in a shorter one, two slips make another word
_SHORTEST_SLIP = 5  # characters; in a shorter word another letter makes another word
_BLOCK_LETTERS = 3  # of a title: slips of the pen there are not found
_LARGEST_BLOCK = 400  # of more, neighbours in the alphabet are compared
_NEIGHBOURS = 40

Relation = Literal["same", "translation", "near"]
_LEFT_OUT = "one leaves the subtitle out"

_EDITION_WORDS = (
    r"edition|edn?\.?|paperback|hardcover|hardback|softcover|mass market|large[ -]print|reissue|reprint|illustrated|"
    r"annotated|unabridged|abridged|revised|updated|anniversary|deluxe|collector'?s|movie tie[- ]in|\d{4} text|ebook|"
    r"kindle|audio|cassette|isis|издани[ея]|изд\.?|иллюстрированн\w++|tái bản|ấn bản|bản in|"
    r"ausgabe|auflage|éditions?|edición|edizione|edição|wydanie"
)
# A note in brackets at the end that holds an edition word ...
_IN_BRACKETS = re.compile(rf"\s*[(\[][^)\]]*\b(?:{_EDITION_WORDS})(?!\w)[^)\]]*[)\]]\s*$", re.IGNORECASE)
# ... or one after a dash, comma or colon that is nothing but edition words, ordinals and years. What was
# counted in once stays (`++`): of a long number every way to cut it would be tried.
_AFTER_DASH = re.compile(
    rf"\s*[:,\-–—](?=[^:,\-–—]*\b(?:{_EDITION_WORDS})(?!\w))\s*(?:the\s+)?(?:(?:\d++(?:st|nd|rd|th|-е|-ое|\.)?|first|second|third|fourth|fifth|new|special|"
    rf"{_EDITION_WORDS})\s*)+$",
    re.IGNORECASE,
)
_TAKEN_APART = re.compile(r"[()\[\]#,:;.\-–—]")
_BRACKET, _DASH = re.compile(r"[(\[]"), re.compile(r"[:,\-–—]")
# Any note in brackets at the end, one level of brackets within; what it says is read before it goes.
_NOTE = re.compile(r"\s*(?:\(((?:[^()]|\([^()]*\))*)\)|\[([^\[\]]*)\]|\(([^()]*))\s*$")
_SUBTITLE = re.compile(r"\s*(?::|;|\s[-–—]+|--|(?<=\w{4})\.(?=\s+\w{2})|,?\s+\bor,)\s+|,\s+(?=(?:or|oder|ou|или)\s)")
_COLON = re.compile(r":|\s[-–—]+\s")
_AFTER_SIGN = re.compile(r"(?<=\w)[\s,:]+#\s?0*(\d{1,3})\s*$")  # 'Castle Roogna #03'
_TURNED_ARTICLE = re.compile(r"^(.*), (the|an?|les?|la|los|las|el|das|der|die|il)$", re.IGNORECASE)
_ARTICLES = {
    **dict.fromkeys(("the", "a", "an"), "eng"),
    **dict.fromkeys(("le", "les", "une"), "fra"),
    **dict.fromkeys(("el", "los", "las"), "spa"),
    **dict.fromkeys(("der", "die", "das", "ein", "eine"), "deu"),
    **dict.fromkeys(("la", "un", "una", "il"), ""),  # of more than one language
}
# A subtitle that tells the kind of book, not which book: 'A Novel', 'Ein Kay-Scarpetta-Roman', 'a mystery of ...'.
_KIND = re.compile(
    r"(?:an?|the|ein|eine|une?|una|[\w ]{0,24})? ?\b(?:novel|novella|roman|kriminalroman|krimi|mystery|mysteries|"
    r"memoir|memoirs|thriller|stories|erzahlungen|essays|poems|romance|novela|romanzo|novels|novel of .{1,40}|"
    r"true story|autobiography|biography|story|lovestory|"
    r"sonderausgabe|taschenbuch|bolsillo|poche|книга|truyen|tieu thuyet|роман|повесть|рассказы)|roman .{1,30}|"
    r"(?:the )?(?:complete|authoritative|student|unabridged?|uncut)(?: (?:and )?(?:unabridged|uncut|text|edition))*|"
    r"(?:an )?authoritative text .*|complete authoritative text .*",
)
# 'Out of Africa; and, Shadows on the Grass' is two works; 'The Hobbit: or There and Back Again' is one by two names.
_AND_ANOTHER = re.compile(r"\s*;\s+(?=(?:and|und|et|y|и|và)\b)", re.IGNORECASE)
_OTHER_NAME = re.compile(r"(?:or|oder|ou|o|или|hay) ")
# Words that make a book of another one: whoever has the one does not have the other.
_APART = re.compile(
    r"\b(omnibus|complete (?:novels|works|stories|collection|saga|trilogy|series|set)|box(?:ed)? set|gift set|"
    r"companion|workbook|study guide|cliffs ?notes|spark ?notes|monarch notes|york notes|summary|screenplay|coloring|"
    r"graphic novel|graphic history|adaptation|the play|pop ?up|libretto|vocal score|"
    r"manga|комикс|манга|truyen tranh|краткое содержание|tom tat|"
    r"(?:books|volumes|vols|bande|tomes|tomos|тома|книги) \d+ (?:and |to |bis |a |и |по )?\d+|"
    r"sampler|excerpts?|making of|novels in one|books in one|собрание|tuyen tap|toan tap)\b"
)
# Of these in a note, 'Harper Hall Trilogy' is but the series; in the title they tell.
_APART_IN_TITLES = re.compile(
    r"\b(collection|trilogy|guide|teacher|script|calendar|journal|cookbook|activity|selected|selections|poems from|"
    r"teil|tome|band|vols|volumes|books \d)\b"
)
_ORDINALS = {
    word: str(n)
    for n, words in enumerate(
        [
            "one first i mot nhat первая первыи primera premier erster", "two second ii hai второи вторая segunda",
            "three third iii ba третии третья tercera", "four fourth iv bon четвертыи", "five fifth v nam пятыи",
            "six sixth vi sau шестои", "seven seventh vii bay седьмои", "eight eighth viii tam восьмои",
            "nine ninth ix chin девятыи", "ten tenth x muoi десятыи", "eleven eleventh xi", "twelve twelfth xii",
            "thirteen thirteenth xiii", "fourteen fourteenth xiv", "fifteen fifteenth xv", "sixteen sixteenth xvi",
            "seventeen seventeenth xvii", "eighteen eighteenth xviii", "nineteen nineteenth xix", "twenty twentieth xx",
        ],
        1,
    )
    for word in words.split()
}  # fmt: skip
_VOLUME_WORD = re.compile(
    r"\b(?:volume|vol|book|bk|part|pt|no|number|nr|episode|issue|tome|teil|band|bd|tap|quyen|том|книга|часть)\b"
)
_VOLUME = "#"
# '(Book 2)' is where a book stands in its series, '(Volume 2)' a part of a work.
_IN_SERIES = re.compile(r"(?:book|bk|no|number|nr) \d+")
# What tells of a part and nothing else, however it is counted: 'Tome second', 'zweiter Teil', 'Quyển Hạ', 't1'.
_IS_PART = re.compile(
    r"(?:volumen?|vol|part|pt|parte|partie|tome|tomo|teil|band|bd|deel|dil|czesc|tap|quyen|том|часть) (?:the )?\w+"
    r"|tom (?:\d+|[ivxl]+|\w+[yi])|(?:книга|кн) (?:\d+|[ivxl]+|\w+(?:ая|ья|ое))|[tvтч] ?\d{1,2}"
    r"|\w+ (?:volume|tome|tomo|parte?|partie|teil|том|часть|deel|dil|czesc)|\w+er band"
    r"|[a-h]|upper|lower|thuong|trung|ha|[上中下]"
)
_EDITION_WORD = re.compile(rf"\b(?:{_EDITION_WORDS})(?!\w)", re.IGNORECASE)
_PIECES = re.compile(r"[,;:]")
_SEVERAL = re.compile(r"#\s?0*(\d+)\s?[-–—&]\s?#?0*(\d+)")  # '(Dune Chronicles, #1-3)'
# Of several numbers in a note, that of the place in the series; '#1.5' is no '#1'.
_PLACE = re.compile(r"(?:#|\b(?:no|nr|number|book|bk|vol|volume)\b\.?)\s?0*(\d{1,3}(?:\.\d)?)(?!\d)", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")
_ROMAN = re.compile("[ivx]+")
# One letter of these is as much as a syllable or a word, and volumes differ in no more: '第一巻', '第二巻'.
_SYLLABLES = re.compile("[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff]")
_TITLES_OF_PEOPLE = frozenset(
    {"jr", "sr", "dr", "phd", "md", "sir", "dame", "lord", "lady", "saint", "prof", "rev", "mrs", "mr"}
)
_BETWEEN_NAMES = re.compile(r"[\s.]+")
_NOBODY = frozenset(
    {"various", "various authors", "anonymous", "anon", "not applicable", "na", "n a", "none", "author unknown"}
)


@lru_cache(maxsize=1024)  # each is asked for a few times in a row
def without_note(title: str) -> str:
    """'Dune (Paperback ed.)' -> 'Dune'; a title that is nothing but a note stays."""
    title = title.strip() or title
    for sign, pattern in ((_BRACKET, _IN_BRACKETS), (_DASH, _AFTER_DASH)):
        if sign.search(title):  # the patterns are dear, and most titles have nothing of the kind
            found = pattern.search(title)
            # 'Coraline (Graphic Novel Edition)' is not Coraline, nor 'Faust (Reclam Edition, Part 2)' all of Faust.
            if found and not _APART.search(fold_words(found[0])) and not _tells_part(found[0]):
                title = title[: found.start()].strip() or title
    return title


def _without_edition(note: str) -> list[str]:
    """The pieces of a note, folded, without the words of the edition: 'Deluxe Edition, Book 1' -> ['book 1']."""
    return list(filter(None, (fold_words(_EDITION_WORD.sub(" ", piece)) for piece in _PIECES.split(note))))


def _tells_part(note: str) -> bool:
    pieces = _without_edition(note)
    return any(map(_IS_PART.fullmatch, pieces)) or (len(pieces) == 1 and bool(_IN_SERIES.fullmatch(_digits(pieces[0]))))


@dataclass(frozen=True)
class Name:
    """A person's name for comparing: folded words, the family name last as far as the writing tells."""

    words: tuple[str, ...]

    @property
    def family(self) -> str:
        return self.words[-1]

    @cached_property
    def key(self) -> str:
        return " ".join(sorted(self.words))

    def may_be(self, other: "Name") -> bool:
        """Whether both may be one person: initials stand for names, middle names may be left out."""
        if self.key == other.key:
            return True
        if len(self.words) < 2 or len(other.words) < 2:
            return False
        if self.family != other.family and not _is_slip(self.family, other.family, 6, _SIMILAR_NAMES):
            return False
        short, long = sorted((self.words[:-1], other.words[:-1]), key=len)
        if not _stands_for(short[0], long[0]):
            return False
        rest = iter(long[1:])
        return all(any(_stands_for(word, candidate) for candidate in rest) for word in short[1:])


def _stands_for(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return short == long or (len(short) == 1 and long.startswith(short))


@lru_cache(maxsize=65_536)
def name_of(written: str) -> Name | None:
    """'Le Guin, Ursula K.' and 'Ursula K. Le Guin' alike; 'JRR Tolkien' as initials; None for nobody in particular."""
    family, comma, given = written.partition(",")
    if comma and fold_words(given) not in _TITLES_OF_PEOPLE and fold_words(given):
        written = f"{given} {family}"
    words: list[str] = []
    shouted = written.isupper()
    for word in _BETWEEN_NAMES.split(written.strip()):
        folded = fold_words(word)
        initials = word.isupper() and not shouted and 1 < len(word) <= 3 and not set(folded) & set("aeiouy")
        words += list(folded) if initials else folded.split()
    plain = [word for word in words if word not in _TITLES_OF_PEOPLE] or words
    return Name(tuple(plain)) if plain and " ".join(plain) not in _NOBODY else None


@dataclass(frozen=True)
class Title:
    """A title taken apart, folded. `series_number`: told in a note, as in '(The Wheel of Time, Book 2)'."""

    core: str  # without article, note and a subtitle that says nothing
    main: str  # of the core: before the subtitle
    subtitle: str  # '' when there is none
    numbers: tuple[str, ...]  # of the core, in digits
    series_number: str
    apart: frozenset[str]  # words that make it another book: 'omnibus', 'companion'
    article: str  # language of the article it begins with, '' where there is none or it tells nothing
    after_colon: str  # the subtitle, if it stands after a colon or dash


@lru_cache(maxsize=65_536)
def title_of(written: str) -> Title:
    """The parts of a title that comparing needs."""
    title, notes = without_note(written).strip(), []
    series_number, bare_numbers, colon, parts = "", [], None, [title]
    if _TAKEN_APART.search(title):  # most titles have no sign that any of this looks for
        while (found := _NOTE.search(title)) and title[: found.start()].strip():
            notes.append(next(part for part in found.groups() if part is not None))
            title = title[: found.start()].strip()
        bare_numbers = [part for note in notes for part in _parts_told(note, title)]
        series_number = next((n for note in notes if not _is_bare(note) for n in _volume_numbers(note)), "")
        if number := _AFTER_SIGN.search(title):
            series_number = series_number or number[1]
            title = title[: number.start()]
        title = _TURNED_ARTICLE.sub(r"\2 \1", title)
        colon = _COLON.search(title)
        parts = _SUBTITLE.split(_AND_ANOTHER.sub(" ", title))
    main, *rest = [folded for part in parts if (folded := fold_words(part.replace("&", " and ")))] or [""]
    article = _ARTICLES.get(main.partition(" ")[0], "")
    main = _without_article(main)
    told = [part for part in rest if not _KIND.fullmatch(part) and not _OTHER_NAME.match(part)]
    subtitle = _without_article(" ".join(told))
    core = " ".join([main, *filter(None, [subtitle]), *bare_numbers]) or title.casefold().strip() or written.casefold()
    whole = fold_words(written)
    return Title(
        core=core,
        main=main,
        subtitle=subtitle,
        numbers=tuple(word for word in _digits(core).split() if word.isdigit()),
        series_number=series_number,
        apart=frozenset(
            _APART.findall(whole) + _APART_IN_TITLES.findall(whole if title == written else fold_words(title))
        ),
        article=article,
        after_colon=subtitle if colon else "",
    )


def _digits(folded: str) -> str:
    words = (_ORDINALS.get(word, word) for word in folded.split())
    return " ".join(word.lstrip("0") or "0" if word.isdigit() else word for word in words)


def _is_bare(note: str) -> bool:
    """Whether a note, but for the edition, tells a part of the work: 'Volume 2', not 'Dune Chronicles, Book 2'."""
    folded = _digits(" ".join(_without_edition(note)))
    if not folded or _IN_SERIES.fullmatch(folded):
        return False
    return not _VOLUME_WORD.sub("", folded).strip(" 0123456789") or bool(_IS_PART.fullmatch(folded))


def _parts_told(note: str, title: str) -> list[str]:
    """What of a note tells a part of the work: all of it, or the piece after the place: 'Harry Potter, #5, Part 1'.

    Unless the title tells it before: 'To Green Angel Tower, Part 1 (Memory, Sorrow, and Thorn, #3, Part 1)'.
    """
    if _is_bare(note):
        return [fold_words(note)]
    pieces = [_digits(fold_words(piece)) for piece in _PIECES.split(note)]
    placed = next((at for at, piece in enumerate(pieces) if _NUMBER.search(piece)), len(pieces))
    said = f" {_digits(fold_words(title))} "
    return [piece for piece in pieces[placed + 1 :] if _IS_PART.fullmatch(piece) and f" {piece} " not in said]


def _volume_numbers(note: str) -> list[str]:
    """Numbers of a note, that of its place first, but years and those of an age: 'book two', '#1-3', 'wheel of time 3'.

    Of a word, 'Deep Space Nine' is no number.
    """
    words = fold_words(note).split()
    numbers = [
        number
        for at, (word, number) in enumerate(zip(words, _digits(" ".join(words)).split(), strict=True))
        if number.isdigit() and len(number) < 4
        if word.isdigit()
        or any(map(_VOLUME_WORD.fullmatch, words[max(at - 1, 0) : at + 2]))
        or (_ROMAN.fullmatch(word) and at == len(words) - 1)
    ]
    return ["-".join(places) for places in _SEVERAL.findall(note)] + _PLACE.findall(note) + numbers


def _without_article(folded: str) -> str:
    first, _, rest = folded.partition(" ")
    return rest if first in _ARTICLES and rest else folded


@dataclass(frozen=True)
class Record:
    """What of an edition decides which work it belongs to."""

    title: str
    authors: tuple[str, ...] = ()
    language: str = ""  # ISO 639-3
    original_title: str = ""  # of what it was translated from
    apart: str = ""  # records that differ in it are never one work: 'film 1995'; or a `volume`

    @cached_property
    def names(self) -> tuple[Name, ...]:
        return tuple(filter(None, map(name_of, self.authors)))

    @cached_property
    def parts(self) -> Title:
        parts = title_of(self.title)
        return replace(parts, series_number=self.apart[1:]) if self._is_volume and not parts.series_number else parts

    @property
    def _is_volume(self) -> bool:
        return self.apart.startswith(_VOLUME)

    @cached_property
    def key(self) -> str:
        """author|title|language[|apart], folded: editions whose keys are equal are one work."""
        bare = fold_words(without_note(self.title)) or fold_words(self.title)
        bare = bare or self.title.casefold().replace("|", " ")
        apart = f"|{self.apart}" if self.apart else ""
        return f"{self.names[0].key if self.names else ''}|{bare}|{self.language}{apart}"

    @cached_property
    def blocks(self) -> frozenset[str]:
        """Records that have none of these in common are never compared."""
        parts = self.parts
        starts = {text[:_BLOCK_LETTERS] for text in (parts.core, parts.subtitle) if text}
        if self.original_title:
            starts.add(title_of(self.original_title).core[:_BLOCK_LETTERS])
        words = {word for name in self.names[:2] for word in name.words if len(word) > 1}
        apart = f"{self.apart}|" if self.apart and not self._is_volume else ""
        return frozenset(f"{apart}{word}|{start}" for word in words for start in starts)


def volume(title: str, series: str | None, index: float | None) -> str:
    """What tells a volume from others of its series, '#3', where its title is but the name of the series; else ''."""
    if not series or index is None:
        return ""
    named, core = title_of(series).core, title_of(title).core
    return f"{_VOLUME}{index:g}" if named == core or named.startswith(f"{core} ") else ""


@dataclass(frozen=True)
class Likeness:
    """Why two records are one work, a work and its translation, or may be one. `score`: 1 is certain."""

    relation: Relation
    reason: str
    score: float


def compare(one: Record, other: Record) -> Likeness | None:
    """Whether two records tell of one work; None when they do not."""
    if one.key == other.key:
        return Likeness("same", "same title, author and language", 1.0)
    if not (one.names and other.names):
        return None
    if not _share_author(one, other):
        return _by_family_name(one, other)
    foreign = bool(one.language and other.language and one.language != other.language)
    found = _compare_titles(one.parts, other.parts)
    if not foreign:
        return Likeness("same", *found) if found else None
    if found is None:
        found = _compare_originals(one, other)
    return Likeness("translation", f"{found[0]}, in another language", found[1]) if found else None


def nearly(one: Record, other: Record) -> Likeness | None:
    """Why a person should look whether two records are one work, although no rule says so; None: no reason to."""
    left, right = one.parts, other.parts
    score = JaroWinkler.similarity(left.core, right.core, score_cutoff=NEARLY)
    short, long = sorted((len(left.core), len(right.core)))
    if short < _NEARLY_AS_LONG * long:  # what begins alike scores high, however much follows
        score = 0.0
    begins = _tells_enough(left.core) and _tells_enough(right.core) and _one_begins(left.core, right.core)
    if not (score or begins) or left.numbers != right.numbers or contradict(one, other):
        return None
    if not (one.names and other.names and _share_author(one, other)):
        return None
    if begins:
        return Likeness("near", "one title begins with the other", max(score, NEARLY))
    return Likeness("near", "nearly the same title", score)


def _one_begins(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return long.startswith(f"{short} ")


def _by_family_name(one: Record, other: Record) -> Likeness | None:
    """The very same title by 'Robbins' and by 'Tom Robbins'."""
    names = (one.names[0], other.names[0])
    bare = len(names[0].words) == 1 or len(names[1].words) == 1
    if not bare or names[0].family != names[1].family or one.language != other.language:
        return None
    if one.parts.core != other.parts.core or one.parts.apart != other.parts.apart or not _tells_enough(one.parts.core):
        return None
    return Likeness("same", "same title, one author by the family name alone", 0.94)


def _share_author(one: Record, other: Record) -> bool:
    return any(name.may_be(candidate) for name in one.names[:2] for candidate in other.names[:2])


def _compare_originals(one: Record, other: Record) -> tuple[str, float] | None:
    for original, record in ((one.original_title, other), (other.original_title, one)):
        if original and title_of(original).core in {record.parts.core, title_of(record.original_title).core}:
            return "the original title is told", 0.99
    return None


def _compare_titles(one: Title, other: Title) -> tuple[str, float] | None:
    if one.apart != other.apart or _numbers_differ(one, other):
        return None
    if one.article and other.article and one.article != other.article:
        return None
    return _compare_cores(one, other) or _compare_subtitles(one, other)


def _compare_cores(one: Title, other: Title) -> tuple[str, float] | None:
    if one.core == other.core:
        return "same title but for notes", 0.99
    letters = {_last_letter(one.core), _last_letter(other.core)} - {""}
    if one.numbers != other.numbers or len(letters) > 1:
        return None
    squeezed, other_squeezed = one.core.replace(" ", ""), other.core.replace(" ", "")
    if squeezed == other_squeezed and len(squeezed) >= _SHORTEST:
        return "same title, words run together", 0.98
    if _NUMBER.findall(one.core) != _NUMBER.findall(other.core):  # 'Naruto_01', 'Naruto v02'
        return None
    if _words_slip(one.core, other.core) and (_is_slip(one.core, other.core) or _is_slip(squeezed, other_squeezed)):
        return "a slip of the pen", JaroWinkler.similarity(one.core, other.core)
    return None


def _last_letter(core: str) -> str:
    """The letter that a title ends with, as a number would: 'Hepatitis A', 'Physics volume B'."""
    return core[-1] if core[-2:-1] == " " else ""


def _compare_subtitles(one: Title, other: Title) -> tuple[str, float] | None:
    if "-" in one.series_number + other.series_number:  # several of a series, by its name: none of them has it alone
        return None
    if one.main == other.main:
        # A subtitle with a number is a volume's, and one of a single word tells which of several: 'Joshua: Homecoming'.
        told = one.subtitle + other.subtitle
        left_out = not (one.subtitle and other.subtitle) and " " in told and not _IS_PART.fullmatch(told)
        if left_out and _tells_enough(one.main) and one.numbers == other.numbers:
            return _LEFT_OUT, 0.95
        if _begins(one.subtitle, other.subtitle) or _begins(other.subtitle, one.subtitle):
            return "one cuts the subtitle short", 0.96
    for whole, part in ((one, other), (other, one)):
        if part.after_colon and not whole.subtitle and part.after_colon == whole.core and _tells_enough(whole.core):
            return "one puts the series before the title", 0.95
    return None


def _numbers_differ(one: Title, other: Title) -> bool:
    if one.series_number and other.series_number and one.series_number != other.series_number:
        return True
    return bool(one.numbers and other.numbers and one.numbers != other.numbers)


def _tells_enough(text: str) -> bool:
    return len(text) >= _FEWEST or " " in text


def _begins(text: str, beginning: str) -> bool:
    return len(beginning) >= _SHORTEST and text.startswith(beginning)


def _is_slip(one: str, other: str, shortest: int = _SHORTEST, similar: float = SIMILAR) -> bool:
    """Whether a few letters tell the two apart: one in 8 to 15, two in 16 to 47, then one more for every 16."""
    length = min(len(one), len(other))
    if length < shortest or one[0] != other[0] or _SYLLABLES.search(one + other):
        return False
    allowed = 1 if length < 2 * _SHORTEST else max(2, length // 16)
    if DamerauLevenshtein.distance(one, other, score_cutoff=allowed) > allowed:
        return False
    return JaroWinkler.similarity(one, other) >= similar


def _words_slip(one: str, other: str) -> bool:
    """Whether each word may be a slip of the other's: 'prince' is none of 'princess', 'father' none of 'mother'.

    Where words were run together or left out, there is nothing to say.
    """
    words, others = one.split(), other.split()
    if len(words) != len(others):
        return True
    for word, its in zip(words, others, strict=True):
        shortest = min(len(word), len(its))
        slips = DamerauLevenshtein.distance(word, its)
        if slips > (2 if shortest > _LONG_WORD else 1) or (slips and len(word) == len(its) < _SHORTEST_SLIP):
            return False
    return True


def contradict(one: Record, other: Record) -> bool:
    """Whether two records cannot be one work, whatever stands between them."""
    if one.language and other.language and one.language != other.language:
        return True
    left, right = one.parts, other.parts
    if left.apart != right.apart or _numbers_differ(left, right):
        return True
    return left.main == right.main and _unlike(left.subtitle, right.subtitle)


def _unlike(one: str, other: str) -> bool:
    """Two subtitles that tell of two books."""
    return bool(one and other) and not (
        one == other or _begins(one, other) or _begins(other, one) or _is_slip(one, other)
    )


Key = Hashable


@dataclass(frozen=True)
class Link:
    one: str  # keys
    other: str
    likeness: Likeness


def links(records: Mapping[str, Record]) -> list[Link]:
    """Every pair of these records that is alike or nearly so, the surest first. By key."""
    blocks: defaultdict[str, list[str]] = defaultdict(list)
    for key, record in records.items():
        for block in record.blocks:
            blocks[block].append(key)
    compared: set[tuple[str, str]] = set()
    found: list[Link] = []
    for members in blocks.values():
        if len(members) < 2:
            continue
        members.sort(key=lambda key: (records[key].parts.core, key))
        serial = _serial_mains(records[key] for key in members)
        for pair in _pairs(members, records):
            if pair in compared:
                continue
            compared.add(pair)
            likeness = compare(records[pair[0]], records[pair[1]])
            if likeness and likeness.reason == _LEFT_OUT and records[pair[0]].parts.main in serial:
                continue
            if likeness := likeness or nearly(records[pair[0]], records[pair[1]]):
                found.append(Link(*pair, likeness))
    return sorted(found, key=lambda link: (-link.likeness.score, link.one, link.other))


def _pairs(members: Sequence[str], records: Mapping[str, Record]) -> Iterable[tuple[str, str]]:
    """Members, in alphabetical order of their titles, two by two; of very many only neighbours.

    Titles with unlike numbers are never alike, so a series of a hundred volumes is not compared with itself; but where
    an original title is told, it may be that of the other one.
    """
    if len(members) > _LARGEST_BLOCK:
        for at, one in enumerate(members):
            yield from (_in_order(one, other) for other in members[at + 1 : at + 1 + _NEIGHBOURS])
        return
    of_any: list[str] = []
    numbered: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for key in members:
        numbers = records[key].parts.numbers
        (numbered[numbers] if numbers and not records[key].original_title else of_any).append(key)
    yield from starmap(_in_order, combinations(of_any, 2))
    for volumes in numbered.values():
        yield from starmap(_in_order, combinations(volumes, 2))
        yield from starmap(_in_order, product(volumes, of_any))


def _in_order(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)


def _serial_mains(records: Iterable[Record]) -> set[str]:
    """What stands before several unlike subtitles names a series: 'Star Wars'. It is no title of its own."""
    subtitles: defaultdict[str, set[str]] = defaultdict(set)
    for record in records:
        if record.parts.subtitle:
            subtitles[record.parts.main].add(record.parts.subtitle)
    return {
        main
        for main, told in subtitles.items()
        if any(_unlike(one, other) for one, other in combinations(sorted(told)[:20], 2))
    }


@dataclass
class Group:
    """Records that are one work. `book_id`: of the work that is there already."""

    keys: list[str]
    book_id: int | None


def group(records: Mapping[str, Record], fixed: Mapping[str, int], found: Sequence[Link] | None = None) -> list[Group]:
    """Records as works.

    Args:
        records: by key.
        fixed: keys whose work is known and stays; two works that are known are never joined.
        found: their `links`, if they are at hand.

    Returns:
        Groups in the order of their first key.
    """
    graph: nx.Graph = nx.Graph()
    same = [link for link in (links(records) if found is None else found) if link.likeness.relation == "same"]
    graph.add_edges_from((link.one, link.other) for link in same)
    by_book: defaultdict[int, list[str]] = defaultdict(list)
    for key, book_id in fixed.items():
        by_book[book_id].append(key)
    graph.add_edges_from((keys[0], key) for keys in by_book.values() for key in keys[1:])
    of_component: defaultdict[str, list[Link]] = defaultdict(list)
    components: list[set[str]] = list(nx.connected_components(graph))
    root = {key: min(part) for part in components for key in part}
    for link in same:
        of_component[root[link.one]].append(link)
    groups = [made for part in components for made in _joined(part, of_component[min(part)], records, fixed)]
    groups += [Group([key], fixed.get(key)) for key in records if key not in graph]
    return sorted(groups, key=lambda made: made.keys[0])


def _joined(
    keys: set[str], surest_first: Sequence[Link], records: Mapping[str, Record], fixed: Mapping[str, int]
) -> list[Group]:
    """One connected part of the graph: joined pair by pair unless the joined would contradict each other."""
    group_of: dict[str, Group] = {}
    known: dict[int, Group] = {}
    for key in sorted(keys):
        book_id = fixed.get(key)
        made = known.get(book_id) if book_id is not None else None
        if made is None:
            made = Group([], book_id)
            if book_id is not None:
                known[book_id] = made
        made.keys.append(key)
        group_of[key] = made
    for link in surest_first:
        one, other = group_of[link.one], group_of[link.other]
        if one is other or (one.book_id is not None and other.book_id is not None):
            continue
        if any(contradict(records[left], records[right]) for left in one.keys for right in other.keys):
            continue
        one.keys = sorted(one.keys + other.keys)
        one.book_id = other.book_id if one.book_id is None else one.book_id
        for key in other.keys:
            group_of[key] = one
    return list({id(made): made for made in group_of.values()}.values())
