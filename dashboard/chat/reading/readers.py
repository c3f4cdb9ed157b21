"""Whom a book is for: children, teenagers, adults; an age in years, or how far somebody has come at school."""

import re
from dataclasses import replace

from dashboard.chat.reading.numbers import NUMBER, NUMBER_WORD, N, last_number, numbers
from dashboard.chat.reading.question import Reading
from dashboard.chat.reading.wish import Wish

_CHILD = (
    r"son|daughter|kid|kids|child|children|girl|boy|niece|nephew|grandson|granddaughter|grandchild|grandchildren"
    r"|grandkids|toddler|baby|pupil|pupils|students?|(?:little|kid|younger|baby) (?:brother|sister)|little one|boys"
    r"|girls|bairn"
    r"|youngster|youngest|eldest|godson|goddaughter|godchild|kiddo|kiddie|tot|sprog"
    r"|wee one|(?:wee|little) (?:lad|lass)"
    r"|stepson|stepdaughter|twins|preschooler|schoolboy|schoolgirl|grandbaby"
)
# Of these one may be grown up: an age tells.
_YOUNG_KIN = (
    r"lad|laddie|lass|lassie|brother|sister|cousin|sibling|young man|young lady|little man|little guy|someone|somebody"
)
_CHILD_RU = (
    r"дочк[аеиу]|дочер[иь]|дочь|сын[ауо]?к?[ауе]?|ребен[кок]+[ауе]?|дет[ея][ми]*|детеи|малыш\w*|внук[ауе]?|внучк[аеиу]"
    r"|племянниц[аеыу]|племянник[ау]?|мальчик[ау]?|девочк[аеиу]|школьник\w*|дочур\w+|сынул\w+|сынишк\w+|мальчишк\w+"
    r"|девчонк\w+|пацан\w*|мал(?:ои|ая|ому|ои)|мелк(?:ии|ая|ому|ои)|ребят\w+|крестни(?:к|ц)\w*|внучок|внучат\w+"
)
_YOUNG_KIN_RU = r"младш\w+|старш\w+|брат\w*|сестр\w+|сестренк\w+|братишк\w+|кузен\w*|кузин\w+"
_CHILD_VI = (
    r"(?:(?:thang|con|dua) )?(?:be|nhoc|cu|nho|ut)(?: (?:trai|gai|nhoc|em|con|nho|ti))?"
    r"|(?:con|chau|em)(?: (?:trai|gai|ut|nho))?"
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
    r"|coworkers?|neighbou?rs?|sister|brother|cousin|lad|lass|flatmate|roommate|teacher|doctor"
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


# A child that is only the reason why somebody has no time: "before the baby wakes".
_NOT_READING = (
    rf"\b(?:before|while|whilst|when|once|until|till|after|since|between|as soon as) (?:the |my "
    rf"|our )?(?:{_CHILD})(?: s)?"
    r" (?:wakes?|woke|sleeps?|naps?|napping|asleep|is asleep|are asleep|is off|off|go(?:es)? (?:to|down|off)|cries"
    r"|feeds?"
    r"|is in bed|are in bed|in bed|arrives?|is born|was born|came|comes home|left|leaves?|moved out|is at|are at"
    r"|at school"
    r"|is down|is out|are out)\b"
    rf"|\b(?:пока|когда|прежде чем|после того как) (?:{_CHILD_RU}) (?:сп\w+|усн\w+|засн\w+|в саду|в школе|просн\w+"
    rf"|уехал\w*)\b"
    rf"|\b(?:luc|khi|trong khi|sau khi|truoc khi) (?:{_CHILD_VI}) (?:ngu|thuc|day|di hoc|di vang)\b"
)
# Who reads to a class says so: it is about no school.
_CLASSROOM = (
    r"\b(?:i teach|teaching|class of|class (?:reader|read|novel|book|text)|for (?:my |the )?class|my class"
    r"|story time|storytime"
    r"|for school|read aloud|pupils|year \d{1,2}|grade \d|reads? to (?:my|the) class)\b"
    r"|\b(?:для класса|в классе|для школы|на уроке|внеклассн\w+(?: чтени\w+)?)\b"
    r"|\b(?:lop (?:\d{1,2}|mot|hai|ba|bon|nam)|cho lop|ca lop|trong lop|tren lop|hoc sinh)\b"
)


def readers(reading: Reading, wish: Wish) -> Wish:
    """Whom it is for: an age, or children, teenagers, adults; and what only says who asks is read off."""
    wish = replace(wish, is_low=bool(reading.take(_STATE)))
    reading.take(
        r"\b(?:(?:mad|crazy|nuts|bonkers|mental) (?:on|about|for|over)|obsessed (?:with|by)|wild about)\b"
    )  # likes
    while reading.take(_NOT_READING):
        pass
    if reading.language != "ru" and reading.take(
        rf"\bmy (?:{_CHILD}) s\b(?! (?:(?:just|nearly|almost) )?(?:turning|turned|{NUMBER})\b)"
    ):
        pass  # "my daughter's class": it is for who asks
    age = _age(reading)
    while reading.take(_FOR_KIN):
        pass
    if age is not None:
        if age <= 17:
            while reading.take(_CLASSROOM):
                pass
        reading.take(
            rf"\b(?:for |для |cho )?(?:my |a |an |our |мо\w+ )?(?:{_CHILD}|{_TEEN}|{_YOUNG_KIN}|{_CHILD_RU}"
            rf"|{_CHILD_VI})(?: toi| minh| em| nha \w+)?\b"
        )
        if age <= 17:
            reading.take(r"\bloves\b(?! (?:and|of|stor|triangle)| \||$)")  # what, not love
        audience = "children" if age <= 11 else "young adult" if age <= 17 else None
        return replace(wish, age=age, audience=audience)
    return replace(wish, audience=_audience(reading))


_FOR_GROWN = (
    r"\bnot (?:just |only )?for (?:the |very |little |small |young |wee |my |any )*(?:kids|children|kiddies"
    r"|babies|toddlers|little ones)\b|\b(?:no|not|nothing) childish\b"
    r"|\bfor (?:adults|grown ups|grownups)\b"
    r"|\bgrown ?up (?:ones?|stories|books?|stuff|fiction|novels?|reads?|reading)\b"
    r"|\bне (?:для (?:\w+ )?(?:детеи|малышеи|детишек)|детск\w+)\b|\bдля взрослых\b"
    r"|\bвзросл\w+ (?:книг|роман|проз|рассказ|литератур|стих)\w*"
    r"|\bkhong phai (?:sach |truyen |loai |do )?(?:cho |danh cho )?(?:tre em|tre con|con nit|thieu nhi)\b"
    r"|\bcho nguoi lon\b"
    r"|\b(?:sach|truyen) (?:cua )?nguoi lon\b"
)


def _audience(reading: Reading) -> str | None:
    """For whom it is, where no age is told."""
    if reading.take(_FOR_GROWN):
        return "adult"
    if reading.take(
        rf"\b(?:for |для |cho )?(?:my |a |our )?(?:{_TEEN})s?\b(?: (?:books?|fiction|novels?|son|daughter|boy|girl"
        rf"|readers?))?"
    ):
        return "young adult"
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
        r"|\b(?:sap nho|tui nho|lu tre|bon tre|tui nhoc|may dua nho|may nhoc|thang nhoc|con nhoc|thang cu|thang be)\b"
    ):
        return "children"
    return None


_SMALL = "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen"


# How long something took is nobody's age: "отсидел десять лет", "пять лет назад".
_YEARS_LONG = (
    r"\b(?:(?:за|уже|последн\w+|через|каждые|первые|все"
    r"|(?!буд)\w{2,}(?:л|ла|ли|лся|лась|лись|ает|яет|ует|ит|аю|яю|ую|жу)) "
    rf"{NUMBER} (?:лет|года?)|{NUMBER} (?:лет|года?) (?:назад|подряд|спустя|стажа|отработ\w+|прожи\w+|отсид\w+))\b"
)


def _age(reading: Reading) -> int | None:
    reading.take(_YEARS_LONG)
    match = (
        reading.take(rf"\b(?:aged?|ages)(?: about| around| of| roughly)? {N}(?: (?:to|and|or)? ?(?P<m>\d{{1,2}}))?\b")
        or reading.take(rf"\b{N} (?P<m>\d{{1,2}}) year olds?\b")
        or reading.take(
            rf"\b{N}(?: (?:to|or|and) \w+)? (?:(?:year|yr)s? )?old\w*\b|\b(?P<m>\d{{1,2}}) ?(?:yo|y o"
            rf"|years old)\b"
        )
        or reading.take(rf"\b(?:for|{_CHILD}|{_YOUNG_KIN})(?: \w+)?(?: \|)? (?P<m>\d{{1,2}}) ?yrs?\b")
        or reading.take(
            rf"\b(?:{_CHILD}|{_YOUNG_KIN})(?: (?:who is|is|s|has|just|nearly|almost|turning|turned|turns|of|aged))*"
            rf"(?: \|)? {N}"
            r"(?: (?:and|or|to) (?P<m>\d{1,2}))?\b"
            r"(?! (?:books|novels|titles))"
        )
        or reading.take(
            rf"\b(?:{_CHILD}|{_YOUNG_KIN})(?: \|)? (?P<n>\d{{1,2}}|{_SMALL})(?= \||$| (?:and|who|loves?|likes?|wants?"
            rf"|is|can"
            r"|won|going|obsessed|mad|just|reads?|hates?|never|still|already|now)\b)"
        )
        or reading.take(
            rf"\b(?:he|she|who) (?:s|is|turns|just turned|will be|about to be) (?:nearly |almost |only "
            rf"|just )?{N}\b(?! (?:pages|books))"
        )
        or reading.take(rf"\b(?:от |с )?{N} ?(?:лет|года?|годик\w*|летн\w+)\b")
        or reading.take(rf"\b(?:лет|годик\w*) (?P<n>{NUMBER})\b")
        or reading.take(rf"\b(?P<n>{NUMBER_WORD})лет(?:н\w+|к\w+)\b")
        or reading.take(rf"\b{N}(?: (?P<m>\d{{1,2}}))? tuoi\b(?! tho)")
        or reading.take(rf"\b(?:{_CHILD_RU}|ему|еи)(?: уже| скоро| исполнилось| исполняется| почти)? {N}\b(?! книг)")
        or reading.take(
            rf"\b(?:{_CHILD_RU}|{_YOUNG_KIN_RU})(?: \|)? (?P<n>\d{{1,2}})(?= \||$| (?:и|не|очень|любит|обожает|уже)\b)"
        )
        or reading.take(rf"\b(?:be|con|chau|no|nhoc|cu|ut) (?:len|duoc|sap|moi|gan) {N}\b(?! (?:cuon|quyen|trang))")
        or reading.take(
            rf"\b(?:(?:be|nhoc|cu|nho|ut)(?: (?!lop|cap|len|khoi|tap)[^\W\d_]{{2,5}})?|{_CHILD_VI})"
            rf"(?: (?:minh|toi|em|nha \w+))?(?: \|)? {N}(?= \||$)(?! (?:cuon"
            rf"|quyen))"
        )
        or (reading.find(r"\b(?:he|she|him|her|his)\b") and reading.take(rf"^{N}(?= \|)"))
    )
    if not match and (years := _school_years(reading)) is not None:
        return years
    if not match:
        small = reading.take(r"\b(?:toddlers?|babies|baby|for a baby|младенц\w*|em be)\b")
        return 2 if small else None
    groups = match.groupdict()
    first, second = groups.get("n"), groups.get("m")
    years = [year for each in (first, second) if each for year in numbers(each)]
    age = sum(years) // len(years) if years else None
    return age if age is None or age < 100 else None  # "One Hundred Years of Solitude" is nobody's age


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
        reading.take(rf"\bgrade (?P<a>{NUMBER})\b")
        or reading.take(rf"\b(?P<a>{_ORDINAL}|\d{{1,2}}(?:st|nd|rd|th)) grade(?:r|rs)?\b")
        or reading.take(r"\blop (?P<a>\d{1,2}|mot|hai|ba|bon|nam|sau|bay|tam|chin|muoi)\b")
        or reading.take(rf"\b(?P<a>(?:{_ORDINAL})\w{{0,4}}|\d{{1,2}}(?: ?м| ?го| ?и)?) ?кла(?:сс|шк)\w*\b")
        or reading.take(r"\b(?P<y>year) (?P<a>\d{1,2}|one|two|three|four|five|six|seven|eight|nine)\b(?! (?:old|ago))")
    )
    if match:
        said = re.sub(r"(?<=\d)(?:st|nd|rd|th| ?м| ?го| ?и)$", "", match["a"])
        number = last_number(said) or next((n for word, n in _ORDINALS.items() if said.startswith(word)), 0)
        if 1 <= number <= 12:
            is_earlier = reading.language == "vi" or match.groupdict().get("y")
            return number + (5 if is_earlier else 6)
    for pattern, age in _STAGES:
        if reading.take(pattern):
            return age
    return None
