"""A question as every rule reads it: its words, its language, which words were read already, and how it says no."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.chat.lexicon import Language, accented, aside, compiled, gap, is_cyrillic, lexicon, spaced, stem
from openshelf.contracts import clean_text
from openshelf.folding import fold

_MAX_QUESTION = 2_000
# Letters that of these three languages only Vietnamese has; NFC.
VIETNAMESE = re.compile(r"[ăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", re.IGNORECASE)
# What stands in quotation marks.
QUOTED = re.compile(r"[\"“«„]([^\"“”«»„]{2,120})[\"”»“]")
SHORT_FOLLOW_UP = 4  # words


def language_of(text: str, before: Language | None = None) -> Language:
    """The language of a question, roughly: by script, then letters, then words; else that of the one before."""
    letters = [c for c in text if c.isalpha()]
    if sum(is_cyrillic(c) for c in letters) * 2 > len(letters):
        return "ru"
    if len(VIETNAMESE.findall(text)) >= 2:
        return "vi"
    words = spaced(text).split()
    silent = lexicon().silent
    english, vietnamese = (sum(word in among for word in words) for among in (silent["en"], silent["vi"]))
    if english == vietnamese and (before == "vi" or VIETNAMESE.search(text)):
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

    @classmethod
    def of(cls, question: str, before: Language | None = None) -> "Reading":
        """A question as it was sent; `before`: the language of the one that it follows on."""
        text = " ".join(clean_text(question).split())[:_MAX_QUESTION]
        return cls(text, language_of(text, before))

    def __init__(self, text: str, language: Language) -> None:
        self.text = text
        self.language: Language = language
        self.has_accents = language == "vi" and bool(VIETNAMESE.search(text))
        self.words: list[Word] = []
        self._spans: dict[bool, list[tuple[int, int]]] = {False: [], True: []}
        self._sentences: list[int] = []  # where each begins
        self.written = {False: "", True: ""}  # what no rule has read: folded, and with its accents
        end = 0
        # One mark in a word that is an apostrophe's would part "don't"; the patterns know it as "don t".
        for match in re.finditer(r"\w+", text):
            between = text[end : match.start()]
            begins = not self.words or bool(re.search(r"[.!?…:\"“«„]\s*$", between.rstrip() or " "))
            word = Word(match[0], fold(match[0]), accented(match[0]), begins)
            for with_accents in (False, True):
                written = word.accented if with_accents else word.folded
                so_far = self.written[with_accents] + (gap(between) if self.words else "")
                self._spans[with_accents].append((len(so_far), len(so_far) + len(written)))
                self.written[with_accents] = so_far + written
            if not self.words or re.search(r"[.!?…;]\s", between):
                self._sentences.append(len(self.written[False]) - len(word.folded))
            self.words.append(word)
            end = match.end()
        self.original = self.written[False]
        self.is_answer = False  # to books that were just named
        self._taken = [False] * len(self.words)
        self.negated = [False] * len(self.words)

    @property
    def ends(self) -> list[int]:
        """Where each word ends in the folded text."""
        return [end for _start, end in self._spans[False]]

    @property
    def folded(self) -> str:
        return self.written[False]

    def find(self, pattern: str, *, with_accents: bool = False) -> re.Match[str] | None:
        return compiled(pattern).search(self.written[with_accents])

    def take(self, pattern: str, *, with_accents: bool = False) -> re.Match[str] | None:
        """Find a pattern and read its words off."""
        match = self.find(pattern, with_accents=with_accents)
        if match:
            for n in self._within(match, with_accents):
                self._taken[n] = True
                for each in (False, True):
                    a, b = self._spans[each][n]
                    self.written[each] = self.written[each][:a] + "\0" * (b - a) + self.written[each][b:]
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

    @property
    def no(self) -> str:
        """A pattern of what says no; of what was just named, also what complains: "these are all bricks"."""
        return NOT[self.language] + (f"|{_COMPLAINT[self.language]}" if self.is_answer else "")

    def sentence_at(self, place: int) -> int:
        """The number of the sentence that holds a place of the text."""
        return bisect_right(self._sentences, place) - 1

    def place_of(self, word: Word) -> int:
        """Where a word stands in the text."""
        return self._spans[False][next(n for n, each in enumerate(self.words) if each is word)][0]

    def asides(self) -> frozenset[int]:
        """The numbers of sentences that ask for nothing beside one that does: they say who asks, and why."""
        ends = (*self._sentences[1:], len(self.original))
        said = [self.original[start:end] for start, end in zip(self._sentences, ends, strict=True)]
        asking = {n for n, each in enumerate(said) if _ASKS_FOR[self.language].search(each)}
        return frozenset(range(len(said))) - asking if asking else frozenset()

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


def says(reading: Reading, section: str) -> bool:
    """Whether a question holds a phrase of a section of `asides.toml`."""
    is_bare = reading.language == "vi" and not reading.has_accents
    said = aside(section, reading.language, bare=is_bare).search(reading.written[reading.has_accents])
    # A few words without accents may be of either language.
    return bool(said or (is_bare and aside(section, "en").search(reading.folded)))


# What asks for a book, of whatever kind.
_ASKS_FOR: dict[Language, re.Pattern[str]] = {
    "en": re.compile(
        r"\b(?:books?|novels?|novellas?|stor(?:y|ies)|reads?|reading|recommend\w*|suggest\w*|something|anything"
        r"|poems?|poetry"
        r"|memoirs?|biograph\w+|comics?|plays?|thrillers?|myster(?:y|ies)|fiction|sci fi|fantasy|titles?|ones?|what"
        r"|which|any"
        r"|want|need|looking|find|got|give)\b"
    ),
    "vi": re.compile(r"\b(?:sach|truyen|cuon|quyen|tieu thuyet|tho|hoi ky|gi|nao|tim|kiem|can|goi y|xin|muon|co)\b"),
    "ru": re.compile(
        r"\b(?:книг\w*|книж\w*|роман\w*|повест\w*|рассказ\w*|стих\w*|что|чего|как(?:ую|ие|ои)|нибудь|посовет\w*"
        r"|подска\w*|ищу"
        r"|нужн\w+|хоч\w+|хот\w+|даите|есть|почитать|прочитать|проз\w*|пьес\w*|фантастик\w*|детектив\w*|классик\w*"
        r"|мемуар\w*)\b"
    ),
}

NOT: dict[Language, str] = {
    "en": r"no|not|less|without|nothing|too|except|avoid|avoiding|minus|free of|hates?|dislikes?|never|neither|nor"
    r"|anything but|don t (?:want|like|need)|doesn t (?:want|like)|rather than|instead of|not into"
    r"|(?:nobody|no one|nothing)(?: (?:that|which|who|is|gets?|allowed|to|should|must|can|may|will|has|ever|even))*"
    r"|(?:tired|sick|bored|enough) of|(?:fed up|bored|done|had it|enough) with|had (?:enough|my fill) of"
    r"|spare (?:me|us)"
    r"|can(?: t|not) (?:stand|bear|stomach|face|take|abide)|(?:do|go|live) without"
    r"|(?:steer|keep) (?:clear|away) (?:of|from)"
    r"|allergic to",
    "vi": r"khong|tru|dung|chang|ghet|tranh|khong phai|ngoai tru|khong thich|khong muon|khong co|bot|do"
    r"|chan|ngan|ngay|khong can(?: ai)?",
    "ru": r"без|кроме|не|ни|слишком|чересчур|никак\w+|исключая|только не|не люблю|не хочу|ненавижу|но не|никто"
    r"|надоел\w*|хватит"
    r"|устал\w* от|не (?:выношу|терплю|переношу)|терпеть не могу"
    r"|(?:тошнит|воротит|мутит) от|объел\w*|наел\w*|сыт\w* по горло"
    r"|(?:никого|никому|ничего)(?: не)?|а то (?:все|одни|одна|везде|кругом|сплошн\w+)",
}
_COMPLAINT: dict[Language, str] = {
    "en": r"a bit|bit|rather|(?:(?:these|those|they|that one|it|all)(?: three| two)? (?:are|re|is|s|were|was|look|looks"
    r"|seem|seems|sound|sounds)|lovely but|good but|nice but|so many|nothing but|(?:^|(?<=\| ))(?:all|again with"
    r"|always))"
    r"(?: (?:all|both|a bit|bit|a little|a tad|too|rather|so|very|quite|pretty|really|such))*",
    "vi": r"toan(?: la)?|(?:^|(?<=\| ))lai(?: la)?|hoi bi",
    "ru": r"опять|снова|сплошн\w+|сплошь|(?:^|(?<=\| ))(?:одни|одна|одно|все)(?: (?:какие то|такое|такие|слишком"
    "|очень))*"
    r"|больно|уж очень",
}
COMPLAINT_WITH_ACCENTS = r"toàn(?: là)?|(?:^|(?<=\| ))lại(?: là)?|hơi bị"
NOT_WITH_ACCENTS = (
    "không|không cần(?: ai)?|trừ|đừng|chẳng|ghét|tránh|không phải|ngoại trừ|không thích|không muốn|không có|đỡ|bớt"
    "|không quá|chán|ngán|ngấy"
)
BETWEEN = (
    r"(?:(?:kind of|sort of|more|another|overly|be|get|going|all|kieu|loai|day|toan|phai|тех|таких|такие|всякие"
    r"|всяких|too|much|any|a|an|the|so|very|about|with|of|has|have|is|are|and|really|set in|on|in|по|про|о|об|qua|nhieu"
    r"|ve|co|nao|слишком|очень|много|hay|sad|a \w+ of|single|под|с|со|к) )*"
)
# After what is not wanted: "món Tây ngán lắm", "romance is not my thing", "любовь мне не нужна", "sách dày là chạy".
_NO_THANKS = (
    r" (?:ngan|chan)(?: (?:lam|qua|roi))+\b| (?:la|thi) (?:chay|ngan|so|nan|chiu|thoi|ngai)\b"
    r"| (?:thi )?(?:thoi khoi|khoi can|mien|khong (?:thich|ham|me|can|muon))\b"
    r"| (?:(?:is|are|s)(?: really)? )?(?:not (?:my|our|his|her) (?:thing|cup|bag)|not for (?:me|us|him|her)"
    r"|not (?:required|needed|wanted|necessary|welcome)|need not apply"
    r"|(?:scares?|frightens?|daunts?|terrif\w+|kills?|defeats?) (?:me|us|him|her|them)\b"
    r"|no thanks?|bores? me|put(?:s)? me off|leaves? me cold|(?:is|are) out\b)"
    r"|(?: (?:мне|нам|тут|больше|уже|точно|совсем|вообще))* (?:не надо|не нужн\w+|ни к чему|не предлага\w+|не люблю"
    r"|не хочу|надоел\w*|достал\w*|мимо|не мо[её]|осточертел\w*|пуга\w+|отпугива\w+|не осил\w*|не тян\w+)\b"
)
# Beyond a comma it may be said of what comes next: "про море, не люблю детективы".
DISMISSED = re.compile(
    rf"(?:{_NO_THANKS})|(?: \|)(?:{_NO_THANKS})(?: (?:lam|dau|nhe|nua|уже|больше|пожалуиста|please))*(?= \||$)"
)
