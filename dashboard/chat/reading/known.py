"""Works that a question names because somebody knows them: liked, read, not wanted. It asks for others than these."""

import re
from collections.abc import Sequence
from dataclasses import replace

from dashboard.chat.lexicon import Language, compiled, lexicon
from dashboard.chat.reading.itself import NAMED, asks_for_the_very
from dashboard.chat.reading.named import a_name
from dashboard.chat.reading.question import Reading
from dashboard.chat.reading.wish import Mention, Wish

SEQUEL = (
    r"\bwhat (?:is|s) (?:the )?next\b(?: one| book| part| volume)?|\bnext one (?:called|in)\b"
    r"|\bкак(?:ая|ую|ои) (?:идет )?следующ\w+|\bследующ\w+ (?:про|в сери\w+)\b|\bsequels?\b|\b(?:next|second"
    r"|following) (?:part|volume|book|one|instal?lment)s? (?:in|of) (?:the|that"
    r"|this) (?:series|saga|story)\b"
    r"|\bnext in (?:the|that|this) series\b|\b(?:what|which(?: one| book)?) (?:comes|goes|is) (?:next|after)\b"
    r"|\bpart two\b|\bvolume two\b"
    r"|\brest of (?:the|that|this) series\b|\bпродолжени\w*|\b(?:вторая|следующая) (?:часть|книга)\b|\bчто (?:идет"
    r"|дальше по) (?:после|серии)\b"
    r"|\b(?:tap|phan|quyen|cuon) (?:ke(?: tiep| sau)?|tiep(?: theo)?|sau|2|hai)\b|\bphan tiep\b"
)

# Before the name of a work that is not wanted: "not «War and Peace»", "trừ Số đỏ".
_BUT_NOT = re.compile(
    r"\b(?:not|no|except(?: for)?|besides|apart from|other than|anything but|aside from|beyond|khong phai(?: la)?|tru"
    r"|ngoai|dung|ngoai tru|не|кроме|помимо|только не|исключая)(?: (?:the|a|cuon|quyen|bo|ra))?(?: \|)? $"
)
# More than the one book of a series is known.
_KNOWS_SERIES = re.compile(
    r"\b(?:(?:the )?(?:first|other|next) (?:two|three|few|four|\d|ones?)|and the (?:next|second|sequel)\w*"
    r"|(?:all|both|every(?:thing|one)?)(?: (?:of|in))?(?: (?:them|the|it|those|three|two))?|(?:the |whole |entire )+"
    r"(?:series|saga|lot|trilogy|set))\b"
    r"|\b(?:все|обе|весь|всю|целиком) (?:части|книги|тома|цикл|серию|сагу)\b"
    r"|\b(?:ca bo|tron bo|het bo|het ca|ca series|may tap dau|het may tap)\b"
)
# Who asks so would have the very work that is named.
_ASKS_FOR_IT = re.compile(
    r"\b(?:got|do (?:you|we|they) have|have (?:you|we)|is there|are there|looking for|find|copy|copies|borrow|where is"
    r"|reserve|on loan|available|in stock|edition|translation|who wrote|called|titled"
    r"|remember|think it|was it|is it|name of|start|begin|order|can i get|i need|i want|film|movie|adaptation"
    r"|book club|reading group"
    r"|must read|have to read|has to read|should read|supposed to read|needs? (?:to read|it)|assigned|set (?:text|book)"
    r"|syllabus|curriculum|for (?:school|class|college|an? exam)|never read|haven t read|hear(?:d|ing)? (?:of|about)"
    r"|recommended|everyone (?:s|is) reading|keep meaning to)\b"
    r"|\b(?:co (?:cuon|quyen|sach|ban|bo|truyen)|tim|kiem|muon (?:cuon|quyen|doc)|cho \w+ muon|con (?:cuon|quyen)"
    r" \w+ khong|ban dich|ban tieng|thu vien|nhan de|ten la|tua la|bat dau|tu dau|thu tu|phim"
    r"|phai doc|can doc|bat doc|nen doc|(?:co|thay) (?:\w+ )?(?:giao|bat|bao)|chuong trinh|de thi|on thi|chua doc"
    r"|nghe noi|nghe don|duoc khen|gioi thieu|cau lac bo)\b"
    r"|\b(?:есть|имеется|ищу|наидите|нужн\w+|взять|издани\w*|перевод\w*|называ\w*|где|помню|кажется|начинать|начать|порядк\w*|сначала|фильм\w*"
    r"|экранизаци\w*|сериал\w*|задали|задано|по программе|для школы|экзамен\w*|клуб\w*|надо (?:прочесть|прочитать)"
    r"|нужно (?:прочесть|прочитать)|не читал\w*|слышал\w*|хвалят|советовал\w*|все читают)\b"
)
# After the name of a work, others like it but for one thing: "The Martian, but at sea"; "but in Russian" is that work.
_OTHERWISE = re.compile(
    r"(?: \|)? (?:but|only|meets|nhung|но|только)\b(?! (?:in [a-z]+(?: \||$)|bang|ban|tieng|на|по) ?)"
)
# Before the name of what a book is to be about: "a novel about the desert planet Dune".
_ABOUT = re.compile(
    r"\b(?:books?|novels?|stor(?:y|ies)|something|anything|sach|truyen|tieu thuyet|cuon|книг\w*|роман\w*|истори\w*"
    r"|что (?:нибудь|то))(?: \w+)? (?:about|on|ve|про|о|об)\b[^|\0]*$"
)
# Who seeks a book is after it, who would like it has not read it; a monk's name is no liking, nor is "or something like
# that" or "hình như".
_NO_LIKING = re.compile(
    r"\b(?:would|d) (?:really |just |so )?(?:like|love)\b"
    r"|\bor (?:\w+ ){0,3}(?:like (?:that|it)|similar|to that effect|of the sort|near enough)\b"
    r"|(?<=\| )(?:something|sth) like that(?= \||$)"
    r"|\bhinh nhu\b|\b(?:hay )?gi(?: gi)? (?:do|ay)\b"
    r"|\bcon(?=(?: (?!nao\b|gi\b|khac\b|kieu\b)[^| ]+)* (?:khong|ko|k|kg|hong|hok|hem|chua)\b)"
    r"|\bили (?:что|как)\w*(?: \w+){0,2} (?:похоже\w*|подобн\w+|вроде|таком|того)\b"
    r"|\bчто то (?:вроде|типа)(?: того| этого)\b"
    r"|\b(?:i m|i am|we re|we are|she s|he s|they re|is|are|was|chasing) after\b"
    r"|\bthich (?=nhat hanh|minh|chan|nu|tri|thanh)"
)
_MONK = re.compile(r"\bThích (?=[A-ZĐ])")
# How often it was read.
_TIMES = re.compile(
    r"\b(?:\w+ (?:times|go)|\d+x|x ?\d+)\b|\b(?:\d+|hai|ba|bon|nam|muoi|may|chuc|tram) (?:lan|luot)\b"
    r"|\b\w+ раз(?:а|у)?\b"
)
# What speaks for wanting others than the work that is named, up to twice each; the words beside its name as a share of
# those of who says more than that they would have it. Fitted by logistic regression to questions that name a work.
_SIGNS: dict[str, float] = {
    "one": -2.4, "others": 4.0, "read": 3.5, "unread": -2.4, "the very": -3.5, "asks for it": -0.75,
    "tells": 1.2,
}  # fmt: skip
_TELLS: dict[Language, int] = {"en": 6, "vi": 8, "ru": 5}  # words
_MOST = 2.0


def known(reading: Reading, wish: Wish, mentions: Sequence[Mention]) -> Wish:
    """With the works it asks for the like of, and those that are not wanted; their names are read off.

    A work is liked where more speaks for wanting others than for wanting the work itself.
    """
    places = [(each, match.span()) for each in mentions if (match := reading.find(_said(each)))]
    unwanted = [each for each, (start, _end) in places if _BUT_NOT.search(reading.folded[:start])]
    for each in unwanted:
        if named := reading.take(_said(each)):
            reading.negate(named)
    wish = replace(wish, had=tuple(dict.fromkeys(each.book_id for each in unwanted)))
    places = [(each, span) for each, span in places if each not in unwanted]
    if not places:
        return wish
    if not _is_liked(reading, wish, places):
        return _meant(reading, wish, places)
    if reading.take(SEQUEL):
        wish = replace(wish, is_sequel=True)
    for each, _span in places:
        reading.take(rf"{_said(each)}(?:(?: \|)? (?:by|cua|автора?) {a_name(wish.language)})?")
    return replace(
        wish,
        titled=" | ".join(dict.fromkeys(each.words for each, _span in places)),
        is_titled_as_name=True,
        knows_series=not wish.is_sequel and bool(_KNOWS_SERIES.search(reading.folded)),
        like=tuple(dict.fromkeys(each.book_id for each, _span in places)),
    )


def _meant(reading: Reading, wish: Wish, places: Sequence[tuple[Mention, tuple[int, int]]]) -> Wish:
    """With the works that are asked for themselves: it asks for them, or says little else."""
    titles = [each for each, (start, _end) in places if each.may_be_meant and not _ABOUT.search(reading.folded[:start])]
    beside = len(reading.words) - sum(len(words.split()) for words in {each.words for each in titles})
    text, _accented = _beside(reading, places)
    asks_for_it = _ASKS_FOR_IT.search(text) or asks_for_the_very(text, wish.language)
    if not titles or not (asks_for_it or beside < _TELLS[wish.language]):
        return wish
    for words in dict.fromkeys(_said(each) for each in titles):
        reading.take(words)
    return replace(wish, meant=tuple(dict.fromkeys(each.book_id for each in titles)))


def _said(mention: Mention) -> str:
    """A pattern for the words of a mention, whatever marks part them."""
    return r"\b" + r"(?: \|)? ".join(map(re.escape, mention.words.split())) + r"\b"


def _is_liked(reading: Reading, wish: Wish, places: Sequence[tuple[Mention, tuple[int, int]]]) -> bool:
    """Whether works are named because others like them, or what comes after them, are asked for."""
    text, accented = _beside(reading, places)
    if re.search(SEQUEL, text) or any(_OTHERWISE.match(text, end) for _each, (_start, end) in places):
        return True
    return sum(_SIGNS[sign] * value for sign, value in _signs(reading, places, text, accented).items()) > 0


def _signs(
    reading: Reading, places: Sequence[tuple[Mention, tuple[int, int]]], text: str, accented: str
) -> dict[str, float]:
    """What speaks for wanting others than a work that is named, and what against it; the texts are without its name."""

    def count(sign: str) -> int:
        phrases = lexicon().likeness[reading.language][sign]
        if reading.has_accents:
            return sum(bool(compiled(each.pattern).search(accented)) for each in phrases)
        return sum(bool(compiled(each.bare or each.pattern).search(text)) for each in phrases)

    beside = len(reading.words) - sum(len(each.words.split()) for each, _span in places)
    signs = {
        "others": count("others"),
        "read": count("read") + bool(_TIMES.search(text)),
        "unread": count("unread"),
        "the very": asks_for_the_very(text, reading.language),
        "asks for it": len(_ASKS_FOR_IT.findall(text)),
        "tells": beside / _TELLS[reading.language],
    }
    return {"one": 1.0} | {sign: min(_MOST, value) for sign, value in signs.items()}


def _beside(reading: Reading, places: Sequence[tuple[Mention, tuple[int, int]]]) -> tuple[str, str]:
    """A question without the names of works and what sounds like a liking and is none; folded, and with accents."""
    text, accented = reading.folded, reading.written[True]
    spans = [span for _each, span in places]
    spans += [match.span() for match in _NO_LIKING.finditer(text)]
    spans += [match.span() for match in _MONK.finditer(reading.text)] if len(reading.text) == len(text) else []
    for start, end in spans:
        blank = NAMED * (end - start)
        text = text[:start] + blank + text[end:]
        accented = accented[:start] + blank + accented[end:]
    return text, accented
