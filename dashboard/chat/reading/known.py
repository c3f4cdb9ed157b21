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
# Who seeks a book is after it; a monk's name is no liking, nor is "or something like that" or "hình như".
_NO_LIKING = re.compile(
    r"\bor (?:\w+ ){0,3}(?:like (?:that|it)|similar|to that effect|of the sort|near enough)\b"
    r"|(?<=\| )(?:something|sth) like that(?= \||$)"
    r"|\bhinh nhu\b|\b(?:hay )?gi(?: gi)? (?:do|ay)\b"
    r"|\bcon(?=(?: (?!nao\b|gi\b|khac\b|kieu\b)[^| ]+)* (?:khong|ko|k|kg|hong|hok|hem|chua)\b)"
    r"|\bили (?:что|как)\w*(?: \w+){0,2} (?:похоже\w*|подобн\w+|вроде|таком|того)\b"
    r"|\bчто то (?:вроде|типа)(?: того| этого)\b"
    r"|\b(?:i m|i am|we re|we are|she s|he s|they re|is|are|was|chasing) after\b"
    r"|\bthich (?=nhat hanh|minh|chan|nu|tri|thanh)"
)
_MONK = re.compile(r"\bThích (?=[A-ZĐ])")
# Who says much beside a name and likes it, asks for something else.
_ASKS_FOR_OTHERS = re.compile(
    r"\b(?:something|anything|what|which|where|else|another|others?|more|next|reads|(?:a|any|good|great|easy|some) read"
    r"|novels|books|recommend\w*|suggest\w*|ideas?|similar|follow\w*|replace\w*)\b"
    r"|\b(?:gi|nao|nua|khac|goi y|kieu|giong|them)\b"
    r"|\b(?:что|чего|чем|чему|как\w+|еще|посовет\w*|подска\w*|порекоменд\w*|похож\w*|друг\w+|дальше)\b"
)
# Words beside a name, of who says more than that they would have it.
_TELLS: dict[Language, int] = {"en": 6, "vi": 8, "ru": 5}


def known(reading: Reading, wish: Wish, mentions: Sequence[Mention]) -> Wish:
    """With the works it asks for the like of, and those that are not wanted; their names are read off.

    A work is liked where the question says so, or says enough beside its name and does not ask for the work itself.
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
        reading.take(rf"{_said(each)}(?: (?:by|cua|автора?) {a_name(wish.language)})?")
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
    if asks_for_the_very(text, wish.language):
        return False
    phrases = lexicon().likeness[wish.language]
    if reading.has_accents:
        says_so = any(compiled(phrase.pattern).search(accented) for phrase in phrases)
    else:
        says_so = any(compiled(phrase.bare or phrase.pattern).search(text) for phrase in phrases)
    if says_so:
        return True
    if _ASKS_FOR_IT.search(text) or not _ASKS_FOR_OTHERS.search(text):
        return False
    is_topic = any(_ABOUT.search(text[:start]) for _each, (start, _end) in places)
    if is_topic or not any(each.is_sure for each, _span in places):
        return False
    return len(reading.words) - sum(len(each.words.split()) for each, _span in places) >= _TELLS[wish.language]


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
