"""A question in words -> what is wished for. By rules, in English, Vietnamese and Russian; pure.

Each rule reads words off the question (`Reading.take`), so that none is read twice: "no war" is not war, the year of
"before 1970" is no title. What is left are the words that a record should hold. What a language model understood of
the same question is merged in by `merge`; it never overrules a number or a negation that the rules saw.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import takewhile
from typing import Literal

import msgspec

from dashboard.chat.lexicon import (
    CODES,
    LANGUAGES,
    Concept,
    Language,
    accented,
    aside,
    compiled,
    gap,
    is_cyrillic,
    lexicon,
    other_languages,
    spaced,
    stem,
)
from openshelf.contracts import clean_text
from openshelf.database.audiences import AUDIENCES
from openshelf.folding import fold

# books: the usual; why: about a book just named; the others ask for no book.
Asks = Literal["books", "why", "greeting", "thanks", "orders", "not-books", "nothing"]
Length = Literal["short", "long"]

MAX_QUESTION = 2_000
# Pages of a book that is quickly read, and of one for a long winter; a little more or less still passes.
SHORT, LONG = 200, 500
# Letters that of these three languages only Vietnamese has; NFC.
_VIETNAMESE = re.compile(r"[ăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", re.IGNORECASE)
_SHORT_FOLLOW_UP = 4  # words
_FORMATS = ("EPUB", "PDF", "MOBI", "AZW3", "DJVU", "CBZ", "MP3", "M4B")


@dataclass(frozen=True)
class Wish:
    """What a question asks for.

    `text` as asked, `language` of the question; `subjects`, `themes`, `moods` and `avoid` are names of
    `words.toml`, `less` those there should be little of; `wanted`: the text without what is not wanted, `spoken`: its
    words that say something;
    `words` and `avoid_words` are folded words that records should hold, or not; `names` are those of the words that
    were written as names. `titled`: what books should be like; `named`: a title, author or series that must be there;
    `author`: who must have written it. `age` in years; `min_pages` and `max_pages` as asked.
    `refers`: the place, from 0, of a work of the answer before that this is about; -1 the last.
    """

    text: str
    language: Language
    asks: Asks = "books"
    words: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    themes: tuple[str, ...] = ()
    moods: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    less: tuple[str, ...] = ()
    spoken: tuple[str, ...] = ()
    wanted: str = ""
    avoid_words: tuple[str, ...] = ()
    avoid_author: str = ""
    titled: str = ""
    is_titled_as_name: bool = False  # it was written as one
    named: str = ""
    author: str = ""
    is_same_author: bool = False
    is_translated: bool = False
    is_native: bool = False  # by authors of the language it is in
    by_women: bool = False
    is_story: bool = False
    is_true: bool = False  # no story
    in_order: bool = False  # a series, from its beginning
    teaches: bool = False  # it asks for a manual, or how something is done
    written_in: str | None = None
    year_from: int | None = None
    year_to: int | None = None
    audience: str | None = None
    age: int | None = None
    length: Length | None = None
    max_pages: int | None = None
    min_pages: int | None = None
    format: str | None = None
    is_low: bool = False  # who asks says to be sad or tired
    held: tuple[str, ...] = ()  # of the subjects, themes, moods and words: those of the question before
    is_more: bool = False
    refers: int | None = None
    is_sequel: bool = False  # what follows on the work it refers to, or is like
    chooses: bool = False  # one of the works that were named
    like: tuple[int, ...] = ()  # set by `answer.look_up`: the works that books should be like
    refusal: str | None = field(default=None, compare=False)  # set by `answer.look_up`: why no book is named

    @property
    def has_topic(self) -> bool:
        return bool(
            self.words or self.subjects or self.themes or self.titled or self.named or self.author
            or self.is_same_author or self.like or self.chooses or self.is_sequel
        )  # fmt: skip

    @property
    def narrows(self) -> bool:
        return bool(
            self.moods or self.written_in or self.year_from or self.year_to or self.audience or self.age is not None
            or self.length or self.format or self.avoid or self.avoid_words or self.avoid_author or self.is_translated
            or self.is_native or self.by_women
        )  # fmt: skip

    @property
    def is_empty(self) -> bool:
        return not (self.has_topic or self.narrows or self.refers is not None)


@dataclass(frozen=True)
class Mention:
    """A work of ours that a question names: the words of the question, folded, and the work."""

    words: str
    book_id: int


def parse(
    question: str, before: Wish | None = None, today: date | None = None, mentions: Sequence[Mention] = ()
) -> Wish:
    """Read one question; `before` is the wish it follows on, for "more of those" and "something shorter".

    `mentions`: works of ours that it names; where it asks for books like them, their names are read as that alone.
    """
    text = " ".join(clean_text(question).split())[:MAX_QUESTION]
    language = language_of(text, before.language if before else None)
    reading = Reading(text, language)
    asks = _asks(reading, text)
    if asks != "books":
        return Wish(text, language, asks)
    wish = _likened(reading, Wish(text, language), mentions)
    wish = _read(reading, wish, before is not None, today or datetime.now(UTC).date())
    return _follow(wish, before, reading) if before else wish


def language_of(text: str, before: Language | None = None) -> Language:
    """The language of a question, roughly: by script, then letters, then words; else that of the one before."""
    letters = [c for c in text if c.isalpha()]
    if sum(is_cyrillic(c) for c in letters) * 2 > len(letters):
        return "ru"
    if len(_VIETNAMESE.findall(text)) >= 2:
        return "vi"
    words = spaced(text).split()
    silent = lexicon().silent
    english, vietnamese = (sum(word in among for word in words) for among in (silent["en"], silent["vi"]))
    if english == vietnamese and (before == "vi" or _VIETNAMESE.search(text)):
        return "vi"
    return "vi" if vietnamese > english else "en"


@dataclass(frozen=True)
class Word:
    raw: str
    folded: str
    accented: str
    begins: bool  # a sentence, so that its capital says nothing


class Reading:
    """The words of a question. What one rule has read, the next does not see."""

    def __init__(self, text: str, language: Language) -> None:
        self.text = text
        self.language: Language = language
        self.has_accents = language == "vi" and bool(_VIETNAMESE.search(text))
        self.words: list[Word] = []
        self._spans: dict[bool, list[tuple[int, int]]] = {False: [], True: []}
        self._text = {False: "", True: ""}
        end = 0
        # One mark in a word that is an apostrophe's would part "don't"; the patterns know it as "don t".
        for match in re.finditer(r"\w+", text):
            between = text[end : match.start()]
            begins = not self.words or bool(re.search(r"[.!?…:\"“«„]\s*$", between.rstrip() or " "))
            word = Word(match[0], fold(match[0]), accented(match[0]), begins)
            for with_accents in (False, True):
                written = word.accented if with_accents else word.folded
                so_far = self._text[with_accents] + (gap(between) if self.words else "")
                self._spans[with_accents].append((len(so_far), len(so_far) + len(written)))
                self._text[with_accents] = so_far + written
            self.words.append(word)
            end = match.end()
        self.original = self._text[False]
        self.is_answer = False  # to books that were just named
        self._taken = [False] * len(self.words)
        self.negated = [False] * len(self.words)

    @property
    def folded(self) -> str:
        return self._text[False]

    def find(self, pattern: str, *, with_accents: bool = False) -> re.Match[str] | None:
        return compiled(pattern).search(self._text[with_accents])

    def take(self, pattern: str, *, with_accents: bool = False) -> re.Match[str] | None:
        """Find a pattern and read its words off."""
        match = self.find(pattern, with_accents=with_accents)
        if match:
            for n in self._within(match, with_accents):
                self._taken[n] = True
                for each in (False, True):
                    a, b = self._spans[each][n]
                    self._text[each] = self._text[each][:a] + "\0" * (b - a) + self._text[each][b:]
        return match

    def negate(self, match: re.Match[str], *, with_accents: bool = False) -> None:
        """Remember that what was read is not wanted."""
        for n in self._within(match, with_accents):
            self.negated[n] = True

    def raw(self, start: int, end: int) -> list[Word]:
        """The words within a span of the folded text."""
        return [w for w, span in zip(self.words, self._spans[False], strict=True) if span[0] < end and start < span[1]]

    def rest(self) -> list[Word]:
        """What no rule has read."""
        return [word for word, taken in zip(self.words, self._taken, strict=True) if not taken]

    def is_title_case(self) -> bool:
        """Whether most words begin with a capital, so that capitals tell no name."""
        longer = [word for word in self.words if len(word.raw) > 3]
        return len(longer) > 2 and sum(word.raw[0].isupper() for word in longer) > 0.7 * len(longer)

    def is_silent(self, word: Word) -> bool:
        """Whether a word says nothing about a book."""
        if self.has_accents:
            return word.accented in lexicon().silent_vietnamese
        silent = lexicon().silent[self.language]
        if self.language == "en" and len(word.folded) > 6 and word.folded.endswith("ly") and word.raw[0].islower():
            return True  # how, not what
        return word.folded in silent or (self.language == "ru" and stem(word.folded) in silent)

    def spoken(self, among: Sequence[Word]) -> tuple[str, ...]:
        """Those of the words that say something and are wanted."""
        unwanted = {id(word) for word, negated in zip(self.words, self.negated, strict=True) if negated}
        said = [word for word in among if id(word) not in unwanted and not self.is_silent(word)]
        return tuple(dict.fromkeys(word.accented if self.has_accents else word.folded for word in said))

    def wanted(self) -> str:
        """The question without what is not wanted."""
        return " ".join(word.raw for word, no in zip(self.words, self.negated, strict=True) if not no)

    def _within(self, match: re.Match[str], with_accents: bool) -> list[int]:
        start, end = match.span()
        return [n for n, span in enumerate(self._spans[with_accents]) if span[0] < end and start < span[1]]


# Code, marks of a prompt and sums, in a question as it was written.
_CODE = re.compile(
    r"<\s*/?\s*(?:script|img|iframe|svg|body|catalogue|\?php)|\[/?inst\]|javascript:|\bon(?:error|load)\s*="
    r"|;\s*--|'\s*or\s+'?1|\bselect\b.{1,40}\bfrom\b.{1,30}\bwhere\b|\{\{.*\}\}|\$\(|\.\./|/etc/|\brm -r|\bcurl http",
    re.IGNORECASE,
)
_SUM = re.compile(
    r"\d\s*[+*×÷−^]\s*\d|=\s*-?\d|^(?:what(?: i|')?s )?\d+ ?[+*/x-] ?\d+\W*$"
    r"|\d (?:times|plus|minus|divided by|nhân|cộng|trừ|chia|умножить на|плюс|минус) \d",
    re.IGNORECASE,
)


# What an assistant is told to do, in the very form of an order; folded.
_TASKS = re.compile(
    r"^(?:please |can you |could you |will you |would you |now |just )*"
    r"(?:(?:write|compose|translate|calculate|compute|solve|summari[sz]e|fix|repair)\b(?! like)"
    r"|(?:book|order|draw|draft|sing|call|play|code) (?:me|us|a|an|some)\b)"
    r"|\b(?:viet|dich|giai|tinh|soan|ve|hat|sua|goi|dat|lam|bat|gui) (?:giup|ho|gium|dum|cho) "
    r"(?:toi|minh|em|con|tao|to|anh|chi)\b"
    r"|\bke (?:cho )?(?:\w+ )?(?:nghe )?(?:mot )?(?:cau )?chuyen (?:cuoi|vui|tieu lam)\b"
    r"|\b(?:напиши|сочини|переведи|реши|посчитаи|вычисли|спои|нарисуи|включи|закажи|позвони|отправь|пошути|докажи|почини)"
    r"(?:те)?\b"
)


def _asks(reading: Reading, text: str) -> Asks:
    folded = " ".join(word.folded for word in reading.words)
    if not any(c.isalnum() for c in text):
        return "nothing"
    known = lexicon()
    if folded in known.thanks:
        return "thanks"
    rest = folded
    for greeting in sorted(known.greetings, key=lambda each: -len(each)):
        if rest == greeting or rest.startswith(greeting + " "):
            rest = rest[len(greeting) :].strip()
            break
    if not rest:
        return "greeting"
    return _aside(reading, text, folded) or "books"


def _aside(reading: Reading, text: str, folded: str) -> Asks | None:
    """What a question is if it is none about books."""
    if _CODE.search(text) or _says(reading, "orders") or _says(reading, "insults"):
        return "orders"
    is_of_books = _says(reading, "books")
    is_long = len(reading.words) > _TELLS_MUCH
    # Who tells much and speaks of books means books, whatever else was said.
    if is_of_books and is_long:
        return None
    if _SUM.search(text) or _TASKS.search(folded) or _says(reading, "chores"):
        return "not-books"
    if is_of_books:
        return None
    if (_says(reading, "harm") and _says(reading, "how")) or (not is_long and _says(reading, "rude")):
        return "orders"
    return "not-books" if _says(reading, "troubles") else None


_TELLS_MUCH = 9  # words


def _says(reading: Reading, section: str) -> bool:
    """Whether a question holds a phrase of a section of `asides.toml`."""
    is_bare = reading.language == "vi" and not reading.has_accents
    said = aside(section, reading.language, bare=is_bare).search(reading._text[reading.has_accents])
    # A few words without accents may be of either language.
    return bool(said or (is_bare and aside(section, "en").search(reading.folded)))


def _read(reading: Reading, wish: Wish, is_follow_up: bool, today: date) -> Wish:
    """All the rules, those that read whole phrases first."""
    reading.is_answer = is_follow_up
    # "Haven't cried in ages" asks for it.
    reading.take(
        r"\b(?:haven t|have not|hasn t)(?= .{0,30}\b(?:in (?:ages|years|a long time|a while)|for (?:ages|years))\b)"
        r"|\b(?:lau|da lau|lau lam)(?: roi)? (?:khong|chua)\b|\bдавно(?: уже)? не\b"
    )
    reading.take(r"\b(?:(?:that|this|some|any|what|same|right|which|of|a|the) )+kinds? of(?: thing| stuff| book)?\b")
    reading.take(r"\b(?:i|we) (?:really |just )?(?:love|like|enjoy)(?= \w+ing\b)")
    if is_follow_up:
        wish = _references(reading, wish)
    wish = _likeness(reading, wish)
    wish = _creators(reading, wish)
    wish = _quoted(reading, wish)
    if wish.named and reading.take(_SEQUEL):
        wish = replace(wish, titled=wish.named, named="", is_titled_as_name=True, is_sequel=True)
    wish = _form(reading, wish)
    wish = _dates(reading, wish, today)
    wish = _readers(reading, wish)
    wish = _sizes(reading, wish)
    topic = reading.rest()
    teaches = _says(reading, "manuals")
    wish = _concepts(reading, wish)
    return replace(
        _words(reading, wish),
        spoken=reading.spoken(topic),
        wanted=reading.wanted(),
        is_story=bool(re.search(_STORY, re.sub(_TRUE, "", reading.original))),
        is_true=bool(re.search(_TRUE, reading.original)),
        in_order=bool(re.search(_IN_ORDER, reading.original)),
        teaches=teaches or "practical" in wish.moods or "learning" in wish.themes,
    )


def _likened(reading: Reading, wish: Wish, mentions: Sequence[Mention]) -> Wish:
    """With the works that it asks for the like of: it names them, and says that it liked them or wants others."""
    if not mentions:
        return wish
    spans = [match.span() for each in mentions if (match := reading.find(rf"\b{re.escape(each.words)}\b"))]
    text = reading.folded
    for start, end in spans:
        text = text[:start] + "\0" * (end - start) + text[end:]
    bare = [phrase.pattern if phrase.bare is None else phrase.bare for phrase in lexicon().likeness[wish.language]]
    accents = Reading(wish.text, wish.language)._text[True] if reading.has_accents else ""
    if not re.search(_SEQUEL, text) and not any(
        compiled(phrase.pattern).search(accents) if accents else compiled(said).search(text)
        for phrase, said in zip(lexicon().likeness[wish.language], bare, strict=True)
    ):
        return wish
    if reading.take(_SEQUEL):
        wish = replace(wish, is_sequel=True)
    for each in mentions:
        reading.take(rf"\b{re.escape(each.words)}\b(?: (?:by|cua|автора?) {_name(wish.language)})?")
    titled = " | ".join(each.words for each in mentions)
    return replace(
        wish, titled=titled, is_titled_as_name=True, like=tuple(dict.fromkeys(each.book_id for each in mentions))
    )


_STORY = (
    r"\b(?:novels?|novella|story|stories|fiction|truyen|tieu thuyet|роман\w*|повест\w*|рассказ\w*|художественн\w+)\b"
    r"(?! (?:of my|tale))"
)
_TRUE = (
    r"\bnon ?fiction\b|\btrue (?:stuff|stor(?:y|ies)|crime|accounts?)\b|\breal (?:life|events|people|stor(?:y|ies))\b"
    r"|\b(?:not|no|isn t|aren t|than) (?:a |any )?(?:novels?|fiction|stor(?:y|ies)|made up)\b"
    r"|\b(?:khong phai|khong doc|dung) (?:la )?(?:tieu thuyet|truyen|hu cau)\b|\bphi hu cau\b|\b(?:chuyen|nguoi"
    r"|viec) that\b"
    r"|\bнон ?фикш\w*|\bнехудожественн\w*|\bне (?:роман|художественн|выдум|сказк)\w*|\bдокументальн\w*"
    r"|\bреальн\w+ (?:истори|событи|люд)\w*|\bневыдуманн\w*"
)
_IN_ORDER = (
    r"\b(?:what|which|in(?: the)?(?: right)?|reading|correct) order\b|\bwhere (?:do|does|should|to"
    r"|would) (?:\w+ ){0,4}(?:start|begin)\b"
    r"|\b(?:start|begin) with\b|\b(?:which|what)(?: one| book)? (?:is|comes|do i read) first\b|\bfrom the (?:start"
    r"|beginning)\b"
    r"|\bпо порядку\b|\b(?:каком|какои|в) порядк\w*|\bс как(?:ои|ого) (?:\w+ )?(?:начин|нача)\w*|\bчто сначала\b"
    r"|\b(?:doc|xem) (?:tu dau|theo thu tu)\b|\bthu tu\b|\bcuon nao truoc\b|\btap (?:mot|1|dau(?: tien)?)\b"
    r"|\btu dau\b(?! (?:ma|den|co|toi))"
)


_PLACES: tuple[tuple[int, str], ...] = (
    (0, r"first|1st|number one|number 1|dau tien|thu nhat|thu 1|so mot|перв(?:ая|ую|ыи|ои|ое|ого)"),
    (1, r"second|2nd|number two|number 2|thu hai|thu 2|so hai|втор(?:ая|ую|ои|ое|ого)"),
    (2, r"third|3rd|number three|number 3|thu ba|thu 3|so ba|треть(?:я|ю|еи|е|его)|третии"),
    (3, r"fourth|4th|number four|number 4|thu tu|thu 4|so bon|четверт(?:ая|ую|ыи|ои|ое|ого)"),
    (-1, r"last|cuoi cung|cuoi|последн(?:яя|юю|ии|еи|ее|его)"),
)
_NOT_A_PLACE = r"(?! (?:world|war|centur|millenni|миров|love|любов|thang|the ki|the ky|year|ten|chien)| \d)"
_WHY = (
    r"^(?:so |but |and |ok )?why\b|\bwhat (?:is|s) (?:it|that one|this one) about\b|\bhow long is (?:it|that|this"
    r"|the)\b|\bwho wrote\b"
    r"|\bis (?:it|that one|this one|the \w+ one) (?:\w+ ){0,3}(?:sad|scary|long|good|hard|easy|violent|suitable|ok"
    r"|okay|appropriate|worth)\b"
    r"|\bо чем (?:она|он|это|эта|перв|втор|треть|последн)\w*|\bкто (?:автор|написал)\b|\b(?:noi|ke|viet) ve (?:gi"
    r"|cai gi)\b|\bai viet\b"
    r"|\btell me more about\b|\bmore about (?:the|that|this|it)\b|\bwhat is (?:the|that"
    r"|this) \w+ (?:one )?about\b"
    r"|\bwhat s (?:the|that) \w+ (?:one )?about\b|^(?:а |и |но )?почему\b|\bрасскажи(?:те)? (?:подробнее |побольше "
    r"|еще )?(?:о|об|про)\b|\bподробнее (?:о|об|про)\b"
    r"|^(?:con )?(?:tai sao|vi sao)\b|\b(?:noi|ke) (?:them|ro hon) ve\b"
)


# Asked of a work by its place.
_ABOUT_WHAT = (
    r"\bwhat(?: is| s| was)?(?! about) .{0,40}\babout\b|\bwho (?:wrote|is it by|is the author)\b|\b(?:о|об"
    r"|про) (?:чем|ком|что)\b"
    r"|\b(?:ve|ke|noi) (?:ve )?(?:cai |chuyen |dieu )?(?:gi|ai)\b|\bnoi dung\b|\bкто (?:автор|написал)\b|\bai viet\b"
)
_SEQUEL = (
    r"\bwhat (?:is|s) (?:the )?next\b(?: one| book| part| volume)?|\bnext one (?:called|in)\b"
    r"|\bкак(?:ая|ую|ои) (?:идет )?следующ\w+|\bследующ\w+ (?:про|в сери\w+)\b|\bsequels?\b|\b(?:next|second"
    r"|following) (?:part|volume|book|one|instal?lment)s? (?:in|of) (?:the|that"
    r"|this) (?:series|saga|story)\b"
    r"|\bnext in (?:the|that|this) series\b|\b(?:what|which(?: one| book)?) (?:comes|goes|is) (?:next|after)\b"
    r"|\bpart two\b|\bvolume two\b"
    r"|\brest of (?:the|that|this) series\b|\bпродолжени\w*|\b(?:вторая|следующая) (?:часть|книга)\b|\bчто (?:идет"
    r"|дальше по) (?:после|серии)\b"
    r"|\b(?:tap|phan|quyen) (?:tiep(?: theo)?|sau|2|hai)\b|\bphan tiep\b"
)
# Asks for one of those that were named.
_CHOOSES = (
    r"\bwhich (?:one|of (?:these|those|them|the \w+)|is|would|should)\b(?! (?:after|next))|\b(?:out )?(?:of|from"
    r"|among) (?:these|those|them|the (?:three|two))\b"
    r"|\bиз (?:них|этих|трех|двух|предложенн\w+)\b|\bкак(?:ая|ую|ои|ое) из\b|\bкакая (?:самая|короче|легче|смешнее)\b"
    r"|\btrong (?:so|may|ba|nhung|hai) (?:cuon|quyen|do|nay|truyen)\w*(?: (?:nay|do|tren))?\b|\b(?:cuon"
    r"|quyen) nao (?=.{1,20} nhat\b)"
)
_KNOWN_ALREADY = (
    r"\b(?:read|seen|know|own|got|have|had) (?:it |that |this |the |them )?(?:already)?\b|\balready\b|\bчита(?:л|ла"
    r"|ли)\b|\bпрочита\w*|\bесть дома\b"
    r"|\bdoc (?:roi|cuon|quyen|qua)\b|\bda doc\b"
)


def _references(reading: Reading, wish: Wish) -> Wish:
    """ "More like the second one", "why the third?", "another by the same author"."""
    is_why = bool(reading.find(_WHY))  # before its words are read off
    refers: int | None = None
    for place, words in _PLACES:
        if reading.take(
            rf"\b(?:(?:the|number|no|cuon|quyen|truyen|про|на|как) )?(?:{words})\b{_NOT_A_PLACE}"
            r"(?: (?:one|book|title|story|novel|suggestion|cuon|quyen|книг[ауеи]|роман\w*))?"
        ):
            refers = place
            break
    is_why = is_why or (refers is not None and bool(re.search(_ABOUT_WHAT, reading.original)))
    if not is_why and reading.find(_SEQUEL):
        reading.take(_SEQUEL)
        return replace(wish, refers=refers or 0, is_sequel=True)
    if not is_why and reading.find(_CHOOSES):
        reading.take(_CHOOSES)
        return replace(wish, chooses=True)
    if refers is not None and reading.find(_KNOWN_ALREADY):
        return replace(wish, is_more=True)  # not that one, and not its like
    is_same_author = bool(
        reading.take(
            r"\bwhat else (?:did|has|have) (?:he|she|they|that author|this author) \w+\b|\b(?:his|her"
            r"|their) other (?:books?|novels?|works?|stories)\b"
            r"|\b(?:he|she|they) (?:written|wrote|write)\b|\b(?:others?|more|else|anything|something) (?:by|from"
            r"|of) (?:this|that|the) (?:one s )?(?:author|writer)\b"
            r"|\b(?:его|ее|их) (?:другие )?(?:книг\w*|роман\w*|вещ\w*)\b|\bу (?:него|нее|этого автора"
            r"|этои писательницы)\b|\b(?:он|она) (?:еще )?(?:написал|пис)\w*"
            r"|\b(?:ong|ba|anh|co|chi) (?:ay|ta) (?:con )?viet\b|\btac gia (?:nay|do|ay)\b"
            r"|\b(?:by |from |of )?(?:the )?same (?:author|writer)\b|\bby (?:him|her|them|that author)\b|\b(?:cung"
            r"|chinh) tac gia(?: nay| do)?\b"
            r"|\b(?:тои|того|этого|эт[оу]и) же автор\w*|\b(?:этого|того же) автора\b|\bэтого (?:же )?писателя\b"
        )
    )
    if refers is None and (
        is_why
        or is_same_author
        or reading.take(
            r"\b(?:more |something |anything |one |books? )?(?:like|similar to) (?:it|that|this|these|those"
            r"|them)(?: one| book)?\b"
            r"|\bgiong (?:cuon |quyen )?(?:nay|do|vay|the)\b|\bпохож\w+ на (?:нее|него|эту|этот|это|них|эти)\b"
            r"|\bв том же духе\b"
        )
    ):
        refers = 0
    if is_why:
        return replace(wish, asks="why", refers=refers or 0)
    return replace(wish, refers=refers, is_same_author=is_same_author)


_LIKE = (
    r"\b(?:(?:something|anything|books?|novels?|stories|more|ones?|sth|similar|stuff|reads?|much|authors?|writers?"
    r"|a lot) like"
    r"|similar to|close to|akin to|nearest to|in the (?:style|spirit|vein|manner) of|reminiscent of"
    r"|(?:re)?reminds me of|along the lines of"
    r"|fans? of"
    r"|(?<!would )(?<!d )(?:i|we|she|he|they|son|daughter|kid|wife|husband|mother|father|\w+) (?:just |really "
    r"|absolutely |also |have |has |ve |both |had )*(?:liked|loved|enjoyed|adored)"
    r"|i (?:like|love) (?=[|a-z])(?!to\b|a\b|an\b|books|novels|reading|stories|something|when|how|it\b)|(?:just "
    r"|have |ve )?finished(?: reading)?|after reading|read (?:next )?after|next after"
    r"|tuong tu(?: nhu| cuon)?|giong(?: nhu)?(?: voi)?(?: cuon| truyen| quyen| sach)?|kieu nhu|nhu kieu"
    r"|theo phong cach|cung kieu|(?:minh|toi|em|con|be|chau) (?:rat |cung |da )*(?:thich|me|yeu)(?: cuon| truyen"
    r"| quyen)?(?= (?!doc|sach|truyen))"
    r"|похож\w* на|вроде|в духе|после(?= «)|в стиле|наподобие|типа|как у|понравил(?:ась|ся|ись|ось)(?: книга| роман)?"
    r"|люблю (?=[А-я]))"
)
# Where the name of a book ends: what follows is another wish.
_ENDS: dict[Language, str] = {
    "en": "but|only|except|though|without|please|for (?:my|a|an|kids|children|adults|teens)|with (?:more|less|a)"
    "|in (?:english|russian|vietnamese|french|german|spanish)|what|which|any|can|could|do|written|published|similar"
    "|and (?:want|would|need|i|now|am)|so much|very much",
    "vi": "nhung|ma|cho|khong|thi|goi y|co|bang tieng|a$|nhe|roi",
    "ru": "но|только|для|без|на (?:русском|английском|вьетнамском)|посоветуи\\w*|что|хочу|хочется|пожалуиста|есть",
}


def _likeness(reading: Reading, wish: Wish) -> Wish:
    """What follows "something like", as far as it is one name: "X by Y" gives the author, too."""
    if wish.titled:
        return wish
    match = reading.find(_LIKE + r"(?: \|)? (?P<title>[^\0]+?)" + rf"(?= (?:{_ENDS[wish.language]})\b| \||$)")
    if not match or wish.refers is not None:
        return wish
    title = match["title"].strip(" |")
    known = [concept.name for concept in lexicon().concepts if concept.any_phrase("en").fullmatch(title)]
    said = reading.raw(match.start("title"), match.end("title"))
    if not title or (known and not any(word.raw[0].isupper() for word in said)):
        return wish  # "i loved poetry": a subject, not a book
    if (
        wish.language != "en"
        or any(word.raw[0].isupper() for word in said)
        or not match[0].startswith(("i like", "i love"))
    ):
        reading.take(re.escape(match[0]) + r"(?!\w)")
        by = re.match(r"(?P<title>.+?) (?:by|cua|tac gia|автора?) (?P<author>.+)", title)
        if by:
            return replace(wish, titled=by["title"], author="", avoid_author="", is_titled_as_name=True)
        return replace(wish, titled=title, is_titled_as_name=any(word.raw[0].isupper() for word in said))
    return wish


# Words that end a name, and words after "by" that begin none.
_NAME_ENDS: dict[Language, str] = {
    "en": "but|about|in|from|for|with|without|before|after|that|which|please|on|is|are|do|you|have|not",
    "vi": "nhung|ve|bang|cho|co|khong|nao|viet|hay|la|nhe|a|thi|trong|duoc|da|do",
    "ru": "но|о|об|про|на|для|без|до|после|есть|у|которые|или|пожалуиста",
}
_NO_NAMES: dict[Language, str] = {
    "en": "the (?:sea|beach|fire|pool|way)|a|an|my|his|her|their|its|our|women|men|woman|man|local|modern|"
    "contemporary|new|young|black|"
    "female|male|someone|any|all|many|american|russian|british|english|french|german|japanese|chinese|vietnamese"
    "|african|indian|"
    "latin|italian|spanish|far|himself|herself|themselves|myself|yourself|itself|next|tomorrow|now|then|day|night"
    "|car|plane|bus|chance|heart|theme|subject|year|age|topic|different|other|various|same|i",
    "vi": "nguoi|toi|minh|ban|em|ai|mot|cac|nhung|thu vien|nuoc|viet nam|nga|phap|anh|my|cuoc|nhieu|no|toi",
    "ru": "женщин|какого|разных|этого|того|нашего|вашего|других|разные",
}
_WRITTEN_BY: dict[Language, str] = {
    "en": r"(?:written by|authored by|by|from the author of|the author|author"
    r"|(?:do|have|got|anything|something|what|books?|more|novels?|poems?|stories) (?:\w+ ){0,3}from|(?:works|novels"
    r"|poems|stories|books) of)"
    r" (?:the )?(?:author |writer |poet |neurologist |philosopher |novelist |historian )?",
    "vi": r"(?:tac gia|nha van|nha tho|cua tac gia|cua nha van|cua nha tho|do|cua) ",
    "ru": r"(?:автор[а-я]*|писател[а-я]*|за авторством|написал[а-я]*|пера|поэт[а-я]*) ",
}
_NOT_BY: dict[Language, str] = {
    "en": r"(?:not|nothing|none|except|excluding|other than|no more|anything but)(?: anything| books?"
    r"| ones?)?(?: written)? (?:by|from|of) "
    r"|\bread (?:all|everything|every book|most)(?: of)?(?: the)?(?: books?)?(?: (?:by|from|of))? ",
    "vi": r"(?:khong phai|tru|khong phai la|ngoai tru|doc het)(?: sach| truyen)? (?:cua|do|tac gia) ",
    "ru": r"(?:не|кроме|без|исключая|(?:всего|всю|всех|все) (?:уже )?(?:прочита\w*|читал\w*)?) ?",
}
_SURE_MARKS = r"(?:written by|by|author|tac gia|nha van|nha tho|автор)"


def _name(language: Language) -> str:
    """Up to five words that are a name."""
    return rf"(?!(?:{_NO_NAMES[language]})\b)(?P<name>[^\W\d_]+(?: (?!(?:{_NAME_ENDS[language]})\b)[^\W\d_]+){{0,4}})"


def _creators(reading: Reading, wish: Wish) -> Wish:
    """Who must have written it, and who must not."""
    name = _name(wish.language)
    avoided = reading.find(rf"\b(?:{_NOT_BY[wish.language]}){name}")
    # In Russian nothing but its capital tells "не Акунина" from "без войны".
    needs_capital = wish.language == "ru" or (avoided is not None and avoided[0].startswith("read "))
    if avoided and (not needs_capital or reading.raw(*avoided.span("name"))[0].raw[0].isupper()):
        reading.negate(reading.take(re.escape(avoided[0])) or avoided)
        wish = replace(wish, avoid_author=avoided["name"])
    for made in compiled(rf"\b{_WRITTEN_BY[wish.language]}{name}").finditer(reading.folded):
        said = reading.raw(*made.span("name"))
        # "by train", "cua toi": a name is written as one, or the marker says that it is one; "by" somebody is no name.
        is_written = any(word.raw[0].isupper() for word in said)
        if not is_written and wish.language == "en" and made[0][: made.start("name") - made.start()].endswith("the "):
            continue  # "by the sea"
        if not is_written and wish.language != "vi":
            said = list(takewhile(lambda word: not reading.is_silent(word), said))
        if said and (is_written or re.match(_SURE_MARKS, made[0])):
            author = " ".join(word.folded for word in said)
            reading.take(re.escape(made[0][: made.start("name") - made.start()] + author) + r"(?!\w)")
            return replace(wish, author=author)
    return wish


_HAVE = (
    r"(?:\b(?:do you have|have you got|have you|got|is there(?: a copy of)?|looking for|searching for|find me|i want"
    r"|i need|can i (?:borrow|get|read)|where is|copy of|the book|called|titled|series)"
    r"|\b(?:co cuon|co quyen|co sach|tim cuon|tim quyen|cuon|quyen|bo truyen|bo sach|bo|loat truyen)"
    r"|(?:есть ли(?: у вас)?|есть у вас|у вас есть|ищу(?: книгу| роман)?|книг[ауи]|роман|сери[яюи]|цикл[а-я]*))"
)


# Who has read a book wants another.
_HAVING_READ = (
    r"\b(?:after|finished|i read|have read|after reading|после|прочитал\w*|читал\w*|sau|sau khi doc|doc xong)$"
)


def _quoted(reading: Reading, wish: Wish) -> Wish:
    """A title in quotation marks, or what is asked for as one thing: "do you have Emma?"."""
    quoted = re.search(r"[\"“«„]([^\"“”«»„]{2,120})[\"”»“]", wish.text)
    if quoted and not wish.titled:
        title = spaced(quoted[1])
        pattern = re.escape(title).replace(r"\ ", " ").replace(" \\| ", "(?: \\| | )")
        if title and reading.take(pattern):
            name = title.replace(" | ", " ")
            if re.search(_HAVING_READ, spaced(wish.text[: quoted.start()])):
                return replace(wish, titled=name, is_titled_as_name=True)
            return replace(wish, named=name)
    match = reading.find(
        _HAVE
        + r" (?P<title>[^\0|]+?)(?= (?:series|books?|trilogy|in (?:english|russian|vietnamese|french|german|spanish"
        r"|japanese)|khong|nhi|a|nao|bang tieng|на (?:русском|английском|вьетнамском))\b| \||$)"
    )
    if not match or reading.is_title_case() or wish.titled or wish.author:
        return wish
    said = reading.raw(*match.span("title"))
    # A title is written as one: all but its small words begin with a capital.
    if said and said[0].raw[0].isupper() and not said[0].raw.isdigit():
        last = max(n for n, word in enumerate(said) if word.raw[0].isupper() or word.raw.isdigit())
        if wish.language == "en":  # in the others a title is written like a sentence
            said = said[: last + 1]
        named = " ".join(word.folded for word in said)
        concepts = [c for c in lexicon().concepts if c.any_phrase(wish.language).fullmatch(named)]
        if not concepts and named not in _NATIONS:
            reading.take(re.escape(named) + r"(?!\w)")
            return replace(wish, named=named)
    return wish


# Of authors that were just spoken of.
_WOMEN_ALONE = (
    r"^(?:(?:and|but|only|just|by|ok|а|и|только|лучше|con|the|nhung) )*(?:women|female|женщин\w*|phu nu|nu)\b"
    r"(?= \||$| (?:if|please|пожалуиста|если|thoi|nhe|duoc))"
)
_NATIONS = frozenset(
    [
        "russian",
        "vietnamese",
        "english",
        "french",
        "german",
        "american",
        "japanese",
        "chinese",
        "spanish",
        "italian",
        "indian",
    ]
)


def _form(reading: Reading, wish: Wish) -> Wish:
    """Format of the file, language of the book."""
    for name in _FORMATS:
        if reading.take(rf"\b(?:(?:in|as|an?|dang|в формате|формат) )?{name.lower()}s?\b(?: format| file| book)?"):
            wish = replace(wish, format=name)
            break
    if reading.take(r"\b(?:audio ?books?|audio book|sach noi|аудиокниг\w*)\b"):
        wish = replace(wish, format="MP3")
    if reading.take(
        r"(?<!di )(?<!ra )\b(?:tieu thuyet|truyen|sach|tac gia|van hoc|cua)? ?nuoc ngoai\b|\bsach dich\b"
        r"|\bтранслирован\w*\b|\bпереводн\w+\b|\bзарубежн\w+\b|\binostrann\w*\b"
        r"|\bиностранн\w+ (?:литератур\w*|автор\w*)|\bin translation\b|\btranslated\b"
    ):
        wish = replace(wish, is_translated=True)
    if reading.take(
        r"\b(?:by|written by|from) (?:\w+ )?(?:women|woman|female (?:authors?|writers?)|women (?:authors?"
        r"|writers?))\b(?: (?:authors?|writers?"
        r"|poets?|novelists?))?|\b(?:women|female|woman) (?:authors?|writers?|novelists?|poets?)\b|\b(?:authoress"
        r"|poetess)\w*"
        r"|\b(?:do |boi )?phu nu (?:viet|ke|sang tac)\b|\bdo phu nu\b|\b(?:nha van|tac gia|cay but|nha tho) nu\b"
        r"|\bnu (?:tac gia|nha van|van si|nha tho|si)\b"
        r"|\b(?:женщин\w* (?:автор|писател|поэт)\w*|(?:автор|писател|поэт)\w* женщин\w*|писательниц\w*|поэтесс\w*"
        r"|женск\w+ (?:проз\w*|авторств\w*|поэзи\w*))\b"
    ) or (reading.is_answer and reading.take(_WOMEN_ALONE)):
        wish = replace(wish, by_women=True)
    if reading.take(
        r"\bnguoi viet(?: nam)?(?: minh)? viet\b|\b(?:truyen|tieu thuyet|van hoc|tho|sach) (?:nuoc )?(?:minh"
        r"|ta)\b(?! (?:muon"
        r"|can|tim|thich|doc|hay|dang))|\b(?:tac gia|nha van|van hoc) (?:trong nuoc|viet nam|viet)\b"
        r"|\btruyen viet(?: nam)?\b"
        r"|\b(?:русск\w+|отечественн\w+|наш\w*) (?:автор\w*|писател\w*|проз\w+|литератур\w*)\b"
    ):
        wish = replace(wish, is_native=True)
    return replace(wish, written_in=_language_asked(reading))


def _language_asked(reading: Reading) -> str | None:
    """The language that books should be in."""
    for code, phrases in lexicon().written_in.items():
        for phrase in phrases:
            pattern = phrase.pattern if not (phrase.bare and not reading.has_accents) else phrase.bare
            uses_accents = bool(phrase.bare) and reading.has_accents
            if reading.take(pattern + r"(?: (?:instead|language|please|thi sao|языке))?", with_accents=uses_accents):
                return code
    pattern, codes = other_languages(reading.language, bare=reading.language == "vi" and not reading.has_accents)
    match = reading.take(pattern, with_accents=reading.has_accents)
    return codes[match["name"]] if match else None


_NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17,
    "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
    "eighty": 80, "ninety": 90, "hundred": 100, "thousand": 1000,
    "mot": 1, "hai": 2, "ba": 3, "bon": 4, "nam": 5, "lam": 5, "sau": 6, "bay": 7, "tam": 8, "chin": 9, "muoi": 10,
    "tram": 100, "nghin": 1000, "ngan": 1000,
    "два": 2, "две": 2, "три": 3, "четыре": 4, "пять": 5, "шесть": 6, "семь": 7, "восемь": 8, "девять": 9, "десять": 10,
    "одиннадцать": 11, "двенадцать": 12, "тринадцать": 13, "четырнадцать": 14, "пятнадцать": 15, "шестнадцать": 16,
    "семнадцать": 17, "восемнадцать": 18, "девятнадцать": 19, "двадцать": 20, "тридцать": 30, "сорок": 40,
    "пятьдесят": 50, "шестьдесят": 60, "семьдесят": 70, "восемьдесят": 80, "девяносто": 90, "сто": 100, "сотня": 100,
    "сотню": 100, "полтораста": 150, "двести": 200, "триста": 300, "четыреста": 400, "пятьсот": 500, "шестьсот": 600,
    "семьсот": 700, "восемьсот": 800, "девятьсот": 900, "тысяча": 1000, "тысячу": 1000, "тысячи": 1000, "тысяч": 1000,
    "двух": 2, "трех": 3, "четырех": 4, "пяти": 5, "шести": 6, "семи": 7, "восьми": 8, "девяти": 9, "десяти": 10,
    "одиннадцати": 11, "двенадцати": 12, "тринадцати": 13, "четырнадцати": 14, "пятнадцати": 15, "шестнадцати": 16,
    "семнадцати": 17, "восемнадцати": 18, "двадцати": 20, "тридцати": 30, "сорока": 40, "пятидесяти": 50,
    "шестидесяти": 60, "семидесяти": 70, "восьмидесяти": 80, "девяноста": 90, "ста": 100, "двухсот": 200,
    "трехсот": 300, "четырехсот": 400, "пятисот": 500, "шестисот": 600, "семисот": 700, "восьмисот": 800,
}  # fmt: skip
_HALF = "ruoi"  # "hai trăm rưỡi": 250
_NUMBER_WORD = "|".join(sorted((*_NUMBERS, _HALF), key=lambda word: -len(word)))
_NUMBER = rf"(?:\d{{1,4}}|(?:{_NUMBER_WORD})(?: (?:and )?(?:{_NUMBER_WORD}))*)"
_N = rf"(?P<n>{_NUMBER})"


def _numbers(said: str) -> list[int]:
    """The numbers that digits or words say, in order: "two hundred and fifty" is one, "hai ba" are two."""
    found: list[int] = []
    last, scale = 0, 1  # of the word before: what it counts, and whether smaller ones may follow it
    for word in said.split():
        value = int(word) if word.isdigit() else scale // 2 if word == _HALF else _NUMBERS.get(word, 0)
        if not value:
            continue
        if word in _TIMES and 0 < last < value:
            found[-1] += last * (value - 1)
            last, scale = last * value, value
            continue
        if value < scale:
            found[-1] += value
        else:
            found.append(value)
        last = value
        scale = 1 if word.isdigit() else next((n for n in (1000, 100) if value >= n), 10 if value % 10 == 0 else 1)
    return found


_TIMES = frozenset(["hundred", "thousand", "muoi", "tram", "nghin", "ngan", "тысяча", "тысячи", "тысяч"])


_DECADES = {
    "twenties": 20, "thirties": 30, "forties": 40, "fifties": 50, "sixties": 60, "seventies": 70, "eighties": 80,
    "nineties": 90, "двадцатые": 20, "двадцатых": 20, "тридцатые": 30, "тридцатых": 30, "сороковые": 40,
    "сороковых": 40, "пятидесятые": 50, "пятидесятых": 50, "шестидесятые": 60, "шестидесятых": 60, "семидесятые": 70,
    "семидесятых": 70, "восьмидесятые": 80, "восьмидесятых": 80, "девяностые": 90, "девяностых": 90,
}  # fmt: skip
_CENTURIES = {
    "fifteenth": 15, "sixteenth": 16, "seventeenth": 17, "eighteenth": 18, "nineteenth": 19, "twentieth": 20,
    "twenty first": 21, "xv": 15, "xvi": 16, "xvii": 17, "xviii": 18, "xix": 19, "xx": 20, "xxi": 21,
    "восемнадцатого": 18, "девятнадцатого": 19, "двадцатого": 20, "двадцать первого": 21, "семнадцатого": 17,
    "muoi tam": 18, "muoi chin": 19, "hai muoi": 20, "hai muoi mot": 21,
}  # fmt: skip
_YEAR = r"(?P<year>1[0-9]{3}|20[0-9]{2})"


def _dates(reading: Reading, wish: Wish, today: date) -> Wish:
    """When it was first published. "1984" by itself is a title."""
    for rule in (_span, _decade_or_century, _before_or_after, _time):
        dated = rule(reading, wish, today)
        if dated.year_from or dated.year_to:
            reading.take(r"\b(?:newer|older|recent|published|written)\b")
            return dated
    return wish


def _span(reading: Reading, wish: Wish, today: date) -> Wish:
    """Between two years, or the last so many."""
    span = reading.take(
        r"\b(?:between |from |с |от |tu (?:nam )?|giua (?:nam )?)?(?P<a>1[0-9]{3}|20[0-9]{2}) (?:and|to|until|till|и"
        r"|по|до|den|va|toi)?(?: nam)? ?(?P<b>1[0-9]{3}|20[0-9]{2})\b(?: год\w*)?"
    )
    if span:
        return replace(wish, year_from=int(span["a"]), year_to=int(span["b"]))
    ago = reading.take(
        rf"\b(?:last|past|recent|последн\w+|за последн\w+) (?:{_N} )?(?:years?|лет|года?)\b"
        rf"|\b(?P<vi>\d{{1,2}}) nam (?:gan day|tro lai|qua)\b"
    )
    if ago:
        return replace(wish, year_from=today.year - _number(ago["n"] or ago["vi"] or "5"))
    return wish


def _decade_or_century(reading: Reading, wish: Wish, _today: date) -> Wish:
    decade = reading.take(
        r"\b(?:the |in the |from the |nhung |thap nien |thap ky |nam |в |из )*(?:(?P<long>1[89]\d0|20[012]0) ?(?:s|х"
        r"|е|ые|ых)\b|(?P<short>[2-9]0) ?(?:s|х|е|ые|ых)\b|(?P<vi>(?<=thap nien )[2-9]0)"
        rf"|(?P<word>{'|'.join(_DECADES)}))(?: год\w*| the ky 20| the ky truoc)?\b"
    )
    if decade:
        begins = int(decade["long"] or 0) or 1900 + (
            int(decade["short"] or decade["vi"] or 0) or _DECADES[decade["word"]]
        )
        return replace(wish, year_from=begins, year_to=begins + 9)
    century = reading.take(
        rf"\b(?:the ky (?:thu )?)?(?P<n>1[0-9]|2[01]"
        rf"|{'|'.join(sorted(_CENTURIES, key=lambda w: -len(w)))})(?: ?(?:th|st|го))?(?: centur(?:y|ies)| век\w*"
        rf"| столет\w*)"
        rf"|\bthe ky (?:thu )?(?P<vi>1[0-9]|2[01]|{'|'.join(sorted(_CENTURIES, key=lambda w: -len(w)))})\b"
    )
    if century:
        said = century["n"] or century["vi"]
        number = int(said) if said.isdigit() else _CENTURIES[said]
        return replace(wish, year_from=100 * (number - 1), year_to=100 * number - 1)
    return wish


def _before_or_after(reading: Reading, wish: Wish, _today: date) -> Wish:
    before = reading.take(
        rf"\b(?:before|older than|until|up to|pre|earlier than|truoc(?: nam)?|до|раньше"
        rf"|старше)(?: the)?(?: year)? {_YEAR}\b(?: год\w*)?"
    )
    if before:
        wish = replace(wish, year_to=int(before["year"]) - 1)
    after = reading.take(
        rf"\b(?:after|since|newer than|later than|from|post|sau(?: nam)?|tu(?: nam)?|после|с"
        rf"|начиная с) {_YEAR}\b(?: год\w*| tro (?:di|lai)| on(?:wards)?)?"
    )
    if after:
        wish = replace(
            wish,
            year_from=int(after["year"]) + (after[0].startswith(("after", "sau", "после", "later", "newer", "post"))),
        )
    return wish


def _time(reading: Reading, wish: Wish, today: date) -> Wish:
    """One year; or words such as "recent"."""
    if reading.take(r"\b(?:до революции|дореволюционн\w+|при царе|царск(?:их|ого) врем\w+)"):
        return replace(wish, year_to=1917)
    if reading.take(r"\b(?:после|с|начиная с) (?:двухтысячн\w+|двухтысячного года|миллениума)(?: год\w*)?"):
        return replace(wish, year_from=2000)
    is_comparing = len(reading.words) <= 2 * _SHORT_FOLLOW_UP and not reading.find(r"\b(?:for|cho|для)\b")
    exact = reading.take(
        rf"\b(?:published in|written in|came out in|released in|from the year|xuat ban (?:nam)?|nam|вышедш\w+ в"
        rf"|издан\w* в|написан\w* в) {_YEAR}\b|\b(?P<ru>1[0-9]{{3}}|20[0-9]{{2}}) год\w*"
    )
    if exact:
        year = int(exact["year"] or exact["ru"])
        return replace(wish, year_from=year, year_to=year)
    if reading.take(
        r"\b(?:newer|more recent|recently published|latest|newest|brand new|moi xuat ban|moi hon|gan day|поновее"
        r"|новинк\w*|недавн\w*|новее)\b"
    ):
        return replace(wish, year_from=today.year - 15)
    if reading.take(r"\b(?:contemporary|hien dai|duong dai|современн\w*|modern day)\b"):
        return replace(wish, year_from=1980)
    if is_comparing and reading.take(r"\b(?:older|earlier|постарше|cu hon|xua hon)\b"):
        return replace(wish, year_to=1960)
    if reading.take(
        r"\b(?:before the war|pre ?war|interwar|довоенн\w*|до войны|truoc chien tranh|(?:thoi |hoi )?tien chien)\b"
    ):
        return replace(wish, year_to=1940)
    if reading.take(r"\b(?:old fashioned|старинн\w*|(?:but|and|is|s|be|really|very|properly) old\b(?= \||$))\b"):
        return replace(wish, year_to=1960)
    return wish


_CHILD = (
    r"son|daughter|kid|kids|child|children|girl|boy|niece|nephew|grandson|granddaughter|grandchild|grandchildren"
    r"|grandkids|toddler|baby|pupil|pupils|students?|(?:little|kid|younger|baby) (?:brother|sister)|little one|boys"
    r"|girls|bairn"
    r"|youngster|youngest|eldest|godson|goddaughter|godchild"
)
_CHILD_RU = (
    r"дочк[еиу]|дочер[иь]|дочь|сын[ауо]?к?[ауе]?|ребен[кок]+[ауе]?|дет[ея][ми]*|детеи|малыш\w*|внук[ауе]?|внучк[еиу]"
    r"|племянниц[еы]|племянник[ау]|мальчик[ау]|девочк[еи]|школьник\w*"
)
_TEEN = (
    r"teen|teens|teenager|teenagers|teenage|young adults?|ya|adolescents?|high schooler|подрост\w*|tuoi teen"
    r"|tuoi moi lon|thanh thieu nien|thieu nien|hoc sinh cap (?:hai|ba|2|3)"
)


# Grown-ups for whom somebody asks: they are what no book need be about.
_FOR_KIN = (
    r"(?<!about )(?<!lost )(?<!losing )(?<!like )\b(?:for |to )?(?:my|our|his|her) (?:\w+ )?(?:(?:mother|father"
    r"|brother|sister|daughter|son) in law"
    r"|in laws|mum|mom|mummy|mother|dad|daddy|father|parents|husband|wife|partner|boyfriend|girlfriend|fiancee?|grandma"
    r"|granny|gran|nan|grandmother|grandpa|grandad|granddad|grandfather|grandparents|aunt|auntie|uncle|boss|friends?"
    r"|colleagues?"
    r"|coworkers?|neighbou?rs?|sister|brother|cousin|flatmate|roommate|teacher|doctor"
    r"|therapist)\b(?! (?:and (?:daughter|son)|s death))"
    r"|\b(?:cho|tang|bieu) (?:me|bo|ba|ma|vo|chong|ong|ba|anh|chi|ban gai|ban trai|ban than|sep|co giao|thay giao)\b"
    r"(?: (?:toi|minh|em|to|con|noi|ngoai))*|\b(?:(?:me|bo|ba)(?: (?:chong|vo|ruot))?|vo|chong|ong noi|ong ngoai"
    r"|ba noi|ba ngoai) (?:toi|minh"
    r"|em|to|con)\b"
    r"|\b(?:me|bo) (?=(?:muon|thich|can|tim|doc)\b)"
    r"|\b(?:для|у|моя|мои|моеи|наша|наш|нашеи) (?:мам[аеыу]|пап[аеыу]|бабушк[аеиу]|дедушк[аеиу]|муж[ау]?|жен[аеыу]"
    r"|подруг[аеиу]"
    r"|свекров[ьи]|тещ[аеи]|тет[еия]|коллег[аеи]|начальник[ау]?|друг[ау]?|брат[ау]?|сестр[аеы])\b"
    r"|\b(?:маме|папе|бабушке|дедушке|мужу|жене|подруге|другу|свекрови|теще|тете|брату|сестре|начальнику|коллеге)\b"
)
# How it goes with who asks, which is not how the book should feel.
_STATE = (
    r"\b(?:i m|i am|im|we re|i ve been|been|i feel|feeling|having|i was)(?: (?:so|really|a bit|very|all|feeling|just"
    r"|pretty|too|totally"
    r"|kind of|a))* (?:sad|down|low|blue|depressed|lonely|miserable|anxious|stressed(?: out)?|burnt out|heartbroken"
    r"|unhappy"
    r"|(?:bad|rough|rotten|hard|awful|tough) (?:day|week|month|year|time))\b"
    r"|\b(?:toi|minh|em|to|dang|thay|dao nay|hom nay|long)(?: (?:dang|hoi|rat|thay|cam thay|cu|kha))*"
    r" (?:buon|chan|met moi|co don|stress|cang thang)(?: (?:qua|lam|doi))*\b(?! (?:ve|cuoi|ba))"
    r"|\b(?:мне|я|на душе|настроение|сегодня)(?: (?:очень|как то|сегодня|так|совсем|что то|немного|на душе))*"
    r" (?:грустно|плохо|плохое|тоскливо|одиноко|паршиво|паршивое|тяжело|устал[аи]?|грущу|на нуле)\b"
    r"|\bустал[аи]?(?: страшно| ужасно| очень| как собака)?\b"
)


def _readers(reading: Reading, wish: Wish) -> Wish:
    """Whom it is for: an age, or children, teenagers, adults; and what only says who asks is read off."""
    wish = replace(wish, is_low=bool(reading.take(_STATE)))
    if reading.language != "ru" and reading.take(rf"\bmy (?:{_CHILD}) s\b"):
        pass  # "my daughter's class": it is for who asks
    age = _age(reading)
    while reading.take(_FOR_KIN):
        pass
    if age is not None:
        reading.take(
            rf"\b(?:for |для |cho )?(?:my |a |an |our |мо\w+ )?(?:{_CHILD}|{_CHILD_RU}|be|chau|con)(?: (?:trai"
            rf"|gai))?(?: toi| minh| em)?\b"
        )
        audience = "children" if age <= 11 else "young adult" if age <= 17 else None
        return replace(wish, age=age, audience=audience)
    if reading.take(
        rf"\b(?:for |для |cho )?(?:my |a |our )?(?:{_TEEN})s?\b(?: (?:books?|fiction|novels?|son|daughter|boy|girl"
        rf"|readers?))?"
    ):
        return replace(wish, audience="young adult")
    if reading.take(
        rf"\b(?:for|to read (?:to|with)|to) (?:my |a |an |our |the |some |small |young |little "
        rf"|younger )*(?:{_CHILD})\b|\b(?:children|kid|kids|child) s? ?(?:books?|stories|story|literature|classics?"
        rf"|fiction|novels?|poems|poetry)\b"
        rf"|\b(?:children|kids) s\b|\b(?:for|the) (?:kids|children)\b|\bmy (?:{_CHILD})\b|\bkindergarten\b"
        rf"|\bpreschool\w*"
        rf"|\b(?:для|с|почитать|читать) (?:мо\w+ |маленьк\w+ )?(?:{_CHILD_RU})\b|\bдетск\w+ (?:книг\w*|литератур\w*"
        rf"|стих\w*|сказк\w*|рассказ\w*|книжк\w*)|\b(?:мо\w+|наш\w+) (?:{_CHILD_RU})\b|\bдетям\b|\bдетск(?:ое|ие|ую)\b"
        r"|\bthieu nhi\b|\btre em\b|\bcho (?:be|con|chau|tre)(?: (?:trai|gai|nho|toi|minh|em|trai toi|gai toi))*\b"
        r"|\bcon (?:trai|gai) (?:toi|minh|em)\b|\bnhi dong\b|\bmau giao\b"
    ):
        return replace(wish, audience="children")
    if reading.take(r"\b(?:for (?:adults|grown ups|grownups)|для взрослых|cho nguoi lon)\b"):
        return replace(wish, audience="adult")
    return wish


def _age(reading: Reading) -> int | None:
    match = (
        reading.take(rf"\b(?:aged?|ages) {_N}(?: (?:to|and|or)? ?(?P<m>\d{{1,2}}))?\b")
        or reading.take(rf"\b{_N} (?P<m>\d{{1,2}}) year olds?\b")
        or reading.take(
            rf"\b{_N}(?: (?:to|or|and) \w+)? (?:(?:year|yr)s? )?old\w*\b|\b(?P<m>\d{{1,2}}) ?(?:yo|y o|yrs?"
            rf"|years old)\b"
        )
        or reading.take(
            rf"\b(?:{_CHILD})(?: (?:who is|is|turning|turns|of|aged))*(?: \|)? {_N}\b(?! (?:books|novels|titles))"
        )
        or reading.take(rf"\b(?:he|she|who) (?:s|is|turns|just turned) {_N}\b")
        or reading.take(rf"\b(?:от |с )?{_N} ?(?:лет|года?|годик\w*|летн\w+)\b")
        or reading.take(rf"\b(?P<n>{_NUMBER_WORD})лет(?:н\w+|к\w+)\b")
        or reading.take(rf"\b{_N}(?: (?P<m>\d{{1,2}}))? tuoi\b(?! tho)")
        or reading.take(rf"\b(?:{_CHILD_RU}|ему|еи)(?: уже| скоро| исполнилось| исполняется| почти)? {_N}\b(?! книг)")
        or reading.take(rf"\b(?:be|con|chau|no) (?:len|duoc|sap|moi|gan) {_N}\b")
        or reading.take(
            rf"\b(?:be|con|chau|em)(?: (?:trai|gai))?(?: (?:minh|toi|em|nha \w+))? {_N}(?= \||$)(?! (?:cuon|quyen))"
        )
        or (reading.find(r"\b(?:he|she|him|her|his)\b") and reading.take(rf"^{_N}(?= \|)"))
    )
    if not match and (years := _school_years(reading)) is not None:
        return years
    if not match:
        small = reading.take(r"\b(?:toddlers?|babies|baby|for a baby|младенц\w*|em be)\b")
        return 2 if small else None
    groups = match.groupdict()
    first, second = groups.get("n"), groups.get("m")
    years = [year for each in (first, second) if each for year in _numbers(each)]
    return min(sum(years) // len(years), 99) if years else None


_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "eleventh": 11, "перв": 1, "втор": 2, "трет": 3, "четверт": 4, "пят": 5, "шест": 6, "седьм": 7,
    "восьм": 8, "девят": 9, "десят": 10, "одиннадцат": 11,
}  # fmt: skip
_ORDINAL = "|".join(_ORDINALS)
_STAGES = (
    (r"\b(?:preschool\w*|pre school\w*|nursery|mau giao|mam non|дошкол\w*|детсад\w*|детск\w+ сад\w*)\b", 4),
    (r"\b(?:kindergart\w*|reception class|vao lop (?:mot|1)|подготовишк\w*)\b", 5),
    (r"\b(?:(?:primary|elementary) school\w*|cap (?:mot|1)|tieu hoc|начальн\w+ (?:школ\w*|класс\w*))\b", 8),
    (r"\b(?:tweens?|pre ?teens?|tweenager)\b", 11),
    (r"\b(?:middle schoole?r?s?|junior high|cap (?:hai|2)|trung hoc co so|средн\w+ класс\w*)\b", 13),
    (
        r"\b(?:high schoole?r?s?|sixth form\w*|cap (?:ba|3)|trung hoc pho thong|старшеклассни\w*|старш\w+ класс\w*)\b",
        16,
    ),
)


def _school_years(reading: Reading) -> int | None:
    """The age of a reader of whom a question says how far it has come at school."""
    match = (
        reading.take(rf"\bgrade (?P<a>{_NUMBER})\b")
        or reading.take(rf"\b(?P<a>{_ORDINAL}|\d{{1,2}}(?:st|nd|rd|th)) grade(?:r|rs)?\b")
        or reading.take(r"\blop (?P<a>\d{1,2}|mot|hai|ba|bon|nam|sau|bay|tam|chin|muoi)\b")
        or reading.take(rf"\b(?P<a>(?:{_ORDINAL})\w{{0,4}}|\d{{1,2}}(?: ?м| ?го| ?и)?) ?кла(?:сс|шк)\w*\b")
        or reading.take(r"\b(?P<y>year) (?P<a>\d{1,2}|one|two|three|four|five|six|seven|eight|nine)\b(?! (?:old|ago))")
    )
    if match:
        said = re.sub(r"(?:st|nd|rd|th| ?м| ?го| ?и)$", "", match["a"])
        number = _number(said) or next((n for word, n in _ORDINALS.items() if said.startswith(word)), 0)
        if 1 <= number <= 12:
            is_earlier = reading.language == "vi" or match.groupdict().get("y")
            return number + (5 if is_earlier else 6)
    for pattern, age in _STAGES:
        if reading.take(pattern):
            return age
    return None


def _number(said: str) -> int:
    return next(iter(_numbers(said)[-1:]), 0)


_UNDER = (
    r"\b(?:nothing (?:over|above|more|longer)|no(?:t)? (?:over|more|longer|above|bigger|thicker)|under|below|less|fewer"
    r"|max(?:imum)?|at most|up to|within|shorter|tops|or so|ish|about|around|не (?:больше|более|толще|длиннее)|до"
    r"|меньше"
    r"|менее|максимум|примерно|около|больше не|duoi|khong (?:qua|hon)|it hon|toi da|tro xuong|do lai|tro lai"
    r"|chua (?:toi|den)|tam|khoang"
    r"|chung)\b"
)
_AT_LEAST = r"\b(?:no(?:t)? (?:less|fewer|under)|не (?:меньше|менее)|khong (?:duoi|it hon))\b"
_AT_MOST = r"\b(?:nothing|no|not|не|khong) (?:over|more|longer|above|больше|более|qua|hon)\b|\b(?:больше|более) не\b"
_OVER = (
    r"\b(?:over|more|at least|above|min(?:imum)?|plus|longer|or more|and up|от|не (?:меньше|менее)|no(?:t)? (?:less"
    r"|fewer)|больше|более|выше|свыше"
    r"|минимум|tren|hon|it nhat|toi thieu|tro len)\b"
)
_PAGES = (
    rf"\b(?P<n>{_NUMBER}) ?(?:ish )?(?:pages?|pp|pg|trang|стр\w*)\b"
    rf"|\b(?:pages?|trang|стр\w*) (?:number |so |на |в |до |от |под |эдак |этак )?(?P<m>{_NUMBER})\b"
)
_FEWEST_PAGES = 20  # "page 1" is no length


# "A long, funny novel" and "nothing too long", but not "long journeys": it is about a book, or stands last.
_SIZES = ("long", "short", "big", "huge", "thick", "thin", "fat", "quick", "brief", "massive", "enormous", "immense")
_OF_LENGTH = (
    r"(?= \||$|(?: \| | )\0| (?:and|or|but|enough|please|too|for|to|that|which|i|if|with|on|about|in|this|is|it|one"
    r"|ones|as)\b"
    r"|(?: \w+){0,3} (?:books?|novels?|reads?|reading|ones?|thing|something|stor(?:y|ies)|sagas?|epics?|classics?"
    r"|memoirs?|novellas?|"
    r"biograph(?:y|ies)|histor(?:y|ies)|myster(?:y|ies)|thrillers?|fantas(?:y|ies)|sci|science fiction|fiction"
    r"|poems?|poetry|plays?"
    r"|essays?|collections?|volumes?|tomes?|crime|romances?|pages?|chapters)\b)"
)
_NO_GENRE = "(?<!truyen )(?<!truyện )"  # "truyện ngắn" are short stories


def _sizes(reading: Reading, wish: Wish) -> Wish:
    """How long it may be: by pages, or by what is said of it; "not a brick" is short."""
    pages = reading.find(_PAGES)
    number = _number(pages["n"] or pages["m"]) if pages else 0
    if pages and number >= _FEWEST_PAGES:
        before, after = pages.string[: pages.start()][-30:], pages.string[pages.end() :][:20]
        reading.take(re.escape(pages[0]))
        around = [part for part in (before, after) if re.search(rf"{_UNDER}|{_OVER}", part)][:1]
        is_under = any(re.search(_UNDER, re.sub(_AT_LEAST, "", part)) for part in around)
        is_over = any(re.search(_OVER, re.sub(_AT_MOST, "", part)) for part in around)
        if is_under or (not is_over and number <= 1.25 * SHORT):
            wish = replace(wish, length="short", max_pages=number)
        elif is_over or number >= 0.8 * LONG:
            wish = replace(wish, length="long", min_pages=number)
        for bound in (rf"(?:{_UNDER}|{_OVER})(?= \0)", r"(?<=\0) (?:tops|or less|or so|or under|max)\b"):
            reading.take(bound)
    return _said_of_size(reading, wish)


def _said_of_size(reading: Reading, wish: Wish) -> Wish:
    is_bare = reading.language == "vi" and not reading.has_accents
    for name, phrase in lexicon().lengths[wish.language]:
        pattern = phrase.bare if is_bare else phrase.pattern
        if pattern is None:
            continue
        no = _NOT_WITH_ACCENTS if reading.has_accents else _NOT[wish.language]
        between = "(?:(?:quá|nhiều|có|hay) )*" if reading.has_accents else _BETWEEN
        found = (
            rf"(?P<no>\b(?:{no}) {between})?{_NO_GENRE if phrase.folded == 'ngan' else ''}(?:{pattern})"
            r"(?! (?:stor|histor|introduc|while|time|ago|distance|run\b|term|idea|bang|city|fan|walk|lov"
            rf"|enough to know)){_OF_LENGTH if phrase.folded in _SIZES else ''}"
        )
        while match := reading.take(found, with_accents=reading.has_accents):
            meant = name if not match["no"] else "long" if name == "short" else "short"
            if wish.length is None:
                wish = replace(wish, length=meant)  # pyright: ignore[reportArgumentType]
            elif wish.min_pages and meant == "short":
                # "Thin, above 250 pages I give up": the word is surer than what stands about the number.
                wish = replace(wish, length="short", max_pages=wish.min_pages, min_pages=None)
    if wish.length is None and is_bare and reading.take(r"\b(?:mong|(?<!truyen )ngan)\b"):
        wish = replace(wish, length="short")
    return wish


_NOT: dict[Language, str] = {
    "en": r"no|not|less|without|nothing|too|except|avoid|avoiding|minus|free of|hates?|dislikes?|never|neither|nor"
    r"|anything but|don t (?:want|like|need)|doesn t (?:want|like)|rather than|instead of|not into|nobody|no one"
    r"|(?:tired|sick|bored|enough) of|fed up with|bored with",
    "vi": r"khong|tru|dung|chang|ghet|tranh|khong phai|ngoai tru|khong thich|khong muon|khong co|bot|do"
    r"|chan|ngan|ngay",
    "ru": r"без|кроме|не|ни|никак\w+|исключая|только не|не люблю|не хочу|ненавижу|но не|никто|надоел\w*|хватит"
    r"|устал\w* от|а то (?:все|одни|одна|везде|кругом|сплошн\w+)",
}
_NOT_WITH_ACCENTS = (
    "không|trừ|đừng|chẳng|ghét|tránh|không phải|ngoại trừ|không thích|không muốn|không có|đỡ|bớt|không quá|chán|ngán"
    "|ngấy"
)
# "Not too sad" leaves room for a little.
_RATHER_LESS = r"\b(?:less|too|much|very|слишком|очень|менее|поменьше|quá|qua|bớt|bot|đỡ|nhiều|nhieu)\b"
_BETWEEN = (
    r"(?:(?:kind of|sort of|more|another|overly|be|get|going|all|kieu|loai|day|toan|phai|тех|таких|такие|всякие"
    r"|всяких|too|much|any|a|an|the|so|very|about|with|of|has|have|is|are|and|really|set in|on|in|по|про|о|об|qua|nhieu"
    r"|ve|co|nao|слишком|очень|много|hay|sad) )*"
)


# "Nặng quá" of what was just named.
_COMPLAINS = re.compile(r" (?:qua|for me|для меня)\b")


def _concepts(reading: Reading, wish: Wish) -> Wish:  # noqa: C901
    """Subjects, themes and moods that the words name, and those to avoid. Longer phrases first."""
    found: list[tuple[int, Concept]] = []
    avoided: list[str] = []
    less: list[str] = []
    for phrase, bare, concept in _phrases(reading):
        while match := _take_phrase(reading, phrase, bare):
            is_complaint = reading.is_answer and not match["no"] and _COMPLAINS.match(reading.original, match.end())
            if is_complaint:
                reading.negate(match, with_accents=not bare and reading.language == "vi")
                less.append(concept.name)
                continue
            if not match["no"]:
                found.append((match.start(), concept))
                continue
            reading.negate(match, with_accents=not bare and reading.language == "vi")
            (less if re.search(_RATHER_LESS, match["no"]) else avoided).append(concept.name)
            while more := reading.take(
                rf"(?<=\0)(?: \|)? (?:or|nor|and|или|и|ни|да|hay|hoac|va) (?:{_alternatives(reading)})"
            ):
                reading.negate(more)
                avoided += [c.name for c in lexicon().concepts if c.any_phrase(reading.language).search(more[0])][:1]
    while more := reading.take(r"(?<=\0) (?:or|nor|или|ни|hoac|hay) (?P<word>[^\W\d_]{4,})\b") if avoided else None:
        reading.negate(more)
        wish = replace(wish, avoid_words=(*wish.avoid_words, more["word"]))
    for word in _avoided_words(reading):
        wish = replace(wish, avoid_words=(*wish.avoid_words, word))
    found.sort(key=lambda pair: pair[0])
    # To be read at night is not to be read to sleep; and for a child, anything may be.
    if wish.audience == "children" or any(concept.name == "horror" for _place, concept in found):
        found = [each for each in found if each[1].name != "bedtime"]
    known = lexicon()
    found += [(len(reading.folded), known.of(opposite)) for name in less if (opposite := known.of(name).opposite)]
    if wish.is_low and not any(concept.kind == "mood" or concept.name == "humour" for _place, concept in found):
        found += [(len(reading.folded), known.of(name)) for name in ("warm", "hopeful")]
    # "About art, but not by an art historian": what is asked for is not avoided.
    avoided = [name for name in avoided if all(concept.name != name for _place, concept in found)]
    names: dict[str, list[str]] = {"subject": [], "theme": [], "mood": []}
    for _place, concept in found:
        if concept.name not in names[concept.kind] and concept.name not in avoided:
            names[concept.kind].append(concept.name)
    return replace(
        wish,
        subjects=tuple(names["subject"]), themes=tuple(names["theme"]), moods=tuple(names["mood"]),
        avoid=tuple(dict.fromkeys(avoided)), less=tuple(dict.fromkeys(less)),
    )  # fmt: skip


def _take_phrase(reading: Reading, phrase: str, bare: bool) -> re.Match[str] | None:
    """A phrase, with the "no" before it if there is one."""
    no, between = _NOT[reading.language], _BETWEEN
    if reading.is_answer and reading.language == "en":
        no += "|a bit|bit|rather"  # "bit heavy": said of what was just named
    if not bare and reading.language == "vi":
        no, between = _NOT_WITH_ACCENTS, "(?:(?:quá|nhiều|về|có|nào|hay|kiểu|loại|dạy|toàn|phải|mấy|là) )*"
    # "Без пошлости и чернухи": what is joined to something that is not wanted.
    joined = r"(?:без|without|no) [^\W\d_]{4,} (?:и|или|ни|and|or|nor) "
    return reading.take(
        rf"(?P<no>\b(?:(?:{no}) {between}|{joined}))?(?:{phrase})", with_accents=not bare and reading.language == "vi"
    )


def _phrases(reading: Reading) -> Iterator[tuple[str, bool, Concept]]:
    """(pattern, whether it is for the text without accents, concept), the longest first, of concepts that are there."""
    bare = reading.language == "vi" and not reading.has_accents
    with_accents = reading.language == "vi" and reading.has_accents
    languages: tuple[Language, ...] = (reading.language,) if reading.language == "en" else (reading.language, "en")
    there: list[tuple[int, str, bool, Concept]] = []
    for concept in lexicon().concepts:
        for language in languages:
            accents = with_accents  # "sống" is no "song"
            any_phrase = concept.any_asked(language, bare=bare and language == "vi")
            if not any_phrase.search(reading._text[accents]):
                continue
            for phrase in concept.asked[language]:
                pattern = phrase.bare if bare and language == "vi" else phrase.pattern
                # English in a Vietnamese sentence: only words that are no syllable of it.
                if pattern and (language != "en" or reading.language != "vi" or phrase.length >= 5):
                    there.append((phrase.length, pattern, not accents, concept))
    # Of two concepts of one name the subject comes first: it is the surer.
    there.sort(key=lambda each: (-each[0], ("subject", "theme", "mood").index(each[3].kind)))
    for _length, pattern, is_bare, concept in there:
        yield pattern, is_bare, concept


def _alternatives(reading: Reading) -> str:
    return "|".join(concept.any_phrase(reading.language).pattern for concept in lexicon().concepts)


def _avoided_words(reading: Reading) -> Iterator[str]:
    """ "No superheroes": words of no concept that must not stand in a record."""
    marks = {"en": r"no|without|avoid|except", "vi": r"khong co|tru|dung co", "ru": r"без|кроме"}[reading.language]
    while match := reading.take(rf"\b(?:{marks}) (?:any |the |a )?(?P<words>[^\W\d_]{{3,}}(?: [^\W\d_]{{3,}})?)\b"):
        reading.negate(match)
        said = [word for word in match["words"].split() if word not in lexicon().silent[reading.language]]
        yield from said


_CALENDAR = frozenset(
    [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "christmas",
        "easter",
        "halloween",
        "i",
        "kindle",
        "god",
    ]
)


def _words(reading: Reading, wish: Wish) -> Wish:
    """What is left: the words that a record should hold; and whether more of the same is asked for."""
    more = {
        "en": r"\b(?:more|another|else|others|other ones|different|next)\b",
        "vi": r"\b(?:them|nua|khac)\b",
        "ru": r"\b(?:еще|друг(?:ое|ие|ую|ои|их))\b",
    }[reading.language]
    is_more = bool(re.search(more, " ".join(word.folded for word in reading.words)))
    capitals_say_nothing = reading.is_title_case()
    rest = reading.rest()
    runs: list[list[Word]] = [[]]  # of words that follow each other
    names: list[str] = []
    # Without accents a few syllables may be a name, though each of them could be an idle word.
    says_all = reading.language == "vi" and not reading.has_accents and len(rest) == len(reading.words) <= 3
    for n, word in enumerate(rest):
        is_first = word is reading.words[0] or word.begins
        next_is_name = n + 1 < len(rest) and rest[n + 1].raw[0].isupper()
        is_name = (
            word.raw[0].isupper()
            and word.folded not in _CALENDAR
            and not capitals_say_nothing
            and len(word.raw) > 1
            and (
                not is_first
                # "Emma" and "It", but not "Another one" and "Something shorter".
                or len(reading.words) == 1
                or (len(reading.words) <= 3 and not reading.is_silent(word))
                or (reading.language == "vi" and next_is_name)
            )
        )
        if (reading.is_silent(word) and not is_name and not says_all) or (len(word.folded) < 2 and not is_name):
            runs.append([])
            continue
        # A name ends where its capitals end: "phố cổ Hội An".
        follows = (
            runs[-1]
            and reading.words.index(runs[-1][-1]) + 1 == reading.words.index(word)
            and is_name == (runs[-1][-1].folded in names)
        )
        runs[-1 if follows else len(runs) :] = [[*runs[-1], word]] if follows else [[word]]
        if is_name:
            names.append(word.folded)
    if reading.language == "vi":
        # Its words are of several syllables: what stands together is looked for together.
        words = [" ".join(word.accented if reading.has_accents else word.folded for word in run) for run in runs if run]
    else:
        words = [word.folded for run in runs for word in run]
    return replace(wish, words=tuple(dict.fromkeys(words)), names=tuple(dict.fromkeys(names)), is_more=is_more)


_CONTINUES = (
    r"^(?:and|but|what about|how about|also|а|и|но|con|the con|va|nhung|the|more|less|ok|okay|hmm|yes|no|nope|какие"
    r"|something|anything|only|just|in|for|for my|cho|для|на|bang|чуть|поновее|funnier|sadder|shorter|longer|lighter"
    r"|darker|newer|older|\w+er)\b"
)
# What points back at the question or the answer before.
_POINTS_BACK = (
    r"\b(?:ones?|them|those|these|it|that|this|same|any(?! (?:good )?(?:books?|novels?|stories)\b)"
    r"|another|other|else|instead|more|too|less|rather|different"
    r"|already|"
    r"nua|khac|hon|qua|cuon nay|may cuon|thi sao|cung the|vay|nhung|"
    r"них|эти|этого|такое|такого|еще|другое|другие|другую|тоже|уже|слишком|это|наших|только|тогда|из них)\b|\w+er\b"
)
_LONG_FOLLOW_UP = 14  # words: who says more says it all
# Asks for a book, and so for another one than before.
_REQUESTS = (
    r"\b(?:(?:do|have|got) (?:you|any) .{0,20}books?|(?:recommend|suggest|looking for|find|want|need"
    r"|like) (?:me )?(?:a |some |any )?"
    r"(?:books?|novels?)|books? (?:on|about|for|by)|novels? (?:about|by)"
    r"|(?:tim|kiem|can|muon doc|goi y|gioi thieu|co) (?:\w+ ){0,4}(?:sach|truyen|tieu thuyet|tho)"
    r" (?:gi |nao )?(?:ve|cho)"
    r"|(?:есть|хочу|ищу|посовету\w*|порекоменд\w*|подскаж\w*|дайте|нужна) (?:\w+ ){0,4}(?:книг\w*|роман\w*"
    r"|что нибудь) (?:о|об|про|для))\b"
)
_STANDS_ALONE = (
    r"^(?:what about |how about |and |a |и |con |the con )?(?:a book|books|novels|history of|sach|truyen|книги|книга"
    r"|роман)\b"
)


def _follow(wish: Wish, before: Wish, reading: Reading) -> Wish:
    """A question that says nothing by itself, or only narrows, stands on the one before it.

    What it says of its own comes first; what was said before still counts, if less, where it points back.
    """
    if wish.asks == "why":
        return replace(before, text=wish.text, language=wish.language, asks="why", refers=wish.refers, refusal=None)
    kept = replace(
        wish,
        written_in=wish.written_in or before.written_in,
        audience=wish.audience or (before.audience if wish.age is None else None),
        age=before.age if wish.age is None and not wish.audience else wish.age,
        avoid=tuple(dict.fromkeys((*before.avoid, *wish.avoid))),
        avoid_words=tuple(dict.fromkeys((*before.avoid_words, *wish.avoid_words))),
        avoid_author=wish.avoid_author or before.avoid_author,
        format=wish.format or before.format,
    )
    if wish.refers is not None or wish.chooses:
        return kept  # like that one, within what was asked for
    is_named = bool(wish.titled or wish.named or wish.author or wish.like)
    begins = bool(re.match(_CONTINUES, reading.original))
    points_back = begins or bool(re.search(_POINTS_BACK, reading.original))
    if not wish.has_topic:
        is_whole = not points_back and len(reading.words) > 2 * _SHORT_FOLLOW_UP
        if is_whole and wish.narrows:
            return wish  # a whole sentence of its own, without a topic
        if not (points_back or wish.is_more or wish.narrows) and len(reading.words) <= 1:
            return wish  # nothing was said
        return _joined(kept if wish.narrows else replace(kept, is_more=True), before)
    if is_named:
        return wish if not begins else kept
    if not points_back and (len(reading.words) > _LONG_FOLLOW_UP or re.search(_REQUESTS, reading.original)):
        return wish  # a request of its own
    is_same = bool(
        re.search(
            r"\b(?:same|то же|тоже|так(?:ое|ую|ои) же|cung (?:the|loai|kieu)|nhu (?:the|vay))\b", reading.original
        )
    )
    if re.match(r"^(?:and|what about|how about|а|и|con|the con|va)\b", reading.original) and not (
        wish.is_more or is_same
    ):
        return kept  # "and about dinosaurs?": for the same child
    if re.match(_STANDS_ALONE, reading.original):
        return wish
    return _joined(kept, before)


def _joined(wish: Wish, before: Wish) -> Wish:
    """A wish with what the one before it said; where it has a topic of its own, the older one weighs less."""
    own = {*wish.subjects, *wish.themes, *wish.moods, *wish.words}
    is_narrower = not (wish.themes or wish.words or set(wish.subjects) - {"humour", "horror", "romance"})

    def both(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in dict.fromkeys((*other, *one)) if name not in wish.avoid and name not in wish.less)

    has_years = wish.year_from or wish.year_to
    joined = replace(
        wish,
        words=both(wish.words, before.words),
        names=both(wish.names, before.names),
        spoken=both(wish.spoken, before.spoken),
        wanted=f"{before.wanted} {wish.wanted}",
        subjects=both(wish.subjects, before.subjects),
        themes=both(wish.themes, before.themes),
        moods=wish.moods or tuple(name for name in before.moods if name not in wish.less),
        titled=before.titled,
        is_titled_as_name=before.is_titled_as_name,
        named=before.named,
        author=before.author,
        is_story=wish.is_story or before.is_story,
        teaches=wish.teaches or before.teaches,
        is_translated=wish.is_translated or before.is_translated,
        year_from=wish.year_from if has_years else before.year_from,
        year_to=wish.year_to if has_years else before.year_to,
        length=wish.length or before.length,
        max_pages=wish.max_pages if wish.length else before.max_pages,
        min_pages=wish.min_pages if wish.length else before.min_pages,
        like=before.like,
    )
    held = (
        ()
        if is_narrower
        else tuple(name for name in (*joined.subjects, *joined.themes, *joined.words) if name not in own)
    )
    return replace(joined, held=held)


class Understood(msgspec.Struct, forbid_unknown_fields=False):
    """What a language model is asked to make of a question; its JSON schema goes with the request."""

    subjects: list[str] = []
    avoid: list[str] = []
    moods: list[str] = []
    similar_title: str = ""
    author: str = ""
    year_from: int | None = None
    year_to: int | None = None
    audience: str = ""
    length: str = ""


def merge(wish: Wish, understood: Understood) -> Wish:
    """The wish of the rules with what a model understood besides. The rules win where they saw anything.

    Names that we have no word for, and titles and authors that the question does not hold, are left out.
    """
    if wish.asks != "books":
        return wish
    kinds = {concept.name: concept.kind for concept in lexicon().concepts}
    said = f" {' '.join(spaced(wish.text).replace('|', ' ').split())} "

    def known(names: Sequence[str], *wanted: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for name in names[:4] if kinds.get(name) in wanted))

    def quoted(text: str) -> str:
        folded = " ".join(spaced(text[:120]).replace("|", " ").split())
        return folded if folded and f" {folded} " in said else ""

    avoid = wish.avoid or tuple(
        n for n in known(understood.avoid, "subject", "theme", "mood") if n not in wish.subjects
    )
    subjects = wish.subjects or tuple(n for n in known(understood.subjects, "subject") if n not in avoid)
    has_years = wish.year_from or wish.year_to
    return replace(
        wish,
        subjects=subjects,
        moods=wish.moods or tuple(n for n in known(understood.moods, "mood") if n not in avoid),
        avoid=avoid,
        titled=wish.titled or ("" if wish.named or wish.author else quoted(understood.similar_title)),
        author=wish.author or ("" if wish.titled or wish.named else quoted(understood.author)),
        year_from=wish.year_from if has_years else _year_of(understood.year_from, said),
        year_to=wish.year_to if has_years else _year_of(understood.year_to, said),
        audience=wish.audience
        or (understood.audience if understood.audience in AUDIENCES[:2] and _is_for_someone(said) else None),
        length=wish.length
        or (understood.length if understood.length in ("short", "long") and not wish.max_pages else None),  # pyright: ignore[reportArgumentType]
    )


def _year_of(year: int | None, said: str) -> int | None:
    """A year only where the question holds a number: a model likes to make one up."""
    return year if year and 0 < year < 2_200 and re.search(r"\d", said) else None


def _is_for_someone(said: str) -> bool:
    return bool(re.search(r" (?:for|cho|для|my|мо\w+) ", said))


__all__ = [
    "CODES",
    "LANGUAGES",
    "MAX_QUESTION",
    "Asks",
    "Language",
    "Reading",
    "Understood",
    "Wish",
    "language_of",
    "merge",
    "parse",
]
