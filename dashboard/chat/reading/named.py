"""Books and authors that a question names: what it asks for, what it wants the like or the next of, whom it avoids."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import dropwhile, takewhile

from dashboard.chat.lexicon import Language, compiled, lexicon, spaced
from dashboard.chat.reading.question import QUOTED, Reading, Word
from dashboard.chat.reading.wish import Wish

_LIKE = (
    r"\b(?:(?:something|anything|books?|novels?|stories|more|ones?|sth|similar|stuff|reads?|much|authors?|writers?"
    r"|a lot) like"
    r"|(?:is|are|writes?|reads?|sounds?|feels?) like"
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
_LIKES_A_THING = (
    r"i (?:like|love)\b|(?:is|are|writes?|reads?|sounds?|feels?) like\b"
    r"|(?:minh|toi|em|con|be|chau) (?:(?:rat|cung|da|trai|gai|nha|minh) )*(?:thich|me|yeu)\b"
)
# Where the name of a book ends: what follows is another wish.
_ENDS: dict[Language, str] = {
    "en": "but|only|except|though|without|please|for (?:my|a|an|kids|children|adults|teens)|with (?:more|less|a)"
    "|in (?:english|russian|vietnamese|french|german|spanish)|what|which|any|can|could|do|written|published|similar"
    "|and (?:want|would|need|i|now|am)|so much|very much",
    "vi": "nhung|ma|cho|khong|thi|goi y|co|bang tieng|a$|nhe|roi",
    "ru": "но|только|для|без|на (?:русском|английском|вьетнамском)|посоветуи\\w*|что|хочу|хочется|пожалуиста|есть",
}


def likeness(reading: Reading, wish: Wish) -> Wish:
    """What follows "something like", as far as it is one name: "X by Y" gives the author, too."""
    if wish.titled:
        return wish
    match = reading.find(_LIKE + r"(?: \|)? (?P<title>[^\0]+?)" + rf"(?= (?:{_ENDS[wish.language]})\b| \||$)")
    if wish.refers is not None:
        return wish
    if not match:
        return _in_the_manner(reading, wish)
    title = match["title"].strip(" |")
    known = [concept.name for concept in lexicon().concepts if concept.any_phrase("en").fullmatch(title)]
    said = reading.raw(match.start("title"), match.end("title"))
    is_written_as_name = any(word.raw[0].isupper() for word in said)
    if not is_written_as_name and (not title or known or all(reading.is_silent(word) for word in said)):
        return wish  # "i loved poetry", "something like that": a subject or a pronoun, not a book
    # "I like trains", "mê bóng đá": who likes what has no capital likes no book.
    if is_written_as_name or not re.match(_LIKES_A_THING, match[0]):
        reading.take(re.escape(match[0]) + r"(?!\w)")
        by = re.match(r"(?P<title>.+?) (?:by|cua|tac gia|автора?) (?P<author>.+)", title)
        if by:
            return replace(wish, titled=by["title"], author="", avoid_author="", is_titled_as_name=True)
        return replace(wish, titled=title, is_titled_as_name=is_written_as_name)
    return wish


# Of whose manner books shall be: the name, written as one, stands in its place.
_RUN = r"(?P<title>[^\W\d_]+(?: [^\W\d_]+){0,3}?)"
_MANNERS: dict[Language, tuple[str, ...]] = {
    "en": (
        rf"\b{_RUN} (?:style|esque|ish|type|vibes)\b",
        rf"^{_RUN} (?:but|with|meets|only|except)\b",
        rf"\b(?:league|vein|school|tradition|mould|class|footsteps|ilk) (?:as|of) {_RUN}"
        rf"(?= \||$| (?:but|with|only)\b)",
    ),
    "vi": (rf"\b(?:kieu|theo loi|phong cach|van phong|hoi huong|chat) {_RUN}(?= \||$| (?:nhung|ma|cho|thoi|co)\b)",),
    "ru": (rf"\b(?:как|уровня|школы|а ля) {_RUN}(?= \||$| (?:но|только)\b)",),
}


def _in_the_manner(reading: Reading, wish: Wish) -> Wish:
    """ "Tolkien but funny", "kiểu Nguyễn Nhật Ánh": what is written as a name, and is no place."""
    for pattern in _MANNERS[wish.language]:
        if not (match := reading.find(pattern)) or reading.is_title_case():
            continue
        said = reading.raw(*match.span("title"))
        called = " ".join(word.folded for word in said)
        is_concept = any(c.any_asked(wish.language, bare=True).search(called) for c in lexicon().concepts)
        is_idle = all(reading.is_silent(word) for word in said)
        if all(word.raw[0].isupper() for word in said) and not (is_concept or is_idle):
            reading.take(re.escape(match[0]))
            return replace(wish, titled=called)
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
    "|car|plane|bus|chance|heart|theme|subject|year|age|topic|different|other|various|same|i|somebody|someone|anyone|anybody|people|those|these|them|that|this|it|authors?|writers?|folk",
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
    r"| ones?)?(?: written)? (?:by|from|of) ",
    "vi": r"(?:khong phai|tru|khong phai la|ngoai tru)(?: sach| truyen)? (?:cua|do|tac gia) ",
    "ru": r"(?:не|кроме|без|исключая) ?",
}
# Whose books were read already, all of them: the name, written as one, follows or goes before.
_HAS_READ: dict[Language, tuple[str, str]] = {
    "en": (
        r"(?:(?:read|had|done|got|finished|know|own|(?:been|gone) through)"
        r" (?:all|everything|every book|every|most|both)"
        r"|r[ua]n out|only (?:ever )?reads?|reads? only|(?:reads?|read) nothing but)"
        r"(?: of)?(?: the)?(?: books?| novels?)?(?: (?:by|from|of))? ",
        r"(?: s)?(?: \|)?(?: (?:i ve|i have|we ve|she s|he s))? (?:read|had|done|finished) (?:them all|the lot"
        r"|everything|all of)\b",
    ),
    "vi": (
        r"(?:chi (?:doc|me) (?:moi|toan)|(?:doc|coi|cay) (?:het|sach|het sach|gan het))"
        r"(?: (?:sach|truyen|cac cuon|may cuon))?(?: cua)? ",
        r" (?:minh |toi |em |con )?(?:doc|coi|cay) (?:het|sach)(?: roi| ca)?\b",
    ),
    "ru": (
        r"(?:всего|всю|всех|все|весь) (?:уже )?(?:прочита\w*|читал\w*|перечита\w*|прочел|прочла)? ?",
        r" (?:уже )?(?:всего|всю|весь|все) (?:уже )?(?:прочита\w*|читал\w*|перечита\w*|прочел|прочла|есть|знаю)\b",
    ),
}
_HONORIFICS = frozenset(["ông", "bà", "cô", "chú", "bác", "anh", "chị", "cụ", "nhà", "văn", "thơ", "tác", "giả"])
_PEOPLES = frozenset(["nhật", "đức", "hàn", "trung", "tây", "ý", "pháp", "nga", "anh", "mỹ", "thái", "ấn"])
# Whom somebody does not like, or has enough of; the name is written as one.
_HAS_ENOUGH: dict[Language, str] = {
    "en": (
        r"(?:(?:don t|do not|doesn t|never|can t|cannot|couldn t) (?:really )?(?:get on with|like|rate|stand|bear|abide"
        r"|stomach)|(?:sick|tired|bored|enough) of|fed up with|(?<!the )hates?|not"
        r"|any(?:thing|one|body) but|no more) "
    ),
    "vi": r"(?:khong phai|tru|ngoai|dung|ngan|chan|khong thich|khong ua) ",
    "ru": r"(?:не люблю|не выношу|терпеть не могу|надоел[аи]?|хватит|устал[аи]? от) ",
}
_SURE_MARKS = r"(?:written by|by|author|tac gia|nha van|nha tho|автор)"


def a_name(language: Language) -> str:
    """Up to five words that are a name."""
    return rf"(?!(?:{_NO_NAMES[language]})\b)(?P<name>[^\W\d_]+(?: (?!(?:{_NAME_ENDS[language]})\b)[^\W\d_]+){{0,4}})"


def creators(reading: Reading, wish: Wish) -> Wish:
    """Who must have written it, and who must not."""
    name = a_name(wish.language)
    wish = _avoided(reading, wish)
    for made in compiled(rf"\b{_WRITTEN_BY[wish.language]}{name}").finditer(reading.folded):
        said = reading.raw(*made.span("name"))
        # "by train", "cua toi": a name is written as one, or the marker says that it is one; "by" somebody is no name.
        is_written = any(word.raw[0].isupper() for word in said)
        if not is_written and wish.language == "en" and made[0][: made.start("name") - made.start()].endswith("the "):
            continue  # "by the sea"
        if not is_written and wish.language != "vi":
            said = list(takewhile(lambda word: not reading.is_silent(word), said))
        said = list(dropwhile(lambda word: wish.language == "vi" and word.raw in _HONORIFICS, said))
        if wish.language == "vi" and len(said) == 1 and said[0].accented in _PEOPLES:
            continue  # "tác giả Nhật"
        is_sure = re.match(_SURE_MARKS, made[0])
        author = " ".join(word.folded for word in said)
        # "Novels of Africa" were written by nobody of that name.
        is_topic = any(concept.any_phrase(wish.language).fullmatch(author) for concept in lexicon().concepts)
        if said and (is_sure or (is_written and not is_topic)):
            reading.take(re.escape(made[0][: made[0].index(author)] + author) + r"(?!\w)")
            return replace(wish, author=author)
    return wish


def _avoided(reading: Reading, wish: Wish) -> Wish:
    """Whose books are not wanted, or were all read."""
    name = a_name(wish.language)
    before, behind = _HAS_READ[wish.language]
    # In Russian nothing but its capital tells "не Акунина" from "без войны".
    for pattern, needs_capital, is_read in (
        (rf"\b(?:{_NOT_BY[wish.language]}){name}", wish.language == "ru", False),
        (rf"\b(?:{_HAS_ENOUGH[wish.language]}){name}", True, False),
        (rf"\b(?:{before}){name}", True, True),
        (rf"\b(?P<name>[^\W\d_]+(?: [^\W\d_]+){{0,3}}){behind}", True, True),
    ):
        if not (match := reading.find(pattern)):
            continue
        said = reading.raw(*match.span("name"))
        if needs_capital:
            goes_before = match.end("name") < match.end()
            said = _last_capitals(said) if goes_before else list(takewhile(lambda word: word.raw[0].isupper(), said))
        called = " ".join(word.folded for word in said)
        if not said or called in lexicon().nations:
            continue
        # Of what stands behind "all of" only the name is meant.
        whole = match[0] if not needs_capital or match.end("name") < match.end() else None
        whole = whole or match[0][: match.start("name") - match.start()] + called
        reading.negate(reading.take(re.escape(whole) + r"(?!\w)") or match)
        return replace(wish, avoid_author=called, knows_author=is_read)
    return wish


def _last_capitals(said: Sequence[Word]) -> list[Word]:
    return list(takewhile(lambda word: word.raw[0].isupper(), reversed(said)))[::-1]


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


_SAYS = re.compile(
    r"\b(?:says?|said|saying|tells? (?:me|us|him|her)|told (?:me|us|him|her)|asks?|говор\w+|сказал\w*|твердит"
    r"|велит|велел\w*|noi|bao|dan|hoi)(?: \|)?$"
)


def _is_speech(quoted: re.Match[str]) -> bool:
    """Whether what stands in quotation marks is what somebody says, begun like no title: the coach says «read more»."""
    return quoted[1].lstrip()[0].islower() and bool(_SAYS.search(spaced(quoted.string[: quoted.start()])))


def quoted(reading: Reading, wish: Wish) -> Wish:
    """A title in quotation marks, or what is asked for as one thing: "do you have Emma?"."""
    quoted = QUOTED.search(wish.text)
    if quoted and not wish.titled and not _is_speech(quoted):
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
        if not concepts and named not in lexicon().nations:
            reading.take(re.escape(named) + r"(?!\w)")
            return replace(wish, named=named)
    return wish
