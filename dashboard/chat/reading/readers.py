"""Whom a book is for: children, teenagers, adults; an age in years, or how far somebody has come at school."""

import re
from dataclasses import replace

from dashboard.chat.reading.numbers import NUMBER, NUMBER_WORD, YEARS, N, last_number, numbers
from dashboard.chat.reading.question import Reading
from dashboard.chat.reading.wish import Wish

_CHILD = (
    r"son|daughter|kid|kids|child|children|girl|boy|niece|nephew|grandson|granddaughter|grandchild|grandchildren"
    r"|grandkids|toddler|baby|pupil|pupils|students?|(?:little|kid|younger|baby) (?:brother|sister)|little one|boys"
    r"|girls|bairn"
    r"|youngster|youngest|eldest|godson|goddaughter|godchild|kiddo|kiddie|tot|sprog"
    r"|wee one|(?:wee|little) (?:lad|lass)"
    r"|stepson|stepdaughter|twins|triplets|first born|firstborn|little ones|daughters|sons|preschooler|schoolboy"
    r"|schoolgirl|grandbaby"
)
# Of these one may be grown up: an age tells.
_YOUNG_KIN = (
    r"lad|laddie|lass|lassie|brother|sister|cousin|sibling|young man|young lady|little man|little guy|someone|somebody"
)
_CHILD_RU = (
    r"дочк[аеиу]|дочер[иь]|дочь|сын[ауо]?к?[ауе]?|ребен[кок]+[ауе]?|дет[ея][ми]*|детеи|малыш\w*|внук[ауе]?|внучк[аеиу]"
    r"|племянниц[аеыу]|племянник[ау]?|мальчик[ау]?|девочк[аеиу]|школьник\w*|дочур\w+|сынул\w+|сынишк\w+|мальчишк\w+"
    r"|девчонк\w+|пацан\w*|мал(?:ои|ая|ому|ои)|мелк(?:ии|ая|ому|ои)|ребят\w+|крестни(?:к|ц)\w*|внучок|внучат\w+"
    r"|близнец\w*|двоиняш\w*|троиняш\w*"
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
# How long somebody went to school is no topic.
_LEFT_SCHOOL = rf"\b(?:left|quit|finished) school(?: at {NUMBER})?\b|\b(?:бросил\w*|ушел|ушла) (?:из школы|школу)\b"
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
    while reading.take(_NOT_READING) or reading.take(_LEFT_SCHOOL):
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


# What is meant for adults, or for no child.
_FOR_GROWN = (
    r"\b(?:not|nothing|never) (?:\w+ )?(?:just |only )?for (?:the |very |little |small |young |wee |my "
    r"|any )*(?:kids|children"
    r"|kiddies|babies|toddlers|little ones)\b|\b(?:no|not|nothing) childish\b"
    r"|\bfor (?:adults|grown ?ups)\b|\bgrown ?up(?= \||$)"
    r"|\b(?:adult|grown ?up) (?:books?|novels?|fiction|stor(?:y|ies)|ones?|stuff|reads?|reading)\b"
    r"|\bне (?:для (?:\w+ )?(?:детеи|малыш\w+|детишек)|детск\w+)\b|\bдля взрослых\b"
    r"|\bвзросл(?:ое|ую|ые|ая|ыи)(?= \||$| (?:но|и|книг|роман|проз|рассказ|фантаст|литерат|чтени|детектив|повест|стих))"
    r"|\b(?:khong phai|dung) (?:\w+ )?(?:cho |danh cho )?(?:tre em|tre con|con nit|thieu nhi)\b"
    r"|\b(?:cho|truyen|sach|tieu thuyet|chuyen) (?:cua )?nguoi lon\b"
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


_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13,
    "перв": 1, "втор": 2, "трет": 3, "четверт": 4, "пят": 5, "шест": 6, "седьм": 7,
    "восьм": 8, "девят": 9, "десят": 10, "одиннадцат": 11, "двенадцат": 12, "тринадцат": 13,
}  # fmt: skip
_ORDINAL = "|".join(_ORDINALS)
_TEN_TO_TWENTY = "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty"
_OF_AGE = 18


# What stands between a reader and the years of its age: "just turned", "going on", "who is nearly".
_HAS_COME = (
    r"(?: (?:who|s|is|are|re|m|am|be|will|ll|about|to|just|now|only|already|recently|finally|barely"
    r"|(?:has|have|ve|had)(?! (?:a |an )?\d| [a-z]+ (?!\|)\w+s\b)|soon|nearly|almost|not|quite|yet|all|both|each"
    r"|turn(?:s|ed|ing)?|(?:going|getting|coming up|close)(?: (?:on|for|to))*|up to|hits?|reach(?:es|ed)?|pushing"
    r"|approaching|rising|aged?|\|))+"
)
_HAS_COME_RU = (
    r"(?: (?:уже|скоро|почти|всего|только|сеичас|недавно|вот|как|раз|будет|было|за|по|стукнуло|исполнилось"
    r"|исполняется|исполнится|минуло|пошло|\|))*"
)
# What is counted is no reader's years: "she is one of three", "I am 40 pages in", "мне 5 книг".
_NO_COUNT = (
    rf"(?! (?:{NUMBER_WORD})\b)"
    r"(?! (?:of|pages?|pp|books?|novels?|titles|chapters|times|hours?|minutes?|mins?|days?|weeks?|months?|evenings?"
    r"|nights?|mornings?|afternoons?|stops?|man|seater|am|pm|o clock"
    r"|percent|miles|people|stars|trang|cuon|quyen|tap|lan|ngay|gio|phut|thang|cau|bai"
    r"|час|день|стр|[а-я]{3,}(?:а|ов|ев|еи|ы|и)"
    r"|(?!(?:loves|likes|wants|hates|reads|needs|enjoys|years|is|has|was)\b)[a-z]{2,}s)\b)"
)
_WHO = r"she|he|they|i|we|you"
_WHO_RU = r"мне|нам|ему|еи|им|маме|папе|бабушке|дедушке|мужу|жене|подруге|другу|брату|сестре"
_FEW = rf"(?!(?:one|mot|1)\b){YEARS}"  # "he is one" is a child's age too seldom
_AND = rf"(?:(?: (?:and|or|to|и|или|до|va|hay|den|toi))?(?: \|)? (?P<m>{_FEW})\b{_NO_COUNT})?"
_AGES_SAID = (
    rf"\b(?:aged?|ages)(?: (?:range|group|bracket))?(?: about| around| of| from| roughly)? (?P<n>{YEARS})"
    rf"(?:(?: (?:to|and|or))? (?P<m>\d{{1,2}}|{NUMBER_WORD}))?\b",
    rf"\b(?P<n>{YEARS}) (?:(?:to|and|or) )?(?P<m>{YEARS}) ?(?:(?:year|yr)s? olds?|yo|y o|yrs)\b",
    rf"\b{N}(?: (?:to|or|and) \w+)? (?:(?:year|yr)s? )?old\w*\b|\b(?P<m>\d{{1,2}}) ?(?:yo|y o|years old)\b",
    rf"\b(?:for|{_CHILD}|{_YOUNG_KIN})(?: \w+)?(?: \|)? (?P<m>\d{{1,2}}) ?yrs?\b",
    # "Under fives", "the over-8s": a year within.
    rf"\b(?:the )?(?P<under>under|over)(?: the)? (?P<n>\d{{1,2}}|{NUMBER_WORD})(?:e?s)\b",
    rf"\b(?:my|our|his|her|the|a) (?:(?!book|novel|story|budget|limit|flight|train)\w+ ){{1,3}}?"
    rf"(?:(?:is|s|are|was|has|have|will|who|about|just|be|going|coming|up|nearly|almost) )*"
    rf"(?:turn(?:s|ed|ing)|going on|just|nearly|almost|only|is|s|are) (?P<n>{_FEW})\b{_NO_COUNT}{_AND}"
    rf"(?= \||$| (?:and|who|now|today|tomorrow|last|this|next|on|but|so|years?|soon)\b)",
    rf"\b(?:{_CHILD}|{_YOUNG_KIN})(?:{_HAS_COME}| of)? (?P<n>{_FEW})\b{_NO_COUNT}{_AND}",
    rf"\b(?:im|(?:{_WHO}){_HAS_COME}) (?P<n>{_FEW})\b{_NO_COUNT}{_AND}",
    rf"\b(?:reader|readers|somebody|someone|anyone)(?:{_HAS_COME}| of) (?P<n>{_FEW})\b{_NO_COUNT}",
    rf"\b(?:his|her|their|my) (?P<ordinal>{_ORDINAL}|\d{{1,2}}(?:st|nd|rd|th)) year\b",
    rf"\b(?P<n>{YEARS}) somethings?\b",
    rf"\b(?:от |с )?{N} ?(?:лет|года?|годик\w*|летн\w+|годовал\w+)\b",
    rf"\b(?:лет|годик\w*) (?P<n>{NUMBER})\b",
    rf"\b(?P<n>{NUMBER_WORD})(?:лет(?:н\w+|к\w+)|годовал\w+)\b",
    rf"\b(?:{_CHILD_RU}|ему|еи|пошел|идет)(?: пошел| идет)? (?P<ordinal>(?:{_ORDINAL})\w{{2,4}}) (?:год(?:ик)?"
    rf"|годок)\b",
    rf"\b(?P<n>{YEARS})(?: (?:den |hay )?(?P<m>{YEARS}))? tuoi\b(?! tho)(?: ruoi\b)?",
    rf"\b(?:{_CHILD_RU}|{_WHO_RU}){_HAS_COME_RU} (?P<n>{_FEW})\b{_NO_COUNT}{_AND}",
    rf"\b(?:{_CHILD_RU}|{_YOUNG_KIN_RU}){_HAS_COME_RU} (?P<n>\d{{1,2}})(?= \||$| (?:и|не|очень|любит|обожает|уже)\b)",
    rf"\b(?:be|con|chau|no|nhoc|cu|ut|dua|em|doi|sinh doi)(?: \w+)? (?:len|duoc|sap|moi|gan"
    rf"|vua) (?P<n>{_FEW})\b{_NO_COUNT}",
    rf"\b(?:nam nay|vua len|moi len|sap len) (?P<n>{_FEW})\b{_NO_COUNT}(?! lop)",
    rf"\b(?:(?:be|nhoc|cu|nho|ut)(?: (?!lop|cap|len|khoi|tap)[^\W\d_]{{2,5}})?|{_CHILD_VI})"
    rf"(?: (?:minh|toi|em|nha \w+))?(?: \|)? {N}(?= \||$)(?! (?:cuon|quyen))",
    # Between marks, where nothing else is said of it: "I never read fantasy, 61, where do I start".
    rf"(?:^|(?<=\| ))(?P<n>[1-9]\d|[4-9]|{_TEN_TO_TWENTY})(?= \|)",
)


# How long something took is nobody's age: "отсидел десять лет", "пять лет назад".
_YEARS_LONG = (
    r"\b(?:(?:за|уже|последн\w+|через|каждые|первые|все"
    r"|(?!буд)\w{2,}(?:л|ла|ли|лся|лась|лись|ает|яет|ует|ит|аю|яю|ую|жу)) "
    rf"{NUMBER} (?:лет|года?)|{NUMBER} (?:лет|года?) (?:назад|подряд|спустя|стажа|отработ\w+|прожи\w+|отсид\w+))\b"
)


def _age(reading: Reading) -> int | None:
    """The years of a reader, as they are said or as school tells them; of several the middle."""
    reading.take(_YEARS_LONG)
    plus = reading.find(r"\b(?P<n>\d{1,2})(?= \||$)")
    match = next((found for pattern in _AGES_SAID if (found := reading.take(pattern))), None)
    if match is None and plus and re.search(rf"(?<!\d){plus['n']}\+", reading.text) and int(plus["n"]) <= _OF_AGE:
        match = reading.take(rf"\b(?P<n>{plus['n']})\b")  # "12+"
    if match is None:
        return _age_at_school(reading)
    groups = match.groupdict()
    if groups.get("ordinal"):
        return max(_ordinal(groups["ordinal"]) - 1, 1)
    years = [year for each in (groups.get("n"), groups.get("m")) if each for year in numbers(each)]
    age = sum(years) // len(years) if years else None
    if age is not None and groups.get("under"):
        age += 1 if groups["under"] == "over" else -1
    return age if age is None or age < 100 else None  # "One Hundred Years of Solitude" is nobody's age


def _age_at_school(reading: Reading) -> int | None:
    """How old one is at a class or school; or a baby, of whom no age is told."""
    if reading.take(r"\b\w+ months? old\b|\bполтора год\w*\b"):
        return 1
    if (years := _school_years(reading)) is not None:
        return years
    return 2 if reading.take(r"\b(?:toddlers?|babies|baby|for a baby|младенц\w*|em be)\b") else None


_STAGES = (
    (
        r"\b(?:preschool\w*|pre school\w*|nursery|mau giao|mam non|дошкол\w*|детсад\w*|детск\w+ сад\w*"
        r"|(?:в|из|до) садик\w*)\b",
        4,
    ),
    (
        r"\b(?:kindergart\w*|reception class|vao lop (?:mot|1)|подготовишк\w*"
        r"|(?:start\w*|begin\w*) (?:primary |elementary )?school)\b",
        5,
    ),
    (r"\b(?:(?:primary|elementary) school\w*|cap (?:mot|1)|tieu hoc|начальн\w+ (?:школ\w*|класс\w*))\b", 8),
    (r"\b(?:tweens?|pre ?teens?|tweenager|start\w* (?:secondary|middle) school)\b", 11),
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
        or reading.take(rf"\blop (?P<a>{YEARS})\b")
        or reading.take(rf"\b(?P<a>(?:{_ORDINAL})\w{{0,4}}|\d{{1,2}}(?: ?м| ?го| ?и)?) ?кла(?:сс|ш)\w*\b")
        or reading.take(r"\b(?P<y>year) (?P<a>\d{1,2}|one|two|three|four|five|six|seven|eight|nine)\b(?! (?:old|ago))")
    )
    if match:
        number = _ordinal(match["a"])
        if 1 <= number <= 12:
            is_earlier = reading.language == "vi" or match.groupdict().get("y")
            return number + (5 if is_earlier else 6)
    for pattern, age in _STAGES:
        if reading.take(pattern):
            return age
    return None


def _ordinal(said: str) -> int:
    """The number that digits, a number or an ordinal say: "4th", "fourth", "четвёртый"; 0 if none."""
    plain = re.sub(r"(?<=\d)(?:st|nd|rd|th| ?м| ?го| ?и)$", "", said)
    return last_number(plain) or next((n for word, n in _ORDINALS.items() if plain.startswith(word)), 0)
