"""How long a book may be: by its pages, from and to, or by what is said of it."""

import re
from dataclasses import replace

from dashboard.chat.lexicon import compiled, lexicon
from dashboard.chat.reading.numbers import NUMBER, NUMBER_WORD, last_number, numbers
from dashboard.chat.reading.question import BETWEEN, DISMISSED, NOT_WITH_ACCENTS, Reading
from dashboard.chat.reading.wish import LONG, SHORT, Wish

_UNDER = (
    r"\b(?:nothing (?:over|above|more|longer)|no(?:t)? (?:over|more|longer|above|bigger|thicker)|under|below|less|fewer"
    r"|max(?:imum)?|at most|up to|within|shorter|tops|or so|ish|about|around|не (?:больше|более|толще|длиннее)|до"
    r"|меньше"
    r"|менее|максимум|примерно|около|больше не|duoi|khong (?:qua|hon)|it hon|toi da|tro xuong|do lai|tro lai"
    r"|chua (?:toi|den)|tam|khoang"
    r"|chung)\b"
)
# Of these none means "about".
_NO_MORE = (
    r"\b(?:nothing (?:over|above|more|longer)|no(?:t)? (?:over|more|longer|above|bigger|thicker)|under|below|less|fewer"
    r"|max(?:imum)?|at most|within|tops|не (?:больше|более|толще|длиннее)|меньше|менее|максимум|duoi|khong (?:qua|hon)"
    r"|it hon|toi da|tro xuong|do lai|tro lai|chua (?:toi|den))\b"
)
_BEHIND_PAGES = r"tops|or less|or so|or under|max|do lai|tro lai|tro xuong|tro len|la vua|la duoc|с хвостиком|с лишним"
_AT_LEAST = (
    r"\b(?:no(?:t|thing)? (?:less|fewer|under|below|shorter|thinner)|не (?:меньше|менее)|khong (?:duoi|it hon))\b"
)
_AT_MOST = r"\b(?:nothing|no|not|не|khong) (?:over|more|longer|above|больше|более|qua|hon)\b|\b(?:больше|более) не\b"
_OVER = (
    r"\b(?:over|more|at least|above|min(?:imum)?|plus|longer|or more|and up|от|не (?:меньше|менее)|no(?:t"
    r"|thing)? (?:less"
    r"|fewer|under|below|shorter|thinner)|больше|более|выше|свыше"
    r"|минимум|tren|hon|it nhat|toi thieu|tro len)\b"
)
_PAGES = (
    rf"\b(?P<n>{NUMBER})(?: \|)? ?(?:ish |plus |odd )?(?:pages?|pp|pg|trang|стр\w*)\b"
    rf"|\b(?:pages|so trang|страниц|стр)(?: \|)? (?:number |so |на |в |до |от |под |эдак |этак )?(?P<m>{NUMBER})\b"
)
# A bound without a word for pages: "nothing over 250, please".
_BARE = (
    r"\b(?:under|below|over|above|at least|at most|up to|less than|more than|longer than|shorter than|до"
    r"|не (?:больше|более|толще)|больше|от"
    r"|duoi|tren|khong qua) (?P<n>\d{3,4})(?: (?P<m>pages))?(?= \||$| (?:please|tops|max|thoi|nhe)\b)"
)
# How far somebody came in a book: "stuck on page 40", "đến trang 12", "на странице 30".
_PLACE = (
    rf"\b(?:(?:by|on|at|to|past|until|till|after|beyond) )?page (?:number )?(?P<n>{NUMBER})\b"
    rf"|\b(?:(?:den|toi|o) )?trang (?:so |thu )?(?P<m>{NUMBER})\b|\b(?:на |до |после )?(?:\d+(?: ?и"
    rf"|ои)? )?странице(?: \d+)?\b"
)
_SHORTER_THAN_THAT = r"\b(?:shorter|thinner|less)\b|\b(?:короче|тоньше)\b|\b(?:ngan|mong) hon\b"
# No more than so many, behind a number of pages: "200, no more than 230".
_AT_MOST_THEN = (
    rf"(?<=\0)(?: \|)? (?:(?:but|and|но|nhung) )?(?:(?:nothing|not?|не|khong) (?:over|more than|longer than|above"
    rf"|больше"
    rf"|более|длиннее|qua|hon)|max(?:imum)?|at most|максимум|toi da) (?P<n>{NUMBER})\b"
)
_ABOUT = r"\b(?:around|about|ish|or so|roughly|примерно|около|порядка|tam|khoang|co|chung)\b"
_FEWEST_PAGES = 20  # "page 1" is no length
_HUNDRED = 100
_STILL_SHORT = 1.5
_UP_TO = r"(?:(?: \|)? (?:to|and|or|till|until|up to|den|toi|hay|hoac|до|или|и))?(?: \|)?"
_PLAIN = rf"(?:\d{{1,4}}|(?:{NUMBER_WORD})(?: (?:{NUMBER_WORD}))*)"
_BEHIND = r" ?(?:ish )?(?:pages?|pp|pg|trang|стр\w*)\b"
_RANGES = (
    rf"\b(?:between|from) (?P<a>{_PLAIN}) (?:and|to) (?P<b>{NUMBER}){_BEHIND}",
    rf"\b(?P<a>{NUMBER}){_UP_TO} (?P<b>{NUMBER}){_BEHIND}",
    rf"\b(?:pages?|trang|стр\w*) (?:between |from |so |на |в |от |с |под |эдак |этак |tu |co |khoang )?"
    rf"(?P<a>{NUMBER}){_UP_TO} (?P<b>{NUMBER})\b",
)
# The shortest or the longest of all.
_SHORTEST = (
    r"\b(?:(?:short|thinn|slimm|brief|quick)est|fewest pages)\b|\bсам(?:ая|ыи|ое|ую|ые|ого|ои)(?: \w+)? (?:тонк|коротк"
    r"|маленьк|кратк)\w*|\b(?:тоньше|короче|меньше) (?:всех|всего|некуда)\b|\b(?:mong|ngan|it trang) nhat\b"
)
_LONGEST = (
    r"\b(?:(?:long|thick|fatt|bigg|larg|heavi)est|most pages)\b|\bсам(?:ая|ыи|ое|ую|ые|ого|ои)(?: \w+)? (?:толст|длинн"
    r"|объемн|больш)\w*|\b(?:толще|длиннее|больше) (?:всех|всего|некуда)\b|\b(?:day|dai|nhieu trang) nhat\b"
)


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


def sizes(reading: Reading, wish: Wish) -> Wish:
    """How long it may be: by pages, or by what is said of it; "not a brick" is short."""
    reading.take(r"\b(?:over and )?done with(?: it)?(?= (?:in|within|over|by)\b)")  # "in one sitting" is wanted
    for pattern in _RANGES:
        span = reading.find(pattern)
        bounds = _bounds(span) if span else None
        if span is None or bounds is None:
            continue
        least, most = bounds
        reading.take(re.escape(span[0]))
        reading.take(rf"(?:{_UNDER}|{_OVER}|\b(?:between|tu|co|с)\b)(?= \0)")
        return _said_of_size(reading, replace(wish, min_pages=least, max_pages=most))
    pages = reading.find(_PAGES)
    if not pages and (place := reading.find(_PLACE)) and not reading.find(_SHORTER_THAN_THAT):
        reading.take(re.escape(place[0]))
    pages = pages or reading.find(_PLACE) or reading.find(_BARE)
    number = last_number(_counted(reading, pages)) if pages else 0
    if pages and number >= _FEWEST_PAGES:
        wish = _of_pages(reading, wish, pages, number)
    return _said_of_size(reading, wish)


def _of_pages(reading: Reading, wish: Wish, pages: re.Match[str], number: int) -> Wish:
    """How many pages it may have, of the one number of them that is said: so many at most, at least, or about."""
    before, after = pages.string[: pages.start() + len("tam ")][-30:], pages.string[pages.end() :][:20]
    reading.take(re.escape(pages[0]))
    around = [part for part in (before, after) if re.search(rf"{_UNDER}|{_OVER}", part)][:1]
    is_under = any(re.search(_UNDER, re.sub(_AT_LEAST, "", part)) for part in around)
    is_over = any(re.search(_OVER, re.sub(_AT_MOST, "", part)) for part in around) or f"{number}+" in reading.text
    is_firm = any(re.search(_NO_MORE, re.sub(_AT_LEAST, "", part)) for part in (before, after))
    is_about = any(re.search(_ABOUT, part) for part in around) or not (is_under or number >= 0.8 * LONG)
    for bound in (rf"(?:{_UNDER}|{_OVER})(?= \0)", rf"(?<=\0) (?:{_BEHIND_PAGES})\b"):
        reading.take(bound)
    is_short = number <= _STILL_SHORT * SHORT  # what is under 400 pages need not be short
    if then := reading.take(_AT_MOST_THEN):
        return replace(wish, length="short" if is_short else None, max_pages=last_number(then["n"]))
    if number > 1.25 * SHORT and is_about and not is_over and not is_firm:
        return replace(wish, min_pages=round(0.7 * number), max_pages=round(1.1 * number))
    if is_under or (not is_over and number <= 1.25 * SHORT):
        return replace(wish, length="short" if is_short else None, max_pages=number)
    if is_over or number >= 0.8 * LONG:
        return replace(wish, length="long", min_pages=number)
    return wish


def _counted(reading: Reading, pages: re.Match[str]) -> str:
    """The words of a number of pages; "tầm" before it is about, not eight."""
    group = "n" if pages["n"] else "m"
    if (pages[group] or "").isdigit():
        return pages[group]  # "150pp" is one word
    said = reading.raw(*pages.span(group)) if pages[group] else []
    return " ".join(word.folded for word in said if word.accented != "tầm")


def _bounds(span: re.Match[str]) -> tuple[int, int] | None:
    """The two numbers of pages that are said, if they are a lower and an upper one: "hai ba trăm" is 200 to 300."""
    first, second = span["a"], span["b"]
    is_parted = f"{first} {second}" not in span[0]
    said = [last_number(first), last_number(second)] if is_parted else numbers(f"{first} {second}")
    if len(said) != 2:
        return None
    least, most = said
    if least < 10 and most >= _HUNDRED and most % _HUNDRED == 0:
        least *= _HUNDRED
    return (least, most) if _FEWEST_PAGES <= least < most else None


def _said_of_size(reading: Reading, wish: Wish) -> Wish:
    is_bare = reading.language == "vi" and not reading.has_accents
    is_span = bool(wish.min_pages and wish.max_pages)
    unwanted: set[str] = set()
    for name, phrase in lexicon().lengths[wish.language]:
        pattern = phrase.bare if is_bare else phrase.pattern
        if pattern is None:
            continue
        no = NOT_WITH_ACCENTS if reading.has_accents else reading.no
        between = "(?:(?:quá|nhiều|có|hay) )*" if reading.has_accents else BETWEEN
        found = (
            rf"(?P<no>\b(?:{no}) {between})?{_NO_GENRE if phrase.folded == 'ngan' else ''}(?:{pattern})"
            r"(?! (?:stor|histor|introduc|while|time|ago|distance|run\b|term|idea|bang|city|fans?\b|walk|lov"
            rf"|enough to know)){_OF_LENGTH if phrase.folded in _SIZES else ''}"
        )
        while match := reading.take(found, with_accents=reading.has_accents):
            no = bool(match["no"]) or _is_dismissed(reading, match.end())
            meant = name if not no else "long" if name == "short" else "short"
            if no:
                unwanted.add(name)
            if is_span:
                pass  # two numbers are surer
            elif wish.length is None:
                wish = replace(wish, length=meant)  # pyright: ignore[reportArgumentType]
            elif wish.min_pages and meant == "short":
                # "Thin, above 250 pages I give up": the word is surer than what stands about the number.
                wish = replace(wish, length="short", max_pages=wish.min_pages, min_pages=None)
    if wish.length is None and is_bare and reading.take(r"\b(?:mong|(?<!truyen )ngan)\b"):
        wish = replace(wish, length="short")
    if len(unwanted) > 1 and not (wish.min_pages or wish.max_pages):
        wish = replace(wish, length=None, min_pages=SHORT, max_pages=LONG)  # neither thin nor thick
    return wish if is_span else _extreme(reading, wish)


# Between what is said of its length and that it is not wanted: "толстые книги её пугают".
_OF_IT = (
    r"(?: (?:books?|novels?|ones?|things?|книг\w*|роман\w*|том\w*|sach|truyen|cuon))?"
    r"(?: (?:ее|его|меня|их|нас|nao|qua))?"
)


def _is_dismissed(reading: Reading, end: int) -> bool:
    """Whether what was read up to here is not wanted: "sách dày là chạy"; what says so is read off."""
    said = compiled(f"{_OF_IT}(?:{DISMISSED.pattern})").match(reading.original, end)
    if said:
        reading.take(re.escape(said[0]))
    return bool(said)


# How soon it shall be read.
_IN_AN_HOUR = (
    r"\b(?:read|finish\w*|through|done|manage\w*|polish off|devour\w*|knock off) (?:\w+ ){0,3}?"
    r"(?:in|within|over|during|on) (?:about |under |just |only )?(?:an?|one|two|three|my|a couple of|a few|\d)(?: \w+)?"
    r" (?:hours?|evenings?|sittings?|afternoons?|lunch|breaks?|commutes?|nights?|flights?|journeys?|days?)\b"
    r"|\bна (?:час|полчаса)\b"
    r"|\b(?:за|на) (?:день|вечер|присест|часок|поездку|дорогу|выходные)\b"
    r"|\b(?:на|за) (?:пару|один|одну|два|три|несколько)(?: (?:два|три))? (?:вечер\w*|час\w*|присест\w*|ноч\w+|дн\w+)\b"
    r"|\b(?:doc|xong) (?:trong |het trong )?(?:mot|vai|hai|ba|\d) (?:tieng|gio|buoi|toi|dem)\b"
)


def _extreme(reading: Reading, wish: Wish) -> Wish:
    """With whether the shortest or the longest of all is asked for, or what is soon read."""
    for length, pattern in (("short", _SHORTEST), ("long", _LONGEST)):
        if re.search(pattern, reading.original):
            return replace(wish, length=length, is_extreme=True)  # pyright: ignore[reportArgumentType]
    if not wish.is_measured and reading.take(_IN_AN_HOUR):
        return replace(wish, length="short")
    return wish
